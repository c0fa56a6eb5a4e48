/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables of ioctl commands.
 *
 * A command is an entry of a table. The dispatcher finds the entry, copies the
 * argument into kernel memory and calls the handler. So a handler neither
 * decodes commands nor reads user memory twice, and the compiler checks that a
 * command encodes the size of its argument. Every file of this folder that has
 * ioctls uses it; all state is on the stack of one call.
 *
 * A table has a handful of entries, so it is scanned and not indexed: no number
 * chosen by user space becomes an array index, and commands that share a number
 * and differ in size (DMA_BUF_SET_NAME_A and _B) are two entries. The hottest
 * command comes first.
 *
 *	static const struct ioctl_entry foo_ioctls[] = {
 *		IOCTL_EXACT(FOO_IOCTL_BAR, struct foo_bar, foo_ioctl_bar),
 *		IOCTL_GROWS(FOO_IOCTL_NEW, struct foo_new, fd_flags,
 *			    IOCTL_TAIL_ZERO, foo_ioctl_new),
 *		IOCTL_VALUE(FOO_IOCTL_BAZ, struct foo_baz, flags,
 *			    foo_ioctl_baz),
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

/* Size of the largest argument, which is copied to the stack. */
#define IOCTL_ARGS_MAX	64

/**
 * enum ioctl_arg_kind - kind of the argument of a command
 * @IOCTL_ARG_EXACT: a struct of exactly the size that the command encodes;
 *	the command must match bit for bit
 * @IOCTL_ARG_GROWS: a struct that may grow; the command must match but for the
 *	size, which says how much of the struct the program knows
 * @IOCTL_ARG_VALUE: a struct that consists of one __u64; the command must match
 *	bit for bit. For calls that are made often: the member is passed in a
 *	register, and no struct ioctl_call is built
 * @IOCTL_ARG_RAW: not copied: the handler reads &ioctl_call.arg or
 *	&ioctl_call.user itself; the command must match bit for bit
 */
enum ioctl_arg_kind {
	IOCTL_ARG_EXACT,
	IOCTL_ARG_GROWS,
	IOCTL_ARG_VALUE,
	IOCTL_ARG_RAW,
};

/**
 * enum ioctl_tail - handling of bytes beyond the size that the kernel knows
 * @IOCTL_TAIL_ZERO: refuse with -E2BIG unless they are zero. For all new
 *	commands.
 * @IOCTL_TAIL_IGNORE: ignore them. For commands that were published that way.
 */
enum ioctl_tail {
	IOCTL_TAIL_ZERO,
	IOCTL_TAIL_IGNORE,
};

/**
 * struct ioctl_call - one call of a command
 * @file: the open file that the call was made on
 * @cmd: the command, with the size that the program knows
 * @arg: the third argument of ioctl(2), unchanged
 * @user: the same as a user pointer; for a struct with a variable part, the
 *	part starts at @user plus the fixed size
 * @reply_size: number of bytes of the struct that the program has room for
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
 * @args: kernel copy of the argument struct, which the handler may change; NULL
 *	for %IOCTL_ARG_RAW
 *
 * A command that answers changes @args and calls ioctl_call_reply() when the
 * answer is final and the handler can still fail, so before fd_install().
 *
 * Return: what ioctl(2) returns: zero, a number of bytes, or a negative errno.
 */
typedef long (*ioctl_handler_t)(struct ioctl_call *call, void *args);

/**
 * typedef ioctl_value_handler_t - carry out one command of %IOCTL_ARG_VALUE
 * @file: the open file that the call was made on
 * @value: the one member of the argument
 *
 * Return: what ioctl(2) returns, zero or a negative errno.
 */
typedef long (*ioctl_value_handler_t)(struct file *file, u64 value);

/**
 * struct ioctl_entry - one command of a table
 * @cmd: the command, with the size that this kernel knows
 * @kind: kind of the argument
 * @tail: for %IOCTL_ARG_GROWS, handling of bytes beyond the known size
 * @min_size: for %IOCTL_ARG_GROWS, number of bytes that a program must supply
 * @handler: function that carries it out
 * @value_handler: the same for %IOCTL_ARG_VALUE
 *
 * Made by IOCTL_EXACT(), IOCTL_GROWS(), IOCTL_VALUE() and IOCTL_RAW(), which
 * check it at compile time.
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
 * Variadic to keep checkpatch quiet: a constant may be evaluated twice.
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
 * @_cmd: the command, in its latest version
 * @type: its argument, in its latest version
 * @_last: the last member that the first version has
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
 * ioctl_call_reply - copy the struct back to the program
 * @call: the call
 *
 * Copies as much of the struct as both sides know. What is behind it in the
 * memory of the program is not changed.
 *
 * Context: May sleep.
 * Return: 0, or -EFAULT when the memory of the program cannot be written.
 */
static inline int ioctl_call_reply(struct ioctl_call *call)
{
	if (copy_to_user(call->user, call->buf, call->reply_size))
		return -EFAULT;
	return 0;
}

/* Test whether @entry is for @cmd. Growing commands may differ in size. */
static inline bool ioctl_entry_matches(const struct ioctl_entry *entry,
				       unsigned int cmd)
{
	unsigned int differ = entry->cmd ^ cmd;

	if (entry->kind == IOCTL_ARG_GROWS)
		differ &= ~IOCSIZE_MASK;
	return !differ;
}

/* Copy the program's struct to call->buf, by the rules of @entry. */
static inline int ioctl_call_fetch(const struct ioctl_entry *entry,
				   struct ioctl_call *call)
{
	size_t known = _IOC_SIZE(entry->cmd);
	size_t given = _IOC_SIZE(call->cmd);
	int zero;

	call->reply_size = min(given, known);
	/* All calls of exact commands, and nearly all of the others. */
	if (likely(given == known)) {
		if (copy_from_user(call->buf, call->user, known))
			return -EFAULT;
		return 0;
	}

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

/*
 * Run a command that needs struct ioctl_call. Not inlined, so that the commands
 * that do not need it do not pay for its place on the stack.
 */
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
 * ioctl_table_dispatch - look up a command and call its handler
 * @table: the entries
 * @count: number of entries
 * @file: the open file
 * @cmd: second argument of ioctl(2)
 * @arg: third argument of ioctl(2)
 *
 * To be used through ioctl_table_call(), which knows the count.
 *
 * Context: Process context of the calling program. May sleep.
 * Return: what the handler returns; -ENOTTY when no entry matches, -EINVAL when
 * a growing struct is shorter than its first version, -E2BIG when it is longer
 * than the known one and the rest is not zero (%IOCTL_TAIL_ZERO only), -EFAULT
 * when the argument cannot be read.
 */
static inline long ioctl_table_dispatch(const struct ioctl_entry *table,
					size_t count, struct file *file,
					unsigned int cmd, unsigned long arg)
{
	const struct ioctl_entry *entry = table;
	u64 value;

	/* What the first entry is, the compiler knows. */
	if (table->kind == IOCTL_ARG_VALUE && likely(cmd == table->cmd)) {
		if (get_user(value, (u64 __user *)arg))
			return -EFAULT;
		return table->value_handler(file, value);
	}

	for (; entry < table + count; entry++)
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
