// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-attach.c: attach and detach, map and unmap; and of
 * dma-buf-pageless.c.
 */
#include <kunit/test.h>

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "mock_device.h"
#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_importer.h"
#include "mock_race.h"

static const struct mock_exporter_params static_exporter;
static const struct mock_exporter_params caching_exporter = {
	.cache_sgt = true,
};

static const struct mock_exporter_params dynamic_exporter = {
	.dynamic = true,
};

static void dma_buf_attach_test_attach(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct device *dev = mock_device_create(test);
	struct dma_buf_attachment *attach = dma_buf_attach(dmabuf, dev);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	KUNIT_EXPECT_PTR_EQ(test, attach->dmabuf, dmabuf);
	KUNIT_EXPECT_PTR_EQ(test, attach->dev, dev);
	KUNIT_EXPECT_FALSE(test, dma_buf_attachment_is_dynamic(attach));
	KUNIT_EXPECT_FALSE(test, attach->peer2peer);
	KUNIT_EXPECT_NULL(test, attach->sgt);
	KUNIT_EXPECT_EQ(test, mock_importer_count(dmabuf), 1);
	/* An attach does not map yet. */
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_MAP), 0);

	dma_buf_detach(dmabuf, attach);
	expect_mock_calls(test, mock, MOCK_OP_ATTACH, MOCK_OP_DETACH, 1, 1);
	KUNIT_EXPECT_EQ(test, mock_exporter_locked(mock, MOCK_OP_ATTACH), 0);
	KUNIT_EXPECT_EQ(test, mock_exporter_locked(mock, MOCK_OP_DETACH), 0);
	KUNIT_EXPECT_EQ(test, mock_importer_count(dmabuf), 0);
	dma_buf_put(dmabuf);
}

static void dma_buf_attach_test_attach_without_ops(struct kunit *test)
{
	static const struct mock_exporter_params params = {
		.without = BIT(MOCK_OP_ATTACH) | BIT(MOCK_OP_DETACH),
	};
	struct dma_buf *dmabuf = mock_exporter_create(test, &params);
	struct dma_buf_attachment *attach = mock_importer_attach(test, dmabuf);

	dma_buf_detach(dmabuf, attach);
	KUNIT_EXPECT_EQ(test, mock_importer_count(dmabuf), 0);
	dma_buf_put(dmabuf);
}

static void dma_buf_attach_test_attach_refuses(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct device *dev = mock_device_create(test);

	mock_fence_expect_misuse(test);
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_attach(NULL, dev), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_attach(dmabuf, NULL),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, mock_importer_count(dmabuf), 0);
	dma_buf_put(dmabuf);
}

static void dma_buf_attach_test_detach_refuses(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_buf *other = mock_exporter_create(test, NULL);
	struct dma_buf_attachment *attach = mock_importer_attach(test, dmabuf);

	mock_fence_expect_misuse(test);
	dma_buf_detach(NULL, attach);
	dma_buf_detach(dmabuf, NULL);
	dma_buf_detach(other, attach);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 3);
	KUNIT_EXPECT_EQ(test, mock_importer_count(dmabuf), 1);

	dma_buf_detach(dmabuf, attach);
	dma_buf_put(other);
	dma_buf_put(dmabuf);
}

struct attach_failure {
	const char *desc;
	const struct mock_exporter_params *exporter;
	bool dynamic_importer;
	enum mock_exporter_op failing;
	bool map_null;
	int expect;
	/* Number of calls that must have been undone. */
	int detached, unpinned;
};

static const struct attach_failure attach_failures[] = {
	{
		.desc = "fails as the exporter's attach does",
		.exporter = &static_exporter,
		.failing = MOCK_OP_ATTACH,
		.expect = -EBUSY,
	}, {
		.desc = "fails when a static importer cannot pin",
		.exporter = &dynamic_exporter,
		.failing = MOCK_OP_PIN,
		.expect = -ENOSPC,
		.detached = 1,
	}, {
		.desc = "fails when a static importer cannot map",
		.exporter = &dynamic_exporter,
		.failing = MOCK_OP_MAP,
		.expect = -EIO,
		.detached = 1,
		.unpinned = 1,
	}, {
		.desc = "fails when the map gives nothing",
		.exporter = &dynamic_exporter,
		.map_null = true,
		.failing = MOCK_OP_MAP,
		.expect = -ENOMEM,
		.detached = 1,
		.unpinned = 1,
	}, {
		.desc = "fails when a dynamic importer cannot map a static buffer",
		.exporter = &static_exporter,
		.dynamic_importer = true,
		.failing = MOCK_OP_MAP,
		.expect = -EIO,
		.detached = 1,
	},
};

KUNIT_ARRAY_PARAM_DESC(attach_failure, attach_failures, desc);

static void dma_buf_attach_test_attach_fails(struct kunit *test)
{
	const struct attach_failure *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, param->exporter);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct device *dev = mock_device_create(test);
	struct dma_buf_attachment *attach;
	struct mock_importer importer = {};

	mock->fail[param->failing] = param->expect;
	mock->map_null = param->map_null;
	attach = dma_buf_dynamic_attach(dmabuf, dev,
					param->dynamic_importer ? &mock_importer_ops : NULL,
					&importer);
	KUNIT_EXPECT_PTR_EQ(test, attach, ERR_PTR(param->expect));
	expect_mock_calls(test, mock, MOCK_OP_ATTACH, MOCK_OP_DETACH, 1,
			  param->detached);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_UNPIN),
			param->unpinned);
	KUNIT_EXPECT_EQ(test, mock_importer_count(dmabuf), 0);

	/* The next try succeeds. */
	mock->fail[param->failing] = 0;
	mock->map_null = false;
	attach = dma_buf_attach(dmabuf, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	dma_buf_detach(dmabuf, attach);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_PIN) -
			(param->failing == MOCK_OP_PIN),
			mock_exporter_calls(mock, MOCK_OP_UNPIN));
	dma_buf_put(dmabuf);
}

static const enum dma_data_direction directions[] = {
	DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE,
};

static void dma_buf_attach_test_map(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_buf_attachment *attach = mock_importer_attach(test, dmabuf);
	struct sg_table *sgt;
	int i;

	for (i = 0; i < ARRAY_SIZE(directions); i++) {
		sgt = dma_buf_map_attachment_unlocked(attach, directions[i]);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
		KUNIT_EXPECT_EQ(test, mock->last_dir, directions[i]);
		KUNIT_EXPECT_EQ(test, mock_importer_bytes(sgt), dmabuf->size);
		expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, i + 1,
				  i);
		KUNIT_EXPECT_NULL(test, attach->sgt);

		dma_buf_unmap_attachment_unlocked(attach, sgt, directions[i]);
		expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, i + 1,
				  i + 1);
	}
	KUNIT_EXPECT_EQ(test, mock_exporter_locked(mock, MOCK_OP_MAP), 3);
	KUNIT_EXPECT_EQ(test, mock_exporter_locked(mock, MOCK_OP_UNMAP), 3);

	dma_buf_detach(dmabuf, attach);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 3, 3);
	dma_buf_put(dmabuf);
}

/* The same two calls, with the lock held. */
static void dma_buf_attach_test_map_locked(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_buf_attachment *attach = mock_importer_attach(test, dmabuf);
	struct sg_table *sgt;

	dma_resv_lock(dmabuf->resv, NULL);
	sgt = dma_buf_map_attachment(attach, DMA_TO_DEVICE);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, mock_importer_bytes(sgt), dmabuf->size);

	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_unmap_attachment(attach, sgt, DMA_TO_DEVICE);
	dma_resv_unlock(dmabuf->resv);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 1);
	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
}

/* Two mappings of one attachment are two tables, unmapped in any order. */
static void dma_buf_attach_test_map_twice(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_buf_attachment *attach = mock_importer_attach(test, dmabuf);
	struct sg_table *first, *second;

	first = dma_buf_map_attachment_unlocked(attach, DMA_FROM_DEVICE);
	second = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, first);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, second);
	KUNIT_EXPECT_PTR_NE(test, first, second);

	dma_buf_unmap_attachment_unlocked(attach, first, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, mock_importer_bytes(second), dmabuf->size);
	dma_buf_unmap_attachment_unlocked(attach, second, DMA_TO_DEVICE);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 2, 2);
	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
}

static void dma_buf_attach_test_map_hides_pages(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_buf_attachment *attach = mock_importer_attach(test, dmabuf);
	struct scatterlist *sg;
	struct sg_table *sgt;
	int i;

	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	for_each_sgtable_sg(sgt, sg, i) {
		if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
			KUNIT_EXPECT_NULL(test, sg_page(sg));
		else
			KUNIT_EXPECT_NOT_NULL(test, sg_page(sg));
		KUNIT_EXPECT_NE(test, sg->length, 0);
	}
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
}

/* A table of an exporter without pages, which sets orig_nents to 0. */
static void dma_buf_attach_test_map_without_cpu_list(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_buf_attachment *attach = mock_importer_attach(test, dmabuf);
	struct sg_table *sgt;

	mock->no_cpu_list = true;
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, 0);
	KUNIT_EXPECT_GT(test, sgt->nents, 0);
	KUNIT_EXPECT_EQ(test, mock_importer_bytes(sgt), dmabuf->size);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 1);
	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
}

static void dma_buf_attach_test_map_fails(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_buf_attachment *attach = mock_importer_attach(test, dmabuf);

	mock->fail[MOCK_OP_MAP] = -EINTR;
	KUNIT_EXPECT_PTR_EQ(test,
			    dma_buf_map_attachment_unlocked(attach,
							    DMA_TO_DEVICE),
			    ERR_PTR(-EINTR));
	mock->map_null = true;
	KUNIT_EXPECT_PTR_EQ(test,
			    dma_buf_map_attachment_unlocked(attach,
							    DMA_TO_DEVICE),
			    ERR_PTR(-ENOMEM));
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 2, 0);
	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
}

static void dma_buf_attach_test_map_refuses(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_buf_attachment *attach = mock_importer_attach(test, dmabuf);

	mock_fence_expect_misuse(test);
	KUNIT_EXPECT_PTR_EQ(test,
			    dma_buf_map_attachment_unlocked(NULL,
							    DMA_TO_DEVICE),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_map_attachment(NULL, DMA_TO_DEVICE),
			    ERR_PTR(-EINVAL));
	dma_buf_unmap_attachment_unlocked(attach, NULL, DMA_TO_DEVICE);
	dma_buf_unmap_attachment(attach, NULL, DMA_TO_DEVICE);
	dma_buf_unmap_attachment_unlocked(NULL, NULL, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 5);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 0, 0);
	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
}

/* The first mapping is kept, and returned for directions that it includes. */
static void dma_buf_attach_test_cached_mapping(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, &caching_exporter);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_buf_attachment *attach = mock_importer_attach(test, dmabuf);
	struct sg_table *first, *second;

	first = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, first);
	dma_buf_unmap_attachment_unlocked(attach, first, DMA_TO_DEVICE);
	second = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_EXPECT_PTR_EQ(test, first, second);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 0);

	KUNIT_EXPECT_PTR_EQ(test,
			    dma_buf_map_attachment_unlocked(attach,
							    DMA_FROM_DEVICE),
			    ERR_PTR(-EBUSY));
	KUNIT_EXPECT_PTR_EQ(test,
			    dma_buf_map_attachment_unlocked(attach,
							    DMA_BIDIRECTIONAL),
			    ERR_PTR(-EBUSY));

	dma_buf_detach(dmabuf, attach);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 1);
	KUNIT_EXPECT_EQ(test, mock_exporter_locked(mock, MOCK_OP_UNMAP), 1);
	dma_buf_put(dmabuf);
}

static void dma_buf_attach_test_cached_mapping_both_ways(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, &caching_exporter);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_buf_attachment *attach = mock_importer_attach(test, dmabuf);
	struct sg_table *sgt;
	int i;

	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	for (i = 0; i < ARRAY_SIZE(directions); i++)
		KUNIT_EXPECT_PTR_EQ(test,
				    dma_buf_map_attachment_unlocked(attach,
								    directions[i]),
				    sgt);
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 0);
	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
}

/* A map that must wait for a move by the exporter, in a thread of its own. */
struct mapper {
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	struct completion started, done;
};

static int mapper_thread(void *data)
{
	struct mapper *mapper = data;

	/* A kernel thread ignores signals unless it allows them. */
	allow_signal(SIGUSR1);
	complete(&mapper->started);
	mapper->sgt = dma_buf_map_attachment_unlocked(mapper->attach,
						      DMA_TO_DEVICE);
	complete(&mapper->done);
	return 0;
}

static void dma_buf_attach_test_map_waits_for_moves(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *move;
	struct mapper mapper = {};

	mapper.attach = mock_importer_attach(test, dmabuf);
	init_completion(&mapper.started);
	init_completion(&mapper.done);

	move = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kthread_run(mapper_thread, &mapper,
						       "mapper"));
	wait_for_completion(&mapper.started);
	msleep(20);
	KUNIT_EXPECT_FALSE(test, try_wait_for_completion(&mapper.done));

	dma_fence_signal(move);
	wait_for_completion(&mapper.done);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mapper.sgt);
	dma_buf_unmap_attachment_unlocked(mapper.attach, mapper.sgt,
					  DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, mapper.attach);
	dma_fence_put(move);
	dma_buf_put(dmabuf);
}

/* A signal ends the wait, and the mapping of the exporter is undone. */
static void dma_buf_attach_test_map_interrupted(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_fence *move;
	struct mapper mapper = {};
	struct task_struct *thread;

	mapper.attach = mock_importer_attach(test, dmabuf);
	init_completion(&mapper.started);
	init_completion(&mapper.done);

	move = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_KERNEL);

	thread = kthread_create(mapper_thread, &mapper, "mapper");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	get_task_struct(thread);
	wake_up_process(thread);
	wait_for_completion(&mapper.started);
	send_sig(SIGUSR1, thread, 1);
	wait_for_completion(&mapper.done);
	put_task_struct(thread);

	KUNIT_EXPECT_PTR_EQ(test, mapper.sgt, ERR_PTR(-ERESTARTSYS));
	expect_mock_calls(test, mock, MOCK_OP_MAP, MOCK_OP_UNMAP, 1, 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(move));
	dma_fence_signal(move);
	dma_buf_detach(dmabuf, mapper.attach);
	dma_fence_put(move);
	dma_buf_put(dmabuf);
}

/* An attach or a detach in a thread of its own. */
struct attacher {
	struct dma_buf *dmabuf;
	struct device *dev;
	struct dma_buf_attachment *attach;
	struct completion done;
};

static int attacher_thread(void *data)
{
	struct attacher *attacher = data;

	if (!attacher->attach) {
		attacher->attach = dma_buf_attach(attacher->dmabuf,
						  attacher->dev);
	} else {
		dma_buf_detach(attacher->dmabuf, attacher->attach);
		attacher->attach = NULL;
	}
	complete(&attacher->done);
	return 0;
}

/* Attach and detach change the list only with the reservation lock. */
static void dma_buf_attach_test_attach_locks(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct attacher attacher = {
		.dmabuf = dmabuf,
		.dev = mock_device_create(test),
	};
	int attached;
	bool done;

	init_completion(&attacher.done);
	for (attached = 0; attached < 2; attached++) {
		dma_resv_lock(dmabuf->resv, NULL);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kthread_run(attacher_thread,
							       &attacher,
							       "attacher"));
		/* Give the thread time to change the list without the lock. */
		msleep(50);
		KUNIT_EXPECT_EQ(test, list_count_nodes(&dmabuf->attachments),
				attached);
		done = try_wait_for_completion(&attacher.done);
		KUNIT_EXPECT_FALSE(test, done);
		dma_resv_unlock(dmabuf->resv);
		if (!done)
			wait_for_completion(&attacher.done);
		KUNIT_EXPECT_EQ(test, mock_importer_count(dmabuf), !attached);
	}
	dma_buf_put(dmabuf);
}

struct attach_race {
	struct dma_buf *dmabuf;
	struct device *dev;
	atomic_t wrong;
};

static void attach_race_turn(void *data)
{
	struct attach_race *race = data;
	struct dma_buf_attachment *attach;

	attach = dma_buf_attach(race->dmabuf, race->dev);
	if (IS_ERR(attach))
		atomic_inc(&race->wrong);
	else
		dma_buf_detach(race->dmabuf, attach);
}

/*
 * Two threads attach and detach. An attach or a detach without the reservation
 * lock is found by list debugging, or by a wrong count.
 */
static void dma_buf_attach_test_race_attach_attach(struct kunit *test)
{
	struct attach_race *race = kunit_kzalloc(test, sizeof(*race),
						 GFP_KERNEL);
	struct dma_buf_attachment *attach;
	struct mock_race *thread;
	struct device *dev;

	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two CPUs");
	KUNIT_ASSERT_NOT_NULL(test, race);
	race->dmabuf = mock_exporter_create(test, NULL);
	race->dev = mock_device_create(test);
	dev = mock_device_create(test);

	thread = mock_race_start(test, attach_race_turn, race);
	while (!atomic_read(&race->wrong) && mock_race_again(thread)) {
		/* At any point of an attach or detach of the other thread. */
		mock_race_pause(thread);
		attach = dma_buf_attach(race->dmabuf, dev);
		mock_race_resume(thread);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
		if (!mock_importer_has(race->dmabuf, attach))
			atomic_inc(&race->wrong);
		mock_race_pause(thread);
		dma_buf_detach(race->dmabuf, attach);
		mock_race_resume(thread);
	}
	mock_race_stop(test, thread);
	KUNIT_EXPECT_EQ(test, atomic_read(&race->wrong), 0);
	KUNIT_EXPECT_EQ(test, mock_importer_count(race->dmabuf), 0);
	dma_buf_put(race->dmabuf);
}

static struct kunit_case dma_buf_attach_cases[] = {
	KUNIT_CASE(dma_buf_attach_test_attach),
	KUNIT_CASE(dma_buf_attach_test_attach_without_ops),
	KUNIT_CASE(dma_buf_attach_test_attach_refuses),
	KUNIT_CASE(dma_buf_attach_test_detach_refuses),
	KUNIT_CASE_PARAM(dma_buf_attach_test_attach_fails,
			 attach_failure_gen_params),
	KUNIT_CASE(dma_buf_attach_test_map),
	KUNIT_CASE(dma_buf_attach_test_map_locked),
	KUNIT_CASE(dma_buf_attach_test_map_twice),
	KUNIT_CASE(dma_buf_attach_test_map_hides_pages),
	KUNIT_CASE(dma_buf_attach_test_map_without_cpu_list),
	KUNIT_CASE(dma_buf_attach_test_map_fails),
	KUNIT_CASE(dma_buf_attach_test_map_refuses),
	KUNIT_CASE(dma_buf_attach_test_cached_mapping),
	KUNIT_CASE(dma_buf_attach_test_cached_mapping_both_ways),
	KUNIT_CASE(dma_buf_attach_test_map_waits_for_moves),
	KUNIT_CASE(dma_buf_attach_test_map_interrupted),
	KUNIT_CASE(dma_buf_attach_test_attach_locks),
	KUNIT_CASE_SLOW(dma_buf_attach_test_race_attach_attach),
	{}
};

static struct kunit_suite dma_buf_attach_suite = {
	.name = "dma_buf_attach",
	.test_cases = dma_buf_attach_cases,
};

kunit_test_suite(dma_buf_attach_suite);
