// SPDX-License-Identifier: GPL-2.0-only
/*
 * What debugfs shows of timelines and sync files
 *
 * What it is: the directory /sys/kernel/debug/sync with "info", a report of
 * every software timeline and every sync file of the system, and "sw_sync",
 * the way to make a timeline.
 * What it owns: the two lists. It holds no references: what is about to go is
 * unlisted first. A report has a reference to the timeline that it is at.
 * Locks: a mutex for the list of sync files, with the locks of single fences
 * under it; a spinlock for that of timelines, as the last fence of one may be
 * put anywhere. Nothing is taken under the latter.
 * May call: dma-fence, sync_file.
 * Never here: anything that somebody could depend on outside of debugging.
 */
#include <linux/debugfs.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>

#include "sw_sync.h"

static DEFINE_SPINLOCK(sync_timelines_lock);
static LIST_HEAD(sync_timelines);

static DEFINE_MUTEX(sync_files_lock);
static LIST_HEAD(sync_files);

/**
 * sync_timeline_debug_add - show a timeline from now on
 * @timeline: the timeline, complete
 *
 * Context: Any.
 */
void sync_timeline_debug_add(struct sync_timeline *timeline)
{
	unsigned long flags;

	spin_lock_irqsave(&sync_timelines_lock, flags);
	list_add_tail(&timeline->node, &sync_timelines);
	spin_unlock_irqrestore(&sync_timelines_lock, flags);
}

/**
 * sync_timeline_debug_remove - no longer show a timeline
 * @timeline: the timeline, which has no references left
 *
 * Context: Any.
 */
void sync_timeline_debug_remove(struct sync_timeline *timeline)
{
	unsigned long flags;

	spin_lock_irqsave(&sync_timelines_lock, flags);
	list_del(&timeline->node);
	spin_unlock_irqrestore(&sync_timelines_lock, flags);
}

/*
 * The timeline after @timeline, or the first after NULL: with a reference, and
 * that to @timeline is put. What has none left is about to be unlisted.
 */
static struct sync_timeline *sync_debug_next(struct sync_timeline *timeline)
{
	struct sync_timeline *next, *found = NULL;

	spin_lock_irq(&sync_timelines_lock);
	next = list_prepare_entry(timeline, &sync_timelines, node);
	list_for_each_entry_continue(next, &sync_timelines, node) {
		if (kref_get_unless_zero(&next->kref)) {
			found = next;
			break;
		}
	}
	spin_unlock_irq(&sync_timelines_lock);

	if (timeline)
		sync_timeline_put(timeline);
	return found;
}

/**
 * sync_file_debug_add - show a sync file from now on
 * @sync_file: the sync file, complete
 *
 * Context: May sleep.
 */
void sync_file_debug_add(struct sync_file *sync_file)
{
	mutex_lock(&sync_files_lock);
	list_add_tail(&sync_file->sync_file_list, &sync_files);
	mutex_unlock(&sync_files_lock);
}

/**
 * sync_file_debug_remove - no longer show a sync file
 * @sync_file: the sync file, still complete
 *
 * Context: May sleep.
 */
void sync_file_debug_remove(struct sync_file *sync_file)
{
	mutex_lock(&sync_files_lock);
	list_del(&sync_file->sync_file_list);
	mutex_unlock(&sync_files_lock);
}

static const char *sync_debug_status(int status)
{
	if (!status)
		return "active";
	return status > 0 ? "signaled" : "error";
}

/* "own value / value of the timeline", as far as the driver tells. */
static void sync_debug_values(struct seq_file *s, struct dma_fence *fence)
{
	const struct dma_fence_ops *ops = fence->ops;
	char value[64] = "";

	if (!ops->fence_value_str || !ops->timeline_value_str)
		return;

	ops->fence_value_str(fence, value, sizeof(value));
	if (!value[0])
		return;
	seq_printf(s, ": %s", value);

	value[0] = '\0';
	ops->timeline_value_str(fence, value, sizeof(value));
	if (value[0])
		seq_printf(s, " / %s", value);
}

/* One line. @timeline is printed before the word fence, unless it is NULL. */
static void sync_debug_fence(struct seq_file *s, struct dma_fence *fence,
			     int status, const char *timeline)
{
	seq_puts(s, "  ");
	if (timeline)
		seq_printf(s, "%s_", timeline);
	seq_printf(s, "fence %s", sync_debug_status(status));

	if (status) {
		struct timespec64 when;

		when = ktime_to_timespec64(dma_fence_timestamp(fence));
		seq_printf(s, "@%lld.%09ld", (s64)when.tv_sec, when.tv_nsec);
	}

	/* A driver need not be there any more when its fence has signalled. */
	if (!status || sync_pt_is(fence))
		sync_debug_values(s, fence);
	seq_putc(s, '\n');
}

static void sync_debug_timeline(struct seq_file *s,
				struct sync_timeline *timeline)
{
	struct rb_node *node;

	spin_lock_irq(&timeline->lock);
	seq_printf(s, "%s: %d\n", timeline->name, timeline->value);
	/* What is in the tree was not reached, and leaves it under this lock. */
	for (node = rb_first_cached(&timeline->pending); node; node = rb_next(node))
		sync_debug_fence(s, &rb_entry(node, struct sync_pt, node)->base,
				 0, NULL);
	spin_unlock_irq(&timeline->lock);
}

static void sync_debug_file(struct seq_file *s, struct sync_file *sync_file)
{
	struct dma_fence_unwrap iter;
	struct dma_fence *fence;
	char name[128];

	seq_printf(s, "[%p] %s: %s\n", sync_file,
		   sync_file_get_name(sync_file, name, sizeof(name)),
		   sync_debug_status(dma_fence_get_status(sync_file->fence)));

	dma_fence_unwrap_for_each(fence, &iter, sync_file->fence) {
		int status;

		/* What is pending here keeps its driver until we are done. */
		rcu_read_lock();
		status = dma_fence_get_status(fence);
		sync_debug_fence(s, fence, status, dma_fence_timeline_name(fence));
		rcu_read_unlock();
	}
}

static int sync_info_show(struct seq_file *s, void *unused)
{
	struct sync_timeline *timeline = NULL;
	struct sync_file *sync_file;

	seq_puts(s, "objs:\n--------------\n");
	while ((timeline = sync_debug_next(timeline))) {
		sync_debug_timeline(s, timeline);
		seq_putc(s, '\n');
	}

	seq_puts(s, "fences:\n--------------\n");
	mutex_lock(&sync_files_lock);
	list_for_each_entry(sync_file, &sync_files, sync_file_list) {
		sync_debug_file(s, sync_file);
		seq_putc(s, '\n');
	}

	mutex_unlock(&sync_files_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(sync_info);

static int __init sync_debug_init(void)
{
	struct dentry *dir = debugfs_create_dir("sync", NULL);

	debugfs_create_file("info", 0444, dir, NULL, &sync_info_fops);

	/*
	 * Unsafe only for files that may be removed while open. This one never
	 * is, and the proxy of the safe variant would hide its ioctls.
	 */
	debugfs_create_file_unsafe("sw_sync", 0644, dir, NULL,
				   &sw_sync_debugfs_fops);
	return 0;
}
late_initcall(sync_debug_init);
