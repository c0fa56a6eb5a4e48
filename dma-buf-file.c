// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file behind a buffer.
 *
 * What it is: the pseudo file system that buffers live in, and the table of what
 *	can be done with their descriptors: which system call and which ioctl goes
 *	to which file of this layer.
 * What it owns: the slab cache of buffers with their inodes, the dentry and the file
 *	of each, and so the moment of its death.
 * Locks: none of its own.
 * May call: the other dma-buf-*.c.
 * Never here: what any of the calls does, beyond seeking and telling.
 * Units: sizes and offsets in bytes.
 *
 * Two things end in turn. When the last reference to the file goes, the buffer
 * disappears from the list of living ones. The dentry goes after that, and with
 * it the buffer: until then somebody may be asking d_path() for its name.
 */
#include <linux/atomic.h>
#include <linux/dcache.h>
#include <linux/dma-buf.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/stddef.h>
#include <linux/string.h>

#include "dma-buf-private.h"
#include "ioctl_table.h"

#include <trace/events/dma_buf.h>

/* What programs were compiled with. */
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
static_assert(_IOC(_IOC_WRITE, 'b', 0, 8) == DMA_BUF_IOCTL_SYNC);
static_assert(_IOC(_IOC_WRITE, 'b', 1, 4) == DMA_BUF_SET_NAME_A);
static_assert(_IOC(_IOC_WRITE, 'b', 1, 8) == DMA_BUF_SET_NAME_B);
static_assert(_IOC(_IOC_READ | _IOC_WRITE, 'b', 2, 8) ==
	      DMA_BUF_IOCTL_EXPORT_SYNC_FILE);
static_assert(_IOC(_IOC_WRITE, 'b', 3, 8) == DMA_BUF_IOCTL_IMPORT_SYNC_FILE);
static_assert(_IOC(_IOC_WRITE, 'b', 4, 24) == DMA_BUF_IOCTL_SYNC_PARTIAL);

static struct vfsmount *dma_buf_mnt;
static struct kmem_cache *dma_buf_slots;

static const struct ioctl_entry dma_buf_ioctls[] = {
	/* Twice for each access of a program: first, and without ado. */
	IOCTL_VALUE(DMA_BUF_IOCTL_SYNC, struct dma_buf_sync, flags,
		    dma_buf_cpu_ioctl_sync),
	IOCTL_RAW(DMA_BUF_SET_NAME_A, dma_buf_ioctl_set_name),
	IOCTL_RAW(DMA_BUF_SET_NAME_B, dma_buf_ioctl_set_name),
	IOCTL_EXACT(DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
		    struct dma_buf_export_sync_file, dma_buf_sync_file_ioctl_export),
	IOCTL_EXACT(DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
		    struct dma_buf_import_sync_file, dma_buf_sync_file_ioctl_import),
	IOCTL_GROWS(DMA_BUF_IOCTL_SYNC_PARTIAL, struct dma_buf_sync_partial, length,
		    IOCTL_TAIL_ZERO, dma_buf_cpu_ioctl_sync_partial),
};

static long dma_buf_file_ioctl(struct file *file, unsigned int cmd,
			       unsigned long arg)
{
	return ioctl_table_call(dma_buf_ioctls, file, cmd, arg);
}

/* A way to ask for the size, and to go back: there is no position to keep. */
static loff_t dma_buf_file_llseek(struct file *file, loff_t offset, int whence)
{
	const struct dma_buf *dmabuf = file->private_data;

	if (offset)
		return -EINVAL;
	if (whence == SEEK_END)
		return dmabuf->size;
	return whence == SEEK_SET ? 0 : -EINVAL;
}

static void dma_buf_file_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct dma_buf *dmabuf = file->private_data;
	char name[DMA_BUF_NAME_LEN];

	seq_printf(m, "size:\t%zu\n", dmabuf->size);
	/* Who reads this holds one reference to be able to. */
	seq_printf(m, "count:\t%ld\n", file_count(file) - 1);
	seq_printf(m, "exp_name:\t%s\n", dmabuf->exp_name);

	if (dma_buf_name_copy(dmabuf, name))
		seq_printf(m, "name:\t%s\n", name);
}

/* The last reference is gone. There is none where the export failed. */
static int dma_buf_file_release(struct inode *inode, struct file *file)
{
	struct dma_buf *dmabuf = file->private_data;

	if (dmabuf) {
		trace_dma_buf_release(dmabuf, 0);
		dma_buf_debugfs_del(dmabuf);
	}
	return 0;
}

static const struct file_operations dma_buf_file_ops = {
	.release	= dma_buf_file_release,
	.llseek		= dma_buf_file_llseek,
	.mmap		= dma_buf_cpu_mmap,
	/* Without an MMU it would claim that the memory is mapped as it is. */
	.get_unmapped_area = IS_ENABLED(CONFIG_MMU) ?
			     dma_buf_cpu_get_unmapped_area : NULL,
	.poll		= dma_buf_poll,
	.unlocked_ioctl	= dma_buf_file_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.show_fdinfo	= dma_buf_file_show_fdinfo,
};

static char *dma_buf_dentry_dname(struct dentry *dentry, char *buffer,
				  int buflen)
{
	char name[DMA_BUF_NAME_LEN];

	dma_buf_name_copy(dentry->d_fsdata, name);
	return dynamic_dname(buffer, buflen, "/%pd:%s", dentry, name);
}

/* The dentry lets go of the inode. There is no buffer where the export failed. */
static void dma_buf_dentry_iput(struct dentry *dentry, struct inode *inode)
{
	if (!dentry->d_fsdata || dma_buf_destroy(dentry->d_fsdata))
		iput(inode);
}

static const struct dentry_operations dma_buf_dentry_ops = {
	.d_dname	= dma_buf_dentry_dname,
	.d_iput		= dma_buf_dentry_iput,
};

static struct dma_buf_slot *dma_buf_inode_to_slot(struct inode *inode)
{
	return container_of(inode, struct dma_buf_slot, inode);
}

static void dma_buf_slot_init_once(void *object)
{
	struct dma_buf_slot *slot = object;

	inode_init_once(&slot->inode);
}

static struct inode *dma_buf_alloc_inode(struct super_block *sb)
{
	struct dma_buf_slot *slot = kmem_cache_alloc(dma_buf_slots, GFP_KERNEL);

	if (!slot)
		return NULL;
	memset(&slot->buf, 0, sizeof(slot->buf));
	return &slot->inode;
}

/*
 * At once, and not after a grace period: no path leads to these inodes, so nobody
 * looks at one without a reference.
 */
static void dma_buf_destroy_inode(struct inode *inode)
{
	kmem_cache_free(dma_buf_slots, dma_buf_inode_to_slot(inode));
}

static const struct super_operations dma_buf_super_ops = {
	.alloc_inode	= dma_buf_alloc_inode,
	.destroy_inode	= dma_buf_destroy_inode,
	/* There never is a page in their address space. */
	.evict_inode	= clear_inode,
	.drop_inode	= generic_delete_inode,
	.statfs		= simple_statfs,
};

/**
 * dma_buf_file_to_buf - from a file to the buffer behind it
 * @file: any file
 *
 * Context: Any.
 * Return: the buffer, or NULL when this is some other kind of file.
 */
struct dma_buf *dma_buf_file_to_buf(struct file *file)
{
	return file->f_op == &dma_buf_file_ops ? file->private_data : NULL;
}

/**
 * dma_buf_file_create - make a file for a buffer, with an inode number of its own
 * @size: of the buffer, shown by stat(2)
 * @flags: as for open(2), of which the access mode and O_NONBLOCK count: others
 *	mean nothing to a buffer, or are the descriptor's and not the file's
 *
 * Context: Process context. May sleep.
 * Return: a file that has no buffer yet: dma_buf_file_bind() or fput() it. Or an
 * ERR_PTR(): -ENOMEM, -ENFILE, -ENODEV when the file system is missing.
 */
struct file *dma_buf_file_create(size_t size, int flags)
{
	static atomic_long_t last_ino = ATOMIC_LONG_INIT(0);
	struct inode *inode;
	struct file *file;

	if (!dma_buf_mnt)
		return ERR_PTR(-ENODEV);

	inode = alloc_anon_inode(dma_buf_mnt->mnt_sb);
	if (IS_ERR(inode))
		return ERR_CAST(inode);

	/*
	 * The one alloc_anon_inode() chose comes back after 2^32 inodes of any
	 * kind; buffers are told apart by theirs.
	 */
	inode->i_ino = atomic_long_inc_return(&last_ino);
	inode->i_size = size;
	inode_set_bytes(inode, size);

	file = alloc_file_pseudo(inode, dma_buf_mnt, "dmabuf",
				 flags & (O_ACCMODE | O_NONBLOCK),
				 &dma_buf_file_ops);
	if (IS_ERR(file))
		iput(inode);
	return file;
}

/**
 * dma_buf_file_slot - the room for a buffer behind a file
 * @file: from dma_buf_file_create()
 *
 * Context: Any.
 * Return: the slot, whose buffer is all zero after dma_buf_file_create().
 */
struct dma_buf_slot *dma_buf_file_slot(struct file *file)
{
	return dma_buf_inode_to_slot(file_inode(file));
}

/**
 * dma_buf_file_bind - make a file and a buffer belong together
 * @file: from dma_buf_file_create()
 * @dmabuf: the buffer; from now on dma_buf_destroy() ends it when the file is gone
 *
 * Context: Any.
 */
void dma_buf_file_bind(struct file *file, struct dma_buf *dmabuf)
{
	dmabuf->file = file;
	file->private_data = dmabuf;
	file->f_path.dentry->d_fsdata = dmabuf;
}

/**
 * dma_buf_file_forget - end a buffer whose file went before its attachments
 * @dmabuf: a buffer that dma_buf_destroy() has refused to end
 *
 * Context: Process context. May sleep.
 */
void dma_buf_file_forget(struct dma_buf *dmabuf)
{
	struct dma_buf_slot *slot = container_of(dmabuf, struct dma_buf_slot, buf);

	if (dma_buf_destroy(dmabuf))
		iput(&slot->inode);
}

static int dma_buf_fs_init_context(struct fs_context *fc)
{
	struct pseudo_fs_context *ctx = init_pseudo(fc, DMA_BUF_MAGIC);

	if (!ctx)
		return -ENOMEM;
	ctx->ops = &dma_buf_super_ops;
	ctx->dops = &dma_buf_dentry_ops;
	return 0;
}

static struct file_system_type dma_buf_fs = {
	.name			= "dmabuf",
	.init_fs_context	= dma_buf_fs_init_context,
	.kill_sb		= kill_anon_super,
};

/**
 * dma_buf_file_init - mount the pseudo file system
 *
 * Context: Process context, at boot.
 * Return: 0 or a negative errno.
 */
int __init dma_buf_file_init(void)
{
	struct vfsmount *mnt;

	dma_buf_slots = kmem_cache_create("dma_buf", sizeof(struct dma_buf_slot), 0,
					  SLAB_ACCOUNT, dma_buf_slot_init_once);
	if (!dma_buf_slots)
		return -ENOMEM;

	mnt = kern_mount(&dma_buf_fs);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);

	dma_buf_mnt = mnt;
	return 0;
}
