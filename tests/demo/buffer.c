// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers as the CPU sees them: from a heap or from a descriptor that was
 * received, mapped, and touched only between the two SYNC calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

#include "demo.h"

#define HEAPS	"/dev/dma_heap/"

/* The heap of the default CMA region has had several names. */
const char *heap_cma(void)
{
	static const char * const names[] = {
		"default_cma_region", "reserved", "linux,cma", "default-pool",
	};
	char path[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), HEAPS "%s", names[i]);
		if (!access(path, R_OK))
			return names[i];
	}
	fail("there is no CMA heap in " HEAPS);
	return NULL;
}

int buffer_alloc(struct buffer *buffer, const char *heap, size_t size)
{
	struct dma_heap_allocation_data data = {
		.len = size,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	char path[64];
	int fd;

	snprintf(path, sizeof(path), HEAPS "%s", heap);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(path);
	if (ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &data)) {
		close(fd);
		return fail_errno("DMA_HEAP_IOCTL_ALLOC");
	}
	close(fd);
	return buffer_adopt(buffer, data.fd, size);
}

/* Takes the descriptor over, also when it fails. */
int buffer_adopt(struct buffer *buffer, int fd, size_t size)
{
	void *map;

	buffer->fd = fd;
	buffer->size = size;
	buffer->words = NULL;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		fail_errno("mmap of a dma-buf");
		buffer_drop(buffer);
		return -1;
	}
	buffer->words = map;
	return 0;
}

void buffer_drop(struct buffer *buffer)
{
	if (buffer->words)
		munmap(buffer->words, buffer->size);
	if (buffer->fd >= 0)
		close(buffer->fd);
	buffer->words = NULL;
	buffer->fd = -1;
}

static int buffer_sync(struct buffer *buffer, __u64 flags)
{
	struct dma_buf_sync sync = { .flags = flags };
	int ret;

	do {
		ret = ioctl(buffer->fd, DMA_BUF_IOCTL_SYNC, &sync);
	} while (ret && (errno == EINTR || errno == EAGAIN));

	return ret ? fail_errno("DMA_BUF_IOCTL_SYNC") : 0;
}

int buffer_poison(struct buffer *buffer)
{
	size_t i;

	if (buffer_sync(buffer, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE))
		return -1;
	for (i = 0; i < buffer->size / 4; i++)
		buffer->words[i] = POISON;
	return buffer_sync(buffer, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
}

int buffer_write(struct buffer *buffer, const __u32 *words, size_t bytes)
{
	if (buffer_sync(buffer, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE))
		return -1;
	memcpy(buffer->words, words, bytes);
	return buffer_sync(buffer, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
}

int buffer_read(struct buffer *buffer, __u32 *words, size_t bytes)
{
	if (buffer_sync(buffer, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ))
		return -1;
	memcpy(words, buffer->words, bytes);
	return buffer_sync(buffer, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
}

int buffer_compare(struct buffer *buffer, const __u32 *want, size_t bytes,
		   __u32 mask)
{
	size_t i;

	if (buffer_sync(buffer, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ))
		return -1;

	for (i = 0; i < bytes / 4; i++)
		if ((buffer->words[i] ^ want[i]) & mask)
			break;
	if (i < bytes / 4)
		fail("MISMATCH at byte %zu of %zu: %08x instead of %08x", i * 4,
		     bytes, buffer->words[i] & mask, want[i] & mask);
	else
		report_bytes(buffer->words, bytes);

	if (buffer_sync(buffer, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ))
		return -1;
	return i < bytes / 4 ? -1 : 0;
}

/* FNV-1a over all of the words, so that two processes can talk about them. */
int buffer_sum(struct buffer *buffer, size_t bytes, __u32 *sum)
{
	size_t i;

	if (buffer_sync(buffer, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ))
		return -1;
	*sum = 2166136261u;
	for (i = 0; i < bytes / 4; i++)
		*sum = (*sum ^ buffer->words[i]) * 16777619u;
	return buffer_sync(buffer, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
}

/* One bit, in a place that no page, row or piece begins or ends at. */
int buffer_tamper(struct buffer *buffer, size_t bytes)
{
	if (buffer_sync(buffer, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW))
		return -1;
	buffer->words[bytes / 4 * 2 / 3 + 5] ^= 0x00000400;
	return buffer_sync(buffer, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
}

/* 1 if the fences on the buffer let these events through now, 0 if not. */
int buffer_ready(struct buffer *buffer, short events)
{
	struct pollfd pollfd = { .fd = buffer->fd, .events = events };
	int ret = poll(&pollfd, 1, 0);

	if (ret < 0)
		return fail_errno("poll of a dma-buf");
	return ret && (pollfd.revents & events) == events;
}
