/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Heaps: kinds of memory that programs allocate dma-bufs from
 *
 * The owner of some kind of memory fills in a &struct dma_heap_export_info and
 * calls dma_heap_add(). From then on there is /dev/dma_heap/NAME, and each
 * request of a program calls &dma_heap_ops.allocate. Drivers look a heap up by
 * name, with dma_heap_find(), and allocate with dma_heap_buffer_alloc() or
 * dma_heap_buffer_alloc_batch().
 */
#ifndef _DMA_HEAPS_H
#define _DMA_HEAPS_H

#include <linux/types.h>

struct dma_buf;
struct dma_heap;
struct module;

/**
 * struct dma_heap_pool_info - state of the pool of a heap
 * @bytes: memory of released buffers that is kept for new ones
 * @dirty: how much of @bytes is not zeroed yet and waits for it
 * @limit: most that @bytes may be
 * @hits: allocations served from the pool, in pieces of memory
 * @misses: allocations that the pool could not serve
 */
struct dma_heap_pool_info {
	u64 bytes;
	u64 dirty;
	u64 limit;
	u64 hits;
	u64 misses;
};

/**
 * struct dma_heap_ops - operations of a heap
 * @allocate: make one buffer of @len bytes, all zero, and export it.
 *	@len is a multiple of PAGE_SIZE and not zero, both sets of flags have
 *	been checked against the DMA_HEAP_VALID masks.
 *
 *	Context: process context, may sleep, and must return -EINTR after a
 *	fatal signal. The heap cannot be removed meanwhile: dma_heap_remove()
 *	waits for it.
 *
 *	Return: the dma-buf, whose one reference is the caller's, or an
 *	ERR_PTR().
 * @pool_info: [optional] report the state of the pool, for sysfs. Context:
 *	process context, may sleep.
 * @set_pool_limit: [optional, with @pool_info] set how many bytes the pool may
 *	keep, 0 for none; free the excess at once. Context: process context, may
 *	sleep.
 * @allocate_batch: [optional] make @count buffers, each as @allocate does, and
 *	write them to @bufs. For a heap that decides for the sum whether memory
 *	suffices; without it @allocate is called for each. The pages of all
 *	together fit an unsigned long. The context is that of @allocate. It
 *	returns 0, and the references are the caller's; or a negative errno, and
 *	no buffer is left.
 */
struct dma_heap_ops {
	struct dma_buf *(*allocate)(struct dma_heap *heap,
				    unsigned long len,
				    u32 fd_flags,
				    u64 heap_flags);
	void (*pool_info)(struct dma_heap *heap,
			  struct dma_heap_pool_info *info);
	void (*set_pool_limit)(struct dma_heap *heap, u64 bytes);
	int (*allocate_batch)(struct dma_heap *heap, unsigned long len,
			      u32 fd_flags, u64 heap_flags,
			      struct dma_buf **bufs, unsigned int count);
};

/**
 * struct dma_heap_export_info - description of a heap by its owner
 * @name: name of the device node, unique among the heaps; must outlive the heap
 *	and its buffers
 * @ops: operations of the heap; must outlive the heap
 * @priv: private pointer of the owner, see dma_heap_get_drvdata()
 * @owner: module of the owner, which is held while the heap is in use; NULL
 *	when it is not a module
 *
 * Needed only during dma_heap_add(), except for what its pointers point to.
 */
struct dma_heap_export_info {
	const char *name;
	const struct dma_heap_ops *ops;
	void *priv;
	struct module *owner;
};

void *dma_heap_get_drvdata(struct dma_heap *heap);

const char *dma_heap_get_name(struct dma_heap *heap);

struct dma_heap *dma_heap_add(const struct dma_heap_export_info *exp_info);
void dma_heap_remove(struct dma_heap *heap);

struct dma_heap *dma_heap_find(const char *name);
struct dma_heap *dma_heap_get(struct dma_heap *heap);
void dma_heap_put(struct dma_heap *heap);
struct dma_buf *dma_heap_buffer_alloc(struct dma_heap *heap, size_t len,
				      u32 fd_flags, u64 heap_flags);
int dma_heap_buffer_alloc_batch(struct dma_heap *heap, size_t len,
				u32 fd_flags, u64 heap_flags,
				struct dma_buf **bufs, unsigned int count);
int dma_heap_alloc_each(struct dma_heap *heap, size_t len, u32 fd_flags,
			u64 heap_flags, struct dma_buf **bufs,
			unsigned int count);

void dma_heap_buffer_exported(struct dma_heap *heap, size_t size);
void dma_heap_buffer_released(struct dma_heap *heap, size_t size);

extern bool mem_accounting;

#endif /* _DMA_HEAPS_H */
