/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The software timeline as its own code, debugfs and the trace event see it;
 * and the lists that debugfs shows. Without CONFIG_SW_SYNC nothing is listed
 * and sync files pay nothing for it.
 */
#ifndef _LINUX_SYNC_H
#define _LINUX_SYNC_H

#include <linux/dma-fence.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/sync_file.h>
#include <linux/types.h>

/**
 * struct sync_timeline - a clock that is advanced by hand
 * @kref: the open file has one, each fence has one
 * @name: comm of the task that opened it; never changes
 * @context: fence context of all its fences; never changes
 * @lock: protects @value and @pending, with interrupts off. Innermost: no
 *	fence lock is taken under it.
 * @value: the time, 32 bit and circular. Written under @lock, read anywhere.
 * @pending: the fences it has not reached, earliest first. They hold a
 *	reference to the timeline, and it none to them: a fence leaves the tree
 *	when its time comes or its last user goes.
 * @node: place among all timelines that there are, also those that were closed
 *	and have fences left; under the lock of that list
 */
struct sync_timeline {
	struct kref		kref;
	char			name[32];
	u64			context;

	spinlock_t		lock; /* see above */
	int			value;
	struct rb_root_cached	pending;

	struct list_head	node;
};

/**
 * struct sync_pt - a point on a timeline, as a fence
 * @base: the fence; its seqno is the value of the timeline at which it signals
 * @lock: lock of the fence; one each, so that what a fence calls back may drop
 *	the last reference to another one of the same timeline
 * @timeline: where it is a point of; never changes
 * @node: place in &sync_timeline.pending, or empty; under &sync_timeline.lock
 * @due: list of those that one advance has reached; whoever took the fence out
 *	of the tree owns this
 * @has_deadline: @deadline is meaningful; under @lock
 * @deadline: earliest point in time that somebody asked for; under @lock
 */
struct sync_pt {
	struct dma_fence	base;
	spinlock_t		lock; /* see above */
	struct sync_timeline	*timeline;
	struct rb_node		node;
	struct list_head	due;
	bool			has_deadline;
	ktime_t			deadline;
};

#ifdef CONFIG_SW_SYNC

extern const struct file_operations sw_sync_debugfs_fops;

bool sync_pt_is(struct dma_fence *fence);
void sync_timeline_put(struct sync_timeline *timeline);
void sync_timeline_debug_add(struct sync_timeline *timeline);
void sync_timeline_debug_remove(struct sync_timeline *timeline);
void sync_file_debug_add(struct sync_file *sync_file);
void sync_file_debug_remove(struct sync_file *sync_file);

#else

static inline void sync_file_debug_add(struct sync_file *sync_file) { }
static inline void sync_file_debug_remove(struct sync_file *sync_file) { }

#endif /* CONFIG_SW_SYNC */

#if IS_ENABLED(CONFIG_KUNIT)
struct sync_timeline *sync_timeline_create(const char *name);
void sync_timeline_advance(struct sync_timeline *timeline, u32 steps);
void sync_timeline_end(struct sync_timeline *timeline);
struct sync_pt *sync_pt_create(struct sync_timeline *timeline, u32 value);
int sync_pt_get_deadline(struct dma_fence *fence, ktime_t *deadline);
#endif

#endif /* _LINUX_SYNC_H */
