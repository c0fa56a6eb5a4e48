// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-pages.c: how long entries are, and which pieces of a table a part
 * of it consists of.
 *
 * The tables are made by hand: what memory looks like, and what an IOMMU might
 * have made of it. What comes of it in a buffer is in dma-buf-bounce-test.c.
 */
#include <kunit/test.h>

#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>

#include "../dma-buf-pages-private.h"
#include "mock_device.h"

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

struct walk_case {
	const char *desc;
	/* Lengths in pages, 0 ends the list. */
	unsigned int memory[MAX_ENTRIES];
	unsigned int mapped[MAX_ENTRIES];
	size_t offset, length;
	/* Length 0 ends the list. */
	struct piece pieces[MAX_PIECES];
};

#define P	PAGE_SIZE

static const struct walk_case walk_cases[] = {
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

KUNIT_ARRAY_PARAM_DESC(walk, walk_cases, desc);

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
		       const struct walk_case *walk)
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

static void shared_mapping_test_walk(struct kunit *test)
{
	const struct walk_case *walk = test->param_value;
	struct shared_mapping mapping = {};
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
	KUNIT_ASSERT_EQ(test, 0, shared_mapping_note_pieces(&mapping));
	/* What RDMA does to a table of which it uses only the middle. */
	sg = mapping.sgt.sgl;
	sg_dma_address(sg) += PAGE_SIZE / 2;
	for (; sg; sg = sg_next(sg))
		sg_dma_len(sg) = 1;
	shared_mapping_sync(&mapping, DMA_TO_DEVICE, walk->offset, walk->length,
			    record);
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

static void shared_mapping_test_edges(struct kunit *test)
{
	const struct edge_case *edge = test->param_value;
	size_t edges[2] = { SIZE_MAX, SIZE_MAX };
	unsigned int count, i;

	count = shared_mapping_edges(edge->offset, edge->length, edge->line,
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

static void shared_mapping_test_segment(struct kunit *test)
{
	const struct segment_case *segment = test->param_value;
	struct device *dev = mock_device_create(test);

	if (IS_ENABLED(CONFIG_DMA_API_DEBUG_SG) && !segment->stated)
		kunit_skip(test, "this kernel checks the default limit");
	if (dma_max_mapping_size(dev) != SIZE_MAX)
		kunit_skip(test, "memory bounces here");
	dma_set_max_seg_size(dev, segment->stated);
	KUNIT_EXPECT_EQ(test, shared_mapping_segment_pages(dev), segment->pages);
}

static struct kunit_case shared_mapping_cases[] = {
	KUNIT_CASE_PARAM(shared_mapping_test_segment, segment_gen_params),
	KUNIT_CASE_PARAM(shared_mapping_test_walk, walk_gen_params),
	KUNIT_CASE_PARAM(shared_mapping_test_edges, edge_gen_params),
	{}
};

static struct kunit_suite shared_mapping_suite = {
	.name = "dma_buf_pages",
	.test_cases = shared_mapping_cases,
};

kunit_test_suite(shared_mapping_suite);
