// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA engines: QEMU's edu devices with our importer, all those that there are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../lab/edu_uapi.h"
#include "demo.h"

/* Opens up to EDU_MAX_ENGINES and says how many. */
int engines_open(struct engine *engines)
{
	struct dmabuf_edu_info info;
	char path[32];
	int count = 0, i, fd;

	for (i = 0; i < EDU_MAX_ENGINES; i++) {
		snprintf(path, sizeof(path), "/dev/dmabuf_edu%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		engines[count++].fd = fd;
		if (ioctl(fd, DMABUF_EDU_INFO, &info)) {
			fail_errno("DMABUF_EDU_INFO");
			goto err_close;
		}
		if (!(info.flags & DMABUF_EDU_INFO_IOMMU)) {
			fail("%s is not behind an IOMMU", path);
			goto err_close;
		}
	}
	return count ? count : fail("there is no /dev/dmabuf_edu0");

err_close:
	engines_close(engines, count);
	return -1;
}

/* Closing a descriptor ends its copies and drops its attachments. */
void engines_close(struct engine *engines, int count)
{
	while (count > 0)
		close(engines[--count].fd);
}

static int engine_attach_one(struct engine *engine, int fd, bool dynamic,
			     __u32 *handle)
{
	struct dmabuf_edu_attach attach = {
		.fd = fd,
		.flags = dynamic ? DMABUF_EDU_ATTACH_DYNAMIC : 0,
	};

	if (ioctl(engine->fd, DMABUF_EDU_ATTACH, &attach))
		return fail_errno("DMABUF_EDU_ATTACH");
	*handle = attach.handle;
	return 0;
}

int engine_attach(struct engine *engine, int src, int dst, bool dynamic)
{
	if (engine_attach_one(engine, src, dynamic, &engine->src) ||
	    engine_attach_one(engine, dst, dynamic, &engine->dst))
		return -1;
	return 0;
}

/*
 * Same offset on both sides. Neither waits for other users of the buffers nor
 * holds them; that is for the caller, with the fence that this returns.
 */
int engine_copy(struct engine *engine, size_t offset, size_t bytes,
		int in_fence)
{
	struct dmabuf_edu_copy copy = {
		.src = engine->src,
		.dst = engine->dst,
		.src_offset = offset,
		.dst_offset = offset,
		.length = bytes,
		.in_fence = in_fence,
		.flags = DMABUF_EDU_COPY_EXPLICIT,
	};

	if (ioctl(engine->fd, DMABUF_EDU_COPY, &copy))
		return fail_errno("DMABUF_EDU_COPY");
	return copy.out_fence;
}
