/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock importer: a driver that attaches mock devices to buffers.
 *
 * What it is:	the only fake importer of the test module, in two kinds: one that
 *		follows moves and counts them, and one that does not.
 * Life:	attachments are the test's to detach. The device of each belongs
 *		to the test case.
 * Locks:	moves are counted under the reservation lock.
 */
#ifndef _DMA_BUF_TESTS_MOCK_IMPORTER_H
#define _DMA_BUF_TESTS_MOCK_IMPORTER_H

#include <linux/dma-buf.h>

struct kunit;
struct sg_table;

/**
 * struct mock_importer - an importer that follows moves
 * @attach: its attachment
 * @moves: how often it was told of one
 */
struct mock_importer {
	struct dma_buf_attachment *attach;
	int moves;
};

/* For dma_buf_dynamic_attach(), with a mock importer as importer_priv. */
extern const struct dma_buf_attach_ops mock_importer_ops;
extern const struct dma_buf_attach_ops mock_importer_p2p_ops;

struct dma_buf_attachment *mock_importer_attach(struct kunit *test,
						struct dma_buf *dmabuf);
struct dma_buf_attachment *mock_importer_follow(struct kunit *test,
						struct dma_buf *dmabuf,
						struct mock_importer *importer);
int mock_importer_count(struct dma_buf *dmabuf);
bool mock_importer_has(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);
size_t mock_importer_bytes(struct sg_table *sgt);

#endif /* _DMA_BUF_TESTS_MOCK_IMPORTER_H */
