// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of all buffers.
 *
 * A buffer is listed from its export until the last reference to its file is
 * gone. It is taken out before anything of it is released, so what is found in
 * the list is whole.
 *
 * Each CPU has a list of those that were exported on it, so that exports on
 * several do not wait for each other. A buffer stays in the list that it was
 * added to.
 *
 * Locks: a list has a mutex. dma_buf_list_for_each() holds it while its
 * callback takes the reservation lock of each buffer.
 */
#include <linux/cpumask.h>
#include <linux/dma-buf.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include "dma-buf-private.h"

/**
 * struct dma_buf_list - the buffers that were exported on one CPU
 * @lock: protects @buffers
 * @buffers: by &dma_buf.list_node, the newest first
 */
struct dma_buf_list {
	struct mutex lock; /* buffers */
	struct list_head buffers;
};

static DEFINE_PER_CPU_ALIGNED(struct dma_buf_list, dma_buf_lists);

/**
 * dma_buf_list_add - list a new buffer
 * @dmabuf: the buffer, with its file
 *
 * Context: Process context. May sleep.
 */
void dma_buf_list_add(struct dma_buf *dmabuf)
{
	struct dma_buf_list *list;

	/* Any will do, should the task be moved to another CPU. */
	dmabuf->list_cpu = raw_smp_processor_id();
	list = per_cpu_ptr(&dma_buf_lists, dmabuf->list_cpu);
	guard(mutex)(&list->lock);
	list_add(&dmabuf->list_node, &list->buffers);
}

/**
 * dma_buf_list_del - remove a buffer from the list
 * @dmabuf: the buffer, whose file is being released
 *
 * Context: Process context. May sleep, until a reader of bufinfo has finished.
 */
void dma_buf_list_del(struct dma_buf *dmabuf)
{
	struct dma_buf_list *list = per_cpu_ptr(&dma_buf_lists,
						dmabuf->list_cpu);

	guard(mutex)(&list->lock);
	list_del(&dmabuf->list_node);
}

static int dma_buf_list_visit(struct dma_buf_list *list,
			      dma_buf_list_visit_t *visit, void *data)
{
	struct dma_buf *dmabuf;
	int ret;

	ret = mutex_lock_interruptible(&list->lock);
	if (ret)
		return ret;

	list_for_each_entry(dmabuf, &list->buffers, list_node) {
		ret = visit(dmabuf, data);
		if (ret)
			break;
	}
	mutex_unlock(&list->lock);
	return ret;
}

/**
 * dma_buf_list_for_each - call a function for each buffer
 * @visit: the function, which may take the buffer's reservation lock; the
 *	buffer may have lost its last reference
 * @data: its second argument
 *
 * Context: Process context, without a reservation lock. May sleep.
 * Return: 0; what @visit returned, if not 0, which ends the walk; -EINTR when
 * a signal arrives in a wait for the lock.
 */
int dma_buf_list_for_each(dma_buf_list_visit_t *visit, void *data)
{
	int cpu, ret;

	/* A CPU that is gone has left its list behind. */
	for_each_possible_cpu(cpu) {
		ret = dma_buf_list_visit(per_cpu_ptr(&dma_buf_lists, cpu),
					 visit, data);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * dma_buf_list_init - prepare the lists
 *
 * Context: Process context, at boot, before the first export.
 */
void __init dma_buf_list_init(void)
{
	struct dma_buf_list *list;
	int cpu;

	for_each_possible_cpu(cpu) {
		list = per_cpu_ptr(&dma_buf_lists, cpu);
		mutex_init(&list->lock);
		INIT_LIST_HEAD(&list->buffers);
	}
}
