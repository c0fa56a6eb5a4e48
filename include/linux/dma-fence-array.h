/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma_fence_array: one fence for several, signalled when all of them are or
 * when the first of them is
 */

#ifndef __LINUX_DMA_FENCE_ARRAY_H
#define __LINUX_DMA_FENCE_ARRAY_H

#include <linux/dma-fence.h>
#include <linux/irq_work.h>

/**
 * struct dma_fence_array_cb - callback of an array on one member
 * @cb: the callback
 * @array: the array it belongs to, which stays while the callback is waiting:
 *	all callbacks of an array share a reference to it
 */
struct dma_fence_array_cb {
	struct dma_fence_cb cb;
	struct dma_fence_array *array;
};

/**
 * struct dma_fence_array - a fence made of several
 * @base: the fence that users of the array see
 * @lock: what @base.lock points to
 * @num_fences: number of members. Constant.
 * @num_pending: number of members that still have to report before @base
 *	signals: initially @num_fences, or 1 if any one is enough. May drop
 *	below zero.
 * @fences: the members; the array owns the table and a reference for each
 * @work: signals @base, as a callback that holds the lock of a member must not
 *	take @lock
 * @callbacks: one per member
 */
struct dma_fence_array {
	struct dma_fence base;

	spinlock_t lock;	/* of @base */
	unsigned int num_fences;
	atomic_t num_pending;
	struct dma_fence **fences;

	struct irq_work work;

	struct dma_fence_array_cb callbacks[] __counted_by(num_fences);
};

/**
 * to_dma_fence_array - get the array around a fence
 * @fence: any fence, or NULL
 *
 * Context: Any.
 * Return: the array, or NULL when @fence is not part of one.
 */
static inline struct dma_fence_array *
to_dma_fence_array(struct dma_fence *fence)
{
	if (fence && dma_fence_is_array(fence))
		return container_of(fence, struct dma_fence_array, base);

	return NULL;
}

/**
 * dma_fence_array_for_each - iterate over the members of an array
 * @fence: the current member, without a reference
 * @index: its index, from 0
 * @head: an array; or another fence, which is then the only one; or NULL for
 *	none
 *
 * Does not look into members; see dma_fence_unwrap_for_each().
 */
#define dma_fence_array_for_each(fence, index, head)			\
	for (index = 0, fence = dma_fence_array_first(head); fence;	\
	     ++(index), fence = dma_fence_array_next(head, index))

struct dma_fence_array *dma_fence_array_alloc(int num_fences);
void dma_fence_array_init(struct dma_fence_array *array,
			  int num_fences, struct dma_fence **fences,
			  u64 context, unsigned int seqno,
			  bool signal_on_any);

struct dma_fence_array *dma_fence_array_create(int num_fences,
					       struct dma_fence **fences,
					       u64 context, unsigned int seqno,
					       bool signal_on_any);

bool dma_fence_match_context(struct dma_fence *fence, u64 context);

struct dma_fence *dma_fence_array_first(struct dma_fence *head);
struct dma_fence *dma_fence_array_next(struct dma_fence *head,
				       unsigned int index);

#endif /* __LINUX_DMA_FENCE_ARRAY_H */
