/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fence as a file descriptor. Drivers make one from a fence to hand it to
 * user space, and get the fence back from a descriptor that a program passes
 * in. What programs can do with it is in include/uapi/linux/sync_file.h.
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
 * struct sync_file - one fence behind one file
 * @file: the file. Drivers give this to fd_install(), and need nothing else
 *	of the struct.
 * @sync_file_list: place among all sync files, which debugfs shows; under the
 *	lock of that list
 * @wq: where poll() waits
 * @flags: bit %POLL_ENABLED: @cb was added to @fence, by whoever polled first
 * @fence: the fence, often a container of several; the file holds a reference.
 *	Set before the file is visible, never changed.
 * @cb: wakes @wq when @fence signals; valid once %POLL_ENABLED is set
 */
struct sync_file {
	struct file		*file;
	/**
	 * @user_name: The name that SYNC_IOC_MERGE was called with, terminated.
	 * Empty when the name is to be made from what the fence says of
	 * itself. Set before the file is visible, never changed.
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
