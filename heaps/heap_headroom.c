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
 * Lock order: heap_headroom.lock is taken within the lock of the OOM notifiers,
 * which registration takes; nothing is allocated or freed under it.
 */
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/oom.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "heap_headroom.h"
#include "heap_policy.h"
#include "heap_shelf.h"

/* How many pages may be taken between two checks, and when memory is short. */
#define HEAP_HEADROOM_STEP		(SZ_4M >> PAGE_SHIFT)
#define HEAP_HEADROOM_TIGHT_STEP	(SZ_1M >> PAGE_SHIFT)

/*
 * What is left for others, at least: a share of memory, but no more than so much.
 * Whoever works right after us needs a few pages for it, be it to report our ENOMEM.
 */
#define HEAP_HEADROOM_SHARE		128
#define HEAP_HEADROOM_PAGES		(SZ_32M >> PAGE_SHIFT)

/* What programs have in memory is not pushed out below so many times as much. */
#define HEAP_HEADROOM_ANON		4

/*
 * How often the OOM killer waits a tick for an allocation that has been called off.
 * That takes as long as freeing what it has; the bound is for one that is stuck.
 */
#define HEAP_HEADROOM_OOM_WAITS		1000

/* What programs had in memory when memory was not short. */
static unsigned long heap_roomy_anon;

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
	if (available < 0 || nr_pages >= available)
		return false;
	WRITE_ONCE(heap_roomy_anon, heap_anon_pages());
	return true;
}

/* How many pages of programs are to stay in memory. */
static unsigned long heap_headroom_min_anon(void)
{
	return min(READ_ONCE(heap_roomy_anon),
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

static unsigned long heap_headroom_empty(struct heap_headroom *room, bool oom)
{
	unsigned long nr_pages;
	LIST_HEAD(folios);

	spin_lock(&room->lock);
	list_splice_init(&room->reserve, &folios);
	nr_pages = room->nr_reserve;
	room->nr_reserve = 0;
	room->nr_oom += oom;
	spin_unlock(&room->lock);

	heap_free_folios(&folios);
	return nr_pages;
}

/*
 * A task is out of memory: it gets the reserve, and then whatever the allocation
 * has, as soon as that notices. To say that something was freed has the task try
 * again rather than be killed.
 */
static int heap_headroom_oom(struct notifier_block *oom, unsigned long unused,
			     void *freed)
{
	struct heap_headroom *room = container_of(oom, struct heap_headroom, oom);
	unsigned long nr_pages = heap_headroom_empty(room, true);

	if (!nr_pages && READ_ONCE(room->nr_oom) < HEAP_HEADROOM_OOM_WAITS) {
		schedule_timeout_uninterruptible(1);
		nr_pages = 1;
	}
	*(unsigned long *)freed += nr_pages;
	return NOTIFY_OK;
}

/* From here on, memory is short. */
static void heap_headroom_tighten(struct heap_headroom *room)
{
	spin_lock_init(&room->lock);
	INIT_LIST_HEAD(&room->reserve);
	room->nr_reserve = 0;
	room->nr_oom = 0;
	room->min_anon = min(heap_anon_pages(), heap_headroom_min_anon());
	room->oom = (struct notifier_block) { .notifier_call = heap_headroom_oom };
	room->tight = true;
	register_oom_notifier(&room->oom);
}

/* Allocate the reserve. It is never filled up again. */
static int heap_headroom_fill(struct heap_headroom *room)
{
	unsigned long left = heap_headroom_pages(), nr;
	unsigned int order = min(PMD_SHIFT - PAGE_SHIFT, MAX_PAGE_ORDER);
	struct folio *folio;

	while (left && !READ_ONCE(room->nr_oom)) {
		folio = heap_headroom_alloc(left, &order);
		if (!folio)
			return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
		nr = folio_nr_pages(folio);
		spin_lock(&room->lock);
		list_add(&folio->lru, &room->reserve);
		room->nr_reserve += nr;
		spin_unlock(&room->lock);
		left -= nr;
		cond_resched();
	}
	return 0;
}

/* Are others worse off than they may be? Without swap they stay where they are. */
static bool heap_headroom_is_exceeded(const struct heap_headroom *room)
{
	return READ_ONCE(room->nr_oom) ||
	       (get_nr_swap_pages() > 0 && heap_anon_pages() < room->min_anon);
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
		heap_headroom_tighten(room);
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
	if (likely(!room->tight))
		return;
	unregister_oom_notifier(&room->oom);
	heap_headroom_empty(room, false);
	room->tight = false;
}
EXPORT_SYMBOL_NS_GPL(heap_headroom_release, DMA_BUF);
