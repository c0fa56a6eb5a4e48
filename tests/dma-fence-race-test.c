// SPDX-License-Identifier: GPL-2.0-only
/*
 * Races of fences that only two CPUs can run: signalling against callbacks,
 * waits, enabling and the last put; looking up against dying, searching a chain
 * against signalling it, an array whose members signal at the same time.
 * Skipped on one CPU.
 *
 * A case cannot tell that the race was met, but it counts how often each side
 * won and says so. Where a mistake is named above a case, it was made once on
 * purpose, and caught.
 */
#include <kunit/test.h>

#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "mock_fence.h"
#include "mock_rival.h"

#define LONG_WAIT	(30 * HZ)

/* What a case shares with its rival. */
struct race {
	struct dma_fence *fence;	/* to be signalled, handed over by xchg() */
	struct dma_fence __rcu *slot;
	struct dma_fence *chain;
	struct dma_fence **fences;
	unsigned int count;
	struct mock_rival *rival;
	atomic_t served;
	atomic_t wrong;
};

static struct race *race_create(struct kunit *test)
{
	struct race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, race);
	return race;
}

static struct mock_rival *race_start(struct kunit *test, struct race *race,
				     void (*turn)(void *data))
{
	/* The first fence is handed over after this, with a barrier. */
	race->rival = mock_rival_start(test, turn, race);
	return race->rival;
}

/* Until the rival has served what it was handed in round @round, from 1 on. */
static void race_settle(struct race *race, unsigned int round)
{
	while (atomic_read(&race->served) < round)
		cond_resched();
}

/* -- callbacks ------------------------------------------------------------- */

/* Signals whatever it is given, as soon as it sees it. */
static void signal_turn(void *data)
{
	struct race *race = data;
	struct dma_fence *fence = xchg(&race->fence, NULL);

	if (fence) {
		mock_rival_lag(race->rival);
		dma_fence_signal(fence);
		atomic_inc(&race->served);
	}
}

struct count_cb {
	struct dma_fence_cb cb;
	unsigned int calls;
};

static void count_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	container_of(cb, struct count_cb, cb)->calls++;
}

/* A callback that is added while the fence signals is run, or is refused. */
static void race_signal_callback(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_rival *rival = race_start(test, race, signal_turn);
	unsigned int late = 0;

	while (mock_rival_again(rival)) {
		struct dma_fence *fence = mock_fence_create(test);
		struct count_cb count = {};
		int ret;

		xchg(&race->fence, fence);
		mock_rival_dawdle(rival);
		ret = dma_fence_add_callback(fence, &count.cb, count_cb_func);

		race_settle(race, rival->rounds);
		KUNIT_EXPECT_FALSE(test,
				   dma_fence_remove_callback(fence, &count.cb));
		KUNIT_EXPECT_EQ(test, count.calls, ret ? 0 : 1);
		late += !!ret;
		mock_rival_aim(rival, ret);
		dma_fence_put(fence);
	}
	mock_rival_stop(test, rival);
	kunit_info(test, "%u callbacks came too late\n", late);
}

/* One that is taken back while the fence signals has run, or never will. */
static void race_remove_callback(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_rival *rival = race_start(test, race, signal_turn);
	unsigned int removed = 0;

	while (mock_rival_again(rival)) {
		struct dma_fence *fence = mock_fence_create(test);
		struct count_cb count = {};
		bool in_time;

		dma_fence_add_callback(fence, &count.cb, count_cb_func);
		xchg(&race->fence, fence);
		mock_rival_dawdle(rival);
		in_time = dma_fence_remove_callback(fence, &count.cb);
		/* Its storage may go from here on, so this is final. */
		KUNIT_EXPECT_EQ(test, count.calls, in_time ? 0 : 1);

		race_settle(race, rival->rounds);
		KUNIT_EXPECT_EQ(test, count.calls, in_time ? 0 : 1);
		removed += in_time;
		mock_rival_aim(rival, !in_time);
		dma_fence_put(fence);
	}
	mock_rival_stop(test, rival);
	kunit_info(test, "%u callbacks were removed\n", removed);
}

/* -- waiting and enabling -------------------------------------------------- */

/* However the two fall together, the waiter is woken, and finds it signalled. */
static void race_wait(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_rival *rival = race_start(test, race, signal_turn);

	while (mock_rival_again(rival)) {
		struct dma_fence *fence = mock_fence_create(test);
		signed long left;

		xchg(&race->fence, fence);
		mock_rival_dawdle(rival);
		left = dma_fence_wait_timeout(fence, rival->rounds % 2, LONG_WAIT);
		KUNIT_EXPECT_GT(test, left, 0);
		KUNIT_EXPECT_TRUE(test, test_bit(DMA_FENCE_FLAG_SIGNALED_BIT,
						 &fence->flags));

		race_settle(race, rival->rounds);
		/* Who had nothing to wait for has all of the time left. */
		mock_rival_aim(rival, left == LONG_WAIT);
		dma_fence_put(fence);
		/* A lost wake-up costs the whole wait: once is enough. */
		if (left <= 0)
			break;
	}
	mock_rival_stop(test, rival);
}

/* The same for a waiter of several, of which one is signalled. */
static void race_wait_any(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_rival *rival = race_start(test, race, signal_turn);
	struct dma_fence *fences[2];
	signed long left = 1;
	u32 which;

	fences[0] = mock_fence_create(test);
	while (left > 0 && mock_rival_again(rival)) {
		fences[1] = mock_fence_create(test);
		which = 0;
		xchg(&race->fence, fences[1]);
		mock_rival_dawdle(rival);
		left = dma_fence_wait_any_timeout(fences, 2, false, LONG_WAIT,
						  &which);
		KUNIT_EXPECT_GT(test, left, 0);
		KUNIT_EXPECT_EQ(test, which, 1);

		race_settle(race, rival->rounds);
		mock_rival_aim(rival, left == LONG_WAIT);
		dma_fence_put(fences[1]);
	}
	mock_rival_stop(test, rival);
	dma_fence_put(fences[0]);
}

/* Whether its fence was asked to signal after it had done so. */
static bool enable_checked(struct dma_fence *fence)
{
	struct mock_fence *mock = to_mock_fence(fence);

	WRITE_ONCE(mock->enable_calls, mock->enable_calls + 1);
	if (test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags))
		mock->refuse_error = -EPROTO;
	return true;
}

/* A driver is asked once at most, and never for a fence that has signalled. */
static void race_enable(struct kunit *test)
{
	struct dma_fence_ops *ops;
	struct mock_rival *rival;
	struct race *race = race_create(test);
	unsigned int asked = 0;

	ops = kunit_kzalloc(test, sizeof(*ops), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ops);
	*ops = mock_fence_ops;
	ops->enable_signaling = enable_checked;

	rival = race_start(test, race, signal_turn);
	while (mock_rival_again(rival)) {
		struct dma_fence *fence;
		struct mock_fence *mock;

		fence = mock_fence_create_ops(test, ops,
					      dma_fence_context_alloc(1), 1);
		mock = to_mock_fence(fence);
		xchg(&race->fence, fence);
		mock_rival_dawdle(rival);
		dma_fence_enable_sw_signaling(fence);
		dma_fence_enable_sw_signaling(fence);

		race_settle(race, rival->rounds);
		KUNIT_EXPECT_LE(test, mock->enable_calls, 1);
		KUNIT_EXPECT_EQ(test, mock->refuse_error, 0);
		KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
		asked += mock->enable_calls;
		mock_rival_aim(rival, !mock->enable_calls);
		dma_fence_put(fence);
	}
	mock_rival_stop(test, rival);
	kunit_info(test, "%u were asked in time\n", asked);
}

/* -- dying ----------------------------------------------------------------- */

/* Signals, and drops the reference that came with it. */
static void signal_put_turn(void *data)
{
	struct race *race = data;
	struct dma_fence *fence = xchg(&race->fence, NULL);

	if (fence) {
		mock_rival_lag(race->rival);
		dma_fence_signal(fence);
		dma_fence_put(fence);
		atomic_inc(&race->served);
	}
}

/*
 * Who signals has a reference, and the others may be gone by then: whoever is
 * last frees the fence, once. Caught: a release that looks at the callbacks of a
 * fence which has signalled.
 */
static void race_last_put(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_rival *rival = race_start(test, race, signal_put_turn);

	while (mock_rival_again(rival)) {
		struct dma_fence *fence = mock_fence_create(test);
		struct count_cb count = {};
		bool in_time;

		dma_fence_add_callback(fence, &count.cb, count_cb_func);
		xchg(&race->fence, dma_fence_get(fence));
		mock_rival_dawdle(rival);
		in_time = dma_fence_remove_callback(fence, &count.cb);
		mock_rival_aim(rival, !in_time);
		dma_fence_put(fence);
		race_settle(race, rival->rounds);
		KUNIT_EXPECT_EQ(test, mock_fence_live(test), 0);
	}
	mock_rival_stop(test, rival);
	KUNIT_EXPECT_EQ(test, mock_fence_released(test),
			mock_fence_created(test));
}

static void lookup_turn(void *data)
{
	struct race *race = data;
	struct dma_fence *fence;

	rcu_read_lock();
	fence = dma_fence_get_rcu_safe(&race->slot);
	rcu_read_unlock();
	if (fence) {
		atomic_inc(&race->served);
		if (fence->seqno != 1 || !kref_read(&fence->refcount))
			atomic_inc(&race->wrong);
	}
	dma_fence_put(fence);
}

/*
 * A slot is looked up while its fences come and die. Caught, by KASAN: a fence that
 * is freed without a grace period.
 */
static void race_lookup(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_rival *rival = mock_rival_start(test, lookup_turn, race);
	struct dma_fence *fence = NULL, *next;

	while (mock_rival_again(rival)) {
		next = rival->rounds % 8 ? mock_fence_create(test) : NULL;
		rcu_assign_pointer(race->slot, next);
		dma_fence_put(fence);
		fence = next;
		mock_rival_dawdle(rival);
	}
	RCU_INIT_POINTER(race->slot, NULL);
	mock_rival_stop(test, rival);

	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, mock_fence_live(test), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&race->wrong), 0);
	kunit_info(test, "%d look-ups found one\n", atomic_read(&race->served));
}

/* -- chains ---------------------------------------------------------------- */

/* Looks for a point of a chain that shrinks meanwhile. */
static void find_turn(void *data)
{
	struct race *race = data;
	u64 seqno = 1 + get_random_u32_below(race->count);
	struct dma_fence *found = dma_fence_get(race->chain);

	if (dma_fence_chain_find_seqno(&found, seqno)) {
		atomic_inc(&race->wrong);
	} else if (!found) {
		/* Then it must be over, and stay so. */
		if (!dma_fence_is_signaled(race->fences[seqno - 1]))
			atomic_inc(&race->wrong);
	} else if (found->seqno > seqno) {
		/* No gap in this chain: never a later one. */
		atomic_inc(&race->wrong);
	}
	dma_fence_put(found);
}

#define CHAIN_LENGTH	256

/* Caught: a search that stops one node too early. */
static void race_find_seqno(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_rival *rival;
	unsigned int *order;

	race->count = CHAIN_LENGTH;
	race->fences = kunit_kcalloc(test, CHAIN_LENGTH, sizeof(*race->fences),
				     GFP_KERNEL);
	order = kunit_kcalloc(test, CHAIN_LENGTH, sizeof(*order), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race->fences);
	KUNIT_ASSERT_NOT_NULL(test, order);

	for (unsigned int i = 0; i < CHAIN_LENGTH; i++) {
		struct dma_fence_chain *node = dma_fence_chain_alloc();
		unsigned int j = get_random_u32_below(i + 1);

		KUNIT_ASSERT_NOT_NULL(test, node);
		race->fences[i] = mock_fence_create(test);
		dma_fence_chain_init(node, race->chain,
				     dma_fence_get(race->fences[i]), i + 1);
		race->chain = &node->base;
		order[i] = order[j];
		order[j] = i;
	}
	dma_fence_enable_sw_signaling(race->chain);

	rival = mock_rival_start(test, find_turn, race);
	for (unsigned int i = 0; i < CHAIN_LENGTH; i++) {
		dma_fence_signal(race->fences[order[i]]);
		/* Let a search end, so that most begin in another chain. */
		mock_rival_wait_turn(rival);
	}
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(race->chain, false,
						     LONG_WAIT), 0);
	rival->rounds = atomic_read(&rival->turns);
	mock_rival_stop(test, rival);

	dma_fence_put(race->chain);
	for (unsigned int i = 0; i < CHAIN_LENGTH; i++)
		dma_fence_put(race->fences[i]);
	KUNIT_EXPECT_EQ(test, atomic_read(&race->wrong), 0);
}

/* -- arrays ---------------------------------------------------------------- */

/* An array of two new fences, or NULL. */
static struct dma_fence_array *pair_create(struct kunit *test, bool any,
					   struct dma_fence *pair[2])
{
	struct dma_fence_array *array = dma_fence_array_alloc(2);
	struct dma_fence **table;

	table = kmalloc_array(2, sizeof(*table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_ASSERT_NOT_NULL(test, array);
	for (int i = 0; i < 2; i++) {
		pair[i] = mock_fence_create(test);
		table[i] = dma_fence_get(pair[i]);
	}
	dma_fence_array_init(array, 2, table, 1, 1, any);
	return array;
}

/*
 * Two members signal on two CPUs while the array is being enabled. Caught: a
 * callback that is added to a member which has signalled meanwhile.
 */
static void race_array(struct kunit *test, bool any)
{
	struct race *race = race_create(test);
	struct mock_rival *rival = race_start(test, race, signal_turn);

	while (mock_rival_again(rival)) {
		struct dma_fence_array *array;
		struct dma_fence *pair[2];
		signed long left;
		int status;

		array = pair_create(test, any, pair);
		dma_fence_set_error(pair[0], -EIO);
		if (!any)
			dma_fence_set_error(pair[1], -EIO);

		xchg(&race->fence, pair[0]);
		mock_rival_dawdle(rival);
		if (rival->rounds % 2)
			dma_fence_enable_sw_signaling(&array->base);
		mock_rival_aim(rival, dma_fence_is_signaled(pair[0]));
		dma_fence_signal(pair[1]);

		left = dma_fence_wait_timeout(&array->base, false, LONG_WAIT);
		KUNIT_EXPECT_GT(test, left, 0);
		status = dma_fence_get_status(&array->base);
		if (any)
			KUNIT_EXPECT_NE(test, status, 0);
		else
			KUNIT_EXPECT_EQ(test, status, -EIO);
		race_settle(race, rival->rounds);
		dma_fence_put(&array->base);
		dma_fence_put(pair[0]);
		dma_fence_put(pair[1]);
		if (left <= 0)
			break;
	}
	mock_rival_stop(test, rival);
}

static void race_array_all(struct kunit *test)
{
	race_array(test, false);
}

static void race_array_any(struct kunit *test)
{
	race_array(test, true);
}

static struct kunit_case dma_fence_race_cases[] = {
	KUNIT_CASE_SLOW(race_signal_callback),
	KUNIT_CASE_SLOW(race_remove_callback),
	KUNIT_CASE_SLOW(race_wait),
	KUNIT_CASE_SLOW(race_wait_any),
	KUNIT_CASE_SLOW(race_enable),
	KUNIT_CASE_SLOW(race_last_put),
	KUNIT_CASE_SLOW(race_lookup),
	KUNIT_CASE_SLOW(race_find_seqno),
	KUNIT_CASE_SLOW(race_array_all),
	KUNIT_CASE_SLOW(race_array_any),
	{}
};

static struct kunit_suite dma_fence_race_suite = {
	.name = "dma_fence_race",
	.init = mock_rival_suite_init,
	.test_cases = dma_fence_race_cases,
};

kunit_test_suite(dma_fence_race_suite);
