// SPDX-License-Identifier: GPL-2.0-only
/*
 * Revocation: take a buffer away from all of its users.
 *
 * In two stages. The first one stops new users: &dma_buf.revoked is set, and
 * each function that would begin a use tests it. The second one ends the uses
 * that there are: waits are woken, importers are told to undo their mappings,
 * mappings that are not in use are dropped, the page tables of programs are
 * emptied. What cannot be ended from here is waited for, with a bound.
 *
 * Invariants:
 *
 *  - Revocation is final. The flag is set once and never cleared.
 *  - What ends a use is never refused: unmap, unpin, detach, vunmap, and the
 *    end of CPU access.
 *  - The memory belongs to the buffer as long as there is a reference to it.
 *    Revocation frees none, so an importer that does not answer uses memory
 *    that nothing else uses.
 *
 * A use that begins with the reservation lock tests the flag with the lock. So
 * when the flag has been set and the lock has been taken after that, all such
 * uses are known. Waiters and pollers are on a queue before they test the flag,
 * and the flag is set before the queue is woken.
 *
 * Locks: the reservation lock, to tell importers. Nothing is waited for with
 * it, as importers need it to unmap.
 */
#include <kunit/visibility.h>
#include <linux/cred.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/sched/signal.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/wait_bit.h>
#include <linux/ww_mutex.h>

#include "dma-buf-misuse.h"
#include "dma-buf-private.h"
#include "ioctl_table.h"

#include <trace/events/dma_buf.h>

/**
 * DOC: revocation
 *
 * An exporter takes a buffer back from importers and programs by
 * dma_buf_revoke(): because the device behind the memory is going away, or the
 * memory was lent to a client that must not use it any longer. Programs do so,
 * with buffers of heaps, by DMA_BUF_IOCTL_REVOKE. It is final: the buffer stays
 * revoked until it is released.
 *
 * Stage 1, stop new users. From then on these fail with -ENODEV: attaching,
 * mapping, pinning, for one buffer or a batch; dma_buf_vmap(); the begin of CPU
 * access, and so read, write, splice and transfers; mmap; the export and import
 * of sync files. Page faults of mappings raise SIGBUS, poll returns EPOLLERR.
 * What ends a use goes on to work: unmapping, unpinning, detaching,
 * dma_buf_vunmap(), the end of CPU access. So do the calls that use no memory:
 * fdinfo, lseek, fstat, naming, closing, passing the descriptor on.
 *
 * Stage 2, wait for the old ones. Waits for the fences of the buffer end with
 * -ENODEV, in system calls, in io_uring and in dma_buf_wait_attachments().
 * Tasks that poll are woken. Importers are called by
 * &dma_buf_attach_ops.invalidate_mappings. Mappings that are kept and not in
 * use are dropped, and all pages are removed from page tables of programs,
 * private copies included. Then dma_buf_revoke() waits for all fences of the
 * buffer, until the importers have unmapped, and for the fences that these have
 * added meanwhile. All of that takes no longer than the module parameter
 * dma_buf_revoke.timeout says, in seconds.
 *
 * Importers with move_notify alone are told as of a move, if the exporter is
 * dynamic and they have not pinned the buffer: otherwise they expect no call.
 * They are told after all fences have signaled, as they may wait for these with
 * the reservation lock, without a bound; if a fence is pending at the end of
 * the time they are not told at all. Nor have they promised anything. amdgpu
 * invalidates the page tables of the GPU that it gets the locks of, and unmaps
 * at once if the buffer is idle, or from a worker. xe does so as well, but for
 * a framebuffer: that one is pinned in xe alone, so its move_notify fails and
 * warns. So these importers are waited for as the others, and if they do not
 * unmap, dma_buf_revoke() returns -EBUSY.
 *
 * All other importers cannot be waited for: static ones, those that have pinned
 * the buffer, all that have no invalidate_mappings where the exporter is
 * static. They keep the mapping that they have, and dma_buf_revoke() returns
 * -EBUSY. An exporter that depends on getting its memory back refuses in its
 * attach op those without invalidate_mappings, see dma_buf_attach_revocable().
 *
 * Limits. These are not waited for, and may go on after a return of 0:
 *
 * - A system call that copies when the buffer is revoked, for at most one MiB,
 *   and a transfer that has not returned, for what it has submitted to the
 *   storage; they then return how much they have moved. That may be late: the
 *   other side of a copy is memory of the program, and a fault there takes as
 *   long as userfaultfd or a FUSE server likes. Copies from buffers without
 *   &dma_buf_ops.pages are no exception to -EBUSY, as they use vmap.
 * - The use of a page that a program has pinned through its mapping (direct
 *   I/O, registered buffers) or has in a pipe. The page is not used for
 *   anything else before that ends.
 *
 * A task that waits for a fence whose driver has a wait op of its own waits
 * until it signals.
 */

/* As long as a busy device may take for what it has begun. */
VISIBLE_IF_KUNIT unsigned int dma_buf_revoke_timeout = 10;
module_param_named(timeout, dma_buf_revoke_timeout, uint, 0644);
MODULE_PARM_DESC(timeout,
		 "how long a revocation waits for devices, in seconds");
EXPORT_SYMBOL_IF_KUNIT(dma_buf_revoke_timeout);

/* -- stage 1: stop new users ----------------------------------------------- */

static void dma_buf_revoke_stop(struct dma_buf *dmabuf)
{
	WRITE_ONCE(dmabuf->revoked, true);
	/*
	 * Before the queues are looked at. Pairs with a task that puts itself
	 * on a queue and then tests the flag.
	 */
	smp_mb();
	dma_buf_wait_wake(dmabuf);
	dma_buf_poll_revoke(dmabuf);
	dma_buf_uring_revoke(dmabuf);
}

/* -- stage 2: end the uses ------------------------------------------------- */

/*
 * Empty the page tables that map the file. Some drivers give it an address
 * space that all buffers of the device share, as drm_gem_dmabuf_export() does.
 * That is left alone: the other buffers would lose their mappings, and where
 * mmap enters the pages no fault brings them back.
 */
static void dma_buf_revoke_unmap(struct dma_buf *dmabuf)
{
	struct address_space *mapping = dmabuf->file->f_mapping;

	if (mapping == file_inode(dmabuf->file)->i_mapping)
		unmap_mapping_range(mapping, 0, 0, 1);
}

/*
 * Lock to tell importers, with a ticket: an importer may need it to lock more
 * objects, as amdgpu does with those of the page tables it empties. Without one
 * it could only try, and would leave them as they are.
 *
 * A signal does not end this: the caller relies on page tables being empty.
 */
static void dma_buf_revoke_lock_all(struct dma_buf *dmabuf,
				    struct ww_acquire_ctx *ticket)
{
	ww_acquire_init(ticket, &reservation_ww_class);
	/* Fails by CONFIG_DEBUG_WW_MUTEX_SLOWPATH only. */
	if (dma_resv_lock(dmabuf->resv, ticket))
		dma_resv_lock_slow(dmabuf->resv, ticket);
}

static void dma_buf_revoke_unlock_all(struct dma_buf *dmabuf,
				      struct ww_acquire_ctx *ticket)
{
	dma_resv_unlock(dmabuf->resv);
	ww_acquire_fini(ticket);
}

static void dma_buf_revoke_end_uses(struct dma_buf *dmabuf)
{
	struct ww_acquire_ctx ticket;

	dma_buf_revoke_lock_all(dmabuf, &ticket);
	dma_buf_attach_revoke(dmabuf);
	dma_buf_revoke_unlock_all(dmabuf, &ticket);

	if (dmabuf->ops->revoke)
		dmabuf->ops->revoke(dmabuf);
	dma_buf_revoke_unmap(dmabuf);
}

/**
 * struct dma_buf_revoke_wait - the wait for what uses a revoked buffer
 * @dmabuf: the buffer
 * @intr: end it when the task gets a signal
 * @deadline: when it ends, in jiffies
 * @moved: importers with move_notify alone have been told
 */
struct dma_buf_revoke_wait {
	struct dma_buf *dmabuf;
	bool intr;
	unsigned long deadline;
	bool moved;
};

static long dma_buf_revoke_time_left(const struct dma_buf_revoke_wait *wait)
{
	return max((long)(wait->deadline - jiffies), 0L);
}

/**
 * struct dma_buf_revoke_users - users that a buffer still has
 * @late: importers that have promised to unmap, and have not
 * @moving: importers that were told as of a move, and have not unmapped
 * @others: importers that were not told, and kernel mappings
 */
struct dma_buf_revoke_users {
	unsigned int late;
	unsigned int moving;
	unsigned int others;
};

static int dma_buf_revoke_lock(struct dma_buf *dmabuf, bool intr)
{
	return intr ? dma_resv_lock_interruptible(dmabuf->resv, NULL) :
		      dma_resv_lock(dmabuf->resv, NULL);
}

static struct dma_buf_revoke_users
dma_buf_revoke_count_users(const struct dma_buf_revoke_wait *wait, bool report)
{
	struct dma_buf *dmabuf = wait->dmabuf;
	struct dma_buf_revoke_users users = { };
	struct dma_buf_attachment *attach;

	dma_resv_assert_held(dmabuf->resv);
	users.others = !!dmabuf->vmapping_counter;
	list_for_each_entry(attach, &dmabuf->attachments, node) {
		if (!attach->nr_mapped)
			continue;
		if (dma_buf_attach_revocable(attach)) {
			users.late++;
		} else if (wait->moved && dma_buf_attach_movable(attach)) {
			users.moving++;
		} else {
			users.others++;
			continue;
		}
		if (report)
			pr_warn_ratelimited("dma-buf %s: %s has not unmapped a revoked buffer\n",
					    dmabuf->exp_name,
					    dev_name(attach->dev));
	}
	return users;
}

/*
 * Wait until no importer is late. The count takes the lock, so it cannot be the
 * condition of a plain wait: the task is not asleep until it has counted.
 */
static int dma_buf_revoke_wait_users(const struct dma_buf_revoke_wait *wait)
{
	struct dma_buf *dmabuf = wait->dmabuf;
	struct wait_queue_head *queue = __var_waitqueue(&dmabuf->revoked);
	DEFINE_WAIT_FUNC(entry, woken_wake_function);
	struct dma_buf_revoke_users users;
	long left;
	int ret;

	add_wait_queue(queue, &entry);
	for (;;) {
		ret = dma_buf_revoke_lock(dmabuf, wait->intr);
		if (ret)
			break;
		left = dma_buf_revoke_time_left(wait);
		users = dma_buf_revoke_count_users(wait, !left);
		dma_resv_unlock(dmabuf->resv);

		ret = users.others ? -EBUSY : 0;
		if (!users.late && !users.moving)
			break;
		ret = users.late ? -ETIMEDOUT : -EBUSY;
		if (!left)
			break;
		ret = -ERESTARTSYS;
		if (wait->intr && signal_pending(current))
			break;
		wait_woken(&entry, wait->intr ? TASK_INTERRUPTIBLE :
						TASK_UNINTERRUPTIBLE, left);
	}
	remove_wait_queue(queue, &entry);
	return ret;
}

/* Wait for devices that use the memory, with or without an importer. */
static int dma_buf_revoke_wait_fences(const struct dma_buf_revoke_wait *wait)
{
	enum dma_resv_usage usage = DMA_RESV_USAGE_BOOKKEEP;
	struct dma_resv *resv = wait->dmabuf->resv;
	long left = dma_buf_revoke_time_left(wait);
	long ret;

	if (left)
		ret = dma_resv_wait_timeout(resv, usage, wait->intr, left);
	else
		ret = dma_resv_test_signaled(resv, usage);
	if (ret)
		return min(ret, 0L);

	pr_warn_ratelimited("dma-buf %s: fences of a revoked buffer are pending\n",
			    wait->dmabuf->exp_name);
	return -ETIMEDOUT;
}

/*
 * Tell importers with move_notify alone, unless there is a fence that they
 * would wait for with the lock. Return whether they have been told.
 */
static bool dma_buf_revoke_tell_moves(struct dma_buf *dmabuf)
{
	struct ww_acquire_ctx ticket;
	bool idle;

	dma_buf_revoke_lock_all(dmabuf, &ticket);
	idle = dma_resv_test_signaled(dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP);
	if (idle)
		dma_buf_attach_revoke_moves(dmabuf);
	dma_buf_revoke_unlock_all(dmabuf, &ticket);
	return idle;
}

/* Wait for fences, and tell importers that must not be told before. */
static int dma_buf_revoke_wait_moves(struct dma_buf_revoke_wait *wait)
{
	int ret;

	/* A fence may be added between the wait and the lock. */
	do {
		ret = dma_buf_revoke_wait_fences(wait);
		if (ret)
			return ret;
		wait->moved = dma_buf_revoke_tell_moves(wait->dmabuf);
	} while (!wait->moved && dma_buf_revoke_time_left(wait));

	return wait->moved ? 0 : -ETIMEDOUT;
}

static int dma_buf_revoke_wait(struct dma_buf *dmabuf, bool intr)
{
	unsigned int seconds = READ_ONCE(dma_buf_revoke_timeout);
	struct dma_buf_revoke_wait wait = {
		.dmabuf = dmabuf, .intr = intr,
		.deadline = jiffies + min_t(u64, (u64)seconds * HZ,
					    MAX_SCHEDULE_TIMEOUT - 1),
	};
	int fences, users;

	fences = dma_buf_revoke_wait_moves(&wait);
	if (fences && fences != -ETIMEDOUT && intr && signal_pending(current))
		return fences;
	/*
	 * Also after a timeout, to name the importers that are late, and after
	 * an error of a fence, of which they know nothing.
	 */
	users = dma_buf_revoke_wait_users(&wait);
	if (fences || users)
		return fences ?: users;

	/*
	 * An importer that was late may have added a fence before it unmapped,
	 * for what its device has begun.
	 */
	return dma_buf_revoke_wait_fences(&wait);
}

/**
 * dma_buf_revoke - take a buffer away from all of its users
 * @dmabuf: the buffer; the caller has a reference
 * @intr: return early when the task gets a signal while it waits for devices
 *
 * See "Revocation" in Documentation/driver-api/dma-buf.rst for what this does
 * to importers and programs. Whatever is returned, the buffer is revoked, and
 * stays revoked. Another call repeats the second stage: it returns 0 when the
 * uses that the first call found have ended meanwhile.
 *
 * The exporter's memory goes back by its release op, after the last reference
 * to the buffer. An exporter that wants to use the memory for other things
 * before that has to have got 0, and to have neither &dma_buf_ops.pages, from
 * which system calls copy, nor pages that programs can pin.
 *
 * Context: Process context, without the reservation lock. May sleep, for a
 * little longer than the module parameter dma_buf_revoke.timeout says.
 * Return: 0 when no device or kernel mapping leads to the memory any more, nor
 * a page table, but for those which &dma_buf_ops.revoke has to empty; a copy, a
 * transfer or a pinned page may still, see there under "Limits";
 *
 * -EINVAL
 *	no buffer
 * -EBUSY
 *	an importer that cannot be revoked, or that was told as of a move, has
 *	the buffer mapped, or the kernel has it mapped by dma_buf_vmap()
 * -ETIMEDOUT
 *	a fence has not signaled, or an importer that promised to unmap has not
 *	done so, in time; it is named in the kernel's log
 * -EINTR, -ERESTARTSYS
 *	with @intr, a signal came first
 *
 * or an error of &dma_fence_ops.wait, after the wait for importers.
 */
int dma_buf_revoke(struct dma_buf *dmabuf, bool intr)
{
	int ret;

	might_sleep();
	if (dma_buf_misuse(!dmabuf || !dmabuf->file))
		return -EINVAL;

	dma_buf_revoke_stop(dmabuf);
	dma_buf_revoke_end_uses(dmabuf);
	ret = dma_buf_revoke_wait(dmabuf, intr);
	trace_dma_buf_revoke(dmabuf, ret);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_revoke, DMA_BUF);

/* -- programs -------------------------------------------------------------- */

/*
 * Test whether the caller is the user that allocated the buffer, by the
 * credentials of its file, or administrates the user namespace of that user.
 */
static bool dma_buf_revoke_allowed(const struct file *file)
{
	const struct cred *cred = current_cred();
	const struct cred *owner = file->f_cred;

	if (uid_eq(cred->euid, owner->euid) && cred->user_ns == owner->user_ns)
		return true;
	return ns_capable(owner->user_ns, CAP_SYS_ADMIN);
}

/**
 * dma_buf_revoke_ioctl - carry out DMA_BUF_IOCTL_REVOKE
 * @call: the call
 * @args: not used; the argument of the ioctl must be zero
 *
 * Context: Process context. May sleep.
 * Return: -EINVAL for an argument; -EOPNOTSUPP for a buffer of an exporter that
 * does not let programs revoke; -EPERM for a caller that may not; or as
 * dma_buf_revoke().
 */
long dma_buf_revoke_ioctl(struct ioctl_call *call, void *args)
{
	struct dma_buf *dmabuf = call->file->private_data;

	if (call->arg)
		return -EINVAL;
	if (!dmabuf->ops->user_revoke)
		return -EOPNOTSUPP;
	if (!dma_buf_revoke_allowed(call->file))
		return -EPERM;
	return dma_buf_revoke(dmabuf, true);
}
