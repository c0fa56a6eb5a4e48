// SPDX-License-Identifier: GPL-2.0-only
/*
 * Batches: one call for the attachments of many buffers.
 *
 * The locks of all buffers are taken with one acquire context. Two tasks that
 * lock the same buffers in different orders therefore do not deadlock: the
 * younger one gives up all that it has, sleeps on the lock that it could not
 * get, and begins again with that one. Nothing is sorted, and a reservation
 * object that several buffers share is locked once.
 *
 * Invariant: a batch is done as a whole or not at all. What undoes it needs no
 * memory and takes the locks uninterruptibly, so it cannot fail.
 *
 * All work on one attachment is done by dma-buf-attach.c.
 *
 * Lock order: reservation locks in any order, as far as they belong to one
 * acquire context. A wait for fences before or without mapping holds none.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/ww_mutex.h>

#include "dma-buf-misuse.h"
#include "dma-buf-private.h"

/**
 * DOC: batches
 *
 * A driver that submits a job with hundreds of buffers maps, pins and waits for
 * all of them at once. The functions for that take an array of attachments, of
 * 1 to %DMA_BUF_BATCH_MAX entries, in any order. The attachments may be of any
 * kinds, devices and exporters; two may be of one buffer, or of buffers that
 * share a reservation object, and an attachment may occur twice.
 *
 * For each attachment they do what the function for one does, with the same
 * rules. For all of them together, they succeed, or have no effect.
 *
 * A static importer calls dma_buf_map_attachments_unlocked(), and later
 * dma_buf_unmap_attachments_unlocked(). A dynamic one holds the locks until the
 * fences of its job are in place, as a buffer might be moved before that::
 *
 *	ret = dma_buf_lock_attachments(attachs, n, &ctx, true);
 *	if (ret)
 *		return ret;
 *	ret = dma_buf_map_attachments(attachs, sgts, n, dir);
 *	if (!ret) {
 *		ret = foo_submit(job);	// reserves and adds fences
 *		if (ret)
 *			dma_buf_unmap_attachments(attachs, sgts, n, dir);
 *	}
 *	dma_buf_unlock_attachments(attachs, n, &ctx);
 *
 * dma_buf_wait_attachments() waits for the fences of all buffers, with one
 * timeout. It makes one pass: the devices work on all buffers at the same time,
 * so that the wait is as long as the longest one, and not as their sum.
 *
 * Programs have batches of their own: DMA_HEAP_IOCTL_ALLOC_BATCH of a heap, and
 * DMA_BUF_IOCTL_SYNC_BATCH.
 */

static struct dma_resv *dma_buf_batch_resv(struct dma_buf_attachment *attach)
{
	return attach->dmabuf->resv;
}

/*
 * The number may come from a program, by way of a driver, so a bad one is no
 * misuse. Entries that are missing are.
 */
static int dma_buf_batch_check(struct dma_buf_attachment **attachs,
			       unsigned int n)
{
	unsigned int i;

	if (!n || n > DMA_BUF_BATCH_MAX)
		return -EINVAL;
	for (i = 0; i < n; i++)
		if (dma_buf_misuse(!attachs[i] || !attachs[i]->dmabuf))
			return -EINVAL;
	return 0;
}

/* Take one lock; if it is contended, @ctx must hold no other. */
static int dma_buf_batch_lock_one(struct dma_resv *resv,
				  struct ww_acquire_ctx *ctx, bool intr,
				  bool contended)
{
	if (!contended)
		return intr ? dma_resv_lock_interruptible(resv, ctx) :
			      dma_resv_lock(resv, ctx);
	if (intr)
		return dma_resv_lock_slow_interruptible(resv, ctx);
	dma_resv_lock_slow(resv, ctx);
	return 0;
}

/*
 * Release the locks that @ctx holds. The context tells which these are: nothing
 * else has it, and it is no longer in a lock that has been released, be it as
 * that of another attachment before.
 */
static void dma_buf_batch_unlock(struct dma_buf_attachment **attachs,
				 unsigned int n, struct ww_acquire_ctx *ctx)
{
	while (n--) {
		struct dma_resv *resv = dma_buf_batch_resv(attachs[n]);

		if (dma_resv_locking_ctx(resv) == ctx)
			dma_resv_unlock(resv);
	}
}

/* Take all locks in one attempt, beginning with *@contended if there is one. */
static int dma_buf_batch_try_lock(struct dma_buf_attachment **attachs,
				  unsigned int n, struct ww_acquire_ctx *ctx,
				  bool intr, struct dma_resv **contended)
{
	unsigned int i;
	int ret = 0;

	if (*contended)
		ret = dma_buf_batch_lock_one(*contended, ctx, intr, true);
	for (i = 0; i < n && !ret; i++) {
		struct dma_resv *resv = dma_buf_batch_resv(attachs[i]);

		ret = dma_buf_batch_lock_one(resv, ctx, intr, false);
		if (ret == -EALREADY)
			ret = 0;
		else if (ret == -EDEADLK)
			*contended = resv;
	}
	if (ret)
		dma_buf_batch_unlock(attachs, n, ctx);
	return ret;
}

/**
 * dma_buf_lock_attachments - take the reservation locks of attached buffers
 * @attachs: the attachments
 * @n: how many, 1 to %DMA_BUF_BATCH_MAX
 * @ctx: initialized by this function, finished by dma_buf_unlock_attachments()
 * @intr: give up when a signal comes
 *
 * The caller must hold no reservation lock, and cannot take more with @ctx.
 *
 * Context: Process context. May sleep.
 * Return: 0; -EINVAL when @n is not in range, or an attachment is missing; with
 * @intr, -EINTR on a signal. After an error no lock is held.
 */
int dma_buf_lock_attachments(struct dma_buf_attachment **attachs,
			     unsigned int n, struct ww_acquire_ctx *ctx,
			     bool intr)
{
	struct dma_resv *contended = NULL;
	int ret;

	might_sleep();
	ret = dma_buf_batch_check(attachs, n);
	if (ret)
		return ret;

	ww_acquire_init(ctx, &reservation_ww_class);
	do {
		ret = dma_buf_batch_try_lock(attachs, n, ctx, intr, &contended);
	} while (ret == -EDEADLK);

	if (ret)
		ww_acquire_fini(ctx);
	else
		ww_acquire_done(ctx);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_lock_attachments, DMA_BUF);

/**
 * dma_buf_unlock_attachments - undo one dma_buf_lock_attachments()
 * @attachs: the attachments
 * @n: how many
 * @ctx: as given then
 *
 * Context: Process context, with the locks.
 */
void dma_buf_unlock_attachments(struct dma_buf_attachment **attachs,
				unsigned int n, struct ww_acquire_ctx *ctx)
{
	dma_buf_batch_unlock(attachs, n, ctx);
	ww_acquire_fini(ctx);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unlock_attachments, DMA_BUF);

/* Lock for what undoes a batch; false only if there never was such a batch. */
static bool dma_buf_batch_lock_undo(struct dma_buf_attachment **attachs,
				    unsigned int n, struct ww_acquire_ctx *ctx)
{
	return !dma_buf_misuse(dma_buf_lock_attachments(attachs, n, ctx,
							false));
}

/**
 * dma_buf_map_attachments - map buffers for devices
 * @attachs: the attachments
 * @sgts: set to a table for each, in the same order; not valid after an error
 * @n: how many, 1 to %DMA_BUF_BATCH_MAX
 * @dir: what the devices will do, as for dma_buf_map_attachment()
 *
 * Does dma_buf_map_attachment() for each, or nothing.
 *
 * Context: Process context, with the reservation locks of all, see
 * dma_buf_lock_attachments(). May sleep.
 * Return: 0, for dma_buf_unmap_attachments() with the same direction; -EINVAL
 * when @n is not in range, or an attachment is missing; or the first error of
 * dma_buf_map_attachment().
 */
int dma_buf_map_attachments(struct dma_buf_attachment **attachs,
			    struct sg_table **sgts, unsigned int n,
			    enum dma_data_direction dir)
{
	unsigned int i;
	int ret;

	might_sleep();
	ret = dma_buf_batch_check(attachs, n);
	if (ret)
		return ret;

	for (i = 0; i < n; i++) {
		sgts[i] = dma_buf_map_attachment(attachs[i], dir);
		if (IS_ERR(sgts[i]))
			break;
		cond_resched();
	}
	if (i == n)
		return 0;

	ret = PTR_ERR(sgts[i]);
	while (i--)
		dma_buf_unmap_attachment(attachs[i], sgts[i], dir);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_map_attachments, DMA_BUF);

/**
 * dma_buf_unmap_attachments - undo one dma_buf_map_attachments()
 * @attachs: the attachments
 * @sgts: the tables; the caller must not touch them again
 * @n: how many
 * @dir: the direction that was given then
 *
 * Context: Process context, with the reservation locks of all. May sleep.
 */
void dma_buf_unmap_attachments(struct dma_buf_attachment **attachs,
			       struct sg_table **sgts, unsigned int n,
			       enum dma_data_direction dir)
{
	might_sleep();
	while (n--) {
		dma_buf_unmap_attachment(attachs[n], sgts[n], dir);
		cond_resched();
	}
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unmap_attachments, DMA_BUF);

/*
 * Wait for the moves which mapping for a static importer waits for. Done before
 * the locks are taken, so that other users of the buffers need not wait as
 * well; what is queued afterwards is waited for with the locks.
 */
static int dma_buf_batch_wait_moves(struct dma_buf_attachment **attachs,
				    unsigned int n)
{
	unsigned int i;
	long ret;

	for (i = 0; i < n; i++) {
		struct dma_resv *resv = dma_buf_batch_resv(attachs[i]);

		/* A kept mapping is returned without a wait. */
		if (dma_resv_is_unused(resv) || READ_ONCE(attachs[i]->sgt) ||
		    dma_buf_attachment_is_dynamic(attachs[i]))
			continue;
		ret = dma_buf_wait_fences(attachs[i]->dmabuf,
					  DMA_RESV_USAGE_KERNEL, true,
					  MAX_SCHEDULE_TIMEOUT);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/**
 * dma_buf_map_attachments_unlocked - lock and map buffers for devices
 * @attachs: the attachments
 * @sgts: set to a table for each, in the same order; not valid after an error
 * @n: how many, 1 to %DMA_BUF_BATCH_MAX
 * @dir: what the devices will do, as for dma_buf_map_attachment()
 *
 * Context: Process context; takes the reservation locks of all. May sleep.
 * Return: as dma_buf_map_attachments(); -EINTR when a signal ended the wait for
 * a lock.
 */
int dma_buf_map_attachments_unlocked(struct dma_buf_attachment **attachs,
				     struct sg_table **sgts, unsigned int n,
				     enum dma_data_direction dir)
{
	struct ww_acquire_ctx ctx;
	int ret;

	might_sleep();
	ret = dma_buf_batch_check(attachs, n) ?:
	      dma_buf_batch_wait_moves(attachs, n) ?:
	      dma_buf_lock_attachments(attachs, n, &ctx, true);
	if (ret)
		return ret;
	ret = dma_buf_map_attachments(attachs, sgts, n, dir);
	dma_buf_unlock_attachments(attachs, n, &ctx);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_map_attachments_unlocked, DMA_BUF);

/**
 * dma_buf_unmap_attachments_unlocked - lock and unmap buffers
 * @attachs: the attachments
 * @sgts: the tables; the caller must not touch them again
 * @n: how many
 * @dir: the direction that was given when mapping
 *
 * Not interrupted by signals.
 *
 * Context: Process context; takes the reservation locks of all. May sleep.
 */
void dma_buf_unmap_attachments_unlocked(struct dma_buf_attachment **attachs,
					struct sg_table **sgts, unsigned int n,
					enum dma_data_direction dir)
{
	struct ww_acquire_ctx ctx;

	if (!dma_buf_batch_lock_undo(attachs, n, &ctx))
		return;
	dma_buf_unmap_attachments(attachs, sgts, n, dir);
	dma_buf_unlock_attachments(attachs, n, &ctx);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unmap_attachments_unlocked, DMA_BUF);

/**
 * dma_buf_pin_attachments - keep buffers from moving
 * @attachs: attachments of dynamic importers
 * @n: how many, 1 to %DMA_BUF_BATCH_MAX
 *
 * Does dma_buf_pin() for each, or nothing.
 *
 * Context: Process context, with the reservation locks of all. May sleep.
 * Return: 0, for dma_buf_unpin_attachments(); -EINVAL when @n is not in range,
 * an attachment is missing or of a static importer; or the first error of
 * dma_buf_pin().
 */
int dma_buf_pin_attachments(struct dma_buf_attachment **attachs,
			    unsigned int n)
{
	unsigned int i;
	int ret;

	might_sleep();
	ret = dma_buf_batch_check(attachs, n);
	for (i = 0; i < n && !ret; i++)
		ret = dma_buf_pin(attachs[i]);
	if (!ret || !i)
		return ret;

	/* The last one was not pinned. */
	dma_buf_unpin_attachments(attachs, i - 1);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pin_attachments, DMA_BUF);

/**
 * dma_buf_unpin_attachments - undo one dma_buf_pin_attachments()
 * @attachs: the attachments
 * @n: how many
 *
 * Context: Process context, with the reservation locks of all. May sleep.
 */
void dma_buf_unpin_attachments(struct dma_buf_attachment **attachs,
			       unsigned int n)
{
	might_sleep();
	while (n--)
		dma_buf_unpin(attachs[n]);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unpin_attachments, DMA_BUF);

/**
 * dma_buf_pin_attachments_unlocked - lock buffers and keep them from moving
 * @attachs: attachments of dynamic importers
 * @n: how many, 1 to %DMA_BUF_BATCH_MAX
 *
 * Context: Process context; takes the reservation locks of all. May sleep.
 * Return: as dma_buf_pin_attachments(); -EINTR when a signal ended the wait for
 * a lock.
 */
int dma_buf_pin_attachments_unlocked(struct dma_buf_attachment **attachs,
				     unsigned int n)
{
	struct ww_acquire_ctx ctx;
	int ret;

	ret = dma_buf_lock_attachments(attachs, n, &ctx, true);
	if (ret)
		return ret;
	ret = dma_buf_pin_attachments(attachs, n);
	dma_buf_unlock_attachments(attachs, n, &ctx);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pin_attachments_unlocked, DMA_BUF);

/**
 * dma_buf_unpin_attachments_unlocked - lock buffers and undo one pin of each
 * @attachs: the attachments
 * @n: how many
 *
 * Not interrupted by signals.
 *
 * Context: Process context; takes the reservation locks of all. May sleep.
 */
void dma_buf_unpin_attachments_unlocked(struct dma_buf_attachment **attachs,
					unsigned int n)
{
	struct ww_acquire_ctx ctx;

	if (!dma_buf_batch_lock_undo(attachs, n, &ctx))
		return;
	dma_buf_unpin_attachments(attachs, n);
	dma_buf_unlock_attachments(attachs, n, &ctx);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unpin_attachments_unlocked, DMA_BUF);

/**
 * dma_buf_wait_attachments - wait for the fences of attached buffers
 * @attachs: the attachments
 * @n: how many, 1 to %DMA_BUF_BATCH_MAX
 * @usage: the highest usage to wait for
 * @intr: return early when the task gets a signal
 * @timeout: for all of them together, in jiffies; %MAX_SCHEDULE_TIMEOUT for
 *	none, 0 to test without waiting
 *
 * Fences added after the call may or may not be waited for, unless the caller
 * holds the locks.
 *
 * Context: May sleep unless @timeout is 0. The reservation locks may, but need
 * not be held.
 * Return: jiffies left, at least 1, when all have signalled; 0 on timeout;
 * -EINVAL when @n is not in range, or an attachment is missing; -ENODEV when a
 * buffer has been revoked; -ERESTARTSYS when a signal came first; or an error
 * of &dma_fence_ops.wait.
 */
long dma_buf_wait_attachments(struct dma_buf_attachment **attachs,
			      unsigned int n, enum dma_resv_usage usage,
			      bool intr, unsigned long timeout)
{
	unsigned int i;
	long left, ret;

	ret = dma_buf_batch_check(attachs, n);
	if (ret)
		return ret;

	left = timeout;
	for (i = 0; i < n; i++) {
		struct dma_resv *resv = dma_buf_batch_resv(attachs[i]);

		if (dma_buf_is_revoked(attachs[i]->dmabuf))
			return -ENODEV;
		if (dma_resv_is_unused(resv))
			continue;
		ret = dma_buf_wait_fences(attachs[i]->dmabuf, usage, intr,
					  left);
		if (ret <= 0)
			return ret;
		/* A test returns 1, which must not become a timeout of 1. */
		if (left)
			left = ret;
	}
	return max(left, 1L);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_wait_attachments, DMA_BUF);
