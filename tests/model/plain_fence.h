/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver of the fences of the models.
 */
#ifndef _PLAIN_FENCE_H
#define _PLAIN_FENCE_H

#include "model.h"

#include <linux/dma-fence.h>

static spinlock_t plain_lock;

static const char *plain_name(struct dma_fence *fence)
{
	return "plain";
}

static const struct dma_fence_ops plain_ops = {
	.get_driver_name = plain_name,
	.get_timeline_name = plain_name,
};

/* From dma-fence-wait.c, which is not part of the models: nothing here waits. */
signed long dma_fence_wait_timeout(struct dma_fence *fence, bool intr,
				   signed long timeout)
{
	model_fail("a wait");
}

signed long dma_fence_wait(struct dma_fence *fence, bool intr)
{
	model_fail("a wait");
}

#endif /* _PLAIN_FENCE_H */
