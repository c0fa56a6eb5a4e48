// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a heap's buffer: other system calls take it for memory.
 *
 * For direct I/O, pipes and process_vm_readv(2) among others; and what an
 * earlier owner left there is never seen, not even through a page that is still
 * pinned. What a mapping is, is in heap_mmap_test.c.
 */
#include "heap_mapping.h"
#include <sys/uio.h>

#include <linux/loop.h>

/* Scattered over pages, and not aligned to anything. */
static void make_iov(struct iovec *iov, int count, char *mem, size_t size)
{
	size_t step = size / (size_t)count;

	for (int i = 0; i < count; i++) {
		iov[i].iov_base = mem + step * (size_t)i;
		iov[i].iov_len = i < count - 1 ? step : size - step * (size_t)i;
	}
}

TEST_F(mapping, process_vm_readv_and_writev)
{
	struct iovec local, remote[7];
	char *other;

	/* Nothing to copy: only a kernel that does not know the call refuses. */
	if (process_vm_readv(getpid(), NULL, 0, NULL, 0, 0))
		SKIP(return, "no CROSS_MEMORY_ATTACH: %s", strerror(errno));
	other = malloc(self->size);
	ASSERT_NE(NULL, other);
	local = (struct iovec) { .iov_base = other, .iov_len = self->size };
	make_iov(remote, ARRAY_SIZE(remote), self->mem, self->size);
	if (!variant->ordinary) {
		EXPECT_REFUSED(EFAULT, sysret(process_vm_readv(getpid(), &local, 1, remote,
							       ARRAY_SIZE(remote), 0)));
		free(other);
		return;
	}

	/* Untouched memory can be written, and read. */
	pattern_fill(other, self->size, 13);
	ASSERT_EQ((ssize_t)self->size,
		  process_vm_writev(getpid(), &local, 1, remote, ARRAY_SIZE(remote), 0));
	EXPECT_EQ(self->size, pattern_check(self->mem, self->size, 13));

	pattern_fill(self->mem, self->size, 14);
	ASSERT_EQ(0, madvise(self->mem, self->size, MADV_DONTNEED));
	ASSERT_EQ((ssize_t)self->size,
		  process_vm_readv(getpid(), &local, 1, remote, ARRAY_SIZE(remote), 0));
	EXPECT_EQ(self->size, pattern_check(other, self->size, 14));
	free(other);
}

/* The same through a file, which does the same by another way. */
TEST_F(mapping, proc_mem)
{
	char *other;
	int fd;

	other = malloc(self->size);
	ASSERT_NE(NULL, other);
	ASSERT_GIVES(fd, xopen("/proc/self/mem", O_RDWR));
	pattern_fill(other, self->size, 15);
	EXPECT_EQ((ssize_t)self->size,
		  pwrite(fd, other, self->size, (off_t)(uintptr_t)self->mem));
	EXPECT_EQ(self->size, pattern_check(self->mem, self->size, 15));
	memset(other, 0, self->size);
	EXPECT_EQ((ssize_t)self->size,
		  pread(fd, other, self->size, (off_t)(uintptr_t)self->mem));
	EXPECT_EQ(self->size, pattern_check(other, self->size, 15));
	close(fd);
	free(other);
}

/* Ordinary read() and write() with a pipe, and vmsplice() where it is allowed. */
TEST_F(mapping, pipes)
{
	struct iovec iov = { .iov_base = self->mem, .iov_len = 8 * self->page };
	size_t size = 8 * self->page;
	int pipes[2];
	char *other;
	ssize_t n;

	other = malloc(size);
	ASSERT_NE(NULL, other);
	ASSERT_EQ(0, pipe(pipes));
	pattern_fill(self->mem, size, 16);
	ASSERT_EQ((ssize_t)size, write(pipes[1], self->mem, size));
	memset(self->mem, 0, size);
	ASSERT_EQ((ssize_t)size, read(pipes[0], self->mem, size));
	EXPECT_EQ(size, pattern_check(self->mem, size, 16));

	n = sysret(vmsplice(pipes[1], &iov, 1, 0));
	if (!variant->ordinary) {
		EXPECT_REFUSED(EFAULT, n);
		goto out;
	}
	ASSERT_EQ((ssize_t)size, n);
	/* No copy was made: what is written now is what comes out. */
	pattern_fill(self->mem, size, 17);
	ASSERT_EQ((ssize_t)size, read(pipes[0], other, size));
	EXPECT_EQ(size, pattern_check(other, size, 17));
out:
	close(pipes[0]);
	close(pipes[1]);
	free(other);
}

/* A memfd that holds the pattern. */
static int pattern_file(size_t size, unsigned int seed)
{
	int fd = (int)sysret(memfd_create("heap_memory_test", MFD_CLOEXEC));
	char *data = malloc(size);

	if (fd < 0 || !data) {
		free(data);
		return fd < 0 ? fd : -ENOMEM;
	}
	pattern_fill(data, size, seed);
	if (write(fd, data, size) != (ssize_t)size) {
		close(fd);
		fd = -EIO;
	}
	free(data);
	return fd;
}

/* That, as a block device: direct I/O with no file system in between. */
static int direct_device(size_t size, unsigned int seed)
{
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int control, file, number, fd;
	char path[64];

	control = xopen("/dev/loop-control", O_RDWR);
	if (control < 0)
		return control;
	number = xioctl(control, LOOP_CTL_GET_FREE, NULL);
	close(control);
	if (number < 0)
		return number;
	file = pattern_file(size, seed);
	if (file < 0)
		return file;

	snprintf(path, sizeof(path), "/dev/loop%d", number);
	fd = xopen(path, O_RDWR | O_DIRECT);
	if (fd >= 0) {
		int ret;

		config.fd = (__u32)file;
		ret = xioctl(fd, LOOP_CONFIGURE, &config);
		if (ret < 0) {
			close(fd);
			fd = ret;
		}
	}
	close(file);
	return fd;
}

/* A file that can be opened O_DIRECT, where there is no such device. */
static int direct_file(size_t size, unsigned int seed)
{
	static const char * const places[] = {
		"/out/heap_memory_test", "/mnt/heap_memory_test", "/var/tmp/heap_memory_test",
		"./heap_memory_test", "/tmp/heap_memory_test",
	};
	char *data = malloc(size);
	int fd = -ENOENT;

	if (!data)
		return -ENOMEM;
	pattern_fill(data, size, seed);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		bool written;

		fd = (int)sysret(open(places[i], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
		if (fd < 0)
			continue;
		written = write(fd, data, size) == (ssize_t)size && !fsync(fd);
		close(fd);
		fd = written ? xopen(places[i], O_RDWR | O_DIRECT) : -EIO;
		unlink(places[i]);
		if (fd >= 0)
			break;
	}
	free(data);
	return fd;
}

TEST_F(mapping, direct_io)
{
	size_t size = self->size;
	void *other = NULL;
	int fd;

	fd = direct_device(size, 18);
	if (fd < 0)
		fd = direct_file(size, 18);
	if (fd < 0)
		SKIP(return, "nothing that allows O_DIRECT: %s", strerror(-fd));
	if (!variant->ordinary) {
		EXPECT_REFUSED(EFAULT, sysret(pread(fd, self->mem, size, 0)));
		pattern_fill(self->mem, size, 19);
		EXPECT_REFUSED(EFAULT, sysret(pread(fd, self->mem, size, 0)));
		EXPECT_REFUSED(EFAULT, sysret(pwrite(fd, self->mem, size, 0)));
		close(fd);
		return;
	}
	ASSERT_EQ((ssize_t)size, pread(fd, self->mem, size, 0));
	EXPECT_EQ(size, pattern_check(self->mem, size, 18));

	pattern_fill(self->mem, size, 19);
	ASSERT_EQ((ssize_t)size, pwrite(fd, self->mem, size, 0));
	memset(self->mem, 0, size);
	ASSERT_EQ(0, posix_memalign(&other, self->page, size));
	ASSERT_EQ((ssize_t)size, pread(fd, other, size, 0));
	EXPECT_EQ(size, pattern_check(other, size, 19));
	free(other);
	close(fd);
}

/* What the heap's own descriptors say of the memory is what is mapped. */
TEST_F(mapping, sync_around_access)
{
	ASSERT_EQ(0, dmabuf_begin(self->fd, DMA_BUF_SYNC_WRITE));
	pattern_fill(self->mem, self->size, 20);
	ASSERT_EQ(0, dmabuf_end(self->fd, DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(0, dmabuf_verify(self->fd, self->size, 20));
}

/* The same in parts, none of which starts or ends where a page does. */
TEST_F(mapping, sync_of_parts)
{
	const size_t step = 3 * self->page + 77;

	for (size_t at = 0; at < self->size; at += step) {
		size_t size = self->size - at < step ? self->size - at : step;

		ASSERT_EQ(0, dmabuf_sync_partial(self->fd, DMA_BUF_SYNC_WRITE, at, size));
		pattern_fill(self->mem + at, size, (unsigned int)at);
		ASSERT_EQ(0, dmabuf_sync_partial(self->fd, DMA_BUF_SYNC_END |
						 DMA_BUF_SYNC_WRITE, at, size));
	}
	for (size_t at = 0; at < self->size; at += step) {
		size_t size = self->size - at < step ? self->size - at : step;

		ASSERT_EQ(0, dmabuf_sync_partial(self->fd, DMA_BUF_SYNC_READ, at, size));
		EXPECT_EQ(size, pattern_check(self->mem + at, size, (unsigned int)at));
		ASSERT_EQ(0, dmabuf_sync_partial(self->fd, DMA_BUF_SYNC_END |
						 DMA_BUF_SYNC_READ, at, size));
	}
	EXPECT_REFUSED(EINVAL, dmabuf_sync_partial(self->fd, DMA_BUF_SYNC_RW, self->size, 1));
}

/* --------------------------------------------------------------- isolation */

TEST_F(mapping, the_next_owner_sees_zero)
{
	for (int round = 0; round < 8; round++) {
		void *mem;
		int fd;

		ASSERT_GIVES(fd, heap_alloc(self->heap, self->size));
		ASSERT_EQ(0, map_rw(fd, self->size, &mem));
		ASSERT_EQ(self->size, zero_check(mem, self->size));
		memset(mem, 0xa5, self->size);
		munmap(mem, self->size);
		close(fd);
	}
}

/*
 * A pipe holds a page of a buffer that is gone. The page must not come back
 * with another buffer as long as it does, for what is in the pipe is the old
 * owner's, and what is written there must not show to the new one.
 */
TEST_F(mapping, a_held_page_is_not_reused)
{
	size_t size = 4 * self->page;
	struct iovec iov;
	int pipes[2], fd;
	char *other;
	void *mem;

	if (!variant->ordinary)
		SKIP(return, "no page of this heap can be held");
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_GIVES(fd, heap_alloc(self->heap, size));
	ASSERT_EQ(0, map_rw(fd, size, &mem));
	pattern_fill(mem, size, 21);
	iov = (struct iovec) { .iov_base = mem, .iov_len = size };
	ASSERT_EQ((ssize_t)size, sysret(vmsplice(pipes[1], &iov, 1, 0)));
	munmap(mem, size);
	close(fd);

	for (int round = 0; round < 32; round++) {
		ASSERT_GIVES(fd, heap_alloc(self->heap, size));
		ASSERT_EQ(0, map_rw(fd, size, &mem));
		ASSERT_EQ(size, zero_check(mem, size));
		memset(mem, 0x5a, size);
		munmap(mem, size);
		close(fd);
	}

	other = malloc(size);
	ASSERT_NE(NULL, other);
	ASSERT_EQ((ssize_t)size, read(pipes[0], other, size));
	EXPECT_EQ(size, pattern_check(other, size, 21));
	free(other);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_HARNESS_MAIN
