// SPDX-License-Identifier: GPL-2.0-only
/*
 * All buffers as text, in /sys/kernel/debug/dma_buf/bufinfo.
 *
 * Locks: the reservation lock of each buffer, in that the name lock. Around
 * both the lock of the list, see dma-buf-list.c.
 */
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/seq_file.h>

#include "dma-buf-pages-private.h"
#include "dma-buf-private.h"

/* What one reader has seen. */
struct dma_buf_debugfs_total {
	struct seq_file *s;
	size_t bytes;
	int count;
};

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

static int dma_buf_debugfs_show_one(struct dma_buf *dmabuf, void *data)
{
	struct dma_buf_debugfs_total *total = data;
	struct file *file = dmabuf->file;
	struct seq_file *s = total->s;
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
	total->bytes += dmabuf->size;
	total->count++;
	return 0;
}

static int dma_buf_bufinfo_show(struct seq_file *s, void *unused)
{
	struct dma_buf_debugfs_total total = { .s = s };
	int ret;

	seq_puts(s, "\nDma-buf Objects:\n");
	seq_printf(s, "%-8s\t%-8s\t%-8s\t%-8s\texp_name\t%-8s\tname\n",
		   "size", "flags", "mode", "count", "ino");

	ret = dma_buf_list_for_each(dma_buf_debugfs_show_one, &total);
	if (ret)
		return ret;
	seq_printf(s, "\nTotal %d objects, %zu bytes\n", total.count,
		   total.bytes);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(dma_buf_bufinfo);

/**
 * dma_buf_debugfs_init - create the files
 *
 * Buffers work without it, so a failure, which debugfs reports, is ignored.
 *
 * Context: Process context, at boot.
 */
void __init dma_buf_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("dma_buf", NULL);

	debugfs_create_file("bufinfo", 0444, dir, NULL, &dma_buf_bufinfo_fops);
	dma_buf_mapcache_debugfs_init(dir);
}
