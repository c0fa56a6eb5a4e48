/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma_fence_unwrap: iterate over the plain fences inside arrays and chains, and
 * merge fences without nesting containers
 */

#ifndef __LINUX_DMA_FENCE_UNWRAP_H
#define __LINUX_DMA_FENCE_UNWRAP_H

struct dma_fence;

/**
 * struct dma_fence_unwrap - cursor of dma_fence_unwrap_for_each()
 */
struct dma_fence_unwrap {
	/**
	 * @chain: the current chain node, or the head itself when that is
	 * none. A reference, which keeps the rest; after a break the caller
	 * drops it with dma_fence_put().
	 */
	struct dma_fence *chain;
	/**
	 * @array: the fence of that node: an array or a plain fence
	 */
	struct dma_fence *array;
	/**
	 * @index: index of the current member of @array, if it is one
	 */
	unsigned int index;
};

struct dma_fence *dma_fence_unwrap_first(struct dma_fence *head,
					 struct dma_fence_unwrap *cursor);
struct dma_fence *dma_fence_unwrap_next(struct dma_fence_unwrap *cursor);

/**
 * dma_fence_unwrap_for_each - iterate over all plain fences inside a fence
 * @fence: the current fence, without a reference
 * @cursor: a &struct dma_fence_unwrap of the caller
 * @head: a chain, an array, a chain of arrays; a plain fence, which is then the
 *	only one; or NULL for none
 *
 * Signalled fences are included, as far as the chain still has them.
 */
#define dma_fence_unwrap_for_each(fence, cursor, head)			\
	for (fence = dma_fence_unwrap_first(head, cursor); fence;	\
	     fence = dma_fence_unwrap_next(cursor))

struct dma_fence *__dma_fence_unwrap_merge(unsigned int num_fences,
					   struct dma_fence **fences,
					   struct dma_fence_unwrap *cursors);

/**
 * dma_fence_unwrap_merge - create one fence from all pending ones of several
 * @...: the fences, of any kind; NULL ones are skipped
 *
 * See __dma_fence_unwrap_merge() for the result. A macro, so that the list and
 * its cursors are on the stack of the caller.
 *
 * Context: Process context; may sleep.
 * Return: a fence with a reference for the caller, or NULL when out of memory.
 *	   The arguments keep theirs.
 */
#define dma_fence_unwrap_merge(...)					\
	({								\
		struct dma_fence *__f[] = { __VA_ARGS__ };		\
		struct dma_fence_unwrap __c[ARRAY_SIZE(__f)];		\
									\
		__dma_fence_unwrap_merge(ARRAY_SIZE(__f), __f, __c);	\
	})

#endif /* __LINUX_DMA_FENCE_UNWRAP_H */
