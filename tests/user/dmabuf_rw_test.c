// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dma-buf is a file: read, write, seek, splice and sendfile on buffers of each
 * exporter that a guest has, compared with what a mapping shows.
 *
 * Fences come from sw_sync, through DMA_BUF_IOCTL_IMPORT_SYNC_FILE. Sizes and
 * positions are bytes.
 */
#include "exporters.h"

#include <signal.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>

#define PAGES	9
#define SEED	5

FIXTURE(rw) {
	size_t size;
	int fd;
	int timeline;
	unsigned char *bytes;	/* of the program */
	long buffers;
	int fds;
};

FIXTURE_VARIANT(rw) {
	enum exporter exporter;
};

FIXTURE_VARIANT_ADD(rw, system) { .exporter = SYSTEM };
FIXTURE_VARIANT_ADD(rw, cma) { .exporter = CMA };
FIXTURE_VARIANT_ADD(rw, udmabuf) { .exporter = UDMABUF };
FIXTURE_VARIANT_ADD(rw, vgem) { .exporter = VGEM };

FIXTURE_SETUP(rw)
{
	self->bytes = NULL;
	self->timeline = -1;
	self->buffers = count_buffers();
	self->fds = count_open_fds();
	self->size = PAGES * page_size();
	self->fd = buffer_new(variant->exporter, self->size);
	if (self->fd == -ENOENT || self->fd == -ENODEV)
		SKIP(return, "no such exporter");
	ASSERT_LE(0, self->fd);
	self->bytes = malloc(self->size);
	self->timeline = sw_sync_open();
}

FIXTURE_TEARDOWN(rw)
{
	free(self->bytes);
	if (self->timeline >= 0)
		close(self->timeline);
	if (self->fd >= 0)
		close(self->fd);
	EXPECT_EQ(self->fds, count_open_fds());
	EXPECT_TRUE(buffers_settle(self->buffers));
}

/* ---------------------------------------------------------------- bytes -- */

TEST_F(rw, what_is_written_is_in_the_mapping)
{
	pattern_fill(self->bytes, self->size, SEED);
	EXPECT_EQ((ssize_t)self->size, write(self->fd, self->bytes, self->size));
	EXPECT_EQ(0, dmabuf_verify(self->fd, self->size, SEED));
}

TEST_F(rw, what_is_in_the_mapping_is_read)
{
	ASSERT_EQ(0, dmabuf_fill(self->fd, self->size, SEED));
	EXPECT_EQ((ssize_t)self->size, read(self->fd, self->bytes, self->size));
	EXPECT_EQ(self->size, pattern_check(self->bytes, self->size, SEED));
	EXPECT_EQ(0, read(self->fd, self->bytes, self->size));
}

TEST_F(rw, new_memory_is_zero)
{
	memset(self->bytes, 0xff, self->size);
	EXPECT_EQ((ssize_t)self->size,
		  pread(self->fd, self->bytes, self->size, 0));
	EXPECT_EQ(self->size, zero_check(self->bytes, self->size));
}

/* Each range of a list of odd ones, against a model in memory. */
TEST_F(rw, ranges)
{
	const size_t page = page_size(), at[] = {
		0, 1, 7, page - 1, page, page + 1, 3 * page - 2, self->size - 1,
	};
	const size_t len[] = { 1, 2, 63, page - 1, page, page + 1, 4 * page + 3 };
	unsigned char *model = malloc(self->size);
	unsigned int seed = 0;
	size_t i, j, n;

	ASSERT_NE(NULL, model);
	memset(model, 0, self->size);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		for (j = 0; j < ARRAY_SIZE(len); j++) {
			n = self->size - at[i];
			n = len[j] < n ? len[j] : n;
			pattern_fill(self->bytes, len[j], ++seed);
			memcpy(model + at[i], self->bytes, n);
			ASSERT_EQ((ssize_t)n, pwrite(self->fd, self->bytes, len[j],
						     (off_t)at[i]));
			memset(self->bytes, 0, len[j]);
			ASSERT_EQ((ssize_t)n, pread(self->fd, self->bytes, len[j],
						    (off_t)at[i]));
			ASSERT_EQ(0, memcmp(self->bytes, model + at[i], n));
		}
	}
	EXPECT_EQ((ssize_t)self->size,
		  pread(self->fd, self->bytes, self->size, 0));
	EXPECT_EQ(0, memcmp(self->bytes, model, self->size));
	free(model);
}

TEST_F(rw, vectors)
{
	char a[3] = "ab", b[5000], c[7] = "cdefgh";
	struct iovec iov[] = {
		{ a, sizeof(a) }, { b, sizeof(b) }, { NULL, 0 }, { c, sizeof(c) },
	};

	memset(b, 'x', sizeof(b));
	EXPECT_EQ(5010, pwritev(self->fd, iov, 4, 4090));
	memset(a, 0, sizeof(a));
	memset(b, 0, sizeof(b));
	memset(c, 0, sizeof(c));
	EXPECT_EQ(5010, preadv2(self->fd, iov, 4, 4090, 0));
	EXPECT_STREQ("ab", a);
	EXPECT_STREQ("cdefgh", c);
	EXPECT_EQ('x', b[4999]);
}

/* ------------------------------------------------------------- position -- */

TEST_F(rw, position_moves)
{
	char byte = 'p';

	EXPECT_EQ(1, write(self->fd, &byte, 1));
	EXPECT_EQ(1, write(self->fd, &byte, 1));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ('p', byte);
	EXPECT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ('p', byte);
	EXPECT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ(0, byte);
	/* pread leaves it alone. */
	EXPECT_EQ(1, pread(self->fd, &byte, 1, 100));
	EXPECT_EQ((off_t)self->size, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(0, read(self->fd, &byte, 1));
}

TEST_F(rw, seeks)
{
	off_t size = (off_t)self->size;

	/* Graphics drivers keep to the start and the end, as their tests ask. */
	if (variant->exporter == VGEM) {
		EXPECT_REFUSED(EINVAL, sysret(lseek(self->fd, 1, SEEK_SET)));
		EXPECT_REFUSED(EINVAL, sysret(lseek(self->fd, size, SEEK_SET)));
		EXPECT_REFUSED(EINVAL, sysret(lseek(self->fd, -1, SEEK_END)));
		return;
	}
	EXPECT_EQ(10, lseek(self->fd, 10, SEEK_SET));
	EXPECT_EQ(10, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(7, lseek(self->fd, -3, SEEK_CUR));
	EXPECT_EQ(size - 1, lseek(self->fd, -1, SEEK_END));
	EXPECT_EQ(size, lseek(self->fd, size, SEEK_SET));
	EXPECT_REFUSED(EINVAL, sysret(lseek(self->fd, size + 1, SEEK_SET)));
	EXPECT_REFUSED(EINVAL, sysret(lseek(self->fd, -1, SEEK_SET)));
	EXPECT_REFUSED(EINVAL, sysret(lseek(self->fd, 1, SEEK_END)));
	EXPECT_REFUSED(EINVAL, sysret(lseek(self->fd, 0, 99)));
	/* All of it is data, and the hole is at the end. */
	EXPECT_EQ(5, lseek(self->fd, 5, SEEK_DATA));
	EXPECT_EQ(size, lseek(self->fd, 5, SEEK_HOLE));
	EXPECT_REFUSED(ENXIO, sysret(lseek(self->fd, size, SEEK_DATA)));
	EXPECT_REFUSED(ENXIO, sysret(lseek(self->fd, size, SEEK_HOLE)));
}

TEST_F(rw, the_end)
{
	off_t size = (off_t)self->size;

	EXPECT_EQ(3, pread(self->fd, self->bytes, 100, size - 3));
	EXPECT_EQ(0, pread(self->fd, self->bytes, 100, size));
	EXPECT_EQ(0, pread(self->fd, self->bytes, 100, size + 12345));
	EXPECT_EQ(3, pwrite(self->fd, self->bytes, 100, size - 3));
	EXPECT_REFUSED(ENOSPC, sysret(pwrite(self->fd, self->bytes, 1, size)));
	EXPECT_REFUSED(ENOSPC, sysret(pwrite(self->fd, self->bytes, 1, 1ll << 50)));
	EXPECT_EQ(0, pwrite(self->fd, self->bytes, 0, size));
	EXPECT_REFUSED(EINVAL, sysret(pread(self->fd, self->bytes, 1, -1)));
}

/* ---------------------------------------------------------------- modes -- */

TEST_F(rw, access_mode)
{
	int heap, fd;

	if (variant->exporter != SYSTEM)
		SKIP(return, "no way to choose the mode");
	ASSERT_GIVES(heap, heap_open("system"));
	ASSERT_GIVES(fd, heap_alloc_flags(heap, self->size, O_RDONLY | O_CLOEXEC, 0));
	EXPECT_EQ(1, read(fd, self->bytes, 1));
	EXPECT_REFUSED(EBADF, sysret(write(fd, self->bytes, 1)));
	close(fd);
	ASSERT_GIVES(fd, heap_alloc_flags(heap, self->size, O_WRONLY | O_CLOEXEC, 0));
	EXPECT_EQ(1, write(fd, self->bytes, 1));
	EXPECT_REFUSED(EBADF, sysret(read(fd, self->bytes, 1)));
	close(fd);
	close(heap);
}

TEST_F(rw, append_is_refused)
{
	struct iovec iov = { self->bytes, 1 };

	EXPECT_REFUSED(EINVAL, sysret(fcntl(self->fd, F_SETFL, O_APPEND)));
	EXPECT_REFUSED(EINVAL, sysret(pwritev2(self->fd, &iov, 1, 0, RWF_APPEND)));
}

/* --------------------------------------------------------------- fences -- */

TEST_F(rw, waits_only_if_it_may)
{
	struct iovec iov = { self->bytes, 1 };

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_READ));
	EXPECT_EQ(1, preadv2(self->fd, &iov, 1, 0, RWF_NOWAIT));
	EXPECT_REFUSED(EAGAIN, sysret(pwritev2(self->fd, &iov, 1, 0, RWF_NOWAIT)));
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 2, DMA_BUF_SYNC_WRITE));
	EXPECT_REFUSED(EAGAIN, sysret(preadv2(self->fd, &iov, 1, 0, RWF_NOWAIT)));

	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_REFUSED(EAGAIN, sysret(pread(self->fd, self->bytes, 1, 0)));
	EXPECT_REFUSED(EAGAIN, sysret(pwrite(self->fd, self->bytes, 1, 0)));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 2));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
	EXPECT_EQ(1, pread(self->fd, self->bytes, 1, 0));
	EXPECT_EQ(1, pwrite(self->fd, self->bytes, 1, 0));
}

static void on_alarm(int signal)
{
	(void)signal;
}

TEST_F(rw, a_wait_ends_with_a_signal)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval soon = {
		.it_value.tv_usec = 20000, .it_interval.tv_usec = 20000,
	}, never = { 0 };

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	EXPECT_REFUSED(EINTR, sysret(pread(self->fd, self->bytes, 1, 0)));
	EXPECT_REFUSED(EINTR, sysret(pwrite(self->fd, self->bytes, 1, 0)));
	EXPECT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
}

/* A child that reads a byte, and has not done so yet; it exits with 0 if it can. */
static pid_t reader_start(int fd)
{
	pid_t pid = fork();
	char byte;

	if (!pid)
		_exit(pread(fd, &byte, 1, 0) == 1 ? 0 : 1);
	usleep(20000);
	return waitpid(pid, NULL, WNOHANG) ? -1 : pid;
}

TEST_F(rw, a_wait_ends_with_the_fence)
{
	pid_t pid;
	int status;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	pid = reader_start(self->fd);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(rw, a_wait_can_be_killed)
{
	pid_t pid;
	int status;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	pid = reader_start(self->fd);
	ASSERT_LT(0, pid);
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* --------------------------------------------------------- user memory -- */

TEST_F(rw, bad_memory_half_way)
{
	size_t page = page_size();
	char *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, two);
	memset(two, 's', page);
	ASSERT_EQ(0, mprotect(two + page, page, PROT_NONE));
	EXPECT_EQ(100, pwrite(self->fd, two + page - 100, 200, 0));
	EXPECT_EQ(100, pread(self->fd, two + page - 100, 200, 0));
	EXPECT_REFUSED(EFAULT, sysret(pwrite(self->fd, two + page, 1, 0)));
	EXPECT_REFUSED(EFAULT, sysret(pread(self->fd, two + page, 1, 0)));
	munmap(two, 2 * page);
}

/* A mapping of the same buffer that has not been touched yet. */
TEST_F(rw, memory_of_the_same_buffer)
{
	size_t half = (PAGES / 2) * page_size();
	unsigned char *mem;

	pattern_fill(self->bytes, half, SEED);
	ASSERT_EQ((ssize_t)half, pwrite(self->fd, self->bytes, half, 0));
	ASSERT_EQ(0, map_rw(self->fd, self->size, (void **)&mem));
	EXPECT_EQ((ssize_t)half, pread(self->fd, mem + half, half, 0));
	EXPECT_EQ(half, pattern_check(mem + half, half, SEED));
	munmap(mem, self->size);
	ASSERT_EQ(0, map_rw(self->fd, self->size, (void **)&mem));
	memset(mem, 0, half);
	EXPECT_EQ((ssize_t)half, pwrite(self->fd, mem + half, half, 0));
	EXPECT_EQ(half, pattern_check(mem, half, SEED));
	munmap(mem, self->size);
}

/* --------------------------------------------------------------- splice -- */

/* Through a pipe, a piece at a time. */
static ssize_t through_a_pipe(int from, off_t *from_at, int to, off_t *to_at,
			      size_t len)
{
	ssize_t in, out, done = 0;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	while (len) {
		in = splice(from, from_at, ends[1], NULL, len, 0);
		if (in <= 0)
			break;
		len -= (size_t)in;
		for (; in; in -= out, done += out) {
			out = splice(ends[0], NULL, to, to_at, (size_t)in, 0);
			if (out <= 0)
				break;
		}
	}
	close(ends[0]);
	close(ends[1]);
	return done;
}

TEST_F(rw, splice_from_and_to_a_file)
{
	off_t from = 0, to = 0;
	int file;

	ASSERT_GIVES(file, sysret(memfd_create("splice", MFD_CLOEXEC)));
	ASSERT_EQ(0, dmabuf_fill(self->fd, self->size, SEED));
	EXPECT_EQ((ssize_t)self->size,
		  through_a_pipe(self->fd, &from, file, &to, self->size + 99));
	EXPECT_EQ((ssize_t)self->size, pread(file, self->bytes, self->size, 0));
	EXPECT_EQ(self->size, pattern_check(self->bytes, self->size, SEED));

	pattern_fill(self->bytes, self->size, SEED + 1);
	ASSERT_EQ((ssize_t)self->size, pwrite(file, self->bytes, self->size, 0));
	from = 0;
	to = 0;
	EXPECT_EQ((ssize_t)self->size,
		  through_a_pipe(file, &from, self->fd, &to, self->size));
	EXPECT_EQ(0, dmabuf_verify(self->fd, self->size, SEED + 1));
	close(file);
}

TEST_F(rw, splice_at_odd_positions)
{
	size_t len = 2 * page_size() + 17;
	off_t from = 4090, to = 3;
	int file;

	ASSERT_GIVES(file, sysret(memfd_create("splice", MFD_CLOEXEC)));
	ASSERT_EQ(0, dmabuf_fill(self->fd, self->size, SEED));
	EXPECT_EQ((ssize_t)len, through_a_pipe(self->fd, &from, file, &to, len));
	EXPECT_EQ((ssize_t)len, pread(file, self->bytes, len, 3));
	for (size_t i = 0; i < len; i++)
		ASSERT_EQ(pattern_byte(SEED, 4090 + i), self->bytes[i]);
	close(file);
}

TEST_F(rw, sendfile_both_ways)
{
	off_t at = 0;
	int file;

	ASSERT_GIVES(file, sysret(memfd_create("sendfile", MFD_CLOEXEC)));
	ASSERT_EQ(0, dmabuf_fill(self->fd, self->size, SEED));
	EXPECT_EQ((ssize_t)self->size, sendfile(file, self->fd, &at, self->size));
	EXPECT_EQ((ssize_t)self->size, pread(file, self->bytes, self->size, 0));
	EXPECT_EQ(self->size, pattern_check(self->bytes, self->size, SEED));

	ASSERT_EQ(0, dmabuf_fill(self->fd, self->size, SEED + 1));
	at = 0;
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ((ssize_t)self->size, sendfile(self->fd, file, &at, self->size));
	EXPECT_EQ(0, dmabuf_verify(self->fd, self->size, SEED));
	close(file);
}

TEST_F(rw, socket_both_ways)
{
	int ends[2], page = (int)page_size();
	off_t at = 0;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	ASSERT_EQ(0, dmabuf_fill(self->fd, self->size, SEED));
	EXPECT_EQ(page, sendfile(ends[0], self->fd, &at, (size_t)page));
	EXPECT_EQ(page, recv(ends[1], self->bytes, (size_t)page, MSG_WAITALL));
	EXPECT_EQ((size_t)page, pattern_check(self->bytes, (size_t)page, SEED));

	EXPECT_EQ(page, send(ends[1], self->bytes, (size_t)page, 0));
	at = page;
	EXPECT_EQ(page, through_a_pipe(ends[0], NULL, self->fd, &at, (size_t)page));
	EXPECT_EQ(page, pread(self->fd, self->bytes, (size_t)page, page));
	EXPECT_EQ((size_t)page, pattern_check(self->bytes, (size_t)page, SEED));
	close(ends[0]);
	close(ends[1]);
}

TEST_F(rw, vmsplice_and_tee)
{
	struct iovec iov = { self->bytes, 1000 };
	int ends[2], more[2];
	off_t at = 10;

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(more, O_CLOEXEC));
	pattern_fill(self->bytes, 1000, SEED);
	EXPECT_EQ(1000, vmsplice(ends[1], &iov, 1, 0));
	EXPECT_EQ(1000, tee(ends[0], more[1], 1000, 0));
	EXPECT_EQ(1000, splice(ends[0], NULL, self->fd, &at, 1000, 0));
	at = 5000;
	EXPECT_EQ(1000, splice(more[0], NULL, self->fd, &at, 1000, 0));
	memset(self->bytes, 0, 1000);
	EXPECT_EQ(1000, pread(self->fd, self->bytes, 1000, 10));
	EXPECT_EQ((size_t)1000, pattern_check(self->bytes, 1000, SEED));
	EXPECT_EQ(1000, pread(self->fd, self->bytes, 1000, 5000));
	EXPECT_EQ((size_t)1000, pattern_check(self->bytes, 1000, SEED));
	close(ends[0]);
	close(ends[1]);
	close(more[0]);
	close(more[1]);
}

/* What is in a pipe stays what it is when the buffer is gone and others came. */
TEST_F(rw, a_pipe_outlives_the_buffer)
{
	size_t len = 4 * page_size();
	int ends[2], i, fd;
	off_t at = 0;

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	ASSERT_EQ(0, dmabuf_fill(self->fd, self->size, SEED));
	EXPECT_EQ((ssize_t)len, splice(self->fd, &at, ends[1], NULL, len, 0));
	close(self->fd);
	EXPECT_TRUE(buffers_settle(self->buffers));
	for (i = 0; i < 8; i++) {
		fd = buffer_new(variant->exporter, self->size);
		ASSERT_LE(0, fd);
		EXPECT_EQ(0, dmabuf_fill(fd, self->size, SEED + 1));
		close(fd);
	}
	EXPECT_EQ((ssize_t)len, read(ends[0], self->bytes, len));
	EXPECT_EQ(len, pattern_check(self->bytes, len, SEED));
	close(ends[0]);
	close(ends[1]);
	self->fd = -1;
}

TEST_F(rw, splice_waits_only_if_it_may)
{
	int ends[2];
	off_t at = 0;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	EXPECT_REFUSED(EAGAIN, sysret(splice(self->fd, &at, ends[1], NULL, 1,
					     SPLICE_F_NONBLOCK)));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_REFUSED(EAGAIN, sysret(splice(self->fd, &at, ends[1], NULL, 1, 0)));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(1, splice(self->fd, &at, ends[1], NULL, 1, 0));
	close(ends[0]);
	close(ends[1]);
}

TEST_HARNESS_MAIN
