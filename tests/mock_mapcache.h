/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mapping cache as a test needs it: turned on, and as it was when the test
 * ends.
 */
#ifndef _DMA_BUF_TESTS_MOCK_MAPCACHE_H
#define _DMA_BUF_TESTS_MOCK_MAPCACHE_H

struct kunit;

void mock_mapcache_save(struct kunit *test);

#endif /* _DMA_BUF_TESTS_MOCK_MAPCACHE_H */
