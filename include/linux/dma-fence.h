/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma_fence: has this piece of device work happened yet?
 *
 * A fence starts pending and becomes signalled once, for good. Whoever holds a
 * reference may peek, sleep or leave a callback; only the driver that made the
 * fence knows when to signal it.
 */

#ifndef __LINUX_DMA_FENCE_H
#define __LINUX_DMA_FENCE_H

#include <linux/bitops.h>
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/kref.h>
#include <linux/list.h>
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
 * struct dma_fence - one event of a device that others can wait for
 * @lock: the driver's spinlock, always taken with interrupts off. It orders
 *	signalling against callbacks that come and go. Fences may share one.
 * @ops: what the driver can do with this fence
 * @cb_list: callbacks in the order they were added. Guarded by @lock, and
 *	valid only until the fence signals.
 * @timestamp: CLOCK_MONOTONIC time at which the fence signalled. Written once,
 *	by the one who signals, in the place where @cb_list was; read it with
 *	dma_fence_timestamp().
 * @rcu: takes over the same place when the last reference is gone, so that the
 *	memory outlives every reader which looks the fence up under RCU
 * @context: the timeline, a number from dma_fence_context_alloc(). Constant.
 * @seqno: the place on that timeline. Constant; says which of two fences of one
 *	context signals later.
 * @flags: bits of &enum dma_fence_flag_bits, for the atomic bit operations.
 *	They may be read without @lock.
 * @refcount: see dma_fence_get() and dma_fence_put()
 * @error: 0, or a negative errno if the work failed. Written before the fence
 *	signals, by dma_fence_set_error(); means something only once it did.
 *
 * Drivers embed it in their own request structure. The fields are for the core
 * and for the driver which made the fence; a holder uses the functions below.
 */
struct dma_fence {
	spinlock_t *lock;	/* guards @cb_list, serialises signalling */
	const struct dma_fence_ops *ops;
	/*
	 * These three never live at the same time. Callbacks are only there
	 * until the fence signals, the time is only there from then on, and
	 * the RCU head is needed when nobody holds the fence any more. So a
	 * reference is needed to look at the first two; being inside
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
 * @DMA_FENCE_FLAG_TIMESTAMP_BIT: &dma_fence.timestamp is valid. Follows shortly
 *	after the first bit.
 * @DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT: somebody cares, so the driver was asked to
 *	signal by itself. Set before &dma_fence_ops.enable_signaling runs and
 *	whatever that answers.
 * @DMA_FENCE_FLAG_SEQNO64_BIT: what &dma_fence_ops.use_64bit_seqno said at
 *	dma_fence_init(). Constant.
 * @DMA_FENCE_FLAG_ORPHAN_BIT: the fence has signalled and nobody will look at
 *	&dma_fence.ops any more, because there is neither
 *	&dma_fence_ops.release nor &dma_fence_ops.wait
 * @DMA_FENCE_FLAG_DETACHED_BIT: all callbacks have run, signalling does not touch
 *	the fence any more, and &dma_fence.lock is not taken any more either,
 *	except for a fence on the stack of the caller. Follows the first bit,
 *	unless a driver signals by other means than dma_fence_signal() and
 *	its relatives.
 * @DMA_FENCE_FLAG_NAMES_STAY_BIT: the ops and what the two names look at live as
 *	long as the fence, so they are asked for names when it has signalled,
 *	too. Set by the maker of the fence right after dma_fence_init().
 * @DMA_FENCE_FLAG_USER_BITS: this and all higher bits belong to the driver
 *
 * Enabling and signalling both happen under &dma_fence.lock and each looks at
 * the other's bit there. A driver may therefore rely on this: the op that
 * enables either ran to its end before the fence signalled, or never runs.
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
 * typedef dma_fence_func_t - what to run when a fence signals
 * @fence: the fence that signalled
 * @cb: the structure that was given to dma_fence_add_callback(). The core does
 *	not touch it any more, so it may be freed or used again.
 *
 * Context: Any, hard interrupt included; &dma_fence.lock is held with
 *	    interrupts off. So no sleeping, and nothing that takes that lock.
 */
typedef void (*dma_fence_func_t)(struct dma_fence *fence,
				 struct dma_fence_cb *cb);

/**
 * struct dma_fence_cb - a callback that waits for a fence
 * @node: link in &dma_fence.cb_list; empty before it was added and after it ran
 * @func: what to call
 *
 * Storage is the caller's, usually inside a structure that holds what @func
 * needs. dma_fence_add_callback() fills it in.
 */
struct dma_fence_cb {
	struct list_head node;
	dma_fence_func_t func;
};

/**
 * struct dma_fence_ops - the driver's half of a fence
 *
 * Only the two names are mandatory. Once a fence has signalled the core calls
 * nothing here but @release and @wait, and does not even look at this table
 * if it has neither: such a driver may go before its signalled fences do, see
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
	 * Mandatory. Names the driver, for people who debug. Computed when
	 * asked for, so that fences need not store it. Others reach it through
	 * dma_fence_driver_name().
	 *
	 * Context: Any.
	 */
	const char * (*get_driver_name)(struct dma_fence *fence);

	/**
	 * @get_timeline_name:
	 *
	 * Mandatory. Names what &dma_fence.context stands for: a ring, a
	 * queue. Others reach it through dma_fence_timeline_name().
	 *
	 * Context: Any.
	 */
	const char * (*get_timeline_name)(struct dma_fence *fence);

	/**
	 * @enable_signaling:
	 *
	 * Optional. From now on somebody on the CPU waits: switch on the
	 * interrupt, or whatever else makes sure that the fence gets
	 * signalled. As long as nobody waits, devices that synchronise among
	 * themselves need not pay for this. Called once at most. A driver
	 * without this op has to signal unasked.
	 *
	 * The fence may signal right after this returns, even before, and lose
	 * its last reference then. A driver whose interrupt handler needs the
	 * fence takes a reference here and drops it after signalling.
	 *
	 * Context: Atomic, &dma_fence.lock held with interrupts off.
	 * Return: true when the fence will be signalled. false when the work
	 * is already over, or failed in a way that leaves nothing to
	 * wait for (set the error first): the core signals then.
	 */
	bool (*enable_signaling)(struct dma_fence *fence);

	/**
	 * @signaled:
	 *
	 * Optional. Peek whether the work is over, without waiting for the
	 * interrupt. May lag behind the hardware, but an answer of true is
	 * final, and may come with an error set on the fence. The core signals
	 * a fence for which this says true.
	 *
	 * Context: Any, with or without &dma_fence.lock.
	 * Return: true when the work is over.
	 */
	bool (*signaled)(struct dma_fence *fence);

	/**
	 * @wait:
	 *
	 * Optional, and not for new drivers: another way to sleep, for old
	 * drivers whose reset needs it. dma_fence_default_wait() otherwise.
	 *
	 * Context: Process context; sleeps for up to @timeout jiffies.
	 * Return: jiffies left, at least 1, when the fence signalled; 0 when
	 * time ran out; -ERESTARTSYS when @intr is true and a signal
	 * came. Any other negative errno counts as "it is over and it
	 * failed", a locked-up device for example.
	 */
	signed long (*wait)(struct dma_fence *fence,
			    bool intr, signed long timeout);

	/**
	 * @release:
	 *
	 * Optional. The last reference is gone: give back what belongs to the
	 * fence, and its memory, after an RCU grace period, as
	 * dma_fence_free() would. That is also what happens without this op,
	 * and then the fence must be the first member of what was allocated.
	 * With this op the driver stays as long as any of its fences.
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
	 * Optional. Print how far the timeline has got into @str of @size
	 * bytes; for debugfs. The same for each fence of a context.
	 */
	void (*timeline_value_str)(struct dma_fence *fence,
				   char *str, int size);

	/**
	 * @set_deadline:
	 *
	 * Optional. A waiter would like the fence to be signalled by
	 * @deadline (CLOCK_MONOTONIC), the next vertical blank for example. A
	 * hint for power management: clock up in time or ignore it. Keep the
	 * earliest of several; one that lies in the past means at once.
	 *
	 * Context: Any; &dma_fence.lock is not held by the caller for this.
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
 * dma_fence_put - give back a reference
 * @fence: the fence, or NULL for nothing to do
 *
 * Context: Any. The last one ends in &dma_fence_ops.release.
 */
static inline void dma_fence_put(struct dma_fence *fence)
{
	if (!fence)
		return;

	kref_put(&fence->refcount, dma_fence_release);
}

/*
 * __free(dma_fence_put): give the reference back when the variable goes out of
 * scope. NULL and error pointers are left alone.
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
 * dma_fence_get_rcu - take a reference to a fence that may be dying
 * @fence: a fence found under RCU, not NULL
 *
 * Enough where the memory of a fence is not used again within a grace period.
 * Where it may be, see dma_fence_get_rcu_safe().
 *
 * Context: Any, inside rcu_read_lock().
 * Return: @fence, or NULL when its last reference was already gone.
 */
static inline struct dma_fence *dma_fence_get_rcu(struct dma_fence *fence)
{
	return kref_get_unless_zero(&fence->refcount) ? fence : NULL;
}

/**
 * dma_fence_get_rcu_safe - take a reference to the fence in a slot
 * @fencep: the slot; may change at any time
 *
 * Right even if the fences of a driver come from a SLAB_TYPESAFE_BY_RCU cache,
 * where a dying fence can turn into another living one under our hands. The
 * alternative for many slots at a time is a sequence count around the look-up.
 *
 * Context: Any, inside rcu_read_lock(). Does not sleep.
 * Return: the fence with a reference for the caller, or NULL when the slot is
 *	   empty.
 */
static inline struct dma_fence *
dma_fence_get_rcu_safe(struct dma_fence __rcu **fencep)
{
	struct dma_fence *fence;

	while ((fence = rcu_dereference(*fencep))) {
		/* A dying fence is about to leave the slot: look again. */
		if (!dma_fence_get_rcu(fence))
			continue;

		/*
		 * Is what we hold what the slot holds? Taking the reference
		 * was a full barrier, so if the slot still points here it did
		 * so while our reference counted, and the fence is that one
		 * and not a later user of its memory.
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
 * guard(dma_fence_signalling)(): the rest of the scope is a critical section
 * as dma_fence_begin_signalling() describes it.
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
 * dma_fence_test_signaled_flag - has the fence been signalled? Do not ask its driver.
 * @fence: the fence
 *
 * What was written before the fence signalled, its error for example, is
 * visible to a caller who gets true.
 *
 * Context: Any. Safe when the driver is gone.
 * Return: true once dma_fence_signal() or a relative has taken effect.
 */
static inline bool dma_fence_test_signaled_flag(const struct dma_fence *fence)
{
	return test_bit_acquire(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags);
}

/**
 * dma_fence_test_orphan - can the core do without the ops of this fence?
 * @fence: the fence
 *
 * Context: Any. While this is false, &dma_fence.ops stays valid at least until
 *	    the end of the present rcu_read_lock() section.
 * Return: true when the fence has signalled and its driver may be gone.
 */
static inline bool dma_fence_test_orphan(const struct dma_fence *fence)
{
	return test_bit_acquire(DMA_FENCE_FLAG_ORPHAN_BIT, &fence->flags);
}

/* Whether the ops that know the names are there, and what these look at. */
static inline bool __dma_fence_has_names(const struct dma_fence *fence)
{
	return !dma_fence_test_signaled_flag(fence) ||
	       test_bit(DMA_FENCE_FLAG_NAMES_STAY_BIT, &fence->flags);
}

/**
 * dma_fence_driver_name - name of the driver of a fence, for display
 * @fence: the fence
 *
 * A fence may outlive its driver, but only after it has signalled. So this asks
 * the driver as long as the fence is pending; later only where the names stay
 * as long as the fence: those of stubs, arrays, chains and software timelines.
 *
 * Context: Any. If the fence can signal meanwhile, call this inside
 *	    rcu_read_lock() and do not keep the string beyond that.
 * Return: a string, never NULL.
 */
static inline const char *dma_fence_driver_name(struct dma_fence *fence)
{
	if (!__dma_fence_has_names(fence))
		return "detached-driver";

	return fence->ops->get_driver_name(fence);
}

/**
 * dma_fence_timeline_name - name of the timeline of a fence, for display
 * @fence: the fence
 *
 * Context: As for dma_fence_driver_name().
 * Return: a string, never NULL.
 */
static inline const char *dma_fence_timeline_name(struct dma_fence *fence)
{
	if (!__dma_fence_has_names(fence))
		return "signaled-timeline";

	return fence->ops->get_timeline_name(fence);
}

/* Is there a driver behind a pending fence, and does it say: over? */
static inline bool __dma_fence_peek(struct dma_fence *fence)
{
	const struct dma_fence_ops *ops = fence->ops;

	return ops->signaled && ops->signaled(fence);
}

/**
 * dma_fence_is_signaled_locked - dma_fence_is_signaled() under the fence's lock
 * @fence: the fence
 *
 * Context: Atomic, &dma_fence.lock held with interrupts off.
 * Return: true when the fence has signalled.
 */
static inline bool
dma_fence_is_signaled_locked(struct dma_fence *fence)
{
	bool done = dma_fence_test_signaled_flag(fence);

	if (!done && __dma_fence_peek(fence)) {
		dma_fence_signal_locked(fence);
		done = true;
	}

	return done;
}

/*
 * dma_fence_is_signaled() for who is inside rcu_read_lock(): the fence may
 * signal now, and then its driver may not go yet.
 */
static inline bool __dma_fence_is_signaled(struct dma_fence *fence)
{
	if (dma_fence_test_signaled_flag(fence))
		return true;
	if (!__dma_fence_peek(fence))
		return false;

	dma_fence_signal(fence);
	return true;
}

/**
 * dma_fence_is_signaled - has it happened yet?
 * @fence: the fence
 *
 * Asks the driver if the core does not know, and signals the fence if the driver
 * says that the work is over. This does not enable signalling: for a fence
 * for which nobody waits and whose driver has no &dma_fence_ops.signaled
 * the answer may stay false for good.
 *
 * Drivers do well to signal their fences as soon as the work is over and to ask
 * here before they let hardware wait for a seqno, since that may have wrapped
 * around meanwhile.
 *
 * Context: Any, but not with &dma_fence.lock held: see
 *	    dma_fence_is_signaled_locked().
 * Return: true when the fence has signalled.
 */
static inline bool
dma_fence_is_signaled(struct dma_fence *fence)
{
	guard(rcu)();
	return __dma_fence_is_signaled(fence);
}

/* @wide: old drivers count with 32 bits and wrap around, others do not. */
static inline bool __dma_fence_seqno_later(u64 f1, u64 f2, bool wide)
{
	if (wide)
		return f1 > f2;

	return (s32)((u32)f1 - (u32)f2) > 0;
}

/**
 * __dma_fence_is_later - compare two seqnos of one context
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
	return __dma_fence_seqno_later(f1, f2, ops->use_64bit_seqno);
}

/**
 * dma_fence_is_later - does one fence signal after another of its context?
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
	       __dma_fence_seqno_later(f1->seqno, f2->seqno,
				       test_bit(DMA_FENCE_FLAG_SEQNO64_BIT,
						&f1->flags));
}

/**
 * dma_fence_is_later_or_same - is one fence another, or later than that?
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
 * dma_fence_later - which of two fences of one context to wait for
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
	 * Ask the driver as well: nobody may have enabled signalling, and a
	 * finished fence need not be marked yet.
	 */
	last = dma_fence_is_later(f1, f2) ? f1 : f2;
	return dma_fence_is_signaled(last) ? NULL : last;
}

/**
 * dma_fence_get_status_locked - dma_fence_get_status() under the fence's lock
 * @fence: the fence
 *
 * Context: Atomic, &dma_fence.lock held with interrupts off.
 * Return: 0 when pending, 1 when signalled, or the negative errno with which it
 *	   signalled.
 */
static inline int dma_fence_get_status_locked(struct dma_fence *fence)
{
	if (!dma_fence_is_signaled_locked(fence))
		return 0;

	return fence->error ? fence->error : 1;
}

int dma_fence_get_status(struct dma_fence *fence);

/**
 * dma_fence_set_error - say that the work has failed
 * @fence: a fence that has not signalled yet
 * @error: why, a negative errno
 *
 * To be called before the fence signals, so that everyone who sees it
 * signalled sees the error too. Warns when it comes too late or when @error is
 * no errno, because waiters would misread it.
 *
 * Context: Any; the caller is the one who signals.
 */
static inline void dma_fence_set_error(struct dma_fence *fence,
				       int error)
{
	WARN_ON(dma_fence_test_signaled_flag(fence));
	WARN_ON(error < -MAX_ERRNO || error >= 0);

	fence->error = error;
}

/**
 * dma_fence_timestamp - when did the fence signal?
 * @fence: a signalled fence
 *
 * Spins for the moment between the mark that a fence has signalled and the time
 * being in place.
 *
 * Context: Any. The caller has a reference.
 * Return: CLOCK_MONOTONIC time of signalling; with a warning, the present time
 *	   when the fence is pending.
 */
static inline ktime_t dma_fence_timestamp(struct dma_fence *fence)
{
	if (WARN_ON(!dma_fence_test_signaled_flag(fence)))
		return ktime_get();

	/* Pairs with the barrier of the one who signals. */
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
 * dma_fence_is_array - is this a &struct dma_fence_array?
 * @fence: the fence, not NULL
 *
 * Context: Any.
 * Return: true when it is.
 */
static inline bool dma_fence_is_array(struct dma_fence *fence)
{
	return &dma_fence_array_ops == fence->ops;
}

/**
 * dma_fence_is_chain - is this a &struct dma_fence_chain?
 * @fence: the fence, not NULL
 *
 * Context: Any.
 * Return: true when it is.
 */
static inline bool dma_fence_is_chain(struct dma_fence *fence)
{
	return &dma_fence_chain_ops == fence->ops;
}

/**
 * dma_fence_is_container - is this fence made of other fences?
 * @fence: the fence, not NULL
 *
 * Containers are not to be nested at will: each level would be one more
 * recursion whenever the whole is signalled, walked or released.
 *
 * Context: Any.
 * Return: true for an array and for a chain.
 */
static inline bool dma_fence_is_container(struct dma_fence *fence)
{
	return dma_fence_is_chain(fence) || dma_fence_is_array(fence);
}

#endif /* __LINUX_DMA_FENCE_H */
