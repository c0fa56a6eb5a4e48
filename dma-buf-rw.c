// SPDX-License-Identifier: GPL-2.0-only
/*
 * read(2), write(2), lseek(2), splice(2) and their relatives
 *
 * A buffer is a file of constant size with no page cache: bytes go between the
 * caller and the memory itself. Each call does what a careful program does with
 * a mapping: it waits for implicit fences, begins CPU access, copies, and ends
 * CPU access.
 *
 * The memory is reached in one of two ways. An exporter with the pages op hands
 * out its runs, which are copied one by one. For any other one the buffer is
 * mapped by its vmap op, which may give I/O memory.
 *
 * Invariants:
 *
 *  - Each CPU access that was begun is ended, whatever has been copied.
 *  - User memory is touched without the reservation lock: the fault handler of a
 *    mapping may take it, and the user's memory may be a mapping of this very
 *    buffer. lockdep knows mmap_lock as taken before the reservation lock.
 *
 * Lock order: file position (VFS), then the reservation lock, which is held to
 * map and to unmap only.
 */
#include <linux/dma-buf.h>
#include <linux/dma-buf-pages.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/pipe_fs_i.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/splice.h>
#include <linux/uio.h>

#include "dma-buf-memory-error.h"
#include "dma-buf-private.h"

/*
 * How many bytes are copied between two checks for signals and for other tasks.
 * Highmem is mapped page by page.
 */
#define DMA_BUF_RW_STEP	(IS_ENABLED(CONFIG_HIGHMEM) ? PAGE_SIZE : SZ_1M)

/**
 * struct dma_buf_rw - one call of read or write
 * @dmabuf: the buffer
 * @iter: the caller's memory
 * @pos: where the next byte is copied, in bytes from the start of the buffer
 * @end: where the copy ends, exclusive
 * @dir: what the CPU does: %DMA_FROM_DEVICE to read, %DMA_TO_DEVICE to write
 * @wait: how long the call may wait
 */
struct dma_buf_rw {
	struct dma_buf *dmabuf;
	struct iov_iter *iter;
	size_t pos;
	size_t end;
	enum dma_data_direction dir;
	enum dma_buf_cpu_wait wait;
};

/* -- copying --------------------------------------------------------------- */

/*
 * Copy from or to memory in the linear map or in vmalloc space.
 *
 * copy_to_iter() would check that the bytes are of one folio or slab object. Here
 * they are of a run, which may consist of several folios.
 */
static size_t dma_buf_rw_copy(struct dma_buf_rw *rw, void *addr, size_t bytes)
{
	if (rw->dir == DMA_FROM_DEVICE)
		return _copy_to_iter(addr, bytes, rw->iter);
	return _copy_from_iter(addr, bytes, rw->iter);
}

/* Copy within a run: from @offset of @page on. */
static size_t dma_buf_rw_copy_pages(struct dma_buf_rw *rw, struct page *page,
				    size_t offset, size_t bytes)
{
	size_t copied;
	void *addr;

	if (rw->dir == DMA_FROM_DEVICE)
		dma_buf_rw_flush(page, offset, bytes);

	addr = IS_ENABLED(CONFIG_HIGHMEM) ? kmap_local_page(page) :
					    page_address(page);
	copied = dma_buf_rw_copy(rw, addr + offset, bytes);
	if (IS_ENABLED(CONFIG_HIGHMEM))
		kunmap_local(addr);

	if (rw->dir == DMA_TO_DEVICE)
		dma_buf_rw_flush(page, offset, copied);
	return copied;
}

/*
 * Account a step of the copy, of which @copied bytes were done.
 *
 * Return: 0 to go on; -EFAULT for memory that the caller does not have; -EINTR
 * after a fatal signal; -ENODEV when more is to come and the buffer was
 * revoked.
 */
static int dma_buf_rw_step(struct dma_buf_rw *rw, size_t bytes, size_t copied)
{
	rw->pos += copied;
	if (copied < bytes)
		return -EFAULT;
	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	if (rw->pos < rw->end && dma_buf_is_revoked(rw->dmabuf))
		return -ENODEV;
	return 0;
}

static int dma_buf_rw_runs(struct dma_buf_rw *rw,
			   const struct dma_buf_pages *pages)
{
	pgoff_t end = DIV_ROUND_UP(rw->end, PAGE_SIZE);
	struct dma_buf_pages_iter iter;
	size_t offset, bytes, sound, copied;
	int ret = 0;

	dma_buf_pages_for_each(&iter, pages, rw->pos >> PAGE_SHIFT, end,
			       DMA_BUF_RW_STEP >> PAGE_SHIFT) {
		offset = rw->pos - ((size_t)iter.index << PAGE_SHIFT);
		bytes = min(((size_t)iter.nr_pages << PAGE_SHIFT) - offset,
			    rw->end - rw->pos);
		sound = dma_buf_memory_sound(iter.page, offset, bytes);
		copied = dma_buf_rw_copy_pages(rw, iter.page, offset, sound);
		ret = dma_buf_rw_step(rw, sound, copied);
		if (!ret && sound < bytes)
			ret = -EIO;
		if (ret)
			break;
	}
	return ret;
}

/* User memory cannot be copied from and to I/O memory at once. */
static int dma_buf_rw_iomem(struct dma_buf_rw *rw, struct iosys_map *map)
{
	void *bounce = (void *)__get_free_page(GFP_KERNEL);
	size_t bytes, copied;
	int ret = 0;

	if (!bounce)
		return -ENOMEM;

	while (!ret && rw->pos < rw->end) {
		bytes = min(rw->end - rw->pos, PAGE_SIZE);
		if (rw->dir == DMA_FROM_DEVICE)
			iosys_map_memcpy_from(bounce, map, rw->pos, bytes);
		copied = dma_buf_rw_copy(rw, bounce, bytes);
		if (rw->dir == DMA_TO_DEVICE)
			iosys_map_memcpy_to(map, rw->pos, bounce, copied);
		ret = dma_buf_rw_step(rw, bytes, copied);
	}
	free_page((unsigned long)bounce);
	return ret;
}

static int dma_buf_rw_memory(struct dma_buf_rw *rw, struct iosys_map *map)
{
	size_t bytes, copied;
	int ret = 0;

	while (!ret && rw->pos < rw->end) {
		bytes = min_t(size_t, rw->end - rw->pos, DMA_BUF_RW_STEP);
		copied = dma_buf_rw_copy(rw, map->vaddr + rw->pos, bytes);
		ret = dma_buf_rw_step(rw, bytes, copied);
	}
	return ret;
}

/* -- CPU access ------------------------------------------------------------ */

/*
 * Bracket a copy with CPU access. What was copied before an error counts: it has
 * moved &dma_buf_rw.pos, which is what the call reports.
 */
static int dma_buf_rw_bracket(struct dma_buf_rw *rw,
			      struct dma_buf_pages *pages,
			      struct iosys_map *map)
{
	size_t offset = rw->pos, length = rw->end - rw->pos;
	int ret, err;

	/* Not to be taken for zeroed when the exporter gets it back. */
	if (pages && rw->dir == DMA_TO_DEVICE)
		WRITE_ONCE(pages->exposed, true);

	ret = dma_buf_cpu_begin_copy(rw->dmabuf, rw->dir, offset, length,
				     rw->wait);
	if (ret)
		return ret;

	if (IS_ENABLED(CONFIG_DMABUF_PAGES) && pages)
		ret = dma_buf_rw_runs(rw, pages);
	else if (map->is_iomem)
		ret = dma_buf_rw_iomem(rw, map);
	else
		ret = dma_buf_rw_memory(rw, map);

	err = dma_buf_cpu_end_copy(rw->dmabuf, rw->dir, offset, length);
	return ret ?: err;
}

static int dma_buf_rw_lock(struct dma_buf_rw *rw)
{
	struct dma_resv *resv = rw->dmabuf->resv;

	if (rw->wait == DMA_BUF_CPU_WAIT_NEVER)
		return dma_resv_trylock(resv) ? 0 : -EAGAIN;
	return dma_resv_lock_interruptible(resv, NULL);
}

static int dma_buf_rw_mapped(struct dma_buf_rw *rw)
{
	struct iosys_map map;
	int ret;

	if (!rw->dmabuf->ops->vmap)
		return -EOPNOTSUPP;

	/* Not to map for nothing; the bracket has the final say. */
	if (rw->wait != DMA_BUF_CPU_WAIT_FENCES &&
	    !dma_buf_cpu_is_idle(rw->dmabuf, rw->dir))
		return -EAGAIN;

	ret = dma_buf_rw_lock(rw);
	if (ret)
		return ret;
	ret = dma_buf_vmap(rw->dmabuf, &map);
	dma_resv_unlock(rw->dmabuf->resv);
	if (ret)
		return ret;

	ret = dma_buf_rw_bracket(rw, NULL, &map);
	dma_buf_vunmap_unlocked(rw->dmabuf, &map);
	return ret;
}

/* -- read and write -------------------------------------------------------- */

/* O_NONBLOCK is about devices; RWF_NOWAIT is about locks, too. */
static enum dma_buf_cpu_wait dma_buf_rw_wait(const struct kiocb *iocb)
{
	if (iocb->ki_flags & IOCB_NOWAIT)
		return DMA_BUF_CPU_WAIT_NEVER;
	if (iocb->ki_filp->f_flags & O_NONBLOCK)
		return DMA_BUF_CPU_WAIT_LOCKS;
	return DMA_BUF_CPU_WAIT_FENCES;
}

static ssize_t dma_buf_rw(struct kiocb *iocb, struct iov_iter *iter,
			  enum dma_data_direction dir)
{
	struct dma_buf *dmabuf = iocb->ki_filp->private_data;
	struct dma_buf_rw rw = {
		.dmabuf = dmabuf, .iter = iter, .dir = dir,
		.pos = iocb->ki_pos, .wait = dma_buf_rw_wait(iocb),
	};
	size_t done;
	int ret;

	rw.end = rw.pos + min(iov_iter_count(iter), dmabuf->size - rw.pos);
	if (dmabuf->ops->pages)
		ret = dma_buf_rw_bracket(&rw, dmabuf->ops->pages(dmabuf), NULL);
	else
		ret = dma_buf_rw_mapped(&rw);

	done = rw.pos - iocb->ki_pos;
	iocb->ki_pos = rw.pos;
	return done ?: ret;
}

/**
 * dma_buf_read_iter - read from a buffer
 * @iocb: where, and how; %IOCB_NOWAIT is supported
 * @to: the caller's memory
 *
 * Waits for the fences of those who write to the buffer.
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: number of bytes, less than asked for at the end of the buffer, and
 * when something failed after some were copied; 0 at the end. -EAGAIN if a fence
 * has to be waited for, or a lock, and that is not wanted; -ERESTARTSYS if a
 * signal ended the wait; -EINTR if a fatal one ended the copy; -EFAULT for bad
 * user memory; -EIO for memory with an error; -ENODEV if the buffer is revoked;
 * -EOPNOTSUPP if the exporter offers neither pages nor vmap; -ENOMEM, or what
 * its ops return.
 */
ssize_t dma_buf_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	const struct dma_buf *dmabuf = iocb->ki_filp->private_data;

	if (!iov_iter_count(to) || iocb->ki_pos >= dmabuf->size)
		return 0;
	return dma_buf_rw(iocb, to, DMA_FROM_DEVICE);
}

/**
 * dma_buf_write_iter - write to a buffer
 * @iocb: where, and how; %IOCB_NOWAIT is supported, %IOCB_APPEND is not
 * @from: the caller's memory
 *
 * Waits for the fences of those who read from the buffer or write to it.
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: as dma_buf_read_iter(), and -ENOSPC behind the end of the buffer,
 * -EINVAL for an append.
 */
ssize_t dma_buf_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	const struct dma_buf *dmabuf = iocb->ki_filp->private_data;

	if (iocb->ki_flags & IOCB_APPEND)
		return -EINVAL;
	if (!iov_iter_count(from))
		return 0;
	if (iocb->ki_pos >= dmabuf->size)
		return -ENOSPC;
	return dma_buf_rw(iocb, from, DMA_TO_DEVICE);
}

/**
 * dma_buf_check_flags - test whether F_SETFL may set these flags
 * @flags: of fcntl(2)
 *
 * Context: Any.
 * Return: 0; -EINVAL for O_APPEND, as there is nothing to append to.
 */
int dma_buf_check_flags(int flags)
{
	return flags & O_APPEND ? -EINVAL : 0;
}

/**
 * dma_buf_llseek - set the position of the next read or write
 * @file: of a buffer
 * @offset: in bytes, by @whence
 * @whence: one of SEEK_*; all of a buffer is data
 *
 * Programs ask for the size by SEEK_END. Those of exporters without the pages op
 * go to the start and to the end only, as they always did: tests of graphics
 * drivers check that anything else is refused. There, pread(2) and pwrite(2)
 * give the position.
 *
 * Context: Process context.
 * Return: the position; -EINVAL outside of the buffer, for an unknown @whence,
 * or if the exporter has no such position; -ENXIO for data behind the end.
 */
loff_t dma_buf_llseek(struct file *file, loff_t offset, int whence)
{
	const struct dma_buf *dmabuf = file->private_data;

	if (!dmabuf->ops->pages &&
	    (offset || (whence != SEEK_SET && whence != SEEK_END)))
		return -EINVAL;
	return generic_file_llseek_size(file, offset, whence, dmabuf->size,
					dmabuf->size);
}

/* -- splice ---------------------------------------------------------------- */

/* Hand out the pages of a range, as far as the pipe has room for them. */
static size_t dma_buf_splice_pages(struct pipe_inode_info *pipe,
				   const struct dma_buf_pages *pages,
				   size_t pos, size_t end)
{
	struct dma_buf_pages_iter iter;
	size_t start = pos;

	dma_buf_pages_for_each(&iter, pages, pos >> PAGE_SHIFT,
			       DIV_ROUND_UP(end, PAGE_SIZE), 1) {
		size_t bytes = min(PAGE_SIZE - offset_in_page(pos), end - pos);

		if (pipe_full(pipe->head, pipe->tail, pipe->max_usage) ||
		    !dma_buf_memory_sound(iter.page, 0, PAGE_SIZE))
			break;
		dma_buf_rw_flush(iter.page, offset_in_page(pos), bytes);
		get_page(iter.page);
		*pipe_head_buf(pipe) = (struct pipe_buffer) {
			.ops = &nosteal_pipe_buf_ops,
			.page = iter.page,
			.offset = offset_in_page(pos),
			.len = bytes,
		};
		pipe->head++;
		pos += bytes;
	}
	return pos - start;
}

/**
 * dma_buf_splice_read - move bytes of a buffer into a pipe
 * @in: the file of the buffer
 * @ppos: position to read from; advanced
 * @pipe: the pipe, locked by the caller
 * @len: how many bytes at most
 * @flags: %SPLICE_F_NONBLOCK: do not wait for fences
 *
 * Waits like dma_buf_read_iter(). If the exporter allows it, the pipe gets a
 * reference on each page instead of a copy. As with the page cache, what is
 * written to the buffer later may or may not be seen by who reads the pipe.
 *
 * Context: Process context. May sleep.
 * Return: as dma_buf_read_iter().
 */
ssize_t dma_buf_splice_read(struct file *in, loff_t *ppos,
			    struct pipe_inode_info *pipe, size_t len,
			    unsigned int flags)
{
	bool wait = !(in->f_flags & O_NONBLOCK || flags & SPLICE_F_NONBLOCK);
	struct dma_buf *dmabuf = in->private_data;
	struct dma_buf_pages *pages = NULL;
	size_t done;
	int ret;

	if (*ppos >= dmabuf->size || !len)
		return 0;
	if (dmabuf->ops->pages)
		pages = dmabuf->ops->pages(dmabuf);
	if (!IS_ENABLED(CONFIG_DMABUF_PAGES) || !pages || !pages->may_outlive) {
		/* Not passed on: what comes after this is waited for. */
		if (!wait && !dma_buf_cpu_is_idle(dmabuf, DMA_FROM_DEVICE))
			return -EAGAIN;
		return copy_splice_read(in, ppos, pipe, len, flags);
	}

	len = min_t(u64, len, dmabuf->size - *ppos);
	ret = dma_buf_cpu_begin_copy(dmabuf, DMA_FROM_DEVICE, *ppos, len,
				     wait ? DMA_BUF_CPU_WAIT_FENCES :
					    DMA_BUF_CPU_WAIT_LOCKS);
	if (ret)
		return ret;
	done = dma_buf_splice_pages(pipe, pages, *ppos, *ppos + len);
	ret = dma_buf_cpu_end_copy(dmabuf, DMA_FROM_DEVICE, *ppos, len);

	*ppos += done;
	/* The pipe had room when it was locked, so this is a memory error. */
	return done ?: ret ?: -EIO;
}
