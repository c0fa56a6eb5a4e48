/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Per-CPU caches of small folios for a pool
 */
#ifndef _DMA_BUF_HEAP_PCP_H
#define _DMA_BUF_HEAP_PCP_H

#include <linux/compiler.h>
#include <linux/types.h>

struct dma_heap_pool_info;
struct folio;
struct heap_budget;
struct heap_pcp;

/**
 * struct heap_pcp_set - the caches of all CPUs
 * @each: by CPU
 * @budget: of the pool
 */
struct heap_pcp_set {
	struct heap_pcp __percpu *each;
	struct heap_budget *budget;
};

int heap_pcp_init(struct heap_pcp_set *set, struct heap_budget *budget);
void heap_pcp_destroy(struct heap_pcp_set *set);
bool heap_pcp_put(struct heap_pcp_set *set, struct folio *folio, bool zeroed);
struct folio *heap_pcp_take(struct heap_pcp_set *set, unsigned int order,
			    bool *zeroed);
unsigned long heap_pcp_drain(struct heap_pcp_set *set, int nid);
unsigned long heap_pcp_pages(struct heap_pcp_set *set, int nid);
void heap_pcp_info(struct heap_pcp_set *set, struct dma_heap_pool_info *info);

#endif /* _DMA_BUF_HEAP_PCP_H */
