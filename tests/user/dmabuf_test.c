// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dma-buf as a program meets it: the file (size, seek, fdinfo, names,
 * sharing) and the memory (mmap and SYNC). Buffers come from the system
 * heap. What concerns fences stands in dmabuf_sync_test.c.
 *
 * Single refusals stand in the table that bad_input_test reads; here stand
 * the ones that need several steps. Sizes are bytes.
 */
#include "dma_buf_test.h"

#define PAGES		16

FIXTURE(dmabuf)
{
	size_t size;
	int heap;
	int fd;
};

FIXTURE_SETUP(dmabuf)
{
	self->size = PAGES * page_size();
	self->fd = -1;
	self->heap = heap_open("system");
	if (self->heap == -ENOENT)
		SKIP(return, "no system heap");
	ASSERT_LE(0, self->heap);
	ASSERT_GIVES(self->fd, heap_alloc(self->heap, self->size));
}

FIXTURE_TEARDOWN(dmabuf)
{
	if (self->fd >= 0)
		close(self->fd);
	if (self->heap >= 0)
		close(self->heap);
}

/* --------------------------------------------------------------- file -- */

TEST_F(dmabuf, size_is_found_by_seeking)
{
	EXPECT_EQ((off_t)self->size, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ((long)self->size, dmabuf_size(self->fd));
}

TEST_F(dmabuf, seeks_outside_are_refused)
{
	EXPECT_REFUSED(EINVAL, sysret(lseek(self->fd, -1, SEEK_SET)));
	EXPECT_REFUSED(EINVAL, sysret(lseek(self->fd, 1, SEEK_END)));
	EXPECT_REFUSED(EINVAL, sysret(lseek(self->fd, (off_t)self->size + 1, SEEK_SET)));
	EXPECT_REFUSED(EINVAL, sysret(lseek(self->fd, 0, -1)));
}

TEST_F(dmabuf, fdinfo_tells_size_count_and_exporter)
{
	char value[128];
	int again;

	ASSERT_EQ(0, fdinfo_get(self->fd, "size", value, sizeof(value)));
	EXPECT_EQ(self->size, strtoull(value, NULL, 10));
	ASSERT_EQ(0, fdinfo_get(self->fd, "exp_name", value, sizeof(value)));
	EXPECT_STREQ("system", value);
	ASSERT_EQ(0, fdinfo_get(self->fd, "count", value, sizeof(value)));
	EXPECT_STREQ("1", value);

	/* Every descriptor holds the file; the reader of fdinfo is not counted. */
	ASSERT_GIVES(again, sysret(dup(self->fd)));
	ASSERT_EQ(0, fdinfo_get(again, "count", value, sizeof(value)));
	EXPECT_STREQ("2", value);
	close(again);
}

TEST_F(dmabuf, fdinfo_tells_heap_devices_and_fences)
{
	static const char * const zero[] = {
		"attachments", "mapped", "pins", "fences-kernel",
		"fences-write", "fences-read", "fences-bookkeep",
	};
	char value[128];
	size_t i;

	ASSERT_EQ(0, fdinfo_get(self->fd, "heap", value, sizeof(value)));
	EXPECT_STREQ("system", value);
	for (i = 0; i < ARRAY_SIZE(zero); i++) {
		ASSERT_EQ(0, fdinfo_get(self->fd, zero[i], value, sizeof(value)));
		EXPECT_STREQ("0", value);
	}
}

TEST_F(dmabuf, fdinfo_has_no_name_before_one_is_set)
{
	char value[64];

	EXPECT_REFUSED(ENODATA, fdinfo_get(self->fd, "name", value, sizeof(value)));
}

TEST_F(dmabuf, name_is_shown_and_replaced)
{
	char value[64];

	EXPECT_EQ(0, xioctl(self->fd, DMA_BUF_SET_NAME_B, "first"));
	ASSERT_EQ(0, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ("first", value);

	/* The 32-bit number of the same command. */
	EXPECT_EQ(0, xioctl(self->fd, DMA_BUF_SET_NAME_A, "second"));
	ASSERT_EQ(0, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ("second", value);
}

TEST_F(dmabuf, name_of_31_bytes_is_the_longest)
{
	char longest[DMA_BUF_NAME_LEN], too_long[DMA_BUF_NAME_LEN + 1];
	char value[64];

	memset(longest, 'n', sizeof(longest));
	longest[DMA_BUF_NAME_LEN - 1] = '\0';
	memset(too_long, 'x', sizeof(too_long));
	too_long[DMA_BUF_NAME_LEN] = '\0';

	EXPECT_WORKS(dmabuf_set_name(self->fd, longest));
	ASSERT_EQ(0, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ(longest, value);

	EXPECT_REFUSED(EINVAL, dmabuf_set_name(self->fd, too_long));
	ASSERT_EQ(0, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ(longest, value) TH_LOG("a refused name must not replace the old one");
}

TEST_F(dmabuf, name_is_seen_in_maps_and_bufinfo)
{
	bool in_maps = false, in_bufinfo = false;
	char line[512];
	FILE *file;
	void *mem;

	EXPECT_WORKS(dmabuf_set_name(self->fd, "looked-for"));
	ASSERT_EQ(0, map_rw(self->fd, self->size, &mem));
	file = fopen("/proc/self/maps", "re");
	ASSERT_NE(NULL, file);
	while (fgets(line, sizeof(line), file))
		in_maps |= !!strstr(line, "/dmabuf:looked-for");
	fclose(file);
	EXPECT_TRUE(in_maps);
	munmap(mem, self->size);

	file = fopen(DMA_BUF_BUFINFO, "re");
	if (!file)
		SKIP(return, "no debugfs");
	while (fgets(line, sizeof(line), file))
		in_bufinfo |= strstr(line, "system") && strstr(line, "looked-for");
	fclose(file);
	EXPECT_TRUE(in_bufinfo);
}

TEST_F(dmabuf, bufinfo_line_has_the_numbers_of_stat)
{
	unsigned long size, ino;
	unsigned int flags, mode;
	char line[512], exporter[64];
	bool found = false;
	struct stat st;
	long count;
	FILE *file;

	file = fopen(DMA_BUF_BUFINFO, "re");
	if (!file)
		SKIP(return, "no debugfs");
	ASSERT_EQ(0, fstat(self->fd, &st));
	while (!found && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lu %x %x %ld %63s %lu", &size, &flags, &mode,
			   &count, exporter, &ino) != 6 || ino != st.st_ino)
			continue;
		found = true;
		EXPECT_EQ(self->size, size);
		EXPECT_EQ((unsigned int)O_RDWR, flags & O_ACCMODE);
		EXPECT_EQ(1, count);
		EXPECT_STREQ("system", exporter);
	}
	fclose(file);
	EXPECT_TRUE(found) TH_LOG("inode %lu is not listed", (unsigned long)st.st_ino);
}

TEST_F(dmabuf, bufinfo_counts_births_and_deaths)
{
	long before = count_buffers();
	int more[4], i;

	if (before == -ENOENT || before == -EACCES)
		SKIP(return, "no debugfs");
	ASSERT_LE(1, before);
	for (i = 0; i < 4; i++)
		ASSERT_GIVES(more[i], heap_alloc(self->heap, page_size()));
	EXPECT_EQ(before + 4, count_buffers());
	for (i = 0; i < 4; i++)
		close(more[i]);
	EXPECT_EQ(before, count_buffers());
}

TEST_F(dmabuf, sysfs_shows_size_and_exporter)
{
	char path[256], value[64] = "";
	struct stat st;
	FILE *file;

	if (access(DMA_BUF_SYSFS, F_OK))
		SKIP(return, "no per-buffer statistics");
	ASSERT_EQ(0, fstat(self->fd, &st));
	snprintf(path, sizeof(path), DMA_BUF_SYSFS "/%lu/size", (unsigned long)st.st_ino);
	file = fopen(path, "re");
	ASSERT_NE(NULL, file) TH_LOG("%s: %s", path, strerror(errno));
	ASSERT_NE(NULL, fgets(value, sizeof(value), file));
	fclose(file);
	EXPECT_EQ(self->size, strtoul(value, NULL, 10));
	snprintf(path, sizeof(path), DMA_BUF_SYSFS "/%lu/exporter_name",
		 (unsigned long)st.st_ino);
	file = fopen(path, "re");
	ASSERT_NE(NULL, file);
	ASSERT_NE(NULL, fgets(value, sizeof(value), file));
	fclose(file);
	EXPECT_STREQ("system\n", value);

	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(-1, access(path, F_OK)) TH_LOG("the entry outlives its buffer");
}

TEST_F(dmabuf, descriptor_flags_are_those_asked_for)
{
	int fd;

	/* What concerns the descriptor is not shown as one of the file's. */
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
	EXPECT_EQ(O_RDWR, fcntl(self->fd, F_GETFL));

	ASSERT_GIVES(fd, heap_alloc_flags(self->heap, page_size(), O_RDONLY, 0));
	EXPECT_EQ(0, fcntl(fd, F_GETFD));
	EXPECT_EQ(O_RDONLY, fcntl(fd, F_GETFL));
	close(fd);
}

TEST_F(dmabuf, each_buffer_has_its_own_inode)
{
	struct stat a, b;
	int other;

	ASSERT_GIVES(other, heap_alloc(self->heap, self->size));
	ASSERT_EQ(0, fstat(self->fd, &a));
	ASSERT_EQ(0, fstat(other, &b));
	EXPECT_EQ(a.st_dev, b.st_dev);
	EXPECT_NE(a.st_ino, b.st_ino);
	EXPECT_EQ((off_t)self->size, a.st_size);
	close(other);
}

/* ------------------------------------------------------------- memory -- */

TEST_F(dmabuf, sync_brackets_an_access)
{
	static const __u64 access[] = {
		DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_RW,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(access); i++) {
		EXPECT_WORKS(dmabuf_begin(self->fd, access[i]));
		EXPECT_WORKS(dmabuf_end(self->fd, access[i]));
	}
}

TEST_F(dmabuf, sync_needs_a_direction_and_no_unknown_flag)
{
	unsigned int bit;

	EXPECT_REFUSED(EINVAL, dmabuf_sync(self->fd, DMA_BUF_SYNC_START));
	EXPECT_REFUSED(EINVAL, dmabuf_sync(self->fd, DMA_BUF_SYNC_END));
	for (bit = 3; bit < 64; bit++)
		EXPECT_REFUSED(EINVAL, dmabuf_sync(self->fd,
						   DMA_BUF_SYNC_RW | 1ull << bit));
}

TEST_F(dmabuf, an_end_without_begin_is_harmless)
{
	EXPECT_WORKS(dmabuf_end(self->fd, DMA_BUF_SYNC_RW));
	EXPECT_WORKS(dmabuf_begin(self->fd, DMA_BUF_SYNC_RW));
	EXPECT_WORKS(dmabuf_begin(self->fd, DMA_BUF_SYNC_RW));
}

TEST_F(dmabuf, two_mappings_show_the_same_memory)
{
	void *a, *b;

	ASSERT_EQ(0, map_rw(self->fd, self->size, &a));
	ASSERT_EQ(0, map_rw(self->fd, self->size, &b));
	pattern_fill(a, self->size, 5);
	EXPECT_EQ(self->size, pattern_check(b, self->size, 5));
	munmap(a, self->size);
	EXPECT_EQ(self->size, pattern_check(b, self->size, 5));
	munmap(b, self->size);
}

TEST_F(dmabuf, a_mapping_may_start_inside)
{
	size_t page = page_size();
	unsigned char *whole, *part;
	size_t i;
	void *p;

	ASSERT_EQ(0, map_rw(self->fd, self->size, &p));
	whole = p;
	for (i = 0; i < PAGES; i++)
		whole[i * page] = (unsigned char)(i + 1);
	for (i = 0; i < PAGES; i++) {
		ASSERT_EQ(0, map_fd(self->fd, page, PROT_READ, MAP_SHARED,
				    (off_t)(i * page), &p));
		part = p;
		EXPECT_EQ(i + 1, part[0]);
		munmap(p, page);
	}
	munmap(whole, self->size);
}

TEST_F(dmabuf, mapping_past_the_end_is_refused)
{
	size_t page = page_size();
	void *mem;

	EXPECT_REFUSED(EINVAL, map_rw(self->fd, self->size + page, &mem));
	EXPECT_REFUSED(EINVAL, map_fd(self->fd, self->size, PROT_READ, MAP_SHARED,
				      (off_t)page, &mem));
	EXPECT_REFUSED(EINVAL, map_fd(self->fd, page, PROT_READ, MAP_SHARED,
				      (off_t)self->size, &mem));
	EXPECT_EQ(0, map_fd(self->fd, page, PROT_READ, MAP_SHARED,
			    (off_t)(self->size - page), &mem));
}

TEST_F(dmabuf, a_mapping_keeps_the_buffer)
{
	long buffers = count_buffers();
	void *mem;

	ASSERT_EQ(0, map_rw(self->fd, self->size, &mem));
	pattern_fill(mem, self->size, 9);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(self->size, pattern_check(mem, self->size, 9));
	if (buffers > 0)
		EXPECT_EQ(buffers, count_buffers());
	munmap(mem, self->size);
	if (buffers > 0)
		EXPECT_TRUE(buffers_settle(buffers - 1));
}

TEST_F(dmabuf, a_mapping_can_be_cut_and_lost_in_parts)
{
	size_t page = page_size();
	unsigned char *p;
	void *mem;

	ASSERT_EQ(0, map_rw(self->fd, self->size, &mem));
	pattern_fill(mem, self->size, 2);
	p = mem;
	ASSERT_EQ(0, munmap(p + 4 * page, 4 * page));
	EXPECT_EQ(pattern_byte(2, 3 * page), p[3 * page]);
	EXPECT_EQ(pattern_byte(2, 8 * page), p[8 * page]);
	munmap(p, 4 * page);
	munmap(p + 8 * page, self->size - 8 * page);
}

TEST_F(dmabuf, a_child_shares_the_mapping)
{
	unsigned char *p;
	int status;
	void *mem;
	pid_t pid;

	ASSERT_EQ(0, map_rw(self->fd, self->size, &mem));
	p = mem;
	p[0] = 1;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (p[0] != 1)
			_exit(1);
		p[1] = 2;
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(2, p[1]) TH_LOG("the child wrote to a copy");
	munmap(mem, self->size);
}

TEST_F(dmabuf, read_only_descriptor_gives_no_writable_mapping)
{
	void *mem;
	int fd;

	ASSERT_GIVES(fd, heap_alloc_flags(self->heap, self->size, O_RDONLY | O_CLOEXEC, 0));
	EXPECT_REFUSED(EACCES, map_rw(fd, self->size, &mem));
	ASSERT_EQ(0, map_fd(fd, self->size, PROT_READ, MAP_SHARED, 0, &mem));
	EXPECT_EQ(self->size, zero_check(mem, self->size));
	EXPECT_REFUSED(EACCES, sysret(mprotect(mem, self->size, PROT_READ | PROT_WRITE)));
	munmap(mem, self->size);
	close(fd);
}

TEST_F(dmabuf, write_only_descriptor_gives_no_mapping)
{
	void *mem;
	int fd;

	ASSERT_GIVES(fd, heap_alloc_flags(self->heap, self->size, O_WRONLY | O_CLOEXEC, 0));
	EXPECT_REFUSED(EACCES, map_rw(fd, self->size, &mem));
	EXPECT_REFUSED(EACCES, map_fd(fd, self->size, PROT_READ, MAP_SHARED, 0, &mem));
	close(fd);
}

TEST_F(dmabuf, reopening_through_proc_is_refused)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	EXPECT_REFUSED(ENXIO, xopen(path, O_RDWR));
	EXPECT_REFUSED(ENXIO, xopen(path, O_RDONLY));
}

TEST_F(dmabuf, the_size_cannot_be_changed)
{
	EXPECT_REFUSED(EINVAL, sysret(ftruncate(self->fd, 0)));
	EXPECT_EQ((long)self->size, dmabuf_size(self->fd));
}

/* ------------------------------------------------------------ sharing -- */

TEST_F(dmabuf, another_process_gets_it_over_a_socket)
{
	int pair[2], status, fd;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	ASSERT_EQ(0, dmabuf_fill(self->fd, self->size, 11));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(self->fd);
		fd = fd_receive(pair[1]);
		if (fd < 0)
			_exit(1);
		if (dmabuf_verify(fd, self->size, 11))
			_exit(2);
		_exit(dmabuf_fill(fd, self->size, 12) ? 3 : 0);
	}
	ASSERT_EQ(0, fd_send(pair[0], self->fd));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, dmabuf_verify(self->fd, self->size, 12));
}

TEST_F(dmabuf, a_message_in_flight_keeps_the_buffer)
{
	long buffers = count_buffers();
	int pair[2], fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	ASSERT_EQ(0, dmabuf_fill(self->fd, self->size, 21));
	ASSERT_EQ(0, fd_send(pair[0], self->fd));
	close(self->fd);
	self->fd = -1;
	if (buffers > 0)
		EXPECT_EQ(buffers, count_buffers());
	ASSERT_GIVES(fd, fd_receive(pair[1]));
	EXPECT_EQ(0, dmabuf_verify(fd, self->size, 21));
	close(fd);
	if (buffers > 0)
		EXPECT_TRUE(buffers_settle(buffers - 1));
}

TEST_F(dmabuf, an_unread_message_does_not_leak)
{
	long buffers = count_buffers();
	int pair[2];

	if (buffers < 0)
		SKIP(return, "no debugfs");
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	ASSERT_EQ(0, fd_send(pair[0], self->fd));
	close(self->fd);
	self->fd = -1;
	close(pair[0]);
	close(pair[1]);
	EXPECT_TRUE(buffers_settle(buffers - 1));
}

TEST_HARNESS_MAIN
