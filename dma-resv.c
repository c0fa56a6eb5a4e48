// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fences attached to memory
 *
 * What it is: the container of the fences of one piece of memory, with the
 * usage of each, and the lock of that memory. How it is asked and waited for is
 * in dma-resv-query.c, what lockdep has to know in dma-resv-lockdep.c.
 * What it owns: struct dma_resv and struct dma_resv_list. Every used slot of a
 * list holds a reference to its fence.
 * Locks: the object's own ww_mutex for all changes. Readers without it use
 * RCU, and never stay inside while the caller's code runs.
 * May call: the fences (dma-fence*.c). Nothing here knows of sync files,
 * buffers or devices.
 * Never here: what a driver should wait for; policy belongs to the callers.
 * Units: none.
 *
 * How readers and writers get along
 *
 * A slot is one word, fence and usage together, so that no reader ever sees
 * the usage of one fence on another. A list grows by being replaced. Within a
 * list, slots are only ever appended, or overwritten with a fence that makes
 * the old one superfluous; they never move. So a reader misses nothing if
 *
 * - obj->fences still is the list that it reads, known by its serial number,
 *   for the memory of a list may come back as another one, and
 * - it got a reference to the fence, and the slot still named that fence then.
 *
 * Where one of these does not hold, the reader starts over. The writer keeps
 * its half of the deal by publishing first and dropping references afterwards.
 */
#include <linux/dma-resv.h>

#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/export.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>

#include "dma-buf-misuse.h"

/**
 * DOC: Reservation Object Overview
 *
 * A &struct dma_resv belongs to a piece of memory that several devices, drivers
 * or processes work with. It is a lock for whoever changes something about the
 * memory, and a set of fences, each of which stands for work that is still
 * going on there. See &enum dma_resv_usage for the kinds of work.
 *
 * To add a fence, lock the object, reserve a slot while failing is still
 * possible, start the work, add the fence, unlock::
 *
 *	ret = dma_resv_lock(obj, NULL);
 *	ret = dma_resv_reserve_fences(obj, 1);
 *	...
 *	dma_resv_add_fence(obj, fence, DMA_RESV_USAGE_WRITE);
 *	dma_resv_unlock(obj);
 *
 * The set does not grow with time: a new fence takes over the slot of one that
 * has signalled, or of an earlier one of its own context.
 *
 * =================================== =======================================
 * Lock held                           No lock needed
 * =================================== =======================================
 * dma_resv_reserve_fences()           dma_resv_get_fences()
 * dma_resv_add_fence()                dma_resv_get_singleton()
 * dma_resv_replace_fences()           dma_resv_wait_timeout()
 * dma_resv_copy_fences() (target)     dma_resv_copy_fences() (source)
 * dma_resv_for_each_fence()           dma_resv_for_each_fence_unlocked()
 * dma_resv_describe()                 dma_resv_set_deadline()
 * \                                   dma_resv_test_signaled()
 * =================================== =======================================
 */

/**
 * struct dma_resv_list - the fences of an object, as long as they fit
 * @serial: no two lists that were ever published have the same. Overwritten
 *	when the list is no longer current, so it counts for nothing unless the
 *	list still is current after it was read.
 * @rcu: how it is freed
 * @num_fences: used slots; only grows. Written last when appending.
 * @reserved: slots that may be used without a new reservation: all that there
 *	are, as drivers add more fences than they reserved for and rely on the
 *	room that is there; none beyond @num_fences when mutexes are debugged and
 *	nothing was reserved since the object was locked. Writers only.
 * @capacity: slots that there are; never changes
 * @slots: address of the fence with the usage in the low bits
 */
struct dma_resv_list {
	union {
		u64 serial;
		struct rcu_head rcu;
	};
	unsigned int num_fences;
	unsigned int reserved;
	unsigned int capacity;
	unsigned long slots[];
};

/* A list is never made smaller than this: as much as fits into 64 bytes. */
#define DMA_RESV_LIST_MIN	4U

/*
 * What a reservation makes room for beyond what was asked. Drivers add a fence
 * for a copy, a flush or a move within the reservation that was made for their
 * job, and have always found room: i915 without LLC and radeon without VM do.
 */
#define DMA_RESV_LIST_SPARE	1U

#define DMA_RESV_SLOT_USAGE	3UL

/*
 * The serial number given out last; the first is 1. And one that neither is given
 * out nor can stand in the place of a number that was overwritten: zero and
 * addresses can.
 */
static atomic64_t dma_resv_list_serial = ATOMIC64_INIT(0);
#define DMA_RESV_NO_LIST	U64_MAX

static_assert(DMA_RESV_USAGE_BOOKKEEP <= DMA_RESV_SLOT_USAGE);
/* Users of the usage numbers: the order is part of the interface. */
static_assert(DMA_RESV_USAGE_KERNEL < DMA_RESV_USAGE_WRITE);
static_assert(DMA_RESV_USAGE_WRITE < DMA_RESV_USAGE_READ);
static_assert(DMA_RESV_USAGE_READ < DMA_RESV_USAGE_BOOKKEEP);

DEFINE_WD_CLASS(reservation_ww_class);
EXPORT_SYMBOL(reservation_ww_class);

/* ---- slots and lists ---------------------------------------------------- */

static unsigned long dma_resv_slot(struct dma_fence *fence,
				   enum dma_resv_usage usage)
{
	return (unsigned long)fence | usage;
}

static struct dma_fence *dma_resv_slot_fence(unsigned long slot)
{
	return (struct dma_fence *)(slot & ~DMA_RESV_SLOT_USAGE);
}

static enum dma_resv_usage dma_resv_slot_usage(unsigned long slot)
{
	return slot & DMA_RESV_SLOT_USAGE;
}

static struct dma_resv_list *dma_resv_list_alloc(unsigned int capacity, gfp_t gfp)
{
	struct dma_resv_list *list;
	size_t bytes;

	if (capacity <= DMA_RESV_LIST_MIN) {
		/* Most lists; a constant size costs less. */
		bytes = struct_size_t(struct dma_resv_list, slots,
				      DMA_RESV_LIST_MIN);
		list = kmalloc(bytes, gfp);
	} else {
		bytes = kmalloc_size_roundup(struct_size(list, slots, capacity));
		list = kmalloc(bytes, gfp);
	}
	if (!list)
		return NULL;

	list->num_fences = 0;
	/* What the allocator gives anyway is room, too. */
	list->capacity = min_t(size_t, UINT_MAX,
			       (bytes - sizeof(*list)) / sizeof(list->slots[0]));
	list->reserved = list->capacity;
	return list;
}

/* Put a fence, reference included, where unlocked readers will find it. */
static void dma_resv_list_set(struct dma_resv_list *list, unsigned int i,
			      struct dma_fence *fence, enum dma_resv_usage usage)
{
	/* Pairs with the address dependency in dma_resv_iter_grab(). */
	smp_store_release(&list->slots[i], dma_resv_slot(fence, usage));
}

static void dma_resv_list_append(struct dma_resv_list *list,
				 struct dma_fence *fence,
				 enum dma_resv_usage usage)
{
	dma_resv_list_set(list, list->num_fences, fence, usage);
	/* Slot before count; pairs with dma_resv_iter_enter(). */
	smp_store_release(&list->num_fences, list->num_fences + 1);
}

/* Drop the references. Readers who still look at the list will notice. */
static void dma_resv_list_empty(struct dma_resv_list *list)
{
	unsigned int i;

	for (i = 0; i < list->num_fences; i++)
		dma_fence_put(dma_resv_slot_fence(list->slots[i]));
}

static void dma_resv_list_free(struct dma_resv_list *list)
{
	if (!list)
		return;

	dma_resv_list_empty(list);
	kfree_rcu(list, rcu);
}

static struct dma_resv_list *dma_resv_list_of(struct dma_resv *obj)
{
	return rcu_dereference_protected(obj->fences, dma_resv_held(obj));
}

/* Put @list in place of what was there, for all to see. */
static void dma_resv_list_publish(struct dma_resv *obj,
				  struct dma_resv_list *list)
{
	if (list)
		list->serial = atomic64_inc_return(&dma_resv_list_serial);
	rcu_assign_pointer(obj->fences, list);
}

/* ---- life --------------------------------------------------------------- */

/**
 * dma_resv_init - make a reservation object usable
 * @obj: the object, in any state
 *
 * It is unlocked and has no fences.
 *
 * Context: Any.
 */
void dma_resv_init(struct dma_resv *obj)
{
	RCU_INIT_POINTER(obj->fences, NULL);
	ww_mutex_init(&obj->lock, &reservation_ww_class);
}
EXPORT_SYMBOL(dma_resv_init);

/**
 * dma_resv_fini - drop all fences of an object that nobody uses any more
 * @obj: the object, unlocked, out of reach of everybody
 *
 * Context: Any context in which the fences may be released.
 */
void dma_resv_fini(struct dma_resv *obj)
{
	dma_resv_list_free(rcu_dereference_protected(obj->fences, true));
	RCU_INIT_POINTER(obj->fences, NULL);
	ww_mutex_destroy(&obj->lock);
}
EXPORT_SYMBOL(dma_resv_fini);

/* ---- writing: reserve, add, replace ------------------------------------- */

/*
 * Hand the fences of @old on to @list, which nobody sees yet, references
 * included. The ones that have signalled stay behind.
 */
static void dma_resv_list_hand_on(struct dma_resv_list *old,
				  struct dma_resv_list *list)
{
	unsigned int i, kept = 0;

	guard(rcu)();
	for (i = 0; i < old->num_fences; i++) {
		unsigned long slot = old->slots[i];

		if (!dma_fence_is_signaled_rcu(dma_resv_slot_fence(slot)))
			list->slots[kept++] = slot;
	}
	list->num_fences = kept;
}

/*
 * Let go of @old and of the references that stayed behind in it. @list has all
 * others, in the same order, and is published.
 */
static void dma_resv_list_leave(struct dma_resv_list *old,
				const struct dma_resv_list *list)
{
	unsigned int i, kept = 0;

	for (i = 0; i < old->num_fences; i++) {
		unsigned long slot = old->slots[i];

		if (kept < list->num_fences && list->slots[kept] == slot)
			kept++;
		else
			dma_fence_put(dma_resv_slot_fence(slot));
	}
	kfree_rcu(old, rcu);
}

/* Replace the list by one with room for @room more fences. */
static int dma_resv_list_grow(struct dma_resv *obj, unsigned int room, gfp_t gfp)
{
	struct dma_resv_list *old = dma_resv_list_of(obj), *list;
	unsigned int need = room;

	if (old) {
		if (check_add_overflow(old->num_fences, room, &need))
			return -ENOMEM;
		/* At least twice as large: n fences are to cost O(n) copies in all. */
		need = max(need, min(old->capacity, UINT_MAX / 2) * 2);
	}
	list = dma_resv_list_alloc(need, gfp);
	if (!list)
		return -ENOMEM;

	if (old)
		dma_resv_list_hand_on(old, list);
	dma_resv_list_publish(obj, list);
	if (old)
		dma_resv_list_leave(old, list);
	return 0;
}

/**
 * dma_resv_reserve_fences - make room for fences to be added
 * @obj: the object
 * @num_fences: how many calls of dma_resv_add_fence() are to be sure of success
 *
 * Must come before dma_resv_add_fence(), and while the caller can still fail.
 * Reservations do not add up: after several, the largest counts. Room that there
 * is beyond that may be used as well. It is kept until dma_resv_unlock().
 *
 * Context: The lock of @obj must be held. May sleep.
 * Return: 0, -EINVAL when @num_fences is zero, -ENOMEM.
 */
int dma_resv_reserve_fences(struct dma_resv *obj, unsigned int num_fences)
{
	struct dma_resv_list *list;
	unsigned int room;

	dma_resv_assert_held(obj);
	might_alloc(GFP_KERNEL);

	if (dma_buf_misuse(!num_fences))
		return -EINVAL;

	if (check_add_overflow(num_fences, DMA_RESV_LIST_SPARE, &room))
		return -ENOMEM;

	list = dma_resv_list_of(obj);
	if (!list || list->capacity - list->num_fences < room)
		return dma_resv_list_grow(obj, room, GFP_KERNEL);

	list->reserved = list->capacity;
	return 0;
}
EXPORT_SYMBOL(dma_resv_reserve_fences);

#ifdef CONFIG_DEBUG_MUTEXES
/**
 * dma_resv_reset_max_fences - forfeit what was reserved and not used
 * @obj: the object
 *
 * So that who forgets to reserve, and would get away with it most of the time
 * because somebody else left room, is found out. Only with mutex debugging;
 * dma_resv_unlock() calls it.
 *
 * Context: The lock of @obj must be held.
 */
void dma_resv_reset_max_fences(struct dma_resv *obj)
{
	struct dma_resv_list *list;

	dma_resv_assert_held(obj);

	list = dma_resv_list_of(obj);
	if (list)
		list->reserved = list->num_fences;
}
EXPORT_SYMBOL(dma_resv_reset_max_fences);
#endif

/*
 * Is whoever waits for @fence as well off without what is in @slot? Inside
 * rcu_read_lock().
 */
static bool dma_resv_slot_yields(unsigned long slot, struct dma_fence *fence,
				 enum dma_resv_usage usage)
{
	struct dma_fence *old = dma_resv_slot_fence(slot);

	if (old->context == fence->context &&
	    usage <= dma_resv_slot_usage(slot) &&
	    dma_fence_is_later_or_same(fence, old))
		return true;

	return dma_fence_is_signaled_rcu(old);
}

/* The first slot that @fence may have, or num_fences when there is none. */
static unsigned int dma_resv_list_find_yielding(const struct dma_resv_list *list,
						struct dma_fence *fence,
						enum dma_resv_usage usage)
{
	unsigned int i, used = list->num_fences;

	guard(rcu)();
	for (i = 0; i < used; i++)
		if (dma_resv_slot_yields(list->slots[i], fence, usage))
			break;
	return i;
}

static bool dma_resv_list_overwrite(struct dma_resv_list *list,
				    struct dma_fence *fence,
				    enum dma_resv_usage usage)
{
	struct dma_fence *old;
	unsigned int i;

	if (!list || !list->num_fences)
		return false;

	i = dma_resv_list_find_yielding(list, fence, usage);
	if (i == list->num_fences)
		return false;

	old = dma_resv_slot_fence(list->slots[i]);
	dma_resv_list_set(list, i, fence, usage);
	dma_fence_put(old);
	return true;
}

/*
 * A fence comes without a reserved slot, and its owner cannot be told. Losing it
 * would let memory be reused under a working device, so try all that is
 * allowed where reclaim must not be waited for. Returns a list with a free
 * slot; or NULL, after having waited until a used one may be overwritten.
 */
static struct dma_resv_list *dma_resv_list_rescue(struct dma_resv *obj)
{
	struct dma_resv_list *list = dma_resv_list_of(obj);

	dma_buf_misuse(true);

	if (list && list->num_fences < list->capacity)
		return list;

	if (!dma_resv_list_grow(obj, 1, GFP_NOWAIT | __GFP_NOWARN))
		return dma_resv_list_of(obj);

	/* What is in the list was published: it signals in finite time. */
	if (list)
		dma_fence_wait(dma_resv_slot_fence(list->slots[0]), false);
	return NULL;
}

/**
 * dma_resv_add_fence - attach a fence to the memory
 * @obj: the object
 * @fence: the fence; a reference is taken. Not a container (array, chain) of
 *	others.
 * @usage: what the work behind @fence does with the memory
 *
 * The fence takes the place of one that has signalled, or of an earlier fence
 * of the same context with the same or a laxer usage; if there is none, the
 * slot that was reserved for it.
 *
 * Without a reservation there is a warning. The fence is attached all the same
 * if there is memory left, or else once an earlier one has signalled; only in an
 * object without any fence can it be lost.
 *
 * Context: The lock of @obj must be held, and dma_resv_reserve_fences() have
 * been called since it was taken. Does not sleep then.
 */
void dma_resv_add_fence(struct dma_resv *obj, struct dma_fence *fence,
			enum dma_resv_usage usage)
{
	struct dma_resv_list *list;

	dma_resv_assert_held(obj);

	/*
	 * A container would be compared by a context of its own and pin all
	 * its members here for as long as one of them is busy.
	 */
	dma_buf_misuse(dma_fence_is_container(fence));

	dma_fence_get(fence);

	list = dma_resv_list_of(obj);
	if (dma_resv_list_overwrite(list, fence, usage))
		return;

	if (!list || list->num_fences >= list->reserved)
		list = dma_resv_list_rescue(obj);

	if (list)
		dma_resv_list_append(list, fence, usage);
	else if (!dma_resv_list_overwrite(dma_resv_list_of(obj), fence, usage))
		dma_fence_put(fence);
}
EXPORT_SYMBOL(dma_resv_add_fence);

/**
 * dma_resv_replace_fences - put another fence in place of a context's fences
 * @obj: the object
 * @context: whose fences are to go
 * @replacement: the fence to stand there instead, once for each that goes; a
 *	reference is taken for each
 * @usage: usage of @replacement, which may be laxer than what it was
 *
 * For when the work behind the old fences is void as far as this memory is
 * concerned: the owner of @context was preempted, or its page tables no longer
 * point here. It is up to the caller that nobody who waits for @replacement
 * instead starts too early. Fences of other contexts stay.
 *
 * Context: The lock of @obj must be held. Does not sleep.
 */
void dma_resv_replace_fences(struct dma_resv *obj, uint64_t context,
			     struct dma_fence *replacement,
			     enum dma_resv_usage usage)
{
	struct dma_resv_list *list;
	unsigned int i;

	dma_resv_assert_held(obj);

	list = dma_resv_list_of(obj);
	for (i = 0; list && i < list->num_fences; i++) {
		struct dma_fence *old = dma_resv_slot_fence(list->slots[i]);

		if (old->context != context)
			continue;

		dma_resv_list_set(list, i, dma_fence_get(replacement), usage);
		dma_fence_put(old);
	}
}
EXPORT_SYMBOL(dma_resv_replace_fences);

/* ---- walking without the lock ------------------------------------------- */

/* Begin a pass, at the first slot of the list that is current now. */
static struct dma_resv_list *dma_resv_iter_enter(struct dma_resv_iter *cursor)
{
	struct dma_resv_list *list = rcu_dereference(cursor->obj->fences);

	cursor->fences = list;
	cursor->index = 0;
	cursor->is_restarted = true;
	cursor->serial = list ? READ_ONCE(list->serial) : DMA_RESV_NO_LIST;
	/* Count before slots; pairs with dma_resv_list_append(). */
	cursor->num_fences = list ? smp_load_acquire(&list->num_fences) : 0;
	return list;
}

/*
 * Get a reference to the fence in a slot. A fence may be on its last reference
 * and then, with SLAB_TYPESAFE_BY_RCU, even be reborn as another one: hence the
 * second look. Returns false when the slot must be read again.
 */
static bool dma_resv_iter_grab(const unsigned long *where, unsigned long slot)
{
	struct dma_fence *fence = dma_resv_slot_fence(slot);

	if (!kref_get_unless_zero(&fence->refcount))
		return false;

	/* First the reference, then the look. */
	smp_mb__after_atomic();
	if (READ_ONCE(*where) == slot)
		return true;

	dma_fence_put(fence);
	return false;
}

/*
 * Go on to the next fence worth returning in @list, which was current when this
 * RCU section began. Leaves it, referenced, in the cursor, or NULL at the end of
 * the list. False: start over.
 */
static bool dma_resv_iter_advance(struct dma_resv_iter *cursor,
				  struct dma_resv_list *list)
{
	unsigned int i;

	cursor->fence = NULL;
	for (i = cursor->index; i < cursor->num_fences; i++) {
		const unsigned long *where = &list->slots[i];
		unsigned long slot = READ_ONCE(*where);
		struct dma_fence *fence = dma_resv_slot_fence(slot);

		if (dma_resv_slot_usage(slot) > cursor->usage)
			continue;
		if (!dma_resv_iter_grab(where, slot))
			return false;

		if (!dma_fence_is_signaled_rcu(fence)) {
			cursor->fence = fence;
			cursor->fence_usage = dma_resv_slot_usage(slot);
			i++;
			break;
		}
		dma_fence_put(fence);
	}
	cursor->index = i;
	/* Inside one RCU section an address is not used again. */
	return rcu_access_pointer(cursor->obj->fences) == list;
}

/**
 * dma_resv_iter_next_unlocked - go on with a walk without the lock
 * @cursor: the walk
 *
 * Begins from the first slot again when the list was replaced meanwhile:
 * dma_resv_iter_is_restarted().
 *
 * Context: Any, also under the lock.
 * Return: as dma_resv_iter_first_unlocked(). The fence returned before is no
 * longer referenced.
 */
struct dma_fence *dma_resv_iter_next_unlocked(struct dma_resv_iter *cursor)
{
	struct dma_resv_list *list;

	dma_fence_put(cursor->fence);
	cursor->is_restarted = false;

	guard(rcu)();
	/*
	 * Is the list still the one that writers write to? Its address alone
	 * would not tell: between two steps the old list may have been freed,
	 * and its memory have become that of a later one. It has to be the same
	 * nevertheless, as callers may overwrite &dma_resv_iter.fences to have
	 * the walk start over.
	 */
	list = rcu_dereference(cursor->obj->fences);
	if (!list || list != cursor->fences ||
	    READ_ONCE(list->serial) != cursor->serial)
		list = dma_resv_iter_enter(cursor);

	while (!dma_resv_iter_advance(cursor, list)) {
		dma_fence_put(cursor->fence);
		list = dma_resv_iter_enter(cursor);
	}
	return cursor->fence;
}
EXPORT_SYMBOL(dma_resv_iter_next_unlocked);

/**
 * dma_resv_iter_first_unlocked - begin a walk without the lock
 * @cursor: the walk, after dma_resv_iter_begin()
 *
 * Use it through dma_resv_for_each_fence_unlocked().
 *
 * Context: Any, also under the lock.
 * Return: the first fence of the usage asked for which has not signalled; the
 * reference belongs to the cursor. NULL when there is none.
 */
struct dma_fence *dma_resv_iter_first_unlocked(struct dma_resv_iter *cursor)
{
	cursor->serial = DMA_RESV_NO_LIST;
	return dma_resv_iter_next_unlocked(cursor);
}
EXPORT_SYMBOL(dma_resv_iter_first_unlocked);

/* ---- walking under the lock --------------------------------------------- */

/**
 * dma_resv_iter_next - go on with a walk under the lock
 * @cursor: the walk
 *
 * Context: The lock of the object must be held.
 * Return: the next fence of the usage asked for, signalled or not, without a
 * reference of its own; NULL at the end.
 */
struct dma_fence *dma_resv_iter_next(struct dma_resv_iter *cursor)
{
	dma_resv_assert_held(cursor->obj);

	cursor->is_restarted = false;
	while (cursor->fences && cursor->index < cursor->fences->num_fences) {
		unsigned long slot = cursor->fences->slots[cursor->index++];

		cursor->fence_usage = dma_resv_slot_usage(slot);
		if (cursor->fence_usage <= cursor->usage)
			return dma_resv_slot_fence(slot);
	}
	return NULL;
}
EXPORT_SYMBOL_GPL(dma_resv_iter_next);

/**
 * dma_resv_iter_first - begin a walk under the lock
 * @cursor: the walk, after dma_resv_iter_begin()
 *
 * Use it through dma_resv_for_each_fence().
 *
 * Context: The lock of the object must be held.
 * Return: as dma_resv_iter_next().
 */
struct dma_fence *dma_resv_iter_first(struct dma_resv_iter *cursor)
{
	struct dma_fence *fence;

	dma_resv_assert_held(cursor->obj);

	cursor->fences = dma_resv_list_of(cursor->obj);
	cursor->index = 0;
	fence = dma_resv_iter_next(cursor);
	cursor->is_restarted = true;
	return fence;
}
EXPORT_SYMBOL_GPL(dma_resv_iter_first);

/* ---- taking fences along ------------------------------------------------ */

/*
 * Collect the busy fences of @obj in a list of our own, references included.
 * *@listp is NULL when there are none.
 */
static int dma_resv_list_snapshot(struct dma_resv *obj, enum dma_resv_usage usage,
				  struct dma_resv_list **listp)
{
	struct dma_resv_list *list = NULL;
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	int ret = 0;

	dma_resv_iter_begin(&cursor, obj, usage);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		if (dma_resv_iter_is_restarted(&cursor)) {
			dma_resv_list_free(list);
			list = dma_resv_list_alloc(cursor.num_fences, GFP_KERNEL);
			if (!list) {
				ret = -ENOMEM;
				break;
			}
		}
		dma_resv_list_append(list, dma_fence_get(fence),
				     dma_resv_iter_usage(&cursor));
	}
	/*
	 * A new pass which finds nothing returns no fence to say so with: then
	 * what an earlier one had collected is outdated.
	 */
	if (!fence && dma_resv_iter_is_restarted(&cursor)) {
		dma_resv_list_free(list);
		list = NULL;
	}
	dma_resv_iter_end(&cursor);

	*listp = list;
	return ret;
}

/**
 * dma_resv_copy_fences - give the fences of one object to another as well
 * @dst: the object that gets them, and loses what it had
 * @src: the object that has them
 *
 * Copies the fences which have not signalled, each with its usage. What was
 * reserved in @dst is gone.
 *
 * Context: The lock of @dst must be held, that of @src need not. May sleep.
 * Return: 0, or -ENOMEM with @dst unchanged.
 */
int dma_resv_copy_fences(struct dma_resv *dst, struct dma_resv *src)
{
	struct dma_resv_list *list, *old;
	int ret;

	dma_resv_assert_held(dst);

	ret = dma_resv_list_snapshot(src, DMA_RESV_USAGE_BOOKKEEP, &list);
	if (ret)
		return ret;

	old = dma_resv_list_of(dst);
	dma_resv_list_publish(dst, list);
	dma_resv_list_free(old);
	return 0;
}
EXPORT_SYMBOL(dma_resv_copy_fences);

/*
 * Turn a private list into the plain array that kernel interfaces pass around,
 * at the address that kfree() wants: the slots move over the header.
 */
static struct dma_fence **dma_resv_list_to_array(struct dma_resv_list *list)
{
	struct dma_fence **array = (struct dma_fence **)list;
	unsigned int i, count = list->num_fences;

	for (i = 0; i < count; i++)
		array[i] = dma_resv_slot_fence(list->slots[i]);
	return array;
}

/**
 * dma_resv_get_fences - get all fences that a usage has to wait for
 * @obj: the object
 * @usage: the laxest usage to get
 * @num_fences: set to the number of fences
 * @fences: set to an array of them, for the caller to kfree() after putting
 *	each reference; NULL if there are none
 *
 * Fences which have signalled are left out.
 *
 * Context: The lock may, but need not be held. May sleep.
 * Return: 0, or -ENOMEM with *@num_fences zero and *@fences NULL.
 */
int dma_resv_get_fences(struct dma_resv *obj, enum dma_resv_usage usage,
			unsigned int *num_fences, struct dma_fence ***fences)
{
	struct dma_resv_list *list;
	int ret;

	ret = dma_resv_list_snapshot(obj, usage, &list);
	*num_fences = list ? list->num_fences : 0;
	*fences = list ? dma_resv_list_to_array(list) : NULL;
	return ret;
}
EXPORT_SYMBOL_GPL(dma_resv_get_fences);
