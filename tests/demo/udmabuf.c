// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hop: ordinary memory becomes a buffer (udmabuf of a memfd), vgem imports it
 * and fences it, and an edu device reads it by DMA.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm/drm.h>
#include <drm/vgem_drm.h>
#include <linux/udmabuf.h>

#include "demo.h"

/* What the edu device shall read: some pages, from the middle of a page on. */
#define DMA_OFFSET		(5 * 4096 + 2048)
#define DMA_BYTES		(3 * 4096)
#define DMA_TIMEOUT_MS		20000

static int memory_create(__u32 **words)
{
	int memfd = memfd_create("demo", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	void *map;

	if (memfd < 0)
		return fail_errno("memfd_create");
	if (ftruncate(memfd, FRAME_BYTES) ||
	    fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK)) {
		fail_errno("sealing a memfd");
		close(memfd);
		return -1;
	}
	map = mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memfd,
		   0);
	if (map == MAP_FAILED) {
		fail_errno("mmap of a memfd");
		close(memfd);
		return -1;
	}
	*words = map;
	return memfd;
}

static int memory_wrap(int memfd)
{
	struct udmabuf_create create = {
		.memfd = memfd,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = FRAME_BYTES,
	};
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	int fd;

	if (device < 0)
		return fail_errno("/dev/udmabuf");
	fd = ioctl(device, UDMABUF_CREATE, &create);
	if (fd < 0)
		fail_errno("UDMABUF_CREATE");
	close(device);
	return fd;
}

/* A fence of vgem holds up a poll of the buffer until it signals. */
static int vgem_fence(int vgem, __u32 handle, struct buffer *buffer)
{
	struct drm_vgem_fence_attach attach = {
		.handle = handle,
		.flags = VGEM_FENCE_WRITE,
	};
	struct drm_vgem_fence_signal signal = { 0 };

	if (buffer_ready(buffer, POLLIN | POLLOUT) != 1)
		return fail("a new udmabuf is busy");
	if (ioctl(vgem, DRM_IOCTL_VGEM_FENCE_ATTACH, &attach))
		return fail_errno("DRM_IOCTL_VGEM_FENCE_ATTACH");
	if (buffer_ready(buffer, POLLIN) != 0)
		return fail("the fence of vgem does not hold the buffer");
	signal.fence = attach.out_fence;
	if (ioctl(vgem, DRM_IOCTL_VGEM_FENCE_SIGNAL, &signal))
		return fail_errno("DRM_IOCTL_VGEM_FENCE_SIGNAL");
	if (buffer_ready(buffer, POLLIN | POLLOUT) != 1)
		return fail("the buffer is busy after vgem has signalled");
	return 0;
}

/* Both ways: memory seen through vgem's buffer, and the buffer in memory. */
static int vgem_compare(struct demo *demo, struct buffer *buffer,
			__u32 *words)
{
	static __u32 inverse[FRAME_BYTES / 4];
	size_t i;

	memcpy(words, demo->noise[0], FRAME_BYTES);
	if (demo_sabotage(demo, "udmabuf", buffer, FRAME_BYTES) ||
	    buffer_compare(buffer, demo->noise[0], FRAME_BYTES, MASK_ALL))
		return -1;

	for (i = 0; i < FRAME_BYTES / 4; i++)
		inverse[i] = ~demo->noise[0][i];
	if (buffer_write(buffer, inverse, FRAME_BYTES))
		return -1;
	if (memcmp(words, inverse, FRAME_BYTES))
		return fail("MISMATCH: the memfd has not what was written to its buffer");

	memcpy(words, demo->noise[0], FRAME_BYTES);
	return 0;
}

/* Some of it by DMA into a heap buffer: that, and not a byte more. */
static int udmabuf_dma(struct demo *demo, struct buffer *buffer)
{
	static __u32 want[FRAME_BYTES / 4];
	struct engine engines[EDU_MAX_ENGINES];
	struct buffer target = BUFFER_NONE;
	int count, fence, ret = -1;
	size_t i;

	for (i = 0; i < FRAME_BYTES / 4; i++)
		want[i] = POISON;
	memcpy(want + DMA_OFFSET / 4, demo->noise[0] + DMA_OFFSET / 4,
	       DMA_BYTES);

	count = engines_open(engines);
	if (count < 0)
		return -1;
	if (!buffer_alloc(&target, "system", FRAME_BYTES) &&
	    !buffer_poison(&target) &&
	    !engine_attach(engines, buffer->fd, target.fd, true)) {
		fence = engine_copy(engines, DMA_OFFSET, DMA_BYTES, -1);
		if (fence >= 0) {
			ret = fence_wait(fence, DMA_TIMEOUT_MS);
			close(fence);
		}
	}
	engines_close(engines, count);
	if (!ret)
		ret = buffer_compare(&target, want, FRAME_BYTES, MASK_ALL);
	buffer_drop(&target);
	return ret;
}

static int udmabuf_share(struct demo *demo, struct buffer *buffer,
			 __u32 *words)
{
	struct buffer again = BUFFER_NONE;
	__u32 handle;
	int vgem, fd, ret;

	vgem = drm_open("vgem");
	if (vgem < 0)
		return -1;
	ret = drm_import(vgem, buffer->fd, &handle);
	if (ret)
		goto out;
	ret = vgem_fence(vgem, handle, buffer);
	if (!ret) {
		fd = drm_export(vgem, handle);
		ret = fd < 0 ? -1 : buffer_adopt(&again, fd, FRAME_BYTES);
	}
	if (!ret)
		ret = vgem_compare(demo, &again, words);
	buffer_drop(&again);
	drm_release(vgem, handle);
	if (!ret)
		ret = udmabuf_dma(demo, buffer);
	if (!ret)
		ret = buffer_compare(buffer, demo->noise[0], FRAME_BYTES,
				     MASK_ALL);
out:
	close(vgem);
	return ret;
}

int hop_udmabuf(struct demo *demo)
{
	struct buffer buffer = BUFFER_NONE;
	__u32 *words = NULL;
	int memfd, fd, ret;

	memfd = memory_create(&words);
	if (memfd < 0)
		return -1;
	fd = memory_wrap(memfd);
	ret = fd < 0 ? -1 : buffer_adopt(&buffer, fd, FRAME_BYTES);
	if (!ret)
		ret = udmabuf_share(demo, &buffer, words);
	buffer_drop(&buffer);
	munmap(words, FRAME_BYTES);
	close(memfd);
	report_note("memfd as a buffer, through vgem and edu");
	return ret;
}
