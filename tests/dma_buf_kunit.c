// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf.c: export, get, put, name, release.
 */
#include <kunit/test.h>

#include <linux/anon_inodes.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/string.h>

#include <uapi/linux/dma-buf.h>

#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_files.h"
#include "mock_importer.h"
#include "mock_race.h"
#include "mock_user.h"

struct export_case {
	const char *desc;
	struct mock_exporter_params params;
	bool without_priv;
	bool without_ops;
	int expect;
};

static const struct export_case export_cases[] = {
	{
		.desc = "succeeds with nothing but the mandatory ops",
		.params.without = BIT(MOCK_OP_ATTACH) | BIT(MOCK_OP_DETACH) |
				  BIT(MOCK_OP_BEGIN_CPU) | BIT(MOCK_OP_END_CPU) |
				  BIT(MOCK_OP_MMAP) | BIT(MOCK_OP_VMAP) |
				  BIT(MOCK_OP_VUNMAP),
	}, {
		.desc = "succeeds with every op of a static exporter",
	}, {
		.desc = "succeeds with pin and unpin",
		.params.dynamic = true,
	}, {
		.desc = "succeeds with cached mappings",
		.params.cache_sgt = true,
	}, {
		.desc = "fails without private data",
		.without_priv = true,
		.expect = -EINVAL,
	}, {
		.desc = "fails without ops",
		.without_ops = true,
		.expect = -EINVAL,
	}, {
		.desc = "fails without map_dma_buf",
		.params.without = BIT(MOCK_OP_MAP),
		.expect = -EINVAL,
	}, {
		.desc = "fails without unmap_dma_buf",
		.params.without = BIT(MOCK_OP_UNMAP),
		.expect = -EINVAL,
	}, {
		.desc = "fails without release",
		.params.without = BIT(MOCK_OP_RELEASE),
		.expect = -EINVAL,
	}, {
		.desc = "fails with pin but no unpin",
		.params.dynamic = true,
		.params.without = BIT(MOCK_OP_UNPIN),
		.expect = -EINVAL,
	}, {
		.desc = "fails with unpin but no pin",
		.params.dynamic = true,
		.params.without = BIT(MOCK_OP_PIN),
		.expect = -EINVAL,
	}, {
		.desc = "fails when a dynamic exporter caches mappings",
		.params.dynamic = true,
		.params.cache_sgt = true,
		.expect = -EINVAL,
	},
};

KUNIT_ARRAY_PARAM_DESC(export, export_cases, desc);

static void dma_buf_test_export(struct kunit *test)
{
	const struct export_case *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_prepare(test,
							   &param->params);
	struct dma_buf *dmabuf;

	if (param->without_priv)
		mock->info.priv = NULL;
	if (param->without_ops)
		mock->info.ops = NULL;
	if (param->expect)
		mock_fence_expect_misuse(test);

	dmabuf = mock_exporter_export(mock);
	if (param->expect) {
		KUNIT_EXPECT_PTR_EQ(test, dmabuf, ERR_PTR(param->expect));
		KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 1);
		return;
	}
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_RELEASE), 0);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(mock));
}

/* The fields have what the export was given. */
static void dma_buf_test_export_fields(struct kunit *test)
{
	static const struct mock_exporter_params params = {
		.size = 3 * PAGE_SIZE,
		.flags = O_WRONLY,
	};
	struct dma_buf *dmabuf = mock_exporter_create(test, &params);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);

	KUNIT_EXPECT_EQ(test, dmabuf->size, 3 * PAGE_SIZE);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->ops, &mock->ops);
	KUNIT_EXPECT_STREQ(test, dmabuf->exp_name, "mock_exporter");
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->owner, THIS_MODULE);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->priv, (void *)mock);
	KUNIT_EXPECT_NULL(test, dmabuf->name);
	KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));
	KUNIT_EXPECT_EQ(test, dmabuf->vmapping_counter, 0);
	KUNIT_EXPECT_EQ(test, dmabuf->file->f_flags & O_ACCMODE, O_WRONLY);
	KUNIT_EXPECT_TRUE(test, dmabuf->file->f_mode & FMODE_WRITE);
	KUNIT_EXPECT_FALSE(test, dmabuf->file->f_mode & FMODE_READ);
	KUNIT_EXPECT_TRUE(test, dmabuf->file->f_mode & FMODE_LSEEK);
	dma_buf_put(dmabuf);
}

/* Of the flags of open(2), the file keeps the access mode and O_NONBLOCK. */
static void dma_buf_test_export_flags(struct kunit *test)
{
	static const struct mock_exporter_params params = {
		.flags = O_RDWR | O_NONBLOCK | O_CLOEXEC | O_APPEND | O_TRUNC |
			 O_DIRECTORY | O_DSYNC,
	};
	struct dma_buf *dmabuf = mock_exporter_create(test, &params);

	KUNIT_EXPECT_EQ(test, dmabuf->file->f_flags, O_RDWR | O_NONBLOCK);
	dma_buf_put(dmabuf);
}

static void dma_buf_test_export_makes_a_resv(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);

	KUNIT_ASSERT_NOT_NULL(test, dmabuf->resv);
	KUNIT_EXPECT_EQ(test, dma_resv_lock(dmabuf->resv, NULL), 0);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(dmabuf->resv,
						       DMA_RESV_USAGE_BOOKKEEP));
	dma_buf_put(dmabuf);
}

/* A resv of the exporter is used, and still valid after the release. */
static void dma_buf_test_export_takes_a_resv(struct kunit *test)
{
	struct mock_exporter_params params = {};
	struct mock_exporter *mock;
	struct dma_buf *dmabuf;
	struct dma_resv resv;

	dma_resv_init(&resv);
	params.resv = &resv;
	dmabuf = mock_exporter_create(test, &params);
	mock = to_mock_exporter(dmabuf);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->resv, &resv);

	dma_buf_put(dmabuf);
	KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(mock));
	KUNIT_EXPECT_EQ(test, dma_resv_lock(&resv, NULL), 0);
	KUNIT_EXPECT_EQ(test, dma_resv_reserve_fences(&resv, 1), 0);
	dma_resv_unlock(&resv);
	dma_resv_fini(&resv);
}

static void dma_buf_test_release_comes_last(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);

	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	get_dma_buf(dmabuf);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 2);
	dma_buf_put(dmabuf);
	mock_files_flush();
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_RELEASE), 0);

	dma_buf_put(dmabuf);
	KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(mock));
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_RELEASE), 1);
	KUNIT_EXPECT_EQ(test, mock_exporter_locked(mock, MOCK_OP_RELEASE), 0);
}

/* References to this module; 0 when it is built in. */
static int references_to_us(void)
{
#ifdef CONFIG_MODULE_UNLOAD
	return THIS_MODULE ? module_refcount(THIS_MODULE) : 0;
#else
	return 0;
#endif
}

static void dma_buf_test_export_holds_the_module(struct kunit *test)
{
	struct mock_exporter *mock;
	struct dma_buf *dmabuf;
	int before;

	if (!IS_MODULE(CONFIG_DMABUF_SELFTESTS) ||
	    !IS_ENABLED(CONFIG_MODULE_UNLOAD))
		kunit_skip(test,
			   "only a module that can go has a reference count");

	before = references_to_us();
	dmabuf = mock_exporter_create(test, NULL);
	mock = to_mock_exporter(dmabuf);
	KUNIT_EXPECT_EQ(test, references_to_us(), before + 1);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(mock));
	/* The module is put after the release op has returned. */
	mock_files_flush();
	KUNIT_EXPECT_EQ(test, references_to_us(), before);
}

/*
 * When an importer drops its reference before it detaches, the buffer and the
 * module of its exporter stay until the last attachment is gone, and no longer.
 */
static void dma_buf_test_release_while_attached(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_buf_attachment *first, *second;
	struct sg_table *sgt;
	int before;

	first = mock_importer_attach(test, dmabuf);
	second = mock_importer_attach(test, dmabuf);
	sgt = dma_buf_map_attachment_unlocked(second, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	before = references_to_us();

	mock_fence_expect_misuse(test);
	dma_buf_put(dmabuf);
	mock_files_flush();
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 1);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_RELEASE), 0);
	KUNIT_EXPECT_EQ(test, references_to_us(), before);

	dma_buf_detach(dmabuf, first);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_RELEASE), 0);
	dma_buf_unmap_attachment_unlocked(second, sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, second);
	expect_mock_calls(test, mock, MOCK_OP_ATTACH, MOCK_OP_DETACH, 2, 2);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_RELEASE), 1);
	if (before)
		KUNIT_EXPECT_EQ(test, references_to_us(), before - 1);
}

/* dma_buf_fd() takes the reference over, dma_buf_get() takes another. */
static void dma_buf_test_fd_and_get(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	int fd;

	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_TRUE(test, mock_user_closes_on_exec(fd));
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);

	KUNIT_EXPECT_PTR_EQ(test, dma_buf_get(fd), dmabuf);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 2);
	dma_buf_put(dmabuf);

	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);
	KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(mock));
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_get(fd), ERR_PTR(-EBADF));
}

static void dma_buf_test_fd_without_buffer(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, dma_buf_fd(NULL, 0), -EINVAL);
}

static void dma_buf_test_get_refuses(struct kunit *test)
{
	static const struct file_operations other_ops;
	struct file *file;
	int fd;

	KUNIT_EXPECT_PTR_EQ(test, dma_buf_get(-1), ERR_PTR(-EBADF));
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_get(INT_MAX), ERR_PTR(-EBADF));

	/* A file of another kind. */
	file = anon_inode_getfile("[not-a-dma-buf]", &other_ops, NULL,
				  O_RDONLY);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	fd = get_unused_fd_flags(O_CLOEXEC);
	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, get_file(file));
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_get(fd), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, file_count(file), 2);
	close_fd(fd);
	fput(file);
	mock_files_flush();
}

static void dma_buf_test_put_refuses(struct kunit *test)
{
	mock_fence_expect_misuse(test);
	dma_buf_put(NULL);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 1);
}

/* __free(dma_buf_put) puts a buffer, and ignores errors and NULL. */
static void dma_buf_test_cleanup(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);

	{
		struct dma_buf *scoped __free(dma_buf_put) = dmabuf;
		struct dma_buf *error __free(dma_buf_put) = ERR_PTR(-ENOMEM);
		struct dma_buf *nothing __free(dma_buf_put) = NULL;

		KUNIT_EXPECT_NOT_NULL(test, scoped);
		KUNIT_EXPECT_TRUE(test, IS_ERR(error));
		KUNIT_EXPECT_NULL(test, nothing);
	}
	KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(mock));
}

static long set_name(struct dma_buf *dmabuf, unsigned int cmd,
		     void __user *name)
{
	return dmabuf->file->f_op->unlocked_ioctl(dmabuf->file, cmd,
						  (unsigned long)name);
}

struct name_case {
	const char *desc;
	const char *name;
	long expect;
};

static const struct name_case name_cases[] = {
	{
		.desc = "succeeds with a short name",
		.name = "frame",
	}, {
		.desc = "succeeds with an empty name",
		.name = "",
	}, {
		.desc = "succeeds with 31 characters and the terminator",
		.name = "0123456789012345678901234567890",
	}, {
		.desc = "fails with 32 characters",
		.name = "01234567890123456789012345678901",
		.expect = -EINVAL,
	}, {
		.desc = "fails with many characters",
		.name = "0123456789012345678901234567890123456789012345678901234567890",
		.expect = -EINVAL,
	},
};

KUNIT_ARRAY_PARAM_DESC(name, name_cases, desc);

static void dma_buf_test_set_name(struct kunit *test)
{
	static const unsigned int spellings[] = {
		DMA_BUF_SET_NAME, DMA_BUF_SET_NAME_A, DMA_BUF_SET_NAME_B,
	};
	const struct name_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	void __user *before = mock_user_string(test, "before");
	void __user *name = mock_user_string(test, param->name);
	int i;

	for (i = 0; i < ARRAY_SIZE(spellings); i++) {
		KUNIT_ASSERT_EQ(test, set_name(dmabuf, spellings[i], before),
				0);
		KUNIT_EXPECT_EQ(test, set_name(dmabuf, spellings[i], name),
				param->expect);
		/* A name that is refused changes nothing. */
		KUNIT_EXPECT_STREQ(test, dmabuf->name,
				   param->expect ? "before" : param->name);
	}
	dma_buf_put(dmabuf);
}

static void dma_buf_test_set_name_fault(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);

	/* So that the thread has user memory, though not at NULL. */
	mock_user_page(test);
	KUNIT_EXPECT_EQ(test, set_name(dmabuf, DMA_BUF_SET_NAME, NULL),
			-EFAULT);
	KUNIT_EXPECT_NULL(test, dmabuf->name);
	dma_buf_put(dmabuf);
}

/* Two threads that get and put, while this one holds the last reference. */
#define RACE_ROUNDS	2000

static int get_put_thread(void *data)
{
	struct dma_buf *dmabuf = data;
	int i;

	for (i = 0; i < RACE_ROUNDS; i++) {
		get_dma_buf(dmabuf);
		dma_buf_put(dmabuf);
		cond_resched();
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void dma_buf_test_race_get_put(struct kunit *test)
{
	struct task_struct *threads[2];
	struct mock_exporter *mock;
	struct dma_buf *dmabuf;
	int i;

	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two CPUs");

	dmabuf = mock_exporter_create(test, NULL);
	mock = to_mock_exporter(dmabuf);
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		threads[i] = kthread_run(get_put_thread, dmabuf, "get-put-%d",
					 i);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, threads[i]);
	}
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		kthread_stop(threads[i]);

	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_RELEASE), 0);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(mock));
	mock_race_report(test, 2 * RACE_ROUNDS);
}

static struct kunit_case dma_buf_cases[] = {
	KUNIT_CASE_PARAM(dma_buf_test_export, export_gen_params),
	KUNIT_CASE(dma_buf_test_export_fields),
	KUNIT_CASE(dma_buf_test_export_flags),
	KUNIT_CASE(dma_buf_test_export_makes_a_resv),
	KUNIT_CASE(dma_buf_test_export_takes_a_resv),
	KUNIT_CASE(dma_buf_test_release_comes_last),
	KUNIT_CASE(dma_buf_test_export_holds_the_module),
	KUNIT_CASE(dma_buf_test_release_while_attached),
	KUNIT_CASE(dma_buf_test_fd_and_get),
	KUNIT_CASE(dma_buf_test_fd_without_buffer),
	KUNIT_CASE(dma_buf_test_get_refuses),
	KUNIT_CASE(dma_buf_test_put_refuses),
	KUNIT_CASE(dma_buf_test_cleanup),
	KUNIT_CASE_PARAM(dma_buf_test_set_name, name_gen_params),
	KUNIT_CASE(dma_buf_test_set_name_fault),
	KUNIT_CASE(dma_buf_test_race_get_put),
	{}
};

static struct kunit_suite dma_buf_suite = {
	.name = "dma_buf",
	.test_cases = dma_buf_cases,
};

kunit_test_suite(dma_buf_suite);
