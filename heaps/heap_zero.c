// SPDX-License-Identifier: GPL-2.0-only
/*
 * Zeroing folios, one or many
 *
 * Zeroing takes nearly all of the time of an allocation. For a large one a work
 * item on another CPU takes its share: both take the next folio off a cursor,
 * under &heap_zero_job.lock (spinlock, innermost), until the cursor is at the
 * end. The list itself does not change, and the folios stay the caller's.
 */
#include <linux/cacheflush.h>
#include <linux/cpumask.h>
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "heap_headroom.h"
#include "heap_zero.h"

/* Fewer pages are zeroed before a work item has begun. */
#define HEAP_ZERO_SHARED_PAGES	(SZ_2M >> PAGE_SHIFT)

/* How many pages are zeroed between two calls of cond_resched(). */
#define HEAP_ZERO_BATCH		64

/**
 * struct heap_zero_job - folios which two CPUs zero together
 * @work: zeroes on another CPU
 * @lock: protects @next
 * @next: cursor: the first folio that neither CPU has taken, or @folios
 * @folios: all folios, linked by their lru
 */
struct heap_zero_job {
	struct work_struct work;
	spinlock_t lock; /* next */
	struct list_head *next;
	struct list_head *folios;
};

/**
 * heap_zero_folio - zero a folio
 * @folio: the folio, which the caller owns alone
 *
 * Where caches are indexed by virtual address, the zeros are in the lines of
 * the kernel's mapping, and those of a program's mapping may have another
 * colour. Entering the page into a page table would not write them back if the
 * page counts as clean from the last time that it was, nor would it make what
 * is executed coherent.
 *
 * Context: Process context. May sleep.
 */
void heap_zero_folio(struct folio *folio)
{
	unsigned long nr = folio_nr_pages(folio), i;

	for (i = 0; i < nr; i++) {
		clear_highpage(folio_page(folio, i));
		if (i % HEAP_ZERO_BATCH == HEAP_ZERO_BATCH - 1)
			cond_resched();
	}
	flush_dcache_folio(folio);
}
EXPORT_SYMBOL_NS_GPL(heap_zero_folio, DMA_BUF);

static struct folio *heap_zero_next(struct heap_zero_job *job)
{
	struct list_head *node;

	spin_lock(&job->lock);
	node = job->next;
	if (node != job->folios)
		job->next = node->next;
	spin_unlock(&job->lock);
	return node == job->folios ? NULL : list_entry(node, struct folio, lru);
}

/* Leave no folio for either CPU to take. */
static void heap_zero_stop(struct heap_zero_job *job)
{
	spin_lock(&job->lock);
	job->next = job->folios;
	spin_unlock(&job->lock);
}

static void heap_zero_work(struct work_struct *work)
{
	struct heap_zero_job *job = container_of(work, typeof(*job), work);
	struct folio *folio;

	while ((folio = heap_zero_next(job))) {
		heap_zero_folio(folio);
		cond_resched();
	}
}

/**
 * heap_zero_folios - zero many folios, on two CPUs if that is faster
 * @folios: the folios, linked by their lru, which the caller owns alone; stays as
 *	it is
 * @nr_pages: how many pages they have together
 * @room: of the allocation that they are for
 *
 * Context: Process context. May sleep.
 * Return: 0; an error of heap_headroom_interrupted(), with some folios zeroed
 * and some not. In all cases no other CPU uses the folios any more.
 */
int heap_zero_folios(struct list_head *folios, unsigned long nr_pages,
		     const struct heap_headroom *room)
{
	struct heap_zero_job job = { .folios = folios, .next = folios->next };
	bool shared = nr_pages >= HEAP_ZERO_SHARED_PAGES && num_online_cpus() > 1;
	struct folio *folio;
	int ret = 0;

	spin_lock_init(&job.lock);
	INIT_WORK_ONSTACK(&job.work, heap_zero_work);
	if (shared)
		queue_work(system_unbound_wq, &job.work);

	while ((folio = heap_zero_next(&job))) {
		ret = heap_headroom_interrupted(room);
		if (ret) {
			heap_zero_stop(&job);
			break;
		}
		heap_zero_folio(folio);
		cond_resched();
	}

	if (shared)
		cancel_work_sync(&job.work);
	destroy_work_on_stack(&job.work);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(heap_zero_folios, DMA_BUF);
