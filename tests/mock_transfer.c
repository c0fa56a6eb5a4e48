// SPDX-License-Identifier: GPL-2.0-only
/*
 * A file whose bytes are a function of their position, so that it needs no
 * memory, which answers direct requests at once or later; and a buffer whose
 * CPU access is counted.
 */
#include <kunit/test.h>

#include <linux/anon_inodes.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pages.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/shmem_fs.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/stat.h>
#include <linux/string.h>
#include <linux/uio.h>
#include <linux/workqueue.h>

#include <uapi/linux/dma-buf.h>

#include "../dma-buf-private.h"
#include "lab/sample.h"
#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_files.h"
#include "mock_transfer.h"
#include "mock_user.h"

/* -- bytes ----------------------------------------------------------------- */

/* Bytes are equal within a step, so that they can be set and found quickly. */
#define TRANSFER_STEP	64

static u8 transfer_byte(loff_t pos)
{
	return (pos / TRANSFER_STEP) * 31 + (pos >> 14) + 1;
}

static size_t transfer_step(loff_t pos, size_t bytes)
{
	return min_t(size_t, bytes, TRANSFER_STEP - pos % TRANSFER_STEP);
}

static void transfer_fill(u8 *mem, loff_t pos, size_t bytes)
{
	size_t step;

	for (; bytes; bytes -= step, pos += step, mem += step) {
		step = transfer_step(pos, bytes);
		memset(mem, transfer_byte(pos), step);
	}
}

static bool transfer_matches(const u8 *mem, loff_t pos, size_t bytes)
{
	size_t step;

	for (; bytes; bytes -= step, pos += step, mem += step) {
		step = transfer_step(pos, bytes);
		if (memchr_inv(mem, transfer_byte(pos), step))
			return false;
	}
	return true;
}

/**
 * transfer_buffer - set or compare bytes of a buffer with those of a file
 * @dmabuf: the buffer
 * @offset: of the first byte in it
 * @bytes: how many
 * @pos: of the first byte in the file
 * @fill: set them; otherwise compare
 *
 * Return: true unless a byte differs.
 */
bool transfer_buffer(struct dma_buf *dmabuf, size_t offset, size_t bytes,
		     loff_t pos, bool fill)
{
	struct dma_buf_pages *pages = dmabuf->ops->pages(dmabuf);
	size_t part;
	u8 *mem;

	for (; bytes; bytes -= part, pos += part, offset += part) {
		part = min(bytes, PAGE_SIZE - offset_in_page(offset));
		mem = page_address(dma_buf_pages_page(pages,
						      offset >> PAGE_SHIFT));
		mem += offset_in_page(offset);
		if (fill)
			transfer_fill(mem, pos, part);
		else if (!transfer_matches(mem, pos, part))
			return false;
	}
	return true;
}

/**
 * transfer_is_zero - test whether bytes of a buffer are zero
 * @dmabuf: the buffer
 * @offset: of the first byte
 * @end: of the range, exclusive
 */
bool transfer_is_zero(struct dma_buf *dmabuf, size_t offset, size_t end)
{
	struct dma_buf_pages *pages = dmabuf->ops->pages(dmabuf);
	size_t part;
	u8 *mem;

	for (; offset < end; offset += part) {
		part = min(end - offset, PAGE_SIZE - offset_in_page(offset));
		mem = page_address(dma_buf_pages_page(pages,
						      offset >> PAGE_SHIFT));
		if (memchr_inv(mem + offset_in_page(offset), 0, part))
			return false;
	}
	return true;
}

/* -- the mock file --------------------------------------------------------- */

static long transfer_move(struct transfer_mock *mock, struct kiocb *iocb,
			  struct iov_iter *iter, int index)
{
	size_t bytes = iov_iter_count(iter), done = 0, part;
	bool write = iov_iter_rw(iter) == WRITE;
	u8 *mem;

	if (index == mock->nth && mock->answer < 0)
		return mock->answer;
	if (index == mock->nth)
		bytes = min_t(size_t, bytes, mock->answer);
	if (!write)
		bytes = clamp(mock->size - iocb->ki_pos, 0, (loff_t)bytes);

	mem = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!mem)
		return -ENOMEM;
	for (; done < bytes; done += part) {
		part = min(bytes - done, PAGE_SIZE);
		if (write) {
			part = copy_from_iter(mem, part, iter);
			if (!transfer_matches(mem, iocb->ki_pos + done, part))
				mock->wrong = true;
		} else {
			transfer_fill(mem, iocb->ki_pos + done, part);
			part = copy_to_iter(mem, part, iter);
		}
	}
	kfree(mem);
	if (iocb->ki_flags & IOCB_DIRECT)
		mock->direct += done;
	else
		mock->copied += done;
	return done;
}

static void transfer_complete(struct transfer_mock *mock,
			      struct transfer_request *request)
{
	long ret = transfer_move(mock, request->iocb, &request->iter,
				 request->index);

	/* Interrupts are where most of them come from. */
	local_irq_disable();
	request->iocb->ki_complete(request->iocb, ret);
	local_irq_enable();
}

static void transfer_work(struct work_struct *work)
{
	struct transfer_mock *mock =
		container_of(work, struct transfer_mock, work.work);
	struct transfer_request *requests;
	int i, n;

	requests = kmalloc(sizeof(mock->pending), GFP_KERNEL | __GFP_NOFAIL);
	spin_lock(&mock->lock);
	n = mock->nr_pending;
	memcpy(requests, mock->pending, n * sizeof(*requests));
	mock->nr_pending = 0;
	spin_unlock(&mock->lock);

	for (i = 0; i < n; i++) {
		if (mock->order == ORDER_BACKWARD)
			transfer_complete(mock, &requests[n - 1 - i]);
		else if (mock->order == ORDER_FORWARD)
			transfer_complete(mock, &requests[i]);
		else if (i < n / 2)
			transfer_complete(mock, &requests[2 * i + 1]);
		else
			transfer_complete(mock, &requests[2 * (i - n / 2)]);
	}
	kfree(requests);
}

static bool transfer_is_aligned(const struct transfer_mock *mock,
				const struct kiocb *iocb,
				const struct iov_iter *iter)
{
	return IS_ALIGNED(iocb->ki_pos, mock->block) &&
	       iov_iter_is_aligned(iter, mock->memory - 1, mock->block - 1);
}

static ssize_t transfer_iter(struct kiocb *iocb, struct iov_iter *iter)
{
	struct transfer_mock *mock = iocb->ki_filp->private_data;
	int index = mock->nr_requests++;
	unsigned long delay;

	if (mock->resv && dma_resv_is_locked(mock->resv))
		mock->locked = true;
	if (index == mock->kill_at)
		mock_user_kill();
	if (iocb->ki_flags & IOCB_DIRECT) {
		if (mock->refuses)
			return mock->refuses;
		if (mock->tells && mock->block &&
		    !transfer_is_aligned(mock, iocb, iter))
			return -EINVAL;
	}
	if (is_sync_kiocb(iocb) || mock->order == ORDER_AT_ONCE)
		return transfer_move(mock, iocb, iter, index);

	/* Let as many pile up as there will be. */
	spin_lock(&mock->lock);
	mock->pending[mock->nr_pending++] = (struct transfer_request){
		.iocb = iocb, .iter = *iter, .index = index,
	};
	mock->max_pending = max(mock->max_pending, mock->nr_pending);
	delay = mock->max_pending < mock->awaits ? 10 * HZ :
		mock->nr_pending < mock->awaits ? 2 : 0;
	spin_unlock(&mock->lock);
	if (!mock->held)
		mod_delayed_work(system_wq, &mock->work, delay);
	return -EIOCBQUEUED;
}

const struct file_operations transfer_fops = {
	.read_iter = transfer_iter,
	.write_iter = transfer_iter,
};

static int transfer_getattr(struct mnt_idmap *idmap, const struct path *path,
			    struct kstat *stat, u32 request_mask,
			    unsigned int query_flags)
{
	const struct transfer_mock *mock = d_inode(path->dentry)->i_private;

	if (mock->tells && request_mask & STATX_DIOALIGN) {
		stat->result_mask |= STATX_DIOALIGN;
		stat->dio_mem_align = mock->memory;
		stat->dio_offset_align = mock->block;
	}
	return 0;
}

static const struct inode_operations transfer_iops = {
	.getattr = transfer_getattr,
};

static void transfer_mock_put(void *data)
{
	struct transfer_mock *mock = data;

	cancel_delayed_work_sync(&mock->work);
	fput(mock->file);
	mock_files_flush();
}

/**
 * transfer_mock - make a file
 * @test: it lives as long as this
 */
struct transfer_mock *transfer_mock(struct kunit *test)
{
	struct transfer_mock *mock = kunit_kzalloc(test, sizeof(*mock),
						   GFP_KERNEL);
	struct file *file;

	KUNIT_ASSERT_NOT_NULL(test, mock);
	file = shmem_file_setup("transfer", 0, VM_NORESERVE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	mock->file = file;
	mock->size = LLONG_MAX;
	mock->tells = true;
	mock->memory = 4;
	mock->block = SZ_512;
	mock->nth = -1;
	mock->kill_at = -1;
	spin_lock_init(&mock->lock);
	INIT_DELAYED_WORK(&mock->work, transfer_work);
	file_inode(file)->i_op = &transfer_iops;
	file_inode(file)->i_private = mock;
	file->f_op = &transfer_fops;
	file->f_mode |= FMODE_PREAD | FMODE_PWRITE | FMODE_CAN_ODIRECT;
	file->private_data = mock;
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, transfer_mock_put,
						  mock));
	return mock;
}

/**
 * transfer_mock_complete - complete the requests that are held
 * @mock: the file
 */
void transfer_mock_complete(struct transfer_mock *mock)
{
	mod_delayed_work(system_wq, &mock->work, 0);
	flush_delayed_work(&mock->work);
}

/**
 * transfer_mock_set_flags - as fcntl(2) with F_SETFL does
 * @mock: the file
 * @f_flags: to be added
 */
void transfer_mock_set_flags(struct transfer_mock *mock, unsigned int f_flags)
{
	mock->file->f_flags |= f_flags;
	mock->file->f_iocb_flags = iocb_flags(mock->file);
}

/* -- the buffer ------------------------------------------------------------ */

static struct transfer_buffer *to_transfer_buffer(struct dma_buf *dmabuf)
{
	return container_of(dmabuf->ops, struct transfer_buffer, ops);
}

static int transfer_begin(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	to_transfer_buffer(dmabuf)->begun++;
	to_transfer_buffer(dmabuf)->dir = dir;
	return to_transfer_buffer(dmabuf)->real->begin_cpu_access(dmabuf, dir);
}

static int transfer_end(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	to_transfer_buffer(dmabuf)->ended++;
	return to_transfer_buffer(dmabuf)->real->end_cpu_access(dmabuf, dir);
}

static void transfer_buffer_put(void *data)
{
	struct transfer_buffer *buffer = data;

	buffer->dmabuf->ops = buffer->real;
	dma_buf_put(buffer->dmabuf);
}

/**
 * transfer_new - make a buffer
 * @test: it lives as long as this
 * @size: in bytes, of whole pages
 */
struct transfer_buffer *transfer_new(struct kunit *test, size_t size)
{
	struct transfer_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer),
						       GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	buffer->dmabuf = dmabuf_lab_sample_create(size >> PAGE_SHIFT);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, buffer->dmabuf);
	buffer->real = buffer->dmabuf->ops;
	buffer->ops = *buffer->real;
	buffer->ops.begin_cpu_access = transfer_begin;
	buffer->ops.end_cpu_access = transfer_end;
	buffer->ops.begin_cpu_access_partial = NULL;
	buffer->ops.end_cpu_access_partial = NULL;
	buffer->dmabuf->ops = &buffer->ops;
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, transfer_buffer_put,
						  buffer));
	return buffer;
}

/**
 * transfer_call - make a call
 * @buffer: the buffer
 * @mock: the file
 * @flags: as &struct dma_buf_transfer has them
 * @file_offset: likewise
 * @offset: likewise
 * @length: likewise
 */
ssize_t transfer_call(struct transfer_buffer *buffer,
		      struct transfer_mock *mock, u32 flags, u64 file_offset,
		      u64 offset, u64 length)
{
	const struct dma_buf_transfer args = {
		.flags = flags, .file_offset = file_offset, .offset = offset,
		.length = length,
	};

	return dma_buf_transfer_file(buffer->dmabuf->file, mock->file, &args,
				     NULL);
}

/**
 * transfer_checked - make a call, and compare what it leaves with the answer
 * @test: gets the failures
 * @buffer: the buffer
 * @mock: the file
 * @flags: as &struct dma_buf_transfer has them
 * @file_offset: likewise
 * @offset: likewise
 * @length: likewise
 */
ssize_t transfer_checked(struct kunit *test, struct transfer_buffer *buffer,
			 struct transfer_mock *mock, u32 flags, u64 file_offset,
			 u64 offset, u64 length)
{
	struct dma_buf *dmabuf = buffer->dmabuf;
	size_t end = min_t(u64, offset + length, dmabuf->size);
	ssize_t ret;

	if (flags & TO && offset < end)
		transfer_buffer(dmabuf, offset, end - offset, file_offset,
				true);
	ret = transfer_call(buffer, mock, flags, file_offset, offset, length);
	KUNIT_EXPECT_FALSE(test, mock->wrong);
	KUNIT_EXPECT_EQ(test, 0, mock->nr_pending);
	KUNIT_EXPECT_EQ(test, buffer->begun, buffer->ended);
	if (flags & FROM && ret > 0)
		KUNIT_EXPECT_TRUE(test, transfer_buffer(dmabuf, offset, ret,
							file_offset, false));
	if (flags & FROM && offset <= dmabuf->size) {
		KUNIT_EXPECT_TRUE(test, transfer_is_zero(dmabuf, 0, offset));
		KUNIT_EXPECT_TRUE(test, transfer_is_zero(dmabuf, end,
							 dmabuf->size));
	}
	return ret;
}
