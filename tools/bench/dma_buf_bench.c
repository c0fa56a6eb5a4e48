// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a program pays for dma-bufs: runs in a guest, stock or ours alike, and
 * prints one line per figure:
 *
 *	BENCH <operation> <size in bytes or count> <nanoseconds or bytes>
 *
 * Each figure is the median of its rounds. Under QEMU's -icount shift=0 a guest
 * nanosecond is one instruction, so the same lines are instruction counts there.
 * An operation that the kernel refuses is printed as "-" with its errno: that
 * is a result too. What needs a device or huge pages that this machine has not is
 * left out.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <drm/drm.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/sync_file.h>
#include <linux/udmabuf.h>

#include "bench.h"
#include "kernel/dma_buf_bench.h"

#define HUGE_SIZE	(2 * MIB)
#define MAX_ROUNDS	101
#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define IDLE_US		200000
#define LIVE_BUFFERS	10000
#define TIGHT_ROUNDS	10
#define USAGE		"[-d FILE] [-m MIB] [-r ROUNDS] [-l SIZE] [OPERATION ...]"

#ifndef MFD_HUGETLB
#define MFD_HUGETLB	0x0004U
#endif

static int heap_fd = -1, vgem_fd = -1, module_fd = -1;
static const char *direct_file;
int udmabuf_fd = -1;
long page_size;

__s64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

int heap_alloc(size_t size)
{
	struct dma_heap_allocation_data data = {
		.len = size, .fd_flags = O_RDWR | O_CLOEXEC,
	};

	return ioctl(heap_fd, DMA_HEAP_IOCTL_ALLOC, &data) ? -errno : (int)data.fd;
}

void touch(char *at, size_t size)
{
	for (size_t i = 0; i < size; i += page_size)
		((volatile char *)at)[i] = 1;
}

/* ---- allocate and close ---------------------------------------------- */

static __s64 round_alloc_close(size_t size)
{
	__s64 start = now();
	int fd = heap_alloc(size);

	if (fd < 0)
		return fd;
	close(fd);
	return now() - start;
}

static __s64 round_alloc(size_t size)
{
	__s64 start = now(), took;
	int fd = heap_alloc(size);

	took = now() - start;
	if (fd < 0)
		return fd;
	close(fd);
	return took;
}

/* One byte is written, so that all of it has to be zeroed some time. */
static __s64 round_dirty(size_t size)
{
	__s64 start = now();
	int fd = heap_alloc(size);
	char *at;

	if (fd < 0)
		return fd;
	at = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		start = -errno;
		close(fd);
		return start;
	}
	touch(at, page_size);
	munmap(at, page_size);
	close(fd);
	return now() - start;
}

/*
 * The same without a pause, long enough that the pool is as full as it gets: so
 * what is zeroed in the background is in the figure, too.
 */
static __s64 round_tight(size_t size)
{
	__s64 start = now(), took;

	for (int i = 0; i < TIGHT_ROUNDS; i++) {
		took = round_dirty(size);
		if (took < 0)
			return took;
	}
	return (now() - start) / TIGHT_ROUNDS;
}

/* The whole life of a buffer that is used: here every page is written to. */
static __s64 round_use(size_t size)
{
	__s64 start = now();
	int fd = heap_alloc(size);
	char *at;

	if (fd < 0)
		return fd;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		start = -errno;
		close(fd);
		return start;
	}
	touch(at, size);
	munmap(at, size);
	close(fd);
	return now() - start;
}

/* As a program does that has other things to do between its allocations. */
static __s64 round_alloc_idle(size_t size)
{
	usleep(IDLE_US);
	return round_alloc(size);
}

static __s64 round_close(size_t size)
{
	int fd = heap_alloc(size);
	__s64 start;

	if (fd < 0)
		return fd;
	start = now();
	close(fd);
	return now() - start;
}

/* ---- the CPU ------------------------------------------------------------ */

static __s64 mmap_cost(int fd, size_t size, bool touched)
{
	__s64 start = now();
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	if (touched)
		touch(at, size);
	munmap(at, size);
	return now() - start;
}

static __s64 round_mmap(size_t size, bool touched)
{
	int fd = heap_alloc(size);
	__s64 took;

	if (fd < 0)
		return fd;
	took = mmap_cost(fd, size, touched);
	close(fd);
	return took;
}

static __s64 round_mmap_touch(size_t size)
{
	return round_mmap(size, true);
}

static __s64 round_mmap_untouched(size_t size)
{
	return round_mmap(size, false);
}

/* ---- in the kernel ------------------------------------------------------ */

static __s64 module_run(enum dma_buf_bench_op op, int fd, __u32 rounds, __u32 arg)
{
	struct dma_buf_bench_run run = {
		.op = op, .fd = fd, .rounds = rounds, .arg = arg,
	};

	if (module_fd < 0)
		return ABSENT;
	return ioctl(module_fd, DMA_BUF_BENCH_RUN, &run) ? -errno : (__s64)(run.ns / rounds);
}

static __s64 module_on_buffer(enum dma_buf_bench_op op, size_t size, __u32 rounds)
{
	int fd = heap_alloc(size);
	__s64 took;

	if (fd < 0)
		return fd;
	took = module_run(op, fd, rounds, 0);
	close(fd);
	return took;
}

static __s64 round_attach(size_t size)
{
	return module_on_buffer(DMA_BUF_BENCH_ATTACH, size, 16);
}

static __s64 round_map(size_t size)
{
	return module_on_buffer(DMA_BUF_BENCH_MAP, size, 16);
}

static __s64 round_attach_map(size_t size)
{
	return module_on_buffer(DMA_BUF_BENCH_ATTACH_MAP, size, 16);
}

/* Measure on a buffer that an attachment of the device has mapped. */
static __s64 round_held(size_t size, __s64 (*measure)(int fd))
{
	int fd = heap_alloc(size);
	__s64 took;

	if (fd < 0)
		return fd;
	took = module_run(DMA_BUF_BENCH_HOLD, fd, 1, 0);
	if (took >= 0)
		took = measure(fd);
	module_run(DMA_BUF_BENCH_LET_GO, -1, 1, 0);
	close(fd);
	return took;
}

static __s64 attach_map(int fd)
{
	return module_run(DMA_BUF_BENCH_ATTACH_MAP, fd, 16, 0);
}

static __s64 round_attach_map_shared(size_t size)
{
	return round_held(size, attach_map);
}

/* With the release, which comes when the call returns. */
static __s64 round_export(size_t count)
{
	__s64 start = now(), took = module_run(DMA_BUF_BENCH_EXPORT, -1, count, 0);

	return took < 0 ? took : (now() - start) / (__s64)count;
}

static __s64 round_vmap_first(size_t size)
{
	return module_on_buffer(DMA_BUF_BENCH_VMAP, size, 1);
}

/* For each of eight frames, say. */
static __s64 round_vmap(size_t size)
{
	return module_on_buffer(DMA_BUF_BENCH_VMAP, size, 8);
}

/* With what a mapping that is kept until the end costs then. */
static __s64 round_vmap_close(size_t size)
{
	int fd = heap_alloc(size);
	__s64 took, start;

	if (fd < 0)
		return fd;
	took = module_run(DMA_BUF_BENCH_VMAP, fd, 1, 0);
	start = now();
	close(fd);
	return took < 0 ? took : took + now() - start;
}

static __s64 round_fence_signal(size_t count)
{
	return module_run(DMA_BUF_BENCH_FENCE_SIGNAL, -1, count, 0);
}

static __s64 round_fence_callback(size_t count)
{
	return module_run(DMA_BUF_BENCH_FENCE_CALLBACK, -1, count, 0);
}

static __s64 round_resv_add(size_t count)
{
	return module_run(DMA_BUF_BENCH_RESV_ADD, -1, 4096 / count, count);
}

static __s64 round_resv_iter(size_t count)
{
	return module_run(DMA_BUF_BENCH_RESV_ITER, -1, 64, count);
}

static __s64 round_resv_test(size_t count)
{
	return module_run(DMA_BUF_BENCH_RESV_TEST, -1, 64, count);
}

static __s64 round_chain(size_t count)
{
	return module_run(DMA_BUF_BENCH_CHAIN, -1, 4, count);
}

static __s64 round_array(size_t count)
{
	return module_run(DMA_BUF_BENCH_ARRAY, -1, 16, count);
}

static __s64 round_merge(size_t count)
{
	return module_run(DMA_BUF_BENCH_MERGE, -1, 4, count);
}

/* SYNC pairs on a buffer that a coherent device has mapped. */
static __s64 sync_pair(int fd)
{
	struct dma_buf_sync sync;
	__s64 start = now();

	sync.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW;
	if (ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync))
		return -errno;
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	if (ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync))
		return -errno;
	return now() - start;
}

static __s64 round_sync_pair(size_t size)
{
	return round_held(size, sync_pair);
}

/* ---- a DRM importer ----------------------------------------------------- */

static __s64 import_close(int fd)
{
	struct drm_prime_handle prime = { .fd = fd };
	struct drm_gem_close gem = { 0 };
	__s64 start = now();

	if (vgem_fd < 0)
		return ABSENT;
	if (ioctl(vgem_fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime))
		return -errno;
	gem.handle = prime.handle;
	if (ioctl(vgem_fd, DRM_IOCTL_GEM_CLOSE, &gem))
		return -errno;
	return now() - start;
}

static __s64 round_vgem_import(size_t size)
{
	int fd = heap_alloc(size);
	__s64 took;

	if (fd < 0)
		return fd;
	took = import_close(fd);
	close(fd);
	return took;
}

/* ---- udmabuf ------------------------------------------------------------ */

int udmabuf_memfd(size_t size, unsigned int flags)
{
	int memfd = memfd_create("bench", MFD_ALLOW_SEALING | flags);
	void *at;

	if (memfd < 0)
		return flags & MFD_HUGETLB ? ABSENT : -errno;
	if (ftruncate(memfd, size))
		goto err_close;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (at == MAP_FAILED)
		goto err_close;
	touch(at, size);
	munmap(at, size);
	if (fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		goto err_close;
	return memfd;

err_close:
	size = errno;
	close(memfd);
	return -(int)size;
}

static __s64 udmabuf_cost(size_t size, unsigned int memfd_flags, bool journey)
{
	struct udmabuf_create create = {
		.flags = UDMABUF_FLAGS_CLOEXEC, .size = size,
	};
	__s64 start, ret = 0;
	int fd;

	if (udmabuf_fd < 0)
		return ABSENT;
	create.memfd = udmabuf_memfd(size, memfd_flags);
	if ((int)create.memfd < 0)
		return (int)create.memfd;
	start = now();
	fd = ioctl(udmabuf_fd, UDMABUF_CREATE, &create);
	if (fd < 0) {
		ret = -errno;
	} else {
		if (journey)
			ret = import_close(fd);
		if (journey && ret >= 0)
			ret = mmap_cost(fd, size, true);
		close(fd);
	}
	if (ret >= 0)
		ret = now() - start;
	close(create.memfd);
	return ret;
}

static __s64 round_udmabuf_small(size_t size)
{
	return udmabuf_cost(size, 0, false);
}

static __s64 round_udmabuf_huge(size_t size)
{
	return udmabuf_cost(size, MFD_HUGETLB, false);
}

static __s64 round_udmabuf_huge_journey(size_t size)
{
	return udmabuf_cost(size, MFD_HUGETLB, true);
}

/* ---- direct I/O --------------------------------------------------------- */

static __s64 direct_read_cost(char *at, size_t size)
{
	__s64 start;
	ssize_t got;
	int fd;

	if (!direct_file)
		return ABSENT;
	fd = open(direct_file, O_RDONLY | O_DIRECT);
	if (fd < 0)
		return -errno;
	start = now();
	got = pread(fd, at, size, 0);
	start = got < 0 ? -errno : got < (ssize_t)size ? -ENODATA : now() - start;
	close(fd);
	return start;
}

static __s64 round_direct_heap(size_t size)
{
	int fd = heap_alloc(size);
	__s64 took;
	char *at;

	if (fd < 0)
		return fd;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return -errno;
	touch(at, size);
	took = direct_read_cost(at, size);
	munmap(at, size);
	return took;
}

static __s64 round_direct_anon(size_t size)
{
	char *map = mmap(NULL, size + HUGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__s64 took;
	char *at;

	if (map == MAP_FAILED)
		return -errno;
	at = (char *)(((uintptr_t)map + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1));
	madvise(at, size, MADV_HUGEPAGE);
	touch(at, size);
	took = direct_read_cost(at, size);
	munmap(map, size + HUGE_SIZE);
	return took;
}

/* ---- many buffers ------------------------------------------------------- */

static __s64 meminfo_kib(const char *key)
{
	FILE *file = fopen("/proc/meminfo", "r");
	__s64 kib = -ENOENT;
	char line[128];

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			kib = strtoll(line + strlen(key), NULL, 10);
	fclose(file);
	return kib;
}

static int open_buffers(int *fds, int count)
{
	for (int i = 0; i < count; i++) {
		fds[i] = heap_alloc(page_size);
		if (fds[i] < 0) {
			while (i--)
				close(fds[i]);
			return -ENOMEM;
		}
	}
	return 0;
}

static void close_buffers(int *fds, int count)
{
	for (int i = 0; i < count; i++)
		close(fds[i]);
}

/*
 * Slab memory only: the page of each buffer and the process's own tables are
 * not slab. A first lot warms the caches up, so that what is counted is what
 * one more buffer takes. In bytes, not in nanoseconds.
 */
static __s64 round_bytes_per_buffer(size_t count)
{
	int *fds = calloc(2 * count, sizeof(*fds));
	__s64 before, after, ret;

	if (!fds)
		return -ENOMEM;
	ret = open_buffers(fds, count);
	if (!ret) {
		before = meminfo_kib("Slab:");
		ret = open_buffers(fds + count, count);
		if (!ret) {
			after = meminfo_kib("Slab:");
			ret = (after - before) * (__s64)KIB / (__s64)count;
			close_buffers(fds + count, count);
		}
		close_buffers(fds, count);
	}
	free(fds);
	return ret;
}

static __s64 round_alloc_close_among(size_t live)
{
	int *fds = calloc(live, sizeof(*fds));
	__s64 ret;

	if (!fds)
		return -ENOMEM;
	ret = open_buffers(fds, live);
	if (!ret) {
		__s64 start = now();

		for (int i = 0; i < 16; i++)
			round_alloc_close(page_size);
		ret = (now() - start) / 16;
		close_buffers(fds, live);
	}
	free(fds);
	return ret;
}

/* ---- batches ------------------------------------------------------------ */

static __s64 round_alloc_calls(size_t count)
{
	int *fds = calloc(count, sizeof(*fds));
	__s64 start, ret;

	if (!fds)
		return -ENOMEM;
	start = now();
	ret = open_buffers(fds, count);
	if (!ret) {
		ret = (now() - start) / (__s64)count;
		close_buffers(fds, count);
	}
	free(fds);
	return ret;
}

static __s64 round_alloc_batch(size_t count)
{
	struct dma_heap_allocation_batch batch = {
		.len = page_size, .count = count, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	int *fds = calloc(count, sizeof(*fds));
	__s64 start, ret;

	if (!fds)
		return -ENOMEM;
	batch.fds = (uintptr_t)fds;
	start = now();
	if (ioctl(heap_fd, DMA_HEAP_IOCTL_ALLOC_BATCH, &batch)) {
		ret = -errno;
	} else {
		ret = (now() - start) / (__s64)count;
		close_buffers(fds, count);
	}
	free(fds);
	return ret;
}

/* ---- several CPUs ------------------------------------------------------- */

#define TOGETHER_CPUS	2
#define TOGETHER_RUNS	500
#define TOGETHER_EXPORTS 64

struct together {
	atomic_int arrived;
	atomic_int failed;
	__s64 took[TOGETHER_CPUS][TOGETHER_RUNS];
};

/* Each run begins on all CPUs at once. */
static void together_child(struct together *shared, int cpu, int count)
{
	struct dma_buf_bench_run run = {
		.op = DMA_BUF_BENCH_EXPORT, .fd = -1, .rounds = TOGETHER_EXPORTS,
	};
	int fd = open("/dev/dma_buf_bench", O_RDWR | O_CLOEXEC);
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		atomic_store(&shared->failed, errno);
	for (int i = 0; i < TOGETHER_RUNS; i++) {
		__s64 start;

		atomic_fetch_add(&shared->arrived, 1);
		while (atomic_load(&shared->arrived) < count * (i + 1))
			;
		start = now();
		if (ioctl(fd, DMA_BUF_BENCH_RUN, &run))
			atomic_store(&shared->failed, errno);
		shared->took[cpu][i] = now() - start;
	}
	_exit(0);
}

static __s64 together_best(const struct together *shared, int count)
{
	__s64 best = 0;

	for (int i = 0; i < TOGETHER_RUNS; i++) {
		__s64 took = shared->took[0][i];

		for (int cpu = 1; cpu < count; cpu++)
			if (shared->took[cpu][i] > took)
				took = shared->took[cpu][i];
		if (!best || took < best)
			best = took;
	}
	return best / (count * TOGETHER_EXPORTS);
}

/*
 * Nanoseconds for an export and its release, on so many CPUs at once: the best
 * of many short runs, as the CPUs of a guest do not always run together.
 */
static __s64 round_export_together(size_t count)
{
	struct together *shared;
	__s64 took;

	if (module_fd < 0 || sysconf(_SC_NPROCESSORS_ONLN) < (long)count)
		return ABSENT;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	for (size_t cpu = 0; cpu < count; cpu++) {
		pid_t pid = fork();

		if (!pid)
			together_child(shared, cpu, count);
		/* The others wait for it, for ever. */
		if (pid < 0)
			abort();
	}
	while (wait(NULL) > 0)
		;
	took = atomic_load(&shared->failed);
	took = took ? -took : together_best(shared, count);
	munmap(shared, sizeof(*shared));
	return took;
}

/* ---- sync files --------------------------------------------------------- */

/* sw_sync has no uAPI header. */
struct sw_sync_create_fence_data {
	__u32 value;
	char name[32];
	__s32 fence;
};

#define SW_SYNC_IOC_CREATE_FENCE	_IOWR('W', 0, struct sw_sync_create_fence_data)

static int timeline_open(void)
{
	int fd = open("/sys/kernel/debug/sync/sw_sync", O_RDWR | O_CLOEXEC);

	return fd < 0 ? ABSENT : fd;
}

static int timeline_fence(int timeline, __u32 value)
{
	struct sw_sync_create_fence_data data = { .value = value, .name = "bench" };

	return ioctl(timeline, SW_SYNC_IOC_CREATE_FENCE, &data) ? -errno : data.fence;
}

static int sync_merge(int one, int two)
{
	struct sync_merge_data data = { .name = "bench", .fd2 = two };

	return ioctl(one, SYNC_IOC_MERGE, &data) ? -errno : data.fence;
}

static __s64 round_sw_sync(size_t count)
{
	__s64 start = now();

	for (size_t i = 0; i < count; i++) {
		int timeline = timeline_open();

		if (timeline < 0)
			return timeline;
		close(timeline);
	}
	return (now() - start) / (__s64)count;
}

/* A sync file of @count fences, each of a timeline of its own, by merging. */
static int sync_of_many(int *timelines, size_t count)
{
	int all = -1;

	for (size_t i = 0; i < count; i++) {
		int fence, merged;

		timelines[i] = timeline_open();
		if (timelines[i] < 0) {
			if (all >= 0)
				close(all);
			return timelines[i];
		}
		fence = timeline_fence(timelines[i], 1);
		if (all < 0) {
			merged = fence;
		} else {
			merged = fence < 0 ? fence : sync_merge(all, fence);
			close(all);
			if (fence >= 0)
				close(fence);
		}
		if (merged < 0)
			return merged;
		all = merged;
	}
	return all;
}

static __s64 round_sync_merge(size_t count)
{
	int *timelines = calloc(count, sizeof(*timelines)), one, two, both;
	__s64 start, ret;

	if (!timelines)
		return -ENOMEM;
	one = sync_of_many(timelines, count / 2);
	two = one < 0 ? one : sync_of_many(timelines + count / 2, count / 2);
	start = now();
	both = two < 0 ? two : sync_merge(one, two);
	ret = both < 0 ? both : now() - start;
	close(both);
	close(two);
	close(one);
	for (size_t i = 0; i < count; i++)
		if (timelines[i] > 0)
			close(timelines[i]);
	free(timelines);
	return ret;
}

static __s64 round_sync_export(size_t count)
{
	struct dma_buf_export_sync_file data = { .flags = DMA_BUF_SYNC_READ };
	int fd = heap_alloc(page_size);
	__s64 start, ret = 0;

	if (fd < 0)
		return fd;
	start = now();
	for (size_t i = 0; !ret && i < count; i++) {
		ret = ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &data) ? -errno : 0;
		if (!ret)
			close(data.fd);
	}
	if (!ret)
		ret = (now() - start) / (__s64)count;
	close(fd);
	return ret;
}

/* ---- the table ---------------------------------------------------------- */

#define GROWTH		SIZES(4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, \
			      16 * MIB, 64 * MIB, 256 * MIB, 512 * MIB)

static const struct bench_case cases[] = {
	{ "alloc_close",		round_alloc_close,	9, GROWTH },
	{ "alloc",			round_alloc,		9, GROWTH },
	{ "alloc_idle",			round_alloc_idle,	9, SIZES(4 * KIB, MIB, 64 * MIB) },
	{ "close",			round_close,		9, GROWTH },
	{ "alloc_dirty_close",		round_dirty,		9, GROWTH },
	{ "tight_loop",			round_tight,		2, SIZES(MIB, 64 * MIB) },
	{ "alloc_touch_close",		round_use,		9, GROWTH },
	{ "mmap_touch_munmap",		round_mmap_touch,	9, GROWTH },
	{ "mmap_munmap",		round_mmap_untouched,	9, GROWTH },
	{ "vmap_vunmap",		round_vmap,		9, GROWTH },
	{ "vmap_vunmap_once",		round_vmap_first,	9, GROWTH },
	{ "vmap_vunmap_close",		round_vmap_close,	9, SIZES(MIB, 64 * MIB) },
	{ "attach_detach",		round_attach,		9, GROWTH },
	{ "map_unmap",			round_map,		9, GROWTH },
	{ "attach_map",			round_attach_map,	9, SIZES(4 * KIB, 64 * MIB) },
	{ "attach_map_shared",		round_attach_map_shared, 9, SIZES(4 * KIB, 64 * MIB) },
	{ "export_put",			round_export,		9, SIZES(64) },
	{ "vgem_import_close",		round_vgem_import,	9, GROWTH },
	{ "sync_pair",			round_sync_pair,	9, SIZES(4 * KIB, 64 * MIB) },
	{ "udmabuf_create_close",	round_udmabuf_small,	9, SIZES(64 * KIB, MIB, 16 * MIB) },
	{ "udmabuf_huge_create_close",	round_udmabuf_huge,	9, SIZES(2 * MIB, 16 * MIB) },
	{ "udmabuf_huge_journey",	round_udmabuf_huge_journey, 9, SIZES(2 * MIB, 16 * MIB) },
	{ "direct_read_heap",		round_direct_heap,	9, SIZES(2 * MIB, 16 * MIB) },
	{ "direct_read_anon",		round_direct_anon,	9, SIZES(2 * MIB, 16 * MIB) },
	{ "fence_signal",		round_fence_signal,	9, SIZES(1000) },
	{ "fence_callback_signal",	round_fence_callback,	9, SIZES(1000) },
	{ "resv_add",			round_resv_add,		9, SIZES(1, 16, 256) },
	{ "resv_iter",			round_resv_iter,	9, SIZES(1, 16, 256) },
	{ "resv_test_signaled",		round_resv_test,	9, SIZES(1, 64) },
	{ "chain_append",		round_chain,		9, SIZES(100, 10000) },
	{ "array_signal",		round_array,		9, SIZES(32) },
	{ "unwrap_merge",		round_merge,		9, SIZES(2, 64, 1000) },
	{ "sync_file_merge",		round_sync_merge,	9, SIZES(2, 64) },
	{ "sync_file_export",		round_sync_export,	9, SIZES(16) },
	{ "sw_sync_create_close",	round_sw_sync,		9, SIZES(16) },
	{ "alloc_calls",		round_alloc_calls,	5, SIZES(1000) },
	{ "alloc_batch",		round_alloc_batch,	5, SIZES(1000) },
	{ "alloc_close_among",		round_alloc_close_among, 3,
	  SIZES(1, 10, 100, 1000, LIVE_BUFFERS) },
	{ "export_together",		round_export_together,	1, SIZES(1, 2) },
	{ "bytes_per_buffer",		round_bytes_per_buffer,	1, SIZES(LIVE_BUFFERS) },
	{ 0 }
};

/* The case after @c, through both tables. */
static const struct bench_case *next_case(const struct bench_case *c)
{
	if (!c)
		return cases;
	c++;
	if (c == cases + ARRAY_SIZE(cases) - 1)
		c = file_cases;
	return c->name ? c : NULL;
}

static int by_value(const void *a, const void *b)
{
	__s64 x = *(const __s64 *)a, y = *(const __s64 *)b;

	return x < y ? -1 : x > y;
}

static void run_case(const struct bench_case *c, size_t size, int max_rounds)
{
	int rounds = c->rounds < max_rounds ? c->rounds : max_rounds;
	__s64 took[MAX_ROUNDS];

	/* The first touch of code and caches is not the point, unless it is little. */
	if (c->rounds > 1 && size <= 64 * MIB)
		c->round(size);
	for (int i = 0; i < rounds; i++) {
		took[i] = c->round(size);
		if (took[i] == ABSENT)
			return;
		if (took[i] < 0) {
			printf("BENCH %s %zu - %s\n", c->name, size, strerror(-took[i]));
			return;
		}
	}
	qsort(took, rounds, sizeof(took[0]), by_value);
	printf("BENCH %s %zu %lld\n", c->name, size, (long long)took[rounds / 2]);
	fflush(stdout);
}

/* Repeat the case for good, for a profiler outside of the machine. */
static void loop_case(const struct bench_case *c, size_t size)
{
	printf("BENCH-LOOP %s %zu\n", c->name, size);
	fflush(stdout);
	while (c->round(size) >= 0)
		;
}

static int open_vgem(void)
{
	for (int i = 0; i < 16; i++) {
		char name[8] = "", path[32];
		struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, "vgem"))
			return fd;
		close(fd);
	}
	return -1;
}

static bool chosen(const char *name, char **names, int count)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(name, names[i]))
			return true;
	return !count;
}

static void open_nodes(void)
{
	struct rlimit files = { 2 * LIVE_BUFFERS + 64, 2 * LIVE_BUFFERS + 64 };

	page_size = sysconf(_SC_PAGESIZE);
	if (setrlimit(RLIMIT_NOFILE, &files))
		perror("RLIMIT_NOFILE");
	heap_fd = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC);
	if (heap_fd < 0) {
		perror("/dev/dma_heap/system");
		exit(1);
	}
	vgem_fd = open_vgem();
	udmabuf_fd = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	module_fd = open("/dev/dma_buf_bench", O_RDWR | O_CLOEXEC);
}

int main(int argc, char **argv)
{
	size_t max_size = 512 * MIB, loop_size = 0;
	int max_rounds = MAX_ROUNDS, opt;

	while ((opt = getopt(argc, argv, "d:l:m:r:")) != -1) {
		switch (opt) {
		case 'd':
			direct_file = optarg;
			break;
		case 'l':
			loop_size = strtoul(optarg, NULL, 0);
			break;
		case 'm':
			max_size = strtoul(optarg, NULL, 0) * MIB;
			break;
		case 'r':
			max_rounds = atoi(optarg);
			break;
		default:
			fprintf(stderr, "usage: %s " USAGE "\n", argv[0]);
			return 2;
		}
	}
	if (max_rounds < 1 || max_rounds > MAX_ROUNDS)
		max_rounds = MAX_ROUNDS;
	open_nodes();

	for (const struct bench_case *c = next_case(NULL); c; c = next_case(c)) {
		if (!chosen(c->name, argv + optind, argc - optind))
			continue;
		if (loop_size)
			loop_case(c, loop_size);
		for (const size_t *size = c->sizes; *size; size++)
			if (*size <= max_size)
				run_case(c, *size, max_rounds);
	}
	return 0;
}
