// SPDX-License-Identifier: GPL-2.0-only
/*
 * A heap takes what it can get while other programs work: with swap, whose free
 * space is of no use when there is little to put there, and without. The heap says
 * ENOMEM; the others go on, with their data, and no task is killed.
 *
 * Swap is what the machine has, else a zram device that is not in use, of 1 GiB.
 */
#include "sys_file.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/swap.h>

#define MIB		0x100000ll
#define ZRAM		"/sys/block/zram0/"
#define ZRAM_NODE	"/dev/zram0"
#define SWAP_SIZE	(1024 * MIB)

/* Some programs that have little memory, as a system without a desktop has. */
#define WORKERS		4
#define WORKER_SIZE	(9 * MIB)

/* How often a program goes on in spite of ENOMEM. */
#define DEAF_TRIES	1000

/* What a worker has to get done after the heap has said no. */
#define ROUNDS		3

static long long oom_kills(void)
{
	return file_read_number("/proc/vmstat", "oom_kill");
}

/*
 * How many pages are free, even when the watermarks are boosted as far as they
 * may be: by one and a half times the high one. Below the lowest an ordinary
 * task gets none. What CPUs keep goes back when a task finds nothing else.
 */
static long long pages_left(void)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	long long left = 0, boost = 0, value;
	char line[256], word[32];

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, " pages free %lld", &value) == 1 ||
		    sscanf(line, " count: %lld", &value) == 1)
			left += value;
		else if (sscanf(line, " %31[a-z] %lld", word, &value) != 2)
			continue;
		else if (!strcmp(word, "boost"))
			boost = value;
		else if (!strcmp(word, "min"))
			left -= value - boost;
		else if (!strcmp(word, "high"))
			left -= (value - boost) * 3 / 2;
	}
	fclose(file);
	return left;
}

/* The header as mkswap(8) writes it. */
static int swap_format(const char *node)
{
	size_t size = page_size();
	char *page = calloc(1, size);
	__u32 *info = (__u32 *)(page + 1024);
	int fd, ret;

	info[0] = 1;
	info[1] = SWAP_SIZE / size - 1;
	memcpy(page + size - 10, "SWAPSPACE2", 10);
	fd = xopen(node, O_WRONLY);
	if (fd < 0)
		return fd;
	ret = (int)sysret(write(fd, page, size));
	close(fd);
	free(page);
	return ret < 0 ? ret : 0;
}

/* Memory that others have: each worker changes all of its own, round after round. */
struct work {
	volatile bool stop;
	volatile unsigned int rounds[WORKERS];
	volatile unsigned int broken;
};

FIXTURE(swap) {
	int heap;
	bool own;		/* the zram device was set up here */
	long long kills;
	long long limit;	/* of the pool */
	struct work *work;
	pid_t worker[WORKERS];
};

FIXTURE_VARIANT(swap) {
	bool swap;
	const char *group_max;
};

FIXTURE_VARIANT_ADD(swap, with) { .swap = true };
FIXTURE_VARIANT_ADD(swap, without) { .swap = false };
FIXTURE_VARIANT_ADD(swap, with_and_a_memory_cgroup) {
	.swap = true, .group_max = "64M",
};

static void worker_run(struct work *work, int index)
{
	size_t words = WORKER_SIZE / sizeof(__u64), i;
	__u64 *memory, round = 0, value = 88172645463325252ull + index;

	memory = mmap(NULL, WORKER_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		_exit(1);
	/* Half of it cannot be compressed. */
	for (i = 0; i < words; i += 2) {
		value ^= value << 13;
		value ^= value >> 7;
		value ^= value << 17;
		memory[i] = value;
	}
	while (!work->stop) {
		/* Words of odd index count the rounds; twice in each page. */
		for (i = 1; i < words; i += page_size() / 16) {
			if (memory[i] != round)
				work->broken++;
			memory[i] = round + 1;
		}
		round++;
		work->rounds[index]++;
		sched_yield();
	}
	_exit(0);
}

FIXTURE_SETUP(swap)
{
	char line[16];
	int i;

	self->work = MAP_FAILED;
	self->heap = heap_open("system");
	if (self->heap < 0)
		SKIP(return, "no system heap");
	if (!variant->swap && meminfo_bytes("SwapTotal"))
		SKIP(return, "there is swap");
	if (variant->swap && !meminfo_bytes("SwapTotal")) {
		if (file_read(ZRAM "disksize", line, sizeof(line)) ||
		    strcmp(line, "0"))
			SKIP(return, "neither swap nor an unused zram device");
		ASSERT_EQ(0, file_write_number(ZRAM "disksize", SWAP_SIZE));
		self->own = true;
		ASSERT_EQ(0, swap_format(ZRAM_NODE));
		ASSERT_EQ(0, swapon(ZRAM_NODE, 0));
	}
	self->limit = heap_total("system", "pool_limit_bytes");
	heap_set_limit("system", 0);
	self->kills = oom_kills();

	self->work = mmap(NULL, sizeof(*self->work), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->work);
	for (i = 0; i < WORKERS; i++) {
		self->worker[i] = fork();
		ASSERT_LE(0, self->worker[i]);
		if (!self->worker[i])
			worker_run(self->work, i);
	}
	for (i = 0; i < WORKERS; i++)
		while (!self->work->rounds[i])
			usleep(10000);
}

FIXTURE_TEARDOWN(swap)
{
	int i, status;

	if (self->work == MAP_FAILED)
		return;
	self->work->stop = true;
	for (i = 0; i < WORKERS; i++) {
		EXPECT_EQ(self->worker[i], waitpid(self->worker[i], &status, 0));
		EXPECT_TRUE(WIFEXITED(status) && !WEXITSTATUS(status));
	}
	EXPECT_EQ(0, self->work->broken);
	EXPECT_EQ(self->kills, oom_kills());
	heap_set_limit("system", self->limit);
	if (self->own) {
		EXPECT_EQ(0, swapoff(ZRAM_NODE));
		EXPECT_EQ(0, file_write(ZRAM "reset", "1"));
	}
	close(self->heap);
}

/* Each worker does some more; false when one is gone. */
static bool workers_go_on(struct work *work, const pid_t *worker)
{
	unsigned int want[WORKERS];
	int i, status;

	for (i = 0; i < WORKERS; i++)
		want[i] = work->rounds[i] + ROUNDS;
	for (i = 0; i < WORKERS; i++) {
		while ((int)(want[i] - work->rounds[i]) > 0) {
			if (waitpid(worker[i], &status, WNOHANG))
				return false;
			usleep(10000);
		}
	}
	return true;
}

/*
 * In a child: buffers until the heap refuses, or has refused so many times more,
 * held until a byte comes.
 */
static __noreturn void take_all(int heap, __u64 len, int deaf, int report,
				int go_on)
{
	struct rlimit many = { .rlim_cur = 262144, .rlim_max = 262144 };
	int ret = 0, n = 0;
	char byte;

	setrlimit(RLIMIT_NOFILE, &many);
	while (n < 262000) {
		ret = heap_alloc(heap, len);
		if (ret >= 0)
			n++;
		else if (ret != -ENOMEM || !deaf--)
			break;
	}
	ret = ret < 0 ? -ret : 0;
	if (write(report, &ret, sizeof(ret)) != sizeof(ret) ||
	    read(go_on, &byte, 1) < 0)
		_exit(1);
	_exit(0);
}

/*
 * The refusal, as errno; the workers have gone on while the buffers lived.
 * @left is how many pages there were then.
 */
static int take_beside_workers(int heap, __u64 len, int deaf, const char *group,
			       struct work *work, const pid_t *worker,
			       long long *left)
{
	int report[2], go_on[2], ret = -1, status;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) || pipe2(go_on, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		close(report[0]);
		close(go_on[1]);
		if (group && file_write_number(group, getpid()))
			_exit(126);
		take_all(heap, len, deaf, report[1], go_on[0]);
	}
	close(report[1]);
	close(go_on[0]);
	if (read(report[0], &ret, sizeof(ret)) != sizeof(ret))
		ret = -2;
	else if (!workers_go_on(work, worker))
		ret = -3;
	*left = pages_left();
	close(go_on[1]);
	close(report[0]);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
	    WEXITSTATUS(status))
		return -4;
	return ret;
}

TEST_F_TIMEOUT(swap, no_task_is_killed, 900)
{
	const __u64 lens[] = { 2 * MIB, 33 * MIB + 4096, 64 * 1024, 300 * MIB };
	char root[] = "/tmp/swap_XXXXXX", path[128], *group = NULL;
	long long left;
	size_t i;

	if (variant->group_max) {
		mkdir("/tmp", 0777);
		if (!mkdtemp(root) || mount("none", root, "cgroup2", 0, NULL))
			SKIP(return, "no cgroups");
		snprintf(path, sizeof(path), "%s/cgroup.subtree_control", root);
		if (file_write(path, "+memory"))
			SKIP(return, "no memory cgroups");
		snprintf(path, sizeof(path), "%s/small", root);
		ASSERT_EQ(0, mkdir(path, 0755));
		snprintf(path, sizeof(path), "%s/small/memory.max", root);
		ASSERT_EQ(0, file_write(path, variant->group_max));
		snprintf(path, sizeof(path), "%s/small/cgroup.procs", root);
		group = path;
	}
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		EXPECT_EQ(ENOMEM, take_beside_workers(self->heap, lens[i], 0, group,
						      self->work, self->worker,
						      &left)) {
			TH_LOG("buffers of %llu bytes", (unsigned long long)lens[i]);
		}
		EXPECT_EQ(self->kills, oom_kills());
	}
	if (group) {
		snprintf(path, sizeof(path), "%s/small/memory.events", root);
		EXPECT_EQ(0, file_read_number(path, "oom_kill"));
		snprintf(path, sizeof(path), "%s/small", root);
		EXPECT_EQ(0, rmdir(path));
		umount(root);
		rmdir(root);
	}
}

/*
 * A program does not listen to ENOMEM, and its buffers are so small that the heap
 * does not look for each of them how much is left. Of buffers of one page most of the
 * memory would be that of files and inodes, which is for a limit of descriptors to bound.
 */
TEST_F_TIMEOUT(swap, no_task_is_killed_by_one_that_goes_on, 900)
{
	const __u64 len = 1020 * 1024;
	long long left;

	if (variant->group_max)
		SKIP(return, "its own group would stop it");
	EXPECT_EQ(ENOMEM, take_beside_workers(self->heap, len, DEAF_TRIES, NULL,
					      self->work, self->worker, &left));
	EXPECT_EQ(self->kills, oom_kills());
}

/* In a child: programs that want so much memory start and end. */
static void come_and_go(struct work *work, size_t size)
{
	void *memory;
	int status;
	pid_t pid;

	while (!work->stop) {
		pid = fork();
		if (!pid) {
			memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
			_exit(memory == MAP_FAILED);
		}
		if (waitpid(pid, &status, 0) != pid || status)
			_exit(1);
	}
	_exit(0);
}

/*
 * As above, while others want half of what the heap is to leave to them. One
 * may be out of memory at any moment of an allocation, and between two of them.
 */
TEST_F_TIMEOUT(swap, no_task_is_killed_that_comes_and_goes, 900)
{
	const __u64 len = 1020 * 1024;
	long long size = meminfo_bytes("MemTotal") / 256, left;
	int status;
	pid_t pid;

	if (variant->group_max)
		SKIP(return, "its own group would stop it");
	if (size > 16 * MIB)
		size = 16 * MIB;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		come_and_go(self->work, size);
	EXPECT_EQ(ENOMEM, take_beside_workers(self->heap, len, DEAF_TRIES, NULL,
					      self->work, self->worker, &left));
	EXPECT_EQ(self->kills, oom_kills());
	self->work->stop = true;
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status) && !WEXITSTATUS(status));
}

/*
 * When the heap has said no, others find most of what it is to leave them,
 * 1/128 of memory, also after the watermarks have risen. Small buffers are
 * those of which not each is checked, and of which the inodes take much.
 */
TEST_F_TIMEOUT(swap, something_is_left_to_others, 900)
{
	const __u64 lens[] = { 1020 * 1024, 2 * MIB, 64 * 1024 };
	const long long want = meminfo_bytes("MemTotal") / (long long)page_size() / 128 * 3 / 4;
	long long left;
	size_t i;

	if (variant->swap)
		SKIP(return, "what is left is there to be filled from swap");
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		EXPECT_EQ(ENOMEM, take_beside_workers(self->heap, lens[i], 0, NULL,
						      self->work, self->worker, &left));
		EXPECT_LE(want, left) {
			TH_LOG("buffers of %llu bytes", (unsigned long long)lens[i]);
		}
	}
	EXPECT_EQ(self->kills, oom_kills());
}

TEST_HARNESS_MAIN
