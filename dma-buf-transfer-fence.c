// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fences of a transfer: the one it waits for, the one it leaves
 *
 * An out-fence stands for requests that have been submitted to storage and not
 * completed. It is seen by others once it is in the reservation object, so from
 * there on the rules of fences hold: it signals in finite time, and nothing on
 * the way there allocates memory or waits for somebody who does. See "DMA
 * Fences" in driver-api/dma-buf.rst.
 *
 *  - It is published after the last request was submitted. Block drivers
 *    complete what they have without allocations, as reclaim depends on that.
 *  - Only files get one for which this is all that remains to be done:
 *    dma_buf_transfer_fence_allowed().
 *  - The end of CPU access needs a worker. Its workqueue has a rescuer.
 *  - Block drivers bound each request by a timeout, but some start it again and
 *    again, as long as a controller or a server looks alive. So the fence has a
 *    deadline, after which it signals with an error.
 *
 * After the deadline storage may still access the memory, which therefore stays
 * until all requests have completed. Only the content is uncertain, and the
 * error says so.
 */
#include <kunit/static_stub.h>
#include <kunit/visibility.h>

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/container_of.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/magic.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/stat.h>
#include <linux/sync_file.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#include "dma-buf-private.h"

/*
 * From the publication to the error, in jiffies. An NVMe controller that is
 * reset has taken two timeouts of 30 s until then. Tasks that wait without
 * regard to signals are reported after 120 s.
 */
VISIBLE_IF_KUNIT unsigned long dma_buf_transfer_fence_deadline = 90 * HZ;
EXPORT_SYMBOL_IF_KUNIT(dma_buf_transfer_fence_deadline);

static struct workqueue_struct *dma_buf_transfer_fence_wq;

/**
 * struct dma_buf_transfer_fence - requests of a transfer under way
 * @base: the fence
 * @lock: of @base
 * @deadline: pending from the publication on, until @base has signaled
 */
struct dma_buf_transfer_fence {
	struct dma_fence base;
	spinlock_t lock; /* of the fence */
	struct timer_list deadline;
};

static const char *dma_buf_transfer_fence_driver(struct dma_fence *fence)
{
	return "dma-buf";
}

static const char *dma_buf_transfer_fence_timeline(struct dma_fence *fence)
{
	return "transfer";
}

static const struct dma_fence_ops dma_buf_transfer_fence_ops = {
	.get_driver_name	= dma_buf_transfer_fence_driver,
	.get_timeline_name	= dma_buf_transfer_fence_timeline,
};

/* Signal, unless that was done already. */
static void dma_buf_transfer_fence_end(struct dma_fence *fence, int error)
{
	unsigned long flags;

	spin_lock_irqsave(fence->lock, flags);
	if (!dma_fence_is_signaled_locked(fence)) {
		if (error)
			dma_fence_set_error(fence, error);
		dma_fence_signal_locked(fence);
	}
	spin_unlock_irqrestore(fence->lock, flags);
}

static void dma_buf_transfer_fence_expire(struct timer_list *timer)
{
	struct dma_buf_transfer_fence *transfer =
		from_timer(transfer, timer, deadline);

	dma_buf_transfer_fence_end(&transfer->base, -ETIMEDOUT);
}

/* The disk below a file, or NULL. */
static struct block_device *dma_buf_transfer_fence_disk(struct file *file,
							bool to_file)
{
	struct super_block *sb = file_inode(file)->i_sb;

	if (S_ISBLK(file_inode(file)->i_mode))
		return file_bdev(file);
	/* A file that is written has metadata to be written afterwards. */
	if (to_file)
		return NULL;
	/* Some are served by a program, although they are kept on a disk. */
	if (!(sb->s_type->fs_flags & FS_REQUIRES_DEV) ||
	    sb->s_magic == FUSE_SUPER_MAGIC)
		return NULL;
	return sb->s_bdev;
}

/**
 * dma_buf_transfer_fence_allowed - test whether an out-fence is possible
 * @file: the file, regular or a block device
 * @to_file: direction
 *
 * Context: Any.
 * Return: true if direct requests to @file, once submitted, complete in finite
 * time without an allocation, but for what the deadline is for.
 */
bool dma_buf_transfer_fence_allowed(struct file *file, bool to_file)
{
	struct block_device *disk;
	struct request_queue *queue;

	KUNIT_STATIC_STUB_REDIRECT(dma_buf_transfer_fence_allowed, file,
				   to_file);

	disk = dma_buf_transfer_fence_disk(file, to_file);
	if (!disk || !dma_buf_transfer_fence_wq)
		return false;
	/* Without requests of its own it is a map of other disks, or memory. */
	queue = bdev_get_queue(disk);
	return queue_is_mq(queue) && queue->mq_ops->timeout;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_transfer_fence_allowed);

/**
 * dma_buf_transfer_fence_alloc - make an out-fence
 *
 * Context: Process context. May sleep.
 * Return: the fence, or NULL without memory.
 */
struct dma_fence *dma_buf_transfer_fence_alloc(void)
{
	struct dma_buf_transfer_fence *transfer;

	/* For as long as storage takes, so charged to the program. */
	transfer = kzalloc(sizeof(*transfer), GFP_KERNEL_ACCOUNT);
	if (!transfer)
		return NULL;

	spin_lock_init(&transfer->lock);
	timer_setup(&transfer->deadline, dma_buf_transfer_fence_expire, 0);
	/* Transfers end in any order, so each is a timeline of its own. */
	dma_fence_init(&transfer->base, &dma_buf_transfer_fence_ops,
		       &transfer->lock, dma_fence_context_alloc(1), 1);
	__set_bit(DMA_FENCE_FLAG_NAMES_STAY_BIT, &transfer->base.flags);
	return &transfer->base;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_transfer_fence_alloc);

/**
 * dma_buf_transfer_fence_publish - let others wait for an out-fence
 * @fence: the fence, whose requests have all been submitted
 * @dmabuf: their buffer
 * @usage: what they do with it
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: 0, for dma_buf_transfer_fence_signal() to follow; -ENOMEM, and @fence
 * has not been published.
 */
int dma_buf_transfer_fence_publish(struct dma_fence *fence,
				   struct dma_buf *dmabuf,
				   enum dma_resv_usage usage)
{
	struct dma_buf_transfer_fence *transfer =
		container_of(fence, struct dma_buf_transfer_fence, base);
	int ret;

	dma_resv_lock(dmabuf->resv, NULL);
	ret = dma_resv_reserve_fences(dmabuf->resv, 1);
	if (!ret) {
		mod_timer(&transfer->deadline,
			  jiffies + READ_ONCE(dma_buf_transfer_fence_deadline));
		dma_resv_add_fence(dmabuf->resv, fence, usage);
	}
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

/**
 * dma_buf_transfer_fence_signal - the requests of an out-fence have completed
 * @fence: the fence, published or not
 * @error: 0, or what they failed with, a negative errno
 *
 * Context: Process context. Nothing is allocated.
 */
void dma_buf_transfer_fence_signal(struct dma_fence *fence, int error)
{
	struct dma_buf_transfer_fence *transfer =
		container_of(fence, struct dma_buf_transfer_fence, base);

	timer_shutdown_sync(&transfer->deadline);
	dma_buf_transfer_fence_end(fence, error);
}

/**
 * dma_buf_transfer_fence_queue - run what is left when requests have completed
 * @work: the rest, up to dma_buf_transfer_fence_signal()
 *
 * Context: Any.
 */
void dma_buf_transfer_fence_queue(struct work_struct *work)
{
	queue_work(dma_buf_transfer_fence_wq, work);
}

static int __init dma_buf_transfer_fence_init(void)
{
	dma_buf_transfer_fence_wq = alloc_workqueue("dma_buf_transfer",
						    WQ_MEM_RECLAIM, 0);
	return dma_buf_transfer_fence_wq ? 0 : -ENOMEM;
}
subsys_initcall(dma_buf_transfer_fence_init);
