/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Software timelines and their fences, for sw_sync.c, its trace event and the
 * debugfs files in sync_debug.c.
 */
#ifndef _SW_SYNC_H
#define _SW_SYNC_H

#include <linux/dma-fence.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/**
 * struct sync_timeline - a timeline that a program advances
 * @kref: one reference of the open file, and one of each fence
 * @name: comm of the task that opened it. Constant.
 * @context: fence context of all its fences. Constant.
 * @lock: protects @value and @pending, with interrupts off. Innermost: no
 *	fence lock is taken under it.
 * @value: the current value, 32 bits, wraps around. Written under @lock, read
 *	anywhere.
 * @pending: fences that @value has not reached, earliest first. A fence holds
 *	a reference to the timeline, not the other way round: it leaves the tree
 *	when it is reached or released.
 * @node: link in the list of all timelines, from sync_timeline_create() to the
 *	last sync_timeline_put(); under the lock of that list
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
 * @lock: lock of the fence. One for each fence, so that a callback may drop the
 *	last reference to another fence of the same timeline.
 * @timeline: the timeline. Constant.
 * @node: link in &sync_timeline.pending, or empty; under &sync_timeline.lock
 * @due: link in the list of fences that one advance has reached; owned by the
 *	advance that took the fence out of the tree
 * @has_deadline: @deadline is valid; under @lock
 * @deadline: the earliest deadline that was set; under @lock
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

extern const struct file_operations sw_sync_debugfs_fops;

bool sync_pt_is(struct dma_fence *fence);
struct sync_timeline *sync_timeline_next(struct sync_timeline *timeline);

#if IS_ENABLED(CONFIG_KUNIT)
struct sync_timeline *sync_timeline_create(const char *name);
void sync_timeline_advance(struct sync_timeline *timeline, u32 steps);
void sync_timeline_end(struct sync_timeline *timeline);
struct sync_pt *sync_pt_create(struct sync_timeline *timeline, u32 value);
int sync_pt_get_deadline(struct dma_fence *fence, ktime_t *deadline);
#endif

#endif /* _SW_SYNC_H */
