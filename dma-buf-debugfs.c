// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of all buffers, in /sys/kernel/debug/dma_buf/bufinfo.
 *
 * A buffer is in the list from its export until the last reference to its file
 * is gone. It is taken out before anything of it is released, so what a reader
 * finds in the list is whole.
 *
 * Each CPU has a list of those that were exported on it, so that exports on
 * several do not wait for each other.
 *
 * Locks: a list has a mutex, held while a reader walks it. Inside of it the
 * reservation lock of each buffer, and in that the name lock.
 */
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>
#include <linux/smp.h>

#include "dma-buf-pages-private.h"
#include "dma-buf-private.h"

/**
 * struct dma_buf_list - the buffers that were exported on one CPU
 * @lock: protects @buffers
 * @buffers: by &dma_buf.list_node, the newest first
 */
struct dma_buf_list {
	struct mutex lock; /* buffers */
	struct list_head buffers;
};

static DEFINE_PER_CPU_ALIGNED(struct dma_buf_list, dma_buf_lists);

/**
 * dma_buf_debugfs_add - list a new buffer
 * @dmabuf: the buffer, with its file
 *
 * Context: Process context. May sleep.
 */
void dma_buf_debugfs_add(struct dma_buf *dmabuf)
{
	struct dma_buf_list *list;

	/* Any will do, should the task be moved to another CPU. */
	dmabuf->list_cpu = raw_smp_processor_id();
	list = per_cpu_ptr(&dma_buf_lists, dmabuf->list_cpu);
	guard(mutex)(&list->lock);
	list_add(&dmabuf->list_node, &list->buffers);
}

/**
 * dma_buf_debugfs_del - remove a buffer from the list
 * @dmabuf: the buffer, whose file is being released
 *
 * Context: Process context. May sleep, until a reader has finished.
 */
void dma_buf_debugfs_del(struct dma_buf *dmabuf)
{
	struct dma_buf_list *list = per_cpu_ptr(&dma_buf_lists,
						dmabuf->list_cpu);

	guard(mutex)(&list->lock);
	list_del(&dmabuf->list_node);
}

static void dma_buf_debugfs_show_devices(struct seq_file *s,
					 struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	int count = 0;

	seq_puts(s, "\tAttached Devices:\n");
	list_for_each_entry(attach, &dmabuf->attachments, node) {
		seq_printf(s, "\t%s\n", dev_name(attach->dev));
		count++;
	}
	seq_printf(s, "Total %d devices attached\n\n", count);
}

static int dma_buf_debugfs_show_one(struct seq_file *s, struct dma_buf *dmabuf)
{
	struct file *file = dmabuf->file;
	char name[DMA_BUF_NAME_LEN];
	bool named;
	int ret;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;

	named = dma_buf_name_copy(dmabuf, name);
	seq_printf(s, "%08zu\t%08x\t%08x\t%08ld\t%s\t%08lu\t%s\n",
		   dmabuf->size, file->f_flags, file->f_mode, file_count(file),
		   dmabuf->exp_name, file_inode(file)->i_ino,
		   named ? name : "<none>");
	dma_resv_describe(dmabuf->resv, s);
	dma_buf_debugfs_show_devices(s, dmabuf);

	dma_resv_unlock(dmabuf->resv);
	return 0;
}

/* What one reader has seen. */
struct dma_buf_debugfs_total {
	size_t bytes;
	int count;
};

static int dma_buf_debugfs_show_list(struct seq_file *s,
				     struct dma_buf_list *list,
				     struct dma_buf_debugfs_total *total)
{
	struct dma_buf *dmabuf;
	int ret;

	ret = mutex_lock_interruptible(&list->lock);
	if (ret)
		return ret;

	list_for_each_entry(dmabuf, &list->buffers, list_node) {
		ret = dma_buf_debugfs_show_one(s, dmabuf);
		if (ret)
			break;
		total->bytes += dmabuf->size;
		total->count++;
	}
	mutex_unlock(&list->lock);
	return ret;
}

static int dma_buf_bufinfo_show(struct seq_file *s, void *unused)
{
	struct dma_buf_debugfs_total total = { };
	int cpu, ret;

	seq_puts(s, "\nDma-buf Objects:\n");
	seq_printf(s, "%-8s\t%-8s\t%-8s\t%-8s\texp_name\t%-8s\tname\n",
		   "size", "flags", "mode", "count", "ino");

	/* A CPU that is gone has left its list behind. */
	for_each_possible_cpu(cpu) {
		ret = dma_buf_debugfs_show_list(s, per_cpu_ptr(&dma_buf_lists, cpu),
						&total);
		if (ret)
			return ret;
	}
	seq_printf(s, "\nTotal %d objects, %zu bytes\n", total.count,
		   total.bytes);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(dma_buf_bufinfo);

/**
 * dma_buf_debugfs_init - prepare the lists, and create the files
 *
 * Buffers work without it, so a failure, which debugfs reports, is ignored.
 *
 * Context: Process context, at boot.
 */
void __init dma_buf_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("dma_buf", NULL);
	struct dma_buf_list *list;
	int cpu;

	for_each_possible_cpu(cpu) {
		list = per_cpu_ptr(&dma_buf_lists, cpu);
		mutex_init(&list->lock);
		INIT_LIST_HEAD(&list->buffers);
	}
	debugfs_create_file("bufinfo", 0444, dir, NULL, &dma_buf_bufinfo_fops);
	dma_buf_mapcache_debugfs_init(dir);
}
