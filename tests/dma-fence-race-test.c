// SPDX-License-Identifier: GPL-2.0-only
/*
 * Races of fences that only two CPUs can run: signalling against callbacks,
 * waits, enabling and the last put; looking up against dying, searching a chain
 * against signalling it, an array whose members signal at the same time; and the
 * memory of a fence, used again after a wait. Skipped on one CPU.
 *
 * A case aims at the moment that matters, or makes it longer: by ops and callbacks
 * that linger there, or by freezing the rival. Where a mistake is named above a
 * case, it was made once on purpose, and caught.
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

/* How the two meet in a round. */
enum race_mode {
	RACE_AIM,	/* as it happens, nearer each time */
	RACE_GRIP,	/* while the rival has the lock, and is about to signal */
	RACE_INSIDE,	/* while the rival is in a callback or op of the test */
	RACE_OUTSIDE,	/* the other way round: the rival comes */
};

/* What a case shares with its rival. */
struct race {
	struct dma_fence *fence;	/* handed over by xchg() */
	struct dma_fence_ops ops;	/* of fences that know their race */
	enum race_mode mode;
	bool inside;			/* one is where it was to get */
	bool coming;			/* and the other on its way */
	bool over;			/* nobody need wait any more */
	bool intr;			/* how to wait */
	bool slept;
	struct dma_fence __rcu *slot;
	struct dma_fence *chain;
	struct dma_fence **fences;
	unsigned int count;
	unsigned int mine;		/* how far each side has got */
	unsigned int theirs;
	bool met;			/* both have touched what is watched */
	atomic_t touched;		/* so often */
	struct mock_rival *rival;
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

/* Give @fence to the rival, and come when it is worth it. */
static void race_hand_over(struct race *race, struct dma_fence *fence,
			   enum race_mode mode)
{
	race->mode = mode;
	race->inside = false;
	race->coming = false;
	race->over = false;
	xchg(&race->fence, fence);

	if (mode == RACE_AIM)
		mock_rival_dawdle(race->rival);
	if (mode == RACE_AIM || mode == RACE_OUTSIDE)
		return;

	while (!READ_ONCE(race->inside) &&
	       atomic_read(&race->served) < race->rival->rounds)
		cpu_relax();
	WRITE_ONCE(race->coming, true);
}

/* What one side does where the other is to come and meet it. */
static void race_wait_inside(struct race *race)
{
	WRITE_ONCE(race->inside, true);
	mock_rival_await(&race->coming);
	mock_rival_linger();
}

/* -- callbacks ------------------------------------------------------------- */

/*
 * Drivers signal under their lock all that is done: so who comes may find a fence
 * that is pending, and then have to wait for the lock until it is not.
 */
static void race_signal_gripped(struct race *race, struct dma_fence *fence)
{
	unsigned long flags;

	spin_lock_irqsave(fence->lock, flags);
	race_wait_inside(race);
	dma_fence_signal_locked(fence);
	spin_unlock_irqrestore(fence->lock, flags);
}

/* Signals whatever it is given, as soon as it sees it. */
static void signal_turn(void *data)
{
	struct race *race = data;
	struct dma_fence *fence = xchg(&race->fence, NULL);

	if (!fence)
		return;
	if (race->mode == RACE_GRIP) {
		race_signal_gripped(race, fence);
	} else if (race->mode == RACE_OUTSIDE) {
		mock_rival_await(&race->inside);
		WRITE_ONCE(race->coming, true);
		dma_fence_signal(fence);
	} else {
		mock_rival_lag(race->rival);
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
		race_wait_inside(count->race);
	WRITE_ONCE(count->calls, count->calls + 1);
}

/*
 * A callback that is added while the fence signals is run, or is refused. Caught:
 * an add that does not look at the fence again under the lock.
 */
static void race_signal_callback(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_rival *rival = race_start(test, race, signal_turn);
	unsigned int late = 0;

	while (mock_rival_again(rival)) {
		struct dma_fence *fence = mock_fence_create(test);
		struct count_cb count = { .race = race };
		int ret;

		race_hand_over(race, fence,
			       rival->rounds % 4 ? RACE_AIM : RACE_GRIP);
		ret = dma_fence_add_callback(fence, &count.cb, count_cb_func);

		race_settle(race, rival->rounds);
		KUNIT_EXPECT_FALSE(test,
				   dma_fence_remove_callback(fence, &count.cb));
		KUNIT_EXPECT_EQ(test, count.calls, ret ? 0 : 1);
		late += !!ret;
		if (race->mode == RACE_AIM)
			mock_rival_aim(rival, ret);
		dma_fence_put(fence);
	}
	mock_rival_stop(test, rival);
	kunit_info(test, "%u callbacks came too late\n", late);
}

/*
 * One that is taken back while the fence signals has run, to its end, or never
 * will. Caught: a removal that is content with a fence which has signalled, one
 * that does without the lock, and a signal that drops it for the callbacks.
 */
static void race_remove_callback(struct kunit *test)
{
	static const enum race_mode modes[] = {
		RACE_AIM, RACE_INSIDE, RACE_AIM, RACE_GRIP,
	};
	struct race *race = race_create(test);
	struct mock_rival *rival = race_start(test, race, signal_turn);
	unsigned int removed = 0;

	while (mock_rival_again(rival)) {
		struct dma_fence *fence = mock_fence_create(test);
		struct count_cb count = { .race = race };
		bool in_time;

		dma_fence_add_callback(fence, &count.cb, count_cb_func);
		race_hand_over(race, fence, modes[rival->rounds % 4]);
		in_time = dma_fence_remove_callback(fence, &count.cb);
		/* Its storage may go from here on, so this is final. */
		KUNIT_EXPECT_EQ(test, READ_ONCE(count.calls), in_time ? 0 : 1);

		race_settle(race, rival->rounds);
		KUNIT_EXPECT_EQ(test, count.calls, in_time ? 0 : 1);
		removed += in_time;
		if (race->mode == RACE_AIM)
			mock_rival_aim(rival, !in_time);
		dma_fence_put(fence);
	}
	mock_rival_stop(test, rival);
	kunit_info(test, "%u callbacks were removed\n", removed);
}

/* -- waiting and enabling -------------------------------------------------- */

/*
 * Waits for what it is given. To have jiffies left says nothing: who was not woken
 * finds out when the time is over, and one is left for that.
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
						  race->intr, LONG_WAIT, &which);
	else
		left = dma_fence_wait_timeout(fence, race->intr, LONG_WAIT);

	if (left <= 1 || which != race->count - 1 ||
	    !test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags))
		atomic_inc(&race->wrong);
	race->slept = current->nvcsw != sleeps;
	atomic_inc_return_release(&race->served);
}

/* The driver hears of a waiter, who is no further than that when he is frozen. */
static bool enable_inside(struct dma_fence *fence)
{
	struct race *race = container_of(fence->ops, struct race, ops);

	WRITE_ONCE(race->inside, true);
	return true;
}

/*
 * However the two fall together, the waiter is woken, and finds it signalled. The
 * waiter is the rival, so that it can be frozen on its way to sleep: first where it
 * has just asked for the signal, and from there on a little further. Caught, with
 * two fences: a sleeper that looks at them before it says that it will sleep.
 */
static void race_wait(struct kunit *test, unsigned int count)
{
	struct race *race = race_create(test);
	struct mock_rival *rival;
	unsigned int slept = 0;

	race->count = count;
	race->fences = kunit_kcalloc(test, count, sizeof(*race->fences), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race->fences);
	for (unsigned int i = 0; i < count - 1; i++)
		race->fences[i] = mock_fence_create(test);
	race->ops.enable_signaling = enable_inside;

	rival = race_start(test, race, wait_turn);
	/* A lost wake-up costs the whole wait: once is enough. */
	while (!atomic_read(&race->wrong) && mock_rival_again(rival)) {
		struct dma_fence *fence;

		fence = mock_fence_create_ops(test, &race->ops,
					      dma_fence_context_alloc(1), 1);
		race->intr = rival->rounds % 2;
		race_hand_over(race, fence, RACE_INSIDE);
		mock_rival_freeze(rival);
		mock_rival_thaw(rival);
		mock_rival_dawdle(rival);
		mock_rival_freeze(rival);
		dma_fence_signal(fence);
		mock_rival_thaw(rival);

		race_settle(race, rival->rounds);
		slept += race->slept;
		mock_rival_aim(rival, race->slept);
		dma_fence_put(fence);
	}
	mock_rival_stop(test, rival);
	for (unsigned int i = 0; i < count - 1; i++)
		dma_fence_put(race->fences[i]);
	KUNIT_EXPECT_EQ(test, atomic_read(&race->wrong), 0);
	kunit_info(test, "%u had to sleep\n", slept);
}

static void race_wait_one(struct kunit *test)
{
	race_wait(test, 1);
}

static void race_wait_any(struct kunit *test)
{
	race_wait(test, 2);
}

/* Whether its fence was asked to signal after it had done so, or did meanwhile. */
static bool enable_checked(struct dma_fence *fence)
{
	struct race *race = container_of(fence->ops, struct race, ops);
	struct mock_fence *mock = to_mock_fence(fence);

	WRITE_ONCE(mock->enable_calls, mock->enable_calls + 1);
	if (test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags))
		mock->refuse_error = -EPROTO;
	if (race->mode == RACE_OUTSIDE)
		race_wait_inside(race);
	if (test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags))
		mock->refuse_error = -EPROTO;
	return true;
}

/*
 * A driver is asked once at most, never for a fence that has signalled, and none
 * signals before it has answered. Caught: an enabling that does not look at the
 * fence again under the lock, and one without the lock.
 */
static void race_enable(struct kunit *test)
{
	static const enum race_mode modes[] = {
		RACE_AIM, RACE_GRIP, RACE_AIM, RACE_OUTSIDE,
	};
	struct race *race = race_create(test);
	struct mock_rival *rival;
	unsigned int asked = 0;

	race->ops.enable_signaling = enable_checked;
	rival = race_start(test, race, signal_turn);
	while (mock_rival_again(rival)) {
		struct dma_fence *fence;
		struct mock_fence *mock;

		fence = mock_fence_create_ops(test, &race->ops,
					      dma_fence_context_alloc(1), 1);
		mock = to_mock_fence(fence);
		race_hand_over(race, fence, modes[rival->rounds % 4]);
		dma_fence_enable_sw_signaling(fence);
		dma_fence_enable_sw_signaling(fence);

		race_settle(race, rival->rounds);
		KUNIT_EXPECT_LE(test, mock->enable_calls, 1);
		KUNIT_EXPECT_EQ(test, mock->refuse_error, 0);
		KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
		asked += mock->enable_calls;
		if (race->mode == RACE_AIM)
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
		struct count_cb count = { .race = race };
		bool in_time;

		dma_fence_add_callback(fence, &count.cb, count_cb_func);
		race_hand_over(race, dma_fence_get(fence), RACE_AIM);
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

/* An array of two new fences. */
static struct dma_fence_array *pair_create(struct kunit *test,
					   const struct dma_fence_ops *ops,
					   bool any, struct dma_fence *pair[2])
{
	struct dma_fence_array *array = dma_fence_array_alloc(2);
	struct dma_fence **table;

	table = kmalloc_array(2, sizeof(*table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_ASSERT_NOT_NULL(test, array);
	for (int i = 0; i < 2; i++) {
		pair[i] = mock_fence_create_ops(test, ops,
						dma_fence_context_alloc(1), 1);
		table[i] = dma_fence_get(pair[i]);
	}
	dma_fence_array_init(array, 2, table, 1, 1, any);
	return array;
}

static signed long race_array_round(struct race *race,
				    struct dma_fence_array *array,
				    struct dma_fence *pair[2])
{
	signed long left;

	race_hand_over(race, pair[0], RACE_AIM);
	if (race->rival->rounds % 2)
		dma_fence_enable_sw_signaling(&array->base);
	mock_rival_aim(race->rival, dma_fence_is_signaled(pair[0]));
	dma_fence_signal(pair[1]);

	left = dma_fence_wait_timeout(&array->base, false, LONG_WAIT);
	race_settle(race, race->rival->rounds);
	return left;
}

/*
 * Two members signal on two CPUs while the array is being enabled. Caught: a
 * callback that is added to a member which has signalled meanwhile.
 */
static void race_array(struct kunit *test, bool any)
{
	struct race *race = race_create(test);
	struct mock_rival *rival = race_start(test, race, signal_turn);
	signed long left = LONG_WAIT;

	while (left > 1 && mock_rival_again(rival)) {
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

/* The driver of a member is asked, and meanwhile the array is enabled. */
static bool peek_inside(struct dma_fence *fence)
{
	struct race *race = container_of(fence->ops, struct race, ops);

	if (current == race->rival->thread) {
		WRITE_ONCE(race->inside, true);
		if (race->mode == RACE_INSIDE)
			mock_rival_await(&race->over);
	}
	return false;
}

/* Asks an array of which one member stays pending. */
static void peek_turn(void *data)
{
	struct race *race = data;
	struct dma_fence *fence = xchg(&race->fence, NULL);

	if (fence) {
		mock_rival_lag(race->rival);
		if (dma_fence_is_signaled(fence))
			atomic_inc(&race->wrong);
		atomic_inc(&race->served);
	}
}

/*
 * A member that has signalled is seen by who asks, and counted by who enables.
 * Caught: a peek that looks at the count after the members, and one that does so
 * after it has seen that nobody has enabled yet.
 */
static void race_array_peek(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_rival *rival;

	race->ops.signaled = peek_inside;
	rival = race_start(test, race, peek_turn);
	while (mock_rival_again(rival)) {
		struct dma_fence_array *array;
		struct dma_fence *pair[2];
		bool late;

		array = pair_create(test, &race->ops, false, pair);
		dma_fence_signal(pair[0]);
		race_hand_over(race, &array->base,
			       rival->rounds % 2 ? RACE_INSIDE : RACE_AIM);
		if (race->mode == RACE_AIM)
			mock_rival_freeze(rival);
		late = READ_ONCE(race->inside);
		dma_fence_enable_sw_signaling(&array->base);
		mock_rival_thaw(rival);
		WRITE_ONCE(race->over, true);

		race_settle(race, rival->rounds);
		if (race->mode == RACE_AIM)
			mock_rival_aim(rival, late);
		dma_fence_signal(pair[1]);
		KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(&array->base, false,
							     LONG_WAIT), 1);
		dma_fence_put(&array->base);
		dma_fence_put(pair[0]);
		dma_fence_put(pair[1]);
	}
	mock_rival_stop(test, rival);
	KUNIT_EXPECT_EQ(test, atomic_read(&race->wrong), 0);
}

/* Arrays of two members, of which each side signals one. */
#define COUNT_ARRAYS	64

struct count_arrays {
	struct dma_fence *mine[COUNT_ARRAYS];
	struct dma_fence *theirs[COUNT_ARRAYS];
	struct dma_fence_array *array[COUNT_ARRAYS];
};

static void count_arrays_fill(struct kunit *test, struct count_arrays *all)
{
	for (int i = 0; i < COUNT_ARRAYS; i++) {
		struct dma_fence *pair[2];

		/* Of one kind both count to zero, of the other one goes below. */
		all->array[i] = pair_create(test, &mock_fence_ops, i % 2, pair);
		all->mine[i] = pair[0];
		all->theirs[i] = pair[1];
		dma_fence_enable_sw_signaling(&all->array[i]->base);
	}
}

/* False when the array does not signal, or keeps a reference that is lost. */
static bool count_settled(struct dma_fence_array *array)
{
	if (dma_fence_wait_timeout(&array->base, false, LONG_WAIT) <= 1)
		return false;
	irq_work_sync(&array->work);
	return kref_read(&array->base.refcount) == 1;
}

static bool count_arrays_settled(struct count_arrays *all)
{
	for (int i = 0; i < COUNT_ARRAYS; i++)
		if (!count_settled(all->array[i]))
			return false;
	return true;
}

static void count_arrays_put(struct count_arrays *all)
{
	for (int i = 0; i < COUNT_ARRAYS; i++) {
		dma_fence_put(&all->array[i]->base);
		dma_fence_put(all->mine[i]);
		dma_fence_put(all->theirs[i]);
	}
}

/*
 * Signal one member of each array, none before the other side is there as well,
 * and then a bit later than that or not, so that all distances have their turn.
 */
static void count_march(struct dma_fence **fences, unsigned int *here,
			const unsigned int *there, unsigned int shift)
{
	for (unsigned int i = 0; i < COUNT_ARRAYS; i++) {
		WRITE_ONCE(*here, i + 1);
		while (READ_ONCE(*there) < i + 1)
			cpu_relax();
		for (unsigned int late = (i + shift) % 16; late; late--)
			barrier();
		dma_fence_signal(fences[i]);
	}
}

static void count_turn(void *data)
{
	struct race *race = data;

	if (!xchg(&race->fence, NULL))
		return;

	count_march(race->fences, &race->theirs, &race->mine, 0);
	atomic_inc(&race->served);
}

/*
 * Two sides go along the arrays side by side, and each signals its member. In each
 * array one of them is the last, and only one. This leaves more to chance than
 * race_array_count_watched(), but needs no watchpoint.
 */
static void race_array_count(struct kunit *test)
{
	struct race *race = race_create(test);
	struct count_arrays *all;
	struct mock_rival *rival;
	bool settled = true;

	all = kunit_kzalloc(test, sizeof(*all), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, all);
	race->fences = all->theirs;

	rival = race_start(test, race, count_turn);
	/* An array that never signals costs the whole wait: once is enough. */
	while (settled && mock_rival_again(rival)) {
		count_arrays_fill(test, all);
		race->mine = 0;
		race->theirs = 0;
		xchg(&race->fence, all->theirs[0]);
		count_march(all->mine, &race->mine, &race->theirs,
			    rival->rounds);
		race_settle(race, rival->rounds);

		settled = count_arrays_settled(all);
		KUNIT_EXPECT_TRUE(test, settled);
		count_arrays_put(all);
	}
	mock_rival_stop(test, rival);
}

#ifdef CONFIG_HAVE_HW_BREAKPOINT

/*
 * On either CPU, right after an instruction that has touched the count, with
 * interrupts off. The first one waits here until the other has come as far.
 */
static void count_touched(struct perf_event *event,
			  struct perf_sample_data *data, struct pt_regs *regs)
{
	struct race *race = event->overflow_handler_context;

	if (atomic_inc_return(&race->touched) == 1)
		mock_rival_await(&race->met);
	else
		WRITE_ONCE(race->met, true);
}

/* The next touch is the first one. */
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

	/* Not the first one, so that this does not wait. */
	atomic_set(&race->touched, 1);
	atomic_read(&array->num_pending);
	seen = atomic_read(&race->touched) > 1;

	count_watch_from_here(race);
	race_hand_over(race, pair[0], RACE_AIM);
	dma_fence_signal(pair[1]);
	race_settle(race, race->rival->rounds);
	unregister_wide_hw_breakpoint(watch);
	return seen ? 0 : -ENXIO;
}

/*
 * Both members signal at the same time, and whoever touches the count first waits,
 * before the next instruction, for the other to touch it. Caught: a count that is
 * read by one instruction and lowered by another.
 */
static void race_array_count_watched(struct kunit *test)
{
	struct race *race = race_create(test);
	struct mock_rival *rival = race_start(test, race, signal_turn);
	bool settled = true;
	unsigned int met = 0;
	int ret = 0;

	/* An array that never signals costs the whole wait: once is enough. */
	while (settled && !ret && mock_rival_again(rival)) {
		struct dma_fence_array *array;
		struct dma_fence *pair[2];

		array = pair_create(test, &mock_fence_ops, rival->rounds % 2,
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
	mock_rival_stop(test, rival);
	kunit_info(test, "met %u times\n", met);
	if (ret)
		kunit_skip(test, "needs watchpoints: %d", ret);
}

#else

static void race_array_count_watched(struct kunit *test)
{
	kunit_skip(test, "needs watchpoints");
}

#endif /* CONFIG_HAVE_HW_BREAKPOINT */

/* -- memory that is used again --------------------------------------------- */

/*
 * A fence on the stack, as xe has them for the invalidation of a TLB. Its owner
 * waits, and returns: from then on the frame is used for something else.
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

/* A driver that is not done with a fence when it has signalled it. */
static void frame_signal_gripped(struct race *race, struct dma_fence *fence)
{
	unsigned long flags;

	spin_lock_irqsave(fence->lock, flags);
	dma_fence_signal_locked(fence);
	WRITE_ONCE(race->inside, true);
	mock_rival_await(&race->over);
	set_bit(DMA_FENCE_FLAG_USER_BITS, &fence->flags);
	spin_unlock_irqrestore(fence->lock, flags);
}

/* The rival is the hardware: it signals, and has no reference. */
static void frame_turn(void *data)
{
	struct race *race = data;
	struct dma_fence *fence = xchg(&race->fence, NULL);

	if (!fence)
		return;

	switch (race->mode) {
	case RACE_OUTSIDE:
		/* Until the owner sleeps, or is about to. */
		while (list_empty_careful(&fence->cb_list))
			cond_resched();
		fallthrough;
	case RACE_GRIP:
		frame_signal_gripped(race, fence);
		break;
	default:
		mock_rival_lag(race->rival);
		dma_fence_signal(fence);
	}
	atomic_inc(&race->served);
}

/* A callback that keeps the rival in the midst of signalling. */
struct frame_cb {
	struct dma_fence_cb cb;
	struct race *race;
};

static void frame_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct race *race = container_of(cb, struct frame_cb, cb)->race;

	WRITE_ONCE(race->inside, true);
	mock_rival_await(&race->over);
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
	{ "wait, in the midst of callbacks", RACE_INSIDE, frame_wait },
	{ "default wait, in the midst of callbacks", RACE_INSIDE,
	  frame_default_wait },
	{ "enable, in the midst of callbacks", RACE_INSIDE,
	  dma_fence_enable_sw_signaling },
	{ "remove, in the midst of callbacks", RACE_INSIDE, frame_remove },
	{ "status, in the midst of callbacks", RACE_INSIDE, frame_status },
	{ "wait, before the unlock", RACE_GRIP, frame_wait },
	{ "default wait, before the unlock", RACE_GRIP, frame_default_wait },
	{ "enable, before the unlock", RACE_GRIP,
	  dma_fence_enable_sw_signaling },
	{ "remove, before the unlock", RACE_GRIP, frame_remove },
	{ "status, before the unlock", RACE_GRIP, frame_status },
	{ "woken before the unlock", RACE_OUTSIDE, frame_wait },
	{ "woken from a wait for any, before the unlock", RACE_OUTSIDE,
	  frame_wait_any },
	{ "wait, as it happens", RACE_AIM, frame_wait },
	{ "status, as it happens", RACE_AIM, frame_status },
};

KUNIT_ARRAY_PARAM_DESC(frame, frame_cases, desc);

/* Rounds that compare the frame before those that write to it begin. */
#define FRAME_COMPARED	16

/*
 * One round. Returns whether the frame was touched after the owner had it back:
 * first only looked for, as then there is something to report, and later the
 * frame is overwritten, so that a touch ends in an oops.
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

	race_hand_over(race, &frame.fence, param->mode);
	param->wait(&frame.fence);

	/* The owner is told that it is over, so this is its own memory again. */
	if (race->rival->rounds > FRAME_COMPARED)
		memset(&frame, 0x5a, sizeof(frame));
	memcpy(&after, &frame, sizeof(after));
	WRITE_ONCE(race->over, true);
	race_settle(race, race->rival->rounds);
	return memcmp(&after, &frame, sizeof(after));
}

/*
 * When a wait has returned, the CPU that signals does not touch the fence any more,
 * nor the lock next to it. Caught: waits that are content with a fence which has
 * signalled, or with one whose callbacks have run; a signal that asks the fence for
 * its lock when it unlocks.
 */
static void race_frame(struct kunit *test)
{
	const struct frame_case *param = test->param_value;
	struct race *race = race_create(test);
	struct mock_rival *rival = race_start(test, race, frame_turn);
	bool touched = false;

	while (!touched && mock_rival_again(rival)) {
		touched = frame_round(test, race, param);
		KUNIT_EXPECT_FALSE(test, touched);
		if (param->mode == RACE_AIM)
			mock_rival_aim(rival, rival->rounds % 2);
	}
	mock_rival_stop(test, rival);
}

static struct kunit_case dma_fence_race_cases[] = {
	KUNIT_CASE_SLOW(race_signal_callback),
	KUNIT_CASE_SLOW(race_remove_callback),
	KUNIT_CASE_SLOW(race_wait_one),
	KUNIT_CASE_SLOW(race_wait_any),
	KUNIT_CASE_SLOW(race_enable),
	KUNIT_CASE_SLOW(race_last_put),
	KUNIT_CASE_SLOW(race_lookup),
	KUNIT_CASE_SLOW(race_find_seqno),
	KUNIT_CASE_SLOW(race_array_all),
	KUNIT_CASE_SLOW(race_array_any),
	KUNIT_CASE_SLOW(race_array_peek),
	KUNIT_CASE_SLOW(race_array_count),
	KUNIT_CASE_SLOW(race_array_count_watched),
	KUNIT_CASE_PARAM_ATTR(race_frame, frame_gen_params,
			      {.speed = KUNIT_SPEED_SLOW}),
	{}
};

static struct kunit_suite dma_fence_race_suite = {
	.name = "dma_fence_race",
	.init = mock_rival_suite_init,
	.test_cases = dma_fence_race_cases,
};

kunit_test_suite(dma_fence_race_suite);
