/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Sync files as programs see them: a descriptor for a point in time which
 * becomes readable, in the sense of poll(2), once that point has been reached.
 *
 * All commands fail with EFAULT when the argument cannot be read or written,
 * and with ENOTTY when they are not among those below.
 */
#ifndef _UAPI_LINUX_SYNC_H
#define _UAPI_LINUX_SYNC_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct sync_merge_data - argument of SYNC_IOC_MERGE
 * @name: in: what to call the new sync file; cut after 31 characters. Empty: it
 *	takes its name from the fence.
 * @fd2: in: the other sync file
 * @fence: out: descriptor of the new sync file, close-on-exec
 * @flags: in: zero, there are none yet
 * @pad: in: zero
 *
 * The new sync file signals when the one that the ioctl was called on and @fd2
 * both have. The two stay as they are.
 *
 * Errors: EINVAL when @flags or @pad is not zero, ENOENT when @fd2 is not a
 * sync file, ENOMEM, EMFILE.
 */
struct sync_merge_data {
	char	name[32];
	__s32	fd2;
	__s32	fence;
	__u32	flags;
	__u32	pad;
};

/**
 * struct sync_fence_info - one fence of a sync file
 * @obj_name: timeline that the fence is a point of
 * @driver_name: driver that will signal, or has signalled it
 * @status: 1 signalled, 0 not yet, negative errno when it signalled with an
 *	error
 * @flags: zero
 * @timestamp_ns: when it signalled, CLOCK_MONOTONIC in nanoseconds; zero while
 *	it has not
 */
struct sync_fence_info {
	char	obj_name[32];
	char	driver_name[32];
	__s32	status;
	__u32	flags;
	__u64	timestamp_ns;
};

/**
 * struct sync_file_info - argument of SYNC_IOC_FILE_INFO
 * @name: out: name of the sync file
 * @status: out: 1 when all fences have signalled, else that of the first one
 *	which has not, or which did so with an error (negative errno)
 * @flags: in: zero
 * @num_fences: in: how many elements @sync_fence_info has room for; out: how
 *	many fences there are
 * @pad: in: zero
 * @sync_fence_info: in: pointer to an array of &struct sync_fence_info; not
 *	looked at when @num_fences is zero
 *
 * Called with zero in @num_fences it only counts; then, with an array of that
 * size, it describes each of the fences.
 *
 * Errors: EINVAL when @flags or @pad is not zero, or the array too small.
 */
struct sync_file_info {
	char	name[32];
	__s32	status;
	__u32	flags;
	__u32	num_fences;
	__u32	pad;

	__u64	sync_fence_info;
};

/**
 * struct sync_set_deadline - argument of SYNC_IOC_SET_DEADLINE
 * @deadline_ns: in: when the result is wanted, CLOCK_MONOTONIC in nanoseconds,
 *	a point in time and not a duration
 * @pad: in: zero
 *
 * A hint to the drivers which work towards the fence, so that they can choose
 * their clocks. It promises nothing, and one that has passed means "at once".
 * A program that wants the result in 5 ms asks clock_gettime() for the time,
 * turns it into nanoseconds and adds 5000000.
 *
 * Errors: EINVAL when @pad is not zero.
 */
struct sync_set_deadline {
	__u64	deadline_ns;
	/* Room for what may come; the struct would be aligned without it. */
	__u64	pad;
};

#define SYNC_IOC_MAGIC		'>'

/*
 * Numbers 0 to 2 once meant something else, before this interface was settled,
 * and stay unused so that old programs get ENOTTY.
 */

#define SYNC_IOC_MERGE		_IOWR(SYNC_IOC_MAGIC, 3, struct sync_merge_data)
#define SYNC_IOC_FILE_INFO	_IOWR(SYNC_IOC_MAGIC, 4, struct sync_file_info)
#define SYNC_IOC_SET_DEADLINE	_IOW(SYNC_IOC_MAGIC, 5, struct sync_set_deadline)

#endif /* _UAPI_LINUX_SYNC_H */
