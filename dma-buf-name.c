// SPDX-License-Identifier: GPL-2.0-only
/*
 * The name that user space gives to a buffer.
 *
 * It may be set any number of times while other threads read it, through
 * fdinfo, debugfs or /proc/PID/maps. So readers copy it.
 *
 * Locks: dma_buf.name_lock protects the pointer and the string. It is the
 * innermost lock of a buffer.
 */
#include <linux/dma-buf.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "dma-buf-private.h"
#include "ioctl_table.h"

#include <trace/events/dma_buf.h>

/**
 * dma_buf_name_copy - copy the name of a buffer
 * @dmabuf: the buffer
 * @name: filled in; an empty string when the buffer has no name
 *
 * Context: Any but interrupts; takes the name lock.
 * Return: true if the buffer has a name, which may be the empty string, too.
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
 * dma_buf_name_ioctl_set - carry out DMA_BUF_SET_NAME_A and _B
 * @call: the call; its argument points to the name in user memory
 * @args: not used
 *
 * Context: Process context. May sleep.
 * Return: 0; -EINVAL when the name is longer than DMA_BUF_NAME_LEN; -EFAULT
 * when it cannot be read; -ENOMEM.
 */
long dma_buf_name_ioctl_set(struct ioctl_call *call, void *args)
{
	struct dma_buf *dmabuf = call->file->private_data;
	const char *name = strndup_user(call->user, DMA_BUF_NAME_LEN);

	if (IS_ERR(name))
		return PTR_ERR(name);

	trace_dma_buf_name(dmabuf, name);
	spin_lock(&dmabuf->name_lock);
	swap(dmabuf->name, name);
	spin_unlock(&dmabuf->name_lock);

	kfree(name);
	return 0;
}
