/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the bench program asks of the bench module: one ioctl on
 * /dev/dma_buf_bench. Both are built together and nothing else uses it, so it
 * is not an ABI.
 */
#ifndef DMA_BUF_BENCH_H
#define DMA_BUF_BENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum dma_buf_bench_op {
	/* On the buffer @fd: */
	DMA_BUF_BENCH_ATTACH,		/* attach + detach */
	DMA_BUF_BENCH_MAP,		/* map + unmap, attached beforehand */
	DMA_BUF_BENCH_ATTACH_MAP,	/* attach + map + unmap + detach */
	DMA_BUF_BENCH_VMAP,		/* vmap + vunmap */
	DMA_BUF_BENCH_CPU_ACCESS,	/* begin + end, mapped by a device */
	DMA_BUF_BENCH_HOLD,		/* attach and map, until it is let go */
	/* Without a buffer: */
	DMA_BUF_BENCH_LET_GO,		/* end what HOLD has begun */
	DMA_BUF_BENCH_EXPORT,		/* export + put; what is put last goes later */
	/* Without a buffer; @arg is how many fences: */
	DMA_BUF_BENCH_FENCE_SIGNAL,	/* init + signal + put */
	DMA_BUF_BENCH_FENCE_CALLBACK,	/* the same with a callback */
	DMA_BUF_BENCH_RESV_ADD,		/* reserve + add, @arg contexts */
	DMA_BUF_BENCH_RESV_ITER,	/* unlocked walk over @arg fences */
	DMA_BUF_BENCH_RESV_TEST,	/* test_signaled, @arg of them are */
	DMA_BUF_BENCH_CHAIN,		/* append a link, @arg times, and put */
	DMA_BUF_BENCH_ARRAY,		/* array of @arg: create, enable, signal */
	DMA_BUF_BENCH_MERGE,		/* unwrap-merge of two arrays, @arg in all */
	DMA_BUF_BENCH_OPS
};

/**
 * struct dma_buf_bench_run - one measurement
 * @op: one of &enum dma_buf_bench_op
 * @fd: the buffer, or -1
 * @rounds: how often to do it, at least 1
 * @arg: see the op
 * @ns: out: nanoseconds that all rounds took together, set-up excluded
 */
struct dma_buf_bench_run {
	__u32 op;
	__s32 fd;
	__u32 rounds;
	__u32 arg;
	__u64 ns;
};

#define DMA_BUF_BENCH_RUN	_IOWR('B', 0xd0, struct dma_buf_bench_run)

#endif
