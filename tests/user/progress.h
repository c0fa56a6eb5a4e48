/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What watches a test program waits as long as it prints lines. A test which takes
 * long says now and then that it goes on.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdio.h>
#include <time.h>

#define PROGRESS_SECONDS	5

/* To be called in each round; prints a line every few seconds. */
static inline void test_progress(const char *what, unsigned long done)
{
	static __thread time_t last;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!last)
		last = now.tv_sec;
	if (now.tv_sec - last < PROGRESS_SECONDS)
		return;
	last = now.tv_sec;
	printf("# progress: %s: %lu\n", what, done);
	fflush(stdout);
}

#endif /* PROGRESS_H */
