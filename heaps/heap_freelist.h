/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Freelists: unused folios of one order, zeroed ones apart from dirty ones
 *
 * The pool has one for each order and node (heap_pool.c), and one for each
 * small order and CPU (heap_pcp.c).
 */
#ifndef _DMA_BUF_HEAP_FREELIST_H
#define _DMA_BUF_HEAP_FREELIST_H

#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/types.h>

/**
 * struct heap_freelist - unused folios of one order, linked by their lru
 * @zeroed: folios that are zero, hottest first
 * @dirty: folios with the data of their last owner, hottest first
 *
 * The lock of the structure that it is part of protects it.
 */
struct heap_freelist {
	struct list_head zeroed;
	struct list_head dirty;
};

static inline void heap_freelist_init(struct heap_freelist *list)
{
	INIT_LIST_HEAD(&list->zeroed);
	INIT_LIST_HEAD(&list->dirty);
}

/* Add a folio as the hottest one. */
static inline void heap_freelist_put(struct heap_freelist *list,
				     struct folio *folio, bool zeroed)
{
	list_add(&folio->lru, zeroed ? &list->zeroed : &list->dirty);
}

/* Remove the folio to be used next: the hottest, a zeroed one first. */
static inline struct folio *heap_freelist_take(struct heap_freelist *list,
					       bool *zeroed)
{
	struct folio *folio;

	*zeroed = !list_empty(&list->zeroed);
	folio = list_first_entry_or_null(*zeroed ? &list->zeroed : &list->dirty,
					 struct folio, lru);
	if (folio)
		list_del(&folio->lru);
	return folio;
}

/* Remove the folio to be freed next: the coldest, a dirty one first. */
static inline struct folio *heap_freelist_drop(struct heap_freelist *list,
					       bool *zeroed)
{
	struct list_head *from;
	struct folio *folio;

	*zeroed = list_empty(&list->dirty);
	from = *zeroed ? &list->zeroed : &list->dirty;
	if (list_empty(from))
		return NULL;
	folio = list_last_entry(from, struct folio, lru);
	list_del(&folio->lru);
	return folio;
}

#endif /* _DMA_BUF_HEAP_FREELIST_H */
