// SPDX-License-Identifier: GPL-2.0-only
/*
 * The BPF programs of dmabuf_iter_test.c: all buffers as text, and all buffers
 * in a map.
 */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "dmabuf_iter.h"
#include "dmabuf_iter_kernel.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DMABUF_ITER_MAX);
	__type(key, __u64);
	__type(value, struct dmabuf_iter_record);
} records SEC(".maps");

char _license[] SEC("license") = "GPL";

/* A line per buffer; the name, which may have blanks, is last. */
static __always_inline int print(struct bpf_iter__dmabuf *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct dma_buf *dmabuf = ctx->dmabuf;

	if (!dmabuf) {
		BPF_SEQ_PRINTF(seq, "end\n");
		return 0;
	}
	BPF_SEQ_PRINTF(seq, "%lu %lu %s %s\n", dmabuf->file->f_inode->i_ino,
		       dmabuf->size, dmabuf->exp_name, dmabuf->name);
	return 0;
}

SEC("iter/dmabuf")
int text(struct bpf_iter__dmabuf *ctx)
{
	return print(ctx);
}

/* A program that may sleep. */
SEC("iter.s/dmabuf")
int sleepable_text(struct bpf_iter__dmabuf *ctx)
{
	return print(ctx);
}

SEC("syscall")
int loop(struct dmabuf_iter_args *args)
{
	struct dmabuf_iter_record record;
	struct bpf_iter_dmabuf it;
	struct dma_buf *dmabuf;
	__u64 ino;

	bpf_iter_dmabuf_new(&it);
	while ((dmabuf = bpf_iter_dmabuf_next(&it))) {
		__builtin_memset(&record, 0, sizeof(record));
		ino = dmabuf->file->f_inode->i_ino;
		record.size = dmabuf->size;
		bpf_probe_read_kernel_str(record.exporter,
					  sizeof(record.exporter),
					  dmabuf->exp_name);
		bpf_probe_read_kernel_str(record.name, sizeof(record.name),
					  dmabuf->name);
		if (bpf_map_update_elem(&records, &ino, &record, BPF_NOEXIST))
			args->rejected++;
		args->count++;
	}
	/* A loop that is over does not begin again. */
	if (bpf_iter_dmabuf_next(&it))
		args->again++;
	bpf_iter_dmabuf_destroy(&it);
	return 0;
}

/* Leave in the middle, with a buffer. */
SEC("syscall")
int first(struct dmabuf_iter_args *args)
{
	struct bpf_iter_dmabuf it;

	bpf_iter_dmabuf_new(&it);
	if (bpf_iter_dmabuf_next(&it))
		args->count++;
	bpf_iter_dmabuf_destroy(&it);
	return 0;
}
