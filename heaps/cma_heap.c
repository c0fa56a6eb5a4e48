// SPDX-License-Identifier: GPL-2.0-only
/*
 * CMA heaps: device nodes for regions of contiguous memory
 *
 * /dev/dma_heap/NAME for the default region, named as the platform names it,
 * and besides as later kernels do on every platform; for every reusable region
 * of the device tree, named as its node; and for every region that a driver
 * hands over. cma_run.c knows the regions and allocates from them.
 *
 * An open node, a buffer, a parked run and a dma_heap_find() each hold this
 * module, so when it is removed there is nothing left but the heaps themselves.
 */
#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <uapi/linux/dma-heap.h>

#include "cma_run.h"
#include "heap_charge.h"

/**
 * struct cma_heap - a heap of this module
 * @node: entry of cma_heaps
 * @heap: the heap
 * @name: its name, in one piece with the rest
 */
struct cma_heap {
	struct list_head node;
	struct dma_heap *heap;
	char name[];
};

/* All heaps; changed by cma_heap_add() alone, whose calls are ordered. */
static LIST_HEAD(cma_heaps);

static struct dma_buf *cma_heap_allocate(struct dma_heap *heap,
					 unsigned long len, u32 fd_flags,
					 u64 heap_flags)
{
	return cma_run_buffer(heap, len, fd_flags);
}

/*
 * What can never be had is refused before the region is emptied, or the cgroup
 * is swapped out, for a part of it.
 */
static int cma_heap_allocate_batch(struct dma_heap *heap, unsigned long len,
				   u32 fd_flags, u64 heap_flags,
				   struct dma_buf **bufs, unsigned int count)
{
	unsigned long nr_pages = (len >> PAGE_SHIFT) * count;
	int ret;

	if (!cma_run_fits(heap, nr_pages))
		return -ENOMEM;
	ret = heap_charge_check(nr_pages);
	return ret ?: dma_heap_alloc_each(heap, len, fd_flags, heap_flags, bufs,
					  count);
}

static const struct dma_heap_ops cma_heap_ops = {
	.allocate = cma_heap_allocate,
	.allocate_batch = cma_heap_allocate_batch,
};

static int cma_heap_add(struct cma *cma, const char *name)
{
	/* The names that CMA itself makes up end in a newline. */
	size_t len = strcspn(name, "\n");
	struct dma_heap_export_info exp_info = {
		.ops = &cma_heap_ops,
		.priv = cma,
		.owner = THIS_MODULE,
	};
	struct cma_heap *heap;
	int ret;

	heap = kzalloc(struct_size(heap, name, len + 1), GFP_KERNEL);
	if (!heap)
		return -ENOMEM;

	memcpy(heap->name, name, len);
	exp_info.name = heap->name;
	heap->heap = dma_heap_add(&exp_info);
	if (IS_ERR(heap->heap)) {
		ret = PTR_ERR(heap->heap);
		kfree(heap);
		return ret;
	}
	list_add(&heap->node, &cma_heaps);
	return 0;
}

static void cma_heap_close(void)
{
	struct cma_heap *heap, *next;

	cma_regions_close();
	list_for_each_entry_safe(heap, next, &cma_heaps, node) {
		dma_heap_remove(heap->heap);
		kfree(heap);
	}
}

static int __init cma_heap_init(void)
{
	int ret = cma_regions_open(cma_heap_add);

	/* Built in, there is no other chance for the other regions. */
	if (ret && IS_MODULE(CONFIG_DMABUF_HEAPS_CMA))
		cma_heap_close();
	return ret;
}
module_init(cma_heap_init);

static void __exit cma_heap_exit(void)
{
	cma_heap_close();
}
module_exit(cma_heap_exit);

MODULE_DESCRIPTION("DMA-BUF heaps of physically contiguous memory");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
