// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapped heap buffers as registered buffers of io_uring: pages that the kernel
 * keeps for as long as the ring lives, whatever becomes of the buffer. And
 * buffers as files that io_uring reads, writes and polls.
 */
#include "uring.h"

#define URING_SIZE	(2u << 20)

static int ring_register(struct uring *ring, void *mem, size_t size)
{
	struct iovec iov = { .iov_base = mem, .iov_len = size };

	return (int)sysret(syscall(SYS_io_uring_register, ring->fd,
				   IORING_REGISTER_BUFFERS, &iov, 1));
}

static int ring_unregister(struct uring *ring)
{
	return (int)sysret(syscall(SYS_io_uring_register, ring->fd,
				   IORING_UNREGISTER_BUFFERS, NULL, 0));
}

/* One read or write at the start of @file; what it transferred, or -errno. */
static int ring_transfer(struct uring *ring, int opcode, int file, void *mem, size_t len)
{
	uring_sqe_rw(ring, opcode, file, mem, len, 0);
	return uring_run(ring);
}

FIXTURE(uring) {
	struct uring ring;
	int heap;
	int buffer;
	int file;
	void *mem;
	char *scratch;
};

FIXTURE_SETUP(uring)
{
	if (!uring_exists())
		SKIP(return, "no io_uring");
	self->heap = heap_open("system");
	if (self->heap < 0)
		SKIP(return, "no system heap");
	ASSERT_EQ(0, uring_open(&self->ring, 8, 0));
	ASSERT_GIVES(self->buffer, heap_alloc(self->heap, URING_SIZE));
	ASSERT_EQ(0, map_rw(self->buffer, URING_SIZE, &self->mem));
	ASSERT_GIVES(self->file, memfd_create("uring", MFD_CLOEXEC));
	ASSERT_EQ(0, ftruncate(self->file, URING_SIZE));
	self->scratch = malloc(URING_SIZE);
	ASSERT_NE(NULL, self->scratch);
}

FIXTURE_TEARDOWN(uring)
{
	if (!self->scratch)
		return;
	free(self->scratch);
	close(self->file);
	close(self->heap);
	uring_close(&self->ring);
}

TEST_F(uring, reads_and_writes_registered_pages)
{
	/* Registering is what touches the pages first. */
	ASSERT_EQ(0, ring_register(&self->ring, self->mem, URING_SIZE));

	pattern_fill(self->scratch, URING_SIZE, 21);
	ASSERT_EQ((ssize_t)URING_SIZE, pwrite(self->file, self->scratch, URING_SIZE, 0));
	ASSERT_EQ((int)URING_SIZE, ring_transfer(&self->ring, IORING_OP_READ_FIXED,
						 self->file, self->mem, URING_SIZE));
	EXPECT_EQ(URING_SIZE, pattern_check(self->mem, URING_SIZE, 21));

	pattern_fill(self->mem, URING_SIZE, 22);
	ASSERT_EQ((int)URING_SIZE, ring_transfer(&self->ring, IORING_OP_WRITE_FIXED,
						 self->file, self->mem, URING_SIZE));
	ASSERT_EQ((ssize_t)URING_SIZE, pread(self->file, self->scratch, URING_SIZE, 0));
	EXPECT_EQ(URING_SIZE, pattern_check(self->scratch, URING_SIZE, 22));

	EXPECT_EQ(0, ring_unregister(&self->ring));
	munmap(self->mem, URING_SIZE);
	close(self->buffer);
}

TEST_F(uring, registers_what_is_mapped_and_touched)
{
	pattern_fill(self->mem, URING_SIZE, 23);
	ASSERT_EQ(0, ring_register(&self->ring, self->mem, URING_SIZE));
	ASSERT_EQ((int)URING_SIZE, ring_transfer(&self->ring, IORING_OP_WRITE_FIXED,
						 self->file, self->mem, URING_SIZE));
	ASSERT_EQ((ssize_t)URING_SIZE, pread(self->file, self->scratch, URING_SIZE, 0));
	EXPECT_EQ(URING_SIZE, pattern_check(self->scratch, URING_SIZE, 23));
	munmap(self->mem, URING_SIZE);
	close(self->buffer);
}

/* The ring pins the pages: no other buffer gets them before it unpins them. */
TEST_F(uring, keeps_pages_from_the_next_owner)
{
	long before = count_buffers();
	void *mem[8];
	int fd[8], i;

	ASSERT_EQ(0, ring_register(&self->ring, self->mem, URING_SIZE));
	munmap(self->mem, URING_SIZE);
	close(self->buffer);
	if (before > 0)
		EXPECT_TRUE(buffers_settle(before - 1));

	for (i = 0; i < 8; i++) {
		ASSERT_GIVES(fd[i], heap_alloc(self->heap, URING_SIZE));
		ASSERT_EQ(0, map_rw(fd[i], URING_SIZE, &mem[i]));
		ASSERT_EQ(URING_SIZE, zero_check(mem[i], URING_SIZE));
	}

	memset(self->scratch, 0xa5, URING_SIZE);
	ASSERT_EQ((ssize_t)URING_SIZE, pwrite(self->file, self->scratch, URING_SIZE, 0));
	ASSERT_EQ((int)URING_SIZE, ring_transfer(&self->ring, IORING_OP_READ_FIXED,
						 self->file, self->mem, URING_SIZE));
	for (i = 0; i < 8; i++) {
		EXPECT_EQ(URING_SIZE, zero_check(mem[i], URING_SIZE));
		munmap(mem[i], URING_SIZE);
		close(fd[i]);
	}

	/* What the ring gives back is clean when it comes round again. */
	EXPECT_EQ(0, ring_unregister(&self->ring));
	for (i = 0; i < 8; i++) {
		ASSERT_GIVES(fd[i], heap_alloc(self->heap, URING_SIZE));
		ASSERT_EQ(0, map_rw(fd[i], URING_SIZE, &mem[i]));
		EXPECT_EQ(URING_SIZE, zero_check(mem[i], URING_SIZE));
		munmap(mem[i], URING_SIZE);
		close(fd[i]);
	}
}

/* Memory which has to come back when it is wanted cannot be kept for long. */
TEST_F(uring, is_refused_contiguous_memory)
{
	int cma, fd;
	void *mem;

	munmap(self->mem, URING_SIZE);
	close(self->buffer);
	cma = heap_open("default_cma_region");
	if (cma < 0)
		SKIP(return, "no CMA region");

	ASSERT_GIVES(fd, heap_alloc(cma, URING_SIZE));
	ASSERT_EQ(0, map_rw(fd, URING_SIZE, &mem));
	EXPECT_REFUSED(EFAULT, ring_register(&self->ring, mem, URING_SIZE));
	pattern_fill(mem, URING_SIZE, 24);
	EXPECT_REFUSED(EFAULT, ring_register(&self->ring, mem, URING_SIZE));
	EXPECT_EQ(URING_SIZE, pattern_check(mem, URING_SIZE, 24));
	munmap(mem, URING_SIZE);
	close(fd);
	close(cma);
}

/* The buffer as the file that is read and written. */
TEST_F(uring, a_buffer_is_a_file)
{
	pattern_fill(self->mem, URING_SIZE, 1);
	EXPECT_EQ(4096, ring_transfer(&self->ring, IORING_OP_READ, self->buffer,
				      self->scratch, 4096));
	EXPECT_EQ((size_t)4096, pattern_check(self->scratch, 4096, 1));
	pattern_fill(self->scratch, 4096, 2);
	EXPECT_EQ(4096, ring_transfer(&self->ring, IORING_OP_WRITE, self->buffer,
				      self->scratch, 4096));
	EXPECT_EQ((size_t)4096, pattern_check(self->mem, 4096, 2));
}

/* Several pieces at once, and memory that the ring has pinned. */
TEST_F(uring, a_buffer_is_a_file_for_vectors_and_registered_memory)
{
	struct iovec iov[2] = {
		{ .iov_base = self->scratch + 100, .iov_len = 1000 },
		{ .iov_base = self->scratch + 1100, .iov_len = 5000 },
	};
	char *fixed;

	pattern_fill(self->mem, URING_SIZE, 4);
	EXPECT_EQ(6000, ring_transfer(&self->ring, IORING_OP_READV, self->buffer, iov, 2));
	EXPECT_EQ((size_t)6000, pattern_check(self->scratch + 100, 6000, 4));
	pattern_fill(self->scratch + 100, 6000, 5);
	EXPECT_EQ(6000, ring_transfer(&self->ring, IORING_OP_WRITEV, self->buffer, iov, 2));
	EXPECT_EQ((size_t)6000, pattern_check(self->mem, 6000, 5));

	fixed = mmap(NULL, URING_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)fixed);
	ASSERT_EQ(0, ring_register(&self->ring, fixed, URING_SIZE));
	pattern_fill(self->mem, URING_SIZE, 6);
	EXPECT_EQ((int)URING_SIZE, ring_transfer(&self->ring, IORING_OP_READ_FIXED,
						 self->buffer, fixed, URING_SIZE));
	EXPECT_EQ(URING_SIZE, pattern_check(fixed, URING_SIZE, 6));
	pattern_fill(fixed, URING_SIZE, 7);
	EXPECT_EQ((int)URING_SIZE, ring_transfer(&self->ring, IORING_OP_WRITE_FIXED,
						 self->buffer, fixed, URING_SIZE));
	EXPECT_EQ(URING_SIZE, pattern_check(self->mem, URING_SIZE, 7));
	EXPECT_EQ(0, ring_unregister(&self->ring));
	munmap(fixed, URING_SIZE);
	EXPECT_EQ(0, uring_workers());
}

/* Registered memory that is a mapping of the very buffer. */
TEST_F(uring, a_buffer_is_read_into_itself)
{
	ASSERT_EQ(0, ring_register(&self->ring, self->mem, URING_SIZE));
	pattern_fill(self->mem, URING_SIZE, 8);
	EXPECT_EQ(4096, ring_transfer(&self->ring, IORING_OP_READ_FIXED, self->buffer,
				      (char *)self->mem + 8192, 4096));
	EXPECT_EQ((size_t)4096, pattern_check((char *)self->mem + 8192, 4096, 8));
	EXPECT_EQ(0, ring_unregister(&self->ring));
}

struct delayed {
	int opcode;
	__u32 fence;
	int seed;
};

/*
 * Each request is polled for, without a thread, and done when the fence has
 * signaled.
 */
TEST_F(uring, requests_complete_after_the_fence)
{
	static const struct delayed delayed[] = {
		{ IORING_OP_READ, DMA_BUF_SYNC_WRITE, 31 },
		{ IORING_OP_WRITE, DMA_BUF_SYNC_READ, 32 },
		{ IORING_OP_READ_FIXED, DMA_BUF_SYNC_WRITE, 33 },
		{ IORING_OP_WRITE_FIXED, DMA_BUF_SYNC_WRITE, 34 },
		{ IORING_OP_READV, DMA_BUF_SYNC_WRITE, 35 },
	};
	int timeline = sw_sync_open(), fence;
	struct iovec iov = { .iov_base = self->scratch, .iov_len = 4096 };

	if (timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, ring_register(&self->ring, self->scratch, URING_SIZE));
	for (size_t i = 0; i < ARRAY_SIZE(delayed); i++) {
		const struct delayed *d = &delayed[i];
		bool vector = d->opcode == IORING_OP_READV;
		bool write = d->opcode == IORING_OP_WRITE ||
			     d->opcode == IORING_OP_WRITE_FIXED;
		void *from = write ? self->scratch : self->mem;
		void *to = write ? self->mem : self->scratch;

		ASSERT_GIVES(fence, sw_sync_fence(timeline, i + 1, "device"));
		ASSERT_EQ(0, dmabuf_import_sync_file(self->buffer, d->fence, fence));
		close(fence);
		pattern_fill(from, 4096, d->seed);
		uring_sqe_rw(&self->ring, d->opcode, self->buffer,
			     vector ? (void *)&iov : self->scratch, vector ? 1 : 4096, 0);
		ASSERT_EQ(0, uring_submit(&self->ring, 0));
		usleep(20000);
		EXPECT_EQ(0, uring_ready(&self->ring));
		EXPECT_EQ(0, uring_workers());
		ASSERT_EQ(0, sw_sync_inc(timeline, 1));
		EXPECT_EQ(4096, uring_reap(&self->ring));
		EXPECT_EQ((size_t)4096, pattern_check(to, 4096, d->seed));
	}
	EXPECT_EQ(0, ring_unregister(&self->ring));
	close(timeline);
}

/* One poll request reports each time that the buffer becomes idle. */
TEST_F(uring, multishot_poll_reports_each_fence)
{
	int timeline = sw_sync_open(), fence;
	struct io_uring_sqe *sqe;

	if (timeline < 0)
		SKIP(return, "no sw_sync");
	for (int i = 0; i < 3; i++) {
		ASSERT_GIVES(fence, sw_sync_fence(timeline, i + 1, "device"));
		ASSERT_EQ(0, dmabuf_import_sync_file(self->buffer, DMA_BUF_SYNC_WRITE,
						     fence));
		close(fence);
		if (!i) {
			sqe = uring_sqe(&self->ring);
			sqe->opcode = IORING_OP_POLL_ADD;
			sqe->fd = self->buffer;
			sqe->len = IORING_POLL_ADD_MULTI;
			sqe->poll32_events = POLLIN;
			ASSERT_EQ(0, uring_submit(&self->ring, 0));
		} else {
			/* A poll has to see the fence, to be woken by it. */
			EXPECT_EQ(0, poll_now(self->buffer, POLLIN));
		}
		usleep(20000);
		EXPECT_EQ(0, uring_ready(&self->ring));
		ASSERT_EQ(0, sw_sync_inc(timeline, 1));
		EXPECT_EQ(POLLIN, uring_reap(&self->ring));
	}
	close(timeline);
}

TEST_HARNESS_MAIN
