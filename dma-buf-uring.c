// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands of a buffer through io_uring
 *
 * IORING_OP_URING_CMD on the descriptor of a buffer does what ioctl(2) does,
 * and the code behind both is the same. What differs is the wait for fences,
 * which takes no thread: a start of CPU access that finds a fence adds a
 * callback to it and returns. The callback has io_uring call back in the
 * context of the task, where the access goes on as far as the next fence.
 *
 * A command that waits this way is cancelled when its ring is closed or its task
 * ends. io_uring offers no way for IORING_OP_ASYNC_CANCEL or a linked timeout to
 * find it. They find what a worker thread of io_uring runs, so a command with a
 * linked timeout waits in one, and so does one with IOSQE_ASYNC, and one whose
 * exporter has to be called before the wait. A transfer does all of its work
 * there, as submitting requests to a file may block.
 *
 * Invariants:
 *
 *  - The submission queue entry is read once by each issue: it is memory of the
 *    program, which may change it at any time. Nothing of it is used after the
 *    issue.
 *  - A command with a callback is completed once. Three may end its wait: the
 *    callback, the cancellation, and the revocation of the buffer. The one that
 *    sets dma_buf_uring_wait.ended does it; the others leave the command alone.
 *  - What waits is on the list of its buffer, from before it tests for a
 *    revocation until it goes on or is taken off by one. So a revocation finds
 *    it, or is found by it.
 *
 * Locks: the lock of the ring, with which io_uring issues a command, runs its
 * task work and cancels it, protects struct dma_buf_uring_wait. Worker threads
 * issue without it, and never wait by callback. The callback runs with the lock
 * of the fence, which nests inside, and changes nothing but what io_uring
 * allows in interrupts. &dma_buf_waiters.uring_lock protects the list; it nests
 * inside the lock of the ring, and no fence is touched with it.
 */
#include <linux/array_size.h>
#include <linux/atomic.h>
#include <linux/cleanup.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/file.h>
#include <linux/io_uring/cmd.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/thread_info.h>

#include "dma-buf-private.h"

/* The uAPI, with which programs were compiled. */
static_assert(sizeof(struct dma_buf_uring_cmd) == 16);
static_assert(offsetof(struct dma_buf_uring_cmd, offset) == 0);
static_assert(offsetof(struct dma_buf_uring_cmd, length) == 8);
static_assert(offsetof(struct dma_buf_uring_cmd, fd) == 0);
static_assert(offsetof(struct dma_buf_uring_cmd, reserved) == 4);
static_assert(offsetof(struct dma_buf_uring_cmd, buffer_offset) == 0);
static_assert(offsetof(struct dma_buf_uring_cmd, file_offset) == 8);

/**
 * struct dma_buf_uring_args - the kernel's copy of a submission queue entry
 * @flags: sqe->len
 * @addr: sqe->addr, the length of a transfer
 * @fd: sqe->splice_fd_in, the file of a transfer
 * @params: sqe->cmd
 */
struct dma_buf_uring_args {
	u32 flags;
	u64 addr;
	s32 fd;
	struct dma_buf_uring_cmd params;
};

/**
 * struct dma_buf_uring_op - one command
 * @cmd_op: the command, in sqe->cmd_op
 * @has_file: it uses &dma_buf_uring_args.addr and .fd, which are 0 otherwise
 * @issue: carry it out, as &file_operations.uring_cmd does
 */
struct dma_buf_uring_op {
	u32 cmd_op;
	bool has_file;
	int (*issue)(struct io_uring_cmd *cmd, struct dma_buf_uring_args *args,
		     unsigned int issue_flags);
};

/**
 * struct dma_buf_uring_wait - a start of CPU access that waits for a fence
 * @cb: on the fence of @access
 * @cmd: the command, which holds the file of the buffer
 * @access: what it begins
 * @node: entry of &dma_buf_waiters.uring while it waits
 * @ended: set by what ends the wait, which then goes on with the command
 */
struct dma_buf_uring_wait {
	struct dma_fence_cb cb;
	struct io_uring_cmd *cmd;
	struct dma_buf_cpu_access access;
	struct hlist_node node;
	atomic_t ended;
};

/* How many waits a revocation ends before it lets go of the lock. */
#define DMA_BUF_URING_REVOKE_BATCH	16

static struct dma_buf *dma_buf_uring_buffer(const struct io_uring_cmd *cmd)
{
	return cmd->file->private_data;
}

/* -- waiting for fences ---------------------------------------------------- */

static struct dma_buf_uring_wait **dma_buf_uring_pdu(struct io_uring_cmd *cmd)
{
	return io_uring_cmd_to_pdu(cmd, struct dma_buf_uring_wait *);
}

static void dma_buf_uring_finish(struct dma_buf_uring_wait *wait, int ret,
				 unsigned int issue_flags)
{
	struct io_uring_cmd *cmd = wait->cmd;

	if (ret)
		dma_buf_cpu_access_abort(&wait->access);
	kfree(wait);
	io_uring_cmd_done(cmd, ret == -ERESTARTSYS ? -EINTR : ret, 0,
			  issue_flags);
}

static void dma_buf_uring_resume(struct io_uring_cmd *cmd,
				 unsigned int issue_flags);

/* Return true to the one that ends the wait. */
static bool dma_buf_uring_claim(struct dma_buf_uring_wait *wait)
{
	return !atomic_xchg(&wait->ended, true);
}

/* The fence has signaled; its lock is held, interrupts may be off. */
static void dma_buf_uring_signaled(struct dma_fence *fence,
				   struct dma_fence_cb *cb)
{
	struct dma_buf_uring_wait *wait =
		container_of(cb, struct dma_buf_uring_wait, cb);

	if (dma_buf_uring_claim(wait))
		io_uring_cmd_complete_in_task(wait->cmd, dma_buf_uring_resume);
}

/* Begin a wait, which may be ended at once by dma_buf_uring_revoke(). */
static void dma_buf_uring_list(struct dma_buf_uring_wait *wait)
{
	struct dma_buf_waiters *waiters = dma_buf_waiters(wait->access.dmabuf);

	INIT_LIST_HEAD(&wait->cb.node);
	atomic_set(&wait->ended, false);
	scoped_guard(spinlock, &waiters->uring_lock)
		hlist_add_head(&wait->node, &waiters->uring);
	/*
	 * Before the caller tests for a revocation. Pairs with the barrier of
	 * dma_buf_revoke(), for one that does not see a list which another
	 * thread has made, and so does not take the lock.
	 */
	smp_mb();
}

/* After the end of a wait. The callback is still there after a revocation. */
static void dma_buf_uring_unlist(struct dma_buf_uring_wait *wait)
{
	struct dma_buf_waiters *waiters = dma_buf_waiters(wait->access.dmabuf);

	scoped_guard(spinlock, &waiters->uring_lock)
		hlist_del_init(&wait->node);
	dma_fence_remove_callback(wait->access.fence, &wait->cb);
}

/*
 * Have the fence of the access call back. Each fence that has signaled before
 * it could be asked to is followed by the next one.
 *
 * Return: -EIOCBQUEUED when the callback will come; otherwise as
 * dma_buf_cpu_access_begin(), with no fence left.
 */
static int dma_buf_uring_arm(struct dma_buf_uring_wait *wait)
{
	int ret = 0;

	while (!ret && wait->access.fence) {
		dma_buf_uring_list(wait);
		if (!dma_buf_is_revoked(wait->access.dmabuf) &&
		    !dma_fence_add_callback(wait->access.fence, &wait->cb,
					    dma_buf_uring_signaled))
			return -EIOCBQUEUED;
		if (!dma_buf_uring_claim(wait))
			return -EIOCBQUEUED;
		dma_buf_uring_unlist(wait);
		ret = dma_buf_cpu_access_begin(&wait->access);
	}
	return ret;
}

/* Task work: go on after a fence has signaled, or the buffer was revoked. */
static void dma_buf_uring_resume(struct io_uring_cmd *cmd,
				 unsigned int issue_flags)
{
	struct dma_buf_uring_wait *wait = *dma_buf_uring_pdu(cmd);
	int ret;

	dma_buf_uring_unlist(wait);
	/* The task ends, or the ring: this may be a kernel thread. */
	if (issue_flags & IO_URING_F_TASK_DEAD) {
		dma_buf_uring_finish(wait, -ECANCELED, issue_flags);
		return;
	}

	ret = dma_buf_cpu_access_begin(&wait->access);
	if (!ret)
		ret = dma_buf_uring_arm(wait);
	if (ret != -EIOCBQUEUED)
		dma_buf_uring_finish(wait, ret, issue_flags);
}

/*
 * Called for commands that are marked as cancelable, of which each waits for a
 * fence, or for its task work after that fence has signaled.
 *
 * When a ring is closed a kernel thread calls this. It must not post completions
 * to a ring with IORING_SETUP_DEFER_TASKRUN, so leave that to the task.
 */
static int dma_buf_uring_cancel(struct io_uring_cmd *cmd,
				unsigned int issue_flags)
{
	struct dma_buf_uring_wait *wait = *dma_buf_uring_pdu(cmd);

	if (dma_buf_uring_claim(wait)) {
		dma_buf_uring_unlist(wait);
		dma_buf_uring_finish(wait, -ECANCELED,
				     issue_flags & ~IO_URING_F_COMPLETE_DEFER);
	}
	return 0;
}

/* End a bounded number of waits; return true if there may be more. */
static bool dma_buf_uring_end_some(struct dma_buf_waiters *waiters)
{
	struct dma_buf_uring_wait *wait;
	unsigned int n;

	/* With the lock, no command goes on and frees what it waits with. */
	spin_lock(&waiters->uring_lock);
	for (n = 0; n < DMA_BUF_URING_REVOKE_BATCH; n++) {
		wait = hlist_entry_safe(waiters->uring.first,
					struct dma_buf_uring_wait, node);
		if (!wait)
			break;
		/* Its own hlist_del_init() follows. */
		hlist_del_init(&wait->node);
		if (dma_buf_uring_claim(wait))
			io_uring_cmd_complete_in_task(wait->cmd,
						      dma_buf_uring_resume);
	}
	spin_unlock(&waiters->uring_lock);
	return n == DMA_BUF_URING_REVOKE_BATCH;
}

/**
 * dma_buf_uring_revoke - end the waits of commands for fences of a buffer
 * @dmabuf: the buffer, with &dma_buf.revoked set
 *
 * The commands go on in their tasks, and fail there.
 *
 * Context: Process context.
 */
void dma_buf_uring_revoke(struct dma_buf *dmabuf)
{
	struct dma_buf_waiters *waiters = dma_buf_waiters(dmabuf);

	while (waiters && dma_buf_uring_end_some(waiters))
		cond_resched();
}

/* Complete @access later: it has a fence to wait for. */
static int dma_buf_uring_queue(struct io_uring_cmd *cmd,
			       struct dma_buf_cpu_access *access,
			       unsigned int issue_flags)
{
	struct dma_buf_uring_wait *wait;
	int ret;

	/* For as long as a device takes, so charged to the program. */
	wait = kmalloc(sizeof(*wait), GFP_KERNEL_ACCOUNT);
	if (!wait) {
		dma_buf_cpu_access_abort(access);
		return -ENOMEM;
	}
	dma_buf_waiters_get(access->dmabuf);
	wait->cmd = cmd;
	wait->access = *access;
	*dma_buf_uring_pdu(cmd) = wait;

	ret = dma_buf_uring_arm(wait);
	if (ret == -EIOCBQUEUED) {
		/*
		 * Not before: a command that is marked must not be completed
		 * by returning. Not too late, either: task work and
		 * cancellation need the lock of the ring.
		 */
		io_uring_cmd_mark_cancelable(cmd, issue_flags);
		return ret;
	}
	if (ret)
		dma_buf_cpu_access_abort(&wait->access);
	kfree(wait);
	return ret;
}

/* -- commands -------------------------------------------------------------- */

/*
 * Test whether IORING_OP_LINK_TIMEOUT follows the command. io_uring does not
 * offer that as a function; the flag is the second one while a command is
 * issued, and in some releases the first one.
 */
static bool dma_buf_uring_has_timeout(struct io_uring_cmd *cmd)
{
	return cmd_to_io_kiocb(cmd)->flags &
	       (REQ_F_ARM_LTIMEOUT | REQ_F_LINK_TIMEOUT);
}

/*
 * What the interrupted wait of a worker thread means. io_uring cancels what a
 * worker does by a notification that looks like a signal; there is another one
 * when the thread has to stop or to freeze.
 */
static int dma_buf_uring_interrupted(void)
{
	return test_thread_flag(TIF_NOTIFY_SIGNAL) ? -ECANCELED : -EINTR;
}

/* Begin in a worker thread, which blocks. */
static int dma_buf_uring_begin_blocking(const struct dma_buf_cpu_access *access)
{
	int ret = dma_buf_cpu_begin_copy(access->dmabuf, access->dir,
					 access->offset, access->length,
					 DMA_BUF_CPU_WAIT_FENCES);

	return ret == -ERESTARTSYS ? dma_buf_uring_interrupted() : ret;
}

static int dma_buf_uring_begin(struct io_uring_cmd *cmd,
			       struct dma_buf_cpu_access *access,
			       unsigned int issue_flags)
{
	int ret;

	if (!(issue_flags & IO_URING_F_NONBLOCK))
		return dma_buf_uring_begin_blocking(access);

	if ((dma_buf_uring_has_timeout(cmd) ||
	     !dma_buf_cpu_can_wait_first(access->dmabuf)) &&
	    !dma_buf_cpu_is_idle(access->dmabuf, access->dir))
		return -EAGAIN;

	ret = dma_buf_cpu_access_begin(access);
	if (!ret && access->fence)
		ret = dma_buf_uring_queue(cmd, access, issue_flags);
	return ret;
}

/* Exporters may wait for fences at the end as well. Most do not. */
static int dma_buf_uring_end(const struct dma_buf_cpu_access *access,
			     unsigned int issue_flags)
{
	if (issue_flags & IO_URING_F_NONBLOCK &&
	    !dma_buf_cpu_is_idle(access->dmabuf, access->dir))
		return -EAGAIN;
	return dma_buf_cpu_end_copy(access->dmabuf, access->dir, access->offset,
				    access->length);
}

static int dma_buf_uring_sync_partial(struct io_uring_cmd *cmd,
				      struct dma_buf_uring_args *args,
				      unsigned int issue_flags)
{
	struct dma_buf_cpu_access access = {
		.dmabuf = dma_buf_uring_buffer(cmd),
		.offset = args->params.offset,
		.length = args->params.length,
	};
	int ret;

	access.dir = dma_buf_cpu_sync_dir(access.dmabuf, args->flags,
					  args->params.offset,
					  args->params.length);
	if (access.dir == DMA_NONE)
		return -EINVAL;

	if (args->flags & DMA_BUF_SYNC_END)
		ret = dma_buf_uring_end(&access, issue_flags);
	else
		ret = dma_buf_uring_begin(cmd, &access, issue_flags);
	return ret == -ERESTARTSYS ? -EINTR : ret;
}

static int dma_buf_uring_sync(struct io_uring_cmd *cmd,
			      struct dma_buf_uring_args *args,
			      unsigned int issue_flags)
{
	if (args->params.offset || args->params.length)
		return -EINVAL;

	args->params.length = dma_buf_uring_buffer(cmd)->size;
	return dma_buf_uring_sync_partial(cmd, args, issue_flags);
}

static int dma_buf_uring_export(struct io_uring_cmd *cmd,
				struct dma_buf_uring_args *args,
				unsigned int issue_flags)
{
	if (args->params.offset || args->params.length)
		return -EINVAL;
	return dma_buf_sync_file_export(dma_buf_uring_buffer(cmd), args->flags);
}

static int dma_buf_uring_import(struct io_uring_cmd *cmd,
				struct dma_buf_uring_args *args,
				unsigned int issue_flags)
{
	if (memchr_inv(args->params.reserved, 0, sizeof(args->params.reserved)))
		return -EINVAL;
	return dma_buf_sync_file_import(dma_buf_uring_buffer(cmd), args->flags,
					args->params.fd);
}

static int dma_buf_uring_transfer(struct io_uring_cmd *cmd,
				  struct dma_buf_uring_args *args,
				  unsigned int issue_flags)
{
	struct dma_buf_transfer transfer = {
		.flags = args->flags,
		.file_offset = args->params.file_offset,
		.offset = args->params.buffer_offset,
		.length = args->addr,
	};
	struct file *file;
	ssize_t ret;

	ret = dma_buf_transfer_check(&transfer);
	if (ret)
		return ret;
	/* A chain of commands waits for a fence, and is waited for. */
	if (args->flags & (DMA_BUF_TRANSFER_IN_FENCE |
			   DMA_BUF_TRANSFER_OUT_FENCE))
		return -EOPNOTSUPP;
	/* Submitting requests may block, whatever flags they have. */
	if (issue_flags & IO_URING_F_NONBLOCK)
		return -EAGAIN;

	file = fget(args->fd);
	if (!file)
		return -EBADF;
	ret = dma_buf_transfer_file(cmd->file, file, &transfer, NULL);
	fput(file);
	return ret == -ERESTARTSYS ? dma_buf_uring_interrupted() : ret;
}

static const struct dma_buf_uring_op dma_buf_uring_ops[] = {
	/* Hottest command first. */
	{ DMA_BUF_IOCTL_SYNC, false, dma_buf_uring_sync },
	{ DMA_BUF_IOCTL_SYNC_PARTIAL, false, dma_buf_uring_sync_partial },
	{ DMA_BUF_IOCTL_EXPORT_SYNC_FILE, false, dma_buf_uring_export },
	{ DMA_BUF_IOCTL_IMPORT_SYNC_FILE, false, dma_buf_uring_import },
	{ DMA_BUF_IOCTL_TRANSFER, true, dma_buf_uring_transfer },
};

static const struct dma_buf_uring_op *dma_buf_uring_find_op(u32 cmd_op)
{
	const struct dma_buf_uring_op *op;

	for (op = dma_buf_uring_ops;
	     op < dma_buf_uring_ops + ARRAY_SIZE(dma_buf_uring_ops); op++)
		if (op->cmd_op == cmd_op)
			return op;
	return NULL;
}

/* Copy the arguments; what no command uses has to be zero. */
static int dma_buf_uring_fetch(const struct io_uring_cmd *cmd,
			       struct dma_buf_uring_args *args)
{
	const struct io_uring_sqe *sqe = cmd->sqe;
	const struct dma_buf_uring_cmd *params = io_uring_sqe_cmd(sqe);

	args->flags = READ_ONCE(sqe->len);
	args->addr = READ_ONCE(sqe->addr);
	args->fd = READ_ONCE(sqe->splice_fd_in);
	args->params.offset = READ_ONCE(params->offset);
	args->params.length = READ_ONCE(params->length);

	if (cmd->flags & IORING_URING_CMD_MASK || READ_ONCE(sqe->buf_index))
		return -EINVAL;
	return 0;
}

/**
 * dma_buf_uring_issue - carry out IORING_OP_URING_CMD
 * @cmd: the command, on the descriptor of a buffer
 * @issue_flags: from io_uring
 *
 * Context: Process context. May sleep for a lock or for memory; for fences only
 * without %IO_URING_F_NONBLOCK.
 * Return: 0, or the descriptor of a sync file; -EIOCBQUEUED when the command
 * waits for a fence and io_uring_cmd_done() will follow; -EAGAIN for a worker
 * thread to issue it again; -ENOTTY for an unknown command; -EINVAL for bad
 * arguments; -EINTR or -ECANCELED when the wait of a worker thread was ended;
 * -ENOMEM; or as the ioctl of the same number.
 */
int dma_buf_uring_issue(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	const struct dma_buf_uring_op *op;
	struct dma_buf_uring_args args;
	int ret;

	if (issue_flags & IO_URING_F_CANCEL)
		return dma_buf_uring_cancel(cmd, issue_flags);

	op = dma_buf_uring_find_op(cmd->cmd_op);
	if (!op)
		return -ENOTTY;
	ret = dma_buf_uring_fetch(cmd, &args);
	if (ret)
		return ret;
	if (!op->has_file && (args.addr || args.fd))
		return -EINVAL;
	return op->issue(cmd, &args, issue_flags);
}
