// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/udmabuf: both commands, what they make, what they refuse, within which
 * limits. What becomes of the memory is in udmabuf_memory_test.c; what is left when
 * they fail half-way, in fail_nth_test.c.
 */
#include "udmabuf_test.h"
#include <pthread.h>
#include <sys/resource.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE	0x0010
#endif

#define PARAMETERS		"/sys/module/udmabuf/parameters/"

static long parameter_get(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	return (long)file_read_number(path, NULL);
}

static int parameter_set(const char *name, long value)
{
	char path[128];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	return file_write_number(path, value);
}

FIXTURE(udmabuf)
{
	long list_limit;
	long size_limit;
	long buffers;
	int dev;
	int fds;
};

FIXTURE_SETUP(udmabuf)
{
	self->dev = xopen(UDMABUF_NODE, O_RDWR);
	if (self->dev == -ENOENT)
		SKIP(return, "no " UDMABUF_NODE);
	ASSERT_LE(0, self->dev);
	self->list_limit = parameter_get("list_limit");
	self->size_limit = parameter_get("size_limit_mb");
	self->buffers = count_buffers();
	self->fds = count_open_fds();
}

FIXTURE_TEARDOWN(udmabuf)
{
	if (self->dev < 0)
		return;
	if (self->list_limit >= 0)
		parameter_set("list_limit", self->list_limit);
	if (self->size_limit >= 0)
		parameter_set("size_limit_mb", self->size_limit);
	EXPECT_EQ(self->fds, count_open_fds());
	EXPECT_TRUE(self->buffers < 0 || buffers_settle(self->buffers));
	close(self->dev);
}

/* ----------------------------------------------------------- descriptors */

TEST_F(udmabuf, is_a_dma_buf_of_that_size)
{
	size_t size = 5 * page_size();
	char value[64], want[32];
	int memfd, fd;

	ASSERT_GIVES(memfd, memfd_good(2 * size));
	ASSERT_GIVES(fd, create(self->dev, memfd, page_size(), size));
	EXPECT_EQ((long)size, dmabuf_size(fd));
	EXPECT_EQ(0, fdinfo_get(fd, "exp_name", value, sizeof(value)));
	EXPECT_STREQ("udmabuf", value);
	EXPECT_EQ(0, fdinfo_get(fd, "size", value, sizeof(value)));
	snprintf(want, sizeof(want), "%zu", size);
	EXPECT_STREQ(want, value);
	close(fd);
	close(memfd);
}

TEST_F(udmabuf, flags_of_the_descriptor)
{
	struct udmabuf_create args = { .size = page_size() };
	int memfd, fd;

	ASSERT_GIVES(memfd, memfd_good(page_size()));
	args.memfd = (uint32_t)memfd;

	ASSERT_GIVES(fd, xioctl(self->dev, UDMABUF_CREATE, &args));
	EXPECT_EQ(0, fcntl(fd, F_GETFD));
	EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL) & O_ACCMODE);
	close(fd);

	args.flags = UDMABUF_FLAGS_CLOEXEC;
	ASSERT_GIVES(fd, xioctl(self->dev, UDMABUF_CREATE, &args));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL) & O_ACCMODE);
	close(fd);
	close(memfd);
}

/* Bits that mean nothing, and the padding, never were refused. */
TEST_F(udmabuf, lets_unknown_bits_through)
{
	struct {
		struct udmabuf_create_list head;
		struct udmabuf_create_item item;
	} list = {
		.head = { .flags = ~UDMABUF_FLAGS_CLOEXEC, .count = 1 },
		.item = { .__pad = 0xdeadbeef, .size = page_size() },
	};
	struct udmabuf_create args = {
		.flags = ~UDMABUF_FLAGS_CLOEXEC, .size = page_size(),
	};
	int memfd, fd;

	ASSERT_GIVES(memfd, memfd_good(page_size()));
	args.memfd = (uint32_t)memfd;
	list.item.memfd = (uint32_t)memfd;

	ASSERT_GIVES(fd, xioctl(self->dev, UDMABUF_CREATE, &args));
	EXPECT_EQ(0, fcntl(fd, F_GETFD));
	close(fd);
	ASSERT_GIVES(fd, xioctl(self->dev, UDMABUF_CREATE_LIST, &list));
	EXPECT_EQ(0, fcntl(fd, F_GETFD));
	close(fd);
	close(memfd);
}

TEST_F(udmabuf, commands_match_in_full)
{
	struct udmabuf_create args = { .size = page_size() };
	int memfd;

	ASSERT_GIVES(memfd, memfd_good(page_size()));
	args.memfd = (uint32_t)memfd;
	EXPECT_REFUSED(ENOTTY, xioctl(self->dev, _IO('u', 0x42), &args));
	EXPECT_REFUSED(ENOTTY, xioctl(self->dev, _IOW('u', 0x44, args), &args));
	EXPECT_REFUSED(ENOTTY, xioctl(self->dev, _IOR('u', 0x42, args), &args));
	EXPECT_REFUSED(ENOTTY, xioctl(self->dev, _IOW('u', 0x42, char[16]), &args));
	EXPECT_REFUSED(ENOTTY, xioctl(self->dev, _IOW('u', 0x42, char[32]), &args));
	EXPECT_REFUSED(ENOTTY, xioctl(self->dev, _IOW('u', 0x43, args), &args));
	close(memfd);
}

TEST_F(udmabuf, unreadable_arguments)
{
	struct udmabuf_create_list *list;
	void *mem;
	int memfd;

	EXPECT_REFUSED(EFAULT, xioctl(self->dev, UDMABUF_CREATE, NULL));
	EXPECT_REFUSED(EFAULT, xioctl(self->dev, UDMABUF_CREATE_LIST, NULL));

	/* The head is readable, and one item, but not the second. */
	ASSERT_GIVES(memfd, memfd_good(page_size()));
	mem = mmap(NULL, 2 * page_size(), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, munmap((char *)mem + page_size(), page_size()));
	list = (void *)((char *)mem + page_size() - sizeof(*list) - sizeof(list->list[0]));
	list->flags = 0;
	list->count = 2;
	list->list[0] = (struct udmabuf_create_item) {
		.memfd = (uint32_t)memfd, .size = page_size(),
	};
	EXPECT_REFUSED(EFAULT, xioctl(self->dev, UDMABUF_CREATE_LIST, list));
	EXPECT_EQ(0, seal_write(memfd));
	munmap(mem, page_size());
	close(memfd);
}

/* ---------------------------------------------------------------- refusals */

TEST_F(udmabuf, bad_ranges)
{
	const __u64 page = page_size(), size = 16 * page;
	const struct {
		__u64 offset, size;
	} bad[] = {
		{ 0, 0 }, { page, 0 },
		{ 1, page }, { page / 2, page }, { page - 1, page },
		{ 0, 1 }, { 0, page - 1 }, { 0, page + 1 },
		{ 0, size + page }, { size, page }, { page, size },
		{ 4 * size, page }, { 1ULL << 63, page },
		{ (1ULL << 63) - page, page }, { -page, page },
		{ -page, 2 * page }, { page, -page }, { 0, -page },
	};
	int memfd;

	ASSERT_GIVES(memfd, memfd_good(size));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct udmabuf_create_item items[2] = {
			{ .memfd = (uint32_t)memfd, .size = page },
			{ .memfd = (uint32_t)memfd, .offset = bad[i].offset,
			  .size = bad[i].size },
		};

		EXPECT_REFUSED(EINVAL, create(self->dev, memfd, bad[i].offset,
					      bad[i].size));
		EXPECT_REFUSED(EINVAL, create_list(self->dev, items + 1, 1));
		EXPECT_REFUSED(EINVAL, create_list(self->dev, items, 2));
	}
	/* None of them kept a pin. */
	EXPECT_EQ(0, seal_write(memfd));
	close(memfd);
}

TEST_F(udmabuf, files_that_are_no_memfd)
{
	__u64 page = page_size();
	int pipes[2], memfd, fd;
	char path[64];

	EXPECT_REFUSED(EBADFD, create(self->dev, -1, 0, page));
	EXPECT_REFUSED(EBADFD, create(self->dev, 999, 0, page));
	EXPECT_REFUSED(EBADFD, create(self->dev, self->dev, 0, page));
	ASSERT_EQ(0, pipe(pipes));
	EXPECT_REFUSED(EBADFD, create(self->dev, pipes[0], 0, page));
	close(pipes[0]);
	close(pipes[1]);
	ASSERT_GIVES(fd, xopen("/proc/self/maps", O_RDONLY));
	EXPECT_REFUSED(EBADFD, create(self->dev, fd, 0, page));
	close(fd);

	/* A descriptor that only names a memfd, and a dma-buf. */
	ASSERT_GIVES(memfd, memfd_good(page));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	ASSERT_GIVES(fd, xopen(path, O_PATH));
	EXPECT_REFUSED(EBADFD, create(self->dev, fd, 0, page));
	close(fd);
	ASSERT_GIVES(fd, create(self->dev, memfd, 0, page));
	EXPECT_REFUSED(EBADFD, create(self->dev, fd, 0, page));
	close(fd);
	close(memfd);
}

TEST_F(udmabuf, seals)
{
	static const struct {
		unsigned int flags;
		int seals;
		int ret;
	} cases[] = {
		{ MFD_ALLOW_SEALING, F_SEAL_SHRINK, 0 },
		{ MFD_ALLOW_SEALING, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, 0 },
		{ 0, 0, -EINVAL },
		{ MFD_ALLOW_SEALING, 0, -EINVAL },
		{ MFD_ALLOW_SEALING, F_SEAL_GROW, -EINVAL },
		{ MFD_ALLOW_SEALING, F_SEAL_SHRINK | F_SEAL_WRITE, -EINVAL },
		{ MFD_ALLOW_SEALING, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE, -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int memfd, fd, ret;

		ASSERT_GIVES(memfd, memfd_new(page_size(), cases[i].flags,
					      cases[i].seals));
		fd = create(self->dev, memfd, 0, page_size());
		ret = fd < 0 ? fd : 0;
		EXPECT_EQ(cases[i].ret, ret) {
			TH_LOG("flags %#x, seals %#x", cases[i].flags,
			       (unsigned int)cases[i].seals);
		}
		if (fd >= 0)
			close(fd);
		close(memfd);
	}
}

/* While a buffer lives its memory must stay writable, afterwards it need not. */
TEST_F(udmabuf, holds_write_seals_off)
{
	int memfd, fd;

	ASSERT_GIVES(memfd, memfd_good(4 * page_size()));
	ASSERT_GIVES(fd, create(self->dev, memfd, page_size(), page_size()));
	EXPECT_REFUSED(EBUSY, seal_write(memfd));
	close(fd);
	EXPECT_EQ(0, seal_write(memfd));
	EXPECT_REFUSED(EINVAL, create(self->dev, memfd, 0, page_size()));
	close(memfd);
}

/* One wants to seal, the other to create: one of them has to lose. */
static void *sealer(void *memfd)
{
	sched_yield();
	return (void *)(intptr_t)seal_write((int)(intptr_t)memfd);
}

TEST_F(udmabuf, sealing_and_creating_exclude_each_other)
{
	size_t size = 64 * page_size();

	/* A sealer that loses takes its time: it waits for pins to go. */
	for (int i = 0; i < 40; i++) {
		pthread_t thread;
		int memfd, fd;
		void *sealed;

		ASSERT_GIVES(memfd, memfd_good(size));
		ASSERT_EQ(0, pthread_create(&thread, NULL, sealer,
					    (void *)(intptr_t)memfd));
		if (i & 1)
			sched_yield();
		fd = create(self->dev, memfd, 0, size);
		pthread_join(thread, &sealed);
		EXPECT_FALSE(fd >= 0 && !sealed);
		EXPECT_TRUE(fd >= 0 || fd == -EINVAL);
		if (fd >= 0)
			close(fd);
		close(memfd);
	}
}

TEST_F(udmabuf, no_descriptor_left)
{
	struct rlimit old, few;
	int memfd, last;

	ASSERT_GIVES(memfd, memfd_good(8 * page_size()));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));

	/* The lowest free descriptor becomes the limit. */
	ASSERT_GIVES(last, (int)sysret(dup(memfd)));
	close(last);
	few = old;
	few.rlim_cur = (rlim_t)last;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
	EXPECT_REFUSED(EMFILE, create(self->dev, memfd, 0, 8 * page_size()));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));

	/* The buffer ended on the way out of the call, its pins with it. */
	EXPECT_EQ(0, seal_write(memfd));
	close(memfd);
}

/* ------------------------------------------------------------------ limits */

TEST_F(udmabuf, limit_of_a_list)
{
	struct udmabuf_create_list endless = { .count = ~0U };
	struct udmabuf_create_item items[4];
	int memfd, fd;

	if (self->list_limit < 0 || parameter_set("list_limit", 3))
		SKIP(return, "parameters cannot be set");
	ASSERT_GIVES(memfd, memfd_good(page_size()));
	for (int i = 0; i < 4; i++)
		items[i] = (struct udmabuf_create_item) {
			.memfd = (uint32_t)memfd, .size = page_size(),
		};

	ASSERT_GIVES(fd, create_list(self->dev, items, 3));
	close(fd);
	EXPECT_REFUSED(EINVAL, create_list(self->dev, items, 4));
	EXPECT_REFUSED(EINVAL, create_list(self->dev, items, 0));

	/* No list at all; the other command is not concerned. */
	ASSERT_EQ(0, parameter_set("list_limit", 0));
	EXPECT_REFUSED(EINVAL, create_list(self->dev, items, 1));
	ASSERT_GIVES(fd, create(self->dev, memfd, 0, page_size()));
	close(fd);

	/* Any list, but it has to fit into memory. */
	ASSERT_EQ(0, parameter_set("list_limit", -1));
	ASSERT_GIVES(fd, create_list(self->dev, items, 4));
	close(fd);
	EXPECT_REFUSED(ENOMEM, xioctl(self->dev, UDMABUF_CREATE_LIST, &endless));
	EXPECT_REFUSED(EINVAL, create_list(self->dev, items, 0));
	close(memfd);
}

TEST_F(udmabuf, default_limit_of_a_list)
{
	static struct udmabuf_create_item items[1025];
	int memfd, fd;

	if (self->list_limit != 1024)
		SKIP(return, "list_limit is %ld", self->list_limit);
	ASSERT_GIVES(memfd, memfd_good(2 * page_size()));
	for (int i = 0; i < 1025; i++)
		items[i] = (struct udmabuf_create_item) {
			.memfd = (uint32_t)memfd, .size = page_size(),
			.offset = (__u64)(i & 1) * page_size(),
		};
	ASSERT_GIVES(fd, create_list(self->dev, items, 1024));
	EXPECT_EQ(1024 * (long)page_size(), dmabuf_size(fd));
	close(fd);
	EXPECT_REFUSED(EINVAL, create_list(self->dev, items, 1025));
	EXPECT_EQ(0, seal_write(memfd));
	close(memfd);
}

TEST_F(udmabuf, limit_of_a_size)
{
	const __u64 mb = 1 << 20;
	struct udmabuf_create_item items[3];
	int memfd, fd;

	if (self->size_limit < 0 || parameter_set("size_limit_mb", 2))
		SKIP(return, "parameters cannot be set");
	ASSERT_GIVES(memfd, memfd_good(3 * mb));
	ASSERT_GIVES(fd, create(self->dev, memfd, 0, 2 * mb));
	close(fd);
	EXPECT_REFUSED(EINVAL, create(self->dev, memfd, 0, 2 * mb + page_size()));

	/* The sum counts. */
	for (int i = 0; i < 3; i++)
		items[i] = (struct udmabuf_create_item) {
			.memfd = (uint32_t)memfd, .size = mb,
		};
	ASSERT_GIVES(fd, create_list(self->dev, items, 2));
	close(fd);
	EXPECT_REFUSED(EINVAL, create_list(self->dev, items, 3));
	items[1].size = -mb;
	EXPECT_REFUSED(EINVAL, create_list(self->dev, items, 3));

	ASSERT_EQ(0, parameter_set("size_limit_mb", 0));
	EXPECT_REFUSED(EINVAL, create(self->dev, memfd, 0, page_size()));
	ASSERT_EQ(0, parameter_set("size_limit_mb", -1));
	items[1].size = mb;
	ASSERT_GIVES(fd, create_list(self->dev, items, 3));
	close(fd);
	items[1].size = -mb;
	EXPECT_REFUSED(EINVAL, create_list(self->dev, items, 3));
	EXPECT_EQ(0, seal_write(memfd));
	close(memfd);
}

/* A framebuffer of 4096 x 4096 pixels, 8 bytes each, rows padded a little. */
TEST_F(udmabuf, default_limit_fits_a_large_framebuffer)
{
	__u64 size = (4096 * 8 + 256) * 4096ULL;
	int memfd, fd;

	if (meminfo_bytes("MemAvailable") < (long long)(size + size / 2))
		SKIP(return, "not enough memory");
	ASSERT_GIVES(memfd, memfd_good(size));
	ASSERT_GIVES(fd, create(self->dev, memfd, 0, size));
	EXPECT_EQ((long)size, dmabuf_size(fd));
	close(fd);
	close(memfd);
}

TEST_HARNESS_MAIN
