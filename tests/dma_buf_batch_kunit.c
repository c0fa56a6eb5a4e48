// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-batch.c: all attachments of a batch, or none.
 *
 * A case that a signal or another task has to interrupt runs the call in a
 * thread of its own. No case needs a second CPU.
 */
#include <kunit/test.h>

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/limits.h>
#include <linux/ww_mutex.h>

#include "mock_call.h"
#include "mock_device.h"
#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_files.h"
#include "mock_importer.h"

static const struct mock_exporter_params one_page = {
	.size = PAGE_SIZE,
};

static const struct mock_exporter_params one_page_dynamic = {
	.size = PAGE_SIZE, .dynamic = true,
};

static const struct mock_exporter_params one_page_cached = {
	.size = PAGE_SIZE, .cache_sgt = true,
};

/* -- a batch of mock buffers ----------------------------------------------- */

struct batch {
	struct kunit *test;
	unsigned int n;
	struct device *dev;
	struct dma_buf **bufs;
	struct dma_buf_attachment **attachs;
	struct sg_table **sgts;
	struct mock_importer *importers;
	struct dma_resv resv;	/* for buffers that share one */
};

/* The files of buffers are released in any order, and before this. */
static void batch_fini(void *data)
{
	struct batch *batch = data;

	dma_resv_fini(&batch->resv);
}

static struct batch *batch_alloc(struct kunit *test, unsigned int max)
{
	struct batch *batch = kunit_kzalloc(test, sizeof(*batch), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, batch);
	batch->test = test;
	dma_resv_init(&batch->resv);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, batch_fini, batch));
	batch->dev = mock_device_create(test);
	batch->bufs = kunit_kcalloc(test, max, sizeof(*batch->bufs),
				    GFP_KERNEL);
	batch->attachs = kunit_kcalloc(test, max, sizeof(*batch->attachs),
				       GFP_KERNEL);
	batch->sgts = kunit_kcalloc(test, max, sizeof(*batch->sgts),
				    GFP_KERNEL);
	batch->importers = kunit_kcalloc(test, max, sizeof(*batch->importers),
					 GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, batch->bufs);
	KUNIT_ASSERT_NOT_NULL(test, batch->attachs);
	KUNIT_ASSERT_NOT_NULL(test, batch->sgts);
	KUNIT_ASSERT_NOT_NULL(test, batch->importers);
	return batch;
}

/* Attach the device to @dmabuf, whose reference the batch takes over. */
static void batch_add(struct batch *batch, struct dma_buf *dmabuf, bool follow)
{
	unsigned int i = batch->n;

	batch->attachs[i] =
		dma_buf_dynamic_attach(dmabuf, batch->dev,
				       follow ? &mock_importer_ops : NULL,
				       &batch->importers[i]);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(batch->test, batch->attachs[i]);
	batch->bufs[i] = dmabuf;
	batch->n++;
}

static struct batch *batch_create(struct kunit *test, unsigned int n,
				  const struct mock_exporter_params *params,
				  bool follow)
{
	struct batch *batch = batch_alloc(test, n);

	while (batch->n < n) {
		batch_add(batch, mock_exporter_create(test, params), follow);
		cond_resched();
	}
	return batch;
}

static void batch_destroy(struct batch *batch)
{
	while (batch->n) {
		batch->n--;
		dma_buf_detach(batch->bufs[batch->n],
			       batch->attachs[batch->n]);
		dma_buf_put(batch->bufs[batch->n]);
	}
	mock_files_flush();
}

static struct mock_exporter *batch_mock(struct batch *batch, unsigned int i)
{
	return to_mock_exporter(batch->bufs[i]);
}

static unsigned int batch_locked(struct batch *batch)
{
	unsigned int i, locked = 0;

	for (i = 0; i < batch->n; i++)
		locked += dma_resv_is_locked(batch->bufs[i]->resv);
	return locked;
}

/* Sum of the calls of @op of all buffers. */
static int batch_calls(struct batch *batch, enum mock_exporter_op op)
{
	int calls = 0;
	unsigned int i;

	for (i = 0; i < batch->n; i++)
		calls += mock_exporter_calls(batch_mock(batch, i), op);
	return calls;
}

static void expect_batch_calls(struct batch *batch, enum mock_exporter_op op,
			       enum mock_exporter_op opposite, int calls,
			       int undone)
{
	KUNIT_EXPECT_EQ(batch->test, batch_calls(batch, op), calls);
	KUNIT_EXPECT_EQ(batch->test, batch_calls(batch, opposite), undone);
}

/* Nothing is locked, mapped or pinned but for what the attach has done. */
static void expect_batch_idle(struct batch *batch)
{
	KUNIT_EXPECT_EQ(batch->test, batch_locked(batch), 0);
	KUNIT_EXPECT_EQ(batch->test, batch_calls(batch, MOCK_OP_MAP),
			batch_calls(batch, MOCK_OP_UNMAP));
	KUNIT_EXPECT_EQ(batch->test, batch_calls(batch, MOCK_OP_PIN),
			batch_calls(batch, MOCK_OP_UNPIN));
}

static int batch_map(struct batch *batch)
{
	return dma_buf_map_attachments_unlocked(batch->attachs, batch->sgts,
						batch->n, DMA_TO_DEVICE);
}

static void batch_unmap(struct batch *batch)
{
	dma_buf_unmap_attachments_unlocked(batch->attachs, batch->sgts,
					   batch->n, DMA_TO_DEVICE);
}

static void expect_batch_mapped(struct batch *batch)
{
	unsigned int i;

	for (i = 0; i < batch->n; i++) {
		KUNIT_ASSERT_NOT_ERR_OR_NULL(batch->test, batch->sgts[i]);
		KUNIT_EXPECT_EQ(batch->test,
				mock_importer_bytes(batch->sgts[i]),
				batch->bufs[i]->size);
	}
}

/* -- map and unmap --------------------------------------------------------- */

struct size_case {
	const char *desc;
	unsigned int n;
	bool dynamic;
};

static const struct size_case size_cases[] = {
	{ "succeeds if there is one", 1, false },
	{ "succeeds if there are two", 2, false },
	{ "succeeds if there are 64", 64, false },
	{ "succeeds if there are as many as may be", DMA_BUF_BATCH_MAX, false },
	{ "succeeds if one can move", 1, true },
	{ "succeeds if 64 can move", 64, true },
	{ "succeeds if as many as may be can move", DMA_BUF_BATCH_MAX, true },
};

KUNIT_ARRAY_PARAM_DESC(size, size_cases, desc);

static void dma_buf_batch_test_map(struct kunit *test)
{
	const struct size_case *param = test->param_value;
	struct batch *batch;
	int n = param->n, pins;

	batch = batch_create(test, n, param->dynamic ? &one_page_dynamic :
						       &one_page,
			     param->dynamic);
	pins = param->dynamic && !IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY) ? n : 0;

	KUNIT_ASSERT_EQ(test, batch_map(batch), 0);
	KUNIT_EXPECT_EQ(test, batch_locked(batch), 0);
	expect_batch_mapped(batch);
	expect_batch_calls(batch, MOCK_OP_MAP, MOCK_OP_UNMAP, n, 0);
	expect_batch_calls(batch, MOCK_OP_PIN, MOCK_OP_UNPIN, pins, 0);

	batch_unmap(batch);
	expect_batch_calls(batch, MOCK_OP_MAP, MOCK_OP_UNMAP, n, n);
	expect_batch_calls(batch, MOCK_OP_PIN, MOCK_OP_UNPIN, pins, pins);
	KUNIT_EXPECT_EQ(test, mock_exporter_locked(batch_mock(batch, n - 1),
						   MOCK_OP_MAP), 1);
	KUNIT_EXPECT_EQ(test, mock_exporter_locked(batch_mock(batch, n - 1),
						   MOCK_OP_UNMAP), 1);
	expect_batch_idle(batch);
	batch_destroy(batch);
}

static void dma_buf_batch_test_bad_number(struct kunit *test)
{
	static const unsigned int numbers[] = {
		0, DMA_BUF_BATCH_MAX + 1, INT_MAX, UINT_MAX,
	};
	struct batch *batch = batch_create(test, 1, &one_page_dynamic, true);
	struct dma_buf_attachment **attachs = batch->attachs;
	struct ww_acquire_ctx ctx;
	int i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		unsigned int n = numbers[i];

		KUNIT_EXPECT_EQ(test, -EINVAL,
				dma_buf_lock_attachments(attachs, n, &ctx,
							 true));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				dma_buf_map_attachments_unlocked(attachs,
								 batch->sgts, n,
								 DMA_TO_DEVICE));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				dma_buf_map_attachments(attachs, batch->sgts, n,
							DMA_TO_DEVICE));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				dma_buf_pin_attachments(attachs, n));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				dma_buf_pin_attachments_unlocked(attachs, n));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				(int)dma_buf_wait_attachments(attachs, n,
							      DMA_RESV_USAGE_READ,
							      false, 0));
	}
	expect_batch_calls(batch, MOCK_OP_MAP, MOCK_OP_PIN, 0, 0);
	expect_batch_idle(batch);
	batch_destroy(batch);
}

static void dma_buf_batch_test_missing(struct kunit *test)
{
	struct batch *batch = batch_create(test, 3, &one_page, false);
	struct dma_buf_attachment *second = batch->attachs[1];

	mock_fence_expect_misuse(test);
	batch->attachs[1] = NULL;
	KUNIT_EXPECT_EQ(test, batch_map(batch), -EINVAL);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 1);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			(int)dma_buf_wait_attachments(batch->attachs, 3,
						      DMA_RESV_USAGE_READ,
						      false, 0));
	batch_unmap(batch);
	batch->attachs[1] = second;
	expect_batch_calls(batch, MOCK_OP_MAP, MOCK_OP_UNMAP, 0, 0);
	expect_batch_idle(batch);
	batch_destroy(batch);
}

/* A buffer attached twice, an attachment twice, a resv of two buffers. */
static void dma_buf_batch_test_duplicates(struct kunit *test)
{
	struct mock_exporter_params sharing = one_page;
	struct batch *batch = batch_alloc(test, 5);
	struct dma_buf_attachment *attachs[6];
	struct sg_table *sgts[6];
	int i;

	sharing.resv = &batch->resv;
	batch_add(batch, mock_exporter_create(test, &sharing), false);
	get_dma_buf(batch->bufs[0]);
	batch_add(batch, batch->bufs[0], false);
	batch_add(batch, mock_exporter_create(test, &sharing), false);
	batch_add(batch, mock_exporter_create(test, &one_page), false);
	for (i = 0; i < 4; i++)
		attachs[i] = batch->attachs[i];
	attachs[4] = attachs[3];
	attachs[5] = attachs[0];

	KUNIT_ASSERT_EQ(test, 0,
			dma_buf_map_attachments_unlocked(attachs, sgts, 6,
							 DMA_BIDIRECTIONAL));
	KUNIT_EXPECT_EQ(test, batch_locked(batch), 0);
	KUNIT_EXPECT_EQ(test, 3, mock_exporter_calls(batch_mock(batch, 0),
						     MOCK_OP_MAP));
	KUNIT_EXPECT_EQ(test, 1, mock_exporter_calls(batch_mock(batch, 2),
						     MOCK_OP_MAP));
	KUNIT_EXPECT_EQ(test, 2, mock_exporter_calls(batch_mock(batch, 3),
						     MOCK_OP_MAP));
	for (i = 0; i < 6; i++)
		KUNIT_EXPECT_EQ(test, mock_importer_bytes(sgts[i]), PAGE_SIZE);

	dma_buf_unmap_attachments_unlocked(attachs, sgts, 6, DMA_BIDIRECTIONAL);
	expect_batch_idle(batch);
	batch_destroy(batch);
}

/* Succeeds if 64 buffers have one reservation object, which is locked once. */
static void dma_buf_batch_test_one_resv(struct kunit *test)
{
	struct mock_exporter_params sharing = one_page;
	struct batch *batch = batch_alloc(test, 64);
	struct ww_acquire_ctx ctx;

	sharing.resv = &batch->resv;
	while (batch->n < 64)
		batch_add(batch, mock_exporter_create(test, &sharing), false);

	KUNIT_ASSERT_EQ(test, 0,
			dma_buf_lock_attachments(batch->attachs, 64, &ctx,
						 true));
	KUNIT_EXPECT_EQ(test, batch_locked(batch), 64);
	KUNIT_EXPECT_EQ(test, ctx.acquired, 1);
	dma_buf_unlock_attachments(batch->attachs, 64, &ctx);
	KUNIT_EXPECT_EQ(test, batch_locked(batch), 0);

	KUNIT_ASSERT_EQ(test, batch_map(batch), 0);
	batch_unmap(batch);
	expect_batch_idle(batch);
	batch_destroy(batch);
}

/* What each kind of attachment does alone it does in a batch. */
static void dma_buf_batch_test_mixed(struct kunit *test)
{
	struct batch *batch = batch_alloc(test, 5);
	struct sg_table *kept;

	batch_add(batch, mock_exporter_create(test, &one_page), false);
	batch_add(batch, mock_exporter_create(test, &one_page_dynamic), true);
	batch_add(batch, mock_exporter_create(test, &one_page_dynamic), false);
	batch_add(batch, mock_exporter_create(test, &one_page), true);
	batch_add(batch, mock_exporter_create(test, &one_page_cached), false);

	/* The third and the fourth are mapped from attach to detach. */
	expect_batch_calls(batch, MOCK_OP_MAP, MOCK_OP_UNMAP, 2, 0);
	KUNIT_ASSERT_EQ(test, batch_map(batch), 0);
	expect_batch_mapped(batch);
	KUNIT_EXPECT_PTR_EQ(test, batch->sgts[2], batch->attachs[2]->sgt);
	KUNIT_EXPECT_PTR_EQ(test, batch->sgts[3], batch->attachs[3]->sgt);
	kept = batch->sgts[4];
	expect_batch_calls(batch, MOCK_OP_MAP, MOCK_OP_UNMAP, 5, 0);

	batch_unmap(batch);
	expect_batch_calls(batch, MOCK_OP_MAP, MOCK_OP_UNMAP, 5, 2);
	KUNIT_ASSERT_EQ(test, batch_map(batch), 0);
	KUNIT_EXPECT_PTR_EQ(test, batch->sgts[4], kept);
	batch_unmap(batch);
	KUNIT_EXPECT_EQ(test, batch_locked(batch), 0);
	batch_destroy(batch);
}

#define FAIL_N	8

/* Succeeds if the k-th of n fails, for each k, and nothing stays mapped. */
static void dma_buf_batch_test_map_fails(struct kunit *test)
{
	const struct size_case *param = test->param_value;
	struct batch *batch;
	unsigned int k;
	int before = 0;

	batch = batch_create(test, FAIL_N, param->dynamic ? &one_page_dynamic :
							    &one_page,
			     param->dynamic);
	for (k = 0; k < FAIL_N; k++) {
		batch_mock(batch, k)->fail[MOCK_OP_MAP] = -EIO;
		KUNIT_EXPECT_EQ(test, batch_map(batch), -EIO);
		batch_mock(batch, k)->fail[MOCK_OP_MAP] = 0;

		/* The call that failed has nothing to undo. */
		before += k;
		expect_batch_calls(batch, MOCK_OP_MAP, MOCK_OP_UNMAP,
				   before + k + 1, before);
		KUNIT_EXPECT_EQ(test, batch_calls(batch, MOCK_OP_PIN),
				batch_calls(batch, MOCK_OP_UNPIN));
		KUNIT_EXPECT_EQ(test, batch_locked(batch), 0);
	}
	/* It works as if nothing had been. */
	KUNIT_EXPECT_EQ(test, batch_map(batch), 0);
	batch_unmap(batch);
	batch_destroy(batch);
}

static const struct size_case kind_cases[] = {
	{ "nothing stays mapped of static ones", FAIL_N, false },
	{ "nothing stays mapped or pinned of dynamic ones", FAIL_N, true },
};

KUNIT_ARRAY_PARAM_DESC(kind, kind_cases, desc);

/* -- pin and unpin --------------------------------------------------------- */

static void dma_buf_batch_test_pin(struct kunit *test)
{
	struct batch *batch = batch_create(test, FAIL_N, &one_page_dynamic,
					   true);
	struct ww_acquire_ctx ctx;

	KUNIT_ASSERT_EQ(test, 0,
			dma_buf_pin_attachments_unlocked(batch->attachs,
							 FAIL_N));
	KUNIT_EXPECT_EQ(test, batch_locked(batch), 0);
	expect_batch_calls(batch, MOCK_OP_PIN, MOCK_OP_UNPIN, FAIL_N, 0);
	dma_buf_unpin_attachments_unlocked(batch->attachs, FAIL_N);
	expect_batch_calls(batch, MOCK_OP_PIN, MOCK_OP_UNPIN, FAIL_N, FAIL_N);

	/* Pin and map under the same locks, as for scanout. */
	KUNIT_ASSERT_EQ(test, 0,
			dma_buf_lock_attachments(batch->attachs, FAIL_N, &ctx,
						 true));
	KUNIT_EXPECT_EQ(test, batch_locked(batch), FAIL_N);
	KUNIT_ASSERT_EQ(test, 0,
			dma_buf_pin_attachments(batch->attachs, FAIL_N));
	KUNIT_ASSERT_EQ(test, 0,
			dma_buf_map_attachments(batch->attachs, batch->sgts,
						FAIL_N, DMA_TO_DEVICE));
	dma_buf_unmap_attachments(batch->attachs, batch->sgts, FAIL_N,
				  DMA_TO_DEVICE);
	dma_buf_unpin_attachments(batch->attachs, FAIL_N);
	dma_buf_unlock_attachments(batch->attachs, FAIL_N, &ctx);
	expect_batch_idle(batch);
	batch_destroy(batch);
}

static void dma_buf_batch_test_pin_fails(struct kunit *test)
{
	struct batch *batch = batch_create(test, FAIL_N, &one_page_dynamic,
					   true);
	unsigned int k;
	int before = 0;

	for (k = 0; k < FAIL_N; k++) {
		batch_mock(batch, k)->fail[MOCK_OP_PIN] = -ENOSPC;
		KUNIT_EXPECT_EQ(test, -ENOSPC,
				dma_buf_pin_attachments_unlocked(batch->attachs,
								 FAIL_N));
		batch_mock(batch, k)->fail[MOCK_OP_PIN] = 0;
		before += k;
		expect_batch_calls(batch, MOCK_OP_PIN, MOCK_OP_UNPIN,
				   before + k + 1, before);
		KUNIT_EXPECT_EQ(test, batch_locked(batch), 0);
	}
	batch_destroy(batch);
}

/* Refuses a static importer among others, and leaves none pinned. */
static void dma_buf_batch_test_pin_refuses_static(struct kunit *test)
{
	struct batch *batch = batch_alloc(test, 3);

	batch_add(batch, mock_exporter_create(test, &one_page_dynamic), true);
	batch_add(batch, mock_exporter_create(test, &one_page), false);
	batch_add(batch, mock_exporter_create(test, &one_page_dynamic), true);

	mock_fence_expect_misuse(test);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_buf_pin_attachments_unlocked(batch->attachs, 3));
	expect_batch_calls(batch, MOCK_OP_PIN, MOCK_OP_UNPIN, 1, 1);
	expect_batch_idle(batch);
	batch_destroy(batch);
}

/* -- calls that have to wait, in a thread ---------------------------------- */

static long call_map(void *batch)
{
	return batch_map(batch);
}

static long call_pin(void *data)
{
	struct batch *batch = data;

	return dma_buf_pin_attachments_unlocked(batch->attachs, batch->n);
}

static long call_unmap(void *batch)
{
	batch_unmap(batch);
	return 0;
}

static long call_wait(void *data)
{
	struct batch *batch = data;

	return dma_buf_wait_attachments(batch->attachs, batch->n,
					DMA_RESV_USAGE_READ, true,
					MAX_SCHEDULE_TIMEOUT);
}

/*
 * Another task, which is older, has the last lock and wants the first: the
 * batch, which has the first and wants the last, gives up and begins again.
 */
static void dma_buf_batch_test_backs_off(struct kunit *test)
{
	struct batch *batch = batch_create(test, 4, &one_page, false);
	struct dma_resv *first = batch->bufs[0]->resv;
	struct dma_resv *last = batch->bufs[3]->resv;
	struct ww_acquire_ctx older;
	struct mock_call call;
	int ret;

	ww_acquire_init(&older, &reservation_ww_class);
	KUNIT_ASSERT_EQ(test, dma_resv_lock(last, &older), 0);
	mock_call_start(test, &call, call_map, batch);
	mock_call_expect_waits(&call);

	/* Would wait for good, if the batch kept what it has. */
	ret = dma_resv_lock(first, &older);
	KUNIT_EXPECT_TRUE(test, !ret || ret == -EDEADLK);
	KUNIT_EXPECT_EQ(test, batch_calls(batch, MOCK_OP_MAP), 0);
	mock_call_expect_waits(&call);
	if (!ret)
		dma_resv_unlock(first);
	dma_resv_unlock(last);
	ww_acquire_fini(&older);

	KUNIT_EXPECT_EQ(test, mock_call_finish(&call), 0);
	expect_batch_mapped(batch);
	expect_batch_calls(batch, MOCK_OP_MAP, MOCK_OP_UNMAP, 4, 0);
	batch_unmap(batch);
	expect_batch_idle(batch);
	batch_destroy(batch);
}

/* Two batches of the same buffers: the second one waits for the first. */
static void dma_buf_batch_test_waits_for_batch(struct kunit *test)
{
	struct batch *batch = batch_create(test, 2, &one_page, false);
	struct mock_call call;
	struct ww_acquire_ctx ctx;

	KUNIT_ASSERT_EQ(test, 0,
			dma_buf_lock_attachments(batch->attachs, 2, &ctx,
						 false));
	mock_call_start(test, &call, call_map, batch);
	mock_call_expect_waits(&call);
	KUNIT_EXPECT_EQ(test, batch_calls(batch, MOCK_OP_MAP), 0);
	dma_buf_unlock_attachments(batch->attachs, 2, &ctx);

	KUNIT_EXPECT_EQ(test, mock_call_finish(&call), 0);
	batch_unmap(batch);
	expect_batch_idle(batch);
	batch_destroy(batch);
}

struct wait_case {
	const char *desc;
	long (*call)(void *batch);
	unsigned int locked;	/* which lock is not to be had */
};

static const struct wait_case wait_cases[] = {
	{ "maps none, and waits for the first lock", call_map, 0 },
	{ "maps none, and waits for a lock in the middle", call_map, 1 },
	{ "maps none, and waits for the last lock", call_map, 3 },
	{ "pins none, and waits for the last lock", call_pin, 3 },
};

KUNIT_ARRAY_PARAM_DESC(wait, wait_cases, desc);

/* A signal ends the wait for a lock, and no lock is left. */
static void dma_buf_batch_test_interrupted(struct kunit *test)
{
	const struct wait_case *param = test->param_value;
	struct batch *batch = batch_create(test, 4, &one_page_dynamic, true);
	struct dma_resv *resv = batch->bufs[param->locked]->resv;
	struct mock_call call;

	dma_resv_lock(resv, NULL);
	mock_call_start(test, &call, param->call, batch);
	mock_call_expect_waits(&call);
	mock_call_interrupt(&call);
	KUNIT_EXPECT_EQ(test, mock_call_finish(&call), -EINTR);

	KUNIT_EXPECT_EQ(test, batch_locked(batch), 1);
	dma_resv_unlock(resv);
	expect_batch_calls(batch, MOCK_OP_MAP, MOCK_OP_PIN, 0, 0);
	expect_batch_idle(batch);
	KUNIT_EXPECT_EQ(test, batch_map(batch), 0);
	batch_unmap(batch);
	batch_destroy(batch);
}

/* A lock that is contended after a back-off is waited for interruptibly. */
static void dma_buf_batch_test_interrupted_after_back_off(struct kunit *test)
{
	struct batch *batch = batch_create(test, 4, &one_page, false);
	struct dma_resv *last = batch->bufs[3]->resv;
	struct ww_acquire_ctx older;
	struct mock_call call;

	ww_acquire_init(&older, &reservation_ww_class);
	KUNIT_ASSERT_EQ(test, dma_resv_lock(last, &older), 0);
	mock_call_start(test, &call, call_map, batch);
	mock_call_expect_waits(&call);
	/* It has backed off, and sleeps on the last one alone. */
	KUNIT_EXPECT_EQ(test, batch_locked(batch), 1);
	mock_call_interrupt(&call);
	KUNIT_EXPECT_EQ(test, mock_call_finish(&call), -EINTR);
	dma_resv_unlock(last);
	ww_acquire_fini(&older);

	expect_batch_calls(batch, MOCK_OP_MAP, MOCK_OP_UNMAP, 0, 0);
	expect_batch_idle(batch);
	batch_destroy(batch);
}

/* Undoing does not end early: what is mapped has to be unmapped. */
static void dma_buf_batch_test_unmap_ignores_signals(struct kunit *test)
{
	struct batch *batch = batch_create(test, 4, &one_page, false);
	struct dma_resv *resv = batch->bufs[2]->resv;
	struct mock_call call;

	KUNIT_ASSERT_EQ(test, batch_map(batch), 0);
	dma_resv_lock(resv, NULL);
	mock_call_start(test, &call, call_unmap, batch);
	mock_call_expect_waits(&call);
	mock_call_interrupt(&call);
	mock_call_expect_waits(&call);
	dma_resv_unlock(resv);
	KUNIT_EXPECT_EQ(test, mock_call_finish(&call), 0);

	expect_batch_calls(batch, MOCK_OP_MAP, MOCK_OP_UNMAP, 4, 4);
	expect_batch_idle(batch);
	batch_destroy(batch);
}

/* A move is waited for before a lock is taken, but for a dynamic importer. */
static void dma_buf_batch_test_map_waits_for_moves(struct kunit *test)
{
	struct batch *batch = batch_create(test, 4, &one_page, false);
	struct dma_fence *moves[2];
	struct mock_call call;

	moves[0] = mock_fence_add(test, batch->bufs[1]->resv,
				  DMA_RESV_USAGE_KERNEL);
	moves[1] = mock_fence_add(test, batch->bufs[3]->resv,
				  DMA_RESV_USAGE_KERNEL);
	mock_call_start(test, &call, call_map, batch);
	mock_call_expect_waits(&call);
	KUNIT_EXPECT_EQ(test, batch_locked(batch), 0);
	dma_fence_signal(moves[1]);
	mock_call_expect_waits(&call);
	KUNIT_EXPECT_EQ(test, batch_calls(batch, MOCK_OP_MAP), 0);
	dma_fence_signal(moves[0]);
	KUNIT_EXPECT_EQ(test, mock_call_finish(&call), 0);
	expect_batch_mapped(batch);

	batch_unmap(batch);
	expect_batch_idle(batch);
	dma_fence_put(moves[0]);
	dma_fence_put(moves[1]);
	batch_destroy(batch);
}

/* A dynamic importer waits by itself, for what its device is to do. */
static void dma_buf_batch_test_dynamic_does_not_wait(struct kunit *test)
{
	struct batch *batch = batch_create(test, 2, &one_page_dynamic, true);
	struct dma_fence *move = mock_fence_add(test, batch->bufs[0]->resv,
						DMA_RESV_USAGE_KERNEL);

	KUNIT_EXPECT_EQ(test, batch_map(batch), 0);
	batch_unmap(batch);
	dma_fence_signal(move);
	dma_fence_put(move);
	batch_destroy(batch);
}

/* -- waiting for fences ---------------------------------------------------- */

#define WAIT_N	64

/* Each fence is waited for once, with no lock held. */
static void dma_buf_batch_test_wait(struct kunit *test)
{
	struct batch *batch = batch_create(test, WAIT_N, &one_page, false);
	struct dma_fence *fences[WAIT_N];
	struct mock_call call;
	int i;

	for (i = 0; i < WAIT_N; i++)
		fences[i] = mock_fence_add(test, batch->bufs[i]->resv,
					   DMA_RESV_USAGE_READ);
	mock_call_start(test, &call, call_wait, batch);
	mock_call_expect_waits(&call);
	KUNIT_EXPECT_EQ(test, batch_locked(batch), 0);

	/* All but the last, in an order that is not that of the batch. */
	for (i = WAIT_N - 1; i >= 0; i--)
		if (i != WAIT_N / 2)
			dma_fence_signal(fences[i]);
	mock_call_expect_waits(&call);
	dma_fence_signal(fences[WAIT_N / 2]);
	KUNIT_EXPECT_GE(test, mock_call_finish(&call), 1);

	for (i = 0; i < WAIT_N; i++) {
		KUNIT_EXPECT_LE(test, to_mock_fence(fences[i])->enable_calls,
				1);
		dma_fence_put(fences[i]);
	}
	batch_destroy(batch);
}

static void dma_buf_batch_test_wait_tests(struct kunit *test)
{
	struct batch *batch = batch_create(test, 4, &one_page, false);
	struct dma_buf_attachment **attachs = batch->attachs;
	struct dma_fence *write, *read;

	/* Never a fence, and nothing to wait for. */
	KUNIT_EXPECT_EQ(test, 1, dma_buf_wait_attachments(attachs, 4,
							  DMA_RESV_USAGE_READ,
							  false, 0));
	KUNIT_EXPECT_EQ(test, 5, dma_buf_wait_attachments(attachs, 4,
							  DMA_RESV_USAGE_READ,
							  false, 5));
	write = mock_fence_add(test, batch->bufs[1]->resv,
			       DMA_RESV_USAGE_WRITE);
	read = mock_fence_add(test, batch->bufs[3]->resv, DMA_RESV_USAGE_READ);

	KUNIT_EXPECT_EQ(test, 0, dma_buf_wait_attachments(attachs, 4,
							  DMA_RESV_USAGE_READ,
							  false, 0));
	/* One timeout for all of them. */
	KUNIT_EXPECT_EQ(test, 0, dma_buf_wait_attachments(attachs, 4,
							  DMA_RESV_USAGE_READ,
							  false, 2));
	dma_fence_signal(write);
	KUNIT_EXPECT_EQ(test, 1, dma_buf_wait_attachments(attachs, 4,
							  DMA_RESV_USAGE_WRITE,
							  false, 0));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_wait_attachments(attachs, 4,
							  DMA_RESV_USAGE_READ,
							  false, 0));
	dma_fence_signal(read);
	KUNIT_EXPECT_EQ(test, 1, dma_buf_wait_attachments(attachs, 4,
							  DMA_RESV_USAGE_READ,
							  false, 0));
	dma_fence_put(write);
	dma_fence_put(read);
	batch_destroy(batch);
}

struct fence_case {
	const char *desc;
	long (*call)(void *batch);
	enum dma_resv_usage usage;
};

static const struct fence_case fence_cases[] = {
	{ "maps none, and waits for a move", call_map, DMA_RESV_USAGE_KERNEL },
	{ "waits for fences", call_wait, DMA_RESV_USAGE_READ },
};

KUNIT_ARRAY_PARAM_DESC(fence, fence_cases, desc);

/* A signal ends the wait for a fence. */
static void dma_buf_batch_test_fence_interrupted(struct kunit *test)
{
	const struct fence_case *param = test->param_value;
	struct batch *batch = batch_create(test, 2, &one_page, false);
	struct dma_fence *fence = mock_fence_add(test, batch->bufs[1]->resv,
						 param->usage);
	struct mock_call call;

	mock_call_start(test, &call, param->call, batch);
	mock_call_expect_waits(&call);
	mock_call_interrupt(&call);
	KUNIT_EXPECT_EQ(test, mock_call_finish(&call), -ERESTARTSYS);
	expect_batch_calls(batch, MOCK_OP_MAP, MOCK_OP_UNMAP, 0, 0);
	expect_batch_idle(batch);

	dma_fence_signal(fence);
	dma_fence_put(fence);
	batch_destroy(batch);
}

static struct kunit_case dma_buf_batch_cases[] = {
	KUNIT_CASE_PARAM(dma_buf_batch_test_map, size_gen_params),
	KUNIT_CASE(dma_buf_batch_test_bad_number),
	KUNIT_CASE(dma_buf_batch_test_missing),
	KUNIT_CASE(dma_buf_batch_test_duplicates),
	KUNIT_CASE(dma_buf_batch_test_one_resv),
	KUNIT_CASE(dma_buf_batch_test_mixed),
	KUNIT_CASE_PARAM(dma_buf_batch_test_map_fails, kind_gen_params),
	KUNIT_CASE(dma_buf_batch_test_pin),
	KUNIT_CASE(dma_buf_batch_test_pin_fails),
	KUNIT_CASE(dma_buf_batch_test_pin_refuses_static),
	KUNIT_CASE(dma_buf_batch_test_backs_off),
	KUNIT_CASE(dma_buf_batch_test_waits_for_batch),
	KUNIT_CASE_PARAM(dma_buf_batch_test_interrupted, wait_gen_params),
	KUNIT_CASE(dma_buf_batch_test_interrupted_after_back_off),
	KUNIT_CASE(dma_buf_batch_test_unmap_ignores_signals),
	KUNIT_CASE(dma_buf_batch_test_map_waits_for_moves),
	KUNIT_CASE(dma_buf_batch_test_dynamic_does_not_wait),
	KUNIT_CASE(dma_buf_batch_test_wait),
	KUNIT_CASE(dma_buf_batch_test_wait_tests),
	KUNIT_CASE_PARAM(dma_buf_batch_test_fence_interrupted, fence_gen_params),
	{ }
};

static struct kunit_suite dma_buf_batch_suite = {
	.name = "dma_buf_batch",
	.test_cases = dma_buf_batch_cases,
};

kunit_test_suite(dma_buf_batch_suite);
