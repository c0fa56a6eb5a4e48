// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device mappings that are shared and kept
 *
 * A mapping costs a table, and behind an IOMMU addresses and page tables. A
 * device commonly maps the same memory again and again, for each frame, or by
 * several attachments at once. So the mappings of one device and direction are
 * shared while they are in use, and one that is not stays for the next map.
 *
 * In use. The DMA mapping is shared, and its users are counted. The first user
 * gets the table of the mapping, each further one a table of its own with the
 * same addresses: there are importers which write addresses of their own into
 * the table as long as they have it (RDMA, which is dynamic, and the static
 * ipu6-isys). Some do not put the old ones back, so that is done here. A
 * mapping that the device may write to and that needs syncs is not shared: the
 * sync at the second map could overwrite what the device has written for the
 * first.
 *
 * Idle. A mapping without users is synced as if it were unmapped, and leaves
 * &dma_buf_pages.mappings; the next map syncs it for the device. Neither
 * allocates. Idle mappings are bounded in number, in bytes of tables, and in
 * bytes that they map, since other users of an IOMMU's addresses cannot have
 * them dropped; those that may bounce by a bound of their own, which is 0
 * unless it is set, as slots of bounce buffers are few. The least recently used
 * is dropped first. All are dropped when another mapping fails; those of a
 * buffer by its release; those of a device before its driver is unbound. A
 * shrinker drops them as well.
 *
 * The record of a device exists while a driver is bound: a devres action ends
 * it, after the driver's remove and before the DMA API is torn down. It is made
 * at a map, if the device can be locked at once: importers also map in their
 * probe, with that lock. Without a record a mapping is neither shared nor kept;
 * but if no driver is bound, it is shared.
 *
 * What is dropped is first taken off all lists, with dma_buf_mapcache_lock, and
 * counted in dma_buf_pages.dropping and in the record; then unmapped without
 * any lock, as unmapping may take long. A release and an unbind wait until the
 * count is zero.
 *
 * Lock order: reservation lock, then dma_buf_pages.lock; dma_buf_mapcache_lock
 * is never held with the latter, and nothing is taken or allocated under it.
 * The shrinker takes no other lock but, with CONFIG_DMA_API_DEBUG, that of
 * dma-buf-pages-debug.c, which nothing allocates under. It must not take
 * dma_buf_pages.lock: ends of CPU access do, and fences, for which reclaim may
 * wait, depend on them.
 */
#include <kunit/visibility.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/dma-buf-pages.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/hashtable.h>
#include <linux/init.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>
#include <linux/percpu.h>
#include <linux/refcount.h>
#include <linux/seq_file.h>
#include <linux/shrinker.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "dma-buf-pages-private.h"

#include <trace/events/dma_buf.h>

/* -- bounds ---------------------------------------------------------------- */

/*
 * Without, each map makes a mapping of its own and each unmap undoes it. What
 * is shared already stays so until its last unmap, but gets no further user;
 * what is idle goes with the next unmap of any buffer.
 */
VISIBLE_IF_KUNIT bool dma_buf_mapcache_enabled = true;
module_param_named(enabled, dma_buf_mapcache_enabled, bool, 0644);
MODULE_PARM_DESC(enabled, "share and keep mappings of devices");
EXPORT_SYMBOL_IF_KUNIT(dma_buf_mapcache_enabled);

/* As many buffers as a busy desktop has in flight; a walk is over them all. */
VISIBLE_IF_KUNIT unsigned int dma_buf_mapcache_max_mappings = 1024;
module_param_named(max_mappings, dma_buf_mapcache_max_mappings, uint, 0644);
MODULE_PARM_DESC(max_mappings, "number of idle mappings");
EXPORT_SYMBOL_IF_KUNIT(dma_buf_mapcache_max_mappings);

/* Twice the tables of max_mapped in single pages, with what syncs need. */
VISIBLE_IF_KUNIT unsigned long dma_buf_mapcache_max_bytes = SZ_8M;
module_param_named(max_bytes, dma_buf_mapcache_max_bytes, ulong, 0644);
MODULE_PARM_DESC(max_bytes, "size of the tables of idle mappings, in bytes");
EXPORT_SYMBOL_IF_KUNIT(dma_buf_mapcache_max_bytes);

/* A quarter of the addresses of the smallest IOMMU, that of exynos. */
VISIBLE_IF_KUNIT unsigned long dma_buf_mapcache_max_mapped = SZ_256M;
module_param_named(max_mapped, dma_buf_mapcache_max_mapped, ulong, 0644);
MODULE_PARM_DESC(max_mapped, "memory of idle mappings, in bytes");
EXPORT_SYMBOL_IF_KUNIT(dma_buf_mapcache_max_mapped);

/* None: all drivers share the slots, and a device's own pool may have few. */
VISIBLE_IF_KUNIT unsigned long dma_buf_mapcache_max_bounce;
module_param_named(max_bounce, dma_buf_mapcache_max_bounce, ulong, 0644);
MODULE_PARM_DESC(max_bounce,
		 "memory of idle mappings that may bounce, in bytes");
EXPORT_SYMBOL_IF_KUNIT(dma_buf_mapcache_max_bounce);

/*
 * With CONFIG_DMA_API_DEBUG a line of memory that a device may write must not
 * be mapped for another one, as it is when a disk reads a file into a buffer
 * that is idle here. It does not tell that the idle one is synced. A device
 * that only reads is no matter.
 */
VISIBLE_IF_KUNIT bool dma_buf_mapcache_keep_writable =
	!IS_ENABLED(CONFIG_DMA_API_DEBUG);
EXPORT_SYMBOL_IF_KUNIT(dma_buf_mapcache_keep_writable);

/* -- state ----------------------------------------------------------------- */

/**
 * struct dma_buf_mapcache_device - a device whose idle mappings are kept
 * @node: entry of dma_buf_mapcache_devices, until the driver is unbound
 * @dev: the device; valid until then
 * @may_stay: the device may see memory that its driver does not use; constant,
 *	as a strict IOMMU can only become lazy while a driver is bound
 * @dead: the driver is unbound: share and keep nothing more
 * @dropping: how many mappings of the device are being unmapped
 * @refs: one of each mapping, and one of the devres action
 */
struct dma_buf_mapcache_device {
	struct hlist_node node;
	struct device *dev;
	bool may_stay;
	bool dead;
	unsigned int dropping;
	refcount_t refs;
};

/**
 * struct dma_buf_mapcache_totals - what all idle mappings are in sum
 * @count: how many there are
 * @bytes: size of their records and tables
 * @mapped: size of the memory that they map, a buffer as often as it is mapped
 * @bounced: the part of @mapped that may bounce
 */
struct dma_buf_mapcache_totals {
	unsigned long count;
	unsigned long bytes;
	unsigned long mapped;
	unsigned long bounced;
};

/* Protects all that follows, and what dma-buf-pages-private.h says. */
static DEFINE_SPINLOCK(dma_buf_mapcache_lock);
static DEFINE_HASHTABLE(dma_buf_mapcache_devices, 6);

/*
 * Idle mappings by &dma_buf_pages_mapping.lru, least recently used first. Index
 * is whether they may bounce; the shrinker drops these first.
 */
static struct list_head dma_buf_mapcache_lru[] = {
	LIST_HEAD_INIT(dma_buf_mapcache_lru[0]),
	LIST_HEAD_INIT(dma_buf_mapcache_lru[1]),
};

static struct dma_buf_mapcache_totals dma_buf_mapcache_idle;

/* How many mappings are being dropped, of all devices and buffers. */
static unsigned int dma_buf_mapcache_all_dropping;

/* Steps whenever a mapping becomes idle. */
static u64 dma_buf_mapcache_clock;

/* Woken whenever a mapping has been dropped. */
static DECLARE_WAIT_QUEUE_HEAD(dma_buf_mapcache_dropped);

/* NULL if it could not be made: nothing is shared or kept then. */
static struct shrinker *dma_buf_mapcache_shrinker;

/* Events since boot, by enum dma_buf_mapcache_result, and drops. */
enum {
	DMA_BUF_MAPCACHE_DROPS = DMA_BUF_MAPCACHE_SHARED + 1,
	DMA_BUF_MAPCACHE_EVENTS
};

static DEFINE_PER_CPU(unsigned long,
		      dma_buf_mapcache_events[DMA_BUF_MAPCACHE_EVENTS]);

/* -- devices --------------------------------------------------------------- */

static void dma_buf_mapcache_put_record(struct dma_buf_mapcache_device *record)
{
	if (record && refcount_dec_and_test(&record->refs))
		kfree(record);
}

/* Return the record of @dev with a reference, or NULL. */
static struct dma_buf_mapcache_device *
dma_buf_mapcache_get_record(struct device *dev)
{
	struct dma_buf_mapcache_device *record, *found = NULL;

	spin_lock(&dma_buf_mapcache_lock);
	hash_for_each_possible(dma_buf_mapcache_devices, record, node,
			       (unsigned long)dev) {
		if (record->dev == dev) {
			refcount_inc(&record->refs);
			found = record;
			break;
		}
	}
	spin_unlock(&dma_buf_mapcache_lock);
	return found;
}

static void dma_buf_mapcache_end_device(struct device *dev, void *res);

/*
 * Test whether mappings of a device may stay.
 *
 * A device that is not trusted, or whose IOMMU is strict, must not see memory
 * for longer than its driver wants it to.
 */
static bool dma_buf_mapcache_may_stay(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	if (domain && domain->type == IOMMU_DOMAIN_DMA)
		return false;
	return !dev_is_pci(dev) || !to_pci_dev(dev)->untrusted;
}

/* List a new record, whose end @res is; the caller gets a reference. */
static void dma_buf_mapcache_add_record(struct device *dev,
					struct dma_buf_mapcache_device *record,
					struct dma_buf_mapcache_device **res)
{
	device_lock_assert(dev);
	record->dev = dev;
	record->may_stay = dma_buf_mapcache_may_stay(dev);
	refcount_set(&record->refs, 2);
	*res = record;
	devres_add(dev, res);
	scoped_guard(spinlock, &dma_buf_mapcache_lock)
		hash_add(dma_buf_mapcache_devices, &record->node,
			 (unsigned long)dev);
}

/*
 * Make the record of a device to which a driver is bound. A device that is
 * being probed or unbound is locked; to lock it here as well would be a
 * deadlock if this is the task that does it. Nothing is allocated with the
 * lock, as memory may be written back through the device.
 *
 * With arm's own IOMMU code a driver may put its device into another address
 * space while it is bound (exynos_drm), where old addresses are those of other
 * memory: there is no record then.
 */
static struct dma_buf_mapcache_device *
dma_buf_mapcache_make_record(struct device *dev)
{
	struct dma_buf_mapcache_device *record = NULL, *fresh, **res;

	if (IS_ENABLED(CONFIG_ARM_DMA_USE_IOMMU) || !READ_ONCE(dev->driver))
		return NULL;

	res = devres_alloc(dma_buf_mapcache_end_device, sizeof(*res),
			   GFP_KERNEL);
	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (res && fresh && device_trylock(dev)) {
		/* Another task may have been first: only with this lock. */
		record = dma_buf_mapcache_get_record(dev);
		if (!record && device_is_bound(dev)) {
			dma_buf_mapcache_add_record(dev, fresh, res);
			record = fresh;
		}
		device_unlock(dev);
	}
	if (record != fresh || !fresh) {
		if (res)
			devres_free(res);
		kfree(fresh);
	}
	return record;
}

/* -- dropping -------------------------------------------------------------- */

static size_t
dma_buf_mapcache_mapped(const struct dma_buf_pages_mapping *mapping)
{
	return mapping->pages->nr_pages << PAGE_SHIFT;
}

/* Return the least recently used mapping of a list, or NULL. */
static struct dma_buf_pages_mapping *
dma_buf_mapcache_first(struct list_head *lru)
{
	return list_first_entry_or_null(lru, struct dma_buf_pages_mapping, lru);
}

/* List a mapping that has become idle. */
static inline void dma_buf_mapcache_list(struct dma_buf_pages *pages,
					 struct dma_buf_pages_mapping *mapping)
{
	size_t mapped = dma_buf_mapcache_mapped(mapping);

	lockdep_assert_held(&dma_buf_mapcache_lock);
	dma_buf_mapcache_idle.count++;
	dma_buf_mapcache_idle.bytes += mapping->size;
	dma_buf_mapcache_idle.mapped += mapped;
	if (mapping->bounces)
		dma_buf_mapcache_idle.bounced += mapped;
	mapping->stamp = ++dma_buf_mapcache_clock;
	list_add_tail(&mapping->lru, &dma_buf_mapcache_lru[mapping->bounces]);
	if (hlist_unhashed(&mapping->sibling))
		hlist_add_head(&mapping->sibling, &pages->cached);
	pages->kept = true;
}

/* Take a mapping off the list of idle ones. */
static inline void
dma_buf_mapcache_unlist(struct dma_buf_pages_mapping *mapping)
{
	size_t mapped = dma_buf_mapcache_mapped(mapping);

	lockdep_assert_held(&dma_buf_mapcache_lock);
	dma_buf_mapcache_idle.count--;
	dma_buf_mapcache_idle.bytes -= mapping->size;
	dma_buf_mapcache_idle.mapped -= mapped;
	if (mapping->bounces)
		dma_buf_mapcache_idle.bounced -= mapped;
	list_del(&mapping->lru);
}

/* Take an idle mapping off all lists, for dma_buf_mapcache_drop(). */
static void dma_buf_mapcache_claim(struct dma_buf_pages_mapping *mapping,
				   struct list_head *claimed)
{
	dma_buf_mapcache_unlist(mapping);
	hlist_del_init(&mapping->sibling);
	mapping->pages->dropping++;
	mapping->record->dropping++;
	dma_buf_mapcache_all_dropping++;
	list_add_tail(&mapping->lru, claimed);
}

/*
 * Unmap what has been claimed. After the count says so, the pages and the
 * device of a mapping may be gone.
 */
static void dma_buf_mapcache_drop(struct list_head *claimed)
{
	struct dma_buf_pages_mapping *mapping, *next;
	struct dma_buf_mapcache_device *record;
	struct dma_buf_pages *pages;

	might_sleep_if(!list_empty(claimed));
	list_for_each_entry_safe(mapping, next, claimed, lru) {
		record = mapping->record;
		pages = mapping->pages;
		trace_dma_buf_mapcache_drop(mapping->dev,
					    dma_buf_mapcache_mapped(mapping),
					    mapping->dir);
		this_cpu_inc(dma_buf_mapcache_events[DMA_BUF_MAPCACHE_DROPS]);
		dma_buf_pages_destroy_mapping(mapping);

		scoped_guard(spinlock, &dma_buf_mapcache_lock) {
			pages->dropping--;
			record->dropping--;
			dma_buf_mapcache_all_dropping--;
		}
		wake_up_all(&dma_buf_mapcache_dropped);
		dma_buf_mapcache_put_record(record);
	}
}

/* Read a count of mappings that are being dropped. */
static unsigned int dma_buf_mapcache_dropping(const unsigned int *dropping)
{
	unsigned int count;

	spin_lock(&dma_buf_mapcache_lock);
	count = *dropping;
	spin_unlock(&dma_buf_mapcache_lock);
	return count;
}

static void dma_buf_mapcache_wait(const unsigned int *dropping)
{
	wait_event(dma_buf_mapcache_dropped,
		   !dma_buf_mapcache_dropping(dropping));
}

/**
 * dma_buf_mapcache_drop_idle - drop the idle mappings of a buffer
 * @pages: the memory
 *
 * No device sees the memory afterwards, other than by mappings in use.
 *
 * Context: Process context, with the reservation lock, or at the release. May
 * sleep.
 */
void dma_buf_mapcache_drop_idle(struct dma_buf_pages *pages)
{
	struct dma_buf_pages_mapping *mapping;
	struct hlist_node *next;
	LIST_HEAD(claimed);

	if (!pages->kept)
		return;

	scoped_guard(spinlock, &dma_buf_mapcache_lock)
		hlist_for_each_entry_safe(mapping, next, &pages->cached,
					  sibling)
			if (!mapping->users)
				dma_buf_mapcache_claim(mapping, &claimed);
	dma_buf_mapcache_drop(&claimed);
	dma_buf_mapcache_wait(&pages->dropping);
	pages->kept = false;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_mapcache_drop_idle);

/* Claim idle mappings until their tables had @bytes; return what they had. */
static unsigned long dma_buf_mapcache_claim_bytes(unsigned long bytes,
						  struct list_head *claimed)
{
	struct dma_buf_pages_mapping *mapping, *next;
	unsigned long done = 0;
	int i;

	spin_lock(&dma_buf_mapcache_lock);
	for (i = ARRAY_SIZE(dma_buf_mapcache_lru) - 1; i >= 0; i--) {
		list_for_each_entry_safe(mapping, next,
					 &dma_buf_mapcache_lru[i], lru) {
			if (done >= bytes)
				break;
			done += mapping->size;
			dma_buf_mapcache_claim(mapping, claimed);
		}
	}
	spin_unlock(&dma_buf_mapcache_lock);
	return done;
}

/*
 * Drop all idle mappings, and wait for those which other tasks are dropping;
 * return whether there was one.
 */
static bool dma_buf_mapcache_drop_all(void)
{
	LIST_HEAD(claimed);

	if (!dma_buf_mapcache_claim_bytes(ULONG_MAX, &claimed) &&
	    !dma_buf_mapcache_dropping(&dma_buf_mapcache_all_dropping))
		return false;
	dma_buf_mapcache_drop(&claimed);
	dma_buf_mapcache_wait(&dma_buf_mapcache_all_dropping);
	return true;
}

/* The devres action of a record: the driver of the device is being unbound. */
static void dma_buf_mapcache_end_device(struct device *dev, void *res)
{
	struct dma_buf_mapcache_device *record =
		*(struct dma_buf_mapcache_device **)res;
	struct dma_buf_pages_mapping *mapping, *next;
	LIST_HEAD(claimed);
	int i;

	spin_lock(&dma_buf_mapcache_lock);
	WRITE_ONCE(record->dead, true);
	hash_del(&record->node);
	for (i = 0; i < ARRAY_SIZE(dma_buf_mapcache_lru); i++)
		list_for_each_entry_safe(mapping, next,
					 &dma_buf_mapcache_lru[i], lru)
			if (mapping->record == record)
				dma_buf_mapcache_claim(mapping, &claimed);
	spin_unlock(&dma_buf_mapcache_lock);

	dma_buf_mapcache_drop(&claimed);
	dma_buf_mapcache_wait(&record->dropping);
	dma_buf_mapcache_put_record(record);
}

/* -- mapping --------------------------------------------------------------- */

/*
 * Test whether a mapping may have bounce buffers. For a device that is coherent
 * only what bounces needs syncs; for another one that cannot be told apart, so
 * look whether it could bounce at all.
 */
static bool
dma_buf_mapcache_bounces(const struct dma_buf_pages *pages,
			 const struct dma_buf_pages_mapping *mapping)
{
	size_t left = pages->nr_pages << PAGE_SHIFT;
	const struct dma_buf_pages_piece *piece = mapping->pieces;

	if (!piece)
		return false;
	if (!dev_is_dma_coherent(mapping->dev))
		return dma_max_mapping_size(mapping->dev) != SIZE_MAX;

	for (; left; left -= piece->length, piece++)
		if (dma_need_sync(mapping->dev, piece->addr))
			return true;
	return false;
}

/**
 * struct dma_buf_mapcache_key - what decides how a mapping is made
 * @dev: the device
 * @dir: what the device will do
 * @mask: of the device; its driver may change it at any time, and @segment
 * @segment: longest entry of a table that the driver allows, 0 for no limit
 *
 * What else the DMA API limits an entry by decides only how a mapping is made:
 * one that exists has its addresses and stays valid. To ask for it at each map
 * would take long: that may look whether the device reaches all of the memory
 * that the machine has.
 */
struct dma_buf_mapcache_key {
	struct device *dev;
	enum dma_data_direction dir;
	u64 mask;
	unsigned int segment;
};

static inline struct dma_buf_mapcache_key
dma_buf_mapcache_key(struct device *dev, enum dma_data_direction dir)
{
	return (struct dma_buf_mapcache_key) {
		.dev = dev,
		.dir = dir,
		.mask = dma_get_mask(dev),
		.segment = dev->dma_parms ? dev->dma_parms->max_segment_size : 0,
	};
}

static inline bool
dma_buf_mapcache_fits(const struct dma_buf_pages_mapping *mapping,
		      const struct dma_buf_mapcache_key *key)
{
	return mapping->dev == key->dev && mapping->dir == key->dir &&
	       mapping->mask == key->mask && mapping->segment == key->segment;
}

/*
 * Test whether a mapping in use was made for the driver that is bound now. One
 * that an importer has not undone may be left of an earlier one, or of its
 * probe.
 */
static bool
dma_buf_mapcache_is_current(const struct dma_buf_pages_mapping *mapping)
{
	return mapping->record ? !READ_ONCE(mapping->record->dead) :
				 !READ_ONCE(mapping->dev->driver);
}

/* Not what the device may write to and needs syncs, see the top of the file. */
static inline bool
dma_buf_mapcache_is_shareable(const struct dma_buf_pages_mapping *mapping)
{
	return !mapping->pieces || mapping->dir == DMA_TO_DEVICE;
}

/* Test whether a mapping in use may have another user. */
static inline bool
dma_buf_mapcache_may_share(const struct dma_buf_pages_mapping *mapping)
{
	return dma_buf_mapcache_is_shareable(mapping) &&
	       dma_buf_mapcache_is_current(mapping);
}

/*
 * Find a mapping. One that was idle is so no more, and the caller is its first
 * user. Those that cannot be shared are not listed while they are in use: a
 * buffer may have any number of them, and each map would have to pass them all.
 */
static inline struct dma_buf_pages_mapping *
dma_buf_mapcache_find(struct dma_buf_pages *pages,
		      const struct dma_buf_mapcache_key *key)
{
	struct dma_buf_pages_mapping *mapping, *found = NULL;

	/* Others may remove from the list meanwhile, but not add to it. */
	if (hlist_empty(&pages->cached) || !READ_ONCE(dma_buf_mapcache_enabled))
		return NULL;

	spin_lock(&dma_buf_mapcache_lock);
	hlist_for_each_entry(mapping, &pages->cached, sibling) {
		if (dma_buf_mapcache_fits(mapping, key) &&
		    (!mapping->users || dma_buf_mapcache_may_share(mapping))) {
			found = mapping;
			break;
		}
	}
	if (found && !found->users) {
		dma_buf_mapcache_unlist(found);
		if (!dma_buf_mapcache_is_shareable(found))
			hlist_del_init(&found->sibling);
	}
	spin_unlock(&dma_buf_mapcache_lock);
	return found;
}

/* Unmap a mapping that is neither in use nor idle. */
static noinline void
dma_buf_mapcache_forget(struct dma_buf_pages_mapping *mapping)
{
	struct dma_buf_mapcache_device *record = mapping->record;

	scoped_guard(spinlock, &dma_buf_mapcache_lock)
		hlist_del_init(&mapping->sibling);
	dma_buf_pages_destroy_mapping(mapping);
	dma_buf_mapcache_put_record(record);
}

/* Not inlined, so that a map which finds a mapping does not pay for it. */
static noinline struct dma_buf_pages_mapping *
dma_buf_mapcache_make(struct dma_buf_pages *pages, struct device *dev,
		      enum dma_data_direction dir)
{
	const struct dma_buf_mapcache_key key = dma_buf_mapcache_key(dev, dir);
	struct dma_buf_pages_mapping *mapping;

	mapping = dma_buf_pages_map_device(pages, dev, dir);
	/* Idle mappings may have the addresses or bounce buffers. */
	if (IS_ERR(mapping) && dma_buf_mapcache_drop_all())
		mapping = dma_buf_pages_map_device(pages, dev, dir);
	if (IS_ERR(mapping))
		return mapping;

	mapping->mask = key.mask;
	mapping->segment = key.segment;
	mapping->bounces = dma_buf_mapcache_bounces(pages, mapping);
	if (!READ_ONCE(dma_buf_mapcache_enabled) || !dma_buf_mapcache_shrinker)
		return mapping;

	mapping->record = dma_buf_mapcache_get_record(dev) ?:
			  dma_buf_mapcache_make_record(dev);
	if (dma_buf_mapcache_may_share(mapping)) {
		scoped_guard(spinlock, &dma_buf_mapcache_lock)
			hlist_add_head(&mapping->sibling, &pages->cached);
	}
	return mapping;
}

/* Add a user; return the table for it, or ERR_PTR(-ENOMEM). */
static noinline struct dma_buf_pages_mapping *
dma_buf_mapcache_share(struct dma_buf_pages *pages,
		       struct dma_buf_pages_mapping *mapping)
{
	struct dma_buf_pages_mapping *table = mapping;

	if (mapping->lent) {
		table = mapping->spare;
		if (!table)
			table = dma_buf_pages_copy_mapping(pages, mapping);
		if (!table)
			return ERR_PTR(-ENOMEM);
		table->primary = mapping;
		mapping->spare = NULL;
	}
	mapping->lent = true;
	mapping->users++;
	dma_buf_pages_sync_shared(pages, mapping);
	return table;
}

/**
 * dma_buf_mapcache_map - make, reuse or share a mapping for a device
 * @pages: the memory
 * @dev: the device
 * @dir: what the device will do
 * @result: set to where the mapping came from, unless there is an error
 *
 * Context: Process context, with the reservation lock. May sleep.
 * Return: a mapping whose table is the caller's alone, for
 * dma_buf_mapcache_unmap(); ERR_PTR(-ENOMEM) when there is no memory for the
 * table; or what dma_map_sgtable() returned.
 */
struct dma_buf_pages_mapping *
dma_buf_mapcache_map(struct dma_buf_pages *pages, struct device *dev,
		     enum dma_data_direction dir,
		     enum dma_buf_mapcache_result *result)
{
	const struct dma_buf_mapcache_key key = dma_buf_mapcache_key(dev, dir);
	struct dma_buf_pages_mapping *mapping;

	mapping = dma_buf_mapcache_find(pages, &key);
	if (mapping && mapping->users) {
		*result = DMA_BUF_MAPCACHE_SHARED;
		mapping = dma_buf_mapcache_share(pages, mapping);
		if (!IS_ERR(mapping))
			this_cpu_inc(dma_buf_mapcache_events[*result]);
		return mapping;
	}

	/* A new mask has the DMA API forget that the device bounces. */
	if (mapping && mapping->bounces && !dma_dev_need_sync(dev)) {
		dma_buf_mapcache_forget(mapping);
		mapping = NULL;
	}
	if (mapping) {
		*result = DMA_BUF_MAPCACHE_HIT;
		if (mapping->pieces)
			dma_buf_pages_resume_mapping(pages, mapping);
	} else {
		*result = DMA_BUF_MAPCACHE_MISS;
		mapping = dma_buf_mapcache_make(pages, dev, dir);
		if (IS_ERR(mapping))
			return mapping;
	}
	mapping->users = 1;
	mapping->lent = true;
	this_cpu_inc(dma_buf_mapcache_events[*result]);
	return mapping;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_mapcache_map);

/* -- keeping --------------------------------------------------------------- */

/* Test whether a mapping without users may stay, if the bounds allow it. */
static inline bool
dma_buf_mapcache_may_keep(const struct dma_buf_pages_mapping *mapping)
{
	lockdep_assert_held(&dma_buf_mapcache_lock);
	if (!mapping->record || mapping->record->dead ||
	    !mapping->record->may_stay)
		return false;
	return dma_buf_mapcache_enabled &&
	       (dma_buf_mapcache_keep_writable ||
		mapping->mapped == DMA_TO_DEVICE);
}

/* Test whether a mapping alone is over a bound: no other one has to go then. */
static bool
dma_buf_mapcache_is_too_large(const struct dma_buf_pages_mapping *mapping)
{
	size_t mapped = dma_buf_mapcache_mapped(mapping);

	return !dma_buf_mapcache_max_mappings ||
	       mapping->size > dma_buf_mapcache_max_bytes ||
	       mapped > dma_buf_mapcache_max_mapped ||
	       (mapping->bounces && mapped > dma_buf_mapcache_max_bounce);
}

/* Return the least recently used mapping of all; there is one. */
static struct dma_buf_pages_mapping *dma_buf_mapcache_oldest(void)
{
	struct dma_buf_pages_mapping *first, *other;

	lockdep_assert_held(&dma_buf_mapcache_lock);
	first = dma_buf_mapcache_first(&dma_buf_mapcache_lru[false]);
	other = dma_buf_mapcache_first(&dma_buf_mapcache_lru[true]);
	if (!first || (other && other->stamp < first->stamp))
		return other;
	return first;
}

static inline bool dma_buf_mapcache_is_over(void)
{
	lockdep_assert_held(&dma_buf_mapcache_lock);
	return dma_buf_mapcache_idle.count > dma_buf_mapcache_max_mappings ||
	       dma_buf_mapcache_idle.bytes > dma_buf_mapcache_max_bytes ||
	       dma_buf_mapcache_idle.mapped > dma_buf_mapcache_max_mapped ||
	       dma_buf_mapcache_idle.bounced > dma_buf_mapcache_max_bounce;
}

/* Drop what is over the bounds, which may have been lowered. */
static noinline void dma_buf_mapcache_trim(void)
{
	struct list_head *bouncing = &dma_buf_mapcache_lru[true];
	LIST_HEAD(claimed);

	spin_lock(&dma_buf_mapcache_lock);
	while (dma_buf_mapcache_idle.bounced > dma_buf_mapcache_max_bounce)
		dma_buf_mapcache_claim(dma_buf_mapcache_first(bouncing),
				       &claimed);
	while (dma_buf_mapcache_idle.count &&
	       (!dma_buf_mapcache_enabled || dma_buf_mapcache_is_over()))
		dma_buf_mapcache_claim(dma_buf_mapcache_oldest(), &claimed);
	spin_unlock(&dma_buf_mapcache_lock);
	dma_buf_mapcache_drop(&claimed);
}

/* Make a mapping idle; return false when it has to be unmapped. */
static inline bool dma_buf_mapcache_keep(struct dma_buf_pages *pages,
					 struct dma_buf_pages_mapping *mapping)
{
	bool kept, over = false;

	spin_lock(&dma_buf_mapcache_lock);
	kept = dma_buf_mapcache_may_keep(mapping);
	if (kept) {
		dma_buf_mapcache_list(pages, mapping);
		over = dma_buf_mapcache_is_over();
		if (over && dma_buf_mapcache_is_too_large(mapping)) {
			dma_buf_mapcache_unlist(mapping);
			kept = false;
		}
	}
	spin_unlock(&dma_buf_mapcache_lock);

	/* With the cache off all idle mappings go. */
	if (unlikely(over || !kept))
		dma_buf_mapcache_trim();
	return kept;
}

/* End the use of a mapping. */
static inline void dma_buf_mapcache_end(struct dma_buf_pages *pages,
					struct dma_buf_pages_mapping *mapping)
{
	if (mapping->spare) {
		kvfree(mapping->spare);
		mapping->spare = NULL;
	}
	if (mapping->pieces)
		dma_buf_pages_suspend_mapping(pages, mapping);
	if (!dma_buf_mapcache_keep(pages, mapping))
		dma_buf_mapcache_forget(mapping);
}

/**
 * dma_buf_mapcache_unmap - undo one dma_buf_mapcache_map()
 * @pages: the memory
 * @mapping: what was returned then
 *
 * Context: Process context, with the reservation lock. May sleep.
 */
void dma_buf_mapcache_unmap(struct dma_buf_pages *pages,
			    struct dma_buf_pages_mapping *mapping)
{
	struct dma_buf_pages_mapping *primary = mapping->primary ?: mapping;

	dma_buf_pages_restore_table(mapping, primary);
	if (mapping == primary) {
		primary->lent = false;
	} else if (!primary->spare) {
		/* For an importer that maps and unmaps beside another one. */
		primary->spare = mapping;
	} else {
		kvfree(mapping);
	}
	if (!--primary->users)
		dma_buf_mapcache_end(pages, primary);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_mapcache_unmap);

/* -- shrinker -------------------------------------------------------------- */

VISIBLE_IF_KUNIT unsigned long
dma_buf_mapcache_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	/* A guess for reclaim. */
	unsigned long bytes = data_race(dma_buf_mapcache_idle.bytes);

	return DIV_ROUND_UP(bytes, PAGE_SIZE) ?: SHRINK_EMPTY;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_mapcache_count);

VISIBLE_IF_KUNIT unsigned long
dma_buf_mapcache_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	LIST_HEAD(claimed);
	unsigned long bytes;

	/* An IOMMU may have to be resumed for this. */
	if (!(sc->gfp_mask & __GFP_IO))
		return SHRINK_STOP;
	bytes = dma_buf_mapcache_claim_bytes(sc->nr_to_scan << PAGE_SHIFT,
					     &claimed);
	if (!bytes)
		return SHRINK_STOP;
	dma_buf_mapcache_drop(&claimed);
	sc->nr_scanned = DIV_ROUND_UP(bytes, PAGE_SIZE);
	return sc->nr_scanned;
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_mapcache_scan);

/* Count and scan in pages of the memory of tables. */
static int __init dma_buf_mapcache_init(void)
{
	struct shrinker *shrinker = shrinker_alloc(0, "dma-buf-mapcache");

	if (!shrinker)
		return -ENOMEM;

	shrinker->count_objects = dma_buf_mapcache_count;
	shrinker->scan_objects = dma_buf_mapcache_scan;
	shrinker_register(shrinker);
	dma_buf_mapcache_shrinker = shrinker;
	return 0;
}
subsys_initcall(dma_buf_mapcache_init);

/* -- totals ---------------------------------------------------------------- */

static unsigned long dma_buf_mapcache_sum(unsigned int event)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(dma_buf_mapcache_events[event], cpu);
	return sum;
}

/* A name and a number per line; sizes are in bytes. */
static int dma_buf_mapcache_show(struct seq_file *s, void *unused)
{
	struct dma_buf_mapcache_totals idle;

	scoped_guard(spinlock, &dma_buf_mapcache_lock)
		idle = dma_buf_mapcache_idle;
	seq_printf(s, "hits %lu\n", dma_buf_mapcache_sum(DMA_BUF_MAPCACHE_HIT));
	seq_printf(s, "shared %lu\n",
		   dma_buf_mapcache_sum(DMA_BUF_MAPCACHE_SHARED));
	seq_printf(s, "misses %lu\n",
		   dma_buf_mapcache_sum(DMA_BUF_MAPCACHE_MISS));
	seq_printf(s, "drops %lu\n",
		   dma_buf_mapcache_sum(DMA_BUF_MAPCACHE_DROPS));
	seq_printf(s, "idle_mappings %lu\n", idle.count);
	seq_printf(s, "idle_table_bytes %lu\n", idle.bytes);
	seq_printf(s, "idle_mapped_bytes %lu\n", idle.mapped);
	seq_printf(s, "idle_bounce_bytes %lu\n", idle.bounced);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(dma_buf_mapcache);

/**
 * dma_buf_mapcache_debugfs_init - create the file with the totals
 * @dir: the folder of dma-buf
 *
 * Context: Process context, at boot.
 */
void __init dma_buf_mapcache_debugfs_init(struct dentry *dir)
{
	debugfs_create_file("mapcache", 0444, dir, NULL,
			    &dma_buf_mapcache_fops);
}
