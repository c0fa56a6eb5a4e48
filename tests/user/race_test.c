// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two threads of one program, on two CPUs, at the same descriptors.
 *
 * A race thread does one thing over and over while the test runs its rounds.
 * What comes of a call is either what it gives alone, or one of the errnos of a
 * descriptor that is gone or names something else by now. Afterwards every
 * buffer and every descriptor is where it was. What else may go wrong, the
 * kernel says on its log.
 */
#include "dma_buf_test.h"
#include "progress.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define MIN_ROUNDS	50
#define MAX_ROUNDS	20000
#define SECONDS		3
#define PATIENCE_MS	300000	/* for what must come */

/* What a test shares with its race thread. */
struct race {
	void (*turn)(struct race *race);
	pthread_t thread;
	atomic_bool over;
	atomic_int turns;
	atomic_int wrong;		/* the errno of what must not be */
	atomic_int call;		/* and what it was that gave it */
	atomic_int fd;			/* the bone of contention, or -1 */
	atomic_int other;		/* and a second one */
	int rounds;
	struct timespec began;
	int fds;			/* census */
	long buffers;
};

static void *race_thread(void *data)
{
	struct race *race = data;

	while (!race->over) {
		race->turn(race);
		race->turns++;
	}
	return NULL;
}

static int race_start(struct race *race, void (*turn)(struct race *race))
{
	race->turn = turn;
	race->fd = -1;
	race->other = -1;
	race->fds = count_open_fds();
	race->buffers = count_buffers();
	clock_gettime(CLOCK_MONOTONIC, &race->began);
	return -pthread_create(&race->thread, NULL, race_thread, race);
}

static bool race_again(struct race *race)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (race->rounds >= MAX_ROUNDS)
		return false;
	if (race->rounds >= MIN_ROUNDS && now.tv_sec - race->began.tv_sec >= SECONDS)
		return false;
	race->rounds++;
	test_progress("race rounds", (unsigned long)race->rounds);
	return true;
}

/* Now and then a moment more, so that not every round meets the same way. */
static void race_dawdle(struct race *race)
{
	for (volatile int i = race->rounds % 64 * 16; i > 0; i--)
		;
	if (race->rounds % 16 == 0)
		sched_yield();
}

/* Most rounds begin when the race thread is at it, be the machine as busy as it may. */
static void race_meet(struct race *race)
{
	int turns = race->turns;

	for (int tries = 0; tries < 100 && race->turns - turns < 2; tries++)
		usleep(100);
}

static void race_stop(struct race *race)
{
	race->over = true;
	pthread_join(race->thread, NULL);
}

/* Nothing is left, nothing was wrong, and there was a race at all. */
#define EXPECT_RACE_CLEAN(race) do { \
	EXPECT_EQ(0, (race)->wrong) \
		TH_LOG("call %d gave: %s", (race)->call, strerror((race)->wrong)); \
	EXPECT_LT(0, (race)->turns); \
	EXPECT_EQ((race)->fds, count_open_fds()); \
	EXPECT_TRUE(buffers_settle((race)->buffers)); \
	TH_LOG("FIGURE race rounds: %d", (race)->rounds); \
} while (0)

/* Takes what @call gave; anything but 0, a result, or these is wrong. */
static void race_allow(struct race *race, int call, long ret, const int *errnos,
		       size_t count)
{
	if (ret >= 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (ret == -errnos[i])
			return;
	race->call = call;
	race->wrong = (int)-ret;
}

#define RACE_ALLOW_CALL(race, call, ret, ...) do { \
	const int _errnos[] = { __VA_ARGS__ }; \
	race_allow(race, call, ret, _errnos, ARRAY_SIZE(_errnos)); \
} while (0)
/* Calls of the test are known by their line. */
#define RACE_ALLOW(race, ret, ...) RACE_ALLOW_CALL(race, __LINE__, ret, __VA_ARGS__)

FIXTURE(race) {
	struct race race;
	int heap;
	int importer;
	int udmabuf;
};

FIXTURE_SETUP(race)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs two CPUs");
	self->heap = heap_open("system");
	if (self->heap < 0)
		SKIP(return, "no heap system");
	self->importer = importer_open();
	self->udmabuf = xopen(UDMABUF_NODE, O_RDWR);
	memset(&self->race, 0, sizeof(self->race));
}

FIXTURE_TEARDOWN(race)
{
	close(self->heap);
	close(self->importer);
	close(self->udmabuf);
}

/* ------------------------------------------------------ close and ioctl -- */

static int the_importer;

/* Every ioctl that takes @fd as its file, and each that takes it as argument. */
static void every_call(struct race *race, int fd, int other)
{
	static __thread int turn;
	struct sync_fence_info fences[2];
	struct sync_file_info info;
	struct sync_set_deadline deadline = { .deadline_ns = 1 };
	struct sw_sync_get_deadline asked = { .fence_fd = fd };
	struct udmabuf_create create = {
		.memfd = other, .flags = UDMABUF_FLAGS_CLOEXEC, .size = page_size(),
	};
	char text[64];
	long ret = 0;
	void *mem;

	switch (++turn % 18) {
	case 0:
		ret = dmabuf_begin(fd, DMA_BUF_SYNC_RW);
		break;
	case 1:
		ret = dmabuf_end(fd, DMA_BUF_SYNC_RW);
		break;
	case 2:
		ret = dmabuf_set_name(fd, "raced");
		break;
	case 3:
		ret = dmabuf_export_sync_file(fd, DMA_BUF_SYNC_RW);
		break;
	case 4:
		ret = dmabuf_import_sync_file(fd, DMA_BUF_SYNC_READ, other);
		break;
	case 5:
		ret = dmabuf_import_sync_file(other, DMA_BUF_SYNC_WRITE, fd);
		break;
	case 6:
		ret = sync_file_merge(fd, other, "raced");
		/* The other one is none. */
		ret = ret == -ENOENT ? 0 : ret;
		break;
	case 7:
		ret = sync_file_info(fd, &info, fences, ARRAY_SIZE(fences));
		break;
	case 8:
		ret = xioctl(fd, SYNC_IOC_SET_DEADLINE, &deadline);
		break;
	case 9:
		ret = sw_sync_fence(fd, 1, "raced");
		break;
	case 10:
		ret = sw_sync_inc(fd, 1);
		break;
	case 11:
		ret = fdinfo_get(fd, "size", text, sizeof(text));
		/* Not there, or not of a buffer. */
		ret = ret == -ENOENT || ret == -ENODATA ? 0 : ret;
		break;
	case 12:
		ret = map_rw(fd, page_size(), &mem);
		if (!ret)
			munmap(mem, page_size());
		/* Other kinds of file have no memory. */
		ret = ret == -ENODEV || ret == -EACCES ? 0 : ret;
		break;
	case 13:
		ret = dmabuf_size(fd);
		ret = ret == -ESPIPE ? 0 : ret;
		break;
	case 14:
		ret = heap_alloc(fd, page_size());
		break;
	case 15:
		ret = xioctl(fd, UDMABUF_CREATE, &create);
		/* Not made of a memfd. */
		ret = ret == -EBADFD ? 0 : ret;
		break;
	case 16:
		ret = xioctl(other, SW_SYNC_GET_DEADLINE, &asked);
		/* None has been set. */
		ret = ret == -ENOENT ? 0 : ret;
		break;
	default:
		ret = the_importer < 0 ? 0 : importer_import(the_importer, fd);
		if (ret > 0)
			importer_close(the_importer, (int)ret);
		break;
	}
	/* A descriptor of another kind has no such ioctl, or is refused as argument. */
	RACE_ALLOW_CALL(race, turn % 18, ret, EBADF, ENOTTY, EINVAL);
}

/* What made a descriptor is dropped here, too, so there is none to keep. */
static void turn_every_call(struct race *race)
{
	int fd = race->fd, other = race->other;

	if (fd >= 0)
		every_call(race, fd, other);
}

/* A descriptor of each kind, by turns. */
static int next_fd(int heap, int udmabuf, int memfd, int round)
{
	struct udmabuf_create create = {
		.memfd = memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .size = page_size(),
	};
	int timeline, fd;

	switch (round % 6) {
	case 0:
		return heap_alloc(heap, page_size());
	case 1:
		return udmabuf < 0 ? -ENODEV : xioctl(udmabuf, UDMABUF_CREATE, &create);
	case 2:
		return sw_sync_open();
	case 3:
		return heap_open("system");
	case 4:
		return xopen(UDMABUF_NODE, O_RDWR);
	}
	timeline = sw_sync_open();
	if (timeline < 0)
		return timeline;
	fd = sw_sync_fence(timeline, 1, "raced");
	close(timeline);
	return fd;
}

/* Closes what the race thread's calls have opened: it cannot know which is whose. */
static void close_above(int fd)
{
	close_range((unsigned int)fd, ~0U, 0);
}

/* Whatever is closed under a call, the call ends, and nothing is left. */
TEST_F(race, close_against_every_ioctl)
{
	struct race *race = &self->race;
	int memfd, lowest;

	ASSERT_GIVES(memfd, (int)sysret(memfd_create("race", MFD_ALLOW_SEALING |
						     MFD_CLOEXEC)));
	ASSERT_EQ(0, ftruncate(memfd, page_size()));
	ASSERT_EQ(0, fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	ASSERT_GIVES(lowest, dup(memfd));
	close(lowest);

	the_importer = self->importer;
	ASSERT_EQ(0, race_start(race, turn_every_call));
	while (race_again(race)) {
		int fd = next_fd(self->heap, self->udmabuf, memfd, race->rounds);
		int other = next_fd(self->heap, self->udmabuf, memfd, race->rounds / 6);

		race->other = other;
		race->fd = fd;
		race_dawdle(race);
		if (fd >= 0)
			close(fd);
		if (other >= 0)
			close(other);
		/* What the race thread has opened by now goes as well, in mid-flight. */
		if (race->rounds % 8 == 0)
			close_above(lowest);
	}
	race_stop(race);
	close_above(lowest);
	close(memfd);
	race->fds -= 1;
	EXPECT_RACE_CLEAN(race);
}

/* ------------------------------------------------------- poll and close -- */

static void turn_poll(struct race *race)
{
	struct pollfd pfd = { .fd = race->fd, .events = POLLIN | POLLOUT };

	if (pfd.fd >= 0)
		RACE_ALLOW(race, sysret(poll(&pfd, 1, 1)), EBADF);
}

/*
 * A poll may hold the last reference to the buffer, and the fence that it polls
 * for signals meanwhile. Caught: a poll that keeps no reference for its callback.
 */
TEST_F(race, poll_against_close)
{
	struct race *race = &self->race;

	ASSERT_EQ(0, race_start(race, turn_poll));
	while (race_again(race)) {
		int timeline, fence, fd;

		ASSERT_GIVES(timeline, sw_sync_open());
		ASSERT_GIVES(fence, sw_sync_fence(timeline, 1, "raced"));
		ASSERT_GIVES(fd, heap_alloc(self->heap, page_size()));
		ASSERT_EQ(0, dmabuf_import_sync_file(fd, DMA_BUF_SYNC_WRITE, fence));
		race->fd = fd;
		if (race->rounds % 4)
			race_meet(race);
		race_dawdle(race);
		if (race->rounds % 2)
			sw_sync_inc(timeline, 1);
		race->fd = -1;
		close(fd);
		close(fence);
		close(timeline);
	}
	race_stop(race);
	EXPECT_RACE_CLEAN(race);
}

/* ---------------------------------------------------- import and export -- */

/* In and out again by the same device, whose table of handles both change. */
static void turn_import(struct race *race)
{
	int fd = race->fd, handle, again;

	if (fd < 0)
		return;
	handle = importer_import(the_importer, fd);
	RACE_ALLOW(race, handle, EBADF, EINVAL);
	if (handle < 0)
		return;
	again = importer_export(the_importer, handle);
	/* The other thread has closed this handle: it is the same one. */
	RACE_ALLOW(race, again, ENOENT);
	if (again >= 0)
		close(again);
	RACE_ALLOW(race, importer_close(the_importer, handle), EINVAL);
}

/*
 * One buffer is imported and exported under the same handle by both. Caught: a
 * dma_buf_get() that gives no reference.
 */
TEST_F(race, import_against_export)
{
	struct race *race = &self->race;

	if (self->importer < 0)
		SKIP(return, "no importer");
	the_importer = self->importer;
	ASSERT_EQ(0, race_start(race, turn_import));
	while (race_again(race)) {
		int fd, handle, again = -1;

		if (race->rounds % 2) {
			ASSERT_GIVES(fd, heap_alloc(self->heap, page_size()));
		} else {
			/* Its own: exporting makes the buffer. */
			ASSERT_GIVES(handle, importer_create(self->importer, 1));
			ASSERT_GIVES(fd, importer_export(self->importer, handle));
			importer_close(self->importer, handle);
		}
		race->fd = fd;
		race_dawdle(race);
		handle = importer_import(self->importer, fd);
		EXPECT_LE(0, handle);
		if (handle >= 0)
			again = importer_export(self->importer, handle);
		if (handle >= 0)
			RACE_ALLOW(race, importer_close(self->importer, handle), EINVAL);
		race->fd = -1;
		if (again >= 0)
			close(again);
		close(fd);
	}
	race_stop(race);
	EXPECT_RACE_CLEAN(race);
}

/* ----------------------------------------------------- sync files in and out -- */

#define TIMELINES	24

/* A fence of each, for the race thread to import one after the other. */
static int timelines[TIMELINES];
static int pending[TIMELINES];
/* How many imports into the present buffer it has begun, and how many ended. */
static atomic_int begun, ended;

static void turn_import_fences(struct race *race)
{
	int fd = race->fd;

	if (fd < 0)
		return;
	for (int i = 0; i < TIMELINES; i++) {
		begun++;
		/* Readers and writers alike, in no order. */
		RACE_ALLOW(race, dmabuf_import_sync_file(fd, i % 3 ? DMA_BUF_SYNC_READ :
							 DMA_BUF_SYNC_WRITE, pending[i]));
		ended++;
	}
	race->fd = -1;
}

/*
 * Each sync file that is exported has every fence that was imported before, once, and
 * none that was not. The buffer's list of fences is replaced several times
 * during an export. Caught: an export that keeps what it had gathered when its
 * walk starts over, and a longer list that can be seen before its fences are in it.
 */
TEST_F(race, sync_file_import_against_export)
{
	struct race *race = &self->race;
	int exports = 0;

	for (int i = 0; i < TIMELINES; i++) {
		ASSERT_GIVES(timelines[i], sw_sync_open());
		ASSERT_GIVES(pending[i], sw_sync_fence(timelines[i], 1, "raced"));
	}
	ASSERT_EQ(0, race_start(race, turn_import_fences));
	while (race_again(race)) {
		int fd;

		ASSERT_GIVES(fd, heap_alloc(self->heap, page_size()));
		begun = 0;
		ended = 0;
		race->fd = fd;
		while (race->fd >= 0) {
			int least = ended, file, count, state;

			ASSERT_GIVES(file, dmabuf_export_sync_file(fd, DMA_BUF_SYNC_RW));
			count = sync_file_num_fences(file);
			state = poll_now(file, POLLIN);
			/* Of an idle buffer it is one that has signalled. */
			EXPECT_LE(least, count);
			EXPECT_GE(begun > 0 ? begun : 1, count);
			if (least)
				EXPECT_EQ(0, state);
			close(file);
			exports++;
		}
		close(fd);
	}
	race_stop(race);
	race->fds -= 2 * TIMELINES;
	for (int i = 0; i < TIMELINES; i++) {
		close(pending[i]);
		close(timelines[i]);
	}
	EXPECT_RACE_CLEAN(race);
	TH_LOG("%d sync files were exported", exports);
}

/* ------------------------------------------------ release of the timeline -- */

/* Waits for a fence of the timeline, and asks it things meanwhile. */
static void turn_wait(struct race *race)
{
	int fd = race->fd, events;
	struct sync_file_info info;
	struct sync_fence_info fence = { 0 };

	if (fd < 0)
		return;
	RACE_ALLOW(race, sync_file_info(fd, &info, &fence, 1), EBADF, ENOTTY);
	events = poll_wait(fd, POLLIN, PATIENCE_MS);
	if (!events)
		race->wrong = ETIME;
}

/*
 * The timeline is closed during a wait for it: the waiter is woken with an error.
 * Caught: an end of the timeline that drops its fences without signalling them.
 */
TEST_F(race, timeline_ends_under_waiters)
{
	struct race *race = &self->race;

	ASSERT_EQ(0, race_start(race, turn_wait));
	while (race_again(race)) {
		int timeline, fence;

		ASSERT_GIVES(timeline, sw_sync_open());
		ASSERT_GIVES(fence, sw_sync_fence(timeline, 2, "raced"));
		race->fd = fence;
		race_dawdle(race);
		if (race->rounds % 2)
			sw_sync_inc(timeline, 1);
		close(timeline);
		ASSERT_EQ(POLLIN, poll_wait(fence, POLLIN, PATIENCE_MS));
		EXPECT_EQ(-ENOENT, sync_file_status(fence));
		race->fd = -1;
		close(fence);
	}
	race_stop(race);
	EXPECT_RACE_CLEAN(race);
}

/* --------------------------------------------------- readers and release -- */

/* To the end, so that every line of it is made. The last byte, or -errno. */
static int read_all(const char *path)
{
	char text[4096];
	int last = 0;
	ssize_t got;
	int fd = xopen(path, O_RDONLY);

	if (fd < 0)
		return fd;
	while ((got = read(fd, text, sizeof(text))) > 0)
		last = text[got - 1];
	got = sysret(got);
	close(fd);
	return got < 0 ? (int)got : last;
}

/* Every file of every buffer that sysfs shows now. */
static void read_stats(struct race *race)
{
	DIR *dir = opendir(DMA_BUF_SYSFS);
	struct dirent *entry;
	char path[512];

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), DMA_BUF_SYSFS "/%s/size", entry->d_name);
		RACE_ALLOW(race, read_all(path), ENOENT, ENODEV);
		snprintf(path, sizeof(path), DMA_BUF_SYSFS "/%s/exporter_name",
			 entry->d_name);
		RACE_ALLOW(race, read_all(path), ENOENT, ENODEV);
	}
	if (dir)
		closedir(dir);
}

static void turn_read(struct race *race)
{
	int last = read_all(DMA_BUF_BUFINFO);

	/* Whatever is on it, the list ends with its totals. */
	if (last != '\n')
		race->wrong = last < 0 ? -last : EPROTO;
	last = read_all("/sys/kernel/debug/sync/info");
	if (last != '\n')
		race->wrong = last < 0 ? -last : EPROTO;
	read_stats(race);
}

/*
 * Buffers, timelines and sync files are released while they are printed. Caught,
 * by KASAN: a buffer that leaves the list of debugfs after it is freed.
 */
TEST_F(race, readers_against_death)
{
	struct race *race = &self->race;

	if (count_buffers() < 0)
		SKIP(return, "no " DMA_BUF_BUFINFO);
	ASSERT_EQ(0, race_start(race, turn_read));
	while (race_again(race)) {
		int timeline, fence, merged, fd;

		ASSERT_GIVES(timeline, sw_sync_open());
		ASSERT_GIVES(fence, sw_sync_fence(timeline, 1, "raced"));
		ASSERT_GIVES(fd, heap_alloc(self->heap, page_size()));
		ASSERT_EQ(0, dmabuf_set_name(fd, "raced"));
		ASSERT_EQ(0, dmabuf_import_sync_file(fd, DMA_BUF_SYNC_READ, fence));
		ASSERT_GIVES(merged, sync_file_merge(fence, fence, "raced"));
		race_dawdle(race);
		if (race->rounds % 2)
			close(timeline);
		close(fence);
		close(fd);
		close(merged);
		if (race->rounds % 2 == 0)
			close(timeline);
	}
	race_stop(race);
	EXPECT_RACE_CLEAN(race);
}

TEST_HARNESS_MAIN
