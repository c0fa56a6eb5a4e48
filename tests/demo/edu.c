// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hop: PCI devices behind an IOMMU fetch a frame that vivid has captured and
 * vkms has shown, and bring it into a buffer of the other heap, by bus-master
 * DMA, each its share. They wait for a fence of ours, and signal theirs from
 * their interrupts.
 *
 * Buffers make their writers take turns. These may work side by side, as their
 * shares do not overlap, so the copies are explicit ones, and it is the demo
 * that tells the buffers of all the fences, merged into one.
 */
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "demo.h"

/* A transfer takes the device a tenth of a second, whatever its size. */
#define EDU_HOP_TIMEOUT_MS	120000

#define SHARE_ALIGN		4096

/* The fence which a reader of the buffer has to wait for, from the buffer. */
static int edu_implicit_fence(struct buffer *buffer)
{
	struct dma_buf_export_sync_file export = {
		.flags = DMA_BUF_SYNC_READ,
	};

	if (ioctl(buffer->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export))
		return fail_errno("DMA_BUF_IOCTL_EXPORT_SYNC_FILE");
	return export.fd;
}

static int edu_hold_buffer(struct buffer *buffer, int fence, __u32 access)
{
	struct dma_buf_import_sync_file import = {
		.flags = access,
		.fd = fence,
	};

	if (ioctl(buffer->fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import))
		return fail_errno("DMA_BUF_IOCTL_IMPORT_SYNC_FILE");
	return 0;
}

/* One copy per engine; *@fence stands for all of them. */
static int edu_submit(struct demo *demo, struct engine *engines, int count,
		      int in_fence, int *fence)
{
	size_t share = (FRAME_BYTES / count + SHARE_ALIGN - 1) &
		       ~(size_t)(SHARE_ALIGN - 1);
	size_t offset = 0, bytes;
	int i, copied;

	for (i = 0; i < count && offset < FRAME_BYTES; i++) {
		bytes = FRAME_BYTES - offset < share ? FRAME_BYTES - offset :
						      share;
		if (engine_attach(&engines[i], demo->cma[0].fd, demo->moved.fd,
				  i % 2))
			return -1;
		copied = engine_copy(&engines[i], offset, bytes, in_fence);
		if (copied < 0 || fence_merge(fence, copied))
			return -1;
		offset += bytes;
	}
	if (offset < FRAME_BYTES)
		return fail("shares do not add up");

	if (edu_hold_buffer(&demo->cma[0], *fence, DMA_BUF_SYNC_READ) ||
	    edu_hold_buffer(&demo->moved, *fence, DMA_BUF_SYNC_WRITE))
		return -1;
	return 0;
}

/* With the IN fence pending nothing may have moved, and the buffer says so. */
static int edu_expect_held(struct demo *demo, int fence)
{
	int implicit, ready, ret;
	size_t i;

	if (fence_expect_pending(fence, "the edu device"))
		return -1;
	ready = buffer_ready(&demo->moved, POLLIN);
	if (ready)
		return ready < 0 ? -1 :
		       fail("the target is readable before the DMA is done");
	ready = buffer_ready(&demo->cma[0], POLLOUT);
	if (ready)
		return ready < 0 ? -1 :
		       fail("the source is writable before the DMA is done");
	implicit = edu_implicit_fence(&demo->moved);
	if (implicit < 0)
		return -1;
	ret = fence_expect_pending(implicit, "the target buffer");
	close(implicit);

	/* SYNC would wait for the very fence, so this is a look from outside. */
	for (i = 0; i < FRAME_BYTES / 4 && !ret; i++)
		if (demo->moved.words[i] != POISON)
			ret = fail("edu wrote before its IN fence signalled");
	return ret;
}

static int edu_move(struct demo *demo, struct engine *engines, int count,
		    struct timeline *timeline)
{
	int in_fence, fence = -1, ret;

	in_fence = timeline_fence(timeline);
	if (in_fence < 0)
		return -1;
	ret = edu_submit(demo, engines, count, in_fence, &fence);
	close(in_fence);
	if (!ret)
		ret = edu_expect_held(demo, fence);
	if (timeline_signal(timeline))
		ret = -1;
	if (!ret)
		ret = fence_wait(fence, EDU_HOP_TIMEOUT_MS);
	if (fence >= 0)
		close(fence);
	if (!ret && (buffer_ready(&demo->moved, POLLIN | POLLOUT) != 1 ||
		     buffer_ready(&demo->cma[0], POLLIN | POLLOUT) != 1))
		ret = fail("a buffer is busy after the DMA is done");
	return ret;
}

int hop_edu(struct demo *demo)
{
	struct engine engines[EDU_MAX_ENGINES];
	struct timeline timeline;
	int count, ret;

	if (buffer_alloc(&demo->moved, "system", FRAME_BYTES) ||
	    buffer_poison(&demo->moved))
		return -1;
	count = engines_open(engines);
	if (count < 0)
		return -1;

	ret = timeline_open(&timeline);
	if (!ret) {
		ret = edu_move(demo, engines, count, &timeline);
		close(timeline.fd);
	}
	engines_close(engines, count);

	if (!ret)
		ret = demo_sabotage(demo, "edu", &demo->moved, FRAME_BYTES);
	if (!ret)
		ret = buffer_compare(&demo->moved, demo->noise[0], FRAME_BYTES,
				     MASK_ALL);
	report_note("%d engines behind the IOMMU, fences from their interrupts",
		    count);
	return ret;
}
