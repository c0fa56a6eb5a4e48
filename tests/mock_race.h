/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock rival: a second thread that gets in the way of the test's.
 *
 * What it is:	the other side of a race. It takes its turn again and again while
 *		the test plays its rounds, and both are counted.
 *		Each has a CPU of its own, and the test can stop the rival wherever
 *		it is: between two instructions that nobody thought could part.
 * Life:	belongs to the test case, and stops at the latest with it, also when
 *		an assertion ends the case. So what its turn works on has to be
 *		managed by KUnit, from before the rival starts.
 * Locks:	none; the count of turns is atomic.
 */
#ifndef _DMA_BUF_TESTS_MOCK_RIVAL_H
#define _DMA_BUF_TESTS_MOCK_RIVAL_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/smp.h>
#include <linux/types.h>

struct kunit;
struct task_struct;

/**
 * struct mock_rival - the other side of a race
 * @turns: how often it has had its turn
 * @rounds: how many rounds the test has begun
 */
struct mock_rival {
	atomic_t turns;
	unsigned int rounds;

	/* private: of mock_race.c */
	struct task_struct *thread;
	struct completion running;
	void (*turn)(void *data);
	void *data;
	unsigned long end;
	int delay;
	int step;
	int cpu;
	call_single_data_t frost;
	bool ice;
	bool frozen;
	int freezes;
	atomic_t melts;
};

int mock_rival_suite_init(struct kunit *test);
struct mock_rival *mock_rival_start(struct kunit *test,
				    void (*turn)(void *data), void *data);
bool mock_rival_again(struct mock_rival *rival);
void mock_rival_wait_turn(struct mock_rival *rival);
void mock_rival_dawdle(struct mock_rival *rival);
void mock_rival_lag(struct mock_rival *rival);
void mock_rival_linger(void);
void mock_rival_await(const bool *flag);
bool mock_rival_freeze(struct mock_rival *rival);
void mock_rival_thaw(struct mock_rival *rival);
void mock_rival_aim(struct mock_rival *rival, bool late);
void mock_rival_stop(struct kunit *test, struct mock_rival *rival);
void mock_rival_figure(struct kunit *test, unsigned int rounds);

#endif /* _DMA_BUF_TESTS_MOCK_RIVAL_H */
