// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-revoke.c: what a revoked buffer refuses, the mappings kept
 * for its pages, a map that races, and what programs may do.
 *
 * Importers are in dma_buf_revoke_importer_kunit.c, waits in
 * dma_buf_revoke_wait_kunit.c. What programs see of it, page faults, io_uring
 * and descriptors among them, is in user/revoke_test.c, and the page tables of
 * heaps in heap_mmap_kunit.c.
 */
#include <kunit/test.h>

#include <linux/cred.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pages.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>

#include <uapi/linux/dma-buf.h>

#include "../dma-buf-pages-private.h"
#include "dma_buf_revoke_kunit.h"
#include "lab/sample.h"
#include "mock_device.h"
#include "mock_exporter.h"
#include "mock_fence.h"
#include "mock_files.h"
#include "mock_importer.h"
#include "mock_mapcache.h"
#include "mock_race.h"
#include "mock_user.h"

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);

/* -- every verb ------------------------------------------------------------ */

static int verb_attach(struct verbs *v)
{
	struct dma_buf_attachment *attach;

	attach = dma_buf_attach(v->dmabuf, v->attach->dev);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	dma_buf_detach(v->dmabuf, attach);
	return 0;
}

static int verb_dynamic_attach(struct verbs *v)
{
	struct dma_buf_attachment *attach;

	attach = dma_buf_dynamic_attach(v->dmabuf, v->attach->dev,
					&mock_importer_ops, &v->importer);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	dma_buf_detach(v->dmabuf, attach);
	return 0;
}

static int verb_dynamic_map(struct verbs *v)
{
	int ret = mock_importer_map(&v->importer);

	mock_importer_unmap(&v->importer);
	return ret;
}

static int verb_pin(struct verbs *v)
{
	int ret;

	dma_resv_lock(v->dmabuf->resv, NULL);
	ret = dma_buf_pin(v->importer.attach);
	if (!ret)
		dma_buf_unpin(v->importer.attach);
	dma_resv_unlock(v->dmabuf->resv);
	return ret;
}

static int verb_pin_batch(struct verbs *v)
{
	int ret = dma_buf_pin_attachments_unlocked(&v->importer.attach, 1);

	if (!ret)
		dma_buf_unpin_attachments_unlocked(&v->importer.attach, 1);
	return ret;
}

static int verb_wait_batch(struct verbs *v)
{
	long ret = dma_buf_wait_attachments(&v->attach, 1, DMA_RESV_USAGE_READ,
					    true, 1);

	return min(ret, 0L);
}

static int verb_vmap(struct verbs *v)
{
	struct iosys_map map;
	int ret = dma_buf_vmap_unlocked(v->dmabuf, &map);

	if (ret)
		KUNIT_EXPECT_TRUE(v->test, iosys_map_is_null(&map));
	else
		dma_buf_vunmap_unlocked(v->dmabuf, &map);
	return ret;
}

static int verb_sync(struct verbs *v)
{
	struct dma_buf_sync sync = {
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ,
	};

	return mock_user_ioctl(v->test, v->dmabuf->file, DMA_BUF_IOCTL_SYNC,
			       &sync);
}

static int verb_sync_partial(struct verbs *v)
{
	struct dma_buf_sync_partial sync = {
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ, .length = 1,
	};

	return mock_user_ioctl(v->test, v->dmabuf->file,
			       DMA_BUF_IOCTL_SYNC_PARTIAL, &sync);
}

static int verb_mmap(struct verbs *v)
{
	unsigned long address = mock_user_mmap(v->test, v->dmabuf->file,
					       v->dmabuf->size, 0);

	if (IS_ERR_VALUE(address))
		return address;
	return vm_munmap(address, v->dmabuf->size);
}

static int verb_export(struct verbs *v)
{
	struct dma_buf_export_sync_file args = { .flags = DMA_BUF_SYNC_READ };
	int ret;

	ret = mock_user_ioctl(v->test, v->dmabuf->file,
			      DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &args);
	return ret ?: close_fd(args.fd);
}

static int verb_import(struct verbs *v)
{
	struct dma_buf_import_sync_file args = {
		.flags = DMA_BUF_SYNC_READ, .fd = v->sync_file,
	};

	return mock_user_ioctl(v->test, v->dmabuf->file,
			       DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &args);
}

/* Those which stay. */

static int verb_end(struct verbs *v)
{
	return dma_buf_end_cpu_access(v->dmabuf, DMA_FROM_DEVICE);
}

static int verb_end_partial(struct verbs *v)
{
	return dma_buf_end_cpu_access_partial(v->dmabuf, DMA_TO_DEVICE, 1, 1);
}

static int verb_sync_end(struct verbs *v)
{
	struct dma_buf_sync sync = {
		.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ,
	};

	return mock_user_ioctl(v->test, v->dmabuf->file, DMA_BUF_IOCTL_SYNC,
			       &sync);
}

static int verb_seek(struct verbs *v)
{
	loff_t size = vfs_llseek(v->dmabuf->file, 0, SEEK_END);

	return size == v->dmabuf->size ? 0 : size;
}

static int verb_name(struct verbs *v)
{
	return v->dmabuf->file->f_op->unlocked_ioctl(v->dmabuf->file,
				DMA_BUF_SET_NAME,
				(unsigned long)mock_user_string(v->test, "r"));
}

static const struct verb_case {
	const char *desc;
	int (*verb)(struct verbs *v);
	int after;
	bool sync_file;
} verb_cases[] = {
	{ "attach", verb_attach, -ENODEV },
	{ "attach a dynamic importer", verb_dynamic_attach, -ENODEV },
	{ "map", verb_map, -ENODEV },
	{ "map for a dynamic importer", verb_dynamic_map, -ENODEV },
	{ "map a batch", verb_map_batch, -ENODEV },
	{ "pin", verb_pin, -ENODEV },
	{ "pin a batch", verb_pin_batch, -ENODEV },
	{ "wait for a batch", verb_wait_batch, -ENODEV },
	{ "vmap", verb_vmap, -ENODEV },
	{ "begin", verb_begin, -ENODEV },
	{ "begin a part", verb_begin_partial, -ENODEV },
	{ "SYNC start", verb_sync, -ENODEV },
	{ "SYNC_PARTIAL start", verb_sync_partial, -ENODEV },
	{ "read", verb_read, -ENODEV },
	{ "write", verb_write, -ENODEV },
	{ "mmap", verb_mmap, -ENODEV },
	{ "export a sync file", verb_export, -ENODEV, true },
	{ "import a sync file", verb_import, -ENODEV, true },
	{ "end", verb_end, 0 },
	{ "end a part", verb_end_partial, 0 },
	{ "SYNC end", verb_sync_end, 0 },
	{ "seek", verb_seek, 0 },
	{ "set the name", verb_name, 0 },
};

KUNIT_ARRAY_PARAM_DESC(verb, verb_cases, desc);

static int verbs_open_sync_file(struct verbs *v)
{
	struct dma_buf_export_sync_file args = { .flags = DMA_BUF_SYNC_READ };

	KUNIT_ASSERT_EQ(v->test, 0,
			mock_user_ioctl(v->test, v->dmabuf->file,
					DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &args));
	return args.fd;
}

/* Succeeds if a verb works before, and is refused, or not, afterwards. */
static void dma_buf_revoke_test_verb(struct kunit *test)
{
	const struct verb_case *param = test->param_value;
	struct verbs v = {
		.test = test,
		.dmabuf = mock_exporter_create(test, &dynamic_exporter),
	};
	struct mock_exporter *mock = to_mock_exporter(v.dmabuf);

	if (param->sync_file && !IS_ENABLED(CONFIG_SYNC_FILE)) {
		dma_buf_put(v.dmabuf);
		kunit_skip(test, "no sync files");
	}
	v.attach = mock_importer_attach(test, v.dmabuf);
	mock_importer_join(test, v.dmabuf, &v.importer);
	if (param->sync_file)
		v.sync_file = verbs_open_sync_file(&v);

	KUNIT_EXPECT_EQ(test, param->verb(&v), 0);
	KUNIT_EXPECT_FALSE(test, dma_buf_is_revoked(v.dmabuf));
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(v.dmabuf, false), 0);
	KUNIT_EXPECT_TRUE(test, dma_buf_is_revoked(v.dmabuf));
	KUNIT_EXPECT_EQ(test, param->verb(&v), param->after);
	/* For good. */
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(v.dmabuf, true), 0);
	KUNIT_EXPECT_EQ(test, param->verb(&v), param->after);

	if (param->sync_file)
		close_fd(v.sync_file);
	dma_buf_detach(v.dmabuf, v.attach);
	dma_buf_detach(v.dmabuf, v.importer.attach);
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_MAP),
			mock_exporter_calls(mock, MOCK_OP_UNMAP));
	KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_PIN),
			mock_exporter_calls(mock, MOCK_OP_UNPIN));
	dma_buf_put(v.dmabuf);
}

/* -- page-backed memory ---------------------------------------------------- */

#if IS_ENABLED(CONFIG_DMABUF_PAGES)
static unsigned int count_idle(struct dma_buf *dmabuf)
{
	return mock_mapcache_count_idle(dmabuf->priv);
}

/* Succeeds if idle mappings go, and those in use do not become idle. */
static void dma_buf_revoke_test_idle_mappings(struct kunit *test)
{
	bool enabled = dma_buf_mapcache_enabled;
	struct dma_buf *dmabuf = dmabuf_lab_sample_create(3);
	struct dma_buf_attachment *idle, *used;
	struct dma_buf_pages *pages;
	struct sg_table *sgt;
	struct iosys_map map;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	pages = dmabuf->priv;
	dma_buf_mapcache_enabled = true;
	idle = mock_importer_attach(test, dmabuf);
	used = mock_importer_attach(test, dmabuf);
	sgt = dma_buf_map_attachment_unlocked(idle, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	dma_buf_unmap_attachment_unlocked(idle, sgt, DMA_TO_DEVICE);
	sgt = dma_buf_map_attachment_unlocked(used, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 1);
	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	dma_buf_vunmap_unlocked(dmabuf, &map);

	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), -EBUSY);
	KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 0);
	KUNIT_EXPECT_NULL(test, pages->vaddr);
	dma_buf_unmap_attachment_unlocked(used, sgt, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, count_idle(dmabuf), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), 0);

	dma_buf_mapcache_enabled = enabled;
	dma_buf_detach(dmabuf, idle);
	dma_buf_detach(dmabuf, used);
	dma_buf_put(dmabuf);
	mock_files_flush();
}
#endif

/* -- races ----------------------------------------------------------------- */

/* What the case shares with the race thread, which maps and unmaps. */
struct mapper {
	struct mock_importer importer;
	bool here;		/* there is a buffer to map, */
	bool busy;		/* which the race thread uses */
	atomic_t wrong;
};

/* Each round leaves a mock behind until the case ends. */
#define MAPPER_ROUNDS	300

static void mapper_turn(void *data)
{
	struct mapper *mapper = data;
	int ret;

	/* Pairs with mapper_detach(): one sees what the other has written. */
	smp_store_mb(mapper->busy, true);
	if (READ_ONCE(mapper->here)) {
		ret = mock_importer_map(&mapper->importer);
		if (ret && ret != -ENODEV)
			atomic_inc(&mapper->wrong);
		mock_race_linger();
		mock_importer_unmap(&mapper->importer);
	}
	/* Pairs with mapper_detach(): after all that was done above. */
	smp_store_release(&mapper->busy, false);
}

static void mapper_attach(struct kunit *test, struct mapper *mapper,
			  struct dma_buf *dmabuf, struct device *dev)
{
	mapper->importer.attach =
		dma_buf_dynamic_attach(dmabuf, dev,
				       &mock_importer_revocable_ops,
				       &mapper->importer);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mapper->importer.attach);
	/* Pairs with mapper_turn(): after the attachment. */
	smp_store_mb(mapper->here, true);
}

static void mapper_detach(struct mapper *mapper, struct dma_buf *dmabuf)
{
	/* Pairs with mapper_turn(). */
	smp_store_mb(mapper->here, false);
	/* Pairs with the end of mapper_turn(). */
	while (smp_load_acquire(&mapper->busy))
		cond_resched();
	dma_buf_detach(dmabuf, mapper->importer.attach);
}

/*
 * Succeeds if, whenever a map meets a revocation, it is either refused, or the
 * importer is told and has unmapped when dma_buf_revoke() returns 0.
 */
static void dma_buf_revoke_test_race_map(struct kunit *test)
{
	static const struct mock_exporter_params page = {
		.dynamic = true, .size = PAGE_SIZE,
	};
	struct mapper *mapper = kunit_kzalloc(test, sizeof(*mapper),
					      GFP_KERNEL);
	struct device *dev = mock_device_create(test);
	struct mock_exporter *mock;
	struct mock_race *thread;
	struct dma_buf *dmabuf;

	mock_race_suite_init(test);
	KUNIT_ASSERT_NOT_NULL(test, mapper);
	thread = mock_race_start(test, mapper_turn, mapper);
	while (thread->rounds < MAPPER_ROUNDS && mock_race_again(thread)) {
		dmabuf = mock_exporter_create(test, &page);
		mock = to_mock_exporter(dmabuf);
		mapper_attach(test, mapper, dmabuf, dev);
		mock_race_delay_test(thread);

		KUNIT_EXPECT_EQ(test, dma_buf_revoke(dmabuf, false), 0);
		dma_resv_lock(dmabuf->resv, NULL);
		KUNIT_EXPECT_NULL(test, mapper->importer.sgt);
		dma_resv_unlock(dmabuf->resv);
		KUNIT_EXPECT_EQ(test, mock_exporter_calls(mock, MOCK_OP_MAP),
				mock_exporter_calls(mock, MOCK_OP_UNMAP));

		mapper_detach(mapper, dmabuf);
		dma_buf_put(dmabuf);
	}
	mock_race_stop(test, thread);

	KUNIT_EXPECT_EQ(test, atomic_read(&mapper->wrong), 0);
}

/* -- programs -------------------------------------------------------------- */

/*
 * Succeeds if only the buffer that is revoked loses mappings, when its file has
 * the address space of another inode, as all buffers of a DRM device have. What
 * mmap has entered would not come back.
 */
static void dma_buf_revoke_test_shared_mapping(struct kunit *test)
{
	struct dma_buf *device = mock_exporter_create(test, NULL);
	struct dma_buf *revoked = mock_exporter_create(test, NULL);
	struct dma_buf *other = mock_exporter_create(test, NULL);
	unsigned long address;
	u32 value __maybe_unused;

	revoked->file->f_mapping = device->file->f_mapping;
	other->file->f_mapping = device->file->f_mapping;
	address = mock_user_mmap(test, other->file, other->size, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(address));
	KUNIT_EXPECT_EQ(test, get_user(value, (u32 __user *)address), 0);

	KUNIT_EXPECT_EQ(test, dma_buf_revoke(revoked, false), 0);
	KUNIT_EXPECT_EQ(test, get_user(value, (u32 __user *)address), 0);

	KUNIT_EXPECT_EQ(test, vm_munmap(address, other->size), 0);
	revoked->file->f_mapping = file_inode(revoked->file)->i_mapping;
	other->file->f_mapping = file_inode(other->file)->i_mapping;
	dma_buf_put(other);
	dma_buf_put(revoked);
	dma_buf_put(device);
}

static long revoke_ioctl(struct dma_buf *dmabuf, unsigned long arg)
{
	return dmabuf->file->f_op->unlocked_ioctl(dmabuf->file,
						  DMA_BUF_IOCTL_REVOKE, arg);
}

/* The same, as another user without capabilities. */
static long revoke_ioctl_as(struct kunit *test, struct dma_buf *dmabuf,
			    unsigned int uid)
{
	struct cred *cred = prepare_creds();
	const struct cred *old;
	long ret;

	KUNIT_ASSERT_NOT_NULL(test, cred);
	cred->euid = make_kuid(&init_user_ns, uid);
	cap_clear(cred->cap_effective);
	old = override_creds(cred);
	ret = revoke_ioctl(dmabuf, 0);
	revert_creds(old);
	put_cred(cred);
	return ret;
}

/* Succeeds if the ioctl is refused where it should be, and only there. */
static void dma_buf_revoke_test_ioctl(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(dmabuf);
	unsigned int owner = from_kuid(&init_user_ns,
				       dmabuf->file->f_cred->euid);

	KUNIT_EXPECT_EQ(test, revoke_ioctl(dmabuf, 0), -EOPNOTSUPP);
	mock->ops.user_revoke = true;
	KUNIT_EXPECT_EQ(test, revoke_ioctl(dmabuf, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, revoke_ioctl_as(test, dmabuf, owner + 1), -EPERM);
	KUNIT_EXPECT_FALSE(test, dma_buf_is_revoked(dmabuf));

	KUNIT_EXPECT_EQ(test, revoke_ioctl_as(test, dmabuf, owner), 0);
	KUNIT_EXPECT_TRUE(test, dma_buf_is_revoked(dmabuf));
	KUNIT_EXPECT_EQ(test, revoke_ioctl(dmabuf, 0), 0);
	KUNIT_EXPECT_EQ(test, revoke_ioctl_as(test, dmabuf, owner + 1), -EPERM);
	dma_buf_put(dmabuf);
}

static void dma_buf_revoke_test_no_buffer(struct kunit *test)
{
	mock_fence_expect_misuse(test);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(NULL, false), -EINVAL);
}

static struct kunit_case dma_buf_revoke_test_cases[] = {
	KUNIT_CASE_PARAM(dma_buf_revoke_test_verb, verb_gen_params),
#if IS_ENABLED(CONFIG_DMABUF_PAGES)
	KUNIT_CASE(dma_buf_revoke_test_idle_mappings),
#endif
	KUNIT_CASE_SLOW(dma_buf_revoke_test_race_map),
	KUNIT_CASE(dma_buf_revoke_test_shared_mapping),
	KUNIT_CASE(dma_buf_revoke_test_ioctl),
	KUNIT_CASE(dma_buf_revoke_test_no_buffer),
	{}
};

static struct kunit_suite dma_buf_revoke_test_suite = {
	.name = "dma_buf_revoke",
	.test_cases = dma_buf_revoke_test_cases,
};

kunit_test_suite(dma_buf_revoke_test_suite);
