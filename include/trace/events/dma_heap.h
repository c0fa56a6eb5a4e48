/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace events of the pool of a heap
 *
 * dma_heap_pool_hit and dma_heap_pool_miss tell for each folio of a buffer
 * whether the pool had one of its order, dma_heap_pool_shrink what the
 * freelists of a node gave back to the page allocator. Per-CPU caches are
 * drained without an event.
 *
 * Units: bytes. node is a NUMA node; -1 if the memory policy prefers none.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dma_heap

#if !defined(_TRACE_DMA_HEAP_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_DMA_HEAP_H

#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(dma_heap_pool,
		    TP_PROTO(const char *heap, int node, size_t bytes),
		    TP_ARGS(heap, node, bytes),
		    TP_STRUCT__entry(__string(heap, heap)
				     __field(int, node)
				     __field(size_t, bytes)),
		    TP_fast_assign(__assign_str(heap);
				   __entry->node = node;
				   __entry->bytes = bytes;),
		    TP_printk("heap=%s node=%d bytes=%zu", __get_str(heap),
			      __entry->node, __entry->bytes)
);

#define DMA_HEAP_POOL_EVENT(_name)					\
	DEFINE_EVENT(dma_heap_pool, _name,				\
		     TP_PROTO(const char *heap, int node, size_t bytes),\
		     TP_ARGS(heap, node, bytes))

DMA_HEAP_POOL_EVENT(dma_heap_pool_hit);
DMA_HEAP_POOL_EVENT(dma_heap_pool_miss);
DMA_HEAP_POOL_EVENT(dma_heap_pool_shrink);

#endif /* _TRACE_DMA_HEAP_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
