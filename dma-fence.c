// SPDX-License-Identifier: GPL-2.0-only
/*
 * One fence: born, watched, signalled, released.
 *
 * What it is:	the life of a struct dma_fence, whoever made it. How a task
 *		sleeps until one signals stands in dma-fence-wait.c.
 * What it owns: the counter of contexts, the stub fence, and the lockdep map
 *		that stands for "the end of some device work depends on this".
 * Locks:	dma_fence.lock of the driver, interrupts off, around enabling,
 *		signalling and the list of callbacks. It nests inside any lock
 *		of the caller. It and the ops are the driver's, who may be gone
 *		when a fence has signalled and its callbacks have run: so
 *		whoever may come later looks at the flags first, under RCU.
 * May call:	the driver's dma_fence_ops; nothing else of this folder.
 * Never here:	containers, reservation objects, file descriptors.
 * Units:	timestamps and deadlines in CLOCK_MONOTONIC nanoseconds.
 */
#include <linux/dma-fence.h>
#include <linux/export.h>
#include <linux/lockdep.h>
#include <linux/sched/task_stack.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "dma-buf-misuse.h"

#define CREATE_TRACE_POINTS
#include <trace/events/dma_fence.h>

EXPORT_TRACEPOINT_SYMBOL(dma_fence_emit);
EXPORT_TRACEPOINT_SYMBOL(dma_fence_enable_signal);
EXPORT_TRACEPOINT_SYMBOL(dma_fence_signaled);

/**
 * DOC: DMA fences overview
 *
 * A &struct dma_fence tells when a piece of work that a device does is over.
 * The driver that queues the work makes the fence with dma_fence_init() on one
 * of its timelines (dma_fence_context_alloc()), hands out references, and calls
 * dma_fence_signal() when the device is done. Anybody else can:
 *
 * * look, with dma_fence_is_signaled() and dma_fence_get_status();
 *
 * * sleep, with dma_fence_wait() and its relatives;
 *
 * * leave a function to be called, with dma_fence_add_callback();
 *
 * * let another device wait without the CPU, if both belong to one driver,
 *   which recognises its own fences by their &dma_fence.ops.
 *
 * Fences travel in three ways. Explicitly, as a &sync_file or inside a
 * &drm_syncobj, which user space passes around. Implicitly, in the &dma_resv of a
 * buffer, where each driver that uses the buffer finds them. And inside the
 * kernel from one component to the next.
 *
 * Enabling the interrupt for a fence can be expensive. It happens only when the
 * first waiter on the CPU comes, through &dma_fence_ops.enable_signaling.
 */

/**
 * DOC: fence cross-driver contract
 *
 * A fence from one driver ends up in the hands of all others, and in those of
 * memory management. That works because all of them keep these promises:
 *
 * * Every fence signals within a reasonable time. Work that may hang needs a
 *   timeout in its driver, which then gives up and signals with an error. Work
 *   whose end user space decides can have no fence at all.
 *
 * * Once a fence is published, nothing that leads to its signalling may wait
 *   for anything that may itself wait for a fence. A lock is such a thing if
 *   somebody waits for fences while holding it: among them are dma_resv_lock()
 *   and whatever the caller of a waiting function happens to hold.
 *
 * * In particular, no memory is allocated on that way in a mode that can enter
 *   reclaim (GFP_KERNEL, GFP_NOFS), because shrinkers and MMU notifiers may
 *   wait for fences. So what signalling needs has to be allocated before the
 *   fence is published.
 *
 * * Waiting for fences is allowed while holding a &dma_resv, and in shrinkers
 *   and MMU notifiers. Those must in turn not be entered where the end of a
 *   fence hangs on it.
 *
 * * A driver stays until all its fences have signalled or died, and for an RCU
 *   grace period more (synchronize_rcu(); the unloading of a module contains
 *   one). How long others hold on to a signalled fence is their affair: it is
 *   printed, waited for, merged and put by the core alone, which then needs
 *   neither &dma_fence.lock nor &dma_fence.ops.
 *
 * * A driver with &dma_fence_ops.release or &dma_fence_ops.wait stays until its
 *   last fence is gone, because nobody else can do that for it. A module holds
 *   a reference to itself for each such fence, gives it back in the RCU
 *   callback that frees the fence, and calls rcu_barrier() when it exits.
 *
 * * A fence may be on the stack of the task that waits for it, without any other
 *   reference. When dma_fence_wait(), dma_fence_remove_callback() or
 *   dma_fence_enable_sw_signaling() has returned for a fence that has
 *   signalled, the critical section in which it did so is over, and the
 *   frame may be left.
 *
 * dma_fence_begin_signalling() teaches these rules to lockdep.
 */

/* -- contexts ------------------------------------------------------------- */

/* Context 0 is the timeline of the stub and of nobody else. */
static atomic64_t dma_fence_next_context = ATOMIC64_INIT(1);

/**
 * dma_fence_context_alloc - reserve timelines
 * @num: how many, at least 1
 *
 * The numbers are never used again.
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

/* -- birth and death ------------------------------------------------------- */

static const char *dma_fence_broken_name(struct dma_fence *fence)
{
	return "broken";
}

/* Nobody knows what memory this fence is part of: better lost than wrecked. */
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
 * dma_fence_init - make a fence
 * @fence: memory for it, part of a structure of the driver
 * @ops: the driver's half; has to stay until the fence has signalled and an RCU
 *	grace period has passed, and with release or wait as long as the fence
 * @lock: the driver's lock for it; as for @ops without these two. If it is part
 *	of the memory of the fence, that must be freed after a grace period,
 *	as dma_fence_free() does, unless it is on the stack of the waiter.
 * @context: the timeline, from dma_fence_context_alloc()
 * @seqno: the place on it; must rise from one fence of @context to the next
 *
 * The fence is pending and has one reference, the caller's.
 *
 * When @ops lacks a name, or @ops or @lock is missing, there is a warning and
 * the fence is born signalled with -EINVAL: nobody will wait for it, and its
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
 * dma_fence_free - free a fence that was allocated as such
 * @fence: first member of something from kmalloc() or its relatives
 *
 * What &dma_fence_ops.release does where there is none. The memory stays
 * readable for an RCU grace period.
 *
 * Context: Any.
 */
void dma_fence_free(struct dma_fence *fence)
{
	kfree_rcu(fence, rcu);
}
EXPORT_SYMBOL(dma_fence_free);

/*
 * The last reference is gone and someone still waits. The driver has broken its
 * promise; what can be done is to wake the waiters and tell them.
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
 * dma_fence_release - the last reference is gone
 * @kref: &dma_fence.refcount
 *
 * For dma_fence_put() alone. A pending fence is no mistake as such, its work may
 * have been thrown away. But if callbacks still wait for it there is a
 * warning, and it signals with -EDEADLK.
 *
 * Context: Any.
 */
void dma_fence_release(struct kref *kref)
{
	struct dma_fence *fence = container_of(kref, struct dma_fence, refcount);

	trace_dma_fence_destroy(fence);

	if (!dma_fence_test_signaled_flag(fence) && !list_empty(&fence->cb_list))
		dma_fence_abandon(fence);

	if (!dma_fence_test_orphan(fence) && fence->ops->release)
		fence->ops->release(fence);
	else
		dma_fence_free(fence);
}
EXPORT_SYMBOL(dma_fence_release);

/* -- signalling ------------------------------------------------------------ */

/*
 * When a waiter may use the memory of a fence again.
 *
 * Drivers have fences on the stack (the TLB invalidations of xe), so the CPU that
 * signals must be through with a fence when a wait for it returns. Taking the
 * lock once would ensure that, as a fence signals under its lock. But a
 * signalled fence may outlive its driver, and with it the lock. Hence:
 *
 * - The DETACHED bit is the last access of dma_fence_signal_timestamp_locked() to
 *   the fence. Its callers in here unlock through a pointer of their own.
 *
 * - While the bit is missing, a waiter takes the lock. The driver is still in its
 *   critical section or before it, and has to wait for a grace period before
 *   it may go, which rcu_read_lock() of the waiter holds up.
 *
 * - With the bit set, a waiter takes the lock only if the fence or the lock is on
 *   its own stack. It is the owner then, so the lock exists; and the whole
 *   critical section has to be over before the frame may go, the unlock and
 *   what the driver does before it included.
 */
static void dma_fence_detach_locked(struct dma_fence *fence)
{
	if (!fence->ops->release && !fence->ops->wait)
		set_bit(DMA_FENCE_FLAG_ORPHAN_BIT, &fence->flags);

	/* Order it after what the callbacks did. The last access to the fence. */
	smp_mb__before_atomic();
	set_bit(DMA_FENCE_FLAG_DETACHED_BIT, &fence->flags);
}

/* Whether a waiter has to take dma_fence.lock. Inside rcu_read_lock(). */
static bool dma_fence_has_lock(struct dma_fence *fence)
{
	return !test_bit_acquire(DMA_FENCE_FLAG_DETACHED_BIT, &fence->flags) ||
	       object_is_on_stack(fence) || object_is_on_stack(fence->lock);
}

/* Return when the CPU that signalled is through with the fence. */
static void dma_fence_settle(struct dma_fence *fence)
{
	unsigned long flags;

	guard(rcu)();
	if (dma_fence_has_lock(fence)) {
		spin_lock_irqsave(fence->lock, flags);
		spin_unlock_irqrestore(fence->lock, flags);
	}
}

/**
 * dma_fence_signal_timestamp_locked - signal under the lock, at a known time
 * @fence: the fence; the caller has a reference
 * @timestamp: when the work was over, CLOCK_MONOTONIC; need not be now
 *
 * Runs the callbacks. Everything else is as for dma_fence_signal().
 *
 * Context: Atomic, &dma_fence.lock held with interrupts off.
 * Return: 0, or -EINVAL when the fence has signalled before or @fence is NULL.
 */
int dma_fence_signal_timestamp_locked(struct dma_fence *fence,
				      ktime_t timestamp)
{
	struct list_head *next;

	if (unlikely(!fence))
		return -EINVAL;

	lockdep_assert_held(fence->lock);

	if (test_and_set_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags))
		return -EINVAL;

	/*
	 * The time is stored where the head of the list was. The links of the
	 * callbacks stay: with the bit set, nobody but us touches them.
	 */
	next = fence->cb_list.next;
	fence->timestamp = timestamp;
	smp_mb__before_atomic(); /* for dma_fence_timestamp() */
	set_bit(DMA_FENCE_FLAG_TIMESTAMP_BIT, &fence->flags);
	trace_dma_fence_signaled(fence);

	while (next != &fence->cb_list) {
		struct dma_fence_cb *cb =
			container_of(next, struct dma_fence_cb, node);

		/* It may free itself or be used again. */
		next = next->next;
		INIT_LIST_HEAD(&cb->node);
		cb->func(fence, cb);
	}

	dma_fence_detach_locked(fence);
	return 0;
}
EXPORT_SYMBOL(dma_fence_signal_timestamp_locked);

/**
 * dma_fence_signal_locked - signal under the lock
 * @fence: the fence
 *
 * Context: Atomic, &dma_fence.lock held with interrupts off.
 * Return: As dma_fence_signal_timestamp_locked().
 */
int dma_fence_signal_locked(struct dma_fence *fence)
{
	return dma_fence_signal_timestamp_locked(fence, ktime_get());
}
EXPORT_SYMBOL(dma_fence_signal_locked);

/**
 * dma_fence_signal_timestamp - signal, at a known time
 * @fence: the fence
 * @timestamp: when the work was over, CLOCK_MONOTONIC; need not be now
 *
 * For drivers whose hardware notes the time by itself.
 *
 * Context: Any, without &dma_fence.lock.
 * Return: As dma_fence_signal().
 */
int dma_fence_signal_timestamp(struct dma_fence *fence, ktime_t timestamp)
{
	unsigned long flags;
	spinlock_t *lock; /* of the driver; kept apart from the fence */
	bool cookie;
	int ret;

	if (unlikely(!fence))
		return -EINVAL;

	cookie = dma_fence_begin_signalling();
	/* The owner may use the fence again before the unlock: see above. */
	lock = fence->lock;
	spin_lock_irqsave(lock, flags);
	ret = dma_fence_signal_timestamp_locked(fence, timestamp);
	spin_unlock_irqrestore(lock, flags);
	dma_fence_end_signalling(cookie);

	return ret;
}
EXPORT_SYMBOL(dma_fence_signal_timestamp);

/**
 * dma_fence_signal - the work is over
 * @fence: the fence; the caller has a reference
 *
 * Wakes all waiters and runs all callbacks, for good. An error must have been
 * set before. It is no mistake to signal twice: drivers race with those who
 * peek, and the first one wins.
 *
 * Context: Any, without &dma_fence.lock. Part of a signalling section.
 * Return: 0, or -EINVAL when the fence has signalled before or @fence is NULL.
 */
int dma_fence_signal(struct dma_fence *fence)
{
	return dma_fence_signal_timestamp(fence, ktime_get());
}
EXPORT_SYMBOL(dma_fence_signal);

/* -- callbacks ------------------------------------------------------------- */

/* The first to care. As dma_fence_enable_locked(). */
static bool dma_fence_ask_driver_locked(struct dma_fence *fence)
{
	if (dma_fence_test_signaled_flag(fence))
		return false;

	trace_dma_fence_enable_signal(fence);
	if (!fence->ops->enable_signaling(fence))
		dma_fence_signal_locked(fence);

	/* The op may itself have signalled. */
	return !dma_fence_test_signaled_flag(fence);
}

/*
 * Make sure that the driver will signal. Returns false when there is nothing to
 * wait for (any more). Inside rcu_read_lock(), where the fence was pending.
 */
static bool dma_fence_enable_locked(struct dma_fence *fence)
{
	lockdep_assert_held(fence->lock);

	if (test_and_set_bit(DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT, &fence->flags) ||
	    !fence->ops->enable_signaling)
		return !dma_fence_test_signaled_flag(fence);

	return dma_fence_ask_driver_locked(fence);
}

/**
 * dma_fence_enable_sw_signaling - ask the driver to signal by itself
 * @fence: the fence; the caller has a reference
 *
 * What the first waiter does as well. For those who will only look from time to
 * time and want dma_fence_is_signaled() to become true.
 *
 * Context: Any, without &dma_fence.lock.
 */
void dma_fence_enable_sw_signaling(struct dma_fence *fence)
{
	unsigned long flags;

	guard(rcu)();
	if (!dma_fence_has_lock(fence))
		return;

	spin_lock_irqsave(fence->lock, flags);
	if (!dma_fence_test_signaled_flag(fence))
		dma_fence_enable_locked(fence);
	spin_unlock_irqrestore(fence->lock, flags);
}
EXPORT_SYMBOL(dma_fence_enable_sw_signaling);

/**
 * dma_fence_add_callback - have a function called when a fence signals
 * @fence: the fence. The caller has a reference, and sees to it that there is
 *	one until the callback has run or was removed.
 * @cb: storage for the callback, until then
 * @func: the function
 *
 * Enables signalling. Callbacks run in the order they were added. One that could
 * not be added is left as dma_fence_remove_callback() likes it.
 *
 * Context: Any, without &dma_fence.lock.
 * Return: 0 when @func will be called; -ENOENT when the fence has signalled, so
 *	   @func will not be called; -EINVAL, with a warning, when an argument is
 *	   missing.
 */
int dma_fence_add_callback(struct dma_fence *fence, struct dma_fence_cb *cb,
			   dma_fence_func_t func)
{
	unsigned long flags;
	bool waiting;

	if (dma_buf_misuse(!fence || !cb || !func))
		return -EINVAL;

	INIT_LIST_HEAD(&cb->node);

	guard(rcu)();
	if (dma_fence_test_signaled_flag(fence))
		return -ENOENT;

	spin_lock_irqsave(fence->lock, flags);
	waiting = dma_fence_enable_locked(fence);
	if (waiting) {
		cb->func = func;
		list_add_tail(&cb->node, &fence->cb_list);
	}
	spin_unlock_irqrestore(fence->lock, flags);

	return waiting ? 0 : -ENOENT;
}
EXPORT_SYMBOL(dma_fence_add_callback);

/**
 * dma_fence_remove_callback - take a callback back
 * @fence: the fence
 * @cb: what was given to dma_fence_add_callback(), whatever that returned
 *
 * After this the callback neither runs nor will run, so its storage is free.
 * A reference that the callback was to drop is the caller's to drop if it did
 * not run.
 *
 * Context: Any, without &dma_fence.lock and without anything the callback
 *	    itself waits for.
 * Return: true when it was removed in time, false when it has run or was never
 *	   added.
 */
bool dma_fence_remove_callback(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	unsigned long flags;
	bool waiting;

	/* Signalled is not enough: the callback may be running at this moment. */
	guard(rcu)();
	if (!dma_fence_has_lock(fence))
		return false;

	spin_lock_irqsave(fence->lock, flags);
	waiting = !list_empty(&cb->node);
	list_del_init(&cb->node);
	spin_unlock_irqrestore(fence->lock, flags);

	return waiting;
}
EXPORT_SYMBOL(dma_fence_remove_callback);

/* -- looking --------------------------------------------------------------- */

/**
 * dma_fence_get_status - how is it going?
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
 * @seq: where to: one line, "driver timeline seq N signalled" or "unsignalled"
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
