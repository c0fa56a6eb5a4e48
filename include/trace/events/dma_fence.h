/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace events of fences: born, watched, signalled, waited for, dead.
 *
 * Each says which fence: driver, timeline, context, seqno. The names come from
 * the driver, which may be unloaded as soon as its fences have signalled; so
 * there are two classes, which differ only in whom they ask.
 *
 * Tools know @context and @seqno as fields of 32 bits, the lower ones. The whole
 * numbers are @context64 and @seqno64, which is what the text shows.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dma_fence

#if !defined(_TRACE_DMA_FENCE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_DMA_FENCE_H

#include <linux/dma-fence.h>
#include <linux/tracepoint.h>

/* Events that anybody may cause at any time in the life of a fence. */
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
 * Events on the driver's own path: it is at work on the fence, so it is there
 * and can be asked. That a fence signals is one of them, though it is already
 * marked by then.
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

/* The driver has handed the fence to its hardware. */
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

/* Somebody cares: the driver is about to be asked to signal. */
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
