// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fences: a software timeline that the demo advances by hand, and sync files
 * of the drivers that export them.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/sync_file.h>
#include <linux/types.h>

#include "demo.h"

#define SW_SYNC_NODE	"/sys/kernel/debug/sync/sw_sync"

/* As published in the kernel's tools/testing/selftests/sync. */
struct sw_sync_create_fence_data {
	__u32 value;
	char name[32];
	__s32 fence;
};

#define SW_SYNC_IOC_CREATE_FENCE \
	_IOWR('W', 0, struct sw_sync_create_fence_data)
#define SW_SYNC_IOC_INC		_IOW('W', 1, __u32)

int timeline_open(struct timeline *timeline)
{
	timeline->next = 0;
	timeline->fd = open(SW_SYNC_NODE, O_RDWR | O_CLOEXEC);
	return timeline->fd < 0 ? fail_errno(SW_SYNC_NODE) : 0;
}

/* A fence that the next timeline_signal() signals. */
int timeline_fence(struct timeline *timeline)
{
	struct sw_sync_create_fence_data data = {
		.value = timeline->next + 1,
		.name = "demo",
	};

	if (ioctl(timeline->fd, SW_SYNC_IOC_CREATE_FENCE, &data))
		return fail_errno("SW_SYNC_IOC_CREATE_FENCE");
	return data.fence;
}

int timeline_signal(struct timeline *timeline)
{
	__u32 step = 1;

	if (ioctl(timeline->fd, SW_SYNC_IOC_INC, &step))
		return fail_errno("SW_SYNC_IOC_INC");
	timeline->next++;
	return 0;
}

/* Fail unless the fence signals in time and without an error. */
int fence_wait(int fence, int milliseconds)
{
	struct pollfd pollfd = { .fd = fence, .events = POLLIN };
	struct sync_file_info info = { 0 };
	int ret;

	do {
		ret = poll(&pollfd, 1, milliseconds);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return fail_errno("poll of a sync file");
	if (!ret)
		return fail("a fence did not signal in %d ms", milliseconds);

	if (ioctl(fence, SYNC_IOC_FILE_INFO, &info))
		return fail_errno("SYNC_IOC_FILE_INFO");
	if (info.status != 1)
		return fail("a fence signalled with status %d (%s)", info.status,
			    info.status < 0 ? strerror(-info.status) : "pending");
	return 0;
}

/* *@fence then stands for both; @other is closed. Begin with a *@fence of -1. */
int fence_merge(int *fence, int other)
{
	struct sync_merge_data data = { .name = "demo", .fd2 = other };

	if (*fence < 0) {
		*fence = other;
		return 0;
	}
	if (ioctl(*fence, SYNC_IOC_MERGE, &data)) {
		close(other);
		return fail_errno("SYNC_IOC_MERGE");
	}
	close(other);
	close(*fence);
	*fence = data.fence;
	return 0;
}

/* It depends on one that has not signalled, so it must not have either. */
int fence_expect_pending(int fence, const char *whose)
{
	struct pollfd pollfd = { .fd = fence, .events = POLLIN };
	int ret = poll(&pollfd, 1, 60);

	if (ret < 0)
		return fail_errno("poll of a sync file");
	return ret ? fail("the fence of %s signalled too early", whose) : 0;
}
