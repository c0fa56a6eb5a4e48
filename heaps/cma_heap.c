// SPDX-License-Identifier: GPL-2.0-only
/*
 * CMA heap: buffers that are physically contiguous
 *
 * What it is: /dev/dma_heap/NAME for the default contiguous memory region, named
 * as the platform names it, and besides as later kernels do on every platform; for
 * every reusable region of the device tree, named as its node; and for every region
 * that a driver hands over.
 * What it owns: &struct cma_run, one per buffer, from allocation until the region
 * has its pages back; that may be later than the buffer's end.
 * Locks: regions_lock (mutex) orders the handing over of regions. parked_lock
 * (spinlock, innermost) protects the list of runs that wait for somebody to let go
 * of a page.
 * May call: heap_buffer, the heap register, CMA.
 * Never here: what is done with the pages between getting and giving back.
 * Units: counts of pages.
 *
 * A region wants its run back in one piece, and warns about pages still in use.
 * But a program's mapping is made of ordinary pages, so somebody may have one
 * pinned when the buffer dies: a device in the midst of direct I/O, a ptrace-like
 * system call, the mm's own per-CPU batches after munlock(). Such a run is parked,
 * our references kept, so that nobody can be given its pages, and looked at again
 * from time to time. Pages of a dead buffer are in no page table, so a count
 * which has come down to our own reference stays there.
 */
#include <linux/cleanup.h>
#include <linux/cma.h>
#include <linux/dma-buf/heaps/cma.h>
#include <linux/dma-heap.h>
#include <linux/dma-map-ops.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/workqueue.h>

#include "heap_buffer.h"

/* The name that later kernels give the default region on every platform. */
#define CMA_HEAP_STABLE_NAME	"default_cma_region"

/* How long a parked run waits before it is looked at again. */
#define CMA_HEAP_PARKED_DELAY	(HZ / 2)

/* How often a run is asked for, and how long one waits before the later tries. */
#define CMA_HEAP_TRIES		3
#define CMA_HEAP_PAUSE		(HZ / 50)

/* How many pages are zeroed between two looks at signals and the scheduler. */
#define CMA_HEAP_ZERO_BATCH	256

/**
 * struct cma_run - what one buffer has taken from a region
 * @node: entry of parked_runs; parked_lock
 * @cma: the region
 * @page: first page
 * @nr_pages: how many
 */
struct cma_run {
	struct list_head node;
	struct cma *cma;
	struct page *page;
	unsigned long nr_pages;
};

static void cma_heap_unpark(struct work_struct *work);

static LIST_HEAD(parked_runs);
static DEFINE_SPINLOCK(parked_lock);
static DECLARE_DELAYED_WORK(unpark_work, cma_heap_unpark);

/* Does nobody but us hold a page of this run? */
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

static void cma_run_park(struct cma_run *run)
{
	spin_lock(&parked_lock);
	list_add_tail(&run->node, &parked_runs);
	spin_unlock(&parked_lock);
	queue_delayed_work(system_unbound_wq, &unpark_work, CMA_HEAP_PARKED_DELAY);
}

/* Release the parked runs that nobody holds any more; true if others remain. */
static bool cma_heap_unpark_idle(void)
{
	struct cma_run *run, *next;
	LIST_HEAD(runs);
	LIST_HEAD(busy);

	spin_lock(&parked_lock);
	list_splice_init(&parked_runs, &runs);
	spin_unlock(&parked_lock);
	if (list_empty(&runs))
		return false;

	/* The mm's per-CPU batches hold pages for as long as nobody asks. */
	lru_add_drain_all();
	list_for_each_entry_safe(run, next, &runs, node) {
		if (!cma_run_is_idle(run)) {
			list_move_tail(&run->node, &busy);
			continue;
		}
		list_del(&run->node);
		cma_run_release(run);
		cond_resched();
	}

	if (list_empty(&busy))
		return false;
	spin_lock(&parked_lock);
	list_splice(&busy, &parked_runs);
	spin_unlock(&parked_lock);
	return true;
}

static void cma_heap_unpark(struct work_struct *work)
{
	if (cma_heap_unpark_idle())
		queue_delayed_work(system_unbound_wq, &unpark_work,
				   CMA_HEAP_PARKED_DELAY);
}

static int cma_run_zero(const struct cma_run *run)
{
	unsigned long i;

	for (i = 0; i < run->nr_pages; i++) {
		if (i % CMA_HEAP_ZERO_BATCH == 0) {
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		}
		clear_highpage(nth_page(run->page, i));
	}
	return 0;
}

/*
 * A try fails when some page cannot be moved out of the way. It may be that just
 * now it is written back, or in a per-CPU batch, or a run of ours which waits to
 * be given back; so do something about that, or wait a little, and try again.
 */
static int cma_run_take(struct cma_run *run)
{
	unsigned int align, tries;

	align = min(get_order(run->nr_pages << PAGE_SHIFT), CONFIG_CMA_ALIGNMENT);
	for (tries = 0; tries < CMA_HEAP_TRIES; tries++) {
		if (tries)
			cma_heap_unpark_idle();
		if (tries > 1)
			schedule_timeout_killable(CMA_HEAP_PAUSE);
		if (fatal_signal_pending(current))
			return -EINTR;

		run->page = cma_alloc(run->cma, run->nr_pages, align, true);
		if (run->page)
			return 0;
	}
	return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
}

static int cma_heap_get(struct heap_buffer *buffer)
{
	struct cma_run *run;
	int ret;

	run = kzalloc(sizeof(*run), GFP_KERNEL);
	if (!run)
		return -ENOMEM;

	run->cma = dma_heap_get_drvdata(buffer->heap);
	run->nr_pages = buffer->nr_pages;
	ret = cma_run_take(run);
	if (ret)
		goto err_free_run;

	ret = cma_run_zero(run);
	if (!ret)
		ret = heap_buffer_add(buffer, run->page, run->nr_pages);
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

static void cma_heap_put(struct heap_buffer *buffer)
{
	struct cma_run *run = buffer->backing_priv;

	/* Nothing was taken. */
	if (!run)
		return;

	if (cma_run_is_idle(run))
		cma_run_release(run);
	else
		cma_run_park(run);
}

static const struct heap_backing cma_heap_backing = {
	.get		= cma_heap_get,
	.put		= cma_heap_put,
	.private_mmap	= false,
	.longterm_pin	= false,
};

static struct dma_buf *cma_heap_allocate(struct dma_heap *heap,
					 unsigned long len, u32 fd_flags,
					 u64 heap_flags)
{
	/* At once, before anything is moved out of the way. */
	if (len > cma_get_size(dma_heap_get_drvdata(heap)))
		return ERR_PTR(-ENOMEM);

	return heap_buffer_create(heap, len, fd_flags, &cma_heap_backing);
}

static const struct dma_heap_ops cma_heap_ops = {
	.allocate = cma_heap_allocate,
};

/* -- regions -------------------------------------------------------------- */

static DEFINE_MUTEX(regions_lock);

/* Regions that were handed over before there could be heaps; regions_lock. */
static struct cma *early_regions[MAX_CMA_AREAS];
static unsigned int nr_early_regions;
static bool regions_open;

static int cma_heap_add_locked(struct cma *cma, const char *name)
{
	struct dma_heap_export_info exp_info = {
		.ops = &cma_heap_ops,
		.priv = cma,
	};
	struct dma_heap *heap;

	lockdep_assert_held(&regions_lock);
	/* The names that CMA itself makes up end in a newline. */
	exp_info.name = kstrndup(name, strcspn(name, "\n"), GFP_KERNEL);
	if (!exp_info.name)
		return -ENOMEM;

	heap = dma_heap_add(&exp_info);
	if (IS_ERR(heap))
		kfree(exp_info.name);
	return PTR_ERR_OR_ZERO(heap);
}

/**
 * dma_heap_cma_register_heap - let programs allocate from a region
 * @cma: the region, which stays for good, and so does its heap
 *
 * The heap bears the name of the region.
 *
 * Context: Process context, from early boot on. May sleep.
 * Return: 0; -EINVAL when there is a heap of that name; -ENOMEM, before there are
 * heaps also when too many have been handed over; or what dma_heap_add() says.
 */
int dma_heap_cma_register_heap(struct cma *cma)
{
	guard(mutex)(&regions_lock);
	if (regions_open)
		return cma_heap_add_locked(cma, cma_get_name(cma));

	if (nr_early_regions == ARRAY_SIZE(early_regions))
		return -ENOMEM;
	early_regions[nr_early_regions++] = cma;
	return 0;
}
EXPORT_SYMBOL_GPL(dma_heap_cma_register_heap);

/* cma_for_each_area(): the region of a node bears its full name. */
static int __init cma_heap_add_if_named(struct cma *cma, void *name)
{
	if (cma == dev_get_cma_area(NULL) || strcmp(cma_get_name(cma), name))
		return 0;
	return cma_heap_add_locked(cma, name);
}

static void __init cma_heap_add_nodes_locked(void)
{
	struct device_node *parent, *node;

	parent = of_find_node_by_path("/reserved-memory");
	for_each_available_child_of_node(parent, node) {
		if (!of_device_is_compatible(node, "shared-dma-pool") ||
		    !of_property_read_bool(node, "reusable"))
			continue;
		cma_for_each_area(cma_heap_add_if_named,
				  (void *)kbasename(node->full_name));
	}
	of_node_put(parent);
}

static int __init cma_heap_add_default_locked(void)
{
	struct cma *cma = dev_get_cma_area(NULL);
	const char *name;
	int ret;

	/* No region, no heap: nothing wrong with that. */
	if (!cma)
		return 0;

	name = cma_get_name(cma);
	ret = cma_heap_add_locked(cma, name);
	if (!ret && strcmp(name, CMA_HEAP_STABLE_NAME))
		ret = cma_heap_add_locked(cma, CMA_HEAP_STABLE_NAME);
	return ret;
}

static int __init cma_heap_init(void)
{
	unsigned int i;
	int ret;

	guard(mutex)(&regions_lock);
	ret = cma_heap_add_default_locked();
	cma_heap_add_nodes_locked();
	for (i = 0; i < nr_early_regions; i++)
		cma_heap_add_locked(early_regions[i], cma_get_name(early_regions[i]));
	regions_open = true;
	return ret;
}
module_init(cma_heap_init);

MODULE_DESCRIPTION("Buffers of physically contiguous memory");
