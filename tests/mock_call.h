/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock call: a call that has to wait, in a thread of its own
 *
 * The test starts it, expects that it waits, does what it waits for or sends a
 * signal, and finishes it. The thread has the address space of the test, if
 * that has one, and its descriptors, as all kernel threads share them.
 *
 * It is for calls that wait for something which the test decides; two threads
 * that are to meet by chance are what mock_race.h is for.
 */
#ifndef _DMA_BUF_TESTS_MOCK_CALL_H
#define _DMA_BUF_TESTS_MOCK_CALL_H

#include <linux/completion.h>

struct kunit;
struct mm_struct;
struct task_struct;

/**
 * struct mock_call - a call in a thread of its own
 * @test: the test case
 * @call: the function that is called
 * @data: its argument
 * @mm: the address space that the test had at mock_call_start(), or NULL
 * @thread: the thread, with a reference until mock_call_finish()
 * @started: the thread is about to call
 * @done: the function has returned
 * @ret: what it has returned
 */
struct mock_call {
	struct kunit *test;
	long (*call)(void *data);
	void *data;
	struct mm_struct *mm;
	struct task_struct *thread;
	struct completion started;
	struct completion done;
	long ret;
};

void mock_call_start(struct kunit *test, struct mock_call *call,
		     long (*fn)(void *data), void *data);
void mock_call_expect_waits(struct mock_call *call);
void mock_call_interrupt(struct mock_call *call);
long mock_call_finish(struct mock_call *call);

#endif /* _DMA_BUF_TESTS_MOCK_CALL_H */
