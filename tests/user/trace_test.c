// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trace events, as a program reads them: of a buffer and its descriptor, of the
 * pool of the system heap, of sync files, and what they say. All is skipped
 * where events are not compiled in.
 */
#include <sys/mount.h>

#include "dma_buf_test.h"
#include "sys_file.h"

#define TRACE_DIR	"/sys/kernel/tracing"
#define TRACE		TRACE_DIR "/trace"
#define POOL_LIMIT	HEAP_STATS "system/pool_limit_bytes"

FIXTURE(trace) {
	size_t size;
	int heap;
	int fd;
	unsigned long ino;
};

static int event_switch(const char *system, const char *event, const char *on)
{
	char path[256];

	snprintf(path, sizeof(path), TRACE_DIR "/events/%s/%s/enable", system, event);
	return file_write(path, on);
}

/* Copy to @line the first line of the trace that has all of these words. */
static bool trace_find(char *line, size_t size, const char *event,
		       const char *words)
{
	FILE *file = fopen(TRACE, "re");
	bool found = false;

	while (file && !found && fgets(line, (int)size, file))
		found = strstr(line, event) && strstr(line, words);
	if (file)
		fclose(file);
	return found;
}

static bool trace_has(const char *event, const char *words)
{
	char line[512];

	return trace_find(line, sizeof(line), event, words);
}

FIXTURE_SETUP(trace)
{
	struct stat file;

	self->heap = -1;
	self->fd = -1;
	self->size = page_size();
	mount("tracefs", TRACE_DIR, "tracefs", 0, NULL);
	if (event_switch("dma_buf", "dma_buf_fd", "0"))
		SKIP(return, "no trace events");
	self->heap = heap_open("system");
	if (self->heap < 0)
		SKIP(return, "no system heap");
	ASSERT_GIVES(self->fd, heap_alloc(self->heap, self->size));
	ASSERT_EQ(0, fstat(self->fd, &file));
	self->ino = file.st_ino;
	ASSERT_EQ(0, file_write(TRACE, ""));
}

FIXTURE_TEARDOWN(trace)
{
	if (self->fd >= 0)
		close(self->fd);
	if (self->heap >= 0)
		close(self->heap);
}

/* Each descriptor of a buffer, also those that a heap opens. */
TEST_F(trace, descriptor)
{
	struct stat file;
	char line[128];
	int fd;

	ASSERT_EQ(0, event_switch("dma_buf", "dma_buf_fd", "1"));
	fd = heap_alloc(self->heap, self->size);
	EXPECT_EQ(0, event_switch("dma_buf", "dma_buf_fd", "0"));
	ASSERT_LE(0, fd);

	ASSERT_EQ(0, fstat(fd, &file));
	snprintf(line, sizeof(line), "ino=%lu exporter=system size=%zu ret=%d",
		 (unsigned long)file.st_ino, self->size, fd);
	EXPECT_TRUE(trace_has("dma_buf_fd:", line)) TH_LOG("no %s", line);
	close(fd);
}

TEST_F(trace, name)
{
	char line[128];

	ASSERT_EQ(0, event_switch("dma_buf", "dma_buf_name", "1"));
	EXPECT_EQ(0, dmabuf_set_name(self->fd, "camera frame"));
	ASSERT_EQ(0, event_switch("dma_buf", "dma_buf_name", "0"));

	snprintf(line, sizeof(line), "ino=%lu exporter=system size=%zu name=camera frame",
		 self->ino, self->size);
	EXPECT_TRUE(trace_has("dma_buf_name:", line)) TH_LOG("no %s", line);
}

/* A fence that is signaled after 20 ms, and a SYNC that waits for it. */
TEST_F(trace, time_waited_for_fences)
{
	char line[512], words[64], *waited;
	int timeline = sw_sync_open(), fence;
	pid_t child;

	if (timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_GIVES(fence, sw_sync_fence(timeline, 1, "late"));
	ASSERT_EQ(0, dmabuf_import_sync_file(self->fd, DMA_BUF_SYNC_WRITE, fence));

	ASSERT_EQ(0, event_switch("dma_buf", "dma_buf_wait_cpu", "1"));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		usleep(20000);
		_exit(sw_sync_inc(timeline, 1) ? 1 : 0);
	}
	EXPECT_EQ(0, dmabuf_begin(self->fd, DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, dmabuf_end(self->fd, DMA_BUF_SYNC_READ));
	ASSERT_EQ(0, event_switch("dma_buf", "dma_buf_wait_cpu", "0"));
	EXPECT_EQ(child, waitpid(child, NULL, 0));

	snprintf(words, sizeof(words), "ino=%lu ", self->ino);
	ASSERT_TRUE(trace_find(line, sizeof(line), "dma_buf_wait_cpu:", words));
	EXPECT_NE(NULL, strstr(line, " dir=from-device "));
	EXPECT_NE(NULL, strstr(line, " ret=0"));
	waited = strstr(line, " waited=");
	ASSERT_NE(NULL, waited);
	/* How long it was is up to the scheduler: the child may be first. */
	EXPECT_LT(0, atoll(waited + strlen(" waited=")));
	close(fence);
	close(timeline);
}

/* What the pool keeps is a hit for the next buffer, and is shrunk away. */
TEST_F(trace, pool)
{
	long long limit = file_read_number(POOL_LIMIT, NULL);
	int fd;

	if (limit <= 0)
		SKIP(return, "no pool");
	ASSERT_EQ(0, file_write_number(POOL_LIMIT, 0));
	ASSERT_EQ(0, file_write_number(POOL_LIMIT, limit));

	ASSERT_EQ(0, file_write(TRACE_DIR "/events/dma_heap/enable", "1"));
	fd = heap_alloc(self->heap, 2 << 20);
	EXPECT_LE(0, fd);
	close(fd);
	fd = heap_alloc(self->heap, 2 << 20);
	EXPECT_LE(0, fd);
	close(fd);
	EXPECT_EQ(0, file_write_number(POOL_LIMIT, 0));
	EXPECT_EQ(0, file_write_number(POOL_LIMIT, limit));
	ASSERT_EQ(0, file_write(TRACE_DIR "/events/dma_heap/enable", "0"));

	EXPECT_TRUE(trace_has("dma_heap_pool_miss:", "heap=system node=0 bytes="));
	EXPECT_TRUE(trace_has("dma_heap_pool_hit:", "heap=system node=0 bytes="));
	EXPECT_TRUE(trace_has("dma_heap_pool_shrink:", "heap=system node=0 bytes="));
}

TEST_F(trace, sync_files)
{
	int timeline = sw_sync_open(), one, two, both;

	if (timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, file_write(TRACE_DIR "/events/sync_file/enable", "1"));
	ASSERT_GIVES(one, sw_sync_fence(timeline, 1, "one"));
	ASSERT_GIVES(two, sw_sync_fence(timeline, 2, "two"));
	ASSERT_GIVES(both, sync_file_merge(one, two, "both"));
	EXPECT_EQ(0, poll_now(one, POLLIN));
	EXPECT_EQ(0, sw_sync_inc(timeline, 1));
	EXPECT_LT(0, poll_now(one, POLLIN));
	ASSERT_EQ(0, file_write(TRACE_DIR "/events/sync_file/enable", "0"));

	EXPECT_TRUE(trace_has("sync_file_create:", " seqno=1"));
	EXPECT_TRUE(trace_has("sync_file_create:", " seqno=2"));
	EXPECT_TRUE(trace_has("sync_file_merge:", " seqno=2"));
	EXPECT_TRUE(trace_has("sync_file_poll:", " seqno=1 signaled=0"));
	EXPECT_TRUE(trace_has("sync_file_poll:", " seqno=1 signaled=1"));
	close(both);
	close(two);
	close(one);
	close(timeline);
}

TEST_HARNESS_MAIN
