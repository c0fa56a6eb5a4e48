// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ops of the mock fence, see mock_fence.h, and a ledger of fences created
 * and released for each test case.
 *
 * The ledger is a KUnit resource of the case, freed after all others. Each
 * fence holds a reference to it, so that one which outlives its test is still
 * counted in valid memory. A leaked fence is the one thing that this file fails
 * a test for. The counters are atomic.
 */
#include <kunit/resource.h>
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <kunit/test-bug.h>

#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "../dma-buf-misuse.h"
#include "mock_fence.h"

/* Time for a last put after the end of the test, for example in a workqueue. */
#define MOCK_FENCE_GRACE	(60 * HZ)

struct mock_fence_ledger {
	struct kunit *test;
	struct kref refcount;
	struct completion release;
	atomic_t created;
	atomic_t released;
	atomic_t misuses;
};

static void ledger_free(struct kref *refcount)
{
	struct mock_fence_ledger *ledger =
		container_of(refcount, struct mock_fence_ledger, refcount);

	kfree(ledger);
}

static int ledger_live(struct mock_fence_ledger *ledger)
{
	return atomic_read(&ledger->created) - atomic_read(&ledger->released);
}

static void ledger_note_release(struct mock_fence_ledger *ledger)
{
	atomic_inc(&ledger->released);
	complete(&ledger->release);
	kref_put(&ledger->refcount, ledger_free);
}

/* Runs at the end of the test case: every fence of it must be released. */
static void ledger_close(struct kunit_resource *res)
{
	struct mock_fence_ledger *ledger = res->data;

	/* There is one completion for each release. */
	while (ledger_live(ledger) > 0)
		if (!wait_for_completion_timeout(&ledger->release,
						 MOCK_FENCE_GRACE))
			break;

	if (ledger_live(ledger) > 0)
		KUNIT_FAIL(ledger->test, "%d mock fence(s) leaked",
			   ledger_live(ledger));
	kref_put(&ledger->refcount, ledger_free);
}

static bool ledger_match(struct kunit *test, struct kunit_resource *res,
			 void *unused)
{
	return res->free == ledger_close;
}

static struct mock_fence_ledger *ledger_find(struct kunit *test)
{
	struct mock_fence_ledger *ledger;
	struct kunit_resource *res;

	res = kunit_find_resource(test, ledger_match, NULL);
	if (!res)
		return NULL;

	/* Stays valid: the list of resources keeps it until the test ends. */
	ledger = res->data;
	kunit_put_resource(res);
	return ledger;
}

static struct mock_fence_ledger *ledger_open(struct kunit *test)
{
	struct mock_fence_ledger *ledger = ledger_find(test);
	struct kunit_resource *res;

	if (ledger)
		return ledger;

	ledger = kzalloc(sizeof(*ledger), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ledger);
	ledger->test = test;
	kref_init(&ledger->refcount);
	init_completion(&ledger->release);

	res = kunit_alloc_and_get_resource(test, NULL, ledger_close, GFP_KERNEL,
					   ledger);
	if (!res)
		kfree(ledger);
	KUNIT_ASSERT_NOT_NULL(test, res);

	/*
	 * KUnit frees from the tail. The ledger goes to the head, because other
	 * resources of the case may hold fences, for example a buffer that was
	 * created before the first fence.
	 */
	spin_lock_irq(&test->lock);
	list_move(&res->node, &test->resources);
	spin_unlock_irq(&test->lock);
	kunit_put_resource(res);
	return ledger;
}

static const char *mock_driver_name(struct dma_fence *fence)
{
	atomic_inc(&to_mock_fence(fence)->name_calls);
	return MOCK_FENCE_DRIVER;
}

static const char *mock_timeline_name(struct dma_fence *fence)
{
	atomic_inc(&to_mock_fence(fence)->name_calls);
	return MOCK_FENCE_TIMELINE;
}

static bool mock_enable_signaling(struct dma_fence *fence)
{
	struct mock_fence *mock = to_mock_fence(fence);

	lockdep_assert_held(&mock->lock);
	WRITE_ONCE(mock->enable_calls, mock->enable_calls + 1);
	if (!READ_ONCE(mock->refuse_signaling))
		return true;

	if (mock->refuse_error)
		dma_fence_set_error(fence, mock->refuse_error);
	return false;
}

static bool mock_signaled(struct dma_fence *fence)
{
	struct mock_fence *mock = to_mock_fence(fence);

	WRITE_ONCE(mock->peek_calls, mock->peek_calls + 1);
	return READ_ONCE(mock->peek_done);
}

static void mock_set_deadline(struct dma_fence *fence, ktime_t deadline)
{
	struct mock_fence *mock = to_mock_fence(fence);
	unsigned long flags;

	/* Deadlocks if the core calls this with the lock held. */
	spin_lock_irqsave(&mock->lock, flags);
	if (ktime_before(deadline, mock->deadline))
		mock->deadline = deadline;
	spin_unlock_irqrestore(&mock->lock, flags);
	atomic_inc(&mock->deadline_calls);
}

static void mock_release(struct dma_fence *fence)
{
	struct mock_fence_ledger *ledger = to_mock_fence(fence)->ledger;

	dma_fence_free(fence);
	ledger_note_release(ledger);
}

static void mock_value_str(struct dma_fence *fence, char *str, int size)
{
	snprintf(str, size, "%llu", fence->seqno);
}

#define MOCK_FENCE_FULL_OPS					\
	.get_driver_name	= mock_driver_name,		\
	.get_timeline_name	= mock_timeline_name,		\
	.enable_signaling	= mock_enable_signaling,	\
	.signaled		= mock_signaled,		\
	.release		= mock_release,			\
	.fence_value_str	= mock_value_str,		\
	.timeline_value_str	= mock_value_str,		\
	.set_deadline		= mock_set_deadline

const struct dma_fence_ops mock_fence_ops = {
	MOCK_FENCE_FULL_OPS,
};

const struct dma_fence_ops mock_fence_ops_64bit = {
	.use_64bit_seqno	= true,
	MOCK_FENCE_FULL_OPS,
};

const struct dma_fence_ops mock_fence_ops_bare = {
	.get_driver_name	= mock_driver_name,
	.get_timeline_name	= mock_timeline_name,
	.release		= mock_release,
};

/**
 * mock_fence_create_ops - create a mock fence with given ops
 * @test: the running test case
 * @ops: one of the mock_fence_ops, or ops of the test which use them
 * @context: context of the new fence
 * @seqno: seqno of the new fence
 *
 * An ops table of the test must use the release op of mock_fence_ops, or call
 * it last.
 *
 * Context: Process context of the test; may sleep. Ends the test case when
 *	    out of memory.
 * Return: an unsignalled fence with one reference, the caller's.
 */
struct dma_fence *mock_fence_create_ops(struct kunit *test,
					const struct dma_fence_ops *ops,
					u64 context, u64 seqno)
{
	struct mock_fence_ledger *ledger = ledger_open(test);
	struct mock_fence *mock;

	/* Freed with kfree_rcu() by the core, so not managed by KUnit. */
	mock = kzalloc(sizeof(*mock), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mock);

	kref_get(&ledger->refcount);
	atomic_inc(&ledger->created);
	mock->ledger = ledger;
	mock->deadline = KTIME_MAX;
	spin_lock_init(&mock->lock);
	dma_fence_init(&mock->base, ops, &mock->lock, context, seqno);
	return &mock->base;
}

/**
 * mock_fence_create_on - create a mock fence with a given context and seqno
 * @test: the running test case
 * @context: context of the new fence
 * @seqno: seqno of the new fence
 *
 * Context: Process context of the test; may sleep. Ends the test case when
 *	    out of memory.
 * Return: an unsignalled fence with one reference, the caller's.
 */
struct dma_fence *mock_fence_create_on(struct kunit *test, u64 context,
				       u64 seqno)
{
	return mock_fence_create_ops(test, &mock_fence_ops, context, seqno);
}

/**
 * mock_fence_create - create a mock fence on a timeline of its own
 * @test: the running test case
 *
 * Context: Process context of the test; may sleep. Ends the test case when
 *	    out of memory.
 * Return: an unsignalled fence with one reference, the caller's.
 */
struct dma_fence *mock_fence_create(struct kunit *test)
{
	return mock_fence_create_on(test, dma_fence_context_alloc(1), 1);
}

/**
 * mock_fence_add - create a mock fence and add it to a reservation object
 * @test: the running test case
 * @resv: the object, not locked by the caller
 * @usage: what the fence stands for
 *
 * Context: Process context of the test; may sleep. Takes the lock of @resv.
 *	    Ends the test case when out of memory.
 * Return: an unsignalled fence. @resv has a reference, and the caller another.
 */
struct dma_fence *mock_fence_add(struct kunit *test, struct dma_resv *resv,
				 enum dma_resv_usage usage)
{
	struct dma_fence *fence = mock_fence_create(test);
	int ret;

	dma_resv_lock(resv, NULL);
	ret = dma_resv_reserve_fences(resv, 1);
	if (!ret)
		dma_resv_add_fence(resv, fence, usage);
	dma_resv_unlock(resv);
	if (ret)
		dma_fence_put(fence);
	KUNIT_ASSERT_EQ(test, ret, 0);
	return fence;
}

/**
 * mock_fence_created - count the mock fences that a test case has created
 * @test: the running test case
 *
 * Context: Any.
 * Return: the count, including released ones.
 */
int mock_fence_created(struct kunit *test)
{
	struct mock_fence_ledger *ledger = ledger_find(test);

	return ledger ? atomic_read(&ledger->created) : 0;
}

/**
 * mock_fence_released - count the mock fences of a test case that are released
 * @test: the running test case
 *
 * Context: Any.
 * Return: the number of release ops that ran.
 */
int mock_fence_released(struct kunit *test)
{
	struct mock_fence_ledger *ledger = ledger_find(test);

	return ledger ? atomic_read(&ledger->released) : 0;
}

/**
 * mock_fence_live - count the mock fences of a test case that are not released
 * @test: the running test case
 *
 * Context: Any.
 * Return: created minus released.
 */
int mock_fence_live(struct kunit *test)
{
	struct mock_fence_ledger *ledger = ledger_find(test);

	return ledger ? ledger_live(ledger) : 0;
}

/* Replaces dma_buf_misuse_expected() on the thread of the test. */
static bool mock_misuse_expected(void)
{
	struct kunit *test = kunit_get_current_test();
	struct mock_fence_ledger *ledger = test ? ledger_find(test) : NULL;

	if (ledger)
		atomic_inc(&ledger->misuses);
	return true;
}

/**
 * mock_fence_expect_misuse - announce mistakes that a test makes on purpose
 * @test: the running test case
 *
 * Until the end of the case, mistakes made on this thread are counted instead
 * of warned about. They are still refused.
 *
 * Context: Process context of the test; may sleep. Ends the test case when
 *	    out of memory.
 */
void mock_fence_expect_misuse(struct kunit *test)
{
	ledger_open(test);
	kunit_activate_static_stub(test, dma_buf_misuse_expected,
				   mock_misuse_expected);
}

/**
 * mock_fence_misuses - count the mistakes made since mock_fence_expect_misuse()
 * @test: a test case that called mock_fence_expect_misuse()
 *
 * Context: Any.
 * Return: the count since then.
 */
int mock_fence_misuses(struct kunit *test)
{
	struct mock_fence_ledger *ledger = ledger_find(test);

	return ledger ? atomic_read(&ledger->misuses) : 0;
}

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
