// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a udmabuf: it and the memfds it is made of are the same, however
 * each is mapped, for as long as either lives.
 *
 * What a memfd consists of is a fixture variant: small pages, transparent huge
 * pages, hugetlb pages; what the machine has not got is skipped. Where that does
 * not matter the fixture is "mapping". The commands are in udmabuf_test.c.
 */
#include "udmabuf_test.h"
#include <linux/falloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT		21
#endif

#define THP_SHMEM		"/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define HUGE_SIZE		(2UL << 20)

/* --------------------------------------------------------- user mappings */

FIXTURE(mapping)
{
	long buffers;
	int dev;
	int fds;
};

FIXTURE_SETUP(mapping)
{
	self->dev = xopen(UDMABUF_NODE, O_RDWR);
	if (self->dev == -ENOENT)
		SKIP(return, "no " UDMABUF_NODE);
	ASSERT_LE(0, self->dev);
	self->buffers = count_buffers();
	self->fds = count_open_fds();
}

FIXTURE_TEARDOWN(mapping)
{
	if (self->dev < 0)
		return;
	EXPECT_EQ(self->fds, count_open_fds());
	EXPECT_TRUE(self->buffers < 0 || buffers_settle(self->buffers));
	close(self->dev);
}

TEST_F(mapping, refused_mappings)
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

TEST_F(mapping, protection_of_mappings)
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
TEST_F(mapping, fork_shares)
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

TEST_F(mapping, cpu_access)
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

/* Of parts, where the begin of one is a begin. */
TEST_F(mapping, cpu_access_to_parts)
{
	const __u64 end = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	size_t page = page_size();
	int memfd, fd;
	void *mem;

	ASSERT_GIVES(memfd, memfd_good(4 * page));
	ASSERT_GIVES(fd, create(self->dev, memfd, 0, 4 * page));
	ASSERT_EQ(0, map_rw(fd, 4 * page, &mem));
	EXPECT_REFUSED(EINVAL, dmabuf_sync_partial(fd, end, 0, 4 * page));
	EXPECT_REFUSED(EINVAL, dmabuf_sync_partial(fd, end, page, page));
	EXPECT_REFUSED(EINVAL, dmabuf_sync_partial(fd, DMA_BUF_SYNC_RW, 0, 4 * page + 1));
	EXPECT_REFUSED(EINVAL, dmabuf_sync_partial(fd, end, page, page));

	EXPECT_EQ(0, dmabuf_sync_partial(fd, DMA_BUF_SYNC_RW, page - 7, 2 * page));
	pattern_fill((char *)mem + page - 7, 2 * page, 7);
	EXPECT_EQ(0, dmabuf_sync_partial(fd, end, page - 7, page));
	EXPECT_EQ(0, dmabuf_sync_partial(fd, end, 2 * page - 7, page));
	EXPECT_EQ(2 * page, pattern_check((char *)mem + page - 7, 2 * page, 7));
	EXPECT_EQ(page - 7, zero_check(mem, page - 7));
	munmap(mem, 4 * page);
	close(fd);
	close(memfd);
}

/*
 * The memfd thinks its pages clean: only the buffer's mapping has written to
 * them. Reclaim must not take that for a licence to forget them.
 */
TEST_F(mapping, writes_survive_reclaim)
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

/* Both mappings show the same bytes, through whichever they were written. */
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

/* Untouched pages come zeroed, and are the memfd's from then on. */
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

/* Missing pages come also with a descriptor that could not ask for them itself. */
TEST_F(backing, untouched_and_read_only)
{
	char path[64];
	int readonly;
	void *mem;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->memfd);
	ASSERT_GIVES(readonly, xopen(path, O_RDONLY));
	EXPECT_REFUSED(EBADF, sysret(fallocate(readonly, 0, 0, (off_t)self->size)));
	ASSERT_GIVES(fd, create(self->dev, readonly, 0, self->size));
	close(readonly);

	ASSERT_EQ(0, map_rw(fd, self->size, &mem));
	EXPECT_EQ(self->size, zero_check(mem, self->size));
	expect_coherent(_metadata, self->mem, mem, self->size, 14);
	munmap(mem, self->size);
	close(fd);
}

static void signal_ignored(int sig)
{
}

#define SIGNAL_ROUNDS	32

/*
 * A program that is sent signals all the time, and whose handler does not have
 * calls restarted, gets its buffer.
 */
TEST_F(backing, untouched_and_signalled)
{
	static const struct itimerval often = { { 0, 200 }, { 0, 200 } }, never;
	struct sigaction act = { .sa_handler = signal_ignored }, before;
	int fds[SIGNAL_ROUNDS], i;

	ASSERT_EQ(0, sigaction(SIGALRM, &act, &before));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	for (i = 0; i < SIGNAL_ROUNDS; i++) {
		/* The memfd has nothing again; a buffer would keep its pages. */
		while (fallocate(self->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 0, (off_t)self->size) && errno == EINTR)
			;
		fds[i] = create(self->dev, self->memfd, 0, self->size);
		if (fds[i] >= 0)
			close(fds[i]);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &before, NULL);

	for (i = 0; i < SIGNAL_ROUNDS; i++)
		EXPECT_LE(0, fds[i]);
}

/* The same for pages that the memfd has set aside, still untouched. */
TEST_F(backing, reserved)
{
	void *mem;
	int fd;

	ASSERT_EQ(0, fallocate(self->memfd, 0, 0, (off_t)self->size));
	ASSERT_GIVES(fd, create(self->dev, self->memfd, 0, self->size));
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
	/* Transparent huge pages are asked for, but not promised. */
	most = (long)(self->size / batch) + 4;
	if (pmd && !variant->thp)
		most = (long)(self->size / HUGE_SIZE) + 4;
	TH_LOG("%ld faults for %zu pages", faults, self->size / page);
	EXPECT_LE(faults, most);
	munmap(area, reserve);
	munmap(mem, self->size);
	close(fd);
}

/*
 * Where mmap(2) may choose the place, it is one that a PMD can map: not by chance,
 * so there are several, with something else between them.
 */
TEST_F(backing, is_placed_for_huge_pages)
{
	size_t page = page_size();
	void *mem[4], *between[4];
	int fd;

	if (sizeof(void *) < 8 || access(THP_SHMEM, F_OK))
		SKIP(return, "no huge pages");
	if (self->size < 2 * HUGE_SIZE)
		SKIP(return, "too small to matter");
	ASSERT_GIVES(fd, create(self->dev, self->memfd, 0, self->size));
	for (size_t i = 0; i < ARRAY_SIZE(mem); i++) {
		size_t from = (i & 1) * page;

		/* From a page of the buffer on: the same page of a huge one. */
		ASSERT_EQ(0, map_fd(fd, self->size - from, PROT_READ, MAP_SHARED,
				    (off_t)from, &mem[i]));
		EXPECT_EQ(from, (uintptr_t)mem[i] % HUGE_SIZE);
		between[i] = mmap(NULL, (2 * i + 3) * page, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(MAP_FAILED, between[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(mem); i++) {
		munmap(mem[i], self->size - (i & 1) * page);
		munmap(between[i], (2 * i + 3) * page);
	}
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
