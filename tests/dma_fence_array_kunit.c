// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-fence-array.c: when an array signals, with which result, and
 * when it enables its members.
 */
#include <kunit/test.h>

#include <linux/dma-fence-array.h>
#include <linux/slab.h>

#include "mock_fence.h"

#define MEMBERS		4
#define LONG_WAIT	(30 * HZ)

/* An array of mock fences; @member[] hold a second reference to each. */
struct fixture {
	struct dma_fence_array *array;
	struct dma_fence *base;
	struct dma_fence *member[MEMBERS];
};

static void fixture_create(struct kunit *test, struct fixture *fix, bool any)
{
	struct dma_fence **table;

	table = kmalloc_array(MEMBERS, sizeof(*table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	for (int i = 0; i < MEMBERS; i++) {
		fix->member[i] = mock_fence_create(test);
		table[i] = dma_fence_get(fix->member[i]);
	}

	fix->array = dma_fence_array_create(MEMBERS, table,
					    dma_fence_context_alloc(1), 7, any);
	KUNIT_ASSERT_NOT_NULL(test, fix->array);
	fix->base = &fix->array->base;
}

static void fixture_put(struct fixture *fix)
{
	for (int i = 0; i < MEMBERS; i++)
		dma_fence_put(fix->member[i]);
	dma_fence_put(fix->base);
}

static unsigned int enabled_members(struct fixture *fix)
{
	unsigned int count = 0;

	for (int i = 0; i < MEMBERS; i++)
		count += to_mock_fence(fix->member[i])->enable_calls;
	return count;
}

/* -- creation and release -------------------------------------------------- */

static void dma_fence_array_test_create(struct kunit *test)
{
	struct fixture fix;

	fixture_create(test, &fix, false);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_array(fix.base));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_container(fix.base));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_chain(fix.base));
	KUNIT_EXPECT_PTR_EQ(test, to_dma_fence_array(fix.base), fix.array);
	KUNIT_EXPECT_NULL(test, to_dma_fence_array(fix.member[0]));
	KUNIT_EXPECT_NULL(test, to_dma_fence_array(NULL));
	KUNIT_EXPECT_EQ(test, fix.base->seqno, 7);
	KUNIT_EXPECT_STREQ(test, dma_fence_driver_name(fix.base),
			   "dma_fence_array");
	KUNIT_EXPECT_STREQ(test, dma_fence_timeline_name(fix.base), "unbound");

	/* Without a waiter the members are not enabled. */
	KUNIT_EXPECT_EQ(test, enabled_members(&fix), 0);

	fixture_put(&fix);
	KUNIT_EXPECT_EQ(test, mock_fence_released(test), MEMBERS);
}

/* Succeeds if memory allocated beforehand can be initialized or freed. */
static void dma_fence_array_test_alloc_then_init(struct kunit *test)
{
	struct dma_fence *member = mock_fence_create(test);
	struct dma_fence_array *array;
	struct dma_fence **table;

	array = dma_fence_array_alloc(1);
	KUNIT_ASSERT_NOT_NULL(test, array);
	table = kmalloc_array(1, sizeof(*table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	table[0] = member;

	dma_fence_array_init(array, 1, table, 3, 4, false);
	KUNIT_EXPECT_EQ(test, array->base.context, 3);
	KUNIT_EXPECT_EQ(test, array->base.seqno, 4);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&array->base));
	dma_fence_signal(member);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&array->base));
	dma_fence_put(&array->base);
}

static void dma_fence_array_test_misuse(struct kunit *test)
{
	struct dma_fence *member = mock_fence_create(test);
	struct dma_fence **table, *table_on_stack[] = { member };
	struct dma_fence_array *array;

	mock_fence_expect_misuse(test);
	KUNIT_EXPECT_NULL(test, dma_fence_array_alloc(0));
	KUNIT_EXPECT_NULL(test, dma_fence_array_alloc(-1));
	KUNIT_EXPECT_NULL(test, dma_fence_array_create(0, table_on_stack, 1, 1,
						       false));
	KUNIT_EXPECT_NULL(test, dma_fence_array_create(-5, table_on_stack, 1, 1,
						       false));
	KUNIT_EXPECT_NULL(test, dma_fence_array_create(1, NULL, 1, 1, false));
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 5);
	/* The caller keeps it. */
	KUNIT_EXPECT_EQ(test, kref_read(&member->refcount), 1);

	/* An array without members counts as signalled. */
	array = dma_fence_array_alloc(1);
	KUNIT_ASSERT_NOT_NULL(test, array);
	dma_fence_array_init(array, 0, NULL, 1, 1, false);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(&array->base, false, 0), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(&array->base), 1);
	dma_fence_put(&array->base);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 6);

	/* A container as a member causes a warning, but is kept. */
	table = kmalloc_array(1, sizeof(*table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	table[0] = member;
	array = dma_fence_array_create(1, table, 1, 1, false);
	KUNIT_ASSERT_NOT_NULL(test, array);
	table = kmalloc_array(1, sizeof(*table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	table[0] = &array->base;
	array = dma_fence_array_create(1, table, 1, 1, false);
	KUNIT_ASSERT_NOT_NULL(test, array);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 7);
	dma_fence_signal(member);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&array->base));
	dma_fence_put(&array->base);
}

/* -- when it signals ------------------------------------------------------- */

struct mode_case {
	const char *name;
	bool any;	/* one member is enough */
	bool waited;	/* signalling is enabled from the start */
};

static const struct mode_case mode_cases[] = {
	{ "all, without a waiter", false, false },
	{ "all, with a waiter", false, true },
	{ "any, without a waiter", true, false },
	{ "any, with a waiter", true, true },
};

KUNIT_ARRAY_PARAM_DESC(mode, mode_cases, name);

/* Members signal in another order than they are stored. */
static const int finish_order[MEMBERS] = { 2, 0, 3, 1 };

static void dma_fence_array_test_signals(struct kunit *test)
{
	const struct mode_case *param = test->param_value;
	int needed = param->any ? 1 : MEMBERS;
	struct fixture fix;

	fixture_create(test, &fix, param->any);
	if (param->waited) {
		dma_fence_enable_sw_signaling(fix.base);
		KUNIT_EXPECT_EQ(test, enabled_members(&fix), MEMBERS);
	}

	for (int done = 0; done < needed; done++) {
		KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fix.base));
		dma_fence_signal(fix.member[finish_order[done]]);
	}
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fix.base));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fix.base), 1);

	for (int done = needed; done < MEMBERS; done++)
		dma_fence_signal(fix.member[finish_order[done]]);
	KUNIT_EXPECT_EQ(test, dma_fence_wait(fix.base, false), 0);
	fixture_put(&fix);
}

/* No member is marked as signalled: their drivers have to be asked. */
static void dma_fence_array_test_signals_peek(struct kunit *test)
{
	for (int any = 0; any <= 1; any++) {
		int needed = any ? 1 : MEMBERS;
		struct fixture fix;

		fixture_create(test, &fix, any);
		for (int done = 0; done < needed; done++) {
			int i = finish_order[done];

			KUNIT_EXPECT_FALSE(test,
					   dma_fence_is_signaled(fix.base));
			to_mock_fence(fix.member[i])->peek_done = true;
		}
		KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fix.base));
		KUNIT_EXPECT_EQ(test, enabled_members(&fix), 0);
		fixture_put(&fix);
	}
}

struct count_cb {
	struct dma_fence_cb cb;
	struct completion called;
	unsigned int calls;
};

static void count_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct count_cb *count = container_of(cb, struct count_cb, cb);

	count->calls++;
	complete(&count->called);
}

/* Succeeds if the callbacks of the members signal the array, without a test. */
static void dma_fence_array_test_calls_back(struct kunit *test)
{
	const struct mode_case *param = test->param_value;
	struct count_cb count = {};
	struct fixture fix;

	init_completion(&count.called);
	fixture_create(test, &fix, param->any);
	if (!param->waited)
		dma_fence_signal(fix.member[0]);
	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fix.base, &count.cb,
						     count_cb_func),
			!param->waited && param->any ? -ENOENT : 0);

	for (int i = 0; i < MEMBERS; i++)
		dma_fence_signal(fix.member[i]);
	if (param->waited || !param->any) {
		KUNIT_EXPECT_GT(test,
				wait_for_completion_timeout(&count.called,
							    LONG_WAIT), 0);
		KUNIT_EXPECT_EQ(test, count.calls, 1);
	}
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fix.base, &count.cb));
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fix.base));
	fixture_put(&fix);
}

/* Enough members have signalled when signalling is enabled. */
static void dma_fence_array_test_enabled_late(struct kunit *test)
{
	const struct mode_case *param = test->param_value;
	struct fixture fix;

	fixture_create(test, &fix, param->any);
	for (int i = 0; i < MEMBERS; i++)
		dma_fence_signal(fix.member[i]);
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(fix.base));
	dma_fence_enable_sw_signaling(fix.base);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fix.base));
	fixture_put(&fix);
}

/* Succeeds if the callbacks on the members hold a reference to the array. */
static void dma_fence_array_test_outlives_its_user(struct kunit *test)
{
	struct fixture fix;

	fixture_create(test, &fix, false);
	dma_fence_enable_sw_signaling(fix.base);
	dma_fence_put(dma_fence_get(fix.base));
	KUNIT_EXPECT_EQ(test, kref_read(&fix.base->refcount), 1 + 2);

	dma_fence_put(fix.base);
	for (int i = 0; i < MEMBERS; i++)
		dma_fence_signal(fix.member[i]);
	for (int i = 0; i < MEMBERS; i++)
		dma_fence_put(fix.member[i]);
	/* The mock fences must be released when the case ends. */
}

/*
 * Succeeds if an array that signals with the first member stays until no
 * callback can run any more, whether a callback signals it or the first member
 * has signalled before.
 */
static void dma_fence_array_test_any_outlives_its_user(struct kunit *test)
{
	static const int first[] = { 0, 2 };

	for (int i = 0; i < ARRAY_SIZE(first); i++) {
		struct fixture fix;

		fixture_create(test, &fix, true);
		if (first[i])
			dma_fence_signal(fix.member[first[i]]);
		dma_fence_enable_sw_signaling(fix.base);
		dma_fence_signal(fix.member[first[i]]);
		KUNIT_EXPECT_EQ(test, dma_fence_wait(fix.base, false), 0);
		irq_work_sync(&fix.array->work);
		/* The caller's, and that of the callbacks that are left. */
		KUNIT_EXPECT_EQ(test, kref_read(&fix.base->refcount), 2);

		for (int j = 0; j < MEMBERS; j++)
			dma_fence_signal(fix.member[j]);
		KUNIT_EXPECT_EQ(test, kref_read(&fix.base->refcount), 1);
		fixture_put(&fix);
	}
}

/* -- the result ------------------------------------------------------------ */

struct result_case {
	const char *name;
	bool any;
	/*
	 * In the order in which they signal, ended by 0: number, error, time.
	 */
	struct {
		int member;
		int error;
		int time;
	} signals[MEMBERS];
	int status;
};

static const struct result_case result_cases[] = {
	{ "all: success", false,
	  { { 0, 0, 10 }, { 1, 0, 20 }, { 2, 0, 30 }, { 3, 0, 40 } }, 1 },
	{ "all: the only error", false,
	  { { 0, 0, 10 }, { 1, 0, 20 }, { 2, -EIO, 30 }, { 3, 0, 40 } }, -EIO },
	{ "all: the error of the last", false,
	  { { 0, 0, 10 }, { 1, 0, 20 }, { 2, 0, 30 }, { 3, -EIO, 40 } }, -EIO },
	{ "all: the first error, not the first member's", false,
	  { { 3, -ETIME, 10 }, { 2, 0, 20 }, { 1, -EIO, 30 }, { 0, -EBUSY, 40 } },
	  -ETIME },
	{ "all: first by time, though heard of later", false,
	  { { 0, -EIO, 90 }, { 1, 0, 20 }, { 2, -ETIME, 30 }, { 3, 0, 40 } },
	  -ETIME },
	{ "any: success", true, { { 1, 0, 10 } }, 1 },
	{ "any: the error of the one that signalled", true,
	  { { 1, -EIO, 10 } }, -EIO },
};

KUNIT_ARRAY_PARAM_DESC(result, result_cases, name);

static void array_result(struct kunit *test, bool waited)
{
	const struct result_case *param = test->param_value;
	struct fixture fix;

	fixture_create(test, &fix, param->any);
	if (waited)
		dma_fence_enable_sw_signaling(fix.base);

	for (int i = 0; i < (param->any ? 1 : MEMBERS); i++) {
		struct dma_fence *member = fix.member[param->signals[i].member];

		if (param->signals[i].error)
			dma_fence_set_error(member, param->signals[i].error);
		dma_fence_signal_timestamp(member, param->signals[i].time);
	}

	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(fix.base, false, LONG_WAIT),
			0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fix.base), param->status);

	/* Later members do not change it. */
	for (int i = 0; i < MEMBERS; i++) {
		if (!dma_fence_is_signaled(fix.member[i])) {
			dma_fence_set_error(fix.member[i], -ENODEV);
			dma_fence_signal_timestamp(fix.member[i], 1);
		}
	}
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fix.base), param->status);
	fixture_put(&fix);
}

static void dma_fence_array_test_result_waited(struct kunit *test)
{
	array_result(test, true);
}

static void dma_fence_array_test_result_peeked(struct kunit *test)
{
	array_result(test, false);
}

/* Two members signal before the array is tested: the earlier one decides. */
static void dma_fence_array_test_any_takes_the_earlier(struct kunit *test)
{
	struct fixture fix;

	fixture_create(test, &fix, true);
	dma_fence_signal_timestamp(fix.member[0], 200);
	dma_fence_set_error(fix.member[3], -EIO);
	dma_fence_signal_timestamp(fix.member[3], 100);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fix.base), -EIO);
	fixture_put(&fix);
}

/*
 * A driver that signals its fences by itself, as i915 does: the SIGNALED bit is
 * set in enable_signaling, with interrupts off, and the time is stored later,
 * from an irq_work of the same CPU.
 */
struct timeless_fence {
	struct dma_fence base;
	spinlock_t lock;	/* of @base */
	struct irq_work work;
	int error;
};

static void timeless_work(struct irq_work *work)
{
	struct timeless_fence *fence =
		container_of(work, struct timeless_fence, work);

	fence->base.timestamp = ktime_get();
	smp_mb__before_atomic(); /* the time before its bit */
	set_bit(DMA_FENCE_FLAG_TIMESTAMP_BIT, &fence->base.flags);
}

static bool timeless_enable_signaling(struct dma_fence *base)
{
	struct timeless_fence *fence =
		container_of(base, struct timeless_fence, base);

	if (fence->error)
		dma_fence_set_error(base, fence->error);
	set_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &base->flags);
	irq_work_queue(&fence->work);
	return true;
}

static const char *timeless_name(struct dma_fence *fence)
{
	return "timeless";
}

static const struct dma_fence_ops timeless_ops = {
	.get_driver_name	= timeless_name,
	.get_timeline_name	= timeless_name,
	.enable_signaling	= timeless_enable_signaling,
};

static struct dma_fence *timeless_create(struct kunit *test, int error)
{
	struct timeless_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fence);
	fence->error = error;
	spin_lock_init(&fence->lock);
	init_irq_work(&fence->work, timeless_work);
	dma_fence_init(&fence->base, &timeless_ops, &fence->lock,
		       dma_fence_context_alloc(1), 1);
	return &fence->base;
}

static void timeless_put(struct dma_fence *base)
{
	irq_work_sync(&container_of(base, struct timeless_fence, base)->work);
	dma_fence_put(base);
}

struct timeless_case {
	const char *name;
	bool any;
	int error[2];	/* of the members without a time, in this order */
	int earlier;	/* error of a third, which has one; 0 for no third */
	int status;
};

static const struct timeless_case timeless_cases[] = {
	{ "all: two errors, no time", false, { -EIO, -ETIME }, 0, -EIO },
	{ "all: one error, no time", false, { 0, -ETIME }, 0, -ETIME },
	{ "all: the one that has a time is the earlier one", false,
	  { -EIO, -ETIME }, -EBUSY, -EBUSY },
	{ "any: no time", true, { 0, -EIO }, 0, 1 },
	{ "any: the one that has a time is the earlier one", true,
	  { -EIO, -ETIME }, -EBUSY, -EBUSY },
};

KUNIT_ARRAY_PARAM_DESC(timeless, timeless_cases, name);

/*
 * Succeeds if an array finds its result with interrupts off, although the time
 * of a member cannot be stored before they are on again.
 */
static void dma_fence_array_test_result_without_time(struct kunit *test)
{
	const struct timeless_case *param = test->param_value;
	int count = param->earlier ? 3 : 2;
	struct dma_fence *member[3] = {}, **table;
	struct dma_fence_array *array;

	table = kmalloc_array(count, sizeof(*table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	for (int i = 0; i < 2; i++)
		member[i] = timeless_create(test, param->error[i]);
	if (param->earlier) {
		member[2] = mock_fence_create(test);
		dma_fence_set_error(member[2], param->earlier);
		dma_fence_signal_timestamp(member[2], 1);
	}
	for (int i = 0; i < count; i++)
		table[i] = dma_fence_get(member[i]);
	array = dma_fence_array_create(count, table, dma_fence_context_alloc(1),
				       1, param->any);
	KUNIT_ASSERT_NOT_NULL(test, array);

	/* Enables the members under the lock of the array. */
	if (param->any && !param->earlier)
		dma_fence_enable_sw_signaling(member[0]);
	dma_fence_enable_sw_signaling(&array->base);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(&array->base),
			param->status);

	dma_fence_put(&array->base);
	for (int i = 0; i < 2; i++)
		timeless_put(member[i]);
	dma_fence_put(member[2]);
}

/* Succeeds if the names of an array stay valid until its release. */
static void dma_fence_array_test_names_stay(struct kunit *test)
{
	struct fixture fix;

	fixture_create(test, &fix, true);
	dma_fence_signal(fix.member[0]);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fix.base));
	KUNIT_EXPECT_STREQ(test, dma_fence_driver_name(fix.base),
			   "dma_fence_array");
	KUNIT_EXPECT_STREQ(test, dma_fence_timeline_name(fix.base), "unbound");
	fixture_put(&fix);
}

/*
 * Succeeds if an array without a result reads neither as failed nor as
 * signalled.
 */
static void dma_fence_array_test_pending_status(struct kunit *test)
{
	struct fixture fix;

	fixture_create(test, &fix, false);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fix.base), 0);
	KUNIT_EXPECT_GE(test, fix.base->error, 0);
	dma_fence_set_error(fix.member[1], -EIO);
	dma_fence_signal(fix.member[1]);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fix.base), 0);
	KUNIT_EXPECT_GE(test, fix.base->error, 0);
	fixture_put(&fix);
}

/* -- access to members ----------------------------------------------------- */

static void dma_fence_array_test_iterate(struct kunit *test)
{
	struct dma_fence *fence;
	struct fixture fix;
	unsigned int i;

	fixture_create(test, &fix, false);

	dma_fence_array_for_each(fence, i, fix.base) {
		KUNIT_ASSERT_LT(test, i, MEMBERS);
		KUNIT_EXPECT_PTR_EQ(test, fence, fix.member[i]);
	}
	KUNIT_EXPECT_EQ(test, i, MEMBERS);
	KUNIT_EXPECT_NULL(test, dma_fence_array_next(fix.base, MEMBERS));
	KUNIT_EXPECT_NULL(test, dma_fence_array_next(fix.base, UINT_MAX));

	/* Another fence is its own only member. */
	dma_fence_array_for_each(fence, i, fix.member[0])
		KUNIT_EXPECT_PTR_EQ(test, fence, fix.member[0]);
	KUNIT_EXPECT_EQ(test, i, 1);

	dma_fence_array_for_each(fence, i, NULL)
		KUNIT_FAIL(test, "there is nothing in nothing");
	KUNIT_EXPECT_EQ(test, i, 0);

	fixture_put(&fix);
}

static void dma_fence_array_test_match_context(struct kunit *test)
{
	u64 context = dma_fence_context_alloc(2);
	struct dma_fence_array *array;
	struct dma_fence **table;

	table = kmalloc_array(3, sizeof(*table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	for (int i = 0; i < 3; i++)
		table[i] = mock_fence_create_on(test, context, i + 1);

	KUNIT_EXPECT_TRUE(test, dma_fence_match_context(table[0], context));
	KUNIT_EXPECT_FALSE(test, dma_fence_match_context(table[0], context + 1));

	/* The members count, not the array's own context. */
	array = dma_fence_array_create(3, table, context + 1, 1, false);
	KUNIT_ASSERT_NOT_NULL(test, array);
	KUNIT_EXPECT_TRUE(test, dma_fence_match_context(&array->base, context));
	KUNIT_EXPECT_FALSE(test, dma_fence_match_context(&array->base,
							 context + 1));

	/* One member of another context is enough. */
	dma_fence_put(table[2]);
	table[2] = mock_fence_create_on(test, context + 1, 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_match_context(&array->base, context));
	dma_fence_put(&array->base);
}

static void dma_fence_array_test_deadline(struct kunit *test)
{
	struct fixture fix;

	fixture_create(test, &fix, false);
	dma_fence_signal(fix.member[1]);
	dma_fence_set_deadline(fix.base, 5000);
	for (int i = 0; i < MEMBERS; i++)
		KUNIT_EXPECT_EQ(test, to_mock_fence(fix.member[i])->deadline,
				i == 1 ? KTIME_MAX : 5000);
	fixture_put(&fix);
}

static struct kunit_case dma_fence_array_cases[] = {
	KUNIT_CASE(dma_fence_array_test_create),
	KUNIT_CASE(dma_fence_array_test_alloc_then_init),
	KUNIT_CASE(dma_fence_array_test_misuse),
	KUNIT_CASE_PARAM(dma_fence_array_test_signals, mode_gen_params),
	KUNIT_CASE(dma_fence_array_test_signals_peek),
	KUNIT_CASE_PARAM(dma_fence_array_test_calls_back, mode_gen_params),
	KUNIT_CASE_PARAM(dma_fence_array_test_enabled_late, mode_gen_params),
	KUNIT_CASE(dma_fence_array_test_outlives_its_user),
	KUNIT_CASE(dma_fence_array_test_any_outlives_its_user),
	KUNIT_CASE_PARAM(dma_fence_array_test_result_waited, result_gen_params),
	KUNIT_CASE_PARAM(dma_fence_array_test_result_peeked, result_gen_params),
	KUNIT_CASE(dma_fence_array_test_any_takes_the_earlier),
	KUNIT_CASE_PARAM(dma_fence_array_test_result_without_time,
			 timeless_gen_params),
	KUNIT_CASE(dma_fence_array_test_pending_status),
	KUNIT_CASE(dma_fence_array_test_names_stay),
	KUNIT_CASE(dma_fence_array_test_iterate),
	KUNIT_CASE(dma_fence_array_test_match_context),
	KUNIT_CASE(dma_fence_array_test_deadline),
	{}
};

static struct kunit_suite dma_fence_array_suite = {
	.name = "dma_fence_array",
	.test_cases = dma_fence_array_cases,
};

kunit_test_suite(dma_fence_array_suite);
