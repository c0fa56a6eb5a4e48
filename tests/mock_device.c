// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock device: KUnit's own device with what DMA needs besides.
 *
 * What it is:	a thin layer over kunit_device_register().
 * What it owns: the DMA parameters of each mock device, freed with its test.
 * Locks:	none.
 * May call:	KUnit, the driver core, the DMA mapping interface.
 * Never here:	anything about buffers or fences.
 * Units:	DMA masks are given as a number of address bits.
 */
#include <kunit/device.h>
#include <kunit/test.h>

#include <linux/atomic.h>
#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>

#include "mock_device.h"

/**
 * mock_device_create_bits - a mock device that addresses so much memory
 * @test: the running test case
 * @mask_bits: how many address bits the device drives, 1 to 64
 *
 * A narrow mask makes the platform bounce or refuse what lies above it.
 *
 * Context: Process context of the test; may sleep. Ends the test case when
 *	    there is no memory.
 * Return: the device, valid until the test case ends.
 */
struct device *mock_device_create_bits(struct kunit *test,
				       unsigned int mask_bits)
{
	static atomic_t count = ATOMIC_INIT(0);
	struct device_dma_parameters *parms;
	struct device *dev;
	char name[24];

	/* A test may want several, and a bus takes each name once. */
	snprintf(name, sizeof(name), "mock%d", atomic_inc_return(&count));

	/* Before the device: what it points to has to go after it. */
	parms = kunit_kzalloc(test, sizeof(*parms), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, parms);

	dev = kunit_device_register(test, name);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);

	dev->dma_parms = parms;
	dma_set_max_seg_size(dev, UINT_MAX);
	*dev->dma_mask = DMA_BIT_MASK(mask_bits);
	dev->coherent_dma_mask = DMA_BIT_MASK(mask_bits);
	return dev;
}

/**
 * mock_device_create - a mock device that reaches all memory
 * @test: the running test case
 *
 * Context: Process context of the test; may sleep. Ends the test case when
 *	    there is no memory.
 * Return: the device, valid until the test case ends.
 */
struct device *mock_device_create(struct kunit *test)
{
	return mock_device_create_bits(test, 64);
}

/**
 * mock_device_memory - the memory that a mock device would access
 * @dev: a mock device, which is behind no IOMMU
 * @addr: where it sees the memory, from a mapping; not highmem
 *
 * A transfer by the device is an access to this. Where memory bounces it is
 * the bounce buffer.
 *
 * Context: Any.
 * Return: address in the linear map, valid for what was mapped in one piece.
 */
void *mock_device_memory(struct device *dev, dma_addr_t addr)
{
	return phys_to_virt(dma_to_phys(dev, addr));
}
