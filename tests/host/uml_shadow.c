// SPDX-License-Identifier: GPL-2.0-only
/*
 * clone() and mmap() for User Mode Linux with KASAN: a process of the guest
 * gets no copy of the shadow memory.
 *
 * For each address space of the guest User Mode Linux 6.12 clones itself, and
 * unmaps all that the new process has inherited. Most of that is KASAN's
 * shadow: the page tables of an eighth of the guest's memory are copied, and
 * each page of the shadow is write-protected, so that the kernel faults at its
 * next access to each of them. Here the shadow is not inherited. The few
 * instrumented functions that run in the new process find zeroes instead, which
 * allow each access.
 *
 * scripts/boot-uml.sh preloads this.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Nothing else that User Mode Linux maps is as large. */
#define SHADOW_MIN	(1ul << 40)

static void *shadow;
static size_t shadow_size;

static void *map(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, offset);
}

void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off64_t offset)
{
	void *place = map(addr, len, prot, flags, fd, offset);

	if (place != MAP_FAILED && len >= SHADOW_MIN &&
	    !madvise(place, len, MADV_DONTFORK)) {
		shadow = place;
		shadow_size = len;
	}
	return place;
}

/* What the new process runs. It has a copy of this. */
static struct {
	int (*run)(void *arg);
	void *arg;
} process;

static int run_process(void *unused)
{
	(void)unused;
	map(shadow, shadow_size, PROT_READ | PROT_WRITE,
	    MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return process.run(process.arg);
}

/* User Mode Linux passes none of the optional arguments. */
int clone(int (*run)(void *), void *stack, int flags, void *arg, ...)
{
	static int (*next)(int (*run)(void *), void *stack, int flags, void *arg, ...);

	if (!next)
		next = dlsym(RTLD_NEXT, "clone");
	if (!shadow || flags & CLONE_VM)
		return next(run, stack, flags, arg);
	process.run = run;
	process.arg = arg;
	return next(run_process, stack, flags, NULL);
}
