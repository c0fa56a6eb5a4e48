// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock CMA: probes on the events of the real one.
 *
 * What it is:	the listener behind struct mock_cma (see mock_cma.h).
 * What it owns: its probes, until the test case ends.
 * Locks:	none; @got is written before the pages can be released.
 * May call:	tracepoints, the mock user's signal, KUnit.
 * Never here:	expectations about the code under test.
 * Units:	counts of pages.
 */
#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/kallsyms.h>
#include <linux/sched.h>
#include <linux/sprintf.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

#include "mock_cma.h"
#include "mock_user.h"

/* A debug kernel on a busy machine is slow; a longer wait would not help. */
#define MOCK_CMA_PATIENCE	(60 * HZ)

static void mock_cma_start(void *data, const char *name, unsigned long count,
			   unsigned int align)
{
	struct mock_cma *mock = data;

	if (current == mock->thread && ++mock->starts == mock->kill_at_start)
		mock_user_kill();
}

static void mock_cma_finish(void *data, const char *name, unsigned long pfn,
			    const struct page *page, unsigned long count,
			    unsigned int align, int errorno)
{
	struct mock_cma *mock = data;

	if (current != mock->thread || !page)
		return;
	if (!mock->keep) {
		mock->count = count;
		WRITE_ONCE(mock->got, page);
	}
	if (mock->kill_at_finish)
		mock_user_kill();
}

static void mock_cma_release(void *data, const char *name, unsigned long pfn,
			     const struct page *page, unsigned long count)
{
	struct mock_cma *mock = data;

	if (page != READ_ONCE(mock->got) || count != mock->count)
		return;
	atomic_inc(&mock->released);
	complete(&mock->home);
}

/* By its name, as the function is not ours to call. */
static void mock_cma_work(void *data, struct work_struct *work)
{
	struct mock_cma *mock = data;
	char name[KSYM_NAME_LEN];

	snprintf(name, sizeof(name), "%ps", work->func);
	if (!strcmp(name, "cma_run_unpark_work"))
		atomic_inc(&mock->looks);
}

static const struct {
	const char *event;
	void *probe;
} mock_cma_probes[] = {
	{ "cma_alloc_start", mock_cma_start },
	{ "cma_alloc_finish", mock_cma_finish },
	{ "cma_release", mock_cma_release },
	{ "workqueue_execute_start", mock_cma_work },
};

/* Tracepoints by name: those of memory management are not for modules. */
struct mock_cma_search {
	const char *event;
	struct tracepoint *found;
};

static void mock_cma_compare(struct tracepoint *point, void *data)
{
	struct mock_cma_search *search = data;

	if (!strcmp(point->name, search->event))
		search->found = point;
}

static struct tracepoint *mock_cma_event(const char *event)
{
	struct mock_cma_search search = { .event = event };

	for_each_kernel_tracepoint(mock_cma_compare, &search);
	return search.found;
}

static void mock_cma_deafen(void *data)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mock_cma_probes); i++)
		tracepoint_probe_unregister(mock_cma_event(mock_cma_probes[i].event),
					    mock_cma_probes[i].probe, data);
	tracepoint_synchronize_unregister();
}

/**
 * mock_cma_listen - begin to listen
 * @test: the running test case
 *
 * Context: Process context of the test; may sleep. Ends the test case when the
 *	    allocator cannot be overheard.
 * Return: the listener, until the test case ends.
 */
struct mock_cma *mock_cma_listen(struct kunit *test)
{
	struct tracepoint *point;
	struct mock_cma *mock;
	unsigned int i;

	mock = kunit_kzalloc(test, sizeof(*mock), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mock);
	mock->thread = current;
	init_completion(&mock->home);

	for (i = 0; i < ARRAY_SIZE(mock_cma_probes); i++) {
		point = mock_cma_event(mock_cma_probes[i].event);
		KUNIT_ASSERT_NOT_NULL_MSG(test, point, "no event %s",
					  mock_cma_probes[i].event);
		KUNIT_ASSERT_EQ(test, 0,
				tracepoint_probe_register(point,
							  mock_cma_probes[i].probe,
							  mock));
	}
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mock_cma_deafen,
							   mock));
	return mock;
}

/**
 * mock_cma_wait_home - wait until the pages that were got last are released
 * @mock: the listener
 *
 * Context: Process context of the test; sleeps.
 * Return: false when that does not happen.
 */
bool mock_cma_wait_home(struct mock_cma *mock)
{
	return wait_for_completion_timeout(&mock->home, MOCK_CMA_PATIENCE);
}
