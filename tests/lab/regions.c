// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions of contiguous memory, as boards and their drivers have them
 *
 * What it is: with "dmabuf_lab_regions" on the kernel command line, the regions of
 * regions.dts, and two that a driver hands over: one before there are heaps, and
 * one after. The tree is for the boot loader to pass on.
 * What it owns: the regions, for good.
 * Locks: none; one thing after another, as the machine boots.
 * May call: memblock, CMA, the CMA heap.
 * Never here: what ought to become of it; that is cma_heap_kunit.c's to say.
 * Units: bytes.
 */
#include <linux/cma.h>
#include <linux/dma-buf/heaps/cma.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/memblock.h>
#include <linux/of.h>
#include <linux/printk.h>
#include <linux/sizes.h>

#include "regions.h"

#define LAB_REGIONS_PARAMETER	"dmabuf_lab_regions"

/**
 * struct lab_region - a region to set aside
 * @name: what it is called; NULL for what CMA makes up
 * @base: where it is; 0 for anywhere
 * @size: how large it is
 */
struct lab_region {
	const char *name;
	phys_addr_t base;
	phys_addr_t size;
};

static const struct lab_region lab_regions[] __initconst = {
	{ "lab-private@30400000", 0x30400000, SZ_2M },
	{ "lab-vendor@30600000", 0x30600000, SZ_2M },
	{ "lab-disabled@30800000", 0x30800000, SZ_2M },
	{ DMABUF_LAB_EARLY, 0, SZ_2M },
	{ NULL, 0, SZ_2M },
};

/* The last two. */
#define LAB_REGION_EARLY	(ARRAY_SIZE(lab_regions) - 2)
#define LAB_REGION_LATE		(ARRAY_SIZE(lab_regions) - 1)

static struct cma *lab_areas[ARRAY_SIZE(lab_regions)] __initdata;
static struct dmabuf_lab_regions lab_results __ro_after_init;
static bool lab_has_regions __ro_after_init;

/*
 * The kernel makes a region of what the tree says, but to keep others out before
 * that is up to the architecture, and x86 does not.
 */
static int __init lab_regions_reserve(char *unused)
{
	return memblock_reserve(DMABUF_LAB_FRAMES_BASE, DMABUF_LAB_FRAMES_SIZE);
}
early_param(LAB_REGIONS_PARAMETER, lab_regions_reserve);

/*
 * The others, and also such as no heap must be made of although CMA has them. Memory
 * can be set aside while the command line is read, and not later.
 */
static int __init lab_regions_setup(char *unused)
{
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(lab_regions); i++) {
		ret = cma_declare_contiguous(lab_regions[i].base, lab_regions[i].size,
					     0, 0, 0, lab_regions[i].base,
					     lab_regions[i].name, &lab_areas[i]);
		if (ret) {
			pr_err("lab: no region %s: %d\n",
			       lab_regions[i].name ?: "without a name", ret);
			return 1;
		}
	}
	lab_has_regions = true;
	return 1;
}
__setup(LAB_REGIONS_PARAMETER, lab_regions_setup);

static int __init lab_regions_hand_over_early(void)
{
	struct cma *cma = lab_areas[LAB_REGION_EARLY];
	struct device_node *node;
	unsigned int i;

	if (!lab_has_regions)
		return 0;

	node = of_find_node_by_path("/reserved-memory/" DMABUF_LAB_FRAMES);
	lab_results.tree = node;
	of_node_put(node);

	lab_results.early = dma_heap_cma_register_heap(cma);
	for (i = 1; i < MAX_CMA_AREAS && !lab_results.again; i++)
		lab_results.again = dma_heap_cma_register_heap(cma);
	lab_results.too_many = dma_heap_cma_register_heap(cma);
	return 0;
}
postcore_initcall(lab_regions_hand_over_early);

static int __init lab_regions_hand_over_late(void)
{
	struct cma *cma = lab_areas[LAB_REGION_LATE];

	if (!lab_has_regions)
		return 0;

	lab_results.late = dma_heap_cma_register_heap(cma);
	lab_results.twice = dma_heap_cma_register_heap(cma);
	lab_results.late_name = cma_get_name(cma);
	return 0;
}
late_initcall(lab_regions_hand_over_late);

/**
 * dmabuf_lab_regions - what became of handing over regions
 *
 * Context: Any.
 * Return: the results, or NULL when this machine has no such regions.
 */
const struct dmabuf_lab_regions *dmabuf_lab_regions(void)
{
	return lab_has_regions ? &lab_results : NULL;
}
EXPORT_SYMBOL_GPL(dmabuf_lab_regions);
