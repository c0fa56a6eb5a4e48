// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memfd memory, pinned and put in order
 *
 * What it is: an array of {folio, first page, position} records, one per folio
 * and not one per page, so that a 2 MiB folio costs 16 bytes and one step of
 * every walk. All that a udmabuf does with its memory (scatterlists, kernel
 * and user mappings) is told in runs of contiguous pages which are read off it.
 * What it owns: the records, and with each of them one long-term pin.
 * Locks: none of its own. A list is filled by one task before anybody else
 * knows it and does not change afterwards.
 * May call: the memory management, nothing of this folder.
 * Never here: devices, dma-bufs, user space's structs, limits, seals.
 * Units: offsets and sizes of memfds are bytes; whatever is called "at" or
 * "pages" counts pages of PAGE_SIZE. Ranges exclude their end.
 *
 * A list has at most U32_MAX pages. Contiguous means consecutive page frames,
 * whichever folios they belong to.
 *
 * Lists may name a folio any number of times, but a folio is pinned at most
 * UDMABUF_PINS_MAX times: both of its counts are 32 bits wide, and a count that
 * wraps frees memory which is in use.
 */
#include <kunit/visibility.h>
#include <linux/build_bug.h>
#include <linux/err.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/overflow.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/signal.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "udmabuf-private.h"

/*
 * Make room for @more records, which stand for @done pages, with @left pages
 * yet to come. Folios are mostly of one size, so these will need records in the
 * same proportion: one allocation serves a whole range. Growing by half at
 * least keeps long lists of short ranges from copying all the time.
 */
static int udmabuf_folios_reserve(struct udmabuf_folios *folios, size_t more,
				  u32 done, u32 left)
{
	size_t need = folios->nr + more;
	struct udmabuf_extent *extents;
	size_t room;

	if (need <= folios->room)
		return 0;

	room = need + DIV_ROUND_UP_ULL((u64)left * more, done);
	room = max(room, folios->room + folios->room / 2);
	extents = kvrealloc(folios->extents, array_size(room, sizeof(*extents)),
			    GFP_KERNEL_ACCOUNT);
	if (!extents)
		return -ENOMEM;

	folios->extents = extents;
	folios->room = room;
	return 0;
}

/*
 * Record a pinned folio which holds page @index of its file; the buffer takes
 * what it has from there on, but not beyond page @end. There is room.
 */
static void udmabuf_folios_append(struct udmabuf_folios *folios,
				  struct folio *folio, pgoff_t index, pgoff_t end)
{
	folios->extents[folios->nr++] = (struct udmabuf_extent) {
		.folio = folio,
		.first = index - folio->index,
		.at = folios->pages,
	};
	folios->pages += min(folio_next_index(folio), end) - index;
}

/*
 * May the folio stay where it is for as long as it is pinned? That is said of
 * a whole pageblock, and the last one which it was said of is remembered.
 */
static bool udmabuf_folio_may_stay(struct folio *folio, unsigned long *block)
{
	unsigned long this = folio_pfn(folio) >> pageblock_order;

	if (this == *block)
		return true;
	if (!folio_is_longterm_pinnable(folio))
		return false;
	*block = this;
	return true;
}

/*
 * Test whether a folio, on which the caller has a reference, has all the pins
 * that it may have. Of a small folio, whose pins are references, the other
 * references count as well.
 *
 * CPUs which test at the same time may each go one pin beyond the limit. It is
 * half of what the counts can hold, so that neither they nor pins taken
 * elsewhere, which are refused for a count below one only, come near its end.
 */
static bool udmabuf_folio_is_exhausted(const struct folio *folio)
{
	const int max_refs = UDMABUF_PINS_MAX * GUP_PIN_COUNTING_BIAS;
	int refs = folio_ref_count(folio);

	BUILD_BUG_ON((u64)UDMABUF_PINS_MAX * GUP_PIN_COUNTING_BIAS > INT_MAX / 2 + 1);
	if (refs <= 0 || refs >= max_refs)
		return true;
	return folio_has_pincount(folio) &&
	       (unsigned int)atomic_read(&folio->_pincount) >= UDMABUF_PINS_MAX;
}

/*
 * Test whether a folio of the page cache has a page with a memory error. Whoever
 * reads or maps the file is refused such a page.
 */
static bool udmabuf_folio_is_poisoned(struct folio *folio)
{
	return folio_test_hwpoison(folio) ||
	       (folio_test_large(folio) && !folio_test_hugetlb(folio) &&
		folio_test_has_hwpoisoned(folio));
}

/* Test whether a folio may be pinned (once more). */
static int udmabuf_folio_check(struct folio *folio)
{
	if (unlikely(udmabuf_folio_is_exhausted(folio)))
		return -EINVAL;
	if (udmabuf_memory_has_errors() && udmabuf_folio_is_poisoned(folio))
		return -EIO;
	return 0;
}

/*
 * Make a pin of a reference that the caller has, and the opposite of pinning,
 * which leaves none. What a pin consists of is defined in
 * Documentation/core-api/pin_user_pages.rst; the suite compares these with what
 * memfd_pin_folios() and unpin_folio() do, and do one by one.
 */
static void udmabuf_folio_pin_reference(struct folio *folio)
{
	if (folio_has_pincount(folio))
		atomic_inc(&folio->_pincount);
	else
		folio_ref_add(folio, GUP_PIN_COUNTING_BIAS - 1);
}

static void udmabuf_folio_put_pin(struct folio *folio)
{
	if (folio_has_pincount(folio)) {
		atomic_dec(&folio->_pincount);
		folio_put(folio);
	} else {
		folio_put_refs(folio, GUP_PIN_COUNTING_BIAS);
	}
}

/* Count the pins of all records from @from on, each on the node of its folio. */
static void udmabuf_count_pins(const struct udmabuf_folios *folios, size_t from,
			       enum node_stat_item item)
{
	const struct udmabuf_extent *extents = folios->extents;
	size_t i, start = from;

	for (i = from; i < folios->nr; i++) {
		if (i + 1 < folios->nr &&
		    folio_nid(extents[i + 1].folio) == folio_nid(extents[i].folio))
			continue;
		mod_node_page_state(folio_pgdat(extents[i].folio), item,
				    i + 1 - start);
		start = i + 1;
	}
}

/*
 * Append what is there and may stay there, from page @index of the file to before
 * @end: one look-up full of it, or nothing if something has to be done first.
 * -EINVAL when a folio must not be pinned once more, as memfd_pin_folios() has it,
 * and -EIO when it is broken.
 *
 * memfd_pin_folios() would look the same folios up, pin each by itself, drop the
 * references of the look-up, and ask the pageblock of each whether it has to be
 * migrated: that took three times as long as the look-up itself. Here the
 * reference becomes the pin, and neighbours share the rest.
 */
static int udmabuf_append_present(struct udmabuf_folios *folios,
				  struct file *memfd, pgoff_t index, pgoff_t end)
{
	unsigned long block = ULONG_MAX;
	struct folio_batch batch;
	size_t from = folios->nr;
	pgoff_t next = index;
	unsigned int found, i;
	int ret;

	folio_batch_init(&batch);
	found = filemap_get_folios_contig(memfd->f_mapping, &next, end - 1, &batch);
	if (!found)
		return 0;

	ret = udmabuf_folios_reserve(folios, found, next - index,
				     end - min(next, end));
	if (ret) {
		folio_batch_release(&batch);
		return ret;
	}

	for (i = 0; i < found; i++) {
		struct folio *folio = batch.folios[i];

		ret = udmabuf_folio_check(folio);
		if (ret)
			break;
		/* One after the other, or the buffer would not be the file. */
		if (folio->index > index || folio_next_index(folio) <= index)
			break;
		if (!udmabuf_folio_may_stay(folio, &block))
			break;
		udmabuf_folio_pin_reference(folio);
		udmabuf_folios_append(folios, folio, index, end);
		index = folio_next_index(folio);
	}
	udmabuf_count_pins(folios, from, NR_FOLL_PIN_ACQUIRED);
	for (; i < found; i++)
		folio_put(batch.folios[i]);
	return ret;
}

/* memfd_pin_folios() pins as long as the count does not wrap: find that out. */
static int udmabuf_folios_check(struct folio **folios, long nr)
{
	int ret = 0;
	long i;

	for (i = 0; i < nr && !ret; i++)
		ret = udmabuf_folio_check(folios[i]);
	return ret;
}

/* The same for what has to be allocated, read from swap, or migrated. */
static int udmabuf_append_absent(struct udmabuf_folios *folios,
				 struct file *memfd, pgoff_t index, pgoff_t end)
{
	struct folio *batch[PAGEVEC_SIZE];
	pgoff_t offset;
	long nr, i;
	int ret;

	nr = memfd_pin_folios(memfd, (u64)index << PAGE_SHIFT,
			      ((u64)end << PAGE_SHIFT) - 1, batch,
			      ARRAY_SIZE(batch), &offset);
	if (nr <= 0)
		return nr ?: -EINVAL;

	ret = udmabuf_folios_check(batch, nr) ?:
	      udmabuf_folios_reserve(folios, nr, 1, 0);
	if (ret) {
		unpin_folios(batch, nr);
		return ret;
	}

	for (i = 0; i < nr; i++) {
		udmabuf_folios_append(folios, batch[i], index, end);
		index = folio_next_index(batch[i]);
	}
	return 0;
}

/*
 * A memfd may have pages which fallocate(2) has reserved and nobody has touched:
 * they hold what their last owner left. Reading is what clears them.
 */
static int udmabuf_folios_clear(struct udmabuf_folios *folios, size_t from,
				struct file *memfd)
{
	struct folio *folio, *same;

	for (; from < folios->nr; from++) {
		folio = folios->extents[from].folio;
		if (folio_test_uptodate(folio))
			continue;
		same = shmem_read_folio(memfd->f_mapping, folio->index);
		if (IS_ERR(same))
			return PTR_ERR(same);
		folio_put(same);
		if (WARN_ON_ONCE(same != folio))
			return -EIO;
	}
	return 0;
}

/*
 * Append some of the pages from @index of the file to before @end, at least one.
 * When it fails, what was appended may be more than nothing.
 */
static int udmabuf_folios_pin_some(struct udmabuf_folios *folios,
				   struct file *memfd, pgoff_t index, pgoff_t end)
{
	size_t before = folios->nr;
	int ret;

	ret = udmabuf_append_present(folios, memfd, index, end);
	if (!ret && folios->nr == before)
		ret = udmabuf_append_absent(folios, memfd, index, end);
	return ret ?: udmabuf_folios_clear(folios, before, memfd);
}

/* End of a range which is neither empty, nor unaligned, nor beyond any file. */
static int udmabuf_range_end(u64 offset, u64 size, u64 *end)
{
	if (!size || !PAGE_ALIGNED(offset) || !PAGE_ALIGNED(size))
		return -EINVAL;
	if (check_add_overflow(offset, size, end) || *end > LLONG_MAX)
		return -EINVAL;
	return 0;
}

/* Does the file have every page from @offset to @end? If hugetlbfs, else yes. */
static bool udmabuf_is_populated(struct file *memfd, u64 offset, u64 end)
{
	struct folio *folio;
	u64 step;

	if (!is_file_hugepages(memfd))
		return true;

	step = huge_page_size(hstate_file(memfd));
	for (offset = ALIGN_DOWN(offset, step); offset < end; offset += step) {
		folio = filemap_get_folio(memfd->f_mapping, offset >> PAGE_SHIFT);
		if (IS_ERR(folio))
			return false;
		folio_put(folio);
	}
	return true;
}

/*
 * Have the file system allocate what a file lacks within its size. This is
 * vfs_fallocate() without the question how the file is open. The others that it
 * asks have but one answer for hugetlbfs, which has neither swap files nor
 * immutable ones, and for a range that lies within the file.
 */
static int udmabuf_allocate(struct file *memfd, u64 offset, u64 size)
{
	int ret;

	if (!memfd->f_op->fallocate)
		return -EOPNOTSUPP;

	file_start_write(memfd);
	ret = memfd->f_op->fallocate(memfd, FALLOC_FL_KEEP_SIZE, offset, size);
	file_end_write(memfd);
	return ret;
}

/*
 * The same, which no signal but a deadly one cuts short. hugetlbfs gives up at
 * any, and programs do not expect that of the ioctl.
 */
static int udmabuf_allocate_undisturbed(struct file *memfd, u64 offset,
					u64 size)
{
	sigset_t most, before;
	int ret;

	siginitsetinv(&most, sigmask(SIGKILL));
	sigprocmask(SIG_BLOCK, &most, &before);
	ret = udmabuf_allocate(memfd, offset, size);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ret;
}

/**
 * udmabuf_folios_populate - let a hugetlbfs file have its pages
 * @memfd: the file, however it is open; one of another kind is left alone
 * @offset: start of the range, in bytes, a multiple of PAGE_SIZE
 * @size: its length, in bytes, a multiple of PAGE_SIZE and not 0
 *
 * memfd_pin_folios() takes missing huge pages out of the reservation, whether or
 * not there is one for them: without, the count of reserved pages drops below
 * zero. The file system's own way of allocation keeps its books.
 *
 * Context: Process context of a system call, may sleep; takes @memfd's inode
 * lock.
 * Return: 0; -EINVAL when the range is empty, unaligned or does not lie within
 * the file; -ENOMEM when the pool has no huge page left; -ERESTARTNOINTR when the
 * task is to die, or has to stop or to freeze before it goes on.
 */
int udmabuf_folios_populate(struct file *memfd, u64 offset, u64 size)
{
	u64 end;
	int ret;

	if (!is_file_hugepages(memfd))
		return 0;

	ret = udmabuf_range_end(offset, size, &end);
	if (ret)
		return ret;
	if (end > i_size_read(file_inode(memfd)))
		return -EINVAL;
	if (udmabuf_is_populated(memfd, offset, end))
		return 0;

	ret = udmabuf_allocate_undisturbed(memfd, offset, size);
	switch (ret) {
	case -EINTR:
		/* What has been allocated stays: there is an end to it. */
		return -ERESTARTNOINTR;
	case -ENOSPC:
		return -ENOMEM;
	default:
		return ret;
	}
}
EXPORT_SYMBOL_IF_KUNIT(udmabuf_folios_populate);

/**
 * udmabuf_folios_pin - append a range of a memfd
 * @folios: the list
 * @memfd: a shmem or hugetlbfs file
 * @offset: start of the range, in bytes, a multiple of PAGE_SIZE
 * @size: its length, in bytes, a multiple of PAGE_SIZE and not 0
 *
 * Folios that a shmem file has not got yet are allocated; for hugetlbfs there is
 * udmabuf_folios_populate(). Those which lie where nothing may stay for long
 * are migrated. When it fails, the list keeps what it had got so far: the caller
 * is expected to udmabuf_folios_unpin() it.
 *
 * Context: Process context, may sleep and allocate. The caller holds @memfd's
 * inode lock, at least shared, if it can change under it.
 * Return: 0; -EINVAL when the range is empty, unaligned, does not lie within
 * the file or makes the list longer than it can be, when the file is of the
 * wrong kind or of huge pages and not populated, or when a folio has been pinned
 * %UDMABUF_PINS_MAX times; -EIO when a page has a memory error; -ENOMEM; -EINTR
 * when a fatal signal is pending; or what the file system says when it cannot
 * provide a page.
 */
int udmabuf_folios_pin(struct udmabuf_folios *folios, struct file *memfd,
		       u64 offset, u64 size)
{
	pgoff_t index, last;
	u32 before;
	u64 end;
	int ret;

	might_sleep();
	ret = udmabuf_range_end(offset, size, &end);
	if (ret)
		return ret;
	if (!shmem_file(memfd) && !is_file_hugepages(memfd))
		return -EINVAL;
	/* Pages may well lie behind the end of a file. */
	if (end > i_size_read(file_inode(memfd)))
		return -EINVAL;
	if (!udmabuf_is_populated(memfd, offset, end))
		return -EINVAL;
	if (size >> PAGE_SHIFT > U32_MAX - folios->pages)
		return -EINVAL;

	last = end >> PAGE_SHIFT;
	for (index = offset >> PAGE_SHIFT; index < last;
	     index += folios->pages - before) {
		if (fatal_signal_pending(current))
			return -EINTR;
		before = folios->pages;
		ret = udmabuf_folios_pin_some(folios, memfd, index, last);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(udmabuf_folios_pin);

/**
 * udmabuf_folios_unpin - let go of everything
 * @folios: the list, empty afterwards
 *
 * A device, or a program through its mapping of the buffer, may have written
 * to pages which the memfd thinks are clean. While they were pinned nothing
 * could reclaim them; before that ends they have to be marked.
 *
 * Context: Process context, may sleep.
 */
void udmabuf_folios_unpin(struct udmabuf_folios *folios)
{
	size_t i;

	might_sleep();
	/* First, as a folio may be gone afterwards. */
	udmabuf_count_pins(folios, 0, NR_FOLL_PIN_RELEASED);
	for (i = 0; i < folios->nr; i++) {
		struct folio *folio = folios->extents[i].folio;

		if (!folio_test_dirty(folio)) {
			folio_lock(folio);
			folio_mark_dirty(folio);
			folio_unlock(folio);
		}
		udmabuf_folio_put_pin(folio);
	}
	kvfree(folios->extents);
	memset(folios, 0, sizeof(*folios));
}
EXPORT_SYMBOL_IF_KUNIT(udmabuf_folios_unpin);

/* Where extent @i ends: where the next one starts. */
static u32 udmabuf_extent_end(const struct udmabuf_folios *folios, size_t i)
{
	return i + 1 < folios->nr ? folios->extents[i + 1].at : folios->pages;
}

/* The frame of buffer page @at, which extent @i holds. */
static unsigned long udmabuf_extent_pfn(const struct udmabuf_folios *folios,
					size_t i, u32 at)
{
	const struct udmabuf_extent *extent = &folios->extents[i];

	return folio_pfn(extent->folio) + extent->first + (at - extent->at);
}

/* Index of the record that holds page @at; there must be one. */
static size_t udmabuf_extent_find(const struct udmabuf_folios *folios, u32 at)
{
	size_t low = 0, high = folios->nr;

	/* extents[low].at <= at < extents[high].at, the latter if it exists */
	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (folios->extents[mid].at <= at)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/**
 * udmabuf_run_start - prepare to walk contiguous pages
 * @run: the walk; udmabuf_run_next() gives its first run
 * @folios: the list; must not change meanwhile
 * @at: the page that the first run starts with
 * @limit: greatest length of a run, in pages, not 0
 *
 * Context: Any.
 */
void udmabuf_run_start(struct udmabuf_run *run,
		       const struct udmabuf_folios *folios, u32 at, u32 limit)
{
	*run = (struct udmabuf_run) {
		.at = at,
		.folios = folios,
		.limit = limit,
		.extent = udmabuf_extent_find(folios, at),
	};
}
EXPORT_SYMBOL_IF_KUNIT(udmabuf_run_start);

/**
 * udmabuf_run_next - go on to the next contiguous pages
 * @run: the walk
 *
 * Context: Any.
 * Return: true, or false when the list has no further page; @run means nothing
 * then.
 */
bool udmabuf_run_next(struct udmabuf_run *run)
{
	const struct udmabuf_folios *folios = run->folios;
	size_t i = run->extent;
	u32 end;

	run->at += run->pages;
	if (run->at >= folios->pages)
		return false;

	run->pfn = udmabuf_extent_pfn(folios, i, run->at);
	do {
		end = udmabuf_extent_end(folios, i);
		if (end - run->at > run->limit) {
			run->pages = run->limit;
			break;
		}
		run->pages = end - run->at;
		i++;
	} while (run->pages < run->limit && i < folios->nr &&
		 udmabuf_extent_pfn(folios, i, end) == run->pfn + run->pages);

	run->extent = i;
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(udmabuf_run_next);

/**
 * udmabuf_folios_fill_sgt - describe the memory as a scatterlist
 * @folios: the list, not empty
 * @sgt: table to set up; the caller ends it with sg_free_table()
 * @limit: what one entry may have at most, in pages, not 0
 *
 * One entry per run. Nothing is mapped for any device yet.
 *
 * Context: Process context, may sleep.
 * Return: 0, or -ENOMEM and nothing to be freed.
 */
int udmabuf_folios_fill_sgt(const struct udmabuf_folios *folios,
			    struct sg_table *sgt, u32 limit)
{
	struct scatterlist *sg;
	struct udmabuf_run run;
	unsigned int runs = 0;
	int ret;

	udmabuf_run_start(&run, folios, 0, limit);
	while (udmabuf_run_next(&run))
		runs++;

	ret = sg_alloc_table(sgt, runs, GFP_KERNEL);
	if (ret)
		return ret;

	sg = sgt->sgl;
	udmabuf_run_start(&run, folios, 0, limit);
	while (udmabuf_run_next(&run)) {
		sg_set_page(sg, pfn_to_page(run.pfn), run.pages << PAGE_SHIFT,
			    0);
		sg = sg_next(sg);
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(udmabuf_folios_fill_sgt);

/**
 * udmabuf_folios_page_array - every page, in buffer order
 * @folios: the list, not empty
 *
 * The pages of a large folio are told one by one: what vmap() wants.
 *
 * Context: Process context, may sleep.
 * Return: an array of &udmabuf_folios.pages entries, to be freed with kvfree();
 * NULL when there is no memory for it.
 */
struct page **udmabuf_folios_page_array(const struct udmabuf_folios *folios)
{
	struct udmabuf_run run;
	struct page **pages;
	u32 i;

	pages = kvmalloc_array(folios->pages, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return NULL;

	udmabuf_run_start(&run, folios, 0, U32_MAX);
	while (udmabuf_run_next(&run))
		for (i = 0; i < run.pages; i++)
			pages[run.at + i] = pfn_to_page(run.pfn + i);
	return pages;
}
EXPORT_SYMBOL_IF_KUNIT(udmabuf_folios_page_array);
