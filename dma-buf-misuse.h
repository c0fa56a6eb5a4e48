/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The answer of every layer to a caller's mistake: one warning, then an error.
 *
 * A KUnit case that makes a mistake on purpose announces it by replacing
 * dma_buf_misuse_expected() with a static stub that returns true. So the
 * refusal can be tested while every other warning in the log stays a failure.
 */
#ifndef _DMA_BUF_MISUSE_H
#define _DMA_BUF_MISUSE_H

#include <linux/bug.h>
#include <linux/kconfig.h>
#include <linux/types.h>

#if IS_ENABLED(CONFIG_KUNIT)
bool dma_buf_misuse_expected(void);
#else
static inline bool dma_buf_misuse_expected(void)
{
	return false;
}
#endif

/**
 * dma_buf_misuse() - check for a caller's mistake
 * @mistake: the condition that must not be true
 *
 * Warns the first time at each place.
 *
 * Context: Any.
 * Return: @mistake, as a bool.
 */
#define dma_buf_misuse(mistake)						\
({									\
	bool __mistake = !!(mistake);					\
									\
	WARN_ON_ONCE(__mistake && !dma_buf_misuse_expected());		\
	unlikely(__mistake);						\
})

#endif /* _DMA_BUF_MISUSE_H */
