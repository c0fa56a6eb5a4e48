/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock CMA: the allocator of contiguous memory as it is, but overheard, and
 * with a fatal signal at the moment that the test wants.
 *
 * What it is:	a listener on the events that the allocator traces.
 * Life:	belongs to the test case; one at a time.
 * Locks:	none. What is asked and got is counted for the thread of the test
 *		alone, what is released for all threads.
 */
#ifndef _DMA_BUF_TESTS_MOCK_CMA_H
#define _DMA_BUF_TESTS_MOCK_CMA_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/types.h>

struct kunit;
struct page;
struct task_struct;

/**
 * struct mock_cma - what was overheard
 * @kill_at_start: script: at which request the test's thread is killed, 1 for the
 *	first, 0 for none
 * @kill_at_finish: script: it is killed when it has just got its pages
 * @keep: script: @got and @count stay as they are
 * @starts: record: how often a region was asked for pages
 * @got: record: first page of the last request that succeeded
 * @count: record: how many pages that were
 * @released: record: how often @got, and so many pages, went back
 * @looks: record: how often the parked runs were looked at
 */
struct mock_cma {
	unsigned int kill_at_start;
	bool kill_at_finish;
	bool keep;

	unsigned int starts;
	const struct page *got;
	unsigned long count;
	atomic_t released;
	atomic_t looks;

	/* private: of mock_cma.c */
	struct task_struct *thread;
	struct completion home;
};

struct mock_cma *mock_cma_listen(struct kunit *test);
bool mock_cma_wait_home(struct mock_cma *mock);

#endif /* _DMA_BUF_TESTS_MOCK_CMA_H */
