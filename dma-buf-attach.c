// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices and the buffer.
 *
 * What it is: attaching, pinning, mapping, their opposites, and the word that goes
 *	round when a buffer moves.
 * What it owns: struct dma_buf_attachment, the list dma_buf.attachments, the
 *	mappings that are kept with an attachment.
 * Locks: the reservation lock protects all of it. The exporter's attach and
 *	detach ops run without, everything else here that calls an exporter
 *	or an importer with it.
 * May call: layer 1, the ops of exporter and importer.
 * Never here: DMA mapping itself, which exporters do.
 * Units: none; a mapping always covers the whole buffer.
 *
 * Either side may be static or dynamic, and only two of the four combinations go
 * by themselves. Where both are static nothing moves. Where both are dynamic
 * the importer maps when it needs to, and follows moves. Where the two
 * differ, the attachment holds one mapping from beginning to end, in both
 * directions, and the buffer pinned under it if it could move; mapping then just
 * hands it out.
 */
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "dma-buf-private.h"
#include "dma-buf-misuse.h"

#include <trace/events/dma_buf.h>

/**
 * DOC: dma buf device access
 *
 * How memory of one driver gets to the device of another:
 *
 * 1. The exporter fills in a &struct dma_buf_export_info and calls
 *    dma_buf_export(). dma_buf_fd() gives the result to the program as a
 *    descriptor.
 *
 * 2. The program hands the descriptor to the importer, which turns it into a buffer
 *    again (dma_buf_get()) and attaches its device (dma_buf_attach()). The
 *    exporter learns of the device and may refuse it. Nothing needs to be
 *    allocated or moved yet; an exporter that waits until it knows all
 *    devices can choose memory that suits them.
 *
 * 3. When the device shall use the memory, dma_buf_map_attachment_unlocked() or, with
 *    the lock held, dma_buf_map_attachment() returns DMA addresses in a
 *    scatterlist. The table is for reading DMA addresses and lengths
 *    only: there may be no struct page behind it, and with CONFIG_DMABUF_DEBUG
 *    there never is.
 *
 * 4. After use the same steps backwards: unmap, dma_buf_detach(),
 *    dma_buf_put().
 *
 * An importer that gives a &struct dma_buf_attach_ops to
 * dma_buf_dynamic_attach() lets the exporter move the buffer while it is
 * attached. It is told by &dma_buf_attach_ops.move_notify, heeds the fences in
 * &dma_buf.resv, and calls dma_buf_pin() for those times when the memory has to
 * stay. Exporters say by having a &dma_buf_ops.pin that they do move buffers.
 */

static struct kmem_cache *dma_buf_attachments;

/*
 * What importers see of a mapping in a kernel that checks them: the same
 * entries, but no pages. It stands for the exporter's table, which stays as
 * the exporter made it.
 *
 * An exporter of device memory has no pages either, and may say so by a table
 * whose orig_nents is zero and whose nents is not. So the importer's counts are
 * copied, and the number of entries that there are is kept beside them.
 */
struct dma_buf_pageless {
	struct sg_table table;
	struct sg_table *exporters;
	unsigned int entries;
};

static void dma_buf_copy_pageless(struct sg_table *to, struct sg_table *from)
{
	unsigned int entries = max(from->orig_nents, from->nents);
	struct scatterlist *src, *dst = to->sgl;
	int i;

	for_each_sg(from->sgl, src, entries, i) {
		sg_set_page(dst, NULL, src->length, src->offset);
		/* Of the first nents entries, the others are not looked at. */
		sg_dma_address(dst) = sg_dma_address(src);
		sg_dma_len(dst) = sg_dma_len(src);
#ifdef CONFIG_NEED_SG_DMA_FLAGS
		dst->dma_flags = src->dma_flags;
#endif
		if (!IS_ALIGNED(sg_dma_address(src) | sg_dma_len(src), PAGE_SIZE))
			pr_debug("%s: entry %d of a mapping is not made of pages\n",
				 __func__, i);
		dst = sg_next(dst);
	}
	to->nents = from->nents;
	to->orig_nents = from->orig_nents;
}

/* Returns what to give to the importer, or an ERR_PTR() and @sgt is untouched. */
static struct sg_table *dma_buf_hide_pages(struct sg_table *sgt)
{
	struct dma_buf_pageless *hidden;
	int ret;

	if (!IS_ENABLED(CONFIG_DMABUF_DEBUG))
		return sgt;

	hidden = kzalloc(sizeof(*hidden), GFP_KERNEL);
	if (!hidden)
		return ERR_PTR(-ENOMEM);

	hidden->entries = max3(sgt->orig_nents, sgt->nents, 1U);
	ret = sg_alloc_table(&hidden->table, hidden->entries, GFP_KERNEL);
	if (ret) {
		kfree(hidden);
		return ERR_PTR(ret);
	}

	dma_buf_copy_pageless(&hidden->table, sgt);
	hidden->exporters = sgt;
	return &hidden->table;
}

/* The opposite: returns what the exporter knows. */
static struct sg_table *dma_buf_show_pages(struct sg_table *sgt)
{
	struct dma_buf_pageless *hidden;

	if (!IS_ENABLED(CONFIG_DMABUF_DEBUG))
		return sgt;

	hidden = container_of(sgt, struct dma_buf_pageless, table);
	sgt = hidden->exporters;
	hidden->table.orig_nents = hidden->entries;
	sg_free_table(&hidden->table);
	kfree(hidden);
	return sgt;
}

static int dma_buf_pin_locked(struct dma_buf_attachment *attach)
{
	int ret;

	if (!dma_buf_is_dynamic(attach->dmabuf))
		return 0;

	ret = attach->dmabuf->ops->pin(attach);
	trace_dma_buf_pin(attach, DMA_NONE, ret);
	return ret;
}

static void dma_buf_unpin_locked(struct dma_buf_attachment *attach)
{
	if (!dma_buf_is_dynamic(attach->dmabuf))
		return;

	attach->dmabuf->ops->unpin(attach);
	trace_dma_buf_unpin(attach, DMA_NONE, 0);
}

static void dma_buf_unmap_locked(struct dma_buf_attachment *attach,
				 struct sg_table *sgt,
				 enum dma_data_direction dir)
{
	attach->dmabuf->ops->unmap_dma_buf(attach, dma_buf_show_pages(sgt), dir);
	trace_dma_buf_unmap(attach, dir, 0);
}

/* An importer that knows no fences must not see memory that is being moved. */
static int dma_buf_wait_moves(struct dma_buf_attachment *attach)
{
	long ret;

	if (dma_buf_attachment_is_dynamic(attach))
		return 0;

	ret = dma_resv_wait_timeout(attach->dmabuf->resv, DMA_RESV_USAGE_KERNEL,
				    true, MAX_SCHEDULE_TIMEOUT);
	return min(ret, 0L);
}

static struct sg_table *dma_buf_map_locked(struct dma_buf_attachment *attach,
					   enum dma_data_direction dir)
{
	const struct dma_buf_ops *ops = attach->dmabuf->ops;
	struct sg_table *exporters, *sgt;
	int ret;

	exporters = ops->map_dma_buf(attach, dir) ?: ERR_PTR(-ENOMEM);
	sgt = exporters;
	if (IS_ERR(sgt))
		goto out;

	ret = dma_buf_wait_moves(attach);
	sgt = ret ? ERR_PTR(ret) : dma_buf_hide_pages(exporters);
	if (IS_ERR(sgt))
		ops->unmap_dma_buf(attach, exporters, dir);
out:
	trace_dma_buf_map(attach, dir, PTR_ERR_OR_ZERO(sgt));
	return sgt;
}

/* Keep @sgt until the attachment goes. */
static void dma_buf_keep_locked(struct dma_buf_attachment *attach,
				struct sg_table *sgt,
				enum dma_data_direction dir)
{
	attach->sgt = sgt;
	attach->dir = dir;
}

/* One side moves, or follows moves, and the other does not: hold it still. */
static int dma_buf_freeze_locked(struct dma_buf_attachment *attach)
{
	struct sg_table *sgt;
	int ret;

	ret = dma_buf_pin_locked(attach);
	if (ret)
		return ret;

	sgt = dma_buf_map_locked(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt)) {
		dma_buf_unpin_locked(attach);
		return PTR_ERR(sgt);
	}

	dma_buf_keep_locked(attach, sgt, DMA_BIDIRECTIONAL);
	return 0;
}

/* The opposite, and for mappings that were kept to be quick as well. */
static void dma_buf_thaw_locked(struct dma_buf_attachment *attach)
{
	if (!attach->sgt)
		return;

	dma_buf_unmap_locked(attach, attach->sgt, attach->dir);
	attach->sgt = NULL;
	/* Who can move and has a mapping kept was pinned by the attach. */
	dma_buf_unpin_locked(attach);
}

/* Make the attachment one of its buffer, and fit to be mapped. */
static int dma_buf_link(struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;
	int ret = 0;

	dma_resv_lock(dmabuf->resv, NULL);
	list_add(&attach->node, &dmabuf->attachments);
	if (dma_buf_attachment_is_dynamic(attach) != dma_buf_is_dynamic(dmabuf))
		ret = dma_buf_freeze_locked(attach);
	if (ret)
		list_del(&attach->node);
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

/**
 * dma_buf_dynamic_attach - attach a device whose driver can follow moves
 * @dmabuf: the buffer; the caller keeps its reference until it has detached
 * @dev: the device
 * @importer_ops: what the importer can do; NULL for one which is static
 * @importer_priv: for &dma_buf_attachment.importer_priv
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: the attachment, for dma_buf_detach(); or an ERR_PTR():
 *
 * -EINVAL
 *	no buffer, no device, or importer_ops without a move_notify
 * -ENOMEM
 *	no memory
 * -EBUSY
 *	most exporters: the memory is where the device cannot reach it, and
 *	cannot be moved
 * -ERESTARTSYS
 *	a signal came while the buffer was brought to rest
 *
 * and whatever else the exporter's attach, pin and map_dma_buf ops return.
 */
struct dma_buf_attachment *
dma_buf_dynamic_attach(struct dma_buf *dmabuf, struct device *dev,
		       const struct dma_buf_attach_ops *importer_ops,
		       void *importer_priv)
{
	struct dma_buf_attachment *attach;
	int ret = 0;

	if (dma_buf_misuse(!dmabuf || !dev) ||
	    dma_buf_misuse(importer_ops && !importer_ops->move_notify))
		return ERR_PTR(-EINVAL);

	attach = kmem_cache_zalloc(dma_buf_attachments, GFP_KERNEL);
	if (!attach)
		return ERR_PTR(-ENOMEM);

	attach->dmabuf = dmabuf;
	attach->dev = dev;
	attach->importer_ops = importer_ops;
	attach->importer_priv = importer_priv;
	attach->peer2peer = importer_ops && importer_ops->allow_peer2peer;

	if (dmabuf->ops->attach)
		ret = dmabuf->ops->attach(dmabuf, attach);
	if (ret)
		goto err_free;

	ret = dma_buf_link(attach);
	if (ret)
		goto err_ops_detach;

	trace_dma_buf_attach(attach, DMA_NONE, 0);
	return attach;

err_ops_detach:
	if (dmabuf->ops->detach)
		dmabuf->ops->detach(dmabuf, attach);
err_free:
	trace_dma_buf_attach(attach, DMA_NONE, ret);
	kmem_cache_free(dma_buf_attachments, attach);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_dynamic_attach, DMA_BUF);

/**
 * dma_buf_attach - attach a device
 * @dmabuf: the buffer; the caller keeps its reference until it has detached
 * @dev: the device
 *
 * For drivers that do not follow moves: see dma_buf_dynamic_attach() for those
 * which do, and for the errors.
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: the attachment, for dma_buf_detach(), or an ERR_PTR().
 */
struct dma_buf_attachment *dma_buf_attach(struct dma_buf *dmabuf,
					  struct device *dev)
{
	return dma_buf_dynamic_attach(dmabuf, dev, NULL, NULL);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_attach, DMA_BUF);

/**
 * dma_buf_detach - the device does not need the buffer any more
 * @dmabuf: the buffer
 * @attach: an attachment of this buffer, with every mapping undone; freed
 *
 * Context: Process context, without the reservation lock. May sleep.
 */
void dma_buf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	bool last;

	if (dma_buf_misuse(!dmabuf || !attach || attach->dmabuf != dmabuf))
		return;

	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_thaw_locked(attach);
	list_del(&attach->node);
	last = !dmabuf->file && list_empty(&dmabuf->attachments);
	dma_resv_unlock(dmabuf->resv);

	if (dmabuf->ops->detach)
		dmabuf->ops->detach(dmabuf, attach);

	trace_dma_buf_detach(attach, DMA_NONE, 0);
	kmem_cache_free(dma_buf_attachments, attach);
	if (unlikely(last))
		dma_buf_release_orphan(dmabuf);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_detach, DMA_BUF);

/**
 * dma_buf_pin - the buffer must not move from now on
 * @attach: attachment of a dynamic importer
 *
 * To be used where a device cannot be stopped at any moment, as in scanout.
 * dma_buf_unpin() undoes it; calls nest.
 *
 * Context: Process context, with the reservation lock. May sleep.
 * Return: 0, also where nothing can move; -EINVAL for a static importer, whose
 * attachment holds the buffer anyway; or what the exporter's pin op returned.
 */
int dma_buf_pin(struct dma_buf_attachment *attach)
{
	if (dma_buf_misuse(!dma_buf_attachment_is_dynamic(attach)))
		return -EINVAL;

	dma_resv_assert_held(attach->dmabuf->resv);
	return dma_buf_pin_locked(attach);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pin, DMA_BUF);

/**
 * dma_buf_unpin - undo one dma_buf_pin()
 * @attach: the attachment
 *
 * Context: Process context, with the reservation lock. May sleep.
 */
void dma_buf_unpin(struct dma_buf_attachment *attach)
{
	if (dma_buf_misuse(!dma_buf_attachment_is_dynamic(attach)))
		return;

	dma_resv_assert_held(attach->dmabuf->resv);
	dma_buf_unpin_locked(attach);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unpin, DMA_BUF);

/* Without CONFIG_DMABUF_MOVE_NOTIFY a mapping keeps the buffer from moving. */
static bool dma_buf_mapping_pins(struct dma_buf_attachment *attach)
{
	return !IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY) &&
	       dma_buf_is_dynamic(attach->dmabuf);
}

/**
 * dma_buf_map_attachment - make the buffer visible to the device
 * @attach: the attachment
 * @dir: what the device will do: write to memory (%DMA_FROM_DEVICE), read from
 *	it (%DMA_TO_DEVICE), or both
 *
 * A dynamic importer has to wait for fences before its device uses the addresses,
 * see &dma_buf.resv. For a static one they are ready.
 *
 * Context: Process context, with the reservation lock. May sleep.
 * Return: a table with DMA addresses, for dma_buf_unmap_attachment() with the same
 * direction. It is to be read, and only its DMA side. Or an ERR_PTR():
 *
 * -EINVAL
 *	no attachment
 * -EBUSY
 *	there is a kept mapping and @dir is not among its directions
 * -ENOMEM
 *	no memory
 * -ERESTARTSYS
 *	a signal came while a move was waited for; -EINTR from some exporters
 *
 * and whatever else the exporter's map_dma_buf and pin ops return.
 */
struct sg_table *dma_buf_map_attachment(struct dma_buf_attachment *attach,
					enum dma_data_direction dir)
{
	struct sg_table *sgt;
	int ret;

	might_sleep();
	if (dma_buf_misuse(!attach || !attach->dmabuf))
		return ERR_PTR(-EINVAL);

	dma_resv_assert_held(attach->dmabuf->resv);

	if (attach->sgt) {
		if (attach->dir == dir || attach->dir == DMA_BIDIRECTIONAL)
			return attach->sgt;
		return ERR_PTR(-EBUSY);
	}

	if (dma_buf_mapping_pins(attach)) {
		ret = dma_buf_pin_locked(attach);
		if (ret)
			return ERR_PTR(ret);
	}

	sgt = dma_buf_map_locked(attach, dir);
	if (IS_ERR(sgt)) {
		if (dma_buf_mapping_pins(attach))
			dma_buf_unpin_locked(attach);
		return sgt;
	}

	if (attach->dmabuf->ops->cache_sgt_mapping)
		dma_buf_keep_locked(attach, sgt, dir);
	return sgt;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_map_attachment, DMA_BUF);

/**
 * dma_buf_map_attachment_unlocked - dma_buf_map_attachment() that locks by itself
 * @attach: the attachment
 * @dir: what the device will do
 *
 * Context: Process context; takes the reservation lock. May sleep.
 * Return: as dma_buf_map_attachment().
 */
struct sg_table *
dma_buf_map_attachment_unlocked(struct dma_buf_attachment *attach,
				enum dma_data_direction dir)
{
	struct sg_table *sgt;

	might_sleep();
	if (dma_buf_misuse(!attach || !attach->dmabuf))
		return ERR_PTR(-EINVAL);

	dma_resv_lock(attach->dmabuf->resv, NULL);
	sgt = dma_buf_map_attachment(attach, dir);
	dma_resv_unlock(attach->dmabuf->resv);
	return sgt;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_map_attachment_unlocked, DMA_BUF);

/**
 * dma_buf_unmap_attachment - undo one dma_buf_map_attachment()
 * @attach: the attachment
 * @sgt: what was returned then; not to be touched again
 * @dir: what was given then
 *
 * Context: Process context, with the reservation lock. May sleep.
 */
void dma_buf_unmap_attachment(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction dir)
{
	might_sleep();
	if (dma_buf_misuse(!attach || !attach->dmabuf || !sgt))
		return;

	dma_resv_assert_held(attach->dmabuf->resv);

	/* That one goes with the attachment. */
	if (sgt == attach->sgt)
		return;

	dma_buf_unmap_locked(attach, sgt, dir);
	if (dma_buf_mapping_pins(attach))
		dma_buf_unpin_locked(attach);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unmap_attachment, DMA_BUF);

/**
 * dma_buf_unmap_attachment_unlocked - dma_buf_unmap_attachment() that locks by
 * itself
 * @attach: the attachment
 * @sgt: what was returned by the map call
 * @dir: what was given to it
 *
 * Context: Process context; takes the reservation lock. May sleep.
 */
void dma_buf_unmap_attachment_unlocked(struct dma_buf_attachment *attach,
				       struct sg_table *sgt,
				       enum dma_data_direction dir)
{
	might_sleep();
	if (dma_buf_misuse(!attach || !attach->dmabuf || !sgt))
		return;

	dma_resv_lock(attach->dmabuf->resv, NULL);
	dma_buf_unmap_attachment(attach, sgt, dir);
	dma_resv_unlock(attach->dmabuf->resv);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unmap_attachment_unlocked, DMA_BUF);

/**
 * dma_buf_move_notify - tell importers that the buffer is about to move
 * @dmabuf: the buffer, of a dynamic exporter
 *
 * The importers will map anew; see &dma_buf_attach_ops.move_notify for what they
 * may rely on until then.
 *
 * Context: with the reservation lock, called by the exporter.
 */
void dma_buf_move_notify(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	int told = 0;

	dma_resv_assert_held(dmabuf->resv);

	list_for_each_entry(attach, &dmabuf->attachments, node) {
		if (!dma_buf_attachment_is_dynamic(attach))
			continue;
		attach->importer_ops->move_notify(attach);
		told++;
	}
	trace_dma_buf_move_notify(dmabuf, told);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_move_notify, DMA_BUF);

/**
 * dma_buf_attach_init - make what this file needs
 *
 * Context: Process context, at boot.
 * Return: 0 or -ENOMEM.
 */
int __init dma_buf_attach_init(void)
{
	dma_buf_attachments = KMEM_CACHE(dma_buf_attachment, 0);
	return dma_buf_attachments ? 0 : -ENOMEM;
}
