/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock fence: a dma_fence whose driver does what the test says
 *
 * Everything that a driver decides about a fence is a field here: whether it
 * can enable signalling, whether its work is complete, the names. Everything
 * that the core calls is counted.
 *
 * mock_fence_create() and its relatives, mock_fence_add() among them, return
 * one reference, which the caller drops with dma_fence_put(). A test case that
 * ends while one of its mock fences is not released fails, so no reference
 * leaks unnoticed.
 *
 * Each mock fence has a lock of its own. Fields that the ops write are read by
 * the test after the call under test has returned, or with READ_ONCE() while
 * another thread runs.
 */
#ifndef _DMA_BUF_TESTS_MOCK_FENCE_H
#define _DMA_BUF_TESTS_MOCK_FENCE_H

#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct kunit;
struct mock_fence_ledger;

/**
 * struct mock_fence - a fence with a scripted driver
 * @base: the fence under test
 * @lock: what @base.lock points to
 * @ledger: counts the fences created and released by this test case
 * @refuse_signaling: enable_signaling returns false from now on
 * @refuse_error: error to set on the fence when refusing, 0 for none
 * @peek_done: the signaled op returns true from now on
 * @enable_calls: number of calls of enable_signaling
 * @peek_calls: number of calls of the signaled op
 * @name_calls: number of calls of the two name ops
 * @deadline_calls: number of calls of set_deadline
 * @deadline: the earliest deadline set, or KTIME_MAX
 */
struct mock_fence {
	struct dma_fence base;
	spinlock_t lock;	/* of @base, and protects @deadline */
	struct mock_fence_ledger *ledger;

	/* The script: written by the test, read by the ops. */
	bool refuse_signaling;
	int refuse_error;
	bool peek_done;

	/* The record: written by the ops, read by the test. */
	unsigned int enable_calls;
	unsigned int peek_calls;
	atomic_t name_calls;
	atomic_t deadline_calls;
	ktime_t deadline;
};

/** MOCK_FENCE_DRIVER - driver name of a pending mock fence */
#define MOCK_FENCE_DRIVER	"mock"
/** MOCK_FENCE_TIMELINE - timeline name of a pending mock fence */
#define MOCK_FENCE_TIMELINE	"mock-timeline"

/*
 * Three drivers: one with every optional op but wait (and 32-bit seqnos), the
 * same with 64-bit seqnos, and one with the mandatory names and release only.
 */
extern const struct dma_fence_ops mock_fence_ops;
extern const struct dma_fence_ops mock_fence_ops_64bit;
extern const struct dma_fence_ops mock_fence_ops_bare;

struct dma_fence *mock_fence_create_ops(struct kunit *test,
					const struct dma_fence_ops *ops,
					u64 context, u64 seqno);
struct dma_fence *mock_fence_create_on(struct kunit *test, u64 context,
				       u64 seqno);
struct dma_fence *mock_fence_create(struct kunit *test);
struct dma_fence *mock_fence_add(struct kunit *test, struct dma_resv *resv,
				 enum dma_resv_usage usage);

int mock_fence_created(struct kunit *test);
int mock_fence_released(struct kunit *test);
int mock_fence_live(struct kunit *test);

void mock_fence_expect_misuse(struct kunit *test);
int mock_fence_misuses(struct kunit *test);

/**
 * to_mock_fence - get the mock around a fence
 * @fence: a fence that one of the mock_fence_create functions returned
 *
 * Context: Any.
 * Return: the mock fence.
 */
static inline struct mock_fence *to_mock_fence(struct dma_fence *fence)
{
	return container_of(fence, struct mock_fence, base);
}

#endif /* _DMA_BUF_TESTS_MOCK_FENCE_H */
