// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-mapcache.c
 *
 * Most cases call the cache itself, so that they see whether a mapping was
 * made, reused or shared; those that need a buffer map an attachment. A device
 * of a mock has a driver, so mappings of it are kept. What kept mappings do to
 * the bytes of a buffer is in dma_buf_bounce_kunit.c.
 *
 * A mapping that needs syncs is not shared unless the device only reads.
 * Whether one does depends on the machine and the configuration, and is looked
 * up.
 */
#include <kunit/test.h>

#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pages.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/shrinker.h>
#include <linux/string.h>

#include "../dma-buf-pages-private.h"
#include "lab/sample.h"
#include "mock_device.h"
#include "mock_files.h"
#include "mock_importer.h"
#include "mock_mapcache.h"
#include "mock_race.h"
#include "mock_user.h"

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);

/* Size of the buffers, in pages. */
#define PAGES	3UL

/* -- fixture --------------------------------------------------------------- */

static unsigned long shrink(unsigned long nr_pages)
{
	struct shrink_control sc = {
		.gfp_mask = GFP_KERNEL,
		.nr_to_scan = nr_pages,
	};

	return dma_buf_mapcache_scan(NULL, &sc);
}

static unsigned long shrinkable(void)
{
	struct shrink_control sc = {};

	return dma_buf_mapcache_count(NULL, &sc);
}

static void shrink_all(void)
{
	while (shrink(1024) != SHRINK_STOP)
		;
}

static int mapcache_init(struct kunit *test)
{
	mock_mapcache_save(test);
	dma_buf_mapcache_keep_writable = true;
	/* What bounces is kept as well; the default is to keep none of it. */
	dma_buf_mapcache_max_bounce = ULONG_MAX;
	/* Nothing of another suite may be counted. */
	shrink_all();
	return 0;
}

static void put_buffer(void *dmabuf)
{
	dma_buf_put(dmabuf);
	mock_files_flush();
}

static struct dma_buf *buffer_create(struct kunit *test)
{
	struct dma_buf *dmabuf = dmabuf_lab_sample_create(PAGES);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, put_buffer, dmabuf));
	return dmabuf;
}

/* One user of a buffer, by the cache itself. */
struct use {
	struct dma_buf *dmabuf;
	struct dma_buf_pages_mapping *mapping;
	enum dma_buf_mapcache_result result;
};

static struct use use_map(struct kunit *test, struct dma_buf *dmabuf,
			  struct device *dev, enum dma_data_direction dir)
{
	struct use use = { .dmabuf = dmabuf };

	dma_resv_lock(dmabuf->resv, NULL);
	use.mapping = dma_buf_mapcache_map(dmabuf->priv, dev, dir, &use.result);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, use.mapping);
	return use;
}

static void use_unmap(struct use *use)
{
	dma_resv_lock(use->dmabuf->resv, NULL);
	dma_buf_mapcache_unmap(use->dmabuf->priv, use->mapping);
	dma_resv_unlock(use->dmabuf->resv);
}

/* Map and unmap once; return where the mapping came from. */
static enum dma_buf_mapcache_result use_once(struct kunit *test,
					     struct dma_buf *dmabuf,
					     struct device *dev,
					     enum dma_data_direction dir)
{
	struct use use = use_map(test, dmabuf, dev, dir);

	use_unmap(&use);
	return use.result;
}

static unsigned int count_idle(struct dma_buf *dmabuf)
{
	return mock_mapcache_count_idle(dmabuf->priv);
}

/* Size of the table of one buffer for @dev. */
static size_t table_size(struct kunit *test, struct device *dev)
{
	struct dma_buf *dmabuf = buffer_create(test);
	struct use use = use_map(test, dmabuf, dev, DMA_TO_DEVICE);
	size_t size = use.mapping->size;

	use_unmap(&use);
	shrink_all();
	return size;
}

/* Expect the same memory, at the same addresses, in another table. */
static void expect_same_addresses(struct kunit *test, struct sg_table *a,
				  struct sg_table *b)
{
	struct scatterlist *sg, *other = b->sgl;
	int i;

	KUNIT_EXPECT_PTR_NE(test, a->sgl, b->sgl);
	KUNIT_ASSERT_EQ(test, a->nents, b->nents);
	KUNIT_ASSERT_EQ(test, a->orig_nents, b->orig_nents);
	for_each_sgtable_sg(a, sg, i) {
		KUNIT_EXPECT_EQ(test, sg_phys(sg), sg_phys(other));
		KUNIT_EXPECT_EQ(test, sg->length, other->length);
		other = sg_next(other);
	}
	KUNIT_EXPECT_NULL(test, other);
	other = b->sgl;
	for_each_sgtable_dma_sg(a, sg, i) {
		KUNIT_EXPECT_EQ(test, sg_dma_address(sg), sg_dma_address(other));
		KUNIT_EXPECT_EQ(test, sg_dma_len(sg), sg_dma_len(other));
		other = sg_next(other);
	}
}

struct dir_case {
	const char *desc;
	enum dma_data_direction dir;
};

static const struct dir_case dir_cases[] = {
	{ "to the device", DMA_TO_DEVICE },
	{ "from the device", DMA_FROM_DEVICE },
	{ "both ways", DMA_BIDIRECTIONAL },
};

KUNIT_ARRAY_PARAM_DESC(dir, dir_cases, desc);

/* -- idle mappings --------------------------------------------------------- */

/* Succeeds if the mapping of the last use serves the next one. */
static void dma_buf_mapcache_test_hit(struct kunit *test)
{
	const struct dir_case *param = test->param_value;
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabuf = buffer_create(test);
	struct dma_buf_pages *pages = dmabuf->priv;
	struct use use, again;
	int i;

	use = use_map(test, dmabuf, dev, param->dir);
	KUNIT_EXPECT_EQ(test, use.result, DMA_BUF_MAPCACHE_MISS);
	KUNIT_EXPECT_TRUE(test, pages->exposed);
	KUNIT_EXPECT_EQ(test, list_empty(&pages->mappings),
			!use.mapping->pieces);
	use_unmap(&use);

	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 1);
		/* No access by the CPU maintains it. */
		KUNIT_EXPECT_TRUE(test, list_empty(&pages->mappings));

		again = use_map(test, dmabuf, dev, param->dir);
		KUNIT_EXPECT_EQ(test, again.result, DMA_BUF_MAPCACHE_HIT);
		KUNIT_EXPECT_PTR_EQ(test, again.mapping, use.mapping);
		KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 0);
		KUNIT_EXPECT_EQ(test, list_empty(&pages->mappings),
				!again.mapping->pieces);
		use_unmap(&again);
	}
}

/* What differs between two uses. */
struct miss_case {
	const char *desc;
	bool device, buffer, mask, segment;
	enum dma_data_direction dir;
};

static const struct miss_case miss_cases[] = {
	{ .desc = "another device", .device = true, .dir = DMA_TO_DEVICE },
	{ .desc = "another buffer", .buffer = true, .dir = DMA_TO_DEVICE },
	{ .desc = "from the device", .dir = DMA_FROM_DEVICE },
	{ .desc = "both ways", .dir = DMA_BIDIRECTIONAL },
	{ .desc = "another DMA mask", .mask = true, .dir = DMA_TO_DEVICE },
	{ .desc = "another longest segment", .segment = true,
	  .dir = DMA_TO_DEVICE },
};

KUNIT_ARRAY_PARAM_DESC(miss, miss_cases, desc);

/* Succeeds if a use that differs gets a mapping of its own, in use or idle. */
static void dma_buf_mapcache_test_miss(struct kunit *test)
{
	const struct miss_case *param = test->param_value;
	struct device *dev = mock_device_create(test), *other = dev;
	struct dma_buf *dmabuf = buffer_create(test), *second = dmabuf;
	struct use use, differs, again;

	if (param->device)
		other = mock_device_create(test);
	if (param->buffer)
		second = buffer_create(test);

	use = use_map(test, dmabuf, dev, DMA_TO_DEVICE);
	if (param->mask)
		*dev->dma_mask = DMA_BIT_MASK(48);
	if (param->segment)
		dma_set_max_seg_size(dev, PAGE_SIZE);
	differs = use_map(test, second, other, param->dir);
	KUNIT_EXPECT_EQ(test, differs.result, DMA_BUF_MAPCACHE_MISS);
	use_unmap(&differs);
	use_unmap(&use);

	/* Each of them finds its own again. */
	KUNIT_EXPECT_EQ(test, use_once(test, second, other, param->dir),
			DMA_BUF_MAPCACHE_HIT);
	if (param->mask)
		*dev->dma_mask = DMA_BIT_MASK(64);
	if (param->segment)
		dma_set_max_seg_size(dev, UINT_MAX);
	again = use_map(test, dmabuf, dev, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, again.result, DMA_BUF_MAPCACHE_HIT);
	KUNIT_EXPECT_PTR_EQ(test, again.mapping, use.mapping);
	use_unmap(&again);
}

/* -- mappings in use ------------------------------------------------------- */

/* Succeeds if users of one device and direction share one DMA mapping. */
static void dma_buf_mapcache_test_shared(struct kunit *test)
{
	const struct dir_case *param = test->param_value;
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabuf = buffer_create(test);
	struct dma_buf_pages *pages = dmabuf->priv;
	struct use first, second, third;
	bool shares;

	first = use_map(test, dmabuf, dev, param->dir);
	shares = !first.mapping->pieces || param->dir == DMA_TO_DEVICE;
	second = use_map(test, dmabuf, dev, param->dir);
	KUNIT_EXPECT_EQ(test, second.result, shares ? DMA_BUF_MAPCACHE_SHARED :
						      DMA_BUF_MAPCACHE_MISS);
	if (!shares) {
		/* As long as they are in use no map has to pass them. */
		KUNIT_EXPECT_TRUE(test, hlist_empty(&pages->cached));
		use_unmap(&first);
		use_unmap(&second);
		KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 2);
		first = use_map(test, dmabuf, dev, param->dir);
		KUNIT_EXPECT_EQ(test, first.result, DMA_BUF_MAPCACHE_HIT);
		KUNIT_EXPECT_EQ(test, hlist_count_nodes(&pages->cached), 1);
		use_unmap(&first);
		return;
	}
	KUNIT_EXPECT_EQ(test, first.mapping->users, 2);
	expect_same_addresses(test, &first.mapping->sgt, &second.mapping->sgt);

	/* A table that came back serves the next one. */
	use_unmap(&second);
	third = use_map(test, dmabuf, dev, param->dir);
	KUNIT_EXPECT_EQ(test, third.result, DMA_BUF_MAPCACHE_SHARED);
	KUNIT_EXPECT_PTR_EQ(test, third.mapping, second.mapping);

	/* Also that of the first. */
	use_unmap(&first);
	KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 0);
	second = use_map(test, dmabuf, dev, param->dir);
	KUNIT_EXPECT_EQ(test, second.result, DMA_BUF_MAPCACHE_SHARED);
	KUNIT_EXPECT_PTR_EQ(test, second.mapping, first.mapping);
	expect_same_addresses(test, &third.mapping->sgt, &second.mapping->sgt);

	use_unmap(&second);
	use_unmap(&third);
	KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 1);
	KUNIT_EXPECT_EQ(test, use_once(test, dmabuf, dev, param->dir),
			DMA_BUF_MAPCACHE_HIT);
}

/* Write other addresses over the DMA side, or put the old ones back. */
static void edit_table(struct sg_table *sgt, dma_addr_t by)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i)
		sg_dma_address(sg) += by;
}

/* Succeeds if what one importer does to its table is not seen by another. */
static void dma_buf_mapcache_test_edited_table(struct kunit *test)
{
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabuf = buffer_create(test);
	struct use first, second;
	dma_addr_t addr;

	first = use_map(test, dmabuf, dev, DMA_TO_DEVICE);
	addr = sg_dma_address(first.mapping->sgt.sgl);
	edit_table(&first.mapping->sgt, PAGE_SIZE);
	/*
	 * With DMA API debugging a map syncs by the table, where there are two
	 * mappings to be told apart; here there is one.
	 */
	second = use_map(test, dmabuf, dev, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, second.result, DMA_BUF_MAPCACHE_SHARED);
	KUNIT_EXPECT_EQ(test, sg_dma_address(second.mapping->sgt.sgl), addr);
	edit_table(&second.mapping->sgt, 2 * PAGE_SIZE);
	edit_table(&first.mapping->sgt, -PAGE_SIZE);
	use_unmap(&first);
	edit_table(&second.mapping->sgt, -2 * PAGE_SIZE);
	use_unmap(&second);

	first = use_map(test, dmabuf, dev, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, first.result, DMA_BUF_MAPCACHE_HIT);
	KUNIT_EXPECT_EQ(test, sg_dma_address(first.mapping->sgt.sgl), addr);
	use_unmap(&first);
}

/* Some importers write to a table, and do not restore it when they fail. */
static void dma_buf_mapcache_test_table_restored(struct kunit *test)
{
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabuf = buffer_create(test);
	struct use use = use_map(test, dmabuf, dev, DMA_TO_DEVICE);
	unsigned int nents = use.mapping->sgt.nents;
	dma_addr_t addr = sg_dma_address(use.mapping->sgt.sgl);
	unsigned int len = sg_dma_len(use.mapping->sgt.sgl);

	sg_dma_address(use.mapping->sgt.sgl) = ~addr;
	sg_dma_len(use.mapping->sgt.sgl) = len / 2;
	use.mapping->sgt.nents = 0;
	use_unmap(&use);
	KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 1);

	use = use_map(test, dmabuf, dev, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, use.result, DMA_BUF_MAPCACHE_HIT);
	KUNIT_EXPECT_EQ(test, use.mapping->sgt.nents, nents);
	KUNIT_EXPECT_EQ(test, sg_dma_address(use.mapping->sgt.sgl), addr);
	KUNIT_EXPECT_EQ(test, sg_dma_len(use.mapping->sgt.sgl), len);
	use_unmap(&use);
}

/* -- importers ------------------------------------------------------------- */

static unsigned long total(struct kunit *test, const char *name)
{
	const char *text = mock_user_read(test, "debugfs", "dma_buf/mapcache");
	unsigned long value = 0;
	const char *line;

	KUNIT_ASSERT_FALSE(test, IS_ERR(text));
	line = strstr(text, name);
	KUNIT_ASSERT_NOT_NULL(test, line);
	if (sscanf(line + strlen(name), " %lu", &value) != 1)
		KUNIT_FAIL(test, "no number: %s", line);
	return value;
}

/* Attachments, with CONFIG_DMABUF_DEBUG without pages in their tables. */
static void dma_buf_mapcache_test_attachments(struct kunit *test)
{
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabuf = buffer_create(test);
	unsigned long hits, shared, misses;
	struct dma_buf_attachment *attach[2];
	struct sg_table *sgt[2];
	int i, round;

	if (!IS_ENABLED(CONFIG_DEBUG_FS))
		kunit_skip(test, "no totals");
	hits = total(test, "hits");
	shared = total(test, "shared");
	misses = total(test, "misses");

	for (round = 0; round < 2; round++) {
		for (i = 0; i < 2; i++) {
			attach[i] = dma_buf_attach(dmabuf, dev);
			KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach[i]);
			sgt[i] = dma_buf_map_attachment_unlocked(attach[i],
								 DMA_TO_DEVICE);
			KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt[i]);
			KUNIT_EXPECT_EQ(test, mock_importer_bytes(sgt[i]),
					dmabuf->size);
			if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
				KUNIT_EXPECT_NULL(test, sg_page(sgt[i]->sgl));
		}
		KUNIT_EXPECT_EQ(test, sg_dma_address(sgt[0]->sgl),
				sg_dma_address(sgt[1]->sgl));
		KUNIT_EXPECT_PTR_NE(test, sgt[0], sgt[1]);
		for (i = 0; i < 2; i++) {
			dma_buf_unmap_attachment_unlocked(attach[i], sgt[i],
							  DMA_TO_DEVICE);
			dma_buf_detach(dmabuf, attach[i]);
		}
		KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 1);
	}
	KUNIT_EXPECT_EQ(test, total(test, "misses"), misses + 1);
	KUNIT_EXPECT_EQ(test, total(test, "hits"), hits + 1);
	KUNIT_EXPECT_EQ(test, total(test, "shared"), shared + 2);
}

/* A dynamic importer has one mapping, from attach to detach. */
static void dma_buf_mapcache_test_dynamic_importer(struct kunit *test)
{
	struct dma_buf *dmabuf = buffer_create(test);
	struct mock_importer importer = {};
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	struct use use;

	attach = mock_importer_follow(test, dmabuf, &importer);
	dma_resv_lock(dmabuf->resv, NULL);
	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);

	use = use_map(test, dmabuf, attach->dev, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_PTR_NE(test, sgt, &use.mapping->sgt);
	use_unmap(&use);
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_unmap_attachment(attach, sgt, DMA_BIDIRECTIONAL);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, attach);
	KUNIT_EXPECT_GE(test, count_idle(dmabuf), 1);
}

/* -- bounds ---------------------------------------------------------------- */

#define MANY	4

/* Use @count new buffers once each, in order. */
static void fill(struct kunit *test, struct dma_buf **dmabufs, int count,
		 struct device *dev)
{
	int i;

	for (i = 0; i < count; i++) {
		dmabufs[i] = buffer_create(test);
		use_once(test, dmabufs[i], dev, DMA_TO_DEVICE);
	}
}

static void dma_buf_mapcache_test_max_mappings(struct kunit *test)
{
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabufs[MANY];
	int i;

	dma_buf_mapcache_max_mappings = MANY - 1;
	fill(test, dmabufs, MANY - 1, dev);
	/* The first is used again, so the second is the oldest. */
	KUNIT_EXPECT_EQ(test, use_once(test, dmabufs[0], dev, DMA_TO_DEVICE),
			DMA_BUF_MAPCACHE_HIT);
	fill(test, dmabufs + MANY - 1, 1, dev);
	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_EQ(test, count_idle(dmabufs[i]), i != 1);

	dma_buf_mapcache_max_mappings = 0;
	KUNIT_EXPECT_EQ(test, use_once(test, dmabufs[0], dev, DMA_TO_DEVICE),
			DMA_BUF_MAPCACHE_HIT);
	KUNIT_EXPECT_EQ(test, count_idle(dmabufs[0]), 0);
}

static void dma_buf_mapcache_test_max_bytes(struct kunit *test)
{
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabufs[MANY];
	size_t size = table_size(test, dev);

	/* Buffers may have more runs or fewer, so that sizes vary. */
	dma_buf_mapcache_max_bytes = 2 * size;
	fill(test, dmabufs, MANY, dev);
	KUNIT_EXPECT_EQ(test, count_idle(dmabufs[0]), 0);
	KUNIT_EXPECT_EQ(test, count_idle(dmabufs[MANY - 1]), 1);

	/* A bound that is lowered holds for what is idle already. */
	dma_buf_mapcache_max_bytes = 1;
	KUNIT_EXPECT_EQ(test, use_once(test, dmabufs[0], dev, DMA_TO_DEVICE),
			DMA_BUF_MAPCACHE_MISS);
	KUNIT_EXPECT_EQ(test, count_idle(dmabufs[0]), 0);
	KUNIT_EXPECT_EQ(test, count_idle(dmabufs[MANY - 1]), 0);
}

static void dma_buf_mapcache_test_off(struct kunit *test)
{
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabuf = buffer_create(test);
	struct use one, two;

	dma_buf_mapcache_enabled = false;
	one = use_map(test, dmabuf, dev, DMA_TO_DEVICE);
	two = use_map(test, dmabuf, dev, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, one.result, DMA_BUF_MAPCACHE_MISS);
	KUNIT_EXPECT_EQ(test, two.result, DMA_BUF_MAPCACHE_MISS);
	use_unmap(&one);
	use_unmap(&two);
	KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 0);
}

/* Turned off while mappings are idle, in use, and shared. */
static void dma_buf_mapcache_test_turn_off(struct kunit *test)
{
	struct device *dev = mock_device_create(test);
	struct dma_buf *idle = buffer_create(test);
	struct dma_buf *used = buffer_create(test);
	struct use one, two, three;

	use_once(test, idle, dev, DMA_TO_DEVICE);
	KUNIT_ASSERT_EQ(test, count_idle(idle), 1);
	one = use_map(test, used, dev, DMA_TO_DEVICE);
	two = use_map(test, used, dev, DMA_TO_DEVICE);
	KUNIT_ASSERT_EQ(test, two.result, DMA_BUF_MAPCACHE_SHARED);

	dma_buf_mapcache_enabled = false;
	KUNIT_EXPECT_EQ(test, use_once(test, idle, dev, DMA_TO_DEVICE),
			DMA_BUF_MAPCACHE_MISS);
	KUNIT_EXPECT_EQ(test, count_idle(idle), 0);
	three = use_map(test, used, dev, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, three.result, DMA_BUF_MAPCACHE_MISS);
	use_unmap(&one);
	use_unmap(&two);
	use_unmap(&three);
	KUNIT_EXPECT_EQ(test, count_idle(used), 0);
}

static void dma_buf_mapcache_test_max_mapped(struct kunit *test)
{
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabufs[MANY];
	int i;

	dma_buf_mapcache_max_mapped = 2 * PAGES * PAGE_SIZE;
	fill(test, dmabufs, MANY, dev);
	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_EQ(test, count_idle(dmabufs[i]), i >= MANY - 2);

	dma_buf_mapcache_max_mapped = PAGES * PAGE_SIZE - 1;
	use_once(test, dmabufs[0], dev, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, count_idle(dmabufs[0]), 0);
}

/* As if the mapping bounced, which it need not here. */
static void use_bouncing(struct kunit *test, struct dma_buf *dmabuf,
			 struct device *dev)
{
	struct use use = use_map(test, dmabuf, dev, DMA_TO_DEVICE);

	use.mapping->bounces = true;
	use_unmap(&use);
}

static void dma_buf_mapcache_test_max_bounce(struct kunit *test)
{
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabufs[MANY], *plain = buffer_create(test);
	struct use use = use_map(test, plain, dev, DMA_TO_DEVICE);
	bool stays = !use.mapping->bounces;
	int i;

	/* Where all memory bounces, this one is the first to go. */
	use_unmap(&use);
	dma_buf_mapcache_max_bounce = 2 * PAGES * PAGE_SIZE;
	for (i = 0; i < MANY; i++) {
		dmabufs[i] = buffer_create(test);
		use_bouncing(test, dmabufs[i], dev);
	}
	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_EQ(test, count_idle(dmabufs[i]), i >= MANY - 2);
	KUNIT_EXPECT_EQ(test, count_idle(plain), stays);
	if (IS_ENABLED(CONFIG_DEBUG_FS)) {
		KUNIT_EXPECT_EQ(test, total(test, "idle_bounce_bytes"),
				2 * PAGES * PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, total(test, "idle_mapped_bytes"),
				(2 + stays) * PAGES * PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, total(test, "idle_mappings"), 2 + stays);
	}

	dma_buf_mapcache_max_bounce = PAGES * PAGE_SIZE - 1;
	use_bouncing(test, dmabufs[0], dev);
	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_EQ(test, count_idle(dmabufs[i]), 0);

	/* The oldest of all goes, whichever it is. */
	dma_buf_mapcache_max_bounce = ULONG_MAX;
	dma_buf_mapcache_max_mappings = 1;
	use_bouncing(test, dmabufs[0], dev);
	KUNIT_EXPECT_EQ(test, count_idle(plain), 0);
	KUNIT_EXPECT_EQ(test, count_idle(dmabufs[0]), 1);
	use_once(test, plain, dev, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, count_idle(plain), 1);
	KUNIT_EXPECT_EQ(test, count_idle(dmabufs[0]), 0);
}

/* A device that may write is passed over with DMA API debugging. */
static void dma_buf_mapcache_test_keep_writable(struct kunit *test)
{
	const struct dir_case *param = test->param_value;
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabuf = buffer_create(test);

	dma_buf_mapcache_keep_writable = false;
	use_once(test, dmabuf, dev, param->dir);
	KUNIT_EXPECT_EQ(test, count_idle(dmabuf), param->dir == DMA_TO_DEVICE);
}

/* -- dropping -------------------------------------------------------------- */

static void dma_buf_mapcache_test_shrinker(struct kunit *test)
{
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabufs[MANY], *bouncing = buffer_create(test);
	int i;

	KUNIT_EXPECT_EQ(test, shrinkable(), SHRINK_EMPTY);
	KUNIT_EXPECT_EQ(test, shrink(1), SHRINK_STOP);

	fill(test, dmabufs, MANY, dev);
	use_bouncing(test, bouncing, dev);
	KUNIT_EXPECT_GE(test, shrinkable(), 1);
	KUNIT_EXPECT_LE(test, shrinkable(), MANY + 1);
	KUNIT_EXPECT_EQ(test, shrink(0), SHRINK_STOP);

	/* These tables are less than a page, all together or not. */
	KUNIT_EXPECT_GE(test, shrink(1), 1);
	KUNIT_EXPECT_EQ(test, count_idle(bouncing), 0);
	KUNIT_EXPECT_EQ(test, count_idle(dmabufs[0]), 0);
	shrink_all();
	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_EQ(test, count_idle(dmabufs[i]), 0);
	KUNIT_EXPECT_EQ(test, shrinkable(), SHRINK_EMPTY);
	KUNIT_EXPECT_EQ(test, use_once(test, dmabufs[0], dev, DMA_TO_DEVICE),
			DMA_BUF_MAPCACHE_MISS);
}

/* Reclaim that must not wait for I/O must not resume an IOMMU either. */
static void dma_buf_mapcache_test_reclaim_without_io(struct kunit *test)
{
	struct shrink_control sc = {
		.gfp_mask = GFP_NOIO,
		.nr_to_scan = 1024,
	};
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabuf = buffer_create(test);

	use_once(test, dmabuf, dev, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, dma_buf_mapcache_scan(NULL, &sc), SHRINK_STOP);
	KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 1);
}

/* The shrinker leaves mappings in use alone. */
static void dma_buf_mapcache_test_shrink_in_use(struct kunit *test)
{
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabuf = buffer_create(test);
	struct use use = use_map(test, dmabuf, dev, DMA_TO_DEVICE);

	KUNIT_EXPECT_EQ(test, shrinkable(), SHRINK_EMPTY);
	KUNIT_EXPECT_EQ(test, shrink(1), SHRINK_STOP);
	KUNIT_EXPECT_EQ(test, sg_dma_len(use.mapping->sgt.sgl) % PAGE_SIZE, 0);
	use_unmap(&use);
	KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 1);
}

static void dma_buf_mapcache_test_release(struct kunit *test)
{
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabuf = buffer_create(test), *other;

	other = buffer_create(test);
	use_once(test, dmabuf, dev, DMA_TO_DEVICE);
	use_once(test, dmabuf, dev, DMA_BIDIRECTIONAL);
	use_once(test, other, dev, DMA_TO_DEVICE);
	kunit_release_action(test, put_buffer, dmabuf);
	if (IS_ENABLED(CONFIG_DEBUG_FS))
		KUNIT_EXPECT_EQ(test, total(test, "idle_mappings"), 1);
	KUNIT_EXPECT_EQ(test, count_idle(other), 1);
}

static void dma_buf_mapcache_test_drop_idle(struct kunit *test)
{
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabuf = buffer_create(test);
	struct use use;

	use_once(test, dmabuf, dev, DMA_TO_DEVICE);
	use = use_map(test, dmabuf, dev, DMA_BIDIRECTIONAL);
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_mapcache_drop_idle(dmabuf->priv);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 0);
	use_unmap(&use);
	KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 1);
	KUNIT_EXPECT_EQ(test, use_once(test, dmabuf, dev, DMA_BIDIRECTIONAL),
			DMA_BUF_MAPCACHE_HIT);
}

/* -- drivers --------------------------------------------------------------- */

/* A platform device, and its driver, which may map in its probe. */
struct mapper {
	struct platform_driver driver;
	struct platform_device *pdev;
	struct kunit *test;
	struct dma_buf *dmabuf;
	bool map_in_probe;
	unsigned int probed;
};

static int mapper_probe(struct platform_device *pdev)
{
	struct mapper *mapper;

	mapper = container_of(to_platform_driver(pdev->dev.driver),
			      struct mapper, driver);
	mapper->probed++;
	if (mapper->map_in_probe)
		use_once(mapper->test, mapper->dmabuf, &pdev->dev,
			 DMA_TO_DEVICE);
	return 0;
}

static void mapper_remove(struct platform_device *pdev)
{
}

static void mapper_unregister_device(void *data)
{
	platform_device_unregister(data);
}

static void mapper_unregister_driver(void *data)
{
	platform_driver_unregister(data);
}

static struct mapper *mapper_create(struct kunit *test, bool map_in_probe)
{
	struct mapper *mapper;

	mapper = kunit_kzalloc(test, sizeof(*mapper), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mapper);
	mapper->test = test;
	mapper->dmabuf = buffer_create(test);
	mapper->map_in_probe = map_in_probe;
	mapper->driver.driver.name = "dma-buf-mapcache-test";
	mapper->driver.probe = mapper_probe;
	mapper->driver.remove = mapper_remove;

	mapper->pdev = platform_device_register_simple("dma-buf-mapcache-test",
						       PLATFORM_DEVID_NONE,
						       NULL, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mapper->pdev);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test,
						  mapper_unregister_device,
						  mapper->pdev));
	KUNIT_ASSERT_EQ(test, 0, platform_driver_register(&mapper->driver));
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test,
						  mapper_unregister_driver,
						  &mapper->driver));
	KUNIT_ASSERT_EQ(test, mapper->probed, 1);
	return mapper;
}

/* Nothing is left when the driver is gone; the next one is as the first. */
static void dma_buf_mapcache_test_unbind(struct kunit *test)
{
	struct mapper *mapper = mapper_create(test, false);
	struct device *dev = &mapper->pdev->dev;
	struct dma_buf *dmabuf = mapper->dmabuf;
	struct device *stays = mock_device_create(test);
	int round;

	use_once(test, dmabuf, stays, DMA_TO_DEVICE);
	for (round = 0; round < 2; round++) {
		KUNIT_EXPECT_EQ(test, use_once(test, dmabuf, dev, DMA_TO_DEVICE),
				DMA_BUF_MAPCACHE_MISS);
		KUNIT_EXPECT_EQ(test, use_once(test, dmabuf, dev, DMA_TO_DEVICE),
				DMA_BUF_MAPCACHE_HIT);
		KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 2);

		device_release_driver(dev);
		KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 1);
		/* A device without a driver. */
		KUNIT_EXPECT_EQ(test, use_once(test, dmabuf, dev, DMA_TO_DEVICE),
				DMA_BUF_MAPCACHE_MISS);
		KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 1);
		KUNIT_ASSERT_EQ(test, 1, device_attach(dev));
	}
}

/* An importer may unmap after its driver is gone, or under the next one. */
static void dma_buf_mapcache_test_unmap_after_unbind(struct kunit *test)
{
	struct mapper *mapper = mapper_create(test, false);
	struct device *dev = &mapper->pdev->dev;
	struct dma_buf *dmabuf = mapper->dmabuf;
	struct use use;
	bool rebind;

	/* The DMA API would report it, rightly. */
	if (IS_ENABLED(CONFIG_DMA_API_DEBUG))
		kunit_skip(test, "a mistake of a driver");
	for (rebind = false;; rebind = true) {
		use = use_map(test, dmabuf, dev, DMA_TO_DEVICE);
		device_release_driver(dev);
		if (rebind)
			KUNIT_ASSERT_EQ(test, 1, device_attach(dev));
		use_unmap(&use);
		KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 0);
		if (rebind)
			break;
		KUNIT_ASSERT_EQ(test, 1, device_attach(dev));
	}
	use_once(test, dmabuf, dev, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 1);
}

/* The device is locked then: nothing is kept, and nothing waits. */
static void dma_buf_mapcache_test_map_in_probe(struct kunit *test)
{
	struct mapper *mapper = mapper_create(test, true);
	struct dma_buf *dmabuf = mapper->dmabuf;

	KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 0);
	KUNIT_EXPECT_EQ(test, use_once(test, dmabuf, &mapper->pdev->dev,
				       DMA_TO_DEVICE), DMA_BUF_MAPCACHE_MISS);
	KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 1);
}

/* -- races ----------------------------------------------------------------- */

static void shrink_turn(void *data)
{
	shrink(1);
}

/* Succeeds if a map finds the mapping whole or does not find it. */
static void dma_buf_mapcache_test_race_shrink_map(struct kunit *test)
{
	struct device *dev = mock_device_create(test);
	struct dma_buf *dmabuf = buffer_create(test);
	unsigned long hits = 0, misses = 0;
	struct mock_race *thread;
	struct use use;

	mock_race_suite_init(test);
	thread = mock_race_start(test, shrink_turn, NULL);
	while (mock_race_again(thread)) {
		mock_race_pause(thread);
		use = use_map(test, dmabuf, dev, DMA_BIDIRECTIONAL);
		mock_race_resume(thread);
		if (use.result == DMA_BUF_MAPCACHE_HIT)
			hits++;
		else
			misses++;
		KUNIT_ASSERT_EQ(test, mock_importer_bytes(&use.mapping->sgt),
				dmabuf->size);
		if (thread->rounds % 2)
			mock_race_pause(thread);
		use_unmap(&use);
		if (thread->rounds % 2)
			mock_race_resume(thread);
		mock_race_delay_test(thread);
		mock_race_aim(thread, use.result == DMA_BUF_MAPCACHE_MISS);
	}
	mock_race_stop(test, thread);
	kunit_info(test, "%lu hits, %lu misses\n", hits, misses);
}

/*
 * Succeeds if a release waits for what the shrinker is unmapping. Otherwise
 * KASAN finds that the count of the freed record is written, and the DMA API
 * that pages are freed which are mapped.
 */
static void dma_buf_mapcache_test_race_shrink_release(struct kunit *test)
{
	struct device *dev = mock_device_create(test);
	struct mock_race *thread;
	struct dma_buf *dmabuf;

	mock_race_suite_init(test);
	thread = mock_race_start(test, shrink_turn, NULL);
	while (mock_race_again(thread)) {
		dmabuf = dmabuf_lab_sample_create(PAGES);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
		use_once(test, dmabuf, dev, DMA_BIDIRECTIONAL);
		mock_race_pause(thread);
		dma_buf_put(dmabuf);
		mock_race_resume(thread);
		mock_files_flush();
	}
	mock_race_stop(test, thread);
}

/* Succeeds if an unbind waits for what the shrinker is unmapping. */
static void dma_buf_mapcache_test_race_shrink_unbind(struct kunit *test)
{
	struct mapper *mapper;
	struct mock_race *thread;
	struct device *dev;

	mock_race_suite_init(test);
	mapper = mapper_create(test, false);
	dev = &mapper->pdev->dev;
	thread = mock_race_start(test, shrink_turn, NULL);
	while (mock_race_again(thread)) {
		use_once(test, mapper->dmabuf, dev, DMA_BIDIRECTIONAL);
		mock_race_pause(thread);
		device_release_driver(dev);
		mock_race_resume(thread);
		KUNIT_EXPECT_EQ(test, count_idle(mapper->dmabuf), 0);
		KUNIT_ASSERT_EQ(test, 1, device_attach(dev));
	}
	mock_race_stop(test, thread);
}

static struct kunit_case dma_buf_mapcache_cases[] = {
	KUNIT_CASE_PARAM(dma_buf_mapcache_test_hit, dir_gen_params),
	KUNIT_CASE_PARAM(dma_buf_mapcache_test_miss, miss_gen_params),
	KUNIT_CASE_PARAM(dma_buf_mapcache_test_shared, dir_gen_params),
	KUNIT_CASE(dma_buf_mapcache_test_edited_table),
	KUNIT_CASE(dma_buf_mapcache_test_table_restored),
	KUNIT_CASE(dma_buf_mapcache_test_attachments),
	KUNIT_CASE(dma_buf_mapcache_test_dynamic_importer),
	KUNIT_CASE(dma_buf_mapcache_test_max_mappings),
	KUNIT_CASE(dma_buf_mapcache_test_max_bytes),
	KUNIT_CASE(dma_buf_mapcache_test_off),
	KUNIT_CASE(dma_buf_mapcache_test_turn_off),
	KUNIT_CASE(dma_buf_mapcache_test_max_mapped),
	KUNIT_CASE(dma_buf_mapcache_test_max_bounce),
	KUNIT_CASE_PARAM(dma_buf_mapcache_test_keep_writable, dir_gen_params),
	KUNIT_CASE(dma_buf_mapcache_test_shrinker),
	KUNIT_CASE(dma_buf_mapcache_test_reclaim_without_io),
	KUNIT_CASE(dma_buf_mapcache_test_shrink_in_use),
	KUNIT_CASE(dma_buf_mapcache_test_release),
	KUNIT_CASE(dma_buf_mapcache_test_drop_idle),
	KUNIT_CASE(dma_buf_mapcache_test_unbind),
	KUNIT_CASE(dma_buf_mapcache_test_unmap_after_unbind),
	KUNIT_CASE(dma_buf_mapcache_test_map_in_probe),
	KUNIT_CASE_SLOW(dma_buf_mapcache_test_race_shrink_map),
	KUNIT_CASE_SLOW(dma_buf_mapcache_test_race_shrink_release),
	KUNIT_CASE_SLOW(dma_buf_mapcache_test_race_shrink_unbind),
	{}
};

static struct kunit_suite dma_buf_mapcache_suite = {
	.name = "dma_buf_mapcache",
	.init = mapcache_init,
	.test_cases = dma_buf_mapcache_cases,
};

kunit_test_suite(dma_buf_mapcache_suite);
