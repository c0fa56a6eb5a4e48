// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of heaps/cma_run.c and cma_heap.c: runs that are taken, parked and
 * given back, and which regions become heaps.
 *
 * The allocator of contiguous memory is the real one; the mock CMA listens. The
 * region is a small one of the lab where there is one, otherwise the default.
 */
#include <kunit/test.h>

#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf/heaps/cma.h>
#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "../heaps/heap_buffer.h"
#include "lab/regions.h"
#include "mock_cma.h"
#include "mock_files.h"
#include "mock_user.h"

/* A region is used up in pieces of this size, of which so many are enough. */
#define CMA_HEAP_PIECE		SZ_1M
#define CMA_HEAP_PIECES		1024

/* What is found where the last owner has written. */
#define CMA_HEAP_DIRT		0x5a

/* What a test buffer has, in bytes. */
#define CMA_HEAP_SIZE		SZ_256K

/**
 * struct cma_heap_test - what a test case starts with
 * @heap: the heap
 * @mock: listens to the allocator
 * @pieces: buffers that use up the region
 * @nr_pieces: how many
 */
struct cma_heap_test {
	struct dma_heap *heap;
	struct mock_cma *mock;
	struct dma_buf *pieces[CMA_HEAP_PIECES];
	unsigned int nr_pieces;
};

static void cma_heap_test_put(struct dma_buf *dmabuf)
{
	dma_buf_put(dmabuf);
	mock_files_flush();
}

static void cma_heap_test_free_up(struct cma_heap_test *stage)
{
	while (stage->nr_pieces)
		cma_heap_test_put(stage->pieces[--stage->nr_pieces]);
}

static int cma_heap_test_init(struct kunit *test)
{
	struct cma_heap_test *stage;

	stage = kunit_kzalloc(test, sizeof(*stage), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stage);
	test->priv = stage;

	stage->heap = dma_heap_find(DMABUF_LAB_FRAMES);
	if (!stage->heap)
		stage->heap = dma_heap_find("default_cma_region");
	if (!stage->heap)
		kunit_skip(test, "no region of contiguous memory");
	stage->mock = mock_cma_listen(test);
	return 0;
}

static void cma_heap_test_exit(struct kunit *test)
{
	struct cma_heap_test *stage = test->priv;

	if (!stage)
		return;
	cma_heap_test_free_up(stage);
	dma_heap_put(stage->heap);
}

static struct dma_buf *cma_heap_test_alloc(struct cma_heap_test *stage, size_t size)
{
	return dma_heap_buffer_alloc(stage->heap, size, O_RDWR, 0);
}

static struct page *cma_heap_test_page(struct dma_buf *dmabuf, pgoff_t at)
{
	return dma_buf_pages_page(dmabuf->priv, at);
}

/* Until there is no room for one more piece. */
static void cma_heap_test_use_up(struct kunit *test)
{
	struct cma_heap_test *stage = test->priv;
	struct dma_buf *dmabuf;

	do {
		dmabuf = cma_heap_test_alloc(stage, CMA_HEAP_PIECE);
		if (!IS_ERR(dmabuf))
			stage->pieces[stage->nr_pieces++] = dmabuf;
	} while (!IS_ERR(dmabuf) && stage->nr_pieces < CMA_HEAP_PIECES);
	KUNIT_ASSERT_EQ(test, -ENOMEM, PTR_ERR_OR_ZERO(dmabuf));
	KUNIT_ASSERT_LT(test, 1, stage->nr_pieces);
}

/* -- taking --------------------------------------------------------------- */

static void cma_heap_test_too_much(struct kunit *test)
{
	struct cma_heap_test *stage = test->priv;
	struct dma_buf *dmabuf;

	dmabuf = cma_heap_test_alloc(stage, SZ_1G);
	KUNIT_EXPECT_EQ(test, -ENOMEM, PTR_ERR_OR_ZERO(dmabuf));
	KUNIT_EXPECT_EQ(test, 0, stage->mock->starts);
}

/* Some page may be in use just for a moment, so one asks more than once. */
static void cma_heap_test_asks_again(struct kunit *test)
{
	struct cma_heap_test *stage = test->priv;
	struct dma_buf *dmabuf;

	cma_heap_test_use_up(test);
	stage->mock->starts = 0;
	dmabuf = cma_heap_test_alloc(stage, CMA_HEAP_PIECE);
	KUNIT_EXPECT_EQ(test, -ENOMEM, PTR_ERR_OR_ZERO(dmabuf));
	KUNIT_EXPECT_EQ(test, 3, stage->mock->starts);

	/* Without a signal; and it is one run that was missing. */
	cma_heap_test_put(stage->pieces[--stage->nr_pieces]);
	stage->mock->starts = 0;
	dmabuf = cma_heap_test_alloc(stage, CMA_HEAP_PIECE);
	KUNIT_EXPECT_EQ(test, 0, PTR_ERR_OR_ZERO(dmabuf));
	if (!IS_ERR(dmabuf))
		stage->pieces[stage->nr_pieces++] = dmabuf;
}

/* Expect that all of a piece is zero, and leave something in it. */
static void cma_heap_test_soil(struct kunit *test, struct dma_buf *dmabuf)
{
	struct page *page;
	void *vaddr;
	pgoff_t at;

	for (at = 0; at < CMA_HEAP_PIECE >> PAGE_SHIFT; at++) {
		page = cma_heap_test_page(dmabuf, at);
		vaddr = kmap_local_page(page);
		KUNIT_EXPECT_NULL(test, memchr_inv(vaddr, 0, PAGE_SIZE));
		memset(vaddr, CMA_HEAP_DIRT, PAGE_SIZE);
		kunmap_local(vaddr);
	}
}

/*
 * What one owner wrote the next one does not see, wherever it gets its pages.
 */
static void cma_heap_test_zeroed(struct kunit *test)
{
	struct cma_heap_test *stage = test->priv;
	unsigned int round, i;

	for (round = 0; round < 2; round++) {
		cma_heap_test_use_up(test);
		for (i = 0; i < stage->nr_pieces; i++)
			cma_heap_test_soil(test, stage->pieces[i]);
		cma_heap_test_free_up(stage);
	}
}

struct cma_heap_killed_case {
	const char *description;
	bool used_up;
	bool before;
	unsigned int at_start;
	bool at_finish;
	unsigned int starts;
};

static const struct cma_heap_killed_case cma_heap_killed_cases[] = {
	{ "before the region is asked", .before = true, .starts = 0 },
	{ "while it makes room", .at_start = 1, .starts = 1 },
	{ "while it has no room", .used_up = true, .at_start = 1, .starts = 1 },
	{ "before it is asked again", .used_up = true, .at_start = 2, .starts = 2 },
	{ "when it was asked for the last time",
	  .used_up = true, .at_start = 3, .starts = 3 },
	{ "when there are pages to be zeroed", .at_finish = true, .starts = 1 },
};

KUNIT_ARRAY_PARAM_DESC(cma_heap_killed, cma_heap_killed_cases, description);

static void cma_heap_test_killed(struct kunit *test)
{
	const struct cma_heap_killed_case *param = test->param_value;
	struct cma_heap_test *stage = test->priv;
	struct mock_cma *mock = stage->mock;
	struct dma_buf *dmabuf;

	if (param->used_up)
		cma_heap_test_use_up(test);
	mock->starts = 0;
	mock->got = NULL;
	mock->kill_at_start = param->at_start;
	mock->kill_at_finish = param->at_finish;
	if (param->before)
		mock_user_kill();
	dmabuf = cma_heap_test_alloc(stage, CMA_HEAP_PIECE);
	mock_user_revive();
	mock->kill_at_start = 0;
	mock->kill_at_finish = false;

	KUNIT_EXPECT_EQ(test, -EINTR, PTR_ERR_OR_ZERO(dmabuf));
	KUNIT_EXPECT_EQ(test, param->starts, mock->starts);
	if (!IS_ERR(dmabuf))
		cma_heap_test_put(dmabuf);

	/* What it had got has gone back. */
	KUNIT_EXPECT_EQ(test, param->at_finish, !!mock->got);
	KUNIT_EXPECT_EQ(test, param->at_finish, atomic_read(&mock->released));
	if (param->used_up)
		return;
	dmabuf = cma_heap_test_alloc(stage, CMA_HEAP_PIECE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	cma_heap_test_put(dmabuf);
}

/* -- parking -------------------------------------------------------------- */

/* Release a buffer, one page of which still has a reference. */
static struct page *cma_heap_test_parked(struct kunit *test)
{
	struct cma_heap_test *stage = test->priv;
	struct dma_buf *dmabuf;
	struct page *page;

	dmabuf = cma_heap_test_alloc(stage, CMA_HEAP_SIZE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	KUNIT_ASSERT_EQ(test, CMA_HEAP_SIZE >> PAGE_SHIFT, stage->mock->count);
	page = cma_heap_test_page(dmabuf, (CMA_HEAP_SIZE >> PAGE_SHIFT) - 1);
	get_page(page);
	memset_page(page, 0, CMA_HEAP_DIRT, PAGE_SIZE);
	cma_heap_test_put(dmabuf);
	return page;
}

/* Test whether a buffer has this page. */
static bool cma_heap_test_has(struct dma_buf *dmabuf, const struct page *page)
{
	unsigned long first = page_to_pfn(cma_heap_test_page(dmabuf, 0));

	return page_to_pfn(page) >= first &&
	       page_to_pfn(page) < first + (dmabuf->size >> PAGE_SHIFT);
}

static void cma_heap_test_goes_home(struct kunit *test)
{
	struct cma_heap_test *stage = test->priv;
	struct dma_buf *dmabuf;

	dmabuf = cma_heap_test_alloc(stage, CMA_HEAP_SIZE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	KUNIT_EXPECT_PTR_EQ(test, stage->mock->got, cma_heap_test_page(dmabuf, 0));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&stage->mock->released));

	/* No page has another reference, so there is nothing to wait for. */
	cma_heap_test_put(dmabuf);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&stage->mock->released));
}

static void cma_heap_test_held(struct kunit *test)
{
	struct cma_heap_test *stage = test->priv;
	struct page *page = cma_heap_test_parked(test);
	struct mock_cma *mock = stage->mock;
	unsigned int i;
	void *vaddr;

	/* No other buffer is given it, however often one asks. */
	mock->keep = true;
	cma_heap_test_use_up(test);
	for (i = 0; i < stage->nr_pieces; i++)
		KUNIT_EXPECT_FALSE(test, cma_heap_test_has(stage->pieces[i], page));
	vaddr = kmap_local_page(page);
	KUNIT_EXPECT_NULL(test, memchr_inv(vaddr, CMA_HEAP_DIRT, PAGE_SIZE));
	kunmap_local(vaddr);
	cma_heap_test_free_up(stage);

	/* It is looked at in vain, and will be looked at again. */
	msleep(1500);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&mock->released));
	put_page(page);
	KUNIT_EXPECT_TRUE(test, mock_cma_wait_home(mock));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&mock->released));
}

/* As long as a run is parked its buffer is there, charged and counted. */
static void cma_heap_test_parked_is_counted(struct kunit *test)
{
	struct cma_heap_test *stage = test->priv;
	struct heap_buffer *buffer;
	struct dma_buf *dmabuf;
	struct page *page;

	dmabuf = cma_heap_test_alloc(stage, CMA_HEAP_SIZE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	page = cma_heap_test_page(dmabuf, 3);
	get_page(page);
	buffer = heap_buffer_of(dmabuf);
	heap_buffer_get(buffer);
	cma_heap_test_put(dmabuf);
	KUNIT_EXPECT_EQ(test, 2, refcount_read(&buffer->refs));
	KUNIT_EXPECT_TRUE(test, buffer->counted);
	KUNIT_EXPECT_EQ(test, buffer->pages.nr_pages, buffer->nr_charged);

	put_page(page);
	KUNIT_EXPECT_TRUE(test, mock_cma_wait_home(stage->mock));
	/* The work item that gave the run back drops the buffer next. */
	while (refcount_read(&buffer->refs) > 1)
		cond_resched();
	heap_buffer_put(buffer);
}

/*
 * A page that is never let go of is looked at less and less often: in 31.5
 * seconds six times, and these are fewer however long they take. A new one
 * starts over.
 */
static void cma_heap_test_backs_off(struct kunit *test)
{
	struct cma_heap_test *stage = test->priv;
	struct page *page = cma_heap_test_parked(test), *other;
	struct mock_cma *mock = stage->mock;
	int looks;

	msleep(7000);
	looks = atomic_read(&mock->looks);
	KUNIT_EXPECT_LE(test, 1, looks);
	KUNIT_EXPECT_GE(test, 6, looks);

	other = cma_heap_test_parked(test);
	put_page(other);
	KUNIT_EXPECT_TRUE(test, mock_cma_wait_home(mock));
	/* One look of before may have been due just now. */
	KUNIT_EXPECT_GE(test, looks + 2, atomic_read(&mock->looks));

	put_page(page);
	other = cma_heap_test_parked(test);
	put_page(other);
	KUNIT_EXPECT_TRUE(test, mock_cma_wait_home(mock));
}

/* An allocation that needs a run that is parked, but idle, does not wait. */
static void cma_heap_test_fetched(struct kunit *test)
{
	struct cma_heap_test *stage = test->priv;
	struct dma_buf *dmabuf;
	struct page *page;

	cma_heap_test_use_up(test);
	dmabuf = stage->pieces[--stage->nr_pieces];
	page = cma_heap_test_page(dmabuf, 0);
	get_page(page);
	cma_heap_test_put(dmabuf);
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			PTR_ERR_OR_ZERO(cma_heap_test_alloc(stage, CMA_HEAP_PIECE)));
	put_page(page);

	dmabuf = cma_heap_test_alloc(stage, CMA_HEAP_PIECE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	KUNIT_EXPECT_TRUE(test, cma_heap_test_has(dmabuf, page));
	cma_heap_test_put(dmabuf);
}

/* -- regions -------------------------------------------------------------- */

static bool cma_heap_test_exists(const char *name)
{
	struct dma_heap *heap = dma_heap_find(name);

	dma_heap_put(heap);
	return heap;
}

struct cma_heap_node_case {
	const char *description;
	const char *name;
	bool heap;
};

static const struct cma_heap_node_case cma_heap_node_cases[] = {
	{ "succeeds if the node says that it may be used", DMABUF_LAB_FRAMES, true },
	{ "refuses a region of one device", "lab-private@30400000" },
	{ "refuses a node of another kind", "lab-vendor@30600000" },
	{ "refuses a node that is disabled", "lab-disabled@30800000" },
	{ "refuses a region that there is not", "lab-absent@f0000000" },
	{ "refuses half a name", "lab-frames" },
};

KUNIT_ARRAY_PARAM_DESC(cma_heap_node, cma_heap_node_cases, description);

static void cma_heap_test_nodes(struct kunit *test)
{
	const struct cma_heap_node_case *param = test->param_value;
	const struct dmabuf_lab_regions *lab = dmabuf_lab_regions();

	if (!lab || !lab->tree)
		kunit_skip(test, "the device tree is not that of the lab");
	KUNIT_EXPECT_EQ(test, param->heap, cma_heap_test_exists(param->name));
}

static void cma_heap_test_handed_over(struct kunit *test)
{
	const struct dmabuf_lab_regions *lab = dmabuf_lab_regions();
	char name[64];

	if (!lab)
		kunit_skip(test, "there is no lab");

	/*
	 * Early: kept until there can be heaps, as many as there may be
	 * regions.
	 */
	KUNIT_EXPECT_EQ(test, 0, lab->early);
	KUNIT_EXPECT_EQ(test, 0, lab->again);
	KUNIT_EXPECT_EQ(test, -ENOMEM, lab->too_many);
	KUNIT_EXPECT_TRUE(test, cma_heap_test_exists(DMABUF_LAB_EARLY));

	/* Late: a heap at once. The name that CMA made up is a line. */
	KUNIT_EXPECT_EQ(test, 0, lab->late);
	KUNIT_EXPECT_EQ(test, -EINVAL, lab->twice);
	KUNIT_EXPECT_FALSE(test, cma_heap_test_exists(lab->late_name));
	strscpy(name, lab->late_name);
	strim(name);
	KUNIT_EXPECT_TRUE(test, cma_heap_test_exists(name));
}

/* Two heaps cannot have one name; the default region has its own already. */
static void cma_heap_test_name_is_taken(struct kunit *test)
{
	struct dma_heap *heap = dma_heap_find("default_cma_region");

	if (!heap)
		kunit_skip(test, "no default region");
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_heap_cma_register_heap(dma_heap_get_drvdata(heap)));
	dma_heap_put(heap);
}

static struct kunit_case cma_heap_cases[] = {
	KUNIT_CASE(cma_heap_test_too_much),
	KUNIT_CASE(cma_heap_test_asks_again),
	KUNIT_CASE(cma_heap_test_zeroed),
	KUNIT_CASE_PARAM(cma_heap_test_killed, cma_heap_killed_gen_params),
	KUNIT_CASE(cma_heap_test_goes_home),
	KUNIT_CASE_SLOW(cma_heap_test_held),
	KUNIT_CASE(cma_heap_test_parked_is_counted),
	KUNIT_CASE_SLOW(cma_heap_test_backs_off),
	KUNIT_CASE(cma_heap_test_fetched),
	KUNIT_CASE_PARAM(cma_heap_test_nodes, cma_heap_node_gen_params),
	KUNIT_CASE(cma_heap_test_handed_over),
	KUNIT_CASE(cma_heap_test_name_is_taken),
	{ }
};

static struct kunit_suite cma_heap_suite = {
	.name = "cma_heap",
	.init = cma_heap_test_init,
	.exit = cma_heap_test_exit,
	.test_cases = cma_heap_cases,
};

kunit_test_suite(cma_heap_suite);
