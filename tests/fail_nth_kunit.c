// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation of every scenario in the kernel fails once, as mock_faults.h
 * says. Those of programs are swept by tests/user/fail_nth_test.c.
 *
 * Each scenario ends in -ENOMEM, leaves what it worked on as it was, and
 * releases all that it has taken: fences are counted by their mock, buffers by
 * their exporter, what else there is by kmemleak at the end.
 */
#include <kunit/test.h>

#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pages.h>
#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/dma-heap.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/iosys-map.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sync_file.h>

#include "../dma-buf-pages-private.h"
#include "../sw_sync.h"
#include "lab/sample.h"
#include "mock_device.h"
#include "mock_exporter.h"
#include "mock_faults.h"
#include "mock_fence.h"
#include "mock_files.h"
#include "mock_importer.h"
#include "mock_mapcache.h"

#define FENCES	40

/* What scenarios work on; made before anything fails, unchanged after each. */
struct stage {
	struct dma_fence *fences[FENCES];
	struct dma_fence_unwrap cursors[FENCES];
	struct mock_exporter *mock;
	struct mock_importer importer;
	struct device *dev;
	struct dma_heap *heap;
	bool follow;		/* by an importer that follows moves */
};

static struct stage *stage_create(struct kunit *test)
{
	struct stage *stage = kunit_kzalloc(test, sizeof(*stage), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, stage);
	mock_faults_prepare(test);
	return stage;
}

static struct stage *stage_with_fences(struct kunit *test)
{
	struct stage *stage = stage_create(test);

	for (int i = 0; i < FENCES; i++)
		stage->fences[i] = mock_fence_create(test);
	return stage;
}

static void stage_put_fences(struct stage *stage)
{
	for (int i = 0; i < FENCES; i++)
		dma_fence_put(stage->fences[i]);
}

/* -- fences ---------------------------------------------------------------- */

static int run_chain(struct kunit *test, void *data)
{
	struct dma_fence *tail = NULL;
	struct stage *stage = data;
	int ret = 0;

	for (int i = 0; i < FENCES && !ret; i++) {
		struct dma_fence_chain *node = dma_fence_chain_alloc();

		if (node) {
			dma_fence_chain_init(node, tail,
					     dma_fence_get(stage->fences[i]),
					     i + 1);
			tail = &node->base;
		} else {
			ret = -ENOMEM;
		}
	}
	dma_fence_put(tail);
	return ret;
}

static int run_array(struct kunit *test, void *data)
{
	struct dma_fence_array *array;
	struct stage *stage = data;
	struct dma_fence **table;
	int i;

	table = kmalloc_array(FENCES, sizeof(*table), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	for (i = 0; i < FENCES; i++)
		table[i] = dma_fence_get(stage->fences[i]);

	array = dma_fence_array_create(FENCES, table, 1, 1, false);
	if (array) {
		dma_fence_put(&array->base);
		return 0;
	}
	/* Still ours, then. */
	while (i--)
		dma_fence_put(table[i]);
	kfree(table);
	return -ENOMEM;
}

static int run_merge(struct kunit *test, void *data)
{
	struct dma_fence *merged, *fence;
	struct dma_fence_unwrap cursor;
	struct stage *stage = data;
	int count = 0;

	merged = __dma_fence_unwrap_merge(FENCES, stage->fences, stage->cursors);
	if (!merged)
		return -ENOMEM;
	dma_fence_unwrap_for_each(fence, &cursor, merged)
		count++;
	dma_fence_put(merged);
	return count == FENCES ? 0 : -EPROTO;
}

static int run_wait_any(struct kunit *test, void *data)
{
	struct stage *stage = data;
	signed long ret;

	ret = dma_fence_wait_any_timeout(stage->fences, FENCES, false, 1, NULL);
	return ret > 0 ? -EPROTO : ret;
}

static int run_sync_file(struct kunit *test, void *data)
{
	struct stage *stage = data;
	struct sync_file *sync_file = sync_file_create(stage->fences[0]);

	if (!sync_file)
		return -ENOMEM;
	fput(sync_file->file);
	mock_files_flush();
	return 0;
}

static int run_timeline(struct kunit *test, void *data)
{
	struct sync_timeline *timeline;
	struct sync_pt *pt;

	if (!IS_ENABLED(CONFIG_SW_SYNC))
		return 0;
	timeline = sync_timeline_create("fail-nth");
	if (!timeline)
		return -ENOMEM;
	pt = sync_pt_create(timeline, 1);
	sync_timeline_end(timeline);
	if (!pt)
		return -ENOMEM;
	dma_fence_put(&pt->base);
	return 0;
}

/* -- reservation objects --------------------------------------------------- */

/* How many fences there are, counted without memory. */
static int resv_count(struct dma_resv *resv)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	int count = 0;

	dma_resv_for_each_fence(&cursor, resv, DMA_RESV_USAGE_BOOKKEEP, fence)
		count++;
	return count;
}

/* One by one, so that the list grows several times. */
static int resv_fill(struct dma_resv *resv, struct stage *stage)
{
	int ret = 0, added = 0;

	while (added < FENCES && !ret) {
		ret = dma_resv_reserve_fences(resv, 1);
		if (ret)
			break;
		dma_resv_add_fence(resv, stage->fences[added++],
				   DMA_RESV_USAGE_READ);
	}
	/* What could not grow is as it was. */
	return resv_count(resv) == added ? ret : -EPROTO;
}

static int resv_copy(struct dma_resv *to, struct dma_resv *from,
		     struct stage *stage)
{
	int ret = dma_resv_reserve_fences(to, 1);

	if (ret)
		return ret;
	dma_resv_add_fence(to, stage->fences[0], DMA_RESV_USAGE_WRITE);
	ret = dma_resv_copy_fences(to, from);
	return resv_count(to) == (ret ? 1 : FENCES) ? ret : -EPROTO;
}

static int resv_take(struct dma_resv *resv)
{
	struct dma_fence **fences, *all;
	unsigned int count;
	int ret;

	ret = dma_resv_get_fences(resv, DMA_RESV_USAGE_READ, &count, &fences);
	if (ret)
		return count || fences ? -EPROTO : ret;
	while (count)
		dma_fence_put(fences[--count]);
	kfree(fences);

	ret = dma_resv_get_singleton(resv, DMA_RESV_USAGE_READ, &all);
	if (ret)
		return all ? -EPROTO : ret;
	dma_fence_put(all);
	return 0;
}

static int run_resv(struct kunit *test, void *data)
{
	struct stage *stage = data;
	struct dma_resv one, two;
	int ret;

	dma_resv_init(&one);
	dma_resv_init(&two);
	dma_resv_lock(&one, NULL);
	ret = resv_fill(&one, stage);
	dma_resv_unlock(&one);
	if (!ret) {
		dma_resv_lock(&two, NULL);
		ret = resv_copy(&two, &one, stage);
		dma_resv_unlock(&two);
	}
	if (!ret)
		ret = resv_take(&one);
	dma_resv_fini(&one);
	dma_resv_fini(&two);
	return ret;
}

struct fence_scenario {
	const char *description;
	mock_faults_scenario run;
};

static const struct fence_scenario fence_scenarios[] = {
	{ "a chain grows", run_chain },
	{ "an array is made", run_array },
	{ "many are merged", run_merge },
	{ "one of many is waited for", run_wait_any },
	{ "a sync file is made", run_sync_file },
	{ "a timeline and a point", run_timeline },
	{ "a reservation object grows, is copied, is asked", run_resv },
};

KUNIT_ARRAY_PARAM_DESC(fence_scenario, fence_scenarios, description);

static void fail_nth_test_fences(struct kunit *test)
{
	const struct fence_scenario *scenario = test->param_value;
	struct stage *stage = stage_with_fences(test);

	mock_faults_sweep(test, scenario->run, stage);
	stage_put_fences(stage);
}

/* Succeeds if a merge of nothing but signalled ones can fail, too. */
static void fail_nth_test_merge_signalled(struct kunit *test)
{
	struct stage *stage = stage_with_fences(test);
	struct dma_fence *merged;

	for (int i = 0; i < FENCES; i++)
		dma_fence_signal(stage->fences[i]);
	current->fail_nth = 1;
	merged = __dma_fence_unwrap_merge(FENCES, stage->fences, stage->cursors);
	current->fail_nth = 0;
	KUNIT_EXPECT_NULL(test, merged);
	stage_put_fences(stage);
}

/* -- buffers --------------------------------------------------------------- */

static int visit_vmap(struct dma_buf *dmabuf)
{
	struct iosys_map map;
	int ret = dma_buf_vmap_unlocked(dmabuf, &map);

	if (!ret)
		dma_buf_vunmap_unlocked(dmabuf, &map);
	return ret;
}

static int visit_cpu(struct dma_buf *dmabuf)
{
	int ret = dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL);

	if (!ret)
		ret = dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
	return ret;
}

/* A device comes, maps, looks and goes. */
static int visit_device(struct dma_buf *dmabuf, struct stage *stage)
{
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	int ret;

	attach = dma_buf_dynamic_attach(dmabuf, stage->dev,
					stage->follow ? &mock_importer_ops : NULL,
					&stage->importer);
	if (IS_ERR(attach))
		return PTR_ERR(attach);

	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	ret = PTR_ERR_OR_ZERO(sgt);
	if (!ret) {
		ret = visit_cpu(dmabuf);
		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	}
	dma_buf_detach(dmabuf, attach);
	return ret;
}

/* Two attachments, in a batch: both are mapped, or none. */
static int visit_batch(struct dma_buf *dmabuf, struct stage *stage)
{
	struct dma_buf_attachment *attachs[2];
	struct sg_table *sgts[2];
	int ret = 0, n;

	for (n = 0; n < 2; n++) {
		attachs[n] = dma_buf_dynamic_attach(dmabuf, stage->dev,
						    stage->follow ?
						    &mock_importer_ops : NULL,
						    &stage->importer);
		if (IS_ERR(attachs[n])) {
			ret = PTR_ERR(attachs[n]);
			break;
		}
	}
	if (!ret) {
		ret = dma_buf_map_attachments_unlocked(attachs, sgts, 2,
						       DMA_TO_DEVICE);
		if (!ret)
			dma_buf_unmap_attachments_unlocked(attachs, sgts, 2,
							   DMA_TO_DEVICE);
	}
	while (n--)
		dma_buf_detach(dmabuf, attachs[n]);
	return ret;
}

/* With the last put, whether there was a failure or not. */
static int visit(struct dma_buf *dmabuf, struct stage *stage)
{
	int ret = visit_device(dmabuf, stage) ?: visit_batch(dmabuf, stage) ?:
		  visit_vmap(dmabuf) ?: dma_buf_revoke(dmabuf, false);

	dma_buf_put(dmabuf);
	mock_files_flush();
	return ret;
}

static int run_export(struct kunit *test, void *data)
{
	struct stage *stage = data;
	struct mock_exporter *mock = stage->mock;
	int released = mock_exporter_calls(mock, MOCK_OP_RELEASE);
	struct dma_buf *dmabuf;
	int ret;

	reinit_completion(&mock->released);
	dmabuf = mock_exporter_export(mock);
	if (IS_ERR(dmabuf)) {
		mock_files_flush();
		/* What was never a buffer is not released as one. */
		return mock_exporter_calls(mock, MOCK_OP_RELEASE) == released ?
		       PTR_ERR(dmabuf) : -EPROTO;
	}
	ret = visit(dmabuf, stage);
	/* A work item may have been quicker, and be at it still. */
	if (!mock_exporter_wait_released(mock) ||
	    mock_exporter_calls(mock, MOCK_OP_RELEASE) != released + 1 ||
	    mock_exporter_calls(mock, MOCK_OP_MAP) <
	    mock_exporter_calls(mock, MOCK_OP_UNMAP) ||
	    mock_exporter_calls(mock, MOCK_OP_ATTACH) !=
	    mock_exporter_calls(mock, MOCK_OP_DETACH) ||
	    mock_exporter_calls(mock, MOCK_OP_PIN) !=
	    mock_exporter_calls(mock, MOCK_OP_UNPIN))
		return -EPROTO;
	return ret;
}

struct buffer_scenario {
	const char *description;
	struct mock_exporter_params params;
	bool follow;
};

static const struct buffer_scenario buffer_scenarios[] = {
	{ "both stay", {}, false },
	{ "both stay, and the mapping is kept", { .cache_sgt = true }, false },
	{ "the importer follows nothing", { .dynamic = true }, false },
	{ "the importer could follow", {}, true },
	{ "the importer follows", { .dynamic = true }, true },
};

KUNIT_ARRAY_PARAM_DESC(buffer_scenario, buffer_scenarios, description);

static void fail_nth_test_export(struct kunit *test)
{
	const struct buffer_scenario *scenario = test->param_value;
	struct stage *stage = stage_create(test);

	stage->mock = mock_exporter_prepare(test, &scenario->params);
	stage->dev = mock_device_create(test);
	stage->follow = scenario->follow;
	mock_faults_sweep(test, run_export, stage);
}

static int run_heap(struct kunit *test, void *data)
{
	struct stage *stage = data;
	struct dma_buf *dmabuf;

	dmabuf = dma_heap_buffer_alloc(stage->heap, SZ_256K + PAGE_SIZE,
				       O_RDWR | O_CLOEXEC, 0);
	if (IS_ERR(dmabuf)) {
		mock_files_flush();
		return PTR_ERR(dmabuf);
	}
	return visit(dmabuf, stage);
}

#define BATCH	8

/* All of the buffers, or none. */
static int run_heap_batch(struct kunit *test, void *data)
{
	struct dma_buf *bufs[BATCH];
	struct stage *stage = data;
	int ret, i;

	ret = dma_heap_buffer_alloc_batch(stage->heap, PAGE_SIZE,
					  O_RDWR | O_CLOEXEC, 0, bufs, BATCH);
	for (i = 0; i < BATCH && !ret; i++)
		dma_buf_put(bufs[i]);
	mock_files_flush();
	return ret;
}

static void fail_nth_test_heap(struct kunit *test)
{
	static const char * const heaps[] = { "system", "default_cma_region" };
	struct stage *stage = stage_create(test);
	int swept = 0;

	stage->dev = mock_device_create(test);
	for (int i = 0; i < ARRAY_SIZE(heaps); i++) {
		stage->heap = dma_heap_find(heaps[i]);
		if (!stage->heap)
			continue;
		mock_faults_sweep(test, run_heap, stage);
		mock_faults_sweep(test, run_heap_batch, stage);
		dma_heap_put(stage->heap);
		swept++;
	}
	if (!swept)
		kunit_skip(test, "no heap");
}

/* -- shared and kept mappings ---------------------------------------------- */

/* Bind the driver again, so that the device is new to the cache of mappings. */
static int stage_rebind(struct stage *stage)
{
	unsigned int nth = current->fail_nth;
	int ret;

	WRITE_ONCE(current->fail_nth, 0);
	device_release_driver(stage->dev);
	ret = device_attach(stage->dev);
	WRITE_ONCE(current->fail_nth, nth);
	return ret == 1 ? 0 : -EPROTO;
}

/* Two attachments map together, and then one of them again. */
static int visit_twice(struct dma_buf_attachment **attach)
{
	struct sg_table *sgt[2];
	int ret;

	sgt[0] = dma_buf_map_attachment_unlocked(attach[0], DMA_TO_DEVICE);
	if (IS_ERR(sgt[0]))
		return PTR_ERR(sgt[0]);
	sgt[1] = dma_buf_map_attachment_unlocked(attach[1], DMA_TO_DEVICE);
	ret = PTR_ERR_OR_ZERO(sgt[1]);
	if (!ret)
		dma_buf_unmap_attachment_unlocked(attach[1], sgt[1],
						  DMA_TO_DEVICE);
	dma_buf_unmap_attachment_unlocked(attach[0], sgt[0], DMA_TO_DEVICE);
	if (ret)
		return ret;

	sgt[0] = dma_buf_map_attachment_unlocked(attach[0], DMA_TO_DEVICE);
	if (IS_ERR(sgt[0]))
		return PTR_ERR(sgt[0]);
	dma_buf_unmap_attachment_unlocked(attach[0], sgt[0], DMA_TO_DEVICE);
	return 0;
}

static int run_mapcache(struct kunit *test, void *data)
{
	struct dma_buf_attachment *attach[2] = {};
	struct stage *stage = data;
	struct dma_buf *dmabuf;
	int ret, i;

	ret = stage_rebind(stage);
	if (ret)
		return ret;
	dmabuf = dmabuf_lab_sample_create(3);
	if (IS_ERR(dmabuf)) {
		mock_files_flush();
		return PTR_ERR(dmabuf);
	}

	for (i = 0; i < 2 && !ret; i++) {
		attach[i] = dma_buf_attach(dmabuf, stage->dev);
		ret = PTR_ERR_OR_ZERO(attach[i]);
	}
	if (!ret)
		ret = visit_twice(attach);
	for (i = 0; i < 2; i++)
		if (!IS_ERR_OR_NULL(attach[i]))
			dma_buf_detach(dmabuf, attach[i]);
	dma_buf_put(dmabuf);
	mock_files_flush();
	return ret;
}

static void fail_nth_test_mapcache(struct kunit *test)
{
	struct stage *stage = stage_create(test);

	mock_mapcache_save(test);
	stage->dev = mock_device_create(test);
	mock_faults_sweep(test, run_mapcache, stage);
}

/* Succeeds if a map that fails once finds room by dropping idle mappings. */
static void fail_nth_test_mapcache_retry(struct kunit *test)
{
	struct stage *stage = stage_create(test);
	struct dma_buf_attachment *attach[2];
	struct dma_buf_pages *pages[2];
	struct dma_buf *dmabuf[2];
	struct sg_table *sgt;
	int i;

	mock_mapcache_save(test);
	/* Where memory bounces, it is kept as well. */
	dma_buf_mapcache_max_bounce = ULONG_MAX;
	stage->dev = mock_device_create(test);
	for (i = 0; i < 2; i++) {
		dmabuf[i] = dmabuf_lab_sample_create(3);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf[i]);
		pages[i] = dmabuf[i]->priv;
		attach[i] = dma_buf_attach(dmabuf[i], stage->dev);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach[i]);
		/* The second's table is the first allocation of its map. */
		WRITE_ONCE(current->fail_nth, i);
		sgt = dma_buf_map_attachment_unlocked(attach[i], DMA_TO_DEVICE);
		KUNIT_EXPECT_EQ(test, current->fail_nth, 0);
		WRITE_ONCE(current->fail_nth, 0);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
		dma_buf_unmap_attachment_unlocked(attach[i], sgt, DMA_TO_DEVICE);
		KUNIT_EXPECT_NE(test, 0, mock_mapcache_count_idle(pages[i]));
	}
	KUNIT_EXPECT_EQ(test, 0, mock_mapcache_count_idle(pages[0]));
	for (i = 0; i < 2; i++) {
		dma_buf_detach(dmabuf[i], attach[i]);
		dma_buf_put(dmabuf[i]);
	}
	mock_files_flush();
}

static struct dma_buf *fail_nth_never(struct dma_heap *heap, unsigned long len,
				      u32 fd_flags, u64 heap_flags)
{
	return ERR_PTR(-EXDEV);
}

static const struct dma_heap_ops fail_nth_heap_ops = {
	.allocate = fail_nth_never,
};

static int run_register(struct kunit *test, void *data)
{
	static const struct dma_heap_export_info info = {
		.name = "kunit_fail_nth", .ops = &fail_nth_heap_ops,
	};
	struct dma_heap *heap = dma_heap_add(&info);

	if (IS_ERR(heap))
		return PTR_ERR(heap);
	dma_heap_remove(heap);
	return 0;
}

/* A heap, its node and its folder: all of it, or nothing that is in the way. */
static void fail_nth_test_register(struct kunit *test)
{
	mock_faults_prepare(test);
	mock_faults_sweep(test, run_register, NULL);
}

static struct kunit_case fail_nth_cases[] = {
	KUNIT_CASE_PARAM(fail_nth_test_fences, fence_scenario_gen_params),
	KUNIT_CASE(fail_nth_test_merge_signalled),
	KUNIT_CASE_PARAM(fail_nth_test_export, buffer_scenario_gen_params),
	KUNIT_CASE(fail_nth_test_heap),
	KUNIT_CASE(fail_nth_test_mapcache),
	KUNIT_CASE(fail_nth_test_mapcache_retry),
	KUNIT_CASE(fail_nth_test_register),
	{}
};

static struct kunit_suite fail_nth_suite = {
	.name = "fail_nth",
	.test_cases = fail_nth_cases,
	.attr = { .speed = KUNIT_SPEED_VERY_SLOW },
};

kunit_test_suite(fail_nth_suite);
