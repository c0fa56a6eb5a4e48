// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shelves of folios between two buffers
 *
 * What it is: keeps folios of dead buffers for the next ones. Large ones have one
 * shelf per order and node, and are zeroed meanwhile by a thread of the lowest
 * priority. Small ones stay in front of that, see heap_pcp.c.
 * What it owns: the folios on its shelves, one reference each; nobody else has
 * any. They are charged to nobody, count as reclaimable kernel memory, and go
 * when the machine needs them: by the shrinker, and at the latest before the OOM
 * killer looks for somebody.
 * Locks: heap_rack.lock (spinlock, innermost) for the shelves of a node; never
 * held while a folio is zeroed or freed, nothing is allocated under it.
 * May call: heap_front, heap_zero, mm.
 * Never here: buffers, and when to use the pool.
 * Units: counts of pages; bytes in &struct dma_heap_pool_info only.
 *
 *	heap_pool_put --> dirty --(zeroer)--> zeroed --> heap_pool_take
 *	                    \_________________________________/
 *
 * What nobody has ever had a mapping of is still zero, and skips the first step.
 *
 * A folio whose turn comes before it is zeroed is handed out as it is, with a
 * word of that; zeroing it is no slower for the taker than for anybody else. For a
 * small one nobody is woken, so it always is the taker who does it.
 */
#include <linux/atomic.h>
#include <linux/cacheflush.h>
#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/topology.h>
#include <linux/vmstat.h>
#include <linux/wait.h>

#include "heap_pcp.h"
#include "heap_policy.h"
#include "heap_pool.h"
#include "heap_freelist.h"
#include "heap_zero.h"

/**
 * struct heap_rack - the shelves of one node
 * @lock: protects the rest
 * @nid: which node; constant
 * @shelves: by order
 * @nr_pages: how many pages are on them, and with the zeroer
 * @nr_dirty: how many of these are not zeroed yet
 * @hits: how often somebody found what he wanted
 * @misses: how often he did not
 */
struct heap_rack {
	spinlock_t lock; /* all below */
	int nid;
	struct heap_shelf shelves[NR_PAGE_ORDERS];
	unsigned long nr_pages;
	unsigned long nr_dirty;
	unsigned long hits;
	unsigned long misses;
};

/**
 * struct heap_pool - the shelves of one heap
 * @budget: how many pages may be kept, and are; a put reserves its place here first
 * @fronts: the small ones
 * @zeroer: the thread
 * @wait: where it waits for dirty folios
 * @shrinker: asks for folios when memory gets short
 * @oom: asks for the rest when it is gone
 * @racks: by node
 */
struct heap_pool {
	struct heap_budget budget;
	struct heap_fronts fronts;
	struct task_struct *zeroer;
	wait_queue_head_t wait;
	struct shrinker *shrinker;
	struct notifier_block oom;
	struct heap_rack racks[];
};

/* The one place where a folio comes onto the books of a node, or goes off them. */
static void heap_rack_account_locked(struct heap_rack *rack, struct folio *folio,
				     int sign)
{
	long nr = sign * folio_nr_pages(folio);

	lockdep_assert_held(&rack->lock);
	rack->nr_pages += nr;
	mod_node_page_state(NODE_DATA(rack->nid), NR_KERNEL_MISC_RECLAIMABLE, nr);
}

/* Has just come off a shelf. */
static struct folio *heap_rack_taken_locked(struct heap_rack *rack,
					    struct folio *folio, bool zeroed)
{
	lockdep_assert_held(&rack->lock);
	if (!folio)
		return NULL;
	if (!zeroed)
		rack->nr_dirty -= folio_nr_pages(folio);
	heap_rack_account_locked(rack, folio, -1);
	return folio;
}

/* -- in and out ----------------------------------------------------------- */

/*
 * May this folio be handed to somebody else? It must be ours alone: a mapping, a
 * pin or a glance by somebody who walks physical memory is a reference more.
 * Whoever has one may still write, and frees the folio when he lets it go.
 */
static bool heap_folio_is_ours(struct folio *folio)
{
	return folio_ref_count(folio) == 1 && !folio_mapped(folio) &&
	       !folio_test_lru(folio) && !folio_test_mlocked(folio) &&
	       !heap_folio_is_poisoned(folio);
}

/* What being mapped may have left in the flags, and freeing would have wiped. */
static void heap_folio_wipe_flags(struct folio *folio)
{
	folio_clear_dirty(folio);
	folio_clear_referenced(folio);
	folio_clear_active(folio);
}

static bool heap_rack_put(struct heap_pool *pool, struct folio *folio, bool zeroed)
{
	struct heap_rack *rack = &pool->racks[folio_nid(folio)];
	long nr = folio_nr_pages(folio);

	if (!heap_budget_reserve(&pool->budget, nr))
		return false;

	spin_lock(&rack->lock);
	heap_shelf_put(&rack->shelves[folio_order(folio)], folio, zeroed);
	if (!zeroed)
		rack->nr_dirty += nr;
	heap_rack_account_locked(rack, folio, 1);
	spin_unlock(&rack->lock);
	if (!zeroed)
		wake_up(&pool->wait);
	return true;
}

static struct folio *heap_rack_take(struct heap_pool *pool, int nid,
				    unsigned int order, bool *zeroed)
{
	struct heap_rack *rack = &pool->racks[nid];
	struct folio *folio;

	spin_lock(&rack->lock);
	folio = heap_shelf_take(&rack->shelves[order], zeroed);
	if (heap_rack_taken_locked(rack, folio, *zeroed))
		rack->hits++;
	else
		rack->misses++;
	spin_unlock(&rack->lock);
	if (folio)
		heap_budget_release(&pool->budget, BIT(order));
	return folio;
}

/**
 * heap_pool_put - give a folio to the pool, or to the page allocator
 * @pool: the pool, NULL for none
 * @folio: the folio; the caller's reference goes with it
 * @zeroed: all of it is zero
 *
 * A folio with other references, which has a memory error, or for which
 * there is no room, is not kept.
 *
 * With init_on_free nothing waits anywhere with its last owner's data in it. Then
 * the folio is zeroed here and now, as the page allocator would have done.
 *
 * Context: Process context. May sleep, and free a folio.
 */
void heap_pool_put(struct heap_pool *pool, struct folio *folio, bool zeroed)
{
	bool kept = false;

	if (pool && READ_ONCE(pool->budget.limit) && heap_folio_is_ours(folio)) {
		heap_folio_wipe_flags(folio);
		/* As heap_zero_folio() does, which it is spared. */
		if (zeroed)
			flush_dcache_folio(folio);
		if (!zeroed && want_init_on_free()) {
			heap_zero_folio(folio);
			zeroed = true;
		}
		kept = folio_order(folio) < HEAP_POOL_MIN_ORDER ?
		       heap_fronts_put(&pool->fronts, folio, zeroed) :
		       heap_rack_put(pool, folio, zeroed);
	}
	if (!kept)
		heap_folio_free(folio);
}
EXPORT_SYMBOL_NS_GPL(heap_pool_put, DMA_BUF);

/**
 * heap_pool_take - take a folio off a shelf
 * @pool: the pool, NULL for none
 * @order: its order, exactly; up to MAX_PAGE_ORDER
 * @zeroed: set to whether it is zeroed, when there is one
 *
 * Only the node is looked at which the running task's memory policy and cpuset
 * have it prefer, the nearest as a rule, and for a small order only this CPU.
 *
 * Context: Process context. Does not sleep.
 * Return: the folio, with the only reference; NULL when there is none.
 */
struct folio *heap_pool_take(struct heap_pool *pool, unsigned int order,
			     bool *zeroed)
{
	struct folio *folio = NULL;
	int nid;

	if (!pool || !READ_ONCE(pool->budget.limit))
		return NULL;

	nid = heap_policy_nid();
	if (nid == NUMA_NO_NODE)
		return NULL;
	if (order >= HEAP_POOL_MIN_ORDER)
		folio = heap_rack_take(pool, nid, order, zeroed);
	else if (nid == numa_mem_id())
		folio = heap_fronts_take(&pool->fronts, order, zeroed);
	if (!folio)
		return NULL;
	if (likely(folio_nid(folio) == nid && heap_folio_is_ours(folio)))
		return folio;

	/*
	 * It has a memory error since, a page scanner holds it for a moment, or it is on
	 * a CPU of another node, where the task was when it put the folio there.
	 */
	heap_folio_free(folio);
	return NULL;
}
EXPORT_SYMBOL_NS_GPL(heap_pool_take, DMA_BUF);

/* -- giving memory back --------------------------------------------------- */

/* Move folios of about @nr_pages from the shelves to @folios; dirty ones first. */
static unsigned long heap_rack_empty_locked(struct heap_rack *rack,
					    unsigned long nr_pages,
					    struct list_head *folios)
{
	unsigned long done = 0;
	struct folio *folio;
	bool zeroed;
	int order;

	for (order = MAX_PAGE_ORDER; order >= HEAP_POOL_MIN_ORDER; order--) {
		while (done < nr_pages) {
			folio = heap_shelf_drop(&rack->shelves[order], &zeroed);
			if (!heap_rack_taken_locked(rack, folio, zeroed))
				break;
			list_add(&folio->lru, folios);
			done += folio_nr_pages(folio);
		}
	}
	return done;
}

static unsigned long heap_rack_shrink(struct heap_pool *pool,
				      struct heap_rack *rack,
				      unsigned long nr_pages)
{
	unsigned long done;
	LIST_HEAD(folios);

	spin_lock(&rack->lock);
	done = heap_rack_empty_locked(rack, nr_pages, &folios);
	spin_unlock(&rack->lock);
	heap_free_folios(&folios);
	heap_budget_release(&pool->budget, done);
	return done;
}

/**
 * heap_pool_shrink - give folios back to the page allocator
 * @pool: the pool
 * @nr_pages: how many pages at least, if there are so many
 *
 * Context: Any that may free pages; used within reclaim. Does not sleep.
 * Return: how many pages it were; by up to one folio more than asked for, or by
 * what all CPUs have of small ones, which go last and together.
 */
unsigned long heap_pool_shrink(struct heap_pool *pool, unsigned long nr_pages)
{
	unsigned long done = 0;
	int nid;

	for_each_node(nid)
		if (done < nr_pages)
			done += heap_rack_shrink(pool, &pool->racks[nid],
						 nr_pages - done);
	if (done < nr_pages)
		done += heap_fronts_empty(&pool->fronts, NUMA_NO_NODE);
	return done;
}
EXPORT_SYMBOL_NS_GPL(heap_pool_shrink, DMA_BUF);

/* Back below the limit, should there be more on the shelves than it allows. */
static void heap_pool_trim(struct heap_pool *pool)
{
	long excess = heap_budget_excess(&pool->budget);

	if (excess > 0)
		heap_pool_shrink(pool, excess);
	/* An empty front has no folio, but a place. */
	if (heap_budget_excess(&pool->budget) > 0)
		heap_fronts_empty(&pool->fronts, NUMA_NO_NODE);
}

static unsigned long heap_pool_shrinker_count(struct shrinker *shrinker,
					      struct shrink_control *sc)
{
	struct heap_pool *pool = shrinker->private_data;

	return (READ_ONCE(pool->racks[sc->nid].nr_pages) +
		heap_fronts_pages(&pool->fronts, sc->nid)) ?: SHRINK_EMPTY;
}

static unsigned long heap_pool_shrinker_scan(struct shrinker *shrinker,
					     struct shrink_control *sc)
{
	struct heap_pool *pool = shrinker->private_data;
	unsigned long done;

	done = heap_rack_shrink(pool, &pool->racks[sc->nid], sc->nr_to_scan);
	if (!done)
		done = heap_fronts_empty(&pool->fronts, sc->nid);
	return done ?: SHRINK_STOP;
}

static int heap_pool_oom(struct notifier_block *oom, unsigned long unused,
			 void *freed)
{
	struct heap_pool *pool = container_of(oom, struct heap_pool, oom);

	*(unsigned long *)freed += heap_pool_shrink(pool, ULONG_MAX);
	return NOTIFY_OK;
}

/**
 * heap_pool_set_limit - say how much may be kept
 * @pool: the pool
 * @limit: how many pages; what is too much now goes at once, and what is just
 *	being zeroed after that; 0 for no pool at all
 *
 * Context: Process context. Does not sleep.
 */
void heap_pool_set_limit(struct heap_pool *pool, unsigned long limit)
{
	WRITE_ONCE(pool->budget.limit, min(limit, totalram_pages()));
	heap_pool_trim(pool);
}
EXPORT_SYMBOL_NS_GPL(heap_pool_set_limit, DMA_BUF);

/**
 * heap_pool_info - what the shelves look like just now
 * @pool: the pool
 * @info: filled in
 *
 * Context: Any. The numbers are each right, but not of one moment.
 */
void heap_pool_info(struct heap_pool *pool, struct dma_heap_pool_info *info)
{
	struct heap_rack *rack;
	int nid;

	*info = (struct dma_heap_pool_info) {
		.limit = (u64)READ_ONCE(pool->budget.limit) << PAGE_SHIFT,
	};
	for_each_node(nid) {
		rack = &pool->racks[nid];
		spin_lock(&rack->lock);
		info->bytes += (u64)rack->nr_pages << PAGE_SHIFT;
		info->dirty += (u64)rack->nr_dirty << PAGE_SHIFT;
		info->hits += rack->hits;
		info->misses += rack->misses;
		spin_unlock(&rack->lock);
	}
	heap_fronts_info(&pool->fronts, info);
}
EXPORT_SYMBOL_NS_GPL(heap_pool_info, DMA_BUF);

/* -- the zeroer ----------------------------------------------------------- */

static bool heap_pool_is_dirty(struct heap_pool *pool)
{
	int nid;

	for_each_node(nid)
		if (READ_ONCE(pool->racks[nid].nr_dirty))
			return true;
	return false;
}

/*
 * One dirty folio of this node, the largest first, and of those the one that has
 * waited longest: the others may be taken while they are in the cache. It stays on
 * the books.
 */
static struct folio *heap_rack_next_dirty(struct heap_rack *rack)
{
	struct folio *folio = NULL;
	bool zeroed;
	int order;

	spin_lock(&rack->lock);
	for (order = MAX_PAGE_ORDER; order >= HEAP_POOL_MIN_ORDER; order--) {
		if (list_empty(&rack->shelves[order].dirty))
			continue;
		folio = heap_shelf_drop(&rack->shelves[order], &zeroed);
		break;
	}
	spin_unlock(&rack->lock);
	return folio;
}

/* A dirty folio that a node counts, but that is on no list. */
static void heap_rack_drop(struct heap_pool *pool, struct heap_rack *rack,
			   struct folio *folio)
{
	long nr = folio_nr_pages(folio);

	spin_lock(&rack->lock);
	heap_rack_taken_locked(rack, folio, false);
	spin_unlock(&rack->lock);
	heap_budget_release(&pool->budget, nr);
	heap_folio_free(folio);
}

static void heap_rack_zero(struct heap_pool *pool, struct heap_rack *rack)
{
	struct folio *folio;

	while ((folio = heap_rack_next_dirty(rack))) {
		if (unlikely(heap_folio_is_poisoned(folio))) {
			heap_rack_drop(pool, rack, folio);
			continue;
		}
		heap_zero_folio(folio);
		spin_lock(&rack->lock);
		heap_shelf_put(&rack->shelves[folio_order(folio)], folio, true);
		rack->nr_dirty -= folio_nr_pages(folio);
		spin_unlock(&rack->lock);
		/* The limit may have come down while this one was in our hands. */
		heap_pool_trim(pool);
		cond_resched();
	}
}

static int heap_pool_zeroer(void *data)
{
	struct heap_pool *pool = data;
	int nid;

	set_user_nice(current, MAX_NICE);
	set_freezable();
	while (!kthread_should_stop()) {
		wait_event_freezable(pool->wait,
				     heap_pool_is_dirty(pool) || kthread_should_stop());
		for_each_node(nid)
			heap_rack_zero(pool, &pool->racks[nid]);
	}
	return 0;
}

/* -- birth and death ------------------------------------------------------ */

static void heap_rack_init(struct heap_rack *rack, int nid)
{
	unsigned int order;

	spin_lock_init(&rack->lock);
	rack->nid = nid;
	for (order = 0; order < NR_PAGE_ORDERS; order++)
		heap_shelf_init(&rack->shelves[order]);
}

static int heap_pool_add_shrinker(struct heap_pool *pool, const char *name)
{
	pool->shrinker = shrinker_alloc(SHRINKER_NUMA_AWARE, "dma-heap-%s", name);
	if (!pool->shrinker)
		return -ENOMEM;

	pool->shrinker->count_objects = heap_pool_shrinker_count;
	pool->shrinker->scan_objects = heap_pool_shrinker_scan;
	pool->shrinker->private_data = pool;
	/* Cheap to make again: go before anything that must be read or written. */
	pool->shrinker->seeks = 0;
	pool->shrinker->batch = 1UL << MAX_PAGE_ORDER;
	shrinker_register(pool->shrinker);
	return 0;
}

/**
 * heap_pool_create - make a pool with empty shelves
 * @name: of the heap; copied
 * @limit: how many pages may be kept
 *
 * Context: Process context. May sleep.
 * Return: the pool, or ERR_PTR(-ENOMEM), or what kthread_run() says.
 */
struct heap_pool *heap_pool_create(const char *name, unsigned long limit)
{
	struct heap_pool *pool;
	int nid, ret;

	pool = kvzalloc(struct_size(pool, racks, nr_node_ids), GFP_KERNEL);
	if (!pool)
		return ERR_PTR(-ENOMEM);

	pool->budget.limit = limit;
	init_waitqueue_head(&pool->wait);
	for_each_node(nid)
		heap_rack_init(&pool->racks[nid], nid);
	ret = heap_fronts_init(&pool->fronts, &pool->budget) ?: heap_pool_add_shrinker(pool, name);
	if (ret)
		goto err_destroy_pool;

	pool->zeroer = kthread_run(heap_pool_zeroer, pool, "dma-heap/%s", name);
	if (IS_ERR(pool->zeroer)) {
		ret = PTR_ERR(pool->zeroer);
		pool->zeroer = NULL;
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
 * heap_pool_destroy - empty the shelves and take them down
 * @pool: what heap_pool_create() returned, or some of it
 *
 * Context: Process context, when nobody uses the pool any more. May sleep.
 */
void heap_pool_destroy(struct heap_pool *pool)
{
	if (pool->oom.notifier_call)
		unregister_oom_notifier(&pool->oom);
	if (pool->zeroer)
		kthread_stop(pool->zeroer);
	shrinker_free(pool->shrinker);
	heap_pool_shrink(pool, ULONG_MAX);
	heap_fronts_destroy(&pool->fronts);
	kvfree(pool);
}
EXPORT_SYMBOL_NS_GPL(heap_pool_destroy, DMA_BUF);
