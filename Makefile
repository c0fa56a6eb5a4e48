# SPDX-License-Identifier: GPL-2.0-only
# Bottom layer first: a file may call those above it here, and none below.

# Every layer: the answer to a caller's mistake.
ifdef CONFIG_KUNIT
obj-y				+= dma-buf-misuse.o
endif

# Layer 0: fences
obj-$(CONFIG_LOCKDEP)		+= dma-fence-lockdep.o
obj-y				+= dma-fence.o
obj-y				+= dma-fence-wait.o
obj-y				+= dma-fence-deadline.o
obj-y				+= dma-fence-stub.o
obj-y				+= dma-fence-array.o
obj-y				+= dma-fence-chain.o
obj-y				+= dma-fence-unwrap.o

# Layer 1: containers of fences
obj-y				+= dma-resv.o
obj-y				+= dma-resv-query.o
obj-$(CONFIG_LOCKDEP)		+= dma-resv-lockdep.o
obj-$(CONFIG_SW_SYNC)		+= sync_file_list.o
obj-$(CONFIG_SYNC_FILE)		+= sync_file.o
obj-$(CONFIG_SW_SYNC)		+= sw_sync.o
obj-$(CONFIG_SW_SYNC)		+= sync_debug.o

# Layer 2: page-backed memory, which knows no buffer
ifdef CONFIG_DMA_API_DEBUG
obj-$(CONFIG_DMABUF_PAGES)	+= dma-buf-pages-debug.o
endif
obj-$(CONFIG_DMABUF_PAGES)	+= dma-buf-pages.o
obj-$(CONFIG_DMABUF_PAGES)	+= dma-buf-mapcache.o

# Layer 3: the buffer
obj-y				+= dma-buf-inode.o
obj-y				+= dma-buf-name.o
obj-y				+= dma-buf-wait.o
obj-y				+= dma-buf-poll.o
obj-$(CONFIG_DMABUF_LIST)	+= dma-buf-list.o
obj-$(CONFIG_DEBUG_FS)		+= dma-buf-debugfs.o
obj-$(CONFIG_DMABUF_SYSFS_STATS) += dma-buf-stats.o
obj-y				+= dma-buf.o
obj-$(CONFIG_DMABUF_DEBUG)	+= dma-buf-pageless.o
obj-y				+= dma-buf-attach.o
obj-y				+= dma-buf-batch.o
obj-y				+= dma-buf-cpu.o
obj-y				+= dma-buf-cpu-batch.o
obj-y				+= dma-buf-rw.o
obj-$(CONFIG_DMABUF_TRANSFER_FENCE) += dma-buf-transfer-fence.o
obj-$(CONFIG_DMABUF_PAGES)	+= dma-buf-transfer.o
obj-$(CONFIG_SYNC_FILE)		+= dma-buf-sync-file.o
obj-$(CONFIG_IO_URING)		+= dma-buf-uring.o
obj-$(CONFIG_DMABUF_BPF)	+= dma-buf-bpf.o
obj-y				+= dma-buf-revoke.o
obj-y				+= dma-buf-file.o

# Layer 4: exporters for user space, and what they have in common
obj-$(CONFIG_DMABUF_PAGES)	+= dma-buf-pages-ops.o
obj-$(CONFIG_DMABUF_HEAPS)	+= dma-heap-sysfs.o
obj-$(CONFIG_DMABUF_HEAPS)	+= dma-heap.o
obj-$(CONFIG_UDMABUF)		+= udmabuf-folios.o
obj-$(CONFIG_UDMABUF)		+= udmabuf.o

# Layer 5: memory of heaps
obj-$(CONFIG_DMABUF_HEAPS)	+= heaps/

obj-y				+= tests/
