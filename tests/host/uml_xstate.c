// SPDX-License-Identifier: GPL-2.0-only
/*
 * ptrace() for User Mode Linux on a CPU with more registers than it knows.
 *
 * User Mode Linux 6.12 keeps XSTATE_KNOWN bytes of the extended state of a
 * process. The kernel of a machine with AMX takes nothing but the whole of it in
 * PTRACE_SETREGSET, and the first process of the guest dies. What is missing are
 * the tiles, behind the rest in the standard format; programs in the guest do not
 * have them, so they are in their initial state, which is zero.
 *
 * scripts/boot-uml.sh preloads this where it is needed.
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
	return syscall(SYS_ptrace, request, pid, addr, data);
}
