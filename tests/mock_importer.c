// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock importer: attachments of mock devices.
 *
 * What it is:	all kinds of importer (see mock_importer.h), and two ways to look at
 *		a buffer as an importer or exporter does.
 * What it owns: nothing; devices belong to the test, attachments too.
 * Locks:	takes the reservation lock to count attachments.
 * May call:	the buffer core through its exported functions, KUnit, the mock
 *		device.
 * Never here:	expectations about the code under test.
 * Units:	sizes in bytes.
 */
#include <kunit/test.h>

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/scatterlist.h>
#include <linux/workqueue.h>

#include "mock_device.h"
#include "mock_importer.h"

/* Undo the mapping, if there is one. */
static void mock_importer_unmap_locked(struct mock_importer *importer)
{
	dma_resv_assert_held(importer->attach->dmabuf->resv);
	if (!importer->sgt)
		return;
	dma_buf_unmap_attachment(importer->attach, importer->sgt,
				 DMA_TO_DEVICE);
	importer->sgt = NULL;
}

/**
 * struct mock_importer_worker - a slow importer at work
 * @work: unmaps
 * @importer: may be on the stack of the test, where a work item must not be
 */
struct mock_importer_worker {
	struct delayed_work work;
	struct mock_importer *importer;
};

static void mock_importer_work(struct work_struct *work)
{
	struct mock_importer_worker *worker =
		container_of(to_delayed_work(work), struct mock_importer_worker,
			     work);
	struct mock_importer *importer = worker->importer;
	struct dma_resv *resv = importer->attach->dmabuf->resv;

	dma_resv_lock(resv, NULL);
	if (importer->fence && !dma_resv_reserve_fences(resv, 1))
		dma_resv_add_fence(resv, importer->fence,
				   DMA_RESV_USAGE_BOOKKEEP);
	mock_importer_unmap_locked(importer);
	dma_resv_unlock(resv);
}

/* Unmap when the script says so. */
static void mock_importer_answer(struct mock_importer *importer,
				 struct dma_resv *resv)
{
	/* Holds the core to its word. */
	dma_resv_assert_held(resv);
	importer->ticket = dma_resv_locking_ctx(resv);
	if (!importer->sgt)
		return;
	if (importer->answer == MOCK_IMPORTER_AT_ONCE)
		mock_importer_unmap_locked(importer);
	else if (importer->answer == MOCK_IMPORTER_LATE)
		schedule_delayed_work(&importer->worker->work,
				      msecs_to_jiffies(MOCK_IMPORTER_DELAY_MS));
}

static void mock_importer_move_notify(struct dma_buf_attachment *attach)
{
	struct mock_importer *importer = attach->importer_priv;

	importer->moves++;
	importer->idle = dma_resv_test_signaled(attach->dmabuf->resv,
						DMA_RESV_USAGE_BOOKKEEP);
	mock_importer_answer(importer, attach->dmabuf->resv);
}

static void
mock_importer_invalidate_mappings(struct dma_buf_attachment *attach)
{
	struct mock_importer *importer = attach->importer_priv;

	importer->invalidations++;
	mock_importer_answer(importer, attach->dmabuf->resv);
}

const struct dma_buf_attach_ops mock_importer_ops = {
	.move_notify = mock_importer_move_notify,
};

const struct dma_buf_attach_ops mock_importer_p2p_ops = {
	.allow_peer2peer = true,
	.move_notify = mock_importer_move_notify,
};

const struct dma_buf_attach_ops mock_importer_revocable_ops = {
	.invalidate_mappings = mock_importer_invalidate_mappings,
};

/**
 * mock_importer_attach - attach a new device, for an importer that is static
 * @test: the running test case
 * @dmabuf: the buffer
 *
 * Context: Process context of the test; may sleep. Ends the test case when the
 *	    buffer cannot be attached.
 * Return: the attachment, for dma_buf_detach().
 */
struct dma_buf_attachment *mock_importer_attach(struct kunit *test,
						struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	attach = dma_buf_attach(dmabuf, mock_device_create(test));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	return attach;
}

static struct dma_buf_attachment *
mock_importer_begin(struct kunit *test, struct dma_buf *dmabuf,
		    struct mock_importer *importer,
		    const struct dma_buf_attach_ops *ops)
{
	struct mock_importer_worker *worker;

	worker = kunit_kzalloc(test, sizeof(*worker), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, worker);
	INIT_DELAYED_WORK(&worker->work, mock_importer_work);
	worker->importer = importer;
	importer->worker = worker;
	importer->attach = dma_buf_dynamic_attach(dmabuf,
						  mock_device_create(test), ops,
						  importer);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, importer->attach);
	return importer->attach;
}

/**
 * mock_importer_follow - attach a new device, for an importer that is dynamic
 * @test: the running test case
 * @dmabuf: the buffer
 * @importer: receives the move notifications, with a script; stays until
 *	mock_importer_finish() if it is slow
 *
 * Context: Process context of the test; may sleep. Ends the test case when the
 *	    buffer cannot be attached.
 * Return: the attachment, for dma_buf_detach(); also in @importer.
 */
struct dma_buf_attachment *mock_importer_follow(struct kunit *test,
						struct dma_buf *dmabuf,
						struct mock_importer *importer)
{
	return mock_importer_begin(test, dmabuf, importer, &mock_importer_ops);
}

/**
 * mock_importer_join - attach a new device, for an importer that can be revoked
 * @test: the running test case
 * @dmabuf: the buffer
 * @importer: with a script; stays until mock_importer_finish() if it is slow
 *
 * Context: Process context of the test; may sleep. Ends the test case when the
 *	    buffer cannot be attached.
 * Return: the attachment, for dma_buf_detach(); also in @importer.
 */
struct dma_buf_attachment *
mock_importer_join(struct kunit *test, struct dma_buf *dmabuf,
		   struct mock_importer *importer)
{
	return mock_importer_begin(test, dmabuf, importer,
				   &mock_importer_revocable_ops);
}

/**
 * mock_importer_finish - let a slow importer unmap now, and wait for it
 * @importer: by mock_importer_follow() or mock_importer_join()
 *
 * Context: Process context, without the reservation lock; may sleep.
 */
void mock_importer_finish(struct mock_importer *importer)
{
	flush_delayed_work(&importer->worker->work);
}

/**
 * mock_importer_map - map the buffer, for reading by the device
 * @importer: attached, and without a mapping
 *
 * Context: Process context; takes the reservation lock. May sleep.
 * Return: 0, or the errno of dma_buf_map_attachment().
 */
int mock_importer_map(struct mock_importer *importer)
{
	struct dma_resv *resv = importer->attach->dmabuf->resv;
	struct sg_table *sgt;

	dma_resv_lock(resv, NULL);
	sgt = dma_buf_map_attachment(importer->attach, DMA_TO_DEVICE);
	if (!IS_ERR(sgt))
		importer->sgt = sgt;
	dma_resv_unlock(resv);
	return PTR_ERR_OR_ZERO(sgt);
}

/**
 * mock_importer_unmap - undo the mapping, if there is one
 * @importer: attached
 *
 * Context: Process context; takes the reservation lock. May sleep.
 */
void mock_importer_unmap(struct mock_importer *importer)
{
	struct dma_resv *resv = importer->attach->dmabuf->resv;

	dma_resv_lock(resv, NULL);
	mock_importer_unmap_locked(importer);
	dma_resv_unlock(resv);
}

/**
 * mock_importer_count - how many devices are attached
 * @dmabuf: the buffer
 *
 * Context: Process context; takes the reservation lock.
 * Return: the number of attachments.
 */
int mock_importer_count(struct dma_buf *dmabuf)
{
	int count;

	dma_resv_lock(dmabuf->resv, NULL);
	count = list_count_nodes(&dmabuf->attachments);
	dma_resv_unlock(dmabuf->resv);
	return count;
}

/**
 * mock_importer_has - test whether an attachment is one of its buffer
 * @dmabuf: the buffer
 * @attach: the attachment
 *
 * Context: Process context; takes the reservation lock.
 * Return: whether it is in the list.
 */
bool mock_importer_has(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct dma_buf_attachment *other;
	bool found = false;

	dma_resv_lock(dmabuf->resv, NULL);
	list_for_each_entry(other, &dmabuf->attachments, node)
		found |= other == attach;
	dma_resv_unlock(dmabuf->resv);
	return found;
}

/**
 * mock_importer_bytes - how much a device can reach through a mapping
 * @sgt: a mapped table
 *
 * Context: Any.
 * Return: the sum of all DMA lengths; 0 when one of the entries does not
 * consist of whole pages.
 */
size_t mock_importer_bytes(struct sg_table *sgt)
{
	struct scatterlist *sg;
	size_t bytes = 0;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (!PAGE_ALIGNED(sg_dma_address(sg) | sg_dma_len(sg)))
			return 0;
		bytes += sg_dma_len(sg);
	}
	return bytes;
}
