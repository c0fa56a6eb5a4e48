/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an allocation of a heap leaves to others
 */
#ifndef _DMA_BUF_HEAP_HEADROOM_H
#define _DMA_BUF_HEAP_HEADROOM_H

#include <linux/list.h>
#include <linux/notifier.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/**
 * struct heap_headroom - one allocation, as others are affected by it
 * @tight: memory is short, and all that follows is valid
 * @lock: protects @reserve, @nr_reserve and @nr_oom
 * @reserve: folios that stay free for others, linked by their lru
 * @nr_reserve: how many pages these are
 * @nr_oom: how often the OOM killer was about to look for a task
 * @min_anon: how many pages of programs must stay in memory
 * @oom: is called before the OOM killer looks for a task
 */
struct heap_headroom {
	bool tight;
	spinlock_t lock; /* reserve, nr_reserve, nr_oom */
	struct list_head reserve;
	unsigned long nr_reserve;
	unsigned int nr_oom;
	unsigned long min_anon;
	struct notifier_block oom;
};

/* All that an allocation costs which is too small to look. */
static inline void heap_headroom_init(struct heap_headroom *room)
{
	room->tight = false;
}

int heap_headroom_check(struct heap_headroom *room, unsigned long nr_pages,
			unsigned long nr_used);
unsigned long heap_headroom_step(const struct heap_headroom *room);
void heap_headroom_release(struct heap_headroom *room);

#endif /* _DMA_BUF_HEAP_HEADROOM_H */
