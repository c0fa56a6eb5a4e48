// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deadline hints, from waiters to drivers
 *
 * The driver may go once its fence has signalled, so the op is called inside an
 * rcu_read_lock() section in which the fence was pending.
 */
#include <linux/dma-fence.h>
#include <linux/export.h>

/**
 * DOC: deadline hints
 *
 * Devices lower their clocks when they are idle, and power management judges by
 * their utilisation. Work with gaps, such as one frame and then a pause, looks
 * idle, runs slowly and misses the next vertical blank although the device
 * could meet it.
 *
 * So a waiter may say by when it needs the result, with
 * dma_fence_set_deadline(). Containers pass it on to their members. The driver
 * may raise its clocks, or ignore it.
 *
 * It is a hint. A fence with a deadline does not promise to meet it, and a
 * missed one is not reported. Compositors set it through
 * SYNC_IOC_SET_DEADLINE, atomic commits set it to the next vblank.
 */

/**
 * dma_fence_set_deadline - tell the driver by when a result is needed
 * @fence: the fence
 * @deadline: CLOCK_MONOTONIC; a time in the past means as soon as possible
 *
 * A hint, see the section on deadline hints. Has no effect when the fence has
 * signalled or its driver lacks the op.
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
