// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dma-buf importer for QEMU's educational PCI device: bound, and unbound
 * while it is in use.
 *
 * Owns: struct edu_device from probe to the last reference, its interrupt, its
 * work queues, its name.
 * Locks: edu_device.live is written when the device goes; then
 * edu_device.clients_lock to stop every client.
 * May call: the other edu_*.c, through edu.h.
 * Never here: buffers, jobs, fences.
 * Units: none.
 *
 * Going away is the point of this driver, so it has an order. First it can no
 * longer be opened; then no command gets in and those inside have left; then
 * each client's jobs end and its attachments are dropped, while interrupts and work
 * queues still run; then those end; memory that open files still name goes
 * with the last of them.
 */
#include <linux/idr.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "edu.h"

#define EDU_PCI_VENDOR		0x1234
#define EDU_PCI_DEVICE		0x11e8
#define EDU_BAR			0

#define EDU_DMA_BITS_MAX	32

static unsigned int dma_bits = 28;
module_param(dma_bits, uint, 0444);
MODULE_PARM_DESC(dma_bits, "Width of the addresses that the device drives, as set by its dma_mask property (default 28, at most 32)");

static DEFINE_IDA(edu_ids);

static void edu_device_release(struct kref *kref)
{
	struct edu_device *edu = container_of(kref, struct edu_device, kref);

	ida_free(&edu_ids, edu->id);
	mutex_destroy(&edu->clients_lock);
	kfree(edu);
}

/**
 * edu_device_put - one reference to a device less
 * @edu: the device
 *
 * Context: May sleep.
 */
void edu_device_put(struct edu_device *edu)
{
	kref_put(&edu->kref, edu_device_release);
}

static struct edu_device *edu_device_create(struct pci_dev *pdev)
{
	struct edu_device *edu = kzalloc(sizeof(*edu), GFP_KERNEL);

	if (!edu)
		return NULL;

	edu->id = ida_alloc(&edu_ids, GFP_KERNEL);
	if (edu->id < 0) {
		kfree(edu);
		return NULL;
	}

	kref_init(&edu->kref);
	edu->pdev = pdev;
	snprintf(edu->name, sizeof(edu->name), EDU_NAME "%d", edu->id);
	edu->misc.minor = MISC_DYNAMIC_MINOR;
	edu->misc.name = edu->name;
	edu->misc.fops = &edu_fops;
	edu->misc.parent = &pdev->dev;
	edu->dma_bits = dma_bits;
	init_rwsem(&edu->live);
	mutex_init(&edu->clients_lock);
	INIT_LIST_HEAD(&edu->clients);
	spin_lock_init(&edu->lock);
	INIT_LIST_HEAD(&edu->queue);
	INIT_LIST_HEAD(&edu->done);
	INIT_WORK(&edu->kick, edu_kick_work);
	INIT_DELAYED_WORK(&edu->overdue, edu_overdue_work);
	INIT_WORK(&edu->reap, edu_reap_work);
	init_waitqueue_head(&edu->idle);
	return edu;
}

static int edu_start_queues(struct edu_device *edu)
{
	edu->engine_wq = alloc_ordered_workqueue("%s", WQ_MEM_RECLAIM |
						 WQ_HIGHPRI, edu->name);
	if (!edu->engine_wq)
		return -ENOMEM;

	edu->reap_wq = alloc_ordered_workqueue("%s_reap", 0, edu->name);
	if (!edu->reap_wq) {
		destroy_workqueue(edu->engine_wq);
		return -ENOMEM;
	}

	return 0;
}

/* No job is left; what is queued now finds nothing to do. */
static void edu_stop_queues(struct edu_device *edu)
{
	cancel_delayed_work_sync(&edu->overdue);
	destroy_workqueue(edu->engine_wq);
	destroy_workqueue(edu->reap_wq);
}

/* Memory, registers and addresses; undone by the core when we are unbound. */
static int edu_setup_pci(struct edu_device *edu)
{
	struct pci_dev *pdev = edu->pdev;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;

	ret = pcim_iomap_regions(pdev, BIT(EDU_BAR), edu->name);
	if (ret)
		return ret;
	edu->regs = pcim_iomap_table(pdev)[EDU_BAR];

	ret = dma_set_mask_and_coherent(&pdev->dev,
					DMA_BIT_MASK(edu->dma_bits));
	if (ret)
		return ret;
	/* A transfer is cut by the window anyway. */
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);

	return edu_engine_probe(edu);
}

static int edu_setup_irq(struct edu_device *edu)
{
	struct pci_dev *pdev = edu->pdev;
	int ret;

	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI | PCI_IRQ_INTX);
	if (ret < 0)
		return ret;

	ret = request_irq(pci_irq_vector(pdev, 0), edu_engine_irq, IRQF_SHARED,
			  edu->name, edu);
	if (ret)
		pci_free_irq_vectors(pdev);

	return ret;
}

static void edu_teardown_irq(struct edu_device *edu)
{
	free_irq(pci_irq_vector(edu->pdev, 0), edu);
	pci_free_irq_vectors(edu->pdev);
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu_device *edu = edu_device_create(pdev);
	int ret;

	if (!edu)
		return -ENOMEM;

	ret = edu_setup_pci(edu);
	if (ret)
		goto err_put;

	ret = edu_start_queues(edu);
	if (ret)
		goto err_put;

	ret = edu_setup_irq(edu);
	if (ret)
		goto err_stop_queues;

	pci_set_master(pdev);
	pci_set_drvdata(pdev, edu);

	ret = misc_register(&edu->misc);
	if (ret)
		goto err_teardown_irq;

	return 0;

err_teardown_irq:
	pci_clear_master(pdev);
	edu_teardown_irq(edu);
err_stop_queues:
	edu_stop_queues(edu);
err_put:
	edu_device_put(edu);
	return ret;
}

static void edu_remove(struct pci_dev *pdev)
{
	struct edu_device *edu = pci_get_drvdata(pdev);
	struct edu_client *client;

	misc_deregister(&edu->misc);

	scoped_guard(rwsem_write, &edu->live)
		edu->gone = true;

	scoped_guard(mutex, &edu->clients_lock)
		list_for_each_entry(client, &edu->clients, link)
			edu_client_stop(client, -ENODEV);

	pci_clear_master(pdev);
	edu_teardown_irq(edu);
	edu_stop_queues(edu);
	edu_device_put(edu);
}

static const struct pci_device_id edu_pci_ids[] = {
	{ PCI_DEVICE(EDU_PCI_VENDOR, EDU_PCI_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, edu_pci_ids);

static struct pci_driver edu_driver = {
	.name = EDU_NAME,
	.id_table = edu_pci_ids,
	.probe = edu_probe,
	.remove = edu_remove,
};

static int __init edu_init(void)
{
	if (!dma_bits || dma_bits > EDU_DMA_BITS_MAX)
		return -EINVAL;

	return pci_register_driver(&edu_driver);
}

static void __exit edu_exit(void)
{
	pci_unregister_driver(&edu_driver);
	/* The last fences are freed by functions of this module. */
	rcu_barrier();
	ida_destroy(&edu_ids);
}

module_init(edu_init);
module_exit(edu_exit);

MODULE_DESCRIPTION("dma-buf importer for QEMU's educational device");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
