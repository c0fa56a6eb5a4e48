// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-revoke.c: what importers are told, how long they are waited
 * for, and which of them are reported.
 */
#include <kunit/test.h>

#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/iosys-map.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "../dma-buf-private.h"
#include "dma_buf_poll_kunit.h"
#include "dma_buf_revoke_kunit.h"
#include "mock_device.h"
#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_importer.h"

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);

/* Attach a device to a new buffer whose mappings are kept. */
static struct dma_buf_attachment *attach_caching(struct kunit *test)
{
	static const struct mock_exporter_params caches = { .cache_sgt = true };

	return mock_importer_attach(test, mock_exporter_create(test, &caches));
}

static struct sg_table *map_attached(struct kunit *test,
				     struct dma_buf_attachment *attach)
{
	struct sg_table *sgt;

	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	return sgt;
}

/* Succeeds if a mapping that is kept, and not in use, goes at once. */
static void dma_buf_revoke_importer_test_kept_mapping(struct kunit *test)
{
	struct dma_buf_attachment *attach = attach_caching(test);
	struct dma_buf *dmabuf = attach->dmabuf;
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct sg_table *sgt = map_attached(test, attach);

	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 0);

	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), 0);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 1);
	KUNIT_EXPECT_NULL(test, attach->sgt);

	dma_buf_detach(dmabuf, attach);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 1);
	dma_buf_put(dmabuf);
}

/*
 * Succeeds if a mapping that was kept is undone once, also for an importer that
 * undoes it more often than it got it.
 */
static void dma_buf_revoke_importer_test_extra_unmap(struct kunit *test)
{
	struct dma_buf_attachment *attach = attach_caching(test);
	struct dma_buf *dmabuf = attach->dmabuf;
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct sg_table *sgt = map_attached(test, attach);

	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -EBUSY);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 1);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 1);

	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
}

static const struct static_case {
	const char *desc;
	struct mock_exporter_params params;
} static_cases[] = {
	{ "static exporter", { } },
	{ "exporter that caches", { .cache_sgt = true } },
	{ "dynamic exporter", { .dynamic = true } },
};

KUNIT_ARRAY_PARAM_DESC(static, static_cases, desc);

/* Succeeds if a static importer is reported, and its last unmap is the end. */
static void dma_buf_revoke_importer_test_static_importer(struct kunit *test)
{
	const struct static_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, &param->params);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_buf_attachment *attach = mock_importer_attach(test, dmabuf);
	bool kept = param->params.cache_sgt || param->params.dynamic;
	struct sg_table *first, *second;
	unsigned long start = jiffies;

	first = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	second = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, first);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, second);
	KUNIT_EXPECT_EQ(test, kept, first == second);
	KUNIT_EXPECT_FALSE(test, dma_buf_attach_revocable(attach));

	dma_buf_revoke_timeout = 600;
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -EBUSY);
	/* Not waited for. */
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, start + 300 * HZ));

	dma_buf_unmap_attachment_unlocked(attach, first, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -EBUSY);
	dma_buf_unmap_attachment_unlocked(attach, second, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_MAP),
			mock_exporter_calls(mock, MOCK_OP_UNMAP));
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_PIN),
			mock_exporter_calls(mock, MOCK_OP_UNPIN));
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), 0);

	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
}

/* Succeeds if a kernel mapping is reported. */
static void dma_buf_revoke_importer_test_vmap(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct iosys_map map;

	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -EBUSY);
	dma_buf_vunmap_unlocked(dmabuf, &map);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), 0);
	dma_buf_put(dmabuf);
}

/*
 * Succeeds if an importer which only follows moves is told as of a move, unless
 * it has pinned the buffer or has not mapped it, and is reported until it has
 * unmapped.
 */
static void dma_buf_revoke_importer_test_move_notify(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, &dynamic_exporter);
	struct mock_importer free = { .answer = MOCK_IMPORTER_NEVER };
	struct mock_importer pinned = {}, unmapped = {};

	mock_importer_follow(test, dmabuf, &free);
	mock_importer_follow(test, dmabuf, &pinned);
	mock_importer_follow(test, dmabuf, &unmapped);
	KUNIT_EXPECT_FALSE(test, dma_buf_attach_revocable(free.attach));
	KUNIT_ASSERT_EQ(test, mock_importer_map(&free), 0);
	KUNIT_ASSERT_EQ(test, mock_importer_map(&pinned), 0);
	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_ASSERT_EQ(test, dma_buf_pin(pinned.attach), 0);
	dma_resv_unlock(dmabuf->resv);

	dma_buf_revoke_timeout = 1;
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -EBUSY);
	KUNIT_EXPECT_EQ(test, free.moves, 1);
	KUNIT_EXPECT_TRUE(test, free.ticket);
	KUNIT_EXPECT_EQ(test, pinned.moves, 0);
	KUNIT_EXPECT_EQ(test, unmapped.moves, 0);

	mock_importer_unmap(&free);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -EBUSY);
	mock_importer_unmap(&pinned);
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_unpin(pinned.attach);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), 0);

	dma_buf_detach(dmabuf, free.attach);
	dma_buf_detach(dmabuf, pinned.attach);
	dma_buf_detach(dmabuf, unmapped.attach);
	dma_buf_put(dmabuf);
}

static const struct follower_case {
	const char *desc;
	enum mock_importer_answer answer;
	int first, second;
} follower_cases[] = {
	{ "at once", MOCK_IMPORTER_AT_ONCE, 0, 0 },
	{ "late", MOCK_IMPORTER_LATE, -EBUSY, 0 },
	{ "never", MOCK_IMPORTER_NEVER, -EBUSY, -EBUSY },
};

KUNIT_ARRAY_PARAM_DESC(follower, follower_cases, desc);

/*
 * Succeeds if an importer that may wait for fences when it is told of a move is
 * told when there are none, and is then waited for as far as it answers.
 */
static void dma_buf_revoke_importer_test_follower(struct kunit *test)
{
	const struct follower_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, &dynamic_exporter);
	struct mock_importer importer = { .answer = param->answer };
	struct dma_fence *fence = mock_fence_create(test);

	mock_importer_follow(test, dmabuf, &importer);
	KUNIT_ASSERT_EQ(test, mock_importer_map(&importer), 0);
	add_fence(test, dmabuf, fence, DMA_RESV_USAGE_BOOKKEEP);
	dma_buf_revoke_timeout = 0;
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, importer.moves, 0);

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), param->first);
	KUNIT_EXPECT_EQ(test, importer.moves, 1);
	KUNIT_EXPECT_TRUE(test, importer.idle);
	dma_buf_revoke_timeout = param->second ? 1 : 600;
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), param->second);
	KUNIT_EXPECT_EQ(test, !importer.sgt, !param->second);

	mock_importer_finish(&importer);
	mock_importer_unmap(&importer);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), 0);
	dma_buf_detach(dmabuf, importer.attach);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

static long refuse_wait(struct dma_fence *fence, bool intr, long timeout)
{
	return -EIO;
}

/*
 * Succeeds if a fence that cannot be waited for does not keep the revocation
 * from waiting for importers, and is reported.
 */
static void dma_buf_revoke_importer_test_wait_error(struct kunit *test)
{
	struct dma_fence_ops *ops = kunit_kzalloc(test, sizeof(*ops),
						  GFP_KERNEL);
	struct dma_buf *dmabuf = mock_exporter_create(test, &dynamic_exporter);
	struct mock_importer importer = { .answer = MOCK_IMPORTER_LATE };
	struct mock_importer follower = { };
	struct dma_fence *fence;

	KUNIT_ASSERT_NOT_NULL(test, ops);
	*ops = mock_fence_ops;
	ops->wait = refuse_wait;
	fence = mock_fence_create_ops(test, ops, dma_fence_context_alloc(1), 1);
	mock_importer_join(test, dmabuf, &importer);
	mock_importer_follow(test, dmabuf, &follower);
	KUNIT_ASSERT_EQ(test, mock_importer_map(&importer), 0);
	KUNIT_ASSERT_EQ(test, mock_importer_map(&follower), 0);
	add_fence(test, dmabuf, fence, DMA_RESV_USAGE_BOOKKEEP);

	dma_buf_revoke_timeout = 600;
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, true), -EIO);
	KUNIT_EXPECT_NULL(test, importer.sgt);
	KUNIT_EXPECT_EQ(test, follower.moves, 0);

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, true), 0);
	KUNIT_EXPECT_EQ(test, follower.moves, 1);
	mock_importer_finish(&importer);
	dma_buf_detach(dmabuf, importer.attach);
	dma_buf_detach(dmabuf, follower.attach);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* Succeeds if no importer is told of a move that its exporter cannot make. */
static void dma_buf_revoke_importer_test_move_notify_static(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_importer importer = {};

	mock_importer_follow(test, dmabuf, &importer);
	KUNIT_ASSERT_EQ(test, mock_importer_map(&importer), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -EBUSY);
	KUNIT_EXPECT_EQ(test, importer.moves, 0);

	mock_importer_unmap(&importer);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), 0);
	KUNIT_EXPECT_EQ(test, importer.moves, 0);
	dma_buf_detach(dmabuf, importer.attach);
	dma_buf_put(dmabuf);
}

static const struct answer_case {
	const char *desc;
	enum mock_importer_answer answer;
	bool dynamic, pins, late;
} answer_cases[] = {
	{ "at once", MOCK_IMPORTER_AT_ONCE, true },
	{ "at once, from a static exporter", MOCK_IMPORTER_AT_ONCE },
	{ "at once, while pinned", MOCK_IMPORTER_AT_ONCE, true, true },
	{ "late", MOCK_IMPORTER_LATE, true, false, true },
	{ "late, from a static exporter", MOCK_IMPORTER_LATE, false, false,
	  true },
	{ "late, while pinned", MOCK_IMPORTER_LATE, true, true, true },
};

KUNIT_ARRAY_PARAM_DESC(answer, answer_cases, desc);

/* Succeeds if an importer that answers is waited for, and no longer. */
static void dma_buf_revoke_importer_test_answer(struct kunit *test)
{
	const struct answer_case *param = test->param_value;
	const struct mock_exporter_params params = {
		.dynamic = param->dynamic,
	};
	struct dma_buf *dmabuf = mock_exporter_create(test, &params);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct mock_importer importer = { .answer = param->answer };
	unsigned long start;

	mock_importer_join(test, dmabuf, &importer);
	KUNIT_EXPECT_TRUE(test, dma_buf_attach_revocable(importer.attach));
	KUNIT_ASSERT_EQ(test, mock_importer_map(&importer), 0);
	dma_resv_lock(dmabuf->resv, NULL);
	if (param->pins)
		KUNIT_ASSERT_EQ(test, dma_buf_pin(importer.attach), 0);
	dma_resv_unlock(dmabuf->resv);

	dma_buf_revoke_timeout = 600;
	start = jiffies;
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, true), 0);
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, start + 300 * HZ));
	KUNIT_EXPECT_EQ(test, importer.invalidations, 1);
	KUNIT_EXPECT_NULL(test, importer.sgt);
	KUNIT_EXPECT_NULL(test, importer.attach->sgt);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_MAP),
			mock_exporter_calls(mock, MOCK_OP_UNMAP));

	mock_importer_finish(&importer);
	dma_resv_lock(dmabuf->resv, NULL);
	if (param->pins)
		dma_buf_unpin(importer.attach);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, importer.attach);
	dma_buf_put(dmabuf);
}

/* Succeeds if the wait for an importer that never answers ends in time. */
static void dma_buf_revoke_importer_test_never(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, &dynamic_exporter);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct mock_importer importer = { .answer = MOCK_IMPORTER_NEVER };
	struct mock_importer good = { .answer = MOCK_IMPORTER_LATE };
	unsigned long start;

	mock_importer_join(test, dmabuf, &importer);
	mock_importer_join(test, dmabuf, &good);
	KUNIT_ASSERT_EQ(test, mock_importer_map(&importer), 0);
	KUNIT_ASSERT_EQ(test, mock_importer_map(&good), 0);

	dma_buf_revoke_timeout = 1;
	start = jiffies;
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -ETIMEDOUT);
	KUNIT_EXPECT_TRUE(test, time_after_eq(jiffies, start + HZ));
	KUNIT_EXPECT_NULL(test, good.sgt);

	/* It keeps what it has, and gets nothing new. */
	KUNIT_EXPECT_EQ(test, mock_importer_bytes(importer.sgt), dmabuf->size);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_RELEASE), 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_attach(dmabuf, importer.attach->dev),
			    ERR_PTR(-ENODEV));

	dma_buf_revoke_timeout = 0;
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -ETIMEDOUT);
	mock_importer_unmap(&importer);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), 0);

	mock_importer_finish(&good);
	dma_buf_detach(dmabuf, good.attach);
	dma_buf_detach(dmabuf, importer.attach);
	dma_buf_put(dmabuf);
}

/* Succeeds if a detach ends the wait as an unmap does. */
static void dma_buf_revoke_importer_test_detached(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_importer importer = { .answer = MOCK_IMPORTER_NEVER };

	/* The mapping of a static exporter's buffer goes with the detach. */
	mock_importer_join(test, dmabuf, &importer);
	KUNIT_ASSERT_EQ(test, mock_importer_map(&importer), 0);
	dma_buf_revoke_timeout = 0;
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -ETIMEDOUT);
	dma_buf_detach(dmabuf, importer.attach);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), 0);
	dma_buf_put(dmabuf);
}

/*
 * Succeeds if a device is waited for that is still at work when its importer
 * unmaps, which is after all fences of the start have signaled.
 */
static void dma_buf_revoke_importer_test_late_fence(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, &dynamic_exporter);
	struct dma_fence *fence = mock_fence_create(test);
	struct mock_importer importer = {
		.answer = MOCK_IMPORTER_LATE, .fence = fence,
	};

	mock_importer_join(test, dmabuf, &importer);
	KUNIT_ASSERT_EQ(test, mock_importer_map(&importer), 0);
	dma_buf_revoke_timeout = 1;
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -ETIMEDOUT);
	KUNIT_EXPECT_NULL(test, importer.sgt);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), 0);

	mock_importer_finish(&importer);
	dma_buf_detach(dmabuf, importer.attach);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* Succeeds if the exporter is not asked to attach what is refused anyway. */
static void dma_buf_revoke_importer_test_attach_op(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct device *dev = mock_device_create(test);

	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_attach(dmabuf, dev),
			    ERR_PTR(-ENODEV));
	expect_mock_calls(test, to_mock_exporter(dmabuf), MOCK_OP_ATTACH,
			  MOCK_OP_DETACH, 0, 0);
	dma_buf_put(dmabuf);
}

/* Succeeds if each kind of importer is called by the right op. */
static void dma_buf_revoke_importer_test_invalidate(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, &dynamic_exporter);
	struct mock_importer follower = {}, joined = {};

	mock_importer_follow(test, dmabuf, &follower);
	mock_importer_join(test, dmabuf, &joined);

	KUNIT_EXPECT_EQ(test, mock_exporter_move(dmabuf), 0);
	KUNIT_EXPECT_EQ(test, follower.moves, 1);
	KUNIT_EXPECT_EQ(test, joined.invalidations, 1);

	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_invalidate_mappings(dmabuf);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_EXPECT_EQ(test, follower.moves, 2);
	KUNIT_EXPECT_EQ(test, joined.invalidations, 2);

	/* It is the exporter that decides when to map again. */
	KUNIT_EXPECT_EQ(test, mock_importer_map(&joined), 0);
	mock_importer_unmap(&joined);

	dma_buf_detach(dmabuf, follower.attach);
	dma_buf_detach(dmabuf, joined.attach);
	dma_buf_put(dmabuf);
}

/*
 * Succeeds if an importer with ops needs none of the two, as in later kernels:
 * it pins, hears of nothing, and is reported.
 */
static void dma_buf_revoke_importer_test_no_op(struct kunit *test)
{
	static const struct dma_buf_attach_ops none = {
		.allow_peer2peer = true,
	};
	struct dma_buf *dmabuf = mock_exporter_create(test, &dynamic_exporter);
	struct mock_importer importer = { };

	importer.attach = dma_buf_dynamic_attach(dmabuf,
						 mock_device_create(test),
						 &none, &importer);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, importer.attach);
	KUNIT_EXPECT_TRUE(test, dma_buf_attachment_is_dynamic(importer.attach));
	KUNIT_EXPECT_FALSE(test, dma_buf_attach_revocable(importer.attach));
	KUNIT_EXPECT_EQ(test, mock_exporter_move(dmabuf), 0);

	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_buf_pin(importer.attach), 0);
	dma_buf_invalidate_mappings(dmabuf);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_ASSERT_EQ(test, mock_importer_map(&importer), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -EBUSY);
	mock_importer_unmap(&importer);
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_unpin(importer.attach);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), 0);

	dma_buf_detach(dmabuf, importer.attach);
	dma_buf_put(dmabuf);
}

static struct kunit_case dma_buf_revoke_importer_test_cases[] = {
	KUNIT_CASE(dma_buf_revoke_importer_test_kept_mapping),
	KUNIT_CASE(dma_buf_revoke_importer_test_extra_unmap),
	KUNIT_CASE_PARAM(dma_buf_revoke_importer_test_static_importer,
			 static_gen_params),
	KUNIT_CASE(dma_buf_revoke_importer_test_vmap),
	KUNIT_CASE_SLOW(dma_buf_revoke_importer_test_move_notify),
	KUNIT_CASE_PARAM_ATTR(dma_buf_revoke_importer_test_follower,
			      follower_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE(dma_buf_revoke_importer_test_wait_error),
	KUNIT_CASE(dma_buf_revoke_importer_test_move_notify_static),
	KUNIT_CASE_PARAM(dma_buf_revoke_importer_test_answer,
			 answer_gen_params),
	KUNIT_CASE_SLOW(dma_buf_revoke_importer_test_never),
	KUNIT_CASE(dma_buf_revoke_importer_test_detached),
	KUNIT_CASE_SLOW(dma_buf_revoke_importer_test_late_fence),
	KUNIT_CASE(dma_buf_revoke_importer_test_attach_op),
	KUNIT_CASE(dma_buf_revoke_importer_test_invalidate),
	KUNIT_CASE(dma_buf_revoke_importer_test_no_op),
	{}
};

static struct kunit_suite dma_buf_revoke_importer_test_suite = {
	.name = "dma_buf_revoke_importer",
	.init = revoke_init,
	.test_cases = dma_buf_revoke_importer_test_cases,
};

kunit_test_suite(dma_buf_revoke_importer_test_suite);
