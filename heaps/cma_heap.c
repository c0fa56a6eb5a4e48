// SPDX-License-Identifier: GPL-2.0-only
/*
 * CMA heap: buffers that are physically contiguous
 *
 * What it is: /dev/dma_heap/NAME for the default contiguous memory region, named
 * as the platform names it, and besides as later kernels do on every platform.
 * What it owns: &struct cma_run, one per buffer, from allocation until the region
 * has its pages back; that may be later than the buffer's end.
 * Locks: parked_lock (spinlock, innermost) protects the list of runs that wait
 * for somebody to let go of a page.
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
#include <linux/cma.h>
#include <linux/dma-heap.h>
#include <linux/dma-map-ops.h>
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/workqueue.h>

#include "heap_buffer.h"

/* The name that later kernels give the default region on every platform. */
#define CMA_HEAP_STABLE_NAME	"default_cma_region"

/* How long a parked run waits before it is looked at again. */
#define CMA_HEAP_PARKED_DELAY	(HZ / 2)

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

static int cma_run_take(struct cma_run *run)
{
	unsigned int align;

	align = min(get_order(run->nr_pages << PAGE_SHIFT), CONFIG_CMA_ALIGNMENT);
	run->page = cma_alloc(run->cma, run->nr_pages, align, true);

	/* Perhaps what is in the way only waits to be given back. */
	if (!run->page && !fatal_signal_pending(current)) {
		cma_heap_unpark_idle();
		run->page = cma_alloc(run->cma, run->nr_pages, align, true);
	}
	if (!run->page)
		return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
	return 0;
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

static int __init cma_heap_add(struct cma *cma, const char *name)
{
	struct dma_heap_export_info exp_info = {
		.name = name,
		.ops = &cma_heap_ops,
		.priv = cma,
	};

	return PTR_ERR_OR_ZERO(dma_heap_add(&exp_info));
}

static int __init cma_heap_init(void)
{
	struct cma *cma = dev_get_cma_area(NULL);
	const char *name;
	int ret;

	/* No region, no heap: nothing wrong with that. */
	if (!cma)
		return 0;

	name = cma_get_name(cma);
	ret = cma_heap_add(cma, name);
	if (!ret && strcmp(name, CMA_HEAP_STABLE_NAME))
		ret = cma_heap_add(cma, CMA_HEAP_STABLE_NAME);
	return ret;
}
module_init(cma_heap_init);
