// SPDX-License-Identifier: GPL-2.0-only
/*
 * Export and import of the implicit fences of a buffer as sync files.
 *
 * A program that synchronises explicitly can use a driver that synchronises
 * implicitly: it takes the fences out of the reservation object before it
 * submits work elsewhere, and puts the fence of that work back in.
 *
 * Both commands look at the fences of one moment. A fence that is added later
 * is not in a sync file that was exported before.
 *
 * Locks: the reservation lock, while fences are imported.
 */
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/sync_file.h>

#include "dma-buf-private.h"
#include "ioctl_table.h"

/* Flags of both commands: read, write or both, and nothing else. */
static bool dma_buf_sync_file_flags_valid(u32 flags)
{
	return flags && !(flags & ~DMA_BUF_SYNC_RW);
}

/* Make a sync file of the fences that @flags have to wait for. */
static struct sync_file *dma_buf_sync_file_create(struct dma_buf *dmabuf,
						  u32 flags)
{
	bool write = flags & DMA_BUF_SYNC_WRITE;
	struct sync_file *sync_file;
	struct dma_fence *fence;
	int ret;

	if (dma_buf_is_revoked(dmabuf))
		return ERR_PTR(-ENODEV);
	ret = dma_resv_get_singleton(dmabuf->resv, dma_resv_usage_rw(write),
				     &fence);
	if (ret)
		return ERR_PTR(ret);

	/*
	 * A sync file needs a fence, also where there is nothing to wait for.
	 */
	fence = fence ?: dma_fence_get_stub();
	sync_file = sync_file_create(fence);
	dma_fence_put(fence);
	return sync_file ?: ERR_PTR(-ENOMEM);
}

/**
 * dma_buf_sync_file_export - export fences as a descriptor of this process
 * @dmabuf: the buffer
 * @flags: as &dma_buf_export_sync_file.flags
 *
 * Context: Process context. May sleep.
 * Return: the descriptor; -EINVAL for wrong flags; -EMFILE when the process has
 * no free descriptor; -ENODEV when the buffer has been revoked; -ENOMEM.
 */
int dma_buf_sync_file_export(struct dma_buf *dmabuf, u32 flags)
{
	struct sync_file *sync_file;

	if (!dma_buf_sync_file_flags_valid(flags))
		return -EINVAL;

	CLASS(get_unused_fd, fd)(O_CLOEXEC);
	if (fd < 0)
		return fd;
	sync_file = dma_buf_sync_file_create(dmabuf, flags);
	if (IS_ERR(sync_file))
		return PTR_ERR(sync_file);

	fd_install(fd, sync_file->file);
	return take_fd(fd);
}

/**
 * dma_buf_sync_file_ioctl_export - carry out DMA_BUF_IOCTL_EXPORT_SYNC_FILE
 * @call: the call
 * @args: &struct dma_buf_export_sync_file
 *
 * Context: Process context. May sleep.
 * Return: 0; -EINVAL for wrong flags; -EMFILE when the process has no free
 * descriptor; -ENODEV when the buffer has been revoked; -ENOMEM; -EFAULT when
 * the answer cannot be written.
 */
long dma_buf_sync_file_ioctl_export(struct ioctl_call *call, void *args)
{
	struct dma_buf *dmabuf = call->file->private_data;
	struct dma_buf_export_sync_file *export = args;
	struct sync_file *sync_file;
	int ret;

	if (!dma_buf_sync_file_flags_valid(export->flags))
		return -EINVAL;

	CLASS(get_unused_fd, fd)(O_CLOEXEC);
	if (fd < 0)
		return fd;
	sync_file = dma_buf_sync_file_create(dmabuf, export->flags);
	if (IS_ERR(sync_file))
		return PTR_ERR(sync_file);

	/* The answer goes out while the descriptor can still be taken back. */
	export->fd = fd;
	ret = ioctl_call_reply(call);
	if (ret) {
		fput(sync_file->file);
		return ret;
	}
	fd_install(take_fd(fd), sync_file->file);
	return 0;
}

/* Add each fence that @fence consists of: a resv must not hold containers. */
static int dma_buf_sync_file_add_fences(struct dma_buf *dmabuf,
					struct dma_fence *fence,
					enum dma_resv_usage usage)
{
	struct dma_resv *resv = dmabuf->resv;
	struct dma_fence_unwrap iter;
	unsigned int count = 0;
	struct dma_fence *f;
	int ret;

	/*
	 * The walk below finds at most as many: a chain only gets shorter, as
	 * links that have signaled are dropped.
	 */
	dma_fence_unwrap_for_each(f, &iter, fence)
		count++;
	if (!count)
		return 0;

	/* Uninterruptible: programs do not expect EINTR from this command. */
	dma_resv_lock(resv, NULL);
	ret = dma_buf_is_revoked(dmabuf) ? -ENODEV :
					   dma_resv_reserve_fences(resv, count);
	if (!ret) {
		dma_fence_unwrap_for_each(f, &iter, fence)
			dma_resv_add_fence(resv, f, usage);
	}
	dma_resv_unlock(resv);
	return ret;
}

/**
 * dma_buf_sync_file_import - add the fences of a sync file to a buffer
 * @dmabuf: the buffer
 * @flags: as &dma_buf_import_sync_file.flags
 * @fd: the sync file, a descriptor of this process
 *
 * Context: Process context; takes the reservation lock. May sleep.
 * Return: 0; -EINVAL for wrong flags or a descriptor that is no sync file;
 * -ENODEV when the buffer has been revoked; -ENOMEM.
 */
int dma_buf_sync_file_import(struct dma_buf *dmabuf, u32 flags, int fd)
{
	struct dma_fence *fence;
	int ret;

	if (!dma_buf_sync_file_flags_valid(flags))
		return -EINVAL;

	fence = sync_file_get_fence(fd);
	if (!fence)
		return -EINVAL;

	ret = dma_buf_sync_file_add_fences(dmabuf, fence,
					   flags & DMA_BUF_SYNC_WRITE ?
					   DMA_RESV_USAGE_WRITE :
					   DMA_RESV_USAGE_READ);
	dma_fence_put(fence);
	return ret;
}

/**
 * dma_buf_sync_file_ioctl_import - carry out DMA_BUF_IOCTL_IMPORT_SYNC_FILE
 * @call: the call
 * @args: &struct dma_buf_import_sync_file
 *
 * Context: Process context; takes the reservation lock. May sleep.
 * Return: as dma_buf_sync_file_import().
 */
long dma_buf_sync_file_ioctl_import(struct ioctl_call *call, void *args)
{
	const struct dma_buf_import_sync_file *import = args;

	return dma_buf_sync_file_import(call->file->private_data, import->flags,
					import->fd);
}
