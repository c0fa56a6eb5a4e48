/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Regions of contiguous memory that exist only to be experimented with
 */
#ifndef _DMABUF_LAB_REGIONS_H
#define _DMABUF_LAB_REGIONS_H

#include <linux/stddef.h>
#include <linux/types.h>

/* The node of regions.dts that describes a heap. */
#define DMABUF_LAB_FRAMES	"lab-frames@30000000"
#define DMABUF_LAB_FRAMES_BASE	0x30000000
#define DMABUF_LAB_FRAMES_SIZE	0x400000

/* Handed over by a driver before there were heaps. */
#define DMABUF_LAB_EARLY	"lab-early"

/**
 * struct dmabuf_lab_regions - what became of handing over regions
 * @tree: the device tree is that of regions.dts
 * @early: result for one that is handed over before there are heaps
 * @again: the same for that one, as often as there may be regions in all
 * @too_many: the same, once more
 * @late: result for one that is handed over when there are heaps
 * @twice: the same for that one, once more
 * @late_name: what CMA itself calls that one
 */
struct dmabuf_lab_regions {
	bool tree;
	int early;
	int again;
	int too_many;
	int late;
	int twice;
	const char *late_name;
};

#ifdef CONFIG_DMABUF_LAB_REGIONS
const struct dmabuf_lab_regions *dmabuf_lab_regions(void);
#else
static inline const struct dmabuf_lab_regions *dmabuf_lab_regions(void)
{
	return NULL;
}
#endif

#endif /* _DMABUF_LAB_REGIONS_H */
