/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What a program says to /dev/dmabuf_leaver: have a driver make fences and
 * buffers, so that it can be unloaded while they are in use.
 */
#ifndef _UAPI_DMABUF_LAB_LEAVER_H
#define _UAPI_DMABUF_LAB_LEAVER_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The fence has a release op, so the module stays as long as the fence. */
#define DMABUF_LEAVER_FENCE_RELEASE	0x1

/**
 * struct dmabuf_leaver_fence - make a fence (argument of DMABUF_LEAVER_FENCE)
 * @flags: (in) DMABUF_LEAVER_FENCE_* bits
 * @fd: (out) sync file of a fence that is pending, on one timeline for all
 */
struct dmabuf_leaver_fence {
	__u32 flags;
	__s32 fd;
};

/**
 * struct dmabuf_leaver_buffer - make a dma-buf (argument of
 *	DMABUF_LEAVER_BUFFER)
 * @pad: (in) must be 0
 * @fd: (out) a buffer of one page
 */
struct dmabuf_leaver_buffer {
	__u32 pad;
	__s32 fd;
};

#define DMABUF_LEAVER_MAGIC	0xEE
#define DMABUF_LEAVER_FENCE	_IOWR(DMABUF_LEAVER_MAGIC, 0, struct dmabuf_leaver_fence)
#define DMABUF_LEAVER_SIGNAL	_IO(DMABUF_LEAVER_MAGIC, 1)
#define DMABUF_LEAVER_BUFFER	_IOWR(DMABUF_LEAVER_MAGIC, 2, struct dmabuf_leaver_buffer)

#endif /* _UAPI_DMABUF_LAB_LEAVER_H */
