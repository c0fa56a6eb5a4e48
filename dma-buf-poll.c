// SPDX-License-Identifier: GPL-2.0-only
/*
 * The implicit fences of a buffer, as user space meets them.
 *
 * What it is: poll(2) on the descriptor, and fences in and out as sync files.
 * What it owns: dma_buf.poll, which most buffers never have.
 * Locks: the reservation lock to look at fences and to arm a callback; the lock
 *	of the wait queue, which is taken with interrupts off, for whether one is
 *	armed. The fence's own lock may be held when that one is taken.
 * May call: layers 0 and 1.
 * Never here: waits of the kernel's own (dma-buf-cpu.c), and nothing of sync files
 *	beyond making and finding them.
 * Units: none.
 */
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/sync_file.h>
#include <linux/wait.h>

#include "dma-buf-private.h"
#include "ioctl_table.h"

/**
 * DOC: implicit fence polling
 *
 * poll(2), select(2) and epoll on the descriptor tell when devices are done with a
 * buffer, in so far as their drivers add fences to &dma_buf.resv:
 *
 * - EPOLLIN: all who write have finished, so reading makes sense.
 * - EPOLLOUT: all who read or write have finished, so it may be overwritten.
 *
 * Fences of %DMA_RESV_USAGE_BOOKKEEP are not waited for. The answer is
 * about this moment: nothing keeps a driver from queueing more, and the
 * descriptor then is not ready any more.
 */

/*
 * Each buffer has one callback per direction, shared by all who poll: whoever
 * comes first arms it on some fence that has not signalled, and when that
 * does they are all woken to look again. An armed callback holds a
 * reference to the file, because nothing else keeps the buffer around until then.
 */

/**
 * struct dma_buf_poll_cb - what waits for a fence in one direction
 * @cb: on the fence, while @active
 * @poll: to whom it belongs
 * @active: the event that it will bring, or 0; under the lock of the wait queue
 */
struct dma_buf_poll_cb {
	struct dma_fence_cb cb;
	struct dma_buf_poll *poll;
	__poll_t active;
};

/**
 * struct dma_buf_poll - those who poll a buffer
 * @wait: where they wait; its lock protects &dma_buf_poll_cb.active, too
 * @dmabuf: the buffer
 * @in: wakes those who wait to read; armed with the reservation lock held,
 *	disarmed by the fence
 * @out: the same for those who wait to write
 */
struct dma_buf_poll {
	wait_queue_head_t wait;
	struct dma_buf *dmabuf;
	struct dma_buf_poll_cb in;
	struct dma_buf_poll_cb out;
};

/* Disarm a callback, and wake those who wait for what it was armed for. */
static void dma_buf_poll_wake(struct dma_buf_poll_cb *waiter)
{
	wait_queue_head_t *wait = &waiter->poll->wait;
	unsigned long flags;
	__poll_t ready;

	spin_lock_irqsave(&wait->lock, flags);
	ready = waiter->active;
	waiter->active = 0;
	wake_up_locked_poll(wait, ready);
	spin_unlock_irqrestore(&wait->lock, flags);
}

/* The fence has signalled; its lock is held, interrupts may be off. */
static void dma_buf_poll_fired(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct dma_buf_poll_cb *waiter = container_of(cb, struct dma_buf_poll_cb, cb);
	struct dma_buf *dmabuf = waiter->poll->dmabuf;

	dma_buf_poll_wake(waiter);
	dma_fence_put(fence);
	/* May be the last one; the buffer then dies elsewhere, not in here. */
	fput(dmabuf->file);
}

/* Mark @waiter as armed, unless it is; return whether it was. */
static bool dma_buf_poll_mark(struct dma_buf_poll_cb *waiter, __poll_t event)
{
	wait_queue_head_t *wait = &waiter->poll->wait;
	bool before;

	spin_lock_irq(&wait->lock);
	before = waiter->active;
	if (!before)
		waiter->active = event;
	spin_unlock_irq(&wait->lock);
	return before;
}

/* Put the callback on the first fence that will take it. */
static bool dma_buf_poll_arm_locked(struct dma_buf *dmabuf,
				    struct dma_buf_poll_cb *waiter,
				    enum dma_resv_usage usage)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	get_dma_buf(dmabuf);
	dma_resv_for_each_fence(&cursor, dmabuf->resv, usage, fence) {
		/* A reference for the callback, which may run before we return. */
		dma_fence_get(fence);
		if (!dma_fence_add_callback(fence, &waiter->cb,
					    dma_buf_poll_fired))
			return true;
		dma_fence_put(fence);
	}
	/* Not the last: the caller of poll has one. */
	fput(dmabuf->file);
	return false;
}

/* Is the buffer ready for @event? If not, the wait queue will hear when it is. */
static bool dma_buf_poll_ready_locked(struct dma_buf *dmabuf, __poll_t event)
{
	bool write = event == EPOLLOUT;
	enum dma_resv_usage usage = dma_resv_usage_rw(write);
	struct dma_buf_poll_cb *waiter = write ? &dmabuf->poll->out : &dmabuf->poll->in;

	dma_resv_assert_held(dmabuf->resv);

	/* Someone waits already, and takes us along when woken. */
	if (dma_buf_poll_mark(waiter, event))
		return false;
	if (dma_buf_poll_arm_locked(dmabuf, waiter, usage))
		return false;

	/*
	 * Wake as a fence would. An edge-triggered epoll asks again only after
	 * it was woken, and no fence is left to do so: without this it would
	 * never arm a callback on fences that are added later.
	 */
	dma_buf_poll_wake(waiter);
	return true;
}

/*
 * A hundred bytes that most buffers need not have. poll(2) knows no way to say that
 * there is no memory, hence the flag.
 */
static struct dma_buf_poll *dma_buf_poll_get(struct dma_buf *dmabuf)
{
	struct dma_buf_poll *poll = READ_ONCE(dmabuf->poll), *other;

	if (poll)
		return poll;

	poll = kzalloc(sizeof(*poll), GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	init_waitqueue_head(&poll->wait);
	poll->dmabuf = dmabuf;
	poll->in.poll = poll;
	poll->out.poll = poll;
	other = cmpxchg(&dmabuf->poll, NULL, poll);
	if (!other)
		return poll;
	kfree(poll);
	return other;
}

/**
 * dma_buf_sync_poll - poll(2) on the descriptor
 * @file: of a buffer
 * @wait: who asks, for which events
 *
 * Context: Process context. May sleep.
 * Return: those of EPOLLIN and EPOLLOUT that were asked for and are true.
 */
__poll_t dma_buf_sync_poll(struct file *file, struct poll_table_struct *wait)
{
	struct dma_buf *dmabuf = file->private_data;
	__poll_t asked = poll_requested_events(wait);
	__poll_t ready = 0;

	poll_wait(file, &dma_buf_poll_get(dmabuf)->wait, wait);
	if (!(asked & (EPOLLIN | EPOLLOUT)))
		return 0;

	dma_resv_lock(dmabuf->resv, NULL);
	if (asked & EPOLLIN && dma_buf_poll_ready_locked(dmabuf, EPOLLIN))
		ready |= EPOLLIN;
	if (asked & EPOLLOUT && dma_buf_poll_ready_locked(dmabuf, EPOLLOUT))
		ready |= EPOLLOUT;
	dma_resv_unlock(dmabuf->resv);
	return ready;
}

/**
 * dma_buf_sync_fini - free what poll has left
 * @dmabuf: the buffer, which nobody else knows any more
 *
 * Context: Any.
 */
void dma_buf_sync_fini(struct dma_buf *dmabuf)
{
	kfree(dmabuf->poll);
}

/**
 * dma_buf_sync_armed - will a fence call back?
 * @dmabuf: the buffer
 *
 * Context: Any; exact only when nobody polls any more.
 * Return: true while a poll callback waits for its fence.
 */
bool dma_buf_sync_armed(struct dma_buf *dmabuf)
{
	return dmabuf->poll && (dmabuf->poll->in.active || dmabuf->poll->out.active);
}

/* Flags of both commands: read, write or both, and nothing else. */
static bool dma_buf_sync_flags_valid(u32 flags)
{
	return flags && !(flags & ~DMA_BUF_SYNC_RW);
}

/**
 * dma_buf_sync_ioctl_export - DMA_BUF_IOCTL_EXPORT_SYNC_FILE
 * @call: the call
 * @args: &struct dma_buf_export_sync_file
 *
 * Context: Process context. May sleep.
 * Return: 0; -EINVAL for wrong flags, -EMFILE, -ENOMEM, -EFAULT when the answer
 * cannot be written, -ENOTTY without CONFIG_SYNC_FILE.
 */
long dma_buf_sync_ioctl_export(struct ioctl_call *call, void *args)
{
	struct dma_buf *dmabuf = call->file->private_data;
	struct dma_buf_export_sync_file *export = args;
	struct sync_file *sync_file;
	struct dma_fence *fence;
	int ret;

	if (!IS_ENABLED(CONFIG_SYNC_FILE))
		return -ENOTTY;
	if (!dma_buf_sync_flags_valid(export->flags))
		return -EINVAL;

	CLASS(get_unused_fd, fd)(O_CLOEXEC);
	if (fd < 0)
		return fd;

	ret = dma_resv_get_singleton(dmabuf->resv,
				     dma_resv_usage_rw(export->flags &
						       DMA_BUF_SYNC_WRITE),
				     &fence);
	if (ret)
		return ret;

	/* Nothing is going on: a fence that says so. */
	fence = fence ?: dma_fence_get_stub();
	sync_file = sync_file_create(fence);
	dma_fence_put(fence);
	if (!sync_file)
		return -ENOMEM;

	export->fd = fd;
	ret = ioctl_call_reply(call);
	if (ret) {
		fput(sync_file->file);
		return ret;
	}
	fd_install(take_fd(fd), sync_file->file);
	return 0;
}

/* Add each fence that @fence consists of. */
static int dma_buf_sync_add_fences(struct dma_resv *resv,
				   struct dma_fence *fence,
				   enum dma_resv_usage usage)
{
	struct dma_fence_unwrap iter;
	unsigned int count = 0;
	struct dma_fence *f;
	int ret;

	/* A later walk finds the same ones, or fewer as chains get shorter. */
	dma_fence_unwrap_for_each(f, &iter, fence)
		count++;
	if (!count)
		return 0;

	/* Programs do not expect to be told to try again, so no signal ends it. */
	dma_resv_lock(resv, NULL);
	ret = dma_resv_reserve_fences(resv, count);
	if (!ret) {
		dma_fence_unwrap_for_each(f, &iter, fence)
			dma_resv_add_fence(resv, f, usage);
	}
	dma_resv_unlock(resv);
	return ret;
}

/**
 * dma_buf_sync_ioctl_import - DMA_BUF_IOCTL_IMPORT_SYNC_FILE
 * @call: the call
 * @args: &struct dma_buf_import_sync_file
 *
 * Context: Process context. May sleep.
 * Return: 0; -EINVAL for wrong flags or a descriptor that is no sync file,
 * -ENOMEM, -ENOTTY without CONFIG_SYNC_FILE.
 */
long dma_buf_sync_ioctl_import(struct ioctl_call *call, void *args)
{
	struct dma_buf *dmabuf = call->file->private_data;
	const struct dma_buf_import_sync_file *import = args;
	struct dma_fence *fence;
	long ret;

	if (!IS_ENABLED(CONFIG_SYNC_FILE))
		return -ENOTTY;
	if (!dma_buf_sync_flags_valid(import->flags))
		return -EINVAL;

	fence = sync_file_get_fence(import->fd);
	if (!fence)
		return -EINVAL;

	ret = dma_buf_sync_add_fences(dmabuf->resv, fence,
				      import->flags & DMA_BUF_SYNC_WRITE ?
				      DMA_RESV_USAGE_WRITE : DMA_RESV_USAGE_READ);
	dma_fence_put(fence);
	return ret;
}
