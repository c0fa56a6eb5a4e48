/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of the kernel that the code under test calls, for a program of one
 * thread. In a model every <linux/...h> that is not of this project is empty,
 * and this file is included first.
 *
 * Memory comes from malloc(), so that the sanitizers of the compiler check it;
 * it fails when a model asks for that. RCU frees at once, so that a later
 * access is found. Locks are only counted: one that is taken twice, or dropped
 * without being taken, ends the program, and so does every warning.
 */
#ifndef _MODEL_KERNEL_H
#define _MODEL_KERNEL_H

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* -- types and macros ------------------------------------------------------- */

typedef uint8_t u8;
typedef uint32_t u32;
typedef unsigned long long u64;
typedef int32_t s32;
typedef long long s64;
#define U64_MAX	((u64)~0ULL)
typedef s64 ktime_t;
typedef unsigned int gfp_t;

#define __rcu
#define __init
#define __user
#define __must_check
#define __iomem
#define __percpu
#define __counted_by(member)
#define likely(x)		(x)
#define unlikely(x)		(x)
#define fallthrough		__attribute__((fallthrough))
#define IS_ENABLED(option)	0
#define EXPORT_SYMBOL(symbol)		struct model_nothing
#define EXPORT_TRACEPOINT_SYMBOL(event)	struct model_nothing
#define EXPORT_SYMBOL_GPL(symbol)	struct model_nothing
#define EXPORT_SYMBOL_NS_GPL(symbol, ns) struct model_nothing
/* The one initcall, called by models that need stub fences. */
int model_boot(void);
#define early_initcall(func)	int model_boot(void) { return func(); }
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))
#define min(a, b)		((a) < (b) ? (a) : (b))
#define max(a, b)		((a) > (b) ? (a) : (b))
#define min_t(type, a, b)	min((type)(a), (type)(b))
#define swap(a, b) do { __typeof__(a) _t = (a); (a) = (b); (b) = _t; } while (0)
#define upper_32_bits(n)	((u32)((u64)(n) >> 32))
#define lower_32_bits(n)	((u32)(n))
#define BIT(n)			(1UL << (n))
#define MAX_ERRNO		4095
#define ERR_PTR(error)		((void *)(long)(error))
#define PTR_ERR(ptr)		((long)(ptr))
#define IS_ERR(ptr)		((unsigned long)(ptr) >= (unsigned long)-MAX_ERRNO)
#define check_add_overflow(a, b, sum) __builtin_add_overflow(a, b, sum)
#define noinline
#define struct_size(p, member, n) (sizeof(*(p)) + sizeof((p)->member[0]) * (size_t)(n))
#define struct_size_t(type, member, n) struct_size((type *)NULL, member, n)

/* -- complaints ------------------------------------------------------------- */

/* A model or the code says what is wrong; the program ends. */
#define model_fail(...) do { \
	fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
	fprintf(stderr, __VA_ARGS__); \
	fputc('\n', stderr); \
	abort(); \
} while (0)

#define model_check(cond) do { \
	if (!(cond)) \
		model_fail("not true: %s", #cond); \
} while (0)

#define WARN_ON(cond) ({ \
	bool _warn = !!(cond); \
	if (_warn) \
		model_fail("WARN_ON(%s)", #cond); \
	_warn; \
})
#define WARN_ON_ONCE(cond)	WARN_ON(cond)
#define WARN_ONCE(cond, ...)	WARN_ON(cond)
#define might_sleep()		do { } while (0)
#define might_alloc(gfp)	do { } while (0)
#define cond_resched()		do { } while (0)
#define cpu_relax()		do { } while (0)

/* -- bits and atomics -------------------------------------------------------- */

typedef struct { int counter; } atomic_t;
typedef struct { long counter; } atomic_long_t;
typedef struct { s64 counter; } atomic64_t;

#define READ_ONCE(x)			(*(volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value)		(*(volatile __typeof__(x) *)&(x) = (value))
#define smp_store_release(p, value)	WRITE_ONCE(*(p), value)
#define smp_load_acquire(p)		READ_ONCE(*(p))
#define smp_mb__before_atomic()		do { } while (0)
#define smp_mb__after_atomic()		do { } while (0)
#define ATOMIC64_INIT(value)		{ (value) }
#define atomic_set(v, i)		((v)->counter = (i))
#define atomic_read(v)			((v)->counter)
#define atomic_read_acquire(v)		((v)->counter)
#define atomic_dec_return(v)		(--(v)->counter)
#define atomic_sub_return(i, v)		((v)->counter -= (i))
#define atomic_dec_and_test(v)		(--(v)->counter == 0)
#define atomic64_inc_return(v)		(++(v)->counter)
#define atomic64_fetch_add(i, v)	(((v)->counter += (i)) - (s64)(i))
#define atomic_long_read(v)		((v)->counter)
#define atomic_long_add_return(i, v)	((v)->counter += (i))
#define atomic_long_sub(i, v)		((v)->counter -= (long)(i))
#define cmpxchg(p, old, new) ({ \
	__typeof__(*(p)) _was = *(p); \
	if (_was == (old)) \
		*(p) = (new); \
	_was; \
})
#define xchg(p, new) ({ __typeof__(*(p)) _was = *(p); *(p) = (new); _was; })

static inline bool test_bit(unsigned int bit, const unsigned long *word)
{
	return *word >> bit & 1;
}

static inline bool test_and_set_bit(unsigned int bit, unsigned long *word)
{
	bool was = test_bit(bit, word);

	*word |= 1UL << bit;
	return was;
}

#define test_bit_acquire(bit, word)	test_bit(bit, word)
#define object_is_on_stack(object)	false
#define set_bit(bit, word)		((void)test_and_set_bit(bit, word))
#define __set_bit(bit, word)		set_bit(bit, word)

static inline unsigned int ilog2(unsigned long n)
{
	return 63 - __builtin_clzl(n);
}

/* -- RCU: what is freed is gone at once -------------------------------------- */

struct rcu_head { void *nothing[2]; };

#define rcu_read_lock()			do { } while (0)
#define RCU_LOCKDEP_WARN(cond, text)	do { } while (0)
#define rcu_read_unlock()		do { } while (0)
#define rcu_dereference(p)		(p)
#define rcu_dereference_protected(p, c)	(p)
#define rcu_access_pointer(p)		(p)
#define rcu_pointer_handoff(p)		(p)
#define unrcu_pointer(p)		(p)
#define RCU_INITIALIZER(v)		(v)
#define RCU_INIT_POINTER(p, v)		((p) = (v))
#define rcu_assign_pointer(p, v)	((p) = (v))
#define rcu_replace_pointer(p, v, c)	({ __typeof__(p) _was = (p); (p) = (v); _was; })
#define kfree_rcu(ptr, member)		kfree(ptr)

/* Guards: of those that the code uses, all are of no effect here. */
#define guard(name)			model_guard_##name
#define model_guard_rcu()		do { } while (0)
#define DEFINE_FREE(...)
#define DEFINE_GUARD(...)
#define DEFINE_GUARD_COND(...)
#define DEFINE_LOCK_GUARD_0(...)

/* -- locks ------------------------------------------------------------------- */

typedef struct { int held; } spinlock_t;
struct ww_class { int nothing; };
struct ww_acquire_ctx { int nothing; };
struct mutex { int held; };
struct ww_mutex { struct mutex base; struct ww_acquire_ctx *ctx; };

#define CONFIG_DEBUG_MUTEXES		1
#define DEFINE_SPINLOCK(name)		spinlock_t name
#define DEFINE_WD_CLASS(name)		struct ww_class name
#define spin_lock_init(lock)		((lock)->held = 0)
#define model_lock(count)		model_check((count)++ == 0)
#define model_unlock(count)		model_check(--(count) == 0)
#define spin_lock(lock)			model_lock((lock)->held)
#define spin_unlock(lock)		model_unlock((lock)->held)
#define spin_lock_irqsave(lock, flags)	do { (flags) = 0; spin_lock(lock); } while (0)
#define spin_unlock_irqrestore(lock, flags) do { (void)(flags); spin_unlock(lock); } while (0)
#define lockdep_assert_held(lock)	model_check((lock)->held)
#define lockdep_assert(cond)		model_check(cond)
#define lockdep_is_held(lock)		((lock)->held)
#define ww_mutex_init(lock, class)	(*(lock) = (struct ww_mutex){})
#define ww_mutex_destroy(lock)		model_check(!(lock)->base.held)
#define ww_mutex_is_locked(lock)	((lock)->base.held)
#define ww_mutex_lock_slow(lock, ctx)	((void)ww_mutex_lock(lock, ctx))
#define ww_mutex_lock_interruptible(lock, ctx)		ww_mutex_lock(lock, ctx)
#define ww_mutex_lock_slow_interruptible(lock, ctx)	ww_mutex_lock(lock, ctx)

static inline int ww_mutex_lock(struct ww_mutex *lock, struct ww_acquire_ctx *ctx)
{
	model_lock(lock->base.held);
	lock->ctx = ctx;
	return 0;
}

static inline bool ww_mutex_trylock(struct ww_mutex *lock, struct ww_acquire_ctx *ctx)
{
	return !lock->base.held && !ww_mutex_lock(lock, ctx);
}

static inline void ww_mutex_unlock(struct ww_mutex *lock)
{
	model_unlock(lock->base.held);
}

/* -- references -------------------------------------------------------------- */

struct kref { int count; };

#define kref_init(kref)			((kref)->count = 1)
#define kref_read(kref)			((unsigned int)(kref)->count)

static inline void kref_get(struct kref *kref)
{
	model_check(kref->count++ > 0);
}

static inline bool kref_get_unless_zero(struct kref *kref)
{
	return kref->count && ++kref->count;
}

static inline int kref_put(struct kref *kref, void (*release)(struct kref *kref))
{
	model_check(kref->count > 0);
	if (--kref->count)
		return 0;
	release(kref);
	return 1;
}

/* -- lists ------------------------------------------------------------------- */

struct list_head { struct list_head *next, *prev; };
struct hlist_head { struct hlist_node *first; };
struct hlist_node { struct hlist_node *next, **pprev; };
#define INIT_HLIST_HEAD(head)		((head)->first = NULL)

#define LIST_HEAD_INIT(name)		{ &(name), &(name) }
#define LIST_HEAD(name)			struct list_head name = LIST_HEAD_INIT(name)
#define list_entry(ptr, type, member)	container_of(ptr, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member) list_entry((head)->prev, type, member)
#define list_first_entry_or_null(head, type, member) \
	(list_empty(head) ? NULL : list_first_entry(head, type, member))
#define list_for_each_entry_safe(pos, n, head, member) \
	for (pos = list_first_entry(head, __typeof__(*pos), member), \
	     n = list_first_entry(&pos->member, __typeof__(*pos), member); \
	     &pos->member != (head); \
	     pos = n, n = list_first_entry(&n->member, __typeof__(*n), member))

static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline void list_add(struct list_head *entry, struct list_head *head)
{
	entry->next = head->next;
	entry->prev = head;
	head->next->prev = entry;
	head->next = entry;
}

static inline void list_add_tail(struct list_head *entry, struct list_head *head)
{
	list_add(entry, head->prev);
}

static inline void list_del(struct list_head *entry)
{
	entry->next->prev = entry->prev;
	entry->prev->next = entry->next;
	entry->next = NULL;
	entry->prev = NULL;
}

static inline void list_del_init(struct list_head *entry)
{
	list_del(entry);
	INIT_LIST_HEAD(entry);
}

static inline void list_splice_init(struct list_head *from, struct list_head *to)
{
	while (!list_empty(from)) {
		struct list_head *entry = from->prev;

		list_del(entry);
		list_add(entry, to);
	}
}

/* -- memory ------------------------------------------------------------------ */

#define GFP_KERNEL	1U
#define GFP_NOWAIT	2U
#define __GFP_NOWARN	4U
#define PAGE_SHIFT	12

/* From the model: test whether the next allocation fails. */
bool model_alloc_fails(void);

static inline void *kmalloc(size_t size, gfp_t gfp)
{
	(void)gfp;
	return model_alloc_fails() ? NULL : malloc(size);
}

static inline void *kzalloc(size_t size, gfp_t gfp)
{
	void *memory = kmalloc(size, gfp);

	return memory ? memset(memory, 0, size) : NULL;
}

static inline void *krealloc_array(void *old, size_t n, size_t size, gfp_t gfp)
{
	(void)gfp;
	return model_alloc_fails() ? NULL : realloc(old, n * size);
}

#define kmalloc_array(n, size, gfp)	kmalloc((n) * (size), gfp)
#define kvzalloc(size, gfp)		kzalloc(size, gfp)
#define kmalloc_size_roundup(size)	(((size) + 63) & ~(size_t)63)
#define kfree(memory)			free((void *)(memory))
#define size_add(a, b)			((size_t)(a) + (b))
#define kvmalloc_array(n, size, gfp)	kmalloc((n) * (size), gfp)
#define kvfree(memory)			kfree(memory)

/* -- time, interrupts, threads ------------------------------------------------ */

typedef struct { unsigned long bits; } nodemask_t;
typedef struct { int nothing; } wait_queue_head_t;
struct irq_work { void (*func)(struct irq_work *work); struct irq_work *next; };
struct lockdep_map { int nothing; };
struct seq_file { int nothing; };
struct task_struct { int (*func)(void *data); void *data; };

#define MAX_SCHEDULE_TIMEOUT	LONG_MAX
#define KTIME_MAX		LLONG_MAX
#define MAX_NICE		19
#define current			((struct task_struct *)NULL)
#define ktime_before(a, b)	((a) < (b))
#define init_irq_work(work, f)	(*(work) = (struct irq_work){ .func = (f) })

#define set_user_nice(task, n)	do { } while (0)
#define set_freezable()		do { } while (0)
#define init_waitqueue_head(w)	do { (void)(w); } while (0)
#define wake_up(w)		do { (void)(w); } while (0)
/* The model calls a thread when there may be something to do, and once. */
#define wait_event_freezable(w, cond)	do { (void)(cond); } while (0)
#define kthread_run(f, d, ...)	model_thread_create(f, d)
#define kthread_stop(task)	free(task)

static inline __attribute__((format(printf, 2, 3)))
void seq_printf(struct seq_file *seq, const char *format, ...)
{
}

/* From the model. */
ktime_t ktime_get(void);
bool irq_work_queue(struct irq_work *work);
bool kthread_should_stop(void);
struct task_struct *model_thread_create(int (*func)(void *data), void *data);

/* Trace events, all of them silent. */
#define trace_dma_fence_init(fence)		do { } while (0)
#define trace_dma_fence_destroy(fence)		do { } while (0)
#define trace_dma_fence_signaled(fence)		do { } while (0)
#define trace_dma_fence_enable_signal(fence)	do { } while (0)

#define sort(base, n, size, cmp, swap_func)	qsort(base, n, size, cmp)

#endif /* _MODEL_KERNEL_H */
