// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the pool of the system heap from user space: what sysfs says of it, and
 * that it is emptied before the OOM killer chooses a task.
 */
#include <sched.h>
#include <sys/resource.h>

#include "progress.h"
#include "sys_file.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

#define MIB		0x100000ull
#define TOUCHED_AT_ONCE	(4 * MIB)

static int limit_write(const char *text)
{
	return file_write(HEAP_STATS "system/pool_limit_bytes", text);
}

static int limit_set(long long bytes)
{
	return heap_set_limit("system", bytes);
}

static long long pool_stat(const char *name)
{
	return heap_total("system", name);
}

static bool pool_is_clean(void)
{
	int tries;

	for (tries = 0; tries < 12000 && pool_stat("pool_dirty_bytes"); tries++)
		usleep(10000);
	return !pool_stat("pool_dirty_bytes");
}

/* A folio that is being zeroed when the limit is lowered is freed afterwards. */
static bool pool_is_empty(void)
{
	int tries;

	for (tries = 0; tries < 12000 && pool_stat("pool_bytes"); tries++)
		usleep(10000);
	return !pool_stat("pool_bytes");
}

/* The pool looks on the node of the CPU only: stay on one. */
static int stay_on_one_node(void)
{
	cpu_set_t cpus;

	if (access("/sys/devices/system/node/node1", F_OK))
		return 0;
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	return (int)sysret(sched_setaffinity(0, sizeof(cpus), &cpus));
}

FIXTURE(pool) {
	int heap;
	long long limit;
};

FIXTURE_SETUP(pool)
{
	self->heap = heap_open("system");
	if (self->heap < 0)
		SKIP(return, "no system heap");
	ASSERT_EQ(0, stay_on_one_node());
	self->limit = pool_stat("pool_limit_bytes");
	ASSERT_LE(0, self->limit);
	/* From an empty pool, with room for what a test releases. */
	ASSERT_EQ(0, limit_set(0));
	ASSERT_TRUE(pool_is_empty());
	ASSERT_EQ(0, limit_set(64 * MIB));
}

FIXTURE_TEARDOWN(pool)
{
	limit_set(self->limit);
	close(self->heap);
}

TEST_F(pool, is_a_small_share_of_memory_by_default)
{
	EXPECT_LT(0, self->limit);
	EXPECT_GT(meminfo_bytes("MemTotal") / 8, self->limit);
}

TEST_F(pool, counts_buffers_while_they_live)
{
	long long buffers = pool_stat("buffers"), bytes = pool_stat("allocated_bytes");
	int fd[3], i;

	for (i = 0; i < 3; i++)
		ASSERT_GIVES(fd[i], heap_alloc(self->heap, MIB + 1));
	EXPECT_EQ(buffers + 3, pool_stat("buffers"));
	EXPECT_EQ(bytes + 3 * (long long)(MIB + page_size()), pool_stat("allocated_bytes"));
	for (i = 0; i < 3; i++)
		close(fd[i]);
	EXPECT_EQ(buffers, pool_stat("buffers"));
	EXPECT_EQ(bytes, pool_stat("allocated_bytes"));
}

TEST_F(pool, keeps_what_is_closed_and_hands_it_out_zeroed)
{
	const size_t size = 16 * MIB;
	long long kept, hits;
	void *mem;
	int fd;

	ASSERT_GIVES(fd, heap_alloc(self->heap, size));
	ASSERT_EQ(0, dmabuf_fill(fd, size, 5));
	EXPECT_EQ(0, pool_stat("pool_bytes"));
	close(fd);
	kept = pool_stat("pool_bytes");
	EXPECT_LT(0, kept);
	EXPECT_GE((long long)size, kept);
	EXPECT_TRUE(pool_is_clean());
	EXPECT_EQ(kept, pool_stat("pool_bytes"));

	hits = pool_stat("pool_hits");
	ASSERT_GIVES(fd, heap_alloc(self->heap, size));
	EXPECT_LT(hits, pool_stat("pool_hits"));
	EXPECT_GT(kept, pool_stat("pool_bytes"));
	ASSERT_EQ(0, map_rw(fd, size, &mem));
	EXPECT_EQ(size, zero_check(mem, size));
	munmap(mem, size);
	close(fd);
}

/* Memory that was never mapped was never written, so it is still zero. */
TEST_F(pool, zeroes_nothing_that_was_never_mapped)
{
	const size_t size = 16 * MIB;
	long long kept;
	int fd, i;

	/* The second time from the pool. */
	for (i = 0; i < 2; i++) {
		ASSERT_GIVES(fd, heap_alloc(self->heap, size));
		close(fd);
		EXPECT_EQ(0, pool_stat("pool_dirty_bytes"));
		kept = pool_stat("pool_bytes");
		EXPECT_LT(0, kept);
	}
}

/* Allocate again before the zero thread runs; small pieces it never zeroes. */
TEST_F(pool, hands_out_zeroed_what_was_just_closed)
{
	const size_t sizes[] = { page_size(), 8 * page_size(), 0x30000, 4 * MIB };
	long long hits = pool_stat("pool_hits");
	size_t size;
	void *mem;
	int fd, i;

	for (i = 0; i < 80; i++) {
		size = sizes[i / 20];
		if (i % 20 == 0)
			hits = pool_stat("pool_hits");
		ASSERT_GIVES(fd, heap_alloc(self->heap, size));
		ASSERT_EQ(0, map_rw(fd, size, &mem));
		ASSERT_EQ(size, zero_check(mem, size));
		memset(mem, 0xa5, size);
		munmap(mem, size);
		close(fd);
		if (i % 20 == 19)
			EXPECT_LT(hits, pool_stat("pool_hits"));
	}
}

TEST_F(pool, keeps_to_its_limit)
{
	int fd[8], i;

	ASSERT_EQ(0, limit_set(4 * MIB));
	for (i = 0; i < 8; i++)
		ASSERT_GIVES(fd[i], heap_alloc(self->heap, 2 * MIB));
	for (i = 0; i < 8; i++) {
		close(fd[i]);
		EXPECT_GE(4 * (long long)MIB, pool_stat("pool_bytes"));
	}
	EXPECT_LT(0, pool_stat("pool_bytes"));

	/* Turned off, the pool is empty and stays empty. */
	ASSERT_EQ(0, limit_set(0));
	EXPECT_TRUE(pool_is_clean());
	ASSERT_EQ(0, limit_set(0));
	EXPECT_EQ(0, pool_stat("pool_bytes"));
	ASSERT_GIVES(fd[0], heap_alloc(self->heap, 2 * MIB));
	close(fd[0]);
	EXPECT_EQ(0, pool_stat("pool_bytes"));
}

TEST_F(pool, limit_is_a_number_and_the_rest_is_read_only)
{
	static const char * const read_only[] = {
		"allocated_bytes", "buffers", "pool_bytes", "pool_dirty_bytes",
		"pool_hits", "pool_misses",
	};
	struct stat st;
	char path[256];
	unsigned int i;

	EXPECT_REFUSED(EINVAL, limit_write("plenty"));
	EXPECT_REFUSED(EINVAL, limit_write("-1"));
	EXPECT_REFUSED(EINVAL, limit_write("\n"));
	EXPECT_REFUSED(ERANGE, limit_write("99999999999999999999"));
	EXPECT_EQ(64 * (long long)MIB, pool_stat("pool_limit_bytes"));

	/* A limit above the size of memory is lowered to that. */
	EXPECT_EQ(0, limit_write("18446744073709551615"));
	EXPECT_GE(meminfo_bytes("MemTotal"), pool_stat("pool_limit_bytes"));

	for (i = 0; i < ARRAY_SIZE(read_only); i++) {
		snprintf(path, sizeof(path), HEAP_STATS "system/%s", read_only[i]);
		ASSERT_EQ(0, stat(path, &st));
		EXPECT_EQ(0444u, st.st_mode & 0777);
	}
}

static long long oom_kills(void)
{
	long long kills = -1;
	char line[128];
	FILE *file;

	file = fopen("/proc/vmstat", "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "oom_kill %lld", &kills) == 1)
			break;
	fclose(file);
	return kills;
}

/*
 * Have a child touch @size bytes of memory; return its exit status. The kernel
 * faults in the pages, as for a store: in User Mode Linux a store that faults
 * is two signals and some system calls of the host.
 */
static int child_takes(size_t size)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		char *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		size_t i, len;

		if (mem == MAP_FAILED)
			_exit(2);
		for (i = 0; i < size; i += len) {
			len = size - i < TOUCHED_AT_ONCE ? size - i : TOUCHED_AT_ONCE;
			if (madvise(mem + i, len, MADV_POPULATE_WRITE))
				_exit(3);
			test_progress("bytes touched", i);
		}
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

TEST_F(pool, is_emptied_before_a_task_is_killed)
{
	long long total = meminfo_bytes("MemTotal"), kills = oom_kills(), kept;
	long long available = meminfo_bytes("MemAvailable");
	int fd[64], count, i;

	/* Half of available memory, all in the pool. */
	ASSERT_EQ(0, limit_set(total));
	for (count = 0; count < 64; count++) {
		ASSERT_GIVES(fd[count], heap_alloc(self->heap, (__u64)available / 128));
		test_progress("buffers", (unsigned long)count);
	}
	for (i = 0; i < count; i++) {
		close(fd[i]);
		test_progress("buffers closed", (unsigned long)i);
	}
	kept = pool_stat("pool_bytes");
	EXPECT_LT(available / 3, kept);

	/* It counts as available memory, ... */
	EXPECT_LT(available * 3 / 4, meminfo_bytes("MemAvailable"));

	/* ... and rightly so. */
	EXPECT_EQ(0, child_takes((size_t)available / 100 * 85));
	EXPECT_EQ(kills, oom_kills());
	EXPECT_GT(kept, pool_stat("pool_bytes"));
}

/* Buffers too small for the heap to check each time what is left for others. */
TEST_F(pool, small_buffers_leave_something_too)
{
	long long kills = oom_kills();
	struct rlimit files = { 1 << 16, 1 << 16 };
	int fd, last = -1, n = 0;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	while ((fd = heap_alloc(self->heap, MIB / 2)) >= 0) {
		last = fd;
		n++;
		test_progress("buffers", (unsigned long)n);
	}
	EXPECT_EQ(-ENOMEM, fd);
	EXPECT_EQ(kills, oom_kills());
	EXPECT_LT(64, n);
	while (last > self->heap)
		close(last--);
}

TEST(every_heap_has_totals)
{
	struct dirent *entry;
	DIR *dir;
	int n = 0;

	dir = opendir(DMA_HEAP_DIR);
	if (!dir)
		SKIP(return, "no heaps");
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		EXPECT_LE(0, heap_total(entry->d_name, "buffers"));
		EXPECT_LE(0, heap_total(entry->d_name, "allocated_bytes"));
		n++;
	}
	closedir(dir);
	EXPECT_EQ(n, count_entries(HEAP_STATS));
}

TEST_HARNESS_MAIN
