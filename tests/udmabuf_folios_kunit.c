// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite of udmabuf-folios.c
 *
 * Pins of real shmem memory, a file per case. Walks over lists are in
 * dma_buf_pages_kunit.c, dma-bufs in udmabuf_kunit.c.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/dma-buf-pages.h>
#include <linux/err.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "../udmabuf-private.h"
#include "mock_call.h"

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);

static void put_file(void *file)
{
	fput(file);
}

static void unpin_list(void *pages)
{
	udmabuf_folios_unpin(pages);
}

/* A list that is unpinned when the case ends. */
static struct dma_buf_pages *list_create(struct kunit *test)
{
	struct dma_buf_pages *list;

	list = kunit_kzalloc(test, sizeof(*list), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, list);
	dma_buf_pages_init(list);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, unpin_list, list));
	return list;
}

static struct file *file_create(struct kunit *test, u32 pages)
{
	struct file *file;

	file = shmem_file_setup("udmabuf-test", (loff_t)pages << PAGE_SHIFT,
				VM_NORESERVE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, put_file, file));
	return file;
}

/* Each page of the file begins with its own index. */
static void file_number_pages(struct kunit *test, struct file *file, u32 pages)
{
	struct page *page;
	u32 i, *mem;

	for (i = 0; i < pages; i++) {
		page = shmem_read_mapping_page(file->f_mapping, i);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
		mem = kmap_local_page(page);
		*mem = i;
		kunmap_local(mem);
		set_page_dirty(page);
		put_page(page);
	}
}

static u32 page_number(struct page *page)
{
	u32 *mem = kmap_local_page(page);
	u32 number = *mem;

	kunmap_local(mem);
	return number;
}

/* ------------------------------------------------------------------- pins */

/* More than two batches, the last one not full. */
#define MANY	(2 * 31 + 7)

static void udmabuf_folios_test_order(struct kunit *test)
{
	struct dma_buf_pages *list = list_create(test);
	struct file *file = file_create(test, MANY);
	u32 i;

	file_number_pages(test, file, MANY);

	/* The end first, then all but the first page. */
	KUNIT_ASSERT_EQ(test, 0, udmabuf_folios_pin(list, file,
						    (MANY - 3) * PAGE_SIZE,
						    3 * PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, 0, udmabuf_folios_pin(list, file, PAGE_SIZE,
						    (MANY - 1) * PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, list->nr_pages, 3 + MANY - 1);

	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, page_number(dma_buf_pages_page(list, i)),
				MANY - 3 + i);
	for (i = 1; i < MANY; i++)
		KUNIT_EXPECT_EQ(test, page_number(dma_buf_pages_page(list, 2 + i)),
				i);
}

/* However many pages are appended together, neighbours make one run. */
static void udmabuf_folios_test_runs(struct kunit *test)
{
	struct dma_buf_pages *list = list_create(test), single;
	struct file *file = file_create(test, MANY);
	u32 i;

	file_number_pages(test, file, MANY);
	KUNIT_ASSERT_EQ(test, 0,
			udmabuf_folios_pin(list, file, 0, MANY * PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, list->nr_pages, MANY);

	dma_buf_pages_init(&single);
	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_EQ(test, 0,
				dma_buf_pages_append(&single,
						     dma_buf_pages_page(list, i),
						     1));
	KUNIT_EXPECT_EQ(test, list->nr_runs, single.nr_runs);
	for (i = 0; i < min(list->nr_runs, single.nr_runs); i++) {
		KUNIT_EXPECT_PTR_EQ(test, list->runs[i].page,
				    single.runs[i].page);
		KUNIT_EXPECT_EQ(test, list->runs[i].start,
				single.runs[i].start);
	}
	dma_buf_pages_fini(&single);
}

static void udmabuf_folios_test_pins(struct kunit *test)
{
	struct dma_buf_pages *list = list_create(test);
	struct file *file = file_create(test, 2);
	struct page *page;
	int pinned;	/* more than later: a page on its way to the LRU is held */

	KUNIT_ASSERT_EQ(test, 0,
			udmabuf_folios_pin(list, file, 0, 2 * PAGE_SIZE));
	/* Not before: a page which is held cannot be migrated out of CMA. */
	page = dma_buf_pages_page(list, 1);
	get_page(page);
	pinned = page_ref_count(page);
	KUNIT_EXPECT_TRUE(test, folio_maybe_dma_pinned(page_folio(page)));
	KUNIT_EXPECT_FALSE(test, PageDirty(page));

	udmabuf_folios_unpin(list);
	KUNIT_EXPECT_FALSE(test, folio_maybe_dma_pinned(page_folio(page)));
	KUNIT_EXPECT_LE(test, page_ref_count(page),
			pinned - (int)GUP_PIN_COUNTING_BIAS);
	KUNIT_EXPECT_EQ(test, list->nr_pages, 0);
	KUNIT_EXPECT_EQ(test, list->nr_runs, 0);
	KUNIT_EXPECT_PTR_EQ(test, list->runs, &list->sole_run);

	/* A device may have written there: reclaim must not drop it. */
	KUNIT_EXPECT_TRUE(test, PageDirty(page));
	put_page(page);
}

/* What a pin shows of itself. */
struct pin_state {
	long references;
	long pins;
	long acquired;
	long released;
};

static long node_counted(struct folio *folio, enum node_stat_item item)
{
	struct pglist_data *node = folio_pgdat(folio);
	long sum = atomic_long_read(&node->vm_stat[item]);
	int cpu;

	for_each_online_cpu(cpu)
		sum += per_cpu_ptr(node->per_cpu_nodestats, cpu)->vm_node_stat_diff[item];
	return sum;
}

static struct pin_state pin_state(struct folio *folio)
{
	return (struct pin_state) {
		.references = folio_ref_count(folio),
		.pins = folio_has_pincount(folio) ?
			atomic_read(&folio->_pincount) : 0,
		.acquired = node_counted(folio, NR_FOLL_PIN_ACQUIRED),
		.released = node_counted(folio, NR_FOLL_PIN_RELEASED),
	};
}

/* The step from @a to @b and that from @c to @d are one and the same. */
static void expect_same_step(struct kunit *test, const struct pin_state *a,
			     const struct pin_state *b, const struct pin_state *c,
			     const struct pin_state *d)
{
	KUNIT_EXPECT_EQ(test, b->references - a->references,
			d->references - c->references);
	KUNIT_EXPECT_EQ(test, b->pins - a->pins, d->pins - c->pins);
	KUNIT_EXPECT_EQ(test, b->acquired - a->acquired, d->acquired - c->acquired);
	KUNIT_EXPECT_EQ(test, b->released - a->released, d->released - c->released);
}

/*
 * A page of the file that nothing will happen to: one on its way to the LRU is
 * held by a batch until that is full, so it takes more pages than fit into one.
 * There is a page in front of it.
 */
static struct folio *file_settled_folio(struct kunit *test, struct file *file)
{
	struct folio *folio;
	pgoff_t offset;
	u64 pos;
	u32 i;

	file_number_pages(test, file, MANY);
	/*
	 * To pin a page of CMA moves it elsewhere, which must not come later.
	 */
	for (i = 0; i < MANY; i++) {
		pos = (u64)i << PAGE_SHIFT;
		KUNIT_ASSERT_EQ(test, 1, memfd_pin_folios(file, pos, pos, &folio,
							  1, &offset));
		unpin_folio(folio);
	}
	for (i = 1; i < MANY; i++) {
		folio = shmem_read_folio(file->f_mapping, i);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, folio);
		if (folio_test_lru(folio))
			return folio;
		folio_put(folio);
	}
	return NULL;
}

/*
 * A pin of ours is to the kernel what one of memfd_pin_folios() is, and goes
 * so.
 */
static void udmabuf_folios_test_pin_is_a_pin(struct kunit *test)
{
	struct dma_buf_pages *list = list_create(test);
	struct file *file = file_create(test, MANY);
	struct folio *folio = file_settled_folio(test, file), *same;
	struct pin_state state[5];
	pgoff_t offset;
	u64 pos;

	KUNIT_ASSERT_NOT_NULL(test, folio);
	pos = (u64)folio->index << PAGE_SHIFT;

	state[0] = pin_state(folio);
	KUNIT_ASSERT_EQ(test, 1, memfd_pin_folios(file, pos, pos, &same, 1, &offset));
	state[1] = pin_state(folio);
	KUNIT_EXPECT_EQ(test, 0, udmabuf_folios_pin(list, file, pos, PAGE_SIZE));
	state[2] = pin_state(folio);
	unpin_folio(same);
	state[3] = pin_state(folio);
	KUNIT_EXPECT_TRUE(test, folio_maybe_dma_pinned(folio));
	udmabuf_folios_unpin(list);
	state[4] = pin_state(folio);
	KUNIT_EXPECT_FALSE(test, folio_maybe_dma_pinned(folio));

	expect_same_step(test, &state[0], &state[1], &state[1], &state[2]);
	expect_same_step(test, &state[2], &state[3], &state[3], &state[4]);
	KUNIT_EXPECT_EQ(test, state[4].references, state[0].references);
	KUNIT_EXPECT_EQ(test, state[4].acquired - state[0].acquired, 2);
	KUNIT_EXPECT_EQ(test, state[4].released - state[0].released, 2);
	folio_put(folio);
}

/* Pages that are there and pages that are not, in turn: both ways to pin. */
static void udmabuf_folios_test_sparse(struct kunit *test)
{
	struct dma_buf_pages *list = list_create(test);
	struct file *file = file_create(test, MANY);
	u32 i;

	file_number_pages(test, file, MANY);
	/* Holes of one, of two and of many pages, at both ends and between. */
	for (i = 0; i < MANY; i++)
		if (!i || i == 7 || i == 20 || i == 21 || (i > 30 && i < 62) ||
		    i == MANY - 1)
			shmem_truncate_range(file_inode(file), i * PAGE_SIZE,
					     (i + 1) * PAGE_SIZE - 1);

	KUNIT_ASSERT_EQ(test, 0,
			udmabuf_folios_pin(list, file, 0, MANY * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, list->nr_pages, MANY);
	for (i = 0; i < MANY; i++) {
		struct page *page = shmem_read_mapping_page(file->f_mapping, i);

		KUNIT_EXPECT_PTR_EQ(test, dma_buf_pages_page(list, i), page);
		put_page(page);
	}
}

/*
 * Pages which have been reserved and never written hold what their last owner
 * left there. Here that is the test.
 */
static void file_reserve_pages(struct kunit *test, struct file *file, u32 pages)
{
	struct folio *folio;
	u32 i;

	KUNIT_ASSERT_EQ(test, 0,
			vfs_fallocate(file, 0, 0, (loff_t)pages << PAGE_SHIFT));
	for (i = 0; i < pages; i += folio_nr_pages(folio)) {
		folio = filemap_get_folio(file->f_mapping, i);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, folio);
		KUNIT_EXPECT_FALSE(test, folio_test_uptodate(folio));
		memcpy_to_folio(folio, 0, "secret", 6);
		folio_put(folio);
	}
}

static void udmabuf_folios_test_never_written(struct kunit *test)
{
	struct dma_buf_pages *list = list_create(test);
	struct file *file = file_create(test, MANY);
	u32 i;

	file_reserve_pages(test, file, MANY);
	KUNIT_ASSERT_EQ(test, 0,
			udmabuf_folios_pin(list, file, 0, MANY * PAGE_SIZE));
	for (i = 0; i < MANY; i++) {
		KUNIT_EXPECT_EQ(test, page_number(dma_buf_pages_page(list, i)), 0);
		KUNIT_EXPECT_TRUE(test, PageUptodate(dma_buf_pages_page(list, i)));
	}
}

/* A page that a program has written stays, among others that none has. */
static void udmabuf_folios_test_some_written(struct kunit *test)
{
	struct dma_buf_pages *list = list_create(test);
	struct file *file = file_create(test, 3);
	struct page *page;

	file_reserve_pages(test, file, 3);
	page = shmem_read_mapping_page(file->f_mapping, 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	memset_page(page, 0, 0x11, sizeof(u32));
	set_page_dirty(page);
	put_page(page);

	KUNIT_ASSERT_EQ(test, 0,
			udmabuf_folios_pin(list, file, 0, 3 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, page_number(dma_buf_pages_page(list, 0)), 0);
	KUNIT_EXPECT_EQ(test, page_number(dma_buf_pages_page(list, 1)),
			0x11111111);
	KUNIT_EXPECT_EQ(test, page_number(dma_buf_pages_page(list, 2)), 0);
}

/* A file may have pages behind its end. They are not part of it. */
static void udmabuf_folios_test_behind_the_end(struct kunit *test)
{
	struct dma_buf_pages *list = list_create(test);
	struct file *file = file_create(test, 2);

	KUNIT_ASSERT_EQ(test, 0, vfs_fallocate(file, FALLOC_FL_KEEP_SIZE, 0,
					       4 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EINVAL, udmabuf_folios_pin(list, file, PAGE_SIZE,
							  2 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, list->nr_runs, 0);
	KUNIT_EXPECT_EQ(test, 0,
			udmabuf_folios_pin(list, file, 0, 2 * PAGE_SIZE));
}

/* Only hugetlbfs needs it, so the pages of another file stay unallocated. */
static void udmabuf_folios_test_populate(struct kunit *test)
{
	struct file *file = file_create(test, 2);

	KUNIT_EXPECT_EQ(test, 0,
			udmabuf_folios_populate(file, 0, 2 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, file->f_mapping->nrpages, 0);
}

/* The file forgets a pinned page: the list must not. */
static void udmabuf_folios_test_truncated(struct kunit *test)
{
	struct dma_buf_pages *list = list_create(test);
	struct file *file = file_create(test, 4);
	u32 i;

	file_number_pages(test, file, 4);
	KUNIT_ASSERT_EQ(test, 0,
			udmabuf_folios_pin(list, file, 0, 4 * PAGE_SIZE));
	shmem_truncate_range(file_inode(file), 0, 4 * PAGE_SIZE - 1);

	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, page_number(dma_buf_pages_page(list, i)), i);
}

struct refusal_case {
	const char *desc;
	u64 offset;
	u64 size;
};

#define FILE_PAGES	40
#define FILE_SIZE	(FILE_PAGES * (u64)PAGE_SIZE)
#define LAST_PAGE	((u64)LLONG_MAX + 1 - PAGE_SIZE)

static const struct refusal_case refusal_cases[] = {
	{ "refuses an empty range", 0, 0 },
	{ "refuses an unaligned offset", 1, PAGE_SIZE },
	{ "refuses an unaligned size", 0, PAGE_SIZE + 1 },
	{ "refuses a range one page too long", 0, FILE_SIZE + PAGE_SIZE },
	{ "refuses a range that starts at the end", FILE_SIZE, PAGE_SIZE },
	{ "refuses a range that leaves the file late",
	  PAGE_SIZE, FILE_SIZE },
	{ "refuses the last page that a file can have", LAST_PAGE, PAGE_SIZE },
	{ "refuses a negative offset", (u64)LLONG_MAX + 1, PAGE_SIZE },
	{ "refuses an end that wraps", PAGE_SIZE, (u64)0 - PAGE_SIZE },
};

KUNIT_ARRAY_PARAM_DESC(refusal, refusal_cases, desc);

static void udmabuf_folios_test_refusal(struct kunit *test)
{
	const struct refusal_case *refusal = test->param_value;
	struct dma_buf_pages *list = list_create(test);
	struct file *file = file_create(test, FILE_PAGES);

	KUNIT_EXPECT_EQ(test, -EINVAL,
			udmabuf_folios_pin(list, file, refusal->offset,
					   refusal->size));
}

static void udmabuf_folios_test_too_long(struct kunit *test)
{
	struct file *file = file_create(test, 2);
	struct dma_buf_pages list;

	dma_buf_pages_init(&list);
	list.nr_pages = UDMABUF_PAGES_MAX - 1;
	KUNIT_EXPECT_EQ(test, -EINVAL,
			udmabuf_folios_pin(&list, file, 0, 2 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, list.nr_runs, 0);
}

static void udmabuf_folios_test_wrong_file(struct kunit *test)
{
	static const struct file_operations fops = {};
	struct dma_buf_pages *list = list_create(test);
	struct file *file;

	file = anon_inode_getfile("udmabuf-test", &fops, NULL, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			udmabuf_folios_pin(list, file, 0, PAGE_SIZE));
	fput(file);
}

/* -------------------------------------------------------- too many of them */

/* Take @nr references more on a folio, until the case ends. */
struct burden {
	struct folio *folio;
	int nr;
};

static void burden_lift(void *data)
{
	struct burden *burden = data;

	folio_ref_sub(burden->folio, burden->nr);
	folio_put(burden->folio);
}

static void burden_add(struct kunit *test, struct folio *folio, int nr)
{
	struct burden *burden = kunit_kzalloc(test, sizeof(*burden), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, burden);
	folio_get(folio);
	folio_ref_add(folio, nr);
	*burden = (struct burden) { .folio = folio, .nr = nr };
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, burden_lift, burden));
}

#define REFS_MAX	((int)(UDMABUF_PINS_MAX * GUP_PIN_COUNTING_BIAS))

/* A small folio has room for exactly one pin more, and then for none. */
static void udmabuf_folios_test_last_pin(struct kunit *test)
{
	struct dma_buf_pages *first = list_create(test);
	struct dma_buf_pages *second = list_create(test);
	struct file *file = file_create(test, MANY);
	struct folio *folio = file_settled_folio(test, file);
	u64 pos;
	int before;

	KUNIT_ASSERT_NOT_NULL(test, folio);
	KUNIT_ASSERT_FALSE(test, folio_test_large(folio));
	pos = (u64)folio->index << PAGE_SHIFT;
	/* One is taken by the look-up, and one with the burden. */
	burden_add(test, folio, REFS_MAX - 1 - folio_ref_count(folio) - 2);
	folio_put(folio);

	before = folio_ref_count(folio);
	KUNIT_ASSERT_EQ(test, before, REFS_MAX - 3);
	KUNIT_EXPECT_EQ(test, 0, udmabuf_folios_pin(first, file, pos, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio),
			before + GUP_PIN_COUNTING_BIAS);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			udmabuf_folios_pin(second, file, pos, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio),
			before + GUP_PIN_COUNTING_BIAS);

	udmabuf_folios_unpin(first);
	udmabuf_folios_unpin(second);
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), before);
}

/* A count which has wrapped already is refused without a warning. */
static void udmabuf_folios_test_negative_count(struct kunit *test)
{
	struct dma_buf_pages *list = list_create(test);
	struct file *file = file_create(test, MANY);
	struct folio *folio = file_settled_folio(test, file);
	int before;
	u64 pos;

	KUNIT_ASSERT_NOT_NULL(test, folio);
	pos = (u64)folio->index << PAGE_SHIFT;
	before = folio_ref_count(folio);
	folio_ref_add(folio, INT_MAX);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			udmabuf_folios_pin(list, file, pos, PAGE_SIZE));
	folio_ref_sub(folio, INT_MAX);
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), before);
	KUNIT_EXPECT_EQ(test, list->nr_runs, 0);
	folio_put(folio);
}

/*
 * What has to be allocated goes through memfd_pin_folios(), which takes along
 * the folios behind it: they are refused there as well, and not pinned any
 * more.
 */
static void udmabuf_folios_test_behind_a_hole(struct kunit *test)
{
	struct dma_buf_pages *list = list_create(test);
	struct file *file = file_create(test, MANY);
	struct folio *folio = file_settled_folio(test, file);
	loff_t pos;
	int before;

	KUNIT_ASSERT_NOT_NULL(test, folio);
	pos = (loff_t)(folio->index - 1) << PAGE_SHIFT;
	shmem_truncate_range(file_inode(file), pos, pos + PAGE_SIZE - 1);
	burden_add(test, folio, REFS_MAX);
	folio_put(folio);

	before = folio_ref_count(folio);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			udmabuf_folios_pin(list, file, pos, 2 * PAGE_SIZE));
	udmabuf_folios_unpin(list);
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), before);
}

/* Pin one page of a file as memfd_pin_folios() does. */
static struct folio *file_pin_page(struct kunit *test, struct file *file,
				   pgoff_t index)
{
	struct folio *folio;
	pgoff_t offset;

	KUNIT_ASSERT_EQ(test, 1, memfd_pin_folios(file, index << PAGE_SHIFT,
						  ((index + 1) << PAGE_SHIFT) - 1,
						  &folio, 1, &offset));
	if (folio_test_large(folio)) {
		unpin_folio(folio);
		kunit_skip(test, "no small folios");
	}
	return folio;
}

#define GAP	3

/*
 * Succeeds if folios are appended as far as they follow each other, and the
 * others are unpinned: memfd_pin_folios() passes over one on its way to swap.
 */
static void udmabuf_folios_test_gap(struct kunit *test)
{
	struct dma_buf_pages *list = list_create(test);
	struct file *file = file_create(test, MANY);
	struct folio *folios[8];
	int i, before[8];

	file_number_pages(test, file, MANY);
	KUNIT_ASSERT_EQ(test, 0, dma_buf_pages_reserve(list, 8, GFP_KERNEL));
	for (i = 0; i < 8; i++) {
		folios[i] = file_pin_page(test, file, i < GAP ? i : i + 1);
		before[i] = folio_ref_count(folios[i]);
	}

	KUNIT_EXPECT_EQ(test, 0, udmabuf_append_pinned(list, file, folios, 8, 0,
						       9));
	KUNIT_EXPECT_EQ(test, list->nr_pages, GAP);
	for (i = 0; i < GAP; i++)
		KUNIT_EXPECT_EQ(test, page_number(dma_buf_pages_page(list, i)),
				i);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, folio_ref_count(folios[i]), i < GAP ?
				before[i] : before[i] - GUP_PIN_COUNTING_BIAS);
}

/* Succeeds if a folio that has left its file meanwhile is not appended. */
static void udmabuf_folios_test_replaced(struct kunit *test)
{
	struct dma_buf_pages *list = list_create(test);
	struct file *file = file_create(test, MANY);
	struct folio *folio;

	file_number_pages(test, file, MANY);
	KUNIT_ASSERT_EQ(test, 0, dma_buf_pages_reserve(list, 1, GFP_KERNEL));
	folio = file_pin_page(test, file, 0);
	folio_get(folio);
	shmem_truncate_range(file_inode(file), 0, PAGE_SIZE - 1);

	KUNIT_EXPECT_EQ(test, 0, udmabuf_append_pinned(list, file, &folio, 1, 0,
						       MANY));
	KUNIT_EXPECT_EQ(test, list->nr_pages, 0);
	KUNIT_EXPECT_FALSE(test, folio_maybe_dma_pinned(folio));
	folio_put(folio);
}

struct pin_all {
	struct dma_buf_pages *list;
	struct file *file;
};

static void unlock_folio(void *data)
{
	struct folio *folio = data;

	folio_unlock(folio);
	folio_put(folio);
}

static long pin_all(void *data)
{
	struct pin_all *all = data;

	return udmabuf_folios_pin(all->list, all->file, 0, MANY * PAGE_SIZE);
}

/* Succeeds if a folio that may be about to be replaced is waited for. */
static void udmabuf_folios_test_locked(struct kunit *test)
{
	struct pin_all all = {
		.list = list_create(test),
		.file = file_create(test, MANY),
	};
	struct mock_call call;
	struct folio *folio;
	u32 i;

	file_number_pages(test, all.file, MANY);
	folio = filemap_get_folio(all.file->f_mapping, GAP);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, folio);
	folio_lock(folio);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, unlock_folio,
							   folio));
	mock_call_start(test, &call, pin_all, &all);
	mock_call_expect_waits(&call);
	kunit_release_action(test, unlock_folio, folio);

	KUNIT_EXPECT_EQ(test, 0, mock_call_finish(&call));
	KUNIT_ASSERT_EQ(test, all.list->nr_pages, MANY);
	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_EQ(test, i,
				page_number(dma_buf_pages_page(all.list, i)));
}

static struct kunit_case udmabuf_folios_cases[] = {
	KUNIT_CASE(udmabuf_folios_test_order),
	KUNIT_CASE(udmabuf_folios_test_runs),
	KUNIT_CASE(udmabuf_folios_test_pins),
	KUNIT_CASE(udmabuf_folios_test_pin_is_a_pin),
	KUNIT_CASE(udmabuf_folios_test_last_pin),
	KUNIT_CASE(udmabuf_folios_test_negative_count),
	KUNIT_CASE(udmabuf_folios_test_behind_a_hole),
	KUNIT_CASE(udmabuf_folios_test_gap),
	KUNIT_CASE(udmabuf_folios_test_replaced),
	KUNIT_CASE(udmabuf_folios_test_locked),
	KUNIT_CASE(udmabuf_folios_test_sparse),
	KUNIT_CASE(udmabuf_folios_test_never_written),
	KUNIT_CASE(udmabuf_folios_test_some_written),
	KUNIT_CASE(udmabuf_folios_test_behind_the_end),
	KUNIT_CASE(udmabuf_folios_test_populate),
	KUNIT_CASE(udmabuf_folios_test_truncated),
	KUNIT_CASE_PARAM(udmabuf_folios_test_refusal, refusal_gen_params),
	KUNIT_CASE(udmabuf_folios_test_too_long),
	KUNIT_CASE(udmabuf_folios_test_wrong_file),
	{}
};

static struct kunit_suite udmabuf_folios_suite = {
	.name = "udmabuf_folios",
	.test_cases = udmabuf_folios_cases,
};

kunit_test_suite(udmabuf_folios_suite);
