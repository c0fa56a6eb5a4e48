// SPDX-License-Identifier: GPL-2.0-only
/*
 * Charge buffers to memory cgroups
 *
 * A buffer is charged as kernel memory as long as it has its pages: one charge
 * for all of them, which is cheap, to the objcg that the buffer holds a
 * reference on. Pages in the pool are charged to no cgroup.
 *
 * A folio that is still in use elsewhere when its buffer is released takes its
 * part of the charge along, so that no program gets memory past its limit by
 * pinning it:
 *
 * - One that is pinned, by direct I/O or a pipe say, has the charge moved to
 *   the folio, and the page allocator ends it when the last reference goes.
 * - One that is mapped has not. A socket can map the pages that it has received
 *   into the receiver (TCP_ZEROCOPY_RECEIVE), without the buffer. The mapping
 *   has been counted for the node alone, as the folio had no cgroup; its end
 *   would be counted for the cgroup as well, whose NR_FILE_MAPPED would fall
 *   short for good. So such a folio is parked here: a reference and the charge
 *   are kept until no other user is left, which is polled for, since nothing
 *   tells of it. It is also looked for when a charge fails, and when a task is
 *   out of memory.
 *
 * Invariant: each page that was charged is uncharged once, by heap_uncharge()
 * for the buffer, by the page allocator for a moved charge, or by the work item
 * for a parked folio.
 *
 * Lock order: heap_parked_lock (spinlock) is innermost. Nothing is freed under
 * it.
 */
#include <linux/dma-heap.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/memcontrol.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/page_counter.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "heap_charge.h"
#include "heap_folio.h"

/*
 * Over the limit: reclaim from the group, and then fail, without having a task
 * killed. A program can live with ENOMEM.
 */
#define HEAP_CHARGE_GFP		(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* obj_cgroup_charge() counts in bytes, and some of it in 32 bits. */
#define HEAP_CHARGE_STEP	(SZ_1G >> PAGE_SHIFT)

/*
 * What has to be left of a limit. The next page that a task at its limit is
 * charged for, one of its stack say, would have it killed.
 */
#define HEAP_CHARGE_SPARE	(SZ_512K >> PAGE_SHIFT)

/* How long to wait before parked folios are looked at, at first and at most. */
#define HEAP_PARKED_PAUSE_MIN	(HZ / 4)
#define HEAP_PARKED_PAUSE_MAX	(2 * HZ)

/* How many of them are looked at in a row. */
#define HEAP_PARKED_BATCH	1024

/* -- internals of memory cgroups ------------------------------------------ */

/*
 * Return the counter of a cgroup, whose parents are those of the cgroups above.
 * No function tells how much is left of a limit: mem_cgroup_margin() is static,
 * and mem_cgroup_get_max() adds swap, which kernel memory cannot use.
 *
 * Context: RCU read-side, or the caller holds the cgroup.
 */
static struct page_counter *heap_charge_counter(struct obj_cgroup *objcg)
{
	return &obj_cgroup_memcg(objcg)->memory;
}

/*
 * Make a folio what __GFP_ACCOUNT makes of it: charged to an objcg, whose
 * reference goes with it. The page allocator then uncharges it when it is
 * freed: __folio_put() and its relatives call mem_cgroup_uncharge() for the
 * folio's size. There is no function to charge pages that exist without
 * charging them anew, which may fail.
 */
static void heap_charge_set_folio(struct folio *folio, struct obj_cgroup *objcg)
{
	WRITE_ONCE(folio->memcg_data, (unsigned long)objcg | MEMCG_DATA_KMEM);
}

static unsigned long heap_parked_reap_all(void);

/* -- buffers -------------------------------------------------------------- */

/*
 * Test whether less than the spare is left of the group's limit, or one above.
 */
static bool heap_charge_is_tight(struct obj_cgroup *objcg)
{
	struct page_counter *counter;

	guard(rcu)();
	for (counter = heap_charge_counter(objcg); counter;
	     counter = counter->parent)
		if (page_counter_read(counter) + HEAP_CHARGE_SPARE >
		    READ_ONCE(counter->max))
			return true;
	return false;
}

/**
 * heap_charge_spare - make sure that a cgroup is not at its limit
 * @objcg: what heap_charge() has set; NULL is allowed
 *
 * For a caller that goes on to allocate: the small allocations of the kernel
 * that are charged, too, have a task killed when they meet the limit.
 *
 * Context: Process context. May sleep, for reclaim.
 * Return: 0; -ENOMEM if nearly nothing is left of a limit.
 */
int heap_charge_spare(struct obj_cgroup *objcg)
{
	const size_t bytes = HEAP_CHARGE_SPARE << PAGE_SHIFT;
	int ret;

	if (!objcg || !heap_charge_is_tight(objcg))
		return 0;

	ret = obj_cgroup_charge(objcg, HEAP_CHARGE_GFP, bytes);
	if (!ret)
		obj_cgroup_uncharge(objcg, bytes);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(heap_charge_spare, DMA_BUF);

/* Test whether this is more than the group, or one above, may ever have. */
static bool heap_charge_is_impossible(struct obj_cgroup *objcg,
				      unsigned long nr_pages)
{
	struct page_counter *counter;
	unsigned long max;

	guard(rcu)();
	for (counter = heap_charge_counter(objcg); counter;
	     counter = counter->parent) {
		max = READ_ONCE(counter->max);
		if (max < HEAP_CHARGE_SPARE ||
		    nr_pages > max - HEAP_CHARGE_SPARE)
			return true;
	}
	return false;
}

static void heap_charge_undo(struct obj_cgroup *objcg, unsigned long nr_pages)
{
	unsigned long step;

	for (; nr_pages; nr_pages -= step) {
		step = min(nr_pages, HEAP_CHARGE_STEP);
		obj_cgroup_uncharge(objcg, step << PAGE_SHIFT);
	}
}

static int heap_charge_try(struct obj_cgroup *objcg, unsigned long nr_pages)
{
	unsigned long done, step;
	int ret = 0;

	for (done = 0; done < nr_pages; done += step) {
		step = min(nr_pages - done, HEAP_CHARGE_STEP);
		ret = obj_cgroup_charge(objcg, HEAP_CHARGE_GFP, step << PAGE_SHIFT);
		if (ret)
			break;
	}
	if (!ret)
		ret = heap_charge_spare(objcg);
	if (ret)
		heap_charge_undo(objcg, done);
	return ret;
}

/* The cgroup to charge, with a reference; NULL for none. */
static struct obj_cgroup *heap_charge_target(void)
{
	return mem_accounting && memcg_kmem_online() ?
	       get_obj_cgroup_from_current() : NULL;
}

/**
 * heap_charge_check - test whether so many pages could ever be charged
 * @nr_pages: how many
 *
 * For what is charged in parts: reclaim for the first ones would swap out all
 * of the group, for nothing.
 *
 * Context: Process context.
 * Return: 0; -ENOMEM if this exceeds a limit of the group that heap_charge()
 * would charge, or of one above.
 */
int heap_charge_check(unsigned long nr_pages)
{
	struct obj_cgroup *objcg = heap_charge_target();
	int ret = 0;

	if (objcg && heap_charge_is_impossible(objcg, nr_pages))
		ret = -ENOMEM;
	if (objcg)
		obj_cgroup_put(objcg);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(heap_charge_check, DMA_BUF);

/**
 * heap_charge - charge pages to the cgroup of the running task
 * @objcg: set to what was charged, for heap_uncharge(); NULL if nothing was
 * @nr_pages: how many pages
 *
 * Charges the memory cgroup of the running task, or the one that
 * set_active_memcg() names.
 *
 * Context: Process context. May sleep, for reclaim.
 * Return: 0; -ENOMEM if this exceeds a limit of the group, or of one above, or
 * leaves nearly nothing of it.
 */
int heap_charge(struct obj_cgroup **objcg, unsigned long nr_pages)
{
	int ret = -ENOMEM;

	*objcg = heap_charge_target();
	if (!*objcg)
		return 0;

	/* Reclaim would swap out all of the group, for nothing. */
	if (!heap_charge_is_impossible(*objcg, nr_pages)) {
		ret = heap_charge_try(*objcg, nr_pages);
		/* What is parked may have been let go since the last poll. */
		if (ret && heap_parked_reap_all())
			ret = heap_charge_try(*objcg, nr_pages);
	}
	if (ret) {
		obj_cgroup_put(*objcg);
		*objcg = NULL;
	}
	return ret;
}

/**
 * heap_uncharge - uncharge pages
 * @objcg: what heap_charge() has set, whose reference is dropped; NULL is
 * allowed
 * @nr_pages: how many pages are still charged by it
 *
 * Context: Any but NMI.
 */
void heap_uncharge(struct obj_cgroup *objcg, unsigned long nr_pages)
{
	if (!objcg)
		return;
	heap_charge_undo(objcg, nr_pages);
	obj_cgroup_put(objcg);
}

/* -- folios that outlive their buffer ------------------------------------- */

/**
 * struct heap_parked - a folio that was mapped when its buffer was released
 * @node: entry of heap_parked_list; heap_parked_lock
 * @folio: the folio, with a reference
 * @objcg: what it is charged to, with a reference
 */
struct heap_parked {
	struct list_head node;
	struct folio *folio;
	struct obj_cgroup *objcg;
};

static void heap_parked_work(struct work_struct *work);

/* Those not looked at for longest are first. */
static LIST_HEAD(heap_parked_list);
static DEFINE_SPINLOCK(heap_parked_lock);
/* How many are parked, with those that are being looked at. */
static unsigned long heap_parked_count;
static unsigned long heap_parked_pause = HEAP_PARKED_PAUSE_MIN;
static DECLARE_DELAYED_WORK(heap_parked_poll, heap_parked_work);

static void heap_parked_free(struct heap_parked *parked)
{
	heap_uncharge(parked->objcg, folio_nr_pages(parked->folio));
	heap_folio_free(parked->folio);
	kfree(parked);
}

/* Move the first of the list, up to a batch, to @list. */
static void heap_parked_collect(struct list_head *list)
{
	unsigned int i;

	spin_lock(&heap_parked_lock);
	for (i = 0; i < HEAP_PARKED_BATCH && !list_empty(&heap_parked_list); i++)
		list_move_tail(heap_parked_list.next, list);
	spin_unlock(&heap_parked_lock);
}

/*
 * Free what has no other user among the next of the list, and return how many
 * pages that were. All other references may go at any time, but with none left
 * there is no way to get another, see heap_pool_may_reuse().
 */
static unsigned long heap_parked_reap(void)
{
	unsigned long nr_pages = 0, count = 0;
	struct heap_parked *parked, *next;
	LIST_HEAD(list);

	heap_parked_collect(&list);
	list_for_each_entry_safe(parked, next, &list, node) {
		if (folio_ref_count(parked->folio) == 1) {
			list_del(&parked->node);
			nr_pages += folio_nr_pages(parked->folio);
			count++;
			heap_parked_free(parked);
		}
		cond_resched();
	}

	spin_lock(&heap_parked_lock);
	heap_parked_count -= count;
	/* Folios that were mapped together are often let go together. */
	if (count)
		heap_parked_pause = HEAP_PARKED_PAUSE_MIN;
	list_splice_tail(&list, &heap_parked_list);
	/* Here, as a work item that ran meanwhile found an empty list. */
	if (!list_empty(&heap_parked_list))
		queue_delayed_work(system_unbound_wq, &heap_parked_poll,
				   heap_parked_pause);
	spin_unlock(&heap_parked_lock);
	return nr_pages;
}

/* Look at as many as are parked now. */
static unsigned long heap_parked_reap_all(void)
{
	unsigned long count = READ_ONCE(heap_parked_count), nr_pages = 0, i;

	for (i = 0; i < count; i += HEAP_PARKED_BATCH)
		nr_pages += heap_parked_reap();
	return nr_pages;
}

static void heap_parked_work(struct work_struct *work)
{
	spin_lock(&heap_parked_lock);
	heap_parked_pause = min(2 * heap_parked_pause, HEAP_PARKED_PAUSE_MAX);
	spin_unlock(&heap_parked_lock);
	heap_parked_reap();
}

/*
 * Each folio is reported once, so this cannot keep a task from memory for ever.
 */
static int heap_parked_oom(struct notifier_block *oom, unsigned long unused,
			   void *freed)
{
	*(unsigned long *)freed += heap_parked_reap_all();
	return NOTIFY_OK;
}

static struct notifier_block heap_parked_notifier = {
	.notifier_call = heap_parked_oom,
};

/* Keep a mapped folio and its charge until it has no other user. */
static void heap_charge_park(struct obj_cgroup *objcg, struct folio *folio)
{
	struct heap_parked *parked;

	/* The buffer is released anyway, and the charge must not be lost. */
	parked = kmalloc(sizeof(*parked), GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	folio_get(folio);
	obj_cgroup_get(objcg);
	*parked = (struct heap_parked){ .folio = folio, .objcg = objcg };

	spin_lock(&heap_parked_lock);
	list_add_tail(&parked->node, &heap_parked_list);
	heap_parked_count++;
	heap_parked_pause = HEAP_PARKED_PAUSE_MIN;
	queue_delayed_work(system_unbound_wq, &heap_parked_poll,
			   heap_parked_pause);
	spin_unlock(&heap_parked_lock);
}

/**
 * heap_charge_move - let a folio keep its part of a charge
 * @objcg: what heap_charge() has set; NULL is allowed
 * @folio: a folio of the buffer, to which the caller has a reference
 *
 * For a folio that outlives its buffer. Nothing is charged or uncharged here:
 * the pages stay charged to the same cgroup, until the folio is free.
 *
 * A folio that is not mapped gets the charge, see heap_charge_set_folio(). One
 * that is mapped is parked. What remains is a mapping that begins while the
 * charge is moved: it may be counted for the node and its end for the cgroup, a
 * page each time, in a statistic alone.
 *
 * A kernel page must not get into the page cache, whose lists are those of the
 * folio's cgroup: the objcg of a cgroup that is removed goes to the parent and
 * the folio would be on a list of the wrong one. FUSE takes over pages out of a
 * pipe that have no other holder, and neither map nor flags that tell of a
 * user. Being dirty is such a flag, and freeing the page clears it. No heap's
 * page is for the page cache, so one that is charged to no cgroup is marked
 * too.
 *
 * Context: Process context. May sleep.
 * Return: the number of pages that heap_uncharge() must leave out.
 */
unsigned long heap_charge_move(struct obj_cgroup *objcg, struct folio *folio)
{
	/* Whether it is charged or not. */
	folio_set_dirty(folio);
	if (!objcg || WARN_ON_ONCE(folio->memcg_data))
		return 0;

	if (folio_mapped(folio)) {
		heap_charge_park(objcg, folio);
	} else {
		obj_cgroup_get(objcg);
		heap_charge_set_folio(folio, objcg);
	}
	return folio_nr_pages(folio);
}

static int __init heap_charge_init(void)
{
	return register_oom_notifier(&heap_parked_notifier);
}
subsys_initcall(heap_charge_init);
