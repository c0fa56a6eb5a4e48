// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers attached to the edu device, and their addresses there.
 *
 * Owns: struct edu_import, struct edu_map, and the walk along a mapped buffer
 * (the address half of struct edu_end).
 * Locks: the reservation lock of the buffer guards its maps; takes no other.
 * May call: the buffer core. Is called by edu_ioctl.c and edu_job.c, the walk
 * also by edu_engine.c in its interrupt.
 * Never here: jobs, fences, registers.
 * Units: bytes; addresses are those of the device.
 *
 * A map stays until the buffer moves or the import goes. A job keeps the map
 * it started with, so that a buffer which moves meanwhile gets a second one.
 */
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/slab.h>

#include "edu.h"

static void edu_import_moved(struct dma_buf_attachment *attach)
{
	struct edu_import *import = attach->importer_priv;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (import->map) {
		edu_map_put_locked(import, import->map);
		import->map = NULL;
	}
}

static const struct dma_buf_attach_ops edu_dynamic_ops = {
	.move_notify = edu_import_moved,
};

/* The exporter promises one address range per segment, and all of the buffer. */
static int edu_map_check(struct edu_import *import, struct sg_table *sgt)
{
	struct scatterlist *sg;
	u64 bytes = 0;
	unsigned int i;

	for_each_sgtable_dma_sg(sgt, sg, i)
		bytes += sg_dma_len(sg);

	return bytes < import->dmabuf->size ? -EIO : 0;
}

/**
 * edu_map_get_locked - where the device finds a buffer now
 * @import: the attached buffer
 *
 * Context: May sleep. Expects the reservation lock of the buffer.
 *
 * Return: a map that edu_map_put_locked() gives back, or an ERR_PTR: what the
 * exporter says, -EIO if it maps less than the buffer, -ENOMEM.
 */
struct edu_map *edu_map_get_locked(struct edu_import *import)
{
	struct edu_map *map = import->map;
	int ret;

	dma_resv_assert_held(import->dmabuf->resv);

	if (map) {
		map->users++;
		return map;
	}

	map = kzalloc(sizeof(*map), GFP_KERNEL);
	if (!map)
		return ERR_PTR(-ENOMEM);

	map->sgt = dma_buf_map_attachment(import->attach, import->dir);
	if (IS_ERR(map->sgt)) {
		ret = PTR_ERR(map->sgt);
		goto err_free;
	}

	ret = edu_map_check(import, map->sgt);
	if (ret)
		goto err_unmap;

	map->users = 2;
	import->map = map;
	return map;

err_unmap:
	dma_buf_unmap_attachment(import->attach, map->sgt, import->dir);
err_free:
	kfree(map);
	return ERR_PTR(ret);
}

/**
 * edu_map_put_locked - one user of a map less
 * @import: the attached buffer
 * @map: one of its maps, perhaps not the current one
 *
 * Context: May sleep. Expects the reservation lock of the buffer.
 */
void edu_map_put_locked(struct edu_import *import, struct edu_map *map)
{
	dma_resv_assert_held(import->dmabuf->resv);

	if (--map->users)
		return;

	dma_buf_unmap_attachment(import->attach, map->sgt, import->dir);
	kfree(map);
}

static void edu_import_release(struct kref *kref)
{
	struct edu_import *import = container_of(kref, struct edu_import, kref);
	struct dma_buf *dmabuf = import->dmabuf;

	dma_resv_lock(dmabuf->resv, NULL);
	if (import->map)
		edu_map_put_locked(import, import->map);
	import->map = NULL;
	dma_resv_unlock(dmabuf->resv);

	dma_buf_detach(dmabuf, import->attach);
	dma_buf_put(dmabuf);
	kfree(import);
}

/**
 * edu_import_put - one reference to an import less; the last one detaches
 * @import: the attached buffer
 *
 * Context: May sleep. Takes the reservation lock of the buffer.
 */
void edu_import_put(struct edu_import *import)
{
	kref_put(&import->kref, edu_import_release);
}

static int edu_import_map(struct edu_import *import)
{
	struct dma_resv *resv = import->dmabuf->resv;
	struct edu_map *map;
	int ret;

	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;

	map = edu_map_get_locked(import);
	if (IS_ERR(map))
		ret = PTR_ERR(map);
	else
		edu_map_put_locked(import, map);

	dma_resv_unlock(resv);
	return ret;
}

/**
 * edu_import_create - attach a buffer to the device and map it
 * @edu: the device, which must not go away meanwhile
 * @fd: descriptor of a dma-buf
 * @flags: DMABUF_EDU_ATTACH_*
 *
 * Context: May sleep. Expects edu_device.live to be held for reading.
 *
 * Return: an import with one reference, or an ERR_PTR: -EINVAL for an unknown
 * flag or a descriptor of another kind, -EBADF for one that is not open,
 * -EINTR, -ENOMEM, -EIO, and what the exporter says.
 */
struct edu_import *edu_import_create(struct edu_device *edu, int fd, u32 flags)
{
	struct device *dev = &edu->pdev->dev;
	struct edu_import *import;
	int ret;

	if (flags & ~DMABUF_EDU_ATTACH_DYNAMIC)
		return ERR_PTR(-EINVAL);

	import = kzalloc(sizeof(*import), GFP_KERNEL_ACCOUNT);
	if (!import)
		return ERR_PTR(-ENOMEM);
	kref_init(&import->kref);

	import->dmabuf = dma_buf_get(fd);
	if (IS_ERR(import->dmabuf)) {
		ret = PTR_ERR(import->dmabuf);
		goto err_free;
	}

	/* A read-only descriptor shall not allow writes by way of a device. */
	import->dir = import->dmabuf->file->f_mode & FMODE_WRITE ?
		      DMA_BIDIRECTIONAL : DMA_TO_DEVICE;

	if (flags & DMABUF_EDU_ATTACH_DYNAMIC)
		import->attach = dma_buf_dynamic_attach(import->dmabuf, dev,
							&edu_dynamic_ops,
							import);
	else
		import->attach = dma_buf_attach(import->dmabuf, dev);
	if (IS_ERR(import->attach)) {
		ret = PTR_ERR(import->attach);
		goto err_put;
	}

	ret = edu_import_map(import);
	if (ret) {
		edu_import_put(import);
		return ERR_PTR(ret);
	}

	return import;

err_put:
	dma_buf_put(import->dmabuf);
err_free:
	kfree(import);
	return ERR_PTR(ret);
}

/**
 * edu_import_segments - in how many pieces the device sees a buffer
 * @import: the attached buffer
 *
 * Context: May sleep. Takes the reservation lock of the buffer.
 *
 * Return: the count, 0 if it has moved and is not mapped now.
 */
unsigned int edu_import_segments(struct edu_import *import)
{
	unsigned int count = 0;

	dma_resv_lock(import->dmabuf->resv, NULL);
	if (import->map)
		count = import->map->sgt->nents;
	dma_resv_unlock(import->dmabuf->resv);
	return count;
}

/**
 * edu_end_seek - go to a byte
 * @end: one end of a job, with its map where it has one
 * @pos: offset from the start of the buffer or of the window, inside of it
 *
 * Context: Any.
 */
void edu_end_seek(struct edu_end *end, u64 pos)
{
	struct scatterlist *sg;
	unsigned int i;

	end->pos = pos;
	if (!end->map)
		return;

	for_each_sgtable_dma_sg(end->map->sgt, sg, i) {
		end->sg = sg;
		if (end->pos < sg_dma_len(sg))
			break;
		end->pos -= sg_dma_len(sg);
	}
}

/**
 * edu_end_addr - bus address of the next byte
 * @end: an end that is a buffer
 *
 * Context: Any.
 *
 * Return: the address.
 */
dma_addr_t edu_end_addr(const struct edu_end *end)
{
	return sg_dma_address(end->sg) + end->pos;
}

/**
 * edu_end_room - how far one transfer may go from the next byte
 * @end: one end of a job
 *
 * Context: Any.
 *
 * Return: bytes, at most a window.
 */
u64 edu_end_room(const struct edu_end *end)
{
	u64 room = EDU_WINDOW_SIZE;

	if (end->map)
		return min_t(u64, room, sg_dma_len(end->sg) - end->pos);

	return room - end->pos;
}

/**
 * edu_end_advance - go on
 * @end: one end of a job
 * @bytes: at most edu_end_room()
 *
 * Context: Any.
 */
void edu_end_advance(struct edu_end *end, u32 bytes)
{
	struct scatterlist *next;

	end->pos += bytes;
	if (!end->map || end->pos < sg_dma_len(end->sg))
		return;

	/* At the very end there is no next one, and none is needed. */
	next = sg_next(end->sg);
	if (next) {
		end->sg = next;
		end->pos = 0;
	}
}
