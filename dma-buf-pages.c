// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page-backed memory, as devices see it
 *
 * The memory of a buffer is a list of runs. A run is physically contiguous, so
 * it becomes one scatterlist entry, one piece of a copy, and often one huge
 * entry of a page table, however many folios it consists of. All that devices
 * and the CPU need is derived from this list: scatterlists, DMA mappings, the
 * kernel mapping, walks over pages. What is here knows no buffer, and makes and
 * undoes one mapping at a time; dma-buf-mapcache.c shares and keeps them, and
 * dma-buf-pages-ops.c makes operations of a buffer of both.
 *
 * Invariants:
 *
 *  - runs[0].start is 0, starts rise, and no run is empty; neighbours in the
 *    list are not neighbours in memory, or they would be one run.
 *  - Runs do not change after the export. Only @mappings, @vaddr, @exposed and
 *    what dma-buf-mapcache.c has there do.
 *  - Pages belong to the exporter. Nothing here takes or drops a reference.
 *  - A mapping is listed if and only if its pieces were noted, which is decided
 *    once, when it is made, and it is in use.
 *  - An importer may write to the DMA side of its table as long as it has it. So
 *    what is needed of that side meanwhile is noted before: the pieces to sync,
 *    and the segments for another importer's table.
 *
 * Cache maintenance. To the DMA API a mapping hands memory over to one device,
 * and with CONFIG_DMA_API_DEBUG it complains when another has it already. A
 * buffer is mapped for several devices at once, and fences and the begin and
 * end of CPU access say whose turn it is. So tables are mapped with
 * DMA_ATTR_SKIP_CPU_SYNC, and maintained by dma_sync_*(), which may be repeated.
 *
 * Lock order: reservation lock, then dma_buf_pages.lock.
 */
#include <kunit/visibility.h>
#include <linux/align.h>
#include <linux/dma-buf-pages.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/limits.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "dma-buf-pages-private.h"

/* First allocation of an array of runs; each further one doubles it. */
#define DMA_BUF_PAGES_MIN_RUNS	4U

/* -- runs ------------------------------------------------------------------ */

static void dma_buf_pages_make_empty(struct dma_buf_pages *pages)
{
	pages->nr_pages = 0;
	pages->runs = &pages->sole_run;
	pages->nr_runs = 0;
	pages->max_runs = 1;
}

/**
 * dma_buf_pages_init - initialize an empty list of runs
 * @pages: the memory
 *
 * Context: Any.
 */
void dma_buf_pages_init(struct dma_buf_pages *pages)
{
	dma_buf_pages_make_empty(pages);
	mutex_init(&pages->lock);
	INIT_LIST_HEAD(&pages->mappings);
	INIT_HLIST_HEAD(&pages->cached);
	pages->vaddr = NULL;
	pages->dropping = 0;
	pages->kept = false;
	pages->exposed = false;
	pages->may_outlive = false;
	pages->aliased = false;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pages_init, DMA_BUF);

/**
 * dma_buf_pages_reserve - make room for runs
 * @pages: the memory, of a buffer that is not exported yet
 * @more: for how many runs, besides those that there are
 * @gfp: how to allocate the room
 *
 * The next @more calls of dma_buf_pages_append() do not allocate, and do not
 * fail for want of memory. For an exporter that knows how many runs to expect,
 * or that wants the room charged to a cgroup (%GFP_KERNEL_ACCOUNT).
 *
 * Context: Process context. May sleep.
 * Return: 0, or -ENOMEM and the list is as it was.
 */
int dma_buf_pages_reserve(struct dma_buf_pages *pages, unsigned int more,
			  gfp_t gfp)
{
	bool was_sole = pages->runs == &pages->sole_run;
	struct dma_buf_pages_run *runs;
	unsigned int need, max;

	if (check_add_overflow(pages->nr_runs, more, &need))
		return -ENOMEM;
	if (need <= pages->max_runs)
		return 0;

	/* kvrealloc() refuses INT_MAX bytes: twice @max_runs is no overflow. */
	max = max3(need, pages->max_runs * 2, DMA_BUF_PAGES_MIN_RUNS);
	runs = kvrealloc(was_sole ? NULL : pages->runs,
			 array_size(max, sizeof(*runs)), gfp | __GFP_NOWARN);
	if (!runs)
		return -ENOMEM;

	if (was_sole)
		runs[0] = pages->sole_run;
	pages->runs = runs;
	pages->max_runs = max;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pages_reserve, DMA_BUF);

/**
 * dma_buf_pages_append - append pages to the memory of a buffer
 * @pages: the memory, of a buffer that is not exported yet
 * @page: the first page
 * @nr_pages: how many physically contiguous pages, at least one
 *
 * Pages which follow the previous ones in memory extend the last run.
 *
 * Context: Process context. May sleep, unless dma_buf_pages_reserve() has made
 * room.
 * Return: 0; -ENOMEM when there is no memory for the list; -EINVAL, with a
 * warning, when @nr_pages is 0 or the buffer would become too large. After an
 * error the list is as it was.
 */
int dma_buf_pages_append(struct dma_buf_pages *pages, struct page *page,
			 unsigned long nr_pages)
{
	struct dma_buf_pages_run *last = pages->runs + pages->nr_runs - 1;
	pgoff_t start = pages->nr_pages;
	bool follows;
	int ret;

	if (WARN_ON_ONCE(!nr_pages ||
			 nr_pages > (SIZE_MAX >> PAGE_SHIFT) - start))
		return -EINVAL;

	follows = pages->nr_runs && page_to_pfn(last->page) + start -
				    last->start == page_to_pfn(page);
	if (!follows && pages->nr_runs == pages->max_runs) {
		ret = dma_buf_pages_reserve(pages, 1, GFP_KERNEL);
		if (ret)
			return ret;
	}
	dma_buf_pages_append_reserved(pages, page, nr_pages, follows);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pages_append, DMA_BUF);

/**
 * dma_buf_pages_fini - free the list of runs
 * @pages: the memory, after dma_buf_pages_end(); empty afterwards
 *
 * Context: Process context. May sleep.
 */
void dma_buf_pages_fini(struct dma_buf_pages *pages)
{
	if (pages->runs != &pages->sole_run)
		kvfree(pages->runs);
	dma_buf_pages_make_empty(pages);
	mutex_destroy(&pages->lock);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pages_fini, DMA_BUF);

/**
 * dma_buf_pages_find_run - find the run that holds a page
 * @pages: the memory
 * @index: index of the page, below &dma_buf_pages.nr_pages
 *
 * Context: Any.
 * Return: index of the run.
 */
unsigned int dma_buf_pages_find_run(const struct dma_buf_pages *pages,
				    pgoff_t index)
{
	unsigned int low = 0, high = pages->nr_runs;

	/* runs[low].start <= index, and index < runs[high].start if it exists */
	while (high - low > 1) {
		unsigned int middle = low + (high - low) / 2;

		if (pages->runs[middle].start <= index)
			low = middle;
		else
			high = middle;
	}
	return low;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pages_find_run, DMA_BUF);

/* -- tables ---------------------------------------------------------------- */

/*
 * The longest entry that a table for @dev may have, in pages, at least one.
 *
 * A driver that states no limit does not get the DMA API's default of 64 KiB,
 * which would cut buffers into many entries for hardware that does not need it;
 * unless this kernel checks that the default is kept. What bounces has to fit
 * into a slot of the bounce buffer.
 */
unsigned long dma_buf_pages_max_entry(struct device *dev)
{
	size_t limit = UINT_MAX;

	if (IS_ENABLED(CONFIG_DMA_API_DEBUG_SG) ||
	    (dev->dma_parms && dev->dma_parms->max_segment_size))
		limit = dma_get_max_seg_size(dev);
	limit = min(limit, dma_max_mapping_size(dev));
	return max(limit >> PAGE_SHIFT, 1);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_pages_max_entry);

static unsigned int
dma_buf_pages_count_entries(const struct dma_buf_pages *pages,
			    unsigned long limit)
{
	unsigned int count = 0, i;

	/* The rule for large limits; spares the walk. */
	if (limit >= pages->nr_pages)
		return pages->nr_runs;

	for (i = 0; i < pages->nr_runs; i++)
		count += DIV_ROUND_UP(dma_buf_pages_run_end(pages, i) -
				      pages->runs[i].start, limit);
	return count;
}

/*
 * Make a table for @dev that is not mapped yet, with entries of @limit pages at
 * most, and with room for the segments of other tables if it is @primary.
 */
static struct dma_buf_pages_mapping *
dma_buf_pages_create_mapping(const struct dma_buf_pages *pages,
			     struct device *dev, enum dma_data_direction dir,
			     unsigned long limit, bool primary)
{
	unsigned int count = dma_buf_pages_count_entries(pages, limit);
	struct dma_buf_pages_mapping *mapping;
	struct dma_buf_pages_iter iter;
	struct scatterlist *sg;
	size_t size;

	size = struct_size(mapping, entries, count);
	if (primary)
		size = size_add(size, array_size(count,
						 sizeof(*mapping->segments)));
	/* The size is a program's choice: no warning when it is too large. */
	mapping = kvmalloc(size, GFP_KERNEL | __GFP_NOWARN);
	if (!mapping)
		return NULL;

	*mapping = (struct dma_buf_pages_mapping) {
		.sgt = {
			.sgl = mapping->entries,
			.nents = count, .orig_nents = count,
		},
		.dev = dev,
		.dir = dir,
		.limit = limit,
		.size = size,
	};
	INIT_LIST_HEAD(&mapping->node);
	if (primary)
		mapping->segments = (void *)(mapping->entries + count);

	sg = mapping->entries;
	sg_init_table(sg, count);
	dma_buf_pages_for_each(&iter, pages, 0, pages->nr_pages, limit)
		sg_set_page(sg++, iter.page, iter.nr_pages << PAGE_SHIFT, 0);
	return mapping;
}

/*
 * Note where the device sees the memory. The table is in the hands of the
 * importer, and RDMA cuts it to the part that it uses, for as long as that is
 * registered: the DMA side, which on some architectures is the only one that
 * has lengths.
 *
 * An IOMMU may have merged entries which lie apart in memory, and a device's
 * entry of those is not the CPU's: so a piece ends where either does.
 */
VISIBLE_IF_KUNIT int
dma_buf_pages_note_pieces(struct dma_buf_pages_mapping *mapping)
{
	struct sg_table *sgt = &mapping->sgt;
	struct scatterlist *memory = sgt->sgl, *mapped = sgt->sgl;
	size_t in_memory = 0, in_mapped = 0;
	struct dma_buf_pages_piece *piece;
	unsigned int nents = sgt->nents;
	size_t size;

	/* No more ends than there are entries on both sides. */
	size = array_size(size_add(nents, sgt->orig_nents), sizeof(*piece));
	piece = kvmalloc(size, GFP_KERNEL | __GFP_NOWARN);
	if (!piece)
		return -ENOMEM;

	mapping->size += size;
	for (mapping->pieces = piece; nents; piece++) {
		piece->addr = sg_dma_address(mapped) + in_mapped;
		piece->phys = sg_phys(memory) + in_memory;
		piece->length = min(memory->length - in_memory,
				    sg_dma_len(mapped) - in_mapped);
		in_memory += piece->length;
		in_mapped += piece->length;
		if (in_mapped == sg_dma_len(mapped)) {
			mapped = sg_next(mapped);
			in_mapped = 0;
			nents--;
		}
		if (in_memory == memory->length) {
			memory = sg_next(memory);
			in_memory = 0;
		}
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_pages_note_pieces);

/* Note the DMA side of the table, for dma_buf_pages_copy_mapping(). */
static void dma_buf_pages_note_segments(struct dma_buf_pages_mapping *mapping)
{
	struct dma_buf_pages_segment *segment = mapping->segments;
	struct scatterlist *sg;
	int i;

	mapping->nr_segments = mapping->sgt.nents;
	for_each_sgtable_dma_sg(&mapping->sgt, sg, i) {
		segment->addr = sg_dma_address(sg);
		segment->length = sg_dma_len(sg);
#ifdef CONFIG_NEED_SG_DMA_FLAGS
		segment->flags = sg->dma_flags;
#endif
		segment++;
	}
}

/**
 * dma_buf_pages_restore_table - write the DMA side of a table as it was made
 * @table: the table of @mapping, or another one of it
 * @mapping: the mapping, from dma_buf_pages_map_device()
 *
 * For a table that an importer has given back, and may have written to.
 *
 * Context: Any.
 */
void dma_buf_pages_restore_table(struct dma_buf_pages_mapping *table,
				 const struct dma_buf_pages_mapping *mapping)
{
	const struct dma_buf_pages_segment *segment = mapping->segments;
	struct scatterlist *sg = table->entries;
	unsigned int i;

	table->sgt.nents = mapping->nr_segments;
	/* The entries are one array; a walk by sg_next() would take longer. */
	for (i = 0; i < mapping->nr_segments; i++, sg++, segment++) {
		sg_dma_address(sg) = segment->addr;
		sg_dma_len(sg) = segment->length;
#ifdef CONFIG_NEED_SG_DMA_FLAGS
		sg->dma_flags = segment->flags;
#endif
	}
}

/**
 * dma_buf_pages_copy_mapping - make another table of a mapping
 * @pages: the memory
 * @mapping: the mapping, from dma_buf_pages_map_device()
 *
 * For another importer of the same device. The table of @mapping itself is
 * neither read nor written, as an importer has it.
 *
 * Context: Process context. May sleep.
 * Return: the table, for kvfree() before @mapping is unmapped; NULL when there
 * is no memory.
 */
struct dma_buf_pages_mapping *
dma_buf_pages_copy_mapping(const struct dma_buf_pages *pages,
			   const struct dma_buf_pages_mapping *mapping)
{
	struct dma_buf_pages_mapping *copy;

	copy = dma_buf_pages_create_mapping(pages, mapping->dev, mapping->dir,
					    mapping->limit, false);
	if (copy)
		dma_buf_pages_restore_table(copy, mapping);
	return copy;
}

/* -- one device ------------------------------------------------------------ */

static int dma_buf_pages_dma_map_as(struct dma_buf_pages_mapping *mapping,
				    enum dma_data_direction dir)
{
	int ret;

	mapping->mapped = dir;
	dma_buf_pages_debug_add(mapping);
	ret = dma_map_sgtable(mapping->dev, &mapping->sgt, dir,
			      DMA_ATTR_SKIP_CPU_SYNC);
	if (ret)
		dma_buf_pages_debug_del(mapping);
	return ret;
}

static void dma_buf_pages_dma_unmap(struct dma_buf_pages_mapping *mapping)
{
	dma_unmap_sgtable(mapping->dev, &mapping->sgt, mapping->mapped,
			  DMA_ATTR_SKIP_CPU_SYNC);
	dma_buf_pages_debug_del(mapping);
}

/*
 * What the CPU writes has to reach memory, or the bounce buffer, also where the
 * device only writes: else it is lost when the device hands the memory back. But
 * the DMA API syncs a mapping for DMA_FROM_DEVICE in that direction alone, which
 * may discard dirty cache lines. So where syncing matters, map for both
 * directions. Elsewhere keep the importer's, so that an IOMMU denies reads.
 */
static int dma_buf_pages_dma_map(struct dma_buf_pages_mapping *mapping)
{
	struct device *dev = mapping->dev;
	int ret;

	if (mapping->dir != DMA_FROM_DEVICE)
		return dma_buf_pages_dma_map_as(mapping, mapping->dir);
	if (dma_dev_need_sync(dev))
		return dma_buf_pages_dma_map_as(mapping, DMA_BIDIRECTIONAL);

	/* Syncing begins to matter with the first page that bounces. */
	ret = dma_buf_pages_dma_map_as(mapping, DMA_FROM_DEVICE);
	if (ret || !dma_dev_need_sync(dev))
		return ret;
	dma_buf_pages_dma_unmap(mapping);
	return dma_buf_pages_dma_map_as(mapping, DMA_BIDIRECTIONAL);
}

/**
 * dma_buf_pages_resume_mapping - hand the memory over to the device
 * @pages: the memory
 * @mapping: a mapping that is not in use
 *
 * Context: Process context. May sleep.
 */
void dma_buf_pages_resume_mapping(struct dma_buf_pages *pages,
				  struct dma_buf_pages_mapping *mapping)
{
	if (!mapping->pieces)
		return;

	dma_sync_sgtable_for_device(mapping->dev, &mapping->sgt,
				    mapping->mapped);
	mutex_lock(&pages->lock);
	list_add(&mapping->node, &pages->mappings);
	mutex_unlock(&pages->lock);
}

/**
 * dma_buf_pages_suspend_mapping - take the memory back from the device
 * @pages: the memory
 * @mapping: a mapping in use, whose table the importer has given back
 *
 * The memory stays mapped, and an access by the CPU does not maintain the
 * mapping, until dma_buf_pages_resume_mapping().
 *
 * Context: Process context. May sleep.
 */
void dma_buf_pages_suspend_mapping(struct dma_buf_pages *pages,
				   struct dma_buf_pages_mapping *mapping)
{
	if (!mapping->pieces)
		return;

	mutex_lock(&pages->lock);
	list_del_init(&mapping->node);
	mutex_unlock(&pages->lock);
	dma_sync_sgtable_for_cpu(mapping->dev, &mapping->sgt, mapping->mapped);
}

/**
 * dma_buf_pages_destroy_mapping - unmap and free a mapping
 * @mapping: a mapping that is not in use; freed
 *
 * Context: Process context, also in reclaim. May sleep.
 */
void dma_buf_pages_destroy_mapping(struct dma_buf_pages_mapping *mapping)
{
	dma_buf_pages_dma_unmap(mapping);
	kvfree(mapping->pieces);
	kvfree(mapping);
}

/**
 * dma_buf_pages_map_device - map the memory for a device
 * @pages: the memory
 * @dev: the device
 * @dir: what the device will do
 *
 * Each call makes a mapping of its own, which is in use.
 *
 * Context: Process context. May sleep.
 * Return: the mapping; ERR_PTR(-ENOMEM) when there is no memory for the table;
 * or what dma_map_sgtable() returned.
 */
struct dma_buf_pages_mapping *
dma_buf_pages_map_device(struct dma_buf_pages *pages, struct device *dev,
			 enum dma_data_direction dir)
{
	struct dma_buf_pages_mapping *mapping;
	int ret;

	mapping = dma_buf_pages_create_mapping(pages, dev, dir,
					       dma_buf_pages_max_entry(dev),
					       true);
	if (!mapping)
		return ERR_PTR(-ENOMEM);

	mapping->pages = pages;
	WRITE_ONCE(pages->exposed, true);
	ret = dma_buf_pages_dma_map(mapping);
	if (ret)
		goto err_free_mapping;
	dma_buf_pages_note_segments(mapping);

	/*
	 * Ask after mapping, as a device begins to need syncs with the first page
	 * that bounces; and once, as that may be one of another mapping.
	 */
	if (dma_dev_need_sync(dev)) {
		ret = dma_buf_pages_note_pieces(mapping);
		if (ret)
			goto err_dma_unmap;
		dma_buf_pages_resume_mapping(pages, mapping);
	}
	return mapping;

err_dma_unmap:
	dma_buf_pages_dma_unmap(mapping);
err_free_mapping:
	kvfree(mapping);
	return ERR_PTR(ret);
}

/**
 * dma_buf_pages_unmap_device - undo one dma_buf_pages_map_device()
 * @pages: the memory
 * @mapping: the mapping; freed
 *
 * Context: Process context. May sleep.
 */
void dma_buf_pages_unmap_device(struct dma_buf_pages *pages,
				struct dma_buf_pages_mapping *mapping)
{
	dma_buf_pages_suspend_mapping(pages, mapping);
	dma_buf_pages_destroy_mapping(mapping);
}

/* -- maintenance ----------------------------------------------------------- */

/* Call @sync for the pieces of a part, those at its ends in part. */
VISIBLE_IF_KUNIT void
dma_buf_pages_sync_pieces(struct dma_buf_pages_mapping *mapping,
			  enum dma_data_direction dir, size_t offset,
			  size_t length, dma_buf_pages_sync_t sync)
{
	const struct dma_buf_pages_piece *piece;
	size_t size;

	for (piece = mapping->pieces; offset >= piece->length; piece++)
		offset -= piece->length;
	for (; length; length -= size, offset = 0, piece++) {
		size = min(length, piece->length - offset);
		sync(mapping->dev, piece->addr + offset, size, dir);
	}
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_pages_sync_pieces);

/**
 * dma_buf_pages_edges - find the cache lines that a range shares
 * @offset: of the first byte
 * @length: in bytes, at least one
 * @line: bytes in a cache line, a power of two
 * @edges: filled in with the offsets of these lines
 *
 * The line at either end may hold bytes which are not in the range.
 *
 * Context: Any.
 * Return: how many there are, 0 to 2.
 */
unsigned int dma_buf_pages_edges(size_t offset, size_t length, size_t line,
				 size_t edges[2])
{
	size_t end = offset + length;
	unsigned int count = 0;

	if (!IS_ALIGNED(offset, line))
		edges[count++] = ALIGN_DOWN(offset, line);
	if (!IS_ALIGNED(end, line) &&
	    (!count || edges[0] != ALIGN_DOWN(end, line)))
		edges[count++] = ALIGN_DOWN(end, line);
	return count;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_pages_edges);

static phys_addr_t
dma_buf_pages_phys(const struct dma_buf_pages_mapping *mapping, size_t offset)
{
	const struct dma_buf_pages_piece *piece;

	for (piece = mapping->pieces; offset >= piece->length; piece++)
		offset -= piece->length;
	return piece->phys + offset;
}

/*
 * There are machines which invalidate whole cache lines only, and with them what
 * the CPU has written beside the range. So lines that are shared with bytes
 * outside are written back beforehand. When the CPU is about to write a part of
 * such a line, it must not have an old copy of the rest either, which would go
 * to memory with it.
 *
 * This is about lines of the buffer's memory, bounced or not, where the DMA API
 * would also copy. Entries consist of pages, so that a line is never in two.
 */
static void dma_buf_pages_keep_edges(struct dma_buf_pages_mapping *mapping,
				     size_t offset, size_t length,
				     bool for_device)
{
	unsigned int count, i;
	phys_addr_t line;
	size_t edges[2];

	count = dma_buf_pages_edges(offset, length, dma_get_cache_alignment(),
				    edges);
	for (i = 0; i < count; i++) {
		line = dma_buf_pages_phys(mapping, edges[i]);
		arch_sync_dma_for_device(line, dma_get_cache_alignment(),
					 DMA_TO_DEVICE);
		if (!for_device)
			arch_sync_dma_for_cpu(line, dma_get_cache_alignment(),
					      DMA_FROM_DEVICE);
	}
}

static void dma_buf_pages_sync_part(struct dma_buf_pages_mapping *mapping,
				    enum dma_data_direction dir, size_t offset,
				    size_t length, bool for_device)
{
	/* Coherent is a constant on most machines. */
	if (!dev_is_dma_coherent(mapping->dev) && mapping->dir != DMA_TO_DEVICE)
		dma_buf_pages_keep_edges(mapping, offset, length, for_device);
	dma_buf_pages_sync_pieces(mapping, dir, offset, length,
				  for_device ? dma_sync_single_for_device :
					       dma_sync_single_for_cpu);
}

/*
 * Sync memory that the device has mapped twice the one way that DMA API debugging
 * follows: all of it, in the direction of the mapping. An end after reading has
 * written nothing, and is left out.
 */
static void dma_buf_pages_sync_whole(struct dma_buf_pages_mapping *mapping,
				     enum dma_data_direction dir,
				     bool for_device)
{
	if (dir == DMA_FROM_DEVICE && for_device)
		return;
	if (for_device)
		dma_sync_sgtable_for_device(mapping->dev, &mapping->sgt,
					    mapping->mapped);
	else
		dma_sync_sgtable_for_cpu(mapping->dev, &mapping->sgt,
					 mapping->mapped);
}

/*
 * Towards a device that only reads there is but one direction. From one that only
 * writes memory is synced whatever the CPU will do, since a CPU that writes a
 * part of it ends with all of it. Otherwise it is the CPU's direction: an end
 * after reading must not put old bytes in the place of what the device writes
 * next.
 */
static enum dma_data_direction
dma_buf_pages_sync_dir(const struct dma_buf_pages_mapping *mapping,
		       enum dma_data_direction dir, bool for_device)
{
	if (mapping->dir == DMA_TO_DEVICE)
		return DMA_TO_DEVICE;
	if (mapping->dir == DMA_FROM_DEVICE && !for_device)
		return DMA_FROM_DEVICE;
	return dir;
}

static void dma_buf_pages_sync_mapping(struct dma_buf_pages_mapping *mapping,
				       enum dma_data_direction dir,
				       size_t offset, size_t length,
				       bool for_device)
{
	dir = dma_buf_pages_sync_dir(mapping, dir, for_device);
	if (dma_buf_pages_debug_begin_sync(mapping))
		dma_buf_pages_sync_whole(mapping, dir, for_device);
	else
		dma_buf_pages_sync_part(mapping, dir, offset, length,
					for_device);
	dma_buf_pages_debug_end_sync();
}

/**
 * dma_buf_pages_sync_devices - sync a part of the memory with all devices
 * @pages: the memory
 * @dir: what the CPU will do, or has done: read (%DMA_FROM_DEVICE), write
 *	(%DMA_TO_DEVICE), or both
 * @offset: of the first byte
 * @length: how many bytes, within the memory
 * @for_device: devices take over from the CPU; false for the other way round
 *
 * Where several devices write, and bounce, each of them has a copy of its own; the
 * one that was mapped first counts.
 *
 * Context: Process context, with &dma_buf_pages.lock. May sleep.
 */
void dma_buf_pages_sync_devices(struct dma_buf_pages *pages,
				enum dma_data_direction dir, size_t offset,
				size_t length, bool for_device)
{
	struct dma_buf_pages_mapping *mapping;

	lockdep_assert_held(&pages->lock);
	list_for_each_entry(mapping, &pages->mappings, node)
		dma_buf_pages_sync_mapping(mapping, dir, offset, length,
					   for_device);
}

/**
 * dma_buf_pages_sync_shared - hand the memory over to the device again
 * @pages: the memory
 * @mapping: a mapping in use
 *
 * What another map of the device would do beside making a mapping: what the CPU
 * has written since the first one reaches the device.
 *
 * Context: Process context. May sleep.
 */
void dma_buf_pages_sync_shared(struct dma_buf_pages *pages,
			       struct dma_buf_pages_mapping *mapping)
{
	if (!mapping->pieces)
		return;

	mutex_lock(&pages->lock);
	dma_buf_pages_sync_mapping(mapping, mapping->mapped, 0,
				   pages->nr_pages << PAGE_SHIFT, true);
	mutex_unlock(&pages->lock);
}
