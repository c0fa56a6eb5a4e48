/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page-backed memory as one device sees it
 *
 * Between dma-buf-pages.c, which knows no buffer, and dma-buf-pages-ops.c, which
 * makes operations of a buffer of it.
 */
#ifndef _DMA_BUF_PAGES_PRIVATE_H
#define _DMA_BUF_PAGES_PRIVATE_H

#include <linux/dma-direction.h>
#include <linux/list.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

struct device;
struct dma_buf_pages;

/**
 * struct dma_buf_pages_piece - memory that is contiguous, for a device too
 * @addr: DMA address of the first byte
 * @phys: physical address of the first byte
 * @length: in bytes
 */
struct dma_buf_pages_piece {
	dma_addr_t addr;
	phys_addr_t phys;
	size_t length;
};

/**
 * struct dma_buf_pages_mapping - the memory as one device sees it
 * @sgt: the table that the importer gets, mapped for @dev
 * @dev: the device
 * @dir: what the device does with the memory, as the importer said
 * @mapped: what the DMA API was told, see dma_buf_pages_map_device()
 * @pieces: where the device sees the memory, in the order of @sgt; NULL for a
 *	device that needs no syncs
 * @node: entry of &dma_buf_pages.mappings if there are @pieces, else empty
 * @entries: of @sgt, in one allocation with the rest
 */
struct dma_buf_pages_mapping {
	struct sg_table sgt;
	struct device *dev;
	enum dma_data_direction dir;
	enum dma_data_direction mapped;
	struct dma_buf_pages_piece *pieces;
	struct list_head node;
	struct scatterlist entries[];
};

struct dma_buf_pages_mapping *
dma_buf_pages_map_device(struct dma_buf_pages *pages, struct device *dev,
			 enum dma_data_direction dir);
void dma_buf_pages_unmap_device(struct dma_buf_pages *pages,
				struct dma_buf_pages_mapping *mapping);
void dma_buf_pages_sync_devices(struct dma_buf_pages *pages,
				enum dma_data_direction dir, size_t offset,
				size_t length, bool for_device);
unsigned int dma_buf_pages_edges(size_t offset, size_t length, size_t line,
				 size_t edges[2]);

/**
 * typedef dma_buf_pages_sync_t - sync one piece of memory
 * @dev: the device that has it mapped
 * @addr: DMA address of the first byte
 * @size: in bytes; contiguous for the device and in memory
 * @dir: which way data goes
 *
 * dma_sync_single_for_cpu() and dma_sync_single_for_device() are of this type.
 */
typedef void (*dma_buf_pages_sync_t)(struct device *dev, dma_addr_t addr,
				     size_t size, enum dma_data_direction dir);

#if IS_ENABLED(CONFIG_KUNIT)
unsigned long dma_buf_pages_max_entry(struct device *dev);
int dma_buf_pages_note_pieces(struct dma_buf_pages_mapping *mapping);
void dma_buf_pages_sync_pieces(struct dma_buf_pages_mapping *mapping,
			       enum dma_data_direction dir, size_t offset,
			       size_t length, dma_buf_pages_sync_t sync);
#endif

#endif /* _DMA_BUF_PAGES_PRIVATE_H */
