/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock importer: a driver that attaches mock devices to buffers.
 *
 * What it is:	the only fake importer of the test module, in three kinds: one
 *		that follows moves and counts them, and one that can be revoked,
 *		both at once, late or never, and one that does neither.
 * Life:	attachments are the test's to detach. The device of each belongs
 *		to the test case.
 * Locks:	moves are counted under the reservation lock.
 */
#ifndef _DMA_BUF_TESTS_MOCK_IMPORTER_H
#define _DMA_BUF_TESTS_MOCK_IMPORTER_H

#include <linux/dma-buf.h>

struct dma_fence;
struct kunit;
struct mock_importer_worker;
struct sg_table;

/** enum mock_importer_answer - when an importer that is told to unmaps */
enum mock_importer_answer {
	MOCK_IMPORTER_AT_ONCE,	/* when it is told */
	MOCK_IMPORTER_LATE,	/* after MOCK_IMPORTER_DELAY_MS, from a worker */
	MOCK_IMPORTER_NEVER,	/* not before mock_importer_unmap() */
};

/** MOCK_IMPORTER_DELAY_MS - how late a slow importer is */
#define MOCK_IMPORTER_DELAY_MS	50

/**
 * struct mock_importer - an importer that follows moves, or can be revoked
 * @attach: its attachment
 * @moves: how often it was told of one
 * @invalidations: how often it was told to undo its mapping
 * @ticket: the last call of either op had a &struct ww_acquire_ctx
 * @idle: all fences had signaled when it was last told of a move
 * @answer: script: when it does that
 * @fence: script: what its device still does then: added before the unmap by
 *	one that is late; NULL for nothing
 * @sgt: its mapping, by mock_importer_map(); NULL for none; under the
 *	reservation lock
 * @worker: what a slow one does
 */
struct mock_importer {
	struct dma_buf_attachment *attach;
	int moves;
	int invalidations;
	bool ticket;
	bool idle;
	enum mock_importer_answer answer;
	struct dma_fence *fence;
	struct sg_table *sgt;
	struct mock_importer_worker *worker;
};

/* For dma_buf_dynamic_attach(), with a mock importer as importer_priv. */
extern const struct dma_buf_attach_ops mock_importer_ops;
extern const struct dma_buf_attach_ops mock_importer_p2p_ops;
extern const struct dma_buf_attach_ops mock_importer_revocable_ops;

struct dma_buf_attachment *mock_importer_attach(struct kunit *test,
						struct dma_buf *dmabuf);
struct dma_buf_attachment *mock_importer_follow(struct kunit *test,
						struct dma_buf *dmabuf,
						struct mock_importer *importer);
struct dma_buf_attachment *
mock_importer_join(struct kunit *test, struct dma_buf *dmabuf,
		   struct mock_importer *importer);
int mock_importer_map(struct mock_importer *importer);
void mock_importer_finish(struct mock_importer *importer);
void mock_importer_unmap(struct mock_importer *importer);
int mock_importer_count(struct dma_buf *dmabuf);
bool mock_importer_has(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);
size_t mock_importer_bytes(struct sg_table *sgt);

#endif /* _DMA_BUF_TESTS_MOCK_IMPORTER_H */
