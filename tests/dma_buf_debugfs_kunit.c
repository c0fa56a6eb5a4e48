// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-debugfs.c: the format and the content of bufinfo.
 */
#include <kunit/test.h>

#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/string.h>

#include <uapi/linux/dma-buf.h>

#include "mock_device.h"
#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_user.h"

static const char *bufinfo(struct kunit *test)
{
	const char *text = mock_user_read(test, "debugfs", "dma_buf/bufinfo");

	KUNIT_ASSERT_FALSE(test, IS_ERR(text));
	return text;
}

/* Return the line of a buffer, in the format that scripts parse. */
static const char *line_of(struct kunit *test, struct dma_buf *dmabuf, long count,
			   const char *name)
{
	char *line = kunit_kzalloc(test, 256, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, line);
	snprintf(line, 256, "%08zu\t%08x\t%08x\t%08ld\t%s\t%08lu\t%s\n",
		 dmabuf->size, dmabuf->file->f_flags, dmabuf->file->f_mode, count,
		 "mock_exporter", file_inode(dmabuf->file)->i_ino, name);
	return line;
}

static void dma_buf_debugfs_test_header_and_total(struct kunit *test)
{
	const char *text = bufinfo(test);

	KUNIT_EXPECT_TRUE(test, strstarts(text, "\nDma-buf Objects:\n"
					  "size    \tflags   \tmode    \tcount   \t"
					  "exp_name\tino     \tname\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\nTotal "));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, " bytes\n"));
}

static void dma_buf_debugfs_test_line(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	const char *nameless = line_of(test, dmabuf, 1, "<none>");
	const char *named = line_of(test, dmabuf, 2, "wallpaper");
	void __user *name = mock_user_string(test, "wallpaper");

	KUNIT_EXPECT_NOT_NULL(test, strstr(bufinfo(test), nameless));

	get_dma_buf(dmabuf);
	KUNIT_ASSERT_EQ(test, 0,
			dmabuf->file->f_op->unlocked_ioctl(dmabuf->file,
							   DMA_BUF_SET_NAME,
							   (unsigned long)name));
	KUNIT_EXPECT_NOT_NULL(test, strstr(bufinfo(test), named));
	KUNIT_EXPECT_NULL(test, strstr(bufinfo(test), nameless));
	dma_buf_put(dmabuf);
	dma_buf_put(dmabuf);

	/* A released buffer is not listed. */
	KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(mock));
	KUNIT_EXPECT_NULL(test, strstr(bufinfo(test), "wallpaper"));
}

static void dma_buf_debugfs_test_devices(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct device *dev = mock_device_create(test);
	struct dma_buf_attachment *attach = dma_buf_attach(dmabuf, dev);
	char *expect = kunit_kzalloc(test, 512, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, expect);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	snprintf(expect, 512,
		 "%s\tAttached Devices:\n\t%s\nTotal 1 devices attached\n\n",
		 line_of(test, dmabuf, 1, "<none>"), dev_name(dev));
	KUNIT_EXPECT_NOT_NULL(test, strstr(bufinfo(test), expect));

	dma_buf_detach(dmabuf, attach);
	snprintf(expect, 512,
		 "%s\tAttached Devices:\nTotal 0 devices attached\n\n",
		 line_of(test, dmabuf, 1, "<none>"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(bufinfo(test), expect));
	dma_buf_put(dmabuf);
}

static void dma_buf_debugfs_test_fences(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence;

	fence = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_NOT_NULL(test, strstr(bufinfo(test), MOCK_FENCE_TIMELINE));

	dma_fence_signal(fence);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* Bookkeeping fences are not listed. */
static void dma_buf_debugfs_test_no_bookkeeping(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence;

	fence = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP);
	KUNIT_EXPECT_NULL(test, strstr(bufinfo(test), MOCK_FENCE_TIMELINE));

	dma_fence_signal(fence);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

static struct kunit_case dma_buf_debugfs_cases[] = {
	KUNIT_CASE(dma_buf_debugfs_test_header_and_total),
	KUNIT_CASE(dma_buf_debugfs_test_line),
	KUNIT_CASE(dma_buf_debugfs_test_devices),
	KUNIT_CASE(dma_buf_debugfs_test_fences),
	KUNIT_CASE(dma_buf_debugfs_test_no_bookkeeping),
	{}
};

static struct kunit_suite dma_buf_debugfs_suite = {
	.name = "dma_buf_debugfs",
	.test_cases = dma_buf_debugfs_cases,
};

kunit_test_suite(dma_buf_debugfs_suite);
