// SPDX-License-Identifier: GPL-2.0-only
/*
 * The camera: vivid captures frames into buffers of a heap. What a still one
 * must look like is learnt first, from a frame in vivid's own memory, so that
 * the comparison needs no dma-buf to be right. Noise is another one in each
 * frame: there it is seen whether every word was written, and written anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/videodev2.h>

#include "demo.h"

#define MAX_NODES		64
#define FRAME_TIMEOUT_MS	10000

/* Controls of vivid, as "v4l2-ctl --list-ctrls" names them. */
#define VIVID_CLASS		0x00f00000
#define VIVID_TEST_PATTERN	(VIVID_CLASS + 0xf000)
#define VIVID_OSD_TEXT_MODE	(VIVID_CLASS + 0xf001)
#define VIVID_SHOW_BORDER	(VIVID_CLASS + 0xf004)
#define OSD_TEXT_NONE		2

enum pattern {
	PATTERN_COLOURBAR = 0,
	PATTERN_NOISE = 21,
};

enum allocator {
	ALLOCATOR_VMALLOC,
	ALLOCATOR_DMA_CONTIG,
};

static int camera_control(int camera, __u32 id, __s32 value)
{
	struct v4l2_control control = { .id = id, .value = value };

	if (ioctl(camera, VIDIOC_S_CTRL, &control))
		return fail_errno("VIDIOC_S_CTRL");
	return 0;
}

static bool camera_is(int camera, const char *bus)
{
	struct v4l2_capability cap = { 0 };

	return !ioctl(camera, VIDIOC_QUERYCAP, &cap) &&
	       !strcmp((const char *)cap.driver, "vivid") &&
	       !strcmp((const char *)cap.bus_info, bus) &&
	       (cap.device_caps & V4L2_CAP_VIDEO_CAPTURE);
}

static int camera_find(unsigned int instance)
{
	char bus[32], path[32];
	int camera, i;

	snprintf(bus, sizeof(bus), "platform:vivid-%03u", instance);
	for (i = 0; i < MAX_NODES; i++) {
		snprintf(path, sizeof(path), "/dev/video%d", i);
		camera = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (camera < 0)
			continue;
		if (camera_is(camera, bus))
			return camera;
		close(camera);
	}
	return fail("%s: no such capture device", bus);
}

/* What vivid was told at boot; a wrong allocator would prove nothing. */
static int camera_allocator(unsigned int instance, enum allocator want)
{
	static const char path[] = "/sys/module/vivid/parameters/allocators";
	char text[256], *word = text;
	FILE *file = fopen(path, "re");
	unsigned int i;

	if (!file || !fgets(text, sizeof(text), file)) {
		if (file)
			fclose(file);
		return fail("%s: cannot be read", path);
	}
	fclose(file);

	for (i = 0; i < instance && word; i++) {
		word = strchr(word, ',');
		word = word ? word + 1 : NULL;
	}
	if (!word || strtoul(word, NULL, 0) != want)
		return fail("vivid.allocators does not say %d for instance %u",
			    want, instance);
	return 0;
}

static int camera_format(int camera)
{
	struct v4l2_format format = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.fmt.pix = {
			.width = FRAME_WIDTH,
			.height = FRAME_HEIGHT,
			.pixelformat = V4L2_PIX_FMT_XBGR32,
			.field = V4L2_FIELD_NONE,
		},
	};

	if (ioctl(camera, VIDIOC_S_FMT, &format))
		return fail_errno("VIDIOC_S_FMT");
	if (format.fmt.pix.width != FRAME_WIDTH ||
	    format.fmt.pix.height != FRAME_HEIGHT ||
	    format.fmt.pix.bytesperline != FRAME_PITCH ||
	    format.fmt.pix.sizeimage != FRAME_BYTES ||
	    format.fmt.pix.pixelformat != V4L2_PIX_FMT_XBGR32)
		return fail("vivid does not give %dx%d in XRGB8888",
			    FRAME_WIDTH, FRAME_HEIGHT);
	return 0;
}

/* Text in the picture would be another one in each frame. */
static int camera_open(unsigned int instance, enum allocator allocator)
{
	int camera;

	if (camera_allocator(instance, allocator))
		return -1;
	camera = camera_find(instance);
	if (camera < 0)
		return -1;
	if (camera_format(camera) ||
	    camera_control(camera, VIVID_OSD_TEXT_MODE, OSD_TEXT_NONE) ||
	    camera_control(camera, VIVID_SHOW_BORDER, 1)) {
		close(camera);
		return -1;
	}
	return camera;
}

static int camera_request(int camera, enum v4l2_memory memory,
			  unsigned int count)
{
	struct v4l2_requestbuffers request = {
		.count = count,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = memory,
	};

	if (ioctl(camera, VIDIOC_REQBUFS, &request))
		return fail_errno("VIDIOC_REQBUFS");
	if (request.count < count)
		return fail("VIDIOC_REQBUFS gives %u of %u", request.count,
			    count);
	return 0;
}

static int camera_queue(int camera, enum v4l2_memory memory,
			unsigned int index, int fd)
{
	struct v4l2_buffer buffer = {
		.index = index,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = memory,
	};

	if (memory == V4L2_MEMORY_DMABUF)
		buffer.m.fd = fd;
	if (ioctl(camera, VIDIOC_QBUF, &buffer))
		return fail_errno("VIDIOC_QBUF");
	return 0;
}

static int camera_stream(int camera, bool on)
{
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;

	if (ioctl(camera, on ? VIDIOC_STREAMON : VIDIOC_STREAMOFF, &type))
		return fail_errno(on ? "VIDIOC_STREAMON" : "VIDIOC_STREAMOFF");
	return 0;
}

static int camera_dequeue(int camera, enum v4l2_memory memory)
{
	struct pollfd pollfd = { .fd = camera, .events = POLLIN };
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = memory,
	};

	if (poll(&pollfd, 1, FRAME_TIMEOUT_MS) <= 0)
		return fail("no frame in %d ms", FRAME_TIMEOUT_MS);
	if (ioctl(camera, VIDIOC_DQBUF, &buffer))
		return fail_errno("VIDIOC_DQBUF");
	if (buffer.flags & V4L2_BUF_FLAG_ERROR)
		return fail("vivid calls its frame %u broken", buffer.sequence);
	if (buffer.bytesused != FRAME_BYTES)
		return fail("frame %u has %u bytes", buffer.sequence,
			    buffer.bytesused);
	return 0;
}

/* One frame in vivid's own memory, copied from there. */
static int camera_reference(int camera, __u32 *want)
{
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_MMAP,
	};
	void *map;
	int ret;

	if (camera_request(camera, V4L2_MEMORY_MMAP, 1))
		return -1;
	if (ioctl(camera, VIDIOC_QUERYBUF, &buffer))
		return fail_errno("VIDIOC_QUERYBUF");
	map = mmap(NULL, FRAME_BYTES, PROT_READ, MAP_SHARED, camera,
		   buffer.m.offset);
	if (map == MAP_FAILED)
		return fail_errno("mmap of a frame");

	ret = camera_queue(camera, V4L2_MEMORY_MMAP, 0, -1);
	if (!ret)
		ret = camera_stream(camera, true);
	if (!ret)
		ret = camera_dequeue(camera, V4L2_MEMORY_MMAP);
	if (!ret)
		memcpy(want, map, FRAME_BYTES);
	if (camera_stream(camera, false))
		ret = -1;
	munmap(map, FRAME_BYTES);
	if (camera_request(camera, V4L2_MEMORY_MMAP, 0))
		ret = -1;
	return ret;
}

/* All buffers at once, and then all frames. */
static int camera_capture(int camera, struct buffer *buffers,
			  unsigned int count)
{
	unsigned int i;
	int ret;

	ret = camera_request(camera, V4L2_MEMORY_DMABUF, count);
	for (i = 0; i < count && !ret; i++) {
		ret = buffer_poison(&buffers[i]);
		if (!ret)
			ret = camera_queue(camera, V4L2_MEMORY_DMABUF, i,
					   buffers[i].fd);
	}
	if (!ret)
		ret = camera_stream(camera, true);
	for (i = 0; i < count && !ret; i++)
		ret = camera_dequeue(camera, V4L2_MEMORY_DMABUF);

	/* Also gives the buffers back when something has failed. */
	if (camera_stream(camera, false))
		ret = -1;
	if (camera_request(camera, V4L2_MEMORY_DMABUF, 0))
		ret = -1;
	return ret;
}

static int camera_shoot_bars(struct demo *demo, int camera,
			     struct buffer *buffers, const char *hop)
{
	unsigned int i;

	if (camera_control(camera, VIVID_TEST_PATTERN, PATTERN_COLOURBAR) ||
	    camera_reference(camera, demo->bars) ||
	    camera_capture(camera, buffers, demo->frames) ||
	    demo_sabotage(demo, hop, &buffers[demo->frames - 1], FRAME_BYTES))
		return -1;

	for (i = 0; i < demo->frames; i++)
		if (buffer_compare(&buffers[i], demo->bars, FRAME_BYTES,
				   MASK_ALL))
			return -1;
	return 0;
}

/* Vivid leaves the fourth byte at zero, so no pixel of its looks like poison. */
static int camera_check_noise(struct demo *demo, unsigned int index)
{
	const __u32 *words = demo->noise[index];
	size_t i;

	for (i = 0; i < FRAME_BYTES / 4; i++)
		if (words[i] & ~MASK_COLOURS)
			return fail("MISMATCH at byte %zu: vivid wrote no %08x",
				    i * 4, words[i]);
	if (index && !memcmp(words, demo->noise[index - 1], FRAME_BYTES))
		return fail("MISMATCH: two frames of noise are the same");
	return 0;
}

static int camera_shoot_noise(struct demo *demo, int camera,
			      struct buffer *buffers)
{
	unsigned int i;

	if (camera_control(camera, VIVID_TEST_PATTERN, PATTERN_NOISE) ||
	    camera_capture(camera, buffers, demo->frames))
		return -1;

	for (i = 0; i < demo->frames; i++)
		if (buffer_read(&buffers[i], demo->noise[i], FRAME_BYTES) ||
		    camera_check_noise(demo, i))
			return -1;
	return 0;
}

static int camera_open_with(struct demo *demo, unsigned int instance,
			    enum allocator allocator, struct buffer *buffers,
			    const char *heap)
{
	unsigned int i;

	if (!heap)
		return -1;
	for (i = 0; i < demo->frames; i++)
		if (buffer_alloc(&buffers[i], heap, FRAME_BYTES))
			return -1;
	report_note("%u frames into heap \"%s\"", 2 * demo->frames, heap);
	return camera_open(instance, allocator);
}

/* Two patterns each time, so that yesterday's frame is a mismatch. */
int hop_capture_system(struct demo *demo)
{
	int camera, ret;

	camera = camera_open_with(demo, 0, ALLOCATOR_VMALLOC, demo->system,
				  "system");
	if (camera < 0)
		return -1;
	ret = camera_shoot_noise(demo, camera, demo->system);
	if (!ret)
		ret = camera_shoot_bars(demo, camera, demo->system,
					"capture-system");
	close(camera);
	return ret;
}

int hop_capture_cma(struct demo *demo)
{
	int camera, ret;

	camera = camera_open_with(demo, 1, ALLOCATOR_DMA_CONTIG, demo->cma,
				  heap_cma());
	if (camera < 0)
		return -1;
	ret = camera_shoot_bars(demo, camera, demo->cma, "capture-cma");
	if (!ret)
		ret = camera_shoot_noise(demo, camera, demo->cma);
	close(camera);
	return ret;
}
