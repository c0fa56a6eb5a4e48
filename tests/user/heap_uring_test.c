// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapped heap buffers as registered buffers of io_uring: pages that the kernel
 * keeps for as long as the ring lives, whatever becomes of the buffer.
 */
#include "dma_buf_test.h"

#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define URING_SIZE	(2u << 20)

/* A ring for one request at a time. */
struct ring {
	int fd;
	char *mem;
	size_t mem_size;
	struct io_uring_sqe *sqe;
	struct io_uring_params params;
};

static int ring_open(struct ring *ring)
{
	struct io_uring_params *p = &ring->params;
	size_t sq, cq;

	memset(ring, 0, sizeof(*ring));
	ring->fd = (int)sysret(syscall(SYS_io_uring_setup, 1, p));
	if (ring->fd < 0)
		return ring->fd;

	/* Both queues are in one mapping, for as long as there was fixed I/O. */
	sq = p->sq_off.array + p->sq_entries * sizeof(__u32);
	cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	ring->mem_size = sq > cq ? sq : cq;
	ring->mem = mmap(NULL, ring->mem_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQ_RING);
	ring->sqe = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
	return (void *)ring->mem == MAP_FAILED || (void *)ring->sqe == MAP_FAILED ?
	       -errno : 0;
}

static void ring_close(struct ring *ring)
{
	munmap(ring->mem, ring->mem_size);
	munmap(ring->sqe, page_size());
	close(ring->fd);
}

static int ring_register(struct ring *ring, void *mem, size_t size)
{
	struct iovec iov = { .iov_base = mem, .iov_len = size };

	return (int)sysret(syscall(SYS_io_uring_register, ring->fd,
				   IORING_REGISTER_BUFFERS, &iov, 1));
}

static int ring_unregister(struct ring *ring)
{
	return (int)sysret(syscall(SYS_io_uring_register, ring->fd,
				   IORING_UNREGISTER_BUFFERS, NULL, 0));
}

static __u32 *ring_word(struct ring *ring, __u32 at)
{
	return (__u32 *)(ring->mem + at);
}

/* Submit a transfer at the start of @file, and wait for so many completions. */
static int ring_submit(struct ring *ring, int opcode, int file, void *mem,
		       size_t len, unsigned int wait)
{
	const struct io_uring_params *p = &ring->params;
	__u32 tail = *ring_word(ring, p->sq_off.tail);
	long ret;

	memset(ring->sqe, 0, sizeof(*ring->sqe));
	ring->sqe->opcode = (__u8)opcode;
	ring->sqe->fd = file;
	ring->sqe->addr = (unsigned long)mem;
	ring->sqe->len = (__u32)len;
	*ring_word(ring, p->sq_off.array) = 0;
	__atomic_store_n(ring_word(ring, p->sq_off.tail), tail + 1, __ATOMIC_RELEASE);

	ret = sysret(syscall(SYS_io_uring_enter, ring->fd, 1, wait,
			     IORING_ENTER_GETEVENTS, NULL, 0));
	return ret < 0 ? (int)ret : 0;
}

/* Whether something has completed. */
static bool ring_is_done(struct ring *ring)
{
	const struct io_uring_params *p = &ring->params;

	return *ring_word(ring, p->cq_off.head) !=
	       __atomic_load_n(ring_word(ring, p->cq_off.tail), __ATOMIC_ACQUIRE);
}

/* Wait for the completion: what it transferred, or -errno. */
static int ring_reap(struct ring *ring)
{
	const struct io_uring_params *p = &ring->params;
	struct io_uring_cqe *cqes = (void *)(ring->mem + p->cq_off.cqes);
	__u32 head = *ring_word(ring, p->cq_off.head);
	long ret;

	while (!ring_is_done(ring)) {
		ret = sysret(syscall(SYS_io_uring_enter, ring->fd, 0, 1,
				     IORING_ENTER_GETEVENTS, NULL, 0));
		if (ret < 0)
			return (int)ret;
	}
	ret = cqes[head & *ring_word(ring, p->cq_off.ring_mask)].res;
	__atomic_store_n(ring_word(ring, p->cq_off.head), head + 1, __ATOMIC_RELEASE);
	return (int)ret;
}

/* One read or write at the start of @file; what it transferred, or -errno. */
static int ring_transfer(struct ring *ring, int opcode, int file, void *mem, size_t len)
{
	int ret = ring_submit(ring, opcode, file, mem, len, 1);

	return ret ?: ring_reap(ring);
}

FIXTURE(uring) {
	struct ring ring;
	int heap;
	int buffer;
	int file;
	void *mem;
	char *scratch;
};

FIXTURE_SETUP(uring)
{
	if (access("/proc/sys/kernel/io_uring_disabled", F_OK))
		SKIP(return, "no io_uring");
	self->heap = heap_open("system");
	if (self->heap < 0)
		SKIP(return, "no system heap");
	ASSERT_EQ(0, ring_open(&self->ring));
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
	ring_close(&self->ring);
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

/* The request is polled for, and done when the fence has signaled. */
TEST_F(uring, a_read_completes_after_the_fence)
{
	int timeline = sw_sync_open(), fence;

	if (timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_GIVES(fence, sw_sync_fence(timeline, 1, "device"));
	ASSERT_EQ(0, dmabuf_import_sync_file(self->buffer, DMA_BUF_SYNC_WRITE, fence));
	close(fence);
	pattern_fill(self->mem, 4096, 3);
	ASSERT_EQ(0, ring_submit(&self->ring, IORING_OP_READ, self->buffer,
				 self->scratch, 4096, 0));
	usleep(20000);
	EXPECT_FALSE(ring_is_done(&self->ring));
	ASSERT_EQ(0, sw_sync_inc(timeline, 1));
	EXPECT_EQ(4096, ring_reap(&self->ring));
	EXPECT_EQ((size_t)4096, pattern_check(self->scratch, 4096, 3));
	close(timeline);
}

TEST_HARNESS_MAIN
