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
#include <linux/minmax.h>
#include <linux/slab.h>

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

static int dma_fence_merge_grow(struct dma_fence_merge *merge)
{
	unsigned int room = max(2 * merge->room, DMA_FENCE_MERGE_MIN);
	struct dma_fence **fences;

	fences = krealloc_array(merge->fences, room, sizeof(*fences),
				GFP_KERNEL);
	if (!fences)
		return -ENOMEM;

	merge->fences = fences;
	merge->room = room;
	return 0;
}

static int dma_fence_merge_add(struct dma_fence_merge *merge,
			       struct dma_fence *fence)
{
	if (dma_fence_is_signaled(fence)) {
		merge->latest = max(merge->latest,
				    dma_fence_timestamp(fence));
		return 0;
	}

	if (merge->count == merge->room && dma_fence_merge_grow(merge))
		return -ENOMEM;

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

/*
 * Return the length of the run that @fences begins with, of at most @count. In
 * a run contexts rise from each fence to the next, so none occurs twice.
 */
static unsigned int dma_fence_merge_run(struct dma_fence **fences,
					unsigned int count)
{
	unsigned int len = min(count, 1);

	while (len < count && fences[len - 1]->context < fences[len]->context)
		len++;
	return len;
}

/* Return the later of two fences of one context and put the other. */
static struct dma_fence *dma_fence_merge_latest(struct dma_fence *left,
						struct dma_fence *right)
{
	if (dma_fence_is_later(right, left))
		swap(left, right);

	dma_fence_put(right);
	return left;
}

/* Merge two runs to one at @to. Returns the length of that. */
static unsigned int dma_fence_merge_pair(struct dma_fence **to,
					 struct dma_fence **left,
					 unsigned int num_left,
					 struct dma_fence **right,
					 unsigned int num_right)
{
	unsigned int l = 0, r = 0, len = 0;

	while (l < num_left && r < num_right) {
		if (left[l]->context < right[r]->context)
			to[len++] = left[l++];
		else if (left[l]->context > right[r]->context)
			to[len++] = right[r++];
		else
			to[len++] = dma_fence_merge_latest(left[l++],
							   right[r++]);
	}
	while (l < num_left)
		to[len++] = left[l++];
	while (r < num_right)
		to[len++] = right[r++];

	return len;
}

/* Merge the runs in @from pair by pair. Returns how many fences are left. */
static unsigned int dma_fence_merge_pass(struct dma_fence **to,
					 struct dma_fence **from,
					 unsigned int count)
{
	unsigned int left, right, kept = 0;

	for (; count; from += left + right, count -= left + right) {
		left = dma_fence_merge_run(from, count);
		right = dma_fence_merge_run(from + left, count - left);
		kept += dma_fence_merge_pair(to + kept, from, left,
					     from + left, right);
	}

	return kept;
}

/*
 * Sort by context, and keep only the latest fence of each: merge runs until one
 * is left. What an earlier merge has returned is a run already, so this takes
 * linear time for merges of merges, and none if their contexts do not overlap.
 */
static int dma_fence_merge_dedup(struct dma_fence_merge *merge)
{
	struct dma_fence **spare = NULL;

	while (dma_fence_merge_run(merge->fences, merge->count) <
	       merge->count) {
		if (!spare)
			spare = kmalloc_array(merge->count, sizeof(*spare),
					      GFP_KERNEL);
		if (!spare)
			return -ENOMEM;

		merge->count = dma_fence_merge_pass(spare, merge->fences,
						    merge->count);
		swap(spare, merge->fences);
	}

	kfree(spare);
	return 0;
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

	if (dma_fence_merge_dedup(&merge))
		goto err_discard;
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
