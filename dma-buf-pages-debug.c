// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page-backed memory, for kernels with CONFIG_DMA_API_DEBUG
 *
 * DMA API debugging looks a mapping up by device and address. When more than
 * one contains the address, it finds the one that agrees in size, direction and
 * number of entries, and none if none does: a sync of a part, or in a direction
 * that is not the mapping's, is then reported as one of memory that is not
 * mapped. See __hash_bucket_find() in kernel/dma/debug.c.
 *
 * It is legal to map memory twice for a device: attachments of one buffer do
 * so, buffers that have pages in common, and a list that has a page twice. So
 * it is noted here which mappings there are, and such memory is synced as it
 * was mapped. That an IOMMU gives each mapping addresses of its own is not
 * looked at.
 *
 * Lock order: dma_buf_pages.lock, then dma_buf_pages_debug_sem.
 */
#include <linux/dma-buf-pages.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/rwsem.h>

#include "dma-buf-pages-private.h"

/* More runs than this are not compared, but taken to have pages in common. */
#define DMA_BUF_PAGES_DEBUG_RUNS	256U

/* All mappings; written before a mapping is made and after it is undone. */
static LIST_HEAD(dma_buf_pages_debug_mappings);
static DECLARE_RWSEM(dma_buf_pages_debug_sem);

/* Test whether two runs of a list have pages in common. */
static bool dma_buf_pages_debug_meet(const struct dma_buf_pages *pages,
				     unsigned int i, unsigned int j)
{
	unsigned long a = page_to_pfn(pages->runs[i].page);
	unsigned long b = page_to_pfn(pages->runs[j].page);

	return a < b + dma_buf_pages_run_end(pages, j) - pages->runs[j].start &&
	       b < a + dma_buf_pages_run_end(pages, i) - pages->runs[i].start;
}

static bool dma_buf_pages_debug_has_twice(const struct dma_buf_pages *pages)
{
	unsigned int i, j;

	if (!pages->aliased)
		return false;
	if (pages->nr_runs > DMA_BUF_PAGES_DEBUG_RUNS)
		return true;
	for (i = 0; i < pages->nr_runs; i++)
		for (j = 0; j < i; j++)
			if (dma_buf_pages_debug_meet(pages, i, j))
				return true;
	return false;
}

/**
 * dma_buf_pages_debug_add - note a mapping that is about to be made
 * @mapping: the mapping, whose device and memory are set
 *
 * Context: Process context. May sleep.
 */
void dma_buf_pages_debug_add(struct dma_buf_pages_mapping *mapping)
{
	mapping->has_twice = dma_buf_pages_debug_has_twice(mapping->pages);
	down_write(&dma_buf_pages_debug_sem);
	list_add(&mapping->debug, &dma_buf_pages_debug_mappings);
	up_write(&dma_buf_pages_debug_sem);
}

/**
 * dma_buf_pages_debug_del - forget a mapping that has been undone
 * @mapping: the mapping
 *
 * Context: Process context, also in reclaim. May sleep.
 */
void dma_buf_pages_debug_del(struct dma_buf_pages_mapping *mapping)
{
	down_write(&dma_buf_pages_debug_sem);
	list_del(&mapping->debug);
	up_write(&dma_buf_pages_debug_sem);
}

/**
 * dma_buf_pages_debug_begin_sync - begin to sync a mapping
 * @mapping: the mapping
 *
 * Until dma_buf_pages_debug_end_sync() the answer does not change.
 *
 * Context: Process context. May sleep.
 * Return: whether the device may have some of the memory mapped twice.
 */
bool dma_buf_pages_debug_begin_sync(const struct dma_buf_pages_mapping *mapping)
{
	const struct dma_buf_pages_mapping *other;

	down_read(&dma_buf_pages_debug_sem);
	if (mapping->has_twice)
		return true;
	list_for_each_entry(other, &dma_buf_pages_debug_mappings, debug) {
		if (other == mapping || other->dev != mapping->dev)
			continue;
		if (other->pages == mapping->pages ||
		    (other->pages->aliased && mapping->pages->aliased))
			return true;
	}
	return false;
}

/**
 * dma_buf_pages_debug_end_sync - end what dma_buf_pages_debug_begin_sync()
 * began
 *
 * Context: Process context.
 */
void dma_buf_pages_debug_end_sync(void)
{
	up_read(&dma_buf_pages_debug_sem);
}
