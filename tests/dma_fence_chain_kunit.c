// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-fence-chain.c: points on a timeline, how they are found, when
 * they signal, and how a chain shrinks and is released. See
 * dma_fence_race_kunit.c for what needs two CPUs.
 */
#include <kunit/test.h>

#include <linux/dma-fence-chain.h>
#include <linux/kthread.h>
#include <linux/random.h>

#include "mock_fence.h"

#define LONG_WAIT	(30 * HZ)
#define LONG_CHAIN	4000

/* Nodes 0 to count - 1, at points 1 * step, 2 * step, ... */
struct timeline {
	unsigned int count;
	struct dma_fence **fence;	/* of the nodes; a reference each */
	struct dma_fence **node;	/* a reference each */
	struct dma_fence *tail;		/* the newest node, no reference */
};

static struct dma_fence *chain_add(struct kunit *test, struct dma_fence *prev,
				   struct dma_fence *fence, u64 seqno)
{
	struct dma_fence_chain *node = dma_fence_chain_alloc();

	KUNIT_ASSERT_NOT_NULL(test, node);
	dma_fence_chain_init(node, dma_fence_get(prev), dma_fence_get(fence),
			     seqno);
	return &node->base;
}

static void timeline_create(struct kunit *test, struct timeline *line,
			    unsigned int count, u64 step)
{
	line->count = count;
	line->tail = NULL;
	line->fence = kunit_kcalloc(test, count, sizeof(*line->fence),
				    GFP_KERNEL);
	line->node = kunit_kcalloc(test, count, sizeof(*line->node),
				   GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, line->fence);
	KUNIT_ASSERT_NOT_NULL(test, line->node);

	for (unsigned int i = 0; i < count; i++) {
		line->fence[i] = mock_fence_create(test);
		line->node[i] = chain_add(test, line->tail, line->fence[i],
					  (i + 1) * step);
		line->tail = line->node[i];
	}
}

static void timeline_put(struct timeline *line)
{
	for (unsigned int i = 0; i < line->count; i++) {
		dma_fence_signal(line->fence[i]);
		dma_fence_put(line->fence[i]);
		dma_fence_put(line->node[i]);
	}
}

/* Index of the node, or count if @fence is none. */
static unsigned int timeline_index(struct timeline *line,
				   struct dma_fence *fence)
{
	unsigned int i;

	for (i = 0; i < line->count; i++)
		if (line->node[i] == fence)
			break;
	return i;
}

/* -- initialization and release -------------------------------------------- */

static void dma_fence_chain_test_sanitycheck(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_fence *node = chain_add(test, NULL, fence, 1);

	KUNIT_EXPECT_TRUE(test, dma_fence_is_chain(node));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_container(node));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_array(node));
	KUNIT_EXPECT_PTR_EQ(test, &to_dma_fence_chain(node)->base, node);
	KUNIT_EXPECT_NULL(test, to_dma_fence_chain(fence));
	KUNIT_EXPECT_NULL(test, to_dma_fence_chain(NULL));
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_chain_contained(node), fence);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_chain_contained(fence), fence);
	KUNIT_EXPECT_NULL(test, dma_fence_chain_contained(NULL));
	KUNIT_EXPECT_STREQ(test, dma_fence_driver_name(node),
			   "dma_fence_chain");
	KUNIT_EXPECT_STREQ(test, dma_fence_timeline_name(node), "unbound");

	dma_fence_enable_sw_signaling(node);
	dma_fence_signal(fence);
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(node, false, LONG_WAIT), 0);
	dma_fence_put(node);
	dma_fence_put(fence);
}

static void dma_fence_chain_test_alloc_free(struct kunit *test)
{
	struct dma_fence_chain *node = dma_fence_chain_alloc();
	struct dma_fence_chain *gone __free(dma_fence_chain_free) =
		dma_fence_chain_alloc();

	KUNIT_EXPECT_NOT_NULL(test, gone);
	dma_fence_chain_free(node);
	dma_fence_chain_free(NULL);
}

struct seqno_case {
	const char *name;
	u64 prev, seqno;
	bool goes_on;
	u64 expected;
};

static const struct seqno_case seqno_cases[] = {
	{ "goes on with the next point", 1, 2, true, 2 },
	{ "goes on across a gap", 1, 1000, true, 1000 },
	{ "goes on beyond 32 bit", U32_MAX, BIT_ULL(32), true, BIT_ULL(32) },
	{ "does not wrap like 32 bit", U32_MAX, 1, false, U32_MAX },
	{ "starts anew at the same point", 5, 5, false, 5 },
	{ "starts anew at an earlier point, never falls", 5, 3, false, 5 },
	{ "starts anew at 0", 5, 0, false, 5 },
};

KUNIT_ARRAY_PARAM_DESC(seqno, seqno_cases, name);

static void dma_fence_chain_test_seqno(struct kunit *test)
{
	const struct seqno_case *param = test->param_value;
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_fence *first = chain_add(test, NULL, fence, param->prev);
	struct dma_fence *second = chain_add(test, first, fence, param->seqno);

	KUNIT_EXPECT_EQ(test, first->seqno, param->prev);
	KUNIT_EXPECT_EQ(test, to_dma_fence_chain(first)->prev_seqno, 0);
	KUNIT_EXPECT_EQ(test, second->seqno, param->expected);
	KUNIT_EXPECT_EQ(test, second->context == first->context,
			param->goes_on);
	KUNIT_EXPECT_EQ(test, to_dma_fence_chain(second)->prev_seqno,
			param->goes_on ? param->prev : 0);

	dma_fence_put(second);
	dma_fence_put(first);
	dma_fence_put(fence);
}

/* Succeeds if the names of a node stay valid until its release. */
static void dma_fence_chain_test_names_stay(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_fence *node = chain_add(test, NULL, fence, 1);

	dma_fence_signal(fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(node));
	KUNIT_EXPECT_STREQ(test, dma_fence_driver_name(node),
			   "dma_fence_chain");
	KUNIT_EXPECT_STREQ(test, dma_fence_timeline_name(node), "unbound");
	dma_fence_put(node);
	dma_fence_put(fence);
}

static void dma_fence_chain_test_misuse_nested(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_fence *inner = chain_add(test, NULL, fence, 1);
	struct dma_fence *outer;

	mock_fence_expect_misuse(test);
	outer = chain_add(test, NULL, inner, 1);
	KUNIT_EXPECT_EQ(test, mock_fence_misuses(test), 1);
	dma_fence_put(outer);
	dma_fence_put(inner);
	dma_fence_put(fence);
}

/* Releasing far more nodes than a kernel stack has room for by recursion. */
static void dma_fence_chain_test_release_long(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_fence *tail = NULL, *node;

	for (unsigned int i = 1; i <= LONG_CHAIN; i++) {
		node = chain_add(test, tail, fence, i);
		dma_fence_put(tail);
		tail = node;
	}
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), LONG_CHAIN + 1);
	dma_fence_put(tail);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 1);
	dma_fence_put(fence);
}

/* Succeeds if a second reference to a node in the middle keeps the rest. */
static void dma_fence_chain_test_release_shared(struct kunit *test)
{
	struct timeline line;

	timeline_create(test, &line, 6, 1);
	for (int i = 0; i < 6; i++)
		if (i != 2)
			dma_fence_put(line.node[i]);

	KUNIT_EXPECT_EQ(test, kref_read(&line.node[2]->refcount), 1);
	for (int i = 0; i < 6; i++)
		KUNIT_EXPECT_EQ(test, kref_read(&line.fence[i]->refcount),
				i <= 2 ? 2 : 1);
	dma_fence_put(line.node[2]);
	for (int i = 0; i < 6; i++) {
		KUNIT_EXPECT_EQ(test, kref_read(&line.fence[i]->refcount), 1);
		dma_fence_put(line.fence[i]);
	}
}

/* -- walking --------------------------------------------------------------- */

static void dma_fence_chain_test_walk(struct kunit *test)
{
	struct dma_fence *plain = mock_fence_create(test), *iter;
	struct dma_fence *first, *second;
	int visited = 0;

	/* A chain may begin with a plain fence. */
	first = chain_add(test, plain, plain, 1);
	second = chain_add(test, first, plain, 2);

	dma_fence_chain_for_each(iter, second) {
		struct dma_fence *const expected[] = { second, first, plain };

		KUNIT_ASSERT_LT(test, visited, ARRAY_SIZE(expected));
		KUNIT_EXPECT_PTR_EQ(test, iter, expected[visited]);
		visited++;
	}
	KUNIT_EXPECT_EQ(test, visited, 3);

	dma_fence_chain_for_each(iter, NULL)
		KUNIT_FAIL(test, "there is nothing in nothing");

	dma_fence_put(second);
	dma_fence_put(first);
	/* In two nodes and linked to once, and all references dropped. */
	KUNIT_EXPECT_EQ(test, kref_read(&plain->refcount), 1);
	dma_fence_put(plain);
}

static void dma_fence_chain_test_walk_collects(struct kunit *test)
{
	struct timeline line;
	struct dma_fence *iter;
	unsigned int expected = 7;

	timeline_create(test, &line, 8, 1);
	for (int i = 1; i < 8; i += 2)
		dma_fence_signal(line.fence[i]);

	/* The head is visited all the same, the other odd ones are unlinked. */
	dma_fence_chain_for_each(iter, line.tail) {
		KUNIT_EXPECT_EQ(test, timeline_index(&line, iter), expected);
		expected -= expected == 7 ? 1 : 2;
	}

	/* Only the test has references to them. */
	for (int i = 1; i < 7; i += 2)
		KUNIT_EXPECT_EQ(test, kref_read(&line.node[i]->refcount), 1);
	for (int i = 0; i < 7; i += 2)
		KUNIT_EXPECT_GE(test, kref_read(&line.node[i]->refcount), 2);
	timeline_put(&line);
}

/* -- finding --------------------------------------------------------------- */

/*
 * The node that dma_fence_chain_find_seqno() gives for a point, as a number;
 * -1 for NULL, or the error.
 */
static int find(struct kunit *test, struct timeline *line, u64 seqno)
{
	struct dma_fence *fence = dma_fence_get(line->tail);
	int ret = dma_fence_chain_find_seqno(&fence, seqno);

	if (ret)
		KUNIT_EXPECT_PTR_EQ(test, fence, line->tail);
	else
		ret = fence ? timeline_index(line, fence) : -1;
	dma_fence_put(fence);
	return ret;
}

static void dma_fence_chain_test_find_seqno(struct kunit *test)
{
	struct dma_fence *fence = NULL;
	struct timeline line;

	timeline_create(test, &line, 64, 1);
	for (unsigned int i = 0; i < 64; i++)
		KUNIT_EXPECT_EQ(test, find(test, &line, i + 1), i);

	KUNIT_EXPECT_EQ(test, find(test, &line, 65), -EINVAL);
	KUNIT_EXPECT_EQ(test, find(test, &line, U64_MAX), -EINVAL);
	/* 0 is no point: it stands for the newest node. */
	KUNIT_EXPECT_EQ(test, find(test, &line, 0), 63);

	KUNIT_EXPECT_EQ(test, dma_fence_chain_find_seqno(&fence, 0), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_chain_find_seqno(&fence, 1), -EINVAL);
	fence = line.fence[0];
	KUNIT_EXPECT_EQ(test, dma_fence_chain_find_seqno(&fence, 1), -EINVAL);
	KUNIT_EXPECT_PTR_EQ(test, fence, line.fence[0]);
	timeline_put(&line);
}

/* Points that have been passed need not be waited for. */
static void dma_fence_chain_test_find_signaled(struct kunit *test)
{
	struct timeline line;

	timeline_create(test, &line, 2, 1);
	dma_fence_signal(line.fence[0]);
	KUNIT_EXPECT_EQ(test, find(test, &line, 1), -1);
	KUNIT_EXPECT_EQ(test, find(test, &line, 2), 1);

	/* The head is never unlinked, so it is found although signalled. */
	dma_fence_signal(line.fence[1]);
	KUNIT_EXPECT_EQ(test, find(test, &line, 2), 1);
	timeline_put(&line);
}

/* The point itself has signalled, an older one has not: that one is found. */
static void dma_fence_chain_test_find_out_of_order(struct kunit *test)
{
	struct timeline line;

	timeline_create(test, &line, 3, 1);
	dma_fence_signal(line.fence[1]);
	KUNIT_EXPECT_EQ(test, find(test, &line, 2), 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(line.node[1]));
	KUNIT_EXPECT_EQ(test, find(test, &line, 1), 0);
	KUNIT_EXPECT_EQ(test, find(test, &line, 3), 2);
	timeline_put(&line);
}

/* No node of that number: the next later one covers it. */
static void dma_fence_chain_test_find_gap(struct kunit *test)
{
	struct timeline line;

	timeline_create(test, &line, 16, 10);
	for (int i = 0; i < 16; i++) {
		KUNIT_EXPECT_EQ(test, find(test, &line, 10 * i + 1), i);
		KUNIT_EXPECT_EQ(test, find(test, &line, 10 * i + 9), i);
		KUNIT_EXPECT_EQ(test, find(test, &line, 10 * i + 10), i);
	}
	KUNIT_EXPECT_EQ(test, find(test, &line, 161), -EINVAL);
	timeline_put(&line);
}

/*
 * A node that starts a new timeline does not cover points of the previous one.
 */
static void dma_fence_chain_test_find_other_context(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_fence *old = chain_add(test, NULL, fence, 5);
	struct dma_fence *anew = chain_add(test, old, fence, 3);
	struct dma_fence *found;

	for (u64 seqno = 1; seqno <= 5; seqno++) {
		found = dma_fence_get(anew);
		KUNIT_EXPECT_EQ(test, dma_fence_chain_find_seqno(&found, seqno),
				0);
		KUNIT_EXPECT_PTR_EQ(test, found, anew);
		dma_fence_put(found);
	}

	dma_fence_put(anew);
	dma_fence_put(old);
	dma_fence_put(fence);
}

/* -- signalling ------------------------------------------------------------ */

/* Node n has signalled exactly when fences 0 to n have. */
static void expect_nodes(struct kunit *test, struct timeline *line,
			 unsigned int done)
{
	for (unsigned int i = 0; i < line->count; i++)
		KUNIT_EXPECT_EQ(test, dma_fence_is_signaled(line->node[i]),
				i < done);
}

static void dma_fence_chain_test_signal_forward(struct kunit *test)
{
	struct timeline line;

	timeline_create(test, &line, 32, 1);
	for (unsigned int i = 0; i < line.count; i++) {
		expect_nodes(test, &line, i);
		dma_fence_signal(line.fence[i]);
		expect_nodes(test, &line, i + 1);
	}
	timeline_put(&line);
}

static void dma_fence_chain_test_signal_backward(struct kunit *test)
{
	struct timeline line;

	timeline_create(test, &line, 32, 1);
	for (unsigned int i = line.count - 1; i; i--) {
		dma_fence_signal(line.fence[i]);
		expect_nodes(test, &line, 0);
	}
	dma_fence_signal(line.fence[0]);
	expect_nodes(test, &line, line.count);
	timeline_put(&line);
}

/* Signalling of every node is enabled before any fence signals. */
static void dma_fence_chain_test_signal_enabled(struct kunit *test)
{
	struct timeline line;

	timeline_create(test, &line, 8, 1);
	for (int i = 0; i < 8; i++)
		dma_fence_enable_sw_signaling(line.node[i]);
	/* Each waits on its own fence first, and on no other yet. */
	for (int i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, to_mock_fence(line.fence[i])->enable_calls,
				1);

	for (int i = 7; i >= 0; i--)
		dma_fence_signal(line.fence[i]);
	for (int i = 0; i < 8; i++)
		KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(line.node[i], false,
							     LONG_WAIT), 0);
	timeline_put(&line);
}

/* No fence is marked as signalled: the drivers have to be asked. */
static void dma_fence_chain_test_signal_peek(struct kunit *test)
{
	struct timeline line;

	timeline_create(test, &line, 3, 1);
	to_mock_fence(line.fence[2])->peek_done = true;
	to_mock_fence(line.fence[0])->peek_done = true;
	expect_nodes(test, &line, 1);
	to_mock_fence(line.fence[1])->peek_done = true;
	expect_nodes(test, &line, 3);
	timeline_put(&line);
}

struct waiter {
	struct dma_fence *fence;
	struct completion started;
	signed long ret;
};

static int waiter_thread(void *data)
{
	struct waiter *waiter = data;

	complete(&waiter->started);
	waiter->ret = dma_fence_wait_timeout(waiter->fence, false, LONG_WAIT);
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);
	return 0;
}

/*
 * A thread sleeps on the newest node while the fences signal in random order,
 * so its callback has to be added again and again.
 */
static void wait_while_signaling(struct kunit *test, const unsigned int *order,
				 unsigned int count)
{
	struct task_struct *thread;
	struct waiter waiter = {};
	struct timeline line;

	timeline_create(test, &line, count, 1);
	waiter.fence = line.tail;
	init_completion(&waiter.started);
	thread = kthread_run(waiter_thread, &waiter, "chain-wait");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	wait_for_completion(&waiter.started);

	for (unsigned int i = 0; i < count; i++) {
		dma_fence_signal(line.fence[order[i]]);
		if (i % 8 == 0)
			schedule_timeout_uninterruptible(1);
	}

	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(line.tail, false,
						     LONG_WAIT), 0);
	kthread_stop(thread);
	KUNIT_EXPECT_GT(test, waiter.ret, 0);
	expect_nodes(test, &line, count);
	timeline_put(&line);
}

#define WAIT_COUNT	64

static void dma_fence_chain_test_wait_forward(struct kunit *test)
{
	unsigned int order[WAIT_COUNT];

	for (int i = 0; i < WAIT_COUNT; i++)
		order[i] = i;
	wait_while_signaling(test, order, WAIT_COUNT);
}

static void dma_fence_chain_test_wait_backward(struct kunit *test)
{
	unsigned int order[WAIT_COUNT];

	for (int i = 0; i < WAIT_COUNT; i++)
		order[i] = WAIT_COUNT - 1 - i;
	wait_while_signaling(test, order, WAIT_COUNT);
}

static void dma_fence_chain_test_wait_random(struct kunit *test)
{
	unsigned int order[WAIT_COUNT];

	for (int i = 0; i < WAIT_COUNT; i++) {
		int j = get_random_u32_below(i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	wait_while_signaling(test, order, WAIT_COUNT);
}

/* Succeeds if the callback alone holds a reference to the node. */
static void dma_fence_chain_test_outlives_its_user(struct kunit *test)
{
	struct timeline line;

	timeline_create(test, &line, 4, 1);
	dma_fence_enable_sw_signaling(line.tail);
	for (int i = 0; i < 4; i++)
		dma_fence_put(line.node[i]);
	for (int i = 3; i >= 0; i--) {
		dma_fence_signal(line.fence[i]);
		dma_fence_put(line.fence[i]);
	}
	/* The mock fences must be released when the case ends. */
}

static void dma_fence_chain_test_deadline(struct kunit *test)
{
	struct timeline line;

	timeline_create(test, &line, 4, 1);
	dma_fence_signal(line.fence[1]);
	dma_fence_set_deadline(line.tail, 5000);
	for (int i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, to_mock_fence(line.fence[i])->deadline,
				i == 1 ? KTIME_MAX : 5000);
	timeline_put(&line);
}

static struct kunit_case dma_fence_chain_cases[] = {
	KUNIT_CASE(dma_fence_chain_test_sanitycheck),
	KUNIT_CASE(dma_fence_chain_test_alloc_free),
	KUNIT_CASE_PARAM(dma_fence_chain_test_seqno, seqno_gen_params),
	KUNIT_CASE(dma_fence_chain_test_names_stay),
	KUNIT_CASE(dma_fence_chain_test_misuse_nested),
	KUNIT_CASE(dma_fence_chain_test_release_long),
	KUNIT_CASE(dma_fence_chain_test_release_shared),
	KUNIT_CASE(dma_fence_chain_test_walk),
	KUNIT_CASE(dma_fence_chain_test_walk_collects),
	KUNIT_CASE(dma_fence_chain_test_find_seqno),
	KUNIT_CASE(dma_fence_chain_test_find_signaled),
	KUNIT_CASE(dma_fence_chain_test_find_out_of_order),
	KUNIT_CASE(dma_fence_chain_test_find_gap),
	KUNIT_CASE(dma_fence_chain_test_find_other_context),
	KUNIT_CASE(dma_fence_chain_test_signal_forward),
	KUNIT_CASE(dma_fence_chain_test_signal_backward),
	KUNIT_CASE(dma_fence_chain_test_signal_enabled),
	KUNIT_CASE(dma_fence_chain_test_signal_peek),
	KUNIT_CASE(dma_fence_chain_test_wait_forward),
	KUNIT_CASE(dma_fence_chain_test_wait_backward),
	KUNIT_CASE(dma_fence_chain_test_wait_random),
	KUNIT_CASE(dma_fence_chain_test_outlives_its_user),
	KUNIT_CASE(dma_fence_chain_test_deadline),
	{}
};

static struct kunit_suite dma_fence_chain_suite = {
	.name = "dma_fence_chain",
	.test_cases = dma_fence_chain_cases,
};

kunit_test_suite(dma_fence_chain_suite);
