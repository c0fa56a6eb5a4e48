// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access by the CPU: begin and end, mmap for programs, vmap for the kernel.
 *
 * How memory is mapped and how caches are maintained only the exporter knows.
 * This file adds what is the same for all of them: the range is checked, fences
 * of devices are waited for, and one mapping into the kernel serves all users.
 *
 * begin and end are called for every access of a program, so the usual case, a
 * buffer without fences, stays inline.
 *
 * Locks: the reservation lock protects dma_buf.vmapping_counter and
 * dma_buf.vmap_ptr. begin, end and mmap are called without it; mmap with the
 * mmap lock of the program.
 */
#include <kunit/visibility.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include "dma-buf-misuse.h"
#include "dma-buf-private.h"
#include "ioctl_table.h"

#include <trace/events/dma_buf.h>

/**
 * DOC: cpu access
 *
 * A buffer is made for devices, but the CPU may have to read or write it, too:
 * a program that decodes in software, a driver that copies the last rows
 * itself, a display that is fed over USB. This takes three kinds of calls.
 *
 * Begin and end. CPU and devices agree on the content only between
 * dma_buf_begin_cpu_access() and dma_buf_end_cpu_access(). The direction says
 * what the CPU does: %DMA_FROM_DEVICE for reading, %DMA_TO_DEVICE for writing.
 * The begin calls the exporter, and then waits for devices by the implicit
 * fences of the buffer. It excludes no other user: two users of one buffer have
 * to agree by other means. Programs call the same pair through
 * DMA_BUF_IOCTL_SYNC. For an access to some rows of a frame there are
 * dma_buf_begin_cpu_access_partial() and dma_buf_end_cpu_access_partial(), for
 * programs DMA_BUF_IOCTL_SYNC_PARTIAL.
 *
 * Mapping into the kernel. dma_buf_vmap() maps the whole buffer, once for all
 * its users; each of them undoes it with dma_buf_vunmap(). Not all exporters
 * offer it, and on 32 bit machines address space runs out, so callers must be
 * able to do without. The result is a &struct iosys_map, because the memory may
 * be I/O memory: use the functions of that type instead of a bare pointer.
 *
 * Mapping into a program. mmap(2) on the descriptor. A driver that maps an
 * imported buffer through a file of its own passes the call on with
 * dma_buf_mmap(). The mapping need not be coherent, hence begin and end. When a
 * begin fails with EINTR or EAGAIN the program tries again.
 */

/* For a write by the CPU, devices that read must have finished as well. */
static bool dma_buf_cpu_writes(enum dma_data_direction dir)
{
	return dir == DMA_TO_DEVICE || dir == DMA_BIDIRECTIONAL;
}

/**
 * dma_buf_cpu_wait_fences - wait for the fences that matter to the CPU
 * @dmabuf: the buffer
 * @dir: as for dma_buf_begin_cpu_access()
 *
 * Context: Process context. May sleep, for as long as devices take.
 * Return: 0; -ENODEV when the buffer is revoked; -ERESTARTSYS when a signal
 * ended the wait; or an error of &dma_fence_ops.wait.
 */
noinline int dma_buf_cpu_wait_fences(struct dma_buf *dmabuf,
				     enum dma_data_direction dir)
{
	enum dma_resv_usage usage = dma_resv_usage_rw(dma_buf_cpu_writes(dir));
	bool traced = trace_dma_buf_wait_cpu_enabled();
	ktime_t start = traced ? ktime_get() : 0;
	long ret;

	ret = dma_buf_wait_fences(dmabuf, usage, true, MAX_SCHEDULE_TIMEOUT);
	ret = min(ret, 0L);
	if (traced)
		trace_dma_buf_wait_cpu(dmabuf, dir, ktime_sub(ktime_get(), start),
				       ret);
	return ret;
}

/* Most buffers never get a fence, because their drivers add none. */
static inline int dma_buf_cpu_wait(struct dma_buf *dmabuf,
				   enum dma_data_direction dir)
{
	if (likely(dma_resv_is_unused(dmabuf->resv)))
		return 0;
	return dma_buf_cpu_wait_fences(dmabuf, dir);
}

static inline int dma_buf_cpu_begin(struct dma_buf *dmabuf,
				    enum dma_data_direction dir)
{
	int ret = 0;

	might_sleep();
	might_lock(&dmabuf->resv->lock.base);

	/*
	 * The exporter goes first: it may queue work (a move, a copy) that has
	 * to be waited for, or submit work that the fences depend on.
	 */
	if (dma_buf_is_revoked(dmabuf))
		ret = -ENODEV;
	else if (dmabuf->ops->begin_cpu_access)
		ret = dmabuf->ops->begin_cpu_access(dmabuf, dir);
	if (!ret)
		ret = dma_buf_cpu_wait(dmabuf, dir);

	trace_dma_buf_begin_cpu(dmabuf, dir, ret);
	return ret;
}

static inline int dma_buf_cpu_end(struct dma_buf *dmabuf,
				  enum dma_data_direction dir)
{
	int ret = 0;

	might_sleep();
	might_lock(&dmabuf->resv->lock.base);

	if (dmabuf->ops->end_cpu_access)
		ret = dmabuf->ops->end_cpu_access(dmabuf, dir);

	trace_dma_buf_end_cpu(dmabuf, dir, ret);
	return ret;
}

/**
 * dma_buf_cpu_is_idle - test whether an access by the CPU has nothing to wait for
 * @dmabuf: the buffer
 * @dir: as for dma_buf_begin_cpu_access()
 *
 * Context: Any.
 * Return: true if the fences that matter have signaled, if there are none, or
 * if the buffer has been revoked, so that the begin fails at once.
 */
bool dma_buf_cpu_is_idle(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	enum dma_resv_usage usage = dma_resv_usage_rw(dma_buf_cpu_writes(dir));

	return likely(dma_resv_is_unused(dmabuf->resv)) ||
	       dma_resv_test_signaled(dmabuf->resv, usage) ||
	       dma_buf_is_revoked(dmabuf);
}

/* Test whether the range is within the buffer and not empty. */
static bool dma_buf_cpu_has_range(const struct dma_buf *dmabuf, u64 offset,
				  u64 length)
{
	return length && offset < dmabuf->size &&
	       length <= dmabuf->size - offset;
}

/**
 * dma_buf_cpu_begin_range - call the exporter at the begin of an access
 * @dmabuf: the buffer
 * @dir: as for dma_buf_begin_cpu_access()
 * @offset: of the first byte
 * @length: number of bytes; the range is within the buffer
 *
 * For the whole buffer, and for an exporter that cannot begin access to a part,
 * this begins access to the whole. It does not wait for fences.
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: 0, for dma_buf_cpu_end_copy() to follow; -ENODEV when the buffer has
 * been revoked; or what the op returned.
 */
int dma_buf_cpu_begin_range(struct dma_buf *dmabuf,
			    enum dma_data_direction dir,
			    size_t offset, size_t length)
{
	const struct dma_buf_ops *ops = dmabuf->ops;

	if (dma_buf_is_revoked(dmabuf))
		return -ENODEV;
	if (ops->begin_cpu_access_partial && length < dmabuf->size)
		return ops->begin_cpu_access_partial(dmabuf, dir, offset,
						     length);
	if (ops->begin_cpu_access)
		return ops->begin_cpu_access(dmabuf, dir);
	return 0;
}

/* The same at the end. */
static int dma_buf_cpu_end_range(struct dma_buf *dmabuf,
				 enum dma_data_direction dir,
				 size_t offset, size_t length)
{
	const struct dma_buf_ops *ops = dmabuf->ops;

	if (ops->end_cpu_access_partial && length < dmabuf->size)
		return ops->end_cpu_access_partial(dmabuf, dir, offset, length);
	if (ops->end_cpu_access)
		return ops->end_cpu_access(dmabuf, dir);
	return 0;
}

/**
 * dma_buf_cpu_begin_copy - begin an access that a system call makes itself
 * @dmabuf: the buffer
 * @dir: as for dma_buf_begin_cpu_access()
 * @offset: of the first byte
 * @length: number of bytes, at least one; the range is within the buffer
 * @wait: what the call may wait for
 *
 * Unlike dma_buf_begin_cpu_access(), this leaves nothing begun when it fails.
 *
 * Context: Process context, without the reservation lock. May sleep, for as
 * long as @wait says.
 * Return: 0, for dma_buf_cpu_end_copy() to follow; -EAGAIN if a fence has to be
 * waited for, and @wait forbids that; -ENODEV when the buffer is revoked;
 * -ERESTARTSYS when a signal ended the wait; or what the exporter's op
 * returned.
 */
int dma_buf_cpu_begin_copy(struct dma_buf *dmabuf, enum dma_data_direction dir,
			   size_t offset, size_t length,
			   enum dma_buf_cpu_wait wait)
{
	bool may_wait = wait == DMA_BUF_CPU_WAIT_FENCES;
	int ret;

	if (!may_wait && !dma_buf_cpu_is_idle(dmabuf, dir))
		return -EAGAIN;

	/* In this order for the same reason as in dma_buf_cpu_begin(). */
	ret = dma_buf_cpu_begin_range(dmabuf, dir, offset, length);
	if (!ret) {
		if (may_wait)
			ret = dma_buf_cpu_wait(dmabuf, dir);
		else if (!dma_buf_cpu_is_idle(dmabuf, dir))
			ret = -EAGAIN;
		if (ret)
			dma_buf_cpu_end_range(dmabuf, dir, offset, length);
	}
	trace_dma_buf_begin_cpu_partial(dmabuf, dir, offset, length, ret);
	return ret;
}

/**
 * dma_buf_cpu_end_copy - end an access that a system call made itself
 * @dmabuf: the buffer
 * @dir: as given to dma_buf_cpu_begin_copy()
 * @offset: likewise
 * @length: likewise
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: 0, or what the exporter's op returned.
 */
int dma_buf_cpu_end_copy(struct dma_buf *dmabuf, enum dma_data_direction dir,
			 size_t offset, size_t length)
{
	int ret = dma_buf_cpu_end_range(dmabuf, dir, offset, length);

	trace_dma_buf_end_cpu_partial(dmabuf, dir, offset, length, ret);
	return ret;
}

/* The first fence that an access has to wait for, with a reference, or NULL. */
static struct dma_fence *dma_buf_cpu_first_fence(struct dma_buf *dmabuf,
						 enum dma_data_direction dir)
{
	enum dma_resv_usage usage = dma_resv_usage_rw(dma_buf_cpu_writes(dir));
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	if (likely(dma_resv_is_unused(dmabuf->resv)) ||
	    dma_buf_is_revoked(dmabuf))
		return NULL;

	dma_resv_iter_begin(&cursor, dmabuf->resv, usage);
	fence = dma_resv_iter_first_unlocked(&cursor);
	if (fence)
		dma_fence_get(fence);
	dma_resv_iter_end(&cursor);
	return fence;
}

/**
 * dma_buf_cpu_can_wait_first - test whether the wait may come before the op
 * @dmabuf: the buffer
 *
 * dma_buf_begin_cpu_access() calls the exporter before it waits, for a driver
 * that completes deferred work in its op, on which fences depend. An exporter of
 * pages has no device whose work it could defer.
 *
 * Context: Any.
 * Return: true if dma_buf_cpu_access_begin() may be used while fences are
 * pending.
 */
bool dma_buf_cpu_can_wait_first(const struct dma_buf *dmabuf)
{
	const struct dma_buf_ops *ops = dmabuf->ops;

	return ops->pages ||
	       !(ops->begin_cpu_access || ops->begin_cpu_access_partial);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_cpu_can_wait_first);

/**
 * dma_buf_cpu_access_begin - begin an access without a wait for fences
 * @access: what to access
 *
 * To be called again when &dma_buf_cpu_access.fence has signaled, until there
 * is none. The exporter's op runs once, when no fence is left, as it may wait
 * for fences itself; those which there are after it are waited for as well, as
 * in dma_buf_begin_cpu_access(). Fences that are added all the time keep the
 * access from beginning.
 *
 * Context: Process context, without the reservation lock. May sleep for a lock
 * or for memory.
 * Return: 0, and &dma_buf_cpu_access.fence is a reference to a fence to wait
 * for, or NULL when the access has begun, for dma_buf_cpu_end_copy() to follow;
 * -ENODEV when the buffer is revoked; or what the exporter's op returned. After
 * an error, or instead of another call, dma_buf_cpu_access_abort().
 */
int dma_buf_cpu_access_begin(struct dma_buf_cpu_access *access)
{
	struct dma_buf *dmabuf = access->dmabuf;
	int ret = 0;

	dma_fence_put(access->fence);
	access->fence = dma_buf_cpu_first_fence(dmabuf, access->dir);

	if (!access->fence && !access->begun) {
		ret = dma_buf_cpu_begin_range(dmabuf, access->dir,
					      access->offset, access->length);
		if (!ret) {
			access->begun = true;
			access->fence = dma_buf_cpu_first_fence(dmabuf,
								access->dir);
		}
	} else if (!access->fence && dma_buf_is_revoked(dmabuf)) {
		/* Revoked after the op. */
		ret = -ENODEV;
	}
	if (!access->fence)
		trace_dma_buf_begin_cpu_partial(dmabuf, access->dir,
						access->offset, access->length,
						ret);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_cpu_access_begin);

/**
 * dma_buf_cpu_access_abort - undo dma_buf_cpu_access_begin()
 * @access: an access that has not begun, or only in the exporter
 *
 * Context: Process context, without the reservation lock. May sleep.
 */
void dma_buf_cpu_access_abort(struct dma_buf_cpu_access *access)
{
	dma_fence_put(access->fence);
	access->fence = NULL;
	if (access->begun)
		dma_buf_cpu_end_range(access->dmabuf, access->dir,
				      access->offset, access->length);
	access->begun = false;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_cpu_access_abort);

/**
 * dma_buf_begin_cpu_access - begin an access by the CPU
 * @dmabuf: the buffer, mapped by dma_buf_vmap() or dma_buf_mmap()
 * @dir: %DMA_FROM_DEVICE to read, %DMA_TO_DEVICE to write, or both
 *
 * Calls the exporter, which makes memory and caches consistent, then waits for
 * the fences of devices. An exporter whose op must not run before devices have
 * finished, as it invalidates caches or copies, waits itself. After a return of
 * 0, dma_buf_end_cpu_access() with the same direction has to follow.
 *
 * Context: Process context, without the reservation lock. May sleep, for as
 * long as devices take.
 * Return: 0; -EINVAL without a buffer, -ENODEV when the buffer is revoked,
 * -ERESTARTSYS when a signal ended the wait, or what the exporter's
 * begin_cpu_access op returned.
 */
int dma_buf_begin_cpu_access(struct dma_buf *dmabuf,
			     enum dma_data_direction dir)
{
	if (dma_buf_misuse(!dmabuf))
		return -EINVAL;
	return dma_buf_cpu_begin(dmabuf, dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_begin_cpu_access, DMA_BUF);

/**
 * dma_buf_begin_cpu_access_partial - begin an access by the CPU to some bytes
 * @dmabuf: the buffer, mapped by dma_buf_vmap() or dma_buf_mmap()
 * @dir: as for dma_buf_begin_cpu_access()
 * @offset: of the first byte; needs no alignment
 * @length: number of bytes, at least one
 *
 * As dma_buf_begin_cpu_access() for these bytes only. Waits for all devices
 * that use the buffer, because fences have no ranges. Exporters that cannot
 * handle a part handle the whole buffer.
 *
 * Context: Process context, without the reservation lock. May sleep, for as
 * long as devices take.
 * Return: 0; -EINVAL without a buffer, or when the range is empty or leaves the
 * buffer; -ENODEV when the buffer is revoked; -ERESTARTSYS when a signal ended
 * the wait; or what the exporter's op returned.
 */
int dma_buf_begin_cpu_access_partial(struct dma_buf *dmabuf,
				     enum dma_data_direction dir,
				     size_t offset, size_t length)
{
	int ret;

	if (dma_buf_misuse(!dmabuf))
		return -EINVAL;
	if (!dma_buf_cpu_has_range(dmabuf, offset, length))
		return -EINVAL;
	if (length == dmabuf->size)
		return dma_buf_cpu_begin(dmabuf, dir);

	might_sleep();
	might_lock(&dmabuf->resv->lock.base);

	/* In the order of dma_buf_cpu_begin(), and for the same reason. */
	ret = dma_buf_cpu_begin_range(dmabuf, dir, offset, length);
	if (!ret)
		ret = dma_buf_cpu_wait(dmabuf, dir);

	trace_dma_buf_begin_cpu_partial(dmabuf, dir, offset, length, ret);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_begin_cpu_access_partial, DMA_BUF);

/**
 * dma_buf_end_cpu_access - end an access by the CPU
 * @dmabuf: the buffer
 * @dir: as given to dma_buf_begin_cpu_access()
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: 0; -EINVAL without a buffer, or what the exporter's end_cpu_access op
 * returned.
 */
int dma_buf_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	if (dma_buf_misuse(!dmabuf))
		return -EINVAL;
	return dma_buf_cpu_end(dmabuf, dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_end_cpu_access, DMA_BUF);

/**
 * dma_buf_end_cpu_access_partial - end an access by the CPU to some bytes
 * @dmabuf: the buffer
 * @dir: as given at the begin
 * @offset: of the first byte; needs no alignment
 * @length: number of bytes, at least one
 *
 * As dma_buf_end_cpu_access() for these bytes only. The range need not be one
 * that an access began with, as long as an access to each of its bytes was
 * begun.
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: 0; -EINVAL without a buffer, or when the range is empty or leaves the
 * buffer; or what the exporter's op returned.
 */
int dma_buf_end_cpu_access_partial(struct dma_buf *dmabuf,
				   enum dma_data_direction dir,
				   size_t offset, size_t length)
{
	int ret;

	if (dma_buf_misuse(!dmabuf))
		return -EINVAL;
	if (!dma_buf_cpu_has_range(dmabuf, offset, length))
		return -EINVAL;
	if (length == dmabuf->size)
		return dma_buf_cpu_end(dmabuf, dir);

	might_sleep();
	might_lock(&dmabuf->resv->lock.base);

	ret = dma_buf_cpu_end_range(dmabuf, dir, offset, length);
	trace_dma_buf_end_cpu_partial(dmabuf, dir, offset, length, ret);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_end_cpu_access_partial, DMA_BUF);

/**
 * dma_buf_cpu_dir - translate DMA_BUF_SYNC_* flags to a direction
 * @flags: as &dma_buf_sync.flags
 *
 * Context: Any.
 * Return: the direction of the access; %DMA_NONE for unknown flags or without a
 * direction.
 */
enum dma_data_direction dma_buf_cpu_dir(u64 flags)
{
	if (flags & ~(u64)DMA_BUF_SYNC_VALID_FLAGS_MASK)
		return DMA_NONE;

	switch (flags & DMA_BUF_SYNC_RW) {
	case DMA_BUF_SYNC_READ:
		/* What the CPU reads came from a device. */
		return DMA_FROM_DEVICE;
	case DMA_BUF_SYNC_WRITE:
		return DMA_TO_DEVICE;
	case DMA_BUF_SYNC_RW:
		return DMA_BIDIRECTIONAL;
	default:
		return DMA_NONE;
	}
}

/**
 * dma_buf_cpu_sync_dir - check the arguments of DMA_BUF_IOCTL_SYNC_PARTIAL
 * @dmabuf: the buffer
 * @flags: as &dma_buf_sync_partial.flags
 * @offset: of the first byte
 * @length: number of bytes
 *
 * Context: Any.
 * Return: the direction of the access; %DMA_NONE for unknown flags, without a
 * direction, or when the range is empty or leaves the buffer. With any other
 * answer the range fits into size_t.
 */
enum dma_data_direction dma_buf_cpu_sync_dir(const struct dma_buf *dmabuf,
					     u64 flags, u64 offset, u64 length)
{
	if (!dma_buf_cpu_has_range(dmabuf, offset, length))
		return DMA_NONE;
	return dma_buf_cpu_dir(flags);
}

/**
 * dma_buf_cpu_ioctl_sync - carry out DMA_BUF_IOCTL_SYNC
 * @file: of a buffer
 * @flags: &dma_buf_sync.flags
 *
 * Context: Process context. May sleep.
 * Return: 0; -EINVAL for unknown flags or without a direction; or as
 * dma_buf_begin_cpu_access() and dma_buf_end_cpu_access().
 */
long dma_buf_cpu_ioctl_sync(struct file *file, u64 flags)
{
	enum dma_data_direction dir = dma_buf_cpu_dir(flags);

	if (dir == DMA_NONE)
		return -EINVAL;
	if (flags & DMA_BUF_SYNC_END)
		return dma_buf_cpu_end(file->private_data, dir);
	return dma_buf_cpu_begin(file->private_data, dir);
}

/**
 * dma_buf_cpu_ioctl_sync_partial - carry out DMA_BUF_IOCTL_SYNC_PARTIAL
 * @call: the call
 * @args: &struct dma_buf_sync_partial
 *
 * Context: Process context. May sleep.
 * Return: 0; -EINVAL for unknown flags, without a direction, or when the range
 * is empty or leaves the buffer; or as dma_buf_begin_cpu_access_partial() and
 * dma_buf_end_cpu_access_partial().
 */
long dma_buf_cpu_ioctl_sync_partial(struct ioctl_call *call, void *args)
{
	struct dma_buf *dmabuf = call->file->private_data;
	const struct dma_buf_sync_partial *sync = args;
	enum dma_data_direction dir;

	/* Before the range becomes size_t, which may have 32 bits. */
	dir = dma_buf_cpu_sync_dir(dmabuf, sync->flags, sync->offset,
				   sync->length);
	if (dir == DMA_NONE)
		return -EINVAL;

	if (sync->flags & DMA_BUF_SYNC_END)
		return dma_buf_end_cpu_access_partial(dmabuf, dir, sync->offset,
						      sync->length);
	return dma_buf_begin_cpu_access_partial(dmabuf, dir, sync->offset,
						sync->length);
}

/*
 * Check that the buffer may be mapped, and that the pages from @pgoff on are
 * within it. A last page that the buffer fills only in part is not, as a
 * program would see what is behind it.
 */
static int dma_buf_cpu_check_range(struct dma_buf *dmabuf,
				   struct vm_area_struct *vma,
				   unsigned long pgoff)
{
	unsigned long end;

	if (dma_buf_is_revoked(dmabuf))
		return -ENODEV;
	if (check_add_overflow(pgoff, vma_pages(vma), &end))
		return -EOVERFLOW;
	return end > dmabuf->size >> PAGE_SHIFT ? -EINVAL : 0;
}

/**
 * dma_buf_cpu_mmap - carry out mmap(2) on the descriptor
 * @file: of a buffer
 * @vma: where to map it; vm_pgoff is the first page of the buffer
 *
 * Context: Process context, with the mmap lock. May sleep.
 * Return: 0; -EINVAL when the exporter has no mmap or the range leaves the
 * buffer; -ENODEV when the buffer has been revoked; or what the exporter's mmap
 * op returned.
 */
int dma_buf_cpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct dma_buf *dmabuf = dma_buf_of_file(file);
	int ret;

	if (!dmabuf || !dmabuf->ops->mmap)
		return -EINVAL;

	/* mmap(2) has checked that this cannot overflow. */
	ret = dma_buf_cpu_check_range(dmabuf, vma, vma->vm_pgoff);
	if (!ret)
		ret = dmabuf->ops->mmap(dmabuf, vma);

	trace_dma_buf_mmap(dmabuf, ret);
	return ret;
}

#ifdef CONFIG_MMU
/**
 * dma_buf_cpu_get_unmapped_area - choose the address of a mapping by mmap(2)
 * @file: of a buffer
 * @addr: the program's hint, or 0
 * @len: in bytes
 * @pgoff: first page of the buffer
 * @flags: MAP_*
 *
 * Context: Process context, with the mmap lock. May sleep.
 * Return: the address, or a negative errno.
 */
unsigned long
dma_buf_cpu_get_unmapped_area(struct file *file, unsigned long addr,
			      unsigned long len, unsigned long pgoff,
			      unsigned long flags)
{
	struct dma_buf *dmabuf = dma_buf_of_file(file);

	if (dmabuf && dmabuf->ops->get_unmapped_area)
		return dmabuf->ops->get_unmapped_area(file, addr, len, pgoff,
						      flags);
	return mm_get_unmapped_area(current->mm, file, addr, len, pgoff, flags);
}
#endif

/**
 * dma_buf_mmap - map a buffer into a program through another driver's file
 * @dmabuf: the buffer
 * @vma: where to map it; becomes a mapping of the buffer's own file
 * @pgoff: first page of the buffer; replaces vm_pgoff
 *
 * Context: Process context, with the mmap lock of the program and without the
 * reservation lock. May sleep.
 * Return: 0; -EINVAL without a buffer or a vma, when the exporter has no mmap
 * or when the range leaves the buffer; -EOVERFLOW when its end cannot be
 * expressed; -ENODEV when the buffer has been revoked; or what the exporter's
 * mmap op returned.
 */
int dma_buf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma,
		 unsigned long pgoff)
{
	int ret;

	if (dma_buf_misuse(!dmabuf || !vma))
		return -EINVAL;
	if (!dmabuf->ops->mmap)
		return -EINVAL;

	ret = dma_buf_cpu_check_range(dmabuf, vma, pgoff);
	if (!ret) {
		vma->vm_pgoff = pgoff;
		vma_set_file(vma, dmabuf->file);
		ret = dmabuf->ops->mmap(dmabuf, vma);
	}

	trace_dma_buf_mmap(dmabuf, ret);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_mmap, DMA_BUF);

/* Have the exporter map the buffer, for the first user. */
static int dma_buf_cpu_vmap_first(struct dma_buf *dmabuf)
{
	struct iosys_map map = {};
	int ret;

	dma_resv_assert_held(dmabuf->resv);

	ret = dmabuf->ops->vmap(dmabuf, &map);
	if (ret)
		return ret;
	/* Success without a mapping is a mistake of the exporter. */
	if (dma_buf_misuse(iosys_map_is_null(&map)))
		return -ENOMEM;

	dmabuf->vmap_ptr = map;
	return 0;
}

/**
 * dma_buf_vmap - map the whole buffer into the kernel
 * @dmabuf: the buffer
 * @map: filled in with the address; cleared on failure
 *
 * All users get the same mapping. It is not coherent: put accesses between
 * dma_buf_begin_cpu_access() and dma_buf_end_cpu_access().
 *
 * Context: Process context, with the reservation lock. May sleep.
 * Return: 0; -EINVAL without a buffer or when the exporter has no vmap;
 * -ENODEV when the buffer has been revoked; -ENOMEM, or another errno of the
 * exporter's vmap op.
 */
int dma_buf_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	int ret = 0;

	iosys_map_clear(map);
	if (dma_buf_misuse(!dmabuf))
		return -EINVAL;

	dma_resv_assert_held(dmabuf->resv);
	if (!dmabuf->ops->vmap)
		return -EINVAL;
	if (dma_buf_is_revoked(dmabuf))
		return -ENODEV;

	if (!dmabuf->vmapping_counter)
		ret = dma_buf_cpu_vmap_first(dmabuf);
	if (!ret) {
		dmabuf->vmapping_counter++;
		*map = dmabuf->vmap_ptr;
	}

	trace_dma_buf_vmap(dmabuf, ret);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vmap, DMA_BUF);

/**
 * dma_buf_vmap_unlocked - lock and map the whole buffer into the kernel
 * @dmabuf: the buffer
 * @map: filled in with the address; cleared on failure
 *
 * Context: Process context; takes the reservation lock. May sleep.
 * Return: as dma_buf_vmap().
 */
int dma_buf_vmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map)
{
	int ret;

	if (dma_buf_misuse(!dmabuf)) {
		iosys_map_clear(map);
		return -EINVAL;
	}

	dma_resv_lock(dmabuf->resv, NULL);
	ret = dma_buf_vmap(dmabuf, map);
	dma_resv_unlock(dmabuf->resv);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vmap_unlocked, DMA_BUF);

/**
 * dma_buf_vunmap - undo one dma_buf_vmap()
 * @dmabuf: the buffer
 * @map: what dma_buf_vmap() returned
 *
 * The last one removes the mapping. A call without its dma_buf_vmap(), or with
 * another map, is refused, because other users may still have the mapping.
 *
 * Context: Process context, with the reservation lock. May sleep.
 */
void dma_buf_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	if (dma_buf_misuse(!dmabuf))
		return;

	dma_resv_assert_held(dmabuf->resv);
	if (dma_buf_misuse(!dmabuf->vmapping_counter) ||
	    dma_buf_misuse(!iosys_map_is_equal(&dmabuf->vmap_ptr, map)))
		return;

	dmabuf->vmapping_counter--;
	if (!dmabuf->vmapping_counter) {
		if (dmabuf->ops->vunmap)
			dmabuf->ops->vunmap(dmabuf, map);
		iosys_map_clear(&dmabuf->vmap_ptr);
		if (dma_buf_is_revoked(dmabuf))
			dma_buf_wait_wake(dmabuf);
	}
	trace_dma_buf_vunmap(dmabuf, dmabuf->vmapping_counter);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vunmap, DMA_BUF);

/**
 * dma_buf_vunmap_unlocked - lock and undo one dma_buf_vmap()
 * @dmabuf: the buffer
 * @map: what dma_buf_vmap_unlocked() returned
 *
 * Context: Process context; takes the reservation lock. May sleep.
 */
void dma_buf_vunmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map)
{
	if (dma_buf_misuse(!dmabuf))
		return;

	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_vunmap(dmabuf, map);
	dma_resv_unlock(dmabuf->resv);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vunmap_unlocked, DMA_BUF);
