// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock faults: a scenario is run until each of its allocations has failed.
 *
 * What it is:	the sweep behind mock_faults.h.
 * What it owns: fail_nth of the test's thread, while a scenario is run.
 * Locks:	none.
 * May call:	KUnit, the mock user for the knobs in debugfs, the census of mock
 *		fences.
 * Never here:	scenarios.
 * Units:	allocations.
 */
#include <kunit/test.h>

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>

#include "mock_faults.h"
#include "mock_fence.h"
#include "mock_user.h"

/* No scenario has that many allocations. */
#define MOCK_FAULTS_MANY	10000

/*
 * A run may allocate once more than the last did, because what frees by RCU
 * needs a page now and then. So the sweep is over when several runs in a row
 * have met no failure.
 */
#define MOCK_FAULTS_SPARE	4

/**
 * mock_faults_prepare - let every kind of allocation fail, and quietly
 * @test: the running test case
 *
 * Until a scenario is swept, nothing does fail.
 *
 * Context: Process context of the test; may sleep. Ends the test case when
 *	    one of the knobs is not there.
 */
void mock_faults_prepare(struct kunit *test)
{
	static const struct {
		const char *path;
		const char *value;
	} knobs[] = {
		{ "failslab/verbose", "0" },
		{ "failslab/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/verbose", "0" },
		{ "fail_page_alloc/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ "fail_page_alloc/min-order", "0" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(knobs); i++)
		KUNIT_ASSERT_EQ_MSG(test, 0,
				    mock_user_write(test, "debugfs", knobs[i].path,
						    knobs[i].value),
				    "%s", knobs[i].path);
}

/* One run whose @nth allocation fails. True when there was such a one. */
static bool mock_faults_run(struct kunit *test, mock_faults_scenario run,
			    void *stage, unsigned int nth, int *ret)
{
	bool met;

	WRITE_ONCE(current->fail_nth, nth);
	*ret = run(test, stage);
	met = !READ_ONCE(current->fail_nth);
	WRITE_ONCE(current->fail_nth, 0);
	return met;
}

/**
 * mock_faults_sweep - let each allocation of a scenario fail once
 * @test: the running test case, after mock_faults_prepare()
 * @run: the scenario
 * @stage: for @run
 *
 * The test fails when a run ends otherwise than with 0 or -ENOMEM, leaves a
 * mock fence behind, or is not followed by one that succeeds.
 *
 * Context: Process context of the test; may sleep.
 */
void mock_faults_sweep(struct kunit *test, mock_faults_scenario run,
		       void *stage)
{
	unsigned int nth, points = 0, refused = 0, spare = 0;
	int live = mock_fence_live(test);
	bool met;
	int ret;

	KUNIT_ASSERT_EQ_MSG(test, 0, run(test, stage), "untouched");

	for (nth = 1; spare < MOCK_FAULTS_SPARE && nth < MOCK_FAULTS_MANY; nth++) {
		met = mock_faults_run(test, run, stage, nth, &ret);
		spare = met ? 0 : spare + 1;
		points += met;
		refused += !!ret;
		KUNIT_ASSERT_TRUE_MSG(test, !ret || (met && ret == -ENOMEM),
				      "failure %u gives %d", nth, ret);
		KUNIT_ASSERT_EQ_MSG(test, live, mock_fence_live(test),
				    "failure %u leaves a fence", nth);
		KUNIT_ASSERT_EQ_MSG(test, 0, run(test, stage),
				    "broken after failure %u", nth);
	}
	KUNIT_EXPECT_EQ(test, spare, MOCK_FAULTS_SPARE);
	/* A scenario without one refusal has not been swept at all. */
	KUNIT_EXPECT_GT(test, refused, 0);
	kunit_info(test, "FIGURE failure points swept in kernel: %u\n", points);
}
