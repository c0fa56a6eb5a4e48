/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the udmabuf programs share: memfds as programs make them, and the two
 * commands of the device. Results as in dma_buf_test.h: what the call gave, or
 * -errno.
 *
 * Each test is a leak test: the teardowns count descriptors and buffers, and where
 * pins matter a memfd shows them, because it takes F_SEAL_WRITE only when no page
 * of it is pinned. Sizes and offsets are bytes.
 */
#ifndef UDMABUF_TEST_H
#define UDMABUF_TEST_H

#include "sys_file.h"
#include <linux/memfd.h>

static inline int memfd_new(size_t size, unsigned int flags, int seals)
{
	int fd = (int)sysret(memfd_create("udmabuf-test", flags | MFD_CLOEXEC));

	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)size) ||
	    (seals && fcntl(fd, F_ADD_SEALS, seals))) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	return fd;
}

/* As programs make them. */
static inline int memfd_good(size_t size)
{
	return memfd_new(size, MFD_ALLOW_SEALING, F_SEAL_SHRINK);
}

static inline int create(int dev, int memfd, __u64 offset, __u64 size)
{
	struct udmabuf_create args = {
		.memfd = (uint32_t)memfd, .flags = UDMABUF_FLAGS_CLOEXEC,
		.offset = offset, .size = size,
	};

	return xioctl(dev, UDMABUF_CREATE, &args);
}

/* Items follow one another behind the head, as in struct udmabuf_create_list. */
static inline int create_list(int dev, const struct udmabuf_create_item *items,
			      uint32_t count)
{
	struct udmabuf_create_list *list;
	int ret;

	list = calloc(1, sizeof(*list) + count * sizeof(*items));
	if (!list)
		return -ENOMEM;
	list->flags = UDMABUF_FLAGS_CLOEXEC;
	list->count = count;
	memcpy(list->list, items, count * sizeof(*items));
	ret = xioctl(dev, UDMABUF_CREATE_LIST, list);
	free(list);
	return ret;
}

/* 0 when no page of the memfd is pinned or mapped for writing, else -EBUSY. */
static inline int seal_write(int memfd)
{
	return (int)sysret(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE));
}

#endif /* UDMABUF_TEST_H */
