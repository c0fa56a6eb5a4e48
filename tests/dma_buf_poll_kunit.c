// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-poll.c: poll(2) on the implicit fences of a buffer.
 */
#include <kunit/test.h>

#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/poll.h>
#include <linux/wait.h>

#include "dma_buf_poll_kunit.h"
#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_files.h"
#include "mock_race.h"

/* A poller that records each wake-up. */
struct watcher {
	poll_table table;
	wait_queue_entry_t entry;
	wait_queue_head_t *head;
	int wakes;
	__poll_t heard;
};

static int watcher_wake(wait_queue_entry_t *entry, unsigned int mode, int sync,
			void *key)
{
	struct watcher *watcher = container_of(entry, struct watcher, entry);

	watcher->wakes++;
	watcher->heard |= key_to_poll(key);
	return 0;
}

static void watcher_queue(struct file *file, wait_queue_head_t *head,
			  poll_table *table)
{
	struct watcher *watcher = container_of(table, struct watcher, table);

	watcher->head = head;
	add_wait_queue(head, &watcher->entry);
}

static __poll_t watch(struct watcher *watcher, struct dma_buf *dmabuf,
		      __poll_t events)
{
	*watcher = (struct watcher){};
	init_poll_funcptr(&watcher->table, watcher_queue);
	watcher->table._key = events;
	init_waitqueue_func_entry(&watcher->entry, watcher_wake);
	return vfs_poll(dmabuf->file, &watcher->table);
}

static void unwatch(struct watcher *watcher)
{
	if (watcher->head)
		remove_wait_queue(watcher->head, &watcher->entry);
}

struct poll_case {
	const char *desc;
	enum dma_resv_usage usage;
	__poll_t event;
	bool waits;
};

static const struct poll_case poll_cases[] = {
	{ "EPOLLIN waits for kernel work", DMA_RESV_USAGE_KERNEL, EPOLLIN,
	  true },
	{ "EPOLLIN waits for writers", DMA_RESV_USAGE_WRITE, EPOLLIN, true },
	{ "EPOLLIN ignores readers", DMA_RESV_USAGE_READ, EPOLLIN, false },
	{ "EPOLLIN ignores bookkeeping", DMA_RESV_USAGE_BOOKKEEP, EPOLLIN,
	  false },
	{ "EPOLLOUT waits for kernel work", DMA_RESV_USAGE_KERNEL, EPOLLOUT,
	  true },
	{ "EPOLLOUT waits for writers", DMA_RESV_USAGE_WRITE, EPOLLOUT, true },
	{ "EPOLLOUT waits for readers", DMA_RESV_USAGE_READ, EPOLLOUT, true },
	{ "EPOLLOUT ignores bookkeeping", DMA_RESV_USAGE_BOOKKEEP, EPOLLOUT,
	  false },
};

KUNIT_ARRAY_PARAM_DESC(poll, poll_cases, desc);

/*
 * One wake-up in any case: by the fence; or, where there is none to wait for,
 * at once, because an edge-triggered epoll polls again only after a wake-up.
 */
static void dma_buf_poll_test_poll(struct kunit *test)
{
	const struct poll_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence;
	struct watcher watcher;
	__poll_t ready;

	fence = mock_fence_add(test, dmabuf->resv, param->usage);
	ready = watch(&watcher, dmabuf, param->event);
	EXPECT_EVENTS(test, ready, param->waits ? 0 : param->event);
	KUNIT_EXPECT_EQ(test, watcher.wakes, param->waits ? 0 : 1);

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, watcher.wakes, 1);
	EXPECT_EVENTS(test, watcher.heard, param->event);
	EXPECT_EVENTS(test, peek(dmabuf, param->event), param->event);

	unwatch(&watcher);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

static void dma_buf_poll_test_poll_idle(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	const __poll_t both = EPOLLIN | EPOLLOUT;

	EXPECT_EVENTS(test, peek(dmabuf, both), both);
	EXPECT_EVENTS(test, peek(dmabuf, EPOLLIN), EPOLLIN);
	EXPECT_EVENTS(test, peek(dmabuf, EPOLLOUT), EPOLLOUT);
	/* Events that were not asked for, or are unknown, are not returned. */
	EXPECT_EVENTS(test, peek(dmabuf, 0), 0);
	EXPECT_EVENTS(test, peek(dmabuf, EPOLLPRI | EPOLLERR), 0);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	dma_buf_put(dmabuf);
}

static void dma_buf_poll_test_poll_signalled(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence;
	const __poll_t both = EPOLLIN | EPOLLOUT;

	fence = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_WRITE);
	dma_fence_signal(fence);
	EXPECT_EVENTS(test, peek(dmabuf, both), both);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* A fence of a reader holds back EPOLLOUT only. */
static void dma_buf_poll_test_poll_both_ways(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence;
	const __poll_t both = EPOLLIN | EPOLLOUT;
	struct watcher watcher;

	fence = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_READ);
	EXPECT_EVENTS(test, watch(&watcher, dmabuf, both), EPOLLIN);
	EXPECT_EVENTS(test, watcher.heard, EPOLLIN);
	watcher.heard = 0;
	dma_fence_signal(fence);
	EXPECT_EVENTS(test, watcher.heard, EPOLLOUT);
	EXPECT_EVENTS(test, peek(dmabuf, both), both);
	unwatch(&watcher);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* A fence of a writer holds back both: two callbacks on it, two wake-ups. */
static void dma_buf_poll_test_poll_two_callbacks(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence;
	const __poll_t both = EPOLLIN | EPOLLOUT;
	struct watcher watcher;

	fence = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_WRITE);
	EXPECT_EVENTS(test, watch(&watcher, dmabuf, both), 0);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 3);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, watcher.wakes, 2);
	EXPECT_EVENTS(test, watcher.heard, both);
	mock_files_flush();
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	unwatch(&watcher);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* The second poller waits on the callback of the first. */
static void dma_buf_poll_test_poll_shares_callback(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence;
	struct watcher one, two;

	fence = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_WRITE);
	EXPECT_EVENTS(test, watch(&one, dmabuf, EPOLLIN), 0);
	EXPECT_EVENTS(test, watch(&two, dmabuf, EPOLLIN), 0);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 2);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, one.wakes, 1);
	KUNIT_EXPECT_EQ(test, two.wakes, 1);
	unwatch(&one);
	unwatch(&two);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* Of two fences the first wakes; polling again arms the second. */
static void dma_buf_poll_test_poll_rearms(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fences[2];
	struct watcher watcher;
	int i;

	for (i = 0; i < ARRAY_SIZE(fences); i++)
		fences[i] = mock_fence_add(test, dmabuf->resv,
					   DMA_RESV_USAGE_READ);
	EXPECT_EVENTS(test, watch(&watcher, dmabuf, EPOLLOUT), 0);

	for (i = 0; i < ARRAY_SIZE(fences); i++) {
		EXPECT_EVENTS(test, peek(dmabuf, EPOLLOUT), 0);
		dma_fence_signal(fences[i]);
	}
	EXPECT_EVENTS(test, peek(dmabuf, EPOLLOUT), EPOLLOUT);
	/* Once if the callback was on the fence that signals last. */
	KUNIT_EXPECT_GE(test, watcher.wakes, 1);

	unwatch(&watcher);
	for (i = 0; i < ARRAY_SIZE(fences); i++)
		dma_fence_put(fences[i]);
	dma_buf_put(dmabuf);
}

/* An armed callback holds the buffer, and releases it when it has run. */
static void dma_buf_poll_test_poll_holds_the_buffer(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_fence *fence;
	struct watcher watcher;

	fence = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_WRITE);
	EXPECT_EVENTS(test, watch(&watcher, dmabuf, EPOLLIN), 0);
	unwatch(&watcher);
	dma_buf_put(dmabuf);
	mock_files_flush();
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_RELEASE), 0);

	dma_fence_signal(fence);
	KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(mock));
	dma_fence_put(fence);
}

/* One thread signals the fence that this one polls for. */
#define RACE_ROUNDS	500

struct signaller {
	struct dma_fence *fence;
	struct completion go, done;
};

static int signaller_thread(void *data)
{
	struct signaller *signaller = data;
	int i;

	for (i = 0; i < RACE_ROUNDS; i++) {
		wait_for_completion(&signaller->go);
		dma_fence_signal(signaller->fence);
		complete(&signaller->done);
	}
	return 0;
}

/*
 * In any order of the two, poll either finds the buffer ready or is woken. An
 * implementation that tests the fence and arms afterwards loses wake-ups here.
 */
static void dma_buf_poll_test_race_poll_signal(struct kunit *test)
{
	struct signaller signaller = {};
	struct watcher watcher;
	struct dma_buf *dmabuf;
	int i, lost = 0;
	__poll_t ready;

	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two CPUs");

	dmabuf = mock_exporter_create(test, NULL);
	init_completion(&signaller.go);
	init_completion(&signaller.done);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kthread_run(signaller_thread, &signaller,
						       "signaller"));
	for (i = 0; i < RACE_ROUNDS; i++) {
		signaller.fence = mock_fence_add(test, dmabuf->resv,
						 DMA_RESV_USAGE_WRITE);
		complete(&signaller.go);
		ready = watch(&watcher, dmabuf, EPOLLIN);
		wait_for_completion(&signaller.done);
		if (!ready && !watcher.wakes)
			lost++;
		unwatch(&watcher);
		dma_fence_put(signaller.fence);
	}
	KUNIT_EXPECT_EQ(test, lost, 0);
	mock_files_flush();
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	dma_buf_put(dmabuf);
	mock_race_report(test, RACE_ROUNDS);
}

static struct kunit_case dma_buf_poll_cases[] = {
	KUNIT_CASE_PARAM(dma_buf_poll_test_poll, poll_gen_params),
	KUNIT_CASE(dma_buf_poll_test_poll_idle),
	KUNIT_CASE(dma_buf_poll_test_poll_signalled),
	KUNIT_CASE(dma_buf_poll_test_poll_both_ways),
	KUNIT_CASE(dma_buf_poll_test_poll_two_callbacks),
	KUNIT_CASE(dma_buf_poll_test_poll_shares_callback),
	KUNIT_CASE(dma_buf_poll_test_poll_rearms),
	KUNIT_CASE(dma_buf_poll_test_poll_holds_the_buffer),
	KUNIT_CASE(dma_buf_poll_test_race_poll_signal),
	{}
};

static struct kunit_suite dma_buf_poll_suite = {
	.name = "dma_buf_poll",
	.test_cases = dma_buf_poll_cases,
};

kunit_test_suite(dma_buf_poll_suite);
