// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parameters of the mapping cache, saved for a test and restored when it
 * ends, also by an assertion; and what it keeps of a buffer.
 */
#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/dma-buf-pages.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "../dma-buf-pages-private.h"
#include "mock_mapcache.h"

struct mock_mapcache {
	bool enabled, keep_writable;
	unsigned int max_mappings;
	unsigned long max_bytes, max_bounce, max_mapped;
};

static void mock_mapcache_restore(void *data)
{
	const struct mock_mapcache *saved = data;

	dma_buf_mapcache_enabled = saved->enabled;
	dma_buf_mapcache_keep_writable = saved->keep_writable;
	dma_buf_mapcache_max_mappings = saved->max_mappings;
	dma_buf_mapcache_max_bytes = saved->max_bytes;
	dma_buf_mapcache_max_bounce = saved->max_bounce;
	dma_buf_mapcache_max_mapped = saved->max_mapped;
}

/**
 * mock_mapcache_save - turn on the mapping cache for a test case
 * @test: the running test case, which may change the parameters of the cache
 *
 * All parameters are restored when the test case ends. The other ones are left
 * as they are.
 *
 * Context: Process context of the test; may sleep. Ends the test case when
 *	    out of memory.
 */
void mock_mapcache_save(struct kunit *test)
{
	struct mock_mapcache *saved;

	saved = kunit_kzalloc(test, sizeof(*saved), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, saved);
	saved->enabled = dma_buf_mapcache_enabled;
	saved->keep_writable = dma_buf_mapcache_keep_writable;
	saved->max_mappings = dma_buf_mapcache_max_mappings;
	saved->max_bytes = dma_buf_mapcache_max_bytes;
	saved->max_bounce = dma_buf_mapcache_max_bounce;
	saved->max_mapped = dma_buf_mapcache_max_mapped;
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, mock_mapcache_restore,
						  saved));
	dma_buf_mapcache_enabled = true;
}

/**
 * mock_mapcache_count_idle - count the mappings that stay for the next map
 * @pages: the memory, which no other task maps, and no shrinker visits
 *
 * Context: Any.
 * Return: the number of mappings that are not in use.
 */
unsigned int mock_mapcache_count_idle(const struct dma_buf_pages *pages)
{
	const struct dma_buf_pages_mapping *mapping;
	unsigned int count = 0;

	hlist_for_each_entry(mapping, &pages->cached, sibling)
		count += !mapping->users;
	return count;
}

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
