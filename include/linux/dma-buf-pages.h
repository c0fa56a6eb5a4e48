/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers that consist of pages: what their exporters have in common
 *
 * An exporter says where pages come from and where they go; the functions here
 * do what lies between. See Documentation/driver-api/dma-buf-pages.rst, and
 * drivers/dma-buf/tests/lab/sample.c for a complete exporter. A driver selects
 * CONFIG_DMABUF_PAGES and CONFIG_DMA_SHARED_BUFFER.
 */
#ifndef _LINUX_DMA_BUF_PAGES_H
#define _LINUX_DMA_BUF_PAGES_H

#include <linux/dma-direction.h>
#include <linux/gfp_types.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct dma_buf;
struct dma_buf_attachment;
struct folio;
struct iosys_map;
struct sg_table;

/**
 * struct dma_buf_pages_run - physically contiguous pages of a buffer
 * @page: the first page
 * @start: index of that page in the buffer
 *
 * A run ends where the next one starts, the last one with the buffer. It may
 * consist of several folios, and may begin and end inside of one.
 */
struct dma_buf_pages_run {
	struct page *page;
	pgoff_t start;
};

/**
 * struct dma_buf_pages - the memory of a buffer, as a list of runs
 * @nr_pages: size of the memory
 * @runs: in the order of &dma_buf_pages_run.start, without a gap
 * @nr_runs: how many entries of @runs are in use
 * @max_runs: how many entries @runs has room for
 * @sole_run: room for one, so that most small buffers need no array
 * @lock: protects @mappings, and @vaddr together with the reservation lock: it
 *	is changed with both held and read with either. Taken with or without
 *	the reservation lock; nothing is allocated under it, as fences may
 *	depend on an end of CPU access
 * @mappings: device mappings whose caches or bounce buffers have to be
 *	maintained around an access by the CPU; the others are not listed
 * @cached: device mappings which the next map may find, be they in use or idle;
 *	protected by a lock of dma-buf-mapcache.c, as is @dropping
 * @vaddr: kernel mapping, from the first vmap on; on 32-bit machines until the
 *	last vunmap, otherwise until dma_buf_pages_end()
 * @dropping: how many mappings that were idle are being unmapped
 * @kept: there may be a mapping that is idle or @dropping; written with the
 *	reservation lock
 * @exposed: a device, a program or the kernel may have had a mapping, so the
 *	content is unknown. Set before that mapping becomes visible, by the
 *	functions here and by the exporter's mmap; never cleared
 * @may_outlive: a reference to a page may be held for any time, also after the
 *	release of the buffer, as a pipe does; set by the exporter before the
 *	export if it then gives its own reference away and reuses nothing
 * @aliased: a page may be in the list twice, or in that of another buffer; set
 *	by the exporter before the export
 *
 * An exporter embeds one in its own record of a buffer, and sets
 * &dma_buf_export_info.priv to the embedded one. Pages and runs are written by
 * the task that builds the buffer, before it is exported, and are constant
 * afterwards: readers take no lock.
 */
struct dma_buf_pages {
	unsigned long nr_pages;
	struct dma_buf_pages_run *runs;
	unsigned int nr_runs;
	unsigned int max_runs;
	struct dma_buf_pages_run sole_run;
	struct mutex lock; /* mappings, vaddr */
	struct list_head mappings;
	struct hlist_head cached;
	void *vaddr;
	unsigned int dropping;
	bool kept;
	bool exposed;
	bool may_outlive;
	bool aliased;
};

void dma_buf_pages_init(struct dma_buf_pages *pages);
int dma_buf_pages_reserve(struct dma_buf_pages *pages, unsigned int more,
			  gfp_t gfp);
int dma_buf_pages_append(struct dma_buf_pages *pages, struct page *page,
			 unsigned long nr_pages);
void dma_buf_pages_end(struct dma_buf_pages *pages);
void dma_buf_pages_fini(struct dma_buf_pages *pages);

/**
 * dma_buf_pages_append_reserved - append pages, with room for a run
 * @pages: the memory, of a buffer that is not exported yet
 * @page: the first page
 * @nr_pages: how many physically contiguous pages, at least one
 * @follows: @page follows the last page of the list in memory
 *
 * What dma_buf_pages_append() does, for an exporter that has called
 * dma_buf_pages_reserve() and knows frames and sizes of many pages: nothing is
 * checked here.
 *
 * Context: Any.
 */
static inline void dma_buf_pages_append_reserved(struct dma_buf_pages *pages,
						 struct page *page,
						 unsigned long nr_pages,
						 bool follows)
{
	if (!follows)
		pages->runs[pages->nr_runs++] = (struct dma_buf_pages_run) {
			.page = page,
			.start = pages->nr_pages,
		};
	pages->nr_pages += nr_pages;
}

unsigned int dma_buf_pages_find_run(const struct dma_buf_pages *pages,
				    pgoff_t index);

/**
 * dma_buf_pages_run_end - return the end of a run
 * @pages: the memory
 * @i: index of the run, below &dma_buf_pages.nr_runs
 *
 * Context: Any.
 * Return: index in the buffer of the first page behind the run.
 */
static inline pgoff_t dma_buf_pages_run_end(const struct dma_buf_pages *pages,
					    unsigned int i)
{
	return i + 1 < pages->nr_runs ? pages->runs[i + 1].start :
					pages->nr_pages;
}

/**
 * dma_buf_pages_page - find the page at an index
 * @pages: the memory
 * @index: index of the page, below &dma_buf_pages.nr_pages
 *
 * Context: Any.
 * Return: the page.
 */
static inline struct page *
dma_buf_pages_page(const struct dma_buf_pages *pages, pgoff_t index)
{
	const struct dma_buf_pages_run *run;

	run = &pages->runs[dma_buf_pages_find_run(pages, index)];
	return nth_page(run->page, index - run->start);
}

/**
 * struct dma_buf_pages_iter - a walk over contiguous pages
 * @page: first page of this step
 * @index: its index in the buffer
 * @nr_pages: length of this step, at least one page
 */
struct dma_buf_pages_iter {
	struct page *page;
	pgoff_t index;
	unsigned long nr_pages;

	/* private: ends of the walk and of this run; longest step; next run */
	const struct dma_buf_pages *pages;
	pgoff_t end;
	pgoff_t run_end;
	unsigned long limit;
	unsigned int next_run;
};

/**
 * dma_buf_pages_iter_init - prepare a walk over contiguous pages
 * @iter: the walk; dma_buf_pages_iter_next() makes the first step
 * @pages: the memory
 * @first: index of the first page of the walk
 * @end: index behind the last page; what lies behind the buffer is ignored
 * @limit: longest step, in pages, at least one
 *
 * See dma_buf_pages_for_each().
 *
 * Context: Any.
 */
static inline void
dma_buf_pages_iter_init(struct dma_buf_pages_iter *iter,
			const struct dma_buf_pages *pages, pgoff_t first,
			pgoff_t end, unsigned long limit)
{
	*iter = (struct dma_buf_pages_iter) {
		.index = first,
		.pages = pages,
		.end = min(end, pages->nr_pages),
		.limit = limit,
		.next_run = dma_buf_pages_find_run(pages, first),
	};
}

/**
 * dma_buf_pages_iter_next - make the next step of a walk
 * @iter: the walk
 *
 * Context: Any.
 * Return: true, or false at the end of the walk: @iter names no page then.
 */
static inline bool dma_buf_pages_iter_next(struct dma_buf_pages_iter *iter)
{
	const struct dma_buf_pages *pages = iter->pages;
	const struct dma_buf_pages_run *run;

	iter->index += iter->nr_pages;
	if (iter->index < iter->run_end) {
		iter->page = nth_page(iter->page, iter->nr_pages);
	} else if (iter->index < iter->end) {
		run = &pages->runs[iter->next_run];
		iter->run_end = min(dma_buf_pages_run_end(pages, iter->next_run),
				    iter->end);
		iter->next_run++;
		iter->page = run->page;
		/* The walk may begin amid its first run. */
		if (iter->index != run->start)
			iter->page = nth_page(run->page,
					      iter->index - run->start);
	} else {
		return false;
	}
	iter->nr_pages = min(iter->run_end - iter->index, iter->limit);
	return true;
}

/**
 * dma_buf_pages_iter_next_folio - make the next step, not beyond a folio
 * @iter: the walk
 *
 * See dma_buf_pages_for_each_folio().
 *
 * Context: Any.
 * Return: the folio of the pages of this step, or NULL at the end of the walk.
 */
static inline struct folio *
dma_buf_pages_iter_next_folio(struct dma_buf_pages_iter *iter)
{
	struct folio *folio;
	unsigned long left;

	if (!dma_buf_pages_iter_next(iter))
		return NULL;

	folio = page_folio(iter->page);
	left = folio_nr_pages(folio);
	if (iter->page != &folio->page)
		left -= folio_page_idx(folio, iter->page);
	iter->nr_pages = min(iter->nr_pages, left);
	return folio;
}

/**
 * dma_buf_pages_for_each - walk over contiguous pages
 * @iter: a pointer to a &struct dma_buf_pages_iter
 * @pages: the memory
 * @first: index of the first page of the walk
 * @end: index behind the last page; what lies behind the buffer is ignored
 * @limit: longest step, in pages, at least one
 *
 * A step ends where the run does, at @end, or when it is @limit pages long.
 */
#define dma_buf_pages_for_each(iter, pages, first, end, limit)		\
	for (dma_buf_pages_iter_init(iter, pages, first, end, limit);	\
	     dma_buf_pages_iter_next(iter);)

/**
 * dma_buf_pages_for_each_folio - walk over the folios of a buffer
 * @iter: a pointer to a &struct dma_buf_pages_iter
 * @folio: a pointer to the &struct folio of this step
 * @pages: the memory
 *
 * A step is the part of one folio that is in one run. The folio may be freed
 * in the body of the loop.
 */
#define dma_buf_pages_for_each_folio(iter, folio, pages)		\
	for (dma_buf_pages_iter_init(iter, pages, 0, ULONG_MAX, ULONG_MAX); \
	     ((folio) = dma_buf_pages_iter_next_folio(iter));)

/* Operations for a &struct dma_buf_ops; &dma_buf.priv is a dma_buf_pages. */
struct sg_table *dma_buf_pages_map(struct dma_buf_attachment *attach,
				   enum dma_data_direction dir);
void dma_buf_pages_unmap(struct dma_buf_attachment *attach,
			 struct sg_table *sgt, enum dma_data_direction dir);
int dma_buf_pages_begin_cpu_access(struct dma_buf *dmabuf,
				   enum dma_data_direction dir);
int dma_buf_pages_end_cpu_access(struct dma_buf *dmabuf,
				 enum dma_data_direction dir);
int dma_buf_pages_begin_cpu_access_partial(struct dma_buf *dmabuf,
					   enum dma_data_direction dir,
					   size_t offset, size_t length);
int dma_buf_pages_end_cpu_access_partial(struct dma_buf *dmabuf,
					 enum dma_data_direction dir,
					 size_t offset, size_t length);
int dma_buf_pages_vmap(struct dma_buf *dmabuf, struct iosys_map *map);
void dma_buf_pages_vunmap(struct dma_buf *dmabuf, struct iosys_map *map);
struct dma_buf_pages *dma_buf_pages_get(struct dma_buf *dmabuf);
void dma_buf_pages_revoke(struct dma_buf *dmabuf);

/**
 * DMA_BUF_PAGES_OPS - initialize the operations of page-backed memory
 *
 * Initializers for a &struct dma_buf_ops; the exporter adds release, where
 * programs may map the pages mmap, and where it revokes buffers
 * dma_buf_pages_revoke() or a revoke op that calls it.
 */
#define DMA_BUF_PAGES_OPS						\
	.map_dma_buf = dma_buf_pages_map,				\
	.unmap_dma_buf = dma_buf_pages_unmap,				\
	.begin_cpu_access = dma_buf_pages_begin_cpu_access,		\
	.end_cpu_access = dma_buf_pages_end_cpu_access,			\
	.begin_cpu_access_partial = dma_buf_pages_begin_cpu_access_partial, \
	.end_cpu_access_partial = dma_buf_pages_end_cpu_access_partial,	\
	.vmap = dma_buf_pages_vmap,					\
	.vunmap = dma_buf_pages_vunmap,					\
	.pages = dma_buf_pages_get

#endif /* _LINUX_DMA_BUF_PAGES_H */
