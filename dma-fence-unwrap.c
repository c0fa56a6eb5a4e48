// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking through containers, and merging without nesting them.
 *
 * What it is:	an iterator over the plain fences inside chains and arrays, and
 * a
 *		merge that makes one flat fence of everything still pending.
 * What it owns: nothing; a cursor belongs to the caller.
 * Locks:	none. The cursor's reference keeps alive what it points into.
 * May call:	dma-fence.c, dma-fence-array.c, dma-fence-chain.c.
 * Never here:	containers of its own.
 * Units:	none.
 */
#include <linux/dma-fence.h>
#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/export.h>
#include <linux/slab.h>
#include <linux/sort.h>

/* -- the cursor ------------------------------------------------------------ */

/* The first fence from the chain node at hand on; nodes without any are passed. */
static struct dma_fence *dma_fence_unwrap_enter(struct dma_fence_unwrap *cursor)
{
	struct dma_fence *fence;

	while (cursor->chain) {
		cursor->array = dma_fence_chain_contained(cursor->chain);
		cursor->index = 0;

		fence = dma_fence_array_first(cursor->array);
		if (fence)
			return fence;

		cursor->chain = dma_fence_chain_walk(cursor->chain);
	}

	return NULL;
}

/**
 * dma_fence_unwrap_first - begin to look through a container
 * @head: a fence of any kind, or NULL
 * @cursor: where to remember the place; need not be initialised
 *
 * See dma_fence_unwrap_for_each().
 *
 * Context: Any, but not with the lock of one of the fences.
 * Return: the first plain fence, without a reference of its own, or NULL when
 *	   there is none.
 */
struct dma_fence *dma_fence_unwrap_first(struct dma_fence *head,
					 struct dma_fence_unwrap *cursor)
{
	cursor->chain = dma_fence_get(head);
	return dma_fence_unwrap_enter(cursor);
}
EXPORT_SYMBOL_GPL(dma_fence_unwrap_first);

/**
 * dma_fence_unwrap_next - go on looking through a container
 * @cursor: from dma_fence_unwrap_first(), which must have found something
 *
 * Context: As dma_fence_unwrap_first().
 * Return: the next plain fence, without a reference of its own, or NULL at the
 *	   end; then @cursor holds no reference either.
 */
struct dma_fence *dma_fence_unwrap_next(struct dma_fence_unwrap *cursor)
{
	struct dma_fence *sibling;

	sibling = dma_fence_array_next(cursor->array, ++cursor->index);
	if (sibling)
		return sibling;

	cursor->chain = dma_fence_chain_walk(cursor->chain);
	return dma_fence_unwrap_enter(cursor);
}
EXPORT_SYMBOL_GPL(dma_fence_unwrap_next);

/* -- merging --------------------------------------------------------------- */

/* What a merge has found: pending fences, and when the others signalled. */
struct dma_fence_harvest {
	struct dma_fence **fences;	/* with a reference each */
	unsigned int count;
	unsigned int room;
	ktime_t latest;
};

/* Most merges are of a few fences. */
#define DMA_FENCE_HARVEST_MIN	8

static int dma_fence_harvest_add(struct dma_fence_harvest *harvest,
				 struct dma_fence *fence)
{
	unsigned int room = max(2 * harvest->room, DMA_FENCE_HARVEST_MIN);
	struct dma_fence **fences;

	if (dma_fence_is_signaled(fence)) {
		harvest->latest = max(harvest->latest,
				      dma_fence_timestamp(fence));
		return 0;
	}

	if (harvest->count == harvest->room) {
		fences = krealloc_array(harvest->fences, room, sizeof(*fences),
					GFP_KERNEL);
		if (!fences)
			return -ENOMEM;
		harvest->fences = fences;
		harvest->room = room;
	}

	harvest->fences[harvest->count++] = dma_fence_get(fence);
	return 0;
}

static int dma_fence_harvest_add_all(struct dma_fence_harvest *harvest,
				     struct dma_fence *head,
				     struct dma_fence_unwrap *cursor)
{
	struct dma_fence *fence;
	int ret;

	dma_fence_unwrap_for_each(fence, cursor, head) {
		ret = dma_fence_harvest_add(harvest, fence);
		if (ret) {
			dma_fence_put(cursor->chain);
			return ret;
		}
	}

	return 0;
}

/* By context; within one, the latest first. */
static int dma_fence_harvest_order(const void *a, const void *b)
{
	struct dma_fence *left = *(struct dma_fence *const *)a;
	struct dma_fence *right = *(struct dma_fence *const *)b;

	if (left->context != right->context)
		return left->context < right->context ? -1 : 1;

	return dma_fence_is_later(right, left) - dma_fence_is_later(left, right);
}

/* One fence per context is enough: the latest signals last. */
static void dma_fence_harvest_thin_out(struct dma_fence_harvest *harvest)
{
	unsigned int found = harvest->count, kept = 0;
	struct dma_fence **fences = harvest->fences;

	sort(fences, found, sizeof(*fences), dma_fence_harvest_order, NULL);

	for (unsigned int i = 0; i < found; i++) {
		if (kept && fences[kept - 1]->context == fences[i]->context)
			dma_fence_put(fences[i]);
		else
			fences[kept++] = fences[i];
	}

	harvest->count = kept;
}

static void dma_fence_harvest_discard(struct dma_fence_harvest *harvest)
{
	while (harvest->count)
		dma_fence_put(harvest->fences[--harvest->count]);
	kfree(harvest->fences);
}

/**
 * __dma_fence_unwrap_merge - one fence for everything pending in several
 * @num_fences: how many
 * @fences: the fences, of any kind; NULL ones are passed over
 * @cursors: as many cursors, to work with
 *
 * Takes all plain fences out of their containers, leaves out those that have
 * signalled, and of several on one timeline keeps the latest. What is left
 * determines the result: an array sorted by context, in which all have to
 * signal; the fence itself if it is one; a signalled stub with the time of the
 * latest if it is none.
 *
 * Drivers use dma_fence_unwrap_merge().
 *
 * Context: Process context; may sleep.
 * Return: a fence with a reference for the caller, or NULL when there is no
 *	   memory.
 */
struct dma_fence *__dma_fence_unwrap_merge(unsigned int num_fences,
					   struct dma_fence **fences,
					   struct dma_fence_unwrap *cursors)
{
	struct dma_fence_harvest harvest = {};
	struct dma_fence_array *array;
	struct dma_fence *merged;

	for (unsigned int i = 0; i < num_fences; i++)
		if (dma_fence_harvest_add_all(&harvest, fences[i], &cursors[i]))
			goto err_discard;

	if (!harvest.count)
		return dma_fence_allocate_private_stub(harvest.latest);

	dma_fence_harvest_thin_out(&harvest);
	if (harvest.count == 1) {
		merged = harvest.fences[0];
		kfree(harvest.fences);
		return merged;
	}

	array = dma_fence_array_create(harvest.count, harvest.fences,
				       dma_fence_context_alloc(1), 1, false);
	if (array)
		return &array->base;

err_discard:
	dma_fence_harvest_discard(&harvest);
	return NULL;
}
EXPORT_SYMBOL_GPL(__dma_fence_unwrap_merge);
