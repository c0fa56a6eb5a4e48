// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-attach.c with dynamic exporters and dynamic importers.
 */
#include <kunit/test.h>

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/kthread.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "mock_device.h"
#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_importer.h"
#include "mock_race.h"

static const struct mock_exporter_params dynamic_exporter = {
	.dynamic = true,
};

static void dma_buf_attach_dynamic_test_attach_peer2peer(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, &dynamic_exporter);
	struct device *dev = mock_device_create(test);
	struct mock_importer importer = {};
	struct dma_buf_attachment *attach;

	attach = dma_buf_dynamic_attach(dmabuf, dev, &mock_importer_p2p_ops,
					&importer);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	KUNIT_EXPECT_TRUE(test, attach->peer2peer);
	KUNIT_EXPECT_PTR_EQ(test, attach->importer_priv, (void *)&importer);
	KUNIT_EXPECT_PTR_EQ(test, attach->importer_ops, &mock_importer_p2p_ops);
	dma_buf_detach(dmabuf, attach);

	attach = mock_importer_follow(test, dmabuf, &importer);
	KUNIT_EXPECT_FALSE(test, attach->peer2peer);
	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
}

/* For a static importer the buffer is pinned and mapped by the attach. */
static void dma_buf_attach_dynamic_test_static_importer_pins(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, &dynamic_exporter);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_buf_attachment *attach = mock_importer_attach(test, dmabuf);
	struct sg_table *sgt;

	expect_mock_calls(test, mock, MOCK_OP_PIN, MOCK_OP_UNPIN, 1, 0);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 0);
	KUNIT_EXPECT_EQ(test, mock_exporter_locked(mock, MOCK_OP_PIN), 1);
	KUNIT_EXPECT_EQ(test, mock_exporter_locked(mock, MOCK_OP_MAP), 1);
	KUNIT_EXPECT_EQ(test, mock->last_dir, DMA_BIDIRECTIONAL);

	sgt = dma_buf_map_attachment_unlocked(attach, DMA_FROM_DEVICE);
	KUNIT_EXPECT_PTR_EQ(test, sgt, attach->sgt);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_FROM_DEVICE);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 0);

	dma_buf_detach(dmabuf, attach);
	expect_mock_calls(test, mock, MOCK_OP_PIN, MOCK_OP_UNPIN, 1, 1);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 1);
	KUNIT_EXPECT_EQ(test, mock_exporter_locked(mock, MOCK_OP_UNPIN), 1);
	dma_buf_put(dmabuf);
}

/* For a dynamic importer of a static buffer it is mapped by the attach, too. */
static void
dma_buf_attach_dynamic_test_dynamic_importer_of_static(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct mock_importer importer = {};
	struct dma_buf_attachment *attach = mock_importer_follow(test, dmabuf,
								 &importer);

	KUNIT_ASSERT_NOT_NULL(test, attach->sgt);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 0);

	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_map_attachment(attach, DMA_TO_DEVICE),
			    attach->sgt);
	/* Succeeds, though the exporter has no pin op. */
	KUNIT_EXPECT_EQ(test, dma_buf_pin(attach), 0);
	dma_buf_unpin(attach);
	dma_resv_unlock(dmabuf->resv);

	dma_buf_detach(dmabuf, attach);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 1);
	dma_buf_put(dmabuf);
}

/* Both dynamic: mapped on demand, and pinned only without move notification. */
static void dma_buf_attach_dynamic_test_dynamic_both(struct kunit *test)
{
	int pins = IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY) ? 0 : 1;
	struct dma_buf *dmabuf = mock_exporter_create(test, &dynamic_exporter);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct mock_importer importer = {};
	struct dma_buf_attachment *attach = mock_importer_follow(test, dmabuf,
								 &importer);
	struct sg_table *sgt;

	KUNIT_EXPECT_NULL(test, attach->sgt);
	expect_mock_calls(test, mock, MOCK_OP_PIN, MOCK_OP_UNPIN, 0, 0);

	sgt = dma_buf_map_attachment_unlocked(attach, DMA_FROM_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	expect_mock_calls(test, mock, MOCK_OP_PIN, MOCK_OP_UNPIN, pins, 0);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_FROM_DEVICE);
	expect_mock_calls(test, mock, MOCK_OP_PIN, MOCK_OP_UNPIN, pins, pins);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 1);

	/* A mapping that fails leaves nothing pinned. */
	mock->fail[MOCK_OP_MAP] = -EIO;
	KUNIT_EXPECT_PTR_EQ(test,
			    dma_buf_map_attachment_unlocked(attach,
							    DMA_FROM_DEVICE),
			    ERR_PTR(-EIO));
	expect_mock_calls(test, mock, MOCK_OP_PIN, MOCK_OP_UNPIN, 2 * pins,
			  2 * pins);

	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
}

static void dma_buf_attach_dynamic_test_pin(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, &dynamic_exporter);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct mock_importer importer = {};
	struct dma_buf_attachment *attach = mock_importer_follow(test, dmabuf,
								 &importer);

	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_buf_pin(attach), 0);
	expect_mock_calls(test, mock, MOCK_OP_PIN, MOCK_OP_UNPIN, 1, 0);
	mock->fail[MOCK_OP_PIN] = -ENOSPC;
	KUNIT_EXPECT_EQ(test, dma_buf_pin(attach), -ENOSPC);
	dma_buf_unpin(attach);
	expect_mock_calls(test, mock, MOCK_OP_PIN, MOCK_OP_UNPIN, 2, 1);
	dma_resv_unlock(dmabuf->resv);

	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
}

static void dma_buf_attach_dynamic_test_pin_refuses_static(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, &dynamic_exporter);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_buf_attachment *attach = mock_importer_attach(test, dmabuf);

	mock_fence_expect_misuse(test);
	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_buf_pin(attach), -EINVAL);
	dma_buf_unpin(attach);
	dma_resv_unlock(dmabuf->resv);
	/* The only pin is that of the attach. */
	expect_mock_calls(test, mock, MOCK_OP_PIN, MOCK_OP_UNPIN, 1, 0);

	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
}

/* Dynamic importers are notified, and new mappings lead to the new place. */
static void dma_buf_attach_dynamic_test_move_notify(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, &dynamic_exporter);
	struct mock_importer one = {}, two = {};
	struct dma_buf_attachment *still;
	struct sg_table *before, *after;

	mock_importer_follow(test, dmabuf, &one);
	mock_importer_follow(test, dmabuf, &two);
	still = mock_importer_attach(test, dmabuf);

	before = dma_buf_map_attachment_unlocked(one.attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, before);
	KUNIT_EXPECT_EQ(test, mock_exporter_move(dmabuf), 0);
	KUNIT_EXPECT_EQ(test, one.moves, 1);
	KUNIT_EXPECT_EQ(test, two.moves, 1);

	/* The old mapping is still valid, and differs from the new one. */
	after = dma_buf_map_attachment_unlocked(one.attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, after);
	KUNIT_EXPECT_EQ(test, mock_importer_bytes(before), dmabuf->size);
	KUNIT_EXPECT_NE(test, sg_dma_address(before->sgl),
			sg_dma_address(after->sgl));

	dma_buf_unmap_attachment_unlocked(one.attach, before, DMA_TO_DEVICE);
	dma_buf_unmap_attachment_unlocked(one.attach, after, DMA_TO_DEVICE);

	/* A detached importer is not notified. */
	dma_buf_detach(dmabuf, two.attach);
	KUNIT_EXPECT_EQ(test, mock_exporter_move(dmabuf), 0);
	KUNIT_EXPECT_EQ(test, one.moves, 2);
	KUNIT_EXPECT_EQ(test, two.moves, 1);

	dma_buf_detach(dmabuf, one.attach);
	dma_buf_detach(dmabuf, still);
	dma_buf_put(dmabuf);
}

/* A dynamic importer waits for fences by itself, so mapping does not. */
static void
dma_buf_attach_dynamic_test_dynamic_map_does_not_wait(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, &dynamic_exporter);
	struct dma_fence *move = mock_fence_create(test);
	struct mock_importer importer = {};
	struct sg_table *sgt;

	mock_importer_follow(test, dmabuf, &importer);
	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_ASSERT_EQ(test, dma_resv_reserve_fences(dmabuf->resv, 1), 0);
	dma_resv_add_fence(dmabuf->resv, move, DMA_RESV_USAGE_KERNEL);
	/* Would hang, not fail, if this waited. */
	sgt = dma_buf_map_attachment(importer.attach, DMA_TO_DEVICE);
	KUNIT_EXPECT_FALSE(test, IS_ERR_OR_NULL(sgt));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(move));
	if (!IS_ERR_OR_NULL(sgt))
		dma_buf_unmap_attachment(importer.attach, sgt, DMA_TO_DEVICE);
	dma_resv_unlock(dmabuf->resv);

	dma_fence_signal(move);
	dma_buf_detach(dmabuf, importer.attach);
	dma_fence_put(move);
	dma_buf_put(dmabuf);
}

/* ---- attach and detach against moves */

/* What the case shares with the race thread, which attaches and detaches. */
struct comer {
	struct dma_buf *dmabuf;
	struct device *dev;
	bool here;		/* from before the attach until after the detach */
	bool told;		/* of a move, since it came */
	bool waits;		/* until it is told once more, */
	bool met;		/* which it is now, */
	bool leaves;		/* to leave in the middle of that */
	int turn;
	int stay;		/* the turn, while there is an attachment, or 0 */
	atomic_t wrong;
};

/* Takes some time, and with it the walk over the attachments. */
static void comer_move_notify(struct dma_buf_attachment *attach)
{
	struct comer *comer = attach->importer_priv;

	dma_resv_assert_held(attach->dmabuf->resv);
	if (!READ_ONCE(comer->here))
		atomic_inc(&comer->wrong);
	WRITE_ONCE(comer->told, true);
	if (READ_ONCE(comer->waits)) {
		WRITE_ONCE(comer->met, true);
		mock_race_await(&comer->leaves);
	}
	mock_race_linger();
	if (!READ_ONCE(comer->here))
		atomic_inc(&comer->wrong);
}

static const struct dma_buf_attach_ops comer_ops = {
	.move_notify = comer_move_notify,
};

/* Attach, map, unmap, detach; every other time during a move. */
static void comer_turn(void *data)
{
	struct comer *comer = data;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	comer->told = false;
	comer->waits = false;
	comer->met = false;
	comer->leaves = false;
	WRITE_ONCE(comer->here, true);
	attach = dma_buf_dynamic_attach(comer->dmabuf, comer->dev, &comer_ops,
					comer);
	if (IS_ERR(attach)) {
		atomic_inc(&comer->wrong);
		return;
	}
	WRITE_ONCE(comer->stay, ++comer->turn);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		atomic_inc(&comer->wrong);
	else
		dma_buf_unmap_attachment_unlocked(attach, sgt,
						  DMA_BIDIRECTIONAL);

	WRITE_ONCE(comer->waits, comer->turn % 2);
	while (comer->waits && !READ_ONCE(comer->met) && !kthread_should_stop())
		cond_resched();
	WRITE_ONCE(comer->stay, 0);
	WRITE_ONCE(comer->leaves, true);
	dma_buf_detach(comer->dmabuf, attach);
	WRITE_ONCE(comer->here, false);
}

/* An importer that is attached during a whole move is notified of it. */
static int comer_move(struct comer *comer)
{
	int before = READ_ONCE(comer->stay), ret;

	ret = mock_exporter_move(comer->dmabuf);
	/* The lock, which the thread has taken since, orders these. */
	if (before && !READ_ONCE(comer->told) && READ_ONCE(comer->stay) == before)
		atomic_inc(&comer->wrong);
	return ret;
}

/*
 * One thread attaches and detaches while the other moves the buffer, or
 * attaches and detaches as well. A detach that changes the list without the
 * lock is found by KASAN.
 */
static void dma_buf_attach_dynamic_test_race_attach_move(struct kunit *test)
{
	struct mock_importer stays = {}, visits = {};
	struct mock_exporter *mock;
	struct mock_race *thread;
	struct dma_buf *dmabuf;
	struct comer *comer;
	int turns;

	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two CPUs");

	comer = kunit_kzalloc(test, sizeof(*comer), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, comer);
	dmabuf = mock_exporter_create(test, &dynamic_exporter);
	mock = to_mock_exporter(dmabuf);
	comer->dmabuf = dmabuf;
	comer->dev = mock_device_create(test);
	mock_importer_follow(test, dmabuf, &stays);

	thread = mock_race_start(test, comer_turn, comer);
	while (!atomic_read(&comer->wrong) && mock_race_again(thread)) {
		mock_race_pause(thread);
		visits.attach = dma_buf_dynamic_attach(dmabuf, stays.attach->dev,
						       &mock_importer_ops, &visits);
		mock_race_resume(thread);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, visits.attach);
		KUNIT_EXPECT_EQ(test, comer_move(comer), 0);
		mock_race_pause(thread);
		dma_buf_detach(dmabuf, visits.attach);
		mock_race_resume(thread);
	}
	mock_race_stop(test, thread);
	turns = atomic_read(&thread->turns);

	KUNIT_EXPECT_EQ(test, atomic_read(&comer->wrong), 0);
	KUNIT_EXPECT_EQ(test, stays.moves, thread->rounds);
	KUNIT_EXPECT_EQ(test, visits.moves, thread->rounds);
	dma_buf_detach(dmabuf, stays.attach);
	KUNIT_EXPECT_EQ(test, mock_importer_count(dmabuf), 0);
	expect_mock_calls(test, mock, MOCK_OP_ATTACH, MOCK_OP_DETACH,
			  turns + thread->rounds + 1, turns + thread->rounds + 1);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, turns, turns);
	dma_buf_put(dmabuf);
	kunit_info(test, "%d came and went\n", turns);
}

static struct kunit_case dma_buf_attach_dynamic_cases[] = {
	KUNIT_CASE(dma_buf_attach_dynamic_test_attach_peer2peer),
	KUNIT_CASE(dma_buf_attach_dynamic_test_static_importer_pins),
	KUNIT_CASE(dma_buf_attach_dynamic_test_dynamic_importer_of_static),
	KUNIT_CASE(dma_buf_attach_dynamic_test_dynamic_both),
	KUNIT_CASE(dma_buf_attach_dynamic_test_pin),
	KUNIT_CASE(dma_buf_attach_dynamic_test_pin_refuses_static),
	KUNIT_CASE(dma_buf_attach_dynamic_test_move_notify),
	KUNIT_CASE(dma_buf_attach_dynamic_test_dynamic_map_does_not_wait),
	KUNIT_CASE_SLOW(dma_buf_attach_dynamic_test_race_attach_move),
	{}
};

static struct kunit_suite dma_buf_attach_dynamic_suite = {
	.name = "dma_buf_attach_dynamic",
	.test_cases = dma_buf_attach_dynamic_cases,
};

kunit_test_suite(dma_buf_attach_dynamic_suite);
