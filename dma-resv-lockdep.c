// SPDX-License-Identifier: GPL-2.0-only
/*
 * Teach lockdep the order of the locks around reservation objects, at boot
 *
 * The locks are taken once in the right order, before any driver may take them
 * in another one. From then on lockdep reports a wrong order at its first use,
 * even if it never deadlocks. Only built with CONFIG_LOCKDEP.
 *
 * The order, outermost first: mmap lock, ww_acquire_ctx, reservation lock,
 * memory reclaim; and within reclaim i_mmap, MMU notifiers, waiting for a
 * fence.
 */
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>

/*
 * Memory reclaim may unmap a file, as a shrinker that has trylocked a
 * reservation lock does, and it may wait for a fence, notably in an MMU
 * notifier. So code that a fence depends on must not enter reclaim.
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

/* Allocating is allowed under a reservation lock. */
static int dma_resv_prime_lock(struct dma_resv *obj,
			       struct address_space *mapping)
{
	struct ww_acquire_ctx ctx;
	int ret;

	ww_acquire_init(&ctx, &reservation_ww_class);

	/* CONFIG_DEBUG_WW_MUTEX_SLOWPATH injects -EDEADLK at random. */
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
 * Take all locks once, outermost first. Page faults hold the mmap lock and take
 * reservation locks.
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
