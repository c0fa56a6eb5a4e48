// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-cpu-batch.c: DMA_BUF_IOCTL_SYNC_BATCH.
 *
 * What a program sees of it, with sw_sync's fences and heaps, is in
 * user/batch_test.c. Here it is which ops are called, and in which order with
 * the waits.
 */
#include <kunit/test.h>

#include <linux/bits.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fdtable.h>
#include <linux/uaccess.h>

#include <uapi/linux/dma-buf.h>

#include "mock_call.h"
#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_files.h"
#include "mock_user.h"

#define N		4
#define START_READ	(DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ)
#define END_READ	(DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ)

/* Nothing to call, so that waiting may come first; as for pages. */
#define NO_BEGIN	(BIT(MOCK_OP_BEGIN_CPU) | BIT(MOCK_OP_BEGIN_CPU_PARTIAL))

struct sync_stage {
	struct kunit *test;
	struct dma_buf *bufs[N];
	int fds[N];
	void __user *page;
	struct dma_buf_sync_record records[N];
};

static struct sync_stage *stage_create(struct kunit *test, u32 flags)
{
	struct sync_stage *stage = kunit_kzalloc(test, sizeof(*stage),
						 GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, stage);
	stage->test = test;
	stage->page = mock_user_page(test);
	for (i = 0; i < N; i++) {
		stage->bufs[i] = mock_exporter_create(test, NULL);
		/* One reference for the descriptor, one for the test. */
		get_dma_buf(stage->bufs[i]);
		stage->fds[i] = dma_buf_fd(stage->bufs[i], O_CLOEXEC);
		KUNIT_ASSERT_GE(test, stage->fds[i], 0);
		stage->records[i].fd = stage->fds[i];
		stage->records[i].flags = flags;
	}
	return stage;
}

static void stage_destroy(struct sync_stage *stage)
{
	int i;

	for (i = 0; i < N; i++) {
		/* Only the descriptor and the test have references. */
		KUNIT_EXPECT_EQ(stage->test, file_count(stage->bufs[i]->file),
				2);
		close_fd(stage->fds[i]);
		dma_buf_put(stage->bufs[i]);
	}
	mock_files_flush();
}

static long stage_sync(struct sync_stage *stage, u32 count)
{
	struct dma_buf_sync_batch args = {
		.records = (unsigned long)stage->page, .count = count,
	};

	KUNIT_ASSERT_EQ(stage->test, 0,
			copy_to_user(stage->page, stage->records,
				     sizeof(stage->records)));
	return mock_user_ioctl(stage->test, stage->bufs[0]->file,
			       DMA_BUF_IOCTL_SYNC_BATCH, &args);
}

static void expect_calls(struct sync_stage *stage, int i, int begins, int ends)
{
	expect_mock_calls(stage->test, to_mock_exporter(stage->bufs[i]),
			  MOCK_OP_BEGIN_CPU, MOCK_OP_END_CPU, begins, ends);
}

static void expect_all_calls(struct sync_stage *stage, int begins, int ends)
{
	int i;

	for (i = 0; i < N; i++)
		expect_calls(stage, i, begins, ends);
}

/* -- what is called -------------------------------------------------------- */

static void dma_buf_cpu_batch_test_begin_end(struct kunit *test)
{
	struct sync_stage *stage = stage_create(test, START_READ);
	int i;

	KUNIT_EXPECT_EQ(test, stage_sync(stage, N), 0);
	expect_all_calls(stage, 1, 0);
	for (i = 0; i < N; i++)
		stage->records[i].flags = END_READ;
	KUNIT_EXPECT_EQ(test, stage_sync(stage, N), 0);
	expect_all_calls(stage, 1, 1);
	KUNIT_EXPECT_EQ(test, to_mock_exporter(stage->bufs[0])->last_dir,
			DMA_FROM_DEVICE);
	stage_destroy(stage);
}

/* The descriptor of the call takes part only if a record names it. */
static void dma_buf_cpu_batch_test_one(struct kunit *test)
{
	struct sync_stage *stage = stage_create(test, START_READ);

	stage->records[0].fd = stage->fds[2];
	KUNIT_EXPECT_EQ(test, stage_sync(stage, 1), 0);
	expect_calls(stage, 0, 0, 0);
	expect_calls(stage, 2, 1, 0);
	stage_destroy(stage);
}

static void dma_buf_cpu_batch_test_parts(struct kunit *test)
{
	struct sync_stage *stage = stage_create(test, DMA_BUF_SYNC_WRITE);
	struct mock_exporter *mock = to_mock_exporter(stage->bufs[1]);

	stage->records[1].offset = 17;
	stage->records[1].length = 3;
	/* Nothing but the whole begins at zero and has no length. */
	stage->records[2].length = MOCK_EXPORTER_SIZE;
	KUNIT_EXPECT_EQ(test, stage_sync(stage, N), 0);
	expect_mock_calls(test, mock, MOCK_OP_BEGIN_CPU,
			  MOCK_OP_BEGIN_CPU_PARTIAL, 0, 1);
	KUNIT_EXPECT_EQ(test, mock->last_offset, 17);
	KUNIT_EXPECT_EQ(test, mock->last_length, 3);
	KUNIT_EXPECT_EQ(test, mock->last_dir, DMA_TO_DEVICE);
	expect_calls(stage, 0, 1, 0);
	expect_calls(stage, 2, 1, 0);
	stage_destroy(stage);
}

/* Several records of one buffer, as many as may be. */
static void dma_buf_cpu_batch_test_many(struct kunit *test)
{
	struct dma_buf_sync_record *records;
	struct dma_buf_sync_batch args = { .count = DMA_BUF_SYNC_BATCH_MAX };
	size_t size = PAGE_ALIGN(args.count * sizeof(*records));
	struct sync_stage *stage = stage_create(test, START_READ);
	unsigned long user;
	int i;

	records = kunit_kcalloc(test, args.count, sizeof(*records), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, records);
	for (i = 0; i < args.count; i++)
		records[i] = stage->records[i % N];
	user = mock_user_mmap(test, NULL, size, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(user));
	KUNIT_ASSERT_EQ(test, 0,
			copy_to_user((void __user *)user, records,
				     args.count * sizeof(*records)));
	args.records = user;
	KUNIT_EXPECT_EQ(test, 0,
			mock_user_ioctl(test, stage->bufs[0]->file,
					DMA_BUF_IOCTL_SYNC_BATCH, &args));
	expect_all_calls(stage, DMA_BUF_SYNC_BATCH_MAX / N, 0);
	stage_destroy(stage);
}

/* -- what is refused ------------------------------------------------------- */

struct refusal {
	const char *desc;
	struct dma_buf_sync_batch args;
	long expect;
};

static const struct refusal refusals[] = {
	{ "refuses none", { .count = 0 }, -EINVAL },
	{ "refuses one too many", { .count = DMA_BUF_SYNC_BATCH_MAX + 1 },
	  -EINVAL },
	{ "refuses the highest count", { .count = U32_MAX }, -EINVAL },
	{ "refuses what is reserved", { .count = N, .reserved = 1 }, -EINVAL },
	{ "refuses records that are nowhere", { .count = N, .records = 8 },
	  -EFAULT },
};

KUNIT_ARRAY_PARAM_DESC(refusal, refusals, desc);

static void dma_buf_cpu_batch_test_refuses(struct kunit *test)
{
	const struct refusal *param = test->param_value;
	struct sync_stage *stage = stage_create(test, START_READ);
	struct dma_buf_sync_batch args = param->args;

	KUNIT_ASSERT_EQ(test, 0,
			copy_to_user(stage->page, stage->records,
				     sizeof(stage->records)));
	args.records = args.records ?: (unsigned long)stage->page;
	KUNIT_EXPECT_EQ(test, param->expect,
			mock_user_ioctl(test, stage->bufs[0]->file,
					DMA_BUF_IOCTL_SYNC_BATCH, &args));
	expect_all_calls(stage, 0, 0);
	stage_destroy(stage);
}

struct record_case {
	const char *desc;
	struct dma_buf_sync_record record;
	long expect;
};

/* The third of four; its descriptor is good unless it is below zero. */
static const struct record_case record_cases[] = {
	{ "refuses a descriptor that is not open",
	  { .fd = -1, .flags = START_READ }, -EBADF },
	{ "refuses an access without a direction",
	  { .flags = DMA_BUF_SYNC_START }, -EINVAL },
	{ "refuses an unknown flag",
	  { .flags = START_READ | 8 }, -EINVAL },
	{ "refuses an end among starts", { .flags = END_READ }, -EINVAL },
	{ "refuses an empty range in the middle",
	  { .flags = START_READ, .offset = PAGE_SIZE }, -EINVAL },
	{ "refuses one byte too many",
	  { .flags = START_READ, .length = MOCK_EXPORTER_SIZE + 1 }, -EINVAL },
	{ "refuses a range that overflows to inside",
	  { .flags = START_READ, .offset = U64_MAX - 9, .length = 20 },
	  -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(record, record_cases, desc);

static void dma_buf_cpu_batch_test_refuses_record(struct kunit *test)
{
	const struct record_case *param = test->param_value;
	struct sync_stage *stage = stage_create(test, START_READ);

	stage->records[2] = param->record;
	if (param->record.fd >= 0)
		stage->records[2].fd = stage->fds[2];
	KUNIT_EXPECT_EQ(test, stage_sync(stage, N), param->expect);
	expect_all_calls(stage, 0, 0);
	stage_destroy(stage);
}

/* -- what fails ------------------------------------------------------------ */

/* Succeeds if the k-th start fails, for each k, and all before it are ended. */
static void dma_buf_cpu_batch_test_begin_fails(struct kunit *test)
{
	struct sync_stage *stage = stage_create(test, START_READ);
	int begins[N] = {}, ends[N] = {}, i, k;

	for (k = 0; k < N; k++) {
		struct mock_exporter *mock = to_mock_exporter(stage->bufs[k]);

		mock->fail[MOCK_OP_BEGIN_CPU] = -EIO;
		KUNIT_EXPECT_EQ(test, stage_sync(stage, N), -EIO);
		mock->fail[MOCK_OP_BEGIN_CPU] = 0;
		for (i = 0; i <= k; i++) {
			begins[i]++;
			ends[i] += i < k;
		}
		for (i = 0; i < N; i++)
			expect_calls(stage, i, begins[i], ends[i]);
	}
	stage_destroy(stage);
}

/* Every end is carried out, and the first error is returned. */
static void dma_buf_cpu_batch_test_end_fails(struct kunit *test)
{
	struct sync_stage *stage = stage_create(test, END_READ);

	to_mock_exporter(stage->bufs[1])->fail[MOCK_OP_END_CPU] = -EIO;
	to_mock_exporter(stage->bufs[2])->fail[MOCK_OP_END_CPU] = -ENXIO;
	KUNIT_EXPECT_EQ(test, stage_sync(stage, N), -EIO);
	expect_all_calls(stage, 0, 1);
	stage_destroy(stage);
}

/* -- waiting --------------------------------------------------------------- */

/* Behind the records, for a thread which cannot have a page of its own. */
static unsigned long stage_args(struct sync_stage *stage)
{
	return (unsigned long)stage->page + sizeof(stage->records);
}

static long call_sync(void *data)
{
	struct sync_stage *stage = data;
	struct file *file = stage->bufs[0]->file;

	return file->f_op->unlocked_ioctl(file, DMA_BUF_IOCTL_SYNC_BATCH,
					  stage_args(stage));
}

static void stage_call_sync(struct sync_stage *stage, struct mock_call *call)
{
	struct dma_buf_sync_batch args = {
		.records = (unsigned long)stage->page, .count = N,
	};
	struct kunit *test = stage->test;

	KUNIT_ASSERT_EQ(test, 0,
			copy_to_user(stage->page, stage->records,
				     sizeof(stage->records)));
	KUNIT_ASSERT_EQ(test, 0,
			copy_to_user((void __user *)stage_args(stage), &args,
				     sizeof(args)));
	mock_call_start(test, call, call_sync, stage);
}

/*
 * Exporters that must be called first are, all of them before the first wait;
 * the start waits for the fences of all.
 */
static void dma_buf_cpu_batch_test_waits(struct kunit *test)
{
	struct sync_stage *stage = stage_create(test, START_READ);
	struct dma_fence *early = mock_fence_add(test, stage->bufs[0]->resv,
						 DMA_RESV_USAGE_WRITE);
	struct dma_fence *late = mock_fence_add(test, stage->bufs[3]->resv,
						DMA_RESV_USAGE_WRITE);
	struct mock_call call;

	stage_call_sync(stage, &call);
	mock_call_expect_waits(&call);
	expect_all_calls(stage, 1, 0);
	dma_fence_signal(late);
	mock_call_expect_waits(&call);
	dma_fence_signal(early);
	KUNIT_EXPECT_EQ(test, mock_call_finish(&call), 0);
	expect_all_calls(stage, 1, 0);

	dma_fence_put(early);
	dma_fence_put(late);
	stage_destroy(stage);
}

/* Work that one op completes may be what the fence of another stands for. */
static void dma_buf_cpu_batch_test_op_signals(struct kunit *test)
{
	struct sync_stage *stage = stage_create(test, START_READ);
	struct dma_fence *deferred = mock_fence_add(test, stage->bufs[0]->resv,
						    DMA_RESV_USAGE_WRITE);

	to_mock_exporter(stage->bufs[3])->begin_signals = deferred;
	KUNIT_EXPECT_EQ(test, stage_sync(stage, N), 0);
	expect_all_calls(stage, 1, 0);
	dma_fence_put(deferred);
	stage_destroy(stage);
}

/*
 * One exporter's op may complete what another buffer's fence depends on: all
 * ops run before the wait for a buffer that has none.
 */
static void dma_buf_cpu_batch_test_ops_first(struct kunit *test)
{
	const struct mock_exporter_params params = { .without = NO_BEGIN };
	struct sync_stage *stage = stage_create(test, START_READ);
	struct dma_fence *fence;
	struct mock_call call;

	close_fd(stage->fds[0]);
	dma_buf_put(stage->bufs[0]);
	stage->bufs[0] = mock_exporter_create(test, &params);
	get_dma_buf(stage->bufs[0]);
	stage->fds[0] = dma_buf_fd(stage->bufs[0], O_CLOEXEC);
	KUNIT_ASSERT_GE(test, stage->fds[0], 0);
	stage->records[0].fd = stage->fds[0];
	fence = mock_fence_add(test, stage->bufs[0]->resv,
			       DMA_RESV_USAGE_WRITE);

	stage_call_sync(stage, &call);
	mock_call_expect_waits(&call);
	expect_calls(stage, 1, 1, 0);
	expect_calls(stage, 3, 1, 0);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, mock_call_finish(&call), 0);
	expect_calls(stage, 1, 1, 0);
	expect_calls(stage, 3, 1, 0);
	dma_fence_put(fence);
	stage_destroy(stage);
}

/* A signal ends the wait, and what has begun is ended. */
static void dma_buf_cpu_batch_test_interrupted(struct kunit *test)
{
	struct sync_stage *stage = stage_create(test, START_READ);
	struct dma_fence *fence = mock_fence_add(test, stage->bufs[2]->resv,
						 DMA_RESV_USAGE_WRITE);
	struct mock_call call;

	stage_call_sync(stage, &call);
	mock_call_expect_waits(&call);
	mock_call_interrupt(&call);
	KUNIT_EXPECT_EQ(test, mock_call_finish(&call), -ERESTARTSYS);
	expect_all_calls(stage, 1, 1);
	dma_fence_signal(fence);
	dma_fence_put(fence);
	stage_destroy(stage);
}

/* An end waits for nothing. */
static void dma_buf_cpu_batch_test_end_does_not_wait(struct kunit *test)
{
	struct sync_stage *stage = stage_create(test, END_READ);
	struct dma_fence *fence = mock_fence_add(test, stage->bufs[1]->resv,
						 DMA_RESV_USAGE_WRITE);

	KUNIT_EXPECT_EQ(test, stage_sync(stage, N), 0);
	expect_all_calls(stage, 0, 1);
	dma_fence_signal(fence);
	dma_fence_put(fence);
	stage_destroy(stage);
}

static struct kunit_case dma_buf_cpu_batch_cases[] = {
	KUNIT_CASE(dma_buf_cpu_batch_test_begin_end),
	KUNIT_CASE(dma_buf_cpu_batch_test_one),
	KUNIT_CASE(dma_buf_cpu_batch_test_parts),
	KUNIT_CASE(dma_buf_cpu_batch_test_many),
	KUNIT_CASE_PARAM(dma_buf_cpu_batch_test_refuses, refusal_gen_params),
	KUNIT_CASE_PARAM(dma_buf_cpu_batch_test_refuses_record,
			 record_gen_params),
	KUNIT_CASE(dma_buf_cpu_batch_test_begin_fails),
	KUNIT_CASE(dma_buf_cpu_batch_test_end_fails),
	KUNIT_CASE(dma_buf_cpu_batch_test_waits),
	KUNIT_CASE(dma_buf_cpu_batch_test_op_signals),
	KUNIT_CASE(dma_buf_cpu_batch_test_ops_first),
	KUNIT_CASE(dma_buf_cpu_batch_test_interrupted),
	KUNIT_CASE(dma_buf_cpu_batch_test_end_does_not_wait),
	{ }
};

static struct kunit_suite dma_buf_cpu_batch_suite = {
	.name = "dma_buf_cpu_batch",
	.test_cases = dma_buf_cpu_batch_cases,
};

kunit_test_suite(dma_buf_cpu_batch_suite);
