// SPDX-License-Identifier: GPL-2.0-only
/*
 * Out-fences of DMA_BUF_IOCTL_TRANSFER: when a descriptor is there, what waits for
 * the bytes, and what becomes of the requests when the program goes.
 *
 * The disk is that of scsi_debug, which is memory, and loses its content. In User
 * Mode Linux it answers after 20 ms.
 */
#include "exporters.h"
#include "sys_file.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define SIZE	((size_t)4 << 20)
#define MANY	16
#define SEED	5
#define FROM	DMA_BUF_TRANSFER_FROM_FILE
#define TO	DMA_BUF_TRANSFER_TO_FILE
#define OUT	DMA_BUF_TRANSFER_OUT_FENCE

/* Not any disk: what is on it is lost. */
static int disk_open(void)
{
	char model[32] = "";

	if (file_read("/sys/block/sda/device/model", model, sizeof(model)) < 0 ||
	    strncmp(model, "scsi_debug", 10))
		return -ENOENT;
	return xopen("/dev/sda", O_RDWR);
}

FIXTURE(out) {
	int fd;
	int disk;
	long buffers;
	int fds;
};

FIXTURE_VARIANT(out) {
	enum exporter exporter;
};

FIXTURE_VARIANT_ADD(out, system) { SYSTEM };
FIXTURE_VARIANT_ADD(out, cma) { CMA };
FIXTURE_VARIANT_ADD(out, udmabuf) { UDMABUF };

FIXTURE_SETUP(out)
{
	self->fd = -1;
	self->buffers = count_buffers();
	self->fds = count_open_fds();
	self->disk = disk_open();
	if (self->disk == -ENOENT)
		SKIP(return, "no disk of scsi_debug");
	ASSERT_LE(0, self->disk);
	self->fd = buffer_new(variant->exporter, SIZE);
	if (self->fd == -ENOENT || self->fd == -ENODEV)
		SKIP(return, "no such exporter");
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(out)
{
	if (self->disk >= 0)
		close(self->disk);
	if (self->fd >= 0)
		close(self->fd);
	EXPECT_EQ(self->fds, count_open_fds());
	EXPECT_TRUE(buffers_settle(self->buffers));
}

TEST_F(out, is_a_sync_file)
{
	struct sync_fence_info fence = { 0 };
	struct sync_file_info info = {
		.num_fences = 1, .sync_fence_info = (unsigned long)&fence,
	};
	int out;

	ASSERT_EQ((long)SIZE, dmabuf_transfer_out(self->fd, self->disk, FROM, SIZE, &out));
	ASSERT_LE(0, out);
	EXPECT_EQ(FD_CLOEXEC, fcntl(out, F_GETFD));
	EXPECT_EQ(POLLIN, poll_wait(out, POLLIN, 10000));
	EXPECT_EQ(1, sync_file_status(out));
	ASSERT_EQ(0, xioctl(out, SYNC_IOC_FILE_INFO, &info));
	EXPECT_EQ(1u, info.num_fences);
	EXPECT_EQ(1, fence.status);
	close(out);
}

/* What reads or writes the buffer next waits for the requests by their fence. */
TEST_F(out, has_the_bytes)
{
	int out;

	ASSERT_EQ(0, dmabuf_fill(self->fd, SIZE, SEED));
	ASSERT_EQ((long)SIZE, dmabuf_transfer_out(self->fd, self->disk, TO, SIZE, &out));
	ASSERT_EQ(0, dmabuf_fill(self->fd, SIZE, SEED + 1));
	EXPECT_EQ(1, sync_file_status(out));
	close(out);
	ASSERT_EQ((long)SIZE, dmabuf_transfer_out(self->fd, self->disk, FROM, SIZE, &out));
	EXPECT_EQ(0, dmabuf_verify(self->fd, SIZE, SEED));
	EXPECT_EQ(1, sync_file_status(out));
	close(out);
}

/* Readers of the buffer wait for what writes to it, writers for either. */
TEST_F(out, is_an_implicit_fence)
{
	char byte;
	int out;

	ASSERT_EQ((long)SIZE, dmabuf_transfer_out(self->fd, self->disk, FROM, SIZE, &out));
	EXPECT_EQ(1, pread(self->fd, &byte, 1, 0));
	EXPECT_EQ(1, sync_file_status(out));
	close(out);

	ASSERT_EQ((long)SIZE, dmabuf_transfer_out(self->fd, self->disk, TO, SIZE, &out));
	EXPECT_EQ(1, pwrite(self->fd, &byte, 1, 0));
	EXPECT_EQ(1, sync_file_status(out));
	close(out);

	ASSERT_EQ((long)SIZE, dmabuf_transfer_out(self->fd, self->disk, FROM, SIZE, &out));
	EXPECT_EQ(POLLOUT, poll_wait(self->fd, POLLOUT, 10000));
	EXPECT_EQ(1, sync_file_status(out));
	close(out);
}

/* One after another without a wait in between by the program. */
TEST_F(out, feeds_the_next_in_fence)
{
	struct dma_buf_transfer args = {
		.fd = self->disk, .flags = TO | OUT | DMA_BUF_TRANSFER_IN_FENCE,
		.length = SIZE,
	};
	int first;

	ASSERT_EQ((long)SIZE, dmabuf_transfer_out(self->fd, self->disk, FROM, SIZE, &first));
	args.in_fence = first;
	ASSERT_EQ((long)SIZE, xioctl(self->fd, DMA_BUF_IOCTL_TRANSFER, &args));
	EXPECT_EQ(1, sync_file_status(first));
	EXPECT_EQ(POLLIN, poll_wait(args.out_fence, POLLIN, 10000));
	EXPECT_EQ(1, sync_file_status(args.out_fence));
	close(first);
	close(args.out_fence);
}

TEST_F(out, many_at_a_time)
{
	int fd[MANY], out[MANY], i;

	for (i = 0; i < MANY; i++) {
		fd[i] = buffer_new(variant->exporter, 1 << 16);
		ASSERT_LE(0, fd[i]);
		ASSERT_EQ(1 << 16,
			  dmabuf_transfer_out(fd[i], self->disk, FROM, 1 << 16, &out[i]));
		/* The requests hold the buffer. */
		close(fd[i]);
	}
	for (i = 0; i < MANY; i++) {
		EXPECT_EQ(POLLIN, poll_wait(out[i], POLLIN, 10000));
		EXPECT_EQ(1, sync_file_status(out[i]));
		close(out[i]);
	}
}

/* Nobody waits for the requests of a program that is killed, and all is released. */
TEST_F(out, the_program_is_killed)
{
	pid_t pid = fork();
	int out;

	if (!pid) {
		for (;;)
			dmabuf_transfer_out(self->fd, self->disk, FROM, SIZE, &out);
	}
	usleep(30000);
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ((long)SIZE, dmabuf_transfer(self->fd, self->disk, FROM, 0, 0, SIZE));
}

/* The kernel repeats a call that was stopped, with what it has told already. */
TEST_F(out, a_call_is_repeated)
{
	int timeline = sw_sync_open(), in, status;
	struct dma_buf_transfer args = {
		.fd = self->disk, .flags = FROM | OUT | DMA_BUF_TRANSFER_IN_FENCE,
		.length = SIZE,
	};
	pid_t pid;

	if (timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_GIVES(in, sw_sync_fence(timeline, 1, "in"));
	args.in_fence = in;
	pid = fork();
	if (!pid)
		_exit(xioctl(self->fd, DMA_BUF_IOCTL_TRANSFER, &args) != (int)SIZE);
	usleep(20000);
	kill(pid, SIGSTOP);
	EXPECT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	EXPECT_TRUE(WIFSTOPPED(status));
	kill(pid, SIGCONT);
	usleep(20000);
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	ASSERT_EQ(0, sw_sync_inc(timeline, 1));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(in);
	close(timeline);
}

TEST_F(out, the_end_of_the_disk)
{
	struct dma_buf_transfer args = { .fd = self->disk, .length = SIZE };
	__u64 end = lseek(self->disk, 0, SEEK_END);

	args.flags = FROM | OUT;
	args.file_offset = end - 8192;
	ASSERT_EQ(8192, xioctl(self->fd, DMA_BUF_IOCTL_TRANSFER, &args));
	EXPECT_EQ(POLLIN, poll_wait(args.out_fence, POLLIN, 10000));
	EXPECT_EQ(1, sync_file_status(args.out_fence));
	close(args.out_fence);

	args.file_offset = end;
	EXPECT_EQ(0, xioctl(self->fd, DMA_BUF_IOCTL_TRANSFER, &args));
	args.flags = TO | OUT;
	EXPECT_REFUSED(ENOSPC, xioctl(self->fd, DMA_BUF_IOCTL_TRANSFER, &args));
}

/* Without a descriptor, or a place to tell it, nothing moves. */
TEST_F(out, no_place_for_the_descriptor)
{
	struct rlimit was, none;
	struct dma_buf_transfer args = {
		.fd = self->disk, .flags = FROM | OUT, .length = SIZE,
	}, *shared;
	int out;

	shared = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	*shared = args;
	ASSERT_EQ(0, mprotect(shared, page_size(), PROT_READ));
	EXPECT_REFUSED(EFAULT, xioctl(self->fd, DMA_BUF_IOCTL_TRANSFER, shared));
	munmap(shared, page_size());

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &was));
	none = was;
	none.rlim_cur = 0;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_REFUSED(EMFILE, dmabuf_transfer_out(self->fd, self->disk, FROM, SIZE, &out));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &was));
	EXPECT_REFUSED(EINVAL, dmabuf_transfer_out(self->fd, self->disk, FROM, 1000, &out));
}

TEST_HARNESS_MAIN
