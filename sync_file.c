// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sync files: a fence as a file descriptor
 *
 * A sync file carries one fence to user space and back. A program can poll it,
 * merge it with another one, query it and set a deadline.
 *
 * struct sync_file exists exactly as long as its file and holds one reference
 * to its fence. Fence and name are set before the file is visible and never
 * change, so no lock protects them; the one thing that changes is a bit in
 * &sync_file.flags.
 */
#include <linux/anon_inodes.h>
#include <linux/build_bug.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>
#include <uapi/linux/sync_file.h>

#include "ioctl_table.h"
#include "sync_file_list.h"

#define CREATE_TRACE_POINTS
#include <trace/events/sync_file.h>

static_assert(sizeof(struct sync_merge_data) == 48);
static_assert(offsetof(struct sync_merge_data, name) == 0);
static_assert(offsetof(struct sync_merge_data, fd2) == 32);
static_assert(offsetof(struct sync_merge_data, fence) == 36);
static_assert(offsetof(struct sync_merge_data, flags) == 40);
static_assert(offsetof(struct sync_merge_data, pad) == 44);

static_assert(sizeof(struct sync_fence_info) == 80);
static_assert(offsetof(struct sync_fence_info, obj_name) == 0);
static_assert(offsetof(struct sync_fence_info, driver_name) == 32);
static_assert(offsetof(struct sync_fence_info, status) == 64);
static_assert(offsetof(struct sync_fence_info, flags) == 68);
static_assert(offsetof(struct sync_fence_info, timestamp_ns) == 72);

static_assert(sizeof(struct sync_file_info) == 56);
static_assert(offsetof(struct sync_file_info, name) == 0);
static_assert(offsetof(struct sync_file_info, status) == 32);
static_assert(offsetof(struct sync_file_info, flags) == 36);
static_assert(offsetof(struct sync_file_info, num_fences) == 40);
static_assert(offsetof(struct sync_file_info, pad) == 44);
static_assert(offsetof(struct sync_file_info, sync_fence_info) == 48);

static_assert(sizeof(struct sync_set_deadline) == 16);
static_assert(offsetof(struct sync_set_deadline, deadline_ns) == 0);
static_assert(offsetof(struct sync_set_deadline, pad) == 8);

static_assert(SYNC_IOC_MERGE == 0xc0303e03);
static_assert(SYNC_IOC_FILE_INFO == 0xc0383e04);
static_assert(SYNC_IOC_SET_DEADLINE == 0x40103e05);

static const struct file_operations sync_file_fops;

/* ---- life --------------------------------------------------------------- */

static void sync_file_free(struct sync_file *sync_file)
{
	dma_fence_put(sync_file->fence);
	kfree(sync_file);
}

/* Takes a reference to @fence. @user_name is NULL if there is none. */
static struct sync_file *sync_file_alloc(struct dma_fence *fence,
					 const char *user_name)
{
	struct sync_file *sync_file;

	sync_file = kmalloc(sizeof(*sync_file), GFP_KERNEL);
	if (!sync_file)
		return NULL;

	if (user_name)
		strscpy(sync_file->user_name, user_name);
	else
		sync_file->user_name[0] = '\0';
	init_waitqueue_head(&sync_file->wq);
	sync_file->flags = 0;
	sync_file->fence = dma_fence_get(fence);

	sync_file->file = anon_inode_getfile("sync_file", &sync_file_fops,
					     sync_file, 0);
	if (IS_ERR(sync_file->file)) {
		sync_file_free(sync_file);
		return NULL;
	}

	sync_file_list_add(sync_file);
	trace_sync_file_create(fence);
	return sync_file;
}

/**
 * sync_file_create - create a sync file for a fence
 * @fence: the fence; a reference is taken
 *
 * The file has no descriptor yet: fd_install() of &sync_file.file publishes it,
 * and fput() releases it instead if the caller fails before that.
 *
 * Context: May sleep.
 * Return: the sync file, or NULL when out of memory.
 */
struct sync_file *sync_file_create(struct dma_fence *fence)
{
	return sync_file_alloc(fence, NULL);
}
EXPORT_SYMBOL(sync_file_create);

static int sync_file_release(struct inode *inode, struct file *file)
{
	struct sync_file *sync_file = file->private_data;

	sync_file_list_remove(sync_file);

	/* Removal waits for a callback that runs: both are under one lock. */
	if (test_bit(POLL_ENABLED, &sync_file->flags))
		dma_fence_remove_callback(sync_file->fence, &sync_file->cb);

	sync_file_free(sync_file);
	return 0;
}

/* The sync file of a descriptor, valid while the descriptor is held. */
static struct sync_file *sync_file_from_fd(struct fd f)
{
	struct file *file = fd_file(f);

	if (!file || file->f_op != &sync_file_fops)
		return NULL;
	return file->private_data;
}

/**
 * sync_file_get_fence - get the fence of a sync file by its descriptor
 * @fd: a descriptor of the current task
 *
 * Context: Process context.
 * Return: the fence, often a container of several, with a reference for the
 * caller; NULL when @fd is not open or not a sync file.
 */
struct dma_fence *sync_file_get_fence(int fd)
{
	CLASS(fd, f)(fd);
	struct sync_file *sync_file = sync_file_from_fd(f);

	return sync_file ? dma_fence_get(sync_file->fence) : NULL;
}
EXPORT_SYMBOL(sync_file_get_fence);

/**
 * sync_file_get_name - get the name of a sync file
 * @sync_file: the sync file
 * @buf: where to store the name
 * @len: size of @buf in bytes; the name is truncated to fit and terminated
 *
 * The name that SYNC_IOC_MERGE was called with, if any. Otherwise driver,
 * timeline, context and sequence number of the fence.
 *
 * Context: Any.
 * Return: @buf.
 */
char *sync_file_get_name(struct sync_file *sync_file, char *buf, int len)
{
	struct dma_fence *fence = sync_file->fence;

	if (*sync_file->user_name) {
		strscpy(buf, sync_file->user_name, len);
		return buf;
	}

	rcu_read_lock();
	snprintf(buf, len, "%s-%s%llu-%lld", dma_fence_driver_name(fence),
		 dma_fence_timeline_name(fence), fence->context, fence->seqno);
	rcu_read_unlock();
	return buf;
}

/* ---- waiting ------------------------------------------------------------ */

static void sync_file_wake(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	wake_up_all(&container_of(cb, struct sync_file, cb)->wq);
}

static __poll_t sync_file_poll(struct file *file, poll_table *wait)
{
	struct sync_file *sync_file = file->private_data;
	bool signaled;

	poll_wait(file, &sync_file->wq, wait);

	/*
	 * One callback wakes all pollers, and the first of them adds it. When
	 * the fence has signalled already it cannot be added: wake the others,
	 * which may have seen the bit and queued up meanwhile.
	 */
	if (!test_and_set_bit(POLL_ENABLED, &sync_file->flags) &&
	    dma_fence_add_callback(sync_file->fence, &sync_file->cb,
				   sync_file_wake))
		wake_up_all(&sync_file->wq);

	signaled = dma_fence_is_signaled(sync_file->fence);
	trace_sync_file_poll(sync_file->fence, signaled);
	return signaled ? EPOLLIN : 0;
}

/* ---- ioctls ------------------------------------------------------------- */

/* A new sync file of both fences, not installed yet. */
static struct sync_file *sync_file_merge(struct dma_fence *one,
					 struct dma_fence *other,
					 const char *user_name)
{
	struct sync_file *sync_file;
	struct dma_fence *both;

	both = dma_fence_unwrap_merge(one, other);
	if (!both)
		return ERR_PTR(-ENOMEM);

	trace_sync_file_merge(both);
	sync_file = sync_file_alloc(both, user_name);
	dma_fence_put(both);
	return sync_file ?: ERR_PTR(-ENOMEM);
}

static long sync_file_ioctl_merge(struct ioctl_call *call, void *args)
{
	struct sync_file *sync_file = call->file->private_data, *merged;
	struct sync_merge_data *data = args;
	struct dma_fence *other;
	int fd, ret;

	if (data->flags || data->pad)
		return -EINVAL;

	other = sync_file_get_fence(data->fd2);
	if (!other)
		return -ENOENT;

	/* strscpy() reads up to the terminator, which may be missing. */
	data->name[sizeof(data->name) - 1] = '\0';
	merged = sync_file_merge(sync_file->fence, other, data->name);
	dma_fence_put(other);
	if (IS_ERR(merged))
		return PTR_ERR(merged);

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		ret = fd;
		goto err_put_file;
	}

	data->fence = fd;
	ret = ioctl_call_reply(call);
	if (ret)
		goto err_put_fd;

	fd_install(fd, merged->file);
	return 0;

err_put_fd:
	put_unused_fd(fd);
err_put_file:
	fput(merged->file);
	return ret;
}

static void sync_file_describe_fence(struct dma_fence *fence,
				     struct sync_fence_info *info)
{
	memset(info, 0, sizeof(*info));

	/* Status first: names are replaced once a fence has signalled. */
	info->status = dma_fence_get_status(fence);
	if (info->status)
		info->timestamp_ns = ktime_to_ns(dma_fence_timestamp(fence));

	rcu_read_lock();
	strscpy(info->obj_name, dma_fence_timeline_name(fence));
	strscpy(info->driver_name, dma_fence_driver_name(fence));
	rcu_read_unlock();
}

static unsigned int sync_file_count_fences(struct sync_file *sync_file)
{
	struct dma_fence_unwrap iter;
	struct dma_fence *fence;
	unsigned int count = 0;

	dma_fence_unwrap_for_each(fence, &iter, sync_file->fence)
		count++;
	return count;
}

/*
 * Copy the description of each fence to the array in user space, which has room
 * for info->num_fences. A container loses members as they signal but never
 * gains any, so no more fences come than were counted before, and the number
 * found here is the one to return.
 */
static int sync_file_describe_fences(struct sync_file *sync_file,
				     struct sync_file_info *info)
{
	struct sync_fence_info __user *to =
		u64_to_user_ptr(info->sync_fence_info);
	struct sync_fence_info one;
	struct dma_fence_unwrap iter;
	struct dma_fence *fence;
	unsigned int count = 0;
	int ret = 0;

	info->status = 1;
	/* No break after an error: only the end drops the reference. */
	dma_fence_unwrap_for_each(fence, &iter, sync_file->fence) {
		if (ret || count == info->num_fences)
			continue;

		sync_file_describe_fence(fence, &one);
		if (info->status > 0)
			info->status = one.status;
		if (copy_to_user(to + count, &one, sizeof(one)))
			ret = -EFAULT;
		count++;
	}
	info->num_fences = count;
	return ret;
}

static long sync_file_ioctl_file_info(struct ioctl_call *call, void *args)
{
	struct sync_file *sync_file = call->file->private_data;
	struct sync_file_info *info = args;
	unsigned int count;
	int ret = 0;

	if (info->flags || info->pad)
		return -EINVAL;

	count = sync_file_count_fences(sync_file);
	if (info->num_fences && info->num_fences < count)
		return -EINVAL;

	if (info->num_fences) {
		ret = sync_file_describe_fences(sync_file, info);
	} else {
		info->status = dma_fence_get_status(sync_file->fence);
		info->num_fences = count;
	}
	if (ret)
		return ret;

	sync_file_get_name(sync_file, info->name, sizeof(info->name));
	return ioctl_call_reply(call);
}

static long sync_file_ioctl_set_deadline(struct ioctl_call *call, void *args)
{
	struct sync_file *sync_file = call->file->private_data;
	struct sync_set_deadline *data = args;

	if (data->pad)
		return -EINVAL;

	/* Above KTIME_MAX it is a deadline in the past, as for syncobjs. */
	dma_fence_set_deadline(sync_file->fence,
			       ns_to_ktime(data->deadline_ns));
	return 0;
}

static const struct ioctl_entry sync_file_ioctls[] = {
	IOCTL_EXACT(SYNC_IOC_MERGE, struct sync_merge_data,
		    sync_file_ioctl_merge),
	IOCTL_EXACT(SYNC_IOC_FILE_INFO, struct sync_file_info,
		    sync_file_ioctl_file_info),
	IOCTL_EXACT(SYNC_IOC_SET_DEADLINE, struct sync_set_deadline,
		    sync_file_ioctl_set_deadline),
};

static long sync_file_ioctl(struct file *file, unsigned int cmd,
			    unsigned long arg)
{
	return ioctl_table_call(sync_file_ioctls, file, cmd, arg);
}

static const struct file_operations sync_file_fops = {
	.release	= sync_file_release,
	.poll		= sync_file_poll,
	.unlocked_ioctl	= sync_file_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};
