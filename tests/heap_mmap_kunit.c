// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of heaps/heap_mmap.c: pages of buffers in programs, and out of them
 * again.
 *
 * The mock heap keeps a reference on each page, so that a page table that drops
 * one too many, or none, shows in its count.
 */
#include <kunit/test.h>

#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "mock_heap.h"

#define HEAP_MMAP_TEST_PAGES	20

static unsigned long heap_mmap_test_map(struct kunit *test, struct dma_buf *dmabuf,
					unsigned long flags)
{
	unsigned long address;

	address = kunit_vm_mmap(test, dmabuf->file, 0, dmabuf->size,
				PROT_READ | PROT_WRITE, flags, 0);
	KUNIT_ASSERT_NE(test, 0, address);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR_VALUE(address), "mmap: %ld",
			       (long)address);
	return address;
}

struct heap_mmap_touch_case {
	const char *description;
	enum mock_heap_pieces pieces;
	bool longterm_pin;
	bool write;
};

static const struct heap_mmap_touch_case heap_mmap_touch_cases[] = {
	{ "write into a run", MOCK_HEAP_RUN, true, true },
	{ "write into many runs", MOCK_HEAP_BACKWARD, true, true },
	{ "write into folios", MOCK_HEAP_FOLIOS, true, true },
	{ "write into page frames in a run", MOCK_HEAP_RUN, false, true },
	{ "write into page frames here and there", MOCK_HEAP_BACKWARD, false, true },
	{ "read a run", MOCK_HEAP_RUN, true, false },
	{ "read many runs", MOCK_HEAP_BACKWARD, true, false },
	{ "read folios", MOCK_HEAP_FOLIOS, true, false },
	{ "read page frames", MOCK_HEAP_RUN, false, false },
};

KUNIT_ARRAY_PARAM_DESC(heap_mmap_touch, heap_mmap_touch_cases, description);

static void heap_mmap_test_touch(struct kunit *test)
{
	const struct heap_mmap_touch_case *param = test->param_value;
	struct mock_heap *mock = mock_heap_create(test, "kunit_mmap");
	struct dma_buf *dmabuf;
	unsigned long address;
	unsigned int i;
	u32 *there;

	mock->backing.longterm_pin = param->longterm_pin;
	dmabuf = mock_heap_buffer(test, mock, param->pieces, HEAP_MMAP_TEST_PAGES);
	address = heap_mmap_test_map(test, dmabuf, MAP_SHARED);

	/* Start in the middle, so that there is something on both sides. */
	for (i = 0; i < HEAP_MMAP_TEST_PAGES; i++) {
		unsigned int at = (i + HEAP_MMAP_TEST_PAGES / 2) %
				  HEAP_MMAP_TEST_PAGES;
		u32 __user *user = (u32 __user *)(address + at * PAGE_SIZE);
		u32 value = 0;

		there = kmap_local_page(mock->pages[at]);
		if (param->write) {
			KUNIT_EXPECT_EQ(test, 0, put_user(at + 1, user));
			KUNIT_EXPECT_EQ(test, at + 1, *there);
		} else {
			*there = at + 1;
			KUNIT_EXPECT_EQ(test, 0, get_user(value, user));
			KUNIT_EXPECT_EQ(test, at + 1, value);
		}
		kunmap_local(there);
	}

	/*
	 * Ordinary pages: each is in one page table and counted in the RSS. Not
	 * so page frames. It is the sum that counts: with several CPUs each
	 * keeps a part.
	 */
	for (i = 0; i < HEAP_MMAP_TEST_PAGES; i++)
		KUNIT_EXPECT_EQ(test, param->longterm_pin,
				folio_mapped(page_folio(mock->pages[i])));
	if (param->longterm_pin)
		KUNIT_EXPECT_GE(test,
				percpu_counter_sum(&current->mm->rss_stat[MM_FILEPAGES]),
				HEAP_MMAP_TEST_PAGES);

	KUNIT_EXPECT_EQ(test, 0, vm_munmap(address, dmabuf->size));
	mock_heap_close(dmabuf);
	mock_heap_expect_put(test, mock);
	KUNIT_EXPECT_TRUE(test, mock->exposed);
	mock_heap_expect_home(test, mock);
}

static unsigned long heap_mmap_test_map_private(struct kunit *test,
						struct dma_buf *dmabuf,
						unsigned long length)
{
	return kunit_vm_mmap(test, dmabuf->file, 0, length,
			     PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
}

static void heap_mmap_test_private(struct kunit *test)
{
	struct mock_heap *mock = mock_heap_create(test, "kunit_private");
	struct dma_buf *dmabuf;
	unsigned long address;
	u32 value = 0;
	u32 *there;

	dmabuf = mock_heap_buffer(test, mock, MOCK_HEAP_RUN, 4);
	address = heap_mmap_test_map_private(test, dmabuf, 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, -EINVAL, (long)address);

	/*
	 * One page. Reads come from the buffer, the first write makes a copy.
	 */
	address = heap_mmap_test_map_private(test, dmabuf, PAGE_SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(address));
	there = page_address(mock->pages[0]);
	*there = 4711;
	KUNIT_EXPECT_EQ(test, 0, get_user(value, (u32 __user *)address));
	KUNIT_EXPECT_EQ(test, 4711, value);
	KUNIT_EXPECT_EQ(test, 0, put_user(1, (u32 __user *)address));
	KUNIT_EXPECT_EQ(test, 4711, *there);
	KUNIT_EXPECT_EQ(test, 0, get_user(value, (u32 __user *)address));
	KUNIT_EXPECT_EQ(test, 1, value);
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(address, PAGE_SIZE));

	mock->backing.private_mmap = false;
	address = heap_mmap_test_map_private(test, dmabuf, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, -EINVAL, (long)address);

	mock_heap_close(dmabuf);
	mock_heap_expect_home(test, mock);
}

/* Part of a mapping, at an offset, some of it dropped and touched again. */
static void heap_mmap_test_part(struct kunit *test)
{
	struct mock_heap *mock = mock_heap_create(test, "kunit_part");
	u32 __user *user;
	struct dma_buf *dmabuf;
	unsigned long address;
	u32 value = 0;

	dmabuf = mock_heap_buffer(test, mock, MOCK_HEAP_BACKWARD, 10);
	address = kunit_vm_mmap(test, dmabuf->file, 0, 5 * PAGE_SIZE,
				PROT_READ | PROT_WRITE, MAP_SHARED, 3 * PAGE_SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(address));

	user = (u32 __user *)(address + 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, 0, put_user(77, user));
	KUNIT_EXPECT_EQ(test, 77, *(u32 *)page_address(mock->pages[5]));
	KUNIT_EXPECT_FALSE(test, page_mapped(mock->pages[2]));
	KUNIT_EXPECT_TRUE(test, page_mapped(mock->pages[3]));
	KUNIT_EXPECT_TRUE(test, page_mapped(mock->pages[7]));
	KUNIT_EXPECT_FALSE(test, page_mapped(mock->pages[8]));

	KUNIT_EXPECT_EQ(test, 0, vm_munmap(address, 2 * PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, page_mapped(mock->pages[4]));
	KUNIT_EXPECT_EQ(test, 0, get_user(value, user));
	KUNIT_EXPECT_EQ(test, 77, value);
	KUNIT_EXPECT_NE(test, 0, get_user(value, (u32 __user *)address));

	KUNIT_EXPECT_EQ(test, 0, vm_munmap(address + 2 * PAGE_SIZE, 3 * PAGE_SIZE));
	mock_heap_close(dmabuf);
	mock_heap_expect_home(test, mock);
}

/* A part of the buffer, by page frames: the right ones, and no more. */
static void heap_mmap_test_frames_part(struct kunit *test)
{
	struct mock_heap *mock = mock_heap_create(test, "kunit_frames");
	struct dma_buf *dmabuf;
	unsigned long address;
	u32 __user *user;
	u32 value = 0;

	mock->backing.longterm_pin = false;
	dmabuf = mock_heap_buffer(test, mock, MOCK_HEAP_BACKWARD, 10);
	address = kunit_vm_mmap(test, dmabuf->file, 0, 5 * PAGE_SIZE,
				PROT_READ | PROT_WRITE, MAP_SHARED, 3 * PAGE_SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(address));

	user = (u32 __user *)(address + 4 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, 0, put_user(77, user));
	KUNIT_EXPECT_EQ(test, 77, *(u32 *)page_address(mock->pages[7]));
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(address, 2 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, get_user(value, user));
	KUNIT_EXPECT_EQ(test, 77, value);
	KUNIT_EXPECT_NE(test, 0, get_user(value, (u32 __user *)address));
	KUNIT_EXPECT_NE(test, 0, get_user(value, user + PAGE_SIZE / sizeof(*user)));

	KUNIT_EXPECT_EQ(test, 0, vm_munmap(address + 2 * PAGE_SIZE, 3 * PAGE_SIZE));
	mock_heap_close(dmabuf);
	mock_heap_expect_home(test, mock);
}

struct heap_mmap_flags_case {
	const char *description;
	bool longterm_pin;
	unsigned long set;
	unsigned long clear;
};

static const struct heap_mmap_flags_case heap_mmap_flags_cases[] = {
	{ "pages", true, VM_DONTEXPAND | VM_DONTDUMP, VM_PFNMAP | VM_MIXEDMAP | VM_IO },
	{ "page frames", false, VM_DONTEXPAND | VM_DONTDUMP | VM_PFNMAP, VM_MIXEDMAP },
};

KUNIT_ARRAY_PARAM_DESC(heap_mmap_flags, heap_mmap_flags_cases, description);

/* What DRM warns of when it is missing, and what core dumps go by. */
static void heap_mmap_test_flags(struct kunit *test)
{
	const struct heap_mmap_flags_case *param = test->param_value;
	struct mock_heap *mock = mock_heap_create(test, "kunit_flags");
	struct vm_area_struct *vma;
	struct dma_buf *dmabuf;
	unsigned long address;

	mock->backing.longterm_pin = param->longterm_pin;
	dmabuf = mock_heap_buffer(test, mock, MOCK_HEAP_RUN, 4);
	address = heap_mmap_test_map(test, dmabuf, MAP_SHARED);

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, address);
	KUNIT_EXPECT_NOT_NULL(test, vma);
	if (vma) {
		KUNIT_EXPECT_EQ(test, param->set, vma->vm_flags & param->set);
		KUNIT_EXPECT_EQ(test, 0, vma->vm_flags & param->clear);
		KUNIT_EXPECT_FALSE(test, vma_is_anonymous(vma));
	}
	mmap_read_unlock(current->mm);

	KUNIT_EXPECT_EQ(test, 0, vm_munmap(address, dmabuf->size));
	mock_heap_close(dmabuf);
	mock_heap_expect_home(test, mock);
}

struct heap_mmap_pin_case {
	const char *description;
	bool longterm_pin;
	unsigned int gup_flags;
	bool touched;
	long ret;
};

static const struct heap_mmap_pin_case heap_mmap_pin_cases[] = {
	{ "a short pin for writing", true, FOLL_WRITE, false, 1 },
	{ "a long pin for writing", true, FOLL_WRITE | FOLL_LONGTERM, false, 1 },
	{ "a long pin for reading", true, FOLL_LONGTERM, true, 1 },
	{ "refuses a short pin for writing of page frames", false, FOLL_WRITE,
	  true, -EFAULT },
	{ "refuses a short pin for reading of page frames", false, 0, true, -EFAULT },
	{ "refuses a long pin for writing", false, FOLL_WRITE | FOLL_LONGTERM,
	  false, -EFAULT },
	{ "refuses a long pin for writing, touched", false,
	  FOLL_WRITE | FOLL_LONGTERM, true, -EFAULT },
	{ "refuses a long pin for reading", false, FOLL_LONGTERM, false, -EFAULT },
	{ "refuses a long pin for reading, touched", false, FOLL_LONGTERM,
	  true, -EFAULT },
	{ "refuses a long pin that is forced, touched", false,
	  FOLL_LONGTERM | FOLL_FORCE, true, -EFAULT },
};

KUNIT_ARRAY_PARAM_DESC(heap_mmap_pin, heap_mmap_pin_cases, description);

static void heap_mmap_test_pin_one(struct kunit *test, bool fast)
{
	const struct heap_mmap_pin_case *param = test->param_value;
	struct mock_heap *mock = mock_heap_create(test, "kunit_pin");
	struct dma_buf *dmabuf;
	unsigned long address, at;
	struct page *page;
	long ret;
	int refs;

	mock->backing.longterm_pin = param->longterm_pin;
	dmabuf = mock_heap_buffer(test, mock, MOCK_HEAP_BACKWARD, 4);
	address = heap_mmap_test_map(test, dmabuf, MAP_SHARED);
	at = address + PAGE_SIZE;
	if (param->touched)
		KUNIT_EXPECT_EQ(test, 0, put_user(1, (u32 __user *)at));

	ret = fast ? pin_user_pages_fast(at, 1, param->gup_flags, &page) :
		     pin_user_pages_unlocked(at, 1, &page, param->gup_flags);
	KUNIT_EXPECT_EQ(test, param->ret, ret);
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(address, dmabuf->size));
	mock_heap_close(dmabuf);
	mock_heap_expect_put(test, mock);
	if (ret > 0) {
		KUNIT_EXPECT_PTR_EQ(test, mock->pages[1], page);
		refs = page_ref_count(page);
		KUNIT_EXPECT_GT(test, refs, 1);
		unpin_user_page(page);
		KUNIT_EXPECT_LT(test, page_ref_count(page), refs);
	}
	mock_heap_expect_home(test, mock);
}

/* A page that is pinned outlives the buffer, and is the holder's alone. */
static void heap_mmap_test_pin(struct kunit *test)
{
	heap_mmap_test_pin_one(test, false);
}

static void heap_mmap_test_pin_fast(struct kunit *test)
{
	heap_mmap_test_pin_one(test, true);
}

static const struct heap_mmap_revoke_case {
	const char *description;
	enum mock_heap_pieces pieces;
	unsigned long flags;
	unsigned int nr_pages;
	bool longterm_pin;
} heap_mmap_revoke_cases[] = {
	{ "a run", MOCK_HEAP_RUN, MAP_SHARED, HEAP_MMAP_TEST_PAGES, true },
	{ "many runs", MOCK_HEAP_BACKWARD, MAP_SHARED, HEAP_MMAP_TEST_PAGES,
	  true },
	{ "folios", MOCK_HEAP_FOLIOS, MAP_SHARED, HEAP_MMAP_TEST_PAGES, true },
	{ "page frames", MOCK_HEAP_RUN, MAP_SHARED, HEAP_MMAP_TEST_PAGES,
	  false },
	{ "a private copy", MOCK_HEAP_RUN, MAP_PRIVATE, 1, true },
};

KUNIT_ARRAY_PARAM_DESC(heap_mmap_revoke, heap_mmap_revoke_cases, description);

/* Succeeds if a revocation empties a mapping, and nothing gets back into it. */
static void heap_mmap_test_revoke(struct kunit *test)
{
	const struct heap_mmap_revoke_case *param = test->param_value;
	struct mock_heap *mock = mock_heap_create(test, "kunit_revoke");
	struct dma_buf *dmabuf;
	unsigned long address;
	/* Without huge pages the buffer counts as a mapping of large folios. */
	bool counted = IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) ||
		       param->pieces != MOCK_HEAP_FOLIOS;
	unsigned int i;
	u32 value;

	mock->backing.longterm_pin = param->longterm_pin;
	dmabuf = mock_heap_buffer(test, mock, param->pieces, param->nr_pages);
	address = heap_mmap_test_map(test, dmabuf, param->flags);
	for (i = 0; i < param->nr_pages; i++)
		KUNIT_EXPECT_EQ(test, 0,
				put_user(i, (u32 __user *)(address +
							   i * PAGE_SIZE)));

	KUNIT_EXPECT_EQ(test, 0, dma_buf_revoke(dmabuf, false));
	for (i = 0; i < param->nr_pages; i++) {
		u32 __user *user = (u32 __user *)(address + i * PAGE_SIZE);

		KUNIT_EXPECT_FALSE(test,
				   counted && page_mapped(mock->pages[i]));
		KUNIT_EXPECT_EQ(test, sizeof(value),
				copy_from_user(&value, user, sizeof(value)));
		KUNIT_EXPECT_EQ(test, -EFAULT, put_user(1, user));
		KUNIT_EXPECT_FALSE(test,
				   counted && page_mapped(mock->pages[i]));
		KUNIT_EXPECT_FALSE(test,
				   folio_test_locked(page_folio(mock->pages[i])));
	}
	KUNIT_EXPECT_EQ(test, -ENODEV,
			(long)kunit_vm_mmap(test, dmabuf->file, 0, PAGE_SIZE,
					    PROT_READ, MAP_SHARED, 0));

	KUNIT_EXPECT_EQ(test, 0, vm_munmap(address, dmabuf->size));
	mock_heap_close(dmabuf);
	mock_heap_expect_put(test, mock);
	mock_heap_expect_home(test, mock);
}

static struct kunit_case heap_mmap_cases[] = {
	KUNIT_CASE_PARAM(heap_mmap_test_touch, heap_mmap_touch_gen_params),
	KUNIT_CASE(heap_mmap_test_private),
	KUNIT_CASE(heap_mmap_test_part),
	KUNIT_CASE(heap_mmap_test_frames_part),
	KUNIT_CASE_PARAM(heap_mmap_test_flags, heap_mmap_flags_gen_params),
	KUNIT_CASE_PARAM(heap_mmap_test_pin, heap_mmap_pin_gen_params),
	KUNIT_CASE_PARAM(heap_mmap_test_pin_fast, heap_mmap_pin_gen_params),
	KUNIT_CASE_PARAM(heap_mmap_test_revoke, heap_mmap_revoke_gen_params),
	{ }
};

static struct kunit_suite heap_mmap_suite = {
	.name = "heap_mmap",
	.test_cases = heap_mmap_cases,
};

kunit_test_suite(heap_mmap_suite);
