// SPDX-License-Identifier: GPL-2.0-only
/*
 * The body that all page-backed heaps share
 *
 * What it is: makes a dma-buf of the pages that a heap got, and is its exporter:
 * device mappings, CPU access, vmap, release; heap_mmap.c has the rest.
 * What it owns: &struct heap_buffer, and with it one reference on every page
 * between &heap_backing.get and &heap_backing.put.
 * Locks: heap_buffer.lock (mutex, innermost of the sleeping locks here; taken
 * with or without the reservation lock held).
 * May call: the buffer (layer 2), the heap register, heap_charge, heap_mmap, the
 * DMA API.
 * Never here: where pages come from, and why.
 * Units: offsets and lengths in pages, unless a name says bytes.
 *
 * Pages in mappings are ordinary reference-counted pages, so that direct I/O,
 * io_uring and the like accept them. The price: somebody may hold a page when
 * the buffer is gone. So nothing here ever frees a page; the buffer drops its
 * reference, and whoever drops the last one frees it.
 */
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/init.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include "../dma-buf-pages-private.h"
#include "heap_buffer.h"
#include "heap_charge.h"
#include "heap_shelf.h"

/**
 * struct heap_mapping - the buffer as one device sees it
 * @shared: what the importer gets, and for whom
 * @entries: of its table, in one piece with the rest
 *
 * Made by map_dma_buf, unmade by unmap_dma_buf: an attachment which is not
 * mapped costs nothing.
 */
struct heap_mapping {
	struct shared_mapping shared;
	struct scatterlist entries[];
};

static struct kmem_cache *heap_buffer_cache __ro_after_init;

/* -- devices -------------------------------------------------------------- */

static unsigned int heap_segment_count(const struct heap_buffer *buffer,
				       unsigned long segment)
{
	unsigned int count = 0, i;

	/* Chunks that all fit are the rule. */
	if (segment >= buffer->nr_pages)
		return buffer->nr_chunks;
	for (i = 0; i < buffer->nr_chunks; i++)
		count += DIV_ROUND_UP(heap_chunk_pages(buffer, i), segment);
	return count;
}

static void heap_mapping_fill(struct heap_mapping *mapping,
			      const struct heap_buffer *buffer,
			      unsigned long segment)
{
	struct scatterlist *sg = mapping->entries;
	unsigned int i;

	for (i = 0; i < buffer->nr_chunks; i++) {
		unsigned long left = heap_chunk_pages(buffer, i);
		struct page *page = buffer->chunks[i].page;

		while (left) {
			unsigned long nr = min(left, segment);

			sg_set_page(sg++, page, nr << PAGE_SHIFT, 0);
			page = nth_page(page, nr);
			left -= nr;
		}
	}
}

static struct heap_mapping *heap_mapping_create(const struct heap_buffer *buffer,
						struct device *dev,
						enum dma_data_direction dir)
{
	unsigned long segment = shared_mapping_segment_pages(dev);
	unsigned int count = heap_segment_count(buffer, segment);
	struct heap_mapping *mapping;

	/* Too many entries are no reason to warn. */
	mapping = kvmalloc(struct_size(mapping, entries, count),
			   GFP_KERNEL | __GFP_NOWARN);
	if (!mapping)
		return NULL;

	mapping->shared.dev = dev;
	mapping->shared.dir = dir;
	INIT_LIST_HEAD(&mapping->shared.node);
	sg_init_table(mapping->entries, count);
	mapping->shared.sgt = (struct sg_table){
		.sgl = mapping->entries, .nents = count, .orig_nents = count,
	};
	heap_mapping_fill(mapping, buffer, segment);
	return mapping;
}

static struct sg_table *heap_buffer_map(struct dma_buf_attachment *attach,
					enum dma_data_direction dir)
{
	struct heap_buffer *buffer = attach->dmabuf->priv;
	struct device *dev = attach->dev;
	struct heap_mapping *mapping;
	struct sg_table *sgt;
	int ret;

	mapping = heap_mapping_create(buffer, dev, dir);
	if (!mapping)
		return ERR_PTR(-ENOMEM);

	WRITE_ONCE(buffer->untouched, false);
	sgt = &mapping->shared.sgt;
	ret = shared_mapping_map(&mapping->shared);
	if (ret) {
		kvfree(mapping);
		return ERR_PTR(ret);
	}

	/* As decided when it was mapped: another mapping may bounce meanwhile. */
	if (mapping->shared.pieces) {
		guard(mutex)(&buffer->lock);
		list_add(&mapping->shared.node, &buffer->mappings);
	}
	return sgt;
}

static void heap_buffer_unmap(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction dir)
{
	struct heap_mapping *mapping = container_of(sgt, typeof(*mapping),
						    shared.sgt);
	struct heap_buffer *buffer = attach->dmabuf->priv;

	/* Only map and unmap of this very mapping touch its node from outside. */
	if (!list_empty(&mapping->shared.node)) {
		guard(mutex)(&buffer->lock);
		list_del(&mapping->shared.node);
	}
	shared_mapping_unmap(&mapping->shared);
	kvfree(mapping);
}

/* -- the CPU -------------------------------------------------------------- */

/*
 * Does a CPU access cost nothing? Whoever maps, or unmaps, while another begins
 * has no order to rely on with the lock either; so this is asked without it.
 */
static bool heap_buffer_is_coherent(const struct heap_buffer *buffer)
{
	if (__is_defined(ARCH_IMPLEMENTS_FLUSH_KERNEL_VMAP_RANGE) &&
	    READ_ONCE(buffer->vaddr))
		return false;
	return list_empty(&buffer->mappings);
}

/*
 * Caches indexed by virtual address: make the vmap and the rest of us agree. What is
 * invalidated are whole lines, so those at the ends are written back before.
 */
static void heap_buffer_sync_vmap_locked(struct heap_buffer *buffer,
					 size_t at, size_t length,
					 bool for_device)
{
	size_t line = max_t(size_t, L1_CACHE_BYTES, dma_get_cache_alignment());
	size_t step, edges[2];
	unsigned int count;

	lockdep_assert_held(&buffer->lock);
	if (!buffer->vaddr)
		return;

	count = shared_mapping_edges(at, length, line, edges);
	while (count--)
		flush_kernel_vmap_range(buffer->vaddr + edges[count], line);

	for (; length; at += step, length -= step) {
		step = min(length, SZ_1G);
		if (for_device)
			flush_kernel_vmap_range(buffer->vaddr + at, step);
		else
			invalidate_kernel_vmap_range(buffer->vaddr + at, step);
	}
}

static noinline void heap_buffer_sync(struct heap_buffer *buffer,
				      enum dma_data_direction dir,
				      size_t offset, size_t length,
				      bool for_device)
{
	guard(mutex)(&buffer->lock);
	heap_buffer_sync_vmap_locked(buffer, offset, length, for_device);
	shared_mapping_sync_all(&buffer->mappings, dir, offset, length,
				for_device);
}

/* The core waits for devices later, but what they write has to be there now. */
static noinline int heap_buffer_sync_for_cpu(struct dma_buf *dmabuf,
					     enum dma_data_direction dir,
					     size_t offset, size_t length)
{
	int ret = shared_mapping_wait(dmabuf->resv, dir);

	if (!ret)
		heap_buffer_sync(dmabuf->priv, dir, offset, length, false);
	return ret;
}

static int heap_buffer_begin_partial(struct dma_buf *dmabuf,
				     enum dma_data_direction dir,
				     size_t offset, size_t length)
{
	struct heap_buffer *buffer = dmabuf->priv;

	if (heap_buffer_is_coherent(buffer))
		return 0;
	return heap_buffer_sync_for_cpu(dmabuf, dir, offset, length);
}

static int heap_buffer_end_partial(struct dma_buf *dmabuf,
				   enum dma_data_direction dir,
				   size_t offset, size_t length)
{
	struct heap_buffer *buffer = dmabuf->priv;

	if (!heap_buffer_is_coherent(buffer))
		heap_buffer_sync(buffer, dir, offset, length, true);
	return 0;
}

static int heap_buffer_begin_cpu_access(struct dma_buf *dmabuf,
					enum dma_data_direction dir)
{
	return heap_buffer_begin_partial(dmabuf, dir, 0, dmabuf->size);
}

static int heap_buffer_end_cpu_access(struct dma_buf *dmabuf,
				      enum dma_data_direction dir)
{
	return heap_buffer_end_partial(dmabuf, dir, 0, dmabuf->size);
}

/* All of the buffer in the linear map, or NULL. */
static void *heap_buffer_linear_address(const struct heap_buffer *buffer)
{
	struct page *first = buffer->chunks->page;

	/* Highmem lies above everything else, so the last page knows for all. */
	if (buffer->nr_chunks > 1 ||
	    PageHighMem(nth_page(first, buffer->nr_pages - 1)))
		return NULL;
	return page_address(first);
}

static void *heap_buffer_vmap_pages(const struct heap_buffer *buffer)
{
	struct page **pages __free(kvfree) = NULL;
	unsigned int i;
	pgoff_t at = 0;

	/* There vmap() is a bug, not an error. */
	if (!IS_ENABLED(CONFIG_MMU))
		return NULL;
	pages = kvmalloc_array(buffer->nr_pages, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return NULL;

	for (i = 0; i < buffer->nr_chunks; i++) {
		unsigned long nr = heap_chunk_pages(buffer, i), n;

		for (n = 0; n < nr; n++)
			pages[at++] = nth_page(buffer->chunks[i].page, n);
	}
	return vmap(pages, buffer->nr_pages, VM_MAP, PAGE_KERNEL);
}

/* Called for the first user only, and vunmap for the last: the core counts. */
static int heap_buffer_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct heap_buffer *buffer = dmabuf->priv;
	void *vaddr;

	guard(mutex)(&buffer->lock);
	vaddr = buffer->vaddr ?: heap_buffer_linear_address(buffer);
	if (!vaddr)
		vaddr = heap_buffer_vmap_pages(buffer);
	if (!vaddr)
		return -ENOMEM;

	WRITE_ONCE(buffer->untouched, false);
	buffer->vaddr = vaddr;
	iosys_map_set_vaddr(map, vaddr);
	return 0;
}

/*
 * Who maps a buffer commonly does so for each frame, and the tables of a large
 * one take longer to build than the frame to draw. So they stay while the buffer
 * lives, where addresses are plenty.
 */
static void heap_buffer_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct heap_buffer *buffer = dmabuf->priv;

	iosys_map_clear(map);
	if (IS_ENABLED(CONFIG_64BIT))
		return;

	guard(mutex)(&buffer->lock);
	if (is_vmalloc_addr(buffer->vaddr))
		vunmap(buffer->vaddr);
	buffer->vaddr = NULL;
}

/* -- birth and death ------------------------------------------------------ */

static void heap_buffer_free(struct heap_buffer *buffer)
{
	if (buffer->counted)
		dma_heap_buffer_released(buffer->heap,
					 buffer->nr_pages << PAGE_SHIFT);
	heap_uncharge(buffer->payer, buffer->nr_charged);
	dma_heap_put(buffer->heap);
	mutex_destroy(&buffer->lock);
	if (buffer->chunks != &buffer->sole_chunk)
		kvfree(buffer->chunks);
	kmem_cache_free(heap_buffer_cache, buffer);
}

/**
 * heap_buffer_get - keep a buffer charged and counted
 * @buffer: the buffer, as passed to &heap_backing.put
 *
 * For a heap that has to wait for its pages when the dma-buf is released. The
 * charge lives as long as the pages, so the buffer does too.
 *
 * Context: Any, before &heap_backing.put returns.
 */
void heap_buffer_get(struct heap_buffer *buffer)
{
	refcount_inc(&buffer->refs);
}
EXPORT_SYMBOL_NS_GPL(heap_buffer_get, DMA_BUF);

/**
 * heap_buffer_put - drop what heap_buffer_get() took
 * @buffer: the buffer, all of whose pages are back
 *
 * May drop the last reference on the module of the heap.
 *
 * Context: Process context. May sleep.
 */
void heap_buffer_put(struct heap_buffer *buffer)
{
	if (refcount_dec_and_test(&buffer->refs))
		heap_buffer_free(buffer);
}
EXPORT_SYMBOL_NS_GPL(heap_buffer_put, DMA_BUF);

static void heap_buffer_destroy(struct heap_buffer *buffer)
{
	WARN_ON_ONCE(!list_empty(&buffer->mappings));

	if (is_vmalloc_addr(buffer->vaddr))
		vunmap(buffer->vaddr);
	buffer->backing->put(buffer);
	heap_buffer_put(buffer);
}

static void heap_buffer_release(struct dma_buf *dmabuf)
{
	heap_buffer_destroy(dmabuf->priv);
}

static const struct dma_buf_ops heap_buffer_ops = {
	.map_dma_buf		= heap_buffer_map,
	.unmap_dma_buf		= heap_buffer_unmap,
	.begin_cpu_access	= heap_buffer_begin_cpu_access,
	.end_cpu_access		= heap_buffer_end_cpu_access,
	.begin_cpu_access_partial = heap_buffer_begin_partial,
	.end_cpu_access_partial	= heap_buffer_end_partial,
	/* Without an MMU, mmap(2) wants a file that says it can be mapped as is. */
	.mmap			= IS_ENABLED(CONFIG_MMU) ? heap_mmap : NULL,
	/* Large mappings where huge entries fit; NULL without huge pages. */
	.get_unmapped_area	= thp_get_unmapped_area,
	.vmap			= heap_buffer_vmap,
	.vunmap			= heap_buffer_vunmap,
	.release		= heap_buffer_release,
};

/* Make room for one more chunk: none, one, then twice as many each time. */
static int heap_buffer_grow(struct heap_buffer *buffer)
{
	bool was_sole = buffer->chunks == &buffer->sole_chunk;
	unsigned int max = buffer->max_chunks * 2;
	struct heap_chunk *chunks;

	/* No more than one per page can ever be needed. */
	max = min_t(unsigned long, max_t(unsigned int, max, 16), buffer->nr_pages);
	chunks = kvmalloc_array(max, sizeof(*chunks), GFP_KERNEL);
	if (!chunks)
		return -ENOMEM;

	memcpy(chunks, buffer->chunks, buffer->nr_chunks * sizeof(*chunks));
	if (!was_sole)
		kvfree(buffer->chunks);
	buffer->chunks = chunks;
	buffer->max_chunks = max;
	return 0;
}

/*
 * Without CONFIG_TRANSPARENT_HUGEPAGE no folio can be split, but split_folio() says
 * that it was: madvise(MADV_COLD or MADV_PAGEOUT) for a part of a mapping would look
 * at the same folio again, for ever. It leaves alone what is mapped elsewhere, as
 * far as the number of mappings tells. So there the buffer counts as a mapping of
 * each page, in the sum alone: that each page is in one mapping remains visible.
 */
static void heap_folio_count_mapped(struct folio *folio, int sign)
{
	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) && folio_test_large(folio))
		atomic_add(sign * (int)folio_nr_pages(folio),
			   &folio->_large_mapcount);
}

/**
 * heap_buffer_add - give a buffer its next pages
 * @buffer: the buffer, as passed to &heap_backing.get
 * @page: the first of some physically contiguous, zeroed pages: one folio, or
 *	single pages in a row; not in use for anything else
 * @nr_pages: how many, at least one
 *
 * On success the buffer owns the caller's reference on each folio. Pages that
 * follow the previous ones in memory extend the last chunk.
 *
 * Context: Process context, only from within &heap_backing.get. May sleep.
 * Return: 0; -ENOMEM when the chunk cannot be noted, -EINVAL (with a warning)
 * when the buffer would get more pages than it has room for. The pages are the
 * caller's still then.
 */
int heap_buffer_add(struct heap_buffer *buffer, struct page *page,
		    unsigned long nr_pages)
{
	struct heap_chunk *last = buffer->chunks + buffer->nr_chunks - 1;
	pgoff_t start = buffer->nr_filled;
	struct folio *folio = page_folio(page);
	int ret;

	if (WARN_ON_ONCE(!nr_pages || nr_pages > buffer->nr_pages - start))
		return -EINVAL;

	if (buffer->nr_chunks &&
	    page_to_pfn(last->page) + (start - last->start) == page_to_pfn(page)) {
		last = NULL;
	} else if (buffer->nr_chunks == buffer->max_chunks) {
		ret = heap_buffer_grow(buffer);
		if (ret)
			return ret;
	}
	if (last || !buffer->nr_chunks)
		buffer->chunks[buffer->nr_chunks++] =
			(struct heap_chunk){ .page = page, .start = start };

	/* finish_fault() compares a large folio's place with the file's end. */
	if (folio_test_large(folio))
		folio->index = start;
	heap_folio_count_mapped(folio, 1);
	buffer->nr_filled += nr_pages;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(heap_buffer_add, DMA_BUF);

/*
 * Give up a folio that is pinned. The holder of the pin frees it, so from now on
 * the folio and not the buffer has the charge. A large one with a memory error must
 * not be freed by that holder either: all its pages would go to the page allocator,
 * the broken one among them. So the buffer's reference stays for good. It is no more
 * use to the cgroup, and memory_failure() uncharges such pages too.
 */
static void heap_buffer_abandon(struct heap_buffer *buffer, struct folio *folio)
{
	if (!heap_folio_is_poisoned(folio))
		buffer->nr_charged -= heap_charge_move(buffer->payer, folio);
	heap_folio_free(folio);
}

/**
 * heap_buffer_release_folios - give up all folios of a buffer
 * @buffer: the buffer, as passed to &heap_backing.put
 * @keep: called for each folio on which only the buffer has a reference, which
 *	@keep then owns
 *
 * A folio with more references is pinned, for direct I/O or by a pipe say. No new
 * pin can be made through the buffer, which is in no page table any more. It is not
 * for @keep: it takes its part of the charge with it, and is freed by the holder
 * of the last reference. A folio which passes for pinned, as some page scanner
 * looks at it, is freed likewise.
 *
 * Context: Process context. May sleep.
 */
void heap_buffer_release_folios(struct heap_buffer *buffer, heap_folio_fn keep)
{
	unsigned int i;

	for (i = 0; i < buffer->nr_chunks; i++) {
		unsigned long left = heap_chunk_pages(buffer, i), nr;
		struct page *page = buffer->chunks[i].page;
		struct folio *folio;

		for (; left; left -= nr, page = nth_page(page, nr)) {
			folio = page_folio(page);
			nr = folio_nr_pages(folio);
			heap_folio_count_mapped(folio, -1);
			if (likely(folio_ref_count(folio) == 1))
				keep(folio);
			else
				heap_buffer_abandon(buffer, folio);
		}
		cond_resched();
	}
}
EXPORT_SYMBOL_NS_GPL(heap_buffer_release_folios, DMA_BUF);

/**
 * heap_buffer_put_folios - drop the buffer's reference on each of its folios
 * @buffer: the buffer, as passed to &heap_backing.put
 *
 * A &heap_backing.put for pages that need nothing else to be freed.
 *
 * Context: Process context. May sleep.
 */
void heap_buffer_put_folios(struct heap_buffer *buffer)
{
	heap_buffer_release_folios(buffer, heap_folio_free);
}
EXPORT_SYMBOL_NS_GPL(heap_buffer_put_folios, DMA_BUF);

static struct heap_buffer *heap_buffer_new(struct dma_heap *heap,
					   unsigned long nr_pages,
					   const struct heap_backing *backing)
{
	struct heap_buffer *buffer;

	buffer = kmem_cache_zalloc(heap_buffer_cache, GFP_KERNEL);
	if (!buffer)
		return NULL;

	if (heap_charge(&buffer->payer, nr_pages)) {
		kmem_cache_free(heap_buffer_cache, buffer);
		return NULL;
	}
	buffer->heap = dma_heap_get(heap);
	buffer->backing = backing;
	buffer->nr_pages = nr_pages;
	buffer->nr_charged = nr_pages;
	refcount_set(&buffer->refs, 1);
	buffer->chunks = &buffer->sole_chunk;
	buffer->max_chunks = 1;
	mutex_init(&buffer->lock);
	INIT_LIST_HEAD(&buffer->mappings);
	return buffer;
}

/**
 * heap_buffer_create - allocate a buffer and export it
 * @heap: the heap, which names the exporter; the buffer keeps a reference on it
 * @len: bytes, a multiple of PAGE_SIZE, more than zero
 * @fd_flags: access mode of the dma-buf's file
 * @backing: where the pages come from and go to
 *
 * The whole of a page-backed heap's &dma_heap_ops.allocate. The buffer is charged
 * to the memory cgroup of the running task, see heap_charge().
 *
 * Context: Process context. May sleep, and long; a fatal signal ends it.
 * Return: the dma-buf, whose one reference is the caller's; ERR_PTR(-EINVAL)
 * when @len is not as it should be; the error of &heap_backing.get, commonly
 * ERR_PTR(-ENOMEM) or ERR_PTR(-EINTR); or that of dma_buf_export().
 */
struct dma_buf *heap_buffer_create(struct dma_heap *heap, unsigned long len,
				   u32 fd_flags,
				   const struct heap_backing *backing)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct heap_buffer *buffer;
	struct dma_buf *dmabuf;
	int ret;

	might_sleep();
	if (!len || !PAGE_ALIGNED(len))
		return ERR_PTR(-EINVAL);

	buffer = heap_buffer_new(heap, len >> PAGE_SHIFT, backing);
	if (!buffer)
		return ERR_PTR(-ENOMEM);

	ret = backing->get(buffer);
	if (!ret && WARN_ON_ONCE(buffer->nr_filled != buffer->nr_pages))
		ret = -EIO;
	if (ret)
		goto err_destroy_buffer;

	/* Not before: what is given back half-way may not be zeroed yet. */
	buffer->untouched = true;
	exp_info.exp_name = dma_heap_get_name(heap);
	exp_info.ops = &heap_buffer_ops;
	exp_info.size = len;
	exp_info.flags = fd_flags;
	exp_info.priv = buffer;
	dmabuf = dma_buf_export(&exp_info);
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		goto err_destroy_buffer;
	}
	buffer->counted = true;
	dma_heap_buffer_exported(heap, len);
	return dmabuf;

err_destroy_buffer:
	heap_buffer_destroy(buffer);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_NS_GPL(heap_buffer_create, DMA_BUF);

static int __init heap_buffer_init(void)
{
	heap_buffer_cache = KMEM_CACHE(heap_buffer, 0);
	return heap_buffer_cache ? 0 : -ENOMEM;
}
subsys_initcall(heap_buffer_init);
