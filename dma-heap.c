// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registry of heaps and their device nodes, /dev/dma_heap/NAME.
 *
 * A heap has a name and an op that allocates. This file turns the ioctl on the
 * node of a heap into a call of that op and a file descriptor, and finds a heap
 * by its name for drivers. It knows nothing of any certain heap, or of pages.
 *
 * A heap is freed with the last reference to its device: those of its owner, of
 * open nodes, of sysfs, and of drivers that looked it up. That may be long
 * after the owner has removed it, so its ops are called only under
 * dma_heap.in_use, and not any more when dma_heap.removed is set.
 *
 * Locks: heap_list_lock protects the list of heaps. dma_heap.in_use keeps a
 * heap from being removed while an op of it runs, which may take long. Neither
 * is taken inside the other, so a heap that reclaims memory does not keep
 * others from being found.
 */
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
#include <linux/list.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/dma-heap.h>

#include "dma-heap-private.h"
#include "ioctl_table.h"

#include <trace/events/dma_buf.h>

#define DMA_HEAP_DEVNAME	"dma_heap"
#define DMA_HEAP_MINORS		128

/* The uAPI, with which programs were compiled. */
static_assert(sizeof(struct dma_heap_allocation_data) == 24);
static_assert(offsetof(struct dma_heap_allocation_data, len) == 0);
static_assert(offsetof(struct dma_heap_allocation_data, fd) == 8);
static_assert(offsetof(struct dma_heap_allocation_data, fd_flags) == 12);
static_assert(offsetof(struct dma_heap_allocation_data, heap_flags) == 16);
static_assert(DMA_HEAP_IOCTL_ALLOC == 0xc0184800);
static_assert(sizeof(struct dma_heap_allocation_data_charged) == 32);
static_assert(offsetof(struct dma_heap_allocation_data_charged,
		       charge_pid_fd) == 24);

static_assert(sizeof(struct dma_heap_allocation_batch) == 40);
static_assert(offsetof(struct dma_heap_allocation_batch, len) == 0);
static_assert(offsetof(struct dma_heap_allocation_batch, heap_flags) == 8);
static_assert(offsetof(struct dma_heap_allocation_batch, fds) == 16);
static_assert(offsetof(struct dma_heap_allocation_batch, count) == 24);
static_assert(offsetof(struct dma_heap_allocation_batch, fd_flags) == 28);
static_assert(offsetof(struct dma_heap_allocation_batch, charge_pid_fd) == 32);
static_assert(offsetof(struct dma_heap_allocation_batch, reserved) == 36);
static_assert(DMA_HEAP_IOCTL_ALLOC_BATCH == 0xc0284801);

/* For heaps/heap_charge.c; here, so that its name begins with "dma_heap.". */
bool mem_accounting __read_mostly = IS_ENABLED(CONFIG_DMABUF_HEAPS_ACCOUNTING);
module_param(mem_accounting, bool, 0444);
MODULE_PARM_DESC(mem_accounting,
		 "Charge buffers of heaps to memory cgroups (default: CONFIG_DMABUF_HEAPS_ACCOUNTING)");

static LIST_HEAD(heap_list);
static DEFINE_MUTEX(heap_list_lock);
static DEFINE_IDA(heap_minors);
static dev_t heap_devt;

/**
 * dma_heap_buffer_alloc - allocate a buffer from a heap
 * @heap: the heap
 * @len: size in bytes, which is rounded up to whole pages
 * @fd_flags: access mode of the buffer's file; see DMA_HEAP_VALID_FD_FLAGS
 * @heap_flags: see DMA_HEAP_VALID_HEAP_FLAGS
 *
 * Does for a driver what DMA_HEAP_IOCTL_ALLOC does for a program, but for the
 * descriptor.
 *
 * Context: Process context. May sleep for long; a fatal signal ends it.
 * Return: the dma-buf, all zero, whose one reference is the caller's; or an
 * ERR_PTR(): -EINVAL for an unknown flag, a @len of zero, or one that
 * overflows; -ENOMEM when there is not enough memory of this kind; -EINTR after
 * a fatal signal; -ENODEV when the heap has been removed.
 */
struct dma_buf *dma_heap_buffer_alloc(struct dma_heap *heap, size_t len,
				      u32 fd_flags, u64 heap_flags)
{
	if (fd_flags & ~DMA_HEAP_VALID_FD_FLAGS ||
	    heap_flags & ~DMA_HEAP_VALID_HEAP_FLAGS)
		return ERR_PTR(-EINVAL);

	/* Zero stays zero, and a length that overflows becomes zero. */
	len = PAGE_ALIGN(len);
	if (!len)
		return ERR_PTR(-EINVAL);

	guard(rwsem_read)(&heap->in_use);
	if (heap->removed)
		return ERR_PTR(-ENODEV);
	return heap->info.ops->allocate(heap, len, fd_flags, heap_flags);
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_alloc);

static void dma_heap_put_buffers(struct dma_buf **bufs, unsigned int count)
{
	while (count)
		dma_buf_put(bufs[--count]);
}

/**
 * dma_heap_alloc_each - allocate a batch, one buffer after the other
 * @heap: the heap
 * @len: as &dma_heap_ops.allocate gets it, and so the next two
 * @fd_flags: likewise
 * @heap_flags: likewise
 * @bufs: where to write the buffers
 * @count: how many
 *
 * For &dma_heap_ops.allocate_batch of a heap that has more to do before; those
 * without that op get the same.
 *
 * Context: As &dma_heap_ops.allocate.
 * Return: 0; -EINTR when the task is killed; or the errno of an allocation, and
 * no buffer is left.
 */
int dma_heap_alloc_each(struct dma_heap *heap, size_t len, u32 fd_flags,
			u64 heap_flags, struct dma_buf **bufs,
			unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (fatal_signal_pending(current))
			bufs[i] = ERR_PTR(-EINTR);
		else
			bufs[i] = heap->info.ops->allocate(heap, len, fd_flags,
							   heap_flags);
		if (IS_ERR(bufs[i])) {
			dma_heap_put_buffers(bufs, i);
			return PTR_ERR(bufs[i]);
		}
		cond_resched();
	}
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_heap_alloc_each, DMA_BUF);

/**
 * dma_heap_buffer_alloc_batch - allocate buffers of one size from a heap
 * @heap: the heap
 * @len: size of each in bytes, which is rounded up to whole pages
 * @fd_flags: as for dma_heap_buffer_alloc()
 * @heap_flags: as for dma_heap_buffer_alloc()
 * @bufs: where to write the buffers; not valid after an error
 * @count: how many, 1 to DMA_HEAP_ALLOC_BATCH_MAX
 *
 * Context: Process context. May sleep for long; a fatal signal ends it.
 * Return: 0, and the one reference of each dma-buf is the caller's; -EINVAL
 * when @count is not in range; or an errno of dma_heap_buffer_alloc(), and no
 * buffer is left.
 */
int dma_heap_buffer_alloc_batch(struct dma_heap *heap, size_t len,
				u32 fd_flags, u64 heap_flags,
				struct dma_buf **bufs, unsigned int count)
{
	const struct dma_heap_ops *ops = heap->info.ops;

	if (!count || count > DMA_HEAP_ALLOC_BATCH_MAX ||
	    fd_flags & ~DMA_HEAP_VALID_FD_FLAGS ||
	    heap_flags & ~DMA_HEAP_VALID_HEAP_FLAGS)
		return -EINVAL;

	/* As for a single one. */
	len = PAGE_ALIGN(len);
	if (!len)
		return -EINVAL;

	/* Fewer buffers than bytes in a page: the sum of pages fits a long. */
	static_assert(DMA_HEAP_ALLOC_BATCH_MAX < PAGE_SIZE);

	guard(rwsem_read)(&heap->in_use);
	if (heap->removed)
		return -ENODEV;
	if (ops->allocate_batch)
		return ops->allocate_batch(heap, len, fd_flags, heap_flags,
					   bufs, count);
	return dma_heap_alloc_each(heap, len, fd_flags, heap_flags, bufs,
				   count);
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_alloc_batch);

/*
 * Test whether the caller may have a buffer charged to this memory cgroup. A
 * process that could name any cgroup could evade its own limit, or use up that
 * of others. The permission to move a process to the cgroup, which would answer
 * the question, only the cgroup file system can check. But a cgroup below the
 * caller's own is under all limits that the caller has, so charging it evades
 * none. For any other the caller needs the capability to override resource
 * limits.
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
 * Return the memory cgroup of the process of a pidfd, if the caller may have it
 * charged; NULL if there is no pidfd, which 0 and -1 stand for, or in a kernel
 * without memory cgroups.
 */
static struct mem_cgroup *dma_heap_get_memcg(u32 pidfd)
{
	struct mem_cgroup *memcg;
	struct task_struct *task;
	struct mm_struct *mm;
	unsigned int flags;

	if (!pidfd || pidfd == U32_MAX)
		return NULL;

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
 * Allocate, and charge the cgroup of the pidfd that the program supplies, if it
 * does, or else that of the caller.
 *
 * Programs were promised that the bytes after a shorter version of the struct
 * are ignored. A struct that is longer than this one may have anything in the
 * field for the pidfd, so there a descriptor that is not open is no error.
 */
static struct dma_buf *
dma_heap_alloc_charged(struct dma_heap *heap,
		       const struct dma_heap_allocation_data_charged *data,
		       size_t supplied)
{
	struct mem_cgroup *memcg = dma_heap_get_memcg(data->charge_pid_fd);
	struct mem_cgroup *former;
	struct dma_buf *dmabuf;

	if (memcg == ERR_PTR(-EBADF) && supplied > sizeof(*data))
		memcg = NULL;
	if (IS_ERR(memcg))
		return ERR_CAST(memcg);

	/* Without one, the cgroup of the caller is charged. */
	former = set_active_memcg(memcg);
	dmabuf = dma_heap_buffer_alloc(heap, data->len, data->fd_flags,
				       data->heap_flags);
	set_active_memcg(former);
	mem_cgroup_put(memcg);
	return dmabuf;
}

/*
 * Carry out DMA_HEAP_IOCTL_ALLOC. The descriptor is installed last, when
 * nothing can fail any more, because it cannot be taken back.
 */
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

/**
 * struct dma_heap_batch - buffers of one call, and descriptors for them
 * @count: number of buffers that are wanted
 * @nr_fds: number of descriptors that are reserved, and not installed
 * @fds: the descriptors
 * @bufs: the buffers
 */
struct dma_heap_batch {
	unsigned int count;
	unsigned int nr_fds;
	s32 *fds;
	struct dma_buf **bufs;
};

static int dma_heap_batch_init(struct dma_heap_batch *batch, unsigned int count)
{
	batch->count = count;
	batch->nr_fds = 0;
	batch->fds = kvmalloc_array(count, sizeof(*batch->fds), GFP_KERNEL);
	batch->bufs = kvmalloc_array(count, sizeof(*batch->bufs), GFP_KERNEL);
	return batch->fds && batch->bufs ? 0 : -ENOMEM;
}

static void dma_heap_batch_fini(struct dma_heap_batch *batch)
{
	while (batch->nr_fds)
		put_unused_fd(batch->fds[--batch->nr_fds]);
	kvfree(batch->bufs);
	kvfree(batch->fds);
}

/* Before the buffers, so that a limit of descriptors costs no allocation. */
static int dma_heap_batch_reserve(struct dma_heap_batch *batch, u32 fd_flags)
{
	while (batch->nr_fds < batch->count) {
		int fd = get_unused_fd_flags(fd_flags & O_CLOEXEC);

		if (fd < 0)
			return fd;
		batch->fds[batch->nr_fds++] = fd;
	}
	return 0;
}

/* Allocate, and charge the cgroup of the pidfd if the program supplies one. */
static int dma_heap_batch_alloc(struct dma_heap_batch *batch,
				struct dma_heap *heap,
				const struct dma_heap_allocation_batch *data)
{
	struct mem_cgroup *memcg = dma_heap_get_memcg(data->charge_pid_fd);
	struct mem_cgroup *former;
	int ret;

	if (IS_ERR(memcg))
		return PTR_ERR(memcg);

	former = set_active_memcg(memcg);
	ret = dma_heap_buffer_alloc_batch(heap, data->len, data->fd_flags,
					  data->heap_flags, batch->bufs,
					  batch->count);
	set_active_memcg(former);
	mem_cgroup_put(memcg);
	return ret;
}

/* Cannot fail, as none can be taken back once another thread has seen it. */
static void dma_heap_batch_install(struct dma_heap_batch *batch)
{
	unsigned int i;

	for (i = 0; i < batch->count; i++) {
		trace_dma_buf_fd(batch->bufs[i], batch->fds[i]);
		fd_install(batch->fds[i], batch->bufs[i]->file);
	}
	batch->nr_fds = 0;
}

/* Carry out DMA_HEAP_IOCTL_ALLOC_BATCH. */
static long dma_heap_ioctl_alloc_batch(struct ioctl_call *call, void *args)
{
	const struct dma_heap_allocation_batch *data = args;
	struct dma_heap_batch batch;
	int ret;

	if (!data->count || data->count > DMA_HEAP_ALLOC_BATCH_MAX ||
	    data->reserved)
		return -EINVAL;
	if (overflows_type(data->len, size_t))
		return -ENOMEM;

	ret = dma_heap_batch_init(&batch, data->count);
	if (ret)
		goto out;
	ret = dma_heap_batch_reserve(&batch, data->fd_flags);
	if (ret)
		goto out;
	ret = dma_heap_batch_alloc(&batch, call->file->private_data, data);
	if (ret)
		goto out;

	if (copy_to_user(u64_to_user_ptr(data->fds), batch.fds,
			 batch.count * sizeof(*batch.fds))) {
		dma_heap_put_buffers(batch.bufs, batch.count);
		ret = -EFAULT;
		goto out;
	}
	dma_heap_batch_install(&batch);
out:
	dma_heap_batch_fini(&batch);
	return ret;
}

/* A struct that ends before the descriptor has no room for the answer. */
static const struct ioctl_entry dma_heap_ioctls[] = {
	IOCTL_GROWS(DMA_HEAP_IOCTL_ALLOC_CHARGED,
		    struct dma_heap_allocation_data_charged,
		    fd, IOCTL_TAIL_IGNORE, dma_heap_ioctl_alloc),
	IOCTL_GROWS(DMA_HEAP_IOCTL_ALLOC_BATCH,
		    struct dma_heap_allocation_batch,
		    reserved, IOCTL_TAIL_ZERO, dma_heap_ioctl_alloc_batch),
};

static long dma_heap_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	long ret = ioctl_table_call(dma_heap_ioctls, file, cmd, arg);

	/* For an unknown command the uAPI of these nodes has EINVAL. */
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

static void dma_heap_free(struct device *dev)
{
	struct dma_heap *heap = container_of(dev, struct dma_heap, dev);

	if (dev->devt)
		ida_free(&heap_minors, MINOR(dev->devt) - MINOR(heap_devt));
	free_percpu(heap->totals);
	kfree(heap);
}

/**
 * dma_heap_get_drvdata - return the private pointer of the owner of a heap
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
 * dma_heap_get_name - return the name of a heap, which its device node has
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

/* Return the heap of that name, without a reference, or NULL. */
static struct dma_heap *dma_heap_lookup(const char *name)
{
	struct dma_heap *heap;

	lockdep_assert_held(&heap_list_lock);
	list_for_each_entry(heap, &heap_list, node)
		if (!strcmp(heap->info.name, name))
			return heap;
	return NULL;
}

/* Allocate a heap with its name and number, which is not published yet. */
static struct dma_heap *
dma_heap_new(const struct dma_heap_export_info *exp_info)
{
	struct dma_heap *heap;
	int ret;

	heap = kzalloc(sizeof(*heap), GFP_KERNEL);
	if (!heap)
		return ERR_PTR(-ENOMEM);

	heap->totals = alloc_percpu(struct dma_heap_totals);
	if (!heap->totals) {
		kfree(heap);
		return ERR_PTR(-ENOMEM);
	}

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
 * dma_heap_add - register a heap and create its device node
 * @exp_info: name and operations of the heap
 *
 * Programs may open and use the device node before this returns.
 *
 * Context: Process context, after subsys_initcall. May sleep.
 * Return: the heap, for dma_heap_remove(); or an ERR_PTR():
 *
 * -EINVAL
 *	name or &dma_heap_ops.allocate is missing; the name has a slash in it,
 *	or another heap has it
 * -EBUSY
 *	there are 128 heaps already
 * -ENOMEM
 *	no memory
 *
 * and any other errno of the driver core.
 */
struct dma_heap *dma_heap_add(const struct dma_heap_export_info *exp_info)
{
	struct dma_heap *heap;
	int ret;

	if (!exp_info->name || !*exp_info->name ||
	    strchr(exp_info->name, '/')) {
		pr_err("dma_heap: a heap needs a name that a file can have\n");
		return ERR_PTR(-EINVAL);
	}
	if (!exp_info->ops || !exp_info->ops->allocate) {
		pr_err("dma_heap: %s: cannot allocate\n", exp_info->name);
		return ERR_PTR(-EINVAL);
	}

	guard(mutex)(&heap_list_lock);
	if (dma_heap_lookup(exp_info->name)) {
		pr_err("dma_heap: %s: there is one already\n", exp_info->name);
		return ERR_PTR(-EINVAL);
	}

	heap = dma_heap_new(exp_info);
	if (IS_ERR(heap))
		return heap;

	ret = dma_heap_sysfs_add(heap);
	if (ret)
		goto err_put_device;

	ret = cdev_device_add(&heap->cdev, &heap->dev);
	if (ret)
		goto err_sysfs_del;

	list_add_tail(&heap->node, &heap_list);
	return heap;

err_sysfs_del:
	dma_heap_sysfs_del(heap);
err_put_device:
	pr_err("dma_heap: %s: no device node: %d\n", heap->info.name, ret);
	put_device(&heap->dev);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(dma_heap_add);

/**
 * dma_heap_remove - unregister a heap and remove its device node
 * @heap: what dma_heap_add() returned
 *
 * Waits for allocations in progress. After that no op of the heap is called any
 * more: programs that have the node open, and drivers that have looked the heap
 * up, get -ENODEV. Buffers of the heap are not affected.
 *
 * A module is not unloaded while its heap is in use: an open node, a buffer and
 * a dma_heap_find() each hold &dma_heap_export_info.owner.
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
	dma_heap_sysfs_del(heap);
	put_device(&heap->dev);
}
EXPORT_SYMBOL_GPL(dma_heap_remove);

/**
 * dma_heap_find - look up a heap and take a reference to it
 * @name: name of its device node
 *
 * Context: Process context. May sleep.
 * Return: the heap, for dma_heap_put(); NULL when there is none of that name,
 * or its module is being unloaded.
 */
struct dma_heap *dma_heap_find(const char *name)
{
	struct dma_heap *heap;

	guard(mutex)(&heap_list_lock);
	heap = dma_heap_lookup(name);
	if (!heap || !try_module_get(heap->info.owner))
		return NULL;
	get_device(&heap->dev);
	return heap;
}
EXPORT_SYMBOL_GPL(dma_heap_find);

/**
 * dma_heap_get - take a reference to a heap
 * @heap: a heap that the caller has a reference to, or is the owner of
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
 * dma_heap_put - drop a reference to a heap
 * @heap: what dma_heap_find() or dma_heap_get() returned; NULL is ignored
 *
 * The owner's own reference is dropped by dma_heap_remove().
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

	ret = dma_heap_sysfs_init();
	if (ret)
		goto err_unregister_class;
	return 0;

err_unregister_class:
	class_unregister(&dma_heap_class);
err_unregister_region:
	unregister_chrdev_region(heap_devt, DMA_HEAP_MINORS);
	return ret;
}
subsys_initcall(dma_heap_init);
