// SPDX-License-Identifier: GPL-2.0-only
/*
 * The software timeline: its three ioctls and their refusals, what becomes of
 * fences when it ends, and what debugfs and the trace event tell of it. All is
 * skipped where there is no sw_sync.
 */
#include "dma_buf_test.h"
#include <limits.h>
#include <pthread.h>
#include <sys/mount.h>

#define MINUTE_MS	60000

#define SYNC_INFO	"/sys/kernel/debug/sync/info"
#define TRACE_DIR	"/sys/kernel/tracing"
#define SYNC_EVENT	TRACE_DIR "/events/sync_trace/sync_timeline"

FIXTURE(sw_sync)
{
	int timeline;
	int fds;
};

FIXTURE_SETUP(sw_sync)
{
	self->timeline = sw_sync_open();
	if (self->timeline < 0)
		SKIP(return, "no sw_sync: %s", strerror(-self->timeline));
	self->fds = count_open_fds();
}

FIXTURE_TEARDOWN(sw_sync)
{
	/* Every test closes what it opens; no refusal leaves a descriptor. */
	EXPECT_EQ(self->fds, count_open_fds());
	close(self->timeline);
}

/* Up to the buffer's size of a file that tells its content in one go. */
static int read_file(const char *path, char *text, size_t size)
{
	int fd = xopen(path, O_RDONLY);
	size_t at = 0;
	ssize_t got;

	if (fd < 0)
		return fd;
	while (at < size - 1 && (got = read(fd, text + at, size - 1 - at)) > 0)
		at += got;
	text[at] = '\0';
	close(fd);
	return (int)at;
}

/* -------------------------------------------------------- create and inc -- */

TEST_F(sw_sync, signals_what_it_reaches)
{
	int one, two;

	ASSERT_GIVES(one, sw_sync_fence(self->timeline, 1, NULL));
	ASSERT_GIVES(two, sw_sync_fence(self->timeline, 2, NULL));
	EXPECT_EQ(FD_CLOEXEC, fcntl(one, F_GETFD));

	EXPECT_EQ(0, sw_sync_inc(self->timeline, 0));
	EXPECT_EQ(0, poll_now(one, POLLIN));
	EXPECT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_now(one, POLLIN));
	EXPECT_EQ(0, poll_now(two, POLLIN));
	EXPECT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_now(two, POLLIN));
	close(one);
	close(two);
}

TEST_F(sw_sync, late_points_are_over)
{
	int now, past;

	ASSERT_EQ(0, sw_sync_inc(self->timeline, 7));
	ASSERT_GIVES(now, sw_sync_fence(self->timeline, 7, NULL));
	ASSERT_GIVES(past, sw_sync_fence(self->timeline, 0, NULL));
	EXPECT_EQ(1, sync_file_status(now));
	EXPECT_EQ(1, sync_file_status(past));
	close(now);
	close(past);
}

/* A value is one of a circle: up to INT_MAX ahead, all others are behind. */
TEST_F(sw_sync, values_are_a_circle)
{
	int last, behind;

	ASSERT_GIVES(behind, sw_sync_fence(self->timeline, (__u32)INT_MAX + 1, NULL));
	EXPECT_EQ(POLLIN, poll_now(behind, POLLIN));
	close(behind);
	ASSERT_GIVES(behind, sw_sync_fence(self->timeline, UINT_MAX, NULL));
	EXPECT_EQ(POLLIN, poll_now(behind, POLLIN));
	close(behind);

	ASSERT_GIVES(last, sw_sync_fence(self->timeline, INT_MAX, NULL));
	EXPECT_EQ(0, sw_sync_inc(self->timeline, INT_MAX - 1));
	EXPECT_EQ(0, poll_now(last, POLLIN));
	EXPECT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_now(last, POLLIN));
	close(last);

	/* From there on what was behind lies ahead. */
	ASSERT_GIVES(last, sw_sync_fence(self->timeline, (__u32)INT_MAX + 2, NULL));
	EXPECT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(0, poll_now(last, POLLIN));
	EXPECT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_now(last, POLLIN));
	close(last);
}

TEST_F(sw_sync, leaps_over_nothing)
{
	int fence;

	ASSERT_GIVES(fence, sw_sync_fence(self->timeline, 1, NULL));
	EXPECT_EQ(0, sw_sync_inc(self->timeline, UINT_MAX));
	EXPECT_EQ(POLLIN, poll_now(fence, POLLIN));
	close(fence);

	/* It stands one short of 0 now; small values lie ahead again. */
	ASSERT_GIVES(fence, sw_sync_fence(self->timeline, 3, NULL));
	EXPECT_EQ(0, sw_sync_inc(self->timeline, 3));
	EXPECT_EQ(0, poll_now(fence, POLLIN));
	EXPECT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_now(fence, POLLIN));
	close(fence);
}

TEST_F(sw_sync, end_is_an_error_for_who_waits)
{
	int doomed, reached, waiting;

	ASSERT_GIVES(doomed, sw_sync_open());
	ASSERT_GIVES(reached, sw_sync_fence(doomed, 1, NULL));
	ASSERT_GIVES(waiting, sw_sync_fence(doomed, 2, NULL));
	ASSERT_EQ(0, sw_sync_inc(doomed, 1));
	EXPECT_EQ(0, poll_now(waiting, POLLIN));

	close(doomed);
	EXPECT_EQ(POLLIN, poll_wait(waiting, POLLIN, MINUTE_MS));
	EXPECT_EQ(1, sync_file_status(reached));
	EXPECT_EQ(-ENOENT, sync_file_status(waiting));
	close(reached);
	close(waiting);
}

static void *churn_thread(void *arg)
{
	int timeline = *(int *)arg, fence, i;

	for (i = 0; i < 2000; i++) {
		fence = sw_sync_fence(timeline, i % 64 + 1, NULL);
		if (fence < 0)
			return (void *)1L;
		poll_now(fence, POLLIN);
		close(fence);
	}
	return NULL;
}

TEST_F(sw_sync, points_come_and_go_under_an_advance)
{
	pthread_t threads[2];
	void *failed;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, churn_thread,
					    &self->timeline));
	for (i = 0; i < 2000; i++)
		ASSERT_EQ(0, sw_sync_inc(self->timeline, i % 32 ? 1 : 0xffffffe0));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &failed));
		EXPECT_EQ(NULL, failed);
	}
}

/* -------------------------------------------------------------- refusals -- */

TEST_F(sw_sync, unreadable_arguments_are_refused)
{
	EXPECT_REFUSED(EFAULT, xioctl(self->timeline, SW_SYNC_IOC_CREATE_FENCE, NULL));
	EXPECT_REFUSED(EFAULT, xioctl(self->timeline, SW_SYNC_IOC_INC, NULL));
	EXPECT_REFUSED(EFAULT, xioctl(self->timeline, SW_SYNC_GET_DEADLINE, NULL));
}

TEST_F(sw_sync, create_that_cannot_answer_leaves_nothing)
{
	struct sw_sync_create_fence_data *data;

	data = mmap(NULL, page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, data);
	/* The teardown counts descriptors. */
	EXPECT_REFUSED(EFAULT, xioctl(self->timeline, SW_SYNC_IOC_CREATE_FENCE, data));
	munmap(data, page_size());
}

TEST_F(sw_sync, other_commands_are_unknown)
{
	char args[256] = {};
	unsigned int nr;

	for (nr = 3; nr < 32; nr++)
		EXPECT_REFUSED(ENOTTY, xioctl(self->timeline,
					      _IOC(_IOC_READ | _IOC_WRITE, 'W', nr, 40),
					      args));
	EXPECT_REFUSED(ENOTTY, xioctl(self->timeline,
				      _IOC(_IOC_READ | _IOC_WRITE, 'W', 0, 48), args));
	EXPECT_REFUSED(ENOTTY, xioctl(self->timeline, _IOC(_IOC_WRITE, 'W', 1, 8), args));
	EXPECT_REFUSED(ENOTTY, xioctl(self->timeline, SYNC_IOC_MERGE, args));
}

/* -------------------------------------------------------------- deadline -- */

static int get_deadline(int timeline, int fence, __u64 *deadline)
{
	struct sw_sync_get_deadline data = { .fence_fd = fence };
	int ret = xioctl(timeline, SW_SYNC_GET_DEADLINE, &data);

	*deadline = data.deadline_ns;
	return ret;
}

static int set_deadline(int fence, __u64 deadline)
{
	struct sync_set_deadline data = { .deadline_ns = deadline };

	return xioctl(fence, SYNC_IOC_SET_DEADLINE, &data);
}

TEST_F(sw_sync, earliest_deadline_counts)
{
	__u64 deadline;
	int fence;

	ASSERT_GIVES(fence, sw_sync_fence(self->timeline, 1, NULL));
	EXPECT_REFUSED(ENOENT, get_deadline(self->timeline, fence, &deadline));
	ASSERT_EQ(0, set_deadline(fence, 3000));
	ASSERT_EQ(0, set_deadline(fence, 1000));
	ASSERT_EQ(0, set_deadline(fence, 2000));
	EXPECT_EQ(0, get_deadline(self->timeline, fence, &deadline));
	EXPECT_EQ(1000U, deadline);
	close(fence);
}

/* Nor is one changed that ktime_t takes for a time before the clock began. */
TEST_F(sw_sync, deadline_is_told_as_it_was_given)
{
	static const __u64 given[] = {
		1, INT64_MAX, (__u64)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX,
	};
	__u64 deadline;
	size_t i;
	int fence;

	for (i = 0; i < ARRAY_SIZE(given); i++) {
		ASSERT_GIVES(fence, sw_sync_fence(self->timeline, 1, NULL));
		ASSERT_EQ(0, set_deadline(fence, given[i]));
		EXPECT_EQ(0, get_deadline(self->timeline, fence, &deadline));
		EXPECT_EQ(given[i], deadline);
		close(fence);
	}
}

TEST_F(sw_sync, deadline_reaches_all_that_was_merged)
{
	int other, one, two, both;
	__u64 deadline;

	ASSERT_GIVES(other, sw_sync_open());
	ASSERT_GIVES(one, sw_sync_fence(self->timeline, 1, NULL));
	ASSERT_GIVES(two, sw_sync_fence(other, 1, NULL));
	ASSERT_GIVES(both, sync_file_merge(one, two, NULL));

	ASSERT_EQ(0, set_deadline(both, 4711));
	EXPECT_EQ(0, get_deadline(self->timeline, one, &deadline));
	EXPECT_EQ(4711U, deadline);
	EXPECT_EQ(0, get_deadline(self->timeline, two, &deadline));
	EXPECT_EQ(4711U, deadline);

	/* Two fences have no deadline that could be told. */
	EXPECT_REFUSED(EINVAL, get_deadline(self->timeline, both, &deadline));
	close(one);
	close(two);
	close(both);
	close(other);
}

TEST_F(sw_sync, deadline_refuses)
{
	struct sw_sync_get_deadline data;
	__u64 deadline;
	int fence;

	ASSERT_GIVES(fence, sw_sync_fence(self->timeline, 1, NULL));
	ASSERT_EQ(0, set_deadline(fence, 1));

	data = (struct sw_sync_get_deadline){ .fence_fd = fence, .pad = 1 };
	EXPECT_REFUSED(EINVAL, xioctl(self->timeline, SW_SYNC_GET_DEADLINE, &data));
	data = (struct sw_sync_get_deadline){ .fence_fd = fence, .deadline_ns = 1 };
	EXPECT_REFUSED(EINVAL, xioctl(self->timeline, SW_SYNC_GET_DEADLINE, &data));
	EXPECT_REFUSED(EINVAL, get_deadline(self->timeline, -1, &deadline));
	EXPECT_REFUSED(EINVAL, get_deadline(self->timeline, self->timeline, &deadline));
	close(fence);
}

/* ------------------------------------------------------ seen from outside -- */

TEST_F(sw_sync, debugfs_lists_timelines_and_sync_files)
{
	static char text[1 << 18];
	int fence, done, merged;
	char line[128];

	ASSERT_GIVES(fence, sw_sync_fence(self->timeline, 2000000001, NULL));
	ASSERT_GIVES(done, sw_sync_fence(self->timeline, 0, NULL));
	ASSERT_GIVES(merged, sync_file_merge(fence, fence, "known-by-name"));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1234567));

	ASSERT_LT(0, read_file(SYNC_INFO, text, sizeof(text)));
	EXPECT_TRUE(strstr(text, "objs:\n--------------\n") == text);
	EXPECT_NE(NULL, strstr(text, "\nfences:\n--------------\n"));

	snprintf(line, sizeof(line), "%s: 1234567\n  fence active: 2000000001 / 1234567\n",
		 program_invocation_short_name);
	EXPECT_NE(NULL, strstr(text, line));
	EXPECT_NE(NULL, strstr(text, "] known-by-name: active\n"));
	snprintf(line, sizeof(line), "  %s_fence active: 2000000001 / 1234567\n",
		 program_invocation_short_name);
	EXPECT_NE(NULL, strstr(text, line));
	EXPECT_NE(NULL, strstr(text, ": signaled\n"));
	EXPECT_NE(NULL, strstr(text, "fence signaled@"));

	close(merged);
	close(done);
	close(fence);
	ASSERT_LT(0, read_file(SYNC_INFO, text, sizeof(text)));
	EXPECT_EQ(NULL, strstr(text, "known-by-name"));
	EXPECT_EQ(NULL, strstr(text, "2000000001"));
}

/* A fence that a program has left behind is found by the name of its timeline. */
TEST_F(sw_sync, debugfs_lists_a_timeline_until_its_last_fence_is_gone)
{
	static char text[1 << 18];
	int doomed, one, two;

	ASSERT_GIVES(doomed, sw_sync_open());
	ASSERT_GIVES(one, sw_sync_fence(doomed, 5, NULL));
	ASSERT_GIVES(two, sw_sync_fence(doomed, 0x50000000, NULL));
	ASSERT_EQ(0, sw_sync_inc(doomed, 0x40000003));
	ASSERT_LT(0, read_file(SYNC_INFO, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, ": 1073741827\n  fence active: 1342177280"));

	/* What was pending no longer is; the timeline stays for its fences. */
	close(doomed);
	ASSERT_LT(0, read_file(SYNC_INFO, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, ": 1073741827\n\n"));
	close(one);
	ASSERT_LT(0, read_file(SYNC_INFO, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, ": 1073741827\n\n"));

	close(two);
	ASSERT_LT(0, read_file(SYNC_INFO, text, sizeof(text)));
	EXPECT_EQ(NULL, strstr(text, ": 1073741827\n"));
}

TEST_F(sw_sync, debugfs_forgets_a_timeline_without_fences)
{
	static char text[1 << 18];
	int doomed;

	ASSERT_GIVES(doomed, sw_sync_open());
	ASSERT_EQ(0, sw_sync_inc(doomed, 0x40000004));
	ASSERT_LT(0, read_file(SYNC_INFO, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, ": 1073741828\n"));

	close(doomed);
	ASSERT_LT(0, read_file(SYNC_INFO, text, sizeof(text)));
	EXPECT_EQ(NULL, strstr(text, ": 1073741828\n"));
}

static void *timelines_thread(void *arg)
{
	int timeline, fence, i;

	for (i = 0; i < 2000; i++) {
		timeline = sw_sync_open();
		if (timeline < 0)
			return (void *)1L;
		fence = sw_sync_fence(timeline, 1, NULL);
		close(timeline);
		if (fence < 0)
			return (void *)1L;
		close(fence);
	}
	return NULL;
}

TEST_F(sw_sync, timelines_come_and_go_under_a_report)
{
	static char text[1 << 18];
	pthread_t threads[2];
	void *failed;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, timelines_thread,
					    NULL));
	for (i = 0; i < 200; i++)
		ASSERT_LT(0, read_file(SYNC_INFO, text, sizeof(text)));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &failed));
		EXPECT_EQ(NULL, failed);
	}
}

static int write_file(const char *path, const char *text)
{
	int fd = xopen(path, O_WRONLY | O_TRUNC), ret;

	if (fd < 0)
		return fd;
	ret = (int)sysret(write(fd, text, strlen(text)));
	close(fd);
	return ret < 0 ? ret : 0;
}

TEST_F(sw_sync, advance_is_traced)
{
	static char text[1 << 16];
	char line[64];

	mount("tracefs", TRACE_DIR, "tracefs", 0, NULL);
	if (access(SYNC_EVENT "/enable", W_OK))
		SKIP(return, "no trace event");

	ASSERT_LT(0, read_file(SYNC_EVENT "/format", text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "] name;"));
	EXPECT_NE(NULL, strstr(text, "u32 value;"));

	ASSERT_EQ(0, write_file(TRACE_DIR "/trace", ""));
	ASSERT_EQ(0, write_file(SYNC_EVENT "/enable", "1"));
	EXPECT_EQ(0, sw_sync_inc(self->timeline, 42));
	EXPECT_EQ(0, sw_sync_inc(self->timeline, 1000));
	ASSERT_EQ(0, write_file(SYNC_EVENT "/enable", "0"));

	/* What it showed before each step. */
	ASSERT_LT(0, read_file(TRACE_DIR "/trace", text, sizeof(text)));
	snprintf(line, sizeof(line), "sync_timeline: name=%s value=0\n",
		 program_invocation_short_name);
	EXPECT_NE(NULL, strstr(text, line));
	snprintf(line, sizeof(line), "sync_timeline: name=%s value=42\n",
		 program_invocation_short_name);
	EXPECT_NE(NULL, strstr(text, line));
	EXPECT_EQ(NULL, strstr(text, "value=1042"));
}

TEST_HARNESS_MAIN
