/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers of page-backed heaps
 *
 * A heap allocates the record of a buffer (heap_buffer_alloc()), fills it with
 * pages (heap_buffer_append()) and exports it (heap_buffer_export()). What
 * devices and the CPU do with the pages is in dma-buf-pages; a &struct
 * heap_backing says how the pages are given back.
 */
#ifndef _DMA_BUF_HEAP_BUFFER_H
#define _DMA_BUF_HEAP_BUFFER_H

#include <linux/container_of.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pages.h>
#include <linux/mm.h>
#include <linux/refcount.h>
#include <linux/types.h>

struct dma_heap;
struct folio;
struct heap_buffer;
struct obj_cgroup;

/**
 * struct heap_backing - what a heap does with its pages
 * @put: drop the reference on each page that heap_buffer_append() took over.
 *	Called once for each buffer, also for one that was not filled or exported.
 *	The pages are in no mapping of the buffer any more, but may still be
 *	pinned, see heap_buffer_release_folios(). A heap that gives them back
 *	later takes a reference on the buffer, heap_buffer_get(). Runs in process
 *	context and may sleep. When an allocation fails it runs within
 *	&dma_heap_ops.allocate, so it must not remove the heap.
 * @private_mmap: MAP_PRIVATE is allowed
 * @longterm_pin: the pages may stay pinned for as long as a program likes, as
 *	io_uring does with registered buffers
 */
struct heap_backing {
	void (*put)(struct heap_buffer *buffer);
	bool private_mmap;
	bool longterm_pin;
};

/**
 * struct heap_buffer - one buffer of a page-backed heap
 * @pages: the memory; &dma_buf.priv. While &dma_buf_pages.exposed is false all of
 *	it is zero, so that &heap_backing.put need not zero it
 * @heap: the heap; constant
 * @backing: what the heap does with the pages; constant
 * @backing_priv: for the heap
 * @objcg: the cgroup charged, NULL for none; constant
 * @nr_charged: number of pages charged: the size of the buffer, less at the end,
 *	when folios that are still pinned have taken over their part
 * @refs: one for the dma-buf, more where the heap needs longer to get the pages
 *	back
 * @counted: is in the totals of @heap
 */
struct heap_buffer {
	struct dma_buf_pages pages;
	struct dma_heap *heap;
	const struct heap_backing *backing;
	void *backing_priv;
	struct obj_cgroup *objcg;
	unsigned long nr_charged;
	refcount_t refs;
	bool counted;
};

/**
 * typedef heap_folio_fn - take over a folio that a buffer gives up
 * @folio: the folio, with the reference that the buffer had
 */
typedef void (*heap_folio_fn)(struct folio *folio);

/**
 * heap_buffer_of - return the heap's record of a dma-buf
 * @dmabuf: the buffer, of a page-backed heap
 *
 * Context: Any.
 * Return: the record.
 */
static inline struct heap_buffer *heap_buffer_of(const struct dma_buf *dmabuf)
{
	return container_of((struct dma_buf_pages *)dmabuf->priv,
			    struct heap_buffer, pages);
}

struct heap_buffer *heap_buffer_alloc(struct dma_heap *heap, unsigned long len,
				      const struct heap_backing *backing);
int heap_buffer_append(struct heap_buffer *buffer, struct page *page,
		       unsigned long nr_pages);
struct dma_buf *heap_buffer_export(struct heap_buffer *buffer, u32 fd_flags);
void heap_buffer_abort(struct heap_buffer *buffer);
void heap_buffer_release_folios(struct heap_buffer *buffer, heap_folio_fn keep);
void heap_buffer_put_folios(struct heap_buffer *buffer);
void heap_buffer_get(struct heap_buffer *buffer);
void heap_buffer_put(struct heap_buffer *buffer);

/* heap_mmap.c */
int heap_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);
void heap_mmap_revoke(struct dma_buf *dmabuf);

#endif /* _DMA_BUF_HEAP_BUFFER_H */
