// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fence chains: a timeline made of fences of any driver
 *
 * A chain is a singly linked list, newest node first. A node signals when its
 * own fence and everything behind it has signalled. It holds a reference to its
 * fence and one to the previous node. The seqno of a node is a point on the
 * timeline, with all 64 bits.
 *
 * Garbage collection: a chain would grow for as long as user space appends, so
 * every walk unlinks the nodes whose own fence has signalled. The links have no
 * lock. They are read under RCU with dma_fence_get_rcu_safe() and replaced by
 * cmpxchg(), and only ever to point further back. Walkers that race for one
 * link agree on who drops its reference, as only one cmpxchg() succeeds. A node
 * that was unlinked keeps its own link, so a walker that holds it can go on.
 *
 * A node contains no other chain: only the links lead to other nodes, and every
 * function here follows them in a loop, not by recursion, as the length of a
 * chain is up to user space and the stack is not.
 *
 * Lock order: dma_fence_chain.lock is outside the locks of the fences in the
 * chain. A callback on one of those runs under its lock, so it continues in an
 * irq_work.
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

/* Get the previous node or fence, with a reference for the caller, or NULL. */
static struct dma_fence *dma_fence_chain_get_prev(struct dma_fence_chain *node)
{
	guard(rcu)();
	return dma_fence_get_rcu_safe(&node->prev);
}

/*
 * Unlink @prev, whose own fence has signalled, by linking @node to what is
 * behind it. The reference of the link moves with the pointer: on success the
 * one to @prev is dropped, otherwise another walker has changed the link and
 * the one taken here is. Either way the caller reads the link again.
 */
static void dma_fence_chain_skip(struct dma_fence_chain *node,
				 struct dma_fence *prev)
{
	struct dma_fence_chain *done = to_dma_fence_chain(prev);
	struct dma_fence *behind = NULL;

	if (done)
		behind = dma_fence_chain_get_prev(done);

	/* Fully ordered: @behind is complete before the link shows it. */
	if (unrcu_pointer(cmpxchg(&node->prev, RCU_INITIALIZER(prev),
				  RCU_INITIALIZER(behind))) == prev)
		dma_fence_put(prev);
	else
		dma_fence_put(behind);
}

/**
 * dma_fence_chain_walk - step back along a chain
 * @fence: the node at hand; its reference is dropped
 *
 * Unlinks nodes whose own fence has signalled. See dma_fence_chain_for_each().
 *
 * Context: Any, but not with the lock of a fence in the chain.
 * Return: the next node whose own fence is pending, or the pending plain fence
 *	   where the chain begins, with a reference for the caller; NULL when
 *	   there is none.
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
 * dma_fence_chain_find_seqno - find the node to wait for to reach a point
 * @pfence: in: the newest node; out: the oldest node that covers the point,
 *	with the reference. Unchanged on error.
 * @seqno: the point, or 0 for the newest node
 *
 * When *@pfence has signalled, everything up to @seqno has. It may be a later
 * node if there is none of exactly that number, or an older one if all between
 * have signalled; it is NULL when the point has been passed.
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

		/* Another context: the timeline of @head begins here. */
		if (!node || iter->context != head->base.context)
			break;
		/* The previous node, which may be unlinked, was too old. */
		if (node->prev_seqno < seqno)
			break;
	}

	dma_fence_put(&head->base);
	*pfence = iter;
	return 0;
}
EXPORT_SYMBOL(dma_fence_chain_find_seqno);

/* -- signalling ------------------------------------------------------------ */

/* Runs with the reference of the callback. */
static void dma_fence_chain_work(struct irq_work *work)
{
	struct dma_fence_chain *node =
		container_of(work, struct dma_fence_chain, work);

	/* Wait on the next pending fence; signal when there is none. */
	if (!dma_fence_chain_enable_signaling(&node->base))
		dma_fence_signal(&node->base);
	dma_fence_put(&node->base);
}

static void dma_fence_chain_member_signaled(struct dma_fence *member,
					    struct dma_fence_cb *cb)
{
	struct dma_fence_chain *node =
		container_of(cb, struct dma_fence_chain, cb);

	/* The callback has run: the work reuses its memory. */
	init_irq_work(&node->work, dma_fence_chain_work);
	irq_work_queue(&node->work);
	dma_fence_put(member);
}

/*
 * Add a callback to the newest pending fence only: when that has signalled,
 * usually the others have, too, and the irq_work finds none. The callback holds
 * a reference to the node, and one to the fence it waits on, since the link
 * that leads there may be replaced meanwhile.
 *
 * The core calls this once, with the node's lock; after that only the irq_work
 * of the node does, without the lock. So it never runs twice at a time.
 */
static bool dma_fence_chain_enable_signaling(struct dma_fence *fence)
{
	struct dma_fence_chain *node = to_dma_fence_chain(fence);
	struct dma_fence *iter, *member;

	dma_fence_get(fence);
	dma_fence_chain_for_each(iter, fence) {
		member = dma_fence_get(dma_fence_chain_contained(iter));
		if (!dma_fence_add_callback(member, &node->cb,
					    dma_fence_chain_member_signaled)) {
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

	/* A walk stops only at a pending fence. */
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

/* -- initialization and release -------------------------------------------- */

/*
 * Drop the reference to the rest of a chain. If that is the last one, releasing
 * the node would drop the next one, and so on, by recursion. So take the link
 * of each node before its reference is dropped. A reference that is the only
 * one proves that no other CPU can reach the link.
 *
 * Not inline: the nodes that this releases have no link any more.
 */
static noinline void dma_fence_chain_drop(struct dma_fence *rest)
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
	struct dma_fence_chain *node =
		container_of(fence, struct dma_fence_chain, base);
	struct dma_fence *rest = rcu_dereference_protected(node->prev, true);

	if (rest)
		dma_fence_chain_drop(rest);
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
 * dma_fence_chain_init - initialize a chain node
 * @chain: memory from dma_fence_chain_alloc()
 * @prev: the newest node so far, or a plain fence, or NULL. The reference is
 *	taken over.
 * @fence: the fence of the node; no chain node. The reference is taken over.
 * @seqno: the point on the timeline
 *
 * The node continues the context of @prev if that is a node and @seqno is later
 * than its seqno. Otherwise a new timeline starts with this node, which still
 * signals only after @prev; it gets the seqno of @prev if that is the greater,
 * so that seqnos never fall along the links.
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

	/* A chain inside a node would be walked by recursion. */
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
