// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hop: a picture file is read from an NVMe disk into a heap buffer by one call,
 * shown by vkms, and what vkms composed is written to the disk by another one.
 * The CPU copies neither.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "demo.h"

#define DISK_PLACE	"/tmp/disk"
#define DISK_NAMESPACE	2	/* with ext4: see NVME in scripts/boot-qemu.sh */
#define DISK_TIMEOUT_MS	10000

/* Namespaces get their names in any order. */
static int disk_find(char *node, size_t size)
{
	char path[64];
	FILE *file;
	int i, nsid;

	for (i = 1; i <= 8; i++) {
		snprintf(path, sizeof(path), "/sys/block/nvme0n%d/nsid", i);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%d", &nsid) != 1)
			nsid = 0;
		fclose(file);
		if (nsid == DISK_NAMESPACE) {
			snprintf(node, size, "/dev/nvme0n%d", i);
			return 0;
		}
	}
	return fail("there is no NVMe namespace %d", DISK_NAMESPACE);
}

static int disk_open(const char *name)
{
	char path[64];
	int file;

	snprintf(path, sizeof(path), DISK_PLACE "/%s", name);
	file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return file < 0 ? fail_errno(path) : file;
}

/* Straight, or not at all. */
static int disk_transfer(struct buffer *buffer, int file, __u32 direction)
{
	struct dma_buf_transfer transfer = {
		.fd = file,
		.flags = direction | DMA_BUF_TRANSFER_DIRECT,
		.length = FRAME_BYTES,
	};
	int moved = ioctl(buffer->fd, DMA_BUF_IOCTL_TRANSFER, &transfer);

	if (moved < 0)
		return fail_errno("DMA_BUF_IOCTL_TRANSFER");
	return moved == FRAME_BYTES ? 0 : fail("only %d bytes were moved", moved);
}

/* The picture file, on the disk and not only in the page cache. */
static int disk_prepare(struct demo *demo)
{
	int file = disk_open("picture.raw");

	if (file < 0)
		return -1;
	if (write(file, demo->bars, FRAME_BYTES) != FRAME_BYTES || fsync(file)) {
		close(file);
		return fail_errno("picture.raw");
	}
	posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
	return file;
}

static int disk_show(struct buffer *frame, struct buffer *composed)
{
	struct display *display = display_open();
	int flipped = -1, written = -1, ret = -1;
	__u32 fb, writeback;

	if (!display)
		return -1;
	if (!display_import(display, frame, &fb) &&
	    !display_import(display, composed, &writeback))
		ret = display_commit(display, fb, writeback, -1, &flipped, &written);
	if (!ret)
		ret = fence_wait(flipped, DISK_TIMEOUT_MS);
	if (!ret)
		ret = fence_wait(written, DISK_TIMEOUT_MS);
	if (flipped >= 0)
		close(flipped);
	if (written >= 0)
		close(written);
	display_close(display);
	return ret;
}

/* From one file through the display to the other, and compare that one. */
static int disk_travel(struct demo *demo, int picture, int result,
		       struct buffer *frame, struct buffer *composed)
{
	if (buffer_poison(frame) || buffer_poison(composed) ||
	    disk_transfer(frame, picture, DMA_BUF_TRANSFER_FROM_FILE) ||
	    disk_show(frame, composed) ||
	    demo_sabotage(demo, "disk", composed, FRAME_BYTES) ||
	    disk_transfer(composed, result, DMA_BUF_TRANSFER_TO_FILE))
		return -1;

	if (buffer_poison(frame) ||
	    disk_transfer(frame, result, DMA_BUF_TRANSFER_FROM_FILE))
		return -1;
	return buffer_compare(frame, demo->bars, FRAME_BYTES, MASK_COLOURS);
}

static int disk_mounted(struct demo *demo)
{
	struct buffer frame = BUFFER_NONE, composed = BUFFER_NONE;
	int picture = disk_prepare(demo), result = disk_open("composed.raw");
	int ret = -1;

	if (picture >= 0 && result >= 0 &&
	    !buffer_alloc(&frame, "system", FRAME_BYTES) &&
	    !buffer_alloc(&composed, "system", FRAME_BYTES))
		ret = disk_travel(demo, picture, result, &frame, &composed);
	buffer_drop(&frame);
	buffer_drop(&composed);
	if (picture >= 0)
		close(picture);
	if (result >= 0)
		close(result);
	return ret;
}

int hop_disk(struct demo *demo)
{
	char node[32];
	int ret;

	if (disk_find(node, sizeof(node)))
		return -1;
	mkdir(DISK_PLACE, 0700);
	if (mount(node, DISK_PLACE, "ext4", 0, NULL))
		return fail_errno(node);
	ret = disk_mounted(demo);
	if (umount(DISK_PLACE) && !ret)
		ret = fail_errno("umount");
	report_note("two transfers between ext4 and buffers, none copied");
	return ret;
}
