// SPDX-License-Identifier: GPL-2.0-only
/*
 * The smallest exporter of pages
 *
 * What a driver has to write that exports pages of its own: allocate them, free
 * them, and name the operations of dma-buf-pages in between. The tests of
 * dma-buf-pages allocate their buffers here.
 */
#include <linux/dma-buf.h>
#include <linux/dma-buf-pages.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "sample.h"

static void sample_free(struct dma_buf_pages *pages)
{
	struct dma_buf_pages_iter iter;

	dma_buf_pages_end(pages);
	dma_buf_pages_for_each(&iter, pages, 0, pages->nr_pages, 1)
		__free_page(iter.page);
	dma_buf_pages_fini(pages);
	kfree(pages);
}

static void sample_release(struct dma_buf *dmabuf)
{
	sample_free(dmabuf->priv);
}

static const struct dma_buf_ops sample_ops = {
	DMA_BUF_PAGES_OPS,
	.release = sample_release,
	.revoke = dma_buf_pages_revoke,
};

static int sample_fill(struct dma_buf_pages *pages, unsigned long nr_pages)
{
	struct page *page;
	int ret;

	while (pages->nr_pages < nr_pages) {
		page = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!page)
			return -ENOMEM;
		ret = dma_buf_pages_append(pages, page, 1);
		if (ret) {
			__free_page(page);
			return ret;
		}
	}
	return 0;
}

/**
 * dmabuf_lab_sample_create - export some zeroed pages
 * @nr_pages: how many, at least one
 *
 * Context: Process context. May sleep.
 * Return: the buffer, whose one reference is the caller's; ERR_PTR(-ENOMEM); or
 * what dma_buf_export() returned.
 */
struct dma_buf *dmabuf_lab_sample_create(unsigned long nr_pages)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct dma_buf_pages *pages;
	struct dma_buf *dmabuf;
	int ret;

	pages = kmalloc(sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return ERR_PTR(-ENOMEM);

	dma_buf_pages_init(pages);
	ret = sample_fill(pages, nr_pages);
	if (ret)
		goto err_free_pages;

	exp_info.ops = &sample_ops;
	exp_info.size = pages->nr_pages << PAGE_SHIFT;
	exp_info.flags = O_RDWR;
	exp_info.priv = pages;
	dmabuf = dma_buf_export(&exp_info);
	if (!IS_ERR(dmabuf))
		return dmabuf;
	ret = PTR_ERR(dmabuf);

err_free_pages:
	sample_free(pages);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(dmabuf_lab_sample_create, DMA_BUF);

MODULE_DESCRIPTION("Sample exporter of pages");
MODULE_IMPORT_NS(DMA_BUF);
MODULE_LICENSE("GPL");
