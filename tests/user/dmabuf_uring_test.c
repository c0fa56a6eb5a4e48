// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands of a dma-buf through io_uring: the answers of the ioctls, starts that
 * wait for a fence without a thread, and every way to end such a wait.
 */
#include "uring.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#define BUFFER_SIZE	(4 * 4096)
#define BATCH		1024

#define START_READ	(DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ)
#define START_WRITE	(DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE)
#define END_READ	(DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ)
#define END_WRITE	(DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE)

/* Long enough for a completion that must not come. */
static bool stays_pending(struct uring *ring)
{
	usleep(20000);
	return !uring_ready(ring);
}

FIXTURE(dmabuf_uring) {
	struct uring ring;
	int heap;
	int buffer;
	int timeline;
	int fds;
	long buffers;
};

FIXTURE_VARIANT(dmabuf_uring) {
	__u32 flags;
};

FIXTURE_VARIANT_ADD(dmabuf_uring, plain) { .flags = 0 };
FIXTURE_VARIANT_ADD(dmabuf_uring, defer) {
	.flags = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER,
};

FIXTURE_VARIANT_ADD(dmabuf_uring, cooperative) {
	.flags = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
};

FIXTURE_VARIANT_ADD(dmabuf_uring, sqpoll) { .flags = IORING_SETUP_SQPOLL };
FIXTURE_VARIANT_ADD(dmabuf_uring, large) {
	.flags = IORING_SETUP_SQE128 | IORING_SETUP_CQE32,
};

FIXTURE_SETUP(dmabuf_uring)
{
	if (!uring_exists())
		SKIP(return, "no io_uring");
	self->heap = heap_open("system");
	if (self->heap < 0)
		SKIP(return, "no system heap");
	self->fds = count_open_fds();
	self->buffers = count_buffers();
	ASSERT_EQ(0, uring_open(&self->ring, 64, variant->flags));
	ASSERT_GIVES(self->buffer, heap_alloc(self->heap, BUFFER_SIZE));
	self->timeline = sw_sync_open();
}

FIXTURE_TEARDOWN(dmabuf_uring)
{
	if (!self->ring.mem)
		return;
	if (self->ring.fd >= 0)
		uring_close(&self->ring);
	if (self->buffer >= 0)
		close(self->buffer);
	/* Nothing may hold the buffer, while the fences are still pending. */
	if (self->buffers >= 0)
		EXPECT_TRUE(buffers_settle(self->buffers));
	if (self->timeline >= 0)
		close(self->timeline);
	EXPECT_EQ(self->fds, count_open_fds());
	close(self->heap);
}

/* ------------------------------------------------------------- answers -- */

/* One command: its result. */
static int run(struct uring *ring, int fd, __u32 cmd_op, __u32 flags)
{
	uring_sqe_dmabuf(ring, fd, cmd_op, flags);
	return uring_run(ring);
}

static int run_partial(struct uring *ring, int fd, __u32 flags, __u64 offset, __u64 length)
{
	struct io_uring_sqe *sqe =
		uring_sqe_dmabuf(ring, fd, DMA_BUF_IOCTL_SYNC_PARTIAL, flags);

	uring_sqe_params(sqe)->offset = offset;
	uring_sqe_params(sqe)->length = length;
	return uring_run(ring);
}

static int run_import(struct uring *ring, int fd, __u32 flags, int sync_file)
{
	struct io_uring_sqe *sqe =
		uring_sqe_dmabuf(ring, fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, flags);

	uring_sqe_params(sqe)->fd = sync_file;
	return uring_run(ring);
}

TEST_F(dmabuf_uring, sync_answers_as_the_ioctl)
{
	for (__u32 flags = 0; flags < 16; flags++) {
		EXPECT_EQ(dmabuf_sync(self->buffer, flags),
			  run(&self->ring, self->buffer, DMA_BUF_IOCTL_SYNC, flags))
			TH_LOG("flags %u", flags);
	}
	EXPECT_REFUSED(EINVAL, run(&self->ring, self->buffer, DMA_BUF_IOCTL_SYNC,
				   1u << 31 | START_READ));
}

TEST_F(dmabuf_uring, sync_partial_answers_as_the_ioctl)
{
	static const __u64 numbers[] = {
		0, 1, 4095, 4096, BUFFER_SIZE - 1, BUFFER_SIZE, BUFFER_SIZE + 1,
		1ull << 32, 1ull << 63, ~0ull,
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers) * ARRAY_SIZE(numbers); i++) {
		__u64 offset = numbers[i / ARRAY_SIZE(numbers)];
		__u64 length = numbers[i % ARRAY_SIZE(numbers)];

		for (__u32 flags = 0; flags < 9; flags++) {
			ASSERT_EQ(dmabuf_sync_partial(self->buffer, flags, offset, length),
				  run_partial(&self->ring, self->buffer, flags, offset,
					      length))
				TH_LOG("flags %u, %llx, %llx", flags, offset, length);
		}
	}
}

TEST_F(dmabuf_uring, exports_a_sync_file)
{
	struct rlimit limit, none;
	int fd;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_GIVES(fd, run(&self->ring, self->buffer, DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
			     DMA_BUF_SYNC_READ));
	EXPECT_EQ(1, sync_file_status(fd));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	close(fd);

	ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1, DMA_BUF_SYNC_READ));
	ASSERT_GIVES(fd, run(&self->ring, self->buffer, DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
			     DMA_BUF_SYNC_READ));
	EXPECT_EQ(1, sync_file_status(fd));
	close(fd);
	ASSERT_GIVES(fd, run(&self->ring, self->buffer, DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
			     DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(0, sync_file_status(fd));
	EXPECT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(1, sync_file_status(fd));
	close(fd);

	EXPECT_REFUSED(EINVAL, run(&self->ring, self->buffer,
				   DMA_BUF_IOCTL_EXPORT_SYNC_FILE, 0));
	EXPECT_REFUSED(EINVAL, run(&self->ring, self->buffer,
				   DMA_BUF_IOCTL_EXPORT_SYNC_FILE, 4));

	/* No free descriptor: nothing below this number is. */
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = 0;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	fd = run(&self->ring, self->buffer, DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
		 DMA_BUF_SYNC_READ);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, fd);
}

TEST_F(dmabuf_uring, imports_a_sync_file)
{
	struct io_uring_sqe *sqe;
	int fence;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_GIVES(fence, sw_sync_fence(self->timeline, 1, "device"));
	EXPECT_EQ(0, run_import(&self->ring, self->buffer, DMA_BUF_SYNC_WRITE, fence));
	EXPECT_EQ(0, poll_now(self->buffer, POLLIN | POLLOUT));

	EXPECT_REFUSED(EINVAL, run_import(&self->ring, self->buffer, 0, fence));
	EXPECT_REFUSED(EINVAL, run_import(&self->ring, self->buffer, 4, fence));
	EXPECT_REFUSED(EINVAL, run_import(&self->ring, self->buffer, DMA_BUF_SYNC_READ, -1));
	EXPECT_REFUSED(EINVAL, run_import(&self->ring, self->buffer, DMA_BUF_SYNC_READ,
					  self->buffer));
	for (int i = 0; i < 3; i++) {
		sqe = uring_sqe_dmabuf(&self->ring, self->buffer,
				       DMA_BUF_IOCTL_IMPORT_SYNC_FILE, DMA_BUF_SYNC_READ);
		uring_sqe_params(sqe)->fd = fence;
		uring_sqe_params(sqe)->reserved[i] = 1;
		EXPECT_REFUSED(EINVAL, uring_run(&self->ring));
	}
	EXPECT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->buffer, POLLIN | POLLOUT));
	close(fence);
}

TEST_F(dmabuf_uring, refuses_what_it_does_not_know)
{
	static const __u32 unknown[] = {
		0, ~0u, (__u32)DMA_BUF_SET_NAME_A, (__u32)DMA_BUF_SET_NAME_B,
		(__u32)DMA_HEAP_IOCTL_ALLOC, (__u32)SYNC_IOC_MERGE,
		(__u32)_IOW('b', 0, __u32), (__u32)_IOR('b', 0, __u64),
		/* Arguments have one size here. */
		(__u32)_IOC(_IOC_WRITE, 'b', 4, 32),
	};
	struct uring *ring = &self->ring;
	struct iovec iov = { .iov_base = ring->mem, .iov_len = 4096 };

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		EXPECT_REFUSED(ENOTTY, run(ring, self->buffer, unknown[i], START_READ));

	uring_sqe_dmabuf(ring, self->buffer, DMA_BUF_IOCTL_SYNC, START_READ)->addr = 1;
	EXPECT_REFUSED(EINVAL, uring_run(ring));
	uring_sqe_dmabuf(ring, self->buffer, DMA_BUF_IOCTL_SYNC, START_READ)->file_index = 1;
	EXPECT_REFUSED(EINVAL, uring_run(ring));
	uring_sqe_dmabuf(ring, self->buffer, DMA_BUF_IOCTL_SYNC, START_READ)->buf_index = 1;
	EXPECT_REFUSED(EINVAL, uring_run(ring));
	uring_sqe_params(uring_sqe_dmabuf(ring, self->buffer, DMA_BUF_IOCTL_SYNC,
					  START_READ))->offset = 1;
	EXPECT_REFUSED(EINVAL, uring_run(ring));
	uring_sqe_params(uring_sqe_dmabuf(ring, self->buffer, DMA_BUF_IOCTL_SYNC,
					  START_READ))->length = BUFFER_SIZE;
	EXPECT_REFUSED(EINVAL, uring_run(ring));
	uring_sqe_params(uring_sqe_dmabuf(ring, self->buffer,
					  DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
					  DMA_BUF_SYNC_READ))->offset = 1;
	EXPECT_REFUSED(EINVAL, uring_run(ring));

	/* With a registered buffer that nothing is to be done with. */
	iov.iov_base = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(0, sysret(syscall(SYS_io_uring_register, ring->fd,
				    IORING_REGISTER_BUFFERS, &iov, 1)));
	uring_sqe_dmabuf(ring, self->buffer, DMA_BUF_IOCTL_SYNC,
			 START_READ)->uring_cmd_flags = IORING_URING_CMD_FIXED;
	EXPECT_REFUSED(EINVAL, uring_run(ring));
	munmap(iov.iov_base, 4096);

	EXPECT_EQ(0, run(ring, self->buffer, DMA_BUF_IOCTL_SYNC, START_READ));
}

TEST(a_polled_ring_is_refused)
{
	struct uring ring;
	int buffer;

	if (!uring_exists())
		SKIP(return, "no io_uring");
	buffer = heap_alloc_from("system", BUFFER_SIZE);
	if (buffer < 0)
		SKIP(return, "no system heap");
	ASSERT_EQ(0, uring_open(&ring, 4, IORING_SETUP_IOPOLL));
	EXPECT_REFUSED(EOPNOTSUPP, run(&ring, buffer, DMA_BUF_IOCTL_SYNC, START_READ));
	EXPECT_REFUSED(EOPNOTSUPP, run(&ring, buffer, DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
				       DMA_BUF_SYNC_READ));
	uring_close(&ring);
	close(buffer);
}

/* ------------------------------------------------------------- waiting -- */

/*
 * Submit a start, and overwrite its entry as soon as the kernel has it: a program
 * may use it for something else.
 */
static int submit_start(struct uring *ring, int fd, __u32 flags, __u64 user_data,
			__u8 sqe_flags)
{
	struct io_uring_sqe *sqe = uring_sqe_dmabuf(ring, fd, DMA_BUF_IOCTL_SYNC, flags);
	__u32 *head = uring_word(ring, ring->params.sq_off.head);
	int ret;

	sqe->user_data = user_data;
	sqe->flags = sqe_flags;
	ret = uring_submit(ring, 0);
	while (!ret && __atomic_load_n(head, __ATOMIC_ACQUIRE) != ring->tail)
		usleep(1000);
	memset(sqe, 0xff, sizeof(*sqe));
	return ret;
}

TEST_F(dmabuf_uring, start_waits_for_the_fence)
{
	struct uring *ring = &self->ring;
	__u64 from;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, submit_start(ring, self->buffer, START_READ, 7, 0));
	EXPECT_TRUE(stays_pending(ring));
	EXPECT_EQ(0, uring_workers());
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(0, uring_reap_from(ring, &from));
	EXPECT_EQ(7u, from);
	EXPECT_EQ(0, run(ring, self->buffer, DMA_BUF_IOCTL_SYNC, END_READ));
}

TEST_F(dmabuf_uring, start_waits_in_a_worker_if_asked_to)
{
	struct uring *ring = &self->ring;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, submit_start(ring, self->buffer, START_READ, 7, IOSQE_ASYNC));
	EXPECT_TRUE(stays_pending(ring));
	EXPECT_LT(0, uring_workers());
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(0, uring_reap(ring));
}

TEST_F(dmabuf_uring, only_writes_wait_for_readers)
{
	struct uring *ring = &self->ring;
	struct io_uring_sqe *sqe;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1, DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, run(ring, self->buffer, DMA_BUF_IOCTL_SYNC, START_READ));
	EXPECT_EQ(0, run(ring, self->buffer, DMA_BUF_IOCTL_SYNC, END_READ));

	/* A part waits for all that devices do. */
	sqe = uring_sqe_dmabuf(ring, self->buffer, DMA_BUF_IOCTL_SYNC_PARTIAL, START_WRITE);
	uring_sqe_params(sqe)->offset = 3;
	uring_sqe_params(sqe)->length = 5;
	ASSERT_EQ(0, uring_submit(ring, 0));
	EXPECT_TRUE(stays_pending(ring));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(0, uring_reap(ring));
}

/* An end waits for nothing, whatever the device does meanwhile. */
TEST_F(dmabuf_uring, end_does_not_wait)
{
	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	EXPECT_EQ(0, run(&self->ring, self->buffer, DMA_BUF_IOCTL_SYNC, START_WRITE));
	ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(0, run(&self->ring, self->buffer, DMA_BUF_IOCTL_SYNC, END_WRITE));
}

TEST_F(dmabuf_uring, start_waits_for_the_last_of_many_fences)
{
	struct uring *ring = &self->ring;
	int timelines[8], i;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	for (i = 0; i < 8; i++) {
		ASSERT_GIVES(timelines[i], sw_sync_open());
		ASSERT_EQ(0, dmabuf_add_fence(self->buffer, timelines[i], 1, DMA_BUF_SYNC_READ));
	}
	ASSERT_EQ(0, submit_start(ring, self->buffer, START_WRITE, 0, 0));
	/* In an order of its own, and one that comes only later. */
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, uring_ready(ring));
		if (i == 2)
			ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1,
						      DMA_BUF_SYNC_READ));
		ASSERT_EQ(0, sw_sync_inc(timelines[i * 3 % 8], 1));
	}
	EXPECT_TRUE(stays_pending(ring));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(0, uring_reap(ring));
	for (i = 0; i < 8; i++)
		close(timelines[i]);
}

/* The work has failed, but it is over. */
TEST_F(dmabuf_uring, start_follows_a_fence_with_an_error)
{
	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, submit_start(&self->ring, self->buffer, START_READ, 0, 0));
	close(self->timeline);
	self->timeline = -1;
	EXPECT_EQ(0, uring_reap(&self->ring));
}

TEST_F(dmabuf_uring, buffer_closed_while_a_start_waits)
{
	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, submit_start(&self->ring, self->buffer, START_READ, 0, 0));
	close(self->buffer);
	self->buffer = -1;
	EXPECT_TRUE(stays_pending(&self->ring));
	if (self->buffers >= 0)
		EXPECT_EQ(self->buffers + 1, count_buffers());
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(0, uring_reap(&self->ring));
	if (self->buffers >= 0)
		EXPECT_TRUE(buffers_settle(self->buffers));
}

/* -------------------------------------------------------- cancellation -- */

static void prep_cancel(struct uring *ring, __u64 user_data)
{
	struct io_uring_sqe *sqe = uring_sqe(ring);

	sqe->opcode = IORING_OP_ASYNC_CANCEL;
	sqe->fd = -1;
	sqe->addr = user_data;
	sqe->user_data = 99;
}

static void prep_link_timeout(struct uring *ring, const struct __kernel_timespec *ts)
{
	struct io_uring_sqe *sqe = uring_sqe(ring);

	sqe->opcode = IORING_OP_LINK_TIMEOUT;
	sqe->fd = -1;
	sqe->addr = (unsigned long)ts;
	sqe->len = 1;
	sqe->user_data = 99;
}

static struct io_uring_sqe *prep_poll(struct uring *ring, int fd, __u32 events)
{
	struct io_uring_sqe *sqe = uring_sqe(ring);

	sqe->opcode = IORING_OP_POLL_ADD;
	sqe->fd = fd;
	sqe->poll32_events = events;
	return sqe;
}

/* Wait for @count completions; result of the request number i in results[i]. */
static int reap_all(struct uring *ring, int count, int *results)
{
	__u64 from;
	int ret;

	while (count--) {
		from = ~0ull;
		ret = uring_reap_from(ring, &from);
		if (from > 99)
			return ret ?: -EPROTO;
		results[from] = ret;
	}
	return 0;
}

TEST_F(dmabuf_uring, async_cancel_ends_a_start_in_a_worker)
{
	struct uring *ring = &self->ring;
	int results[100];

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	/*
	 * Each with a number of its own: a worker may still have the request of the
	 * round before, which has completed, and a cancellation ends one.
	 */
	for (int i = 1; i <= 20; i++) {
		ASSERT_EQ(0, submit_start(ring, self->buffer, START_READ, i, IOSQE_ASYNC));
		if (i > 1)
			usleep(1000 * (i % 3));
		prep_cancel(ring, i);
		ASSERT_EQ(0, uring_submit(ring, 2));
		ASSERT_EQ(0, reap_all(ring, 2, results));
		EXPECT_EQ(-ECANCELED, results[i]);
		EXPECT_TRUE(!results[99] || results[99] == -EALREADY)
			TH_LOG("%s", test_result_str(results[99]));
	}
}

/* What the documents say of a start that takes no thread. */
TEST_F(dmabuf_uring, async_cancel_does_not_find_a_start_without_a_thread)
{
	struct uring *ring = &self->ring;
	int results[100];

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, submit_start(ring, self->buffer, START_READ, 1, 0));
	prep_cancel(ring, 1);
	ASSERT_EQ(0, uring_submit(ring, 1));
	ASSERT_EQ(0, reap_all(ring, 1, results));
	EXPECT_EQ(-ENOENT, results[99]);
	EXPECT_TRUE(stays_pending(ring));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(0, uring_reap(ring));
}

TEST_F(dmabuf_uring, linked_timeout_ends_a_start)
{
	struct __kernel_timespec soon = { .tv_nsec = 20000000 };
	struct uring *ring = &self->ring;
	struct io_uring_sqe *sqe;
	int results[100];

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	for (int i = 0; i < 4; i++) {
		sqe = uring_sqe_dmabuf(ring, self->buffer, DMA_BUF_IOCTL_SYNC, START_READ);
		sqe->flags = IOSQE_IO_LINK;
		sqe->user_data = 1;
		prep_link_timeout(ring, &soon);
		ASSERT_EQ(0, uring_submit(ring, 2));
		ASSERT_EQ(0, reap_all(ring, 2, results));
		EXPECT_EQ(-ECANCELED, results[1]);
	}
}

TEST_F(dmabuf_uring, linked_timeout_lets_a_start_in_time_pass)
{
	struct __kernel_timespec late = { .tv_sec = 1000 };
	struct uring *ring = &self->ring;
	struct io_uring_sqe *sqe;
	int results[100];

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	for (int i = 0; i < 2; i++) {
		if (i)
			ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1,
						      DMA_BUF_SYNC_WRITE));
		sqe = uring_sqe_dmabuf(ring, self->buffer, DMA_BUF_IOCTL_SYNC, START_READ);
		sqe->flags = IOSQE_IO_LINK;
		sqe->user_data = 1;
		prep_link_timeout(ring, &late);
		ASSERT_EQ(0, uring_submit(ring, 0));
		if (i) {
			EXPECT_TRUE(stays_pending(ring));
			ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
		}
		ASSERT_EQ(0, reap_all(ring, 2, results));
		EXPECT_EQ(0, results[1]);
		EXPECT_EQ(-ECANCELED, results[99]);
	}
}

/* A poll in front of the start: can be cancelled, and takes no thread. */
TEST_F(dmabuf_uring, poll_in_front_of_a_start_can_be_cancelled)
{
	struct uring *ring = &self->ring;
	struct io_uring_sqe *sqe;
	int results[100];

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	for (int i = 0; i < 2; i++) {
		sqe = prep_poll(ring, self->buffer, POLLIN);
		sqe->flags = IOSQE_IO_LINK;
		sqe->user_data = 1;
		sqe = uring_sqe_dmabuf(ring, self->buffer, DMA_BUF_IOCTL_SYNC, START_READ);
		sqe->user_data = 2;
		ASSERT_EQ(0, uring_submit(ring, 0));
		EXPECT_TRUE(stays_pending(ring));
		EXPECT_EQ(0, uring_workers());
		if (!i) {
			prep_cancel(ring, 1);
			ASSERT_EQ(0, uring_submit(ring, 3));
			ASSERT_EQ(0, reap_all(ring, 3, results));
			EXPECT_EQ(0, results[99]);
			EXPECT_EQ(-ECANCELED, results[1]);
			EXPECT_EQ(-ECANCELED, results[2]);
		} else {
			ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
			ASSERT_EQ(0, reap_all(ring, 2, results));
			EXPECT_EQ(POLLIN, results[1]);
			EXPECT_EQ(0, results[2]);
		}
	}
}

/* Nothing signals the fence: the teardown finds that the buffer went away. */
TEST_F(dmabuf_uring, ring_closed_while_starts_wait)
{
	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	for (int i = 0; i < 8; i++)
		ASSERT_EQ(0, submit_start(&self->ring, self->buffer, START_READ, i,
					  i & 1 ? IOSQE_ASYNC : 0));
	uring_close(&self->ring);
	self->ring.fd = -1;
	close(self->buffer);
	self->buffer = -1;
	if (self->buffers >= 0)
		EXPECT_TRUE(buffers_settle(self->buffers));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
}

/* Starts of a child that is killed, some of them on a ring which lives on. */
TEST_F(dmabuf_uring, process_killed_while_starts_wait)
{
	int pair[2], status;
	pid_t child;
	char byte;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, pipe(pair));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		struct uring own;
		int ret = uring_open(&own, 8, variant->flags);

		for (int i = 0; i < 6 && !ret; i++)
			ret = submit_start(&own, self->buffer, START_READ, i,
					   i & 1 ? IOSQE_ASYNC : 0);
		/* One task alone may use the others. */
		if (!ret && !(variant->flags & IORING_SETUP_SINGLE_ISSUER))
			ret = submit_start(&self->ring, self->buffer, START_READ, 5, 0);
		if (ret || write(pair[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(2);
	}
	close(pair[1]);
	ASSERT_EQ(1, read(pair[0], &byte, 1));
	close(pair[0]);
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));

	/* The ring that lives on is of use as before. */
	EXPECT_EQ(0, uring_ready(&self->ring));
	close(self->buffer);
	self->buffer = -1;
	if (variant->flags & IORING_SETUP_SINGLE_ISSUER && self->buffers >= 0)
		EXPECT_TRUE(buffers_settle(self->buffers));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	if (self->buffers >= 0)
		EXPECT_TRUE(buffers_settle(self->buffers));
	if (variant->flags & IORING_SETUP_SINGLE_ISSUER)
		return;
	/* The thread of the kernel has not ended, so it went on there. */
	EXPECT_EQ(variant->flags & IORING_SETUP_SQPOLL ? 0 : -ECANCELED,
		  uring_reap(&self->ring));
}

/* -------------------------------------------------------------- chains -- */

TEST_F(dmabuf_uring, chain_from_start_to_poll)
{
	struct uring *ring = &self->ring;
	struct io_uring_sqe *sqe;
	char scratch[4096];
	int results[100];
	void *mem;
	int file;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_GIVES(file, memfd_create("chain", MFD_CLOEXEC));
	pattern_fill(scratch, sizeof(scratch), 5);
	ASSERT_EQ((ssize_t)sizeof(scratch), pwrite(file, scratch, sizeof(scratch), 0));
	ASSERT_EQ(0, map_rw(self->buffer, BUFFER_SIZE, &mem));
	ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1, DMA_BUF_SYNC_READ));

	sqe = uring_sqe_dmabuf(ring, self->buffer, DMA_BUF_IOCTL_SYNC, START_WRITE);
	sqe->flags = IOSQE_IO_LINK;
	sqe->user_data = 0;
	sqe = uring_sqe_rw(ring, IORING_OP_READ, file, mem, sizeof(scratch), 0);
	sqe->flags = IOSQE_IO_LINK;
	sqe->user_data = 1;
	sqe = uring_sqe_dmabuf(ring, self->buffer, DMA_BUF_IOCTL_SYNC, END_WRITE);
	sqe->flags = IOSQE_IO_LINK;
	sqe->user_data = 2;
	sqe = prep_poll(ring, self->buffer, POLLIN | POLLOUT);
	sqe->user_data = 3;
	ASSERT_EQ(0, uring_submit(ring, 0));

	EXPECT_TRUE(stays_pending(ring));
	EXPECT_EQ(sizeof(scratch), zero_check(mem, sizeof(scratch)));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	ASSERT_EQ(0, reap_all(ring, 4, results));
	EXPECT_EQ(0, results[0]);
	EXPECT_EQ((int)sizeof(scratch), results[1]);
	EXPECT_EQ(0, results[2]);
	EXPECT_EQ(POLLIN | POLLOUT, results[3]);
	EXPECT_EQ(sizeof(scratch), pattern_check(mem, sizeof(scratch), 5));
	munmap(mem, BUFFER_SIZE);
	close(file);
}

/* A link that fails takes the rest of the chain with it. */
TEST_F(dmabuf_uring, chain_ends_with_a_refusal)
{
	struct uring *ring = &self->ring;
	struct io_uring_sqe *sqe;
	int results[100];

	sqe = uring_sqe_dmabuf(ring, self->buffer, DMA_BUF_IOCTL_SYNC, 0);
	sqe->flags = IOSQE_IO_LINK;
	sqe->user_data = 0;
	sqe = uring_sqe_dmabuf(ring, self->buffer, DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
			       DMA_BUF_SYNC_READ);
	sqe->user_data = 1;
	ASSERT_EQ(0, uring_submit(ring, 2));
	ASSERT_EQ(0, reap_all(ring, 2, results));
	EXPECT_EQ(-EINVAL, results[0]);
	EXPECT_EQ(-ECANCELED, results[1]);
}

/* ------------------------------------------------------------- batches -- */

FIXTURE(batch) {
	struct uring ring;
	int heap;
	int timeline;
	int fds[BATCH];
	struct rlimit limit;
};

FIXTURE_VARIANT(batch) {
	__u32 flags;
};

FIXTURE_VARIANT_ADD(batch, plain) { .flags = 0 };
FIXTURE_VARIANT_ADD(batch, defer) {
	.flags = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER,
};

FIXTURE_VARIANT_ADD(batch, sqpoll) { .flags = IORING_SETUP_SQPOLL };

FIXTURE_SETUP(batch)
{
	struct rlimit limit = { .rlim_cur = 4 * BATCH, .rlim_max = 4 * BATCH };

	if (!uring_exists())
		SKIP(return, "no io_uring");
	self->heap = heap_open("system");
	if (self->heap < 0)
		SKIP(return, "no system heap");
	if (setrlimit(RLIMIT_NOFILE, &limit))
		SKIP(return, "not enough descriptors");
	ASSERT_EQ(0, uring_open(&self->ring, BATCH, variant->flags));
	for (int i = 0; i < BATCH; i++)
		ASSERT_GIVES(self->fds[i], heap_alloc(self->heap, page_size()));
	self->timeline = sw_sync_open();
}

FIXTURE_TEARDOWN(batch)
{
	long before = count_buffers();

	if (!self->ring.mem)
		return;
	uring_close(&self->ring);
	for (int i = 0; i < BATCH; i++)
		close(self->fds[i]);
	if (before >= 0)
		EXPECT_TRUE(buffers_settle(before - BATCH));
	if (self->timeline >= 0)
		close(self->timeline);
	close(self->heap);
}

TEST_F(batch, idle_buffers)
{
	for (int n = 1; n <= BATCH; n *= 2) {
		for (int i = 0; i < n; i++)
			uring_sqe_dmabuf(&self->ring, self->fds[i], DMA_BUF_IOCTL_SYNC,
					 i & 1 ? START_WRITE : START_READ);
		ASSERT_EQ(0, uring_submit(&self->ring, n));
		for (int i = 0; i < n; i++)
			ASSERT_EQ(0, uring_reap(&self->ring));
		for (int i = 0; i < n; i++)
			uring_sqe_dmabuf(&self->ring, self->fds[i], DMA_BUF_IOCTL_SYNC,
					 i & 1 ? END_WRITE : END_READ);
		ASSERT_EQ(0, uring_submit(&self->ring, n));
		for (int i = 0; i < n; i++)
			ASSERT_EQ(0, uring_reap(&self->ring));
	}
}

TEST_F(batch, busy_buffers)
{
	bool seen[BATCH] = { };
	__u64 from;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	for (int i = 0; i < BATCH; i++) {
		ASSERT_EQ(0, dmabuf_add_fence(self->fds[i], self->timeline, 1 + i % 2,
					      DMA_BUF_SYNC_WRITE));
		uring_sqe_dmabuf(&self->ring, self->fds[i], DMA_BUF_IOCTL_SYNC,
				 START_READ)->user_data = i;
	}
	ASSERT_EQ(0, uring_submit(&self->ring, 0));
	EXPECT_TRUE(stays_pending(&self->ring));
	EXPECT_EQ(0, uring_workers());

	for (int half = 0; half < 2; half++) {
		ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
		for (int i = 0; i < BATCH / 2; i++) {
			ASSERT_EQ(0, uring_reap_from(&self->ring, &from));
			ASSERT_GT((__u64)BATCH, from);
			ASSERT_EQ((__u64)half, from % 2);
			ASSERT_FALSE(seen[from]);
			seen[from] = true;
		}
		EXPECT_EQ(0, uring_ready(&self->ring));
	}
}

/* ---------------------------------------------------- hostile programs -- */

static struct {
	struct uring *ring;
	int timeline;
	bool stop;
} hostile;

static void *signal_all_the_time(void *unused)
{
	while (!__atomic_load_n(&hostile.stop, __ATOMIC_RELAXED)) {
		sw_sync_inc(hostile.timeline, 1);
		sched_yield();
	}
	return NULL;
}

static void *scribble_all_the_time(void *unused)
{
	static const __u32 words[] = { 0, 1, 2, 3, 5, 7, ~0u };
	unsigned int seed = 1;

	while (!__atomic_load_n(&hostile.stop, __ATOMIC_RELAXED)) {
		struct io_uring_sqe *sqe = uring_sqe_at(hostile.ring, rand_r(&seed));

		sqe->len = words[rand_r(&seed) % ARRAY_SIZE(words)];
		uring_sqe_params(sqe)->offset = words[rand_r(&seed) % ARRAY_SIZE(words)];
		uring_sqe_params(sqe)->length = words[rand_r(&seed) % ARRAY_SIZE(words)];
		if (!(rand_r(&seed) % 64))
			sched_yield();
	}
	return NULL;
}

/* Rings closed, and commands cancelled, just when their fences signal. */
/* At least some rounds, and more for a while: emulated CPUs take longer for each. */
static bool another_round(int round, int most, time_t begun)
{
	return round < 16 || (round < most && time(NULL) < begun + 3);
}

TEST_F(dmabuf_uring, cancellation_against_signals)
{
	time_t begun = time(NULL);
	unsigned int until = 0;
	pthread_t thread;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	hostile.timeline = self->timeline;
	hostile.stop = false;
	ASSERT_EQ(0, pthread_create(&thread, NULL, signal_all_the_time, NULL));
	for (int round = 0; another_round(round, 150, begun); round++) {
		struct uring ring;
		unsigned int i;

		ASSERT_EQ(0, uring_open(&ring, 32, variant->flags));
		for (i = 0; i < 16; i++) {
			struct io_uring_sqe *sqe;

			/* About where the timeline is. */
			until += 1 + round % 3;
			ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, until,
						      DMA_BUF_SYNC_WRITE));
			sqe = uring_sqe_dmabuf(&ring, self->buffer, DMA_BUF_IOCTL_SYNC,
					       START_READ);
			sqe->user_data = i;
			sqe->flags = i % 4 == 3 ? IOSQE_ASYNC : 0;
			if (i % 4 == 3)
				prep_cancel(&ring, i);
		}
		ASSERT_EQ(0, uring_submit(&ring, 0));
		for (i = 0; i < (unsigned int)round % 12; i++) {
			if (uring_ready(&ring))
				uring_reap(&ring);
		}
		uring_close(&ring);
	}
	__atomic_store_n(&hostile.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

/* The arguments change while the kernel reads them. */
TEST_F(dmabuf_uring, entries_rewritten_while_they_are_read)
{
	struct uring *ring = &self->ring;
	time_t begun = time(NULL);
	pthread_t thread;
	int done = 0;

	hostile.ring = ring;
	hostile.stop = false;
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble_all_the_time, NULL));
	for (int round = 0; another_round(round, 200, begun); round++) {
		for (int i = 0; i < 64; i++)
			uring_sqe_dmabuf(ring, self->buffer,
					 i & 1 ? DMA_BUF_IOCTL_SYNC_PARTIAL :
						 DMA_BUF_IOCTL_SYNC, START_READ)->flags =
				i % 8 == 7 ? IOSQE_ASYNC : 0;
		ASSERT_EQ(0, uring_submit(ring, 64));
		for (int i = 0; i < 64; i++) {
			int ret = uring_reap(ring);

			ASSERT_TRUE(!ret || ret == -EINVAL) TH_LOG("%s", test_result_str(ret));
			done += !ret;
		}
	}
	__atomic_store_n(&hostile.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_LT(0, done);
}

/* ----------------------------------------------------------- transfers -- */

static struct io_uring_sqe *prep_transfer(struct uring *ring, int buffer, int file, __u32 flags,
					  __u64 at, __u64 length)
{
	struct io_uring_sqe *sqe = uring_sqe_dmabuf(ring, buffer, DMA_BUF_IOCTL_TRANSFER, flags);

	sqe->addr = length;
	sqe->splice_fd_in = file;
	uring_sqe_params(sqe)->buffer_offset = at;
	uring_sqe_params(sqe)->file_offset = at;
	return sqe;
}

static int run_transfer(struct uring *ring, int buffer, int file, __u32 flags, __u64 at,
			__u64 length)
{
	prep_transfer(ring, buffer, file, flags, at, length);
	return uring_run(ring);
}

TEST_F(dmabuf_uring, transfer_answers_as_the_ioctl)
{
	struct uring *ring = &self->ring;
	int file = memfd_create("transfer", MFD_CLOEXEC);

	ASSERT_LE(0, file);
	ASSERT_EQ(0, dmabuf_fill(self->buffer, BUFFER_SIZE, 5));
	EXPECT_EQ(BUFFER_SIZE, run_transfer(ring, self->buffer, file, DMA_BUF_TRANSFER_TO_FILE,
					    0, BUFFER_SIZE));
	ASSERT_EQ(0, dmabuf_fill(self->buffer, BUFFER_SIZE, 6));
	EXPECT_EQ(BUFFER_SIZE, run_transfer(ring, self->buffer, file, DMA_BUF_TRANSFER_FROM_FILE,
					    0, BUFFER_SIZE));
	EXPECT_EQ(0, dmabuf_verify(self->buffer, BUFFER_SIZE, 5));
	EXPECT_EQ(100, run_transfer(ring, self->buffer, file, DMA_BUF_TRANSFER_FROM_FILE,
				    BUFFER_SIZE - 100, 1000));

	EXPECT_REFUSED(EINVAL, run_transfer(ring, self->buffer, file, 0, 0, 1));
	EXPECT_REFUSED(EINVAL, run_transfer(ring, self->buffer, file, 1u << 31, 0, 1));
	EXPECT_REFUSED(EOPNOTSUPP,
		       run_transfer(ring, self->buffer, file,
				    DMA_BUF_TRANSFER_TO_FILE | DMA_BUF_TRANSFER_IN_FENCE, 0, 1));
	EXPECT_REFUSED(EOPNOTSUPP,
		       run_transfer(ring, self->buffer, file,
				    DMA_BUF_TRANSFER_TO_FILE | DMA_BUF_TRANSFER_OUT_FENCE, 0, 1));
	EXPECT_REFUSED(EBADF, run_transfer(ring, self->buffer, -1, DMA_BUF_TRANSFER_TO_FILE,
					   0, 1));
	EXPECT_REFUSED(EINVAL, run_transfer(ring, self->buffer, self->buffer,
					    DMA_BUF_TRANSFER_TO_FILE, 0, 1));
	EXPECT_REFUSED(ENOSPC, run_transfer(ring, self->buffer, file, DMA_BUF_TRANSFER_FROM_FILE,
					    BUFFER_SIZE, 1));
	close(file);
}

/* Several in flight, each with a part of the buffer. */
TEST_F(dmabuf_uring, transfers_in_flight)
{
	struct uring *ring = &self->ring;
	int file = memfd_create("transfer", MFD_CLOEXEC), i;
	size_t part = BUFFER_SIZE / 8;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, ftruncate(file, BUFFER_SIZE));
	ASSERT_EQ(0, dmabuf_fill(self->buffer, BUFFER_SIZE, 5));
	for (i = 0; i < 8; i++)
		prep_transfer(ring, self->buffer, file, DMA_BUF_TRANSFER_TO_FILE, i * part, part);
	ASSERT_EQ(0, uring_submit(ring, 8));
	for (i = 0; i < 8; i++)
		EXPECT_EQ((int)part, uring_reap(ring));
	ASSERT_EQ(0, dmabuf_fill(self->buffer, BUFFER_SIZE, 6));
	for (i = 0; i < 8; i++)
		prep_transfer(ring, self->buffer, file, DMA_BUF_TRANSFER_FROM_FILE, i * part,
			      part);
	ASSERT_EQ(0, uring_submit(ring, 8));
	for (i = 0; i < 8; i++)
		EXPECT_EQ((int)part, uring_reap(ring));
	EXPECT_EQ(0, dmabuf_verify(self->buffer, BUFFER_SIZE, 5));
	close(file);
}

TEST_F(dmabuf_uring, a_transfer_waits_and_is_cancelled)
{
	struct uring *ring = &self->ring;
	int file = memfd_create("transfer", MFD_CLOEXEC), results[100];

	ASSERT_LE(0, file);
	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->buffer, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	prep_transfer(ring, self->buffer, file, DMA_BUF_TRANSFER_TO_FILE, 0,
		      BUFFER_SIZE)->user_data = 1;
	ASSERT_EQ(0, uring_submit(ring, 0));
	EXPECT_TRUE(stays_pending(ring));
	prep_cancel(ring, 1);
	ASSERT_EQ(0, uring_submit(ring, 2));
	ASSERT_EQ(0, reap_all(ring, 2, results));
	EXPECT_EQ(-ECANCELED, results[1]);

	EXPECT_REFUSED(EAGAIN, run_transfer(ring, self->buffer, file, DMA_BUF_TRANSFER_TO_FILE |
					    DMA_BUF_TRANSFER_NOWAIT, 0, BUFFER_SIZE));
	prep_transfer(ring, self->buffer, file, DMA_BUF_TRANSFER_TO_FILE, 0, BUFFER_SIZE);
	ASSERT_EQ(0, uring_submit(ring, 0));
	EXPECT_TRUE(stays_pending(ring));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(BUFFER_SIZE, uring_reap(ring));
	close(file);
}

TEST_HARNESS_MAIN
