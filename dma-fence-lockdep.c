// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lockdep is told about fences
 *
 * One lockdep map stands for the completion of all fences: code that a fence
 * depends on holds it for reading, code that waits takes it for writing. No
 * per-fence state, and nothing is built without CONFIG_LOCKDEP.
 */
#include <linux/dma-fence.h>
#include <linux/export.h>
#include <linux/lockdep.h>
#include <linux/preempt.h>

/**
 * DOC: fence signalling annotation
 *
 * Deadlocks between fences and locks take several drivers and rare timing, so
 * tests hardly show them. Lockdep finds them without the timing, if it is told
 * two things.
 *
 * Where signalling depends on code: a driver encloses everything that runs
 * between the publishing of a fence and its signalling, on whatever thread,
 * in dma_fence_begin_signalling() and dma_fence_end_signalling(), or puts
 * ``guard(dma_fence_signalling)()`` at the top of a scope. For lockdep that is
 * a read lock. Typical places are the tail of a submission, the workers of a
 * scheduler, the handler that resets a hung device, interrupt threads.
 *
 * Where code depends on signalling: each function that waits for a fence says
 * so, whether it has to sleep this time or not. For lockdep that takes and
 * drops the same lock for writing.
 *
 * A lock that is held around a wait in one place and taken inside such a
 * section in another closes a circle, and lockdep reports it when each side has
 * run once, together or not. Memory reclaim is part of it: at boot dma-resv
 * tells lockdep that reclaim and MMU notifiers may wait for fences.
 *
 * Two sections never wait for each other. Lockdep reports a lock that is held
 * around one and taken inside another all the same, since between the two
 * there may be a wait that has not run yet.
 *
 * Two cases cannot be checked. A section in atomic context is ignored, since a
 * wait is forbidden there anyway and found by might_sleep(). A wait for one
 * fence inside the section of another is allowed: it is right if that fence is
 * an earlier one, which lockdep cannot know.
 */

static struct lockdep_map dma_fence_map =
	STATIC_LOCKDEP_MAP_INIT("dma_fence_map", &dma_fence_map);

/**
 * dma_fence_begin_signalling - begin a section that a fence depends on
 *
 * May be nested; only the outermost section counts. A section must begin and
 * end in the same task. Does nothing without lockdep.
 *
 * Context: Any; ignored in atomic context.
 * Return: a cookie for dma_fence_end_signalling().
 */
bool dma_fence_begin_signalling(void)
{
	/*
	 * True means that no section was opened, so none is to be closed. Code
	 * with preemption disabled cannot wait, so it need not be checked.
	 */
	if (preempt_count() || lock_is_held(&dma_fence_map))
		return true;

	lock_acquire_shared(&dma_fence_map, 0, 0, NULL, _RET_IP_);
	return false;
}
EXPORT_SYMBOL(dma_fence_begin_signalling);

/**
 * dma_fence_end_signalling - end a section that a fence depends on
 * @cookie: the return value of the matching dma_fence_begin_signalling()
 *
 * Context: As at the beginning of the section.
 */
void dma_fence_end_signalling(bool cookie)
{
	if (!cookie)
		lock_release(&dma_fence_map, _RET_IP_);
}
EXPORT_SYMBOL(dma_fence_end_signalling);

/* Tell lockdep that the caller may wait for a fence, whether it will or not. */
void __dma_fence_might_wait(void)
{
	bool inside = lock_is_held(&dma_fence_map);

	/* Waiting for an earlier fence inside a section is allowed. */
	if (inside)
		lock_release(&dma_fence_map, _THIS_IP_);

	lock_map_acquire(&dma_fence_map);
	lock_map_release(&dma_fence_map);

	if (inside)
		lock_acquire_shared(&dma_fence_map, 0, 0, NULL, _THIS_IP_);
}
