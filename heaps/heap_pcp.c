// SPDX-License-Identifier: GPL-2.0-only
/*
 * A few small folios for each CPU, in front of a pool's shelves
 *
 * What it is: keeps folios below HEAP_POOL_MIN_ORDER of dead buffers on the CPU that
 * saw them last, so that a buffer of a page or two meets neither another CPU nor the
 * page allocator. They stay as their last user left them: to wake somebody who zeroes
 * them would take longer than to do so.
 * What it owns: the folios that it keeps, one reference each.
 * Locks: heap_pcp.lock (spinlock, innermost); its CPU takes it, others only to
 * empty or count.
 * May call: mm.
 * Never here: whether a folio may be kept at all, which heap_pool.c says.
 * Units: counts of pages; bytes in &struct dma_heap_pool_info only.
 *
 * Of the pool's limit a front takes all that it may ever have at once, with its
 * first folio, and gives it back when it is emptied: so what CPUs do every day
 * touches nothing that they share.
 */
#include <linux/cpumask.h>
#include <linux/dma-heap.h>
#include <linux/errno.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/topology.h>

#include "heap_pcp.h"
#include "heap_pool.h"
#include "heap_freelist.h"

/**
 * struct heap_front - the small folios of one CPU, of its own node
 * @lock: protects the rest
 * @reserved: %HEAP_FRONT_PAGES of the budget are for this front, full or not
 * @nr_pages: how many pages it has; none unless @reserved
 * @shelves: by order
 * @hits: how often somebody found what he wanted
 * @misses: how often he did not
 */
struct heap_front {
	spinlock_t lock; /* all below */
	bool reserved;
	unsigned int nr_pages;
	struct heap_shelf shelves[HEAP_POOL_MIN_ORDER];
	unsigned long hits;
	unsigned long misses;
};

/**
 * heap_fronts_put - keep a folio
 * @fronts: of the pool
 * @folio: the folio, below %HEAP_POOL_MIN_ORDER; the reference goes with it
 * @zeroed: all of it is zero
 *
 * Context: Process context. Does not sleep.
 * Return: whether it is kept; if not, it is the caller's still.
 */
bool heap_fronts_put(struct heap_fronts *fronts, struct folio *folio, bool zeroed)
{
	struct heap_front *front = raw_cpu_ptr(fronts->each);
	unsigned int order = folio_order(folio);
	bool kept;

	/* Whose front it is after a migration does not matter, but the node does. */
	if (folio_nid(folio) != numa_mem_id())
		return false;

	spin_lock(&front->lock);
	if (!front->reserved)
		front->reserved = heap_budget_reserve(fronts->budget, HEAP_FRONT_PAGES);
	kept = front->reserved && front->nr_pages + BIT(order) <= HEAP_FRONT_PAGES;
	if (kept) {
		heap_shelf_put(&front->shelves[order], folio, zeroed);
		front->nr_pages += BIT(order);
	}
	spin_unlock(&front->lock);
	return kept;
}

/**
 * heap_fronts_take - take a folio of this CPU
 * @fronts: of the pool
 * @order: its order, below %HEAP_POOL_MIN_ORDER
 * @zeroed: set to whether it is zeroed, when there is one
 *
 * Context: Process context. Does not sleep.
 * Return: the folio, the last that was kept; NULL when there is none.
 */
struct folio *heap_fronts_take(struct heap_fronts *fronts, unsigned int order,
			       bool *zeroed)
{
	struct heap_front *front = raw_cpu_ptr(fronts->each);
	struct folio *folio;

	spin_lock(&front->lock);
	folio = heap_shelf_take(&front->shelves[order], zeroed);
	if (folio) {
		front->nr_pages -= BIT(order);
		front->hits++;
	} else {
		front->misses++;
	}
	spin_unlock(&front->lock);
	return folio;
}

static unsigned long heap_front_empty(struct heap_front *front,
				      struct heap_budget *budget)
{
	unsigned long done;
	unsigned int order;
	bool reserved;
	LIST_HEAD(folios);

	spin_lock(&front->lock);
	for (order = 0; order < HEAP_POOL_MIN_ORDER; order++) {
		list_splice_init(&front->shelves[order].zeroed, &folios);
		list_splice_init(&front->shelves[order].dirty, &folios);
	}
	done = front->nr_pages;
	front->nr_pages = 0;
	reserved = front->reserved;
	front->reserved = false;
	spin_unlock(&front->lock);

	heap_free_folios(&folios);
	if (reserved)
		heap_budget_release(budget, HEAP_FRONT_PAGES);
	return done;
}

/**
 * heap_fronts_empty - give all folios back to the page allocator
 * @fronts: of the pool
 * @nid: those of the CPUs of this node only, unless %NUMA_NO_NODE
 *
 * Context: Any that may free pages; used within reclaim. Does not sleep.
 * Return: how many pages it were.
 */
unsigned long heap_fronts_empty(struct heap_fronts *fronts, int nid)
{
	unsigned long done = 0;
	int cpu;

	if (!fronts->each)
		return 0;
	for_each_possible_cpu(cpu)
		if (nid == NUMA_NO_NODE || nid == cpu_to_mem(cpu))
			done += heap_front_empty(per_cpu_ptr(fronts->each, cpu),
						 fronts->budget);
	return done;
}

/**
 * heap_fronts_pages - how many pages the CPUs of a node have
 * @fronts: of the pool
 * @nid: the node
 *
 * Context: Any.
 * Return: the number, read without a lock, so it may be of a moment ago.
 */
unsigned long heap_fronts_pages(struct heap_fronts *fronts, int nid)
{
	unsigned long nr_pages = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		if (nid == cpu_to_mem(cpu))
			nr_pages += READ_ONCE(per_cpu_ptr(fronts->each, cpu)->nr_pages);
	return nr_pages;
}

/**
 * heap_fronts_info - add what the fronts have to what the shelves have
 * @fronts: of the pool
 * @info: added to
 *
 * Context: Any.
 */
void heap_fronts_info(struct heap_fronts *fronts,
		      struct dma_heap_pool_info *info)
{
	struct heap_front *front;
	int cpu;

	for_each_possible_cpu(cpu) {
		front = per_cpu_ptr(fronts->each, cpu);
		spin_lock(&front->lock);
		info->bytes += (u64)front->nr_pages << PAGE_SHIFT;
		info->hits += front->hits;
		info->misses += front->misses;
		spin_unlock(&front->lock);
	}
}

/**
 * heap_fronts_init - make an empty front for each CPU
 * @fronts: of the pool, all zero
 * @budget: of the pool
 *
 * Context: Process context. May sleep.
 * Return: 0 or -ENOMEM.
 */
int heap_fronts_init(struct heap_fronts *fronts, struct heap_budget *budget)
{
	struct heap_front *front;
	unsigned int order;
	int cpu;

	fronts->budget = budget;
	fronts->each = alloc_percpu(struct heap_front);
	if (!fronts->each)
		return -ENOMEM;

	for_each_possible_cpu(cpu) {
		front = per_cpu_ptr(fronts->each, cpu);
		spin_lock_init(&front->lock);
		for (order = 0; order < HEAP_POOL_MIN_ORDER; order++)
			heap_shelf_init(&front->shelves[order]);
	}
	return 0;
}

/**
 * heap_fronts_destroy - the opposite of heap_fronts_init()
 * @fronts: of the pool, empty, or all zero
 *
 * Context: Process context, when nobody uses the pool any more. May sleep.
 */
void heap_fronts_destroy(struct heap_fronts *fronts)
{
	free_percpu(fronts->each);
}
