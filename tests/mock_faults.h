/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock faults: allocations that fail when the test says so.
 *
 * What it is:	fault injection of the kernel, aimed at the thread of the test by
 *		its fail_nth: the 1st, 2nd, ... nth allocation of a scenario
 *		fails.
 * Life:	a fault that was not met is taken back before the sweep goes on.
 * Locks:	none; other threads are not touched.
 */
#ifndef _DMA_BUF_TESTS_MOCK_FAULTS_H
#define _DMA_BUF_TESTS_MOCK_FAULTS_H

struct kunit;

/**
 * typedef mock_faults_scenario - a sequence of calls that succeeds
 * @test: the running test case
 * @stage: what was prepared for it before anything could fail
 *
 * It releases whatever it has taken, also when it fails half-way, and must not
 * assert what needs memory.
 *
 * Return: 0 or the negative errno of what failed.
 */
typedef int (*mock_faults_scenario)(struct kunit *test, void *stage);

void mock_faults_prepare(struct kunit *test);
void mock_faults_sweep(struct kunit *test, mock_faults_scenario run,
		       void *stage);

#endif /* _DMA_BUF_TESTS_MOCK_FAULTS_H */
