// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table: one row per hop, printed when the hop is over, so that a
 * hang is seen to follow the last row.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "demo.h"

static char reason[256];
static char note[128];

static struct {
	const char *hop;
	struct timespec start;
	__u64 bytes;
	__u32 sum;
} row;

static unsigned int rows_good, rows_bad;

/* The first reason counts; what follows from it does not. */
int fail_with(const char *format, ...)
{
	va_list args;

	if (reason[0])
		return -1;
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	return -1;
}

int fail_errno(const char *what)
{
	return fail("%s: %s", what, strerror(errno));
}

void report_head(void)
{
	printf("\n%-24s %10s %9s  %-8s  %s\n", "hop", "bytes", "ms",
	       "fnv-1a", "result");
	printf("------------------------------------------------------------------------------\n");
	fflush(stdout);
}

void report_begin(const char *hop)
{
	reason[0] = 0;
	note[0] = 0;
	row.hop = hop;
	row.bytes = 0;
	row.sum = 0;
	clock_gettime(CLOCK_MONOTONIC, &row.start);
}

/* Bytes that were compared and found to be right. */
void report_bytes(const __u32 *words, size_t bytes)
{
	__u32 sum = 2166136261u;
	size_t i;

	for (i = 0; i < bytes / 4; i++)
		sum = (sum ^ (words[i] & MASK_COLOURS)) * 16777619u;
	row.sum = sum;
	row.bytes += bytes;
}

void report_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(note, sizeof(note), format, args);
	va_end(args);
}

bool report_end(int result)
{
	struct timespec end;
	double ms;

	clock_gettime(CLOCK_MONOTONIC, &end);
	ms = (end.tv_sec - row.start.tv_sec) * 1e3 +
	     (end.tv_nsec - row.start.tv_nsec) / 1e6;
	printf("%-24s %10llu %9.1f  %08x  %s%s%s\n", row.hop,
	       row.bytes, ms, row.sum, result ? "FAILED: " : "ok",
	       !result && note[0] ? ": " : "", result ? reason : note);
	fflush(stdout);
	if (result)
		rows_bad++;
	else
		rows_good++;
	return !result;
}

int report_tail(void)
{
	printf("\n%u hops passed, %u failed\n", rows_good, rows_bad);
	return rows_bad ? 1 : 0;
}
