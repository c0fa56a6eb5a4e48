/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the bench program share
 */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <stddef.h>

#include <linux/types.h>

#define KIB		1024UL
#define MIB		(1024 * KIB)
#define SIZES(...)	((const size_t[]){ __VA_ARGS__, 0 })

/* What a round returns that cannot be had here, with whichever kernel. */
#define ABSENT		(-ENODEV)

/**
 * struct bench_case - one operation
 * @name: as it is printed
 * @round: carry it out once; returns nanoseconds, or a negative errno
 * @rounds: how often; the median counts
 * @sizes: for which sizes; ends with 0
 */
struct bench_case {
	const char *name;
	__s64 (*round)(size_t size);
	int rounds;
	const size_t *sizes;
};

/* dma_buf_bench.c */
extern int udmabuf_fd;
extern long page_size;

__s64 now(void);
int heap_alloc(size_t size);
void touch(char *at, size_t size);
int udmabuf_memfd(size_t size, unsigned int flags);

/* file_bench.c; the last one has no name */
extern const struct bench_case file_cases[];

#endif /* BENCH_H */
