/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace events of sync files
 *
 * A sync file is named by context and sequence number of its fence, as in the
 * events of dma_fence; a merge has made a fence of its own. sync_file_poll says
 * with each poll(2) whether there was anything to wait for.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM sync_file

#if !defined(_TRACE_SYNC_FILE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_SYNC_FILE_H

#include <linux/dma-fence.h>
#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(sync_file,
		    TP_PROTO(struct dma_fence *fence),
		    TP_ARGS(fence),
		    TP_STRUCT__entry(__field(u64, context)
				     __field(u64, seqno)),
		    TP_fast_assign(__entry->context = fence->context;
				   __entry->seqno = fence->seqno;),
		    TP_printk("context=%llu seqno=%llu",
			      __entry->context, __entry->seqno)
);

#define SYNC_FILE_EVENT(_name)						\
	DEFINE_EVENT(sync_file, _name,					\
		     TP_PROTO(struct dma_fence *fence), TP_ARGS(fence))

SYNC_FILE_EVENT(sync_file_create);
SYNC_FILE_EVENT(sync_file_merge);

TRACE_EVENT(sync_file_poll,
	    TP_PROTO(struct dma_fence *fence, bool signaled),
	    TP_ARGS(fence, signaled),
	    TP_STRUCT__entry(__field(u64, context)
			     __field(u64, seqno)
			     __field(bool, signaled)),
	    TP_fast_assign(__entry->context = fence->context;
			   __entry->seqno = fence->seqno;
			   __entry->signaled = signaled;),
	    TP_printk("context=%llu seqno=%llu signaled=%d",
		      __entry->context, __entry->seqno, __entry->signaled)
);

#endif /* _TRACE_SYNC_FILE_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
