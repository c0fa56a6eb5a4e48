// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching devices to a buffer, pinning, mapping, move notification, and what
 * importers have to do with a revocation.
 *
 * Exporter and importer may each be static or dynamic. Where both are static
 * the memory never moves. Where both are dynamic the importer maps when it
 * needs to, and follows moves. Where they differ, one side may move or expects
 * a move that the other cannot handle: then the attachment keeps one mapping
 * from attach to detach, for both directions, with the buffer pinned if it
 * could move, and mapping it just returns that one. A static exporter may ask
 * for its mappings to be kept as well (cache_sgt_mapping), from the first one
 * on.
 *
 * A kept mapping is dma_buf_attachment.sgt, and only a detach undoes it, or a
 * revocation as soon as the importer does not use it. So an attachment with a
 * kept mapping holds a pin if its exporter is dynamic.
 *
 * Locks: the reservation lock protects dma_buf.attachments and all that may
 * change in an attachment. The exporter's attach and detach ops are called
 * without it, all other ops here, of exporter and importer, with it.
 */
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "dma-buf-misuse.h"
#include "dma-buf-private.h"

#include <trace/events/dma_buf.h>

/**
 * DOC: dma buf device access
 *
 * How a device of one driver uses memory of another:
 *
 * 1. The exporter fills in a &struct dma_buf_export_info and calls
 *    dma_buf_export(). dma_buf_fd() gives the result to the program as a
 *    descriptor.
 *
 * 2. The program passes the descriptor to the importer, which looks the buffer
 *    up (dma_buf_get()) and attaches its device (dma_buf_attach()). The
 *    exporter learns of the device and may refuse it. Nothing needs to be
 *    allocated or moved yet: an exporter that waits until it knows all devices
 *    can choose memory that suits them.
 *
 * 3. When the device is to use the memory, dma_buf_map_attachment_unlocked()
 *    or, with the lock held, dma_buf_map_attachment() returns DMA addresses in
 *    a scatterlist. Only DMA addresses and lengths may be read from it: there
 *    may be no struct page behind it, and with CONFIG_DMABUF_DEBUG there never
 *    is.
 *
 * 4. After use the same steps backwards: unmap, dma_buf_detach(),
 *    dma_buf_put().
 *
 * An importer that gives a &struct dma_buf_attach_ops to
 * dma_buf_dynamic_attach() lets the exporter move the buffer while it is
 * attached. It is told by &dma_buf_attach_ops.move_notify, waits for the fences
 * in &dma_buf.resv, and calls dma_buf_pin() for as long as the memory has to
 * stay: for as long as it is mapped, if there is neither of the two ops here.
 * An exporter that moves buffers has a &dma_buf_ops.pin.
 *
 * With &dma_buf_attach_ops.invalidate_mappings instead of, or besides, that,
 * the buffer can also be taken away from the importer, pinned or not.
 */

static struct kmem_cache *dma_buf_attachment_cachep;

/* fdinfo reads these counts without the lock. */
static void dma_buf_attach_count(unsigned int *count, int change)
{
	WRITE_ONCE(*count, *count + change);
}

/* Pin at the exporter, if it can move the buffer at all. */
static int dma_buf_attach_pin(struct dma_buf_attachment *attach)
{
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);
	if (!dma_buf_is_dynamic(attach->dmabuf))
		return 0;

	ret = attach->dmabuf->ops->pin(attach);
	if (!ret)
		dma_buf_attach_count(&attach->dmabuf->nr_pinned, 1);
	trace_dma_buf_pin(attach, DMA_NONE, ret);
	return ret;
}

/* Undo one dma_buf_attach_pin(). */
static void dma_buf_attach_unpin(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);
	if (!dma_buf_is_dynamic(attach->dmabuf))
		return;

	attach->dmabuf->ops->unpin(attach);
	dma_buf_attach_count(&attach->dmabuf->nr_pinned, -1);
	trace_dma_buf_unpin(attach, DMA_NONE, 0);
}

/*
 * A static importer knows no fences, so it must not get memory that is still
 * being moved or cleared. Most buffers never are, nor get any other fence.
 */
static inline int dma_buf_attach_wait_moves(struct dma_buf_attachment *attach)
{
	long ret;

	if (dma_buf_attachment_is_dynamic(attach) ||
	    likely(dma_resv_is_unused(attach->dmabuf->resv)))
		return 0;

	ret = dma_buf_wait_fences(attach->dmabuf, DMA_RESV_USAGE_KERNEL, true,
				  MAX_SCHEDULE_TIMEOUT);
	return min(ret, 0L);
}

/* Have the exporter map the buffer. */
static __always_inline struct sg_table *
dma_buf_attach_map(struct dma_buf_attachment *attach,
		   enum dma_data_direction dir)
{
	const struct dma_buf_ops *ops = attach->dmabuf->ops;
	struct sg_table *exporters, *sgt;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);

	exporters = ops->map_dma_buf(attach, dir) ?: ERR_PTR(-ENOMEM);
	sgt = exporters;
	if (IS_ERR(sgt))
		goto out;

	/* After the exporter, which may have queued a move in order to map. */
	ret = dma_buf_attach_wait_moves(attach);
	sgt = ret ? ERR_PTR(ret) : dma_buf_pageless_wrap(exporters);
	if (IS_ERR(sgt))
		ops->unmap_dma_buf(attach, exporters, dir);
	else
		dma_buf_attach_count(&attach->dmabuf->nr_mapped, 1);
out:
	trace_dma_buf_map(attach, dir, PTR_ERR_OR_ZERO(sgt));
	return sgt;
}

/* Undo one dma_buf_attach_map(). */
static __always_inline void
dma_buf_attach_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		     enum dma_data_direction dir)
{
	dma_resv_assert_held(attach->dmabuf->resv);
	attach->dmabuf->ops->unmap_dma_buf(attach, dma_buf_pageless_unwrap(sgt),
					   dir);
	dma_buf_attach_count(&attach->dmabuf->nr_mapped, -1);
	trace_dma_buf_unmap(attach, dir, 0);
}

/* Keep @sgt until the detach. */
static void dma_buf_attach_keep(struct dma_buf_attachment *attach,
				struct sg_table *sgt,
				enum dma_data_direction dir)
{
	dma_resv_assert_held(attach->dmabuf->resv);
	/* A batch looks for a kept mapping without the lock. */
	WRITE_ONCE(attach->sgt, sgt);
	attach->dir = dir;
}

/* Make the mapping of an attachment that is static on one side only. */
static int dma_buf_attach_keep_pinned(struct dma_buf_attachment *attach)
{
	struct sg_table *sgt;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);

	ret = dma_buf_attach_pin(attach);
	if (ret)
		return ret;

	sgt = dma_buf_attach_map(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt)) {
		dma_buf_attach_unpin(attach);
		return PTR_ERR(sgt);
	}

	dma_buf_attach_keep(attach, sgt, DMA_BIDIRECTIONAL);
	return 0;
}

/* Undo a kept mapping of either kind, if there is one. */
static void dma_buf_attach_drop(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);
	if (!attach->sgt)
		return;

	dma_buf_attach_unmap(attach, attach->sgt, attach->dir);
	WRITE_ONCE(attach->sgt, NULL);
	/* Cached mappings are not pinned, but their exporters are static. */
	dma_buf_attach_unpin(attach);
}

/* List the attachment at its buffer, and make a mapping that it has to keep. */
static int dma_buf_attach_link(struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;
	int ret = 0;

	dma_resv_lock(dmabuf->resv, NULL);
	list_add(&attach->node, &dmabuf->attachments);
	if (dma_buf_is_revoked(dmabuf))
		ret = -ENODEV;
	else if (dma_buf_attachment_is_dynamic(attach) != dma_buf_is_dynamic(dmabuf))
		ret = dma_buf_attach_keep_pinned(attach);
	if (ret)
		list_del(&attach->node);
	else
		dma_buf_attach_count(&dmabuf->nr_attached, 1);
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

/**
 * dma_buf_dynamic_attach - attach a device whose driver can follow moves
 * @dmabuf: the buffer; the caller keeps its reference until it has detached
 * @dev: the device
 * @importer_ops: ops of a dynamic importer, of which each is optional; NULL for
 *	a static one
 * @importer_priv: for &dma_buf_attachment.importer_priv
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: the attachment, for dma_buf_detach(); or an ERR_PTR():
 *
 * -EINVAL
 *	no buffer, or no device
 * -ENODEV
 *	the buffer has been revoked
 * -ENOMEM
 *	no memory
 * -EBUSY
 *	from most exporters: the memory is where the device cannot reach it,
 *	and cannot be moved
 * -ERESTARTSYS
 *	a signal ended the wait for a move
 *
 * and any other errno of the exporter's attach, pin and map_dma_buf ops.
 */
struct dma_buf_attachment *
dma_buf_dynamic_attach(struct dma_buf *dmabuf, struct device *dev,
		       const struct dma_buf_attach_ops *importer_ops,
		       void *importer_priv)
{
	struct dma_buf_attachment *attach;
	int ret = 0;

	if (dma_buf_misuse(!dmabuf || !dev))
		return ERR_PTR(-EINVAL);

	attach = kmem_cache_zalloc(dma_buf_attachment_cachep, GFP_KERNEL);
	if (!attach)
		return ERR_PTR(-ENOMEM);

	attach->dmabuf = dmabuf;
	attach->dev = dev;
	attach->importer_ops = importer_ops;
	attach->importer_priv = importer_priv;
	attach->peer2peer = importer_ops && importer_ops->allow_peer2peer;

	/* The exporter's device may be gone. Tested again with the lock. */
	if (dma_buf_is_revoked(dmabuf))
		ret = -ENODEV;
	else if (dmabuf->ops->attach)
		ret = dmabuf->ops->attach(dmabuf, attach);
	if (ret)
		goto err_free;

	ret = dma_buf_attach_link(attach);
	if (ret)
		goto err_ops_detach;

	trace_dma_buf_attach(attach, DMA_NONE, 0);
	return attach;

err_ops_detach:
	if (dmabuf->ops->detach)
		dmabuf->ops->detach(dmabuf, attach);
err_free:
	trace_dma_buf_attach(attach, DMA_NONE, ret);
	kmem_cache_free(dma_buf_attachment_cachep, attach);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_dynamic_attach, DMA_BUF);

/**
 * dma_buf_attach - attach a device whose driver does not follow moves
 * @dmabuf: the buffer; the caller keeps its reference until it has detached
 * @dev: the device
 *
 * See dma_buf_dynamic_attach() for drivers that do, and for the errors.
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
 * dma_buf_detach - detach a device
 * @dmabuf: the buffer
 * @attach: an attachment of @dmabuf, with every mapping undone; freed
 *
 * Context: Process context, without the reservation lock. May sleep.
 */
void dma_buf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	bool last;

	if (dma_buf_misuse(!dmabuf || !attach || attach->dmabuf != dmabuf))
		return;

	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_attach_drop(attach);
	list_del(&attach->node);
	dma_buf_attach_count(&dmabuf->nr_attached, -1);
	/* The file went first: see dma_buf_release_orphan(). */
	last = !dmabuf->file && list_empty(&dmabuf->attachments);
	if (dma_buf_is_revoked(dmabuf))
		dma_buf_wait_wake(dmabuf);
	dma_resv_unlock(dmabuf->resv);

	if (dmabuf->ops->detach)
		dmabuf->ops->detach(dmabuf, attach);

	trace_dma_buf_detach(attach, DMA_NONE, 0);
	kmem_cache_free(dma_buf_attachment_cachep, attach);
	if (unlikely(last))
		dma_buf_release_orphan(dmabuf);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_detach, DMA_BUF);

/**
 * dma_buf_pin - keep the buffer from moving
 * @attach: attachment of a dynamic importer
 *
 * For devices that cannot be stopped at any moment, as in scanout.
 * dma_buf_unpin() undoes it; calls nest.
 *
 * Context: Process context, with the reservation lock. May sleep.
 * Return: 0, also where nothing can move; -EINVAL for a static importer, whose
 * attachment pins the buffer anyway; -ENODEV when the buffer has been revoked;
 * or what the exporter's pin op returned.
 */
int dma_buf_pin(struct dma_buf_attachment *attach)
{
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);
	if (dma_buf_misuse(!dma_buf_attachment_is_dynamic(attach)))
		return -EINVAL;
	if (dma_buf_is_revoked(attach->dmabuf))
		return -ENODEV;

	ret = dma_buf_attach_pin(attach);
	if (!ret)
		attach->nr_pinned++;
	return ret;
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
	dma_resv_assert_held(attach->dmabuf->resv);
	if (dma_buf_misuse(!dma_buf_attachment_is_dynamic(attach)))
		return;

	attach->nr_pinned -= !!attach->nr_pinned;
	dma_buf_attach_unpin(attach);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unpin, DMA_BUF);

/* Without CONFIG_DMABUF_MOVE_NOTIFY the buffer is pinned while it is mapped. */
static bool dma_buf_attach_map_pins(struct dma_buf_attachment *attach)
{
	return !IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY) &&
	       dma_buf_is_dynamic(attach->dmabuf);
}

/*
 * Return a kept mapping, or have one made. Inlined, as importers map for each
 * frame.
 */
static __always_inline struct sg_table *
dma_buf_attach_begin_use(struct dma_buf_attachment *attach,
			 enum dma_data_direction dir)
{
	struct sg_table *sgt;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);
	if (dma_buf_is_revoked(attach->dmabuf))
		return ERR_PTR(-ENODEV);

	if (attach->sgt) {
		if (attach->dir != dir && attach->dir != DMA_BIDIRECTIONAL)
			return ERR_PTR(-EBUSY);
		attach->nr_mapped++;
		return attach->sgt;
	}

	if (dma_buf_attach_map_pins(attach)) {
		ret = dma_buf_attach_pin(attach);
		if (ret)
			return ERR_PTR(ret);
	}

	sgt = dma_buf_attach_map(attach, dir);
	if (IS_ERR(sgt)) {
		if (dma_buf_attach_map_pins(attach))
			dma_buf_attach_unpin(attach);
		return sgt;
	}

	if (attach->dmabuf->ops->cache_sgt_mapping)
		dma_buf_attach_keep(attach, sgt, dir);
	attach->nr_mapped++;
	return sgt;
}

/**
 * dma_buf_map_attachment - map the buffer for the device
 * @attach: the attachment
 * @dir: what the device will do: write to memory (%DMA_FROM_DEVICE), read from
 *	it (%DMA_TO_DEVICE), or both
 *
 * A dynamic importer has to wait for fences before its device uses the
 * addresses, see &dma_buf.resv. For a static one they are ready for use.
 *
 * Context: Process context, with the reservation lock. May sleep.
 * Return: a table with DMA addresses, for dma_buf_unmap_attachment() with the
 * same direction; the importer may read its DMA addresses and lengths, and
 * nothing else. Or an ERR_PTR():
 *
 * -EINVAL
 *	no attachment
 * -EBUSY
 *	there is a kept mapping, and @dir is not among its directions
 * -ENODEV
 *	the buffer has been revoked
 * -ENOMEM
 *	no memory
 * -ERESTARTSYS
 *	a signal ended the wait for a move; -EINTR from some exporters
 *
 * and any other errno of the exporter's map_dma_buf and pin ops.
 */
struct sg_table *dma_buf_map_attachment(struct dma_buf_attachment *attach,
					enum dma_data_direction dir)
{
	might_sleep();
	if (dma_buf_misuse(!attach || !attach->dmabuf))
		return ERR_PTR(-EINVAL);
	return dma_buf_attach_begin_use(attach, dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_map_attachment, DMA_BUF);

/**
 * dma_buf_map_attachment_unlocked - lock and map the buffer for the device
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
	sgt = dma_buf_attach_begin_use(attach, dir);
	dma_resv_unlock(attach->dmabuf->resv);
	return sgt;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_map_attachment_unlocked, DMA_BUF);

/* The last use of a kept mapping ends it. A revocation may wait for that. */
static void dma_buf_attach_unmap_revoked(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);
	if (attach->nr_mapped)
		return;
	dma_buf_attach_drop(attach);
	dma_buf_wait_wake(attach->dmabuf);
}

/* Undo one dma_buf_attach_begin_use(). */
static __always_inline void
dma_buf_attach_end_use(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	dma_resv_assert_held(attach->dmabuf->resv);
	/*
	 * Some importers undo a kept mapping more often than they got it. After
	 * a revocation it has been undone and freed with the last use.
	 */
	if (!attach->nr_mapped)
		return;
	attach->nr_mapped--;

	/* A kept mapping is undone by the detach. */
	if (sgt != attach->sgt) {
		dma_buf_attach_unmap(attach, sgt, dir);
		if (dma_buf_attach_map_pins(attach))
			dma_buf_attach_unpin(attach);
	}
	if (dma_buf_is_revoked(attach->dmabuf))
		dma_buf_attach_unmap_revoked(attach);
}

/**
 * dma_buf_unmap_attachment - undo one dma_buf_map_attachment()
 * @attach: the attachment
 * @sgt: the table that was returned then; the caller must not touch it again
 * @dir: the direction that was given then
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
	dma_buf_attach_end_use(attach, sgt, dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unmap_attachment, DMA_BUF);

/**
 * dma_buf_unmap_attachment_unlocked - lock and unmap the buffer
 * @attach: the attachment
 * @sgt: the table that was returned then; the caller must not touch it again
 * @dir: the direction that was given then
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
	dma_buf_attach_end_use(attach, sgt, dir);
	dma_resv_unlock(attach->dmabuf->resv);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unmap_attachment_unlocked, DMA_BUF);

/**
 * dma_buf_move_notify - tell importers that the buffer is about to move
 * @dmabuf: the buffer, of a dynamic exporter
 *
 * See &dma_buf_attach_ops.move_notify for what importers may rely on until they
 * have mapped the buffer again.
 *
 * Context: With the reservation lock, called by the exporter.
 */
void dma_buf_move_notify(struct dma_buf *dmabuf)
{
	const struct dma_buf_attach_ops *ops;
	struct dma_buf_attachment *attach;
	int notified = 0;

	dma_resv_assert_held(dmabuf->resv);

	list_for_each_entry(attach, &dmabuf->attachments, node) {
		if (!dma_buf_attachment_is_dynamic(attach))
			continue;
		ops = attach->importer_ops;
		if (ops->move_notify)
			ops->move_notify(attach);
		else if (ops->invalidate_mappings)
			ops->invalidate_mappings(attach);
		else
			continue;
		notified++;
	}
	trace_dma_buf_move_notify(dmabuf, notified);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_move_notify, DMA_BUF);

/* -- revocation ------------------------------------------------------------ */

/**
 * dma_buf_attach_revocable - test whether the importer can be revoked
 * @attach: the attachment
 *
 * An exporter that must be able to take its memory back calls this in its
 * attach op, and refuses the importer when the answer is false.
 *
 * Context: Any.
 * Return: true if the importer has promised, by
 * &dma_buf_attach_ops.invalidate_mappings, to undo its mappings within bounded
 * time when it is told to.
 */
bool dma_buf_attach_revocable(struct dma_buf_attachment *attach)
{
	return attach->importer_ops &&
	       attach->importer_ops->invalidate_mappings;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_attach_revocable, DMA_BUF);

/**
 * dma_buf_attach_movable - test whether an importer can only be told of a move
 * @attach: the attachment
 *
 * A driver that has move_notify alone need not expect a call while it has
 * pinned the buffer, nor when the exporter is static, so that the core keeps
 * its mapping: some take it for a bug.
 *
 * Context: With the reservation lock.
 * Return: true if it has move_notify and no invalidate_mappings, has not pinned
 * the buffer, and the exporter is dynamic.
 */
bool dma_buf_attach_movable(struct dma_buf_attachment *attach)
{
	const struct dma_buf_attach_ops *ops = attach->importer_ops;

	dma_resv_assert_held(attach->dmabuf->resv);
	return ops && ops->move_notify && !ops->invalidate_mappings &&
	       !attach->nr_pinned && dma_buf_is_dynamic(attach->dmabuf);
}

/**
 * dma_buf_invalidate_mappings - tell importers to undo their mappings
 * @dmabuf: the buffer
 *
 * For an exporter that has a state of its own for memory that cannot be used at
 * present, and whose map_dma_buf fails meanwhile. dma_buf_revoke() does all of
 * it in the core, and for good.
 *
 * The device may use the memory until the fences of all usages have signaled,
 * and the mappings are there until the importers have undone them. Importers
 * for which dma_buf_attach_revocable() is true do so within bounded time.
 * Others are called as for a move if they have move_notify, the exporter is
 * dynamic, and they have not pinned the buffer; and not at all otherwise. As a
 * move_notify may wait for the fences, the caller waits for them first, without
 * the lock, if it cannot tell how long devices take.
 *
 * Context: With the reservation lock, called by the exporter.
 */
void dma_buf_invalidate_mappings(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	int told = 0;

	dma_resv_assert_held(dmabuf->resv);
	list_for_each_entry(attach, &dmabuf->attachments, node) {
		if (dma_buf_attach_revocable(attach))
			attach->importer_ops->invalidate_mappings(attach);
		else if (dma_buf_attach_movable(attach))
			attach->importer_ops->move_notify(attach);
		else
			continue;
		told++;
	}
	trace_dma_buf_invalidate(dmabuf, told);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_invalidate_mappings, DMA_BUF);

/**
 * dma_buf_attach_revoke - end what importers have of a revoked buffer
 * @dmabuf: the buffer, with &dma_buf.revoked set
 *
 * Importers that can be revoked are told to undo their mappings. Mappings that
 * are kept and not in use are undone here.
 *
 * Context: Process context, with the reservation lock. May sleep.
 */
void dma_buf_attach_revoke(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	int told = 0;

	dma_resv_assert_held(dmabuf->resv);
	list_for_each_entry(attach, &dmabuf->attachments, node) {
		if (dma_buf_attach_revocable(attach)) {
			attach->importer_ops->invalidate_mappings(attach);
			told++;
		}
		if (!attach->nr_mapped)
			dma_buf_attach_drop(attach);
	}
	trace_dma_buf_invalidate(dmabuf, told);
}

/**
 * dma_buf_attach_revoke_moves - tell the other importers of a revoked buffer
 * @dmabuf: the buffer, with &dma_buf.revoked set and all fences signaled
 *
 * Those which have it mapped and for which dma_buf_attach_movable() is true.
 *
 * Context: Process context, with the reservation lock. May sleep.
 */
void dma_buf_attach_revoke_moves(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	int told = 0;

	dma_resv_assert_held(dmabuf->resv);
	list_for_each_entry(attach, &dmabuf->attachments, node) {
		if (!attach->nr_mapped || !dma_buf_attach_movable(attach))
			continue;
		attach->importer_ops->move_notify(attach);
		told++;
	}
	if (told)
		trace_dma_buf_move_notify(dmabuf, told);
}

/**
 * dma_buf_attach_init - create the slab cache of attachments
 *
 * Context: Process context, at boot.
 * Return: 0 or -ENOMEM.
 */
int __init dma_buf_attach_init(void)
{
	dma_buf_attachment_cachep = KMEM_CACHE(dma_buf_attachment, 0);
	if (!dma_buf_attachment_cachep)
		return -ENOMEM;
	return 0;
}
