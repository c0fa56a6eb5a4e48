// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of all buffers, in /sys/kernel/debug/dma_buf/bufinfo.
 *
 * A buffer is in the list from its export until the last reference to its file
 * is gone. It is taken out before anything of it is released, so what a reader
 * finds in the list is whole.
 *
 * Locks: a mutex protects the list and is held while a reader walks it. Inside
 * of it the reservation lock of each buffer, and in that the name lock.
 */
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>

#include "dma-buf-private.h"

static DEFINE_MUTEX(dma_buf_list_lock);
static LIST_HEAD(dma_buf_list);

/**
 * dma_buf_debugfs_add - list a new buffer
 * @dmabuf: the buffer, with its file
 *
 * Context: Process context. May sleep.
 */
void dma_buf_debugfs_add(struct dma_buf *dmabuf)
{
	guard(mutex)(&dma_buf_list_lock);
	list_add(&dmabuf->list_node, &dma_buf_list);
}

/**
 * dma_buf_debugfs_del - remove a buffer from the list
 * @dmabuf: the buffer, whose file is being released
 *
 * Context: Process context. May sleep, until a reader has finished.
 */
void dma_buf_debugfs_del(struct dma_buf *dmabuf)
{
	guard(mutex)(&dma_buf_list_lock);
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

static int dma_buf_bufinfo_show(struct seq_file *s, void *unused)
{
	struct dma_buf *dmabuf;
	size_t bytes = 0;
	int count = 0;
	int ret;

	ret = mutex_lock_interruptible(&dma_buf_list_lock);
	if (ret)
		return ret;

	seq_puts(s, "\nDma-buf Objects:\n");
	seq_printf(s, "%-8s\t%-8s\t%-8s\t%-8s\texp_name\t%-8s\tname\n",
		   "size", "flags", "mode", "count", "ino");

	list_for_each_entry(dmabuf, &dma_buf_list, list_node) {
		ret = dma_buf_debugfs_show_one(s, dmabuf);
		if (ret)
			break;
		bytes += dmabuf->size;
		count++;
	}
	if (!ret)
		seq_printf(s, "\nTotal %d objects, %zu bytes\n", count, bytes);

	mutex_unlock(&dma_buf_list_lock);
	return ret;
}
DEFINE_SHOW_ATTRIBUTE(dma_buf_bufinfo);

/**
 * dma_buf_debugfs_init - create the file
 *
 * Buffers work without it, so a failure, which debugfs reports, is ignored.
 *
 * Context: Process context, at boot.
 */
void __init dma_buf_debugfs_init(void)
{
	debugfs_create_file("bufinfo", 0444,
			    debugfs_create_dir("dma_buf", NULL), NULL,
			    &dma_buf_bufinfo_fops);
}
