/* SPDX-License-Identifier: GPL-2.0-only */
/* The smallest exporter of pages */
#ifndef _DMABUF_LAB_SAMPLE_H
#define _DMABUF_LAB_SAMPLE_H

struct dma_buf;

struct dma_buf *dmabuf_lab_sample_create(unsigned long nr_pages);

#endif /* _DMABUF_LAB_SAMPLE_H */
