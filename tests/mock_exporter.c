// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock exporter: scripted dma_buf_ops on ordinary pages.
 *
 * What it is:	the ops behind struct mock_exporter (see mock_exporter.h).
 * What it owns: the pages of its buffers. A mapping takes references to the
 *		pages it covers, so a buffer may move while it is mapped.
 * Locks:	none of its own; pages change under the reservation lock.
 * May call:	the buffer core through its exported functions, KUnit, the DMA
 *		mapping interface.
 * Never here:	expectations about the code under test. The one thing this
 *		file fails a test for is a leaked buffer.
 * Units:	sizes are bytes, nr_pages counts pages.
 */
#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/bitops.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "mock_exporter.h"
#include "mock_files.h"

/* How long a release may take: the last fput() may come from elsewhere. */
#define MOCK_EXPORTER_GRACE	(60 * HZ)

static void mock_put_pages(struct page **pages, unsigned int nr_pages)
{
	unsigned int i;

	if (!pages)
		return;
	for (i = 0; i < nr_pages && pages[i]; i++)
		put_page(pages[i]);
	kvfree(pages);
}

static struct page **mock_get_pages(unsigned int nr_pages)
{
	struct page **pages;
	unsigned int i;

	pages = kvcalloc(nr_pages, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return NULL;

	for (i = 0; i < nr_pages; i++) {
		pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!pages[i]) {
			mock_put_pages(pages, nr_pages);
			return NULL;
		}
	}
	return pages;
}

static void mock_exporter_free(struct kref *refcount)
{
	struct mock_exporter *mock =
		container_of(refcount, struct mock_exporter, refcount);

	mock_put_pages(mock->pages, mock->nr_pages);
	kfree(mock);
}

/* Write the call down, and say what the script has for it. */
static int mock_note(struct dma_buf *dmabuf, enum mock_exporter_op op)
{
	struct mock_exporter *mock = to_mock_exporter(dmabuf);

	atomic_inc(&mock->calls[op]);
	if (dma_resv_is_locked(dmabuf->resv))
		atomic_inc(&mock->locked[op]);
	return READ_ONCE(mock->fail[op]);
}

static int mock_attach(struct dma_buf *dmabuf,
		       struct dma_buf_attachment *attach)
{
	return mock_note(dmabuf, MOCK_OP_ATTACH);
}

static void mock_detach(struct dma_buf *dmabuf,
			struct dma_buf_attachment *attach)
{
	mock_note(dmabuf, MOCK_OP_DETACH);
}

static int mock_pin(struct dma_buf_attachment *attach)
{
	return mock_note(attach->dmabuf, MOCK_OP_PIN);
}

static void mock_unpin(struct dma_buf_attachment *attach)
{
	mock_note(attach->dmabuf, MOCK_OP_UNPIN);
}

/*
 * Several devices map the same pages here. CONFIG_DMA_API_DEBUG reports that,
 * as they would disturb each other's cache maintenance; no CPU looks at what a
 * mock device has mapped, so there is none.
 */
#define MOCK_DMA_ATTRS	DMA_ATTR_SKIP_CPU_SYNC

/* A platform without DMA has no mapping to make: the bus sees memory as is. */
static int mock_dma_map(struct device *dev, struct sg_table *sgt,
			enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	if (IS_ENABLED(CONFIG_HAS_DMA))
		return dma_map_sgtable(dev, sgt, dir, MOCK_DMA_ATTRS);

	for_each_sgtable_sg(sgt, sg, i) {
		sg_dma_address(sg) = sg_phys(sg);
		sg_dma_len(sg) = sg->length;
	}
	return 0;
}

static void mock_sgt_pages(struct sg_table *sgt, bool get)
{
	struct sg_page_iter iter;

	for_each_sgtable_page(sgt, &iter, 0) {
		if (get)
			get_page(sg_page_iter_page(&iter));
		else
			put_page(sg_page_iter_page(&iter));
	}
}

static struct sg_table *mock_map(struct dma_buf_attachment *attach,
				 enum dma_data_direction dir)
{
	struct mock_exporter *mock = to_mock_exporter(attach->dmabuf);
	struct sg_table *sgt;
	int ret;

	mock->last_dir = dir;
	ret = mock_note(attach->dmabuf, MOCK_OP_MAP);
	if (mock->map_null)
		return NULL;
	if (ret)
		return ERR_PTR(ret);

	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table_from_pages(sgt, mock->pages, mock->nr_pages, 0,
					(size_t)mock->nr_pages << PAGE_SHIFT,
					GFP_KERNEL);
	if (ret)
		goto err_free_sgt;

	ret = mock_dma_map(attach->dev, sgt, dir);
	if (ret)
		goto err_free_table;

	mock_sgt_pages(sgt, true);
	/*
	 * As drivers do that export memory of their device: no list of pages.
	 */
	mock->orig_nents = sgt->orig_nents;
	if (mock->no_cpu_list)
		sgt->orig_nents = 0;
	return sgt;

err_free_table:
	sg_free_table(sgt);
err_free_sgt:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void mock_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	struct mock_exporter *mock = to_mock_exporter(attach->dmabuf);

	mock_note(attach->dmabuf, MOCK_OP_UNMAP);
	/* Before anything needs it: sg_free_table() does, too. */
	if (mock->no_cpu_list)
		sgt->orig_nents = mock->orig_nents;
	if (IS_ENABLED(CONFIG_HAS_DMA))
		dma_unmap_sgtable(attach->dev, sgt, dir, MOCK_DMA_ATTRS);
	mock_sgt_pages(sgt, false);
	sg_free_table(sgt);
	kfree(sgt);
}

/* As if the driver had to move or to decode something for the CPU first. */
static int mock_queue_work(struct dma_buf *dmabuf)
{
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_fence *fence = mock->begin_queues;
	int ret;

	if (mock->begin_signals)
		dma_fence_signal(mock->begin_signals);
	if (!fence)
		return 0;

	dma_resv_lock(dmabuf->resv, NULL);
	ret = dma_resv_reserve_fences(dmabuf->resv, 1);
	if (!ret)
		dma_resv_add_fence(dmabuf->resv, fence, DMA_RESV_USAGE_KERNEL);
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static int mock_begin_cpu(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	to_mock_exporter(dmabuf)->last_dir = dir;
	return mock_note(dmabuf, MOCK_OP_BEGIN_CPU) ?: mock_queue_work(dmabuf);
}

static int mock_end_cpu(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	to_mock_exporter(dmabuf)->last_dir = dir;
	return mock_note(dmabuf, MOCK_OP_END_CPU);
}

static void mock_note_range(struct mock_exporter *mock,
			    enum dma_data_direction dir, size_t offset,
			    size_t length)
{
	mock->last_dir = dir;
	mock->last_offset = offset;
	mock->last_length = length;
}

static int mock_begin_cpu_partial(struct dma_buf *dmabuf,
				  enum dma_data_direction dir, size_t offset,
				  size_t length)
{
	mock_note_range(to_mock_exporter(dmabuf), dir, offset, length);
	return mock_note(dmabuf, MOCK_OP_BEGIN_CPU_PARTIAL) ?:
	       mock_queue_work(dmabuf);
}

static int mock_end_cpu_partial(struct dma_buf *dmabuf,
				enum dma_data_direction dir, size_t offset,
				size_t length)
{
	mock_note_range(to_mock_exporter(dmabuf), dir, offset, length);
	return mock_note(dmabuf, MOCK_OP_END_CPU_PARTIAL);
}

static int mock_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct mock_exporter *mock = to_mock_exporter(dmabuf);

	return mock_note(dmabuf, MOCK_OP_MMAP) ?:
	       vm_map_pages(vma, mock->pages, mock->nr_pages);
}

static int mock_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	int ret = mock_note(dmabuf, MOCK_OP_VMAP);

	if (ret)
		return ret;

	mock->vaddr = vmap(mock->pages, mock->nr_pages, VM_MAP, PAGE_KERNEL);
	if (!mock->vaddr)
		return -ENOMEM;
	if (mock->vmap_iomem)
		iosys_map_set_vaddr_iomem(map, (void __iomem *)mock->vaddr);
	else
		iosys_map_set_vaddr(map, mock->vaddr);
	return 0;
}

static void mock_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct mock_exporter *mock = to_mock_exporter(dmabuf);

	mock_note(dmabuf, MOCK_OP_VUNMAP);
	vunmap(mock->vaddr);
	mock->vaddr = NULL;
}

static void mock_release(struct dma_buf *dmabuf)
{
	struct mock_exporter *mock = to_mock_exporter(dmabuf);

	mock_note(dmabuf, MOCK_OP_RELEASE);
	complete_all(&mock->released);
	kref_put(&mock->refcount, mock_exporter_free);
}

/* Every op that a static exporter can have. */
static const struct dma_buf_ops mock_all_ops = {
	.attach			= mock_attach,
	.detach			= mock_detach,
	.map_dma_buf		= mock_map,
	.unmap_dma_buf		= mock_unmap,
	.release		= mock_release,
	.begin_cpu_access	= mock_begin_cpu,
	.end_cpu_access		= mock_end_cpu,
	.begin_cpu_access_partial = mock_begin_cpu_partial,
	.end_cpu_access_partial	= mock_end_cpu_partial,
	.mmap			= mock_mmap,
	.vmap			= mock_vmap,
	.vunmap			= mock_vunmap,
};

/* Where in the table each op stands. */
static const size_t mock_op_offset[MOCK_OP_COUNT] = {
	[MOCK_OP_ATTACH]	= offsetof(struct dma_buf_ops, attach),
	[MOCK_OP_DETACH]	= offsetof(struct dma_buf_ops, detach),
	[MOCK_OP_PIN]		= offsetof(struct dma_buf_ops, pin),
	[MOCK_OP_UNPIN]		= offsetof(struct dma_buf_ops, unpin),
	[MOCK_OP_MAP]		= offsetof(struct dma_buf_ops, map_dma_buf),
	[MOCK_OP_UNMAP]		= offsetof(struct dma_buf_ops, unmap_dma_buf),
	[MOCK_OP_BEGIN_CPU]	= offsetof(struct dma_buf_ops, begin_cpu_access),
	[MOCK_OP_END_CPU]	= offsetof(struct dma_buf_ops, end_cpu_access),
	[MOCK_OP_BEGIN_CPU_PARTIAL] =
		offsetof(struct dma_buf_ops, begin_cpu_access_partial),
	[MOCK_OP_END_CPU_PARTIAL] =
		offsetof(struct dma_buf_ops, end_cpu_access_partial),
	[MOCK_OP_MMAP]		= offsetof(struct dma_buf_ops, mmap),
	[MOCK_OP_VMAP]		= offsetof(struct dma_buf_ops, vmap),
	[MOCK_OP_VUNMAP]	= offsetof(struct dma_buf_ops, vunmap),
	[MOCK_OP_RELEASE]	= offsetof(struct dma_buf_ops, release),
};

static void mock_drop_ops(struct dma_buf_ops *ops, unsigned long without)
{
	unsigned long op;
	void **slot;

	for_each_set_bit(op, &without, MOCK_OP_COUNT) {
		slot = (void *)ops + mock_op_offset[op];
		*slot = NULL;
	}
}

/* Runs when the test case is over: by now the buffer has to be dead. */
static void mock_exporter_close(void *data)
{
	struct mock_exporter *mock = data;

	if (mock->exported && !mock_exporter_wait_released(mock))
		KUNIT_FAIL(mock->test, "a mock buffer leaked");
	kref_put(&mock->refcount, mock_exporter_free);
}

/**
 * mock_exporter_prepare - all of a mock buffer but the buffer
 * @test: the running test case
 * @p: what it shall be like, or NULL
 *
 * For tests of dma_buf_export() itself: they may spoil mock->info or mock->ops
 * before they call mock_exporter_export().
 *
 * Context: Process context of the test; may sleep. Ends the test case when
 *	    there is no memory.
 * Return: the mock, readable until the test case ends.
 */
struct mock_exporter *mock_exporter_prepare(struct kunit *test,
					    const struct mock_exporter_params *p)
{
	static const struct mock_exporter_params plain;
	struct mock_exporter *mock;

	if (!p)
		p = &plain;

	/*
	 * Not managed by KUnit: a leaked buffer must not point to freed memory.
	 */
	mock = kzalloc(sizeof(*mock), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mock);
	mock->test = test;
	mock->last_dir = DMA_NONE;
	kref_init(&mock->refcount);
	init_completion(&mock->released);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mock_exporter_close,
							   mock));

	mock->ops = mock_all_ops;
	mock->ops.cache_sgt_mapping = p->cache_sgt;
	if (p->dynamic) {
		mock->ops.pin = mock_pin;
		mock->ops.unpin = mock_unpin;
	}
	mock_drop_ops(&mock->ops, p->without);

	mock->info.exp_name = "mock_exporter";
	mock->info.owner = THIS_MODULE;
	mock->info.ops = &mock->ops;
	mock->info.size = p->size ?: MOCK_EXPORTER_SIZE;
	mock->info.flags = p->flags ?: O_RDWR | O_CLOEXEC;
	mock->info.resv = p->resv;
	mock->vmap_iomem = p->vmap_iomem;
	mock->info.priv = mock;

	mock->nr_pages = DIV_ROUND_UP(mock->info.size, PAGE_SIZE);
	mock->pages = mock_get_pages(mock->nr_pages);
	KUNIT_ASSERT_NOT_NULL(test, mock->pages);
	return mock;
}

/**
 * mock_exporter_export - hand a prepared mock to dma_buf_export()
 * @mock: from mock_exporter_prepare(), not exported yet
 *
 * Context: Process context; may sleep.
 * Return: what dma_buf_export() returned. A buffer is the caller's to put.
 */
struct dma_buf *mock_exporter_export(struct mock_exporter *mock)
{
	struct dma_buf *dmabuf;

	/* The buffer's own reference, dropped by the release op. */
	kref_get(&mock->refcount);
	dmabuf = dma_buf_export(&mock->info);
	if (IS_ERR_OR_NULL(dmabuf))
		kref_put(&mock->refcount, mock_exporter_free);
	else
		mock->exported = true;
	return dmabuf;
}

/**
 * mock_exporter_create - a mock buffer
 * @test: the running test case
 * @p: what it shall be like, or NULL for a static exporter with every op
 *
 * Context: Process context of the test; may sleep. Ends the test case when
 *	    the export fails.
 * Return: the buffer with one reference, the caller's.
 */
struct dma_buf *mock_exporter_create(struct kunit *test,
				     const struct mock_exporter_params *p)
{
	struct dma_buf *dmabuf;

	dmabuf = mock_exporter_export(mock_exporter_prepare(test, p));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	return dmabuf;
}

/**
 * mock_exporter_move - give a mock buffer other pages with the same content
 * @dmabuf: a mock buffer without a kernel mapping (vmap)
 *
 * Tells the importers before the new pages are in place, as an exporter does
 * that moves memory between pools. Mappings that exist keep the old pages.
 *
 * Context: Process context; may sleep. Takes the reservation lock.
 * Return: 0, -EBUSY while the buffer is mapped by vmap, -ENOMEM.
 */
int mock_exporter_move(struct dma_buf *dmabuf)
{
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct page **moved;
	unsigned int i;
	int ret = 0;

	moved = mock_get_pages(mock->nr_pages);
	if (!moved)
		return -ENOMEM;

	dma_resv_lock(dmabuf->resv, NULL);
	if (mock->vaddr) {
		ret = -EBUSY;
	} else {
		for (i = 0; i < mock->nr_pages; i++)
			copy_highpage(moved[i], mock->pages[i]);
		dma_buf_move_notify(dmabuf);
		swap(mock->pages, moved);
	}
	dma_resv_unlock(dmabuf->resv);

	mock_put_pages(moved, mock->nr_pages);
	return ret;
}

/**
 * mock_exporter_wait_released - wait until the buffer is dead
 * @mock: a mock that was exported, all references to which are dropped
 *
 * The last fput() of a kernel thread, or of an interrupt, is left to a worker.
 *
 * Context: Process context; may sleep.
 * Return: true when the release op ran, false when it did not within seconds.
 */
bool mock_exporter_wait_released(struct mock_exporter *mock)
{
	mock_files_flush();
	return wait_for_completion_timeout(&mock->released, MOCK_EXPORTER_GRACE);
}
