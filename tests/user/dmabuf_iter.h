/* SPDX-License-Identifier: GPL-2.0-only */
/* What dmabuf_iter_test.c and its BPF programs share. */
#ifndef DMABUF_ITER_H
#define DMABUF_ITER_H

#include <linux/types.h>

#define DMABUF_ITER_MAX	4096	/* buffers */

/* A buffer in the map "records", by its inode number. */
struct dmabuf_iter_record {
	__u64 size;
	char exporter[32];
	char name[32];
};

/* What the programs "loop" and "first" are given and give back. */
struct dmabuf_iter_args {
	__u64 count;	/* buffers visited */
	__u64 rejected;	/* of which the map took no record */
	__u64 again;	/* visited after the end */
};

/* The object file of dmabuf_iter.bpf.c, in dmabuf_iter_test.c. */
extern const char dmabuf_iter_object[], dmabuf_iter_object_end[];

#endif
