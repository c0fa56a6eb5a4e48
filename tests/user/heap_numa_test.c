// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nodes: the system heap's memory is of those that the program's memory policy and
 * its cpuset name, whether it comes from the page allocator or has been in the pool.
 * Needs a machine with memory on nodes 0 and 1.
 */
#include "sys_file.h"

#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#define MIB	0x100000ull

static int set_policy(int mode, unsigned long nodes)
{
	return (int)sysret(syscall(SYS_set_mempolicy, mode, nodes ? &nodes : NULL,
				   nodes ? 64 : 0));
}

/* Count the pages of a buffer on each node; 0 or -errno. */
static int nodes_of(int fd, size_t size, size_t count[2])
{
	size_t step = page_size(), at;
	int status, ret = 0;
	void *mem, *page;

	count[0] = 0;
	count[1] = 0;
	ret = map_rw(fd, size, &mem);
	if (ret)
		return ret;
	for (at = 0; at < size && !ret; at += step) {
		page = (char *)mem + at;
		*(volatile char *)page = 1;
		ret = (int)sysret(syscall(SYS_move_pages, 0, 1ul, &page, NULL,
					  &status, 0));
		if (!ret && status < 0)
			ret = status;
		if (!ret && status < 2)
			count[status]++;
	}
	munmap(mem, size);
	return ret;
}

static const size_t sizes[] = { 4096, 3 * 4096, 16 * 4096, 2 * MIB, 7 * MIB + 4096 };

FIXTURE(numa) {
	int heap;
	long long limit;
	bool ready;
};

FIXTURE_SETUP(numa)
{
	cpu_set_t cpus;

	self->heap = heap_open("system");
	if (self->heap < 0)
		SKIP(return, "no system heap");
	if (access("/sys/devices/system/node/node1/meminfo", R_OK))
		SKIP(return, "one node only");
	if (set_policy(MPOL_BIND, 2) || set_policy(MPOL_DEFAULT, 0))
		SKIP(return, "no memory on node 1");
	/* The pool gets memory of node 0. */
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(cpus), &cpus));
	self->limit = heap_total("system", "pool_limit_bytes");
	ASSERT_EQ(0, heap_set_limit("system", 0));
	ASSERT_EQ(0, heap_set_limit("system", 128 * MIB));
	self->ready = true;
}

FIXTURE_TEARDOWN(numa)
{
	if (!self->ready)
		return;
	set_policy(MPOL_DEFAULT, 0);
	heap_set_limit("system", self->limit);
	close(self->heap);
}

/* Buffers of the size which have been used, and are in the pool now. */
static void fill_pool(struct __test_metadata *_metadata, int heap, size_t size)
{
	size_t count[2];
	int fds[4], i;

	ASSERT_EQ(0, set_policy(MPOL_DEFAULT, 0));
	for (i = 0; i < 4; i++) {
		ASSERT_GIVES(fds[i], heap_alloc(heap, size));
		ASSERT_EQ(0, nodes_of(fds[i], size, count));
		EXPECT_EQ(0, count[1]);
	}
	for (i = 0; i < 4; i++)
		close(fds[i]);
}

/* All of the next buffers are of one node. */
static void expect_node(struct __test_metadata *_metadata, int heap, size_t size,
			int node)
{
	size_t count[2];
	int fd, i;

	for (i = 0; i < 6; i++) {
		ASSERT_GIVES(fd, heap_alloc(heap, size));
		ASSERT_EQ(0, nodes_of(fd, size, count));
		EXPECT_EQ(size / page_size(), count[node]) {
			TH_LOG("%zu bytes: %zu pages on node 0, %zu on node 1", size,
			       count[0], count[1]);
		}
		/* Half of them go to the pool, for the next. */
		if (i % 2)
			close(fd);
	}
}

TEST_F(numa, bound_to_a_node)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		fill_pool(_metadata, self->heap, sizes[i]);
		ASSERT_EQ(0, set_policy(MPOL_BIND, 1 << 1));
		expect_node(_metadata, self->heap, sizes[i], 1);
		ASSERT_EQ(0, set_policy(MPOL_BIND, 1 << 0));
		expect_node(_metadata, self->heap, sizes[i], 0);
	}
}

TEST_F(numa, prefers_a_node)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		fill_pool(_metadata, self->heap, sizes[i]);
		ASSERT_EQ(0, set_policy(MPOL_PREFERRED, 1 << 1));
		expect_node(_metadata, self->heap, sizes[i], 1);
	}
}

TEST_F(numa, interleaves)
{
	size_t count[2], sum[2] = { 0, 0 };
	int fd, i;

	fill_pool(_metadata, self->heap, 4096);
	ASSERT_EQ(0, set_policy(MPOL_INTERLEAVE, 3));
	for (i = 0; i < 64; i++) {
		ASSERT_GIVES(fd, heap_alloc(self->heap, 4096));
		ASSERT_EQ(0, nodes_of(fd, 4096, count));
		sum[0] += count[0];
		sum[1] += count[1];
	}
	/* Other allocations of the program take their turns as well. */
	EXPECT_LT(8, sum[0]);
	EXPECT_LT(8, sum[1]);
}

/* A full node is ENOMEM for tasks that are bound to it, and kills no task. */
TEST_F(numa, a_full_node_is_enomem)
{
	long long kills = file_read_number("/proc/vmstat", "oom_kill");
	static int fds[4096];
	int n = 0, ret;

	ASSERT_EQ(0, set_policy(MPOL_BIND, 1 << 1));
	while ((ret = heap_alloc(self->heap, 4 * MIB)) >= 0) {
		fds[n++] = ret;
		ASSERT_GT(1000, n);
	}
	EXPECT_EQ(-ENOMEM, ret);
	EXPECT_LT(10, n);
	EXPECT_EQ(kills, file_read_number("/proc/vmstat", "oom_kill"));
	while (n)
		close(fds[--n]);
}

TEST_F(numa, in_a_cpuset)
{
	char root[] = "/tmp/numa_XXXXXX", path[128];
	size_t i;

	mkdir("/tmp", 0777);
	if (!mkdtemp(root) || mount("none", root, "cgroup2", 0, NULL))
		SKIP(return, "no cgroups");
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", root);
	if (file_write(path, "+cpuset"))
		SKIP(umount(root); return, "no cpusets");
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		fill_pool(_metadata, self->heap, sizes[i]);
		snprintf(path, sizeof(path), "%s/one", root);
		mkdir(path, 0755);
		snprintf(path, sizeof(path), "%s/one/cpuset.mems", root);
		ASSERT_EQ(0, file_write(path, "1"));
		snprintf(path, sizeof(path), "%s/one/cgroup.procs", root);
		ASSERT_EQ(0, file_write_number(path, getpid()));
		expect_node(_metadata, self->heap, sizes[i], 1);
		snprintf(path, sizeof(path), "%s/cgroup.procs", root);
		ASSERT_EQ(0, file_write_number(path, getpid()));
	}
	snprintf(path, sizeof(path), "%s/one", root);
	EXPECT_EQ(0, rmdir(path));
	umount(root);
}

TEST_HARNESS_MAIN
