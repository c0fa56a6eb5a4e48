// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-pages.c and dma-buf-pages-ops.c
 *
 * Lists are laid out by hand over the pages of one folio, so that it is known what
 * is adjacent. Tables are made by hand as well where it matters what an IOMMU might
 * have made of them. What cache maintenance does to the bytes of a buffer is in
 * dma_buf_bounce_kunit.c.
 */
#include <kunit/test.h>

#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pages.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "../dma-buf-pages-private.h"
#include "lab/sample.h"
#include "mock_device.h"
#include "mock_files.h"

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);

/* -- lists ----------------------------------------------------------------- */

#define MAX_EXTENTS	6
#define ORDER		4

struct extent {
	u8 first;
	u8 pages;
};

/* Extents cut out of one folio, and the steps of a walk; zero pages end a list. */
struct layout_case {
	const char *desc;
	struct extent extents[MAX_EXTENTS];
	unsigned int runs;
	unsigned long first;
	unsigned long end;
	unsigned long limit;
	struct extent steps[MAX_EXTENTS];
};

static const struct layout_case layout_cases[] = {
	{
		.desc = "an extent is one run",
		.extents = { { 0, 8 } }, .runs = 1,
		.end = ULONG_MAX, .limit = ULONG_MAX,
		.steps = { { 0, 8 } },
	}, {
		.desc = "extents that follow each other are one run",
		.extents = { { 0, 2 }, { 2, 3 }, { 5, 1 } }, .runs = 1,
		.end = ULONG_MAX, .limit = ULONG_MAX,
		.steps = { { 0, 6 } },
	}, {
		.desc = "a gap in memory ends a run",
		.extents = { { 0, 2 }, { 3, 3 } }, .runs = 2,
		.end = ULONG_MAX, .limit = ULONG_MAX,
		.steps = { { 0, 2 }, { 3, 3 } },
	}, {
		.desc = "memory in reverse order gives a run per extent",
		.extents = { { 4, 1 }, { 3, 1 }, { 2, 1 } }, .runs = 3,
		.end = ULONG_MAX, .limit = ULONG_MAX,
		.steps = { { 4, 1 }, { 3, 1 }, { 2, 1 } },
	}, {
		.desc = "the same memory twice gives two runs",
		.extents = { { 1, 2 }, { 1, 2 } }, .runs = 2,
		.end = ULONG_MAX, .limit = ULONG_MAX,
		.steps = { { 1, 2 }, { 1, 2 } },
	}, {
		.desc = "runs merge in the middle of a list",
		.extents = { { 9, 1 }, { 2, 2 }, { 4, 2 }, { 0, 1 } }, .runs = 3,
		.end = ULONG_MAX, .limit = ULONG_MAX,
		.steps = { { 9, 1 }, { 2, 4 }, { 0, 1 } },
	}, {
		.desc = "a limit cuts an extent",
		.extents = { { 0, 8 } }, .runs = 1,
		.end = ULONG_MAX, .limit = 3,
		.steps = { { 0, 3 }, { 3, 3 }, { 6, 2 } },
	}, {
		.desc = "a limit counts across extents",
		.extents = { { 0, 2 }, { 2, 5 } }, .runs = 1,
		.end = ULONG_MAX, .limit = 3,
		.steps = { { 0, 3 }, { 3, 3 }, { 6, 1 } },
	}, {
		.desc = "a limit that is met exactly goes on with the next extent",
		.extents = { { 0, 2 }, { 2, 2 }, { 4, 2 } }, .runs = 1,
		.end = ULONG_MAX, .limit = 4,
		.steps = { { 0, 4 }, { 4, 2 } },
	}, {
		.desc = "a limit that is a run goes on with the next run",
		.extents = { { 8, 4 }, { 0, 4 } }, .runs = 2,
		.end = ULONG_MAX, .limit = 4,
		.steps = { { 8, 4 }, { 0, 4 } },
	}, {
		.desc = "a limit of one gives every page",
		.extents = { { 7, 2 }, { 0, 2 } }, .runs = 2,
		.end = ULONG_MAX, .limit = 1,
		.steps = { { 7, 1 }, { 8, 1 }, { 0, 1 }, { 1, 1 } },
	}, {
		.desc = "a walk starts inside an extent",
		.extents = { { 0, 4 }, { 8, 4 } }, .runs = 2,
		.first = 3, .end = ULONG_MAX, .limit = ULONG_MAX,
		.steps = { { 3, 1 }, { 8, 4 } },
	}, {
		.desc = "a walk starts where an extent does",
		.extents = { { 0, 4 }, { 8, 4 } }, .runs = 2,
		.first = 4, .end = ULONG_MAX, .limit = ULONG_MAX,
		.steps = { { 8, 4 } },
	}, {
		.desc = "a walk starts inside the last of many",
		.extents = { { 9, 1 }, { 7, 1 }, { 5, 1 }, { 3, 1 }, { 0, 3 } },
		.runs = 5, .first = 6, .end = ULONG_MAX, .limit = ULONG_MAX,
		.steps = { { 2, 1 } },
	}, {
		.desc = "a walk ends inside of a run",
		.extents = { { 0, 4 }, { 8, 4 } }, .runs = 2,
		.first = 1, .end = 6, .limit = ULONG_MAX,
		.steps = { { 1, 3 }, { 8, 2 } },
	}, {
		.desc = "a walk ends where a run does",
		.extents = { { 0, 4 }, { 8, 4 } }, .runs = 2,
		.end = 4, .limit = ULONG_MAX,
		.steps = { { 0, 4 } },
	}, {
		.desc = "a walk of one page",
		.extents = { { 0, 4 }, { 8, 4 } }, .runs = 2,
		.first = 5, .end = 6, .limit = 3,
		.steps = { { 9, 1 } },
	}, {
		.desc = "a walk with an end and a limit",
		.extents = { { 0, 4 }, { 8, 4 } }, .runs = 2,
		.first = 1, .end = 7, .limit = 2,
		.steps = { { 1, 2 }, { 3, 1 }, { 8, 2 }, { 10, 1 } },
	}, {
		.desc = "a walk from the end gives nothing",
		.extents = { { 0, 4 } }, .runs = 1,
		.first = 4, .end = ULONG_MAX, .limit = ULONG_MAX,
	}, {
		.desc = "a walk from far beyond the end gives nothing",
		.extents = { { 0, 4 } }, .runs = 1,
		.first = U32_MAX, .end = ULONG_MAX, .limit = ULONG_MAX,
	}, {
		.desc = "a walk that ends where it starts gives nothing",
		.extents = { { 0, 4 } }, .runs = 1,
		.first = 2, .end = 2, .limit = ULONG_MAX,
	}, {
		.desc = "an empty list gives nothing",
		.end = ULONG_MAX, .limit = ULONG_MAX,
	},
};

KUNIT_ARRAY_PARAM_DESC(layout, layout_cases, desc);

/* A list over the pages of a folio which it does not own. */
struct layout {
	struct dma_buf_pages pages;
	struct folio *folio;
};

static void layout_free(void *data)
{
	struct layout *layout = data;

	dma_buf_pages_end(&layout->pages);
	dma_buf_pages_fini(&layout->pages);
	folio_put(layout->folio);
}

static struct layout *layout_create(struct kunit *test,
				    const struct layout_case *param)
{
	struct layout *layout;
	unsigned int i;

	layout = kunit_kzalloc(test, sizeof(*layout), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, layout);
	layout->folio = folio_alloc(GFP_KERNEL | __GFP_ZERO, ORDER);
	KUNIT_ASSERT_NOT_NULL(test, layout->folio);
	dma_buf_pages_init(&layout->pages);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, layout_free, layout));

	for (i = 0; i < MAX_EXTENTS && param->extents[i].pages; i++)
		KUNIT_ASSERT_EQ(test, 0,
				dma_buf_pages_append(&layout->pages,
						     folio_page(layout->folio,
								param->extents[i].first),
						     param->extents[i].pages));
	return layout;
}

static void dma_buf_pages_test_append(struct kunit *test)
{
	const struct layout_case *param = test->param_value;
	struct layout *layout = layout_create(test, param);
	struct dma_buf_pages *pages = &layout->pages;
	unsigned int i, j;
	pgoff_t index = 0;

	KUNIT_EXPECT_EQ(test, pages->nr_runs, param->runs);
	KUNIT_EXPECT_FALSE(test, pages->exposed);
	for (i = 0; i < MAX_EXTENTS; i++)
		for (j = 0; j < param->extents[i].pages; j++, index++)
			KUNIT_EXPECT_PTR_EQ(test, dma_buf_pages_page(pages, index),
					    folio_page(layout->folio,
						       param->extents[i].first + j));
	KUNIT_EXPECT_EQ(test, pages->nr_pages, index);
}

/* Each page is found in the run that says it has it. */
static void dma_buf_pages_test_find_run(struct kunit *test)
{
	struct layout *layout = layout_create(test, test->param_value);
	struct dma_buf_pages *pages = &layout->pages;
	pgoff_t index = 0;
	unsigned int i;

	for (i = 0; i < pages->nr_runs; i++) {
		KUNIT_EXPECT_EQ(test, pages->runs[i].start, index);
		KUNIT_EXPECT_GT(test, dma_buf_pages_run_end(pages, i), index);
		for (; index < dma_buf_pages_run_end(pages, i); index++)
			KUNIT_EXPECT_EQ(test, i, dma_buf_pages_find_run(pages, index));
	}
	KUNIT_EXPECT_EQ(test, pages->nr_pages, index);
}

static void dma_buf_pages_test_walk(struct kunit *test)
{
	const struct layout_case *param = test->param_value;
	struct layout *layout = layout_create(test, param);
	struct dma_buf_pages_iter iter;
	pgoff_t index = param->first;
	unsigned int i = 0;

	dma_buf_pages_for_each(&iter, &layout->pages, param->first, param->end,
			       param->limit) {
		KUNIT_ASSERT_LT_MSG(test, i, MAX_EXTENTS, "too many steps");
		KUNIT_EXPECT_EQ(test, iter.index, index);
		KUNIT_EXPECT_EQ(test, iter.nr_pages, param->steps[i].pages);
		KUNIT_EXPECT_PTR_EQ(test, iter.page,
				    folio_page(layout->folio,
					       param->steps[i].first));
		index += iter.nr_pages;
		i++;
	}
	KUNIT_EXPECT_TRUE(test, i == MAX_EXTENTS || !param->steps[i].pages);
}

/* Each part of a folio that is in one run is a step; single pages are folios. */
static void dma_buf_pages_test_folios(struct kunit *test)
{
	static const struct layout_case param = {
		.extents = { { 2, 3 }, { 5, 1 }, { 1, 1 } },
	};
	static const u8 lengths[] = { 4, 1, 1, 1, 2 };
	struct folio *two = folio_alloc(GFP_KERNEL, 1), *folio;
	struct page *single = alloc_pages(GFP_KERNEL, 1);
	struct layout *layout = layout_create(test, &param);
	struct dma_buf_pages_iter iter;
	struct folio *expected[5];
	unsigned int i = 0;

	KUNIT_ASSERT_NOT_NULL(test, two);
	KUNIT_ASSERT_NOT_NULL(test, single);
	split_page(single, 1);
	expected[0] = layout->folio;
	expected[1] = layout->folio;
	expected[2] = page_folio(single);
	expected[3] = page_folio(single + 1);
	expected[4] = two;
	KUNIT_EXPECT_EQ(test, 0, dma_buf_pages_append(&layout->pages, single, 2));
	KUNIT_EXPECT_EQ(test, 0,
			dma_buf_pages_append(&layout->pages, &two->page, 2));

	dma_buf_pages_for_each_folio(&iter, folio, &layout->pages) {
		KUNIT_EXPECT_LT(test, i, ARRAY_SIZE(lengths));
		if (i == ARRAY_SIZE(lengths))
			break;
		KUNIT_EXPECT_PTR_EQ(test, folio, expected[i]);
		KUNIT_EXPECT_EQ(test, iter.nr_pages, lengths[i]);
		i++;
	}
	KUNIT_EXPECT_EQ(test, i, ARRAY_SIZE(lengths));
	folio_put(two);
	__free_page(single);
	__free_page(single + 1);
}

/* An exporter that says what follows gets the list that others get. */
static void dma_buf_pages_test_append_reserved(struct kunit *test)
{
	struct layout *layout = layout_create(test, test->param_value);
	struct dma_buf_pages *pages = &layout->pages, same;
	struct page *page, *before = NULL;
	unsigned int i;
	pgoff_t index;

	dma_buf_pages_init(&same);
	KUNIT_ASSERT_EQ(test, 0, dma_buf_pages_reserve(&same, pages->nr_runs,
						       GFP_KERNEL));
	for (index = 0; index < pages->nr_pages; index++) {
		page = dma_buf_pages_page(pages, index);
		dma_buf_pages_append_reserved(&same, page, 1, before &&
					      page_to_pfn(page) ==
					      page_to_pfn(before) + 1);
		before = page;
	}
	KUNIT_EXPECT_EQ(test, same.nr_pages, pages->nr_pages);
	KUNIT_EXPECT_EQ(test, same.nr_runs, pages->nr_runs);
	for (i = 0; i < min(same.nr_runs, pages->nr_runs); i++) {
		KUNIT_EXPECT_PTR_EQ(test, same.runs[i].page,
				    pages->runs[i].page);
		KUNIT_EXPECT_EQ(test, same.runs[i].start,
				pages->runs[i].start);
	}
	dma_buf_pages_fini(&same);
}

/* What has been reserved is not allocated again, and what was there stays. */
static void dma_buf_pages_test_reserve(struct kunit *test)
{
	static const struct layout_case param = { .extents = { { 15, 1 } } };
	struct layout *layout = layout_create(test, &param);
	struct dma_buf_pages *pages = &layout->pages;
	struct dma_buf_pages_run *runs;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, 0, dma_buf_pages_reserve(pages, 0, GFP_KERNEL));
	KUNIT_EXPECT_PTR_EQ(test, pages->runs, &pages->sole_run);
	KUNIT_ASSERT_EQ(test, 0, dma_buf_pages_reserve(pages, 7, GFP_KERNEL));
	KUNIT_EXPECT_GE(test, pages->max_runs, 8);

	runs = pages->runs;
	for (i = 0; i < 7; i++)
		KUNIT_ASSERT_EQ(test, 0,
				dma_buf_pages_append(pages,
						     folio_page(layout->folio,
								13 - 2 * i), 1));
	KUNIT_EXPECT_PTR_EQ(test, runs, pages->runs);
	KUNIT_EXPECT_EQ(test, pages->nr_runs, 8);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_PTR_EQ(test, dma_buf_pages_page(pages, i),
				    folio_page(layout->folio, 15 - 2 * i));

	/* More than can be: the list is as it was. */
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			dma_buf_pages_reserve(pages, UINT_MAX, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			dma_buf_pages_reserve(pages, UINT_MAX - 8, GFP_KERNEL));
	KUNIT_EXPECT_PTR_EQ(test, runs, pages->runs);
}

/* -- devices --------------------------------------------------------------- */

/* A table has the pages of the list, in entries that the device takes. */
static void dma_buf_pages_test_table(struct kunit *test)
{
	const struct layout_case *param = test->param_value;
	struct layout *layout = layout_create(test, param);
	struct dma_buf_pages *pages = &layout->pages;
	struct device *dev = mock_device_create(test);
	struct dma_buf_pages_mapping *mapping;
	struct sg_page_iter iter;
	struct scatterlist *sg;
	pgoff_t index = 0;
	unsigned int i;

	if (!pages->nr_pages)
		return;

	dma_set_max_seg_size(dev, min(param->limit, UINT_MAX >> PAGE_SHIFT) <<
				  PAGE_SHIFT);
	mapping = dma_buf_pages_map_device(pages, dev, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mapping);
	KUNIT_EXPECT_TRUE(test, pages->exposed);
	KUNIT_EXPECT_EQ(test, list_empty(&pages->mappings),
			!dma_dev_need_sync(dev));

	for_each_sgtable_page(&mapping->sgt, &iter, 0) {
		KUNIT_EXPECT_PTR_EQ(test, sg_page_iter_page(&iter),
				    dma_buf_pages_page(pages, index));
		index++;
	}
	KUNIT_EXPECT_EQ(test, index, pages->nr_pages);
	for_each_sgtable_sg(&mapping->sgt, sg, i)
		KUNIT_EXPECT_LE(test, sg->length >> PAGE_SHIFT, param->limit);

	/* A walk over everything says how many entries there are. */
	for (i = 0; i < MAX_EXTENTS && param->steps[i].pages; i++)
		;
	if (!param->first && param->end == ULONG_MAX)
		KUNIT_EXPECT_EQ(test, mapping->sgt.orig_nents, i);

	dma_buf_pages_unmap_device(pages, mapping);
	KUNIT_EXPECT_TRUE(test, list_empty(&pages->mappings));
}

#define MAX_ENTRIES	4
#define MAX_PIECES	8

/* Where the device sees the first of its segments, and how far apart they are. */
#define DEVICE_BASE	0x100000UL
#define DEVICE_STRIDE	0x10000UL

struct piece {
	/* Which of the device's segments, and where in it. */
	unsigned int segment;
	size_t offset;
	size_t length;
};

struct pieces_case {
	const char *desc;
	/* Lengths in pages, 0 ends the list. */
	unsigned int memory[MAX_ENTRIES];
	unsigned int mapped[MAX_ENTRIES];
	size_t offset, length;
	/* Length 0 ends the list. */
	struct piece pieces[MAX_PIECES];
};

#define P	PAGE_SIZE

static const struct pieces_case pieces_cases[] = {
	{ "one byte of one entry", { 1 }, { 1 }, 5, 1, { { 0, 5, 1 } } },
	{ "all of one entry", { 4 }, { 4 }, 0, 4 * P, { { 0, 0, 4 * P } } },
	{ "the middle of one entry", { 4 }, { 4 }, P + 1, P,
	  { { 0, P + 1, P } } },
	{ "the first of three", { 1, 2, 1 }, { 1, 2, 1 }, 0, P,
	  { { 0, 0, P } } },
	{ "the second of three", { 1, 2, 1 }, { 1, 2, 1 }, P, 2 * P,
	  { { 1, 0, 2 * P } } },
	{ "the last byte of three", { 1, 2, 1 }, { 1, 2, 1 }, 4 * P - 1, 1,
	  { { 2, P - 1, 1 } } },
	{ "two bytes across a border", { 1, 2, 1 }, { 1, 2, 1 }, P - 1, 2,
	  { { 0, P - 1, 1 }, { 1, 0, 1 } } },
	{ "from the end of the first to the start of the last",
	  { 1, 2, 1 }, { 1, 2, 1 }, P - 8, 2 * P + 16,
	  { { 0, P - 8, 8 }, { 1, 0, 2 * P }, { 2, 0, 8 } } },
	{ "all of three", { 1, 2, 1 }, { 1, 2, 1 }, 0, 4 * P,
	  { { 0, 0, P }, { 1, 0, 2 * P }, { 2, 0, P } } },
	{ "entries that the device sees as one are apart in memory",
	  { 1, 2, 1 }, { 4 }, P - 8, 2 * P + 16,
	  { { 0, P - 8, 8 }, { 0, P, 2 * P }, { 0, 3 * P, 8 } } },
	{ "an entry that the device sees as two", { 4 }, { 1, 3 }, P - 8, 16,
	  { { 0, P - 8, 8 }, { 1, 0, 8 } } },
	{ "borders that do not meet", { 1, 3 }, { 2, 2 }, 0, 4 * P,
	  { { 0, 0, P }, { 0, P, P }, { 1, 0, 2 * P } } },
	{ "behind borders that do not meet", { 1, 3 }, { 2, 2 }, 3 * P + 9, 9,
	  { { 1, P + 9, 9 } } },
};

KUNIT_ARRAY_PARAM_DESC(pieces, pieces_cases, desc);

/* A device that writes down what is done for it. */
struct recorder {
	struct device dev;
	dma_addr_t addr[MAX_PIECES];
	size_t size[MAX_PIECES];
	enum dma_data_direction dir[MAX_PIECES];
	unsigned int count;
};

static void record(struct device *dev, dma_addr_t addr, size_t size,
		   enum dma_data_direction dir)
{
	struct recorder *recorder = container_of(dev, struct recorder, dev);
	unsigned int i = recorder->count++;

	if (i >= MAX_PIECES)
		return;
	recorder->addr[i] = addr;
	recorder->size[i] = size;
	recorder->dir[i] = dir;
}

static unsigned int count_entries(const unsigned int *pages)
{
	unsigned int n = 0;

	while (n < MAX_ENTRIES && pages[n])
		n++;
	return n;
}

static void fill_table(struct kunit *test, struct sg_table *sgt,
		       const struct pieces_case *walk)
{
	unsigned int memory = count_entries(walk->memory);
	unsigned int mapped = count_entries(walk->mapped);
	struct scatterlist *sg;
	int i;

	/* More segments than entries are what an IOMMU never makes; room is needed. */
	KUNIT_ASSERT_EQ(test, 0, sg_alloc_table(sgt, max(memory, mapped), GFP_KERNEL));
	sgt->nents = mapped;
	for_each_sg(sgt->sgl, sg, memory, i)
		sg_set_page(sg, ZERO_PAGE(0), walk->memory[i] << PAGE_SHIFT, 0);
	for_each_sg(sgt->sgl, sg, mapped, i) {
		sg_dma_address(sg) = DEVICE_BASE + i * DEVICE_STRIDE;
		sg_dma_len(sg) = walk->mapped[i] << PAGE_SHIFT;
	}
}

static void dma_buf_pages_test_pieces(struct kunit *test)
{
	const struct pieces_case *walk = test->param_value;
	struct dma_buf_pages_mapping mapping = {};
	struct recorder *recorder;
	struct scatterlist *sg;
	unsigned int i;

	recorder = kunit_kzalloc(test, sizeof(*recorder), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, recorder);
	if (!IS_ENABLED(CONFIG_NEED_SG_DMA_LENGTH) &&
	    memcmp(walk->memory, walk->mapped, sizeof(walk->memory)))
		kunit_skip(test, "lengths in memory and for the device are one");

	mapping.dev = &recorder->dev;
	fill_table(test, &mapping.sgt, walk);
	KUNIT_ASSERT_EQ(test, 0, dma_buf_pages_note_pieces(&mapping));
	/* What RDMA does to a table of which it uses only the middle. */
	sg = mapping.sgt.sgl;
	sg_dma_address(sg) += PAGE_SIZE / 2;
	for (; sg; sg = sg_next(sg))
		sg_dma_len(sg) = 1;
	dma_buf_pages_sync_pieces(&mapping, DMA_TO_DEVICE, walk->offset,
				  walk->length, record);
	kvfree(mapping.pieces);
	sg_free_table(&mapping.sgt);

	for (i = 0; i < MAX_PIECES && walk->pieces[i].length; i++) {
		const struct piece *piece = &walk->pieces[i];

		KUNIT_EXPECT_EQ(test, recorder->addr[i],
				DEVICE_BASE + piece->segment * DEVICE_STRIDE +
				piece->offset);
		KUNIT_EXPECT_EQ(test, recorder->size[i], piece->length);
		KUNIT_EXPECT_EQ(test, recorder->dir[i], DMA_TO_DEVICE);
	}
	KUNIT_EXPECT_EQ(test, recorder->count, i);
}

struct edge_case {
	const char *desc;
	size_t offset, length, line;
	unsigned int count;
	size_t edges[2];
};

static const struct edge_case edge_cases[] = {
	{ "no lines where caches are coherent", 5, 7, 1, 0 },
	{ "a page shares none", P, P, 64, 0 },
	{ "one line shares none", 128, 64, 64, 0 },
	{ "one byte at the start of a line", 128, 1, 64, 1, { 128 } },
	{ "one byte at the end of a line", 191, 1, 64, 1, { 128 } },
	{ "both ends in one line", 130, 3, 64, 1, { 128 } },
	{ "two bytes in two lines", 63, 2, 64, 2, { 0, 64 } },
	{ "only the first is shared", 70, 58, 64, 1, { 64 } },
	{ "only the last is shared", 64, 65, 64, 1, { 128 } },
	{ "whole lines between", 100, 3 * P, 128, 2, { 0, 3 * P } },
	{ "up to the end of the buffer", 4 * P - 1, 1, 128, 1,
	  { 4 * P - 128 } },
};

KUNIT_ARRAY_PARAM_DESC(edge, edge_cases, desc);

static void dma_buf_pages_test_edges(struct kunit *test)
{
	const struct edge_case *edge = test->param_value;
	size_t edges[2] = { SIZE_MAX, SIZE_MAX };
	unsigned int count, i;

	count = dma_buf_pages_edges(edge->offset, edge->length, edge->line,
				    edges);
	KUNIT_EXPECT_EQ(test, count, edge->count);
	for (i = 0; i < ARRAY_SIZE(edges); i++)
		KUNIT_EXPECT_EQ(test, edges[i],
				i < edge->count ? edge->edges[i] : SIZE_MAX);
}

struct segment_case {
	const char *desc;
	/* What the driver stated, 0 for nothing. */
	unsigned int stated;
	unsigned int pages;
};

static const struct segment_case segment_cases[] = {
	{ "a driver that states nothing takes all", 0, UINT_MAX >> PAGE_SHIFT },
	{ "a driver that takes all", UINT_MAX, UINT_MAX >> PAGE_SHIFT },
	{ "a limit", 4 * PAGE_SIZE, 4 },
	{ "a limit is rounded down to pages", 3 * PAGE_SIZE - 1, 2 },
	{ "less than a page is a page", 512, 1 },
};

KUNIT_ARRAY_PARAM_DESC(segment, segment_cases, desc);

static void dma_buf_pages_test_max_entry(struct kunit *test)
{
	const struct segment_case *segment = test->param_value;
	struct device *dev = mock_device_create(test);

	if (IS_ENABLED(CONFIG_DMA_API_DEBUG_SG) && !segment->stated)
		kunit_skip(test, "this kernel checks the default limit");
	if (dma_max_mapping_size(dev) != SIZE_MAX)
		kunit_skip(test, "memory bounces here");
	dma_set_max_seg_size(dev, segment->stated);
	KUNIT_EXPECT_EQ(test, dma_buf_pages_max_entry(dev), segment->pages);
}

/* -- buffers --------------------------------------------------------------- */

static void put_buffer(void *dmabuf)
{
	dma_buf_put(dmabuf);
	mock_files_flush();
}

/* The list is freed later, with its folio. */
static void layout_release(struct dma_buf *dmabuf)
{
	dma_buf_pages_end(dmabuf->priv);
}

static const struct dma_buf_ops layout_ops = {
	DMA_BUF_PAGES_OPS,
	.release = layout_release,
};

static struct dma_buf *layout_export(struct kunit *test, struct layout *layout)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct dma_buf *dmabuf;

	exp_info.ops = &layout_ops;
	exp_info.size = layout->pages.nr_pages << PAGE_SHIFT;
	exp_info.flags = O_RDWR;
	exp_info.priv = &layout->pages;
	dmabuf = dma_buf_export(&exp_info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, put_buffer, dmabuf));
	return dmabuf;
}

/* Linear where there is one run, otherwise by page tables: the same bytes. */
static void dma_buf_pages_test_vmap(struct kunit *test)
{
	struct layout *layout = layout_create(test, test->param_value);
	struct dma_buf_pages *pages = &layout->pages;
	struct iosys_map map, again;
	struct dma_buf *dmabuf;
	pgoff_t index;
	u32 *word;

	if (!pages->nr_pages)
		return;

	dmabuf = layout_export(test, layout);
	KUNIT_ASSERT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &map));
	KUNIT_EXPECT_FALSE(test, map.is_iomem);
	KUNIT_EXPECT_TRUE(test, pages->exposed);
	KUNIT_EXPECT_EQ(test, pages->nr_runs > 1, is_vmalloc_addr(map.vaddr));

	for (index = 0; index < pages->nr_pages; index++) {
		memset_page(dma_buf_pages_page(pages, index), 0, 0, PAGE_SIZE);
		word = map.vaddr + index * PAGE_SIZE;
		*word = index + 1;
		word = kmap_local_page(dma_buf_pages_page(pages, index));
		KUNIT_EXPECT_EQ(test, *word, index + 1);
		kunmap_local(word);
	}
	dma_buf_vunmap_unlocked(dmabuf, &map);
	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&map));

	/* Kept for the next user, where there are addresses enough. */
	KUNIT_EXPECT_EQ(test, IS_ENABLED(CONFIG_64BIT), !!pages->vaddr);
	KUNIT_ASSERT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &again));
	KUNIT_EXPECT_PTR_EQ(test, again.vaddr, pages->vaddr);
	dma_buf_vunmap_unlocked(dmabuf, &again);
}

/* The sample in tests/lab is all that an exporter of pages needs. */
static void dma_buf_pages_test_sample(struct kunit *test)
{
	const size_t size = 5 * PAGE_SIZE;
	struct dma_buf_attachment *attach[2];
	struct sg_table *sgt[2];
	struct dma_buf_pages *pages;
	struct dma_buf *dmabuf;
	struct iosys_map map;
	unsigned int i;

	dmabuf = dmabuf_lab_sample_create(size >> PAGE_SHIFT);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, put_buffer, dmabuf));
	pages = dmabuf->priv;
	KUNIT_EXPECT_EQ(test, dmabuf->size, size);
	KUNIT_EXPECT_FALSE(test, pages->exposed);

	KUNIT_ASSERT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &map));
	KUNIT_EXPECT_NULL(test, memchr_inv(map.vaddr, 0, size));
	memset(map.vaddr, 0x5a, size);

	for (i = 0; i < 2; i++) {
		attach[i] = dma_buf_attach(dmabuf, mock_device_create(test));
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach[i]);
		sgt[i] = dma_buf_map_attachment_unlocked(attach[i],
							 DMA_BIDIRECTIONAL);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt[i]);
	}
	KUNIT_EXPECT_PTR_NE(test, sgt[0], sgt[1]);
	KUNIT_EXPECT_EQ(test, 0,
			dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE));
	KUNIT_EXPECT_NULL(test, memchr_inv(map.vaddr, 0x5a, size));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(dmabuf, DMA_FROM_DEVICE));
	KUNIT_EXPECT_EQ(test, 0,
			dma_buf_begin_cpu_access_partial(dmabuf, DMA_TO_DEVICE,
							 PAGE_SIZE - 1, 2));
	KUNIT_EXPECT_EQ(test, 0,
			dma_buf_end_cpu_access_partial(dmabuf, DMA_TO_DEVICE,
						       PAGE_SIZE - 1, 2));
	for (i = 0; i < 2; i++) {
		dma_buf_unmap_attachment_unlocked(attach[i], sgt[i],
						  DMA_BIDIRECTIONAL);
		dma_buf_detach(dmabuf, attach[i]);
	}
	dma_buf_vunmap_unlocked(dmabuf, &map);
}

static struct kunit_case dma_buf_pages_cases[] = {
	KUNIT_CASE_PARAM(dma_buf_pages_test_append, layout_gen_params),
	KUNIT_CASE_PARAM(dma_buf_pages_test_find_run, layout_gen_params),
	KUNIT_CASE_PARAM(dma_buf_pages_test_walk, layout_gen_params),
	KUNIT_CASE(dma_buf_pages_test_folios),
	KUNIT_CASE(dma_buf_pages_test_reserve),
	KUNIT_CASE_PARAM(dma_buf_pages_test_append_reserved, layout_gen_params),
	KUNIT_CASE_PARAM(dma_buf_pages_test_table, layout_gen_params),
	KUNIT_CASE_PARAM(dma_buf_pages_test_max_entry, segment_gen_params),
	KUNIT_CASE_PARAM(dma_buf_pages_test_pieces, pieces_gen_params),
	KUNIT_CASE_PARAM(dma_buf_pages_test_edges, edge_gen_params),
	KUNIT_CASE_PARAM(dma_buf_pages_test_vmap, layout_gen_params),
	KUNIT_CASE(dma_buf_pages_test_sample),
	{}
};

static struct kunit_suite dma_buf_pages_suite = {
	.name = "dma_buf_pages",
	.test_cases = dma_buf_pages_cases,
};

kunit_test_suite(dma_buf_pages_suite);
