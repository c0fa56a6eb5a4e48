// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-buf-list.c: an iteration over buffers of which some come and go.
 * Other tests and programs may have buffers, too, so each case counts its own.
 */
#include <kunit/test.h>

#include <linux/dma-buf.h>
#include <linux/fs.h>

#include "mock_exporter.h"

#define MANY	100

/* Go on from @dmabuf to the next buffer of this case. */
static struct dma_buf *own_from(struct kunit *test, struct dma_buf *dmabuf)
{
	while (dmabuf && !(dmabuf->exp_name &&
			   !strcmp(dmabuf->exp_name, "mock_exporter") &&
			   to_mock_exporter(dmabuf)->test == test))
		dmabuf = dma_buf_iter_next(dmabuf);
	return dmabuf;
}

static struct dma_buf *own_begin(struct kunit *test)
{
	return own_from(test, dma_buf_iter_begin());
}

static struct dma_buf *own_next(struct kunit *test, struct dma_buf *dmabuf)
{
	return own_from(test, dma_buf_iter_next(dmabuf));
}

/* How often an iteration visits @dmabuf, or any buffer of this case if NULL. */
static int visits(struct kunit *test, struct dma_buf *dmabuf)
{
	struct dma_buf *at;
	int count = 0;

	for (at = own_begin(test); at; at = own_next(test, at))
		count += !dmabuf || at == dmabuf;
	return count;
}

static void dma_buf_list_test_none(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, visits(test, NULL), 0);
}

/* A reference per step, which the next one drops. */
static void dma_buf_list_test_one(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_buf *at;

	at = own_begin(test);
	KUNIT_EXPECT_PTR_EQ(test, at, dmabuf);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 2);
	KUNIT_EXPECT_NULL(test, own_next(test, at));
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	dma_buf_put(dmabuf);
}

static void dma_buf_list_test_many(struct kunit *test)
{
	struct dma_buf *dmabufs[MANY];
	int i;

	for (i = 0; i < MANY; i++)
		dmabufs[i] = mock_exporter_create(test, NULL);

	KUNIT_EXPECT_EQ(test, visits(test, NULL), MANY);
	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_EQ(test, visits(test, dmabufs[i]), 1);

	for (i = 0; i < MANY; i++) {
		KUNIT_EXPECT_EQ(test, file_count(dmabufs[i]->file), 1);
		dma_buf_put(dmabufs[i]);
	}
}

/* Its file is released later, so the list may still have it. */
static void dma_buf_list_test_without_reference(struct kunit *test)
{
	struct dma_buf *gone = mock_exporter_create(test, NULL);
	struct dma_buf *stays = mock_exporter_create(test, NULL);
	struct mock_exporter *mock = to_mock_exporter(gone);

	dma_buf_put(gone);
	KUNIT_EXPECT_EQ(test, visits(test, NULL), 1);
	KUNIT_EXPECT_EQ(test, visits(test, stays), 1);
	KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(mock));
	KUNIT_EXPECT_EQ(test, visits(test, NULL), 1);
	dma_buf_put(stays);
}

static void dma_buf_list_test_current_goes(struct kunit *test)
{
	struct dma_buf *at, *next;
	struct mock_exporter *mock;
	int i, count = 0;

	for (i = 0; i < 3; i++)
		mock_exporter_create(test, NULL);

	for (at = own_begin(test); at; at = next) {
		mock = to_mock_exporter(at);
		/* The iteration holds the last reference now. */
		dma_buf_put(at);
		KUNIT_EXPECT_EQ(test, file_count(at->file), 1);
		KUNIT_EXPECT_FALSE(test, completion_done(&mock->released));

		next = own_next(test, at);
		KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(mock));
		count++;
	}
	KUNIT_EXPECT_EQ(test, count, 3);
}

/* Neither the buffer before nor the one behind has to stay. */
static void dma_buf_list_test_neighbours_go(struct kunit *test)
{
	struct dma_buf *dmabufs[5], *at;
	struct mock_exporter *mock;
	int i, middle = -1;

	for (i = 0; i < 5; i++)
		dmabufs[i] = mock_exporter_create(test, NULL);

	at = own_next(test, own_next(test, own_begin(test)));
	KUNIT_ASSERT_NOT_NULL(test, at);
	for (i = 0; i < 5; i++) {
		if (dmabufs[i] == at) {
			middle = i;
			continue;
		}
		mock = to_mock_exporter(dmabufs[i]);
		dma_buf_put(dmabufs[i]);
		KUNIT_EXPECT_TRUE(test, mock_exporter_wait_released(mock));
	}
	KUNIT_EXPECT_GE(test, middle, 0);
	KUNIT_EXPECT_NULL(test, own_next(test, at));
	dma_buf_put(at);
}

/* An iteration that does not go on gives the reference back. */
static void dma_buf_list_test_ended_early(struct kunit *test)
{
	struct dma_buf *dmabuf = mock_exporter_create(test, NULL);
	struct dma_buf *at = own_begin(test);

	KUNIT_ASSERT_PTR_EQ(test, at, dmabuf);
	dma_buf_put(at);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	dma_buf_put(dmabuf);
}

static struct kunit_case dma_buf_list_cases[] = {
	KUNIT_CASE(dma_buf_list_test_none),
	KUNIT_CASE(dma_buf_list_test_one),
	KUNIT_CASE(dma_buf_list_test_many),
	KUNIT_CASE(dma_buf_list_test_without_reference),
	KUNIT_CASE(dma_buf_list_test_current_goes),
	KUNIT_CASE(dma_buf_list_test_neighbours_go),
	KUNIT_CASE(dma_buf_list_test_ended_early),
	{}
};

static struct kunit_suite dma_buf_list_suite = {
	.name = "dma_buf_list",
	.test_cases = dma_buf_list_cases,
};

kunit_test_suite(dma_buf_list_suite);
