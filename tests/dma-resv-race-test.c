// SPDX-License-Identifier: GPL-2.0-only
/*
 * Races of reservation objects: readers without the lock against writers. Skipped
 * on one CPU.
 *
 * The rival reads, and is held up in the middle of it: by a fence whose driver
 * takes its time to answer, or frozen wherever it is. Where a mistake is named
 * above a case, it was made once on purpose, and caught.
 */
#include <kunit/test.h>

#include <linux/dma-resv.h>
#include <linux/slab.h>

#include "mock_fence.h"
#include "mock_race.h"

/* Enough for the list to be replaced by a longer one. */
#define MANY	64

/* What a case shares with its rival. */
struct race {
	struct kunit *test;
	struct dma_resv obj;
	struct dma_resv *handed;	/* @obj, for the reader to take by xchg() */
	struct dma_fence_ops ops;	/* of @gate */
	struct dma_fence *gate;		/* asking it takes time */
	struct dma_fence *batons[2];	/* the second one follows the first */
	u64 context;
	u64 seqno;
	bool inside;			/* the reader is asking the gate */
	bool open;			/* and may get its answer */
	struct mock_rival *rival;
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
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, race_fini, race));
	return race;
}

static void race_add(struct race *race, struct dma_fence *fence, unsigned int room)
{
	guard(dma_resv)(&race->obj);
	if (dma_resv_reserve_fences(&race->obj, room))
		atomic_inc(&race->wrong);
	else
		dma_resv_add_fence(&race->obj, fence, DMA_RESV_USAGE_WRITE);
}

/* ---- a list is replaced under who reads it ------------------------------- */

static bool gate_signaled(struct dma_fence *fence)
{
	struct race *race = container_of(fence->ops, struct race, ops);

	if (current == race->rival->thread) {
		WRITE_ONCE(race->inside, true);
		while (!READ_ONCE(race->open))
			cpu_relax();
	}
	return READ_ONCE(to_mock_fence(fence)->peek_done);
}

/* Something is there at any time, and nothing is there twice. */
static void replaced_turn(void *data)
{
	struct race *race = data;
	struct dma_resv *obj = xchg(&race->handed, NULL);
	struct dma_fence **fences;
	unsigned int count, i;

	if (!obj)
		return;
	if (race->rival->rounds % 2) {
		if (dma_resv_test_signaled(obj, DMA_RESV_USAGE_WRITE))
			atomic_inc(&race->wrong);
	} else if (dma_resv_get_fences(obj, DMA_RESV_USAGE_WRITE, &count, &fences)) {
		atomic_inc(&race->wrong);
	} else {
		if (count != 2 || fences[0] != race->gate ||
		    fences[1] != race->batons[1])
			atomic_inc(&race->wrong);
		for (i = 0; i < count; i++)
			dma_fence_put(fences[i]);
		kfree(fences);
	}
	atomic_inc(&race->served);
}

static void race_replaced_round(struct kunit *test, struct race *race)
{
	struct mock_rival *rival = race->rival;
	bool dies = rival->rounds / 4 % 2;

	race->inside = false;
	race->open = false;
	for (int i = 0; i < 2; i++)
		race->batons[i] = mock_fence_create_on(test, race->context,
						       ++race->seqno);
	race->gate = mock_fence_create_ops(test, &race->ops,
					   dma_fence_context_alloc(1), 1);
	race_add(race, race->gate, 2);
	race_add(race, race->batons[0], 1);

	xchg(&race->handed, &race->obj);
	while (!READ_ONCE(race->inside) && atomic_read(&race->served) < rival->rounds)
		cpu_relax();
	/*
	 * The work goes on: the next fence is there before the last one signals. In
	 * every other pair of rounds it is so within the same list.
	 */
	race_add(race, race->batons[1], rival->rounds % 4 < 2 ? MANY : 1);
	dma_fence_signal(race->batons[0]);
	/* The old list still names it. */
	if (dies)
		dma_fence_put(race->batons[0]);
	/* When it was asked by whoever wants one fence only, it was over. */
	WRITE_ONCE(to_mock_fence(race->gate)->peek_done, rival->rounds % 2);
	WRITE_ONCE(race->open, true);
	while (atomic_read(&race->served) < rival->rounds)
		cond_resched();

	if (!dies)
		dma_fence_put(race->batons[0]);
	dma_fence_signal(race->batons[1]);
	dma_fence_put(race->batons[1]);
	dma_fence_signal(race->gate);
	dma_fence_put(race->gate);
	dma_resv_fini(&race->obj);
	dma_resv_init(&race->obj);
}

/*
 * A reader is in the first slot of a list when that is replaced, and what is
 * in the second one passes on its duty in the new list only, and may die. Caught: a
 * walk that ends at the end of a list without asking whether it still counts; a
 * collector which keeps what it had when the walk starts over; by the warning of
 * refcount_t, a reference to a fence that has none left; and by KASAN, a list
 * that is freed without a grace period.
 */
static void race_list_replaced(struct kunit *test)
{
	struct race *race = race_create(test);

	race->ops.signaled = gate_signaled;
	race->rival = mock_rival_start(test, replaced_turn, race);
	while (!atomic_read(&race->wrong) && mock_rival_again(race->rival))
		race_replaced_round(test, race);
	mock_rival_stop(test, race->rival);
	KUNIT_EXPECT_EQ(test, atomic_read(&race->wrong), 0);
}

/* ---- readers wherever they are ------------------------------------------- */

/* Always the same number, whichever they are. */
#define MEMBERS	12
/* More timelines than any number of rounds takes. */
#define ROOM	(MEMBERS * 10000)

/* A whole pass, from restart to end, comes past each slot once. */
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
		/* One that was dead is not brought back to life. */
		if ((int)kref_read(&fence->refcount) <= 0 ||
		    dma_resv_iter_usage(&cursor) > DMA_RESV_USAGE_WRITE)
			atomic_inc(&race->wrong);
	}
	if (dma_resv_iter_is_restarted(&cursor) || gates != 1 || count != MEMBERS + 1)
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
	if (dma_resv_get_fences(&race->obj, DMA_RESV_USAGE_BOOKKEEP, &count, &fences))
		count = 0;
	if (count != MEMBERS + 1)
		atomic_inc(&race->wrong);
	if (!count)
		return;
	while (count--)
		dma_fence_put(fences[count]);
	kfree(fences);
}

/* In each slot but that of the gate is another fence, and nobody else has the old. */
static void race_replace_all(struct race *race, struct dma_fence **fences)
{
	guard(dma_resv)(&race->obj);
	for (int i = 0; i < MEMBERS; i++) {
		dma_resv_replace_fences(&race->obj, fences[i]->context - MEMBERS,
					fences[i], DMA_RESV_USAGE_WRITE);
		dma_fence_put(fences[i]);
	}
}

/* The same fences, in another list. */
static void race_replace_list(struct race *race)
{
	guard(dma_resv)(&race->obj);
	if (dma_resv_copy_fences(&race->obj, &race->obj))
		atomic_inc(&race->wrong);
}

static void race_readers_round(struct kunit *test, struct race *race)
{
	struct mock_rival *rival = race->rival;
	struct dma_fence *fences[MEMBERS];

	for (int i = 0; rival->rounds % 2 && i < MEMBERS; i++) {
		race->context++;
		fences[i] = mock_fence_create_on(test, race->context, 1);
	}

	/* The reader holds no lock that is needed here. */
	mock_rival_freeze(rival);
	if (rival->rounds % 2)
		race_replace_all(race, fences);
	else
		race_replace_list(race);
	mock_rival_thaw(rival);
}

/*
 * Succeeds if no reader ever misses a fence, meets one twice, or touches one that is
 * gone. Caught: a collector which keeps what it had when the walk starts over.
 */
static void race_readers(struct kunit *test)
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

	race->rival = mock_rival_start(test, read_turn, race);
	while (!atomic_read(&race->wrong) && mock_rival_again(race->rival))
		race_readers_round(test, race);
	mock_rival_stop(test, race->rival);

	KUNIT_EXPECT_EQ(test, atomic_read(&race->wrong), 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(race->gate));
	dma_fence_put(race->gate);
	kunit_info(test, "%d turns of the reader\n",
		   atomic_read(&race->rival->turns));
}

static struct kunit_case dma_resv_race_cases[] = {
	KUNIT_CASE_SLOW(race_list_replaced),
	KUNIT_CASE_SLOW(race_readers),
	{}
};

static struct kunit_suite dma_resv_race_suite = {
	.name = "dma_resv_race",
	.init = mock_rival_suite_init,
	.test_cases = dma_resv_race_cases,
};

kunit_test_suite(dma_resv_race_suite);
