// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock heap: a page-backed heap on a script
 *
 * It owns the registered heap, and a reference on each page of the last buffer,
 * both until the test case ends.
 */
#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/gfp.h>
#include <linux/mm.h>

#include "mock_files.h"
#include "mock_heap.h"

/* Put the pages of the last buffer. */
static void mock_heap_forget(struct mock_heap *mock)
{
	unsigned int i;

	for (i = 0; i < mock->nr_pages; i++)
		put_page(mock->pages[i]);
	mock->nr_pages = 0;
}

static int mock_heap_add_piece(struct mock_heap *mock,
			       struct heap_buffer *buffer, struct page *page,
			       unsigned int nr_pages)
{
	unsigned int i;
	int ret;

	ret = heap_buffer_append(buffer, page, nr_pages);
	if (ret)
		return ret;
	for (i = 0; i < nr_pages; i++) {
		get_page(page + i);
		mock->pages[mock->nr_pages++] = page + i;
	}
	return 0;
}

/* Single pages that are adjacent: a block of the page allocator, split. */
static int mock_heap_fill_single(struct mock_heap *mock,
				 struct heap_buffer *buffer, unsigned int count)
{
	unsigned int step = 1, i, at;
	unsigned int order = get_order(count << PAGE_SHIFT);
	struct page *block;
	int ret = 0;

	block = alloc_pages(GFP_KERNEL | __GFP_ZERO, order);
	if (!block)
		return -ENOMEM;
	split_page(block, order);

	if (mock->pieces == MOCK_HEAP_RUN)
		step = count;
	for (i = 0; i < count; i += step) {
		at = mock->pieces == MOCK_HEAP_BACKWARD ? count - 1 - i : i;
		if (mock->fail && i / step == mock->fail_after)
			ret = mock->fail;
		else
			ret = mock_heap_add_piece(mock, buffer, block + at, step);
		if (ret)
			break;
	}

	/* Free what the buffer has not taken over. */
	for (at = 0; at < 1U << order; at++) {
		bool taken = mock->pieces == MOCK_HEAP_BACKWARD ?
			     at < count && at >= count - i : at < i;

		if (!taken)
			put_page(block + at);
	}
	return ret;
}

static int mock_heap_fill_folios(struct mock_heap *mock,
				 struct heap_buffer *buffer, unsigned int left)
{
	unsigned int given = 0;
	struct folio *folio;
	int ret;

	for (; left; left -= 4) {
		if (mock->fail && given++ == mock->fail_after)
			return mock->fail;
		folio = folio_alloc(GFP_KERNEL | __GFP_ZERO, 2);
		if (!folio)
			return -ENOMEM;
		ret = mock_heap_add_piece(mock, buffer, &folio->page, 4);
		if (ret) {
			folio_put(folio);
			return ret;
		}
	}
	return 0;
}

static int mock_heap_fill(struct mock_heap *mock, struct heap_buffer *buffer,
			  unsigned long nr_pages)
{
	mock_heap_forget(mock);
	if (nr_pages > MOCK_HEAP_MAX_PAGES)
		return -ENOMEM;
	if (mock->pieces == MOCK_HEAP_FOLIOS)
		return mock_heap_fill_folios(mock, buffer, nr_pages);
	return mock_heap_fill_single(mock, buffer, nr_pages);
}

static void mock_heap_put(struct heap_buffer *buffer)
{
	struct mock_heap *mock = dma_heap_get_drvdata(buffer->heap);

	mock->exposed = buffer->pages.exposed;
	/* Waited for on another CPU: what was noted before is seen then. */
	smp_store_release(&mock->puts, mock->puts + 1);
	heap_buffer_put_folios(buffer);
}

static struct dma_buf *mock_heap_allocate(struct dma_heap *heap,
					  unsigned long len, u32 fd_flags,
					  u64 heap_flags)
{
	struct mock_heap *mock = dma_heap_get_drvdata(heap);

	struct heap_buffer *buffer;
	int ret;

	mock->allocations++;
	mock->len = len;
	mock->fd_flags = fd_flags;
	if (mock->refuse && mock->allocations > mock->refuse_after)
		return ERR_PTR(mock->refuse);
	buffer = heap_buffer_alloc(heap, len, &mock->backing);
	if (IS_ERR(buffer))
		return ERR_CAST(buffer);

	ret = mock_heap_fill(mock, buffer, len >> PAGE_SHIFT);
	if (ret) {
		heap_buffer_abort(buffer);
		return ERR_PTR(ret);
	}
	return heap_buffer_export(buffer, fd_flags);
}

static const struct dma_heap_ops mock_heap_ops = {
	.allocate = mock_heap_allocate,
};

static void mock_heap_destroy(void *data)
{
	struct mock_heap *mock = data;

	mock_files_flush();
	mock_heap_forget(mock);
	if (mock->heap)
		dma_heap_remove(mock->heap);
}

/**
 * mock_heap_create - register a mock heap
 * @test: the running test case
 * @name: its name, for a string that stays
 *
 * The script as it starts: pages in one run, nothing fails, everything allowed.
 *
 * Context: Process context of the test; may sleep. Ends the test case on
 * failure.
 * Return: the heap, removed when the test case ends.
 */
struct mock_heap *mock_heap_create(struct kunit *test, const char *name)
{
	struct mock_heap *mock;

	mock = kunit_kzalloc(test, sizeof(*mock), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mock);

	mock->backing = (struct heap_backing) {
		.put = mock_heap_put,
		.private_mmap = true,
		.longterm_pin = true,
	};
	mock->info = (struct dma_heap_export_info) {
		.name = name,
		.ops = &mock_heap_ops,
		.priv = mock,
	};
	mock->heap = dma_heap_add(&mock->info);
	if (IS_ERR(mock->heap))
		KUNIT_FAIL_AND_ABORT(test, "cannot add heap %s", name);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mock_heap_destroy,
							   mock));
	return mock;
}

/**
 * mock_heap_buffer - allocate a buffer of a mock heap
 * @test: the running test case
 * @mock: the heap
 * @pieces: how its pages come
 * @nr_pages: how many, at most MOCK_HEAP_MAX_PAGES
 *
 * Context: Process context of the test; may sleep. Ends the test case on
 * failure.
 * Return: the buffer, for mock_heap_close().
 */
struct dma_buf *mock_heap_buffer(struct kunit *test, struct mock_heap *mock,
				 enum mock_heap_pieces pieces,
				 unsigned int nr_pages)
{
	struct dma_buf *dmabuf;

	mock->pieces = pieces;
	dmabuf = dma_heap_buffer_alloc(mock->heap, nr_pages * PAGE_SIZE, O_RDWR, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	return dmabuf;
}

/**
 * mock_heap_close - drop the last reference of a buffer, and release it
 * @dmabuf: the buffer
 *
 * Context: Process context; may sleep.
 */
void mock_heap_close(struct dma_buf *dmabuf)
{
	dma_buf_put(dmabuf);
	mock_files_flush();
}

/**
 * mock_heap_expect_puts - expect that the pages of some buffers have been put
 * @test: the running test case
 * @mock: the heap
 * @puts: how many buffers, since the heap was made
 *
 * The release may be under way on another CPU: wait for it.
 *
 * Context: Process context of the test; may sleep.
 */
void mock_heap_expect_puts(struct kunit *test, struct mock_heap *mock,
			   unsigned int puts)
{
	int tries;

	for (tries = 0; tries < 10000; tries++) {
		/* With the count comes what the put has written before. */
		if (smp_load_acquire(&mock->puts) >= puts)
			break;
		usleep_range(1000, 2000);
	}
	KUNIT_EXPECT_EQ(test, puts, mock->puts);
}

/**
 * mock_heap_expect_put - expect that the pages of one buffer have been put
 * @test: the running test case
 * @mock: the heap
 *
 * Context: Process context of the test; may sleep.
 */
void mock_heap_expect_put(struct kunit *test, struct mock_heap *mock)
{
	mock_heap_expect_puts(test, mock, 1);
}

/*
 * Wait until a folio has no other references. Compaction, among others, takes
 * one for a moment of any page that it comes across.
 */
static void mock_heap_wait_home(struct folio *folio)
{
	int tries;

	for (tries = 0; tries < 10000; tries++) {
		if (folio_ref_count(folio) == (int)folio_nr_pages(folio))
			return;
		usleep_range(1000, 2000);
	}
}

/**
 * mock_heap_expect_home - expect that only the mock has references on the pages
 * @test: the running test case
 * @mock: the heap
 *
 * Context: Process context of the test; may sleep.
 */
void mock_heap_expect_home(struct kunit *test, struct mock_heap *mock)
{
	unsigned int i;

	for (i = 0; i < mock->nr_pages; i++) {
		struct folio *folio = page_folio(mock->pages[i]);

		mock_heap_wait_home(folio);
		KUNIT_EXPECT_EQ_MSG(test, folio_ref_count(folio),
				    (int)folio_nr_pages(folio),
				    "page %u of %u", i, mock->nr_pages);
	}
}
