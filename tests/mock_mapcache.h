/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mapping cache as a test needs it: turned on, and as it was when the test
 * ends.
 */
#ifndef _DMA_BUF_TESTS_MOCK_MAPCACHE_H
#define _DMA_BUF_TESTS_MOCK_MAPCACHE_H

struct dma_buf_pages;
struct kunit;

void mock_mapcache_save(struct kunit *test);
unsigned int mock_mapcache_count_idle(const struct dma_buf_pages *pages);

#endif /* _DMA_BUF_TESTS_MOCK_MAPCACHE_H */
