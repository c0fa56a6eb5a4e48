// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many buffers in one call: DMA_HEAP_IOCTL_ALLOC_BATCH of each kind of heap,
 * and DMA_BUF_IOCTL_SYNC_BATCH. What is refused for a single field is in
 * dma-buf-errors.rst, what a memory cgroup is charged in heap_charge_test.c.
 *
 * After every case the descriptors are counted, and the buffers where debugfs
 * tells how many there are.
 */
#include "dma_buf_test.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

#define MINUTE_MS	60000
#define MOST		DMA_HEAP_ALLOC_BATCH_MAX

FIXTURE(batch)
{
	int heap;
	int fds_before;
	long buffers_before;
	__s32 fds[MOST];
};

FIXTURE_VARIANT(batch)
{
	const char *heap;
};

FIXTURE_VARIANT_ADD(batch, system) { "system" };
FIXTURE_VARIANT_ADD(batch, cma) { "default_cma_region" };

FIXTURE_SETUP(batch)
{
	struct rlimit limit;

	self->heap = heap_open(variant->heap);
	if (self->heap < 0)
		SKIP(return, "no heap %s", variant->heap);
	/* More than a batch; the limit of most sessions is 1024. */
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_max < MOST + 64)
		SKIP(return, "too few descriptors");
	memset(self->fds, 0xff, sizeof(self->fds));
	self->fds_before = count_open_fds();
	self->buffers_before = count_buffers();
}

FIXTURE_TEARDOWN(batch)
{
	EXPECT_EQ(self->fds_before, count_open_fds());
	EXPECT_TRUE(self->buffers_before < 0 || buffers_settle(self->buffers_before));
	close(self->heap);
}

static void close_all(const __s32 *fds, __u32 count)
{
	while (count)
		close(fds[--count]);
}

/* -- allocation ------------------------------------------------------------ */

/* @count buffers of two pages: each of its own, zero, and as asked for. */
static void check_batch(struct __test_metadata *_metadata, int heap, __s32 *fds,
			__u32 count, int fds_before)
{
	size_t len = 2 * page_size();
	ino_t last = 0;
	struct stat st;
	void *mem;
	__u32 i;

	ASSERT_EQ(0, heap_alloc_batch(heap, len - 1, fds, count));
	EXPECT_EQ(fds_before + (int)count, count_open_fds());
	for (i = 0; i < count; i++) {
		ASSERT_EQ((long)len, dmabuf_size(fds[i])) TH_LOG("buffer %u", i);
		ASSERT_EQ(FD_CLOEXEC, fcntl(fds[i], F_GETFD));
		ASSERT_EQ(O_RDWR, fcntl(fds[i], F_GETFL) & O_ACCMODE);
		ASSERT_EQ(0, fstat(fds[i], &st));
		ASSERT_NE(last, st.st_ino);
		last = st.st_ino;
		ASSERT_EQ(0, map_rw(fds[i], len, &mem));
		ASSERT_EQ(len, zero_check(mem, len)) TH_LOG("buffer %u is not zero", i);
		/* What one has must not be in another, now or later. */
		memset(mem, 0x5a, len);
		munmap(mem, len);
	}
	close_all(fds, count);
}

TEST_F(batch, of_1_2_64_and_1024_buffers)
{
	static const __u32 counts[] = { 1, 2, 64, MOST, 2 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counts); i++)
		check_batch(_metadata, self->heap, self->fds, counts[i], self->fds_before);
}

/* The lowest numbers that are free, as for any call that makes descriptors. */
TEST_F(batch, takes_the_lowest_descriptors)
{
	int lowest = dup(self->heap), i;

	ASSERT_LE(0, lowest);
	close(lowest);
	ASSERT_EQ(0, heap_alloc_batch(self->heap, page_size(), self->fds, 3));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(lowest + i, self->fds[i]);
	close_all(self->fds, 3);
}

TEST_F(batch, without_enough_descriptors_leaves_none)
{
	struct rlimit limit, less;
	int i;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	less = limit;
	less.rlim_cur = (rlim_t)dup(self->heap) + 10;
	close((int)less.rlim_cur - 10);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &less));
	for (i = 0; i < 3; i++)
		EXPECT_REFUSED(EMFILE, heap_alloc_batch(self->heap, page_size(), self->fds, 11));
	/* All of those that are left, on the other hand, can be had. */
	EXPECT_EQ(0, heap_alloc_batch(self->heap, page_size(), self->fds, 10));
	EXPECT_EQ((int)less.rlim_cur - 1, self->fds[9]);
	close_all(self->fds, 10);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
}

TEST_F(batch, for_a_bad_array_leaves_none)
{
	size_t page = page_size();
	char *mem = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, mprotect(mem + page, page, PROT_NONE));
	EXPECT_REFUSED(EFAULT, heap_alloc_batch(self->heap, page, NULL, 8));
	EXPECT_REFUSED(EFAULT, heap_alloc_batch(self->heap, page, (void *)(mem + page), 8));
	/* Only the last number does not fit. */
	EXPECT_REFUSED(EFAULT, heap_alloc_batch(self->heap, page, (void *)(mem + page - 28), 8));
	EXPECT_EQ(self->fds_before, count_open_fds());
	EXPECT_EQ(0, heap_alloc_batch(self->heap, page, (void *)(mem + page - 32), 8));
	close_all((void *)(mem + page - 32), 8);
	ASSERT_EQ(0, mprotect(mem, page, PROT_READ));
	EXPECT_REFUSED(EFAULT, heap_alloc_batch(self->heap, page, (void *)mem, 8));
	munmap(mem, 2 * page);
}

/* A sum that cannot be had, of buffers each of which can. */
TEST_F(batch, that_can_never_fit_leaves_none)
{
	__u64 total = (__u64)meminfo_bytes("MemTotal");

	EXPECT_REFUSED(ENOMEM, heap_alloc_batch(self->heap, total / 512, self->fds, MOST));
	EXPECT_REFUSED(ENOMEM, heap_alloc_batch(self->heap, total, self->fds, 2));
	EXPECT_EQ(self->fds_before, count_open_fds());
	/* Nothing is short for others. */
	EXPECT_EQ(0, heap_alloc_batch(self->heap, page_size(), self->fds, 64));
	close_all(self->fds, 64);
}

/* Killed wherever it is: between two buffers, or two calls. */
TEST_F(batch, of_a_killed_task_leaves_none)
{
	int round, status;
	pid_t pid;

	for (round = 0; round < 20; round++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			for (;;) {
				if (heap_alloc_batch(self->heap, 4 * page_size(), self->fds, 256))
					_exit(1);
				close_all(self->fds, 256);
			}
		}
		usleep(1000 * (round + 1));
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
	}
}

/* -- access ---------------------------------------------------------------- */

FIXTURE(sync_batch)
{
	int timeline;
	int fds_before;
	__s32 fds[MOST];
	struct dma_buf_sync_record records[MOST];
};

#define SYNC_N	16

FIXTURE_SETUP(sync_batch)
{
	int heap = heap_open("system"), i;

	self->timeline = -1;
	self->fds_before = count_open_fds() - 1;
	if (heap < 0)
		SKIP(return, "no system heap");
	ASSERT_EQ(0, heap_alloc_batch(heap, 2 * page_size(), self->fds, SYNC_N));
	close(heap);
	for (i = 0; i < MOST; i++)
		self->records[i].fd = self->fds[i % SYNC_N];
}

FIXTURE_TEARDOWN(sync_batch)
{
	if (self->timeline >= 0)
		close(self->timeline);
	close_all(self->fds, SYNC_N);
	EXPECT_EQ(self->fds_before, count_open_fds());
}

static void set_flags(struct dma_buf_sync_record *records, __u32 flags)
{
	int i;

	for (i = 0; i < MOST; i++)
		records[i].flags = flags;
}

TEST_F(sync_batch, of_1_to_1024_records)
{
	static const __u32 counts[] = { 1, 2, 1000, MOST };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		set_flags(self->records, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
		EXPECT_EQ(0, dmabuf_sync_batch(self->fds[0], self->records, counts[i]));
		set_flags(self->records, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
		EXPECT_EQ(0, dmabuf_sync_batch(self->fds[0], self->records, counts[i]));
	}
	EXPECT_REFUSED(EINVAL, dmabuf_sync_batch(self->fds[0], self->records, 0));
	EXPECT_REFUSED(EINVAL, dmabuf_sync_batch(self->fds[0], self->records, MOST + 1));
}

TEST_F(sync_batch, is_of_any_buffers_and_parts)
{
	set_flags(self->records, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	self->records[1].offset = page_size() + 1;
	self->records[1].length = 17;
	self->records[2].length = 2 * page_size();
	/* The descriptor of the call is in no record. */
	EXPECT_EQ(0, dmabuf_sync_batch(self->fds[SYNC_N - 1], self->records, 3));
	set_flags(self->records, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	EXPECT_EQ(0, dmabuf_sync_batch(self->fds[SYNC_N - 1], self->records, 3));
}

TEST_F(sync_batch, refuses_the_call_for_one_bad_record)
{
	struct dma_buf_sync_record *last = &self->records[SYNC_N - 1];
	struct dma_buf_sync_record good;
	int pipes[2];

	set_flags(self->records, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	good = *last;
	last->fd = -1;
	EXPECT_REFUSED(EBADF, dmabuf_sync_batch(self->fds[0], self->records, SYNC_N));
	ASSERT_EQ(0, pipe(pipes));
	last->fd = pipes[0];
	EXPECT_REFUSED(EINVAL, dmabuf_sync_batch(self->fds[0], self->records, SYNC_N));
	close(pipes[0]);
	close(pipes[1]);
	*last = good;
	last->flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ;
	EXPECT_REFUSED(EINVAL, dmabuf_sync_batch(self->fds[0], self->records, SYNC_N));
	*last = good;
	last->offset = 1;
	EXPECT_REFUSED(EINVAL, dmabuf_sync_batch(self->fds[0], self->records, SYNC_N));
	*last = good;
	EXPECT_EQ(0, dmabuf_sync_batch(self->fds[0], self->records, SYNC_N));
}

/* Runs in a child: a byte through the pipe says that the start has returned. */
static pid_t start_in_child(const __s32 *fds, const struct dma_buf_sync_record *records,
			    int done)
{
	pid_t pid = fork();
	int ret;

	if (pid)
		return pid;
	ret = dmabuf_sync_batch(fds[0], records, SYNC_N);
	_exit(write(done, "d", 1) == 1 && !ret ? 0 : 1);
}

TEST_F(sync_batch, waits_for_the_fences_of_all)
{
	int pipes[2], status;
	pid_t pid;

	self->timeline = sw_sync_open();
	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->fds[0], self->timeline, 3, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, dmabuf_add_fence(self->fds[5], self->timeline, 1, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, dmabuf_add_fence(self->fds[SYNC_N - 1], self->timeline, 2,
				      DMA_BUF_SYNC_WRITE));
	/* Readers do not wait for readers. */
	ASSERT_EQ(0, dmabuf_add_fence(self->fds[3], self->timeline, 9, DMA_BUF_SYNC_READ));

	set_flags(self->records, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	ASSERT_EQ(0, pipe(pipes));
	pid = start_in_child(self->fds, self->records, pipes[1]);
	ASSERT_LE(0, pid);
	EXPECT_EQ(0, poll_wait(pipes[0], POLLIN, 50));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(0, poll_wait(pipes[0], POLLIN, 50));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(0, poll_wait(pipes[0], POLLIN, 50));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_wait(pipes[0], POLLIN, MINUTE_MS));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);

	/* An end waits for no fence. */
	set_flags(self->records, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
	EXPECT_EQ(0, dmabuf_sync_batch(self->fds[0], self->records, SYNC_N));
	close(pipes[0]);
	close(pipes[1]);
}

static void on_alarm(int number)
{
}

TEST_F(sync_batch, ends_with_a_signal)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	/* Again and again, as the first may come before the wait has begun. */
	const struct itimerval when = { { 0, 20000 }, { 0, 20000 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };

	self->timeline = sw_sync_open();
	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->fds[7], self->timeline, 1, DMA_BUF_SYNC_WRITE));
	set_flags(self->records, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &when, NULL));
	EXPECT_REFUSED(EINTR, dmabuf_sync_batch(self->fds[0], self->records, SYNC_N));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));

	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(0, dmabuf_sync_batch(self->fds[0], self->records, SYNC_N));
}

/* A killed task drops the references that its call had taken. */
TEST_F(sync_batch, of_a_killed_task_leaves_nothing)
{
	long buffers = count_buffers();
	int pipes[2], status;
	pid_t pid;

	self->timeline = sw_sync_open();
	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->fds[7], self->timeline, 1, DMA_BUF_SYNC_WRITE));
	set_flags(self->records, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
	ASSERT_EQ(0, pipe(pipes));
	pid = start_in_child(self->fds, self->records, pipes[1]);
	ASSERT_LE(0, pid);
	EXPECT_EQ(0, poll_wait(pipes[0], POLLIN, 50));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	close(pipes[0]);
	close(pipes[1]);

	/* Only this process has them now. */
	close_all(self->fds, SYNC_N);
	EXPECT_TRUE(buffers < 0 || buffers_settle(buffers - SYNC_N));
	/* For the teardown, which closes as many. */
	for (int i = 0; i < SYNC_N; i++)
		self->fds[i] = -1;
}

TEST_HARNESS_MAIN
