// SPDX-License-Identifier: GPL-2.0-only
/*
 * System heap: buffers made of ordinary memory
 *
 * What it is: /dev/dma_heap/system. Gets folios from the buddy allocator, the
 * largest first, so that a buffer has few pieces.
 * What it owns: nothing; the pages belong to the buffer.
 * Locks: none.
 * May call: heap_buffer, the heap register, the page allocator.
 * Never here: what is done with the pages between getting and giving back.
 * Units: orders and counts of pages.
 */
#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>

#include "heap_buffer.h"

/* What one page table entry of the level above can map, if the allocator has it. */
#define SYSTEM_HEAP_TOP_ORDER	min(PMD_SHIFT - PAGE_SHIFT, MAX_PAGE_ORDER)

/* How many pages may be taken before looking again whether enough are left. */
#define SYSTEM_HEAP_CHECK_PAGES	(SZ_4M >> PAGE_SHIFT)

/* Requests below this are not worth a look at the state of all zones. */
#define SYSTEM_HEAP_SMALL_PAGES	(SZ_1M >> PAGE_SHIFT)

/*
 * A large folio is a bonus: take it if it is there, never reclaim or compact
 * for it. A single page is worth some reclaim, but the allocator shall rather
 * fail than kill somebody: a program can live with ENOMEM.
 */
static gfp_t system_heap_gfp(unsigned int order)
{
	gfp_t gfp = GFP_HIGHUSER | __GFP_ZERO | __GFP_NOWARN;

	if (order)
		return (gfp & ~__GFP_RECLAIM) | __GFP_NORETRY;
	return gfp | __GFP_RETRY_MAYFAIL;
}

/*
 * Would taking this many pages leave others without? It is asked again on the
 * way, as there may be several of us.
 */
static bool system_heap_enough(unsigned long nr_pages)
{
	long available;

	if (nr_pages < SYSTEM_HEAP_SMALL_PAGES)
		return true;

	available = si_mem_available() + get_nr_swap_pages();
	return available > 0 && nr_pages < available;
}

/* The largest folio of at most @order that can be had; lowers @order to it. */
static struct folio *system_heap_folio(unsigned int *order)
{
	struct folio *folio;

	for (;;) {
		folio = folio_alloc(system_heap_gfp(*order), *order);
		if (folio || !*order)
			return folio;
		--*order;
	}
}

static int system_heap_get(struct heap_buffer *buffer)
{
	unsigned long left = buffer->nr_pages, check = left;
	struct folio *folio;
	unsigned int order;
	int ret;

	while (left) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (left <= check) {
			if (!system_heap_enough(left))
				return -ENOMEM;
			check = left - min(left, SYSTEM_HEAP_CHECK_PAGES);
			order = SYSTEM_HEAP_TOP_ORDER;
		}

		/* What was not to be had a moment ago is not asked for again soon. */
		order = min_t(unsigned int, order, ilog2(left));
		folio = system_heap_folio(&order);
		if (!folio)
			return fatal_signal_pending(current) ? -EINTR : -ENOMEM;

		ret = heap_buffer_add(buffer, &folio->page, 1UL << order);
		if (ret) {
			folio_put(folio);
			return ret;
		}
		left -= 1UL << order;
		cond_resched();
	}
	return 0;
}

static const struct heap_backing system_heap_backing = {
	.get		= system_heap_get,
	.put		= heap_buffer_put_folios,
	.private_mmap	= true,
	.longterm_pin	= true,
};

static struct dma_buf *system_heap_allocate(struct dma_heap *heap,
					    unsigned long len, u32 fd_flags,
					    u64 heap_flags)
{
	/* At once, before anything is taken. */
	if (len >> PAGE_SHIFT > totalram_pages())
		return ERR_PTR(-ENOMEM);

	return heap_buffer_create(heap, len, fd_flags, &system_heap_backing);
}

static const struct dma_heap_ops system_heap_ops = {
	.allocate = system_heap_allocate,
};

static int __init system_heap_init(void)
{
	static const struct dma_heap_export_info exp_info = {
		.name = "system",
		.ops = &system_heap_ops,
	};

	return PTR_ERR_OR_ZERO(dma_heap_add(&exp_info));
}
module_init(system_heap_init);
