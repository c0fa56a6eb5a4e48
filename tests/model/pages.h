/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Folios, for the model of the pool: a struct each, with no memory behind it but
 * a word that says whether it is zero.
 */
#ifndef _MODEL_PAGES_H
#define _MODEL_PAGES_H

#include "kernel.h"

#define MAX_PAGE_ORDER	10
#define NR_PAGE_ORDERS	(MAX_PAGE_ORDER + 1)

struct folio {
	struct list_head lru;
	unsigned int order;
	int refs;
	bool zero;
	bool bad;
	unsigned long flags;
};

enum { PG_dirty, PG_active, PG_referenced, PG_workingset };
#define LRU_REFS_MASK			(3UL << 8)

struct pglist_data { long reclaimable; };
extern struct pglist_data model_node;
extern long model_folios;
extern unsigned long model_ram;
extern bool model_init_on_free;

/* A page of its own, of which no model makes one. */
struct page { bool bad; };
#define nth_page(page, n)		((page) + (n))

/* A folio with a memory error is bad as a whole: which page it is does not matter. */
#define CONFIG_MEMORY_FAILURE		1
extern atomic_long_t num_poisoned_pages;
#define folio_page(folio, i)		((void)(i), (folio))
#define PageHWPoison(page)		((page)->bad)
#define pr_warn_ratelimited(...)	do { } while (0)
#define want_init_on_free()		model_init_on_free

/* One node, and no policy about it. */
#define cpuset_current_mems_allowed	((nodemask_t){ .bits = 1 })
#define node_isset(nid, mask)		(((mask).bits >> (nid)) & 1)

#define NR_KERNEL_MISC_RECLAIMABLE	0
#define NODE_DATA(nid)			(&model_node)
#define mod_node_page_state(node, item, nr) ((node)->reclaimable += (nr))
#define for_each_node(nid)		for ((nid) = 0; (nid) < 1; (nid)++)
#define nr_node_ids			1
#define numa_mem_id()			0
#define flush_dcache_folio(folio)	((void)(folio))
#define NUMA_NO_NODE			(-1)
#define cpu_to_mem(cpu)			0
#define for_each_possible_cpu(cpu)	for ((cpu) = 0; (cpu) < 1; (cpu)++)
#define alloc_percpu(type)		((type *)kzalloc(sizeof(type), 0))
#define free_percpu(each)		kfree(each)
#define raw_cpu_ptr(each)		(each)
#define per_cpu_ptr(each, cpu)		((void)(cpu), (each))
#define totalram_pages()		model_ram
#define folio_order(folio)		((folio)->order)
#define folio_nr_pages(folio)		(1L << (folio)->order)
#define folio_nid(folio)		0
#define folio_ref_count(folio)		((folio)->refs)
#define folio_mapped(folio)		false
#define folio_test_lru(folio)		false
#define folio_test_large(folio)		((folio)->order > 0)
#define folio_test_mlocked(folio)	false
#define folio_pfn(folio)		0UL
#define set_mask_bits(flags, mask, bits) (*(flags) = (*(flags) & ~(mask)) | (bits))

static inline void folio_put(struct folio *folio)
{
	model_check(folio->refs > 0);
	if (--folio->refs)
		return;
	model_folios--;
	free(folio);
}

#define HZ				100
#define jiffies				0UL
#define SZ_1M				0x100000

/* Shrinkers and the OOM killer: the model asks by itself. */
struct shrinker;
struct shrink_control { int nid; unsigned long nr_to_scan; };
struct shrinker {
	unsigned long (*count_objects)(struct shrinker *s, struct shrink_control *sc);
	unsigned long (*scan_objects)(struct shrinker *s, struct shrink_control *sc);
	void *private_data;
	int seeks;
	long batch;
};

struct notifier_block {
	int (*notifier_call)(struct notifier_block *block, unsigned long u, void *data);
};

#define SHRINKER_NUMA_AWARE		0
#define SHRINK_EMPTY			(~0UL - 1)
#define SHRINK_STOP			(~0UL)
#define NOTIFY_OK			1
#define register_oom_notifier(block)	do { (void)(block); } while (0)
#define unregister_oom_notifier(block)	do { (void)(block); } while (0)
#define shrinker_register(shrinker)	do { (void)(shrinker); } while (0)
#define shrinker_alloc(flags, ...)	((struct shrinker *)kzalloc(sizeof(struct shrinker), 0))
#define shrinker_free(shrinker)		kfree(shrinker)

#define kstrdup_const(string, gfp)	(string)
#define kfree_const(string)		do { (void)(string); } while (0)

/* Trace events, all of them silent. */
#define trace_dma_heap_pool_hit(heap, node, bytes)	do { } while (0)
#define trace_dma_heap_pool_miss(heap, node, bytes)	do { } while (0)
#define trace_dma_heap_pool_shrink(heap, node, bytes)	do { } while (0)

#endif /* _MODEL_PAGES_H */
