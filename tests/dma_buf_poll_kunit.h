/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites of dma-buf-poll.c, dma-buf-sync-file.c and dma-buf-revoke.c
 * share: a way to add a fence to a buffer, and to poll the buffer.
 */
#ifndef _DMA_BUF_POLL_TEST_H
#define _DMA_BUF_POLL_TEST_H

#include <kunit/test.h>

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/poll.h>

/* Poll events are a type of their own, which KUnit does not print. */
#define EXPECT_EVENTS(_test, _left, _right)				\
	KUNIT_EXPECT_EQ(_test, (__force u32)(_left), (__force u32)(_right))

static inline void add_fence(struct kunit *test, struct dma_buf *dmabuf,
			     struct dma_fence *fence, enum dma_resv_usage usage)
{
	int ret;

	dma_resv_lock(dmabuf->resv, NULL);
	ret = dma_resv_reserve_fences(dmabuf->resv, 1);
	if (!ret)
		dma_resv_add_fence(dmabuf->resv, fence, usage);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_ASSERT_EQ(test, ret, 0);
}

/* poll(2) with a timeout of zero. */
static inline __poll_t peek(struct dma_buf *dmabuf, __poll_t events)
{
	poll_table table = { ._key = events };

	return vfs_poll(dmabuf->file, &table);
}

#endif /* _DMA_BUF_POLL_TEST_H */
