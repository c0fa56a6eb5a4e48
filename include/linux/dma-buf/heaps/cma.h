/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Heaps of contiguous memory, for code that sets up a region of it
 */
#ifndef _LINUX_DMA_BUF_HEAPS_CMA_H
#define _LINUX_DMA_BUF_HEAPS_CMA_H

#include <linux/kconfig.h>

struct cma;

#if IS_ENABLED(CONFIG_DMABUF_HEAPS_CMA)
int dma_heap_cma_register_heap(struct cma *cma);
#else
static inline int dma_heap_cma_register_heap(struct cma *cma)
{
	return 0;
}
#endif

#endif /* _LINUX_DMA_BUF_HEAPS_CMA_H */
