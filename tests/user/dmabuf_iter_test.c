// SPDX-License-Identifier: GPL-2.0-only
/*
 * Iteration over all buffers by BPF programs: a file that the program "text"
 * fills, and the loop of the program "loop". Skipped where the kernel has no
 * type information, without which no such program can be loaded.
 */
#include "dma_buf_test.h"
#include "dmabuf_iter.h"
#include "progress.h"
#include "udmabuf_test.h"

#include <pthread.h>
#include <stdatomic.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define BTF		"/sys/kernel/btf/vmlinux"
#define TEXT_MAX	(1 << 20)
#define MANY		1000
#define ROUNDS		20

/* Bring the object file along. */
asm(".pushsection .rodata\n.balign 16\n"
	"dmabuf_iter_object:\n.incbin \"dmabuf_iter.bpf.o\"\n"
	"dmabuf_iter_object_end:\n.popsection");

FIXTURE(dmabuf_iter) {
	struct bpf_object *object;
	char *text;
	int heap;
	long buffers;
};

FIXTURE_SETUP(dmabuf_iter)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "dmabuf_iter");

	self->object = NULL;
	if (access(BTF, R_OK))
		SKIP(return, "no " BTF);
	self->heap = heap_open("system");
	if (self->heap < 0)
		SKIP(return, "no system heap");
	self->buffers = count_buffers();
	if (self->buffers < 0) {
		close(self->heap);
		SKIP(return, "no debugfs to count buffers by");
	}
	self->text = malloc(TEXT_MAX);
	ASSERT_NE(NULL, self->text);
	self->object = bpf_object__open_mem(dmabuf_iter_object,
					    (size_t)(dmabuf_iter_object_end -
						     dmabuf_iter_object), &opts);
	ASSERT_NE(NULL, self->object);
	ASSERT_EQ(0, bpf_object__load(self->object));
}

FIXTURE_TEARDOWN(dmabuf_iter)
{
	if (!self->object)
		return;
	bpf_object__close(self->object);
	close(self->heap);
	free(self->text);
	EXPECT_TRUE(buffers_settle(self->buffers));
}

/* Open a file that @name fills: the descriptor, or -errno. */
static int iter_open(struct bpf_object *object, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);
	struct bpf_link *link = bpf_program__attach_iter(program, NULL);
	int fd;

	if (!link)
		return -errno;
	fd = (int)sysret(bpf_iter_create(bpf_link__fd(link)));
	/* The file has a reference to it. */
	bpf_link__destroy(link);
	return fd;
}

/* Read all of it, @step bytes at a time: 0 or -errno. */
static int iter_read(int fd, char *text, size_t step)
{
	size_t have = 0;
	ssize_t n;

	do {
		if (have + step >= TEXT_MAX)
			return -E2BIG;
		n = read(fd, text + have, step);
		if (n < 0)
			return -errno;
		have += (size_t)n;
	} while (n);
	text[have] = '\0';
	return 0;
}

static int iter_text(struct bpf_object *object, const char *name, char *text, size_t step)
{
	int fd = iter_open(object, name);
	int ret;

	if (fd < 0)
		return fd;
	ret = iter_read(fd, text, step);
	close(fd);
	return ret;
}

static unsigned long long inode_of(int fd)
{
	struct stat file;

	return fstat(fd, &file) ? 0 : file.st_ino;
}

/* Count the lines of @text for the buffer of this inode number. */
static int lines_of(const char *text, unsigned long long ino)
{
	char *end;
	int count = 0;

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		count += *text && strtoull(text, &end, 10) == ino && *end == ' ';
	}
	return count;
}

static int run(struct bpf_object *object, const char *name, struct dmabuf_iter_args *args)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct bpf_program *program;

	memset(args, 0, sizeof(*args));
	program = bpf_object__find_program_by_name(object, name);
	/* The program writes to the arguments themselves. */
	opts.ctx_in = args;
	opts.ctx_size_in = sizeof(*args);
	return bpf_prog_test_run_opts(bpf_program__fd(program), &opts);
}

static int records(struct bpf_object *object)
{
	return bpf_object__find_map_fd_by_name(object, "records");
}

/* Empty the map, as "loop" takes no buffer twice. */
static void records_clear(struct bpf_object *object)
{
	__u64 ino;

	while (!bpf_map_get_next_key(records(object), NULL, &ino))
		bpf_map_delete_elem(records(object), &ino);
}

static bool record_of(struct bpf_object *object, int fd, struct dmabuf_iter_record *record)
{
	__u64 ino = inode_of(fd);

	return !bpf_map_lookup_elem(records(object), &ino, record);
}

/* Both ways tell of a buffer what stat(2) and fdinfo do. */
static void expect_described(struct __test_metadata *_metadata,
			     struct bpf_object *object, const char *text, int fd,
			     const char *name)
{
	struct dmabuf_iter_record record;
	char exporter[64], size[64], line[256];

	ASSERT_EQ(0, fdinfo_get(fd, "exp_name", exporter, sizeof(exporter)));
	ASSERT_EQ(0, fdinfo_get(fd, "size", size, sizeof(size)));
	snprintf(line, sizeof(line), "%llu %s %s %s\n", inode_of(fd), size, exporter, name);
	EXPECT_NE(NULL, strstr(text, line)) {
		TH_LOG("wanted %s", line);
		TH_LOG("got %s", text);
	}
	EXPECT_EQ(1, lines_of(text, inode_of(fd)));

	ASSERT_TRUE(record_of(object, fd, &record));
	EXPECT_EQ(strtoull(size, NULL, 10), record.size);
	EXPECT_EQ((__u64)dmabuf_size(fd), record.size);
	EXPECT_STREQ(exporter, record.exporter);
	EXPECT_STREQ(name, record.name);
}

TEST_F(dmabuf_iter, buffers_are_described_as_by_fdinfo)
{
	int from_heap, from_memfd, dev, memfd;
	struct dmabuf_iter_args args;

	ASSERT_GIVES(from_heap, heap_alloc(self->heap, 5 * page_size()));
	ASSERT_EQ(0, dmabuf_set_name(from_heap, "a name"));
	ASSERT_GIVES(dev, xopen(UDMABUF_NODE, O_RDWR));
	ASSERT_GIVES(memfd, memfd_good(3 * page_size()));
	ASSERT_GIVES(from_memfd, create(dev, memfd, 0, 3 * page_size()));

	ASSERT_EQ(0, run(self->object, "loop", &args));
	EXPECT_EQ((__u64)self->buffers + 2, args.count);
	EXPECT_EQ((__u64)0, args.rejected);
	ASSERT_EQ(0, iter_text(self->object, "text", self->text, 4096));
	expect_described(_metadata, self->object, self->text, from_heap, "a name");
	expect_described(_metadata, self->object, self->text, from_memfd, "");

	ASSERT_EQ(0, iter_text(self->object, "sleepable_text", self->text, 4096));
	expect_described(_metadata, self->object, self->text, from_heap, "a name");
	expect_described(_metadata, self->object, self->text, from_memfd, "");

	close(from_heap);
	close(from_memfd);
	close(memfd);
	close(dev);
}

TEST_F(dmabuf_iter, the_end_comes_once)
{
	struct dmabuf_iter_args args;
	char *end;
	int fd;

	ASSERT_GIVES(fd, heap_alloc(self->heap, 1));
	ASSERT_EQ(0, run(self->object, "loop", &args));
	EXPECT_EQ((__u64)0, args.again);

	ASSERT_EQ(0, iter_text(self->object, "text", self->text, 4096));
	end = strstr(self->text, "end\n");
	ASSERT_NE(NULL, end);
	EXPECT_STREQ("end\n", end);
	close(fd);
}

TEST_F(dmabuf_iter, a_closed_buffer_is_not_listed)
{
	struct dmabuf_iter_args args;
	unsigned long long gone;
	int fds[2];

	ASSERT_GIVES(fds[0], heap_alloc(self->heap, page_size()));
	ASSERT_GIVES(fds[1], heap_alloc(self->heap, page_size()));
	gone = inode_of(fds[0]);
	close(fds[0]);

	ASSERT_EQ(0, iter_text(self->object, "text", self->text, 4096));
	EXPECT_EQ(0, lines_of(self->text, gone));
	EXPECT_EQ(1, lines_of(self->text, inode_of(fds[1])));
	ASSERT_EQ(0, run(self->object, "loop", &args));
	EXPECT_EQ((__u64)self->buffers + 1, args.count);
	EXPECT_NE(0, bpf_map_lookup_elem(records(self->object), &gone, &args));
	close(fds[1]);
}

static void close_all(int *fds)
{
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
}

/* More text than the kernel keeps at once, so the iteration is resumed. */
TEST_F(dmabuf_iter, a_thousand_buffers_are_each_listed_once)
{
	static const size_t steps[] = { 1 << 16, 4096, 100 };
	struct dmabuf_iter_record record;
	struct dmabuf_iter_args args;
	int fds[MANY];

	for (int i = 0; i < MANY; i++) {
		ASSERT_GIVES(fds[i], heap_alloc(self->heap, page_size()));
		ASSERT_EQ(0, dmabuf_set_name(fds[i], "one of a thousand buffers"));
	}

	for (size_t s = 0; s < sizeof(steps) / sizeof(*steps); s++) {
		ASSERT_EQ(0, iter_text(self->object, "text", self->text, steps[s]));
		for (int i = 0; i < MANY; i++)
			ASSERT_EQ(1, lines_of(self->text, inode_of(fds[i])));
	}

	ASSERT_EQ(0, run(self->object, "loop", &args));
	EXPECT_EQ((__u64)self->buffers + MANY, args.count);
	EXPECT_EQ((__u64)0, args.rejected);
	for (int i = 0; i < MANY; i++)
		ASSERT_TRUE(record_of(self->object, fds[i], &record));
	close_all(fds);
}

TEST_F(dmabuf_iter, buffers_may_be_closed_while_a_file_is_read)
{
	char start[100];
	int fds[MANY];
	int iter;

	for (int i = 0; i < MANY; i++) {
		ASSERT_GIVES(fds[i], heap_alloc(self->heap, page_size()));
		ASSERT_EQ(0, dmabuf_set_name(fds[i], "one of a thousand buffers"));
	}
	ASSERT_GIVES(iter, iter_open(self->object, "text"));
	ASSERT_EQ((ssize_t)sizeof(start), read(iter, start, sizeof(start)));
	close_all(fds);
	/* All but the one that the file stands at. */
	EXPECT_TRUE(buffers_settle(self->buffers + 1));
	ASSERT_EQ(0, iter_read(iter, self->text, 4096));
	EXPECT_NE(NULL, strstr(self->text, "end\n"));
	EXPECT_TRUE(buffers_settle(self->buffers));
	close(iter);
}

TEST_F(dmabuf_iter, an_iteration_that_is_abandoned_keeps_no_buffer)
{
	struct dmabuf_iter_args args;
	char start[1];
	int fds[2];
	int iter;

	for (int i = 0; i < 2; i++)
		ASSERT_GIVES(fds[i], heap_alloc(self->heap, page_size()));
	ASSERT_EQ(0, run(self->object, "first", &args));
	EXPECT_EQ((__u64)1, args.count);

	ASSERT_GIVES(iter, iter_open(self->object, "text"));
	ASSERT_EQ(1, read(iter, start, 1));
	close(iter);
	/* One that has not been read at all. */
	ASSERT_GIVES(iter, iter_open(self->object, "text"));
	close(iter);
	close(fds[0]);
	close(fds[1]);
	EXPECT_TRUE(buffers_settle(self->buffers));
}

/* A thread that exports and closes buffers until it is told to end. */
struct churn {
	pthread_t thread;
	int heap;
	atomic_bool over;
	atomic_int buffers;
	atomic_int error;
};

static void *churn_thread(void *data)
{
	struct churn *churn = data;
	int fds[8];

	for (size_t n = 0; !churn->over; n++) {
		size_t at = n % (sizeof(fds) / sizeof(*fds));

		if (n >= sizeof(fds) / sizeof(*fds))
			close(fds[at]);
		fds[at] = heap_alloc(churn->heap, page_size());
		if (fds[at] < 0)
			churn->error = fds[at];
		churn->buffers++;
	}
	for (size_t at = 0; at < sizeof(fds) / sizeof(*fds); at++)
		if (at < (size_t)churn->buffers)
			close(fds[at]);
	return NULL;
}

TEST_F(dmabuf_iter, buffers_come_and_go_meanwhile)
{
	struct churn churn = { .heap = self->heap };
	struct dmabuf_iter_record record;
	struct dmabuf_iter_args args;
	int fds[50];
	int before;

	for (int i = 0; i < 50; i++)
		ASSERT_GIVES(fds[i], heap_alloc(self->heap, page_size()));
	ASSERT_EQ(0, pthread_create(&churn.thread, NULL, churn_thread, &churn));

	for (int round = 0; round < ROUNDS; round++) {
		test_progress("rounds", (unsigned long)round);
		/* The other thread has run since the last round. */
		for (before = churn.buffers; churn.buffers < before + 10;)
			usleep(1000);
		records_clear(self->object);
		ASSERT_EQ(0, run(self->object, "loop", &args));
		EXPECT_EQ((__u64)0, args.rejected);
		ASSERT_EQ(0, iter_text(self->object, "text", self->text, 100));
		for (int i = 0; i < 50; i++) {
			ASSERT_TRUE(record_of(self->object, fds[i], &record));
			ASSERT_EQ(1, lines_of(self->text, inode_of(fds[i])));
		}
	}
	churn.over = true;
	pthread_join(churn.thread, NULL);
	EXPECT_EQ(0, churn.error);
	TH_LOG("FIGURE buffers exported during iterations: %d", churn.buffers);
	for (int i = 0; i < 50; i++)
		close(fds[i]);
}

TEST_HARNESS_MAIN
