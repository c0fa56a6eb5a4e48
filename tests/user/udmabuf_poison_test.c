// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory errors in a memfd: a broken page does not get into a buffer, and one that
 * breaks in a buffer is not mapped any more. The pages stay lost.
 */
#include "udmabuf_test.h"
#include "page_frames.h"

#include <signal.h>

#define PAGES	4
#define BROKEN	2

FIXTURE(poison) {
	size_t size;
	void *mem;
	int memfd;
	int dev;
};

FIXTURE_SETUP(poison)
{
	self->memfd = -1;
	self->dev = xopen(UDMABUF_NODE, O_RDWR);
	if (self->dev == -ENOENT)
		SKIP(return, "no " UDMABUF_NODE);
	ASSERT_LE(0, self->dev);
	if (access(PAGE_BREAK_FILE, W_OK))
		SKIP(return, "no " PAGE_BREAK_FILE);
	self->size = PAGES * page_size();
	ASSERT_GIVES(self->memfd, memfd_good(self->size));
	ASSERT_EQ(0, map_rw(self->memfd, self->size, &self->mem));
	memset(self->mem, 1, self->size);
}

FIXTURE_TEARDOWN(poison)
{
	if (self->memfd >= 0) {
		munmap(self->mem, self->size);
		close(self->memfd);
	}
	close(self->dev);
}

static int break_page(void *mem)
{
	__u64 pfn = page_pfn((char *)mem + BROKEN * page_size());

	page_break(pfn);
	return pfn && page_has(pfn, KPF_HWPOISON) ? 0 : -EAGAIN;
}

TEST_F(poison, is_refused_when_a_buffer_is_made)
{
	int fd;

	ASSERT_EQ(0, break_page(self->mem));
	EXPECT_REFUSED(EIO, create(self->dev, self->memfd, 0, self->size));
	EXPECT_REFUSED(EIO, create(self->dev, self->memfd, BROKEN * page_size(),
				   page_size()));
	ASSERT_GIVES(fd, create(self->dev, self->memfd, 0, BROKEN * page_size()));
	close(fd);
}

/* In a child: the signal that reading the page ends with, or 0. */
static int signal_of_read(volatile char *byte)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(*byte == 1 ? 0 : 1);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

TEST_F(poison, is_not_mapped_any_more)
{
	size_t step = page_size();
	void *mem;
	int fd;

	ASSERT_GIVES(fd, create(self->dev, self->memfd, 0, self->size));
	ASSERT_EQ(0, break_page(self->mem));
	ASSERT_EQ(0, map_fd(fd, self->size, PROT_READ, MAP_SHARED, 0, &mem));
	/* The neighbours first, which are mapped together. */
	EXPECT_EQ(0, signal_of_read(mem));
	EXPECT_EQ(0, signal_of_read((char *)mem + (BROKEN + 1) * step));
	EXPECT_EQ(1, *(volatile char *)mem);
	EXPECT_EQ(SIGBUS, signal_of_read((char *)mem + BROKEN * step));
	munmap(mem, self->size);
	close(fd);
}

TEST_HARNESS_MAIN
