/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma_fence_unwrap: the plain fences inside arrays and chains, and how to put
 * several such things together without nesting them.
 */

#ifndef __LINUX_DMA_FENCE_UNWRAP_H
#define __LINUX_DMA_FENCE_UNWRAP_H

struct dma_fence;

/**
 * struct dma_fence_unwrap - a place inside containers
 *
 * Belongs to dma_fence_unwrap_for_each().
 */
struct dma_fence_unwrap {
	/**
	 * @chain: the chain node at hand, or the head itself when that is
	 * none. A reference, which keeps the rest alive: whoever leaves the
	 * loop early drops it with dma_fence_put().
	 */
	struct dma_fence *chain;
	/**
	 * @array: what that node contains: an array or a plain fence
	 */
	struct dma_fence *array;
	/**
	 * @index: which member of @array is at hand, if it is one
	 */
	unsigned int index;
};

struct dma_fence *dma_fence_unwrap_first(struct dma_fence *head,
					 struct dma_fence_unwrap *cursor);
struct dma_fence *dma_fence_unwrap_next(struct dma_fence_unwrap *cursor);

/**
 * dma_fence_unwrap_for_each - visit every plain fence inside a fence
 * @fence: the fence at hand, without a reference of its own
 * @cursor: a &struct dma_fence_unwrap of the caller
 * @head: a chain, an array, a chain of arrays; a plain fence, which is then the
 *	only one visited; or NULL for nothing
 *
 * Signalled fences are visited as well, as far as the chain still has them.
 */
#define dma_fence_unwrap_for_each(fence, cursor, head)			\
	for (fence = dma_fence_unwrap_first(head, cursor); fence;	\
	     fence = dma_fence_unwrap_next(cursor))

struct dma_fence *__dma_fence_unwrap_merge(unsigned int num_fences,
					   struct dma_fence **fences,
					   struct dma_fence_unwrap *cursors);

/**
 * dma_fence_unwrap_merge - one fence for everything pending in several
 * @...: the fences, of any kind; NULL ones are passed over
 *
 * See __dma_fence_unwrap_merge() for what comes out. A macro, so that the list
 * and its cursors live on the stack of the caller.
 *
 * Context: Process context; may sleep.
 * Return: a fence with a reference for the caller, or NULL when there is no
 *	   memory. The arguments keep theirs.
 */
#define dma_fence_unwrap_merge(...)					\
	({								\
		struct dma_fence *__f[] = { __VA_ARGS__ };		\
		struct dma_fence_unwrap __c[ARRAY_SIZE(__f)];		\
									\
		__dma_fence_unwrap_merge(ARRAY_SIZE(__f), __f, __c);	\
	})

#endif /* __LINUX_DMA_FENCE_UNWRAP_H */
