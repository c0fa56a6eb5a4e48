/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file and a buffer for tests of transfers
 */
#ifndef _DMA_BUF_TESTS_MOCK_TRANSFER_H
#define _DMA_BUF_TESTS_MOCK_TRANSFER_H

#include <kunit/test.h>

#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uio.h>
#include <linux/workqueue.h>

#include <uapi/linux/dma-buf.h>

#define FROM	DMA_BUF_TRANSFER_FROM_FILE
#define TO	DMA_BUF_TRANSFER_TO_FILE
#define DIRECT	DMA_BUF_TRANSFER_DIRECT
#define NOWAIT	DMA_BUF_TRANSFER_NOWAIT

/** enum transfer_order - in which order direct requests complete */
enum transfer_order {
	ORDER_AT_ONCE,
	ORDER_FORWARD,
	ORDER_BACKWARD,
	ORDER_ODD_FIRST,
};

#define TRANSFER_REQUESTS_MAX	32

/** struct transfer_request - a request that has not completed */
struct transfer_request {
	struct kiocb *iocb;
	struct iov_iter iter;
	int index;
};

/**
 * struct transfer_mock - a file, and what was asked of it
 * @file: the file
 * @size: where it ends for reads
 * @tells: statx(2) tells @memory and @block
 * @memory: alignment of addresses
 * @block: alignment of positions and lengths
 * @refuses: errno for each direct request, or 0
 * @order: in which direct requests complete
 * @nth: the request that gets @answer, or -1
 * @answer: what it gets: fewer bytes, or a negative errno
 * @held: direct requests complete by transfer_mock_complete() only
 * @awaits: how many requests pile up before the first completes
 * @kill_at: the request during whose submission the caller is killed, or -1
 * @resv: to be unlocked during requests, unless it is NULL
 * @locked: it was not
 * @nr_requests: number of requests so far
 * @direct: bytes moved by direct requests
 * @copied: bytes moved by other ones
 * @wrong: bytes were written that are not those of the position
 * @lock: protects what follows
 * @nr_pending: number of requests that have not completed
 * @max_pending: how many there were at most
 * @pending: these requests
 * @work: completes them
 */
struct transfer_mock {
	struct file *file;
	loff_t size;
	bool tells;
	u32 memory;
	u32 block;
	int refuses;
	enum transfer_order order;
	int nth;
	long answer;
	bool held;
	int awaits;
	int kill_at;
	struct dma_resv *resv;
	bool locked;
	int nr_requests;
	size_t direct;
	size_t copied;
	bool wrong;
	spinlock_t lock; /* nr_pending to pending */
	int nr_pending;
	int max_pending;
	struct transfer_request pending[TRANSFER_REQUESTS_MAX];
	struct delayed_work work;
};

/**
 * struct transfer_buffer - a buffer whose CPU access is counted
 * @dmabuf: the buffer
 * @ops: its operations, with other begins and ends
 * @real: those of the exporter
 * @begun: number of begins that succeeded
 * @ended: number of ends
 * @dir: the direction of the last one
 */
struct transfer_buffer {
	struct dma_buf *dmabuf;
	struct dma_buf_ops ops;
	const struct dma_buf_ops *real;
	int begun;
	int ended;
	enum dma_data_direction dir;
};

extern const struct file_operations transfer_fops;

bool transfer_buffer(struct dma_buf *dmabuf, size_t offset, size_t bytes,
		     loff_t pos, bool fill);
bool transfer_is_zero(struct dma_buf *dmabuf, size_t offset, size_t end);
struct transfer_mock *transfer_mock(struct kunit *test);
void transfer_mock_complete(struct transfer_mock *mock);
void transfer_mock_set_flags(struct transfer_mock *mock, unsigned int f_flags);
struct transfer_buffer *transfer_new(struct kunit *test, size_t size);
ssize_t transfer_call(struct transfer_buffer *buffer,
		      struct transfer_mock *mock, u32 flags, u64 file_offset,
		      u64 offset, u64 length);
ssize_t transfer_checked(struct kunit *test, struct transfer_buffer *buffer,
			 struct transfer_mock *mock, u32 flags, u64 file_offset,
			 u64 offset, u64 length);

#endif /* _DMA_BUF_TESTS_MOCK_TRANSFER_H */
