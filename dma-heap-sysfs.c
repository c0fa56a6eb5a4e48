// SPDX-License-Identifier: GPL-2.0-only
/*
 * Totals of each heap, in /sys/kernel/dma_heap/NAME/.
 *
 * Two of them the core counts: the buffers of the heap and their memory. The
 * others are about the pool, which a heap may have; it reports them by
 * &dma_heap_ops.pool_info. They are described in
 * Documentation/ABI/testing/sysfs-kernel-dma-heap.
 *
 * Locks: dma_heap.in_use, for reading, around the ops of the heap: a file may
 * be open while the heap is removed. It is taken inside the reference that
 * sysfs holds while a file is read or written.
 */
#include <linux/cleanup.h>
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/dma-heap.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/kstrtox.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/rwsem.h>
#include <linux/stddef.h>
#include <linux/sysfs.h>

#include "dma-heap-private.h"

static struct kobject *dma_heap_sysfs_top;

/**
 * struct dma_heap_attr - a file in /sys/kernel/dma_heap/NAME/
 * @attr: name and mode
 * @show: returns the number in it; NULL for a file about the pool
 * @offset: for a file about the pool, of the number in
 *	&struct dma_heap_pool_info
 */
struct dma_heap_attr {
	struct attribute attr;
	u64 (*show)(struct dma_heap *heap);
	size_t offset;
};

#define to_dma_heap_attr(_attr)						\
	container_of_const(_attr, struct dma_heap_attr, attr)

static struct dma_heap *dma_heap_of_kobj(struct kobject *kobj)
{
	return container_of(kobj, struct dma_heap, stats);
}

/* A buffer that is exported or released meanwhile may be counted or not. */
static struct dma_heap_totals dma_heap_sum(struct dma_heap *heap)
{
	struct dma_heap_totals sum = { };
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct dma_heap_totals *totals =
			per_cpu_ptr(heap->totals, cpu);

		sum.buffers += READ_ONCE(totals->buffers);
		sum.pages += READ_ONCE(totals->pages);
	}
	/* The release may have been seen, and the export on another CPU not. */
	sum.buffers = max(sum.buffers, 0L);
	sum.pages = max(sum.pages, 0L);
	return sum;
}

static u64 allocated_bytes_show(struct dma_heap *heap)
{
	return (u64)dma_heap_sum(heap).pages << PAGE_SHIFT;
}

static u64 buffers_show(struct dma_heap *heap)
{
	return dma_heap_sum(heap).buffers;
}

#define DMA_HEAP_ATTR(_name)						\
	static struct dma_heap_attr _name##_attr = {			\
		.attr = { .name = #_name, .mode = 0444 },		\
		.show = _name##_show,					\
	}

#define DMA_HEAP_POOL_ATTR(_name, _mode, _field)			\
	static struct dma_heap_attr _name##_attr = {			\
		.attr = { .name = #_name, .mode = (_mode) },		\
		.offset = offsetof(struct dma_heap_pool_info, _field),	\
	}

DMA_HEAP_ATTR(allocated_bytes);
DMA_HEAP_ATTR(buffers);
DMA_HEAP_POOL_ATTR(pool_bytes, 0444, bytes);
DMA_HEAP_POOL_ATTR(pool_dirty_bytes, 0444, dirty);
DMA_HEAP_POOL_ATTR(pool_limit_bytes, 0644, limit);
DMA_HEAP_POOL_ATTR(pool_hits, 0444, hits);
DMA_HEAP_POOL_ATTR(pool_misses, 0444, misses);

static struct attribute *dma_heap_attrs[] = {
	&allocated_bytes_attr.attr,
	&buffers_attr.attr,
	&pool_bytes_attr.attr,
	&pool_dirty_bytes_attr.attr,
	&pool_limit_bytes_attr.attr,
	&pool_hits_attr.attr,
	&pool_misses_attr.attr,
	NULL
};

static umode_t dma_heap_attr_visible(struct kobject *kobj,
				     struct attribute *attr, int index)
{
	struct dma_heap *heap = dma_heap_of_kobj(kobj);

	/* Some heaps have no pool. */
	if (!to_dma_heap_attr(attr)->show && !heap->info.ops->pool_info)
		return 0;
	return attr->mode;
}

static const struct attribute_group dma_heap_group = {
	.attrs = dma_heap_attrs,
	.is_visible = dma_heap_attr_visible,
};

static const struct attribute_group *dma_heap_groups[] = {
	&dma_heap_group,
	NULL
};

static ssize_t dma_heap_attr_show(struct kobject *kobj, struct attribute *attr,
				  char *buf)
{
	const struct dma_heap_attr *file = to_dma_heap_attr(attr);
	struct dma_heap *heap = dma_heap_of_kobj(kobj);
	struct dma_heap_pool_info info;

	if (file->show)
		return sysfs_emit(buf, "%llu\n", file->show(heap));

	guard(rwsem_read)(&heap->in_use);
	if (heap->removed)
		return -ENODEV;
	heap->info.ops->pool_info(heap, &info);
	return sysfs_emit(buf, "%llu\n",
			  *(u64 *)((void *)&info + file->offset));
}

/* pool_limit_bytes is the only file that can be written. */
static ssize_t dma_heap_attr_store(struct kobject *kobj, struct attribute *attr,
				   const char *buf, size_t count)
{
	struct dma_heap *heap = dma_heap_of_kobj(kobj);
	u64 value;
	int ret;

	ret = kstrtou64(buf, 0, &value);
	if (ret)
		return ret;

	guard(rwsem_read)(&heap->in_use);
	if (heap->removed)
		return -ENODEV;
	heap->info.ops->set_pool_limit(heap, value);
	return count;
}

static const struct sysfs_ops dma_heap_sysfs_ops = {
	.show = dma_heap_attr_show,
	.store = dma_heap_attr_store,
};

static void dma_heap_sysfs_release(struct kobject *kobj)
{
	put_device(&dma_heap_of_kobj(kobj)->dev);
}

static const struct kobj_type dma_heap_sysfs_type = {
	.release = dma_heap_sysfs_release,
	.sysfs_ops = &dma_heap_sysfs_ops,
	.default_groups = dma_heap_groups,
};

/**
 * dma_heap_buffer_exported - count a buffer of a heap
 * @heap: the heap
 * @size: of the buffer, in bytes, a multiple of PAGE_SIZE
 *
 * Context: Any.
 */
void dma_heap_buffer_exported(struct dma_heap *heap, size_t size)
{
	this_cpu_inc(heap->totals->buffers);
	this_cpu_add(heap->totals->pages, size >> PAGE_SHIFT);
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_exported);

/**
 * dma_heap_buffer_released - stop counting a buffer of a heap
 * @heap: the heap
 * @size: of the buffer, as it was given to dma_heap_buffer_exported()
 *
 * To be called when the memory of the buffer is back, which may be later than
 * the release of the buffer itself.
 *
 * Context: Any.
 */
void dma_heap_buffer_released(struct dma_heap *heap, size_t size)
{
	this_cpu_dec(heap->totals->buffers);
	this_cpu_sub(heap->totals->pages, size >> PAGE_SHIFT);
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_released);

/**
 * dma_heap_sysfs_add - create the directory of a heap
 * @heap: the heap
 *
 * The directory holds a reference to the heap's device until
 * dma_heap_sysfs_del(), and after that for as long as its files are open.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int dma_heap_sysfs_add(struct dma_heap *heap)
{
	int ret;

	get_device(&heap->dev);
	ret = kobject_init_and_add(&heap->stats, &dma_heap_sysfs_type,
				   dma_heap_sysfs_top, "%s", heap->info.name);
	if (ret)
		kobject_put(&heap->stats);
	return ret;
}

/**
 * dma_heap_sysfs_del - remove the directory of a heap
 * @heap: the heap
 *
 * Context: Process context, without dma_heap.in_use. Sleeps until no thread
 * reads or writes its files.
 */
void dma_heap_sysfs_del(struct dma_heap *heap)
{
	kobject_del(&heap->stats);
	kobject_put(&heap->stats);
}

/**
 * dma_heap_sysfs_init - create the directory above those of the heaps
 *
 * Context: Process context, at boot.
 * Return: 0 or -ENOMEM.
 */
int __init dma_heap_sysfs_init(void)
{
	dma_heap_sysfs_top = kobject_create_and_add("dma_heap", kernel_kobj);
	return dma_heap_sysfs_top ? 0 : -ENOMEM;
}
