// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapped heap buffers that userfaultfd watches: with write protection that is
 * resolved in the kernel (UFFD_FEATURE_WP_ASYNC), which takes any mapping.
 *
 * Each page has to be the right one, wherever the mapping begins. A huge piece of
 * the buffer rarely lies where a huge entry could map it.
 */
#include "dma_buf_test.h"

#include <linux/userfaultfd.h>
#include <sys/syscall.h>

#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	(1 << 15)
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif

#define HUGE_SIZE	(2UL << 20)
#define BUFFER_SIZE	(8 * HUGE_SIZE)

FIXTURE(uffd) {
	int heap;
	int buffer;
	int uffd;
	char *area;
	char *mem;
};

FIXTURE_VARIANT(uffd) {
	const char *heap;
	/* How far the mapping is off from where huge entries fit. */
	size_t off;
	bool unpopulated;
};

FIXTURE_VARIANT_ADD(uffd, in_place) { "system", 0, false };
FIXTURE_VARIANT_ADD(uffd, a_page_off) { "system", 1, false };
FIXTURE_VARIANT_ADD(uffd, half_off) { "system", 256, true };
FIXTURE_VARIANT_ADD(uffd, the_last_page) { "system", 511, true };
FIXTURE_VARIANT_ADD(uffd, frames) { "default_cma_region", 1, false };

static int uffd_open(__u64 features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = (int)sysret(syscall(SYS_userfaultfd, O_CLOEXEC)), ret;

	if (fd < 0)
		return fd;
	ret = xioctl(fd, UFFDIO_API, &api);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	return fd;
}

/* Fill the buffer by a mapping of its own, which is then gone. */
static int fill(int buffer, unsigned int seed)
{
	void *mem;
	int ret = map_rw(buffer, BUFFER_SIZE, &mem);

	if (ret)
		return ret;
	pattern_fill(mem, BUFFER_SIZE, seed);
	munmap(mem, BUFFER_SIZE);
	return 0;
}

FIXTURE_SETUP(uffd)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_WP };
	__u64 features = UFFD_FEATURE_WP_ASYNC;
	int ret;

	if (variant->unpopulated)
		features |= UFFD_FEATURE_WP_UNPOPULATED;
	self->uffd = uffd_open(features);
	if (self->uffd < 0)
		SKIP(return, "no userfaultfd: %s", strerror(-self->uffd));
	self->heap = heap_open(variant->heap);
	if (self->heap < 0)
		SKIP(return, "no heap named %s", variant->heap);
	ASSERT_GIVES(self->buffer, heap_alloc(self->heap, BUFFER_SIZE));
	ASSERT_EQ(0, fill(self->buffer, 1));

	self->area = mmap(NULL, BUFFER_SIZE + 2 * HUGE_SIZE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	self->mem = (char *)(((uintptr_t)self->area + HUGE_SIZE - 1) & -HUGE_SIZE) +
		    variant->off * page_size();
	ASSERT_EQ(self->mem, mmap(self->mem, BUFFER_SIZE, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_FIXED, self->buffer, 0));
	reg.range.start = (uintptr_t)self->mem;
	reg.range.len = BUFFER_SIZE;
	ret = xioctl(self->uffd, UFFDIO_REGISTER, &reg);
	ASSERT_EQ(0, ret);
}

FIXTURE_TEARDOWN(uffd)
{
	if (!self->area)
		return;
	munmap(self->area, BUFFER_SIZE + 2 * HUGE_SIZE);
	close(self->buffer);
	close(self->heap);
	close(self->uffd);
}

static int protect(int uffd, char *mem, size_t size, bool on)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)mem, .len = size },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return xioctl(uffd, UFFDIO_WRITEPROTECT, &wp);
}

TEST_F(uffd, reads_the_right_page)
{
	EXPECT_EQ(BUFFER_SIZE, pattern_check(self->mem, BUFFER_SIZE, 1));
	ASSERT_EQ(0, fill(self->buffer, 2));
	EXPECT_EQ(BUFFER_SIZE, pattern_check(self->mem, BUFFER_SIZE, 2));
}

TEST_F(uffd, writes_the_right_page)
{
	void *mem;

	pattern_fill(self->mem, BUFFER_SIZE, 3);
	ASSERT_EQ(0, map_rw(self->buffer, BUFFER_SIZE, &mem));
	EXPECT_EQ(BUFFER_SIZE, pattern_check(mem, BUFFER_SIZE, 3));
	munmap(mem, BUFFER_SIZE);
}

/* Protected before and after it is touched, and again; a write is let through. */
TEST_F(uffd, write_protects)
{
	size_t part = 3 * HUGE_SIZE + 5 * page_size();
	void *mem;

	ASSERT_EQ(0, protect(self->uffd, self->mem, BUFFER_SIZE, true));
	pattern_fill(self->mem + page_size(), part, 4);
	ASSERT_EQ(0, protect(self->uffd, self->mem, part, true));
	EXPECT_EQ(part, pattern_check(self->mem + page_size(), part, 4));
	pattern_fill(self->mem, BUFFER_SIZE, 5);
	ASSERT_EQ(0, map_rw(self->buffer, BUFFER_SIZE, &mem));
	EXPECT_EQ(BUFFER_SIZE, pattern_check(mem, BUFFER_SIZE, 5));
	munmap(mem, BUFFER_SIZE);
	ASSERT_EQ(0, protect(self->uffd, self->mem, BUFFER_SIZE, false));
	EXPECT_EQ(BUFFER_SIZE, pattern_check(self->mem, BUFFER_SIZE, 5));
}

TEST_HARNESS_MAIN
