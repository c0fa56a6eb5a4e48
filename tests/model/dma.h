/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The DMA API, for the model of mappings: memory, a CPU with a cache, and devices
 * that see memory as it is, or a bounce buffer in its place.
 *
 * The cache is the least helpful one that the API allows: what is invalidated, is
 * in whole lines and with all that was written to them.
 */
#ifndef _MODEL_DMA_H
#define _MODEL_DMA_H

#include "kernel.h"

/* Small pages, so that a run gets to their borders. */
#undef PAGE_SHIFT
#undef PAGE_SIZE
#define PAGE_SHIFT		8
#define PAGE_SIZE		(1UL << PAGE_SHIFT)
#ifndef UINT_MAX
#define UINT_MAX		(~0U)
#endif
#define IS_ALIGNED(x, a)	(((x) & ((a) - 1)) == 0)
#define ALIGN_DOWN(x, a)	((x) & ~((a) - 1))
#define list_for_each_entry(pos, head, member)				\
	for (pos = container_of((head)->next, __typeof__(*pos), member);	\
	     &pos->member != (head);					\
	     pos = container_of(pos->member.next, __typeof__(*pos), member))
#define min3(a, b, c)		min(min(a, b), c)
#define max3(a, b, c)		max(max(a, b), c)
#define array_size(a, b)	((size_t)(a) * (b))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define VISIBLE_IF_KUNIT	static
#define EXPORT_SYMBOL_IF_KUNIT(symbol)	struct model_nothing

typedef unsigned long pgoff_t;
typedef unsigned long phys_addr_t;
typedef unsigned long dma_addr_t;

enum dma_data_direction {
	DMA_BIDIRECTIONAL = 0,
	DMA_TO_DEVICE = 1,
	DMA_FROM_DEVICE = 2,
	DMA_NONE = 3,
};

/* Pages have nothing but a place; each is a folio. */
struct page { char nothing; };
struct folio { struct page page; };
extern struct page model_pages[];

#define page_to_pfn(page)	((unsigned long)((page) - model_pages))
#define nth_page(page, n)	((page) + (n))
#define page_folio(page)	((struct folio *)(page))
#define folio_nr_pages(folio)	((void)(folio), 1UL)
#define folio_page_idx(folio, page) ((void)(folio), (void)(page), 0UL)

#define mutex_init(lock)	((lock)->held = 0)
#define mutex_lock(lock)	model_lock((lock)->held)
#define mutex_unlock(lock)	model_unlock((lock)->held)
#define mutex_destroy(lock)	model_check(!(lock)->held)
#define kvmalloc(size, gfp)	kmalloc(size, gfp)

static inline void *kvrealloc(const void *old, size_t size, gfp_t gfp)
{
	(void)gfp;
	return model_alloc_fails() ? NULL : realloc((void *)old, size);
}

struct device_dma_parameters { unsigned int max_segment_size; };

/**
 * struct device - how a device sees memory
 * @dma_parms: not used here
 * @coherent: it looks into the CPU's cache
 * @bounces: it has a copy of what is mapped
 * @need_sync: as dma_dev_need_sync() has it; a device that bounces says so only
 *	from the first mapping on
 * @mapped: what dma_map_sgtable() was told; DMA_NONE for a device without mapping
 * @copy: the copy, as large as the memory
 */
struct device {
	struct device_dma_parameters *dma_parms;
	bool coherent;
	bool bounces;
	bool need_sync;
	enum dma_data_direction mapped;
	u8 *copy;
};

struct scatterlist {
	phys_addr_t phys;
	unsigned int length;
	bool last;
};

struct sg_table {
	struct scatterlist *sgl;
	unsigned int nents, orig_nents;
};

#define sg_next(sg)		((sg)->last ? NULL : (sg) + 1)
#define for_each_sgtable_dma_sg(sgt, sg, i) \
	for ((i) = 0, (sg) = (sgt)->sgl; (i) < (int)(sgt)->nents; (i)++, (sg)++)
#define sg_phys(sg)		((sg)->phys)
#define sg_dma_address(sg)	((sg)->phys)
#define sg_dma_len(sg)		((sg)->length)
#define DMA_ATTR_SKIP_CPU_SYNC	1

#define dma_dev_need_sync(dev)		((dev)->need_sync)
#define dev_is_dma_coherent(dev)	((dev)->coherent)
#define dma_get_cache_alignment()	((size_t)MODEL_LINE)
#define dma_get_max_seg_size(dev)	UINT_MAX
#define dma_max_mapping_size(dev)	((size_t)UINT_MAX)

static inline void sg_set_page(struct scatterlist *sg, struct page *page,
			       unsigned int size, unsigned int offset)
{
	sg->phys = (page_to_pfn(page) << PAGE_SHIFT) + offset;
	sg->length = size;
}

static inline void sg_init_table(struct scatterlist *sg, unsigned int nents)
{
	memset(sg, 0, nents * sizeof(*sg));
	sg[nents - 1].last = true;
}

/* Bytes of a cache line. */
#define MODEL_LINE		16

int dma_map_sgtable(struct device *dev, struct sg_table *sgt,
		    enum dma_data_direction dir, unsigned long attrs);
void dma_unmap_sgtable(struct device *dev, struct sg_table *sgt,
		       enum dma_data_direction dir, unsigned long attrs);
void dma_sync_sgtable_for_cpu(struct device *dev, struct sg_table *sgt,
			      enum dma_data_direction dir);
void dma_sync_sgtable_for_device(struct device *dev, struct sg_table *sgt,
				 enum dma_data_direction dir);
void dma_sync_single_for_cpu(struct device *dev, dma_addr_t addr, size_t size,
			     enum dma_data_direction dir);
void dma_sync_single_for_device(struct device *dev, dma_addr_t addr, size_t size,
				enum dma_data_direction dir);
void arch_sync_dma_for_cpu(phys_addr_t paddr, size_t size,
			   enum dma_data_direction dir);
void arch_sync_dma_for_device(phys_addr_t paddr, size_t size,
			      enum dma_data_direction dir);

#endif /* _MODEL_DMA_H */
