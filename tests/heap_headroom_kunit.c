// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of heaps/heap_headroom.c: when an allocation goes on, when it does not,
 * and what it does when another task runs out of memory.
 */
#include <kunit/test.h>

#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "../heaps/heap_headroom.h"

/* How many pages are granted at a time. */
#define HEAP_HEADROOM_TEST_STEP	(SZ_4M >> PAGE_SHIFT)

/*
 * Count the pages by which watermarks may be boosted, without the minimum of a
 * pageblock per zone.
 */
static unsigned long heap_headroom_test_boost(void)
{
	unsigned long boost = 0;
	struct zone *zone;

	for_each_populated_zone(zone)
		boost += zone->_watermark[WMARK_HIGH] * 3 / 2;
	return min(boost, totalram_pages() / 16);
}

/* Count the pages that are for others. */
static unsigned long heap_headroom_test_share(void)
{
	return min(totalram_pages() / 128, (unsigned long)SZ_32M >> PAGE_SHIFT);
}

/*
 * Count what heap_headroom_check() leaves: free CMA pages, the share for
 * others, and a step per CPU. The minimum boost of a pageblock per zone is not
 * in it.
 */
static unsigned long heap_headroom_test_kept(void)
{
	return global_zone_page_state(NR_FREE_CMA_PAGES) +
	       heap_headroom_test_share() +
	       HEAP_HEADROOM_TEST_STEP * num_online_cpus();
}

/* Count what is available to an allocation, as far as is certain. */
static unsigned long heap_headroom_test_available(void)
{
	return si_mem_available() - heap_headroom_test_kept() -
	       heap_headroom_test_boost() -
	       global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B);
}

static void heap_headroom_test_end(void *room)
{
	heap_headroom_release(room);
}

static struct heap_headroom *heap_headroom_test_begin(struct kunit *test)
{
	struct heap_headroom *room;

	room = kunit_kzalloc(test, sizeof(*room), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, room);
	heap_headroom_init(room);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   heap_headroom_test_end,
							   room));
	return room;
}

static void heap_headroom_test_roomy(struct kunit *test)
{
	struct heap_headroom *room = heap_headroom_test_begin(test);

	KUNIT_EXPECT_EQ(test, 0, heap_headroom_check(room, 1, 0));
	KUNIT_EXPECT_FALSE(test, room->tight);
	KUNIT_EXPECT_LT(test, 0, heap_headroom_step(room));
}

/*
 * Threads that check one after the other, and have not taken a page yet, are
 * not granted more than there is: with room for four of them, eight do not go
 * on.
 */
static void heap_headroom_test_granted(struct kunit *test)
{
	struct heap_headroom *room[8];
	unsigned long nr_pages, spare = 4 * HEAP_HEADROOM_TEST_STEP;
	unsigned int i, roomy = 0;

	nr_pages = heap_headroom_test_available();
	if ((long)nr_pages < (long)(2 * spare))
		kunit_skip(test, "too little memory");
	nr_pages -= spare;
	for (i = 0; i < ARRAY_SIZE(room); i++) {
		room[i] = heap_headroom_test_begin(test);
		if (!heap_headroom_check(room[i], nr_pages, 0) && !room[i]->tight)
			roomy++;
	}
	KUNIT_EXPECT_LT(test, 0, roomy);
	KUNIT_EXPECT_GT(test, ARRAY_SIZE(room), roomy);

	/*
	 * Another check takes the place of the last one, and the end leaves
	 * none.
	 */
	for (i = 1; i < ARRAY_SIZE(room); i++)
		heap_headroom_release(room[i]);
	for (i = 0; i < ARRAY_SIZE(room); i++) {
		KUNIT_EXPECT_EQ(test, 0, heap_headroom_check(room[0], nr_pages, 0));
		KUNIT_EXPECT_FALSE(test, room[0]->tight);
	}
}

/* What a boost of the watermarks may ask for is held, or left. */
static void heap_headroom_test_boosted(struct kunit *test)
{
	struct heap_headroom *room = heap_headroom_test_begin(test);
	unsigned long boost = heap_headroom_test_boost();
	long nr_pages = heap_headroom_test_available() + boost / 2;

	if (nr_pages <= 0)
		kunit_skip(test, "too little memory");
	KUNIT_EXPECT_EQ(test, 0, heap_headroom_check(room, nr_pages, 0));
	KUNIT_EXPECT_TRUE(test, room->tight);
}

static void heap_headroom_test_destroy(void *cache)
{
	kmem_cache_destroy(cache);
}

/*
 * Of what is called reclaimable slab most may be in use, as inodes of open
 * files are: it has to be reclaimed to be sure.
 */
static void heap_headroom_test_slab(struct kunit *test)
{
	struct heap_headroom *room = heap_headroom_test_begin(test);
	const unsigned long nr = SZ_32M / PAGE_SIZE;
	long nr_pages = heap_headroom_test_available() - SZ_8M / PAGE_SIZE;
	struct kmem_cache *cache;
	unsigned long i;
	void **objects;

	if (nr_pages <= (long)nr)
		kunit_skip(test, "too little memory");
	cache = kmem_cache_create("heap_headroom_test", PAGE_SIZE, 0,
				  SLAB_RECLAIM_ACCOUNT, NULL);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   heap_headroom_test_destroy,
							   cache));
	objects = kunit_kcalloc(test, nr, sizeof(*objects), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, objects);
	for (i = 0; i < nr; i++)
		objects[i] = kmem_cache_alloc(cache, GFP_KERNEL);

	KUNIT_EXPECT_EQ(test, 0, heap_headroom_check(room, nr_pages, 0));
	KUNIT_EXPECT_TRUE(test, room->tight);
	for (i = 0; i < nr; i++)
		if (objects[i])
			kmem_cache_free(cache, objects[i]);
}

/* What can never be had is refused without reclaim. */
static void heap_headroom_test_impossible(struct kunit *test)
{
	struct heap_headroom *room = heap_headroom_test_begin(test);
	unsigned long total = totalram_pages();

	KUNIT_EXPECT_TRUE(test, heap_headroom_is_impossible(total, 0));
	KUNIT_EXPECT_TRUE(test, heap_headroom_is_impossible(ULONG_MAX, 0));
	KUNIT_EXPECT_TRUE(test, heap_headroom_is_impossible(1, total));
	KUNIT_EXPECT_FALSE(test, heap_headroom_is_impossible(1, 0));
	KUNIT_EXPECT_EQ(test, -ENOMEM, heap_headroom_check(room, total, 0));
	/*
	 * Free as it may be, it cannot be free when the heap has handed it out.
	 */
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			heap_headroom_check(room, si_mem_available(), total));
	KUNIT_EXPECT_FALSE(test, room->tight);
}

/*
 * Not so much that it is impossible, and not so little that it is no matter,
 * also when others free some memory meanwhile.
 */
static unsigned long heap_headroom_test_tight(struct kunit *test,
					      struct heap_headroom *room)
{
	unsigned long nr_pages = si_mem_available();

	nr_pages -= heap_headroom_test_kept();
	nr_pages += heap_headroom_test_share() / 2;
	KUNIT_ASSERT_EQ(test, 0, heap_headroom_check(room, nr_pages, 0));
	KUNIT_ASSERT_TRUE(test, room->tight);
	return nr_pages;
}

/* There is one reserve for all allocations, from the first to the last. */
static void heap_headroom_test_reserve(struct kunit *test)
{
	struct heap_headroom *room = heap_headroom_test_begin(test), *other;
	unsigned long roomy = heap_headroom_step(room), nr_pages, reserve;

	nr_pages = heap_headroom_test_tight(test, room);
	reserve = heap_headroom_reserved();
	KUNIT_EXPECT_LT(test, 0, reserve);
	KUNIT_EXPECT_GT(test, roomy, heap_headroom_step(room));
	KUNIT_EXPECT_EQ(test, 0, heap_headroom_check(room, nr_pages, 0));

	other = heap_headroom_test_begin(test);
	heap_headroom_test_tight(test, other);
	KUNIT_EXPECT_EQ(test, reserve, heap_headroom_reserved());

	heap_headroom_release(room);
	KUNIT_EXPECT_FALSE(test, room->tight);
	KUNIT_EXPECT_EQ(test, reserve, heap_headroom_reserved());
	heap_headroom_release(other);
	KUNIT_EXPECT_EQ(test, 0, heap_headroom_reserved());
}

static unsigned long heap_headroom_test_oom(void)
{
	unsigned long freed = 0;

	heap_headroom_oom(NULL, 0, &freed);
	return freed;
}

static void heap_headroom_test_forget(void *unused)
{
	heap_headroom_forget_oom();
}

static void heap_headroom_test_forget_later(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   heap_headroom_test_forget,
							   NULL));
}

/*
 * The reserve goes to a task that would be killed otherwise, and then the rest.
 */
static void heap_headroom_test_called_off(struct kunit *test)
{
	struct heap_headroom *room = heap_headroom_test_begin(test);
	unsigned long nr_pages = heap_headroom_test_tight(test, room);
	unsigned long reserve = heap_headroom_reserved();

	heap_headroom_test_forget_later(test);
	KUNIT_EXPECT_FALSE(test, heap_headroom_is_called_off(room));
	KUNIT_EXPECT_EQ(test, 0, heap_headroom_interrupted(room));
	KUNIT_EXPECT_EQ(test, reserve, heap_headroom_test_oom());
	KUNIT_EXPECT_EQ(test, 0, heap_headroom_reserved());
	KUNIT_EXPECT_TRUE(test, heap_headroom_is_called_off(room));
	KUNIT_EXPECT_EQ(test, -ENOMEM, heap_headroom_interrupted(room));
	KUNIT_EXPECT_EQ(test, -ENOMEM, heap_headroom_check(room, nr_pages, 0));

	/*
	 * As long as the allocation has not come to its end, it has something.
	 */
	KUNIT_EXPECT_LT(test, 0, heap_headroom_test_oom());
	/* Which may have come back a moment ago. */
	heap_headroom_release(room);
	KUNIT_EXPECT_LT(test, 0, heap_headroom_test_oom());
	KUNIT_EXPECT_EQ(test, 0, heap_headroom_test_oom());
}

/*
 * A task may have found nothing as long as an allocation held the reserve, and
 * be on its way to the notifier when that ends. It tries again, once.
 */
static void heap_headroom_test_ended(struct kunit *test)
{
	struct heap_headroom *room = heap_headroom_test_begin(test);

	heap_headroom_test_tight(test, room);
	heap_headroom_test_forget_later(test);
	heap_headroom_release(room);
	KUNIT_EXPECT_EQ(test, 0, heap_headroom_reserved());
	KUNIT_EXPECT_LT(test, 0, heap_headroom_test_oom());
	KUNIT_EXPECT_EQ(test, 0, heap_headroom_test_oom());
}

/*
 * An allocation that has not been checked, or that goes on as there is enough,
 * may have what a task lacks. The task waits for it, and it has to check.
 */
static void heap_headroom_test_under_way(struct kunit *test)
{
	struct heap_headroom *room = heap_headroom_test_begin(test);

	heap_headroom_test_forget_later(test);
	KUNIT_EXPECT_FALSE(test, heap_headroom_has_to_check(room));
	KUNIT_EXPECT_LT(test, 0, heap_headroom_test_oom());
	KUNIT_EXPECT_TRUE(test, heap_headroom_has_to_check(room));
	KUNIT_EXPECT_FALSE(test, heap_headroom_is_called_off(room));
	KUNIT_EXPECT_EQ(test, 0, heap_headroom_check(room, 1, 0));
	KUNIT_EXPECT_FALSE(test, heap_headroom_has_to_check(room));
	KUNIT_EXPECT_LT(test, 0, heap_headroom_test_oom());
	heap_headroom_release(room);
	KUNIT_EXPECT_EQ(test, 0, heap_headroom_test_oom());
}

/* A task that ends anyway gets the reserve, but does not wait for more. */
static void heap_headroom_test_dying(struct kunit *test)
{
	struct heap_headroom *room = heap_headroom_test_begin(test);
	unsigned long reserve, freed[3];

	heap_headroom_test_tight(test, room);
	reserve = heap_headroom_reserved();
	heap_headroom_test_forget_later(test);
	sigaddset(&current->pending.signal, SIGKILL);
	set_tsk_thread_flag(current, TIF_SIGPENDING);
	freed[0] = heap_headroom_test_oom();
	freed[1] = heap_headroom_test_oom();
	sigdelset(&current->pending.signal, SIGKILL);
	clear_tsk_thread_flag(current, TIF_SIGPENDING);
	freed[2] = heap_headroom_test_oom();

	KUNIT_EXPECT_EQ(test, reserve, freed[0]);
	KUNIT_EXPECT_EQ(test, 0, freed[1]);
	KUNIT_EXPECT_LT(test, 0, freed[2]);
}

/*
 * Soon after a task was out of memory, no allocation goes on with memory short.
 */
static void heap_headroom_test_refused(struct kunit *test)
{
	struct heap_headroom *room = heap_headroom_test_begin(test), *other;
	unsigned long nr_pages = heap_headroom_test_tight(test, room);
	int tries, ret = 0;

	heap_headroom_test_forget_later(test);
	other = heap_headroom_test_begin(test);
	/* For a second, which on a busy machine may be over at once. */
	for (tries = 0; tries < 10 && !ret; tries++) {
		heap_headroom_release(other);
		heap_headroom_test_oom();
		ret = heap_headroom_check(other, nr_pages, 0);
	}
	KUNIT_EXPECT_EQ(test, -ENOMEM, ret);
	KUNIT_EXPECT_FALSE(test, other->tight);
	KUNIT_EXPECT_EQ(test, 0, heap_headroom_reserved());
	/* With enough left for all, there is no reason. */
	KUNIT_EXPECT_EQ(test, 0, heap_headroom_check(other, 1, 0));

	heap_headroom_release(room);
	heap_headroom_forget_oom();
	KUNIT_EXPECT_EQ(test, 0, heap_headroom_check(other, nr_pages, 0));
	KUNIT_EXPECT_TRUE(test, other->tight);
}

/* The number of waits is for all allocations, not for each of them. */
static void heap_headroom_test_bound(struct kunit *test)
{
	struct heap_headroom *room, *other;
	unsigned int waits = 0, max = 4 * HZ;

	heap_headroom_test_forget_later(test);
	room = heap_headroom_test_begin(test);
	other = heap_headroom_test_begin(test);
	heap_headroom_test_tight(test, room);
	heap_headroom_test_tight(test, other);
	KUNIT_EXPECT_LT(test, 0, heap_headroom_test_oom());
	while (waits < max && heap_headroom_test_oom())
		waits++;
	KUNIT_EXPECT_LT(test, 0, waits);
	KUNIT_EXPECT_GE(test, HZ, waits);
	/* Neither for one that ends, having used up what there is to wait. */
	heap_headroom_release(room);
	KUNIT_EXPECT_EQ(test, 0, heap_headroom_test_oom());
}

static struct kunit_case heap_headroom_cases[] = {
	KUNIT_CASE(heap_headroom_test_roomy),
	KUNIT_CASE(heap_headroom_test_granted),
	KUNIT_CASE(heap_headroom_test_boosted),
	KUNIT_CASE(heap_headroom_test_slab),
	KUNIT_CASE(heap_headroom_test_impossible),
	KUNIT_CASE(heap_headroom_test_reserve),
	KUNIT_CASE(heap_headroom_test_called_off),
	KUNIT_CASE(heap_headroom_test_ended),
	KUNIT_CASE(heap_headroom_test_under_way),
	KUNIT_CASE(heap_headroom_test_dying),
	KUNIT_CASE(heap_headroom_test_refused),
	KUNIT_CASE_SLOW(heap_headroom_test_bound),
	{ }
};

static struct kunit_suite heap_headroom_suite = {
	.name = "heap_headroom",
	.test_cases = heap_headroom_cases,
};

kunit_test_suite(heap_headroom_suite);

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
