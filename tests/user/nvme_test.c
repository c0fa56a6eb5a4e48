// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA_BUF_IOCTL_TRANSFER between buffers and an NVMe disk: the block device itself,
 * ext4 and xfs. The disk is called "dmabuf" and has a namespace for each, 1 to 3,
 * whose content is lost. NVME=1 in the environment of scripts/boot-qemu.sh
 * provides it.
 */
#include "exporters.h"
#include "sys_file.h"

#include <sys/mount.h>
#include <sys/stat.h>

#define SEED	3
#define SIZE	((size_t)5 << 20)
#define FROM	DMA_BUF_TRANSFER_FROM_FILE
#define TO	DMA_BUF_TRANSFER_TO_FILE
#define DIRECT	DMA_BUF_TRANSFER_DIRECT
#define PLACE	"/tmp/nvme_test"

struct disk {
	int nsid;
	const char *type;	/* of the file system, NULL for none */
};

static const struct disk raw = { 1, NULL }, ext4 = { 2, "ext4" }, xfs = { 3, "xfs" };

/* Write the path of the node to @node. Namespaces get their names in any order. */
static int disk_find(const struct disk *disk, char *node, size_t size)
{
	char path[64], serial[64];
	int i;

	if (file_read("/sys/class/nvme/nvme0/serial", serial, sizeof(serial)) < 0 ||
	    strncmp(serial, "dmabuf", 6))
		return -ENOENT;
	for (i = 1; i <= 3; i++) {
		snprintf(path, sizeof(path), "/sys/block/nvme0n%d/nsid", i);
		if (file_read_number(path, NULL) != disk->nsid)
			continue;
		snprintf(node, size, "/dev/nvme0n%d", i);
		return 0;
	}
	return -ENOENT;
}

static int disk_mount(const struct disk *disk)
{
	char node[32];
	int ret = disk_find(disk, node, sizeof(node));

	if (ret)
		return ret;
	mkdir(PLACE, 0700);
	return (int)sysret(mount(node, PLACE, disk->type, 0, NULL));
}

FIXTURE(nvme) {
	int fd;
	int file;
	int direct;		/* the same file, opened O_DIRECT */
	unsigned char *bytes;
	bool mounted;
	long buffers;
};

FIXTURE_VARIANT(nvme) {
	enum exporter exporter;
	const struct disk *disk;
};

FIXTURE_VARIANT_ADD(nvme, system_raw) { SYSTEM, &raw };
FIXTURE_VARIANT_ADD(nvme, system_ext4) { SYSTEM, &ext4 };
FIXTURE_VARIANT_ADD(nvme, system_xfs) { SYSTEM, &xfs };
FIXTURE_VARIANT_ADD(nvme, cma_raw) { CMA, &raw };
FIXTURE_VARIANT_ADD(nvme, cma_ext4) { CMA, &ext4 };
FIXTURE_VARIANT_ADD(nvme, udmabuf_raw) { UDMABUF, &raw };
FIXTURE_VARIANT_ADD(nvme, udmabuf_xfs) { UDMABUF, &xfs };

FIXTURE_SETUP(nvme)
{
	const struct disk *disk = variant->disk;
	char path[32] = PLACE "/file";
	int ret;

	self->fd = -1;
	self->file = -1;
	self->direct = -1;
	self->bytes = malloc(SIZE);
	self->mounted = false;
	self->buffers = count_buffers();
	if (disk->type)
		ret = disk_mount(disk);
	else
		ret = disk_find(disk, path, sizeof(path));
	if (ret == -ENOENT)
		SKIP(return, "no such disk");
	ASSERT_EQ(0, ret);
	self->mounted = disk->type;
	self->fd = buffer_new(variant->exporter, SIZE);
	if (self->fd == -ENOENT || self->fd == -ENODEV)
		SKIP(return, "no such exporter");
	ASSERT_LE(0, self->fd);
	self->file = open(path, O_RDWR | O_CLOEXEC | (disk->type ? O_CREAT | O_TRUNC : 0), 0600);
	self->direct = open(path, O_RDWR | O_CLOEXEC | O_DIRECT);
	ASSERT_LE(0, self->file);
	ASSERT_LE(0, self->direct);
}

FIXTURE_TEARDOWN(nvme)
{
	free(self->bytes);
	if (self->file >= 0)
		close(self->file);
	if (self->direct >= 0)
		close(self->direct);
	if (self->fd >= 0)
		close(self->fd);
	if (self->mounted) {
		unlink(PLACE "/file");
		EXPECT_EQ(0, umount(PLACE));
	}
	EXPECT_TRUE(buffers_settle(self->buffers));
}

/* What is on the disk, whatever the page cache has. */
static bool disk_has(int direct, void *bytes, size_t at, size_t len, unsigned int seed)
{
	void *aligned = NULL;
	bool same;

	if (posix_memalign(&aligned, 4096, len))
		return false;
	same = pread(direct, aligned, len, (off_t)at) == (ssize_t)len;
	pattern_fill(bytes, len, seed);
	same = same && !memcmp(aligned, bytes, len);
	free(aligned);
	return same;
}

TEST_F(nvme, straight_both_ways)
{
	ASSERT_EQ(0, dmabuf_fill(self->fd, SIZE, SEED));
	ASSERT_EQ((long)SIZE, dmabuf_transfer(self->fd, self->file, TO | DIRECT, 0, 0, SIZE));
	EXPECT_TRUE(disk_has(self->direct, self->bytes, 0, SIZE, SEED));

	ASSERT_EQ(0, dmabuf_fill(self->fd, SIZE, SEED + 1));
	ASSERT_EQ((long)SIZE, dmabuf_transfer(self->fd, self->direct, FROM, 0, 0, SIZE));
	EXPECT_EQ(0, dmabuf_verify(self->fd, SIZE, SEED));
}

/* What reads the buffer afterwards waits for the bytes by the fence they left. */
TEST_F(nvme, out_fences)
{
	int out;

	ASSERT_EQ(0, dmabuf_fill(self->fd, SIZE, SEED));
	ASSERT_EQ((long)SIZE, dmabuf_transfer(self->fd, self->file, TO | DIRECT, 0, 0, SIZE));
	ASSERT_EQ(0, dmabuf_fill(self->fd, SIZE, SEED + 1));
	ASSERT_EQ((long)SIZE, dmabuf_transfer_out(self->fd, self->file, FROM, SIZE, &out));
	EXPECT_EQ((ssize_t)SIZE, pread(self->fd, self->bytes, SIZE, 0));
	EXPECT_EQ(SIZE, pattern_check(self->bytes, SIZE, SEED));
	EXPECT_EQ(1, sync_file_status(out));
	close(out);

	ASSERT_EQ(0, dmabuf_fill(self->fd, SIZE, SEED + 2));
	if (variant->disk->type) {
		EXPECT_REFUSED(EOPNOTSUPP,
			       dmabuf_transfer_out(self->fd, self->file, TO, SIZE, &out));
		return;
	}
	ASSERT_EQ((long)SIZE, dmabuf_transfer_out(self->fd, self->file, TO, SIZE, &out));
	/* Not to be written before it has been read. */
	ASSERT_EQ(0, dmabuf_fill(self->fd, SIZE, SEED + 3));
	EXPECT_EQ(1, sync_file_status(out));
	close(out);
	EXPECT_TRUE(disk_has(self->direct, self->bytes, 0, SIZE, SEED + 2));
}

/* The head and the tail go through the page cache. */
TEST_F(nvme, not_aligned)
{
	size_t len = SIZE - 1000 - 100;

	ASSERT_EQ(0, dmabuf_fill(self->fd, SIZE, SEED));
	ASSERT_EQ((long)SIZE, dmabuf_transfer(self->fd, self->file, TO, 0, 0, SIZE));
	ASSERT_EQ(0, dmabuf_fill(self->fd, SIZE, SEED));
	ASSERT_EQ((long)len, dmabuf_transfer(self->fd, self->file, FROM, 1000, 1000, len));
	EXPECT_EQ(0, dmabuf_verify(self->fd, SIZE, SEED));
	ASSERT_EQ((long)len, dmabuf_transfer(self->fd, self->file, TO, 1000, 1000, len));
	ASSERT_EQ(0, fsync(self->file));
	EXPECT_TRUE(disk_has(self->direct, self->bytes, 0, SIZE, SEED));
	EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, self->direct, FROM, 1000, 1000, len));
	EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, self->file, FROM | DIRECT, 1000, 1000,
					       len));
}

/* What the page cache has and the disk has not is what a transfer gets. */
TEST_F(nvme, the_page_cache_agrees)
{
	size_t len = 1 << 20;

	ASSERT_EQ(0, dmabuf_fill(self->fd, SIZE, SEED));
	ASSERT_EQ((long)SIZE, dmabuf_transfer(self->fd, self->file, TO, 0, 0, SIZE));
	ASSERT_EQ((ssize_t)len, pread(self->file, self->bytes, len, 0));
	EXPECT_EQ(len, pattern_check(self->bytes, len, SEED));

	pattern_fill(self->bytes, len, SEED + 1);
	ASSERT_EQ((ssize_t)len, pwrite(self->file, self->bytes, len, 0));
	ASSERT_EQ((long)len, dmabuf_transfer(self->fd, self->file, FROM, 0, 0, len));
	EXPECT_EQ(0, dmabuf_verify(self->fd, len, SEED + 1));

	ASSERT_EQ(0, dmabuf_fill(self->fd, len, SEED + 2));
	ASSERT_EQ((long)len, dmabuf_transfer(self->fd, self->file, TO, 0, 0, len));
	ASSERT_EQ((ssize_t)len, pread(self->file, self->bytes, len, 0));
	EXPECT_EQ(len, pattern_check(self->bytes, len, SEED + 2));
}

/* An importer has the buffer while the disk writes to it. */
TEST_F(nvme, an_importer_is_attached)
{
	int dev = importer_open(), handle;

	if (dev < 0)
		SKIP(return, "no vgem");
	if (!access("/sys/kernel/debug/dma-api", F_OK)) {
		close(dev);
		SKIP(return, "DMA API debugging reports memory that two devices have mapped");
	}
	ASSERT_GIVES(handle, importer_import(dev, self->fd));
	ASSERT_EQ(0, dmabuf_fill(self->fd, SIZE, SEED));
	ASSERT_EQ((long)SIZE, dmabuf_transfer(self->fd, self->file, TO, 0, 0, SIZE));
	ASSERT_EQ(0, dmabuf_fill(self->fd, SIZE, SEED + 1));
	ASSERT_EQ((long)SIZE, dmabuf_transfer(self->fd, self->file, FROM, 0, 0, SIZE));
	EXPECT_EQ(0, dmabuf_verify(self->fd, SIZE, SEED));
	importer_close(dev, handle);
	close(dev);
}

/* ------------------------------------------------------- a disk that goes -- */

/* The last one, as there is no disk any more afterwards. */
FIXTURE(gone) {
	int fd;
	int node;
	int file;
};

FIXTURE_SETUP(gone)
{
	char node[32];

	self->fd = -1;
	self->node = -1;
	self->file = -1;
	if (disk_find(&raw, node, sizeof(node)))
		SKIP(return, "no such disk");
	ASSERT_GIVES(self->node, xopen(node, O_RDWR));
	ASSERT_EQ(0, disk_mount(&ext4));
	self->file = open(PLACE "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, self->file);
	ASSERT_GIVES(self->fd, heap_alloc_from("system", SIZE));
}

FIXTURE_TEARDOWN(gone)
{
	close(self->fd);
	close(self->file);
	close(self->node);
	umount(PLACE);
}

/* A file system has its file still, a block device is empty: as read(2) finds it. */
TEST_F(gone, errors_of_a_disk_that_is_gone)
{
	int sysfs;
	char byte;
	long got;

	ASSERT_EQ((long)SIZE, dmabuf_transfer(self->fd, self->file, TO | DIRECT, 0, 0, SIZE));
	ASSERT_EQ((long)SIZE, dmabuf_transfer(self->fd, self->node, FROM | DIRECT, 0, 0, SIZE));
	ASSERT_GIVES(sysfs, xopen("/sys/class/nvme/nvme0/device/remove", O_WRONLY));
	ASSERT_EQ(1, write(sysfs, "1", 1));
	close(sysfs);

	EXPECT_REFUSED(EIO, dmabuf_transfer(self->fd, self->file, FROM | DIRECT, 0, 0, SIZE));
	EXPECT_REFUSED(EIO, dmabuf_transfer(self->fd, self->file, TO | DIRECT, 0, 0, SIZE));
	got = dmabuf_transfer(self->fd, self->node, FROM | DIRECT, 0, 0, SIZE);
	EXPECT_EQ(sysret(pread(self->node, &byte, 1, 0)), got);
	EXPECT_REFUSED(ENOSPC, dmabuf_transfer(self->fd, self->node, TO | DIRECT, 0, 0, SIZE));
}

TEST_HARNESS_MAIN
