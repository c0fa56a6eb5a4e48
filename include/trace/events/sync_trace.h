/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a software timeline does, as trace events. For sw_sync.c alone, which
 * knows what a timeline looks like.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM sync_trace

#if !defined(_TRACE_SYNC_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_SYNC_H

#include <linux/tracepoint.h>

struct sync_timeline;

/* The timeline is about to be advanced; value is what it showed so far. */
TRACE_EVENT(sync_timeline,
	    TP_PROTO(struct sync_timeline *timeline),
	    TP_ARGS(timeline),
	    TP_STRUCT__entry(__string(name, timeline->name)
			     __field(u32, value)
	    ),
	    TP_fast_assign(__assign_str(name);
			   __entry->value = READ_ONCE(timeline->value);
	    ),
	    TP_printk("name=%s value=%d", __get_str(name), __entry->value)
);

#endif /* _TRACE_SYNC_H */

/* Included once more from in there, hence outside of the guard. */
#include <trace/define_trace.h>
