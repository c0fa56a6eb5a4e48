/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace event of software timelines. For sw_sync.c only, which defines struct
 * sync_timeline.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM sync_trace

#if !defined(_TRACE_SYNC_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_SYNC_H

#include <linux/tracepoint.h>

struct sync_timeline;

/* The timeline is about to be advanced; value is the one before. */
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
