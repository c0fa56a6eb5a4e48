/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DMA mappings of memory that several devices have mapped
 *
 * For exporters of this folder: dma_map_sgtable() and its opposite with the cache
 * maintenance said separately, and that maintenance for any part of a table.
 */
#ifndef _DMA_BUF_PAGES_PRIVATE_H
#define _DMA_BUF_PAGES_PRIVATE_H

#include <linux/dma-direction.h>
#include <linux/list.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

struct device;
struct dma_resv;

/**
 * struct shared_mapping_piece - memory which is contiguous, also for a device
 * @addr: where the device sees the first byte
 * @phys: where that is
 * @length: in bytes
 */
struct shared_mapping_piece {
	dma_addr_t addr;
	phys_addr_t phys;
	size_t length;
};

/**
 * struct shared_mapping - a buffer as one device sees it
 * @sgt: the table that the importer gets, mapped for @dev
 * @dev: the device
 * @dir: what the device does with the buffer, as the importer said
 * @mapped: what the DMA API was told; see shared_mapping_map()
 * @pieces: where the device sees the memory, in the order of @sgt; only where the
 *	device needs syncs, else NULL
 * @node: in the exporter's list of mappings that need care when the CPU takes
 *	its turn, or empty
 */
struct shared_mapping {
	struct sg_table sgt;
	struct device *dev;
	enum dma_data_direction dir;
	enum dma_data_direction mapped;
	struct shared_mapping_piece *pieces;
	struct list_head node;
};

/**
 * typedef shared_mapping_sync_t - bring one piece of memory in line
 * @dev: who has it mapped
 * @addr: where the device sees it
 * @size: in bytes; contiguous for the device and in memory
 * @dir: which way data goes
 *
 * dma_sync_single_for_cpu() and dma_sync_single_for_device() are of this type.
 */
typedef void (*shared_mapping_sync_t)(struct device *dev, dma_addr_t addr,
				      size_t size, enum dma_data_direction dir);

unsigned int shared_mapping_segment_pages(struct device *dev);
int shared_mapping_map(struct shared_mapping *mapping);
void shared_mapping_unmap(struct shared_mapping *mapping);
int shared_mapping_wait(struct dma_resv *resv, enum dma_data_direction dir);
unsigned int shared_mapping_edges(size_t offset, size_t length, size_t line,
				  size_t edges[2]);
int shared_mapping_note_pieces(struct shared_mapping *mapping);
void shared_mapping_sync(struct shared_mapping *mapping,
			 enum dma_data_direction dir, size_t offset,
			 size_t length, shared_mapping_sync_t sync);
void shared_mapping_sync_all(struct list_head *mappings,
			     enum dma_data_direction dir, size_t offset,
			     size_t length, bool for_device);

#endif /* _DMA_BUF_PAGES_PRIVATE_H */
