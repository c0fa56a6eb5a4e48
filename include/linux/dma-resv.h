/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reservation objects: the lock of a piece of memory, and the fences which say
 * when work on that memory will be over.
 *
 * Writers (reserve, add, replace, copy to) hold the lock. Readers either hold
 * it too, or walk the fences under RCU and start anew when a writer overtook
 * them. Declared here, in this order: the vocabulary, the object, its lock,
 * walking over the fences, and then all the rest.
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
 * enum dma_resv_usage - why a fence is attached to memory
 *
 * The values are ordered from the strictest to the laxest, and a question
 * about one of them covers all stricter ones: who asks for
 * %DMA_RESV_USAGE_READ is told about kernel, write and read fences, who asks
 * for %DMA_RESV_USAGE_BOOKKEEP about every fence there is.
 *
 * A fence may become stricter by being added once more with a lower value. It
 * never becomes laxer that way.
 */
enum dma_resv_usage {
	/**
	 * @DMA_RESV_USAGE_KERNEL: The memory manager itself is at work: moving
	 * or clearing the memory, by a copy engine for instance.
	 *
	 * Nobody may touch the memory before such a fence has signalled,
	 * whatever synchronization was agreed upon. Only who has pinned the
	 * memory, and so knows that the memory manager leaves it alone, need
	 * not wait.
	 */
	DMA_RESV_USAGE_KERNEL,

	/**
	 * @DMA_RESV_USAGE_WRITE: Work submitted by user space changes the
	 * memory, and others who rely on implicit synchronization must see the
	 * result.
	 */
	DMA_RESV_USAGE_WRITE,

	/**
	 * @DMA_RESV_USAGE_READ: Work submitted by user space looks at the
	 * memory; who relies on implicit synchronization must not change it
	 * meanwhile.
	 */
	DMA_RESV_USAGE_READ,

	/**
	 * @DMA_RESV_USAGE_BOOKKEEP: The memory must stay where it is until
	 * then, but nobody waits for it implicitly.
	 *
	 * For preemption and page table updates, TLB flushes, and for work
	 * that user space synchronizes explicitly. Should such work need
	 * implicit synchronization after all, its fence is added again as
	 * read or write, as importing a sync file into a dma-buf does.
	 */
	DMA_RESV_USAGE_BOOKKEEP
};

/**
 * dma_resv_usage_rw - which fences an implicitly synchronized access waits for
 * @write: whether the access changes the memory
 *
 * Beware: this is the usage to ask with, not the one to add with. A new writer
 * comes after all readers and writers, a new reader only after the writers.
 *
 * Context: Any.
 * Return: the usage to give to a query.
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
	 * @lock: Who changes @fences holds it. Owners of the memory use it for
	 * placement and mappings too. Never taken directly, but through
	 * dma_resv_lock() and its relatives.
	 */
	struct ww_mutex lock;

	/**
	 * @fences: The fences and the usage of each, or NULL while there never
	 * was one. Written with @lock held, read under RCU.
	 *
	 * Adding a fence must not fail, since the work may already be on its
	 * way; so room for it is made beforehand, by
	 * dma_resv_reserve_fences().
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
 * dma_resv_is_unused - has the object had no fence at all so far?
 * @obj: the reservation object
 *
 * For those who would wait, and mostly need not: the answer costs one load. Once
 * there was a fence it is no, whatever became of that.
 *
 * Context: Any. The lock may, but need not be held; without it, a fence may
 * have been added since.
 * Return: true as long as none was added, nor room reserved for one.
 */
static inline bool dma_resv_is_unused(const struct dma_resv *obj)
{
	return !rcu_access_pointer(obj->fences);
}

/**
 * dma_resv_is_locked - does anybody hold the lock?
 * @obj: the reservation object
 *
 * Says nothing about who holds it: for "do I", see dma_resv_assert_held().
 *
 * Context: Any.
 * Return: true while somebody does.
 */
static inline bool dma_resv_is_locked(struct dma_resv *obj)
{
	return ww_mutex_is_locked(&obj->lock);
}

/**
 * dma_resv_locking_ctx - which transaction holds the lock?
 * @obj: the reservation object
 *
 * For long call chains which do not hand the transaction down. Only the holder
 * of the lock can rely on the answer.
 *
 * Context: Any.
 * Return: the transaction; NULL when the lock is free or was taken without one.
 */
static inline struct ww_acquire_ctx *dma_resv_locking_ctx(struct dma_resv *obj)
{
	return READ_ONCE(obj->lock.ctx);
}

/**
 * dma_resv_lock - take the lock
 * @obj: the reservation object
 * @ctx: the transaction which this lock is part of, or NULL
 *
 * Excludes other holders of the lock, but not readers under RCU.
 *
 * Several objects may be locked in any order if all of them are locked with
 * one and the same @ctx, from ww_acquire_init(). When that would close a
 * circle, one of the contenders gets -EDEADLK: it releases all locks it holds
 * with @ctx, takes this one by dma_resv_lock_slow(), and begins again. With
 * NULL for @ctx no other reservation object may be held.
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
 * dma_resv_lock_slow - take the lock that one had to back off from
 * @obj: the reservation object that -EDEADLK was returned for
 * @ctx: the transaction, which holds no lock any more
 *
 * Context: May sleep, for as long as it takes. Released by dma_resv_unlock().
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
 * Needs no transaction: who does not wait cannot deadlock.
 *
 * Context: Process context, does not sleep. Released by dma_resv_unlock().
 * Return: whether the lock is held now.
 */
static inline bool __must_check dma_resv_trylock(struct dma_resv *obj)
{
	return ww_mutex_trylock(&obj->lock, NULL);
}

/**
 * dma_resv_lock_interruptible - take the lock unless a signal comes
 * @obj: the reservation object
 * @ctx: the transaction which this lock is part of, or NULL
 *
 * As dma_resv_lock(), but gives up when the task has a signal to handle. The
 * way back from -EDEADLK is dma_resv_lock_slow_interruptible().
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
 * dma_resv_lock_slow_interruptible - the same unless a signal comes
 * @obj: the reservation object that -EDEADLK was returned for
 * @ctx: the transaction, which holds no lock any more
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
 * Room reserved for fences and not used is forfeited. Kernels with mutex
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
 * guard(dma_resv)(obj) and scoped_guard(dma_resv, obj): the lock of a single
 * object, outside of any transaction, until the end of the scope.
 * scoped_cond_guard(dma_resv_try, ...) does not wait, and
 * scoped_cond_guard(dma_resv_intr, ...) gives way to signals.
 */
DEFINE_GUARD(dma_resv, struct dma_resv *, dma_resv_lock(_T, NULL),
	     dma_resv_unlock(_T))
DEFINE_GUARD_COND(dma_resv, _try, dma_resv_trylock(_T))
DEFINE_GUARD_COND(dma_resv, _intr, dma_resv_lock_interruptible(_T, NULL) == 0)

/**
 * struct dma_resv_iter - a walk over the fences of a reservation object
 *
 * Initialized by dma_resv_iter_begin(), ended by dma_resv_iter_end(). Drivers
 * look at it through the functions below only.
 *
 * A walk without the lock can start over at any step, and then returns fences
 * it has returned before. Who adds up what he sees throws his sum away
 * whenever dma_resv_iter_is_restarted() says so.
 */
struct dma_resv_iter {
	/** @obj: where the walk takes place */
	struct dma_resv *obj;

	/** @usage: the laxest usage that is returned */
	enum dma_resv_usage usage;

	/**
	 * @fence: the fence that the walk stands on and holds a reference to;
	 * always NULL in a walk under the lock, which needs none
	 */
	struct dma_fence *fence;

	/** @fence_usage: usage of the fence returned last */
	enum dma_resv_usage fence_usage;

	/** @index: slot that comes next */
	unsigned int index;

	/**
	 * @fences: the list walked over. Without lock or RCU it may be gone:
	 * good for comparing, never for following.
	 */
	struct dma_resv_list *fences;

	/** @num_fences: how many slots of @fences were used when the walk (re)started */
	unsigned int num_fences;

	/** @is_restarted: the fence returned last was the first one of a pass */
	bool is_restarted;

	/** @serial: which list @fences was; addresses are used again */
	u64 serial;
};

struct dma_fence *dma_resv_iter_first_unlocked(struct dma_resv_iter *cursor);
struct dma_fence *dma_resv_iter_next_unlocked(struct dma_resv_iter *cursor);
struct dma_fence *dma_resv_iter_first(struct dma_resv_iter *cursor);
struct dma_fence *dma_resv_iter_next(struct dma_resv_iter *cursor);

/**
 * dma_resv_iter_is_restarted - did the walk (re)start with this fence?
 * @cursor: the walk
 *
 * Context: Any.
 * Return: true for the first fence of every pass, the very first included.
 */
static inline bool dma_resv_iter_is_restarted(struct dma_resv_iter *cursor)
{
	return cursor->is_restarted;
}

/**
 * dma_resv_iter_usage - usage of the fence returned last
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
 * dma_resv_iter_begin - prepare a walk
 * @cursor: the walk
 * @obj: the reservation object to walk over
 * @usage: the laxest usage to return
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
 * dma_resv_iter_end - finish a walk, wherever it stands
 * @cursor: the walk
 *
 * Needed after every walk without the lock, also one that was left early, as
 * it may hold a reference. Harmless after a walk under the lock.
 *
 * Context: Any.
 */
static inline void dma_resv_iter_end(struct dma_resv_iter *cursor)
{
	dma_fence_put(cursor->fence);
	cursor->fence = NULL;
}

/**
 * dma_resv_for_each_fence_unlocked - walk without the lock
 * @cursor: a &struct dma_resv_iter after dma_resv_iter_begin()
 * @fence: the fence at hand
 *
 * Returns the fences which have not signalled yet. The loop body runs outside
 * of RCU and may sleep; a reference to @fence is held during it. End with
 * dma_resv_iter_end().
 *
 * The walk may start over, see dma_resv_iter_is_restarted(). Where the lock can
 * be had, dma_resv_for_each_fence() is simpler and exact.
 *
 * Context: Any. The lock may, but need not be held.
 */
#define dma_resv_for_each_fence_unlocked(cursor, fence)			\
	for (fence = dma_resv_iter_first_unlocked(cursor);		\
	     fence; fence = dma_resv_iter_next_unlocked(cursor))

/**
 * dma_resv_for_each_fence - walk under the lock
 * @cursor: a &struct dma_resv_iter, which the loop itself initializes
 * @obj: the reservation object
 * @usage: the laxest usage to return
 * @fence: the fence at hand
 *
 * Returns the fences in their slots, whether signalled or not. No references
 * are taken: the lock keeps the fences alive.
 *
 * Context: The lock of @obj must be held, and stay so until the walk is over.
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
