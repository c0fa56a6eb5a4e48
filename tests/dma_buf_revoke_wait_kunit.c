// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-wait.c, and of the waits of dma-buf-revoke.c: which waits
 * end with the revocation, what it waits for itself, and what poll returns.
 */
#include <kunit/test.h>

#include <linux/array_size.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "../dma-buf-private.h"
#include "dma_buf_poll_kunit.h"
#include "dma_buf_revoke_kunit.h"
#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_importer.h"
#include "mock_user.h"

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);

/* How long a task may take to notice that it is not to wait, at most. */
#define PROMPT	(20 * HZ)

/* -- waits for the device -------------------------------------------------- */

/* A thread that carries out one verb. */
struct waiter {
	struct verbs *v;
	int (*verb)(struct verbs *v);
	struct completion done;
	int ret;
};

static int waiter_thread(void *data)
{
	struct waiter *waiter = data;

	waiter->ret = waiter->verb(waiter->v);
	complete(&waiter->done);
	return 0;
}

static int verb_wait_batch_long(struct verbs *v)
{
	long ret = dma_buf_wait_attachments(&v->attach, 1, DMA_RESV_USAGE_READ,
					    false, MAX_SCHEDULE_TIMEOUT);

	return min(ret, 0L);
}

static const struct wait_case {
	const char *desc;
	int (*verb)(struct verbs *v);
} wait_cases[] = {
	{ "begin", verb_begin },
	{ "begin a part", verb_begin_partial },
	{ "read", verb_read },
	{ "write", verb_write },
	{ "map", verb_map },
	{ "map a batch", verb_map_batch },
	{ "wait for a batch", verb_wait_batch_long },
};

KUNIT_ARRAY_PARAM_DESC(wait, wait_cases, desc);

/* Succeeds if what waits for a device does so no longer. */
static void dma_buf_revoke_wait_test_wait(struct kunit *test)
{
	const struct wait_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence = mock_fence_create(test);
	struct verbs v = { .test = test, .dmabuf = dmabuf };
	struct waiter waiter = { .v = &v, .verb = param->verb };
	bool ended;

	v.attach = mock_importer_attach(test, dmabuf);
	v.importer.attach = mock_importer_attach(test, dmabuf);
	add_fence(test, dmabuf, fence, DMA_RESV_USAGE_KERNEL);
	init_completion(&waiter.done);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kthread_run(waiter_thread, &waiter,
						       "waiter"));
	msleep(20);
	KUNIT_EXPECT_FALSE(test, try_wait_for_completion(&waiter.done));

	/* The device is still at work. */
	dma_buf_revoke_timeout = 0;
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -ETIMEDOUT);
	ended = wait_for_completion_timeout(&waiter.done, PROMPT);
	KUNIT_EXPECT_TRUE(test, ended);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	dma_fence_signal(fence);
	if (!ended)
		wait_for_completion(&waiter.done);
	KUNIT_EXPECT_EQ(test, waiter.ret, -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), 0);

	dma_buf_detach(dmabuf, v.importer.attach);
	dma_buf_detach(dmabuf, v.attach);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/*
 * Succeeds if a wait answers as one for the fences alone, when a signal is
 * pending and for a timeout that is none.
 */
static void dma_buf_revoke_wait_test_wait_as_fence(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_buf_attachment *attach = mock_importer_attach(test, dmabuf);
	struct dma_fence *fence = mock_fence_create(test);
	static const enum dma_resv_usage usage = DMA_RESV_USAGE_READ;
	static const unsigned long timeouts[] = { 0, 1, MAX_SCHEDULE_TIMEOUT };
	unsigned int i;

	add_fence(test, dmabuf, fence, DMA_RESV_USAGE_WRITE);
	mock_user_kill();
	for (i = 0; i < ARRAY_SIZE(timeouts); i++) {
		KUNIT_EXPECT_EQ(test, -ERESTARTSYS,
				dma_buf_wait_attachments(&attach, 1, usage,
							 true, timeouts[i]));
		KUNIT_EXPECT_EQ(test, -ERESTARTSYS,
				dma_resv_wait_timeout(dmabuf->resv, usage,
						      true, timeouts[i]));
	}
	mock_user_revive();
	KUNIT_EXPECT_EQ(test, 0, dma_buf_wait_attachments(&attach, 1, usage,
							  true, 0));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_wait_attachments(&attach, 1, usage,
							  false, 0));

	mock_fence_expect_misuse(test);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_buf_wait_attachments(&attach, 1, usage, false,
						 ULONG_MAX));
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, 1, dma_buf_wait_attachments(&attach, 1, usage,
							  true, 0));
	dma_buf_detach(dmabuf, attach);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* -- waits of the revocation ----------------------------------------------- */

/* Succeeds if fences of all usages are waited for, also without an importer. */
static void dma_buf_revoke_wait_test_fence(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence = mock_fence_create(test);

	add_fence(test, dmabuf, fence, DMA_RESV_USAGE_BOOKKEEP);
	dma_buf_revoke_timeout = 1;
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, true), -ETIMEDOUT);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, true), 0);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* Succeeds if a signal ends the wait, and not the revocation. */
static void dma_buf_revoke_wait_test_interrupted(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, &dynamic_exporter);
	struct mock_importer importer = { .answer = MOCK_IMPORTER_NEVER };
	int ret;

	mock_importer_join(test, dmabuf, &importer);
	KUNIT_ASSERT_EQ(test, mock_importer_map(&importer), 0);
	dma_buf_revoke_timeout = 600;
	mock_user_kill();
	ret = dma_buf_revoke(dmabuf, true);
	mock_user_revive();
	KUNIT_EXPECT_TRUE(test, ret == -EINTR || ret == -ERESTARTSYS);
	KUNIT_EXPECT_TRUE(test, dma_buf_is_revoked(dmabuf));

	mock_importer_unmap(&importer);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, true), 0);
	dma_buf_detach(dmabuf, importer.attach);
	dma_buf_put(dmabuf);
}

/* A thread that has the reservation lock for a while. */
struct holder {
	struct dma_buf *dmabuf;
	struct completion held, done;
};

static int holder_thread(void *data)
{
	struct holder *holder = data;

	dma_resv_lock(holder->dmabuf->resv, NULL);
	complete(&holder->held);
	msleep(50);
	dma_resv_unlock(holder->dmabuf->resv);
	complete(&holder->done);
	return 0;
}

/*
 * Succeeds if a signal does not keep importers from being told, nor page tables
 * from being emptied, while a driver has the lock.
 */
static void dma_buf_revoke_wait_test_interrupted_early(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, &dynamic_exporter);
	struct holder holder = { .dmabuf = dmabuf };
	struct mock_importer importer = { };
	unsigned long address;
	u32 value __maybe_unused;

	mock_importer_join(test, dmabuf, &importer);
	KUNIT_ASSERT_EQ(test, mock_importer_map(&importer), 0);
	address = mock_user_mmap(test, dmabuf->file, dmabuf->size, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(address));
	KUNIT_EXPECT_EQ(test, get_user(value, (u32 __user *)address), 0);
	init_completion(&holder.held);
	init_completion(&holder.done);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kthread_run(holder_thread, &holder,
						       "holder"));
	wait_for_completion(&holder.held);

	mock_user_kill();
	dma_buf_revoke(dmabuf, true);
	mock_user_revive();
	wait_for_completion(&holder.done);
	KUNIT_EXPECT_TRUE(test, dma_buf_is_revoked(dmabuf));
	KUNIT_EXPECT_EQ(test, importer.invalidations, 1);
	KUNIT_EXPECT_EQ(test, get_user(value, (u32 __user *)address), -EFAULT);

	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, true), 0);
	KUNIT_EXPECT_EQ(test, vm_munmap(address, dmabuf->size), 0);
	dma_buf_detach(dmabuf, importer.attach);
	dma_buf_put(dmabuf);
}

/* -- poll ------------------------------------------------------------------ */

struct poller {
	poll_table table;
	wait_queue_entry_t entry;
	wait_queue_head_t *head;
	__poll_t heard;
};

static int poller_wake(wait_queue_entry_t *entry, unsigned int mode, int sync,
		       void *key)
{
	container_of(entry, struct poller, entry)->heard |= key_to_poll(key);
	return 0;
}

static void poller_queue(struct file *file, wait_queue_head_t *head,
			 poll_table *table)
{
	struct poller *poller = container_of(table, struct poller, table);

	poller->head = head;
	add_wait_queue(head, &poller->entry);
}

/* As those of EPOLLEXCLUSIVE. */
static int poller_wake_exclusive(wait_queue_entry_t *entry, unsigned int mode,
				 int sync, void *key)
{
	poller_wake(entry, mode, sync, key);
	return 1;
}

static void poller_queue_exclusive(struct file *file, wait_queue_head_t *head,
				   poll_table *table)
{
	struct poller *poller = container_of(table, struct poller, table);

	poller->head = head;
	add_wait_queue_exclusive(head, &poller->entry);
}

/* Succeeds if a poller is woken, and poll tells why, whatever it asks for. */
static void dma_buf_revoke_wait_test_poll(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence = mock_fence_create(test);
	struct poller poller = { };

	add_fence(test, dmabuf, fence, DMA_RESV_USAGE_WRITE);
	init_poll_funcptr(&poller.table, poller_queue);
	poller.table._key = EPOLLIN;
	init_waitqueue_func_entry(&poller.entry, poller_wake);
	EXPECT_EVENTS(test, vfs_poll(dmabuf->file, &poller.table), 0);
	EXPECT_EVENTS(test, poller.heard, 0);

	dma_buf_revoke_timeout = 0;
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -ETIMEDOUT);
	EXPECT_EVENTS(test, poller.heard, EPOLLERR);
	remove_wait_queue(poller.head, &poller.entry);
	EXPECT_EVENTS(test, peek(dmabuf, EPOLLIN), EPOLLERR);
	EXPECT_EVENTS(test, peek(dmabuf, EPOLLIN | EPOLLOUT), EPOLLERR);
	EXPECT_EVENTS(test, peek(dmabuf, EPOLLERR), EPOLLERR);

	dma_fence_signal(fence);
	EXPECT_EVENTS(test, peek(dmabuf, EPOLLOUT), EPOLLERR);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* Succeeds if exclusive pollers are woken, too, and all of them. */
static void dma_buf_revoke_wait_test_poll_exclusive(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence = mock_fence_create(test);
	struct poller pollers[3] = { };
	unsigned int i;

	add_fence(test, dmabuf, fence, DMA_RESV_USAGE_WRITE);
	for (i = 0; i < ARRAY_SIZE(pollers); i++) {
		init_poll_funcptr(&pollers[i].table, poller_queue_exclusive);
		pollers[i].table._key = EPOLLIN;
		init_waitqueue_func_entry(&pollers[i].entry,
					  poller_wake_exclusive);
		EXPECT_EVENTS(test, vfs_poll(dmabuf->file, &pollers[i].table),
			      0);
	}

	dma_buf_revoke_timeout = 0;
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -ETIMEDOUT);
	for (i = 0; i < ARRAY_SIZE(pollers); i++) {
		EXPECT_EVENTS(test, pollers[i].heard, EPOLLERR);
		remove_wait_queue(pollers[i].head, &pollers[i].entry);
	}

	dma_fence_signal(fence);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

static struct kunit_case dma_buf_revoke_wait_test_cases[] = {
	KUNIT_CASE_PARAM(dma_buf_revoke_wait_test_wait, wait_gen_params),
	KUNIT_CASE(dma_buf_revoke_wait_test_wait_as_fence),
	KUNIT_CASE_SLOW(dma_buf_revoke_wait_test_fence),
	KUNIT_CASE(dma_buf_revoke_wait_test_interrupted),
	KUNIT_CASE(dma_buf_revoke_wait_test_interrupted_early),
	KUNIT_CASE(dma_buf_revoke_wait_test_poll),
	KUNIT_CASE(dma_buf_revoke_wait_test_poll_exclusive),
	{}
};

static struct kunit_suite dma_buf_revoke_wait_test_suite = {
	.name = "dma_buf_revoke_wait",
	.init = revoke_init,
	.test_cases = dma_buf_revoke_wait_test_cases,
};

kunit_test_suite(dma_buf_revoke_wait_test_suite);
