// SPDX-License-Identifier: GPL-2.0-only
/*
 * System heap: buffers made of ordinary memory
 *
 * /dev/dma_heap/system. An allocation takes folios from the pool of the heap or
 * from the page allocator, the largest first, so that a buffer has few runs;
 * then sorts them by address, appends them to the buffer and exports it. The
 * release puts them into the pool.
 *
 * Invariant: a buffer that is exported is all zero. A folio of the pool says
 * whether it is; what is not is zeroed before it is appended.
 */
#include <linux/cpumask.h>
#include <linux/dma-buf-pages.h>
#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/list_sort.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include <uapi/linux/dma-heap.h>

#include "heap_buffer.h"
#include "heap_charge.h"
#include "heap_folio.h"
#include "heap_headroom.h"
#include "heap_policy.h"
#include "heap_pool.h"
#include "heap_zero.h"

/*
 * All orders from system_take_top_order() down are used, each asked for once on
 * the way. In instructions, for buffers of 12 KiB to 32 MiB whose sizes are no
 * powers of two, no other set was better by more than a tenth of a percent
 * without the pool: {9, 4, 0} takes 7 percent more at 60 KiB and up to twice as
 * much to be mapped for a device, {9, 6, 3, 0} 2 and 50 percent, {9, 6, 4, 2,
 * 0} 2 and 30, {9, 0} 13 percent and 36 times as much.
 */

/* Pages in small buffers after which a CPU checks again how many are left. */
#define SYSTEM_HEAP_UNCHECKED_PAGES	(SZ_1M >> PAGE_SHIFT)

/*
 * From this size on zeroing is left to the end, for two CPUs to do it together.
 */
#define SYSTEM_HEAP_SHARE_PAGES	(SZ_4M >> PAGE_SHIFT)

/* The most single pages that are allocated at once. */
#define SYSTEM_HEAP_BULK	32

/*
 * With more folios the list of runs is not left to grow with GFP_KERNEL, which
 * has a task killed rather than fail, and is charged to no cgroup. It may be as
 * large as 0.4 percent of the buffer; the list for fewer folios is as small as
 * a page, and that is there unless memory is short.
 */
#define SYSTEM_HEAP_RESERVE_RUNS (PAGE_SIZE / sizeof(struct dma_buf_pages_run))

/* The pool may keep this part of all memory, unless its limit is set. */
#define SYSTEM_HEAP_POOL_SHARE	16

static struct dma_heap *system_heap;
static struct heap_pool *system_pool;

/* Pages that this CPU has handed out since it checked how many are left. */
static DEFINE_PER_CPU(unsigned long, system_unchecked);

/* Memory was short at the last check, whether the allocation went on or not. */
static bool system_short;

/* Pages that went into buffers on this CPU, less those that came back here. */
static DEFINE_PER_CPU(unsigned long, system_used);

/**
 * struct system_request - what one call allocates, be it one buffer or more
 * @room: what the allocation leaves to others
 * @rest: how many pages the buffers after the current one need
 * @unchecked: how many pages may be taken before the next check
 * @checked: it was checked how much memory is left; not for a small request as
 *	long as there is enough
 */
struct system_request {
	struct heap_headroom room;
	unsigned long rest;
	unsigned long unchecked;
	bool checked;
};

/**
 * struct system_take - folios for one buffer, or for many of a page each
 * @request: what it is a part of
 * @nr_pages: how many pages they need
 * @left: how many of them are missing
 * @top_order: the largest order that is of use
 * @order: the largest order that is worth asking for
 * @zero_last: zeroing is left to the end
 * @ready: folios, linked by their lru, all zero
 * @unzeroed: folios which are not
 * @nr_unzeroed: how many pages these are
 * @nr_large: how many folios of both lists are large
 * @nr_small: how many are single pages
 */
struct system_take {
	struct system_request *request;
	unsigned long nr_pages;
	unsigned long left;
	unsigned int top_order;
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
 * fail than kill a process: a program can live with ENOMEM.
 */
static gfp_t system_heap_gfp(const struct system_take *take, unsigned int order)
{
	gfp_t gfp = GFP_HIGHUSER | __GFP_NOWARN;

	if (!take->zero_last)
		gfp |= __GFP_ZERO;
	if (order)
		return (gfp & ~__GFP_RECLAIM) | __GFP_NORETRY;
	/* Reclaim is for what has been checked: it competes with others. */
	if (!take->request->checked)
		gfp &= ~__GFP_DIRECT_RECLAIM;
	return gfp | __GFP_RETRY_MAYFAIL;
}

/*
 * Return the number of pages in buffers; what changes meanwhile may be missed.
 */
static unsigned long system_heap_used(void)
{
	unsigned long used = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		used += READ_ONCE(*per_cpu_ptr(&system_used, cpu));
	return min_t(unsigned long, max_t(long, used, 0), totalram_pages());
}

/*
 * Test whether a buffer is so small that it need not check by itself how much
 * memory is left. Not while memory is short: a program may go on in spite of
 * ENOMEM, and what it would get unchecked is what others need.
 */
static bool system_heap_may_skip_check(unsigned long nr_pages)
{
	if (nr_pages >= SYSTEM_HEAP_UNCHECKED_PAGES)
		return false;
	return this_cpu_add_return(system_unchecked, nr_pages) <
	       SYSTEM_HEAP_UNCHECKED_PAGES && !READ_ONCE(system_short);
}

/*
 * Check how much memory is left. Only when there is enough for all, a CPU may
 * hand out some pages unchecked again. With memory short, these may be more
 * than the reserve.
 */
static int system_heap_check(struct system_take *take)
{
	unsigned long taken = take->nr_pages - take->left;
	struct heap_headroom *room = &take->request->room;
	bool is_short;
	int ret;

	ret = heap_headroom_check(room, take->left + take->request->rest,
				  system_heap_used() + taken);
	is_short = ret || room->tight;
	if (!is_short)
		this_cpu_write(system_unchecked, 0);
	if (READ_ONCE(system_short) != is_short)
		WRITE_ONCE(system_short, is_short);
	return ret;
}

/* Return the largest order that does not exceed what is granted at a time. */
static unsigned int system_take_top_order(const struct system_take *take)
{
	return min_t(unsigned int, take->top_order,
		     ilog2(heap_headroom_step(&take->request->room)));
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
 * Allocate as many single pages as the allocator has at hand, up to @want. It
 * hands out many at once only without regard to the task's memory policy.
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

/* Take the largest folio that can be had and is not too large. */
static int system_take_one(struct system_take *take)
{
	bool zeroed = !take->zero_last;
	struct folio *folio;

	/* An order that failed is not tried again before the next check. */
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
	struct system_request *request = take->request;
	unsigned long before;
	int ret = 0;

	while (take->left) {
		ret = heap_headroom_interrupted(&request->room);
		if (ret)
			return ret;
		if (!request->unchecked ||
		    heap_headroom_has_to_check(&request->room)) {
			ret = system_heap_check(take);
			if (ret)
				return ret;
			request->unchecked = heap_headroom_step(&request->room);
			request->checked = true;
			take->order = system_take_top_order(take);
		}
		before = take->left;
		ret = system_take_one(take);
		if (ret == -ENOMEM && !request->checked)
			request->unchecked = 0;
		else if (ret)
			return ret;
		request->unchecked -= min(request->unchecked,
					  before - take->left);
		cond_resched();
	}
	if (take->nr_unzeroed)
		ret = heap_zero_folios(&take->unzeroed, take->nr_unzeroed,
				       &request->room);
	list_splice_tail_init(&take->unzeroed, &take->ready);
	return ret;
}

/* Large ones first: behind a small one they could not be mapped as huge. */
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

/* Make room for the runs of many folios, which are one each at most. */
static int system_take_reserve(struct system_take *take,
			       struct heap_buffer *buffer)
{
	unsigned long nr_runs = take->nr_large + take->nr_small;
	gfp_t gfp = GFP_KERNEL_ACCOUNT;

	if (nr_runs <= SYSTEM_HEAP_RESERVE_RUNS && !take->request->room.tight)
		return 0;
	if (nr_runs > UINT_MAX)
		return -ENOMEM;
	if (nr_runs <= SYSTEM_HEAP_RESERVE_RUNS)
		gfp = GFP_KERNEL;
	return dma_buf_pages_reserve(&buffer->pages, nr_runs,
				     gfp | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
}

/*
 * Append the folios in the order of their addresses: those of a large buffer
 * have often been neighbours before, and few runs are quickly mapped for a
 * device. For single pages the sorting would take longer than it saves.
 */
static int system_take_append(struct system_take *take,
			      struct heap_buffer *buffer)
{
	struct folio *folio, *next;
	int ret;

	ret = system_take_reserve(take, buffer);
	if (ret)
		return ret;
	if (take->nr_large > 1 && take->nr_large >= take->nr_small)
		list_sort(NULL, &take->ready, system_folio_cmp);
	list_for_each_entry_safe(folio, next, &take->ready, lru) {
		ret = heap_headroom_interrupted(&take->request->room) ?:
		      heap_buffer_append(buffer, &folio->page,
					 folio_nr_pages(folio));
		if (ret)
			return ret;
		list_del_init(&folio->lru);
	}
	/* The last check of what this buffer has taken. */
	return heap_headroom_confirm(&take->request->room);
}

static void system_take_init(struct system_take *take,
			     struct system_request *request,
			     unsigned long nr_pages, unsigned int top_order)
{
	*take = (struct system_take) {
		.request = request,
		.nr_pages = nr_pages,
		.left = nr_pages,
		.top_order = top_order,
		.order = top_order,
		.ready = LIST_HEAD_INIT(take->ready),
		.unzeroed = LIST_HEAD_INIT(take->unzeroed),
	};

	request->rest -= nr_pages;
	/* The last check may have been for a buffer of the batch before. */
	if (request->room.tight)
		take->order = system_take_top_order(take);
	take->zero_last = nr_pages >= SYSTEM_HEAP_SHARE_PAGES &&
			  num_online_cpus() > 1 &&
			  !want_init_on_alloc(GFP_HIGHUSER);
}

/* Free what has been taken and is in no buffer. */
static void system_take_abort(struct system_take *take)
{
	list_splice_init(&take->unzeroed, &take->ready);
	heap_free_folios(&take->ready);
}

static int system_heap_fill(struct heap_buffer *buffer,
			    struct system_request *request,
			    unsigned long nr_pages)
{
	struct system_take take;
	int ret;

	system_take_init(&take, request, nr_pages, HEAP_TOP_ORDER);
	ret = system_heap_take_all(&take) ?: system_take_append(&take, buffer);
	if (ret)
		system_take_abort(&take);
	this_cpu_add(system_used, buffer->pages.nr_pages);
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
	this_cpu_sub(system_used, buffer->pages.nr_pages);
	heap_buffer_release_folios(buffer, buffer->pages.exposed ?
				   system_heap_put_dirty : system_heap_put_zeroed);
}

static const struct heap_backing system_heap_backing = {
	.put		= system_heap_put,
	.private_mmap	= true,
	.longterm_pin	= true,
};

/*
 * Prepare to allocate so many pages, unless they can never be had. What charges
 * them follows; heap_headroom_init() comes after that, as tasks out of memory
 * wait from then on.
 */
static int system_request_init(struct system_request *request,
			       unsigned long nr_pages)
{
	if (nr_pages >= SYSTEM_HEAP_UNCHECKED_PAGES &&
	    heap_headroom_is_impossible(nr_pages, system_heap_used()))
		return -ENOMEM;

	request->rest = nr_pages;
	request->unchecked = system_heap_may_skip_check(nr_pages) ? nr_pages : 0;
	request->checked = false;
	return 0;
}

static struct dma_buf *system_heap_allocate(struct dma_heap *heap,
					    unsigned long len, u32 fd_flags,
					    u64 heap_flags)
{
	struct system_request request;
	struct heap_buffer *buffer;
	int ret;

	/*
	 * Before the charge, for which reclaim may swap out all of the cgroup.
	 */
	ret = system_request_init(&request, len >> PAGE_SHIFT);
	if (ret)
		return ERR_PTR(ret);

	buffer = heap_buffer_alloc(heap, len, &system_heap_backing);
	if (IS_ERR(buffer))
		return ERR_CAST(buffer);

	heap_headroom_init(&request.room);
	ret = system_heap_fill(buffer, &request, len >> PAGE_SHIFT);
	if (ret)
		heap_buffer_abort(buffer);
	/* Not before: a task out of memory waits for what the abort frees. */
	heap_headroom_release(&request.room);
	if (ret)
		return ERR_PTR(ret);
	return heap_buffer_export(buffer, fd_flags);
}

/* Remove the first of a list of buffers, which backing_priv links. */
static struct heap_buffer *system_batch_pop(struct heap_buffer **list)
{
	struct heap_buffer *buffer = *list;

	*list = buffer->backing_priv;
	buffer->backing_priv = NULL;
	return buffer;
}

static void system_batch_abort(struct heap_buffer **list)
{
	while (*list)
		heap_buffer_abort(system_batch_pop(list));
}

/* All charges come first, as reclaim for them should not hold the reserve. */
static int system_batch_charge(struct dma_heap *heap, unsigned long len,
			       unsigned int count, struct heap_buffer **list)
{
	struct heap_buffer *buffer;

	while (count--) {
		if (fatal_signal_pending(current))
			return -EINTR;
		buffer = heap_buffer_alloc(heap, len, &system_heap_backing);
		if (IS_ERR(buffer))
			return PTR_ERR(buffer);
		buffer->backing_priv = *list;
		*list = buffer;
		cond_resched();
	}
	return 0;
}

/* Append a folio to each buffer of a list. */
static int system_take_share_out(struct system_take *take,
				 struct heap_buffer *list)
{
	struct heap_buffer *buffer;
	struct folio *folio;
	int ret;

	for (buffer = list; buffer; buffer = buffer->backing_priv) {
		folio = list_first_entry(&take->ready, struct folio, lru);
		ret = heap_headroom_interrupted(&take->request->room) ?:
		      heap_buffer_append(buffer, &folio->page, 1);
		if (ret)
			return ret;
		list_del_init(&folio->lru);
		this_cpu_inc(system_used);
	}
	return heap_headroom_confirm(&take->request->room);
}

/*
 * Fill buffers of a page each: many pages are taken at once. The one run that
 * each needs is in the record, so appending it allocates nothing.
 */
static int system_batch_fill_singles(struct heap_buffer *list,
				     struct system_request *request)
{
	struct system_take take;
	int ret;

	system_take_init(&take, request, request->rest, 0);
	ret = system_heap_take_all(&take) ?: system_take_share_out(&take, list);
	if (ret)
		system_take_abort(&take);
	return ret;
}

static int system_batch_fill(struct heap_buffer *list, unsigned long nr_pages,
			     struct system_request *request)
{
	struct heap_buffer *buffer;
	int ret;

	if (nr_pages == 1)
		return system_batch_fill_singles(list, request);
	for (buffer = list; buffer; buffer = buffer->backing_priv) {
		ret = system_heap_fill(buffer, request, nr_pages);
		if (ret)
			return ret;
	}
	return 0;
}

static int system_batch_export(struct heap_buffer **list, u32 fd_flags,
			       struct dma_buf **bufs)
{
	unsigned int i;
	int ret;

	for (i = 0; *list; i++) {
		/* What an export allocates is charged, too. */
		ret = heap_charge_spare((*list)->objcg);
		if (ret)
			goto err_put;
		bufs[i] = heap_buffer_export(system_batch_pop(list), fd_flags);
		if (IS_ERR(bufs[i])) {
			ret = PTR_ERR(bufs[i]);
			goto err_put;
		}
		cond_resched();
	}
	return 0;

err_put:
	while (i--)
		dma_buf_put(bufs[i]);
	system_batch_abort(list);
	return ret;
}

/*
 * To the rest of the system a batch is one allocation, of the sum.
 *
 * No buffer is exported before all have their pages: the file of a buffer is
 * released when the task leaves the kernel, too late for a task out of memory
 * which waits for what an allocation that was called off frees.
 */
static int system_heap_allocate_batch(struct dma_heap *heap, unsigned long len,
				      u32 fd_flags, u64 heap_flags,
				      struct dma_buf **bufs, unsigned int count)
{
	struct heap_buffer *list = NULL;
	struct system_request request;
	int ret;

	ret = heap_charge_check((len >> PAGE_SHIFT) * count) ?:
	      system_request_init(&request, (len >> PAGE_SHIFT) * count);
	if (ret)
		return ret;

	ret = system_batch_charge(heap, len, count, &list);
	if (ret) {
		system_batch_abort(&list);
		return ret;
	}

	heap_headroom_init(&request.room);
	ret = system_batch_fill(list, len >> PAGE_SHIFT, &request);
	if (ret)
		system_batch_abort(&list);
	heap_headroom_release(&request.room);
	if (ret)
		return ret;
	return system_batch_export(&list, fd_flags, bufs);
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
	.allocate_batch = system_heap_allocate_batch,
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

/* An open node and a buffer hold the module: now all folios are in the pool. */
static void __exit system_heap_exit(void)
{
	dma_heap_remove(system_heap);
	heap_pool_destroy(system_pool);
}
module_exit(system_heap_exit);

MODULE_DESCRIPTION("DMA-BUF heap of ordinary memory");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
