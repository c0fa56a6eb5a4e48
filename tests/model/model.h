/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model: a naive twin of some pure logic, and a play that both act out.
 *
 * What it is:	what every model shares. The play is written by bytes, which come
 *		from a random generator or from a fuzzer; whatever they are, it
 *		is a play that a caller may lawfully act out.
 * Life:	a play begins with nothing and ends with nothing; what is left is a
 *		leak, which the sanitizer reports.
 */
#ifndef _MODEL_H
#define _MODEL_H

#include "kernel.h"

/**
 * struct model_input - the bytes of a play
 * @data: the next byte
 * @left: how many there are
 */
struct model_input {
	const u8 *data;
	size_t left;
};

/* Each model has these two. */
const char *model_name(void);
void model_play(struct model_input *in);

/* Chance of the next allocations to fail: one in @n, 0 for none; by the play. */
void model_let_fail(struct model_input *in, unsigned int n);
/* How many have failed since the beginning of the play. */
unsigned int model_failures(void);

/* Run what was queued for an interrupt. */
void model_interrupt(void);
/* Let the thread that was started last have one turn. */
void model_thread_turn(void);

/* Something from 0 to @n - 1; 0 when the play is over. */
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
