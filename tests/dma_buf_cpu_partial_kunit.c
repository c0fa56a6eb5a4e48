// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-cpu.c: begin and end of a part of the buffer.
 *
 * What an exporter does for its part is tested with the exporter; here it is
 * which of its ops is called, when, and with which arguments.
 */
#include <kunit/test.h>

#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/kthread.h>
#include <linux/limits.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include <uapi/linux/dma-buf.h>

#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_user.h"

#define SIZE		MOCK_EXPORTER_SIZE
#define START_READ	(DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ)

static const enum mock_exporter_op cpu_ops[] = {
	MOCK_OP_BEGIN_CPU, MOCK_OP_END_CPU,
	MOCK_OP_BEGIN_CPU_PARTIAL, MOCK_OP_END_CPU_PARTIAL,
};

/* Expect one call of @op, and none of the other three ops. */
static void expect_only(struct kunit *test, struct mock_exporter *mock,
			enum mock_exporter_op op)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(cpu_ops); i++) {
		KUNIT_EXPECT_EQ_MSG(test, mock_exporter_calls(mock, cpu_ops[i]),
				    cpu_ops[i] == op, "calls of op %d", cpu_ops[i]);
		KUNIT_EXPECT_EQ(test, mock_exporter_locked(mock, cpu_ops[i]),
				0);
	}
}

/* ---- the command of a program, and the op that it calls */

struct partial_case {
	const char *desc;
	u64 flags;
	u64 offset, length;
	unsigned long without;
	/*
	 * MOCK_OP_COUNT if none is called, as it is refused or there is none.
	 */
	enum mock_exporter_op op;
	enum dma_data_direction dir;
	long expect;
};

static const struct partial_case partial_cases[] = {
	{ "begins to read a page", START_READ, PAGE_SIZE, PAGE_SIZE, 0,
	  MOCK_OP_BEGIN_CPU_PARTIAL, DMA_FROM_DEVICE },
	{ "begins to write three odd bytes", DMA_BUF_SYNC_WRITE, 17, 3, 0,
	  MOCK_OP_BEGIN_CPU_PARTIAL, DMA_TO_DEVICE },
	{ "begins with both at the first byte", DMA_BUF_SYNC_RW, 0, 1, 0,
	  MOCK_OP_BEGIN_CPU_PARTIAL, DMA_BIDIRECTIONAL },
	{ "ends with reading the last byte",
	  DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, SIZE - 1, 1, 0,
	  MOCK_OP_END_CPU_PARTIAL, DMA_FROM_DEVICE },
	{ "ends with writing all but the first byte",
	  DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE, 1, SIZE - 1, 0,
	  MOCK_OP_END_CPU_PARTIAL, DMA_TO_DEVICE },
	{ "ends with both, all but the last byte",
	  DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW, 0, SIZE - 1, 0,
	  MOCK_OP_END_CPU_PARTIAL, DMA_BIDIRECTIONAL },
	{ "begins with all, which is no part", START_READ, 0, SIZE, 0,
	  MOCK_OP_BEGIN_CPU, DMA_FROM_DEVICE },
	{ "ends with all, which is no part",
	  DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW, 0, SIZE, 0,
	  MOCK_OP_END_CPU, DMA_BIDIRECTIONAL },
	{ "begins with all where there are no parts", START_READ, 5, 6,
	  BIT(MOCK_OP_BEGIN_CPU_PARTIAL), MOCK_OP_BEGIN_CPU, DMA_FROM_DEVICE },
	{ "ends with all where there are no parts",
	  DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE, 5, 6,
	  BIT(MOCK_OP_END_CPU_PARTIAL), MOCK_OP_END_CPU, DMA_TO_DEVICE },
	{ "begins where there is nothing to do", START_READ, 5, 6,
	  BIT(MOCK_OP_BEGIN_CPU_PARTIAL) | BIT(MOCK_OP_BEGIN_CPU),
	  MOCK_OP_COUNT, DMA_NONE },
	{ "ends where there is nothing to do",
	  DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, 5, 6,
	  BIT(MOCK_OP_END_CPU_PARTIAL) | BIT(MOCK_OP_END_CPU),
	  MOCK_OP_COUNT, DMA_NONE },
	{ "refuses to begin with nothing", DMA_BUF_SYNC_START, 0, 1, 0,
	  MOCK_OP_COUNT, DMA_NONE, -EINVAL },
	{ "refuses an unknown flag", DMA_BUF_SYNC_RW | BIT(3), 0, 1, 0,
	  MOCK_OP_COUNT, DMA_NONE, -EINVAL },
	{ "refuses the highest flag", DMA_BUF_SYNC_RW | BIT_ULL(63), 0, 1, 0,
	  MOCK_OP_COUNT, DMA_NONE, -EINVAL },
	{ "refuses an empty range", START_READ, 0, 0, 0,
	  MOCK_OP_COUNT, DMA_NONE, -EINVAL },
	{ "refuses an empty range in the middle", START_READ, PAGE_SIZE, 0, 0,
	  MOCK_OP_COUNT, DMA_NONE, -EINVAL },
	{ "refuses an empty end", DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW, 0, 0, 0,
	  MOCK_OP_COUNT, DMA_NONE, -EINVAL },
	{ "refuses one byte too many", START_READ, 0, SIZE + 1, 0,
	  MOCK_OP_COUNT, DMA_NONE, -EINVAL },
	{ "refuses to end one byte too late",
	  DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW, 1, SIZE, 0,
	  MOCK_OP_COUNT, DMA_NONE, -EINVAL },
	{ "refuses what starts behind the end", START_READ, SIZE, 1, 0,
	  MOCK_OP_COUNT, DMA_NONE, -EINVAL },
	{ "refuses the longest range", START_READ, 0, U64_MAX, 0,
	  MOCK_OP_COUNT, DMA_NONE, -EINVAL },
	{ "refuses the farthest range", START_READ, U64_MAX, 1, 0,
	  MOCK_OP_COUNT, DMA_NONE, -EINVAL },
	{ "refuses an end that overflows to inside", START_READ,
	  U64_MAX - 9, 20, 0, MOCK_OP_COUNT, DMA_NONE, -EINVAL },
	{ "refuses a length that overflows to inside", START_READ,
	  PAGE_SIZE, U64_MAX, 0, MOCK_OP_COUNT, DMA_NONE, -EINVAL },
	{ "refuses an offset that 32 bits cannot hold", START_READ,
	  BIT_ULL(32), 1, 0, MOCK_OP_COUNT, DMA_NONE, -EINVAL },
	{ "refuses a length that 32 bits cannot hold", START_READ,
	  0, BIT_ULL(32) + 1, 0, MOCK_OP_COUNT, DMA_NONE, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(partial, partial_cases, desc);

static void dma_buf_cpu_partial_test_ioctl_sync_partial(struct kunit *test)
{
	const struct partial_case *param = test->param_value;
	const struct mock_exporter_params params = { .without = param->without };
	struct dma_buf *dmabuf = mock_exporter_create(test, &params);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_buf_sync_partial args = {
		.flags = param->flags,
		.offset = param->offset,
		.length = param->length,
	};
	long ret;

	ret = mock_user_ioctl(test, dmabuf->file, DMA_BUF_IOCTL_SYNC_PARTIAL,
			      &args);
	KUNIT_EXPECT_EQ(test, ret, param->expect);
	expect_only(test, mock, param->op);
	KUNIT_EXPECT_EQ(test, mock->last_dir, param->dir);
	if (param->op == MOCK_OP_BEGIN_CPU_PARTIAL ||
	    param->op == MOCK_OP_END_CPU_PARTIAL) {
		KUNIT_EXPECT_EQ(test, mock->last_offset, param->offset);
		KUNIT_EXPECT_EQ(test, mock->last_length, param->length);
	}
	dma_buf_put(dmabuf);
}

/* ---- the same for drivers */

static void dma_buf_cpu_partial_test_calls(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);

	KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access_partial(dmabuf,
								  DMA_TO_DEVICE,
								  100, 200));
	expect_only(test, mock, MOCK_OP_BEGIN_CPU_PARTIAL);
	KUNIT_EXPECT_EQ(test, mock->last_offset, 100);
	KUNIT_EXPECT_EQ(test, mock->last_length, 200);
	KUNIT_EXPECT_EQ(test, mock->last_dir, DMA_TO_DEVICE);

	/* The range of the end need not be that of the begin. */
	KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access_partial(dmabuf,
								DMA_TO_DEVICE,
								150, 2));
	KUNIT_EXPECT_EQ(test,
			mock_exporter_calls(mock, MOCK_OP_END_CPU_PARTIAL), 1);
	KUNIT_EXPECT_EQ(test, mock->last_offset, 150);
	KUNIT_EXPECT_EQ(test, mock->last_length, 2);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(dmabuf, DMA_TO_DEVICE));
	dma_buf_put(dmabuf);
}

static void dma_buf_cpu_partial_test_refuses(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	static const struct {
		size_t offset, length;
	} bad[] = {
		{ 0, 0 }, { SIZE, 0 }, { SIZE, 1 }, { 0, SIZE + 1 }, { 1,
								       SIZE },
		{ SIZE_MAX, 1 }, { 1, SIZE_MAX }, { SIZE_MAX, SIZE_MAX },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ(test, -EINVAL,
				dma_buf_begin_cpu_access_partial(dmabuf, DMA_FROM_DEVICE,
								 bad[i].offset,
								 bad[i].length));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				dma_buf_end_cpu_access_partial(dmabuf, DMA_FROM_DEVICE,
							       bad[i].offset,
							       bad[i].length));
	}
	expect_only(test, to_mock_exporter(dmabuf), MOCK_OP_COUNT);
	dma_buf_put(dmabuf);

	/* A wrong range may come from a program, so it is no misuse. */
	mock_fence_expect_misuse(test);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_buf_begin_cpu_access_partial(NULL, DMA_TO_DEVICE, 0,
							 1));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_buf_end_cpu_access_partial(NULL, DMA_TO_DEVICE, 0,
						       1));
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 2);
}

static void dma_buf_cpu_partial_test_fails_as_the_exporter(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);

	mock->fail[MOCK_OP_BEGIN_CPU_PARTIAL] = -EAGAIN;
	mock->fail[MOCK_OP_END_CPU_PARTIAL] = -EIO;
	KUNIT_EXPECT_EQ(test, -EAGAIN,
			dma_buf_begin_cpu_access_partial(dmabuf, DMA_TO_DEVICE,
							 0, 1));
	KUNIT_EXPECT_EQ(test, -EIO,
			dma_buf_end_cpu_access_partial(dmabuf, DMA_TO_DEVICE, 0,
						       1));
	dma_buf_put(dmabuf);
}

/* ---- devices that have not finished */

struct beginner {
	struct dma_buf *dmabuf;
	size_t length;
	int ret;
	struct completion done;
};

static int beginner_thread(void *data)
{
	struct beginner *beginner = data;

	/* A kernel thread ignores signals unless it allows them. */
	allow_signal(SIGUSR1);
	beginner->ret = dma_buf_begin_cpu_access_partial(beginner->dmabuf,
							 DMA_FROM_DEVICE, 0,
							 beginner->length);
	complete(&beginner->done);
	return 0;
}

static struct task_struct *beginner_start(struct kunit *test,
					  struct beginner *beginner,
					  struct dma_buf *dmabuf, size_t length)
{
	struct task_struct *thread;

	beginner->dmabuf = dmabuf;
	beginner->length = length;
	beginner->ret = 1;
	init_completion(&beginner->done);
	thread = kthread_create(beginner_thread, beginner, "beginner");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	get_task_struct(thread);
	wake_up_process(thread);
	return thread;
}

struct length_case {
	const char *desc;
	size_t length;
	enum mock_exporter_op op;
};

static const struct length_case length_cases[] = {
	{ "a part", 1, MOCK_OP_BEGIN_CPU_PARTIAL },
	{ "the whole", SIZE, MOCK_OP_BEGIN_CPU },
};

KUNIT_ARRAY_PARAM_DESC(length, length_cases, desc);

/*
 * The exporter is called before the wait, which its work may end. Fences have
 * no ranges, so a writer of any part holds back all.
 */
static void dma_buf_cpu_partial_test_waits_before(struct kunit *test)
{
	const struct length_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_fence *fence = mock_fence_add(test, dmabuf->resv,
						 DMA_RESV_USAGE_WRITE);
	struct task_struct *thread;
	struct beginner beginner;

	thread = beginner_start(test, &beginner, dmabuf, param->length);
	msleep(20);
	KUNIT_EXPECT_FALSE(test, try_wait_for_completion(&beginner.done));
	expect_only(test, mock, param->op);

	dma_fence_signal(fence);
	wait_for_completion(&beginner.done);
	put_task_struct(thread);
	KUNIT_EXPECT_EQ(test, beginner.ret, 0);
	expect_only(test, mock, param->op);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* Work that the exporter queues is waited for, too. */
static void dma_buf_cpu_partial_test_waits_after(struct kunit *test)
{
	const struct length_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_fence *fence = mock_fence_create(test);
	struct task_struct *thread;
	struct beginner beginner;

	mock->begin_queues = fence;
	thread = beginner_start(test, &beginner, dmabuf, param->length);
	msleep(20);
	KUNIT_EXPECT_FALSE(test, try_wait_for_completion(&beginner.done));
	expect_only(test, mock, param->op);

	dma_fence_signal(fence);
	wait_for_completion(&beginner.done);
	put_task_struct(thread);
	KUNIT_EXPECT_EQ(test, beginner.ret, 0);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* A signal ends the wait. */
static void dma_buf_cpu_partial_test_interrupted(struct kunit *test)
{
	const struct length_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence = mock_fence_add(test, dmabuf->resv,
						 DMA_RESV_USAGE_WRITE);
	struct task_struct *thread;
	struct beginner beginner;

	thread = beginner_start(test, &beginner, dmabuf, param->length);
	do {
		/* Has no effect until the thread has allowed it. */
		msleep(20);
		send_sig(SIGUSR1, thread, 1);
	} while (!wait_for_completion_timeout(&beginner.done, 1));
	put_task_struct(thread);

	KUNIT_EXPECT_EQ(test, beginner.ret, -ERESTARTSYS);
	expect_only(test, to_mock_exporter(dmabuf), param->op);
	dma_fence_signal(fence);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* An end does not wait for fences. */
static void dma_buf_cpu_partial_test_end_does_not_wait(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence = mock_fence_add(test, dmabuf->resv,
						 DMA_RESV_USAGE_WRITE);

	KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access_partial(dmabuf,
								DMA_BIDIRECTIONAL,
								0, 1));
	expect_only(test, to_mock_exporter(dmabuf), MOCK_OP_END_CPU_PARTIAL);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	dma_fence_signal(fence);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

static struct kunit_case dma_buf_cpu_partial_cases[] = {
	KUNIT_CASE_PARAM(dma_buf_cpu_partial_test_ioctl_sync_partial,
			 partial_gen_params),
	KUNIT_CASE(dma_buf_cpu_partial_test_calls),
	KUNIT_CASE(dma_buf_cpu_partial_test_refuses),
	KUNIT_CASE(dma_buf_cpu_partial_test_fails_as_the_exporter),
	KUNIT_CASE_PARAM(dma_buf_cpu_partial_test_waits_before,
			 length_gen_params),
	KUNIT_CASE_PARAM(dma_buf_cpu_partial_test_waits_after,
			 length_gen_params),
	KUNIT_CASE_PARAM(dma_buf_cpu_partial_test_interrupted,
			 length_gen_params),
	KUNIT_CASE(dma_buf_cpu_partial_test_end_does_not_wait),
	{}
};

static struct kunit_suite dma_buf_cpu_partial_suite = {
	.name = "dma_buf_cpu_partial",
	.test_cases = dma_buf_cpu_partial_cases,
};

kunit_test_suite(dma_buf_cpu_partial_suite);
