/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Headroom: the memory that an allocation of a heap leaves to others
 */
#ifndef _DMA_BUF_HEAP_HEADROOM_H
#define _DMA_BUF_HEAP_HEADROOM_H

#include <linux/minmax.h>
#include <linux/mmzone.h>
#include <linux/notifier.h>
#include <linux/pgtable.h>
#include <linux/types.h>

/* The order of a huge page, as far as the page allocator has it. */
#ifdef CONFIG_MMU
#define HEAP_TOP_ORDER	min(PMD_SHIFT - PAGE_SHIFT, MAX_PAGE_ORDER)
#else
#define HEAP_TOP_ORDER	min(9, MAX_PAGE_ORDER)
#endif

/**
 * struct heap_headroom - an allocation, by its effect on others
 * @nr_granted: pages that it may take before the next check; 0 with @tight
 * @under_way: it counts as under way, from heap_headroom_init() on
 * @tight: memory is short, and the allocation is a user of the reserve
 * @nr_oom: how often a task had been out of memory by the last check, or before
 */
struct heap_headroom {
	unsigned long nr_granted;
	bool under_way;
	bool tight;
	unsigned int nr_oom;
};

void heap_headroom_init(struct heap_headroom *room);
bool heap_headroom_is_impossible(unsigned long nr_pages, unsigned long nr_used);
int heap_headroom_check(struct heap_headroom *room, unsigned long nr_pages,
			unsigned long nr_used);
int heap_headroom_confirm(struct heap_headroom *room);
bool heap_headroom_has_to_check(const struct heap_headroom *room);
bool heap_headroom_is_called_off(const struct heap_headroom *room);
int heap_headroom_interrupted(const struct heap_headroom *room);
unsigned long heap_headroom_step(const struct heap_headroom *room);
void heap_headroom_release(struct heap_headroom *room);

#if IS_ENABLED(CONFIG_KUNIT)
int heap_headroom_oom(struct notifier_block *oom, unsigned long unused,
		      void *freed);
void heap_headroom_forget_oom(void);
unsigned long heap_headroom_reserved(void);
#endif

#endif /* _DMA_BUF_HEAP_HEADROOM_H */
