// SPDX-License-Identifier: GPL-2.0-only
/*
 * Model of dma-buf-pages.c: every byte is where it is looked for
 *
 * The twin is one array: what each byte of the buffer is, by the last one that was
 * to write it. Devices and programs take turns as fences and brackets order
 * them; programs write side by side, in the same cache line, too. Meanwhile the CPU
 * fetches lines that it was not asked for and writes dirty ones back, whenever it
 * likes. Each read is compared with the twin.
 */
#include <linux/dma-buf-pages.h>

#include "dma.h"
#include "model.h"

#include "../../dma-buf-pages-private.h"

#define MODEL_PAGES	6
#define MODEL_SIZE	(MODEL_PAGES * PAGE_SIZE)
#define MODEL_LINES	(MODEL_SIZE / MODEL_LINE)
#define MODEL_DEVICES	3

/* Memory, and the lines of it that the CPU's cache has. */
static u8 memory[MODEL_SIZE];
static struct {
	bool valid, dirty;
	u8 data[MODEL_LINE];
} cache[MODEL_LINES];

/* Of each direction one, at most; they do not all have to be there. */
static struct model_device {
	struct device dev;
	struct dma_buf_pages_mapping *mapping;
	/* Kept for the next use, without a mapping in use. */
	struct dma_buf_pages_mapping *idle;
	u8 copy[MODEL_SIZE];
} devices[MODEL_DEVICES];

/* The buffer's pages lie in memory in another order, in runs of 2, 1 and 3. */
static const unsigned int page_at[MODEL_PAGES] = { 4, 5, 3, 0, 1, 2 };
struct page model_pages[MODEL_PAGES];
static struct dma_buf_pages pages;
static u8 truth[MODEL_SIZE];
/* What is written next. */
static u8 fresh;

static phys_addr_t where(size_t offset)
{
	return page_at[offset / PAGE_SIZE] * PAGE_SIZE + offset % PAGE_SIZE;
}

/* ---- the CPU's cache */

static void line_fetch(unsigned int line)
{
	if (cache[line].valid)
		return;
	memcpy(cache[line].data, memory + line * MODEL_LINE, MODEL_LINE);
	cache[line].valid = true;
	cache[line].dirty = false;
}

static void line_write_back(unsigned int line)
{
	if (cache[line].valid && cache[line].dirty)
		memcpy(memory + line * MODEL_LINE, cache[line].data, MODEL_LINE);
	cache[line].dirty = false;
}

/* As machines do it that have no better instruction. */
static void line_invalidate(unsigned int line)
{
	cache[line].valid = false;
	cache[line].dirty = false;
}

static void each_line(phys_addr_t paddr, size_t size, void (*each)(unsigned int))
{
	unsigned int line;

	for (line = paddr / MODEL_LINE; line * MODEL_LINE < paddr + size; line++)
		each(line);
}

static u8 cpu_read(phys_addr_t paddr)
{
	line_fetch(paddr / MODEL_LINE);
	return cache[paddr / MODEL_LINE].data[paddr % MODEL_LINE];
}

static void cpu_write(phys_addr_t paddr, u8 byte)
{
	line_fetch(paddr / MODEL_LINE);
	cache[paddr / MODEL_LINE].data[paddr % MODEL_LINE] = byte;
	cache[paddr / MODEL_LINE].dirty = true;
}

/* ---- the DMA API */

void arch_sync_dma_for_device(phys_addr_t paddr, size_t size,
			      enum dma_data_direction dir)
{
	each_line(paddr, size, dir == DMA_FROM_DEVICE ? line_invalidate :
						       line_write_back);
}

void arch_sync_dma_for_cpu(phys_addr_t paddr, size_t size,
			   enum dma_data_direction dir)
{
	if (dir != DMA_TO_DEVICE)
		each_line(paddr, size, line_invalidate);
}

static void copy_in(struct device *dev, phys_addr_t paddr, size_t size)
{
	for (; size; size--, paddr++)
		dev->copy[paddr] = cpu_read(paddr);
}

static void copy_out(struct device *dev, phys_addr_t paddr, size_t size)
{
	for (; size; size--, paddr++)
		cpu_write(paddr, dev->copy[paddr]);
}

/* A mapping may be synced in its own direction, or in any if it is for both. */
static void check_direction(struct device *dev, enum dma_data_direction dir)
{
	model_check(dir != DMA_NONE && dev->mapped != DMA_NONE);
	model_check(dev->mapped == DMA_BIDIRECTIONAL || dev->mapped == dir);
}

void dma_sync_single_for_cpu(struct device *dev, dma_addr_t addr, size_t size,
			     enum dma_data_direction dir)
{
	check_direction(dev, dir);
	if (dev->bounces && dir != DMA_TO_DEVICE)
		copy_out(dev, addr, size);
	else if (!dev->bounces && !dev->coherent)
		arch_sync_dma_for_cpu(addr, size, dir);
}

void dma_sync_single_for_device(struct device *dev, dma_addr_t addr, size_t size,
				enum dma_data_direction dir)
{
	check_direction(dev, dir);
	if (dev->bounces && dir != DMA_FROM_DEVICE)
		copy_in(dev, addr, size);
	else if (!dev->bounces && !dev->coherent)
		arch_sync_dma_for_device(addr, size, dir);
}

void dma_sync_sgtable_for_cpu(struct device *dev, struct sg_table *sgt,
			      enum dma_data_direction dir)
{
	unsigned int i;

	for (i = 0; i < sgt->nents; i++)
		dma_sync_single_for_cpu(dev, sgt->sgl[i].phys,
					sgt->sgl[i].length, dir);
}

void dma_sync_sgtable_for_device(struct device *dev, struct sg_table *sgt,
				 enum dma_data_direction dir)
{
	unsigned int i;

	for (i = 0; i < sgt->nents; i++)
		dma_sync_single_for_device(dev, sgt->sgl[i].phys,
					   sgt->sgl[i].length, dir);
}

int dma_map_sgtable(struct device *dev, struct sg_table *sgt,
		    enum dma_data_direction dir, unsigned long attrs)
{
	unsigned int i;

	model_check(attrs == DMA_ATTR_SKIP_CPU_SYNC);
	model_check(dev->mapped == DMA_NONE);
	dev->mapped = dir;
	/* Whatever the attributes are: a device may not write all of it. */
	for (i = 0; dev->bounces && i < sgt->nents; i++)
		copy_in(dev, sgt->sgl[i].phys, sgt->sgl[i].length);
	dev->need_sync |= dev->bounces;
	return 0;
}

void dma_unmap_sgtable(struct device *dev, struct sg_table *sgt,
		       enum dma_data_direction dir, unsigned long attrs)
{
	model_check(attrs == DMA_ATTR_SKIP_CPU_SYNC);
	model_check(dev->mapped == dir);
	dev->mapped = DMA_NONE;
	if (dev->bounces)
		memset(dev->copy, 0xff, MODEL_SIZE);
}

static void program_looks(void);

/* ---- devices */

/* Memory as the device sees it; a coherent one has the cache in its way. */
static u8 device_read(struct model_device *device, phys_addr_t paddr)
{
	if (device->dev.bounces)
		return device->copy[paddr];
	return device->dev.coherent ? cpu_read(paddr) : memory[paddr];
}

static void device_write(struct model_device *device, phys_addr_t paddr, u8 byte)
{
	if (device->dev.bounces)
		device->copy[paddr] = byte;
	else if (device->dev.coherent)
		cpu_write(paddr, byte);
	else
		memory[paddr] = byte;
}

static void device_map(struct model_input *in, struct model_device *device)
{
	unsigned int kind = model_pick(in, 3);

	/* What it maps is memory, and not a copy that another device has. */
	program_looks();
	memset(&device->dev, 0, sizeof(device->dev));
	device->dev.copy = device->copy;
	device->dev.bounces = kind == 1;
	device->dev.coherent = kind != 2;
	device->dev.need_sync = kind == 2 || (kind == 1 && model_pick(in, 2));
	device->dev.mapped = DMA_NONE;
	device->mapping = dma_buf_pages_map_device(&pages, &device->dev,
						   device - devices);
	model_check(!IS_ERR(device->mapping));
	model_check(list_empty(&device->mapping->node) !=
		    dma_dev_need_sync(&device->dev));
}

static void device_unmap(struct model_device *device)
{
	dma_buf_pages_unmap_device(&pages, device->mapping);
	device->mapping = NULL;
}

static void device_suspend(struct model_device *device)
{
	device->idle = device->mapping;
	device->mapping = NULL;
	dma_buf_pages_suspend_mapping(&pages, device->idle);
	model_check(list_empty(&device->idle->node));
}

static void device_resume(struct model_device *device)
{
	/* As for a map. */
	program_looks();
	device->mapping = device->idle;
	device->idle = NULL;
	dma_buf_pages_resume_mapping(&pages, device->mapping);
	model_check(list_empty(&device->mapping->node) ==
		    !device->mapping->pieces);
}

static void device_drop(struct model_device *device)
{
	dma_buf_pages_destroy_mapping(device->idle);
	device->idle = NULL;
}

/* Another importer of the device comes, and gets a table of its own. */
static void device_share(struct model_device *device)
{
	struct dma_buf_pages_mapping *copy;
	unsigned int i;

	program_looks();
	copy = dma_buf_pages_copy_mapping(&pages, device->mapping);
	model_check(copy);
	model_check(copy->sgt.nents == device->mapping->sgt.nents);
	for (i = 0; i < copy->sgt.nents; i++)
		model_check(copy->sgt.sgl[i].phys ==
			    device->mapping->sgt.sgl[i].phys &&
			    copy->sgt.sgl[i].length ==
			    device->mapping->sgt.sgl[i].length);
	dma_buf_pages_sync_shared(&pages, device->mapping);
	kfree(copy);
}

/* ---- turns */

/* What a CPU may do at any time, and a program cannot see. */
static void cpu_meddles(struct model_input *in)
{
	unsigned int times = model_pick(in, 16), line;

	while (times--) {
		line = model_pick(in, MODEL_LINES);
		if (model_pick(in, 2))
			line_fetch(line);
		else
			line_write_back(line);
		if (!cache[line].dirty && model_pick(in, 4) == 0)
			line_invalidate(line);
	}
}

struct range {
	size_t offset, length;
	enum dma_data_direction dir;
};

static void range_pick(struct model_input *in, struct range *range, size_t from,
		       size_t to)
{
	range->offset = from + model_pick(in, to - from);
	range->length = 1 + model_pick(in, to - range->offset);
	range->dir = model_pick(in, 3);
}

static void program_begin(struct range *range)
{
	mutex_lock(&pages.lock);
	dma_buf_pages_sync_devices(&pages, range->dir, range->offset,
				   range->length, false);
	mutex_unlock(&pages.lock);
}

/* One that only writes, writes all of it: that is what it has said. */
static void program_access(struct range *range)
{
	size_t at;

	for (at = range->offset; at < range->offset + range->length; at++) {
		if (range->dir != DMA_TO_DEVICE)
			model_check(cpu_read(where(at)) == truth[at]);
		if (range->dir == DMA_FROM_DEVICE)
			continue;
		truth[at] = ++fresh;
		cpu_write(where(at), truth[at]);
	}
}

static void program_end(struct range *range)
{
	mutex_lock(&pages.lock);
	dma_buf_pages_sync_devices(&pages, range->dir, range->offset,
				   range->length, true);
	mutex_unlock(&pages.lock);
}

/* Two programs, or threads, each with a part of its own, in any order. */
static void programs_turn(struct model_input *in)
{
	size_t border = 1 + model_pick(in, MODEL_SIZE - 1);
	struct range ranges[2];
	unsigned int step[2] = { 0, 0 }, i;

	range_pick(in, &ranges[0], 0, border);
	range_pick(in, &ranges[1], border, MODEL_SIZE);
	/* As close as can be. */
	if (model_pick(in, 2)) {
		ranges[0].length = border - ranges[0].offset;
		ranges[1].length += ranges[1].offset - border;
		ranges[1].offset = border;
	}
	if (model_pick(in, 4) == 0) {
		ranges[0].offset = 0;
		ranges[0].length = MODEL_SIZE;
		step[1] = 3;
	}

	while (step[0] < 3 || step[1] < 3) {
		i = model_pick(in, 2);
		if (step[i] == 3)
			i = !i;
		cpu_meddles(in);
		switch (step[i]++) {
		case 0:
			program_begin(&ranges[i]);
			break;
		case 1:
			program_access(&ranges[i]);
			break;
		default:
			program_end(&ranges[i]);
			break;
		}
	}
}

/* A program looks at everything, and so brings what one device wrote to others. */
static void program_looks(void)
{
	struct range all = { 0, MODEL_SIZE, DMA_FROM_DEVICE };

	program_begin(&all);
	program_access(&all);
	program_end(&all);
}

static unsigned int nr_mapped(void)
{
	unsigned int i, nr = 0;

	for (i = 0; i < MODEL_DEVICES; i++)
		nr += !!devices[i].mapping;
	return nr;
}

/* A device's turn is over when its fence signals. */
static void device_turn(struct model_input *in, struct model_device *device)
{
	struct range range;
	size_t at;

	/* One that the device may write to is shared if it needs no syncs. */
	if (model_pick(in, 4) == 0 && (device->mapping->dir == DMA_TO_DEVICE ||
				       !device->mapping->pieces))
		device_share(device);
	range_pick(in, &range, 0, MODEL_SIZE);
	for (at = range.offset; at < range.offset + range.length; at++) {
		if (device->mapping->dir != DMA_FROM_DEVICE)
			model_check(device_read(device, where(at)) == truth[at]);
		if (device->mapping->dir == DMA_TO_DEVICE)
			continue;
		truth[at] = ++fresh;
		device_write(device, where(at), truth[at]);
		if (at % 64 == 0)
			cpu_meddles(in);
	}
	if (nr_mapped() > 1 || model_pick(in, 2))
		program_looks();
}

/* Copies of several that write are each one's own: there is one writer at a time. */
static bool may_map(struct model_device *device)
{
	if (device == &devices[DMA_TO_DEVICE])
		return true;
	return !devices[DMA_FROM_DEVICE].mapping &&
	       !devices[DMA_BIDIRECTIONAL].mapping;
}

static void run_step(struct model_input *in)
{
	struct model_device *device = &devices[model_pick(in, MODEL_DEVICES)];

	cpu_meddles(in);
	switch (model_pick(in, 8)) {
	case 0:
		if (device->mapping && model_pick(in, 2))
			device_unmap(device);
		else if (device->mapping)
			device_suspend(device);
		else if (device->idle && model_pick(in, 4) == 0)
			device_drop(device);
		else if (device->idle && may_map(device))
			device_resume(device);
		else if (!device->idle && may_map(device))
			device_map(in, device);
		break;
	case 1:
	case 2:
	case 3:
		if (device->mapping)
			device_turn(in, device);
		break;
	default:
		programs_turn(in);
		break;
	}
}

const char *model_name(void)
{
	return "mapping_model";
}

void model_run(struct model_input *in)
{
	unsigned int i;
	size_t at;

	memset(devices, 0, sizeof(devices));
	memset(cache, 0, sizeof(cache));
	dma_buf_pages_init(&pages);
	for (i = 0; i < MODEL_PAGES; i++)
		model_check(!dma_buf_pages_append(&pages,
						  &model_pages[page_at[i]], 1));
	model_check(pages.nr_runs == 3);
	for (at = 0; at < MODEL_SIZE; at++) {
		memory[where(at)] = at * 7;
		truth[at] = at * 7;
	}

	while (in->left)
		run_step(in);

	for (i = 0; i < MODEL_DEVICES; i++) {
		if (devices[i].mapping)
			device_unmap(&devices[i]);
		if (devices[i].idle)
			device_drop(&devices[i]);
	}
	for (at = 0; at < MODEL_SIZE; at++)
		model_check(cpu_read(where(at)) == truth[at]);
	dma_buf_pages_fini(&pages);
}
