// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-rw.c: what read, write and splice answer, by exporter, state
 * of the fences and flags; and that CPU access is bracketed whatever happens.
 */
#include <kunit/test.h>

#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uio.h>

#include "lab/sample.h"
#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_user.h"

#define RW_PAGES	5
#define RW_SIZE		(RW_PAGES * PAGE_SIZE)

/* How the memory of a buffer is reached. */
enum rw_kind {
	RW_PAGES_OP,
	RW_VMAP,
	RW_IOMEM,
	RW_NEITHER,
};

static const enum rw_kind rw_kinds[] = {
	RW_PAGES_OP,
	RW_VMAP,
	/* The accessors of User Mode Linux accept only what it emulates. */
#ifndef CONFIG_UML
	RW_IOMEM,
#endif
};

static struct dma_buf *rw_buffer(struct kunit *test, enum rw_kind kind)
{
	struct mock_exporter_params params = {
		.size = RW_SIZE,
		.vmap_iomem = kind == RW_IOMEM,
		.without = kind == RW_NEITHER ?
			   BIT(MOCK_OP_VMAP) | BIT(MOCK_OP_VUNMAP) : 0,
	};
	struct dma_buf *dmabuf;

	if (kind != RW_PAGES_OP)
		return mock_exporter_create(test, &params);
	dmabuf = dmabuf_lab_sample_create(RW_PAGES);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	return dmabuf;
}

/* One call on kernel memory. */
static ssize_t rw_call(struct dma_buf *dmabuf, bool write, void *data,
		       size_t len, loff_t *pos, int flags)
{
	struct kvec vec = { .iov_base = data, .iov_len = len };
	struct kiocb iocb;
	struct iov_iter iter;
	ssize_t ret;

	init_sync_kiocb(&iocb, dmabuf->file);
	iocb.ki_pos = *pos;
	iocb.ki_flags |= flags;
	iov_iter_kvec(&iter, write ? ITER_SOURCE : ITER_DEST, &vec, 1, len);
	ret = write ? dmabuf->file->f_op->write_iter(&iocb, &iter) :
		      dmabuf->file->f_op->read_iter(&iocb, &iter);
	*pos = iocb.ki_pos;
	return ret;
}

static void rw_expect_brackets(struct kunit *test, struct dma_buf *dmabuf,
			       enum rw_kind kind)
{
	struct mock_exporter *mock;
	int begun, ended;

	if (kind == RW_PAGES_OP)
		return;
	mock = to_mock_exporter(dmabuf);
	begun = mock_exporter_calls(mock, MOCK_OP_BEGIN_CPU) +
		mock_exporter_calls(mock, MOCK_OP_BEGIN_CPU_PARTIAL);
	ended = mock_exporter_calls(mock, MOCK_OP_END_CPU) +
		mock_exporter_calls(mock, MOCK_OP_END_CPU_PARTIAL);
	KUNIT_EXPECT_EQ(test, begun, ended);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_VMAP),
			mock_exporter_calls(mock, MOCK_OP_VUNMAP));
}

/* -- data ------------------------------------------------------------------ */

struct rw_data_case {
	const char *desc;
	loff_t pos;
	size_t len;
	ssize_t expect;		/* of a read; a write differs behind the end */
};

static const struct rw_data_case rw_data_cases[] = {
	{ "the whole", 0, RW_SIZE, RW_SIZE },
	{ "a byte", 77, 1, 1 },
	{ "across pages", PAGE_SIZE - 3, PAGE_SIZE + 7, PAGE_SIZE + 7 },
	{ "short at the end", RW_SIZE - 5, 100, 5 },
	{ "nothing at the end", RW_SIZE, 100, 0 },
	{ "nothing far behind it", LLONG_MAX - PAGE_SIZE, 100, 0 },
	{ "nothing asked for", 3, 0, 0 },
};

KUNIT_ARRAY_PARAM_DESC(rw_data, rw_data_cases, desc);

static void rw_check_data(struct kunit *test, const struct rw_data_case *param,
			  enum rw_kind kind)
{
	struct dma_buf *dmabuf = rw_buffer(test, kind);
	u8 *model = kunit_kzalloc(test, RW_SIZE, GFP_KERNEL);
	u8 *data = kunit_kzalloc(test, RW_SIZE + 1, GFP_KERNEL);
	loff_t pos = 0, expect_pos;
	ssize_t wrote = param->expect;
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, model);
	KUNIT_ASSERT_NOT_NULL(test, data);
	for (i = 0; i < RW_SIZE; i++)
		model[i] = i * 7 + (i >> PAGE_SHIFT);
	KUNIT_ASSERT_EQ(test, (ssize_t)RW_SIZE,
			rw_call(dmabuf, true, model, RW_SIZE, &pos, 0));
	KUNIT_EXPECT_EQ(test, (loff_t)RW_SIZE, pos);

	/* Other bytes into the range, and nowhere else. */
	memset(data, 0xee, RW_SIZE);
	pos = param->pos;
	expect_pos = param->pos + param->expect;
	if (param->len && param->pos >= RW_SIZE)
		wrote = -ENOSPC;
	else
		memset(model + param->pos, 0xee, param->expect);
	KUNIT_EXPECT_EQ(test, wrote,
			rw_call(dmabuf, true, data, param->len, &pos, 0));
	KUNIT_EXPECT_EQ(test, expect_pos, pos);

	memset(data, 0, RW_SIZE);
	pos = param->pos;
	KUNIT_EXPECT_EQ(test, param->expect,
			rw_call(dmabuf, false, data, param->len, &pos, 0));
	KUNIT_EXPECT_EQ(test, expect_pos, pos);
	if (param->expect)
		KUNIT_EXPECT_MEMEQ(test, data, model + param->pos, param->expect);
	KUNIT_EXPECT_EQ(test, 0, data[param->expect]);

	pos = 0;
	KUNIT_EXPECT_EQ(test, (ssize_t)RW_SIZE,
			rw_call(dmabuf, false, data, RW_SIZE, &pos, 0));
	KUNIT_EXPECT_MEMEQ(test, data, model, RW_SIZE);

	rw_expect_brackets(test, dmabuf, kind);
	dma_buf_put(dmabuf);
}

static void dma_buf_rw_test_data(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rw_kinds); i++)
		rw_check_data(test, test->param_value, rw_kinds[i]);
}

/* -- fences and flags ------------------------------------------------------ */

struct rw_answer_case {
	const char *desc;
	bool write;
	enum dma_resv_usage usage;	/* of a fence */
	bool signaled;
	int flags;			/* of the call */
	unsigned int f_flags;		/* of the file */
	ssize_t expect;
};

static const struct rw_answer_case rw_answer_cases[] = {
	{ "a read with RWF_NOWAIT fails with a writer's fence",
	  false, DMA_RESV_USAGE_WRITE, false, IOCB_NOWAIT, 0, -EAGAIN },
	{ "a read with O_NONBLOCK fails with a writer's fence",
	  false, DMA_RESV_USAGE_WRITE, false, 0, O_NONBLOCK, -EAGAIN },
	{ "a read succeeds with a reader's fence",
	  false, DMA_RESV_USAGE_READ, false, IOCB_NOWAIT, 0, 16 },
	{ "a read fails with a fence of the kernel",
	  false, DMA_RESV_USAGE_KERNEL, false, IOCB_NOWAIT, 0, -EAGAIN },
	{ "a write with RWF_NOWAIT fails with a reader's fence",
	  true, DMA_RESV_USAGE_READ, false, IOCB_NOWAIT, 0, -EAGAIN },
	{ "a write with O_NONBLOCK fails with a writer's fence",
	  true, DMA_RESV_USAGE_WRITE, false, 0, O_NONBLOCK, -EAGAIN },
	{ "a write succeeds with a fence for bookkeeping",
	  true, DMA_RESV_USAGE_BOOKKEEP, false, IOCB_NOWAIT, 0, 16 },
	{ "a read succeeds after the fence has signaled",
	  false, DMA_RESV_USAGE_WRITE, true, IOCB_NOWAIT, 0, 16 },
	{ "a write succeeds after the fence has signaled",
	  true, DMA_RESV_USAGE_WRITE, true, IOCB_NOWAIT, O_NONBLOCK, 16 },
	{ "an append is refused",
	  true, DMA_RESV_USAGE_WRITE, true, IOCB_APPEND, 0, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(rw_answer, rw_answer_cases, desc);

static void rw_check_answer(struct kunit *test,
			    const struct rw_answer_case *param,
			    enum rw_kind kind)
{
	struct dma_buf *dmabuf = rw_buffer(test, kind);
	struct dma_fence *fence;
	u8 data[16] = {};
	loff_t pos = 3;

	fence = mock_fence_add(test, dmabuf->resv, param->usage);
	if (param->signaled)
		dma_fence_signal(fence);

	dmabuf->file->f_flags |= param->f_flags;
	KUNIT_EXPECT_EQ(test, param->expect,
			rw_call(dmabuf, param->write, data, sizeof(data), &pos,
				param->flags));
	KUNIT_EXPECT_EQ(test, 3 + max_t(ssize_t, param->expect, 0), pos);
	rw_expect_brackets(test, dmabuf, kind);

	dma_fence_signal(fence);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

static void dma_buf_rw_test_answer(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rw_kinds); i++)
		rw_check_answer(test, test->param_value, rw_kinds[i]);
}

/* An exporter that offers neither pages nor vmap. */
static void dma_buf_rw_test_neither(struct kunit *test)
{
	struct dma_buf *dmabuf = rw_buffer(test, RW_NEITHER);
	loff_t pos = 0;
	u8 byte = 0;

	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			rw_call(dmabuf, false, &byte, 1, &pos, 0));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			rw_call(dmabuf, true, &byte, 1, &pos, 0));
	dma_buf_put(dmabuf);
}

/* RWF_NOWAIT does not wait for the lock either, where one is needed. */
static void dma_buf_rw_test_locked(struct kunit *test)
{
	struct dma_buf *vmapped = rw_buffer(test, RW_VMAP);
	struct dma_buf *paged = rw_buffer(test, RW_PAGES_OP);
	loff_t pos = 0;
	u8 byte = 0;

	dma_resv_lock(vmapped->resv, NULL);
	KUNIT_EXPECT_EQ(test, -EAGAIN,
			rw_call(vmapped, false, &byte, 1, &pos, IOCB_NOWAIT));
	dma_resv_unlock(vmapped->resv);
	KUNIT_EXPECT_EQ(test, 1,
			rw_call(vmapped, false, &byte, 1, &pos, IOCB_NOWAIT));

	pos = 0;
	dma_resv_lock(paged->resv, NULL);
	KUNIT_EXPECT_EQ(test, 1,
			rw_call(paged, false, &byte, 1, &pos, IOCB_NOWAIT));
	dma_resv_unlock(paged->resv);
	dma_buf_put(vmapped);
	dma_buf_put(paged);
}

/* -- failures -------------------------------------------------------------- */

struct rw_fail_case {
	const char *desc;
	enum mock_exporter_op op;
	bool write;
};

static const struct rw_fail_case rw_fail_cases[] = {
	{ "read: vmap fails", MOCK_OP_VMAP, false },
	{ "write: vmap fails", MOCK_OP_VMAP, true },
	{ "read: begin fails", MOCK_OP_BEGIN_CPU_PARTIAL, false },
	{ "write: begin fails", MOCK_OP_BEGIN_CPU_PARTIAL, true },
};

KUNIT_ARRAY_PARAM_DESC(rw_fail, rw_fail_cases, desc);

static void dma_buf_rw_test_fail(struct kunit *test)
{
	const struct rw_fail_case *param = test->param_value;
	struct dma_buf *dmabuf = rw_buffer(test, RW_VMAP);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	loff_t pos = 8;
	u8 byte = 0;

	mock->fail[param->op] = -ENXIO;
	KUNIT_EXPECT_EQ(test, -ENXIO,
			rw_call(dmabuf, param->write, &byte, 1, &pos, 0));
	KUNIT_EXPECT_EQ(test, 8, pos);
	KUNIT_EXPECT_EQ(test, 0,
			mock_exporter_calls(mock, MOCK_OP_END_CPU_PARTIAL));
	mock->fail[param->op] = 0;
	KUNIT_EXPECT_EQ(test, 1,
			rw_call(dmabuf, param->write, &byte, 1, &pos, 0));
	dma_buf_put(dmabuf);
}

/* The bytes are there, so an error at the end does not take them back. */
static void dma_buf_rw_test_end_fails(struct kunit *test)
{
	struct dma_buf *dmabuf = rw_buffer(test, RW_VMAP);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	loff_t pos = 0;
	u8 byte = 1;

	mock->fail[MOCK_OP_END_CPU_PARTIAL] = -EIO;
	KUNIT_EXPECT_EQ(test, 1, rw_call(dmabuf, true, &byte, 1, &pos, 0));
	rw_expect_brackets(test, dmabuf, RW_VMAP);
	dma_buf_put(dmabuf);
}

/* User memory that ends in the middle: a short count, then EFAULT. */
static void dma_buf_rw_test_fault(struct kunit *test)
{
	/* The only one, so what lies above it is not mapped. */
	void __user *user = mock_user_page(test);
	struct iov_iter iter;
	struct kiocb iocb;
	unsigned int i, write;

	for (i = 0; i < 2 * ARRAY_SIZE(rw_kinds); i++) {
		enum rw_kind kind = rw_kinds[i / 2];
		struct dma_buf *dmabuf = rw_buffer(test, kind);
		const struct file_operations *fops = dmabuf->file->f_op;

		write = i % 2;
		init_sync_kiocb(&iocb, dmabuf->file);
		iov_iter_ubuf(&iter, write ? ITER_SOURCE : ITER_DEST,
			      user + PAGE_SIZE - 100, 200);
		KUNIT_EXPECT_EQ(test, 100,
				write ? fops->write_iter(&iocb, &iter) :
					fops->read_iter(&iocb, &iter));
		KUNIT_EXPECT_EQ(test, -EFAULT,
				write ? fops->write_iter(&iocb, &iter) :
					fops->read_iter(&iocb, &iter));
		KUNIT_EXPECT_EQ(test, 100, iocb.ki_pos);
		rw_expect_brackets(test, dmabuf, kind);
		dma_buf_put(dmabuf);
	}
}

static struct kunit_case dma_buf_rw_cases[] = {
	KUNIT_CASE_PARAM(dma_buf_rw_test_data, rw_data_gen_params),
	KUNIT_CASE_PARAM(dma_buf_rw_test_answer, rw_answer_gen_params),
	KUNIT_CASE(dma_buf_rw_test_neither),
	KUNIT_CASE(dma_buf_rw_test_locked),
	KUNIT_CASE_PARAM(dma_buf_rw_test_fail, rw_fail_gen_params),
	KUNIT_CASE(dma_buf_rw_test_end_fails),
	KUNIT_CASE(dma_buf_rw_test_fault),
	{ }
};

static struct kunit_suite dma_buf_rw_suite = {
	.name = "dma_buf_rw",
	.test_cases = dma_buf_rw_cases,
};

kunit_test_suite(dma_buf_rw_suite);
