// SPDX-License-Identifier: GPL-2.0-only
/*
 * The character device of the edu importer: open, close, and a table of
 * commands.
 *
 * Owns: struct edu_client, and edu_device.clients.
 * Locks: edu_device.live is read around each command, so that a command never
 * meets a device that is half gone; edu_device.clients_lock in open and close;
 * edu_client.lock for handles.
 * May call: edu_import.c and edu_job.c.
 * Never here: registers, fences.
 * Units: bytes.
 */
#include <linux/fs.h>
#include <linux/slab.h>

#include "../../ioctl_table.h"
#include "edu.h"

static long edu_ioctl_info(struct ioctl_call *call, void *args)
{
	struct edu_client *client = call->file->private_data;
	struct edu_device *edu = client->edu;
	struct dmabuf_edu_info *info = args;

	*info = (struct dmabuf_edu_info) {
		.version = DMABUF_EDU_VERSION,
		.window = EDU_WINDOW_SIZE,
		.dma_bits = edu->dma_bits,
		.max_length = EDU_MAX_LENGTH,
	};
	if (device_iommu_mapped(&edu->pdev->dev))
		info->flags |= DMABUF_EDU_INFO_IOMMU;

	return ioctl_call_reply(call);
}

static long edu_ioctl_attach(struct ioctl_call *call, void *args)
{
	struct edu_client *client = call->file->private_data;
	struct dmabuf_edu_attach *attach = args;
	struct edu_import *import;
	u32 handle;
	int ret;

	/* Reserved: a lookup finds nothing until nothing can fail any more. */
	ret = xa_alloc(&client->imports, &handle, NULL, xa_limit_31b,
		       GFP_KERNEL_ACCOUNT);
	if (ret)
		return ret;

	import = edu_import_create(client->edu, attach->fd, attach->flags);
	if (IS_ERR(import)) {
		ret = PTR_ERR(import);
		goto err_free_handle;
	}

	attach->handle = handle;
	attach->segments = edu_import_segments(import);
	attach->size = import->dmabuf->size;
	ret = ioctl_call_reply(call);
	if (ret)
		goto err_put_import;

	xa_store(&client->imports, handle, import, GFP_KERNEL_ACCOUNT);
	return 0;

err_put_import:
	edu_import_put(import);
err_free_handle:
	xa_erase(&client->imports, handle);
	return ret;
}

static long edu_ioctl_detach(struct ioctl_call *call, void *args)
{
	struct edu_client *client = call->file->private_data;
	struct dmabuf_edu_detach *detach = args;
	struct edu_import *import;

	if (detach->pad)
		return -EINVAL;

	scoped_guard(mutex, &client->lock) {
		/* Looked up first, as erasing would free a reserved handle. */
		import = xa_load(&client->imports, detach->handle);
		if (!import)
			return -ENOENT;
		xa_erase(&client->imports, detach->handle);
	}

	edu_import_put(import);
	return 0;
}

static long edu_ioctl_copy(struct ioctl_call *call, void *args)
{
	return edu_job_copy(call->file->private_data, call, args);
}

static const struct ioctl_entry edu_ioctls[] = {
	IOCTL_GROWS(DMABUF_EDU_INFO, struct dmabuf_edu_info, max_length,
		    IOCTL_TAIL_ZERO, edu_ioctl_info),
	IOCTL_GROWS(DMABUF_EDU_ATTACH, struct dmabuf_edu_attach, size,
		    IOCTL_TAIL_ZERO, edu_ioctl_attach),
	IOCTL_GROWS(DMABUF_EDU_DETACH, struct dmabuf_edu_detach, pad,
		    IOCTL_TAIL_ZERO, edu_ioctl_detach),
	IOCTL_GROWS(DMABUF_EDU_COPY, struct dmabuf_edu_copy, timeout_ms,
		    IOCTL_TAIL_ZERO, edu_ioctl_copy),
};

static long edu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct edu_client *client = file->private_data;
	struct edu_device *edu = client->edu;
	long ret = -ENODEV;

	if (down_read_killable(&edu->live))
		return -EINTR;
	if (!edu->gone)
		ret = ioctl_table_call(edu_ioctls, file, cmd, arg);
	up_read(&edu->live);

	return ret;
}

static int edu_open(struct inode *inode, struct file *file)
{
	struct edu_device *edu = container_of(file->private_data,
					      struct edu_device, misc);
	struct edu_client *client;

	client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);
	if (!client)
		return -ENOMEM;

	kref_get(&edu->kref);
	client->edu = edu;
	mutex_init(&client->lock);
	xa_init_flags(&client->imports, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	client->context = dma_fence_context_alloc(1);
	file->private_data = client;

	scoped_guard(mutex, &edu->clients_lock)
		list_add_tail(&client->link, &edu->clients);

	return nonseekable_open(inode, file);
}

static int edu_release(struct inode *inode, struct file *file)
{
	struct edu_client *client = file->private_data;
	struct edu_device *edu = client->edu;

	scoped_guard(mutex, &edu->clients_lock) {
		list_del(&client->link);
		edu_client_stop(client, -ECANCELED);
	}

	xa_destroy(&client->imports);
	mutex_destroy(&client->lock);
	kfree(client);
	edu_device_put(edu);
	return 0;
}

const struct file_operations edu_fops = {
	.owner = THIS_MODULE,
	.open = edu_open,
	.release = edu_release,
	.unlocked_ioctl = edu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};
