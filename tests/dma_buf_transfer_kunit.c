// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-transfer.c: what a transfer answers, by exporter, state of
 * the fences, file and flags; which part of it is direct I/O; and what is
 * counted when requests complete in another order, short, or not at all.
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
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/stat.h>

#include <uapi/linux/dma-buf.h>

#include "../dma-buf-private.h"
#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_transfer.h"
#include "mock_user.h"

#define TRANSFER_PAGES	5
#define TRANSFER_SIZE	(TRANSFER_PAGES * PAGE_SIZE)

static const struct file_operations transfer_silent_fops = {
};

/* -- which part is direct -------------------------------------------------- */

struct transfer_part_case {
	const char *desc;
	u32 flags;
	unsigned int f_flags;
	u64 file_offset;
	u64 offset;
	u64 length;
	ssize_t expect;
	size_t direct;
	/* Of the file: the mock's own unless @set. */
	bool set;
	bool cannot;
	bool silent;
	u32 memory;
	u32 block;
	int refuses;
	loff_t size;
};

static const struct transfer_part_case transfer_part_cases[] = {
	{ "all of it is direct", FROM, 0, 512, 0, TRANSFER_SIZE,
	  TRANSFER_SIZE, TRANSFER_SIZE },
	{ "all of it is direct, to the file", TO, 0, 512, 0, TRANSFER_SIZE,
	  TRANSFER_SIZE, TRANSFER_SIZE },
	{ "all of it is direct if that is demanded", FROM | DIRECT, 0, 0, 512,
	  1024, 1024, 1024 },
	{ "a tail is copied", FROM, 0, 1024, 512, 1000, 1000, 512 },
	{ "a tail is copied to the file", TO, 0, 1024, 512, 1000, 1000, 512 },
	{ "a tail is refused if direct is demanded",
	  FROM | DIRECT, 0, 1024, 512, 1000, -EINVAL, 0 },
	{ "a tail is refused with O_DIRECT",
	  TO, O_DIRECT, 1024, 512, 1000, -EINVAL, 0 },
	{ "a head is copied", FROM, 0, 100, 100, 1436, 1436, 1024 },
	{ "a head and a tail are copied", TO, 0, 100, 100, 1000, 1000, 512 },
	{ "a head is refused with O_DIRECT",
	  FROM, O_DIRECT, 100, 100, 1436, -EINVAL, 0 },
	{ "less than a block is copied", FROM, 0, 0, 0, 511, 511, 0 },
	{ "a head that is all is copied", FROM, 0, 1, 1, 511, 511, 0 },
	{ "all of it is copied if misaligned", FROM, 0, 1, 0, 8192, 8192, 0 },
	{ "all of it is copied if misaligned, to the file",
	  TO, 0, 0, 2, 8192, 8192, 0 },
	{ "misaligned is refused if direct is demanded",
	  TO | DIRECT, 0, 0, 2, 8192, -EINVAL, 0 },
	{ "misaligned is refused with O_DIRECT",
	  FROM, O_DIRECT, 1, 0, 8192, -EINVAL, 0 },
	{ "an address between blocks is direct within a page",
	  FROM, 0, 0, 4, 1024, 1024, 1024 },
	{ "a block of more than a page is copied unless runs are whole",
	  FROM, 0, 0, 4, 2 * SZ_8M, TRANSFER_SIZE - 4, 0,
	  .set = true, .memory = 4, .block = SZ_8M },
	{ "an alignment that is no power of two is not tried",
	  FROM, 0, 0, 0, 6000, 6000, 0,
	  .set = true, .memory = 4, .block = 600 },
	{ "a file without direct I/O copies", FROM, 0, 0, 0, 4096, 4096, 0,
	  .set = true, .cannot = true, .silent = true },
	{ "a file without direct I/O cannot be made to",
	  FROM | DIRECT, 0, 0, 0, 4096, -EINVAL, 0,
	  .set = true, .cannot = true, .silent = true },
	{ "a file that tells of no direct I/O copies",
	  FROM, 0, 0, 0, 4096, 4096, 0, .set = true },
	{ "a file that tells of no direct I/O cannot be made to",
	  TO | DIRECT, 0, 0, 0, 4096, -EINVAL, 0, .set = true },
	{ "a file that tells of no direct I/O may be opened for it",
	  TO, O_DIRECT, 3, 0, 4096, 4096, 4096, .set = true },
	{ "a file that tells nothing is tried",
	  FROM | DIRECT, 0, 1, 3, 4097, 4097, 4097,
	  .set = true, .silent = true },
	{ "a file that refuses copies", FROM, 0, 0, 0, 4096, 4096, 0,
	  .set = true, .silent = true, .refuses = -EINVAL },
	{ "a file that falls back copies", TO, 0, 0, 0, 4096, 4096, 0,
	  .set = true, .silent = true, .refuses = -ENOTBLK },
	{ "a file that refuses cannot be made to",
	  TO | DIRECT, 0, 0, 0, 4096, -EINVAL, 0,
	  .set = true, .silent = true, .refuses = -EINVAL },
	{ "a file that falls back cannot be made not to",
	  FROM, O_DIRECT, 0, 0, 4096, -EINVAL, 0,
	  .set = true, .silent = true, .refuses = -ENOTBLK },
	{ "another error is the answer", FROM, 0, 0, 0, 4096, -EIO, 0,
	  .set = true, .silent = true, .refuses = -EIO },
	{ "a short file ends a direct read", FROM, 0, 0, 512, 8192, 1000, 1000,
	  .set = true, .memory = 4, .block = 512, .size = 1000 },
	{ "a short file ends a copy", FROM, 0, 1, 512, 8192, 999, 0,
	  .set = true, .memory = 4, .block = 512, .size = 1000 },
	{ "a short file ends a head", FROM, 0, 512 + 8, 8, 8192, 480, 0,
	  .set = true, .memory = 4, .block = 512, .size = 1000 },
	{ "nothing at the end of a file", FROM, 0, 1024, 0, 8192, 0, 0,
	  .set = true, .memory = 4, .block = 512, .size = 1000 },
	{ "an append is one request after the other",
	  TO, O_APPEND, 0, 0, 4096, 4096, 4096 },
	{ "the buffer's end cuts", FROM, 0, 512, 2 * PAGE_SIZE, SZ_1G,
	  3 * PAGE_SIZE, 3 * PAGE_SIZE },
	{ "the buffer's end cuts, to the file", TO, 0, 512, 2 * PAGE_SIZE,
	  SZ_1G, 3 * PAGE_SIZE, 3 * PAGE_SIZE },
	{ "no room at the end of the buffer", FROM, 0, 0, TRANSFER_SIZE, 1,
	  -ENOSPC, 0 },
	{ "nothing at the end of the buffer", TO, 0, 0, TRANSFER_SIZE, 1, 0, 0 },
	{ "no room far behind it", FROM, 0, 0, U64_MAX, 1, -ENOSPC, 0 },
	{ "nothing far behind it", TO, 0, 0, U64_MAX, 1, 0, 0 },
	{ "nothing asked for", FROM, 0, 0, TRANSFER_SIZE, 0, 0, 0 },
};

KUNIT_ARRAY_PARAM_DESC(transfer_part, transfer_part_cases, desc);

static void dma_buf_transfer_test_part(struct kunit *test)
{
	const struct transfer_part_case *param = test->param_value;
	struct transfer_buffer *buffer = transfer_new(test, TRANSFER_SIZE);
	struct transfer_mock *mock = transfer_mock(test);

	transfer_mock_set_flags(mock, param->f_flags);
	if (param->set) {
		mock->tells = !param->silent;
		mock->memory = param->memory;
		mock->block = param->block;
		mock->refuses = param->refuses;
		mock->size = param->size ?: LLONG_MAX;
	}
	if (param->cannot)
		mock->file->f_mode &= ~FMODE_CAN_ODIRECT;

	KUNIT_EXPECT_EQ(test, param->expect,
			transfer_checked(test, buffer, mock, param->flags,
					 param->file_offset, param->offset,
					 param->length));
	KUNIT_EXPECT_EQ(test, param->direct, mock->direct);
	KUNIT_EXPECT_EQ(test, max_t(ssize_t, param->expect, 0),
			mock->direct + mock->copied);
	if (buffer->begun)
		KUNIT_EXPECT_EQ(test, param->flags & TO ? DMA_FROM_DEVICE :
							  DMA_TO_DEVICE,
				buffer->dir);
}

/* -- refusals -------------------------------------------------------------- */

struct transfer_refusal_case {
	const char *desc;
	struct dma_buf_transfer args;
	int expect;
	fmode_t buffer_lacks;
	fmode_t file_lacks;
};

static const struct transfer_refusal_case transfer_refusal_cases[] = {
	{ "no direction", { .length = 1 }, -EINVAL },
	{ "both directions", { .flags = FROM | TO, .length = 1 }, -EINVAL },
	{ "an unknown flag", { .flags = FROM | 64, .length = 1 }, -EINVAL },
	{ "the highest flag", { .flags = TO | BIT(31), .length = 1 }, -EINVAL },
	{ "an in-fence without its flag",
	  { .flags = TO, .length = 1, .in_fence = 1 }, -EINVAL },
	{ "an out-fence without its flag",
	  { .flags = TO, .length = 1, .out_fence = -1 }, -EINVAL },
	{ "a position below zero",
	  { .flags = FROM, .file_offset = BIT_ULL(63), .length = 1 }, -EINVAL },
	{ "a range that ends below zero",
	  { .flags = FROM, .file_offset = LLONG_MAX, .length = 1 }, -EINVAL },
	{ "a range that wraps",
	  { .flags = FROM, .file_offset = 2, .length = U64_MAX }, -EINVAL },
	{ "a length below zero",
	  { .flags = TO, .length = BIT_ULL(63) }, -EINVAL },
	{ "a buffer that cannot be written",
	  { .flags = FROM, .length = 1 }, -EBADF, FMODE_WRITE, 0 },
	{ "a buffer that cannot be read",
	  { .flags = TO, .length = 1 }, -EBADF, FMODE_READ, 0 },
	{ "a file that cannot be read",
	  { .flags = FROM, .length = 1 }, -EBADF, 0, FMODE_READ },
	{ "a file that cannot be written",
	  { .flags = TO, .length = 1 }, -EBADF, 0, FMODE_WRITE },
	{ "a file without positions",
	  { .flags = FROM, .length = 1 }, -ESPIPE, 0, FMODE_PREAD },
	{ "a file without positions, to write",
	  { .flags = TO, .length = 1 }, -ESPIPE, 0, FMODE_PWRITE },
};

KUNIT_ARRAY_PARAM_DESC(transfer_refusal, transfer_refusal_cases, desc);

static void dma_buf_transfer_test_refusal(struct kunit *test)
{
	const struct transfer_refusal_case *param = test->param_value;
	struct transfer_buffer *buffer = transfer_new(test, TRANSFER_SIZE);
	struct transfer_mock *mock = transfer_mock(test);

	buffer->dmabuf->file->f_mode &= ~param->buffer_lacks;
	mock->file->f_mode &= ~param->file_lacks;
	KUNIT_EXPECT_EQ(test, param->expect,
			dma_buf_transfer_file(buffer->dmabuf->file, mock->file,
					      &param->args, NULL));
	KUNIT_EXPECT_EQ(test, 0, mock->nr_requests);
	KUNIT_EXPECT_EQ(test, 0, buffer->begun);
	/* What the end of the files looks at. */
	mock->file->f_mode |= param->file_lacks;
	buffer->dmabuf->file->f_mode |= param->buffer_lacks;
}

static ssize_t transfer_files(struct file *buffer, struct file *file, u32 flags)
{
	const struct dma_buf_transfer args = { .flags = flags, .length = 1 };

	return dma_buf_transfer_file(buffer, file, &args, NULL);
}

/* Files of other kinds, and exporters without pages. */
static void dma_buf_transfer_test_kind(struct kunit *test)
{
	const struct mock_exporter_params params = { };
	struct transfer_buffer *buffer = transfer_new(test, TRANSFER_SIZE);
	struct dma_buf *dmabuf = mock_exporter_create(test, &params);
	struct transfer_mock *mock = transfer_mock(test);
	struct file *file = buffer->dmabuf->file, *odd;

	KUNIT_EXPECT_EQ(test, -EINVAL, transfer_files(file, file, TO));
	KUNIT_EXPECT_EQ(test, -EINVAL, transfer_files(file, file, FROM));
	KUNIT_EXPECT_EQ(test, -EINVAL, transfer_files(file, dmabuf->file, TO));

	odd = anon_inode_getfile("transfer", &transfer_fops, mock, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, odd);
	odd->f_mode |= FMODE_PREAD | FMODE_PWRITE;
	KUNIT_EXPECT_EQ(test, -EINVAL, transfer_files(file, odd, FROM));
	KUNIT_EXPECT_EQ(test, -EINVAL, transfer_files(file, odd, TO));
	fput(odd);

	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			transfer_files(dmabuf->file, mock->file, FROM));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			transfer_files(dmabuf->file, mock->file, TO));

	mock->file->f_op = &transfer_silent_fops;
	KUNIT_EXPECT_EQ(test, -EINVAL, transfer_files(file, mock->file, FROM));
	KUNIT_EXPECT_EQ(test, -EINVAL, transfer_files(file, mock->file, TO));
	KUNIT_EXPECT_EQ(test, 0, mock->nr_requests);
	dma_buf_put(dmabuf);
}

/* -- fences ---------------------------------------------------------------- */

struct transfer_fence_case {
	const char *desc;
	u32 flags;
	enum dma_resv_usage usage;
	bool signaled;
	unsigned int f_flags;		/* of the buffer */
	bool killed;
	ssize_t expect;
};

static const struct transfer_fence_case transfer_fence_cases[] = {
	{ "from a file, with a reader's fence",
	  FROM | NOWAIT, DMA_RESV_USAGE_READ, false, 0, false, -EAGAIN },
	{ "from a file, with a writer's fence and O_NONBLOCK",
	  FROM, DMA_RESV_USAGE_WRITE, false, O_NONBLOCK, false, -EAGAIN },
	{ "from a file, with a fence for bookkeeping",
	  FROM | NOWAIT, DMA_RESV_USAGE_BOOKKEEP, false, 0, false, 512 },
	{ "from a file, with a fence that has signaled",
	  FROM | NOWAIT, DMA_RESV_USAGE_WRITE, true, 0, false, 512 },
	{ "to a file, with a reader's fence",
	  TO | NOWAIT, DMA_RESV_USAGE_READ, false, 0, false, 512 },
	{ "to a file, with a writer's fence",
	  TO | NOWAIT, DMA_RESV_USAGE_WRITE, false, 0, false, -EAGAIN },
	{ "to a file, with a fence of the kernel and O_NONBLOCK",
	  TO, DMA_RESV_USAGE_KERNEL, false, O_NONBLOCK, false, -EAGAIN },
	{ "killed while it waits to write",
	  FROM, DMA_RESV_USAGE_READ, false, 0, true, -ERESTARTSYS },
	{ "killed while it waits to read",
	  TO, DMA_RESV_USAGE_WRITE, false, 0, true, -ERESTARTSYS },
	{ "killed before it starts",
	  TO, DMA_RESV_USAGE_WRITE, true, 0, true, -EINTR },
};

KUNIT_ARRAY_PARAM_DESC(transfer_fence, transfer_fence_cases, desc);

static void dma_buf_transfer_test_fence(struct kunit *test)
{
	const struct transfer_fence_case *param = test->param_value;
	struct transfer_buffer *buffer = transfer_new(test, TRANSFER_SIZE);
	struct dma_fence *fence;
	struct transfer_mock *mock = transfer_mock(test);
	struct dma_resv *resv = buffer->dmabuf->resv;

	fence = mock_fence_add(test, resv, param->usage);
	if (param->signaled)
		dma_fence_signal(fence);

	buffer->dmabuf->file->f_flags |= param->f_flags;
	if (param->killed)
		mock_user_kill();
	KUNIT_EXPECT_EQ(test, param->expect,
			transfer_checked(test, buffer, mock, param->flags, 0, 0,
					 512));
	if (param->killed)
		mock_user_revive();
	KUNIT_EXPECT_EQ(test, param->expect > 0 ? 1 : 0, mock->nr_requests);

	dma_fence_signal(fence);
	dma_fence_put(fence);
}

/*
 * The lock of the buffer is not held during I/O. Not held by the test, either:
 * lockdep would take the locks of the file to nest in it from then on.
 */
static void dma_buf_transfer_test_locked(struct kunit *test)
{
	struct transfer_buffer *buffer = transfer_new(test, TRANSFER_SIZE);
	struct transfer_mock *mock = transfer_mock(test);

	mock->resv = buffer->dmabuf->resv;
	KUNIT_EXPECT_EQ(test, 512,
			transfer_call(buffer, mock, TO, 0, 0, 512));
	KUNIT_EXPECT_EQ(test, 512,
			transfer_call(buffer, mock, FROM, 0, 0, 512));
	KUNIT_EXPECT_FALSE(test, mock->locked);
}

/* The storage does not get a page with a memory error. */
static void dma_buf_transfer_test_poison(struct kunit *test)
{
#if defined(CONFIG_MEMORY_FAILURE) && !defined(MODULE)
	struct transfer_buffer *buffer = transfer_new(test, TRANSFER_SIZE);
	struct transfer_mock *mock = transfer_mock(test);
	const u32 flags[] = { FROM, TO, FROM | DIRECT };
	struct page *page;
	int i;

	page = dma_buf_pages_page(buffer->dmabuf->ops->pages(buffer->dmabuf), 2);
	SetPageHWPoison(page);
	atomic_long_inc(&num_poisoned_pages);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		KUNIT_EXPECT_EQ(test, 2 * PAGE_SIZE - 512,
				transfer_call(buffer, mock, flags[i], 0, 512,
					      4 * PAGE_SIZE));
		KUNIT_EXPECT_EQ(test, -EIO,
				transfer_call(buffer, mock, flags[i], 0,
					      2 * PAGE_SIZE + 512, PAGE_SIZE));
		KUNIT_EXPECT_EQ(test, 2 * PAGE_SIZE,
				transfer_call(buffer, mock, flags[i], 0,
					      3 * PAGE_SIZE, 2 * PAGE_SIZE));
	}
	KUNIT_EXPECT_EQ(test, buffer->begun, buffer->ended);
	atomic_long_dec(&num_poisoned_pages);
	ClearPageHWPoison(page);
#else
	kunit_skip(test, "no memory errors");
#endif
}

/* -- many requests --------------------------------------------------------- */

#define CHUNK		SZ_4M
#define CHUNKS_SIZE	(9 * CHUNK + PAGE_SIZE)
#define CHUNKS_BYTES	(9 * CHUNK + 3 * SZ_512)

struct transfer_chunk_case {
	const char *desc;
	u32 flags;
	unsigned int f_flags;
	enum transfer_order order;
	int nth;
	long answer;
	int kill_at;
	ssize_t expect;
	int pending;
};

static const struct transfer_chunk_case transfer_chunk_cases[] = {
	{ "at once", FROM, 0, ORDER_AT_ONCE, -1, 0, -1, CHUNKS_BYTES, 0 },
	{ "later", FROM, 0, ORDER_FORWARD, -1, 0, -1, CHUNKS_BYTES, 8 },
	{ "last one first", FROM, 0, ORDER_BACKWARD, -1, 0, -1,
	  CHUNKS_BYTES, 8 },
	{ "out of order, to the file", TO, 0, ORDER_ODD_FIRST, -1, 0, -1,
	  CHUNKS_BYTES, 8 },
	{ "an append waits for each", TO, O_APPEND, ORDER_BACKWARD, -1, 0, -1,
	  CHUNKS_BYTES, 0 },
	{ "the third is short", FROM, 0, ORDER_BACKWARD, 2, CHUNK - SZ_512, -1,
	  3 * CHUNK - SZ_512, 8 },
	{ "the third is short at once", FROM, 0, ORDER_AT_ONCE, 2, 77, -1,
	  2 * CHUNK + 77, 0 },
	{ "the third is empty, to the file", TO, 0, ORDER_FORWARD, 2, 0, -1,
	  2 * CHUNK, 8 },
	{ "the third fails", TO, 0, ORDER_ODD_FIRST, 2, -EIO, -1,
	  2 * CHUNK, 8 },
	{ "the first fails", FROM, 0, ORDER_BACKWARD, 0, -ENOSPC, -1,
	  -ENOSPC, 8 },
	{ "the first is empty", FROM, 0, ORDER_BACKWARD, 0, 0, -1, 0, 8 },
	{ "the last fails", FROM, 0, ORDER_BACKWARD, 9, -EIO, -1,
	  9 * CHUNK, 8 },
	{ "the third is refused", FROM, 0, ORDER_BACKWARD, 2, -EINVAL, -1,
	  CHUNKS_BYTES, 8 },
	{ "the third is refused and must be direct",
	  FROM | DIRECT, 0, ORDER_BACKWARD, 2, -EINVAL, -1, 2 * CHUNK, 8 },
	{ "the first is refused and must be direct",
	  TO | DIRECT, 0, ORDER_FORWARD, 0, -ENOTBLK, -1, -EINVAL, 8 },
	{ "killed with the third", FROM, 0, ORDER_BACKWARD, -1, 0, 2,
	  3 * CHUNK, 3 },
	{ "killed with the last", TO, 0, ORDER_BACKWARD, -1, 0, 9,
	  CHUNKS_BYTES, 8 },
	{ "killed with the first, which fails", TO, 0, ORDER_BACKWARD,
	  0, -EIO, 0, -EIO, 1 },
};

KUNIT_ARRAY_PARAM_DESC(transfer_chunk, transfer_chunk_cases, desc);

static void dma_buf_transfer_test_chunk(struct kunit *test)
{
	const struct transfer_chunk_case *param = test->param_value;
	struct transfer_buffer *buffer = transfer_new(test, CHUNKS_SIZE);
	struct transfer_mock *mock = transfer_mock(test);

	transfer_mock_set_flags(mock, param->f_flags);
	mock->order = param->order;
	mock->nth = param->nth;
	mock->answer = param->answer;
	mock->awaits = param->pending;
	mock->kill_at = param->kill_at;
	KUNIT_EXPECT_EQ(test, param->expect,
			transfer_checked(test, buffer, mock, param->flags,
					 SZ_1M, 0, CHUNKS_BYTES));
	if (param->kill_at >= 0)
		mock_user_revive();
	KUNIT_EXPECT_EQ(test, param->pending, mock->max_pending);
	KUNIT_EXPECT_EQ(test, 1, buffer->begun);
}

/* -- the buffer's own answer ----------------------------------------------- */

static void dma_buf_transfer_test_statx(struct kunit *test)
{
	struct transfer_buffer *buffer = transfer_new(test, TRANSFER_SIZE);
	const struct path *path = &buffer->dmabuf->file->f_path;
	struct kstat stat;

	KUNIT_EXPECT_EQ(test, 0, vfs_getattr_nosec(path, &stat, STATX_DIOALIGN,
						   0));
	KUNIT_EXPECT_TRUE(test, stat.result_mask & STATX_DIOALIGN);
	KUNIT_EXPECT_EQ(test, 1, stat.dio_mem_align);
	KUNIT_EXPECT_EQ(test, 1, stat.dio_offset_align);
	KUNIT_EXPECT_EQ(test, TRANSFER_SIZE, stat.size);

	KUNIT_EXPECT_EQ(test, 0, vfs_getattr_nosec(path, &stat, STATX_SIZE, 0));
	KUNIT_EXPECT_FALSE(test, stat.result_mask & STATX_DIOALIGN);
	KUNIT_EXPECT_EQ(test, TRANSFER_SIZE, stat.size);
}

static struct kunit_case dma_buf_transfer_cases[] = {
	KUNIT_CASE_PARAM(dma_buf_transfer_test_part, transfer_part_gen_params),
	KUNIT_CASE_PARAM(dma_buf_transfer_test_refusal,
			 transfer_refusal_gen_params),
	KUNIT_CASE(dma_buf_transfer_test_kind),
	KUNIT_CASE_PARAM(dma_buf_transfer_test_fence, transfer_fence_gen_params),
	KUNIT_CASE(dma_buf_transfer_test_locked),
	KUNIT_CASE(dma_buf_transfer_test_poison),
	KUNIT_CASE_PARAM(dma_buf_transfer_test_chunk, transfer_chunk_gen_params),
	KUNIT_CASE(dma_buf_transfer_test_statx),
	{ }
};

static struct kunit_suite dma_buf_transfer_suite = {
	.name = "dma_buf_transfer",
	.test_cases = dma_buf_transfer_cases,
};

kunit_test_suite(dma_buf_transfer_suite);

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
