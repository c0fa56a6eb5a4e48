// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who pays for a buffer
 *
 * What it is: charges the bytes of a buffer to a memory cgroup as kernel memory,
 * as long as the buffer has the pages. One charge for all of them is cheap, and
 * pages in the pool are charged to no cgroup. A folio that is still pinned when
 * its buffer goes takes its part of the charge along, until it is freed.
 * What it owns: nothing; a buffer keeps the reference on its payer.
 * Locks: none.
 * May call: memory cgroups.
 * Never here: where pages come from.
 * Units: counts of pages.
 */
#include <linux/dma-heap.h>
#include <linux/gfp.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "heap_charge.h"

/*
 * Over the limit: reclaim from the group, and then fail, without looking for
 * somebody to kill. A program can live with ENOMEM.
 */
#define HEAP_CHARGE_GFP		(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* The interface below counts in bytes, and some of it in 32 bits. */
#define HEAP_CHARGE_STEP	(SZ_1G >> PAGE_SHIFT)

/*
 * What has to be left of a limit. The next thing that a task at its limit is
 * charged for, a page of its stack say, would have it killed.
 */
#define HEAP_CHARGE_SPARE	(SZ_512K >> PAGE_SHIFT)

/* Is so little left, of the group or of one above? */
static bool heap_charge_tight(struct obj_cgroup *payer)
{
	struct mem_cgroup *memcg;
	unsigned long used;

	guard(rcu)();
	for (memcg = obj_cgroup_memcg(payer); memcg;
	     memcg = parent_mem_cgroup(memcg)) {
		used = page_counter_read(&memcg->memory);
		if (used + HEAP_CHARGE_SPARE > READ_ONCE(memcg->memory.max))
			return true;
	}
	return false;
}

/* See to it that it is left, which may take reclaim. */
static int heap_charge_spare(struct obj_cgroup *payer)
{
	const size_t bytes = HEAP_CHARGE_SPARE << PAGE_SHIFT;
	int ret;

	if (!heap_charge_tight(payer))
		return 0;

	ret = obj_cgroup_charge(payer, HEAP_CHARGE_GFP, bytes);
	if (!ret)
		obj_cgroup_uncharge(payer, bytes);
	return ret;
}

/* Is this more than the group, or one above, may ever have? */
static bool heap_charge_impossible(struct obj_cgroup *payer,
				   unsigned long nr_pages)
{
	struct mem_cgroup *memcg;
	unsigned long max;

	guard(rcu)();
	for (memcg = obj_cgroup_memcg(payer); memcg;
	     memcg = parent_mem_cgroup(memcg)) {
		max = READ_ONCE(memcg->memory.max);
		if (max < HEAP_CHARGE_SPARE ||
		    nr_pages > max - HEAP_CHARGE_SPARE)
			return true;
	}
	return false;
}

/**
 * heap_charge - let the running task pay
 * @payer: who pays, for heap_uncharge(); NULL when nobody has to
 * @nr_pages: what for
 *
 * It is the running task's memory cgroup that is charged, or the one that
 * set_active_memcg() names.
 *
 * Context: Process context. May sleep, for reclaim.
 * Return: 0; -ENOMEM when this would be too much for the group, or one above, or
 * leave it nearly nothing.
 */
int heap_charge(struct obj_cgroup **payer, unsigned long nr_pages)
{
	unsigned long done, step;
	int ret;

	*payer = mem_accounting && memcg_kmem_online() ?
		 get_obj_cgroup_from_current() : NULL;
	if (!*payer)
		return 0;

	/* Reclaim would swap out all of the group, for nothing. */
	done = 0;
	ret = -ENOMEM;
	if (heap_charge_impossible(*payer, nr_pages))
		goto err_uncharge;

	for (done = 0; done < nr_pages; done += step) {
		step = min(nr_pages - done, HEAP_CHARGE_STEP);
		ret = obj_cgroup_charge(*payer, HEAP_CHARGE_GFP, step << PAGE_SHIFT);
		if (ret)
			goto err_uncharge;
	}

	ret = heap_charge_spare(*payer);
	if (ret)
		goto err_uncharge;
	return 0;

err_uncharge:
	heap_uncharge(*payer, done);
	*payer = NULL;
	return ret;
}

/**
 * heap_uncharge - what was paid for is gone
 * @payer: what heap_charge() made of it; NULL is fine
 * @nr_pages: as many as were charged
 *
 * Context: Any but NMI.
 */
void heap_uncharge(struct obj_cgroup *payer, unsigned long nr_pages)
{
	unsigned long step;

	if (!payer)
		return;
	for (; nr_pages; nr_pages -= step) {
		step = min(nr_pages, HEAP_CHARGE_STEP);
		obj_cgroup_uncharge(payer, step << PAGE_SHIFT);
	}
	obj_cgroup_put(payer);
}

/**
 * heap_charge_move - let a folio carry its part of a charge
 * @payer: what heap_charge() made of it; NULL is fine
 * @folio: a folio of the buffer, to which the caller has a reference
 *
 * For a folio that outlives its buffer. It becomes what a page allocated with
 * __GFP_ACCOUNT is, and the charge ends when the last reference goes, as for any
 * such page: __folio_put() and its relatives call mem_cgroup_uncharge() for the
 * folio's size. Nothing is charged or uncharged here; both ways count in the same
 * pages of the same cgroup.
 *
 * A kernel page must not get into the page cache, whose lists are those of the
 * folio's cgroup: the objcg of a cgroup that is removed goes to the parent and the
 * folio would be on a list of the wrong one. FUSE takes over pages out of a
 * pipe that have no other holder, and neither map nor flags that tell of a user.
 * Being dirty is such a flag, and freeing the page clears it. No heap's page is for
 * the page cache, so one that is charged to no cgroup is marked too.
 *
 * Context: Any.
 * Return: for how many pages heap_uncharge() must not be called any more.
 */
unsigned long heap_charge_move(struct obj_cgroup *payer, struct folio *folio)
{
	/* Whether it is charged or not. */
	folio_set_dirty(folio);
	if (!payer || WARN_ON_ONCE(folio->memcg_data))
		return 0;

	obj_cgroup_get(payer);
	WRITE_ONCE(folio->memcg_data, (unsigned long)payer | MEMCG_DATA_KMEM);
	return folio_nr_pages(folio);
}
