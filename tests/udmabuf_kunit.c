// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite of udmabuf.c
 *
 * Buffers made of shmem files with seals of the test's choice, as devices and
 * the kernel see them. Ioctls and user mappings need a program:
 * tests/user/udmabuf_*test.c.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/dma-buf.h>
#include <linux/dma-direction.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/scatterlist.h>
#include <linux/shmem_fs.h>
#include <uapi/linux/fcntl.h>

#include "../udmabuf-private.h"
#include "mock_device.h"
#include "mock_files.h"

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);

#define PAGES	16

static void put_file(void *file)
{
	fput(file);
}

static void put_buffer(void *dmabuf)
{
	dma_buf_put(dmabuf);
}

/* PAGES pages of shmem, sealed like this. */
static struct file *memfd_create(struct kunit *test, unsigned int seals)
{
	struct file *file;

	file = shmem_file_setup("udmabuf-test", PAGES * PAGE_SIZE, VM_NORESERVE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, put_file, file));
	SHMEM_I(file_inode(file))->seals = seals;
	return file;
}

/* A page of the file, without a reference for the caller. */
static struct page *memfd_page(struct kunit *test, struct file *file, u32 index)
{
	struct page *page = shmem_read_mapping_page(file->f_mapping, index);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	put_page(page);
	return page;
}

/* Let each page of the file begin with its own index, behind a base. */
static void memfd_number_pages(struct kunit *test, struct file *file, u32 base)
{
	u32 i, *mem;

	for (i = 0; i < PAGES; i++) {
		struct page *page = memfd_page(test, file, i);

		mem = kmap_local_page(page);
		*mem = base + i;
		kunmap_local(mem);
		set_page_dirty(page);
	}
}

/* The whole file, back to front: no two of its pages are one run by design. */
static struct udmabuf *buffer_reversed(struct kunit *test, struct file *file)
{
	struct udmabuf *buf = udmabuf_new();
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	for (i = PAGES; i--;)
		KUNIT_EXPECT_EQ(test, 0, udmabuf_add(buf, file, i * PAGE_SIZE,
						     PAGE_SIZE));
	return buf;
}

/* Published; released when the case ends. */
static struct dma_buf *buffer_publish(struct kunit *test, struct udmabuf *buf)
{
	struct dma_buf *dmabuf = udmabuf_publish(buf);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, put_buffer, dmabuf));
	return dmabuf;
}

static struct dma_buf *buffer_create(struct kunit *test, struct file *file)
{
	struct udmabuf *buf = udmabuf_new();

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_EXPECT_EQ(test, 0, udmabuf_add(buf, file, 0, PAGES * PAGE_SIZE));
	return buffer_publish(test, buf);
}

/* ------------------------------------------------------------------ seals */

struct seal_case {
	const char *desc;
	unsigned int seals;
	int ret;
};

static const struct seal_case seal_cases[] = {
	{ "succeeds if the file cannot shrink", F_SEAL_SHRINK, 0 },
	{ "succeeds if it cannot change its size nor its seals",
	  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, 0 },
	{ "refuses a file without seals", 0, -EINVAL },
	{ "refuses a file that takes no seals", F_SEAL_SEAL, -EINVAL },
	{ "refuses a file that can shrink", F_SEAL_GROW, -EINVAL },
	{ "refuses a file that cannot be written",
	  F_SEAL_SHRINK | F_SEAL_WRITE, -EINVAL },
	{ "refuses a file that will not be written",
	  F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(seal, seal_cases, desc);

static void udmabuf_test_seals(struct kunit *test)
{
	const struct seal_case *seal = test->param_value;
	struct file *file = memfd_create(test, seal->seals);
	struct udmabuf *buf = udmabuf_new();
	struct page *page;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_EXPECT_EQ(test, seal->ret, udmabuf_add(buf, file, 0, PAGE_SIZE));
	/* Only now: to pin a page of CMA moves it elsewhere. */
	page = memfd_page(test, file, 0);
	KUNIT_EXPECT_EQ(test, !seal->ret,
			folio_maybe_dma_pinned(page_folio(page)));
	udmabuf_free(buf);
	KUNIT_EXPECT_FALSE(test, folio_maybe_dma_pinned(page_folio(page)));
}

static void udmabuf_test_wrong_file(struct kunit *test)
{
	static const struct file_operations fops = {};
	struct udmabuf *buf = udmabuf_new();
	struct file *file;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	file = anon_inode_getfile("udmabuf-test", &fops, NULL, O_RDWR);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, file);
	if (!IS_ERR_OR_NULL(file)) {
		KUNIT_EXPECT_EQ(test, -EBADFD,
				udmabuf_add(buf, file, 0, PAGE_SIZE));
		fput(file);
	}
	udmabuf_free(buf);
}

/* ------------------------------------------------------------------- life */

static void udmabuf_test_life(struct kunit *test)
{
	struct file *file = memfd_create(test, F_SEAL_SHRINK);
	struct udmabuf *buf = udmabuf_new();
	struct dma_buf *dmabuf;
	struct page *page;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_EXPECT_EQ(test, 0, udmabuf_add(buf, file, 0, PAGES * PAGE_SIZE));
	page = memfd_page(test, file, 3);

	dmabuf = udmabuf_publish(buf);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	KUNIT_EXPECT_EQ(test, dmabuf->size, PAGES * PAGE_SIZE);
	KUNIT_EXPECT_STREQ(test, dmabuf->exp_name, "udmabuf");
	KUNIT_EXPECT_TRUE(test, folio_maybe_dma_pinned(page_folio(page)));

	/* The last reference goes by way of a work item here: see to it. */
	dma_buf_put(dmabuf);
	mock_files_flush();
	KUNIT_EXPECT_FALSE(test, folio_maybe_dma_pinned(page_folio(page)));
}

/* The range that fails keeps nothing, and takes none of the others along. */
static void udmabuf_test_fails_half_way(struct kunit *test)
{
	struct file *file = memfd_create(test, F_SEAL_SHRINK);
	struct udmabuf *buf = udmabuf_new();
	struct page *page;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_EXPECT_EQ(test, 0, udmabuf_add(buf, file, 0, 2 * PAGE_SIZE));
	page = memfd_page(test, file, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			udmabuf_add(buf, file, 0, (PAGES + 1) * PAGE_SIZE));
	KUNIT_EXPECT_TRUE(test, folio_maybe_dma_pinned(page_folio(page)));
	udmabuf_free(buf);
	KUNIT_EXPECT_FALSE(test, folio_maybe_dma_pinned(page_folio(page)));
}

/* ---------------------------------------------------------------- devices */

/* How many pages the device was given, by its own view of the table. */
static u32 device_pages(struct sg_table *sgt)
{
	struct scatterlist *sg;
	u64 bytes = 0;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i)
		bytes += sg_dma_len(sg);
	return bytes >> PAGE_SHIFT;
}

static void udmabuf_test_map(struct kunit *test)
{
	struct file *file = memfd_create(test, F_SEAL_SHRINK);
	struct dma_buf *dmabuf = buffer_publish(test, buffer_reversed(test, file));
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	attach = dma_buf_attach(dmabuf, mock_device_create(test));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);

	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, sgt);
	if (!IS_ERR_OR_NULL(sgt)) {
		KUNIT_EXPECT_EQ(test, device_pages(sgt), PAGES);
		dma_buf_unmap_attachment_unlocked(attach, sgt,
						  DMA_BIDIRECTIONAL);
	}
	dma_buf_detach(dmabuf, attach);
}

/* Two devices, each with a table of its own, one for each direction. */
static void udmabuf_test_two_devices(struct kunit *test)
{
	static const enum dma_data_direction dirs[] = {
		DMA_TO_DEVICE, DMA_FROM_DEVICE,
	};
	struct file *file = memfd_create(test, F_SEAL_SHRINK);
	struct dma_buf *dmabuf = buffer_create(test, file);
	struct dma_buf_attachment *attach[2];
	struct sg_table *sgt[2];
	u32 i;

	for (i = 0; i < 2; i++) {
		attach[i] = dma_buf_attach(dmabuf, mock_device_create(test));
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach[i]);
		sgt[i] = dma_buf_map_attachment_unlocked(attach[i], dirs[i]);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt[i]);
	}
	KUNIT_EXPECT_PTR_NE(test, sgt[0], sgt[1]);

	KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access(dmabuf,
							  DMA_BIDIRECTIONAL));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(dmabuf,
							DMA_BIDIRECTIONAL));

	for (i = 0; i < 2; i++) {
		dma_buf_unmap_attachment_unlocked(attach[i], sgt[i], dirs[i]);
		dma_buf_detach(dmabuf, attach[i]);
	}

	/* No device has it mapped any more; the CPU may still access it. */
	KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access(dmabuf,
							  DMA_TO_DEVICE));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(dmabuf, DMA_TO_DEVICE));
}

/* Mapped once per attachment: the importer may count on the same table. */
static void udmabuf_test_map_is_cached(struct kunit *test)
{
	struct file *file = memfd_create(test, F_SEAL_SHRINK);
	struct dma_buf *dmabuf = buffer_create(test, file);
	struct dma_buf_attachment *attach;
	struct sg_table *first, *second;

	attach = dma_buf_attach(dmabuf, mock_device_create(test));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);

	first = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, first);
	dma_buf_unmap_attachment_unlocked(attach, first, DMA_TO_DEVICE);

	second = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_EXPECT_PTR_EQ(test, first, second);
	dma_buf_unmap_attachment_unlocked(attach, second, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, attach);
}

static void udmabuf_test_end_before_begin(struct kunit *test)
{
	struct file *file = memfd_create(test, F_SEAL_SHRINK);
	struct dma_buf *dmabuf = buffer_create(test, file);

	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL));
	KUNIT_EXPECT_EQ(test, 0,
			dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE));
	KUNIT_EXPECT_EQ(test, 0,
			dma_buf_end_cpu_access(dmabuf, DMA_FROM_DEVICE));
}

/* ------------------------------------------------------------- the kernel */

static void udmabuf_test_vmap(struct kunit *test)
{
	struct file *file = memfd_create(test, F_SEAL_SHRINK);
	struct dma_buf *dmabuf;
	struct iosys_map map;
	u32 i, *mem;

	memfd_number_pages(test, file, 100);
	dmabuf = buffer_publish(test, buffer_reversed(test, file));

	KUNIT_ASSERT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &map));
	KUNIT_EXPECT_FALSE(test, map.is_iomem);
	for (i = 0; i < PAGES; i++) {
		mem = map.vaddr + i * PAGE_SIZE;
		KUNIT_EXPECT_EQ(test, *mem, 100 + PAGES - 1 - i);
		*mem = 200 + i;
	}
	dma_buf_vunmap_unlocked(dmabuf, &map);

	for (i = 0; i < PAGES; i++) {
		mem = kmap_local_page(memfd_page(test, file, i));
		KUNIT_EXPECT_EQ(test, *mem, 200 + PAGES - 1 - i);
		kunmap_local(mem);
	}
}

/* What is in one piece already is not mapped a second time. */
static void udmabuf_test_vmap_one_piece(struct kunit *test)
{
	struct file *file = memfd_create(test, F_SEAL_SHRINK);
	struct udmabuf *buf = udmabuf_new();
	struct dma_buf *dmabuf;
	struct iosys_map map;
	u32 *mem;

	memfd_number_pages(test, file, 0);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_EXPECT_EQ(test, 0,
			udmabuf_add(buf, file, 5 * PAGE_SIZE, PAGE_SIZE));
	dmabuf = buffer_publish(test, buf);

	KUNIT_ASSERT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &map));
	mem = map.vaddr;
	KUNIT_EXPECT_EQ(test, *mem, 5);
	if (!IS_ENABLED(CONFIG_HIGHMEM))
		KUNIT_EXPECT_PTR_EQ(test, map.vaddr,
				    page_address(memfd_page(test, file, 5)));
	dma_buf_vunmap_unlocked(dmabuf, &map);
}

static struct kunit_case udmabuf_cases[] = {
	KUNIT_CASE_PARAM(udmabuf_test_seals, seal_gen_params),
	KUNIT_CASE(udmabuf_test_wrong_file),
	KUNIT_CASE(udmabuf_test_life),
	KUNIT_CASE(udmabuf_test_fails_half_way),
	KUNIT_CASE(udmabuf_test_map),
	KUNIT_CASE(udmabuf_test_two_devices),
	KUNIT_CASE(udmabuf_test_map_is_cached),
	KUNIT_CASE(udmabuf_test_end_before_begin),
	KUNIT_CASE(udmabuf_test_vmap),
	KUNIT_CASE(udmabuf_test_vmap_one_piece),
	{}
};

static struct kunit_suite udmabuf_suite = {
	.name = "udmabuf",
	.test_cases = udmabuf_cases,
};

kunit_test_suite(udmabuf_suite);
