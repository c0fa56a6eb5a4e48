/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers of each exporter that a guest may have, for programs whose tests are
 * the same for all of them.
 */
#ifndef EXPORTERS_H
#define EXPORTERS_H

#include "udmabuf_test.h"

enum exporter { SYSTEM, CMA, UDMABUF, VGEM };

static inline int udmabuf_new(size_t size)
{
	int dev, memfd, fd = -ENODEV;

	dev = xopen(UDMABUF_NODE, O_RDWR);
	if (dev < 0)
		return dev;
	memfd = memfd_good(size);
	if (memfd >= 0) {
		fd = create(dev, memfd, 0, size);
		close(memfd);
	}
	close(dev);
	return fd;
}

static inline int vgem_new(size_t size)
{
	int dev = importer_open(), handle, fd = -ENODEV;

	if (dev < 0)
		return dev;
	handle = importer_create(dev, (__u32)(size / page_size()));
	if (handle >= 0) {
		fd = importer_export(dev, handle);
		importer_close(dev, handle);
	}
	close(dev);
	return fd;
}

static inline int buffer_new(enum exporter exporter, size_t size)
{
	switch (exporter) {
	case SYSTEM:
		return heap_alloc_from("system", size);
	case CMA:
		return heap_alloc_from("default_cma_region", size);
	case UDMABUF:
		return udmabuf_new(size);
	default:
		return vgem_new(size);
	}
}

#endif /* EXPORTERS_H */
