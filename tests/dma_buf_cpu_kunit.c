// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-cpu.c: begin and end, mmap, vmap.
 */
#include <kunit/test.h>

#include <linux/anon_inodes.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>

#include <uapi/linux/dma-buf.h>

#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_files.h"
#include "mock_user.h"

struct sync_case {
	const char *desc;
	u64 flags;
	long expect;
	/* The op that is called, and its direction. */
	enum mock_exporter_op op;
	enum dma_data_direction dir;
};

static const struct sync_case sync_cases[] = {
	{
		.desc = "succeeds to begin reading",
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ,
		.op = MOCK_OP_BEGIN_CPU,
		.dir = DMA_FROM_DEVICE,
	}, {
		.desc = "succeeds to begin writing",
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE,
		.op = MOCK_OP_BEGIN_CPU,
		.dir = DMA_TO_DEVICE,
	}, {
		.desc = "succeeds to begin both",
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW,
		.op = MOCK_OP_BEGIN_CPU,
		.dir = DMA_BIDIRECTIONAL,
	}, {
		.desc = "succeeds to end reading",
		.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ,
		.op = MOCK_OP_END_CPU,
		.dir = DMA_FROM_DEVICE,
	}, {
		.desc = "succeeds to end writing",
		.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE,
		.op = MOCK_OP_END_CPU,
		.dir = DMA_TO_DEVICE,
	}, {
		.desc = "succeeds to end both",
		.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW,
		.op = MOCK_OP_END_CPU,
		.dir = DMA_BIDIRECTIONAL,
	}, {
		.desc = "fails to begin nothing",
		.flags = DMA_BUF_SYNC_START,
		.expect = -EINVAL,
	}, {
		.desc = "fails to end nothing",
		.flags = DMA_BUF_SYNC_END,
		.expect = -EINVAL,
	}, {
		.desc = "fails with an unknown flag",
		.flags = DMA_BUF_SYNC_READ | BIT(3),
		.expect = -EINVAL,
	}, {
		.desc = "fails with an unknown flag in the upper half",
		.flags = DMA_BUF_SYNC_READ | BIT_ULL(32),
		.expect = -EINVAL,
	}, {
		.desc = "fails with the highest flag",
		.flags = DMA_BUF_SYNC_READ | BIT_ULL(63),
		.expect = -EINVAL,
	},
};

KUNIT_ARRAY_PARAM_DESC(sync, sync_cases, desc);

static void dma_buf_cpu_test_ioctl_sync(struct kunit *test)
{
	const struct sync_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_buf_sync args = { .flags = param->flags };
	long ret;

	ret = mock_user_ioctl(test, dmabuf->file, DMA_BUF_IOCTL_SYNC, &args);
	KUNIT_EXPECT_EQ(test, ret, param->expect);
	if (param->expect) {
		KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_BEGIN_CPU), 0);
		KUNIT_EXPECT_EQ(test,
				mock_exporter_calls(mock, MOCK_OP_END_CPU), 0);
	} else {
		KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, param->op), 1);
		KUNIT_EXPECT_EQ(test, mock_exporter_locked(mock, param->op), 0);
		KUNIT_EXPECT_EQ(test, mock->last_dir, param->dir);
	}
	dma_buf_put(dmabuf);
}

static void dma_buf_cpu_test_begin_end(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);

	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE),
			0);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(dmabuf, DMA_FROM_DEVICE),
			0);

	mock->fail[MOCK_OP_BEGIN_CPU] = -EAGAIN;
	mock->fail[MOCK_OP_END_CPU] = -EIO;
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE),
			-EAGAIN);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(dmabuf, DMA_FROM_DEVICE),
			-EIO);
	dma_buf_put(dmabuf);
}

static void dma_buf_cpu_test_begin_end_without_ops(struct kunit *test)
{
	static const struct mock_exporter_params params = {
		.without = BIT(MOCK_OP_BEGIN_CPU) | BIT(MOCK_OP_END_CPU),
	};
	struct dma_buf *dmabuf = mock_exporter_create(test, &params);

	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(dmabuf, DMA_TO_DEVICE),
			0);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(dmabuf, DMA_TO_DEVICE), 0);
	dma_buf_put(dmabuf);
}

static void dma_buf_cpu_test_begin_end_refuse(struct kunit *test)
{
	mock_fence_expect_misuse(test);
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(NULL, DMA_TO_DEVICE),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(NULL, DMA_TO_DEVICE),
			-EINVAL);
}

struct wait_case {
	const char *desc;
	enum dma_resv_usage usage;
	enum dma_data_direction dir;
	bool waits;
};

static const struct wait_case wait_cases[] = {
	{ "reading waits for kernel work", DMA_RESV_USAGE_KERNEL,
	  DMA_FROM_DEVICE, true },
	{ "reading waits for writers", DMA_RESV_USAGE_WRITE, DMA_FROM_DEVICE,
	  true },
	{ "reading ignores readers", DMA_RESV_USAGE_READ, DMA_FROM_DEVICE,
	  false },
	{ "reading ignores bookkeeping", DMA_RESV_USAGE_BOOKKEEP,
	  DMA_FROM_DEVICE, false },
	{ "writing waits for kernel work", DMA_RESV_USAGE_KERNEL, DMA_TO_DEVICE,
	  true },
	{ "writing waits for writers", DMA_RESV_USAGE_WRITE, DMA_TO_DEVICE,
	  true },
	{ "writing waits for readers", DMA_RESV_USAGE_READ, DMA_TO_DEVICE,
	  true },
	{ "writing ignores bookkeeping", DMA_RESV_USAGE_BOOKKEEP, DMA_TO_DEVICE,
	  false },
	{ "both wait for readers", DMA_RESV_USAGE_READ, DMA_BIDIRECTIONAL,
	  true },
	{ "both ignore bookkeeping", DMA_RESV_USAGE_BOOKKEEP, DMA_BIDIRECTIONAL,
	  false },
};

KUNIT_ARRAY_PARAM_DESC(wait, wait_cases, desc);

struct beginner {
	struct dma_buf *dmabuf;
	enum dma_data_direction dir;
	int ret;
	struct completion done;
};

static int beginner_thread(void *data)
{
	struct beginner *beginner = data;

	/* A kernel thread ignores signals unless it allows them. */
	allow_signal(SIGUSR1);
	beginner->ret = dma_buf_begin_cpu_access(beginner->dmabuf,
						 beginner->dir);
	complete(&beginner->done);
	return 0;
}

static void dma_buf_cpu_test_begin_waits(struct kunit *test)
{
	const struct wait_case *param = test->param_value;
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_fence *fence;
	struct beginner beginner = {
		.dmabuf = dmabuf,
		.dir = param->dir,
	};

	init_completion(&beginner.done);
	fence = mock_fence_add(test, dmabuf->resv, param->usage);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kthread_run(beginner_thread, &beginner,
						       "beginner"));
	if (param->waits) {
		msleep(20);
		KUNIT_EXPECT_FALSE(test,
				   try_wait_for_completion(&beginner.done));
		/*
		 * The exporter is called before the wait, which its work may
		 * end.
		 */
		KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_BEGIN_CPU), 1);
		dma_fence_signal(fence);
	}
	wait_for_completion(&beginner.done);
	KUNIT_EXPECT_EQ(test, beginner.ret, 0);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_BEGIN_CPU), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_is_signaled(fence), param->waits);

	dma_fence_signal(fence);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/*
 * An exporter that defers work until the CPU needs its result: the fence of
 * this work signals because of the begin, so a wait before it would never end.
 */
static void dma_buf_cpu_test_begin_flushes(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence;
	struct beginner beginner = {
		.dmabuf = dmabuf,
		.dir = DMA_BIDIRECTIONAL,
	};
	bool ended;

	fence = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_WRITE);
	to_mock_exporter(dmabuf)->begin_signals = fence;
	init_completion(&beginner.done);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kthread_run(beginner_thread, &beginner,
						       "beginner"));
	ended = wait_for_completion_timeout(&beginner.done, 5 * HZ);
	KUNIT_EXPECT_TRUE(test, ended);
	/* Ends the wait of the thread, should there be one. */
	dma_fence_signal(fence);
	if (!ended)
		wait_for_completion(&beginner.done);
	KUNIT_EXPECT_EQ(test, beginner.ret, 0);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* When the exporter refuses, there is no wait for devices. */
static void dma_buf_cpu_test_begin_refused_before_the_wait(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_fence *fence;
	struct beginner beginner = {
		.dmabuf = dmabuf,
		.dir = DMA_FROM_DEVICE,
	};
	bool ended;

	to_mock_exporter(dmabuf)->fail[MOCK_OP_BEGIN_CPU] = -EAGAIN;
	init_completion(&beginner.done);
	fence = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_WRITE);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kthread_run(beginner_thread, &beginner,
						       "beginner"));
	ended = wait_for_completion_timeout(&beginner.done, 5 * HZ);
	KUNIT_EXPECT_TRUE(test, ended);
	/* Ends the wait of the thread, should there be one. */
	dma_fence_signal(fence);
	if (!ended)
		wait_for_completion(&beginner.done);
	KUNIT_EXPECT_EQ(test, beginner.ret, -EAGAIN);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

/* A signal ends the wait. */
static void dma_buf_cpu_test_begin_interrupted(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct dma_fence *fence;
	struct beginner beginner = {
		.dmabuf = dmabuf,
		.dir = DMA_FROM_DEVICE,
	};
	struct task_struct *thread;

	init_completion(&beginner.done);
	fence = mock_fence_add(test, dmabuf->resv, DMA_RESV_USAGE_WRITE);

	thread = kthread_create(beginner_thread, &beginner, "beginner");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	get_task_struct(thread);
	wake_up_process(thread);
	do {
		/* Has no effect until the thread has allowed it. */
		msleep(20);
		send_sig(SIGUSR1, thread, 1);
	} while (!wait_for_completion_timeout(&beginner.done, 1));
	put_task_struct(thread);

	KUNIT_EXPECT_EQ(test, beginner.ret, -ERESTARTSYS);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_BEGIN_CPU), 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	dma_fence_signal(fence);
	dma_fence_put(fence);
	dma_buf_put(dmabuf);
}

#define MMAP_PAGES	4

struct mmap_case {
	const char *desc;
	unsigned long pages, first;
	unsigned long without;
	int fail;
	int expect;
};

static const struct mmap_case mmap_cases[] = {
	{
		.desc = "succeeds for the whole buffer",
		.pages = MMAP_PAGES,
	}, {
		.desc = "succeeds for its last page",
		.pages = 1,
		.first = MMAP_PAGES - 1,
	}, {
		.desc = "fails for one page too many",
		.pages = MMAP_PAGES + 1,
		.expect = -EINVAL,
	}, {
		.desc = "fails when it ends one page too late",
		.pages = MMAP_PAGES,
		.first = 1,
		.expect = -EINVAL,
	}, {
		.desc = "fails behind the end",
		.pages = 1,
		.first = MMAP_PAGES,
		.expect = -EINVAL,
	}, {
		.desc = "fails without an mmap op",
		.pages = 1,
		.without = BIT(MOCK_OP_MMAP),
		.expect = -EINVAL,
	}, {
		.desc = "fails as the exporter does",
		.pages = 1,
		.fail = -EPERM,
		.expect = -EPERM,
	},
};

KUNIT_ARRAY_PARAM_DESC(mmap, mmap_cases, desc);

/* Write at @address, and expect it in the pages from @first on. */
static void expect_pages(struct kunit *test, struct mock_exporter *mock,
			 unsigned long address, unsigned long pages,
			 unsigned long first)
{
	unsigned long i;
	u32 mark, seen;

	for (i = 0; i < pages; i++) {
		mark = 0x1000 + i;
		KUNIT_ASSERT_EQ(test, 0,
				copy_to_user((void __user *)(address + i * PAGE_SIZE),
					     &mark, sizeof(mark)));
		memcpy_from_page((char *)&seen, mock->pages[first + i], 0,
				 sizeof(seen));
		KUNIT_EXPECT_EQ(test, seen, mark);
	}
}

static void dma_buf_cpu_test_mmap(struct kunit *test)
{
	const struct mmap_case *param = test->param_value;
	struct mock_exporter_params params = {
		.size = MMAP_PAGES * PAGE_SIZE,
		.without = param->without,
	};
	struct dma_buf *dmabuf = mock_exporter_create(test, &params);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	unsigned long address;

	mock->fail[MOCK_OP_MMAP] = param->fail;
	address = mock_user_mmap(test, dmabuf->file, param->pages * PAGE_SIZE,
				 param->first * PAGE_SIZE);
	if (param->expect)
		KUNIT_EXPECT_EQ(test, (long)address, param->expect);
	else
		expect_pages(test, mock, address, param->pages, param->first);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_MMAP),
			!param->expect || param->fail);
	KUNIT_EXPECT_EQ(test, mock_exporter_locked(mock, MOCK_OP_MMAP), 0);
	dma_buf_put(dmabuf);
}

/* A last page that the buffer fills only in part cannot be mapped. */
static void dma_buf_cpu_test_mmap_odd_size(struct kunit *test)
{
	static const struct mock_exporter_params params = {
		.size = PAGE_SIZE + 100,
	};
	struct dma_buf *dmabuf = mock_exporter_create(test, &params);

	KUNIT_EXPECT_EQ(test, -EINVAL,
			(long)mock_user_mmap(test, dmabuf->file, 2 * PAGE_SIZE,
					     0));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			(long)mock_user_mmap(test, dmabuf->file, PAGE_SIZE,
					     PAGE_SIZE));
	dma_buf_put(dmabuf);
}

/* A driver that maps imported buffers through a file of its own. */
struct relay {
	struct dma_buf *dmabuf;
	unsigned long pgoff;
	bool right_file;
};

static int relay_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct relay *relay = file->private_data;
	int ret = dma_buf_mmap(relay->dmabuf, vma, relay->pgoff);

	relay->right_file = vma->vm_file == relay->dmabuf->file &&
			    vma->vm_pgoff == relay->pgoff;
	return ret;
}

static const struct file_operations relay_ops = {
	.mmap = relay_mmap,
};

static const struct mmap_case relay_cases[] = {
	{
		.desc = "succeeds for the whole buffer",
		.pages = MMAP_PAGES,
	}, {
		.desc = "succeeds for its last page",
		.pages = 1,
		.first = MMAP_PAGES - 1,
	}, {
		.desc = "fails for one page too many",
		.pages = MMAP_PAGES + 1,
		.expect = -EINVAL,
	}, {
		.desc = "fails behind the end",
		.pages = 1,
		.first = MMAP_PAGES,
		.expect = -EINVAL,
	}, {
		.desc = "fails when the end overflows",
		.pages = 1,
		.first = ULONG_MAX,
		.expect = -EOVERFLOW,
	}, {
		.desc = "fails without an mmap op",
		.pages = 1,
		.without = BIT(MOCK_OP_MMAP),
		.expect = -EINVAL,
	}, {
		.desc = "fails as the exporter does",
		.pages = 1,
		.fail = -EPERM,
		.expect = -EPERM,
	},
};

KUNIT_ARRAY_PARAM_DESC(relay, relay_cases, desc);

static void dma_buf_cpu_test_mmap_relayed(struct kunit *test)
{
	const struct mmap_case *param = test->param_value;
	struct mock_exporter_params params = {
		.size = MMAP_PAGES * PAGE_SIZE,
		.without = param->without,
	};
	struct dma_buf *dmabuf = mock_exporter_create(test, &params);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct relay relay = {
		.dmabuf = dmabuf,
		.pgoff = param->first,
	};
	unsigned long address;
	struct file *file;

	file = anon_inode_getfile("[relay]", &relay_ops, &relay, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	mock->fail[MOCK_OP_MMAP] = param->fail;

	address = mock_user_mmap(test, file, param->pages * PAGE_SIZE, 0);
	if (param->expect) {
		KUNIT_EXPECT_EQ(test, (long)address, param->expect);
	} else {
		KUNIT_EXPECT_TRUE(test, relay.right_file);
		expect_pages(test, mock, address, param->pages, param->first);
	}
	fput(file);
	mock_files_flush();
	dma_buf_put(dmabuf);
}

static void dma_buf_cpu_test_mmap_refuses(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);

	mock_fence_expect_misuse(test);
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(dmabuf, NULL, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_buf_mmap(NULL, NULL, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 2);
	dma_buf_put(dmabuf);
}

/* Three users, one mapping. */
static void dma_buf_cpu_test_vmap_counts(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct iosys_map map[3];
	int i;

	for (i = 0; i < ARRAY_SIZE(map); i++) {
		KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map[i]),
				0);
		KUNIT_EXPECT_PTR_EQ(test, map[i].vaddr, mock->vaddr);
		KUNIT_EXPECT_FALSE(test, map[i].is_iomem);
		KUNIT_EXPECT_EQ(test, dmabuf->vmapping_counter, i + 1);
	}
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_VMAP), 1);
	KUNIT_EXPECT_EQ(test, mock_exporter_locked(mock, MOCK_OP_VMAP), 1);

	for (i = 0; i < ARRAY_SIZE(map); i++) {
		KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_VUNMAP),
				0);
		dma_buf_vunmap_unlocked(dmabuf, &map[i]);
	}
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_VUNMAP), 1);
	KUNIT_EXPECT_EQ(test, mock_exporter_locked(mock, MOCK_OP_VUNMAP), 1);
	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&dmabuf->vmap_ptr));

	/* A new first user maps again. */
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map[0]), 0);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_VMAP), 2);
	dma_buf_vunmap_unlocked(dmabuf, &map[0]);
	dma_buf_put(dmabuf);
}

static void dma_buf_cpu_test_vmap_locked(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct iosys_map map;
	u32 seen;

	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_ASSERT_EQ(test, dma_buf_vmap(dmabuf, &map), 0);
	iosys_map_wr(&map, PAGE_SIZE + 8, u32, 0xfeedbeef);
	memcpy_from_page((char *)&seen, mock->pages[1], 8, sizeof(seen));
	KUNIT_EXPECT_EQ(test, seen, 0xfeedbeef);
	dma_buf_vunmap(dmabuf, &map);
	dma_resv_unlock(dmabuf->resv);

	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_VUNMAP), 1);
	dma_buf_put(dmabuf);
}

static void dma_buf_cpu_test_vmap_fails(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct iosys_map map = IOSYS_MAP_INIT_VADDR(test);

	mock->fail[MOCK_OP_VMAP] = -ENOMEM;
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), -ENOMEM);
	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&map));
	KUNIT_EXPECT_EQ(test, dmabuf->vmapping_counter, 0);

	mock->fail[MOCK_OP_VMAP] = 0;
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	dma_buf_vunmap_unlocked(dmabuf, &map);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_VUNMAP), 1);
	dma_buf_put(dmabuf);
}

static void dma_buf_cpu_test_vmap_without_op(struct kunit *test)
{
	static const struct mock_exporter_params params = {
		.without = BIT(MOCK_OP_VMAP) | BIT(MOCK_OP_VUNMAP),
	};
	struct dma_buf *dmabuf = mock_exporter_create(test, &params);
	struct iosys_map map = IOSYS_MAP_INIT_VADDR(test);

	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), -EINVAL);
	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&map));
	dma_buf_put(dmabuf);
}

static void dma_buf_cpu_test_vmap_refuses(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	struct iosys_map map, other = IOSYS_MAP_INIT_VADDR(test);

	mock_fence_expect_misuse(test);
	KUNIT_EXPECT_EQ(test, dma_buf_vmap(NULL, &map), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(NULL, &map), -EINVAL);
	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&map));
	dma_buf_vunmap(NULL, &map);
	dma_buf_vunmap_unlocked(NULL, &map);

	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 4);

	/* Not mapped. */
	dma_buf_vunmap_unlocked(dmabuf, &other);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 5);
	KUNIT_EXPECT_EQ(test, dmabuf->vmapping_counter, 0);

	/* Mapped, but at another address: the mapping stays. */
	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	dma_buf_vunmap_unlocked(dmabuf, &other);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 6);
	KUNIT_EXPECT_EQ(test, dmabuf->vmapping_counter, 1);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_VUNMAP), 0);
	dma_buf_vunmap_unlocked(dmabuf, &map);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_VUNMAP), 1);
	dma_buf_put(dmabuf);
}

static struct kunit_case dma_buf_cpu_cases[] = {
	KUNIT_CASE_PARAM(dma_buf_cpu_test_ioctl_sync, sync_gen_params),
	KUNIT_CASE(dma_buf_cpu_test_begin_end),
	KUNIT_CASE(dma_buf_cpu_test_begin_end_without_ops),
	KUNIT_CASE(dma_buf_cpu_test_begin_end_refuse),
	KUNIT_CASE_PARAM(dma_buf_cpu_test_begin_waits, wait_gen_params),
	KUNIT_CASE(dma_buf_cpu_test_begin_flushes),
	KUNIT_CASE(dma_buf_cpu_test_begin_refused_before_the_wait),
	KUNIT_CASE(dma_buf_cpu_test_begin_interrupted),
	KUNIT_CASE_PARAM(dma_buf_cpu_test_mmap, mmap_gen_params),
	KUNIT_CASE(dma_buf_cpu_test_mmap_odd_size),
	KUNIT_CASE_PARAM(dma_buf_cpu_test_mmap_relayed, relay_gen_params),
	KUNIT_CASE(dma_buf_cpu_test_mmap_refuses),
	KUNIT_CASE(dma_buf_cpu_test_vmap_counts),
	KUNIT_CASE(dma_buf_cpu_test_vmap_locked),
	KUNIT_CASE(dma_buf_cpu_test_vmap_fails),
	KUNIT_CASE(dma_buf_cpu_test_vmap_without_op),
	KUNIT_CASE(dma_buf_cpu_test_vmap_refuses),
	{}
};

static struct kunit_suite dma_buf_cpu_suite = {
	.name = "dma_buf_cpu",
	.test_cases = dma_buf_cpu_cases,
};

kunit_test_suite(dma_buf_cpu_suite);
