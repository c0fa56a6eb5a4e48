/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma_fence: an event of a device that software and other devices wait for
 *
 * A fence starts pending and becomes signalled once, for good. A holder of a
 * reference may test it, sleep until it signals or add a callback; only the
 * driver that created the fence knows when to signal it.
 *
 * Lock order: &dma_fence.lock nests inside every lock of the caller. Callbacks
 * and the enable_signaling op run under it; the signaled op and the two names
 * may; set_deadline and wait run without it; release may run in any context.
 */

#ifndef __LINUX_DMA_FENCE_H
#define __LINUX_DMA_FENCE_H

#include <linux/bitops.h>
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>

struct dma_fence;
struct dma_fence_ops;
struct dma_fence_cb;
struct seq_file;

/**
 * struct dma_fence - one event of a device
 * @lock: the driver's spinlock, always taken with interrupts off. It serialises
 *	enabling, signalling and changes of @cb_list. Fences may share one.
 * @ops: the driver's operations for this fence
 * @cb_list: callbacks in the order they were added. Protected by @lock, and
 *	valid only until the fence signals.
 * @timestamp: CLOCK_MONOTONIC time at which the fence signalled. Written once,
 *	on signalling, in the place of @cb_list; read with
 *	dma_fence_timestamp().
 * @rcu: used in the same place once the last reference is gone, so that the
 *	memory outlives every reader that looks the fence up under RCU
 * @context: the timeline, a number from dma_fence_context_alloc(). Constant.
 * @seqno: the position on that timeline. Constant; orders two fences of one
 *	context.
 * @flags: bits of &enum dma_fence_flag_bits, for the atomic bit operations.
 *	They may be read without @lock.
 * @refcount: see dma_fence_get() and dma_fence_put()
 * @error: 0, or a negative errno if the work failed. Written before the fence
 *	signals, by dma_fence_set_error(); valid only once it has.
 *
 * Drivers embed it in their own request structure. The fields are for the core
 * and for the driver that created the fence; other holders use the functions
 * below.
 */
struct dma_fence {
	spinlock_t *lock;	/* protects @cb_list, serialises signalling */
	const struct dma_fence_ops *ops;
	/*
	 * These three are never in use at the same time: callbacks only until
	 * the fence signals, the time only from then on, the RCU head once the
	 * last reference is gone. Access to the first two needs a reference;
	 * rcu_read_lock() alone is not enough.
	 */
	union {
		struct list_head cb_list;
		ktime_t timestamp;
		struct rcu_head rcu;
	};
	u64 context;
	u64 seqno;
	unsigned long flags;
	struct kref refcount;
	int error;
};

/**
 * enum dma_fence_flag_bits - numbers of the bits in &dma_fence.flags
 * @DMA_FENCE_FLAG_SIGNALED_BIT: the fence has signalled. Set once, never
 *	cleared.
 * @DMA_FENCE_FLAG_TIMESTAMP_BIT: &dma_fence.timestamp is valid. Set shortly
 *	after the first bit.
 * @DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT: signalling is enabled: the driver has to
 *	signal without being asked. Set before &dma_fence_ops.enable_signaling
 *	runs and whatever that returns.
 * @DMA_FENCE_FLAG_SEQNO64_BIT: the value of &dma_fence_ops.use_64bit_seqno at
 *	dma_fence_init(). Constant.
 * @DMA_FENCE_FLAG_ORPHAN_BIT: the fence has signalled and the core does not
 *	read &dma_fence.ops any more, because there is neither
 *	&dma_fence_ops.release nor &dma_fence_ops.wait
 * @DMA_FENCE_FLAG_DETACHED_BIT: all callbacks have run, signalling does not
 *	access the fence any more, and &dma_fence.lock is not taken any more
 *	either, except for a fence on the stack of the caller. Set after the
 *	first bit, unless a driver signals by other means than
 *	dma_fence_signal() and its relatives.
 * @DMA_FENCE_FLAG_NAMES_STAY_BIT: the ops, and what the two name ops read,
 *	exist as long as the fence, so they are called for signalled fences,
 *	too. Set by the creator of the fence right after dma_fence_init().
 * @DMA_FENCE_FLAG_USER_BITS: this and all higher bits belong to the driver
 *
 * Enabling and signalling both happen under &dma_fence.lock, and each tests the
 * bit of the other there. So &dma_fence_ops.enable_signaling either returns
 * before the fence signals, or is never called.
 */
enum dma_fence_flag_bits {
	DMA_FENCE_FLAG_SIGNALED_BIT,
	DMA_FENCE_FLAG_TIMESTAMP_BIT,
	DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT,
	DMA_FENCE_FLAG_SEQNO64_BIT,
	DMA_FENCE_FLAG_ORPHAN_BIT,
	DMA_FENCE_FLAG_DETACHED_BIT,
	DMA_FENCE_FLAG_NAMES_STAY_BIT,
	DMA_FENCE_FLAG_USER_BITS, /* drivers count from here: keep it last */
};

/**
 * typedef dma_fence_func_t - function to call when a fence signals
 * @fence: the fence that signalled
 * @cb: the structure passed to dma_fence_add_callback(). The core does not
 *	access it any more, so it may be freed or reused.
 *
 * Context: Any, hard interrupt included; &dma_fence.lock is held with
 *	    interrupts off. Must neither sleep nor take that lock.
 */
typedef void (*dma_fence_func_t)(struct dma_fence *fence,
				 struct dma_fence_cb *cb);

/**
 * struct dma_fence_cb - a callback on a fence
 * @node: link in &dma_fence.cb_list; empty before it is added and after it ran
 * @func: function to call
 *
 * Allocated by the caller, usually inside a structure with what @func needs.
 * dma_fence_add_callback() fills it in.
 */
struct dma_fence_cb {
	struct list_head node;
	dma_fence_func_t func;
};

/**
 * struct dma_fence_ops - operations of the driver of a fence
 *
 * Only the two names are mandatory. Once a fence has signalled the core calls
 * only @release and @wait, and does not even read this table if it has neither:
 * such a driver may be unloaded before its signalled fences are released, see
 * the cross-driver contract.
 */
struct dma_fence_ops {
	/**
	 * @use_64bit_seqno:
	 *
	 * Compare all 64 bits of &dma_fence.seqno. When false only the lower
	 * 32 count, and they may wrap around.
	 */
	bool use_64bit_seqno;

	/**
	 * @get_driver_name:
	 *
	 * Mandatory. Return the name of the driver, for debugging. Other
	 * drivers call dma_fence_driver_name().
	 *
	 * Context: Any.
	 */
	const char * (*get_driver_name)(struct dma_fence *fence);

	/**
	 * @get_timeline_name:
	 *
	 * Mandatory. Return the name of the timeline of &dma_fence.context,
	 * for example of a ring. Other drivers call
	 * dma_fence_timeline_name().
	 *
	 * Context: Any.
	 */
	const char * (*get_timeline_name)(struct dma_fence *fence);

	/**
	 * @enable_signaling:
	 *
	 * Optional. Enable the interrupt, or whatever else ensures that the
	 * fence gets signalled: the CPU waits from now on. Devices that
	 * synchronise among themselves do not pay for this until then. Called
	 * at most once. A driver without this op signals in any case.
	 *
	 * The fence may signal right after this returns, even before, and lose
	 * its last reference then. A driver whose interrupt handler needs the
	 * fence takes a reference here and drops it after signalling.
	 *
	 * Context: Atomic, &dma_fence.lock held with interrupts off.
	 * Return: true when the fence will be signalled. false when the work
	 * is already complete, or failed in a way that leaves nothing to
	 * wait for (set the error first): the core signals then.
	 */
	bool (*enable_signaling)(struct dma_fence *fence);

	/**
	 * @signaled:
	 *
	 * Optional. Test whether the work is complete, without waiting for
	 * the interrupt. May lag behind the hardware, but true is final, and
	 * may come with an error set on the fence. The core signals a fence
	 * for which this returns true.
	 *
	 * Context: Any, with or without &dma_fence.lock.
	 * Return: true when the work is complete.
	 */
	bool (*signaled)(struct dma_fence *fence);

	/**
	 * @wait:
	 *
	 * Optional, and not for new drivers: replaces
	 * dma_fence_default_wait(), for old drivers whose reset needs it.
	 *
	 * Context: Process context; sleeps for up to @timeout jiffies.
	 * Return: jiffies left, at least 1, when the fence signalled; 0 on
	 * timeout; -ERESTARTSYS when @intr is true and a signal arrived. Any
	 * other negative errno means that the fence signalled and the wait
	 * failed, for example for a device that hangs.
	 */
	signed long (*wait)(struct dma_fence *fence,
			    bool intr, signed long timeout);

	/**
	 * @release:
	 *
	 * Optional. Release what belongs to the fence after its last
	 * reference is gone, and free its memory after an RCU grace period,
	 * as dma_fence_free() does. Without this op the core calls
	 * dma_fence_free(), and the fence must be the first member of its
	 * allocation. A driver with this op stays as long as its fences.
	 *
	 * Context: Any, hard interrupt included.
	 */
	void (*release)(struct dma_fence *fence);

	/**
	 * @fence_value_str:
	 *
	 * Optional. Print the value of this fence, usually its seqno, into
	 * @str of @size bytes; for debugfs.
	 */
	void (*fence_value_str)(struct dma_fence *fence, char *str, int size);

	/**
	 * @timeline_value_str:
	 *
	 * Optional. Print the current value of the timeline into @str of
	 * @size bytes; for debugfs. The same for each fence of a context.
	 */
	void (*timeline_value_str)(struct dma_fence *fence,
				   char *str, int size);

	/**
	 * @set_deadline:
	 *
	 * Optional. Note that a waiter needs the fence signalled by @deadline
	 * (CLOCK_MONOTONIC), for example the next vertical blank. A hint for
	 * power management: raise the clock in time, or ignore it. Keep the
	 * earliest of several; one in the past means at once.
	 *
	 * Context: Any; the caller does not hold &dma_fence.lock.
	 *	    May be called more than once and concurrently.
	 */
	void (*set_deadline)(struct dma_fence *fence, ktime_t deadline);
};

void dma_fence_init(struct dma_fence *fence, const struct dma_fence_ops *ops,
		    spinlock_t *lock, u64 context, u64 seqno);

void dma_fence_release(struct kref *kref);
void dma_fence_free(struct dma_fence *fence);
void dma_fence_describe(struct dma_fence *fence, struct seq_file *seq);

/**
 * dma_fence_put - drop a reference
 * @fence: the fence, or NULL for no effect
 *
 * Context: Any. The last one calls &dma_fence_ops.release.
 */
static inline void dma_fence_put(struct dma_fence *fence)
{
	if (!fence)
		return;

	kref_put(&fence->refcount, dma_fence_release);
}

/*
 * __free(dma_fence_put): drop the reference when the variable goes out of
 * scope. NULL and error pointers are ignored.
 */
DEFINE_FREE(dma_fence_put, struct dma_fence *,
	    dma_fence_put(IS_ERR(_T) ? NULL : _T))

/**
 * dma_fence_get - take another reference
 * @fence: a fence to which the caller already has a reference, or NULL
 *
 * Context: Any.
 * Return: @fence.
 */
static inline struct dma_fence *dma_fence_get(struct dma_fence *fence)
{
	if (!fence)
		return NULL;

	kref_get(&fence->refcount);
	return fence;
}

/**
 * dma_fence_get_rcu - take a reference unless the last one is gone
 * @fence: a fence found under RCU, not NULL
 *
 * Sufficient where the memory of a fence is not reused within a grace period.
 * Otherwise see dma_fence_get_rcu_safe().
 *
 * Context: Any, inside rcu_read_lock().
 * Return: @fence, or NULL when its last reference was already gone.
 */
static inline struct dma_fence *dma_fence_get_rcu(struct dma_fence *fence)
{
	return kref_get_unless_zero(&fence->refcount) ? fence : NULL;
}

/**
 * dma_fence_get_rcu_safe - take a reference to the fence in an RCU pointer
 * @fencep: the pointer; may change at any time
 *
 * Safe also for fences from a SLAB_TYPESAFE_BY_RCU cache, where the memory of a
 * released fence may become another fence within the grace period. A sequence
 * count around the look-up is an alternative for many pointers at a time.
 *
 * Context: Any, inside rcu_read_lock(). Does not sleep.
 * Return: the fence with a reference for the caller, or NULL when the pointer
 *	   is NULL.
 */
static inline struct dma_fence *
dma_fence_get_rcu_safe(struct dma_fence __rcu **fencep)
{
	struct dma_fence *fence;

	while ((fence = rcu_dereference(*fencep))) {
		/* A fence being released is about to be replaced: retry. */
		if (!dma_fence_get_rcu(fence))
			continue;

		/*
		 * The reference may be to a later fence in the same memory.
		 * Taking it was a full barrier, so if the pointer is still the
		 * same, it pointed here while the reference counted.
		 */
		if (likely(rcu_access_pointer(*fencep) == fence))
			return rcu_pointer_handoff(fence);

		dma_fence_put(fence);
	}

	return NULL;
}

#ifdef CONFIG_LOCKDEP
bool dma_fence_begin_signalling(void);
void dma_fence_end_signalling(bool cookie);
void __dma_fence_might_wait(void);
#else
static inline bool dma_fence_begin_signalling(void)
{
	return true;
}

static inline void dma_fence_end_signalling(bool cookie) {}
static inline void __dma_fence_might_wait(void) {}
#endif

/*
 * guard(dma_fence_signalling)(): annotate the rest of the scope as
 * dma_fence_begin_signalling() describes.
 */
DEFINE_LOCK_GUARD_0(dma_fence_signalling,
		    _T->cookie = dma_fence_begin_signalling(),
		    dma_fence_end_signalling(_T->cookie),
		    bool cookie)

int dma_fence_signal(struct dma_fence *fence);
int dma_fence_signal_locked(struct dma_fence *fence);
int dma_fence_signal_timestamp(struct dma_fence *fence, ktime_t timestamp);
int dma_fence_signal_timestamp_locked(struct dma_fence *fence,
				      ktime_t timestamp);
signed long dma_fence_default_wait(struct dma_fence *fence,
				   bool intr, signed long timeout);
int dma_fence_add_callback(struct dma_fence *fence,
			   struct dma_fence_cb *cb,
			   dma_fence_func_t func);
bool dma_fence_remove_callback(struct dma_fence *fence,
			       struct dma_fence_cb *cb);
void dma_fence_enable_sw_signaling(struct dma_fence *fence);

/**
 * dma_fence_test_signaled_flag - test for a signalled fence, without its driver
 * @fence: the fence
 *
 * Whatever was written before the fence signalled, for example its error, is
 * visible to a caller that gets true.
 *
 * Context: Any. Safe when the driver is gone.
 * Return: true once dma_fence_signal() or a relative has taken effect.
 */
static inline bool dma_fence_test_signaled_flag(const struct dma_fence *fence)
{
	return test_bit_acquire(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags);
}

/**
 * dma_fence_test_orphan - test for a fence whose ops must not be read
 * @fence: the fence
 *
 * Context: Any. When this returns false, &dma_fence.ops stays valid until the
 *	    end of the present rcu_read_lock() section at least.
 * Return: true when the fence has signalled and its driver may be gone.
 */
static inline bool dma_fence_test_orphan(const struct dma_fence *fence)
{
	return test_bit_acquire(DMA_FENCE_FLAG_ORPHAN_BIT, &fence->flags);
}

/**
 * dma_fence_names_valid - test whether the name ops may be called
 * @fence: the fence
 *
 * Context: Any; the answer holds until the end of the present rcu_read_lock()
 *	    section.
 * Return: true when the fence is pending, so that its driver is there, or when
 *	   its names stay as long as the fence.
 */
static inline bool dma_fence_names_valid(const struct dma_fence *fence)
{
	return !dma_fence_test_signaled_flag(fence) ||
	       test_bit(DMA_FENCE_FLAG_NAMES_STAY_BIT, &fence->flags);
}

/**
 * dma_fence_driver_name - get the name of a fence's driver, for display
 * @fence: the fence
 *
 * A signalled fence may outlive its driver. So the driver is asked while the
 * fence is pending; later only where the names stay as long as the fence: for
 * stubs, arrays, chains and software timelines.
 *
 * Context: Any. If the fence may signal meanwhile, call this inside
 *	    rcu_read_lock() and do not use the string beyond that.
 * Return: a string, never NULL.
 */
static inline const char *dma_fence_driver_name(struct dma_fence *fence)
{
	if (!dma_fence_names_valid(fence))
		return "detached-driver";

	return fence->ops->get_driver_name(fence);
}

/**
 * dma_fence_timeline_name - get the name of a fence's timeline, for display
 * @fence: the fence
 *
 * Context: As for dma_fence_driver_name().
 * Return: a string, never NULL.
 */
static inline const char *dma_fence_timeline_name(struct dma_fence *fence)
{
	if (!dma_fence_names_valid(fence))
		return "signaled-timeline";

	return fence->ops->get_timeline_name(fence);
}

/**
 * dma_fence_is_signaled_locked - test for a signalled fence, under its lock
 * @fence: the fence
 *
 * Context: Atomic, &dma_fence.lock held with interrupts off.
 * Return: true when the fence has signalled.
 */
static inline bool
dma_fence_is_signaled_locked(struct dma_fence *fence)
{
	const struct dma_fence_ops *ops = fence->ops;
	bool done;

	lockdep_assert_held(fence->lock);

	done = dma_fence_test_signaled_flag(fence);
	if (!done && ops->signaled && ops->signaled(fence)) {
		dma_fence_signal_locked(fence);
		done = true;
	}

	return done;
}

/**
 * dma_fence_is_signaled_rcu - test for a signalled fence, under RCU
 * @fence: the fence
 *
 * As dma_fence_is_signaled(), for callers that test many fences. The read-side
 * section is needed because the fence may signal at any moment, and its driver
 * may be gone a grace period later.
 *
 * Context: Any, inside rcu_read_lock(), without &dma_fence.lock.
 * Return: true when the fence has signalled.
 */
static inline bool dma_fence_is_signaled_rcu(struct dma_fence *fence)
{
	const struct dma_fence_ops *ops;

	RCU_LOCKDEP_WARN(!rcu_read_lock_held(), "no RCU read-side section");

	if (dma_fence_test_signaled_flag(fence))
		return true;

	ops = fence->ops;
	if (!ops->signaled || !ops->signaled(fence))
		return false;

	dma_fence_signal(fence);
	return true;
}

/**
 * dma_fence_is_signaled - test for a signalled fence
 * @fence: the fence
 *
 * Asks the driver if the fence is not marked yet, and signals the fence if the
 * driver says that the work is complete. This does not enable signalling: if
 * the driver has no &dma_fence_ops.signaled and the fence has no waiter, this
 * may return false forever.
 *
 * Drivers should signal their fences as soon as the work is complete, and call
 * this before they let hardware wait for a seqno, which may have wrapped around
 * meanwhile.
 *
 * Context: Any, but not with &dma_fence.lock held: see
 *	    dma_fence_is_signaled_locked().
 * Return: true when the fence has signalled.
 */
static inline bool
dma_fence_is_signaled(struct dma_fence *fence)
{
	guard(rcu)();
	return dma_fence_is_signaled_rcu(fence);
}

/**
 * dma_fence_seqno_is_later - compare two seqnos of one context
 * @f1: the one that may be later
 * @f2: the other
 * @wide: compare all 64 bits; otherwise the lower 32, which wrap around
 *
 * Context: Any.
 * Return: true when @f1 comes after @f2, false when it is the same or earlier.
 */
static inline bool dma_fence_seqno_is_later(u64 f1, u64 f2, bool wide)
{
	if (wide)
		return f1 > f2;

	return (s32)((u32)f1 - (u32)f2) > 0;
}

/**
 * __dma_fence_is_later - compare two seqnos as the ops of their fences say
 * @f1: the one that may be later
 * @f2: the other
 * @ops: ops of the fences they come from
 *
 * Context: Any.
 * Return: true when @f1 comes after @f2, false when it is the same or earlier.
 */
static inline bool __dma_fence_is_later(u64 f1, u64 f2,
					const struct dma_fence_ops *ops)
{
	return dma_fence_seqno_is_later(f1, f2, ops->use_64bit_seqno);
}

/**
 * dma_fence_is_later - test whether a fence comes after another of its context
 * @f1: the one that may be later
 * @f2: the other, of the same context
 *
 * Context: Any.
 * Return: true when @f1 comes after @f2. false when it is the same or earlier,
 *	   and, with a warning, when the contexts differ.
 */
static inline bool dma_fence_is_later(struct dma_fence *f1,
				      struct dma_fence *f2)
{
	bool comparable = f1->context == f2->context;

	return !WARN_ON(!comparable) &&
	       dma_fence_seqno_is_later(f1->seqno, f2->seqno,
					test_bit(DMA_FENCE_FLAG_SEQNO64_BIT,
						 &f1->flags));
}

/**
 * dma_fence_is_later_or_same - test whether a fence is another one or later
 * @f1: the one that may be later
 * @f2: the other, of the same context
 *
 * Context: Any.
 * Return: true when @f1 is @f2 or comes after it. Two different fences with
 *	   equal seqnos are neither.
 */
static inline bool dma_fence_is_later_or_same(struct dma_fence *f1,
					      struct dma_fence *f2)
{
	if (f1 == f2)
		return true;

	return dma_fence_is_later(f1, f2);
}

/**
 * dma_fence_later - find the later of two pending fences of one context
 * @f1: one fence
 * @f2: another of the same context
 *
 * Context: Any, but without &dma_fence.lock of either.
 * Return: the later one, without a reference of its own. NULL when that one has
 *	   signalled (then both have), and, with a warning, when the contexts
 *	   differ.
 */
static inline struct dma_fence *dma_fence_later(struct dma_fence *f1,
						struct dma_fence *f2)
{
	struct dma_fence *last;

	if (WARN_ON(f1->context != f2->context))
		return NULL;

	/*
	 * Ask the driver as well: without signalling enabled, a fence whose
	 * work is complete need not be marked yet.
	 */
	last = dma_fence_is_later(f1, f2) ? f1 : f2;
	return dma_fence_is_signaled(last) ? NULL : last;
}

/**
 * dma_fence_get_status_locked - get the status of a fence, under its lock
 * @fence: the fence
 *
 * Context: Atomic, &dma_fence.lock held with interrupts off.
 * Return: 0 when pending, 1 when signalled, or the negative errno with which it
 *	   signalled.
 */
static inline int dma_fence_get_status_locked(struct dma_fence *fence)
{
	lockdep_assert_held(fence->lock);

	if (!dma_fence_is_signaled_locked(fence))
		return 0;

	return fence->error ? fence->error : 1;
}

int dma_fence_get_status(struct dma_fence *fence);

/**
 * dma_fence_set_error - record that the work has failed
 * @fence: a fence that has not signalled yet
 * @error: the reason, a negative errno
 *
 * Must be called before the fence signals, so that every reader of the
 * signalled fence sees the error, too. Warns when the fence has signalled, and
 * when @error is no errno, because waiters would misread it.
 *
 * Context: Any; the caller is about to signal the fence.
 */
static inline void dma_fence_set_error(struct dma_fence *fence,
				       int error)
{
	WARN_ON(dma_fence_test_signaled_flag(fence));
	WARN_ON(error < -MAX_ERRNO || error >= 0);

	fence->error = error;
}

/**
 * dma_fence_timestamp - get the time at which a fence signalled
 * @fence: a signalled fence
 *
 * Spins in the short time between the signalled bit being set and the time
 * being stored.
 *
 * Context: Any. The caller has a reference.
 * Return: CLOCK_MONOTONIC time of signalling; with a warning, the present time
 *	   when the fence is pending.
 */
static inline ktime_t dma_fence_timestamp(struct dma_fence *fence)
{
	if (WARN_ON(!dma_fence_test_signaled_flag(fence)))
		return ktime_get();

	/* Pairs with dma_fence_signal_timestamp_locked(). */
	while (!test_bit_acquire(DMA_FENCE_FLAG_TIMESTAMP_BIT, &fence->flags))
		cpu_relax();

	return fence->timestamp;
}

signed long dma_fence_wait_timeout(struct dma_fence *fence,
				   bool intr, signed long timeout);
signed long dma_fence_wait_any_timeout(struct dma_fence **fences,
				       u32 count,
				       bool intr, signed long timeout,
				       u32 *idx);
signed long dma_fence_wait(struct dma_fence *fence, bool intr);
void dma_fence_set_deadline(struct dma_fence *fence, ktime_t deadline);

struct dma_fence *dma_fence_get_stub(void);
struct dma_fence *dma_fence_allocate_private_stub(ktime_t timestamp);
u64 dma_fence_context_alloc(unsigned int num);

extern const struct dma_fence_ops dma_fence_array_ops;
extern const struct dma_fence_ops dma_fence_chain_ops;

/**
 * dma_fence_is_array - test for a &struct dma_fence_array
 * @fence: the fence, not NULL
 *
 * Context: Any.
 * Return: true when @fence is one.
 */
static inline bool dma_fence_is_array(struct dma_fence *fence)
{
	return &dma_fence_array_ops == fence->ops;
}

/**
 * dma_fence_is_chain - test for a &struct dma_fence_chain
 * @fence: the fence, not NULL
 *
 * Context: Any.
 * Return: true when @fence is one.
 */
static inline bool dma_fence_is_chain(struct dma_fence *fence)
{
	return &dma_fence_chain_ops == fence->ops;
}

/**
 * dma_fence_is_container - test for a fence that contains other fences
 * @fence: the fence, not NULL
 *
 * Containers must not be nested freely: each level adds recursion to
 * signalling, walking and releasing.
 *
 * Context: Any.
 * Return: true for an array and for a chain.
 */
static inline bool dma_fence_is_container(struct dma_fence *fence)
{
	return dma_fence_is_chain(fence) || dma_fence_is_array(fence);
}

#endif /* __LINUX_DMA_FENCE_H */
