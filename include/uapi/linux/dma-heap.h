/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Allocation of buffers from a heap
 *
 * Each heap is a character device, /dev/dma_heap/NAME. A program opens the one
 * whose memory its devices can use and issues DMA_HEAP_IOCTL_ALLOC there, or
 * DMA_HEAP_IOCTL_ALLOC_BATCH for many buffers at once.
 */
#ifndef _UAPI_LINUX_DMABUF_POOL_H
#define _UAPI_LINUX_DMABUF_POOL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: Heap ioctls
 *
 * DMA_HEAP_IOCTL_ALLOC has a struct that grows at the end. The size that the
 * command encodes says how much of the struct a program knows: what it does not
 * supply counts as zero, what the kernel does not know is neither read nor
 * written.
 *
 * DMA_HEAP_IOCTL_ALLOC_BATCH grows as well. Its struct may not be shorter than
 * here, and what this kernel does not know must be zero.
 *
 * Any other command fails with EINVAL, DMA_HEAP_IOCTL_ALLOC_BATCH in a kernel
 * without it as well.
 */

/* Valid in &dma_heap_allocation_data.fd_flags: one access mode, O_CLOEXEC */
#define DMA_HEAP_VALID_FD_FLAGS (O_CLOEXEC | O_ACCMODE)

/* Valid in &dma_heap_allocation_data.heap_flags: nothing so far */
#define DMA_HEAP_VALID_HEAP_FLAGS (0ULL)

/**
 * struct dma_heap_allocation_data - a request for one buffer, and its answer
 * @len: in: size in bytes, more than zero, which is rounded up to whole pages
 * @fd: in: must be zero; out: a new file descriptor, the buffer's only one
 * @fd_flags: in: access mode of that descriptor, and O_CLOEXEC to have it
 *	closed by execve(2); see DMA_HEAP_VALID_FD_FLAGS
 * @heap_flags: in: must be zero; see DMA_HEAP_VALID_HEAP_FLAGS
 */
struct dma_heap_allocation_data {
	__u64 len;
	__u32 fd;
	__u32 fd_flags;
	__u64 heap_flags;
};

/**
 * struct dma_heap_allocation_data_charged - the same, with the process to
 * charge
 * @len: see &struct dma_heap_allocation_data
 * @fd: see &struct dma_heap_allocation_data
 * @fd_flags: see &struct dma_heap_allocation_data
 * @heap_flags: see &struct dma_heap_allocation_data
 * @charge_pid_fd: in: a pidfd of the process whose memory cgroup is charged for
 *	the buffer until it is released; 0 or -1 for the caller. For a service
 *	that allocates on behalf of other processes. The cgroup must be the
 *	caller's own or one below it, or the caller has CAP_SYS_RESOURCE.
 * @reserved: padding, ignored
 *
 * &struct dma_heap_allocation_data with a field at its end. It has a name of
 * its own, so that the number of DMA_HEAP_IOCTL_ALLOC does not change. In a
 * struct that is longer still, a @charge_pid_fd that is no pidfd is ignored,
 * because programs may rely on all bytes after @heap_flags being ignored.
 */
struct dma_heap_allocation_data_charged {
	__u64 len;
	__u32 fd;
	__u32 fd_flags;
	__u64 heap_flags;
	__u32 charge_pid_fd;
	__u32 reserved;
};

/* Most buffers of one DMA_HEAP_IOCTL_ALLOC_BATCH */
#define DMA_HEAP_ALLOC_BATCH_MAX	1024

/**
 * struct dma_heap_allocation_batch - a request for many buffers of one size
 * @len: in: size of each in bytes, as &dma_heap_allocation_data.len
 * @heap_flags: in: must be zero; see DMA_HEAP_VALID_HEAP_FLAGS
 * @fds: in: address of an array of __s32, of @count elements; out, in the
 *	array: a new file descriptor for each buffer. What the array held is
 *	ignored.
 * @count: in: how many buffers, 1 to DMA_HEAP_ALLOC_BATCH_MAX
 * @fd_flags: in: of the descriptors, as &dma_heap_allocation_data.fd_flags
 * @charge_pid_fd: in: the process to charge, as
 *	&dma_heap_allocation_data_charged.charge_pid_fd; 0 or -1 for the caller
 * @reserved: in: must be zero
 */
struct dma_heap_allocation_batch {
	__u64 len;
	__u64 heap_flags;
	__u64 fds;
	__u32 count;
	__u32 fd_flags;
	__u32 charge_pid_fd;
	__u32 reserved;
};

#define DMA_HEAP_IOC_MAGIC		'H'

/**
 * DOC: DMA_HEAP_IOCTL_ALLOC
 *
 * Allocates one buffer, every byte of it zero, and opens a dma-buf descriptor
 * for it. Fails with
 *
 * - EINVAL: @len is zero or overflows when rounded up, @fd is not zero, a
 *   flag is unknown, or the struct ends before @fd
 * - ENOMEM: there is not enough memory, or not in one piece where the heap
 *   guarantees that
 * - EINTR: a fatal signal arrived meanwhile
 * - EBADF, ESRCH: @charge_pid_fd is not a pidfd; its process is gone, or has no
 *   memory of its own, as the kernel's threads
 * - EPERM: @charge_pid_fd is a process that the caller must not look into, as
 *   ptrace(2) would for reading, or is in a memory cgroup that the caller must
 *   not have charged
 * - ENODEV: the heap has been removed
 * - EMFILE, ENFILE: no descriptor is left
 * - EFAULT: the struct cannot be read or written
 *
 * and in each of these cases nothing is allocated.
 */
#define DMA_HEAP_IOCTL_ALLOC	_IOWR(DMA_HEAP_IOC_MAGIC, 0x0,\
				      struct dma_heap_allocation_data)

/* DMA_HEAP_IOCTL_ALLOC with the longer struct, which older kernels ignore. */
#define DMA_HEAP_IOCTL_ALLOC_CHARGED	_IOWR(DMA_HEAP_IOC_MAGIC, 0x0,\
				      struct dma_heap_allocation_data_charged)

/**
 * DOC: DMA_HEAP_IOCTL_ALLOC_BATCH
 *
 * Allocates many buffers of one size, each as DMA_HEAP_IOCTL_ALLOC does, and
 * opens a descriptor for each. It makes all of them or none: the descriptors
 * are opened last, after their numbers have been written to the array. After a
 * failure the content of the array is undefined, and no descriptor has been
 * opened. Whether there is enough memory is decided for the sum.
 *
 * Fails as DMA_HEAP_IOCTL_ALLOC does for one of the buffers, EMFILE if there
 * are not enough descriptors for all, EINVAL if @count is not in range or
 * @reserved not zero, E2BIG if the struct is longer than the kernel knows and
 * the rest is not zero, and EFAULT if the array cannot be written.
 */
#define DMA_HEAP_IOCTL_ALLOC_BATCH	_IOWR(DMA_HEAP_IOC_MAGIC, 0x1,\
				      struct dma_heap_allocation_batch)

#endif /* _UAPI_LINUX_DMABUF_POOL_H */
