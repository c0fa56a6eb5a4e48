/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What dma-heap.c and dma-heap-sysfs.c share: the heap itself.
 *
 * dma-heap.c calls dma-heap-sysfs.c, and not the other way. Nothing here is for
 * the owners of heaps.
 */
#ifndef _DMA_HEAP_PRIVATE_H
#define _DMA_HEAP_PRIVATE_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/dma-heap.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/rwsem.h>
#include <linux/types.h>

/**
 * struct dma_heap_totals - buffers exported less those released, on one CPU
 * @buffers: how many; may be negative, unlike the sum of all CPUs
 * @pages: memory of these buffers, in pages
 *
 * For each CPU, so that allocations on several share no cache line for it.
 */
struct dma_heap_totals {
	long buffers;
	long pages;
};

/**
 * struct dma_heap - one heap
 * @info: name, ops and private pointer, as the owner gave them; constant
 * @node: entry of the list of heaps; under the lock of the list
 * @in_use: held for reading while an op of the owner runs, for writing to set
 *	@removed. After that no op is called: the owner's code and data may go
 * @removed: the owner has removed the heap; under @in_use
 * @totals: its buffers whose memory is not back yet
 * @stats: its directory in sysfs; holds a reference to @dev
 * @dev: the device; its reference count is the heap's
 * @cdev: the node in /dev; an open file holds it, and with it @dev
 */
struct dma_heap {
	struct dma_heap_export_info info;
	struct list_head node;
	struct rw_semaphore in_use;
	bool removed;
	struct dma_heap_totals __percpu *totals;
	struct kobject stats;
	struct device dev;
	struct cdev cdev;
};

int dma_heap_sysfs_init(void);
int dma_heap_sysfs_add(struct dma_heap *heap);
void dma_heap_sysfs_del(struct dma_heap *heap);

#endif /* _DMA_HEAP_PRIVATE_H */
