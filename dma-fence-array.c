// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fence arrays: one fence for several.
 *
 * What it is:	a container of a fixed set of fences that signals when all of
 *		them have, or when the first one has.
 * What it owns: the table of members, a reference to each, and one callback per
 *		member. Nothing is hooked up before somebody waits.
 * Locks:	dma_fence_array.lock is the lock of the container's own fence.
 * It
 *		is taken outside the members' locks; a member's callback, which
 *		runs under the member's lock, therefore leaves signalling to an
 *		irq_work.
 * May call:	dma-fence.c.
 * Never here:	arrays of containers. See dma-fence-unwrap.c for how to put
 * those
 *		together.
 * Units:	none.
 */
#include <linux/dma-fence.h>
#include <linux/dma-fence-array.h>
#include <linux/export.h>
#include <linux/slab.h>

#include "dma-buf-misuse.h"

/*
 * What dma_fence.error holds while the result of an array is open. Positive, so
 * nobody takes it for an error; and who replaces it first has decided.
 */
#define DMA_FENCE_ARRAY_UNDECIDED	1

/* In dma_fence.flags: the first member is enough. */
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
 * When a signalled member did so, without waiting for the time to be stored. A
 * driver that marks its fences by itself may store it from an irq_work of this
 * very CPU, and this is called with interrupts off: dma_fence_timestamp() would
 * spin here forever. A time that is missing is one of just now, so it counts as
 * later than any other.
 */
static ktime_t dma_fence_array_when(struct dma_fence *member)
{
	if (!test_bit_acquire(DMA_FENCE_FLAG_TIMESTAMP_BIT, &member->flags))
		return KTIME_MAX;

	return member->timestamp;
}

/*
 * The member whose result becomes that of the array. If any one is enough, the
 * first to signal; otherwise the first to fail, or NULL if none did. First by
 * timestamp, so that it does not matter in which order we hear of them.
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
		/* Read once: the time may be stored while this looks. */
		when = dma_fence_array_when(member);
		if (!first || ktime_before(when, earliest)) {
			first = member;
			earliest = when;
		}
	}

	return first;
}

/*
 * Settle the result; to be called before anything that signals the array. Those
 * who peek and the irq_work may come here at the same time: the first decides,
 * and no one goes on to signal before somebody has.
 */
static void dma_fence_array_decide(struct dma_fence_array *array)
{
	struct dma_fence *member = dma_fence_array_decisive(array);

	cmpxchg(&array->base.error, DMA_FENCE_ARRAY_UNDECIDED,
		member ? member->error : 0);
}

/* -- hearing of the members ------------------------------------------------ */

static void dma_fence_array_work(struct irq_work *work)
{
	struct dma_fence_array *array =
		container_of(work, struct dma_fence_array, work);

	dma_fence_array_decide(array);
	dma_fence_signal(&array->base);
	dma_fence_put(&array->base);
}

static void dma_fence_array_member_done(struct dma_fence *member,
					struct dma_fence_cb *cb)
{
	struct dma_fence_array_cb *waiting =
		container_of(cb, struct dma_fence_array_cb, cb);
	struct dma_fence_array *array = waiting->array;

	/* The last one needed passes its reference on to the work. */
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
					    dma_fence_array_member_done))
			continue;

		/* Too late for this one, so it counts as heard of. */
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
 * As long as nobody waits the members do not report and have to be asked; once
 * they do the counter knows. A member must not be counted both ways: so the
 * counter is read first, for the bit is set before it begins to fall.
 */
static bool dma_fence_array_signaled(struct dma_fence *fence)
{
	struct dma_fence_array *array = to_dma_fence_array(fence);
	int missing = atomic_read_acquire(&array->num_pending);
	struct dma_fence *member;
	unsigned int i;

	if (!test_bit(DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT, &fence->flags)) {
		dma_fence_array_for_each(member, i, fence)
			if (missing > 0 && dma_fence_is_signaled(member))
				missing--;
	}

	if (missing > 0)
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

/* -- making one ------------------------------------------------------------ */

/**
 * dma_fence_array_alloc - memory for an array
 * @num_fences: how many members it will have, at least 1
 *
 * For those who must not fail between here and dma_fence_array_init(). If that
 * is never called, kfree() the memory.
 *
 * Context: Process context; may sleep.
 * Return: the memory, or NULL when there is none or, with a warning, when
 *	   @num_fences is not positive.
 */
struct dma_fence_array *dma_fence_array_alloc(int num_fences)
{
	struct dma_fence_array *array;

	if (dma_buf_misuse(num_fences <= 0))
		return NULL;

	return kzalloc(struct_size(array, callbacks, num_fences), GFP_KERNEL);
}
EXPORT_SYMBOL(dma_fence_array_alloc);

/**
 * dma_fence_array_init - make an array in memory that is there already
 * @array: from dma_fence_array_alloc(), with room for @num_fences
 * @num_fences: how many members, at least 1
 * @fences: the members: a table from kmalloc() or its relatives and a reference
 *	for each. Both belong to the array from now on.
 * @context: the timeline of the array's own fence
 * @seqno: its place on that
 * @signal_on_any: signal with the first member, not with the last
 *
 * The result is that of the member which signalled first if @signal_on_any, and
 * otherwise the error of the member which failed first.
 *
 * Warns when a member is a container, since each level adds recursion, and when
 * there are no members; an array without any counts as signalled.
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
 * dma_fence_array_create - make an array
 * @num_fences: how many members, at least 1
 * @fences: the members, as for dma_fence_array_init(). Still the caller's when
 *	this fails.
 * @context: the timeline of the array's own fence
 * @seqno: its place on that
 * @signal_on_any: signal with the first member, not with the last
 *
 * Context: Process context; may sleep.
 * Return: the array, whose base has one reference, the caller's; or NULL when
 *	   there is no memory or, with a warning, when there are no members.
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

/* -- looking inside -------------------------------------------------------- */

/**
 * dma_fence_array_first - first member
 * @head: an array, another fence, or NULL
 *
 * See dma_fence_array_for_each().
 *
 * Context: Any.
 * Return: the first member, or @head when that is no array, or NULL when there
 *	   is nothing. No reference of its own.
 */
struct dma_fence *dma_fence_array_first(struct dma_fence *head)
{
	if (!to_dma_fence_array(head))
		return head;

	return dma_fence_array_next(head, 0);
}
EXPORT_SYMBOL(dma_fence_array_first);

/**
 * dma_fence_array_next - one of the further members
 * @head: what dma_fence_array_first() got
 * @index: number of the member, counted from 0
 *
 * Context: Any.
 * Return: the member, or NULL when there is none of that number or @head is no
 *	   array. No reference of its own.
 */
struct dma_fence *dma_fence_array_next(struct dma_fence *head,
				       unsigned int index)
{
	struct dma_fence_array *array = to_dma_fence_array(head);

	return array && index < array->num_fences ? array->fences[index] : NULL;
}
EXPORT_SYMBOL(dma_fence_array_next);

/**
 * dma_fence_match_context - is all of this on one timeline?
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
