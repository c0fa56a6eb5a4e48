// SPDX-License-Identifier: GPL-2.0-only
/*
 * The thread of a mock call, see mock_call.h.
 *
 * The struct is the test's, on its stack as a rule. The thread does not touch
 * it after mock_call_finish(), which waits until the thread has exited, so that
 * the module may be removed then.
 */
#include <kunit/test.h>

#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "mock_call.h"

/* Time for the thread to come to where it has to wait. */
#define MOCK_CALL_WAIT_MS	20

static int mock_call_thread(void *data)
{
	struct mock_call *call = data;

	/* A kernel thread ignores signals unless it allows them. */
	allow_signal(SIGUSR1);
	if (call->mm)
		kthread_use_mm(call->mm);
	complete(&call->started);
	call->ret = call->call(call->data);
	if (call->mm)
		kthread_unuse_mm(call->mm);
	complete(&call->done);
	return 0;
}

/**
 * mock_call_start - call a function in a thread of its own
 * @test: the running test case
 * @call: the mock call, in memory that stays until mock_call_finish()
 * @fn: the function
 * @data: its argument
 *
 * Context: Process context of the test; may sleep. Ends the test case when
 *	    there is no thread to be had.
 */
void mock_call_start(struct kunit *test, struct mock_call *call,
		     long (*fn)(void *data), void *data)
{
	*call = (struct mock_call) {
		.test = test, .call = fn, .data = data, .mm = current->mm,
	};
	init_completion(&call->started);
	init_completion(&call->done);
	call->thread = kthread_create(mock_call_thread, call, "mock_call");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, call->thread);
	get_task_struct(call->thread);
	wake_up_process(call->thread);
	wait_for_completion(&call->started);
}

/**
 * mock_call_expect_waits - expect that a call has not returned
 * @call: a mock call that was started
 *
 * Context: Process context of the test; sleeps for as long as the call needs to
 *	    come to where it has to wait.
 */
void mock_call_expect_waits(struct mock_call *call)
{
	msleep(MOCK_CALL_WAIT_MS);
	KUNIT_EXPECT_FALSE(call->test, completion_done(&call->done));
}

/**
 * mock_call_interrupt - send a signal to the thread of a call
 * @call: a mock call that was started
 *
 * Context: Process context of the test.
 */
void mock_call_interrupt(struct mock_call *call)
{
	send_sig(SIGUSR1, call->thread, 1);
}

/**
 * mock_call_finish - wait until a call returns
 * @call: a mock call that was started
 *
 * Context: Process context of the test; sleeps until the call returns.
 * Return: what the function has returned.
 */
long mock_call_finish(struct mock_call *call)
{
	wait_for_completion(&call->done);
	kthread_stop_put(call->thread);
	return call->ret;
}
