// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of heaps/heap_zero.c: all folios are zero afterwards, whichever CPU did
 * it.
 */
#include <kunit/test.h>

#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include "../heaps/heap_headroom.h"
#include "../heaps/heap_zero.h"

struct heap_zero_case {
	const char *description;
	unsigned int order;
	unsigned int count;
};

static const struct heap_zero_case heap_zero_cases[] = {
	{ "nothing at all", 0, 0 },
	{ "one page", 0, 1 },
	{ "several pages", 0, 9 },
	{ "a folio of one batch", 6, 1 },
	{ "a folio of two batches", 7, 1 },
	{ "enough for two CPUs", 5, 64 },
};

KUNIT_ARRAY_PARAM_DESC(heap_zero, heap_zero_cases, description);

#define HEAP_ZERO_TEST_MAX	64

static void heap_zero_test_fill(struct kunit *test,
				const struct heap_zero_case *param,
				struct folio **folios, struct list_head *list)
{
	unsigned int i;

	for (i = 0; i < param->count; i++) {
		folios[i] = folio_alloc(GFP_KERNEL, param->order);
		KUNIT_ASSERT_NOT_NULL(test, folios[i]);
		memset(folio_address(folios[i]), 0xa5, folio_size(folios[i]));
		list_add_tail(&folios[i]->lru, list);
	}
}

static bool heap_zero_test_is_zero(struct folio *folio)
{
	return !memchr_inv(folio_address(folio), 0, folio_size(folio));
}

static void heap_zero_test_all(struct kunit *test)
{
	const struct heap_zero_case *param = test->param_value;
	struct folio *folios[HEAP_ZERO_TEST_MAX];
	struct heap_headroom room;
	LIST_HEAD(list);
	unsigned int i;

	heap_zero_test_fill(test, param, folios, &list);
	heap_headroom_init(&room);
	KUNIT_EXPECT_EQ(test, 0, heap_zero_folios(&list, param->count << param->order,
						  &room));
	heap_headroom_release(&room);
	KUNIT_EXPECT_EQ(test, param->count, list_count_nodes(&list));
	for (i = 0; i < param->count; i++) {
		KUNIT_EXPECT_TRUE_MSG(test, heap_zero_test_is_zero(folios[i]),
				      "folio %u", i);
		folio_put(folios[i]);
	}
}

/* One folio and not its neighbours. */
static void heap_zero_test_one(struct kunit *test)
{
	struct page *pages = alloc_pages(GFP_KERNEL, 2);
	void *start;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	split_page(pages, 2);
	start = page_address(pages);
	memset(start, 0xa5, 4 * PAGE_SIZE);
	heap_zero_folio(page_folio(pages + 1));
	KUNIT_EXPECT_NULL(test, memchr_inv(start, 0xa5, PAGE_SIZE));
	KUNIT_EXPECT_NULL(test, memchr_inv(start + PAGE_SIZE, 0, PAGE_SIZE));
	KUNIT_EXPECT_NULL(test, memchr_inv(start + 2 * PAGE_SIZE, 0xa5, 2 * PAGE_SIZE));
	put_page(pages);
	put_page(pages + 1);
	put_page(pages + 2);
	put_page(pages + 3);
}

static void heap_zero_test_killed(struct kunit *test)
{
	static const struct heap_zero_case param = { .order = 0, .count = 16 };
	struct folio *folios[HEAP_ZERO_TEST_MAX];
	struct heap_headroom room;
	LIST_HEAD(list);
	unsigned int i;
	int ret;

	heap_headroom_init(&room);
	heap_zero_test_fill(test, &param, folios, &list);
	sigaddset(&current->pending.signal, SIGKILL);
	set_tsk_thread_flag(current, TIF_SIGPENDING);
	ret = heap_zero_folios(&list, param.count, &room);
	heap_headroom_release(&room);
	sigdelset(&current->pending.signal, SIGKILL);
	clear_tsk_thread_flag(current, TIF_SIGPENDING);

	KUNIT_EXPECT_EQ(test, -EINTR, ret);
	KUNIT_EXPECT_EQ(test, param.count, list_count_nodes(&list));
	for (i = 0; i < param.count; i++) {
		KUNIT_EXPECT_EQ(test, 1, folio_ref_count(folios[i]));
		folio_put(folios[i]);
	}
}

/*
 * A task out of memory waits for the folios, so they are not zeroed any more.
 */
static void heap_zero_test_called_off(struct kunit *test)
{
	static const struct heap_zero_case param = { .order = 0, .count = 16 };
	struct heap_headroom room = { .tight = true, .nr_oom = UINT_MAX };
	struct folio *folios[HEAP_ZERO_TEST_MAX];
	LIST_HEAD(list);
	unsigned int i;

	heap_zero_test_fill(test, &param, folios, &list);
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			heap_zero_folios(&list, param.count, &room));
	KUNIT_EXPECT_EQ(test, param.count, list_count_nodes(&list));
	for (i = 0; i < param.count; i++) {
		KUNIT_EXPECT_FALSE(test, heap_zero_test_is_zero(folios[i]));
		folio_put(folios[i]);
	}
}

static struct kunit_case heap_zero_test_cases[] = {
	KUNIT_CASE_PARAM(heap_zero_test_all, heap_zero_gen_params),
	KUNIT_CASE(heap_zero_test_one),
	KUNIT_CASE(heap_zero_test_killed),
	KUNIT_CASE(heap_zero_test_called_off),
	{ }
};

static struct kunit_suite heap_zero_suite = {
	.name = "heap_zero",
	.test_cases = heap_zero_test_cases,
};

kunit_test_suite(heap_zero_suite);
