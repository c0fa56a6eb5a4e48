// SPDX-License-Identifier: GPL-2.0-only
/*
 * The debugfs directory "sync"
 *
 * "info" prints every software timeline and every sync file of the system;
 * "sw_sync" creates a timeline when opened. Both lists are kept by the files
 * that create the objects, below this one, which only reads them.
 *
 * A report holds a reference to the timeline that it prints, and the lock of
 * the list of sync files while it prints those.
 */
#include <linux/debugfs.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/init.h>
#include <linux/seq_file.h>
#include <linux/sync_file.h>

#include "sw_sync.h"
#include "sync_file_list.h"

static const char *sync_debug_status(int status)
{
	if (!status)
		return "active";
	return status > 0 ? "signaled" : "error";
}

/* ": value / value of the timeline", as far as the driver offers them. */
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

/* Print one line. @timeline, unless NULL, precedes the word "fence". */
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

	/* Other drivers may be gone once their fence has signalled. */
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
	/* Fences in the tree are pending, and leave it under this lock. */
	for (node = rb_first_cached(&timeline->pending); node;
	     node = rb_next(node))
		sync_debug_fence(s, &rb_entry(node, struct sync_pt, node)->base,
				 0, NULL);
	spin_unlock_irq(&timeline->lock);
}

static void sync_debug_file(struct sync_file *sync_file, void *data)
{
	struct dma_fence_unwrap iter;
	struct dma_fence *fence;
	struct seq_file *s = data;
	char name[128];

	seq_printf(s, "[%p] %s: %s\n", sync_file,
		   sync_file_get_name(sync_file, name, sizeof(name)),
		   sync_debug_status(dma_fence_get_status(sync_file->fence)));

	dma_fence_unwrap_for_each(fence, &iter, sync_file->fence) {
		int status;

		/* The driver of a fence pending here stays until the unlock. */
		rcu_read_lock();
		status = dma_fence_get_status(fence);
		sync_debug_fence(s, fence, status,
				 dma_fence_timeline_name(fence));
		rcu_read_unlock();
	}
	seq_putc(s, '\n');
}

static int sync_info_show(struct seq_file *s, void *unused)
{
	struct sync_timeline *timeline = NULL;

	seq_puts(s, "objs:\n--------------\n");
	while ((timeline = sync_timeline_next(timeline))) {
		sync_debug_timeline(s, timeline);
		seq_putc(s, '\n');
	}

	seq_puts(s, "fences:\n--------------\n");
	sync_file_list_visit(sync_debug_file, s);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(sync_info);

static int __init sync_debug_init(void)
{
	struct dentry *dir = debugfs_create_dir("sync", NULL);

	debugfs_create_file("info", 0444, dir, NULL, &sync_info_fops);

	/*
	 * The safe variant protects files that are removed while open, and its
	 * proxy would hide the ioctls. This file is never removed.
	 */
	debugfs_create_file_unsafe("sw_sync", 0644, dir, NULL,
				   &sw_sync_debugfs_fops);
	return 0;
}
late_initcall(sync_debug_init);
