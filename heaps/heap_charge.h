/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Charge buffers to memory cgroups
 *
 * Without CONFIG_MEMCG nothing is charged. Needs linux/dma-heap.h for the
 * switch.
 */
#ifndef _DMA_BUF_HEAP_CHARGE_H
#define _DMA_BUF_HEAP_CHARGE_H

#include <linux/mm.h>
#include <linux/types.h>

struct obj_cgroup;

#ifdef CONFIG_MEMCG
int heap_charge_check(unsigned long nr_pages);
int heap_charge(struct obj_cgroup **objcg, unsigned long nr_pages);
int heap_charge_spare(struct obj_cgroup *objcg);
void heap_uncharge(struct obj_cgroup *objcg, unsigned long nr_pages);
unsigned long heap_charge_move(struct obj_cgroup *objcg, struct folio *folio);
#else
static inline int heap_charge_check(unsigned long nr_pages)
{
	return 0;
}

static inline int heap_charge_spare(struct obj_cgroup *objcg)
{
	return 0;
}

static inline int heap_charge(struct obj_cgroup **objcg, unsigned long nr_pages)
{
	*objcg = NULL;
	return 0;
}

static inline void heap_uncharge(struct obj_cgroup *objcg,
				 unsigned long nr_pages)
{
}

static inline unsigned long heap_charge_move(struct obj_cgroup *objcg,
					     struct folio *folio)
{
	folio_set_dirty(folio);
	return 0;
}
#endif

#endif /* _DMA_BUF_HEAP_CHARGE_H */
