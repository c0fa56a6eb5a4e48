// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queries of a reservation object: wait, test, print, set a deadline
 *
 * Built on the walks of dma-resv.c alone, so nothing here depends on how an
 * object stores its fences. Only dma_resv_describe() needs the lock of the
 * object.
 */
#include <linux/dma-fence-array.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

/* Wrap fences in an array. Takes over table and references, also on failure. */
static struct dma_fence *dma_resv_wrap_fences(struct dma_fence **fences,
					      unsigned int count)
{
	u64 context = dma_fence_context_alloc(1);
	struct dma_fence_array *array;

	array = dma_fence_array_create(count, fences, context, 1, false);
	if (array)
		return &array->base;

	for (; count; count--)
		dma_fence_put(fences[count - 1]);
	kfree(fences);
	return NULL;
}

/**
 * dma_resv_get_singleton - get one fence for all pending fences of an object
 * @obj: the object
 * @usage: the highest usage to include
 * @fence: set to the fence, with a reference; NULL when none is pending
 *
 * Several fences are wrapped in a &struct dma_fence_array, which must not be
 * added to a reservation object.
 *
 * Context: The lock may, but need not be held. May sleep.
 * Return: 0, or -ENOMEM, with *@fence NULL.
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
		*fence = dma_resv_wrap_fences(fences, count);
		return *fence ? 0 : -ENOMEM;
	}
}
EXPORT_SYMBOL_GPL(dma_resv_get_singleton);

/**
 * dma_resv_wait_timeout - wait for the fences of an object
 * @obj: the object
 * @usage: the highest usage to wait for
 * @intr: return early when the task gets a signal
 * @timeout: in jiffies; %MAX_SCHEDULE_TIMEOUT for none, 0 to test without
 *	waiting
 *
 * Without the lock, fences added after the call may or may not be waited for.
 *
 * Context: May sleep unless @timeout is 0. The lock may, but need not be held.
 * Return: jiffies left, at least 1, when all have signalled; 0 on timeout,
 * -ERESTARTSYS when a signal came first, or an error of &dma_fence_ops.wait.
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
		/* A test returns 1, which must not become a timeout of 1. */
		if (left)
			left = ret;
	}
	dma_resv_iter_end(&cursor);

	return ret > 0 ? max(left, 1L) : ret;
}
EXPORT_SYMBOL_GPL(dma_resv_wait_timeout);

/**
 * dma_resv_set_deadline - set a deadline on the fences of an object
 * @obj: the object
 * @usage: the highest usage to include
 * @deadline: CLOCK_MONOTONIC
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
 * dma_resv_test_signaled - test whether all fences of an object have signalled
 * @obj: the object
 * @usage: the highest usage to include
 *
 * Does not enable signalling, so a fence whose work is complete may be found
 * pending for some time.
 *
 * Context: Any. The lock may, but need not be held.
 * Return: true when no fence of the usage is pending.
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
 * dma_resv_describe - print the fences of an object, one line each
 * @obj: the object
 * @seq: where to print
 *
 * Fences of %DMA_RESV_USAGE_BOOKKEEP are left out, as scripts that read these
 * debugfs files do not expect them.
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
