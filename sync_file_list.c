// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of all sync files
 *
 * A sync file enters the list when it is complete and leaves it before any part
 * of it is released. The list holds no references: the mutex, which a visit
 * holds to its end, keeps a listed sync file from being released.
 *
 * Lock order: sync_files_lock is outside the lock of any fence.
 */
#include <linux/list.h>
#include <linux/mutex.h>

#include "sync_file_list.h"

static DEFINE_MUTEX(sync_files_lock);
static LIST_HEAD(sync_files);

/**
 * sync_file_list_add - list a sync file
 * @sync_file: the sync file, complete
 *
 * Context: May sleep.
 */
void sync_file_list_add(struct sync_file *sync_file)
{
	mutex_lock(&sync_files_lock);
	list_add_tail(&sync_file->sync_file_list, &sync_files);
	mutex_unlock(&sync_files_lock);
}

/**
 * sync_file_list_remove - remove a sync file from the list
 * @sync_file: the sync file, still complete
 *
 * Waits for a visit under way, so that the caller may release it afterwards.
 *
 * Context: May sleep.
 */
void sync_file_list_remove(struct sync_file *sync_file)
{
	mutex_lock(&sync_files_lock);
	list_del(&sync_file->sync_file_list);
	mutex_unlock(&sync_files_lock);
}

/**
 * sync_file_list_visit - call a function for each sync file
 * @visit: the function; called in the order of creation, with the mutex of the
 *	list held, so it must neither create nor release a sync file
 * @data: passed on to @visit
 *
 * Context: May sleep.
 */
void sync_file_list_visit(void (*visit)(struct sync_file *sync_file,
					void *data),
			  void *data)
{
	struct sync_file *sync_file;

	mutex_lock(&sync_files_lock);
	list_for_each_entry(sync_file, &sync_files, sync_file_list)
		visit(sync_file, data);
	mutex_unlock(&sync_files_lock);
}
