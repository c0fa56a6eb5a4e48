// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions of contiguous memory, and buffers out of them
 *
 * A buffer is one physical run, &struct cma_run. A region wants a run back in
 * one piece, and warns about pages still in use. Programs cannot pin such
 * pages, see heap_mmap(), but a driver may have a reference when the buffer is
 * released, and a scanner of physical memory takes one for a moment. Such a run
 * is parked: the buffer's references stay, so the pages are given to no other
 * buffer, and so does what it is charged and counted for, until a later look
 * finds all pages unused. Pages of a released buffer are in no page table, so a
 * count which has come down to the buffer's own reference stays there.
 *
 * Always built in, as the region allocator has no exports; cma_heap.c makes
 * device nodes of the regions and may be a module.
 *
 * Locks: regions_lock (mutex) orders the handing over of regions. parked_lock
 * (spinlock, innermost) protects the list of parked runs and the pause between
 * two looks at it.
 */
#include <linux/cleanup.h>
#include <linux/cma.h>
#include <linux/dma-buf/heaps/cma.h>
#include <linux/dma-heap.h>
#include <linux/dma-map-ops.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "cma_run.h"
#include "heap_buffer.h"

/* The name that later kernels give the default region on every platform. */
#define CMA_REGION_STABLE_NAME	"default_cma_region"

/*
 * How long a parked run waits before it is looked at again: twice as long each
 * time, up to the second. A new one, or a region that is used up, starts over.
 */
#define CMA_RUN_PAUSE_MIN	(HZ / 2)
#define CMA_RUN_PAUSE_MAX	(16 * HZ)

/* How often a run is asked for, and the pause before the later tries. */
#define CMA_RUN_TRIES		3
#define CMA_RUN_TRY_PAUSE		(HZ / 50)

/* Pages zeroed between two checks for signals and the scheduler. */
#define CMA_RUN_ZERO_BATCH	256

/**
 * struct cma_run - what one buffer has taken from a region
 * @node: entry of parked_runs; parked_lock
 * @buffer: the buffer, which a parked run has a reference on
 * @cma: the region
 * @page: first page
 * @nr_pages: how many
 */
struct cma_run {
	struct list_head node;
	struct heap_buffer *buffer;
	struct cma *cma;
	struct page *page;
	unsigned long nr_pages;
};

static void cma_run_unpark_work(struct work_struct *work);

static LIST_HEAD(parked_runs);
static unsigned long parked_pause = CMA_RUN_PAUSE_MIN;
static DEFINE_SPINLOCK(parked_lock);
static DECLARE_DELAYED_WORK(unpark_work, cma_run_unpark_work);

/* Test whether the buffer has the only reference on each page of a run. */
static bool cma_run_is_idle(const struct cma_run *run)
{
	unsigned long i;

	for (i = 0; i < run->nr_pages; i++)
		if (page_ref_count(nth_page(run->page, i)) != 1)
			return false;
	return true;
}

static void cma_run_release(struct cma_run *run)
{
	WARN_ON_ONCE(!cma_release(run->cma, run->page, run->nr_pages));
	kfree(run);
}

/* Check the parked runs soon, with the shortest pause again. */
static void cma_run_unpark_soon(void)
{
	spin_lock(&parked_lock);
	parked_pause = CMA_RUN_PAUSE_MIN;
	if (!list_empty(&parked_runs))
		mod_delayed_work(system_unbound_wq, &unpark_work, parked_pause);
	spin_unlock(&parked_lock);
}

static void cma_run_park(struct cma_run *run)
{
	heap_buffer_get(run->buffer);
	spin_lock(&parked_lock);
	list_add_tail(&run->node, &parked_runs);
	spin_unlock(&parked_lock);
	cma_run_unpark_soon();
}

/* Release the parked runs that are idle now. */
static void cma_run_unpark_idle(void)
{
	struct heap_buffer *buffer;
	struct cma_run *run, *next;
	LIST_HEAD(runs);
	LIST_HEAD(busy);

	spin_lock(&parked_lock);
	list_splice_init(&parked_runs, &runs);
	spin_unlock(&parked_lock);

	list_for_each_entry_safe(run, next, &runs, node) {
		if (!cma_run_is_idle(run)) {
			list_move_tail(&run->node, &busy);
			continue;
		}
		list_del(&run->node);
		buffer = run->buffer;
		cma_run_release(run);
		heap_buffer_put(buffer);
		cond_resched();
	}

	/* The work item may have found nothing, as all of it was here. */
	spin_lock(&parked_lock);
	list_splice(&busy, &parked_runs);
	if (!list_empty(&parked_runs))
		queue_delayed_work(system_unbound_wq, &unpark_work, parked_pause);
	spin_unlock(&parked_lock);
}

static void cma_run_unpark_work(struct work_struct *work)
{
	spin_lock(&parked_lock);
	parked_pause = min(2 * parked_pause, CMA_RUN_PAUSE_MAX);
	spin_unlock(&parked_lock);
	cma_run_unpark_idle();
}

static int cma_run_zero(const struct cma_run *run)
{
	unsigned long i;

	for (i = 0; i < run->nr_pages; i++) {
		if (i % CMA_RUN_ZERO_BATCH == 0) {
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		}
		clear_highpage(nth_page(run->page, i));
	}
	return 0;
}

/*
 * A try fails when some page cannot be moved out of the way. It may be that
 * just now it is written back, or in a per-CPU batch, or a run of ours which
 * waits to be given back; so do something about that, or wait a little, and try
 * again.
 */
static int cma_run_take(struct cma_run *run)
{
	unsigned int align, tries;

	align = min(get_order(run->nr_pages << PAGE_SHIFT), CONFIG_CMA_ALIGNMENT);
	for (tries = 0; tries < CMA_RUN_TRIES; tries++) {
		if (tries)
			cma_run_unpark_idle();
		if (tries > 1)
			schedule_timeout_killable(CMA_RUN_TRY_PAUSE);
		if (fatal_signal_pending(current))
			return -EINTR;

		run->page = cma_alloc(run->cma, run->nr_pages, align, true);
		if (run->page)
			return 0;
	}
	cma_run_unpark_soon();
	return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
}

static int cma_run_fill(struct heap_buffer *buffer, unsigned long nr_pages)
{
	struct cma_run *run;
	int ret;

	run = kzalloc(sizeof(*run), GFP_KERNEL);
	if (!run)
		return -ENOMEM;

	run->buffer = buffer;
	run->cma = dma_heap_get_drvdata(buffer->heap);
	run->nr_pages = nr_pages;
	ret = cma_run_take(run);
	if (ret)
		goto err_free_run;

	ret = cma_run_zero(run);
	if (!ret)
		ret = heap_buffer_append(buffer, run->page, run->nr_pages);
	if (ret)
		goto err_release_run;

	buffer->backing_priv = run;
	return 0;

err_release_run:
	cma_run_release(run);
	return ret;
err_free_run:
	kfree(run);
	return ret;
}

static void cma_run_put(struct heap_buffer *buffer)
{
	struct cma_run *run = buffer->backing_priv;

	/* Filling failed, or was not tried. */
	if (!run)
		return;

	if (cma_run_is_idle(run))
		cma_run_release(run);
	else
		cma_run_park(run);
}

static const struct heap_backing cma_run_backing = {
	.put		= cma_run_put,
	.private_mmap	= false,
	.longterm_pin	= false,
};

/**
 * cma_run_fits - test whether a region has so many pages at all
 * @heap: the heap of the region
 * @nr_pages: how many pages
 *
 * Context: Any.
 * Return: false if they can never be had.
 */
bool cma_run_fits(struct dma_heap *heap, unsigned long nr_pages)
{
	struct cma *cma = dma_heap_get_drvdata(heap);

	return nr_pages <= cma_get_size(cma) >> PAGE_SHIFT;
}
EXPORT_SYMBOL_NS_GPL(cma_run_fits, DMA_BUF);

/**
 * cma_run_buffer - allocate a buffer from a region and export it
 * @heap: the heap, whose private pointer is the region
 * @len: see &dma_heap_ops.allocate
 * @fd_flags: likewise
 *
 * Context: Process context. May sleep, and long; a fatal signal ends it.
 * Return: see heap_buffer_export(); ERR_PTR(-EINVAL) when @len is 0 or no
 * multiple of PAGE_SIZE; ERR_PTR(-ENOMEM), at once for more than the region
 * has; or ERR_PTR(-EINTR) after a fatal signal.
 */
struct dma_buf *cma_run_buffer(struct dma_heap *heap, unsigned long len,
			       u32 fd_flags)
{
	struct heap_buffer *buffer;
	int ret;

	/* Refuse at once, before anything is moved out of the way. */
	if (!cma_run_fits(heap, len >> PAGE_SHIFT))
		return ERR_PTR(-ENOMEM);

	buffer = heap_buffer_alloc(heap, len, &cma_run_backing);
	if (IS_ERR(buffer))
		return ERR_CAST(buffer);

	ret = cma_run_fill(buffer, len >> PAGE_SHIFT);
	if (ret) {
		heap_buffer_abort(buffer);
		return ERR_PTR(ret);
	}
	return heap_buffer_export(buffer, fd_flags);
}
EXPORT_SYMBOL_NS_GPL(cma_run_buffer, DMA_BUF);

/* -- regions -------------------------------------------------------------- */

static DEFINE_MUTEX(regions_lock);

/* Regions that were handed over, and what makes heaps of them; regions_lock. */
static struct cma *handed_regions[MAX_CMA_AREAS];
static unsigned int nr_handed_regions;
static cma_region_fn *region_add;

/**
 * dma_heap_cma_register_heap - let programs allocate from a region
 * @cma: the region, which stays for good
 *
 * The heap bears the name of the region. It is there as long as the CMA heaps
 * are, which may be a module.
 *
 * Context: Process context, from early boot on. May sleep.
 * Return: 0; -EINVAL when there is a heap of that name; -ENOMEM, also when more
 * regions have been handed over than there can be; or what dma_heap_add() says.
 */
int dma_heap_cma_register_heap(struct cma *cma)
{
	int ret;

	guard(mutex)(&regions_lock);
	if (nr_handed_regions == ARRAY_SIZE(handed_regions))
		return -ENOMEM;

	ret = region_add ? region_add(cma, cma_get_name(cma)) : 0;
	if (!ret)
		handed_regions[nr_handed_regions++] = cma;
	return ret;
}
EXPORT_SYMBOL_GPL(dma_heap_cma_register_heap);

/* cma_for_each_area(): the region of a node bears its full name. */
static int cma_region_add_if_named(struct cma *cma, void *name)
{
	if (cma == dev_get_cma_area(NULL) || strcmp(cma_get_name(cma), name))
		return 0;
	return region_add(cma, name);
}

static void cma_regions_add_nodes_locked(void)
{
	struct device_node *parent, *node;

	lockdep_assert_held(&regions_lock);
	parent = of_find_node_by_path("/reserved-memory");
	for_each_available_child_of_node(parent, node) {
		if (!of_device_is_compatible(node, "shared-dma-pool") ||
		    !of_property_read_bool(node, "reusable"))
			continue;
		cma_for_each_area(cma_region_add_if_named,
				  (void *)kbasename(node->full_name));
	}
	of_node_put(parent);
}

static int cma_regions_add_default_locked(void)
{
	struct cma *cma = dev_get_cma_area(NULL);
	const char *name;
	int ret;

	lockdep_assert_held(&regions_lock);
	/* No region, no heap: nothing wrong with that. */
	if (!cma)
		return 0;

	name = cma_get_name(cma);
	ret = region_add(cma, name);
	if (!ret && strcmp(name, CMA_REGION_STABLE_NAME))
		ret = region_add(cma, CMA_REGION_STABLE_NAME);
	return ret;
}

/**
 * cma_regions_open - make heaps of all regions, and of those still to come
 * @add: makes a heap of a region; called with regions_lock, and by
 *	dma_heap_cma_register_heap() until cma_regions_close()
 *
 * A heap that cannot be made is no reason to do without the others.
 *
 * Context: Process context, once until cma_regions_close(). May sleep.
 * Return: 0, or what @add says of the default region.
 */
int cma_regions_open(cma_region_fn *add)
{
	unsigned int i, nr = 0;
	struct cma *cma;
	int ret;

	guard(mutex)(&regions_lock);
	region_add = add;
	ret = cma_regions_add_default_locked();
	cma_regions_add_nodes_locked();
	for (i = 0; i < nr_handed_regions; i++) {
		cma = handed_regions[i];
		/* One that was handed over before, or is in the device tree. */
		if (add(cma, cma_get_name(cma)) == -EINVAL)
			continue;
		handed_regions[nr++] = cma;
	}
	nr_handed_regions = nr;
	return ret;
}
EXPORT_SYMBOL_NS_GPL(cma_regions_open, DMA_BUF);

/**
 * cma_regions_close - make no more heaps of regions
 *
 * Context: Process context. May sleep, until the last call of the function that
 * cma_regions_open() was given has returned.
 */
void cma_regions_close(void)
{
	guard(mutex)(&regions_lock);
	region_add = NULL;
}
EXPORT_SYMBOL_NS_GPL(cma_regions_close, DMA_BUF);
