/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock fence: a dma_fence whose driver does what the test tells it, and
 * remembers what it was asked.
 *
 * What it is:	the only fake fence of the test module. Everything that a
 *		driver decides about a fence is a field here: whether it can
 *		enable signalling, whether a peek finds it done, what its names
 *		are worth. Everything that the core asks is counted.
 * Life:	mock_fence_create() and its relatives hand the caller one
 *		reference, as a driver would get it from dma_fence_init(). The
 *		caller drops it with dma_fence_put(). When a test case ends and
 *		one of its mock fences still lives, that case fails: a leaked
 *		fence reference cannot pass unnoticed.
 * Locks:	each mock fence has a lock of its own. Fields that the ops
 *		write are read by the test after the call under test returned,
 *		or with READ_ONCE() while another thread runs.
 */
#ifndef _DMA_BUF_TESTS_MOCK_FENCE_H
#define _DMA_BUF_TESTS_MOCK_FENCE_H

#include <linux/dma-fence.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct kunit;
struct mock_fence_ledger;

/**
 * struct mock_fence - a fence with a scripted driver
 * @base: the fence under test
 * @lock: what @base.lock points to
 * @ledger: where births and deaths of this test case are counted
 * @refuse_signaling: enable_signaling answers false from now on
 * @refuse_error: error to set on the fence when refusing, 0 for none
 * @peek_done: the signaled op answers true from now on
 * @enable_calls: how often enable_signaling was called
 * @peek_calls: how often the signaled op was called
 * @name_calls: how often one of the two names was asked for
 * @deadline_calls: how often set_deadline was called
 * @deadline: the earliest deadline that was ever asked for, or KTIME_MAX
 */
struct mock_fence {
	struct dma_fence base;
	spinlock_t lock;	/* of @base, and guards @deadline */
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

/** MOCK_FENCE_DRIVER - what a living mock fence calls its driver */
#define MOCK_FENCE_DRIVER	"mock"
/** MOCK_FENCE_TIMELINE - what a living mock fence calls its timeline */
#define MOCK_FENCE_TIMELINE	"mock-timeline"

/*
 * Three drivers to choose from: one with every optional op (compares 32 bit of
 * the seqno), the same with 64 bit seqnos, and one with nothing but the
 * mandatory names.
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

int mock_fence_created(struct kunit *test);
int mock_fence_released(struct kunit *test);
int mock_fence_live(struct kunit *test);

void mock_fence_expect_misuse(struct kunit *test);
int mock_fence_misuses(struct kunit *test);

/**
 * to_mock_fence - from a fence to the mock around it
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
