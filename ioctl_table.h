/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How an ioctl command finds its handler
 *
 * What it is: one table type for every file of this folder that has ioctls.
 * A command is an entry; the dispatcher finds the entry, fetches the argument
 * into kernel memory and calls the handler. So a handler neither decodes
 * commands nor reads user memory twice.
 * What it owns: nothing. All state lives on the stack of one call.
 * Locks: none. May sleep, for it touches user memory.
 * May call: nothing of the folder; every layer may include it.
 * Never here: what a command means.
 * Units: sizes are in bytes.
 *
 * A table has at most a handful of entries, so it is scanned, never indexed:
 * no number chosen by user space ever becomes an array index, and commands
 * which share a number and differ in size (DMA_BUF_SET_NAME_A and _B) are simply
 * two entries.
 *
 *	static const struct ioctl_entry foo_ioctls[] = {
 *		IOCTL_EXACT(FOO_IOCTL_BAR, struct foo_bar, foo_ioctl_bar),
 *		IOCTL_GROWS(FOO_IOCTL_NEW, struct foo_new, fd_flags,
 *			    IOCTL_TAIL_ZERO, foo_ioctl_new),
 *		IOCTL_VALUE(FOO_IOCTL_BAZ, struct foo_baz, flags, foo_ioctl_baz),
 *		IOCTL_RAW(FOO_SET_NAME, foo_ioctl_set_name),
 *	};
 *
 *	static long foo_ioctl(struct file *file, unsigned int cmd,
 *			      unsigned long arg)
 *	{
 *		return ioctl_table_call(foo_ioctls, file, cmd, arg);
 *	}
 */
#ifndef _DMA_BUF_IOCTL_TABLE_H
#define _DMA_BUF_IOCTL_TABLE_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/ioctl.h>
#include <linux/minmax.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/uaccess.h>

/* Room for the largest argument; lives on the stack. Raise it when needed. */
#define IOCTL_ARGS_MAX	64

/**
 * enum ioctl_arg_kind - what the argument of a command is
 * @IOCTL_ARG_EXACT: a struct of exactly the size that the command encodes;
 *	the command must match bit for bit
 * @IOCTL_ARG_GROWS: a struct which may grow; the command must match but for
 *	the size, which says how much of the struct the program knows
 * @IOCTL_ARG_VALUE: a struct that consists of one __u64; the command must match
 *	bit for bit. For calls that are made often: the member comes in a
 *	register, and no struct is built
 * @IOCTL_ARG_RAW: not ours to copy: the handler reads &ioctl_call.arg or
 *	&ioctl_call.user itself; the command must match bit for bit
 */
enum ioctl_arg_kind {
	IOCTL_ARG_EXACT,
	IOCTL_ARG_GROWS,
	IOCTL_ARG_VALUE,
	IOCTL_ARG_RAW,
};

/**
 * enum ioctl_tail - a program's struct is longer than the kernel's: and now?
 * @IOCTL_TAIL_ZERO: refuse with -E2BIG unless what the kernel does not know
 *	is zero. For everything new.
 * @IOCTL_TAIL_IGNORE: take no notice. For commands published that way.
 */
enum ioctl_tail {
	IOCTL_TAIL_ZERO,
	IOCTL_TAIL_IGNORE,
};

/**
 * struct ioctl_call - one call of one command
 * @file: the open file that the call came through
 * @cmd: the command as the program spelled it
 * @arg: the third argument of ioctl(2), unchanged
 * @user: the same as a user pointer; for a struct with a variable part, the
 *	part starts at @user plus the fixed size
 * @reply_size: how many bytes of the struct the program has room for
 * @buf: the kernel's copy of the struct; handlers get it as their second
 *	parameter. What the program did not supply is zero.
 */
struct ioctl_call {
	struct file *file;
	unsigned int cmd;
	unsigned long arg;
	void __user *user;
	size_t reply_size;
	u64 buf[IOCTL_ARGS_MAX / sizeof(u64)];
};

/**
 * typedef ioctl_handler_t - carry out one command
 * @call: the call
 * @args: kernel copy of the argument struct, the handler's to change; NULL for
 *	%IOCTL_ARG_RAW
 *
 * A command that answers changes @args and says ioctl_call_reply() when the
 * answer is final and the handler can still back out, so before fd_install().
 *
 * Return: what ioctl(2) returns, zero or a negative errno.
 */
typedef long (*ioctl_handler_t)(struct ioctl_call *call, void *args);

/**
 * typedef ioctl_value_handler_t - carry out one command of %IOCTL_ARG_VALUE
 * @file: the open file that the call came through
 * @value: the one member of the argument
 *
 * Return: what ioctl(2) returns, zero or a negative errno.
 */
typedef long (*ioctl_value_handler_t)(struct file *file, u64 value);

/**
 * struct ioctl_entry - one command of a table
 * @cmd: the command, with the size that this kernel knows
 * @kind: what the argument is
 * @tail: for %IOCTL_ARG_GROWS, what to do with bytes past the known size
 * @min_size: for %IOCTL_ARG_GROWS, the least that a program must supply
 * @handler: who carries it out
 * @value_handler: the same for %IOCTL_ARG_VALUE
 *
 * Made by IOCTL_EXACT(), IOCTL_GROWS(), IOCTL_VALUE() and IOCTL_RAW(), which let
 * the compiler check what can be checked.
 */
struct ioctl_entry {
	unsigned int cmd;
	enum ioctl_arg_kind kind;
	enum ioctl_tail tail;
	size_t min_size;
	union {
		ioctl_handler_t handler;
		ioctl_value_handler_t value_handler;
	};
};

/*
 * The command, if it encodes the size of its own struct and the struct fits.
 * Variadic only because a constant may safely be evaluated twice.
 */
#define IOCTL_CHECKED(type, _cmd...)					\
	((_cmd) +							\
	 BUILD_BUG_ON_ZERO(_IOC_SIZE(_cmd) != sizeof(type)) +		\
	 BUILD_BUG_ON_ZERO(sizeof(type) > IOCTL_ARGS_MAX))

/**
 * IOCTL_EXACT() - entry for a command with a struct of fixed size
 * @_cmd: the command
 * @type: its argument, the whole of it, also when that is a bare __u32
 * @_handler: &ioctl_handler_t
 */
#define IOCTL_EXACT(_cmd, type, _handler)				\
	{								\
		.cmd = IOCTL_CHECKED(type, _cmd),			\
		.kind = IOCTL_ARG_EXACT,				\
		.handler = (_handler),					\
	}

/**
 * IOCTL_GROWS() - entry for a command whose struct grows at its end
 * @_cmd: the command, as of today
 * @type: its argument, as of today
 * @_last: the last member which the very first version had
 * @_tail: &enum ioctl_tail
 * @_handler: &ioctl_handler_t
 */
#define IOCTL_GROWS(_cmd, type, _last, _tail, _handler)			\
	{								\
		.cmd = IOCTL_CHECKED(type, _cmd),			\
		.kind = IOCTL_ARG_GROWS,				\
		.tail = (_tail),					\
		.min_size = offsetofend(type, _last),			\
		.handler = (_handler),					\
	}

/**
 * IOCTL_VALUE() - entry for a command whose struct is one __u64
 * @_cmd: the command
 * @type: its argument
 * @_member: the member of it
 * @_handler: &ioctl_value_handler_t
 */
#define IOCTL_VALUE(_cmd, type, _member, _handler)			\
	{								\
		.cmd = IOCTL_CHECKED(type, _cmd) +			\
		       BUILD_BUG_ON_ZERO(sizeof(type) != sizeof(u64)) +	\
		       BUILD_BUG_ON_ZERO(sizeof_field(type, _member) !=	\
					 sizeof(u64)),			\
		.kind = IOCTL_ARG_VALUE,				\
		.value_handler = (_handler),				\
	}

/**
 * IOCTL_RAW() - entry for a command whose argument is not a struct
 * @_cmd: the command
 * @_handler: &ioctl_handler_t, called with NULL for its args
 */
#define IOCTL_RAW(_cmd, _handler)					\
	{								\
		.cmd = (_cmd),						\
		.kind = IOCTL_ARG_RAW,					\
		.handler = (_handler),					\
	}

/**
 * ioctl_call_reply - give the struct back to the program
 * @call: the call
 *
 * Copies as much of the struct as both sides know. What lies behind it in the
 * program's memory is left as it was.
 *
 * Context: May sleep.
 * Return: 0, or -EFAULT when the program's memory cannot be written.
 */
static inline int ioctl_call_reply(struct ioctl_call *call)
{
	return copy_to_user(call->user, call->buf, call->reply_size) ? -EFAULT : 0;
}

/* Does this entry answer to @cmd? Growing commands may differ in size. */
static inline bool ioctl_entry_matches(const struct ioctl_entry *entry,
				       unsigned int cmd)
{
	unsigned int differ = entry->cmd ^ cmd;

	if (entry->kind == IOCTL_ARG_GROWS)
		differ &= ~IOCSIZE_MASK;
	return !differ;
}

/* Bring the program's struct into call->buf, by the rules of @entry. */
static inline int ioctl_call_fetch(const struct ioctl_entry *entry,
				   struct ioctl_call *call)
{
	size_t known = _IOC_SIZE(entry->cmd);
	size_t given = _IOC_SIZE(call->cmd);
	int zero;

	call->reply_size = min(given, known);
	/* All exact commands, and nearly all calls of the others. */
	if (likely(given == known))
		return copy_from_user(call->buf, call->user, known) ? -EFAULT : 0;

	if (given < entry->min_size)
		return -EINVAL;
	if (given > known && entry->tail == IOCTL_TAIL_ZERO) {
		zero = check_zeroed_user(call->user + known, given - known);
		if (zero <= 0)
			return zero ?: -E2BIG;
	}

	if (copy_from_user(call->buf, call->user, call->reply_size))
		return -EFAULT;
	memset((u8 *)call->buf + call->reply_size, 0, known - call->reply_size);
	return 0;
}

/* All that takes a struct, out of the way of what does not. */
static noinline_for_stack __maybe_unused long
ioctl_entry_run(const struct ioctl_entry *entry, struct file *file,
		unsigned int cmd, unsigned long arg)
{
	struct ioctl_call call;
	int ret;

	call.file = file;
	call.cmd = cmd;
	call.arg = arg;
	call.user = (void __user *)arg;
	call.reply_size = 0;
	if (entry->kind == IOCTL_ARG_RAW)
		return entry->handler(&call, NULL);

	ret = ioctl_call_fetch(entry, &call);
	if (ret)
		return ret;
	return entry->handler(&call, call.buf);
}

/**
 * ioctl_table_dispatch - look a command up and have it carried out
 * @table: the entries
 * @count: how many they are
 * @file: the open file
 * @cmd: second argument of ioctl(2)
 * @arg: third argument of ioctl(2)
 *
 * Use it through ioctl_table_call(), which knows the count.
 *
 * Context: Process context of the calling program. May sleep.
 * Return: what the handler returns; -ENOTTY when no entry matches, -EINVAL when
 * a growing struct is shorter than its first version, -E2BIG when it is longer
 * than ours and the rest is not zero (%IOCTL_TAIL_ZERO only), -EFAULT when the
 * argument cannot be read.
 */
static inline long ioctl_table_dispatch(const struct ioctl_entry *table,
					size_t count, struct file *file,
					unsigned int cmd, unsigned long arg)
{
	const struct ioctl_entry *entry;
	u64 value;

	for (entry = table; entry < table + count; entry++)
		if (ioctl_entry_matches(entry, cmd))
			break;
	if (entry == table + count)
		return -ENOTTY;

	if (entry->kind != IOCTL_ARG_VALUE)
		return ioctl_entry_run(entry, file, cmd, arg);
	if (get_user(value, (u64 __user *)arg))
		return -EFAULT;
	return entry->value_handler(file, value);
}

/**
 * ioctl_table_call() - ioctl_table_dispatch() on an array
 * @_table: array of &struct ioctl_entry; the array itself, not a pointer to it
 * @_file: the open file
 * @_cmd: second argument of ioctl(2)
 * @_arg: third argument of ioctl(2)
 */
#define ioctl_table_call(_table, _file, _cmd, _arg)			\
	ioctl_table_dispatch(_table,					\
			     sizeof(_table) / sizeof(struct ioctl_entry), \
			     _file, _cmd, _arg)

#endif /* _DMA_BUF_IOCTL_TABLE_H */
