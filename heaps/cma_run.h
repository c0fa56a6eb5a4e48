/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Regions of contiguous memory, for the CMA heaps
 */
#ifndef _DMA_BUF_CMA_RUN_H
#define _DMA_BUF_CMA_RUN_H

#include <linux/types.h>

struct cma;
struct dma_buf;
struct dma_heap;

/**
 * typedef cma_region_fn - make a heap of a region
 * @cma: the region
 * @name: of the heap, up to a newline; may be gone afterwards
 *
 * Return: 0, or why there is none.
 */
typedef int cma_region_fn(struct cma *cma, const char *name);

bool cma_run_fits(struct dma_heap *heap, unsigned long nr_pages);
struct dma_buf *cma_run_buffer(struct dma_heap *heap, unsigned long len,
			       u32 fd_flags);
int cma_regions_open(cma_region_fn *add);
void cma_regions_close(void);

#endif /* _DMA_BUF_CMA_RUN_H */
