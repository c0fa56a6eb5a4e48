// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapped heap buffers as V4L2's USERPTR: a driver pins the memory for long, for
 * reading when it puts a picture out, for writing when it captures one.
 *
 * Needs the test driver vivid; skipped where there is none.
 */
#include "dma_buf_test.h"

#include <linux/videodev2.h>

#define MAX_NODES	32

FIXTURE(userptr) {
	int heap;
	int video;
	int buffer;
	size_t size;
	void *mem;
};

FIXTURE_VARIANT(userptr) {
	const char *heap;
	__u32 type;
	__u32 capability;
	/* The pages have been read, or written, by the program before. */
	bool touched;
	int ret;
};

FIXTURE_VARIANT_ADD(userptr, system_out) {
	"system", V4L2_BUF_TYPE_VIDEO_OUTPUT, V4L2_CAP_VIDEO_OUTPUT, true, 0
};

FIXTURE_VARIANT_ADD(userptr, system_in) {
	"system", V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_CAP_VIDEO_CAPTURE, true, 0
};

FIXTURE_VARIANT_ADD(userptr, system_out_untouched) {
	"system", V4L2_BUF_TYPE_VIDEO_OUTPUT, V4L2_CAP_VIDEO_OUTPUT, false, 0
};

FIXTURE_VARIANT_ADD(userptr, cma_out) {
	"default_cma_region", V4L2_BUF_TYPE_VIDEO_OUTPUT, V4L2_CAP_VIDEO_OUTPUT, true, -EFAULT
};

FIXTURE_VARIANT_ADD(userptr, cma_in) {
	"default_cma_region", V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_CAP_VIDEO_CAPTURE, true, -EFAULT
};

FIXTURE_VARIANT_ADD(userptr, cma_out_untouched) {
	"default_cma_region", V4L2_BUF_TYPE_VIDEO_OUTPUT, V4L2_CAP_VIDEO_OUTPUT, false, -EFAULT
};

FIXTURE_VARIANT_ADD(userptr, cma_in_untouched) {
	"default_cma_region", V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_CAP_VIDEO_CAPTURE, false, -EFAULT
};

/* A node of vivid for this direction that takes USERPTR, or -ENODEV. */
static int video_open(__u32 capability, __u32 type, size_t *size)
{
	char path[32];

	for (int i = 0; i < MAX_NODES; i++) {
		struct v4l2_requestbuffers req = {
			.count = 2, .type = type, .memory = V4L2_MEMORY_USERPTR,
		};
		struct v4l2_format format = { .type = type };
		struct v4l2_capability cap = {};
		int fd;

		snprintf(path, sizeof(path), "/dev/video%d", i);
		fd = xopen(path, O_RDWR | O_NONBLOCK);
		if (fd < 0)
			continue;
		if (!xioctl(fd, VIDIOC_QUERYCAP, &cap) &&
		    !strcmp((char *)cap.driver, "vivid") &&
		    cap.device_caps & capability &&
		    !xioctl(fd, VIDIOC_G_FMT, &format) &&
		    !xioctl(fd, VIDIOC_REQBUFS, &req)) {
			*size = format.fmt.pix.sizeimage;
			return fd;
		}
		close(fd);
	}
	return -ENODEV;
}

FIXTURE_SETUP(userptr)
{
	self->heap = heap_open(variant->heap);
	if (self->heap < 0)
		SKIP(return, "no heap named %s", variant->heap);
	self->video = video_open(variant->capability, variant->type, &self->size);
	if (self->video < 0)
		SKIP(return, "no device of vivid that takes USERPTR");
	ASSERT_GIVES(self->buffer, heap_alloc(self->heap, self->size));
	ASSERT_EQ(0, map_rw(self->buffer, self->size, &self->mem));
}

FIXTURE_TEARDOWN(userptr)
{
	if (!self->mem)
		return;
	close(self->video);
	munmap(self->mem, self->size);
	close(self->buffer);
	close(self->heap);
}

/* Queued, or refused; what is refused is answered, and no page is lost. */
TEST_F(userptr, is_queued_or_refused)
{
	for (__u32 i = 0; i < 2; i++) {
		struct v4l2_buffer buf = {
			.index = i,
			.type = variant->type,
			.memory = V4L2_MEMORY_USERPTR,
			.m.userptr = (unsigned long)self->mem,
			.length = (__u32)self->size,
			.bytesused = (__u32)self->size,
		};

		if (variant->touched)
			pattern_fill(self->mem, self->size, 1);
		EXPECT_EQ(variant->ret, xioctl(self->video, VIDIOC_QBUF, &buf));
	}
	/* As drivers do which are asked to hand a buffer out at once. */
	if (variant->touched)
		EXPECT_EQ(self->size, pattern_check(self->mem, self->size, 1));
}

TEST_HARNESS_MAIN
