// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description of the test module, which holds all suites.
 */
#include <linux/module.h>

MODULE_DESCRIPTION("KUnit suites of the dma-buf subsystem");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
