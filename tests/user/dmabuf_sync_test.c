// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dma-buf and time: which fences hold up poll(),
 * DMA_BUF_IOCTL_SYNC of all or of a part, and in the sync files that go in and
 * out. Buffers come from the system heap, fences from sw_sync; without either all
 * is skipped.
 *
 * Waiting is bounded by MINUTE_MS where it must end, and is poll_now() where
 * it must not: no test depends on how long something takes.
 */
#include "dma_buf_test.h"
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

#define MINUTE_MS	60000

FIXTURE(dmabuf_sync)
{
	size_t size;
	int timeline;
	int fd;
};

FIXTURE_SETUP(dmabuf_sync)
{
	self->size = page_size();
	self->timeline = -1;
	self->fd = heap_alloc_from("system", self->size);
	if (self->fd == -ENOENT)
		SKIP(return, "no system heap");
	ASSERT_LE(0, self->fd);
	self->timeline = sw_sync_open();
	if (self->timeline < 0)
		SKIP(return, "no sw_sync: %s", strerror(-self->timeline));
}

FIXTURE_TEARDOWN(dmabuf_sync)
{
	if (self->timeline >= 0)
		close(self->timeline);
	if (self->fd >= 0)
		close(self->fd);
}

TEST_F(dmabuf_sync, an_idle_buffer_is_ready)
{
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
	EXPECT_EQ(POLLOUT, poll_now(self->fd, POLLOUT));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
	EXPECT_EQ(0, poll_now(self->fd, POLLPRI));
}

TEST_F(dmabuf_sync, a_reader_holds_up_writers_alone)
{
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_READ));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
	EXPECT_EQ(0, poll_now(self->fd, POLLOUT));
	/* Asked for both, the part that is ready is told. */
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_wait(self->fd, POLLIN | POLLOUT, MINUTE_MS));
	EXPECT_EQ(POLLOUT, poll_wait(self->fd, POLLOUT, MINUTE_MS));
}

TEST_F(dmabuf_sync, a_writer_holds_up_readers_and_writers)
{
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN));
	EXPECT_EQ(0, poll_now(self->fd, POLLOUT));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_wait(self->fd, POLLIN, MINUTE_MS));
	EXPECT_EQ(POLLOUT, poll_wait(self->fd, POLLOUT, MINUTE_MS));
}

TEST_F(dmabuf_sync, a_sleeping_poll_is_woken)
{
	int status, revents;
	pid_t pid;

	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		usleep(50000);
		_exit(sw_sync_inc(self->timeline, 1) ? 1 : 0);
	}
	revents = poll_wait(self->fd, POLLOUT, MINUTE_MS);
	EXPECT_EQ(POLLOUT, revents);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(dmabuf_sync, epoll_hears_of_it)
{
	struct epoll_event event = { .events = EPOLLOUT };
	int ep;

	ASSERT_GIVES(ep, sysret(epoll_create1(EPOLL_CLOEXEC)));
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &event));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, MINUTE_MS));
	EXPECT_EQ((__u32)EPOLLOUT, event.events);
	close(ep);
}

/* An event was taken when nothing was going on. Work that begins later ends in one more. */
static void epoll_edge(struct __test_metadata *_metadata, int timeline, int dmabuf,
		       __u32 events, __u32 value)
{
	struct epoll_event event = { .events = events | EPOLLET };
	int ep;

	ASSERT_GIVES(ep, sysret(epoll_create1(EPOLL_CLOEXEC)));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, dmabuf, &event));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, 0));
	ASSERT_EQ(0, dmabuf_add_fence(dmabuf, timeline, value, DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	ASSERT_EQ(0, sw_sync_inc(timeline, 1));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, MINUTE_MS));
	EXPECT_EQ(events, event.events);
	close(ep);
}

TEST_F(dmabuf_sync, edge_triggered_epoll_hears_of_later_work)
{
	epoll_edge(_metadata, self->timeline, self->fd, EPOLLIN, 1);
	epoll_edge(_metadata, self->timeline, self->fd, EPOLLOUT, 2);
}

TEST_F(dmabuf_sync, closing_while_polled_is_safe)
{
	long buffers = count_buffers();
	int i;

	close(self->fd);
	for (i = 0; i < 20; i++) {
		ASSERT_GIVES(self->fd, heap_alloc_from("system", self->size));
		ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, (__u32)i + 1,
					      DMA_BUF_SYNC_WRITE));
		EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLOUT));
		/* The callback of that poll is armed and must hold the buffer. */
		close(self->fd);
		ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	}
	self->fd = -1;
	if (buffers > 0)
		EXPECT_TRUE(buffers_settle(buffers - 1));
}

struct poller {
	pthread_t thread;
	int fd;
	int revents;
};

static void *poll_thread(void *data)
{
	struct poller *poller = data;

	poller->revents = poll_wait(poller->fd, POLLOUT, MINUTE_MS);
	return NULL;
}

TEST_F(dmabuf_sync, closed_under_a_sleeping_poll_it_still_wakes)
{
	struct poller poller = { .fd = self->fd, .revents = -1 };

	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, pthread_create(&poller.thread, NULL, poll_thread, &poller));
	usleep(50000);
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	ASSERT_EQ(0, pthread_join(poller.thread, NULL));
	EXPECT_TRUE(poller.revents == POLLOUT || poller.revents == POLLNVAL);
}

TEST_F(dmabuf_sync, export_of_an_idle_buffer_is_signalled)
{
	int fence;

	ASSERT_GIVES(fence, dmabuf_export_sync_file(self->fd, DMA_BUF_SYNC_RW));
	EXPECT_EQ(1, sync_file_status(fence));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fence, F_GETFD));
	close(fence);
}

TEST_F(dmabuf_sync, export_follows_who_waits_for_whom)
{
	int to_read, to_write;

	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_READ));
	ASSERT_GIVES(to_read, dmabuf_export_sync_file(self->fd, DMA_BUF_SYNC_READ));
	ASSERT_GIVES(to_write, dmabuf_export_sync_file(self->fd, DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(1, sync_file_status(to_read));
	EXPECT_EQ(0, sync_file_status(to_write));
	close(to_read);
	close(to_write);

	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 2, DMA_BUF_SYNC_WRITE));
	ASSERT_GIVES(to_read, dmabuf_export_sync_file(self->fd, DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, sync_file_status(to_read));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 2));
	EXPECT_EQ(POLLIN, poll_wait(to_read, POLLIN, MINUTE_MS));
	EXPECT_EQ(1, sync_file_status(to_read));
	close(to_read);
}

TEST_F(dmabuf_sync, export_is_a_snapshot)
{
	int fence;

	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	ASSERT_GIVES(fence, dmabuf_export_sync_file(self->fd, DMA_BUF_SYNC_RW));
	/* What comes later is not waited for. */
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 2, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_wait(fence, POLLIN, MINUTE_MS));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN));
	close(fence);
}

TEST_F(dmabuf_sync, many_timelines_become_one_fence)
{
	enum { N = 16 };
	int timeline[N], fence, i;

	for (i = 0; i < N; i++) {
		ASSERT_GIVES(timeline[i], sw_sync_open());
		ASSERT_EQ(0, dmabuf_add_fence(self->fd, timeline[i], 1, DMA_BUF_SYNC_READ));
	}
	ASSERT_GIVES(fence, dmabuf_export_sync_file(self->fd, DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(N, sync_file_num_fences(fence));
	for (i = 0; i < N; i++) {
		EXPECT_EQ(0, sync_file_status(fence));
		EXPECT_EQ(0, poll_now(self->fd, POLLOUT));
		ASSERT_EQ(0, sw_sync_inc(timeline[i], 1));
	}
	EXPECT_EQ(POLLIN, poll_wait(fence, POLLIN, MINUTE_MS));
	EXPECT_EQ(POLLOUT, poll_wait(self->fd, POLLOUT, MINUTE_MS));
	for (i = 0; i < N; i++)
		close(timeline[i]);
	close(fence);
}

TEST_F(dmabuf_sync, a_merged_sync_file_goes_in_whole)
{
	int other, a, b, both;

	ASSERT_GIVES(other, sw_sync_open());
	ASSERT_GIVES(a, sw_sync_fence(self->timeline, 1, "a"));
	ASSERT_GIVES(b, sw_sync_fence(other, 1, "b"));
	ASSERT_GIVES(both, sync_file_merge(a, b, "both"));
	ASSERT_EQ(0, dmabuf_import_sync_file(self->fd, DMA_BUF_SYNC_WRITE, both));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN)) TH_LOG("half of the fence is still open");
	ASSERT_EQ(0, sw_sync_inc(other, 1));
	EXPECT_EQ(POLLIN, poll_wait(self->fd, POLLIN, MINUTE_MS));
	close(both);
	close(b);
	close(a);
	close(other);
}

TEST_F(dmabuf_sync, a_signalled_fence_may_be_imported)
{
	int fence;

	ASSERT_GIVES(fence, sw_sync_fence(self->timeline, 1, "past"));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(0, dmabuf_import_sync_file(self->fd, DMA_BUF_SYNC_WRITE, fence));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
	close(fence);
}

TEST_F(dmabuf_sync, the_end_of_a_timeline_releases_its_waiters)
{
	int fence;

	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	ASSERT_GIVES(fence, dmabuf_export_sync_file(self->fd, DMA_BUF_SYNC_READ));
	close(self->timeline);
	self->timeline = -1;
	EXPECT_EQ(POLLIN, poll_wait(self->fd, POLLIN, MINUTE_MS));
	EXPECT_REFUSED(ENOENT, sync_file_status(fence));
	close(fence);
}

TEST_F(dmabuf_sync, begin_waits_for_the_writer)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		usleep(100000);
		_exit(sw_sync_inc(self->timeline, 1) ? 1 : 0);
	}
	EXPECT_WORKS(dmabuf_begin(self->fd, DMA_BUF_SYNC_READ));
	/* Without the wait the fence would still be open here. */
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
	EXPECT_WORKS(dmabuf_end(self->fd, DMA_BUF_SYNC_READ));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* A fence does not say of which bytes it is: the part waits as the whole does. */
TEST_F(dmabuf_sync, begin_of_a_part_waits_for_the_writer)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		usleep(100000);
		_exit(sw_sync_inc(self->timeline, 1) ? 1 : 0);
	}
	EXPECT_WORKS(dmabuf_sync_partial(self->fd, DMA_BUF_SYNC_READ, 7, 5));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
	EXPECT_WORKS(dmabuf_sync_partial(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, 7, 5));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* An end gives memory away and has nothing to wait for. */
TEST_F(dmabuf_sync, end_of_a_part_passes_a_writer)
{
	EXPECT_WORKS(dmabuf_sync_partial(self->fd, DMA_BUF_SYNC_WRITE, 0, 64));
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	EXPECT_WORKS(dmabuf_sync_partial(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE, 0, 64));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN));
}

TEST_F(dmabuf_sync, begin_to_read_passes_a_reader)
{
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_READ));
	EXPECT_WORKS(dmabuf_begin(self->fd, DMA_BUF_SYNC_READ));
	EXPECT_WORKS(dmabuf_sync_partial(self->fd, DMA_BUF_SYNC_READ, 0, 1));
	EXPECT_EQ(0, poll_now(self->fd, POLLOUT));
	EXPECT_WORKS(dmabuf_end(self->fd, DMA_BUF_SYNC_READ));
}

static void on_alarm(int sig)
{
	(void)sig;
}

TEST_F(dmabuf_sync, a_waiting_begin_can_be_interrupted)
{
	struct sigaction action = { .sa_handler = on_alarm };

	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ualarm(50000, 0);
	EXPECT_REFUSED(EINTR, dmabuf_begin(self->fd, DMA_BUF_SYNC_READ));
	ualarm(50000, 0);
	EXPECT_REFUSED(EINTR, dmabuf_sync_partial(self->fd, DMA_BUF_SYNC_READ, 0, 1));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN));
}

TEST_F(dmabuf_sync, a_waiting_begin_ends_with_its_process)
{
	long buffers = count_buffers();
	int status;
	pid_t pid;

	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		dmabuf_begin(self->fd, DMA_BUF_SYNC_RW);
		_exit(0);
	}
	usleep(50000);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN));
	if (buffers > 0)
		EXPECT_EQ(buffers, count_buffers());
}

TEST_F(dmabuf_sync, refused_calls_leave_no_descriptor)
{
	int fence, fds;

	ASSERT_GIVES(fence, sw_sync_fence(self->timeline, 1, "f"));
	fds = count_open_fds();
	EXPECT_REFUSED(EINVAL, dmabuf_export_sync_file(self->fd, 0));
	EXPECT_REFUSED(EINVAL, dmabuf_export_sync_file(self->fd, 4));
	EXPECT_REFUSED(EINVAL, dmabuf_import_sync_file(self->fd, 0, fence));
	EXPECT_REFUSED(EINVAL, dmabuf_import_sync_file(self->fd, 4, fence));
	EXPECT_REFUSED(EINVAL, dmabuf_import_sync_file(self->fd, 1, self->fd));
	EXPECT_REFUSED(EINVAL, dmabuf_import_sync_file(self->fd, 1, -1));
	EXPECT_REFUSED(EFAULT, xioctl(self->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, NULL));
	EXPECT_EQ(fds, count_open_fds());
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
	close(fence);
}

TEST_F(dmabuf_sync, an_export_that_cannot_be_returned_is_undone)
{
	size_t page = page_size();
	struct dma_buf_export_sync_file *data;
	int fds;

	/* Readable but not writable: the answer cannot be stored. */
	data = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, data);
	data->flags = DMA_BUF_SYNC_RW;
	ASSERT_EQ(0, mprotect(data, page, PROT_READ));
	fds = count_open_fds();
	EXPECT_REFUSED(EFAULT, xioctl(self->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, data));
	EXPECT_EQ(fds, count_open_fds());
	munmap(data, page);
}

TEST_HARNESS_MAIN
