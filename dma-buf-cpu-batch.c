// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access by the CPU to many buffers: DMA_BUF_IOCTL_SYNC_BATCH.
 *
 * All records are looked up and checked before the first op of an exporter is
 * called. So what fails later is an op or a wait, and from then on every access
 * that has begun is known, and is ended again.
 *
 * Fences of different buffers signal independently of each other, so waiting
 * for them one after the other takes as long as the slowest. That holds only if
 * no op of an exporter comes between two waits: an op may wait itself, or queue
 * work. Hence four passes: call the exporters that complete deferred work in
 * their op, see dma_buf_cpu_can_wait_first(); wait for the buffers of the
 * others; call these; wait for what any of them has queued.
 *
 * The buffers are referenced during the call.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "dma-buf-private.h"
#include "ioctl_table.h"

#include <trace/events/dma_buf.h>

/**
 * struct dma_buf_cpu_batch - one call
 * @accesses: one for each record; &dma_buf_cpu_access.fence is not used
 * @count: how many of them have a reference to their buffer
 */
struct dma_buf_cpu_batch {
	struct dma_buf_cpu_access *accesses;
	unsigned int count;
};

/* Take over one record: look up its buffer, and check the rest. */
static int dma_buf_cpu_batch_add(struct dma_buf_cpu_batch *batch,
				 const struct dma_buf_sync_record *record)
{
	struct dma_buf_cpu_access *access = &batch->accesses[batch->count];
	struct dma_buf *dmabuf = dma_buf_get(record->fd);

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	access->dmabuf = dmabuf;
	batch->count++;

	if (record->offset || record->length) {
		access->dir = dma_buf_cpu_sync_dir(dmabuf, record->flags,
						   record->offset,
						   record->length);
		access->offset = record->offset;
		access->length = record->length;
	} else {
		access->dir = dma_buf_cpu_dir(record->flags);
		access->length = dmabuf->size;
	}
	return access->dir == DMA_NONE ? -EINVAL : 0;
}

static int dma_buf_cpu_batch_add_all(struct dma_buf_cpu_batch *batch,
				     const struct dma_buf_sync_record *records,
				     unsigned int count)
{
	unsigned int i;
	int ret;

	for (i = 0; i < count; i++) {
		if ((records[i].flags ^ records[0].flags) & DMA_BUF_SYNC_END)
			return -EINVAL;
		ret = dma_buf_cpu_batch_add(batch, &records[i]);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

static void dma_buf_cpu_batch_put(struct dma_buf_cpu_batch *batch)
{
	while (batch->count)
		dma_buf_put(batch->accesses[--batch->count].dmabuf);
}

/* Wait for all, or before the begin for those that may be waited for. */
static int dma_buf_cpu_batch_wait(const struct dma_buf_cpu_batch *batch,
				  bool begun)
{
	const struct dma_buf_cpu_access *access;
	unsigned int i;
	int ret;

	for (i = 0; i < batch->count; i++) {
		access = &batch->accesses[i];
		if (dma_resv_is_unused(access->dmabuf->resv) ||
		    (!begun && !dma_buf_cpu_can_wait_first(access->dmabuf)))
			continue;
		ret = dma_buf_cpu_wait_fences(access->dmabuf, access->dir);
		if (ret)
			return ret;
	}
	return 0;
}

/* Call the exporters before whose op may be waited, or the others. */
static int dma_buf_cpu_batch_call_exporters(struct dma_buf_cpu_batch *batch,
					    bool wait_first)
{
	struct dma_buf_cpu_access *access;
	unsigned int i;
	int ret;

	for (i = 0; i < batch->count; i++) {
		access = &batch->accesses[i];
		if (dma_buf_cpu_can_wait_first(access->dmabuf) != wait_first)
			continue;
		if (fatal_signal_pending(current))
			return -EINTR;
		ret = dma_buf_cpu_begin_range(access->dmabuf, access->dir,
					      access->offset, access->length);
		if (ret)
			return ret;
		access->begun = true;
		cond_resched();
	}
	return 0;
}

/*
 * An op that has to come before the wait may complete what fences of any of the
 * buffers depend on: so those come first of all.
 *
 * The accesses of a task that is killed are not ended, as if it had been killed
 * after a start: maintenance of a thousand large buffers takes long.
 */
static int dma_buf_cpu_batch_begin(struct dma_buf_cpu_batch *batch)
{
	struct dma_buf_cpu_access *access;
	unsigned int i;
	int ret;

	ret = dma_buf_cpu_batch_call_exporters(batch, false) ?:
	      dma_buf_cpu_batch_wait(batch, false) ?:
	      dma_buf_cpu_batch_call_exporters(batch, true) ?:
	      dma_buf_cpu_batch_wait(batch, true);

	for (i = 0; i < batch->count; i++) {
		access = &batch->accesses[i];
		trace_dma_buf_begin_cpu_partial(access->dmabuf, access->dir,
						access->offset, access->length,
						ret);
		if (ret && !fatal_signal_pending(current))
			dma_buf_cpu_access_abort(access);
	}
	return ret;
}

/*
 * One that fails must not keep the others from ending. A task that is killed
 * leaves the rest as they are.
 */
static int dma_buf_cpu_batch_end(struct dma_buf_cpu_batch *batch)
{
	struct dma_buf_cpu_access *access;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < batch->count; i++) {
		int error;

		if (fatal_signal_pending(current))
			return -EINTR;
		access = &batch->accesses[i];
		error = dma_buf_cpu_end_copy(access->dmabuf, access->dir,
					     access->offset, access->length);
		ret = ret ?: error;
		cond_resched();
	}
	return ret;
}

static int dma_buf_cpu_batch_run(const struct dma_buf_sync_record *records,
				 unsigned int count)
{
	struct dma_buf_cpu_batch batch = {};
	int ret;

	batch.accesses = kvcalloc(count, sizeof(*batch.accesses), GFP_KERNEL);
	if (!batch.accesses)
		return -ENOMEM;

	ret = dma_buf_cpu_batch_add_all(&batch, records, count);
	if (!ret)
		ret = records[0].flags & DMA_BUF_SYNC_END ?
		      dma_buf_cpu_batch_end(&batch) :
		      dma_buf_cpu_batch_begin(&batch);

	dma_buf_cpu_batch_put(&batch);
	kvfree(batch.accesses);
	return ret;
}

/**
 * dma_buf_cpu_batch_ioctl_sync - carry out DMA_BUF_IOCTL_SYNC_BATCH
 * @call: the call
 * @args: &struct dma_buf_sync_batch
 *
 * Context: Process context. May sleep, for as long as devices take.
 * Return: 0; -EINVAL for a bad count or record, -EBADF for a descriptor that is
 * not open, -EFAULT when the records cannot be read, -ENOMEM; or as
 * dma_buf_cpu_ioctl_sync() and dma_buf_cpu_ioctl_sync_partial().
 */
long dma_buf_cpu_batch_ioctl_sync(struct ioctl_call *call, void *args)
{
	const struct dma_buf_sync_batch *sync = args;
	struct dma_buf_sync_record *records;
	int ret;

	if (!sync->count || sync->count > DMA_BUF_SYNC_BATCH_MAX ||
	    sync->reserved)
		return -EINVAL;

	records = vmemdup_array_user(u64_to_user_ptr(sync->records),
				     sync->count, sizeof(*records));
	if (IS_ERR(records))
		return PTR_ERR(records);
	ret = dma_buf_cpu_batch_run(records, sync->count);
	kvfree(records);
	return ret;
}
