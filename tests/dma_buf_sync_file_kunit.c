// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-sync-file.c: implicit fences exported and imported as sync
 * files.
 */
#include <kunit/test.h>

#include <linux/anon_inodes.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence-array.h>
#include <linux/dma-resv.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>

#include <uapi/linux/dma-buf.h>

#include "dma_buf_poll_kunit.h"
#include "mock_call.h"
#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_files.h"
#include "mock_user.h"

struct flags_case {
	const char *desc;
	u32 flags;
	long expect;
};

static const struct flags_case export_flags[] = {
	{ "succeeds to read", DMA_BUF_SYNC_READ },
	{ "succeeds to write", DMA_BUF_SYNC_WRITE },
	{ "succeeds for both", DMA_BUF_SYNC_RW },
	{ "fails for nothing", 0, -EINVAL },
	{ "fails for END", DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, -EINVAL },
	{ "fails for an unknown flag", BIT(31) | DMA_BUF_SYNC_READ, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(flags, export_flags, desc);

static long export_sync_file(struct kunit *test, struct dma_buf *dmabuf,
			     u32 flags, int *fd)
{
	struct dma_buf_export_sync_file args = { .flags = flags, .fd = -1 };
	long ret;

	ret = mock_user_ioctl(test, dmabuf->file, DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
			      &args);
	*fd = args.fd;
	return ret;
}

static void dma_buf_sync_file_test_export_flags(struct kunit *test)
{
	const struct flags_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence;
	int fd;

	KUNIT_EXPECT_EQ(test, export_sync_file(test, dmabuf, param->flags, &fd),
			param->expect);
	if (param->expect) {
		KUNIT_EXPECT_EQ(test, fd, -1);
	} else {
		/* Without fences the sync file has signaled. */
		fence = sync_file_get_fence(fd);
		KUNIT_ASSERT_NOT_NULL(test, fence);
		KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
		KUNIT_EXPECT_TRUE(test, mock_user_closes_on_exec(fd));
		dma_fence_put(fence);
		close_fd(fd);
		mock_files_flush();
	}
	dma_buf_put(dmabuf);
}

struct export_case {
	const char *desc;
	enum dma_resv_usage usage;
	u32 flags;
	bool included;
};

static const struct export_case export_cases[] = {
	{ "reading waits for kernel work", DMA_RESV_USAGE_KERNEL,
	  DMA_BUF_SYNC_READ, true },
	{ "reading waits for writers", DMA_RESV_USAGE_WRITE, DMA_BUF_SYNC_READ,
	  true },
	{ "reading ignores readers", DMA_RESV_USAGE_READ, DMA_BUF_SYNC_READ,
	  false },
	{ "writing waits for writers", DMA_RESV_USAGE_WRITE, DMA_BUF_SYNC_WRITE,
	  true },
	{ "writing waits for readers", DMA_RESV_USAGE_READ, DMA_BUF_SYNC_WRITE,
	  true },
	{ "both is as writing", DMA_RESV_USAGE_READ, DMA_BUF_SYNC_RW, true },
	{ "both ignore bookkeeping", DMA_RESV_USAGE_BOOKKEEP, DMA_BUF_SYNC_RW,
	  false },
};

KUNIT_ARRAY_PARAM_DESC(export, export_cases, desc);

static void dma_buf_sync_file_test_export_usage(struct kunit *test)
{
	const struct export_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence;
	struct dma_fence *exported;
	int fd;

	fence = mock_fence_add(test, dmabuf->resv, param->usage);
	KUNIT_ASSERT_EQ(test, export_sync_file(test, dmabuf, param->flags, &fd),
			0);
	exported = sync_file_get_fence(fd);
	KUNIT_ASSERT_NOT_NULL(test, exported);
	KUNIT_EXPECT_EQ(test, dma_fence_is_signaled(exported),
			!param->included);
	dma_fence_signal(fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(exported));

	dma_fence_put(exported);
	dma_fence_put(fence);
	close_fd(fd);
	mock_files_flush();
	dma_buf_put(dmabuf);
}

/* A sync file has all fences of its moment, and none that is added later. */
static void dma_buf_sync_file_test_export_is_a_snapshot(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *exported, *fences[3];
	int fd, i;

	for (i = 0; i < 2; i++)
		fences[i] = mock_fence_add(test, dmabuf->resv,
					   DMA_RESV_USAGE_WRITE);
	KUNIT_ASSERT_EQ(test, 0, export_sync_file(test, dmabuf, DMA_BUF_SYNC_READ,
						  &fd));
	fences[2] = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_WRITE);
	exported = sync_file_get_fence(fd);
	KUNIT_ASSERT_NOT_NULL(test, exported);

	dma_fence_signal(fences[0]);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(exported));
	dma_fence_signal(fences[1]);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(exported));
	dma_fence_signal(fences[2]);

	dma_fence_put(exported);
	for (i = 0; i < ARRAY_SIZE(fences); i++)
		dma_fence_put(fences[i]);
	close_fd(fd);
	mock_files_flush();
	dma_buf_put(dmabuf);
}

static int next_fd(void)
{
	int fd = get_unused_fd_flags(0);

	put_unused_fd(fd);
	return fd;
}

/* When the answer cannot be written, no descriptor and no sync file is left. */
static void dma_buf_sync_file_test_export_fault(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_buf *memory = mock_exporter_create(test, NULL);
	struct dma_buf_export_sync_file args = { .flags = DMA_BUF_SYNC_READ };
	struct dma_fence *fence;
	unsigned long address;
	int before;

	/* User memory that can be read and not written: of another buffer. */
	memcpy_to_page(to_mock_exporter(memory)->pages[0], 0, (char *)&args,
		       sizeof(args));
	address = kunit_vm_mmap(test, memory->file, 0, PAGE_SIZE, PROT_READ,
				MAP_SHARED, 0);
	KUNIT_ASSERT_NE(test, address, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(address));

	fence = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_WRITE);
	before = next_fd();
	KUNIT_EXPECT_EQ(test, -EFAULT,
			dmabuf->file->f_op->unlocked_ioctl(dmabuf->file,
							   DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
							   address));
	KUNIT_EXPECT_EQ(test, next_fd(), before);

	/* A sync file that was left would hold the fence, and fail the case. */
	mock_files_flush();
	dma_fence_signal(fence);
	dma_fence_put(fence);
	dma_buf_put(memory);
	dma_buf_put(dmabuf);
}

static int install_sync_file(struct kunit *test, struct dma_fence *fence)
{
	struct sync_file *sync_file = sync_file_create(fence);
	int fd = get_unused_fd_flags(O_CLOEXEC);

	KUNIT_ASSERT_NOT_NULL(test, sync_file);
	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, sync_file->file);
	return fd;
}

static long import_sync_file(struct kunit *test, struct dma_buf *dmabuf,
			     u32 flags, int fd)
{
	struct dma_buf_import_sync_file args = { .flags = flags, .fd = fd };

	return mock_user_ioctl(test, dmabuf->file, DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
			       &args);
}

static void dma_buf_sync_file_test_import_flags(struct kunit *test)
{
	const struct flags_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence = mock_fence_create(test);
	int fd = install_sync_file(test, fence);
	bool write = param->flags & DMA_BUF_SYNC_WRITE;

	KUNIT_EXPECT_EQ(test, import_sync_file(test, dmabuf, param->flags, fd),
			param->expect);
	/* A writer holds back both events, a reader EPOLLOUT only. */
	EXPECT_EVENTS(test, peek(dmabuf, EPOLLIN),
		      !param->expect && write ? 0 : EPOLLIN);
	EXPECT_EVENTS(test, peek(dmabuf, EPOLLOUT),
		      param->expect ? EPOLLOUT : 0);

	dma_fence_signal(fence);
	EXPECT_EVENTS(test, peek(dmabuf, EPOLLIN | EPOLLOUT),
		      EPOLLIN | EPOLLOUT);
	close_fd(fd);
	mock_files_flush();
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* A call with a signal pending, whose struct is in user memory. */
struct import_call {
	struct dma_buf *dmabuf;
	void __user *args;
};

static long call_import(void *data)
{
	struct import_call *import = data;
	struct file *file = import->dmabuf->file;

	send_sig(SIGUSR1, current, 1);
	return file->f_op->unlocked_ioctl(file, DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
					  (unsigned long)import->args);
}

static void dma_buf_sync_file_test_import_is_not_interrupted(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_buf_import_sync_file args = {
		.flags = DMA_BUF_SYNC_WRITE,
		.fd = install_sync_file(test, fence),
	};
	struct import_call import = {
		.dmabuf = dmabuf, .args = mock_user_page(test),
	};
	struct mock_call call;

	KUNIT_ASSERT_EQ(test, 0,
			copy_to_user(import.args, &args, sizeof(args)));
	dma_resv_lock(dmabuf->resv, NULL);
	mock_call_start(test, &call, call_import, &import);
	mock_call_expect_waits(&call);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_EXPECT_EQ(test, mock_call_finish(&call), 0);
	KUNIT_EXPECT_FALSE(test, dma_resv_test_signaled(dmabuf->resv,
							DMA_RESV_USAGE_WRITE));
	dma_fence_signal(fence);
	close_fd(args.fd);
	dma_fence_put(fence);
	mock_files_flush();
	dma_buf_put(dmabuf);
}

static void dma_buf_sync_file_test_import_refuses(struct kunit *test)
{
	static const struct file_operations other_ops;
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct file *file;
	int fd;

	KUNIT_EXPECT_EQ(test, -EINVAL,
			import_sync_file(test, dmabuf, DMA_BUF_SYNC_READ, -1));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			import_sync_file(test, dmabuf, DMA_BUF_SYNC_READ,
					 INT_MAX));

	/* The buffer itself, and a file that is neither. */
	get_dma_buf(dmabuf);
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			import_sync_file(test, dmabuf, DMA_BUF_SYNC_READ, fd));
	close_fd(fd);

	file = anon_inode_getfile("[no-sync-file]", &other_ops, NULL, O_RDONLY);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	fd = get_unused_fd_flags(O_CLOEXEC);
	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, file);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			import_sync_file(test, dmabuf, DMA_BUF_SYNC_READ, fd));
	close_fd(fd);
	mock_files_flush();
	dma_buf_put(dmabuf);
}

/* A container is imported as the fences that it consists of. */
static void dma_buf_sync_file_test_import_array(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence **parts, **found, *part[5];
	struct dma_fence_array *array;
	unsigned int count;
	int fd, i;

	parts = kmalloc_array(ARRAY_SIZE(part), sizeof(*parts), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, parts);
	for (i = 0; i < ARRAY_SIZE(part); i++) {
		part[i] = mock_fence_create(test);
		parts[i] = dma_fence_get(part[i]);
	}
	array = dma_fence_array_create(ARRAY_SIZE(part), parts,
				       dma_fence_context_alloc(1), 1, false);
	KUNIT_ASSERT_NOT_NULL(test, array);
	fd = install_sync_file(test, &array->base);

	KUNIT_EXPECT_EQ(test, 0, import_sync_file(test, dmabuf, DMA_BUF_SYNC_WRITE,
						  fd));
	KUNIT_ASSERT_EQ(test, 0, dma_resv_get_fences(dmabuf->resv,
						     DMA_RESV_USAGE_WRITE, &count,
						     &found));
	KUNIT_EXPECT_EQ(test, count, ARRAY_SIZE(part));
	for (i = 0; i < count; i++) {
		KUNIT_EXPECT_FALSE(test, dma_fence_is_container(found[i]));
		dma_fence_put(found[i]);
	}
	kfree(found);

	for (i = 0; i < ARRAY_SIZE(part); i++) {
		EXPECT_EVENTS(test, peek(dmabuf, EPOLLIN), 0);
		dma_fence_signal(part[i]);
		dma_fence_put(part[i]);
	}
	EXPECT_EVENTS(test, peek(dmabuf, EPOLLIN), EPOLLIN);
	close_fd(fd);
	mock_files_flush();
	dma_fence_put(&array->base);
	dma_buf_put(dmabuf);
}

static void dma_buf_sync_file_test_import_signalled(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence = mock_fence_create(test);
	int fd = install_sync_file(test, fence);

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, 0, import_sync_file(test, dmabuf, DMA_BUF_SYNC_WRITE,
						  fd));
	EXPECT_EVENTS(test, peek(dmabuf, EPOLLIN | EPOLLOUT),
		      EPOLLIN | EPOLLOUT);
	close_fd(fd);
	mock_files_flush();
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* Fences exported from one buffer and imported into another hold that back. */
static void dma_buf_sync_file_test_export_import(struct kunit *test)
{
	struct dma_buf *from = mock_exporter_create(test, NULL);
	struct dma_buf *to = mock_exporter_create(test, NULL);
	struct dma_fence *fence;
	int fd;

	fence = mock_fence_add(test, from->resv, DMA_RESV_USAGE_WRITE);
	KUNIT_ASSERT_EQ(test, 0,
			export_sync_file(test, from, DMA_BUF_SYNC_READ, &fd));
	KUNIT_EXPECT_EQ(test, 0,
			import_sync_file(test, to, DMA_BUF_SYNC_WRITE, fd));
	EXPECT_EVENTS(test, peek(to, EPOLLIN), 0);
	dma_fence_signal(fence);
	EXPECT_EVENTS(test, peek(to, EPOLLIN), EPOLLIN);

	close_fd(fd);
	mock_files_flush();
	dma_fence_put(fence);
	dma_buf_put(from);
	dma_buf_put(to);
}

static struct kunit_case dma_buf_sync_file_cases[] = {
	KUNIT_CASE_PARAM(dma_buf_sync_file_test_export_flags, flags_gen_params),
	KUNIT_CASE_PARAM(dma_buf_sync_file_test_export_usage,
			 export_gen_params),
	KUNIT_CASE(dma_buf_sync_file_test_export_is_a_snapshot),
	KUNIT_CASE(dma_buf_sync_file_test_export_fault),
	KUNIT_CASE_PARAM(dma_buf_sync_file_test_import_flags, flags_gen_params),
	KUNIT_CASE(dma_buf_sync_file_test_import_is_not_interrupted),
	KUNIT_CASE(dma_buf_sync_file_test_import_refuses),
	KUNIT_CASE(dma_buf_sync_file_test_import_array),
	KUNIT_CASE(dma_buf_sync_file_test_import_signalled),
	KUNIT_CASE(dma_buf_sync_file_test_export_import),
	{}
};

static struct kunit_suite dma_buf_sync_file_suite = {
	.name = "dma_buf_sync_file",
	.test_cases = dma_buf_sync_file_cases,
};

kunit_test_suite(dma_buf_sync_file_suite);
