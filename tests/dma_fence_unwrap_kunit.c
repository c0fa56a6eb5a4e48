// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of dma-fence-unwrap.c: which fences an iteration returns, and which
 * ones a merge keeps.
 */
#include <kunit/test.h>

#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "mock_fence.h"

#define MOST	8

/* An array of the given fences, whose references it takes over. */
static struct dma_fence *wrap_array(struct kunit *test, unsigned int count,
				    struct dma_fence *const *members)
{
	struct dma_fence_array *array;
	struct dma_fence **table;

	table = kmemdup_array(members, count, sizeof(*table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	array = dma_fence_array_create(count, table, dma_fence_context_alloc(1),
				       1, false);
	KUNIT_ASSERT_NOT_NULL(test, array);
	return &array->base;
}

/* A chain of the given fences, oldest first, whose references it takes over. */
static struct dma_fence *wrap_chain(struct kunit *test, unsigned int count,
				    struct dma_fence *const *members)
{
	struct dma_fence *tail = NULL;

	for (unsigned int i = 0; i < count; i++) {
		struct dma_fence_chain *node = dma_fence_chain_alloc();

		KUNIT_ASSERT_NOT_NULL(test, node);
		dma_fence_chain_init(node, tail, members[i], i + 1);
		tail = &node->base;
	}
	return tail;
}

/* Expect that @head contains just these, in this order. Puts @head. */
static void expect_contents(struct kunit *test, struct dma_fence *head,
			    unsigned int count, struct dma_fence *const *fences)
{
	struct dma_fence_unwrap cursor;
	struct dma_fence *fence;
	unsigned int i = 0;

	KUNIT_ASSERT_NOT_NULL(test, head);
	dma_fence_unwrap_for_each(fence, &cursor, head) {
		KUNIT_EXPECT_LT(test, i, count);
		if (i < count)
			KUNIT_EXPECT_PTR_EQ(test, fence, fences[i]);
		i++;
	}
	KUNIT_EXPECT_EQ(test, i, count);
	dma_fence_put(head);
}

/* -- iterating ------------------------------------------------------------- */

static void dma_fence_unwrap_test_sanitycheck(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_fence_unwrap cursor;

	expect_contents(test, dma_fence_get(fence), 1, &fence);
	KUNIT_EXPECT_NULL(test, dma_fence_unwrap_first(NULL, &cursor));

	/* Containers of one fence are unwrapped as well. */
	expect_contents(test, wrap_array(test, 1, (struct dma_fence *[]) {
				dma_fence_get(fence) }), 1, &fence);
	expect_contents(test, wrap_chain(test, 1, (struct dma_fence *[]) {
				dma_fence_get(fence) }), 1, &fence);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 1);
	dma_fence_put(fence);
}

static void dma_fence_unwrap_test_array(struct kunit *test)
{
	struct dma_fence *fence[3];

	for (int i = 0; i < 3; i++)
		fence[i] = mock_fence_create(test);
	expect_contents(test, wrap_array(test, 3, fence), 3, fence);
	KUNIT_EXPECT_EQ(test, mock_fence_live(test), 0);
}

/* Newest first. */
static void dma_fence_unwrap_test_chain(struct kunit *test)
{
	struct dma_fence *fence[3], *visited[3];

	for (int i = 0; i < 3; i++) {
		fence[i] = mock_fence_create(test);
		visited[2 - i] = fence[i];
	}
	expect_contents(test, wrap_chain(test, 3, fence), 3, visited);
	KUNIT_EXPECT_EQ(test, mock_fence_live(test), 0);
}

static void dma_fence_unwrap_test_chain_array(struct kunit *test)
{
	struct dma_fence *fence[4], *arrays[2];

	for (int i = 0; i < 4; i++)
		fence[i] = mock_fence_create(test);
	arrays[1] = wrap_array(test, 2, &fence[0]);
	arrays[0] = wrap_array(test, 2, &fence[2]);
	expect_contents(test, wrap_chain(test, 2, arrays), 4, fence);
	KUNIT_EXPECT_EQ(test, mock_fence_live(test), 0);
}

/* Signalled members of an array are returned; signalled nodes are not. */
static void dma_fence_unwrap_test_signaled(struct kunit *test)
{
	struct dma_fence *fence[3], *chain;

	for (int i = 0; i < 3; i++)
		fence[i] = mock_fence_create(test);
	dma_fence_signal(fence[1]);
	for (int i = 0; i < 3; i++)
		dma_fence_get(fence[i]);
	expect_contents(test, wrap_array(test, 3, fence), 3, fence);

	chain = wrap_chain(test, 3, fence);
	expect_contents(test, chain, 2,
			(struct dma_fence *[]) { fence[2], fence[0] });
}

/* A break is allowed if the caller puts the node of the cursor. */
static void dma_fence_unwrap_test_leave_early(struct kunit *test)
{
	struct dma_fence *fence[3], *chain, *first;
	struct dma_fence_unwrap cursor;

	for (int i = 0; i < 3; i++)
		fence[i] = mock_fence_create(test);
	chain = wrap_chain(test, 3, fence);
	first = dma_fence_unwrap_first(chain, &cursor);
	KUNIT_EXPECT_PTR_EQ(test, first, fence[2]);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_unwrap_next(&cursor), fence[1]);
	dma_fence_put(cursor.chain);
	dma_fence_put(chain);
	KUNIT_EXPECT_EQ(test, mock_fence_live(test), 0);
}

/* -- merging --------------------------------------------------------------- */

/*
 * Fences are written as context and seqno, one digit each, and a '*' when the
 * fence has signalled. "11 [21 32] <41 51*>" are a fence, an array, and a chain
 * with its oldest node first. What is expected is written the same way, flat.
 */
struct merge_case {
	const char *name;
	const char *merge[4];
	const char *expected;
};

static const struct merge_case merge_cases[] = {
	{ "one fence comes back as it is", { "11" }, "11" },
	{ "an array of one comes back unwrapped", { "[11]" }, "11" },
	{ "a chain of one comes back unwrapped", { "<11>" }, "11" },
	{ "an empty argument is skipped", { "", "11", "" }, "11" },
	{ "two of two timelines", { "11", "21" }, "11 21" },
	{ "order: by context", { "31", "21", "11" }, "11 21 31" },
	{ "order: also out of containers", { "[41 21]", "<31 11>" },
	  "11 21 31 41" },
	{ "duplicates: the very same twice", { "11", "11" }, "11" },
	{ "duplicates: the later one first", { "12", "11" }, "12" },
	{ "duplicates: the later one last", { "11", "12" }, "12" },
	{ "duplicates: the later one in the middle", { "11", "13", "12" },
	  "13" },
	{ "duplicates: among others", { "11 21", "22 31", "12 32" },
	  "12 22 32" },
	{ "duplicates: within a chain", { "<11 12 21>" }, "12 21" },
	{ "duplicates: within an array", { "[22 11 12 21]" }, "12 22" },
	{ "signalled ones are left out", { "11", "21*", "31" }, "11 31" },
	{ "signalled ones in containers, too", { "[11 21*]", "<31* 41 51*>" },
	  "11 41" },
	{ "one pending of many comes back as it is", { "[11* 21* 31]", "41*" },
	  "31" },
	{ "the later has signalled, the earlier is not marked", { "11", "12*" },
	  "11" },
	{ "chains and arrays, interleaved", { "[11 31]", "<21 41>", "[12 51]",
					      "<22 52>" }, "12 22 31 41 52" },
	{ "more than fit at first",
	  { "[11 21 31 41 51]", "<61 71 81 91>", "[12 22]" },
	  "12 22 31 41 51 61 71 81 91" },
};

KUNIT_ARRAY_PARAM_DESC(merge, merge_cases, name);

/* All fences of one case, one per context and seqno. */
struct merge_world {
	u64 context;
	struct dma_fence *fence[10][10];
};

static struct dma_fence *world_fence(struct kunit *test,
				     struct merge_world *world, const char *text)
{
	int context = text[0] - '0', seqno = text[1] - '0';
	struct dma_fence **fence = &world->fence[context][seqno];

	if (!*fence)
		*fence = mock_fence_create_on(test, world->context + context,
					      seqno);
	if (text[2] == '*')
		dma_fence_signal(*fence);
	return *fence;
}

static void world_init(struct merge_world *world)
{
	memset(world, 0, sizeof(*world));
	world->context = dma_fence_context_alloc(10);
}

static void world_put(struct merge_world *world)
{
	for (int context = 0; context < 10; context++)
		for (int seqno = 0; seqno < 10; seqno++)
			dma_fence_put(world->fence[context][seqno]);
}

/*
 * Parse fences up to the end or a closing bracket; with references on request.
 */
static unsigned int world_list(struct kunit *test, struct merge_world *world,
			       const char *text, struct dma_fence **list,
			       bool referenced)
{
	unsigned int count = 0;

	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			continue;
		KUNIT_ASSERT_LT(test, count, 16);
		list[count] = world_fence(test, world, text);
		if (referenced)
			dma_fence_get(list[count]);
		count++;
		text++;
	}
	return count;
}

/* One argument of a merge. A list without brackets becomes an array as well. */
static struct dma_fence *world_argument(struct kunit *test,
					struct merge_world *world,
					const char *text)
{
	struct dma_fence *list[16];
	unsigned int count;

	if (!text)
		return NULL;
	count = world_list(test, world, text, list, true);
	if (!count)
		return NULL;
	if (text[0] == '<')
		return wrap_chain(test, count, list);
	if (text[0] == '[' || count > 1)
		return wrap_array(test, count, list);
	return list[0];
}

static void dma_fence_unwrap_test_merge(struct kunit *test)
{
	const struct merge_case *param = test->param_value;
	struct dma_fence *argument[4], *expected[16], *merged;
	struct merge_world world;
	unsigned int count;

	world_init(&world);
	for (int i = 0; i < 4; i++)
		argument[i] = world_argument(test, &world, param->merge[i]);
	count = world_list(test, &world, param->expected, expected, false);

	merged = dma_fence_unwrap_merge(argument[0], argument[1], argument[2],
					argument[3]);
	for (int i = 0; i < 4; i++)
		dma_fence_put(argument[i]);

	KUNIT_ASSERT_NOT_NULL(test, merged);
	if (count == 1)
		KUNIT_EXPECT_PTR_EQ(test, merged, expected[0]);
	else
		KUNIT_EXPECT_TRUE(test, dma_fence_is_array(merged));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(merged));
	expect_contents(test, dma_fence_get(merged), count, expected);

	/* It signals when all of them have. */
	for (unsigned int i = 0; i < count; i++) {
		KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(merged));
		dma_fence_signal(expected[i]);
	}
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(merged));
	dma_fence_put(merged);
	world_put(&world);
	KUNIT_EXPECT_EQ(test, mock_fence_live(test), 0);
}

/* Merges of merges stay flat. */
static void dma_fence_unwrap_test_merge_complex(struct kunit *test)
{
	struct dma_fence *fence[MOST], *one, *two, *all;
	u64 context = dma_fence_context_alloc(MOST);

	for (int i = 0; i < MOST; i++)
		fence[i] = mock_fence_create_on(test, context + i, 1);

	one = dma_fence_unwrap_merge(fence[0], fence[4], fence[1]);
	KUNIT_ASSERT_NOT_NULL(test, one);
	two = dma_fence_unwrap_merge(fence[7], one, fence[2], fence[6]);
	KUNIT_ASSERT_NOT_NULL(test, two);
	all = dma_fence_unwrap_merge(two, fence[3], one, fence[5], two);
	KUNIT_ASSERT_NOT_NULL(test, all);
	dma_fence_put(one);
	dma_fence_put(two);

	KUNIT_EXPECT_EQ(test, to_dma_fence_array(all)->num_fences, MOST);
	expect_contents(test, all, MOST, fence);
	for (int i = 0; i < MOST; i++)
		dma_fence_put(fence[i]);
	KUNIT_EXPECT_EQ(test, mock_fence_live(test), 0);
}

/* Fences of a large merge, and the contexts that they share. */
#define MANY		1000
#define MANY_CONTEXTS	300
#define MANY_ARRAYS	3

/*
 * Merge arrays of fences in no particular order and with a third as many
 * contexts, then merge the result with itself and with one more array. Each
 * time the result is ordered by context and has the latest fence of each.
 */
static void dma_fence_unwrap_test_merge_many(struct kunit *test)
{
	struct dma_fence **fence, **expected, *array[MANY_ARRAYS];
	u64 context = dma_fence_context_alloc(MANY_CONTEXTS);
	unsigned int len = MANY / MANY_ARRAYS, count = 0;
	struct dma_fence *once, *again;
	struct rnd_state random;

	fence = kunit_kcalloc(test, MANY, sizeof(*fence), GFP_KERNEL);
	expected = kunit_kcalloc(test, MANY_CONTEXTS, sizeof(*expected),
				 GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_ASSERT_NOT_NULL(test, expected);

	prandom_seed_state(&random, 1);
	for (unsigned int i = 0; i < len * MANY_ARRAYS; i++) {
		u32 line = prandom_u32_state(&random) % MANY_CONTEXTS;

		/* Every number occurs once, and in no order on a timeline. */
		fence[i] = mock_fence_create_on(test, context + line,
						1 + i * 7 % MANY);
		if (!expected[line] || fence[i]->seqno > expected[line]->seqno)
			expected[line] = fence[i];
	}
	for (unsigned int i = 0; i < MANY_CONTEXTS; i++)
		if (expected[i])
			expected[count++] = dma_fence_get(expected[i]);
	for (unsigned int i = 0; i < MANY_ARRAYS; i++)
		array[i] = wrap_array(test, len, fence + i * len);

	once = dma_fence_unwrap_merge(array[0], array[1], array[2]);
	expect_contents(test, dma_fence_get(once), count, expected);
	again = dma_fence_unwrap_merge(once, array[1], once);
	expect_contents(test, again, count, expected);

	dma_fence_put(once);
	for (unsigned int i = 0; i < MANY_ARRAYS; i++)
		dma_fence_put(array[i]);
	while (count--)
		dma_fence_put(expected[count]);
	KUNIT_EXPECT_EQ(test, mock_fence_live(test), 0);
}

static void dma_fence_unwrap_test_merge_64bit_seqno(struct kunit *test)
{
	u64 context = dma_fence_context_alloc(1);
	struct dma_fence *early, *late, *merged;

	early = mock_fence_create_ops(test, &mock_fence_ops_64bit, context,
				      U32_MAX);
	late = mock_fence_create_ops(test, &mock_fence_ops_64bit, context,
				     BIT_ULL(32) + 5);
	merged = dma_fence_unwrap_merge(late, early);
	KUNIT_EXPECT_PTR_EQ(test, merged, late);
	dma_fence_put(merged);
	dma_fence_put(early);
	dma_fence_put(late);
}

/* With 32 bits the seqnos have wrapped around: the small one is the later. */
static void dma_fence_unwrap_test_merge_wrapped_seqno(struct kunit *test)
{
	u64 context = dma_fence_context_alloc(1);
	struct dma_fence *early, *late, *merged;

	early = mock_fence_create_on(test, context, U32_MAX);
	late = mock_fence_create_on(test, context, 1);
	merged = dma_fence_unwrap_merge(early, late);
	KUNIT_EXPECT_PTR_EQ(test, merged, late);
	dma_fence_put(merged);
	dma_fence_put(early);
	dma_fence_put(late);
}

/* All have signalled: the result is a stub with the time of the last. */
static void dma_fence_unwrap_test_merge_timestamp(struct kunit *test)
{
	static const int times[] = { 1000, 3000, 2000 };
	struct dma_fence *fence[3], *chain, *array, *merged;

	for (int i = 0; i < 3; i++) {
		fence[i] = mock_fence_create(test);
		dma_fence_signal_timestamp(fence[i], times[i]);
	}

	merged = dma_fence_unwrap_merge(fence[0], fence[1], fence[2]);
	KUNIT_ASSERT_NOT_NULL(test, merged);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(merged), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(merged), 3000);
	dma_fence_put(merged);

	array = wrap_array(test, 2, &fence[0]);
	chain = wrap_chain(test, 1, &fence[2]);
	merged = dma_fence_unwrap_merge(chain, array);
	KUNIT_ASSERT_NOT_NULL(test, merged);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(merged));
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(merged), 3000);
	dma_fence_put(merged);
	dma_fence_put(array);
	dma_fence_put(chain);
}

static void dma_fence_unwrap_test_merge_nothing(struct kunit *test)
{
	struct dma_fence *merged;

	merged = __dma_fence_unwrap_merge(0, NULL, NULL);
	KUNIT_ASSERT_NOT_NULL(test, merged);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(merged));
	dma_fence_put(merged);
}

static struct kunit_case dma_fence_unwrap_cases[] = {
	KUNIT_CASE(dma_fence_unwrap_test_sanitycheck),
	KUNIT_CASE(dma_fence_unwrap_test_array),
	KUNIT_CASE(dma_fence_unwrap_test_chain),
	KUNIT_CASE(dma_fence_unwrap_test_chain_array),
	KUNIT_CASE(dma_fence_unwrap_test_signaled),
	KUNIT_CASE(dma_fence_unwrap_test_leave_early),
	KUNIT_CASE_PARAM(dma_fence_unwrap_test_merge, merge_gen_params),
	KUNIT_CASE(dma_fence_unwrap_test_merge_complex),
	KUNIT_CASE(dma_fence_unwrap_test_merge_many),
	KUNIT_CASE(dma_fence_unwrap_test_merge_64bit_seqno),
	KUNIT_CASE(dma_fence_unwrap_test_merge_wrapped_seqno),
	KUNIT_CASE(dma_fence_unwrap_test_merge_timestamp),
	KUNIT_CASE(dma_fence_unwrap_test_merge_nothing),
	{}
};

static struct kunit_suite dma_fence_unwrap_suite = {
	.name = "dma_fence_unwrap",
	.test_cases = dma_fence_unwrap_cases,
};

kunit_test_suite(dma_fence_unwrap_suite);
