// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hop: PCI devices behind an IOMMU fetch the composed frame and bring it into
 * a buffer of the other heap, by bus-master DMA, each its share. They wait for
 * a fence of ours, and signal theirs from their interrupts.
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

static int edu_submit(struct demo *demo, struct engine *engines, int count,
		      int in_fence, int *fences)
{
	size_t share = (FRAME_BYTES / count + SHARE_ALIGN - 1) &
		       ~(size_t)(SHARE_ALIGN - 1);
	size_t offset = 0, bytes;
	int i;

	for (i = 0; i < count && offset < FRAME_BYTES; i++) {
		bytes = FRAME_BYTES - offset < share ? FRAME_BYTES - offset :
						      share;
		if (engine_attach(&engines[i], demo->shown.fd, demo->moved.fd,
				  i % 2))
			return -1;
		fences[i] = engine_copy(&engines[i], offset, bytes, in_fence);
		if (fences[i] < 0)
			return -1;
		offset += bytes;
	}
	return offset < FRAME_BYTES ? fail("shares do not add up") : 0;
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
		       fail("the buffer is readable before the DMA is done");
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
	int fences[EDU_MAX_ENGINES];
	int in_fence, i, ret;

	for (i = 0; i < count; i++)
		fences[i] = -1;
	in_fence = timeline_fence(timeline);
	if (in_fence < 0)
		return -1;
	ret = edu_submit(demo, engines, count, in_fence, fences);
	close(in_fence);
	if (!ret)
		ret = edu_expect_held(demo, fences[0]);
	if (timeline_signal(timeline))
		ret = -1;

	for (i = 0; i < count; i++) {
		if (fences[i] < 0)
			continue;
		if (!ret)
			ret = fence_wait(fences[i], EDU_HOP_TIMEOUT_MS);
		close(fences[i]);
	}
	if (!ret && buffer_ready(&demo->moved, POLLIN | POLLOUT) != 1)
		ret = fail("the buffer is busy after the DMA is done");
	return ret;
}

int hop_edu(struct demo *demo)
{
	struct engine engines[EDU_MAX_ENGINES];
	struct timeline timeline;
	const char *heap = heap_cma();
	int count, ret;

	if (!heap || buffer_alloc(&demo->moved, heap, FRAME_BYTES) ||
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
		ret = buffer_compare(&demo->moved, demo->want, FRAME_BYTES,
				     MASK_COLOURS);
	if (!ret)
		ret = buffer_compare(&demo->moved, demo->shown.words,
				     FRAME_BYTES, MASK_ALL);
	report_note("%d engines behind the IOMMU, fences from their interrupts",
		    count);
	return ret;
}
