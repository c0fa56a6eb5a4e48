/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls that fuzz_test makes, for that program alone: a function for each,
 * and the table that says how often, on what, and whether it has to succeed.
 *
 * A call takes its arguments from the random numbers alone and returns what the
 * system call returned, -errno when it failed. To add one is to write the
 * function and a line in ops[]; a run in which it never succeeds fails.
 */
#ifndef FUZZ_OPS_H
#define FUZZ_OPS_H

#include <assert.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "fuzz_world.h"

/* All of them have the same arguments, and the table says what is special. */
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif

/* ------------------------------------------------------------------- heaps -- */

static __u32 fd_flags_pick(__u64 rnd)
{
	static const __u32 modes[] = { O_RDWR, O_RDWR, O_RDWR, O_RDONLY, O_WRONLY };

	return (__u32)number_pick(rnd, modes[rnd % ARRAY_SIZE(modes)] | O_CLOEXEC);
}

static long op_heap_open(struct thread *t, const __u64 *d)
{
	return slot_put(HEAP, d[0], heap_open(world.heaps[d[1] % world.n_heaps]));
}

static long op_heap_alloc(struct thread *t, const __u64 *d)
{
	struct dma_heap_allocation_data data = {
		.len = length_pick(d[0]),
		.fd_flags = fd_flags_pick(d[1]),
		.heap_flags = number_pick(d[2], 0),
		.fd = (__u32)number_pick(d[2] >> 4, 0),
	};
	int ret = xioctl(slot_pick(HEAP, d[3]), DMA_HEAP_IOCTL_ALLOC,
			 pointer_pick(d[4], &data));

	return slot_put(BUFFER, d[5], ret < 0 ? ret : (int)data.fd);
}

static long op_heap_alloc_charged(struct thread *t, const __u64 *d)
{
	struct dma_heap_allocation_data_charged data = {
		.len = length_pick(d[0]),
		.fd_flags = fd_flags_pick(d[1]),
		.charge_pid_fd = (__u32)(d[2] & 3 ? world.pidfd : slot_pick(BUFFER, d[2])),
	};
	int ret = xioctl(slot_pick(HEAP, d[3]), DMA_HEAP_IOCTL_ALLOC_CHARGED,
			 pointer_pick(d[4], &data));

	return slot_put(BUFFER, d[5], ret < 0 ? ret : (int)data.fd);
}

/* All of them go into slots, and what they replace is closed. */
static long op_heap_alloc_batch(struct thread *t, const __u64 *d)
{
	struct dma_heap_allocation_batch data = {
		.len = length_pick(d[0]),
		.fd_flags = fd_flags_pick(d[1]),
		.count = (__u32)number_pick(d[2], 1 + d[2] % 6),
		.charge_pid_fd = (__u32)(d[1] & 1ull << 40 ? world.pidfd : 0),
		/* Room for as many as there may be. */
		.fds = (uintptr_t)pointer_pick(d[3], t->scratch),
	};
	__s32 *fds = (void *)t->scratch;
	long ret;
	__u32 i;

	static_assert(sizeof(t->scratch) >= DMA_HEAP_ALLOC_BATCH_MAX * sizeof(*fds));
	if (data.count > 6)
		data.len = page_size();
	ret = xioctl(slot_pick(HEAP, d[4]), DMA_HEAP_IOCTL_ALLOC_BATCH,
		     pointer_pick(d[5], &data));
	for (i = 0; ret >= 0 && i < data.count; i++)
		slot_put(BUFFER, d[5] + (__u64)i * 256, fds[i]);
	return ret;
}

/* The struct of a program that is older or newer than this kernel. */
static long op_heap_alloc_sized(struct thread *t, const __u64 *d)
{
	union {
		struct dma_heap_allocation_data data;
		char room[128];
	} arg = { .data = { .len = length_pick(d[0]), .fd_flags = fd_flags_pick(d[1]) } };
	size_t size = d[2] % sizeof(arg);
	int ret;

	if (d[3] & 1)
		memset(arg.room + sizeof(arg.data), 0x5a, sizeof(arg) - sizeof(arg.data));
	ret = xioctl(slot_pick(HEAP, d[4]),
		     _IOC(_IOC_READ | _IOC_WRITE, DMA_HEAP_IOC_MAGIC, 0, size), &arg);
	return slot_put(BUFFER, d[5], ret < 0 ? ret : (int)arg.data.fd);
}

/* ---------------------------------------------------------------- dma-bufs -- */

/* Waits for fences, which may never signal. */
static long op_buffer_sync(struct thread *t, const __u64 *d)
{
	struct dma_buf_sync sync = { .flags = number_pick(d[0], 1 + d[0] % 7) };
	long ret;

	patience_start(t, 4);
	ret = xioctl(slot_pick(BUFFER, d[1]), DMA_BUF_IOCTL_SYNC, pointer_pick(d[2], &sync));
	patience_end(t);
	return ret;
}

static long op_buffer_sync_batch(struct thread *t, const __u64 *d)
{
	struct dma_buf_sync_record records[6];
	struct dma_buf_sync_batch args = {
		.count = (__u32)number_pick(d[0], 1 + d[0] % ARRAY_SIZE(records)),
		.records = (uintptr_t)pointer_pick(d[1], records),
	};
	__u64 flags = 1 + d[2] % 7;
	size_t i;
	long ret;

	for (i = 0; i < ARRAY_SIZE(records); i++)
		records[i] = (struct dma_buf_sync_record){
			.fd = slot_pick(BUFFER, random_mix(d[3] + i)),
			.flags = (__u32)number_pick(d[2] >> i, flags),
			.offset = d[4] >> i & 1 ? d[4] >> 8 & 4095 : 0,
			.length = d[4] >> i & 1 ? 1 : 0,
		};
	/* More would be whatever lies behind them. */
	if (args.count > ARRAY_SIZE(records) && args.count <= DMA_BUF_SYNC_BATCH_MAX)
		args.count = ARRAY_SIZE(records);
	patience_start(t, 4);
	ret = xioctl(slot_pick(BUFFER, d[5]), DMA_BUF_IOCTL_SYNC_BATCH, &args);
	patience_end(t);
	return ret;
}

static long op_buffer_name(struct thread *t, const __u64 *d)
{
	size_t len = d[0] % 48;
	char *end = world.arena + AREAS * AREA_SIZE, *name = t->scratch;

	memset(name, 'a' + (int)(d[1] % 26), len);
	name[len] = '\0';
	/* Up to a page that is not there, without an end. */
	if (d[2] % 32 == 0)
		name = end - 16;
	return xioctl(slot_pick(BUFFER, d[3]), d[2] & 64 ? DMA_BUF_SET_NAME_A : DMA_BUF_SET_NAME_B,
		      pointer_pick(d[4], name));
}

/* Of a buffer now and then: all others go on with what is left of it. */
static long op_buffer_revoke(struct thread *t, const __u64 *d)
{
	long ret;

	patience_start(t, 4);
	ret = dmabuf_revoke(slot_pick(BUFFER, d[0]));
	patience_end(t);
	return ret;
}

static long op_buffer_export_fence(struct thread *t, const __u64 *d)
{
	struct dma_buf_export_sync_file data = {
		.flags = (__u32)number_pick(d[0], 1 + d[0] % 3), .fd = -1,
	};
	int ret = xioctl(slot_pick(BUFFER, d[1]), DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
			 pointer_pick(d[2], &data));

	return slot_put(SYNC_FILE, d[3], ret < 0 ? ret : data.fd);
}

static long op_buffer_import_fence(struct thread *t, const __u64 *d)
{
	struct dma_buf_import_sync_file data = {
		.flags = (__u32)number_pick(d[0], 1 + d[0] % 3),
		.fd = slot_pick(SYNC_FILE, d[1]),
	};

	return xioctl(slot_pick(BUFFER, d[2]), DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
		      pointer_pick(d[3], &data));
}

/* Mostly a file of our own; not so far behind its end that it fills the memory. */
static long op_buffer_transfer(struct thread *t, const __u64 *d)
{
	struct dma_buf_transfer data = {
		.fd = slot_pick(d[0] & 15 ? MEMFD : d[0] % KINDS, d[1]),
		.flags = (__u32)number_pick(d[2], (1 + d[2] % 2) | (d[2] >> 8 & 60)),
		.file_offset = d[0] & 16 ? d[3] % 65536 : d[3] % 16 * page_size(),
		.offset = number_pick(d[4], d[3] >> 8 & 1 ? 0 : page_size()),
		.length = length_pick(d[3] >> 16),
	};
	long ret;

	if (data.flags & DMA_BUF_TRANSFER_IN_FENCE)
		data.in_fence = slot_pick(SYNC_FILE, d[5] >> 16);
	if (data.length > 1 << 20 && d[0] & 96)
		data.length = 1 << 20;
	patience_start(t, 4);
	ret = xioctl(slot_pick(BUFFER, d[1] >> 8), DMA_BUF_IOCTL_TRANSFER,
		     pointer_pick(d[5], &data));
	patience_end(t);
	if (ret > 0 && data.flags & DMA_BUF_TRANSFER_OUT_FENCE)
		return slot_put(SYNC_FILE, d[5] >> 24, data.out_fence);
	return ret;
}

static long op_buffer_seek(struct thread *t, const __u64 *d)
{
	return sysret(lseek(slot_pick(BUFFER, d[0]), (off_t)number_pick(d[1], 0),
			    (int)(d[2] % 6)));
}

/* ------------------------------------------------------------------ memory -- */

static int prot_pick(__u64 rnd)
{
	static const int prots[] = {
		PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ, PROT_WRITE, PROT_NONE,
		PROT_READ | PROT_EXEC,
	};

	return prots[rnd % ARRAY_SIZE(prots)];
}

static long op_map(struct thread *t, const __u64 *d)
{
	enum kind kind = d[0] % 8 ? BUFFER : MEMFD;
	int flags = MAP_FIXED | (d[1] % 8 || !world.large_folios ? MAP_SHARED : MAP_PRIVATE);
	size_t len = length_pick(d[2]);
	off_t at = (off_t)(d[3] & 3 ? 0 : number_pick(d[3], (d[3] % 16) * page_size()));

	if (d[4] % 16 == 0)
		flags |= MAP_POPULATE;
	if (!len || len > AREA_SIZE)
		len = page_size();
	return sysret((long)mmap(area_at(d[5]), len, prot_pick(d[4] >> 8), flags,
				 slot_pick(kind, d[0] >> 8), at)) < 0 ? -errno : 0;
}

/* Where the kernel likes it, which is where huge pages fit. */
static long op_map_anywhere(struct thread *t, const __u64 *d)
{
	size_t len = length_pick(d[0]);
	volatile char *mem;

	mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, slot_pick(BUFFER, d[1]), 0);
	if (mem == MAP_FAILED)
		return -errno;
	fault_expected = 1;
	if (!sigsetjmp(fault_exit, 1))
		mem[d[2] % len] = (char)d[3];
	fault_expected = 0;
	return sysret(munmap((void *)mem, len));
}

static long op_unmap(struct thread *t, const __u64 *d)
{
	size_t at = d[0] & 1 ? 0 : (d[1] % 16) * page_size();
	size_t len = d[2] & 3 ? AREA_SIZE - at : length_pick(d[2] >> 2);

	if (!len || len > AREA_SIZE - at)
		len = AREA_SIZE - at;
	return sysret(munmap(area_at(d[3]) + at, len));
}

static long op_protect(struct thread *t, const __u64 *d)
{
	return sysret(mprotect(area_at(d[0]) + (d[1] % 4) * page_size(),
			       page_size() * (1 + d[2] % 8), prot_pick(d[3])));
}

static long op_advise(struct thread *t, const __u64 *d)
{
	static const int advices[] = {
		MADV_NORMAL, MADV_WILLNEED, MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_DONTFORK,
		MADV_DOFORK, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE, MADV_COLLAPSE, MADV_DONTDUMP, MADV_DODUMP, MADV_RANDOM,
		MADV_SEQUENTIAL, MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_WIPEONFORK,
		MADV_KEEPONFORK, MADV_DONTNEED_LOCKED, MADV_COLD, MADV_PAGEOUT,
	};
	size_t n = ARRAY_SIZE(advices) - (world.large_folios ? 0 : 2);
	size_t len = length_pick(d[1]);

	/* What lies behind the area may be a stack of ours. */
	if (len > AREA_SIZE)
		len = AREA_SIZE;
	if (d[3] & 1)
		len = page_size();
	return sysret(madvise(area_at(d[0]), len, advices[d[2] % n]));
}

static long op_remap(struct thread *t, const __u64 *d)
{
	size_t old = page_size() * (1 + d[0] % 8), len = page_size() * (1 + d[1] % 16);

	return sysret((long)mremap(area_at(d[2]), old, len, MREMAP_FIXED | MREMAP_MAYMOVE,
				   area_at(d[3]))) < 0 ? -errno : 0;
}

static long op_touch_read(struct thread *t, const __u64 *d)
{
	return area_touch(d[0], false);
}

static long op_touch_write(struct thread *t, const __u64 *d)
{
	return area_touch(d[0], true);
}

/* The memory, pinned by another system call than a fault. */
static long op_peek_process(struct thread *t, const __u64 *d)
{
	size_t len = 1 + d[0] % sizeof(t->scratch);
	struct iovec mine = { .iov_base = t->scratch, .iov_len = len };
	struct iovec theirs = { .iov_base = area_at(d[1]) + d[2] % 4096, .iov_len = len };

	if (d[3] & 1)
		return sysret(process_vm_readv(getpid(), &mine, 1, &theirs, 1, 0));
	return sysret(process_vm_writev(getpid(), &mine, 1, &theirs, 1, 0));
}

/* ------------------------------------------------------------- descriptors -- */

static const enum kind often_closed[] = {
	BUFFER, BUFFER, BUFFER, BUFFER, SYNC_FILE, SYNC_FILE, SYNC_FILE, MEMFD, MEMFD, TIMELINE,
};

static long op_close(struct thread *t, const __u64 *d)
{
	return slot_close(often_closed[d[0] % ARRAY_SIZE(often_closed)], d[1]);
}

/* Nodes, that is: a device with all it has imported is closed at the end. */
static long op_close_node(struct thread *t, const __u64 *d)
{
	static const enum kind nodes[] = {
		HEAP, TIMELINE, UDMABUF, SOCKET, EPOLL, PIPE_IN, PIPE_OUT, UFFD, VIDEO,
	};

	return slot_close(nodes[d[0] % ARRAY_SIZE(nodes)], d[1]);
}

static long op_dup(struct thread *t, const __u64 *d)
{
	enum kind kind = d[0] & 1 ? BUFFER : SYNC_FILE;

	return slot_put(kind, d[1], sysret(dup(slot_pick(kind, d[2]))));
}

/* Replace one by another while other threads use it. */
static long op_dup_onto(struct thread *t, const __u64 *d)
{
	enum kind kind = d[0] & 1 ? BUFFER : SYNC_FILE;
	int onto = slot_peek(kind, d[1]);

	if (onto < 0)
		return -EBADF;
	return sysret(dup3(slot_pick(kind, d[2]), onto, O_CLOEXEC));
}

static long op_stat(struct thread *t, const __u64 *d)
{
	struct stat st;

	return sysret(fstat(slot_pick(d[0] % KINDS, d[1]), &st));
}

static long op_fdinfo(struct thread *t, const __u64 *d)
{
	char path[64];
	long ret;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/%s/%d", d[0] & 1 ? "fdinfo" : "fd",
		 slot_pick(d[1] & 1 ? BUFFER : SYNC_FILE, d[2]));
	if (!(d[0] & 1)) {
		ret = sysret(readlink(path, t->scratch, sizeof(t->scratch)));
		return ret < 0 ? ret : 0;
	}
	fd = xopen(path, O_RDONLY);
	if (fd < 0)
		return fd;
	ret = sysret(read(fd, t->scratch, sizeof(t->scratch)));
	close(fd);
	return ret < 0 ? ret : 0;
}

/*
 * Not devices, which may be in any slot by now: with the same memory mapped twice
 * for one of them, DMA-API debugging no longer finds what is synchronised.
 */
static long op_reopen(struct thread *t, const __u64 *d)
{
	enum kind kind = d[0] % VGEM;
	int fd = slot_peek(kind, d[1]);
	struct stat st;
	char path[64];

	if (!fstat(fd, &st) && S_ISCHR(st.st_mode) && kind != HEAP && kind != UDMABUF)
		return -ELOOP;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return slot_put(kind, d[2], xopen(path, (int)(d[3] % 3) | O_NONBLOCK));
}

static long op_fcntl(struct thread *t, const __u64 *d)
{
	static const int commands[] = {
		F_GETFL, F_GETFD, F_SETFL, F_SETFD, F_GET_SEALS, F_ADD_SEALS, F_GETLEASE,
	};
	int command = commands[d[0] % ARRAY_SIZE(commands)];
	long arg = (long)number_pick(d[1], d[1] & 7);

	/* A descriptor that blocks would keep this thread. */
	if (command == F_SETFL)
		arg |= O_NONBLOCK;
	return sysret(fcntl(slot_pick(d[2] % KINDS, d[3]), command, arg));
}

static long op_poll(struct thread *t, const __u64 *d)
{
	struct pollfd fds[6];
	size_t i, n = 1 + d[0] % ARRAY_SIZE(fds);

	for (i = 0; i < n; i++)
		fds[i] = (struct pollfd){
			.fd = slot_pick(d[1] >> i & 1 ? BUFFER : SYNC_FILE, d[2] >> i),
			.events = (short)number_pick(d[3], POLLIN | POLLOUT),
		};
	return sysret(poll(fds, n, (int)(d[4] % 3)));
}

static long op_epoll_create(struct thread *t, const __u64 *d)
{
	return slot_put(EPOLL, d[0], sysret(epoll_create1(EPOLL_CLOEXEC)));
}

static long op_epoll_control(struct thread *t, const __u64 *d)
{
	struct epoll_event event = { .events = (__u32)number_pick(d[0], EPOLLIN | EPOLLOUT) };
	enum kind kind = d[1] & 1 ? BUFFER : d[1] & 2 ? SYNC_FILE : EPOLL;

	return sysret(epoll_ctl(slot_pick(EPOLL, d[2]), 1 + (int)(d[3] % 3),
				slot_pick(kind, d[4]), &event));
}

static long op_epoll_wait(struct thread *t, const __u64 *d)
{
	struct epoll_event events[8];

	return sysret(epoll_wait(slot_pick(EPOLL, d[0]), events, ARRAY_SIZE(events),
				 (int)(d[1] % 3)));
}

/* Of a buffer, it waits for fences, too. */
static long op_read(struct thread *t, const __u64 *d)
{
	long ret;

	patience_start(t, 4);
	ret = sysret(pread(slot_pick(d[0] & 7 ? BUFFER + d[0] % 4 : d[0] % KINDS, d[1]),
			   pointer_pick(d[2], t->scratch),
			   d[3] % sizeof(t->scratch), (off_t)number_pick(d[4], 0)));
	patience_end(t);
	return ret;
}

static long op_write(struct thread *t, const __u64 *d)
{
	long ret;

	patience_start(t, 4);
	ret = sysret(pwrite(slot_pick(d[0] & 7 ? BUFFER + d[0] % 4 : d[0] % KINDS, d[1]),
			    pointer_pick(d[2], t->scratch),
			    d[3] % sizeof(t->scratch), (off_t)number_pick(d[4], 0)));
	patience_end(t);
	return ret;
}

static long op_sendfile(struct thread *t, const __u64 *d)
{
	off_t at = (off_t)number_pick(d[0], 0);
	long ret;

	patience_start(t, 4);
	ret = sysret(sendfile(slot_pick(d[1] & 1 ? MEMFD : BUFFER, d[2]),
			      slot_pick(d[1] & 2 ? MEMFD : BUFFER, d[3]), &at, d[4] % 65536));
	patience_end(t);
	return ret;
}

static bool is_socket(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISSOCK(st.st_mode);
}

/*
 * Up to three descriptors. No sockets: those make cycles, which the collector
 * of 6.12 does not always find, and what is in them stays.
 */
static long op_send(struct thread *t, const __u64 *d)
{
	char control[CMSG_SPACE(3 * sizeof(int))] = { 0 };
	enum kind kind = d[0] & 1 ? BUFFER : SYNC_FILE;
	char what = (char)kind;
	struct iovec iov = { .iov_base = &what, .iov_len = 1 };
	size_t i, n = 1 + d[1] % 3;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fds[3];

	for (i = 0; i < n; i++) {
		fds[i] = slot_pick(kind, d[2] >> i);
		if (is_socket(fds[i]))
			return -ELOOP;
	}
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	return sysret(sendmsg(slot_pick(SOCKET, d[3]), &msg, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static long op_receive(struct thread *t, const __u64 *d)
{
	char control[CMSG_SPACE(3 * sizeof(int))] = { 0 };
	char what = 0;
	struct iovec iov = { .iov_base = &what, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		/* Room for fewer than were sent: the rest is closed by the kernel. */
		.msg_controllen = CMSG_SPACE((d[0] & 3 ? 3 : 1) * sizeof(int)),
	};
	long ret = sysret(recvmsg(slot_pick(SOCKET, d[1]), &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
	struct cmsghdr *cmsg = ret < 0 ? NULL : CMSG_FIRSTHDR(&msg);
	size_t i, n;
	int fds[3];

	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return ret;
	n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(cmsg), n * sizeof(int));
	for (i = 0; i < n; i++)
		slot_put((unsigned char)what % KINDS, d[2] + (i << 8), fds[i]);
	return ret;
}

static long op_socket(struct thread *t, const __u64 *d)
{
	int pair[2];
	long ret = sysret(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));

	if (ret < 0)
		return ret;
	slot_put(SOCKET, d[0], pair[0]);
	return slot_put(SOCKET, d[0] + (1 << 8), pair[1]);
}

/* A child with a copy of everything: uses some, closes some, and goes. */
static long op_fork(struct thread *t, const __u64 *d)
{
	pid_t pid = fork();
	int i, status;

	if (pid < 0)
		return -errno;
	if (!pid) {
		/* The watcher's clock does not tick for a child. */
		alarm(120);
		for (i = 0; i < 6; i++) {
			__u64 rnd = random_mix(d[0] + (__u64)i);

			area_touch(rnd, i & 1);
			slot_close(often_closed[rnd % ARRAY_SIZE(often_closed)], rnd >> 8);
			if (d[1] & 1)
				munmap(area_at(rnd >> 16), AREA_SIZE);
		}
		if (d[1] & 2)
			kill(getpid(), SIGKILL);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL ? -ECHILD : 0;
}

#include "fuzz_ops_devices.h"
#include "fuzz_ops_uring.h"
#include "fuzz_ops_memory.h"

/* ------------------------------------------------------------------- table -- */

struct op {
	const char *name;
	long (*run)(struct thread *t, const __u64 *d);
	int weight;
	enum kind needs;	/* this device; HEAP where nothing special */
	bool never;		/* success is no aim */
	bool root;		/* success is not for everyone */
};

static const struct op ops[] = {
	{ "heap: open", op_heap_open, 2 },
	{ "heap: ALLOC", op_heap_alloc, 14 },
	{ "heap: ALLOC_CHARGED", op_heap_alloc_charged, 4 },
	{ "heap: ALLOC_BATCH", op_heap_alloc_batch, 4 },
	{ "heap: ALLOC of any size", op_heap_alloc_sized, 4 },
	{ "dma-buf: SYNC", op_buffer_sync, 8 },
	{ "dma-buf: SYNC_BATCH", op_buffer_sync_batch, 4 },
	{ "dma-buf: SET_NAME", op_buffer_name, 4 },
	{ "dma-buf: EXPORT_SYNC_FILE", op_buffer_export_fence, 8 },
	{ "dma-buf: IMPORT_SYNC_FILE", op_buffer_import_fence, 8 },
	{ "dma-buf: lseek", op_buffer_seek, 1 },
	{ "dma-buf: REVOKE", op_buffer_revoke, 1 },
	{ "io_uring: commands of a dma-buf", op_uring_commands, 6, URING },
	{ "mmap, at a place", op_map, 20 },
	{ "mmap, anywhere", op_map_anywhere, 4 },
	{ "munmap", op_unmap, 3 },
	{ "mprotect", op_protect, 4 },
	{ "madvise", op_advise, 10 },
	{ "mmap of private memory", op_map_private, 6 },
	{ "mlock, munlock, mlockall", op_lock, 3 },
	{ "pipe", op_pipe, 2 },
	{ "vmsplice", op_vmsplice, 6 },
	{ "splice, tee, read of a pipe", op_pipe_drain, 4 },
	{ "mbind", op_bind, 3, NUMA },
	{ "set_mempolicy", op_policy, 1, NUMA },
	{ "migrate_pages", op_migrate, 1, NUMA },
	{ "move_pages", op_move, 3, NUMA },
	{ "userfaultfd", op_uffd, 2, UFFD },
	{ "userfaultfd: register", op_uffd_register, 6, UFFD },
	{ "userfaultfd: copy, zero, continue, poison", op_uffd_resolve, 8, UFFD },
	{ "userfaultfd: write-protect", op_uffd_protect, 6, UFFD },
	{ "memory.reclaim", op_reclaim, 2, SWAP },
	{ "memory.high, memory.max", op_group_limit, 1, GROUP },
	{ "vivid: open", op_video_open, 1, VIDEO },
	{ "vivid: format and buffers", op_video_setup, 4, VIDEO },
	{ "vivid: queue a pointer", op_video_userptr, 8, VIDEO },
	{ "vivid: queue a dma-buf", op_video_dmabuf, 6, VIDEO },
	{ "vivid: stream on, off", op_video_stream, 2, VIDEO },
	{ "vivid: dequeue", op_video_dequeue, 3, VIDEO },
	{ "mremap", op_remap, 1 },
	{ "read memory", op_touch_read, 10 },
	{ "write memory", op_touch_write, 10 },
	{ "process_vm_readv, writev", op_peek_process, 4 },
	{ "close", op_close, 10 },
	{ "close a node", op_close_node, 1 },
	{ "dup", op_dup, 5 },
	{ "dup3", op_dup_onto, 3 },
	{ "fstat", op_stat, 1 },
	{ "fdinfo, readlink", op_fdinfo, 4 },
	{ "open of /proc/self/fd", op_reopen, 2 },
	{ "fcntl", op_fcntl, 3 },
	{ "poll", op_poll, 6 },
	{ "epoll_create", op_epoll_create, 1 },
	{ "epoll_ctl", op_epoll_control, 5 },
	{ "epoll_wait", op_epoll_wait, 3 },
	{ "dma-buf: TRANSFER", op_buffer_transfer, 5 },
	{ "pread", op_read, 3 },
	{ "pwrite", op_write, 3 },
	{ "sendfile", op_sendfile, 2 },
	{ "sendmsg", op_send, 5 },
	{ "recvmsg", op_receive, 5 },
	{ "socketpair", op_socket, 1 },
	{ "fork", op_fork, 1 },
	{ "sync file: MERGE", op_merge, 10, TIMELINE },
	{ "sync file: FILE_INFO", op_file_info, 4, TIMELINE },
	{ "sync file: SET_DEADLINE", op_deadline, 3, TIMELINE },
	{ "sw_sync: open", op_timeline_open, 3, TIMELINE },
	{ "sw_sync: CREATE_FENCE", op_fence_create, 10, TIMELINE },
	{ "sw_sync: INC", op_timeline_inc, 8, TIMELINE },
	{ "sw_sync: GET_DEADLINE", op_get_deadline, 3, TIMELINE },
	{ "memfd_create", op_memfd, 4 },
	{ "memfd: truncate, punch", op_memfd_change, 3 },
	{ "udmabuf: CREATE", op_udmabuf, 6, UDMABUF },
	{ "udmabuf: CREATE_LIST", op_udmabuf_list, 4, UDMABUF },
	{ "vgem: import", op_vgem_import, 6, VGEM },
	{ "vgem: export", op_vgem_export, 5, VGEM },
	{ "vgem: create", op_vgem_create, 3, VGEM },
	{ "vgem: close handle", op_vgem_close, 4, VGEM },
	{ "vgem: attach a fence", op_vgem_fence, 4, VGEM },
	{ "vgem: signal a fence", op_vgem_signal, 4, VGEM },
	{ "vkms: import", op_vkms_import, 4, VKMS },
	{ "vkms: framebuffer", op_vkms_framebuffer, 3, VKMS },
	{ "vkms: close handle", op_vkms_close, 3, VKMS },
	{ "edu: attach", op_edu_attach, 4, EDU },
	{ "edu: copy", op_edu_copy, 2, EDU },
	{ "edu: detach", op_edu_detach, 3, EDU },
	{ "look into debugfs, sysfs", op_look, 2 },
	{ "shrink, compact, limit", op_pressure, 1, HEAP, false, true },
	{ "ioctl, any number", op_ioctl_any, 3, HEAP, true },
	{ "ioctl, of something else", op_ioctl_crossed, 4, HEAP, true },
};

static_assert(ARRAY_SIZE(ops) <= OPS_MAX, "OPS_MAX is too small");

#endif /* FUZZ_OPS_H */
