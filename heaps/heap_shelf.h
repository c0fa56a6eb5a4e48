/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a place is that keeps folios, and how many it may keep
 *
 * For the two kinds of such places, which are those of a node (heap_pool.c) and
 * those of a CPU (heap_front.c).
 */
#ifndef _DMA_BUF_HEAP_SHELF_H
#define _DMA_BUF_HEAP_SHELF_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mm.h>
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

static inline void heap_free_folios(struct list_head *folios)
{
	struct folio *folio, *next;

	list_for_each_entry_safe(folio, next, folios, lru) {
		list_del(&folio->lru);
		folio_put(folio);
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

#endif /* _DMA_BUF_HEAP_SHELF_H */
