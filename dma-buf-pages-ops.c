// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations of buffers that consist of pages
 *
 * What an exporter names in its &struct dma_buf_ops, on top of dma-buf-pages.c
 * and dma-buf-mapcache.c: device mappings, CPU access, and the kernel mapping.
 *
 * CPU access costs nothing as long as no listed mapping needs maintenance: that is
 * asked without the lock. A task that begins an access while another one maps or
 * unmaps has no order to rely on with the lock either.
 *
 * Lock order: reservation lock, then dma_buf_pages.lock.
 */
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pages.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "dma-buf-pages-private.h"
#include "dma-buf-private.h"

#include <trace/events/dma_buf.h>

/* -- devices --------------------------------------------------------------- */

/**
 * dma_buf_pages_map - map page-backed memory for the device of an attachment
 * @attach: the attachment; &dma_buf.priv is a &struct dma_buf_pages
 * @dir: what the device will do
 *
 * For &dma_buf_ops.map_dma_buf. Attachments of one device share a mapping, and
 * one that is not in use may stay for the next map.
 *
 * Context: Process context, with the reservation lock. May sleep.
 * Return: a mapped table, for dma_buf_pages_unmap(); ERR_PTR(-ENOMEM) when
 * there is no memory for the table; or what dma_map_sgtable() returned.
 */
struct sg_table *dma_buf_pages_map(struct dma_buf_attachment *attach,
				   enum dma_data_direction dir)
{
	struct dma_buf_pages_mapping *mapping;
	enum dma_buf_mapcache_result result;

	dma_resv_assert_held(attach->dmabuf->resv);
	mapping = dma_buf_mapcache_map(attach->dmabuf->priv, attach->dev, dir,
				       &result);
	trace_dma_buf_mapcache(attach, dir, PTR_ERR_OR_ZERO(mapping) ?: result);
	return IS_ERR(mapping) ? ERR_CAST(mapping) : &mapping->sgt;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pages_map, DMA_BUF);

/**
 * dma_buf_pages_unmap - undo one dma_buf_pages_map()
 * @attach: the attachment
 * @sgt: from dma_buf_pages_map(); the caller must not touch it again
 * @dir: as given then
 *
 * For &dma_buf_ops.unmap_dma_buf.
 *
 * Context: Process context, with the reservation lock. May sleep.
 */
void dma_buf_pages_unmap(struct dma_buf_attachment *attach,
			 struct sg_table *sgt, enum dma_data_direction dir)
{
	dma_resv_assert_held(attach->dmabuf->resv);
	dma_buf_mapcache_unmap(attach->dmabuf->priv,
			       container_of(sgt, struct dma_buf_pages_mapping,
					    sgt));
	/* It may have become idle. */
	if (dma_buf_is_revoked(attach->dmabuf))
		dma_buf_mapcache_drop_idle(attach->dmabuf->priv);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pages_unmap, DMA_BUF);

/* -- access by the CPU ----------------------------------------------------- */

/* Test whether an access by the CPU needs no maintenance at all. */
static bool dma_buf_pages_is_coherent(const struct dma_buf_pages *pages)
{
	if (__is_defined(ARCH_IMPLEMENTS_FLUSH_KERNEL_VMAP_RANGE) &&
	    READ_ONCE(pages->vaddr))
		return false;
	return list_empty(&pages->mappings);
}

/*
 * Caches indexed by virtual address: make the kernel mapping agree with the
 * others. What is invalidated are whole lines, so write back those at the ends
 * before.
 */
static void dma_buf_pages_sync_vmap(struct dma_buf_pages *pages, size_t offset,
				    size_t length, bool for_device)
{
	size_t line = max_t(size_t, L1_CACHE_BYTES, dma_get_cache_alignment());
	size_t step, edges[2];
	unsigned int count;

	lockdep_assert_held(&pages->lock);
	if (!pages->vaddr)
		return;

	count = dma_buf_pages_edges(offset, length, line, edges);
	while (count--)
		flush_kernel_vmap_range(pages->vaddr + edges[count], line);

	/* Lengths are int there. */
	for (; length; offset += step, length -= step) {
		step = min(length, SZ_1G);
		if (for_device)
			flush_kernel_vmap_range(pages->vaddr + offset, step);
		else
			invalidate_kernel_vmap_range(pages->vaddr + offset, step);
	}
}

static noinline void dma_buf_pages_sync(struct dma_buf_pages *pages,
					enum dma_data_direction dir,
					size_t offset, size_t length,
					bool for_device)
{
	guard(mutex)(&pages->lock);
	dma_buf_pages_sync_vmap(pages, offset, length, for_device);
	dma_buf_pages_sync_devices(pages, dir, offset, length, for_device);
}

/*
 * The core waits for devices after it has called the exporter. To invalidate
 * caches, or to copy out of a bounce buffer, is good for nothing while a device
 * still writes: so wait here.
 */
static noinline int dma_buf_pages_sync_for_cpu(struct dma_buf *dmabuf,
					       enum dma_data_direction dir,
					       size_t offset, size_t length)
{
	int ret = dma_buf_cpu_wait_fences(dmabuf, dir);

	if (ret)
		return ret;
	dma_buf_pages_sync(dmabuf->priv, dir, offset, length, false);
	return 0;
}

/**
 * dma_buf_pages_begin_cpu_access_partial - prepare a part for the CPU
 * @dmabuf: the buffer; &dma_buf.priv is a &struct dma_buf_pages
 * @dir: what the CPU will do
 * @offset: of the first byte
 * @length: how many bytes, within the buffer
 *
 * For &dma_buf_ops.begin_cpu_access_partial.
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: 0, or -ERESTARTSYS when a signal ended the wait for devices.
 */
int dma_buf_pages_begin_cpu_access_partial(struct dma_buf *dmabuf,
					   enum dma_data_direction dir,
					   size_t offset, size_t length)
{
	if (dma_buf_pages_is_coherent(dmabuf->priv))
		return 0;
	return dma_buf_pages_sync_for_cpu(dmabuf, dir, offset, length);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pages_begin_cpu_access_partial, DMA_BUF);

/**
 * dma_buf_pages_end_cpu_access_partial - hand a part back to devices
 * @dmabuf: the buffer; &dma_buf.priv is a &struct dma_buf_pages
 * @dir: what the CPU has done
 * @offset: of the first byte
 * @length: how many bytes, within the buffer
 *
 * For &dma_buf_ops.end_cpu_access_partial.
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: 0.
 */
int dma_buf_pages_end_cpu_access_partial(struct dma_buf *dmabuf,
					 enum dma_data_direction dir,
					 size_t offset, size_t length)
{
	if (!dma_buf_pages_is_coherent(dmabuf->priv))
		dma_buf_pages_sync(dmabuf->priv, dir, offset, length, true);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pages_end_cpu_access_partial, DMA_BUF);

/**
 * dma_buf_pages_begin_cpu_access - prepare a buffer for the CPU
 * @dmabuf: the buffer; &dma_buf.priv is a &struct dma_buf_pages
 * @dir: what the CPU will do
 *
 * For &dma_buf_ops.begin_cpu_access.
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: 0, or -ERESTARTSYS when a signal ended the wait for devices.
 */
int dma_buf_pages_begin_cpu_access(struct dma_buf *dmabuf,
				   enum dma_data_direction dir)
{
	return dma_buf_pages_begin_cpu_access_partial(dmabuf, dir, 0,
						      dmabuf->size);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pages_begin_cpu_access, DMA_BUF);

/**
 * dma_buf_pages_end_cpu_access - hand a buffer back to devices
 * @dmabuf: the buffer; &dma_buf.priv is a &struct dma_buf_pages
 * @dir: what the CPU has done
 *
 * For &dma_buf_ops.end_cpu_access.
 *
 * Context: Process context, without the reservation lock. May sleep.
 * Return: 0.
 */
int dma_buf_pages_end_cpu_access(struct dma_buf *dmabuf,
				 enum dma_data_direction dir)
{
	return dma_buf_pages_end_cpu_access_partial(dmabuf, dir, 0,
						    dmabuf->size);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pages_end_cpu_access, DMA_BUF);

/* -- kernel mapping -------------------------------------------------------- */

/* Return the address of the whole memory in the linear map, or NULL. */
static void *dma_buf_pages_linear_address(const struct dma_buf_pages *pages)
{
	struct page *first = pages->runs[0].page;

	/* Highmem lies above everything else: the last page tells for all. */
	if (pages->nr_runs > 1 ||
	    PageHighMem(nth_page(first, pages->nr_pages - 1)))
		return NULL;
	return page_address(first);
}

static void *dma_buf_pages_vmap_runs(const struct dma_buf_pages *pages)
{
	struct page **array __free(kvfree) = NULL;
	struct dma_buf_pages_iter iter;
	unsigned long n;

	/* Without an MMU vmap() is a bug, not an error. */
	if (!IS_ENABLED(CONFIG_MMU))
		return NULL;
	/* It may be larger than what kvmalloc() takes without a warning. */
	array = kvmalloc_array(pages->nr_pages, sizeof(*array),
			       GFP_KERNEL | __GFP_NOWARN);
	if (!array)
		return NULL;

	dma_buf_pages_for_each(&iter, pages, 0, pages->nr_pages, ULONG_MAX)
		for (n = 0; n < iter.nr_pages; n++)
			array[iter.index + n] = nth_page(iter.page, n);
	return vmap(array, pages->nr_pages, VM_MAP, PAGE_KERNEL);
}

/**
 * dma_buf_pages_vmap - map page-backed memory for the kernel
 * @dmabuf: the buffer; &dma_buf.priv is a &struct dma_buf_pages
 * @map: set to the kernel mapping
 *
 * For &dma_buf_ops.vmap: the core counts the users and calls this for the first
 * of them.
 *
 * Context: Process context, with the reservation lock. May sleep.
 * Return: 0, or -ENOMEM when there is no memory or no address space.
 */
int dma_buf_pages_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dma_buf_pages *pages = dmabuf->priv;
	void *vaddr;

	/*
	 * The reservation lock keeps others from changing the mapping. The
	 * mutex is not held here: ends of CPU access take it, on which fences
	 * may depend, and reclaim may wait for fences.
	 */
	dma_resv_assert_held(dmabuf->resv);
	vaddr = pages->vaddr ?: dma_buf_pages_linear_address(pages);
	if (!vaddr)
		vaddr = dma_buf_pages_vmap_runs(pages);
	if (!vaddr)
		return -ENOMEM;

	WRITE_ONCE(pages->exposed, true);
	scoped_guard(mutex, &pages->lock)
		WRITE_ONCE(pages->vaddr, vaddr);
	iosys_map_set_vaddr(map, vaddr);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pages_vmap, DMA_BUF);

static void dma_buf_pages_drop_vmap(struct dma_buf_pages *pages)
{
	void *vaddr = pages->vaddr;

	/* After this no access by the CPU is maintaining the mapping. */
	scoped_guard(mutex, &pages->lock)
		WRITE_ONCE(pages->vaddr, NULL);
	if (is_vmalloc_addr(vaddr))
		vunmap(vaddr);
}

/**
 * dma_buf_pages_vunmap - end the use of a kernel mapping
 * @dmabuf: the buffer
 * @map: from dma_buf_pages_vmap(); cleared
 *
 * For &dma_buf_ops.vunmap. A buffer that is mapped once is commonly mapped for
 * each frame, and building the page tables of a large one can take longer than
 * using it. So on 64-bit machines, where address space is plenty, the mapping
 * stays until dma_buf_pages_end(), or until the buffer is revoked.
 *
 * Context: Process context, with the reservation lock. May sleep.
 */
void dma_buf_pages_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	iosys_map_clear(map);
	if (!IS_ENABLED(CONFIG_64BIT) || dma_buf_is_revoked(dmabuf))
		dma_buf_pages_drop_vmap(dmabuf->priv);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pages_vunmap, DMA_BUF);

/**
 * dma_buf_pages_get - return the memory of a buffer
 * @dmabuf: the buffer; &dma_buf.priv is a &struct dma_buf_pages
 *
 * For &dma_buf_ops.pages.
 *
 * Context: Any.
 * Return: the memory.
 */
struct dma_buf_pages *dma_buf_pages_get(struct dma_buf *dmabuf)
{
	return dmabuf->priv;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pages_get, DMA_BUF);

/**
 * dma_buf_pages_revoke - drop mappings of a revoked buffer that are not in use
 * @dmabuf: the buffer; &dma_buf.priv is a &struct dma_buf_pages
 *
 * For &dma_buf_ops.revoke. Mappings that are in use are dropped when that use
 * ends.
 *
 * Context: Process context; takes the reservation lock. May sleep.
 */
void dma_buf_pages_revoke(struct dma_buf *dmabuf)
{
	struct dma_buf_pages *pages = dmabuf->priv;

	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_mapcache_drop_idle(pages);
	if (pages->vaddr && !dmabuf->vmapping_counter)
		dma_buf_pages_drop_vmap(pages);
	dma_resv_unlock(dmabuf->resv);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pages_revoke, DMA_BUF);

/**
 * dma_buf_pages_end - end the use of the memory
 * @pages: the memory, with no device mapping in use
 *
 * What the exporter's release op calls first. The kernel mapping goes, and so
 * do device mappings that were kept for the next use; the list of runs stays
 * for the exporter to put the pages, until dma_buf_pages_fini().
 *
 * Context: Process context. May sleep.
 */
void dma_buf_pages_end(struct dma_buf_pages *pages)
{
	WARN_ON_ONCE(!list_empty(&pages->mappings));
	dma_buf_mapcache_drop_idle(pages);
	/* What is left is in use. */
	WARN_ON_ONCE(!hlist_empty(&pages->cached));
	if (pages->vaddr)
		dma_buf_pages_drop_vmap(pages);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pages_end, DMA_BUF);
