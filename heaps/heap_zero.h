/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Zeroing folios, one or many
 */
#ifndef _DMA_BUF_HEAP_ZERO_H
#define _DMA_BUF_HEAP_ZERO_H

#include <linux/types.h>

struct folio;
struct heap_headroom;

void heap_zero_folio(struct folio *folio);
int heap_zero_folios(struct list_head *folios, unsigned long nr_pages,
		     const struct heap_headroom *room);

#endif /* _DMA_BUF_HEAP_ZERO_H */
