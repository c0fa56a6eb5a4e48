/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the calls of fuzz_test work on, for that program alone: random numbers,
 * slots of descriptors and handles, an arena of mappings, and the log of calls.
 *
 * Before each call a thread draws a fixed number of random numbers, which alone
 * decide what it does. So the sequence of calls of a thread follows from the
 * seed, whatever the calls return and however threads interleave; with one
 * thread, so do the return values.
 *
 * Descriptors live in slots by kind. A slot is taken and filled atomically,
 * and two threads may use what is in it at once: that is the point. Slots
 * keep the number of what is open small; what falls out of one is closed.
 *
 * Mappings are made at fixed places of an arena, where nothing else is, so that
 * a stray write after a munmap() by another thread cannot hit the program.
 */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include <limits.h>
#include <linux/memfd.h>
#include <linux/userfaultfd.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "progress.h"
#include "sys_file.h"
#include "uring.h"
#include <drm/drm_fourcc.h>
#include <drm/vgem_drm.h>

#if __has_include("../lab/edu_uapi.h")
#include "../lab/edu_uapi.h"
#else
#include "../../../../drivers/dma-buf/tests/lab/edu_uapi.h"
#endif

#define THREADS_MAX	8
#define RECENT		24	/* calls remembered per thread */
#define RANDOMS		6
#define SLOTS		12
#define AREAS		6
#define AREA_SIZE	(6ul << 20)
#define OPS_MAX		96

/* A group of its own for some of the programs, where there are groups. */
#define FUZZ_GROUP	"/sys/fs/cgroup/fuzz"

/* ---------------------------------------------------------- random numbers -- */

struct randoms {
	__u64 d[RANDOMS];
};

static __u64 random_mix(__u64 x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* One more number from *@state. */
static __u64 random_next(__u64 *state)
{
	*state += 0x9e3779b97f4a7c15ull;
	return random_mix(*state);
}

/* ------------------------------------------------------------------- world -- */

enum kind {
	HEAP, BUFFER, SYNC_FILE, TIMELINE, MEMFD, UDMABUF, VGEM, VKMS, EDU, SOCKET, EPOLL,
	PIPE_IN, PIPE_OUT, UFFD, VIDEO, KINDS,
	/* No descriptors, but what a machine may not have. */
	NUMA = KINDS, GROUP, SWAP, URING, NEEDS
};

/* Names that only mean something to a device. */
enum handle { VGEM_HANDLE, VGEM_FENCE, VKMS_HANDLE, VKMS_FB, EDU_HANDLE, HANDLES };

/*
 * So many of each. DMA-API debugging takes more than seven mappings of one page
 * for a leak, and two buffers may well be of the same memory.
 */
static const unsigned int handle_slots[HANDLES] = {
	[VGEM_HANDLE] = 2, [VGEM_FENCE] = 8, [VKMS_HANDLE] = 1, [VKMS_FB] = 4, [EDU_HANDLE] = 1,
};

#define IMPORTS_AT_ONCE	3	/* of threads, on top of those */

/* One call, as it is remembered. */
struct call_record {
	int op;
	long ret;
	struct randoms randoms;
};

#define CALL_RUNS	LONG_MAX	/* in call_record.ret: no answer yet */

struct thread_log {
	unsigned long calls;
	__u64 asked;			/* a digest of what was called, with what */
	__u64 answered;			/* and of the answers */
	struct call_record recent[RECENT];
};

/* Shared between the program and its parent, which outlives it. */
struct fuzz_log {
	struct thread_log threads[THREADS_MAX];
	atomic_ulong tried[OPS_MAX];
	atomic_ulong worked[OPS_MAX];
	atomic_ulong worked_user[OPS_MAX];	/* of those, without privileges */
	atomic_ulong refused[OPS_MAX];
};

static struct {
	atomic_int fds[KINDS][SLOTS];
	atomic_uint handles[HANDLES][SLOTS];
	char *arena;
	char heaps[8][64];
	int n_heaps;
	int pidfd;
	unsigned int nodes;	/* of memory */
	bool user;		/* this program has no privileges */
	bool grouped;		/* and this one a small group */
	/*
	 * The kernel knows how to deal with large folios in page tables. One
	 * without transparent huge pages believes that it has split a folio
	 * when it has not, and MADV_COLD then tries again for good; User Mode
	 * Linux, which has none, gets more than two entries at once wrong when
	 * a private mapping is forked. Neither is ours to test.
	 */
	bool large_folios;
	sem_t imports;
	struct fuzz_log *log;
} world;

struct thread {
	int number;
	bool trace;
	timer_t timer;
	__u64 seed;
	unsigned long calls;
	struct thread_log *log;
	char scratch[65536];
};

/* ------------------------------------------------------------------- slots -- */

static atomic_int *slot_at(enum kind kind, __u64 rnd)
{
	return &world.fds[kind][rnd % SLOTS];
}

/* What is open in some slot, or -1. It may be closed before it is used. */
static int slot_peek(enum kind kind, __u64 rnd)
{
	__u64 i;
	int fd;

	/* An empty slot leads to the next one, so that few calls meet EBADF. */
	for (i = 0; i < SLOTS; i++) {
		fd = atomic_load(slot_at(kind, rnd + i));
		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* A descriptor to use: nearly always of the kind that is asked for. */
static int slot_pick(enum kind kind, __u64 rnd)
{
	__u64 luck = rnd >> 32 & 63;

	if (luck == 0)
		return -1;
	if (luck == 1)
		return 4711;
	if (luck <= 4)
		return slot_peek((rnd >> 40) % KINDS, rnd);
	return slot_peek(kind, rnd);
}

/* Keep @fd, or -errno, which is returned; what was in the slot is closed. */
static long slot_put(enum kind kind, __u64 rnd, long fd)
{
	int old;

	if (fd < 0)
		return fd;
	old = atomic_exchange(slot_at(kind, rnd >> 8), (int)fd);
	if (old >= 0)
		close(old);
	return fd;
}

static long slot_close(enum kind kind, __u64 rnd)
{
	__u64 i;
	int fd;

	for (i = 0; i < SLOTS; i++) {
		fd = atomic_exchange(slot_at(kind, rnd + i), -1);
		if (fd >= 0)
			return sysret(close(fd));
	}
	return -EBADF;
}

static unsigned int handle_pick(enum handle kind, __u64 rnd)
{
	unsigned int handle = 0;
	__u64 i;

	if ((rnd >> 32 & 31) == 0)
		return (unsigned int)(rnd >> 40) % 64;
	for (i = 0; i < handle_slots[kind] && !handle; i++)
		handle = atomic_load(&world.handles[kind][(rnd + i) % handle_slots[kind]]);
	return handle;
}

/* Gives what has to make room for it, or 0. */
static unsigned int handle_put(enum handle kind, __u64 rnd, unsigned int handle)
{
	return atomic_exchange(&world.handles[kind][(rnd >> 8) % handle_slots[kind]], handle);
}

/* vivid's first capture device, or its first output. */
static int video_open(bool output)
{
	__u32 want = output ? V4L2_CAP_VIDEO_OUTPUT : V4L2_CAP_VIDEO_CAPTURE;
	struct v4l2_capability cap;
	char path[64];
	int i, fd;

	for (i = 0; i < 16; i++) {
		snprintf(path, sizeof(path), "/dev/video%d", i);
		fd = xopen(path, O_RDWR | O_NONBLOCK);
		if (fd < 0)
			continue;
		if (!ioctl(fd, VIDIOC_QUERYCAP, &cap) &&
		    !strcmp((char *)cap.driver, "vivid") &&
		    (cap.device_caps & (V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_CAPTURE)) == want)
			return fd;
		close(fd);
	}
	return -ENODEV;
}

static int count_lines(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[512];
	int n = 0;

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		n++;
	fclose(file);
	return n;
}

static bool file_has(const char *path)
{
	return access(path, F_OK) == 0;
}

/* A device, or whatever else has a node, freshly opened. */
static int device_open(enum kind kind)
{
	char path[64];
	int i, fd;

	switch (kind) {
	case HEAP:
		return heap_open("system");
	case TIMELINE:
		return sw_sync_open();
	case UDMABUF:
		return xopen(UDMABUF_NODE, O_RDWR);
	case VGEM:
	case VKMS:
		/* Reading an event would wait for one. */
		fd = importer_open_driver(kind == VGEM ? "vgem" : "vkms");
		if (fd >= 0)
			fcntl(fd, F_SETFL, O_NONBLOCK);
		return fd;
	case EDU:
		for (i = 0; i < 4; i++) {
			snprintf(path, sizeof(path), "/dev/dmabuf_edu%d", i);
			fd = xopen(path, O_RDWR);
			if (fd >= 0)
				return fd;
		}
		return -ENODEV;
	case UFFD:
		return (int)sysret(syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
	case VIDEO:
		return video_open(false);
	case NUMA:
		return file_has("/proc/self/numa_maps") ? xopen("/dev/null", O_RDONLY) : -ENODEV;
	case GROUP:
		return file_has(FUZZ_GROUP "/memory.reclaim") ? xopen("/dev/null", O_RDONLY) :
								 -ENODEV;
	case SWAP:
		/* A line for each, below the headline; and a group that can use it. */
		return count_lines("/proc/swaps") > 1 ? device_open(GROUP) : -ENODEV;
	case URING:
		return file_has("/proc/sys/kernel/io_uring_disabled") ?
		       xopen("/dev/null", O_RDONLY) : -ENODEV;
	default:
		return -EINVAL;
	}
}

/* ----------------------------------------------------------------- numbers -- */

/* @good, or something beside it, or nonsense. */
static __u64 number_pick(__u64 rnd, __u64 good)
{
	static const __u64 nasty[] = {
		0, 1, -1ull, 4095, 4097, 1ull << 12, 1ull << 31, (1ull << 31) - 1,
		1ull << 32, 1ull << 44, 1ull << 62, 1ull << 63, -4096ull, -4095ull,
	};
	__u64 luck = rnd >> 32 & 31;

	if (luck < 26)
		return good;
	if (luck == 26)
		return good + 1;
	if (luck == 27)
		return good - 1;
	if (luck == 28)
		return good ^ 1ull << (rnd & 63);
	return nasty[(rnd >> 40) % ARRAY_SIZE(nasty)];
}

/* Bytes: often a page, sometimes more than a huge page. */
static __u64 length_pick(__u64 rnd)
{
	__u64 page = page_size(), luck = rnd & 31, more = rnd >> 8;

	if (luck < 12)
		return page;
	if (luck < 22)
		return page * (1 + more % 16);
	if (luck < 26)
		return 1 + more % (64 * page);
	if (luck < 28)
		return (2 << 20) + page * (more % 3);
	if (luck < 29)
		return (2 << 20) * (1 + more % 3);
	return number_pick(rnd << 32, page);
}

/* An argument that the kernel may not be able to read or write. */
static void *pointer_pick(__u64 rnd, void *good)
{
	switch (rnd >> 48 & 63) {
	case 0:
		return NULL;
	case 1:
		return world.arena + AREAS * AREA_SIZE;	/* a guard page */
	case 2:
		return (void *)(1ul << 63);
	default:
		return good;
	}
}

/* ---------------------------------------------------------------- patience -- */

/* Have a signal end what this thread is about to wait for. */
static void patience_start(struct thread *t, int ms)
{
	/* Again and again, as the first may come before the wait has begun. */
	struct itimerspec when = {
		.it_value = { .tv_nsec = ms * 1000000l },
		.it_interval = { .tv_nsec = ms * 1000000l },
	};

	timer_settime(t->timer, 0, &when, NULL);
}

static void patience_end(struct thread *t)
{
	struct itimerspec never = { 0 };

	timer_settime(t->timer, 0, &never, NULL);
}

/* ------------------------------------------------------------------ memory -- */

static __thread sigjmp_buf fault_exit;
static __thread volatile sig_atomic_t fault_expected;

/* A thread goes on after a hole of the arena; other faults are bugs of ours. */
static void fault_handler(int number)
{
	static const char text[] = "# fault outside of the arena\n";

	if (fault_expected)
		siglongjmp(fault_exit, 1);
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	signal(number, SIG_DFL);
}

static char *area_at(__u64 rnd)
{
	return world.arena + rnd % AREAS * AREA_SIZE;
}

static void bytes_touch(volatile char *p, size_t at, char byte, bool write)
{
	size_t i;

	for (i = 0; i < 64; i++) {
		size_t here = (at + i * 64) % AREA_SIZE;

		if (write)
			p[here] = byte;
		else
			(void)p[here];
	}
}

/* Read or write a few bytes of the arena; -EFAULT where nothing is. */
static long area_touch(const __u64 rnd, const bool write)
{
	fault_expected = 1;
	if (sigsetjmp(fault_exit, 1)) {
		fault_expected = 0;
		return -EFAULT;
	}
	/* Most buffers are small. */
	bytes_touch(area_at(rnd), (rnd >> 16) % (rnd >> 48 & 7 ? 4 * page_size() : AREA_SIZE),
		    (char)rnd, write);
	fault_expected = 0;
	return 0;
}

#endif /* FUZZ_WORLD_H */
