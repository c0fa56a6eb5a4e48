// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of partial CPU access with bounce buffers: exactly these bytes are
 * copied.
 *
 * A device with bounce buffers has a copy of the buffer, and an exporter copies
 * between the two at begin and end. So it can be tested byte by byte what it
 * copied and what it did not. All exporters with partial access are tested
 * alike. Without bounce buffers all but the race is skipped: boot with
 * swiotlb=force.
 */
#include <kunit/test.h>

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pages.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/iosys-map.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/string.h>
#include <uapi/linux/fcntl.h>

#include "../dma-buf-pages-private.h"
#include "../udmabuf-private.h"
#include "mock_device.h"
#include "mock_fence.h"
#include "mock_files.h"
#include "mock_heap.h"
#include "mock_importer.h"
#include "mock_mapcache.h"
#include "mock_race.h"

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

static struct dma_buf *bounce_heap_runs(struct kunit *test)
{
	return bounce_heap(test, MOCK_HEAP_BACKWARD);
}

static struct file *bounce_memfd(struct kunit *test)
{
	struct file *file = shmem_file_setup("bounce-test", SIZE, VM_NORESERVE);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	SHMEM_I(file_inode(file))->seals = F_SEAL_SHRINK;
	return file;
}

/* A udmabuf of the pages of @file with these indices, in this order. */
static struct dma_buf *bounce_udmabuf_of(struct kunit *test, struct file *file,
					 const u32 indices[PAGES])
{
	struct dma_buf *dmabuf;
	struct udmabuf *buf;
	int i;

	buf = udmabuf_new();
	KUNIT_ASSERT_NOT_NULL(test, buf);
	for (i = 0; i < PAGES; i++)
		KUNIT_EXPECT_EQ(test, 0,
				udmabuf_add(buf, file, indices[i] * PAGE_SIZE,
					    PAGE_SIZE));
	dmabuf = udmabuf_publish(buf);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	return dmabuf;
}

static struct dma_buf *bounce_udmabuf(struct kunit *test)
{
	/* Back to front, so that it is not one contiguous piece. */
	static const u32 backward[PAGES] = { 3, 2, 1, 0 };
	struct dma_buf *dmabuf;
	struct file *file;

	if (!IS_ENABLED(CONFIG_UDMABUF))
		kunit_skip(test, "no udmabuf");
	file = bounce_memfd(test);
	dmabuf = bounce_udmabuf_of(test, file, backward);
	fput(file);
	return dmabuf;
}

struct bounce_case {
	const char *desc;
	struct dma_buf *(*create)(struct kunit *test);
};

static const struct bounce_case bounce_cases[] = {
	{ "a heap's buffer in one piece", bounce_heap_run },
	{ "a heap's buffer in many pieces", bounce_heap_runs },
	{ "a udmabuf", bounce_udmabuf },
};

KUNIT_ARRAY_PARAM_DESC(bounce, bounce_cases, desc);

/* ---- a device with a copy of its own */

struct bounce {
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	enum dma_data_direction dir;
	struct sg_table *sgt;
	struct iosys_map map;
	/* The buffer as the CPU sees it. */
	u8 *memory;
};

static void bounce_map(struct kunit *test, struct bounce *bounce,
		       struct device *dev, enum dma_data_direction dir)
{
	bounce->dir = dir;
	bounce->attach = dma_buf_attach(bounce->dmabuf, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, bounce->attach);
	bounce->sgt = dma_buf_map_attachment_unlocked(bounce->attach, dir);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, bounce->sgt);
}

static void bounce_unmap(struct bounce *bounce)
{
	dma_buf_unmap_attachment_unlocked(bounce->attach, bounce->sgt,
					  bounce->dir);
	dma_buf_detach(bounce->dmabuf, bounce->attach);
}

static void bounce_create(struct kunit *test, struct bounce *bounce,
			  const struct bounce_case *param)
{
	bounce->dmabuf = param->create(test);
	KUNIT_ASSERT_EQ(test, 0,
			dma_buf_vmap_unlocked(bounce->dmabuf, &bounce->map));
	bounce->memory = bounce->map.vaddr;
}

static void bounce_destroy(struct bounce *bounce)
{
	dma_buf_vunmap_unlocked(bounce->dmabuf, &bounce->map);
	dma_buf_put(bounce->dmabuf);
	mock_files_flush();
}

static void bounce_open(struct kunit *test, struct bounce *bounce)
{
	bounce_create(test, bounce, test->param_value);
	bounce_map(test, bounce, mock_device_create(test), DMA_BIDIRECTIONAL);
}

static void bounce_close(struct bounce *bounce)
{
	bounce_unmap(bounce);
	bounce_destroy(bounce);
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

/* Expect @inside in @length bytes from @offset on, and @outside elsewhere. */
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

static void
dma_buf_bounce_test_begin_moves_exactly_these_bytes(struct kunit *test)
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
		bounce_expect(test, bounce.memory, offset, length, DEVICE,
			      MEMORY);
	}
	bounce_close(&bounce);
}

static void
dma_buf_bounce_test_end_moves_exactly_these_bytes(struct kunit *test)
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

	/* Without a begin there must be no end, at no byte. */
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

/* ---- every direction of a mapping, every direction of the CPU */

enum { CPU = 0xee };

static const enum dma_data_direction bounce_dirs[] = {
	DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_BIDIRECTIONAL,
};

struct bounce_pair {
	const struct bounce_case *exporter;
	/* What the device may do, what the CPU does. */
	enum dma_data_direction mapped, cpu;
};

static const char *bounce_dir_name(enum dma_data_direction dir)
{
	return dir == DMA_TO_DEVICE ? "to" : dir == DMA_FROM_DEVICE ? "from" : "both";
}

/* Generate all combinations. */
static const void *bounce_pair_gen_params(const void *before, char *desc)
{
	static struct bounce_pair pairs[ARRAY_SIZE(bounce_cases) *
					ARRAY_SIZE(bounce_dirs) *
					ARRAY_SIZE(bounce_dirs)];
	const struct bounce_pair *last = before;
	unsigned int i = last ? last - pairs + 1 : 0;
	struct bounce_pair *pair = &pairs[i];

	if (i == ARRAY_SIZE(pairs))
		return NULL;
	pair->cpu = bounce_dirs[i % ARRAY_SIZE(bounce_dirs)];
	i /= ARRAY_SIZE(bounce_dirs);
	pair->mapped = bounce_dirs[i % ARRAY_SIZE(bounce_dirs)];
	i /= ARRAY_SIZE(bounce_dirs);
	pair->exporter = &bounce_cases[i];
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, mapped %s, CPU %s",
		 pair->exporter->desc, bounce_dir_name(pair->mapped),
		 bounce_dir_name(pair->cpu));
	return pair;
}

static bool bounce_cpu_reads(enum dma_data_direction dir)
{
	return dir != DMA_TO_DEVICE;
}

static bool bounce_cpu_writes(enum dma_data_direction dir)
{
	return dir != DMA_FROM_DEVICE;
}

static int bounce_begin(struct bounce *bounce, enum dma_data_direction dir,
			size_t offset, size_t length)
{
	if (length == SIZE)
		return dma_buf_begin_cpu_access(bounce->dmabuf, dir);
	return dma_buf_begin_cpu_access_partial(bounce->dmabuf, dir, offset,
						length);
}

static int bounce_end(struct bounce *bounce, enum dma_data_direction dir,
		      size_t offset, size_t length)
{
	if (length == SIZE)
		return dma_buf_end_cpu_access(bounce->dmabuf, dir);
	return dma_buf_end_cpu_access_partial(bounce->dmabuf, dir, offset,
					      length);
}

/* One begin and end, with the expected bytes after each step. */
static void bounce_expect_bracket(struct kunit *test, struct bounce *bounce,
				  const struct bounce_pair *pair, size_t offset,
				  size_t length, u8 *seen)
{
	bool from = pair->mapped != DMA_TO_DEVICE;
	bool into = !from || bounce_cpu_writes(pair->cpu);
	u8 want = MEMORY;

	memset(bounce->memory, MEMORY, SIZE);
	bounce_device_fill(bounce, DEVICE);
	KUNIT_EXPECT_EQ(test, 0,
			bounce_begin(bounce, pair->cpu, offset, length));
	/*
	 * A CPU that only writes need not see what the device wrote, but may.
	 */
	if (from && (bounce_cpu_reads(pair->cpu) || pair->mapped == DMA_FROM_DEVICE))
		want = DEVICE;
	bounce_expect(test, bounce->memory, offset, length, want, MEMORY);

	/* The rest of the buffer is not copied. */
	memset(bounce->memory, CPU, SIZE);
	KUNIT_EXPECT_EQ(test, 0, bounce_end(bounce, pair->cpu, offset, length));
	bounce_device_read(bounce, seen);
	bounce_expect(test, seen, offset, length, into ? CPU : DEVICE, DEVICE);
}

static void dma_buf_bounce_test_pair(struct kunit *test)
{
	const struct bounce_pair *pair = test->param_value;
	u8 *seen = kunit_kzalloc(test, SIZE, GFP_KERNEL);
	bool from = pair->mapped != DMA_TO_DEVICE;
	bool into = !from || bounce_cpu_writes(pair->cpu);
	struct bounce bounce;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, seen);
	bounce_create(test, &bounce, pair->exporter);
	for (i = 0; i < ARRAY_SIZE(bounce_ranges); i++) {
		size_t offset = bounce_ranges[i].offset;
		size_t length = bounce_ranges[i].length;

		bounce_map(test, &bounce, mock_device_create(test),
			   pair->mapped);
		if (!bounce_happens(&bounce)) {
			bounce_close(&bounce);
			kunit_skip(test,
				   "nothing bounces: boot with swiotlb=force");
		}
		bounce_expect_bracket(test, &bounce, pair, offset, length,
				      seen);
		bounce_unmap(&bounce);
		/* The unmap copies what the device has, if it may write. */
		bounce_expect(test, bounce.memory, offset, length,
			      into ? CPU : DEVICE, from ? DEVICE : CPU);
	}
	bounce_destroy(&bounce);
}

/* If the device writes nothing, memory does not change. */
static void dma_buf_bounce_test_map_keeps_content(struct kunit *test)
{
	struct bounce bounce;
	int i;

	bounce_create(test, &bounce, test->param_value);
	for (i = 0; i < ARRAY_SIZE(bounce_dirs); i++) {
		memset(bounce.memory, CPU + i, SIZE);
		bounce_map(test, &bounce, mock_device_create(test),
			   bounce_dirs[i]);
		bounce_unmap(&bounce);
		KUNIT_EXPECT_NULL(test,
				  memchr_inv(bounce.memory, CPU + i, SIZE));
	}
	bounce_destroy(&bounce);
}

/*
 * Between two uses a mapping stays, without being synced. What the CPU writes
 * then reaches the device, and what the device writes next reaches memory.
 */
static void dma_buf_bounce_test_kept_mapping(struct kunit *test)
{
	u8 *seen = kunit_kzalloc(test, SIZE, GFP_KERNEL);
	struct device *dev = mock_device_create(test);
	struct dma_buf_pages *pages;
	struct bounce bounce;
	int round, d;

	if (IS_ENABLED(CONFIG_HIGHMEM))
		kunit_skip(test, "memory without an address");
	KUNIT_ASSERT_NOT_NULL(test, seen);
	bounce_create(test, &bounce, test->param_value);
	pages = bounce.dmabuf->ops->pages(bounce.dmabuf);

	mock_mapcache_save(test);
	dma_buf_mapcache_keep_writable = true;
	dma_buf_mapcache_max_bounce = SZ_4M;
	for (round = 0; round < 2 * ARRAY_SIZE(bounce_dirs); round++) {
		d = round % ARRAY_SIZE(bounce_dirs);
		memset(bounce.memory, CPU + round, SIZE);
		bounce_map(test, &bounce, dev, bounce_dirs[d]);
		bounce_device_read(&bounce, seen);
		KUNIT_EXPECT_NULL(test, memchr_inv(seen, CPU + round, SIZE));
		if (bounce_dirs[d] != DMA_TO_DEVICE)
			bounce_device_fill(&bounce, DEVICE - round);
		bounce_unmap(&bounce);
		KUNIT_EXPECT_NULL(test, memchr_inv(bounce.memory,
						   bounce_dirs[d] == DMA_TO_DEVICE ?
						   CPU + round : DEVICE - round,
						   SIZE));
		/* From the second round on they are reused. */
		KUNIT_EXPECT_EQ(test, mock_mapcache_count_idle(pages),
				min_t(int, round + 1, ARRAY_SIZE(bounce_dirs)));
	}
	bounce_destroy(&bounce);
}

/* Three devices, or one that maps three times, one in each direction. */
static void bounce_several(struct kunit *test, bool one_device)
{
	u8 *seen = kunit_kzalloc(test, SIZE, GFP_KERNEL);
	struct device *dev = mock_device_create(test);
	struct bounce bounce[ARRAY_SIZE(bounce_dirs)];
	/* With DMA API debugging whole mappings are synced. */
	bool whole = one_device && IS_ENABLED(CONFIG_DMA_API_DEBUG);
	int i, d, writes;

	KUNIT_ASSERT_NOT_NULL(test, seen);
	bounce_create(test, &bounce[0], test->param_value);
	for (d = 0; d < ARRAY_SIZE(bounce_dirs); d++) {
		bounce[d] = bounce[0];
		bounce_map(test, &bounce[d],
			   one_device ? dev : mock_device_create(test),
			   bounce_dirs[d]);
	}
	if (!bounce_happens(&bounce[0])) {
		for (d = 0; d < ARRAY_SIZE(bounce_dirs); d++)
			bounce_unmap(&bounce[d]);
		bounce_destroy(&bounce[0]);
		kunit_skip(test, "nothing bounces: boot with swiotlb=force");
	}

	for (i = 0; i < ARRAY_SIZE(bounce_ranges) * 2; i++) {
		size_t offset = bounce_ranges[i / 2].offset;
		size_t length = bounce_ranges[i / 2].length;

		writes = i % 2 ? DMA_TO_DEVICE : DMA_BIDIRECTIONAL;
		for (d = 0; d < ARRAY_SIZE(bounce_dirs); d++)
			bounce_device_fill(&bounce[d], DEVICE + d);
		KUNIT_EXPECT_EQ(test, 0, bounce_begin(&bounce[0], writes, offset,
						      length));
		memset(bounce[0].memory, CPU, SIZE);
		KUNIT_EXPECT_EQ(test, 0, bounce_end(&bounce[0], writes, offset,
						    length));
		for (d = 0; d < ARRAY_SIZE(bounce_dirs); d++) {
			bounce_device_read(&bounce[d], seen);
			bounce_expect(test, seen, offset, length, CPU,
				      whole ? CPU : DEVICE + d);
		}
	}

	/* The last range was the whole buffer, so all copies are equal. */
	for (d = 0; d < ARRAY_SIZE(bounce_dirs); d++)
		bounce_unmap(&bounce[d]);
	KUNIT_EXPECT_NULL(test, memchr_inv(bounce[0].memory, CPU, SIZE));
	bounce_destroy(&bounce[0]);
}

static void dma_buf_bounce_test_several_devices(struct kunit *test)
{
	bounce_several(test, false);
}

static void dma_buf_bounce_test_one_device_several_times(struct kunit *test)
{
	bounce_several(test, true);
}

/*
 * A device has two buffers mapped that have pages in common, one of them has a
 * page twice. DMA API debugging complains about a sync that it cannot assign.
 */
static void dma_buf_bounce_test_common_pages(struct kunit *test)
{
	static const u32 forward[PAGES] = { 0, 1, 2, 3 };
	static const u32 twice[PAGES] = { 1, 1, 3, 1 };
	struct device *dev = mock_device_create(test);
	struct bounce plain = {}, common = {};
	struct file *file;
	int i, round;

	if (!IS_ENABLED(CONFIG_UDMABUF))
		kunit_skip(test, "no udmabuf");
	file = bounce_memfd(test);
	plain.dmabuf = bounce_udmabuf_of(test, file, forward);
	common.dmabuf = bounce_udmabuf_of(test, file, twice);
	fput(file);
	for (round = 0; round < ARRAY_SIZE(bounce_dirs); round++) {
		bounce_map(test, &plain, dev, bounce_dirs[round]);
		bounce_map(test, &common, dev, DMA_BIDIRECTIONAL);
		for (i = 0; i < ARRAY_SIZE(bounce_ranges) * 3; i++) {
			struct bounce *bounce = i % 2 ? &plain : &common;
			int dir = bounce_dirs[i % 3];
			size_t offset = bounce_ranges[i / 3].offset;
			size_t length = bounce_ranges[i / 3].length;

			KUNIT_EXPECT_EQ(test, 0, bounce_begin(bounce, dir,
							      offset, length));
			KUNIT_EXPECT_EQ(test, 0, bounce_end(bounce, dir,
							    offset, length));
		}
		bounce_unmap(&plain);
		/* Alone, it still has a page twice. */
		KUNIT_EXPECT_EQ(test, 0, bounce_begin(&common, DMA_TO_DEVICE,
						      PAGE_SIZE, 1));
		KUNIT_EXPECT_EQ(test, 0, bounce_end(&common, DMA_TO_DEVICE,
						    PAGE_SIZE, 1));
		bounce_unmap(&common);
	}
	dma_buf_put(plain.dmabuf);
	dma_buf_put(common.dmabuf);
	mock_files_flush();
}

/* What one device writes reaches another by an access of the CPU. */
static void dma_buf_bounce_test_from_one_to_another(struct kunit *test)
{
	u8 *seen = kunit_kzalloc(test, SIZE, GFP_KERNEL);
	struct bounce writer, reader;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, seen);
	bounce_create(test, &writer, test->param_value);
	reader = writer;
	bounce_map(test, &writer, mock_device_create(test), DMA_FROM_DEVICE);
	bounce_map(test, &reader, mock_device_create(test), DMA_TO_DEVICE);
	for (i = 0; bounce_happens(&writer) && i < ARRAY_SIZE(bounce_ranges); i++) {
		size_t offset = bounce_ranges[i].offset;
		size_t length = bounce_ranges[i].length;

		memset(writer.memory, MEMORY, SIZE);
		bounce_device_fill(&reader, CPU);
		bounce_device_fill(&writer, DEVICE);
		KUNIT_EXPECT_EQ(test, 0, bounce_begin(&writer, DMA_FROM_DEVICE,
						      offset, length));
		bounce_expect(test, writer.memory, offset, length, DEVICE,
			      MEMORY);
		KUNIT_EXPECT_EQ(test, 0, bounce_end(&writer, DMA_FROM_DEVICE,
						    offset, length));
		bounce_device_read(&reader, seen);
		bounce_expect(test, seen, offset, length, DEVICE, CPU);
		bounce_device_read(&writer, seen);
		KUNIT_EXPECT_NULL(test, memchr_inv(seen, DEVICE, SIZE));
	}
	bounce_unmap(&reader);
	bounce_unmap(&writer);
	bounce_destroy(&writer);
	if (!i)
		kunit_skip(test, "nothing bounces: boot with swiotlb=force");
}

/* ---- begin while the device still writes */

struct bounce_beginner {
	struct dma_buf *dmabuf;
	size_t length;
	struct completion done;
	int ret;
};

static int bounce_beginner_thread(void *data)
{
	struct bounce_beginner *beginner = data;

	allow_signal(SIGUSR1);
	if (beginner->length == SIZE)
		beginner->ret = dma_buf_begin_cpu_access(beginner->dmabuf,
							 DMA_FROM_DEVICE);
	else
		beginner->ret = dma_buf_begin_cpu_access_partial(beginner->dmabuf,
								 DMA_FROM_DEVICE, 0,
								 beginner->length);
	complete(&beginner->done);
	return 0;
}

/* The copy is made after the wait, so it has what the device wrote last. */
static void dma_buf_bounce_test_begin_copies_after_the_wait(struct kunit *test)
{
	struct bounce_beginner beginner = {};
	struct dma_fence *fence;
	struct bounce bounce;
	int i;

	bounce_open(test, &bounce);
	beginner.dmabuf = bounce.dmabuf;
	for (i = 0; bounce_happens(&bounce) && i < 2; i++) {
		beginner.length = i ? SIZE : SIZE / 2;
		init_completion(&beginner.done);
		fence = mock_fence_add(test, bounce.dmabuf->resv,
				       DMA_RESV_USAGE_WRITE);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test,
					     kthread_run(bounce_beginner_thread,
							 &beginner, "beginner"));
		/* Give the thread time to copy too early. */
		msleep(50);
		bounce_device_fill(&bounce, DEVICE + 1 + i);
		dma_fence_signal(fence);
		wait_for_completion(&beginner.done);
		KUNIT_EXPECT_EQ(test, beginner.ret, 0);
		bounce_expect(test, bounce.memory, 0, beginner.length,
			      DEVICE + 1 + i, MEMORY);
		dma_fence_put(fence);
	}
	bounce_close(&bounce);
	if (!i)
		kunit_skip(test, "nothing bounces: boot with swiotlb=force");
}

/* No segment is longer than the largest bounce buffer. */
static void dma_buf_bounce_test_long_pieces(struct kunit *test)
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
	dmabuf = mock_heap_buffer(test, heap, MOCK_HEAP_RUN,
				  MOCK_HEAP_MAX_PAGES);
	attach = dma_buf_attach(dmabuf, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, sgt);
	if (!IS_ERR_OR_NULL(sgt)) {
		KUNIT_EXPECT_EQ(test, mock_importer_bytes(sgt), dmabuf->size);
		KUNIT_EXPECT_LE(test, sg_dma_len(sgt->sgl), most);
		dma_buf_unmap_attachment_unlocked(attach, sgt,
						  DMA_BIDIRECTIONAL);
	}
	dma_buf_detach(dmabuf, attach);
	mock_heap_close(dmabuf);
}

/* ---- CPU access while devices map and unmap */

struct bounce_race {
	struct bounce bounce;
	u8 byte;
	atomic_t wrong;
};

/* After each begin the CPU reads what the device has written. */
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
 * Another device maps and unmaps between begin and end. KASAN finds an unmap
 * that does not take the lock of the list of mappings, and a begin that walks
 * the list without it.
 */
static void dma_buf_bounce_test_race_begin_map(struct kunit *test)
{
	struct bounce_race *race = kunit_kzalloc(test, sizeof(*race),
						 GFP_KERNEL);
	struct dma_buf_attachment *comes;
	struct mock_race *thread;
	struct sg_table *sgt;

	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two CPUs");
	KUNIT_ASSERT_NOT_NULL(test, race);
	bounce_open(test, &race->bounce);
	comes = mock_importer_attach(test, race->bounce.dmabuf);
	/* A mapping without bounce buffers would be passed over. */
	dma_reset_need_sync(comes->dev);

	thread = mock_race_start(test, bounce_race_turn, race);
	while (!atomic_read(&race->wrong) && mock_race_again(thread)) {
		/*
		 * To the device only, so that it does not change the content.
		 */
		mock_race_pause(thread);
		sgt = dma_buf_map_attachment_unlocked(comes, DMA_TO_DEVICE);
		mock_race_resume(thread);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
		mock_race_wait_turn(thread);
		mock_race_pause(thread);
		dma_buf_unmap_attachment_unlocked(comes, sgt, DMA_TO_DEVICE);
		mock_race_resume(thread);
	}
	mock_race_stop(test, thread);
	KUNIT_EXPECT_EQ(test, atomic_read(&race->wrong), 0);
	dma_buf_detach(race->bounce.dmabuf, comes);
	bounce_close(&race->bounce);
}

static struct kunit_case dma_buf_bounce_cases[] = {
	KUNIT_CASE(dma_buf_bounce_test_long_pieces),
	KUNIT_CASE_PARAM(dma_buf_bounce_test_begin_moves_exactly_these_bytes,
			 bounce_gen_params),
	KUNIT_CASE_PARAM(dma_buf_bounce_test_end_moves_exactly_these_bytes,
			 bounce_gen_params),
	KUNIT_CASE_PARAM(dma_buf_bounce_test_pair, bounce_pair_gen_params),
	KUNIT_CASE_PARAM(dma_buf_bounce_test_map_keeps_content,
			 bounce_gen_params),
	KUNIT_CASE_PARAM(dma_buf_bounce_test_kept_mapping, bounce_gen_params),
	KUNIT_CASE_PARAM(dma_buf_bounce_test_several_devices,
			 bounce_gen_params),
	KUNIT_CASE_PARAM(dma_buf_bounce_test_one_device_several_times,
			 bounce_gen_params),
	KUNIT_CASE(dma_buf_bounce_test_common_pages),
	KUNIT_CASE_PARAM(dma_buf_bounce_test_from_one_to_another,
			 bounce_gen_params),
	KUNIT_CASE_PARAM(dma_buf_bounce_test_begin_copies_after_the_wait,
			 bounce_gen_params),
	KUNIT_CASE_PARAM_ATTR(dma_buf_bounce_test_race_begin_map,
			      bounce_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	{}
};

static struct kunit_suite dma_buf_bounce_suite = {
	.name = "dma_buf_bounce",
	.test_cases = dma_buf_bounce_cases,
};

kunit_test_suite(dma_buf_bounce_suite);
