// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of partial CPU access where memory bounces: exactly these bytes move.
 *
 * A device that bounces has a copy of the buffer. What an exporter does at begin
 * and end is copying between the two, so that here, unlike anywhere else,
 * what it did and what it left alone can be seen byte by byte. All exporters that
 * know parts are asked the same. Without bouncing all but the race is skipped:
 * boot with swiotlb=force.
 */
#include <kunit/test.h>

#include <linux/dma-buf.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/shmem_fs.h>
#include <linux/string.h>
#include <uapi/linux/fcntl.h>

#include "../udmabuf-private.h"
#include "mock_device.h"
#include "mock_heap.h"
#include "mock_importer.h"
#include "mock_rival.h"

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);

#define PAGES	4
#define SIZE	(PAGES * PAGE_SIZE)

enum { MEMORY = 0xcc, DEVICE = 0xdd };

/* ---- the exporters */

static struct dma_buf *bounce_heap(struct kunit *test, enum mock_heap_pieces pieces)
{
	if (!IS_ENABLED(CONFIG_DMABUF_HEAPS))
		kunit_skip(test, "no heaps");
	return mock_heap_buffer(test, mock_heap_create(test, "kunit_bounce"), pieces,
				PAGES);
}

static struct dma_buf *bounce_heap_run(struct kunit *test)
{
	return bounce_heap(test, MOCK_HEAP_RUN);
}

static struct dma_buf *bounce_heap_strangers(struct kunit *test)
{
	return bounce_heap(test, MOCK_HEAP_BACKWARD);
}

static struct dma_buf *bounce_udmabuf(struct kunit *test)
{
	struct dma_buf *dmabuf;
	struct udmabuf *buf;
	struct file *file;
	u32 i;

	if (!IS_ENABLED(CONFIG_UDMABUF))
		kunit_skip(test, "no udmabuf");
	buf = udmabuf_new();
	KUNIT_ASSERT_NOT_NULL(test, buf);
	file = shmem_file_setup("bounce-test", SIZE, VM_NORESERVE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	SHMEM_I(file_inode(file))->seals = F_SEAL_SHRINK;
	/* Back to front, so that it does not come in one piece. */
	for (i = PAGES; i--;)
		KUNIT_EXPECT_EQ(test, 0, udmabuf_add(buf, file, i * PAGE_SIZE,
						     PAGE_SIZE));
	fput(file);
	dmabuf = udmabuf_publish(buf);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	return dmabuf;
}

struct bounce_case {
	const char *desc;
	struct dma_buf *(*create)(struct kunit *test);
};

static const struct bounce_case bounce_cases[] = {
	{ "a heap's buffer in one piece", bounce_heap_run },
	{ "a heap's buffer in many pieces", bounce_heap_strangers },
	{ "a udmabuf", bounce_udmabuf },
};

KUNIT_ARRAY_PARAM_DESC(bounce, bounce_cases, desc);

/* ---- a device with a copy of its own */

struct bounce {
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	struct iosys_map map;
	/* The buffer as the CPU sees it. */
	u8 *memory;
};

static void bounce_open(struct kunit *test, struct bounce *bounce)
{
	const struct bounce_case *param = test->param_value;

	bounce->dmabuf = param->create(test);
	KUNIT_ASSERT_EQ(test, 0, dma_buf_vmap_unlocked(bounce->dmabuf, &bounce->map));
	bounce->memory = bounce->map.vaddr;
	bounce->attach = dma_buf_attach(bounce->dmabuf, mock_device_create(test));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, bounce->attach);
	bounce->sgt = dma_buf_map_attachment_unlocked(bounce->attach,
						      DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, bounce->sgt);
}

static void bounce_close(struct bounce *bounce)
{
	dma_buf_unmap_attachment_unlocked(bounce->attach, bounce->sgt,
					  DMA_BIDIRECTIONAL);
	dma_buf_detach(bounce->dmabuf, bounce->attach);
	dma_buf_vunmap_unlocked(bounce->dmabuf, &bounce->map);
	dma_buf_put(bounce->dmabuf);
	flush_delayed_fput();
}

/* The device writes all of its copy. */
static void bounce_device_fill(struct bounce *bounce, u8 byte)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(bounce->sgt, sg, i)
		memset(mock_device_memory(bounce->attach->dev, sg_dma_address(sg)),
		       byte, sg_dma_len(sg));
}

/* The device reads all of its copy. */
static void bounce_device_read(struct bounce *bounce, u8 *to)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(bounce->sgt, sg, i) {
		memcpy(to, mock_device_memory(bounce->attach->dev, sg_dma_address(sg)),
		       sg_dma_len(sg));
		to += sg_dma_len(sg);
	}
}

static bool bounce_happens(struct bounce *bounce)
{
	if (IS_ENABLED(CONFIG_HIGHMEM))
		return false;
	memset(bounce->memory, MEMORY, SIZE);
	bounce_device_fill(bounce, DEVICE);
	return bounce->memory[0] == MEMORY;
}

/* @inside from @offset on for @length bytes, @outside everywhere else. */
static void bounce_expect(struct kunit *test, const u8 *bytes, size_t offset,
			  size_t length, u8 inside, u8 outside)
{
	size_t at;

	for (at = 0; at < SIZE; at++) {
		u8 want = at >= offset && at - offset < length ? inside : outside;

		if (bytes[at] == want)
			continue;
		KUNIT_FAIL(test, "%zu bytes at %zu: byte %zu is %#x, not %#x",
			   length, offset, at, bytes[at], want);
		return;
	}
}

static const struct {
	size_t offset, length;
} bounce_ranges[] = {
	{ 0, 1 }, { SIZE - 1, 1 }, { 17, 3 }, { 0, PAGE_SIZE },
	{ PAGE_SIZE, 2 * PAGE_SIZE }, { PAGE_SIZE - 1, 2 },
	{ 100, SIZE - 200 }, { 2 * PAGE_SIZE - 5, PAGE_SIZE + 10 },
	{ 1, SIZE - 1 }, { 0, SIZE },
};

static void test_begin_moves_exactly_these_bytes(struct kunit *test)
{
	struct bounce bounce;
	int i;

	bounce_open(test, &bounce);
	if (!bounce_happens(&bounce)) {
		bounce_close(&bounce);
		kunit_skip(test, "nothing bounces: boot with swiotlb=force");
	}

	for (i = 0; i < ARRAY_SIZE(bounce_ranges); i++) {
		size_t offset = bounce_ranges[i].offset;
		size_t length = bounce_ranges[i].length;

		memset(bounce.memory, MEMORY, SIZE);
		bounce_device_fill(&bounce, DEVICE);
		KUNIT_EXPECT_EQ(test, 0,
				dma_buf_begin_cpu_access_partial(bounce.dmabuf,
								 DMA_FROM_DEVICE,
								 offset, length));
		bounce_expect(test, bounce.memory, offset, length, DEVICE, MEMORY);
	}
	bounce_close(&bounce);
}

static void test_end_moves_exactly_these_bytes(struct kunit *test)
{
	u8 *seen = kunit_kzalloc(test, SIZE, GFP_KERNEL);
	struct bounce bounce;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, seen);
	bounce_open(test, &bounce);
	if (!bounce_happens(&bounce)) {
		bounce_close(&bounce);
		kunit_skip(test, "nothing bounces: boot with swiotlb=force");
	}

	/* What has not begun may not end, not everywhere. */
	KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access(bounce.dmabuf,
							  DMA_TO_DEVICE));
	for (i = 0; i < ARRAY_SIZE(bounce_ranges); i++) {
		size_t offset = bounce_ranges[i].offset;
		size_t length = bounce_ranges[i].length;

		memset(bounce.memory, MEMORY, SIZE);
		bounce_device_fill(&bounce, DEVICE);
		KUNIT_EXPECT_EQ(test, 0,
				dma_buf_end_cpu_access_partial(bounce.dmabuf,
							       DMA_TO_DEVICE,
							       offset, length));
		bounce_device_read(&bounce, seen);
		bounce_expect(test, seen, offset, length, MEMORY, DEVICE);
	}
	bounce_close(&bounce);
}

/* No piece of memory is longer than what a bounce buffer holds at once. */
static void test_long_pieces(struct kunit *test)
{
	struct dma_buf_attachment *attach;
	struct mock_heap *heap;
	struct dma_buf *dmabuf;
	struct device *dev;
	struct sg_table *sgt;
	size_t most;

	if (!IS_ENABLED(CONFIG_DMABUF_HEAPS))
		kunit_skip(test, "no heaps");
	dev = mock_device_create(test);
	most = dma_max_mapping_size(dev);
	if (most >= MOCK_HEAP_MAX_PAGES * PAGE_SIZE)
		kunit_skip(test, "nothing bounces: boot with swiotlb=force");

	heap = mock_heap_create(test, "kunit_long");
	dmabuf = mock_heap_buffer(test, heap, MOCK_HEAP_RUN, MOCK_HEAP_MAX_PAGES);
	attach = dma_buf_attach(dmabuf, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, sgt);
	if (!IS_ERR_OR_NULL(sgt)) {
		KUNIT_EXPECT_EQ(test, mock_importer_bytes(sgt), dmabuf->size);
		KUNIT_EXPECT_LE(test, sg_dma_len(sgt->sgl), most);
		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	}
	dma_buf_detach(dmabuf, attach);
	mock_heap_close(dmabuf);
}

/* ---- the CPU takes its turn while devices come and go */

struct bounce_race {
	struct bounce bounce;
	u8 byte;
	atomic_t wrong;
};

/* What the device has written is there after each begin. */
static void bounce_race_turn(void *data)
{
	struct bounce_race *race = data;
	struct bounce *bounce = &race->bounce;

	bounce_device_fill(bounce, ++race->byte);
	if (dma_buf_begin_cpu_access(bounce->dmabuf, DMA_FROM_DEVICE) ||
	    memchr_inv(bounce->memory, race->byte, SIZE) ||
	    dma_buf_end_cpu_access(bounce->dmabuf, DMA_FROM_DEVICE))
		atomic_inc(&race->wrong);
}

/*
 * Another device maps and unmaps while the CPU takes its turn. Caught, by KASAN: a
 * mapping that goes without the lock under which they are all brought in line, and
 * one that does so without it while they change.
 */
static void test_race_begin_map(struct kunit *test)
{
	struct bounce_race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);
	struct dma_buf_attachment *comes;
	struct mock_rival *rival;
	struct sg_table *sgt;

	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two CPUs");
	KUNIT_ASSERT_NOT_NULL(test, race);
	bounce_open(test, &race->bounce);
	comes = mock_importer_attach(test, race->bounce.dmabuf);
	/* Or who does not bounce need not be brought in line, and is passed over. */
	dma_reset_need_sync(comes->dev);

	rival = mock_rival_start(test, bounce_race_turn, race);
	while (!atomic_read(&race->wrong) && mock_rival_again(rival)) {
		/* One way only, so that it has nothing to say of the content. */
		mock_rival_freeze(rival);
		sgt = dma_buf_map_attachment_unlocked(comes, DMA_TO_DEVICE);
		mock_rival_thaw(rival);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
		mock_rival_wait_turn(rival);
		mock_rival_freeze(rival);
		dma_buf_unmap_attachment_unlocked(comes, sgt, DMA_TO_DEVICE);
		mock_rival_thaw(rival);
	}
	mock_rival_stop(test, rival);
	KUNIT_EXPECT_EQ(test, atomic_read(&race->wrong), 0);
	dma_buf_detach(race->bounce.dmabuf, comes);
	bounce_close(&race->bounce);
}

static struct kunit_case dma_buf_bounce_cases[] = {
	KUNIT_CASE(test_long_pieces),
	KUNIT_CASE_PARAM(test_begin_moves_exactly_these_bytes, bounce_gen_params),
	KUNIT_CASE_PARAM(test_end_moves_exactly_these_bytes, bounce_gen_params),
	KUNIT_CASE_PARAM_ATTR(test_race_begin_map, bounce_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	{}
};

static struct kunit_suite dma_buf_bounce_suite = {
	.name = "dma_buf_bounce",
	.test_cases = dma_buf_bounce_cases,
};

kunit_test_suite(dma_buf_bounce_suite);
