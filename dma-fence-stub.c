// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stub fences, signalled from the start
 *
 * One stub is shared by all callers that need no time of signalling of their
 * own. It signals at early_initcall, before any driver, so that readers need
 * neither a lock nor a check.
 */
#include <linux/dma-fence.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/slab.h>

static const char *dma_fence_stub_name(struct dma_fence *fence)
{
	return "stub";
}

static const struct dma_fence_ops dma_fence_stub_ops = {
	.get_driver_name	= dma_fence_stub_name,
	.get_timeline_name	= dma_fence_stub_name,
};

static DEFINE_SPINLOCK(dma_fence_stub_lock);
static struct dma_fence dma_fence_stub;

static void dma_fence_stub_setup(struct dma_fence *fence, ktime_t timestamp)
{
	dma_fence_init(fence, &dma_fence_stub_ops, &dma_fence_stub_lock, 0, 0);
	__set_bit(DMA_FENCE_FLAG_NAMES_STAY_BIT, &fence->flags);
	/* Signalling counts as enabled, so a wait does not take the lock. */
	__set_bit(DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT, &fence->flags);
	dma_fence_signal_timestamp(fence, timestamp);
}

static int __init dma_fence_stub_boot(void)
{
	dma_fence_stub_setup(&dma_fence_stub, ktime_get());
	return 0;
}
early_initcall(dma_fence_stub_boot);

/**
 * dma_fence_get_stub - get a fence that has always been signalled
 *
 * All callers get the same fence, which signalled at boot.
 *
 * Context: Any.
 * Return: the fence, with a reference for the caller.
 */
struct dma_fence *dma_fence_get_stub(void)
{
	return dma_fence_get(&dma_fence_stub);
}
EXPORT_SYMBOL(dma_fence_get_stub);

/**
 * dma_fence_allocate_private_stub - allocate a fence that has signalled
 * @timestamp: its time of signalling, CLOCK_MONOTONIC
 *
 * Context: Process context; may sleep.
 * Return: the fence, with a reference for the caller, or NULL when out of
 *	   memory.
 */
struct dma_fence *dma_fence_allocate_private_stub(ktime_t timestamp)
{
	struct dma_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	if (fence)
		dma_fence_stub_setup(fence, timestamp);

	return fence;
}
EXPORT_SYMBOL(dma_fence_allocate_private_stub);
