// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waits for fences that end when the buffer is revoked
 *
 * poll(2) and io_uring wait without a task. Their state is in struct
 * dma_buf_waiters, which is made when one of them waits first. What follows is
 * about tasks that wait.
 *
 * A task that waits for devices on behalf of a buffer must not wait any longer
 * once the buffer is revoked. So it sleeps on two things: a callback on the
 * fence, which wakes the task, and the hashed wait queue of dma_buf.revoked,
 * which dma_buf_wait_wake() wakes. It costs what the wait for a fence costs,
 * and one more wait queue while the task really sleeps.
 *
 * The wait queue is also that of a revocation which waits for importers to
 * unmap: see dma-buf-revoke.c.
 *
 * A fence whose driver has a wait op is waited for by that op. Such a wait ends
 * with the fence only, and reports the revocation then.
 *
 * Invariant: a sleeper tests dma_buf.revoked after it is on the wait queue, and
 * dma_buf_revoke() sets it before it wakes the queue. So no wake-up is lost.
 *
 * As for other waits, the caller must not hold a lock that signalling needs.
 */
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include <trace/events/dma_fence.h>

#include "dma-buf-misuse.h"
#include "dma-buf-private.h"

/**
 * dma_buf_waiters_get - return what waits without a thread, made at first use
 * @dmabuf: the buffer
 *
 * Most buffers are never waited for in this way, and need not carry a hundred
 * bytes for it. poll(2) cannot report a lack of memory, hence __GFP_NOFAIL.
 *
 * Context: Process context. May sleep.
 * Return: the state, which exists until the buffer is released.
 */
struct dma_buf_waiters *dma_buf_waiters_get(struct dma_buf *dmabuf)
{
	struct dma_buf_inode_info *info =
		container_of(dmabuf, struct dma_buf_inode_info, buf);
	struct dma_buf_waiters *waiters = dma_buf_waiters(dmabuf), *other;

	if (waiters)
		return waiters;

	waiters = kzalloc(sizeof(*waiters), GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	waiters->dmabuf = dmabuf;
	init_waitqueue_head(&waiters->poll);
	waiters->in.waiters = waiters;
	waiters->out.waiters = waiters;
	INIT_HLIST_HEAD(&waiters->uring);
	spin_lock_init(&waiters->uring_lock);
	/* Another thread may have been faster; its state is the one in use. */
	other = cmpxchg(&info->vfs_inode.i_private, NULL, waiters);
	if (!other)
		return waiters;
	kfree(waiters);
	return other;
}

/**
 * struct dma_buf_wait_sleeper - a task that waits for a fence of a buffer
 * @cb: on the fence
 * @task: the task
 */
struct dma_buf_wait_sleeper {
	struct dma_fence_cb cb;
	struct task_struct *task;
};

static void dma_buf_wait_signaled(struct dma_fence *fence,
				  struct dma_fence_cb *cb)
{
	wake_up_process(container_of(cb, struct dma_buf_wait_sleeper, cb)->task);
}

/* Test whether the fence has to be waited for by an op of its driver. */
static bool dma_buf_wait_has_op(struct dma_fence *fence)
{
	/* The driver of an orphan, and with it the ops, may be gone. */
	guard(rcu)();
	return !dma_fence_test_orphan(fence) && fence->ops->wait &&
	       fence->ops->wait != dma_fence_default_wait;
}

static bool dma_buf_wait_is_over(struct dma_buf *dmabuf,
				 struct dma_fence *fence)
{
	return dma_buf_is_revoked(dmabuf) ||
	       dma_fence_test_signaled_flag(fence);
}

/*
 * Sleep until the fence signals, the buffer is revoked, the task gets a signal,
 * or the time is over. As for other waits a signal of the task has precedence
 * over the timeout, also over one of 0.
 */
static long dma_buf_wait_sleep(struct dma_buf *dmabuf, struct dma_fence *fence,
			       bool intr, long timeout)
{
	unsigned int state = intr ? TASK_INTERRUPTIBLE : TASK_UNINTERRUPTIBLE;
	long ret;

	ret = ___wait_var_event(&dmabuf->revoked,
				___wait_cond_timeout(dma_buf_wait_is_over(dmabuf,
									  fence)),
				state, 0, timeout,
				__ret = schedule_timeout(__ret));
	return ret || !intr || !signal_pending(current) ? ret : -ERESTARTSYS;
}

/* As dma_fence_wait_timeout() does for a driver without a wait op. */
static long dma_buf_wait_by_callback(struct dma_buf *dmabuf,
				     struct dma_fence *fence, bool intr,
				     long timeout)
{
	struct dma_buf_wait_sleeper sleeper = { .task = current };
	long ret = max(timeout, 1L);

	might_sleep();
	__dma_fence_might_wait();

	trace_dma_fence_wait_start(fence);
	if (!dma_fence_add_callback(fence, &sleeper.cb, dma_buf_wait_signaled))
		ret = dma_buf_wait_sleep(dmabuf, fence, intr, timeout);
	/* Also if it was not added: waits for the CPU that signals. */
	dma_fence_remove_callback(fence, &sleeper.cb);
	trace_dma_fence_wait_end(fence);
	return ret;
}

/**
 * dma_buf_wait_fence - wait for a fence on behalf of a buffer
 * @dmabuf: the buffer
 * @fence: the fence; the caller keeps a reference
 * @intr: return early when the task gets a signal
 * @timeout: in jiffies, or %MAX_SCHEDULE_TIMEOUT
 *
 * Context: Process context. May sleep.
 * Return: jiffies left, at least 1, when the fence has signaled; 0 on timeout;
 * -ENODEV when the buffer is revoked; -ERESTARTSYS when a signal of the task
 * came first; -EINVAL, with a warning, when @timeout is negative; or an error
 * of &dma_fence_ops.wait.
 */
long dma_buf_wait_fence(struct dma_buf *dmabuf, struct dma_fence *fence,
			bool intr, long timeout)
{
	long ret;

	if (dma_buf_misuse(timeout < 0))
		return -EINVAL;

	if (dma_buf_wait_has_op(fence))
		ret = dma_fence_wait_timeout(fence, intr, timeout);
	else
		ret = dma_buf_wait_by_callback(dmabuf, fence, intr, timeout);
	return dma_buf_is_revoked(dmabuf) ? -ENODEV : ret;
}

/**
 * dma_buf_wait_fences - wait for the implicit fences of a buffer
 * @dmabuf: the buffer
 * @usage: the highest usage to wait for
 * @intr: return early when the task gets a signal
 * @timeout: in jiffies; %MAX_SCHEDULE_TIMEOUT for none, 0 to test without
 *	waiting
 *
 * Fences added after the call may or may not be waited for.
 *
 * Context: May sleep unless @timeout is 0. The reservation lock may, but need
 * not be held.
 * Return: as dma_buf_wait_fence(), for all of the fences.
 */
long dma_buf_wait_fences(struct dma_buf *dmabuf, enum dma_resv_usage usage,
			 bool intr, unsigned long timeout)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	long left = timeout;
	long ret = 1;

	dma_resv_iter_begin(&cursor, dmabuf->resv, usage);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		ret = dma_buf_wait_fence(dmabuf, fence, intr, left);
		if (ret <= 0)
			break;
		/* A test returns 1, which must not become a timeout of 1. */
		if (left)
			left = ret;
	}
	dma_resv_iter_end(&cursor);

	return ret > 0 ? max(left, 1L) : ret;
}

/**
 * dma_buf_wait_wake - wake the tasks that wait for a fence or for an importer
 * @dmabuf: the buffer, which is revoked
 *
 * Context: Any.
 */
void dma_buf_wait_wake(struct dma_buf *dmabuf)
{
	wake_up_var(&dmabuf->revoked);
}
