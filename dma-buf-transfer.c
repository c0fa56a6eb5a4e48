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
 *  - No span ends with a chunk in flight, unless there is an out-fence: neither
 *    the pages nor the bio_vecs may go before the storage is done with them. A
 *    fatal signal therefore ends the submission only.
 *  - With an out-fence a call may end before its last chunks do. Each of them
 *    has a reference to the job, which holds both files. The last one to
 *    complete has a worker end the access and signal the fence.
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
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
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
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/xacct.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/sync_file.h>
#include <linux/uio.h>
#include <linux/workqueue.h>

#include "dma-buf-memory-error.h"
#include "dma-buf-private.h"
#include "ioctl_table.h"

#define DMA_BUF_TRANSFER_FENCES \
	(DMA_BUF_TRANSFER_IN_FENCE | DMA_BUF_TRANSFER_OUT_FENCE)

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
 * @expected: how many of them the file has
 * @ret: number of bytes that were moved, or a negative errno; after @done
 * @queued: it was not finished by its submission
 * @job: the job, to which it has a reference while it is queued; NULL without
 *	an out-fence
 */
struct dma_buf_transfer_chunk {
	struct kiocb iocb;
	struct completion done;
	struct bio_vec *segs;
	unsigned int nr_segs;
	size_t bytes;
	size_t expected;
	long ret;
	bool queued;
	struct dma_buf_transfer_job *job;
};

/**
 * struct dma_buf_transfer_job - one call
 * @dmabuf: the buffer
 * @pages: memory of the buffer
 * @file: the file
 * @to_file: direction
 * @may_copy: the page cache may be used where direct I/O is impossible
 * @iocb_flags: of @file, as they were at the start
 * @delta: position in the file less position in the buffer
 * @start: position in the buffer of the first byte
 * @pos: position in the buffer of the first byte that has not been moved
 * @direct: start of the span for direct I/O
 * @direct_end: end of that span, exclusive; @direct if there is none
 * @end: end of the transfer, exclusive
 * @expected: end of what the file has of it, exclusive; with an out-fence
 * @fence: the out-fence, or NULL
 * @refs: of the call, and of each chunk that is queued; with an out-fence
 * @work: ends the call after its last chunk; with an out-fence
 * @first_left: number of the first chunk that was left in flight
 * @end_left: number of the last one, plus one
 * @block: alignment of a direct request's length, a power of two
 * @max_segs: how many segments each chunk has room for
 * @depth: number of @chunks
 * @chunks: a ring
 */
struct dma_buf_transfer_job {
	struct dma_buf *dmabuf;
	const struct dma_buf_pages *pages;
	struct file *file;
	bool to_file;
	bool may_copy;
	int iocb_flags;
	loff_t delta;
	size_t start;
	size_t pos;
	size_t direct;
	size_t direct_end;
	size_t end;
	size_t expected;
	struct dma_fence *fence;
	refcount_t refs;
	struct work_struct work;
	unsigned int first_left;
	unsigned int end_left;
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
	struct dma_buf_transfer_job *job = chunk->job;

	/* vfs_iocb_iter_write() leaves that to the completion. */
	if (iocb->ki_flags & IOCB_WRITE)
		kiocb_end_write(iocb);
	chunk->ret = ret;
	/* Without an out-fence, the end of the chunk may be that of the job. */
	complete(&chunk->done);
	if (job && refcount_dec_and_test(&job->refs))
		dma_buf_transfer_fence_queue(&job->work);
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
	if (direct && (job->depth > 1 || job->fence))
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

	chunk->expected = pos < job->expected ?
			  min(chunk->bytes, job->expected - pos) : 0;
	chunk->job = job->fence ? job : NULL;
	if (job->fence)
		refcount_inc(&job->refs);

	init_completion(&chunk->done);
	if (chunk->bytes)
		ret = dma_buf_transfer_issue(job, chunk, pos, direct);

	chunk->queued = ret == -EIOCBQUEUED;
	if (chunk->queued)
		return chunk->bytes;
	/* Not the last reference: the call has one. */
	if (job->fence)
		refcount_dec(&job->refs);
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
 * Leave chunks to complete after the call. All of the job was submitted. Say so
 * to watchers of the file, for which memory is allocated, before the fence is
 * seen.
 */
static void dma_buf_transfer_leave(struct dma_buf_transfer_job *job,
				   unsigned int first, unsigned int end)
{
	if (job->to_file)
		fsnotify_modify(job->file);
	else
		fsnotify_access(job->file);
	job->first_left = first;
	job->end_left = end;
	job->pos = job->expected;
}

/*
 * Move the bytes from job->pos to @end, and advance job->pos by those moved, or
 * under way to an out-fence.
 *
 * Return: 0, also if the file moved less; the error of the first chunk that
 * failed; -EINTR after a fatal signal; -ENODEV when the buffer was revoked.
 */
static int dma_buf_transfer_span(struct dma_buf_transfer_job *job, size_t end,
				 bool direct)
{
	unsigned int submitted = 0, reaped = 0;
	struct dma_buf_transfer_chunk *chunk;
	size_t next = job->pos, bytes;
	bool counting = true, whole = direct;
	int ret = 0;
	long moved;

	for (;;) {
		while (next < end && submitted - reaped < job->depth) {
			if (fatal_signal_pending(current))
				ret = -EINTR;
			else if (dma_buf_is_revoked(job->dmabuf))
				ret = -ENODEV;
			if (ret) {
				end = next;
				break;
			}
			chunk = &job->chunks[submitted++ % job->depth];
			bytes = dma_buf_transfer_submit(job, chunk, next, end,
							direct);
			next += bytes;
			if (!bytes) {
				end = next;
				whole = false;
			}
			cond_resched();
		}
		if (job->fence && next == end && whole && !ret) {
			dma_buf_transfer_leave(job, reaped, submitted);
			return 0;
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
			whole = false;
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

/* -- a job ----------------------------------------------------------------- */

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
	/* With an out-fence it stays for as long as storage takes. */
	gfp_t gfp = plan->fence ? GFP_KERNEL_ACCOUNT : GFP_KERNEL;
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
	job = kvmalloc(size + array3_size(depth, max_segs, sizeof(*segs)), gfp);
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

static int dma_buf_transfer_begin(struct dma_buf_transfer_job *job,
				  enum dma_buf_cpu_wait wait)
{
	return dma_buf_cpu_begin_copy(job->dmabuf, job->to_file ?
				      DMA_FROM_DEVICE : DMA_TO_DEVICE,
				      job->start, job->end - job->start, wait);
}

static int dma_buf_transfer_end(struct dma_buf_transfer_job *job)
{
	return dma_buf_cpu_end_copy(job->dmabuf, job->to_file ?
				    DMA_FROM_DEVICE : DMA_TO_DEVICE,
				    job->start, job->end - job->start);
}

/* -- the out-fence --------------------------------------------------------- */

/* What became of the chunks that were left: 0 or a negative errno. */
static int dma_buf_transfer_settle(struct dma_buf_transfer_job *job)
{
	struct dma_buf_transfer_chunk *chunk;
	unsigned int i;
	int ret = 0;

	for (i = job->first_left; i != job->end_left; i++) {
		chunk = &job->chunks[i % job->depth];
		if (!job->to_file)
			dma_buf_transfer_flush(chunk);
		if (!ret && chunk->ret < 0)
			ret = chunk->ret;
		else if (!ret && chunk->ret < chunk->expected)
			ret = -EIO;
	}
	return ret;
}

/* The last reference to the job has gone. */
static void dma_buf_transfer_finish(struct dma_buf_transfer_job *job)
{
	bool cookie = dma_fence_begin_signalling();
	int ret, err;

	ret = dma_buf_transfer_settle(job);
	err = dma_buf_transfer_end(job);
	/* First, as a program that sees the signal may unmount. */
	fput(job->file);
	dma_buf_transfer_fence_signal(job->fence, ret ?: err);
	dma_fence_end_signalling(cookie);

	dma_fence_put(job->fence);
	fput(job->dmabuf->file);
	kvfree(job);
}

static void dma_buf_transfer_work(struct work_struct *work)
{
	dma_buf_transfer_finish(container_of(work, struct dma_buf_transfer_job,
					     work));
}

/*
 * Make the fence of a job seen, and drop the reference of the call to the job.
 *
 * In this order the signal depends on the storage alone. With the reference, it
 * would depend on when this task runs again after the unlock. What has
 * completed before is not published: the bytes are there.
 */
static void dma_buf_transfer_publish(struct dma_buf_transfer_job *job,
				     struct dma_fence *fence)
{
	enum dma_resv_usage usage = job->to_file ? DMA_RESV_USAGE_READ :
						   DMA_RESV_USAGE_WRITE;
	struct dma_resv *resv = job->dmabuf->resv;
	bool last;
	int err;

	dma_resv_lock(resv, NULL);
	err = dma_resv_reserve_fences(resv, 1);
	last = refcount_dec_and_test(&job->refs);
	if (!last)
		dma_buf_transfer_fence_start(fence);
	if (!last && !err)
		dma_resv_add_fence(resv, fence, usage);
	dma_resv_unlock(resv);

	if (last)
		dma_buf_transfer_finish(job);
	else if (err)
		/* Others cannot wait, so this call does. */
		dma_fence_wait(fence, false);
}

/* Run a job whose access has begun, and which ends by itself. */
static ssize_t dma_buf_transfer_run_fenced(struct dma_buf_transfer_job *job)
{
	struct dma_fence *fence = job->fence;
	ssize_t moved;
	int ret;

	dma_fence_get(fence);
	get_file(job->file);
	get_file(job->dmabuf->file);
	refcount_set(&job->refs, 1);
	INIT_WORK(&job->work, dma_buf_transfer_work);

	ret = dma_buf_transfer_spans(job);
	moved = job->pos - job->start;
	if (moved)
		dma_buf_transfer_publish(job, fence);
	else if (refcount_dec_and_test(&job->refs))
		dma_buf_transfer_finish(job);
	return moved ?: ret;
}

/* -- one call -------------------------------------------------------------- */

static ssize_t dma_buf_transfer_run(const struct dma_buf_transfer_job *plan,
				    enum dma_buf_cpu_wait wait)
{
	struct dma_buf_transfer_job *job;
	ssize_t moved;
	int ret, err;

	job = dma_buf_transfer_alloc(plan);
	if (!job)
		return -ENOMEM;

	ret = dma_buf_transfer_begin(job, wait);
	if (!ret && job->fence)
		return dma_buf_transfer_run_fenced(job);
	if (!ret) {
		ret = dma_buf_transfer_spans(job);
		err = dma_buf_transfer_end(job);
		ret = ret ?: err;
	}
	moved = job->pos - job->start;
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
	/* A buffer would wait for its fences while others wait for these. */
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
	    !is_power_of_2(direction))
		return -EINVAL;
	if ((args->in_fence && !(args->flags & DMA_BUF_TRANSFER_IN_FENCE)) ||
	    (args->out_fence && !(args->flags & DMA_BUF_TRANSFER_OUT_FENCE)))
		return -EINVAL;
	if (check_add_overflow(args->file_offset, args->length, &end) ||
	    end > LLONG_MAX)
		return -EINVAL;
	return 0;
}

/*
 * Shorten a job with an out-fence to what the file has. Beyond that a chunk
 * would be short, which the fence takes for an error.
 */
static void dma_buf_transfer_set_expected(struct dma_buf_transfer_job *job)
{
	loff_t size = i_size_read(job->file->f_mapping->host);
	loff_t at = job->pos + job->delta;
	size_t bytes;

	/* Writing there is an error of the disk, which it tells at once. */
	if (job->to_file && at >= size)
		return;
	bytes = clamp(size - at, 0, (loff_t)(job->end - job->pos));
	job->expected = job->pos + bytes;
	/* A file system that does not tell its blocks has them, too. */
	bytes = round_up(bytes, max_t(size_t, job->block, PAGE_SIZE));
	job->end = min(job->end, job->pos + bytes);
	job->direct_end = job->end;
}

/*
 * Make a job, for dma_buf_transfer_alloc() to copy, of checked arguments.
 *
 * Return: 0, -EINVAL if the job has to be direct and cannot be.
 */
static int dma_buf_transfer_plan(struct dma_buf_transfer_job *job,
				 const struct dma_buf_transfer *args,
				 size_t length)
{
	job->pages = job->dmabuf->ops->pages(job->dmabuf);
	job->delta = args->file_offset - args->offset;
	job->start = args->offset;
	job->pos = args->offset;
	job->end = args->offset + length;
	job->expected = job->end;
	job->may_copy = !(args->flags & DMA_BUF_TRANSFER_DIRECT || job->fence ||
			  job->iocb_flags & IOCB_DIRECT);
	dma_buf_transfer_set_direct(job);
	if (!job->may_copy &&
	    (job->direct > job->pos || job->direct_end < job->end))
		return -EINVAL;
	if (job->fence)
		dma_buf_transfer_set_expected(job);
	return 0;
}

/* Wait for the in-fence, whatever its error. */
static int dma_buf_transfer_wait(struct dma_buf *dmabuf,
				 struct dma_fence *fence,
				 enum dma_buf_cpu_wait wait)
{
	long left;

	if (wait == DMA_BUF_CPU_WAIT_FENCES) {
		left = dma_buf_wait_fence(dmabuf, fence, true,
					  MAX_SCHEDULE_TIMEOUT);
		return min(left, 0L);
	}
	/* Some drivers find out only when they are asked to tell. */
	dma_fence_enable_sw_signaling(fence);
	return dma_fence_is_signaled(fence) ? 0 : -EAGAIN;
}

/* Carry out checked arguments. */
static ssize_t dma_buf_transfer_move(struct dma_buf_transfer_job *job,
				     const struct dma_buf_transfer *args,
				     enum dma_buf_cpu_wait wait)
{
	struct file *buffer = job->dmabuf->file;
	loff_t pos = args->offset;
	ssize_t ret;
	u64 length;

	length = min3(args->length, (u64)(job->dmabuf->size - args->offset),
		      (u64)MAX_RW_COUNT);
	length = dma_buf_transfer_limit(job, args->file_offset, length);
	ret = rw_verify_area(job->to_file ? READ : WRITE, buffer, &pos, length);
	if (ret)
		return ret;
	ret = dma_buf_transfer_plan(job, args, length);
	if (ret || job->end == job->start)
		return ret;

	/* Not to be taken for zeroed when the exporter gets it back. */
	if (!job->to_file)
		WRITE_ONCE(job->dmabuf->ops->pages(job->dmabuf)->exposed, true);
	ret = dma_buf_transfer_run(job, wait);
	if (ret <= 0)
		return ret;

	add_rchar(current, ret);
	add_wchar(current, ret);
	if (job->to_file)
		fsnotify_access(buffer);
	else
		fsnotify_modify(buffer);
	return ret;
}

/**
 * dma_buf_transfer_file - move bytes between a file and a buffer
 * @buffer: file of the buffer
 * @file: the file
 * @args: what to do; &dma_buf_transfer.fd and the two fences are ignored
 * @fences: the fences that @args ask for, or NULL
 *
 * The caller has references to both files and to the fences until this returns.
 *
 * Context: Process context of the caller of a system call, or a worker thread
 * of its io_uring; without the reservation lock. May sleep.
 * Return: number of bytes; with &dma_buf_transfer_fences.out, of those that
 * were moved or are under way. The errors of &struct dma_buf_transfer, with
 * -ERESTARTSYS when a signal ended the wait for fences, and -EINTR when a fatal
 * one came before anything was moved.
 */
ssize_t dma_buf_transfer_file(struct file *buffer, struct file *file,
			      const struct dma_buf_transfer *args,
			      const struct dma_buf_transfer_fences *fences)
{
	bool to_file = args->flags & DMA_BUF_TRANSFER_TO_FILE;
	enum dma_buf_cpu_wait wait = DMA_BUF_CPU_WAIT_FENCES;
	struct dma_buf_transfer_job job = {
		.dmabuf = buffer->private_data, .file = file,
		.to_file = to_file, .fence = fences ? fences->out : NULL,
		.iocb_flags = READ_ONCE(file->f_iocb_flags),
	};
	ssize_t ret;

	ret = dma_buf_transfer_check(args);
	if (ret)
		return ret;
	ret = dma_buf_transfer_check_files(buffer, file, to_file);
	if (ret)
		return ret;
	if (!job.dmabuf->ops->pages)
		return -EOPNOTSUPP;
	if (job.fence && !dma_buf_transfer_fence_allowed(file, to_file))
		return -EOPNOTSUPP;
	if (!args->length)
		return 0;
	if (args->offset >= job.dmabuf->size)
		return to_file ? 0 : -ENOSPC;

	if (args->flags & DMA_BUF_TRANSFER_NOWAIT ||
	    buffer->f_flags & O_NONBLOCK)
		wait = DMA_BUF_CPU_WAIT_LOCKS;
	if (fences && fences->in)
		ret = dma_buf_transfer_wait(job.dmabuf, fences->in, wait);
	if (ret)
		return ret;
	return dma_buf_transfer_move(&job, args, wait);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_transfer_file);

static long dma_buf_transfer_call(struct file *buffer,
				  const struct dma_buf_transfer *args,
				  const struct dma_buf_transfer_fences *fences)
{
	struct file *file = fget(args->fd);
	long ret;

	if (!file)
		return -EBADF;
	ret = dma_buf_transfer_file(buffer, file, args, fences);
	fput(file);
	return ret;
}

/* A call with an out-fence. Its descriptor is told before a byte has moved. */
static long dma_buf_transfer_call_out(struct ioctl_call *call,
				      struct dma_buf_transfer *args,
				      struct dma_buf_transfer_fences *fences)
{
	struct sync_file *sync_file;
	long ret;

	if (!IS_ENABLED(CONFIG_DMABUF_TRANSFER_FENCE))
		return -EOPNOTSUPP;

	CLASS(get_unused_fd, fd)(O_CLOEXEC);
	if (fd < 0)
		return fd;
	fences->out = dma_buf_transfer_fence_alloc();
	if (!fences->out)
		return -ENOMEM;
	sync_file = sync_file_create(fences->out);
	dma_fence_put(fences->out);
	if (!sync_file)
		return -ENOMEM;

	args->out_fence = fd;
	ret = ioctl_call_reply(call);
	if (!ret)
		ret = dma_buf_transfer_call(call->file, args, fences);
	if (ret > 0)
		fd_install(take_fd(fd), sync_file->file);
	else
		fput(sync_file->file);
	return ret;
}

/**
 * dma_buf_transfer_ioctl - carry out DMA_BUF_IOCTL_TRANSFER
 * @call: the call
 * @args: &struct dma_buf_transfer
 *
 * Context: Process context. May sleep.
 * Return: as dma_buf_transfer_file(); -EBADF if the descriptor is not open;
 * -EINVAL if the in-fence is no sync file; -EMFILE and -ENOMEM for the
 * descriptor of the out-fence; -EFAULT if that cannot be told.
 */
long dma_buf_transfer_ioctl(struct ioctl_call *call, void *args)
{
	struct dma_buf_transfer_fences fences = { };
	struct dma_buf_transfer *transfer = args;
	long ret;

	ret = dma_buf_transfer_check(transfer);
	if (ret)
		return ret;
	if (!(transfer->flags & DMA_BUF_TRANSFER_FENCES))
		return dma_buf_transfer_call(call->file, transfer, NULL);
	if (!IS_ENABLED(CONFIG_SYNC_FILE))
		return -EOPNOTSUPP;

	if (transfer->flags & DMA_BUF_TRANSFER_IN_FENCE) {
		fences.in = sync_file_get_fence(transfer->in_fence);
		if (!fences.in)
			return -EINVAL;
	}
	if (transfer->flags & DMA_BUF_TRANSFER_OUT_FENCE)
		ret = dma_buf_transfer_call_out(call, transfer, &fences);
	else
		ret = dma_buf_transfer_call(call->file, transfer, &fences);
	dma_fence_put(fences.in);
	return ret;
}
