// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-heap.c: the registry of heaps, and allocation by drivers.
 *
 * The ioctl, the device nodes and the totals in sysfs are tested from user
 * space: at boot, when these cases may run, there is no /dev yet.
 */
#include <kunit/test.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/mm.h>

#include <uapi/linux/dma-heap.h>

#include "mock_files.h"
#include "mock_heap.h"
#include "mock_user.h"

/* The number of minor numbers. */
#define DMA_HEAP_TEST_MANY	128

static struct dma_buf *dma_heap_test_never(struct dma_heap *heap,
					   unsigned long len, u32 fd_flags,
					   u64 heap_flags)
{
	return ERR_PTR(-EXDEV);
}

static const struct dma_heap_ops dma_heap_test_ops = {
	.allocate = dma_heap_test_never,
};

static const struct dma_heap_ops dma_heap_test_no_ops;

struct dma_heap_add_case {
	const char *description;
	struct dma_heap_export_info info;
};

static const struct dma_heap_add_case dma_heap_add_cases[] = {
	{ "refuses a heap without a name",
	  { .ops = &dma_heap_test_ops } },
	{ "refuses an empty name",
	  { .name = "", .ops = &dma_heap_test_ops } },
	{ "refuses a name that is a path",
	  { .name = "kunit/sub", .ops = &dma_heap_test_ops } },
	{ "refuses a heap without ops",
	  { .name = "kunit_no_ops" } },
	{ "refuses a heap that cannot allocate",
	  { .name = "kunit_no_allocate", .ops = &dma_heap_test_no_ops } },
	{ "refuses a name that is taken",
	  { .name = "kunit_taken", .ops = &dma_heap_test_ops } },
};

KUNIT_ARRAY_PARAM_DESC(dma_heap_add, dma_heap_add_cases, description);

static void dma_heap_test_add_refuses(struct kunit *test)
{
	const struct dma_heap_add_case *param = test->param_value;
	struct dma_heap *heap;

	mock_heap_create(test, "kunit_taken");
	heap = dma_heap_add(&param->info);
	KUNIT_EXPECT_EQ(test, -EINVAL, PTR_ERR_OR_ZERO(heap));
	if (!IS_ERR(heap))
		dma_heap_remove(heap);
}

static void dma_heap_test_knows_itself(struct kunit *test)
{
	struct mock_heap *mock = mock_heap_create(test, "kunit_self");

	KUNIT_EXPECT_STREQ(test, "kunit_self", dma_heap_get_name(mock->heap));
	KUNIT_EXPECT_PTR_EQ(test, mock, dma_heap_get_drvdata(mock->heap));
}

static void dma_heap_test_find(struct kunit *test)
{
	struct mock_heap *mock = mock_heap_create(test, "kunit_find");
	struct dma_heap *heap;

	heap = dma_heap_find("kunit_find");
	KUNIT_EXPECT_PTR_EQ(test, mock->heap, heap);
	dma_heap_put(heap);

	KUNIT_EXPECT_NULL(test, dma_heap_find("kunit_fin"));
	KUNIT_EXPECT_NULL(test, dma_heap_find("kunit_find_"));
	dma_heap_put(NULL);
}

static void dma_heap_test_removed(struct kunit *test)
{
	struct mock_heap *mock = mock_heap_create(test, "kunit_removed");
	struct dma_heap *found = dma_heap_find("kunit_removed");
	struct dma_buf *before, *after;

	KUNIT_ASSERT_NOT_NULL(test, found);
	before = mock_heap_buffer(test, mock, MOCK_HEAP_RUN, 1);

	dma_heap_remove(mock->heap);
	mock->heap = NULL;

	/* Not found any more, and of no use, but still a valid object. */
	KUNIT_EXPECT_NULL(test, dma_heap_find("kunit_removed"));
	after = dma_heap_buffer_alloc(found, PAGE_SIZE, O_RDWR, 0);
	KUNIT_EXPECT_EQ(test, -ENODEV, PTR_ERR_OR_ZERO(after));
	KUNIT_EXPECT_EQ(test, 1, mock->allocations);
	KUNIT_EXPECT_STREQ(test, "kunit_removed", dma_heap_get_name(found));

	/* The name is free again, though the old heap has a buffer. */
	mock_heap_create(test, "kunit_removed");
	dma_heap_put(found);
	KUNIT_EXPECT_STREQ(test, "kunit_removed", before->exp_name);
	mock_heap_close(before);
	mock_heap_expect_home(test, mock);
}

static void dma_heap_test_many(struct kunit *test)
{
	struct dma_heap_export_info info = { .ops = &dma_heap_test_ops };
	struct dma_heap **heaps;
	unsigned int count, i;
	char (*names)[16];

	heaps = kunit_kcalloc(test, DMA_HEAP_TEST_MANY + 1, sizeof(*heaps),
			      GFP_KERNEL);
	names = kunit_kcalloc(test, DMA_HEAP_TEST_MANY + 1, sizeof(*names),
			      GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, heaps);
	KUNIT_ASSERT_NOT_NULL(test, names);

	for (count = 0; count <= DMA_HEAP_TEST_MANY; count++) {
		snprintf(names[count], sizeof(names[count]), "kunit%u", count);
		info.name = names[count];
		heaps[count] = dma_heap_add(&info);
		if (IS_ERR(heaps[count]))
			break;
	}

	/* There are other heaps. */
	KUNIT_EXPECT_LE(test, count, DMA_HEAP_TEST_MANY);
	if (count <= DMA_HEAP_TEST_MANY)
		KUNIT_EXPECT_EQ(test, -EBUSY, PTR_ERR(heaps[count]));
	for (i = 0; i < count; i++)
		dma_heap_remove(heaps[i]);

	/* The minor numbers are free again. */
	mock_heap_create(test, "kunit0");
}

struct dma_heap_alloc_case {
	const char *description;
	size_t len;
	u32 fd_flags;
	u64 heap_flags;
	int ret;
	unsigned long pages;
};

static const struct dma_heap_alloc_case dma_heap_alloc_cases[] = {
	{ "succeeds if one byte is wanted: it gets a page",
	  1, O_RDWR, 0, 0, 1 },
	{ "succeeds if a page is wanted",
	  PAGE_SIZE, O_RDWR | O_CLOEXEC, 0, 0, 1 },
	{ "succeeds if a page and a byte are wanted: it gets two pages",
	  PAGE_SIZE + 1, O_RDONLY, 0, 0, 2 },
	{ "succeeds for writing only",
	  3 * PAGE_SIZE, O_WRONLY, 0, 0, 3 },
	{ "refuses no bytes at all",
	  0, O_RDWR, 0, -EINVAL },
	{ "refuses a length that overflows when rounded up",
	  SIZE_MAX, O_RDWR, 0, -EINVAL },
	{ "refuses a length that just overflows when rounded up",
	  SIZE_MAX - PAGE_SIZE + 2, O_RDWR, 0, -EINVAL },
	{ "refuses an unknown file flag",
	  PAGE_SIZE, O_RDWR | O_NONBLOCK, 0, -EINVAL },
	{ "refuses all file flags",
	  PAGE_SIZE, U32_MAX, 0, -EINVAL },
	{ "refuses the lowest heap flag",
	  PAGE_SIZE, O_RDWR, BIT_ULL(0), -EINVAL },
	{ "refuses the highest heap flag",
	  PAGE_SIZE, O_RDWR, BIT_ULL(63), -EINVAL },
	{ "fails as the heap does",
	  (MOCK_HEAP_MAX_PAGES + 1) * PAGE_SIZE, O_RDWR, 0, -ENOMEM,
	  MOCK_HEAP_MAX_PAGES + 1 },
};

KUNIT_ARRAY_PARAM_DESC(dma_heap_alloc, dma_heap_alloc_cases, description);

static void dma_heap_test_alloc(struct kunit *test)
{
	const struct dma_heap_alloc_case *param = test->param_value;
	struct mock_heap *mock = mock_heap_create(test, "kunit_alloc");
	struct dma_buf *dmabuf;

	dmabuf = dma_heap_buffer_alloc(mock->heap, param->len, param->fd_flags,
				       param->heap_flags);
	KUNIT_EXPECT_EQ(test, param->ret, PTR_ERR_OR_ZERO(dmabuf));

	/* The op of the heap is not called for what is refused. */
	KUNIT_EXPECT_EQ(test, param->pages ? 1 : 0, mock->allocations);
	KUNIT_EXPECT_EQ(test, param->pages * PAGE_SIZE, mock->len);
	if (IS_ERR(dmabuf))
		return;

	KUNIT_EXPECT_EQ(test, param->pages * PAGE_SIZE, dmabuf->size);
	KUNIT_EXPECT_EQ(test, param->fd_flags, mock->fd_flags);
	KUNIT_EXPECT_EQ(test, param->fd_flags & O_ACCMODE,
			dmabuf->file->f_flags & O_ACCMODE);
	KUNIT_EXPECT_STREQ(test, "kunit_alloc", dmabuf->exp_name);
	mock_heap_close(dmabuf);
	mock_heap_expect_home(test, mock);
}

struct dma_heap_batch_case {
	const char *description;
	unsigned int count;
	size_t len;
	u32 fd_flags;
	u64 heap_flags;
	int ret;
};

static const struct dma_heap_batch_case dma_heap_batch_cases[] = {
	{ "succeeds if one is wanted", 1, 1, O_RDWR },
	{ "succeeds if two are wanted", 2, PAGE_SIZE + 1, O_RDONLY },
	{ "succeeds if 64 are wanted", 64, PAGE_SIZE, O_RDWR | O_CLOEXEC },
	{ "succeeds if as many are wanted as may be",
	  DMA_HEAP_ALLOC_BATCH_MAX, PAGE_SIZE, O_RDWR },
	{ "refuses none", 0, PAGE_SIZE, O_RDWR, 0, -EINVAL },
	{ "refuses one too many",
	  DMA_HEAP_ALLOC_BATCH_MAX + 1, PAGE_SIZE, O_RDWR, 0, -EINVAL },
	{ "refuses the highest number", UINT_MAX, PAGE_SIZE, O_RDWR, 0, -EINVAL },
	{ "refuses buffers of no bytes", 2, 0, O_RDWR, 0, -EINVAL },
	{ "refuses a length that overflows", 2, SIZE_MAX, O_RDWR, 0, -EINVAL },
	{ "refuses an unknown file flag",
	  2, PAGE_SIZE, O_RDWR | O_NONBLOCK, 0, -EINVAL },
	{ "refuses a heap flag", 2, PAGE_SIZE, O_RDWR, 1, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(dma_heap_batch, dma_heap_batch_cases, description);

static struct dma_buf **dma_heap_test_bufs(struct kunit *test)
{
	struct dma_buf **bufs;

	bufs = kunit_kcalloc(test, DMA_HEAP_ALLOC_BATCH_MAX, sizeof(*bufs),
			     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bufs);
	return bufs;
}

static void dma_heap_test_batch(struct kunit *test)
{
	const struct dma_heap_batch_case *param = test->param_value;
	struct mock_heap *mock = mock_heap_create(test, "kunit_batch");
	struct dma_buf **bufs = dma_heap_test_bufs(test);
	unsigned int i;

	KUNIT_EXPECT_EQ(test, param->ret,
			dma_heap_buffer_alloc_batch(mock->heap, param->len,
						    param->fd_flags,
						    param->heap_flags, bufs,
						    param->count));
	KUNIT_EXPECT_EQ(test, param->ret ? 0 : param->count, mock->allocations);
	for (i = 0; i < mock->allocations; i++) {
		KUNIT_EXPECT_EQ(test, PAGE_ALIGN(param->len), bufs[i]->size);
		KUNIT_EXPECT_EQ(test, 1, file_count(bufs[i]->file));
		dma_buf_put(bufs[i]);
	}
	mock_files_flush();
	KUNIT_EXPECT_EQ(test, mock->allocations, mock->puts);
}

/* Succeeds if the k-th of n fails, for each k, and no buffer is left. */
static void dma_heap_test_batch_fails(struct kunit *test)
{
	struct mock_heap *mock = mock_heap_create(test, "kunit_batch_fails");
	struct dma_buf **bufs = dma_heap_test_bufs(test);
	unsigned int k, puts = 0;

	mock->refuse = -ENOSPC;
	for (k = 0; k < 8; k++) {
		mock->allocations = 0;
		mock->refuse_after = k;
		KUNIT_EXPECT_EQ(test, -ENOSPC,
				dma_heap_buffer_alloc_batch(mock->heap,
							    PAGE_SIZE, O_RDWR,
							    0, bufs, 8));
		mock_files_flush();
		puts += k;
		KUNIT_EXPECT_EQ(test, k + 1, mock->allocations);
		mock_heap_expect_puts(test, mock, puts);
	}
}

static void dma_heap_test_batch_killed(struct kunit *test)
{
	struct mock_heap *mock = mock_heap_create(test, "kunit_batch_killed");
	struct dma_buf **bufs = dma_heap_test_bufs(test);

	mock_user_kill();
	KUNIT_EXPECT_EQ(test, -EINTR,
			dma_heap_buffer_alloc_batch(mock->heap, PAGE_SIZE,
						    O_RDWR, 0, bufs, 8));
	mock_user_revive();
	KUNIT_EXPECT_EQ(test, 0, mock->allocations);
}

static void dma_heap_test_batch_removed(struct kunit *test)
{
	struct mock_heap *mock = mock_heap_create(test, "kunit_batch_removed");
	struct dma_heap *found = dma_heap_find("kunit_batch_removed");
	struct dma_buf **bufs = dma_heap_test_bufs(test);

	KUNIT_ASSERT_NOT_NULL(test, found);
	dma_heap_remove(mock->heap);
	mock->heap = NULL;
	KUNIT_EXPECT_EQ(test, -ENODEV,
			dma_heap_buffer_alloc_batch(found, PAGE_SIZE, O_RDWR, 0,
						    bufs, 2));
	dma_heap_put(found);
}

static struct kunit_case dma_heap_cases[] = {
	KUNIT_CASE_PARAM(dma_heap_test_add_refuses, dma_heap_add_gen_params),
	KUNIT_CASE(dma_heap_test_knows_itself),
	KUNIT_CASE(dma_heap_test_find),
	KUNIT_CASE(dma_heap_test_removed),
	KUNIT_CASE_SLOW(dma_heap_test_many),
	KUNIT_CASE_PARAM(dma_heap_test_alloc, dma_heap_alloc_gen_params),
	KUNIT_CASE_PARAM(dma_heap_test_batch, dma_heap_batch_gen_params),
	KUNIT_CASE(dma_heap_test_batch_fails),
	KUNIT_CASE(dma_heap_test_batch_killed),
	KUNIT_CASE(dma_heap_test_batch_removed),
	{ }
};

static struct kunit_suite dma_heap_suite = {
	.name = "dma_heap",
	.test_cases = dma_heap_cases,
};

kunit_test_suite(dma_heap_suite);
