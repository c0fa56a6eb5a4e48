// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-transfer-fence.c: when the out-fence of a transfer is there
 * and when it signals, with which error, what others wait for meanwhile, and
 * what is held until the last request has completed.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>

#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/sizes.h>

#include <uapi/linux/dma-buf.h>

#include "../dma-buf-private.h"
#include "mock_fence.h"
#include "mock_transfer.h"
#include "mock_user.h"

#define CHUNK		SZ_4M
#define OUT_SIZE	(10 * CHUNK)
#define IN		DMA_BUF_TRANSFER_IN_FENCE
#define OUT		DMA_BUF_TRANSFER_OUT_FENCE

static bool transfer_allowed(struct file *file, bool to_file)
{
	return true;
}

static void transfer_allow(struct kunit *test)
{
	kunit_activate_static_stub(test, dma_buf_transfer_fence_allowed,
				   transfer_allowed);
}

static struct dma_fence *transfer_out(struct kunit *test)
{
	struct dma_fence *fence = dma_buf_transfer_fence_alloc();

	KUNIT_ASSERT_NOT_NULL(test, fence);
	return fence;
}

static ssize_t transfer_fenced(struct transfer_buffer *buffer,
			       struct transfer_mock *mock, u32 flags,
			       u64 length, struct dma_fence *in,
			       struct dma_fence *out)
{
	const struct dma_buf_transfer_fences fences = { .in = in, .out = out };
	const struct dma_buf_transfer args = {
		.flags = flags | (in ? IN : 0) | (out ? OUT : 0),
		.length = length,
	};

	return dma_buf_transfer_file(buffer->dmabuf->file, mock->file, &args,
				     &fences);
}

static bool transfer_is_idle(struct transfer_buffer *buffer, bool write)
{
	return dma_resv_test_signaled(buffer->dmabuf->resv,
				      dma_resv_usage_rw(write));
}

/* The work that follows the signal drops the references to both files. */
static void transfer_wait_for_files(struct kunit *test,
				    struct transfer_buffer *buffer,
				    struct transfer_mock *mock)
{
	int i;

	for (i = 0; i < 500; i++) {
		if (file_count(buffer->dmabuf->file) == 1 &&
		    file_count(mock->file) == 1)
			return;
		msleep(20);
	}
	KUNIT_FAIL(test, "a reference to a file is left");
}

/* -- out-fences ------------------------------------------------------------ */

struct transfer_out_case {
	const char *desc;
	u32 flags;
	int chunks;
	enum transfer_order order;
	bool held;
	int nth;
	long answer;
	int kill_at;
	loff_t left;		/* how much the file has, or 0: enough */
	ssize_t expect;
	int error;
	bool never;		/* the fence is not published */
};

static const struct transfer_out_case transfer_out_cases[] = {
	{ "from the file", FROM, 3, ORDER_FORWARD, true, -1, 0, -1, 0,
	  3 * CHUNK },
	{ "to the file", TO, 3, ORDER_FORWARD, true, -1, 0, -1, 0, 3 * CHUNK },
	{ "one chunk", FROM, 1, ORDER_FORWARD, true, -1, 0, -1, 0, CHUNK },
	{ "as many as can be in flight", TO, 8, ORDER_BACKWARD, true, -1, 0, -1,
	  0, 8 * CHUNK },
	{ "more than can be in flight", FROM, 10, ORDER_ODD_FIRST, false, -1, 0,
	  -1, 0, 10 * CHUNK },
	{ "at once", FROM, 3, ORDER_AT_ONCE, false, -1, 0, -1, 0, 3 * CHUNK },
	{ "the last fails later", FROM, 3, ORDER_FORWARD, true, 2, -EIO, -1, 0,
	  3 * CHUNK, -EIO },
	{ "the first fails later", TO, 3, ORDER_BACKWARD, true, 0, -ENOSPC, -1,
	  0, 3 * CHUNK, -ENOSPC },
	{ "the second is short later", FROM, 3, ORDER_FORWARD, true, 1,
	  CHUNK - SZ_512, -1, 0, 3 * CHUNK, -EIO },
	{ "the last is empty later", TO, 3, ORDER_FORWARD, true, 2, 0, -1, 0,
	  3 * CHUNK, -EIO },
	{ "the last is short at once", FROM, 3, ORDER_AT_ONCE, false, 2, 77, -1,
	  0, 2 * CHUNK + 77 },
	{ "the second is short before all are submitted",
	  FROM, 10, ORDER_FORWARD, false, 1, 77, -1, 0, CHUNK + 77 },
	{ "the second fails before all are submitted",
	  TO, 10, ORDER_BACKWARD, false, 1, -EIO, -1, 0, CHUNK },
	{ "the first fails before all are submitted",
	  FROM, 10, ORDER_FORWARD, false, 0, -EIO, -1, 0, -EIO, .never = true },
	{ "the first fails at once", TO, 3, ORDER_AT_ONCE, false, 0, -ENOSPC,
	  -1, 0, -ENOSPC, .never = true },
	{ "the first is refused at once", FROM, 3, ORDER_AT_ONCE, false, 0,
	  -EINVAL, -1, 0, -EINVAL, .never = true },
	{ "killed with the second", FROM, 3, ORDER_FORWARD, false, -1, 0, 1, 0,
	  2 * CHUNK },
	{ "the file ends in a block", FROM, 3, ORDER_FORWARD, true, -1, 0, -1,
	  CHUNK + 1000, CHUNK + 1000 },
	{ "the file ends with a chunk", FROM, 3, ORDER_FORWARD, true, -1, 0, -1,
	  2 * CHUNK, 2 * CHUNK },
	{ "the disk ends", TO, 3, ORDER_FORWARD, true, -1, 0, -1,
	  CHUNK + SZ_512, CHUNK + SZ_512 },
	{ "nothing is left", FROM, 3, ORDER_FORWARD, true, -1, 0, -1, -1, 0,
	  .never = true },
	{ "no room is left", TO, 3, ORDER_AT_ONCE, false, 0, -ENOSPC, -1, -1,
	  -ENOSPC, .never = true },
};

KUNIT_ARRAY_PARAM_DESC(transfer_out, transfer_out_cases, desc);

static void transfer_out_set(struct transfer_mock *mock,
			     const struct transfer_out_case *param)
{
	loff_t size = param->left ?: OUT_SIZE;

	size = max(size, 0LL);
	i_size_write(file_inode(mock->file), size);
	if (param->flags & FROM)
		mock->size = size;
	mock->order = param->order;
	mock->held = param->held;
	mock->nth = param->nth;
	mock->answer = param->answer;
	mock->kill_at = param->kill_at;
}

static void dma_buf_transfer_fence_test_out(struct kunit *test)
{
	const struct transfer_out_case *param = test->param_value;
	struct transfer_buffer *buffer = transfer_new(test, OUT_SIZE);
	struct transfer_mock *mock = transfer_mock(test);
	struct dma_fence *fence = transfer_out(test);
	bool held = param->held && !param->never;

	transfer_allow(test);
	transfer_out_set(mock, param);
	if (param->flags & TO)
		transfer_buffer(buffer->dmabuf, 0, OUT_SIZE, 0, true);
	KUNIT_EXPECT_EQ(test, param->expect,
			transfer_fenced(buffer, mock, param->flags,
					param->chunks * CHUNK, NULL, fence));
	if (param->kill_at >= 0)
		mock_user_revive();

	if (held) {
		KUNIT_EXPECT_EQ(test, 1, buffer->begun);
		KUNIT_EXPECT_EQ(test, 0, buffer->ended);
		KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
		KUNIT_EXPECT_EQ(test, 2, file_count(mock->file));
		/* Readers wait for what writes, writers for either. */
		KUNIT_EXPECT_EQ(test, param->flags & TO,
				transfer_is_idle(buffer, false) ? TO : 0);
		KUNIT_EXPECT_FALSE(test, transfer_is_idle(buffer, true));
		transfer_mock_complete(mock);
	}
	if (!param->never)
		KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(fence, false,
							     10 * HZ), 0);
	KUNIT_EXPECT_EQ(test, param->error,
			dma_fence_is_signaled(fence) ? fence->error : 0);
	transfer_wait_for_files(test, buffer, mock);
	KUNIT_EXPECT_EQ(test, buffer->begun, buffer->ended);
	KUNIT_EXPECT_FALSE(test, mock->wrong);
	if (param->flags & FROM && param->expect > 0 && !param->error)
		KUNIT_EXPECT_TRUE(test, transfer_buffer(buffer->dmabuf, 0,
							param->expect, 0,
							false));
	KUNIT_EXPECT_TRUE(test, transfer_is_idle(buffer, true));
	dma_fence_put(fence);
}

/* A length that no request can have, and a file that cannot have a fence. */
static void dma_buf_transfer_fence_test_refused(struct kunit *test)
{
	struct transfer_buffer *buffer = transfer_new(test, SZ_64K);
	struct transfer_mock *mock = transfer_mock(test);
	struct dma_fence *fence = transfer_out(test);

	i_size_write(file_inode(mock->file), SZ_64K);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			transfer_fenced(buffer, mock, FROM, SZ_4K, NULL,
					fence));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			transfer_fenced(buffer, mock, TO, SZ_4K, NULL, fence));
	transfer_allow(test);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			transfer_fenced(buffer, mock, FROM, 1000, NULL, fence));
	KUNIT_EXPECT_EQ(test, 0,
			transfer_fenced(buffer, mock, FROM, 0, NULL, fence));
	mock->tells = false;
	mock->file->f_mode &= ~FMODE_CAN_ODIRECT;
	KUNIT_EXPECT_EQ(test, -EINVAL,
			transfer_fenced(buffer, mock, TO, SZ_4K, NULL, fence));

	KUNIT_EXPECT_EQ(test, 0, mock->nr_requests);
	KUNIT_EXPECT_EQ(test, 0, buffer->begun);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, 1, kref_read(&fence->refcount));
	dma_fence_put(fence);
}

/* Storage that never answers: the fence signals, and what it uses stays. */
static void dma_buf_transfer_fence_test_deadline(struct kunit *test)
{
	unsigned long deadline = dma_buf_transfer_fence_deadline;
	struct transfer_buffer *buffer = transfer_new(test, SZ_64K);
	struct transfer_mock *mock = transfer_mock(test);
	struct dma_fence *fence = transfer_out(test);

	transfer_allow(test);
	i_size_write(file_inode(mock->file), SZ_64K);
	mock->order = ORDER_FORWARD;
	mock->held = true;
	dma_buf_transfer_fence_deadline = 1;
	KUNIT_EXPECT_EQ(test, SZ_64K,
			transfer_fenced(buffer, mock, FROM, SZ_64K, NULL,
					fence));
	dma_buf_transfer_fence_deadline = deadline;

	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(fence, false, 10 * HZ), 0);
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, fence->error);
	KUNIT_EXPECT_EQ(test, 0, buffer->ended);
	KUNIT_EXPECT_EQ(test, 2, file_count(buffer->dmabuf->file));
	KUNIT_EXPECT_EQ(test, 2, file_count(mock->file));

	transfer_mock_complete(mock);
	transfer_wait_for_files(test, buffer, mock);
	KUNIT_EXPECT_EQ(test, 1, buffer->ended);
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, fence->error);
	dma_fence_put(fence);
}

/* -- in-fences ------------------------------------------------------------- */

struct transfer_in_case {
	const char *desc;
	u32 flags;
	unsigned int f_flags;		/* of the buffer */
	bool signaled;
	int error;
	bool killed;
	ssize_t expect;
};

static const struct transfer_in_case transfer_in_cases[] = {
	{ "pending, and no wait", FROM | NOWAIT, 0, false, 0, false, -EAGAIN },
	{ "pending, and O_NONBLOCK", TO, O_NONBLOCK, false, 0, false, -EAGAIN },
	{ "pending, and a signal", FROM, 0, false, 0, true, -ERESTARTSYS },
	{ "signaled", TO | NOWAIT, 0, true, 0, false, SZ_4K },
	{ "signaled with an error", FROM, 0, true, -EIO, false, SZ_4K },
};

KUNIT_ARRAY_PARAM_DESC(transfer_in, transfer_in_cases, desc);

static void dma_buf_transfer_fence_test_in(struct kunit *test)
{
	const struct transfer_in_case *param = test->param_value;
	struct transfer_buffer *buffer = transfer_new(test, SZ_64K);
	struct transfer_mock *mock = transfer_mock(test);
	struct dma_fence *fence = mock_fence_create(test);

	if (param->error)
		dma_fence_set_error(fence, param->error);
	if (param->signaled)
		dma_fence_signal(fence);
	if (param->flags & TO)
		transfer_buffer(buffer->dmabuf, 0, SZ_4K, 0, true);
	buffer->dmabuf->file->f_flags |= param->f_flags;
	if (param->killed)
		mock_user_kill();
	KUNIT_EXPECT_EQ(test, param->expect,
			transfer_fenced(buffer, mock, param->flags, SZ_4K,
					fence, NULL));
	if (param->killed)
		mock_user_revive();
	KUNIT_EXPECT_EQ(test, param->expect > 0, mock->nr_requests);
	KUNIT_EXPECT_EQ(test, param->expect > 0, buffer->begun);
	if (!param->signaled)
		dma_fence_signal(fence);
	dma_fence_put(fence);
}

/* An in-fence and an out-fence of one call. */
static void dma_buf_transfer_fence_test_both(struct kunit *test)
{
	struct transfer_buffer *buffer = transfer_new(test, SZ_64K);
	struct transfer_mock *mock = transfer_mock(test);
	struct dma_fence *in = mock_fence_create(test);
	struct dma_fence *out = transfer_out(test);

	transfer_allow(test);
	i_size_write(file_inode(mock->file), SZ_64K);
	KUNIT_EXPECT_EQ(test, -EAGAIN,
			transfer_fenced(buffer, mock, FROM | NOWAIT, SZ_64K, in,
					out));
	KUNIT_EXPECT_EQ(test, 0, buffer->begun);
	dma_fence_signal(in);
	KUNIT_EXPECT_EQ(test, SZ_64K,
			transfer_fenced(buffer, mock, FROM | NOWAIT, SZ_64K, in,
					out));
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(out, false, 10 * HZ), 0);
	transfer_wait_for_files(test, buffer, mock);
	dma_fence_put(in);
	dma_fence_put(out);
}

static struct kunit_case dma_buf_transfer_fence_cases[] = {
	KUNIT_CASE_PARAM(dma_buf_transfer_fence_test_out,
			 transfer_out_gen_params),
	KUNIT_CASE(dma_buf_transfer_fence_test_refused),
	KUNIT_CASE(dma_buf_transfer_fence_test_deadline),
	KUNIT_CASE_PARAM(dma_buf_transfer_fence_test_in,
			 transfer_in_gen_params),
	KUNIT_CASE(dma_buf_transfer_fence_test_both),
	{ }
};

static struct kunit_suite dma_buf_transfer_fence_suite = {
	.name = "dma_buf_transfer_fence",
	.test_cases = dma_buf_transfer_fence_cases,
};

kunit_test_suite(dma_buf_transfer_fence_suite);
