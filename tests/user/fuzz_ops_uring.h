/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of fuzz_ops.h about io_uring: a ring that lives for one call, with
 * some commands of dma-bufs in it, which may still wait when it is closed.
 */
#ifndef FUZZ_OPS_URING_H
#define FUZZ_OPS_URING_H

#include <stdalign.h>

static const __u32 uring_modes[] = {
	0, 0, IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER,
	IORING_SETUP_COOP_TASKRUN, IORING_SETUP_SQE128 | IORING_SETUP_CQE32,
	IORING_SETUP_SQPOLL, IORING_SETUP_IOPOLL,
};

static const __u32 uring_commands[] = {
	DMA_BUF_IOCTL_SYNC, DMA_BUF_IOCTL_SYNC, DMA_BUF_IOCTL_SYNC_PARTIAL,
	(__u32)DMA_BUF_IOCTL_EXPORT_SYNC_FILE, DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
	DMA_BUF_SET_NAME_A,
};

/* A ring that the kernel maps may get a hole of the arena, and others unmap it. */
static alignas(4096) char uring_places[THREADS_MAX][2 * 4096];

/*
 * Number @user_data of a ring, its arguments from one random number. With @later,
 * other threads have a part in it.
 */
static void uring_fill(struct uring *ring, __u64 rnd, __u64 user_data, bool later)
{
	struct io_uring_sqe *sqe = uring_sqe(ring);

	rnd = random_mix(rnd + user_data);
	sqe->user_data = user_data;
	sqe->flags = (__u8)(rnd % 4 ? 0 : rnd >> 8);
	sqe->flags &= IOSQE_IO_LINK | IOSQE_IO_HARDLINK | IOSQE_IO_DRAIN |
		      (later ? IOSQE_ASYNC : 0);
	if (rnd % 16 == 1) {
		sqe->opcode = IORING_OP_ASYNC_CANCEL;
		sqe->fd = -1;
		sqe->addr = rnd >> 16 & 7;
		return;
	}
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = slot_pick(BUFFER, rnd >> 3);
	rnd = random_mix(rnd);
	sqe->cmd_op = uring_commands[rnd % ARRAY_SIZE(uring_commands)];
	/* Nothing would take the descriptor once the ring is closed. */
	if (later && sqe->cmd_op == DMA_BUF_IOCTL_EXPORT_SYNC_FILE)
		sqe->cmd_op = DMA_BUF_IOCTL_SYNC;
	sqe->len = (__u32)number_pick(rnd >> 8, 1 + (rnd >> 4) % 7);
	sqe->addr = rnd >> 24 & 63 ? 0 : rnd;
	rnd = random_mix(rnd);
	if (sqe->cmd_op == DMA_BUF_IOCTL_IMPORT_SYNC_FILE) {
		uring_sqe_params(sqe)->fd = slot_pick(SYNC_FILE, rnd);
	} else if (sqe->cmd_op == DMA_BUF_IOCTL_SYNC_PARTIAL) {
		uring_sqe_params(sqe)->offset = number_pick(rnd, rnd % 4096);
		uring_sqe_params(sqe)->length = number_pick(rnd >> 16, 1 + rnd % 4096);
	}
}

/* The requests of one ring: how many were done, and well. */
static long uring_commands_run(struct uring *ring, const __u64 *d, bool later)
{
	int i, good = 0, count = 1 + (int)(d[0] % 8);

	for (i = 0; i < count; i++)
		uring_fill(ring, d[2], (__u64)i, later);
	/* Ends early at an entry that is refused. */
	uring_submit(ring, 0);
	/* Often closed while some of them wait. */
	for (i = 0; later && i < (int)(d[3] % 3) && !uring_ready(ring); i++)
		usleep(1000);
	while (uring_ready(ring)) {
		__u64 from;
		int res = uring_reap_from(ring, &from);

		good += res >= 0;
		/* Only an export says more than that. */
		if (res > 2)
			slot_put(SYNC_FILE, d[4] + from, res);
	}
	return good;
}

/*
 * The number of requests that were done and well, if that follows from the random
 * numbers.
 */
static long op_uring_commands(struct thread *t, const __u64 *d)
{
	__u32 mode = uring_modes[d[1] % ARRAY_SIZE(uring_modes)];
	bool later = mode & IORING_SETUP_SQPOLL || d[1] >> 32 & 1;
	struct uring ring;
	long ret;

	patience_start(t, 4);
	ret = uring_open_at(&ring, 8, mode, uring_places[t->number % THREADS_MAX]);
	if (!ret) {
		ret = uring_commands_run(&ring, d, later);
		uring_close(&ring);
		if (later || !ret)
			ret = later ? 0 : -ENODATA;
	}
	patience_end(t);
	return ret;
}

#endif /* FUZZ_OPS_URING_H */
