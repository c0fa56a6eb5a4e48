/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The list of all sync files, which debugfs shows. Kept only with
 * CONFIG_SW_SYNC; without it a sync file costs no global lock.
 */
#ifndef _SYNC_FILE_LIST_H
#define _SYNC_FILE_LIST_H

#include <linux/sync_file.h>

#ifdef CONFIG_SW_SYNC

void sync_file_list_add(struct sync_file *sync_file);
void sync_file_list_remove(struct sync_file *sync_file);
void sync_file_list_visit(void (*visit)(struct sync_file *sync_file,
					void *data),
			  void *data);

#else

static inline void sync_file_list_add(struct sync_file *sync_file) { }
static inline void sync_file_list_remove(struct sync_file *sync_file) { }

#endif /* CONFIG_SW_SYNC */

#endif /* _SYNC_FILE_LIST_H */
