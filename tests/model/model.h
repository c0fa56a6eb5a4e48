/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the models share. A model compares code without hardware or concurrency
 * with a naive implementation, in runs of random calls.
 *
 * The calls of a run are chosen by bytes from a random generator or from a
 * fuzzer. Whatever the bytes are, the calls are ones that a caller may make. A
 * run starts and ends without objects; what is left is a leak, which the
 * sanitizer reports.
 */
#ifndef _MODEL_H
#define _MODEL_H

#include "kernel.h"

/**
 * struct model_input - the bytes of a run
 * @data: the next byte
 * @left: number of bytes left
 */
struct model_input {
	const u8 *data;
	size_t left;
};

/* Each model has these two. */
const char *model_name(void);
void model_run(struct model_input *in);

/* Let one in @n of the next allocations fail, as the bytes say; 0 for none. */
void model_let_fail(struct model_input *in, unsigned int n);
/* Number of allocations that have failed in this run. */
unsigned int model_failures(void);

/* Run what was queued for an interrupt. */
void model_interrupt(void);
/* Let the thread that was started last have one turn. */
void model_thread_turn(void);

/* Choose a number from 0 to @n - 1; 0 when no bytes are left. */
static inline unsigned int model_pick(struct model_input *in, unsigned int n)
{
	unsigned int value = 0;

	if (!in->left)
		return 0;
	value = *in->data++;
	in->left--;
	if (n > 256 && in->left) {
		value = value << 8 | *in->data++;
		in->left--;
	}
	return value % n;
}

#endif /* _MODEL_H */
