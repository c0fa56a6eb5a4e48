// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every heap node that this machine has, through DMA_HEAP_IOCTL_ALLOC: what
 * it gives (size, content, descriptor), what it refuses, and that a refusal,
 * a fatal signal or an impossible size leaves nothing behind.
 *
 * A heap is a fixture variant here by name, and one that does not exist is
 * skipped. Nodes that no variant names (device trees and drivers may add some)
 * are the variant "other", one of them. Sizes are bytes.
 */
#include "sys_file.h"
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <time.h>

/* Node names that a fixture variant stands for, below. */
static const char * const known_heaps[] = {
	"system", "reserved", "linux,cma", "default-pool", "default_cma_region",
};

#define HEAP_NAME_SIZE	256

FIXTURE(heap)
{
	char name[HEAP_NAME_SIZE];
	long buffers;
	int heap;
	int fds;
};

FIXTURE_VARIANT(heap)
{
	const char *name;
	/* Physically contiguous: a region of fixed size, so no large buffers. */
	bool contiguous;
};

FIXTURE_VARIANT_ADD(heap, system) { .name = "system" };
FIXTURE_VARIANT_ADD(heap, reserved) { .name = "reserved", .contiguous = true };
FIXTURE_VARIANT_ADD(heap, linux_cma) { .name = "linux,cma", .contiguous = true };
FIXTURE_VARIANT_ADD(heap, default_pool) { .name = "default-pool", .contiguous = true };
FIXTURE_VARIANT_ADD(heap, default_cma_region) {
	.name = "default_cma_region", .contiguous = true,
};

FIXTURE_VARIANT_ADD(heap, other) { .contiguous = true };

static void find_other(const char *name, void *other)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known_heaps); i++)
		if (!strcmp(name, known_heaps[i]))
			return;
	snprintf(other, HEAP_NAME_SIZE, "%s", name);
}

FIXTURE_SETUP(heap)
{
	self->heap = -1;
	snprintf(self->name, sizeof(self->name), "%s", variant->name ?: "");
	if (!variant->name)
		heap_for_each(find_other, self->name);
	if (!self->name[0])
		SKIP(return, "no other heaps");
	self->heap = heap_open(self->name);
	if (self->heap == -ENOENT)
		SKIP(return, "no heap named %s", self->name);
	ASSERT_LE(0, self->heap);
	self->buffers = count_buffers();
	self->fds = count_open_fds();
}

/* What a test opened it has closed; so every test is a leak test as well. */
FIXTURE_TEARDOWN(heap)
{
	if (self->heap < 0)
		return;
	EXPECT_EQ(self->fds, count_open_fds());
	if (self->buffers >= 0)
		EXPECT_TRUE(buffers_settle(self->buffers));
	close(self->heap);
}

TEST(there_is_a_heap)
{
	int n = heap_for_each(NULL, NULL);

	if (n == -ENOENT)
		SKIP(return, "no " DMA_HEAP_DIR);
	EXPECT_LE(1, n);
}

TEST(stable_name_exists_beside_the_platform_name)
{
	int stable = heap_open("default_cma_region"), platform = -ENOENT;
	size_t i;

	for (i = 1; i + 1 < ARRAY_SIZE(known_heaps) && platform < 0; i++)
		platform = heap_open(known_heaps[i]);
	if (platform == -ENOENT && stable == -ENOENT)
		SKIP(return, "no CMA region");
	EXPECT_LE(0, platform);
	EXPECT_LE(0, stable);
}

/* ---------------------------------------------------------- what it gives -- */

static size_t round_to_pages(size_t len)
{
	return (len + page_size() - 1) / page_size() * page_size();
}

TEST_F(heap, length_is_rounded_up_to_pages)
{
	size_t page = page_size();
	const size_t lens[] = {
		1, 2, page - 1, page, page + 1, 3 * page, 16 * page - 1, 64 * page, 257 * page + 1,
	};
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		ASSERT_GIVES(fd, heap_alloc(self->heap, lens[i]));
		EXPECT_EQ((long)round_to_pages(lens[i]), dmabuf_size(fd)) {
			TH_LOG("asked for %zu", lens[i]);
		}
		close(fd);
	}
}

TEST_F(heap, all_of_it_can_be_mapped_and_is_zero)
{
	size_t page = page_size();
	const size_t lens[] = { 1, page + 1, 64 * page, 513 * page };
	size_t i, len;
	void *mem;
	int fd;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		len = round_to_pages(lens[i]);
		ASSERT_GIVES(fd, heap_alloc(self->heap, lens[i]));
		ASSERT_EQ(0, map_rw(fd, len, &mem));
		EXPECT_EQ(len, zero_check(mem, len));
		munmap(mem, len);
		close(fd);
	}
}

/* The memory of a buffer that was written and closed comes back clean. */
TEST_F(heap, no_byte_of_an_earlier_owner_shows)
{
	enum { N = 8, ROUNDS = 6 };
	size_t len = 32 * page_size();
	int fd[N], round, i;
	void *mem;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < N; i++) {
			ASSERT_GIVES(fd[i], heap_alloc(self->heap, len));
			ASSERT_EQ(0, map_rw(fd[i], len, &mem));
			ASSERT_EQ(len, zero_check(mem, len)) {
				TH_LOG("round %d, buffer %d", round, i);
			}
			memset(mem, 0xa5, len);
			munmap(mem, len);
		}
		for (i = 0; i < N; i++)
			close(fd[i]);
		ASSERT_TRUE(self->buffers < 0 || buffers_settle(self->buffers));
	}
}

TEST_F(heap, buffers_do_not_overlap)
{
	enum { N = 24 };
	size_t len = 5 * page_size();
	int fd[N], i;

	for (i = 0; i < N; i++) {
		ASSERT_GIVES(fd[i], heap_alloc(self->heap, len));
		ASSERT_EQ(0, dmabuf_fill(fd[i], len, (unsigned int)i));
	}
	for (i = 0; i < N; i++) {
		EXPECT_EQ(0, dmabuf_verify(fd[i], len, (unsigned int)i));
		close(fd[i]);
	}
}

TEST_F(heap, descriptor_flags_are_honoured)
{
	static const __u32 access[] = { O_RDONLY, O_WRONLY, O_RDWR };
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(access); i++) {
		ASSERT_GIVES(fd, heap_alloc_flags(self->heap, 1, access[i], 0));
		EXPECT_EQ(0, fcntl(fd, F_GETFD));
		EXPECT_EQ((int)access[i], fcntl(fd, F_GETFL) & O_ACCMODE);
		close(fd);
		ASSERT_GIVES(fd, heap_alloc_flags(self->heap, 1, access[i] | O_CLOEXEC, 0));
		EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
		close(fd);
	}
}

TEST_F(heap, exporter_name_is_that_of_the_heap)
{
	char value[64];
	int fd;

	ASSERT_GIVES(fd, heap_alloc(self->heap, 1));
	ASSERT_EQ(0, fdinfo_get(fd, "exp_name", value, sizeof(value)));
	if (!variant->contiguous || strcmp(self->name, "default_cma_region"))
		EXPECT_STREQ(self->name, value);
	close(fd);
}

TEST_F(heap, buffer_outlives_the_heap_descriptor)
{
	size_t len = 4 * page_size();
	int other, fd;

	ASSERT_GIVES(other, heap_open(self->name));
	ASSERT_GIVES(fd, heap_alloc(other, len));
	close(other);
	EXPECT_EQ(0, dmabuf_fill(fd, len, 1));
	EXPECT_EQ(0, dmabuf_verify(fd, len, 1));
	close(fd);
}

TEST_F(heap, a_read_only_heap_descriptor_allocates)
{
	char path[HEAP_NAME_SIZE + 32];
	int mode, other, fd;

	snprintf(path, sizeof(path), DMA_HEAP_DIR "/%s", self->name);
	for (mode = O_RDONLY; mode <= O_RDWR; mode++) {
		ASSERT_GIVES(other, xopen(path, mode));
		ASSERT_GIVES(fd, heap_alloc(other, 1));
		close(fd);
		close(other);
	}
}

TEST_F(heap, many_small_buffers_come_and_go)
{
	enum { N = 200 };
	int fd[N], i;

	for (i = 0; i < N; i++)
		ASSERT_GIVES(fd[i], heap_alloc(self->heap, 1));
	if (self->buffers >= 0)
		EXPECT_EQ(self->buffers + N, count_buffers());
	for (i = N - 1; i >= 0; i -= 2)
		close(fd[i]);
	for (i = 0; i < N; i += 2)
		close(fd[i]);
}

/* Memory is given back: more than the machine has passes through. */
TEST_F(heap, more_than_all_memory_in_turn)
{
	__u64 passed = 0, want, len;
	long long total = meminfo_bytes("MemTotal");
	long long cma = meminfo_bytes("CmaTotal");
	int fd;

	ASSERT_LT(0, total);
	len = (__u64)total / 16;
	want = (__u64)total + (__u64)total / 4;
	if (variant->contiguous) {
		ASSERT_LT(0, cma);
		len = (__u64)cma / 8;
		want = 3 * (__u64)cma;
		/* There may be several regions, and this a small one. */
		fd = heap_alloc(self->heap, len);
		for (; fd == -ENOMEM && len > page_size(); fd = heap_alloc(self->heap, len))
			len /= 2;
		ASSERT_LE(0, fd);
		close(fd);
	}
	for (; passed < want; passed += len) {
		ASSERT_GIVES(fd, heap_alloc(self->heap, len));
		close(fd);
	}
}

/* ------------------------------------------------------------------ totals -- */

TEST_F(heap, totals_follow_the_buffers)
{
	long long bytes = heap_total(self->name, "allocated_bytes");
	long long buffers = heap_total(self->name, "buffers");
	size_t len = 24 * page_size();
	int fd, again;

	if (bytes == -ENOENT)
		SKIP(return, "no totals in sysfs");
	ASSERT_LE(0, bytes);
	ASSERT_GIVES(fd, heap_alloc(self->heap, len - 1));
	EXPECT_EQ(bytes + (long long)len, heap_total(self->name, "allocated_bytes"));
	EXPECT_EQ(buffers + 1, heap_total(self->name, "buffers"));
	ASSERT_GIVES(again, sysret(dup(fd)));
	EXPECT_EQ(buffers + 1, heap_total(self->name, "buffers"));
	close(fd);
	EXPECT_EQ(bytes + (long long)len, heap_total(self->name, "allocated_bytes"));
	close(again);
	EXPECT_EQ(bytes, heap_total(self->name, "allocated_bytes"));
	EXPECT_EQ(buffers, heap_total(self->name, "buffers"));
	EXPECT_REFUSED(EINVAL, heap_alloc(self->heap, 0));
	EXPECT_EQ(buffers, heap_total(self->name, "buffers"));
}

/* The piece that is just being zeroed goes a little later than the others. */
static bool pool_settles(const char *heap, long long bytes)
{
	int tries;

	for (tries = 0; tries < 200; tries++) {
		if (heap_total(heap, "pool_bytes") <= bytes)
			return true;
		usleep(10000);
	}
	return false;
}

TEST_F(heap, pool_keeps_its_limit)
{
	long long limit = heap_total(self->name, "pool_limit_bytes");
	size_t len = 512 * page_size();
	int fd;

	if (limit < 0)
		SKIP(return, "no pool");
	ASSERT_EQ(0, heap_set_limit(self->name, 0));
	EXPECT_TRUE(pool_settles(self->name, 0));
	ASSERT_GIVES(fd, heap_alloc(self->heap, len));
	close(fd);
	EXPECT_EQ(0, heap_total(self->name, "pool_bytes"));

	ASSERT_EQ(0, heap_set_limit(self->name, (long long)len / 2));
	ASSERT_GIVES(fd, heap_alloc(self->heap, len));
	close(fd);
	EXPECT_GE((long long)len / 2, heap_total(self->name, "pool_bytes"));
	ASSERT_EQ(0, heap_set_limit(self->name, 0));
	EXPECT_TRUE(pool_settles(self->name, 0));
	EXPECT_REFUSED(EINVAL, heap_set_limit(self->name, -1));
	EXPECT_EQ(0, heap_set_limit(self->name, limit));
}

/* -------------------------------------------------------- what it refuses -- */

static int alloc_as(int heap, size_t size, void *data)
{
	return xioctl(heap, _IOC(_IOC_READ | _IOC_WRITE, DMA_HEAP_IOC_MAGIC, 0, size), data);
}

struct grown_data {
	struct dma_heap_allocation_data data;
	unsigned char more[64];
};

TEST_F(heap, a_longer_struct_is_read_as_far_as_known)
{
	struct grown_data grown = { .data = { .len = 1, .fd_flags = O_CLOEXEC } };

	ASSERT_EQ(0, alloc_as(self->heap, sizeof(grown), &grown));
	EXPECT_EQ((long)page_size(), dmabuf_size((int)grown.data.fd));
	close((int)grown.data.fd);

	/* Bytes past what this kernel knows are left alone, not judged. */
	memset(&grown, 0, sizeof(grown));
	grown.data.len = 1;
	memset(grown.more, 0x5a, sizeof(grown.more));
	ASSERT_EQ(0, alloc_as(self->heap, sizeof(grown), &grown));
	EXPECT_EQ(0x5a, grown.more[0]);
	EXPECT_EQ(0x5a, grown.more[sizeof(grown.more) - 1]);
	close((int)grown.data.fd);
}

TEST_F(heap, a_shorter_struct_is_filled_up_with_zero)
{
	struct dma_heap_allocation_data data = {
		.len = 1, .fd_flags = O_RDWR, .heap_flags = ~0ull,
	};

	/* heap_flags lies outside, so its value cannot matter. */
	ASSERT_EQ(0, alloc_as(self->heap, offsetof(struct dma_heap_allocation_data, heap_flags),
			      &data));
	EXPECT_EQ(O_RDWR, fcntl((int)data.fd, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(~0ull, data.heap_flags);
	close((int)data.fd);
}

/* As short as it may be: room for the descriptor, which is read-only then. */
TEST_F(heap, a_struct_may_end_behind_the_descriptor)
{
	struct dma_heap_allocation_data data = {
		.len = 1, .fd_flags = ~0u, .heap_flags = ~0ull,
	};

	ASSERT_EQ(0, alloc_as(self->heap, offsetof(struct dma_heap_allocation_data, fd_flags),
			      &data));
	EXPECT_EQ(O_RDONLY, fcntl((int)data.fd, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(~0u, data.fd_flags);
	EXPECT_EQ(~0ull, data.heap_flags);
	close((int)data.fd);

	data.fd = 0;
	EXPECT_REFUSED(EINVAL, alloc_as(self->heap,
					offsetof(struct dma_heap_allocation_data, fd_flags) - 1,
					&data));
}

TEST_F(heap, an_answer_that_cannot_be_stored_is_undone)
{
	struct dma_heap_allocation_data *data;
	size_t page = page_size();

	data = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, data);
	data->len = 16 * page;
	ASSERT_EQ(0, mprotect(data, page, PROT_READ));
	EXPECT_REFUSED(EFAULT, xioctl(self->heap, DMA_HEAP_IOCTL_ALLOC, data));
	munmap(data, page);
	/* The teardown finds the buffer if it was kept without a descriptor. */
}

TEST_F(heap, no_descriptor_left_means_no_buffer)
{
	struct rlimit limit, none;

	/* What is open stays open, nothing new is. */
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = 0;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_REFUSED(EMFILE, heap_alloc(self->heap, 1));
	EXPECT_REFUSED(EMFILE, heap_alloc(self->heap, 64 * page_size()));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
}

/* More than the machine has: refused quickly, and no task is killed for it. */
TEST_F(heap, impossible_sizes_are_refused_at_once)
{
	const long long total = meminfo_bytes("MemTotal");
	const __u64 lens[] = {
		(__u64)total, (__u64)total + (64 << 20), 4 * (__u64)total,
		1ull << 40, 1ull << 50, 1ull << 62, 1ull << 63,
		(1ull << 63) - page_size(),
	};
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		ret = heap_alloc(self->heap, lens[i]);
		EXPECT_TRUE(ret == -ENOMEM || ret == -EINVAL) {
			TH_LOG("%#llx bytes: %s", (unsigned long long)lens[i],
			       test_result_str(ret));
		}
	}
	EXPECT_REFUSED(EINVAL, heap_alloc(self->heap, UINT64_MAX));
	EXPECT_REFUSED(EINVAL, heap_alloc(self->heap, UINT64_MAX - page_size() + 2));
}

TEST_F(heap, nothing_is_read_written_or_mapped_at_the_node)
{
	char byte = 0;
	void *mem;

	EXPECT_REFUSED(EINVAL, sysret(read(self->heap, &byte, 1)));
	EXPECT_REFUSED(EBADF, sysret(write(self->heap, &byte, 1)));
	EXPECT_REFUSED(ENODEV, map_fd(self->heap, page_size(), PROT_READ, MAP_SHARED, 0, &mem));
}

/* ---------------------------------------------------------- fatal signals -- */

#define KILL_NONE	1	/* the allocation was over before the signal */

/* In the child: allocate while a timer of @ns counts down to SIGKILL. */
static void allocate_under_timer(int heap, __u64 len, long ns)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	struct itimerspec when = { .it_value = { .tv_nsec = ns } };
	timer_t timer;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP))
		_exit(2);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer))
		_exit(3);
	if (timer_settime(timer, 0, &when, NULL))
		_exit(4);
	heap_alloc(heap, len);
	_exit(KILL_NONE);
}

/*
 * What the ioctl returned in a child that was killed inside it: -errno, 0, or
 * KILL_NONE when the signal met it elsewhere. The registers at the exit stop
 * still hold the answer that no user code lives to read.
 */
static int result_of_killed_alloc(int heap, __u64 len, long ns)
{
	int status, result = KILL_NONE;
	pid_t pid = fork();

	if (pid < 0)
		return KILL_NONE;
	if (!pid)
		allocate_under_timer(heap, len, ns);
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return KILL_NONE;
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
	ptrace(PTRACE_CONT, pid, NULL, NULL);
#ifdef __x86_64__
	if (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		struct user_regs_struct regs;

		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8) &&
		    !ptrace(PTRACE_GETREGS, pid, NULL, &regs) &&
		    regs.orig_rax == SYS_ioctl)
			result = (int)regs.rax;
		ptrace(PTRACE_CONT, pid, NULL, NULL);
	}
#endif
	while (!WIFEXITED(status) && !WIFSIGNALED(status))
		if (waitpid(pid, &status, 0) != pid)
			break;
	return result;
}

/* What the next buffer could have: what the pool keeps for it is not lost. */
static long long memory_left(const char *heap)
{
	long long pooled = heap_total(heap, "pool_bytes");

	return meminfo_bytes("MemFree") + (pooled > 0 ? pooled : 0);
}

TEST_F(heap, a_fatal_signal_ends_a_long_allocation_with_eintr)
{
	long long before, after, len = meminfo_bytes("MemAvailable") / 2;
	int result, tries, interrupted = 0;
	long ns = 200000;

#ifndef __x86_64__
	SKIP(return, "the answer is read from x86-64 registers");
#endif
	if (variant->contiguous)
		SKIP(return, "one region, one step: no long allocation");
	ASSERT_LT(0, len);
	before = memory_left(self->name);
	for (tries = 0; tries < 40 && interrupted < 3; tries++) {
		result = result_of_killed_alloc(self->heap, (__u64)len, ns);
		if (result == -EINTR) {
			interrupted++;
		} else if (result < 0) {
			EXPECT_EQ(-EINTR, result) {
				TH_LOG("killed after %ld ns: %s", ns, test_result_str(result));
			}
			break;
		}
		/* Aim between the start of the call and its end. */
		ns = ns < 300000000 ? ns * 3 / 2 : 200000;
	}
	EXPECT_LE(1, interrupted) TH_LOG("%d tries never met the allocation", tries);
	if (self->buffers >= 0)
		EXPECT_TRUE(buffers_settle(self->buffers));
	after = memory_left(self->name);
	EXPECT_LT(before - after, len / 4) {
		TH_LOG("%lld bytes free before, %lld after", before, after);
	}
}

TEST_F(heap, killed_owners_leave_nothing)
{
	size_t len = 64 * page_size();
	int status, i, fd;
	pid_t pid;

	for (i = 0; i < 10; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			void *mem;

			fd = heap_alloc(self->heap, len);
			if (fd < 0 || map_rw(fd, len, &mem))
				_exit(1);
			pattern_fill(mem, len, 1);
			kill(getpid(), SIGKILL);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status)) TH_LOG("status %#x", status);
	}
}

TEST_HARNESS_MAIN
