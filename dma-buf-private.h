/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the dma-buf-*.c files offer each other, by file, lowest first.
 *
 * A file calls those above it here and none below. What goes upwards is a table
 * of operations that is named: dma_buf_dentry_ops and dma_buf_file_ops. Files
 * that a configuration leaves out are replaced by stubs. Nothing here is for
 * exporters or importers.
 */
#ifndef _DMA_BUF_PRIVATE_H
#define _DMA_BUF_PRIVATE_H

#include <linux/cacheflush.h>
#include <linux/container_of.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include <uapi/linux/dma-buf.h>

struct io_uring_cmd;
struct ioctl_call;
struct work_struct;

/* dma-buf-inode.c */

/**
 * struct dma_buf_inode_info - a buffer and its inode
 * @vfs_inode: the inode, whose references keep the memory of the buffer; its
 *	i_private is the &struct dma_buf_waiters, NULL until there is one
 * @buf: the buffer
 * @resv: used when the exporter brings no reservation object
 */
struct dma_buf_inode_info {
	struct inode vfs_inode;
	struct dma_buf buf;
	struct dma_resv resv;
};

static inline struct dma_buf_inode_info *DMA_BUF_I(struct inode *inode)
{
	return container_of(inode, struct dma_buf_inode_info, vfs_inode);
}

int dma_buf_inode_init(void);
struct file *dma_buf_inode_alloc_file(size_t size, int flags,
				      const struct file_operations *fops);

/* dma-buf-name.c */
bool dma_buf_name_copy(struct dma_buf *dmabuf, char name[DMA_BUF_NAME_LEN]);
long dma_buf_name_ioctl_set(struct ioctl_call *call, void *args);

/* dma-buf-wait.c */

/**
 * struct dma_buf_poll_cb - what waits for a fence in one direction
 * @cb: on the fence, while @active
 * @waiters: the state that this is part of
 * @active: EPOLLIN or EPOLLOUT while armed, else 0; under the lock of the wait
 *	queue
 */
struct dma_buf_poll_cb {
	struct dma_fence_cb cb;
	struct dma_buf_waiters *waiters;
	__poll_t active;
};

/**
 * struct dma_buf_waiters - what waits for fences of a buffer without a thread
 * @dmabuf: the buffer
 * @poll: where pollers wait; its lock protects &dma_buf_poll_cb.active, too
 * @in: for EPOLLIN; armed with the reservation lock held, disarmed by the fence
 * @out: the same for EPOLLOUT
 * @uring: waits of dma-buf-uring.c
 * @uring_lock: protects @uring
 */
struct dma_buf_waiters {
	struct dma_buf *dmabuf;
	wait_queue_head_t poll;
	struct dma_buf_poll_cb in;
	struct dma_buf_poll_cb out;
	struct hlist_head uring;
	spinlock_t uring_lock;	/* of @uring */
};

/* Return the state of a buffer; NULL if dma_buf_waiters_get() has made none. */
static inline struct dma_buf_waiters *dma_buf_waiters(struct dma_buf *dmabuf)
{
	struct dma_buf_inode_info *info =
		container_of(dmabuf, struct dma_buf_inode_info, buf);

	return READ_ONCE(info->vfs_inode.i_private);
}

struct dma_buf_waiters *dma_buf_waiters_get(struct dma_buf *dmabuf);
long dma_buf_wait_fence(struct dma_buf *dmabuf, struct dma_fence *fence,
			bool intr, long timeout);
long dma_buf_wait_fences(struct dma_buf *dmabuf, enum dma_resv_usage usage,
			 bool intr, unsigned long timeout);
void dma_buf_wait_wake(struct dma_buf *dmabuf);

/* dma-buf-poll.c */
bool dma_buf_poll_armed(struct dma_buf *dmabuf);
void dma_buf_poll_revoke(struct dma_buf *dmabuf);
__poll_t dma_buf_poll(struct file *file, struct poll_table_struct *wait);

/* dma-buf-list.c */

/**
 * typedef dma_buf_list_visit_t - look at a buffer in the list
 * @dmabuf: the buffer
 * @data: the caller's
 *
 * Return: 0 to go on, anything else to end the walk.
 */
typedef int (dma_buf_list_visit_t)(struct dma_buf *dmabuf, void *data);

#ifdef CONFIG_DMABUF_LIST
void dma_buf_list_init(void);
void dma_buf_list_add(struct dma_buf *dmabuf);
void dma_buf_list_del(struct dma_buf *dmabuf);
int dma_buf_list_for_each(dma_buf_list_visit_t *visit, void *data);
#else
static inline void dma_buf_list_init(void) {}
static inline void dma_buf_list_add(struct dma_buf *dmabuf) {}
static inline void dma_buf_list_del(struct dma_buf *dmabuf) {}
#endif

/* dma-buf-debugfs.c */
#if IS_ENABLED(CONFIG_DEBUG_FS)
void dma_buf_debugfs_init(void);
#else
static inline void dma_buf_debugfs_init(void) {}
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

/* dma-buf.c */
extern const struct dentry_operations dma_buf_dentry_ops;
struct dma_buf *dma_buf_of_file(struct file *file);
void dma_buf_release_orphan(struct dma_buf *dmabuf);

/* dma-buf-pageless.c */
#ifdef CONFIG_DMABUF_DEBUG
struct sg_table *dma_buf_pageless_wrap(struct sg_table *sgt);
struct sg_table *dma_buf_pageless_unwrap(struct sg_table *sgt);
#else
static inline struct sg_table *dma_buf_pageless_wrap(struct sg_table *sgt)
{
	return sgt;
}

static inline struct sg_table *dma_buf_pageless_unwrap(struct sg_table *sgt)
{
	return sgt;
}
#endif

/* dma-buf-attach.c */
int dma_buf_attach_init(void);
bool dma_buf_attach_movable(struct dma_buf_attachment *attach);
void dma_buf_attach_revoke(struct dma_buf *dmabuf);
void dma_buf_attach_revoke_moves(struct dma_buf *dmabuf);

/* dma-buf-cpu.c */
int dma_buf_cpu_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long
dma_buf_cpu_get_unmapped_area(struct file *file, unsigned long addr,
			      unsigned long len, unsigned long pgoff,
			      unsigned long flags);

/** enum dma_buf_cpu_wait - what a call that copies may wait for */
enum dma_buf_cpu_wait {
	/** @DMA_BUF_CPU_WAIT_FENCES: fences and locks */
	DMA_BUF_CPU_WAIT_FENCES,
	/** @DMA_BUF_CPU_WAIT_LOCKS: locks, which are held for a short time */
	DMA_BUF_CPU_WAIT_LOCKS,
	/**
	 * @DMA_BUF_CPU_WAIT_NEVER: neither; ops of the exporter may still take
	 * locks of their own
	 */
	DMA_BUF_CPU_WAIT_NEVER,
};

int dma_buf_cpu_wait_fences(struct dma_buf *dmabuf,
			    enum dma_data_direction dir);
bool dma_buf_cpu_is_idle(struct dma_buf *dmabuf, enum dma_data_direction dir);
int dma_buf_cpu_begin_range(struct dma_buf *dmabuf,
			    enum dma_data_direction dir,
			    size_t offset, size_t length);
int dma_buf_cpu_begin_copy(struct dma_buf *dmabuf, enum dma_data_direction dir,
			   size_t offset, size_t length,
			   enum dma_buf_cpu_wait wait);
int dma_buf_cpu_end_copy(struct dma_buf *dmabuf, enum dma_data_direction dir,
			 size_t offset, size_t length);

/**
 * struct dma_buf_cpu_access - an access that begins without a wait
 * @dmabuf: the buffer
 * @dir: as for dma_buf_begin_cpu_access()
 * @offset: of the first byte
 * @length: number of bytes, at least one; the range is within the buffer
 * @begun: whether the exporter's op has run
 * @fence: the fence to wait for before the next step, with a reference, or NULL
 */
struct dma_buf_cpu_access {
	struct dma_buf *dmabuf;
	enum dma_data_direction dir;
	size_t offset;
	size_t length;
	bool begun;
	struct dma_fence *fence;
};

bool dma_buf_cpu_can_wait_first(const struct dma_buf *dmabuf);
int dma_buf_cpu_access_begin(struct dma_buf_cpu_access *access);
void dma_buf_cpu_access_abort(struct dma_buf_cpu_access *access);
enum dma_data_direction dma_buf_cpu_dir(u64 flags);
enum dma_data_direction dma_buf_cpu_sync_dir(const struct dma_buf *dmabuf,
					     u64 flags, u64 offset, u64 length);
long dma_buf_cpu_ioctl_sync(struct file *file, u64 flags);
long dma_buf_cpu_ioctl_sync_partial(struct ioctl_call *call, void *args);

/* dma-buf-cpu-batch.c */
long dma_buf_cpu_batch_ioctl_sync(struct ioctl_call *call, void *args);

/* dma-buf-rw.c */
ssize_t dma_buf_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t dma_buf_write_iter(struct kiocb *iocb, struct iov_iter *from);
ssize_t dma_buf_splice_read(struct file *in, loff_t *ppos,
			    struct pipe_inode_info *pipe, size_t len,
			    unsigned int flags);
loff_t dma_buf_llseek(struct file *file, loff_t offset, int whence);
int dma_buf_check_flags(int flags);

/*
 * Write back what the CPU cached of pages under the kernel's address, for user
 * space which has them mapped under another one. Most machines need not.
 */
static inline void dma_buf_rw_flush(struct page *page, size_t offset,
				    size_t bytes)
{
#if ARCH_IMPLEMENTS_FLUSH_DCACHE_PAGE
	size_t first = offset >> PAGE_SHIFT;
	size_t end = DIV_ROUND_UP(offset + bytes, PAGE_SIZE);

	for (; first < end; first++)
		flush_dcache_page(nth_page(page, first));
#endif
}

/* dma-buf-transfer-fence.c */
#ifdef CONFIG_DMABUF_TRANSFER_FENCE
bool dma_buf_transfer_fence_allowed(struct file *file, bool to_file);
struct dma_fence *dma_buf_transfer_fence_alloc(void);
void dma_buf_transfer_fence_start(struct dma_fence *fence);
void dma_buf_transfer_fence_signal(struct dma_fence *fence, int error);
void dma_buf_transfer_fence_queue(struct work_struct *work);
#if IS_ENABLED(CONFIG_KUNIT)
extern unsigned long dma_buf_transfer_fence_deadline;
#endif
#else
static inline bool dma_buf_transfer_fence_allowed(struct file *file,
						  bool to_file)
{
	return false;
}

static inline struct dma_fence *dma_buf_transfer_fence_alloc(void)
{
	return NULL;
}

static inline void dma_buf_transfer_fence_start(struct dma_fence *fence) {}

static inline void dma_buf_transfer_fence_signal(struct dma_fence *fence,
						 int error)
{
}

static inline void dma_buf_transfer_fence_queue(struct work_struct *work) {}
#endif

/* dma-buf-transfer.c */

/**
 * struct dma_buf_transfer_fences - fences of one transfer
 * @in: to be waited for first, or NULL
 * @out: signals when the bytes that were counted have arrived, or NULL
 */
struct dma_buf_transfer_fences {
	struct dma_fence *in;
	struct dma_fence *out;
};

#ifdef CONFIG_DMABUF_PAGES
int dma_buf_transfer_check(const struct dma_buf_transfer *args);
ssize_t dma_buf_transfer_file(struct file *buffer, struct file *file,
			      const struct dma_buf_transfer *args,
			      const struct dma_buf_transfer_fences *fences);
long dma_buf_transfer_ioctl(struct ioctl_call *call, void *args);
#else
static inline int dma_buf_transfer_check(const struct dma_buf_transfer *args)
{
	return -EOPNOTSUPP;
}

static inline ssize_t dma_buf_transfer_file(struct file *buffer,
					    struct file *file,
					    const struct dma_buf_transfer *args,
					    const struct dma_buf_transfer_fences *fences)
{
	return -EOPNOTSUPP;
}

static inline long dma_buf_transfer_ioctl(struct ioctl_call *call, void *args)
{
	return -EOPNOTSUPP;
}
#endif

/* dma-buf-sync-file.c */
#if IS_ENABLED(CONFIG_SYNC_FILE)
int dma_buf_sync_file_export(struct dma_buf *dmabuf, u32 flags);
int dma_buf_sync_file_import(struct dma_buf *dmabuf, u32 flags, int fd);
long dma_buf_sync_file_ioctl_export(struct ioctl_call *call, void *args);
long dma_buf_sync_file_ioctl_import(struct ioctl_call *call, void *args);
#else
static inline int dma_buf_sync_file_export(struct dma_buf *dmabuf, u32 flags)
{
	return -ENOTTY;
}

static inline int dma_buf_sync_file_import(struct dma_buf *dmabuf, u32 flags,
					   int fd)
{
	return -ENOTTY;
}

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

/* dma-buf-uring.c, with CONFIG_IO_URING only */
int dma_buf_uring_issue(struct io_uring_cmd *cmd, unsigned int issue_flags);
#ifdef CONFIG_IO_URING
void dma_buf_uring_revoke(struct dma_buf *dmabuf);
#else
static inline void dma_buf_uring_revoke(struct dma_buf *dmabuf) {}
#endif

/* dma-buf-revoke.c */
long dma_buf_revoke_ioctl(struct ioctl_call *call, void *args);
#if IS_ENABLED(CONFIG_KUNIT)
extern unsigned int dma_buf_revoke_timeout;
#endif

/* dma-buf-file.c */
extern const struct file_operations dma_buf_file_ops;

#endif /* _DMA_BUF_PRIVATE_H */
