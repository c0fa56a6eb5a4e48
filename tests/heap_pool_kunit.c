// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of heaps/heap_pool.c: what is kept, what is not, and in which state it
 * comes back.
 *
 * A folio that the pool should have handed out, and has not, is still the
 * pool's: a test must not put it, or the freelists are corrupted. So a test
 * which has not got the folio that it wants ends there.
 */
#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/dma-heap.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/page-flags.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/smp.h>

#include "../heaps/heap_pool.h"

#define HEAP_POOL_TEST_ORDER	HEAP_POOL_MIN_ORDER
#define HEAP_POOL_TEST_PAGES	BIT(HEAP_POOL_TEST_ORDER)
#define HEAP_POOL_TEST_BYTES	(PAGE_SIZE << HEAP_POOL_TEST_ORDER)

/* How long the zero thread may take, on a busy machine. */
#define HEAP_POOL_TEST_PATIENCE	(20 * HZ)

static void heap_pool_test_destroy(void *pool)
{
	heap_pool_destroy(pool);
}

static struct heap_pool *heap_pool_test_create(struct kunit *test,
					       unsigned long limit)
{
	struct heap_pool *pool = heap_pool_create("kunit", limit);

	/*
	 * Small folios are kept by CPU and node: stay on one, from the first
	 * allocation on. The thread ends with the case.
	 */
	set_cpus_allowed_ptr(current, cpumask_of(raw_smp_processor_id()));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pool);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   heap_pool_test_destroy,
							   pool));
	return pool;
}

/* Allocate a folio of the nearest node, and fill it with data. */
static struct folio *heap_pool_test_folio(struct kunit *test, unsigned int order)
{
	struct folio *folio;
	unsigned long i;

	folio = __folio_alloc_node(GFP_KERNEL, order, numa_mem_id());
	KUNIT_ASSERT_NOT_NULL(test, folio);
	for (i = 0; i < folio_nr_pages(folio); i++)
		memset(page_address(folio_page(folio, i)), 0xa5, PAGE_SIZE);
	return folio;
}

static bool heap_pool_test_is_zero(struct folio *folio)
{
	return !memchr_inv(folio_address(folio), 0, folio_size(folio));
}

static void heap_pool_expect(struct kunit *test, struct heap_pool *pool,
			     unsigned int folios, unsigned int hits,
			     unsigned int misses)
{
	struct dma_heap_pool_info info;

	heap_pool_info(pool, &info);
	KUNIT_EXPECT_EQ(test, folios * HEAP_POOL_TEST_BYTES, info.bytes);
	KUNIT_EXPECT_LE(test, info.dirty, info.bytes);
	KUNIT_EXPECT_EQ(test, hits, info.hits);
	KUNIT_EXPECT_EQ(test, misses, info.misses);
}

static void heap_pool_test_wait_zeroed(struct kunit *test, struct heap_pool *pool)
{
	unsigned long until = jiffies + HEAP_POOL_TEST_PATIENCE;
	struct dma_heap_pool_info info;

	do {
		schedule_timeout_uninterruptible(1);
		heap_pool_info(pool, &info);
	} while (info.dirty && time_before(jiffies, until));
	KUNIT_ASSERT_EQ(test, 0, info.dirty);
}

/* Nothing is there at first, and nothing of another order later. */
static void heap_pool_test_miss(struct kunit *test)
{
	struct heap_pool *pool = heap_pool_test_create(test, 1024);
	bool zeroed;

	KUNIT_EXPECT_NULL(test, heap_pool_take(pool, HEAP_POOL_TEST_ORDER, &zeroed));
	heap_pool_put(pool, heap_pool_test_folio(test, HEAP_POOL_TEST_ORDER), false);
	KUNIT_EXPECT_NULL(test, heap_pool_take(pool, HEAP_POOL_TEST_ORDER + 1,
					       &zeroed));
	KUNIT_EXPECT_NULL(test, heap_pool_take(NULL, HEAP_POOL_TEST_ORDER, &zeroed));
	heap_pool_expect(test, pool, 1, 0, 2);
}

/*
 * A folio whose turn comes at once is as it was, or zero, but never in between.
 */
static void heap_pool_test_at_once(struct kunit *test)
{
	struct heap_pool *pool = heap_pool_test_create(test, 1024);
	struct folio *folio, *again;
	bool zeroed, missed;

	folio = heap_pool_test_folio(test, HEAP_POOL_TEST_ORDER);
	folio_set_dirty(folio);
	folio_set_referenced(folio);
	folio_set_workingset(folio);
	heap_pool_put(pool, folio, false);
	again = heap_pool_take(pool, HEAP_POOL_TEST_ORDER, &zeroed);
	missed = !again;
	if (missed) {
		/* The zero thread is zeroing it. */
		heap_pool_test_wait_zeroed(test, pool);
		again = heap_pool_take(pool, HEAP_POOL_TEST_ORDER, &zeroed);
		KUNIT_EXPECT_TRUE(test, zeroed);
	}
	KUNIT_ASSERT_PTR_EQ(test, folio, again);
	KUNIT_EXPECT_EQ(test, zeroed, heap_pool_test_is_zero(folio));
	KUNIT_EXPECT_EQ(test, 1, folio_ref_count(folio));
	KUNIT_EXPECT_FALSE(test, folio_test_dirty(folio));
	KUNIT_EXPECT_FALSE(test, folio_test_referenced(folio));
	KUNIT_EXPECT_FALSE(test, folio_test_workingset(folio));
	folio_put(folio);
	heap_pool_expect(test, pool, 0, 1, missed);
}

static void heap_pool_test_zeroed(struct kunit *test)
{
	struct heap_pool *pool = heap_pool_test_create(test, 1024);
	struct folio *folio;
	bool zeroed = false;
	unsigned int i;

	for (i = 0; i < 8; i++)
		heap_pool_put(pool, heap_pool_test_folio(test, HEAP_POOL_TEST_ORDER), false);
	heap_pool_test_wait_zeroed(test, pool);
	heap_pool_expect(test, pool, 8, 0, 0);

	for (i = 0; i < 8; i++) {
		folio = heap_pool_take(pool, HEAP_POOL_TEST_ORDER, &zeroed);
		KUNIT_ASSERT_NOT_NULL(test, folio);
		KUNIT_EXPECT_TRUE(test, zeroed);
		KUNIT_EXPECT_TRUE(test, heap_pool_test_is_zero(folio));
		folio_put(folio);
	}
	heap_pool_expect(test, pool, 0, 8, 0);
}

/* With init_on_free, no data of the last owner waits in the pool. */
static void heap_pool_test_init_on_free(struct kunit *test)
{
	static const unsigned int orders[] = { 0, HEAP_POOL_TEST_ORDER };
	struct heap_pool *pool = heap_pool_test_create(test, 1024);
	struct folio *folio, *again;
	unsigned int i;
	bool zeroed;

	if (!want_init_on_free())
		kunit_skip(test, "needs init_on_free=1");

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		folio = heap_pool_test_folio(test, orders[i]);
		migrate_disable();
		heap_pool_put(pool, folio, false);
		KUNIT_EXPECT_TRUE(test, heap_pool_test_is_zero(folio));
		zeroed = false;
		again = heap_pool_take(pool, orders[i], &zeroed);
		migrate_enable();
		KUNIT_ASSERT_PTR_EQ(test, folio, again);
		KUNIT_EXPECT_TRUE(test, zeroed);
		folio_put(folio);
	}
}

/* A folio with another reference may still be written to, so it is not kept. */
static void heap_pool_test_held(struct kunit *test)
{
	struct heap_pool *pool = heap_pool_test_create(test, 1024);
	struct folio *folio = heap_pool_test_folio(test, HEAP_POOL_TEST_ORDER);

	folio_get(folio);
	heap_pool_put(pool, folio, false);
	heap_pool_expect(test, pool, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, 1, folio_ref_count(folio));
	KUNIT_EXPECT_FALSE(test, heap_pool_test_is_zero(folio));
	folio_put(folio);
}

static void heap_pool_test_small(struct kunit *test)
{
	struct heap_pool *pool = heap_pool_test_create(test, 1024);
	struct folio *folio[HEAP_POOL_MIN_ORDER], *taken[HEAP_POOL_MIN_ORDER];
	struct dma_heap_pool_info info;
	unsigned int order;
	bool zeroed;

	for (order = 0; order < HEAP_POOL_MIN_ORDER; order++)
		folio[order] = heap_pool_test_folio(test, order);
	/* A CPU takes from its own cache only. */
	migrate_disable();
	for (order = 0; order < HEAP_POOL_MIN_ORDER; order++) {
		folio_set_dirty(folio[order]);
		heap_pool_put(pool, folio[order], false);
	}
	heap_pool_info(pool, &info);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE * (BIT(HEAP_POOL_MIN_ORDER) - 1), info.bytes);
	/* They do not wait for the zero thread. */
	KUNIT_EXPECT_EQ(test, 0, info.dirty);

	for (order = 0; order < HEAP_POOL_MIN_ORDER; order++) {
		taken[order] = heap_pool_take(pool, order, &zeroed);
		KUNIT_EXPECT_PTR_EQ(test, folio[order], taken[order]);
		if (!taken[order])
			continue;
		KUNIT_EXPECT_EQ(test, want_init_on_free(), zeroed);
		KUNIT_EXPECT_EQ(test, want_init_on_free(),
				heap_pool_test_is_zero(folio[order]));
		KUNIT_EXPECT_FALSE(test, folio_test_dirty(folio[order]));
		KUNIT_EXPECT_NULL(test, heap_pool_take(pool, order, &zeroed));
	}
	migrate_enable();
	heap_pool_expect(test, pool, 0, HEAP_POOL_MIN_ORDER, HEAP_POOL_MIN_ORDER);
	for (order = 0; order < HEAP_POOL_MIN_ORDER; order++)
		if (taken[order])
			folio_put(taken[order]);
}

struct heap_pool_pcp_case {
	const char *description;
	unsigned long limit;
	unsigned int kept;
	unsigned long new_limit;
	unsigned int left;
};

static const struct heap_pool_pcp_case heap_pool_pcp_cases[] = {
	{ "no more than a CPU may have", 1024, HEAP_PCP_PAGES, 1024, HEAP_PCP_PAGES },
	{ "as much as the limit", HEAP_PCP_PAGES, HEAP_PCP_PAGES,
	  HEAP_PCP_PAGES, HEAP_PCP_PAGES },
	{ "not under a smaller limit", HEAP_PCP_PAGES - 1, 0, 1024, 0 },
	{ "no pool at all", 0, 0, 0, 0 },
	{ "switched off", 1024, HEAP_PCP_PAGES, 0, 0 },
	{ "made too small", 1024, HEAP_PCP_PAGES, HEAP_PCP_PAGES - 1, 0 },
};

KUNIT_ARRAY_PARAM_DESC(heap_pool_pcp, heap_pool_pcp_cases, description);

/* The cache of a CPU has its own bound, and counts against the limit. */
static void heap_pool_test_pcp_limit(struct kunit *test)
{
	const struct heap_pool_pcp_case *param = test->param_value;
	struct heap_pool *pool = heap_pool_test_create(test, param->limit);
	struct dma_heap_pool_info info;
	struct folio *folio[HEAP_PCP_PAGES + 8];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(folio); i++)
		folio[i] = heap_pool_test_folio(test, 0);
	migrate_disable();
	for (i = 0; i < ARRAY_SIZE(folio); i++)
		heap_pool_put(pool, folio[i], false);
	migrate_enable();
	heap_pool_info(pool, &info);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE * param->kept, info.bytes);

	heap_pool_set_limit(pool, param->new_limit);
	heap_pool_info(pool, &info);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE * param->left, info.bytes);
	KUNIT_EXPECT_EQ(test, param->left, heap_pool_shrink(pool, ULONG_MAX));
	heap_pool_expect(test, pool, 0, 0, 0);

	/* With the last small folio the budget is free for a large one. */
	heap_pool_set_limit(pool, HEAP_POOL_TEST_PAGES);
	heap_pool_put(pool, heap_pool_test_folio(test, HEAP_POOL_TEST_ORDER), false);
	heap_pool_expect(test, pool, 1, 0, 0);
}

/* A folio that is put as zeroed is handed out first, and not zeroed again. */
static void heap_pool_test_put_zeroed(struct kunit *test)
{
	struct heap_pool *pool = heap_pool_test_create(test, 1024);
	static const unsigned int orders[] = { 0, HEAP_POOL_TEST_ORDER };
	struct dma_heap_pool_info info;
	struct folio *dirty, *zeroed, *taken;
	unsigned int i;
	bool is_zeroed;

	if (want_init_on_free())
		kunit_skip(test, "init_on_free=1 leaves nothing dirty");

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		zeroed = heap_pool_test_folio(test, orders[i]);
		dirty = heap_pool_test_folio(test, orders[i]);
		migrate_disable();
		heap_pool_put(pool, zeroed, true);
		heap_pool_info(pool, &info);
		KUNIT_EXPECT_EQ(test, 0, info.dirty);
		/*
		 * It goes first, although the other one came later; unless that
		 * one has been zeroed on another CPU before it is asked for.
		 */
		heap_pool_put(pool, dirty, false);
		taken = heap_pool_take(pool, orders[i], &is_zeroed);
		migrate_enable();
		if (!orders[i] || taken != dirty)
			KUNIT_ASSERT_PTR_EQ(test, zeroed, taken);
		KUNIT_EXPECT_TRUE(test, is_zeroed);
		KUNIT_EXPECT_EQ(test, taken == dirty, heap_pool_test_is_zero(taken));
		folio_put(taken);
		heap_pool_shrink(pool, ULONG_MAX);
	}
}

/* The hottest folio is the first to be used and the last to be freed. */
static void heap_pool_test_last_comes_first(struct kunit *test)
{
	struct heap_pool *pool = heap_pool_test_create(test, 1024);
	struct folio *folio[6];
	bool zeroed;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(folio); i++)
		folio[i] = heap_pool_test_folio(test, HEAP_POOL_TEST_ORDER);
	for (i = 0; i < ARRAY_SIZE(folio); i++)
		heap_pool_put(pool, folio[i], true);
	KUNIT_EXPECT_EQ(test, HEAP_POOL_TEST_PAGES, heap_pool_shrink(pool, 1));
	for (i = ARRAY_SIZE(folio) - 1; i; i--) {
		KUNIT_ASSERT_PTR_EQ(test, folio[i],
				    heap_pool_take(pool, HEAP_POOL_TEST_ORDER, &zeroed));
		folio_put(folio[i]);
	}
	heap_pool_expect(test, pool, 0, ARRAY_SIZE(folio) - 1, 0);
}

struct heap_pool_limit_case {
	const char *description;
	unsigned long limit;
	unsigned int kept;
	unsigned long new_limit;
	unsigned int left;
};

static const struct heap_pool_limit_case heap_pool_limit_cases[] = {
	{ "everything fits", 1024, 4, 1024, 4 },
	{ "as many as fit", 2 * HEAP_POOL_TEST_PAGES, 2, 1024, 2 },
	{ "not even one fits", HEAP_POOL_TEST_PAGES - 1, 0, 1024, 0 },
	{ "no pool at all", 0, 0, 0, 0 },
	{ "switched off", 1024, 4, 0, 0 },
	{ "made smaller", 1024, 4, 3 * HEAP_POOL_TEST_PAGES, 3 },
	{ "made a little too small for one", 1024, 4,
	  2 * HEAP_POOL_TEST_PAGES - 1, 1 },
};

KUNIT_ARRAY_PARAM_DESC(heap_pool_limit, heap_pool_limit_cases, description);

static void heap_pool_test_limit(struct kunit *test)
{
	const struct heap_pool_limit_case *param = test->param_value;
	struct heap_pool *pool = heap_pool_test_create(test, param->limit);
	struct dma_heap_pool_info info;
	unsigned int i;

	for (i = 0; i < 4; i++)
		heap_pool_put(pool, heap_pool_test_folio(test, HEAP_POOL_TEST_ORDER), false);
	heap_pool_expect(test, pool, param->kept, 0, 0);

	heap_pool_test_wait_zeroed(test, pool);
	heap_pool_set_limit(pool, param->new_limit);
	heap_pool_expect(test, pool, param->left, 0, 0);
	heap_pool_info(pool, &info);
	KUNIT_EXPECT_EQ(test, (u64)param->new_limit << PAGE_SHIFT, info.limit);
}

static void heap_pool_test_shrink(struct kunit *test)
{
	struct heap_pool *pool = heap_pool_test_create(test, 1024);
	unsigned long got;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, 0, heap_pool_shrink(pool, 1));
	for (i = 0; i < 4; i++)
		heap_pool_put(pool, heap_pool_test_folio(test, HEAP_POOL_TEST_ORDER), false);
	heap_pool_test_wait_zeroed(test, pool);

	/* By the folio: one page is one folio, one page more is two. */
	KUNIT_EXPECT_EQ(test, HEAP_POOL_TEST_PAGES, heap_pool_shrink(pool, 1));
	got = heap_pool_shrink(pool, HEAP_POOL_TEST_PAGES + 1);
	KUNIT_EXPECT_EQ(test, 2 * HEAP_POOL_TEST_PAGES, got);
	heap_pool_expect(test, pool, 1, 0, 0);
	KUNIT_EXPECT_EQ(test, HEAP_POOL_TEST_PAGES, heap_pool_shrink(pool, ULONG_MAX));
	KUNIT_EXPECT_EQ(test, 0, heap_pool_shrink(pool, ULONG_MAX));
	heap_pool_expect(test, pool, 0, 0, 0);
}

/*
 * What the nodes keep counts as reclaimable. Each CPU keeps up to 125 pages of
 * such a count to itself, so much is put and half of it expected.
 */
static void heap_pool_test_reclaimable(struct kunit *test)
{
	unsigned long nr_pages = 512 * num_online_cpus(), before;
	struct heap_pool *pool = heap_pool_test_create(test, nr_pages);

	before = global_node_page_state_pages(NR_KERNEL_MISC_RECLAIMABLE);
	for (unsigned long put = 0; put < nr_pages; put += HEAP_POOL_TEST_PAGES)
		heap_pool_put(pool, heap_pool_test_folio(test, HEAP_POOL_TEST_ORDER), false);
	heap_pool_test_wait_zeroed(test, pool);
	KUNIT_EXPECT_GE(test,
			global_node_page_state_pages(NR_KERNEL_MISC_RECLAIMABLE),
			before + nr_pages / 2);

	KUNIT_EXPECT_EQ(test, nr_pages, heap_pool_shrink(pool, ULONG_MAX));
	KUNIT_EXPECT_LT(test,
			global_node_page_state_pages(NR_KERNEL_MISC_RECLAIMABLE),
			before + nr_pages / 2);
}

/* Destroy a pool that has folios, some of them still dirty. */
static void heap_pool_test_full_end(struct kunit *test)
{
	struct heap_pool *pool = heap_pool_create("kunit", 1024);
	struct folio *folio;
	unsigned int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pool);
	folio = heap_pool_test_folio(test, HEAP_POOL_TEST_ORDER);
	for (i = 0; i < 4; i++) {
		heap_pool_put(pool, heap_pool_test_folio(test, HEAP_POOL_TEST_ORDER), false);
		heap_pool_put(pool, heap_pool_test_folio(test, i), false);
	}
	heap_pool_put(pool, folio, false);
	heap_pool_destroy(pool);
}

/*
 * A task that is out of memory gets all of the pool, once: as long as nothing
 * is kept, there is no progress to report which would keep it from the OOM
 * killer.
 */
static void heap_pool_test_oom_ends(struct kunit *test)
{
	struct heap_pool *pool = heap_pool_test_create(test, 1024);
	unsigned long until = jiffies + HEAP_POOL_TEST_PATIENCE, freed;
	struct dma_heap_pool_info info;
	unsigned int i, tries;

	for (i = 0; i < 4; i++)
		heap_pool_put(pool, heap_pool_test_folio(test, HEAP_POOL_TEST_ORDER), false);
	heap_pool_put(pool, heap_pool_test_folio(test, 0), false);
	heap_pool_test_wait_zeroed(test, pool);
	KUNIT_EXPECT_EQ(test, 4 * HEAP_POOL_TEST_PAGES + 1, heap_pool_test_oom(pool));
	heap_pool_expect(test, pool, 0, 0, 0);

	/*
	 * The same again and again, of a program that releases buffers
	 * meanwhile.
	 */
	for (tries = 0; tries < 8; tries++) {
		heap_pool_put(pool, heap_pool_test_folio(test, 0), false);
		heap_pool_put(pool, heap_pool_test_folio(test, HEAP_POOL_TEST_ORDER), false);
		KUNIT_EXPECT_EQ(test, 0, heap_pool_test_oom(pool));
		heap_pool_expect(test, pool, 0, 0, 0);
	}

	/* A second later folios are kept again; few of them are no progress. */
	do {
		schedule_timeout_uninterruptible(HZ / 10);
		heap_pool_put(pool, heap_pool_test_folio(test, HEAP_POOL_TEST_ORDER), true);
		heap_pool_info(pool, &info);
	} while (!info.bytes && time_before(jiffies, until));
	KUNIT_EXPECT_EQ(test, HEAP_POOL_TEST_BYTES, info.bytes);
	freed = heap_pool_test_oom(pool);
	/* Unless this machine took ten seconds for it. */
	if (freed)
		KUNIT_EXPECT_EQ(test, HEAP_POOL_TEST_PAGES, freed);
	heap_pool_expect(test, pool, 0, 0, 0);
}

static struct kunit_case heap_pool_cases[] = {
	KUNIT_CASE(heap_pool_test_miss),
	KUNIT_CASE(heap_pool_test_at_once),
	KUNIT_CASE(heap_pool_test_zeroed),
	KUNIT_CASE(heap_pool_test_init_on_free),
	KUNIT_CASE(heap_pool_test_held),
	KUNIT_CASE(heap_pool_test_small),
	KUNIT_CASE_PARAM(heap_pool_test_pcp_limit, heap_pool_pcp_gen_params),
	KUNIT_CASE(heap_pool_test_put_zeroed),
	KUNIT_CASE(heap_pool_test_last_comes_first),
	KUNIT_CASE_PARAM(heap_pool_test_limit, heap_pool_limit_gen_params),
	KUNIT_CASE(heap_pool_test_shrink),
	KUNIT_CASE(heap_pool_test_reclaimable),
	KUNIT_CASE_SLOW(heap_pool_test_oom_ends),
	KUNIT_CASE(heap_pool_test_full_end),
	{ }
};

static struct kunit_suite heap_pool_suite = {
	.name = "heap_pool",
	.test_cases = heap_pool_cases,
};

kunit_test_suite(heap_pool_suite);

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
