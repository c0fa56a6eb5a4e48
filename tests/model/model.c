// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions of kernel.h and model.h, and main(), which does a run for each
 * of many random seeds. With FUZZER there is no main(), as libFuzzer has its
 * own.
 */
#include <sanitizer/lsan_interface.h>
#include <signal.h>
#include <unistd.h>

#include "model.h"

#define RUN_MAX	600	/* bytes */

static struct irq_work *interrupts;
static struct model_input *fail_input;
static unsigned int fail_chance, failures;
static ktime_t now;
static struct task_struct *thread;
static bool turn_over;

/* With these the first report ends the program, by a signal. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
	return "abort_on_error=1:detect_leaks=1";
}

const char *__ubsan_default_options(void)
{
	return "abort_on_error=1:halt_on_error=1:print_stacktrace=1";
}

ktime_t ktime_get(void)
{
	return ++now;
}

bool irq_work_queue(struct irq_work *work)
{
	struct irq_work **last = &interrupts;

	while (*last)
		last = &(*last)->next;
	work->next = NULL;
	*last = work;
	return true;
}

void model_interrupt(void)
{
	while (interrupts) {
		struct irq_work *work = interrupts;

		interrupts = work->next;
		work->func(work);
	}
}

void model_let_fail(struct model_input *in, unsigned int n)
{
	fail_input = in;
	fail_chance = n;
}

unsigned int model_failures(void)
{
	return failures;
}

bool model_alloc_fails(void)
{
	if (!fail_chance || model_pick(fail_input, fail_chance) != fail_chance - 1)
		return false;
	failures++;
	return true;
}

struct task_struct *model_thread_create(int (*func)(void *data), void *data)
{
	thread = malloc(sizeof(*thread));
	*thread = (struct task_struct){ .func = func, .data = data };
	return thread;
}

void model_thread_turn(void)
{
	turn_over = false;
	thread->func(thread->data);
}

/* False once in each turn of the thread. */
bool kthread_should_stop(void)
{
	bool was = turn_over;

	turn_over = true;
	return was;
}

static void run(const u8 *data, size_t size)
{
	struct model_input in = { .data = data, .left = size };

	failures = 0;
	model_let_fail(NULL, 0);
	model_run(&in);
	model_check(!interrupts);
}

#ifdef FUZZER

/* The name that libFuzzer calls. */
int model_fuzz(const u8 *data, size_t size) asm("LLVMFuzzerTestOneInput");

int model_fuzz(const u8 *data, size_t size)
{
	run(data, size);
	return 0;
}

#else

static unsigned long long seed;

static void died(int signal_number)
{
	char text[96];
	int length;

	length = snprintf(text, sizeof(text), "not ok 1 %s # seed %llu\n", model_name(),
			  seed);
	if (write(STDOUT_FILENO, text, length) < 0)
		_exit(2);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

/* xorshift: the same run for the same seed, on every machine. */
static u64 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void run_seed(void)
{
	u64 state = seed * 0x9e3779b97f4a7c15ULL + 1;
	u8 bytes[RUN_MAX];
	size_t size;

	for (int i = 0; i < 8; i++)
		next_random(&state);
	size = next_random(&state) % RUN_MAX + 1;
	for (size_t i = 0; i < size; i++)
		bytes[i] = next_random(&state) >> 32;
	run(bytes, size);
}

/* model [RUNS [FIRST-SEED]] */
int main(int argc, char **argv)
{
	unsigned long long runs = argc > 1 ? strtoull(argv[1], NULL, 0) : 20000;
	unsigned long long first = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..1\n");
	signal(SIGABRT, died);
	for (seed = first; seed < first + runs; seed++) {
		run_seed();
		/* A leak check is slow; the one after the last run is needed. */
		if ((seed % 4096 == 0 || seed == first + runs - 1) &&
		    __lsan_do_recoverable_leak_check())
			model_fail("a run leaks, this one or an earlier one");
	}
	printf("# FIGURE random model runs: %llu\n", runs);
	printf("ok 1 %s\n", model_name());
	return 0;
}

#endif
