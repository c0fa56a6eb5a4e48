/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites of dma-buf-revoke.c and dma-buf-wait.c share: a dynamic
 * exporter, the timeout, and the verbs that wait for devices.
 */
#ifndef _DMA_BUF_REVOKE_TEST_H
#define _DMA_BUF_REVOKE_TEST_H

#include <kunit/test.h>

#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/types.h>

#include "../dma-buf-private.h"
#include "mock_exporter.h"
#include "mock_importer.h"

static const struct mock_exporter_params dynamic_exporter = {
	.dynamic = true,
};

static inline void revoke_restore_timeout(void *seconds)
{
	dma_buf_revoke_timeout = (uintptr_t)seconds;
}

/* For suites whose cases change the timeout: restore it after each. */
static inline int revoke_init(struct kunit *test)
{
	return kunit_add_action(test, revoke_restore_timeout,
				(void *)(uintptr_t)dma_buf_revoke_timeout);
}

/**
 * struct verbs - what the verbs are tried on
 * @test: the running test case
 * @dmabuf: the buffer
 * @attach: a static attachment
 * @importer: a dynamic importer
 * @sync_file: a descriptor
 */
struct verbs {
	struct kunit *test;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	struct mock_importer importer;
	int sync_file;
};

static inline int verb_map(struct verbs *v)
{
	struct sg_table *sgt;

	sgt = dma_buf_map_attachment_unlocked(v->attach, DMA_TO_DEVICE);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	dma_buf_unmap_attachment_unlocked(v->attach, sgt, DMA_TO_DEVICE);
	return 0;
}

static inline int verb_map_batch(struct verbs *v)
{
	struct dma_buf_attachment *both[] = { v->attach, v->importer.attach };
	struct sg_table *sgts[2];
	int ret;

	ret = dma_buf_map_attachments_unlocked(both, sgts, 2, DMA_TO_DEVICE);
	if (!ret)
		dma_buf_unmap_attachments_unlocked(both, sgts, 2,
						   DMA_TO_DEVICE);
	return ret;
}

static inline int verb_begin(struct verbs *v)
{
	return dma_buf_begin_cpu_access(v->dmabuf, DMA_FROM_DEVICE);
}

static inline int verb_begin_partial(struct verbs *v)
{
	return dma_buf_begin_cpu_access_partial(v->dmabuf, DMA_TO_DEVICE, 1, 1);
}

static inline int verb_read(struct verbs *v)
{
	loff_t pos = 0;
	char byte;
	ssize_t ret = kernel_read(v->dmabuf->file, &byte, 1, &pos);

	KUNIT_EXPECT_EQ(v->test, pos, ret == 1);
	return ret == 1 ? 0 : ret;
}

static inline int verb_write(struct verbs *v)
{
	loff_t pos = 0;
	char byte = 'r';
	ssize_t ret = kernel_write(v->dmabuf->file, &byte, 1, &pos);

	return ret == 1 ? 0 : ret;
}

#endif /* _DMA_BUF_REVOKE_TEST_H */
