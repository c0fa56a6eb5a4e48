// SPDX-License-Identifier: GPL-2.0-only
/*
 * Use a dma-buf with io_uring: a chain that begins access, reads a file into the
 * mapping, ends access, and waits until the buffer can be read; then a read of the
 * buffer itself. Nothing blocks the program but io_uring_wait_cqe().
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE	65536

static int allocate(void)
{
	struct dma_heap_allocation_data heap = {
		.len = SIZE, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	int node = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC);

	if (node < 0 || ioctl(node, DMA_HEAP_IOCTL_ALLOC, &heap))
		err(1, "no buffer");
	close(node);
	return (int)heap.fd;
}

/* A file with something in it. */
static int file_new(void)
{
	static char bytes[SIZE];
	int file = memfd_create("frame", MFD_CLOEXEC);

	memset(bytes, 'x', SIZE);
	if (file < 0 || write(file, bytes, SIZE) != SIZE)
		err(1, "no file");
	return file;
}

/* DMA_BUF_IOCTL_SYNC: the flags are in sqe->len, and nothing else is needed. */
static void prepare_sync(struct io_uring_sqe *sqe, int buffer, unsigned int flags)
{
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, buffer, NULL, flags, 0);
	sqe->cmd_op = DMA_BUF_IOCTL_SYNC;
}

static void wait_for(struct io_uring *ring, int results)
{
	struct io_uring_cqe *cqe;

	while (results--) {
		if (io_uring_wait_cqe(ring, &cqe))
			errx(1, "no result");
		if (cqe->res < 0)
			errx(1, "%s: %s", (char *)io_uring_cqe_get_data(cqe),
			     strerror(-cqe->res));
		io_uring_cqe_seen(ring, cqe);
	}
}

int main(void)
{
	int buffer = allocate(), file = file_new();
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	static char back[SIZE];
	char *map;

	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, buffer, 0);
	if (map == MAP_FAILED || io_uring_queue_init(8, &ring, 0))
		err(1, "no mapping or no ring");

	sqe = io_uring_get_sqe(&ring);
	prepare_sync(sqe, buffer, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	io_uring_sqe_set_data(sqe, "begin access");
	io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);

	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_read(sqe, file, map, SIZE, 0);
	io_uring_sqe_set_data(sqe, "read the file");
	io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);

	sqe = io_uring_get_sqe(&ring);
	prepare_sync(sqe, buffer, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	io_uring_sqe_set_data(sqe, "end access");
	io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);

	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_poll_add(sqe, buffer, POLLIN);
	io_uring_sqe_set_data(sqe, "poll");
	io_uring_submit(&ring);
	wait_for(&ring, 4);

	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_read(sqe, buffer, back, SIZE, 0);
	io_uring_sqe_set_data(sqe, "read the buffer");
	io_uring_submit(&ring);
	wait_for(&ring, 1);
	if (memcmp(map, back, SIZE) || back[0] != 'x')
		errx(1, "other bytes");

	io_uring_queue_exit(&ring);
	printf("%d bytes\n", SIZE);
	return 0;
}
