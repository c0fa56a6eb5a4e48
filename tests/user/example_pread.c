// SPDX-License-Identifier: GPL-2.0-only
/*
 * Use a dma-buf as a file: allocate one, write two rows of an image, read them.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define STRIDE	4096
#define ROWS	16

int main(void)
{
	struct dma_heap_allocation_data heap = {
		.len = STRIDE * ROWS, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	char row[STRIDE], back[STRIDE];
	int fd = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &heap))
		err(1, "no buffer");

	for (int y = 3; y <= 4; y++) {
		memset(row, 'a' + y, sizeof(row));
		if (pwrite((int)heap.fd, row, STRIDE, y * STRIDE) != STRIDE)
			err(1, "row %d is not written", y);
	}
	/* The last row that was written, and a new one, which is zero. */
	if (pread((int)heap.fd, back, STRIDE, 4 * STRIDE) != STRIDE)
		err(1, "row 4 is not read");
	if (memcmp(row, back, STRIDE))
		errx(1, "row 4 differs");
	if (pread((int)heap.fd, back, STRIDE, 5 * STRIDE) != STRIDE || back[0])
		errx(1, "row 5 is not zero");

	printf("%lld bytes\n", (long long)lseek((int)heap.fd, 0, SEEK_END));
	return 0;
}
