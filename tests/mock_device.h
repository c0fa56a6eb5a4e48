/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock device: something to attach to a buffer.
 *
 * What it is:	the only fake device of the test module. It is a real, registered
 *		struct device with a DMA mask and DMA parameters, so that
 *		dma_map_sgtable() and its relatives take it for a bus master;
 *		there is only no hardware behind it that would ever transfer.
 * Life:	belongs to the test case; unregistered when the case ends.
 */
#ifndef _DMA_BUF_TESTS_MOCK_DEVICE_H
#define _DMA_BUF_TESTS_MOCK_DEVICE_H

#include <linux/types.h>

struct device;
struct kunit;

struct device *mock_device_create(struct kunit *test);
struct device *mock_device_create_bits(struct kunit *test,
				       unsigned int mask_bits);
void *mock_device_memory(struct device *dev, dma_addr_t addr);

#endif /* _DMA_BUF_TESTS_MOCK_DEVICE_H */
