// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock user: user memory by way of KUnit, and calls that go through it.
 *
 * What it is:	a thin layer over kunit_vm_mmap().
 * What it owns: nothing; the address space is KUnit's.
 * Locks:	none.
 * May call:	KUnit, user memory access, the file operations of a file.
 * Never here:	expectations about the code under test.
 * Units:	sizes and offsets in bytes.
 */
#include <kunit/test.h>

#include <linux/err.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ioctl.h>
#include <linux/mman.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "mock_files.h"
#include "mock_user.h"

/**
 * mock_user_mmap - mmap(2), shared, for reading and writing
 * @test: the running test case
 * @file: what to map; NULL for anonymous memory
 * @bytes: how much, a multiple of PAGE_SIZE
 * @offset: from where on, a multiple of PAGE_SIZE
 *
 * Context: Process context of the test; may sleep.
 * Return: the user address, or a negative errno for IS_ERR_VALUE(). Ends the
 * test case without memory.
 */
unsigned long mock_user_mmap(struct kunit *test, struct file *file,
			     unsigned long bytes, unsigned long offset)
{
	unsigned long address;

	address = kunit_vm_mmap(test, file, 0, bytes, PROT_READ | PROT_WRITE,
				file ? MAP_SHARED : MAP_ANONYMOUS | MAP_PRIVATE,
				offset);
	KUNIT_ASSERT_NE(test, address, 0);
	return address;
}

/**
 * mock_user_page - a page of user memory
 * @test: the running test case
 *
 * Context: Process context of the test; may sleep. Ends the test case when
 *	    there is no memory.
 * Return: its address.
 */
void __user *mock_user_page(struct kunit *test)
{
	unsigned long address = mock_user_mmap(test, NULL, PAGE_SIZE, 0);

	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(address));
	return (void __user *)address;
}

/**
 * mock_user_string - a string in user memory
 * @test: the running test case
 * @string: what it shall be, shorter than a page
 *
 * Context: Process context of the test; may sleep. Ends the test case when
 *	    there is no memory.
 * Return: its address.
 */
void __user *mock_user_string(struct kunit *test, const char *string)
{
	void __user *page = mock_user_page(test);

	KUNIT_ASSERT_EQ(test, 0,
			copy_to_user(page, string, strlen(string) + 1));
	return page;
}

/**
 * mock_user_ioctl - ioctl(2) with a struct
 * @test: the running test case
 * @file: on which file
 * @cmd: the command, which says how big the struct is
 * @args: the struct, in kernel memory; what the call changed is copied back
 *
 * Context: Process context of the test; may sleep.
 * Return: what the file's ioctl returned.
 */
long mock_user_ioctl(struct kunit *test, struct file *file, unsigned int cmd,
		     void *args)
{
	void __user *page = mock_user_page(test);
	long ret;

	KUNIT_ASSERT_EQ(test, 0, copy_to_user(page, args, _IOC_SIZE(cmd)));
	ret = file->f_op->unlocked_ioctl(file, cmd, (unsigned long)page);
	KUNIT_ASSERT_EQ(test, 0, copy_from_user(args, page, _IOC_SIZE(cmd)));
	return ret;
}

/**
 * mock_user_closes_on_exec - fcntl(F_GETFD)
 * @fd: an open descriptor of the test's thread
 *
 * Context: Process context of the test.
 * Return: whether it has FD_CLOEXEC.
 */
bool mock_user_closes_on_exec(int fd)
{
	bool ret;

	rcu_read_lock();
	ret = close_on_exec(fd, current->files);
	rcu_read_unlock();
	return ret;
}

/* How much of a file mock_user_read() takes, at most. */
#define MOCK_USER_READ_MAX	SZ_64K

/* Opens a file of a pseudo file system, which is mounted for as long. */
static struct file *mock_user_open(struct kunit *test, const char *fs,
				   const char *path, int flags,
				   struct vfsmount **mnt)
{
	struct file_system_type *type = get_fs_type(fs);
	struct file *file;

	KUNIT_ASSERT_NOT_NULL(test, type);
	*mnt = kern_mount(type);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, *mnt);

	file = file_open_root_mnt(*mnt, path, flags, 0);
	if (IS_ERR(file))
		kern_unmount(*mnt);
	return file;
}

static void mock_user_close(struct file *file, struct vfsmount *mnt)
{
	fput(file);
	mock_files_flush();
	kern_unmount(mnt);
}

/**
 * mock_user_read - read a file of a pseudo file system
 * @test: the running test case
 * @fs: type of the file system, "debugfs" for one; need not be mounted anywhere
 * @path: the file, from the root of that file system
 *
 * Context: Process context of the test; may sleep. Ends the test case when there
 *	    is no such file system or no memory.
 * Return: the content, up to 64 KiB, freed with the test; or an ERR_PTR() when
 * there is no such file or it cannot be read.
 */
const char *mock_user_read(struct kunit *test, const char *fs,
			   const char *path)
{
	void __user *page = mock_user_page(test);
	struct vfsmount *mnt;
	struct file *file;
	size_t length = 0;
	loff_t pos = 0;
	char *content;
	ssize_t got;

	content = kunit_kzalloc(test, MOCK_USER_READ_MAX, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, content);
	file = mock_user_open(test, fs, path, O_RDONLY, &mnt);
	if (IS_ERR(file))
		return ERR_CAST(file);

	/* Old style files read into user memory only. */
	do {
		if (file->f_op->read)
			got = file->f_op->read(file, page, PAGE_SIZE, &pos);
		else
			got = kernel_read(file, content + length, PAGE_SIZE, &pos);
		if (got <= 0)
			break;
		if (file->f_op->read &&
		    copy_from_user(content + length, page, got))
			got = -EFAULT;
		else
			length += got;
	} while (got > 0 && length < MOCK_USER_READ_MAX - PAGE_SIZE);

	mock_user_close(file, mnt);
	return got < 0 ? ERR_PTR(got) : content;
}

/**
 * mock_user_write - write to a file of a pseudo file system
 * @test: the running test case
 * @fs: type of the file system; need not be mounted anywhere
 * @path: the file, from the root of that file system; one which takes its text
 *	from user memory, as those of debugfs do
 * @text: what to write, at once
 *
 * Context: Process context of the test; may sleep. Ends the test case when there
 *	    is no such file system or no memory.
 * Return: 0, or a negative errno when there is no such file or it does not take
 * the whole text.
 */
int mock_user_write(struct kunit *test, const char *fs, const char *path,
		    const char *text)
{
	void __user *from = mock_user_string(test, text);
	struct vfsmount *mnt;
	struct file *file;
	ssize_t done = -EINVAL;
	loff_t pos = 0;

	file = mock_user_open(test, fs, path, O_WRONLY, &mnt);
	if (IS_ERR(file))
		return PTR_ERR(file);

	if (file->f_op->write)
		done = file->f_op->write(file, from, strlen(text), &pos);
	mock_user_close(file, mnt);
	if (done < 0)
		return done;
	return done == strlen(text) ? 0 : -EIO;
}

/**
 * mock_user_kill - make a fatal signal pending for the thread of the test
 *
 * As if the signal had been sent; signals are not sent to kernel threads.
 *
 * Context: The thread of the test, any context. Followed by mock_user_revive().
 */
void mock_user_kill(void)
{
	sigaddset(&current->pending.signal, SIGKILL);
	set_tsk_thread_flag(current, TIF_SIGPENDING);
}

/**
 * mock_user_revive - take back the signal of mock_user_kill()
 *
 * Context: The thread of the test, any context.
 */
void mock_user_revive(void)
{
	sigdelset(&current->pending.signal, SIGKILL);
	clear_tsk_thread_flag(current, TIF_SIGPENDING);
}
