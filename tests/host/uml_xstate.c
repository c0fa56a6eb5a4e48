// SPDX-License-Identifier: GPL-2.0-only
/*
 * ptrace() for User Mode Linux: the extended state (FPU, AVX) of a process.
 *
 * User Mode Linux 6.12 keeps XSTATE_KNOWN bytes of this state. The kernel of a
 * machine with AMX takes nothing but the whole of it in PTRACE_SETREGSET, and
 * the first process of the guest dies. What is missing are the tiles, behind
 * the rest in the standard format; programs in the guest do not have them, so
 * they are in their initial state, which is zero.
 *
 * It also gets and sets the state at each system call of the guest, which
 * rarely changes it. So a state that the process still has is not set again.
 *
 * scripts/boot-uml.sh preloads this.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define XSTATE_KNOWN	2696
#define XSTATE_MOST	65536

static char state[XSTATE_MOST];

/* What the process @held_by, which has not run since, had when it was asked. */
static char held[XSTATE_MOST];
static size_t held_size;
static pid_t held_by;

static void hold(pid_t pid, const struct iovec *given)
{
	held_by = given->iov_len <= sizeof(held) ? pid : 0;
	if (!held_by)
		return;
	held_size = given->iov_len;
	memcpy(held, given->iov_base, held_size);
}

static int is_held(pid_t pid, const struct iovec *given)
{
	return pid == held_by && given->iov_len == held_size &&
	       !memcmp(given->iov_base, held, held_size);
}

static size_t xstate_size(pid_t pid)
{
	static size_t size;
	struct iovec iov = { .iov_base = state, .iov_len = sizeof(state) };

	if (!size && !syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &iov))
		size = iov.iov_len;
	return size;
}

long ptrace(enum __ptrace_request request, ...)
{
	struct iovec *given, whole = { .iov_base = state };
	void *addr, *data;
	unsigned long word;
	va_list args;
	pid_t pid;
	long ret;

	va_start(args, request);
	pid = va_arg(args, pid_t);
	addr = va_arg(args, void *);
	data = va_arg(args, void *);
	va_end(args);

	if (request == PTRACE_SETREGSET && (long)addr == NT_X86_XSTATE) {
		given = data;
		if (is_held(pid, given))
			return 0;
		whole.iov_len = xstate_size(pid);
		if (given->iov_len == XSTATE_KNOWN && whole.iov_len > XSTATE_KNOWN) {
			memcpy(state, given->iov_base, XSTATE_KNOWN);
			memset(state + XSTATE_KNOWN, 0, whole.iov_len - XSTATE_KNOWN);
			data = &whole;
		}
	}
	/* The system call stores the word that the function returns. */
	if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA ||
	    request == PTRACE_PEEKUSER) {
		ret = syscall(SYS_ptrace, request, pid, addr, &word);
		return ret < 0 ? ret : (long)word;
	}
	ret = syscall(SYS_ptrace, request, pid, addr, data);
	if (request == PTRACE_GETREGSET && (long)addr == NT_X86_XSTATE && !ret)
		hold(pid, data);
	else if (request != PTRACE_GETREGS && request != PTRACE_SETREGS)
		held_by = 0;
	return ret;
}
