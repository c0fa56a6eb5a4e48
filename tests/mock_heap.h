/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock heap: a registered heap whose pages come as the test wants them
 *
 * Its buffers are real heap_buffers; the script says in which pieces their
 * pages are appended, and where that fails. It belongs to the test case, and to
 * one thread. A page that a buffer has not put when the case is over fails the
 * case.
 */
#ifndef _DMA_BUF_TESTS_MOCK_HEAP_H
#define _DMA_BUF_TESTS_MOCK_HEAP_H

#include <linux/dma-heap.h>
#include <linux/types.h>

#include "../heaps/heap_buffer.h"

struct kunit;
struct page;

/** MOCK_HEAP_MAX_PAGES - the largest buffer that a mock heap makes, in pages */
#define MOCK_HEAP_MAX_PAGES	128

/** enum mock_heap_pieces - how the pages of a buffer are handed over */
enum mock_heap_pieces {
	MOCK_HEAP_RUN,		/* all at once */
	MOCK_HEAP_FORWARD,	/* one by one, each adjacent to the one before */
	MOCK_HEAP_BACKWARD,	/* one by one, none adjacent to the one before */
	MOCK_HEAP_FOLIOS,	/* as folios of 4 pages */
};

/**
 * struct mock_heap - a scripted heap
 * @heap: the heap as registered; NULL after dma_heap_remove()
 * @info: what it was registered with
 * @backing: what its buffers are made with
 * @pieces: script: how to hand over
 * @fail_after: script: filling fails when so many pieces have been appended
 * @fail: script: what it returns then; 0 to work
 * @refuse_after: script: allocate fails when it was called so often before
 * @refuse: script: what it returns then; 0 to work
 * @allocations: record: how often allocate was called
 * @len: record: what it was last called with
 * @fd_flags: record: what it was last called with
 * @puts: record: how often the pages of a buffer were given back
 * @exposed: record: whether anything may have written to them the last time
 * @pages: record: the pages of the last buffer, in order; the mock holds a
 *	reference on each, so that they can be looked at when the buffer is gone
 * @nr_pages: record: how many
 */
struct mock_heap {
	struct dma_heap *heap;
	struct dma_heap_export_info info;
	struct heap_backing backing;

	enum mock_heap_pieces pieces;
	unsigned int fail_after;
	int fail;
	unsigned int refuse_after;
	int refuse;

	unsigned int allocations;
	unsigned long len;
	u32 fd_flags;
	unsigned int puts;
	bool exposed;
	struct page *pages[MOCK_HEAP_MAX_PAGES];
	unsigned int nr_pages;
};

struct mock_heap *mock_heap_create(struct kunit *test, const char *name);
struct dma_buf *mock_heap_buffer(struct kunit *test, struct mock_heap *mock,
				 enum mock_heap_pieces pieces,
				 unsigned int nr_pages);
void mock_heap_close(struct dma_buf *dmabuf);
void mock_heap_expect_put(struct kunit *test, struct mock_heap *mock);
void mock_heap_expect_puts(struct kunit *test, struct mock_heap *mock,
			   unsigned int puts);
void mock_heap_expect_home(struct kunit *test, struct mock_heap *mock);

#endif /* _DMA_BUF_TESTS_MOCK_HEAP_H */
