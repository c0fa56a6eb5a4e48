// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA mappings of memory that several devices have mapped
 *
 * What it is: how long an entry of a table may be, mapping and unmapping with the
 * cache maintenance said separately, and that maintenance for a part of what is
 * mapped.
 * What it owns: nothing.
 * Locks: none. Who changes a table while it is being walked is the caller's to
 * prevent.
 * May call: the DMA API, its cache maintenance, dma-resv to wait.
 * Never here: who maps what, and when.
 * Units: offsets and lengths in bytes, counted from the start of the table.
 *
 * To the DMA API a mapping hands memory over to one device, and with
 * CONFIG_DMA_API_DEBUG it complains when another has it already. For a buffer that is
 * the normal case: who may touch it when is settled by fences and by
 * begin and end of CPU access. So the mapping is made without a word on the
 * caches, and they are brought in line by the calls that may be repeated.
 */
#include <linux/align.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "dma-buf-pages-private.h"

/**
 * shared_mapping_segment_pages - the longest piece of memory that a device takes
 * @dev: the device
 *
 * A driver that has not stated a limit does not get the DMA API's cautious default
 * of 64 KiB, which would cut every buffer to shreds for hardware that does not
 * ask for it; unless this kernel checks that the default is kept. Where memory
 * bounces, a piece has to fit into the bounce buffer.
 *
 * Context: Any.
 * Return: what an entry of a table for @dev may have at most, in pages, at
 * least one.
 */
unsigned int shared_mapping_segment_pages(struct device *dev)
{
	size_t limit = UINT_MAX;

	if (IS_ENABLED(CONFIG_DMA_API_DEBUG_SG) ||
	    (dev->dma_parms && dev->dma_parms->max_segment_size))
		limit = dma_get_max_seg_size(dev);
	limit = min(limit, dma_max_mapping_size(dev));
	return max(limit >> PAGE_SHIFT, 1);
}
EXPORT_SYMBOL_NS_GPL(shared_mapping_segment_pages, DMA_BUF);

static int shared_mapping_map_as(struct shared_mapping *mapping,
				 enum dma_data_direction dir)
{
	int ret = dma_map_sgtable(mapping->dev, &mapping->sgt, dir,
				  DMA_ATTR_SKIP_CPU_SYNC);

	if (!ret)
		mapping->mapped = dir;
	return ret;
}

/**
 * shared_mapping_note_pieces - note where the device sees the memory
 * @mapping: with a mapped table
 *
 * The table is in the hands of the importer, and RDMA cuts it to the part that
 * it uses, for as long as that is registered: the DMA side, which on some
 * architectures is the only one that has lengths.
 *
 * An IOMMU may have merged entries which lie apart in memory, and a device's
 * entry of those is not the CPU's: so a piece ends where either does.
 *
 * Context: Process context. May sleep.
 * Return: 0, or -ENOMEM.
 */
int shared_mapping_note_pieces(struct shared_mapping *mapping)
{
	struct sg_table *sgt = &mapping->sgt;
	struct scatterlist *memory = sgt->sgl, *mapped = sgt->sgl;
	size_t in_memory = 0, in_mapped = 0;
	struct shared_mapping_piece *piece;
	unsigned int nents = sgt->nents;

	/* No more ends than there are entries on both sides. */
	piece = kvmalloc_array(size_add(nents, sgt->orig_nents),
			       sizeof(*piece), GFP_KERNEL | __GFP_NOWARN);
	if (!piece)
		return -ENOMEM;

	for (mapping->pieces = piece; nents; piece++) {
		piece->addr = sg_dma_address(mapped) + in_mapped;
		piece->phys = sg_phys(memory) + in_memory;
		piece->length = min(memory->length - in_memory,
				    sg_dma_len(mapped) - in_mapped);
		in_memory += piece->length;
		in_mapped += piece->length;
		if (in_mapped == sg_dma_len(mapped)) {
			mapped = sg_next(mapped);
			in_mapped = 0;
			nents--;
		}
		if (in_memory == memory->length) {
			memory = sg_next(memory);
			in_memory = 0;
		}
	}
	return 0;
}
EXPORT_SYMBOL_NS_GPL(shared_mapping_note_pieces, DMA_BUF);

/**
 * shared_mapping_map - map a table for one device of several
 * @mapping: with the table, the device and the direction
 *
 * What the CPU writes has to reach memory, or the bounce buffer, also where the
 * device only writes: else it is lost when the device hands the buffer back. But
 * the DMA API syncs a mapping for %DMA_FROM_DEVICE in that direction alone, by
 * which dirty cache lines may be discarded. So where syncing matters such a
 * mapping is made for both directions. Elsewhere it stays as it was asked
 * for, and an IOMMU keeps the device from reading.
 *
 * Context: Process context. May sleep.
 * Return: 0, -ENOMEM, or what dma_map_sgtable() returned.
 */
int shared_mapping_map(struct shared_mapping *mapping)
{
	bool both = mapping->dir == DMA_FROM_DEVICE &&
		    dma_dev_need_sync(mapping->dev);
	int ret;

	ret = shared_mapping_map_as(mapping,
				    both ? DMA_BIDIRECTIONAL : mapping->dir);

	/* The first page of a device that bounces makes syncing matter. */
	if (!ret && mapping->mapped == DMA_FROM_DEVICE &&
	    dma_dev_need_sync(mapping->dev)) {
		dma_unmap_sgtable(mapping->dev, &mapping->sgt, mapping->mapped,
				  DMA_ATTR_SKIP_CPU_SYNC);
		ret = shared_mapping_map_as(mapping, DMA_BIDIRECTIONAL);
	}
	if (ret)
		return ret;

	mapping->pieces = NULL;
	if (dma_dev_need_sync(mapping->dev))
		ret = shared_mapping_note_pieces(mapping);
	if (ret) {
		dma_unmap_sgtable(mapping->dev, &mapping->sgt, mapping->mapped,
				  DMA_ATTR_SKIP_CPU_SYNC);
		return ret;
	}
	dma_sync_sgtable_for_device(mapping->dev, &mapping->sgt, mapping->mapped);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(shared_mapping_map, DMA_BUF);

/**
 * shared_mapping_unmap - undo one shared_mapping_map()
 * @mapping: the mapping
 *
 * Context: Process context. May sleep.
 */
void shared_mapping_unmap(struct shared_mapping *mapping)
{
	dma_sync_sgtable_for_cpu(mapping->dev, &mapping->sgt, mapping->mapped);
	dma_unmap_sgtable(mapping->dev, &mapping->sgt, mapping->mapped,
			  DMA_ATTR_SKIP_CPU_SYNC);
	kvfree(mapping->pieces);
}
EXPORT_SYMBOL_NS_GPL(shared_mapping_unmap, DMA_BUF);

/**
 * shared_mapping_wait - wait for devices before caches are touched
 * @resv: of the buffer
 * @dir: what the CPU will do
 *
 * The core calls an exporter's begin_cpu_access before it waits. To invalidate
 * caches, or to copy out of a bounce buffer, is good for nothing while the device
 * still writes.
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: 0, or -ERESTARTSYS when a signal ended the wait.
 */
int shared_mapping_wait(struct dma_resv *resv, enum dma_data_direction dir)
{
	bool write = dir != DMA_FROM_DEVICE;
	long ret = dma_resv_wait_timeout(resv, dma_resv_usage_rw(write), true,
					 MAX_SCHEDULE_TIMEOUT);

	return min(ret, 0L);
}
EXPORT_SYMBOL_NS_GPL(shared_mapping_wait, DMA_BUF);

/**
 * shared_mapping_sync - sync a part of a mapped table
 * @mapping: the mapping, with its pieces noted
 * @dir: which way data goes
 * @offset: of the first byte
 * @length: how many bytes; the table has as many from @offset on
 * @sync: called for one piece after the other
 *
 * Pieces outside of the part are passed over, and those at its ends are taken in
 * part.
 *
 * Context: Process context. May sleep if @sync does.
 */
void shared_mapping_sync(struct shared_mapping *mapping,
			 enum dma_data_direction dir, size_t offset,
			 size_t length, shared_mapping_sync_t sync)
{
	const struct shared_mapping_piece *piece;
	size_t size;

	for (piece = mapping->pieces; offset >= piece->length; piece++)
		offset -= piece->length;
	for (; length; length -= size, offset = 0, piece++) {
		size = min(length, piece->length - offset);
		sync(mapping->dev, piece->addr + offset, size, dir);
	}
}
EXPORT_SYMBOL_NS_GPL(shared_mapping_sync, DMA_BUF);

/* Does the device of @mapping have the buffer mapped another time? */
static bool shared_mapping_is_repeated(struct list_head *mappings,
				       const struct shared_mapping *mapping)
{
	const struct shared_mapping *other;

	list_for_each_entry(other, mappings, node)
		if (other != mapping && other->dev == mapping->dev)
			return true;
	return false;
}

static void shared_mapping_sync_one(struct shared_mapping *mapping,
				    enum dma_data_direction dir, bool for_device)
{
	if (for_device)
		dma_sync_sgtable_for_device(mapping->dev, &mapping->sgt, dir);
	else
		dma_sync_sgtable_for_cpu(mapping->dev, &mapping->sgt, dir);
}

/*
 * Towards a device that only reads there is but one way. From one that only writes
 * memory is brought in line whatever the CPU will do, since a CPU that writes a
 * part of it ends with all of it. Otherwise it is the CPU's direction: an end after
 * reading must not put old bytes in the place of what the device writes next.
 */
static enum dma_data_direction
shared_mapping_way(const struct shared_mapping *mapping,
		   enum dma_data_direction dir, bool for_device)
{
	if (mapping->dir == DMA_TO_DEVICE)
		return DMA_TO_DEVICE;
	if (mapping->dir == DMA_FROM_DEVICE && !for_device)
		return DMA_FROM_DEVICE;
	return dir;
}

/**
 * shared_mapping_edges - find the cache lines that a range shares
 * @offset: of the first byte
 * @length: in bytes, at least one
 * @line: bytes in a cache line, a power of two
 * @edges: filled in with the offsets of these lines
 *
 * The line at either end may hold bytes which are not in the range.
 *
 * Context: Any.
 * Return: how many there are, 0 to 2.
 */
unsigned int shared_mapping_edges(size_t offset, size_t length, size_t line,
				  size_t edges[2])
{
	size_t end = offset + length;
	unsigned int count = 0;

	if (!IS_ALIGNED(offset, line))
		edges[count++] = ALIGN_DOWN(offset, line);
	if (!IS_ALIGNED(end, line) &&
	    (!count || edges[0] != ALIGN_DOWN(end, line)))
		edges[count++] = ALIGN_DOWN(end, line);
	return count;
}
EXPORT_SYMBOL_NS_GPL(shared_mapping_edges, DMA_BUF);

static phys_addr_t shared_mapping_phys(struct shared_mapping *mapping,
				       size_t offset)
{
	const struct shared_mapping_piece *piece;

	for (piece = mapping->pieces; offset >= piece->length; piece++)
		offset -= piece->length;
	return piece->phys + offset;
}

/*
 * There are machines which invalidate whole cache lines only, and with them what
 * the CPU has written beside the range. So lines that are shared with bytes outside
 * are written back beforehand. When the CPU is about to write a part of
 * such a line, it must not have an old copy of the rest either, which would go to
 * memory with it.
 *
 * This is about lines of the buffer's memory, bounced or not, where the DMA API
 * would also copy. Entries consist of pages, so that a line is never in two.
 */
static void shared_mapping_keep_edges(struct shared_mapping *mapping,
				      size_t offset, size_t length,
				      bool for_device)
{
	unsigned int count, i;
	phys_addr_t line;
	size_t edges[2];

	count = shared_mapping_edges(offset, length, dma_get_cache_alignment(),
				     edges);
	for (i = 0; i < count; i++) {
		line = shared_mapping_phys(mapping, edges[i]);
		arch_sync_dma_for_device(line, dma_get_cache_alignment(),
					 DMA_TO_DEVICE);
		if (!for_device)
			arch_sync_dma_for_cpu(line, dma_get_cache_alignment(),
					      DMA_FROM_DEVICE);
	}
}

/*
 * DMA API debugging finds the mapping by its address, and among two of one device by
 * the direction. With a part, or a direction that is not the mapping's, it
 * may find the other one and report a mistake. So all of such a mapping is
 * brought in line, in its own direction; what is left out is an end after reading,
 * which has written nothing.
 */
static void shared_mapping_sync_repeated(struct shared_mapping *mapping,
					 enum dma_data_direction way,
					 bool for_device)
{
	if (way == DMA_FROM_DEVICE && for_device)
		return;
	if (way == DMA_FROM_DEVICE)
		way = mapping->mapped;
	shared_mapping_sync_one(mapping, way, for_device);
}

static void shared_mapping_sync_part(struct shared_mapping *mapping,
				     enum dma_data_direction way, size_t offset,
				     size_t length, bool for_device)
{
	/* Coherent as a constant on most machines. */
	if (!dev_is_dma_coherent(mapping->dev) && mapping->dir != DMA_TO_DEVICE)
		shared_mapping_keep_edges(mapping, offset, length, for_device);
	shared_mapping_sync(mapping, way, offset, length,
			    for_device ? dma_sync_single_for_device :
					 dma_sync_single_for_cpu);
}

/**
 * shared_mapping_sync_all - bring a part of a buffer in line for all who map it
 * @mappings: of &shared_mapping.node; the caller keeps it from changing
 * @dir: what the CPU will do, or has done: read (%DMA_FROM_DEVICE), write
 *	(%DMA_TO_DEVICE), or both
 * @offset: of the first byte
 * @length: how many bytes
 * @for_device: devices take over from the CPU; false for the other way round
 *
 * Where several devices write, and bounce, each of them has a copy of its own; the
 * one that was mapped first counts.
 *
 * Context: Process context. May sleep.
 */
void shared_mapping_sync_all(struct list_head *mappings,
			     enum dma_data_direction dir, size_t offset,
			     size_t length, bool for_device)
{
	struct shared_mapping *mapping;

	list_for_each_entry(mapping, mappings, node) {
		enum dma_data_direction way;

		way = shared_mapping_way(mapping, dir, for_device);
		if (IS_ENABLED(CONFIG_DMA_API_DEBUG) &&
		    shared_mapping_is_repeated(mappings, mapping))
			shared_mapping_sync_repeated(mapping, way, for_device);
		else
			shared_mapping_sync_part(mapping, way, offset, length,
						 for_device);
	}
}
EXPORT_SYMBOL_NS_GPL(shared_mapping_sync_all, DMA_BUF);
