// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory errors in the system heap's memory: a page that is broken is not handed
 * to the next buffer, nor to others, whether it breaks in use or in the pool, and
 * whichever page of a large folio it is.
 *
 * Errors come from /sys/kernel/debug/hwpoison. They stay: a page is lost each time,
 * and the folio around it.
 *
 * A page that is free again is the first to be allocated, on this CPU and in this order:
 * the pool hands out the hottest folio first, and so does the page allocator. So the
 * buffers that come next are enough to look at, and with no others released before.
 */
#include "page_frames.h"

#include <sched.h>

#define MIB		0x100000ull
#define HUGE_PAGES	512
#define BROKEN		7	/* which page of a folio */
#define TRIES		8	/* for a buffer that is one folio */

/* Map a buffer, have all its pages in the page table, and read their frames. */
static int buffer_frames(int fd, size_t size, void **mem, __u64 *pfns)
{
	int ret = map_fd(fd, size, PROT_READ, MAP_SHARED | MAP_POPULATE, 0, mem);

	if (ret)
		return ret;
	ret = page_pfns(*mem, size / page_size(), pfns);
	if (ret)
		munmap(*mem, size);
	return ret;
}

/* Test whether a buffer has the page, or whether that cannot be told. */
static bool buffer_has(int fd, size_t size, __u64 want)
{
	static __u64 pfns[HUGE_PAGES];
	bool has = false;
	void *mem;
	size_t i;

	if (buffer_frames(fd, size, &mem, pfns))
		return true;
	for (i = 0; i < size / page_size(); i++)
		has |= !pfns[i] || pfns[i] == want;
	munmap(mem, size);
	return has;
}

/* Map a buffer and return its first frame; 0 unless it is one large folio. */
static __u64 buffer_folio(int fd, size_t size, void **mem)
{
	static __u64 pfns[HUGE_PAGES];
	size_t pages = size / page_size(), i;

	if (buffer_frames(fd, size, mem, pfns))
		return 0;
	for (i = 1; i < pages && pfns[i] == pfns[0] + i; i++)
		;
	if (pfns[0] && i == pages && page_has(pfns[pages - 1], KPF_COMPOUND_TAIL))
		return pfns[0];
	munmap(*mem, size);
	return 0;
}

/* Allocate a buffer that is one large folio, a page of which can be broken. */
static int folio_alloc(int heap, size_t size, __u64 *pfn, void **mem)
{
	int tries, fds[TRIES], fd = -ENOENT;

	*pfn = 0;
	for (tries = 0; tries < TRIES; tries++) {
		fd = heap_alloc(heap, size);
		if (fd < 0)
			break;
		*pfn = buffer_folio(fd, size, mem);
		if (*pfn)
			break;
		fds[tries] = fd;
	}
	while (tries--)
		close(fds[tries]);
	return *pfn ? fd : -ENOENT;
}

FIXTURE(poison) {
	int heap;
	long long limit;
};

FIXTURE_VARIANT(poison) {
	size_t size;
	bool in_pool;
	long long limit;
};

FIXTURE_VARIANT_ADD(poison, huge_in_use) { HUGE_PAGES * 4096, false, 256 * MIB };
FIXTURE_VARIANT_ADD(poison, huge_in_use_no_pool) { HUGE_PAGES * 4096, false, 0 };
FIXTURE_VARIANT_ADD(poison, huge_in_pool) { HUGE_PAGES * 4096, true, 256 * MIB };
FIXTURE_VARIANT_ADD(poison, small_in_use) { 8 * 4096, false, 256 * MIB };
FIXTURE_VARIANT_ADD(poison, small_in_pool) { 8 * 4096, true, 256 * MIB };

FIXTURE_SETUP(poison)
{
	cpu_set_t cpus;

	self->heap = heap_open("system");
	if (self->heap < 0)
		SKIP(return, "no system heap");
	if (access(PAGE_BREAK_FILE, W_OK))
		SKIP(return, "no " PAGE_BREAK_FILE);
	if (page_size() != 4096)
		SKIP(return, "pages are not of 4 KiB");
	self->limit = heap_total("system", "pool_limit_bytes");
	/* What a CPU keeps is for this CPU. */
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(cpus), &cpus));
	ASSERT_EQ(0, heap_set_limit("system", 0));
	ASSERT_EQ(0, heap_set_limit("system", variant->limit));
}

FIXTURE_TEARDOWN(poison)
{
	if (self->limit)
		heap_set_limit("system", self->limit);
	close(self->heap);
}

TEST_F(poison, page_is_not_used_again)
{
	enum { MANY = 4 };
	__u64 pfn, broken;
	int fd, fds[MANY], i;
	void *mem;

	fd = folio_alloc(self->heap, variant->size, &pfn, &mem);
	if (fd < 0)
		SKIP(return, "no folio of that size");
	broken = pfn + BROKEN;
	if (!variant->in_pool) {
		page_break(broken);
		ASSERT_TRUE(page_has(broken, KPF_HWPOISON));
	}
	munmap(mem, variant->size);
	close(fd);
	if (variant->in_pool) {
		page_break(broken);
		ASSERT_TRUE(page_has(broken, KPF_HWPOISON));
	}

	/* The broken page would be in the first of them, see above. */
	for (i = 0; i < MANY; i++) {
		ASSERT_GIVES(fds[i], heap_alloc(self->heap, variant->size));
		EXPECT_FALSE(buffer_has(fds[i], variant->size, broken));
	}
	for (i = 0; i < MANY; i++)
		close(fds[i]);
	heap_set_limit("system", 0);

	/* Marked still, and in one piece: the page allocator would have split it. */
	EXPECT_TRUE(page_has(broken, KPF_HWPOISON));
	EXPECT_TRUE(page_has(broken, KPF_COMPOUND_TAIL));
}

TEST_HARNESS_MAIN
