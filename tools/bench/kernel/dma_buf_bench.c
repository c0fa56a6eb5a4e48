// SPDX-License-Identifier: GPL-2.0-only
/*
 * Costs inside the kernel, which the price of a system call would hide.
 *
 * Is: a misc device that runs one operation of the published in-kernel API a
 * number of times and says how long that took. Builds unchanged against the
 * stock tree and ours: it may use only what both offer.
 * Owns: a platform device with a driver, which is the importer; per open file the
 * attachment that DMA_BUF_BENCH_HOLD leaves in place.
 * Locks: none of its own but the file's mutex; the reservation lock through
 * the _unlocked forms.
 * Never here: an opinion on the figures. Units: nanoseconds.
 */
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "dma_buf_bench.h"

static struct platform_device *bench_pdev;

struct bench_file {
	struct mutex lock;	/* serialises the runs of one file */
	struct dma_buf_attachment *held;
	struct sg_table *held_table;
};

struct bench_fence {
	struct dma_fence base;
	spinlock_t lock;	/* the fence's */
};

static const char *bench_fence_name(struct dma_fence *fence)
{
	return "bench";
}

static const struct dma_fence_ops bench_fence_ops = {
	.get_driver_name = bench_fence_name,
	.get_timeline_name = bench_fence_name,
};

static struct dma_fence *bench_fence_create(u64 context, u64 seqno)
{
	struct bench_fence *fence = kmalloc(sizeof(*fence), GFP_KERNEL);

	if (!fence)
		return NULL;
	spin_lock_init(&fence->lock);
	dma_fence_init(&fence->base, &bench_fence_ops, &fence->lock, context, seqno);
	return &fence->base;
}

static int bench_attach(struct dma_buf *dmabuf, struct dma_buf_bench_run *run)
{
	u64 start = ktime_get_ns();

	for (u32 i = 0; i < run->rounds; i++) {
		struct dma_buf_attachment *attach;

		attach = dma_buf_attach(dmabuf, &bench_pdev->dev);
		if (IS_ERR(attach))
			return PTR_ERR(attach);
		dma_buf_detach(dmabuf, attach);
	}
	run->ns = ktime_get_ns() - start;
	return 0;
}

static int bench_map_times(struct dma_buf_attachment *attach, u32 times)
{
	for (u32 i = 0; i < times; i++) {
		struct sg_table *table =
			dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);

		if (IS_ERR(table))
			return PTR_ERR(table);
		dma_buf_unmap_attachment_unlocked(attach, table, DMA_BIDIRECTIONAL);
	}
	return 0;
}

/* The first map is not counted: a kernel may keep what it has made. */
static int bench_map(struct dma_buf *dmabuf, struct dma_buf_bench_run *run)
{
	struct dma_buf_attachment *attach;
	u64 start;
	int ret;

	attach = dma_buf_attach(dmabuf, &bench_pdev->dev);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	ret = bench_map_times(attach, 1);
	start = ktime_get_ns();
	if (!ret)
		ret = bench_map_times(attach, run->rounds);
	run->ns = ktime_get_ns() - start;
	dma_buf_detach(dmabuf, attach);
	return ret;
}

static int bench_attach_map_once(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach = dma_buf_attach(dmabuf, &bench_pdev->dev);
	int ret;

	if (IS_ERR(attach))
		return PTR_ERR(attach);
	ret = bench_map_times(attach, 1);
	dma_buf_detach(dmabuf, attach);
	return ret;
}

static int bench_attach_map(struct dma_buf *dmabuf, struct dma_buf_bench_run *run)
{
	u64 start = ktime_get_ns();
	int ret = 0;

	for (u32 i = 0; !ret && i < run->rounds; i++)
		ret = bench_attach_map_once(dmabuf);
	run->ns = ktime_get_ns() - start;
	return ret;
}

/* An exporter that has nothing but a size. */
static struct sg_table *bench_map_nothing(struct dma_buf_attachment *attach,
					  enum dma_data_direction dir)
{
	return ERR_PTR(-ENODEV);
}

static void bench_unmap_nothing(struct dma_buf_attachment *attach,
				struct sg_table *table, enum dma_data_direction dir)
{
}

static void bench_release_nothing(struct dma_buf *dmabuf)
{
}

static const struct dma_buf_ops bench_export_ops = {
	.map_dma_buf = bench_map_nothing,
	.unmap_dma_buf = bench_unmap_nothing,
	.release = bench_release_nothing,
};

static int bench_export(struct dma_buf_bench_run *run)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	info.ops = &bench_export_ops;
	info.size = PAGE_SIZE;
	info.flags = O_RDWR | O_CLOEXEC;
	info.priv = run;
	for (u32 i = 0; i < run->rounds; i++) {
		struct dma_buf *dmabuf = dma_buf_export(&info);

		if (IS_ERR(dmabuf))
			return PTR_ERR(dmabuf);
		dma_buf_put(dmabuf);
	}
	run->ns = 0;
	return 0;
}

static int bench_vmap(struct dma_buf *dmabuf, struct dma_buf_bench_run *run)
{
	u64 start = ktime_get_ns();

	for (u32 i = 0; i < run->rounds; i++) {
		struct iosys_map map;
		int ret = dma_buf_vmap_unlocked(dmabuf, &map);

		if (ret)
			return ret;
		dma_buf_vunmap_unlocked(dmabuf, &map);
	}
	run->ns = ktime_get_ns() - start;
	return 0;
}

static int bench_cpu_access(struct dma_buf *dmabuf, struct dma_buf_bench_run *run)
{
	u64 start = ktime_get_ns();

	for (u32 i = 0; i < run->rounds; i++) {
		int ret = dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL);

		if (!ret)
			ret = dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
		if (ret)
			return ret;
	}
	run->ns = ktime_get_ns() - start;
	return 0;
}

static void bench_release_held(struct bench_file *bench)
{
	struct dma_buf *dmabuf;

	if (!bench->held)
		return;
	dmabuf = bench->held->dmabuf;
	dma_buf_unmap_attachment_unlocked(bench->held, bench->held_table, DMA_BIDIRECTIONAL);
	dma_buf_detach(dmabuf, bench->held);
	dma_buf_put(dmabuf);
	bench->held = NULL;
}

static int bench_hold(struct bench_file *bench, struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	struct sg_table *table;

	bench_release_held(bench);
	attach = dma_buf_attach(dmabuf, &bench_pdev->dev);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	table = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(table)) {
		dma_buf_detach(dmabuf, attach);
		return PTR_ERR(table);
	}
	get_dma_buf(dmabuf);
	bench->held = attach;
	bench->held_table = table;
	return 0;
}

static void bench_fence_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
}

static int bench_fence(struct dma_buf_bench_run *run, bool callback)
{
	u64 context = dma_fence_context_alloc(1);
	u64 start = ktime_get_ns();

	for (u32 i = 0; i < run->rounds; i++) {
		struct dma_fence *fence = bench_fence_create(context, i + 1);
		struct dma_fence_cb cb;
		int ret = 0;

		if (!fence)
			return -ENOMEM;
		if (callback)
			ret = dma_fence_add_callback(fence, &cb, bench_fence_func);
		dma_fence_signal(fence);
		dma_fence_put(fence);
		if (ret)
			return ret;
	}
	run->ns = ktime_get_ns() - start;
	return 0;
}

static void bench_fences_free(struct dma_fence **fences, u32 count)
{
	if (!fences)
		return;
	for (u32 i = 0; i < count; i++)
		dma_fence_put(fences[i]);
	kfree(fences);
}

/* Create @count fences, each of a context of its own, from @context on. */
static struct dma_fence **bench_fences_create(u64 context, u32 count)
{
	struct dma_fence **fences = kcalloc(count, sizeof(*fences), GFP_KERNEL);

	for (u32 i = 0; fences && i < count; i++) {
		fences[i] = bench_fence_create(context + i, 1);
		if (!fences[i]) {
			bench_fences_free(fences, count);
			return NULL;
		}
	}
	return fences;
}

static int bench_resv_add_all(struct dma_resv *resv, struct dma_fence **fences, u32 count)
{
	int ret = dma_resv_lock(resv, NULL);

	if (ret)
		return ret;
	for (u32 i = 0; i < count; i++) {
		ret = dma_resv_reserve_fences(resv, 1);
		if (ret)
			break;
		dma_resv_add_fence(resv, fences[i], DMA_RESV_USAGE_READ);
	}
	dma_resv_unlock(resv);
	return ret;
}

static int bench_resv_fill(struct dma_resv *resv, u64 context, u32 count)
{
	struct dma_fence **fences = bench_fences_create(context, count);
	int ret = fences ? bench_resv_add_all(resv, fences, count) : -ENOMEM;

	bench_fences_free(fences, count);
	return ret;
}

static void bench_resv_drain(struct dma_resv *resv)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_lock(resv, NULL);
	dma_resv_for_each_fence(&cursor, resv, DMA_RESV_USAGE_BOOKKEEP, fence)
		dma_fence_signal(fence);
	dma_resv_unlock(resv);
	dma_resv_fini(resv);
}

/*
 * Always the same fences: what creating them costs, and freeing them after a
 * grace period, is not the point, and differs from run to run.
 */
static int bench_resv_add(struct dma_buf_bench_run *run)
{
	u64 context = dma_fence_context_alloc(run->arg);
	struct dma_fence **fences = bench_fences_create(context, run->arg);
	int ret = fences ? 0 : -ENOMEM;

	run->ns = 0;
	for (u32 i = 0; !ret && i < run->rounds; i++) {
		struct dma_resv resv;
		u64 start;

		dma_resv_init(&resv);
		start = ktime_get_ns();
		ret = bench_resv_add_all(&resv, fences, run->arg);
		run->ns += ktime_get_ns() - start;
		dma_resv_fini(&resv);
	}
	for (u32 i = 0; fences && i < run->arg; i++)
		dma_fence_signal(fences[i]);
	bench_fences_free(fences, run->arg);
	return ret;
}

static int bench_resv_iter(struct dma_buf_bench_run *run)
{
	u64 context = dma_fence_context_alloc(run->arg);
	struct dma_resv resv;
	u64 start;
	int ret;

	dma_resv_init(&resv);
	ret = bench_resv_fill(&resv, context, run->arg);
	start = ktime_get_ns();
	for (u32 i = 0; !ret && i < run->rounds; i++) {
		struct dma_resv_iter cursor;
		struct dma_fence *fence;
		u32 seen = 0;

		dma_resv_iter_begin(&cursor, &resv, DMA_RESV_USAGE_BOOKKEEP);
		dma_resv_for_each_fence_unlocked(&cursor, fence)
			seen++;
		dma_resv_iter_end(&cursor);
		if (seen != run->arg)
			ret = -EIO;
	}
	run->ns = ktime_get_ns() - start;
	bench_resv_drain(&resv);
	return ret;
}

/* All have signaled, so each has to be looked at. */
static int bench_resv_test(struct dma_buf_bench_run *run)
{
	u64 context = dma_fence_context_alloc(run->arg);
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	struct dma_resv resv;
	u64 start;
	int ret;

	dma_resv_init(&resv);
	ret = bench_resv_fill(&resv, context, run->arg);
	dma_resv_lock(&resv, NULL);
	dma_resv_for_each_fence(&cursor, &resv, DMA_RESV_USAGE_BOOKKEEP, fence)
		dma_fence_signal(fence);
	dma_resv_unlock(&resv);

	start = ktime_get_ns();
	for (u32 i = 0; !ret && i < run->rounds; i++)
		if (!dma_resv_test_signaled(&resv, DMA_RESV_USAGE_BOOKKEEP))
			ret = -EIO;
	run->ns = ktime_get_ns() - start;
	bench_resv_drain(&resv);
	return ret;
}

/* Append a link for each fence. */
static struct dma_fence *bench_chain_append(struct dma_fence **fences, u32 count)
{
	struct dma_fence *head = NULL;

	for (u32 i = 0; i < count; i++) {
		struct dma_fence_chain *chain = dma_fence_chain_alloc();

		if (!chain) {
			dma_fence_put(head);
			return NULL;
		}
		dma_fence_chain_init(chain, head, dma_fence_get(fences[i]), i + 1);
		head = &chain->base;
	}
	return head;
}

/*
 * Each link's fence has signaled, so the links behind the head can be collected.
 * The fences are there before: appending is the point.
 */
static int bench_chain(struct dma_buf_bench_run *run)
{
	u64 context = dma_fence_context_alloc(run->arg);
	struct dma_fence **fences = bench_fences_create(context, run->arg);
	int ret = fences ? 0 : -ENOMEM;

	for (u32 i = 0; fences && i < run->arg; i++)
		dma_fence_signal(fences[i]);
	run->ns = 0;
	for (u32 i = 0; !ret && i < run->rounds; i++) {
		u64 start;
		struct dma_fence *head;

		/* What earlier rounds have freed is back in the slabs. */
		rcu_barrier();
		start = ktime_get_ns();
		head = bench_chain_append(fences, run->arg);
		if (!head)
			ret = -ENOMEM;
		dma_fence_put(head);
		run->ns += ktime_get_ns() - start;
	}
	bench_fences_free(fences, run->arg);
	return ret;
}

/* An array of new fences, each of a context of its own, from @context on. */
static struct dma_fence *bench_array_create(u64 context, u32 count)
{
	struct dma_fence **fences = bench_fences_create(context, count);
	struct dma_fence_array *array;

	if (!fences)
		return NULL;
	array = dma_fence_array_create(count, fences, dma_fence_context_alloc(1), 1, false);
	if (array)
		return &array->base;
	bench_fences_free(fences, count);
	return NULL;
}

static void bench_array_signal(struct dma_fence *array)
{
	struct dma_fence *fence;
	unsigned int i;

	dma_fence_array_for_each(fence, i, array)
		dma_fence_signal(fence);
}

static int bench_array(struct dma_buf_bench_run *run)
{
	u64 context = dma_fence_context_alloc(run->arg), start = ktime_get_ns();

	for (u32 i = 0; i < run->rounds; i++) {
		struct dma_fence *array = bench_array_create(context, run->arg);

		if (!array)
			return -ENOMEM;
		dma_fence_enable_sw_signaling(array);
		bench_array_signal(array);
		dma_fence_put(array);
	}
	run->ns = ktime_get_ns() - start;
	return 0;
}

static int bench_merge(struct dma_buf_bench_run *run)
{
	u64 context = dma_fence_context_alloc(run->arg);
	struct dma_fence *one = bench_array_create(context, run->arg / 2);
	struct dma_fence *two = bench_array_create(context + run->arg / 2, run->arg / 2);
	int ret = one && two ? 0 : -ENOMEM;
	u64 start = ktime_get_ns();

	for (u32 i = 0; !ret && i < run->rounds; i++) {
		struct dma_fence *both = dma_fence_unwrap_merge(one, two);

		ret = both ? 0 : -ENOMEM;
		dma_fence_put(both);
	}
	run->ns = ktime_get_ns() - start;
	if (one)
		bench_array_signal(one);
	if (two)
		bench_array_signal(two);
	dma_fence_put(one);
	dma_fence_put(two);
	return ret;
}

static int bench_run_buffer(struct bench_file *bench, struct dma_buf_bench_run *run)
{
	struct dma_buf *dmabuf = dma_buf_get(run->fd);
	int ret;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	switch (run->op) {
	case DMA_BUF_BENCH_ATTACH:
		ret = bench_attach(dmabuf, run);
		break;
	case DMA_BUF_BENCH_MAP:
		ret = bench_map(dmabuf, run);
		break;
	case DMA_BUF_BENCH_ATTACH_MAP:
		ret = bench_attach_map(dmabuf, run);
		break;
	case DMA_BUF_BENCH_VMAP:
		ret = bench_vmap(dmabuf, run);
		break;
	case DMA_BUF_BENCH_CPU_ACCESS:
		ret = bench_cpu_access(dmabuf, run);
		break;
	default:
		ret = bench_hold(bench, dmabuf);
		break;
	}
	dma_buf_put(dmabuf);
	return ret;
}

static int bench_run(struct bench_file *bench, struct dma_buf_bench_run *run)
{
	if (!run->rounds || run->op >= DMA_BUF_BENCH_OPS)
		return -EINVAL;
	switch (run->op) {
	case DMA_BUF_BENCH_LET_GO:
		bench_release_held(bench);
		return 0;
	case DMA_BUF_BENCH_EXPORT:
		return bench_export(run);
	case DMA_BUF_BENCH_FENCE_SIGNAL:
		return bench_fence(run, false);
	case DMA_BUF_BENCH_FENCE_CALLBACK:
		return bench_fence(run, true);
	case DMA_BUF_BENCH_RESV_ADD:
		return run->arg ? bench_resv_add(run) : -EINVAL;
	case DMA_BUF_BENCH_RESV_ITER:
		return run->arg ? bench_resv_iter(run) : -EINVAL;
	case DMA_BUF_BENCH_RESV_TEST:
		return run->arg ? bench_resv_test(run) : -EINVAL;
	case DMA_BUF_BENCH_CHAIN:
		return run->arg ? bench_chain(run) : -EINVAL;
	case DMA_BUF_BENCH_ARRAY:
		return run->arg ? bench_array(run) : -EINVAL;
	case DMA_BUF_BENCH_MERGE:
		return run->arg > 1 ? bench_merge(run) : -EINVAL;
	default:
		return bench_run_buffer(bench, run);
	}
}

static long bench_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct bench_file *bench = file->private_data;
	struct dma_buf_bench_run run;
	int ret;

	if (cmd != DMA_BUF_BENCH_RUN)
		return -ENOTTY;
	if (copy_from_user(&run, (void __user *)arg, sizeof(run)))
		return -EFAULT;
	mutex_lock(&bench->lock);
	ret = bench_run(bench, &run);
	mutex_unlock(&bench->lock);
	if (!ret && copy_to_user((void __user *)arg, &run, sizeof(run)))
		ret = -EFAULT;
	return ret;
}

static int bench_open(struct inode *inode, struct file *file)
{
	struct bench_file *bench = kzalloc(sizeof(*bench), GFP_KERNEL);

	if (!bench)
		return -ENOMEM;
	mutex_init(&bench->lock);
	file->private_data = bench;
	return 0;
}

static int bench_release(struct inode *inode, struct file *file)
{
	struct bench_file *bench = file->private_data;

	bench_release_held(bench);
	kfree(bench);
	return 0;
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.open = bench_open,
	.release = bench_release,
	.unlocked_ioctl = bench_ioctl,
};

static struct miscdevice bench_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dma_buf_bench",
	.fops = &bench_fops,
};

/* What is kept of a device ends with its driver: so there is one. */
static int bench_probe(struct platform_device *pdev)
{
	return 0;
}

static struct platform_driver bench_driver = {
	.probe = bench_probe,
	.driver.name = "dma_buf_bench",
};

static int __init bench_init(void)
{
	int ret = platform_driver_register(&bench_driver);

	if (ret)
		return ret;
	bench_pdev = platform_device_register_simple("dma_buf_bench", -1, NULL, 0);
	if (IS_ERR(bench_pdev)) {
		platform_driver_unregister(&bench_driver);
		return PTR_ERR(bench_pdev);
	}
	ret = dma_coerce_mask_and_coherent(&bench_pdev->dev, DMA_BIT_MASK(64));
	if (!ret)
		ret = misc_register(&bench_misc);
	if (ret) {
		platform_device_unregister(bench_pdev);
		platform_driver_unregister(&bench_driver);
	}
	return ret;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
	misc_deregister(&bench_misc);
	platform_device_unregister(bench_pdev);
	platform_driver_unregister(&bench_driver);
}
module_exit(bench_exit);

MODULE_DESCRIPTION("Costs of the dma-buf subsystem inside the kernel");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
