// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock importer: attachments of mock devices.
 *
 * What it is:	both kinds of importer (see mock_importer.h), and two ways to look at
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
#include <linux/scatterlist.h>

#include "mock_device.h"
#include "mock_importer.h"

static void mock_importer_move_notify(struct dma_buf_attachment *attach)
{
	struct mock_importer *importer = attach->importer_priv;

	/* Holds the core to its word. */
	dma_resv_assert_held(attach->dmabuf->resv);
	importer->moves++;
}

const struct dma_buf_attach_ops mock_importer_ops = {
	.move_notify = mock_importer_move_notify,
};

const struct dma_buf_attach_ops mock_importer_p2p_ops = {
	.allow_peer2peer = true,
	.move_notify = mock_importer_move_notify,
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

/**
 * mock_importer_follow - attach a new device, for an importer that is dynamic
 * @test: the running test case
 * @dmabuf: the buffer
 * @importer: receives the move notifications
 *
 * Context: Process context of the test; may sleep. Ends the test case when the
 *	    buffer cannot be attached.
 * Return: the attachment, for dma_buf_detach(); also in @importer.
 */
struct dma_buf_attachment *mock_importer_follow(struct kunit *test,
						struct dma_buf *dmabuf,
						struct mock_importer *importer)
{
	importer->attach = dma_buf_dynamic_attach(dmabuf,
						  mock_device_create(test),
						  &mock_importer_ops, importer);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, importer->attach);
	return importer->attach;
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
