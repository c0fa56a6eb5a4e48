// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a heap's buffer, mapped: it behaves as that of a shared file.
 *
 * What mmap(2), mprotect(2), mremap(2), munmap(2), madvise(2) and fork(2) do to
 * such a mapping; where it ends; how much of it is huge. What other system calls
 * do with the memory is in heap_memory_test.c.
 */
#include "heap_mapping.h"
#include "sys_file.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif

#define HUGE_SIZE	(2UL << 20)

/* ------------------------------------------------------------------ faults */

static sigjmp_buf fault_jump;
static sig_atomic_t fault_code;

static void fault_caught(int sig, siginfo_t *info, void *context)
{
	(void)context;
	fault_code = info->si_code;
	siglongjmp(fault_jump, sig);
}

/* The signal that touching this byte gives, 0 for none. */
static int touch(char *at, bool write)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO }, segv, bus;
	int sig;

	action.sa_sigaction = fault_caught;
	sigaction(SIGSEGV, &action, &segv);
	sigaction(SIGBUS, &action, &bus);
	sig = sigsetjmp(fault_jump, 1);
	if (!sig) {
		if (write)
			__atomic_fetch_or(at, 0, __ATOMIC_RELAXED);
		else
			(void)__atomic_load_n(at, __ATOMIC_RELAXED);
	}
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return sig;
}

/* Pages of the mapping that have an entry in the page tables, or -errno. */
static long pages_present(const void *mem, size_t size)
{
	size_t page = page_size();
	long present = 0;
	int fd;

	fd = xopen("/proc/self/pagemap", O_RDONLY);
	if (fd < 0)
		return fd;
	for (size_t at = 0; at < size; at += page) {
		off_t where = (off_t)(((uintptr_t)mem + at) / page * sizeof(uint64_t));
		__u64 entry;

		if (pread(fd, &entry, sizeof(entry), where) != sizeof(entry)) {
			present = -EIO;
			break;
		}
		present += entry >> 63;
	}
	close(fd);
	return present;
}

/* "Key:   n kB" of the VMA that starts at @mem, in bytes, or -errno. */
static long long smaps_bytes(const void *mem, const char *key)
{
	long long result = -ENODATA;
	size_t len = strlen(key);
	bool inside = false;
	char line[512];
	FILE *file;

	file = fopen("/proc/self/smaps", "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start == (uintptr_t)mem;
		else if (inside && !strncmp(line, key, len) && line[len] == ':')
			result = strtoll(line + len + 1, NULL, 10) * 1024;
	}
	fclose(file);
	return result;
}

/* Whether smaps lists this flag for the VMA that starts at @mem. */
static bool has_vm_flag(const void *mem, const char *flag)
{
	bool inside = false, found = false;
	char line[512];
	FILE *file;

	file = fopen("/proc/self/smaps", "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start == (uintptr_t)mem;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			found = strstr(line + 8, flag);
	}
	fclose(file);
	return found;
}

/* ---------------------------------------------------------- where it ends */

TEST_F(mapping, ends_where_the_buffer_does)
{
	size_t page = self->page, size = self->size;
	void *mem;

	EXPECT_REFUSED(EINVAL, map_fd(self->fd, size + page, PROT_READ, MAP_SHARED, 0, &mem));
	EXPECT_REFUSED(EINVAL, map_fd(self->fd, page, PROT_READ, MAP_SHARED, (off_t)size, &mem));
	EXPECT_REFUSED(EINVAL, map_fd(self->fd, 2 * page, PROT_READ, MAP_SHARED,
				      (off_t)(size - page), &mem));
	EXPECT_REFUSED(EINVAL, map_fd(self->fd, page, PROT_READ, MAP_SHARED, 1, &mem));
	EXPECT_REFUSED(EINVAL, map_fd(self->fd, 0, PROT_READ, MAP_SHARED, 0, &mem));

	ASSERT_EQ(0, map_fd(self->fd, page, PROT_READ, MAP_SHARED, (off_t)(size - page), &mem));
	EXPECT_EQ(0, touch(mem, false));
	munmap(mem, page);
}

/* Two mappings, one of a part: the part shows that part. */
TEST_F(mapping, offsets)
{
	size_t parts[] = { 1, 15, 16, 17, 511, 512, 513, PAGES - 1 };
	void *mem;

	pattern_fill(self->mem, self->size, 1);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t at = parts[i] * self->page, size = self->size - at;

		ASSERT_EQ(0, map_fd(self->fd, size, PROT_READ, MAP_SHARED, (off_t)at, &mem));
		EXPECT_EQ(0, memcmp(mem, self->mem + at, size));
		munmap(mem, size);
	}
}

/* A buffer does not grow, nor does a mapping of a part of it. */
TEST_F(mapping, does_not_grow)
{
	size_t page = self->page;
	void *mem, *grown;

	ASSERT_EQ(0, map_fd(self->fd, page, PROT_READ | PROT_WRITE, MAP_SHARED,
			    (off_t)(self->size - page), &mem));
	EXPECT_EQ(0, touch(mem, true));
	grown = mremap(mem, page, 2 * page, MREMAP_MAYMOVE);
	EXPECT_EQ(MAP_FAILED, grown);
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, touch(mem, true));
	munmap(mem, page);

	ASSERT_EQ(0, map_rw(self->fd, page, &mem));
	EXPECT_EQ(MAP_FAILED, mremap(mem, page, 2 * page, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	munmap(mem, page);
	EXPECT_TRUE(has_vm_flag(self->mem, "de"));
	EXPECT_TRUE(has_vm_flag(self->mem, "dd"));
	EXPECT_EQ(!variant->ordinary, has_vm_flag(self->mem, "pf"));
}

/* Moving, and shrinking. */
TEST_F(mapping, mremap)
{
	size_t half = self->size / 2 & -self->page;
	char *mem, *target, *moved;
	void *addr;

	pattern_fill(self->mem, self->size, 3);
	ASSERT_EQ(0, map_rw(self->fd, half, &addr));
	mem = addr;
	EXPECT_EQ(half, pattern_check(mem, half, 3));

	/* To a place of another alignment: no huge entry can just be moved. */
	target = mmap(NULL, half + HUGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, target);
	moved = mremap(mem, half, half, MREMAP_MAYMOVE | MREMAP_FIXED, target + self->page);
	ASSERT_EQ(target + self->page, moved);
	EXPECT_EQ(half, pattern_check(moved, half, 3));
	EXPECT_EQ(SIGSEGV, touch(mem, false));

	/* Shrunk, its tail is gone, its head is not. */
	EXPECT_EQ(moved, mremap(moved, half, 4 * self->page, 0));
	EXPECT_EQ(SIGSEGV, touch(moved + 4 * self->page, false));
	EXPECT_EQ(4 * self->page, pattern_check(moved, 4 * self->page, 3));
	munmap(moved, 4 * self->page);
	munmap(target, half + HUGE_SIZE);
}

/* An old size of zero makes a second mapping, which no device memory allows. */
TEST_F(mapping, mremap_does_not_duplicate)
{
	EXPECT_EQ(MAP_FAILED, mremap(self->mem, 0, self->size, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(MAP_FAILED, mremap(self->mem, self->size, self->size,
				     MREMAP_MAYMOVE | MREMAP_DONTUNMAP));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, touch(self->mem, true));
}

/* ---------------------------------------------------------------- in parts */

TEST_F(mapping, partial_munmap)
{
	size_t page = self->page, at = 100 * page;

	pattern_fill(self->mem, self->size, 5);
	ASSERT_EQ(0, munmap(self->mem + at, 3 * page));
	EXPECT_EQ(SIGSEGV, touch(self->mem + at, false));
	EXPECT_EQ(SIGSEGV, touch(self->mem + at + 2 * page, true));
	EXPECT_EQ(at, pattern_check(self->mem, at, 5));
	EXPECT_EQ(0, touch(self->mem + at + 3 * page, true));

	/* The buffer kept what was there. */
	ASSERT_EQ(self->mem + at, mmap(self->mem + at, 3 * page, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_FIXED, self->fd, (off_t)at));
	EXPECT_EQ(self->size, pattern_check(self->mem, self->size, 5));
}

TEST_F(mapping, mprotect)
{
	size_t page = self->page, at = 7 * page;

	pattern_fill(self->mem, self->size, 6);
	ASSERT_EQ(0, mprotect(self->mem + at, page, PROT_READ));
	EXPECT_EQ(0, touch(self->mem + at, false));
	EXPECT_EQ(SIGSEGV, touch(self->mem + at, true));
	EXPECT_EQ(0, touch(self->mem + at - 1, true));
	EXPECT_EQ(0, touch(self->mem + at + page, true));

	ASSERT_EQ(0, mprotect(self->mem, self->size, PROT_NONE));
	EXPECT_EQ(SIGSEGV, touch(self->mem, false));
	EXPECT_EQ(SIGSEGV, touch(self->mem + self->size - 1, false));

	ASSERT_EQ(0, mprotect(self->mem, self->size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(self->size, pattern_check(self->mem, self->size, 6));
	EXPECT_EQ(0, touch(self->mem + at, true));
}

/* Dropping the entries of a shared mapping loses nothing; page frames stay. */
TEST_F(mapping, madvise_dontneed)
{
	pattern_fill(self->mem, self->size, 7);
	if (!variant->ordinary) {
		EXPECT_EQ(-1, madvise(self->mem, self->size, MADV_DONTNEED));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(self->size, pattern_check(self->mem, self->size, 7));
		return;
	}
	ASSERT_EQ(0, madvise(self->mem, self->size, MADV_DONTNEED));
	EXPECT_EQ(0, pages_present(self->mem, self->size));
	EXPECT_EQ(self->size, pattern_check(self->mem, self->size, 7));
	ASSERT_EQ(0, madvise(self->mem + 5 * self->page, self->page, MADV_DONTNEED));
	EXPECT_EQ(self->size, pattern_check(self->mem, self->size, 7));
}

/*
 * What advice there is, for a page, a few, half of the mapping and all of it, as
 * often as it takes to meet pieces of each size at either end. None of it changes
 * a byte, whatever it answers; and it does answer.
 */
TEST_F(mapping, madvise_of_parts)
{
	static const int advice[] = {
		MADV_COLD, MADV_PAGEOUT, MADV_FREE, MADV_WILLNEED, MADV_RANDOM,
		MADV_SEQUENTIAL, MADV_NORMAL, MADV_HUGEPAGE, MADV_COLLAPSE,
		MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_REMOVE,
		MADV_DONTDUMP, MADV_DODUMP, MADV_KEEPONFORK, MADV_WIPEONFORK,
		MADV_DOFORK, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
	};
	static const size_t starts[] = { 0, 1, 3, 17, 100, 255, 511, 513 };
	static const size_t counts[] = { 1, 2, 7, 16, 64, 300 };
	int calls = 0;

	pattern_fill(self->mem, self->size, 71);
	for (size_t i = 0; i < ARRAY_SIZE(advice); i++)
		for (size_t j = 0; j < ARRAY_SIZE(starts); j++)
			for (size_t k = 0; k < ARRAY_SIZE(counts); k++) {
				size_t nr = PAGES - starts[j];

				nr = counts[k] < nr ? counts[k] : nr;
				madvise(self->mem + starts[j] * self->page,
					nr * self->page, advice[i]);
				calls++;
			}
	EXPECT_EQ(self->size, pattern_check(self->mem, self->size, 71));
	/* What is for devices is in no core dump, whatever a program says. */
	EXPECT_EQ(-1, madvise(self->mem, self->size, MADV_DODUMP));
	EXPECT_TRUE(has_vm_flag(self->mem, "dd"));
	TH_LOG("%d times advised", calls);
}

TEST_F(mapping, populate)
{
	/* The pagemap leaves page frames out; there is nothing to populate, either. */
	long want = variant->ordinary ? PAGES : 0;
	void *mem;

	ASSERT_EQ(0, map_fd(self->fd, self->size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_POPULATE, 0, &mem));
	EXPECT_EQ(want, pages_present(mem, self->size));
	munmap(mem, self->size);

	ASSERT_EQ(0, map_fd(self->fd, self->size, PROT_READ, MAP_SHARED, 0, &mem));
	if (variant->ordinary) {
		EXPECT_EQ(0, pages_present(mem, self->size));
		ASSERT_EQ(0, madvise(mem, self->size, MADV_POPULATE_READ));
	}
	EXPECT_EQ(want, pages_present(mem, self->size));
	EXPECT_NE(0, madvise(mem, self->size, MADV_POPULATE_WRITE));
	munmap(mem, self->size);
}

/*
 * Not touched, not mapped; touched, it shows where a leak would be looked for. Page
 * frames are in no count.
 */
TEST_F(mapping, is_resident_when_touched)
{
	long long size = variant->ordinary ? (long long)self->size : 0;

	EXPECT_EQ(0, smaps_bytes(self->mem, "Rss"));
	pattern_fill(self->mem, self->size, 8);
	EXPECT_EQ(size, smaps_bytes(self->mem, "Rss"));
	EXPECT_EQ(size, smaps_bytes(self->mem, "Pss"));
}

/* A buffer is never paged out, so it does not count as what a program has locked. */
TEST_F(mapping, mlock)
{
	long long locked = file_read_number("/proc/self/status", "VmLck:\t");
	void *mem;

	ASSERT_LE(0, locked);
	ASSERT_EQ(0, mlock(self->mem, 20 * self->page));
	EXPECT_LE(variant->ordinary ? 20 : 0, pages_present(self->mem, self->size));
	EXPECT_EQ(locked, file_read_number("/proc/self/status", "VmLck:\t"));
	EXPECT_EQ(0, munlock(self->mem, 20 * self->page));

	ASSERT_EQ(0, mlockall(MCL_FUTURE));
	locked = file_read_number("/proc/self/status", "VmLck:\t");
	ASSERT_EQ(0, map_rw(self->fd, self->size, &mem));
	EXPECT_EQ(locked, file_read_number("/proc/self/status", "VmLck:\t"));
	EXPECT_EQ(0, munlockall());
	munmap(mem, self->size);
}

/* -------------------------------------------------------------------- fork */

TEST_F(mapping, fork_shares)
{
	size_t half = self->size / 2;
	int status;
	pid_t child;

	pattern_fill(self->mem, half, 9);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		bool good = pattern_check(self->mem, half, 9) == half;

		pattern_fill(self->mem, self->size, 10);
		_exit(!good);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(self->size, pattern_check(self->mem, self->size, 10));
}

/* The mapping holds the buffer, a child's as well as ours. */
TEST_F(mapping, outlives_the_descriptor)
{
	int status, sync[2];
	pid_t child;
	char byte;

	ASSERT_EQ(0, pipe(sync));
	pattern_fill(self->mem, self->size, 11);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(self->fd);
		close(sync[1]);
		/* Until the parent has let go of everything. */
		_exit(read(sync[0], &byte, 1) ||
		      pattern_check(self->mem, self->size, 11) != self->size);
	}
	close(sync[0]);
	munmap(self->mem, self->size);
	close(self->fd);
	close(sync[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_GIVES(self->fd, xopen("/dev/null", O_RDONLY));
}

/* A mistake, which is refused but for a single page of the system heap. */
TEST_F(mapping, private)
{
	const int rw = PROT_READ | PROT_WRITE;
	void *addr;
	char *mem;
	int ret;

	pattern_fill(self->mem, self->size, 12);
	EXPECT_EQ(-EINVAL, map_fd(self->fd, self->size, rw, MAP_PRIVATE, 0, &addr));
	EXPECT_EQ(-EINVAL, map_fd(self->fd, self->size, PROT_READ, MAP_PRIVATE, 0,
				  &addr));
	ret = map_fd(self->fd, self->page, rw, MAP_PRIVATE, 0, &addr);
	if (!variant->ordinary) {
		EXPECT_EQ(-EINVAL, ret);
		return;
	}
	ASSERT_EQ(0, ret);
	mem = addr;

	/* Sees the buffer until it writes. */
	EXPECT_EQ(self->page, pattern_check(mem, self->page, 12));
	self->mem[0] ^= 1;
	EXPECT_EQ(self->mem[0], mem[0]);
	memset(mem, 0xee, self->page);
	EXPECT_NE((char)0xee, self->mem[1]);
	self->mem[0] ^= 1;
	EXPECT_EQ((char)0xee, mem[0]);
	EXPECT_EQ(self->size, pattern_check(self->mem, self->size, 12));
	ASSERT_EQ(0, madvise(mem, self->page, MADV_DONTNEED));
	EXPECT_EQ(self->mem[0], mem[0]);
	munmap(mem, self->page);
}

/* ------------------------------------------------------------- permissions */

TEST_F(mapping, of_a_read_only_descriptor)
{
	void *mem;
	int fd;

	ASSERT_GIVES(fd, heap_alloc_flags(self->heap, self->size, O_RDONLY | O_CLOEXEC, 0));
	EXPECT_REFUSED(EACCES, map_rw(fd, self->size, &mem));
	EXPECT_REFUSED(EACCES, map_fd(fd, self->size, PROT_WRITE, MAP_SHARED, 0, &mem));
	ASSERT_EQ(0, map_fd(fd, self->size, PROT_READ, MAP_SHARED, 0, &mem));
	EXPECT_EQ(self->size, zero_check(mem, self->size));
	EXPECT_EQ(SIGSEGV, touch(mem, true));
	EXPECT_EQ(-1, mprotect(mem, self->size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	munmap(mem, self->size);
	close(fd);
}

TEST_F(mapping, of_a_write_only_descriptor)
{
	void *mem;
	int fd;

	ASSERT_GIVES(fd, heap_alloc_flags(self->heap, self->size, O_WRONLY | O_CLOEXEC, 0));
	/* A mapping can always be read, so there is none. */
	EXPECT_REFUSED(EACCES, map_fd(fd, self->size, PROT_WRITE, MAP_SHARED, 0, &mem));
	EXPECT_REFUSED(EACCES, map_rw(fd, self->size, &mem));
	close(fd);
}

/* -------------------------------------------------------------- huge pages */

/*
 * Where a mapping is aligned and the buffer large, most of it consists of huge
 * entries, if the kernel has any. How much memory comes in huge pieces is up
 * to the page allocator, so only their use is asked for, not their number.
 */
TEST_F(mapping, huge_entries_are_used)
{
	size_t size = 32 * HUGE_SIZE;
	struct rusage before, after;
	long faults;
	char *area, *mem;
	int fd;

	if (access("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", F_OK))
		SKIP(return, "no huge pages");
	fd = heap_alloc(self->heap, size);
	if (fd == -ENOMEM)
		SKIP(return, "no memory");
	ASSERT_LE(0, fd);
	area = mmap(NULL, size + HUGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, area);
	mem = (char *)(((uintptr_t)area + HUGE_SIZE - 1) & -HUGE_SIZE);
	ASSERT_EQ(mem, mmap(mem, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0));

	ASSERT_EQ(0, getrusage(RUSAGE_SELF, &before));
	for (size_t at = 0; at < size; at += self->page)
		mem[at] = (char)(at / self->page);
	ASSERT_EQ(0, getrusage(RUSAGE_SELF, &after));
	faults = after.ru_minflt - before.ru_minflt;
	TH_LOG("%ld faults for %zu pages, %lld bytes by huge entries", faults,
	       size / self->page, smaps_bytes(mem, "FilePmdMapped"));
	EXPECT_LE(faults, (long)(size / self->page / 8));

	/* One page of a huge entry changes its protection, one goes away. */
	ASSERT_EQ(0, mprotect(mem + 3 * self->page, self->page, PROT_READ));
	EXPECT_EQ(SIGSEGV, touch(mem + 3 * self->page, true));
	ASSERT_EQ(0, munmap(mem + HUGE_SIZE + self->page, self->page));
	EXPECT_EQ(SIGSEGV, touch(mem + HUGE_SIZE + self->page, false));
	for (size_t at = 0; at < size; at += self->page) {
		if (at == HUGE_SIZE + self->page)
			continue;
		ASSERT_EQ((char)(at / self->page), mem[at]);
	}
	munmap(mem, size);
	munmap(area, size + HUGE_SIZE);
	close(fd);
}

TEST_HARNESS_MAIN
