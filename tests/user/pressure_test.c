// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory runs out, on purpose: by large buffers, by small ones, inside a memory
 * cgroup, and in the middle of an allocation that is killed. The answer is
 * ENOMEM. No task is killed by the kernel, what others have stays as it
 * was, and all of it comes back.
 *
 * And a hundred thousand buffers at once: what one costs, and that closing them
 * gives everything back. A machine that is too small for those, or watches each
 * allocation, opens fewer.
 */
#include "progress.h"
#include "sys_file.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <time.h>

#define MIB		0x100000ll
#define CANARY		(4 * MIB)

/* -------------------------------------------------------------- the machine -- */

static long long oom_kills(void)
{
	return file_read_number("/proc/vmstat", "oom_kill");
}

/*
 * Free pages in the lists of CPUs, which the page allocator does not count as free.
 * It lets these lists grow while much is freed, and shrinks them later, slowly.
 */
static long long memory_of_cpus(void)
{
	FILE *zones = fopen("/proc/zoneinfo", "r");
	long long sum = 0, count;
	char line[128];

	while (zones && fgets(line, sizeof(line), zones))
		if (sscanf(line, " count: %lld", &count) == 1)
			sum += count;
	if (zones)
		fclose(zones);
	return sum * (long long)page_size();
}

/* What a program could have now; caches of names and files are given up first. */
static long long memory_available(void)
{
	file_write("/proc/sys/vm/drop_caches", "3");
	return meminfo_bytes("MemAvailable") + memory_of_cpus();
}

/* A kernel that watches every allocation, and holds back what has been freed. */
static bool memory_is_watched(void)
{
	return access("/sys/kernel/debug/kmemleak", F_OK) == 0;
}

/*
 * Memory is as it was, but for one part in a hundred; where it is watched, for as
 * much again as KASAN keeps in quarantine, which is one part in 32.
 */
static bool memory_returns(long long before)
{
	long long total = meminfo_bytes("MemTotal");
	long long now = 0, slack = total / 100 + (memory_is_watched() ? total / 32 : 0);
	int tries;

	for (tries = 0; tries < 1200; tries++) {
		now = memory_available();
		if (now >= before - slack)
			return true;
		usleep(100000);
	}
	printf("# available: %lld MiB before, %lld MiB now, of these %lld MiB of CPUs\n",
	       before / MIB, now / MIB, memory_of_cpus() / MIB);
	return false;
}

FIXTURE(pressure) {
	int heap;
	long long limit;	/* of the pool */
	long long kills;
	int canary;
	char *memory;		/* the same, of an ordinary program */
	long long available;
};

FIXTURE_SETUP(pressure)
{
	self->heap = heap_open("system");
	if (self->heap < 0)
		SKIP(return, "no system heap");
	self->limit = heap_total("system", "pool_limit_bytes");
	heap_set_limit("system", 0);
	self->kills = oom_kills();

	ASSERT_GIVES(self->canary, heap_alloc(self->heap, CANARY));
	ASSERT_EQ(0, dmabuf_fill(self->canary, CANARY, 77));
	self->memory = mmap(NULL, CANARY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);
	ASSERT_NE(MAP_FAILED, self->memory);
	pattern_fill(self->memory, CANARY, 78);
	self->available = memory_available();
}

FIXTURE_TEARDOWN(pressure)
{
	if (self->heap < 0)
		return;
	EXPECT_EQ(self->kills, oom_kills());
	EXPECT_EQ(0, dmabuf_verify(self->canary, CANARY, 77));
	EXPECT_EQ((size_t)CANARY, pattern_check(self->memory, CANARY, 78));
	EXPECT_TRUE(memory_returns(self->available));
	close(self->canary);
	close(self->heap);
	heap_set_limit("system", self->limit);
}

/* ---------------------------------------------------------- until there is none -- */

/*
 * In a child: buffers of @len until the heap refuses, @rounds times from the
 * start. Exits with the errno; 0 when it was no refusal that ended it.
 */
static __noreturn void allocate_until_refused(int heap, __u64 len, int rounds)
{
	enum { MAX = 4096 };
	static int fds[MAX];
	int n, ret = 0;

	while (rounds--) {
		for (n = 0; n < MAX; n++) {
			ret = heap_alloc(heap, len);
			if (ret < 0)
				break;
			fds[n] = ret;
		}
		if (ret >= 0 || !n)
			_exit(ret >= 0 ? 0 : 127);
		while (n)
			close(fds[--n]);
	}
	_exit(-ret);
}

/* Exit status of such a child; -1 when it was killed. */
static int refusal_of_child(int heap, __u64 len, int rounds, const char *group)
{
	struct rlimit many = { .rlim_cur = 8192, .rlim_max = 8192 };
	pid_t pid = fork();
	int status;

	if (!pid) {
		setrlimit(RLIMIT_NOFILE, &many);
		if (group && file_write_number(group, getpid()))
			_exit(126);
		allocate_until_refused(heap, len, rounds);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(pressure, more_than_memory_is_enomem_and_kills_no_task)
{
	const __u64 lens[] = { 2 * MIB, 33 * MIB + 4096, 300 * MIB };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		EXPECT_EQ(ENOMEM, refusal_of_child(self->heap, lens[i], 1 + i % 2, NULL)) {
			TH_LOG("buffers of %llu bytes", (unsigned long long)lens[i]);
		}
	}
}

TEST_F(pressure, several_at_once_are_refused_and_none_is_killed)
{
	enum { N = 3 };
	pid_t pid[N];
	int i, status;

	for (i = 0; i < N; i++) {
		pid[i] = fork();
		ASSERT_LE(0, pid[i]);
		if (!pid[i])
			_exit(refusal_of_child(self->heap, (9 + i) * MIB, 1, NULL));
	}
	for (i = 0; i < N; i++) {
		ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
		ASSERT_TRUE(WIFEXITED(status));
		EXPECT_EQ(ENOMEM, WEXITSTATUS(status));
	}
}

/* The contiguous heaps run out of their own region, not of other memory. */
TEST_F(pressure, a_region_that_is_full_is_enomem)
{
	int heap = heap_open("default_cma_region");

	if (heap == -ENOENT)
		SKIP(return, "no CMA region");
	ASSERT_LE(0, heap);
	EXPECT_EQ(ENOMEM, refusal_of_child(heap, MIB, 2, NULL));
	close(heap);
}

TEST_F(pressure, a_cgroup_at_its_limit_is_enomem_and_kills_no_task)
{
	char root[] = "/tmp/pressure_XXXXXX", group[64], path[128];

	mkdir("/tmp", 0777);
	if (!mkdtemp(root) || mount("none", root, "cgroup2", 0, NULL))
		SKIP(return, "no cgroups");
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", root);
	if (file_write(path, "+memory"))
		SKIP(goto out, "no memory cgroups");

	snprintf(group, sizeof(group), "%s/small", root);
	ASSERT_EQ(0, mkdir(group, 0755));
	snprintf(path, sizeof(path), "%s/memory.max", group);
	ASSERT_EQ(0, file_write_number(path, 64 * MIB));
	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	EXPECT_EQ(ENOMEM, refusal_of_child(self->heap, 32768, 2, path));
	EXPECT_EQ(ENOMEM, refusal_of_child(self->heap, 3 * MIB, 4, path));
	EXPECT_EQ(ENOMEM, refusal_of_child(self->heap, 63 * MIB, 4, path));
	snprintf(path, sizeof(path), "%s/memory.events", group);
	EXPECT_EQ(0, file_read_number(path, "oom_kill"));
	EXPECT_EQ(0, rmdir(group));
out:
	umount(root);
	rmdir(root);
}

/* ------------------------------------------------------------- killed half-way -- */

/* A child that wants 512 MiB, killed after @us microseconds. */
static int kill_half_way(int heap, unsigned int us)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		heap_alloc(heap, 512 * MIB);
		pause();
		_exit(1);
	}
	if (pid < 0)
		return -errno;
	usleep(us);
	kill(pid, SIGKILL);
	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) ? 0 : -ECHILD;
}

TEST_F(pressure, killed_in_the_middle_of_512_mib)
{
	unsigned int us;

	if (self->available < 700 * MIB)
		SKIP(return, "not so much memory");
	for (us = 500; us < 2000000; us *= 4) {
		ASSERT_EQ(0, kill_half_way(self->heap, us));
		EXPECT_TRUE(memory_returns(self->available)) TH_LOG("after %u us", us);
	}
}

/* ------------------------------------------------------------- a great many of them -- */

#define MANY		100000
#define FEW		2000	/* where every allocation is watched */
#define ROOM_EACH	12000	/* bytes, to be on the safe side */

FIXTURE(many) {
	int heap;
	int count;
	int *fds;
	long buffers;
	long long limit;
};

FIXTURE_SETUP(many)
{
	struct rlimit most = { .rlim_cur = MANY + 1000, .rlim_max = MANY + 1000 };

	self->heap = heap_open("system");
	if (self->heap < 0)
		SKIP(return, "no system heap");
	self->limit = heap_total("system", "pool_limit_bytes");
	heap_set_limit("system", 0);
	self->count = MANY;
	if (memory_is_watched() ||
	    meminfo_bytes("MemAvailable") < (long long)MANY * ROOM_EACH)
		self->count = FEW;
	if (file_read_number("/proc/sys/fs/file-max", NULL) < 2 * MANY)
		ASSERT_EQ(0, file_write_number("/proc/sys/fs/file-max", 2 * MANY));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &most));
	self->fds = calloc(MANY, sizeof(int));
	ASSERT_NE(NULL, self->fds);
	self->buffers = count_buffers();
}

FIXTURE_TEARDOWN(many)
{
	if (self->heap < 0)
		return;
	EXPECT_TRUE(buffers_settle(self->buffers));
	heap_set_limit("system", self->limit);
	close(self->heap);
	free(self->fds);
}

static void open_many(struct __test_metadata *_metadata, struct _test_data_many *self)
{
	int i;

	for (i = 0; i < self->count; i++) {
		ASSERT_GIVES(self->fds[i], heap_alloc(self->heap, 4096));
		test_progress("buffers", (unsigned long)i);
	}
}

static void close_many(struct _test_data_many *self)
{
	int i;

	/* Not in the order in which they came. */
	for (i = 0; i < self->count; i += 2) {
		close(self->fds[i]);
		test_progress("buffers closed", (unsigned long)i);
	}
	for (i = 1; i < self->count; i += 2) {
		close(self->fds[i]);
		test_progress("buffers closed", (unsigned long)i);
	}
}

TEST_F(many, buffers_at_once_and_all_memory_back)
{
	long long before, peak;

	/* The table of descriptors grows, and stays so: that is not ours. */
	open_many(_metadata, self);
	close_many(self);
	ASSERT_TRUE(buffers_settle(self->buffers));

	before = memory_available();
	open_many(_metadata, self);
	peak = before - memory_available();
	EXPECT_EQ(self->buffers + self->count, count_buffers());
	close_many(self);
	EXPECT_TRUE(buffers_settle(self->buffers));
	EXPECT_TRUE(memory_returns(before));

	/* Some pages at least, and the page itself. */
	EXPECT_LT(4096, peak / self->count);
	EXPECT_GT(self->count == MANY ? ROOM_EACH : 10 * ROOM_EACH, peak / self->count);
	if (self->count < MANY) {
		TH_LOG("%d buffers, %lld bytes each", self->count, peak / self->count);
		return;
	}
	printf("# FIGURE peak buffers open at once: %d\n", self->count);
	printf("# FIGURE peak bytes for each of them, its page of 4096 included: %lld\n",
	       peak / self->count);
}

TEST_HARNESS_MAIN
