// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings without pages, for importers in a kernel with CONFIG_DMABUF_DEBUG.
 *
 * An importer may use only the DMA addresses of a mapping, because not all
 * memory has a struct page. A driver that uses pages all the same works until
 * it meets such memory. So with this option each mapping is wrapped: the
 * importer gets a copy of the table with the same entries and no pages, and the
 * exporter gets its own table back, as it made it.
 *
 * An exporter of device memory has no pages either, and may say so by a table
 * whose orig_nents is zero and whose nents is not. So the counts that the
 * importer sees are copied, and the number of entries is kept beside them.
 */
#include <linux/align.h>
#include <linux/dma-buf.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "dma-buf-private.h"

/**
 * struct dma_buf_pageless - a mapping as the importer sees it
 * @table: what the importer gets
 * @wrapped: what the exporter made
 * @entries: number of entries that @table was allocated with
 */
struct dma_buf_pageless {
	struct sg_table table;
	struct sg_table *wrapped;
	unsigned int entries;
};

static void dma_buf_pageless_copy(struct sg_table *to, struct sg_table *from)
{
	unsigned int entries = max(from->orig_nents, from->nents);
	struct scatterlist *src, *dst = to->sgl;
	int i;

	for_each_sg(from->sgl, src, entries, i) {
		sg_set_page(dst, NULL, src->length, src->offset);
		/* Valid in the first nents entries, not looked at in others. */
		sg_dma_address(dst) = sg_dma_address(src);
		sg_dma_len(dst) = sg_dma_len(src);
#ifdef CONFIG_NEED_SG_DMA_FLAGS
		dst->dma_flags = src->dma_flags;
#endif
		if (!IS_ALIGNED(sg_dma_address(src) | sg_dma_len(src),
				PAGE_SIZE))
			pr_debug("%s: entry %d is not a multiple of pages\n",
				 __func__, i);
		dst = sg_next(dst);
	}
	to->nents = from->nents;
	to->orig_nents = from->orig_nents;
}

/**
 * dma_buf_pageless_wrap - hide the pages of a mapping
 * @sgt: from the exporter; not changed
 *
 * Context: Process context. May sleep.
 * Return: what the importer gets, for dma_buf_pageless_unwrap(); or
 * ERR_PTR(-ENOMEM).
 */
struct sg_table *dma_buf_pageless_wrap(struct sg_table *sgt)
{
	struct dma_buf_pageless *pageless;
	int ret;

	pageless = kzalloc(sizeof(*pageless), GFP_KERNEL);
	if (!pageless)
		return ERR_PTR(-ENOMEM);

	pageless->entries = max3(sgt->orig_nents, sgt->nents, 1U);
	ret = sg_alloc_table(&pageless->table, pageless->entries, GFP_KERNEL);
	if (ret) {
		kfree(pageless);
		return ERR_PTR(ret);
	}

	dma_buf_pageless_copy(&pageless->table, sgt);
	pageless->wrapped = sgt;
	return &pageless->table;
}

/**
 * dma_buf_pageless_unwrap - undo dma_buf_pageless_wrap()
 * @sgt: what the importer has; freed
 *
 * Context: Process context.
 * Return: the exporter's table.
 */
struct sg_table *dma_buf_pageless_unwrap(struct sg_table *sgt)
{
	struct dma_buf_pageless *pageless =
		container_of(sgt, struct dma_buf_pageless, table);
	struct sg_table *wrapped = pageless->wrapped;

	/*
	 * sg_free_table() frees by this count, which the exporter may set to 0.
	 */
	pageless->table.orig_nents = pageless->entries;
	sg_free_table(&pageless->table);
	kfree(pageless);
	return wrapped;
}
