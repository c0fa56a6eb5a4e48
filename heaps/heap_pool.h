/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shelves of folios between two buffers
 *
 * A heap gives the folios of a dead buffer to its pool, and asks the pool before
 * it asks the page allocator. What comes from the pool has been zeroed in the
 * background, if there was time.
 */
#ifndef _DMA_BUF_HEAP_POOL_H
#define _DMA_BUF_HEAP_POOL_H

#include <linux/types.h>

struct dma_heap_pool_info;
struct folio;
struct heap_pool;

/*
 * From here on a folio is worth a lock that other CPUs take, and to be zeroed by
 * somebody who has to be woken. What is smaller stays with its CPU.
 */
#define HEAP_POOL_MIN_ORDER	4

/* How many pages in such small folios a CPU keeps at most. */
#define HEAP_FRONT_PAGES	64

struct heap_pool *heap_pool_create(const char *name, unsigned long limit);
void heap_pool_destroy(struct heap_pool *pool);
struct folio *heap_pool_take(struct heap_pool *pool, unsigned int order,
			     bool *zeroed);
void heap_pool_put(struct heap_pool *pool, struct folio *folio, bool zeroed);
unsigned long heap_pool_shrink(struct heap_pool *pool, unsigned long nr_pages);
void heap_pool_set_limit(struct heap_pool *pool, unsigned long limit);
void heap_pool_info(struct heap_pool *pool, struct dma_heap_pool_info *info);

#endif /* _DMA_BUF_HEAP_POOL_H */
