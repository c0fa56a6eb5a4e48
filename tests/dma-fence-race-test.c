// SPDX-License-Identifier: GPL-2.0-only
/*
 * Races of fences that only two CPUs can run: signalling against callbacks,
 * looking up against dying, searching a chain against signalling it, an array
 * whose members signal at the same time. Skipped on one CPU.
 *
 * A case cannot tell that the race was met, but it counts how often each side
 * won and says so. It ends after many rounds, or a while: an emulated machine
 * that checks every access is slow.
 */
#include <kunit/test.h>

#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "mock_fence.h"

#define MIN_ROUNDS	64
#define MAX_ROUNDS	5000
#define WHILE		(2 * HZ)
#define LONG_WAIT	(30 * HZ)

/* What a case shares with its second thread. */
struct race {
	struct task_struct *thread;
	struct dma_fence *fence;	/* to be signalled, handed over by xchg() */
	struct dma_fence __rcu *slot;
	struct dma_fence *chain;
	struct dma_fence **fences;
	unsigned int count;
	unsigned long end;		/* in jiffies */
	atomic_t served;
	atomic_t wrong;
};

static void race_start(struct kunit *test, struct race *race,
		       int (*func)(void *data))
{
	race->end = jiffies + WHILE;
	race->thread = kthread_run(func, race, "fence-race");
	KUNIT_ASSERT_FALSE(test, IS_ERR(race->thread));
}

static bool race_goes_on(struct race *race, unsigned int round)
{
	return round < MIN_ROUNDS ||
	       (round < MAX_ROUNDS && time_before(jiffies, race->end));
}

static void dawdle(unsigned int turns)
{
	while (turns--)
		cpu_relax();
}

/* -- callbacks ------------------------------------------------------------- */

/* Signals whatever it is given, as soon as it sees it. */
static int signal_thread(void *data)
{
	struct race *race = data;
	struct dma_fence *fence;

	while (!kthread_should_stop()) {
		fence = xchg(&race->fence, NULL);
		if (fence) {
			dma_fence_signal(fence);
			atomic_inc(&race->served);
		}
		cond_resched();
	}

	return 0;
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
	unsigned int i, late = 0;
	struct race race = {};

	race_start(test, &race, signal_thread);
	for (i = 0; race_goes_on(&race, i); i++) {
		struct dma_fence *fence = mock_fence_create(test);
		struct count_cb count = {};
		int ret;

		xchg(&race.fence, fence);
		dawdle(i % 128);
		ret = dma_fence_add_callback(fence, &count.cb, count_cb_func);

		while (atomic_read(&race.served) <= i)
			cond_resched();
		KUNIT_EXPECT_FALSE(test,
				   dma_fence_remove_callback(fence, &count.cb));
		KUNIT_EXPECT_EQ(test, count.calls, ret ? 0 : 1);
		late += !!ret;
		dma_fence_put(fence);
	}
	kthread_stop(race.thread);
	kunit_info(test, "%u of %u callbacks came too late\n", late, i);
}

/* One that is taken back while the fence signals has run, or never will. */
static void race_remove_callback(struct kunit *test)
{
	unsigned int i, removed = 0;
	struct race race = {};

	race_start(test, &race, signal_thread);
	for (i = 0; race_goes_on(&race, i); i++) {
		struct dma_fence *fence = mock_fence_create(test);
		struct count_cb count = {};
		bool in_time;

		dma_fence_add_callback(fence, &count.cb, count_cb_func);
		xchg(&race.fence, fence);
		dawdle(i % 128);
		in_time = dma_fence_remove_callback(fence, &count.cb);
		/* Its storage may go from here on, so this is final. */
		KUNIT_EXPECT_EQ(test, count.calls, in_time ? 0 : 1);

		while (atomic_read(&race.served) <= i)
			cond_resched();
		KUNIT_EXPECT_EQ(test, count.calls, in_time ? 0 : 1);
		removed += in_time;
		dma_fence_put(fence);
	}
	kthread_stop(race.thread);
	kunit_info(test, "%u of %u callbacks were removed\n", removed, i);
}

/* -- looking up ------------------------------------------------------------ */

static int lookup_thread(void *data)
{
	struct race *race = data;
	struct dma_fence *fence;

	while (!kthread_should_stop()) {
		rcu_read_lock();
		fence = dma_fence_get_rcu_safe(&race->slot);
		rcu_read_unlock();
		if (fence) {
			atomic_inc(&race->served);
			if (fence->seqno != 1 || !kref_read(&fence->refcount))
				atomic_inc(&race->wrong);
		}
		dma_fence_put(fence);
		cond_resched();
	}

	return 0;
}

/* A slot is looked up while its fences come and die. */
static void race_lookup(struct kunit *test)
{
	struct dma_fence *fence = NULL, *next;
	struct race race = {};
	unsigned int i;

	race_start(test, &race, lookup_thread);
	for (i = 0; race_goes_on(&race, i); i++) {
		next = i % 8 ? mock_fence_create(test) : NULL;
		rcu_assign_pointer(race.slot, next);
		dma_fence_put(fence);
		fence = next;
		dawdle(i % 64);
		cond_resched();
	}
	RCU_INIT_POINTER(race.slot, NULL);
	kthread_stop(race.thread);

	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, mock_fence_live(test), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&race.wrong), 0);
	kunit_info(test, "%d look-ups found one of %u\n",
		   atomic_read(&race.served), i);
}

/* -- chains ---------------------------------------------------------------- */

/* Looks for points of a chain that shrinks meanwhile. */
static int find_thread(void *data)
{
	struct race *race = data;

	while (!kthread_should_stop()) {
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
		atomic_inc(&race->served);
		dma_fence_put(found);
		cond_resched();
	}

	return 0;
}

#define CHAIN_LENGTH	256

static void race_find_seqno(struct kunit *test)
{
	struct race race = { .count = CHAIN_LENGTH };
	unsigned int *order;

	race.fences = kunit_kcalloc(test, CHAIN_LENGTH, sizeof(*race.fences),
				    GFP_KERNEL);
	order = kunit_kcalloc(test, CHAIN_LENGTH, sizeof(*order), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race.fences);
	KUNIT_ASSERT_NOT_NULL(test, order);

	for (unsigned int i = 0; i < CHAIN_LENGTH; i++) {
		struct dma_fence_chain *node = dma_fence_chain_alloc();
		unsigned int j = get_random_u32_below(i + 1);

		KUNIT_ASSERT_NOT_NULL(test, node);
		race.fences[i] = mock_fence_create(test);
		dma_fence_chain_init(node, race.chain,
				     dma_fence_get(race.fences[i]), i + 1);
		race.chain = &node->base;
		order[i] = order[j];
		order[j] = i;
	}
	dma_fence_enable_sw_signaling(race.chain);

	race_start(test, &race, find_thread);
	for (unsigned int i = 0; i < CHAIN_LENGTH; i++) {
		int served = atomic_read(&race.served);

		dma_fence_signal(race.fences[order[i]]);
		/* Let a search end, so that most begin in another chain. */
		while (atomic_read(&race.served) == served &&
		       race_goes_on(&race, MIN_ROUNDS))
			cond_resched();
	}
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(race.chain, false,
						     LONG_WAIT), 0);
	kthread_stop(race.thread);

	dma_fence_put(race.chain);
	for (unsigned int i = 0; i < CHAIN_LENGTH; i++)
		dma_fence_put(race.fences[i]);
	KUNIT_EXPECT_EQ(test, atomic_read(&race.wrong), 0);
	kunit_info(test, "%d searches\n", atomic_read(&race.served));
}

/* -- arrays ---------------------------------------------------------------- */

/* Two members signal on two CPUs while the array is being enabled. */
static void race_array(struct kunit *test, bool any)
{
	struct race race = {};
	unsigned int i;

	race_start(test, &race, signal_thread);
	for (i = 0; race_goes_on(&race, i); i++) {
		struct dma_fence *one = mock_fence_create(test);
		struct dma_fence *two = mock_fence_create(test);
		struct dma_fence_array *array;
		struct dma_fence **table;

		table = kmalloc_array(2, sizeof(*table), GFP_KERNEL);
		array = dma_fence_array_alloc(2);
		/* Not fatal: the thread has to be stopped. */
		KUNIT_EXPECT_TRUE(test, table && array);
		if (!table || !array)
			break;
		table[0] = dma_fence_get(one);
		table[1] = dma_fence_get(two);
		dma_fence_array_init(array, 2, table, 1, 1, any);
		dma_fence_set_error(one, -EIO);
		if (!any)
			dma_fence_set_error(two, -EIO);

		xchg(&race.fence, one);
		dawdle(i % 128);
		if (i % 2)
			dma_fence_enable_sw_signaling(&array->base);
		dma_fence_signal(two);

		KUNIT_EXPECT_GT(test,
				dma_fence_wait_timeout(&array->base, false,
						       LONG_WAIT), 0);
		if (any)
			KUNIT_EXPECT_NE(test,
					dma_fence_get_status(&array->base), 0);
		else
			KUNIT_EXPECT_EQ(test,
					dma_fence_get_status(&array->base),
					-EIO);
		while (atomic_read(&race.served) <= i)
			cond_resched();
		dma_fence_put(&array->base);
		dma_fence_put(one);
		dma_fence_put(two);
	}
	kthread_stop(race.thread);
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
	KUNIT_CASE_SLOW(race_lookup),
	KUNIT_CASE_SLOW(race_find_seqno),
	KUNIT_CASE_SLOW(race_array_all),
	KUNIT_CASE_SLOW(race_array_any),
	{}
};

/* Before a case has made anything. */
static int dma_fence_race_init(struct kunit *test)
{
	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two CPUs");
	return 0;
}

static struct kunit_suite dma_fence_race_suite = {
	.name = "dma_fence_race",
	.init = dma_fence_race_init,
	.test_cases = dma_fence_race_cases,
};

kunit_test_suite(dma_fence_race_suite);
