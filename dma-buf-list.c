// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of all buffers, for debugfs and for iterators.
 *
 * A buffer is listed from its export until the last reference to its file is
 * gone. It is taken out before anything of it is released, so what is found in
 * the list is whole.
 *
 * Each CPU has a list of those that were exported on it, so that exports on
 * several do not wait for each other. A buffer stays in the list that it was
 * added to.
 *
 * An iterator holds no lock between two steps, only a reference to the buffer
 * that it has reached. That keeps the buffer listed, and so the buffer itself
 * is the position: the next step goes on behind it.
 *
 * Locks: a list has a mutex. dma_buf_list_for_each() holds it while its
 * callback takes the reservation lock of each buffer; so neither this nor a
 * step of an iterator may be called with a reservation lock.
 */
#include <kunit/visibility.h>

#include <linux/build_bug.h>
#include <linux/cpumask.h>
#include <linux/dma-buf.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/threads.h>

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

/* For dma_buf.list_cpu. */
static_assert(CONFIG_NR_CPUS - 1 <= USHRT_MAX);

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

/*
 * Take a reference to the first buffer of @list behind @node that still has
 * one; the others wait for the lock to leave the list.
 */
static struct dma_buf *dma_buf_list_get_behind(struct dma_buf_list *list,
					       struct list_head *node)
{
	struct dma_buf *dmabuf;

	guard(mutex)(&list->lock);
	for (node = node->next; node != &list->buffers; node = node->next) {
		dmabuf = list_entry(node, struct dma_buf, list_node);
		if (get_file_active(&dmabuf->file))
			return dmabuf;
	}
	return NULL;
}

/* The same for the first buffer in the lists of the CPUs behind @cpu. */
static struct dma_buf *dma_buf_list_get_first(int cpu)
{
	struct dma_buf_list *list;
	struct dma_buf *dmabuf;

	for (cpu = cpumask_next(cpu, cpu_possible_mask); cpu < nr_cpu_ids;
	     cpu = cpumask_next(cpu, cpu_possible_mask)) {
		list = per_cpu_ptr(&dma_buf_lists, cpu);
		dmabuf = dma_buf_list_get_behind(list, &list->buffers);
		if (dmabuf)
			return dmabuf;
	}
	return NULL;
}

/**
 * dma_buf_iter_begin - begin an iteration over all buffers
 *
 * The iteration visits each buffer once that exists from its begin to its end.
 * A buffer that is exported or released meanwhile may be visited or not.
 *
 * Context: Process context, without a reservation lock. May sleep.
 * Return: a buffer with a reference, to pass to dma_buf_iter_next(), or to
 * dma_buf_put() to end the iteration early; NULL if there is no buffer.
 */
struct dma_buf *dma_buf_iter_begin(void)
{
	return dma_buf_list_get_first(-1);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_iter_begin);

/**
 * dma_buf_iter_next - go on to the next buffer
 * @dmabuf: the buffer that the iteration has reached; its reference is dropped
 *
 * Context: Process context, without a reservation lock. May sleep.
 * Return: the next buffer, as dma_buf_iter_begin() does; NULL at the end.
 */
struct dma_buf *dma_buf_iter_next(struct dma_buf *dmabuf)
{
	int cpu = dmabuf->list_cpu;
	struct dma_buf *next;

	next = dma_buf_list_get_behind(per_cpu_ptr(&dma_buf_lists, cpu),
				       &dmabuf->list_node);
	if (!next)
		next = dma_buf_list_get_first(cpu);
	fput(dmabuf->file);
	return next;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_iter_next);

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
