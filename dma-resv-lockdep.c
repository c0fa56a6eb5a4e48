// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lockdep is told about reservation locks at boot
 *
 * What it is: one walk through all the locks around a reservation object, in
 * the order that everybody has to follow. Who takes them the other way round
 * is reported from then on, even if it never comes to a deadlock.
 * What it owns: nothing; what it locks lives for the duration of the walk.
 * Locks, outermost first: mmap lock, transaction, reservation lock, memory
 * reclaim, and within that i_mmap, MMU notifiers, waiting for a fence.
 * May call: dma-resv, dma-fence, the memory management.
 * Never here: anything without CONFIG_LOCKDEP.
 */
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>

/*
 * Inside of memory reclaim one may unmap a file (a shrinker that has trylocked
 * a reservation lock does), and one may wait for a fence, notably from an MMU
 * notifier. So nobody on whom a fence depends may be caught in reclaim.
 */
static void dma_resv_prime_reclaim(struct address_space *mapping)
{
	fs_reclaim_acquire(GFP_KERNEL);

	i_mmap_lock_write(mapping);
	i_mmap_unlock_write(mapping);

#ifdef CONFIG_MMU_NOTIFIER
	lock_map_acquire(&__mmu_notifier_invalidate_range_start_map);
#endif
	__dma_fence_might_wait();
#ifdef CONFIG_MMU_NOTIFIER
	lock_map_release(&__mmu_notifier_invalidate_range_start_map);
#endif

	fs_reclaim_release(GFP_KERNEL);
}

/* Under a reservation lock one may allocate; the transaction comes before it. */
static int dma_resv_prime_lock(struct dma_resv *obj,
			       struct address_space *mapping)
{
	struct ww_acquire_ctx ctx;
	int ret;

	ww_acquire_init(&ctx, &reservation_ww_class);

	/* The slow path debugging of ww_mutex makes up contention at random. */
	ret = dma_resv_lock(obj, &ctx);
	if (ret == -EDEADLK) {
		dma_resv_lock_slow(obj, &ctx);
		ret = 0;
	}
	if (!ret) {
		dma_resv_prime_reclaim(mapping);
		dma_resv_unlock(obj);
	}

	ww_acquire_fini(&ctx);
	return ret;
}

/*
 * Walk through the whole order once, outermost lock first, before any driver
 * has a chance to do so the wrong way round. Page faults come in with the mmap
 * lock held and take reservation locks.
 */
static int __init dma_resv_prime_lockdep(void)
{
	struct address_space mapping;
	struct dma_resv obj;
	struct mm_struct *mm;
	int ret;

	mm = mm_alloc();
	if (!mm)
		return -ENOMEM;

	address_space_init_once(&mapping);
	dma_resv_init(&obj);

	mmap_read_lock(mm);
	ret = dma_resv_prime_lock(&obj, &mapping);
	mmap_read_unlock(mm);

	dma_resv_fini(&obj);
	mmput(mm);
	return ret;
}
subsys_initcall(dma_resv_prime_lockdep);
