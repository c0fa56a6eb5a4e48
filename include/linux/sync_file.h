/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sync files: a fence as a file descriptor. Drivers create one to pass a fence
 * to user space, and get the fence of a descriptor that a program passes in.
 * The ioctls are in include/uapi/linux/sync_file.h.
 */
#ifndef _LINUX_SYNC_FILE_H
#define _LINUX_SYNC_FILE_H

#include <linux/types.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/dma-fence.h>
#include <linux/dma-fence-array.h>

/**
 * struct sync_file - a fence and its file
 * @file: the file. Drivers pass it to fd_install(), and need no other field.
 * @sync_file_list: link in the list of all sync files, for debugfs; under the
 *	lock of that list
 * @wq: wait queue of poll()
 * @flags: bit %POLL_ENABLED: @cb was added to @fence, by the first poll()
 * @fence: the fence, often a container of several; a reference. Set before the
 *	file is visible, constant afterwards.
 * @cb: wakes @wq when @fence signals; valid once %POLL_ENABLED is set
 */
struct sync_file {
	struct file		*file;
	/**
	 * @user_name: The name that SYNC_IOC_MERGE was called with, terminated.
	 * Empty when the name is to be derived from the fence. Set before the
	 * file is visible, constant afterwards.
	 */
	char			user_name[32];
#ifdef CONFIG_DEBUG_FS
	struct list_head	sync_file_list;
#endif

	wait_queue_head_t	wq;
	unsigned long		flags;

	struct dma_fence	*fence;
	struct dma_fence_cb cb;
};

/* Bit number in &sync_file.flags */
#define POLL_ENABLED 0

struct sync_file *sync_file_create(struct dma_fence *fence);
struct dma_fence *sync_file_get_fence(int fd);
char *sync_file_get_name(struct sync_file *sync_file, char *buf, int len);

#endif /* _LINUX_SYNC_H */
