// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fence arrays: one fence for a fixed set of fences
 *
 * An array signals when all its members have, or when the first has. It holds a
 * reference to each member, but adds its callbacks only when signalling of the
 * array itself is enabled.
 *
 * Counting: num_pending is how many members still have to report. Each callback
 * lowers it by one, atomically, and the one that reaches zero signals; so no
 * two callbacks can both be the last, and none is missed. The count may go
 * below zero when any one member is enough.
 *
 * Result: dma_fence.error is undecided until the result is known, and the first
 * to replace it by cmpxchg() decides. That happens before anything signals the
 * array, so a reader that finds it signalled finds the result.
 *
 * Lock order: dma_fence_array.lock is outside the locks of the members. The
 * callback of a member runs under the lock of that member, so it leaves
 * signalling to an irq_work.
 */
#include <linux/dma-fence.h>
#include <linux/dma-fence-array.h>
#include <linux/export.h>
#include <linux/slab.h>

#include "dma-buf-misuse.h"

/*
 * dma_fence.error of an array whose result is not known yet. Positive, so that
 * it is not taken for an error.
 */
#define DMA_FENCE_ARRAY_UNDECIDED	1

/* In dma_fence.flags: signal with the first member. */
#define DMA_FENCE_ARRAY_ANY_BIT		DMA_FENCE_FLAG_USER_BITS

static const char *dma_fence_array_driver_name(struct dma_fence *fence)
{
	return "dma_fence_array";
}

static const char *dma_fence_array_timeline_name(struct dma_fence *fence)
{
	return "unbound";
}

/* -- the result ------------------------------------------------------------ */

/*
 * Time at which a signalled member did so, or KTIME_MAX when it is not stored
 * yet.
 *
 * This does not wait for the time, as dma_fence_timestamp() would: interrupts
 * are off, and a driver that sets the bit by itself may store the time from an
 * irq_work of this very CPU. A missing time is about to be stored, so it counts
 * as later than any other.
 */
static ktime_t dma_fence_array_when(struct dma_fence *member)
{
	if (!test_bit_acquire(DMA_FENCE_FLAG_TIMESTAMP_BIT, &member->flags))
		return KTIME_MAX;

	return member->timestamp;
}

/*
 * Find the member whose result becomes that of the array: the first to signal
 * if any one is enough, otherwise the first to fail, or NULL if none did. First
 * by timestamp, as callbacks and tests see the members in no particular order.
 */
static struct dma_fence *dma_fence_array_decisive(struct dma_fence_array *array)
{
	bool any = test_bit(DMA_FENCE_ARRAY_ANY_BIT, &array->base.flags);
	struct dma_fence *member, *first = NULL;
	ktime_t earliest = KTIME_MAX, when;
	unsigned int i;

	dma_fence_array_for_each(member, i, &array->base) {
		if (!dma_fence_test_signaled_flag(member))
			continue;
		if (!any && !member->error)
			continue;
		/* Read once: the time may be stored meanwhile. */
		when = dma_fence_array_when(member);
		if (!first || ktime_before(when, earliest)) {
			first = member;
			earliest = when;
		}
	}

	return first;
}

/*
 * Decide the result; must be called before anything that signals the array. The
 * signaled op and the irq_work may get here at the same time: the first
 * cmpxchg() decides, and its full barrier orders the result before the
 * signalled bit.
 */
static void dma_fence_array_decide(struct dma_fence_array *array)
{
	struct dma_fence *member = dma_fence_array_decisive(array);

	cmpxchg(&array->base.error, DMA_FENCE_ARRAY_UNDECIDED,
		member ? member->error : 0);
}

/* -- signalling ------------------------------------------------------------ */

static void dma_fence_array_work(struct irq_work *work)
{
	struct dma_fence_array *array =
		container_of(work, struct dma_fence_array, work);

	dma_fence_array_decide(array);
	dma_fence_signal(&array->base);
	dma_fence_put(&array->base);
}

static void dma_fence_array_member_signaled(struct dma_fence *member,
					    struct dma_fence_cb *cb)
{
	struct dma_fence_array_cb *waiting =
		container_of(cb, struct dma_fence_array_cb, cb);
	struct dma_fence_array *array = waiting->array;

	/*
	 * One operation lowers and tests, so of members that signal at the same
	 * time exactly one is the last. Fully ordered: the irq_work sees what
	 * all members wrote. Its reference is that of this callback.
	 */
	if (!atomic_dec_and_test(&array->num_pending))
		dma_fence_put(&array->base);
	else
		irq_work_queue(&array->work);
}

static bool dma_fence_array_enable_signaling(struct dma_fence *fence)
{
	struct dma_fence_array *array = to_dma_fence_array(fence);
	struct dma_fence *member;
	unsigned int i;

	dma_fence_array_for_each(member, i, fence) {
		struct dma_fence_array_cb *waiting = &array->callbacks[i];

		waiting->array = array;
		dma_fence_get(fence);
		if (!dma_fence_add_callback(member, &waiting->cb,
					    dma_fence_array_member_signaled))
			continue;

		/* It has signalled already, and its callback will not run. */
		dma_fence_put(fence);
		if (atomic_dec_return(&array->num_pending) <= 0)
			break;
	}

	if (atomic_read(&array->num_pending) > 0)
		return true;

	dma_fence_array_decide(array);
	return false;
}

/*
 * Until signalling is enabled the members do not report and have to be tested;
 * from then on the count is enough. A member must not be counted both ways. The
 * ENABLE_SIGNAL bit is set before the count begins to fall, so read the count
 * first, with acquire: if the bit is still clear after that, the count read
 * does not include any report.
 */
static bool dma_fence_array_signaled(struct dma_fence *fence)
{
	struct dma_fence_array *array = to_dma_fence_array(fence);
	int pending = atomic_read_acquire(&array->num_pending);
	struct dma_fence *member;
	unsigned int i;

	if (!test_bit(DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT, &fence->flags)) {
		dma_fence_array_for_each(member, i, fence)
			if (pending > 0 && dma_fence_is_signaled(member))
				pending--;
	}

	if (pending > 0)
		return false;

	dma_fence_array_decide(array);
	return true;
}

static void dma_fence_array_release(struct dma_fence *fence)
{
	struct dma_fence_array *array = to_dma_fence_array(fence);
	struct dma_fence *member;
	unsigned int i;

	dma_fence_array_for_each(member, i, fence)
		dma_fence_put(member);

	kfree(array->fences);
	dma_fence_free(fence);
}

static void dma_fence_array_set_deadline(struct dma_fence *fence,
					 ktime_t deadline)
{
	struct dma_fence *member;
	unsigned int i;

	dma_fence_array_for_each(member, i, fence)
		dma_fence_set_deadline(member, deadline);
}

const struct dma_fence_ops dma_fence_array_ops = {
	.get_driver_name	= dma_fence_array_driver_name,
	.get_timeline_name	= dma_fence_array_timeline_name,
	.enable_signaling	= dma_fence_array_enable_signaling,
	.signaled		= dma_fence_array_signaled,
	.release		= dma_fence_array_release,
	.set_deadline		= dma_fence_array_set_deadline,
};
EXPORT_SYMBOL(dma_fence_array_ops);

/* -- creation -------------------------------------------------------------- */

/**
 * dma_fence_array_alloc - allocate memory for an array
 * @num_fences: number of members, at least 1
 *
 * For callers that must not fail later: dma_fence_array_init() does not. Memory
 * that is not initialized is freed with kfree().
 *
 * Context: Process context; may sleep.
 * Return: the memory, or NULL when out of memory or, with a warning, when
 *	   @num_fences is not positive.
 */
struct dma_fence_array *dma_fence_array_alloc(int num_fences)
{
	struct dma_fence_array *array;

	if (dma_buf_misuse(num_fences <= 0))
		return NULL;

	/* Callbacks are initialized when they are added. */
	return kmalloc(struct_size(array, callbacks, num_fences), GFP_KERNEL);
}
EXPORT_SYMBOL(dma_fence_array_alloc);

/**
 * dma_fence_array_init - initialize an array
 * @array: from dma_fence_array_alloc(), with room for @num_fences
 * @num_fences: number of members, at least 1
 * @fences: the members: a table from kmalloc() or its relatives and a reference
 *	for each. The array takes over both.
 * @context: the timeline of the array's own fence
 * @seqno: its position on that timeline
 * @signal_on_any: signal with the first member, not with the last
 *
 * The result is that of the member which signalled first if @signal_on_any, and
 * otherwise the error of the member which failed first.
 *
 * Warns when a member is a container, since each level adds recursion, and when
 * there are no members; an array without members counts as signalled.
 *
 * Context: Any.
 */
void dma_fence_array_init(struct dma_fence_array *array, int num_fences,
			  struct dma_fence **fences, u64 context,
			  unsigned int seqno, bool signal_on_any)
{
	if (dma_buf_misuse(num_fences <= 0 || !fences))
		num_fences = 0;

	array->fences = fences;
	array->num_fences = num_fences;
	atomic_set(&array->num_pending,
		   signal_on_any ? min(num_fences, 1) : num_fences);
	init_irq_work(&array->work, dma_fence_array_work);

	spin_lock_init(&array->lock);
	dma_fence_init(&array->base, &dma_fence_array_ops, &array->lock,
		       context, seqno);
	__set_bit(DMA_FENCE_FLAG_NAMES_STAY_BIT, &array->base.flags);
	array->base.error = DMA_FENCE_ARRAY_UNDECIDED;
	if (signal_on_any)
		__set_bit(DMA_FENCE_ARRAY_ANY_BIT, &array->base.flags);

	while (num_fences--)
		dma_buf_misuse(dma_fence_is_container(fences[num_fences]));
}
EXPORT_SYMBOL(dma_fence_array_init);

/**
 * dma_fence_array_create - allocate and initialize an array
 * @num_fences: number of members, at least 1
 * @fences: the members, as for dma_fence_array_init(). Still the caller's when
 *	this fails.
 * @context: the timeline of the array's own fence
 * @seqno: its position on that timeline
 * @signal_on_any: signal with the first member, not with the last
 *
 * Context: Process context; may sleep.
 * Return: the array, whose base has one reference, the caller's; or NULL when
 *	   out of memory or, with a warning, when there are no members.
 */
struct dma_fence_array *dma_fence_array_create(int num_fences,
					       struct dma_fence **fences,
					       u64 context, unsigned int seqno,
					       bool signal_on_any)
{
	struct dma_fence_array *array;

	if (dma_buf_misuse(!fences))
		return NULL;

	array = dma_fence_array_alloc(num_fences);
	if (array)
		dma_fence_array_init(array, num_fences, fences, context, seqno,
				     signal_on_any);
	return array;
}
EXPORT_SYMBOL(dma_fence_array_create);

/* -- access to members ----------------------------------------------------- */

/**
 * dma_fence_array_first - get the first member
 * @head: an array, another fence, or NULL
 *
 * See dma_fence_array_for_each().
 *
 * Context: Any.
 * Return: the first member, or @head when that is no array, or NULL when there
 *	   is none, without a reference.
 */
struct dma_fence *dma_fence_array_first(struct dma_fence *head)
{
	if (!to_dma_fence_array(head))
		return head;

	return dma_fence_array_next(head, 0);
}
EXPORT_SYMBOL(dma_fence_array_first);

/**
 * dma_fence_array_next - get a further member
 * @head: as passed to dma_fence_array_first()
 * @index: index of the member, counted from 0
 *
 * Context: Any.
 * Return: the member, without a reference, or NULL when @index is past the last
 *	   one or @head is no array.
 */
struct dma_fence *dma_fence_array_next(struct dma_fence *head,
				       unsigned int index)
{
	struct dma_fence_array *array = to_dma_fence_array(head);

	return array && index < array->num_fences ? array->fences[index] : NULL;
}
EXPORT_SYMBOL(dma_fence_array_next);

/**
 * dma_fence_match_context - test whether all members are on one timeline
 * @fence: an array or another fence
 * @context: the timeline
 *
 * Context: Any.
 * Return: true when @fence, or each member if it is an array, is of @context.
 */
bool dma_fence_match_context(struct dma_fence *fence, u64 context)
{
	struct dma_fence *member;
	unsigned int i;

	dma_fence_array_for_each(member, i, fence)
		if (member->context != context)
			return false;

	return true;
}
EXPORT_SYMBOL(dma_fence_match_context);
