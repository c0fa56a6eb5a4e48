// SPDX-License-Identifier: GPL-2.0-only
/*
 * System heap: buffers made of ordinary memory
 *
 * What it is: /dev/dma_heap/system. Gets folios from its pool or from the page
 * allocator, the largest first, so that a buffer has few pieces.
 * What it owns: the pool; the pages belong to the buffer.
 * Locks: none.
 * May call: heap_buffer, heap_pool, heap_zero, the heap register, the page
 * allocator.
 * Never here: what is done with the pages between getting and giving back.
 * Units: orders and counts of pages.
 */
#include <linux/cpumask.h>
#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/list_sort.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>

#include "heap_buffer.h"
#include "heap_headroom.h"
#include "heap_policy.h"
#include "heap_pool.h"
#include "heap_shelf.h"
#include "heap_zero.h"

/*
 * All orders from HEAP_TOP_ORDER down are used, each asked for once on the way. In
 * instructions, for buffers of 12 KiB to 32 MiB whose sizes are no powers of two, no
 * other set was better by more than a tenth of a percent without the pool: {9, 4, 0}
 * takes 7 percent more at 60 KiB and up to twice as much to be mapped for a device,
 * {9, 6, 3, 0} 2 and 50 percent, {9, 6, 4, 2, 0} 2 and 30, {9, 0} 13 percent and 36
 * times as much.
 */

/* A CPU looks again when it has handed out so many pages in small buffers. */
#define SYSTEM_HEAP_UNSEEN_PAGES	(SZ_1M >> PAGE_SHIFT)

/* From here on zeroing is left to the end, so that two CPUs can do it together. */
#define SYSTEM_HEAP_SHARE_PAGES	(SZ_4M >> PAGE_SHIFT)

/* How many single pages are asked for at once. */
#define SYSTEM_HEAP_BULK	32

/* What share of all memory may wait on the shelves, unless told otherwise. */
#define SYSTEM_HEAP_POOL_SHARE	16

static struct dma_heap *system_heap;
static struct heap_pool *system_pool;

/* How many pages this CPU has handed out since it looked how many are left. */
static DEFINE_PER_CPU(unsigned long, system_unseen);

/* Memory was short at the last look, whether that had it go on or not. */
static bool system_short;

/* How many pages went into buffers on this CPU, less those that came back here. */
static DEFINE_PER_CPU(unsigned long, system_used);

/**
 * struct system_take - an allocation under way
 * @buffer: who gets the folios
 * @room: what it leaves to others
 * @left: how many pages it still needs
 * @order: the largest order that is worth asking for
 * @zero_last: zeroing is left to the end
 * @ready: folios for the buffer, linked by their lru, all zero
 * @unzeroed: folios for the buffer which are not
 * @nr_unzeroed: how many pages these are
 * @nr_large: how many folios of both lists are large
 * @nr_small: how many are single pages
 */
struct system_take {
	struct heap_buffer *buffer;
	struct heap_headroom *room;
	unsigned long left;
	unsigned int order;
	bool zero_last;
	struct list_head ready;
	struct list_head unzeroed;
	unsigned long nr_unzeroed;
	unsigned long nr_large;
	unsigned long nr_small;
};

/*
 * A large folio is a bonus: take it if it is there, never reclaim or compact
 * for it. A single page is worth some reclaim, but the allocator shall rather
 * fail than kill somebody: a program can live with ENOMEM.
 */
static gfp_t system_heap_gfp(const struct system_take *take, unsigned int order)
{
	gfp_t gfp = GFP_HIGHUSER | __GFP_NOWARN;

	if (!take->zero_last)
		gfp |= __GFP_ZERO;
	if (order)
		return (gfp & ~__GFP_RECLAIM) | __GFP_NORETRY;
	return gfp | __GFP_RETRY_MAYFAIL;
}

/* How many pages are in buffers, as far as those of a moment ago are concerned. */
static unsigned long system_heap_used(void)
{
	unsigned long used = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		used += READ_ONCE(*per_cpu_ptr(&system_used, cpu));
	return min_t(unsigned long, max_t(long, used, 0), totalram_pages());
}

/*
 * Small buffers are looked after by the heap, not one by one. But not while memory
 * is short: a program may go on in spite of ENOMEM, and what it would get unseen
 * until the next look is what others need.
 */
static bool system_heap_seen(unsigned long nr_pages)
{
	if (nr_pages >= SYSTEM_HEAP_UNSEEN_PAGES)
		return false;
	return this_cpu_add_return(system_unseen, nr_pages) <
	       SYSTEM_HEAP_UNSEEN_PAGES && !READ_ONCE(system_short);
}

/*
 * Look; only when there is enough for all, a CPU may hand out some pages unseen
 * again. With memory short, what it takes unseen may be more than the reserve.
 */
static int system_heap_look(struct system_take *take)
{
	unsigned long taken = take->buffer->nr_pages - take->left;
	bool is_short;
	int ret;

	ret = heap_headroom_check(take->room, take->left,
				  system_heap_used() + taken);
	is_short = ret || take->room->tight;
	if (!is_short)
		this_cpu_write(system_unseen, 0);
	if (READ_ONCE(system_short) != is_short)
		WRITE_ONCE(system_short, is_short);
	return ret;
}

static void system_take_folio(struct system_take *take, struct folio *folio,
			      bool zeroed)
{
	unsigned long nr = folio_nr_pages(folio);

	if (zeroed || !take->zero_last) {
		if (!zeroed)
			heap_zero_folio(folio);
		list_add_tail(&folio->lru, &take->ready);
	} else {
		list_add_tail(&folio->lru, &take->unzeroed);
		take->nr_unzeroed += nr;
	}
	if (nr > 1)
		take->nr_large++;
	else
		take->nr_small++;
	take->left -= nr;
}

/*
 * As many single pages as the allocator has at hand, up to a handful. It hands out
 * many at once without regard to the task's memory policy only.
 */
static unsigned long system_heap_bulk(gfp_t gfp, unsigned long want,
				      struct page **pages)
{
	struct folio *folio;

	if (likely(heap_policy_is_local()))
		return alloc_pages_bulk_array(gfp, want, pages);

	folio = folio_alloc(gfp, 0);
	if (!folio)
		return 0;
	pages[0] = &folio->page;
	return 1;
}

static int system_take_singles(struct system_take *take)
{
	struct page *pages[SYSTEM_HEAP_BULK] = {};
	unsigned long want = min(take->left, SYSTEM_HEAP_BULK), got, i;

	got = system_heap_bulk(system_heap_gfp(take, 0), want, pages);
	if (!got)
		return fatal_signal_pending(current) ? -EINTR : -ENOMEM;

	for (i = 0; i < got; i++)
		system_take_folio(take, page_folio(pages[i]), !take->zero_last);
	return 0;
}

/* The largest folio that can be had and is not too large. */
static int system_take_one(struct system_take *take)
{
	bool zeroed = !take->zero_last;
	struct folio *folio;

	/* What was not to be had a moment ago is not asked for again soon. */
	take->order = min_t(unsigned int, take->order, ilog2(take->left));
	for (;; take->order--) {
		bool pooled;

		folio = heap_pool_take(system_pool, take->order, &pooled);
		if (folio) {
			zeroed = pooled;
			break;
		}
		if (!take->order)
			return system_take_singles(take);
		folio = folio_alloc(system_heap_gfp(take, take->order),
				    take->order);
		if (folio)
			break;
	}
	system_take_folio(take, folio, zeroed);
	return 0;
}

static int system_heap_take_all(struct system_take *take)
{
	unsigned long check = system_heap_seen(take->left) ? 0 : take->left;
	int ret = 0;

	while (take->left) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (heap_headroom_is_called_off(take->room))
			return -ENOMEM;
		if (take->left <= check) {
			ret = system_heap_look(take);
			if (ret)
				return ret;
			check = take->left - min(take->left,
						 heap_headroom_step(take->room));
			take->order = HEAP_TOP_ORDER;
		}
		ret = system_take_one(take);
		if (ret)
			return ret;
		cond_resched();
	}
	if (take->nr_unzeroed)
		ret = heap_zero_folios(&take->unzeroed, take->nr_unzeroed);
	list_splice_tail_init(&take->unzeroed, &take->ready);
	return ret;
}

/* Large ones first, or what follows a small one could not be mapped as huge. */
static int system_folio_cmp(void *unused, const struct list_head *a,
			    const struct list_head *b)
{
	const struct folio *first = list_entry(a, struct folio, lru);
	const struct folio *second = list_entry(b, struct folio, lru);
	unsigned int order = folio_order(first), other = folio_order(second);

	if (order != other)
		return order < other ? 1 : -1;
	return page_to_pfn(&first->page) > page_to_pfn(&second->page) ? 1 : -1;
}

/*
 * Into the buffer, in the order of their addresses: those of a large buffer have
 * often been neighbours before, and few pieces are quickly mapped for a device. For
 * single pages the sorting would take longer than it saves.
 */
static int system_take_hand_over(struct system_take *take)
{
	struct folio *folio, *next;
	int ret;

	if (take->nr_large > 1 && take->nr_large >= take->nr_small)
		list_sort(NULL, &take->ready, system_folio_cmp);
	list_for_each_entry_safe(folio, next, &take->ready, lru) {
		ret = heap_buffer_add(take->buffer, &folio->page,
				      folio_nr_pages(folio));
		if (ret)
			return ret;
		list_del_init(&folio->lru);
	}
	return 0;
}

static int system_heap_get(struct heap_buffer *buffer)
{
	struct heap_headroom room;
	struct system_take take = {
		.buffer = buffer,
		.room = &room,
		.left = buffer->nr_pages,
		.order = HEAP_TOP_ORDER,
		.ready = LIST_HEAD_INIT(take.ready),
		.unzeroed = LIST_HEAD_INIT(take.unzeroed),
	};
	int ret;

	take.zero_last = buffer->nr_pages >= SYSTEM_HEAP_SHARE_PAGES &&
			 num_online_cpus() > 1 &&
			 !want_init_on_alloc(GFP_HIGHUSER);
	heap_headroom_init(&room);
	ret = system_heap_take_all(&take) ?: system_take_hand_over(&take);
	if (ret) {
		list_splice_init(&take.unzeroed, &take.ready);
		heap_free_folios(&take.ready);
	}
	this_cpu_add(system_used, buffer->nr_filled);
	heap_headroom_release(&room);
	return ret;
}

static void system_heap_put_zeroed(struct folio *folio)
{
	heap_pool_put(system_pool, folio, true);
}

static void system_heap_put_dirty(struct folio *folio)
{
	heap_pool_put(system_pool, folio, false);
}

static void system_heap_put(struct heap_buffer *buffer)
{
	this_cpu_sub(system_used, buffer->nr_filled);
	heap_buffer_release_folios(buffer, buffer->untouched ?
				   system_heap_put_zeroed : system_heap_put_dirty);
}

static const struct heap_backing system_heap_backing = {
	.get		= system_heap_get,
	.put		= system_heap_put,
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

static void system_heap_pool_info(struct dma_heap *heap,
				  struct dma_heap_pool_info *info)
{
	heap_pool_info(system_pool, info);
}

static void system_heap_set_pool_limit(struct dma_heap *heap, u64 bytes)
{
	heap_pool_set_limit(system_pool, min_t(u64, bytes >> PAGE_SHIFT, LONG_MAX));
}

static const struct dma_heap_ops system_heap_ops = {
	.allocate = system_heap_allocate,
	.pool_info = system_heap_pool_info,
	.set_pool_limit = system_heap_set_pool_limit,
};

static int __init system_heap_init(void)
{
	static const struct dma_heap_export_info exp_info = {
		.name = "system",
		.ops = &system_heap_ops,
		.owner = THIS_MODULE,
	};
	struct heap_pool *pool;
	struct dma_heap *heap;

	pool = heap_pool_create(exp_info.name,
				totalram_pages() / SYSTEM_HEAP_POOL_SHARE);
	if (IS_ERR(pool))
		return PTR_ERR(pool);

	system_pool = pool;
	heap = dma_heap_add(&exp_info);
	if (IS_ERR(heap)) {
		system_pool = NULL;
		heap_pool_destroy(pool);
		return PTR_ERR(heap);
	}
	system_heap = heap;
	return 0;
}
module_init(system_heap_init);

/* An open node and a buffer hold the module, so all folios are in the pool. */
static void __exit system_heap_exit(void)
{
	dma_heap_remove(system_heap);
	heap_pool_destroy(system_pool);
}
module_exit(system_heap_exit);

MODULE_DESCRIPTION("DMA-BUF heap of ordinary memory");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
