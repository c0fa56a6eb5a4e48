/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace events of buffers, from export to release.
 *
 * Every event but one names the buffer by its inode number, as fdinfo, debugfs
 * and /proc/PID/maps do, so that a trace can be joined with those. An event
 * with a result is recorded when the result is known, with a failure as a
 * negative errno.
 *
 * export	dma_buf_export, dma_buf_fd, dma_buf_get, dma_buf_name
 * devices	dma_buf_attach, dma_buf_pin, dma_buf_map, dma_buf_unmap,
 *		dma_buf_unpin, dma_buf_detach, dma_buf_move_notify,
 *		dma_buf_mapcache, dma_buf_mapcache_drop, dma_buf_invalidate
 * CPU		dma_buf_wait_cpu, dma_buf_begin_cpu, dma_buf_end_cpu,
 *		dma_buf_begin_cpu_partial, dma_buf_end_cpu_partial,
 *		dma_buf_mmap, dma_buf_vmap, dma_buf_vunmap
 * release	dma_buf_revoke, dma_buf_put, dma_buf_release
 *
 * Units: size, offset and length are in bytes, waited is in nanoseconds; dir is
 * enum dma_data_direction.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dma_buf

#if !defined(_TRACE_DMA_BUF_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_DMA_BUF_H

#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/tracepoint.h>

TRACE_DEFINE_ENUM(DMA_BIDIRECTIONAL);
TRACE_DEFINE_ENUM(DMA_TO_DEVICE);
TRACE_DEFINE_ENUM(DMA_FROM_DEVICE);
TRACE_DEFINE_ENUM(DMA_NONE);

#define show_dma_buf_dir(_dir)					\
	__print_symbolic(_dir,					\
			 { DMA_BIDIRECTIONAL,	"both" },	\
			 { DMA_TO_DEVICE,	"to-device" },	\
			 { DMA_FROM_DEVICE,	"from-device" },\
			 { DMA_NONE,		"none" })

#ifndef _TRACE_DMA_BUF_INO
#define _TRACE_DMA_BUF_INO
/* A buffer whose file was released while it was attached has none any more. */
static inline unsigned long dma_buf_trace_ino(const struct dma_buf *dmabuf)
{
	return dmabuf->file ? file_inode(dmabuf->file)->i_ino : 0;
}
#endif

/* An operation on the buffer; ret is its result. */
DECLARE_EVENT_CLASS(dma_buf,
		    TP_PROTO(struct dma_buf *dmabuf, int ret),
		    TP_ARGS(dmabuf, ret),
		    TP_STRUCT__entry(__string(exporter, dmabuf->exp_name)
				     __field(unsigned long, ino)
				     __field(size_t, size)
				     __field(int, ret)),
		    TP_fast_assign(__assign_str(exporter);
				   __entry->ino = dma_buf_trace_ino(dmabuf);
				   __entry->size = dmabuf->size;
				   __entry->ret = ret;),
		    TP_printk("ino=%lu exporter=%s size=%zu ret=%d",
			      __entry->ino, __get_str(exporter),
			      __entry->size, __entry->ret)
);

#define DMA_BUF_EVENT(_name)						\
	DEFINE_EVENT(dma_buf, _name,					\
		     TP_PROTO(struct dma_buf *dmabuf, int ret),		\
		     TP_ARGS(dmabuf, ret))

DMA_BUF_EVENT(dma_buf_export);

/* ret is the descriptor */
DMA_BUF_EVENT(dma_buf_fd);
DMA_BUF_EVENT(dma_buf_get);
DMA_BUF_EVENT(dma_buf_put);
DMA_BUF_EVENT(dma_buf_release);
DMA_BUF_EVENT(dma_buf_mmap);
DMA_BUF_EVENT(dma_buf_vmap);

/* ret is the number of users that remain */
DMA_BUF_EVENT(dma_buf_vunmap);

/* ret is the number of importers that were notified */
DMA_BUF_EVENT(dma_buf_move_notify);
DMA_BUF_EVENT(dma_buf_invalidate);

/* The uses that there were have ended, or what has kept them from ending. */
DMA_BUF_EVENT(dma_buf_revoke);

/* The buffer is about to get a name. */
TRACE_EVENT(dma_buf_name,
	    TP_PROTO(struct dma_buf *dmabuf, const char *name),
	    TP_ARGS(dmabuf, name),
	    TP_STRUCT__entry(__string(exporter, dmabuf->exp_name)
			     __string(name, name)
			     __field(unsigned long, ino)
			     __field(size_t, size)),
	    TP_fast_assign(__assign_str(exporter);
			   __assign_str(name);
			   __entry->ino = dma_buf_trace_ino(dmabuf);
			   __entry->size = dmabuf->size;),
	    TP_printk("ino=%lu exporter=%s size=%zu name=%s", __entry->ino,
		      __get_str(exporter), __entry->size, __get_str(name))
);

/* An operation on the buffer for a device. */
DECLARE_EVENT_CLASS(dma_buf_device,
		    TP_PROTO(struct dma_buf_attachment *attach, int dir,
			     int ret),
		    TP_ARGS(attach, dir, ret),
		    TP_STRUCT__entry(__string(device, dev_name(attach->dev))
				     __string(exporter, attach->dmabuf->exp_name)
				     __field(unsigned long, ino)
				     __field(size_t, size)
				     __field(int, dir)
				     __field(int, ret)),
		    TP_fast_assign(__assign_str(device);
				   __assign_str(exporter);
				   __entry->ino = dma_buf_trace_ino(attach->dmabuf);
				   __entry->size = attach->dmabuf->size;
				   __entry->dir = dir;
				   __entry->ret = ret;),
		    TP_printk("ino=%lu exporter=%s size=%zu device=%s dir=%s ret=%d",
			      __entry->ino, __get_str(exporter), __entry->size,
			      __get_str(device), show_dma_buf_dir(__entry->dir),
			      __entry->ret)
);

#define DMA_BUF_DEVICE_EVENT(_name)					\
	DEFINE_EVENT(dma_buf_device, _name,				\
		     TP_PROTO(struct dma_buf_attachment *attach,	\
			      int dir, int ret),			\
		     TP_ARGS(attach, dir, ret))

DMA_BUF_DEVICE_EVENT(dma_buf_attach);
DMA_BUF_DEVICE_EVENT(dma_buf_detach);
DMA_BUF_DEVICE_EVENT(dma_buf_pin);
DMA_BUF_DEVICE_EVENT(dma_buf_unpin);
DMA_BUF_DEVICE_EVENT(dma_buf_map);
DMA_BUF_DEVICE_EVENT(dma_buf_unmap);

/*
 * Within dma_buf_map, for exporters of pages; ret is where the mapping came
 * from: 0 it was made, 1 it was idle, 2 another attachment of the device has
 * it, too
 */
DMA_BUF_DEVICE_EVENT(dma_buf_mapcache);

/* A mapping that was idle is unmapped; it names no buffer. */
TRACE_EVENT(dma_buf_mapcache_drop,
	    TP_PROTO(struct device *dev, size_t size, int dir),
	    TP_ARGS(dev, size, dir),
	    TP_STRUCT__entry(__string(device, dev_name(dev))
			     __field(size_t, size)
			     __field(int, dir)),
	    TP_fast_assign(__assign_str(device);
			   __entry->size = size;
			   __entry->dir = dir;),
	    TP_printk("size=%zu device=%s dir=%s", __entry->size,
		      __get_str(device), show_dma_buf_dir(__entry->dir))
);

/* The begin or end of an access by the CPU. */
DECLARE_EVENT_CLASS(dma_buf_cpu,
		    TP_PROTO(struct dma_buf *dmabuf, int dir, int ret),
		    TP_ARGS(dmabuf, dir, ret),
		    TP_STRUCT__entry(__string(exporter, dmabuf->exp_name)
				     __field(unsigned long, ino)
				     __field(size_t, size)
				     __field(int, dir)
				     __field(int, ret)),
		    TP_fast_assign(__assign_str(exporter);
				   __entry->ino = dma_buf_trace_ino(dmabuf);
				   __entry->size = dmabuf->size;
				   __entry->dir = dir;
				   __entry->ret = ret;),
		    TP_printk("ino=%lu exporter=%s size=%zu dir=%s ret=%d",
			      __entry->ino, __get_str(exporter), __entry->size,
			      show_dma_buf_dir(__entry->dir), __entry->ret)
);

#define DMA_BUF_CPU_EVENT(_name)					\
	DEFINE_EVENT(dma_buf_cpu, _name,				\
		     TP_PROTO(struct dma_buf *dmabuf, int dir, int ret),\
		     TP_ARGS(dmabuf, dir, ret))

DMA_BUF_CPU_EVENT(dma_buf_begin_cpu);
DMA_BUF_CPU_EVENT(dma_buf_end_cpu);

/* The same for the bytes from offset to offset + length. */
DECLARE_EVENT_CLASS(dma_buf_cpu_partial,
		    TP_PROTO(struct dma_buf *dmabuf, int dir, size_t offset,
			     size_t length, int ret),
		    TP_ARGS(dmabuf, dir, offset, length, ret),
		    TP_STRUCT__entry(__string(exporter, dmabuf->exp_name)
				     __field(unsigned long, ino)
				     __field(size_t, offset)
				     __field(size_t, length)
				     __field(int, dir)
				     __field(int, ret)),
		    TP_fast_assign(__assign_str(exporter);
				   __entry->ino = dma_buf_trace_ino(dmabuf);
				   __entry->offset = offset;
				   __entry->length = length;
				   __entry->dir = dir;
				   __entry->ret = ret;),
		    TP_printk("ino=%lu exporter=%s offset=%zu length=%zu dir=%s ret=%d",
			      __entry->ino, __get_str(exporter),
			      __entry->offset, __entry->length,
			      show_dma_buf_dir(__entry->dir), __entry->ret)
);

#define DMA_BUF_CPU_PARTIAL_EVENT(_name)				\
	DEFINE_EVENT(dma_buf_cpu_partial, _name,			\
		     TP_PROTO(struct dma_buf *dmabuf, int dir,		\
			      size_t offset, size_t length, int ret),	\
		     TP_ARGS(dmabuf, dir, offset, length, ret))

DMA_BUF_CPU_PARTIAL_EVENT(dma_buf_begin_cpu_partial);
DMA_BUF_CPU_PARTIAL_EVENT(dma_buf_end_cpu_partial);

/*
 * An access by the CPU has waited for fences, for so many nanoseconds. Recorded
 * twice where the exporter waits as well, as for a device that is not coherent,
 * and otherwise not for a buffer that never had a fence. A start in
 * DMA_BUF_IOCTL_SYNC_BATCH waits once more.
 */
TRACE_EVENT(dma_buf_wait_cpu,
	    TP_PROTO(struct dma_buf *dmabuf, int dir, s64 waited, int ret),
	    TP_ARGS(dmabuf, dir, waited, ret),
	    TP_STRUCT__entry(__string(exporter, dmabuf->exp_name)
			     __field(unsigned long, ino)
			     __field(size_t, size)
			     __field(s64, waited)
			     __field(int, dir)
			     __field(int, ret)),
	    TP_fast_assign(__assign_str(exporter);
			   __entry->ino = dma_buf_trace_ino(dmabuf);
			   __entry->size = dmabuf->size;
			   __entry->waited = waited;
			   __entry->dir = dir;
			   __entry->ret = ret;),
	    TP_printk("ino=%lu exporter=%s size=%zu dir=%s waited=%lld ret=%d",
		      __entry->ino, __get_str(exporter), __entry->size,
		      show_dma_buf_dir(__entry->dir), __entry->waited,
		      __entry->ret)
);

#endif /* _TRACE_DMA_BUF_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
