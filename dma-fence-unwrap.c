// SPDX-License-Identifier: GPL-2.0-only
/*
 * Iterate over the fences inside containers, and merge without nesting
 *
 * A cursor belongs to its caller. It holds a reference to the chain node at
 * hand, which keeps the fences that it returns; there are no locks.
 *
 * A merge takes the plain fences out of all containers and creates one array of
 * those still pending, so that containers never nest. Of each context only the
 * latest is kept: fences of one context signal in order.
 */
#include <linux/dma-fence.h>
#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/export.h>
#include <linux/slab.h>
#include <linux/sort.h>

/* -- the cursor ------------------------------------------------------------ */

/* Find the first fence from the chain node at hand on; skip empty arrays. */
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
 * dma_fence_unwrap_first - start to iterate over the fences of a container
 * @head: a fence of any kind, or NULL
 * @cursor: the position; need not be initialized
 *
 * See dma_fence_unwrap_for_each().
 *
 * Context: Any, but not with the lock of one of the fences.
 * Return: the first plain fence, without a reference, or NULL when there is
 *	   none.
 */
struct dma_fence *dma_fence_unwrap_first(struct dma_fence *head,
					 struct dma_fence_unwrap *cursor)
{
	cursor->chain = dma_fence_get(head);
	return dma_fence_unwrap_enter(cursor);
}
EXPORT_SYMBOL_GPL(dma_fence_unwrap_first);

/**
 * dma_fence_unwrap_next - continue to iterate over the fences of a container
 * @cursor: from dma_fence_unwrap_first(), which returned a fence
 *
 * Context: As dma_fence_unwrap_first().
 * Return: the next plain fence, without a reference, or NULL at the end; then
 *	   @cursor holds no reference either.
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

/* Pending fences found by a merge, and the latest time of the others. */
struct dma_fence_merge {
	struct dma_fence **fences;	/* with a reference each */
	unsigned int count;
	unsigned int room;
	ktime_t latest;
};

/* Most merges are of a few fences. */
#define DMA_FENCE_MERGE_MIN	8

static int dma_fence_merge_add(struct dma_fence_merge *merge,
			       struct dma_fence *fence)
{
	unsigned int room = max(2 * merge->room, DMA_FENCE_MERGE_MIN);
	struct dma_fence **fences;

	if (dma_fence_is_signaled(fence)) {
		merge->latest = max(merge->latest,
				    dma_fence_timestamp(fence));
		return 0;
	}

	if (merge->count == merge->room) {
		fences = krealloc_array(merge->fences, room, sizeof(*fences),
					GFP_KERNEL);
		if (!fences)
			return -ENOMEM;
		merge->fences = fences;
		merge->room = room;
	}

	merge->fences[merge->count++] = dma_fence_get(fence);
	return 0;
}

static int dma_fence_merge_collect(struct dma_fence_merge *merge,
				   struct dma_fence *head,
				   struct dma_fence_unwrap *cursor)
{
	struct dma_fence *fence;
	int ret;

	dma_fence_unwrap_for_each(fence, cursor, head) {
		ret = dma_fence_merge_add(merge, fence);
		if (ret) {
			dma_fence_put(cursor->chain);
			return ret;
		}
	}

	return 0;
}

/* Order by context, and the latest first within each. */
static int dma_fence_merge_cmp(const void *a, const void *b)
{
	struct dma_fence *left = *(struct dma_fence *const *)a;
	struct dma_fence *right = *(struct dma_fence *const *)b;

	if (left->context != right->context)
		return left->context < right->context ? -1 : 1;

	return dma_fence_is_later(right, left) -
	       dma_fence_is_later(left, right);
}

/* Keep only the latest fence of each context. */
static void dma_fence_merge_dedup(struct dma_fence_merge *merge)
{
	unsigned int found = merge->count, kept = 0;
	struct dma_fence **fences = merge->fences;

	sort(fences, found, sizeof(*fences), dma_fence_merge_cmp, NULL);

	for (unsigned int i = 0; i < found; i++) {
		if (kept && fences[kept - 1]->context == fences[i]->context)
			dma_fence_put(fences[i]);
		else
			fences[kept++] = fences[i];
	}

	merge->count = kept;
}

static void dma_fence_merge_discard(struct dma_fence_merge *merge)
{
	while (merge->count)
		dma_fence_put(merge->fences[--merge->count]);
	kfree(merge->fences);
}

/**
 * __dma_fence_unwrap_merge - create one fence from all pending ones of several
 * @num_fences: number of @fences
 * @fences: the fences, of any kind; NULL ones are skipped
 * @cursors: as many cursors, for internal use
 *
 * Takes all plain fences out of their containers, drops those that have
 * signalled, and keeps the latest of each timeline. The result is an array
 * sorted by context, which signals when all have; the fence itself if one is
 * left; or a signalled stub with the time of the latest if none is.
 *
 * Drivers use dma_fence_unwrap_merge().
 *
 * Context: Process context; may sleep.
 * Return: a fence with a reference for the caller, or NULL when out of memory.
 */
struct dma_fence *__dma_fence_unwrap_merge(unsigned int num_fences,
					   struct dma_fence **fences,
					   struct dma_fence_unwrap *cursors)
{
	struct dma_fence_merge merge = {};
	struct dma_fence_array *array;
	struct dma_fence *merged;

	for (unsigned int i = 0; i < num_fences; i++)
		if (dma_fence_merge_collect(&merge, fences[i], &cursors[i]))
			goto err_discard;

	if (!merge.count)
		return dma_fence_allocate_private_stub(merge.latest);

	dma_fence_merge_dedup(&merge);
	if (merge.count == 1) {
		merged = merge.fences[0];
		kfree(merge.fences);
		return merged;
	}

	array = dma_fence_array_create(merge.count, merge.fences,
				       dma_fence_context_alloc(1), 1, false);
	if (array)
		return &array->base;

err_discard:
	dma_fence_merge_discard(&merge);
	return NULL;
}
EXPORT_SYMBOL_GPL(__dma_fence_unwrap_merge);
