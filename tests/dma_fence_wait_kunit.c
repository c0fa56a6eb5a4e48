// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-fence-wait.c: when a wait ends, and what it returns.
 *
 * No case asserts how long something took. Where a wait has to end because a
 * fence signals, its timeout is long; where it has to end by the timeout, the
 * fence does not signal.
 */
#include <kunit/test.h>

#include <linux/dma-fence.h>
#include <linux/sched/signal.h>
#include <linux/timer.h>

#include "mock_fence.h"

#define LONG_WAIT	(30 * HZ)
#define SHORT_WAIT	2

/* Signal a fence from interrupt context, a tick or two from now. */
struct later_signal {
	struct timer_list timer;
	struct dma_fence *fence;
};

static void later_signal_func(struct timer_list *timer)
{
	struct later_signal *later = from_timer(later, timer, timer);

	dma_fence_signal(later->fence);
}

static void later_signal_start(struct later_signal *later,
			       struct dma_fence *fence)
{
	later->fence = fence;
	timer_setup_on_stack(&later->timer, later_signal_func, 0);
	mod_timer(&later->timer, jiffies + 2);
}

static void later_signal_stop(struct later_signal *later)
{
	timer_delete_sync(&later->timer);
	destroy_timer_on_stack(&later->timer);
}

/* -- one fence ------------------------------------------------------------- */

typedef signed long (*wait_func_t)(struct dma_fence *fence, bool intr,
				   signed long timeout);

struct wait_case {
	const char *name;
	wait_func_t wait;
	bool intr;
};

static const struct wait_case wait_cases[] = {
	{ "wait_timeout", dma_fence_wait_timeout, false },
	{ "wait_timeout, interruptible", dma_fence_wait_timeout, true },
	{ "default_wait", dma_fence_default_wait, false },
	{ "default_wait, interruptible", dma_fence_default_wait, true },
};

KUNIT_ARRAY_PARAM_DESC(wait, wait_cases, name);

/*
 * Succeeds if a timeout of 0 enables signalling and tests, but does not sleep.
 */
static void dma_fence_wait_test_zero(struct kunit *test)
{
	const struct wait_case *param = test->param_value;
	struct dma_fence *fence = mock_fence_create(test);

	KUNIT_EXPECT_EQ(test, param->wait(fence, param->intr, 0), 0);
	KUNIT_EXPECT_EQ(test, to_mock_fence(fence)->enable_calls, 1);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, param->wait(fence, param->intr, 0), 1);
	dma_fence_put(fence);
}

static void dma_fence_wait_test_signaled(struct kunit *test)
{
	const struct wait_case *param = test->param_value;
	struct dma_fence *fence = mock_fence_create(test);

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, param->wait(fence, param->intr, 123), 123);
	KUNIT_EXPECT_EQ(test, param->wait(fence, param->intr,
					  MAX_SCHEDULE_TIMEOUT),
			MAX_SCHEDULE_TIMEOUT);
	dma_fence_put(fence);
}

static void dma_fence_wait_test_refused(struct kunit *test)
{
	const struct wait_case *param = test->param_value;
	struct dma_fence *fence = mock_fence_create(test);

	/* The driver refuses, so the fence signals at once. */
	to_mock_fence(fence)->refuse_signaling = true;
	KUNIT_EXPECT_EQ(test, param->wait(fence, param->intr, 123), 123);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	dma_fence_put(fence);
}

static void dma_fence_wait_test_runs_out(struct kunit *test)
{
	const struct wait_case *param = test->param_value;
	struct dma_fence *fence = mock_fence_create(test);

	KUNIT_EXPECT_EQ(test, param->wait(fence, param->intr, SHORT_WAIT), 0);

	/*
	 * The callback is removed: else this would use a stack frame that
	 * ended.
	 */
	KUNIT_EXPECT_TRUE(test, list_empty(&fence->cb_list));
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static void dma_fence_wait_test_signaled_later(struct kunit *test)
{
	const struct wait_case *param = test->param_value;
	struct dma_fence *fence = mock_fence_create(test);
	struct later_signal later;
	signed long left;

	later_signal_start(&later, fence);
	left = param->wait(fence, param->intr, LONG_WAIT);
	KUNIT_EXPECT_GT(test, left, 0);
	KUNIT_EXPECT_LE(test, left, LONG_WAIT);
	later_signal_stop(&later);
	dma_fence_put(fence);
}

static void dma_fence_wait_test_interrupted(struct kunit *test)
{
	const struct wait_case *param = test->param_value;
	struct dma_fence *fence = mock_fence_create(test);
	signed long ret;

	allow_signal(SIGUSR1);
	KUNIT_ASSERT_EQ(test, send_sig(SIGUSR1, current, 1), 0);

	ret = param->wait(fence, param->intr, SHORT_WAIT);
	KUNIT_EXPECT_EQ(test, ret, param->intr ? -ERESTARTSYS : 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&fence->cb_list));

	/* A signalled fence takes precedence over a pending signal. */
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, param->wait(fence, param->intr, 5), 5);

	disallow_signal(SIGUSR1);
	flush_signals(current);
	dma_fence_put(fence);
}

static void dma_fence_wait_test_negative(struct kunit *test)
{
	const struct wait_case *param = test->param_value;
	struct dma_fence *fence = mock_fence_create(test);

	mock_fence_expect_misuse(test);
	KUNIT_EXPECT_EQ(test, param->wait(fence, param->intr, -1), -EINVAL);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 1);
	KUNIT_EXPECT_EQ(test, to_mock_fence(fence)->enable_calls, 0);
	dma_fence_put(fence);
}

/* Succeeds if dma_fence_wait() returns 0 for a signalled fence. */
static void dma_fence_wait_test_unlimited(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct later_signal later;

	allow_signal(SIGUSR1);
	KUNIT_ASSERT_EQ(test, send_sig(SIGUSR1, current, 1), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, true), -ERESTARTSYS);
	disallow_signal(SIGUSR1);
	flush_signals(current);

	later_signal_start(&later, fence);
	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, false), 0);
	later_signal_stop(&later);
	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, true), 0);
	dma_fence_put(fence);
}

/* Succeeds if waiting for a fence with an error succeeds. */
static void dma_fence_wait_test_for_failure(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);

	dma_fence_set_error(fence, -EIO);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, false), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -EIO);
	dma_fence_put(fence);
}

/* The op is called whether or not the fence has signalled. */
static signed long own_wait(struct dma_fence *fence, bool intr,
			    signed long timeout)
{
	return dma_fence_test_signaled_flag(fence) ? 4321 : -EIO;
}

static void dma_fence_wait_test_of_the_driver(struct kunit *test)
{
	struct dma_fence_ops *ops;
	struct dma_fence *fence;

	ops = kunit_kmalloc(test, sizeof(*ops), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ops);
	*ops = mock_fence_ops;
	ops->wait = own_wait;

	fence = mock_fence_create_ops(test, ops, dma_fence_context_alloc(1), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, true, 1), -EIO);
	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, true), -EIO);
	KUNIT_EXPECT_EQ(test, to_mock_fence(fence)->enable_calls, 1);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, true, 1), 4321);
	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, true), 0);
	dma_fence_put(fence);
}

/* -- the first of several -------------------------------------------------- */

#define ANY_COUNT	4

struct any_fences {
	struct dma_fence *fences[ANY_COUNT];
};

static void any_create(struct kunit *test, struct any_fences *any)
{
	for (int i = 0; i < ANY_COUNT; i++)
		any->fences[i] = mock_fence_create(test);
}

static void any_put(struct any_fences *any)
{
	for (int i = 0; i < ANY_COUNT; i++)
		dma_fence_put(any->fences[i]);
}

static void dma_fence_wait_test_any_zero(struct kunit *test)
{
	struct any_fences any;
	u32 idx = 77;

	any_create(test, &any);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(any.fences, ANY_COUNT,
							 true, 0, &idx), 0);
	KUNIT_EXPECT_EQ(test, idx, 77);
	KUNIT_EXPECT_EQ(test, to_mock_fence(any.fences[0])->enable_calls, 0);

	/* Its driver is asked, although it has not signalled. */
	to_mock_fence(any.fences[2])->peek_done = true;
	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(any.fences, ANY_COUNT,
							 true, 0, &idx), 1);
	KUNIT_EXPECT_EQ(test, idx, 2);
	any_put(&any);
}

static void dma_fence_wait_test_any_signaled(struct kunit *test)
{
	struct any_fences any;
	u32 idx = 77;

	any_create(test, &any);
	dma_fence_signal(any.fences[3]);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(any.fences, ANY_COUNT,
							 false, 123, &idx), 123);
	KUNIT_EXPECT_EQ(test, idx, 3);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(any.fences, ANY_COUNT,
							 false, 123, NULL), 123);
	any_put(&any);
}

/* Succeeds if a driver may refuse while the callbacks are added. */
static void dma_fence_wait_test_any_refused(struct kunit *test)
{
	struct any_fences any;
	u32 idx = 77;

	any_create(test, &any);
	to_mock_fence(any.fences[1])->refuse_signaling = true;
	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(any.fences, ANY_COUNT,
							 false, 123, &idx), 123);
	KUNIT_EXPECT_EQ(test, idx, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&any.fences[0]->cb_list));
	any_put(&any);
}

static void dma_fence_wait_test_any_runs_out(struct kunit *test)
{
	struct any_fences any;
	u32 idx = 77;

	any_create(test, &any);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(any.fences, ANY_COUNT,
							 false, SHORT_WAIT,
							 &idx), 0);
	KUNIT_EXPECT_EQ(test, idx, 77);
	for (int i = 0; i < ANY_COUNT; i++) {
		KUNIT_EXPECT_EQ(test,
				to_mock_fence(any.fences[i])->enable_calls, 1);
		KUNIT_EXPECT_TRUE(test, list_empty(&any.fences[i]->cb_list));
	}
	any_put(&any);
}

static void dma_fence_wait_test_any_signaled_later(struct kunit *test)
{
	struct later_signal later;
	struct any_fences any;
	signed long left;

	for (u32 which = 0; which < ANY_COUNT; which++) {
		u32 idx = 77;

		any_create(test, &any);
		later_signal_start(&later, any.fences[which]);
		left = dma_fence_wait_any_timeout(any.fences, ANY_COUNT, true,
						  LONG_WAIT, &idx);
		KUNIT_EXPECT_GT(test, left, 0);
		KUNIT_EXPECT_LE(test, left, LONG_WAIT);
		KUNIT_EXPECT_EQ(test, idx, which);
		later_signal_stop(&later);
		any_put(&any);
	}
}

static void dma_fence_wait_test_any_interrupted(struct kunit *test)
{
	struct any_fences any;

	any_create(test, &any);
	allow_signal(SIGUSR1);
	KUNIT_ASSERT_EQ(test, send_sig(SIGUSR1, current, 1), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(any.fences, ANY_COUNT,
							 true, LONG_WAIT, NULL),
			-ERESTARTSYS);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(any.fences, ANY_COUNT,
							 false, SHORT_WAIT,
							 NULL), 0);
	disallow_signal(SIGUSR1);
	flush_signals(current);
	any_put(&any);
}

static void dma_fence_wait_test_any_misuse(struct kunit *test)
{
	struct any_fences any;

	any_create(test, &any);
	mock_fence_expect_misuse(test);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(NULL, ANY_COUNT, true,
							 1, NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(any.fences, 0, true, 1,
							 NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(any.fences, ANY_COUNT,
							 true, -1, NULL),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 3);
	any_put(&any);
}

static struct kunit_case dma_fence_wait_cases[] = {
	KUNIT_CASE_PARAM(dma_fence_wait_test_zero, wait_gen_params),
	KUNIT_CASE_PARAM(dma_fence_wait_test_signaled, wait_gen_params),
	KUNIT_CASE_PARAM(dma_fence_wait_test_refused, wait_gen_params),
	KUNIT_CASE_PARAM(dma_fence_wait_test_runs_out, wait_gen_params),
	KUNIT_CASE_PARAM(dma_fence_wait_test_signaled_later, wait_gen_params),
	KUNIT_CASE_PARAM(dma_fence_wait_test_interrupted, wait_gen_params),
	KUNIT_CASE_PARAM(dma_fence_wait_test_negative, wait_gen_params),
	KUNIT_CASE(dma_fence_wait_test_unlimited),
	KUNIT_CASE(dma_fence_wait_test_for_failure),
	KUNIT_CASE(dma_fence_wait_test_of_the_driver),
	KUNIT_CASE(dma_fence_wait_test_any_zero),
	KUNIT_CASE(dma_fence_wait_test_any_signaled),
	KUNIT_CASE(dma_fence_wait_test_any_refused),
	KUNIT_CASE(dma_fence_wait_test_any_runs_out),
	KUNIT_CASE(dma_fence_wait_test_any_signaled_later),
	KUNIT_CASE(dma_fence_wait_test_any_interrupted),
	KUNIT_CASE(dma_fence_wait_test_any_misuse),
	{}
};

static struct kunit_suite dma_fence_wait_suite = {
	.name = "dma_fence_wait",
	.test_cases = dma_fence_wait_cases,
};

kunit_test_suite(dma_fence_wait_suite);
