// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of heaps/heap_buffer.c: what all page-backed heaps have in common
 *
 * The pages come from the mock heap, in one piece or in many, and the mock
 * keeps a reference on each: so a page that is put once too often, or not at
 * all, shows in its count. Lists of pages as such are in dma_buf_pages_kunit.c.
 */
#include <kunit/test.h>

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/vmalloc.h>

#include "mock_device.h"
#include "mock_heap.h"

/* -- filling and release --------------------------------------------------- */

struct heap_buffer_run_case {
	const char *description;
	enum mock_heap_pieces pieces;
	unsigned int nr_pages;
	unsigned int nr_runs;
};

static const struct heap_buffer_run_case heap_buffer_run_cases[] = {
	{ "one page is one run", MOCK_HEAP_RUN, 1, 1 },
	{ "contiguous pages are one run", MOCK_HEAP_RUN, 7, 1 },
	{ "adjacent pages become one run", MOCK_HEAP_FORWARD, 33, 1 },
	{ "pages that are not adjacent are a run each", MOCK_HEAP_BACKWARD, 2, 2 },
	{ "many runs", MOCK_HEAP_BACKWARD, 64, 64 },
};

KUNIT_ARRAY_PARAM_DESC(heap_buffer_run, heap_buffer_run_cases, description);

static void heap_buffer_test_runs(struct kunit *test)
{
	const struct heap_buffer_run_case *param = test->param_value;
	struct mock_heap *mock = mock_heap_create(test, "kunit_runs");
	struct heap_buffer *buffer;
	struct dma_buf *dmabuf;
	unsigned long sum = 0;
	unsigned int i;

	dmabuf = mock_heap_buffer(test, mock, param->pieces, param->nr_pages);
	buffer = heap_buffer_of(dmabuf);
	KUNIT_EXPECT_EQ(test, param->nr_runs, buffer->pages.nr_runs);
	for (i = 0; i < buffer->pages.nr_runs; i++) {
		KUNIT_EXPECT_EQ(test, sum, buffer->pages.runs[i].start);
		KUNIT_EXPECT_PTR_EQ(test, mock->pages[sum], buffer->pages.runs[i].page);
		sum = dma_buf_pages_run_end(&buffer->pages, i);
	}
	KUNIT_EXPECT_EQ(test, param->nr_pages, sum);

	mock_heap_close(dmabuf);
	mock_heap_expect_put(test, mock);
	KUNIT_EXPECT_FALSE(test, mock->exposed);
	mock_heap_expect_home(test, mock);
}

static void heap_buffer_test_length(struct kunit *test)
{
	struct mock_heap *mock = mock_heap_create(test, "kunit_length");
	static const unsigned long wrong[] = { 0, 1, PAGE_SIZE - 1, PAGE_SIZE + 1 };
	struct dma_buf *dmabuf;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		dmabuf = mock->info.ops->allocate(mock->heap, wrong[i], O_RDWR, 0);
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL, PTR_ERR_OR_ZERO(dmabuf),
				    "%lu bytes", wrong[i]);
	}
}

struct heap_buffer_fail_case {
	const char *description;
	enum mock_heap_pieces pieces;
	unsigned int nr_pages;
	unsigned int nr_pieces;
	int errno;
};

static const struct heap_buffer_fail_case heap_buffer_fail_cases[] = {
	{ "no memory for a run", MOCK_HEAP_RUN, 4, 1, -ENOMEM },
	{ "no memory for a later page", MOCK_HEAP_BACKWARD, 40, 40, -ENOMEM },
	{ "killed on the way", MOCK_HEAP_BACKWARD, 20, 20, -EINTR },
	{ "no memory for a later folio", MOCK_HEAP_FOLIOS, 32, 8, -ENOMEM },
};

KUNIT_ARRAY_PARAM_DESC(heap_buffer_fail, heap_buffer_fail_cases, description);

/* Fail before the first piece, before the second, ...: nothing may stay. */
static void heap_buffer_test_fail(struct kunit *test)
{
	const struct heap_buffer_fail_case *param = test->param_value;
	struct mock_heap *mock = mock_heap_create(test, "kunit_fail");
	struct dma_buf *dmabuf;

	mock->pieces = param->pieces;
	mock->fail = param->errno;
	for (; mock->fail_after < param->nr_pieces; mock->fail_after++) {
		dmabuf = mock->info.ops->allocate(mock->heap,
						  param->nr_pages * PAGE_SIZE,
						  O_RDWR, 0);
		KUNIT_ASSERT_EQ(test, param->errno, PTR_ERR_OR_ZERO(dmabuf));
		KUNIT_EXPECT_EQ(test, mock->fail_after + 1, mock->puts);
		KUNIT_EXPECT_TRUE(test, mock->exposed);
		mock_heap_expect_home(test, mock);
	}

	mock->fail = 0;
	mock_heap_close(mock_heap_buffer(test, mock, param->pieces, param->nr_pages));
	mock_heap_expect_home(test, mock);
}

/* -- devices -------------------------------------------------------------- */

struct heap_buffer_map_case {
	const char *description;
	enum mock_heap_pieces pieces;
	unsigned int nr_pages;
	unsigned int limit;
	unsigned int entries;
};

static const struct heap_buffer_map_case heap_buffer_map_cases[] = {
	{ "a run is one entry", MOCK_HEAP_RUN, 16, 0, 1 },
	{ "adjacent pages are one entry", MOCK_HEAP_FORWARD, 16, 0, 1 },
	{ "runs are an entry each", MOCK_HEAP_BACKWARD, 16, 0, 16 },
	{ "a generous device changes nothing", MOCK_HEAP_RUN, 16, UINT_MAX, 1 },
	{ "a limit cuts a run", MOCK_HEAP_RUN, 16, 4 * PAGE_SIZE, 4 },
	{ "what remains is an entry", MOCK_HEAP_RUN, 17, 4 * PAGE_SIZE, 5 },
	{ "a limit is rounded down to pages", MOCK_HEAP_RUN, 4,
	  2 * PAGE_SIZE - 1, 4 },
	{ "less than a page is a page", MOCK_HEAP_RUN, 3, 512, 3 },
};

KUNIT_ARRAY_PARAM_DESC(heap_buffer_map, heap_buffer_map_cases, description);

static void heap_buffer_expect_table(struct kunit *test, struct mock_heap *mock,
				     struct sg_table *sgt)
{
	struct sg_page_iter iter;
	unsigned int at = 0;

	for_each_sgtable_page(sgt, &iter, 0) {
		KUNIT_ASSERT_LT(test, at, mock->nr_pages);
		KUNIT_EXPECT_PTR_EQ(test, mock->pages[at], sg_page_iter_page(&iter));
		at++;
	}
	KUNIT_EXPECT_EQ(test, mock->nr_pages, at);
}

/* The table as the exporter makes it, before any debugging hides its pages. */
static void heap_buffer_test_map(struct kunit *test)
{
	const struct heap_buffer_map_case *param = test->param_value;
	struct mock_heap *mock = mock_heap_create(test, "kunit_map");
	struct device *dev = mock_device_create(test);
	struct dma_buf_attachment *attach;
	struct dma_buf *dmabuf;
	struct sg_table *sgt;

	if (IS_ENABLED(CONFIG_DMA_API_DEBUG_SG) && param->limit &&
	    param->limit < PAGE_SIZE)
		kunit_skip(test, "the DMA API reports such a device");

	dma_set_max_seg_size(dev, param->limit);
	dmabuf = mock_heap_buffer(test, mock, param->pieces, param->nr_pages);
	attach = dma_buf_attach(dmabuf, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);

	dma_resv_lock(dmabuf->resv, NULL);
	sgt = dmabuf->ops->map_dma_buf(attach, DMA_BIDIRECTIONAL);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, param->entries, sgt->orig_nents);
	KUNIT_EXPECT_GT(test, sgt->nents, 0);
	heap_buffer_expect_table(test, mock, sgt);
	dma_resv_lock(dmabuf->resv, NULL);
	dmabuf->ops->unmap_dma_buf(attach, sgt, DMA_BIDIRECTIONAL);
	dma_resv_unlock(dmabuf->resv);

	dma_buf_detach(dmabuf, attach);
	mock_heap_close(dmabuf);
	mock_heap_expect_home(test, mock);
}

static void heap_buffer_test_map_twice(struct kunit *test)
{
	struct mock_heap *mock = mock_heap_create(test, "kunit_twice");
	struct dma_buf_attachment *attach;
	struct sg_table *first, *second;
	struct heap_buffer *buffer;
	struct dma_buf *dmabuf;
	struct device *dev;
	int listed;

	dev = mock_device_create(test);
	dmabuf = mock_heap_buffer(test, mock, MOCK_HEAP_BACKWARD, 3);
	buffer = heap_buffer_of(dmabuf);
	attach = dma_buf_attach(dmabuf, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);

	/* An attachment that is not mapped is not listed. */
	KUNIT_EXPECT_TRUE(test, list_empty(&buffer->pages.mappings));

	first = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	second = dma_buf_map_attachment_unlocked(attach, DMA_FROM_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, first);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, second);
	KUNIT_EXPECT_PTR_NE(test, first, second);

	/* One that is mapped is listed if the device needs syncs. */
	listed = dma_dev_need_sync(dev) ? 2 : 0;
	KUNIT_EXPECT_EQ(test, listed, (int)list_count_nodes(&buffer->pages.mappings));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL));

	/* The DMA API may be looking on, and does not know which of the two. */
	KUNIT_EXPECT_EQ(test, 0,
			dma_buf_begin_cpu_access_partial(dmabuf, DMA_BIDIRECTIONAL, 5, 6));
	KUNIT_EXPECT_EQ(test, 0,
			dma_buf_end_cpu_access_partial(dmabuf, DMA_BIDIRECTIONAL, 5, 6));

	dma_buf_unmap_attachment_unlocked(attach, first, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, listed / 2, (int)list_count_nodes(&buffer->pages.mappings));
	dma_buf_unmap_attachment_unlocked(attach, second, DMA_FROM_DEVICE);
	KUNIT_EXPECT_TRUE(test, list_empty(&buffer->pages.mappings));

	dma_buf_detach(dmabuf, attach);
	mock_heap_close(dmabuf);
	mock_heap_expect_put(test, mock);
	KUNIT_EXPECT_TRUE(test, mock->exposed);
	mock_heap_expect_home(test, mock);
}

/* -- the kernel's mapping ------------------------------------------------- */

static const struct heap_buffer_run_case heap_buffer_vmap_cases[] = {
	{ "a run is in the linear map already", MOCK_HEAP_RUN, 5, 1 },
	{ "runs are put in a row", MOCK_HEAP_BACKWARD, 5, 5 },
	{ "folios are put in a row", MOCK_HEAP_FOLIOS, 16, 0 },
};

KUNIT_ARRAY_PARAM_DESC(heap_buffer_vmap, heap_buffer_vmap_cases, description);

static void heap_buffer_test_vmap(struct kunit *test)
{
	const struct heap_buffer_run_case *param = test->param_value;
	struct mock_heap *mock = mock_heap_create(test, "kunit_vmap");
	struct iosys_map map, again;
	struct dma_buf *dmabuf;
	unsigned int i;
	u32 *there;

	dmabuf = mock_heap_buffer(test, mock, param->pieces, param->nr_pages);
	KUNIT_ASSERT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &map));
	KUNIT_EXPECT_FALSE(test, map.is_iomem);
	if (param->nr_runs)
		KUNIT_EXPECT_EQ(test, param->nr_runs > 1,
				is_vmalloc_addr(map.vaddr));

	/* A second user gets the same, and may leave first. */
	KUNIT_ASSERT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &again));
	KUNIT_EXPECT_PTR_EQ(test, map.vaddr, again.vaddr);
	dma_buf_vunmap_unlocked(dmabuf, &again);

	KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL));
	for (i = 0; i < param->nr_pages; i++)
		*(u32 *)(map.vaddr + i * PAGE_SIZE) = i + 1;
	KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL));
	dma_buf_vunmap_unlocked(dmabuf, &map);

	for (i = 0; i < param->nr_pages; i++) {
		there = kmap_local_page(mock->pages[i]);
		KUNIT_EXPECT_EQ(test, i + 1, *there);
		kunmap_local(there);
	}
	mock_heap_close(dmabuf);
	mock_heap_expect_put(test, mock);
	KUNIT_EXPECT_TRUE(test, mock->exposed);
	mock_heap_expect_home(test, mock);
}

/* -- folios that cannot be split ------------------------------------------ */

/*
 * Without CONFIG_TRANSPARENT_HUGEPAGE, madvise() never comes to an end with a
 * part of a large folio, unless it takes the folio for one that others have
 * mapped as well. Should that be judged in another way one day, this fails, and
 * no program hangs.
 */
static void heap_buffer_test_not_to_split(struct kunit *test)
{
	struct mock_heap *mock = mock_heap_create(test, "kunit_not_to_split");
	struct dma_buf *dmabuf;
	struct folio *folio;

	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		kunit_skip(test, "folios can be split");

	dmabuf = mock_heap_buffer(test, mock, MOCK_HEAP_FOLIOS, 4);
	folio = page_folio(mock->pages[0]);
	KUNIT_ASSERT_TRUE(test, folio_test_large(folio));

	/* What mapping its first page once does to the counters. */
	atomic_inc(&folio_page(folio, 0)->_mapcount);
	atomic_inc(&folio->_large_mapcount);
	KUNIT_EXPECT_TRUE(test, folio_likely_mapped_shared(folio));
	atomic_dec(&folio->_large_mapcount);
	atomic_dec(&folio_page(folio, 0)->_mapcount);

	mock_heap_close(dmabuf);
	KUNIT_EXPECT_FALSE(test, folio_mapped(folio));
	mock_heap_expect_home(test, mock);
}

/* -- what is still held --------------------------------------------------- */

/* The mock holds all: none may be taken for the page cache by the holder. */
static void heap_buffer_test_abandoned_is_dirty(struct kunit *test)
{
	struct mock_heap *mock = mock_heap_create(test, "kunit_abandoned");
	unsigned int i;

	mock_heap_close(mock_heap_buffer(test, mock, MOCK_HEAP_BACKWARD, 4));
	/* The release may be under way on another CPU: this waits for it. */
	mock_heap_expect_home(test, mock);
	for (i = 0; i < mock->nr_pages; i++)
		KUNIT_EXPECT_TRUE(test, PageDirty(mock->pages[i]));
}

#if defined(CONFIG_MEMORY_FAILURE) && !defined(MODULE)
/*
 * The buffer keeps its reference on a broken folio, so that it is never freed.
 */
static void heap_buffer_test_abandoned_is_broken(struct kunit *test)
{
	struct mock_heap *mock = mock_heap_create(test, "kunit_broken");
	struct dma_buf *dmabuf;
	struct folio *folio;

	dmabuf = mock_heap_buffer(test, mock, MOCK_HEAP_FOLIOS, 4);
	folio = page_folio(mock->pages[0]);
	atomic_long_inc(&num_poisoned_pages);
	SetPageHWPoison(mock->pages[1]);
	mock_heap_close(dmabuf);
	KUNIT_EXPECT_EQ(test, 5, folio_ref_count(folio));
	ClearPageHWPoison(mock->pages[1]);
	atomic_long_dec(&num_poisoned_pages);
	/* What the buffer has left behind for good. */
	if (folio_ref_count(folio) == 5)
		folio_put(folio);
	mock_heap_expect_home(test, mock);
}
#endif

static struct kunit_case heap_buffer_cases[] = {
	KUNIT_CASE_PARAM(heap_buffer_test_runs, heap_buffer_run_gen_params),
	KUNIT_CASE(heap_buffer_test_length),
	KUNIT_CASE_PARAM(heap_buffer_test_fail, heap_buffer_fail_gen_params),
	KUNIT_CASE_PARAM(heap_buffer_test_map, heap_buffer_map_gen_params),
	KUNIT_CASE(heap_buffer_test_map_twice),
	KUNIT_CASE_PARAM(heap_buffer_test_vmap, heap_buffer_vmap_gen_params),
	KUNIT_CASE(heap_buffer_test_not_to_split),
	KUNIT_CASE(heap_buffer_test_abandoned_is_dirty),
#if defined(CONFIG_MEMORY_FAILURE) && !defined(MODULE)
	KUNIT_CASE(heap_buffer_test_abandoned_is_broken),
#endif
	{ }
};

static struct kunit_suite heap_buffer_suite = {
	.name = "heap_buffer",
	.test_cases = heap_buffer_cases,
};

kunit_test_suite(heap_buffer_suite);
