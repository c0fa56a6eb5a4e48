// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-cpu.c: an access that begins step by step, without a wait.
 *
 * The mock fences and the mock exporter notice what is not released.
 */
#include <kunit/test.h>

#include <linux/bits.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>

#include "../dma-buf-private.h"
#include "mock_exporter.h"
#include "mock_fence.h"

static struct dma_buf_cpu_access whole(struct dma_buf *dmabuf,
				       enum dma_data_direction dir)
{
	return (struct dma_buf_cpu_access) {
		.dmabuf = dmabuf, .dir = dir, .length = dmabuf->size,
	};
}

static void expect_cpu_calls(struct kunit *test, struct dma_buf *dmabuf,
			     int begins, int ends)
{
	expect_mock_calls(test, to_mock_exporter(dmabuf), MOCK_OP_BEGIN_CPU,
			  MOCK_OP_END_CPU, begins, ends);
}

struct usage_case {
	const char *desc;
	enum dma_resv_usage usage;
	enum dma_data_direction dir;
	bool waits;
};

static const struct usage_case usage_cases[] = {
	{ "reading waits for the kernel", DMA_RESV_USAGE_KERNEL,
	  DMA_FROM_DEVICE, true },
	{ "reading waits for writers", DMA_RESV_USAGE_WRITE, DMA_FROM_DEVICE,
	  true },
	{ "reading ignores readers", DMA_RESV_USAGE_READ, DMA_FROM_DEVICE,
	  false },
	{ "writing waits for readers", DMA_RESV_USAGE_READ, DMA_TO_DEVICE,
	  true },
	{ "writing waits for writers", DMA_RESV_USAGE_WRITE, DMA_TO_DEVICE,
	  true },
	{ "both wait for readers", DMA_RESV_USAGE_READ, DMA_BIDIRECTIONAL,
	  true },
	{ "both ignore bookkeeping", DMA_RESV_USAGE_BOOKKEEP, DMA_BIDIRECTIONAL,
	  false },
};

KUNIT_ARRAY_PARAM_DESC(usage, usage_cases, desc);

/* The op is called once, when the fences that matter have signaled. */
static void dma_buf_cpu_access_test_usage(struct kunit *test)
{
	const struct usage_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_buf_cpu_access access = whole(dmabuf, param->dir);
	struct dma_fence *fence;

	fence = mock_fence_add(test, dmabuf->resv, param->usage);
	KUNIT_EXPECT_EQ(test, dma_buf_cpu_access_begin(&access), 0);
	KUNIT_EXPECT_PTR_EQ(test, access.fence, param->waits ? fence : NULL);
	expect_cpu_calls(test, dmabuf, !param->waits, 0);

	if (param->waits) {
		dma_fence_signal(fence);
		KUNIT_EXPECT_EQ(test, dma_buf_cpu_access_begin(&access), 0);
		KUNIT_EXPECT_NULL(test, access.fence);
		expect_cpu_calls(test, dmabuf, 1, 0);
	}
	KUNIT_EXPECT_TRUE(test, access.begun);
	KUNIT_EXPECT_EQ(test, to_mock_exporter(dmabuf)->last_dir, param->dir);

	dma_fence_signal(fence);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

static void dma_buf_cpu_access_test_each_fence(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_buf_cpu_access access = whole(dmabuf, DMA_TO_DEVICE);
	struct dma_fence *fences[3];
	int i;

	for (i = 0; i < 3; i++)
		fences[i] = mock_fence_add(test, dmabuf->resv,
					   DMA_RESV_USAGE_READ);
	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_EQ(test, dma_buf_cpu_access_begin(&access), 0);
		KUNIT_ASSERT_NOT_NULL(test, access.fence);
		expect_cpu_calls(test, dmabuf, 0, 0);
		dma_fence_signal(access.fence);
	}
	KUNIT_EXPECT_EQ(test, dma_buf_cpu_access_begin(&access), 0);
	KUNIT_EXPECT_NULL(test, access.fence);
	expect_cpu_calls(test, dmabuf, 1, 0);

	for (i = 0; i < 3; i++)
		dma_fence_put(fences[i]);
	dma_buf_put(dmabuf);
}

/* Work that the op has queued is waited for, and the op not called again. */
static void dma_buf_cpu_access_test_op_queues(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_buf_cpu_access access = whole(dmabuf, DMA_FROM_DEVICE);
	struct dma_fence *fence = mock_fence_create(test);

	to_mock_exporter(dmabuf)->begin_queues = fence;
	KUNIT_EXPECT_EQ(test, dma_buf_cpu_access_begin(&access), 0);
	KUNIT_EXPECT_PTR_EQ(test, access.fence, fence);
	KUNIT_EXPECT_TRUE(test, access.begun);
	expect_cpu_calls(test, dmabuf, 1, 0);

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, dma_buf_cpu_access_begin(&access), 0);
	KUNIT_EXPECT_NULL(test, access.fence);
	expect_cpu_calls(test, dmabuf, 1, 0);

	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* Aborted before and after the op, of which only the latter is to be ended. */
static void dma_buf_cpu_access_test_abort(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_buf_cpu_access access = whole(dmabuf, DMA_FROM_DEVICE);
	struct dma_fence *before;
	struct dma_fence *after = mock_fence_create(test);

	before = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_EQ(test, dma_buf_cpu_access_begin(&access), 0);
	dma_buf_cpu_access_abort(&access);
	KUNIT_EXPECT_NULL(test, access.fence);
	expect_cpu_calls(test, dmabuf, 0, 0);
	dma_fence_signal(before);

	to_mock_exporter(dmabuf)->begin_queues = after;
	KUNIT_EXPECT_EQ(test, dma_buf_cpu_access_begin(&access), 0);
	dma_buf_cpu_access_abort(&access);
	KUNIT_EXPECT_NULL(test, access.fence);
	KUNIT_EXPECT_FALSE(test, access.begun);
	expect_cpu_calls(test, dmabuf, 1, 1);
	dma_fence_signal(after);

	dma_fence_put(before);
	dma_fence_put(after);
	dma_buf_put(dmabuf);
}

static void dma_buf_cpu_access_test_op_refuses(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_buf_cpu_access access = whole(dmabuf, DMA_FROM_DEVICE);

	to_mock_exporter(dmabuf)->fail[MOCK_OP_BEGIN_CPU] = -EAGAIN;
	KUNIT_EXPECT_EQ(test, dma_buf_cpu_access_begin(&access), -EAGAIN);
	KUNIT_EXPECT_NULL(test, access.fence);
	KUNIT_EXPECT_FALSE(test, access.begun);
	dma_buf_cpu_access_abort(&access);
	expect_cpu_calls(test, dmabuf, 1, 0);
	dma_buf_put(dmabuf);
}

static void dma_buf_cpu_access_test_part(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_buf_cpu_access access = {
		.dmabuf = dmabuf, .dir = DMA_TO_DEVICE,
		.offset = 17, .length = 3,
	};

	mock->begin_queues = fence;
	KUNIT_EXPECT_EQ(test, dma_buf_cpu_access_begin(&access), 0);
	KUNIT_EXPECT_EQ(test, mock->last_offset, 17);
	KUNIT_EXPECT_EQ(test, mock->last_length, 3);
	dma_buf_cpu_access_abort(&access);
	expect_mock_calls(test, mock, MOCK_OP_BEGIN_CPU_PARTIAL,
			  MOCK_OP_END_CPU_PARTIAL, 1, 1);
	expect_cpu_calls(test, dmabuf, 0, 0);

	dma_fence_signal(fence);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* The mock has no pages op, so its begin op may be one that completes work. */
static void dma_buf_cpu_access_test_can_wait_first(struct kunit *test)
{
	static const unsigned long without[] = {
		0, BIT(MOCK_OP_BEGIN_CPU), BIT(MOCK_OP_BEGIN_CPU_PARTIAL),
		BIT(MOCK_OP_BEGIN_CPU) | BIT(MOCK_OP_BEGIN_CPU_PARTIAL),
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(without); i++) {
		struct mock_exporter_params params = { .without = without[i] };
		struct dma_buf *dmabuf = mock_exporter_create(test, &params);

		KUNIT_EXPECT_EQ(test, dma_buf_cpu_can_wait_first(dmabuf),
				i == 3);
		dma_buf_put(dmabuf);
	}
}

static struct kunit_case dma_buf_cpu_access_cases[] = {
	KUNIT_CASE_PARAM(dma_buf_cpu_access_test_usage, usage_gen_params),
	KUNIT_CASE(dma_buf_cpu_access_test_each_fence),
	KUNIT_CASE(dma_buf_cpu_access_test_op_queues),
	KUNIT_CASE(dma_buf_cpu_access_test_abort),
	KUNIT_CASE(dma_buf_cpu_access_test_op_refuses),
	KUNIT_CASE(dma_buf_cpu_access_test_part),
	KUNIT_CASE(dma_buf_cpu_access_test_can_wait_first),
	{}
};

static struct kunit_suite dma_buf_cpu_access_suite = {
	.name = "dma_buf_cpu_access",
	.test_cases = dma_buf_cpu_access_cases,
};

kunit_test_suite(dma_buf_cpu_access_suite);
