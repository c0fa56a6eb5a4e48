// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of one fence: initialization, signalling, callbacks, release
 *
 * A fence goes from pending to signalled once. &dma_fence.lock, which belongs
 * to the driver, serialises enabling, signalling and the list of callbacks. It
 * is taken with interrupts off and nests inside every lock of the caller.
 *
 * Lock and ops may be gone an RCU grace period after the fence has signalled
 * and its callbacks have run, while references to the fence remain. So each
 * function here tests the flags first, inside rcu_read_lock(), and takes the
 * lock or reads the ops only when these are still needed.
 */
#include <linux/dma-fence.h>
#include <linux/export.h>
#include <linux/lockdep.h>
#include <linux/sched/task_stack.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "dma-buf-misuse.h"
#include "dma-fence-private.h"

#define CREATE_TRACE_POINTS
#include <trace/events/dma_fence.h>

EXPORT_TRACEPOINT_SYMBOL(dma_fence_emit);
EXPORT_TRACEPOINT_SYMBOL(dma_fence_enable_signal);
EXPORT_TRACEPOINT_SYMBOL(dma_fence_signaled);

/**
 * DOC: DMA fences overview
 *
 * A &struct dma_fence signals when a piece of work of a device is complete. The
 * driver that queues the work initializes the fence with dma_fence_init() on
 * one of its timelines (dma_fence_context_alloc()), hands out references, and
 * calls dma_fence_signal() when the device is done. A holder of a reference
 * can:
 *
 * * test the fence, with dma_fence_is_signaled() and dma_fence_get_status();
 *
 * * sleep until it signals, with dma_fence_wait() and its relatives;
 *
 * * add a function to be called, with dma_fence_add_callback();
 *
 * * let another device wait without the CPU, if both belong to one driver,
 *   which recognises its own fences by their &dma_fence.ops.
 *
 * Fences are shared in three ways. Explicitly, as a &sync_file or inside a
 * &drm_syncobj, which user space passes around. Implicitly, in the &dma_resv of
 * a buffer, where each driver that uses the buffer finds them. And inside the
 * kernel from one component to the next.
 *
 * Enabling the interrupt for a fence can be expensive. It is enabled only for
 * the first waiter on the CPU, through &dma_fence_ops.enable_signaling.
 */

/**
 * DOC: fence cross-driver contract
 *
 * A fence of one driver is used by all others and by memory management. That
 * works because all of them keep these rules:
 *
 * * Every fence signals within a reasonable time. Work that may hang needs a
 *   timeout in its driver, which then gives up and signals with an error. Work
 *   whose end user space decides can have no fence at all.
 *
 * * Once a fence is published, nothing that leads to its signalling may wait
 *   for anything that may itself wait for a fence. That includes every lock
 *   which is held around a wait for a fence: dma_resv_lock() is one of them,
 *   and so are the locks that callers of waiting functions hold.
 *
 * * In particular, no memory is allocated on that path in a mode that can enter
 *   reclaim (GFP_KERNEL, GFP_NOFS), because shrinkers and MMU notifiers may
 *   wait for fences. What signalling needs is allocated before the fence is
 *   published.
 *
 * * Waiting for fences is allowed while holding a &dma_resv, and in shrinkers
 *   and MMU notifiers. Those must in turn not be entered on a path that a
 *   fence depends on.
 *
 * * A driver stays until all its fences have signalled or are released, and for
 *   an RCU grace period more (synchronize_rcu(); unloading a module contains
 *   one). It need not wait for the references to signalled fences: these are
 *   printed, waited for, merged and put by the core alone, without
 *   &dma_fence.lock and &dma_fence.ops.
 *
 * * A driver with &dma_fence_ops.release or &dma_fence_ops.wait stays until its
 *   last fence is released, because the core calls these. A module holds a
 *   reference to itself for each such fence, drops it in the RCU callback that
 *   frees the fence, and calls rcu_barrier() when it exits.
 *
 * * A fence may be on the stack of the task that waits for it, without any
 *   other reference. When dma_fence_wait(), dma_fence_remove_callback() or
 *   dma_fence_enable_sw_signaling() has returned for a fence that has
 *   signalled, the critical section in which it did so has ended, and the frame
 *   may be left.
 *
 * dma_fence_begin_signalling() lets lockdep check these rules.
 */

/* -- contexts ------------------------------------------------------------- */

/* Context 0 is the timeline of the stub. */
static atomic64_t dma_fence_next_context = ATOMIC64_INIT(1);

/**
 * dma_fence_context_alloc - allocate timelines
 * @num: number of timelines, at least 1
 *
 * A number is never allocated twice.
 *
 * Context: Any.
 * Return: the first of @num consecutive numbers.
 */
u64 dma_fence_context_alloc(unsigned int num)
{
	if (dma_buf_misuse(!num))
		num = 1;

	return atomic64_fetch_add(num, &dma_fence_next_context);
}
EXPORT_SYMBOL(dma_fence_context_alloc);

/* -- initialization and release -------------------------------------------- */

static const char *dma_fence_broken_name(struct dma_fence *fence)
{
	return "broken";
}

/* The allocation around the fence is unknown, so leak it. */
static void dma_fence_broken_release(struct dma_fence *fence)
{
}

static const struct dma_fence_ops dma_fence_broken_ops = {
	.get_driver_name	= dma_fence_broken_name,
	.get_timeline_name	= dma_fence_broken_name,
	.release		= dma_fence_broken_release,
};

static DEFINE_SPINLOCK(dma_fence_broken_lock);

static void dma_fence_setup(struct dma_fence *fence,
			    const struct dma_fence_ops *ops, spinlock_t *lock,
			    u64 context, u64 seqno)
{
	fence->ops = ops;
	fence->lock = lock;
	fence->error = 0;
	fence->flags = ops->use_64bit_seqno ?
		       BIT(DMA_FENCE_FLAG_SEQNO64_BIT) : 0;
	fence->context = context;
	fence->seqno = seqno;
	INIT_LIST_HEAD(&fence->cb_list);
	kref_init(&fence->refcount);
	trace_dma_fence_init(fence);
}

static void dma_fence_setup_broken(struct dma_fence *fence, u64 context,
				   u64 seqno)
{
	dma_fence_setup(fence, &dma_fence_broken_ops, &dma_fence_broken_lock,
			context, seqno);
	fence->error = -EINVAL;
	dma_fence_signal(fence);
}

/**
 * dma_fence_init - initialize a fence
 * @fence: the fence, part of a structure of the driver
 * @ops: the driver's operations; must stay until the fence has signalled and an
 *	RCU grace period has passed, and with release or wait as long as the
 *	fence
 * @lock: the driver's lock; must stay as long as @ops without these two. If it
 *	is in the same memory as the fence, that must be freed after a grace
 *	period, as dma_fence_free() does, unless it is on the stack of the
 *	waiter.
 * @context: the timeline, from dma_fence_context_alloc()
 * @seqno: the position on it; must rise from one fence of @context to the next
 *
 * The fence is pending and has one reference, the caller's.
 *
 * When @ops lacks a name, or @ops or @lock is missing, this warns and the fence
 * is signalled with -EINVAL from the start: nothing waits for it, and its
 * memory is never freed.
 *
 * Context: Any.
 */
void dma_fence_init(struct dma_fence *fence, const struct dma_fence_ops *ops,
		    spinlock_t *lock, u64 context, u64 seqno)
{
	if (dma_buf_misuse(!lock || !ops || !ops->get_driver_name ||
			   !ops->get_timeline_name))
		dma_fence_setup_broken(fence, context, seqno);
	else
		dma_fence_setup(fence, ops, lock, context, seqno);
}
EXPORT_SYMBOL(dma_fence_init);

/**
 * dma_fence_free - free a fence after an RCU grace period
 * @fence: the first member of an allocation from kmalloc() or its relatives
 *
 * The core calls this for a driver without &dma_fence_ops.release.
 *
 * Context: Any.
 */
void dma_fence_free(struct dma_fence *fence)
{
	kfree_rcu(fence, rcu);
}
EXPORT_SYMBOL(dma_fence_free);

/*
 * Release a fence that still has callbacks. The driver has broken the contract;
 * all that is left is to run the callbacks and report an error to them.
 */
static noinline void dma_fence_abandon(struct dma_fence *fence)
{
	unsigned long flags;

	WARN_ONCE(!dma_buf_misuse_expected(),
		  "fence %s:%s:%llu:%llu is released but was never signalled\n",
		  dma_fence_driver_name(fence), dma_fence_timeline_name(fence),
		  fence->context, fence->seqno);

	spin_lock_irqsave(fence->lock, flags);
	fence->error = -EDEADLK;
	dma_fence_signal_locked(fence);
	spin_unlock_irqrestore(fence->lock, flags);
}

/**
 * dma_fence_release - release a fence
 * @kref: &dma_fence.refcount
 *
 * Called by dma_fence_put() only. Releasing a pending fence is allowed, its
 * work may have been dropped. But if it still has callbacks, this warns and
 * signals it with -EDEADLK.
 *
 * Context: Any.
 */
void dma_fence_release(struct kref *kref)
{
	struct dma_fence *fence =
		container_of(kref, struct dma_fence, refcount);
	bool orphan;

	trace_dma_fence_destroy(fence);

	orphan = dma_fence_test_orphan(fence);
	if (!orphan && !dma_fence_test_signaled_flag(fence) &&
	    !list_empty(&fence->cb_list)) {
		dma_fence_abandon(fence);
		orphan = dma_fence_test_orphan(fence);
	}

	if (!orphan && fence->ops->release)
		fence->ops->release(fence);
	else
		dma_fence_free(fence);
}
EXPORT_SYMBOL(dma_fence_release);

/* -- signalling ------------------------------------------------------------ */

/*
 * When a waiter may reuse the memory of a fence
 *
 * Drivers have fences on the stack (the TLB invalidations of xe), so the CPU
 * that signals must not access a fence any more once a wait for it has
 * returned. If every waiter took the lock once, that would hold, as a fence
 * signals under its lock. But a signalled fence may outlive its driver, and so
 * the lock. Hence:
 *
 * - Setting the DETACHED bit is the last access of dma_fence_signal_at() to the
 *   fence. Its callers in this file unlock through a local copy of the pointer
 *   to the lock.
 *
 * - While the bit is clear, a waiter takes the lock. The driver is then inside
 *   its critical section or has not entered it yet, and it has to wait for a
 *   grace period before it may go, which the rcu_read_lock() of the waiter
 *   prevents from ending.
 *
 * - When the bit is set, a waiter takes the lock only if the fence or the lock
 *   is on its own stack. The waiter owns it then, so the lock exists; and the
 *   whole critical section has to end before the frame may be left, including
 *   the unlock and what the driver does before that.
 */
static __always_inline void dma_fence_detach(struct dma_fence *fence)
{
	lockdep_assert_held(fence->lock);

	if (!fence->ops->release && !fence->ops->wait)
		set_bit(DMA_FENCE_FLAG_ORPHAN_BIT, &fence->flags);

	/*
	 * The last access to the fence. Order it after those of the callbacks;
	 * pairs with the acquire in dma_fence_needs_lock().
	 */
	smp_mb__before_atomic();
	set_bit(DMA_FENCE_FLAG_DETACHED_BIT, &fence->flags);
}

/* Test whether a waiter has to take dma_fence.lock. Inside rcu_read_lock(). */
static bool dma_fence_needs_lock(struct dma_fence *fence)
{
	return !test_bit_acquire(DMA_FENCE_FLAG_DETACHED_BIT, &fence->flags) ||
	       object_is_on_stack(fence) || object_is_on_stack(fence->lock);
}

/* Wait until the CPU that signalled does not access the fence any more. */
static void dma_fence_settle(struct dma_fence *fence)
{
	unsigned long flags;

	guard(rcu)();
	if (dma_fence_needs_lock(fence)) {
		spin_lock_irqsave(fence->lock, flags);
		spin_unlock_irqrestore(fence->lock, flags);
	}
}

/*
 * Signal a fence, under its lock. Inline, as it is most of what the exported
 * forms below do.
 */
static __always_inline int dma_fence_signal_at(struct dma_fence *fence,
					       ktime_t timestamp)
{
	struct list_head *next;

	lockdep_assert_held(fence->lock);

	if (test_and_set_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags))
		return -EINVAL;

	/*
	 * The time takes the place of the list head. The links between the
	 * callbacks stay: with the bit set, no other CPU changes the list.
	 */
	next = fence->cb_list.next;
	fence->timestamp = timestamp;
	smp_mb__before_atomic(); /* pairs with dma_fence_timestamp() */
	set_bit(DMA_FENCE_FLAG_TIMESTAMP_BIT, &fence->flags);
	trace_dma_fence_signaled(fence);

	while (next != &fence->cb_list) {
		struct dma_fence_cb *cb =
			container_of(next, struct dma_fence_cb, node);

		/* The function may free or reuse its callback. */
		next = next->next;
		INIT_LIST_HEAD(&cb->node);
		cb->func(fence, cb);
	}

	dma_fence_detach(fence);
	return 0;
}

/**
 * dma_fence_signal_timestamp_locked - signal a fence with a given time, locked
 * @fence: the fence; the caller has a reference
 * @timestamp: when the work completed, CLOCK_MONOTONIC; may be in the past
 *
 * Runs the callbacks. Otherwise as dma_fence_signal().
 *
 * Context: Atomic, &dma_fence.lock held with interrupts off.
 * Return: 0, or -EINVAL when the fence has signalled already or @fence is NULL.
 */
int dma_fence_signal_timestamp_locked(struct dma_fence *fence,
				      ktime_t timestamp)
{
	lockdep_assert(!fence || lockdep_is_held(fence->lock));

	if (unlikely(!fence))
		return -EINVAL;

	return dma_fence_signal_at(fence, timestamp);
}
EXPORT_SYMBOL(dma_fence_signal_timestamp_locked);

/**
 * dma_fence_signal_locked - signal a fence, under its lock
 * @fence: the fence
 *
 * Context: Atomic, &dma_fence.lock held with interrupts off.
 * Return: As dma_fence_signal_timestamp_locked().
 */
int dma_fence_signal_locked(struct dma_fence *fence)
{
	lockdep_assert(!fence || lockdep_is_held(fence->lock));

	return dma_fence_signal_timestamp_locked(fence, ktime_get());
}
EXPORT_SYMBOL(dma_fence_signal_locked);

/* As dma_fence_signal_timestamp(), inline for the same reason as above. */
static __always_inline int dma_fence_signal_unlocked(struct dma_fence *fence,
						     ktime_t timestamp)
{
	unsigned long flags;
	spinlock_t *lock; /* a copy: the fence may be gone at the unlock */
	bool cookie;
	int ret;

	if (unlikely(!fence))
		return -EINVAL;

	cookie = dma_fence_begin_signalling();
	lock = fence->lock;
	spin_lock_irqsave(lock, flags);
	ret = dma_fence_signal_at(fence, timestamp);
	spin_unlock_irqrestore(lock, flags);
	dma_fence_end_signalling(cookie);

	return ret;
}

/**
 * dma_fence_signal_timestamp - signal a fence with a given time
 * @fence: the fence
 * @timestamp: when the work completed, CLOCK_MONOTONIC; may be in the past
 *
 * For drivers whose hardware records the time.
 *
 * Context: Any, without &dma_fence.lock.
 * Return: As dma_fence_signal().
 */
int dma_fence_signal_timestamp(struct dma_fence *fence, ktime_t timestamp)
{
	return dma_fence_signal_unlocked(fence, timestamp);
}
EXPORT_SYMBOL(dma_fence_signal_timestamp);

/**
 * dma_fence_signal - signal a fence
 * @fence: the fence; the caller has a reference
 *
 * Runs all callbacks, which wake the waiters. An error must be set before. A
 * second call is allowed and has no effect, because a driver that signals races
 * with dma_fence_is_signaled().
 *
 * Context: Any, without &dma_fence.lock. Part of a signalling section.
 * Return: 0, or -EINVAL when the fence has signalled already or @fence is NULL.
 */
int dma_fence_signal(struct dma_fence *fence)
{
	return dma_fence_signal_unlocked(fence, ktime_get());
}
EXPORT_SYMBOL(dma_fence_signal);

/* -- callbacks ------------------------------------------------------------- */

static void dma_fence_enable_driver(struct dma_fence *fence)
{
	lockdep_assert_held(fence->lock);

	if (dma_fence_test_signaled_flag(fence))
		return;

	trace_dma_fence_enable_signal(fence);
	if (!fence->ops->enable_signaling(fence))
		dma_fence_signal_locked(fence);
}

/*
 * Ensure that the driver will signal. Returns false when the fence has
 * signalled. Inside an rcu_read_lock() section in which the fence was pending,
 * so that the ops stay.
 */
static __always_inline bool dma_fence_enable(struct dma_fence *fence)
{
	lockdep_assert_held(fence->lock);

	if (!test_and_set_bit(DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT,
			      &fence->flags) &&
	    fence->ops->enable_signaling)
		dma_fence_enable_driver(fence);

	/* The op may itself have signalled. */
	return !dma_fence_test_signaled_flag(fence);
}

/**
 * dma_fence_enable_sw_signaling - enable signalling without waiting
 * @fence: the fence; the caller has a reference
 *
 * For callers that only poll dma_fence_is_signaled(), which may otherwise
 * return false forever. Waiting and adding a callback do the same.
 *
 * Context: Any, without &dma_fence.lock.
 */
void dma_fence_enable_sw_signaling(struct dma_fence *fence)
{
	unsigned long flags;

	guard(rcu)();
	if (!dma_fence_needs_lock(fence))
		return;

	spin_lock_irqsave(fence->lock, flags);
	if (!dma_fence_test_signaled_flag(fence))
		dma_fence_enable(fence);
	spin_unlock_irqrestore(fence->lock, flags);
}
EXPORT_SYMBOL(dma_fence_enable_sw_signaling);

/* Returns false when the fence has signalled. Inside rcu_read_lock(). */
static __always_inline bool
dma_fence_insert_callback(struct dma_fence *fence, struct dma_fence_cb *cb,
			  dma_fence_func_t func)
{
	unsigned long flags;
	bool waiting;

	if (dma_fence_test_signaled_flag(fence))
		goto signaled;

	spin_lock_irqsave(fence->lock, flags);
	waiting = dma_fence_enable(fence);
	if (waiting) {
		cb->func = func;
		list_add_tail(&cb->node, &fence->cb_list);
	}
	spin_unlock_irqrestore(fence->lock, flags);
	if (waiting)
		return true;

signaled:
	INIT_LIST_HEAD(&cb->node);
	return false;
}

/**
 * dma_fence_add_callback_rcu - add a callback, inside rcu_read_lock()
 * @fence: the fence
 * @cb: memory for the callback
 * @func: the function
 *
 * As dma_fence_add_callback(), for containers, which add many at a time.
 *
 * Context: Any, inside rcu_read_lock(), without &dma_fence.lock.
 * Return: true when @func will be called, false when the fence has signalled.
 */
bool dma_fence_add_callback_rcu(struct dma_fence *fence,
				struct dma_fence_cb *cb, dma_fence_func_t func)
{
	RCU_LOCKDEP_WARN(!rcu_read_lock_held(), "no RCU read-side section");

	return dma_fence_insert_callback(fence, cb, func);
}

/**
 * dma_fence_add_callback - add a function to call when a fence signals
 * @fence: the fence. The caller has a reference, and ensures that there is one
 *	until the callback has run or was removed.
 * @cb: memory for the callback, in use until then
 * @func: the function
 *
 * Enables signalling. Callbacks run in the order they were added. A callback
 * that could not be added may be passed to dma_fence_remove_callback().
 *
 * Context: Any, without &dma_fence.lock.
 * Return: 0 when @func will be called; -ENOENT when the fence has signalled, so
 *	   @func will not be called; -EINVAL, with a warning, when an argument
 *	   is NULL.
 */
int dma_fence_add_callback(struct dma_fence *fence, struct dma_fence_cb *cb,
			   dma_fence_func_t func)
{
	if (dma_buf_misuse(!fence || !cb || !func))
		return -EINVAL;

	guard(rcu)();
	return dma_fence_insert_callback(fence, cb, func) ? 0 : -ENOENT;
}
EXPORT_SYMBOL(dma_fence_add_callback);

/**
 * dma_fence_remove_callback - remove a callback
 * @fence: the fence
 * @cb: as passed to dma_fence_add_callback(), whatever that returned
 *
 * When this returns the callback is not running and will not run, so its memory
 * may be reused. If it did not run, the caller drops any reference that it was
 * to drop.
 *
 * Context: Any, without &dma_fence.lock and without anything that the callback
 *	    waits for.
 * Return: true when it was removed in time, false when it has run or was never
 *	   added.
 */
bool dma_fence_remove_callback(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	unsigned long flags;
	bool waiting;

	/* The SIGNALED bit is not enough: the callback may be running now. */
	guard(rcu)();
	if (!dma_fence_needs_lock(fence))
		return false;

	spin_lock_irqsave(fence->lock, flags);
	waiting = !list_empty(&cb->node);
	list_del_init(&cb->node);
	spin_unlock_irqrestore(fence->lock, flags);

	return waiting;
}
EXPORT_SYMBOL(dma_fence_remove_callback);

/* -- status ---------------------------------------------------------------- */

/**
 * dma_fence_get_status - get the status of a fence
 * @fence: the fence
 *
 * Context: Any, without &dma_fence.lock.
 * Return: 0 when pending, 1 when signalled, or the negative errno with which it
 *	   signalled.
 */
int dma_fence_get_status(struct dma_fence *fence)
{
	if (!dma_fence_is_signaled(fence))
		return 0;

	dma_fence_settle(fence);
	return fence->error ?: 1;
}
EXPORT_SYMBOL(dma_fence_get_status);

/**
 * dma_fence_describe - print a fence for debugfs
 * @fence: the fence
 * @seq: where to print one line, "driver timeline seq N signalled" or
 *	"unsignalled"
 *
 * Context: Any, without &dma_fence.lock.
 */
void dma_fence_describe(struct dma_fence *fence, struct seq_file *seq)
{
	const char *un = dma_fence_is_signaled(fence) ? "" : "un";

	guard(rcu)();
	seq_printf(seq, "%s %s seq %llu %ssignalled\n",
		   dma_fence_driver_name(fence), dma_fence_timeline_name(fence),
		   fence->seqno, un);
}
EXPORT_SYMBOL(dma_fence_describe);
