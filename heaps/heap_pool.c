// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pool of a heap: memory of released buffers, kept for new ones
 *
 *	heap_pool_put --> dirty --(zero thread)--> zeroed --> heap_pool_take
 *	      |             \______________________________________/
 *	      |                                 ^
 *	      \---- zero already, never mapped -/
 *
 * Each node has a freelist per order from HEAP_POOL_MIN_ORDER on; smaller
 * folios stay in per-CPU caches (heap_pcp.c). A thread of the lowest priority
 * zeroes the folios of the nodes. A folio that is allocated before is handed
 * out dirty, and the caller is told so: zeroing it takes no longer there than
 * here.
 *
 * Invariants: the pool owns one reference on each of its folios, and hands out
 * only those with no other reference, see heap_pool_may_reuse(). Its folios are
 * charged to no cgroup. Those of nodes count as NR_KERNEL_MISC_RECLAIMABLE.
 * What is kept is reserved in the budget before, so that it never exceeds the
 * limit.
 *
 * Memory goes back to the page allocator by the shrinker, by an OOM notifier
 * for what the shrinker has left, and when the limit is lowered.
 *
 * Lock order: heap_pool_node.lock and heap_pcp.lock (spinlocks) are innermost
 * and never held together. Nothing is allocated, zeroed or freed under them.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/cacheflush.h>
#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/freezer.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/page-flags.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/topology.h>
#include <linux/vmstat.h>
#include <linux/wait.h>

#include <kunit/visibility.h>

#include "heap_budget.h"
#include "heap_folio.h"
#include "heap_freelist.h"
#include "heap_pcp.h"
#include "heap_policy.h"
#include "heap_pool.h"
#include "heap_zero.h"

#define CREATE_TRACE_POINTS
#include <trace/events/dma_heap.h>

/* How many pages are moved off the freelists of a node with its lock held. */
#define HEAP_POOL_SHRINK_BATCH	(1UL << MAX_PAGE_ORDER)

/*
 * out_of_memory() takes any page that a notifier reports for progress, and has
 * its caller try again instead of choosing a task. So a pool which is filled as
 * fast as it is emptied, by a page each time, could keep a task from memory for
 * ever. After the pool was emptied for a task it therefore keeps nothing for a
 * while, counted from the last call, so that there is nothing to report to a
 * task which comes back soon. For longer, as reclaim may take its time between
 * two calls, it reports only what is worth another try.
 */
#define HEAP_POOL_OOM_CLOSED	HZ
#define HEAP_POOL_OOM_QUIET	(10 * HZ)
#define HEAP_POOL_OOM_PAGES	(SZ_1M >> PAGE_SHIFT)

/**
 * struct heap_pool_node - the freelists of one node
 * @lock: protects the rest
 * @nid: which node; constant
 * @lists: by order
 * @nr_pages: pages in @lists, and the folio that is being zeroed
 * @nr_dirty: how many of these are not zeroed yet
 * @hits: allocations served from @lists
 * @misses: allocations that could not be served
 */
struct heap_pool_node {
	spinlock_t lock; /* all below */
	int nid;
	struct heap_freelist lists[NR_PAGE_ORDERS];
	unsigned long nr_pages;
	unsigned long nr_dirty;
	unsigned long hits;
	unsigned long misses;
};

/**
 * struct heap_pool - the pool of one heap
 * @name: of the heap
 * @budget: how many pages may be kept, and are
 * @last_oom: when the pool was last emptied for a task out of memory, in jiffies;
 *	0 if never. Written with the lock of the OOM killer
 * @pcp: per-CPU caches of small folios
 * @zero_thread: zeroes dirty folios of the nodes
 * @wait: where it waits for them
 * @shrinker: frees folios when memory gets short
 * @oom: frees the rest when it is used up
 * @nodes: by node
 */
struct heap_pool {
	const char *name;
	struct heap_budget budget;
	unsigned long last_oom;
	struct heap_pcp_set pcp;
	struct task_struct *zero_thread;
	wait_queue_head_t wait;
	struct shrinker *shrinker;
	struct notifier_block oom;
	struct heap_pool_node nodes[];
};

/* Add the pages of a folio to the count of a node, or subtract them. */
static void heap_pool_node_account(struct heap_pool_node *node,
				   struct folio *folio, int sign)
{
	long nr = sign * folio_nr_pages(folio);

	lockdep_assert_held(&node->lock);
	node->nr_pages += nr;
	mod_node_page_state(NODE_DATA(node->nid), NR_KERNEL_MISC_RECLAIMABLE, nr);
}

/* Subtract a folio that was removed from a freelist; NULL is allowed. */
static struct folio *heap_pool_node_removed(struct heap_pool_node *node,
					    struct folio *folio, bool zeroed)
{
	lockdep_assert_held(&node->lock);
	if (!folio)
		return NULL;
	if (!zeroed)
		node->nr_dirty -= folio_nr_pages(folio);
	heap_pool_node_account(node, folio, -1);
	return folio;
}

/* -- put and take --------------------------------------------------------- */

/*
 * Test whether a folio may be handed to another owner: the only reference is
 * the pool's, and no page table maps it.
 *
 * That is enough. The buffer is gone, and with it its descriptors, mappings in
 * programs (a VMA holds the file), attachments and the mapping in the kernel,
 * so that nothing leads to the folio any more but a reference. Each pin of
 * direct I/O, io_uring, a pipe or a socket holds one, and a further one can
 * only be made from one that exists. With one reference, which is ours, none
 * can be made.
 *
 * What can still raise the count is speculative: GUP-fast, which has read an
 * entry of a page table that was cleared meanwhile, and code that walks
 * physical memory (compaction, page_idle, memory_failure()). Both take a
 * reference on whatever is there, check what they have got, find that it is not
 * what they look for, and drop it without having touched the data. So
 *
 * - a reference that comes after the check is harmless, as it is on a page that
 *   comes from the page allocator, where it may happen just as well;
 * - one that is there at the check costs a folio of the pool: the pool drops
 *   its own, and the page allocator gets the folio when the other goes.
 *
 * Therefore the check is made twice: before a folio is kept, or a pin could
 * write to it while it is zeroed, and before it is handed out, as it may have a
 * memory error by then.
 *
 * A folio of a heap is never on the LRU or mlocked. If it is, then a holder has
 * made it a page of its own, and folio->lru is not ours to use.
 */
static bool heap_pool_may_reuse(struct folio *folio)
{
	return folio_ref_count(folio) == 1 && !folio_mapped(folio) &&
	       !folio_test_lru(folio) && !folio_test_mlocked(folio) &&
	       !heap_folio_is_poisoned(folio);
}

/*
 * Clear the flags that a mapping may have set, as freeing would have done:
 * dirty by the end of a mapping, the others by folio_mark_accessed(), which
 * with the multi-generational LRU counts in LRU_REFS_MASK. There is no function
 * for that.
 */
static void heap_pool_clear_flags(struct folio *folio)
{
	set_mask_bits(&folio->flags, BIT(PG_dirty) | BIT(PG_active) |
		      BIT(PG_referenced) | BIT(PG_workingset) | LRU_REFS_MASK, 0);
}

/* Test whether a task ran out of memory a moment ago. */
static bool heap_pool_is_closed(struct heap_pool *pool)
{
	unsigned long last_oom = READ_ONCE(pool->last_oom);

	return unlikely(last_oom) && jiffies - last_oom < HEAP_POOL_OOM_CLOSED;
}

static bool heap_pool_is_off(struct heap_pool *pool)
{
	return !pool || !READ_ONCE(pool->budget.limit);
}

static bool heap_pool_node_put(struct heap_pool *pool, struct folio *folio,
			       bool zeroed)
{
	struct heap_pool_node *node = &pool->nodes[folio_nid(folio)];
	long nr = folio_nr_pages(folio);

	if (!heap_budget_reserve(&pool->budget, nr))
		return false;

	spin_lock(&node->lock);
	heap_freelist_put(&node->lists[folio_order(folio)], folio, zeroed);
	if (!zeroed)
		node->nr_dirty += nr;
	heap_pool_node_account(node, folio, 1);
	spin_unlock(&node->lock);
	if (!zeroed)
		wake_up(&pool->wait);
	return true;
}

static struct folio *heap_pool_node_take(struct heap_pool *pool, int nid,
					 unsigned int order, bool *zeroed)
{
	struct heap_pool_node *node = &pool->nodes[nid];
	struct folio *folio;

	spin_lock(&node->lock);
	folio = heap_freelist_take(&node->lists[order], zeroed);
	if (heap_pool_node_removed(node, folio, *zeroed))
		node->hits++;
	else
		node->misses++;
	spin_unlock(&node->lock);
	if (folio)
		heap_budget_release(&pool->budget, BIT(order));
	return folio;
}

/* Keep a folio; false if it has to be freed. */
static bool heap_pool_keep(struct heap_pool *pool, struct folio *folio, bool zeroed)
{
	if (heap_pool_is_off(pool) || heap_pool_is_closed(pool) ||
	    !heap_pool_may_reuse(folio))
		return false;

	heap_pool_clear_flags(folio);
	if (zeroed) {
		/* See heap_zero_folio(), which is not called for this one. */
		flush_dcache_folio(folio);
	} else if (want_init_on_free()) {
		heap_zero_folio(folio);
		zeroed = true;
	}
	if (folio_order(folio) < HEAP_POOL_MIN_ORDER)
		return heap_pcp_put(&pool->pcp, folio, zeroed);
	return heap_pool_node_put(pool, folio, zeroed);
}

/**
 * heap_pool_put - give a folio to the pool, or free it
 * @pool: the pool, NULL for none
 * @folio: the folio; the caller's reference goes with it
 * @zeroed: all of it is zero
 *
 * A folio is freed if it has other references or a memory error, if the pool
 * has no room for it, or if a task ran out of memory a moment ago.
 *
 * With init_on_free the folio is zeroed here, as the page allocator would do:
 * no data of the last owner waits in the pool.
 *
 * Context: Process context. May sleep.
 */
void heap_pool_put(struct heap_pool *pool, struct folio *folio, bool zeroed)
{
	if (!heap_pool_keep(pool, folio, zeroed))
		heap_folio_free(folio);
}
EXPORT_SYMBOL_NS_GPL(heap_pool_put, DMA_BUF);

static struct folio *heap_pool_take_from(struct heap_pool *pool, int nid,
					 unsigned int order, bool *zeroed)
{
	struct folio *folio = NULL;

	if (order >= HEAP_POOL_MIN_ORDER)
		folio = heap_pool_node_take(pool, nid, order, zeroed);
	else if (nid == numa_mem_id())
		folio = heap_pcp_take(&pool->pcp, order, zeroed);
	if (!folio)
		return NULL;
	/*
	 * The cache of a CPU may have folios of another node, see heap_pcp.c.
	 */
	if (likely(folio_nid(folio) == nid && heap_pool_may_reuse(folio)))
		return folio;

	heap_folio_free(folio);
	return NULL;
}

/**
 * heap_pool_take - allocate a folio from the pool
 * @pool: the pool, NULL for none
 * @order: order of the folio, up to MAX_PAGE_ORDER
 * @zeroed: set to whether the folio is zero, if there is one
 *
 * Looks only at the node that the memory policy and the cpuset of the running
 * task prefer, which commonly is the nearest, and for orders below
 * %HEAP_POOL_MIN_ORDER only at this CPU.
 *
 * Context: Process context. Does not sleep.
 * Return: the folio, with the only reference; NULL if the pool has none.
 */
struct folio *heap_pool_take(struct heap_pool *pool, unsigned int order,
			     bool *zeroed)
{
	struct folio *folio = NULL;
	int nid;

	if (heap_pool_is_off(pool))
		return NULL;

	nid = heap_policy_nid();
	if (nid != NUMA_NO_NODE)
		folio = heap_pool_take_from(pool, nid, order, zeroed);
	if (folio)
		trace_dma_heap_pool_hit(pool->name, nid, folio_size(folio));
	else
		trace_dma_heap_pool_miss(pool->name, nid, PAGE_SIZE << order);
	return folio;
}
EXPORT_SYMBOL_NS_GPL(heap_pool_take, DMA_BUF);

/* -- shrinking ------------------------------------------------------------ */

/*
 * Move about @nr_pages to @folios: the largest first, of these the dirty ones.
 */
static unsigned long heap_pool_node_collect(struct heap_pool_node *node,
					    unsigned long nr_pages,
					    struct list_head *folios)
{
	unsigned long done = 0;
	struct folio *folio;
	bool zeroed;
	int order;

	lockdep_assert_held(&node->lock);
	for (order = MAX_PAGE_ORDER; order >= HEAP_POOL_MIN_ORDER; order--) {
		while (done < nr_pages) {
			folio = heap_freelist_drop(&node->lists[order], &zeroed);
			if (!heap_pool_node_removed(node, folio, zeroed))
				break;
			list_add(&folio->lru, folios);
			done += folio_nr_pages(folio);
		}
	}
	return done;
}

static unsigned long heap_pool_node_shrink(struct heap_pool *pool,
					   struct heap_pool_node *node,
					   unsigned long nr_pages)
{
	unsigned long done = 0, batch;
	LIST_HEAD(folios);

	/* Not what others put meanwhile, or there may be no end. */
	nr_pages = min(nr_pages, READ_ONCE(node->nr_pages));
	do {
		spin_lock(&node->lock);
		batch = heap_pool_node_collect(node, min(nr_pages - done,
							 HEAP_POOL_SHRINK_BATCH),
					       &folios);
		spin_unlock(&node->lock);
		heap_free_folios(&folios);
		heap_budget_release(&pool->budget, batch);
		done += batch;
	} while (batch && done < nr_pages);
	if (done)
		trace_dma_heap_pool_shrink(pool->name, node->nid,
					   done << PAGE_SHIFT);
	return done;
}

/**
 * heap_pool_shrink - free folios of the pool
 * @pool: the pool
 * @nr_pages: how many pages at least, if there are so many
 *
 * Context: Process context, also within reclaim. May sleep.
 * Return: the number of pages freed; may exceed @nr_pages by part of a folio,
 * or by the caches of all CPUs, which are drained last and together.
 */
unsigned long heap_pool_shrink(struct heap_pool *pool, unsigned long nr_pages)
{
	unsigned long done = 0;
	int nid;

	for_each_node(nid)
		if (done < nr_pages)
			done += heap_pool_node_shrink(pool, &pool->nodes[nid],
						      nr_pages - done);
	if (done < nr_pages)
		done += heap_pcp_drain(&pool->pcp, NUMA_NO_NODE);
	return done;
}
EXPORT_SYMBOL_NS_GPL(heap_pool_shrink, DMA_BUF);

/* Free what exceeds the limit. */
static void heap_pool_trim(struct heap_pool *pool)
{
	long excess = heap_budget_excess(&pool->budget);

	if (excess > 0)
		heap_pool_shrink(pool, excess);
	/* The cache of a CPU may be empty and have its part of the budget. */
	if (heap_budget_excess(&pool->budget) > 0)
		heap_pcp_drain(&pool->pcp, NUMA_NO_NODE);
}

static unsigned long heap_pool_shrinker_count(struct shrinker *shrinker,
					      struct shrink_control *sc)
{
	struct heap_pool *pool = shrinker->private_data;

	return (READ_ONCE(pool->nodes[sc->nid].nr_pages) +
		heap_pcp_pages(&pool->pcp, sc->nid)) ?: SHRINK_EMPTY;
}

static unsigned long heap_pool_shrinker_scan(struct shrinker *shrinker,
					     struct shrink_control *sc)
{
	struct heap_pool *pool = shrinker->private_data;
	unsigned long done;

	done = heap_pool_node_shrink(pool, &pool->nodes[sc->nid], sc->nr_to_scan);
	if (!done)
		done = heap_pcp_drain(&pool->pcp, sc->nid);
	return done ?: SHRINK_STOP;
}

/* Free all folios; return how many pages of them are of nodes for the task. */
static unsigned long heap_pool_empty(struct heap_pool *pool)
{
	const nodemask_t *nodes = heap_policy_bound_nodes();
	unsigned long usable = 0, done;
	int nid;

	for_each_node(nid) {
		done = heap_pool_node_shrink(pool, &pool->nodes[nid], ULONG_MAX) +
		       heap_pcp_drain(&pool->pcp, nid);
		if (!nodes || node_isset(nid, *nodes))
			usable += done;
	}
	return usable;
}

/*
 * Empty the pool for a task that is out of memory, and keep nothing for a
 * while. Return what to report as freed, see HEAP_POOL_OOM_CLOSED. What is of a
 * node that the task may not use is no progress for it.
 */
static unsigned long heap_pool_empty_for_oom(struct heap_pool *pool)
{
	unsigned long last_oom = pool->last_oom, done;
	bool first = !last_oom || jiffies - last_oom >= HEAP_POOL_OOM_QUIET;

	/* 0 says that there was none. */
	WRITE_ONCE(pool->last_oom, jiffies ?: 1);
	done = heap_pool_empty(pool);
	return first || done >= HEAP_POOL_OOM_PAGES ? done : 0;
}

static int heap_pool_oom(struct notifier_block *oom, unsigned long unused,
			 void *freed)
{
	struct heap_pool *pool = container_of(oom, struct heap_pool, oom);

	*(unsigned long *)freed += heap_pool_empty_for_oom(pool);
	return NOTIFY_OK;
}

#if IS_ENABLED(CONFIG_KUNIT)
/*
 * Empty the pool as for a task out of memory; return what is reported as freed.
 */
unsigned long heap_pool_test_oom(struct heap_pool *pool)
{
	unsigned long freed = 0;

	heap_pool_oom(&pool->oom, 0, &freed);
	return freed;
}
EXPORT_SYMBOL_IF_KUNIT(heap_pool_test_oom);
#endif

/**
 * heap_pool_set_limit - set how much the pool may keep
 * @pool: the pool
 * @limit: most pages; 0 turns the pool off
 *
 * What exceeds a lower limit is freed before this returns, except for the
 * folio that the zero thread is zeroing, which is freed afterwards.
 *
 * Context: Process context. May sleep.
 */
void heap_pool_set_limit(struct heap_pool *pool, unsigned long limit)
{
	WRITE_ONCE(pool->budget.limit, min(limit, totalram_pages()));
	heap_pool_trim(pool);
}
EXPORT_SYMBOL_NS_GPL(heap_pool_set_limit, DMA_BUF);

/**
 * heap_pool_info - report the state of a pool
 * @pool: the pool
 * @info: filled in
 *
 * Each number is right by itself, but they are not read at the same time.
 *
 * Context: Process context. Does not sleep.
 */
void heap_pool_info(struct heap_pool *pool, struct dma_heap_pool_info *info)
{
	struct heap_pool_node *node;
	int nid;

	*info = (struct dma_heap_pool_info) {
		.limit = (u64)READ_ONCE(pool->budget.limit) << PAGE_SHIFT,
	};
	for_each_node(nid) {
		node = &pool->nodes[nid];
		spin_lock(&node->lock);
		info->bytes += (u64)node->nr_pages << PAGE_SHIFT;
		info->dirty += (u64)node->nr_dirty << PAGE_SHIFT;
		info->hits += node->hits;
		info->misses += node->misses;
		spin_unlock(&node->lock);
	}
	heap_pcp_info(&pool->pcp, info);
}
EXPORT_SYMBOL_NS_GPL(heap_pool_info, DMA_BUF);

/* -- the zero thread ------------------------------------------------------ */

static bool heap_pool_is_dirty(struct heap_pool *pool)
{
	int nid;

	for_each_node(nid)
		if (READ_ONCE(pool->nodes[nid].nr_dirty))
			return true;
	return false;
}

/*
 * Remove one dirty folio from the freelists of a node: the largest first, and
 * of these the coldest, as the others may be allocated while they are in the
 * cache. It remains counted.
 */
static struct folio *heap_pool_node_next_dirty(struct heap_pool_node *node)
{
	struct folio *folio = NULL;
	bool zeroed;
	int order;

	spin_lock(&node->lock);
	for (order = MAX_PAGE_ORDER; order >= HEAP_POOL_MIN_ORDER; order--) {
		if (list_empty(&node->lists[order].dirty))
			continue;
		folio = heap_freelist_drop(&node->lists[order], &zeroed);
		break;
	}
	spin_unlock(&node->lock);
	return folio;
}

/* Free a dirty folio that the zero thread has removed from its freelist. */
static void heap_pool_node_free(struct heap_pool *pool,
				struct heap_pool_node *node, struct folio *folio)
{
	long nr = folio_nr_pages(folio);

	spin_lock(&node->lock);
	heap_pool_node_removed(node, folio, false);
	spin_unlock(&node->lock);
	heap_budget_release(&pool->budget, nr);
	heap_folio_free(folio);
}

static void heap_pool_node_zero(struct heap_pool *pool, struct heap_pool_node *node)
{
	struct folio *folio;

	while ((folio = heap_pool_node_next_dirty(node))) {
		if (unlikely(heap_folio_is_poisoned(folio))) {
			heap_pool_node_free(pool, node, folio);
			continue;
		}
		heap_zero_folio(folio);
		spin_lock(&node->lock);
		heap_freelist_put(&node->lists[folio_order(folio)], folio, true);
		node->nr_dirty -= folio_nr_pages(folio);
		spin_unlock(&node->lock);
		/*
		 * The limit may have been lowered while this folio was on no
		 * list.
		 */
		heap_pool_trim(pool);
		cond_resched();
	}
}

static int heap_pool_zero_thread(void *data)
{
	struct heap_pool *pool = data;
	int nid;

	set_user_nice(current, MAX_NICE);
	set_freezable();
	while (!kthread_should_stop()) {
		wait_event_freezable(pool->wait,
				     heap_pool_is_dirty(pool) || kthread_should_stop());
		for_each_node(nid)
			heap_pool_node_zero(pool, &pool->nodes[nid]);
	}
	return 0;
}

/*
 * Stop the zero thread. The caller waits for it, so it must neither have much
 * to do any more nor stay behind every other task of the machine.
 */
static void heap_pool_stop_zero_thread(struct heap_pool *pool)
{
	heap_pool_shrink(pool, ULONG_MAX);
	set_user_nice(pool->zero_thread, 0);
	kthread_stop(pool->zero_thread);
}

/* -- create and destroy --------------------------------------------------- */

static void heap_pool_node_init(struct heap_pool_node *node, int nid)
{
	unsigned int order;

	spin_lock_init(&node->lock);
	node->nid = nid;
	for (order = 0; order < NR_PAGE_ORDERS; order++)
		heap_freelist_init(&node->lists[order]);
}

static int heap_pool_add_shrinker(struct heap_pool *pool, const char *name)
{
	pool->shrinker = shrinker_alloc(SHRINKER_NUMA_AWARE, "dma-heap-%s", name);
	if (!pool->shrinker)
		return -ENOMEM;

	pool->shrinker->count_objects = heap_pool_shrinker_count;
	pool->shrinker->scan_objects = heap_pool_shrinker_scan;
	pool->shrinker->private_data = pool;
	/*
	 * Cheap to replace: freed before anything that must be read or written.
	 */
	pool->shrinker->seeks = 0;
	pool->shrinker->batch = 1UL << MAX_PAGE_ORDER;
	shrinker_register(pool->shrinker);
	return 0;
}

/**
 * heap_pool_create - make an empty pool
 * @name: name of the heap; copied
 * @limit: how many pages may be kept
 *
 * Context: Process context. May sleep.
 * Return: the pool, ERR_PTR(-ENOMEM), or the error of kthread_run().
 */
struct heap_pool *heap_pool_create(const char *name, unsigned long limit)
{
	struct heap_pool *pool;
	int nid, ret;

	pool = kvzalloc(struct_size(pool, nodes, nr_node_ids), GFP_KERNEL);
	if (!pool)
		return ERR_PTR(-ENOMEM);

	pool->budget.limit = limit;
	init_waitqueue_head(&pool->wait);
	for_each_node(nid)
		heap_pool_node_init(&pool->nodes[nid], nid);
	ret = heap_pcp_init(&pool->pcp, &pool->budget);
	if (!ret) {
		pool->name = kstrdup_const(name, GFP_KERNEL);
		ret = pool->name ? 0 : -ENOMEM;
	}
	if (!ret)
		ret = heap_pool_add_shrinker(pool, name);
	if (ret)
		goto err_destroy_pool;

	pool->zero_thread = kthread_run(heap_pool_zero_thread, pool,
					"dma-heap/%s", name);
	if (IS_ERR(pool->zero_thread)) {
		ret = PTR_ERR(pool->zero_thread);
		pool->zero_thread = NULL;
		goto err_destroy_pool;
	}

	pool->oom.notifier_call = heap_pool_oom;
	register_oom_notifier(&pool->oom);
	return pool;

err_destroy_pool:
	heap_pool_destroy(pool);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(heap_pool_create, DMA_BUF);

/**
 * heap_pool_destroy - free all folios of a pool, and the pool
 * @pool: what heap_pool_create() returned; it also passes what it has of a pool
 *
 * Context: Process context, when the pool is not in use any more. May sleep.
 */
void heap_pool_destroy(struct heap_pool *pool)
{
	if (pool->oom.notifier_call)
		unregister_oom_notifier(&pool->oom);
	if (pool->zero_thread)
		heap_pool_stop_zero_thread(pool);
	shrinker_free(pool->shrinker);
	heap_pool_shrink(pool, ULONG_MAX);
	heap_pcp_destroy(&pool->pcp);
	kfree_const(pool->name);
	kvfree(pool);
}
EXPORT_SYMBOL_NS_GPL(heap_pool_destroy, DMA_BUF);
