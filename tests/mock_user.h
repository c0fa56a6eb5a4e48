/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock user: a program's memory and its system calls on an open file.
 *
 * What it is:	what a test needs to call ioctl and mmap as a program would: pages
 *		at user addresses, in the test's own thread.
 * Life:	the memory goes with the thread of the test case. It must not be
 *		used from another thread, nor from a cleanup action.
 */
#ifndef _DMA_BUF_TESTS_MOCK_USER_H
#define _DMA_BUF_TESTS_MOCK_USER_H

#include <linux/compiler_types.h>
#include <linux/types.h>

struct file;
struct kunit;

void __user *mock_user_page(struct kunit *test);
void __user *mock_user_string(struct kunit *test, const char *string);
unsigned long mock_user_mmap(struct kunit *test, struct file *file,
			     unsigned long bytes, unsigned long offset);
long mock_user_ioctl(struct kunit *test, struct file *file, unsigned int cmd,
		     void *args);
bool mock_user_closes_on_exec(int fd);
const char *mock_user_read(struct kunit *test, const char *fs,
			   const char *path);
int mock_user_write(struct kunit *test, const char *fs, const char *path,
		    const char *text);
void mock_user_kill(void);
void mock_user_revive(void);

#endif /* _DMA_BUF_TESTS_MOCK_USER_H */
