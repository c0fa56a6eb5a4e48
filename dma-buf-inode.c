// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pseudo file system that buffers live in.
 *
 * A buffer, its inode and a reservation object for exporters that bring none
 * are one allocation, struct dma_buf_inode_info. So the inode is what keeps the
 * memory of a buffer, and one slab cache serves all three. The file system is
 * mounted by the kernel only: no path leads to an inode, only open files do.
 *
 * An inode starts with a zeroed buffer. Filling it in, and the end of it, are
 * the business of dma-buf.c, whose dentry operations this file system has.
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
#include <linux/percpu.h>
#include <linux/pseudo_fs.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>

#include "dma-buf-private.h"

static struct vfsmount *dma_buf_mnt;
static struct kmem_cache *dma_buf_inode_cachep;

static void dma_buf_inode_init_once(void *object)
{
	struct dma_buf_inode_info *info = object;

	inode_init_once(&info->vfs_inode);
}

static struct inode *dma_buf_alloc_inode(struct super_block *sb)
{
	struct dma_buf_inode_info *info;

	info = kmem_cache_alloc(dma_buf_inode_cachep, GFP_KERNEL);
	if (!info)
		return NULL;
	memset(&info->buf, 0, sizeof(info->buf));
	return &info->vfs_inode;
}

/*
 * Free without a grace period: path walks under RCU never reach these inodes,
 * so every user of one has a reference.
 */
static void dma_buf_destroy_inode(struct inode *inode)
{
	kmem_cache_free(dma_buf_inode_cachep, DMA_BUF_I(inode));
}

static const struct super_operations dma_buf_super_ops = {
	.alloc_inode	= dma_buf_alloc_inode,
	.destroy_inode	= dma_buf_destroy_inode,
	/* The address space never has a page, so there is none to truncate. */
	.evict_inode	= clear_inode,
	.drop_inode	= generic_delete_inode,
	.statfs		= simple_statfs,
};

/*
 * Reads and writes go past every cache and take any position, length and
 * address, so O_DIRECT changes nothing and needs no alignment.
 */
static int dma_buf_getattr(struct mnt_idmap *idmap, const struct path *path,
			   struct kstat *stat, u32 request_mask,
			   unsigned int query_flags)
{
	generic_fillattr(idmap, request_mask, d_inode(path->dentry), stat);
	if (request_mask & STATX_DIOALIGN) {
		stat->result_mask |= STATX_DIOALIGN;
		stat->dio_mem_align = 1;
		stat->dio_offset_align = 1;
	}
	return 0;
}

static const struct inode_operations dma_buf_inode_ops = {
	.getattr	= dma_buf_getattr,
};

static int dma_buf_init_fs_context(struct fs_context *fc)
{
	struct pseudo_fs_context *ctx = init_pseudo(fc, DMA_BUF_MAGIC);

	if (!ctx)
		return -ENOMEM;
	ctx->ops = &dma_buf_super_ops;
	ctx->dops = &dma_buf_dentry_ops;
	return 0;
}

static struct file_system_type dma_buf_fs_type = {
	.name			= "dmabuf",
	.init_fs_context	= dma_buf_init_fs_context,
	.kill_sb		= kill_anon_super,
};

/* How many inode numbers a CPU takes at once; a power of two. */
#define DMA_BUF_INO_BLOCK	1024UL

static DEFINE_PER_CPU(unsigned long, dma_buf_last_ino);

/*
 * Each CPU takes a block of numbers at a time, so that exports on several do
 * not share a cache line. Never 0, which stands for no inode.
 */
static unsigned long dma_buf_next_ino(void)
{
	static atomic_long_t next_block = ATOMIC_LONG_INIT(0);
	unsigned long *last = &get_cpu_var(dma_buf_last_ino);
	unsigned long ino = *last;

	if (!(ino % DMA_BUF_INO_BLOCK))
		ino = atomic_long_fetch_add(DMA_BUF_INO_BLOCK, &next_block);
	/* Where longs have 32 bits, the last number of the last block. */
	if (!++ino)
		ino = atomic_long_fetch_add(DMA_BUF_INO_BLOCK, &next_block) + 1;
	*last = ino;
	put_cpu_var(dma_buf_last_ino);
	return ino;
}

/**
 * dma_buf_inode_alloc_file - allocate a file and the inode of a buffer
 * @size: of the buffer, shown by stat(2)
 * @flags: as for open(2), of which the access mode and O_NONBLOCK count: others
 *	mean nothing to a buffer, or are the descriptor's and not the file's
 * @fops: operations of the file
 *
 * The file has no buffer yet, and fput() undoes this function.
 *
 * Context: Process context. May sleep.
 * Return: the file, or an ERR_PTR(): -ENOMEM; -ENFILE when the system has no
 * more files; -ENODEV when the file system is not mounted.
 */
struct file *dma_buf_inode_alloc_file(size_t size, int flags,
				      const struct file_operations *fops)
{
	struct inode *inode;
	struct file *file;

	if (!dma_buf_mnt)
		return ERR_PTR(-ENODEV);

	inode = alloc_anon_inode(dma_buf_mnt->mnt_sb);
	if (IS_ERR(inode))
		return ERR_CAST(inode);

	/*
	 * Programs tell buffers apart by the inode number. The one that
	 * alloc_anon_inode() chose is taken from a counter of 32 bits that all
	 * pseudo file systems share, and wraps.
	 */
	inode->i_ino = dma_buf_next_ino();
	inode->i_op = &dma_buf_inode_ops;
	inode->i_size = size;
	inode_set_bytes(inode, size);

	file = alloc_file_pseudo(inode, dma_buf_mnt, "dmabuf",
				 flags & (O_ACCMODE | O_NONBLOCK), fops);
	if (IS_ERR(file)) {
		iput(inode);
		return file;
	}
	/*
	 * What open(2) of a regular file would set: there is a position, and
	 * fcntl(2) may set O_DIRECT.
	 */
	file->f_mode |= FMODE_PREAD | FMODE_PWRITE | FMODE_ATOMIC_POS |
			FMODE_NOWAIT | FMODE_CAN_ODIRECT;
	return file;
}

/**
 * dma_buf_inode_init - create the slab cache and mount the file system
 *
 * Context: Process context, at boot.
 * Return: 0 or a negative errno.
 */
int __init dma_buf_inode_init(void)
{
	struct vfsmount *mnt;

	dma_buf_inode_cachep =
		kmem_cache_create("dma_buf", sizeof(struct dma_buf_inode_info),
				  0, SLAB_ACCOUNT, dma_buf_inode_init_once);
	if (!dma_buf_inode_cachep)
		return -ENOMEM;

	mnt = kern_mount(&dma_buf_fs_type);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);

	dma_buf_mnt = mnt;
	return 0;
}
