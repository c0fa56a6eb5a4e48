// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-stats.c: the directory of each buffer in sysfs.
 */
#include <kunit/test.h>

#include <linux/dma-buf.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kobject.h>

#include "mock_exporter.h"
#include "mock_files.h"
#include "mock_user.h"

static const char *stat(struct kunit *test, unsigned long ino, const char *which)
{
	char path[80];

	snprintf(path, sizeof(path), "kernel/dmabuf/buffers/%lu/%s", ino,
		 which);
	return mock_user_read(test, "sysfs", path);
}

static void dma_buf_stats_test_files(struct kunit *test)
{
	static const struct mock_exporter_params params = {
		.size = 3 * PAGE_SIZE,
	};
	struct dma_buf *dmabuf = mock_exporter_create(test, &params);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	unsigned long ino = file_inode(dmabuf->file)->i_ino;
	char size[24];

	snprintf(size, sizeof(size), "%lu\n", 3 * PAGE_SIZE);
	KUNIT_EXPECT_STREQ(test, stat(test, ino, "size"), size);
	KUNIT_EXPECT_STREQ(test, stat(test, ino, "exporter_name"),
			   "mock_exporter\n");

	dma_buf_put(dmabuf);
	KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(mock));
	KUNIT_EXPECT_PTR_EQ(test, stat(test, ino, "size"), ERR_PTR(-ENOENT));
}

static void dma_buf_stats_test_needs_a_name(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_prepare(test, NULL);
	struct dma_buf *dmabuf;

	mock->info.exp_name = NULL;
	KUNIT_EXPECT_PTR_EQ(test, mock_exporter_export(mock), ERR_PTR(-EINVAL));
	/* The failed export has undone all its steps. */
	mock_files_flush();
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_RELEASE), 0);

	mock->info.exp_name = "named";
	dmabuf = mock_exporter_export(mock);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	dma_buf_put(dmabuf);
}

/* Succeeds if there is no uevent for a directory, even on request. */
static void dma_buf_stats_test_no_uevents(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct kobject *kobj = &dmabuf->sysfs_entry->kobj;

	KUNIT_EXPECT_EQ(test, 0, kobject_uevent(kobj, KOBJ_ADD));
	/* Set once a uevent has been sent. */
	KUNIT_EXPECT_EQ(test, 0, (int)kobj->state_add_uevent_sent);
	dma_buf_put(dmabuf);
}

static struct kunit_case dma_buf_stats_cases[] = {
	KUNIT_CASE(dma_buf_stats_test_files),
	KUNIT_CASE(dma_buf_stats_test_needs_a_name),
	KUNIT_CASE(dma_buf_stats_test_no_uevents),
	{}
};

static struct kunit_suite dma_buf_stats_suite = {
	.name = "dma_buf_stats",
	.test_cases = dma_buf_stats_cases,
};

kunit_test_suite(dma_buf_stats_suite);
