/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vocabulary of dma-buf-errors.rst, for bad_input_test alone: names of
 * numbers, kinds of descriptors, calls and the fields of their arguments. A
 * new ioctl is one more entry of calls[] here, and rows in the document.
 */
#ifndef BAD_INPUT_WORDS_H
#define BAD_INPUT_WORDS_H

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "dma_buf_test.h"

#define BUF_PAGES	4
#define ARG_SIZE	512	/* longer than any struct with its tail */

/* The word ARRAY: room for what the argument of a batch points to. */
#define ARRAY_COUNT	1024

static union {
	__s32 fds[ARRAY_COUNT];
	struct dma_buf_sync_record records[ARRAY_COUNT];
} array;

/* One attempt: what a row makes of a call. */
struct attempt {
	const struct call *call;
	char *arg;		/* ends where an unmapped page begins */
	void *pointer;		/* what is passed: arg, or something bad */
	int subject;
	__u32 command;
	int opened[8];
	int n_opened;
	const char *error;	/* the row could not be understood */
};

/* ------------------------------------------------------- numbers and names -- */

static const struct {
	const char *name;
	__u64 value;
} names[] = {
	{ "DMA_BUF_SYNC_READ", DMA_BUF_SYNC_READ },
	{ "DMA_BUF_SYNC_WRITE", DMA_BUF_SYNC_WRITE },
	{ "DMA_BUF_SYNC_RW", DMA_BUF_SYNC_RW },
	{ "DMA_BUF_SYNC_START", DMA_BUF_SYNC_START },
	{ "DMA_BUF_SYNC_END", DMA_BUF_SYNC_END },
	{ "DMA_BUF_TRANSFER_FROM_FILE", DMA_BUF_TRANSFER_FROM_FILE },
	{ "DMA_BUF_TRANSFER_TO_FILE", DMA_BUF_TRANSFER_TO_FILE },
	{ "DMA_BUF_TRANSFER_DIRECT", DMA_BUF_TRANSFER_DIRECT },
	{ "DMA_BUF_TRANSFER_NOWAIT", DMA_BUF_TRANSFER_NOWAIT },
	{ "DMA_BUF_TRANSFER_IN_FENCE", DMA_BUF_TRANSFER_IN_FENCE },
	{ "DMA_BUF_TRANSFER_OUT_FENCE", DMA_BUF_TRANSFER_OUT_FENCE },
	{ "O_RDONLY", O_RDONLY }, { "O_WRONLY", O_WRONLY }, { "O_RDWR", O_RDWR },
	{ "O_CLOEXEC", O_CLOEXEC }, { "O_NONBLOCK", O_NONBLOCK }, { "O_APPEND", O_APPEND },
	{ "O_TRUNC", O_TRUNC }, { "O_DIRECT", O_DIRECT }, { "O_ACCMODE", O_ACCMODE },
	{ "SEEK_SET", SEEK_SET }, { "SEEK_CUR", SEEK_CUR }, { "SEEK_END", SEEK_END },
	{ "SEEK_DATA", SEEK_DATA }, { "SEEK_HOLE", SEEK_HOLE },
	{ "PROT_READ", PROT_READ }, { "PROT_WRITE", PROT_WRITE },
	{ "MAP_SHARED", MAP_SHARED }, { "MAP_PRIVATE", MAP_PRIVATE },
	{ "UDMABUF_FLAGS_CLOEXEC", UDMABUF_FLAGS_CLOEXEC },
	{ "RWF_NOWAIT", RWF_NOWAIT }, { "RWF_APPEND", RWF_APPEND }, { "RWF_HIPRI", RWF_HIPRI },
	{ "RWF_SYNC", RWF_SYNC },
};

/* ------------------------------------------------------------- descriptors -- */

static int make_buffer_from(const char *name, __u32 flags)
{
	int heap = heap_open(name), fd;

	if (heap < 0)
		return heap;
	fd = heap_alloc_flags(heap, BUF_PAGES * page_size(), flags | O_CLOEXEC, 0);
	close(heap);
	return fd;
}

static int make_buffer_rw(void)
{
	return make_buffer_from("system", O_RDWR);
}

static int make_buffer_ro(void)
{
	return make_buffer_from("system", O_RDONLY);
}

static int make_buffer_wo(void)
{
	return make_buffer_from("system", O_WRONLY);
}

static int make_buffer_cma(void)
{
	return make_buffer_from("default_cma_region", O_RDWR);
}

/* A fence for good: its timeline is closed, so it has signalled with an error. */
static int make_fence(__u32 value, __u32 now)
{
	int timeline = sw_sync_open(), fence;

	if (timeline < 0)
		return timeline;
	fence = sw_sync_fence(timeline, value, "row");
	if (now)
		sw_sync_inc(timeline, now);
	close(timeline);
	return fence;
}

static int make_sync_file(void)
{
	return make_fence(1, 0);
}

static int make_signalled(void)
{
	return make_fence(1, 1);
}

/*
 * One fence of so many that none of them can stand for another. Made once, as it
 * takes as many timelines, which have to stay: see merged_prepare().
 */
#define MERGED_FENCES	1000

static int merged = -ENODEV;

static int make_merged(void)
{
	return merged < 0 ? merged : (int)sysret(fcntl(merged, F_DUPFD_CLOEXEC, 0));
}

/* One of fences [@first, @first + @count), half and half. */
static int merged_part(const int *fences, int first, int count)
{
	int left, right, both;

	if (count == 1)
		return fences[first];
	left = merged_part(fences, first, count / 2);
	right = merged_part(fences, first + count / 2, count - count / 2);
	both = sync_file_merge(left, right, "row");
	close(left);
	close(right);
	return both;
}

static void merged_prepare(void)
{
	struct rlimit limit = { 4 * MERGED_FENCES, 4 * MERGED_FENCES };
	static int fences[MERGED_FENCES];
	int i, timeline;

	setrlimit(RLIMIT_NOFILE, &limit);
	for (i = 0; i < MERGED_FENCES; i++) {
		timeline = sw_sync_open();
		if (timeline < 0)
			return;
		fences[i] = sw_sync_fence(timeline, 1, "row");
	}
	merged = merged_part(fences, 0, MERGED_FENCES);
}

static int make_heap(void)
{
	return heap_open("system");
}

static int make_memfd_sealed(unsigned int flags, int seals, size_t len)
{
	int fd = (int)sysret(memfd_create("row", flags | MFD_CLOEXEC));

	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)len) || (seals && fcntl(fd, F_ADD_SEALS, seals))) {
		close(fd);
		return -EIO;
	}
	return fd;
}

static int make_memfd(void)
{
	return make_memfd_sealed(MFD_ALLOW_SEALING, F_SEAL_SHRINK, BUF_PAGES * page_size());
}

static int make_memfd_unsealed(void)
{
	return make_memfd_sealed(MFD_ALLOW_SEALING, 0, BUF_PAGES * page_size());
}

static int make_memfd_write_sealed(void)
{
	return make_memfd_sealed(MFD_ALLOW_SEALING, F_SEAL_SHRINK | F_SEAL_WRITE,
				 BUF_PAGES * page_size());
}

static int make_memfd_unsealable(void)
{
	return make_memfd_sealed(0, 0, BUF_PAGES * page_size());
}

static int make_pipe(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	close(ends[1]);
	return ends[0];
}

static int make_closed(void)
{
	int fd = make_pipe();

	close(fd);
	return fd;
}

static int make_pidfd(void)
{
	return (int)sysret(syscall(SYS_pidfd_open, getpid(), 0));
}

static int make_dead_pidfd(void)
{
	pid_t pid = fork();
	int fd;

	if (!pid)
		_exit(0);
	fd = (int)sysret(syscall(SYS_pidfd_open, pid, 0));
	waitpid(pid, NULL, 0);
	return fd;
}

static int make_null(void)
{
	return xopen("/dev/null", O_RDWR);
}

static int make_udmabuf(void)
{
	return xopen(UDMABUF_NODE, O_RDWR);
}

static int make_buffer_udmabuf(void)
{
	struct udmabuf_create create = {
		.memfd = (__u32)make_memfd(),
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = BUF_PAGES * page_size(),
	};
	int node = make_udmabuf(), fd;

	fd = node < 0 ? node : xioctl(node, UDMABUF_CREATE, &create);
	close((int)create.memfd);
	if (node >= 0)
		close(node);
	return fd;
}

/* Words for a descriptor, as the file of a row and as a value. */
static const struct kind {
	const char *name;
	int (*make)(void);
} kinds[] = {
	{ "dma-buf", make_buffer_rw },
	{ "read-only dma-buf", make_buffer_ro },
	{ "write-only dma-buf", make_buffer_wo },
	{ "CMA dma-buf", make_buffer_cma },
	{ "udmabuf dma-buf", make_buffer_udmabuf },
	{ "sync file", make_sync_file },
	{ "signalled sync file", make_signalled },
	{ "merged sync file of 1000", make_merged },
	{ "heap", make_heap },
	{ "sw_sync", sw_sync_open },
	{ "udmabuf", make_udmabuf },
	{ "memfd", make_memfd },
	{ "unsealed memfd", make_memfd_unsealed },
	{ "write-sealed memfd", make_memfd_write_sealed },
	{ "memfd without sealing", make_memfd_unsealable },
	{ "pipe", make_pipe },
	{ "closed", make_closed },
	{ "pidfd", make_pidfd },
	{ "pidfd of a dead process", make_dead_pidfd },
	{ "/dev/null", make_null },
};

static const struct kind *kind_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

/* ------------------------------------------------------------------- calls -- */

/*
 * Numbers and descriptors are told apart by how their words are read; strings are
 * the argument itself, names a member of it.
 */
enum field_type { NUMBER32, NUMBER64, DESCRIPTOR, STRING, NAME };

struct field {
	const char *name;
	enum field_type type;
	size_t offset;
};

#define FIELD(_type, _struct, _member) \
	{ #_member, _type, offsetof(_struct, _member) }

/* Where a success leaves a descriptor that has to be closed. */
enum answer_fd { NO_FD, RETURN_FD, FIELD_FD };

struct call {
	const char *name;
	__u32 command;			/* 0: not an ioctl */
	const char *valid;		/* an input that would be accepted */
	enum answer_fd answer;
	size_t answer_offset;
	long (*run)(struct attempt *try);
	struct field fields[8];		/* The last one ends the list. */
};

struct plain_args {
	__u64 offset;
	__u64 length;
	__u32 whence;
	__u32 prot;
	__u32 flags;
	__u32 number;
};

struct list_args {
	struct udmabuf_create_list head;
	struct udmabuf_create_item item;
};

/* The record, which is behind the longest struct that is tried. */
struct sync_batch_args {
	struct dma_buf_sync_batch head;
	__u64 tail[16];
	struct dma_buf_sync_record record;
};

static long run_ioctl(struct attempt *try)
{
	return xioctl(try->subject, try->command, try->pointer);
}

/* All descriptors are closed again. */
static long run_heap_batch(struct attempt *try)
{
	const struct dma_heap_allocation_batch *args = (void *)try->arg;
	long ret = run_ioctl(try);
	__u32 i;

	for (i = 0; ret >= 0 && i < args->count; i++)
		close(array.fds[i]);
	return ret;
}

/* The record, as often as may be. */
static long run_sync_batch(struct attempt *try)
{
	const struct sync_batch_args *args = (void *)try->arg;
	int i;

	for (i = 0; i < ARRAY_COUNT; i++)
		array.records[i] = args->record;
	return run_ioctl(try);
}

static long run_number(struct attempt *try)
{
	char zeroes[ARG_SIZE] = { 0 };

	return xioctl(try->subject, ((struct plain_args *)try->arg)->number, zeroes);
}

static long run_lseek(struct attempt *try)
{
	struct plain_args *args = (void *)try->arg;

	return sysret(lseek(try->subject, (off_t)args->offset, (int)args->whence));
}

/* What is transferred is in the argument itself. */
static struct iovec plain_iovec(const struct attempt *try)
{
	const struct plain_args *args = (void *)try->arg;

	return (struct iovec){ .iov_base = try->pointer, .iov_len = args->length };
}

static long run_read(struct attempt *try)
{
	struct plain_args *args = (void *)try->arg;
	struct iovec iov = plain_iovec(try);

	return sysret(preadv2(try->subject, &iov, 1, (off_t)args->offset, (int)args->flags));
}

static long run_write(struct attempt *try)
{
	struct plain_args *args = (void *)try->arg;
	struct iovec iov = plain_iovec(try);

	return sysret(pwritev2(try->subject, &iov, 1, (off_t)args->offset, (int)args->flags));
}

static long run_mmap(struct attempt *try)
{
	struct plain_args *args = (void *)try->arg;
	void *mem;
	int ret;

	ret = map_fd(try->subject, args->length, (int)args->prot, (int)args->flags,
		     (off_t)args->offset, &mem);
	if (!ret)
		munmap(mem, args->length);
	return ret;
}

static long run_ftruncate(struct attempt *try)
{
	struct plain_args *args = (void *)try->arg;

	return sysret(ftruncate(try->subject, (off_t)args->length));
}

static long run_reopen(struct attempt *try)
{
	struct plain_args *args = (void *)try->arg;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", try->subject);
	return xopen(path, (int)args->flags);
}

static const struct call calls[] = {
	{
		"DMA_HEAP_IOCTL_ALLOC", DMA_HEAP_IOCTL_ALLOC, "len = PAGE",
		FIELD_FD, offsetof(struct dma_heap_allocation_data, fd), run_ioctl, {
			FIELD(NUMBER64, struct dma_heap_allocation_data, len),
			FIELD(NUMBER32, struct dma_heap_allocation_data, fd),
			FIELD(NUMBER32, struct dma_heap_allocation_data, fd_flags),
			FIELD(NUMBER64, struct dma_heap_allocation_data, heap_flags),
		},
	}, {
		"DMA_HEAP_IOCTL_ALLOC_CHARGED", DMA_HEAP_IOCTL_ALLOC_CHARGED, "len = PAGE",
		FIELD_FD, offsetof(struct dma_heap_allocation_data_charged, fd), run_ioctl, {
			FIELD(NUMBER64, struct dma_heap_allocation_data_charged, len),
			FIELD(DESCRIPTOR, struct dma_heap_allocation_data_charged, charge_pid_fd),
		},
	}, {
		"DMA_HEAP_IOCTL_ALLOC_BATCH", DMA_HEAP_IOCTL_ALLOC_BATCH,
		"len = PAGE; count = 1; fds = ARRAY", NO_FD, 0, run_heap_batch, {
			FIELD(NUMBER64, struct dma_heap_allocation_batch, len),
			FIELD(NUMBER64, struct dma_heap_allocation_batch, heap_flags),
			FIELD(NUMBER64, struct dma_heap_allocation_batch, fds),
			FIELD(NUMBER32, struct dma_heap_allocation_batch, count),
			FIELD(NUMBER32, struct dma_heap_allocation_batch, fd_flags),
			FIELD(DESCRIPTOR, struct dma_heap_allocation_batch, charge_pid_fd),
			FIELD(NUMBER32, struct dma_heap_allocation_batch, reserved),
		},
	}, {
		"DMA_BUF_IOCTL_SYNC_BATCH", DMA_BUF_IOCTL_SYNC_BATCH,
		"count = 1; records = ARRAY; fd = itself; flags = DMA_BUF_SYNC_RW",
		NO_FD, 0, run_sync_batch, {
			FIELD(NUMBER64, struct dma_buf_sync_batch, records),
			FIELD(NUMBER32, struct dma_buf_sync_batch, count),
			FIELD(NUMBER32, struct dma_buf_sync_batch, reserved),
			{ "fd", DESCRIPTOR, offsetof(struct sync_batch_args, record.fd) },
			{ "flags", NUMBER32, offsetof(struct sync_batch_args, record.flags) },
			{ "offset", NUMBER64, offsetof(struct sync_batch_args, record.offset) },
			{ "length", NUMBER64, offsetof(struct sync_batch_args, record.length) },
		},
	}, {
		"DMA_BUF_IOCTL_SYNC", DMA_BUF_IOCTL_SYNC, "flags = DMA_BUF_SYNC_RW",
		NO_FD, 0, run_ioctl, { FIELD(NUMBER64, struct dma_buf_sync, flags) },
	}, {
		"DMA_BUF_IOCTL_SYNC_PARTIAL", DMA_BUF_IOCTL_SYNC_PARTIAL,
		"flags = DMA_BUF_SYNC_RW; length = END", NO_FD, 0, run_ioctl, {
			FIELD(NUMBER64, struct dma_buf_sync_partial, flags),
			FIELD(NUMBER64, struct dma_buf_sync_partial, offset),
			FIELD(NUMBER64, struct dma_buf_sync_partial, length),
		},
	}, {
		"DMA_BUF_IOCTL_TRANSFER", DMA_BUF_IOCTL_TRANSFER,
		"flags = DMA_BUF_TRANSFER_TO_FILE; fd = memfd; length = END", NO_FD, 0,
		run_ioctl, {
			FIELD(DESCRIPTOR, struct dma_buf_transfer, fd),
			FIELD(NUMBER32, struct dma_buf_transfer, flags),
			FIELD(NUMBER64, struct dma_buf_transfer, file_offset),
			FIELD(NUMBER64, struct dma_buf_transfer, offset),
			FIELD(NUMBER64, struct dma_buf_transfer, length),
			FIELD(NUMBER32, struct dma_buf_transfer, in_fence),
			FIELD(NUMBER32, struct dma_buf_transfer, out_fence),
		},
	}, {
		"DMA_BUF_IOCTL_REVOKE", DMA_BUF_IOCTL_REVOKE, "argument = NULL",
		NO_FD, 0, run_ioctl, { },
	}, {
		"DMA_BUF_SET_NAME_A", DMA_BUF_SET_NAME_A, "name = 4 bytes",
		NO_FD, 0, run_ioctl, { { "name", STRING, 0 } },
	}, {
		"DMA_BUF_SET_NAME_B", DMA_BUF_SET_NAME_B, "name = 4 bytes",
		NO_FD, 0, run_ioctl, { { "name", STRING, 0 } },
	}, {
		"DMA_BUF_IOCTL_EXPORT_SYNC_FILE", DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
		"flags = DMA_BUF_SYNC_READ", FIELD_FD,
		offsetof(struct dma_buf_export_sync_file, fd), run_ioctl, {
			FIELD(NUMBER32, struct dma_buf_export_sync_file, flags),
		},
	}, {
		"DMA_BUF_IOCTL_IMPORT_SYNC_FILE", DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
		"flags = DMA_BUF_SYNC_READ; fd = sync file", NO_FD, 0, run_ioctl, {
			FIELD(NUMBER32, struct dma_buf_import_sync_file, flags),
			FIELD(DESCRIPTOR, struct dma_buf_import_sync_file, fd),
		},
	}, {
		"SYNC_IOC_MERGE", SYNC_IOC_MERGE, "fd2 = sync file", FIELD_FD,
		offsetof(struct sync_merge_data, fence), run_ioctl, {
			FIELD(NUMBER32, struct sync_merge_data, flags),
			FIELD(NUMBER32, struct sync_merge_data, pad),
			FIELD(DESCRIPTOR, struct sync_merge_data, fd2),
			FIELD(NAME, struct sync_merge_data, name),
		},
	}, {
		"SYNC_IOC_FILE_INFO", SYNC_IOC_FILE_INFO, "num_fences = 0", NO_FD, 0, run_ioctl, {
			FIELD(NUMBER32, struct sync_file_info, flags),
			FIELD(NUMBER32, struct sync_file_info, pad),
			FIELD(NUMBER32, struct sync_file_info, num_fences),
			FIELD(NUMBER64, struct sync_file_info, sync_fence_info),
		},
	}, {
		"SYNC_IOC_SET_DEADLINE", SYNC_IOC_SET_DEADLINE, "deadline_ns = 1",
		NO_FD, 0, run_ioctl, {
			FIELD(NUMBER64, struct sync_set_deadline, deadline_ns),
			FIELD(NUMBER32, struct sync_set_deadline, pad),
		},
	}, {
		"SW_SYNC_IOC_CREATE_FENCE", SW_SYNC_IOC_CREATE_FENCE, "value = 1", FIELD_FD,
		offsetof(struct sw_sync_create_fence_data, fence), run_ioctl, {
			FIELD(NUMBER32, struct sw_sync_create_fence_data, value),
		},
	}, {
		"SW_SYNC_IOC_INC", SW_SYNC_IOC_INC, "by = 1", NO_FD, 0, run_ioctl, {
			{ "by", NUMBER32, 0 },
		},
	}, {
		"SW_SYNC_GET_DEADLINE", SW_SYNC_GET_DEADLINE, "fence_fd = sync file",
		NO_FD, 0, run_ioctl, {
			FIELD(NUMBER32, struct sw_sync_get_deadline, pad),
			FIELD(NUMBER64, struct sw_sync_get_deadline, deadline_ns),
			FIELD(DESCRIPTOR, struct sw_sync_get_deadline, fence_fd),
		},
	}, {
		"UDMABUF_CREATE", UDMABUF_CREATE, "memfd = memfd; size = END", RETURN_FD, 0,
		run_ioctl, {
			FIELD(DESCRIPTOR, struct udmabuf_create, memfd),
			FIELD(NUMBER32, struct udmabuf_create, flags),
			FIELD(NUMBER64, struct udmabuf_create, offset),
			FIELD(NUMBER64, struct udmabuf_create, size),
		},
	}, {
		"UDMABUF_CREATE_LIST", UDMABUF_CREATE_LIST,
		"count = 1; memfd = memfd; size = END", RETURN_FD, 0, run_ioctl, {
			{ "flags", NUMBER32, offsetof(struct list_args, head.flags) },
			{ "count", NUMBER32, offsetof(struct list_args, head.count) },
			{ "memfd", DESCRIPTOR, offsetof(struct list_args, item.memfd) },
			{ "offset", NUMBER64, offsetof(struct list_args, item.offset) },
			{ "size", NUMBER64, offsetof(struct list_args, item.size) },
		},
	}, {
		"ioctl", 0, "number = 0", NO_FD, 0, run_number, {
			FIELD(NUMBER32, struct plain_args, number),
		},
	}, {
		"lseek", 0, "whence = SEEK_END", NO_FD, 0, run_lseek, {
			FIELD(NUMBER64, struct plain_args, offset),
			FIELD(NUMBER32, struct plain_args, whence),
		},
	}, {
		"preadv2", 0, "length = 16", NO_FD, 0, run_read, {
			FIELD(NUMBER64, struct plain_args, length),
			FIELD(NUMBER64, struct plain_args, offset),
			FIELD(NUMBER32, struct plain_args, flags),
		},
	}, {
		"pwritev2", 0, "length = 16", NO_FD, 0, run_write, {
			FIELD(NUMBER64, struct plain_args, length),
			FIELD(NUMBER64, struct plain_args, offset),
			FIELD(NUMBER32, struct plain_args, flags),
		},
	}, {
		"mmap", 0, "length = PAGE; prot = PROT_READ; flags = MAP_SHARED",
		NO_FD, 0, run_mmap, {
			FIELD(NUMBER64, struct plain_args, length),
			FIELD(NUMBER64, struct plain_args, offset),
			FIELD(NUMBER32, struct plain_args, prot),
			FIELD(NUMBER32, struct plain_args, flags),
		},
	}, {
		"ftruncate", 0, "length = END", NO_FD, 0, run_ftruncate, {
			FIELD(NUMBER64, struct plain_args, length),
		},
	}, {
		"open of /proc/self/fd", 0, "flags = O_RDWR", RETURN_FD, 0, run_reopen, {
			FIELD(NUMBER32, struct plain_args, flags),
		},
	},
};

static const struct call *call_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (!strcmp(calls[i].name, name))
			return &calls[i];
	return NULL;
}

#endif /* BAD_INPUT_WORDS_H */
