// SPDX-License-Identifier: GPL-2.0-only
/*
 * Races of reservation objects: readers without the lock against writers.
 * Skipped on one CPU.
 *
 * The race thread (the peer) reads, and is held up in the middle of that: by a
 * fence whose signaled op spins, or by pausing it. Where a comment says
 * "Caught:", the mistake was made once on purpose and the case failed.
 */
#include <kunit/test.h>

#include <linux/dma-resv.h>
#include <linux/slab.h>

#include "mock_fence.h"
#include "mock_race.h"

/* Enough for the list to be replaced by a longer one. */
#define MANY	64

/* What a case shares with its race thread. */
struct race {
	struct kunit *test;
	struct dma_resv obj;
	struct dma_resv *passed;	/* @obj; taken by xchg() */
	struct dma_fence_ops ops;	/* of @gate */
	struct dma_fence *gate;		/* its signaled op spins */
	struct dma_fence *steps[2];	/* two fences of one context */
	u64 context;
	u64 seqno;
	bool inside;			/* the reader is in the op of @gate */
	bool open;			/* and may return from it */
	struct mock_race *peer;
	atomic_t served;
	atomic_t wrong;
};

static void race_fini(void *data)
{
	struct race *race = data;

	dma_resv_fini(&race->obj);
}

static struct race *race_create(struct kunit *test)
{
	struct race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, race);
	race->test = test;
	race->ops = mock_fence_ops;
	race->context = dma_fence_context_alloc(1);
	dma_resv_init(&race->obj);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, race_fini, race));
	return race;
}

static void race_add(struct race *race, struct dma_fence *fence,
		     unsigned int room)
{
	guard(dma_resv)(&race->obj);
	if (dma_resv_reserve_fences(&race->obj, room))
		atomic_inc(&race->wrong);
	else
		dma_resv_add_fence(&race->obj, fence, DMA_RESV_USAGE_WRITE);
}

/* ---- a list is replaced while it is read --------------------------------- */

static bool gate_signaled(struct dma_fence *fence)
{
	struct race *race = container_of(fence->ops, struct race, ops);

	if (current == race->peer->thread) {
		WRITE_ONCE(race->inside, true);
		while (!READ_ONCE(race->open))
			cpu_relax();
	}
	return READ_ONCE(to_mock_fence(fence)->peek_done);
}

/* The object is never without a pending fence, and none is in it twice. */
static void replaced_turn(void *data)
{
	struct race *race = data;
	struct dma_resv *obj = xchg(&race->passed, NULL);
	struct dma_fence **fences;
	unsigned int count, i;

	if (!obj)
		return;
	if (race->peer->rounds % 2) {
		if (dma_resv_test_signaled(obj, DMA_RESV_USAGE_WRITE))
			atomic_inc(&race->wrong);
	} else if (dma_resv_get_fences(obj, DMA_RESV_USAGE_WRITE, &count,
				       &fences)) {
		atomic_inc(&race->wrong);
	} else {
		if (count != 2 || fences[0] != race->gate ||
		    fences[1] != race->steps[1])
			atomic_inc(&race->wrong);
		for (i = 0; i < count; i++)
			dma_fence_put(fences[i]);
		kfree(fences);
	}
	atomic_inc(&race->served);
}

static void race_replaced_round(struct kunit *test, struct race *race)
{
	struct mock_race *peer = race->peer;
	bool release = peer->rounds / 4 % 2;

	race->inside = false;
	race->open = false;
	for (int i = 0; i < 2; i++)
		race->steps[i] = mock_fence_create_on(test, race->context,
						      ++race->seqno);
	race->gate = mock_fence_create_ops(test, &race->ops,
					   dma_fence_context_alloc(1), 1);
	race_add(race, race->gate, 2);
	race_add(race, race->steps[0], 1);

	xchg(&race->passed, &race->obj);
	while (!READ_ONCE(race->inside) &&
	       atomic_read(&race->served) < peer->rounds)
		cpu_relax();
	/*
	 * Add the next fence before the last one signals. In every other pair
	 * of rounds that fits in the same list.
	 */
	race_add(race, race->steps[1], peer->rounds % 4 < 2 ? MANY : 1);
	dma_fence_signal(race->steps[0]);
	/* The old list still has its address. */
	if (release)
		dma_fence_put(race->steps[0]);
	/* dma_resv_test_signaled() must go past the gate. */
	WRITE_ONCE(to_mock_fence(race->gate)->peek_done, peer->rounds % 2);
	WRITE_ONCE(race->open, true);
	while (atomic_read(&race->served) < peer->rounds)
		cond_resched();

	if (!release)
		dma_fence_put(race->steps[0]);
	dma_fence_signal(race->steps[1]);
	dma_fence_put(race->steps[1]);
	dma_fence_signal(race->gate);
	dma_fence_put(race->gate);
	dma_resv_fini(&race->obj);
	dma_resv_init(&race->obj);
}

/*
 * Succeeds if a reader in the first slot of a list, which is then replaced,
 * finds the fence that the new list has in the second slot; the old fence may
 * be released meanwhile. Caught: a walk that ends at the end of a list without
 * checking that it is current; a snapshot that keeps fences when the walk
 * restarts; by the warning of refcount_t, a reference to a fence that has none
 * left; and by KASAN, a list that is freed without a grace period.
 */
static void dma_resv_race_test_list_replaced(struct kunit *test)
{
	struct race *race = race_create(test);

	race->ops.signaled = gate_signaled;
	race->peer = mock_race_start(test, replaced_turn, race);
	while (!atomic_read(&race->wrong) && mock_race_again(race->peer))
		race_replaced_round(test, race);
	mock_race_stop(test, race->peer);
	KUNIT_EXPECT_EQ(test, atomic_read(&race->wrong), 0);
}

/* ---- readers paused anywhere --------------------------------------------- */

/* Number of fences beside the gate, the same at any time. */
#define MEMBERS	12
/* More contexts than any number of rounds uses. */
#define ROOM	(MEMBERS * 10000)

/* From the last restart to the end, a walk returns each fence once. */
static void race_walk(struct race *race)
{
	unsigned int gates = 0, count = 0;
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_iter_begin(&cursor, &race->obj, DMA_RESV_USAGE_WRITE);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		if (dma_resv_iter_is_restarted(&cursor)) {
			gates = 0;
			count = 0;
		}
		gates += fence == race->gate;
		count++;
		/* A reference must not be taken after the last was put. */
		if ((int)kref_read(&fence->refcount) <= 0 ||
		    dma_resv_iter_usage(&cursor) > DMA_RESV_USAGE_WRITE)
			atomic_inc(&race->wrong);
	}
	if (dma_resv_iter_is_restarted(&cursor) || gates != 1 ||
	    count != MEMBERS + 1)
		atomic_inc(&race->wrong);
	dma_resv_iter_end(&cursor);
}

static void read_turn(void *data)
{
	struct race *race = data;
	struct dma_fence **fences;
	unsigned int count;

	for (int i = 0; i < 8; i++)
		race_walk(race);

	if (dma_resv_test_signaled(&race->obj, DMA_RESV_USAGE_READ))
		atomic_inc(&race->wrong);
	if (dma_resv_get_fences(&race->obj, DMA_RESV_USAGE_BOOKKEEP, &count,
				&fences))
		count = 0;
	if (count != MEMBERS + 1)
		atomic_inc(&race->wrong);
	if (!count)
		return;
	while (count--)
		dma_fence_put(fences[count]);
	kfree(fences);
}

/* Replace all fences but the gate; the slots had the last references. */
static void race_replace_all(struct race *race, struct dma_fence **fences)
{
	guard(dma_resv)(&race->obj);
	for (int i = 0; i < MEMBERS; i++) {
		dma_resv_replace_fences(&race->obj,
					fences[i]->context - MEMBERS,
					fences[i], DMA_RESV_USAGE_WRITE);
		dma_fence_put(fences[i]);
	}
}

/* Move the same fences to another list. */
static void race_replace_list(struct race *race)
{
	guard(dma_resv)(&race->obj);
	if (dma_resv_copy_fences(&race->obj, &race->obj))
		atomic_inc(&race->wrong);
}

static void race_readers_round(struct kunit *test, struct race *race)
{
	struct mock_race *peer = race->peer;
	struct dma_fence *fences[MEMBERS];

	for (int i = 0; peer->rounds % 2 && i < MEMBERS; i++) {
		race->context++;
		fences[i] = mock_fence_create_on(test, race->context, 1);
	}

	/* The reader holds no lock that this needs. */
	mock_race_pause(peer);
	if (peer->rounds % 2)
		race_replace_all(race, fences);
	else
		race_replace_list(race);
	mock_race_resume(peer);
}

/*
 * Succeeds if no reader ever misses a fence, finds one twice, or gets one that
 * is released. Caught: a snapshot that keeps fences when the walk restarts.
 */
static void dma_resv_race_test_readers(struct kunit *test)
{
	struct race *race = race_create(test);

	race->gate = mock_fence_create(test);
	race_add(race, race->gate, 1);
	race->context = dma_fence_context_alloc(ROOM) - 1;
	for (int i = 0; i < MEMBERS; i++) {
		struct dma_fence *fence;

		fence = mock_fence_create_on(test, ++race->context, 1);
		race_add(race, fence, 1);
		dma_fence_put(fence);
	}

	race->peer = mock_race_start(test, read_turn, race);
	while (!atomic_read(&race->wrong) && mock_race_again(race->peer))
		race_readers_round(test, race);
	mock_race_stop(test, race->peer);

	KUNIT_EXPECT_EQ(test, atomic_read(&race->wrong), 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(race->gate));
	dma_fence_put(race->gate);
	kunit_info(test, "%d turns of the reader\n",
		   atomic_read(&race->peer->turns));
}

static struct kunit_case dma_resv_race_cases[] = {
	KUNIT_CASE_SLOW(dma_resv_race_test_list_replaced),
	KUNIT_CASE_SLOW(dma_resv_race_test_readers),
	{}
};

static struct kunit_suite dma_resv_race_suite = {
	.name = "dma_resv_race",
	.init = mock_race_suite_init,
	.test_cases = dma_resv_race_cases,
};

kunit_test_suite(dma_resv_race_suite);
