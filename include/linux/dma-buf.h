/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf: memory that several devices, and programs, share
 *
 * Two parties meet here. An exporter has memory and shows it as a &struct dma_buf
 * by way of &struct dma_buf_ops. An importer has a device and wants that
 * memory in its address space: it attaches, maps, and undoes both. Neither knows
 * the other. The file descriptor of the buffer is how user space brings them
 * together, and the file behind it is what keeps the buffer alive.
 *
 * Which calls and callbacks go with the reservation lock (&dma_buf.resv) and
 * which without is one table: "locking convention" in dma-buf.c.
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

/**
 * struct dma_buf_ops - what an exporter can do with its buffers
 *
 * @map_dma_buf, @unmap_dma_buf and @release are mandatory, the others may be
 * NULL. @pin and @unpin come together or not at all: an exporter that has them is
 * dynamic, it may move its buffers while nobody has pinned them.
 */
struct dma_buf_ops {
	/**
	 * @cache_sgt_mapping:
	 *
	 * The core keeps the first mapping of each attachment and hands it out
	 * again, until the attachment goes. Until then, mapping it for a
	 * direction which the first one does not cover gives -EBUSY. Not for dynamic
	 * exporters: a mapping that is kept would keep the buffer in place.
	 */
	bool cache_sgt_mapping;

	/**
	 * @attach:
	 *
	 * A device wants to use the buffer. This is where the exporter looks at
	 * its DMA limits (mask, segment size, what bus it sits on) and says no
	 * if the memory is, and has to stay, out of the device's reach. It may
	 * keep what it needs to remember in &dma_buf_attachment.priv.
	 *
	 * Context: Process context, without the reservation lock. May sleep.
	 *
	 * Return: 0 or a negative errno, which dma_buf_attach() passes on. -EBUSY
	 * says that there is memory already and the device cannot reach it.
	 */
	int (*attach)(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);

	/**
	 * @detach:
	 *
	 * The opposite of @attach. No mapping of the attachment is left.
	 *
	 * Context: Process context, without the reservation lock. May sleep.
	 */
	void (*detach)(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);

	/**
	 * @pin:
	 *
	 * The buffer has to stay where it is until @unpin. Calls nest. If there
	 * is a choice, a place that all devices reach is the best one: this
	 * importer may not be the last.
	 *
	 * Importers that know how to follow a move call dma_buf_pin() when they
	 * have to (scanout, say). For all others the core does it when they
	 * attach. These do not look at fences either, so when this
	 * returns the memory holds what it should: a move or a clear that the
	 * exporter queued has to be over.
	 *
	 * Context: Process context, with the reservation lock. May sleep.
	 *
	 * Return: 0 or a negative errno.
	 */
	int (*pin)(struct dma_buf_attachment *attach);

	/**
	 * @unpin:
	 *
	 * Takes one @pin back; after the last the buffer may move.
	 *
	 * Context: Process context, with the reservation lock. May sleep.
	 */
	void (*unpin)(struct dma_buf_attachment *attach);

	/**
	 * @map_dma_buf:
	 *
	 * Make the buffer visible to the attached device, for transfers in the
	 * given direction, and say where it sees it.
	 *
	 * An exporter without memory so far finds some now. It may walk
	 * &dma_buf.attachments to learn whom it has to suit. Whether a second
	 * mapping can be made while there is one is up to it, too.
	 *
	 * The memory is ready for use when this returns, unless the exporter is
	 * dynamic: then the importer either follows fences, or has had the
	 * buffer pinned, and @pin waited already.
	 *
	 * Each call makes a new table, which belongs to the caller until it comes
	 * back through @unmap_dma_buf. Keeping mappings for later is for the
	 * core (@cache_sgt_mapping) and the importer to do, not for the exporter.
	 *
	 * Context: Process context, with the reservation lock. May sleep.
	 *
	 * Return: the table with its DMA side filled in, every address and length
	 * a multiple of PAGE_SIZE; or an ERR_PTR(), -EINTR for example when a
	 * signal ended a wait. Never NULL.
	 */
	struct sg_table * (*map_dma_buf)(struct dma_buf_attachment *attach,
					 enum dma_data_direction dir);
	/**
	 * @unmap_dma_buf:
	 *
	 * Takes a mapping down and frees its table. An exporter that is not
	 * dynamic, and had to hold its memory in place, may let go with the
	 * last one.
	 *
	 * Context: Process context, with the reservation lock. May sleep.
	 */
	void (*unmap_dma_buf)(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction dir);

	/**
	 * @release:
	 *
	 * Nobody holds the buffer any more. What &dma_buf.priv points to is the
	 * exporter's to free; the dma_buf itself is not.
	 *
	 * Context: Process context, without the reservation lock. May sleep.
	 * Which process it is depends on who was last.
	 */
	void (*release)(struct dma_buf *dmabuf);

	/**
	 * @begin_cpu_access:
	 *
	 * The CPU is about to read (%DMA_FROM_DEVICE), to write (%DMA_TO_DEVICE)
	 * or both, through a mapping that @mmap or @vmap made. Bring memory and
	 * caches in line for that direction; for another one the CPU may see
	 * stale bytes.
	 *
	 * Devices need not be idle yet: dma_buf_begin_cpu_access() waits for
	 * their fences after this returned, so that work which is queued or
	 * flushed here is waited for as well. An exporter that invalidates
	 * caches, or copies, waits for &dma_buf.resv first.
	 *
	 * Context: Process context, without the reservation lock. May sleep.
	 *
	 * Return: 0 or a negative errno; -ERESTARTSYS or -EINTR when a signal ended
	 * a wait, and the call may be made again.
	 */
	int (*begin_cpu_access)(struct dma_buf *dmabuf,
				enum dma_data_direction dir);

	/**
	 * @end_cpu_access:
	 *
	 * The CPU is done; devices shall see what it wrote.
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
	 * Map the buffer into a program. The range was found to lie within the
	 * buffer already. Accesses are bracketed by DMA_BUF_IOCTL_SYNC, so the
	 * mapping need not be coherent.
	 *
	 * An exporter which wants to pretend coherence takes the page table
	 * entries away when a device gets its turn, by unmap_mapping_range(). That
	 * works on an address_space, and the one of the dma-buf is not the
	 * exporter's: it makes the mapping one of a file of its own, by
	 * vma_set_file() and an adjusted vm_pgoff.
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
	 * this for the first one only; address space is scarce on small machines.
	 *
	 * Context: Process context, with the reservation lock. May sleep.
	 *
	 * Return: 0 with the map filled in, or a negative errno.
	 */
	int (*vmap)(struct dma_buf *dmabuf, struct iosys_map *map);

	/**
	 * @vunmap:
	 *
	 * Takes the mapping of @vmap down, after its last user.
	 *
	 * Context: Process context, with the reservation lock. May sleep.
	 */
	void (*vunmap)(struct dma_buf *dmabuf, struct iosys_map *map);

	/**
	 * @get_unmapped_area:
	 *
	 * Optional. Find a place in the program for a mapping of the buffer's
	 * file, as the file operation of that name does; for exporters whose
	 * memory is better mapped at an address with a certain alignment.
	 *
	 * Context: Process context, with the mmap lock of the program and
	 * without the reservation lock. May sleep.
	 *
	 * Return: the address, or a negative errno.
	 */
	unsigned long (*get_unmapped_area)(struct file *file, unsigned long addr,
					   unsigned long len, unsigned long pgoff,
					   unsigned long flags);

	/**
	 * @begin_cpu_access_partial:
	 *
	 * Optional, in addition to @begin_cpu_access: the same for the bytes
	 * from offset to offset + length, the latter excluded. Anything else in
	 * the buffer may be left as it is; more may be done, as a cache
	 * line, or a page, is not always divisible.
	 *
	 * The range is not empty, lies within the buffer and is not all of it,
	 * for which there is @begin_cpu_access. Nothing is promised on its
	 * alignment.
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
	 * @begin_cpu_access_partial gets it. It need not be one that was begun:
	 * who began with the whole may end with those parts that it wrote.
	 *
	 * Context: Process context, without the reservation lock. May sleep.
	 *
	 * Return: as for @begin_cpu_access.
	 */
	int (*end_cpu_access_partial)(struct dma_buf *dmabuf,
				      enum dma_data_direction dir,
				      size_t offset, size_t length);
};

/**
 * struct dma_buf - one shared buffer
 *
 * Made by dma_buf_export(), kept alive by references to its file: descriptors of
 * programs, get_dma_buf(), messages on sockets, mappings. dma_buf_put() gives
 * one back.
 *
 * Fields without a lock below are set before anyone else can see the buffer,
 * and never again. Only @priv is the exporter's own affair. All are for
 * the buffer core to write; drivers read.
 */
struct dma_buf {
	/** @size: in bytes. Set by the export. */
	size_t size;

	/**
	 * @file: the file that is the buffer's life and reference count. Set by the
	 * export.
	 */
	struct file *file;

	/**
	 * @attachments: all &struct dma_buf_attachment of the buffer. Changed by
	 * attaching and detaching, walked by anyone, always under @resv.
	 */
	struct list_head attachments;

	/** @ops: what the exporter can do. Set by the export. */
	const struct dma_buf_ops *ops;

	/**
	 * @vmapping_counter: how many dma_buf_vmap() were not taken back yet.
	 * Changed by these two, under @resv.
	 */
	unsigned int vmapping_counter;

	/**
	 * @vmap_ptr: where the kernel sees the buffer while @vmapping_counter is not
	 * zero. Changed with it, under @resv.
	 */
	struct iosys_map vmap_ptr;

	/**
	 * @exp_name: what the exporter calls itself, for people. Not NULL. Set by
	 * the export.
	 */
	const char *exp_name;

	/**
	 * @name: what user space calls the buffer, or NULL; at most
	 * DMA_BUF_NAME_LEN bytes with the terminating zero. Read and replaced
	 * under @name_lock, by DMA_BUF_SET_NAME.
	 */
	const char *name;

	/** @name_lock: innermost lock; protects @name and what it points to. */
	spinlock_t name_lock;

	/**
	 * @owner: the exporter's module, held while the buffer lives. Set by the
	 * export.
	 */
	struct module *owner;

#if IS_ENABLED(CONFIG_DEBUG_FS)
	/**
	 * @list_node: in the list of all buffers. Under the lock of that list, see
	 * dma-buf-debugfs.c.
	 */
	struct list_head list_node;
#endif

	/** @priv: the exporter's. */
	void *priv;

	/**
	 * @resv: what devices still have to do with the memory, as fences, and the
	 * lock of nearly everything here. Given by the exporter, or made with
	 * the buffer. Set by the export.
	 *
	 * Implicit synchronisation works because every driver which takes part plays by
	 * these rules:
	 *
	 * - What the driver's user interface calls a write of the buffer adds a
	 *   fence with %DMA_RESV_USAGE_WRITE, what it calls a read one with
	 *   %DMA_RESV_USAGE_READ. A driver that does not tell the two apart
	 *   calls everything a write, and is slower but correct.
	 * - Before such a use, the driver waits for the fences that
	 *   dma_resv_usage_rw() names.
	 * - A driver that finishes each job before it returns to user space, as
	 *   V4L2 drivers do, need not add any.
	 *
	 * A dynamic importer (dma_buf_attachment_is_dynamic()), moreover,
	 *
	 * - does not let its device near the memory before the fences with
	 *   %DMA_RESV_USAGE_KERNEL have signalled, nor those of writers, and
	 * - adds a fence for each use that
	 *   &dma_buf_attach_ops.move_notify cannot stop on the spot.
	 *
	 * enum dma_resv_usage has the details. They bind everybody who touches the
	 * memory, memory management included.
	 */
	struct dma_resv *resv;

	/**
	 * @poll: what poll() needs; NULL until somebody calls it. Set once, without a
	 * lock, and belongs to dma-buf-poll.c.
	 */
	struct dma_buf_poll *poll;
#ifdef CONFIG_DMABUF_SYSFS_STATS
	/**
	 * @sysfs_entry: the buffer's directory in sysfs. Set by the export, freed
	 * after the last reader.
	 */
	struct dma_buf_sysfs_entry {
		struct kobject kobj;
		struct dma_buf *dmabuf;
	} *sysfs_entry;
#endif
};

/**
 * struct dma_buf_attach_ops - what a dynamic importer can do
 */
struct dma_buf_attach_ops {
	/**
	 * @allow_peer2peer: the importer can cope with memory of another device,
	 * for which there is no struct page.
	 */
	bool allow_peer2peer;

	/**
	 * @move_notify:
	 *
	 * The buffer is about to be elsewhere. Mandatory: an importer that has
	 * it need not have the buffer pinned for as long as it is attached.
	 *
	 * The mappings of the attachment still work and still lead to the old
	 * place, but the importer has to drop them and map anew before
	 * its device uses the buffer again. A mapping made after this returns
	 * leads to the new place. As mapping takes the same lock, none can be made
	 * meanwhile.
	 *
	 * Context: with the reservation lock, called from dma_buf_move_notify().
	 * What else is allowed is the exporter's to say; memory reclaim may
	 * well be waiting.
	 */
	void (*move_notify)(struct dma_buf_attachment *attach);
};

/**
 * struct dma_buf_attachment - one device at one buffer
 * @dmabuf: the buffer. Set when attaching.
 * @dev: the device. Set when attaching.
 * @node: in &dma_buf.attachments, under the reservation lock.
 * @sgt: the mapping that lives as long as the attachment, or NULL. Set when
 *	attaching or by the first mapping, under the reservation lock.
 * @dir: direction of @sgt. Changes with it.
 * @peer2peer: the importer accepts memory without struct page, see
 *	&dma_buf_attach_ops.allow_peer2peer. Set when attaching; the exporter's
 *	&dma_buf_ops.attach may withdraw it.
 * @importer_ops: given by a dynamic importer, NULL for any other. Set when
 *	attaching.
 * @importer_priv: the importer's. Set when attaching.
 * @priv: the exporter's, under rules of its own.
 *
 * Made by dma_buf_attach() or dma_buf_dynamic_attach(), gone with
 * dma_buf_detach(). It does not hold a reference to the buffer: who attaches
 * has one and keeps it for as long.
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
};

/**
 * struct dma_buf_export_info - what dma_buf_export() needs to know
 * @exp_name: name of the exporter, for people
 * @owner: module of the exporter; held until the buffer is released
 * @ops: what the exporter can do
 * @size: of the buffer, in bytes; final
 * @flags: of the file: access mode and the like, as for open(2)
 * @resv: reservation object, which has to live as long as the buffer; NULL to
 *	have one made
 * @priv: the exporter's own, for &dma_buf.priv; not NULL
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
 * get_dma_buf - take one more reference
 * @dmabuf: a buffer that the caller has a reference to
 *
 * An exporter that remembers a buffer, to give it out again when the same memory
 * is exported twice, is an example of who needs this.
 *
 * Context: Any.
 */
static inline void get_dma_buf(struct dma_buf *dmabuf)
{
	get_file(dmabuf->file);
}

/**
 * dma_buf_is_dynamic - can the exporter move this buffer?
 * @dmabuf: the buffer
 *
 * Context: Any.
 * Return: true if it can, and so needs to be told when it must not
 * (&dma_buf_ops.pin).
 */
static inline bool dma_buf_is_dynamic(struct dma_buf *dmabuf)
{
	return !!dmabuf->ops->pin;
}

/**
 * dma_buf_attachment_is_dynamic - can the importer follow a move?
 * @attach: the attachment
 *
 * Context: Any.
 * Return: true if it came with &dma_buf_attach_ops and does its own
 * pinning.
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

struct sg_table *dma_buf_map_attachment(struct dma_buf_attachment *attach,
					enum dma_data_direction dir);
void dma_buf_unmap_attachment(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction dir);
void dma_buf_move_notify(struct dma_buf *dmabuf);
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

int dma_buf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma,
		 unsigned long pgoff);
int dma_buf_vmap(struct dma_buf *dmabuf, struct iosys_map *map);
void dma_buf_vunmap(struct dma_buf *dmabuf, struct iosys_map *map);
int dma_buf_vmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map);
void dma_buf_vunmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map);

/* struct dma_buf *dmabuf __free(dma_buf_put) = dma_buf_get(fd); */
DEFINE_FREE(dma_buf_put, struct dma_buf *, if (!IS_ERR_OR_NULL(_T)) dma_buf_put(_T))
#endif /* __DMA_BUF_H__ */
