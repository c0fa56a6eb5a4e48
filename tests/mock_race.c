// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock rival: a kernel thread that does one thing until it is stopped.
 *
 * What it is:	the second thread of every race (see mock_race.h), and the figure
 *		of how many rounds there were.
 * What it owns: the thread.
 * Locks:	none.
 * May call:	KUnit, kernel threads.
 * Never here:	what the race is about.
 * Units:	time in jiffies.
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

/*
 * A race goes on for a while, but not forever where everything is slow, and not
 * for nothing there either.
 */
#define MOCK_RIVAL_MIN	64
#define MOCK_RIVAL_MAX	5000
#define MOCK_RIVAL_TIME	(2 * HZ)

/* How long one side waits for the other at most, and the steps towards that. */
#define MOCK_RIVAL_REACH	0x40000
#define MOCK_RIVAL_STRIDE	0x1000

/* For how long one side may hold up the other, which may hold what it needs. */
#define MOCK_RIVAL_LINGER	(50 * NSEC_PER_USEC)
#define MOCK_RIVAL_FROST	(2 * NSEC_PER_MSEC)
#define MOCK_RIVAL_PATIENCE	(10 * NSEC_PER_MSEC)
/* And how often it looks at the clock for that, which may stand still. */
#define MOCK_RIVAL_LOOKS	250000U

/*
 * Stay here until the time is up or @flag is @value; without @flag, for the time.
 *
 * The scheduler's clock does not advance with interrupts off unless the CPU's own
 * counter is trusted, and no clock does when it is the halted CPU that drives
 * it: then the number of looks ends this.
 */
static void mock_rival_spin(u64 ns, const bool *flag, bool value)
{
	u64 end = ktime_get_mono_fast_ns() + ns;
	unsigned int looks;

	for (looks = 0; looks < MOCK_RIVAL_LOOKS; looks++) {
		if (flag && READ_ONCE(*flag) == value)
			return;
		if (ktime_get_mono_fast_ns() >= end)
			return;
		cpu_relax();
	}
}

/**
 * mock_rival_suite_init - skip what one CPU cannot run; init op of a suite
 * @test: a test case that has made nothing yet
 *
 * Context: Process context of the test. Ends the test case on one CPU.
 * Return: 0.
 */
int mock_rival_suite_init(struct kunit *test)
{
	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two CPUs");
	return 0;
}

static int mock_rival_thread(void *data)
{
	struct mock_rival *rival = data;

	complete(&rival->running);
	/* At least one turn, also when the test was done with its rounds first. */
	do {
		rival->turn(rival->data);
		atomic_inc(&rival->turns);
		cond_resched();
	} while (!kthread_should_stop());
	return 0;
}

static void mock_rival_end(void *data)
{
	struct mock_rival *rival = data;

	kthread_stop(rival->thread);
}

/* On the rival's CPU, with interrupts off. */
static void mock_rival_stand_still(void *data)
{
	struct mock_rival *rival = data;

	WRITE_ONCE(rival->frozen, true);
	mock_rival_spin(MOCK_RIVAL_FROST, &rival->ice, false);
	WRITE_ONCE(rival->frozen, false);
	atomic_inc(&rival->melts);
}

/* Each side gets a CPU of its own, so that one can be stopped by the other. */
static int mock_rival_part(struct mock_rival *rival)
{
	int mine = raw_smp_processor_id();

	rival->cpu = cpumask_any_but(cpu_online_mask, mine);
	if (rival->cpu >= nr_cpu_ids)
		return -ENXIO;
	kthread_bind(rival->thread, rival->cpu);
	return set_cpus_allowed_ptr(current, cpumask_of(mine));
}

/**
 * mock_rival_start - let the other side begin
 * @test: the running test case
 * @turn: what it does, over and over; must come back by itself
 * @data: for @turn
 *
 * From here on each of the two stays on one CPU.
 *
 * Context: Process context of the test; may sleep. Ends the test case when
 *	    there is no memory, or no second CPU.
 * Return: the rival, which is valid until the test case ends.
 */
struct mock_rival *mock_rival_start(struct kunit *test,
				    void (*turn)(void *data), void *data)
{
	struct mock_rival *rival;

	rival = kunit_kzalloc(test, sizeof(*rival), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rival);
	rival->turn = turn;
	rival->data = data;
	rival->step = 1;
	INIT_CSD(&rival->frost, mock_rival_stand_still, rival);
	rival->thread = kthread_create(mock_rival_thread, rival, "mock-rival");
	KUNIT_ASSERT_FALSE(test, IS_ERR(rival->thread));
	KUNIT_EXPECT_EQ(test, 0, mock_rival_part(rival));
	init_completion(&rival->running);
	wake_up_process(rival->thread);
	/* On a busy machine its CPU comes late, and the rounds would be over. */
	wait_for_completion(&rival->running);
	rival->end = jiffies + MOCK_RIVAL_TIME;
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, mock_rival_end, rival));
	return rival;
}

/**
 * mock_rival_again - is there to be another round?
 * @rival: the rival; counts the round
 *
 * Context: Process context of the test; may sleep.
 * Return: false when it is enough.
 */
bool mock_rival_again(struct mock_rival *rival)
{
	cond_resched();
	if (rival->rounds >= MOCK_RIVAL_MAX ||
	    (rival->rounds >= MOCK_RIVAL_MIN && time_after(jiffies, rival->end)))
		return false;
	rival->rounds++;
	return true;
}

/**
 * mock_rival_wait_turn - until the rival has had another turn, or it is enough
 * @rival: the rival
 *
 * Context: Process context of the test; may sleep.
 */
void mock_rival_wait_turn(struct mock_rival *rival)
{
	int turns = atomic_read(&rival->turns);

	while (atomic_read(&rival->turns) == turns &&
	       time_before(jiffies, rival->end))
		cond_resched();
}

/* A moment, much shorter than any call. */
static void mock_rival_idle(int turns)
{
	while (turns-- > 0)
		barrier();
}

/**
 * mock_rival_dawdle - let the test wait until both sides meet
 * @rival: the rival, whose mock_rival_aim() knows how long
 *
 * To be called between handing something over and doing something with it.
 *
 * Context: Any.
 */
void mock_rival_dawdle(struct mock_rival *rival)
{
	/* Not always the same, and around where the sides change. */
	mock_rival_idle(READ_ONCE(rival->delay) + (int)(rival->rounds % 16));
}

/**
 * mock_rival_lag - let the rival wait, where it is the faster one
 * @rival: the rival itself; NULL when the test has not said yet who it is
 *
 * Context: Any.
 */
void mock_rival_lag(struct mock_rival *rival)
{
	if (rival)
		mock_rival_idle(-READ_ONCE(rival->delay));
}

/**
 * mock_rival_linger - stay where one is, long enough for a call of the other side
 *
 * For ops and callbacks of the mocks, which code under test calls in the midst
 * of something.
 *
 * Context: Any.
 */
void mock_rival_linger(void)
{
	mock_rival_spin(MOCK_RIVAL_LINGER, NULL, false);
}

/**
 * mock_rival_await - stay where one is until the other side says something
 * @flag: what it sets. It may be about to wait for us, or its CPU be away: so
 *	this is given up after a while.
 *
 * Context: Any.
 */
void mock_rival_await(const bool *flag)
{
	mock_rival_spin(MOCK_RIVAL_PATIENCE, flag, true);
}

/**
 * mock_rival_freeze - stop the rival wherever it is
 * @rival: the rival
 *
 * Its CPU takes an interrupt that lasts until mock_rival_thaw(). What could
 * fall between any two instructions if the other CPU were unlucky enough, falls
 * there now. The rival may hold something that the test is about to ask for: so
 * the frost ends by itself after a while, too.
 *
 * Context: Process context of the test, without spinlocks.
 * Return: true when the rival stands still.
 */
bool mock_rival_freeze(struct mock_rival *rival)
{
	WRITE_ONCE(rival->ice, true);
	if (smp_call_function_single_async(rival->cpu, &rival->frost))
		return false;

	rival->freezes++;
	mock_rival_spin(MOCK_RIVAL_FROST, &rival->frozen, true);
	return READ_ONCE(rival->frozen);
}

/**
 * mock_rival_thaw - let the rival go on
 * @rival: the rival, after mock_rival_freeze(), whatever that returned
 *
 * Context: Process context of the test, without spinlocks.
 */
void mock_rival_thaw(struct mock_rival *rival)
{
	WRITE_ONCE(rival->ice, false);
	while (atomic_read(&rival->melts) < rival->freezes)
		cpu_relax();
}

/**
 * mock_rival_aim - meet closer the next time
 * @rival: the rival
 * @late: the test was too late this time
 *
 * Races are won in a window of a few instructions, at a place that differs from
 * one machine to another. So each round moves the two nearer to where neither
 * side is sure to be the first.
 *
 * Context: Process context of the test.
 */
void mock_rival_aim(struct mock_rival *rival, bool late)
{
	bool turned = late != (rival->step < 0);

	/* The further off, the longer the stride. */
	if (turned)
		rival->step = late ? -1 : 1;
	else if (abs(rival->step) < MOCK_RIVAL_STRIDE)
		rival->step *= 2;
	WRITE_ONCE(rival->delay, clamp(rival->delay + rival->step,
				       -MOCK_RIVAL_REACH, MOCK_RIVAL_REACH));
}

/**
 * mock_rival_figure - say for the table of figures how much there was
 * @test: the running test case
 * @rounds: how many rounds
 *
 * Context: Any.
 */
void mock_rival_figure(struct kunit *test, unsigned int rounds)
{
	kunit_info(test, "FIGURE race rounds: %u\n", rounds);
}

/**
 * mock_rival_stop - the race is over
 * @test: the running test case
 * @rival: the rival; its turn has ended when this returns
 *
 * Fails a test whose rival never had a turn, as then there was no race.
 *
 * Context: Process context of the test; may sleep.
 */
void mock_rival_stop(struct kunit *test, struct mock_rival *rival)
{
	kunit_release_action(test, mock_rival_end, rival);
	KUNIT_EXPECT_GT(test, atomic_read(&rival->turns), 0);
	mock_rival_figure(test, rival->rounds);
}
