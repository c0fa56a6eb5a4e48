/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page frames of a mapping, their state, and memory errors in them. Needs root.
 */
#ifndef PAGE_FRAMES_H
#define PAGE_FRAMES_H

#include "sys_file.h"

#define PAGE_BREAK_FILE	"/sys/kernel/debug/hwpoison/corrupt-pfn"

/* Bits of /proc/kpageflags. */
#define KPF_COMPOUND_TAIL	16
#define KPF_HWPOISON		19

static inline __u64 word_at(const char *path, __u64 index)
{
	int fd = xopen(path, O_RDONLY);
	__u64 word = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, &word, 8, (off_t)(index * 8)) != 8)
		word = 0;
	close(fd);
	return word;
}

static inline bool page_has(__u64 pfn, unsigned int flag)
{
	return word_at("/proc/kpageflags", pfn) >> flag & 1;
}

/* 0 for none. The page has to be in the page table. */
static inline __u64 page_pfn(const void *addr)
{
	__u64 entry = word_at("/proc/self/pagemap",
				 (uintptr_t)addr / page_size());

	return entry >> 63 ? entry & ((1ull << 55) - 1) : 0;
}

/*
 * The frames of all pages of a mapping, in one read; 0 for those that are not in the
 * page table. 0 or -errno.
 */
static inline int page_pfns(const void *mem, size_t pages, __u64 *pfns)
{
	off_t at = (off_t)((uintptr_t)mem / page_size() * 8);
	int fd = xopen("/proc/self/pagemap", O_RDONLY);
	ssize_t got;
	size_t i;

	if (fd < 0)
		return fd;
	got = sysret(pread(fd, pfns, pages * 8, at));
	close(fd);
	if (got < 0)
		return (int)got;
	if (got != (ssize_t)(pages * 8))
		return -EIO;
	for (i = 0; i < pages; i++)
		pfns[i] = pfns[i] >> 63 ? pfns[i] & ((1ull << 55) - 1) : 0;
	return 0;
}

static inline void page_break(__u64 pfn)
{
	/* What memory_failure() says of such a page is not what matters. */
	file_write_number(PAGE_BREAK_FILE, (long long)pfn);
}

#endif /* PAGE_FRAMES_H */
