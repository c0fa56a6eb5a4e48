// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver goes away while others hold its buffers and fences. With a buffer
 * alive its module cannot be unloaded. With fences it can, once they have
 * signalled and have no release op; a program that still holds one prints it,
 * merges it, waits for it and puts it all the same.
 *
 * Needs the module of DMABUF_LAB_LEAVER, which each test loads and unloads;
 * skipped where it is not.
 */
#include "dma_buf_test.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#if __has_include("../lab/leaver_uapi.h")
#include "../lab/leaver_uapi.h"
#else
#include "../../../../drivers/dma-buf/tests/lab/leaver_uapi.h"
#endif

#define MODULE		"dmabuf_lab_leaver"
#define NODE		"/dev/dmabuf_leaver"
#define SYNC_INFO	"/sys/kernel/debug/sync/info"
#define PATIENCE_MS	300000

static int module_load(void)
{
	struct utsname name;
	char path[512];
	int fd, ret;

	uname(&name);
	snprintf(path, sizeof(path), "/lib/modules/%s/kernel/drivers/dma-buf/tests/lab/%s.ko",
		 name.release, MODULE);
	fd = xopen(path, O_RDONLY);
	if (fd < 0)
		return fd;
	ret = (int)sysret(syscall(SYS_finit_module, fd, "", 0));
	close(fd);
	return ret;
}

static int module_unload(void)
{
	return (int)sysret(syscall(SYS_delete_module, MODULE, O_NONBLOCK));
}

/* A last reference may be dropped a little later than its descriptor. */
static int module_unload_soon(void)
{
	int ret, ms;

	for (ms = 0; ms < PATIENCE_MS; ms += 10) {
		ret = module_unload();
		if (ret != -EWOULDBLOCK)
			return ret;
		usleep(10000);
	}
	return ret;
}

static int leaver_fence(int leaver, __u32 flags)
{
	struct dmabuf_leaver_fence arg = { .flags = flags, .fd = -1 };
	int ret = xioctl(leaver, DMABUF_LEAVER_FENCE, &arg);

	return ret < 0 ? ret : arg.fd;
}

static int leaver_buffer(int leaver)
{
	struct dmabuf_leaver_buffer arg = { .fd = -1 };
	int ret = xioctl(leaver, DMABUF_LEAVER_BUFFER, &arg);

	return ret < 0 ? ret : arg.fd;
}

static int leaver_signal(int leaver)
{
	return xioctl(leaver, DMABUF_LEAVER_SIGNAL, NULL);
}

FIXTURE(leaver) {
	int leaver;
	int fds;
	long buffers;
	bool gone;		/* the test has unloaded it */
};

FIXTURE_SETUP(leaver)
{
	int ret = module_load();

	self->leaver = -1;
	self->gone = true;
	if (ret == -ENOENT)
		SKIP(return, "no module " MODULE);
	ASSERT_EQ(0, ret);
	self->gone = false;
	self->fds = count_open_fds();
	self->buffers = count_buffers();
	ASSERT_GIVES(self->leaver, xopen(NODE, O_RDWR));
}

FIXTURE_TEARDOWN(leaver)
{
	if (self->leaver >= 0)
		close(self->leaver);
	if (self->leaver >= 0)
		EXPECT_EQ(self->fds, count_open_fds());
	if (!self->gone)
		EXPECT_EQ(0, module_unload_soon());
}

static void leave(struct __test_metadata *_metadata, struct _test_data_leaver *self)
{
	close(self->leaver);
	self->leaver = -1;
	ASSERT_EQ(0, module_unload_soon());
	self->gone = true;
}

/* ------------------------------------------------------------------ buffers -- */

TEST_F(leaver, stays_while_a_buffer_lives)
{
	int fd, again;

	ASSERT_GIVES(fd, leaver_buffer(self->leaver));
	close(self->leaver);
	self->leaver = -1;
	EXPECT_REFUSED(EWOULDBLOCK, module_unload());
	ASSERT_GIVES(again, sysret(dup(fd)));
	close(fd);
	EXPECT_REFUSED(EWOULDBLOCK, module_unload());
	EXPECT_EQ((long)page_size(), dmabuf_size(again));
	close(again);
	EXPECT_EQ(0, module_unload_soon());
	self->gone = true;
}

TEST_F(leaver, stays_while_an_importer_keeps_a_buffer)
{
	int importer = importer_open(), fd, handle;

	if (importer == -ENODEV)
		SKIP(return, "no vgem");
	ASSERT_LE(0, importer);
	ASSERT_GIVES(fd, leaver_buffer(self->leaver));
	ASSERT_GIVES(handle, importer_import(importer, fd));
	close(fd);
	close(self->leaver);
	self->leaver = -1;
	usleep(100000);
	EXPECT_REFUSED(EWOULDBLOCK, module_unload());
	EXPECT_EQ(0, importer_close(importer, handle));
	EXPECT_EQ(0, module_unload_soon());
	self->gone = true;
	close(importer);
}

/* ------------------------------------------------------------------- fences -- */

/* What the file says of its only fence; its error, or the call's. */
static int fence_name(int fence, char *driver, char *timeline)
{
	struct sync_fence_info info = { 0 };
	struct sync_file_info file;
	int ret = sync_file_info(fence, &file, &info, 1);

	if (ret < 0)
		return ret;
	memcpy(driver, info.driver_name, sizeof(info.driver_name));
	memcpy(timeline, info.obj_name, sizeof(info.obj_name));
	return info.status;
}

static long read_all(const char *path)
{
	int fd = xopen(path, O_RDONLY);
	char text[4096];
	long ret, all = 0;

	if (fd < 0)
		return fd;
	while ((ret = sysret(read(fd, text, sizeof(text)))) > 0)
		all += ret;
	close(fd);
	return ret < 0 ? ret : all;
}

/* Everything that a holder can do with a signalled fence of a driver that is gone. */
static void use_orphan(struct __test_metadata *_metadata, int fence, int buffer, int want)
{
	struct sync_set_deadline deadline = { .deadline_ns = 1 };
	char driver[32], timeline[32];
	int merged, pending, line, out;

	/* Print. */
	EXPECT_EQ(want, fence_name(fence, driver, timeline));
	EXPECT_STREQ("detached-driver", driver);
	EXPECT_STREQ("signaled-timeline", timeline);
	EXPECT_LT(0, read_all(SYNC_INFO));
	EXPECT_LT(0, read_all(DMA_BUF_BUFINFO));

	/* Wait. */
	EXPECT_EQ(POLLIN, poll_wait(fence, POLLIN, 0));
	EXPECT_EQ(0, xioctl(fence, SYNC_IOC_SET_DEADLINE, &deadline));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(buffer, POLLIN | POLLOUT));
	EXPECT_EQ(0, dmabuf_begin(buffer, DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, dmabuf_end(buffer, DMA_BUF_SYNC_RW));

	/* Merge, with one that is as signalled, and with one that is not. */
	ASSERT_GIVES(line, sw_sync_open());
	ASSERT_GIVES(pending, sw_sync_fence(line, 1, "pending"));
	ASSERT_GIVES(merged, sync_file_merge(fence, fence, "twice"));
	EXPECT_EQ(POLLIN, poll_now(merged, POLLIN));
	close(merged);
	ASSERT_GIVES(merged, sync_file_merge(fence, pending, "both"));
	EXPECT_EQ(0, sync_file_status(merged));
	EXPECT_EQ(0, sw_sync_inc(line, 1));
	EXPECT_EQ(POLLIN, poll_now(merged, POLLIN));
	close(merged);
	close(pending);
	close(line);

	/* Into a buffer and out of it. */
	EXPECT_EQ(0, dmabuf_import_sync_file(buffer, DMA_BUF_SYNC_WRITE, fence));
	ASSERT_GIVES(out, dmabuf_export_sync_file(buffer, DMA_BUF_SYNC_RW));
	EXPECT_NE(0, sync_file_status(out));
	close(out);
}

TEST_F(leaver, goes_when_its_fences_have_signalled)
{
	int fence[4], merged, buffer, epoll, i;
	struct epoll_event event = { .events = EPOLLIN };
	char driver[32], timeline[32];

	for (i = 0; i < 4; i++)
		ASSERT_GIVES(fence[i], leaver_fence(self->leaver, 0));
	ASSERT_GIVES(buffer, heap_alloc_from("system", page_size()));
	EXPECT_EQ(0, fence_name(fence[0], driver, timeline));
	EXPECT_STREQ("dmabuf_leaver", driver);
	EXPECT_STREQ("leaving", timeline);

	/* All that leaves a callback, a reference or a name somewhere. */
	EXPECT_EQ(0, poll_now(fence[0], POLLIN));
	ASSERT_GIVES(epoll, sysret(epoll_create1(EPOLL_CLOEXEC)));
	ASSERT_EQ(0, sysret(epoll_ctl(epoll, EPOLL_CTL_ADD, fence[1], &event)));
	ASSERT_GIVES(merged, sync_file_merge(fence[0], fence[1], "pending"));
	EXPECT_EQ(0, poll_now(merged, POLLIN));
	ASSERT_EQ(0, dmabuf_import_sync_file(buffer, DMA_BUF_SYNC_WRITE, fence[2]));
	EXPECT_EQ(0, poll_now(buffer, POLLIN | POLLOUT));
	EXPECT_LT(0, read_all(SYNC_INFO));

	ASSERT_EQ(0, leaver_signal(self->leaver));
	leave(_metadata, self);

	for (i = 0; i < 4; i++)
		use_orphan(_metadata, fence[i], buffer, 1);
	EXPECT_EQ(1, sync_file_status(merged));
	EXPECT_EQ(1, sysret(epoll_wait(epoll, &event, 1, 0)));

	/* And put: here a callback was armed that the driver's lock guarded. */
	close(epoll);
	close(merged);
	for (i = 0; i < 4; i++)
		close(fence[i]);
	close(buffer);
	EXPECT_TRUE(buffers_settle(self->buffers));
}

struct waiter {
	int fd;
	int ret;
};

static void *wait_for_fence(void *data)
{
	struct waiter *waiter = data;

	waiter->ret = poll_wait(waiter->fd, POLLIN, PATIENCE_MS);
	return NULL;
}

/* Its exit signals what is pending: no waiter is left without a driver. */
TEST_F(leaver, wakes_who_waits_when_it_goes)
{
	int fence[3], buffer, i;
	struct waiter waiter[3];
	pthread_t thread[3];

	ASSERT_GIVES(buffer, heap_alloc_from("system", page_size()));
	for (i = 0; i < 3; i++)
		ASSERT_GIVES(fence[i], leaver_fence(self->leaver, 0));
	ASSERT_EQ(0, dmabuf_import_sync_file(buffer, DMA_BUF_SYNC_WRITE, fence[1]));
	for (i = 0; i < 3; i++) {
		waiter[i].fd = i == 1 ? buffer : fence[i];
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, wait_for_fence, &waiter[i]));
	}
	usleep(100000);
	leave(_metadata, self);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		EXPECT_EQ(POLLIN, waiter[i].ret);
		use_orphan(_metadata, fence[i], buffer, -ENODEV);
		close(fence[i]);
	}
	close(buffer);
	EXPECT_TRUE(buffers_settle(self->buffers));
}

/* Waiters that are just waking up when the driver, its lock and its code go. */
TEST_F(leaver, goes_under_the_hands_of_waiters)
{
	enum { ROUNDS = 20, N = 4 };
	struct waiter waiter[N];
	pthread_t thread[N];
	int round, i;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < N; i++) {
			ASSERT_GIVES(waiter[i].fd, leaver_fence(self->leaver, 0));
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, wait_for_fence, &waiter[i]));
		}
		usleep(1000 * (round % 5));
		leave(_metadata, self);
		for (i = 0; i < N; i++) {
			ASSERT_EQ(0, pthread_join(thread[i], NULL));
			EXPECT_EQ(POLLIN, waiter[i].ret);
			close(waiter[i].fd);
		}
		ASSERT_EQ(0, module_load());
		self->gone = false;
		ASSERT_GIVES(self->leaver, xopen(NODE, O_RDWR));
	}
}

TEST_F(leaver, stays_while_a_fence_needs_it_to_be_released)
{
	int fence, again;

	ASSERT_GIVES(fence, leaver_fence(self->leaver, DMABUF_LEAVER_FENCE_RELEASE));
	ASSERT_GIVES(again, sysret(dup(fence)));
	ASSERT_EQ(0, leaver_signal(self->leaver));
	close(self->leaver);
	self->leaver = -1;
	EXPECT_EQ(1, sync_file_status(fence));
	EXPECT_REFUSED(EWOULDBLOCK, module_unload());
	close(fence);
	EXPECT_REFUSED(EWOULDBLOCK, module_unload());
	close(again);
	EXPECT_EQ(0, module_unload_soon());
	self->gone = true;
}

TEST_HARNESS_MAIN
