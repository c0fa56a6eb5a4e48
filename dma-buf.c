// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buffer as an object: export, references, release.
 *
 * A buffer has no reference count of its own: its file has. Export is in two
 * steps: first a file with a buffer that only the exporting thread knows, so
 * that a failure can be undone in place; then the two are bound, and from there
 * on it is the file that releases the buffer.
 *
 * Release is in two steps, too. With the last reference to the file the buffer
 * leaves the list of debugfs. The dentry goes after that, and only with it the
 * exporter's memory and the buffer, because d_path() may read the name of the
 * buffer as long as there is a dentry.
 *
 * Importers must not hold anything of a buffer without a reference to it. Where
 * one does, the buffer is left in memory: leak it rather than use it after
 * free.
 *
 * Locks: the fields that an export sets are written before any other thread can
 * see the buffer, and do not change. dma_buf.file is cleared under the
 * reservation lock in the case of the misuse above.
 */
#include <linux/dcache.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "dma-buf-misuse.h"
#include "dma-buf-private.h"

#define CREATE_TRACE_POINTS
#include <trace/events/dma_buf.h>

/**
 * DOC: locking convention
 *
 * One lock matters to exporters and importers: the reservation lock,
 * &dma_buf.resv. Which calls are made with it is the same for all of them, as
 * otherwise two drivers that do not know each other could deadlock.
 *
 * ======================================  ===========  ==========
 * call                                    made by      with lock
 * ======================================  ===========  ==========
 * dma_buf_export()                        exporter     no
 * dma_buf_move_notify()                   exporter     yes
 * dma_buf_invalidate_mappings()           exporter     yes
 * dma_buf_revoke()                        exporter     no
 * dma_buf_fd(), dma_buf_get()             both         no
 * dma_buf_put()                           both         no
 * dma_buf_attach()                        importer     no
 * dma_buf_dynamic_attach()                importer     no
 * dma_buf_detach()                        importer     no
 * dma_buf_pin(), dma_buf_unpin()          importer     yes
 * dma_buf_map_attachment()                importer     yes
 * dma_buf_unmap_attachment()              importer     yes
 * dma_buf_map_attachment_unlocked()       importer     no
 * dma_buf_unmap_attachment_unlocked()     importer     no
 * dma_buf_lock_attachments()              importer     no
 * dma_buf_unlock_attachments()            importer     yes
 * dma_buf_map_attachments()               importer     yes
 * dma_buf_unmap_attachments()             importer     yes
 * dma_buf_map_attachments_unlocked()      importer     no
 * dma_buf_unmap_attachments_unlocked()    importer     no
 * dma_buf_pin_attachments()               importer     yes
 * dma_buf_unpin_attachments()             importer     yes
 * dma_buf_pin_attachments_unlocked()      importer     no
 * dma_buf_unpin_attachments_unlocked()    importer     no
 * dma_buf_wait_attachments()              importer     either
 * dma_buf_vmap(), dma_buf_vunmap()        importer     yes
 * dma_buf_vmap_unlocked()                 importer     no
 * dma_buf_vunmap_unlocked()               importer     no
 * dma_buf_begin_cpu_access()              importer     no
 * dma_buf_end_cpu_access()                importer     no
 * dma_buf_begin_cpu_access_partial()      importer     no
 * dma_buf_end_cpu_access_partial()        importer     no
 * dma_buf_mmap()                          importer     no
 * ======================================  ===========  ==========
 *
 * The callbacks that the core calls, in turn:
 *
 * ======================================  ===========  ==========
 * callback                                op of        with lock
 * ======================================  ===========  ==========
 * dma_buf_ops.attach                      exporter     no
 * dma_buf_ops.detach                      exporter     no
 * dma_buf_ops.pin                         exporter     yes
 * dma_buf_ops.unpin                       exporter     yes
 * dma_buf_ops.map_dma_buf                 exporter     yes
 * dma_buf_ops.unmap_dma_buf               exporter     yes
 * dma_buf_ops.begin_cpu_access            exporter     no
 * dma_buf_ops.end_cpu_access              exporter     no
 * dma_buf_ops.begin_cpu_access_partial    exporter     no
 * dma_buf_ops.end_cpu_access_partial      exporter     no
 * dma_buf_ops.mmap                        exporter     no
 * dma_buf_ops.vmap                        exporter     yes
 * dma_buf_ops.vunmap                      exporter     yes
 * dma_buf_ops.revoke                      exporter     no
 * dma_buf_ops.release                     exporter     no
 * dma_buf_attach_ops.move_notify          importer     yes
 * dma_buf_attach_ops.invalidate_mappings  importer     yes
 * ======================================  ===========  ==========
 *
 * Drivers that need several buffers at once lock them with a
 * &struct ww_acquire_ctx, by dma_buf_lock_attachments() or by means of their
 * own. The core locks one buffer at a time, without one, but for batches.
 */

/**
 * dma_buf_of_file - return the buffer of a file
 * @file: any file
 *
 * Context: Any.
 * Return: the buffer, or NULL when this is some other kind of file.
 */
struct dma_buf *dma_buf_of_file(struct file *file)
{
	return file->f_op == &dma_buf_file_ops ? file->private_data : NULL;
}

/* Initialize the buffer in the inode of @file. */
static struct dma_buf *dma_buf_setup(const struct dma_buf_export_info *exp_info,
				     struct file *file)
{
	struct dma_buf_inode_info *info = DMA_BUF_I(file_inode(file));
	struct dma_buf *dmabuf = &info->buf;

	dmabuf->size = exp_info->size;
	dmabuf->ops = exp_info->ops;
	dmabuf->exp_name = exp_info->exp_name;
	dmabuf->owner = exp_info->owner;
	dmabuf->priv = exp_info->priv;
	dmabuf->resv = exp_info->resv;
	if (!dmabuf->resv) {
		dma_resv_init(&info->resv);
		dmabuf->resv = &info->resv;
	}

	spin_lock_init(&dmabuf->name_lock);
	INIT_LIST_HEAD(&dmabuf->attachments);
	return dmabuf;
}

/* Undo dma_buf_setup(), and free what was added to the buffer since. */
static void dma_buf_teardown(struct dma_buf *dmabuf)
{
	struct dma_buf_inode_info *info =
		container_of(dmabuf, struct dma_buf_inode_info, buf);

	if (dmabuf->resv == &info->resv)
		dma_resv_fini(&info->resv);
	/* Most buffers have neither. */
	if (dma_buf_waiters(dmabuf) || dmabuf->name) {
		kfree(dma_buf_waiters(dmabuf));
		kfree(dmabuf->name);
	}
}

/* From here on the file releases the buffer. */
static void dma_buf_bind(struct file *file, struct dma_buf *dmabuf)
{
	dmabuf->file = file;
	file->private_data = dmabuf;
	file->f_path.dentry->d_fsdata = dmabuf;
}

/*
 * Leave a buffer without a file to its attachments; return false if it has
 * none.
 */
static bool dma_buf_orphan(struct dma_buf *dmabuf)
{
	bool attached;

	dma_resv_lock(dmabuf->resv, NULL);
	attached = !list_empty(&dmabuf->attachments);
	if (attached)
		dmabuf->file = NULL;
	dma_resv_unlock(dmabuf->resv);
	return attached;
}

/*
 * Release a buffer without references, and return true if its memory may be
 * freed. A buffer that is still pointed to stays, and so does the exporter's
 * module, whose ops may yet be called. If it is attachments that point to it,
 * the last dma_buf_detach() releases it; in the other cases it is never freed.
 */
static bool dma_buf_release(struct dma_buf *dmabuf)
{
	struct module *owner = dmabuf->owner;

	if (dma_buf_misuse(dmabuf->vmapping_counter) ||
	    dma_buf_misuse(dma_buf_poll_armed(dmabuf)))
		return false;
	if (dma_buf_misuse(!list_empty(&dmabuf->attachments)) &&
	    dma_buf_orphan(dmabuf))
		return false;

	dma_buf_stats_del(dmabuf);
	dmabuf->ops->release(dmabuf);
	dma_buf_teardown(dmabuf);
	module_put(owner);
	return true;
}

/**
 * dma_buf_release_orphan - release a buffer whose file went before it
 * @dmabuf: a buffer whose last attachment is gone
 *
 * Context: Process context. May sleep.
 */
void dma_buf_release_orphan(struct dma_buf *dmabuf)
{
	struct dma_buf_inode_info *info =
		container_of(dmabuf, struct dma_buf_inode_info, buf);

	if (dma_buf_release(dmabuf))
		iput(&info->vfs_inode);
}

static char *dma_buf_dentry_dname(struct dentry *dentry, char *buffer,
				  int buflen)
{
	char name[DMA_BUF_NAME_LEN];

	dma_buf_name_copy(dentry->d_fsdata, name);
	return dynamic_dname(buffer, buflen, "/%pd:%s", dentry, name);
}

/* The inode keeps its reference, and so its memory, while the buffer stays. */
static void dma_buf_dentry_iput(struct dentry *dentry, struct inode *inode)
{
	struct dma_buf *dmabuf = dentry->d_fsdata;

	/* There is no buffer where the export failed. */
	if (!dmabuf || dma_buf_release(dmabuf))
		iput(inode);
}

const struct dentry_operations dma_buf_dentry_ops = {
	.d_dname	= dma_buf_dentry_dname,
	.d_iput		= dma_buf_dentry_iput,
};

/* Test whether @exp_info describes an exporter that can work. */
static bool dma_buf_export_valid(const struct dma_buf_export_info *exp_info)
{
	const struct dma_buf_ops *ops = exp_info->ops;

	if (!exp_info->priv || !ops)
		return false;
	if (!ops->release || !ops->map_dma_buf || !ops->unmap_dma_buf)
		return false;

	if (!ops->pin != !ops->unpin)
		return false;
	/* A mapping that the core keeps would lead to where the buffer was. */
	return !(ops->cache_sgt_mapping && ops->pin);
}

/**
 * dma_buf_export - make a buffer of an exporter's memory
 * @exp_info: description of the exporter and the memory
 *
 * The new buffer has one reference, the caller's. The caller makes it known to
 * others, usually by dma_buf_fd().
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: the buffer, or an ERR_PTR():
 *
 * -EINVAL
 *	a mandatory op or &dma_buf_export_info.priv is missing; there is one of
 *	pin and unpin without the other; or a dynamic exporter wants mappings
 *	cached
 * -ENOENT
 *	the exporter's module is being unloaded
 * -ENOMEM
 *	no memory
 * -ENFILE
 *	the system has no more files
 */
struct dma_buf *dma_buf_export(const struct dma_buf_export_info *exp_info)
{
	struct dma_buf *dmabuf;
	struct file *file;
	int ret;

	if (dma_buf_misuse(!dma_buf_export_valid(exp_info)))
		return ERR_PTR(-EINVAL);

	if (!try_module_get(exp_info->owner))
		return ERR_PTR(-ENOENT);

	file = dma_buf_inode_alloc_file(exp_info->size, exp_info->flags,
					&dma_buf_file_ops);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_module_put;
	}

	dmabuf = dma_buf_setup(exp_info, file);
	ret = dma_buf_stats_add(dmabuf, file);
	if (ret)
		goto err_teardown;

	dma_buf_bind(file, dmabuf);
	dma_buf_list_add(dmabuf);
	trace_dma_buf_export(dmabuf, 0);
	return dmabuf;

err_teardown:
	dma_buf_teardown(dmabuf);
	fput(file);
err_module_put:
	module_put(exp_info->owner);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_export, DMA_BUF);

/**
 * dma_buf_fd - install a descriptor for a buffer in the current process
 * @dmabuf: the buffer
 * @flags: of the descriptor; O_CLOEXEC or 0
 *
 * On success the caller's reference belongs to the descriptor, and closing that
 * drops it. On failure the caller keeps its reference.
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: the descriptor; -EINVAL without a buffer; -EMFILE when the process
 * has no free descriptor; -ENOMEM.
 */
int dma_buf_fd(struct dma_buf *dmabuf, int flags)
{
	int fd = -EINVAL;

	if (!dmabuf || !dmabuf->file)
		return fd;

	fd = get_unused_fd_flags(flags);
	/* Before it is installed: after that, another thread may close it. */
	trace_dma_buf_fd(dmabuf, fd);
	if (fd >= 0)
		fd_install(fd, dmabuf->file);
	return fd;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_fd, DMA_BUF);

/**
 * dma_buf_get - look up the buffer of a descriptor of the current process
 * @fd: the descriptor
 *
 * Context: Process context. May sleep.
 * Return: the buffer, with a reference for the caller to put; or an ERR_PTR():
 * -EBADF when @fd is not open, -EINVAL when it is no dma-buf.
 */
struct dma_buf *dma_buf_get(int fd)
{
	struct dma_buf *dmabuf;
	struct file *file;

	file = fget(fd);
	if (!file)
		return ERR_PTR(-EBADF);

	/* The reference to the file is the one to the buffer. */
	dmabuf = dma_buf_of_file(file);
	if (dmabuf) {
		trace_dma_buf_get(dmabuf, fd);
		return dmabuf;
	}

	fput(file);
	return ERR_PTR(-EINVAL);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_get, DMA_BUF);

/**
 * dma_buf_put - drop a reference to a buffer
 * @dmabuf: the buffer; the caller must not touch it again
 *
 * The last reference releases the buffer, though not always before this
 * returns: a file is closed when its task next leaves the kernel, or by a
 * worker.
 *
 * Context: Any but NMI; never sleeps.
 */
void dma_buf_put(struct dma_buf *dmabuf)
{
	if (dma_buf_misuse(!dmabuf || !dmabuf->file))
		return;

	trace_dma_buf_put(dmabuf, 0);
	fput(dmabuf->file);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_put, DMA_BUF);
