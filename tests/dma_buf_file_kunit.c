// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-file.c and dma-buf-inode.c: the operations of the
 * descriptor, its path, its inode number and its ioctl table.
 */
#include <kunit/test.h>

#include <linux/dcache.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ioctl.h>
#include <linux/magic.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include <uapi/linux/dma-buf.h>

#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_importer.h"
#include "mock_user.h"

struct seek_case {
	const char *desc;
	loff_t offset;
	int whence;
	loff_t expect;
};

#define SEEK_BYTES	(7 * PAGE_SIZE)

static const struct seek_case seek_cases[] = {
	{
		.desc = "succeeds to the end, which is the size",
		.whence = SEEK_END,
		.expect = SEEK_BYTES,
	}, {
		.desc = "succeeds to the start",
		.whence = SEEK_SET,
	}, {
		.desc = "fails before the end",
		.whence = SEEK_END,
		.offset = -1,
		.expect = -EINVAL,
	}, {
		.desc = "fails behind the end",
		.whence = SEEK_END,
		.offset = 1,
		.expect = -EINVAL,
	}, {
		.desc = "fails behind the start",
		.whence = SEEK_SET,
		.offset = 1,
		.expect = -EINVAL,
	}, {
		.desc = "fails from the current position",
		.whence = SEEK_CUR,
		.expect = -EINVAL,
	}, {
		.desc = "fails for holes",
		.whence = SEEK_HOLE,
		.expect = -EINVAL,
	}, {
		.desc = "fails for data",
		.whence = SEEK_DATA,
		.expect = -EINVAL,
	}, {
		.desc = "fails for an unknown whence",
		.whence = 99,
		.expect = -EINVAL,
	},
};

KUNIT_ARRAY_PARAM_DESC(seek, seek_cases, desc);

static void dma_buf_file_test_llseek(struct kunit *test)
{
	static const struct mock_exporter_params params = {
		.size = SEEK_BYTES,
	};
	const struct seek_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, &params);

	KUNIT_EXPECT_EQ(test, vfs_llseek(dmabuf->file, param->offset, param->whence),
			param->expect);
	dma_buf_put(dmabuf);
}

static void name_buffer(struct kunit *test, struct dma_buf *dmabuf,
			const char *name)
{
	void __user *user = mock_user_string(test, name);
	struct file *file = dmabuf->file;

	KUNIT_ASSERT_EQ(test, 0,
			file->f_op->unlocked_ioctl(file, DMA_BUF_SET_NAME,
						   (unsigned long)user));
}

/* Return the lines that a file adds to its fdinfo. */
static const char *fdinfo(struct kunit *test, struct file *file)
{
	struct seq_file m = {
		.size = PAGE_SIZE,
	};

	m.buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m.buf);
	file->f_op->show_fdinfo(&m, file);
	KUNIT_ASSERT_LT(test, m.count, m.size);
	m.buf[m.count] = '\0';
	return m.buf;
}

static void dma_buf_file_test_fdinfo(struct kunit *test)
{
	static const struct mock_exporter_params params = {
		.size = 2 * PAGE_SIZE,
	};
	static const char idle[] =
		"attachments:\t0\nmapped:\t0\npins:\t0\n"
		"fences-kernel:\t0\nfences-write:\t0\n"
		"fences-read:\t0\nfences-bookkeep:\t0\n";
	struct dma_buf *dmabuf = mock_exporter_create(test, &params);
	char expect[256];

	/* The count is without the reference of the reader. */
	get_dma_buf(dmabuf);
	snprintf(expect, sizeof(expect), "size:\t%lu\ncount:\t1\nexp_name:\tmock_exporter\n",
		 2 * PAGE_SIZE);
	strlcat(expect, idle, sizeof(expect));
	KUNIT_EXPECT_STREQ(test, fdinfo(test, dmabuf->file), expect);

	name_buffer(test, dmabuf, "");
	KUNIT_EXPECT_NOT_NULL(test, strstr(fdinfo(test, dmabuf->file),
					   "\nname:\t\n"));

	name_buffer(test, dmabuf, "camera frame");
	strlcat(expect, "name:\tcamera frame\n", sizeof(expect));
	KUNIT_EXPECT_STREQ(test, fdinfo(test, dmabuf->file), expect);
	dma_buf_put(dmabuf);
	dma_buf_put(dmabuf);
}

/* The line of a key, with its value. */
static void expect_fdinfo(struct kunit *test, struct dma_buf *dmabuf,
			  const char *line)
{
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(fdinfo(test, dmabuf->file), line),
				  "%s in %s", line, fdinfo(test, dmabuf->file));
}

static void dma_buf_file_test_fdinfo_devices(struct kunit *test)
{
	static const struct mock_exporter_params params = {
		.size = 2 * PAGE_SIZE,
		.dynamic = true,
	};
	struct dma_buf *dmabuf = mock_exporter_create(test, &params);
	struct dma_buf_attachment *kept, *attach;
	struct mock_importer importer = { };
	struct sg_table *sgt;
	char mapped[32];

	/* A static importer pins what can move, and keeps a mapping of it. */
	kept = mock_importer_attach(test, dmabuf);
	expect_fdinfo(test, dmabuf, "\nattachments:\t1\n");
	expect_fdinfo(test, dmabuf, "\npins:\t1\n");
	snprintf(mapped, sizeof(mapped), "\nmapped:\t%lu\n", 2 * PAGE_SIZE);
	expect_fdinfo(test, dmabuf, mapped);

	attach = mock_importer_follow(test, dmabuf, &importer);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	snprintf(mapped, sizeof(mapped), "\nmapped:\t%lu\n", 4 * PAGE_SIZE);
	expect_fdinfo(test, dmabuf, "\nattachments:\t2\n");
	expect_fdinfo(test, dmabuf, mapped);

	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, attach);
	dma_buf_detach(dmabuf, kept);
	expect_fdinfo(test, dmabuf,
		      "\nattachments:\t0\nmapped:\t0\npins:\t0\n");
	dma_buf_put(dmabuf);
}

static void dma_buf_file_test_fdinfo_fences(struct kunit *test)
{
	static const struct mock_exporter_params params = {
		.size = PAGE_SIZE,
	};
	struct dma_buf *dmabuf = mock_exporter_create(test, &params);
	struct dma_fence *fence = mock_fence_create(test);

	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_ASSERT_EQ(test, 0, dma_resv_reserve_fences(dmabuf->resv, 1));
	dma_resv_add_fence(dmabuf->resv, fence, DMA_RESV_USAGE_READ);
	/* Who looks for what hangs does not wait for it. */
	expect_fdinfo(test, dmabuf, "\nfences-kernel:\t0\nfences-write:\t0\n"
				    "fences-read:\t1\nfences-bookkeep:\t0\n");
	dma_resv_unlock(dmabuf->resv);

	dma_fence_signal(fence);
	expect_fdinfo(test, dmabuf, "\nfences-read:\t0\n");
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

static void dma_buf_file_test_path(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	char path[64];

	KUNIT_EXPECT_STREQ(test, "/dmabuf:",
			   file_path(dmabuf->file, path, sizeof(path)));
	name_buffer(test, dmabuf, "texture");
	KUNIT_EXPECT_STREQ(test, "/dmabuf:texture",
			   file_path(dmabuf->file, path, sizeof(path)));
	name_buffer(test, dmabuf, "0123456789012345678901234567890");
	KUNIT_EXPECT_STREQ(test, "/dmabuf:0123456789012345678901234567890",
			   file_path(dmabuf->file, path, sizeof(path)));

	/* The path does not fit. */
	KUNIT_EXPECT_PTR_EQ(test, file_path(dmabuf->file, path, 10),
			    ERR_PTR(-ENAMETOOLONG));
	dma_buf_put(dmabuf);
}

static void dma_buf_file_test_inode(struct kunit *test)
{
	static const struct mock_exporter_params params = {
		.size = 5 * PAGE_SIZE,
	};
	struct dma_buf *one = mock_exporter_create(test, &params);
	struct dma_buf *two = mock_exporter_create(test, &params);
	struct inode *inode = file_inode(one->file);

	KUNIT_EXPECT_EQ(test, inode->i_sb->s_magic, DMA_BUF_MAGIC);
	KUNIT_EXPECT_STREQ(test, inode->i_sb->s_type->name, "dmabuf");
	KUNIT_EXPECT_STREQ(test, one->file->f_path.dentry->d_name.name,
			   "dmabuf");
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 5 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, inode_get_bytes(inode), 5 * PAGE_SIZE);
	KUNIT_EXPECT_NE(test, inode->i_ino, file_inode(two->file)->i_ino);
	dma_buf_put(one);
	dma_buf_put(two);
}

struct command_case {
	const char *desc;
	unsigned int cmd;
};

static const struct command_case command_cases[] = {
	{
		.desc = "fails for number 4 of our own",
		.cmd = _IO(DMA_BUF_BASE, 4),
	}, {
		.desc = "fails for SYNC with another size",
		.cmd = _IOW(DMA_BUF_BASE, 0, u32),
	}, {
		.desc = "fails for SYNC with another direction",
		.cmd = _IOR(DMA_BUF_BASE, 0, struct dma_buf_sync),
	}, {
		.desc = "fails for SET_NAME with another size",
		.cmd = _IOW(DMA_BUF_BASE, 1, u8),
	}, {
		.desc = "fails for another type",
		.cmd = _IOW('B', 0, struct dma_buf_sync),
	}, {
		.desc = "fails for 0",
		.cmd = 0,
	}, {
		.desc = "fails for all ones",
		.cmd = ~0U,
	},
};

KUNIT_ARRAY_PARAM_DESC(command, command_cases, desc);

static void dma_buf_file_test_ioctl_unknown(struct kunit *test)
{
	const struct command_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);

	KUNIT_EXPECT_EQ(test, -ENOTTY,
			dmabuf->file->f_op->unlocked_ioctl(dmabuf->file,
							   param->cmd, 0));
	dma_buf_put(dmabuf);
}

static const struct command_case pointer_cases[] = {
	{ "fails for SYNC", DMA_BUF_IOCTL_SYNC },
	{ "fails for EXPORT_SYNC_FILE", DMA_BUF_IOCTL_EXPORT_SYNC_FILE },
	{ "fails for IMPORT_SYNC_FILE", DMA_BUF_IOCTL_IMPORT_SYNC_FILE },
	{ "fails for SET_NAME_A", DMA_BUF_SET_NAME_A },
	{ "fails for SET_NAME_B", DMA_BUF_SET_NAME_B },
};

KUNIT_ARRAY_PARAM_DESC(pointer, pointer_cases, desc);

/* Nothing is mapped at the address. */
static void dma_buf_file_test_ioctl_fault(struct kunit *test)
{
	const struct command_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);

	/* So that the thread has user memory. */
	mock_user_page(test);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			dmabuf->file->f_op->unlocked_ioctl(dmabuf->file,
							   param->cmd, 0));
	dma_buf_put(dmabuf);
}

/* Programs of the other word size have the same commands. */
static void dma_buf_file_test_compat_ioctl(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);

	if (IS_ENABLED(CONFIG_COMPAT))
		KUNIT_EXPECT_PTR_EQ(test, dmabuf->file->f_op->compat_ioctl,
				    compat_ptr_ioctl);
	dma_buf_put(dmabuf);
}

static struct kunit_case dma_buf_file_cases[] = {
	KUNIT_CASE_PARAM(dma_buf_file_test_llseek, seek_gen_params),
	KUNIT_CASE(dma_buf_file_test_fdinfo),
	KUNIT_CASE(dma_buf_file_test_fdinfo_devices),
	KUNIT_CASE(dma_buf_file_test_fdinfo_fences),
	KUNIT_CASE(dma_buf_file_test_path),
	KUNIT_CASE(dma_buf_file_test_inode),
	KUNIT_CASE_PARAM(dma_buf_file_test_ioctl_unknown, command_gen_params),
	KUNIT_CASE_PARAM(dma_buf_file_test_ioctl_fault, pointer_gen_params),
	KUNIT_CASE(dma_buf_file_test_compat_ioctl),
	{}
};

static struct kunit_suite dma_buf_file_suite = {
	.name = "dma_buf_file",
	.test_cases = dma_buf_file_cases,
};

kunit_test_suite(dma_buf_file_suite);
