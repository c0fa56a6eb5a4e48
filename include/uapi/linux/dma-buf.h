/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What a program can ask of the file descriptor of a dma-buf.
 *
 * A dma-buf is memory that devices and programs share. Besides the commands
 * below its descriptor knows mmap(2), poll(2), lseek(2) to find the size, and
 * can be sent over a UNIX socket. Wherever the commands speak of "devices",
 * the implicit fences of the buffer are meant: what drivers, or programs by way
 * of &DMA_BUF_IOCTL_IMPORT_SYNC_FILE, have declared to be still going on.
 *
 * Any command that is not in this file fails with ENOTTY, and any argument
 * that the kernel cannot read or write with EFAULT.
 */
#ifndef _DMA_BUF_UAPI_H_
#define _DMA_BUF_UAPI_H_

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct dma_buf_sync - argument of DMA_BUF_IOCTL_SYNC
 *
 * Memory that a program has mapped may be cached by the CPU while a device
 * transfers behind the cache's back. So a program tells the kernel when it starts
 * to touch its mapping and when it is done, each time with the same
 * direction; in between, and only then, both see the same bytes:
 *
 *  1. %DMA_BUF_SYNC_START, with %DMA_BUF_SYNC_READ, %DMA_BUF_SYNC_WRITE or both
 *  2. read or write the mapping, as often as needed
 *  3. %DMA_BUF_SYNC_END, with what step 1 had
 *
 * This is about caches. It keeps nobody else away from the memory. The start
 * waits for devices as poll() would (see &struct dma_buf_export_sync_file);
 * a program that uses explicit fences waits for those itself before
 * step 1, and lets devices begin only after step 3.
 *
 * Fails with EINVAL for unknown flags or no direction, and with EINTR
 * when a signal ended a wait: call it again then. The driver of the memory may
 * fail for reasons of its own, EAGAIN among them.
 */
struct dma_buf_sync {
	/**
	 * @flags: one of %DMA_BUF_SYNC_START and %DMA_BUF_SYNC_END, or'ed with
	 * at least one direction:
	 *
	 * %DMA_BUF_SYNC_START
	 *	access through the mapping is about to begin
	 * %DMA_BUF_SYNC_END
	 *	it is over
	 * %DMA_BUF_SYNC_READ
	 *	the program reads what devices wrote
	 * %DMA_BUF_SYNC_WRITE
	 *	the program writes what devices shall read
	 * %DMA_BUF_SYNC_RW
	 *	short for the last two together
	 */
	__u64 flags;
};

#define DMA_BUF_SYNC_READ      (1 << 0)
#define DMA_BUF_SYNC_WRITE     (2 << 0)
#define DMA_BUF_SYNC_RW        (DMA_BUF_SYNC_READ | DMA_BUF_SYNC_WRITE)
#define DMA_BUF_SYNC_START     (0 << 2)
#define DMA_BUF_SYNC_END       (1 << 2)
#define DMA_BUF_SYNC_VALID_FLAGS_MASK \
	(DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END)

/**
 * struct dma_buf_sync_partial - argument of DMA_BUF_IOCTL_SYNC_PARTIAL
 *
 * As &struct dma_buf_sync, for a part of the buffer: the bytes from @offset up to,
 * and without, @offset + @length. A program that looks at a few rows of
 * a frame need not have the caches of all others looked after.
 *
 * Only the caches are in parts. The start waits for devices as that of the whole
 * buffer does, for a fence does not say which bytes it is about. Starts and
 * ends need not be of the same parts: what counts is that each byte is in a
 * part that was started before it is touched, and, when it was written, in one
 * that is ended afterwards. Where memory cannot be looked after in parts, all of
 * it is.
 *
 * Nothing has to be aligned. As memory moves in cache lines, bytes beside the
 * part may be brought in line with it: the CPU and a device should not write to
 * the same line at the same time.
 *
 * Fails as DMA_BUF_IOCTL_SYNC, and with EINVAL when the part is empty or does
 * not lie within the buffer. The struct may grow at its end: one that is shorter
 * than this is EINVAL, one that is longer is E2BIG unless what this kernel does
 * not know is zero. A kernel without the command says ENOTTY, and
 * DMA_BUF_IOCTL_SYNC does there, only slower.
 */
struct dma_buf_sync_partial {
	/** @flags: as &dma_buf_sync.flags. */
	__u64 flags;
	/** @offset: of the first byte. */
	__u64 offset;
	/** @length: how many bytes, at least one. */
	__u64 length;
};

/* Longest name of a buffer in bytes, with its terminating zero. */
#define DMA_BUF_NAME_LEN	32

/**
 * struct dma_buf_export_sync_file - argument of DMA_BUF_IOCTL_EXPORT_SYNC_FILE
 *
 * Takes a snapshot of what devices still have to do with the buffer, as a
 * sync file. poll() on the buffer waits for whatever is pending when it is
 * called; the snapshot can be kept, handed to a driver, or be waited for later,
 * and does not change when more work is queued. It makes a bridge from
 * drivers with implicit fences to interfaces where the program names each
 * fence, Vulkan for one:
 *
 *  1. export a sync file from the buffer
 *  2. submit the work, told to wait for that sync file; get a new one for the
 *     work itself
 *  3. import the new one with &DMA_BUF_IOCTL_IMPORT_SYNC_FILE
 *
 * The three steps are not one: another program can submit work between them. Who
 * cares has to agree with the others on an order.
 *
 * Fails with EINVAL for other flags or none of them, EMFILE without a free
 * descriptor, ENOMEM, and ENOTTY in a kernel without sync files.
 */
struct dma_buf_export_sync_file {
	/**
	 * @flags: what the program wants to do with the buffer once the sync
	 * file has signalled.
	 *
	 * %DMA_BUF_SYNC_READ
	 *	read it: wait for all who write, like poll() for POLLIN
	 * %DMA_BUF_SYNC_WRITE
	 *	write it, with or without reading: wait for everybody, like
	 *	poll() for POLLOUT
	 */
	__u32 flags;
	/**
	 * @fd: set by the kernel: the sync file, close-on-exec. It has signalled
	 * already when nothing was pending.
	 */
	__s32 fd;
};

/**
 * struct dma_buf_import_sync_file - argument of DMA_BUF_IOCTL_IMPORT_SYNC_FILE
 *
 * Declares the work behind a sync file to be a use of this buffer. From now
 * on drivers with implicit fences (OpenGL, video, display), and poll(), wait
 * for it as for work of a device. The sync file stays the program's.
 *
 * Fails with EINVAL for other flags or none of them, or when @fd is no sync
 * file, with ENOMEM, and ENOTTY in a kernel without sync files.
 */
struct dma_buf_import_sync_file {
	/**
	 * @flags: what that work does with the buffer.
	 *
	 * %DMA_BUF_SYNC_READ
	 *	it reads: who wants to write will wait, who reads will not
	 * %DMA_BUF_SYNC_WRITE
	 *	it writes, perhaps reads too: everybody will wait
	 */
	__u32 flags;
	/** @fd: the sync file. */
	__s32 fd;
};

#define DMA_BUF_BASE		'b'
#define DMA_BUF_IOCTL_SYNC	_IOW(DMA_BUF_BASE, 0, struct dma_buf_sync)

/*
 * Give the buffer a name, for people to find it by in fdinfo, /proc/PID/maps and
 * debugfs. The argument is the address of a zero-terminated string, longer
 * ones than DMA_BUF_NAME_LEN fail with EINVAL. It replaces the name there was.
 *
 * The first spelling depends on the size of a pointer, so it gave one command
 * two numbers. The kernel takes both, in programs of either size, and they
 * mean the same.
 */
#define DMA_BUF_SET_NAME	_IOW(DMA_BUF_BASE, 1, const char *)
#define DMA_BUF_SET_NAME_A	_IOW(DMA_BUF_BASE, 1, __u32)
#define DMA_BUF_SET_NAME_B	_IOW(DMA_BUF_BASE, 1, __u64)
#define DMA_BUF_IOCTL_EXPORT_SYNC_FILE	_IOWR(DMA_BUF_BASE, 2, struct dma_buf_export_sync_file)
#define DMA_BUF_IOCTL_IMPORT_SYNC_FILE	_IOW(DMA_BUF_BASE, 3, struct dma_buf_import_sync_file)

/*
 * 0 to 3 are those of Linux 6.12. No later release that we know of has given out
 * another, so this is the next one that is free.
 */
#define DMA_BUF_IOCTL_SYNC_PARTIAL	_IOW(DMA_BUF_BASE, 4, struct dma_buf_sync_partial)

#endif
