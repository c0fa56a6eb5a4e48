/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the two udmabuf files, and with their KUnit suites: pinning memory
 * of memfds (udmabuf-folios.c), and the buffer that owns it (udmabuf.c)
 */
#ifndef _DMA_BUF_UDMABUF_PRIVATE_H
#define _DMA_BUF_UDMABUF_PRIVATE_H

#include <linux/bits.h>
#include <linux/kconfig.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/types.h>

/*
 * The most pins that a folio may have, those of others included. Pages that
 * follow each other in a buffer share one.
 */
#define UDMABUF_PINS_MAX	BIT(20)

/* The most pages that a buffer may have; its size in bytes is a size_t. */
#define UDMABUF_PAGES_MAX	min_t(unsigned long, U32_MAX, SIZE_MAX >> PAGE_SHIFT)

struct dma_buf;
struct dma_buf_pages;
struct file;
struct folio;
struct udmabuf;

int udmabuf_folios_populate(struct file *memfd, u64 offset, u64 size);
int udmabuf_folios_pin(struct dma_buf_pages *pages, struct file *memfd,
		       u64 offset, u64 size);
void udmabuf_folios_unpin(struct dma_buf_pages *pages);
#if IS_ENABLED(CONFIG_KUNIT)
int udmabuf_append_pinned(struct dma_buf_pages *pages, struct file *memfd,
			  struct folio **folios, long nr, pgoff_t index,
			  pgoff_t end);
#endif

struct udmabuf *udmabuf_new(void);
int udmabuf_add(struct udmabuf *buf, struct file *memfd, u64 offset, u64 size);
struct dma_buf *udmabuf_publish(struct udmabuf *buf);
void udmabuf_free(struct udmabuf *buf);

#endif /* _DMA_BUF_UDMABUF_PRIVATE_H */
