// SPDX-License-Identifier: GPL-2.0-only
/*
 * One directory per buffer, in /sys/kernel/dmabuf/buffers.
 *
 * A directory does not hold its buffer. Removing it waits until no thread reads
 * its files, and is done before the buffer is released, so a reader always has
 * a whole buffer. The files show only what does not change between export and
 * release, so they need no lock. The kobject may live on without the buffer, as
 * long as there are references to it, and so is an allocation of its own.
 */
#define pr_fmt(fmt) "dma-buf: " fmt

#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "dma-buf-private.h"

/**
 * DOC: overview
 *
 * debugfs is not for production, and fdinfo shows only buffers that a process
 * has a descriptor of. With ``CONFIG_DMABUF_SYSFS_STATS`` each buffer has a
 * directory in ``/sys/kernel/dmabuf/buffers`` from export to release, named by
 * its inode number. In it are two files that all users may read,
 * ``exporter_name`` and ``size``.
 *
 * fdinfo and, for mappings, the maps file of a process show the same inode
 * number, so memory can be counted once however many processes share it. There
 * are no uevents for these directories, because thousands of short-lived
 * buffers would cause a load of them.
 *
 * Making the directory costs a large part of what a small allocation takes,
 * which is why the option is deprecated. The format is described in
 * Documentation/ABI/testing/sysfs-kernel-dmabuf-buffers.
 */

static struct kset *dma_buf_stats_buffers;

static struct dma_buf *dma_buf_stats_to_buf(struct kobject *kobj)
{
	return container_of(kobj, struct dma_buf_sysfs_entry, kobj)->dmabuf;
}

static ssize_t exporter_name_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", dma_buf_stats_to_buf(kobj)->exp_name);
}

static ssize_t size_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%zu\n", dma_buf_stats_to_buf(kobj)->size);
}

static struct kobj_attribute exporter_name_attr = __ATTR_RO(exporter_name);
static struct kobj_attribute size_attr = __ATTR_RO(size);

static struct attribute *dma_buf_stats_attrs[] = {
	&exporter_name_attr.attr,
	&size_attr.attr,
	NULL,
};
ATTRIBUTE_GROUPS(dma_buf_stats);

static void dma_buf_stats_free(struct kobject *kobj)
{
	kfree(container_of(kobj, struct dma_buf_sysfs_entry, kobj));
}

static const struct kobj_type dma_buf_stats_type = {
	.release	= dma_buf_stats_free,
	.sysfs_ops	= &kobj_sysfs_ops,
	.default_groups	= dma_buf_stats_groups,
};

/**
 * dma_buf_stats_add - create the directory of a new buffer
 * @dmabuf: the buffer, set up but for its file
 * @file: the file of the buffer, which has the inode number
 *
 * Context: Process context. May sleep.
 * Return: 0; -EINVAL when the exporter has no name; -ENOMEM.
 */
int dma_buf_stats_add(struct dma_buf *dmabuf, struct file *file)
{
	struct dma_buf_sysfs_entry *entry;
	int ret;

	if (!dmabuf->exp_name) {
		pr_err_once("no statistics for an exporter without a name\n");
		return -EINVAL;
	}

	entry = kzalloc(sizeof(*entry), GFP_KERNEL);
	if (!entry)
		return -ENOMEM;

	entry->dmabuf = dmabuf;
	entry->kobj.kset = dma_buf_stats_buffers;
	ret = kobject_init_and_add(&entry->kobj, &dma_buf_stats_type, NULL,
				   "%lu", file_inode(file)->i_ino);
	if (ret) {
		kobject_put(&entry->kobj);
		return ret;
	}

	dmabuf->sysfs_entry = entry;
	return 0;
}

/**
 * dma_buf_stats_del - remove the directory of a buffer
 * @dmabuf: the buffer, which is being released
 *
 * Context: Process context. Sleeps until no thread reads its files.
 */
void dma_buf_stats_del(struct dma_buf *dmabuf)
{
	struct dma_buf_sysfs_entry *entry = dmabuf->sysfs_entry;

	/* No file is read after this, but the entry may be referenced. */
	kobject_del(&entry->kobj);
	kobject_put(&entry->kobj);
	dmabuf->sysfs_entry = NULL;
}

static int dma_buf_stats_no_uevent(const struct kobject *kobj)
{
	return 0;
}

static const struct kset_uevent_ops dma_buf_stats_uevents = {
	.filter = dma_buf_stats_no_uevent,
};

/**
 * dma_buf_stats_init - create the directory above those of the buffers
 *
 * Context: Process context, at boot.
 * Return: 0 or -ENOMEM.
 */
int __init dma_buf_stats_init(void)
{
	struct kset *top, *buffers;

	top = kset_create_and_add("dmabuf", &dma_buf_stats_uevents,
				  kernel_kobj);
	if (!top)
		return -ENOMEM;

	buffers = kset_create_and_add("buffers", &dma_buf_stats_uevents,
				      &top->kobj);
	if (!buffers) {
		kset_unregister(top);
		return -ENOMEM;
	}

	dma_buf_stats_buffers = buffers;
	return 0;
}
