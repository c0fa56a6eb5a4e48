// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deadline hints of fences.
 */
#include <linux/dma-fence.h>
#include <linux/export.h>

/**
 * DOC: deadline hints
 *
 * Devices clock down when they are idle, and power management judges by how busy
 * they were. Work with gaps in it, one frame and then a pause, looks idle, runs
 * slowly and misses the next vertical blank although the device could do it.
 *
 * So one who waits may say until when the result is of use, with
 * dma_fence_set_deadline(). Containers pass it on to what they contain. The
 * driver at the end may raise its clocks, or leave it.
 *
 * It is a hint. A fence with a deadline makes no promise to meet it, and no one
 * is told when it does not. Compositors set it through
 * SYNC_IOC_SET_DEADLINE, atomic commits set it to the next vblank.
 */

/**
 * dma_fence_set_deadline - say until when the result is of use
 * @fence: the fence
 * @deadline: CLOCK_MONOTONIC; in the past means as soon as possible
 *
 * A hint, see the section on deadline hints. Nothing happens when the fence has
 * signalled or its driver does not care.
 *
 * Context: Any, without &dma_fence.lock.
 */
void dma_fence_set_deadline(struct dma_fence *fence, ktime_t deadline)
{
	guard(rcu)();
	if (dma_fence_is_signaled(fence))
		return;

	if (fence->ops->set_deadline)
		fence->ops->set_deadline(fence, deadline);
}
EXPORT_SYMBOL(dma_fence_set_deadline);
