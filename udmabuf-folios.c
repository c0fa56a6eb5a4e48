// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memfd memory, pinned and put in order
 *
 * Where the pages of a udmabuf come from and go to: ranges of memfds are
 * appended to a &struct dma_buf_pages, each folio with a long-term pin. This
 * file knows neither dma-bufs nor structs of user space, limits and seals.
 *
 * The invariant: the list has one pin on a folio for each of its runs that
 * pages of the folio are in. Pages of one folio that follow each other in a run
 * share it. So the list needs no record of folios besides the runs, and a walk
 * over the folios of each run finds every pin once. A pinned folio is not
 * split.
 *
 * Lists may name a folio any number of times, but a folio is pinned at most
 * UDMABUF_PINS_MAX times: both of its counts are 32 bits wide, and a count that
 * wraps frees memory which is in use.
 *
 * A list has at most UDMABUF_PAGES_MAX pages. Offsets and sizes of memfds are
 * bytes; an index counts pages. Ranges exclude their end.
 */
#include <kunit/visibility.h>
#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/dma-buf-pages.h>
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
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/signal.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "dma-buf-memory-error.h"
#include "udmabuf-private.h"

/*
 * Make room for @more folios, which stand for @done pages, with @left pages yet
 * to come. Folios are mostly of one size, so these will need runs in the same
 * proportion: one allocation serves a whole range. The program pays for it.
 */
static int udmabuf_folios_reserve(struct dma_buf_pages *pages, u32 more,
				  u32 done, u32 left)
{
	if (more <= pages->max_runs - pages->nr_runs)
		return 0;
	return dma_buf_pages_reserve(pages,
				     more + DIV_ROUND_UP_ULL((u64)left * more,
							     done),
				     GFP_KERNEL_ACCOUNT);
}

/*
 * Test whether the list has a pin on @folio that will do for page @index of its
 * file, too: when the page before it in the folio is the last one of the list.
 */
static bool udmabuf_folios_has_pin(const struct dma_buf_pages *pages,
				   struct folio *folio, pgoff_t index)
{
	struct page *last;

	if (!pages->nr_pages || index == folio->index)
		return false;
	last = dma_buf_pages_page(pages, pages->nr_pages - 1);
	return last == folio_page(folio, index - folio->index - 1);
}

/*
 * Append @nr pages of @folio, whose frame is @pfn, from its page @first on.
 * There is room, and a pin. @next is the frame behind the list, 0 if it is not
 * known yet. As frames are known for their pageblocks, to compare them here
 * spares most of what dma_buf_pages_append() does.
 */
static inline void udmabuf_folios_append(struct dma_buf_pages *pages,
					 struct folio *folio,
					 unsigned long pfn, unsigned long first,
					 unsigned long nr, unsigned long *next)
{
	struct page *page = first ? folio_page(folio, first) : &folio->page;

	if (*next)
		dma_buf_pages_append_reserved(pages, page, nr,
					      pfn + first == *next);
	else
		WARN_ON_ONCE(dma_buf_pages_append(pages, page, nr));
	*next = pfn + first + nr;
}

/*
 * Test whether the folio at @pfn may stay where it is for as long as it is
 * pinned. That depends on the pageblock: @block is the last one of which it was
 * found true.
 */
static bool udmabuf_folio_may_stay(struct folio *folio, unsigned long pfn,
				   unsigned long *block)
{
	unsigned long this = pfn >> pageblock_order;

	if (this == *block)
		return true;
	if (!folio_is_longterm_pinnable(folio))
		return false;
	*block = this;
	return true;
}

/*
 * Return the count of pins that a large folio has besides its references, or
 * NULL for a small one. What a pin consists of is defined in
 * Documentation/core-api/pin_user_pages.rst. The functions of mm pin by address
 * or by place in a file, one by one; none turns a reference into a pin, and
 * none tells how many there are.
 */
static atomic_t *udmabuf_folio_pincount(struct folio *folio)
{
	return folio_has_pincount(folio) ? &folio->_pincount : NULL;
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
static bool udmabuf_folio_is_exhausted(struct folio *folio)
{
	const int max_refs = UDMABUF_PINS_MAX * GUP_PIN_COUNTING_BIAS;
	atomic_t *pincount = udmabuf_folio_pincount(folio);
	int refs = folio_ref_count(folio);

	BUILD_BUG_ON((u64)UDMABUF_PINS_MAX * GUP_PIN_COUNTING_BIAS > INT_MAX / 2 + 1);
	if (refs <= 0 || refs >= max_refs)
		return true;
	return pincount && (unsigned int)atomic_read(pincount) >= UDMABUF_PINS_MAX;
}

/*
 * Test whether a folio of the page cache has a page with a memory error.
 * Reading or mapping the file fails for such a page.
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
	if (dma_buf_memory_has_errors() && udmabuf_folio_is_poisoned(folio))
		return -EIO;
	return 0;
}

/*
 * Unlock a folio on which the caller has a reference. Return whether it is page
 * @index of the file, and stays so for the reference: swap and khugepaged take a
 * folio out of its file while it is locked, after a look at its references, so
 * that one which comes later does not hold it.
 */
static bool udmabuf_folio_unlock_settled(struct folio *folio,
					 struct file *memfd, pgoff_t index)
{
	bool settled = folio->mapping == memfd->f_mapping &&
		       folio->index <= index && index < folio_next_index(folio);

	folio_unlock(folio);
	return settled;
}

static int udmabuf_folio_read(struct folio *folio, struct file *memfd)
{
	struct folio *same;

	same = shmem_read_folio(memfd->f_mapping, folio->index);
	if (IS_ERR(same))
		return PTR_ERR(same);
	folio_put(same);
	return WARN_ON_ONCE(same != folio) ? -EIO : 0;
}

/*
 * A memfd may have pages which fallocate(2) has reserved and no program has
 * touched: they hold what their last owner left. Reading is what clears them.
 * The folio is settled, so that it is the one which is read.
 */
static int udmabuf_folio_clear(struct folio *folio, struct file *memfd)
{
	return folio_test_uptodate(folio) ? 0 : udmabuf_folio_read(folio, memfd);
}

/*
 * Make a pin of a reference that the caller has, and the opposite of pinning,
 * which leaves none. The suite compares these with what memfd_pin_folios() and
 * unpin_folio() do.
 */
static void udmabuf_folio_pin_reference(struct folio *folio)
{
	atomic_t *pincount = udmabuf_folio_pincount(folio);

	if (pincount)
		atomic_inc(pincount);
	else
		folio_ref_add(folio, GUP_PIN_COUNTING_BIAS - 1);
}

static void udmabuf_folio_put_pin(struct folio *folio)
{
	atomic_t *pincount = udmabuf_folio_pincount(folio);

	if (pincount) {
		atomic_dec(pincount);
		folio_put(folio);
	} else {
		folio_put_refs(folio, GUP_PIN_COUNTING_BIAS);
	}
}

/**
 * struct udmabuf_pin_count - pins of one node that are not in its statistics
 * yet
 * @item: what is counted
 * @node: the node
 * @nr: how many
 *
 * Folios of a node mostly come in a row, and the statistics are not cheap.
 */
struct udmabuf_pin_count {
	enum node_stat_item item;
	struct pglist_data *node;
	long nr;
};

static void udmabuf_count_flush(struct udmabuf_pin_count *count)
{
	if (count->nr)
		mod_node_page_state(count->node, count->item, count->nr);
	count->nr = 0;
}

static void udmabuf_count_pin(struct udmabuf_pin_count *count,
			      struct folio *folio)
{
	struct pglist_data *node = folio_pgdat(folio);

	if (node != count->node) {
		udmabuf_count_flush(count);
		count->node = node;
	}
	count->nr++;
}

/*
 * Append what is there and may stay there, from page @index of the file to
 * before @end: one look-up full of it, or nothing if something has to be done
 * first. -EINVAL when a folio must not be pinned once more, as
 * memfd_pin_folios() has it, and -EIO when it is broken.
 *
 * memfd_pin_folios() would look the same folios up, pin each by itself, drop
 * the references of the look-up, and ask the pageblock of each whether it has
 * to be migrated: that took three times as long as the look-up itself. Here the
 * reference becomes the pin, and neighbours share the rest.
 */
static int udmabuf_append_present(struct dma_buf_pages *pages,
				  struct file *memfd, pgoff_t index, pgoff_t end)
{
	struct udmabuf_pin_count count = { .item = NR_FOLL_PIN_ACQUIRED };
	unsigned long block = ULONG_MAX, next_pfn = 0;
	struct folio_batch batch;
	pgoff_t next = index;
	unsigned int found, i;
	int ret;

	folio_batch_init(&batch);
	found = filemap_get_folios_contig(memfd->f_mapping, &next, end - 1, &batch);
	if (!found)
		return 0;

	ret = udmabuf_folios_reserve(pages, found, next - index,
				     end - min(next, end));
	if (ret) {
		folio_batch_release(&batch);
		return ret;
	}

	for (i = 0; i < found; i++) {
		struct folio *folio = batch.folios[i];
		unsigned long pfn = folio_pfn(folio);
		pgoff_t start = folio->index;
		pgoff_t behind = folio_next_index(folio);

		/* One after the other, or the buffer would not be the file. */
		if (!folio_trylock(folio) ||
		    !udmabuf_folio_unlock_settled(folio, memfd, index))
			break;
		ret = udmabuf_folio_check(folio);
		if (ret)
			break;
		if (!udmabuf_folio_may_stay(folio, pfn, &block))
			break;
		ret = udmabuf_folio_clear(folio, memfd);
		if (ret)
			break;
		if (index > start &&
		    udmabuf_folios_has_pin(pages, folio, index)) {
			folio_put(folio);
		} else {
			udmabuf_folio_pin_reference(folio);
			udmabuf_count_pin(&count, folio);
		}
		udmabuf_folios_append(pages, folio, pfn, index - start,
				      min(behind, end) - index, &next_pfn);
		index = behind;
	}
	udmabuf_count_flush(&count);
	for (; i < found; i++)
		folio_put(batch.folios[i]);
	return ret;
}

/*
 * Append folios that memfd_pin_folios() has pinned, from page @index of the
 * file to before @end, and unpin those that are not appended. There is room.
 *
 * memfd_pin_folios() leaves out a folio that is on its way to swap, and all that
 * follow it in its look-up: so there may be a gap, before which this ends. Nor
 * does it test whether a folio is still in the file when it has the pin, whether
 * that is one too many, or whether the folio has been cleared.
 */
VISIBLE_IF_KUNIT int
udmabuf_append_pinned(struct dma_buf_pages *pages, struct file *memfd,
		      struct folio **folios, long nr, pgoff_t index,
		      pgoff_t end)
{
	unsigned long next_pfn = 0;
	pgoff_t next;
	int ret = 0;
	long i;

	for (i = 0; i < nr; i++) {
		folio_lock(folios[i]);
		if (!udmabuf_folio_unlock_settled(folios[i], memfd, index))
			break;
		ret = udmabuf_folio_check(folios[i]) ?:
		      udmabuf_folio_clear(folios[i], memfd);
		if (ret)
			break;
		if (udmabuf_folios_has_pin(pages, folios[i], index))
			unpin_folio(folios[i]);
		next = folio_next_index(folios[i]);
		udmabuf_folios_append(pages, folios[i], folio_pfn(folios[i]),
				      index - folios[i]->index,
				      min(next, end) - index, &next_pfn);
		index = next;
	}
	if (i < nr)
		unpin_folios(folios + i, nr - i);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(udmabuf_append_pinned);

/*
 * Test what is there from page @index of the file to before @end, as far as
 * memfd_pin_folios() looks at a time. It tries again and again to move a folio
 * that must not stay where it is; one with a memory error is off the LRU list,
 * and would never be moved.
 */
static int udmabuf_check_present(struct file *memfd, pgoff_t index, pgoff_t end)
{
	struct folio_batch batch;
	unsigned int i;
	int ret = 0;

	if (!dma_buf_memory_has_errors())
		return 0;

	folio_batch_init(&batch);
	filemap_get_folios(memfd->f_mapping, &index, end - 1, &batch);
	for (i = 0; i < folio_batch_count(&batch) && !ret; i++)
		ret = udmabuf_folio_check(batch.folios[i]);
	folio_batch_release(&batch);
	return ret;
}

/*
 * As udmabuf_append_present(), for what has to be allocated, read from swap, or
 * migrated.
 */
static int udmabuf_append_absent(struct dma_buf_pages *pages,
				 struct file *memfd, pgoff_t index, pgoff_t end)
{
	struct folio *batch[PAGEVEC_SIZE];
	pgoff_t offset;
	long nr;
	int ret;

	ret = udmabuf_check_present(memfd, index, end);
	if (ret)
		return ret;

	nr = memfd_pin_folios(memfd, (u64)index << PAGE_SHIFT,
			      ((u64)end << PAGE_SHIFT) - 1, batch,
			      ARRAY_SIZE(batch), &offset);
	if (nr <= 0)
		return nr ?: -EINVAL;

	ret = udmabuf_folios_reserve(pages, nr, 1, 0);
	if (ret) {
		unpin_folios(batch, nr);
		return ret;
	}

	return udmabuf_append_pinned(pages, memfd, batch, nr, index, end);
}

/*
 * Append some of the pages from @index of the file to before @end, at least
 * one unless the file is changing. When it fails, what was appended may be more
 * than nothing.
 */
static int udmabuf_folios_pin_some(struct dma_buf_pages *pages,
				   struct file *memfd, pgoff_t index, pgoff_t end)
{
	pgoff_t before = pages->nr_pages;
	int ret;

	ret = udmabuf_append_present(pages, memfd, index, end);
	if (!ret && pages->nr_pages == before)
		ret = udmabuf_append_absent(pages, memfd, index, end);
	return ret;
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

/* Test whether a hugetlbfs file has every page of a range; others pass. */
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
 * The same, which no signal but a fatal one cuts short. hugetlbfs gives up at
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
 * udmabuf_folios_populate - allocate the pages that a hugetlbfs file lacks
 * @memfd: the file, however it is open; one of another kind is left alone
 * @offset: start of the range, in bytes, a multiple of PAGE_SIZE
 * @size: its length, in bytes, a multiple of PAGE_SIZE and not 0
 *
 * memfd_pin_folios() takes missing huge pages out of the reservation, whether
 * or not there is one for them: without, the count of reserved pages drops
 * below zero. The file system's own way of allocation keeps its books.
 *
 * Context: Process context of a system call, may sleep; takes @memfd's inode
 * lock.
 * Return: 0; -EINVAL when the range is empty, unaligned or does not lie within
 * the file; -ENOMEM when the pool has no huge page left; -ERESTARTNOINTR when
 * the task is killed, or has to stop or to freeze before it goes on.
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
		/*
		 * What has been allocated stays, so the next try goes further.
		 */
		return -ERESTARTNOINTR;
	case -ENOSPC:
		return -ENOMEM;
	default:
		return ret;
	}
}
EXPORT_SYMBOL_IF_KUNIT(udmabuf_folios_populate);

/**
 * udmabuf_folios_pin - pin a range of a memfd and append it
 * @pages: the list
 * @memfd: a shmem or hugetlbfs file
 * @offset: start of the range, in bytes, a multiple of PAGE_SIZE
 * @size: its length, in bytes, a multiple of PAGE_SIZE and not 0
 *
 * Folios that a shmem file has not got yet are allocated; for hugetlbfs there
 * is udmabuf_folios_populate(). Those which lie where nothing may stay for long
 * are migrated. When it fails, the list keeps what it had got so far: the
 * caller calls udmabuf_folios_unpin() for it.
 *
 * Context: Process context, may sleep and allocate. The caller holds @memfd's
 * inode lock, at least shared, if it can change under it.
 * Return: 0; -EINVAL when the range is empty, unaligned, does not lie within
 * the file or makes the list longer than it can be, when the file is of the
 * wrong kind or of huge pages and not populated, or when a folio has been
 * pinned %UDMABUF_PINS_MAX times; -EIO when a page has a memory error; -ENOMEM;
 * -EINTR when a fatal signal is pending; or what the file system says when it
 * cannot provide a page.
 */
int udmabuf_folios_pin(struct dma_buf_pages *pages, struct file *memfd,
		       u64 offset, u64 size)
{
	pgoff_t index, last, before;
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
	if (size >> PAGE_SHIFT > UDMABUF_PAGES_MAX - pages->nr_pages)
		return -EINVAL;

	last = end >> PAGE_SHIFT;
	for (index = offset >> PAGE_SHIFT; index < last;
	     index += pages->nr_pages - before) {
		if (fatal_signal_pending(current))
			return -EINTR;
		before = pages->nr_pages;
		ret = udmabuf_folios_pin_some(pages, memfd, index, last);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(udmabuf_folios_pin);

/**
 * udmabuf_folios_unpin - unpin all memory of a list
 * @pages: the list, after dma_buf_pages_end(); empty afterwards, as after
 *	dma_buf_pages_fini()
 *
 * A device, or a program through its mapping of the buffer, may have written
 * to pages which the memfd has as clean. While they were pinned nothing
 * could reclaim them; before that ends they have to be marked.
 *
 * Context: Process context, may sleep.
 */
void udmabuf_folios_unpin(struct dma_buf_pages *pages)
{
	struct udmabuf_pin_count count = { .item = NR_FOLL_PIN_RELEASED };
	struct dma_buf_pages_iter iter;
	struct folio *folio;

	might_sleep();
	dma_buf_pages_for_each_folio(&iter, folio, pages) {
		if (!folio_test_dirty(folio)) {
			folio_lock(folio);
			folio_mark_dirty(folio);
			folio_unlock(folio);
		}
		/* First, as the folio may be gone afterwards. */
		udmabuf_count_pin(&count, folio);
		udmabuf_folio_put_pin(folio);
	}
	udmabuf_count_flush(&count);
	dma_buf_pages_fini(pages);
}
EXPORT_SYMBOL_IF_KUNIT(udmabuf_folios_unpin);
