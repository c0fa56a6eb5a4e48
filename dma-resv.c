// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reservation objects: the fences of a piece of memory, and its lock
 *
 * struct dma_resv is a ww_mutex and a pointer to a list of slots. A slot is one
 * word, the address of a fence with the usage in the low bits, so that no
 * reader sees the usage of one fence with another. Each used slot holds a
 * reference to its fence. Queries and waits are in dma-resv-query.c, what
 * lockdep is told at boot in dma-resv-lockdep.c.
 *
 * Writers hold the lock of the object. Readers hold it as well, or walk the
 * list under RCU, one read-side section per step, so that the caller may sleep
 * between two steps.
 *
 * What readers without the lock rely on: a list grows by being replaced. Within
 * a list a slot is only appended, or overwritten with a fence that makes the
 * old one superfluous; slots never move. So a walk misses no fence if
 *
 * - obj->fences is still the list that it reads. Its address does not prove
 *   that, as the memory of a freed list may hold a later one: the serial number
 *   does.
 *
 * - it got a reference to the fence, and the slot still held that fence then.
 *
 * Where either does not hold, the walk restarts at the first slot of the
 * current list. A writer publishes a new list or slot first and drops
 * references to the old fences afterwards, so a restart always finds the
 * replacement.
 *
 * Lock order: the lock of the object is outside the locks of its fences.
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
 * or processes use. It is a lock, which a driver holds to change something
 * about the memory, and a set of fences, each of which stands for work on the
 * memory that is not complete yet. See &enum dma_resv_usage for the kinds of
 * work.
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
 * struct dma_resv_list - the fences of an object
 * @serial: unique among all lists ever published. Overwritten by @rcu when the
 *	list is replaced, so it is valid only if the list is found to be still
 *	current after it was read.
 * @rcu: for freeing after a grace period
 * @num_fences: number of used slots; only grows. Written last when appending.
 * @reserved: slots below this index may be used without a new reservation.
 *	Normally @capacity, as drivers add more fences than they reserved for
 *	and rely on the spare slots; @num_fences when mutexes are debugged and
 *	nothing was reserved since the object was locked. Writers only.
 * @capacity: number of allocated slots. Constant.
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

/* Minimum capacity: as many slots as fit into 64 bytes. */
#define DMA_RESV_LIST_MIN	4U

/*
 * Slots that a reservation adds to the number asked for. Drivers add a fence
 * for a copy, a flush or a move within the reservation made for their job: i915
 * without LLC and radeon without VM do.
 */
#define DMA_RESV_LIST_SPARE	1U

#define DMA_RESV_SLOT_USAGE	3UL

/*
 * The last serial number in use; the first is 1. DMA_RESV_NO_LIST is never in
 * use, and cannot be what @rcu left in the place of one: zero or an address.
 */
static atomic64_t dma_resv_list_serial = ATOMIC64_INIT(0);
#define DMA_RESV_NO_LIST	U64_MAX

static_assert(DMA_RESV_USAGE_BOOKKEEP <= DMA_RESV_SLOT_USAGE);
/* The order is part of the interface: a query includes all lower values. */
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

static struct dma_resv_list *dma_resv_list_alloc(unsigned int capacity,
						 gfp_t gfp)
{
	struct dma_resv_list *list;
	size_t bytes;

	if (capacity <= DMA_RESV_LIST_MIN) {
		/* The common case; kmalloc() of a constant size is cheaper. */
		capacity = DMA_RESV_LIST_MIN;
		bytes = struct_size_t(struct dma_resv_list, slots,
				      DMA_RESV_LIST_MIN);
		list = kmalloc(bytes, gfp);
	} else {
		/* Use what the allocator rounds up to. */
		bytes = struct_size(list, slots, capacity);
		bytes = kmalloc_size_roundup(bytes);
		capacity = min_t(size_t, UINT_MAX,
				 (bytes - sizeof(*list)) /
				 sizeof(list->slots[0]));
		list = kmalloc(bytes, gfp);
	}
	if (!list)
		return NULL;

	list->num_fences = 0;
	list->capacity = capacity;
	list->reserved = capacity;
	return list;
}

/* Store a fence in a slot, with the reference of the caller. */
static void dma_resv_list_set(struct dma_resv_list *list, unsigned int i,
			      struct dma_fence *fence,
			      enum dma_resv_usage usage)
{
	/*
	 * The fence before its address; pairs with the address dependency in
	 * dma_resv_iter_get().
	 */
	smp_store_release(&list->slots[i], dma_resv_slot(fence, usage));
}

static void dma_resv_list_append(struct dma_resv_list *list,
				 struct dma_fence *fence,
				 enum dma_resv_usage usage)
{
	dma_resv_list_set(list, list->num_fences, fence, usage);
	/* Slot before count; pairs with dma_resv_iter_restart(). */
	smp_store_release(&list->num_fences, list->num_fences + 1);
}

/*
 * Drop the references of the slots. A reader of the list either gets a
 * reference before that, or fails to and restarts.
 */
static void dma_resv_list_put_fences(struct dma_resv_list *list)
{
	unsigned int i;

	for (i = 0; i < list->num_fences; i++)
		dma_fence_put(dma_resv_slot_fence(list->slots[i]));
}

static void dma_resv_list_free(struct dma_resv_list *list)
{
	if (!list)
		return;

	dma_resv_list_put_fences(list);
	kfree_rcu(list, rcu);
}

static struct dma_resv_list *dma_resv_list_of(struct dma_resv *obj)
{
	return rcu_dereference_protected(obj->fences, dma_resv_held(obj));
}

/* Make @list the current one. The serial number is set before it is visible. */
static void dma_resv_list_publish(struct dma_resv *obj,
				  struct dma_resv_list *list)
{
	if (list)
		list->serial = atomic64_inc_return(&dma_resv_list_serial);
	rcu_assign_pointer(obj->fences, list);
}

/* ---- initialization and release ----------------------------------------- */

/**
 * dma_resv_init - initialize a reservation object
 * @obj: the object, uninitialized
 *
 * The object is unlocked and has no fences.
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
 * dma_resv_fini - release the fences of a reservation object
 * @obj: the object, unlocked and without users
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
 * Copy the pending fences of @old to @list, which is not published yet. Their
 * references move with them, so that no reference count is touched.
 */
static void dma_resv_list_move(struct dma_resv_list *old,
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
 * Free @old after dma_resv_list_move() to @list, which is published: drop the
 * references that were not moved. @list has the others in the same order, and a
 * fence may have signalled since, so compare slots instead of testing again.
 */
static void dma_resv_list_free_moved(struct dma_resv_list *old,
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

/* Publish the first list of an object, with @room free slots. */
static int dma_resv_list_create(struct dma_resv *obj, unsigned int room,
				gfp_t gfp)
{
	struct dma_resv_list *list = dma_resv_list_alloc(room, gfp);

	if (!list)
		return -ENOMEM;

	dma_resv_list_publish(obj, list);
	return 0;
}

/* Replace the list @old by one with @room free slots. */
static int dma_resv_list_grow(struct dma_resv *obj, struct dma_resv_list *old,
			      unsigned int room, gfp_t gfp)
{
	struct dma_resv_list *list;
	unsigned int need;

	if (check_add_overflow(old->num_fences, room, &need))
		return -ENOMEM;
	/* At least double it, so that adding n fences copies O(n). */
	need = max(need, min(old->capacity, UINT_MAX / 2) * 2);
	list = dma_resv_list_alloc(need, gfp);
	if (!list)
		return -ENOMEM;

	dma_resv_list_move(old, list);
	dma_resv_list_publish(obj, list);
	dma_resv_list_free_moved(old, list);
	return 0;
}

/**
 * dma_resv_reserve_fences - reserve slots for fences
 * @obj: the object
 * @num_fences: number of dma_resv_add_fence() calls that must succeed
 *
 * Must be called before dma_resv_add_fence(), while the caller can still fail.
 * Reservations do not add up: after several, the largest counts. A caller may
 * use free slots beyond that. The reservation is valid until dma_resv_unlock().
 *
 * Context: The lock of @obj must be held. May sleep.
 * Return: 0, -EINVAL when @num_fences is zero, -ENOMEM when out of memory.
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
	if (!list)
		return dma_resv_list_create(obj, room, GFP_KERNEL);
	if (list->capacity - list->num_fences < room)
		return dma_resv_list_grow(obj, list, room, GFP_KERNEL);

	list->reserved = list->capacity;
	return 0;
}
EXPORT_SYMBOL(dma_resv_reserve_fences);

#ifdef CONFIG_DEBUG_MUTEXES
/**
 * dma_resv_reset_max_fences - drop the reservation of unused slots
 * @obj: the object
 *
 * Finds drivers that add a fence without reserving, which mostly works because
 * of slots that others left free. Only with mutex debugging; dma_resv_unlock()
 * calls it.
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
 * Test whether @fence with @usage may replace the fence in @slot: every query
 * that returned the old one returns the new one, which signals later; or the
 * old one has signalled. Inside rcu_read_lock().
 */
static bool dma_resv_slot_replaceable(unsigned long slot,
				      struct dma_fence *fence,
				      enum dma_resv_usage usage)
{
	struct dma_fence *old = dma_resv_slot_fence(slot);

	if (old->context == fence->context &&
	    usage <= dma_resv_slot_usage(slot) &&
	    dma_fence_is_later_or_same(fence, old))
		return true;

	return dma_fence_is_signaled_rcu(old);
}

/* Find the first slot that @fence may replace, or num_fences if none. */
static unsigned int
dma_resv_list_find_replaceable(const struct dma_resv_list *list,
			       struct dma_fence *fence,
			       enum dma_resv_usage usage)
{
	unsigned int i, used = list->num_fences;

	guard(rcu)();
	for (i = 0; i < used; i++)
		if (dma_resv_slot_replaceable(list->slots[i], fence, usage))
			break;
	return i;
}

/* Store @fence in place of one of the fences in the list, if it may be. */
static bool dma_resv_list_overwrite(struct dma_resv_list *list,
				    struct dma_fence *fence,
				    enum dma_resv_usage usage)
{
	struct dma_fence *old;
	unsigned int i;

	i = dma_resv_list_find_replaceable(list, fence, usage);
	if (i == list->num_fences)
		return false;

	/* Publish first: a reader that fails to get @old finds @fence. */
	old = dma_resv_slot_fence(list->slots[i]);
	dma_resv_list_set(list, i, fence, usage);
	dma_fence_put(old);
	return true;
}

/*
 * Add a fence without a reservation, with the reference of the caller. The
 * caller of dma_resv_add_fence() cannot be told, and without the fence memory
 * would be reused while a device works on it. So try whatever is allowed where
 * reclaim must not be waited for, and overwrite a fence after waiting for it.
 */
static noinline void dma_resv_add_unreserved(struct dma_resv *obj,
					     struct dma_fence *fence,
					     enum dma_resv_usage usage)
{
	struct dma_resv_list *list = dma_resv_list_of(obj);
	gfp_t gfp = GFP_NOWAIT | __GFP_NOWARN;
	int ret = 0;

	dma_buf_misuse(true);

	if (!list)
		ret = dma_resv_list_create(obj, 1, gfp);
	else if (list->num_fences == list->capacity)
		ret = dma_resv_list_grow(obj, list, 1, gfp);
	if (!ret) {
		dma_resv_list_append(dma_resv_list_of(obj), fence, usage);
		return;
	}

	/* A published fence signals in finite time, so this wait ends. */
	if (list) {
		dma_fence_wait(dma_resv_slot_fence(list->slots[0]), false);
		if (dma_resv_list_overwrite(list, fence, usage))
			return;
	}
	dma_fence_put(fence);
}

/**
 * dma_resv_add_fence - add a fence to a reservation object
 * @obj: the object
 * @fence: the fence; a reference is taken. Not a container (array, chain) of
 *	others.
 * @usage: what the work behind @fence does with the memory
 *
 * The fence replaces one that has signalled, or an earlier fence of the same
 * context with the same or a higher usage; otherwise it takes a free slot.
 *
 * Without a reservation this warns. The fence is added all the same if there is
 * memory, or else once an earlier one has signalled; only in an object without
 * any fence can it be lost.
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
	 * A container has a context of its own, so it would never be replaced
	 * by a later fence, and it pins all its members until the last signals.
	 */
	dma_buf_misuse(dma_fence_is_container(fence));

	dma_fence_get(fence);

	list = dma_resv_list_of(obj);
	if (list && list->num_fences &&
	    dma_resv_list_overwrite(list, fence, usage))
		return;

	if (likely(list && list->num_fences < list->reserved))
		dma_resv_list_append(list, fence, usage);
	else
		dma_resv_add_unreserved(obj, fence, usage);
}
EXPORT_SYMBOL(dma_resv_add_fence);

/**
 * dma_resv_replace_fences - replace the fences of a context
 * @obj: the object
 * @context: context of the fences to replace
 * @replacement: the fence to store instead, in the slot of each; a reference is
 *	taken for each
 * @usage: usage of @replacement, which may be higher than that of the old
 *	fences
 *
 * For when the work behind the old fences does not access this memory any more:
 * @context was preempted, or its page tables do not map the memory any longer.
 * The caller ensures that waiting for @replacement instead is sufficient.
 * Fences of other contexts stay.
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

/* Restart a walk at the first slot of @list. Inside rcu_read_lock(). */
static void dma_resv_iter_restart(struct dma_resv_iter *cursor,
				  struct dma_resv_list *list)
{
	cursor->fences = list;
	cursor->index = 0;
	cursor->is_restarted = true;
	cursor->serial = list ? READ_ONCE(list->serial) : DMA_RESV_NO_LIST;
	/* Count before slots; pairs with dma_resv_list_append(). */
	cursor->num_fences = list ? smp_load_acquire(&list->num_fences) : 0;
}

/*
 * Get a reference to the fence in a slot. The last reference may be gone, and
 * with SLAB_TYPESAFE_BY_RCU the memory may even hold another fence by now: so
 * read the slot again. Returns false when the walk has to restart.
 */
static bool dma_resv_iter_get(const unsigned long *where, unsigned long slot)
{
	struct dma_fence *fence = dma_resv_slot_fence(slot);

	if (!kref_get_unless_zero(&fence->refcount))
		return false;

	/*
	 * The reference before the second read. If the slot is unchanged, its
	 * own reference was held when this one was taken.
	 */
	smp_mb__after_atomic();
	if (READ_ONCE(*where) == slot)
		return true;

	dma_fence_put(fence);
	return false;
}

/*
 * Advance to the next pending fence of the usage in @list, which was current
 * when this RCU section began. Stores it with a reference in the cursor, or
 * NULL at the end of the list. Returns false when the walk has to restart.
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
		if (!dma_resv_iter_get(where, slot))
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
	/*
	 * Only now is it known that what was read was current. The address is
	 * enough: no list is freed and reused inside one RCU section.
	 */
	return rcu_access_pointer(cursor->obj->fences) == list;
}

/**
 * dma_resv_iter_next_unlocked - continue a walk without the lock
 * @cursor: the walk
 *
 * Restarts from the first slot if the list was replaced since the last step;
 * see dma_resv_iter_is_restarted().
 *
 * Context: Any, also under the lock.
 * Return: as dma_resv_iter_first_unlocked(). The reference to the fence
 * returned before is dropped.
 */
struct dma_fence *dma_resv_iter_next_unlocked(struct dma_resv_iter *cursor)
{
	struct dma_resv_list *list;

	dma_fence_put(cursor->fence);
	cursor->is_restarted = false;

	guard(rcu)();
	/*
	 * Restart unless the list is still the current one. Its address does
	 * not tell: since the last step the list may have been freed, and a
	 * later one allocated in its place. Its serial number does; it is read
	 * from the list that is current now, so it is valid. The address is
	 * compared nevertheless, as callers may overwrite
	 * &dma_resv_iter.fences to force a restart.
	 */
	list = rcu_dereference(cursor->obj->fences);
	if (!list || list != cursor->fences ||
	    READ_ONCE(list->serial) != cursor->serial)
		dma_resv_iter_restart(cursor, list);

	while (!dma_resv_iter_advance(cursor, list)) {
		dma_fence_put(cursor->fence);
		list = rcu_dereference(cursor->obj->fences);
		dma_resv_iter_restart(cursor, list);
	}
	return cursor->fence;
}
EXPORT_SYMBOL(dma_resv_iter_next_unlocked);

/**
 * dma_resv_iter_first_unlocked - start a walk without the lock
 * @cursor: the walk, after dma_resv_iter_begin()
 *
 * Use it through dma_resv_for_each_fence_unlocked().
 *
 * Context: Any, also under the lock.
 * Return: the first pending fence of the usage, with a reference that the
 * cursor owns; NULL when there is none.
 */
struct dma_fence *dma_resv_iter_first_unlocked(struct dma_resv_iter *cursor)
{
	cursor->serial = DMA_RESV_NO_LIST;
	return dma_resv_iter_next_unlocked(cursor);
}
EXPORT_SYMBOL(dma_resv_iter_first_unlocked);

/* ---- walking under the lock --------------------------------------------- */

/**
 * dma_resv_iter_next - continue a walk under the lock
 * @cursor: the walk
 *
 * Context: The lock of the object must be held.
 * Return: the next fence of the usage, signalled or not, without a reference;
 * NULL at the end.
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
 * dma_resv_iter_first - start a walk under the lock
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

/* ---- copying fences ----------------------------------------------------- */

/*
 * Copy the pending fences of @obj to a private list, with references. *@listp
 * is NULL when there are none.
 */
static int dma_resv_list_snapshot(struct dma_resv *obj,
				  enum dma_resv_usage usage,
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
			list = dma_resv_list_alloc(cursor.num_fences,
						   GFP_KERNEL);
			if (!list) {
				ret = -ENOMEM;
				break;
			}
		}
		dma_resv_list_append(list, dma_fence_get(fence),
				     dma_resv_iter_usage(&cursor));
	}
	/*
	 * A restart that finds no fence ends the loop: what was collected
	 * before it is outdated.
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
 * dma_resv_copy_fences - copy all fences of an object to another
 * @dst: the object to copy to; its own fences are dropped
 * @src: the object to copy from
 *
 * Copies the pending fences, each with its usage. Slots reserved in @dst are
 * lost.
 *
 * Context: The lock of @dst must be held, that of @src need not. May sleep.
 * Return: 0, or -ENOMEM, with @dst unchanged.
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
 * Convert a private list, in place, to an array of fences at the address that
 * the caller will pass to kfree(): the slots move down over the header.
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
 * dma_resv_get_fences - get the pending fences of an object
 * @obj: the object
 * @usage: the highest usage to include
 * @num_fences: set to the number of fences
 * @fences: set to an array of fences with a reference each, for the caller to
 *	put and kfree(); NULL when there are none
 *
 * Context: The lock may, but need not be held. May sleep.
 * Return: 0, or -ENOMEM with *@num_fences zero and *@fences NULL.
 */
int dma_resv_get_fences(struct dma_resv *obj, enum dma_resv_usage usage,
			unsigned int *num_fences, struct dma_fence ***fences)
{
	struct dma_resv_list *list = NULL;
	int ret = 0;

	/* Most buffers without implicit fencing never get a list. */
	if (rcu_access_pointer(obj->fences))
		ret = dma_resv_list_snapshot(obj, usage, &list);
	*num_fences = list ? list->num_fences : 0;
	*fences = list ? dma_resv_list_to_array(list) : NULL;
	return ret;
}
EXPORT_SYMBOL_GPL(dma_resv_get_fences);
