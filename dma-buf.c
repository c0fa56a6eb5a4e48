// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buffer as an object: export, get, put, name, release.
 *
 * What it is: birth, reference counting and death of struct dma_buf.
 * What it owns: all fields of struct dma_buf that are set by the export; the name.
 * Locks: name_lock, innermost of all, around the name. The rest is written
 *	before anybody else can see the buffer, or after the last one has let go.
 * May call: layers 0 and 1, the other dma-buf-*.c, the exporter's release op.
 * Never here: devices, CPU mappings, fences, what the file does.
 * Units: sizes in bytes; name lengths in bytes with the terminating zero.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "dma-buf-private.h"
#include "dma-buf-misuse.h"
#include "ioctl_table.h"

#define CREATE_TRACE_POINTS
#include <trace/events/dma_buf.h>

/**
 * DOC: locking convention
 *
 * One lock matters to exporters and importers: the reservation lock,
 * &dma_buf.resv. Who may hold it when is the same for all of them, or two drivers
 * which never met would deadlock.
 *
 * ======================================  ===========  ==========
 * call                                    made by      with lock
 * ======================================  ===========  ==========
 * dma_buf_export()                        exporter     no
 * dma_buf_move_notify()                   exporter     yes
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
 * And what the core calls, in turn:
 *
 * ======================================  ===========  ==========
 * callback                                answered by  with lock
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
 * dma_buf_ops.release                     exporter     no
 * dma_buf_attach_ops.move_notify          importer     yes
 * ======================================  ===========  ==========
 *
 * Drivers which need several buffers at once lock them with a
 * &struct ww_acquire_ctx; the core takes one at a time and uses none.
 */

/* Birth, first step: a buffer that only this thread knows, behind a new file. */
static struct dma_buf *dma_buf_reserve(const struct dma_buf_export_info *exp_info,
				       struct file *file)
{
	struct dma_buf_slot *slot = dma_buf_file_slot(file);
	struct dma_buf *dmabuf = &slot->buf;

	dmabuf->size = exp_info->size;
	dmabuf->ops = exp_info->ops;
	dmabuf->exp_name = exp_info->exp_name;
	dmabuf->owner = exp_info->owner;
	dmabuf->priv = exp_info->priv;
	dmabuf->resv = exp_info->resv;
	if (!dmabuf->resv) {
		dma_resv_init(&slot->resv);
		dmabuf->resv = &slot->resv;
	}

	spin_lock_init(&dmabuf->name_lock);
	INIT_LIST_HEAD(&dmabuf->attachments);
	return dmabuf;
}

/* The opposite: gives back all that dma_buf_reserve() took, and the name. */
static void dma_buf_unreserve(struct dma_buf *dmabuf)
{
	struct dma_buf_slot *slot = container_of(dmabuf, struct dma_buf_slot, buf);

	if (dmabuf->resv == &slot->resv)
		dma_resv_fini(&slot->resv);
	dma_buf_poll_fini(dmabuf);
	kfree(dmabuf->name);
}

/**
 * dma_buf_destroy - end a buffer
 * @dmabuf: a buffer without references
 *
 * A buffer which something still points to, against the rules, must be left in
 * memory: leak it rather than use it after free. The exporter's module stays with
 * it, as its ops may yet be called. Of attachments the end is known: the last
 * dma_buf_detach() calls this again.
 *
 * Context: Process context; may sleep. Called when the file's directory entry
 * goes, after which the name cannot be asked for any more.
 * Return: whether its memory may be given back.
 */
bool dma_buf_destroy(struct dma_buf *dmabuf)
{
	struct module *owner = dmabuf->owner;

	if (dma_buf_misuse(dmabuf->vmapping_counter) ||
	    dma_buf_misuse(dma_buf_poll_armed(dmabuf)))
		return false;
	if (dma_buf_misuse(!list_empty(&dmabuf->attachments)) &&
	    dma_buf_attach_orphan(dmabuf))
		return false;

	dma_buf_stats_del(dmabuf);
	dmabuf->ops->release(dmabuf);
	dma_buf_unreserve(dmabuf);
	module_put(owner);
	return true;
}

/* Does this describe an exporter that can work? */
static bool dma_buf_export_valid(const struct dma_buf_export_info *exp_info)
{
	const struct dma_buf_ops *ops = exp_info->ops;

	if (!exp_info->priv || !ops)
		return false;
	if (!ops->release || !ops->map_dma_buf || !ops->unmap_dma_buf)
		return false;

	/* Half of a pair, or a kept mapping of something that moves. */
	if (!ops->pin != !ops->unpin)
		return false;
	return !(ops->cache_sgt_mapping && ops->pin);
}

/**
 * dma_buf_export - make a buffer of an exporter's memory
 * @exp_info: who exports what, see &struct dma_buf_export_info
 *
 * The new buffer has one reference, the caller's. It is for the caller to show it
 * around, usually by dma_buf_fd().
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
 *	no memory; also -ENFILE: no more files in the system
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

	file = dma_buf_file_create(exp_info->size, exp_info->flags);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_module_put;
	}

	dmabuf = dma_buf_reserve(exp_info, file);
	ret = dma_buf_stats_add(dmabuf, file);
	if (ret)
		goto err_unreserve;

	/* Second step: from here on it is the file that ends the buffer. */
	dma_buf_file_bind(file, dmabuf);
	dma_buf_debugfs_add(dmabuf);
	trace_dma_buf_export(dmabuf, 0);
	return dmabuf;

err_unreserve:
	dma_buf_unreserve(dmabuf);
	fput(file);
err_module_put:
	module_put(exp_info->owner);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_export, DMA_BUF);

/**
 * dma_buf_fd - open a descriptor for a buffer, in the current process
 * @dmabuf: the buffer
 * @flags: of the descriptor; O_CLOEXEC or 0
 *
 * On success the descriptor has taken the caller's reference over: closing it is
 * the put. On failure the caller keeps its reference.
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: the descriptor; -EINVAL without a buffer, -EMFILE when the process
 * has no free descriptor, -ENOMEM.
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
 * dma_buf_get - find the buffer of a descriptor of the current process
 * @fd: the descriptor
 *
 * Context: Process context. May sleep.
 * Return: the buffer, with one more reference, the caller's to put; or an
 * ERR_PTR(): -EBADF when @fd is not open, -EINVAL when it is no dma-buf.
 */
struct dma_buf *dma_buf_get(int fd)
{
	struct dma_buf *dmabuf;
	struct file *file;

	file = fget(fd);
	if (!file)
		return ERR_PTR(-EBADF);

	/* The reference to the file is the one to the buffer. */
	dmabuf = dma_buf_file_to_buf(file);
	if (dmabuf) {
		trace_dma_buf_get(dmabuf, fd);
		return dmabuf;
	}

	fput(file);
	return ERR_PTR(-EINVAL);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_get, DMA_BUF);

/**
 * dma_buf_put - give one reference back
 * @dmabuf: the buffer; the caller must not touch it again
 *
 * With the last reference the buffer dies, soon but not necessarily before
 * this returns: a file is closed when its task next leaves the kernel, or
 * by a worker.
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

/**
 * dma_buf_name_copy - read a buffer's name
 * @dmabuf: the buffer
 * @name: where to; an empty string when it has none
 *
 * Context: Any; takes the name lock.
 * Return: whether it has one, which may be the empty string, too.
 */
bool dma_buf_name_copy(struct dma_buf *dmabuf, char name[DMA_BUF_NAME_LEN])
{
	bool named;

	spin_lock(&dmabuf->name_lock);
	named = dmabuf->name;
	strscpy(name, named ? dmabuf->name : "", DMA_BUF_NAME_LEN);
	spin_unlock(&dmabuf->name_lock);
	return named;
}

/**
 * dma_buf_ioctl_set_name - DMA_BUF_SET_NAME, in each of its spellings
 * @call: the call; its argument points to the name in user memory
 * @args: not used
 *
 * Context: Process context. May sleep.
 * Return: 0; -EINVAL when the name is longer than DMA_BUF_NAME_LEN, -EFAULT
 * when it cannot be read, -ENOMEM.
 */
long dma_buf_ioctl_set_name(struct ioctl_call *call, void *args)
{
	struct dma_buf *dmabuf = call->file->private_data;
	const char *name = strndup_user(call->user, DMA_BUF_NAME_LEN);

	if (IS_ERR(name))
		return PTR_ERR(name);

	spin_lock(&dmabuf->name_lock);
	swap(dmabuf->name, name);
	spin_unlock(&dmabuf->name_lock);

	kfree(name);
	return 0;
}

/* Without its caches or its file system the core stays silent: exports fail. */
static int __init dma_buf_init(void)
{
	int ret = dma_buf_attach_init() ?: dma_buf_stats_init() ?: dma_buf_file_init();

	if (ret)
		return ret;

	dma_buf_debugfs_init();
	return 0;
}
subsys_initcall(dma_buf_init);
