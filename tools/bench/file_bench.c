// SPDX-License-Identifier: GPL-2.0-only
/*
 * A buffer as a file: what copying costs, and what loading from a disk
 *
 * Copying is compared with a mapping of the same buffer, once with the mapping
 * there, once made for the purpose, and with a file of tmpfs.
 *
 * Loading is from an NVMe disk, the first namespace, into LOAD_BUFFERS buffers.
 * The figure is CPU time of the program per MiB, in nanoseconds: the time that
 * the disk takes is not of interest, nor can an emulated one tell it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <time.h>
#include <unistd.h>

#include <liburing.h>
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>

#include "bench.h"

#define LOAD_BUFFERS	8
#define READS		64

/* ---- copying ------------------------------------------------------------ */

struct copy {
	int fd;
	size_t size;
	char *data;
	char *map;	/* of the buffer, or NULL */
	bool write;
};

static __s64 sync_buffer(int fd, __u64 flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) ? -errno : 0;
}

static __s64 copy_mapped(const struct copy *copy)
{
	__u64 dir = copy->write ? DMA_BUF_SYNC_WRITE : DMA_BUF_SYNC_READ;
	__s64 ret = sync_buffer(copy->fd, DMA_BUF_SYNC_START | dir);

	if (ret)
		return ret;
	if (copy->write)
		memcpy(copy->map, copy->data, copy->size);
	else
		memcpy(copy->data, copy->map, copy->size);
	return sync_buffer(copy->fd, DMA_BUF_SYNC_END | dir);
}

static __s64 copy_through_mapping(struct copy *copy)
{
	__s64 ret;

	copy->map = mmap(NULL, copy->size, PROT_READ | PROT_WRITE, MAP_SHARED, copy->fd, 0);
	if (copy->map == MAP_FAILED)
		return -errno;
	ret = copy_mapped(copy);
	munmap(copy->map, copy->size);
	copy->map = NULL;
	return ret;
}

static __s64 copy_by_call(struct copy *copy)
{
	ssize_t ret = copy->write ? pwrite(copy->fd, copy->data, copy->size, 0) :
				    pread(copy->fd, copy->data, copy->size, 0);

	return ret < 0 ? -errno : ret < (ssize_t)copy->size ? -ENODATA : 0;
}

enum copy_how { MAPPED, THROUGH_MAPPING, BY_CALL };

static __s64 copy_once(struct copy *copy, enum copy_how how)
{
	switch (how) {
	case MAPPED:
		return copy_mapped(copy);
	case THROUGH_MAPPING:
		return copy_through_mapping(copy);
	default:
		return copy_by_call(copy);
	}
}

/* The second time counts: pages and code are there. */
static __s64 copy_cost(int fd, size_t size, bool write, enum copy_how how)
{
	struct copy copy = { .fd = fd, .size = size, .write = write };
	__s64 ret = -ENOMEM, start;

	if (fd < 0)
		return fd;
	copy.data = aligned_alloc(page_size, size);
	if (!copy.data)
		goto out;
	memset(copy.data, 1, size);
	if (how == MAPPED) {
		copy.map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (copy.map == MAP_FAILED)
			goto out;
		touch(copy.map, size);
	}
	ret = copy_once(&copy, how);
	start = now();
	if (!ret)
		ret = copy_once(&copy, how);
	if (!ret)
		ret = now() - start;
	if (how == MAPPED)
		munmap(copy.map, size);
out:
	free(copy.data);
	close(fd);
	return ret;
}

static int tmpfs_file(size_t size)
{
	return udmabuf_memfd(size, 0);
}

static __s64 round_pread_heap(size_t size)
{
	return copy_cost(heap_alloc(size), size, false, BY_CALL);
}

static __s64 round_pwrite_heap(size_t size)
{
	return copy_cost(heap_alloc(size), size, true, BY_CALL);
}

static __s64 round_mapped_read(size_t size)
{
	return copy_cost(heap_alloc(size), size, false, MAPPED);
}

static __s64 round_mapped_write(size_t size)
{
	return copy_cost(heap_alloc(size), size, true, MAPPED);
}

static __s64 round_mmap_read(size_t size)
{
	return copy_cost(heap_alloc(size), size, false, THROUGH_MAPPING);
}

static __s64 round_mmap_write(size_t size)
{
	return copy_cost(heap_alloc(size), size, true, THROUGH_MAPPING);
}

static __s64 round_pread_tmpfs(size_t size)
{
	return copy_cost(tmpfs_file(size), size, false, BY_CALL);
}

static __s64 round_pwrite_tmpfs(size_t size)
{
	return copy_cost(tmpfs_file(size), size, true, BY_CALL);
}

/* ---- io_uring ----------------------------------------------------------- */

static __s64 uring_read(struct io_uring *ring, int fd, void *data, size_t size)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	__s64 ret;

	io_uring_prep_read(sqe, fd, data, size, 0);
	ret = io_uring_submit_and_wait(ring, 1);
	if (ret < 0)
		return ret;
	ret = io_uring_wait_cqe(ring, &cqe);
	if (ret < 0)
		return ret;
	ret = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return ret < 0 ? ret : ret < (__s64)size ? -ENODATA : 0;
}

static __s64 uring_cost(int fd, size_t size)
{
	struct io_uring ring;
	__s64 ret, start;
	char *data;

	if (fd < 0)
		return fd;
	ret = io_uring_queue_init(8, &ring, 0);
	if (ret)
		goto out;
	data = calloc(1, size);
	ret = data ? uring_read(&ring, fd, data, size) : -ENOMEM;
	start = now();
	for (int i = 0; !ret && i < READS; i++)
		ret = uring_read(&ring, fd, data, size);
	if (!ret)
		ret = (now() - start) / READS;
	free(data);
	io_uring_queue_exit(&ring);
out:
	close(fd);
	return ret;
}

static __s64 round_uring_heap(size_t size)
{
	return uring_cost(heap_alloc(size), size);
}

static __s64 round_uring_tmpfs(size_t size)
{
	return uring_cost(tmpfs_file(size), size);
}

/* ---- loading ------------------------------------------------------------ */

/**
 * struct load - a disk, and the buffers that it is loaded into
 * @size: of one buffer
 * @file: the disk, through the page cache
 * @direct: the disk, past it
 * @fd: the buffers
 * @memfd: the memory of each, of udmabuf only; otherwise -1
 * @map: their mappings, touched, unless there are none
 */
struct load {
	size_t size;
	int file;
	int direct;
	int fd[LOAD_BUFFERS];
	int memfd[LOAD_BUFFERS];
	char *map[LOAD_BUFFERS];
};

static void load_close(struct load *load)
{
	for (int i = 0; i < LOAD_BUFFERS; i++) {
		if (load->map[i])
			munmap(load->map[i], load->size);
		if (load->memfd[i] >= 0)
			close(load->memfd[i]);
		if (load->fd[i] >= 0)
			close(load->fd[i]);
	}
	if (load->file >= 0)
		close(load->file);
	if (load->direct >= 0)
		close(load->direct);
}

static int load_buffer(struct load *load, int i, bool udmabuf, bool mapped)
{
	struct udmabuf_create create = { .size = load->size };
	int fd;

	if (udmabuf) {
		if (udmabuf_fd < 0)
			return ABSENT;
		load->memfd[i] = udmabuf_memfd(load->size, 0);
		if (load->memfd[i] < 0)
			return load->memfd[i];
		create.memfd = load->memfd[i];
		fd = ioctl(udmabuf_fd, UDMABUF_CREATE, &create);
		load->fd[i] = fd < 0 ? -errno : fd;
	} else {
		load->fd[i] = heap_alloc(load->size);
	}
	if (load->fd[i] < 0 || !mapped)
		return load->fd[i];

	/* Direct I/O goes to pages of a memfd, not to page frames. */
	load->map[i] = mmap(NULL, load->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			    udmabuf ? load->memfd[i] : load->fd[i], 0);
	if (load->map[i] == MAP_FAILED) {
		load->map[i] = NULL;
		return -errno;
	}
	touch(load->map[i], load->size);
	return 0;
}

static int load_open(struct load *load, size_t size, bool udmabuf, bool mapped)
{
	int ret = 0;

	memset(load, 0, sizeof(*load));
	load->size = size;
	load->file = open("/dev/nvme0n1", O_RDONLY | O_CLOEXEC);
	load->direct = open("/dev/nvme0n1", O_RDONLY | O_DIRECT | O_CLOEXEC);
	for (int i = 0; i < LOAD_BUFFERS; i++)
		load->fd[i] = -1;
	for (int i = 0; i < LOAD_BUFFERS; i++)
		load->memfd[i] = -1;
	if (load->file < 0 || load->direct < 0)
		return ABSENT;
	for (int i = 0; i < LOAD_BUFFERS && ret >= 0; i++)
		ret = load_buffer(load, i, udmabuf, mapped);
	/* The page cache is empty. */
	posix_fadvise(load->file, 0, 0, POSIX_FADV_DONTNEED);
	return ret < 0 ? ret : 0;
}

static __s64 load_read(struct load *load, int i, int file)
{
	__s64 ret = sync_buffer(load->fd[i], DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	size_t done = 0;
	ssize_t got;

	while (!ret && done < load->size) {
		got = pread(file, load->map[i] + done, load->size - done, i * load->size + done);
		if (got <= 0)
			return got ? -errno : -ENODATA;
		done += got;
	}
	return ret ? ret : sync_buffer(load->fd[i], DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
}

static __s64 load_buffered(struct load *load, int i)
{
	return load_read(load, i, load->file);
}

static __s64 load_direct(struct load *load, int i)
{
	return load_read(load, i, load->direct);
}

static __s64 load_transfer(struct load *load, int i)
{
	struct dma_buf_transfer args = {
		.fd = load->file,
		.flags = DMA_BUF_TRANSFER_FROM_FILE | DMA_BUF_TRANSFER_DIRECT,
		.file_offset = i * load->size, .length = load->size,
	};
	int ret = ioctl(load->fd[i], DMA_BUF_IOCTL_TRANSFER, &args);

	return ret < 0 ? -errno : (size_t)ret < load->size ? -ENODATA : 0;
}

static __s64 load_sendfile(struct load *load, int i)
{
	off_t at = i * load->size, end = at + load->size;

	while (at < end)
		if (sendfile(load->fd[i], load->file, &at, end - at) <= 0)
			return -errno;
	return 0;
}

/* All of them in flight. */
static __s64 load_uring(struct load *load)
{
	struct dma_buf_uring_cmd cmd = { };
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	__s64 ret, bad = 0;

	ret = io_uring_queue_init(LOAD_BUFFERS, &ring, 0);
	if (ret)
		return ret;
	for (int i = 0; i < LOAD_BUFFERS; i++) {
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_rw(IORING_OP_URING_CMD, sqe, load->fd[i],
				 (void *)load->size, DMA_BUF_TRANSFER_FROM_FILE, 0);
		sqe->cmd_op = DMA_BUF_IOCTL_TRANSFER;
		sqe->splice_fd_in = load->file;
		cmd.file_offset = i * load->size;
		memcpy(sqe->cmd, &cmd, sizeof(cmd));
	}
	ret = io_uring_submit(&ring);
	for (int i = 0; i < LOAD_BUFFERS && ret >= 0; i++) {
		ret = io_uring_wait_cqe(&ring, &cqe);
		if (ret)
			break;
		if (cqe->res != (int)load->size)
			bad = cqe->res < 0 ? cqe->res : -ENODATA;
		io_uring_cqe_seen(&ring, cqe);
	}
	io_uring_queue_exit(&ring);
	return ret < 0 ? ret : bad;
}

static __s64 cpu_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static __s64 load_cost(size_t size, bool udmabuf, bool mapped,
		       __s64 (*each)(struct load *load, int i))
{
	struct load load;
	__s64 ret = load_open(&load, size, udmabuf, mapped), start = cpu_time();

	if (each)
		for (int i = 0; !ret && i < LOAD_BUFFERS; i++)
			ret = each(&load, i);
	else if (!ret)
		ret = load_uring(&load);
	if (!ret)
		ret = (cpu_time() - start) / (__s64)(LOAD_BUFFERS * size / MIB);
	load_close(&load);
	return ret;
}

static __s64 round_load_buffered(size_t size)
{
	return load_cost(size, false, true, load_buffered);
}

static __s64 round_load_direct(size_t size)
{
	return load_cost(size, false, true, load_direct);
}

static __s64 round_load_transfer(size_t size)
{
	return load_cost(size, false, false, load_transfer);
}

static __s64 round_load_uring(size_t size)
{
	return load_cost(size, false, false, NULL);
}

static __s64 round_load_sendfile(size_t size)
{
	return load_cost(size, false, false, load_sendfile);
}

static __s64 round_load_udmabuf(size_t size)
{
	return load_cost(size, true, true, load_direct);
}

#define COPIES	SIZES(4 * KIB, 64 * KIB, MIB, 16 * MIB)

const struct bench_case file_cases[] = {
	{ "pread_heap",		round_pread_heap,	9, COPIES },
	{ "pread_tmpfs",	round_pread_tmpfs,	9, COPIES },
	{ "mapped_read",	round_mapped_read,	9, COPIES },
	{ "mmap_read",		round_mmap_read,	9, COPIES },
	{ "pwrite_heap",	round_pwrite_heap,	9, COPIES },
	{ "pwrite_tmpfs",	round_pwrite_tmpfs,	9, COPIES },
	{ "mapped_write",	round_mapped_write,	9, COPIES },
	{ "mmap_write",		round_mmap_write,	9, COPIES },
	{ "uring_read_heap",	round_uring_heap,	9, SIZES(4 * KIB) },
	{ "uring_read_tmpfs",	round_uring_tmpfs,	9, SIZES(4 * KIB) },
	{ "load_buffered",	round_load_buffered,	1, SIZES(32 * MIB) },
	{ "load_direct",	round_load_direct,	1, SIZES(32 * MIB) },
	{ "load_transfer",	round_load_transfer,	1, SIZES(32 * MIB) },
	{ "load_uring",		round_load_uring,	1, SIZES(32 * MIB) },
	{ "load_sendfile",	round_load_sendfile,	1, SIZES(32 * MIB) },
	{ "load_udmabuf_direct", round_load_udmabuf,	1, SIZES(32 * MIB) },
	{ 0 }
};
