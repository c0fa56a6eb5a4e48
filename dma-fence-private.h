/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the core of fences offers to containers only. Drivers use
 * <linux/dma-fence.h>.
 */
#ifndef _DMA_FENCE_PRIVATE_H
#define _DMA_FENCE_PRIVATE_H

#include <linux/dma-fence.h>

bool dma_fence_add_callback_rcu(struct dma_fence *fence,
				struct dma_fence_cb *cb, dma_fence_func_t func);

#endif /* _DMA_FENCE_PRIVATE_H */
