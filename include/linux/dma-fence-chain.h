/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma_fence_chain: fences of any origin strung together to one timeline. A node
 * signals when its own fence and all nodes before it have.
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
 * @prev: the node before, or a plain fence where the chain begins, or NULL. A
 *	reference. Only ever moves further back, when what it points to is
 *	over: without a lock, by exchanging the pointer.
 * @prev_seqno: seqno of the node before when this one was made; 0 when the
 *	timeline starts here. Constant, so that a point can still be found after
 *	@prev moved.
 * @fence: the fence strung up here. A reference, constant.
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
		 * Waits on the first fence, seen from here backwards, that is
		 * still pending.
		 */
		struct dma_fence_cb cb;

		/**
		 * @work:
		 *
		 * Takes the place of @cb when that has run: looks for the next
		 * pending fence, or signals @base. Needed because @cb runs
		 * under the lock of another fence.
		 */
		struct irq_work work;
	};
	spinlock_t lock;	/* of @base */
};

/**
 * to_dma_fence_chain - from a fence to the chain node around it
 * @fence: any fence, or NULL
 *
 * Context: Any.
 * Return: the node, or NULL when @fence is none.
 */
static inline struct dma_fence_chain *
to_dma_fence_chain(struct dma_fence *fence)
{
	if (fence && dma_fence_is_chain(fence))
		return container_of(fence, struct dma_fence_chain, base);

	return NULL;
}

/**
 * dma_fence_chain_contained - what a chain node wraps
 * @fence: any fence, or NULL
 *
 * Context: Any.
 * Return: the fence that was strung up in this node, or @fence itself when that
 *	   is no node. No reference of its own.
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
 * dma_fence_chain_alloc() - memory for a chain node
 *
 * A macro, so that allocation profiling counts it for the caller.
 *
 * Context: Process context; may sleep.
 * Return: the memory, uninitialised, or NULL when there is none.
 */
#define dma_fence_chain_alloc()						\
({									\
	struct dma_fence_chain *__node;					\
									\
	__node = kmalloc(sizeof(*__node), GFP_KERNEL);			\
	__node;								\
})

/**
 * dma_fence_chain_free - give back memory that was never initialised
 * @chain: from dma_fence_chain_alloc(), or NULL
 *
 * After dma_fence_chain_init() the node is a fence, and dma_fence_put() is the
 * way to get rid of it.
 *
 * Context: Any.
 */
static inline void dma_fence_chain_free(struct dma_fence_chain *chain)
{
	kfree(chain);
}

/*
 * __free(dma_fence_chain_free): for a node that may stay unused. Take it out
 * with no_free_ptr() when it is initialised.
 */
DEFINE_FREE(dma_fence_chain_free, struct dma_fence_chain *,
	    dma_fence_chain_free(_T))

/**
 * dma_fence_chain_for_each - visit a chain from its newest node backwards
 * @iter: the node at hand, or the plain fence where the chain begins. The loop
 *	holds a reference to it: whoever leaves early has to drop or keep that.
 * @head: where to start, or NULL for nothing
 *
 * Nodes whose own fence is over are unlinked on the way and not visited, @head
 * excepted. One level deep; dma_fence_unwrap_for_each() goes to the bottom.
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
