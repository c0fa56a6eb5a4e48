/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The budget of a pool: how many pages its nodes and CPUs may keep together
 *
 * Pages are reserved before they are kept, so @nr_pages may exceed the limit
 * for a moment, or after the limit was lowered, but what is kept under a
 * reservation does not.
 */
#ifndef _DMA_BUF_HEAP_BUDGET_H
#define _DMA_BUF_HEAP_BUDGET_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/types.h>

/**
 * struct heap_budget - how many pages a pool may keep
 * @limit: most pages; read and written without a lock
 * @nr_pages: pages that are kept or reserved
 */
struct heap_budget {
	unsigned long limit;
	atomic_long_t nr_pages;
};

/* Reserve @nr pages; false if the limit does not allow them. */
static inline bool heap_budget_reserve(struct heap_budget *budget, long nr)
{
	if (atomic_long_add_return(nr, &budget->nr_pages) <=
	    (long)READ_ONCE(budget->limit))
		return true;
	atomic_long_sub(nr, &budget->nr_pages);
	return false;
}

/* Release @nr pages that were reserved. */
static inline void heap_budget_release(struct heap_budget *budget, long nr)
{
	atomic_long_sub(nr, &budget->nr_pages);
}

/* Return by how many pages the limit is exceeded, negative if it is not. */
static inline long heap_budget_excess(struct heap_budget *budget)
{
	return atomic_long_read(&budget->nr_pages) -
	       (long)READ_ONCE(budget->limit);
}

#endif /* _DMA_BUF_HEAP_BUDGET_H */
