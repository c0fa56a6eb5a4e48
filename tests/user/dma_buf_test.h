/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every user-space test of this folder needs: the system calls of
 * heaps, dma-bufs, sync files and an importer, one function each, and a
 * census of what a test may have leaked.
 *
 * One rule for results: a function here gives what the system call gave
 * when that was 0 or more, and -errno when it failed; nothing is printed,
 * nothing is retried. So EXPECT_EQ(-EINVAL, heap_alloc(...)) says it all,
 * and EXPECT_REFUSED(EINVAL, heap_alloc(...)) says it with a readable log.
 *
 * Sizes and offsets are bytes. Descriptors belong to the caller.
 */
#ifndef DMA_BUF_TEST_H
#define DMA_BUF_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/sync_file.h>
#include <linux/udmabuf.h>
#include <drm/drm.h>
#include <drm/drm_mode.h>

/* A program may use the bare kselftest.h instead, by including it first. */
#ifndef __KSELFTEST_H
/* What the harness itself draws from -Wextra, in every test it wraps. */
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wclobbered"
#include "kselftest_harness.h"

/*
 * Seconds, as the last resort. What hangs is silent, and ended for that by what
 * runs the program; see progress.h for a test that takes long.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	7200
#endif

#define DMA_HEAP_DIR		"/dev/dma_heap"
#define DMA_BUF_BUFINFO		"/sys/kernel/debug/dma_buf/bufinfo"
#define DMA_BUF_SYSFS		"/sys/kernel/dmabuf/buffers"
#define SW_SYNC_NODE		"/sys/kernel/debug/sync/sw_sync"
#define UDMABUF_NODE		"/dev/udmabuf"
#define DRM_DIR			"/dev/dri"

/* The call must fail, with this errno and no other. */
#define EXPECT_REFUSED(_errno, _call) do { \
	long _want = -(long)(_errno), _ret = (_call); \
	EXPECT_EQ(_want, _ret) { \
		TH_LOG("%s: wanted %s", #_call, test_result_str(_want)); \
		TH_LOG("%s: got %s", #_call, test_result_str(_ret)); \
	} \
} while (0)

/* The call must not fail; the log then names the errno. */
#define EXPECT_WORKS(_call) do { \
	long _ret = (_call); \
	EXPECT_LE(0, _ret) { \
		TH_LOG("%s: %s", #_call, test_result_str(_ret)); \
	} \
} while (0)

/* Descriptor, handle or count into @_var, or the test ends here. */
#define ASSERT_GIVES(_var, _call) do { \
	long _ret = (_call); \
	ASSERT_LE(0, _ret) { \
		TH_LOG("%s: %s", #_call, test_result_str(_ret)); \
	} \
	_var = _ret; \
} while (0)

static inline const char *test_result_str(long ret)
{
	static char text[64];

	if (ret < 0)
		return strerror((int)-ret);
	snprintf(text, sizeof(text), "success (%ld)", ret);
	return text;
}

static inline long sysret(long ret)
{
	return ret < 0 ? -errno : ret;
}

static inline size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static inline int xioctl(int fd, unsigned long request, void *arg)
{
	return (int)sysret(ioctl(fd, request, arg));
}

static inline int xopen(const char *path, int flags)
{
	return (int)sysret(open(path, flags | O_CLOEXEC));
}

/* ------------------------------------------------------------- census -- */

/* Entries of a directory, "." and ".." not counted; -errno when it cannot be read. */
static inline int count_entries(const char *path)
{
	struct dirent *entry;
	int n = 0;
	DIR *dir;

	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		n += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(dir);
	return n;
}

/* Descriptors this process holds; the one that counts them is left out. */
static inline int count_open_fds(void)
{
	int n = count_entries("/proc/self/fd");

	return n < 0 ? n : n - 1;
}

/*
 * dma-bufs alive in the whole system, from the totals line of debugfs.
 * -ENODATA when the line is not there, -errno when the file is not.
 */
static inline long count_buffers(void)
{
	long total = -ENODATA, n;
	char line[512];
	FILE *file;

	file = fopen(DMA_BUF_BUFINFO, "re");
	if (!file)
		return -errno;
	/* Each buffer has a "Total n devices" line of its own. */
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Total %ld", &n) == 1 && strstr(line, " objects,"))
			total = n;
	fclose(file);
	return total;
}

/* One "Name:   n kB" line of /proc/meminfo, in bytes. */
static inline long long meminfo_bytes(const char *name)
{
	long long kb = -ENODATA;
	size_t len = strlen(name);
	char line[256];
	FILE *file;

	file = fopen("/proc/meminfo", "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, len) || line[len] != ':')
			continue;
		kb = strtoll(line + len + 1, NULL, 10) * 1024;
		break;
	}
	fclose(file);
	return kb;
}

/*
 * Waits until no more than @want buffers live: the last reference to a file
 * is dropped when the task returns to user space, for another task that is
 * about to end a little later. False when they never went away.
 */
static inline bool buffers_settle(long want)
{
	int tries;

	for (tries = 0; tries < 6000; tries++) {
		if (count_buffers() <= want)
			return true;
		usleep(10000);
	}
	return false;
}

/* ------------------------------------------------------------- memory -- */

/* Each page of a buffer gets a different pattern, seeded by @seed. */
static inline unsigned char pattern_byte(unsigned int seed, size_t at)
{
	return (unsigned char)(seed * 31 + at * 7 + (at >> 12) * 13 + 1);
}

/*
 * The bytes of a pattern from @at to the end of its page. All pages are parts of
 * one row of multiples of 7, of which 183 is the inverse in a byte. An emulated
 * CPU moves and compares blocks ten times as fast as single bytes.
 */
static inline const unsigned char *pattern_row(unsigned int seed, size_t at)
{
	static unsigned char row[256 + 4096];
	size_t i;

	if (!row[1])
		for (i = sizeof(row); i--; )
			row[i] = (unsigned char)(i * 7);
	return row + (unsigned char)(pattern_byte(seed, at) * 183);
}

static inline size_t pattern_row_len(size_t at, size_t len)
{
	size_t rest = 4096 - at % 4096;

	return len - at < rest ? len - at : rest;
}

static inline void pattern_fill(void *mem, size_t len, unsigned int seed)
{
	unsigned char *p = mem;
	size_t at, n;

	for (at = 0; at < len; at += n) {
		n = pattern_row_len(at, len);
		memcpy(p + at, pattern_row(seed, at), n);
	}
}

/* Offset of the first byte that differs, or @len. */
static inline size_t pattern_check(const void *mem, size_t len, unsigned int seed)
{
	const unsigned char *p = mem;
	size_t at, n;

	for (at = 0; at < len; at += n) {
		n = pattern_row_len(at, len);
		if (memcmp(p + at, pattern_row(seed, at), n))
			break;
	}
	while (at < len && p[at] == pattern_byte(seed, at))
		at++;
	return at;
}

/* Offset of the first byte that is not zero, or @len. */
static inline size_t zero_check(const void *mem, size_t len)
{
	const unsigned char *p = mem;
	size_t i;

	/* All bytes are the same as the next one. */
	if (len && !p[0] && !memcmp(p, p + 1, len - 1))
		return len;
	for (i = 0; i < len && !p[i]; i++)
		;
	return i;
}

/* An address that faults on every access; one page long. */
static inline void *unmapped_page(void)
{
	void *p = mmap(NULL, page_size(), PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* mmap() of a descriptor: 0 and *@mem, or -errno. */
static inline int map_fd(int fd, size_t len, int prot, int flags, off_t at, void **mem)
{
	*mem = mmap(NULL, len, prot, flags, fd, at);
	return *mem == MAP_FAILED ? -errno : 0;
}

static inline int map_rw(int fd, size_t len, void **mem)
{
	return map_fd(fd, len, PROT_READ | PROT_WRITE, MAP_SHARED, 0, mem);
}

/* -------------------------------------------------------------- heaps -- */

static inline int heap_open(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), DMA_HEAP_DIR "/%s", name);
	return xopen(path, O_RDONLY);
}

/* Calls @each with every heap's name; gives how many there were or -errno. */
static inline int heap_for_each(void (*each)(const char *name, void *data), void *data)
{
	struct dirent *entry;
	int n = 0;
	DIR *dir;

	dir = opendir(DMA_HEAP_DIR);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (each)
			each(entry->d_name, data);
		n++;
	}
	closedir(dir);
	return n;
}

/* A new dma-buf of at least @len bytes, as descriptor. */
static inline int heap_alloc_flags(int heap, __u64 len, __u32 fd_flags,
				   __u64 heap_flags)
{
	struct dma_heap_allocation_data data = {
		.len = len,
		.fd_flags = fd_flags,
		.heap_flags = heap_flags,
	};
	int ret = xioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data);

	return ret < 0 ? ret : (int)data.fd;
}

static inline int heap_alloc(int heap, __u64 len)
{
	return heap_alloc_flags(heap, len, O_RDWR | O_CLOEXEC, 0);
}

/* @count buffers of @len bytes each, as descriptors in @fds. */
static inline int heap_alloc_batch(int heap, __u64 len, __s32 *fds, __u32 count)
{
	struct dma_heap_allocation_batch data = {
		.len = len, .fds = (uintptr_t)fds, .count = count,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};

	return xioctl(heap, DMA_HEAP_IOCTL_ALLOC_BATCH, &data);
}

/* Open, allocate, close: for tests that do not care about the heap. */
static inline int heap_alloc_from(const char *name, __u64 len)
{
	int heap, fd;

	heap = heap_open(name);
	if (heap < 0)
		return heap;
	fd = heap_alloc(heap, len);
	close(heap);
	return fd;
}

/* ------------------------------------------------------------ dma-buf -- */

static inline int dmabuf_sync(int fd, __u64 flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return xioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
}

/* @access: DMA_BUF_SYNC_READ, _WRITE or _RW, the same at begin and end. */
static inline int dmabuf_begin(int fd, __u64 access)
{
	return dmabuf_sync(fd, DMA_BUF_SYNC_START | access);
}

static inline int dmabuf_end(int fd, __u64 access)
{
	return dmabuf_sync(fd, DMA_BUF_SYNC_END | access);
}

/* The same for the bytes from @offset to @offset + @length. */
static inline int dmabuf_sync_partial(int fd, __u64 flags, __u64 offset, __u64 length)
{
	struct dma_buf_sync_partial sync = {
		.flags = flags, .offset = offset, .length = length,
	};

	return xioctl(fd, DMA_BUF_IOCTL_SYNC_PARTIAL, &sync);
}

/* Start or end access to all that @records name; @fd is any buffer. */
static inline int dmabuf_sync_batch(int fd, const struct dma_buf_sync_record *records,
				    __u32 count)
{
	struct dma_buf_sync_batch args = {
		.records = (uintptr_t)records, .count = count,
	};

	return xioctl(fd, DMA_BUF_IOCTL_SYNC_BATCH, &args);
}

/* Bytes between a file and the buffer; how many were moved. */
static inline long dmabuf_transfer(int fd, int file, __u32 flags, __u64 file_offset,
				   __u64 offset, __u64 length)
{
	struct dma_buf_transfer args = {
		.fd = file, .flags = flags, .file_offset = file_offset,
		.offset = offset, .length = length,
	};

	return xioctl(fd, DMA_BUF_IOCTL_TRANSFER, &args);
}

/* The same, which returns when all requests are on their way; the fence to @out. */
static inline long dmabuf_transfer_out(int fd, int file, __u32 flags, __u64 length, int *out)
{
	struct dma_buf_transfer args = {
		.fd = file, .flags = flags | DMA_BUF_TRANSFER_OUT_FENCE, .length = length,
	};
	long ret = xioctl(fd, DMA_BUF_IOCTL_TRANSFER, &args);

	*out = ret > 0 ? args.out_fence : -1;
	return ret;
}

/* The same after a fence. */
static inline long dmabuf_transfer_in(int fd, int file, __u32 flags, __u64 length, int in)
{
	struct dma_buf_transfer args = {
		.fd = file, .flags = flags | DMA_BUF_TRANSFER_IN_FENCE, .length = length,
		.in_fence = in,
	};

	return xioctl(fd, DMA_BUF_IOCTL_TRANSFER, &args);
}

static inline int dmabuf_revoke(int fd)
{
	return xioctl(fd, DMA_BUF_IOCTL_REVOKE, NULL);
}

static inline int dmabuf_set_name(int fd, const char *name)
{
	return xioctl(fd, DMA_BUF_SET_NAME_B, (void *)name);
}

/* What has to happen before @access may start, as a sync file. */
static inline int dmabuf_export_sync_file(int fd, __u32 access)
{
	struct dma_buf_export_sync_file data = { .flags = access, .fd = -1 };
	int ret = xioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &data);

	return ret < 0 ? ret : data.fd;
}

static inline int dmabuf_import_sync_file(int fd, __u32 access, int sync_file)
{
	struct dma_buf_import_sync_file data = { .flags = access, .fd = sync_file };

	return xioctl(fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &data);
}

static inline long dmabuf_size(int fd)
{
	long size = sysret(lseek(fd, 0, SEEK_END));

	return size < 0 ? size : lseek(fd, 0, SEEK_SET) ? -errno : size;
}

/* Fills or checks the whole buffer through the CPU; -EILSEQ when bytes differ. */
static inline int dmabuf_fill(int fd, size_t len, unsigned int seed)
{
	void *mem;
	int ret;

	ret = map_rw(fd, len, &mem);
	if (ret)
		return ret;
	ret = dmabuf_begin(fd, DMA_BUF_SYNC_WRITE);
	if (!ret) {
		pattern_fill(mem, len, seed);
		ret = dmabuf_end(fd, DMA_BUF_SYNC_WRITE);
	}
	munmap(mem, len);
	return ret;
}

static inline int dmabuf_verify(int fd, size_t len, unsigned int seed)
{
	size_t bad = 0;
	void *mem;
	int ret;

	ret = map_fd(fd, len, PROT_READ, MAP_SHARED, 0, &mem);
	if (ret)
		return ret;
	ret = dmabuf_begin(fd, DMA_BUF_SYNC_READ);
	if (!ret) {
		bad = pattern_check(mem, len, seed);
		ret = dmabuf_end(fd, DMA_BUF_SYNC_READ);
	}
	munmap(mem, len);
	if (ret)
		return ret;
	return bad == len ? 0 : -EILSEQ;
}

/* poll() one descriptor now: the events that are ready, or -errno. */
static inline int poll_now(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int ret = (int)sysret(poll(&pfd, 1, 0));

	return ret < 0 ? ret : pfd.revents;
}

/* The same, with patience of at most @ms milliseconds. */
static inline int poll_wait(int fd, short events, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int ret = (int)sysret(poll(&pfd, 1, ms));

	return ret < 0 ? ret : pfd.revents;
}

/*
 * The value of one "key:\tvalue" line of /proc/self/fdinfo/@fd, without its
 * newline. 0, -ENODATA when there is no such line, or -errno.
 */
static inline int fdinfo_get(int fd, const char *key, char *value, size_t size)
{
	size_t len = strlen(key);
	char line[512], path[64];
	int ret = -ENODATA;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, len) || line[len] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(value, size, "%s", line + len + 1 + strspn(line + len + 1, "\t "));
		ret = 0;
		break;
	}
	fclose(file);
	return ret;
}

/* One descriptor over a UNIX socket, as programs share buffers. */
static inline int fd_send(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = { 0 };
	char byte = 'b';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sysret(sendmsg(sock, &msg, 0)) < 0 ? -errno : 0;
}

static inline int fd_receive(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -ENOMSG;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

/* ---------------------------------------------------------- sync files -- */

/* sw_sync has no uAPI header: its ABI, for the tests alone. */
struct sw_sync_create_fence_data {
	__u32 value;
	char name[32];
	__s32 fence;
};

struct sw_sync_get_deadline {
	__u64 deadline_ns;
	__u32 pad;
	__s32 fence_fd;
};

#define SW_SYNC_IOC_CREATE_FENCE	_IOWR('W', 0, struct sw_sync_create_fence_data)
#define SW_SYNC_IOC_INC			_IOW('W', 1, __u32)
#define SW_SYNC_GET_DEADLINE		_IOWR('W', 2, struct sw_sync_get_deadline)

/* A timeline that stands at 0; closing it signals what is left, with -ENOENT. */
static inline int sw_sync_open(void)
{
	return xopen(SW_SYNC_NODE, O_RDWR);
}

/* A sync file that signals when @timeline reaches @value. */
static inline int sw_sync_fence(int timeline, __u32 value, const char *name)
{
	struct sw_sync_create_fence_data data = { .value = value, .fence = -1 };
	int ret;

	snprintf(data.name, sizeof(data.name), "%s", name ? name : "test");
	ret = xioctl(timeline, SW_SYNC_IOC_CREATE_FENCE, &data);
	return ret < 0 ? ret : data.fence;
}

/* Let a device be at work on the buffer until @timeline reaches @value. */
static inline int dmabuf_add_fence(int fd, int timeline, __u32 value, __u32 access)
{
	int fence = sw_sync_fence(timeline, value, "device"), ret;

	if (fence < 0)
		return fence;
	ret = dmabuf_import_sync_file(fd, access, fence);
	close(fence);
	return ret;
}

static inline int sw_sync_inc(int timeline, __u32 by)
{
	return xioctl(timeline, SW_SYNC_IOC_INC, &by);
}

static inline int sync_file_merge(int a, int b, const char *name)
{
	struct sync_merge_data data = { .fd2 = b, .fence = -1 };
	int ret;

	snprintf(data.name, sizeof(data.name), "%s", name ? name : "merged");
	ret = xioctl(a, SYNC_IOC_MERGE, &data);
	return ret < 0 ? ret : data.fence;
}

/* Without @fences: how many there are. With: up to *@n of them are filled in. */
static inline int sync_file_info(int fd, struct sync_file_info *info,
				 struct sync_fence_info *fences, __u32 n)
{
	memset(info, 0, sizeof(*info));
	info->num_fences = n;
	info->sync_fence_info = (uintptr_t)fences;
	return xioctl(fd, SYNC_IOC_FILE_INFO, info);
}

/* 1 signalled, 0 not yet, below zero: the fence's own error, or the call's. */
static inline int sync_file_status(int fd)
{
	struct sync_file_info info;
	int ret = sync_file_info(fd, &info, NULL, 0);

	return ret < 0 ? ret : info.status;
}

static inline int sync_file_num_fences(int fd)
{
	struct sync_file_info info;
	int ret = sync_file_info(fd, &info, NULL, 0);

	return ret < 0 ? ret : (int)info.num_fences;
}

/* ------------------------------------------------------------ importer -- */

/*
 * A device that can import: vgem, through PRIME. -ENODEV when there is none
 * (or no /dev/dri at all): skip the test then.
 */
static inline int importer_open_driver(const char *driver)
{
	struct dirent *entry;
	int found = -ENODEV;
	DIR *dir;

	dir = opendir(DRM_DIR);
	if (!dir)
		return -ENODEV;
	while (found < 0 && (entry = readdir(dir))) {
		char path[512], name[32] = "";
		struct drm_version version = {
			.name = name, .name_len = sizeof(name) - 1,
		};
		int fd;

		if (strncmp(entry->d_name, "card", 4))
			continue;
		snprintf(path, sizeof(path), DRM_DIR "/%s", entry->d_name);
		fd = xopen(path, O_RDWR);
		if (fd < 0)
			continue;
		if (!xioctl(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, driver))
			found = fd;
		else
			close(fd);
	}
	closedir(dir);
	return found;
}

static inline int importer_open(void)
{
	return importer_open_driver("vgem");
}

/* dma-buf descriptor -> handle of the device (over zero), attached and mapped. */
static inline int importer_import(int dev, int dmabuf)
{
	struct drm_prime_handle prime = { .fd = dmabuf };
	int ret = xioctl(dev, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);

	return ret < 0 ? ret : (int)prime.handle;
}

/* Handle -> dma-buf descriptor; the original one's buffer when it was imported. */
static inline int importer_export(int dev, int handle)
{
	struct drm_prime_handle prime = {
		.handle = (__u32)handle, .flags = DRM_CLOEXEC | DRM_RDWR, .fd = -1,
	};
	int ret = xioctl(dev, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);

	return ret < 0 ? ret : prime.fd;
}

static inline int importer_close(int dev, int handle)
{
	struct drm_gem_close close_data = { .handle = (__u32)handle };

	return xioctl(dev, DRM_IOCTL_GEM_CLOSE, &close_data);
}

/* A buffer of the device's own, @pages long, as handle: vgem as exporter. */
static inline int importer_create(int dev, __u32 pages)
{
	struct drm_mode_create_dumb dumb = {
		.width = (__u32)page_size() / 4, .height = pages, .bpp = 32,
	};
	int ret = xioctl(dev, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);

	return ret < 0 ? ret : (int)dumb.handle;
}

/* Maps a handle through the device's own node: 0 and *@mem, or -errno. */
static inline int importer_map(int dev, int handle, size_t len, void **mem)
{
	struct drm_mode_map_dumb map = { .handle = (__u32)handle };
	int ret = xioctl(dev, DRM_IOCTL_MODE_MAP_DUMB, &map);

	if (ret < 0)
		return ret;
	return map_fd(dev, len, PROT_READ | PROT_WRITE, MAP_SHARED,
		      (off_t)map.offset, mem);
}

#endif /* DMA_BUF_TEST_H */
