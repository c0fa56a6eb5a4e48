// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite of dma-resv-query.c: waiting for the fences of an object, and the
 * other queries. Signalling is tested in dma_resv_kunit.c, readers against
 * writers in dma_resv_race_kunit.c.
 */
#include <kunit/test.h>

#include <linux/dma-fence-array.h>
#include <linux/dma-resv.h>
#include <linux/seq_file.h>
#include <linux/workqueue.h>

#include "dma_resv_kunit.h"

/* Succeeds if an object without fences has nothing to wait for. */
static void dma_resv_query_test_dma_resv_wait_test_empty(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	struct dma_fence **fences, *fence;
	unsigned int count = 42;

	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(obj, DMA_RESV_USAGE_BOOKKEEP));
	KUNIT_EXPECT_EQ(test, 7, dma_resv_wait_timeout(obj, DMA_RESV_USAGE_BOOKKEEP,
						       false, 7));
	KUNIT_EXPECT_EQ(test, 1, dma_resv_wait_timeout(obj, DMA_RESV_USAGE_BOOKKEEP,
						       false, 0));
	KUNIT_EXPECT_EQ(test, 0, dma_resv_get_fences(obj, DMA_RESV_USAGE_BOOKKEEP,
						     &count, &fences));
	KUNIT_EXPECT_EQ(test, 0, count);
	KUNIT_EXPECT_NULL(test, fences);
	KUNIT_EXPECT_EQ(test, 0, dma_resv_get_singleton(obj, DMA_RESV_USAGE_BOOKKEEP,
							&fence));
	KUNIT_EXPECT_NULL(test, fence);
}

/* Succeeds if one fence is returned as it is, and several as one array. */
static void
dma_resv_query_test_dma_resv_wait_test_get_singleton(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	struct dma_fence *kernel, *read, *single;

	kernel = resv_attach_new(test, obj, DMA_RESV_USAGE_KERNEL);
	read = resv_attach_new(test, obj, DMA_RESV_USAGE_READ);

	KUNIT_ASSERT_EQ(test, 0, dma_resv_get_singleton(obj, DMA_RESV_USAGE_WRITE,
							&single));
	KUNIT_EXPECT_PTR_EQ(test, kernel, single);
	KUNIT_EXPECT_EQ(test, 2, kref_read(&kernel->refcount));
	dma_fence_put(single);

	KUNIT_ASSERT_EQ(test, 0, dma_resv_get_singleton(obj, DMA_RESV_USAGE_READ,
							&single));
	KUNIT_ASSERT_TRUE(test, dma_fence_is_array(single));
	KUNIT_EXPECT_EQ(test, 2, to_dma_fence_array(single)->num_fences);
	dma_fence_enable_sw_signaling(single);
	dma_fence_signal(kernel);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(single));
	dma_fence_signal(read);
	KUNIT_EXPECT_EQ(test, 0, dma_fence_wait(single, false));
	dma_fence_put(single);

	KUNIT_EXPECT_EQ(test, 0, dma_resv_get_singleton(obj, DMA_RESV_USAGE_READ,
							&single));
	KUNIT_EXPECT_NULL(test, single);
}

/* Succeeds if a test does not wait, and a wait follows usage and timeout. */
static void
dma_resv_query_test_dma_resv_wait_test_wait_timeout(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	struct dma_fence *fence;

	fence = resv_attach_new(test, obj, DMA_RESV_USAGE_READ);

	KUNIT_EXPECT_EQ(test, 0, dma_resv_wait_timeout(obj, DMA_RESV_USAGE_READ,
						       false, 0));
	KUNIT_EXPECT_EQ(test, 0, dma_resv_wait_timeout(obj, DMA_RESV_USAGE_READ,
						       true, 1));
	/* A lower usage has no fence to wait for: the timeout is returned. */
	KUNIT_EXPECT_EQ(test, HZ, dma_resv_wait_timeout(obj, DMA_RESV_USAGE_WRITE,
							false, HZ));

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, 1, dma_resv_wait_timeout(obj, DMA_RESV_USAGE_READ,
						       false, 0));
	KUNIT_EXPECT_EQ(test, HZ, dma_resv_wait_timeout(obj, DMA_RESV_USAGE_READ,
							false, HZ));
}

struct late_signal {
	struct delayed_work work;
	struct dma_fence *fences[2];
};

static void late_signal_work(struct work_struct *work)
{
	struct late_signal *late =
		container_of(to_delayed_work(work), struct late_signal, work);

	dma_fence_signal(late->fences[0]);
	dma_fence_signal(late->fences[1]);
}

/* Succeeds if a wait ends when the last of its fences has signalled. */
static void
dma_resv_query_test_dma_resv_wait_test_wait_wakes(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	struct late_signal late;
	long left;

	late.fences[0] = resv_attach_new(test, obj, DMA_RESV_USAGE_KERNEL);
	late.fences[1] = resv_attach_new(test, obj, DMA_RESV_USAGE_BOOKKEEP);
	INIT_DELAYED_WORK_ONSTACK(&late.work, late_signal_work);
	schedule_delayed_work(&late.work, 2);

	left = dma_resv_wait_timeout(obj, DMA_RESV_USAGE_BOOKKEEP, false,
				     MAX_SCHEDULE_TIMEOUT);
	KUNIT_EXPECT_GT(test, left, 0);
	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(obj, DMA_RESV_USAGE_BOOKKEEP));

	flush_delayed_work(&late.work);
	destroy_delayed_work_on_stack(&late.work);
}

/* Succeeds if the deadline reaches the fences of the usage, and no others. */
static void
dma_resv_query_test_dma_resv_wait_test_set_deadline(struct kunit *test)
{
	enum dma_resv_usage usage = param_usage(test), add;
	struct dma_fence *fences[ARRAY_SIZE(usage_cases)];
	struct dma_resv *obj = resv_create(test);
	ktime_t deadline = ktime_add_ms(ktime_get(), 1000);

	for (add = DMA_RESV_USAGE_KERNEL; add <= DMA_RESV_USAGE_BOOKKEEP; add++)
		fences[add] = resv_attach_new(test, obj, add);

	dma_resv_set_deadline(obj, usage, deadline);

	for (add = DMA_RESV_USAGE_KERNEL; add <= DMA_RESV_USAGE_BOOKKEEP; add++) {
		struct mock_fence *mock = to_mock_fence(fences[add]);

		KUNIT_EXPECT_EQ(test, add <= usage,
				atomic_read(&mock->deadline_calls));
		if (add <= usage)
			KUNIT_EXPECT_EQ(test, deadline, mock->deadline);
	}
}

/* Succeeds if each fence has a line with its usage, driver and timeline. */
static void dma_resv_query_test_dma_resv_wait_test_describe(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	struct seq_file seq = { .size = 1024 };
	unsigned int i;

	seq.buf = kunit_kzalloc(test, seq.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seq.buf);
	for (i = 0; i < ARRAY_SIZE(usage_cases); i++)
		resv_attach_new(test, obj, usage_cases[i].usage);

	scoped_guard(dma_resv, obj)
		dma_resv_describe(obj, &seq);

	for (i = 0; i < ARRAY_SIZE(usage_cases); i++) {
		char start[64];
		char *line;

		snprintf(start, sizeof(start), "\t%s fence:" MOCK_FENCE_DRIVER " "
			 MOCK_FENCE_TIMELINE " seq ", usage_cases[i].name);
		line = strstr(seq.buf, start);
		/* Fences of this usage are left out. */
		if (usage_cases[i].usage == DMA_RESV_USAGE_BOOKKEEP)
			KUNIT_EXPECT_NULL(test, line);
		else
			KUNIT_EXPECT_NOT_NULL_MSG(test, line,
						  "no \"%s\" in \"%s\"",
						  start, seq.buf);
	}
}

static struct kunit_case dma_resv_query_cases[] = {
	KUNIT_CASE(dma_resv_query_test_dma_resv_wait_test_empty),
	KUNIT_CASE(dma_resv_query_test_dma_resv_wait_test_get_singleton),
	KUNIT_CASE(dma_resv_query_test_dma_resv_wait_test_wait_timeout),
	KUNIT_CASE(dma_resv_query_test_dma_resv_wait_test_wait_wakes),
	KUNIT_CASE_PARAM(dma_resv_query_test_dma_resv_wait_test_set_deadline,
			 usage_gen_params),
	KUNIT_CASE(dma_resv_query_test_dma_resv_wait_test_describe),
	{}
};

static struct kunit_suite dma_resv_query_suite = {
	.name = "dma_resv_query",
	.test_cases = dma_resv_query_cases,
};

kunit_test_suite(dma_resv_query_suite);
