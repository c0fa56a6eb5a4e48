// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of heaps/system_heap.c: sizes, zeroes, and the three ways to be
 * refused.
 */
#include <kunit/test.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/iosys-map.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "../heaps/heap_buffer.h"
#include "mock_files.h"
#include "mock_user.h"

struct system_heap_case {
	const char *description;
	unsigned long len;
};

static const struct system_heap_case system_heap_sizes[] = {
	{ "a byte", 1 },
	{ "a page", PAGE_SIZE },
	{ "three pages", 3 * PAGE_SIZE },
	{ "1 MiB", SZ_1M },
	{ "1 MiB and a page", SZ_1M + PAGE_SIZE },
	{ "2 MiB", SZ_2M },
	{ "8 MiB less a page", SZ_8M - PAGE_SIZE },
	{ "32 MiB", SZ_32M },
};

KUNIT_ARRAY_PARAM_DESC(system_heap_size, system_heap_sizes, description);

static int system_heap_test_init(struct kunit *test)
{
	test->priv = dma_heap_find("system");
	KUNIT_ASSERT_NOT_NULL(test, test->priv);
	return 0;
}

static void system_heap_test_exit(struct kunit *test)
{
	dma_heap_put(test->priv);
}

/* The first byte that is not zero, or @len. */
static unsigned long system_heap_test_dirt(const void *start, unsigned long len)
{
	const void *dirt = memchr_inv(start, 0, len);

	return dirt ? dirt - start : len;
}

/* Twice: what the first one wrote must not be in the second one. */
static void system_heap_test_zeroed(struct kunit *test)
{
	const struct system_heap_case *param = test->param_value;
	unsigned long size = PAGE_ALIGN(param->len);
	struct dma_buf *dmabuf;
	struct iosys_map map;
	unsigned int round;

	for (round = 0; round < 2; round++) {
		dmabuf = dma_heap_buffer_alloc(test->priv, param->len, O_RDWR, 0);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
		KUNIT_EXPECT_EQ(test, size, dmabuf->size);

		KUNIT_ASSERT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &map));
		KUNIT_EXPECT_EQ(test, size, system_heap_test_dirt(map.vaddr, size));
		memset(map.vaddr, 0xa5, size);
		dma_buf_vunmap_unlocked(dmabuf, &map);
		dma_buf_put(dmabuf);
		mock_files_flush();
	}
}

static void system_heap_test_runs(struct kunit *test)
{
	const struct system_heap_case *param = test->param_value;
	unsigned long size = PAGE_ALIGN(param->len), sum = 0;
	struct dma_buf_pages *pages;
	struct dma_buf *dmabuf;
	unsigned int i;

	dmabuf = dma_heap_buffer_alloc(test->priv, param->len, O_RDWR, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	pages = dmabuf->priv;
	for (i = 0; i < pages->nr_runs; i++) {
		unsigned long nr = dma_buf_pages_run_end(pages, i) -
				   pages->runs[i].start, at, step;

		/*
		 * Whole folios only, each with the buffer's one reference.
		 * Where no folio can be split the buffer counts as their
		 * mapping.
		 */
		for (at = 0; at < nr; at += step) {
			struct page *page = nth_page(pages->runs[i].page, at);
			struct folio *folio = page_folio(page);

			KUNIT_EXPECT_PTR_EQ(test, page, &folio->page);
			KUNIT_EXPECT_EQ(test, 1, folio_ref_count(folio));
			KUNIT_EXPECT_EQ(test, folio_mapped(folio),
					!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) &&
					folio_test_large(folio));
			step = folio_nr_pages(folio);
		}
		KUNIT_EXPECT_EQ(test, nr, at);
		sum += nr;
	}
	KUNIT_EXPECT_EQ(test, size >> PAGE_SHIFT, sum);
	dma_buf_put(dmabuf);
	mock_files_flush();
}

/*
 * Large folios come in the order of their size and then their place, so that
 * neighbours are one run: also when they have been in the pool, in whichever
 * order.
 */
static void system_heap_test_sorted(struct kunit *test)
{
	struct dma_buf *dmabuf[3];
	struct dma_buf_pages *pages;
	struct folio *folio, *last = NULL;
	unsigned long at;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dmabuf); i++) {
		dmabuf[i] = dma_heap_buffer_alloc(test->priv, SZ_8M + SZ_64K, O_RDWR, 0);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf[i]);
	}
	dma_buf_put(dmabuf[1]);
	dma_buf_put(dmabuf[0]);
	mock_files_flush();

	dmabuf[0] = dma_heap_buffer_alloc(test->priv, SZ_16M, O_RDWR, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf[0]);
	pages = dmabuf[0]->priv;
	for (i = 0; i < pages->nr_runs; i++) {
		unsigned long nr = dma_buf_pages_run_end(pages, i) -
				   pages->runs[i].start;

		for (at = 0; at < nr; at += folio_nr_pages(folio)) {
			folio = page_folio(nth_page(pages->runs[i].page, at));
			/* Among many of these nothing is sorted. */
			if (!folio_test_large(folio)) {
				kunit_mark_skipped(test, "memory is in single pages");
				goto out;
			}
			if (last && folio_order(last) == folio_order(folio))
				KUNIT_EXPECT_LT(test, folio_pfn(last), folio_pfn(folio));
			else if (last)
				KUNIT_EXPECT_GT(test, folio_order(last),
						folio_order(folio));
			last = folio;
		}
	}
out:
	dma_buf_put(dmabuf[0]);
	dma_buf_put(dmabuf[2]);
	mock_files_flush();
}

static void system_heap_test_too_much(struct kunit *test)
{
	unsigned long ram = totalram_pages() << PAGE_SHIFT;
	const unsigned long sizes[] = {
		ram + PAGE_SIZE, 2 * ram, LONG_MAX & PAGE_MASK, ULONG_MAX & PAGE_MASK,
		/* There are so many pages, but not for one buffer. */
		ram,
	};
	unsigned long free = global_zone_page_state(NR_FREE_PAGES);
	struct dma_buf *dmabuf;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		dmabuf = dma_heap_buffer_alloc(test->priv, sizes[i], O_RDWR, 0);
		KUNIT_ASSERT_EQ_MSG(test, -ENOMEM, PTR_ERR_OR_ZERO(dmabuf),
				    "%lu bytes", sizes[i]);
	}

	/*
	 * Nor did it take and give back, which would have emptied the caches.
	 */
	KUNIT_EXPECT_LE(test, free / 2, global_zone_page_state(NR_FREE_PAGES));
}

/*
 * -- memory that nothing but a shrinker can free ------------------------------
 */

#define HOG_ORDER	4

/*
 * A driver that keeps pages in a pool of its own, which no statistic tells of.
 */
struct system_heap_hog {
	struct shrinker *shrinker;
	spinlock_t lock; /* folios, nr */
	struct list_head folios;
	unsigned long nr;
};

static unsigned long system_heap_hog_drop(struct system_heap_hog *hog,
					  unsigned long nr)
{
	unsigned long done = 0;
	struct folio *folio;

	while (done < nr) {
		spin_lock(&hog->lock);
		folio = list_first_entry_or_null(&hog->folios, struct folio, lru);
		if (folio) {
			list_del(&folio->lru);
			WRITE_ONCE(hog->nr, hog->nr - folio_nr_pages(folio));
		}
		spin_unlock(&hog->lock);
		if (!folio)
			break;
		done += folio_nr_pages(folio);
		folio_put(folio);
	}
	return done;
}

static unsigned long system_heap_hog_count(struct shrinker *shrinker,
					   struct shrink_control *sc)
{
	struct system_heap_hog *hog = shrinker->private_data;

	return READ_ONCE(hog->nr) ?: SHRINK_EMPTY;
}

static unsigned long system_heap_hog_scan(struct shrinker *shrinker,
					  struct shrink_control *sc)
{
	return system_heap_hog_drop(shrinker->private_data, sc->nr_to_scan) ?:
	       SHRINK_STOP;
}

static void system_heap_hog_end(void *data)
{
	struct system_heap_hog *hog = data;

	shrinker_free(hog->shrinker);
	system_heap_hog_drop(hog, ULONG_MAX);
}

static struct system_heap_hog *system_heap_hog_begin(struct kunit *test,
						     unsigned long nr)
{
	struct system_heap_hog *hog = kunit_kzalloc(test, sizeof(*hog), GFP_KERNEL);
	struct folio *folio;

	KUNIT_ASSERT_NOT_NULL(test, hog);
	spin_lock_init(&hog->lock);
	INIT_LIST_HEAD(&hog->folios);
	hog->shrinker = shrinker_alloc(0, "dma-heap-kunit-hog");
	KUNIT_ASSERT_NOT_NULL(test, hog->shrinker);
	hog->shrinker->count_objects = system_heap_hog_count;
	hog->shrinker->scan_objects = system_heap_hog_scan;
	hog->shrinker->private_data = hog;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, system_heap_hog_end,
							   hog));
	while (hog->nr < nr) {
		folio = folio_alloc(GFP_HIGHUSER | __GFP_NORETRY | __GFP_NOWARN,
				    HOG_ORDER);
		if (!folio)
			break;
		list_add(&folio->lru, &hog->folios);
		hog->nr += folio_nr_pages(folio);
		cond_resched();
	}
	shrinker_register(hog->shrinker);
	return hog;
}

/*
 * Succeeds if a heap gets the memory of others who are only asked to give it.
 */
static void system_heap_test_reclaims(struct kunit *test)
{
	unsigned long free = si_mem_available(), held, i, nr;
	struct system_heap_hog *hog = system_heap_hog_begin(test, free / 2);
	const unsigned long size = SZ_16M;
	struct dma_buf **dmabuf;

	held = hog->nr;
	KUNIT_ASSERT_GT(test, held, free / 3);
	nr = ((free - held) + held / 2) / (size >> PAGE_SHIFT);
	dmabuf = kunit_kcalloc(test, nr, sizeof(*dmabuf), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, dmabuf);

	for (i = 0; i < nr; i++) {
		dmabuf[i] = dma_heap_buffer_alloc(test->priv, size, O_RDWR, 0);
		KUNIT_EXPECT_EQ_MSG(test, 0, PTR_ERR_OR_ZERO(dmabuf[i]),
				    "buffer %lu of %lu", i, nr);
		if (IS_ERR(dmabuf[i]))
			break;
	}
	KUNIT_EXPECT_LT(test, READ_ONCE(hog->nr), held);
	while (i)
		dma_buf_put(dmabuf[--i]);
	mock_files_flush();
}

static void system_heap_test_killed(struct kunit *test)
{
	struct dma_buf *dmabuf;

	mock_user_kill();
	dmabuf = dma_heap_buffer_alloc(test->priv, SZ_4M, O_RDWR, 0);
	mock_user_revive();

	KUNIT_EXPECT_EQ(test, -EINTR, PTR_ERR_OR_ZERO(dmabuf));
	if (!IS_ERR(dmabuf))
		dma_buf_put(dmabuf);
}

struct system_heap_batch {
	const char *description;
	unsigned long len;
	unsigned int count;
};

static const struct system_heap_batch system_heap_batches[] = {
	{ "one page", PAGE_SIZE, 1 },
	{ "two of a page", PAGE_SIZE, 2 },
	{ "1024 of a page, more than goes unchecked", PAGE_SIZE, 1024 },
	{ "64 of 60 KiB", 15 * PAGE_SIZE, 64 },
	{ "16 of 1 MiB and a page", SZ_1M + PAGE_SIZE, 16 },
	{ "three of 8 MiB", SZ_8M, 3 },
};

KUNIT_ARRAY_PARAM_DESC(system_heap_batch, system_heap_batches, description);

static struct dma_buf **system_heap_test_bufs(struct kunit *test,
					      unsigned int count)
{
	struct dma_buf **bufs;

	bufs = kunit_kcalloc(test, count, sizeof(*bufs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bufs);
	return bufs;
}

/* As for one: what the first batch wrote must not be in the second one. */
static void system_heap_test_batch(struct kunit *test)
{
	const struct system_heap_batch *param = test->param_value;
	struct dma_buf **bufs = system_heap_test_bufs(test, param->count);
	struct iosys_map map;
	unsigned int round, i;

	for (round = 0; round < 2; round++) {
		KUNIT_ASSERT_EQ(test, 0,
				dma_heap_buffer_alloc_batch(test->priv,
							    param->len, O_RDWR,
							    0, bufs,
							    param->count));
		for (i = 0; i < param->count; i++) {
			KUNIT_EXPECT_EQ(test, param->len, bufs[i]->size);
			KUNIT_ASSERT_EQ(test, 0,
					dma_buf_vmap_unlocked(bufs[i], &map));
			KUNIT_EXPECT_EQ(test, param->len,
					system_heap_test_dirt(map.vaddr,
							      param->len));
			memset(map.vaddr, 0xa5, param->len);
			dma_buf_vunmap_unlocked(bufs[i], &map);
			dma_buf_put(bufs[i]);
			cond_resched();
		}
		mock_files_flush();
	}
}

/* Refuses a sum that can never be had, though each buffer can. */
static void system_heap_test_batch_too_much(struct kunit *test)
{
	unsigned long ram = totalram_pages() << PAGE_SHIFT;
	unsigned long free = global_zone_page_state(NR_FREE_PAGES);
	struct dma_buf **bufs = system_heap_test_bufs(test, 1024);

	KUNIT_EXPECT_EQ(test, -ENOMEM,
			dma_heap_buffer_alloc_batch(test->priv,
						    PAGE_ALIGN(ram / 512),
						    O_RDWR, 0, bufs, 1024));
	/* The sum must not overflow to one that passes. */
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			dma_heap_buffer_alloc_batch(test->priv,
						    ULONG_MAX / 2 + 1, O_RDWR,
						    0, bufs, 1024));
	KUNIT_EXPECT_LE(test, free / 2, global_zone_page_state(NR_FREE_PAGES));
}

static void system_heap_test_batch_killed(struct kunit *test)
{
	struct dma_buf **bufs = system_heap_test_bufs(test, 64);

	mock_user_kill();
	KUNIT_EXPECT_EQ(test, -EINTR,
			dma_heap_buffer_alloc_batch(test->priv, SZ_64K, O_RDWR,
						    0, bufs, 64));
	mock_user_revive();
}

static struct kunit_case system_heap_cases[] = {
	KUNIT_CASE_PARAM(system_heap_test_zeroed, system_heap_size_gen_params),
	KUNIT_CASE_PARAM(system_heap_test_runs, system_heap_size_gen_params),
	KUNIT_CASE(system_heap_test_sorted),
	KUNIT_CASE(system_heap_test_too_much),
	/*
	 * Half of the memory, which emulated CPUs with KASAN take minutes for.
	 */
	KUNIT_CASE_ATTR(system_heap_test_reclaims,
			{ .speed = KUNIT_SPEED_VERY_SLOW }),
	KUNIT_CASE(system_heap_test_killed),
	KUNIT_CASE_PARAM(system_heap_test_batch, system_heap_batch_gen_params),
	KUNIT_CASE(system_heap_test_batch_too_much),
	KUNIT_CASE(system_heap_test_batch_killed),
	{ }
};

static struct kunit_suite system_heap_suite = {
	.name = "system_heap",
	.init = system_heap_test_init,
	.exit = system_heap_test_exit,
	.test_cases = system_heap_cases,
};

kunit_test_suite(system_heap_suite);
