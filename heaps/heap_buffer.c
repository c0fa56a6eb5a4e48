// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers of page-backed heaps
 *
 * From an empty record that is charged to a cgroup, by way of the pages that
 * the heap appends, to a dma-buf; and from the release of that back to pages,
 * which the heap may keep. The buffer has one reference on each folio from
 * heap_buffer_append() until &heap_backing.put.
 *
 * Pages in mappings are ordinary reference-counted pages, so that direct I/O,
 * io_uring and the like accept them. The price: one may still be pinned when
 * the buffer is released. So nothing here ever frees a page; the buffer drops
 * its reference, and the holder of the last one frees it.
 */
#include <linux/dma-buf.h>
#include <linux/dma-buf-pages.h>
#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/huge_mm.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "heap_buffer.h"
#include "heap_charge.h"
#include "heap_folio.h"

static struct kmem_cache *heap_buffer_cache __ro_after_init;

/* -- references ------------------------------------------------------------ */

static void heap_buffer_free(struct heap_buffer *buffer)
{
	if (buffer->counted)
		dma_heap_buffer_released(buffer->heap,
					 buffer->pages.nr_pages << PAGE_SHIFT);
	heap_uncharge(buffer->objcg, buffer->nr_charged);
	dma_heap_put(buffer->heap);
	dma_buf_pages_fini(&buffer->pages);
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
 * heap_buffer_put - drop a reference taken by heap_buffer_get()
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

/* -- filling --------------------------------------------------------------- */

/**
 * heap_buffer_alloc - allocate the record of a buffer
 * @heap: the heap, which names the exporter; the buffer keeps a reference on it
 * @len: bytes, a multiple of PAGE_SIZE, more than zero
 * @backing: what the heap does with the pages
 *
 * The first step of a page-backed heap's &dma_heap_ops.allocate. The buffer has
 * no pages yet, but is charged for all of them to the memory cgroup of the
 * running task, see heap_charge(). Next come heap_buffer_append() and
 * heap_buffer_export(), or heap_buffer_abort().
 *
 * Context: Process context. May sleep.
 * Return: the record; ERR_PTR(-EINVAL) when @len is not as it should be;
 * ERR_PTR(-ENOMEM) when there is no memory or the cgroup is at its limit.
 */
struct heap_buffer *heap_buffer_alloc(struct dma_heap *heap, unsigned long len,
				      const struct heap_backing *backing)
{
	unsigned long nr_pages = len >> PAGE_SHIFT;
	struct heap_buffer *buffer;

	might_sleep();
	if (!len || !PAGE_ALIGNED(len))
		return ERR_PTR(-EINVAL);

	buffer = kmem_cache_zalloc(heap_buffer_cache, GFP_KERNEL);
	if (!buffer)
		return ERR_PTR(-ENOMEM);

	if (heap_charge(&buffer->objcg, nr_pages)) {
		kmem_cache_free(heap_buffer_cache, buffer);
		return ERR_PTR(-ENOMEM);
	}
	dma_buf_pages_init(&buffer->pages);
	buffer->pages.may_outlive = backing->longterm_pin;
	buffer->heap = dma_heap_get(heap);
	buffer->backing = backing;
	buffer->nr_charged = nr_pages;
	refcount_set(&buffer->refs, 1);
	return buffer;
}
EXPORT_SYMBOL_NS_GPL(heap_buffer_alloc, DMA_BUF);

/*
 * Without CONFIG_TRANSPARENT_HUGEPAGE no folio can be split, but split_folio()
 * says that it was: madvise(MADV_COLD or MADV_PAGEOUT) for a part of a mapping
 * would look at the same folio again, for ever. It leaves alone what is mapped
 * elsewhere, as far as the number of mappings tells. So there the buffer counts
 * as a mapping of each page, in the sum alone: that each page is in one mapping
 * remains visible. No function of mm changes that sum by itself.
 */
static void heap_folio_count_mapped(struct folio *folio, int sign)
{
	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) && folio_test_large(folio))
		atomic_add(sign * (int)folio_nr_pages(folio),
			   &folio->_large_mapcount);
}

/**
 * heap_buffer_append - append pages to a buffer
 * @buffer: the buffer, between heap_buffer_alloc() and heap_buffer_export()
 * @page: the first of some physically contiguous, zeroed pages: one folio, or
 *	single pages in a row; not in use for anything else
 * @nr_pages: how many, at least one
 *
 * On success the buffer owns the caller's reference on each folio.
 *
 * Context: Process context. May sleep.
 * Return: 0; -ENOMEM when there is no memory for the list of runs; -EINVAL
 * (with a warning) when the buffer would get more pages than it is charged for.
 * After an error the pages are still the caller's.
 */
int heap_buffer_append(struct heap_buffer *buffer, struct page *page,
		       unsigned long nr_pages)
{
	pgoff_t start = buffer->pages.nr_pages;
	struct folio *folio = page_folio(page);
	int ret;

	if (WARN_ON_ONCE(nr_pages > buffer->nr_charged - start))
		return -EINVAL;

	ret = dma_buf_pages_append(&buffer->pages, page, nr_pages);
	if (ret)
		return ret;

	/* finish_fault() compares a large folio's place with the file's end. */
	if (folio_test_large(folio))
		folio->index = start;
	heap_folio_count_mapped(folio, 1);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(heap_buffer_append, DMA_BUF);

/* -- release --------------------------------------------------------------- */

/*
 * Give up a folio that is pinned. The holder of the pin frees it, so from now
 * on the folio and not the buffer has the charge. A large one with a memory
 * error must not be freed by that holder either: all its pages would go to the
 * page allocator, the broken one among them. So the buffer's reference stays
 * for good. It is no more use to the cgroup, and memory_failure() uncharges
 * such pages too.
 */
static void heap_buffer_abandon(struct heap_buffer *buffer, struct folio *folio)
{
	if (!heap_folio_is_poisoned(folio))
		buffer->nr_charged -= heap_charge_move(buffer->objcg, folio);
	heap_folio_free(folio);
}

/**
 * heap_buffer_release_folios - give up all folios of a buffer
 * @buffer: the buffer, as passed to &heap_backing.put
 * @keep: called for each folio on which only the buffer has a reference, which
 *	@keep then owns
 *
 * A folio with more references is pinned, for direct I/O or by a pipe say. No
 * new pin can be made through the buffer, which is in no page table any more.
 * It is not for @keep: it takes its part of the charge with it, and is freed by
 * the holder of the last reference. A folio which passes for pinned, as some
 * page scanner looks at it, is freed likewise.
 *
 * Context: Process context. May sleep.
 */
void heap_buffer_release_folios(struct heap_buffer *buffer, heap_folio_fn keep)
{
	struct dma_buf_pages_iter iter;
	struct folio *folio;

	dma_buf_pages_for_each_folio(&iter, folio, &buffer->pages) {
		heap_folio_count_mapped(folio, -1);
		if (likely(folio_ref_count(folio) == 1))
			keep(folio);
		else
			heap_buffer_abandon(buffer, folio);
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

static void heap_buffer_destroy(struct heap_buffer *buffer)
{
	dma_buf_pages_end(&buffer->pages);
	buffer->backing->put(buffer);
	heap_buffer_put(buffer);
}

/**
 * heap_buffer_abort - give up a buffer that cannot be filled
 * @buffer: the buffer, from heap_buffer_alloc(); gone afterwards
 *
 * The pages that it has got are put, by &heap_backing.put.
 *
 * Context: Process context. May sleep.
 */
void heap_buffer_abort(struct heap_buffer *buffer)
{
	/* A heap that was interrupted may not have zeroed them all. */
	buffer->pages.exposed = true;
	heap_buffer_destroy(buffer);
}
EXPORT_SYMBOL_NS_GPL(heap_buffer_abort, DMA_BUF);

static void heap_buffer_release(struct dma_buf *dmabuf)
{
	heap_buffer_destroy(heap_buffer_of(dmabuf));
}

/* -- export ---------------------------------------------------------------- */

static void heap_buffer_show_fdinfo(struct dma_buf *dmabuf, struct seq_file *m)
{
	seq_printf(m, "heap:\t%s\n",
		   dma_heap_get_name(heap_buffer_of(dmabuf)->heap));
}

static const struct dma_buf_ops heap_buffer_ops = {
	DMA_BUF_PAGES_OPS,
	/*
	 * Without an MMU, mmap(2) wants a file that says it can be mapped as
	 * is.
	 */
	.mmap			= IS_ENABLED(CONFIG_MMU) ? heap_mmap : NULL,
	/* Large mappings where huge entries fit; NULL without huge pages. */
	.get_unmapped_area	= thp_get_unmapped_area,
	.release		= heap_buffer_release,
	.show_fdinfo		= heap_buffer_show_fdinfo,
	.revoke			= heap_mmap_revoke,
	.user_revoke		= true,
};

/**
 * heap_buffer_export - make a dma-buf of a buffer that has all its pages
 * @buffer: the buffer, from heap_buffer_alloc(); the dma-buf's afterwards, or
 *	gone after an error
 * @fd_flags: access mode of the dma-buf's file
 *
 * Context: Process context. May sleep.
 * Return: the dma-buf, whose one reference is the caller's; ERR_PTR(-EIO), with
 * a warning, when pages are missing; or what dma_buf_export() returned.
 */
struct dma_buf *heap_buffer_export(struct heap_buffer *buffer, u32 fd_flags)
{
	size_t size = buffer->pages.nr_pages << PAGE_SHIFT;
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct dma_buf *dmabuf;

	if (WARN_ON_ONCE(buffer->pages.nr_pages != buffer->nr_charged)) {
		heap_buffer_abort(buffer);
		return ERR_PTR(-EIO);
	}

	exp_info.exp_name = dma_heap_get_name(buffer->heap);
	exp_info.ops = &heap_buffer_ops;
	exp_info.size = size;
	exp_info.flags = fd_flags;
	exp_info.priv = &buffer->pages;
	dmabuf = dma_buf_export(&exp_info);
	if (IS_ERR(dmabuf)) {
		heap_buffer_destroy(buffer);
		return dmabuf;
	}
	buffer->counted = true;
	dma_heap_buffer_exported(buffer->heap, size);
	return dmabuf;
}
EXPORT_SYMBOL_NS_GPL(heap_buffer_export, DMA_BUF);

static int __init heap_buffer_init(void)
{
	heap_buffer_cache = KMEM_CACHE(heap_buffer, 0);
	return heap_buffer_cache ? 0 : -ENOMEM;
}
subsys_initcall(heap_buffer_init);
