// SPDX-License-Identifier: GPL-2.0-only
/*
 * A buffer between two drivers: heap or vgem exports, vgem imports through
 * PRIME, an unmodified driver of the tree. Tests which object keeps which
 * alive, that both sides see the same bytes, and that a driver's fences hold up
 * a program that polls or begins CPU access.
 *
 * Skipped where no vgem is. Handles are per open device; sizes are bytes.
 */
#include "dma_buf_test.h"
#include <drm/vgem_drm.h>

#define PAGES		8
#define MINUTE_MS	60000

FIXTURE(importer)
{
	size_t size;
	long buffers;
	int fds;
	int dev;
	int heap;
	int fd;
};

FIXTURE_SETUP(importer)
{
	self->size = PAGES * page_size();
	self->heap = -1;
	self->fd = -1;
	self->dev = importer_open();
	if (self->dev == -ENODEV)
		SKIP(return, "no vgem");
	ASSERT_LE(0, self->dev);
	self->heap = heap_open("system");
	if (self->heap == -ENOENT)
		SKIP(return, "no system heap");
	ASSERT_LE(0, self->heap);
	self->buffers = count_buffers();
	self->fds = count_open_fds();
	ASSERT_GIVES(self->fd, heap_alloc(self->heap, self->size));
}

/* After the device is closed nothing may be left of what a test did with it. */
FIXTURE_TEARDOWN(importer)
{
	if (self->fd >= 0)
		close(self->fd);
	if (self->heap >= 0) {
		EXPECT_EQ(self->fds, count_open_fds());
		close(self->heap);
	}
	if (self->dev >= 0)
		close(self->dev);
	if (self->heap >= 0 && self->buffers >= 0)
		EXPECT_TRUE(buffers_settle(self->buffers));
}

static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

/* "Total n devices attached" of the buffer with this inode; -errno without. */
static int attached_devices(ino_t ino)
{
	int ret = -ENOENT, n;
	char line[512];
	bool mine = false;
	unsigned long seen;
	FILE *file;

	file = fopen(DMA_BUF_BUFINFO, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*u %*x %*x %*d %*s %lu", &seen) == 1)
			mine = seen == ino;
		else if (mine && sscanf(line, "Total %d", &n) == 1 && strstr(line, " devices "))
			ret = n;
	}
	fclose(file);
	return ret;
}

/* ---------------------------------------------------------- import, export -- */

TEST_F(importer, the_same_buffer_has_one_handle)
{
	int first, second, other;

	ASSERT_GIVES(first, importer_import(self->dev, self->fd));
	ASSERT_GIVES(second, importer_import(self->dev, self->fd));
	EXPECT_EQ(first, second);
	ASSERT_GIVES(other, sysret(dup(self->fd)));
	ASSERT_GIVES(second, importer_import(self->dev, other));
	EXPECT_EQ(first, second);
	close(other);
	EXPECT_EQ(0, importer_close(self->dev, first));
	EXPECT_REFUSED(EINVAL, importer_close(self->dev, first));
}

TEST_F(importer, exporting_an_import_gives_the_buffer_itself)
{
	int handle, again;

	ASSERT_GIVES(handle, importer_import(self->dev, self->fd));
	ASSERT_GIVES(again, importer_export(self->dev, handle));
	EXPECT_EQ(inode_of(self->fd), inode_of(again));
	EXPECT_EQ((long)self->size, dmabuf_size(again));
	EXPECT_EQ(0, dmabuf_fill(self->fd, self->size, 3));
	EXPECT_EQ(0, dmabuf_verify(again, self->size, 3));
	close(again);
}

TEST_F(importer, debugfs_shows_the_device_while_it_is_attached)
{
	ino_t ino = inode_of(self->fd);
	int handle, n = attached_devices(ino);

	if (n == -ENOENT && self->buffers < 0)
		SKIP(return, "no debugfs");
	EXPECT_EQ(0, n);
	ASSERT_GIVES(handle, importer_import(self->dev, self->fd));
	EXPECT_EQ(1, attached_devices(ino));
	EXPECT_EQ(0, importer_close(self->dev, handle));
	EXPECT_EQ(0, attached_devices(ino));
}

TEST_F(importer, two_opens_of_the_device_attach_twice_or_share)
{
	ino_t ino = inode_of(self->fd);
	int dev2, a, b;

	ASSERT_GIVES(dev2, importer_open());
	ASSERT_GIVES(a, importer_import(self->dev, self->fd));
	ASSERT_GIVES(b, importer_import(dev2, self->fd));
	if (self->buffers >= 0)
		EXPECT_LE(1, attached_devices(ino));
	EXPECT_EQ(0, importer_close(self->dev, a));
	EXPECT_EQ(0, dmabuf_fill(self->fd, self->size, 8));
	EXPECT_EQ(0, importer_close(dev2, b));
	if (self->buffers >= 0)
		EXPECT_EQ(0, attached_devices(ino));
	close(dev2);
}

TEST_F(importer, cpu_access_works_while_a_device_is_attached)
{
	int handle, i;

	ASSERT_GIVES(handle, importer_import(self->dev, self->fd));
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(0, dmabuf_fill(self->fd, self->size, (unsigned int)i));
		EXPECT_EQ(0, dmabuf_verify(self->fd, self->size, (unsigned int)i));
	}
	EXPECT_EQ(0, importer_close(self->dev, handle));
	EXPECT_EQ(0, dmabuf_verify(self->fd, self->size, 9));
}

TEST_F(importer, an_import_cannot_be_mapped_at_the_device)
{
	int handle;
	void *mem;

	ASSERT_GIVES(handle, importer_import(self->dev, self->fd));
	/* DRM's own rule for dumb mappings: go through the dma-buf. */
	EXPECT_REFUSED(EINVAL, importer_map(self->dev, handle, self->size, &mem));
}

TEST_F(importer, only_a_dma_buf_is_imported)
{
	int pipes[2], closed;

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	EXPECT_REFUSED(EINVAL, importer_import(self->dev, pipes[0]));
	EXPECT_REFUSED(EINVAL, importer_import(self->dev, self->heap));
	EXPECT_REFUSED(EINVAL, importer_import(self->dev, self->dev));
	ASSERT_GIVES(closed, sysret(dup(self->fd)));
	close(closed);
	EXPECT_REFUSED(EBADF, importer_import(self->dev, closed));
	EXPECT_REFUSED(EBADF, importer_import(self->dev, -1));
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(importer, every_size_class_is_imported)
{
	const size_t pages[] = { 1, 2, 15, 16, 17, 256, 257, 1024, 1500 };
	int fd, handle;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		ASSERT_GIVES(fd, heap_alloc(self->heap, pages[i] * page_size()));
		ASSERT_GIVES(handle, importer_import(self->dev, fd));
		close(fd);
		ASSERT_GIVES(fd, importer_export(self->dev, handle));
		EXPECT_EQ(0, dmabuf_fill(fd, pages[i] * page_size(), 1));
		EXPECT_EQ(0, importer_close(self->dev, handle));
		EXPECT_EQ(0, dmabuf_verify(fd, pages[i] * page_size(), 1));
		close(fd);
	}
}

/* ------------------------------------------------------------ close orders -- */

enum holder { HOLD_FD, HOLD_HANDLE, HOLD_MAPPING, HOLD_AGAIN, HOLDERS };

/*
 * A read of the mapping stands between SYNC calls, which need a descriptor: one
 * that is still open or, when there is none, another one from the device. When
 * the device has dropped the buffer, too, nothing is left to synchronize with.
 */
static size_t check_mapping(const void *mem, size_t size, unsigned int seed, int fd,
			    int dev, int handle)
{
	bool borrowed = fd < 0 && handle >= 0;
	int ret = 0;
	size_t at;

	if (borrowed)
		fd = importer_export(dev, handle);
	if (fd >= 0)
		ret = dmabuf_begin(fd, DMA_BUF_SYNC_READ);
	at = pattern_check(mem, size, seed);
	if (fd >= 0 && !ret)
		ret = dmabuf_end(fd, DMA_BUF_SYNC_READ);
	if (borrowed)
		close(fd);
	return ret ? 0 : at;
}

/*
 * Descriptor, handle, mapping and second descriptor are dropped one by one;
 * those that are left must still show the bytes, and the last one frees them.
 */
TEST_F(importer, close_in_any_order)
{
	static const int orders[][HOLDERS] = {
		{ HOLD_FD, HOLD_HANDLE, HOLD_MAPPING, HOLD_AGAIN },
		{ HOLD_FD, HOLD_HANDLE, HOLD_AGAIN, HOLD_MAPPING },
		{ HOLD_FD, HOLD_MAPPING, HOLD_AGAIN, HOLD_HANDLE },
		{ HOLD_HANDLE, HOLD_FD, HOLD_AGAIN, HOLD_MAPPING },
		{ HOLD_HANDLE, HOLD_AGAIN, HOLD_MAPPING, HOLD_FD },
		{ HOLD_MAPPING, HOLD_AGAIN, HOLD_FD, HOLD_HANDLE },
		{ HOLD_MAPPING, HOLD_FD, HOLD_HANDLE, HOLD_AGAIN },
		{ HOLD_AGAIN, HOLD_MAPPING, HOLD_HANDLE, HOLD_FD },
		{ HOLD_AGAIN, HOLD_FD, HOLD_MAPPING, HOLD_HANDLE },
	};
	size_t i, step;

	close(self->fd);
	self->fd = -1;
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		int fd, handle, again;
		void *mem;

		ASSERT_GIVES(fd, heap_alloc(self->heap, self->size));
		ASSERT_GIVES(handle, importer_import(self->dev, fd));
		ASSERT_GIVES(again, importer_export(self->dev, handle));
		ASSERT_EQ(0, map_rw(fd, self->size, &mem));
		ASSERT_EQ(0, dmabuf_begin(fd, DMA_BUF_SYNC_WRITE));
		pattern_fill(mem, self->size, (unsigned int)i);
		ASSERT_EQ(0, dmabuf_end(fd, DMA_BUF_SYNC_WRITE));
		for (step = 0; step < HOLDERS; step++) {
			if (self->buffers >= 0)
				ASSERT_EQ(self->buffers + 1, count_buffers());
			switch (orders[i][step]) {
			case HOLD_FD:
				ASSERT_EQ(0, dmabuf_verify(fd, self->size, (unsigned int)i));
				close(fd);
				fd = -1;
				break;
			case HOLD_HANDLE:
				ASSERT_EQ(0, importer_close(self->dev, handle));
				handle = -1;
				break;
			case HOLD_MAPPING:
				ASSERT_EQ(self->size,
					  check_mapping(mem, self->size, (unsigned int)i,
							fd < 0 ? again : fd, self->dev, handle));
				munmap(mem, self->size);
				break;
			case HOLD_AGAIN:
				ASSERT_EQ(0, dmabuf_verify(again, self->size, (unsigned int)i));
				close(again);
				again = -1;
				break;
			}
		}
		ASSERT_TRUE(self->buffers < 0 || buffers_settle(self->buffers)) {
			TH_LOG("order %zu leaks the buffer", i);
		}
	}
}

TEST_F(importer, closing_the_device_drops_its_handles)
{
	ino_t ino = inode_of(self->fd);
	int dev2;

	ASSERT_GIVES(dev2, importer_open());
	EXPECT_WORKS(importer_import(dev2, self->fd));
	close(dev2);
	if (self->buffers >= 0)
		EXPECT_EQ(0, attached_devices(ino));
	EXPECT_EQ(0, dmabuf_fill(self->fd, self->size, 4));
}

TEST_F(importer, a_killed_importer_leaves_nothing)
{
	ino_t ino = inode_of(self->fd);
	int status, i;
	pid_t pid;

	for (i = 0; i < 5; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			int dev = importer_open();

			if (dev < 0 || importer_import(dev, self->fd) < 0)
				_exit(1);
			kill(getpid(), SIGKILL);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
	}
	if (self->buffers >= 0)
		EXPECT_EQ(0, attached_devices(ino));
}

TEST_F(importer, import_and_close_many_times)
{
	int i, handle;

	for (i = 0; i < 300; i++) {
		ASSERT_GIVES(handle, importer_import(self->dev, self->fd));
		ASSERT_EQ(0, importer_close(self->dev, handle));
	}
	if (self->buffers >= 0)
		EXPECT_EQ(0, attached_devices(inode_of(self->fd)));
}

/* --------------------------------------------------- the driver as exporter -- */

TEST_F(importer, a_driver_buffer_is_the_same_memory_both_ways)
{
	int handle, fd, status;
	void *mem;
	pid_t pid;

	ASSERT_GIVES(handle, importer_create(self->dev, PAGES));
	ASSERT_EQ(0, importer_map(self->dev, handle, self->size, &mem));
	pattern_fill(mem, self->size, 6);
	ASSERT_GIVES(fd, importer_export(self->dev, handle));
	EXPECT_EQ((long)self->size, dmabuf_size(fd));
	EXPECT_EQ(0, dmabuf_verify(fd, self->size, 6));
	EXPECT_EQ(0, dmabuf_fill(fd, self->size, 7));
	EXPECT_EQ(self->size, pattern_check(mem, self->size, 7));
	munmap(mem, self->size);

	/* The exporter's handle may go: the descriptor keeps the memory. */
	EXPECT_EQ(0, importer_close(self->dev, handle));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(dmabuf_verify(fd, self->size, 7) ? 1 : 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(fd);
}

TEST_F(importer, a_driver_buffer_takes_names_and_sync)
{
	char value[64];
	int handle, fd;

	ASSERT_GIVES(handle, importer_create(self->dev, PAGES));
	ASSERT_GIVES(fd, importer_export(self->dev, handle));
	EXPECT_EQ(0, dmabuf_set_name(fd, "frame"));
	ASSERT_EQ(0, fdinfo_get(fd, "name", value, sizeof(value)));
	EXPECT_STREQ("frame", value);
	EXPECT_EQ(0, dmabuf_begin(fd, DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, dmabuf_end(fd, DMA_BUF_SYNC_RW));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(fd, POLLIN | POLLOUT));
	close(fd);
	EXPECT_EQ(0, importer_close(self->dev, handle));
}

TEST_F(importer, exporting_twice_gives_one_buffer)
{
	int handle, a, b;

	ASSERT_GIVES(handle, importer_create(self->dev, 1));
	ASSERT_GIVES(a, importer_export(self->dev, handle));
	ASSERT_GIVES(b, importer_export(self->dev, handle));
	EXPECT_EQ(inode_of(a), inode_of(b));
	close(a);
	EXPECT_EQ((long)page_size(), dmabuf_size(b));
	close(b);
}

/* ----------------------------------------------------- fences of the driver -- */

/* Puts a fence of vgem's into the handle's buffer: its number, or -errno. */
static int driver_busy(int dev, int handle, bool write)
{
	struct drm_vgem_fence_attach attach = {
		.handle = (__u32)handle,
		.flags = write ? VGEM_FENCE_WRITE : 0,
	};
	int ret = xioctl(dev, DRM_IOCTL_VGEM_FENCE_ATTACH, &attach);

	return ret < 0 ? ret : (int)attach.out_fence;
}

static int driver_done(int dev, int fence)
{
	struct drm_vgem_fence_signal signal_data = { .fence = (__u32)fence };

	return xioctl(dev, DRM_IOCTL_VGEM_FENCE_SIGNAL, &signal_data);
}

TEST_F(importer, poll_waits_for_the_driver)
{
	int handle, fence;

	ASSERT_GIVES(handle, importer_import(self->dev, self->fd));
	ASSERT_GIVES(fence, driver_busy(self->dev, handle, true));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN));
	EXPECT_EQ(0, poll_now(self->fd, POLLOUT));
	ASSERT_EQ(0, driver_done(self->dev, fence));
	EXPECT_EQ(POLLIN, poll_wait(self->fd, POLLIN, MINUTE_MS));
	EXPECT_EQ(POLLOUT, poll_wait(self->fd, POLLOUT, MINUTE_MS));

	ASSERT_GIVES(fence, driver_busy(self->dev, handle, false));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
	EXPECT_EQ(0, poll_now(self->fd, POLLOUT));
	ASSERT_EQ(0, driver_done(self->dev, fence));
	EXPECT_EQ(POLLOUT, poll_wait(self->fd, POLLOUT, MINUTE_MS));
}

TEST_F(importer, a_second_writer_is_told_to_wait)
{
	int handle, fence;

	ASSERT_GIVES(handle, importer_import(self->dev, self->fd));
	ASSERT_GIVES(fence, driver_busy(self->dev, handle, true));
	EXPECT_REFUSED(EBUSY, driver_busy(self->dev, handle, true));
	EXPECT_REFUSED(EBUSY, driver_busy(self->dev, handle, false));
	ASSERT_EQ(0, driver_done(self->dev, fence));
	EXPECT_EQ(POLLOUT, poll_wait(self->fd, POLLOUT, MINUTE_MS));
}

TEST_F(importer, a_sync_file_carries_the_drivers_fence)
{
	struct sync_fence_info info[1];
	struct sync_file_info file;
	int handle, fence, sync;

	ASSERT_GIVES(handle, importer_import(self->dev, self->fd));
	ASSERT_GIVES(fence, driver_busy(self->dev, handle, true));
	ASSERT_GIVES(sync, dmabuf_export_sync_file(self->fd, DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, sync_file_status(sync));
	ASSERT_EQ(0, sync_file_info(sync, &file, info, 1));
	EXPECT_EQ(1u, file.num_fences);
	EXPECT_STREQ("vgem", info[0].driver_name);
	ASSERT_EQ(0, driver_done(self->dev, fence));
	EXPECT_EQ(POLLIN, poll_wait(sync, POLLIN, MINUTE_MS));
	EXPECT_EQ(1, sync_file_status(sync));
	close(sync);
}

TEST_F(importer, begin_waits_for_the_driver)
{
	int handle, fence, status;
	pid_t pid;

	ASSERT_GIVES(handle, importer_import(self->dev, self->fd));
	ASSERT_GIVES(fence, driver_busy(self->dev, handle, true));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		usleep(100000);
		_exit(driver_done(self->dev, fence) ? 1 : 0);
	}
	EXPECT_EQ(0, dmabuf_begin(self->fd, DMA_BUF_SYNC_RW));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
	EXPECT_EQ(0, dmabuf_end(self->fd, DMA_BUF_SYNC_RW));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* A buffer is released while a driver's fence in it is still open. */
TEST_F(importer, the_buffer_may_be_released_before_its_fence)
{
	int handle, fence;

	ASSERT_GIVES(handle, importer_import(self->dev, self->fd));
	ASSERT_GIVES(fence, driver_busy(self->dev, handle, true));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLOUT));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, importer_close(self->dev, handle));
	ASSERT_EQ(0, driver_done(self->dev, fence));
}

TEST_HARNESS_MAIN
