// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that never signals: here, a software timeline that is not advanced.
 * A waiter for it can be interrupted, gives up in time and can be killed;
 * and nothing but the waiter is held up.
 *
 * "stuck" is a buffer with a fence of the device as its writer. A test
 * never asserts how long something took: what would wait for the device would
 * wait for good, and the harness ends it.
 */
#include "dma_buf_test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>

#define SIZE		(4 * page_size())
#define PATIENCE_MS	300000

FIXTURE(stuck) {
	int timeline;
	int fence;		/* never signals */
	int stuck;
	int free;		/* a buffer without fences */
	long buffers;
};

FIXTURE_SETUP(stuck)
{
	self->buffers = count_buffers();
	self->timeline = sw_sync_open();
	if (self->timeline < 0)
		SKIP(return, "no " SW_SYNC_NODE);
	ASSERT_GIVES(self->fence, sw_sync_fence(self->timeline, 1, "never"));
	ASSERT_GIVES(self->stuck, heap_alloc_from("system", SIZE));
	ASSERT_GIVES(self->free, heap_alloc_from("system", SIZE));
	ASSERT_EQ(0, dmabuf_import_sync_file(self->stuck, DMA_BUF_SYNC_WRITE, self->fence));
}

FIXTURE_TEARDOWN(stuck)
{
	close(self->stuck);
	close(self->free);
	close(self->fence);
	/* With the timeline the fence ends, and what a poll left on it. */
	close(self->timeline);
	EXPECT_TRUE(buffers_settle(self->buffers));
}

/* -------------------------------------------------------------- the waiters -- */

/* The ways to wait for the device, as a child does it. */
enum way { BY_SYNC, BY_POLL, BY_POLL_FENCE, BY_EPOLL, BY_SELECT, BY_MERGED, WAYS };

static int wait_by_epoll(int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = (int)sysret(epoll_create1(EPOLL_CLOEXEC)), ret;

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	ret = (int)sysret(epoll_wait(epoll, &event, 1, -1));
	close(epoll);
	return ret;
}

static int wait_by_select(int fd)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return (int)sysret(select(fd + 1, &set, NULL, NULL, NULL));
}

static int wait_by(enum way way, int buffer, int fence)
{
	int ret;

	switch (way) {
	case BY_SYNC:
		return dmabuf_begin(buffer, DMA_BUF_SYNC_READ);
	case BY_POLL:
		return poll_wait(buffer, POLLIN, -1);
	case BY_POLL_FENCE:
		return poll_wait(fence, POLLIN, -1);
	case BY_EPOLL:
		return wait_by_epoll(buffer);
	case BY_SELECT:
		return wait_by_select(buffer);
	default:
		ret = dmabuf_export_sync_file(buffer, DMA_BUF_SYNC_READ);
		return ret < 0 ? ret : poll_wait(ret, POLLIN, -1);
	}
}

static void nothing(int number)
{
}

/* The state letter of a task, or '?'. */
static char task_state(pid_t pid)
{
	char path[64], state = '?';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return state;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = '?';
	fclose(file);
	return state;
}

/* A child that waits, and is seen to sleep: interruptibly, as a signal shows. */
static pid_t start_waiter(struct __test_metadata *_metadata, struct _test_data_stuck *self,
			  enum way way)
{
	pid_t pid = fork();
	int ms;

	ASSERT_LE(0, pid);
	if (!pid) {
		struct sigaction action = { .sa_handler = nothing };

		sigaction(SIGUSR1, &action, NULL);
		close(self->timeline);
		_exit(wait_by(way, self->stuck, self->fence) == -EINTR ? 0 : 1);
	}
	for (ms = 0; ms < PATIENCE_MS && task_state(pid) != 'S'; ms++)
		usleep(1000);
	/* Asleep in the call, and not on its way there. */
	usleep(50000);
	EXPECT_EQ('S', task_state(pid));
	return pid;
}

static bool ends_with(pid_t pid, int *status)
{
	int ms;

	for (ms = 0; ms < PATIENCE_MS; ms++) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		usleep(1000);
	}
	return false;
}

TEST_F(stuck, every_wait_ends_with_a_signal)
{
	int way, status;
	pid_t pid;

	for (way = 0; way < WAYS; way++) {
		pid = start_waiter(_metadata, self, way);
		ASSERT_EQ(0, kill(pid, SIGUSR1));
		ASSERT_TRUE(ends_with(pid, &status)) TH_LOG("way %d is not interrupted", way);
		EXPECT_EQ(0, status) TH_LOG("way %d did not end with EINTR", way);
	}
}

TEST_F(stuck, every_waiter_can_be_killed)
{
	int way, status;
	pid_t pid;

	for (way = 0; way < WAYS; way++) {
		pid = start_waiter(_metadata, self, way);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_TRUE(ends_with(pid, &status)) TH_LOG("way %d does not end", way);
		EXPECT_TRUE(WIFSIGNALED(status));
	}
}

TEST_F(stuck, time_limits_are_kept)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct timeval tv = { .tv_usec = 20000 };
	fd_set set;
	int epoll;

	EXPECT_EQ(0, poll_wait(self->stuck, POLLIN, 20));
	EXPECT_EQ(0, poll_wait(self->fence, POLLIN, 20));
	ASSERT_GIVES(epoll, sysret(epoll_create1(EPOLL_CLOEXEC)));
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->stuck, &event));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 20));
	close(epoll);
	FD_ZERO(&set);
	FD_SET(self->stuck, &set);
	EXPECT_EQ(0, select(self->stuck + 1, &set, NULL, NULL, &tv));
}

/* ---------------------------------------------------------- and all the rest -- */

/* Everything that does not wait for the device goes on, on the very buffer. */
static void use_stuck(struct __test_metadata *_metadata, struct _test_data_stuck *self)
{
	struct sync_file_info info;
	int fd, pair[2];
	void *mem;

	ASSERT_EQ(0, map_rw(self->stuck, SIZE, &mem));
	memset(mem, 1, SIZE);
	munmap(mem, SIZE);
	EXPECT_EQ(0, dmabuf_end(self->stuck, DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, dmabuf_set_name(self->stuck, "stuck"));
	EXPECT_EQ((long)SIZE, dmabuf_size(self->stuck));
	EXPECT_LE(1, count_buffers());
	ASSERT_GIVES(fd, dmabuf_export_sync_file(self->stuck, DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, dmabuf_import_sync_file(self->stuck, DMA_BUF_SYNC_READ, fd));
	EXPECT_EQ(0, sync_file_info(fd, &info, NULL, 0));
	EXPECT_EQ(0, info.status);
	close(fd);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	EXPECT_EQ(0, fd_send(pair[0], self->stuck));
	ASSERT_GIVES(fd, fd_receive(pair[1]));
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

static void use_importer(struct __test_metadata *_metadata, struct _test_data_stuck *self)
{
	int importer = importer_open(), handle;

	if (importer < 0)
		return;
	ASSERT_GIVES(handle, importer_import(importer, self->stuck));
	EXPECT_EQ(0, importer_close(importer, handle));
	close(importer);
}

TEST_F(stuck, nothing_but_the_waiter_is_held_up)
{
	int way, status, fd;
	pid_t pid[WAYS];

	for (way = 0; way < WAYS; way++)
		pid[way] = start_waiter(_metadata, self, way);

	use_stuck(_metadata, self);
	use_importer(_metadata, self);

	/* Other buffers and timelines do not even notice. */
	EXPECT_EQ(0, dmabuf_fill(self->free, SIZE, 3));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->free, POLLIN | POLLOUT));
	ASSERT_GIVES(fd, heap_alloc_from("system", SIZE));
	EXPECT_EQ(0, dmabuf_fill(fd, SIZE, 4));
	close(fd);

	for (way = 0; way < WAYS; way++) {
		kill(pid[way], SIGKILL);
		ASSERT_TRUE(ends_with(pid[way], &status));
	}
}

/* A buffer that was never waited for goes with its last descriptor. */
TEST_F(stuck, closing_does_not_wait)
{
	long buffers = count_buffers();
	int fd;

	ASSERT_GIVES(fd, heap_alloc_from("system", SIZE));
	ASSERT_EQ(0, dmabuf_import_sync_file(fd, DMA_BUF_SYNC_WRITE, self->fence));
	close(fd);
	EXPECT_TRUE(buffers_settle(buffers));

	/* One whose poll callback is armed stays until the fence ends; close() does not. */
	ASSERT_GIVES(fd, heap_alloc_from("system", SIZE));
	ASSERT_EQ(0, dmabuf_import_sync_file(fd, DMA_BUF_SYNC_WRITE, self->fence));
	EXPECT_EQ(0, poll_now(fd, POLLIN));
	close(fd);
	EXPECT_EQ(buffers + 1, count_buffers());
	EXPECT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_TRUE(buffers_settle(buffers));
}

/* Many waiters are killed at once, and the fence still works for the next. */
TEST_F(stuck, many_waiters_come_and_go)
{
	enum { N = 60 };
	pid_t pid[N];
	int i, status;

	for (i = 0; i < N; i++) {
		pid[i] = fork();
		ASSERT_LE(0, pid[i]);
		if (!pid[i]) {
			close(self->timeline);
			wait_by(i % WAYS, self->stuck, self->fence);
			_exit(1);
		}
	}
	usleep(100000);
	for (i = 0; i < N; i++)
		kill(pid[i], SIGKILL);
	for (i = 0; i < N; i++)
		ASSERT_TRUE(ends_with(pid[i], &status));
	EXPECT_EQ(0, poll_now(self->stuck, POLLIN));
	EXPECT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_now(self->stuck, POLLIN));
	EXPECT_EQ(0, dmabuf_begin(self->stuck, DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, dmabuf_end(self->stuck, DMA_BUF_SYNC_RW));
}

TEST_HARNESS_MAIN
