/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The body that all page-backed heaps share
 *
 * A heap says in a &struct heap_backing how its pages are got and given back;
 * heap_buffer_create() makes a dma-buf of them and does all the rest: device
 * mappings, CPU access, mmap, vmap, release.
 */
#ifndef _DMA_BUF_HEAP_BUFFER_H
#define _DMA_BUF_HEAP_BUFFER_H

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/types.h>

struct dma_buf;
struct dma_heap;
struct folio;
struct heap_buffer;
struct obj_cgroup;

/**
 * struct heap_chunk - a physically contiguous run of pages
 * @page: its first page
 * @start: index of that page in the buffer
 *
 * The run ends where the next chunk starts, the last one with the buffer. It
 * may consist of several folios.
 */
struct heap_chunk {
	struct page *page;
	pgoff_t start;
};

/**
 * struct heap_backing - where the pages of a heap come from and go to
 * @get: hand &heap_buffer.nr_pages zeroed pages to heap_buffer_add(), in one or
 *	more pieces. When it fails, with -ENOMEM or with -EINTR after a fatal
 *	signal, @put is called next for the pages that were added.
 * @put: drop the reference on each page that heap_buffer_add() took over. Called
 *	once for each call of @get. The pages are in no mapping of the buffer any
 *	more, but may still be pinned, see heap_buffer_release_folios(). A heap that
 *	gives them back later takes a reference on the buffer, heap_buffer_get().
 * @private_mmap: MAP_PRIVATE is allowed
 * @longterm_pin: the pages may stay pinned for as long as a program likes, as
 *	io_uring does with registered buffers
 *
 * Both callbacks run in process context without locks and may sleep.
 */
struct heap_backing {
	int (*get)(struct heap_buffer *buffer);
	void (*put)(struct heap_buffer *buffer);
	bool private_mmap;
	bool longterm_pin;
};

/**
 * struct heap_buffer - one buffer of a page-backed heap
 * @heap: which heap; constant
 * @backing: how to get rid of the pages; constant
 * @backing_priv: between the two callbacks of @backing
 * @payer: the cgroup charged; constant
 * @nr_charged: for how many pages; less than @nr_pages only at the end
 * @refs: one for the dma-buf, more where the heap needs longer to get the pages
 *	back
 * @counted: is in the totals of @heap
 * @untouched: all of it is zero, since nobody has ever had a mapping; for @backing,
 *	which may spare itself the zeroing. Set once, and cleared by every mapping
 * @nr_pages: size of the buffer; constant
 * @nr_filled: how many pages it has so far; equal to @nr_pages once exported
 * @chunks: the pages, in order; constant once exported
 * @nr_chunks: how many entries of @chunks are in use
 * @max_chunks: how many there is room for
 * @sole_chunk: room for one, so that most small buffers need no array
 * @lock: protects @mappings and @vaddr
 * @mappings: device mappings that need cache maintenance or bouncing when the
 *	CPU takes its turn; the others are not listed
 * @vaddr: kernel mapping, from the first vmap on; on 32-bit machines to the last
 *	vunmap, otherwise to the end
 */
struct heap_buffer {
	struct dma_heap *heap;
	const struct heap_backing *backing;
	void *backing_priv;
	struct obj_cgroup *payer;
	unsigned long nr_charged;
	refcount_t refs;
	bool counted;
	bool untouched;
	unsigned long nr_pages;
	unsigned long nr_filled;
	struct heap_chunk *chunks;
	unsigned int nr_chunks;
	unsigned int max_chunks;
	struct heap_chunk sole_chunk;
	struct mutex lock; /* mappings, vaddr */
	struct list_head mappings;
	void *vaddr;
};

/**
 * typedef heap_folio_fn - take over a folio that a buffer gives up
 * @folio: the folio, with the reference that the buffer had
 */
typedef void (*heap_folio_fn)(struct folio *folio);

/**
 * heap_chunk_pages - length of a chunk
 * @buffer: the buffer
 * @index: which of its chunks, below &heap_buffer.nr_chunks
 *
 * Context: Any.
 * Return: number of pages, at least one.
 */
static inline unsigned long heap_chunk_pages(const struct heap_buffer *buffer,
					     unsigned int index)
{
	pgoff_t end = buffer->nr_filled;

	if (index + 1 < buffer->nr_chunks)
		end = buffer->chunks[index + 1].start;
	return end - buffer->chunks[index].start;
}

struct dma_buf *heap_buffer_create(struct dma_heap *heap, unsigned long len,
				   u32 fd_flags,
				   const struct heap_backing *backing);
int heap_buffer_add(struct heap_buffer *buffer, struct page *page,
		    unsigned long nr_pages);
void heap_buffer_release_folios(struct heap_buffer *buffer, heap_folio_fn keep);
void heap_buffer_put_folios(struct heap_buffer *buffer);
void heap_buffer_get(struct heap_buffer *buffer);
void heap_buffer_put(struct heap_buffer *buffer);

/* heap_mmap.c */
int heap_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);

#endif /* _DMA_BUF_HEAP_BUFFER_H */
