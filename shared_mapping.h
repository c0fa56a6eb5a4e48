/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DMA mappings of memory that several devices have mapped
 *
 * What it is: dma_map_sgtable() and dma_unmap_sgtable() for exporters of this
 * folder, with the cache maintenance said separately.
 * What it owns: nothing.
 * Locks: none.
 * May call: the DMA API.
 * Never here: who maps what, and when.
 *
 * To the DMA API a mapping hands memory over to one device, and with
 * CONFIG_DMA_API_DEBUG it complains when another has it already. For a buffer that is
 * the normal case: who may touch it when is settled by fences and by
 * begin and end of CPU access. So the mapping is made without a word on the
 * caches, and they are brought in line by the calls that may be repeated.
 */
#ifndef _DMA_BUF_SHARED_MAPPING_H
#define _DMA_BUF_SHARED_MAPPING_H

#include <linux/dma-mapping.h>

/**
 * shared_mapping_map - map a table for one device of several
 * @dev: the device
 * @sgt: the table
 * @dir: what the device will do
 *
 * Context: Process context. May sleep.
 * Return: 0, or what dma_map_sgtable() returned.
 */
static inline int shared_mapping_map(struct device *dev, struct sg_table *sgt,
				     enum dma_data_direction dir)
{
	int ret = dma_map_sgtable(dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);

	if (!ret)
		dma_sync_sgtable_for_device(dev, sgt, dir);
	return ret;
}

/**
 * shared_mapping_unmap - undo one shared_mapping_map()
 * @dev: the device
 * @sgt: the table
 * @dir: as given then
 *
 * Context: Process context. May sleep.
 */
static inline void shared_mapping_unmap(struct device *dev, struct sg_table *sgt,
					enum dma_data_direction dir)
{
	dma_sync_sgtable_for_cpu(dev, sgt, dir);
	dma_unmap_sgtable(dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
}

#endif /* _DMA_BUF_SHARED_MAPPING_H */
