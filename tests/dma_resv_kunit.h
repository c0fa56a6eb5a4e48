/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites of dma-resv.c and dma-resv-query.c share: reservation
 * objects, fences in them, and cases that run once per usage.
 */
#ifndef DMA_RESV_TEST_H
#define DMA_RESV_TEST_H

#include <kunit/test.h>

#include <linux/dma-resv.h>
#include <linux/slab.h>

#include "mock_fence.h"

struct usage_case {
	enum dma_resv_usage usage;
	const char *name;
};

static const struct usage_case usage_cases[] = {
	{ DMA_RESV_USAGE_KERNEL, "kernel" },
	{ DMA_RESV_USAGE_WRITE, "write" },
	{ DMA_RESV_USAGE_READ, "read" },
	{ DMA_RESV_USAGE_BOOKKEEP, "bookkeep" },
};

static void usage_case_desc(const struct usage_case *param, char *desc)
{
	strscpy(desc, param->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(usage, usage_cases, usage_case_desc);

static inline enum dma_resv_usage param_usage(struct kunit *test)
{
	return ((const struct usage_case *)test->param_value)->usage;
}

static inline void resv_fini(void *obj)
{
	dma_resv_fini(obj);
}

/* An object without fences; those added are dropped when the case ends. */
static inline struct dma_resv *resv_create(struct kunit *test)
{
	struct dma_resv *obj = kunit_kzalloc(test, sizeof(*obj), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, obj);
	dma_resv_init(obj);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, resv_fini, obj));
	return obj;
}

static inline void resv_attach(struct kunit *test, struct dma_resv *obj,
			       struct dma_fence *fence, enum dma_resv_usage usage)
{
	guard(dma_resv)(obj);
	KUNIT_ASSERT_EQ(test, 0, dma_resv_reserve_fences(obj, 1));
	dma_resv_add_fence(obj, fence, usage);
}

/* Add a new fence, to which the object has the only reference. */
static inline struct dma_fence *resv_attach_new(struct kunit *test,
						struct dma_resv *obj,
						enum dma_resv_usage usage)
{
	struct dma_fence *fence = mock_fence_create(test);

	resv_attach(test, obj, fence, usage);
	dma_fence_put(fence);
	return fence;
}

#endif /* DMA_RESV_TEST_H */
