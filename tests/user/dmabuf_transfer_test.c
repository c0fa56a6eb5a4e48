// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA_BUF_IOCTL_TRANSFER: bytes moved between buffers of each exporter with pages
 * and files of each kind that a guest has, compared with what a mapping and
 * pread(2) show.
 *
 * Files are a memfd, a block device in memory (/dev/ram0, whose content is lost),
 * and a loop device with blocks of 4 KiB. Sizes and positions are bytes.
 */
#include "exporters.h"

#include <linux/loop.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#define PAGES	9
#define SEED	11
#define FROM	DMA_BUF_TRANSFER_FROM_FILE
#define TO	DMA_BUF_TRANSFER_TO_FILE
#define DIRECT	DMA_BUF_TRANSFER_DIRECT
#define NOWAIT	DMA_BUF_TRANSFER_NOWAIT

/* Longer than all requests that are in flight at a time. */
#define LONG	((size_t)33 << 20)

/* ---------------------------------------------------------------- files -- */

enum kind { MEMORY, RAM, LOOP };

struct target {
	enum kind kind;
	int fd;
	int backing;		/* of a loop device */
	size_t block;
};

static int loop_open(struct target *target, size_t size)
{
	int control = xopen("/dev/loop-control", O_RDWR), loop;
	char path[32];
	long ret;

	if (control < 0)
		return control;
	ret = sysret(ioctl(control, LOOP_CTL_GET_FREE));
	close(control);
	if (ret < 0)
		return (int)ret;
	snprintf(path, sizeof(path), "/dev/loop%ld", ret);
	loop = xopen(path, O_RDWR);
	if (loop < 0)
		return loop;
	target->backing = memfd_new(size, 0, 0);
	ret = sysret(ioctl(loop, LOOP_SET_FD, target->backing));
	if (!ret)
		ret = sysret(ioctl(loop, LOOP_SET_BLOCK_SIZE, 4096));
	if (ret < 0) {
		close(loop);
		return (int)ret;
	}
	target->block = 4096;
	return loop;
}

/* A file of at least @size bytes, zero where it is read. */
static int target_open(struct target *target, enum kind kind, size_t size)
{
	char *zero;

	*target = (struct target){ .kind = kind, .fd = -1, .backing = -1, .block = 1 };
	if (kind == MEMORY) {
		target->fd = memfd_new(size, MFD_ALLOW_SEALING, 0);
	} else if (kind == LOOP) {
		target->fd = loop_open(target, size);
	} else {
		target->fd = xopen("/dev/ram0", O_RDWR);
		target->block = 512;
		zero = calloc(1, size);
		if (target->fd >= 0 &&
		    pwrite(target->fd, zero, size, 0) != (ssize_t)size) {
			close(target->fd);
			target->fd = -ENODEV;
		}
		free(zero);
	}
	return target->fd;
}

static void target_close(struct target *target)
{
	if (target->kind == LOOP && target->fd >= 0) {
		fsync(target->fd);
		ioctl(target->fd, LOOP_CLR_FD, 0);
	}
	if (target->fd >= 0)
		close(target->fd);
	if (target->backing >= 0)
		close(target->backing);
}

/* The same file once more, opened in another way. */
static int target_again(const struct target *target, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", target->fd);
	return xopen(path, flags);
}

static bool file_matches(int file, off_t at, size_t len, unsigned int seed)
{
	unsigned char *bytes = malloc(len);
	bool same;

	same = pread(file, bytes, len, at) == (ssize_t)len &&
	       pattern_check(bytes, len, seed) == len;
	free(bytes);
	return same;
}

static bool file_fill(int file, off_t at, size_t len, unsigned int seed)
{
	unsigned char *bytes = malloc(len);
	bool done;

	pattern_fill(bytes, len, seed);
	done = pwrite(file, bytes, len, at) == (ssize_t)len;
	free(bytes);
	return done;
}

/* -------------------------------------------------------------- fixture -- */

FIXTURE(transfer) {
	size_t size;
	int fd;
	int timeline;
	struct target file;
	unsigned char *bytes;
	long buffers;
	int fds;
};

FIXTURE_VARIANT(transfer) {
	enum exporter exporter;
	enum kind kind;
};

FIXTURE_VARIANT_ADD(transfer, system_memfd) { SYSTEM, MEMORY };
FIXTURE_VARIANT_ADD(transfer, system_ram) { SYSTEM, RAM };
FIXTURE_VARIANT_ADD(transfer, system_loop) { SYSTEM, LOOP };
FIXTURE_VARIANT_ADD(transfer, cma_memfd) { CMA, MEMORY };
FIXTURE_VARIANT_ADD(transfer, cma_ram) { CMA, RAM };
FIXTURE_VARIANT_ADD(transfer, udmabuf_memfd) { UDMABUF, MEMORY };
FIXTURE_VARIANT_ADD(transfer, udmabuf_loop) { UDMABUF, LOOP };

FIXTURE_SETUP(transfer)
{
	self->bytes = NULL;
	self->fd = -1;
	self->timeline = -1;
	self->file.fd = -1;
	self->file.backing = -1;
	self->buffers = count_buffers();
	self->fds = count_open_fds();
	self->size = PAGES * page_size();
	self->bytes = malloc(self->size);
	self->timeline = sw_sync_open();
	self->fd = buffer_new(variant->exporter, self->size);
	if (self->fd == -ENOENT || self->fd == -ENODEV)
		SKIP(return, "no such exporter");
	ASSERT_LE(0, self->fd);
	target_open(&self->file, variant->kind, self->size);
	if (self->file.fd == -ENOENT || self->file.fd == -ENODEV ||
	    self->file.fd == -ENXIO)
		SKIP(return, "no such file: %s", strerror(-self->file.fd));
	ASSERT_LE(0, self->file.fd);
}

FIXTURE_TEARDOWN(transfer)
{
	free(self->bytes);
	target_close(&self->file);
	if (self->timeline >= 0)
		close(self->timeline);
	if (self->fd >= 0)
		close(self->fd);
	EXPECT_EQ(self->fds, count_open_fds());
	EXPECT_TRUE(buffers_settle(self->buffers));
}

/* ---------------------------------------------------------------- bytes -- */

TEST_F(transfer, the_whole_both_ways)
{
	int file = self->file.fd;

	ASSERT_EQ(0, dmabuf_fill(self->fd, self->size, SEED));
	EXPECT_EQ((long)self->size, dmabuf_transfer(self->fd, file, TO, 0, 0, self->size));
	EXPECT_TRUE(file_matches(file, 0, self->size, SEED));

	ASSERT_TRUE(file_fill(file, 0, self->size, SEED + 1));
	EXPECT_EQ((long)self->size, dmabuf_transfer(self->fd, file, FROM, 0, 0, self->size));
	EXPECT_EQ(0, dmabuf_verify(self->fd, self->size, SEED + 1));
	EXPECT_EQ(0, lseek(file, 0, SEEK_CUR));
}

/* The page cache has newer bytes than the device, and the other way round. */
TEST_F(transfer, the_page_cache_agrees)
{
	int file = self->file.fd, i;

	for (i = 0; i < 8; i++) {
		ASSERT_TRUE(file_fill(file, 0, self->size, SEED + i));
		ASSERT_EQ((long)self->size,
			  dmabuf_transfer(self->fd, file, FROM, 0, 0, self->size));
		ASSERT_EQ(0, dmabuf_verify(self->fd, self->size, SEED + i));
		ASSERT_EQ(0, dmabuf_fill(self->fd, self->size, SEED - i));
		ASSERT_EQ((long)self->size,
			  dmabuf_transfer(self->fd, file, TO, 0, 0, self->size));
		ASSERT_TRUE(file_matches(file, 0, self->size, SEED - i));
	}
}

/* Each of a list of odd ranges, in both directions, against models in memory. */
TEST_F(transfer, ranges)
{
	const size_t page = page_size();
	const size_t at[] = { 0, 1, 7, 512, 513, page - 1, page, 3 * page - 512 };
	const size_t len[] = { 1, 511, 512, 1024, 1025, page, page + 1, 4 * page + 512 };
	unsigned char *buffer = calloc(1, self->size), *file = calloc(1, self->size);
	size_t i, j, k, n, from, to;
	unsigned int seed = 0;

	ASSERT_NE(NULL, buffer);
	ASSERT_NE(NULL, file);
	for (i = 0; i < ARRAY_SIZE(at) * ARRAY_SIZE(at); i++) {
		from = at[i / ARRAY_SIZE(at)];
		to = at[i % ARRAY_SIZE(at)];
		for (j = 0; j < ARRAY_SIZE(len); j++) {
			n = len[j];
			pattern_fill(self->bytes, n, ++seed);
			memcpy(buffer + from, self->bytes, n);
			ASSERT_EQ((ssize_t)n, pwrite(self->fd, self->bytes, n, (off_t)from));
			memcpy(file + to, buffer + from, n);
			ASSERT_EQ((long)n, dmabuf_transfer(self->fd, self->file.fd, TO,
							   to, from, n));

			k = (from + to) % (self->size - n);
			memcpy(buffer + k, file + to, n);
			ASSERT_EQ((long)n, dmabuf_transfer(self->fd, self->file.fd, FROM,
							   to, k, n));
		}
		ASSERT_EQ((ssize_t)self->size, pread(self->fd, self->bytes, self->size, 0));
		ASSERT_EQ(0, memcmp(self->bytes, buffer, self->size));
		ASSERT_EQ((ssize_t)self->size,
			  pread(self->file.fd, self->bytes, self->size, 0));
		ASSERT_EQ(0, memcmp(self->bytes, file, self->size));
	}
	free(buffer);
	free(file);
}

TEST_F(transfer, the_end_of_the_buffer)
{
	int file = self->file.fd;

	EXPECT_EQ(3, dmabuf_transfer(self->fd, file, FROM, 0, self->size - 3, 100));
	EXPECT_EQ(3, dmabuf_transfer(self->fd, file, TO, 0, self->size - 3, 100));
	EXPECT_REFUSED(ENOSPC, dmabuf_transfer(self->fd, file, FROM, 0, self->size, 1));
	EXPECT_REFUSED(ENOSPC, dmabuf_transfer(self->fd, file, FROM, 0, 1ull << 63, 1));
	EXPECT_EQ(0, dmabuf_transfer(self->fd, file, TO, 0, self->size, 1));
	EXPECT_EQ(0, dmabuf_transfer(self->fd, file, TO, 0, ~0ull, 1));
	EXPECT_EQ(0, dmabuf_transfer(self->fd, file, FROM, 0, self->size, 0));
	EXPECT_EQ((long)self->size,
		  dmabuf_transfer(self->fd, file, FROM, 0, 0, (1ull << 63) - 1));
}

TEST_F(transfer, the_end_of_the_file)
{
	int file = self->file.fd;
	off_t end = lseek(file, 0, SEEK_END);

	ASSERT_LT(0, end);
	ASSERT_TRUE(file_fill(file, end - 1000, 1000, SEED));
	EXPECT_EQ(1000, dmabuf_transfer(self->fd, file, FROM, (__u64)end - 1000, 0, self->size));
	EXPECT_EQ(1000, pread(self->fd, self->bytes, 1000, 0));
	EXPECT_EQ((size_t)1000, pattern_check(self->bytes, 1000, SEED));
	EXPECT_EQ(0, dmabuf_transfer(self->fd, file, FROM, (__u64)end, 0, self->size));
	EXPECT_EQ(0, dmabuf_transfer(self->fd, file, FROM, 1ull << 62, 0, self->size));
	if (variant->kind != MEMORY) {
		EXPECT_REFUSED(ENOSPC, dmabuf_transfer(self->fd, file, TO, (__u64)end, 0, 512));
		EXPECT_EQ(4096, dmabuf_transfer(self->fd, file, TO, (__u64)end - 4096, 0, 8192));
		return;
	}
	/* A file grows, and has a hole. */
	ASSERT_EQ(0, dmabuf_fill(self->fd, self->size, SEED));
	EXPECT_EQ(5000, dmabuf_transfer(self->fd, file, TO, (__u64)end + 10000, 0, 5000));
	EXPECT_EQ(end + 15000, lseek(file, 0, SEEK_END));
	EXPECT_TRUE(file_matches(file, end + 10000, 5000, SEED));
	EXPECT_EQ(10000, pread(file, self->bytes, 10000, end));
	EXPECT_EQ((size_t)10000, zero_check(self->bytes, 10000));
}

/* ------------------------------------------------------------ alignment -- */

TEST_F(transfer, direct_or_not_at_all)
{
	size_t block = self->file.block;
	int direct;

	direct = target_again(&self->file, O_RDWR | O_DIRECT);
	if (direct < 0)
		SKIP(return, "no O_DIRECT");
	ASSERT_EQ(0, dmabuf_fill(self->fd, self->size, SEED));
	EXPECT_EQ(8192, dmabuf_transfer(self->fd, direct, TO, 0, 4096, 8192));
	/* A memfd gets its mode without an open. */
	EXPECT_EQ(variant->kind == MEMORY ? -EINVAL : 8192,
		  dmabuf_transfer(self->fd, self->file.fd, TO | DIRECT, 0, 0, 8192));
	EXPECT_EQ(8192, dmabuf_transfer(self->fd, direct, TO | DIRECT, 0, 0, 8192));
	EXPECT_TRUE(file_matches(self->file.fd, 0, 8192, SEED));

	/* What is refused has moved nothing. */
	if (block > 1) {
		EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, direct, TO, 4096, 0, block + 1));
		EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, direct, TO, 4096 + 1, 1, 4096));
		EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, direct, FROM, 4096, 1, 4096));
		EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, direct, FROM, 4096 + 64, 0, 4096));
		EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, self->file.fd, TO | DIRECT,
						       4096, 0, 8192 + block / 2));
		EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, self->file.fd, FROM | DIRECT,
						       block / 2, block / 2, 8192));
	}
	EXPECT_TRUE(file_matches(self->file.fd, 0, 8192, SEED));
	EXPECT_EQ(0, dmabuf_verify(self->fd, self->size, SEED));
	close(direct);
}

TEST_F(transfer, statx_tells)
{
	struct statx stat;
	int fd = self->fd;

	ASSERT_EQ(0, statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN | STATX_SIZE, &stat));
	EXPECT_TRUE(stat.stx_mask & STATX_DIOALIGN);
	EXPECT_EQ(1U, stat.stx_dio_mem_align);
	EXPECT_EQ(1U, stat.stx_dio_offset_align);
	EXPECT_EQ(self->size, stat.stx_size);
	/* And it is so. */
	EXPECT_EQ(0, fcntl(fd, F_SETFL, O_DIRECT));
	EXPECT_EQ(O_DIRECT, fcntl(fd, F_GETFL) & O_DIRECT);
	EXPECT_EQ(77, pwrite(fd, self->bytes + 1, 77, 3));
	EXPECT_EQ(77, pread(fd, self->bytes + 1, 77, 3));
	EXPECT_EQ(512, dmabuf_transfer(fd, self->file.fd, TO, 0, 0, 512));
}

/* ------------------------------------------------------- modes and kinds -- */

TEST_F(transfer, access_modes)
{
	int heap, ro, wo;

	ASSERT_GIVES(ro, target_again(&self->file, O_RDONLY));
	ASSERT_GIVES(wo, target_again(&self->file, O_WRONLY));
	EXPECT_EQ(10, dmabuf_transfer(self->fd, ro, FROM, 0, 0, 10));
	EXPECT_EQ(10, dmabuf_transfer(self->fd, wo, TO, 0, 0, 10));
	EXPECT_REFUSED(EBADF, dmabuf_transfer(self->fd, ro, TO, 0, 0, 10));
	EXPECT_REFUSED(EBADF, dmabuf_transfer(self->fd, wo, FROM, 0, 0, 10));
	close(ro);
	close(wo);

	if (variant->exporter != SYSTEM)
		return;
	ASSERT_GIVES(heap, heap_open("system"));
	ASSERT_GIVES(ro, heap_alloc_flags(heap, self->size, O_RDONLY | O_CLOEXEC, 0));
	ASSERT_GIVES(wo, heap_alloc_flags(heap, self->size, O_WRONLY | O_CLOEXEC, 0));
	EXPECT_EQ(10, dmabuf_transfer(ro, self->file.fd, TO, 0, 0, 10));
	EXPECT_EQ(10, dmabuf_transfer(wo, self->file.fd, FROM, 0, 0, 10));
	EXPECT_REFUSED(EBADF, dmabuf_transfer(ro, self->file.fd, FROM, 0, 0, 10));
	EXPECT_REFUSED(EBADF, dmabuf_transfer(wo, self->file.fd, TO, 0, 0, 10));
	close(heap);
	close(ro);
	close(wo);
}

TEST_F(transfer, other_kinds_of_files)
{
	int pair[2], fd, other;

	ASSERT_EQ(0, pipe2(pair, O_CLOEXEC));
	EXPECT_REFUSED(ESPIPE, dmabuf_transfer(self->fd, pair[0], FROM, 0, 0, 1));
	EXPECT_REFUSED(ESPIPE, dmabuf_transfer(self->fd, pair[1], TO, 0, 0, 1));
	close(pair[0]);
	close(pair[1]);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	EXPECT_REFUSED(ESPIPE, dmabuf_transfer(self->fd, pair[0], TO, 0, 0, 1));
	close(pair[0]);
	close(pair[1]);

	ASSERT_GIVES(fd, xopen("/", O_RDONLY | O_DIRECTORY));
	EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, fd, FROM, 0, 0, 1));
	close(fd);
	ASSERT_GIVES(fd, xopen("/", O_PATH));
	EXPECT_REFUSED(EBADF, dmabuf_transfer(self->fd, fd, FROM, 0, 0, 1));
	close(fd);
	EXPECT_REFUSED(EBADF, dmabuf_transfer(self->fd, fd, FROM, 0, 0, 1));
	EXPECT_REFUSED(EBADF, dmabuf_transfer(self->fd, -1, TO, 0, 0, 1));
	ASSERT_GIVES(fd, xopen("/dev/zero", O_RDWR));
	EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, fd, FROM, 0, 0, 1));
	close(fd);

	EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, self->fd, FROM, 0, 0, 1));
	other = buffer_new(variant->exporter, self->size);
	ASSERT_LE(0, other);
	EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, other, TO, 0, 0, 1));
	close(other);

	other = buffer_new(VGEM, self->size);
	if (other < 0)
		return;
	EXPECT_REFUSED(EOPNOTSUPP, dmabuf_transfer(other, self->file.fd, TO, 0, 0, 1));
	EXPECT_REFUSED(EOPNOTSUPP, dmabuf_transfer(other, self->file.fd, FROM, 0, 0, 1));
	EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, other, FROM, 0, 0, 1));
	close(other);
}

/* A file of procfs has no size, and is read all the same. */
TEST_F(transfer, a_file_without_size)
{
	long got;
	int fd;

	ASSERT_GIVES(fd, xopen("/proc/version", O_RDONLY));
	got = dmabuf_transfer(self->fd, fd, FROM, 0, 1, self->size);
	EXPECT_TRUE(got > 0 || got == -EINVAL);
	if (got > 0) {
		EXPECT_EQ(5, pread(self->fd, self->bytes, 5, 1));
		EXPECT_EQ(0, memcmp(self->bytes, "Linux", 5));
	}
	EXPECT_GT(0, dmabuf_transfer(self->fd, fd, TO, 0, 0, 1));
	close(fd);
}

TEST_F(transfer, seals)
{
	int file;

	ASSERT_GIVES(file, memfd_new(self->size, MFD_ALLOW_SEALING,
				     F_SEAL_GROW | F_SEAL_SHRINK));
	EXPECT_EQ(100, dmabuf_transfer(self->fd, file, TO, self->size - 100, 0, 100));
	EXPECT_REFUSED(EPERM, dmabuf_transfer(self->fd, file, TO, self->size, 0, 100));
	ASSERT_EQ(0, fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
	EXPECT_REFUSED(EPERM, dmabuf_transfer(self->fd, file, TO, 0, 0, 100));
	EXPECT_EQ(100, dmabuf_transfer(self->fd, file, FROM, 0, 0, 100));
	close(file);
}

TEST_F(transfer, append)
{
	int file;

	if (variant->kind != MEMORY)
		SKIP(return, "for files that grow");
	ASSERT_EQ(0, ftruncate(self->file.fd, 1000));
	ASSERT_GIVES(file, target_again(&self->file, O_WRONLY | O_APPEND));
	ASSERT_EQ(0, dmabuf_fill(self->fd, self->size, SEED));
	EXPECT_EQ(3000, dmabuf_transfer(self->fd, file, TO, 5, 0, 3000));
	EXPECT_EQ(4000, lseek(file, 0, SEEK_END));
	EXPECT_TRUE(file_matches(self->file.fd, 1000, 3000, SEED));
	close(file);
}

static atomic_int signals;

static void on_signal(int signal)
{
	(void)signal;
	atomic_fetch_add(&signals, 1);
}

TEST_F(transfer, file_size_limit)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct rlimit limit = { 10000, RLIM_INFINITY }, none = { RLIM_INFINITY, RLIM_INFINITY };

	atomic_store(&signals, 0);
	ASSERT_EQ(0, sigaction(SIGXFSZ, &action, NULL));
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	if (variant->kind == MEMORY) {
		EXPECT_EQ(10000, dmabuf_transfer(self->fd, self->file.fd, TO, 0, 0, 20000));
		EXPECT_EQ(1, dmabuf_transfer(self->fd, self->file.fd, TO, 9999, 0, 20000));
		EXPECT_EQ(0, atomic_load(&signals));
		EXPECT_REFUSED(EFBIG, dmabuf_transfer(self->fd, self->file.fd, TO, 10000, 0, 1));
		EXPECT_EQ(1, atomic_load(&signals));
	} else {
		/* It is about files, as for write(2). */
		EXPECT_EQ(20480, dmabuf_transfer(self->fd, self->file.fd, TO, 0, 0, 20480));
	}
	EXPECT_EQ(20000, dmabuf_transfer(self->fd, self->file.fd, FROM, 0, 0, 20000));
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &none));
}

TEST_F(transfer, bad_arguments)
{
	struct dma_buf_transfer args = {
		.fd = self->file.fd, .flags = FROM, .length = 1, .in_fence = 1,
	};
	int out;

	EXPECT_REFUSED(EINVAL, xioctl(self->fd, DMA_BUF_IOCTL_TRANSFER, &args));
	args.in_fence = 0;
	args.out_fence = -1;
	EXPECT_REFUSED(EINVAL, xioctl(self->fd, DMA_BUF_IOCTL_TRANSFER, &args));
	EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, self->file.fd, 0, 0, 0, 1));
	EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, self->file.fd, FROM | TO, 0, 0, 1));
	EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, self->file.fd, FROM | 64, 0, 0, 1));
	EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, self->file.fd, ~0u, 0, 0, 1));
	EXPECT_REFUSED(EINVAL, dmabuf_transfer_in(self->fd, self->file.fd, TO, 1, -1));
	EXPECT_REFUSED(EINVAL, dmabuf_transfer_in(self->fd, self->file.fd, TO, 1, self->fd));
	EXPECT_REFUSED(EBADF, dmabuf_transfer_out(self->fd, -1, FROM, 1, &out));
	/* Memory, a map of other disks, and a file system in memory. */
	EXPECT_REFUSED(EOPNOTSUPP,
		       dmabuf_transfer_out(self->fd, self->file.fd, FROM, 4096, &out));
	EXPECT_REFUSED(EOPNOTSUPP, dmabuf_transfer_out(self->fd, self->file.fd, TO, 4096, &out));
	EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, self->file.fd, FROM, ~0ull, 0, 1));
	EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, self->file.fd, FROM, 1ull << 63, 0, 0));
	EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, self->file.fd, TO, 0, 0, 1ull << 63));
	EXPECT_REFUSED(EINVAL, dmabuf_transfer(self->fd, self->file.fd, TO, 1, 0, ~0ull));
	EXPECT_REFUSED(EINVAL,
		       dmabuf_transfer(self->fd, self->file.fd, TO, 1, 0, (1ull << 63) - 1));
}

/* --------------------------------------------------------------- fences -- */

TEST_F(transfer, waits_only_if_it_may)
{
	int file = self->file.fd;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_READ));
	EXPECT_EQ(1, dmabuf_transfer(self->fd, file, TO | NOWAIT, 0, 0, 1));
	EXPECT_REFUSED(EAGAIN, dmabuf_transfer(self->fd, file, FROM | NOWAIT, 0, 0, 1));
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 2, DMA_BUF_SYNC_WRITE));
	EXPECT_REFUSED(EAGAIN, dmabuf_transfer(self->fd, file, TO | NOWAIT, 0, 0, 1));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_REFUSED(EAGAIN, dmabuf_transfer(self->fd, file, FROM, 0, 0, 1));
	EXPECT_REFUSED(EAGAIN, dmabuf_transfer(self->fd, file, TO, 0, 0, 1));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 2));
	EXPECT_EQ(1, dmabuf_transfer(self->fd, file, FROM | NOWAIT, 0, 0, 1));
}

TEST_F(transfer, an_in_fence)
{
	int file = self->file.fd, fence;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_GIVES(fence, sw_sync_fence(self->timeline, 1, "in"));
	EXPECT_REFUSED(EAGAIN, dmabuf_transfer_in(self->fd, file, FROM | NOWAIT, 1, fence));
	EXPECT_REFUSED(EAGAIN, dmabuf_transfer_in(self->fd, file, TO | NOWAIT, 1, fence));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(1, dmabuf_transfer_in(self->fd, file, FROM | NOWAIT, 1, fence));
	EXPECT_EQ(1, dmabuf_transfer_in(self->fd, file, TO, 1, fence));
	close(fence);
}

TEST_F(transfer, a_wait_ends_with_a_signal)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct itimerval soon = {
		.it_value.tv_usec = 20000, .it_interval.tv_usec = 20000,
	}, never = { 0 };

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	EXPECT_REFUSED(EINTR, dmabuf_transfer(self->fd, self->file.fd, FROM, 0, 0, 1));
	EXPECT_REFUSED(EINTR, dmabuf_transfer(self->fd, self->file.fd, TO, 0, 0, 1));
	EXPECT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
}

TEST_F(transfer, a_wait_ends_with_the_fence_or_a_kill)
{
	pid_t pid[2];
	int status, i;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	for (i = 0; i < 2; i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(dmabuf_transfer(self->fd, self->file.fd, TO, 0, 0, 77) != 77);
	}
	usleep(20000);
	EXPECT_EQ(0, waitpid(pid[0], NULL, WNOHANG));
	kill(pid[0], SIGKILL);
	EXPECT_EQ(pid[0], waitpid(pid[0], &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	EXPECT_EQ(0, waitpid(pid[1], NULL, WNOHANG));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(pid[1], waitpid(pid[1], &status, 0));
	EXPECT_EQ(0, status);
}

/* ----------------------------------------------- while others do the same -- */

#define RACE_ROUNDS	100

struct racer {
	int fd;
	int file;
	size_t size;
	atomic_bool stop;
};

static void *truncate_again_and_again(void *arg)
{
	struct racer *racer = arg;
	off_t at = 0;

	while (!atomic_load(&racer->stop)) {
		at = (at + 7777) % (off_t)racer->size;
		if (ftruncate(racer->file, at) || ftruncate(racer->file, (off_t)racer->size))
			return arg;
	}
	return NULL;
}

/* What was moved is of the file, or zero where it had been cut off. */
TEST_F(transfer, the_file_is_truncated_meanwhile)
{
	struct racer racer = { .file = self->file.fd, .size = self->size };
	pthread_t thread;
	void *failed;
	long got;
	int i;

	if (variant->kind != MEMORY)
		SKIP(return, "for files that shrink");
	ASSERT_EQ(0, pthread_create(&thread, NULL, truncate_again_and_again, &racer));
	for (i = 0; i < RACE_ROUNDS; i++) {
		got = dmabuf_transfer(self->fd, self->file.fd, i & 1 ? FROM : TO, 0, 0, self->size);
		EXPECT_TRUE(got >= 0 && got <= (long)self->size);
	}
	atomic_store(&racer.stop, true);
	ASSERT_EQ(0, pthread_join(thread, &failed));
	EXPECT_EQ(NULL, failed);
}

static void *close_and_open_again(void *arg)
{
	struct racer *racer = arg;
	int spare = xopen("/dev/null", O_RDWR);
	int fd = dup(racer->fd), file = dup(racer->file);

	/* The numbers are other files now and then. */
	while (!atomic_load(&racer->stop)) {
		dup2(spare, racer->file);
		dup2(file, racer->file);
		dup2(spare, racer->fd);
		dup2(fd, racer->fd);
	}
	close(spare);
	close(fd);
	close(file);
	return NULL;
}

TEST_F(transfer, descriptors_are_reused_meanwhile)
{
	struct racer racer = { .fd = self->fd, .file = self->file.fd };
	pthread_t thread;
	long got;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, close_and_open_again, &racer));
	for (i = 0; i < RACE_ROUNDS; i++) {
		got = dmabuf_transfer(racer.fd, racer.file, i & 1 ? FROM : TO, 0, 0, self->size);
		EXPECT_TRUE(got == (long)self->size || got == -EINVAL || got == -ENOTTY)
			TH_LOG("%s", test_result_str(got));
	}
	atomic_store(&racer.stop, true);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

static void *transfer_in_a_thread(void *arg)
{
	struct racer *racer = arg;
	long i, got;

	for (i = 0; i < 20; i++) {
		got = dmabuf_transfer(racer->fd, racer->file, i & 1 ? FROM : TO, 0, 0, racer->size);
		if (got != (long)racer->size)
			return (void *)(got ? got : 1);
	}
	return NULL;
}

TEST_F(transfer, many_at_a_time)
{
	struct racer racer = { self->fd, self->file.fd, self->size, false };
	pthread_t threads[4];
	void *failed;
	int i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, transfer_in_a_thread, &racer));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &failed));
		EXPECT_EQ(NULL, failed);
	}
}

/* -------------------------------------------------------- a memfd's own -- */

/* The pages of the file are those of the buffer. */
TEST(the_memfd_of_the_buffer)
{
	size_t size = PAGES * page_size();
	int dev, memfd, direct, fd, i;
	char path[64];

	dev = xopen(UDMABUF_NODE, O_RDWR);
	if (dev < 0)
		SKIP(return, "no " UDMABUF_NODE);
	ASSERT_GIVES(memfd, memfd_good(size));
	ASSERT_GIVES(fd, create(dev, memfd, 0, size));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	ASSERT_GIVES(direct, xopen(path, O_RDWR | O_DIRECT));
	ASSERT_EQ(0, dmabuf_fill(fd, size, SEED));
	for (i = 0; i < 4; i++) {
		__u32 flags = (i & 1 ? FROM : TO) | (i & 2 ? DIRECT : 0);
		int file = i & 2 ? direct : memfd;

		EXPECT_EQ((long)size, dmabuf_transfer(fd, file, flags, 0, 0, size));
		EXPECT_EQ(0, dmabuf_verify(fd, size, SEED));
		/* Copies overlap here; what they give is not defined. */
		EXPECT_EQ((long)page_size(),
			  dmabuf_transfer(fd, file, flags, 0, page_size() / 2,
					  page_size()));
		ASSERT_EQ(0, dmabuf_fill(fd, size, SEED));
	}
	close(fd);
	close(direct);
	close(memfd);
	close(dev);
}

/* ---------------------------------------------------------- long transfers -- */

FIXTURE(long_transfer) {
	int fd;
	struct target file;
	long buffers;
};

FIXTURE_VARIANT(long_transfer) {
	enum kind kind;
};

FIXTURE_VARIANT_ADD(long_transfer, memfd) { MEMORY };
FIXTURE_VARIANT_ADD(long_transfer, ram) { RAM };
FIXTURE_VARIANT_ADD(long_transfer, loop) { LOOP };

FIXTURE_SETUP(long_transfer)
{
	self->buffers = count_buffers();
	self->fd = heap_alloc_from("system", LONG + page_size());
	if (self->fd == -ENOENT || self->fd == -ENOMEM)
		SKIP(return, "no such buffer");
	ASSERT_LE(0, self->fd);
	if (target_open(&self->file, variant->kind, LONG + page_size()) < 0)
		SKIP(return, "no such file");
}

FIXTURE_TEARDOWN(long_transfer)
{
	target_close(&self->file);
	close(self->fd);
	EXPECT_TRUE(buffers_settle(self->buffers));
}

/* More requests than are in flight, with a head and a tail that are not aligned. */
TEST_F(long_transfer, both_ways)
{
	static const size_t heads[] = { 0, 512, 100 };
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(heads); i++) {
		len = LONG + 1000 - 2 * heads[i];
		ASSERT_EQ(0, dmabuf_fill(self->fd, LONG + page_size(), SEED + i));
		ASSERT_EQ((long)len, dmabuf_transfer(self->fd, self->file.fd, TO, heads[i],
						     heads[i], len));
		ASSERT_EQ(0, dmabuf_fill(self->fd, LONG + page_size(), 0));
		ASSERT_EQ(0, fsync(self->file.fd));
		ASSERT_EQ((long)len, dmabuf_transfer(self->fd, self->file.fd, FROM, heads[i],
						     heads[i], len));
		ASSERT_EQ((long)(len - 4096),
			  dmabuf_transfer(self->fd, self->file.fd, TO, heads[i] + 4096,
					  heads[i] + 4096, len - 4096));
		ASSERT_EQ((long)len, dmabuf_transfer(self->fd, self->file.fd, FROM, heads[i],
						     heads[i], len));
		if (!heads[i])
			ASSERT_TRUE(file_matches(self->file.fd, 0, len, SEED + i));
	}
}

/* The call ends after what is in flight, and holds nothing then. */
TEST_F(long_transfer, killed_in_the_middle)
{
	int i, status;
	pid_t pid;

	for (i = 0; i < 12; i++) {
		pid = fork();
		if (!pid) {
			for (;;)
				if (dmabuf_transfer(self->fd, self->file.fd, i & 1 ? FROM : TO,
						    0, 0, LONG) != (long)LONG)
					_exit(1);
		}
		usleep((useconds_t)(rand() % 40000));
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
	}
}

/* The transfer holds both files. */
TEST_F(long_transfer, both_are_closed_meanwhile)
{
	struct racer racer = { .size = LONG };
	pthread_t thread;
	void *failed;
	int i;

	for (i = 0; i < 8; i++) {
		racer.fd = dup(self->fd);
		racer.file = dup(self->file.fd);
		ASSERT_EQ(0, pthread_create(&thread, NULL, transfer_in_a_thread, &racer));
		usleep((useconds_t)(rand() % 20000));
		close(racer.fd);
		close(racer.file);
		ASSERT_EQ(0, pthread_join(thread, &failed));
		EXPECT_TRUE(!failed || failed == (void *)-EBADF);
	}
}

TEST_HARNESS_MAIN
