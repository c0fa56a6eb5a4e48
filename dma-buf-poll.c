// SPDX-License-Identifier: GPL-2.0-only
/*
 * poll(2), select(2) and epoll on the implicit fences of a buffer.
 *
 * A buffer has one callback per direction, shared by all pollers. The first
 * poll that finds an unsignaled fence arms the callback on it; further polls
 * find it armed and only wait. When the fence signals, the callback is disarmed
 * and all waiters are woken, to poll again and arm it on the next fence. So the
 * number of callbacks on a fence does not grow with the number of pollers.
 *
 * An armed callback holds a reference to the file, as the buffer could
 * otherwise be released before the fence signals.
 *
 * Locks: the reservation lock, to walk the fences and to arm a callback. Inside
 * of it the lock of the wait queue, with interrupts off, for the state of the
 * callbacks. A fence that signals calls back with its own lock held, so the
 * lock of the wait queue nests inside the lock of any fence.
 */
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/poll.h>
#include <linux/wait.h>

#include "dma-buf-private.h"

/**
 * DOC: implicit fence polling
 *
 * poll(2), select(2) and epoll on the descriptor tell when devices are done
 * with a buffer, in so far as their drivers add fences to &dma_buf.resv:
 *
 * - EPOLLIN: all writers have finished, so the content may be read.
 * - EPOLLOUT: all readers and writers have finished, so it may be overwritten.
 *
 * A buffer that has been revoked has EPOLLERR.
 *
 * Fences of %DMA_RESV_USAGE_BOOKKEEP are not waited for. The answer is
 * about this moment: a driver may queue more work at any time, after which the
 * descriptor is not ready any more.
 */

/* Disarm a callback, and wake those who wait for its event. */
static void dma_buf_poll_wake(struct dma_buf_poll_cb *waiter)
{
	wait_queue_head_t *wait = &waiter->waiters->poll;
	unsigned long flags;
	__poll_t ready;

	spin_lock_irqsave(&wait->lock, flags);
	ready = waiter->active;
	waiter->active = 0;
	wake_up_locked_poll(wait, ready);
	spin_unlock_irqrestore(&wait->lock, flags);
}

/* The fence has signaled; its lock is held, interrupts may be off. */
static void dma_buf_poll_signaled(struct dma_fence *fence,
				  struct dma_fence_cb *cb)
{
	struct dma_buf_poll_cb *waiter =
		container_of(cb, struct dma_buf_poll_cb, cb);
	struct dma_buf *dmabuf = waiter->waiters->dmabuf;

	dma_buf_poll_wake(waiter);
	dma_fence_put(fence);
	/* If it is the last one, fput() defers the release to task context. */
	fput(dmabuf->file);
}

/* Mark @waiter as armed, unless it is; return whether it was. */
static bool dma_buf_poll_mark(struct dma_buf_poll_cb *waiter, __poll_t event)
{
	wait_queue_head_t *wait = &waiter->waiters->poll;
	bool before;

	spin_lock_irq(&wait->lock);
	before = waiter->active;
	if (!before)
		waiter->active = event;
	spin_unlock_irq(&wait->lock);
	return before;
}

/* Put the callback on the first unsignaled fence; return false if none is. */
static bool dma_buf_poll_arm(struct dma_buf *dmabuf,
			     struct dma_buf_poll_cb *waiter,
			     enum dma_resv_usage usage)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_assert_held(dmabuf->resv);

	get_dma_buf(dmabuf);
	dma_resv_for_each_fence(&cursor, dmabuf->resv, usage, fence) {
		/* For the callback, which may run before this returns. */
		dma_fence_get(fence);
		if (!dma_fence_add_callback(fence, &waiter->cb,
					    dma_buf_poll_signaled))
			return true;
		dma_fence_put(fence);
	}
	/* Not the last reference: the caller of poll has one. */
	fput(dmabuf->file);
	return false;
}

/*
 * Test whether the buffer is ready for @event. If it is not, a callback is
 * armed that will wake the wait queue.
 */
static bool dma_buf_poll_ready(struct dma_buf_waiters *waiters, __poll_t event)
{
	bool write = event == EPOLLOUT;
	struct dma_buf_poll_cb *waiter = write ? &waiters->out : &waiters->in;
	enum dma_resv_usage usage = dma_resv_usage_rw(write);
	struct dma_buf *dmabuf = waiters->dmabuf;

	dma_resv_assert_held(dmabuf->resv);

	/* Armed already, for an earlier poll: wait with it. */
	if (dma_buf_poll_mark(waiter, event))
		return false;
	if (dma_buf_poll_arm(dmabuf, waiter, usage))
		return false;

	/*
	 * Wake as a fence would. An edge-triggered epoll polls again only after
	 * it was woken, and no fence is left to do so: without this it would
	 * never arm a callback on fences that are added later.
	 */
	dma_buf_poll_wake(waiter);
	return true;
}

/**
 * dma_buf_poll - carry out poll(2) on the descriptor
 * @file: of a buffer
 * @wait: the poll table, with the events that are asked for
 *
 * Context: Process context; takes the reservation lock. May sleep.
 * Return: those of EPOLLIN and EPOLLOUT that were asked for and are true;
 * EPOLLERR when the buffer has been revoked.
 */
__poll_t dma_buf_poll(struct file *file, struct poll_table_struct *wait)
{
	struct dma_buf *dmabuf = file->private_data;
	struct dma_buf_waiters *waiters = dma_buf_waiters_get(dmabuf);
	__poll_t asked = poll_requested_events(wait);
	__poll_t ready = 0;

	poll_wait(file, &waiters->poll, wait);
	if (dma_buf_is_revoked(dmabuf))
		return EPOLLERR;
	if (!(asked & (EPOLLIN | EPOLLOUT)))
		return 0;

	dma_resv_lock(dmabuf->resv, NULL);
	if (asked & EPOLLIN && dma_buf_poll_ready(waiters, EPOLLIN))
		ready |= EPOLLIN;
	if (asked & EPOLLOUT && dma_buf_poll_ready(waiters, EPOLLOUT))
		ready |= EPOLLOUT;
	dma_resv_unlock(dmabuf->resv);
	return ready;
}

/**
 * dma_buf_poll_revoke - wake the tasks that poll a buffer
 * @dmabuf: the buffer, with &dma_buf.revoked set
 *
 * Callbacks that are armed stay on their fences.
 *
 * Context: Process context. May sleep.
 */
void dma_buf_poll_revoke(struct dma_buf *dmabuf)
{
	/*
	 * With the lock of a queue, which is made if need be: a poller on it
	 * has seen the flag, or is woken. Exclusive pollers as well: each of
	 * them has to hear of it.
	 */
	__wake_up(&dma_buf_waiters_get(dmabuf)->poll, TASK_NORMAL, 0,
		  poll_to_key(EPOLLERR));
}

/**
 * dma_buf_poll_armed - test whether a callback waits for a fence
 * @dmabuf: the buffer
 *
 * Context: Any; exact only when no thread polls the buffer any more.
 * Return: true while a poll callback waits for its fence.
 */
bool dma_buf_poll_armed(struct dma_buf *dmabuf)
{
	struct dma_buf_waiters *waiters = dma_buf_waiters(dmabuf);

	return waiters && (waiters->in.active || waiters->out.active);
}
