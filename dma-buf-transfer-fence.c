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
 *  - It is published after the last request was submitted, and after the call
 *    has dropped its part of the job: the task may not run for long.
 *  - Block drivers complete what they have without allocations, as reclaim
 *    depends on that. A disk is that of a device, and not a server, a map of
 *    other disks or memory; its driver bounds requests by a timeout; and no
 *    limit of a cgroup holds requests back.
 *  - Only files get one for which requests to that disk are all that remains to
 *    be done. The list of file systems is short on purpose: each must read
 *    directly without another thread, and have its data on that disk alone.
 *  - The end of CPU access needs a worker. Its workqueue has a rescuer, and
 *    carries nothing else.
 *  - Some drivers start a timeout again and again, as long as a controller
 *    looks alive. So the fence has a deadline, after which it signals with an
 *    error.
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
#include <linux/fileattr.h>
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
 * From the publication to the error, in jiffies. As long as vgem gives its
 * fences, and the scheduler of DRM its jobs.
 */
VISIBLE_IF_KUNIT unsigned long dma_buf_transfer_fence_deadline = 10 * HZ;
EXPORT_SYMBOL_IF_KUNIT(dma_buf_transfer_fence_deadline);

static struct workqueue_struct *dma_buf_transfer_fence_wq;

/**
 * struct dma_buf_transfer_fence - requests of a transfer under way
 * @base: the fence
 * @lock: of @base
 * @deadline: pending from the start on, until all requests have completed
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

/* Test whether a file of XFS is, or may be, on a second disk. */
static bool dma_buf_transfer_fence_is_realtime(struct file *file)
{
	struct fileattr attr = { };

	return vfs_fileattr_get(file->f_path.dentry, &attr) ||
	       attr.fsx_xflags & FS_XFLAG_REALTIME;
}

/* The disk that has the data of a file, or NULL. */
static struct block_device *dma_buf_transfer_fence_disk(struct file *file,
							bool to_file)
{
	struct inode *inode = file_inode(file);

	if (S_ISBLK(inode->i_mode))
		return file_bdev(file);
	/* A file that is written has metadata to be written afterwards. */
	if (to_file || IS_ENCRYPTED(inode))
		return NULL;
	if (inode->i_sb->s_magic == EXT4_SUPER_MAGIC)
		return inode->i_sb->s_bdev;
	if (inode->i_sb->s_magic == XFS_SUPER_MAGIC &&
	    !dma_buf_transfer_fence_is_realtime(file))
		return inode->i_sb->s_bdev;
	return NULL;
}

/* A limit that is set for the first time after this is left to the deadline. */
static bool dma_buf_transfer_fence_is_throttled(struct request_queue *queue)
{
#ifdef CONFIG_BLK_DEV_THROTTLING
	return READ_ONCE(queue->td);
#else
	return false;
#endif
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
	/* Servers in user space (ublk, nbd), loop and others have no device. */
	if (!disk_to_dev(disk->bd_disk)->parent)
		return false;
	queue = bdev_get_queue(disk);
	return queue_is_mq(queue) && queue->mq_ops->timeout &&
	       !dma_buf_transfer_fence_is_throttled(queue);
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
 * dma_buf_transfer_fence_start - set the deadline of an out-fence
 * @fence: the fence, whose requests have all been submitted; it may have
 *	signaled
 *
 * Context: Any.
 */
void dma_buf_transfer_fence_start(struct dma_fence *fence)
{
	struct dma_buf_transfer_fence *transfer =
		container_of(fence, struct dma_buf_transfer_fence, base);

	mod_timer(&transfer->deadline,
		  jiffies + READ_ONCE(dma_buf_transfer_fence_deadline));
}

/**
 * dma_buf_transfer_fence_signal - the requests of an out-fence have completed
 * @fence: the fence, started or not
 * @error: 0, or what they failed with, a negative errno
 *
 * A start that comes later does nothing.
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
