// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-resv.c against a list of what was ever added.
 *
 * What queries return and what was added are compared after both have been
 * reduced to what matters: pending fences, without those that a later one of
 * the same timeline covers. Slots, capacities and lists do not matter, only
 * that no fence is lost or made up, and that a failure changes nothing.
 */
#include "plain_fence.h"

#include <linux/dma-fence-array.h>
#include <linux/dma-resv.h>

const char *model_name(void)
{
	return "fences of reservation objects";
}

#define CONTEXTS	4
#define FENCES_MAX	48
#define ENTRIES_MAX	256
#define OBJECTS		2

struct plain {
	struct dma_fence *fence;
	unsigned int context;
	unsigned int place;
	bool over;
};

/* A fence with its usage; fences are known by their index. */
struct entry {
	unsigned int plain;
	enum dma_resv_usage usage;
};

struct entries {
	struct entry entry[ENTRIES_MAX];
	unsigned int count;
};

struct object {
	struct dma_resv resv;
	struct entries naive;
};

static struct plain plain[FENCES_MAX];
static unsigned int nr_plain, places[CONTEXTS];
static struct object objects[OBJECTS];
static u64 contexts;

static unsigned int step_fence(struct model_input *in)
{
	struct plain *p = &plain[nr_plain];

	if (nr_plain == FENCES_MAX)
		return model_pick(in, FENCES_MAX);
	*p = (struct plain){ .context = model_pick(in, CONTEXTS) };
	p->place = places[p->context]++;
	p->fence = malloc(sizeof(*p->fence));
	dma_fence_init(p->fence, &plain_ops, &plain_lock, contexts + p->context,
		       (u32)(p->place - 5));
	return nr_plain++;
}

static void step_signal(struct model_input *in)
{
	unsigned int context = model_pick(in, CONTEXTS);

	for (unsigned int i = 0; i < nr_plain; i++) {
		if (plain[i].context != context || plain[i].over)
			continue;
		plain[i].over = true;
		dma_fence_signal(plain[i].fence);
		break;
	}
}

/* -- what matters ----------------------------------------------------------- */

/* Test whether a wait for @by is a wait for @e as well. */
static bool covered(const struct entry *e, const struct entry *by)
{
	return plain[e->plain].context == plain[by->plain].context &&
	       by->usage <= e->usage &&
	       plain[by->plain].place >= plain[e->plain].place;
}

static void entries_add(struct entries *entries, struct entry e)
{
	unsigned int kept = 0;

	if (plain[e.plain].over)
		return;
	for (unsigned int i = 0; i < entries->count; i++)
		if (covered(&e, &entries->entry[i]))
			return;
	for (unsigned int i = 0; i < entries->count; i++)
		if (!covered(&entries->entry[i], &e))
			entries->entry[kept++] = entries->entry[i];
	model_check(kept < ENTRIES_MAX);
	entries->entry[kept++] = e;
	entries->count = kept;
}

/* Reduce to fences of @usage and lower. */
static struct entries reduce(const struct entries *from, enum dma_resv_usage usage)
{
	struct entries to = {};

	for (unsigned int i = 0; i < from->count; i++)
		if (from->entry[i].usage <= usage)
			entries_add(&to, from->entry[i]);
	return to;
}

static bool has(const struct entries *entries, const struct entry *e)
{
	for (unsigned int i = 0; i < entries->count; i++)
		if (covered(e, &entries->entry[i]))
			return true;
	return false;
}

/* Compare reduced entries: they are the same if each covers the other. */
static void check_same(const struct entries *a, const struct entries *b)
{
	model_check(a->count == b->count);
	for (unsigned int i = 0; i < a->count; i++)
		model_check(has(b, &a->entry[i]));
	for (unsigned int i = 0; i < b->count; i++)
		model_check(has(a, &b->entry[i]));
}

static unsigned int plain_of(struct dma_fence *fence)
{
	for (unsigned int i = 0; i < nr_plain; i++)
		if (plain[i].fence == fence)
			return i;
	model_fail("a fence from nowhere");
}

static struct entry entry_of(struct dma_resv_iter *cursor, struct dma_fence *fence)
{
	return (struct entry){ plain_of(fence), dma_resv_iter_usage(cursor) };
}

/* -- queries ----------------------------------------------------------------- */

static void check_locked(struct object *object, enum dma_resv_usage usage)
{
	struct entries found = {}, want = reduce(&object->naive, usage);
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_lock(&object->resv, NULL);
	dma_resv_for_each_fence(&cursor, &object->resv, usage, fence)
		entries_add(&found, entry_of(&cursor, fence));
	dma_resv_unlock(&object->resv);
	check_same(&found, &want);
}

static void run_step(struct model_input *in, bool nested);

/* A replace has run since the start of the walk. */
static bool replaced;

/*
 * Walk without the lock, with changes of the object between two steps: a fence
 * that was in it at the last restart and is still there must have been
 * returned.
 */
static void check_unlocked(struct model_input *in, struct object *object,
			   enum dma_resv_usage usage, bool nested)
{
	struct entries found = {}, before = {}, want;
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	bool done;

	/* A walk inside a walk runs no steps, so it changes nothing. */
	if (!nested)
		replaced = false;
	dma_resv_iter_begin(&cursor, &object->resv, usage);
	before = reduce(&object->naive, usage);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		if (dma_resv_iter_is_restarted(&cursor)) {
			found.count = 0;
			before = reduce(&object->naive, usage);
		}
		model_check(dma_resv_iter_usage(&cursor) <= usage);
		model_check(!plain[plain_of(fence)].over);
		entries_add(&found, entry_of(&cursor, fence));
		if (!nested && model_pick(in, 4) == 3)
			run_step(in, true);
	}
	done = dma_resv_iter_is_restarted(&cursor);
	dma_resv_iter_end(&cursor);
	if (done) {
		/* The last restart found no fence. */
		want = reduce(&object->naive, usage);
		model_check(!want.count);
		return;
	}
	/* A fence that was replaced and added again need not be returned. */
	want = reduce(&object->naive, usage);
	for (unsigned int i = 0; !(replaced && !nested) && i < before.count; i++)
		if (has(&want, &before.entry[i]) && !plain[before.entry[i].plain].over)
			model_check(has(&found, &before.entry[i]));
}

static void check_get(struct object *object, enum dma_resv_usage usage)
{
	struct entries found = {}, want = reduce(&object->naive, usage);
	unsigned int count, failed = model_failures();
	struct dma_fence **fences;

	if (dma_resv_get_fences(&object->resv, usage, &count, &fences)) {
		model_check(model_failures() > failed && !count && !fences);
		return;
	}
	for (unsigned int i = 0; i < count; i++) {
		/* The usage is not returned; compare with the lowest. */
		entries_add(&found, (struct entry){ plain_of(fences[i]), 0 });
		dma_fence_put(fences[i]);
	}
	kfree(fences);
	for (unsigned int i = 0; i < want.count; i++) {
		want.entry[i].usage = 0;
		model_check(has(&found, &want.entry[i]));
	}
	for (unsigned int i = 0; i < found.count; i++)
		model_check(has(&want, &found.entry[i]));
}

static void check_singleton(struct object *object, enum dma_resv_usage usage)
{
	struct entries want = reduce(&object->naive, usage);
	unsigned int failed = model_failures();
	struct dma_fence *all;

	model_check(dma_resv_test_signaled(&object->resv, usage) == !want.count);
	if (dma_resv_get_singleton(&object->resv, usage, &all)) {
		model_check(model_failures() > failed && !all);
		return;
	}
	model_check(!all == !want.count);
	model_check(!all || !dma_fence_is_signaled(all));
	dma_fence_put(all);
}

/* -- changing ---------------------------------------------------------------- */

static void step_add(struct model_input *in, struct object *object)
{
	unsigned int count = 1 + model_pick(in, 4), failed = model_failures();
	enum dma_resv_usage usage;
	unsigned int i;

	dma_resv_lock(&object->resv, NULL);
	if (model_pick(in, 4) == 3)
		count += model_pick(in, 40);
	if (dma_resv_reserve_fences(&object->resv, count)) {
		model_check(model_failures() > failed);
		count = 0;
	}
	/* Not more than reserved: a warning ends the program. */
	while (count-- && (in->left || !model_pick(in, 2))) {
		i = step_fence(in);
		if (i >= nr_plain)
			break;
		usage = model_pick(in, DMA_RESV_USAGE_BOOKKEEP + 1);
		dma_resv_add_fence(&object->resv, plain[i].fence, usage);
		entries_add(&object->naive, (struct entry){ i, usage });
		if (!in->left)
			break;
	}
	dma_resv_unlock(&object->resv);
}

/* Signalled fences may be in the list or not, so choose a pending one. */
static void step_replace(struct model_input *in, struct object *object)
{
	struct entries now = reduce(&object->naive, DMA_RESV_USAGE_BOOKKEEP);
	enum dma_resv_usage usage = model_pick(in, DMA_RESV_USAGE_BOOKKEEP + 1);
	unsigned int context, kept = 0, i = step_fence(in);

	if (!now.count || i >= nr_plain)
		return;
	context = plain[now.entry[model_pick(in, now.count)].plain].context;
	replaced = true;
	dma_resv_lock(&object->resv, NULL);
	dma_resv_replace_fences(&object->resv, contexts + context, plain[i].fence, usage);
	dma_resv_unlock(&object->resv);
	for (unsigned int j = 0; j < now.count; j++)
		if (plain[now.entry[j].plain].context != context)
			now.entry[kept++] = now.entry[j];
	now.count = kept;
	entries_add(&now, (struct entry){ i, usage });
	object->naive = now;
}

static void step_copy(struct object *to, struct object *from)
{
	unsigned int failed = model_failures();

	dma_resv_lock(&to->resv, NULL);
	if (dma_resv_copy_fences(&to->resv, &from->resv))
		model_check(model_failures() > failed);
	else
		to->naive = reduce(&from->naive, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_unlock(&to->resv);
}

static void run_step(struct model_input *in, bool nested)
{
	struct object *object = &objects[model_pick(in, OBJECTS)];
	enum dma_resv_usage usage = model_pick(in, DMA_RESV_USAGE_BOOKKEEP + 1);

	switch (model_pick(in, 16)) {
	case 0 ... 4:
		step_add(in, object);
		break;
	case 5 ... 7:
		step_signal(in);
		break;
	case 8:
		step_replace(in, object);
		break;
	case 9:
		step_copy(object, &objects[0] + (object == &objects[0]));
		break;
	case 10:
		check_get(object, usage);
		break;
	case 11:
		check_singleton(object, usage);
		break;
	case 12 ... 13:
		check_unlocked(in, object, usage, nested);
		break;
	default:
		check_locked(object, usage);
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
	memset(places, 0, sizeof(places));
	contexts = dma_fence_context_alloc(CONTEXTS);
	for (unsigned int i = 0; i < OBJECTS; i++) {
		dma_resv_init(&objects[i].resv);
		objects[i].naive.count = 0;
	}
	model_let_fail(in, model_pick(in, 4) == 3 ? 8 : 0);

	while (in->left)
		run_step(in, false);

	model_let_fail(NULL, 0);
	for (unsigned int i = 0; i < OBJECTS; i++) {
		check_locked(&objects[i], DMA_RESV_USAGE_BOOKKEEP);
		dma_resv_fini(&objects[i].resv);
	}
	model_interrupt();
	for (unsigned int i = 0; i < nr_plain; i++) {
		/* All other references must be dropped. */
		model_check(kref_read(&plain[i].fence->refcount) == 1);
		if (!plain[i].over)
			dma_fence_signal(plain[i].fence);
		dma_fence_put(plain[i].fence);
	}
}
