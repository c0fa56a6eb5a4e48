// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PCI device as importer: copies by DMA, fences from its interrupt, every
 * refusal of the driver, a device that is too slow, and one that goes away
 * while it is in use. Needs QEMU's edu device and DMABUF_LAB_EDU; skips
 * otherwise.
 */
#include "dma_buf_test.h"

#if __has_include("../lab/edu_uapi.h")
#include "../lab/edu_uapi.h"
#else
#include "../../../../drivers/dma-buf/tests/lab/edu_uapi.h"
#endif

#define EDU_DIR		"/sys/bus/pci/drivers/dmabuf_edu"
#define EDU_CLASS	"/sys/class/misc"
#define SIZE		65536UL
#define PATIENCE_MS	300000

/* The first device that is there: descriptor, or -ENODEV. Its number in @id. */
static int edu_open(int *id)
{
	char path[64];
	int i, fd;

	for (i = 0; i < 32; i++) {
		snprintf(path, sizeof(path), "/dev/dmabuf_edu%d", i);
		fd = xopen(path, O_RDWR);
		if (fd >= 0) {
			if (id)
				*id = i;
			return fd;
		}
	}
	return -ENODEV;
}

/* Handle, which is above 0, or -errno. */
static int edu_attach(int edu, int fd, __u32 flags)
{
	struct dmabuf_edu_attach attach = { .fd = fd, .flags = flags };
	int ret = xioctl(edu, DMABUF_EDU_ATTACH, &attach);

	return ret < 0 ? ret : (int)attach.handle;
}

static int edu_detach(int edu, __u32 handle)
{
	struct dmabuf_edu_detach detach = { .handle = handle };

	return xioctl(edu, DMABUF_EDU_DETACH, &detach);
}

static struct dmabuf_edu_copy edu_job(__u32 src, __u64 src_offset, __u32 dst,
				      __u64 dst_offset, __u64 length)
{
	struct dmabuf_edu_copy copy = {
		.src = src,
		.dst = dst,
		.src_offset = src_offset,
		.dst_offset = dst_offset,
		.length = length,
		.in_fence = -1,
		.out_fence = -1,
	};

	return copy;
}

/* Sync file, or -errno. */
static int edu_copy(int edu, struct dmabuf_edu_copy copy)
{
	int ret = xioctl(edu, DMABUF_EDU_COPY, &copy);

	return ret < 0 ? ret : copy.out_fence;
}

/* Waits, closes and tells: 1 or the error of the fence; 0 if it never came. */
static int fence_result(int fence)
{
	int ret;

	ret = poll_wait(fence, POLLIN, PATIENCE_MS);
	if (ret > 0)
		ret = sync_file_status(fence);
	close(fence);
	return ret;
}

/* dst[dst_offset..] has pattern @seed of src[src_offset..], the rest is zero. */
static size_t expect_copied(const unsigned char *dst, size_t dst_offset,
			    size_t src_offset, size_t length, unsigned int seed)
{
	size_t i;

	for (i = 0; i < SIZE; i++) {
		unsigned char want = 0;

		if (i >= dst_offset && i < dst_offset + length)
			want = pattern_byte(seed, i - dst_offset + src_offset);
		if (dst[i] != want)
			break;
	}
	return i;
}

FIXTURE(edu) {
	int edu;
	int id;
	int src;
	int dst;
	unsigned char *seen;
	long buffers;
	int fds;
};

FIXTURE_SETUP(edu)
{
	void *mem;

	self->fds = count_open_fds();
	self->buffers = count_buffers();
	self->edu = edu_open(&self->id);
	if (self->edu < 0)
		SKIP(return, "there is no edu device");
	ASSERT_GIVES(self->src, heap_alloc_from("system", SIZE));
	ASSERT_GIVES(self->dst, heap_alloc_from("system", SIZE));
	ASSERT_EQ(0, dmabuf_fill(self->src, SIZE, 7));
	ASSERT_EQ(0, map_rw(self->dst, SIZE, &mem));
	self->seen = mem;
}

FIXTURE_TEARDOWN(edu)
{
	munmap(self->seen, SIZE);
	close(self->src);
	close(self->dst);
	close(self->edu);
	EXPECT_TRUE(buffers_settle(self->buffers));
	EXPECT_EQ(self->fds, count_open_fds());
}

/*
 * The target through the CPU, which has to ask for it each time: the attachment
 * keeps its mapping, and where that bounces the bytes are elsewhere until then.
 */
static int seen_fill(struct _test_data_edu *self, int value)
{
	int ret = dmabuf_begin(self->dst, DMA_BUF_SYNC_WRITE);

	if (ret)
		return ret;
	memset(self->seen, value, SIZE);
	return dmabuf_end(self->dst, DMA_BUF_SYNC_WRITE);
}

static size_t seen_zero(struct _test_data_edu *self)
{
	size_t zero = 0;

	if (!dmabuf_begin(self->dst, DMA_BUF_SYNC_READ)) {
		zero = zero_check(self->seen, SIZE);
		dmabuf_end(self->dst, DMA_BUF_SYNC_READ);
	}
	return zero;
}

static size_t seen_copied(struct _test_data_edu *self, size_t dst_offset,
			  size_t src_offset, size_t length, unsigned int seed)
{
	size_t right = 0;

	if (!dmabuf_begin(self->dst, DMA_BUF_SYNC_READ)) {
		right = expect_copied(self->seen, dst_offset, src_offset, length, seed);
		dmabuf_end(self->dst, DMA_BUF_SYNC_READ);
	}
	return right;
}

/* Test whether every mapping of this machine is a copy in a kernel buffer. */
static bool mappings_bounce(void)
{
	char line[4096] = "";
	FILE *file = fopen("/proc/cmdline", "re");

	if (file) {
		if (!fgets(line, sizeof(line), file))
			line[0] = 0;
		fclose(file);
	}
	return strstr(line, "swiotlb=force");
}

/* ---- moving bytes */

/* Copies @length bytes of a source that was filled with @seed, from its start. */
static int copy_and_check(struct _test_data_edu *self, int src, int dst, size_t length,
			  unsigned int seed)
{
	int fence, ret = seen_fill(self, 0);

	fence = ret ?: edu_copy(self->edu, edu_job(src, 0, dst, 0, length));
	ret = fence < 0 ? fence : fence_result(fence);
	if (ret != 1)
		return ret;
	return seen_copied(self, 0, 0, length, seed) == SIZE ? 0 : -EILSEQ;
}

/*
 * Both buffers stay mapped for the device while the CPU uses them by turns, for
 * both kinds of heap. Where mappings bounce, a sync that is forgotten shows: by
 * the kernel in every row, and by us in the last step, where it is on purpose.
 */
TEST_F(edu, sees_what_was_synced)
{
	static const char * const heaps[] = { "system", "default_cma_region" };
	int fd, src, dst;
	void *mem;

	ASSERT_GIVES(dst, edu_attach(self->edu, self->dst, 0));
	for (size_t i = 0; i < ARRAY_SIZE(heaps); i++) {
		fd = heap_alloc_from(heaps[i], SIZE);
		if (fd < 0)
			continue;
		ASSERT_EQ(0, dmabuf_fill(fd, SIZE, 1));
		ASSERT_GIVES(src, edu_attach(self->edu, fd, 0));
		EXPECT_EQ(0, copy_and_check(self, src, dst, SIZE, 1));
		/* Again, now that the mapping is there. */
		ASSERT_EQ(0, dmabuf_fill(fd, SIZE, 2));
		EXPECT_EQ(0, copy_and_check(self, src, dst, SIZE, 2));

		ASSERT_EQ(0, map_rw(fd, SIZE, &mem));
		pattern_fill(mem, SIZE, 3);
		EXPECT_EQ(0, copy_and_check(self, src, dst, SIZE,
					    mappings_bounce() ? 2 : 3));
		munmap(mem, SIZE);
		EXPECT_EQ(0, edu_detach(self->edu, src));
		close(fd);
	}
}

TEST_F(edu, copies_any_range_static_or_dynamic)
{
	static const struct {
		size_t from, to, length;
	} cases[] = {
		{ 0, 0, 1 },
		{ 4095, 1, 2 },
		{ 100, 8191, 4096 },
		{ 1, 4097, 9001 },
		{ SIZE - 10000, 0, 10000 },
	};
	unsigned int i, dynamic;
	int src, dst, fence;

	for (dynamic = 0; dynamic < 2; dynamic++) {
		ASSERT_GIVES(src, edu_attach(self->edu, self->src, dynamic));
		ASSERT_GIVES(dst, edu_attach(self->edu, self->dst, dynamic));
		for (i = 0; i < ARRAY_SIZE(cases); i++) {
			ASSERT_EQ(0, seen_fill(self, 0));
			fence = edu_copy(self->edu,
					 edu_job(src, cases[i].from, dst,
						 cases[i].to, cases[i].length));
			ASSERT_LE(0, fence);
			EXPECT_EQ(1, fence_result(fence));
			EXPECT_EQ(SIZE, seen_copied(self, cases[i].to,
						    cases[i].from,
						    cases[i].length, 7));
		}
		EXPECT_EQ(0, edu_detach(self->edu, src));
		EXPECT_EQ(0, edu_detach(self->edu, dst));
	}
}

TEST_F(edu, window_keeps_what_was_loaded_for_its_owner_alone)
{
	int src, dst, fence, other, other_dst;

	ASSERT_GIVES(src, edu_attach(self->edu, self->src, 0));
	ASSERT_GIVES(dst, edu_attach(self->edu, self->dst, 0));
	ASSERT_EQ(0, seen_fill(self, 0));

	/* Nothing was loaded yet, by us. */
	ASSERT_GIVES(fence, edu_copy(self->edu, edu_job(0, 0, dst, 0, 64)));
	EXPECT_EQ(-ESTALE, fence_result(fence));
	EXPECT_EQ(SIZE, seen_zero(self));

	ASSERT_GIVES(fence, edu_copy(self->edu, edu_job(src, 50, 0, 8, 1000)));
	EXPECT_EQ(1, fence_result(fence));

	ASSERT_GIVES(other, edu_open(NULL));
	ASSERT_GIVES(other_dst, edu_attach(other, self->dst, 0));
	ASSERT_GIVES(fence, edu_copy(other, edu_job(0, 8, other_dst, 0, 1000)));
	EXPECT_EQ(-ESTALE, fence_result(fence));
	EXPECT_EQ(SIZE, seen_zero(self));
	close(other);

	ASSERT_GIVES(fence, edu_copy(self->edu, edu_job(0, 8, dst, 70, 1000)));
	EXPECT_EQ(1, fence_result(fence));
	EXPECT_EQ(SIZE, seen_copied(self, 70, 50, 1000, 7));

	/* A copy between buffers went through the window. */
	ASSERT_GIVES(fence, edu_copy(self->edu, edu_job(src, 0, dst, 0, 16)));
	EXPECT_EQ(1, fence_result(fence));
	ASSERT_GIVES(fence, edu_copy(self->edu, edu_job(0, 8, dst, 0, 16)));
	EXPECT_EQ(-ESTALE, fence_result(fence));
}

/* ---- fences */

TEST_F(edu, waits_for_its_in_fence_and_holds_the_buffers)
{
	int timeline, in, fence, src, dst, implicit;
	struct dmabuf_edu_copy copy;

	ASSERT_GIVES(timeline, sw_sync_open());
	ASSERT_GIVES(in, sw_sync_fence(timeline, 1, "in"));
	ASSERT_GIVES(src, edu_attach(self->edu, self->src, 0));
	ASSERT_GIVES(dst, edu_attach(self->edu, self->dst, 1));
	ASSERT_EQ(0, seen_fill(self, 0));

	copy = edu_job(src, 0, dst, 0, 5000);
	copy.in_fence = in;
	ASSERT_GIVES(fence, edu_copy(self->edu, copy));
	close(in);
	EXPECT_EQ(0, poll_wait(fence, POLLIN, 250));
	/* To ask for the CPU would be to wait for the copy. */
	EXPECT_EQ(SIZE, zero_check(self->seen, SIZE));

	/* The source is being read, the target written. */
	EXPECT_EQ(POLLIN, poll_now(self->src, POLLIN | POLLOUT));
	EXPECT_EQ(0, poll_now(self->dst, POLLIN | POLLOUT));
	ASSERT_GIVES(implicit, dmabuf_export_sync_file(self->dst, DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, sync_file_status(implicit));

	ASSERT_EQ(0, sw_sync_inc(timeline, 1));
	EXPECT_EQ(1, fence_result(fence));
	EXPECT_EQ(1, fence_result(implicit));
	EXPECT_EQ(SIZE, seen_copied(self, 0, 0, 5000, 7));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->dst, POLLIN | POLLOUT));
	close(timeline);
}

TEST_F(edu, explicit_copies_neither_wait_nor_hold)
{
	int timeline, write, fence, src, dst;
	struct dmabuf_edu_copy copy;

	ASSERT_GIVES(timeline, sw_sync_open());
	ASSERT_GIVES(write, sw_sync_fence(timeline, 1, "writer"));
	ASSERT_EQ(0, dmabuf_import_sync_file(self->src, DMA_BUF_SYNC_WRITE, write));
	ASSERT_GIVES(src, edu_attach(self->edu, self->src, 0));
	ASSERT_GIVES(dst, edu_attach(self->edu, self->dst, 0));
	ASSERT_EQ(0, seen_fill(self, 0));

	copy = edu_job(src, 0, dst, 0, 100);
	copy.flags = DMABUF_EDU_COPY_EXPLICIT;
	ASSERT_GIVES(fence, edu_copy(self->edu, copy));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->dst, POLLIN | POLLOUT));
	EXPECT_EQ(1, fence_result(fence));
	EXPECT_EQ(SIZE, seen_copied(self, 0, 0, 100, 7));

	/* Without the flag it waits for the writer of its source. */
	ASSERT_GIVES(fence, edu_copy(self->edu, edu_job(src, 0, dst, 0, 100)));
	EXPECT_EQ(0, poll_wait(fence, POLLIN, 250));
	ASSERT_EQ(0, sw_sync_inc(timeline, 1));
	EXPECT_EQ(1, fence_result(fence));
	close(write);
	close(timeline);
}

TEST_F(edu, error_of_the_in_fence_is_passed_on)
{
	int timeline, in, fence, src, dst;
	struct dmabuf_edu_copy copy;

	ASSERT_GIVES(timeline, sw_sync_open());
	ASSERT_GIVES(in, sw_sync_fence(timeline, 1, "in"));
	ASSERT_GIVES(src, edu_attach(self->edu, self->src, 0));
	ASSERT_GIVES(dst, edu_attach(self->edu, self->dst, 0));
	ASSERT_EQ(0, seen_fill(self, 0));

	copy = edu_job(src, 0, dst, 0, 100);
	copy.in_fence = in;
	ASSERT_GIVES(fence, edu_copy(self->edu, copy));
	/* What a timeline leaves behind ends with -ENOENT. */
	close(timeline);
	EXPECT_EQ(-ENOENT, fence_result(fence));
	EXPECT_EQ(SIZE, seen_zero(self));

	/* The same when it had signalled before. */
	ASSERT_GIVES(fence, edu_copy(self->edu, copy));
	EXPECT_EQ(-ENOENT, fence_result(fence));
	EXPECT_EQ(SIZE, seen_zero(self));
	close(in);
}

TEST_F(edu, copies_of_one_file_keep_their_order)
{
	int timeline, in, first, second, src, dst;
	struct dmabuf_edu_copy copy;

	ASSERT_GIVES(timeline, sw_sync_open());
	ASSERT_GIVES(in, sw_sync_fence(timeline, 1, "in"));
	ASSERT_GIVES(src, edu_attach(self->edu, self->src, 0));
	ASSERT_GIVES(dst, edu_attach(self->edu, self->dst, 0));

	copy = edu_job(src, 0, dst, 0, 100);
	copy.in_fence = in;
	copy.flags = DMABUF_EDU_COPY_EXPLICIT;
	ASSERT_GIVES(first, edu_copy(self->edu, copy));
	copy.in_fence = -1;
	ASSERT_GIVES(second, edu_copy(self->edu, copy));
	EXPECT_EQ(0, poll_wait(second, POLLIN, 350));
	ASSERT_EQ(0, sw_sync_inc(timeline, 1));
	EXPECT_EQ(1, fence_result(second));
	EXPECT_EQ(1, fence_result(first));
	close(in);
	close(timeline);
}

TEST_F(edu, one_file_that_waits_does_not_hold_another)
{
	int timeline, in, held, fence, src, dst, other;
	struct dmabuf_edu_copy copy;

	ASSERT_GIVES(timeline, sw_sync_open());
	ASSERT_GIVES(in, sw_sync_fence(timeline, 1, "never"));
	ASSERT_GIVES(src, edu_attach(self->edu, self->src, 0));
	copy = edu_job(src, 0, 0, 0, 100);
	copy.in_fence = in;
	ASSERT_GIVES(held, edu_copy(self->edu, copy));

	ASSERT_GIVES(other, edu_open(NULL));
	ASSERT_GIVES(src, edu_attach(other, self->src, 0));
	ASSERT_GIVES(dst, edu_attach(other, self->dst, 0));
	ASSERT_GIVES(fence, edu_copy(other, edu_job(src, 0, dst, 0, 100)));
	EXPECT_EQ(1, fence_result(fence));
	EXPECT_EQ(0, sync_file_status(held));
	close(other);
	close(held);
	close(in);
	close(timeline);
}

/* ---- things that go wrong */

TEST_F(edu, closing_the_file_cancels_what_it_asked_for)
{
	int timeline, in, held, edu, src;
	struct dmabuf_edu_copy copy;

	ASSERT_GIVES(timeline, sw_sync_open());
	ASSERT_GIVES(in, sw_sync_fence(timeline, 1, "never"));
	ASSERT_GIVES(edu, edu_open(NULL));
	ASSERT_GIVES(src, edu_attach(edu, self->src, 1));
	copy = edu_job(src, 0, 0, 0, 100);
	copy.in_fence = in;
	ASSERT_GIVES(held, edu_copy(edu, copy));
	close(edu);
	EXPECT_EQ(-ECANCELED, fence_result(held));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->src, POLLIN | POLLOUT));
	/* Too late to matter. */
	EXPECT_EQ(0, sw_sync_inc(timeline, 1));
	close(in);
	close(timeline);
}

TEST_F(edu, closing_the_file_ends_a_copy_between_two_transfers)
{
	int fence, edu, src, dst;

	ASSERT_GIVES(edu, edu_open(NULL));
	ASSERT_GIVES(src, edu_attach(edu, self->src, 0));
	ASSERT_GIVES(dst, edu_attach(edu, self->dst, 0));
	ASSERT_GIVES(fence, edu_copy(edu, edu_job(src, 0, dst, 0, SIZE)));
	usleep(50000);
	close(edu);
	EXPECT_EQ(-ECANCELED, fence_result(fence));
}

TEST_F(edu, device_that_is_too_slow_is_stopped_and_works_again)
{
	struct dmabuf_edu_copy copy;
	int fence, src, dst, ret, tries;

	ASSERT_GIVES(src, edu_attach(self->edu, self->src, 0));
	ASSERT_GIVES(dst, edu_attach(self->edu, self->dst, 0));
	copy = edu_job(src, 0, dst, 0, 100);
	copy.timeout_ms = 1;
	/* Where the CPU comes even later than the device, the device was in time. */
	for (tries = 0, ret = 1; tries < 100 && ret == 1; tries++) {
		ASSERT_GIVES(fence, edu_copy(self->edu, copy));
		ret = fence_result(fence);
	}
	EXPECT_EQ(-ETIMEDOUT, ret);

	ASSERT_EQ(0, seen_fill(self, 0));
	ASSERT_GIVES(fence, edu_copy(self->edu, edu_job(src, 0, dst, 0, 5000)));
	EXPECT_EQ(1, fence_result(fence));
	EXPECT_EQ(SIZE, seen_copied(self, 0, 0, 5000, 7));
}

TEST_F(edu, detaching_lets_earlier_copies_complete)
{
	int fence, src, dst;

	ASSERT_GIVES(src, edu_attach(self->edu, self->src, 0));
	ASSERT_GIVES(dst, edu_attach(self->edu, self->dst, 0));
	ASSERT_EQ(0, seen_fill(self, 0));
	ASSERT_GIVES(fence, edu_copy(self->edu, edu_job(src, 0, dst, 0, 100)));
	EXPECT_EQ(0, edu_detach(self->edu, src));
	EXPECT_EQ(0, edu_detach(self->edu, dst));
	EXPECT_REFUSED(ENOENT, edu_copy(self->edu, edu_job(src, 0, dst, 0, 1)));
	EXPECT_EQ(1, fence_result(fence));
	EXPECT_EQ(SIZE, seen_copied(self, 0, 0, 100, 7));
}

TEST_F(edu, read_only_buffer_is_a_source_and_no_target)
{
	int heap, fd, from, to, src, dst, fence;

	ASSERT_GIVES(heap, heap_open("system"));
	ASSERT_GIVES(fd, heap_alloc_flags(heap, SIZE, O_RDONLY | O_CLOEXEC, 0));
	close(heap);
	ASSERT_GIVES(from, edu_attach(self->edu, fd, 0));
	ASSERT_GIVES(to, edu_attach(self->edu, fd, 1));
	ASSERT_GIVES(src, edu_attach(self->edu, self->src, 0));
	ASSERT_GIVES(dst, edu_attach(self->edu, self->dst, 0));
	EXPECT_REFUSED(EACCES, edu_copy(self->edu, edu_job(src, 0, from, 0, 1)));
	EXPECT_REFUSED(EACCES, edu_copy(self->edu, edu_job(src, 0, to, 0, 1)));
	EXPECT_REFUSED(EACCES, edu_copy(self->edu, edu_job(0, 0, to, 0, 1)));

	/* It is mapped for one way, and any access of the CPU is right all the same. */
	EXPECT_EQ(0, dmabuf_begin(fd, DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, dmabuf_end(fd, DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, dmabuf_begin(fd, DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, dmabuf_end(fd, DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, dmabuf_begin(fd, DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(0, dmabuf_end(fd, DMA_BUF_SYNC_WRITE));

	ASSERT_EQ(0, seen_fill(self, 0xff));
	ASSERT_GIVES(fence, edu_copy(self->edu, edu_job(from, 0, dst, 0, 100)));
	EXPECT_EQ(1, fence_result(fence));
	EXPECT_EQ(100UL, seen_zero(self));
	close(fd);
}

/* ---- refusals */

TEST_F(edu, refuses_bad_attachments)
{
	struct dmabuf_edu_detach detach = { .handle = 1, .pad = 1 };
	struct dmabuf_edu_attach attach = { .fd = self->src };
	int null, handle;

	ASSERT_GIVES(null, xopen("/dev/null", O_RDWR));
	EXPECT_REFUSED(EBADF, edu_attach(self->edu, -1, 0));
	EXPECT_REFUSED(EINVAL, edu_attach(self->edu, null, 0));
	EXPECT_REFUSED(EINVAL, edu_attach(self->edu, self->edu, 0));
	EXPECT_REFUSED(EINVAL, edu_attach(self->edu, self->src, 2));
	EXPECT_REFUSED(EFAULT, xioctl(self->edu, DMABUF_EDU_ATTACH, unmapped_page()));
	EXPECT_REFUSED(EINVAL, xioctl(self->edu, DMABUF_EDU_DETACH, &detach));
	EXPECT_REFUSED(ENOENT, edu_detach(self->edu, 0));
	EXPECT_REFUSED(ENOENT, edu_detach(self->edu, 1));
	EXPECT_REFUSED(ENOENT, edu_detach(self->edu, ~0u));
	close(null);

	EXPECT_EQ(0, xioctl(self->edu, DMABUF_EDU_ATTACH, &attach));
	EXPECT_EQ(SIZE, attach.size);
	EXPECT_LT(0U, attach.segments);
	handle = attach.handle;
	EXPECT_LT(0, handle);
	EXPECT_EQ(0, edu_detach(self->edu, handle));
	EXPECT_REFUSED(ENOENT, edu_detach(self->edu, handle));
}

TEST_F(edu, refuses_bad_copies)
{
	const __u64 far = ~0ull;
	struct dmabuf_edu_info info;
	struct dmabuf_edu_copy good, bad;
	int src, dst, again, fds;

	ASSERT_EQ(0, xioctl(self->edu, DMABUF_EDU_INFO, &info));
	ASSERT_GIVES(src, edu_attach(self->edu, self->src, 0));
	ASSERT_GIVES(again, edu_attach(self->edu, self->src, 1));
	ASSERT_GIVES(dst, edu_attach(self->edu, self->dst, 0));
	good = edu_job(src, 0, dst, 0, 1);
	fds = count_open_fds();

#define REFUSED(_errno, _change) do { \
	bad = good; \
	_change; \
	EXPECT_REFUSED(_errno, edu_copy(self->edu, bad)); \
} while (0)
	REFUSED(EINVAL, bad.flags = 2);
	REFUSED(EINVAL, (bad.src = 0, bad.dst = 0));
	REFUSED(EINVAL, bad.length = 0);
	REFUSED(EINVAL, bad.length = info.max_length + 1);
	REFUSED(EINVAL, bad.length = far);
	REFUSED(EINVAL, bad.length = SIZE + 1);
	REFUSED(EINVAL, bad.src_offset = SIZE);
	REFUSED(EINVAL, bad.dst_offset = SIZE);
	REFUSED(EINVAL, bad.src_offset = far);
	REFUSED(EINVAL, bad.dst_offset = far);
	REFUSED(EINVAL, (bad.dst = 0, bad.dst_offset = info.window));
	REFUSED(EINVAL, (bad.dst = 0, bad.length = info.window + 1));
	REFUSED(EINVAL, bad.timeout_ms = 60001);
	REFUSED(EINVAL, bad.in_fence = self->src);
	REFUSED(EINVAL, bad.in_fence = -2);
	REFUSED(ENOENT, bad.src = 999);
	REFUSED(ENOENT, bad.dst = 999);
	/* One buffer under two handles, ranges that share a byte. */
	REFUSED(EINVAL, (bad.dst = again, bad.dst_offset = 99, bad.length = 100));
	REFUSED(EINVAL, bad.dst = src);
#undef REFUSED
	EXPECT_REFUSED(EFAULT, xioctl(self->edu, DMABUF_EDU_COPY, unmapped_page()));
	EXPECT_EQ(fds, count_open_fds());
}

/* A command with another size of its struct. */
#define RESIZED(_nr, _size)	_IOC(_IOC_READ | _IOC_WRITE, DMABUF_EDU_MAGIC, _nr, _size)

TEST_F(edu, structs_grow)
{
	union {
		struct dmabuf_edu_info info;
		struct dmabuf_edu_attach attach;
		__u8 bytes[96];
	} arg;

	memset(&arg, 0, sizeof(arg));
	EXPECT_EQ(0, xioctl(self->edu, DMABUF_EDU_INFO, &arg));
	EXPECT_EQ((__u32)DMABUF_EDU_VERSION, arg.info.version);
	EXPECT_LT(0U, arg.info.window);
	EXPECT_REFUSED(EINVAL, xioctl(self->edu, RESIZED(0, 8), &arg));

	memset(&arg, 0, sizeof(arg));
	arg.attach.fd = self->src;
	EXPECT_WORKS(xioctl(self->edu, RESIZED(1, sizeof(arg)), &arg));
	memset(&arg, 0, sizeof(arg));
	arg.attach.fd = self->src;
	arg.bytes[sizeof(arg) - 1] = 1;
	EXPECT_REFUSED(E2BIG, xioctl(self->edu, RESIZED(1, sizeof(arg)), &arg));
	EXPECT_REFUSED(ENOTTY, xioctl(self->edu, _IO(DMABUF_EDU_MAGIC, 9), &arg));
	EXPECT_REFUSED(ENOTTY, xioctl(self->edu, DMA_BUF_IOCTL_SYNC, &arg));
}

/* ---- the driver goes away */

/* The PCI address behind a device node, as the driver's folder names it. */
static int edu_address(int id, char *address, size_t size)
{
	char path[64], target[256];
	ssize_t len;

	snprintf(path, sizeof(path), EDU_CLASS "/dmabuf_edu%d/device", id);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return -errno;
	target[len] = 0;
	snprintf(address, size, "%s", strrchr(target, '/') + 1);
	return 0;
}

static int edu_bind(const char *address, const char *file)
{
	int fd = xopen(file, O_WRONLY);
	int ret;

	if (fd < 0)
		return fd;
	ret = (int)sysret(write(fd, address, strlen(address)));
	close(fd);
	return ret < 0 ? ret : 0;
}

TEST_F(edu, unbinding_ends_jobs_and_attachments_but_no_buffer)
{
	int timeline, in, held, src, dst, running, again;
	struct dmabuf_edu_copy copy;
	char address[64];

	ASSERT_EQ(0, edu_address(self->id, address, sizeof(address)));
	ASSERT_GIVES(timeline, sw_sync_open());
	ASSERT_GIVES(in, sw_sync_fence(timeline, 1, "never"));
	ASSERT_GIVES(src, edu_attach(self->edu, self->src, 0));
	ASSERT_GIVES(dst, edu_attach(self->edu, self->dst, 1));
	ASSERT_GIVES(running, edu_copy(self->edu, edu_job(src, 0, dst, 0, SIZE)));
	copy = edu_job(src, 0, dst, 0, SIZE);
	copy.in_fence = in;
	ASSERT_GIVES(held, edu_copy(self->edu, copy));
	usleep(50000);

	ASSERT_EQ(0, edu_bind(address, EDU_DIR "/unbind"));
	EXPECT_EQ(-ENODEV, fence_result(running));
	EXPECT_EQ(-ENODEV, fence_result(held));
	EXPECT_REFUSED(ENODEV, edu_attach(self->edu, self->src, 0));
	EXPECT_REFUSED(ENODEV, edu_detach(self->edu, src));
	EXPECT_REFUSED(ENODEV, edu_copy(self->edu, edu_job(src, 0, dst, 0, 1)));

	/* The buffers are as good as before, and so is the next driver. */
	EXPECT_EQ(0, dmabuf_verify(self->src, SIZE, 7));
	EXPECT_EQ(0, dmabuf_fill(self->dst, SIZE, 9));
	EXPECT_EQ(0, sw_sync_inc(timeline, 1));
	ASSERT_EQ(0, edu_bind(address, EDU_DIR "/bind"));
	ASSERT_GIVES(again, edu_open(NULL));
	ASSERT_GIVES(src, edu_attach(again, self->src, 0));
	ASSERT_GIVES(dst, edu_attach(again, self->dst, 0));
	ASSERT_GIVES(held, edu_copy(again, edu_job(src, 0, dst, 0, 100)));
	EXPECT_EQ(1, fence_result(held));
	close(again);
	close(in);
	close(timeline);
}

/* What only the device still knows of goes with its driver, mapped or not. */
TEST_F(edu, unbinding_gives_back_what_it_has_attached)
{
	char address[64];
	int fd, i, src, fence;
	long buffers = count_buffers();

	ASSERT_EQ(0, edu_address(self->id, address, sizeof(address)));
	for (i = 0; i < 4; i++) {
		ASSERT_GIVES(fd, heap_alloc_from("system", SIZE));
		ASSERT_GIVES(src, edu_attach(self->edu, fd, i & 1));
		/* Half of them have been mapped by a copy that is over. */
		if (i & 2) {
			ASSERT_GIVES(fence, edu_copy(self->edu, edu_job(src, 0, 0, 0, 16)));
			EXPECT_EQ(1, fence_result(fence));
		}
		close(fd);
	}
	EXPECT_EQ(buffers + 4, count_buffers());
	ASSERT_EQ(0, edu_bind(address, EDU_DIR "/unbind"));
	EXPECT_TRUE(buffers_settle(buffers));
	EXPECT_REFUSED(ENODEV, edu_detach(self->edu, src));
	ASSERT_EQ(0, edu_bind(address, EDU_DIR "/bind"));
}

TEST_F(edu, killed_in_the_middle_leaves_nothing)
{
	int timeline, in, src, fence, status;
	struct dmabuf_edu_copy copy;
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		int edu = edu_open(NULL);

		timeline = sw_sync_open();
		in = sw_sync_fence(timeline, 1, "never");
		src = edu_attach(edu, self->src, 0);
		copy = edu_job(src, 0, 0, 0, 100);
		copy.in_fence = in;
		fence = edu_copy(edu, copy);
		poll_wait(fence, POLLIN, -1);
		_exit(1);
	}
	usleep(300000);
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(POLLIN | POLLOUT, poll_wait(self->src, POLLIN | POLLOUT, PATIENCE_MS));
}

TEST_HARNESS_MAIN
