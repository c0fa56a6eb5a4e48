/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last reference to a file, dropped by a kernel thread
 *
 * Such a file is put on a list, and a work item releases what is on it.
 */
#ifndef _DMA_BUF_TESTS_MOCK_FILES_H
#define _DMA_BUF_TESTS_MOCK_FILES_H

#include <linux/file.h>
#include <linux/workqueue.h>

/*
 * Where schedule_work() puts work items in later releases of 6.12, too. Until
 * then it was system_wq, which has become a queue of its own.
 */
extern struct workqueue_struct *system_percpu_wq __weak;

/**
 * mock_files_flush - see the release of all files whose last reference is gone
 *
 * The work item may have taken the list over already, and be preempted on
 * another CPU: so wait for that, too.
 *
 * Context: Process context; may sleep.
 */
static inline void mock_files_flush(void)
{
	struct workqueue_struct *wq = system_wq;

	if (&system_percpu_wq)
		wq = system_percpu_wq;
	flush_delayed_fput();
	__flush_workqueue(wq);
}

#endif /* _DMA_BUF_TESTS_MOCK_FILES_H */
