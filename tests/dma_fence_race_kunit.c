// SPDX-License-Identifier: GPL-2.0-only
/*
 * Races of fences that need two CPUs: signalling against callbacks, waits,
 * enabling and the last put; RCU look-ups against release; searching a chain
 * against signalling it; an array whose members signal at the same time; and
 * the memory of a fence, reused after a wait. Skipped on one CPU.
 *
 * A case aims at the instructions that matter, or makes them take longer: by
 * ops and callbacks that spin there, or by pausing the race thread (the peer).
 * Where a comment says "Caught:", the mistake was made once on purpose and the
 * case failed.
 */
#include <kunit/test.h>

#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "mock_fence.h"
#include "mock_race.h"

#define LONG_WAIT	(30 * HZ)

/* How the two threads meet in a round. */
enum race_mode {
	RACE_AIM,	/* by chance, with the delays of mock_race_aim() */
	RACE_HELD,	/* while the peer holds the lock, before it signals */
	RACE_INSIDE,	/* while the peer is in a callback or op of the test */
	RACE_OUTSIDE,	/* while the test is in one, and the peer signals */
};

/* What a case shares with its race thread. */
struct race {
	struct dma_fence *fence;	/* passed on by xchg() */
	struct dma_fence_ops ops;	/* of fences that know their race */
	enum race_mode mode;
	bool inside;			/* one thread is where it has to be */
	bool coming;			/* and the other is about to follow */
	bool over;			/* no thread needs to wait any more */
	bool intr;			/* wait interruptibly */
	bool slept;
	struct dma_fence __rcu *slot;
	struct dma_fence *chain;
	struct dma_fence **fences;
	unsigned int count;
	unsigned int mine;		/* progress of each thread */
	unsigned int theirs;
	bool met;			/* both have accessed what is watched */
	atomic_t touched;		/* number of accesses */
	struct mock_race *peer;
	atomic_t served;
	atomic_t wrong;
};

static struct race *race_create(struct kunit *test)
{
	struct race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, race);
	race->ops = mock_fence_ops;
	return race;
}

static struct mock_race *race_start(struct kunit *test, struct race *race,
				    void (*turn)(void *data))
{
	/* The first fence is passed on after this, with a barrier. */
	race->peer = mock_race_start(test, turn, race);
	return race->peer;
}

/* Wait until the peer has served the fence of round @round, counted from 1. */
static void race_settle(struct race *race, unsigned int round)
{
	while (atomic_read(&race->served) < round)
		cond_resched();
}

/* Pass @fence to the peer, and return when the two are to meet. */
static void race_pass(struct race *race, struct dma_fence *fence,
		      enum race_mode mode)
{
	race->mode = mode;
	race->inside = false;
	race->coming = false;
	race->over = false;
	xchg(&race->fence, fence);

	if (mode == RACE_AIM)
		mock_race_delay_test(race->peer);
	if (mode == RACE_AIM || mode == RACE_OUTSIDE)
		return;

	while (!READ_ONCE(race->inside) &&
	       atomic_read(&race->served) < race->peer->rounds)
		cpu_relax();
	WRITE_ONCE(race->coming, true);
}

/* Spin where the other thread has to follow. */
static void race_meet(struct race *race)
{
	WRITE_ONCE(race->inside, true);
	mock_race_await(&race->coming);
	mock_race_linger();
}

/* -- callbacks ------------------------------------------------------------- */

/*
 * Drivers signal all completed fences under one lock. So the other thread may
 * find a fence pending, and then wait for the lock until it is not.
 */
static void race_signal_held(struct race *race, struct dma_fence *fence)
{
	unsigned long flags;

	spin_lock_irqsave(fence->lock, flags);
	race_meet(race);
	dma_fence_signal_locked(fence);
	spin_unlock_irqrestore(fence->lock, flags);
}

/* Signal the fence that is passed. */
static void signal_turn(void *data)
{
	struct race *race = data;
	struct dma_fence *fence = xchg(&race->fence, NULL);

	if (!fence)
		return;
	if (race->mode == RACE_HELD) {
		race_signal_held(race, fence);
	} else if (race->mode == RACE_OUTSIDE) {
		mock_race_await(&race->inside);
		WRITE_ONCE(race->coming, true);
		dma_fence_signal(fence);
	} else {
		mock_race_delay_peer(race->peer);
		dma_fence_signal(fence);
	}
	atomic_inc(&race->served);
}

struct count_cb {
	struct dma_fence_cb cb;
	struct race *race;
	unsigned int calls;
};

static void count_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct count_cb *count = container_of(cb, struct count_cb, cb);

	if (count->race->mode == RACE_INSIDE)
		race_meet(count->race);
	WRITE_ONCE(count->calls, count->calls + 1);
}

/*
 * Succeeds if a callback that is added while the fence signals is either called
 * or refused. Caught: an add that does not test the fence again under the lock.
 */
static void dma_fence_race_test_signal_callback(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_race *peer = race_start(test, race, signal_turn);
	unsigned int late = 0;

	while (mock_race_again(peer)) {
		struct dma_fence *fence = mock_fence_create(test);
		struct count_cb count = { .race = race };
		int ret;

		race_pass(race, fence,
			  peer->rounds % 4 ? RACE_AIM : RACE_HELD);
		ret = dma_fence_add_callback(fence, &count.cb, count_cb_func);

		race_settle(race, peer->rounds);
		KUNIT_EXPECT_FALSE(test,
				   dma_fence_remove_callback(fence, &count.cb));
		KUNIT_EXPECT_EQ(test, count.calls, ret ? 0 : 1);
		late += !!ret;
		if (race->mode == RACE_AIM)
			mock_race_aim(peer, ret);
		dma_fence_put(fence);
	}
	mock_race_stop(test, peer);
	kunit_info(test, "%u callbacks were refused\n", late);
}

/*
 * Succeeds if a callback that is removed while the fence signals has returned
 * or is never called. Caught: a removal that returns once the fence has
 * signalled, one that does not take the lock, and a signal that drops it for
 * the callbacks.
 */
static void dma_fence_race_test_remove_callback(struct kunit *test)
{
	static const enum race_mode modes[] = {
		RACE_AIM, RACE_INSIDE, RACE_AIM, RACE_HELD,
	};
	struct race *race = race_create(test);
	struct mock_race *peer = race_start(test, race, signal_turn);
	unsigned int removed = 0;

	while (mock_race_again(peer)) {
		struct dma_fence *fence = mock_fence_create(test);
		struct count_cb count = { .race = race };
		bool in_time;

		dma_fence_add_callback(fence, &count.cb, count_cb_func);
		race_pass(race, fence, modes[peer->rounds % 4]);
		in_time = dma_fence_remove_callback(fence, &count.cb);
		/* Its memory may be freed from here on, so this is final. */
		KUNIT_EXPECT_EQ(test, READ_ONCE(count.calls), in_time ? 0 : 1);

		race_settle(race, peer->rounds);
		KUNIT_EXPECT_EQ(test, count.calls, in_time ? 0 : 1);
		removed += in_time;
		if (race->mode == RACE_AIM)
			mock_race_aim(peer, !in_time);
		dma_fence_put(fence);
	}
	mock_race_stop(test, peer);
	kunit_info(test, "%u callbacks were removed\n", removed);
}

/* -- waiting and enabling -------------------------------------------------- */

/*
 * Wait for the fence that is passed. Jiffies left do not prove a wake-up: a
 * task that was not woken finds the fence at the timeout, with one jiffy left.
 */
static void wait_turn(void *data)
{
	struct race *race = data;
	struct dma_fence *fence = xchg(&race->fence, NULL);
	unsigned long sleeps = current->nvcsw;
	signed long left;
	u32 which = race->count - 1;

	if (!fence)
		return;

	race->fences[race->count - 1] = fence;
	if (race->count > 1)
		left = dma_fence_wait_any_timeout(race->fences, race->count,
						  race->intr, LONG_WAIT,
						  &which);
	else
		left = dma_fence_wait_timeout(fence, race->intr, LONG_WAIT);

	if (left <= 1 || which != race->count - 1 ||
	    !test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags))
		atomic_inc(&race->wrong);
	race->slept = current->nvcsw != sleeps;
	atomic_inc_return_release(&race->served);
}

/* The waiter is paused from here on. */
static bool enable_inside(struct dma_fence *fence)
{
	struct race *race = container_of(fence->ops, struct race, ops);

	WRITE_ONCE(race->inside, true);
	return true;
}

/*
 * Succeeds if a waiter is always woken and finds the fence signalled. The
 * waiter is the peer, so that it can be paused on its way to sleep: first where
 * it has just enabled signalling, and from there on a little later each time.
 * Caught, with two fences: a sleeper that tests them before it sets its state.
 */
static void race_wait(struct kunit *test, unsigned int count)
{
	struct race *race = race_create(test);
	struct mock_race *peer;
	unsigned int slept = 0;

	race->count = count;
	race->fences = kunit_kcalloc(test, count, sizeof(*race->fences),
				     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race->fences);
	for (unsigned int i = 0; i < count - 1; i++)
		race->fences[i] = mock_fence_create(test);
	race->ops.enable_signaling = enable_inside;

	peer = race_start(test, race, wait_turn);
	/* A lost wake-up takes the whole timeout, so stop at the first. */
	while (!atomic_read(&race->wrong) && mock_race_again(peer)) {
		struct dma_fence *fence;

		fence = mock_fence_create_ops(test, &race->ops,
					      dma_fence_context_alloc(1), 1);
		race->intr = peer->rounds % 2;
		race_pass(race, fence, RACE_INSIDE);
		mock_race_pause(peer);
		mock_race_resume(peer);
		mock_race_delay_test(peer);
		mock_race_pause(peer);
		dma_fence_signal(fence);
		mock_race_resume(peer);

		race_settle(race, peer->rounds);
		slept += race->slept;
		mock_race_aim(peer, race->slept);
		dma_fence_put(fence);
	}
	mock_race_stop(test, peer);
	for (unsigned int i = 0; i < count - 1; i++)
		dma_fence_put(race->fences[i]);
	KUNIT_EXPECT_EQ(test, atomic_read(&race->wrong), 0);
	kunit_info(test, "%u had to sleep\n", slept);
}

static void dma_fence_race_test_wait_one(struct kunit *test)
{
	race_wait(test, 1);
}

static void dma_fence_race_test_wait_any(struct kunit *test)
{
	race_wait(test, 2);
}

/* Note an error if the fence has signalled, or signals while the op runs. */
static bool enable_checked(struct dma_fence *fence)
{
	struct race *race = container_of(fence->ops, struct race, ops);
	struct mock_fence *mock = to_mock_fence(fence);

	WRITE_ONCE(mock->enable_calls, mock->enable_calls + 1);
	if (test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags))
		mock->refuse_error = -EPROTO;
	if (race->mode == RACE_OUTSIDE)
		race_meet(race);
	if (test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags))
		mock->refuse_error = -EPROTO;
	return true;
}

/*
 * Succeeds if enable_signaling is called at most once, never for a signalled
 * fence, and if no fence signals before it has returned. Caught: an enabling
 * that does not test the fence again under the lock, and one without the lock.
 */
static void dma_fence_race_test_enable(struct kunit *test)
{
	static const enum race_mode modes[] = {
		RACE_AIM, RACE_HELD, RACE_AIM, RACE_OUTSIDE,
	};
	struct race *race = race_create(test);
	struct mock_race *peer;
	unsigned int asked = 0;

	race->ops.enable_signaling = enable_checked;
	peer = race_start(test, race, signal_turn);
	while (mock_race_again(peer)) {
		struct dma_fence *fence;
		struct mock_fence *mock;

		fence = mock_fence_create_ops(test, &race->ops,
					      dma_fence_context_alloc(1), 1);
		mock = to_mock_fence(fence);
		race_pass(race, fence, modes[peer->rounds % 4]);
		dma_fence_enable_sw_signaling(fence);
		dma_fence_enable_sw_signaling(fence);

		race_settle(race, peer->rounds);
		KUNIT_EXPECT_LE(test, mock->enable_calls, 1);
		KUNIT_EXPECT_EQ(test, mock->refuse_error, 0);
		KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
		asked += mock->enable_calls;
		if (race->mode == RACE_AIM)
			mock_race_aim(peer, !mock->enable_calls);
		dma_fence_put(fence);
	}
	mock_race_stop(test, peer);
	kunit_info(test, "%u were enabled in time\n", asked);
}

/* -- release --------------------------------------------------------------- */

/* Signal the fence that is passed, and drop its reference. */
static void signal_put_turn(void *data)
{
	struct race *race = data;
	struct dma_fence *fence = xchg(&race->fence, NULL);

	if (fence) {
		mock_race_delay_peer(race->peer);
		dma_fence_signal(fence);
		dma_fence_put(fence);
		atomic_inc(&race->served);
	}
}

/*
 * Succeeds if the last put releases the fence, once, whichever thread it is in.
 * Caught: a release that reads the callback list of a signalled fence.
 */
static void dma_fence_race_test_last_put(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_race *peer = race_start(test, race, signal_put_turn);

	while (mock_race_again(peer)) {
		struct dma_fence *fence = mock_fence_create(test);
		struct count_cb count = { .race = race };
		bool in_time;

		dma_fence_add_callback(fence, &count.cb, count_cb_func);
		race_pass(race, dma_fence_get(fence), RACE_AIM);
		in_time = dma_fence_remove_callback(fence, &count.cb);
		mock_race_aim(peer, !in_time);
		dma_fence_put(fence);
		race_settle(race, peer->rounds);
		KUNIT_EXPECT_EQ(test, mock_fence_live(test), 0);
	}
	mock_race_stop(test, peer);
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
 * Succeeds if a look-up under RCU returns a fence with references, or none.
 * Caught, by KASAN: a fence that is freed without a grace period.
 */
static void dma_fence_race_test_lookup(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_race *peer = mock_race_start(test, lookup_turn, race);
	struct dma_fence *fence = NULL, *next;

	while (mock_race_again(peer)) {
		next = peer->rounds % 8 ? mock_fence_create(test) : NULL;
		rcu_assign_pointer(race->slot, next);
		dma_fence_put(fence);
		fence = next;
		mock_race_delay_test(peer);
	}
	RCU_INIT_POINTER(race->slot, NULL);
	mock_race_stop(test, peer);

	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, mock_fence_live(test), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&race->wrong), 0);
	kunit_info(test, "%d look-ups found a fence\n",
		   atomic_read(&race->served));
}

/* -- chains ---------------------------------------------------------------- */

/* Search a point of a chain that shrinks meanwhile. */
static void find_turn(void *data)
{
	struct race *race = data;
	u64 seqno = 1 + get_random_u32_below(race->count);
	struct dma_fence *found = dma_fence_get(race->chain);

	if (dma_fence_chain_find_seqno(&found, seqno)) {
		atomic_inc(&race->wrong);
	} else if (!found) {
		/* Then the point must have been passed. */
		if (!dma_fence_is_signaled(race->fences[seqno - 1]))
			atomic_inc(&race->wrong);
	} else if (found->seqno > seqno) {
		/* This chain has no gap, so no later node is right. */
		atomic_inc(&race->wrong);
	}
	dma_fence_put(found);
}

#define CHAIN_LENGTH	256

/*
 * Succeeds if a search in a shrinking chain finds a node that covers the point.
 * Caught: a search that stops one node too early.
 */
static void dma_fence_race_test_find_seqno(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_race *peer;
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

	peer = mock_race_start(test, find_turn, race);
	for (unsigned int i = 0; i < CHAIN_LENGTH; i++) {
		dma_fence_signal(race->fences[order[i]]);
		/* Let a search end, so that most start in a changed chain. */
		mock_race_wait_turn(peer);
	}
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(race->chain, false,
						     LONG_WAIT), 0);
	peer->rounds = atomic_read(&peer->turns);
	mock_race_stop(test, peer);

	dma_fence_put(race->chain);
	for (unsigned int i = 0; i < CHAIN_LENGTH; i++)
		dma_fence_put(race->fences[i]);
	KUNIT_EXPECT_EQ(test, atomic_read(&race->wrong), 0);
}

/* -- arrays ---------------------------------------------------------------- */

/*
 * An array of @count new fences, which the caller has a reference to as well.
 */
static struct dma_fence_array *members_create(struct kunit *test,
					      const struct dma_fence_ops *ops,
					      bool any, unsigned int count,
					      struct dma_fence **members)
{
	struct dma_fence_array *array = dma_fence_array_alloc(count);
	struct dma_fence **table;

	table = kmalloc_array(count, sizeof(*table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_ASSERT_NOT_NULL(test, array);
	for (unsigned int i = 0; i < count; i++) {
		members[i] = mock_fence_create_ops(test, ops,
						   dma_fence_context_alloc(1),
						   1);
		table[i] = dma_fence_get(members[i]);
	}
	dma_fence_array_init(array, count, table, 1, 1, any);
	return array;
}

static struct dma_fence_array *pair_create(struct kunit *test,
					   const struct dma_fence_ops *ops,
					   bool any, struct dma_fence *pair[2])
{
	return members_create(test, ops, any, 2, pair);
}

static signed long race_array_round(struct race *race,
				    struct dma_fence_array *array,
				    struct dma_fence *pair[2])
{
	signed long left;

	race_pass(race, pair[0], RACE_AIM);
	if (race->peer->rounds % 2)
		dma_fence_enable_sw_signaling(&array->base);
	mock_race_aim(race->peer, dma_fence_is_signaled(pair[0]));
	dma_fence_signal(pair[1]);

	left = dma_fence_wait_timeout(&array->base, false, LONG_WAIT);
	race_settle(race, race->peer->rounds);
	return left;
}

/*
 * Succeeds if an array signals whose two members signal on two CPUs while it is
 * being enabled. Caught: a callback that is added to a member which has
 * signalled meanwhile.
 */
static void race_array(struct kunit *test, bool any)
{
	struct race *race = race_create(test);
	struct mock_race *peer = race_start(test, race, signal_turn);
	signed long left = LONG_WAIT;

	while (left > 1 && mock_race_again(peer)) {
		struct dma_fence_array *array;
		struct dma_fence *pair[2];
		int status;

		array = pair_create(test, &race->ops, any, pair);
		dma_fence_set_error(pair[0], -EIO);
		if (!any)
			dma_fence_set_error(pair[1], -EIO);

		left = race_array_round(race, array, pair);
		KUNIT_EXPECT_GT(test, left, 1);
		status = dma_fence_get_status(&array->base);
		if (any)
			KUNIT_EXPECT_NE(test, status, 0);
		else
			KUNIT_EXPECT_EQ(test, status, -EIO);
		dma_fence_put(&array->base);
		dma_fence_put(pair[0]);
		dma_fence_put(pair[1]);
	}
	mock_race_stop(test, peer);
}

static void dma_fence_race_test_array_all(struct kunit *test)
{
	race_array(test, false);
}

static void dma_fence_race_test_array_any(struct kunit *test)
{
	race_array(test, true);
}

/* Test a member slowly, while the array is enabled. */
static bool signaled_inside(struct dma_fence *fence)
{
	struct race *race = container_of(fence->ops, struct race, ops);

	if (current == race->peer->thread) {
		WRITE_ONCE(race->inside, true);
		if (race->mode == RACE_INSIDE)
			mock_race_await(&race->over);
	}
	return false;
}

/* Test an array of which one member stays pending. */
static void is_signaled_turn(void *data)
{
	struct race *race = data;
	struct dma_fence *fence = xchg(&race->fence, NULL);

	if (fence) {
		mock_race_delay_peer(race->peer);
		if (dma_fence_is_signaled(fence))
			atomic_inc(&race->wrong);
		atomic_inc(&race->served);
	}
}

/*
 * Succeeds if a signalled member is not counted twice: by
 * dma_fence_is_signaled() of the array, and by the enabling. Caught: a signaled
 * op that reads the count after the members, and one that reads it after the
 * ENABLE_SIGNAL bit.
 */
static void dma_fence_race_test_array_peek(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_race *peer;

	race->ops.signaled = signaled_inside;
	peer = race_start(test, race, is_signaled_turn);
	while (mock_race_again(peer)) {
		struct dma_fence_array *array;
		struct dma_fence *pair[2];
		bool late;

		array = pair_create(test, &race->ops, false, pair);
		dma_fence_signal(pair[0]);
		race_pass(race, &array->base,
			  peer->rounds % 2 ? RACE_INSIDE : RACE_AIM);
		if (race->mode == RACE_AIM)
			mock_race_pause(peer);
		late = READ_ONCE(race->inside);
		dma_fence_enable_sw_signaling(&array->base);
		mock_race_resume(peer);
		WRITE_ONCE(race->over, true);

		race_settle(race, peer->rounds);
		if (race->mode == RACE_AIM)
			mock_race_aim(peer, late);
		dma_fence_signal(pair[1]);
		KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(&array->base, false,
							     LONG_WAIT), 1);
		dma_fence_put(&array->base);
		dma_fence_put(pair[0]);
		dma_fence_put(pair[1]);
	}
	mock_race_stop(test, peer);
	KUNIT_EXPECT_EQ(test, atomic_read(&race->wrong), 0);
}

/* False when the array does not signal, or a reference to it is lost. */
static bool count_settled(struct dma_fence_array *array)
{
	if (dma_fence_wait_timeout(&array->base, false, LONG_WAIT) <= 1)
		return false;
	irq_work_sync(&array->work);
	return kref_read(&array->base.refcount) == 1;
}

/* Members of one array, of which each thread signals every other one. */
#define COUNT_MEMBERS	64

/* Signal every other member from @first on, when both threads are here. */
static void count_members_signal(struct dma_fence **members,
				 unsigned int first, unsigned int *here,
				 const unsigned int *there)
{
	WRITE_ONCE(*here, 1);
	while (!READ_ONCE(*there))
		cpu_relax();
	for (unsigned int i = first; i < COUNT_MEMBERS; i += 2)
		dma_fence_signal(members[i]);
}

static void count_members_turn(void *data)
{
	struct race *race = data;

	if (!xchg(&race->fence, NULL))
		return;

	count_members_signal(race->fences, 1, &race->theirs, &race->mine);
	atomic_inc(&race->served);
}

/*
 * Succeeds if an array signals once when both threads signal its members
 * without a pause. Aimed at a count that is read by one instruction and written
 * by another: both CPUs then lower the same word for as long as the loops run,
 * and one lost update is enough for the array never to signal. Each of at least
 * 64 rounds lowers it %COUNT_MEMBERS times.
 */
static void dma_fence_race_test_array_count_members(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_race *peer;
	bool settled = true;

	race->fences = kunit_kcalloc(test, COUNT_MEMBERS, sizeof(*race->fences),
				     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race->fences);

	peer = race_start(test, race, count_members_turn);
	/* An array that never signals takes the whole timeout: stop then. */
	while (settled && mock_race_again(peer)) {
		struct dma_fence_array *array;

		array = members_create(test, &mock_fence_ops, false,
				       COUNT_MEMBERS, race->fences);
		dma_fence_enable_sw_signaling(&array->base);
		race->mine = 0;
		race->theirs = 0;
		xchg(&race->fence, race->fences[0]);
		count_members_signal(race->fences, 0, &race->mine,
				     &race->theirs);
		race_settle(race, peer->rounds);

		settled = count_settled(array);
		KUNIT_EXPECT_TRUE(test, settled);
		dma_fence_put(&array->base);
		for (int i = 0; i < COUNT_MEMBERS; i++)
			dma_fence_put(race->fences[i]);
	}
	mock_race_stop(test, peer);
}

#ifdef CONFIG_HAVE_HW_BREAKPOINT

/*
 * Runs on either CPU after an instruction that accesses the count, with
 * interrupts off. The first one spins until the other CPU has accessed it as
 * well.
 */
static void count_touched(struct perf_event *event,
			  struct perf_sample_data *data, struct pt_regs *regs)
{
	struct race *race = event->overflow_handler_context;

	if (atomic_inc_return(&race->touched) == 1)
		mock_race_await(&race->met);
	else
		WRITE_ONCE(race->met, true);
}

/* Make the next access the first one. */
static void count_watch_from_here(struct race *race)
{
	race->met = false;
	atomic_set(&race->touched, 0);
}

static struct perf_event * __percpu *count_watch(struct race *race,
						 atomic_t *count)
{
	struct perf_event_attr attr;

	hw_breakpoint_init(&attr);
	attr.bp_addr = (unsigned long)count;
	attr.bp_len = HW_BREAKPOINT_LEN_4;
	attr.bp_type = HW_BREAKPOINT_RW;
	return register_wide_hw_breakpoint(&attr, count_touched, race);
}

/* Returns 0, or why the count cannot be watched. */
static int count_watched_round(struct race *race, struct dma_fence_array *array,
			       struct dma_fence *pair[2])
{
	struct perf_event * __percpu *watch;
	bool seen;

	watch = count_watch(race, &array->num_pending);
	if (IS_ERR((void __force *)watch))
		return PTR_ERR((void __force *)watch);

	/* Not the first access, so that this does not spin. */
	atomic_set(&race->touched, 1);
	atomic_read(&array->num_pending);
	seen = atomic_read(&race->touched) > 1;

	count_watch_from_here(race);
	race_pass(race, pair[0], RACE_AIM);
	dma_fence_signal(pair[1]);
	race_settle(race, race->peer->rounds);
	unregister_wide_hw_breakpoint(watch);
	return seen ? 0 : -ENXIO;
}

/*
 * Succeeds if an array signals once when both members signal at the same time,
 * and the first access to the count is held up, before the next instruction,
 * until the other CPU accesses it. Aimed at a count that is read by one
 * instruction and written by another.
 */
static void dma_fence_race_test_array_count_watched(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_race *peer = race_start(test, race, signal_turn);
	bool settled = true;
	unsigned int met = 0;
	int ret = 0;

	/* An array that never signals takes the whole timeout: stop then. */
	while (settled && !ret && mock_race_again(peer)) {
		struct dma_fence_array *array;
		struct dma_fence *pair[2];

		array = pair_create(test, &mock_fence_ops, peer->rounds % 2,
				    pair);
		dma_fence_enable_sw_signaling(&array->base);
		ret = count_watched_round(race, array, pair);
		met += race->met;

		settled = ret || count_settled(array);
		KUNIT_EXPECT_TRUE(test, settled);
		dma_fence_put(&array->base);
		dma_fence_put(pair[0]);
		dma_fence_put(pair[1]);
	}
	mock_race_stop(test, peer);
	kunit_info(test, "met %u times\n", met);
	if (ret)
		kunit_skip(test, "needs watchpoints: %d", ret);
}

#else

static void dma_fence_race_test_array_count_watched(struct kunit *test)
{
	kunit_skip(test, "needs watchpoints");
}

#endif /* CONFIG_HAVE_HW_BREAKPOINT */

/* -- reused memory --------------------------------------------------------- */

/*
 * A fence on the stack, as xe has for the invalidation of a TLB. Its owner
 * waits and returns: from then on the frame is used for something else.
 */
struct race_frame {
	struct dma_fence fence;
	spinlock_t lock;	/* of @fence */
	u8 rest[64];
};

static const char *frame_name(struct dma_fence *fence)
{
	return "frame";
}

static const struct dma_fence_ops frame_ops = {
	.get_driver_name	= frame_name,
	.get_timeline_name	= frame_name,
};

/* A driver that accesses a fence after signalling, before the unlock. */
static void frame_signal_held(struct race *race, struct dma_fence *fence)
{
	unsigned long flags;

	spin_lock_irqsave(fence->lock, flags);
	dma_fence_signal_locked(fence);
	WRITE_ONCE(race->inside, true);
	mock_race_await(&race->over);
	set_bit(DMA_FENCE_FLAG_USER_BITS, &fence->flags);
	spin_unlock_irqrestore(fence->lock, flags);
}

/* The peer signals without a reference, as hardware does. */
static void frame_turn(void *data)
{
	struct race *race = data;
	struct dma_fence *fence = xchg(&race->fence, NULL);

	if (!fence)
		return;

	switch (race->mode) {
	case RACE_OUTSIDE:
		/* Wait until the owner sleeps, or is about to. */
		while (list_empty_careful(&fence->cb_list))
			cond_resched();
		fallthrough;
	case RACE_HELD:
		frame_signal_held(race, fence);
		break;
	default:
		mock_race_delay_peer(race->peer);
		dma_fence_signal(fence);
	}
	atomic_inc(&race->served);
}

/* A callback in which the peer spins. */
struct frame_cb {
	struct dma_fence_cb cb;
	struct race *race;
};

static void frame_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct race *race = container_of(cb, struct frame_cb, cb)->race;

	WRITE_ONCE(race->inside, true);
	mock_race_await(&race->over);
}

static void frame_wait(struct dma_fence *fence)
{
	dma_fence_wait(fence, false);
}

static void frame_default_wait(struct dma_fence *fence)
{
	dma_fence_default_wait(fence, true, LONG_WAIT);
}

static void frame_wait_any(struct dma_fence *fence)
{
	dma_fence_wait_any_timeout(&fence, 1, false, LONG_WAIT, NULL);
}

static void frame_ignore(struct dma_fence *fence, struct dma_fence_cb *cb)
{
}

static void frame_remove(struct dma_fence *fence)
{
	struct dma_fence_cb cb;

	dma_fence_add_callback(fence, &cb, frame_ignore);
	dma_fence_remove_callback(fence, &cb);
}

static void frame_status(struct dma_fence *fence)
{
	while (!dma_fence_get_status(fence))
		cond_resched();
}

struct frame_case {
	const char *desc;
	enum race_mode mode;
	void (*wait)(struct dma_fence *fence);
};

static const struct frame_case frame_cases[] = {
	{ "wait, inside a callback", RACE_INSIDE, frame_wait },
	{ "default wait, inside a callback", RACE_INSIDE,
	  frame_default_wait },
	{ "enable, inside a callback", RACE_INSIDE,
	  dma_fence_enable_sw_signaling },
	{ "remove, inside a callback", RACE_INSIDE, frame_remove },
	{ "status, inside a callback", RACE_INSIDE, frame_status },
	{ "wait, before the unlock", RACE_HELD, frame_wait },
	{ "default wait, before the unlock", RACE_HELD, frame_default_wait },
	{ "enable, before the unlock", RACE_HELD,
	  dma_fence_enable_sw_signaling },
	{ "remove, before the unlock", RACE_HELD, frame_remove },
	{ "status, before the unlock", RACE_HELD, frame_status },
	{ "woken before the unlock", RACE_OUTSIDE, frame_wait },
	{ "woken from a wait for any, before the unlock", RACE_OUTSIDE,
	  frame_wait_any },
	{ "wait, by chance", RACE_AIM, frame_wait },
	{ "status, by chance", RACE_AIM, frame_status },
};

KUNIT_ARRAY_PARAM_DESC(frame, frame_cases, desc);

/* Rounds that only compare the frame; later ones overwrite it. */
#define FRAME_COMPARED	16

/*
 * Run one round. Returns whether the frame was written to after its owner
 * returned from the wait. The first rounds only compare, to report that; later
 * ones overwrite the frame, so that an access ends in an oops.
 */
static noinline bool frame_round(struct kunit *test, struct race *race,
				 const struct frame_case *param)
{
	struct frame_cb keep = { .race = race };
	struct race_frame frame = {}, after;

	spin_lock_init(&frame.lock);
	dma_fence_init(&frame.fence, &frame_ops, &frame.lock, 1, 1);
	if (param->mode == RACE_INSIDE)
		dma_fence_add_callback(&frame.fence, &keep.cb, frame_cb_func);

	race_pass(race, &frame.fence, param->mode);
	param->wait(&frame.fence);

	/* The wait has returned, so the frame may be reused. */
	if (race->peer->rounds > FRAME_COMPARED)
		memset(&frame, 0x5a, sizeof(frame));
	memcpy(&after, &frame, sizeof(after));
	WRITE_ONCE(race->over, true);
	race_settle(race, race->peer->rounds);
	return memcmp(&after, &frame, sizeof(after));
}

/*
 * Succeeds if the CPU that signals accesses neither the fence nor the lock next
 * to it once a wait has returned. Caught: waits that return once the fence has
 * signalled, or once its callbacks have run; a signal that reads the lock
 * pointer from the fence to unlock.
 */
static void dma_fence_race_test_frame(struct kunit *test)
{
	const struct frame_case *param = test->param_value;
	struct race *race = race_create(test);
	struct mock_race *peer = race_start(test, race, frame_turn);
	bool touched = false;

	while (!touched && mock_race_again(peer)) {
		touched = frame_round(test, race, param);
		KUNIT_EXPECT_FALSE(test, touched);
		if (param->mode == RACE_AIM)
			mock_race_aim(peer, peer->rounds % 2);
	}
	mock_race_stop(test, peer);
}

static struct kunit_case dma_fence_race_cases[] = {
	KUNIT_CASE_SLOW(dma_fence_race_test_signal_callback),
	KUNIT_CASE_SLOW(dma_fence_race_test_remove_callback),
	KUNIT_CASE_SLOW(dma_fence_race_test_wait_one),
	KUNIT_CASE_SLOW(dma_fence_race_test_wait_any),
	KUNIT_CASE_SLOW(dma_fence_race_test_enable),
	KUNIT_CASE_SLOW(dma_fence_race_test_last_put),
	KUNIT_CASE_SLOW(dma_fence_race_test_lookup),
	KUNIT_CASE_SLOW(dma_fence_race_test_find_seqno),
	KUNIT_CASE_SLOW(dma_fence_race_test_array_all),
	KUNIT_CASE_SLOW(dma_fence_race_test_array_any),
	KUNIT_CASE_SLOW(dma_fence_race_test_array_peek),
	KUNIT_CASE_SLOW(dma_fence_race_test_array_count_members),
	KUNIT_CASE_SLOW(dma_fence_race_test_array_count_watched),
	KUNIT_CASE_PARAM_ATTR(dma_fence_race_test_frame, frame_gen_params,
			      {.speed = KUNIT_SPEED_SLOW}),
	{}
};

static struct kunit_suite dma_fence_race_suite = {
	.name = "dma_fence_race",
	.init = mock_race_suite_init,
	.test_cases = dma_fence_race_cases,
};

kunit_test_suite(dma_fence_race_suite);
