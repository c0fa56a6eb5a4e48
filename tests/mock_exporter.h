/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock exporter: buffers whose driver does what the test tells it.
 *
 * What it is:	the only fake exporter of the test module. Its buffers are made
 *		of ordinary pages, can be mapped for real devices, into programs
 *		and into the kernel, and can be moved. Each op counts how often
 *		it was called, how often with the reservation lock held, and
 *		fails when the test says so.
 * Life:	the test owns the reference that mock_exporter_create() returns,
 *		and drops it with dma_buf_put(). The struct mock_exporter stays
 *		readable until the test case ends, also after the release op.
 *		A buffer that is alive when its test case is over fails the case.
 * Locks:	counters are atomic. The pages change under the reservation lock
 *		only.
 */
#ifndef _DMA_BUF_TESTS_MOCK_EXPORTER_H
#define _DMA_BUF_TESTS_MOCK_EXPORTER_H

#include <kunit/test.h>

#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-direction.h>
#include <linux/kref.h>
#include <linux/types.h>

struct page;

/** enum mock_exporter_op - the ops of an exporter, as indices */
enum mock_exporter_op {
	MOCK_OP_ATTACH,
	MOCK_OP_DETACH,
	MOCK_OP_PIN,
	MOCK_OP_UNPIN,
	MOCK_OP_MAP,
	MOCK_OP_UNMAP,
	MOCK_OP_BEGIN_CPU,
	MOCK_OP_END_CPU,
	MOCK_OP_BEGIN_CPU_PARTIAL,
	MOCK_OP_END_CPU_PARTIAL,
	MOCK_OP_MMAP,
	MOCK_OP_VMAP,
	MOCK_OP_VUNMAP,
	MOCK_OP_RELEASE,
	MOCK_OP_COUNT,
};

/** MOCK_EXPORTER_SIZE - bytes of a buffer whose size the test leaves open */
#define MOCK_EXPORTER_SIZE	(4 * PAGE_SIZE)

/**
 * struct mock_exporter_params - what the buffer shall be like
 * @size: in bytes; 0 for MOCK_EXPORTER_SIZE
 * @flags: flags of the file; 0 for O_RDWR | O_CLOEXEC
 * @resv: reservation object; NULL for one of the buffer's own
 * @dynamic: provide pin and unpin
 * @cache_sgt: set &dma_buf_ops.cache_sgt_mapping
 * @vmap_iomem: vmap says that it is I/O memory
 * @without: mask of BIT(enum mock_exporter_op): ops which are left NULL
 *
 * All zero, or no params at all, is a static exporter with every op.
 */
struct mock_exporter_params {
	size_t size;
	int flags;
	struct dma_resv *resv;
	bool dynamic;
	bool cache_sgt;
	bool vmap_iomem;
	unsigned long without;
};

/**
 * struct mock_exporter - one scripted buffer
 * @ops: the ops table of this one buffer
 * @info: what was, or will be, given to dma_buf_export()
 * @calls: how often each op was called
 * @locked: how many of these calls found the reservation lock held
 * @last_dir: direction that the last map, begin or end was called with
 * @last_offset: where the range of the last partial begin or end starts
 * @last_length: how long it is
 * @fail: what each op shall return instead of working; 0 to work. For ops
 *	without a result it has no effect.
 * @map_null: the map op returns NULL, which no exporter should
 * @begin_queues: fence of work that a begin sets going, NULL for none
 * @begin_signals: fence of work that a begin completes, NULL for none
 * @no_cpu_list: tables have a DMA side only, and say so: their orig_nents is 0
 * @released: completes when the release op ran
 * @nr_pages: length of @pages
 * @pages: the memory; changed by mock_exporter_move() under the reservation
 * lock
 * @vaddr: what vmap has mapped, NULL while it has not
 */
struct mock_exporter {
	struct dma_buf_ops ops;
	struct dma_buf_export_info info;

	/* The record: written by the ops, read by the test. */
	atomic_t calls[MOCK_OP_COUNT];
	atomic_t locked[MOCK_OP_COUNT];
	enum dma_data_direction last_dir;
	size_t last_offset, last_length;
	struct completion released;

	/* The script: written by the test, read by the ops. */
	int fail[MOCK_OP_COUNT];
	bool map_null;
	struct dma_fence *begin_queues;
	struct dma_fence *begin_signals;
	bool no_cpu_list;

	unsigned int nr_pages;
	struct page **pages;
	void *vaddr;

	/* private: of mock_exporter.c */
	struct kunit *test;
	bool vmap_iomem;
	struct kref refcount;
	unsigned int orig_nents;
	bool exported;
};

struct mock_exporter *mock_exporter_prepare(struct kunit *test,
					    const struct mock_exporter_params *p);
struct dma_buf *mock_exporter_export(struct mock_exporter *mock);
struct dma_buf *mock_exporter_create(struct kunit *test,
				     const struct mock_exporter_params *p);
int mock_exporter_move(struct dma_buf *dmabuf);
bool mock_exporter_wait_released(struct mock_exporter *mock);

/**
 * to_mock_exporter - from a buffer to the mock behind it
 * @dmabuf: a buffer that mock_exporter_create() returned, still referenced
 *
 * Context: Any.
 * Return: the mock, which outlives the buffer.
 */
static inline struct mock_exporter *to_mock_exporter(struct dma_buf *dmabuf)
{
	return dmabuf->priv;
}

/**
 * mock_exporter_calls - how often an op was called
 * @mock: the mock
 * @op: the op
 *
 * Context: Any.
 * Return: the count since the mock was made.
 */
static inline int mock_exporter_calls(struct mock_exporter *mock,
				      enum mock_exporter_op op)
{
	return atomic_read(&mock->calls[op]);
}

/**
 * mock_exporter_locked - how often an op was called under the reservation lock
 * @mock: the mock
 * @op: the op
 *
 * Context: Any.
 * Return: the count since the mock was made.
 */
static inline int mock_exporter_locked(struct mock_exporter *mock,
				       enum mock_exporter_op op)
{
	return atomic_read(&mock->locked[op]);
}

/**
 * expect_mock_calls - an op and its opposite were called so many times
 * @test: the running test case
 * @mock: the mock
 * @op: the op
 * @opposite: the op that undoes it
 * @calls: expected calls of @op
 * @undone: expected calls of @opposite
 *
 * Context: Process context of the test.
 */
static inline void expect_mock_calls(struct kunit *test,
				     struct mock_exporter *mock,
				     enum mock_exporter_op op,
				     enum mock_exporter_op opposite,
				     int calls, int undone)
{
	KUNIT_EXPECT_EQ_MSG(test, mock_exporter_calls(mock, op), calls,
			    "calls of op %d", op);
	KUNIT_EXPECT_EQ_MSG(test, mock_exporter_calls(mock, opposite), undone,
			    "calls of op %d", opposite);
}

#endif /* _DMA_BUF_TESTS_MOCK_EXPORTER_H */
