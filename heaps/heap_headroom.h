/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an allocation of a heap leaves to others
 */
#ifndef _DMA_BUF_HEAP_HEADROOM_H
#define _DMA_BUF_HEAP_HEADROOM_H

#include <linux/minmax.h>
#include <linux/mmzone.h>
#include <linux/notifier.h>
#include <linux/pgtable.h>
#include <linux/types.h>

/* What one page table entry of the level above can map, if the allocator has it. */
#ifdef CONFIG_MMU
#define HEAP_TOP_ORDER	min(PMD_SHIFT - PAGE_SHIFT, MAX_PAGE_ORDER)
#else
#define HEAP_TOP_ORDER	min(9, MAX_PAGE_ORDER)
#endif

/**
 * struct heap_headroom - one allocation, as others are affected by it
 * @tight: memory is short, the allocation counts as a user of the reserve, and all
 *	that follows is valid
 * @nr_oom: how often the OOM killer had been about to look for a task by then
 */
struct heap_headroom {
	bool tight;
	unsigned int nr_oom;
};

/* All that an allocation costs which is too small to look. */
static inline void heap_headroom_init(struct heap_headroom *room)
{
	room->tight = false;
}

int heap_headroom_check(struct heap_headroom *room, unsigned long nr_pages,
			unsigned long nr_used);
bool heap_headroom_is_called_off(const struct heap_headroom *room);
unsigned long heap_headroom_step(const struct heap_headroom *room);
void heap_headroom_release(struct heap_headroom *room);

#if IS_ENABLED(CONFIG_KUNIT)
int heap_headroom_oom(struct notifier_block *oom, unsigned long unused,
		      void *freed);
void heap_headroom_forget_oom(void);
unsigned long heap_headroom_reserved(void);
#endif

#endif /* _DMA_BUF_HEAP_HEADROOM_H */
