/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of fuzz_ops.h that does to memory what the memory management offers
 * an ordinary user: swap it, lock it, move it to another node, watch its faults,
 * leave its pages in a pipe, pin them for a device. Included there and nowhere
 * else.
 *
 * All of it works on the arena, where buffers, memfds and private memory are
 * mapped side by side.
 */
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <linux/videodev2.h>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED	(1 << 13)
#endif

/* ---------------------------------------------------------- private memory -- */

static long op_map_private(struct thread *t, const __u64 *d)
{
	size_t len = d[0] & 1 ? length_pick(d[1]) : (256 << 10) * (1 + d[1] % 12);
	int flags = MAP_FIXED | MAP_ANONYMOUS | (d[2] & 7 ? MAP_PRIVATE : MAP_SHARED);

	if (!len || len > AREA_SIZE)
		len = AREA_SIZE;
	if (d[2] & 8)
		flags |= MAP_POPULATE;
	return sysret((long)mmap(area_at(d[3]), len, PROT_READ | PROT_WRITE, flags,
				 -1, 0)) < 0 ? -errno : 0;
}

/* Part of an area, often all of what is mapped in it. */
static char *range_pick(__u64 rnd, size_t *len)
{
	size_t at = rnd & 3 ? 0 : (rnd >> 8) % 64 * page_size();

	*len = length_pick(rnd >> 16) & ~(page_size() - 1);
	if (!*len || *len > AREA_SIZE - at)
		*len = page_size();
	return area_at(rnd >> 2) + at;
}

/* -------------------------------------------------------------- pipes, vmsplice -- */

static long op_pipe(struct thread *t, const __u64 *d)
{
	int pair[2];
	long ret = sysret(pipe2(pair, O_NONBLOCK | O_CLOEXEC));

	if (ret < 0)
		return ret;
	slot_put(PIPE_OUT, d[0], pair[0]);
	return slot_put(PIPE_IN, d[0], pair[1]);
}

/* Pages stay in the pipe when the mapping and the buffer are gone. */
static long op_vmsplice(struct thread *t, const __u64 *d)
{
	static const unsigned int flags[] = { 0, SPLICE_F_GIFT, SPLICE_F_MORE };
	struct iovec iov[3];
	size_t i, n = 1 + d[0] % ARRAY_SIZE(iov);

	for (i = 0; i < n; i++)
		iov[i] = (struct iovec){
			.iov_base = area_at(d[1] >> i) + (d[2] >> i) % (4 * page_size()),
			.iov_len = 1 + (d[3] >> i) % (2 * page_size()),
		};
	return sysret(vmsplice(slot_pick(PIPE_IN, d[4]), iov, n,
			       SPLICE_F_NONBLOCK | flags[d[5] % ARRAY_SIZE(flags)]));
}

static long op_pipe_drain(struct thread *t, const __u64 *d)
{
	int from = slot_pick(PIPE_OUT, d[0]), to = slot_pick(PIPE_IN, d[1]);
	size_t len = 1 + d[2] % sizeof(t->scratch);
	off_t at = (off_t)(d[5] % (4 * page_size()));
	long ret;

	switch (d[3] % 6) {
	case 0:
		return sysret(tee(from, to, len, SPLICE_F_NONBLOCK));
	case 1:
		return sysret(splice(from, NULL, to, NULL, len, SPLICE_F_NONBLOCK));
	case 2:
		return sysret(splice(from, NULL, slot_pick(MEMFD, d[4]), NULL, len,
				     SPLICE_F_NONBLOCK));
	case 3:
		patience_start(t, 4);
		ret = sysret(splice(from, NULL, slot_pick(BUFFER, d[4]), &at, len,
				    SPLICE_F_NONBLOCK));
		patience_end(t);
		return ret;
	case 4:
		return sysret(splice(slot_pick(BUFFER, d[4]), &at, to, NULL, len,
				     SPLICE_F_NONBLOCK));
	}
	fcntl(from, F_SETFL, O_NONBLOCK);
	return sysret(read(from, t->scratch, len));
}

/* ------------------------------------------------------------ locks and nodes -- */

static long op_lock(struct thread *t, const __u64 *d)
{
	size_t len;
	char *mem = range_pick(d[0], &len);

	switch (d[1] % 8) {
	case 0:
		return sysret(munlockall());
	case 1:
		return sysret(mlockall(MCL_CURRENT | (d[2] & 1 ? MCL_ONFAULT : 0)));
	case 2:
	case 3:
		return sysret(syscall(SYS_mlock2, mem, len, MLOCK_ONFAULT));
	case 4:
	case 5:
		return sysret(munlock(mem, len));
	}
	return sysret(mlock(mem, len));
}

static unsigned long nodes_pick(__u64 rnd)
{
	return number_pick(rnd, 1ul << rnd % world.nodes);
}

static long op_bind(struct thread *t, const __u64 *d)
{
	static const int modes[] = {
		MPOL_DEFAULT, MPOL_BIND, MPOL_PREFERRED, MPOL_INTERLEAVE, MPOL_LOCAL,
	};
	static const unsigned int flags[] = { 0, MPOL_MF_STRICT, MPOL_MF_MOVE };
	int mode = modes[d[0] % ARRAY_SIZE(modes)];
	unsigned long nodes = mode == MPOL_DEFAULT || mode == MPOL_LOCAL ? 0 : nodes_pick(d[1]);
	size_t len;
	char *mem = range_pick(d[2], &len);

	return sysret(syscall(SYS_mbind, mem, len, mode, &nodes, 64,
			      flags[d[3] % ARRAY_SIZE(flags)]));
}

/* For what this thread allocates from now on, heaps and udmabufs included. */
static long op_policy(struct thread *t, const __u64 *d)
{
	static const int modes[] = {
		MPOL_DEFAULT, MPOL_BIND, MPOL_PREFERRED, MPOL_INTERLEAVE, MPOL_LOCAL,
	};
	int mode = modes[d[0] % ARRAY_SIZE(modes)];
	unsigned long nodes = mode == MPOL_DEFAULT || mode == MPOL_LOCAL ? 0 : nodes_pick(d[1]);

	return sysret(syscall(SYS_set_mempolicy, mode, &nodes, 64));
}

static long op_migrate(struct thread *t, const __u64 *d)
{
	unsigned long from = nodes_pick(d[0]), to = nodes_pick(d[1]);

	return sysret(syscall(SYS_migrate_pages, getpid(), 64, &from, &to));
}

/* With @nodes, moves them; without, asks where they are. */
static long op_move(struct thread *t, const __u64 *d)
{
	void *pages[16];
	int nodes[16], status[16];
	size_t i, n = 1 + d[0] % ARRAY_SIZE(pages), len;
	char *mem = range_pick(d[1], &len);

	for (i = 0; i < n; i++) {
		pages[i] = mem + i * page_size();
		nodes[i] = (int)number_pick(d[2] >> i, (d[3] >> i) % world.nodes);
	}
	return sysret(syscall(SYS_move_pages, d[4] & 1 ? 0 : getpid(), n, pages,
			      d[4] & 6 ? nodes : NULL, status, MPOL_MF_MOVE));
}

/* ------------------------------------------------------------- userfaultfd -- */

/*
 * Faults give SIGBUS, or EFAULT in a system call: a thread that waited for the
 * others to resolve its fault might be the only one.
 */
static long op_uffd(struct thread *t, const __u64 *d)
{
	static const __u64 features[] = {
		UFFD_FEATURE_MISSING_SHMEM, UFFD_FEATURE_MISSING_HUGETLBFS,
		UFFD_FEATURE_MINOR_SHMEM, UFFD_FEATURE_MINOR_HUGETLBFS,
		UFFD_FEATURE_WP_HUGETLBFS_SHMEM, UFFD_FEATURE_WP_UNPOPULATED,
		UFFD_FEATURE_PAGEFAULT_FLAG_WP, UFFD_FEATURE_WP_ASYNC |
		UFFD_FEATURE_WP_UNPOPULATED | UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	};
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_SIGBUS };
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(features); i++)
		if (d[0] >> i & 1)
			api.features |= features[i];
	fd = (int)sysret(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK |
				 UFFD_USER_MODE_ONLY));
	if (fd < 0)
		return fd;
	if (ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -EINVAL;
	}
	return slot_put(UFFD, d[1], fd);
}

static long op_uffd_register(struct thread *t, const __u64 *d)
{
	static const __u64 modes[] = {
		UFFDIO_REGISTER_MODE_MISSING, UFFDIO_REGISTER_MODE_WP,
		UFFDIO_REGISTER_MODE_MINOR,
		UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_register arg = { .mode = modes[d[0] % ARRAY_SIZE(modes)] };
	size_t len;

	arg.range.start = (uintptr_t)range_pick(d[1], &len);
	arg.range.len = len;
	if (d[2] % 4 == 0)
		return xioctl(slot_pick(UFFD, d[3]), UFFDIO_UNREGISTER, &arg.range);
	return xioctl(slot_pick(UFFD, d[3]), UFFDIO_REGISTER, &arg);
}

/* Puts pages where they are missing, or protects those that are there. */
static long op_uffd_resolve(struct thread *t, const __u64 *d)
{
	int fd = slot_pick(UFFD, d[0]);
	size_t len;
	__u64 at = (uintptr_t)range_pick(d[1], &len);
	struct uffdio_copy copy = {
		.dst = at, .src = (uintptr_t)t->scratch & ~(page_size() - 1),
		.len = page_size() * (1 + d[2] % 8),
		.mode = d[3] & 1 ? UFFDIO_COPY_MODE_WP : 0,
	};
	struct uffdio_zeropage zero = { .range = { at, len } };
	struct uffdio_continue minor = { .range = { at, len } };
	struct uffdio_poison poison = { .range = { at, page_size() } };

	switch (d[4] % 5) {
	case 0:
		return xioctl(fd, UFFDIO_ZEROPAGE, &zero);
	case 1:
		return xioctl(fd, UFFDIO_CONTINUE, &minor);
	case 2:
		return xioctl(fd, UFFDIO_POISON, &poison);
	}
	/* A page further on, so that all of it is this thread's own. */
	copy.src += page_size();
	return xioctl(fd, UFFDIO_COPY, &copy);
}

static long op_uffd_protect(struct thread *t, const __u64 *d)
{
	struct uffdio_writeprotect arg = {
		.mode = d[0] & 3 ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};
	size_t len;

	arg.range.start = (uintptr_t)range_pick(d[1], &len);
	arg.range.len = len;
	return xioctl(slot_pick(UFFD, d[2]), UFFDIO_WRITEPROTECT, &arg);
}

/* ---------------------------------------------------------------- pressure -- */

/* The program's own group gives back so much, to swap where there is some. */
static long op_reclaim(struct thread *t, const __u64 *d)
{
	return file_write_number(FUZZ_GROUP "/memory.reclaim", (1 + d[0] % 16) << 20);
}

static long op_group_limit(struct thread *t, const __u64 *d)
{
	static const long long limits[] = { 24, 48, 96, 512 };

	return file_write_number(d[0] & 3 ? FUZZ_GROUP "/memory.high" : FUZZ_GROUP "/memory.max",
				 limits[d[1] % ARRAY_SIZE(limits)] << 20);
}

/* ------------------------------------------------------------------- vivid -- */

static __u32 video_type(int fd)
{
	struct v4l2_capability cap;

	if (ioctl(fd, VIDIOC_QUERYCAP, &cap))
		return V4L2_BUF_TYPE_VIDEO_CAPTURE;
	return cap.device_caps & V4L2_CAP_VIDEO_OUTPUT ? V4L2_BUF_TYPE_VIDEO_OUTPUT :
							  V4L2_BUF_TYPE_VIDEO_CAPTURE;
}

static __u32 video_memory(__u64 rnd)
{
	static const __u32 kinds[] = { V4L2_MEMORY_USERPTR, V4L2_MEMORY_DMABUF };

	return kinds[rnd % ARRAY_SIZE(kinds)];
}

static long op_video_open(struct thread *t, const __u64 *d)
{
	return slot_put(VIDEO, d[0], video_open(d[1] % 2));
}

/* A queue belongs to the file that made it until that gives it up. */
static long op_video_setup(struct thread *t, const __u64 *d)
{
	int fd = slot_pick(VIDEO, d[0]);
	struct v4l2_format format = { .type = video_type(fd) };
	struct v4l2_requestbuffers request = {
		.count = (__u32)number_pick(d[1], d[1] % 5),
		.type = format.type, .memory = video_memory(d[2]),
	};

	if (request.count > 8)
		request.count = 8;
	if (ioctl(fd, VIDIOC_G_FMT, &format) == 0) {
		/* As small as there is. */
		format.fmt.pix.width = 16;
		format.fmt.pix.height = 16;
		ioctl(fd, VIDIOC_S_FMT, &format);
	}
	return xioctl(fd, VIDIOC_REQBUFS, &request);
}

/* The memory of the arena, or a buffer, is pinned until the device is done. */
static long video_queue(__u32 memory, const __u64 *d)
{
	int fd = slot_pick(VIDEO, d[0]);
	struct v4l2_buffer buffer = {
		.type = video_type(fd), .index = (__u32)d[1] % 4,
	};
	long ret = xioctl(fd, VIDIOC_QUERYBUF, &buffer);
	size_t room = AREA_SIZE;

	if (ret < 0)
		return ret;
	if (buffer.memory != memory)
		return -EINVAL;
	if (memory == V4L2_MEMORY_USERPTR)
		buffer.m.userptr = (uintptr_t)area_at(d[2]) + (d[3] & 3 ? 0 : d[3] % 4096);
	else
		buffer.m.fd = slot_pick(BUFFER, d[2]);
	/* An output takes as much as was written. */
	if (buffer.length > room)
		buffer.length = (__u32)room;
	if (V4L2_TYPE_IS_OUTPUT(buffer.type))
		buffer.bytesused = buffer.length;
	/*
	 * All of the buffer, whatever its size. When more is asked for than it has,
	 * videobuf2 of 6.12 refuses to attach and keeps its reference for good.
	 */
	if (memory == V4L2_MEMORY_DMABUF)
		buffer.length = 0;
	return xioctl(fd, VIDIOC_QBUF, &buffer);
}

static long op_video_userptr(struct thread *t, const __u64 *d)
{
	return video_queue(V4L2_MEMORY_USERPTR, d);
}

static long op_video_dmabuf(struct thread *t, const __u64 *d)
{
	return video_queue(V4L2_MEMORY_DMABUF, d);
}

static long op_video_stream(struct thread *t, const __u64 *d)
{
	int fd = slot_pick(VIDEO, d[0]);
	__u32 type = video_type(fd);

	return xioctl(fd, d[1] & 3 ? VIDIOC_STREAMON : VIDIOC_STREAMOFF, &type);
}

static long op_video_dequeue(struct thread *t, const __u64 *d)
{
	int fd = slot_pick(VIDEO, d[0]);
	struct v4l2_buffer buffer = {
		.type = video_type(fd), .memory = video_memory(d[1]),
	};
	long ret;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	patience_start(t, 4);
	ret = xioctl(fd, VIDIOC_DQBUF, &buffer);
	patience_end(t);
	return ret;
}
