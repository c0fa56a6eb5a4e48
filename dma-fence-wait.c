// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleeping until a fence has signalled.
 *
 * What it is:	the waits of a task: for one fence, for the first of several,
 *		and the default for drivers.
 * What it owns: nothing beyond the call. A waiter is a callback on the stack or
 *		in an allocation of its own that is gone when the call returns.
 * Locks:	takes none. Sleeps, so the caller must not hold anything that
 *		signalling needs; lockdep is told.
 * May call:	dma-fence.c.
 * Never here:	how a fence signals, and waits on user space's behalf.
 * Units:	timeouts in jiffies, relative, MAX_SCHEDULE_TIMEOUT for none.
 */
#include <linux/dma-fence.h>
#include <linux/export.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <trace/events/dma_fence.h>

#include "dma-buf-misuse.h"

struct dma_fence_sleeper {
	struct dma_fence_cb cb;
	struct task_struct *task;
};

static void dma_fence_sleeper_wake(struct dma_fence *fence,
				   struct dma_fence_cb *cb)
{
	wake_up_process(container_of(cb, struct dma_fence_sleeper, cb)->task);
}

static bool dma_fence_any_signaled(struct dma_fence **fences, u32 count,
				   u32 *which)
{
	for (*which = 0; *which < count; (*which)++)
		if (dma_fence_test_signaled_flag(fences[*which]))
			return true;

	return false;
}

/*
 * Sleep until one of the fences has signalled; a sleeper on each wakes us. A
 * fence that has signalled counts for more than a signal that came and time that
 * ran out, so both are looked at second.
 */
static signed long dma_fence_sleep(struct dma_fence **fences, u32 count,
				   bool intr, signed long timeout, u32 *which)
{
	unsigned int state = intr ? TASK_INTERRUPTIBLE : TASK_UNINTERRUPTIBLE;
	signed long ret;

	for (;;) {
		set_current_state(state);

		ret = max(timeout, 1L);
		if (dma_fence_any_signaled(fences, count, which))
			break;

		ret = -ERESTARTSYS;
		if (intr && signal_pending(current))
			break;

		ret = 0;
		if (!timeout)
			break;

		timeout = schedule_timeout(timeout);
	}

	__set_current_state(TASK_RUNNING);
	return ret;
}

/**
 * dma_fence_default_wait - sleep as drivers without &dma_fence_ops.wait do
 * @fence: the fence; the caller keeps it alive
 * @intr: let signals end the wait
 * @timeout: in jiffies, or MAX_SCHEDULE_TIMEOUT; 0 means do not sleep
 *
 * For the wait ops of drivers; everybody else calls dma_fence_wait_timeout().
 *
 * Context: Process context; sleeps.
 * Return: As dma_fence_wait_timeout().
 */
signed long dma_fence_default_wait(struct dma_fence *fence, bool intr,
				   signed long timeout)
{
	struct dma_fence_sleeper sleeper = { .task = current };
	signed long ret = max(timeout, 1L);
	u32 which;

	if (dma_buf_misuse(timeout < 0))
		return -EINVAL;

	if (!dma_fence_add_callback(fence, &sleeper.cb, dma_fence_sleeper_wake))
		ret = dma_fence_sleep(&fence, 1, intr, timeout, &which);

	/* Also if there was none: the CPU that signals must be done with it. */
	dma_fence_remove_callback(fence, &sleeper.cb);
	return ret;
}
EXPORT_SYMBOL(dma_fence_default_wait);

/**
 * dma_fence_wait_timeout - sleep until a fence has signalled or time runs out
 * @fence: the fence; the caller keeps it alive
 * @intr: let signals end the wait
 * @timeout: in jiffies, or MAX_SCHEDULE_TIMEOUT; 0 means enable signalling and
 *	look, but do not sleep
 *
 * Context: Process context; sleeps. Not with a lock that signalling needs, see
 *	    dma_fence_begin_signalling().
 * Return: jiffies left, at least 1, when the fence has signalled; 0 when it has
 *	   not in that time; -ERESTARTSYS when @intr is true and a signal came
 *	   first; -EINVAL, with a warning, when @timeout is negative. What a
 *	   driver's own wait returns instead, another errno or 0 for a @timeout
 *	   of 0 say, is passed on.
 */
signed long dma_fence_wait_timeout(struct dma_fence *fence, bool intr,
				   signed long timeout)
{
	signed long (*wait)(struct dma_fence *fence, bool intr,
			    signed long timeout) = NULL;
	signed long ret;

	if (dma_buf_misuse(timeout < 0))
		return -EINVAL;

	might_sleep();
	__dma_fence_might_wait();

	dma_fence_enable_sw_signaling(fence);

	/* A driver's own wait has its own idea of the result, signalled or not. */
	scoped_guard(rcu) {
		if (!dma_fence_test_orphan(fence))
			wait = fence->ops->wait;
	}
	wait = wait ?: dma_fence_default_wait;

	trace_dma_fence_wait_start(fence);
	ret = wait(fence, intr, timeout);
	trace_dma_fence_wait_end(fence);

	return ret;
}
EXPORT_SYMBOL(dma_fence_wait_timeout);

/**
 * dma_fence_wait - sleep until a fence has signalled, however long that takes
 * @fence: the fence; the caller keeps it alive
 * @intr: let signals end the wait
 *
 * Context: Process context; sleeps. Not with a lock that signalling needs, see
 *	    dma_fence_begin_signalling().
 * Return: 0 when the fence has signalled, -ERESTARTSYS when @intr is true and a
 *	   signal came first, another negative errno where a driver's own wait
 *	   says so.
 */
signed long dma_fence_wait(struct dma_fence *fence, bool intr)
{
	signed long left;

	/* Without a limit there is no third outcome. */
	left = dma_fence_wait_timeout(fence, intr, MAX_SCHEDULE_TIMEOUT);

	return min(left, 0L);
}
EXPORT_SYMBOL(dma_fence_wait);

/**
 * dma_fence_wait_any_timeout - sleep until the first of several has signalled
 * @fences: the fences; the caller keeps them alive
 * @count: how many, at least 1
 * @intr: let signals end the wait
 * @timeout: in jiffies, or MAX_SCHEDULE_TIMEOUT; 0 means look, but neither sleep
 *	nor enable signalling
 * @idx: where to store the number of a fence that has signalled, or NULL.
 *	Written only when the result is positive.
 *
 * Does not use &dma_fence_ops.wait.
 *
 * Context: Process context; sleeps. As for dma_fence_wait_timeout().
 * Return: jiffies left, at least 1, when one has signalled; 0 when none has in
 *	   that time; -ERESTARTSYS when @intr is true and a signal came first;
 *	   -ENOMEM when there is no memory; -EINVAL, with a warning, when there
 *	   are no fences, one is NULL, or @timeout is negative.
 */
signed long dma_fence_wait_any_timeout(struct dma_fence **fences, u32 count,
				       bool intr, signed long timeout,
				       u32 *idx)
{
	struct dma_fence_sleeper *sleepers;
	u32 armed, which;
	signed long ret;

	if (dma_buf_misuse(!fences || !count || timeout < 0))
		return -EINVAL;

	if (timeout) {
		might_sleep();
		__dma_fence_might_wait();
	}

	for (which = 0; which < count; which++) {
		if (dma_buf_misuse(!fences[which]))
			return -EINVAL;
		if (dma_fence_is_signaled(fences[which])) {
			ret = max(timeout, 1L);
			goto out;
		}
	}
	if (!timeout)
		return 0;

	sleepers = kcalloc(count, sizeof(*sleepers), GFP_KERNEL);
	if (!sleepers)
		return -ENOMEM;

	/*
	 * One that has signalled meanwhile takes no sleeper, and is found next.
	 * It counts as armed all the same, so that the CPU that signals is done
	 * with it when this returns.
	 */
	for (armed = 0, ret = 0; armed < count && !ret; armed++) {
		sleepers[armed].task = current;
		ret = dma_fence_add_callback(fences[armed], &sleepers[armed].cb,
					     dma_fence_sleeper_wake);
	}

	ret = dma_fence_sleep(fences, count, intr, timeout, &which);

	while (armed--)
		dma_fence_remove_callback(fences[armed], &sleepers[armed].cb);
	kfree(sleepers);
out:
	if (ret > 0 && idx)
		*idx = which;
	return ret;
}
EXPORT_SYMBOL(dma_fence_wait_any_timeout);
