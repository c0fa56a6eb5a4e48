// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes moved between a file and a buffer: DMA_BUF_IOCTL_TRANSFER
 *
 * The runs of a buffer are handed to the read_iter and write_iter operation of
 * the file as an ITER_BVEC, with IOCB_DIRECT where that is possible: then the
 * storage transfers to and from the memory of the buffer.
 *
 * A transfer is a range of the buffer in at most three spans: a head and a tail
 * which are not aligned for direct I/O and go through the page cache, and the
 * aligned span between them. Each span is moved in chunks. Chunks of a direct
 * span are asynchronous, and several of them are in flight.
 *
 * Invariants:
 *
 *  - Chunks are submitted and reaped in order. What the call reports is the sum
 *    up to the first chunk that is short or failed, so it has no gap.
 *  - No span, and no call, ends with a chunk in flight: neither the pages nor
 *    the bio_vecs may go before the storage is done with them. A fatal signal
 *    therefore ends the submission only.
 *  - CPU access that was begun is ended, whatever has been moved.
 *
 * Locks: none of the buffer is held during I/O. Protection against a freeze of
 * the file system belongs to a chunk and is dropped by its completion: if it
 * were kept until the chunk is reaped, a submission that waits for the thaw
 * would wait for a freeze that waits for it.
 */
#include <kunit/visibility.h>

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/bvec.h>
#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pages.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fsnotify.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/xacct.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/uio.h>

#include "dma-buf-memory-error.h"
#include "dma-buf-private.h"
#include "ioctl_table.h"

/*
 * A chunk is several times as long as the longest request that block drivers
 * take, so that it costs little beside its requests. Eight of them keep a
 * device busy while one is reaped, and are what a killed task waits for at
 * most: 32 MiB.
 */
#define DMA_BUF_TRANSFER_CHUNK	SZ_4M
#define DMA_BUF_TRANSFER_DEPTH	8

/**
 * struct dma_buf_transfer_chunk - one request to the file
 * @iocb: the request
 * @done: completed when it has ended
 * @segs: its part of the memory
 * @nr_segs: how many entries of @segs are in use
 * @bytes: length
 * @ret: number of bytes that were moved, or a negative errno; after @done
 * @queued: it was not finished by its submission
 */
struct dma_buf_transfer_chunk {
	struct kiocb iocb;
	struct completion done;
	struct bio_vec *segs;
	unsigned int nr_segs;
	size_t bytes;
	long ret;
	bool queued;
};

/**
 * struct dma_buf_transfer_job - one call
 * @pages: memory of the buffer
 * @file: the file
 * @to_file: direction
 * @may_copy: the page cache may be used where direct I/O is impossible
 * @iocb_flags: of @file, as they were at the start
 * @delta: position in the file less position in the buffer
 * @pos: position in the buffer of the first byte that has not been moved
 * @direct: start of the span for direct I/O
 * @direct_end: end of that span, exclusive; @direct if there is none
 * @end: end of the transfer, exclusive
 * @block: alignment of a direct request's length, a power of two
 * @max_segs: how many segments each chunk has room for
 * @depth: number of @chunks
 * @chunks: a ring
 */
struct dma_buf_transfer_job {
	const struct dma_buf_pages *pages;
	struct file *file;
	bool to_file;
	bool may_copy;
	int iocb_flags;
	loff_t delta;
	size_t pos;
	size_t direct;
	size_t direct_end;
	size_t end;
	size_t block;
	unsigned int max_segs;
	unsigned int depth;
	struct dma_buf_transfer_chunk chunks[] __counted_by(depth);
};

/* -- chunks ---------------------------------------------------------------- */

/*
 * Bytes from the start of @page on that may be one segment: users of a bio_vec
 * add to the address of its struct page, which are adjacent within a section.
 */
static size_t dma_buf_transfer_adjacent(struct page *page)
{
#if defined(CONFIG_SPARSEMEM) && !defined(CONFIG_SPARSEMEM_VMEMMAP)
	return (PAGES_PER_SECTION -
		(page_to_pfn(page) & ~PAGE_SECTION_MASK)) << PAGE_SHIFT;
#else
	return SIZE_MAX;
#endif
}

/* Append memory to a chunk. Return how many bytes there was room for. */
static size_t dma_buf_transfer_append(struct dma_buf_transfer_job *job,
				      struct dma_buf_transfer_chunk *chunk,
				      struct page *page, size_t offset,
				      size_t bytes)
{
	size_t done = 0, part;

	while (done < bytes && chunk->nr_segs < job->max_segs) {
		part = min(bytes - done,
			   dma_buf_transfer_adjacent(page) - offset);
		bvec_set_page(&chunk->segs[chunk->nr_segs++], page, part,
			      offset);
		done += part;
		page = nth_page(page, (offset + part) >> PAGE_SHIFT);
		offset = 0;
	}
	return done;
}

/*
 * Fill a chunk with the memory from @pos on. It ends before @end at a page with
 * a memory error, and is then empty if that is the first one.
 */
static void dma_buf_transfer_fill(struct dma_buf_transfer_job *job,
				  struct dma_buf_transfer_chunk *chunk,
				  size_t pos, size_t end)
{
	size_t at = pos, offset, bytes, sound;
	struct dma_buf_pages_iter iter;

	chunk->nr_segs = 0;
	dma_buf_pages_for_each(&iter, job->pages, pos >> PAGE_SHIFT,
			       DIV_ROUND_UP(end, PAGE_SIZE), ULONG_MAX) {
		offset = at - ((size_t)iter.index << PAGE_SHIFT);
		bytes = min(((size_t)iter.nr_pages << PAGE_SHIFT) - offset,
			    end - at);
		sound = dma_buf_memory_sound(iter.page, offset, bytes);
		sound = dma_buf_transfer_append(job, chunk, iter.page, offset,
						sound);
		at += sound;
		if (sound < bytes)
			break;
	}
	chunk->bytes = at - pos;
}

/* The CPU may copy, also for a direct request: see dma_buf_rw_flush(). */
static void dma_buf_transfer_flush(const struct dma_buf_transfer_chunk *chunk)
{
	const struct bio_vec *seg = chunk->segs;

	if (!ARCH_IMPLEMENTS_FLUSH_DCACHE_PAGE)
		return;
	for (; seg < chunk->segs + chunk->nr_segs; seg++)
		dma_buf_rw_flush(seg->bv_page, seg->bv_offset, seg->bv_len);
}

/* From any context, once for each request that was queued. */
static void dma_buf_transfer_complete(struct kiocb *iocb, long ret)
{
	struct dma_buf_transfer_chunk *chunk =
		container_of(iocb, struct dma_buf_transfer_chunk, iocb);

	/* vfs_iocb_iter_write() leaves that to the completion. */
	if (iocb->ki_flags & IOCB_WRITE)
		kiocb_end_write(iocb);
	chunk->ret = ret;
	complete(&chunk->done);
}

static ssize_t dma_buf_transfer_issue(struct dma_buf_transfer_job *job,
				      struct dma_buf_transfer_chunk *chunk,
				      size_t pos, bool direct)
{
	struct kiocb *iocb = &chunk->iocb;
	struct iov_iter iter;

	init_sync_kiocb(iocb, job->file);
	iocb->ki_pos = pos + job->delta;
	iocb->ki_flags = job->iocb_flags;
	if (direct)
		iocb->ki_flags |= IOCB_DIRECT;
	/* Alone, it is as well waited for by the file, which costs less. */
	if (direct && job->depth > 1)
		iocb->ki_complete = dma_buf_transfer_complete;

	if (job->to_file) {
		iocb->ki_flags |= IOCB_WRITE;
		dma_buf_transfer_flush(chunk);
		iov_iter_bvec(&iter, ITER_SOURCE, chunk->segs, chunk->nr_segs,
			      chunk->bytes);
		return vfs_iocb_iter_write(job->file, iocb, &iter);
	}
	iov_iter_bvec(&iter, ITER_DEST, chunk->segs, chunk->nr_segs,
		      chunk->bytes);
	return vfs_iocb_iter_read(job->file, iocb, &iter);
}

/*
 * Submit the chunk at @pos. Return its length, or 0 when none should follow
 * because it is known already not to be moved as a whole.
 */
static size_t dma_buf_transfer_submit(struct dma_buf_transfer_job *job,
				      struct dma_buf_transfer_chunk *chunk,
				      size_t pos, size_t end, bool direct)
{
	ssize_t ret = -EIO;

	end = pos + min_t(size_t, end - pos, DMA_BUF_TRANSFER_CHUNK);
	dma_buf_transfer_fill(job, chunk, pos, end);
	if (direct)
		chunk->bytes = round_down(chunk->bytes, job->block);

	init_completion(&chunk->done);
	if (chunk->bytes)
		ret = dma_buf_transfer_issue(job, chunk, pos, direct);

	chunk->queued = ret == -EIOCBQUEUED;
	if (chunk->queued)
		return chunk->bytes;
	chunk->ret = ret;
	complete(&chunk->done);
	return ret == chunk->bytes ? chunk->bytes : 0;
}

/* Wait for a chunk. Return what became of it. */
static long dma_buf_transfer_reap(struct dma_buf_transfer_job *job,
				  struct dma_buf_transfer_chunk *chunk)
{
	wait_for_completion_io(&chunk->done);
	if (chunk->ret <= 0)
		return chunk->ret;

	if (!job->to_file)
		dma_buf_transfer_flush(chunk);
	/* Of the others, vfs_iocb_iter_read() and _write() have told. */
	if (chunk->queued && job->to_file)
		fsnotify_modify(job->file);
	else if (chunk->queued)
		fsnotify_access(job->file);
	return chunk->ret;
}

/* -- spans ----------------------------------------------------------------- */

/*
 * Move the bytes from job->pos to @end, and advance job->pos by those moved.
 *
 * Return: 0, also if the file moved less; the error of the first chunk that
 * failed; -EINTR after a fatal signal.
 */
static int dma_buf_transfer_span(struct dma_buf_transfer_job *job, size_t end,
				 bool direct)
{
	unsigned int submitted = 0, reaped = 0;
	struct dma_buf_transfer_chunk *chunk;
	size_t next = job->pos, bytes;
	bool counting = true;
	int ret = 0;
	long moved;

	for (;;) {
		while (next < end && submitted - reaped < job->depth) {
			if (fatal_signal_pending(current)) {
				end = next;
				ret = -EINTR;
				break;
			}
			chunk = &job->chunks[submitted++ % job->depth];
			bytes = dma_buf_transfer_submit(job, chunk, next, end,
							direct);
			next += bytes;
			if (!bytes)
				end = next;
			cond_resched();
		}
		if (reaped == submitted)
			return ret;

		chunk = &job->chunks[reaped++ % job->depth];
		moved = dma_buf_transfer_reap(job, chunk);
		if (!counting)
			continue;
		job->pos += max(moved, 0L);
		if (moved != chunk->bytes) {
			counting = false;
			end = next;
			ret = min(moved, 0L);
		}
	}
}

/* Move the bytes of all spans. Return as dma_buf_transfer_span(). */
static int dma_buf_transfer_spans(struct dma_buf_transfer_job *job)
{
	int ret;

	ret = dma_buf_transfer_span(job, job->direct, false);
	if (ret || job->pos < job->direct)
		return ret;

	ret = dma_buf_transfer_span(job, job->direct_end, true);
	/* The file knows better what it can do. Nothing of the chunk moved. */
	if (ret == -EINVAL || ret == -ENOTBLK)
		ret = job->may_copy ? 0 : -EINVAL;
	else if (job->pos < job->direct_end)
		return ret;
	if (ret)
		return ret;

	return dma_buf_transfer_span(job, job->end, false);
}

/* -- alignment ------------------------------------------------------------- */

/**
 * struct dma_buf_transfer_align - what direct I/O of a file needs
 * @memory: alignment of addresses
 * @block: alignment of positions and lengths
 */
struct dma_buf_transfer_align {
	size_t memory;
	size_t block;
};

/*
 * Ask the file. Return false if it does no direct I/O. A file system that does
 * not tell is tried.
 */
static bool dma_buf_transfer_ask(struct file *file,
				 struct dma_buf_transfer_align *align)
{
	struct kstat stat;

	*align = (struct dma_buf_transfer_align){ .memory = 1, .block = 1 };
	if (!(file->f_mode & FMODE_CAN_ODIRECT))
		return false;

	if (IS_ENABLED(CONFIG_BLOCK) && S_ISBLK(file_inode(file)->i_mode)) {
		struct block_device *bdev = file_bdev(file);

		align->memory = bdev_dma_alignment(bdev) + 1;
		align->block = bdev_logical_block_size(bdev);
		return true;
	}

	/* The program is not told, so no permission for stat(2) is needed. */
	if (vfs_getattr_nosec(&file->f_path, &stat, STATX_DIOALIGN,
			      AT_STATX_DONT_SYNC) ||
	    !(stat.result_mask & STATX_DIOALIGN))
		return true;
	/* Opened O_DIRECT all the same: the file has a way of its own. */
	if (!stat.dio_offset_align)
		return file->f_flags & O_DIRECT;
	align->memory = max(stat.dio_mem_align, 1U);
	align->block = stat.dio_offset_align;
	return is_power_of_2(align->memory) && is_power_of_2(align->block);
}

/* Test whether each segment of the direct span is of whole blocks. */
static bool dma_buf_transfer_is_whole(const struct dma_buf_transfer_job *job)
{
	unsigned int i, last;
	size_t at;

	if (job->block > DMA_BUF_TRANSFER_CHUNK)
		return false;
	if (job->block <= PAGE_SIZE && IS_ALIGNED(job->direct, job->block))
		return true;

	i = dma_buf_pages_find_run(job->pages, job->direct >> PAGE_SHIFT);
	last = dma_buf_pages_find_run(job->pages,
				      (job->direct_end - 1) >> PAGE_SHIFT);
	while (i < last) {
		at = (size_t)dma_buf_pages_run_end(job->pages, i++) <<
		     PAGE_SHIFT;
		if (!IS_ALIGNED(at - job->direct, job->block))
			return false;
	}
	return true;
}

/* Set the span for direct I/O, empty at the end when there is none. */
static void dma_buf_transfer_set_direct(struct dma_buf_transfer_job *job)
{
	struct dma_buf_transfer_align align;
	size_t head, bytes = job->end - job->pos;
	loff_t at = job->pos + job->delta;

	job->direct = job->end;
	job->direct_end = job->end;
	if (!dma_buf_transfer_ask(job->file, &align))
		return;

	/* Where it is when the chunk is written can be another position. */
	if (job->iocb_flags & IOCB_APPEND)
		at = i_size_read(file_inode(job->file));
	head = -at & (align.block - 1);
	if (head >= bytes || bytes - head < align.block ||
	    !IS_ALIGNED(job->pos + head, align.memory))
		return;

	job->block = align.block;
	job->direct = job->pos + head;
	job->direct_end = job->direct + round_down(bytes - head, align.block);
	if (!dma_buf_transfer_is_whole(job)) {
		job->direct = job->end;
		job->direct_end = job->end;
	}
}

/* -- one call -------------------------------------------------------------- */

/*
 * The rule of write(2) is a short count up to the limit, and SIGXFSZ for a call
 * that starts there. A chunk behind the limit must not get that signal.
 */
static u64 dma_buf_transfer_limit(const struct dma_buf_transfer_job *job,
				  loff_t at, u64 length)
{
	u64 limit = rlimit(RLIMIT_FSIZE);

	if (!job->to_file || job->iocb_flags & IOCB_APPEND ||
	    !S_ISREG(file_inode(job->file)->i_mode) ||
	    limit == RLIM_INFINITY || at >= limit)
		return length;
	return min(length, limit - at);
}

/* How many segments a chunk can have at most. */
static unsigned int
dma_buf_transfer_max_segs(const struct dma_buf_transfer_job *job)
{
	size_t bytes = min_t(size_t, job->end - job->pos,
			     DMA_BUF_TRANSFER_CHUNK);
	unsigned int first, last;

	first = dma_buf_pages_find_run(job->pages, job->pos >> PAGE_SHIFT);
	last = dma_buf_pages_find_run(job->pages,
				      (job->end - 1) >> PAGE_SHIFT);
	/* One more page if it does not start at one; one end of a section. */
	return min_t(size_t, last - first, (bytes >> PAGE_SHIFT) + 1) + 2;
}

/* Copy @plan and make chunks for it. */
static struct dma_buf_transfer_job *
dma_buf_transfer_alloc(const struct dma_buf_transfer_job *plan)
{
	unsigned int depth = DMA_BUF_TRANSFER_DEPTH, i, max_segs;
	struct dma_buf_transfer_job *job;
	struct bio_vec *segs;
	size_t size;

	/* What is appended goes where the file ends when it is submitted. */
	if (plan->iocb_flags & IOCB_APPEND)
		depth = 1;
	depth = min_t(size_t, depth, DIV_ROUND_UP(plan->end - plan->pos,
						  DMA_BUF_TRANSFER_CHUNK));
	max_segs = dma_buf_transfer_max_segs(plan);
	size = struct_size(job, chunks, depth);
	job = kvmalloc(size + array3_size(depth, max_segs, sizeof(*segs)),
		       GFP_KERNEL);
	if (!job)
		return NULL;

	*job = *plan;
	job->max_segs = max_segs;
	job->depth = depth;
	segs = (void *)job + size;
	for (i = 0; i < depth; i++)
		job->chunks[i].segs = segs + i * max_segs;
	return job;
}

static ssize_t dma_buf_transfer_run(struct dma_buf *dmabuf,
				    const struct dma_buf_transfer_job *plan,
				    enum dma_buf_cpu_wait wait)
{
	size_t offset = plan->pos, length = plan->end - plan->pos, moved;
	enum dma_data_direction dir;
	struct dma_buf_transfer_job *job;
	int ret, err;

	job = dma_buf_transfer_alloc(plan);
	if (!job)
		return -ENOMEM;

	dir = job->to_file ? DMA_FROM_DEVICE : DMA_TO_DEVICE;
	ret = dma_buf_cpu_begin_copy(dmabuf, dir, offset, length, wait);
	if (!ret) {
		ret = dma_buf_transfer_spans(job);
		err = dma_buf_cpu_end_copy(dmabuf, dir, offset, length);
		ret = ret ?: err;
	}
	moved = job->pos - offset;
	kvfree(job);
	return moved ?: ret;
}

/* Test whether both files can do what pread(2) and pwrite(2) of them need. */
static int dma_buf_transfer_check_files(struct file *buffer, struct file *file,
					bool to_file)
{
	umode_t mode = file_inode(file)->i_mode;

	if (!(file->f_mode & (to_file ? FMODE_PWRITE : FMODE_PREAD)))
		return -ESPIPE;
	if (!(file->f_mode & (to_file ? FMODE_WRITE : FMODE_READ)) ||
	    !(buffer->f_mode & (to_file ? FMODE_READ : FMODE_WRITE)))
		return -EBADF;
	/* A buffer would wait for its own fences while others wait for these. */
	if (dma_buf_of_file(file))
		return -EINVAL;
	if (!S_ISREG(mode) && !S_ISBLK(mode))
		return -EINVAL;
	if (!(to_file ? file->f_op->write_iter : file->f_op->read_iter))
		return -EINVAL;
	return 0;
}

/**
 * dma_buf_transfer_check - test the argument of a transfer
 * @args: the argument; &dma_buf_transfer.fd is ignored
 *
 * Context: Any.
 * Return: 0; -EINVAL for unknown flags, without exactly one direction, if a
 * field that must be zero is not, or for a range that no file has.
 */
int dma_buf_transfer_check(const struct dma_buf_transfer *args)
{
	u32 direction = args->flags & (DMA_BUF_TRANSFER_FROM_FILE |
				       DMA_BUF_TRANSFER_TO_FILE);
	u64 end;

	if (args->flags & ~DMA_BUF_TRANSFER_VALID_FLAGS_MASK ||
	    !is_power_of_2(direction) || args->in_fence || args->out_fence)
		return -EINVAL;
	if (check_add_overflow(args->file_offset, args->length, &end) ||
	    end > LLONG_MAX)
		return -EINVAL;
	return 0;
}

/**
 * dma_buf_transfer_file - move bytes between a file and a buffer
 * @buffer: file of the buffer
 * @file: the file
 * @args: what to do; &dma_buf_transfer.fd is ignored
 *
 * The caller has references to both files until this returns.
 *
 * Context: Process context of the caller of a system call, or a worker thread
 * of its io_uring; without the reservation lock. May sleep.
 * Return: number of bytes; the errors of &struct dma_buf_transfer, with
 * -ERESTARTSYS when a signal ended the wait for fences, and -EINTR when a fatal
 * one came before anything was moved.
 */
ssize_t dma_buf_transfer_file(struct file *buffer, struct file *file,
			      const struct dma_buf_transfer *args)
{
	bool to_file = args->flags & DMA_BUF_TRANSFER_TO_FILE;
	struct dma_buf *dmabuf = buffer->private_data;
	enum dma_buf_cpu_wait wait = DMA_BUF_CPU_WAIT_FENCES;
	struct dma_buf_transfer_job job = {
		.file = file, .to_file = to_file,
		.iocb_flags = READ_ONCE(file->f_iocb_flags),
	};
	struct dma_buf_pages *pages;
	loff_t pos = args->offset;
	u64 length;
	ssize_t ret;

	ret = dma_buf_transfer_check(args);
	if (ret)
		return ret;
	ret = dma_buf_transfer_check_files(buffer, file, to_file);
	if (ret)
		return ret;
	if (!dmabuf->ops->pages)
		return -EOPNOTSUPP;
	if (!args->length)
		return 0;
	if (args->offset >= dmabuf->size)
		return to_file ? 0 : -ENOSPC;

	length = min3(args->length, (u64)(dmabuf->size - args->offset),
		      (u64)MAX_RW_COUNT);
	length = dma_buf_transfer_limit(&job, args->file_offset, length);
	ret = rw_verify_area(to_file ? READ : WRITE, buffer, &pos, length);
	if (ret)
		return ret;

	pages = dmabuf->ops->pages(dmabuf);
	job.pages = pages;
	job.delta = args->file_offset - args->offset;
	job.pos = args->offset;
	job.end = args->offset + length;
	job.may_copy = !(args->flags & DMA_BUF_TRANSFER_DIRECT ||
			 job.iocb_flags & IOCB_DIRECT);
	dma_buf_transfer_set_direct(&job);
	if (!job.may_copy &&
	    (job.direct > job.pos || job.direct_end < job.end))
		return -EINVAL;

	if (args->flags & DMA_BUF_TRANSFER_NOWAIT ||
	    buffer->f_flags & O_NONBLOCK)
		wait = DMA_BUF_CPU_WAIT_LOCKS;
	/* Not to be taken for zeroed when the exporter gets it back. */
	if (!to_file)
		WRITE_ONCE(pages->exposed, true);
	ret = dma_buf_transfer_run(dmabuf, &job, wait);
	if (ret > 0) {
		add_rchar(current, ret);
		add_wchar(current, ret);
		if (to_file)
			fsnotify_access(buffer);
		else
			fsnotify_modify(buffer);
	}
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_transfer_file);

/**
 * dma_buf_transfer_ioctl - carry out DMA_BUF_IOCTL_TRANSFER
 * @call: the call
 * @args: &struct dma_buf_transfer
 *
 * Context: Process context. May sleep.
 * Return: as dma_buf_transfer_file(); -EBADF if the descriptor is not open.
 */
long dma_buf_transfer_ioctl(struct ioctl_call *call, void *args)
{
	const struct dma_buf_transfer *transfer = args;
	struct file *file;
	long ret;

	ret = dma_buf_transfer_check(transfer);
	if (ret)
		return ret;

	file = fget(transfer->fd);
	if (!file)
		return -EBADF;
	ret = dma_buf_transfer_file(call->file, file, transfer);
	fput(file);
	return ret;
}
