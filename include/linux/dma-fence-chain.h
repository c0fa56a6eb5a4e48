/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma_fence_chain: fences of any driver linked to one timeline. A node signals
 * when its own fence and all previous nodes have.
 */

#ifndef __LINUX_DMA_FENCE_CHAIN_H
#define __LINUX_DMA_FENCE_CHAIN_H

#include <linux/dma-fence.h>
#include <linux/irq_work.h>
#include <linux/slab.h>

/**
 * struct dma_fence_chain - one node of a chain
 * @base: the fence that users of the node see; its seqno is the point on the
 *	timeline
 * @prev: the previous node, or a plain fence where the chain begins, or NULL; a
 *	reference. Without a lock: read under RCU, and replaced by cmpxchg() to
 *	point further back when what it points to has signalled.
 * @prev_seqno: seqno of the previous node when this one was initialized; 0 when
 *	the timeline starts here. Constant, so that a point is still found after
 *	@prev was replaced.
 * @fence: the fence of this node; a reference. Constant.
 * @lock: what @base.lock points to
 */
struct dma_fence_chain {
	struct dma_fence base;
	struct dma_fence __rcu *prev;
	u64 prev_seqno;
	struct dma_fence *fence;
	union {
		/**
		 * @cb:
		 *
		 * Callback on the newest pending fence of this node and those
		 * behind it.
		 */
		struct dma_fence_cb cb;

		/**
		 * @work:
		 *
		 * Takes the place of @cb when that has run: waits on the next
		 * pending fence, or signals @base. Needed because @cb runs
		 * under the lock of another fence.
		 */
		struct irq_work work;
	};
	spinlock_t lock;	/* of @base */
};

/**
 * to_dma_fence_chain - get the chain node around a fence
 * @fence: any fence, or NULL
 *
 * Context: Any.
 * Return: the node, or NULL when @fence is not part of one.
 */
static inline struct dma_fence_chain *
to_dma_fence_chain(struct dma_fence *fence)
{
	if (fence && dma_fence_is_chain(fence))
		return container_of(fence, struct dma_fence_chain, base);

	return NULL;
}

/**
 * dma_fence_chain_contained - get the fence of a chain node
 * @fence: any fence, or NULL
 *
 * Context: Any.
 * Return: the fence that the node was initialized with, or @fence itself when
 *	   that is no node, without a reference.
 */
static inline struct dma_fence *
dma_fence_chain_contained(struct dma_fence *fence)
{
	struct dma_fence_chain *node = to_dma_fence_chain(fence);

	if (node)
		return node->fence;

	return fence;
}

/**
 * dma_fence_chain_alloc() - allocate memory for a chain node
 *
 * A macro, so that allocation profiling attributes it to the caller.
 *
 * Context: Process context; may sleep.
 * Return: the memory, uninitialized, or NULL when out of memory.
 */
#define dma_fence_chain_alloc()						\
({									\
	struct dma_fence_chain *__node;					\
									\
	__node = kmalloc(sizeof(*__node), GFP_KERNEL);			\
	__node;								\
})

/**
 * dma_fence_chain_free - free a node that was never initialized
 * @chain: from dma_fence_chain_alloc(), or NULL
 *
 * After dma_fence_chain_init() the node is a fence: use dma_fence_put() then.
 *
 * Context: Any.
 */
static inline void dma_fence_chain_free(struct dma_fence_chain *chain)
{
	kfree(chain);
}

/*
 * __free(dma_fence_chain_free): for a node that may stay unused. Take it with
 * no_free_ptr() when it is initialized.
 */
DEFINE_FREE(dma_fence_chain_free, struct dma_fence_chain *,
	    dma_fence_chain_free(_T))

/**
 * dma_fence_chain_for_each - iterate over a chain, newest node first
 * @iter: the current node, or the plain fence where the chain begins. The loop
 *	holds a reference to it, which is the caller's after a break.
 * @head: where to start, or NULL for none
 *
 * Nodes whose own fence has signalled are unlinked and skipped, except @head.
 * Does not look into nodes; see dma_fence_unwrap_for_each().
 */
#define dma_fence_chain_for_each(iter, head)	\
	for (iter = dma_fence_get(head); iter; \
	     iter = dma_fence_chain_walk(iter))

struct dma_fence *dma_fence_chain_walk(struct dma_fence *fence);
int dma_fence_chain_find_seqno(struct dma_fence **pfence, u64 seqno);
void dma_fence_chain_init(struct dma_fence_chain *chain,
			  struct dma_fence *prev,
			  struct dma_fence *fence,
			  u64 seqno);

#endif /* __LINUX_DMA_FENCE_CHAIN_H */
