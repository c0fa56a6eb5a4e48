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
 * May call: the DMA API, nothing of this folder.
 * Never here: who maps what, and when.
 * Units: offsets and lengths in bytes, counted from the start of the table.
 *
 * To the DMA API a mapping hands memory over to one device, and with
 * CONFIG_DMA_API_DEBUG it complains when another has it already. For a buffer that is
 * the normal case: who may touch it when is settled by fences and by
 * begin and end of CPU access. So the mapping is made without a word on the
 * caches, and they are brought in line by the calls that may be repeated.
 */
#include <linux/dma-mapping.h>
#include <linux/export.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/scatterlist.h>

#include "shared_mapping.h"

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

/**
 * shared_mapping_map - map a table for one device of several
 * @dev: the device
 * @sgt: the table
 * @dir: what the device will do
 *
 * Context: Process context. May sleep.
 * Return: 0, or what dma_map_sgtable() returned.
 */
int shared_mapping_map(struct device *dev, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	int ret = dma_map_sgtable(dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);

	if (!ret)
		dma_sync_sgtable_for_device(dev, sgt, dir);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(shared_mapping_map, DMA_BUF);

/**
 * shared_mapping_unmap - undo one shared_mapping_map()
 * @dev: the device
 * @sgt: the table
 * @dir: as given then
 *
 * Context: Process context. May sleep.
 */
void shared_mapping_unmap(struct device *dev, struct sg_table *sgt,
			  enum dma_data_direction dir)
{
	dma_sync_sgtable_for_cpu(dev, sgt, dir);
	dma_unmap_sgtable(dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
}
EXPORT_SYMBOL_NS_GPL(shared_mapping_unmap, DMA_BUF);

/**
 * shared_mapping_sync - bring a part of a mapped table in line
 * @dev: the device that it is mapped for
 * @sgt: the table
 * @dir: which way data goes
 * @offset: of the first byte
 * @length: how many bytes; the table has as many from @offset on
 * @sync: called for one piece after the other
 *
 * Entries outside of the part are passed over, and those at its ends are taken in
 * part. An IOMMU may have merged entries which lie apart in memory, and
 * a device's piece of those is not the CPU's: so a piece ends where either does.
 *
 * Context: Process context. May sleep if @sync does.
 */
void shared_mapping_sync(struct device *dev, struct sg_table *sgt,
			 enum dma_data_direction dir, size_t offset,
			 size_t length, shared_mapping_sync_t sync)
{
	struct scatterlist *memory = sgt->sgl, *mapped = sgt->sgl;
	size_t in_memory = offset, in_mapped = offset, piece;

	for (; length; length -= piece) {
		for (; in_memory >= memory->length; memory = sg_next(memory))
			in_memory -= memory->length;
		for (; in_mapped >= sg_dma_len(mapped); mapped = sg_next(mapped))
			in_mapped -= sg_dma_len(mapped);

		piece = min3(length, memory->length - in_memory,
			     sg_dma_len(mapped) - in_mapped);
		sync(dev, sg_dma_address(mapped) + in_mapped, piece, dir);
		in_memory += piece;
		in_mapped += piece;
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
 * What the CPU does is one thing, what the device may do is another: a mapping for
 * one way is brought in line that way, whatever the program has said.
 */
static enum dma_data_direction
shared_mapping_way(const struct shared_mapping *mapping,
		   enum dma_data_direction dir)
{
	if (dir == DMA_NONE || mapping->dir != DMA_BIDIRECTIONAL)
		return mapping->dir;
	return dir;
}

/**
 * shared_mapping_sync_all - bring a part of a buffer in line for all who map it
 * @mappings: of &shared_mapping.node; the caller keeps it from changing
 * @dir: which way data goes where a mapping is for both, or %DMA_NONE for both
 * @offset: of the first byte
 * @length: how many bytes
 * @size: of the buffer, in bytes
 * @for_device: devices take over from the CPU; false for the other way round
 *
 * DMA API debugging finds the mapping which a part belongs to by its address,
 * and with two of one device reports that there is none; the whole is not
 * looked up. So there all of such a mapping is brought in line.
 *
 * Context: Process context. May sleep.
 */
void shared_mapping_sync_all(struct list_head *mappings,
			     enum dma_data_direction dir, size_t offset,
			     size_t length, size_t size, bool for_device)
{
	struct shared_mapping *mapping;

	list_for_each_entry(mapping, mappings, node) {
		enum dma_data_direction way = shared_mapping_way(mapping, dir);

		if (length == size ||
		    (IS_ENABLED(CONFIG_DMA_API_DEBUG) &&
		     shared_mapping_is_repeated(mappings, mapping)))
			shared_mapping_sync_one(mapping, way, for_device);
		else
			shared_mapping_sync(mapping->dev, &mapping->sgt, way,
					    offset, length,
					    for_device ? dma_sync_single_for_device :
							 dma_sync_single_for_cpu);
	}
}
EXPORT_SYMBOL_NS_GPL(shared_mapping_sync_all, DMA_BUF);
