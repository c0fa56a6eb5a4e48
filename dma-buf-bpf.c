// SPDX-License-Identifier: GPL-2.0-only
/*
 * All buffers, for BPF programs.
 *
 * There are two ways to iterate. A program of the type "iter/dmabuf" is called
 * for each buffer while a file is read, and what it prints is what the file
 * contains. Any other program that may sleep can have a loop of its own, with
 * the functions bpf_iter_dmabuf_*().
 *
 * The names, the context of a program and the layout of the loop's state are
 * those of later kernels, as programs are compiled against them.
 *
 * While a program looks at a buffer, the iterator holds a reference to it, and
 * no lock. A file that has been read in part keeps that reference until it is
 * read on or closed.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/build_bug.h>
#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/seq_file.h>

/**
 * struct dma_buf_bpf_seq - how far a file has been read
 * @dmabuf: the buffer that the program sees next, with a reference; NULL at the
 *	end
 * @begun: @dmabuf has been set
 *
 * The lock of the &struct seq_file protects it.
 */
struct dma_buf_bpf_seq {
	struct dma_buf *dmabuf;
	bool begun;
};

/*
 * Each read() starts anew, at the buffer whose record did not fit into the one
 * before.
 */
static void *dma_buf_bpf_seq_start(struct seq_file *s, loff_t *pos)
{
	struct dma_buf_bpf_seq *state = s->private;

	if (!state->begun) {
		state->dmabuf = dma_buf_iter_begin();
		state->begun = true;
	}
	return state->dmabuf;
}

static void *dma_buf_bpf_seq_next(struct seq_file *s, void *v, loff_t *pos)
{
	struct dma_buf_bpf_seq *state = s->private;

	++*pos;
	state->dmabuf = dma_buf_iter_next(state->dmabuf);
	return state->dmabuf;
}

/* What a program gets. */
struct bpf_iter__dmabuf {
	__bpf_md_ptr(struct bpf_iter_meta *, meta);
	__bpf_md_ptr(struct dma_buf *, dmabuf);
};

DEFINE_BPF_ITER_FUNC(dmabuf, struct bpf_iter_meta *meta, struct dma_buf *dmabuf)

static int dma_buf_bpf_seq_run(struct seq_file *s, struct dma_buf *dmabuf)
{
	struct bpf_iter_meta meta = { .seq = s };
	struct bpf_iter__dmabuf ctx = { .meta = &meta, .dmabuf = dmabuf };
	struct bpf_prog *prog = bpf_iter_get_info(&meta, !dmabuf);

	return prog ? bpf_iter_run_prog(prog, &ctx) : 0;
}

static int dma_buf_bpf_seq_show(struct seq_file *s, void *v)
{
	return dma_buf_bpf_seq_run(s, v);
}

/* The program runs once more at the end, without a buffer. */
static void dma_buf_bpf_seq_stop(struct seq_file *s, void *v)
{
	if (!v)
		dma_buf_bpf_seq_run(s, NULL);
}

static const struct seq_operations dma_buf_bpf_seq_ops = {
	.start	= dma_buf_bpf_seq_start,
	.next	= dma_buf_bpf_seq_next,
	.stop	= dma_buf_bpf_seq_stop,
	.show	= dma_buf_bpf_seq_show,
};

static int dma_buf_bpf_seq_init(void *private, struct bpf_iter_aux_info *aux)
{
	struct dma_buf_bpf_seq *state = private;

	*state = (struct dma_buf_bpf_seq){ };
	return 0;
}

static void dma_buf_bpf_seq_fini(void *private)
{
	struct dma_buf_bpf_seq *state = private;

	if (state->dmabuf)
		dma_buf_put(state->dmabuf);
}

static const struct bpf_iter_seq_info dma_buf_bpf_seq_info = {
	.seq_ops		= &dma_buf_bpf_seq_ops,
	.init_seq_private	= dma_buf_bpf_seq_init,
	.fini_seq_private	= dma_buf_bpf_seq_fini,
	.seq_priv_size		= sizeof(struct dma_buf_bpf_seq),
};

static struct bpf_iter_reg dma_buf_bpf_target = {
	.target			= "dmabuf",
	.feature		= BPF_ITER_RESCHED,
	.ctx_arg_info_size	= 1,
	.ctx_arg_info		= {
		{ offsetof(struct bpf_iter__dmabuf, dmabuf),
		  PTR_TO_BTF_ID_OR_NULL | PTR_TRUSTED },
	},
	.seq_info		= &dma_buf_bpf_seq_info,
};

/* State of a loop on the stack of a program, which sees no more than this. */
struct bpf_iter_dmabuf {
	u64 __opaque[1];
} __aligned(8);

/**
 * struct dma_buf_bpf_loop - what is in a &struct bpf_iter_dmabuf
 * @dmabuf: the buffer that the loop has reached, with a reference; NULL before
 *	the first one, an error pointer at the end, from where it must not begin
 *	again
 */
struct dma_buf_bpf_loop {
	struct dma_buf *dmabuf;
};

static_assert(sizeof(struct dma_buf_bpf_loop) <=
	      sizeof(struct bpf_iter_dmabuf));
static_assert(__alignof__(struct dma_buf_bpf_loop) <=
	      __alignof__(struct bpf_iter_dmabuf));

__bpf_kfunc_start_defs();

/**
 * bpf_iter_dmabuf_new - prepare a loop over all buffers
 * @it: its state
 *
 * Context: Process context, without a reservation lock.
 * Return: 0.
 */
__bpf_kfunc int bpf_iter_dmabuf_new(struct bpf_iter_dmabuf *it)
{
	struct dma_buf_bpf_loop *loop = (void *)it;

	loop->dmabuf = NULL;
	return 0;
}

/**
 * bpf_iter_dmabuf_next - go on to the next buffer
 * @it: the state of the loop
 *
 * Context: Process context, without a reservation lock. May sleep.
 * Return: the buffer, valid until the next call; NULL at the end.
 */
__bpf_kfunc struct dma_buf *bpf_iter_dmabuf_next(struct bpf_iter_dmabuf *it)
{
	struct dma_buf_bpf_loop *loop = (void *)it;
	struct dma_buf *dmabuf;

	if (IS_ERR(loop->dmabuf))
		return NULL;
	dmabuf = loop->dmabuf ? dma_buf_iter_next(loop->dmabuf) :
				dma_buf_iter_begin();
	loop->dmabuf = dmabuf ?: ERR_PTR(-ENOENT);
	return dmabuf;
}

/**
 * bpf_iter_dmabuf_destroy - end a loop, wherever it is
 * @it: its state
 *
 * Context: Process context.
 */
__bpf_kfunc void bpf_iter_dmabuf_destroy(struct bpf_iter_dmabuf *it)
{
	struct dma_buf_bpf_loop *loop = (void *)it;

	if (!IS_ERR_OR_NULL(loop->dmabuf))
		dma_buf_put(loop->dmabuf);
}

__bpf_kfunc_end_defs();

BTF_ID_LIST_SINGLE(dma_buf_bpf_type, struct, dma_buf)

BTF_KFUNCS_START(dma_buf_bpf_kfuncs)
BTF_ID_FLAGS(func, bpf_iter_dmabuf_new, KF_ITER_NEW | KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_iter_dmabuf_next,
	     KF_ITER_NEXT | KF_RET_NULL | KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_iter_dmabuf_destroy, KF_ITER_DESTROY | KF_SLEEPABLE)
BTF_KFUNCS_END(dma_buf_bpf_kfuncs)

static const struct btf_kfunc_id_set dma_buf_bpf_kfunc_set = {
	.owner	= THIS_MODULE,
	.set	= &dma_buf_bpf_kfuncs,
};

static int __init dma_buf_bpf_init(void)
{
	int ret;

	dma_buf_bpf_target.ctx_arg_info[0].btf_id = *dma_buf_bpf_type;
	ret = bpf_iter_reg_target(&dma_buf_bpf_target);
	if (ret)
		return ret;
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_UNSPEC,
					 &dma_buf_bpf_kfunc_set);
}
late_initcall(dma_buf_bpf_init);
