// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of heaps/heap_headroom.c: when an allocation goes on, when it does not, and
 * what it does when another task runs out of memory.
 */
#include <kunit/test.h>

#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/vmstat.h>

#include "../heaps/heap_headroom.h"

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

/* What can never be had is refused without reclaim. */
static void heap_headroom_test_impossible(struct kunit *test)
{
	struct heap_headroom *room = heap_headroom_test_begin(test);
	unsigned long total = totalram_pages();

	KUNIT_EXPECT_EQ(test, -ENOMEM, heap_headroom_check(room, total, 0));
	/* Free as it may be, it cannot be free when the heap has handed it out. */
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			heap_headroom_check(room, si_mem_available(), total));
	KUNIT_EXPECT_FALSE(test, room->tight);
}

/* Not so much that it is impossible, and not so little that it is no matter. */
static unsigned long heap_headroom_test_tight(struct kunit *test,
					      struct heap_headroom *room)
{
	unsigned long nr_pages = si_mem_available();

	nr_pages -= global_zone_page_state(NR_FREE_CMA_PAGES) +
		    totalram_pages() / 128 + 1024 * num_online_cpus();
	KUNIT_ASSERT_EQ(test, 0, heap_headroom_check(room, nr_pages, 0));
	KUNIT_ASSERT_TRUE(test, room->tight);
	return nr_pages;
}

static void heap_headroom_test_reserve(struct kunit *test)
{
	struct heap_headroom *room = heap_headroom_test_begin(test), *other;
	unsigned long roomy = heap_headroom_step(room), nr_pages;

	nr_pages = heap_headroom_test_tight(test, room);
	KUNIT_EXPECT_LT(test, 0, room->nr_reserve);
	KUNIT_EXPECT_GT(test, roomy, heap_headroom_step(room));
	KUNIT_EXPECT_EQ(test, 0, heap_headroom_check(room, nr_pages, 0));

	/* Each has its own. */
	other = heap_headroom_test_begin(test);
	heap_headroom_test_tight(test, other);
	KUNIT_EXPECT_EQ(test, room->nr_reserve, other->nr_reserve);

	heap_headroom_release(other);
	heap_headroom_release(room);
	KUNIT_EXPECT_FALSE(test, room->tight);
	KUNIT_EXPECT_EQ(test, 0, room->nr_reserve);
}

/* The reserve goes to a task that would be killed otherwise, and then the rest. */
static void heap_headroom_test_called_off(struct kunit *test)
{
	struct heap_headroom *room = heap_headroom_test_begin(test);
	unsigned long nr_pages = heap_headroom_test_tight(test, room);
	unsigned long freed = 0, reserve = room->nr_reserve;

	room->oom.notifier_call(&room->oom, 0, &freed);
	KUNIT_EXPECT_EQ(test, reserve, freed);
	KUNIT_EXPECT_EQ(test, 0, room->nr_reserve);
	KUNIT_EXPECT_EQ(test, -ENOMEM, heap_headroom_check(room, nr_pages, 0));

	/* As long as the allocation has not come to its end, it has something. */
	freed = 0;
	room->oom.notifier_call(&room->oom, 0, &freed);
	KUNIT_EXPECT_LT(test, 0, freed);

	/* But not for ever. */
	room->nr_oom = UINT_MAX / 2;
	freed = 0;
	room->oom.notifier_call(&room->oom, 0, &freed);
	KUNIT_EXPECT_EQ(test, 0, freed);
}

static struct kunit_case heap_headroom_cases[] = {
	KUNIT_CASE(heap_headroom_test_roomy),
	KUNIT_CASE(heap_headroom_test_impossible),
	KUNIT_CASE(heap_headroom_test_reserve),
	KUNIT_CASE(heap_headroom_test_called_off),
	{ }
};

static struct kunit_suite heap_headroom_suite = {
	.name = "heap_headroom",
	.test_cases = heap_headroom_cases,
};

kunit_test_suite(heap_headroom_suite);
