// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heaps that are modules: removed when nothing of theirs is in use, and not before.
 *
 * A heap is a fixture variant by its module; skipped where it is built in, or there
 * is no such module.
 */
#include "sys_file.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>

#define PATIENCE_MS	30000
#define BUFFER_SIZE	0x400000ull

static int module_load(const char *module)
{
	struct utsname name;
	char path[512];
	int fd, ret;

	uname(&name);
	snprintf(path, sizeof(path), "/lib/modules/%s/kernel/drivers/dma-buf/heaps/%s.ko",
		 name.release, module);
	fd = xopen(path, O_RDONLY);
	if (fd < 0)
		return fd;
	ret = (int)sysret(syscall(SYS_finit_module, fd, "", 0));
	close(fd);
	return ret;
}

static int module_unload(const char *module)
{
	return (int)sysret(syscall(SYS_delete_module, module, O_NONBLOCK));
}

/* A last reference may be dropped a little later than its descriptor. */
static int module_unload_soon(const char *module)
{
	int ret = -EWOULDBLOCK, ms;

	for (ms = 0; ms < PATIENCE_MS && ret == -EWOULDBLOCK; ms += 10) {
		ret = module_unload(module);
		if (ret == -EWOULDBLOCK)
			usleep(10000);
	}
	return ret;
}

FIXTURE(module) {
	bool loaded;
};

FIXTURE_VARIANT(module) {
	const char *module;
	const char *heap;
	bool pins;
};

FIXTURE_VARIANT_ADD(module, system) { "system_heap", "system", true };
FIXTURE_VARIANT_ADD(module, cma) { "cma_heap", "default_cma_region", false };

FIXTURE_SETUP(module)
{
	char path[64];
	int ret;

	/* The module may have been loaded by a start script. */
	module_unload_soon(variant->module);
	snprintf(path, sizeof(path), "/dev/dma_heap/%s", variant->heap);
	if (!access(path, F_OK))
		SKIP(return, "%s is built in", variant->module);
	ret = module_load(variant->module);
	if (ret == -ENOENT)
		SKIP(return, "no module %s", variant->module);
	ASSERT_EQ(0, ret);
	self->loaded = true;
}

FIXTURE_TEARDOWN(module)
{
	if (self->loaded)
		EXPECT_EQ(0, module_unload_soon(variant->module));
}

#define UNLOAD()	module_unload(variant->module)

TEST_F(module, stays_while_it_is_in_use)
{
	int heap, fd;
	void *mem;

	heap = heap_open(variant->heap);
	if (heap == -ENOENT)
		SKIP(return, "no heap named %s", variant->heap);
	ASSERT_LE(0, heap);
	EXPECT_REFUSED(EWOULDBLOCK, UNLOAD());
	ASSERT_GIVES(fd, heap_alloc(heap, BUFFER_SIZE));
	close(heap);
	EXPECT_REFUSED(EWOULDBLOCK, UNLOAD());
	ASSERT_EQ(0, map_rw(fd, BUFFER_SIZE, &mem));
	close(fd);
	EXPECT_REFUSED(EWOULDBLOCK, UNLOAD());
	pattern_fill(mem, BUFFER_SIZE, 1);
	EXPECT_EQ(BUFFER_SIZE, pattern_check(mem, BUFFER_SIZE, 1));
	munmap(mem, BUFFER_SIZE);

	ASSERT_EQ(0, module_unload_soon(variant->module));
	self->loaded = false;
	EXPECT_EQ(-ENOENT, heap_open(variant->heap));
	EXPECT_EQ(-ENOENT, heap_total(variant->heap, "buffers"));
}

/* As new each time, with nothing of what there was before. */
TEST_F(module, comes_and_goes)
{
	int heap, fd, round;
	void *mem;

	for (round = 0; round < 10; round++) {
		heap = heap_open(variant->heap);
		if (heap == -ENOENT)
			SKIP(return, "no heap named %s", variant->heap);
		ASSERT_LE(0, heap);
		ASSERT_GIVES(fd, heap_alloc(heap, BUFFER_SIZE));
		EXPECT_EQ(1, heap_total(variant->heap, "buffers"));
		EXPECT_EQ((long long)BUFFER_SIZE, heap_total(variant->heap, "allocated_bytes"));
		ASSERT_EQ(0, map_rw(fd, BUFFER_SIZE, &mem));
		EXPECT_EQ(BUFFER_SIZE, zero_check(mem, BUFFER_SIZE));
		memset(mem, 0x5a, BUFFER_SIZE);
		munmap(mem, BUFFER_SIZE);
		close(fd);
		close(heap);
		ASSERT_EQ(0, module_unload_soon(variant->module));
		self->loaded = false;
		ASSERT_EQ(0, module_load(variant->module));
		self->loaded = true;
	}
}

/* A page in a pipe is no buffer: it outlives the heap. */
TEST_F(module, may_go_before_a_pinned_page)
{
	struct iovec iov = { .iov_len = 16 };
	int heap, fd, pipes[2];
	char text[16];
	void *mem;

	if (!variant->pins)
		SKIP(return, "no page of this heap can be pinned");
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_GIVES(heap, heap_open(variant->heap));
	ASSERT_GIVES(fd, heap_alloc(heap, BUFFER_SIZE));
	ASSERT_EQ(0, map_rw(fd, BUFFER_SIZE, &mem));
	memcpy(mem, "sixteen letters", 16);
	iov.iov_base = mem;
	ASSERT_EQ(16, sysret(vmsplice(pipes[1], &iov, 1, 0)));
	munmap(mem, BUFFER_SIZE);
	close(fd);
	close(heap);
	ASSERT_EQ(0, module_unload_soon(variant->module));
	self->loaded = false;
	ASSERT_EQ(16, read(pipes[0], text, 16));
	EXPECT_STREQ("sixteen letters", text);
	close(pipes[0]);
	close(pipes[1]);
}

/* Opened and closed without end: the module goes between two, or is refused. */
TEST_F(module, goes_while_others_open_it)
{
	int status, round, gone = 0;
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		for (;;) {
			int heap = heap_open(variant->heap), fd;

			fd = heap < 0 ? heap : heap_alloc(heap, page_size());
			if (fd >= 0)
				close(fd);
			if (heap >= 0)
				close(heap);
		}
	}
	for (round = 0; round < 300; round++) {
		if (!self->loaded) {
			ASSERT_EQ(0, module_load(variant->module));
			self->loaded = true;
		}
		if (UNLOAD())
			continue;
		self->loaded = false;
		gone++;
	}
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	TH_LOG("%d of %d times it could go", gone, round);
}

TEST_HARNESS_MAIN
