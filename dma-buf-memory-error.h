/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory errors: whether there has been any, which is asked before each page is
 * looked at, and how much of a range has none
 */
#ifndef _DMA_BUF_MEMORY_ERROR_H
#define _DMA_BUF_MEMORY_ERROR_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/kconfig.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
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

/*
 * Bytes from @offset of @page on before the first page with a memory error; all
 * @bytes in most cases.
 */
static inline size_t dma_buf_memory_sound(struct page *page, size_t offset,
					  size_t bytes)
{
	size_t at = offset >> PAGE_SHIFT;

	if (!dma_buf_memory_has_errors())
		return bytes;
	for (; at << PAGE_SHIFT < offset + bytes; at++)
		if (PageHWPoison(nth_page(page, at)))
			return max(at << PAGE_SHIFT, offset) - offset;
	return bytes;
}

#endif /* _DMA_BUF_MEMORY_ERROR_H */
