// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sync files: waiting, merging, asking, deadlines, and each refusal of each
 * ioctl. The fences come from sw_sync; without it all is skipped.
 *
 * No test depends on how long something takes: waits that must end are
 * bounded by MINUTE_MS, and what must not be over is looked at, not waited for.
 */
#include "dma_buf_test.h"
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#define MINUTE_MS	60000

FIXTURE(sync_file)
{
	int timeline;
	int fence;	/* signals at 1 */
	int fds;
};

FIXTURE_SETUP(sync_file)
{
	self->timeline = sw_sync_open();
	if (self->timeline < 0)
		SKIP(return, "no sw_sync: %s", strerror(-self->timeline));
	ASSERT_GIVES(self->fence, sw_sync_fence(self->timeline, 1, NULL));
	self->fds = count_open_fds();
}

FIXTURE_TEARDOWN(sync_file)
{
	/* Every test closes what it opens; no refusal leaves a descriptor. */
	EXPECT_EQ(self->fds, count_open_fds());
	close(self->fence);
	close(self->timeline);
}

/* ------------------------------------------------------------- waiting -- */

TEST_F(sync_file, is_ready_when_its_fence_is)
{
	EXPECT_EQ(0, poll_now(self->fence, POLLIN));
	EXPECT_EQ(0, sync_file_status(self->fence));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_now(self->fence, POLLIN));
	EXPECT_EQ(POLLIN, poll_now(self->fence, POLLIN));
	EXPECT_EQ(1, sync_file_status(self->fence));
}

static void *poll_thread(void *arg)
{
	return (void *)(long)poll_wait(*(int *)arg, POLLIN, MINUTE_MS);
}

TEST_F(sync_file, wakes_all_who_sleep_on_it)
{
	pthread_t threads[4];
	unsigned int i;
	void *got;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, poll_thread,
					    &self->fence));
	usleep(20000); /* most of them sleep by now, which is the harder case */
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &got));
		EXPECT_EQ(POLLIN, (long)got);
	}
}

TEST_F(sync_file, works_with_epoll)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, epoll);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->fence, &event));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, MINUTE_MS));
	close(epoll);
}

TEST_F(sync_file, closed_after_a_poll_is_not_woken)
{
	int fence, i;

	for (i = 0; i < 100; i++) {
		ASSERT_GIVES(fence, sw_sync_fence(self->timeline, 2 + i, NULL));
		EXPECT_EQ(0, poll_now(fence, POLLIN));
		close(fence);
		ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	}
}

TEST_F(sync_file, travels_to_another_process)
{
	int sockets[2], status, fd;
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		fd = fd_receive(sockets[1]);
		_exit(fd < 0 || poll_wait(fd, POLLIN, MINUTE_MS) != POLLIN);
	}
	ASSERT_EQ(0, fd_send(sockets[0], self->fence));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	close(sockets[0]);
	close(sockets[1]);
}

TEST_F(sync_file, is_not_a_file_to_read_or_map)
{
	char byte = 0;

	EXPECT_REFUSED(EINVAL, sysret(read(self->fence, &byte, 1)));
	EXPECT_REFUSED(EBADF, sysret(write(self->fence, &byte, 1)));
	EXPECT_REFUSED(ESPIPE, sysret(lseek(self->fence, 0, SEEK_SET)));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, page_size(), PROT_READ, MAP_SHARED,
				   self->fence, 0));
}

/* --------------------------------------------------------------- merge -- */

TEST_F(sync_file, merged_waits_for_both)
{
	int other, second, both;

	ASSERT_GIVES(other, sw_sync_open());
	ASSERT_GIVES(second, sw_sync_fence(other, 1, NULL));
	ASSERT_GIVES(both, sync_file_merge(self->fence, second, NULL));
	EXPECT_EQ(FD_CLOEXEC, fcntl(both, F_GETFD));
	EXPECT_EQ(2, sync_file_num_fences(both));
	EXPECT_EQ(1, sync_file_num_fences(self->fence));

	EXPECT_EQ(0, poll_now(both, POLLIN));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(0, poll_now(both, POLLIN));
	EXPECT_EQ(POLLIN, poll_now(self->fence, POLLIN));

	/* The merged file does not need the ones that it was made of. */
	close(second);
	ASSERT_EQ(0, sw_sync_inc(other, 1));
	EXPECT_EQ(POLLIN, poll_wait(both, POLLIN, MINUTE_MS));
	close(both);
	close(other);
}

TEST_F(sync_file, merged_with_itself_is_one_fence)
{
	int same;

	ASSERT_GIVES(same, sync_file_merge(self->fence, self->fence, NULL));
	EXPECT_EQ(1, sync_file_num_fences(same));
	EXPECT_EQ(0, poll_now(same, POLLIN));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_wait(same, POLLIN, MINUTE_MS));
	close(same);
}

TEST_F(sync_file, of_one_timeline_only_the_last_point_remains)
{
	int late, merged;

	ASSERT_GIVES(late, sw_sync_fence(self->timeline, 5, NULL));
	ASSERT_GIVES(merged, sync_file_merge(late, self->fence, NULL));
	EXPECT_EQ(1, sync_file_num_fences(merged));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 4));
	EXPECT_EQ(0, poll_now(merged, POLLIN));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_wait(merged, POLLIN, MINUTE_MS));
	close(merged);
	close(late);
}

TEST_F(sync_file, merged_of_what_is_over_is_over)
{
	int merged;

	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	ASSERT_GIVES(merged, sync_file_merge(self->fence, self->fence, NULL));
	EXPECT_EQ(POLLIN, poll_now(merged, POLLIN));
	EXPECT_EQ(1, sync_file_status(merged));
	close(merged);
}

TEST_F(sync_file, merged_name_is_cut_and_terminated)
{
	struct sync_merge_data data = { .fd2 = self->fence };
	struct sync_file_info info;

	memset(data.name, 'n', sizeof(data.name));
	ASSERT_EQ(0, xioctl(self->fence, SYNC_IOC_MERGE, &data));
	ASSERT_EQ(0, sync_file_info(data.fence, &info, NULL, 0));
	EXPECT_EQ(31U, strlen(info.name));
	EXPECT_EQ(31U, strspn(info.name, "n"));
	close(data.fence);

	data = (struct sync_merge_data){ .fd2 = self->fence, .name = "flip" };
	ASSERT_EQ(0, xioctl(self->fence, SYNC_IOC_MERGE, &data));
	ASSERT_EQ(0, sync_file_info(data.fence, &info, NULL, 0));
	EXPECT_STREQ("flip", info.name);
	close(data.fence);
}

TEST_F(sync_file, merge_refuses)
{
	struct sync_merge_data good = { .fd2 = self->fence, .fence = -1 }, data;
	int closed = dup(self->fence), pipes[2];

	close(closed);
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));

	data = good;
	data.flags = 1;
	EXPECT_REFUSED(EINVAL, xioctl(self->fence, SYNC_IOC_MERGE, &data));
	data = good;
	data.pad = 1;
	EXPECT_REFUSED(EINVAL, xioctl(self->fence, SYNC_IOC_MERGE, &data));
	data = good;
	data.fd2 = -1;
	EXPECT_REFUSED(ENOENT, xioctl(self->fence, SYNC_IOC_MERGE, &data));
	data.fd2 = closed;
	EXPECT_REFUSED(ENOENT, xioctl(self->fence, SYNC_IOC_MERGE, &data));
	data.fd2 = pipes[0];
	EXPECT_REFUSED(ENOENT, xioctl(self->fence, SYNC_IOC_MERGE, &data));
	data.fd2 = self->timeline;
	EXPECT_REFUSED(ENOENT, xioctl(self->fence, SYNC_IOC_MERGE, &data));
	EXPECT_REFUSED(EFAULT, xioctl(self->fence, SYNC_IOC_MERGE, NULL));
	EXPECT_REFUSED(ENOTTY, xioctl(pipes[0], SYNC_IOC_MERGE, &good));

	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(sync_file, merge_that_cannot_answer_leaves_nothing)
{
	struct sync_merge_data *data;

	data = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, data);
	data->fd2 = self->fence;
	ASSERT_EQ(0, mprotect(data, page_size(), PROT_READ));
	/* The teardown counts descriptors. */
	EXPECT_REFUSED(EFAULT, xioctl(self->fence, SYNC_IOC_MERGE, data));
	munmap(data, page_size());
}

TEST_F(sync_file, merge_without_free_descriptors)
{
	struct rlimit limit, none;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = 0;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_REFUSED(EMFILE, sync_file_merge(self->fence, self->fence, NULL));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
}

/* ---------------------------------------------------------------- info -- */

/* The names are the same when the fence has signalled and the timeline is gone. */
TEST_F(sync_file, names_stay)
{
	struct sync_fence_info before, after;
	struct sync_file_info pending, over;
	int timeline, fence;

	ASSERT_GIVES(timeline, sw_sync_open());
	ASSERT_GIVES(fence, sw_sync_fence(timeline, 1, NULL));
	ASSERT_EQ(0, sync_file_info(fence, &pending, &before, 1));
	EXPECT_EQ(0, before.status);
	EXPECT_EQ(0, sw_sync_inc(timeline, 1));
	close(timeline);

	ASSERT_EQ(0, sync_file_info(fence, &over, &after, 1));
	EXPECT_EQ(1, after.status);
	EXPECT_STREQ("sw_sync", after.driver_name);
	EXPECT_STREQ(before.obj_name, after.obj_name);
	EXPECT_STREQ(pending.name, over.name);
	close(fence);
}

TEST_F(sync_file, info_describes_each_fence)
{
	struct sync_fence_info fences[3];
	struct sync_file_info info;
	int other, second, both;

	ASSERT_GIVES(other, sw_sync_open());
	ASSERT_GIVES(second, sw_sync_fence(other, 1, NULL));
	ASSERT_GIVES(both, sync_file_merge(self->fence, second, "both"));

	/* More room than needed: filled are two, and it says so. */
	memset(fences, 0xff, sizeof(fences));
	ASSERT_EQ(0, sync_file_info(both, &info, fences, 3));
	EXPECT_STREQ("both", info.name);
	EXPECT_EQ(2U, info.num_fences);
	EXPECT_EQ(0, info.status);
	EXPECT_STREQ("sw_sync", fences[0].driver_name);
	EXPECT_STREQ("sw_sync", fences[1].driver_name);
	EXPECT_STREQ(program_invocation_short_name, fences[0].obj_name);
	EXPECT_EQ(0, fences[0].status);
	EXPECT_EQ(0U, fences[0].flags);
	EXPECT_EQ(0U, fences[0].timestamp_ns);
	EXPECT_EQ((__u64)-1, fences[2].timestamp_ns);

	/* Just enough. */
	ASSERT_EQ(0, sync_file_info(both, &info, fences, 2));
	close(second);
	close(both);
	close(other);
}

TEST_F(sync_file, info_tells_when_and_how_it_ended)
{
	struct sync_fence_info one = {};
	struct sync_file_info info;
	struct timespec now;
	__u64 before, after;
	int doomed;

	clock_gettime(CLOCK_MONOTONIC, &now);
	before = now.tv_sec * 1000000000ULL + now.tv_nsec;
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	clock_gettime(CLOCK_MONOTONIC, &now);
	after = now.tv_sec * 1000000000ULL + now.tv_nsec;

	ASSERT_EQ(0, sync_file_info(self->fence, &info, &one, 1));
	EXPECT_EQ(1, info.status);
	EXPECT_EQ(1, one.status);
	EXPECT_LE(before, one.timestamp_ns);
	EXPECT_GE(after, one.timestamp_ns);

	ASSERT_GIVES(doomed, sw_sync_open());
	close(self->fence);
	ASSERT_GIVES(self->fence, sw_sync_fence(doomed, 1, NULL));
	close(doomed);
	ASSERT_EQ(0, sync_file_info(self->fence, &info, &one, 1));
	EXPECT_EQ(-ENOENT, info.status);
	EXPECT_EQ(-ENOENT, one.status);
	EXPECT_NE(0U, one.timestamp_ns);
}

TEST_F(sync_file, info_refuses)
{
	struct sync_fence_info one;
	struct sync_file_info info = {};
	int other, second, both;

	ASSERT_GIVES(other, sw_sync_open());
	ASSERT_GIVES(second, sw_sync_fence(other, 1, NULL));
	ASSERT_GIVES(both, sync_file_merge(self->fence, second, NULL));

	info.flags = 1;
	EXPECT_REFUSED(EINVAL, xioctl(both, SYNC_IOC_FILE_INFO, &info));
	info.flags = 0;
	info.pad = 1;
	EXPECT_REFUSED(EINVAL, xioctl(both, SYNC_IOC_FILE_INFO, &info));
	/* No room for the second one. */
	EXPECT_REFUSED(EINVAL, sync_file_info(both, &info, &one, 1));
	/* Room that is not there. */
	EXPECT_REFUSED(EFAULT, sync_file_info(both, &info, NULL, 2));
	EXPECT_REFUSED(EFAULT, xioctl(both, SYNC_IOC_FILE_INFO, NULL));

	close(both);
	close(second);
	close(other);
}

TEST_F(sync_file, many_merged_are_all_described)
{
	struct sync_fence_info fences[32];
	int timelines[32], merged, next, i;
	struct sync_file_info info;

	merged = dup(self->fence);
	for (i = 0; i < 31; i++) {
		int fence;

		ASSERT_GIVES(timelines[i], sw_sync_open());
		ASSERT_GIVES(fence, sw_sync_fence(timelines[i], 1, NULL));
		ASSERT_GIVES(next, sync_file_merge(merged, fence, NULL));
		close(fence);
		close(merged);
		merged = next;
	}
	EXPECT_EQ(32, sync_file_num_fences(merged));

	for (i = 0; i < 31; i += 2)
		ASSERT_EQ(0, sw_sync_inc(timelines[i], 1));
	ASSERT_EQ(0, sync_file_info(merged, &info, fences, 32));
	EXPECT_EQ(32U, info.num_fences);
	EXPECT_EQ(0, info.status);
	for (next = 0, i = 0; i < 32; i++)
		next += fences[i].status;
	EXPECT_EQ(16, next);

	for (i = 0; i < 31; i++)
		close(timelines[i]);
	close(merged);
}

/* ------------------------------------------------------------ deadline -- */

TEST_F(sync_file, deadline_reaches_the_driver)
{
	struct sw_sync_get_deadline got = { .fence_fd = self->fence };
	struct sync_set_deadline data = { .deadline_ns = 5000000 };

	ASSERT_EQ(0, xioctl(self->fence, SYNC_IOC_SET_DEADLINE, &data));
	ASSERT_EQ(0, xioctl(self->timeline, SW_SYNC_GET_DEADLINE, &got));
	EXPECT_EQ(5000000U, got.deadline_ns);

	/* To the kernel this is before the clock began, so it is earlier. */
	data.deadline_ns = (__u64)-1;
	ASSERT_EQ(0, xioctl(self->fence, SYNC_IOC_SET_DEADLINE, &data));
	got.deadline_ns = 0;
	ASSERT_EQ(0, xioctl(self->timeline, SW_SYNC_GET_DEADLINE, &got));
	EXPECT_EQ((__u64)-1, got.deadline_ns);
}

TEST_F(sync_file, deadline_refuses)
{
	struct sync_set_deadline data = { .pad = 1 };

	EXPECT_REFUSED(EINVAL, xioctl(self->fence, SYNC_IOC_SET_DEADLINE, &data));
	EXPECT_REFUSED(EFAULT, xioctl(self->fence, SYNC_IOC_SET_DEADLINE, NULL));
}

TEST_F(sync_file, deadline_of_what_is_over_is_harmless)
{
	struct sync_set_deadline data = { .deadline_ns = 1 };

	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(0, xioctl(self->fence, SYNC_IOC_SET_DEADLINE, &data));
}

/* ------------------------------------------------------------- refusals -- */

TEST_F(sync_file, other_commands_are_unknown)
{
	char args[256] = {};
	unsigned int nr;

	for (nr = 0; nr < 32; nr++) {
		if (nr >= 3 && nr <= 5)
			continue;
		EXPECT_REFUSED(ENOTTY, xioctl(self->fence,
					      _IOC(_IOC_READ | _IOC_WRITE, '>', nr, 48),
					      args));
	}
	/* Right number; wrong size, direction, magic. */
	EXPECT_REFUSED(ENOTTY, xioctl(self->fence, _IOC(_IOC_READ | _IOC_WRITE,
							'>', 3, 56), args));
	EXPECT_REFUSED(ENOTTY, xioctl(self->fence, _IOC(_IOC_READ, '>', 3, 48),
				      args));
	EXPECT_REFUSED(ENOTTY, xioctl(self->fence, _IOC(_IOC_READ | _IOC_WRITE,
							'b', 3, 48), args));
}

TEST_HARNESS_MAIN
