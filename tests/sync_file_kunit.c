// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite of sync_file.c as drivers use it: from a fence to a file and a
 * descriptor, and back. The view of programs is in user/sync_file_test.c.
 */
#include <kunit/test.h>

#include <linux/anon_inodes.h>
#include <linux/fdtable.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>
#include <uapi/linux/sync_file.h>

#include "mock_fence.h"
#include "mock_user.h"

/* A sync file that takes over the reference to its fence. */
static struct sync_file *sync_file_around(struct kunit *test,
					  struct dma_fence *fence)
{
	struct sync_file *sync_file = sync_file_create(fence);

	dma_fence_put(fence);
	KUNIT_ASSERT_NOT_NULL(test, sync_file);
	return sync_file;
}

/* In a kernel thread, fput() would defer the release to a worker. */
static void sync_file_close(struct sync_file *sync_file)
{
	__fput_sync(sync_file->file);
}

static int sync_file_descriptor(struct kunit *test, struct sync_file *sync_file)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, get_file(sync_file->file));
	return fd;
}

static __poll_t sync_file_ready(struct sync_file *sync_file)
{
	return vfs_poll(sync_file->file, NULL);
}

/* Succeeds if the file holds a reference to the fence until it is closed. */
static void sync_file_test_create(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct sync_file *sync_file = sync_file_create(fence);

	KUNIT_ASSERT_NOT_NULL(test, sync_file);
	KUNIT_EXPECT_PTR_EQ(test, fence, sync_file->fence);
	KUNIT_EXPECT_EQ(test, 2, kref_read(&fence->refcount));
	KUNIT_EXPECT_EQ(test, 1, file_count(sync_file->file));

	sync_file_close(sync_file);
	KUNIT_EXPECT_EQ(test, 1, kref_read(&fence->refcount));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	dma_fence_put(fence);
}

/* Succeeds if a descriptor gives the very same fence, with a reference. */
static void sync_file_test_get_fence(struct kunit *test)
{
	struct sync_file *sync_file;
	struct dma_fence *fence, *back;
	int fd;

	fence = mock_fence_create(test);
	sync_file = sync_file_around(test, fence);
	fd = sync_file_descriptor(test, sync_file);

	back = sync_file_get_fence(fd);
	KUNIT_EXPECT_PTR_EQ(test, fence, back);
	KUNIT_EXPECT_EQ(test, 2, kref_read(&fence->refcount));
	dma_fence_put(back);

	close_fd(fd);
	KUNIT_EXPECT_NULL(test, sync_file_get_fence(fd));
	sync_file_close(sync_file);
}

static int sync_file_not_ours_open(struct inode *inode, struct file *file)
{
	return 0;
}

static const struct file_operations not_ours_fops = {
	.open = sync_file_not_ours_open,
};

/* Succeeds if any descriptor of another kind is refused. */
static void sync_file_test_get_fence_refuses(struct kunit *test)
{
	int fd = anon_inode_getfd("not-ours", &not_ours_fops, NULL, O_CLOEXEC);

	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_NULL(test, sync_file_get_fence(fd));
	close_fd(fd);

	KUNIT_EXPECT_NULL(test, sync_file_get_fence(fd));
	KUNIT_EXPECT_NULL(test, sync_file_get_fence(-1));
	KUNIT_EXPECT_NULL(test, sync_file_get_fence(INT_MAX));
}

/* Succeeds if poll reports a signalled fence, with or without an error. */
static void sync_file_test_poll(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct sync_file *sync_file = sync_file_around(test, fence);

	KUNIT_EXPECT_EQ(test, 0, to_mock_fence(fence)->enable_calls);
	KUNIT_EXPECT_EQ(test, 0, (__force int)sync_file_ready(sync_file));
	KUNIT_EXPECT_EQ(test, 0, (__force int)sync_file_ready(sync_file));
	/* Every poll needs the callback, but it is added only once. */
	KUNIT_EXPECT_EQ(test, 1, to_mock_fence(fence)->enable_calls);

	dma_fence_set_error(fence, -EIO);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, (__force int)EPOLLIN,
			(__force int)sync_file_ready(sync_file));
	sync_file_close(sync_file);
}

/* Succeeds if closing a file that was polled removes its callback. */
static void sync_file_test_close_polled(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct sync_file *sync_file = sync_file_create(fence);

	KUNIT_ASSERT_NOT_NULL(test, sync_file);
	KUNIT_EXPECT_EQ(test, 0, (__force int)sync_file_ready(sync_file));
	KUNIT_EXPECT_FALSE(test, list_empty(&fence->cb_list));
	sync_file_close(sync_file);

	KUNIT_EXPECT_TRUE(test, list_empty(&fence->cb_list));
	KUNIT_EXPECT_EQ(test, 0, dma_fence_signal(fence));
	dma_fence_put(fence);
}

/* Succeeds if a fence that signalled before the first poll is reported. */
static void sync_file_test_poll_late(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct sync_file *sync_file = sync_file_around(test, fence);

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, (__force int)EPOLLIN,
			(__force int)sync_file_ready(sync_file));
	sync_file_close(sync_file);
}

/* ---- ioctls ------------------------------------------------------------- */

static void expect_name(struct kunit *test, struct sync_file *sync_file,
			const char *name)
{
	struct sync_file_info info = {};

	KUNIT_EXPECT_EQ(test, 0, mock_user_ioctl(test, sync_file->file,
						 SYNC_IOC_FILE_INFO, &info));
	KUNIT_EXPECT_STREQ(test, name, info.name);
}

/* Succeeds if the name has driver, timeline and point, truncated to fit. */
static void sync_file_test_name(struct kunit *test)
{
	struct sync_file *near, *far;

	near = sync_file_around(test, mock_fence_create_on(test, 7, 42));
	expect_name(test, near, MOCK_FENCE_DRIVER "-" MOCK_FENCE_TIMELINE "7-42");
	sync_file_close(near);

	far = sync_file_around(test, mock_fence_create_on(test, 1234567890123, 42));
	expect_name(test, far, MOCK_FENCE_DRIVER "-" MOCK_FENCE_TIMELINE
		    "1234567890123");
	sync_file_close(far);
}

/* Succeeds if a driver that is gone is not asked for names. */
static void sync_file_test_name_detached(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct sync_file *sync_file = sync_file_around(test, fence);
	struct sync_fence_info one = {};
	struct sync_file_info info = { .num_fences = 1 };
	void __user *page = mock_user_page(test);

	dma_fence_signal(fence);
	atomic_set(&to_mock_fence(fence)->name_calls, 0);

	info.sync_fence_info = (uintptr_t)page;
	KUNIT_EXPECT_EQ(test, 0, mock_user_ioctl(test, sync_file->file,
						 SYNC_IOC_FILE_INFO, &info));
	KUNIT_ASSERT_EQ(test, 0, copy_from_user(&one, page, sizeof(one)));
	KUNIT_EXPECT_EQ(test, 1, one.status);
	KUNIT_EXPECT_EQ(test, ktime_to_ns(dma_fence_timestamp(fence)),
			one.timestamp_ns);
	KUNIT_EXPECT_NE(test, 0, strlen(one.driver_name));
	KUNIT_EXPECT_NE(test, 0, strlen(one.obj_name));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&to_mock_fence(fence)->name_calls));
	sync_file_close(sync_file);
}

/* The new sync file of a merge; the caller puts the descriptor. */
static long sync_file_merge_with(struct kunit *test, struct sync_file *one,
				 struct sync_file *other,
				 struct sync_merge_data *data)
{
	long ret;

	data->fd2 = sync_file_descriptor(test, other);
	ret = mock_user_ioctl(test, one->file, SYNC_IOC_MERGE, data);
	close_fd(data->fd2);
	return ret;
}

/* Succeeds if the merged fence signals with the last of the two. */
static void sync_file_test_merge(struct kunit *test)
{
	struct dma_fence *first = mock_fence_create(test);
	struct dma_fence *second = mock_fence_create(test);
	struct sync_file *one = sync_file_around(test, first);
	struct sync_file *other = sync_file_around(test, second);
	struct sync_merge_data data = { .name = "both" };
	struct dma_fence *both;

	KUNIT_ASSERT_EQ(test, 0, sync_file_merge_with(test, one, other, &data));
	both = sync_file_get_fence(data.fence);
	close_fd(data.fence);
	KUNIT_ASSERT_NOT_NULL(test, both);
	dma_fence_enable_sw_signaling(both);

	dma_fence_signal(first);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(both));
	dma_fence_signal(second);
	KUNIT_EXPECT_EQ(test, 0, dma_fence_wait(both, false));

	dma_fence_put(both);
	sync_file_close(one);
	sync_file_close(other);
}

/* Succeeds if a refused merge leaves no descriptor and no reference behind. */
static void sync_file_test_merge_refused(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct sync_file *sync_file = sync_file_around(test, fence);
	struct sync_merge_data flags = { .flags = 1 }, pad = { .pad = 1 };
	struct sync_merge_data nothing = { .fd2 = -1 };

	KUNIT_EXPECT_EQ(test, -EINVAL,
			sync_file_merge_with(test, sync_file, sync_file, &flags));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			sync_file_merge_with(test, sync_file, sync_file, &pad));
	KUNIT_EXPECT_EQ(test, -ENOENT,
			mock_user_ioctl(test, sync_file->file, SYNC_IOC_MERGE,
					&nothing));
	KUNIT_EXPECT_EQ(test, 1, kref_read(&fence->refcount));
	sync_file_close(sync_file);
}

/* Succeeds if a deadline reaches the driver, whatever it is. */
static void sync_file_test_set_deadline(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct sync_file *sync_file = sync_file_around(test, fence);
	struct sync_set_deadline data = { .deadline_ns = 1234567 };

	KUNIT_EXPECT_EQ(test, 0, mock_user_ioctl(test, sync_file->file,
						 SYNC_IOC_SET_DEADLINE, &data));
	KUNIT_EXPECT_EQ(test, ns_to_ktime(1234567), to_mock_fence(fence)->deadline);

	/* As a ktime_t this is a time before 0: the earliest so far. */
	data.deadline_ns = U64_MAX - 1;
	KUNIT_EXPECT_EQ(test, 0, mock_user_ioctl(test, sync_file->file,
						 SYNC_IOC_SET_DEADLINE, &data));
	KUNIT_EXPECT_EQ(test, -2, to_mock_fence(fence)->deadline);

	data.pad = 1;
	KUNIT_EXPECT_EQ(test, -EINVAL,
			mock_user_ioctl(test, sync_file->file,
					SYNC_IOC_SET_DEADLINE, &data));
	KUNIT_EXPECT_EQ(test, 2, atomic_read(&to_mock_fence(fence)->deadline_calls));
	sync_file_close(sync_file);
}

static struct kunit_case sync_file_cases[] = {
	KUNIT_CASE(sync_file_test_create),
	KUNIT_CASE(sync_file_test_get_fence),
	KUNIT_CASE(sync_file_test_get_fence_refuses),
	KUNIT_CASE(sync_file_test_poll),
	KUNIT_CASE(sync_file_test_close_polled),
	KUNIT_CASE(sync_file_test_poll_late),
	KUNIT_CASE(sync_file_test_name),
	KUNIT_CASE(sync_file_test_name_detached),
	KUNIT_CASE(sync_file_test_merge),
	KUNIT_CASE(sync_file_test_merge_refused),
	KUNIT_CASE(sync_file_test_set_deadline),
	{}
};

static struct kunit_suite sync_file_suite = {
	.name = "sync_file",
	.test_cases = sync_file_cases,
};

kunit_test_suite(sync_file_suite);
