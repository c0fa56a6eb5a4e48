// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heaps: the register, and the device nodes in front of it
 *
 * What it is: keeps the list of heaps by name, makes /dev/dma_heap/NAME for
 * each, and turns DMA_HEAP_IOCTL_ALLOC on that node into a call of the heap's
 * &dma_heap_ops.allocate and a file descriptor. Shows its totals in sysfs.
 * What it owns: &struct dma_heap, the device class, the device numbers, and
 * /sys/kernel/dma_heap/.
 * Locks: heap_list_lock (mutex) protects the list of heaps. dma_heap.in_use
 * (rwsem) is held for reading while the heap allocates, and for writing to
 * remove it. Neither is taken inside the other.
 * May call: the buffer (layer 2).
 * Never here: anything about a certain heap, or about pages.
 * Units: lengths are in bytes; they are whole pages once past
 * dma_heap_buffer_alloc().
 */
#include <linux/atomic.h>
#include <linux/capability.h>
#include <linux/cdev.h>
#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/moduleparam.h>
#include <linux/overflow.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/rwsem.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <uapi/linux/dma-heap.h>

#include "ioctl_table.h"

#include <trace/events/dma_buf.h>

#define DMA_HEAP_DEVNAME	"dma_heap"
#define DMA_HEAP_MINORS		128

static_assert(sizeof(struct dma_heap_allocation_data) == 24);
static_assert(offsetof(struct dma_heap_allocation_data, len) == 0);
static_assert(offsetof(struct dma_heap_allocation_data, fd) == 8);
static_assert(offsetof(struct dma_heap_allocation_data, fd_flags) == 12);
static_assert(offsetof(struct dma_heap_allocation_data, heap_flags) == 16);
static_assert(DMA_HEAP_IOCTL_ALLOC == 0xc0184800);
static_assert(sizeof(struct dma_heap_allocation_data_charged) == 32);
static_assert(offsetof(struct dma_heap_allocation_data_charged, charge_pid_fd) == 24);

/* See heaps/heap_charge.c; here because this is the name that programs know. */
bool mem_accounting __read_mostly = IS_ENABLED(CONFIG_DMABUF_HEAPS_ACCOUNTING);
module_param(mem_accounting, bool, 0444);
MODULE_PARM_DESC(mem_accounting,
		 "Charge buffers of heaps to memory cgroups (default: CONFIG_DMABUF_HEAPS_ACCOUNTING)");

/**
 * struct dma_heap - one heap
 * @info: name, ops and private pointer, as the owner gave them; constant
 * @node: entry of heap_list; heap_list_lock
 * @in_use: keeps the owner's code and data in place while it allocates
 * @removed: the owner is gone; @in_use
 * @buffers: how many of its buffers live, or wait for their memory
 * @bytes: how much memory they have
 * @stats: its folder in sysfs; holds @dev
 * @dev: the device; its reference count is the heap's
 * @cdev: the node in /dev; an open file holds it, and thereby @dev
 */
struct dma_heap {
	struct dma_heap_export_info info;
	struct list_head node;
	struct rw_semaphore in_use;
	bool removed;
	atomic_long_t buffers;
	atomic64_t bytes;
	struct kobject stats;
	struct device dev;
	struct cdev cdev;
};

static LIST_HEAD(heap_list);
static DEFINE_MUTEX(heap_list_lock);
static DEFINE_IDA(heap_minors);
static dev_t heap_devt;
static struct kobject *heap_stats;

/**
 * dma_heap_buffer_alloc - allocate a buffer from a heap
 * @heap: the heap
 * @len: bytes wanted; the buffer has this many, rounded up to whole pages
 * @fd_flags: access mode of the buffer's file; see DMA_HEAP_VALID_FD_FLAGS
 * @heap_flags: see DMA_HEAP_VALID_HEAP_FLAGS
 *
 * Does what DMA_HEAP_IOCTL_ALLOC does, for a driver, and without a descriptor.
 *
 * Context: Process context. May sleep, and long; a fatal signal ends it.
 * Return: the dma-buf, all zero, whose one reference is the caller's;
 * ERR_PTR(-EINVAL) for an unknown flag, a @len of zero, or one that overflows;
 * ERR_PTR(-ENOMEM) when there is not enough memory of this kind; ERR_PTR(-EINTR)
 * after a fatal signal; ERR_PTR(-ENODEV) when the heap has been removed.
 */
struct dma_buf *dma_heap_buffer_alloc(struct dma_heap *heap, size_t len,
				      u32 fd_flags, u64 heap_flags)
{
	if (fd_flags & ~DMA_HEAP_VALID_FD_FLAGS ||
	    heap_flags & ~DMA_HEAP_VALID_HEAP_FLAGS)
		return ERR_PTR(-EINVAL);

	/* Zero stays zero, and what overflows becomes zero. */
	len = PAGE_ALIGN(len);
	if (!len)
		return ERR_PTR(-EINVAL);

	guard(rwsem_read)(&heap->in_use);
	if (heap->removed)
		return ERR_PTR(-ENODEV);
	return heap->info.ops->allocate(heap, len, fd_flags, heap_flags);
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_alloc);

/*
 * May the caller have a buffer charged to this memory cgroup? A process that could
 * name any would leave its own limit behind, or use up that of others. Moving to
 * the cgroup would ask for write permission to its cgroup.procs and to that of the
 * common ancestor, which only the file system knows. But no cgroup below the
 * caller's own takes it out of a limit that it has, whatever the files say. All else
 * is overriding a resource limit, and there is a capability for that.
 */
#ifdef CONFIG_MEMCG
static bool dma_heap_may_charge(struct mem_cgroup *memcg)
{
	struct mem_cgroup *own = get_mem_cgroup_from_mm(current->mm);
	bool below = mem_cgroup_is_descendant(memcg, own);

	mem_cgroup_put(own);
	return below || capable(CAP_SYS_RESOURCE);
}
#else
static bool dma_heap_may_charge(struct mem_cgroup *memcg)
{
	return true;
}
#endif

/*
 * The memory cgroup of the process behind a pidfd, if the caller may have it charged;
 * NULL where there are none.
 */
static struct mem_cgroup *dma_heap_payer(int pidfd)
{
	struct mem_cgroup *memcg;
	struct task_struct *task;
	struct mm_struct *mm;
	unsigned int flags;

	task = pidfd_get_task(pidfd, &flags);
	if (IS_ERR(task))
		return ERR_CAST(task);

	mm = mm_access(task, PTRACE_MODE_READ_REALCREDS);
	put_task_struct(task);
	if (IS_ERR_OR_NULL(mm))
		return ERR_PTR(mm == ERR_PTR(-EACCES) ? -EPERM :
			       PTR_ERR(mm) ?: -ESRCH);

	memcg = get_mem_cgroup_from_mm(mm);
	mmput(mm);
	if (!dma_heap_may_charge(memcg)) {
		mem_cgroup_put(memcg);
		return ERR_PTR(-EPERM);
	}
	return memcg;
}

/*
 * Allocate at somebody's expense: the caller's, unless he says otherwise. When this
 * struct was shorter, programs were promised that what follows it is ignored. So
 * only who supplies just this field, and nothing after it, has to supply a pidfd.
 */
static struct dma_buf *
dma_heap_alloc_charged(struct dma_heap *heap,
		       const struct dma_heap_allocation_data_charged *data,
		       size_t supplied)
{
	struct mem_cgroup *payer = NULL, *former;
	struct dma_buf *dmabuf;

	if (data->charge_pid_fd && data->charge_pid_fd != U32_MAX)
		payer = dma_heap_payer(data->charge_pid_fd);
	if (payer == ERR_PTR(-EBADF) && supplied > sizeof(*data))
		payer = NULL;
	if (IS_ERR(payer))
		return ERR_CAST(payer);
	if (!payer)
		return dma_heap_buffer_alloc(heap, data->len, data->fd_flags,
					     data->heap_flags);

	former = set_active_memcg(payer);
	dmabuf = dma_heap_buffer_alloc(heap, data->len, data->fd_flags,
				       data->heap_flags);
	set_active_memcg(former);
	mem_cgroup_put(payer);
	return dmabuf;
}

/* DMA_HEAP_IOCTL_ALLOC: the descriptor becomes visible last, when nothing can fail. */
static long dma_heap_ioctl_alloc(struct ioctl_call *call, void *args)
{
	struct dma_heap_allocation_data_charged *data = args;
	struct dma_buf *dmabuf;
	int fd, ret;

	if (data->fd)
		return -EINVAL;
	if (overflows_type(data->len, size_t))
		return -ENOMEM;

	fd = get_unused_fd_flags(data->fd_flags & O_CLOEXEC);
	if (fd < 0)
		return fd;

	dmabuf = dma_heap_alloc_charged(call->file->private_data, data,
					_IOC_SIZE(call->cmd));
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		goto err_unused_fd;
	}

	data->fd = fd;
	ret = ioctl_call_reply(call);
	if (ret)
		goto err_put_dmabuf;

	/* Before it is installed: after that, another thread may close it. */
	trace_dma_buf_fd(dmabuf, fd);
	fd_install(fd, dmabuf->file);
	return 0;

err_put_dmabuf:
	dma_buf_put(dmabuf);
err_unused_fd:
	put_unused_fd(fd);
	return ret;
}

/* The answer needs room for the descriptor; what is in front of it has to be there. */
static const struct ioctl_entry dma_heap_ioctls[] = {
	IOCTL_GROWS(DMA_HEAP_IOCTL_ALLOC_CHARGED,
		    struct dma_heap_allocation_data_charged,
		    fd, IOCTL_TAIL_IGNORE, dma_heap_ioctl_alloc),
};

static long dma_heap_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	long ret = ioctl_table_call(dma_heap_ioctls, file, cmd, arg);

	/* These nodes have always said EINVAL to a command which they lack. */
	return ret == -ENOTTY ? -EINVAL : ret;
}

static int dma_heap_open(struct inode *inode, struct file *file)
{
	file->private_data = container_of(inode->i_cdev, struct dma_heap, cdev);
	return nonseekable_open(inode, file);
}

static const struct file_operations dma_heap_fops = {
	.owner		= THIS_MODULE,
	.open		= dma_heap_open,
	.unlocked_ioctl	= dma_heap_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static char *dma_heap_devnode(const struct device *dev, umode_t *mode)
{
	return kasprintf(GFP_KERNEL, DMA_HEAP_DEVNAME "/%s", dev_name(dev));
}

static const struct class dma_heap_class = {
	.name		= DMA_HEAP_DEVNAME,
	.devnode	= dma_heap_devnode,
};

/* -- totals in sysfs ------------------------------------------------------ */

/**
 * struct heap_stat - a file in /sys/kernel/dma_heap/NAME/
 * @attr: name and mode
 * @show: the number in it; NULL for one of the pool
 * @offset: which one of the pool, as offset in &struct dma_heap_pool_info
 */
struct heap_stat {
	struct attribute attr;
	u64 (*show)(struct dma_heap *heap);
	size_t offset;
};

#define to_heap_stat(_attr)	container_of_const(_attr, struct heap_stat, attr)

static u64 allocated_bytes_show(struct dma_heap *heap)
{
	return atomic64_read(&heap->bytes);
}

static u64 buffers_show(struct dma_heap *heap)
{
	return atomic_long_read(&heap->buffers);
}

#define HEAP_STAT(_name)						\
	static struct heap_stat _name##_stat = {			\
		.attr = { .name = #_name, .mode = 0444 },		\
		.show = _name##_show,					\
	}

#define HEAP_POOL_STAT(_name, _mode, _field)				\
	static struct heap_stat _name##_stat = {			\
		.attr = { .name = #_name, .mode = (_mode) },		\
		.offset = offsetof(struct dma_heap_pool_info, _field),	\
	}

HEAP_STAT(allocated_bytes);
HEAP_STAT(buffers);
HEAP_POOL_STAT(pool_bytes, 0444, bytes);
HEAP_POOL_STAT(pool_dirty_bytes, 0444, dirty);
HEAP_POOL_STAT(pool_limit_bytes, 0644, limit);
HEAP_POOL_STAT(pool_hits, 0444, hits);
HEAP_POOL_STAT(pool_misses, 0444, misses);

static struct attribute *heap_stat_attrs[] = {
	&allocated_bytes_stat.attr,
	&buffers_stat.attr,
	&pool_bytes_stat.attr,
	&pool_dirty_bytes_stat.attr,
	&pool_limit_bytes_stat.attr,
	&pool_hits_stat.attr,
	&pool_misses_stat.attr,
	NULL
};

static umode_t heap_stat_visible(struct kobject *kobj, struct attribute *attr,
				 int index)
{
	struct dma_heap *heap = container_of(kobj, struct dma_heap, stats);

	/* Some heaps have no pool. */
	if (!to_heap_stat(attr)->show && !heap->info.ops->pool_info)
		return 0;
	return attr->mode;
}

static const struct attribute_group heap_stat_group = {
	.attrs = heap_stat_attrs,
	.is_visible = heap_stat_visible,
};

static const struct attribute_group *heap_stat_groups[] = {
	&heap_stat_group,
	NULL
};

static ssize_t heap_stat_show(struct kobject *kobj, struct attribute *attr,
			      char *buf)
{
	struct dma_heap *heap = container_of(kobj, struct dma_heap, stats);
	const struct heap_stat *stat = to_heap_stat(attr);
	struct dma_heap_pool_info info;

	if (stat->show)
		return sysfs_emit(buf, "%llu\n", stat->show(heap));

	guard(rwsem_read)(&heap->in_use);
	if (heap->removed)
		return -ENODEV;
	heap->info.ops->pool_info(heap, &info);
	return sysfs_emit(buf, "%llu\n", *(u64 *)((void *)&info + stat->offset));
}

/* The limit is the only file that can be written. */
static ssize_t heap_stat_store(struct kobject *kobj, struct attribute *attr,
			       const char *buf, size_t count)
{
	struct dma_heap *heap = container_of(kobj, struct dma_heap, stats);
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

static const struct sysfs_ops heap_stat_ops = {
	.show = heap_stat_show,
	.store = heap_stat_store,
};

static void heap_stats_release(struct kobject *kobj)
{
	put_device(&container_of(kobj, struct dma_heap, stats)->dev);
}

static const struct kobj_type heap_stats_type = {
	.release = heap_stats_release,
	.sysfs_ops = &heap_stat_ops,
	.default_groups = heap_stat_groups,
};

/**
 * dma_heap_buffer_born - count a buffer
 * @heap: the heap that it came from
 * @size: in bytes
 *
 * Context: Any.
 */
void dma_heap_buffer_born(struct dma_heap *heap, size_t size)
{
	atomic_long_inc(&heap->buffers);
	atomic64_add(size, &heap->bytes);
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_born);

/**
 * dma_heap_buffer_died - count a buffer no more
 * @heap: the heap that it came from
 * @size: as it was given to dma_heap_buffer_born()
 *
 * Context: Any.
 */
void dma_heap_buffer_died(struct dma_heap *heap, size_t size)
{
	atomic_long_dec(&heap->buffers);
	atomic64_sub(size, &heap->bytes);
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_died);

/* -- the register --------------------------------------------------------- */

static void dma_heap_free(struct device *dev)
{
	struct dma_heap *heap = container_of(dev, struct dma_heap, dev);

	if (dev->devt)
		ida_free(&heap_minors, MINOR(dev->devt) - MINOR(heap_devt));
	kfree(heap);
}

/**
 * dma_heap_get_drvdata - what the owner of a heap left with it
 * @heap: the heap
 *
 * Context: Any.
 * Return: &dma_heap_export_info.priv as given to dma_heap_add().
 */
void *dma_heap_get_drvdata(struct dma_heap *heap)
{
	return heap->info.priv;
}
EXPORT_SYMBOL_GPL(dma_heap_get_drvdata);

/**
 * dma_heap_get_name - name of a heap, that of its device node
 * @heap: the heap
 *
 * Context: Any.
 * Return: the name, valid as long as the heap.
 */
const char *dma_heap_get_name(struct dma_heap *heap)
{
	return heap->info.name;
}
EXPORT_SYMBOL_GPL(dma_heap_get_name);

static struct dma_heap *dma_heap_find_locked(const char *name)
{
	struct dma_heap *heap;

	lockdep_assert_held(&heap_list_lock);
	list_for_each_entry(heap, &heap_list, node)
		if (!strcmp(heap->info.name, name))
			return heap;
	return NULL;
}

/* A heap with a name and a number, not yet known to anybody. */
static struct dma_heap *dma_heap_new(const struct dma_heap_export_info *exp_info)
{
	struct dma_heap *heap;
	int ret;

	heap = kzalloc(sizeof(*heap), GFP_KERNEL);
	if (!heap)
		return ERR_PTR(-ENOMEM);

	heap->info = *exp_info;
	init_rwsem(&heap->in_use);
	cdev_init(&heap->cdev, &dma_heap_fops);
	heap->cdev.owner = exp_info->owner;
	device_initialize(&heap->dev);
	heap->dev.class = &dma_heap_class;
	heap->dev.release = dma_heap_free;

	ret = dev_set_name(&heap->dev, "%s", heap->info.name);
	if (ret)
		goto err_put_device;

	ret = ida_alloc_max(&heap_minors, DMA_HEAP_MINORS - 1, GFP_KERNEL);
	if (ret < 0) {
		ret = ret == -ENOSPC ? -EBUSY : ret;
		goto err_put_device;
	}
	heap->dev.devt = MKDEV(MAJOR(heap_devt), MINOR(heap_devt) + ret);
	return heap;

err_put_device:
	put_device(&heap->dev);
	return ERR_PTR(ret);
}

/**
 * dma_heap_add - offer a heap to programs
 * @exp_info: what it is called and can do
 *
 * The device node may be opened and used before this returns.
 *
 * Context: Process context, after subsys_initcall. May sleep.
 * Return: the heap; ERR_PTR(-EINVAL) when name or @allocate is missing, the
 * name has a slash in it or another heap has it; ERR_PTR(-EBUSY) when there are
 * 128 heaps already; ERR_PTR(-ENOMEM); or what the driver core says when it
 * cannot make the node.
 */
struct dma_heap *dma_heap_add(const struct dma_heap_export_info *exp_info)
{
	struct dma_heap *heap;
	int ret;

	if (!exp_info->name || !*exp_info->name || strchr(exp_info->name, '/')) {
		pr_err("dma_heap: a heap needs a name that a file can have\n");
		return ERR_PTR(-EINVAL);
	}
	if (!exp_info->ops || !exp_info->ops->allocate) {
		pr_err("dma_heap: %s: cannot allocate\n", exp_info->name);
		return ERR_PTR(-EINVAL);
	}

	guard(mutex)(&heap_list_lock);
	if (dma_heap_find_locked(exp_info->name)) {
		pr_err("dma_heap: %s: there is one already\n", exp_info->name);
		return ERR_PTR(-EINVAL);
	}

	heap = dma_heap_new(exp_info);
	if (IS_ERR(heap))
		return heap;

	get_device(&heap->dev);
	ret = kobject_init_and_add(&heap->stats, &heap_stats_type, heap_stats,
				   "%s", heap->info.name);
	if (!ret)
		ret = cdev_device_add(&heap->cdev, &heap->dev);
	if (ret) {
		pr_err("dma_heap: %s: no device node: %d\n", heap->info.name, ret);
		kobject_put(&heap->stats);
		put_device(&heap->dev);
		return ERR_PTR(ret);
	}
	list_add_tail(&heap->node, &heap_list);
	return heap;
}
EXPORT_SYMBOL_GPL(dma_heap_add);

/**
 * dma_heap_remove - withdraw a heap
 * @heap: what dma_heap_add() returned
 *
 * Waits for allocations that are under way. Afterwards no callback of the heap
 * is called any more: the node is gone, and who has it open or has found the
 * heap otherwise gets -ENODEV. Buffers live on.
 *
 * A module need not fear that it is removed while its heap is in use: an open
 * node, a buffer and a dma_heap_find() each hold &dma_heap_export_info.owner.
 *
 * Context: Process context. May sleep.
 */
void dma_heap_remove(struct dma_heap *heap)
{
	scoped_guard(mutex, &heap_list_lock)
		list_del(&heap->node);
	cdev_device_del(&heap->cdev, &heap->dev);
	scoped_guard(rwsem_write, &heap->in_use)
		heap->removed = true;
	kobject_del(&heap->stats);
	kobject_put(&heap->stats);
	put_device(&heap->dev);
}
EXPORT_SYMBOL_GPL(dma_heap_remove);

/**
 * dma_heap_find - look a heap up
 * @name: name of its device node
 *
 * Context: Process context. May sleep.
 * Return: the heap, for dma_heap_put() when it is not needed any more; NULL when
 * there is none of that name, or its module is just going.
 */
struct dma_heap *dma_heap_find(const char *name)
{
	struct dma_heap *heap;

	guard(mutex)(&heap_list_lock);
	heap = dma_heap_find_locked(name);
	if (!heap || !try_module_get(heap->info.owner))
		return NULL;
	get_device(&heap->dev);
	return heap;
}
EXPORT_SYMBOL_GPL(dma_heap_find);

/**
 * dma_heap_get - one more reference on a heap
 * @heap: a heap that the caller has a reference on, or is the owner of
 *
 * Context: Any.
 * Return: @heap, for dma_heap_put().
 */
struct dma_heap *dma_heap_get(struct dma_heap *heap)
{
	__module_get(heap->info.owner);
	get_device(&heap->dev);
	return heap;
}
EXPORT_SYMBOL_GPL(dma_heap_get);

/**
 * dma_heap_put - drop a reference
 * @heap: what dma_heap_find() or dma_heap_get() returned; NULL is ignored
 *
 * The owner's way out is dma_heap_remove().
 *
 * Context: Process context. May sleep.
 */
void dma_heap_put(struct dma_heap *heap)
{
	struct module *owner;

	if (!heap)
		return;
	owner = heap->info.owner;
	put_device(&heap->dev);
	module_put(owner);
}
EXPORT_SYMBOL_GPL(dma_heap_put);

static int __init dma_heap_init(void)
{
	int ret;

	ret = alloc_chrdev_region(&heap_devt, 0, DMA_HEAP_MINORS,
				  DMA_HEAP_DEVNAME);
	if (ret)
		return ret;

	ret = class_register(&dma_heap_class);
	if (ret)
		goto err_unregister_region;

	heap_stats = kobject_create_and_add("dma_heap", kernel_kobj);
	if (!heap_stats) {
		ret = -ENOMEM;
		goto err_unregister_class;
	}
	return 0;

err_unregister_class:
	class_unregister(&dma_heap_class);
err_unregister_region:
	unregister_chrdev_region(heap_devt, DMA_HEAP_MINORS);
	return ret;
}
subsys_initcall(dma_heap_init);
