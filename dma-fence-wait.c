// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleep until a fence has signalled
 *
 * The waits of a task: for one fence, for the first of several, and the default
 * for drivers. A waiter is a callback on the stack or in an allocation that is
 * freed before the call returns. No lock is taken, but the caller must not hold
 * one that signalling needs; lockdep is told so.
 *
 * A wait that returns for a signalled fence always removes its callback, even
 * if it could not be added: the removal waits until the signalling CPU does not
 * access the fence any more, which an owner of a fence on the stack relies on.
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
 * Sleep until one of the fences has signalled; a sleeper on each wakes this
 * task. The state is set before the fences are tested, so a wake-up in between
 * is not lost. A signalled fence takes precedence over a pending signal of the
 * task and over the timeout, so these are tested afterwards.
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
 * dma_fence_default_wait - wait as drivers without &dma_fence_ops.wait do
 * @fence: the fence; the caller keeps a reference
 * @intr: return early when the task gets a signal
 * @timeout: in jiffies, or MAX_SCHEDULE_TIMEOUT; 0 means do not sleep
 *
 * For the wait ops of drivers; other callers use dma_fence_wait_timeout().
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

	/* Also if it was not added: waits for the CPU that signals. */
	dma_fence_remove_callback(fence, &sleeper.cb);
	return ret;
}
EXPORT_SYMBOL(dma_fence_default_wait);

/**
 * dma_fence_wait_timeout - sleep until a fence has signalled, or a timeout
 * @fence: the fence; the caller keeps a reference
 * @intr: return early when the task gets a signal
 * @timeout: in jiffies, or MAX_SCHEDULE_TIMEOUT; 0 means enable signalling and
 *	test, but do not sleep
 *
 * Context: Process context; sleeps. Not with a lock that signalling needs, see
 *	    dma_fence_begin_signalling().
 * Return: jiffies left, at least 1, when the fence has signalled; 0 on timeout;
 *	   -ERESTARTSYS when @intr is true and a signal came first; -EINVAL,
 *	   with a warning, when @timeout is negative. With &dma_fence_ops.wait,
 *	   what that returns, which may be another errno, or 0 for a @timeout of
 *	   0.
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

	/*
	 * The op runs for signalled fences, too, as its result may differ. It
	 * is called outside of the read-side section, since it sleeps: a driver
	 * with this op stays as long as its fences.
	 */
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
 * dma_fence_wait - sleep until a fence has signalled, without a timeout
 * @fence: the fence; the caller keeps a reference
 * @intr: return early when the task gets a signal
 *
 * Context: Process context; sleeps. Not with a lock that signalling needs, see
 *	    dma_fence_begin_signalling().
 * Return: 0 when the fence has signalled, -ERESTARTSYS when @intr is true and a
 *	   signal came first, or another negative errno from
 *	   &dma_fence_ops.wait.
 */
signed long dma_fence_wait(struct dma_fence *fence, bool intr)
{
	signed long left;

	/* Without a timeout the result is never 0. */
	left = dma_fence_wait_timeout(fence, intr, MAX_SCHEDULE_TIMEOUT);

	return min(left, 0L);
}
EXPORT_SYMBOL(dma_fence_wait);

/**
 * dma_fence_wait_any_timeout - sleep until the first of several has signalled
 * @fences: the fences; the caller keeps the references
 * @count: number of @fences, at least 1
 * @intr: return early when the task gets a signal
 * @timeout: in jiffies, or MAX_SCHEDULE_TIMEOUT; 0 means test, but neither
 *	sleep nor enable signalling
 * @idx: where to store the index of a fence that has signalled, or NULL.
 *	Written only when the result is positive.
 *
 * Does not use &dma_fence_ops.wait.
 *
 * Context: Process context; sleeps. As for dma_fence_wait_timeout().
 * Return: jiffies left, at least 1, when one has signalled; 0 on timeout;
 *	   -ERESTARTSYS when @intr is true and a signal came first; -ENOMEM when
 *	   out of memory; -EINVAL, with a warning, when there are no fences, one
 *	   is NULL, or @timeout is negative.
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
	 * A fence that has signalled meanwhile refuses the callback and is
	 * found by dma_fence_sleep(). It counts as armed all the same, so that
	 * removing its callback waits for the CPU that signals.
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
