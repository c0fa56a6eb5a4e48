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
 * two callbacks can both be the last, and none is missed. The count goes below
 * zero when any one member is enough.
 *
 * References: all callbacks together hold two to the array, not one each. The
 * one that brings the count to zero passes one on to the irq_work, the last to
 * report drops the other. All that are neither must not access the array once
 * they have lowered the count. Members without a callback count as reported.
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
#include "dma-fence-private.h"

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

static bool dma_fence_array_is_any(const struct dma_fence_array *array)
{
	return test_bit(DMA_FENCE_ARRAY_ANY_BIT, &array->base.flags);
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
	bool any = dma_fence_array_is_any(array);
	struct dma_fence **fences = array->fences;
	struct dma_fence *member, *first = NULL;
	unsigned int num = array->num_fences;
	ktime_t earliest = KTIME_MAX, when;

	for (unsigned int i = 0; i < num; i++) {
		member = fences[i];
		/* Unless any one is enough, all have signalled by now. */
		if (any ? !dma_fence_test_signaled_flag(member) :
			  !member->error)
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

/* The count when all members have reported. */
static int dma_fence_array_all_reported(const struct dma_fence_array *array)
{
	return dma_fence_array_is_any(array) ? 1 - (int)array->num_fences : 0;
}

/* Handle the report that has lowered the count to @pending, 0 or below. */
static noinline void dma_fence_array_reported(struct dma_fence_array *array,
					      int pending, int all)
{
	/* First, as on PREEMPT_RT the irq_work may run at once, and put its own. */
	if (pending == all)
		dma_fence_put(&array->base);
	if (!pending)
		irq_work_queue(&array->work);
}

static void dma_fence_array_member_signaled(struct dma_fence *member,
					    struct dma_fence_cb *cb)
{
	struct dma_fence_array_cb *waiting =
		container_of(cb, struct dma_fence_array_cb, cb);
	struct dma_fence_array *array = waiting->array;
	int all = dma_fence_array_all_reported(array);
	int pending;

	/*
	 * One operation lowers and reads, so of members that signal at the same
	 * time exactly one finds zero. Fully ordered: the irq_work sees what
	 * all members wrote.
	 */
	pending = atomic_dec_return(&array->num_pending);
	if (pending <= 0)
		dma_fence_array_reported(array, pending, all);
}

/*
 * Count @num members that get no callback as reported. Returns true when the
 * array has to signal. Only while signalling is being enabled, so the caller
 * has a reference of its own.
 */
static bool dma_fence_array_skip(struct dma_fence_array *array, int num)
{
	int pending = atomic_sub_return(num, &array->num_pending);

	/* The irq_work is not needed: the core signals. */
	if (pending <= 0 && pending + num > 0)
		dma_fence_put(&array->base);
	if (pending == dma_fence_array_all_reported(array))
		dma_fence_put(&array->base);
	return pending <= 0;
}

/*
 * Add a callback to each member. Returns false when the array has signalled.
 * The core calls this inside rcu_read_lock().
 */
static bool dma_fence_array_watch(struct dma_fence_array *array)
{
	bool any = dma_fence_array_is_any(array);
	unsigned int num = array->num_fences;

	/* For the irq_work, and for the last to report. */
	dma_fence_get(&array->base);
	dma_fence_get(&array->base);
	for (unsigned int i = 0; i < num; i++) {
		struct dma_fence_array_cb *waiting = &array->callbacks[i];

		waiting->array = array;
		if (dma_fence_add_callback_rcu(array->fences[i], &waiting->cb,
					       dma_fence_array_member_signaled))
			continue;

		/* It has signalled already. If that is enough, skip the rest. */
		if (dma_fence_array_skip(array, any ? num - i : 1))
			return false;
	}

	/* Orders what follows, reading errors, after the last report. */
	return atomic_read_acquire(&array->num_pending) > 0;
}

static bool dma_fence_array_enable_signaling(struct dma_fence *fence)
{
	struct dma_fence_array *array = to_dma_fence_array(fence);

	if (array->num_fences && dma_fence_array_watch(array))
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

	if (!test_bit(DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT, &fence->flags)) {
		for (unsigned int i = 0; i < array->num_fences; i++)
			if (pending > 0 &&
			    dma_fence_is_signaled(array->fences[i]))
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
	struct dma_fence **fences = array->fences;
	unsigned int num = array->num_fences;

	for (unsigned int i = 0; i < num; i++)
		dma_fence_put(fences[i]);

	kfree(fences);
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
