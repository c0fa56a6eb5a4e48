/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * io_uring by its system calls, as far as the tests of this folder need it.
 *
 * uring_sqe() gives the next submission queue entry, zeroed; uring_submit()
 * submits all that were asked for since. Results as in dma_buf_test.h.
 */
#ifndef URING_H
#define URING_H

#include "dma_buf_test.h"

#include <linux/io_uring.h>
#include <linux/time_types.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define URING_PATIENCE_S	20	/* for what has to come */

struct uring {
	int fd;
	char *mem;
	size_t mem_size;
	struct io_uring_sqe *sqes;
	size_t sqes_size;
	__u32 tail;			/* of what was asked for */
	struct io_uring_params params;
};

static inline bool uring_exists(void)
{
	return !access("/proc/sys/kernel/io_uring_disabled", F_OK);
}

static inline __u32 *uring_word(struct uring *ring, __u32 at)
{
	return (__u32 *)(ring->mem + at);
}

static inline void *uring_map(struct uring *ring, size_t size, off_t at)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		    ring->fd, at);
}

static inline void uring_close(struct uring *ring)
{
	if (!(ring->params.flags & IORING_SETUP_NO_MMAP)) {
		munmap(ring->mem, ring->mem_size);
		munmap(ring->sqes, ring->sqes_size);
	}
	close(ring->fd);
}

/* In two pages at @place, or, if that is NULL, in memory of the kernel. */
static inline int uring_open_at(struct uring *ring, unsigned int entries, __u32 flags,
				char *place)
{
	struct io_uring_params *p = &ring->params;
	size_t sq, cq;
	int ret;

	memset(ring, 0, sizeof(*ring));
	p->flags = flags;
	p->sq_thread_idle = 10;
	if (place) {
		/* The kernel does not. */
		memset(place, 0, 2 * page_size());
		p->flags |= IORING_SETUP_NO_MMAP;
		p->cq_off.user_addr = (unsigned long)place;
		p->sq_off.user_addr = (unsigned long)place + page_size();
	}
	ring->fd = (int)sysret(syscall(SYS_io_uring_setup, entries, p));
	if (ring->fd < 0)
		return ring->fd;
	if (place) {
		ring->mem = place;
		ring->sqes = (void *)(place + page_size());
		return 0;
	}

	/* Both queues are in one mapping, for as long as there was fixed I/O. */
	sq = p->sq_off.array + p->sq_entries * sizeof(__u32);
	cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe) *
	     (flags & IORING_SETUP_CQE32 ? 2 : 1);
	ring->mem_size = sq > cq ? sq : cq;
	ring->sqes_size = p->sq_entries * sizeof(struct io_uring_sqe) *
			  (flags & IORING_SETUP_SQE128 ? 2 : 1);
	ring->mem = uring_map(ring, ring->mem_size, IORING_OFF_SQ_RING);
	ring->sqes = uring_map(ring, ring->sqes_size, IORING_OFF_SQES);
	if ((void *)ring->mem != MAP_FAILED && (void *)ring->sqes != MAP_FAILED)
		return 0;
	ret = -errno;
	uring_close(ring);
	return ret;
}

static inline int uring_open(struct uring *ring, unsigned int entries, __u32 flags)
{
	return uring_open_at(ring, entries, flags, NULL);
}

/* Entry number @i of the submission queue. */
static inline struct io_uring_sqe *uring_sqe_at(struct uring *ring, __u32 i)
{
	i &= ring->params.sq_entries - 1;
	return ring->sqes + (ring->params.flags & IORING_SETUP_SQE128 ? 2 * i : i);
}

static inline struct io_uring_sqe *uring_sqe(struct uring *ring)
{
	struct io_uring_sqe *sqe = uring_sqe_at(ring, ring->tail);
	__u32 i = ring->tail & (ring->params.sq_entries - 1);

	memset(sqe, 0, sizeof(*sqe) *
	       (ring->params.flags & IORING_SETUP_SQE128 ? 2 : 1));
	uring_word(ring, ring->params.sq_off.array)[i] = i;
	ring->tail++;
	return sqe;
}

/* One read or write at the position @offset. */
static inline struct io_uring_sqe *uring_sqe_rw(struct uring *ring, int opcode, int fd,
						const void *mem, size_t len, __u64 offset)
{
	struct io_uring_sqe *sqe = uring_sqe(ring);

	sqe->opcode = (__u8)opcode;
	sqe->fd = fd;
	sqe->addr = (unsigned long)mem;
	sqe->len = (__u32)len;
	sqe->off = offset;
	return sqe;
}

/* One command of a dma-buf; its arguments, but for the flags, are zero. */
static inline struct io_uring_sqe *uring_sqe_dmabuf(struct uring *ring, int fd,
						    __u32 cmd_op, __u32 flags)
{
	struct io_uring_sqe *sqe = uring_sqe(ring);

	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = cmd_op;
	sqe->len = flags;
	return sqe;
}

static inline struct dma_buf_uring_cmd *uring_sqe_params(struct io_uring_sqe *sqe)
{
	return (struct dma_buf_uring_cmd *)sqe->cmd;
}

/* Wait for @wait completions, for some time: how many were submitted. */
static inline long uring_enter(struct uring *ring, unsigned int submit, unsigned int wait)
{
	struct __kernel_timespec patience = { .tv_sec = URING_PATIENCE_S };
	struct io_uring_getevents_arg arg = { .ts = (unsigned long)&patience };
	unsigned int flags = IORING_ENTER_EXT_ARG | IORING_ENTER_GETEVENTS;

	if (ring->params.flags & IORING_SETUP_SQPOLL)
		flags |= IORING_ENTER_SQ_WAKEUP;
	return sysret(syscall(SYS_io_uring_enter, ring->fd, submit, wait, flags,
			      &arg, sizeof(arg)));
}

/* Submit all that was asked for: 0, or what was wrong. */
static inline int uring_submit(struct uring *ring, unsigned int wait)
{
	__u32 *tail = uring_word(ring, ring->params.sq_off.tail);
	unsigned int count = ring->tail - *tail;
	long ret;

	__atomic_store_n(tail, ring->tail, __ATOMIC_RELEASE);
	ret = uring_enter(ring, count, wait);
	return ret < 0 ? (int)ret : ret == (long)count ? 0 : -EPROTO;
}

/* How many completions are there. */
static inline int uring_ready(struct uring *ring)
{
	const struct io_uring_params *p = &ring->params;

	/* Task work runs when the kernel is entered. */
	if (p->flags & IORING_SETUP_DEFER_TASKRUN)
		uring_enter(ring, 0, 0);
	return (int)(__atomic_load_n(uring_word(ring, p->cq_off.tail), __ATOMIC_ACQUIRE) -
		     *uring_word(ring, p->cq_off.head));
}

/* Wait for the next completion: what it says, or -ETIME; and whose it is. */
static inline int uring_reap_from(struct uring *ring, __u64 *user_data)
{
	const struct io_uring_params *p = &ring->params;
	struct io_uring_cqe *cqe = (void *)(ring->mem + p->cq_off.cqes);
	__u32 head = *uring_word(ring, p->cq_off.head), i;
	long ret;

	while (!uring_ready(ring)) {
		ret = uring_enter(ring, 0, 1);
		if (ret < 0 && ret != -EINTR)
			return (int)ret;
	}
	i = head & *uring_word(ring, p->cq_off.ring_mask);
	cqe += p->flags & IORING_SETUP_CQE32 ? 2 * i : i;
	ret = cqe->res;
	if (user_data)
		*user_data = cqe->user_data;
	__atomic_store_n(uring_word(ring, p->cq_off.head), head + 1, __ATOMIC_RELEASE);
	return (int)ret;
}

static inline int uring_reap(struct uring *ring)
{
	return uring_reap_from(ring, NULL);
}

/* Submit what was asked for, one request, and wait for its result. */
static inline int uring_run(struct uring *ring)
{
	int ret = uring_submit(ring, 1);

	return ret ?: uring_reap(ring);
}

/* Threads of this process that io_uring has made to block in. */
static inline int uring_workers(void)
{
	struct dirent *entry;
	int n = 0;
	DIR *dir;

	dir = opendir("/proc/self/task");
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		char path[512], name[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		n += fgets(name, sizeof(name), file) && !strncmp(name, "iou-wrk", 7);
		fclose(file);
	}
	closedir(dir);
	return n;
}

#endif /* URING_H */
