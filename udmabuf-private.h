/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two udmabuf files share, and what their KUnit suites reach into:
 * the list of pinned folios (udmabuf-folios.c) and the buffer which owns one
 * (udmabuf.c). Nothing here is for anybody else.
 */
#ifndef _DMA_BUF_UDMABUF_PRIVATE_H
#define _DMA_BUF_UDMABUF_PRIVATE_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/mm.h>
#include <linux/types.h>

/*
 * How many pins a folio may have, those of others included. A gibibyte in one
 * huge page can be named page by page four times.
 */
#define UDMABUF_PINS_MAX	BIT(20)

struct dma_buf;
struct file;
struct folio;
struct page;
struct sg_table;
struct udmabuf;

/**
 * struct udmabuf_extent - pages of one folio that stand together in a buffer
 * @folio: the folio; this record holds one pin on it
 * @first: which page of the folio comes first, counted from its head
 * @at: where that page stands in the buffer, in pages
 *
 * An extent reaches up to the next one's @at, the last to the buffer's end.
 */
struct udmabuf_extent {
	struct folio *folio;
	u32 first;
	u32 at;
};

/**
 * struct udmabuf_folios - memfd memory, pinned, in buffer order
 * @extents: the records, ordered by &udmabuf_extent.at without a gap
 * @nr: how many records are in use
 * @room: how many there is memory for
 * @pages: length of the whole, in pages
 *
 * Zero-filled is empty. Filled by one task, constant once the buffer is
 * published: readers need no lock.
 */
struct udmabuf_folios {
	struct udmabuf_extent *extents;
	size_t nr;
	size_t room;
	u32 pages;
};

/**
 * struct udmabuf_run - physically contiguous pages, and the walk from one such
 *	run to the next
 * @pfn: the first page
 * @at: where it stands in the buffer, in pages
 * @pages: how many there are, at least one
 *
 *	udmabuf_run_start(&run, folios, at, limit);
 *	while (udmabuf_run_next(&run))
 *		use run.pfn, run.at, run.pages
 */
struct udmabuf_run {
	unsigned long pfn;
	u32 at;
	u32 pages;

	/* private: the list, the longest run, where the page behind this one is */
	const struct udmabuf_folios *folios;
	u32 limit;
	size_t extent;
};

/*
 * Test whether the machine has had a memory error, so that pages have to be looked
 * at one by one.
 */
static inline bool udmabuf_memory_has_errors(void)
{
#ifdef CONFIG_MEMORY_FAILURE
	return unlikely(atomic_long_read(&num_poisoned_pages));
#else
	return false;
#endif
}

int udmabuf_folios_populate(struct file *memfd, u64 offset, u64 size);
int udmabuf_folios_pin(struct udmabuf_folios *folios, struct file *memfd,
		       u64 offset, u64 size);
void udmabuf_folios_unpin(struct udmabuf_folios *folios);
void udmabuf_run_start(struct udmabuf_run *run,
		       const struct udmabuf_folios *folios, u32 at, u32 limit);
bool udmabuf_run_next(struct udmabuf_run *run);
int udmabuf_folios_fill_sgt(const struct udmabuf_folios *folios,
			    struct sg_table *sgt, u32 limit);
struct page **udmabuf_folios_page_array(const struct udmabuf_folios *folios);

struct udmabuf *udmabuf_new(void);
int udmabuf_add(struct udmabuf *buf, struct file *memfd, u64 offset, u64 size);
struct dma_buf *udmabuf_publish(struct udmabuf *buf);
void udmabuf_free(struct udmabuf *buf);

#endif /* _DMA_BUF_UDMABUF_PRIVATE_H */
