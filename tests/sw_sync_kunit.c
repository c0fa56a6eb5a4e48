// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite of sw_sync.c below its file: timelines and their points.
 * The view of programs is in user/sw_sync_test.c.
 */
#include <kunit/test.h>

#include <linux/dma-fence.h>
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/poison.h>

#include "../sw_sync.h"
#include "mock_fence.h"

static struct sync_timeline *timeline_create(struct kunit *test)
{
	struct sync_timeline *timeline = sync_timeline_create("kunit");

	KUNIT_ASSERT_NOT_NULL(test, timeline);
	KUNIT_ASSERT_EQ(test, 0, timeline->value);
	return timeline;
}

static struct dma_fence *point_create(struct kunit *test,
				      struct sync_timeline *timeline, u32 value)
{
	struct sync_pt *pt = sync_pt_create(timeline, value);

	KUNIT_ASSERT_NOT_NULL(test, pt);
	return &pt->base;
}

/* Succeeds if an advance signals what it reaches, and nothing else. */
static void sw_sync_test_advance(struct kunit *test)
{
	struct sync_timeline *timeline = timeline_create(test);
	struct dma_fence *fences[5];
	unsigned int i, round;

	/* Created out of order: 3, 1, 4, 2, 5. */
	for (i = 0; i < ARRAY_SIZE(fences); i++)
		fences[(2 + 3 * i) % 5] = point_create(test, timeline,
						       (2 + 3 * i) % 5 + 1);

	for (round = 0; round <= ARRAY_SIZE(fences); round++) {
		for (i = 0; i < ARRAY_SIZE(fences); i++)
			KUNIT_EXPECT_EQ_MSG(test, i < round,
					    test_bit(DMA_FENCE_FLAG_SIGNALED_BIT,
						     &fences[i]->flags),
					    "point %u at %u", i + 1, round);
		sync_timeline_advance(timeline, 1);
	}

	for (i = 0; i < ARRAY_SIZE(fences); i++) {
		KUNIT_EXPECT_EQ(test, 1, dma_fence_get_status(fences[i]));
		dma_fence_put(fences[i]);
	}
	sync_timeline_end(timeline);
}

/* Succeeds if points signal in the order of their values, in one advance. */
static void sw_sync_test_order(struct kunit *test)
{
	struct sync_timeline *timeline = timeline_create(test);
	struct dma_fence *late = point_create(test, timeline, 9);
	struct dma_fence *early = point_create(test, timeline, 3);

	sync_timeline_advance(timeline, 100);
	KUNIT_EXPECT_LE(test, ktime_to_ns(dma_fence_timestamp(early)),
			ktime_to_ns(dma_fence_timestamp(late)));
	dma_fence_put(late);
	dma_fence_put(early);
	sync_timeline_end(timeline);
}

struct wrap_case {
	const char *desc;
	u32 before;	/* advance to here first */
	u32 value;	/* then create a point of this value */
	u32 steps;	/* and advance by this number */
	bool reached;
};

static const struct wrap_case wrap_cases[] = {
	{ "one step is enough", 0, 1, 1, true },
	{ "one step too few", 0, 100, 99, false },
	{ "the largest value", 0, INT_MAX, INT_MAX, true },
	{ "just short of the largest value", 0, INT_MAX, INT_MAX - 1, false },
	{ "a leap of half the circle and more", 0, 1, 0x90000000, true },
	{ "a leap around the whole circle", 0, 1, U32_MAX, true },
	{ "a value beyond half the circle", 0x7ffffff0, 0x80000001, 17, true },
	{ "one short of that", 0x7ffffff0, 0x80000001, 16, false },
	{ "the last value before the wrap", 0xfffffff0, U32_MAX, 15, true },
	{ "a point behind the wrap", 0xfffffff0, 5, 21, true },
	{ "one short of a point behind the wrap", 0xfffffff0, 5, 20, false },
};

KUNIT_ARRAY_PARAM_DESC(wrap, wrap_cases, desc);

/* Succeeds if values wrap around, and those up to INT_MAX ahead are pending. */
static void sw_sync_test_wrap(struct kunit *test)
{
	const struct wrap_case *param = test->param_value;
	struct sync_timeline *timeline = timeline_create(test);
	struct dma_fence *fence;

	sync_timeline_advance(timeline, param->before);
	fence = point_create(test, timeline, param->value);
	KUNIT_EXPECT_EQ(test, 0, dma_fence_get_status(fence));

	sync_timeline_advance(timeline, param->steps);
	KUNIT_EXPECT_EQ(test, param->reached, dma_fence_get_status(fence));
	dma_fence_put(fence);
	sync_timeline_end(timeline);
}

/* Succeeds if the fence of a passed value has signalled from the start. */
static void sw_sync_test_late(struct kunit *test)
{
	struct sync_timeline *timeline = timeline_create(test);
	struct dma_fence *fence;

	sync_timeline_advance(timeline, 10);
	fence = point_create(test, timeline, 10);
	KUNIT_EXPECT_TRUE(test, test_bit(DMA_FENCE_FLAG_SIGNALED_BIT,
					 &fence->flags));
	KUNIT_EXPECT_EQ(test, 1, dma_fence_get_status(fence));
	dma_fence_put(fence);

	fence = point_create(test, timeline, 0);
	KUNIT_EXPECT_EQ(test, 1, dma_fence_get_status(fence));
	dma_fence_put(fence);

	/* More than INT_MAX ahead counts as passed. */
	fence = point_create(test, timeline, 10 + (u32)INT_MAX + 1);
	KUNIT_EXPECT_EQ(test, 1, dma_fence_get_status(fence));
	dma_fence_put(fence);
	sync_timeline_end(timeline);
}

/* Succeeds if the names stay valid after signalling and after the end. */
static void sw_sync_test_names_stay(struct kunit *test)
{
	struct sync_timeline *timeline = timeline_create(test);
	struct dma_fence *fence = point_create(test, timeline, 1);
	const char *name;

	name = kunit_kstrdup(test, dma_fence_timeline_name(fence), GFP_KERNEL);
	sync_timeline_advance(timeline, 1);
	sync_timeline_end(timeline);
	KUNIT_EXPECT_STREQ(test, dma_fence_driver_name(fence), "sw_sync");
	KUNIT_EXPECT_STREQ(test, dma_fence_timeline_name(fence), name);
	dma_fence_put(fence);
}

/* Succeeds if a value has one fence until its release, and then a new one. */
static void sw_sync_test_shared(struct kunit *test)
{
	struct sync_timeline *timeline = timeline_create(test);
	struct dma_fence *one = point_create(test, timeline, 3);
	struct dma_fence *same = point_create(test, timeline, 3);
	struct dma_fence *other = point_create(test, timeline, 4);

	KUNIT_EXPECT_PTR_EQ(test, one, same);
	KUNIT_EXPECT_EQ(test, 2, kref_read(&one->refcount));
	KUNIT_EXPECT_PTR_NE(test, one, other);
	dma_fence_put(same);
	dma_fence_put(one);

	one = point_create(test, timeline, 3);
	KUNIT_EXPECT_EQ(test, 1, kref_read(&one->refcount));
	KUNIT_EXPECT_EQ(test, 0, dma_fence_get_status(one));
	sync_timeline_advance(timeline, 3);
	KUNIT_EXPECT_EQ(test, 1, dma_fence_get_status(one));
	KUNIT_EXPECT_EQ(test, 0, dma_fence_get_status(other));
	dma_fence_put(one);
	dma_fence_put(other);
	sync_timeline_end(timeline);
}

/* Succeeds if the end of a timeline is an error for its pending fences only. */
static void sw_sync_test_end(struct kunit *test)
{
	struct sync_timeline *timeline = timeline_create(test);
	struct dma_fence *reached = point_create(test, timeline, 1);
	struct dma_fence *waiting = point_create(test, timeline, 2);

	sync_timeline_advance(timeline, 1);
	sync_timeline_end(timeline);

	KUNIT_EXPECT_EQ(test, 1, dma_fence_get_status(reached));
	KUNIT_EXPECT_EQ(test, -ENOENT, dma_fence_get_status(waiting));
	KUNIT_EXPECT_EQ(test, 0, dma_fence_wait(waiting, false));
	dma_fence_put(reached);
	dma_fence_put(waiting);
}

struct drop_on_signal {
	struct dma_fence_cb cb;
	struct dma_fence *victim;
};

static void drop_on_signal_cb(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	dma_fence_put(container_of(cb, struct drop_on_signal, cb)->victim);
}

/* Succeeds if a callback may drop the last reference to another point. */
static void sw_sync_test_callback_drops(struct kunit *test)
{
	struct sync_timeline *timeline = timeline_create(test);
	struct drop_on_signal drop;
	struct dma_fence *fence;

	fence = point_create(test, timeline, 1);
	drop.victim = point_create(test, timeline, 2);
	KUNIT_ASSERT_EQ(test, 0, dma_fence_add_callback(fence, &drop.cb,
							drop_on_signal_cb));
	sync_timeline_advance(timeline, 1);
	KUNIT_EXPECT_EQ(test, 1, dma_fence_get_status(fence));
	/* A further advance finds no freed fence in the tree. */
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&timeline->pending.rb_root));
	sync_timeline_advance(timeline, 1);

	dma_fence_put(fence);
	sync_timeline_end(timeline);
}

/* Succeeds if the last fence of a timeline may be put in atomic context. */
static void sw_sync_test_last_put(struct kunit *test)
{
	struct sync_timeline *timeline = timeline_create(test);
	struct dma_fence *fence = point_create(test, timeline, 1);
	unsigned long flags;

	sync_timeline_end(timeline);
	KUNIT_EXPECT_EQ(test, 1, kref_read(&timeline->kref));
	KUNIT_EXPECT_PTR_NE(test, (void *)timeline->node.next,
			    (void *)LIST_POISON1);

	local_irq_save(flags);
	dma_fence_put(fence);
	local_irq_restore(flags);
}

/* Succeeds if the earliest deadline is kept, and none is not the same as 0. */
static void sw_sync_test_deadline(struct kunit *test)
{
	struct sync_timeline *timeline = timeline_create(test);
	struct dma_fence *fence = point_create(test, timeline, 1);
	ktime_t deadline = 77;

	KUNIT_EXPECT_EQ(test, -ENOENT, sync_pt_get_deadline(fence, &deadline));
	KUNIT_EXPECT_EQ(test, 77, deadline);

	dma_fence_set_deadline(fence, 3000);
	dma_fence_set_deadline(fence, 1000);
	dma_fence_set_deadline(fence, 2000);
	KUNIT_EXPECT_EQ(test, 0, sync_pt_get_deadline(fence, &deadline));
	KUNIT_EXPECT_EQ(test, 1000, deadline);
	dma_fence_put(fence);
	sync_timeline_end(timeline);

	fence = mock_fence_create(test);
	KUNIT_EXPECT_EQ(test, -EINVAL, sync_pt_get_deadline(fence, &deadline));
	dma_fence_put(fence);
}

/*
 * Succeeds if points return their names, their value and that of the timeline.
 */
static void sw_sync_test_names(struct kunit *test)
{
	struct sync_timeline *timeline = timeline_create(test);
	struct dma_fence *fence = point_create(test, timeline, 12);
	char text[16];

	sync_timeline_advance(timeline, 5);
	KUNIT_EXPECT_STREQ(test, "sw_sync", fence->ops->get_driver_name(fence));
	KUNIT_EXPECT_STREQ(test, "kunit", fence->ops->get_timeline_name(fence));
	fence->ops->fence_value_str(fence, text, sizeof(text));
	KUNIT_EXPECT_STREQ(test, "12", text);
	fence->ops->timeline_value_str(fence, text, sizeof(text));
	KUNIT_EXPECT_STREQ(test, "5", text);
	dma_fence_put(fence);
	sync_timeline_end(timeline);
}

static struct kunit_case sw_sync_cases[] = {
	KUNIT_CASE(sw_sync_test_advance),
	KUNIT_CASE(sw_sync_test_order),
	KUNIT_CASE_PARAM(sw_sync_test_wrap, wrap_gen_params),
	KUNIT_CASE(sw_sync_test_late),
	KUNIT_CASE(sw_sync_test_names_stay),
	KUNIT_CASE(sw_sync_test_shared),
	KUNIT_CASE(sw_sync_test_end),
	KUNIT_CASE(sw_sync_test_callback_drops),
	KUNIT_CASE(sw_sync_test_last_put),
	KUNIT_CASE(sw_sync_test_deadline),
	KUNIT_CASE(sw_sync_test_names),
	{}
};

static struct kunit_suite sw_sync_suite = {
	.name = "sw_sync",
	.test_cases = sw_sync_cases,
};

kunit_test_suite(sw_sync_suite);
