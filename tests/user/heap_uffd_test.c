// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapped heap buffers are not for userfaultfd, as those of other drivers are not:
 * it refuses mappings that cannot grow (VM_DONTEXPAND), in each mode, even write
 * protection that is resolved in the kernel (UFFD_FEATURE_WP_ASYNC), which takes any
 * other mapping.
 */
#include "dma_buf_test.h"

#include <linux/userfaultfd.h>
#include <sys/syscall.h>

#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	(1 << 15)
#endif

#define BUFFER_SIZE	(4UL << 20)

FIXTURE(uffd) {
	int heap;
	int buffer;
	int uffd;
	void *mem;
};

FIXTURE_VARIANT(uffd) {
	const char *heap;
	__u64 features;
	__u64 mode;
};

FIXTURE_VARIANT_ADD(uffd, system_wp_async) {
	"system", UFFD_FEATURE_WP_ASYNC, UFFDIO_REGISTER_MODE_WP,
};

FIXTURE_VARIANT_ADD(uffd, system_wp) { "system", 0, UFFDIO_REGISTER_MODE_WP };

FIXTURE_VARIANT_ADD(uffd, system_missing) {
	"system", 0, UFFDIO_REGISTER_MODE_MISSING,
};

FIXTURE_VARIANT_ADD(uffd, frames_wp_async) {
	"default_cma_region", UFFD_FEATURE_WP_ASYNC, UFFDIO_REGISTER_MODE_WP,
};

FIXTURE_VARIANT_ADD(uffd, frames_missing) {
	"default_cma_region", 0, UFFDIO_REGISTER_MODE_MISSING,
};

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

FIXTURE_SETUP(uffd)
{
	self->uffd = uffd_open(variant->features);
	if (self->uffd < 0)
		SKIP(return, "no userfaultfd: %s", strerror(-self->uffd));
	self->heap = heap_open(variant->heap);
	if (self->heap < 0)
		SKIP(return, "no heap named %s", variant->heap);
	ASSERT_GIVES(self->buffer, heap_alloc(self->heap, BUFFER_SIZE));
	ASSERT_EQ(0, map_rw(self->buffer, BUFFER_SIZE, &self->mem));
}

FIXTURE_TEARDOWN(uffd)
{
	if (!self->mem)
		return;
	munmap(self->mem, BUFFER_SIZE);
	close(self->buffer);
	close(self->heap);
	close(self->uffd);
}

static int watch(int uffd, void *mem, size_t size, __u64 mode)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)mem, .len = size },
		.mode = mode,
	};

	return xioctl(uffd, UFFDIO_REGISTER, &reg);
}

/* Anonymous memory shows that it is the mapping that is refused. */
TEST_F(uffd, refuses_the_mapping)
{
	void *other = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, other);
	if (watch(self->uffd, other, BUFFER_SIZE, variant->mode) < 0)
		SKIP(return, "not in this mode");
	EXPECT_REFUSED(EINVAL, watch(self->uffd, self->mem, BUFFER_SIZE,
				     variant->mode));
	munmap(other, BUFFER_SIZE);

	/* And it goes on as it was. */
	pattern_fill(self->mem, BUFFER_SIZE, 1);
	EXPECT_EQ(BUFFER_SIZE, pattern_check(self->mem, BUFFER_SIZE, 1));
}

TEST_HARNESS_MAIN
