/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A few small folios for each CPU, in front of a pool's shelves
 */
#ifndef _DMA_BUF_HEAP_PCP_H
#define _DMA_BUF_HEAP_PCP_H

#include <linux/compiler.h>
#include <linux/types.h>

struct dma_heap_pool_info;
struct folio;
struct heap_budget;
struct heap_front;

/**
 * struct heap_fronts - those of all CPUs
 * @each: by CPU
 * @budget: of the pool
 */
struct heap_fronts {
	struct heap_front __percpu *each;
	struct heap_budget *budget;
};

int heap_fronts_init(struct heap_fronts *fronts, struct heap_budget *budget);
void heap_fronts_destroy(struct heap_fronts *fronts);
bool heap_fronts_put(struct heap_fronts *fronts, struct folio *folio, bool zeroed);
struct folio *heap_fronts_take(struct heap_fronts *fronts, unsigned int order,
			       bool *zeroed);
unsigned long heap_fronts_empty(struct heap_fronts *fronts, int nid);
unsigned long heap_fronts_pages(struct heap_fronts *fronts, int nid);
void heap_fronts_info(struct heap_fronts *fronts,
		      struct dma_heap_pool_info *info);

#endif /* _DMA_BUF_HEAP_PCP_H */
