/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the edu importer share.
 *
 * Objects: a device has clients (open files), a client has imports (attached
 * buffers, named by handles), an import has at most one current map, and a job
 * (one copy) has up to two ends, each of which keeps an import and its map.
 *
 * Lock order, outermost first:
 *
 *	edu_device.clients_lock
 *	  edu_device.live (read side: in every ioctl)
 *	    edu_client.lock
 *	      reservation locks of one or two buffers
 *	        edu_device.lock (the interrupt takes it, too)
 *
 * No fence is signalled, asked or waited for with edu_device.lock held: it
 * nests in nothing and nothing nests in it but the locks of work queues.
 */
#ifndef _DMABUF_LAB_EDU_H
#define _DMABUF_LAB_EDU_H

#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "edu_uapi.h"

#define EDU_NAME		"dmabuf_edu"

/*
 * The device has 4096 bytes. Some releases of QEMU abort the whole machine
 * when a transfer touches the last one, so the tail stays unused; the rest is
 * a multiple of the cache line.
 */
#define EDU_WINDOW_SIZE		4032

/* A copy has to end some day, and a transfer takes a tenth of a second. */
#define EDU_MAX_LENGTH		(4ULL << 20)

#define EDU_TIMEOUT_MS		30000
#define EDU_TIMEOUT_MAX_MS	60000

struct edu_job;
struct ioctl_call;

/**
 * struct edu_device - one PCI function
 * @kref: held by the bound driver and by each client
 * @pdev: valid while @gone is false
 * @misc: the character device
 * @name: of @misc
 * @id: number in @name
 * @regs: the registers, valid while @gone is false
 * @dma_bits: width of the addresses which the device can drive
 * @live: read in every ioctl, written once to set @gone
 * @gone: the driver was unbound; under @live
 * @clients_lock: guards @clients, and that each is stopped only once
 * @clients: open files
 * @lock: guards what follows, and struct edu_job where it says so
 * @queue: jobs that have not started, oldest first
 * @done: jobs whose fence has signalled and whose memory is to be given back
 * @running: the job which owns the engine, or NULL
 * @window_owner: the client whose bytes are in the window, or NULL
 * @expires: jiffies at which @running is overdue
 * @dead: the engine did not come back from a time-out
 * @engine_wq: runs @kick and @overdue, one at a time. Fences depend on it, so
 *	nothing that may wait for a reservation lock is ever queued there
 * @kick: starts the next job that is ready
 * @overdue: ends the running job when it has taken too long
 * @reap_wq: runs @reap
 * @reap: gives back what the jobs in @done hold
 * @idle: woken when a job ends or is freed
 */
struct edu_device {
	struct kref kref;
	struct pci_dev *pdev;
	struct miscdevice misc;
	char name[24];
	int id;
	void __iomem *regs;
	unsigned int dma_bits;

	struct rw_semaphore live;
	bool gone;

	struct mutex clients_lock;	/* outermost */
	struct list_head clients;

	spinlock_t lock;		/* innermost, also in interrupts */
	struct list_head queue;
	struct list_head done;
	struct edu_job *running;
	struct edu_client *window_owner;
	unsigned long expires;
	bool dead;

	struct workqueue_struct *engine_wq;
	struct work_struct kick;
	struct delayed_work overdue;
	struct workqueue_struct *reap_wq;
	struct work_struct reap;
	wait_queue_head_t idle;
};

/**
 * struct edu_client - one open file, and one timeline
 * @edu: the device, referenced
 * @link: in edu_device.clients
 * @lock: guards @imports, @seqno and @last
 * @imports: struct edu_import by handle
 * @context: fence context
 * @seqno: number of the latest fence
 * @last: fence of the latest job, or NULL
 * @jobs: jobs that are not freed; under edu_device.lock
 */
struct edu_client {
	struct edu_device *edu;
	struct list_head link;
	struct mutex lock;	/* inside of edu_device.live */
	struct xarray imports;
	u64 context;
	u64 seqno;
	struct dma_fence *last;
	unsigned int jobs;
};

/**
 * struct edu_map - the addresses of a buffer, as the device sees them
 * @sgt: from dma_buf_map_attachment()
 * @users: the import while this is current, and each job; under the
 *	reservation lock
 */
struct edu_map {
	struct sg_table *sgt;
	unsigned int users;
};

/**
 * struct edu_import - a buffer attached to the device
 * @kref: held by the handle and by each job
 * @dmabuf: the buffer, referenced
 * @attach: the attachment
 * @dir: %DMA_TO_DEVICE if the descriptor was read-only
 * @map: current map, or NULL when the buffer has moved; under the
 *	reservation lock
 */
struct edu_import {
	struct kref kref;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	enum dma_data_direction dir;
	struct edu_map *map;
};

/**
 * struct edu_end - where a job reads from or writes to
 * @import: the buffer, or NULL for the window
 * @map: addresses of @import, kept in use by the job
 * @sg: segment in which the next byte lies
 * @pos: offset of the next byte, in @sg or in the window
 */
struct edu_end {
	struct edu_import *import;
	struct edu_map *map;
	struct scatterlist *sg;
	u64 pos;
};

/**
 * enum edu_phase - what the engine does for a job; under edu_device.lock
 * @EDU_IDLE: nothing yet
 * @EDU_LOAD: a transfer from memory into the window is under way
 * @EDU_STORE: a transfer from the window into memory is under way
 * @EDU_OVER: the context that set this ends the job, and no other does
 */
enum edu_phase {
	EDU_IDLE,
	EDU_LOAD,
	EDU_STORE,
	EDU_OVER,
};

/**
 * struct edu_dep - a fence that a job waits for
 * @cb: called when it signals
 * @fence: referenced
 * @job: the job that waits
 * @inherit: the error of @fence becomes that of the job
 */
struct edu_dep {
	struct dma_fence_cb cb;
	struct dma_fence *fence;
	struct edu_job *job;
	bool inherit;
};

/* Previous job of the client, IN fence, users of the source, of the target. */
#define EDU_MAX_DEPS		4

/**
 * struct edu_job - one copy, from the ioctl to the reaper
 * @edu: the device
 * @client: the client that asked for it; outlives the job
 * @link: in edu_device.queue, edu_device.done or a local list
 * @fence: signals when the job is over, referenced
 * @src: where bytes come from
 * @dst: where they go
 * @left: bytes still to move
 * @step: bytes of the transfer under way
 * @timeout: jiffies that one transfer may take
 * @phase: what the engine does for it
 * @cancelled: end with this errno after the transfer under way, or 0; under
 *	edu_device.lock
 * @error: why the job must not run, 0 or a negative errno
 * @pending: fences that have not signalled, and one while it is being queued
 * @ndeps: valid members of @deps
 * @deps: what it waits for
 */
struct edu_job {
	struct edu_device *edu;
	struct edu_client *client;
	struct list_head link;
	struct dma_fence *fence;
	struct edu_end src;
	struct edu_end dst;
	u64 left;
	u32 step;
	unsigned long timeout;
	enum edu_phase phase;
	int cancelled;
	int error;
	atomic_t pending;
	unsigned int ndeps;
	struct edu_dep deps[EDU_MAX_DEPS];
};

extern const struct file_operations edu_fops;

void edu_device_put(struct edu_device *edu);

void edu_client_stop(struct edu_client *client, int error);

struct edu_import *edu_import_create(struct edu_device *edu, int fd, u32 flags);
void edu_import_put(struct edu_import *import);
unsigned int edu_import_segments(struct edu_import *import);
struct edu_map *edu_map_get_locked(struct edu_import *import);
void edu_map_put_locked(struct edu_import *import, struct edu_map *map);
void edu_end_seek(struct edu_end *end, u64 pos);
dma_addr_t edu_end_addr(const struct edu_end *end);
u64 edu_end_room(const struct edu_end *end);
void edu_end_advance(struct edu_end *end, u32 bytes);

int edu_job_copy(struct edu_client *client, struct ioctl_call *call,
		 struct dmabuf_edu_copy *copy);
void edu_job_end(struct edu_job *job, int error);
void edu_reap_work(struct work_struct *work);

int edu_engine_probe(struct edu_device *edu);
irqreturn_t edu_engine_irq(int irq, void *data);
void edu_kick_work(struct work_struct *work);
void edu_overdue_work(struct work_struct *work);

#endif /* _DMABUF_LAB_EDU_H */
