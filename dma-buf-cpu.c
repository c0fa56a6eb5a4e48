// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPU and the buffer.
 *
 * What it is: mappings for programs (mmap) and for the kernel (vmap), and the two
 *	calls that bracket every access through either (begin, end).
 * What it owns: dma_buf.vmapping_counter and dma_buf.vmap_ptr.
 * Locks: the reservation lock for vmap and vunmap; begin, end and mmap are called
 *	without it. The _unlocked forms take it themselves.
 * May call: layer 1 to wait for devices, the exporter's ops.
 * Never here: how memory is mapped or caches are flushed, which exporters know.
 * Units: sizes and offsets in pages for mmap, as in a vm_area_struct; in bytes for
 *	the rest.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include "dma-buf-private.h"
#include "dma-buf-misuse.h"
#include "ioctl_table.h"

#include <trace/events/dma_buf.h>

/**
 * DOC: cpu access
 *
 * A buffer is made for devices, but a CPU wants to look at it too: a program that
 * decodes in software, a driver that copies the last rows by hand, a display
 * that is fed over USB. Three things belong together.
 *
 * The bracket. Between dma_buf_begin_cpu_access() and dma_buf_end_cpu_access(),
 * and there only, CPU and devices agree on the content. The direction says what
 * the CPU does: %DMA_FROM_DEVICE for reading, %DMA_TO_DEVICE for writing. The
 * begin asks the exporter, and then waits for devices by the implicit fences of
 * the buffer. It excludes nobody; two users of one buffer have to agree otherwise.
 * Programs call the same pair through DMA_BUF_IOCTL_SYNC. Who touches a few rows
 * of a frame brackets these alone, with dma_buf_begin_cpu_access_partial() and
 * dma_buf_end_cpu_access_partial(); for programs that is DMA_BUF_IOCTL_SYNC_PARTIAL.
 *
 * The kernel's view. dma_buf_vmap() maps the whole buffer, once for all
 * its users; each of them undoes it with dma_buf_vunmap(). Exporters may not
 * offer it, and on 32 bit machines address space runs out, so callers need a
 * plan for failure. The result is a &struct iosys_map, because the memory may sit
 * behind a bus: use the functions of that type and not a bare pointer.
 *
 * The program's view. mmap(2) on the descriptor. A driver that has files
 * of its own, and wants to map a buffer it imported through them, hands the call
 * on with dma_buf_mmap(). The mapping need not be coherent, hence the
 * bracket. After a begin that failed with EINTR or EAGAIN the program tries again.
 */

/* Directions in which the CPU writes: readers have to be done as well. */
static bool dma_buf_cpu_writes(enum dma_data_direction dir)
{
	return dir == DMA_TO_DEVICE || dir == DMA_BIDIRECTIONAL;
}

static noinline int dma_buf_cpu_wait_fences(struct dma_buf *dmabuf,
					    enum dma_data_direction dir)
{
	long ret = dma_resv_wait_timeout(dmabuf->resv,
					 dma_resv_usage_rw(dma_buf_cpu_writes(dir)),
					 true, MAX_SCHEDULE_TIMEOUT);

	return min(ret, 0L);
}

/* Most buffers never have a fence, for their users know nothing of any. */
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
	 * The exporter goes first. It may set work going (a move, a copy), or
	 * flush what it has put off and what the fences wait for.
	 */
	if (dmabuf->ops->begin_cpu_access)
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

/* Is there such a range in the buffer? None is empty. */
static bool dma_buf_cpu_has_range(const struct dma_buf *dmabuf, u64 offset,
				  u64 length)
{
	return length && offset < dmabuf->size && length <= dmabuf->size - offset;
}

/*
 * The exporter's part of a begin that is about less than the buffer, which it
 * may not know how to do.
 */
static int dma_buf_cpu_begin_range(struct dma_buf *dmabuf,
				   enum dma_data_direction dir,
				   size_t offset, size_t length)
{
	const struct dma_buf_ops *ops = dmabuf->ops;

	if (ops->begin_cpu_access_partial)
		return ops->begin_cpu_access_partial(dmabuf, dir, offset, length);
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

	if (ops->end_cpu_access_partial)
		return ops->end_cpu_access_partial(dmabuf, dir, offset, length);
	if (ops->end_cpu_access)
		return ops->end_cpu_access(dmabuf, dir);
	return 0;
}

/**
 * dma_buf_begin_cpu_access - the CPU wants to touch the buffer
 * @dmabuf: the buffer, mapped by dma_buf_vmap() or dma_buf_mmap()
 * @dir: what for: %DMA_FROM_DEVICE to read, %DMA_TO_DEVICE to write, or both
 *
 * Has the exporter bring memory and caches in line, then waits for devices as
 * their fences demand. An exporter whose op must not run before devices have
 * finished, since it invalidates caches or copies, waits itself. Goes with a
 * dma_buf_end_cpu_access() for the same direction, when it returned 0.
 *
 * Context: Process context, without the reservation lock. May sleep, for as long
 * as devices take.
 * Return: 0; -EINVAL without a buffer, -ERESTARTSYS when a signal ended the
 * wait, or what the exporter's begin_cpu_access op returned.
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
 * dma_buf_begin_cpu_access_partial - the CPU wants to touch a part of the buffer
 * @dmabuf: the buffer, mapped by dma_buf_vmap() or dma_buf_mmap()
 * @dir: as for dma_buf_begin_cpu_access()
 * @offset: of the first byte; needs no alignment
 * @length: how many bytes, at least one
 *
 * As dma_buf_begin_cpu_access() for these bytes only. It waits for all that
 * devices do with the buffer, because fences know no ranges. Exporters that
 * cannot look after a part look after everything.
 *
 * Context: Process context, without the reservation lock. May sleep, for as long
 * as devices take.
 * Return: 0; -EINVAL without a buffer, or when the range is empty or leaves the
 * buffer; -ERESTARTSYS when a signal ended the wait; or what the exporter's op
 * returned.
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

	/* In this order for the same reason as with the whole. */
	ret = dma_buf_cpu_begin_range(dmabuf, dir, offset, length);
	if (!ret)
		ret = dma_buf_cpu_wait(dmabuf, dir);

	trace_dma_buf_begin_cpu_partial(dmabuf, dir, offset, length, ret);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_begin_cpu_access_partial, DMA_BUF);

/**
 * dma_buf_end_cpu_access - the CPU is done with the buffer
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
 * dma_buf_end_cpu_access_partial - the CPU is done with a part of the buffer
 * @dmabuf: the buffer
 * @dir: as given at the begin
 * @offset: of the first byte; needs no alignment
 * @length: how many bytes, at least one
 *
 * As dma_buf_end_cpu_access() for these bytes only. The range need not be one
 * that was begun, as long as every byte of it was in one.
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

/* What the CPU is going to do, by the flags of a program, or DMA_NONE. */
static enum dma_data_direction dma_buf_cpu_dir(u64 flags)
{
	if (flags & ~(u64)DMA_BUF_SYNC_VALID_FLAGS_MASK)
		return DMA_NONE;

	switch (flags & DMA_BUF_SYNC_RW) {
	case DMA_BUF_SYNC_READ:
		/* A program that reads wants what came from a device. */
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
 * dma_buf_cpu_ioctl_sync - DMA_BUF_IOCTL_SYNC: begin or end for a program
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
 * dma_buf_cpu_ioctl_sync_partial - DMA_BUF_IOCTL_SYNC_PARTIAL: the same for a part
 * @call: the call
 * @args: &struct dma_buf_sync_partial
 *
 * Context: Process context. May sleep.
 * Return: 0; -EINVAL for unknown flags, without a direction, or when the range is
 * empty or leaves the buffer; or as dma_buf_begin_cpu_access_partial() and
 * dma_buf_end_cpu_access_partial().
 */
long dma_buf_cpu_ioctl_sync_partial(struct ioctl_call *call, void *args)
{
	struct dma_buf *dmabuf = call->file->private_data;
	const struct dma_buf_sync_partial *sync = args;
	enum dma_data_direction dir = dma_buf_cpu_dir(sync->flags);

	if (dir == DMA_NONE)
		return -EINVAL;
	/* Here already: 64 bits may be more than a size_t holds. */
	if (!dma_buf_cpu_has_range(dmabuf, sync->offset, sync->length))
		return -EINVAL;

	if (sync->flags & DMA_BUF_SYNC_END)
		return dma_buf_end_cpu_access_partial(dmabuf, dir, sync->offset,
						      sync->length);
	return dma_buf_begin_cpu_access_partial(dmabuf, dir, sync->offset,
						sync->length);
}

/*
 * Both ways to mmap meet here: pages [pgoff, pgoff + length of @vma) have to lie
 * within the buffer. A last page that the buffer fills in part only is not
 * there for programs.
 */
static int dma_buf_cpu_check_range(struct dma_buf *dmabuf,
				   struct vm_area_struct *vma,
				   unsigned long pgoff)
{
	unsigned long end;

	if (check_add_overflow(pgoff, vma_pages(vma), &end))
		return -EOVERFLOW;
	return end > dmabuf->size >> PAGE_SHIFT ? -EINVAL : 0;
}

/**
 * dma_buf_cpu_mmap - mmap(2) on the descriptor
 * @file: of a buffer
 * @vma: where to map it; vm_pgoff says from which page of the buffer on
 *
 * Context: Process context, with the mmap lock. May sleep.
 * Return: 0; -EINVAL when the exporter has no mmap or the range leaves the
 * buffer; or what the exporter's mmap op returned.
 */
int dma_buf_cpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct dma_buf *dmabuf = dma_buf_of_file(file);
	int ret;

	if (!dmabuf || !dmabuf->ops->mmap)
		return -EINVAL;

	/* mmap(2) has seen to it that this cannot overflow. */
	ret = dma_buf_cpu_check_range(dmabuf, vma, vma->vm_pgoff);
	if (!ret)
		ret = dmabuf->ops->mmap(dmabuf, vma);

	trace_dma_buf_mmap(dmabuf, ret);
	return ret;
}

#ifdef CONFIG_MMU
/**
 * dma_buf_cpu_get_unmapped_area - where to put a mapping, if mmap(2) may choose
 * @file: of a buffer
 * @addr: where the program would like it, or 0
 * @len: in bytes
 * @pgoff: from which page of the buffer on
 * @flags: MAP_*
 *
 * Context: Process context, with the mmap lock. May sleep.
 * Return: the address, or a negative errno.
 */
unsigned long dma_buf_cpu_get_unmapped_area(struct file *file, unsigned long addr,
					    unsigned long len, unsigned long pgoff,
					    unsigned long flags)
{
	struct dma_buf *dmabuf = dma_buf_of_file(file);

	if (dmabuf && dmabuf->ops->get_unmapped_area)
		return dmabuf->ops->get_unmapped_area(file, addr, len, pgoff, flags);
	return mm_get_unmapped_area(current->mm, file, addr, len, pgoff, flags);
}
#endif

/**
 * dma_buf_mmap - map a buffer into a program through another driver's file
 * @dmabuf: the buffer
 * @vma: where to map it; becomes a mapping of the buffer's own file
 * @pgoff: from which page of the buffer on; replaces vm_pgoff
 *
 * Context: Process context, with the mmap lock of the program and without the
 * reservation lock. May sleep.
 * Return: 0; -EINVAL without a buffer or a vma, when the exporter has no mmap
 * or when the range leaves the buffer; -EOVERFLOW when its end cannot be
 * expressed; or what the exporter's mmap op returned.
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

/* The first user: have the exporter map. */
static int dma_buf_vmap_first_locked(struct dma_buf *dmabuf)
{
	struct iosys_map map = {};
	int ret;

	ret = dmabuf->ops->vmap(dmabuf, &map);
	if (ret)
		return ret;
	/* It said yes and did nothing: that is the exporter's mistake. */
	if (dma_buf_misuse(iosys_map_is_null(&map)))
		return -ENOMEM;

	dmabuf->vmap_ptr = map;
	return 0;
}

/**
 * dma_buf_vmap - map the whole buffer into the kernel
 * @dmabuf: the buffer
 * @map: filled in with where it is; cleared on failure
 *
 * All users get the same mapping. It is not coherent: bracket accesses with
 * dma_buf_begin_cpu_access() and dma_buf_end_cpu_access().
 *
 * Context: Process context, with the reservation lock. May sleep.
 * Return: 0; -EINVAL without a buffer or when the exporter has no vmap;
 * -ENOMEM, or what else the exporter's vmap op returned.
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

	if (!dmabuf->vmapping_counter)
		ret = dma_buf_vmap_first_locked(dmabuf);
	if (!ret) {
		dmabuf->vmapping_counter++;
		*map = dmabuf->vmap_ptr;
	}

	trace_dma_buf_vmap(dmabuf, ret);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vmap, DMA_BUF);

/**
 * dma_buf_vmap_unlocked - dma_buf_vmap() for who does not hold the lock
 * @dmabuf: the buffer
 * @map: filled in with where it is; cleared on failure
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
 * With the last one the mapping goes. A call without its dma_buf_vmap(), or with
 * another map, is refused: somebody may be using what it would take away.
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
	}
	trace_dma_buf_vunmap(dmabuf, dmabuf->vmapping_counter);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vunmap, DMA_BUF);

/**
 * dma_buf_vunmap_unlocked - dma_buf_vunmap() for who does not hold the lock
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
