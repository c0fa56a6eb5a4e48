// SPDX-License-Identifier: GPL-2.0-only
/*
 * Headroom: the memory that an allocation of a heap leaves to others
 *
 * The pages of a heap cannot be reclaimed. If an allocation takes what is left,
 * the next page fault of any program finds nothing, and has the OOM killer
 * choose a task. The caller of the heap can live with ENOMEM, others cannot: so
 * an allocation has to stop before that.
 *
 * As long as enough is available, an allocation goes on. That is what
 * si_mem_available() counts: what is free, and of page cache, clean or dirty,
 * and reclaimable kernel memory (the pools of the heaps are of that) what
 * exceeds the low watermarks, or half of it; less reclaimable slab, and what
 * only movable memory can use. The allocation is granted a step of pages and
 * has to check again after these. Pages that are granted and not taken yet
 * count as used, or all threads which check at the same time would be granted
 * the same memory.
 *
 * With less memory than that, no estimate is good enough: whether a page of
 * swap can be filled, and what shrinkers will free (pools of drivers, purgeable
 * objects), is known only when it has been tried. So the allocation goes on,
 * with reclaim, but holds a reserve meanwhile: memory for others, allocated
 * first and freed at the end. It fails when the reserve or a page cannot be
 * had, when reclaim has pushed out too much of what programs work with, and
 * when in the end too little is free above the watermarks. If another task runs
 * out of memory meanwhile, it gets the reserve, the allocation is called off,
 * and what it has taken is freed before a task is killed.
 *
 * What can never be had is refused at once: reclaim would write out all
 * programs for nothing.
 *
 * Lock order: heap_reserve.fill (mutex) is held while the reserve is allocated,
 * and heap_reserve.lock within it. The latter is taken in the OOM notifier as
 * well, so nothing is allocated or freed under it.
 */
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include <kunit/visibility.h>

#include "heap_folio.h"
#include "heap_headroom.h"
#include "heap_policy.h"

/* How many pages may be taken between two checks, and when memory is short. */
#define HEAP_HEADROOM_STEP		(SZ_4M >> PAGE_SHIFT)
#define HEAP_HEADROOM_TIGHT_STEP	(SZ_1M >> PAGE_SHIFT)

/*
 * What is left for others, at least: a share of memory, but no more than so
 * much. Any task needs a few pages to go on, if only to report ENOMEM.
 */
#define HEAP_HEADROOM_SHARE		128
#define HEAP_HEADROOM_PAGES		(SZ_32M >> PAGE_SHIFT)

/*
 * What is left for watermarks that may yet rise, at most: a share of memory.
 * With huge pages a boost can be 160 MiB on a machine of 2 GiB; without, it is
 * a fiftieth.
 */
#define HEAP_HEADROOM_BOOST_SHARE	16

/* Programs keep at least so many times as much in memory. */
#define HEAP_HEADROOM_ANON		4

/*
 * How often a task that is out of memory waits a tick for allocations that are
 * under way, in all: they give up, and free what they have, or end. The bound
 * is for one that is stuck. The count begins anew after so long without such a
 * task.
 */
#define HEAP_HEADROOM_OOM_WAITS		HZ
#define HEAP_HEADROOM_OOM_QUIET		(10 * HZ)

/* For so long after such a task no allocation goes on with memory short. */
#define HEAP_HEADROOM_OOM_REFUSE	HZ

/**
 * struct heap_reserve - memory that stays free for others
 * @fill: serializes filling
 * @lock: protects all below
 * @folios: the reserve, linked by their lru
 * @nr_pages: how many pages these are
 * @users: how many allocations go on although memory is short, and hold the
 * reserve
 * @ended: one of these has ended since a task last waited for that
 * @nr_oom: how often a task was out of memory
 * @nr_waits: how often such a task has waited
 * @last_oom: when that was last, in jiffies; valid if @nr_oom is not 0
 */
struct heap_reserve {
	struct mutex fill; /* filling */
	spinlock_t lock; /* all below */
	struct list_head folios;
	unsigned long nr_pages;
	unsigned int users;
	bool ended;
	unsigned int nr_oom;
	unsigned int nr_waits;
	u64 last_oom;
};

static struct heap_reserve heap_reserve = {
	.fill = __MUTEX_INITIALIZER(heap_reserve.fill),
	.lock = __SPIN_LOCK_UNLOCKED(heap_reserve.lock),
	.folios = LIST_HEAD_INIT(heap_reserve.folios),
};

/*
 * Allocations that this CPU has begun, less those that it has ended. Even one
 * that goes on without a check has pages, which it may have to give up.
 */
static DEFINE_PER_CPU(int, heap_under_way);

/* Pages granted to allocations, and not taken yet as far as is known. */
static atomic_long_t heap_granted = ATOMIC_LONG_INIT(0);

static unsigned long heap_headroom_pages(void)
{
	return min(totalram_pages() / HEAP_HEADROOM_SHARE, HEAP_HEADROOM_PAGES);
}

static unsigned long heap_anon_pages(void)
{
	return global_node_page_state(NR_ACTIVE_ANON) +
	       global_node_page_state(NR_INACTIVE_ANON);
}

/* Count the pages of a zone that are free, or reclaimed without swapping. */
static long heap_zone_pages(struct zone *zone)
{
	return zone_page_state(zone, NR_FREE_PAGES) +
	       zone_page_state(zone, NR_ZONE_INACTIVE_FILE) +
	       zone_page_state(zone, NR_ZONE_ACTIVE_FILE);
}

/*
 * Count pages that are available, but only for movable memory, which a heap's
 * is not.
 */
static long heap_movable_pages(void)
{
	long pages = global_zone_page_state(NR_FREE_CMA_PAGES);
	struct zone *zone;
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		zone = &NODE_DATA(nid)->node_zones[ZONE_MOVABLE];
		if (managed_zone(zone))
			pages += heap_zone_pages(zone);
	}
	return pages;
}

/* Count the pages of a zone that a task which is bound to its node can have. */
static long heap_zone_available(struct zone *zone)
{
	return heap_zone_pages(zone) - zone_page_state(zone, NR_FREE_CMA_PAGES) -
	       high_wmark_pages(zone);
}

/* Count the pages of a zone, in use or not. */
static long heap_zone_managed(struct zone *zone)
{
	return zone_managed_pages(zone);
}

/*
 * Count the pages of the nodes that the task is bound to, in the zones that a
 * heap's may be of; LONG_MAX if it is not bound.
 */
static long heap_bound_pages(long (*count)(struct zone *zone))
{
	const nodemask_t *nodes = heap_policy_bound_nodes();
	enum zone_type type;
	struct zone *zone;
	long pages = 0;
	int nid;

	if (likely(!nodes))
		return LONG_MAX;

	for_each_node_mask(nid, *nodes) {
		for (type = 0; type <= gfp_zone(GFP_HIGHUSER); type++) {
			zone = &NODE_DATA(nid)->node_zones[type];
			if (managed_zone(zone))
				pages += count(zone);
		}
	}
	return pages;
}

/*
 * By how many pages the watermark of a zone may be boosted. The page allocator
 * does that when pages that cannot be moved spread, which is what a heap's are:
 * by a pageblock each time, up to one and a half times the high watermark
 * (vm.watermark_boost_factor), or one pageblock if that is more.
 */
static unsigned long heap_zone_boost(struct zone *zone)
{
	/* A smaller zone is left alone. */
	if (zone_managed_pages(zone) < pageblock_nr_pages * 4)
		return 0;
	return max(zone->_watermark[WMARK_HIGH] * 3 / 2, pageblock_nr_pages);
}

/* Count the pages by which the watermarks may be boosted. */
static unsigned long heap_boost_pages(void)
{
	unsigned long pages = 0;
	struct zone *zone;

	for_each_populated_zone(zone)
		if (zone_idx(zone) <= gfp_zone(GFP_HIGHUSER))
			pages += heap_zone_boost(zone);
	return min(pages, totalram_pages() / HEAP_HEADROOM_BOOST_SHARE);
}

/*
 * Count the free pages of a zone that any task may have, as long as the
 * watermarks are not boosted.
 */
static long heap_zone_free(struct zone *zone)
{
	return (long)zone_page_state(zone, NR_FREE_PAGES) -
	       (long)zone_page_state(zone, NR_FREE_CMA_PAGES) -
	       (long)zone->_watermark[WMARK_MIN] -
	       zone->lowmem_reserve[gfp_zone(GFP_HIGHUSER)];
}

/* Count these pages of all zones, of the nodes that the task is bound to. */
static unsigned long heap_free_pages(void)
{
	const nodemask_t *nodes = heap_policy_bound_nodes();
	unsigned long pages = 0;
	struct zone *zone;

	for_each_populated_zone(zone) {
		if (zone_idx(zone) > gfp_zone(GFP_HIGHUSER))
			continue;
		if (nodes && !node_isset(zone_to_nid(zone), *nodes))
			continue;
		pages += max(heap_zone_free(zone), 0);
	}
	return pages;
}

/*
 * Count the pages that are left for others: any task needs a few to go on, and
 * finds only those above the watermarks, boosted or not.
 */
static unsigned long heap_headroom_kept(void)
{
	return heap_headroom_pages() + heap_boost_pages();
}

/*
 * Count the pages that are available. Reclaimable slab does not count: most of
 * it may be in use, as the inode and the dentry of each buffer are. What can be
 * had of it turns out when it is reclaimed.
 */
static long heap_headroom_available(void)
{
	long pages = si_mem_available() - heap_movable_pages() -
		     (long)global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B);

	return min(pages, heap_bound_pages(heap_zone_available));
}

/*
 * Test whether @nr_pages can be had without pushing out any program, and enough
 * be left for others, that have been granted @nr_granted. Each CPU may besides
 * hand out some pages in small buffers without a check, which is less than a
 * step. No reserve is held, so what is left has to do for all boosts: they may
 * rise at any time, and stay if there is nothing to reclaim.
 */
static bool heap_headroom_is_roomy(unsigned long nr_pages, unsigned long nr_granted)
{
	long available = heap_headroom_available();

	nr_pages += heap_headroom_kept() + nr_granted +
		    num_online_cpus() * HEAP_HEADROOM_STEP;
	return available > 0 && nr_pages < available;
}

/* Take back what was granted: it has been taken, or will not be. */
static void heap_headroom_ungrant(struct heap_headroom *room)
{
	if (room->nr_granted)
		atomic_long_sub(room->nr_granted, &heap_granted);
	room->nr_granted = 0;
}

/*
 * Grant a step of @nr_pages if memory is roomy. The step is added before the
 * test, so that of two allocations at the same time at least one sees the
 * other.
 */
static bool heap_headroom_grant(struct heap_headroom *room, unsigned long nr_pages)
{
	unsigned long step = min(nr_pages, HEAP_HEADROOM_STEP);
	unsigned long granted;

	heap_headroom_ungrant(room);
	granted = atomic_long_add_return(step, &heap_granted);
	room->nr_granted = step;
	if (heap_headroom_is_roomy(nr_pages, granted - step))
		return true;
	heap_headroom_ungrant(room);
	return false;
}

/*
 * How many pages of programs are to stay in memory: of all that they have,
 * swapped out or not, as what is in memory now may be little for that very
 * reason.
 */
static unsigned long heap_headroom_min_anon(void)
{
	unsigned long swapped = total_swap_pages - get_nr_swap_pages();

	return min(heap_anon_pages() + swapped,
		   heap_headroom_pages() * HEAP_HEADROOM_ANON);
}

/*
 * How many pages could be had at the very best. This is all memory but for what
 * is known to stay; who has the rest is not known, so a shrinker may. What
 * programs have stays as well, unless it has a place in swap. Of the nodes that
 * the task is bound to, only the size is known.
 */
static long heap_headroom_ceiling(unsigned long nr_used)
{
	long anon = heap_anon_pages(), swap = get_nr_swap_pages();
	long keep = min_t(long, anon, heap_headroom_min_anon());
	long ceiling;

	ceiling = (long)totalram_pages() - (long)nr_used -
		  max(anon - swap, keep) -
		  (long)global_zone_page_state(NR_FREE_CMA_PAGES) -
		  (long)global_zone_page_state(NR_MLOCK) -
		  (long)global_node_page_state(NR_PAGETABLE) -
		  (long)(global_node_page_state(NR_KERNEL_STACK_KB) /
			 (PAGE_SIZE / SZ_1K)) -
		  (long)global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B);
	return min(ceiling, heap_bound_pages(heap_zone_managed));
}

/*
 * Allocate a large folio if there is one, else a page, for which reclaim is
 * done.
 */
static struct folio *heap_headroom_alloc(unsigned long nr_pages, unsigned int *order)
{
	struct folio *folio;

	for (*order = min_t(unsigned int, *order, ilog2(nr_pages)); *order;
	     --*order) {
		folio = folio_alloc((GFP_HIGHUSER & ~__GFP_RECLAIM) |
				    __GFP_NORETRY | __GFP_NOWARN, *order);
		if (folio)
			return folio;
	}
	return folio_alloc(GFP_HIGHUSER | __GFP_RETRY_MAYFAIL | __GFP_NOWARN, 0);
}

/*
 * Free a reserve for others. In the lists of a CPU it does not count as free,
 * and a task that finds nothing to reclaim does not look there before it has
 * one killed.
 */
static void heap_headroom_free(struct list_head *folios)
{
	if (list_empty(folios))
		return;
	heap_free_folios(folios);
	drain_all_pages(NULL);
}

/* Count the pages that are of nodes for the task. */
static unsigned long heap_headroom_usable(const struct list_head *folios)
{
	const nodemask_t *nodes = heap_policy_bound_nodes();
	const struct folio *folio;
	unsigned long nr_pages = 0;

	list_for_each_entry(folio, folios, lru)
		if (!nodes || node_isset(folio_nid(folio), *nodes))
			nr_pages += folio_nr_pages(folio);
	return nr_pages;
}

/* Test whether a task was out of memory less than @ticks ago. */
static bool heap_reserve_had_oom(u64 ticks)
{
	lockdep_assert_held(&heap_reserve.lock);
	return heap_reserve.nr_oom &&
	       get_jiffies_64() - heap_reserve.last_oom < ticks;
}

/*
 * Test whether the task that is out of memory ends anyway: out_of_memory() then
 * lets it use the reserves of the page allocator, but only if no notifier says
 * that memory was freed. Its own test, task_will_free_mem(), is not for others.
 */
static bool heap_headroom_is_dying(void)
{
	return fatal_signal_pending(current) || (current->flags & PF_EXITING);
}

/* Note that a task is out of memory, and remove the reserve for it. */
static void heap_headroom_call_off(struct list_head *folios)
{
	spin_lock(&heap_reserve.lock);
	if (!heap_reserve_had_oom(HEAP_HEADROOM_OOM_QUIET))
		heap_reserve.nr_waits = 0;
	/* 0 says that there was none. */
	WRITE_ONCE(heap_reserve.nr_oom, heap_reserve.nr_oom + 1 ?: 1);
	heap_reserve.last_oom = get_jiffies_64();

	list_splice_init(&heap_reserve.folios, folios);
	WRITE_ONCE(heap_reserve.nr_pages, 0);
	spin_unlock(&heap_reserve.lock);
}

/* Test whether any allocation is under way; a change meanwhile may be missed. */
static bool heap_headroom_is_under_way(void)
{
	int sum = 0, cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(&heap_under_way, cpu));
	return sum > 0;
}

/*
 * Free what is in the lists of the CPUs; true if that is worth another try. It
 * may be what buffers had: a task that finds nothing to reclaim does not look
 * there.
 */
static bool heap_headroom_drain(void)
{
	unsigned long free = global_zone_page_state(NR_FREE_PAGES);

	drain_all_pages(NULL);
	return global_zone_page_state(NR_FREE_PAGES) >=
	       free + HEAP_HEADROOM_TIGHT_STEP;
}

/* Test whether the task is to wait for allocations under way, or try again. */
static bool heap_headroom_may_wait(void)
{
	bool wait, drained;

	if (heap_headroom_is_dying())
		return false;

	drained = heap_headroom_drain();

	spin_lock(&heap_reserve.lock);
	wait = (heap_reserve.ended || drained || heap_headroom_is_under_way()) &&
	       heap_reserve.nr_waits < HEAP_HEADROOM_OOM_WAITS;
	heap_reserve.nr_waits += wait;
	heap_reserve.ended = false;
	spin_unlock(&heap_reserve.lock);
	return wait;
}

/*
 * Free the reserve for a task that is out of memory, or wait for the
 * allocations that are called off to free what they have. A page is reported
 * after a wait, as out_of_memory() has its caller try again for any page, and
 * chooses a task otherwise. Both end: the reserve is not filled again soon, and
 * waits are counted.
 */
VISIBLE_IF_KUNIT int heap_headroom_oom(struct notifier_block *oom,
				       unsigned long unused, void *freed)
{
	unsigned long nr_pages;
	LIST_HEAD(folios);

	heap_headroom_call_off(&folios);
	nr_pages = heap_headroom_usable(&folios);
	heap_headroom_free(&folios);
	if (!nr_pages && heap_headroom_may_wait()) {
		schedule_timeout_uninterruptible(1);
		nr_pages = 1;
	}
	/* Refuse for a time from now on, however long freeing has taken. */
	spin_lock(&heap_reserve.lock);
	heap_reserve.last_oom = get_jiffies_64();
	spin_unlock(&heap_reserve.lock);
	*(unsigned long *)freed += nr_pages;
	return NOTIFY_OK;
}
EXPORT_SYMBOL_IF_KUNIT(heap_headroom_oom);

static struct notifier_block heap_headroom_notifier = {
	.notifier_call = heap_headroom_oom,
};

#if IS_ENABLED(CONFIG_KUNIT)
/* Forget the calls of the notifier by a test, which is not out of memory. */
void heap_headroom_forget_oom(void)
{
	spin_lock(&heap_reserve.lock);
	WRITE_ONCE(heap_reserve.nr_oom, 0);
	heap_reserve.nr_waits = 0;
	heap_reserve.ended = false;
	spin_unlock(&heap_reserve.lock);
}
EXPORT_SYMBOL_IF_KUNIT(heap_headroom_forget_oom);

unsigned long heap_headroom_reserved(void)
{
	return READ_ONCE(heap_reserve.nr_pages);
}
EXPORT_SYMBOL_IF_KUNIT(heap_headroom_reserved);
#endif

/*
 * Go on with memory short, as a user of the reserve; false if that is refused,
 * as a task was out of memory a moment ago.
 */
static bool heap_headroom_tighten(struct heap_headroom *room)
{
	bool refuse;

	spin_lock(&heap_reserve.lock);
	refuse = heap_reserve_had_oom(HEAP_HEADROOM_OOM_REFUSE);
	if (!refuse) {
		heap_reserve.users++;
		room->nr_oom = heap_reserve.nr_oom;
		room->tight = true;
	}
	spin_unlock(&heap_reserve.lock);
	return !refuse;
}

/**
 * heap_headroom_init - begin an allocation
 * @room: of the allocation
 *
 * This and heap_headroom_release() are all that an allocation costs which is
 * too small for a check.
 *
 * Context: Any.
 */
void heap_headroom_init(struct heap_headroom *room)
{
	*room = (struct heap_headroom) {
		.under_way = true,
		.nr_oom = READ_ONCE(heap_reserve.nr_oom),
	};
	this_cpu_inc(heap_under_way);
}
EXPORT_SYMBOL_NS_GPL(heap_headroom_init, DMA_BUF);

/**
 * heap_headroom_has_to_check - test whether a check is due before its time
 * @room: of the allocation, from heap_headroom_init()
 *
 * To be called often, as the task that is out of memory waits.
 *
 * Context: Any.
 * Return: true if a task was out of memory since the last check, or the begin.
 */
bool heap_headroom_has_to_check(const struct heap_headroom *room)
{
	return READ_ONCE(heap_reserve.nr_oom) != room->nr_oom;
}
EXPORT_SYMBOL_NS_GPL(heap_headroom_has_to_check, DMA_BUF);

/**
 * heap_headroom_is_called_off - test whether an allocation has to end
 * @room: of the allocation
 *
 * To be called often, as the task that is out of memory waits.
 *
 * Context: Any.
 * Return: true if a task was out of memory after @room became a user of the
 * reserve.
 */
bool heap_headroom_is_called_off(const struct heap_headroom *room)
{
	return room->tight && heap_headroom_has_to_check(room);
}
EXPORT_SYMBOL_NS_GPL(heap_headroom_is_called_off, DMA_BUF);

/**
 * heap_headroom_interrupted - test whether an allocation has to end at once
 * @room: of the allocation
 *
 * For all steps that take long, not only those which take pages.
 *
 * Context: Process context. Does not sleep.
 * Return: 0; -EINTR after a fatal signal; -ENOMEM if the allocation is called
 * off, see heap_headroom_is_called_off().
 */
int heap_headroom_interrupted(const struct heap_headroom *room)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	return heap_headroom_is_called_off(room) ? -ENOMEM : 0;
}
EXPORT_SYMBOL_NS_GPL(heap_headroom_interrupted, DMA_BUF);

/* Add a folio to the reserve, unless that was freed for a task meanwhile. */
static bool heap_headroom_keep(struct heap_headroom *room, struct folio *folio)
{
	bool keep;

	spin_lock(&heap_reserve.lock);
	keep = heap_reserve.nr_oom == room->nr_oom;
	if (keep) {
		list_add(&folio->lru, &heap_reserve.folios);
		WRITE_ONCE(heap_reserve.nr_pages,
			   heap_reserve.nr_pages + folio_nr_pages(folio));
	}
	spin_unlock(&heap_reserve.lock);
	return keep;
}

/*
 * Test whether the allocation has to stop for the sake of others. Without swap,
 * programs stay in memory.
 */
static bool heap_headroom_is_exceeded(const struct heap_headroom *room)
{
	return heap_headroom_is_called_off(room) ||
	       (get_nr_swap_pages() > 0 &&
		heap_anon_pages() < heap_headroom_min_anon());
}

/*
 * How many pages the reserve lacks. It is never less than what others need at
 * once. For a boost, pages that are free will do as well: whether the boost has
 * come already makes no difference then, as one that kswapd has ended may come
 * again.
 */
static unsigned long heap_headroom_lack(void)
{
	unsigned long has = READ_ONCE(heap_reserve.nr_pages);
	unsigned long left = has + heap_free_pages();
	unsigned long least = heap_headroom_pages(), kept = heap_headroom_kept();

	return max(least - min(least, has), kept - min(kept, left));
}

/* Fill the reserve. */
static int heap_headroom_fill(struct heap_headroom *room)
{
	unsigned int order = HEAP_TOP_ORDER;
	struct folio *folio;
	unsigned long lack;
	int ret = 0;

	if (!heap_headroom_lack())
		return 0;
	if (mutex_lock_killable(&heap_reserve.fill))
		return -EINTR;
	while ((lack = heap_headroom_lack())) {
		folio = NULL;
		if (!fatal_signal_pending(current) &&
		    !heap_headroom_is_exceeded(room))
			folio = heap_headroom_alloc(lack, &order);
		if (!folio) {
			ret = fatal_signal_pending(current) ? -EINTR : -ENOMEM;
			break;
		}
		if (!heap_headroom_keep(room, folio)) {
			heap_folio_free(folio);
			ret = -ENOMEM;
			break;
		}
		cond_resched();
	}
	mutex_unlock(&heap_reserve.fill);
	return ret;
}

/**
 * heap_headroom_is_impossible - test whether so many pages can never be had
 * @nr_pages: how many pages
 * @nr_used: how many pages the heap has handed out
 *
 * Asks only. For a caller that has to reclaim, for the charge to its cgroup
 * say, before heap_headroom_check() can refuse.
 *
 * Context: Process context. Does not sleep.
 * Return: true if reclaim of all that can be reclaimed would not free so many.
 */
bool heap_headroom_is_impossible(unsigned long nr_pages, unsigned long nr_used)
{
	/* More than all memory might overflow below. */
	return nr_pages > totalram_pages() ||
	       (long)(nr_pages + heap_headroom_pages()) >=
	       heap_headroom_ceiling(nr_used);
}
EXPORT_SYMBOL_NS_GPL(heap_headroom_is_impossible, DMA_BUF);

/**
 * heap_headroom_confirm - test whether an allocation has left enough to others
 * @room: of the allocation
 *
 * To be called last, with all pages taken. Does nothing unless memory is short.
 *
 * Context: Process context. May sleep, for reclaim.
 * Return: 0; -ENOMEM if too little is left, or the allocation is called off;
 * -EINTR after a fatal signal.
 */
int heap_headroom_confirm(struct heap_headroom *room)
{
	int ret;

	if (likely(!room->tight))
		return 0;
	ret = heap_headroom_fill(room);
	if (ret)
		return ret;
	return heap_headroom_is_exceeded(room) ? -ENOMEM : 0;
}
EXPORT_SYMBOL_NS_GPL(heap_headroom_confirm, DMA_BUF);

/**
 * heap_headroom_check - test whether an allocation may go on
 * @room: of the allocation, from heap_headroom_init()
 * @nr_pages: how many pages it still needs, at least one
 * @nr_used: how many pages the heap has handed out
 *
 * To be called before the first page, and again after heap_headroom_step()
 * pages.
 *
 * Context: Process context. May sleep, for reclaim.
 * Return: 0; -ENOMEM if too little would be left for others; -EINTR after a
 * fatal signal. In each case heap_headroom_release() has to follow, after the
 * pages have been freed if the allocation fails.
 */
int heap_headroom_check(struct heap_headroom *room, unsigned long nr_pages,
			unsigned long nr_used)
{
	if (!room->tight) {
		room->nr_oom = READ_ONCE(heap_reserve.nr_oom);
		/* Two that add their steps at once may both fail: try again. */
		if (heap_headroom_grant(room, nr_pages) ||
		    heap_headroom_grant(room, nr_pages))
			return 0;
		if (heap_headroom_is_impossible(nr_pages, nr_used))
			return -ENOMEM;
		if (!heap_headroom_tighten(room))
			return -ENOMEM;
	}
	return heap_headroom_confirm(room);
}
EXPORT_SYMBOL_NS_GPL(heap_headroom_check, DMA_BUF);

/**
 * heap_headroom_step - return after how many pages to check again
 * @room: of the allocation
 *
 * Context: Any.
 * Return: the number of pages, at least one.
 */
unsigned long heap_headroom_step(const struct heap_headroom *room)
{
	return room->tight ? HEAP_HEADROOM_TIGHT_STEP : HEAP_HEADROOM_STEP;
}
EXPORT_SYMBOL_NS_GPL(heap_headroom_step, DMA_BUF);

/**
 * heap_headroom_release - end an allocation that heap_headroom_init() has begun
 * @room: of the allocation, which has all its pages, or none
 *
 * Context: Process context. May sleep.
 */
void heap_headroom_release(struct heap_headroom *room)
{
	LIST_HEAD(folios);

	heap_headroom_ungrant(room);
	if (room->under_way)
		this_cpu_dec(heap_under_way);
	room->under_way = false;
	if (likely(!room->tight))
		return;

	spin_lock(&heap_reserve.lock);
	/*
	 * A task may have found nothing while this one held the reserve, and be
	 * on its way to the notifier: it shall try once more.
	 */
	heap_reserve.ended = true;
	if (!--heap_reserve.users) {
		list_splice_init(&heap_reserve.folios, &folios);
		WRITE_ONCE(heap_reserve.nr_pages, 0);
	}
	spin_unlock(&heap_reserve.lock);

	heap_headroom_free(&folios);
	room->tight = false;
}
EXPORT_SYMBOL_NS_GPL(heap_headroom_release, DMA_BUF);

static int __init heap_headroom_setup(void)
{
	return register_oom_notifier(&heap_headroom_notifier);
}
subsys_initcall(heap_headroom_setup);
