/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Commands of the file descriptor of a dma-buf.
 *
 * A dma-buf is memory that devices and programs share. Besides the commands
 * below its descriptor has mmap(2), poll(2), lseek(2) to find the size, and can
 * be sent over a UNIX socket. To wait for devices means to wait for the
 * implicit fences of the buffer: for work that drivers, or programs by
 * &DMA_BUF_IOCTL_IMPORT_SYNC_FILE, have declared and that is not finished.
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
 * transfers past the cache. So a program tells the kernel when it starts to
 * access its mapping and when it has finished, each time with the same
 * direction; between the two, and only there, CPU and device see the same
 * bytes:
 *
 *  1. %DMA_BUF_SYNC_START, with %DMA_BUF_SYNC_READ, %DMA_BUF_SYNC_WRITE or both
 *  2. read or write the mapping, as often as needed
 *  3. %DMA_BUF_SYNC_END, with the directions of step 1
 *
 * This is about caches. It does not keep other users from the memory. The start
 * waits for devices as poll() does (see &struct dma_buf_export_sync_file);
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
 * As &struct dma_buf_sync, for a part of the buffer: the bytes from @offset to
 * @offset + @length, exclusive. For a program that accesses a few rows of a
 * frame it saves the cache maintenance of all others.
 *
 * Only cache maintenance is in parts. The start waits for devices as that of
 * the whole buffer does, because fences have no ranges. Starts and ends need
 * not be of the same parts, as long as each byte is in a part that was started
 * before it is accessed, and, if it was written, in a part that is ended
 * afterwards. Memory that cannot be handled in parts is handled whole.
 *
 * Nothing has to be aligned. Cache lines are not divided, so bytes beside the
 * part may be written back or invalidated with it: the CPU and a device should
 * not write to the same line at the same time.
 *
 * Fails as DMA_BUF_IOCTL_SYNC, and with EINVAL when the part is empty or not
 * within the buffer. The struct may grow at its end: one that is shorter than
 * this is EINVAL, one that is longer is E2BIG unless what this kernel does not
 * know is zero. A kernel without the command returns ENOTTY; the slower
 * DMA_BUF_IOCTL_SYNC is sufficient there.
 */
struct dma_buf_sync_partial {
	/** @flags: as &dma_buf_sync.flags. */
	__u64 flags;
	/** @offset: of the first byte. */
	__u64 offset;
	/** @length: number of bytes, at least one. */
	__u64 length;
};

/**
 * struct dma_buf_sync_record - one access of DMA_BUF_IOCTL_SYNC_BATCH
 */
struct dma_buf_sync_record {
	/** @fd: the buffer. */
	__s32 fd;
	/** @flags: as &dma_buf_sync.flags. */
	__u32 flags;
	/** @offset: of the first byte. */
	__u64 offset;
	/**
	 * @length: number of bytes; zero, with an @offset of zero, for the
	 * whole buffer.
	 */
	__u64 length;
};

/* Most records of one DMA_BUF_IOCTL_SYNC_BATCH. */
#define DMA_BUF_SYNC_BATCH_MAX	1024

/**
 * struct dma_buf_sync_batch - argument of DMA_BUF_IOCTL_SYNC_BATCH
 *
 * Starts, or ends, access to many buffers in one call. For each record it does
 * what DMA_BUF_IOCTL_SYNC does, or, with a range, DMA_BUF_IOCTL_SYNC_PARTIAL.
 * Several records may be of one buffer.
 *
 * The call is made on the descriptor of any buffer, and concerns that one only
 * if a record says so.
 *
 * The records are either all of a start or all of an end. Starts wait for the
 * devices of all buffers together, so that the wait is as long as the longest
 * one, and not as their sum. If one of them fails, or a signal ends the wait,
 * no access has started. Ends are all carried out, also after one that fails,
 * and the first error is returned.
 *
 * A record that is not valid is found before any access has started or ended:
 * the call then fails with EBADF if @dma_buf_sync_record.fd is not open; and
 * with EINVAL if it is no dma-buf, for unknown flags or no direction, for a
 * range that is empty or not within the buffer, and for starts and ends mixed.
 * It also fails with EINVAL if @count is zero or more than
 * %DMA_BUF_SYNC_BATCH_MAX, or @reserved is not zero; with EFAULT if the records
 * cannot be read; with ENOMEM; and as DMA_BUF_IOCTL_SYNC does for a buffer.
 *
 * The struct may grow at its end, by the rules of &struct
 * dma_buf_sync_partial. The records do not grow.
 */
struct dma_buf_sync_batch {
	/** @records: address of an array of &struct dma_buf_sync_record. */
	__u64 records;
	/** @count: how many, 1 to %DMA_BUF_SYNC_BATCH_MAX. */
	__u32 count;
	/** @reserved: must be zero. */
	__u32 reserved;
};

/* Longest name of a buffer in bytes, with its terminating zero. */
#define DMA_BUF_NAME_LEN	32

/**
 * struct dma_buf_export_sync_file - argument of DMA_BUF_IOCTL_EXPORT_SYNC_FILE
 *
 * Takes a snapshot of the fences of the buffer, as a sync file. poll() on the
 * buffer waits for the fences that there are when it is called; the snapshot
 * can be kept, passed to a driver, or be waited for later, and does not change
 * when more work is queued. It connects drivers with implicit fences to
 * interfaces where the program names each fence, as in Vulkan:
 *
 *  1. export a sync file from the buffer
 *  2. submit work that waits for that sync file, and get a new one for the work
 *     itself
 *  3. import the new one with &DMA_BUF_IOCTL_IMPORT_SYNC_FILE
 *
 * The three steps are not atomic: another program can submit work between them,
 * unless the programs agree on an order by other means.
 *
 * Fails with EINVAL for other flags or none of them, EMFILE without a free
 * descriptor, ENOMEM, and ENOTTY in a kernel without sync files.
 */
struct dma_buf_export_sync_file {
	/**
	 * @flags: what the program is to do with the buffer once the sync file
	 * has signaled.
	 *
	 * %DMA_BUF_SYNC_READ
	 *	read it: wait for writers, like poll() for POLLIN
	 * %DMA_BUF_SYNC_WRITE
	 *	write it, with or without reading: wait for readers and
	 *	writers, like poll() for POLLOUT
	 */
	__u32 flags;
	/**
	 * @fd: set by the kernel: the sync file, close-on-exec. It has signaled
	 * already when nothing was pending.
	 */
	__s32 fd;
};

/**
 * struct dma_buf_import_sync_file - argument of DMA_BUF_IOCTL_IMPORT_SYNC_FILE
 *
 * Declares the work of a sync file to be a use of this buffer. From then on
 * drivers with implicit fences (OpenGL, video, display), and poll(), wait for
 * it as for work of a device. The program keeps the sync file.
 *
 * Fails with EINVAL for other flags or none of them, or when @fd is no sync
 * file, with ENOMEM, and ENOTTY in a kernel without sync files.
 */
struct dma_buf_import_sync_file {
	/**
	 * @flags: what that work does with the buffer.
	 *
	 * %DMA_BUF_SYNC_READ
	 *	it reads: writers wait for it, readers do not
	 * %DMA_BUF_SYNC_WRITE
	 *	it writes, with or without reading: readers and writers wait
	 */
	__u32 flags;
	/** @fd: the sync file. */
	__s32 fd;
};

/**
 * struct dma_buf_transfer - argument of DMA_BUF_IOCTL_TRANSFER
 *
 * Moves bytes between a file and the buffer, as pread(2) and pwrite(2) of the
 * file would with a mapping of the buffer, and without one. The memory of the
 * buffer is given to the file as it is: where the file system or the block
 * device supports direct I/O, the storage reads and writes it, and no CPU
 * copies a byte. Several requests are in flight at a time, so that one long
 * call can keep a fast device busy.
 *
 * Waits for devices that use the buffer and brackets the access, as read(2) and
 * write(2) of the buffer do. The file is treated as by pread(2) and pwrite(2):
 * access modes, locks, seals, limits, O_APPEND and O_DSYNC count, the position
 * of the file is neither used nor changed.
 *
 * Direct I/O needs alignment, which statx(2) tells with STATX_DIOALIGN. What is
 * not aligned, at the start and at the end or altogether, is copied through the
 * page cache, and so is everything where the file cannot do direct I/O. With
 * %DMA_BUF_TRANSFER_DIRECT, or if the file was opened with O_DIRECT, the call
 * fails with EINVAL instead, before a byte has moved.
 *
 * With %DMA_BUF_TRANSFER_IN_FENCE the call waits for a sync file first. With
 * %DMA_BUF_TRANSFER_OUT_FENCE it returns when the last request has been
 * submitted to the storage, and makes a sync file that signals when all have
 * completed. The fence also becomes an implicit fence of the buffer, so other
 * users, read(2) and poll(2) among them, wait for the bytes. It signals with an
 * error if fewer bytes arrived than the call has counted, and with ETIMEDOUT
 * after 10 seconds; storage that is late may then still change the buffer. Such
 * a transfer is direct, as with %DMA_BUF_TRANSFER_DIRECT.
 *
 * A fence has to signal in finite time, whatever programs do and however short
 * memory is. So there is an out-fence only for disks of devices whose driver
 * sets a time limit for requests, as those of NVMe, SCSI and MMC do, and for
 * regular files of ext4 and XFS on such a disk if they are read. Others fail
 * with EOPNOTSUPP: a file that is written, whose metadata have to be written,
 * too; a network; a program that is the server; a device that maps others, such
 * as loop and device mapper; a disk for which a cgroup has had a limit.
 *
 * Returns the number of bytes moved, or under way to an out-fence. It is less
 * than @length at the end of the file or of the buffer, when an error or a
 * fatal signal came after some bytes, and when @length is more than 2 GiB less
 * one page, as for read(2). It counts bytes without a gap from the start: after
 * an error, later ones may have been moved, too. Zero at the end of the file,
 * at the end of the buffer for %DMA_BUF_TRANSFER_TO_FILE, and if @length is
 * zero.
 *
 * Fails with EINVAL for unknown flags, without exactly one direction, if fields
 * that must be zero are not, if the in-fence is no sync file, if a position or
 * the end of the range in the file is beyond what a file can have, and if the
 * file is neither regular nor a block device, or offers no read or write;
 * ESPIPE for a pipe or a socket; EBADF if @fd is not open, or the file or the
 * buffer is not open for this direction; EOPNOTSUPP if the buffer does not
 * consist of pages, and where an out-fence is not possible; EMFILE without a
 * descriptor for it; ENOSPC if @offset is not within the buffer, for
 * %DMA_BUF_TRANSFER_FROM_FILE; EAGAIN if it would have to wait and must not;
 * EINTR when a signal ended the wait; EIO for memory with an error; ENOMEM; and
 * with what read(2) and write(2) of the file fail with, EFBIG, ENOSPC, EPERM
 * and EIO among them.
 *
 * The struct may grow at its end, by the rules of &struct
 * dma_buf_sync_partial.
 */
struct dma_buf_transfer {
	/** @fd: the file. */
	__s32 fd;
	/**
	 * @flags: exactly one of the first two, or'ed with any of the others:
	 *
	 * %DMA_BUF_TRANSFER_FROM_FILE
	 *	read the file, write the buffer
	 * %DMA_BUF_TRANSFER_TO_FILE
	 *	read the buffer, write the file
	 * %DMA_BUF_TRANSFER_DIRECT
	 *	by direct I/O or not at all
	 * %DMA_BUF_TRANSFER_NOWAIT
	 *	do not wait for devices that use the buffer, as with O_NONBLOCK
	 *	on its descriptor; the file may have to be waited for
	 * %DMA_BUF_TRANSFER_IN_FENCE
	 *	wait for @in_fence first; work that failed has also ended
	 * %DMA_BUF_TRANSFER_OUT_FENCE
	 *	set @out_fence
	 */
	__u32 flags;
	/** @file_offset: position of the first byte in the file. */
	__u64 file_offset;
	/** @offset: position of the first byte in the buffer. */
	__u64 offset;
	/** @length: number of bytes. */
	__u64 length;
	/** @in_fence: a sync file; zero without %DMA_BUF_TRANSFER_IN_FENCE. */
	__s32 in_fence;
	/**
	 * @out_fence: set by the kernel with %DMA_BUF_TRANSFER_OUT_FENCE: the
	 * sync file, close-on-exec. There is none unless the call returns more
	 * than zero. Must be zero without the flag.
	 */
	__s32 out_fence;
};

#define DMA_BUF_TRANSFER_FROM_FILE	(1 << 0)
#define DMA_BUF_TRANSFER_TO_FILE	(1 << 1)
#define DMA_BUF_TRANSFER_DIRECT		(1 << 2)
#define DMA_BUF_TRANSFER_NOWAIT		(1 << 3)
#define DMA_BUF_TRANSFER_IN_FENCE	(1 << 4)
#define DMA_BUF_TRANSFER_OUT_FENCE	(1 << 5)
#define DMA_BUF_TRANSFER_VALID_FLAGS_MASK \
	(DMA_BUF_TRANSFER_FROM_FILE | DMA_BUF_TRANSFER_TO_FILE | \
	 DMA_BUF_TRANSFER_DIRECT | DMA_BUF_TRANSFER_NOWAIT | \
	 DMA_BUF_TRANSFER_IN_FENCE | DMA_BUF_TRANSFER_OUT_FENCE)

/**
 * struct dma_buf_uring_cmd - arguments of a command through io_uring
 *
 * IORING_OP_URING_CMD on the descriptor of a buffer does the same as an ioctl:
 *
 * - sqe->fd: the buffer
 * - sqe->cmd_op: the number of the ioctl, one of %DMA_BUF_IOCTL_SYNC,
 *   %DMA_BUF_IOCTL_SYNC_PARTIAL, %DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
 *   %DMA_BUF_IOCTL_IMPORT_SYNC_FILE and %DMA_BUF_IOCTL_TRANSFER
 * - sqe->len: the flags of its argument
 * - sqe->cmd: this struct; what a command does not use must be zero
 * - sqe->addr, sqe->splice_fd_in: of a transfer, its length in bytes and the
 *   descriptor of the file; otherwise zero
 * - cqe->res: 0 or a negative errno; of an export, the descriptor of the sync
 *   file, which is close-on-exec; of a transfer, the number of bytes
 *
 * sqe->buf_index and sqe->uring_cmd_flags must be zero. The layout is the same
 * for all programs and with IORING_SETUP_SQE128, of which the second half is
 * not read.
 *
 * A start of access that has to wait for devices takes no thread meanwhile, on
 * a buffer of a heap, of udmabuf and of most drivers. It ends with ECANCELED
 * when the ring is closed or its task ends. To be found by
 * IORING_OP_ASYNC_CANCEL it needs IOSQE_ASYNC; then it waits in a worker thread
 * of the ring, as it does with IORING_OP_LINK_TIMEOUT behind it.
 *
 * A transfer runs in a worker thread of the ring, and several of them at a
 * time. There, IORING_OP_ASYNC_CANCEL ends the wait for devices. A transfer
 * with fences fails with EOPNOTSUPP: IORING_OP_POLL_ADD on a sync file, linked
 * before it, waits, and its completion says that the bytes have arrived.
 *
 * The kernel reads the arguments when it carries out the command. So the entry
 * of a command that is not the first of a chain must not be used for another
 * one before the chain has come to it, unless it has IOSQE_ASYNC.
 *
 * Fails as the ioctl, and with EINVAL for fields that must be zero, ENOTTY for
 * any other number, and EOPNOTSUPP in kernels that have none of these commands
 * and for a ring with IORING_SETUP_IOPOLL.
 */
struct dma_buf_uring_cmd {
	union {
		struct {
			/**
			 * @offset: for %DMA_BUF_IOCTL_SYNC_PARTIAL, as
			 * &dma_buf_sync_partial.offset.
			 */
			__u64 offset;
			/** @length: the same, as &dma_buf_sync_partial.length. */
			__u64 length;
		};
		struct {
			/**
			 * @fd: for %DMA_BUF_IOCTL_IMPORT_SYNC_FILE, the sync
			 * file.
			 */
			__s32 fd;
			/** @reserved: must be zero. */
			__u32 reserved[3];
		};
		struct {
			/**
			 * @buffer_offset: for %DMA_BUF_IOCTL_TRANSFER, as
			 * &dma_buf_transfer.offset.
			 */
			__u64 buffer_offset;
			/**
			 * @file_offset: the same, as
			 * &dma_buf_transfer.file_offset.
			 */
			__u64 file_offset;
		};
	};
};

#define DMA_BUF_BASE		'b'
#define DMA_BUF_IOCTL_SYNC	_IOW(DMA_BUF_BASE, 0, struct dma_buf_sync)

/*
 * Set the name of the buffer, which fdinfo, /proc/PID/maps and debugfs show.
 * The argument is the address of a zero-terminated string; longer ones than
 * DMA_BUF_NAME_LEN fail with EINVAL. It replaces an earlier name.
 *
 * The number of DMA_BUF_SET_NAME depends on the size of a pointer, so there are
 * two. The kernel takes both, in programs of either size, with the same
 * meaning.
 */
#define DMA_BUF_SET_NAME	_IOW(DMA_BUF_BASE, 1, const char *)
#define DMA_BUF_SET_NAME_A	_IOW(DMA_BUF_BASE, 1, __u32)
#define DMA_BUF_SET_NAME_B	_IOW(DMA_BUF_BASE, 1, __u64)
#define DMA_BUF_IOCTL_EXPORT_SYNC_FILE	_IOWR(DMA_BUF_BASE, 2, struct dma_buf_export_sync_file)
#define DMA_BUF_IOCTL_IMPORT_SYNC_FILE	_IOW(DMA_BUF_BASE, 3, struct dma_buf_import_sync_file)

/* Linux 6.12 has 0 to 3, and no known later release has more. */
#define DMA_BUF_IOCTL_SYNC_PARTIAL	_IOW(DMA_BUF_BASE, 4, struct dma_buf_sync_partial)
#define DMA_BUF_IOCTL_TRANSFER		_IOWR(DMA_BUF_BASE, 5, struct dma_buf_transfer)
#define DMA_BUF_IOCTL_SYNC_BATCH	_IOW(DMA_BUF_BASE, 6, struct dma_buf_sync_batch)

/*
 * Take the buffer away from all of its users, for good. It is of the buffer,
 * not of the descriptor: all processes that have it lose it.
 *
 * New uses fail: everything above and read(2), write(2), splice(2), mmap(2) and
 * imports by drivers with ENODEV. Mappings are emptied, an access to them
 * raises SIGBUS. Calls that wait for devices end with ENODEV, poll(2) returns
 * POLLERR. The end of an access (%DMA_BUF_SYNC_END), the name, lseek(2),
 * fstat(2) and close(2) remain. The memory is freed with the last reference.
 *
 * Then it waits until devices have finished, for some seconds at most. It
 * returns 0 when none can access the memory any more through a driver that has
 * imported the buffer. Not waited for are calls of read(2), write(2), splice(2)
 * and %DMA_BUF_IOCTL_TRANSFER that were at work already, which may still move
 * up to one MiB or the requests in flight, and pages that a program has pinned
 * (direct I/O, registered buffers) or put into a pipe.
 *
 * It otherwise fails with EBUSY when a driver keeps its mapping, which it was
 * not made to give up, ETIMEDOUT when it does not end within those seconds, or
 * EINTR when a signal came first. The buffer is revoked in all of these cases;
 * another call waits again.
 *
 * Nothing is revoked when it fails with EINVAL as the argument is not 0,
 * EOPNOTSUPP for a buffer that is not of a heap, and EPERM when the caller has
 * neither the effective user ID, and the user namespace, of the process that
 * allocated the buffer, nor CAP_SYS_ADMIN in that namespace.
 */
#define DMA_BUF_IOCTL_REVOKE		_IO(DMA_BUF_BASE, 7)

#endif
