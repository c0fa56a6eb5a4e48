// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-fence.c, -deadline, -stub and -lockdep, and of the inlines in
 * linux/dma-fence.h. Waiting is tested in dma_fence_wait_kunit.c, what needs
 * two CPUs in dma_fence_race_kunit.c.
 */
#include <kunit/test.h>

#include <linux/dma-fence.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "mock_fence.h"

/* A callback that records its fence and its place in the order of all calls. */
struct seen_cb {
	struct dma_fence_cb cb;
	struct dma_fence *fence;
	unsigned int *clock;
	unsigned int at;
	int error;
	bool node_was_empty;
};

static void seen_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct seen_cb *seen = container_of(cb, struct seen_cb, cb);

	seen->fence = fence;
	seen->error = fence->error;
	seen->node_was_empty = list_empty(&cb->node);
	seen->at = seen->clock ? ++*seen->clock : 1;
}

static bool fence_flag(struct dma_fence *fence, int bit)
{
	return test_bit(bit, &fence->flags);
}

/* -- initialization and release -------------------------------------------- */

static void dma_fence_test_sanitycheck(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);

	KUNIT_EXPECT_EQ(test, fence->seqno, 1);
	KUNIT_EXPECT_EQ(test, fence->error, 0);
	KUNIT_EXPECT_EQ(test, fence->flags, 0);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_container(fence));

	dma_fence_enable_sw_signaling(fence);
	KUNIT_EXPECT_EQ(test, dma_fence_signal(fence), 0);
	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, mock_fence_created(test), 1);
	KUNIT_EXPECT_EQ(test, mock_fence_released(test), 1);
}

static void dma_fence_test_refcount(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);

	KUNIT_EXPECT_PTR_EQ(test, dma_fence_get(fence), fence);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 2);
	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, mock_fence_live(test), 1);
	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, mock_fence_live(test), 0);

	KUNIT_EXPECT_NULL(test, dma_fence_get(NULL));
	dma_fence_put(NULL);
}

static void dma_fence_test_refcount_rcu(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_fence __rcu *slot = NULL;

	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, dma_fence_get_rcu_safe(&slot));

	RCU_INIT_POINTER(slot, fence);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_get_rcu_safe(&slot), fence);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_get_rcu(fence), fence);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 3);

	/* Released, but not freed before rcu_read_unlock(). */
	dma_fence_put(fence);
	dma_fence_put(fence);
	dma_fence_put(fence);
	KUNIT_EXPECT_NULL(test, dma_fence_get_rcu(fence));
	rcu_read_unlock();
}

static void dma_fence_test_cleanup_helpers(struct kunit *test)
{
	struct dma_fence *kept = mock_fence_create(test);

	{
		struct dma_fence *gone __free(dma_fence_put) =
			mock_fence_create(test);
		struct dma_fence *none __free(dma_fence_put) = NULL;
		struct dma_fence *error __free(dma_fence_put) =
			ERR_PTR(-ENOENT);
		struct dma_fence *taken __free(dma_fence_put) =
			dma_fence_get(kept);

		KUNIT_EXPECT_NOT_NULL(test, gone);
		KUNIT_EXPECT_NULL(test, none);
		KUNIT_EXPECT_TRUE(test, IS_ERR(error));
		KUNIT_EXPECT_PTR_EQ(test, no_free_ptr(taken), kept);
	}

	KUNIT_EXPECT_EQ(test, mock_fence_released(test), 1);
	KUNIT_EXPECT_EQ(test, kref_read(&kept->refcount), 2);
	dma_fence_put(kept);
	dma_fence_put(kept);
}

static void dma_fence_test_context(struct kunit *test)
{
	u64 first = dma_fence_context_alloc(3);
	u64 second = dma_fence_context_alloc(1);

	/*
	 * Other code may allocate meanwhile, but no number is 0 or given twice.
	 */
	KUNIT_EXPECT_GE(test, first, 1);
	KUNIT_EXPECT_GE(test, second, first + 3);
}

/* -- signalling ------------------------------------------------------------ */

static void dma_fence_test_signaling(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);

	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(fence));

	KUNIT_EXPECT_EQ(test, dma_fence_signal(fence), 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	KUNIT_EXPECT_TRUE(test, fence_flag(fence, DMA_FENCE_FLAG_TIMESTAMP_BIT));

	KUNIT_EXPECT_EQ(test, dma_fence_signal(fence), -EINVAL);
	dma_fence_put(fence);
}

static void dma_fence_test_signaling_locked(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	unsigned long flags;

	spin_lock_irqsave(fence->lock, flags);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled_locked(fence));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status_locked(fence), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_signal_locked(fence), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_signal_locked(fence), -EINVAL);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled_locked(fence));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status_locked(fence), 1);
	spin_unlock_irqrestore(fence->lock, flags);
	dma_fence_put(fence);
}

static void dma_fence_test_timestamps(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	ktime_t before = ktime_get();

	KUNIT_EXPECT_EQ(test, dma_fence_signal(fence), 0);
	KUNIT_EXPECT_GE(test, dma_fence_timestamp(fence), before);
	KUNIT_EXPECT_LE(test, dma_fence_timestamp(fence), ktime_get());
	dma_fence_put(fence);

	/* The time of the hardware is kept, that of a second signal is not. */
	fence = mock_fence_create(test);
	KUNIT_EXPECT_EQ(test, dma_fence_signal_timestamp(fence, 1234), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(fence), 1234);
	KUNIT_EXPECT_EQ(test, dma_fence_signal_timestamp(fence, 5678), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(fence), 1234);
	dma_fence_put(fence);
}

static void dma_fence_test_peek(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct mock_fence *mock = to_mock_fence(fence);
	struct seen_cb seen = {};

	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, &seen.cb,
						     seen_cb_func), 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_GT(test, mock->peek_calls, 0);
	KUNIT_EXPECT_EQ(test, seen.at, 0);

	/* A test that finds the work complete signals the fence. */
	mock->peek_done = true;
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(fence));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	KUNIT_EXPECT_EQ(test, seen.at, 1);

	mock->peek_calls = 0;
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, mock->peek_calls, 0);
	dma_fence_put(fence);
}

static void dma_fence_test_bare_driver(struct kunit *test)
{
	struct dma_fence *fence;
	struct seen_cb seen = {};

	fence = mock_fence_create_ops(test, &mock_fence_ops_bare,
				      dma_fence_context_alloc(1), 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	dma_fence_set_deadline(fence, ktime_get());
	dma_fence_enable_sw_signaling(fence);
	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, &seen.cb,
						     seen_cb_func), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_signal(fence), 0);
	KUNIT_EXPECT_EQ(test, seen.at, 1);
	dma_fence_put(fence);
}

/* A driver that frees its ops and lock once its fence has signalled. */
struct mortal_driver {
	struct dma_fence_ops ops;
	spinlock_t lock;	/* of its only fence */
};

static const char *mortal_name(struct dma_fence *fence)
{
	return "mortal";
}

static struct dma_fence *mortal_fence_create(struct kunit *test,
					     struct mortal_driver **driver,
					     bool wide)
{
	struct dma_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	*driver = kzalloc(sizeof(**driver), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_ASSERT_NOT_NULL(test, *driver);
	(*driver)->ops.use_64bit_seqno = wide;
	(*driver)->ops.get_driver_name = mortal_name;
	(*driver)->ops.get_timeline_name = mortal_name;
	spin_lock_init(&(*driver)->lock);
	dma_fence_init(fence, &(*driver)->ops, &(*driver)->lock,
		       dma_fence_context_alloc(1), 1);
	return fence;
}

/*
 * Both are freed after a grace period, so an access to either would be a use
 * after free, or here, of a NULL pointer.
 */
static void mortal_driver_go(struct dma_fence *fence, struct mortal_driver *driver)
{
	synchronize_rcu();
	kfree(driver);
	fence->ops = NULL;
	fence->lock = NULL;
}

static void dma_fence_test_outlives_its_driver(struct kunit *test)
{
	struct seen_cb early = {}, late = {};
	struct mortal_driver *driver;
	struct dma_fence *fence = mortal_fence_create(test, &driver, false);

	KUNIT_EXPECT_FALSE(test, dma_fence_test_orphan(fence));
	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, &early.cb,
						     seen_cb_func), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_signal(fence), 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_orphan(fence));
	mortal_driver_go(fence, driver);

	KUNIT_EXPECT_STREQ(test, dma_fence_driver_name(fence), "detached-driver");
	KUNIT_EXPECT_STREQ(test, dma_fence_timeline_name(fence),
			   "signaled-timeline");
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, &late.cb,
						     seen_cb_func), -ENOENT);
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fence, &early.cb));
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fence, &late.cb));
	dma_fence_enable_sw_signaling(fence);
	dma_fence_set_deadline(fence, ktime_get());
	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, true), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, false, 1), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(&fence, 1, false, 1,
							 NULL), 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_later(fence, fence));
	KUNIT_EXPECT_NULL(test, dma_fence_later(fence, fence));
	dma_fence_put(fence);
	rcu_barrier();
}

/* Succeeds if the comparison of seqnos does not need the ops. */
static void dma_fence_test_outlives_a_driver_of_64_bits(struct kunit *test)
{
	struct mortal_driver *driver;
	struct dma_fence *fence = mortal_fence_create(test, &driver, true);
	struct dma_fence other;

	dma_fence_init(&other, &driver->ops, &driver->lock, fence->context,
		       BIT_ULL(40));
	dma_fence_signal(&other);
	dma_fence_signal(fence);
	other.ops = NULL;
	mortal_driver_go(fence, driver);

	KUNIT_EXPECT_TRUE(test, dma_fence_is_later(&other, fence));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_later(fence, &other));
	dma_fence_put(fence);
	rcu_barrier();
}

/* Succeeds if a fence whose driver has a release op keeps its ops. */
static void dma_fence_test_with_release_keeps_its_ops(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);

	dma_fence_signal(fence);
	KUNIT_EXPECT_TRUE(test, fence_flag(fence, DMA_FENCE_FLAG_DETACHED_BIT));
	KUNIT_EXPECT_FALSE(test, dma_fence_test_orphan(fence));
	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, mock_fence_released(test), 1);
}

static void dma_fence_test_status(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);

	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 0);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	dma_fence_put(fence);
}

struct error_case {
	const char *name;
	int error;
};

static const struct error_case error_cases[] = {
	{ "reports a cancelled job", -ECANCELED },
	{ "reports a lost device", -ENODEV },
	{ "reports a timeout", -ETIME },
	{ "reports the smallest errno", -1 },
	{ "reports the greatest errno", -MAX_ERRNO },
};

KUNIT_ARRAY_PARAM_DESC(error, error_cases, name);

static void dma_fence_test_error(struct kunit *test)
{
	const struct error_case *param = test->param_value;
	struct dma_fence *fence = mock_fence_create(test);
	struct seen_cb seen = {};

	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence, &seen.cb,
						     seen_cb_func), 0);
	dma_fence_set_error(fence, param->error);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 0);

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), param->error);
	KUNIT_EXPECT_EQ(test, seen.error, param->error);
	dma_fence_put(fence);
}

/* -- enabling -------------------------------------------------------------- */

static void dma_fence_test_enable_once(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct seen_cb seen[3] = {};

	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, to_mock_fence(fence)->enable_calls, 0);

	for (int i = 0; i < ARRAY_SIZE(seen); i++)
		dma_fence_add_callback(fence, &seen[i].cb, seen_cb_func);
	dma_fence_enable_sw_signaling(fence);
	KUNIT_EXPECT_EQ(test, to_mock_fence(fence)->enable_calls, 1);

	dma_fence_signal(fence);
	dma_fence_enable_sw_signaling(fence);
	KUNIT_EXPECT_EQ(test, to_mock_fence(fence)->enable_calls, 1);
	dma_fence_put(fence);
}

static void dma_fence_test_enable_late(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);

	dma_fence_signal(fence);
	dma_fence_enable_sw_signaling(fence);
	KUNIT_EXPECT_EQ(test, to_mock_fence(fence)->enable_calls, 0);
	dma_fence_put(fence);
}

static void dma_fence_test_enable_refused(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct mock_fence *mock = to_mock_fence(fence);
	struct seen_cb seen = {};

	mock->refuse_signaling = true;
	mock->refuse_error = -EIO;
	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, &seen.cb,
						     seen_cb_func), -ENOENT);
	KUNIT_EXPECT_EQ(test, seen.at, 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -EIO);
	KUNIT_EXPECT_EQ(test, mock->enable_calls, 1);
	dma_fence_put(fence);
}

/* -- callbacks ------------------------------------------------------------- */

static void dma_fence_test_add_callback(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct seen_cb seen = {};

	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, &seen.cb,
						     seen_cb_func), 0);
	KUNIT_EXPECT_EQ(test, seen.at, 0);

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, seen.at, 1);
	KUNIT_EXPECT_PTR_EQ(test, seen.fence, fence);
	KUNIT_EXPECT_TRUE(test, seen.node_was_empty);
	dma_fence_put(fence);
}

static void dma_fence_test_late_add_callback(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct seen_cb seen = {};

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, &seen.cb,
						     seen_cb_func), -ENOENT);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, seen.at, 0);

	/* Allowed even for a callback that was never added. */
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fence, &seen.cb));
	dma_fence_put(fence);
}

static void dma_fence_test_rm_callback(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct seen_cb seen = {};

	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, &seen.cb,
						     seen_cb_func), 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_remove_callback(fence, &seen.cb));
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fence, &seen.cb));
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, seen.at, 0);
	dma_fence_put(fence);
}

static void dma_fence_test_late_rm_callback(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct seen_cb seen = {};

	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, &seen.cb,
						     seen_cb_func), 0);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, seen.at, 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fence, &seen.cb));
	dma_fence_put(fence);
}

static void dma_fence_test_callback_order(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct seen_cb seen[5] = {};
	unsigned int clock = 0;

	for (int i = 0; i < ARRAY_SIZE(seen); i++) {
		seen[i].clock = &clock;
		dma_fence_add_callback(fence, &seen[i].cb, seen_cb_func);
	}
	KUNIT_EXPECT_TRUE(test, dma_fence_remove_callback(fence, &seen[2].cb));

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, seen[0].at, 1);
	KUNIT_EXPECT_EQ(test, seen[1].at, 2);
	KUNIT_EXPECT_EQ(test, seen[2].at, 0);
	KUNIT_EXPECT_EQ(test, seen[3].at, 3);
	KUNIT_EXPECT_EQ(test, seen[4].at, 4);
	dma_fence_put(fence);
}

/* A callback that frees itself, and drops a reference that it holds. */
static void suicide_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	memset(cb, 0x5a, sizeof(*cb));
	kfree(cb);
	dma_fence_put(fence);
}

static void dma_fence_test_callback_frees_itself(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);

	for (int i = 0; i < 3; i++) {
		struct dma_fence_cb *cb = kzalloc(sizeof(*cb), GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, cb);
		dma_fence_get(fence);
		KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, cb,
							     suicide_cb_func),
				0);
	}

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 1);
	dma_fence_put(fence);
}

/* -- comparing ------------------------------------------------------------- */

struct later_case {
	const char *name;
	bool wide;
	u64 f1, f2;
	bool later;
};

static const struct later_case later_cases[] = {
	{ "32 bit: true for the next", false, 2, 1, true },
	{ "32 bit: false for the same", false, 2, 2, false },
	{ "32 bit: false for the one before", false, 1, 2, false },
	{ "32 bit: true across the wrap", false, 1, U32_MAX, true },
	{ "32 bit: false across the wrap, backwards", false, U32_MAX, 1, false },
	{ "32 bit: true at the greatest distance", false, 0x80000000, 1, true },
	{ "32 bit: ignores the upper half", false, BIT_ULL(32) + 1, 2, false },
	{ "64 bit: true for the next", true, 2, 1, true },
	{ "64 bit: false for the same", true, 2, 2, false },
	{ "64 bit: false where 32 bit would wrap", true, 1, U32_MAX, false },
	{ "64 bit: minds the upper half", true, BIT_ULL(32) + 1, 2, true },
	{ "64 bit: true for the greatest", true, U64_MAX, 1, true },
};

KUNIT_ARRAY_PARAM_DESC(later, later_cases, name);

static void dma_fence_test_later(struct kunit *test)
{
	const struct later_case *param = test->param_value;
	const struct dma_fence_ops *ops =
		param->wide ? &mock_fence_ops_64bit : &mock_fence_ops;
	u64 context = dma_fence_context_alloc(1);
	struct dma_fence *f1, *f2, *last;

	f1 = mock_fence_create_ops(test, ops, context, param->f1);
	f2 = mock_fence_create_ops(test, ops, context, param->f2);
	last = param->later ? f1 : f2;

	KUNIT_EXPECT_EQ(test, dma_fence_is_later(f1, f2), param->later);
	KUNIT_EXPECT_EQ(test, dma_fence_is_later_or_same(f1, f2), param->later);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_later_or_same(f1, f1));
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_later(f1, f2), last);

	/* Complete, although only its driver knows: none to wait for. */
	to_mock_fence(last)->peek_done = true;
	KUNIT_EXPECT_NULL(test, dma_fence_later(f1, f2));

	dma_fence_put(f1);
	dma_fence_put(f2);
}

/* -- stubs ----------------------------------------------------------------- */

static void dma_fence_test_stub(struct kunit *test)
{
	struct dma_fence *stub = dma_fence_get_stub();
	struct dma_fence *again = dma_fence_get_stub();
	struct seen_cb seen = {};

	KUNIT_EXPECT_PTR_EQ(test, stub, again);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(stub));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(stub), 1);
	KUNIT_EXPECT_EQ(test, stub->context, 0);
	KUNIT_EXPECT_STREQ(test, dma_fence_driver_name(stub), "stub");
	KUNIT_EXPECT_STREQ(test, dma_fence_timeline_name(stub), "stub");
	KUNIT_EXPECT_LE(test, dma_fence_timestamp(stub), ktime_get());
	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(stub, &seen.cb,
						     seen_cb_func), -ENOENT);
	KUNIT_EXPECT_EQ(test, dma_fence_wait(stub, true), 0);

	dma_fence_put(stub);
	dma_fence_put(again);
	/* The reference from boot is left. */
	KUNIT_EXPECT_GE(test, kref_read(&stub->refcount), 1);
}

static void dma_fence_test_private_stub(struct kunit *test)
{
	struct dma_fence *one = dma_fence_allocate_private_stub(1111);
	struct dma_fence *two = dma_fence_allocate_private_stub(2222);

	KUNIT_ASSERT_NOT_NULL(test, one);
	KUNIT_ASSERT_NOT_NULL(test, two);
	KUNIT_EXPECT_PTR_NE(test, one, two);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(one));
	KUNIT_EXPECT_TRUE(test,
			  fence_flag(one, DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT));
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(one), 1111);
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(two), 2222);
	KUNIT_EXPECT_EQ(test, kref_read(&one->refcount), 1);
	dma_fence_put(one);
	dma_fence_put(two);
}

/* -- deadlines ------------------------------------------------------------- */

static void dma_fence_test_deadline(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct mock_fence *mock = to_mock_fence(fence);

	dma_fence_set_deadline(fence, 3000);
	KUNIT_EXPECT_EQ(test, mock->deadline, 3000);
	dma_fence_set_deadline(fence, 1000);
	dma_fence_set_deadline(fence, 2000);
	KUNIT_EXPECT_EQ(test, mock->deadline, 1000);
	KUNIT_EXPECT_EQ(test, atomic_read(&mock->deadline_calls), 3);
	/* A hint does not enable signalling. */
	KUNIT_EXPECT_EQ(test, mock->enable_calls, 0);

	dma_fence_signal(fence);
	dma_fence_set_deadline(fence, 500);
	KUNIT_EXPECT_EQ(test, atomic_read(&mock->deadline_calls), 3);
	dma_fence_put(fence);
}

/* -- names ----------------------------------------------------------------- */

/* dma_fence_describe() into a buffer of the test, as a string. */
static const char *described(struct kunit *test, struct dma_fence *fence)
{
	struct seq_file seq = { .size = 256 };

	seq.buf = kunit_kzalloc(test, seq.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seq.buf);
	dma_fence_describe(fence, &seq);
	return seq.buf;
}

static void dma_fence_test_describe(struct kunit *test)
{
	struct dma_fence *fence;

	fence = mock_fence_create_on(test, dma_fence_context_alloc(1),
				     5000000000ULL);
	KUNIT_EXPECT_STREQ(test, described(test, fence),
			   "mock mock-timeline seq 5000000000 unsignalled\n");

	dma_fence_signal(fence);
	KUNIT_EXPECT_STREQ(test, described(test, fence),
			   "detached-driver signaled-timeline seq 5000000000 signalled\n");
	dma_fence_put(fence);

	fence = dma_fence_get_stub();
	KUNIT_EXPECT_STREQ(test, described(test, fence),
			   "stub stub seq 0 signalled\n");
	dma_fence_put(fence);
}

static void dma_fence_test_names(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct mock_fence *mock = to_mock_fence(fence);
	int asked;

	KUNIT_EXPECT_STREQ(test, dma_fence_driver_name(fence),
			   MOCK_FENCE_DRIVER);
	KUNIT_EXPECT_STREQ(test, dma_fence_timeline_name(fence),
			   MOCK_FENCE_TIMELINE);

	dma_fence_signal(fence);
	asked = atomic_read(&mock->name_calls);
	KUNIT_EXPECT_STRNEQ(test, dma_fence_driver_name(fence),
			    MOCK_FENCE_DRIVER);
	KUNIT_EXPECT_STRNEQ(test, dma_fence_timeline_name(fence),
			    MOCK_FENCE_TIMELINE);
	described(test, fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&mock->name_calls), asked);
	dma_fence_put(fence);
}

/* -- lockdep --------------------------------------------------------------- */

static void dma_fence_test_annotations(struct kunit *test)
{
	bool outer, inner, atomic;

	outer = dma_fence_begin_signalling();
	/* The cookie says that no section was opened. */
	KUNIT_EXPECT_EQ(test, outer, !IS_ENABLED(CONFIG_LOCKDEP));
	inner = dma_fence_begin_signalling();
	KUNIT_EXPECT_TRUE(test, inner);
	dma_fence_end_signalling(inner);
	dma_fence_end_signalling(outer);

	preempt_disable();
	atomic = dma_fence_begin_signalling();
	dma_fence_end_signalling(atomic);
	preempt_enable();
	KUNIT_EXPECT_TRUE(test, atomic);

	{
		guard(dma_fence_signalling)();
		inner = dma_fence_begin_signalling();
		dma_fence_end_signalling(inner);
	}
	KUNIT_EXPECT_TRUE(test, inner);

	/* The scope has closed its section: the next one is the outermost. */
	outer = dma_fence_begin_signalling();
	dma_fence_end_signalling(outer);
	KUNIT_EXPECT_EQ(test, outer, !IS_ENABLED(CONFIG_LOCKDEP));
}

/* Succeeds if waiting inside a section is allowed, and leaves that open. */
static void dma_fence_test_wait_in_annotation(struct kunit *test)
{
	struct dma_fence *fence = dma_fence_get_stub();
	bool outer, inner;

	outer = dma_fence_begin_signalling();
	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, false), 0);
	inner = dma_fence_begin_signalling();
	dma_fence_end_signalling(inner);
	dma_fence_end_signalling(outer);

	KUNIT_EXPECT_TRUE(test, inner);
	dma_fence_put(fence);
}

/* -- misuse ---------------------------------------------------------------- */

static void dma_fence_test_misuse_arguments(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct seen_cb seen = {};
	u64 context;

	mock_fence_expect_misuse(test);

	/*
	 * Drivers signal a fence that may be NULL: refused without a warning.
	 */
	KUNIT_EXPECT_EQ(test, dma_fence_signal(NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_fence_signal_locked(NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_fence_signal_timestamp(NULL, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_fence_signal_timestamp_locked(NULL, 0),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 0);

	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(NULL, &seen.cb,
						     seen_cb_func), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, NULL,
						     seen_cb_func), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, &seen.cb, NULL),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 3);
	KUNIT_EXPECT_EQ(test, to_mock_fence(fence)->enable_calls, 0);

	context = dma_fence_context_alloc(0);
	KUNIT_EXPECT_NE(test, dma_fence_context_alloc(1), context);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 4);
	dma_fence_put(fence);
}

/* Succeeds if releasing a pending fence calls its callbacks with an error. */
static void dma_fence_test_misuse_abandoned(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct seen_cb seen = {};

	mock_fence_expect_misuse(test);
	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence, &seen.cb,
						     seen_cb_func), 0);
	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, seen.at, 1);
	KUNIT_EXPECT_EQ(test, seen.error, -EDEADLK);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 1);
	KUNIT_EXPECT_EQ(test, mock_fence_released(test), 1);
}

/* Succeeds if releasing a pending fence without callbacks does not warn. */
static void dma_fence_test_release_pending(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);

	mock_fence_expect_misuse(test);
	dma_fence_enable_sw_signaling(fence);
	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 0);
	KUNIT_EXPECT_EQ(test, mock_fence_released(test), 1);
}

static const char *nameless(struct dma_fence *fence)
{
	return "?";
}

static const struct dma_fence_ops no_timeline_ops = {
	.get_driver_name	= nameless,
};

static const struct dma_fence_ops no_driver_ops = {
	.get_timeline_name	= nameless,
};

static const struct dma_fence_ops named_ops = {
	.get_driver_name	= nameless,
	.get_timeline_name	= nameless,
};

struct init_case {
	const char *name;
	const struct dma_fence_ops *ops;
	bool lock;
};

static const struct init_case init_cases[] = {
	{ "refuses missing ops", NULL, true },
	{ "refuses a missing lock", &named_ops, false },
	{ "refuses a missing driver name", &no_driver_ops, true },
	{ "refuses a missing timeline name", &no_timeline_ops, true },
};

KUNIT_ARRAY_PARAM_DESC(init, init_cases, name);

static void dma_fence_test_misuse_init(struct kunit *test)
{
	const struct init_case *param = test->param_value;
	struct mock_fence *mock;
	struct dma_fence *fence;

	/* Not from mock_fence_create(): this one is never released. */
	mock = kunit_kzalloc(test, sizeof(*mock), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mock);
	spin_lock_init(&mock->lock);
	fence = &mock->base;

	mock_fence_expect_misuse(test);
	dma_fence_init(fence, param->ops, param->lock ? &mock->lock : NULL,
		       7, 8);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 1);

	/* It counts as signalled, and what is missing is not used. */
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, false), 0);
	described(test, fence);
	dma_fence_enable_sw_signaling(fence);
	dma_fence_set_deadline(fence, 0);
	/* Does not free the memory, which KUnit manages here. */
	dma_fence_put(fence);
}

static struct kunit_case dma_fence_cases[] = {
	KUNIT_CASE(dma_fence_test_sanitycheck),
	KUNIT_CASE(dma_fence_test_refcount),
	KUNIT_CASE(dma_fence_test_refcount_rcu),
	KUNIT_CASE(dma_fence_test_cleanup_helpers),
	KUNIT_CASE(dma_fence_test_context),
	KUNIT_CASE(dma_fence_test_signaling),
	KUNIT_CASE(dma_fence_test_signaling_locked),
	KUNIT_CASE(dma_fence_test_timestamps),
	KUNIT_CASE(dma_fence_test_peek),
	KUNIT_CASE(dma_fence_test_bare_driver),
	KUNIT_CASE(dma_fence_test_outlives_its_driver),
	KUNIT_CASE(dma_fence_test_outlives_a_driver_of_64_bits),
	KUNIT_CASE(dma_fence_test_with_release_keeps_its_ops),
	KUNIT_CASE(dma_fence_test_status),
	KUNIT_CASE_PARAM(dma_fence_test_error, error_gen_params),
	KUNIT_CASE(dma_fence_test_enable_once),
	KUNIT_CASE(dma_fence_test_enable_late),
	KUNIT_CASE(dma_fence_test_enable_refused),
	KUNIT_CASE(dma_fence_test_add_callback),
	KUNIT_CASE(dma_fence_test_late_add_callback),
	KUNIT_CASE(dma_fence_test_rm_callback),
	KUNIT_CASE(dma_fence_test_late_rm_callback),
	KUNIT_CASE(dma_fence_test_callback_order),
	KUNIT_CASE(dma_fence_test_callback_frees_itself),
	KUNIT_CASE_PARAM(dma_fence_test_later, later_gen_params),
	KUNIT_CASE(dma_fence_test_stub),
	KUNIT_CASE(dma_fence_test_private_stub),
	KUNIT_CASE(dma_fence_test_deadline),
	KUNIT_CASE(dma_fence_test_describe),
	KUNIT_CASE(dma_fence_test_names),
	KUNIT_CASE(dma_fence_test_annotations),
	KUNIT_CASE(dma_fence_test_wait_in_annotation),
	KUNIT_CASE(dma_fence_test_misuse_arguments),
	KUNIT_CASE(dma_fence_test_misuse_abandoned),
	KUNIT_CASE(dma_fence_test_release_pending),
	KUNIT_CASE_PARAM(dma_fence_test_misuse_init, init_gen_params),
	{}
};

static struct kunit_suite dma_fence_suite = {
	.name = "dma_fence",
	.test_cases = dma_fence_cases,
};

kunit_test_suite(dma_fence_suite);
