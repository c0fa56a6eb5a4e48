/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a place is that keeps folios, and how many it may keep
 *
 * For the two kinds of such places, which are those of a node (heap_pool.c) and
 * those of a CPU (heap_pcp.c).
 */
#ifndef _DMA_BUF_HEAP_FREELIST_H
#define _DMA_BUF_HEAP_FREELIST_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/kconfig.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/printk.h>
#include <linux/types.h>

/**
 * struct heap_shelf - folios of one order in one place, linked by their lru
 * @zeroed: ready for use
 * @dirty: as their last user left them
 *
 * Whose the shelf is has the lock.
 */
struct heap_shelf {
	struct list_head zeroed;
	struct list_head dirty;
};

static inline void heap_shelf_init(struct heap_shelf *shelf)
{
	INIT_LIST_HEAD(&shelf->zeroed);
	INIT_LIST_HEAD(&shelf->dirty);
}

/* New folios come first. */
static inline void heap_shelf_put(struct heap_shelf *shelf, struct folio *folio,
				  bool zeroed)
{
	list_add(&folio->lru, zeroed ? &shelf->zeroed : &shelf->dirty);
}

/* The best one to use: zeroed, if there is one, and last in somebody's cache. */
static inline struct folio *heap_shelf_take(struct heap_shelf *shelf, bool *zeroed)
{
	struct folio *folio;

	*zeroed = !list_empty(&shelf->zeroed);
	folio = list_first_entry_or_null(*zeroed ? &shelf->zeroed : &shelf->dirty,
					 struct folio, lru);
	if (folio)
		list_del(&folio->lru);
	return folio;
}

/* The one that is missed the least: dirty, if there is one, and long forgotten. */
static inline struct folio *heap_shelf_drop(struct heap_shelf *shelf, bool *zeroed)
{
	struct list_head *from;
	struct folio *folio;

	*zeroed = list_empty(&shelf->dirty);
	from = *zeroed ? &shelf->zeroed : &shelf->dirty;
	if (list_empty(from))
		return NULL;
	folio = list_last_entry(from, struct folio, lru);
	list_del(&folio->lru);
	return folio;
}

/*
 * Test whether the machine has had a memory error, so that pages have to be
 * looked at one by one. A module cannot read the counter, and always looks.
 */
static inline bool heap_memory_has_errors(void)
{
#if defined(CONFIG_MEMORY_FAILURE) && !defined(MODULE)
	return unlikely(atomic_long_read(&num_poisoned_pages));
#else
	return IS_ENABLED(CONFIG_MEMORY_FAILURE);
#endif
}

/*
 * Test whether any page of a folio has a memory error. The page alone is marked:
 * the flag which tells it of the whole folio is kept for folios of the LRU.
 */
static inline bool heap_folio_is_poisoned(struct folio *folio)
{
	unsigned long nr = folio_nr_pages(folio), i;

	if (!heap_memory_has_errors())
		return false;
	for (i = 0; i < nr; i++)
		if (PageHWPoison(folio_page(folio, i)))
			return true;
	return false;
}

/*
 * Drop the pool's or the buffer's reference on a folio. The page allocator
 * withholds a single page with a memory error, but of a larger folio it takes
 * back all pages: such a folio is leaked, as there is no way to free the others.
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

static inline void heap_free_folios(struct list_head *folios)
{
	struct folio *folio, *next;

	list_for_each_entry_safe(folio, next, folios, lru) {
		list_del(&folio->lru);
		heap_folio_free(folio);
	}
}

/**
 * struct heap_budget - how many pages a pool may keep in all its places
 * @limit: how many; read and written without a lock
 * @nr_pages: how many are kept or have their place reserved
 */
struct heap_budget {
	unsigned long limit;
	atomic_long_t nr_pages;
};

/* Is there room for so many pages more? If so, it is taken. */
static inline bool heap_budget_reserve(struct heap_budget *budget, long nr)
{
	if (atomic_long_add_return(nr, &budget->nr_pages) <=
	    (long)READ_ONCE(budget->limit))
		return true;
	atomic_long_sub(nr, &budget->nr_pages);
	return false;
}

static inline void heap_budget_release(struct heap_budget *budget, long nr)
{
	atomic_long_sub(nr, &budget->nr_pages);
}

/* How many there are too many since the limit came down; negative: how few. */
static inline long heap_budget_excess(struct heap_budget *budget)
{
	return atomic_long_read(&budget->nr_pages) - (long)READ_ONCE(budget->limit);
}

#endif /* _DMA_BUF_HEAP_FREELIST_H */
