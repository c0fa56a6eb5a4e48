/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf: memory that devices and programs share
 *
 * An exporter has memory and makes a &struct dma_buf of it by means of &struct
 * dma_buf_ops. An importer has a device that is to use the memory: it attaches,
 * maps, and undoes both. Neither knows the other: user space passes the file
 * descriptor of the buffer from one to the other, and references to the file
 * behind it keep the buffer.
 *
 * Which calls and callbacks are made with the reservation lock (&dma_buf.resv)
 * and which without is one table: "locking convention" in dma-buf.c.
 */
#ifndef __DMA_BUF_H__
#define __DMA_BUF_H__

#include <linux/cleanup.h>
#include <linux/iosys-map.h>
#include <linux/file.h>
#include <linux/err.h>
#include <linux/scatterlist.h>
#include <linux/list.h>
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/dma-fence.h>
#include <linux/wait.h>

struct device;
struct dma_buf;
struct dma_buf_attachment;
struct dma_buf_pages;
struct seq_file;
struct ww_acquire_ctx;
enum dma_resv_usage;

/**
 * struct dma_buf_ops - operations of an exporter
 *
 * @map_dma_buf, @unmap_dma_buf and @release are mandatory, the others may be
 * NULL. @pin and @unpin come together or not at all: an exporter that has them
 * is dynamic, it may move its buffers while they are not pinned.
 */
struct dma_buf_ops {
	/**
	 * @cache_sgt_mapping:
	 *
	 * The core keeps the first mapping of each attachment and returns it
	 * for each further one, until the detach, or until the buffer is
	 * revoked and the importer does not use it. Mapping for a direction
	 * that the first one does not include then fails with -EBUSY. Not for
	 * dynamic exporters: a kept mapping would lead to where the buffer was.
	 */
	bool cache_sgt_mapping;

	/**
	 * @attach:
	 *
	 * Admit a device. The exporter checks its DMA limits (mask, segment
	 * size, bus) and refuses it if the memory is, and has to stay, out of
	 * the device's reach. It may keep state of its own in
	 * &dma_buf_attachment.priv.
	 *
	 * Context: Process context, without the reservation lock. May sleep.
	 *
	 * Return: 0 or a negative errno, which dma_buf_attach() returns. -EBUSY
	 * means that there is memory already and the device cannot reach it.
	 */
	int (*attach)(struct dma_buf *dmabuf,
		      struct dma_buf_attachment *attach);

	/**
	 * @detach:
	 *
	 * Undo @attach. No mapping of the attachment is left.
	 *
	 * Context: Process context, without the reservation lock. May sleep.
	 */
	void (*detach)(struct dma_buf *dmabuf,
		       struct dma_buf_attachment *attach);

	/**
	 * @pin:
	 *
	 * Keep the buffer in place until @unpin. Calls nest. Where there is a
	 * choice, a place that all devices reach is the best one, as other
	 * importers may follow.
	 *
	 * Dynamic importers call dma_buf_pin() when they have to, for scanout
	 * for instance. For static ones the core pins when they attach. These
	 * do not wait for fences either, so a move or a clear that the exporter
	 * queued must have finished when this returns.
	 *
	 * Context: Process context, with the reservation lock. May sleep.
	 *
	 * Return: 0 or a negative errno.
	 */
	int (*pin)(struct dma_buf_attachment *attach);

	/**
	 * @unpin:
	 *
	 * Undo one @pin; after the last the buffer may move.
	 *
	 * Context: Process context, with the reservation lock. May sleep.
	 */
	void (*unpin)(struct dma_buf_attachment *attach);

	/**
	 * @map_dma_buf:
	 *
	 * Map the buffer for the attached device, for transfers in the given
	 * direction, and return the addresses.
	 *
	 * An exporter that has no memory yet allocates it now. It may walk
	 * &dma_buf.attachments to learn which devices have to reach it. It may
	 * refuse a second mapping while there is one.
	 *
	 * The memory is ready for use when this returns, unless the exporter is
	 * dynamic: then the importer either waits for fences, or the buffer is
	 * pinned, and @pin has waited.
	 *
	 * Each call makes a new table, which belongs to the caller until
	 * @unmap_dma_buf. Keeping mappings for later is for the core
	 * (@cache_sgt_mapping) and the importer to do, not for the exporter.
	 *
	 * Context: Process context, with the reservation lock. May sleep.
	 *
	 * Return: the table with its DMA side filled in, every address and
	 * length a multiple of PAGE_SIZE; or an ERR_PTR(), for example -EINTR
	 * when a signal ended a wait. Never NULL.
	 */
	struct sg_table * (*map_dma_buf)(struct dma_buf_attachment *attach,
					 enum dma_data_direction dir);
	/**
	 * @unmap_dma_buf:
	 *
	 * Undo a mapping and free its table. A static exporter that had to pin
	 * its memory may unpin it with the last one.
	 *
	 * Context: Process context, with the reservation lock. May sleep.
	 */
	void (*unmap_dma_buf)(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction dir);

	/**
	 * @release:
	 *
	 * Free what &dma_buf.priv points to: the last reference is gone. The
	 * dma_buf itself is freed by the core.
	 *
	 * Context: Process context, of any process or a worker, without the
	 * reservation lock. May sleep.
	 */
	void (*release)(struct dma_buf *dmabuf);

	/**
	 * @begin_cpu_access:
	 *
	 * Make memory and caches consistent before the CPU reads
	 * (%DMA_FROM_DEVICE), writes (%DMA_TO_DEVICE), or both, through a
	 * mapping that @mmap or @vmap made. In another direction the CPU may
	 * see stale bytes.
	 *
	 * Devices need not be idle yet: dma_buf_begin_cpu_access() waits for
	 * their fences after this returned, so that work which is queued or
	 * submitted here is waited for as well. An exporter that invalidates
	 * caches, or copies, waits for &dma_buf.resv first.
	 *
	 * Context: Process context, without the reservation lock. May sleep.
	 *
	 * Return: 0 or a negative errno; -ERESTARTSYS or -EINTR when a signal
	 * ended a wait, and the call may be made again.
	 */
	int (*begin_cpu_access)(struct dma_buf *dmabuf,
				enum dma_data_direction dir);

	/**
	 * @end_cpu_access:
	 *
	 * Make what the CPU wrote visible to devices.
	 *
	 * Context: Process context, without the reservation lock. May sleep.
	 *
	 * Return: as for @begin_cpu_access.
	 */
	int (*end_cpu_access)(struct dma_buf *dmabuf,
			      enum dma_data_direction dir);

	/**
	 * @mmap:
	 *
	 * Map the buffer into a program. The core has checked that the range is
	 * within the buffer. Programs access it between the two calls of
	 * DMA_BUF_IOCTL_SYNC, so the mapping need not be coherent.
	 *
	 * An exporter that emulates coherence removes the page table entries,
	 * by unmap_mapping_range(), before a device uses the memory. That needs
	 * an address_space of the exporter, so it makes the mapping one of a
	 * file of its own, by vma_set_file() and an adjusted vm_pgoff.
	 *
	 * Context: Process context, with the mmap lock of the program and
	 * without the reservation lock. May sleep.
	 *
	 * Return: 0 or a negative errno.
	 */
	int (*mmap)(struct dma_buf *dmabuf, struct vm_area_struct *vma);

	/**
	 * @vmap:
	 *
	 * Map the whole buffer into the kernel. The core counts users and calls
	 * this for the first one only, because address space may be scarce.
	 *
	 * Context: Process context, with the reservation lock. May sleep.
	 *
	 * Return: 0 with the map filled in, or a negative errno.
	 */
	int (*vmap)(struct dma_buf *dmabuf, struct iosys_map *map);

	/**
	 * @vunmap:
	 *
	 * Undo @vmap, after its last user.
	 *
	 * Context: Process context, with the reservation lock. May sleep.
	 */
	void (*vunmap)(struct dma_buf *dmabuf, struct iosys_map *map);

	/**
	 * @get_unmapped_area:
	 *
	 * Optional. Choose the address of a mapping of the buffer's file, as
	 * the file operation of that name does; for exporters whose memory is
	 * better mapped at an address with a certain alignment.
	 *
	 * Context: Process context, with the mmap lock of the program and
	 * without the reservation lock. May sleep.
	 *
	 * Return: the address, or a negative errno.
	 */
	unsigned long (*get_unmapped_area)(struct file *file,
					   unsigned long addr,
					   unsigned long len,
					   unsigned long pgoff,
					   unsigned long flags);

	/**
	 * @begin_cpu_access_partial:
	 *
	 * Optional, in addition to @begin_cpu_access: the same for the bytes
	 * from offset to offset + length, exclusive. More bytes may be handled,
	 * up to the borders of cache lines or pages for instance.
	 *
	 * The range is not empty, is within the buffer, and is not all of it,
	 * for which there is @begin_cpu_access. It may have any alignment.
	 *
	 * Context: Process context, without the reservation lock. May sleep.
	 *
	 * Return: as for @begin_cpu_access.
	 */
	int (*begin_cpu_access_partial)(struct dma_buf *dmabuf,
					enum dma_data_direction dir,
					size_t offset, size_t length);

	/**
	 * @end_cpu_access_partial:
	 *
	 * Optional, in addition to @end_cpu_access: the same for a range as
	 * @begin_cpu_access_partial gets it. It need not be the range of a
	 * begin: an access to the whole buffer may end with the parts that were
	 * written.
	 *
	 * Context: Process context, without the reservation lock. May sleep.
	 *
	 * Return: as for @begin_cpu_access.
	 */
	int (*end_cpu_access_partial)(struct dma_buf *dmabuf,
				      enum dma_data_direction dir,
				      size_t offset, size_t length);

	/**
	 * @pages:
	 *
	 * Optional. Return the memory of the buffer as a list of runs of
	 * pages, which does not change as long as there is a reference to the
	 * buffer. read(2), write(2) and splice(2) reach the memory by it;
	 * without it they use @vmap. DMA_BUF_IOCTL_TRANSFER needs it.
	 *
	 * Fences of transfers signal after the end of CPU access. So with this
	 * op @end_cpu_access and @end_cpu_access_partial must neither allocate
	 * memory nor take a lock under which others do, or wait for fences.
	 *
	 * Exporters that use dma-buf-pages name dma_buf_pages_get().
	 *
	 * Context: Any.
	 *
	 * Return: the memory, as large as the buffer.
	 */
	struct dma_buf_pages *(*pages)(struct dma_buf *dmabuf);

	/**
	 * @show_fdinfo:
	 *
	 * Optional. Append lines of the exporter's own to
	 * /proc/PID/fdinfo/FD, each a key, a colon, a tab and a value. Which
	 * keys the core uses is in Documentation/driver-api/dma-buf.rst.
	 *
	 * Context: Process context, without locks. May sleep, but must not wait
	 * for a device: what reads fdinfo looks for the one that hangs.
	 */
	void (*show_fdinfo)(struct dma_buf *dmabuf, struct seq_file *m);

	/**
	 * @revoke:
	 *
	 * Optional. The buffer has been revoked: give up what only the exporter
	 * knows of, such as device mappings that it keeps although they are not
	 * in use.
	 *
	 * An exporter that revokes buffers enters all pages in a fault handler,
	 * and tests dma_buf_is_revoked() there. Its mmap op must not enter any:
	 * it may run while the buffer is revoked, and its mapping cannot be
	 * found before it has returned, so these pages would stay.
	 *
	 * When this returns, no fault handler may still be about to enter a
	 * page that it has looked up before the revocation. The core removes
	 * what has been entered after this, from mappings of the address space
	 * of the buffer's own inode. Where &file.f_mapping or
	 * &vm_area_struct.vm_file is another one, as in DRM drivers, this op
	 * removes it.
	 *
	 * Called again if the buffer is revoked again. Exporters that use
	 * dma-buf-pages name dma_buf_pages_revoke(), or call it.
	 *
	 * Context: Process context, without the reservation lock. May sleep,
	 * but must not wait for fences or importers.
	 */
	void (*revoke)(struct dma_buf *dmabuf);

	/**
	 * @user_revoke:
	 *
	 * A program may revoke the buffer, by DMA_BUF_IOCTL_REVOKE.
	 */
	bool user_revoke;
};

/**
 * struct dma_buf - one shared buffer
 *
 * Made by dma_buf_export() and released after the last reference to its file:
 * descriptors of programs, get_dma_buf(), messages on sockets, mappings.
 * dma_buf_put() drops one.
 *
 * Fields for which no lock is named are set by the export, before any other
 * thread can see the buffer, and do not change. All but @priv are for the
 * buffer core to write and for drivers to read.
 */
struct dma_buf {
	/** @size: in bytes. Set by the export, dma-buf.c. */
	size_t size;

	/**
	 * @file: the file, whose reference count is that of the buffer. Set by
	 * the export, dma-buf.c. NULL only after a misuse, in a buffer that is
	 * attached and whose file is gone.
	 */
	struct file *file;

	/**
	 * @attachments: all &struct dma_buf_attachment of the buffer. Changed
	 * by dma-buf-attach.c, walked by exporters, too, always under @resv.
	 */
	struct list_head attachments;

	/** @ops: operations of the exporter. Set by the export. */
	const struct dma_buf_ops *ops;

	/**
	 * @vmapping_counter: number of dma_buf_vmap() without a
	 * dma_buf_vunmap() so far. Changed by dma-buf-cpu.c, under @resv.
	 */
	unsigned int vmapping_counter;

	/** @name_lock: innermost lock; protects @name and the string. */
	spinlock_t name_lock;

	/**
	 * @vmap_ptr: address of the buffer in the kernel, while
	 * @vmapping_counter is not zero. Changed with it, under @resv.
	 */
	struct iosys_map vmap_ptr;

	/**
	 * @exp_name: name of the exporter, for debugging. Not NULL. Set by the
	 * export.
	 */
	const char *exp_name;

	/**
	 * @name: name that user space gave to the buffer, or NULL; at most
	 * DMA_BUF_NAME_LEN bytes with the terminating zero. Read and replaced
	 * by dma-buf-name.c, under @name_lock.
	 */
	const char *name;

	/**
	 * @owner: module of the exporter, held until the buffer is released.
	 * Set by the export.
	 */
	struct module *owner;

#ifdef CONFIG_DMABUF_LIST
	/**
	 * @list_node: in one of the lists of buffers. Changed by
	 * dma-buf-list.c, under the lock of that list.
	 */
	struct list_head list_node;
#endif

	/** @priv: private pointer of the exporter. */
	void *priv;

	/**
	 * @resv: the fences of devices that still use the memory, and the
	 * reservation lock. Given by the exporter, or made with the buffer. Set
	 * by the export.
	 *
	 * Implicit synchronisation requires these rules of every driver that
	 * takes part:
	 *
	 * - For what the driver's user interface calls a write of the buffer it
	 *   adds a fence with %DMA_RESV_USAGE_WRITE, for a read one with
	 *   %DMA_RESV_USAGE_READ. A driver that cannot tell the two apart adds
	 *   them for writes, and is slower but correct.
	 * - Before such a use, the driver waits for the fences that
	 *   dma_resv_usage_rw() names.
	 * - A driver that finishes each job before it returns to user space, as
	 *   V4L2 drivers do, need not add any.
	 *
	 * A dynamic importer (dma_buf_attachment_is_dynamic()), moreover,
	 *
	 * - does not let its device access the memory before the fences with
	 *   %DMA_RESV_USAGE_KERNEL and those of writers have signaled, and
	 * - adds a fence for each use that &dma_buf_attach_ops.move_notify
	 *   cannot stop at once.
	 *
	 * enum dma_resv_usage has the details. They bind all users of the
	 * memory, memory management included.
	 */
	struct dma_resv *resv;

	/**
	 * @nr_attached: number of @attachments. Changed with it by
	 * dma-buf-attach.c, under @resv; read without the lock, as the next two.
	 */
	unsigned int nr_attached;

	/** @nr_mapped: device mappings that there are, kept ones too. */
	unsigned int nr_mapped;

	/** @nr_pinned: pins of a dynamic exporter's buffer. */
	unsigned int nr_pinned;

#ifdef CONFIG_DMABUF_LIST
	/** @list_cpu: whose list @list_node is in. Set by the export. */
	unsigned short list_cpu;
#endif

	/**
	 * @revoked: there may be no new users, see dma_buf_revoke(). Set once
	 * by dma-buf-revoke.c, without a lock; read by dma_buf_is_revoked().
	 */
	bool revoked;
#ifdef CONFIG_DMABUF_SYSFS_STATS
	/**
	 * @sysfs_entry: the buffer's directory in sysfs. Set by the export,
	 * cleared by the release, dma-buf-stats.c.
	 */
	struct dma_buf_sysfs_entry {
		struct kobject kobj;
		struct dma_buf *dmabuf;
	} *sysfs_entry;
#endif
};

/**
 * struct dma_buf_attach_ops - operations of a dynamic importer
 */
struct dma_buf_attach_ops {
	/**
	 * @allow_peer2peer: the importer accepts memory of another device, for
	 * which there is no struct page.
	 */
	bool allow_peer2peer;

	/**
	 * @move_notify:
	 *
	 * Optional. Prepare for a move of the buffer. Because of it the buffer
	 * need not be pinned for as long as it is mapped. An importer with
	 * neither this nor @invalidate_mappings hears of no move, and pins the
	 * buffer before it maps it.
	 *
	 * The mappings of the attachment are still valid and lead to the old
	 * place, but the importer has to undo them and map again before its
	 * device uses the buffer again. A mapping made after this returns leads
	 * to the new place. As mapping needs the same lock, none can be made
	 * meanwhile.
	 *
	 * A revocation of a dynamic exporter's buffer is announced by this op
	 * to an importer that has no other one, has mapped the buffer, and has
	 * not pinned it; all fences have signaled before. Mapping fails then.
	 * An importer that unmaps later, from another context, is waited for,
	 * but has not promised to.
	 *
	 * Context: With the reservation lock, called from
	 * dma_buf_move_notify(), dma_buf_invalidate_mappings() or
	 * dma_buf_revoke(). Memory reclaim may wait for it, so the exporter
	 * decides what else is allowed.
	 */
	void (*move_notify)(struct dma_buf_attachment *attach);

	/**
	 * @invalidate_mappings:
	 *
	 * Optional. End the use of the mappings of the attachment, also while
	 * the importer has pinned the buffer. An importer with this op promises
	 * to undo its mappings within bounded time: at once, or after the
	 * device has finished, from another context. So the buffer can be
	 * revoked, see dma_buf_attach_revocable() and dma_buf_revoke().
	 *
	 * The importer stops its device, or adds a fence for what the device
	 * still does. After that it calls dma_buf_unmap_attachment(), here or
	 * later. It may try to map again: that fails when the buffer has been
	 * revoked, and leads to the new place when it has been moved.
	 *
	 * An importer without @move_notify is notified of moves by this op,
	 * too. Each of them may be called several times.
	 *
	 * Context: With the reservation lock, called from
	 * dma_buf_invalidate_mappings(), dma_buf_move_notify() or
	 * dma_buf_revoke().
	 */
	void (*invalidate_mappings)(struct dma_buf_attachment *attach);
};

/**
 * struct dma_buf_attachment - a device that is attached to a buffer
 * @dmabuf: the buffer. Set when attaching.
 * @dev: the device. Set when attaching.
 * @node: in &dma_buf.attachments, under the reservation lock.
 * @sgt: the mapping that is kept until the detach, or NULL. Set when attaching
 *	or by the first mapping, under the reservation lock.
 * @dir: direction of @sgt. Changes with it.
 * @peer2peer: the importer accepts memory without struct page, see
 *	&dma_buf_attach_ops.allow_peer2peer. Set when attaching; the exporter's
 *	&dma_buf_ops.attach may withdraw it.
 * @importer_ops: operations of a dynamic importer, NULL for a static one. Set
 *	when attaching.
 * @importer_priv: private pointer of the importer. Set when attaching.
 * @priv: private pointer of the exporter, under rules of its own.
 * @nr_mapped: mappings that the importer has, a kept one as often as it was
 *	returned; under the reservation lock.
 * @nr_pinned: pins of a dynamic importer; under the reservation lock.
 *
 * Made by dma_buf_attach() or dma_buf_dynamic_attach(), freed by
 * dma_buf_detach(). It does not hold a reference to the buffer: the importer
 * has one and keeps it until it has detached.
 */
struct dma_buf_attachment {
	struct dma_buf *dmabuf;
	struct device *dev;
	struct list_head node;
	struct sg_table *sgt;
	enum dma_data_direction dir;
	bool peer2peer;
	const struct dma_buf_attach_ops *importer_ops;
	void *importer_priv;
	void *priv;
	unsigned int nr_mapped;
	unsigned int nr_pinned;
};

/**
 * struct dma_buf_export_info - arguments of dma_buf_export()
 * @exp_name: name of the exporter, for debugging
 * @owner: module of the exporter; held until the buffer is released
 * @ops: operations of the exporter
 * @size: of the buffer, in bytes; final
 * @flags: of the file: access mode and the like, as for open(2)
 * @resv: reservation object, which has to stay until the buffer is released;
 *	NULL to have one made
 * @priv: private pointer of the exporter, for &dma_buf.priv; not NULL
 */
struct dma_buf_export_info {
	const char *exp_name;
	struct module *owner;
	const struct dma_buf_ops *ops;
	size_t size;
	int flags;
	struct dma_resv *resv;
	void *priv;
};

/**
 * DEFINE_DMA_BUF_EXPORT_INFO - declare a &struct dma_buf_export_info
 * @name: of the variable
 *
 * The exporter's name and module are filled in, the rest is zero.
 */
#define DEFINE_DMA_BUF_EXPORT_INFO(name)			\
	struct dma_buf_export_info name = {			\
		.owner = THIS_MODULE,				\
		.exp_name = KBUILD_MODNAME,			\
	}

/**
 * get_dma_buf - take a reference to a buffer
 * @dmabuf: a buffer that the caller has a reference to
 *
 * For example for an exporter that keeps a buffer in order to return it again
 * when the same memory is exported twice.
 *
 * Context: Any.
 */
static inline void get_dma_buf(struct dma_buf *dmabuf)
{
	get_file(dmabuf->file);
}

/**
 * dma_buf_is_dynamic - test whether the exporter can move a buffer
 * @dmabuf: the buffer
 *
 * Context: Any.
 * Return: true if it can, unless the buffer is pinned (&dma_buf_ops.pin).
 */
static inline bool dma_buf_is_dynamic(struct dma_buf *dmabuf)
{
	return !!dmabuf->ops->pin;
}

/**
 * dma_buf_is_revoked - test whether a buffer has been revoked
 * @dmabuf: the buffer
 *
 * For fault handlers of exporters, which answer with %VM_FAULT_SIGBUS.
 *
 * Context: Any.
 * Return: true from the moment on when dma_buf_revoke() was called.
 */
static inline bool dma_buf_is_revoked(const struct dma_buf *dmabuf)
{
	return unlikely(READ_ONCE(dmabuf->revoked));
}

/**
 * dma_buf_attachment_is_dynamic - test whether the importer follows moves
 * @attach: the attachment
 *
 * Context: Any.
 * Return: true if it has &struct dma_buf_attach_ops and pins by itself.
 */
static inline bool
dma_buf_attachment_is_dynamic(struct dma_buf_attachment *attach)
{
	return !!attach->importer_ops;
}

struct dma_buf_attachment *dma_buf_attach(struct dma_buf *dmabuf,
					  struct device *dev);
struct dma_buf_attachment *
dma_buf_dynamic_attach(struct dma_buf *dmabuf, struct device *dev,
		       const struct dma_buf_attach_ops *importer_ops,
		       void *importer_priv);
void dma_buf_detach(struct dma_buf *dmabuf,
		    struct dma_buf_attachment *attach);
int dma_buf_pin(struct dma_buf_attachment *attach);
void dma_buf_unpin(struct dma_buf_attachment *attach);

struct dma_buf *dma_buf_export(const struct dma_buf_export_info *exp_info);

int dma_buf_fd(struct dma_buf *dmabuf, int flags);
struct dma_buf *dma_buf_get(int fd);
void dma_buf_put(struct dma_buf *dmabuf);

#ifdef CONFIG_DMABUF_LIST
struct dma_buf *dma_buf_iter_begin(void);
struct dma_buf *dma_buf_iter_next(struct dma_buf *dmabuf);
#endif

struct sg_table *dma_buf_map_attachment(struct dma_buf_attachment *attach,
					enum dma_data_direction dir);
void dma_buf_unmap_attachment(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction dir);
void dma_buf_move_notify(struct dma_buf *dmabuf);
void dma_buf_invalidate_mappings(struct dma_buf *dmabuf);
bool dma_buf_attach_revocable(struct dma_buf_attachment *attach);
int dma_buf_revoke(struct dma_buf *dmabuf, bool intr);
int dma_buf_begin_cpu_access(struct dma_buf *dmabuf,
			     enum dma_data_direction dir);
int dma_buf_end_cpu_access(struct dma_buf *dmabuf,
			   enum dma_data_direction dir);
int dma_buf_begin_cpu_access_partial(struct dma_buf *dmabuf,
				     enum dma_data_direction dir,
				     size_t offset, size_t length);
int dma_buf_end_cpu_access_partial(struct dma_buf *dmabuf,
				   enum dma_data_direction dir,
				   size_t offset, size_t length);
struct sg_table *
dma_buf_map_attachment_unlocked(struct dma_buf_attachment *attach,
				enum dma_data_direction dir);
void dma_buf_unmap_attachment_unlocked(struct dma_buf_attachment *attach,
				       struct sg_table *sgt,
				       enum dma_data_direction dir);

/**
 * DMA_BUF_BATCH_MAX - most attachments that one call of a batch takes
 */
#define DMA_BUF_BATCH_MAX	1024

int dma_buf_lock_attachments(struct dma_buf_attachment **attachs,
			     unsigned int n, struct ww_acquire_ctx *ctx,
			     bool intr);
void dma_buf_unlock_attachments(struct dma_buf_attachment **attachs,
				unsigned int n, struct ww_acquire_ctx *ctx);
int dma_buf_map_attachments(struct dma_buf_attachment **attachs,
			    struct sg_table **sgts, unsigned int n,
			    enum dma_data_direction dir);
void dma_buf_unmap_attachments(struct dma_buf_attachment **attachs,
			       struct sg_table **sgts, unsigned int n,
			       enum dma_data_direction dir);
int dma_buf_map_attachments_unlocked(struct dma_buf_attachment **attachs,
				     struct sg_table **sgts, unsigned int n,
				     enum dma_data_direction dir);
void dma_buf_unmap_attachments_unlocked(struct dma_buf_attachment **attachs,
					struct sg_table **sgts, unsigned int n,
					enum dma_data_direction dir);
int dma_buf_pin_attachments(struct dma_buf_attachment **attachs,
			    unsigned int n);
void dma_buf_unpin_attachments(struct dma_buf_attachment **attachs,
			       unsigned int n);
int dma_buf_pin_attachments_unlocked(struct dma_buf_attachment **attachs,
				     unsigned int n);
void dma_buf_unpin_attachments_unlocked(struct dma_buf_attachment **attachs,
					unsigned int n);
long dma_buf_wait_attachments(struct dma_buf_attachment **attachs,
			      unsigned int n, enum dma_resv_usage usage,
			      bool intr, unsigned long timeout);

int dma_buf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma,
		 unsigned long pgoff);
int dma_buf_vmap(struct dma_buf *dmabuf, struct iosys_map *map);
void dma_buf_vunmap(struct dma_buf *dmabuf, struct iosys_map *map);
int dma_buf_vmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map);
void dma_buf_vunmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map);

/* struct dma_buf *dmabuf __free(dma_buf_put) = dma_buf_get(fd); */
DEFINE_FREE(dma_buf_put, struct dma_buf *, if (!IS_ERR_OR_NULL(_T)) dma_buf_put(_T))

#endif /* __DMA_BUF_H__ */
