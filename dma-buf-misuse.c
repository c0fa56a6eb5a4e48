// SPDX-License-Identifier: GPL-2.0-only
/*
 * The function that KUnit cases replace to announce a mistake.
 *
 * It needs one address in the whole kernel to be redirected, so it cannot be
 * an inline of dma-buf-misuse.h. Built only with CONFIG_KUNIT.
 */
#include <kunit/static_stub.h>
#include <kunit/visibility.h>

#include "dma-buf-misuse.h"

/**
 * dma_buf_misuse_expected - test whether the running test expects a mistake
 *
 * Called only after a mistake was found, so its cost does not matter.
 *
 * Context: Any.
 * Return: false, unless a KUnit case has activated a static stub.
 */
bool dma_buf_misuse_expected(void)
{
	KUNIT_STATIC_STUB_REDIRECT(dma_buf_misuse_expected);
	return false;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_misuse_expected);
