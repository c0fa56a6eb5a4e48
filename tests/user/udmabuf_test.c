// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/udmabuf: both commands, what they refuse, and that a buffer and the
 * memfds it is made of are the same memory, however each is mapped, for as long
 * as either lives.
 *
 * What a memfd consists of is a fixture variant: small pages, transparent huge
 * pages, hugetlb pages; what the machine has not got is skipped. Each test is a
 * leak test: the teardown counts descriptors and buffers, and where pins matter
 * a memfd tells, because it takes F_SEAL_WRITE only when nobody pins a page of
 * it. Sizes and offsets are bytes.
 */
#include "dma_buf_test.h"
#include <linux/falloc.h>
#include <linux/memfd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE	0x0010
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT		21
#endif

#define PARAMETERS		"/sys/module/udmabuf/parameters/"
#define THP_SHMEM		"/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define HUGE_SIZE		(2UL << 20)

/* ------------------------------------------------------------- the device */

static int memfd_new(size_t size, unsigned int flags, int seals)
{
	int fd = (int)sysret(memfd_create("udmabuf-test", flags | MFD_CLOEXEC));

	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)size) ||
	    (seals && fcntl(fd, F_ADD_SEALS, seals))) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	return fd;
}

/* As programs make them. */
static int memfd_good(size_t size)
{
	return memfd_new(size, MFD_ALLOW_SEALING, F_SEAL_SHRINK);
}

static int create(int dev, int memfd, __u64 offset, __u64 size)
{
	struct udmabuf_create args = {
		.memfd = (uint32_t)memfd, .flags = UDMABUF_FLAGS_CLOEXEC,
		.offset = offset, .size = size,
	};

	return xioctl(dev, UDMABUF_CREATE, &args);
}

/* Items follow one another behind the head, as in struct udmabuf_create_list. */
static int create_list(int dev, const struct udmabuf_create_item *items,
		       uint32_t count)
{
	struct udmabuf_create_list *list;
	int ret;

	list = calloc(1, sizeof(*list) + count * sizeof(*items));
	if (!list)
		return -ENOMEM;
	list->flags = UDMABUF_FLAGS_CLOEXEC;
	list->count = count;
	memcpy(list->list, items, count * sizeof(*items));
	ret = xioctl(dev, UDMABUF_CREATE_LIST, list);
	free(list);
	return ret;
}

/* 0 when no page of the memfd is pinned or mapped for writing, else -EBUSY. */
static int seal_write(int memfd)
{
	return (int)sysret(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE));
}

static int file_write(const char *path, const char *text)
{
	int fd = xopen(path, O_WRONLY), ret;

	if (fd < 0)
		return fd;
	ret = (int)sysret(write(fd, text, strlen(text)));
	close(fd);
	return ret < 0 ? ret : 0;
}

static int file_read(const char *path, char *text, size_t size)
{
	int fd = xopen(path, O_RDONLY), ret;

	if (fd < 0)
		return fd;
	ret = (int)sysret(read(fd, text, size - 1));
	close(fd);
	if (ret < 0)
		return ret;
	text[ret] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

static long parameter_get(const char *name)
{
	char path[128], text[32];
	int ret;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	ret = file_read(path, text, sizeof(text));
	return ret ? ret : strtol(text, NULL, 10);
}

static int parameter_set(const char *name, long value)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	snprintf(text, sizeof(text), "%ld", value);
	return file_write(path, text);
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

/* ------------------------------------------------------- failing half-way */

#define FAIL_SLAB	"/sys/kernel/debug/failslab/"
#define FAIL_PAGES	"/sys/kernel/debug/fail_page_alloc/"

/* Let the @nth allocation of this thread fail: 0 takes that back. */
static int fail_nth(int nth)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", nth);
	return file_write("/proc/thread-self/fail-nth", text);
}

/* Has there been an @nth allocation? The counter has stopped at zero then. */
static bool fail_nth_happened(void)
{
	char text[16];

	return !file_read("/proc/thread-self/fail-nth", text, sizeof(text)) &&
	       !strtol(text, NULL, 10);
}

TEST_F_TIMEOUT(udmabuf, each_failing_allocation, 120)
{
	__u64 page = page_size();
	int nth, failures = 0;

	if (file_write(FAIL_SLAB "ignore-gfp-wait", "N") ||
	    file_write(FAIL_PAGES "ignore-gfp-wait", "N"))
		SKIP(return, "no fault injection");
	file_write(FAIL_PAGES "min-order", "0");
	file_write(FAIL_SLAB "verbose", "0");
	file_write(FAIL_PAGES "verbose", "0");

	for (nth = 1; nth < 2000; nth++) {
		struct udmabuf_create_item items[2];
		bool happened;
		int memfd, fd;

		ASSERT_GIVES(memfd, memfd_good(80 * page));
		items[0] = (struct udmabuf_create_item) {
			.memfd = (uint32_t)memfd, .size = page,
		};
		items[1] = (struct udmabuf_create_item) {
			.memfd = (uint32_t)memfd, .offset = page, .size = 79 * page,
		};

		ASSERT_EQ(0, fail_nth(nth));
		fd = create_list(self->dev, items, 2);
		happened = fail_nth_happened();
		ASSERT_EQ(0, fail_nth(0));

		/*
		 * Something may do without what it did not get. Reading the
		 * arguments counts as well, where the kernel can fail that.
		 */
		if (fd < 0) {
			EXPECT_TRUE(fd == -ENOMEM || fd == -EFAULT) {
				TH_LOG("failure %d: %s", nth, strerror(-fd));
			}
			EXPECT_TRUE(happened);
			failures++;
		} else {
			close(fd);
		}
		ASSERT_EQ(0, seal_write(memfd)) {
			TH_LOG("failure %d left a pin", nth);
		}
		close(memfd);
		if (!happened)
			break;
	}
	EXPECT_LT(nth, 2000);
	EXPECT_LT(0, failures);
	TH_LOG("%d places to fail, %d of them fatal", nth - 1, failures);
}

/* --------------------------------------------------------- user mappings */

TEST_F(udmabuf, refused_mappings)
{
	size_t page = page_size(), size = 4 * page;
	int memfd, fd;
	void *mem;

	ASSERT_GIVES(memfd, memfd_good(size));
	ASSERT_GIVES(fd, create(self->dev, memfd, 0, size));
	EXPECT_REFUSED(EINVAL, map_fd(fd, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, &mem));
	EXPECT_REFUSED(EINVAL, map_fd(fd, size, PROT_READ, MAP_PRIVATE, 0, &mem));
	EXPECT_REFUSED(EINVAL, map_fd(fd, size + page, PROT_READ, MAP_SHARED, 0, &mem));
	EXPECT_REFUSED(EINVAL, map_fd(fd, size, PROT_READ, MAP_SHARED, (off_t)page, &mem));
	EXPECT_REFUSED(EINVAL, map_fd(fd, page, PROT_READ, MAP_SHARED, (off_t)size, &mem));

	/* It may shrink, move and lose a part, but not grow. */
	ASSERT_EQ(0, map_rw(fd, size, &mem));
	pattern_fill(mem, size, 1);
	EXPECT_EQ(MAP_FAILED, mremap(mem, size, 2 * size, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, munmap((char *)mem + page, page));
	EXPECT_EQ(page, pattern_check(mem, page, 1));
	EXPECT_EQ(mem, mremap(mem, page, page, 0));
	EXPECT_EQ(0, munmap(mem, size));
	close(fd);
	close(memfd);
}

TEST_F(udmabuf, protection_of_mappings)
{
	size_t size = 4 * page_size();
	int memfd, fd, status;
	pid_t child;
	void *mem;

	ASSERT_GIVES(memfd, memfd_good(size));
	ASSERT_GIVES(fd, create(self->dev, memfd, 0, size));
	ASSERT_EQ(0, map_rw(fd, size, &mem));
	pattern_fill(mem, size, 2);

	ASSERT_EQ(0, mprotect(mem, size, PROT_READ));
	EXPECT_EQ(size, pattern_check(mem, size, 2));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		signal(SIGSEGV, SIG_DFL);
		*(char *)mem = 1;
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);

	ASSERT_EQ(0, mprotect(mem, size, PROT_READ | PROT_WRITE));
	pattern_fill(mem, size, 3);
	EXPECT_EQ(size, pattern_check(mem, size, 3));
	munmap(mem, size);
	close(fd);
	close(memfd);
}

/* A child's writes are the parent's, in pages it has touched and in others. */
TEST_F(udmabuf, fork_shares)
{
	size_t size = 64 * page_size();
	int memfd, fd, status;
	pid_t child;
	void *mem;

	ASSERT_GIVES(memfd, memfd_good(size));
	ASSERT_GIVES(fd, create(self->dev, memfd, 0, size));
	ASSERT_EQ(0, map_rw(fd, size, &mem));
	pattern_fill(mem, size / 2, 4);

	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		bool good = pattern_check(mem, size / 2, 4) == size / 2;

		pattern_fill(mem, size, 5);
		_exit(!good);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(size, pattern_check(mem, size, 5));
	munmap(mem, size);
	close(fd);
	close(memfd);
}

TEST_F(udmabuf, cpu_access)
{
	int memfd, fd;

	ASSERT_GIVES(memfd, memfd_good(page_size()));
	ASSERT_GIVES(fd, create(self->dev, memfd, 0, page_size()));
	/* What has not begun cannot end. */
	EXPECT_REFUSED(EINVAL, dmabuf_end(fd, DMA_BUF_SYNC_RW));
	for (__u64 access = DMA_BUF_SYNC_READ; access <= DMA_BUF_SYNC_RW; access++) {
		EXPECT_EQ(0, dmabuf_begin(fd, access));
		EXPECT_EQ(0, dmabuf_begin(fd, access));
		EXPECT_EQ(0, dmabuf_end(fd, access));
		EXPECT_EQ(0, dmabuf_end(fd, access));
	}
	close(fd);
	close(memfd);
}

/*
 * The memfd thinks its pages clean: only the buffer's mapping has written to
 * them. Reclaim must not take that for a licence to forget them.
 */
TEST_F(udmabuf, writes_survive_reclaim)
{
	size_t size = 32 * page_size();
	int memfd, fd;
	void *mem;

	ASSERT_GIVES(memfd, memfd_good(size));
	ASSERT_GIVES(fd, create(self->dev, memfd, 0, size));
	ASSERT_EQ(0, map_rw(fd, size, &mem));
	pattern_fill(mem, size, 6);
	munmap(mem, size);
	close(fd);

	ASSERT_EQ(0, map_fd(memfd, size, PROT_READ, MAP_SHARED, 0, &mem));
	EXPECT_EQ(size, pattern_check(mem, size, 6));
	if (madvise(mem, size, MADV_PAGEOUT))
		TH_LOG("cannot page out: %s", strerror(errno));
	EXPECT_EQ(size, pattern_check(mem, size, 6));
	munmap(mem, size);
	close(memfd);
}

/* ------------------------------------------------- whatever it is made of */

FIXTURE(backing)
{
	char thp[64];
	long buffers;
	size_t unit;		/* a huge page of the memfd, or some small ones */
	size_t size;		/* of the memfd: UNITS of them */
	void *mem;		/* the memfd, mapped */
	int memfd;
	int dev;
	int fds;
};

#define UNITS	4

FIXTURE_VARIANT(backing)
{
	unsigned int flags;
	bool huge;
	bool thp;
};

FIXTURE_VARIANT_ADD(backing, pages) { .flags = 0 };
FIXTURE_VARIANT_ADD(backing, transparent_huge) { .huge = true, .thp = true };
FIXTURE_VARIANT_ADD(backing, hugetlb) { .flags = MFD_HUGETLB, .huge = true };

/* "always within_size [never]": the word in brackets. */
static void thp_chosen(char *text)
{
	char *open = strchr(text, '['), *close = open ? strchr(open, ']') : NULL;

	if (!close)
		return;
	*close = '\0';
	memmove(text, open + 1, strlen(open + 1) + 1);
}

FIXTURE_SETUP(backing)
{
	self->dev = xopen(UDMABUF_NODE, O_RDWR);
	if (self->dev == -ENOENT)
		SKIP(return, "no " UDMABUF_NODE);
	ASSERT_LE(0, self->dev);

	self->mem = MAP_FAILED;
	self->memfd = -1;
	self->thp[0] = '\0';
	if (variant->thp) {
		if (file_read(THP_SHMEM, self->thp, sizeof(self->thp)))
			SKIP(return, "no transparent huge pages");
		thp_chosen(self->thp);
		if (file_write(THP_SHMEM, "force"))
			SKIP(return, "cannot choose huge pages");
	}
	self->buffers = count_buffers();
	self->fds = count_open_fds();
	self->unit = variant->huge ? HUGE_SIZE : 40 * page_size();
	self->size = UNITS * self->unit;
	self->memfd = memfd_new(self->size, MFD_ALLOW_SEALING | variant->flags,
				F_SEAL_SHRINK);
	if (variant->flags & MFD_HUGETLB && self->memfd < 0)
		SKIP(return, "no hugetlb memfd");
	ASSERT_LE(0, self->memfd);
	if (map_rw(self->memfd, self->size, &self->mem)) {
		if (variant->flags & MFD_HUGETLB)
			SKIP(return, "no huge pages in the pool");
		ASSERT_NE(MAP_FAILED, self->mem);
	}
}

FIXTURE_TEARDOWN(backing)
{
	if (self->dev < 0)
		return;
	if (self->mem != MAP_FAILED)
		munmap(self->mem, self->size);
	if (self->memfd >= 0) {
		close(self->memfd);
		EXPECT_EQ(self->fds, count_open_fds());
		EXPECT_TRUE(self->buffers < 0 || buffers_settle(self->buffers));
	}
	if (self->thp[0])
		file_write(THP_SHMEM, self->thp);
	close(self->dev);
}

/* Both mappings show the same bytes, whoever wrote them. */
static void expect_coherent(struct __test_metadata *_metadata, void *memfd,
			    void *dmabuf, size_t size, unsigned int seed)
{
	pattern_fill(memfd, size, seed);
	EXPECT_EQ(size, pattern_check(dmabuf, size, seed));
	pattern_fill(dmabuf, size, seed + 1);
	EXPECT_EQ(size, pattern_check(memfd, size, seed + 1));
}

TEST_F(backing, whole)
{
	void *mem;
	int fd;

	ASSERT_GIVES(fd, create(self->dev, self->memfd, 0, self->size));
	ASSERT_EQ(0, map_rw(fd, self->size, &mem));
	EXPECT_EQ(0, dmabuf_begin(fd, DMA_BUF_SYNC_RW));
	expect_coherent(_metadata, self->mem, mem, self->size, 10);
	EXPECT_EQ(0, dmabuf_end(fd, DMA_BUF_SYNC_RW));
	munmap(mem, self->size);
	close(fd);
	munmap(self->mem, self->size);
	self->mem = MAP_FAILED;
	EXPECT_EQ(0, seal_write(self->memfd));
}

/* Pages nobody has touched come zeroed, and are the memfd's from then on. */
TEST_F(backing, untouched)
{
	struct stat before, after;
	void *mem;
	int fd;

	ASSERT_EQ(0, fstat(self->memfd, &before));
	ASSERT_GIVES(fd, create(self->dev, self->memfd, 0, self->size));
	ASSERT_EQ(0, fstat(self->memfd, &after));
	EXPECT_EQ((long long)self->size,
		  (long long)(after.st_blocks - before.st_blocks) * 512);
	ASSERT_EQ(0, map_rw(fd, self->size, &mem));
	EXPECT_EQ(self->size, zero_check(mem, self->size));
	EXPECT_EQ(self->size, zero_check(self->mem, self->size));
	munmap(mem, self->size);
	close(fd);
}

/* A range that neither starts nor ends where a huge page does. */
TEST_F(backing, inside)
{
	size_t page = page_size(), start = page, size;
	void *mem;
	int fd;

	size = self->size - 2 * page;
	ASSERT_GIVES(fd, create(self->dev, self->memfd, start, size));
	EXPECT_EQ((long)size, dmabuf_size(fd));
	ASSERT_EQ(0, map_rw(fd, size, &mem));
	expect_coherent(_metadata, (char *)self->mem + start, mem, size, 12);
	munmap(mem, size);
	close(fd);
}

/* Ranges in the order of the list, not of the file, one of them twice. */
TEST_F(backing, list)
{
	size_t page = page_size(), last = self->size - page;
	struct udmabuf_create_item items[] = {
		{ .offset = last, .size = page },
		{ .offset = self->unit, .size = 2 * self->unit },
		{ .offset = 0, .size = page },
		{ .offset = last, .size = page },
	};
	size_t size = 3 * page + 2 * self->unit;
	char *from = self->mem, *mem;
	void *addr;
	int fd;

	for (size_t i = 0; i < 4; i++)
		items[i].memfd = (uint32_t)self->memfd;
	pattern_fill(self->mem, self->size, 14);
	ASSERT_GIVES(fd, create_list(self->dev, items, 4));
	EXPECT_EQ((long)size, dmabuf_size(fd));
	ASSERT_EQ(0, map_rw(fd, size, &addr));
	mem = addr;
	EXPECT_EQ(0, memcmp(mem, from + last, page));
	EXPECT_EQ(0, memcmp(mem + page, from + self->unit, 2 * self->unit));
	EXPECT_EQ(0, memcmp(mem + page + 2 * self->unit, from, page));
	EXPECT_EQ(0, memcmp(mem + size - page, from + last, page));

	/* Twice in the buffer, but one page. */
	mem[0] ^= 0x55;
	EXPECT_EQ(mem[0], mem[size - page]);
	EXPECT_EQ(mem[0], from[last]);
	munmap(addr, size);
	close(fd);
}

/* Parts of a buffer, mapped at offsets that no huge page starts at. */
TEST_F(backing, partial_mappings)
{
	size_t page = page_size();
	void *mem;
	int fd;

	pattern_fill(self->mem, self->size, 15);
	ASSERT_GIVES(fd, create(self->dev, self->memfd, 0, self->size));
	for (size_t at = 0; at < self->size; at += self->unit + page) {
		size_t size = self->size - at;

		ASSERT_EQ(0, map_fd(fd, size, PROT_READ, MAP_SHARED, (off_t)at, &mem));
		EXPECT_EQ(0, memcmp(mem, (char *)self->mem + at, size));
		munmap(mem, size);
	}
	close(fd);
}

/* Memory outlives the memfd, and a mapping outlives the buffer's descriptor. */
TEST_F(backing, outlives_the_memfd)
{
	void *mem;
	int fd;

	pattern_fill(self->mem, self->size, 16);
	ASSERT_GIVES(fd, create(self->dev, self->memfd, 0, self->size));
	ASSERT_EQ(0, map_rw(fd, self->size, &mem));
	/* One page is mapped while the memfd goes, the others are not. */
	EXPECT_EQ(page_size(), pattern_check(mem, page_size(), 16));
	munmap(self->mem, self->size);
	self->mem = MAP_FAILED;
	close(self->memfd);
	ASSERT_GIVES(self->memfd, (int)sysret(dup(fd)));
	EXPECT_EQ(self->size, pattern_check(mem, self->size, 16));
	close(fd);
	close(self->memfd);
	EXPECT_EQ(self->size, pattern_check(mem, self->size, 16));
	munmap(mem, self->size);
	ASSERT_GIVES(self->memfd, xopen("/dev/null", O_RDONLY));
}

/* A hole in the memfd takes nothing from the buffer: they part there. */
TEST_F(backing, survives_a_hole)
{
	void *mem;
	int fd;

	pattern_fill(self->mem, self->size, 17);
	ASSERT_GIVES(fd, create(self->dev, self->memfd, 0, self->size));
	ASSERT_EQ(0, map_rw(fd, self->size, &mem));
	EXPECT_EQ(self->size, pattern_check(mem, self->size, 17));
	ASSERT_EQ(0, fallocate(self->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       0, (off_t)self->size));
	EXPECT_EQ(self->size, pattern_check(mem, self->size, 17));
	EXPECT_EQ(self->size, zero_check(self->mem, self->size));
	munmap(mem, self->size);
	ASSERT_EQ(0, map_rw(fd, self->size, &mem));
	EXPECT_EQ(self->size, pattern_check(mem, self->size, 17));
	munmap(mem, self->size);
	close(fd);
}

/* A device imports it, and the device's own mapping is the same memory. */
TEST_F(backing, import)
{
	int device, handle, fd, again;
	void *mem;

	device = importer_open();
	if (device < 0)
		SKIP(return, "no device to import with");
	ASSERT_GIVES(fd, create(self->dev, self->memfd, 0, self->size));
	ASSERT_GIVES(handle, importer_import(device, fd));
	EXPECT_EQ(0, dmabuf_begin(fd, DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, dmabuf_end(fd, DMA_BUF_SYNC_RW));
	ASSERT_GIVES(again, importer_export(device, handle));
	ASSERT_EQ(0, map_rw(again, self->size, &mem));
	expect_coherent(_metadata, self->mem, mem, self->size, 18);
	munmap(mem, self->size);
	close(again);
	EXPECT_EQ(0, importer_close(device, handle));
	close(fd);
	close(device);
}

/* There each page of a mapping faults by itself, whatever its page table says. */
static bool is_user_mode_linux(void)
{
	char line[256];
	bool found = false;
	FILE *file;

	file = fopen("/proc/cpuinfo", "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, "User Mode Linux");
	fclose(file);
	return found;
}

/*
 * Every page is touched, but a fault serves many: as many as a PMD maps where
 * memory is huge and the kernel can, a handful otherwise.
 */
TEST_F(backing, faults_come_in_batches)
{
	size_t page = page_size(), batch = 16 * page, reserve = self->size + HUGE_SIZE;
	bool pmd = variant->huge && !access(THP_SHMEM, F_OK);
	struct rusage before, after;
	long faults, most;
	void *area;
	char *mem;
	int fd;

	if (is_user_mode_linux())
		SKIP(return, "faults of User Mode Linux cannot be counted");
	pattern_fill(self->mem, self->size, 19);
	ASSERT_GIVES(fd, create(self->dev, self->memfd, 0, self->size));

	/* Aligned as a PMD wants it, whatever mmap would have chosen. */
	area = mmap(NULL, reserve, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, area);
	mem = (char *)(((uintptr_t)area + HUGE_SIZE - 1) & -HUGE_SIZE);
	ASSERT_EQ(mem, mmap(mem, self->size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, fd, 0));

	ASSERT_EQ(0, getrusage(RUSAGE_SELF, &before));
	for (size_t at = 0; at < self->size; at += page)
		mem[at]++;
	ASSERT_EQ(0, getrusage(RUSAGE_SELF, &after));

	faults = after.ru_minflt - before.ru_minflt;
	/* Nobody promises that memory asked to be huge transparently is. */
	most = (long)(self->size / batch) + 4;
	if (pmd && !variant->thp)
		most = (long)(self->size / HUGE_SIZE) + 4;
	TH_LOG("%ld faults for %zu pages", faults, self->size / page);
	EXPECT_LE(faults, most);
	munmap(area, reserve);
	munmap(mem, self->size);
	close(fd);
}

/* A mapping that once was huge is cut, and each part still shows its memory. */
TEST_F(backing, cut_mappings)
{
	size_t page = page_size(), reserve = self->size + HUGE_SIZE;
	size_t cut = self->unit + page;
	void *area;
	char *mem;
	int fd;

	ASSERT_GIVES(fd, create(self->dev, self->memfd, 0, self->size));
	area = mmap(NULL, reserve, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, area);
	mem = (char *)(((uintptr_t)area + HUGE_SIZE - 1) & -HUGE_SIZE);
	ASSERT_EQ(mem, mmap(mem, self->size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, fd, 0));
	pattern_fill(mem, self->size, 20);

	/* One page read-only in the middle of a huge one, then away with it. */
	ASSERT_EQ(0, mprotect(mem + cut, page, PROT_READ));
	EXPECT_EQ(self->size, pattern_check(mem, self->size, 20));
	ASSERT_EQ(0, mprotect(mem + cut, page, PROT_READ | PROT_WRITE));
	pattern_fill(mem, self->size, 21);
	EXPECT_EQ(self->size, pattern_check(self->mem, self->size, 21));
	ASSERT_EQ(0, munmap(mem + cut, page));
	EXPECT_EQ(cut, pattern_check(mem, cut, 21));
	EXPECT_EQ(0, memcmp(mem + cut + page, (char *)self->mem + cut + page,
			    self->size - cut - page));
	munmap(area, reserve);
	munmap(mem, self->size);
	close(fd);
}

TEST_HARNESS_MAIN
