// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of how buffers of heaps are charged to memory cgroups, from user space.
 *
 * A heap is a fixture variant by name. Nothing is charged if the kernel was booted with
 * dma_heap.mem_accounting=0; then that is what is tested, and the rest skipped.
 */
#include "sys_file.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define MIB		0x100000ull

/* Counters of cgroups are kept in batches; so many bytes are within reason. */
#define SLACK		(2 * (long long)MIB)

#define MEM_ACCOUNTING	"/sys/module/dma_heap/parameters/mem_accounting"

static char cgroot[64];

static int cg_write(const char *group, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s/%s", cgroot, group, name);
	return file_write(path, text);
}

/* A number in a file of a group; after @key if that is not NULL. */
static long long cg_read(const char *group, const char *name, const char *key)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s/%s", cgroot, group, name);
	return file_read_number(path, key);
}

static long long cg_current(const char *group)
{
	return cg_read(group, "memory.current", NULL);
}

static int cg_set(const char *group, const char *name, long long bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", bytes);
	return cg_write(group, name, text);
}

static int cg_move(const char *group, pid_t pid)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", pid);
	return cg_write(group, "cgroup.procs", text);
}

static int cg_make(const char *group)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", cgroot, group);
	return mkdir(path, 0755) ? -errno : 0;
}

/* A group is busy for a moment after its last process has gone. */
static int cg_remove(const char *group)
{
	char path[256];
	int tries;

	snprintf(path, sizeof(path), "%s/%s", cgroot, group);
	for (tries = 0; rmdir(path); tries++) {
		if (errno != EBUSY || tries == 500)
			return -errno;
		usleep(10000);
	}
	return 0;
}

/* As fork(2), with the child in a group before it does anything. */
static pid_t cg_fork(const char *group)
{
	int go[2], ret;
	char byte = 0;
	pid_t pid;

	if (pipe(go))
		return -errno;
	pid = fork();
	if (!pid) {
		close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		close(go[0]);
		return 0;
	}
	close(go[0]);
	ret = cg_move(group, pid);
	if (!ret && write(go[1], &byte, 1) != 1)
		ret = -EPIPE;
	close(go[1]);
	return ret ?: pid;
}

/* Into a group below, so that this one may have others. */
static int cg_push_down(const char *group, pid_t pid)
{
	char leaf[256];

	snprintf(leaf, sizeof(leaf), "%s/leaf", group);
	return cg_make(leaf) ?: cg_move(leaf, pid) ?:
	       cg_write(group, "cgroup.subtree_control", "+memory");
}

/* Without the effective capability, as a service that never had it. */
static int drop_capability(int number)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[number / 32].effective &= ~(1u << number % 32);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/* Each test is a process with a mount of its own. */
static bool cg_mount(void)
{
	if (!cgroot[0]) {
		mkdir("/tmp", 0777);
		snprintf(cgroot, sizeof(cgroot), "/tmp/heap_charge_XXXXXX");
		if (!mkdtemp(cgroot) || mount("none", cgroot, "cgroup2", 0, NULL))
			return false;
	}
	return !cg_write(".", "cgroup.subtree_control", "+memory");
}

/* 'Y', 'N', or -errno. */
static int mem_accounting(void)
{
	char answer[8];
	int ret = file_read(MEM_ACCOUNTING, answer, sizeof(answer));

	return ret ?: answer[0];
}

FIXTURE(charge) {
	int heap;
	char group[64];
	pid_t child;
	int to_child;
	int from_child;
};

FIXTURE_VARIANT(charge) {
	const char *heap;
	/* With the switch in this position. */
	char accounting;
};

FIXTURE_VARIANT_ADD(charge, system) { "system", 'Y' };
FIXTURE_VARIANT_ADD(charge, cma) { "default_cma_region", 'Y' };
FIXTURE_VARIANT_ADD(charge, off) { "system", 'N' };

/* Serve the test in the child: each order is a size, each answer a result. */
static void child_serve(int heap, int orders, int answers)
{
	long long len, answer;
	int fd = -1;

	while (read(orders, &len, sizeof(len)) == sizeof(len)) {
		if (fd >= 0)
			close(fd);
		fd = -1;
		answer = 0;
		if (len) {
			fd = heap_alloc(heap, (__u64)len);
			answer = fd < 0 ? fd : 0;
		}
		if (write(answers, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(0);
}

/* Have the child allocate @len bytes, after it closed what it had; 0 or -errno. */
static long long child_alloc(int to_child, int from_child, long long len)
{
	long long answer;

	if (write(to_child, &len, sizeof(len)) != sizeof(len) ||
	    read(from_child, &answer, sizeof(answer)) != sizeof(answer))
		return -EPIPE;
	return answer;
}

FIXTURE_SETUP(charge)
{
	int orders[2], answers[2];
	char text[256];

	if (mem_accounting() != variant->accounting)
		SKIP(return, "mem_accounting is not %c", variant->accounting);
	if (!cg_mount())
		SKIP(return, "no memory cgroups");
	self->heap = heap_open(variant->heap);
	if (self->heap < 0)
		SKIP(return, "no heap named %s", variant->heap);

	snprintf(self->group, sizeof(self->group), "charge%d", getpid());
	snprintf(text, sizeof(text), "%s/%s", cgroot, self->group);
	ASSERT_EQ(0, mkdir(text, 0755));
	ASSERT_EQ(0, pipe(orders));
	ASSERT_EQ(0, pipe(answers));
	self->child = fork();
	ASSERT_LE(0, self->child);
	if (!self->child) {
		close(orders[1]);
		close(answers[0]);
		child_serve(self->heap, orders[0], answers[1]);
	}
	close(orders[0]);
	close(answers[1]);
	self->to_child = orders[1];
	self->from_child = answers[0];
	snprintf(text, sizeof(text), "%d", self->child);
	ASSERT_EQ(0, cg_write(self->group, "cgroup.procs", text));
}

FIXTURE_TEARDOWN(charge)
{
	char path[256];

	if (self->child <= 0)
		return;
	close(self->to_child);
	waitpid(self->child, NULL, 0);
	close(self->from_child);
	close(self->heap);
	snprintf(path, sizeof(path), "%s/leaf", self->group);
	cg_remove(path);
	EXPECT_EQ(0, cg_remove(self->group));
	umount(cgroot);
	rmdir(cgroot);
}

#define CHILD_ALLOC(_len)	child_alloc(self->to_child, self->from_child, _len)

/* What so many bytes are charged. */
#define CHARGED(_bytes)		(variant->accounting == 'Y' ? (long long)(_bytes) : 0)

static int pidfd_of(pid_t pid)
{
	return (int)sysret(syscall(SYS_pidfd_open, pid, 0));
}

static int alloc_charged(int heap, __u64 len, __u32 pidfd)
{
	struct dma_heap_allocation_data_charged data = {
		.len = len,
		.fd_flags = O_RDWR | O_CLOEXEC,
		.charge_pid_fd = pidfd,
	};
	int ret = xioctl(heap, DMA_HEAP_IOCTL_ALLOC_CHARGED, &data);

	return ret < 0 ? ret : (int)data.fd;
}

/* A balance is only up to date when it has settled. */
static bool balance_is(const char *group, long long want)
{
	long long got = 0;
	int tries;

	for (tries = 0; tries < 300; tries++) {
		got = cg_current(group) - want;
		if (got >= -SLACK && got <= SLACK)
			return true;
		usleep(10000);
	}
	printf("# balance is off by %lld\n", got);
	return false;
}

/* On, unless the command line of the kernel says otherwise; and it stays so. */
TEST(the_switch_is_what_the_command_line_says)
{
	char line[4096];

	if (mem_accounting() == -ENOENT)
		SKIP(return, "no switch");
	ASSERT_EQ(0, file_read("/proc/cmdline", line, sizeof(line)));
	EXPECT_EQ(strstr(line, "dma_heap.mem_accounting=0") ? 'N' : 'Y', mem_accounting());
	EXPECT_REFUSED(EACCES, file_write(MEM_ACCOUNTING, "1"));
}

TEST_F(charge, lasts_as_long_as_the_buffer)
{
	long long before = cg_current(self->group);
	int round;

	/* The second time from the pool, which makes no difference. */
	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, CHILD_ALLOC(32 * MIB));
		EXPECT_TRUE(balance_is(self->group, before + CHARGED(32 * MIB)));
		ASSERT_EQ(0, CHILD_ALLOC(0));
		EXPECT_TRUE(balance_is(self->group, before));
	}
}

TEST_F(charge, over_the_limit_is_enomem_and_kills_no_task)
{
	long long before = cg_current(self->group);
	char text[32];
	int i;

	snprintf(text, sizeof(text), "%lld", before + 16 * (long long)MIB);
	ASSERT_EQ(0, cg_write(self->group, "memory.max", text));
	/* As often as would use up a region, if it were taken in spite of it. */
	for (i = 0; i < 4; i++)
		EXPECT_EQ(CHARGED(1) ? -ENOMEM : 0, CHILD_ALLOC(32 * MIB));
	EXPECT_EQ(-ENOMEM, CHILD_ALLOC(5000 * MIB));
	EXPECT_TRUE(balance_is(self->group, before));
	EXPECT_EQ(0, CHILD_ALLOC(8 * MIB));
	EXPECT_EQ(0, CHILD_ALLOC(0));
	EXPECT_EQ(0, cg_read(self->group, "memory.events", "oom_kill"));
	EXPECT_EQ(0, kill(self->child, 0));
}

/* A batch is charged like its buffers, and one that does not fit not at all. */
TEST_F(charge, of_a_batch_is_for_all_or_none)
{
	long long before = cg_current(self->group);
	struct dma_heap_allocation_batch data = {
		.len = 4 * MIB, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	int fds = count_open_fds(), i;
	long buffers = count_buffers();
	__s32 batch[8];

	ASSERT_GIVES(data.charge_pid_fd, pidfd_of(self->child));
	data.fds = (uintptr_t)batch;
	data.count = 4;
	ASSERT_EQ(0, xioctl(self->heap, DMA_HEAP_IOCTL_ALLOC_BATCH, &data));
	EXPECT_TRUE(balance_is(self->group, before + CHARGED(16 * MIB)));
	for (i = 0; i < 4; i++)
		close(batch[i]);
	EXPECT_TRUE(balance_is(self->group, before));

	/* Each would fit, and half of them. */
	ASSERT_EQ(0, cg_set(self->group, "memory.max", before + 16 * (long long)MIB));
	data.count = 8;
	if (CHARGED(1)) {
		EXPECT_REFUSED(ENOMEM, xioctl(self->heap, DMA_HEAP_IOCTL_ALLOC_BATCH, &data));
		EXPECT_TRUE(balance_is(self->group, before));
		EXPECT_TRUE(buffers < 0 || buffers_settle(buffers));
		EXPECT_EQ(0, cg_read(self->group, "memory.events", "oom_kill"));
	}
	close((int)data.charge_pid_fd);
	EXPECT_EQ(fds, count_open_fds());
}

/* What an export allocates meets the limit, too, and must not kill. */
TEST_F(charge, of_a_batch_leaves_room_for_its_buffers)
{
	long long before = cg_current(self->group), spare;
	struct dma_heap_allocation_batch data = {
		.len = page_size(), .fd_flags = O_RDWR | O_CLOEXEC,
		.count = DMA_HEAP_ALLOC_BATCH_MAX,
	};
	static __s32 batch[DMA_HEAP_ALLOC_BATCH_MAX];
	int fds = count_open_fds(), ret, refused = 0;
	long buffers = count_buffers();
	struct rlimit limit;

	if (!CHARGED(1))
		SKIP(return, "buffers are not charged");
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_GIVES(data.charge_pid_fd, pidfd_of(self->child));
	data.fds = (uintptr_t)batch;

	/* The pages fit each time; what comes with them does at the end. */
	for (spare = 512 << 10; spare <= 16 * (long long)MIB; spare += MIB) {
		long long pages = (long long)data.count * page_size();
		unsigned int i;

		ASSERT_EQ(0, cg_set(self->group, "memory.max", before + pages + spare));
		ret = xioctl(self->heap, DMA_HEAP_IOCTL_ALLOC_BATCH, &data);
		if (!ret) {
			for (i = 0; i < data.count; i++)
				close(batch[i]);
			break;
		}
		EXPECT_EQ(-ENOMEM, ret);
		refused++;
		EXPECT_EQ(0, cg_read(self->group, "memory.events", "oom_kill"));
	}
	EXPECT_EQ(0, ret);
	EXPECT_LT(0, refused);
	EXPECT_EQ(0, cg_read(self->group, "memory.events", "oom_kill"));
	EXPECT_EQ(0, kill(self->child, 0));
	EXPECT_TRUE(buffers < 0 || buffers_settle(buffers));
	close((int)data.charge_pid_fd);
	EXPECT_EQ(fds, count_open_fds());
}

/* Nothing is reclaimed for a sum that can never be charged. */
TEST_F(charge, of_a_batch_is_refused_for_the_sum)
{
	struct dma_heap_allocation_batch data = {
		.len = MIB, .fd_flags = O_RDWR | O_CLOEXEC, .count = 64,
	};
	__s32 batch[64];
	long long tries;

	if (!CHARGED(1))
		SKIP(return, "buffers are not charged");
	ASSERT_GIVES(data.charge_pid_fd, pidfd_of(self->child));
	data.fds = (uintptr_t)batch;
	ASSERT_EQ(0, cg_set(self->group, "memory.max", 32 * (long long)MIB));
	tries = cg_read(self->group, "memory.events", "max");
	EXPECT_REFUSED(ENOMEM, xioctl(self->heap, DMA_HEAP_IOCTL_ALLOC_BATCH, &data));
	EXPECT_EQ(tries, cg_read(self->group, "memory.events", "max"));
	close((int)data.charge_pid_fd);
}

TEST_F(charge, may_be_of_another_process)
{
	long long before = cg_current(self->group);
	int pidfd, fd;

	ASSERT_GIVES(pidfd, pidfd_of(self->child));
	ASSERT_GIVES(fd, alloc_charged(self->heap, 32 * MIB, (__u32)pidfd));
	EXPECT_TRUE(balance_is(self->group, before + CHARGED(32 * MIB)));
	close(fd);
	EXPECT_TRUE(balance_is(self->group, before));

	/* The limit of that group applies, too. */
	ASSERT_EQ(0, cg_write(self->group, "memory.max", "16777216"));
	fd = alloc_charged(self->heap, 32 * MIB, (__u32)pidfd);
	if (CHARGED(1))
		EXPECT_REFUSED(ENOMEM, fd);
	else
		EXPECT_WORKS(fd);
	close(fd);
	close(pidfd);
}

TEST_F(charge, is_the_callers_for_no_pidfd)
{
	long long before = cg_current(self->group);
	int fd;

	ASSERT_GIVES(fd, alloc_charged(self->heap, 32 * MIB, 0));
	close(fd);
	ASSERT_GIVES(fd, alloc_charged(self->heap, 32 * MIB, ~0u));
	EXPECT_TRUE(balance_is(self->group, before));
	close(fd);
}

/* What has no memory of its own has no group to pay from: gone, or never there. */
TEST_F(charge, needs_a_pidfd_of_a_living_process)
{
	siginfo_t info;
	pid_t dead;
	int pidfd;

	EXPECT_REFUSED(EBADF, alloc_charged(self->heap, MIB, 4711));
	EXPECT_REFUSED(EBADF, alloc_charged(self->heap, MIB, (__u32)self->heap));

	dead = fork();
	if (!dead) {
		pause();
		_exit(0);
	}
	ASSERT_GIVES(pidfd, pidfd_of(dead));
	kill(dead, SIGKILL);
	/* Its parent has not asked yet what became of it; and then has. */
	ASSERT_EQ(0, waitid(P_PID, (id_t)dead, &info, WEXITED | WNOWAIT));
	EXPECT_REFUSED(ESRCH, alloc_charged(self->heap, MIB, (__u32)pidfd));
	ASSERT_EQ(dead, waitpid(dead, NULL, 0));
	EXPECT_REFUSED(ESRCH, alloc_charged(self->heap, MIB, (__u32)pidfd));
	close(pidfd);
}

TEST_F(charge, needs_a_process_with_memory)
{
	char name[32];
	int pidfd;

	/* The kernel's first thread, unless this is a container. */
	if (file_read("/proc/2/comm", name, sizeof(name)) || strcmp(name, "kthreadd"))
		SKIP(return, "no kernel threads to be seen");
	ASSERT_GIVES(pidfd, pidfd_of(2));
	EXPECT_REFUSED(ESRCH, alloc_charged(self->heap, MIB, (__u32)pidfd));
	close(pidfd);
}

TEST_F(charge, needs_the_right_to_look_into_the_process)
{
	int pidfd, status;
	pid_t pid;

	ASSERT_GIVES(pidfd, pidfd_of(self->child));
	pid = fork();
	if (!pid) {
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(100);
		_exit(-alloc_charged(self->heap, MIB, (__u32)pidfd) & 0x7f);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(EPERM, WEXITSTATUS(status));
	close(pidfd);
}

/*
 * More than the limit is refused without reclaim: the event that counts how often
 * the limit was hit does not happen. Within the limit it is tried.
 */
TEST_F(charge, what_can_never_fit_is_refused_at_once)
{
	long long before = cg_current(self->group), hits;

	if (variant->accounting != 'Y')
		SKIP(return, "nothing is charged");
	ASSERT_EQ(0, CHILD_ALLOC(4 * MIB));
	ASSERT_EQ(0, CHILD_ALLOC(0));
	ASSERT_EQ(0, cg_set(self->group, "memory.max", before + 16 * (long long)MIB));
	hits = cg_read(self->group, "memory.events", "max");
	EXPECT_EQ(-ENOMEM, CHILD_ALLOC(48 * MIB));
	EXPECT_EQ(-ENOMEM, CHILD_ALLOC(4096 * MIB));
	EXPECT_EQ(hits, cg_read(self->group, "memory.events", "max"));

	/* That of a group above counts as well. */
	ASSERT_EQ(0, cg_write(self->group, "memory.max", "max"));
	ASSERT_EQ(0, cg_push_down(self->group, self->child));
	ASSERT_EQ(0, cg_set(self->group, "memory.max", before + 16 * (long long)MIB));
	hits = cg_read(self->group, "memory.events", "max");
	EXPECT_EQ(-ENOMEM, CHILD_ALLOC(48 * MIB));
	EXPECT_EQ(hits, cg_read(self->group, "memory.events", "max"));
	EXPECT_EQ(0, CHILD_ALLOC(8 * MIB));
	EXPECT_EQ(0, CHILD_ALLOC(0));
}

/* ------------------------------------------------------------ pinned pages */

/* A byte of each so many is put into a pipe, which then holds the folio around it. */
#define PIN_STEP	0x10000ull
#define PIN_BUFFER	(2 * MIB)
#define PIN_LIMIT	(32 * (long long)MIB)
#define PIN_BUFFERS	((int)(4 * (unsigned long long)PIN_LIMIT / PIN_BUFFER))
#define PINS_PER_PIPE	256
#define PIN_PIPES	(PIN_BUFFERS * (int)(PIN_BUFFER / PIN_STEP) / PINS_PER_PIPE)

/* Allocate, pin here and there, forget; what the first call that fails says. */
static int pin_and_forget(int heap, int pipe)
{
	struct iovec iov[PIN_BUFFER / PIN_STEP];
	ssize_t n;
	void *mem;
	int fd, ret;

	fd = heap_alloc(heap, PIN_BUFFER);
	if (fd < 0)
		return fd;
	ret = map_rw(fd, PIN_BUFFER, &mem);
	close(fd);
	if (ret)
		return ret;
	for (size_t i = 0; i < ARRAY_SIZE(iov); i++)
		iov[i] = (struct iovec) {
			.iov_base = (char *)mem + i * PIN_STEP, .iov_len = 1,
		};
	n = sysret(vmsplice(pipe, iov, ARRAY_SIZE(iov), SPLICE_F_NONBLOCK));
	munmap(mem, PIN_BUFFER);
	return n < 0 ? (int)n : n == (ssize_t)ARRAY_SIZE(iov) ? 0 : -EAGAIN;
}

struct pin_result {
	int buffers;
	int ret;
};

/* As an ordinary user, in the group, until there is no more to be had. */
static void pin_all(int heap, int pipes[][2], int answers)
{
	struct pin_result result = {};
	int per_pipe = PINS_PER_PIPE / (int)(PIN_BUFFER / PIN_STEP);

	if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
		_exit(1);
	while (!result.ret && result.buffers < PIN_BUFFERS) {
		result.ret = pin_and_forget(heap, pipes[result.buffers / per_pipe][1]);
		if (!result.ret)
			result.buffers++;
	}
	if (write(answers, &result, sizeof(result)) != sizeof(result))
		_exit(1);
	pause();
	_exit(0);
}

static void close_pipes(int pipes[][2])
{
	for (int i = 0; i < PIN_PIPES; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}

/* Pipes large enough, all of them, or -errno. */
static int open_pipes(int pipes[][2])
{
	for (int i = 0; i < PIN_PIPES; i++)
		if (pipe(pipes[i]) ||
		    fcntl(pipes[i][1], F_SETPIPE_SZ, PINS_PER_PIPE * (int)page_size()) < 0)
			return -errno;
	return 0;
}

/*
 * A pipe keeps pages of buffers that are gone: they stay charged, so that the limit
 * holds. When the pipe lets them go the charge is gone too, as often as you like.
 */
TEST_F(charge, lasts_as_long_as_pages_are_pinned)
{
	int pipes[PIN_PIPES][2], answers[2], round;
	struct pin_result result;
	long long before;
	pid_t pid;

	if (variant->accounting != 'Y' || strcmp(variant->heap, "system"))
		SKIP(return, "nothing is charged, or can be pinned");
	before = cg_current(self->group);
	ASSERT_EQ(0, cg_set(self->group, "memory.max", before + PIN_LIMIT));
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, open_pipes(pipes));
		ASSERT_EQ(0, pipe(answers));
		pid = cg_fork(self->group);
		ASSERT_LE(0, pid);
		if (!pid)
			pin_all(self->heap, pipes, answers[1]);
		close(answers[1]);
		ASSERT_EQ((ssize_t)sizeof(result), read(answers[0], &result, sizeof(result)));
		close(answers[0]);

		TH_LOG("%d buffers of 2 MiB, then %s", result.buffers, strerror(-result.ret));
		EXPECT_EQ(-ENOMEM, result.ret);
		EXPECT_LE(4, result.buffers);
		EXPECT_GE(PIN_LIMIT, result.buffers * (long long)PIN_BUFFER);
		EXPECT_LE(result.buffers * (long long)PIN_BUFFER - SLACK,
			  cg_current(self->group) - before);

		/* The process may go, and the charge does not. */
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
		EXPECT_TRUE(balance_is(self->group, before +
				       result.buffers * (long long)PIN_BUFFER));
		close_pipes(pipes);
		EXPECT_TRUE(balance_is(self->group, before));
	}
	EXPECT_EQ(0, cg_read(self->group, "memory.events", "oom_kill"));
}

/* The group may go as well: what is left is charged to its parent. */
TEST_F(charge, of_pinned_pages_outlives_the_group)
{
	int pipes[PIN_PIPES][2], answers[2];
	struct pin_result result;
	long long before;
	char text[64];
	pid_t pid;

	if (variant->accounting != 'Y' || strcmp(variant->heap, "system"))
		SKIP(return, "nothing is charged, or can be pinned");
	before = cg_current(self->group);
	ASSERT_EQ(0, cg_push_down(self->group, self->child));
	snprintf(text, sizeof(text), "%s/brief", self->group);
	ASSERT_EQ(0, cg_make(text));
	ASSERT_EQ(0, cg_set(text, "memory.max", PIN_LIMIT));
	ASSERT_EQ(0, open_pipes(pipes));
	ASSERT_EQ(0, pipe(answers));
	pid = cg_fork(text);
	ASSERT_LE(0, pid);
	if (!pid)
		pin_all(self->heap, pipes, answers[1]);
	close(answers[1]);
	ASSERT_EQ((ssize_t)sizeof(result), read(answers[0], &result, sizeof(result)));
	close(answers[0]);
	EXPECT_LE(4, result.buffers);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(0, cg_remove(text));

	EXPECT_TRUE(balance_is(self->group, before + result.buffers * (long long)PIN_BUFFER));
	close_pipes(pipes);
	EXPECT_TRUE(balance_is(self->group, before));
}

/* ------------------------------------------------------------ mapped pages */

#define MAPPED_PAGES	1024

/* Bring the loopback device up, and make a connection to itself; 0 or -errno. */
static int open_loopback(int ends[2])
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct ifreq request = { .ifr_name = "lo" };
	socklen_t len = sizeof(addr);
	int listener, ret = -ENOTCONN;

	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0)
		return -errno;
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (!ioctl(listener, SIOCSIFFLAGS, &request) &&
	    !bind(listener, (struct sockaddr *)&addr, len) && !listen(listener, 1) &&
	    !getsockname(listener, (struct sockaddr *)&addr, &len) &&
	    !connect(ends[0], (struct sockaddr *)&addr, len)) {
		ends[1] = accept(listener, NULL, NULL);
		ret = ends[1] < 0 ? -errno : 0;
	}
	close(listener);
	return ret;
}

/* Send the page of a new buffer, have it mapped at @at, close the buffer; 0 or -errno. */
static int receive_page(int heap, const int pipe[2], const int ends[2], void *at)
{
	struct tcp_zerocopy_receive receive = {
		.address = (uintptr_t)at, .length = (__u32)page_size(),
	};
	struct pollfd ready = { .fd = ends[1], .events = POLLIN };
	socklen_t len = sizeof(receive);
	struct iovec iov;
	int fd, ret;

	fd = heap_alloc(heap, page_size());
	if (fd < 0)
		return fd;
	iov.iov_len = page_size();
	ret = map_rw(fd, iov.iov_len, &iov.iov_base);
	close(fd);
	if (ret)
		return ret;
	memset(iov.iov_base, 0x5a, iov.iov_len);
	if (vmsplice(pipe[1], &iov, 1, 0) != (ssize_t)iov.iov_len ||
	    splice(pipe[0], NULL, ends[0], NULL, iov.iov_len, 0) != (ssize_t)iov.iov_len ||
	    poll(&ready, 1, 10000) != 1)
		ret = -EIO;
	else
		ret = (int)sysret(getsockopt(ends[1], IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE,
					     &receive, &len));
	if (!ret && receive.length != page_size())
		ret = -EMEDIUMTYPE;
	/* The buffer is released here, and its page stays mapped at @at. */
	munmap(iov.iov_base, iov.iov_len);
	return ret;
}

/* In the group: map pages of sockets, say how that went, unmap them when told to. */
static void map_received(int heap, int orders, int answers)
{
	size_t size = MAPPED_PAGES * page_size();
	int pipes[2], ends[2], ret;
	char *mem = NULL, byte;

	ret = pipe(pipes) ? -errno : open_loopback(ends);
	if (!ret) {
		mem = mmap(NULL, size, PROT_READ, MAP_SHARED, ends[1], 0);
		if (mem == MAP_FAILED)
			ret = -errno;
	}
	for (int i = 0; i < MAPPED_PAGES && !ret; i++) {
		ret = receive_page(heap, pipes, ends, mem + (size_t)i * page_size());
		if (!ret && mem[(size_t)i * page_size()] != 0x5a)
			ret = -EILSEQ;
	}
	/* What the stack of the network still refers to goes with the sockets. */
	if (write(answers, &ret, sizeof(ret)) != sizeof(ret) ||
	    read(orders, &byte, 1) != 1)
		_exit(1);
	if (mem)
		munmap(mem, size);
	if (write(answers, &ret, sizeof(ret)) != sizeof(ret))
		_exit(1);
	pause();
	_exit(0);
}

/* The pages of the group's files that are mapped; flushed every two seconds. */
static long long cg_file_mapped(const char *group)
{
	sleep(3);
	return cg_read(group, "memory.stat", "file_mapped");
}

/*
 * A socket maps pages of buffers that are gone: they stay charged until the mapping is
 * gone as well, whose end is not counted where its beginning was not. A file that
 * is mapped meanwhile keeps the statistic from ending at 0.
 */
TEST_F(charge, lasts_as_long_as_pages_are_mapped)
{
	const long long bytes = MAPPED_PAGES * (long long)page_size();
	long long before, mapped;
	int orders[2], answers[2], file, ret;
	void *mem;
	pid_t pid;

	if (variant->accounting != 'Y' || strcmp(variant->heap, "system"))
		SKIP(return, "nothing is charged, or can be sent");
	ASSERT_EQ(0, pipe(orders));
	ASSERT_EQ(0, pipe(answers));
	file = memfd_create("mapped", MFD_CLOEXEC);
	ASSERT_LE(0, file);
	ASSERT_EQ(0, ftruncate(file, 2 * bytes));
	pid = cg_fork(self->group);
	ASSERT_LE(0, pid);
	if (!pid) {
		if (map_rw(file, 2 * (size_t)bytes, &mem))
			_exit(1);
		memset(mem, 1, 2 * (size_t)bytes);
		if (write(answers[1], &pid, sizeof(pid)) != sizeof(pid) ||
		    read(orders[0], &ret, 1) != 1)
			_exit(1);
		map_received(self->heap, orders[0], answers[1]);
	}
	ASSERT_EQ((ssize_t)sizeof(ret), read(answers[0], &ret, sizeof(ret)));
	mapped = cg_file_mapped(self->group);
	EXPECT_LE(bytes, mapped);
	before = cg_current(self->group);

	ASSERT_EQ(1, write(orders[1], "m", 1));
	ASSERT_EQ((ssize_t)sizeof(ret), read(answers[0], &ret, sizeof(ret)));
	if (ret)
		SKIP(kill(pid, SIGKILL); waitpid(pid, NULL, 0); return,
		     "no page of a socket can be mapped: %s", strerror(-ret));
	EXPECT_LE(before + bytes - SLACK, cg_current(self->group));
	sleep(1);
	EXPECT_LE(before + bytes - SLACK, cg_current(self->group));

	ASSERT_EQ(1, write(orders[1], "u", 1));
	ASSERT_EQ((ssize_t)sizeof(ret), read(answers[0], &ret, sizeof(ret)));
	EXPECT_TRUE(balance_is(self->group, before));
	EXPECT_LE(mapped - SLACK / 2, cg_file_mapped(self->group));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	close(file);
}

/* -------------------------------------------------- charged to another group */

/* What allocating at the cost of @pid gives a process of @group with these rights. */
static int alloc_from(const char *group, int heap, pid_t pid, bool capable)
{
	int pidfd = pidfd_of(pid), status;
	pid_t child;

	if (pidfd < 0)
		return pidfd;
	child = cg_fork(group);
	if (!child) {
		if (!capable && drop_capability(CAP_SYS_RESOURCE))
			_exit(100);
		_exit(-alloc_charged(heap, MIB, (__u32)pidfd) & 0x7f);
	}
	close(pidfd);
	if (child < 0)
		return child;
	waitpid(child, &status, 0);
	if (!WIFEXITED(status))
		return -ECHILD;
	/* A descriptor is a small number, and negated below zero. */
	return WEXITSTATUS(status) > 64 && WEXITSTATUS(status) != 100 ? 0 :
	       -WEXITSTATUS(status);
}

/*
 * Without the right to override limits a process cannot leave its own for that of
 * another group; within its own group, or further down, it can.
 */
TEST_F(charge, stays_within_the_limits_of_the_caller)
{
	char other[96];

	if (variant->accounting != 'Y')
		SKIP(return, "nothing is charged");
	snprintf(other, sizeof(other), "%s-other", self->group);
	ASSERT_EQ(0, cg_make(other));
	EXPECT_EQ(-EPERM, alloc_from(other, self->heap, self->child, false));
	EXPECT_EQ(0, alloc_from(other, self->heap, self->child, true));
	EXPECT_EQ(0, alloc_from(self->group, self->heap, self->child, false));
	/* All groups are below the first one. */
	EXPECT_EQ(0, alloc_from(".", self->heap, self->child, false));
	EXPECT_EQ(-EPERM, alloc_from(other, self->heap, getpid(), false));
	EXPECT_EQ(0, cg_remove(other));
}

TEST_HARNESS_MAIN
