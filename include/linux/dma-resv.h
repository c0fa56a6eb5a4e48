/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reservation objects: the lock of a piece of memory, and the fences of the
 * work on it that is not complete
 *
 * Writers (reserve, add, replace, copy to) hold the lock. Readers either hold
 * it as well, or walk the fences under RCU and restart when a writer replaced
 * the list.
 */
#ifndef _LINUX_RESERVATION_H
#define _LINUX_RESERVATION_H

#include <linux/cleanup.h>
#include <linux/ww_mutex.h>
#include <linux/dma-fence.h>
#include <linux/slab.h>
#include <linux/seqlock.h>
#include <linux/rcupdate.h>

extern struct ww_class reservation_ww_class;

struct dma_resv_list;
struct seq_file;

/**
 * enum dma_resv_usage - what the work behind a fence does with the memory
 *
 * The values are ordered, and a query for one of them includes all lower ones:
 * a query for %DMA_RESV_USAGE_READ returns kernel, write and read fences, one
 * for %DMA_RESV_USAGE_BOOKKEEP returns every fence.
 *
 * Adding a fence again with a lower value lowers its usage. It cannot be raised
 * that way.
 */
enum dma_resv_usage {
	/**
	 * @DMA_RESV_USAGE_KERNEL: The memory manager moves or clears the
	 * memory, for example with a copy engine.
	 *
	 * Every access to the memory has to wait for such a fence, whatever
	 * synchronization user space agreed upon. The only exception is
	 * an access to pinned memory, which the memory manager leaves
	 * alone.
	 */
	DMA_RESV_USAGE_KERNEL,

	/**
	 * @DMA_RESV_USAGE_WRITE: Work submitted by user space writes to the
	 * memory, with implicit synchronization: later accesses must see the
	 * result.
	 */
	DMA_RESV_USAGE_WRITE,

	/**
	 * @DMA_RESV_USAGE_READ: Work submitted by user space reads the
	 * memory, with implicit synchronization: later writes must wait.
	 */
	DMA_RESV_USAGE_READ,

	/**
	 * @DMA_RESV_USAGE_BOOKKEEP: The memory must stay where it is until the
	 * fence signals, but implicit synchronization ignores it.
	 *
	 * For preemption and page table updates, TLB flushes, and for work
	 * that user space synchronizes explicitly. Should such work need
	 * implicit synchronization after all, its fence is added again as
	 * read or write, as importing a sync file into a dma-buf does.
	 */
	DMA_RESV_USAGE_BOOKKEEP
};

/**
 * dma_resv_usage_rw - get the usage to wait for before an implicit access
 * @write: whether the access writes to the memory
 *
 * This is the usage for a query, not for adding a fence: a writer waits for all
 * readers and writers, a reader only for the writers.
 *
 * Context: Any.
 * Return: the usage to pass to a query.
 */
static inline enum dma_resv_usage dma_resv_usage_rw(bool write)
{
	if (write)
		return DMA_RESV_USAGE_READ;
	return DMA_RESV_USAGE_WRITE;
}

/**
 * struct dma_resv - lock and fences of a piece of memory
 *
 * Drivers which share a buffer synchronize through the reservation object of
 * that buffer, &dma_buf.resv; memory managers embed one in each of their
 * buffer objects and let its lock protect the rest of that object as well.
 */
struct dma_resv {
	/**
	 * @lock: Held to change @fences. Memory managers use it for placement
	 * and mappings, too. Taken with dma_resv_lock() and its relatives
	 * only.
	 */
	struct ww_mutex lock;

	/**
	 * @fences: The fences and the usage of each; NULL until the first
	 * reservation. Written with @lock held, read under RCU.
	 *
	 * Adding a fence must not fail, since the work may have started, so
	 * dma_resv_reserve_fences() allocates beforehand.
	 */
	struct dma_resv_list __rcu *fences;
};

#define dma_resv_held(obj) lockdep_is_held(&(obj)->lock.base)
#define dma_resv_assert_held(obj) lockdep_assert_held(&(obj)->lock.base)

#ifdef CONFIG_DEBUG_MUTEXES
void dma_resv_reset_max_fences(struct dma_resv *obj);
#else
static inline void dma_resv_reset_max_fences(struct dma_resv *obj) {}
#endif

/**
 * dma_resv_is_unused - test for an object that never had a fence
 * @obj: the reservation object
 *
 * A fast path for waiting: one load. False once a fence was added or a slot
 * reserved, whether or not that has signalled since.
 *
 * Context: Any. The lock may, but need not be held; without it, a fence may
 * have been added since.
 * Return: true as long as no fence was added and no slot reserved.
 */
static inline bool dma_resv_is_unused(const struct dma_resv *obj)
{
	return !rcu_access_pointer(obj->fences);
}

/**
 * dma_resv_is_locked - test whether the lock is held by any task
 * @obj: the reservation object
 *
 * To check that the current task holds it, use dma_resv_assert_held().
 *
 * Context: Any.
 * Return: true while it is held.
 */
static inline bool dma_resv_is_locked(struct dma_resv *obj)
{
	return ww_mutex_is_locked(&obj->lock);
}

/**
 * dma_resv_locking_ctx - get the acquire context that holds the lock
 * @obj: the reservation object
 *
 * For call chains that do not pass the context on. Reliable only for the holder
 * of the lock.
 *
 * Context: Any.
 * Return: the context; NULL when the lock is free or was taken without one.
 */
static inline struct ww_acquire_ctx *dma_resv_locking_ctx(struct dma_resv *obj)
{
	return READ_ONCE(obj->lock.ctx);
}

/**
 * dma_resv_lock - take the lock
 * @obj: the reservation object
 * @ctx: the acquire context, or NULL
 *
 * Excludes other holders of the lock, but not readers under RCU.
 *
 * Several objects may be locked in any order if all of them are locked with the
 * same @ctx, from ww_acquire_init(). When that would deadlock, one of the tasks
 * gets -EDEADLK: it has to release all locks it holds with @ctx, take this one
 * with dma_resv_lock_slow(), and start again. With NULL for @ctx no other
 * reservation object may be held.
 *
 * Context: May sleep. Released by dma_resv_unlock().
 * Return: 0 with the lock held; without it, and only if @ctx is given,
 * -EDEADLK to back off or -EALREADY when @ctx holds this lock already.
 */
static inline int dma_resv_lock(struct dma_resv *obj,
				struct ww_acquire_ctx *ctx)
{
	return ww_mutex_lock(&obj->lock, ctx);
}

/**
 * dma_resv_lock_slow - take the lock after -EDEADLK
 * @obj: the reservation object that -EDEADLK was returned for
 * @ctx: the acquire context, which holds no lock any more
 *
 * Context: May sleep. Released by dma_resv_unlock().
 */
static inline void dma_resv_lock_slow(struct dma_resv *obj,
				      struct ww_acquire_ctx *ctx)
{
	ww_mutex_lock_slow(&obj->lock, ctx);
}

/**
 * dma_resv_trylock - take the lock if it is free
 * @obj: the reservation object
 *
 * Needs no acquire context: it does not wait, so it cannot deadlock.
 *
 * Context: Process context, does not sleep. Released by dma_resv_unlock().
 * Return: true when the lock was taken.
 */
static inline bool __must_check dma_resv_trylock(struct dma_resv *obj)
{
	return ww_mutex_trylock(&obj->lock, NULL);
}

/**
 * dma_resv_lock_interruptible - take the lock unless a signal comes
 * @obj: the reservation object
 * @ctx: the acquire context, or NULL
 *
 * As dma_resv_lock(), but returns early when the task gets a signal. After
 * -EDEADLK use dma_resv_lock_slow_interruptible().
 *
 * Context: May sleep. Released by dma_resv_unlock().
 * Return: as dma_resv_lock(), and -EINTR on a signal.
 */
static inline int dma_resv_lock_interruptible(struct dma_resv *obj,
					      struct ww_acquire_ctx *ctx)
{
	return ww_mutex_lock_interruptible(&obj->lock, ctx);
}

/**
 * dma_resv_lock_slow_interruptible - take the lock after -EDEADLK, or a signal
 * @obj: the reservation object that -EDEADLK was returned for
 * @ctx: the acquire context, which holds no lock any more
 *
 * Context: May sleep. Released by dma_resv_unlock().
 * Return: 0 with the lock held, -EINTR without it on a signal.
 */
static inline int dma_resv_lock_slow_interruptible(struct dma_resv *obj,
						   struct ww_acquire_ctx *ctx)
{
	return ww_mutex_lock_slow_interruptible(&obj->lock, ctx);
}

/**
 * dma_resv_unlock - release the lock
 * @obj: the reservation object
 *
 * Reserved slots that were not used are no longer reserved. Kernels with mutex
 * debugging enforce that.
 *
 * Context: The lock of @obj must be held.
 */
static inline void dma_resv_unlock(struct dma_resv *obj)
{
	dma_resv_reset_max_fences(obj);
	ww_mutex_unlock(&obj->lock);
}

/*
 * guard(dma_resv)(obj) and scoped_guard(dma_resv, obj): hold the lock of a
 * single object, without an acquire context, until the end of the scope.
 * scoped_cond_guard(dma_resv_try, ...) does not wait, and
 * scoped_cond_guard(dma_resv_intr, ...) returns early on signals.
 */
DEFINE_GUARD(dma_resv, struct dma_resv *, dma_resv_lock(_T, NULL),
	     dma_resv_unlock(_T))
DEFINE_GUARD_COND(dma_resv, _try, dma_resv_trylock(_T))
DEFINE_GUARD_COND(dma_resv, _intr, dma_resv_lock_interruptible(_T, NULL) == 0)

/**
 * struct dma_resv_iter - a walk over the fences of a reservation object
 *
 * Initialized by dma_resv_iter_begin(), ended by dma_resv_iter_end(). Drivers
 * access it only through the functions below.
 *
 * A walk without the lock may restart at any step, and then returns fences it
 * has returned before. A caller that accumulates something has to drop it
 * whenever dma_resv_iter_is_restarted() returns true.
 */
struct dma_resv_iter {
	/** @obj: the reservation object */
	struct dma_resv *obj;

	/** @usage: the highest usage that is returned */
	enum dma_resv_usage usage;

	/**
	 * @fence: the current fence, with a reference; always NULL in a walk
	 * under the lock, which needs none
	 */
	struct dma_fence *fence;

	/** @fence_usage: usage of the fence returned last */
	enum dma_resv_usage fence_usage;

	/** @index: index of the next slot */
	unsigned int index;

	/**
	 * @fences: the list walked over. Without lock or RCU it may be freed,
	 * so the pointer may be compared but not dereferenced.
	 */
	struct dma_resv_list *fences;

	/** @num_fences: used slots of @fences when the walk (re)started */
	unsigned int num_fences;

	/** @is_restarted: the last fence was the first since a (re)start */
	bool is_restarted;

	/** @serial: serial number of @fences, as its address may be reused */
	u64 serial;
};

struct dma_fence *dma_resv_iter_first_unlocked(struct dma_resv_iter *cursor);
struct dma_fence *dma_resv_iter_next_unlocked(struct dma_resv_iter *cursor);
struct dma_fence *dma_resv_iter_first(struct dma_resv_iter *cursor);
struct dma_fence *dma_resv_iter_next(struct dma_resv_iter *cursor);

/**
 * dma_resv_iter_is_restarted - test for the first fence since a (re)start
 * @cursor: the walk
 *
 * Context: Any.
 * Return: true for the first fence after the start and after each restart.
 */
static inline bool dma_resv_iter_is_restarted(struct dma_resv_iter *cursor)
{
	return cursor->is_restarted;
}

/**
 * dma_resv_iter_usage - get the usage of the fence returned last
 * @cursor: the walk
 *
 * Context: Any.
 * Return: the usage that the fence was added with.
 */
static inline enum dma_resv_usage
dma_resv_iter_usage(struct dma_resv_iter *cursor)
{
	return cursor->fence_usage;
}

/**
 * dma_resv_iter_begin - initialize a walk
 * @cursor: the walk
 * @obj: the reservation object
 * @usage: the highest usage to return
 *
 * Context: Any.
 */
static inline void dma_resv_iter_begin(struct dma_resv_iter *cursor,
				       struct dma_resv *obj,
				       enum dma_resv_usage usage)
{
	*cursor = (struct dma_resv_iter) {
		.obj = obj,
		.usage = usage,
	};
}

/**
 * dma_resv_iter_end - end a walk, at any step
 * @cursor: the walk
 *
 * Needed after every walk without the lock, also after a break, as it may hold
 * a reference. Has no effect after a walk under the lock.
 *
 * Context: Any.
 */
static inline void dma_resv_iter_end(struct dma_resv_iter *cursor)
{
	dma_fence_put(cursor->fence);
	cursor->fence = NULL;
}

/**
 * dma_resv_for_each_fence_unlocked - iterate over fences without the lock
 * @cursor: a &struct dma_resv_iter after dma_resv_iter_begin()
 * @fence: the current fence
 *
 * Returns the pending fences. The loop body runs outside of RCU and may sleep;
 * a reference to @fence is held during it. End with dma_resv_iter_end().
 *
 * The walk may restart, see dma_resv_iter_is_restarted(). Where the lock can be
 * taken, dma_resv_for_each_fence() is simpler and exact.
 *
 * Context: Any. The lock may, but need not be held.
 */
#define dma_resv_for_each_fence_unlocked(cursor, fence)			\
	for (fence = dma_resv_iter_first_unlocked(cursor);		\
	     fence; fence = dma_resv_iter_next_unlocked(cursor))

/**
 * dma_resv_for_each_fence - iterate over fences under the lock
 * @cursor: a &struct dma_resv_iter, which the loop initializes
 * @obj: the reservation object
 * @usage: the highest usage to return
 * @fence: the current fence
 *
 * Returns all fences, whether signalled or not, without references: the lock
 * keeps them.
 *
 * Context: The lock of @obj must be held until the walk ends.
 */
#define dma_resv_for_each_fence(cursor, obj, usage, fence)	\
	for (dma_resv_iter_begin(cursor, obj, usage),	\
	     fence = dma_resv_iter_first(cursor); fence;	\
	     fence = dma_resv_iter_next(cursor))

void dma_resv_init(struct dma_resv *obj);
void dma_resv_fini(struct dma_resv *obj);
int dma_resv_reserve_fences(struct dma_resv *obj, unsigned int num_fences);
void dma_resv_add_fence(struct dma_resv *obj, struct dma_fence *fence,
			enum dma_resv_usage usage);
void dma_resv_replace_fences(struct dma_resv *obj, uint64_t context,
			     struct dma_fence *fence,
			     enum dma_resv_usage usage);
int dma_resv_get_fences(struct dma_resv *obj, enum dma_resv_usage usage,
			unsigned int *num_fences, struct dma_fence ***fences);
int dma_resv_get_singleton(struct dma_resv *obj, enum dma_resv_usage usage,
			   struct dma_fence **fence);
int dma_resv_copy_fences(struct dma_resv *dst, struct dma_resv *src);
long dma_resv_wait_timeout(struct dma_resv *obj, enum dma_resv_usage usage,
			   bool intr, unsigned long timeout);
void dma_resv_set_deadline(struct dma_resv *obj, enum dma_resv_usage usage,
			   ktime_t deadline);
bool dma_resv_test_signaled(struct dma_resv *obj, enum dma_resv_usage usage);
void dma_resv_describe(struct dma_resv *obj, struct seq_file *seq);

#endif /* _LINUX_RESERVATION_H */
