// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an allocation of a heap leaves to others
 *
 * The pages of a heap cannot be reclaimed. If an allocation takes what is left, the
 * next page fault of any program finds nothing, and has the OOM killer choose a
 * task. The caller of the heap can live with ENOMEM, others cannot: so an
 * allocation has to stop before that.
 *
 * As long as enough is free, or is clean page cache, it is let through. From there
 * on no estimate is good enough: whether a page of swap can be filled, and what
 * shrinkers will free (pools of drivers, purgeable objects) is known only when it
 * has been tried. So the allocation goes on, with reclaim, but holds a reserve
 * meanwhile: memory for others, allocated first and freed at the end. It fails when
 * the reserve or a page cannot be had, and when reclaim has pushed out too much of
 * what programs work with. If another task runs out of memory meanwhile, it gets the
 * reserve, the allocation is called off, and what it has taken comes back before
 * a task is killed.
 *
 * What can never be had is refused at once: reclaim would write out all programs
 * for nothing.
 *
 * Lock order: heap_reserve.fill (mutex) is held while the reserve is allocated, and
 * heap_reserve.lock within it. The latter is taken in the OOM notifier as well, so
 * nothing is allocated or freed under it.
 */
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
 * What is left for others, at least: a share of memory, but no more than so much.
 * Whoever works right after us needs a few pages for it, be it to report our ENOMEM.
 */
#define HEAP_HEADROOM_SHARE		128
#define HEAP_HEADROOM_PAGES		(SZ_32M >> PAGE_SHIFT)

/*
 * What is held for watermarks that may yet rise, at most: a share of memory. With
 * huge pages a boost can be 160 MiB on a machine of 2 GiB; without, it is a fiftieth.
 */
#define HEAP_HEADROOM_BOOST_SHARE	16

/* What programs have in memory is not pushed out below so many times as much. */
#define HEAP_HEADROOM_ANON		4

/*
 * How often the OOM killer waits a tick for allocations that have been called off,
 * in all. That takes as long as freeing what they have; the bound is for one that is
 * stuck. It is counted anew after so long without a task that was out of memory.
 */
#define HEAP_HEADROOM_OOM_WAITS		HZ
#define HEAP_HEADROOM_OOM_QUIET		(10 * HZ)

/* For so long no allocation is let go on with memory short. */
#define HEAP_HEADROOM_OOM_REFUSE	HZ

/**
 * struct heap_reserve - memory that stays free for others, and who has it held
 * @fill: serializes filling
 * @lock: protects all below
 * @folios: the reserve, linked by their lru
 * @nr_pages: how many pages these are
 * @users: how many allocations go on although memory is short
 * @called_off: one of these was called off and has come to its end since the OOM
 *	killer was here
 * @nr_oom: how often the OOM killer was about to look for a task
 * @nr_waits: how often it has waited
 * @last_oom: when it was last here, in jiffies; valid when @nr_oom is not 0
 */
struct heap_reserve {
	struct mutex fill; /* filling */
	spinlock_t lock; /* all below */
	struct list_head folios;
	unsigned long nr_pages;
	unsigned int users;
	bool called_off;
	unsigned int nr_oom;
	unsigned int nr_waits;
	u64 last_oom;
};

static struct heap_reserve heap_reserve = {
	.fill = __MUTEX_INITIALIZER(heap_reserve.fill),
	.lock = __SPIN_LOCK_UNLOCKED(heap_reserve.lock),
	.folios = LIST_HEAD_INIT(heap_reserve.folios),
};

static unsigned long heap_headroom_pages(void)
{
	return min(totalram_pages() / HEAP_HEADROOM_SHARE, HEAP_HEADROOM_PAGES);
}

static unsigned long heap_anon_pages(void)
{
	return global_node_page_state(NR_ACTIVE_ANON) +
	       global_node_page_state(NR_INACTIVE_ANON);
}

/* What may be reclaimed of a zone without swapping, or is free. */
static long heap_zone_pages(struct zone *zone)
{
	return zone_page_state(zone, NR_FREE_PAGES) +
	       zone_page_state(zone, NR_ZONE_INACTIVE_FILE) +
	       zone_page_state(zone, NR_ZONE_ACTIVE_FILE);
}

/* Memory that counts as available, but that a heap cannot have: it must be movable. */
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

/* What the nodes have that the running task is bound to; LONG_MAX if it is not. */
static long heap_bound_pages(void)
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
				pages += heap_zone_pages(zone) -
					 zone_page_state(zone, NR_FREE_CMA_PAGES) -
					 high_wmark_pages(zone);
		}
	}
	return pages;
}

/*
 * Test whether @nr_pages can be had without pushing out any program, and enough be
 * left for others. As many CPUs may take a step at the same time.
 */
static bool heap_headroom_is_roomy(unsigned long nr_pages)
{
	long available = min(si_mem_available() - heap_movable_pages(),
			     heap_bound_pages());

	nr_pages += heap_headroom_pages() + num_online_cpus() * HEAP_HEADROOM_STEP;
	return available > 0 && nr_pages < available;
}

/*
 * How many pages of programs are to stay in memory: of all that they have, swapped
 * out or not, as what is in memory now may be little for that very reason.
 */
static unsigned long heap_headroom_min_anon(void)
{
	unsigned long swapped = total_swap_pages - get_nr_swap_pages();

	return min(heap_anon_pages() + swapped,
		   heap_headroom_pages() * HEAP_HEADROOM_ANON);
}

/*
 * How many pages could be had at the very best. This is all memory but for what is
 * known to stay; who has the rest is not known, so a shrinker may. What programs
 * have stays as well, unless it has a place in swap.
 */
static long heap_headroom_ceiling(unsigned long nr_used)
{
	long anon = heap_anon_pages(), swap = get_nr_swap_pages();
	long keep = min_t(long, anon, heap_headroom_min_anon());

	return (long)totalram_pages() - (long)nr_used -
	       max(anon - swap, keep) -
	       (long)global_zone_page_state(NR_FREE_CMA_PAGES) -
	       (long)global_zone_page_state(NR_MLOCK) -
	       (long)global_node_page_state(NR_PAGETABLE) -
	       (long)(global_node_page_state(NR_KERNEL_STACK_KB) / (PAGE_SIZE / SZ_1K)) -
	       (long)global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B);
}

/*
 * By how many pages the watermarks may yet rise. The page allocator boosts them by up
 * to one and a half times the high one (vm.watermark_boost_factor) when pages that
 * cannot be moved spread, which is what a heap's are. What was left to others above
 * the watermark would be below it then, and the next task find nothing.
 */
static unsigned long heap_boost_pages(void)
{
	unsigned long pages = 0, max, boost;
	struct zone *zone;

	for_each_populated_zone(zone) {
		if (zone_idx(zone) > gfp_zone(GFP_HIGHUSER))
			continue;
		boost = READ_ONCE(zone->watermark_boost);
		max = zone->_watermark[WMARK_HIGH] * 3 / 2;
		pages += max - min(max, boost);
	}
	return pages;
}

/* A large folio if there is one, else a page, for which reclaim is done. */
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
 * Free a reserve for others. In the lists of a CPU it does not count as free, and a
 * task that finds nothing to reclaim does not look there before it has one killed.
 */
static void heap_headroom_free(struct list_head *folios)
{
	if (list_empty(folios))
		return;
	heap_free_folios(folios);
	drain_all_pages(NULL);
}

/* Was the OOM killer here, not longer ago than this? */
static bool heap_oom_since_locked(u64 ticks)
{
	lockdep_assert_held(&heap_reserve.lock);
	return heap_reserve.nr_oom &&
	       get_jiffies_64() - heap_reserve.last_oom < ticks;
}

/* Note that a task is out of memory; take the reserve. */
static unsigned long heap_headroom_call_off(struct list_head *folios, bool *wait)
{
	unsigned long nr_pages;

	spin_lock(&heap_reserve.lock);
	if (!heap_oom_since_locked(HEAP_HEADROOM_OOM_QUIET))
		heap_reserve.nr_waits = 0;
	/* Never 0 again, as that says that there was none. */
	heap_reserve.nr_oom = heap_reserve.nr_oom + 1 ?: 1;
	heap_reserve.last_oom = get_jiffies_64();

	list_splice_init(&heap_reserve.folios, folios);
	nr_pages = heap_reserve.nr_pages;
	heap_reserve.nr_pages = 0;

	*wait = !nr_pages && (heap_reserve.users || heap_reserve.called_off) &&
		heap_reserve.nr_waits < HEAP_HEADROOM_OOM_WAITS;
	heap_reserve.nr_waits += *wait;
	heap_reserve.called_off = false;
	spin_unlock(&heap_reserve.lock);
	return nr_pages;
}

/*
 * A task is out of memory: it gets the reserve, and then whatever the allocations
 * have, as soon as they notice. To say that something was freed has the task try
 * again rather than be killed.
 */
VISIBLE_IF_KUNIT int heap_headroom_oom(struct notifier_block *oom,
				       unsigned long unused, void *freed)
{
	unsigned long nr_pages;
	LIST_HEAD(folios);
	bool wait;

	nr_pages = heap_headroom_call_off(&folios, &wait);
	heap_headroom_free(&folios);
	if (wait) {
		schedule_timeout_uninterruptible(1);
		nr_pages = 1;
	}
	*(unsigned long *)freed += nr_pages;
	return NOTIFY_OK;
}
EXPORT_SYMBOL_IF_KUNIT(heap_headroom_oom);

static struct notifier_block heap_headroom_notifier = {
	.notifier_call = heap_headroom_oom,
};

#if IS_ENABLED(CONFIG_KUNIT)
/* For a test, which is no task out of memory: forget the calls that it made. */
void heap_headroom_forget_oom(void)
{
	spin_lock(&heap_reserve.lock);
	heap_reserve.nr_oom = 0;
	heap_reserve.nr_waits = 0;
	heap_reserve.called_off = false;
	spin_unlock(&heap_reserve.lock);
}
EXPORT_SYMBOL_IF_KUNIT(heap_headroom_forget_oom);

unsigned long heap_headroom_reserved(void)
{
	return READ_ONCE(heap_reserve.nr_pages);
}
EXPORT_SYMBOL_IF_KUNIT(heap_headroom_reserved);
#endif

/* From here on, memory is short. Not soon after a task has run out of it. */
static bool heap_headroom_tighten(struct heap_headroom *room)
{
	bool refuse;

	spin_lock(&heap_reserve.lock);
	refuse = heap_oom_since_locked(HEAP_HEADROOM_OOM_REFUSE);
	if (!refuse) {
		heap_reserve.users++;
		room->nr_oom = heap_reserve.nr_oom;
		room->tight = true;
	}
	spin_unlock(&heap_reserve.lock);
	return !refuse;
}

/**
 * heap_headroom_is_called_off - test whether an allocation has to end
 * @room: of the allocation
 *
 * To be asked often, as a task waits which is out of memory.
 *
 * Context: Any.
 * Return: whether a task has run out of memory since it was found to be short.
 */
bool heap_headroom_is_called_off(const struct heap_headroom *room)
{
	return room->tight && READ_ONCE(heap_reserve.nr_oom) != room->nr_oom;
}
EXPORT_SYMBOL_NS_GPL(heap_headroom_is_called_off, DMA_BUF);

/* Into the reserve, unless it has just been given away. */
static bool heap_headroom_keep(struct heap_headroom *room, struct folio *folio)
{
	bool keep;

	spin_lock(&heap_reserve.lock);
	keep = heap_reserve.nr_oom == room->nr_oom;
	if (keep) {
		list_add(&folio->lru, &heap_reserve.folios);
		heap_reserve.nr_pages += folio_nr_pages(folio);
	}
	spin_unlock(&heap_reserve.lock);
	return keep;
}

/* Are others worse off than they may be? Without swap they stay where they are. */
static bool heap_headroom_is_exceeded(const struct heap_headroom *room)
{
	return heap_headroom_is_called_off(room) ||
	       (get_nr_swap_pages() > 0 &&
		heap_anon_pages() < heap_headroom_min_anon());
}

/* Allocate what is missing of the reserve. */
static int heap_headroom_fill(struct heap_headroom *room)
{
	unsigned int order = HEAP_TOP_ORDER;
	unsigned long want = heap_headroom_pages(), has;
	struct folio *folio;
	int ret = 0;

	want += min(heap_boost_pages(), totalram_pages() / HEAP_HEADROOM_BOOST_SHARE);
	if (mutex_lock_killable(&heap_reserve.fill))
		return -EINTR;
	while ((has = READ_ONCE(heap_reserve.nr_pages)) < want) {
		folio = NULL;
		if (!fatal_signal_pending(current) &&
		    !heap_headroom_is_exceeded(room))
			folio = heap_headroom_alloc(want - has, &order);
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
 * heap_headroom_check - test whether an allocation may go on
 * @room: of the allocation, from heap_headroom_init()
 * @nr_pages: how many pages it still needs, at least one
 * @nr_used: how many pages the heap has handed out
 *
 * To be asked before the first page, and again after heap_headroom_step() pages.
 *
 * Context: Process context. May sleep, for reclaim.
 * Return: 0; -ENOMEM when too little would be left for others, -EINTR when a fatal
 * signal has come. In each case heap_headroom_release() has to follow, after
 * the pages have been freed if the allocation fails.
 */
int heap_headroom_check(struct heap_headroom *room, unsigned long nr_pages,
			unsigned long nr_used)
{
	int ret;

	if (!room->tight) {
		if (heap_headroom_is_roomy(nr_pages))
			return 0;
		if ((long)(nr_pages + heap_headroom_pages()) >=
		    heap_headroom_ceiling(nr_used))
			return -ENOMEM;
		if (!heap_headroom_tighten(room))
			return -ENOMEM;
		ret = heap_headroom_fill(room);
		if (ret)
			return ret;
	}
	return heap_headroom_is_exceeded(room) ? -ENOMEM : 0;
}
EXPORT_SYMBOL_NS_GPL(heap_headroom_check, DMA_BUF);

/**
 * heap_headroom_step - say when to check again
 * @room: of the allocation
 *
 * Context: Any.
 * Return: after so many pages.
 */
unsigned long heap_headroom_step(const struct heap_headroom *room)
{
	return room->tight ? HEAP_HEADROOM_TIGHT_STEP : HEAP_HEADROOM_STEP;
}
EXPORT_SYMBOL_NS_GPL(heap_headroom_step, DMA_BUF);

/**
 * heap_headroom_release - end what heap_headroom_init() began
 * @room: of the allocation, which has all its pages, or none
 *
 * Context: Process context. May sleep.
 */
void heap_headroom_release(struct heap_headroom *room)
{
	LIST_HEAD(folios);

	if (likely(!room->tight))
		return;

	spin_lock(&heap_reserve.lock);
	/* It may have freed something after the task in need has last looked. */
	heap_reserve.called_off |= heap_reserve.nr_oom != room->nr_oom;
	if (!--heap_reserve.users) {
		list_splice_init(&heap_reserve.folios, &folios);
		heap_reserve.nr_pages = 0;
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
