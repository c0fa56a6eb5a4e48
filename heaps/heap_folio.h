/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Folios of heaps: tell whether they have a memory error, and free them
 */
#ifndef _DMA_BUF_HEAP_FOLIO_H
#define _DMA_BUF_HEAP_FOLIO_H

#include <linux/compiler.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/types.h>

#include "../dma-buf-memory-error.h"

/*
 * Test whether any page of a folio has a memory error. memory_failure() marks
 * the page alone: it sets the flag of the whole folio, PG_has_hwpoisoned, only
 * for folios of the LRU.
 */
static inline bool heap_folio_is_poisoned(struct folio *folio)
{
	unsigned long nr = folio_nr_pages(folio), i;

	if (!dma_buf_memory_has_errors())
		return false;
	for (i = 0; i < nr; i++)
		if (PageHWPoison(folio_page(folio, i)))
			return true;
	return false;
}

/*
 * Drop the pool's or the buffer's reference on a folio. The page allocator
 * withholds a single page with a memory error, but of a larger folio it takes
 * back all pages: such a folio is leaked, as there is no way to free the
 * others.
 */
static inline void heap_folio_free(struct folio *folio)
{
	if (unlikely(heap_folio_is_poisoned(folio)) && folio_test_large(folio)) {
		pr_warn_ratelimited("dma-heap: memory error: %lu pages at pfn %#lx are not used again\n",
				    folio_nr_pages(folio), folio_pfn(folio));
		return;
	}
	folio_put(folio);
}

/*
 * Free a list of folios, which may be all pages of a machine. Context: process
 * context, may sleep; that includes reclaim and the OOM notifiers.
 */
static inline void heap_free_folios(struct list_head *folios)
{
	struct folio *folio, *next;

	list_for_each_entry_safe(folio, next, folios, lru) {
		list_del(&folio->lru);
		heap_folio_free(folio);
		cond_resched();
	}
}

#endif /* _DMA_BUF_HEAP_FOLIO_H */
