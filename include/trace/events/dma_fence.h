/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace events of fences: init, enable, signal, wait, release
 *
 * Each event names its fence by driver, timeline, context and seqno. The names
 * come from the driver, which may be unloaded once its fences have signalled.
 * So there are two classes, which differ only in how they get the names.
 *
 * Tools expect @context and @seqno as fields of 32 bits, the lower ones. The
 * whole numbers, which the text shows, are in @context64 and @seqno64.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dma_fence

#if !defined(_TRACE_DMA_FENCE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_DMA_FENCE_H

#include <linux/dma-fence.h>
#include <linux/tracepoint.h>

/* Events of a holder of a reference, also after the driver is gone. */
DECLARE_EVENT_CLASS(dma_fence,
		    TP_PROTO(struct dma_fence *fence),
		    TP_ARGS(fence),
		    TP_STRUCT__entry(__string(driver, dma_fence_driver_name(fence))
				     __string(timeline, dma_fence_timeline_name(fence))
				     __field(unsigned int, context)
				     __field(unsigned int, seqno)
				     __field(u64, context64)
				     __field(u64, seqno64)),
		    TP_fast_assign(__assign_str(driver);
				   __assign_str(timeline);
				   __entry->context = fence->context;
				   __entry->seqno = fence->seqno;
				   __entry->context64 = fence->context;
				   __entry->seqno64 = fence->seqno;),
		    TP_printk("driver=%s timeline=%s context=%llu seqno=%llu",
			      __get_str(driver), __get_str(timeline),
			      __entry->context64, __entry->seqno64)
);

/*
 * Events in code that the driver runs, or that the core runs while the driver
 * has to stay. The names are valid then, although dma_fence_signaled follows
 * the bit after which dma_fence_driver_name() no longer asks the driver.
 */
DECLARE_EVENT_CLASS(dma_fence_driver,
		    TP_PROTO(struct dma_fence *fence),
		    TP_ARGS(fence),
		    TP_STRUCT__entry(__string(driver, fence->ops->get_driver_name(fence))
				     __string(timeline, fence->ops->get_timeline_name(fence))
				     __field(unsigned int, context)
				     __field(unsigned int, seqno)
				     __field(u64, context64)
				     __field(u64, seqno64)),
		    TP_fast_assign(__assign_str(driver);
				   __assign_str(timeline);
				   __entry->context = fence->context;
				   __entry->seqno = fence->seqno;
				   __entry->context64 = fence->context;
				   __entry->seqno64 = fence->seqno;),
		    TP_printk("driver=%s timeline=%s context=%llu seqno=%llu",
			      __get_str(driver), __get_str(timeline),
			      __entry->context64, __entry->seqno64)
);

/* The driver has passed the fence to its hardware. */
DEFINE_EVENT(dma_fence, dma_fence_emit,
	     TP_PROTO(struct dma_fence *fence),
	     TP_ARGS(fence)
);

DEFINE_EVENT(dma_fence_driver, dma_fence_init,
	     TP_PROTO(struct dma_fence *fence),
	     TP_ARGS(fence)
);

DEFINE_EVENT(dma_fence, dma_fence_destroy,
	     TP_PROTO(struct dma_fence *fence),
	     TP_ARGS(fence)
);

/* The driver is about to be asked to enable signalling. */
DEFINE_EVENT(dma_fence_driver, dma_fence_enable_signal,
	     TP_PROTO(struct dma_fence *fence),
	     TP_ARGS(fence)
);

DEFINE_EVENT(dma_fence_driver, dma_fence_signaled,
	     TP_PROTO(struct dma_fence *fence),
	     TP_ARGS(fence)
);

DEFINE_EVENT(dma_fence, dma_fence_wait_start,
	     TP_PROTO(struct dma_fence *fence),
	     TP_ARGS(fence)
);

DEFINE_EVENT(dma_fence, dma_fence_wait_end,
	     TP_PROTO(struct dma_fence *fence),
	     TP_ARGS(fence)
);

#endif /*  _TRACE_DMA_FENCE_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
