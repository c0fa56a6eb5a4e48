/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What dmabuf_iter.bpf.c uses of the kernel. Of a structure only the fields
 * that are read are declared; the loader finds out where the running kernel has
 * them.
 */
#ifndef DMABUF_ITER_KERNEL_H
#define DMABUF_ITER_KERNEL_H

#define __relocated	__attribute__((preserve_access_index))

struct seq_file;

struct inode {
	unsigned long i_ino;
} __relocated;

struct file {
	struct inode *f_inode;
} __relocated;

struct dma_buf {
	unsigned long size;
	struct file *file;
	const char *exp_name;
	const char *name;
} __relocated;

struct bpf_iter_meta {
	struct seq_file *seq;
} __relocated;

struct bpf_iter__dmabuf {
	struct bpf_iter_meta *meta;
	struct dma_buf *dmabuf;
} __relocated;

struct bpf_iter_dmabuf {
	__u64 __opaque;
};

int bpf_iter_dmabuf_new(struct bpf_iter_dmabuf *it) __ksym;
struct dma_buf *bpf_iter_dmabuf_next(struct bpf_iter_dmabuf *it) __ksym;
void bpf_iter_dmabuf_destroy(struct bpf_iter_dmabuf *it) __ksym;

#endif
