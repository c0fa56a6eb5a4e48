// SPDX-License-Identifier: GPL-2.0-only
/*
 * Questions about the fences of an object: are they over, and when?
 *
 * What it is: what can be said of a reservation object by walking over it, for
 * whoever wants to wait, to ask, to hurry the drivers on or to print.
 * What it owns: nothing.
 * Locks: none of its own. Only dma_resv_describe() wants the object's lock; all
 * else works with and without it.
 * May call: dma-resv, by its public functions alone, and the fences.
 * Never here: knowledge of how an object keeps its fences.
 * Units: timeouts in jiffies, deadlines are points of CLOCK_MONOTONIC.
 */
#include <linux/dma-fence-array.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

/* Make one fence of many. Takes over array and references, also on failure. */
static struct dma_fence *dma_resv_bundle(struct dma_fence **fences,
					 unsigned int count)
{
	u64 context = dma_fence_context_alloc(1);
	struct dma_fence_array *all;

	all = dma_fence_array_create(count, fences, context, 1, false);
	if (all)
		return &all->base;

	for (; count; count--)
		dma_fence_put(fences[count - 1]);
	kfree(fences);
	return NULL;
}

/**
 * dma_resv_get_singleton - get one fence for all that a usage has to wait for
 * @obj: the object
 * @usage: the laxest usage to get
 * @fence: set to a reference to the fence; NULL when there is nothing to wait
 *	for
 *
 * Several fences are wrapped into a &struct dma_fence_array. That one must not
 * be added to a reservation object.
 *
 * Context: The lock may, but need not be held. May sleep.
 * Return: 0, or -ENOMEM with *@fence NULL.
 */
int dma_resv_get_singleton(struct dma_resv *obj, enum dma_resv_usage usage,
			   struct dma_fence **fence)
{
	struct dma_fence **fences;
	unsigned int count;
	int ret;

	*fence = NULL;
	ret = dma_resv_get_fences(obj, usage, &count, &fences);
	if (ret)
		return ret;

	switch (count) {
	case 0:
		return 0;
	case 1:
		*fence = fences[0];
		kfree(fences);
		return 0;
	default:
		*fence = dma_resv_bundle(fences, count);
		return *fence ? 0 : -ENOMEM;
	}
}
EXPORT_SYMBOL_GPL(dma_resv_get_singleton);

/**
 * dma_resv_wait_timeout - wait for all fences of a usage
 * @obj: the object
 * @usage: the laxest usage to wait for
 * @intr: whether a signal ends the wait
 * @timeout: longest time to wait, in jiffies; %MAX_SCHEDULE_TIMEOUT for no limit,
 *	0 to look without waiting
 *
 * Without the lock, fences added after the call may or may not be waited for.
 *
 * Context: May sleep unless @timeout is 0. The lock may, but need not be held.
 * Return: what is left of @timeout when all have signalled, and at least 1;
 * 0 when they have not in time, -ERESTARTSYS when a signal came first, or what
 * a driver's own wait op failed with.
 */
long dma_resv_wait_timeout(struct dma_resv *obj, enum dma_resv_usage usage,
			   bool intr, unsigned long timeout)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	long left = timeout;
	long ret = 1;

	dma_resv_iter_begin(&cursor, obj, usage);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		ret = dma_fence_wait_timeout(fence, intr, left);
		if (ret <= 0)
			break;
		/* "Done" is 1 even for a look; that must not become a wait. */
		if (left)
			left = ret;
	}
	dma_resv_iter_end(&cursor);

	return ret > 0 ? max(left, 1L) : ret;
}
EXPORT_SYMBOL_GPL(dma_resv_wait_timeout);

/**
 * dma_resv_set_deadline - tell all fences of a usage when they are wanted
 * @obj: the object
 * @usage: the laxest usage to tell
 * @deadline: the point in time
 *
 * A hint, see dma_fence_set_deadline().
 *
 * Context: Any. The lock may, but need not be held.
 */
void dma_resv_set_deadline(struct dma_resv *obj, enum dma_resv_usage usage,
			   ktime_t deadline)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_iter_begin(&cursor, obj, usage);
	dma_resv_for_each_fence_unlocked(&cursor, fence)
		dma_fence_set_deadline(fence, deadline);
	dma_resv_iter_end(&cursor);
}
EXPORT_SYMBOL_GPL(dma_resv_set_deadline);

/**
 * dma_resv_test_signaled - is there nothing to wait for?
 * @obj: the object
 * @usage: the laxest usage that counts
 *
 * Does not ask the drivers for an interrupt, so a fence may be over for some
 * time before this says so.
 *
 * Context: Any. The lock may, but need not be held.
 * Return: true when all fences of the usage have signalled.
 */
bool dma_resv_test_signaled(struct dma_resv *obj, enum dma_resv_usage usage)
{
	struct dma_resv_iter cursor;
	bool idle;

	dma_resv_iter_begin(&cursor, obj, usage);
	idle = !dma_resv_iter_first_unlocked(&cursor);
	dma_resv_iter_end(&cursor);
	return idle;
}
EXPORT_SYMBOL_GPL(dma_resv_test_signaled);

/**
 * dma_resv_describe - print the fences, a line for each
 * @obj: the object
 * @seq: where to print
 *
 * Those of %DMA_RESV_USAGE_BOOKKEEP are left out: scripts which read the files that
 * this prints to do not expect them.
 *
 * Context: The lock of @obj must be held.
 */
void dma_resv_describe(struct dma_resv *obj, struct seq_file *seq)
{
	static const char * const names[] = {
		[DMA_RESV_USAGE_KERNEL] = "kernel",
		[DMA_RESV_USAGE_WRITE] = "write",
		[DMA_RESV_USAGE_READ] = "read",
	};
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_for_each_fence(&cursor, obj, DMA_RESV_USAGE_READ, fence) {
		seq_printf(seq, "\t%s fence:",
			   names[dma_resv_iter_usage(&cursor)]);
		dma_fence_describe(fence, seq);
	}
}
EXPORT_SYMBOL_GPL(dma_resv_describe);
