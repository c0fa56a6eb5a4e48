// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-fence-unwrap.c and the containers against plain sets of fences.
 *
 * The model of a container is the set of its fences. A merge has to contain the
 * latest pending fence of each timeline, in the order of timelines, and to
 * signal when all of them have.
 */
#include "plain_fence.h"

#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-fence-unwrap.h>

const char *model_name(void)
{
	return "unwrap and merge";
}

#define CONTEXTS	5
#define PLAIN_MAX	24
#define HEADS_MAX	10
#define MEMBERS_MAX	40

/* A fence of a driver. Its timeline begins where 32 bits wrap around. */
struct plain {
	struct dma_fence *fence;
	unsigned int context;
	unsigned int place;		/* position on that timeline */
	bool over;
	ktime_t when;
};

/* Any fence, with the set of plain fences in it. */
struct head {
	struct dma_fence *fence;
	unsigned int members[MEMBERS_MAX];
	unsigned int count;
	bool chain;
	bool flat;			/* may be a member of an array */
};

static struct plain plain[PLAIN_MAX];
static struct head heads[HEADS_MAX];
static unsigned int nr_plain, nr_heads, places[CONTEXTS];
static u64 contexts;

static void step_plain(struct model_input *in)
{
	struct plain *p = &plain[nr_plain];

	if (nr_plain == PLAIN_MAX || nr_heads == HEADS_MAX)
		return;
	*p = (struct plain){ .context = model_pick(in, CONTEXTS) };
	p->place = places[p->context]++;
	p->fence = malloc(sizeof(*p->fence));
	dma_fence_init(p->fence, &plain_ops, &plain_lock, contexts + p->context,
		       (u32)(p->place - 3));
	heads[nr_heads++] = (struct head){
		.fence = dma_fence_get(p->fence), .members = { nr_plain },
		.count = 1, .flat = true,
	};
	nr_plain++;
}

/* Signal in the order of the timeline, as every driver does. */
static void step_signal(struct model_input *in)
{
	unsigned int context = model_pick(in, CONTEXTS);

	for (unsigned int i = 0; i < nr_plain; i++) {
		struct plain *p = &plain[i];

		if (p->context != context || p->over)
			continue;
		p->over = true;
		p->when = ktime_get();
		dma_fence_signal_timestamp(p->fence, p->when);
		break;
	}
	if (model_pick(in, 2))
		model_interrupt();
}

/* Take the fence of a head, which is removed. */
static struct dma_fence *take_head(unsigned int i, struct head *into)
{
	struct dma_fence *fence = heads[i].fence;

	memcpy(&into->members[into->count], heads[i].members,
	       heads[i].count * sizeof(into->members[0]));
	into->count += heads[i].count;
	heads[i] = heads[--nr_heads];
	return fence;
}

static void step_array(struct model_input *in)
{
	unsigned int want = 1 + model_pick(in, 4), got = 0;
	struct head head = {};
	struct dma_fence **table = calloc(want, sizeof(*table));
	struct dma_fence_array *array;

	for (unsigned int i = nr_heads; i-- && got < want;)
		if (heads[i].flat)
			table[got++] = take_head(i, &head);
	array = got ? dma_fence_array_create(got, table, contexts + CONTEXTS, 1, false) :
		      NULL;
	if (array) {
		head.fence = &array->base;
		heads[nr_heads++] = head;
		return;
	}
	model_check(!got || model_failures());
	while (got--)
		dma_fence_put(table[got]);
	free(table);
}

/* Link two heads. A node cannot contain a chain, so only one may be a chain. */
static void step_chain(struct model_input *in)
{
	struct dma_fence_chain *node;
	struct head head = { .chain = true };
	struct dma_fence *prev;
	unsigned int i, j;

	if (nr_heads < 2)
		return;
	i = model_pick(in, nr_heads);
	j = (i + 1) % nr_heads;
	if (heads[i].chain || heads[i].count + heads[j].count > MEMBERS_MAX)
		return;
	node = dma_fence_chain_alloc();
	if (!node)
		return;
	/* Remove the later one first, so that the index of the other stays. */
	prev = take_head(max(i, j), &head);
	if (i > j)
		dma_fence_chain_init(node, take_head(j, &head), prev, 1 + model_pick(in, 9));
	else
		dma_fence_chain_init(node, prev, take_head(i, &head), 1 + model_pick(in, 9));
	head.fence = &node->base;
	heads[nr_heads++] = head;
}

/* Get the latest pending fence of a timeline in @set, or NULL. */
static struct plain *naive_latest(const bool *set, unsigned int context)
{
	struct plain *latest = NULL;

	for (unsigned int i = 0; i < nr_plain; i++)
		if (set[i] && !plain[i].over && plain[i].context == context &&
		    (!latest || plain[i].place > latest->place))
			latest = &plain[i];
	return latest;
}

/* An iteration must return each pending fence as often as it is contained. */
static void check_unwrap(const struct head *head)
{
	int missing[PLAIN_MAX] = {};
	struct dma_fence_unwrap cursor;
	struct dma_fence *fence;
	unsigned int i;

	for (i = 0; i < head->count; i++)
		missing[head->members[i]]++;
	dma_fence_unwrap_for_each(fence, &cursor, head->fence) {
		for (i = 0; i < nr_plain && plain[i].fence != fence; i++)
			;
		model_check(i < nr_plain);
		model_check(missing[i]-- > 0);
	}
	for (i = 0; i < nr_plain; i++)
		model_check(!missing[i] || plain[i].over);
}

static void check_merged(struct dma_fence *merged, const bool *set)
{
	struct dma_fence_array *array = to_dma_fence_array(merged);
	struct plain *latest, *only = NULL;
	unsigned int count = 0;
	ktime_t when = 0;

	for (unsigned int i = 0; i < nr_plain; i++)
		if (set[i] && plain[i].over)
			when = max(when, plain[i].when);
	for (unsigned int context = 0; context < CONTEXTS; context++) {
		latest = naive_latest(set, context);
		if (!latest)
			continue;
		if (array)
			model_check(count < array->num_fences &&
				    array->fences[count] == latest->fence);
		only = latest;
		count++;
	}
	if (array) {
		model_check(count > 1 && array->num_fences == count);
		model_check(!dma_fence_is_signaled(merged));
	} else if (count) {
		model_check(count == 1 && merged == only->fence);
	} else {
		model_check(dma_fence_is_signaled(merged));
		/* Chains unlink signalled fences, and lose their times. */
		model_check(dma_fence_timestamp(merged) <= when);
	}
}

static void step_merge(struct model_input *in)
{
	struct dma_fence *fences[HEADS_MAX] = {}, *merged;
	struct dma_fence_unwrap cursors[HEADS_MAX];
	unsigned int count = 1 + model_pick(in, HEADS_MAX - 1);
	bool set[PLAIN_MAX] = {};
	unsigned int failed = model_failures();

	for (unsigned int i = 0; i < count; i++) {
		unsigned int pick = model_pick(in, HEADS_MAX);

		if (pick >= nr_heads)
			continue;
		fences[i] = heads[pick].fence;
		for (unsigned int j = 0; j < heads[pick].count; j++)
			set[heads[pick].members[j]] = true;
	}
	merged = __dma_fence_unwrap_merge(count, fences, cursors);
	if (!merged) {
		model_check(model_failures() > failed);
		return;
	}
	check_merged(merged, set);
	if (model_pick(in, 2))
		dma_fence_enable_sw_signaling(merged);
	/* The merge is a head like any other from here on. */
	if (nr_heads < HEADS_MAX && !dma_fence_is_array(merged)) {
		dma_fence_put(merged);
	} else if (nr_heads < HEADS_MAX) {
		struct head head = { .fence = merged };

		for (unsigned int context = 0; context < CONTEXTS; context++) {
			struct plain *latest = naive_latest(set, context);

			if (latest)
				head.members[head.count++] = latest - plain;
		}
		heads[nr_heads++] = head;
	} else {
		dma_fence_put(merged);
	}
}

/* A container has signalled when all its fences have. */
static void check_over(void)
{
	for (unsigned int i = 0; i < nr_heads; i++) {
		bool over = true;

		for (unsigned int j = 0; j < heads[i].count; j++)
			over &= plain[heads[i].members[j]].over;
		model_check(dma_fence_is_signaled(heads[i].fence) == over);
	}
}

static void run_step(struct model_input *in)
{
	unsigned int pick;

	switch (model_pick(in, 16)) {
	case 0 ... 4:
		step_plain(in);
		break;
	case 5 ... 6:
		step_array(in);
		break;
	case 7 ... 9:
		step_chain(in);
		break;
	case 10 ... 11:
		step_signal(in);
		break;
	case 12:
		pick = model_pick(in, HEADS_MAX);
		if (pick < nr_heads)
			check_unwrap(&heads[pick]);
		break;
	case 13:
		pick = model_pick(in, HEADS_MAX);
		if (pick < nr_heads)
			dma_fence_enable_sw_signaling(heads[pick].fence);
		break;
	default:
		step_merge(in);
		break;
	}
}

void model_run(struct model_input *in)
{
	static bool booted;

	if (!booted) {
		model_boot();
		booted = true;
	}
	nr_plain = 0;
	nr_heads = 0;
	memset(places, 0, sizeof(places));
	contexts = dma_fence_context_alloc(CONTEXTS + 1);
	model_let_fail(in, model_pick(in, 4) == 3 ? 16 : 0);

	while (in->left)
		run_step(in);

	model_let_fail(NULL, 0);
	model_interrupt();
	check_over();
	for (unsigned int i = 0; i < nr_plain; i++)
		if (!plain[i].over)
			dma_fence_signal(plain[i].fence);
	model_interrupt();
	for (unsigned int i = 0; i < nr_plain; i++)
		plain[i].over = true;
	check_over();
	while (nr_heads)
		dma_fence_put(heads[--nr_heads].fence);
	for (unsigned int i = 0; i < nr_plain; i++) {
		/* All other references must be dropped. */
		model_check(kref_read(&plain[i].fence->refcount) == 1);
		dma_fence_put(plain[i].fence);
	}
}
