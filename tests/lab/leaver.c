// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that leaves: its fences and buffers are held by others when
 * its module is unloaded, or is to be.
 *
 * What it is: a node through which programs get fences and buffers made.
 * What it owns: one timeline, in memory that is freed when the module goes; and
 * on it the fences that have not signalled.
 * Locks: leaver_timeline.lock for the list, which is also the lock of each fence.
 * May call: fences, sync files, the buffer core.
 * Never here: hardware, and anything that would help the core to do without us.
 * Units: none.
 *
 * Two kinds of fences show the two halves of the contract in dma-fence.c. The
 * bare ones have no release op: after they have signalled the module may go,
 * its code, its ops tables and the lock with it. The others hold the module.
 */
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/sync_file.h>

#include "../../ioctl_table.h"
#include "leaver_uapi.h"

#define LEAVER_NAME	"dmabuf_leaver"

/**
 * struct leaver_timeline - all fences that are pending
 * @lock: of each of its fences
 * @pending: struct leaver_fence by their links; each with a reference
 * @context: number of the timeline
 * @seqno: of the latest fence; under @lock
 * @name: as fences say it
 */
struct leaver_timeline {
	spinlock_t lock; /* see above */
	struct list_head pending;
	u64 context;
	u64 seqno;
	char name[16];
};

/* @base comes first, so that the core can free a bare one. */
struct leaver_fence {
	struct dma_fence base;
	struct list_head link;	/* under leaver_timeline.lock */
};

static struct leaver_timeline *leaver_timeline;

/* ---- fences ------------------------------------------------------------- */

static const char *leaver_driver_name(struct dma_fence *fence)
{
	return LEAVER_NAME;
}

static const char *leaver_timeline_name(struct dma_fence *fence)
{
	return leaver_timeline->name;
}

static void leaver_value_str(struct dma_fence *fence, char *str, int size)
{
	snprintf(str, size, "%llu", fence->seqno);
}

static void leaver_fence_free(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct leaver_fence, base.rcu));
	module_put(THIS_MODULE);
}

static void leaver_fence_release(struct dma_fence *fence)
{
	call_rcu(&fence->rcu, leaver_fence_free);
}

static const struct dma_fence_ops leaver_bare_ops = {
	.get_driver_name	= leaver_driver_name,
	.get_timeline_name	= leaver_timeline_name,
	.fence_value_str	= leaver_value_str,
	.timeline_value_str	= leaver_value_str,
};

static const struct dma_fence_ops leaver_release_ops = {
	.get_driver_name	= leaver_driver_name,
	.get_timeline_name	= leaver_timeline_name,
	.fence_value_str	= leaver_value_str,
	.timeline_value_str	= leaver_value_str,
	.release		= leaver_fence_release,
};

static struct dma_fence *leaver_fence_create(bool release)
{
	struct leaver_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	if (!fence)
		return NULL;

	if (release)
		__module_get(THIS_MODULE);
	spin_lock_irq(&leaver_timeline->lock);
	dma_fence_init(&fence->base,
		       release ? &leaver_release_ops : &leaver_bare_ops,
		       &leaver_timeline->lock, leaver_timeline->context,
		       ++leaver_timeline->seqno);
	dma_fence_get(&fence->base);
	list_add_tail(&fence->link, &leaver_timeline->pending);
	spin_unlock_irq(&leaver_timeline->lock);
	return &fence->base;
}

/* All that are pending, in order. */
static void leaver_signal(int error)
{
	struct leaver_fence *fence, *next;
	LIST_HEAD(due);

	spin_lock_irq(&leaver_timeline->lock);
	list_splice_init(&leaver_timeline->pending, &due);
	list_for_each_entry(fence, &due, link) {
		if (error)
			dma_fence_set_error(&fence->base, error);
		dma_fence_signal_locked(&fence->base);
	}
	spin_unlock_irq(&leaver_timeline->lock);

	list_for_each_entry_safe(fence, next, &due, link)
		dma_fence_put(&fence->base);
}

/* ---- buffers ------------------------------------------------------------ */

static struct sg_table *leaver_map(struct dma_buf_attachment *attach,
				   enum dma_data_direction dir)
{
	struct page *page = attach->dmabuf->priv;
	struct sg_table *sgt;
	int ret;

	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table(sgt, 1, GFP_KERNEL);
	if (ret)
		goto err_free;
	sg_set_page(sgt->sgl, page, PAGE_SIZE, 0);

	ret = dma_map_sgtable(attach->dev, sgt, dir, 0);
	if (ret)
		goto err_free_table;

	return sgt;

err_free_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void leaver_unmap(struct dma_buf_attachment *attach,
			 struct sg_table *sgt, enum dma_data_direction dir)
{
	dma_unmap_sgtable(attach->dev, sgt, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static void leaver_buffer_release(struct dma_buf *dmabuf)
{
	__free_page(dmabuf->priv);
}

static const struct dma_buf_ops leaver_buffer_ops = {
	.map_dma_buf	= leaver_map,
	.unmap_dma_buf	= leaver_unmap,
	.release	= leaver_buffer_release,
};

static struct dma_buf *leaver_buffer_create(void)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct dma_buf *dmabuf;

	exp_info.ops = &leaver_buffer_ops;
	exp_info.size = PAGE_SIZE;
	exp_info.flags = O_RDWR;
	exp_info.priv = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!exp_info.priv)
		return ERR_PTR(-ENOMEM);

	dmabuf = dma_buf_export(&exp_info);
	if (IS_ERR(dmabuf))
		__free_page(exp_info.priv);

	return dmabuf;
}

/* ---- the node ----------------------------------------------------------- */

/* Gives @file to the program, and the number through *@fd. */
static long leaver_reply(struct ioctl_call *call, struct file *file, __s32 *fd)
{
	long ret;

	*fd = get_unused_fd_flags(O_CLOEXEC);
	if (*fd < 0) {
		ret = *fd;
		goto err_fput;
	}

	ret = ioctl_call_reply(call);
	if (ret)
		goto err_put_fd;

	fd_install(*fd, file);
	return 0;

err_put_fd:
	put_unused_fd(*fd);
err_fput:
	fput(file);
	return ret;
}

static long leaver_ioctl_fence(struct ioctl_call *call, void *args)
{
	struct dmabuf_leaver_fence *arg = args;
	struct sync_file *sync_file;
	struct dma_fence *fence;

	if (arg->flags & ~DMABUF_LEAVER_FENCE_RELEASE)
		return -EINVAL;

	fence = leaver_fence_create(arg->flags & DMABUF_LEAVER_FENCE_RELEASE);
	if (!fence)
		return -ENOMEM;

	sync_file = sync_file_create(fence);
	dma_fence_put(fence);
	return sync_file ? leaver_reply(call, sync_file->file, &arg->fd) : -ENOMEM;
}

static long leaver_ioctl_signal(struct ioctl_call *call, void *args)
{
	leaver_signal(0);
	return 0;
}

static long leaver_ioctl_buffer(struct ioctl_call *call, void *args)
{
	struct dmabuf_leaver_buffer *arg = args;
	struct dma_buf *dmabuf;

	if (arg->pad)
		return -EINVAL;

	dmabuf = leaver_buffer_create();
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	return leaver_reply(call, dmabuf->file, &arg->fd);
}

static const struct ioctl_entry leaver_ioctls[] = {
	IOCTL_EXACT(DMABUF_LEAVER_FENCE, struct dmabuf_leaver_fence,
		    leaver_ioctl_fence),
	IOCTL_RAW(DMABUF_LEAVER_SIGNAL, leaver_ioctl_signal),
	IOCTL_EXACT(DMABUF_LEAVER_BUFFER, struct dmabuf_leaver_buffer,
		    leaver_ioctl_buffer),
};

static long leaver_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return ioctl_table_call(leaver_ioctls, file, cmd, arg);
}

static const struct file_operations leaver_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= leaver_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice leaver_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= LEAVER_NAME,
	.fops	= &leaver_fops,
};

static int __init leaver_init(void)
{
	struct leaver_timeline *timeline;
	int ret;

	timeline = kzalloc(sizeof(*timeline), GFP_KERNEL);
	if (!timeline)
		return -ENOMEM;

	spin_lock_init(&timeline->lock);
	INIT_LIST_HEAD(&timeline->pending);
	timeline->context = dma_fence_context_alloc(1);
	strscpy(timeline->name, "leaving");
	leaver_timeline = timeline;

	ret = misc_register(&leaver_misc);
	if (ret)
		kfree(timeline);
	return ret;
}

static void __exit leaver_exit(void)
{
	misc_deregister(&leaver_misc);
	leaver_signal(-ENODEV);
	/* Calls into the ops of the fences have returned, the lock is free. */
	synchronize_rcu();
	kfree(leaver_timeline);
	/* And the functions that free the others have come to their end. */
	rcu_barrier();
}

module_init(leaver_init);
module_exit(leaver_exit);

MODULE_DESCRIPTION("A driver that is unloaded while its fences are in use");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
