// SPDX-License-Identifier: GPL-2.0-only
/*
 * Jobs of the edu device: from the ioctl that asks for a copy to the reaper
 * that gives back what it held.
 *
 * Owns: struct edu_job, the fences, edu_device.queue and edu_device.done.
 * Locks: edu_client.lock, then the reservation locks of both buffers, then
 * edu_device.lock; the reaper takes only the last two.
 * May call: edu_import.c, fences, reservation objects, sync files.
 * Never here: registers; what happens between start and end of a job.
 * Units: bytes, milliseconds in the ioctl, jiffies inside.
 *
 * A job is created in two steps. edu_job_prepare() does all that may fail. Then
 * edu_job_publish() shows its fence to others, and from there nothing is
 * allocated and nothing is locked that another may hold while waiting for us:
 * queue, start, interrupt, signal. The reaper comes after the signal.
 */
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sync_file.h>

#include "../../ioctl_table.h"
#include "edu.h"

/**
 * struct edu_fence - needs nothing of the device, which may go away before it
 * @base: the fence
 * @lock: of @base
 * @timeline: name of the device
 *
 * It keeps the module, because that holds the functions below.
 */
struct edu_fence {
	struct dma_fence base;
	spinlock_t lock;	/* for dma_fence_init() alone */
	char timeline[sizeof_field(struct edu_device, name)];
};

static const char *edu_fence_driver_name(struct dma_fence *fence)
{
	return EDU_NAME;
}

static const char *edu_fence_timeline_name(struct dma_fence *fence)
{
	return container_of(fence, struct edu_fence, base)->timeline;
}

static void edu_fence_free(struct rcu_head *rcu)
{
	struct dma_fence *fence = container_of(rcu, struct dma_fence, rcu);

	kfree(container_of(fence, struct edu_fence, base));
	/* Leaving the module waits for us: edu_exit() has an rcu_barrier(). */
	module_put(THIS_MODULE);
}

static void edu_fence_release(struct dma_fence *fence)
{
	call_rcu(&fence->rcu, edu_fence_free);
}

static const struct dma_fence_ops edu_fence_ops = {
	.get_driver_name = edu_fence_driver_name,
	.get_timeline_name = edu_fence_timeline_name,
	.release = edu_fence_release,
};

static struct dma_fence *edu_fence_create(struct edu_client *client)
{
	struct edu_fence *fence;

	lockdep_assert_held(&client->lock);

	fence = kzalloc(sizeof(*fence), GFP_KERNEL_ACCOUNT);
	if (!fence)
		return NULL;

	__module_get(THIS_MODULE);
	spin_lock_init(&fence->lock);
	strscpy(fence->timeline, client->edu->name);
	dma_fence_init(&fence->base, &edu_fence_ops, &fence->lock,
		       client->context, ++client->seqno);
	return &fence->base;
}

/* May run in an interrupt, and with the lock of a foreign fence held. */
static void edu_dep_signalled(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct edu_dep *dep = container_of(cb, struct edu_dep, cb);
	struct edu_job *job = dep->job;
	struct edu_device *edu = job->edu;

	if (dep->inherit && fence->error)
		WRITE_ONCE(job->error, fence->error);

	if (atomic_dec_and_test(&job->pending))
		queue_work(edu->engine_wq, &edu->kick);
}

/* Takes over the reference to @fence, which may be NULL. */
static void edu_job_wait_for(struct edu_job *job, struct dma_fence *fence,
			     bool inherit)
{
	struct edu_dep *dep;

	if (!fence)
		return;

	dep = &job->deps[job->ndeps++];
	dep->fence = fence;
	dep->job = job;
	dep->inherit = inherit;
	INIT_LIST_HEAD(&dep->cb.node);
}

static void edu_end_release(struct edu_end *end)
{
	struct edu_import *import = end->import;

	if (!import)
		return;

	if (end->map) {
		dma_resv_lock(import->dmabuf->resv, NULL);
		edu_map_put_locked(import, end->map);
		dma_resv_unlock(import->dmabuf->resv);
	}
	edu_import_put(import);
}

/* Everything the job holds, whether it ran or was never published. */
static void edu_job_free(struct edu_job *job)
{
	struct edu_device *edu = job->edu;
	struct edu_dep *dep;

	for (dep = job->deps; dep < job->deps + job->ndeps; dep++) {
		/* Also waits until a callback that runs now has returned. */
		dma_fence_remove_callback(dep->fence, &dep->cb);
		dma_fence_put(dep->fence);
	}

	edu_end_release(&job->src);
	edu_end_release(&job->dst);
	dma_fence_put(job->fence);

	scoped_guard(spinlock_irq, &edu->lock)
		job->client->jobs--;
	wake_up(&edu->idle);
	kfree(job);
}

/**
 * edu_reap_work - give back what ended jobs hold
 * @work: edu_device.reap
 *
 * Context: Worker of edu_device.reap_wq. Takes reservation locks, whose
 * holders may wait for a fence: no fence depends on this worker.
 */
void edu_reap_work(struct work_struct *work)
{
	struct edu_device *edu = container_of(work, struct edu_device, reap);
	struct edu_job *job, *next;
	LIST_HEAD(done);

	scoped_guard(spinlock_irq, &edu->lock)
		list_splice_init(&edu->done, &done);

	list_for_each_entry_safe(job, next, &done, link)
		edu_job_free(job);
}

/**
 * edu_job_end - signal a job's fence and let the next one start
 * @job: taken off the queue by the caller, or running and set to %EDU_OVER by
 *	the caller; it is gone afterwards
 * @error: 0 or a negative errno, for the readers of the fence's status
 *
 * Context: Any, also hard interrupt. Takes the lock of the fence, runs the
 * callbacks of its waiters, then takes edu_device.lock.
 */
void edu_job_end(struct edu_job *job, int error)
{
	struct edu_device *edu = job->edu;

	if (error)
		dma_fence_set_error(job->fence, error);
	dma_fence_signal(job->fence);

	scoped_guard(spinlock_irqsave, &edu->lock) {
		if (edu->running == job)
			edu->running = NULL;
		list_add_tail(&job->link, &edu->done);
		/*
		 * Inside of the lock: a caller that sees the job gone from
		 * here may destroy the queues next.
		 */
		queue_work(edu->engine_wq, &edu->kick);
		queue_work(edu->reap_wq, &edu->reap);
		wake_up(&edu->idle);
	}
}

static bool edu_client_runs(struct edu_client *client)
{
	struct edu_device *edu = client->edu;
	bool runs;

	spin_lock_irq(&edu->lock);
	runs = edu->running && edu->running->client == client;
	spin_unlock_irq(&edu->lock);
	return runs;
}

static bool edu_client_has_jobs(struct edu_client *client)
{
	bool has_jobs;

	spin_lock_irq(&client->edu->lock);
	has_jobs = client->jobs;
	spin_unlock_irq(&client->edu->lock);
	return has_jobs;
}

/**
 * edu_client_stop - end all jobs of a client and give up its buffers
 * @client: the client that is closed, or whose device is unbound; it can submit
 *	no new jobs any more
 * @error: what the fences of jobs that have not come to their end say
 *
 * Context: May sleep, uninterruptibly, but not longer than one transfer and
 * its time-out. Expects edu_device.clients_lock. A second call does nothing.
 */
void edu_client_stop(struct edu_client *client, int error)
{
	struct edu_device *edu = client->edu;
	struct edu_job *job, *next;
	struct edu_import *import;
	unsigned long handle;
	LIST_HEAD(mine);

	lockdep_assert_held(&edu->clients_lock);

	scoped_guard(spinlock_irq, &edu->lock) {
		list_for_each_entry_safe(job, next, &edu->queue, link)
			if (job->client == client)
				list_move_tail(&job->link, &mine);
		if (edu->running && edu->running->client == client)
			edu->running->cancelled = error;
		if (edu->window_owner == client)
			edu->window_owner = NULL;
	}

	/* The fences of one client signal in their order. */
	wait_event(edu->idle, !edu_client_runs(client));
	list_for_each_entry_safe(job, next, &mine, link) {
		list_del_init(&job->link);
		edu_job_end(job, error);
	}
	wait_event(edu->idle, !edu_client_has_jobs(client));

	xa_for_each(&client->imports, handle, import) {
		xa_erase(&client->imports, handle);
		edu_import_put(import);
	}
	dma_fence_put(client->last);
	client->last = NULL;
}

/* Fill in one end; a buffer gets a reference that edu_end_release() drops. */
static int edu_end_init(struct edu_client *client, struct edu_end *end,
			u32 handle, u64 pos, u64 length)
{
	u64 size = EDU_WINDOW_SIZE;

	end->pos = pos;
	if (handle != DMABUF_EDU_WINDOW) {
		end->import = xa_load(&client->imports, handle);
		if (!end->import)
			return -ENOENT;
		kref_get(&end->import->kref);
		size = end->import->dmabuf->size;
	}

	if (pos > size || length > size - pos)
		return -EINVAL;

	return 0;
}

/* Both ends, and what can be said against them together. */
static int edu_job_init_ends(struct edu_job *job,
			     const struct dmabuf_edu_copy *copy)
{
	u64 distance;
	int ret;

	ret = edu_end_init(job->client, &job->src, copy->src, copy->src_offset,
			   copy->length);
	if (ret)
		return ret;

	ret = edu_end_init(job->client, &job->dst, copy->dst, copy->dst_offset,
			   copy->length);
	if (ret)
		return ret;

	if (job->dst.import && job->dst.import->dir == DMA_TO_DEVICE)
		return -EACCES;
	if (!job->dst.import || !job->src.import)
		return 0;

	distance = abs_diff(copy->src_offset, copy->dst_offset);
	if (job->dst.import->dmabuf == job->src.import->dmabuf &&
	    distance < copy->length)
		return -EINVAL;

	return 0;
}

static struct dma_resv *edu_end_resv(const struct edu_end *end)
{
	return end->import ? end->import->dmabuf->resv : NULL;
}

/* Lock one object or two, in whichever order @ctx finds to be safe. */
static int edu_resv_lock(struct dma_resv *first, struct dma_resv *second,
			 struct ww_acquire_ctx *ctx)
{
	int ret;

	ret = dma_resv_lock_interruptible(first, ctx);
	while (!ret && second) {
		ret = dma_resv_lock_interruptible(second, ctx);
		if (!ret)
			break;

		dma_resv_unlock(first);
		if (ret == -EDEADLK) {
			swap(first, second);
			ret = dma_resv_lock_slow_interruptible(first, ctx);
		}
	}

	return ret;
}

/* Map one end, find the fences to wait for, make room for our fence. */
static int edu_end_reserve(struct edu_job *job, struct edu_end *end,
			   enum dma_resv_usage waits_for)
{
	struct dma_resv *resv = edu_end_resv(end);
	struct dma_fence *fence;
	struct edu_map *map;
	int ret;

	if (!resv)
		return 0;

	map = edu_map_get_locked(end->import);
	if (IS_ERR(map))
		return PTR_ERR(map);
	end->map = map;
	edu_end_seek(end, end->pos);

	ret = dma_resv_get_singleton(resv, waits_for, &fence);
	if (ret)
		return ret;
	edu_job_wait_for(job, fence, false);

	/* Both ends may lie in one object. */
	return dma_resv_reserve_fences(resv, 2);
}

static void edu_end_publish(struct edu_end *end, struct dma_fence *fence,
			    enum dma_resv_usage usage)
{
	if (end->import)
		dma_resv_add_fence(edu_end_resv(end), fence, usage);
}

/* Cannot fail. The engine may end the job before this returns. */
static void edu_job_publish(struct edu_job *job)
{
	struct edu_device *edu = job->edu;
	struct edu_dep *dep;

	scoped_guard(spinlock_irq, &edu->lock)
		list_add_tail(&job->link, &edu->queue);

	for (dep = job->deps; dep < job->deps + job->ndeps; dep++) {
		atomic_inc(&job->pending);
		if (dma_fence_add_callback(dep->fence, &dep->cb,
					   edu_dep_signalled))
			edu_dep_signalled(dep->fence, &dep->cb);
	}

	/* The one that kept the engine away so far. */
	if (atomic_dec_and_test(&job->pending))
		queue_work(edu->engine_wq, &edu->kick);
}

/* With the buffers locked: the last that may fail, then the fence is out. */
static int edu_job_submit(struct edu_job *job, bool explicit)
{
	enum dma_resv_usage src_usage = explicit ? DMA_RESV_USAGE_BOOKKEEP :
						   DMA_RESV_USAGE_READ;
	enum dma_resv_usage dst_usage = explicit ? DMA_RESV_USAGE_BOOKKEEP :
						   DMA_RESV_USAGE_WRITE;
	struct dma_resv *first = edu_end_resv(&job->src);
	struct dma_resv *second = edu_end_resv(&job->dst);
	struct edu_client *client = job->client;
	struct ww_acquire_ctx ctx;
	int ret;

	if (!first)
		swap(first, second);
	if (first == second)
		second = NULL;

	ww_acquire_init(&ctx, &reservation_ww_class);
	ret = edu_resv_lock(first, second, &ctx);
	if (ret)
		goto err_fini;
	ww_acquire_done(&ctx);

	/* Explicit or not, a buffer that is being moved is not touched. */
	ret = edu_end_reserve(job, &job->src, explicit ? DMA_RESV_USAGE_KERNEL :
						dma_resv_usage_rw(false));
	if (!ret)
		ret = edu_end_reserve(job, &job->dst, explicit ?
				      DMA_RESV_USAGE_KERNEL :
				      dma_resv_usage_rw(true));
	if (ret)
		goto err_unlock;

	edu_end_publish(&job->src, job->fence, src_usage);
	edu_end_publish(&job->dst, job->fence, dst_usage);
	dma_fence_put(client->last);
	client->last = dma_fence_get(job->fence);
	edu_job_publish(job);

err_unlock:
	dma_resv_unlock(first);
	if (second)
		dma_resv_unlock(second);
err_fini:
	ww_acquire_fini(&ctx);
	return ret;
}

static int edu_copy_check(struct edu_client *client,
			  const struct dmabuf_edu_copy *copy)
{
	if (copy->flags & ~DMABUF_EDU_COPY_EXPLICIT)
		return -EINVAL;
	if (copy->src == DMABUF_EDU_WINDOW && copy->dst == DMABUF_EDU_WINDOW)
		return -EINVAL;
	if (!copy->length || copy->length > EDU_MAX_LENGTH)
		return -EINVAL;
	if (copy->timeout_ms > EDU_TIMEOUT_MAX_MS)
		return -EINVAL;
	if (READ_ONCE(client->edu->dead))
		return -EIO;

	return 0;
}

/* All of a job that can be had without locking the buffers. */
static int edu_job_prepare(struct edu_job *job,
			   const struct dmabuf_edu_copy *copy)
{
	struct edu_client *client = job->client;
	struct dma_fence *in_fence;
	int ret;

	ret = edu_job_init_ends(job, copy);
	if (ret)
		return ret;

	edu_job_wait_for(job, dma_fence_get(client->last), false);
	if (copy->in_fence != -1) {
		in_fence = sync_file_get_fence(copy->in_fence);
		if (!in_fence)
			return -EINVAL;
		edu_job_wait_for(job, in_fence, true);
	}

	job->fence = edu_fence_create(client);
	return job->fence ? 0 : -ENOMEM;
}

static struct edu_job *edu_job_create(struct edu_client *client,
				      const struct dmabuf_edu_copy *copy)
{
	struct edu_job *job = kzalloc(sizeof(*job), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!job)
		return ERR_PTR(-ENOMEM);

	INIT_LIST_HEAD(&job->link);
	atomic_set(&job->pending, 1);
	job->edu = client->edu;
	job->client = client;
	job->left = copy->length;
	job->timeout = msecs_to_jiffies(copy->timeout_ms ?: EDU_TIMEOUT_MS);
	scoped_guard(spinlock_irq, &client->edu->lock)
		client->jobs++;

	ret = edu_job_prepare(job, copy);
	if (ret) {
		edu_job_free(job);
		return ERR_PTR(ret);
	}

	return job;
}

/**
 * edu_job_copy - queue a copy, and hand out the fence of its end
 * @client: the client that asks
 * @call: the ioctl, to be answered before the job can no longer be taken back
 * @copy: its argument; gets the descriptor of the fence
 *
 * Context: May sleep. Expects edu_device.live to be held for reading. Takes
 * edu_client.lock and the reservation locks of the buffers.
 *
 * Return: 0, or -EINVAL: unknown flag, no buffer at all, length of 0 or above
 * the limit, range beyond the end or overlapping, time-out above the limit, IN
 * fence that is no sync file; -ENOENT: no such handle; -EACCES: the target was
 * attached by a read-only descriptor; -EIO: the engine is out of order or the
 * exporter maps too little; -EMFILE, -EFAULT, -EINTR, -ENOMEM, and what the
 * exporter says when it maps.
 */
int edu_job_copy(struct edu_client *client, struct ioctl_call *call,
		 struct dmabuf_edu_copy *copy)
{
	struct sync_file *sync_file;
	struct edu_job *job;
	int fd, ret;

	ret = edu_copy_check(client, copy);
	if (ret)
		return ret;

	guard(mutex)(&client->lock);

	job = edu_job_create(client, copy);
	if (IS_ERR(job))
		return PTR_ERR(job);

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		ret = fd;
		goto err_free_job;
	}

	sync_file = sync_file_create(job->fence);
	if (!sync_file) {
		ret = -ENOMEM;
		goto err_put_fd;
	}

	copy->out_fence = fd;
	ret = ioctl_call_reply(call);
	if (ret)
		goto err_put_file;

	ret = edu_job_submit(job, copy->flags & DMABUF_EDU_COPY_EXPLICIT);
	if (ret)
		goto err_put_file;

	fd_install(fd, sync_file->file);
	return 0;

err_put_file:
	fput(sync_file->file);
err_put_fd:
	put_unused_fd(fd);
err_free_job:
	edu_job_free(job);
	return ret;
}
