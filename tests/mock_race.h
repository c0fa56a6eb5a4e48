/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The race thread: a second thread that runs against the thread of a test.
 *
 * It calls a function of the test over and over while the test runs its rounds;
 * both are counted. Each thread has a CPU of its own, and the test can pause
 * the race thread between any two instructions.
 *
 * The race thread belongs to the test case and is stopped when that ends, also
 * by an assertion. So what its function works on has to be managed by KUnit,
 * from before the race thread starts. There are no locks; the count of turns is
 * atomic.
 */
#ifndef _DMA_BUF_TESTS_MOCK_RACE_H
#define _DMA_BUF_TESTS_MOCK_RACE_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/smp.h>
#include <linux/types.h>

struct kunit;
struct task_struct;

/**
 * struct mock_race - a race thread
 * @turns: number of calls of its function that have returned
 * @rounds: number of rounds that the test has begun
 */
struct mock_race {
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
	call_single_data_t pause_call;
	bool pause;
	bool paused;
	int pauses;
	atomic_t resumed;
};

int mock_race_suite_init(struct kunit *test);
struct mock_race *mock_race_start(struct kunit *test,
				  void (*turn)(void *data), void *data);
bool mock_race_again(struct mock_race *peer);
void mock_race_wait_turn(struct mock_race *peer);
void mock_race_delay_test(struct mock_race *peer);
void mock_race_delay_peer(struct mock_race *peer);
void mock_race_linger(void);
void mock_race_await(const bool *flag);
bool mock_race_pause(struct mock_race *peer);
void mock_race_resume(struct mock_race *peer);
void mock_race_aim(struct mock_race *peer, bool late);
void mock_race_stop(struct kunit *test, struct mock_race *peer);
void mock_race_report(struct kunit *test, unsigned int rounds);

#endif /* _DMA_BUF_TESTS_MOCK_RACE_H */
