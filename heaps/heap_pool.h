/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pool of a heap: memory of released buffers, kept for new ones
 *
 * A heap gives the folios of a released buffer to its pool, and asks the pool
 * before the page allocator. The zero thread of the pool zeroes them meanwhile.
 */
#ifndef _DMA_BUF_HEAP_POOL_H
#define _DMA_BUF_HEAP_POOL_H

#include <linux/kconfig.h>
#include <linux/types.h>

struct dma_heap_pool_info;
struct folio;
struct heap_pool;

/*
 * Folios of this order and above are worth a lock that CPUs share, and waking
 * the zero thread. Smaller ones stay in the cache of a CPU.
 */
#define HEAP_POOL_MIN_ORDER	4

/* Most pages in the cache of a CPU. */
#define HEAP_PCP_PAGES		64

struct heap_pool *heap_pool_create(const char *name, unsigned long limit);
void heap_pool_destroy(struct heap_pool *pool);
struct folio *heap_pool_take(struct heap_pool *pool, unsigned int order,
			     bool *zeroed);
void heap_pool_put(struct heap_pool *pool, struct folio *folio, bool zeroed);
unsigned long heap_pool_shrink(struct heap_pool *pool, unsigned long nr_pages);
void heap_pool_set_limit(struct heap_pool *pool, unsigned long limit);
void heap_pool_info(struct heap_pool *pool, struct dma_heap_pool_info *info);

#if IS_ENABLED(CONFIG_KUNIT)
unsigned long heap_pool_test_oom(struct heap_pool *pool);
#endif

#endif /* _DMA_BUF_HEAP_POOL_H */
