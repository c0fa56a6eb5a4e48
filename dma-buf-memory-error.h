/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory errors: whether there has been any, which exporters ask before they
 * look at each page
 */
#ifndef _DMA_BUF_MEMORY_ERROR_H
#define _DMA_BUF_MEMORY_ERROR_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/kconfig.h>
#include <linux/mm.h>
#include <linux/types.h>

/*
 * Test whether the machine has had a memory error, so that pages have to be
 * tested one by one. A module cannot read the counter, and always tests them.
 */
static inline bool dma_buf_memory_has_errors(void)
{
#if defined(CONFIG_MEMORY_FAILURE) && !defined(MODULE)
	return unlikely(atomic_long_read(&num_poisoned_pages));
#else
	return IS_ENABLED(CONFIG_MEMORY_FAILURE);
#endif
}

#endif /* _DMA_BUF_MEMORY_ERROR_H */
