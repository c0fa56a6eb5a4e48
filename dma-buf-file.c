// SPDX-License-Identifier: GPL-2.0-only
/*
 * The operations of the descriptor of a buffer: which system call and which
 * ioctl goes to which file.
 *
 * This is the top of the buffer layer: it calls all other dma-buf-*.c, and they
 * know of it only the name dma_buf_file_ops. So it also starts them at boot.
 */
#include <linux/array_size.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/seq_file.h>
#include <linux/stddef.h>
#include <linux/string.h>

#include "dma-buf-private.h"
#include "ioctl_table.h"

#include <trace/events/dma_buf.h>

/* The uAPI, with which programs were compiled. */
static_assert(sizeof(struct dma_buf_sync) == 8);
static_assert(offsetof(struct dma_buf_sync, flags) == 0);
static_assert(sizeof(struct dma_buf_sync_partial) == 24);
static_assert(offsetof(struct dma_buf_sync_partial, flags) == 0);
static_assert(offsetof(struct dma_buf_sync_partial, offset) == 8);
static_assert(offsetof(struct dma_buf_sync_partial, length) == 16);
static_assert(sizeof(struct dma_buf_export_sync_file) == 8);
static_assert(offsetof(struct dma_buf_export_sync_file, flags) == 0);
static_assert(offsetof(struct dma_buf_export_sync_file, fd) == 4);
static_assert(sizeof(struct dma_buf_import_sync_file) == 8);
static_assert(offsetof(struct dma_buf_import_sync_file, flags) == 0);
static_assert(offsetof(struct dma_buf_import_sync_file, fd) == 4);
static_assert(sizeof(struct dma_buf_transfer) == 40);
static_assert(offsetof(struct dma_buf_transfer, fd) == 0);
static_assert(offsetof(struct dma_buf_transfer, flags) == 4);
static_assert(offsetof(struct dma_buf_transfer, file_offset) == 8);
static_assert(offsetof(struct dma_buf_transfer, offset) == 16);
static_assert(offsetof(struct dma_buf_transfer, length) == 24);
static_assert(offsetof(struct dma_buf_transfer, in_fence) == 32);
static_assert(offsetof(struct dma_buf_transfer, out_fence) == 36);
static_assert(sizeof(struct dma_buf_sync_record) == 24);
static_assert(offsetof(struct dma_buf_sync_record, fd) == 0);
static_assert(offsetof(struct dma_buf_sync_record, flags) == 4);
static_assert(offsetof(struct dma_buf_sync_record, offset) == 8);
static_assert(offsetof(struct dma_buf_sync_record, length) == 16);
static_assert(sizeof(struct dma_buf_sync_batch) == 16);
static_assert(offsetof(struct dma_buf_sync_batch, records) == 0);
static_assert(offsetof(struct dma_buf_sync_batch, count) == 8);
static_assert(offsetof(struct dma_buf_sync_batch, reserved) == 12);
static_assert(_IOC(_IOC_WRITE, 'b', 0, 8) == DMA_BUF_IOCTL_SYNC);
static_assert(_IOC(_IOC_WRITE, 'b', 1, 4) == DMA_BUF_SET_NAME_A);
static_assert(_IOC(_IOC_WRITE, 'b', 1, 8) == DMA_BUF_SET_NAME_B);
static_assert(_IOC(_IOC_READ | _IOC_WRITE, 'b', 2, 8) ==
	      DMA_BUF_IOCTL_EXPORT_SYNC_FILE);
static_assert(_IOC(_IOC_WRITE, 'b', 3, 8) == DMA_BUF_IOCTL_IMPORT_SYNC_FILE);
static_assert(_IOC(_IOC_WRITE, 'b', 4, 24) == DMA_BUF_IOCTL_SYNC_PARTIAL);
static_assert(_IOC(_IOC_READ | _IOC_WRITE, 'b', 5, 40) ==
	      DMA_BUF_IOCTL_TRANSFER);
static_assert(_IOC(_IOC_WRITE, 'b', 6, 16) == DMA_BUF_IOCTL_SYNC_BATCH);
static_assert(_IOC(_IOC_NONE, 'b', 7, 0) == DMA_BUF_IOCTL_REVOKE);

static const struct ioctl_entry dma_buf_ioctls[] = {
	/* Hottest command first: called twice for each access by the CPU. */
	IOCTL_VALUE(DMA_BUF_IOCTL_SYNC, struct dma_buf_sync, flags,
		    dma_buf_cpu_ioctl_sync),
	IOCTL_EXACT(DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
		    struct dma_buf_export_sync_file,
		    dma_buf_sync_file_ioctl_export),
	IOCTL_EXACT(DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
		    struct dma_buf_import_sync_file,
		    dma_buf_sync_file_ioctl_import),
	IOCTL_RAW(DMA_BUF_SET_NAME_A, dma_buf_name_ioctl_set),
	IOCTL_RAW(DMA_BUF_SET_NAME_B, dma_buf_name_ioctl_set),
	IOCTL_GROWS(DMA_BUF_IOCTL_SYNC_PARTIAL, struct dma_buf_sync_partial,
		    length, IOCTL_TAIL_ZERO, dma_buf_cpu_ioctl_sync_partial),
	IOCTL_GROWS(DMA_BUF_IOCTL_TRANSFER, struct dma_buf_transfer, out_fence,
		    IOCTL_TAIL_ZERO, dma_buf_transfer_ioctl),
	IOCTL_GROWS(DMA_BUF_IOCTL_SYNC_BATCH, struct dma_buf_sync_batch,
		    reserved, IOCTL_TAIL_ZERO, dma_buf_cpu_batch_ioctl_sync),
	IOCTL_RAW(DMA_BUF_IOCTL_REVOKE, dma_buf_revoke_ioctl),
};

static long dma_buf_file_ioctl(struct file *file, unsigned int cmd,
			       unsigned long arg)
{
	return ioctl_table_call(dma_buf_ioctls, file, cmd, arg);
}

/* Without the reservation lock, whose holder may wait for one of the fences. */
static void dma_buf_file_show_fences(struct seq_file *m, struct dma_resv *resv)
{
	static const char * const names[] = {
		[DMA_RESV_USAGE_KERNEL] = "kernel",
		[DMA_RESV_USAGE_WRITE] = "write",
		[DMA_RESV_USAGE_READ] = "read",
		[DMA_RESV_USAGE_BOOKKEEP] = "bookkeep",
	};
	unsigned int count[ARRAY_SIZE(names)] = { }, i;
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_iter_begin(&cursor, resv, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		if (dma_resv_iter_is_restarted(&cursor))
			memset(count, 0, sizeof(count));
		count[dma_resv_iter_usage(&cursor)]++;
	}
	/* The last step may have begun anew, and found nothing. */
	if (dma_resv_iter_is_restarted(&cursor))
		memset(count, 0, sizeof(count));
	dma_resv_iter_end(&cursor);

	for (i = 0; i < ARRAY_SIZE(names); i++)
		seq_printf(m, "fences-%s:\t%u\n", names[i], count[i]);
}

static void dma_buf_file_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct dma_buf *dmabuf = file->private_data;
	char name[DMA_BUF_NAME_LEN];

	seq_printf(m, "size:\t%zu\n", dmabuf->size);
	/* Without the reference that reading this file takes. */
	seq_printf(m, "count:\t%ld\n", file_count(file) - 1);
	seq_printf(m, "exp_name:\t%s\n", dmabuf->exp_name);

	seq_printf(m, "attachments:\t%u\n", READ_ONCE(dmabuf->nr_attached));
	seq_printf(m, "mapped:\t%llu\n",
		   (u64)READ_ONCE(dmabuf->nr_mapped) * dmabuf->size);
	seq_printf(m, "pins:\t%u\n", READ_ONCE(dmabuf->nr_pinned));
	if (dma_buf_is_revoked(dmabuf))
		seq_puts(m, "revoked:\t1\n");
	dma_buf_file_show_fences(m, dmabuf->resv);
	if (dmabuf->ops->show_fdinfo)
		dmabuf->ops->show_fdinfo(dmabuf, m);

	/* Last, as it may contain what looks like other lines. */
	if (dma_buf_name_copy(dmabuf, name))
		seq_printf(m, "name:\t%s\n", name);
}

/*
 * The last reference is gone, so the buffer is listed no more. The buffer
 * itself goes with the dentry. A file whose export failed has no buffer.
 */
static int dma_buf_file_release(struct inode *inode, struct file *file)
{
	struct dma_buf *dmabuf = file->private_data;

	if (dmabuf) {
		trace_dma_buf_release(dmabuf, 0);
		dma_buf_list_del(dmabuf);
	}
	return 0;
}

const struct file_operations dma_buf_file_ops = {
	.release	= dma_buf_file_release,
	.llseek		= dma_buf_llseek,
	.read_iter	= dma_buf_read_iter,
	.write_iter	= dma_buf_write_iter,
	.splice_read	= dma_buf_splice_read,
	.splice_write	= iter_file_splice_write,
	.check_flags	= dma_buf_check_flags,
	.mmap		= dma_buf_cpu_mmap,
	/*
	 * Without an MMU the presence of this operation says that the memory
	 * can be mapped in place, which it cannot.
	 */
	.get_unmapped_area = IS_ENABLED(CONFIG_MMU) ?
			     dma_buf_cpu_get_unmapped_area : NULL,
	.poll		= dma_buf_poll,
	.unlocked_ioctl	= dma_buf_file_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.uring_cmd	= IS_ENABLED(CONFIG_IO_URING) ?
			  dma_buf_uring_issue : NULL,
	.show_fdinfo	= dma_buf_file_show_fdinfo,
};

/*
 * On failure no buffer can be exported: dma_buf_export() finds no file system.
 * That one comes last, so that a buffer always finds the others.
 */
static int __init dma_buf_init(void)
{
	int ret;

	dma_buf_list_init();
	ret = dma_buf_attach_init();
	if (ret)
		return ret;
	ret = dma_buf_stats_init();
	if (ret)
		return ret;
	dma_buf_debugfs_init();
	return dma_buf_inode_init();
}
subsys_initcall(dma_buf_init);
