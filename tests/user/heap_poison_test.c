// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory errors in the system heap's memory: a page that is broken is not handed
 * to the next buffer, nor to others, whether it breaks in use or in the pool, and
 * whichever page of a large folio it is.
 *
 * Errors come from /sys/kernel/debug/hwpoison. They stay: a page is lost each time,
 * and the folio around it.
 */
#include "page_frames.h"

#define MIB		0x100000ull
#define HUGE_PAGES	512
#define BROKEN		7	/* which page of a folio */

/* A buffer, and where it is mapped: the first frame of its pages, if contiguous. */
static uint64_t buffer_frame(int fd, size_t size, void **mem)
{
	uint64_t first, pfn;
	size_t at;

	if (map_rw(fd, size, mem))
		return 0;
	memset(*mem, 1, size);
	first = page_pfn(*mem);
	for (at = 0; at < size; at += page_size()) {
		pfn = page_pfn((char *)*mem + at);
		if (!first || pfn != first + at / page_size())
			return 0;
	}
	return first;
}

static bool buffer_has(int fd, size_t size, uint64_t want)
{
	bool has = false;
	void *mem;
	size_t at;

	if (map_fd(fd, size, PROT_READ, MAP_SHARED, 0, &mem))
		return true;
	for (at = 0; at < size; at += page_size()) {
		(void)*(volatile char *)((char *)mem + at);
		has |= page_pfn((char *)mem + at) == want;
	}
	munmap(mem, size);
	return has;
}

/* A buffer whose page can be broken alone: one large folio. */
static int folio_alloc(int heap, size_t size, uint64_t *pfn, void **mem)
{
	int tries, fds[64], fd = -ENOENT;

	*pfn = 0;
	for (tries = 0; tries < 64 && !*pfn; tries++) {
		fd = heap_alloc(heap, size);
		if (fd < 0)
			break;
		*pfn = buffer_frame(fd, size, mem);
		if (*pfn && page_has(*pfn + size / page_size() - 1, KPF_COMPOUND_TAIL))
			break;
		*pfn = 0;
		munmap(*mem, size);
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
	self->heap = heap_open("system");
	if (self->heap < 0)
		SKIP(return, "no system heap");
	if (access(PAGE_BREAK_FILE, W_OK))
		SKIP(return, "no " PAGE_BREAK_FILE);
	if (page_size() != 4096)
		SKIP(return, "pages are not of 4 KiB");
	self->limit = heap_total("system", "pool_limit_bytes");
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
	enum { MANY = 48 };
	uint64_t pfn, broken;
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

	/* As the last one to come, it would be among the first to go. */
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
