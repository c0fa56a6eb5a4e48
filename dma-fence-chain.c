// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fence chains: a timeline made of fences that have nothing in common.
 *
 * What it is:	a singly linked list, newest node first. A node signals when the
 *		fence in it and everything behind it has.
 * What it owns: per node a reference to its fence and one to the node before.
 *		Links shrink with time: a walk cuts out what is over.
 * Locks:	dma_fence_chain.lock is the lock of the node's own fence. It is
 *		taken outside the locks of the fences in the chain; a callback
 *		on one of those therefore goes on in an irq_work. The links have
 *		no lock: they are read under RCU and replaced with cmpxchg.
 * May call:	dma-fence.c.
 * Never here:	a chain inside a node. Only the links may lead to other nodes.
 * Units:	a seqno here is a point on the timeline, all 64 bits of it.
 */
#include <linux/dma-fence.h>
#include <linux/dma-fence-chain.h>
#include <linux/export.h>

#include "dma-buf-misuse.h"

static bool dma_fence_chain_enable_signaling(struct dma_fence *fence);

static const char *dma_fence_chain_driver_name(struct dma_fence *fence)
{
	return "dma_fence_chain";
}

static const char *dma_fence_chain_timeline_name(struct dma_fence *fence)
{
	return "unbound";
}

/* -- links ----------------------------------------------------------------- */

/* What the node is linked to, with a reference for the caller, or NULL. */
static struct dma_fence *dma_fence_chain_get_prev(struct dma_fence_chain *node)
{
	guard(rcu)();
	return dma_fence_get_rcu_safe(&node->prev);
}

/*
 * Link @node past @prev, whose own fence is over, to what is behind that. If
 * somebody else changed the link meanwhile it is theirs, and we look again.
 */
static void dma_fence_chain_skip(struct dma_fence_chain *node,
				 struct dma_fence *prev)
{
	struct dma_fence_chain *over = to_dma_fence_chain(prev);
	struct dma_fence *behind = NULL;

	if (over)
		behind = dma_fence_chain_get_prev(over);

	if (unrcu_pointer(cmpxchg(&node->prev, RCU_INITIALIZER(prev),
				  RCU_INITIALIZER(behind))) == prev)
		dma_fence_put(prev);
	else
		dma_fence_put(behind);
}

/**
 * dma_fence_chain_walk - one step back along a chain
 * @fence: where we are, with a reference that this takes over
 *
 * Nodes whose own fence is over are cut out on the way. See
 * dma_fence_chain_for_each().
 *
 * Context: Any, but not with the lock of a fence in the chain.
 * Return: the next pending one, a node or the plain fence where the chain
 *	   begins, with a reference for the caller; NULL when there is none.
 */
struct dma_fence *dma_fence_chain_walk(struct dma_fence *fence)
{
	struct dma_fence_chain *node = to_dma_fence_chain(fence);
	struct dma_fence *prev = NULL;

	while (node) {
		prev = dma_fence_chain_get_prev(node);
		if (!prev ||
		    !dma_fence_is_signaled(dma_fence_chain_contained(prev)))
			break;

		dma_fence_chain_skip(node, prev);
		dma_fence_put(prev);
	}

	dma_fence_put(fence);
	return prev;
}
EXPORT_SYMBOL(dma_fence_chain_walk);

/**
 * dma_fence_chain_find_seqno - what to wait for until a point is reached
 * @pfence: in: the newest node; out: the oldest one that covers the point. The
 *	reference moves along. Unchanged on error.
 * @seqno: the point, or 0 for "the newest there is"
 *
 * Everything up to @seqno is over when *@pfence has signalled. That may be a
 * later node if there is none of exactly that number, or an older one if all
 * between are over; NULL when the point has been passed already.
 *
 * Context: Any.
 * Return: 0, or -EINVAL when *@pfence is no chain or the chain has not come to
 *	   @seqno yet.
 */
int dma_fence_chain_find_seqno(struct dma_fence **pfence, u64 seqno)
{
	struct dma_fence_chain *head, *node;
	struct dma_fence *iter;

	if (!seqno)
		return 0;

	head = to_dma_fence_chain(*pfence);
	if (!head || seqno > head->base.seqno)
		return -EINVAL;

	dma_fence_chain_for_each(iter, &head->base) {
		node = to_dma_fence_chain(iter);

		/* Another context: here our timeline begins. */
		if (!node || iter->context != head->base.context)
			break;
		/* The node before was too old, though it may be gone by now. */
		if (node->prev_seqno < seqno)
			break;
	}

	dma_fence_put(&head->base);
	*pfence = iter;
	return 0;
}
EXPORT_SYMBOL(dma_fence_chain_find_seqno);

/* -- signalling ------------------------------------------------------------ */

/* Comes with the reference that the callback had. */
static void dma_fence_chain_work(struct irq_work *work)
{
	struct dma_fence_chain *node =
		container_of(work, struct dma_fence_chain, work);

	/* On to the next pending fence; when there is none it is over. */
	if (!dma_fence_chain_enable_signaling(&node->base))
		dma_fence_signal(&node->base);
	dma_fence_put(&node->base);
}

static void dma_fence_chain_member_done(struct dma_fence *member,
					struct dma_fence_cb *cb)
{
	struct dma_fence_chain *node =
		container_of(cb, struct dma_fence_chain, cb);

	/* From here on the place of the callback is that of the work. */
	init_irq_work(&node->work, dma_fence_chain_work);
	irq_work_queue(&node->work);
	dma_fence_put(member);
}

/*
 * Wait on the newest pending fence only: usually the others are over by then.
 * The callback holds a reference to the node, and one to the fence it waits on,
 * since the link that leads there may be cut meanwhile.
 *
 * Called by the core with the node's lock, and without it by our own work; at
 * most one of them at a time, since the core calls only once.
 */
static bool dma_fence_chain_enable_signaling(struct dma_fence *fence)
{
	struct dma_fence_chain *node = to_dma_fence_chain(fence);
	struct dma_fence *iter, *member;

	dma_fence_get(fence);
	dma_fence_chain_for_each(iter, fence) {
		member = dma_fence_get(dma_fence_chain_contained(iter));
		if (!dma_fence_add_callback(member, &node->cb,
					    dma_fence_chain_member_done)) {
			dma_fence_put(iter);
			return true;
		}
		dma_fence_put(member);
	}
	dma_fence_put(fence);

	return false;
}

static bool dma_fence_chain_signaled(struct dma_fence *fence)
{
	struct dma_fence *pending;

	if (!dma_fence_is_signaled(dma_fence_chain_contained(fence)))
		return false;

	/* A walk stops only at what is not over. */
	pending = dma_fence_chain_walk(dma_fence_get(fence));
	dma_fence_put(pending);
	return !pending;
}

static void dma_fence_chain_set_deadline(struct dma_fence *fence,
					 ktime_t deadline)
{
	struct dma_fence *iter;

	dma_fence_chain_for_each(iter, fence)
		dma_fence_set_deadline(dma_fence_chain_contained(iter),
				       deadline);
}

/* -- birth and death ------------------------------------------------------- */

/*
 * Drop the reference to the rest of a chain. That may be the last one to a
 * node, whose release would drop the next, and so on: a chain as long as user
 * space likes, on a stack that is not. So take each node's link away before the
 * node goes. With a reference that is the only one nobody else can reach that
 * link.
 */
static void dma_fence_chain_drop(struct dma_fence *rest)
{
	struct dma_fence *next;

	while (rest) {
		struct dma_fence_chain *node = to_dma_fence_chain(rest);

		next = NULL;
		if (node && kref_read(&rest->refcount) == 1)
			next = unrcu_pointer(xchg(&node->prev, NULL));
		dma_fence_put(rest);
		rest = next;
	}
}

static void dma_fence_chain_release(struct dma_fence *fence)
{
	struct dma_fence_chain *node = to_dma_fence_chain(fence);

	dma_fence_chain_drop(rcu_dereference_protected(node->prev, true));
	dma_fence_put(node->fence);
	dma_fence_free(fence);
}

const struct dma_fence_ops dma_fence_chain_ops = {
	.use_64bit_seqno	= true,
	.get_driver_name	= dma_fence_chain_driver_name,
	.get_timeline_name	= dma_fence_chain_timeline_name,
	.enable_signaling	= dma_fence_chain_enable_signaling,
	.signaled		= dma_fence_chain_signaled,
	.release		= dma_fence_chain_release,
	.set_deadline		= dma_fence_chain_set_deadline,
};
EXPORT_SYMBOL(dma_fence_chain_ops);

/**
 * dma_fence_chain_init - string a fence up
 * @chain: memory from dma_fence_chain_alloc()
 * @prev: what to link to: the newest node so far, or a plain fence, or NULL.
 *	The reference is taken over.
 * @fence: the fence to string up; no chain node. The reference is taken over.
 * @seqno: the point on the timeline
 *
 * The node goes on with the context of @prev if that is a node and @seqno is
 * later than its seqno. Otherwise the timeline starts anew from this node,
 * though it still signals only after @prev; and it gets the seqno of @prev
 * if that is the greater, so that seqnos never fall along the links.
 *
 * &dma_fence_chain.base has one reference, the caller's.
 *
 * Context: Any.
 */
void dma_fence_chain_init(struct dma_fence_chain *chain, struct dma_fence *prev,
			  struct dma_fence *fence, u64 seqno)
{
	struct dma_fence_chain *before = to_dma_fence_chain(prev);
	u64 context;

	/* Recursion inside the fence would defeat all care taken here. */
	dma_buf_misuse(dma_fence_is_chain(fence));

	if (before && seqno > prev->seqno) {
		context = prev->context;
		chain->prev_seqno = prev->seqno;
	} else {
		context = dma_fence_context_alloc(1);
		chain->prev_seqno = 0;
		if (before)
			seqno = prev->seqno;
	}

	RCU_INIT_POINTER(chain->prev, prev);
	chain->fence = fence;
	spin_lock_init(&chain->lock);
	dma_fence_init(&chain->base, &dma_fence_chain_ops, &chain->lock,
		       context, seqno);
	__set_bit(DMA_FENCE_FLAG_NAMES_STAY_BIT, &chain->base.flags);
}
EXPORT_SYMBOL(dma_fence_chain_init);
