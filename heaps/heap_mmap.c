// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers of heaps in the page tables of programs
 *
 * The mmap op of all page-backed heaps, and the fault handlers behind it. Pages
 * are mapped as those of any file are: counted references, in batches, or in
 * huge entries where the folios are large enough. Pages that must not be pinned
 * are mapped by their frames.
 *
 * A mapping holds the file of the buffer, and the runs of a buffer do not
 * change while it lives, so faults need no lock besides those that they are
 * called with: the mmap lock, or the lock of the mapping. They take the lock of
 * the page table.
 */
#include <linux/dma-buf.h>
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/pagemap.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/userfaultfd_k.h>

#include "../dma-buf-memory-error.h"
#include "heap_buffer.h"
#include "heap_folio.h"

/* The most pages that one fault maps; they must share a page table. */
#define HEAP_FAULT_PAGES	min_t(unsigned long, PTRS_PER_PTE, SZ_2M >> PAGE_SHIFT)

/* The most bytes of page frames that one fault maps. */
#define HEAP_FRAMES_AROUND	max_t(unsigned long, SZ_64K, PAGE_SIZE)

/*
 * The most pages of a folio that are entered in one step: no limit, but for
 * User Mode Linux, whose set_ptes() gets the third one wrong in 6.12.
 */
#define HEAP_ENTER_PAGES	(IS_ENABLED(CONFIG_UML) ? 1UL : ULONG_MAX)

/* The mapping is one of the buffer's own file, also after dma_buf_mmap(). */
static bool heap_vma_is_revoked(const struct vm_area_struct *vma)
{
	return dma_buf_is_revoked(vma->vm_file->private_data);
}

/*
 * Test whether a page table entry of the level above can map this folio here.
 * If so, finish_fault() makes one. It has reasons of its own to decline, such
 * as MADV_NOHUGEPAGE; it enters one page then, and the next fault finds a page
 * table and comes to the batch.
 */
static bool heap_fault_is_huge(const struct vm_fault *vmf, struct folio *folio)
{
	/* One entry would show the broken pages as well as the others. */
	return IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) &&
	       !heap_folio_is_poisoned(folio) &&
	       folio_order(folio) == PMD_SHIFT - PAGE_SHIFT &&
	       pmd_none(*vmf->pmd) &&
	       thp_vma_suitable_order(vmf->vma, vmf->address,
				      PMD_SHIFT - PAGE_SHIFT) &&
	       folio_page_idx(folio, vmf->page) == pte_index(vmf->address);
}

/*
 * Test whether this fault must be resolved by the core, page by page: when a
 * private copy is about to be made, and when userfaultfd watches single pages.
 */
static bool heap_fault_is_single(const struct vm_fault *vmf)
{
	return vmf->cow_page || userfaultfd_armed(vmf->vma) ||
	       (vmf->flags & FAULT_FLAG_ORIG_PTE_VALID &&
		!pte_none(vmf->orig_pte));
}

/*
 * Enter up to @nr pages of one folio, from @page on, at vmf->pte. Stops where
 * an entry is in use already, or a page is broken. Returns how many places it
 * has dealt with, at least one.
 */
static unsigned long heap_fault_enter(struct vm_fault *vmf, struct page *page,
				      unsigned long nr, unsigned long address)
{
	struct folio *folio = page_folio(page);
	unsigned long n;

	nr = min3(nr, HEAP_ENTER_PAGES,
		  folio_pfn(folio) + folio_nr_pages(folio) - page_to_pfn(page));
	for (n = 0; n < nr; n++)
		if (!pte_none(ptep_get(vmf->pte + n)) ||
		    PageHWPoison(nth_page(page, n)))
			break;
	if (!n)
		return 1;

	folio_ref_add(folio, n);
	set_pte_range(vmf, folio, page, n, address);
	add_mm_counter(vmf->vma->vm_mm, mm_counter_file(folio), n);
	return n;
}

/*
 * Enter the pages around the fault, as far as buffer, mapping and page table
 * reach. The pages are there anyway, so the only thing that waiting for the
 * next fault would save is time.
 *
 * Context: may be under rcu_read_lock(), so must not sleep. The page table
 * exists, or has just vanished.
 * Return: VM_FAULT_NOPAGE; VM_FAULT_SIGBUS if the buffer has been revoked.
 */
static vm_fault_t heap_fault_batch(struct vm_fault *vmf,
				   const struct dma_buf_pages *pages)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long span = HEAP_FAULT_PAGES, before, index, end, address;
	struct dma_buf_pages_iter iter;
	unsigned long done, nr;
	pte_t *table;

	/* Down to the start of the span, but not past that of the mapping. */
	before = min(pte_index(vmf->address) % span,
		     (vmf->address - vma->vm_start) >> PAGE_SHIFT);
	index = vmf->pgoff - before;
	address = (vmf->address & PAGE_MASK) - (before << PAGE_SHIFT);
	end = index + span - pte_index(address) % span;
	end = min(end, index + ((vma->vm_end - address) >> PAGE_SHIFT));

	table = pte_offset_map_lock(vma->vm_mm, vmf->pmd, address, &vmf->ptl);
	if (!table)
		return VM_FAULT_NOPAGE;
	/* sparse loses sight of the lock in there */
	__acquire(vmf->ptl);

	/*
	 * A revocation removes what was entered before it takes this lock. It
	 * does not take it where it sees no page table; hence the barrier,
	 * between making the page table and this test.
	 */
	smp_mb__after_spinlock();
	if (heap_vma_is_revoked(vma)) {
		pte_unmap_unlock(table, vmf->ptl);
		return VM_FAULT_SIGBUS;
	}

	vmf->pte = table;
	dma_buf_pages_for_each(&iter, pages, index, end, ULONG_MAX) {
		for (nr = 0; nr < iter.nr_pages; nr += done) {
			done = heap_fault_enter(vmf, nth_page(iter.page, nr),
						iter.nr_pages - nr, address);
			address += done << PAGE_SHIFT;
			vmf->pte += done;
		}
	}
	pte_unmap_unlock(table, vmf->ptl);
	vmf->pte = NULL;
	return VM_FAULT_NOPAGE;
}

/*
 * Do what the core would do next with this page: make the private copy, or
 * enter it, or the whole folio in an entry of the level above. With the folio
 * locked, and tested after that, it is entered either before heap_mmap_revoke()
 * has had the lock, or not at all.
 *
 * It cannot be left to the core by returning %VM_FAULT_LOCKED. When a locked
 * page turns out to be broken, the core unmaps it by folio->mapping, and these
 * have none.
 */
static vm_fault_t heap_fault_finish(struct vm_fault *vmf, struct folio *folio)
{
	struct page *copy = vmf->cow_page;
	vm_fault_t ret;

	folio_lock(folio);
	if (heap_vma_is_revoked(vmf->vma)) {
		ret = VM_FAULT_SIGBUS;
	} else if (PageHWPoison(vmf->page) ||
		   (copy && copy_mc_user_highpage(copy, vmf->page, vmf->address,
						  vmf->vma))) {
		ret = VM_FAULT_HWPOISON;
	} else {
		if (copy)
			__folio_mark_uptodate(page_folio(copy));
		else
			folio_get(folio);
		ret = finish_fault(vmf);
		if (ret && !copy)
			folio_put(folio);
	}
	folio_unlock(folio);
	vmf->page = NULL;
	return ret ?: copy ? VM_FAULT_DONE_COW : VM_FAULT_NOPAGE;
}

static vm_fault_t heap_fault(struct vm_fault *vmf)
{
	const struct dma_buf_pages *pages = vmf->vma->vm_private_data;
	struct page *page;
	struct folio *folio;

	if (vmf->pgoff >= pages->nr_pages)
		return VM_FAULT_SIGBUS;

	page = dma_buf_pages_page(pages, vmf->pgoff);
	if (PageHWPoison(page))
		return VM_FAULT_HWPOISON;

	vmf->page = page;
	folio = page_folio(page);
	if (!heap_fault_is_single(vmf) && heap_fault_is_huge(vmf, folio))
		return heap_fault_finish(vmf, folio);

	/*
	 * With a page table there, finish_fault() does not try an entry of the
	 * level above. It would not look which page of the folio belongs here.
	 */
	if (pte_alloc(vmf->vma->vm_mm, vmf->pmd)) {
		vmf->page = NULL;
		return VM_FAULT_OOM;
	}
	if (heap_fault_is_single(vmf))
		return heap_fault_finish(vmf, folio);

	vmf->page = NULL;
	return heap_fault_batch(vmf, pages);
}

/* Called for reads before heap_fault(), where the page table exists. */
static vm_fault_t heap_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	const struct dma_buf_pages *pages = vmf->vma->vm_private_data;

	if (vmf->pgoff >= pages->nr_pages || pmd_none(*vmf->pmd) ||
	    heap_fault_is_single(vmf) ||
	    PageHWPoison(dma_buf_pages_page(pages, vmf->pgoff)))
		return 0;
	return heap_fault_batch(vmf, pages);
}

static const struct vm_operations_struct heap_vm_ops = {
	.fault		= heap_fault,
	.map_pages	= heap_map_pages,
};

/* For a debugger, which cannot pin page frames. */
static int heap_frames_access(struct vm_area_struct *vma, unsigned long address,
			      void *data, int len, int write)
{
	size_t offset = offset_in_page(address);
	struct page *page;

	/*
	 * A debugger may force its way, but there is no copy for it to write
	 * to.
	 */
	if (write && !(vma->vm_flags & VM_WRITE))
		return -EFAULT;
	if (heap_vma_is_revoked(vma))
		return -EFAULT;

	page = dma_buf_pages_page(vma->vm_private_data,
				  linear_page_index(vma, address));
	/* An access by the kernel to a broken page may panic the machine. */
	if (PageHWPoison(page))
		return -EFAULT;
	len = min_t(size_t, len, PAGE_SIZE - offset);
	if (write)
		memcpy_to_page(page, offset, data, len);
	else
		memcpy_from_page(data, page, offset, len);
	return len;
}

/*
 * Enter one frame. A broken one stays out: an access to it gets SIGBUS from its
 * own fault, and not a machine check.
 */
static vm_fault_t heap_frames_enter(struct vm_area_struct *vma,
				    unsigned long address, struct page *page)
{
	if (dma_buf_memory_has_errors() && PageHWPoison(page))
		return VM_FAULT_HWPOISON;
	return vmf_insert_pfn(vma, address, page_to_pfn(page));
}

/*
 * Enter the frames around the fault, as far as buffer and mapping reach. Those
 * beside the faulting one are entered to spare faults: that one cannot be is no
 * error.
 */
static vm_fault_t heap_frames_enter_around(const struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	const struct dma_buf_pages *pages = vma->vm_private_data;
	unsigned long address = max(ALIGN_DOWN(vmf->address, HEAP_FRAMES_AROUND),
				    vma->vm_start);
	unsigned long end = min(ALIGN_DOWN(vmf->address, HEAP_FRAMES_AROUND) +
				HEAP_FRAMES_AROUND, vma->vm_end);
	vm_fault_t ret = VM_FAULT_SIGBUS, one;
	pgoff_t index;

	for (; address < end; address += PAGE_SIZE) {
		index = linear_page_index(vma, address);
		if (index >= pages->nr_pages)
			break;
		one = heap_frames_enter(vma, address,
					dma_buf_pages_page(pages, index));
		if (address == (vmf->address & PAGE_MASK))
			ret = one;
	}
	return ret;
}

/*
 * The lock of any page keeps heap_mmap_revoke() from returning. So nothing is
 * allocated with it: a task whose cgroup is at its limit would keep it for as
 * long as it has to wait for memory.
 */
static vm_fault_t heap_frames_fault(struct vm_fault *vmf)
{
	const struct dma_buf_pages *pages = vmf->vma->vm_private_data;
	vm_fault_t ret = VM_FAULT_SIGBUS;
	struct folio *folio;

	if (vmf->pgoff >= pages->nr_pages)
		return VM_FAULT_SIGBUS;

	/* All frames around are in the page table of the fault. */
	if (pte_alloc(vmf->vma->vm_mm, vmf->pmd))
		return VM_FAULT_OOM;

	folio = page_folio(dma_buf_pages_page(pages, vmf->pgoff));
	folio_lock(folio);
	if (!heap_vma_is_revoked(vmf->vma))
		ret = heap_frames_enter_around(vmf);
	folio_unlock(folio);
	return ret;
}

static const struct vm_operations_struct heap_frames_vm_ops = {
	.fault		= heap_frames_fault,
	.access		= heap_frames_access,
};

/*
 * Map memory that its owner may want back at any time, as that of CMA. A
 * long-term pin would take it away for good. When get_user_pages() meets a page
 * of CMA it migrates it first and tries again, but these pages do not migrate,
 * so it would try forever. It cannot be told to refuse long-term pins only: the
 * checks it has for that do not cover read-only pins of pages that are in the
 * page table already. It does refuse page frames, whatever the kind of pin, and
 * the fast variant does not take entries that are marked as such.
 *
 * The entries have no references; the mapping holds the file, which holds the
 * pages. The calls which would drop them (MADV_DONTNEED) refuse.
 */
static void heap_mmap_frames(struct vm_area_struct *vma)
{
	vma->vm_ops = &heap_frames_vm_ops;
	vm_flags_set(vma, VM_IO | VM_PFNMAP);
}

/**
 * heap_mmap - map a buffer into a program
 * @dmabuf: the buffer, of a page-backed heap
 * @vma: the mapping, which ends within the buffer
 *
 * It does not matter whether the caller is mmap() or a driver through
 * dma_buf_mmap(): the mapping is one of the dma-buf's own file, at the offset
 * that is wanted, and keeps that file, and so the buffer, alive.
 *
 * Where &heap_backing.longterm_pin is set, faults enter ordinary pages, as in
 * any file, without VM_PFNMAP or VM_MIXEDMAP. Elsewhere these are page frames,
 * which no call can pin.
 *
 * A program which maps a buffer MAP_PRIVATE has made a mistake: what it writes
 * never reaches the device. It is told so, but for mappings of a single page,
 * which have always been accepted.
 *
 * VM_DONTEXPAND is what DRM demands of each mapping of an object, and buffers
 * do not grow. Core dumps leave out what belongs to devices.
 *
 * Context: Process context, with the mmap lock. Does not sleep.
 * Return: 0; -EINVAL for MAP_PRIVATE where the heap does not allow it or of
 * more than one page, or when the mapping ends behind the buffer.
 */
int heap_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct heap_buffer *buffer = heap_buffer_of(dmabuf);
	struct dma_buf_pages *pages = &buffer->pages;

	if (!(vma->vm_flags & VM_MAYSHARE) &&
	    (!buffer->backing->private_mmap || vma_pages(vma) > 1))
		return -EINVAL;
	if (vma->vm_pgoff >= pages->nr_pages ||
	    vma_pages(vma) > pages->nr_pages - vma->vm_pgoff)
		return -EINVAL;

	WRITE_ONCE(pages->exposed, true);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = pages;
	if (buffer->backing->longterm_pin)
		vma->vm_ops = &heap_vm_ops;
	else
		heap_mmap_frames(vma);
	return 0;
}

/**
 * heap_mmap_revoke - wait for faults that have not seen a revocation
 * @dmabuf: the buffer, of a page-backed heap, with &dma_buf.revoked set
 *
 * For &dma_buf_ops.revoke. A fault that enters a page has the lock of that page
 * or of one beside it, or looks for the revocation with the lock of the page
 * table. So after each page has been locked once, no more pages are entered,
 * and the core can empty the page tables.
 *
 * Context: Process context; takes the lock of each folio, and the reservation
 * lock. May sleep.
 */
void heap_mmap_revoke(struct dma_buf *dmabuf)
{
	struct heap_buffer *buffer = heap_buffer_of(dmabuf);
	struct dma_buf_pages_iter iter;
	struct folio *folio;

	dma_buf_pages_for_each_folio(&iter, folio, &buffer->pages) {
		folio_lock(folio);
		folio_unlock(folio);
		cond_resched();
	}
	dma_buf_pages_revoke(dmabuf);
}
