// SPDX-License-Identifier: GPL-2.0-only
/*
 * heap_pool.c and heap_pcp.c against a few numbers: how many folios of each order
 * are on the zeroed and on the dirty freelist.
 *
 * The pool may keep only what it was given, what is its own and has no memory error,
 * never more than its limit; a large folio with such an error is not freed either. It
 * says zeroed of nothing that is not, hands out the zeroed first and gives back the
 * largest and dirty first, those of the CPU last and together; its totals are the
 * sums.
 */
#include "model.h"
#include "pages.h"

#include <linux/dma-heap.h>

#include "../../heaps/heap_pool.h"
#include "../../heaps/heap_zero.h"

const char *model_name(void)
{
	return "pool orders";
}

struct pglist_data model_node;
long model_folios;
unsigned long model_ram;
bool model_init_on_free;
atomic_long_t num_poisoned_pages;

static struct {
	long zeroed[NR_PAGE_ORDERS];
	long dirty[NR_PAGE_ORDERS];
	bool pcp;		/* the cache of the CPU has its part of the budget */
	u64 hits, misses;
	unsigned long limit;
} naive;

#define HELD_MAX	24

static struct folio *held[HELD_MAX];
static unsigned int nr_held;

void heap_zero_folio(struct folio *folio)
{
	folio->zero = true;
}

static struct folio *new_folio(unsigned int order)
{
	struct folio *folio = calloc(1, sizeof(*folio));

	folio->order = order;
	folio->refs = 1;
	model_folios++;
	return folio;
}

/* Of these orders. */
static long naive_pages(int from, int to)
{
	long pages = 0;

	for (int order = from; order <= to; order++)
		pages += (naive.zeroed[order] + naive.dirty[order]) << order;
	return pages;
}

static long naive_small(void)
{
	return naive_pages(0, HEAP_POOL_MIN_ORDER - 1);
}

static long naive_large(void)
{
	return naive_pages(HEAP_POOL_MIN_ORDER, MAX_PAGE_ORDER);
}

/* What counts against the limit: the cache of the CPU as if it were full. */
static long naive_budget(void)
{
	return naive_large() + (naive.pcp ? HEAP_PCP_PAGES : 0);
}

static unsigned long naive_drain(void)
{
	unsigned long done = naive_small();

	memset(naive.dirty, 0, HEAP_POOL_MIN_ORDER * sizeof(naive.dirty[0]));
	memset(naive.zeroed, 0, HEAP_POOL_MIN_ORDER * sizeof(naive.zeroed[0]));
	naive.pcp = false;
	return done;
}

static unsigned long naive_shrink(unsigned long pages)
{
	unsigned long done = 0;

	for (int order = MAX_PAGE_ORDER; order >= HEAP_POOL_MIN_ORDER; order--) {
		while (done < pages && (naive.dirty[order] || naive.zeroed[order])) {
			if (naive.dirty[order])
				naive.dirty[order]--;
			else
				naive.zeroed[order]--;
			done += 1UL << order;
		}
	}
	if (done < pages)
		done += naive_drain();
	return done;
}

static void naive_trim(void)
{
	if (naive_budget() > (long)naive.limit)
		naive_shrink(naive_budget() - naive.limit);
	if (naive_budget() > (long)naive.limit)
		naive_drain();
}

/* The largest first, and what the limit does not allow goes in between. */
static void naive_zero(void)
{
	for (int order = MAX_PAGE_ORDER; order >= HEAP_POOL_MIN_ORDER; order--) {
		while (naive.dirty[order]) {
			naive.dirty[order]--;
			naive.zeroed[order]++;
			naive_trim();
		}
	}
}

/* Test whether there is room for it. */
static bool naive_keeps(unsigned int order)
{
	if (order >= HEAP_POOL_MIN_ORDER)
		return naive_budget() + (1L << order) <= (long)naive.limit;
	if (!naive.pcp)
		naive.pcp = naive_budget() + HEAP_PCP_PAGES <= (long)naive.limit;
	return naive.pcp && naive_small() + (1L << order) <= HEAP_PCP_PAGES;
}

/* Neither kept nor, unless it is a single page, given to the page allocator. */
static void step_put_bad(struct heap_pool *pool, struct folio *folio, bool zeroed)
{
	long folios = model_folios;

	num_poisoned_pages.counter++;
	folio->bad = true;
	if (!folio->order) {
		heap_pool_put(pool, folio, zeroed);
		model_check(model_folios == folios - 1);
		return;
	}
	heap_pool_put(pool, folio, zeroed);
	model_check(model_folios == folios && folio->refs == 1);
	folio_put(folio);
}

static void step_put(struct model_input *in, struct heap_pool *pool)
{
	static const unsigned int orders[] = { 0, 2, 3, 4, 5, 8, 9, 10 };
	unsigned int kind = model_pick(in, 8);
	bool zeroed = model_pick(in, 3) == 2;
	struct folio *folio;

	if (nr_held && kind < 4)
		folio = held[--nr_held];
	else
		folio = new_folio(orders[model_pick(in, 8)]);
	/* Used meanwhile, or never looked at. */
	folio->zero = zeroed;
	folio->flags = model_pick(in, 16) | (model_pick(in, 4) << 8);

	if (kind == 6 && model_pick(in, 4) == 0) {
		step_put_bad(pool, folio, zeroed);
		return;
	}
	if (kind == 7 && nr_held < HELD_MAX) {
		/* It has another reference: it must not be kept. */
		folio->refs++;
		heap_pool_put(pool, folio, zeroed);
		model_check(folio->refs == 1);
		folio_put(folio);
		return;
	}
	if (naive_keeps(folio->order))
		(zeroed || model_init_on_free ? naive.zeroed : naive.dirty)[folio->order]++;
	heap_pool_put(pool, folio, zeroed);
}

static void step_take(struct model_input *in, struct heap_pool *pool)
{
	unsigned int order = model_pick(in, NR_PAGE_ORDERS);
	bool want_zeroed, zeroed = false;
	struct folio *folio;

	folio = heap_pool_take(pool, order, &zeroed);
	if (!naive.limit) {
		model_check(!folio);
		return;
	}
	want_zeroed = naive.zeroed[order];
	if (!want_zeroed && !naive.dirty[order]) {
		model_check(!folio);
		naive.misses++;
		return;
	}
	naive.hits++;
	model_check(folio && folio->refs == 1 && folio->order == order);
	model_check(zeroed == want_zeroed);
	model_check(!zeroed || folio->zero);
	model_check(!folio->flags);
	if (zeroed)
		naive.zeroed[order]--;
	else
		naive.dirty[order]--;

	if (nr_held < HELD_MAX)
		held[nr_held++] = folio;
	else
		folio_put(folio);
}

static void check_pool(struct heap_pool *pool)
{
	struct dma_heap_pool_info info;
	long pages = naive_large() + naive_small(), dirty = 0, folios = nr_held;

	for (int order = 0; order < NR_PAGE_ORDERS; order++) {
		if (order >= HEAP_POOL_MIN_ORDER)
			dirty += naive.dirty[order] << order;
		folios += naive.zeroed[order] + naive.dirty[order];
	}
	heap_pool_info(pool, &info);
	model_check(info.bytes == (u64)pages << PAGE_SHIFT);
	model_check(info.dirty == (u64)dirty << PAGE_SHIFT);
	model_check(info.limit == (u64)naive.limit << PAGE_SHIFT);
	model_check(info.hits == naive.hits && info.misses == naive.misses);
	model_check(pages <= (long)naive.limit);
	model_check(model_node.reclaimable == naive_large());
	model_check(model_folios == folios);
}

static void run_step(struct model_input *in, struct heap_pool *pool)
{
	unsigned long pages;

	switch (model_pick(in, 16)) {
	case 0 ... 6:
		step_put(in, pool);
		break;
	case 7 ... 11:
		step_take(in, pool);
		break;
	case 12:
		pages = model_pick(in, 2048);
		model_check(heap_pool_shrink(pool, pages) == naive_shrink(pages));
		break;
	case 13:
		pages = model_pick(in, 8192);
		naive.limit = min(pages, model_ram);
		heap_pool_set_limit(pool, pages);
		naive_trim();
		break;
	default:
		model_thread_turn();
		naive_zero();
		break;
	}
	check_pool(pool);
}

void model_run(struct model_input *in)
{
	struct heap_pool *pool;

	memset(&naive, 0, sizeof(naive));
	model_ram = 6000;
	model_init_on_free = model_pick(in, 4) == 3;
	num_poisoned_pages.counter = 0;
	naive.limit = model_pick(in, 4096);
	model_let_fail(in, model_pick(in, 4) == 3 ? 2 : 0);
	pool = heap_pool_create("model", naive.limit);
	if (IS_ERR(pool)) {
		model_check(PTR_ERR(pool) == -ENOMEM && model_failures());
		return;
	}
	model_let_fail(NULL, 0);

	while (in->left)
		run_step(in, pool);

	while (nr_held)
		folio_put(held[--nr_held]);
	heap_pool_destroy(pool);
	model_check(!model_folios && !model_node.reclaimable);
}
