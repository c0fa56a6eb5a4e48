// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one owner of memory leaves to the next: nothing. Buffers of every size and
 * heap are filled, freed and taken again by every way that memory goes from one
 * to the other: zeroed in the background, straight from the pool, through the
 * page allocator, in smaller pieces and in larger ones. Each byte is looked at.
 *
 * And what a read-only descriptor lets its owner write: nothing, by no way. And
 * how often an argument is read from a program's memory: once.
 */
#include "sys_file.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#define MIB		0x100000ul
#define SECRET		0xa5

static void pool_wait_clean(const char *heap)
{
	int tries;

	for (tries = 0; tries < 12000 && heap_total(heap, "pool_dirty_bytes") > 0; tries++)
		usleep(10000);
}

/* ------------------------------------------------------------- earlier owners -- */

FIXTURE(reuse) {
	int heap;
	long long limit;
};

FIXTURE_VARIANT(reuse) {
	const char *heap;
	size_t most;		/* bytes at once, of all buffers of a test */
};

FIXTURE_VARIANT_ADD(reuse, system) { .heap = "system", .most = 24 * MIB };
FIXTURE_VARIANT_ADD(reuse, cma) { .heap = "default_cma_region", .most = 16 * MIB };

FIXTURE_SETUP(reuse)
{
	self->heap = heap_open(variant->heap);
	if (self->heap == -ENOENT)
		SKIP(return, "no heap %s", variant->heap);
	ASSERT_LE(0, self->heap);
	self->limit = heap_total(variant->heap, "pool_limit_bytes");
	heap_set_limit(variant->heap, 64 * MIB);
}

FIXTURE_TEARDOWN(reuse)
{
	if (self->heap < 0)
		return;
	if (self->limit >= 0)
		heap_set_limit(variant->heap, self->limit);
	close(self->heap);
}

/* One page, every order up to a huge page, and what is made of several. */
static const size_t reuse_sizes[] = {
	1, 2, 3, 4, 8, 16, 17, 32, 64, 128, 256, 511, 512, 513, 1024, 1300,
};

/* A new buffer, which must be all zero, is filled with the secret. */
static int take_and_fill(struct __test_metadata *_metadata, int heap, size_t len, const char *way)
{
	size_t dirty;
	void *mem;
	int fd;

	ASSERT_GIVES(fd, heap_alloc(heap, len));
	ASSERT_EQ(0, map_rw(fd, len, &mem));
	dirty = zero_check(mem, len);
	EXPECT_EQ(len, dirty) {
		TH_LOG("%s, %zu bytes: byte %zu is %#x", way, len, dirty,
		       dirty < len ? ((unsigned char *)mem)[dirty] : 0);
	}
	memset(mem, SECRET, len);
	munmap(mem, len);
	return fd;
}

enum { HELD = 4 };

/* Several at once, so that they do not all get the same memory back. */
static void fill_and_free(struct __test_metadata *_metadata, int heap, size_t len, size_t most,
			  const char *way)
{
	int fd[HELD], i, n = 0;

	while (n < HELD && (size_t)(n + 1) * len <= most) {
		fd[n] = take_and_fill(_metadata, heap, len, way);
		n++;
	}
	for (i = 0; i < n; i++)
		close(fd[i]);
}

TEST_F(reuse, of_the_same_size_at_once_or_zeroed_in_the_background)
{
	size_t i, len;
	long long hits = heap_total(variant->heap, "pool_hits");

	for (i = 0; i < ARRAY_SIZE(reuse_sizes); i++) {
		len = reuse_sizes[i] * page_size();
		fill_and_free(_metadata, self->heap, len, variant->most, "first");
		fill_and_free(_metadata, self->heap, len, variant->most, "at once");
		pool_wait_clean(variant->heap);
		fill_and_free(_metadata, self->heap, len, variant->most, "zeroed");
	}
	/* Where there is a pool, it has been used. */
	if (hits >= 0)
		EXPECT_LT(hits, heap_total(variant->heap, "pool_hits"));
}

TEST_F(reuse, through_the_page_allocator)
{
	size_t i, len;

	heap_set_limit(variant->heap, 0);
	pool_wait_clean(variant->heap);
	for (i = 0; i < ARRAY_SIZE(reuse_sizes); i++) {
		len = reuse_sizes[i] * page_size();
		fill_and_free(_metadata, self->heap, len, variant->most, "first");
		fill_and_free(_metadata, self->heap, len, variant->most, "again");
	}
}

/* A limit that comes down, or goes up, while memory waits to be zeroed. */
TEST_F(reuse, while_the_limit_changes)
{
	static const long long limits[] = { 0, 64 * MIB, MIB, 64 * MIB, 4096, 8 * MIB };
	size_t i;

	for (i = 0; i < 4 * ARRAY_SIZE(limits); i++) {
		fill_and_free(_metadata, self->heap, 2 * MIB, variant->most, "before");
		heap_set_limit(variant->heap, limits[i % ARRAY_SIZE(limits)]);
		fill_and_free(_metadata, self->heap, 64 * 1024, variant->most, "after");
	}
}

/* Large memory handed out in small pieces, and small memory as part of large. */
TEST_F(reuse, in_other_sizes)
{
	enum { SMALL = 200 };
	int fd[SMALL], i, round;

	for (round = 0; round < 3; round++) {
		fill_and_free(_metadata, self->heap, 4 * MIB, variant->most, "large");
		for (i = 0; i < SMALL; i++)
			fd[i] = take_and_fill(_metadata, self->heap,
					      (1 + i % 5) * page_size(), "small");
		for (i = 0; i < SMALL; i += 2)
			close(fd[i]);
		fill_and_free(_metadata, self->heap, 37 * page_size(), variant->most, "between");
		for (i = 1; i < SMALL; i += 2)
			close(fd[i]);
	}
}

/* From a program's own memory into a buffer, and from a buffer into a program's. */
TEST_F(reuse, between_heaps_and_programs)
{
	size_t len = 8 * MIB;
	unsigned char *mem;
	int round;

	heap_set_limit(variant->heap, 0);
	for (round = 0; round < 4; round++) {
		mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(MAP_FAILED, mem);
		EXPECT_EQ(len, zero_check(mem, len));
		memset(mem, SECRET, len);
		munmap(mem, len);
		fill_and_free(_metadata, self->heap, len, variant->most, "from a program");
	}
}

/* ------------------------------------------------------------ read-only, really -- */

FIXTURE(readonly) {
	int heap;
	int fd;			/* O_RDONLY */
	size_t len;
};

FIXTURE_VARIANT(readonly) {
	const char *heap;
};

FIXTURE_VARIANT_ADD(readonly, system) { .heap = "system" };
FIXTURE_VARIANT_ADD(readonly, cma) { .heap = "default_cma_region" };

FIXTURE_SETUP(readonly)
{
	self->heap = heap_open(variant->heap);
	if (self->heap == -ENOENT)
		SKIP(return, "no heap %s", variant->heap);
	self->len = 4 * page_size();
	ASSERT_GIVES(self->fd, heap_alloc_flags(self->heap, self->len, O_RDONLY | O_CLOEXEC, 0));
}

/* Whatever was tried, no byte of the buffer has changed. */
FIXTURE_TEARDOWN(readonly)
{
	void *mem;

	if (self->heap < 0)
		return;
	ASSERT_EQ(0, map_fd(self->fd, self->len, PROT_READ, MAP_SHARED, 0, &mem));
	EXPECT_EQ(self->len, zero_check(mem, self->len));
	munmap(mem, self->len);
	close(self->fd);
	close(self->heap);
}

/* No shared mapping of this descriptor is or becomes writable. */
static void expect_no_writable_mapping(struct __test_metadata *_metadata, int fd, size_t len)
{
	static const int writable[] = {
		PROT_WRITE, PROT_READ | PROT_WRITE, PROT_WRITE | PROT_EXEC,
	};
	size_t i;
	void *mem;

	for (i = 0; i < ARRAY_SIZE(writable); i++) {
		EXPECT_REFUSED(EACCES, map_fd(fd, len, writable[i], MAP_SHARED, 0, &mem));
		EXPECT_REFUSED(EACCES, map_fd(fd, len, writable[i], MAP_SHARED_VALIDATE, 0, &mem));
	}
	ASSERT_EQ(0, map_fd(fd, len, PROT_READ, MAP_SHARED, 0, &mem));
	for (i = 0; i < ARRAY_SIZE(writable); i++)
		EXPECT_REFUSED(EACCES, sysret(mprotect(mem, page_size(), writable[i])));
	munmap(mem, len);
	ASSERT_EQ(0, map_fd(fd, len, PROT_NONE, MAP_SHARED, 0, &mem));
	EXPECT_REFUSED(EACCES, sysret(mprotect(mem, len, PROT_READ | PROT_WRITE)));
	munmap(mem, len);
}

TEST_F(readonly, mmap_and_mprotect)
{
	expect_no_writable_mapping(_metadata, self->fd, self->len);
}

TEST_F(readonly, copies_of_the_descriptor)
{
	int copy, pair[2], pidfd;

	ASSERT_GIVES(copy, sysret(dup(self->fd)));
	/* The access mode is none of the flags that can be set. */
	EXPECT_EQ(0, fcntl(copy, F_SETFL, O_RDWR));
	EXPECT_EQ(O_RDONLY, fcntl(copy, F_GETFL) & O_ACCMODE);
	expect_no_writable_mapping(_metadata, copy, self->len);
	close(copy);

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ASSERT_EQ(0, fd_send(pair[0], self->fd));
	ASSERT_GIVES(copy, fd_receive(pair[1]));
	expect_no_writable_mapping(_metadata, copy, self->len);
	close(copy);
	close(pair[0]);
	close(pair[1]);

	ASSERT_GIVES(pidfd, sysret(syscall(SYS_pidfd_open, getpid(), 0)));
	ASSERT_GIVES(copy, sysret(syscall(SYS_pidfd_getfd, pidfd, self->fd, 0)));
	expect_no_writable_mapping(_metadata, copy, self->len);
	close(copy);
	close(pidfd);
}

TEST_F(readonly, opened_again)
{
	char path[128];
	void *mem;
	int mode;

	ASSERT_EQ(0, map_fd(self->fd, self->len, PROT_READ, MAP_SHARED, 0, &mem));
	for (mode = O_RDONLY; mode <= O_RDWR; mode++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
		EXPECT_REFUSED(ENXIO, xopen(path, mode));
		snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)mem,
			 (unsigned long)mem + self->len);
		EXPECT_GT(0, xopen(path, mode));
	}
	munmap(mem, self->len);
}

TEST_F(readonly, exported_again_by_an_importer)
{
	int importer = importer_open(), other, handle, again, third;
	struct drm_mode_map_dumb map = { 0 };

	if (importer == -ENODEV)
		SKIP(return, "no vgem");
	ASSERT_LE(0, importer);
	ASSERT_GIVES(handle, importer_import(importer, self->fd));
	/* Asks for DRM_RDWR, and gets the buffer as it is. */
	ASSERT_GIVES(again, importer_export(importer, handle));
	EXPECT_EQ(O_RDONLY, fcntl(again, F_GETFL) & O_ACCMODE);
	expect_no_writable_mapping(_metadata, again, self->len);

	ASSERT_GIVES(other, importer_open());
	ASSERT_GIVES(third, importer_import(other, again));
	close(again);
	ASSERT_GIVES(again, importer_export(other, third));
	expect_no_writable_mapping(_metadata, again, self->len);
	close(again);

	/* Nor is there a way round, by the importer's own node. */
	map.handle = (__u32)handle;
	EXPECT_GT(0, xioctl(importer, DRM_IOCTL_MODE_MAP_DUMB, &map));
	close(other);
	close(importer);
}

/* Writes by way of the kernel go where a store would not. */
TEST_F(readonly, forced_writes_and_private_copies)
{
	char byte = 1;
	void *mem;
	int fd;

	ASSERT_EQ(0, map_fd(self->fd, self->len, PROT_READ, MAP_SHARED, 0, &mem));
	ASSERT_GIVES(fd, xopen("/proc/self/mem", O_RDWR));
	EXPECT_GT(0, pwrite(fd, &byte, 1, (off_t)(unsigned long)mem));
	close(fd);
	ASSERT_GIVES(fd, xopen("/dev/zero", O_RDONLY));
	EXPECT_REFUSED(EFAULT, sysret(read(fd, mem, 1)));
	close(fd);
	munmap(mem, self->len);

	/* What is written to a private mapping is the program's own. */
	if (map_fd(self->fd, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, &mem))
		return;
	memset(mem, SECRET, page_size());
	munmap(mem, page_size());
}

/* -------------------------------------------------------------- read only once -- */

#define FLIPS	300

/* A word in memory that changes its mind all the time. */
struct fickle {
	atomic_ullong *word;
	__u64 values[2];
	atomic_bool stop;
};

static void *flip(void *data)
{
	struct fickle *fickle = data;
	unsigned int i = 0;

	while (!atomic_load(&fickle->stop))
		atomic_store(fickle->word, fickle->values[i++ & 1]);
	return NULL;
}

TEST(length_of_an_allocation_is_read_once)
{
	struct dma_heap_allocation_data data = { .len = 1, .fd_flags = O_RDWR | O_CLOEXEC };
	struct fickle fickle = {
		.word = (void *)&data.len, .values = { page_size(), 16 * page_size() },
	};
	int heap = heap_open("system"), i, seen[2] = { 0 };
	pthread_t thread;

	if (heap < 0)
		SKIP(return, "no system heap");
	atomic_store(fickle.word, page_size());
	ASSERT_EQ(0, pthread_create(&thread, NULL, flip, &fickle));
	for (i = 0; i < FLIPS; i++) {
		long size;
		void *mem;

		data.fd = 0;
		ASSERT_EQ(0, xioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data));
		size = dmabuf_size((int)data.fd);
		ASSERT_TRUE(size == (long)page_size() || size == 16 * (long)page_size());
		seen[size != (long)page_size()]++;
		/* As long as it says, to the last byte, and no longer. */
		ASSERT_EQ(0, map_rw((int)data.fd, (size_t)size, &mem));
		((char *)mem)[size - 1] = 1;
		munmap(mem, (size_t)size);
		ASSERT_EQ(-EINVAL, map_rw((int)data.fd, (size_t)size + page_size(), &mem));
		close((int)data.fd);
	}
	atomic_store(&fickle.stop, true);
	pthread_join(thread, NULL);
	TH_LOG("%d short, %d long", seen[0], seen[1]);
	close(heap);
}

/* However many items the first look found, no more than those are read. */
TEST(count_of_a_list_is_read_once)
{
	struct {
		struct udmabuf_create_list head;
		struct udmabuf_create_item items[8];
	} list = { .head = { .flags = UDMABUF_FLAGS_CLOEXEC, .count = 1 } };
	/* Flags and count are one word. */
	struct fickle fickle = { .word = (void *)&list.head };
	int node = xopen(UDMABUF_NODE, O_RDWR), memfd, i, fd;
	pthread_t thread;

	if (node < 0)
		SKIP(return, "no " UDMABUF_NODE);
	memcpy(&fickle.values[0], &list.head, sizeof(__u64));
	list.head.count = 8;
	memcpy(&fickle.values[1], &list.head, sizeof(__u64));
	ASSERT_GIVES(memfd, sysret(memfd_create("once", MFD_ALLOW_SEALING | MFD_CLOEXEC)));
	ASSERT_EQ(0, ftruncate(memfd, 8 * (off_t)page_size()));
	ASSERT_EQ(0, fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	for (i = 0; i < 8; i++)
		list.items[i] = (struct udmabuf_create_item){
			.memfd = (__u32)memfd, .offset = (__u64)i * page_size(),
			.size = page_size(),
		};
	ASSERT_EQ(0, pthread_create(&thread, NULL, flip, &fickle));
	for (i = 0; i < FLIPS; i++) {
		long size;

		ASSERT_GIVES(fd, xioctl(node, UDMABUF_CREATE_LIST, &list));
		size = dmabuf_size(fd);
		ASSERT_TRUE(size == (long)page_size() || size == 8 * (long)page_size());
		close(fd);
	}
	atomic_store(&fickle.stop, true);
	pthread_join(thread, NULL);
	close(memfd);
	close(node);
}

/* The room that a program says it has is the room that is used. */
TEST(room_for_fences_is_read_once)
{
	enum { N = 8 };
	struct sync_fence_info *infos, guard;
	struct sync_file_info info = { 0 };
	/* num_fences and pad. */
	struct fickle fickle = {
		.word = (void *)&info.num_fences, .values = { 1, N },
	};
	int timeline, fence, merged, next, i;
	pthread_t thread;

	timeline = sw_sync_open();
	if (timeline < 0)
		SKIP(return, "no " SW_SYNC_NODE);
	ASSERT_GIVES(merged, sw_sync_fence(timeline, 1, "first"));
	for (i = 1; i < N; i++) {
		int other = sw_sync_open();

		ASSERT_GIVES(fence, sw_sync_fence(other, 1, "more"));
		ASSERT_GIVES(next, sync_file_merge(merged, fence, "all"));
		close(merged);
		close(fence);
		merged = next;
	}
	infos = calloc(N + 1, sizeof(*infos));
	memset(&guard, SECRET, sizeof(guard));
	ASSERT_EQ(0, pthread_create(&thread, NULL, flip, &fickle));
	for (i = 0; i < FLIPS; i++) {
		int ret;

		memset(infos, 0, N * sizeof(*infos));
		infos[N] = guard;
		info.sync_fence_info = (uintptr_t)infos;
		ret = xioctl(merged, SYNC_IOC_FILE_INFO, &info);
		/* One is too few; what was refused wrote nothing. */
		ASSERT_TRUE(ret == 0 || ret == -EINVAL);
		ASSERT_EQ(ret < 0 ? N * sizeof(*infos) : 0,
			  ret < 0 ? zero_check(infos, N * sizeof(*infos)) : 0);
		ASSERT_EQ(0, memcmp(&infos[N], &guard, sizeof(guard)));
	}
	atomic_store(&fickle.stop, true);
	pthread_join(thread, NULL);
	free(infos);
	close(merged);
	close(timeline);
}

TEST_HARNESS_MAIN
