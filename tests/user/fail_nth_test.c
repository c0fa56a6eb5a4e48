// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation of every successful scenario fails once.
 *
 * A scenario is a sequence of system calls that succeeds. It is run again and
 * again, with the first, second, third ... allocation failing by
 * /proc/self/fail-nth, until a run makes fewer allocations than that. Each run
 * either succeeds all the same or ends in a documented errno; leaves no
 * descriptor and no buffer behind; and the next one without a failure succeeds.
 * What leaks inside the kernel is for kmemleak to say, which scans at the end.
 *
 * A scenario returns 0 or the -errno of the call that failed, after it has
 * closed what it had opened. What is prepared outside of the sweep is in the
 * fixture.
 */
#include <linux/memfd.h>

#include "udmabuf_test.h"
#include "uring.h"
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <drm/vgem_drm.h>

#if __has_include("../lab/edu_uapi.h")
#include "../lab/edu_uapi.h"
#else
#include "../../../../drivers/dma-buf/tests/lab/edu_uapi.h"
#endif

#define MERGED		64
#define MERGED_BEFORE	60	/* of these, before anything fails */
#define MANY		50000	/* No scenario has that many allocations. */

/*
 * The most that a device gets. In pieces, but few: debugging of the DMA API allocates
 * for each 64 KiB, and these failures are not ours.
 */
#define IMPORTED	((size_t)(1 << 20) + 2 * 4096)

/* What the scenarios share; set up before any allocation fails. */
static struct {
	int heap;		/* the one that a scenario allocates from */
	int importer;
	int udmabuf;
	int memfd;
	int timeline;
	int fences[MERGED];
	int merged;
	int pidfd;		/* the process whose cgroup is charged */
	int edu;
	int crowded;		/* a buffer with all of the fences */
	int file;		/* for the bytes of a buffer */
	size_t size;
	size_t offset;		/* of so many bytes in the memfd */
} stage;

static void fault_set(const char *dir, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", dir, name);
	file_write(path, text);
}

/* Let every kind of allocation fail, and quietly. */
static void faults_prepare(void)
{
	static const char * const dirs[] = { "failslab", "fail_page_alloc" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		fault_set(dirs[i], "verbose", "0");
		fault_set(dirs[i], "ignore-gfp-wait", "N");
		fault_set(dirs[i], "ignore-gfp-highmem", "N");
		fault_set(dirs[i], "min-order", "0");
	}
}

/* Fault every page in; what is in them is for other tests. */
static void touch_pages(void *mem)
{
	for (size_t at = 0; at < stage.size; at += page_size())
		memset((char *)mem + at, 1, 1);
}

/* ----------------------------------------------------------- scenarios -- */

static int run_allocate(void)
{
	int fd = heap_alloc(stage.heap, stage.size);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/*
 * A buffer that is taken away. Not from a mapping: User Mode Linux then flushes
 * its TLB without the lock that it needs, which lockdep reports.
 */
static int run_revoke(void)
{
	int fd = heap_alloc(stage.heap, stage.size), ret;

	if (fd < 0)
		return fd;
	ret = dmabuf_begin(fd, DMA_BUF_SYNC_RW);
	if (!ret)
		ret = dmabuf_revoke(fd) ?: dmabuf_end(fd, DMA_BUF_SYNC_RW);
	close(fd);
	return ret;
}

#define BATCH	4

/* All or none, and access to all of them. */
static int run_batch(void)
{
	struct dma_buf_sync_record records[BATCH];
	__s32 fds[BATCH];
	int ret, i;

	ret = heap_alloc_batch(stage.heap, stage.size, fds, BATCH);
	if (ret)
		return ret;
	for (i = 0; i < BATCH; i++)
		records[i] = (struct dma_buf_sync_record){
			.fd = fds[i], .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW,
		};
	ret = dmabuf_sync_batch(fds[0], records, BATCH);
	for (i = 0; i < BATCH; i++)
		records[i].flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	if (!ret)
		ret = dmabuf_sync_batch(fds[0], records, BATCH);
	for (i = 0; i < BATCH; i++)
		close(fds[i]);
	return ret;
}

static int run_map(void)
{
	int fd = heap_alloc(stage.heap, stage.size);
	void *mem;
	int ret;

	if (fd < 0)
		return fd;
	ret = map_rw(fd, stage.size, &mem);
	if (!ret) {
		touch_pages(mem);
		munmap(mem, stage.size);
	}
	close(fd);
	return ret;
}

/* Charged to the cgroup of another process. */
static int run_charge(void)
{
	struct dma_heap_allocation_data_charged data = {
		.len = stage.size, .fd_flags = O_RDWR | O_CLOEXEC,
		.charge_pid_fd = (__u32)stage.pidfd,
	};
	int ret = xioctl(stage.heap, DMA_HEAP_IOCTL_ALLOC_CHARGED, &data);

	if (!ret)
		close((int)data.fd);
	return ret;
}

static int run_sync_and_name(void)
{
	int fd = heap_alloc(stage.heap, stage.size);
	int ret;

	if (fd < 0)
		return fd;
	ret = dmabuf_set_name(fd, "a name");
	if (!ret)
		ret = dmabuf_begin(fd, DMA_BUF_SYNC_RW);
	if (!ret)
		ret = dmabuf_end(fd, DMA_BUF_SYNC_RW);
	if (!ret)
		ret = dmabuf_sync_partial(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW, 0, 64);
	if (!ret)
		ret = dmabuf_sync_partial(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW, 0, 64);
	close(fd);
	return ret;
}

/* Attach and map by a device, and share what it imported once more. */
static int run_import(void)
{
	int fd = heap_alloc(stage.heap, stage.size < IMPORTED ? stage.size : IMPORTED);
	int handle, again;

	if (fd < 0)
		return fd;
	handle = importer_import(stage.importer, fd);
	if (handle >= 0) {
		again = importer_export(stage.importer, handle);
		importer_close(stage.importer, handle);
		handle = again < 0 ? again : 0;
		if (again >= 0)
			close(again);
	}
	close(fd);
	return handle;
}

/* A driver that hangs a fence of its own on what it has imported. */
static int run_fence_of_importer(void)
{
	struct drm_vgem_fence_attach attach = { .flags = VGEM_FENCE_WRITE };
	struct drm_vgem_fence_signal signal = { 0 };
	int fd = heap_alloc(stage.heap, stage.size), ret;

	if (fd < 0)
		return fd;
	ret = importer_import(stage.importer, fd);
	if (ret >= 0) {
		attach.handle = (__u32)ret;
		ret = xioctl(stage.importer, DRM_IOCTL_VGEM_FENCE_ATTACH, &attach);
		if (!ret) {
			signal.fence = attach.out_fence;
			ret = xioctl(stage.importer, DRM_IOCTL_VGEM_FENCE_SIGNAL, &signal);
		}
		importer_close(stage.importer, (int)attach.handle);
	}
	close(fd);
	return ret;
}

/* A PCI device, behind an IOMMU: static importers and those that follow a move. */
static int run_attach_device(void)
{
	int fd = heap_alloc(stage.heap, stage.size), ret = 0;
	unsigned int dynamic;

	if (fd < 0)
		return fd;
	for (dynamic = 0; dynamic < 2 && !ret; dynamic++) {
		struct dmabuf_edu_attach attach = { .fd = fd, .flags = dynamic };
		struct dmabuf_edu_detach detach = { 0 };

		ret = xioctl(stage.edu, DMABUF_EDU_ATTACH, &attach);
		if (ret)
			break;
		ret = dmabuf_begin(fd, DMA_BUF_SYNC_RW);
		if (!ret)
			ret = dmabuf_end(fd, DMA_BUF_SYNC_RW);
		detach.handle = attach.handle;
		xioctl(stage.edu, DMABUF_EDU_DETACH, &detach);
	}
	close(fd);
	return ret;
}

/* To a file and back. An allocation of the file may be what makes it short. */
static int run_transfer(void)
{
	int fd = heap_alloc(stage.heap, stage.size);
	long ret;

	if (fd < 0)
		return fd;
	ret = dmabuf_transfer(fd, stage.file, DMA_BUF_TRANSFER_TO_FILE, 0, 0, stage.size);
	if (ret >= 0)
		ret = dmabuf_transfer(fd, stage.file, DMA_BUF_TRANSFER_FROM_FILE, 0, 0,
				      stage.size);
	close(fd);
	return ret < 0 ? (int)ret : 0;
}

/* From a disk, with a fence. Without memory to publish it the call waits. */
static int run_transfer_out(void)
{
	int fd = heap_alloc(stage.heap, stage.size), out;
	long ret;

	if (fd < 0)
		return fd;
	ret = dmabuf_transfer_out(fd, stage.file, DMA_BUF_TRANSFER_FROM_FILE, stage.size, &out);
	close(fd);
	if (ret < 0)
		return (int)ret;
	ret = poll_wait(out, POLLIN, 10000) == POLLIN && sync_file_status(out) == 1;
	close(out);
	return ret ? 0 : -EIO;
}

/* What was sent and not received is in the socket, and goes with it. */
static int run_send(void)
{
	int fd = heap_alloc(stage.heap, stage.size);
	int pair[2], ret;

	if (fd < 0)
		return fd;
	ret = (int)sysret(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	if (!ret) {
		ret = fd_send(pair[0], fd);
		if (ret >= 0)
			ret = fd_receive(pair[1]);
		if (ret >= 0)
			close(ret);
		close(pair[0]);
		close(pair[1]);
	}
	close(fd);
	return ret < 0 ? ret : 0;
}

/* How many fences are in there, said as 0 when they are as many as wanted. */
static int expect_fences(int fd, int want)
{
	int count = sync_file_num_fences(fd);

	if (count < 0)
		return count;
	return count == want ? 0 : -EPROTO;
}

static int run_sync_file(void)
{
	int fd = heap_alloc(stage.heap, stage.size);
	int fence, ret;

	if (fd < 0)
		return fd;
	ret = dmabuf_import_sync_file(fd, DMA_BUF_SYNC_WRITE, stage.fences[0]);
	if (!ret)
		ret = dmabuf_import_sync_file(fd, DMA_BUF_SYNC_READ, stage.fences[1]);
	if (!ret) {
		fence = dmabuf_export_sync_file(fd, DMA_BUF_SYNC_RW);
		ret = fence < 0 ? fence : expect_fences(fence, 2);
		if (fence >= 0)
			close(fence);
	}
	close(fd);
	return ret;
}

/* One fence of 64, and a reservation object that grows to hold them. */
static int run_merge(void)
{
	int merged = dup(stage.merged);
	int fd, ret;

	if (merged < 0)
		return -errno;
	for (int i = MERGED_BEFORE; i < MERGED; i++) {
		int next = sync_file_merge(merged, stage.fences[i], "merged");

		close(merged);
		if (next < 0)
			return next;
		merged = next;
	}
	ret = expect_fences(merged, MERGED);
	if (!ret) {
		fd = heap_alloc(stage.heap, stage.size);
		ret = fd < 0 ? fd : dmabuf_import_sync_file(fd, DMA_BUF_SYNC_READ, merged);
		if (fd >= 0)
			close(fd);
	}
	close(merged);
	return ret;
}

/* A poll leaves a callback on the fence, which holds the buffer until then. */
static int run_poll(void)
{
	int timeline = sw_sync_open();
	int fence, fd, ret;

	if (timeline < 0)
		return timeline;
	fence = sw_sync_fence(timeline, 1, "polled");
	fd = fence < 0 ? fence : heap_alloc(stage.heap, stage.size);
	ret = fd < 0 ? fd : dmabuf_import_sync_file(fd, DMA_BUF_SYNC_WRITE, fence);
	if (!ret) {
		ret = poll_now(fd, POLLIN | POLLOUT);
		/* Pending: neither is there. */
		ret = ret > 0 ? -EPROTO : ret;
	}
	if (fd >= 0)
		close(fd);
	if (fence >= 0)
		close(fence);
	close(timeline);
	return ret;
}

/* The first completion of a command of a dma-buf; closes the ring. */
static int uring_finish(struct uring *ring)
{
	int ret = uring_run(ring);

	uring_close(ring);
	return ret;
}

/* Fences out of a buffer and into it, by commands of a ring. */
static int run_uring(void)
{
	struct uring ring;
	int fence, ret;

	ret = uring_open(&ring, 4, 0);
	if (ret)
		return ret;
	uring_sqe_dmabuf(&ring, stage.crowded, DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
			 DMA_BUF_SYNC_WRITE);
	fence = uring_finish(&ring);
	if (fence < 0)
		return fence;
	ret = expect_fences(fence, MERGED);
	if (!ret)
		ret = uring_open(&ring, 4, 0);
	if (!ret) {
		struct io_uring_sqe *sqe =
			uring_sqe_dmabuf(&ring, stage.crowded,
					 DMA_BUF_IOCTL_IMPORT_SYNC_FILE, DMA_BUF_SYNC_READ);

		uring_sqe_params(sqe)->fd = stage.fences[0];
		ret = uring_finish(&ring);
	}
	close(fence);
	return ret;
}

/* A start that waits, and goes on when its fence has signaled. */
static int run_uring_wait(void)
{
	int timeline = sw_sync_open();
	int fence, fd, ret;
	struct uring ring;

	if (timeline < 0)
		return timeline;
	fence = sw_sync_fence(timeline, 1, "waited for");
	fd = fence < 0 ? fence : heap_alloc(stage.heap, stage.size);
	ret = fd < 0 ? fd : dmabuf_import_sync_file(fd, DMA_BUF_SYNC_WRITE, fence);
	if (!ret)
		ret = uring_open(&ring, 4, 0);
	if (!ret) {
		uring_sqe_dmabuf(&ring, fd, DMA_BUF_IOCTL_SYNC, DMA_BUF_SYNC_READ);
		ret = uring_submit(&ring, 0);
		if (!ret && uring_ready(&ring))
			ret = uring_reap(&ring) ?: -EPROTO;
		if (!ret)
			ret = sw_sync_inc(timeline, 1) ?: uring_reap(&ring);
		uring_close(&ring);
	}
	if (fd >= 0)
		close(fd);
	if (fence >= 0)
		close(fence);
	close(timeline);
	return ret;
}

/* Many fences in one buffer: out of it as one, and one by one into another. */
static int run_crowd(void)
{
	int fence = dmabuf_export_sync_file(stage.crowded, DMA_BUF_SYNC_RW);
	int i, fd, ret;

	if (fence < 0)
		return fence;
	ret = expect_fences(fence, MERGED);
	fd = ret ? -1 : heap_alloc(stage.heap, stage.size);
	ret = ret ?: fd < 0 ? fd : 0;
	for (i = 0; i < MERGED && !ret; i++)
		ret = dmabuf_import_sync_file(fd, DMA_BUF_SYNC_READ, stage.fences[i]);
	if (fd >= 0)
		close(fd);
	close(fence);
	return ret;
}

static int run_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = (int)sysret(epoll_create1(EPOLL_CLOEXEC)), ret;

	if (epoll < 0)
		return epoll;
	ret = (int)sysret(epoll_ctl(epoll, EPOLL_CTL_ADD, stage.fences[0], &event));
	if (!ret)
		ret = (int)sysret(epoll_ctl(epoll, EPOLL_CTL_ADD, stage.crowded, &event));
	if (!ret)
		ret = (int)sysret(epoll_wait(epoll, &event, 1, 0));
	close(epoll);
	/* Those are readers, so the buffer can be read. */
	return ret == 1 ? 0 : ret < 0 ? ret : -EPROTO;
}

static int run_timeline(void)
{
	int timeline = sw_sync_open();
	int fence, ret;

	if (timeline < 0)
		return timeline;
	fence = sw_sync_fence(timeline, 1, "told");
	ret = fence < 0 ? fence : sw_sync_inc(timeline, 1);
	if (!ret) {
		ret = sync_file_status(fence);
		ret = ret == 1 ? 0 : ret < 0 ? ret : -EPROTO;
	}
	if (fence >= 0)
		close(fence);
	close(timeline);
	return ret;
}

/* Share, import by a device, map: everything that is done to a memfd. */
static int run_wrapped(int fd)
{
	void *mem;
	int ret;

	if (fd < 0)
		return fd;
	ret = map_rw(fd, stage.size, &mem);
	if (!ret) {
		touch_pages(mem);
		munmap(mem, stage.size);
	}
	if (!ret && stage.importer >= 0) {
		ret = importer_import(stage.importer, fd);
		if (ret >= 0)
			ret = importer_close(stage.importer, ret);
	}
	close(fd);
	return ret;
}

static int run_udmabuf(void)
{
	struct udmabuf_create create = {
		.memfd = stage.memfd, .flags = UDMABUF_FLAGS_CLOEXEC,
		.offset = stage.offset, .size = stage.size,
	};

	return run_wrapped(xioctl(stage.udmabuf, UDMABUF_CREATE, &create));
}

static int run_udmabuf_list(void)
{
	struct {
		struct udmabuf_create_list head;
		struct udmabuf_create_item items[2];
	} list = {
		.head = { .flags = UDMABUF_FLAGS_CLOEXEC, .count = 2 },
		.items = {
			{ .memfd = stage.memfd, .offset = stage.offset,
			  .size = stage.size / 2 },
			{ .memfd = stage.memfd,
			  .offset = stage.offset + stage.size / 2,
			  .size = stage.size / 2 },
		},
	};

	return run_wrapped(xioctl(stage.udmabuf, UDMABUF_CREATE_LIST, &list));
}

/* --------------------------------------------------------------- sweep -- */

static bool errno_documented(int ret)
{
	/* The last two are how sockets say it. */
	return !ret || ret == -ENOMEM || ret == -ENOBUFS || ret == -ENFILE;
}

/* One run with failure @n. True when the failure did happen. */
static bool run_failing(int control, int n, int (*run)(void), int *ret)
{
	char text[16];
	ssize_t got;

	snprintf(text, sizeof(text), "%d", n);
	if (pwrite(control, text, strlen(text), 0) < 0) {
		*ret = -errno;
		return false;
	}
	*ret = run();
	got = pread(control, text, sizeof(text) - 1, 0);
	if (pwrite(control, "0", 1, 0) < 0 || got <= 0)
		return false;
	text[got] = 0;
	return atoi(text) == 0;
}

static void sweep(struct __test_metadata *_metadata, const char *what,
		  int (*run)(void))
{
	int control, fds, ret, n, refused = 0;
	bool failed = true;
	long buffers;

	control = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (control < 0)
		SKIP(return, "kernel without CONFIG_FAULT_INJECTION");

	fds = count_open_fds();
	buffers = count_buffers();
	ASSERT_EQ(0, run()) TH_LOG("%s: does not even work untouched", what);
	ASSERT_TRUE(buffers_settle(buffers)) TH_LOG("%s: leaves a buffer, untouched", what);

	for (n = 1; failed && n < MANY; n++) {
		failed = run_failing(control, n, run, &ret);
		refused += ret < 0;
		ASSERT_TRUE(errno_documented(ret))
			TH_LOG("%s: failure %d gives %s", what, n, test_result_str(ret));
		ASSERT_EQ(fds, count_open_fds())
			TH_LOG("%s: failure %d leaves a descriptor", what, n);
		ASSERT_TRUE(buffers_settle(buffers))
			TH_LOG("%s: failure %d leaves a buffer", what, n);
		ASSERT_TRUE(failed || !ret)
			TH_LOG("%s: %s though nothing failed", what, test_result_str(ret));
		ASSERT_EQ(0, run()) TH_LOG("%s: broken after failure %d", what, n);
	}
	EXPECT_FALSE(failed) TH_LOG("%s: no end", what);
	/* A scenario without one refusal has not been swept at all. */
	EXPECT_LT(0, refused) TH_LOG("%s: nothing was refused", what);
	TH_LOG("%s", what);
	TH_LOG("FIGURE failure points swept in user space: %d", n - 2);
	close(control);
}

FIXTURE(fail_nth) {
	int timelines[MERGED];
};

FIXTURE_VARIANT(fail_nth) {
	const char *heap;
	size_t size;
};

FIXTURE_VARIANT_ADD(fail_nth, system_page) { .heap = "system", .size = 4096 };
FIXTURE_VARIANT_ADD(fail_nth, system_large) { .heap = "system", .size = (8 << 20) + 4096 };
FIXTURE_VARIANT_ADD(fail_nth, cma_page) { .heap = "default_cma_region", .size = 4096 };
FIXTURE_VARIANT_ADD(fail_nth, cma_large) { .heap = "default_cma_region", .size = 1 << 20 };

FIXTURE_SETUP(fail_nth)
{
	stage.heap = heap_open(variant->heap);
	if (stage.heap < 0)
		SKIP(return, "no heap %s", variant->heap);
	stage.size = variant->size;
	stage.importer = importer_open();
	for (int i = 0; i < MERGED; i++) {
		ASSERT_GIVES(self->timelines[i], sw_sync_open());
		ASSERT_GIVES(stage.fences[i], sw_sync_fence(self->timelines[i], 1, "fence"));
	}
	ASSERT_GIVES(stage.merged, dup(stage.fences[0]));
	for (int i = 1; i < MERGED_BEFORE; i++) {
		int before = stage.merged;

		ASSERT_GIVES(stage.merged, sync_file_merge(before, stage.fences[i], "merged"));
		close(before);
	}
	ASSERT_GIVES(stage.pidfd, sysret(syscall(SYS_pidfd_open, getppid(), 0)));
	stage.edu = xopen("/dev/dmabuf_edu0", O_RDWR);
	ASSERT_GIVES(stage.crowded, heap_alloc_from("system", page_size()));
	for (int i = 0; i < MERGED; i++)
		ASSERT_EQ(0, dmabuf_import_sync_file(stage.crowded, DMA_BUF_SYNC_READ,
						     stage.fences[i]));
	faults_prepare();
}

FIXTURE_TEARDOWN(fail_nth)
{
	close(stage.crowded);
	close(stage.pidfd);
	close(stage.edu);
	for (int i = 0; i < MERGED; i++) {
		close(stage.fences[i]);
		close(self->timelines[i]);
	}
	close(stage.merged);
	close(stage.heap);
}

/* Where the buffer hardly matters, and once is long enough. */
static bool variant_is_plain(const struct _fixture_variant_fail_nth *variant)
{
	return variant->size == 4096 && !strcmp(variant->heap, "system");
}

TEST_F(fail_nth, allocate)
{
	sweep(_metadata, "allocate", run_allocate);
}

TEST_F(fail_nth, revoke)
{
	sweep(_metadata, "revoke", run_revoke);
}

TEST_F(fail_nth, batch)
{
	sweep(_metadata, "allocate and sync a batch", run_batch);
}

TEST_F(fail_nth, map)
{
	sweep(_metadata, "mmap and fault", run_map);
}

TEST_F(fail_nth, sync_and_name)
{
	sweep(_metadata, "sync and name", run_sync_and_name);
}

TEST_F(fail_nth, import)
{
	if (stage.importer < 0)
		SKIP(return, "no importer");
	sweep(_metadata, "attach, map, share", run_import);
}

TEST_F(fail_nth, charge)
{
	if (!variant_is_plain(variant))
		SKIP(return, "the same for every buffer");
	sweep(_metadata, "allocate at another's expense", run_charge);
}

TEST_F(fail_nth, fence_of_importer)
{
	if (!variant_is_plain(variant))
		SKIP(return, "the same for every buffer");
	if (stage.importer < 0)
		SKIP(return, "no importer");
	sweep(_metadata, "fence of an importer", run_fence_of_importer);
}

TEST_F(fail_nth, attach_device)
{
	if (!variant_is_plain(variant))
		SKIP(return, "the same for every buffer");
	if (stage.edu < 0)
		SKIP(return, "no edu device");
	sweep(_metadata, "attach to a device", run_attach_device);
}

TEST_F(fail_nth, transfer)
{
	/* Its pages are there after the first run. */
	ASSERT_GIVES(stage.file, memfd_new(stage.size, 0, 0));
	sweep(_metadata, "transfer to and from a memfd", run_transfer);
	close(stage.file);
}

/* The memory of that disk as well, so all is direct I/O. */
TEST_F(fail_nth, transfer_direct)
{
	stage.file = xopen("/dev/ram0", O_RDWR | O_DIRECT);
	if (stage.file < 0)
		SKIP(return, "no /dev/ram0");
	sweep(_metadata, "transfer to and from a disk", run_transfer);
	close(stage.file);

	/* That of scsi_debug, where there is one. */
	stage.file = xopen("/dev/sda", O_RDWR);
	if (stage.file < 0)
		SKIP(return, "no /dev/sda");
	sweep(_metadata, "transfer with an out-fence", run_transfer_out);
	close(stage.file);
}

TEST_F(fail_nth, epoll)
{
	if (!variant_is_plain(variant))
		SKIP(return, "the same for every buffer");
	sweep(_metadata, "epoll", run_epoll);
}

TEST_F(fail_nth, send)
{
	sweep(_metadata, "send over a socket", run_send);
}

TEST_F(fail_nth, sync_file)
{
	sweep(_metadata, "sync file in and out", run_sync_file);
}

TEST_F(fail_nth, poll)
{
	sweep(_metadata, "poll", run_poll);
}

TEST_F(fail_nth, uring)
{
	if (!variant_is_plain(variant))
		SKIP(return, "the same for every buffer");
	if (!uring_exists())
		SKIP(return, "no io_uring");
	sweep(_metadata, "commands through io_uring", run_uring);
	sweep(_metadata, "wait through io_uring", run_uring_wait);
}

TEST_F(fail_nth, merge)
{
	if (!variant_is_plain(variant))
		SKIP(return, "the same for every buffer");
	sweep(_metadata, "merge 64", run_merge);
}

TEST_F(fail_nth, crowd)
{
	if (!variant_is_plain(variant))
		SKIP(return, "the same for every buffer");
	sweep(_metadata, "64 fences, one by one", run_crowd);
}

FIXTURE(fail_nth_memfd) {
};

FIXTURE_VARIANT(fail_nth_memfd) {
	unsigned int flags;
	size_t size;
};

FIXTURE_VARIANT_ADD(fail_nth_memfd, pages) { .size = 16 * 4096 };
FIXTURE_VARIANT_ADD(fail_nth_memfd, hugetlb) { .flags = MFD_HUGETLB, .size = 4 << 20 };

FIXTURE_SETUP(fail_nth_memfd)
{
	void *mem;

	stage.udmabuf = xopen(UDMABUF_NODE, O_RDWR);
	if (stage.udmabuf < 0)
		SKIP(return, "no " UDMABUF_NODE);
	stage.importer = importer_open();
	/* Out of the middle, so that there are two huge pages. */
	stage.size = variant->size < IMPORTED ? variant->size : IMPORTED;
	stage.offset = (variant->size - stage.size) / 2;
	stage.memfd = (int)sysret(memfd_create("fail_nth", variant->flags | MFD_ALLOW_SEALING |
					       MFD_CLOEXEC));
	if (stage.memfd < 0)
		SKIP(return, "no such memfd");
	ASSERT_EQ(0, ftruncate(stage.memfd, variant->size));
	ASSERT_EQ(0, fcntl(stage.memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	/* The pages of hugetlb come from a pool, which may be empty. */
	if (map_rw(stage.memfd, variant->size, &mem))
		SKIP(return, "no huge pages");
	munmap(mem, variant->size);
	faults_prepare();
}

FIXTURE_TEARDOWN(fail_nth_memfd)
{
	close(stage.memfd);
	close(stage.udmabuf);
}

TEST_F(fail_nth_memfd, create)
{
	sweep(_metadata, "udmabuf", run_udmabuf);
	/* Refused as long as a page of it is pinned. */
	EXPECT_EQ(0, seal_write(stage.memfd));
}

TEST_F(fail_nth_memfd, create_list)
{
	sweep(_metadata, "udmabuf list", run_udmabuf_list);
	EXPECT_EQ(0, seal_write(stage.memfd));
}

TEST(timeline)
{
	int timeline = sw_sync_open();

	if (timeline < 0)
		SKIP(return, "no " SW_SYNC_NODE);
	close(timeline);
	faults_prepare();
	sweep(_metadata, "software timeline", run_timeline);
}

TEST_HARNESS_MAIN
