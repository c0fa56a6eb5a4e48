// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers of heaps in the page tables of programs
 *
 * What it is: the mmap op of all page-backed heaps, and the fault handlers behind
 * it. Faults map in batches, or in huge entries where the folios are large enough.
 * What it owns: nothing; a mapping holds the buffer's file.
 * Locks: none of ours, the chunks of a buffer do not change while it lives.
 * Faults run under the mmap lock or the lock of the mapping, and take the page
 * table's.
 * May call: mm.
 * Never here: anything that the pages of another kind of file would not do too.
 * Units: offsets and lengths in pages.
 */
#include <linux/dma-buf.h>
#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/userfaultfd_k.h>

#include "heap_buffer.h"

/* How many pages one fault maps at most; they must share a page table. */
#define HEAP_FAULT_PAGES	min_t(unsigned long, PTRS_PER_PTE, SZ_2M >> PAGE_SHIFT)

/*
 * How many pages of a folio are entered in one step: as many as there are, but
 * for User Mode Linux, whose set_ptes() gets the third one wrong in 6.12.
 */
#define HEAP_ENTER_PAGES	(IS_ENABLED(CONFIG_UML) ? 1UL : ULONG_MAX)

/* The chunk which has page @index of the buffer in it. */
static unsigned int heap_buffer_chunk_at(const struct heap_buffer *buffer,
					 pgoff_t index)
{
	unsigned int low = 0, high = buffer->nr_chunks;

	/* Invariant: the chunk is in [low, high). */
	while (high - low > 1) {
		unsigned int middle = low + (high - low) / 2;

		if (buffer->chunks[middle].start <= index)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static struct page *heap_buffer_page(const struct heap_buffer *buffer,
				     pgoff_t index)
{
	const struct heap_chunk *chunk;

	chunk = &buffer->chunks[heap_buffer_chunk_at(buffer, index)];
	return nth_page(chunk->page, index - chunk->start);
}

/*
 * Would a page table entry of the level above map this folio here? Then
 * finish_fault() makes one. It has reasons of its own to decline, such as
 * MADV_NOHUGEPAGE; it enters one page then, and the next fault finds a page
 * table and comes to the batch.
 */
static bool heap_fault_is_huge(const struct vm_fault *vmf, struct folio *folio)
{
	return IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) &&
	       folio_order(folio) == PMD_SHIFT - PAGE_SHIFT &&
	       pmd_none(*vmf->pmd) &&
	       thp_vma_suitable_order(vmf->vma, vmf->address,
				      PMD_SHIFT - PAGE_SHIFT) &&
	       folio_page_idx(folio, vmf->page) == pte_index(vmf->address);
}

/*
 * Must this fault be resolved by the core, page by page? So it is when a
 * private copy is about to be made, and when somebody watches single pages.
 */
static bool heap_fault_is_single(const struct vm_fault *vmf)
{
	return vmf->cow_page || userfaultfd_armed(vmf->vma) ||
	       (vmf->flags & FAULT_FLAG_ORIG_PTE_VALID &&
		!pte_none(vmf->orig_pte));
}

/* Is this to pin for long what must not be? See heap_short_pin_vm_ops. */
static bool heap_fault_is_refused(const struct heap_buffer *buffer)
{
	return !buffer->backing->longterm_pin && current->flags & PF_MEMALLOC_PIN;
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
 */
static void heap_fault_batch(struct vm_fault *vmf,
			     const struct heap_buffer *buffer)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long span = HEAP_FAULT_PAGES, before, index, end, address, done;
	unsigned int i;
	pte_t *table;

	/* Down to the start of the span, but not past that of the mapping. */
	before = min(pte_index(vmf->address) % span,
		     (vmf->address - vma->vm_start) >> PAGE_SHIFT);
	index = vmf->pgoff - before;
	address = (vmf->address & PAGE_MASK) - (before << PAGE_SHIFT);
	end = index + span - pte_index(address) % span;
	end = min3(end, index + ((vma->vm_end - address) >> PAGE_SHIFT),
		   buffer->nr_pages);

	table = pte_offset_map_lock(vma->vm_mm, vmf->pmd, address, &vmf->ptl);
	if (!table)
		return;
	/* sparse loses sight of the lock in there */
	__acquire(vmf->ptl);

	vmf->pte = table;
	for (i = heap_buffer_chunk_at(buffer, index); index < end; i++) {
		const struct heap_chunk *chunk = &buffer->chunks[i];
		pgoff_t stop = min(end, chunk->start + heap_chunk_pages(buffer, i));

		for (; index < stop; index += done) {
			done = heap_fault_enter(vmf, nth_page(chunk->page,
							      index - chunk->start),
						stop - index, address);
			address += done << PAGE_SHIFT;
			vmf->pte += done;
		}
	}
	pte_unmap_unlock(table, vmf->ptl);
	vmf->pte = NULL;
}

static vm_fault_t heap_fault(struct vm_fault *vmf)
{
	const struct heap_buffer *buffer = vmf->vma->vm_private_data;
	struct page *page;
	struct folio *folio;

	/* mremap() can make a mapping longer than the buffer. */
	if (vmf->pgoff >= buffer->nr_pages)
		return VM_FAULT_SIGBUS;

	if (heap_fault_is_refused(buffer))
		return VM_FAULT_SIGBUS;

	page = heap_buffer_page(buffer, vmf->pgoff);
	if (PageHWPoison(page))
		return VM_FAULT_HWPOISON;

	vmf->page = page;
	folio = page_folio(page);
	if (heap_fault_is_single(vmf) || heap_fault_is_huge(vmf, folio)) {
		folio_get(folio);
		return 0;
	}

	vmf->page = NULL;
	if (pte_alloc(vmf->vma->vm_mm, vmf->pmd))
		return VM_FAULT_OOM;
	heap_fault_batch(vmf, buffer);
	return VM_FAULT_NOPAGE;
}

/* The quick way in for reading, where the page table is already there. */
static vm_fault_t heap_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	const struct heap_buffer *buffer = vmf->vma->vm_private_data;

	if (vmf->pgoff >= buffer->nr_pages || pmd_none(*vmf->pmd) ||
	    heap_fault_is_single(vmf) || heap_fault_is_refused(buffer) ||
	    PageHWPoison(heap_buffer_page(buffer, vmf->pgoff)))
		return 0;
	heap_fault_batch(vmf, buffer);
	return VM_FAULT_NOPAGE;
}

static const struct vm_operations_struct heap_vm_ops = {
	.fault		= heap_fault,
	.map_pages	= heap_map_pages,
};

/* Never called for pages that are in the mem_map, as all of ours are. */
static vm_fault_t heap_pfn_mkwrite(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

/*
 * For memory that must come back when its owner wants it, as that of CMA. The mm
 * would try to migrate such a page before it pins it for long, and try forever,
 * as ours cannot migrate. So it has to refuse: it does, for writing, where a
 * mapping says that it wants to know of writes, which is all that the extra op
 * is for. For reading it does not ask; there only pages which are not yet in the
 * page table can be refused, by the fault handler. Short pins, as for direct
 * I/O, are not concerned.
 */
static const struct vm_operations_struct heap_short_pin_vm_ops = {
	.fault		= heap_fault,
	.map_pages	= heap_map_pages,
	.pfn_mkwrite	= heap_pfn_mkwrite,
};

/**
 * heap_mmap - map a buffer into a program
 * @dmabuf: the buffer, of a page-backed heap
 * @vma: the mapping
 *
 * Whoever calls, mmap() itself or a driver through dma_buf_mmap(): the mapping
 * is one of the dma-buf's own file, at the offset that is wanted, and keeps that
 * file, and so the buffer, alive.
 *
 * No VM_PFNMAP, no VM_MIXEDMAP: these are pages as in any file.
 *
 * Context: Process context, with the mmap lock. Does not sleep.
 * Return: 0; -EINVAL for MAP_PRIVATE where the heap does not allow it.
 */
int heap_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct heap_buffer *buffer = dmabuf->priv;

	if (!buffer->backing->private_mmap && !(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;

	WRITE_ONCE(buffer->untouched, false);
	vma->vm_private_data = buffer;
	vma->vm_ops = buffer->backing->longterm_pin ?
		      &heap_vm_ops : &heap_short_pin_vm_ops;
	vm_flags_set(vma, VM_DONTDUMP);
	return 0;
}
