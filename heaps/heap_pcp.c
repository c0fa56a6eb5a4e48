// SPDX-License-Identifier: GPL-2.0-only
/*
 * Per-CPU caches of small folios for a pool
 *
 * Each CPU keeps folios below HEAP_POOL_MIN_ORDER that were released on it, so
 * that allocating and releasing a buffer of a few pages shares neither lock nor
 * counter with another CPU. The folios stay dirty: waking the zero thread would
 * take longer than zeroing them when they are allocated.
 *
 * With its first folio a cache reserves HEAP_PCP_PAGES of the pool's budget,
 * which is all that it may ever keep, and releases them when it is drained: so
 * put and take leave the budget alone.
 *
 * A cache owns its folios, one reference each. They are of the memory node of
 * its CPU, except for those of a task that was migrated while it put them: who
 * takes a folio has to check its node.
 *
 * Locks: heap_pcp.lock (spinlock, innermost). Its own CPU takes it for put and
 * take, other CPUs only to drain or to count. Nothing is allocated or freed
 * under it.
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

#include "heap_budget.h"
#include "heap_folio.h"
#include "heap_freelist.h"
#include "heap_pcp.h"
#include "heap_pool.h"

/**
 * struct heap_pcp - the cache of one CPU
 * @lock: protects the rest
 * @reserved: %HEAP_PCP_PAGES of the budget are reserved for this cache
 * @nr_pages: pages in @lists; 0 unless @reserved
 * @lists: by order
 * @hits: allocations served from this cache
 * @misses: allocations that it could not serve
 */
struct heap_pcp {
	spinlock_t lock; /* all below */
	bool reserved;
	unsigned int nr_pages;
	struct heap_freelist lists[HEAP_POOL_MIN_ORDER];
	unsigned long hits;
	unsigned long misses;
};

/**
 * heap_pcp_put - keep a folio in the cache of this CPU
 * @set: of the pool
 * @folio: the folio, below %HEAP_POOL_MIN_ORDER; the reference goes with it
 * @zeroed: all of it is zero
 *
 * Context: Process context. Does not sleep.
 * Return: true if it is kept; false if the caller still owns it, as it is of
 * another node or there is no room.
 */
bool heap_pcp_put(struct heap_pcp_set *set, struct folio *folio, bool zeroed)
{
	/*
	 * After a migration this may be the cache of another CPU, which the
	 * lock allows.
	 */
	struct heap_pcp *pcp = raw_cpu_ptr(set->each);
	unsigned int order = folio_order(folio);
	bool kept;

	if (folio_nid(folio) != numa_mem_id())
		return false;

	spin_lock(&pcp->lock);
	if (!pcp->reserved)
		pcp->reserved = heap_budget_reserve(set->budget, HEAP_PCP_PAGES);
	kept = pcp->reserved && pcp->nr_pages + BIT(order) <= HEAP_PCP_PAGES;
	if (kept) {
		heap_freelist_put(&pcp->lists[order], folio, zeroed);
		pcp->nr_pages += BIT(order);
	}
	spin_unlock(&pcp->lock);
	return kept;
}

/**
 * heap_pcp_take - take the hottest folio from the cache of this CPU
 * @set: of the pool
 * @order: order of the folio, below %HEAP_POOL_MIN_ORDER
 * @zeroed: set to whether the folio is zero, if there is one
 *
 * Context: Process context. Does not sleep.
 * Return: the folio, or NULL if there is none of this order.
 */
struct folio *heap_pcp_take(struct heap_pcp_set *set, unsigned int order,
			    bool *zeroed)
{
	struct heap_pcp *pcp = raw_cpu_ptr(set->each);
	struct folio *folio;

	spin_lock(&pcp->lock);
	folio = heap_freelist_take(&pcp->lists[order], zeroed);
	if (folio) {
		pcp->nr_pages -= BIT(order);
		pcp->hits++;
	} else {
		pcp->misses++;
	}
	spin_unlock(&pcp->lock);
	return folio;
}

static unsigned long heap_pcp_drain_cpu(struct heap_pcp *pcp,
					struct heap_budget *budget)
{
	unsigned long nr_pages;
	unsigned int order;
	bool reserved;
	LIST_HEAD(folios);

	spin_lock(&pcp->lock);
	for (order = 0; order < HEAP_POOL_MIN_ORDER; order++) {
		list_splice_init(&pcp->lists[order].zeroed, &folios);
		list_splice_init(&pcp->lists[order].dirty, &folios);
	}
	nr_pages = pcp->nr_pages;
	pcp->nr_pages = 0;
	reserved = pcp->reserved;
	pcp->reserved = false;
	spin_unlock(&pcp->lock);

	heap_free_folios(&folios);
	if (reserved)
		heap_budget_release(budget, HEAP_PCP_PAGES);
	return nr_pages;
}

/**
 * heap_pcp_drain - free all folios of the caches
 * @set: of the pool
 * @nid: only of the CPUs of this node, unless %NUMA_NO_NODE
 *
 * Context: Process context, also within reclaim. May sleep.
 * Return: the number of pages freed.
 */
unsigned long heap_pcp_drain(struct heap_pcp_set *set, int nid)
{
	unsigned long nr_pages = 0;
	int cpu;

	if (!set->each)
		return 0;
	for_each_possible_cpu(cpu)
		if (nid == NUMA_NO_NODE || nid == cpu_to_mem(cpu))
			nr_pages += heap_pcp_drain_cpu(per_cpu_ptr(set->each, cpu),
						       set->budget);
	return nr_pages;
}

/**
 * heap_pcp_pages - count the pages in the caches of a node
 * @set: of the pool
 * @nid: the node
 *
 * Context: Any.
 * Return: the number of pages, which may change at any time, as no lock is
 * held.
 */
unsigned long heap_pcp_pages(struct heap_pcp_set *set, int nid)
{
	unsigned long nr_pages = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		if (nid == cpu_to_mem(cpu))
			nr_pages += READ_ONCE(per_cpu_ptr(set->each, cpu)->nr_pages);
	return nr_pages;
}

/**
 * heap_pcp_info - add the numbers of the caches to those of the pool
 * @set: of the pool
 * @info: added to
 *
 * Context: Process context. Does not sleep.
 */
void heap_pcp_info(struct heap_pcp_set *set, struct dma_heap_pool_info *info)
{
	struct heap_pcp *pcp;
	int cpu;

	for_each_possible_cpu(cpu) {
		pcp = per_cpu_ptr(set->each, cpu);
		spin_lock(&pcp->lock);
		info->bytes += (u64)pcp->nr_pages << PAGE_SHIFT;
		info->hits += pcp->hits;
		info->misses += pcp->misses;
		spin_unlock(&pcp->lock);
	}
}

/**
 * heap_pcp_init - make an empty cache for each CPU
 * @set: of the pool, all zero
 * @budget: of the pool
 *
 * Context: Process context. May sleep.
 * Return: 0 or -ENOMEM.
 */
int heap_pcp_init(struct heap_pcp_set *set, struct heap_budget *budget)
{
	struct heap_pcp *pcp;
	unsigned int order;
	int cpu;

	set->budget = budget;
	set->each = alloc_percpu(struct heap_pcp);
	if (!set->each)
		return -ENOMEM;

	for_each_possible_cpu(cpu) {
		pcp = per_cpu_ptr(set->each, cpu);
		spin_lock_init(&pcp->lock);
		for (order = 0; order < HEAP_POOL_MIN_ORDER; order++)
			heap_freelist_init(&pcp->lists[order]);
	}
	return 0;
}

/**
 * heap_pcp_destroy - undo heap_pcp_init()
 * @set: of the pool, with empty caches, or all zero
 *
 * Context: Process context, when the pool is not in use any more. May sleep.
 */
void heap_pcp_destroy(struct heap_pcp_set *set)
{
	free_percpu(set->each);
}
