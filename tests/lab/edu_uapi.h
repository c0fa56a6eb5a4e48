/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What a program says to /dev/dmabuf_edu<N>: attach dma-bufs to the device,
 * have bytes moved between them by DMA, and wait for that with a sync file.
 *
 * Offsets and lengths are in bytes. Each struct may grow at its end: a shorter
 * one of an older program counts as filled up with zeroes; a longer one is
 * taken if what this kernel does not know of is zero, and is E2BIG otherwise.
 */
#ifndef _UAPI_DMABUF_LAB_EDU_H
#define _UAPI_DMABUF_LAB_EDU_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DMABUF_EDU_VERSION	1

/* The device sits behind an IOMMU: the addresses it sees are not physical. */
#define DMABUF_EDU_INFO_IOMMU	0x1

/**
 * struct dmabuf_edu_info - what the device can do (argument of DMABUF_EDU_INFO)
 * @version: (out) %DMABUF_EDU_VERSION of the driver
 * @flags: (out) DMABUF_EDU_INFO_* bits
 * @window: (out) bytes of device memory that one transfer can fill; a window
 *	offset lies in [0, window)
 * @dma_bits: (out) width of the addresses which the device can drive
 * @max_length: (out) longest DMABUF_EDU_COPY, inclusive
 */
struct dmabuf_edu_info {
	__u32 version;
	__u32 flags;
	__u32 window;
	__u32 dma_bits;
	__u64 max_length;
};

/* Attach as a dynamic importer, which follows the buffer when it moves. */
#define DMABUF_EDU_ATTACH_DYNAMIC	0x1

/**
 * struct dmabuf_edu_attach - attach a buffer (argument of DMABUF_EDU_ATTACH)
 * @fd: (in) a dma-buf; it may be closed afterwards
 * @flags: (in) DMABUF_EDU_ATTACH_* bits
 * @handle: (out) name of the attachment in this open file, never 0
 * @segments: (out) pieces which the device sees the buffer in
 * @size: (out) bytes in the buffer
 */
struct dmabuf_edu_attach {
	__s32 fd;
	__u32 flags;
	__u32 handle;
	__u32 segments;
	__u64 size;
};

/**
 * struct dmabuf_edu_detach - give an attachment up (argument of
 *	DMABUF_EDU_DETACH)
 * @handle: (in) from DMABUF_EDU_ATTACH; copies which were asked for before
 *	still complete
 * @pad: (in) must be 0
 */
struct dmabuf_edu_detach {
	__u32 handle;
	__u32 pad;
};

/* In place of a handle: the memory of the device itself. */
#define DMABUF_EDU_WINDOW	0

/*
 * Neither wait for the other users of the buffers nor make them wait: the
 * fences passed in and out say it all.
 */
#define DMABUF_EDU_COPY_EXPLICIT	0x1

/**
 * struct dmabuf_edu_copy - move bytes by DMA (argument of DMABUF_EDU_COPY)
 * @src: (in) handle to read from, or %DMABUF_EDU_WINDOW
 * @dst: (in) handle to write to, or %DMABUF_EDU_WINDOW, but not both
 * @src_offset: (in) first byte to read
 * @dst_offset: (in) first byte to write
 * @length: (in) bytes, at least 1
 * @in_fence: (in) sync file to wait for before the device starts, or -1
 * @out_fence: (out) sync file which signals when all bytes have arrived. Its
 *	error is that of the IN fence; ETIMEDOUT if the device did not answer;
 *	ECANCELED if the file was closed and ENODEV if the driver was unbound
 *	before; ESTALE if the window was to be read after another job had
 *	used it; EIO if the device is out of order.
 * @flags: (in) DMABUF_EDU_COPY_* bits
 * @timeout_ms: (in) longest time for one transfer of up to a window, 0 for
 *	the default, at most 60000
 *
 * The call returns at once. Copies of one open file run in the order in which
 * they were asked for.
 */
struct dmabuf_edu_copy {
	__u32 src;
	__u32 dst;
	__u64 src_offset;
	__u64 dst_offset;
	__u64 length;
	__s32 in_fence;
	__s32 out_fence;
	__u32 flags;
	__u32 timeout_ms;
};

#define DMABUF_EDU_MAGIC	0xED
#define DMABUF_EDU_INFO		_IOWR(DMABUF_EDU_MAGIC, 0, struct dmabuf_edu_info)
#define DMABUF_EDU_ATTACH	_IOWR(DMABUF_EDU_MAGIC, 1, struct dmabuf_edu_attach)
#define DMABUF_EDU_DETACH	_IOW(DMABUF_EDU_MAGIC, 2, struct dmabuf_edu_detach)
#define DMABUF_EDU_COPY		_IOWR(DMABUF_EDU_MAGIC, 3, struct dmabuf_edu_copy)

#endif /* _UAPI_DMABUF_LAB_EDU_H */
