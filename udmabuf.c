// SPDX-License-Identifier: GPL-2.0-only
/*
 * udmabuf: dma-bufs made of memfd memory
 *
 * The device /dev/udmabuf pins ranges of memfds and wraps them into a dma-buf
 * without copying. How memory is pinned and counted is in udmabuf-folios.c,
 * what devices and the kernel do with it in dma-buf-pages. Here are the ioctls,
 * seals, limits, and the mappings of programs.
 *
 * A memfd's inode lock is held, shared, from looking at its seals until its
 * folios are pinned. Arguments of ioctls are bytes, size_limit_mb is MiB, and
 * what is called an index or pages counts pages.
 *
 * User mappings are page frames (VM_PFNMAP), not counted references. The folios
 * belong to the page cache of a memfd, which may punch a hole or go away
 * entirely while the buffer lives. It then looks for mappings of the folio
 * among those of the memfd, where a mapping of the dma-buf does not show up,
 * and a folio that leaves the page cache while still counted as mapped is taken
 * for corruption. Frames are not counted, the buffer's pins keep them in place,
 * and they may be entered a PMD at a time. A program which wants to do
 * direct I/O has the memfd to map.
 */
#include <kunit/visibility.h>
#include <linux/build_bug.h>
#include <linux/cleanup.h>
#include <linux/compat.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pages.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/huge_mm.h>
#include <linux/hugetlb.h>
#include <linux/init.h>
#include <linux/limits.h>
#include <linux/memfd.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pfn_t.h>
#include <linux/shmem_fs.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/udmabuf.h>

#include "dma-buf-memory-error.h"
#include "ioctl_table.h"
#include "udmabuf-private.h"

static_assert(sizeof(struct udmabuf_create) == 24);
static_assert(offsetof(struct udmabuf_create, memfd) == 0);
static_assert(offsetof(struct udmabuf_create, flags) == 4);
static_assert(offsetof(struct udmabuf_create, offset) == 8);
static_assert(offsetof(struct udmabuf_create, size) == 16);
static_assert(sizeof(struct udmabuf_create_item) == 24);
static_assert(offsetof(struct udmabuf_create_item, memfd) == 0);
static_assert(offsetof(struct udmabuf_create_item, __pad) == 4);
static_assert(offsetof(struct udmabuf_create_item, offset) == 8);
static_assert(offsetof(struct udmabuf_create_item, size) == 16);
static_assert(sizeof(struct udmabuf_create_list) == 8);
static_assert(offsetof(struct udmabuf_create_list, flags) == 0);
static_assert(offsetof(struct udmabuf_create_list, count) == 4);
static_assert(offsetof(struct udmabuf_create_list, list) == 8);

/* For both, a value below zero means that there is no limit. */
static int list_limit = 1024;
module_param(list_limit, int, 0644);
MODULE_PARM_DESC(list_limit, "Most ranges that one UDMABUF_CREATE_LIST may name (default 1024)");

/* 4096 x 4096 pixels of 8 bytes are 128 MiB; rows and planes may be padded. */
static int size_limit_mb = 256;
module_param(size_limit_mb, int, 0644);
MODULE_PARM_DESC(size_limit_mb, "Largest buffer that may be made, in MiB (default 256)");

/* Bytes that a fault maps around itself when it cannot map a PMD. */
#define UDMABUF_FAULT_AROUND	max_t(unsigned long, SZ_256K, PAGE_SIZE)

/* The buffer must stay there, and must stay writable. */
#define UDMABUF_SEALS_WANTED	F_SEAL_SHRINK
#define UDMABUF_SEALS_REFUSED	(F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

/**
 * struct udmabuf - one buffer
 * @pages: its memory; &dma_buf.priv
 * @cpu_began: a CPU access has been announced at least once; never taken back
 * @pmd_lock: held to choose between a PMD and a page table, see
 *	udmabuf_fault_pmd()
 */
struct udmabuf {
	struct dma_buf_pages pages;
	bool cpu_began;
	struct mutex pmd_lock; /* a PMD, or a page table */
};

/* -- access by the CPU ----------------------------------------------------- */

static struct udmabuf *udmabuf_of(const struct dma_buf *dmabuf)
{
	return container_of((struct dma_buf_pages *)dmabuf->priv,
			    struct udmabuf, pages);
}

static int udmabuf_begin_partial(struct dma_buf *dmabuf,
				 enum dma_data_direction dir,
				 size_t offset, size_t length)
{
	WRITE_ONCE(udmabuf_of(dmabuf)->cpu_began, true);
	return dma_buf_pages_begin_cpu_access_partial(dmabuf, dir, offset,
						      length);
}

/* An end without any begin is a mistake, and always was answered as one. */
static int udmabuf_end_partial(struct dma_buf *dmabuf,
			       enum dma_data_direction dir,
			       size_t offset, size_t length)
{
	if (!READ_ONCE(udmabuf_of(dmabuf)->cpu_began))
		return -EINVAL;
	return dma_buf_pages_end_cpu_access_partial(dmabuf, dir, offset, length);
}

static int udmabuf_begin_cpu_access(struct dma_buf *dmabuf,
				    enum dma_data_direction dir)
{
	return udmabuf_begin_partial(dmabuf, dir, 0, dmabuf->size);
}

static int udmabuf_end_cpu_access(struct dma_buf *dmabuf,
				  enum dma_data_direction dir)
{
	return udmabuf_end_partial(dmabuf, dir, 0, dmabuf->size);
}

/* -- mappings of programs -------------------------------------------------- */

/*
 * Find the frame which a PMD around the fault would start at. There is one if
 * all that the PMD spans belongs to the VMA and is contiguous and aligned in
 * the buffer.
 *
 * This depends on nothing but VMA and buffer: two tasks which fault in the same
 * place come to the same answer.
 */
static bool udmabuf_pmd_pfn(const struct dma_buf_pages *pages,
			    struct vm_fault *vmf, unsigned long *pfn)
{
	unsigned long start = ALIGN_DOWN(vmf->address, PMD_SIZE);
	unsigned long nr = PMD_SIZE >> PAGE_SHIFT;
	struct vm_area_struct *vma = vmf->vma;
	struct dma_buf_pages_iter iter;

	if (!IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP))
		return false;
	if (start < vma->vm_start || vma->vm_end - start < PMD_SIZE)
		return false;

	dma_buf_pages_iter_init(&iter, pages, linear_page_index(vma, start),
				ULONG_MAX, nr);
	if (!dma_buf_pages_iter_next(&iter))
		return false;

	*pfn = page_to_pfn(iter.page);
	return iter.nr_pages == nr && IS_ALIGNED(*pfn, nr);
}

/* Test whether no page that a PMD would map has a memory error. */
static bool udmabuf_pmd_is_intact(unsigned long pfn)
{
	unsigned long end = pfn + (PMD_SIZE >> PAGE_SHIFT);

	if (!dma_buf_memory_has_errors())
		return true;
	for (; pfn < end; pfn++)
		if (PageHWPoison(pfn_to_page(pfn)))
			return false;
	return true;
}

/*
 * Enter a PMD, or make sure that there is a page table in its place. Of two
 * tasks one may know of a memory error that the other does not know of yet, and
 * vmf_insert_pfn_pmd() warns about a page table, apply_to_page_range() about a
 * PMD. So they choose one after the other. A page table may also be left from
 * when the VMA had another shape.
 *
 * Return: 0 if there is a page table, else what the fault handler returns.
 */
static vm_fault_t udmabuf_fault_pmd(struct udmabuf *buf, struct vm_fault *vmf,
				    unsigned long pfn)
{
	pmd_t pmd;

	guard(mutex)(&buf->pmd_lock);
	pmd = pmdp_get_lockless(vmf->pmd);
	if (pmd_leaf(pmd))
		return VM_FAULT_NOPAGE;
	if (pmd_none(pmd) && udmabuf_pmd_is_intact(pfn))
		return vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(pfn, PFN_DEV),
					  vmf->flags & FAULT_FLAG_WRITE);
	return pte_alloc(vmf->vma->vm_mm, vmf->pmd) ? VM_FAULT_OOM : 0;
}

/**
 * struct udmabuf_window - the pages that a fault enters
 * @vma: where to
 * @iter: where from
 * @done: how many pages of this step have been dealt with
 */
struct udmabuf_window {
	struct vm_area_struct *vma;
	struct dma_buf_pages_iter iter;
	unsigned long done;
};

/* Called for each page table entry of a window, in order, under its lock. */
static int udmabuf_enter_page(pte_t *pte, unsigned long addr, void *data)
{
	struct udmabuf_window *window = data;
	struct vm_area_struct *vma = window->vma;
	struct page *page;

	if (window->done == window->iter.nr_pages) {
		if (WARN_ON_ONCE(!dma_buf_pages_iter_next(&window->iter)))
			return -EFAULT;
		window->done = 0;
	}
	page = nth_page(window->iter.page, window->done++);

	/* Not for being near: only an access to this page gets the error. */
	if (dma_buf_memory_has_errors() && PageHWPoison(page))
		return 0;

	/* Another task may have been here first. */
	if (pte_none(ptep_get(pte))) {
		set_pte_at(vma->vm_mm, addr, pte,
			   pte_mkspecial(pfn_pte(page_to_pfn(page),
						 vma->vm_page_prot)));
		update_mmu_cache(vma, addr, pte);
	}
	return 0;
}

/*
 * Enter the pages around the fault. They are all in place already, so it is the
 * faults which cost. All of this is ordinary memory, of which there is no need
 * to ask, page by page as vmf_insert_pfn() does, how it may be cached.
 */
static vm_fault_t udmabuf_fault_around(const struct dma_buf_pages *pages,
				       struct vm_fault *vmf)
{
	unsigned long addr = ALIGN_DOWN(vmf->address, UDMABUF_FAULT_AROUND);
	unsigned long end = addr + UDMABUF_FAULT_AROUND;
	struct udmabuf_window window = { .vma = vmf->vma };
	unsigned long nr_pages;
	pgoff_t index;

	addr = max(addr, vmf->vma->vm_start);
	end = min(end, vmf->vma->vm_end);
	index = linear_page_index(vmf->vma, addr);
	/* The rest of the buffer may be more bytes than addresses follow. */
	nr_pages = min((end - addr) >> PAGE_SHIFT, pages->nr_pages - index);

	dma_buf_pages_iter_init(&window.iter, pages, index, ULONG_MAX, ULONG_MAX);
	if (apply_to_page_range(vmf->vma->vm_mm, addr, nr_pages << PAGE_SHIFT,
				udmabuf_enter_page, &window))
		return VM_FAULT_OOM;
	return VM_FAULT_NOPAGE;
}

static vm_fault_t udmabuf_vm_fault(struct vm_fault *vmf)
{
	struct dma_buf_pages *pages = vmf->vma->vm_private_data;
	struct udmabuf *buf = container_of(pages, struct udmabuf, pages);
	unsigned long pfn;
	vm_fault_t ret;

	if (vmf->pgoff >= pages->nr_pages)
		return VM_FAULT_SIGBUS;
	/* The page under the fault may have got a memory error meanwhile. */
	if (dma_buf_memory_has_errors() &&
	    PageHWPoison(dma_buf_pages_page(pages, vmf->pgoff)))
		return VM_FAULT_HWPOISON;

	if (udmabuf_pmd_pfn(pages, vmf, &pfn)) {
		ret = udmabuf_fault_pmd(buf, vmf, pfn);
		if (ret)
			return ret;
	}
	return udmabuf_fault_around(pages, vmf);
}

static const struct vm_operations_struct udmabuf_vm_ops = {
	.fault = udmabuf_vm_fault,
};

/* The core checked the range. A private copy would be part of no buffer. */
static int udmabuf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct dma_buf_pages *pages = dmabuf->priv;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;

	WRITE_ONCE(pages->exposed, true);
	vma->vm_private_data = pages;
	vma->vm_ops = &udmabuf_vm_ops;
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}

/* -- the buffer ------------------------------------------------------------ */

static void udmabuf_release(struct dma_buf *dmabuf)
{
	udmabuf_free(udmabuf_of(dmabuf));
}

static const struct dma_buf_ops udmabuf_ops = {
	.cache_sgt_mapping = true,
	.map_dma_buf = dma_buf_pages_map,
	.unmap_dma_buf = dma_buf_pages_unmap,
	.begin_cpu_access = udmabuf_begin_cpu_access,
	.end_cpu_access = udmabuf_end_cpu_access,
	.begin_cpu_access_partial = udmabuf_begin_partial,
	.end_cpu_access_partial = udmabuf_end_partial,
	.mmap = udmabuf_mmap,
	/* Where a PMD fits; NULL without huge pages. */
	.get_unmapped_area = thp_get_unmapped_area,
	.vmap = dma_buf_pages_vmap,
	.vunmap = dma_buf_pages_vunmap,
	.pages = dma_buf_pages_get,
	.release = udmabuf_release,
};

/**
 * udmabuf_new - allocate a buffer without memory
 *
 * Followed by udmabuf_add() for each range and udmabuf_publish().
 *
 * Context: Process context, may sleep.
 * Return: the buffer, to be ended by udmabuf_free() until it is published, or
 * NULL when there is no memory.
 */
struct udmabuf *udmabuf_new(void)
{
	struct udmabuf *buf = kzalloc(sizeof(*buf), GFP_KERNEL);

	if (!buf)
		return NULL;
	dma_buf_pages_init(&buf->pages);
	/*
	 * They are the memfd's, which lets pipes refer to them as well, and
	 * which may be in many lists.
	 */
	buf->pages.may_outlive = true;
	buf->pages.aliased = true;
	mutex_init(&buf->pmd_lock);
	return buf;
}
EXPORT_SYMBOL_IF_KUNIT(udmabuf_new);

/**
 * udmabuf_free - free a buffer that is not published, or released
 * @buf: from udmabuf_new()
 *
 * Context: Process context, may sleep.
 */
void udmabuf_free(struct udmabuf *buf)
{
	dma_buf_pages_end(&buf->pages);
	udmabuf_folios_unpin(&buf->pages);
	mutex_destroy(&buf->pmd_lock);
	kfree(buf);
}
EXPORT_SYMBOL_IF_KUNIT(udmabuf_free);

/* Test whether this is a memfd, and sealed the way that a buffer needs it. */
static int udmabuf_check_seals(struct file *memfd)
{
	long seals;

	if (!shmem_file(memfd) && !is_file_hugepages(memfd))
		return -EBADFD;

	seals = memfd_fcntl(memfd, F_GET_SEALS, 0);
	if (seals < 0)
		return -EBADFD;
	if ((seals & UDMABUF_SEALS_WANTED) != UDMABUF_SEALS_WANTED)
		return -EINVAL;
	if (seals & UDMABUF_SEALS_REFUSED)
		return -EINVAL;
	return 0;
}

/**
 * udmabuf_add - append a range of a memfd to a buffer not yet published
 * @buf: the buffer
 * @memfd: the file; not needed any longer when this returns
 * @offset: start of the range, in bytes
 * @size: its length, in bytes
 *
 * Seals are added with the inode lock held, and %F_SEAL_WRITE is not while a
 * folio is pinned. So with the lock held from the check until all is pinned,
 * no write-sealed memfd can be one that a device writes to.
 *
 * A memfd of huge pages is given those it lacks before, by its file system, but
 * not one which is refused anyway.
 *
 * Context: Process context, may sleep; takes @memfd's inode lock.
 * Return: 0; -EBADFD when @memfd is no memfd; -EINVAL when its seals are not
 * right; or as udmabuf_folios_populate() and udmabuf_folios_pin().
 */
int udmabuf_add(struct udmabuf *buf, struct file *memfd, u64 offset, u64 size)
{
	struct inode *inode = file_inode(memfd);
	int ret;

	ret = udmabuf_check_seals(memfd);
	if (!ret)
		ret = udmabuf_folios_populate(memfd, offset, size);
	if (ret)
		return ret;

	inode_lock_shared(inode);
	ret = udmabuf_check_seals(memfd);
	if (!ret)
		ret = udmabuf_folios_pin(&buf->pages, memfd, offset, size);
	inode_unlock_shared(inode);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(udmabuf_add);

/**
 * udmabuf_publish - turn a buffer into a dma-buf
 * @buf: the buffer, with memory in it
 *
 * Context: Process context, may sleep.
 * Return: the dma-buf, which owns @buf now, or an ERR_PTR() as dma_buf_export()
 * gives it, and @buf remains the caller's.
 */
struct dma_buf *udmabuf_publish(struct udmabuf *buf)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);

	exp_info.ops = &udmabuf_ops;
	exp_info.size = buf->pages.nr_pages << PAGE_SHIFT;
	exp_info.flags = O_RDWR;
	exp_info.priv = &buf->pages;
	return dma_buf_export(&exp_info);
}
EXPORT_SYMBOL_IF_KUNIT(udmabuf_publish);

/* -- the device ------------------------------------------------------------ */

/* Test whether a list may be so long, and can be held in memory. */
static int udmabuf_check_count(u32 count)
{
	int limit = READ_ONCE(list_limit);

	if (!count || (limit >= 0 && count > limit))
		return -EINVAL;
	if (count > INT_MAX / sizeof(struct udmabuf_create_item))
		return -ENOMEM;
	return 0;
}

/* Return how many bytes a buffer may have. */
static u64 udmabuf_size_allowed(void)
{
	int limit = READ_ONCE(size_limit_mb);

	return limit < 0 ? SIZE_MAX : min_t(u64, (u64)limit << 20, SIZE_MAX);
}

/*
 * Refuse what can be refused by looking at the numbers, before a single
 * descriptor is looked up or page allocated.
 */
static int udmabuf_check_items(const struct udmabuf_create_item *items,
			       u32 count)
{
	u64 room = udmabuf_size_allowed();
	u32 i;

	for (i = 0; i < count; i++) {
		if (!items[i].size || !PAGE_ALIGNED(items[i].size) ||
		    !PAGE_ALIGNED(items[i].offset))
			return -EINVAL;
		if (items[i].size > room)
			return -EINVAL;
		room -= items[i].size;
	}
	return 0;
}

/* Look up and append each item's memory. */
static int udmabuf_add_items(struct udmabuf *buf,
			     const struct udmabuf_create_item *items, u32 count)
{
	struct file *memfd;
	int ret = 0;
	u32 i;

	for (i = 0; i < count && !ret; i++) {
		memfd = fget(items[i].memfd);
		if (!memfd)
			return -EBADFD;
		ret = udmabuf_add(buf, memfd, items[i].offset, items[i].size);
		fput(memfd);
	}
	return ret;
}

/*
 * From items to a descriptor: what both commands come to. Flags which mean
 * nothing have been let through since the first version.
 */
static long udmabuf_create(const struct udmabuf_create_item *items, u32 count,
			   u32 flags)
{
	struct dma_buf *dmabuf;
	struct udmabuf *buf;
	int ret;

	ret = udmabuf_check_items(items, count);
	if (ret)
		return ret;

	buf = udmabuf_new();
	if (!buf)
		return -ENOMEM;
	ret = udmabuf_add_items(buf, items, count);
	if (ret)
		goto err_free_buf;

	dmabuf = udmabuf_publish(buf);
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		goto err_free_buf;
	}

	/* From here on the dma-buf owns the buffer. */
	ret = dma_buf_fd(dmabuf, flags & UDMABUF_FLAGS_CLOEXEC ? O_CLOEXEC : 0);
	if (ret < 0)
		dma_buf_put(dmabuf);
	return ret;

err_free_buf:
	udmabuf_free(buf);
	return ret;
}

static long udmabuf_ioctl_create(struct ioctl_call *call, void *args)
{
	const struct udmabuf_create *create = args;
	const struct udmabuf_create_item item = {
		.memfd = create->memfd,
		.offset = create->offset,
		.size = create->size,
	};

	return udmabuf_create(&item, 1, create->flags);
}

static long udmabuf_ioctl_create_list(struct ioctl_call *call, void *args)
{
	const struct udmabuf_create_list *head = args;
	struct udmabuf_create_item *items;
	long ret;

	ret = udmabuf_check_count(head->count);
	if (ret)
		return ret;

	items = vmemdup_array_user(call->user + sizeof(*head), head->count,
				   sizeof(*items));
	if (IS_ERR(items))
		return PTR_ERR(items);

	ret = udmabuf_create(items, head->count, head->flags);
	kvfree(items);
	return ret;
}

static const struct ioctl_entry udmabuf_ioctls[] = {
	IOCTL_EXACT(UDMABUF_CREATE, struct udmabuf_create, udmabuf_ioctl_create),
	IOCTL_EXACT(UDMABUF_CREATE_LIST, struct udmabuf_create_list,
		    udmabuf_ioctl_create_list),
};

static long udmabuf_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	return ioctl_table_call(udmabuf_ioctls, file, cmd, arg);
}

static const struct file_operations udmabuf_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = udmabuf_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice udmabuf_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "udmabuf",
	.fops = &udmabuf_fops,
};

static int __init udmabuf_init(void)
{
	return misc_register(&udmabuf_misc);
}
device_initcall(udmabuf_init);
