/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page-backed memory as one device sees it
 *
 * Between dma-buf-pages.c, which makes and undoes a mapping,
 * dma-buf-mapcache.c, which shares and keeps mappings, and dma-buf-pages-ops.c,
 * which makes operations of a buffer of both.
 */
#ifndef _DMA_BUF_PAGES_PRIVATE_H
#define _DMA_BUF_PAGES_PRIVATE_H

#include <linux/dma-direction.h>
#include <linux/list.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

struct dentry;
struct device;
struct dma_buf_mapcache_device;
struct dma_buf_pages;
struct shrink_control;
struct shrinker;

/**
 * struct dma_buf_pages_piece - memory that is contiguous, for a device too
 * @addr: DMA address of the first byte
 * @phys: physical address of the first byte
 * @length: in bytes
 */
struct dma_buf_pages_piece {
	dma_addr_t addr;
	phys_addr_t phys;
	size_t length;
};

/**
 * struct dma_buf_pages_segment - an entry of a table, as the device sees it
 * @addr: DMA address of the first byte
 * @length: in bytes
 * @flags: of the DMA API
 */
struct dma_buf_pages_segment {
	dma_addr_t addr;
	unsigned int length;
	unsigned int flags;
};

/**
 * struct dma_buf_pages_mapping - the memory as one device sees it
 * @sgt: the table that the importer gets, mapped for @dev
 * @dev: the device
 * @dir: what the device does with the memory, as the importer said
 * @mapped: what the DMA API was told, see dma_buf_pages_dma_map()
 * @limit: longest entry of the table, in pages
 * @size: of this record and of @pieces, in bytes
 * @pieces: where the device sees the memory, in the order of @sgt; NULL for a
 *	device that needs no syncs
 * @node: entry of &dma_buf_pages.mappings if there are @pieces and the mapping
 *	is in use, else empty
 * @segments: the DMA side of @sgt as it was made, behind @entries; NULL in a
 *	table from dma_buf_pages_copy_mapping()
 * @nr_segments: how many they are
 * @segment: of dma-buf-mapcache.c: longest entry that the driver allowed
 * @pages: the memory
 * @debug: entry of a list of dma-buf-pages-debug.c
 * @has_twice: a page may be in the list twice; for DMA API debugging
 * @users: how many tables importers have, 0 if the mapping is idle; not of a
 *	copy. With @lent, @primary and @spare these are of dma-buf-mapcache.c,
 *	protected by the reservation lock
 * @lent: an importer has @sgt
 * @primary: the mapping that this one's table is a copy of; NULL for a mapping
 * @spare: a copy that no importer has, or NULL
 * @bounces: the mapping may have bounce buffers; constant, as the next two
 * @mask: DMA mask of @dev when it was made
 * @record: of @dev, with a reference; NULL if the mapping must not be kept, and
 *	be shared only if no driver is bound
 * @stamp: when it became idle; with @lru, protected by dma_buf_mapcache_lock
 * @lru: entry of a list of idle mappings
 * @sibling: entry of &dma_buf_pages.cached, likewise protected
 * @entries: of @sgt, in one allocation with the rest
 */
struct dma_buf_pages_mapping {
	struct sg_table sgt;
	struct device *dev;
	enum dma_data_direction dir;
	enum dma_data_direction mapped;
	unsigned long limit;
	size_t size;
	struct dma_buf_pages_piece *pieces;
	struct list_head node;
	struct dma_buf_pages_segment *segments;
	unsigned int nr_segments;
	unsigned int segment;
	struct dma_buf_pages *pages;
#ifdef CONFIG_DMA_API_DEBUG
	struct list_head debug;
	bool has_twice;
#endif

	unsigned int users;
	bool lent;
	bool bounces;
	struct dma_buf_pages_mapping *primary;
	struct dma_buf_pages_mapping *spare;
	u64 mask;
	struct dma_buf_mapcache_device *record;
	u64 stamp;
	struct list_head lru;
	struct hlist_node sibling;

	struct scatterlist entries[];
};

/* dma-buf-pages.c */
unsigned long dma_buf_pages_max_entry(struct device *dev);
struct dma_buf_pages_mapping *
dma_buf_pages_map_device(struct dma_buf_pages *pages, struct device *dev,
			 enum dma_data_direction dir);
struct dma_buf_pages_mapping *
dma_buf_pages_copy_mapping(const struct dma_buf_pages *pages,
			   const struct dma_buf_pages_mapping *mapping);
void dma_buf_pages_restore_table(struct dma_buf_pages_mapping *table,
				 const struct dma_buf_pages_mapping *mapping);
void dma_buf_pages_resume_mapping(struct dma_buf_pages *pages,
				  struct dma_buf_pages_mapping *mapping);
void dma_buf_pages_suspend_mapping(struct dma_buf_pages *pages,
				   struct dma_buf_pages_mapping *mapping);
void dma_buf_pages_destroy_mapping(struct dma_buf_pages_mapping *mapping);
void dma_buf_pages_unmap_device(struct dma_buf_pages *pages,
				struct dma_buf_pages_mapping *mapping);
void dma_buf_pages_sync_shared(struct dma_buf_pages *pages,
			       struct dma_buf_pages_mapping *mapping);
void dma_buf_pages_sync_devices(struct dma_buf_pages *pages,
				enum dma_data_direction dir, size_t offset,
				size_t length, bool for_device);
unsigned int dma_buf_pages_edges(size_t offset, size_t length, size_t line,
				 size_t edges[2]);

/**
 * typedef dma_buf_pages_sync_t - sync one piece of memory
 * @dev: the device that has it mapped
 * @addr: DMA address of the first byte
 * @size: in bytes; contiguous for the device and in memory
 * @dir: which way data goes
 *
 * dma_sync_single_for_cpu() and dma_sync_single_for_device() are of this type.
 */
typedef void (*dma_buf_pages_sync_t)(struct device *dev, dma_addr_t addr,
				     size_t size, enum dma_data_direction dir);

/* dma-buf-pages-debug.c */
#ifdef CONFIG_DMA_API_DEBUG
void dma_buf_pages_debug_add(struct dma_buf_pages_mapping *mapping);
void dma_buf_pages_debug_del(struct dma_buf_pages_mapping *mapping);
bool dma_buf_pages_debug_begin_sync(const struct dma_buf_pages_mapping *mapping);
void dma_buf_pages_debug_end_sync(void);
#else
static inline void
dma_buf_pages_debug_add(struct dma_buf_pages_mapping *mapping) {}
static inline void
dma_buf_pages_debug_del(struct dma_buf_pages_mapping *mapping) {}
static inline bool
dma_buf_pages_debug_begin_sync(const struct dma_buf_pages_mapping *mapping)
{
	return false;
}

static inline void dma_buf_pages_debug_end_sync(void) {}
#endif

/* dma-buf-mapcache.c */

/** enum dma_buf_mapcache_result - where a mapping came from */
enum dma_buf_mapcache_result {
	/** @DMA_BUF_MAPCACHE_MISS: it was made */
	DMA_BUF_MAPCACHE_MISS,
	/** @DMA_BUF_MAPCACHE_HIT: it was idle */
	DMA_BUF_MAPCACHE_HIT,
	/** @DMA_BUF_MAPCACHE_SHARED: it is in use by another importer, too */
	DMA_BUF_MAPCACHE_SHARED,
};

struct dma_buf_pages_mapping *
dma_buf_mapcache_map(struct dma_buf_pages *pages, struct device *dev,
		     enum dma_data_direction dir,
		     enum dma_buf_mapcache_result *result);
void dma_buf_mapcache_unmap(struct dma_buf_pages *pages,
			    struct dma_buf_pages_mapping *mapping);
void dma_buf_mapcache_drop_idle(struct dma_buf_pages *pages);

#if IS_ENABLED(CONFIG_DMABUF_PAGES)
void dma_buf_mapcache_debugfs_init(struct dentry *dir);
#else
static inline void dma_buf_mapcache_debugfs_init(struct dentry *dir) {}
#endif

#if IS_ENABLED(CONFIG_KUNIT)
extern bool dma_buf_mapcache_enabled;
extern unsigned int dma_buf_mapcache_max_mappings;
extern unsigned long dma_buf_mapcache_max_bytes;
extern unsigned long dma_buf_mapcache_max_bounce;
extern unsigned long dma_buf_mapcache_max_mapped;
extern bool dma_buf_mapcache_keep_writable;
unsigned long dma_buf_mapcache_count(struct shrinker *shrinker,
				     struct shrink_control *sc);
unsigned long dma_buf_mapcache_scan(struct shrinker *shrinker,
				    struct shrink_control *sc);
int dma_buf_pages_note_pieces(struct dma_buf_pages_mapping *mapping);
void dma_buf_pages_sync_pieces(struct dma_buf_pages_mapping *mapping,
			       enum dma_data_direction dir, size_t offset,
			       size_t length, dma_buf_pages_sync_t sync);
#endif

#endif /* _DMA_BUF_PAGES_PRIVATE_H */
