/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the dma-buf-*.c files offer each other.
 *
 * Prototypes, by the file that has the body, and stand-ins for the files which
 * a configuration leaves out. Nothing here is for exporters or importers.
 */
#ifndef _DMA_BUF_PRIVATE_H
#define _DMA_BUF_PRIVATE_H

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/poll.h>

#include <uapi/linux/dma-buf.h>

struct ioctl_call;

/**
 * struct dma_buf_slot - a buffer in memory
 * @inode: of its file; the slot lives as long as this
 * @buf: the buffer
 * @resv: for an exporter without a reservation object of its own
 *
 * All that a buffer needs of the core, and its inode, are one allocation.
 */
struct dma_buf_slot {
	struct inode inode;
	struct dma_buf buf;
	struct dma_resv resv;
};

/* dma-buf.c */
bool dma_buf_destroy(struct dma_buf *dmabuf);
bool dma_buf_name_copy(struct dma_buf *dmabuf, char name[DMA_BUF_NAME_LEN]);
long dma_buf_ioctl_set_name(struct ioctl_call *call, void *args);

/* dma-buf-file.c */
int dma_buf_file_init(void);
struct file *dma_buf_file_create(size_t size, int flags);
struct dma_buf_slot *dma_buf_file_slot(struct file *file);
void dma_buf_file_bind(struct file *file, struct dma_buf *dmabuf);
struct dma_buf *dma_buf_file_to_buf(struct file *file);
void dma_buf_file_forget(struct dma_buf *dmabuf);

/* dma-buf-attach.c */
int dma_buf_attach_init(void);
bool dma_buf_attach_orphan(struct dma_buf *dmabuf);

/* dma-buf-cpu.c */
int dma_buf_cpu_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long dma_buf_cpu_get_unmapped_area(struct file *file, unsigned long addr,
					    unsigned long len, unsigned long pgoff,
					    unsigned long flags);
long dma_buf_cpu_ioctl_sync(struct file *file, u64 flags);
long dma_buf_cpu_ioctl_sync_partial(struct ioctl_call *call, void *args);

/* dma-buf-poll.c */
void dma_buf_poll_fini(struct dma_buf *dmabuf);
bool dma_buf_poll_armed(struct dma_buf *dmabuf);
__poll_t dma_buf_poll(struct file *file, struct poll_table_struct *wait);

/* dma-buf-sync-file.c */
#if IS_ENABLED(CONFIG_SYNC_FILE)
long dma_buf_sync_file_ioctl_export(struct ioctl_call *call, void *args);
long dma_buf_sync_file_ioctl_import(struct ioctl_call *call, void *args);
#else
static inline long dma_buf_sync_file_ioctl_export(struct ioctl_call *call,
						  void *args)
{
	return -ENOTTY;
}

static inline long dma_buf_sync_file_ioctl_import(struct ioctl_call *call,
						  void *args)
{
	return -ENOTTY;
}
#endif

/* dma-buf-debugfs.c */
#if IS_ENABLED(CONFIG_DEBUG_FS)
void dma_buf_debugfs_init(void);
void dma_buf_debugfs_add(struct dma_buf *dmabuf);
void dma_buf_debugfs_del(struct dma_buf *dmabuf);
#else
static inline void dma_buf_debugfs_init(void) {}
static inline void dma_buf_debugfs_add(struct dma_buf *dmabuf) {}
static inline void dma_buf_debugfs_del(struct dma_buf *dmabuf) {}
#endif

/* dma-buf-stats.c */
#ifdef CONFIG_DMABUF_SYSFS_STATS
int dma_buf_stats_init(void);
int dma_buf_stats_add(struct dma_buf *dmabuf, struct file *file);
void dma_buf_stats_del(struct dma_buf *dmabuf);
#else
static inline int dma_buf_stats_init(void)
{
	return 0;
}

static inline int dma_buf_stats_add(struct dma_buf *dmabuf, struct file *file)
{
	return 0;
}

static inline void dma_buf_stats_del(struct dma_buf *dmabuf) {}
#endif

#endif /* _DMA_BUF_PRIVATE_H */
