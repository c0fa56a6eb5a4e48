// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DMA engine of the edu device: one transfer at a time, through a window
 * of device memory.
 *
 * Owns: the registers, edu_device.running, and the phase of the running job.
 * Locks: edu_device.lock; the interrupt takes it too.
 * May call: edu_job_end() of edu_job.c, the walk of edu_import.c.
 * Never here: reservation locks and allocations. Everything in this file is
 * on the way to a dma_fence_signal().
 * Units: bytes; time-outs in jiffies.
 *
 * Memory to memory takes two transfers per piece, memory to window and window
 * to memory, and the interrupt of each starts the next one. The last interrupt
 * signals the fence. Each transfer has a time-out of its own. When that
 * strikes, mastering the bus is forbidden to the device first, so that it can
 * reach no memory, whatever it does; only then is the fence signalled.
 */
#include <linux/bitfield.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/iopoll.h>

#include "edu.h"

#define EDU_REG_ID		0x00
#define  EDU_ID_TYPE		GENMASK(15, 0)
#define  EDU_ID_TYPE_EDU	0x00ed
#define EDU_REG_ALIVE		0x04
#define EDU_REG_IRQ_STATUS	0x24
#define  EDU_IRQ_DMA		BIT(8)
#define EDU_REG_IRQ_ACK		0x64
#define EDU_REG_DMA_SRC		0x80
#define EDU_REG_DMA_DST		0x88
#define EDU_REG_DMA_COUNT	0x90
#define EDU_REG_DMA_CMD		0x98
#define  EDU_DMA_RUN		BIT(0)
#define  EDU_DMA_TO_MEMORY	BIT(1)
#define  EDU_DMA_IRQ		BIT(2)

/* Where the window lies in the addresses that the engine sees. */
#define EDU_WINDOW_BASE		0x40000

/* How long a stuck transfer is given to end when it can do no harm any more. */
#define EDU_SETTLE_US		(10 * USEC_PER_SEC)

static bool edu_engine_busy(struct edu_device *edu)
{
	return readl(edu->regs + EDU_REG_DMA_CMD) & EDU_DMA_RUN;
}

static void edu_engine_ack(struct edu_device *edu, u32 status)
{
	writel(status, edu->regs + EDU_REG_IRQ_ACK);
}

static u32 edu_window_addr(const struct edu_end *end)
{
	return EDU_WINDOW_BASE + (end->import ? 0 : end->pos);
}

/* From the phase of the job, one transfer. */
static void edu_transfer_start(struct edu_device *edu, struct edu_job *job)
{
	u32 cmd = EDU_DMA_RUN | EDU_DMA_IRQ;
	u32 from, to;

	lockdep_assert_held(&edu->lock);

	if (job->phase == EDU_LOAD) {
		job->step = min3(job->left, edu_end_room(&job->src),
				 edu_end_room(&job->dst));
		from = edu_end_addr(&job->src);
		to = edu_window_addr(&job->dst);
	} else {
		/* What was loaded goes out whole; else take what fits. */
		if (!job->src.import)
			job->step = min3(job->left, edu_end_room(&job->src),
					 edu_end_room(&job->dst));
		from = edu_window_addr(&job->src);
		to = edu_end_addr(&job->dst);
		cmd |= EDU_DMA_TO_MEMORY;
	}

	writel(from, edu->regs + EDU_REG_DMA_SRC);
	writel(to, edu->regs + EDU_REG_DMA_DST);
	writel(job->step, edu->regs + EDU_REG_DMA_COUNT);

	edu->expires = jiffies + job->timeout;
	mod_delayed_work(edu->engine_wq, &edu->overdue, job->timeout);
	writel(cmd, edu->regs + EDU_REG_DMA_CMD);
}

/* A transfer is done: false if the job is, too. */
static bool edu_job_step(struct edu_job *job)
{
	if (job->phase == EDU_LOAD && job->dst.import) {
		job->phase = EDU_STORE;
		return true;
	}

	edu_end_advance(&job->src, job->step);
	edu_end_advance(&job->dst, job->step);
	job->left -= job->step;

	job->phase = job->src.import ? EDU_LOAD : EDU_STORE;
	return job->left;
}

/**
 * edu_engine_irq - a transfer has ended
 * @irq: number of the interrupt
 * @data: the device
 *
 * Context: Hard interrupt.
 *
 * Return: %IRQ_NONE if another device on the line has called.
 */
irqreturn_t edu_engine_irq(int irq, void *data)
{
	struct edu_device *edu = data;
	struct edu_job *job;
	bool more;
	int error = 0;
	u32 status;

	status = readl(edu->regs + EDU_REG_IRQ_STATUS);
	if (!status || status == U32_MAX)
		return IRQ_NONE;
	edu_engine_ack(edu, status);

	if (!(status & EDU_IRQ_DMA))
		return IRQ_HANDLED;

	scoped_guard(spinlock_irqsave, &edu->lock) {
		job = edu->running;
		/* The late answer to a transfer that was given up. */
		if (!job || job->phase == EDU_OVER || edu_engine_busy(edu))
			return IRQ_HANDLED;

		more = edu_job_step(job);
		if (more && !job->cancelled) {
			edu_transfer_start(edu, job);
			return IRQ_HANDLED;
		}

		job->phase = EDU_OVER;
		if (more)
			error = job->cancelled;
	}

	edu_job_end(job, error);
	return IRQ_HANDLED;
}

/* Make it impossible for the engine to reach memory, then make it usable. */
static void edu_engine_recover(struct edu_device *edu)
{
	bool busy;
	int ret;

	pci_clear_master(edu->pdev);

	ret = read_poll_timeout(edu_engine_busy, busy, !busy, USEC_PER_MSEC,
				EDU_SETTLE_US, false, edu);
	if (ret) {
		pci_err(edu->pdev, "engine is stuck, no copies any more\n");
		WRITE_ONCE(edu->dead, true);
		return;
	}

	edu_engine_ack(edu, EDU_IRQ_DMA);
	pci_set_master(edu->pdev);
}

/**
 * edu_overdue_work - a transfer has taken too long
 * @work: edu_device.overdue
 *
 * Context: Worker of edu_device.engine_wq, may sleep; signals a fence.
 */
void edu_overdue_work(struct work_struct *work)
{
	struct edu_device *edu = container_of(to_delayed_work(work),
					      struct edu_device, overdue);
	struct edu_job *job;
	bool cookie;

	scoped_guard(spinlock_irq, &edu->lock) {
		job = edu->running;
		/* Each transfer puts the work off, so a later run will come. */
		if (!job || job->phase == EDU_OVER || job->phase == EDU_IDLE ||
		    time_before(jiffies, edu->expires))
			return;
		job->phase = EDU_OVER;
		edu->window_owner = NULL;
	}

	cookie = dma_fence_begin_signalling();
	edu_engine_recover(edu);
	edu_job_end(job, -ETIMEDOUT);
	dma_fence_end_signalling(cookie);
}

/* The oldest job that waits for nothing becomes the running one. */
static struct edu_job *edu_job_pick(struct edu_device *edu)
{
	struct edu_job *job;

	lockdep_assert_held(&edu->lock);

	if (edu->running)
		return NULL;

	list_for_each_entry(job, &edu->queue, link) {
		if (atomic_read(&job->pending))
			continue;
		list_del_init(&job->link);
		edu->running = job;
		return job;
	}

	return NULL;
}

/* Why the job must not run, decided when it is its turn. */
static int edu_job_admit(struct edu_device *edu, struct edu_job *job)
{
	int error = READ_ONCE(job->error);

	lockdep_assert_held(&edu->lock);

	if (error)
		return error;
	if (edu->dead)
		return -EIO;
	if (!job->src.import && edu->window_owner != job->client)
		return -ESTALE;

	return 0;
}

/* Make the engine work for a job which it has been given. */
static void edu_job_start(struct edu_device *edu, struct edu_job *job)
{
	lockdep_assert_held(&edu->lock);

	/* A copy through the window leaves nothing to read there. */
	if (job->src.import)
		edu->window_owner = job->dst.import ? NULL : job->client;
	job->phase = job->src.import ? EDU_LOAD : EDU_STORE;
	edu_transfer_start(edu, job);
}

/* Start the next job; one that must not run is returned, to be ended. */
static struct edu_job *edu_job_start_next(struct edu_device *edu, int *error)
{
	struct edu_job *job;

	spin_lock_irq(&edu->lock);
	job = edu_job_pick(edu);
	if (job) {
		*error = edu_job_admit(edu, job);
		if (*error) {
			job->phase = EDU_OVER;
		} else {
			edu_job_start(edu, job);
			job = NULL;
		}
	}
	spin_unlock_irq(&edu->lock);

	return job;
}

/**
 * edu_kick_work - start a job if the engine is free
 * @work: edu_device.kick
 *
 * Context: Worker of edu_device.engine_wq; may signal fences.
 */
void edu_kick_work(struct work_struct *work)
{
	struct edu_device *edu = container_of(work, struct edu_device, kick);
	bool cookie = dma_fence_begin_signalling();
	struct edu_job *job;
	int error;

	while ((job = edu_job_start_next(edu, &error)))
		edu_job_end(job, error);

	dma_fence_end_signalling(cookie);
}

/**
 * edu_engine_probe - check that the device is an edu device that works
 * @edu: the device, with its registers mapped
 *
 * Context: May sleep.
 *
 * Return: 0, -ENODEV if it is another device, -EIO if it does not answer or
 * its engine runs already.
 */
int edu_engine_probe(struct edu_device *edu)
{
	const u32 probe = 0x5aa5c33c;
	u32 id = readl(edu->regs + EDU_REG_ID);

	if (FIELD_GET(EDU_ID_TYPE, id) != EDU_ID_TYPE_EDU)
		return -ENODEV;

	/* It answers with the complement. */
	writel(probe, edu->regs + EDU_REG_ALIVE);
	if (readl(edu->regs + EDU_REG_ALIVE) != ~probe || edu_engine_busy(edu))
		return -EIO;

	edu_engine_ack(edu, readl(edu->regs + EDU_REG_IRQ_STATUS));
	return 0;
}
