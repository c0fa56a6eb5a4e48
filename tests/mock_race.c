// SPDX-License-Identifier: GPL-2.0-only
/*
 * The race thread of mock_race.h: a kernel thread that repeats one function
 * until it is stopped. Delays are counted in turns of an empty loop, time in
 * jiffies.
 */
#include <kunit/test.h>

#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>

#include "mock_race.h"

/* Number of rounds: at least the first, at most the second or the time. */
#define MOCK_RACE_MIN	64
#define MOCK_RACE_MAX	5000
#define MOCK_RACE_TIME	(2 * HZ)

/* Limits of the delay between the two threads, and of one step towards it. */
#define MOCK_RACE_REACH	0x40000
#define MOCK_RACE_STRIDE	0x1000

/* Limits of holding up the other thread, which may hold a lock needed here. */
#define MOCK_RACE_LINGER	(50 * NSEC_PER_USEC)
#define MOCK_RACE_PAUSE	(2 * NSEC_PER_MSEC)
#define MOCK_RACE_PATIENCE	(10 * NSEC_PER_MSEC)
/* Limit of reading the clock in such a wait, as the clock may stand still. */
#define MOCK_RACE_SPINS	250000U

/*
 * Spin for @ns, or until @flag has @value unless @flag is NULL.
 *
 * With interrupts off, no clock may advance: the scheduler's clock needs a
 * trusted counter of the CPU, and the others may be driven by the CPU that is
 * paused here. Then the number of spins ends this.
 */
static void mock_race_spin(u64 ns, const bool *flag, bool value)
{
	u64 end = ktime_get_mono_fast_ns() + ns;
	unsigned int spins;

	for (spins = 0; spins < MOCK_RACE_SPINS; spins++) {
		if (flag && READ_ONCE(*flag) == value)
			return;
		if (ktime_get_mono_fast_ns() >= end)
			return;
		cpu_relax();
	}
}

/**
 * mock_race_suite_init - skip a test case on one CPU; init op of a suite
 * @test: a test case that has allocated nothing yet
 *
 * Context: Process context of the test. Ends the test case on one CPU.
 * Return: 0.
 */
int mock_race_suite_init(struct kunit *test)
{
	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two CPUs");
	return 0;
}

static int mock_race_thread(void *data)
{
	struct mock_race *peer = data;

	complete(&peer->running);
	/* At least one turn, also if the test has finished its rounds. */
	do {
		peer->turn(peer->data);
		atomic_inc(&peer->turns);
		cond_resched();
	} while (!kthread_should_stop());
	return 0;
}

static void mock_race_end(void *data)
{
	struct mock_race *peer = data;

	kthread_stop(peer->thread);
}

/* Runs on the CPU of the race thread, with interrupts off. */
static void mock_race_pause_cpu(void *data)
{
	struct mock_race *peer = data;

	WRITE_ONCE(peer->paused, true);
	mock_race_spin(MOCK_RACE_PAUSE, &peer->pause, false);
	WRITE_ONCE(peer->paused, false);
	atomic_inc(&peer->resumed);
}

/* Bind each thread to a CPU of its own, so that one can pause the other. */
static int mock_race_bind_cpus(struct mock_race *peer)
{
	int mine = raw_smp_processor_id();

	peer->cpu = cpumask_any_but(cpu_online_mask, mine);
	if (peer->cpu >= nr_cpu_ids)
		return -ENXIO;
	kthread_bind(peer->thread, peer->cpu);
	return set_cpus_allowed_ptr(current, cpumask_of(mine));
}

/**
 * mock_race_start - start a race thread
 * @test: the running test case
 * @turn: the function to repeat; must return by itself
 * @data: argument of @turn
 *
 * Binds both threads to a CPU each.
 *
 * Context: Process context of the test; may sleep. Ends the test case when out
 *	    of memory, or without a second CPU.
 * Return: the race thread, valid until the test case ends.
 */
struct mock_race *mock_race_start(struct kunit *test,
				  void (*turn)(void *data), void *data)
{
	struct mock_race *peer;

	peer = kunit_kzalloc(test, sizeof(*peer), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, peer);
	peer->turn = turn;
	peer->data = data;
	peer->step = 1;
	INIT_CSD(&peer->pause_call, mock_race_pause_cpu, peer);
	peer->thread = kthread_create(mock_race_thread, peer, "mock-race");
	KUNIT_ASSERT_FALSE(test, IS_ERR(peer->thread));
	KUNIT_EXPECT_EQ(test, 0, mock_race_bind_cpus(peer));
	init_completion(&peer->running);
	wake_up_process(peer->thread);
	/* On a busy machine the thread might run only after the last round. */
	wait_for_completion(&peer->running);
	peer->end = jiffies + MOCK_RACE_TIME;
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, mock_race_end, peer));
	return peer;
}

/**
 * mock_race_again - begin another round
 * @peer: the race thread
 *
 * Context: Process context of the test; may sleep.
 * Return: false when there were enough rounds.
 */
bool mock_race_again(struct mock_race *peer)
{
	cond_resched();
	if (peer->rounds >= MOCK_RACE_MAX ||
	    (peer->rounds >= MOCK_RACE_MIN && time_after(jiffies, peer->end)))
		return false;
	peer->rounds++;
	return true;
}

/**
 * mock_race_wait_turn - wait until the race thread has finished another turn
 * @peer: the race thread
 *
 * Context: Process context of the test; may sleep.
 */
void mock_race_wait_turn(struct mock_race *peer)
{
	int turns = atomic_read(&peer->turns);

	while (atomic_read(&peer->turns) == turns &&
	       time_before(jiffies, peer->end))
		cond_resched();
}

/* Each turn is much shorter than any call. */
static void mock_race_idle(int turns)
{
	while (turns-- > 0)
		barrier();
}

/**
 * mock_race_delay_test - delay the test as mock_race_aim() has found
 * @peer: the race thread
 *
 * To be called between passing something to the race thread and using it.
 *
 * Context: Any.
 */
void mock_race_delay_test(struct mock_race *peer)
{
	/* Vary it around the delay at which the order of the two changes. */
	mock_race_idle(READ_ONCE(peer->delay) + (int)(peer->rounds % 16));
}

/**
 * mock_race_delay_peer - delay the race thread as mock_race_aim() has found
 * @peer: the race thread, which is the caller; NULL as long as the test has not
 *	stored it
 *
 * Context: Any.
 */
void mock_race_delay_peer(struct mock_race *peer)
{
	if (peer)
		mock_race_idle(-READ_ONCE(peer->delay));
}

/**
 * mock_race_linger - spin for longer than a call in the other thread takes
 *
 * For ops and callbacks of the mocks, which the code under test calls in the
 * middle of an operation.
 *
 * Context: Any.
 */
void mock_race_linger(void)
{
	mock_race_spin(MOCK_RACE_LINGER, NULL, false);
}

/**
 * mock_race_await - spin until the other thread sets a flag, or a timeout
 * @flag: the flag. The timeout is needed as the other thread may be about to
 *	wait for this one, or its CPU be busy.
 *
 * Context: Any.
 */
void mock_race_await(const bool *flag)
{
	mock_race_spin(MOCK_RACE_PATIENCE, flag, true);
}

/**
 * mock_race_pause - pause the race thread wherever it is
 * @peer: the race thread
 *
 * Its CPU takes an interrupt that lasts until mock_race_resume(), so that
 * whatever may happen between two instructions of the race thread happens. It
 * may hold a lock that the test is about to take, so the pause ends after a
 * timeout, too.
 *
 * Context: Process context of the test, without spinlocks.
 * Return: true when the race thread is paused.
 */
bool mock_race_pause(struct mock_race *peer)
{
	WRITE_ONCE(peer->pause, true);
	if (smp_call_function_single_async(peer->cpu, &peer->pause_call))
		return false;

	peer->pauses++;
	mock_race_spin(MOCK_RACE_PAUSE, &peer->paused, true);
	return READ_ONCE(peer->paused);
}

/**
 * mock_race_resume - resume the race thread
 * @peer: the race thread, after mock_race_pause(), whatever that returned
 *
 * Context: Process context of the test, without spinlocks.
 */
void mock_race_resume(struct mock_race *peer)
{
	WRITE_ONCE(peer->pause, false);
	while (atomic_read(&peer->resumed) < peer->pauses)
		cpu_relax();
}

/**
 * mock_race_aim - adjust the delays after a round
 * @peer: the race thread
 * @late: the test was too late in this round
 *
 * A race shows in a window of a few instructions, at a delay that differs from
 * one machine to another. So each round moves the two towards the delay at
 * which either thread may be first.
 *
 * Context: Process context of the test.
 */
void mock_race_aim(struct mock_race *peer, bool late)
{
	bool turned = late != (peer->step < 0);

	/* Double the step as long as the order does not change. */
	if (turned)
		peer->step = late ? -1 : 1;
	else if (abs(peer->step) < MOCK_RACE_STRIDE)
		peer->step *= 2;
	WRITE_ONCE(peer->delay, clamp(peer->delay + peer->step,
				      -MOCK_RACE_REACH, MOCK_RACE_REACH));
}

/**
 * mock_race_report - report the number of rounds for the table of figures
 * @test: the running test case
 * @rounds: number of rounds
 *
 * Context: Any.
 */
void mock_race_report(struct kunit *test, unsigned int rounds)
{
	kunit_info(test, "FIGURE race rounds: %u\n", rounds);
}

/**
 * mock_race_stop - stop the race thread
 * @test: the running test case
 * @peer: the race thread; its turn has ended when this returns
 *
 * Fails a test whose race thread never had a turn, as then there was no race.
 *
 * Context: Process context of the test; may sleep.
 */
void mock_race_stop(struct kunit *test, struct mock_race *peer)
{
	kunit_release_action(test, mock_race_end, peer);
	KUNIT_EXPECT_GT(test, atomic_read(&peer->turns), 0);
	mock_race_report(test, peer->rounds);
}
