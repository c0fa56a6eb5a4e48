// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite of dma-resv.c: which fences an object holds, and which ones a
 * query returns. Readers against writers are tested in dma_resv_race_kunit.c.
 */
#include <kunit/test.h>

#include <linux/dma-resv.h>
#include <linux/rcupdate.h>

#include "dma_resv_kunit.h"

/* ---- helpers ------------------------------------------------------------ */

/* Count the used slots, signalled or not. */
static unsigned int resv_count(struct dma_resv *obj)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	unsigned int count = 0;

	guard(dma_resv)(obj);
	dma_resv_for_each_fence(&cursor, obj, DMA_RESV_USAGE_BOOKKEEP, fence)
		count++;
	return count;
}

/* The usage that @fence is attached with, or -ENOENT. */
static int resv_usage_of(struct dma_resv *obj, struct dma_fence *wanted)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	guard(dma_resv)(obj);
	dma_resv_for_each_fence(&cursor, obj, DMA_RESV_USAGE_BOOKKEEP, fence)
		if (fence == wanted)
			return dma_resv_iter_usage(&cursor);
	return -ENOENT;
}

/* ---- initialization and release ----------------------------------------- */

/* Succeeds if the object holds a reference to a fence until its own release. */
static void dma_resv_test_sanitycheck(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_resv resv;

	dma_resv_init(&resv);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(&resv));
	resv_attach(test, &resv, fence, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_EQ(test, 2, kref_read(&fence->refcount));

	dma_resv_fini(&resv);
	KUNIT_EXPECT_EQ(test, 1, kref_read(&fence->refcount));
	dma_fence_put(fence);
}

/* Succeeds if each way to lock excludes the others and the guard unlocks. */
static void dma_resv_test_lock(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	struct ww_acquire_ctx ctx;
	int ret;

	scoped_guard(dma_resv, obj) {
		KUNIT_EXPECT_TRUE(test, dma_resv_is_locked(obj));
		KUNIT_EXPECT_NULL(test, dma_resv_locking_ctx(obj));
		KUNIT_EXPECT_FALSE(test, dma_resv_trylock(obj));
	}
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(obj));

	KUNIT_ASSERT_TRUE(test, dma_resv_trylock(obj));
	dma_resv_unlock(obj);

	ret = 0;
	scoped_cond_guard(dma_resv_intr, ret = -EINTR, obj)
		KUNIT_EXPECT_TRUE(test, dma_resv_is_locked(obj));
	KUNIT_EXPECT_EQ(test, 0, ret);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(obj));

	ww_acquire_init(&ctx, &reservation_ww_class);
	ret = dma_resv_lock(obj, &ctx);
	if (ret == -EDEADLK) { /* injected by CONFIG_DEBUG_WW_MUTEX_SLOWPATH */
		dma_resv_lock_slow(obj, &ctx);
		ret = 0;
	}
	KUNIT_EXPECT_EQ(test, 0, ret);
	KUNIT_EXPECT_PTR_EQ(test, &ctx, dma_resv_locking_ctx(obj));
	KUNIT_EXPECT_EQ(test, -EALREADY, dma_resv_lock(obj, &ctx));
	dma_resv_unlock(obj);
	ww_acquire_fini(&ctx);
}

/* ---- reserving ---------------------------------------------------------- */

/* Succeeds if a reservation that fits leaves the list where it is. */
static void dma_resv_test_reserve_fits(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	void *list;

	guard(dma_resv)(obj);
	KUNIT_ASSERT_EQ(test, 0, dma_resv_reserve_fences(obj, 2));
	list = (void __force *)rcu_access_pointer(obj->fences);
	KUNIT_ASSERT_NOT_NULL(test, list);
	KUNIT_EXPECT_EQ(test, 0, dma_resv_reserve_fences(obj, 1));
	KUNIT_EXPECT_EQ(test, 0, dma_resv_reserve_fences(obj, 2));
	KUNIT_EXPECT_PTR_EQ(test, list,
			    (void __force *)rcu_access_pointer(obj->fences));
}

/*
 * Succeeds if growing keeps pending fences and their usage, and drops the rest.
 */
static void dma_resv_test_reserve_grows(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	struct dma_fence *busy[40], *done;
	unsigned int i;

	done = mock_fence_create(test);
	resv_attach(test, obj, done, DMA_RESV_USAGE_READ);

	for (i = 0; i < ARRAY_SIZE(busy); i++)
		busy[i] = resv_attach_new(test, obj, i % ARRAY_SIZE(usage_cases));
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(busy) + 1, resv_count(obj));

	dma_fence_signal(done);
	scoped_guard(dma_resv, obj)
		KUNIT_EXPECT_EQ(test, 0, dma_resv_reserve_fences(obj, 1000));

	KUNIT_EXPECT_EQ(test, 1, kref_read(&done->refcount));
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(busy), resv_count(obj));
	for (i = 0; i < ARRAY_SIZE(busy); i++) {
		KUNIT_EXPECT_EQ(test, i % ARRAY_SIZE(usage_cases),
				resv_usage_of(obj, busy[i]));
		KUNIT_EXPECT_EQ(test, 1, kref_read(&busy[i]->refcount));
	}
	dma_fence_put(done);
}

/* Succeeds if a reservation of no slots is refused. */
static void dma_resv_test_reserve_nothing(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);

	mock_fence_expect_misuse(test);
	scoped_guard(dma_resv, obj)
		KUNIT_EXPECT_EQ(test, -EINVAL, dma_resv_reserve_fences(obj, 0));
	KUNIT_EXPECT_EQ(test, 0, resv_count(obj));
}

/* Succeeds if a reservation that is too large fails and changes nothing. */
static void dma_resv_test_reserve_overflow(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	struct dma_fence *fence;

	fence = resv_attach_new(test, obj, DMA_RESV_USAGE_WRITE);
	scoped_guard(dma_resv, obj)
		KUNIT_EXPECT_EQ(test, -ENOMEM,
				dma_resv_reserve_fences(obj, UINT_MAX));
	KUNIT_EXPECT_EQ(test, 1, resv_count(obj));
	KUNIT_EXPECT_EQ(test, DMA_RESV_USAGE_WRITE, resv_usage_of(obj, fence));
}

/* ---- adding and replacing ----------------------------------------------- */

struct add_case {
	const char *desc;
	enum dma_resv_usage first, second;
	u64 second_seqno; /* the first one's is 5 */
	bool same_context;
	bool first_signaled;
	bool replaces;
};

static const struct add_case add_cases[] = {
	{
		.desc = "later fence of its context takes the slot",
		.first = DMA_RESV_USAGE_READ, .second = DMA_RESV_USAGE_READ,
		.second_seqno = 6, .same_context = true, .replaces = true,
	}, {
		.desc = "earlier fence of its context gets its own",
		.first = DMA_RESV_USAGE_READ, .second = DMA_RESV_USAGE_READ,
		.second_seqno = 4, .same_context = true,
	}, {
		.desc = "later with a lower usage replaces it",
		.first = DMA_RESV_USAGE_BOOKKEEP, .second = DMA_RESV_USAGE_KERNEL,
		.second_seqno = 6, .same_context = true, .replaces = true,
	}, {
		.desc = "later with a higher usage gets its own slot",
		.first = DMA_RESV_USAGE_WRITE, .second = DMA_RESV_USAGE_READ,
		.second_seqno = 6, .same_context = true,
	}, {
		.desc = "fence of another context gets its own",
		.first = DMA_RESV_USAGE_READ, .second = DMA_RESV_USAGE_READ,
		.second_seqno = 6,
	}, {
		.desc = "signalled fence gives up its slot to any other",
		.first = DMA_RESV_USAGE_KERNEL, .second = DMA_RESV_USAGE_BOOKKEEP,
		.second_seqno = 1, .first_signaled = true, .replaces = true,
	},
};

KUNIT_ARRAY_PARAM_DESC(add, add_cases, desc);

/* Succeeds if the second fence replaces the first one exactly when it may. */
static void dma_resv_test_add(struct kunit *test)
{
	const struct add_case *param = test->param_value;
	struct dma_resv *obj = resv_create(test);
	u64 context = dma_fence_context_alloc(2);
	struct dma_fence *first, *second;

	first = mock_fence_create_on(test, context, 5);
	second = mock_fence_create_on(test, context + !param->same_context,
				      param->second_seqno);

	resv_attach(test, obj, first, param->first);
	if (param->first_signaled)
		dma_fence_signal(first);
	resv_attach(test, obj, second, param->second);

	KUNIT_EXPECT_EQ(test, param->replaces ? 1 : 2, resv_count(obj));
	KUNIT_EXPECT_EQ(test, param->replaces ? 1 : 2,
			kref_read(&first->refcount));
	KUNIT_EXPECT_EQ(test, 2, kref_read(&second->refcount));
	KUNIT_EXPECT_EQ(test, param->second, resv_usage_of(obj, second));

	dma_fence_put(first);
	dma_fence_put(second);
}

/* Succeeds if adding a fence twice lowers its usage and never raises it. */
static void dma_resv_test_add_twice(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	struct dma_fence *fence = mock_fence_create(test);

	resv_attach(test, obj, fence, DMA_RESV_USAGE_BOOKKEEP);
	resv_attach(test, obj, fence, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_EQ(test, 1, resv_count(obj));
	KUNIT_EXPECT_EQ(test, DMA_RESV_USAGE_WRITE, resv_usage_of(obj, fence));

	resv_attach(test, obj, fence, DMA_RESV_USAGE_READ);
	KUNIT_EXPECT_FALSE(test, dma_resv_test_signaled(obj, DMA_RESV_USAGE_WRITE));
	dma_fence_put(fence);
}

/* Succeeds if all reserved slots can be used without another reservation. */
static void dma_resv_test_add_reserved(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	struct dma_fence *fences[9];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fences); i++)
		fences[i] = mock_fence_create(test);

	scoped_guard(dma_resv, obj) {
		KUNIT_ASSERT_EQ(test, 0,
				dma_resv_reserve_fences(obj, ARRAY_SIZE(fences)));
		for (i = 0; i < ARRAY_SIZE(fences); i++)
			dma_resv_add_fence(obj, fences[i], DMA_RESV_USAGE_READ);
	}
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(fences), resv_count(obj));

	for (i = 0; i < ARRAY_SIZE(fences); i++)
		dma_fence_put(fences[i]);
}

/* Succeeds if no fence is lost when no slot was reserved. */
static void dma_resv_test_add_unreserved(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	struct dma_fence *fences[12];
	unsigned int i;

	mock_fence_expect_misuse(test);
	for (i = 0; i < ARRAY_SIZE(fences); i++) {
		fences[i] = mock_fence_create(test);
		scoped_guard(dma_resv, obj)
			dma_resv_add_fence(obj, fences[i], DMA_RESV_USAGE_WRITE);
		KUNIT_EXPECT_EQ(test, DMA_RESV_USAGE_WRITE,
				resv_usage_of(obj, fences[i]));
	}
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(fences), resv_count(obj));

	for (i = 0; i < ARRAY_SIZE(fences); i++)
		dma_fence_put(fences[i]);
}

struct exceed_case {
	const char *desc;
	unsigned int before;	/* fences in the list, which is full then */
	unsigned int reserve[3];	/* reservations, one after another */
	unsigned int add;	/* fences added then, more than the largest */
};

/* Drivers rely on the free slots of the list, not on what they reserved. */
static const struct exceed_case exceed_cases[] = {
	{ "validated, cache flushed, then moved to the ring", 0, { 1, 1 }, 2 },
	{ "a buffer of a list, moved, then fenced", 0, { 1, 1, 1 }, 3 },
	{ "a list that has grown for one", 4, { 1 }, 3 },
};

KUNIT_ARRAY_PARAM_DESC(exceed, exceed_cases, desc);

/*
 * Succeeds if more fences than reserved cause no warning while slots are free.
 */
static void dma_resv_test_add_exceeds(struct kunit *test)
{
	const struct exceed_case *param = test->param_value;
	struct dma_resv *obj = resv_create(test);
	struct dma_fence *fence;
	unsigned int i;

	for (i = 0; i < param->before; i++)
		resv_attach_new(test, obj, DMA_RESV_USAGE_READ);

	mock_fence_expect_misuse(test);
	scoped_guard(dma_resv, obj) {
		for (i = 0; i < ARRAY_SIZE(param->reserve); i++)
			if (param->reserve[i])
				KUNIT_EXPECT_EQ(test, 0,
						dma_resv_reserve_fences(obj, param->reserve[i]));
		for (i = 0; i < param->add; i++) {
			fence = mock_fence_create(test);
			dma_resv_add_fence(obj, fence, DMA_RESV_USAGE_WRITE);
			dma_fence_put(fence);
		}
	}
	KUNIT_EXPECT_EQ(test, 0, mock_fence_misuses(test));
	KUNIT_EXPECT_EQ(test, param->before + param->add, resv_count(obj));
}

/* When the lock is dropped and taken again, which drops the reservation. */
enum spare_relock {
	SPARE_HELD,	/* never */
	SPARE_BEFORE,	/* after the first fences, before the reservations */
	SPARE_BETWEEN,	/* between the reservations as well */
	SPARE_RELOCKS,
};

static const char * const spare_relocks[] = {
	[SPARE_HELD] = "lock held",
	[SPARE_BEFORE] = "locked anew",
	[SPARE_BETWEEN] = "locked anew twice",
};

/*
 * Largest number of fences in the list at first: more than two sizes of list.
 */
#define SPARE_BEFORE_MAX	9

/* Numbers of fences from 1 on, each with all ways to lock, as one parameter. */
static const void *spare_gen_params(const void *prev, char *desc)
{
	unsigned long next = (unsigned long)prev + 1;

	if (next > SPARE_BEFORE_MAX * SPARE_RELOCKS)
		return NULL;
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%lu there, %s",
		 (next - 1) / SPARE_RELOCKS + 1,
		 spare_relocks[(next - 1) % SPARE_RELOCKS]);
	return (void *)next;
}

static void resv_add_new(struct kunit *test, struct dma_resv *obj)
{
	struct dma_fence *fence = mock_fence_create(test);

	dma_resv_add_fence(obj, fence, DMA_RESV_USAGE_WRITE);
	dma_fence_put(fence);
}

/*
 * Succeeds if two parts of a driver which reserve one slot each, independently
 * of each other, can both add a fence, however many there are already.
 */
static void dma_resv_test_add_spare(struct kunit *test)
{
	unsigned long number = (unsigned long)test->param_value - 1;
	enum spare_relock relock = number % SPARE_RELOCKS;
	unsigned int i, before = number / SPARE_RELOCKS + 1;
	struct dma_resv *obj = resv_create(test);

	mock_fence_expect_misuse(test);
	dma_resv_lock(obj, NULL);
	for (i = 0; i < before; i++) {
		KUNIT_EXPECT_EQ(test, 0, dma_resv_reserve_fences(obj, 1));
		resv_add_new(test, obj);
	}
	if (relock != SPARE_HELD) {
		dma_resv_unlock(obj);
		dma_resv_lock(obj, NULL);
	}

	KUNIT_EXPECT_EQ(test, 0, dma_resv_reserve_fences(obj, 1));
	if (relock == SPARE_BETWEEN) {
		dma_resv_unlock(obj);
		dma_resv_lock(obj, NULL);
	}
	KUNIT_EXPECT_EQ(test, 0, dma_resv_reserve_fences(obj, 1));
	resv_add_new(test, obj);
	resv_add_new(test, obj);
	dma_resv_unlock(obj);

	KUNIT_EXPECT_EQ(test, 0, mock_fence_misuses(test));
	KUNIT_EXPECT_EQ(test, before + 2, resv_count(obj));
}

/* Succeeds if a fence without a free slot causes a warning. */
static void dma_resv_test_add_exhausted(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	struct dma_fence *fence;
	unsigned int added = 0;

	mock_fence_expect_misuse(test);
	scoped_guard(dma_resv, obj) {
		KUNIT_ASSERT_EQ(test, 0, dma_resv_reserve_fences(obj, 1));
		while (!mock_fence_misuses(test) && added < 100) {
			fence = mock_fence_create(test);
			dma_resv_add_fence(obj, fence, DMA_RESV_USAGE_WRITE);
			dma_fence_put(fence);
			added++;
		}
	}
	KUNIT_EXPECT_EQ(test, 1, mock_fence_misuses(test));
	/* It is added all the same. */
	KUNIT_EXPECT_EQ(test, added, resv_count(obj));
}

/* Succeeds if slots that an earlier holder of the lock left do not count. */
static void dma_resv_test_add_forgotten(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	struct dma_fence *fence = mock_fence_create(test);

	mock_fence_expect_misuse(test);
	scoped_guard(dma_resv, obj)
		KUNIT_ASSERT_EQ(test, 0, dma_resv_reserve_fences(obj, 1));
	scoped_guard(dma_resv, obj)
		dma_resv_add_fence(obj, fence, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_EQ(test, IS_ENABLED(CONFIG_DEBUG_MUTEXES) ? 1 : 0,
			mock_fence_misuses(test));
	dma_fence_put(fence);
}

/*
 * Succeeds if only the fences of the context are replaced, with the new usage.
 */
static void dma_resv_test_replace(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	u64 context = dma_fence_context_alloc(1);
	struct dma_fence *late, *early, *other, *next;

	late = mock_fence_create_on(test, context, 2);
	early = mock_fence_create_on(test, context, 1);
	other = mock_fence_create(test);
	next = mock_fence_create(test);
	resv_attach(test, obj, late, DMA_RESV_USAGE_KERNEL);
	resv_attach(test, obj, other, DMA_RESV_USAGE_WRITE);
	resv_attach(test, obj, early, DMA_RESV_USAGE_BOOKKEEP);
	KUNIT_ASSERT_EQ(test, 3, resv_count(obj));

	scoped_guard(dma_resv, obj)
		dma_resv_replace_fences(obj, context, next, DMA_RESV_USAGE_READ);

	KUNIT_EXPECT_EQ(test, 1, kref_read(&late->refcount));
	KUNIT_EXPECT_EQ(test, 1, kref_read(&early->refcount));
	KUNIT_EXPECT_EQ(test, 3, kref_read(&next->refcount));
	KUNIT_EXPECT_EQ(test, DMA_RESV_USAGE_READ, resv_usage_of(obj, next));
	KUNIT_EXPECT_EQ(test, DMA_RESV_USAGE_WRITE, resv_usage_of(obj, other));
	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(obj, DMA_RESV_USAGE_KERNEL));

	dma_fence_put(late);
	dma_fence_put(early);
	dma_fence_put(other);
	dma_fence_put(next);
}

/* ---- walking ------------------------------------------------------------ */

/*
 * Succeeds if queries of the same or a higher usage include a fence, no others.
 */
static void dma_resv_test_signaling(struct kunit *test)
{
	enum dma_resv_usage usage = param_usage(test), ask;
	struct dma_resv *obj = resv_create(test);
	struct dma_fence *fence = resv_attach_new(test, obj, usage);

	for (ask = DMA_RESV_USAGE_KERNEL; ask <= DMA_RESV_USAGE_BOOKKEEP; ask++)
		KUNIT_EXPECT_EQ_MSG(test, ask < usage,
				    dma_resv_test_signaled(obj, ask),
				    "asked for %d", ask);

	dma_fence_signal(fence);
	for (ask = DMA_RESV_USAGE_KERNEL; ask <= DMA_RESV_USAGE_BOOKKEEP; ask++)
		KUNIT_EXPECT_TRUE_MSG(test, dma_resv_test_signaled(obj, ask),
				      "asked for %d", ask);
}

/* Succeeds if a walk under the lock returns the fence once, also signalled. */
static void dma_resv_test_for_each(struct kunit *test)
{
	enum dma_resv_usage usage = param_usage(test);
	struct dma_resv *obj = resv_create(test);
	struct dma_fence *fence, *mine = resv_attach_new(test, obj, usage);
	struct dma_resv_iter cursor;
	unsigned int seen, round;

	for (round = 0; round < 2; round++) {
		seen = 0;
		scoped_guard(dma_resv, obj) {
			dma_resv_for_each_fence(&cursor, obj, usage, fence) {
				seen++;
				KUNIT_EXPECT_PTR_EQ(test, mine, fence);
				KUNIT_EXPECT_EQ(test, usage,
						dma_resv_iter_usage(&cursor));
				KUNIT_EXPECT_TRUE(test,
						  dma_resv_iter_is_restarted(&cursor));
				/* No reference is taken. */
				KUNIT_EXPECT_EQ(test, 1, kref_read(&fence->refcount));
			}
			dma_resv_iter_end(&cursor);
		}
		KUNIT_EXPECT_EQ(test, 1, seen);
		dma_fence_signal(mine);
	}

	if (usage == DMA_RESV_USAGE_KERNEL)
		return;
	scoped_guard(dma_resv, obj)
		dma_resv_for_each_fence(&cursor, obj, usage - 1, fence)
			KUNIT_FAIL(test, "fence returned to a lower usage");
}

/* Succeeds if a walk without the lock restarts after the list was replaced. */
static void dma_resv_test_unlocked(struct kunit *test)
{
	enum dma_resv_usage usage = param_usage(test);
	struct dma_resv *obj = resv_create(test);
	struct dma_fence *fence, *mine[2];
	struct dma_resv_iter cursor;
	unsigned int step = 0;

	mine[0] = resv_attach_new(test, obj, usage);
	mine[1] = resv_attach_new(test, obj, usage);

	dma_resv_iter_begin(&cursor, obj, usage);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		/* First fence, first fence again, second fence. */
		KUNIT_EXPECT_PTR_EQ(test, mine[step == 2], fence);
		KUNIT_EXPECT_EQ(test, step < 2, dma_resv_iter_is_restarted(&cursor));
		KUNIT_EXPECT_EQ(test, usage, dma_resv_iter_usage(&cursor));
		KUNIT_EXPECT_EQ(test, 2, kref_read(&fence->refcount));

		if (step++)
			continue;
		scoped_guard(dma_resv, obj)
			KUNIT_ASSERT_EQ(test, 0, dma_resv_reserve_fences(obj, 500));
	}
	dma_resv_iter_end(&cursor);
	KUNIT_EXPECT_EQ(test, 3, step);
	KUNIT_EXPECT_EQ(test, 1, kref_read(&mine[1]->refcount));

	/* After a break it holds a reference until dma_resv_iter_end(). */
	dma_resv_iter_begin(&cursor, obj, usage);
	fence = dma_resv_iter_first_unlocked(&cursor);
	KUNIT_EXPECT_EQ(test, 2, kref_read(&mine[0]->refcount));
	dma_resv_iter_end(&cursor);
	KUNIT_EXPECT_EQ(test, 1, kref_read(&mine[0]->refcount));

	/* A signalled fence is skipped, also when only its driver knows. */
	dma_fence_signal(mine[0]);
	to_mock_fence(mine[1])->peek_done = true;
	dma_resv_iter_begin(&cursor, obj, usage);
	KUNIT_EXPECT_NULL(test, dma_resv_iter_first_unlocked(&cursor));
	dma_resv_iter_end(&cursor);
}

/* Succeeds if a walk that restarts and finds no fence counts as restarted. */
static void dma_resv_test_restart_empty(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	fence = resv_attach_new(test, obj, DMA_RESV_USAGE_READ);
	dma_resv_iter_begin(&cursor, obj, DMA_RESV_USAGE_BOOKKEEP);
	KUNIT_EXPECT_PTR_EQ(test, fence, dma_resv_iter_first_unlocked(&cursor));

	dma_fence_signal(fence);
	scoped_guard(dma_resv, obj)
		KUNIT_ASSERT_EQ(test, 0, dma_resv_reserve_fences(obj, 500));

	KUNIT_EXPECT_NULL(test, dma_resv_iter_next_unlocked(&cursor));
	KUNIT_EXPECT_TRUE(test, dma_resv_iter_is_restarted(&cursor));
	dma_resv_iter_end(&cursor);
}

/* Succeeds if a walk whose list was overwritten in the cursor restarts. */
static void dma_resv_test_restart_asked(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test);
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	fence = resv_attach_new(test, obj, DMA_RESV_USAGE_READ);
	dma_resv_iter_begin(&cursor, obj, DMA_RESV_USAGE_READ);
	KUNIT_EXPECT_PTR_EQ(test, fence, dma_resv_iter_first_unlocked(&cursor));

	cursor.fences = ERR_PTR(-1);
	KUNIT_EXPECT_PTR_EQ(test, fence, dma_resv_iter_next_unlocked(&cursor));
	KUNIT_EXPECT_TRUE(test, dma_resv_iter_is_restarted(&cursor));
	cursor.serial--;
	KUNIT_EXPECT_PTR_EQ(test, fence, dma_resv_iter_next_unlocked(&cursor));
	KUNIT_EXPECT_TRUE(test, dma_resv_iter_is_restarted(&cursor));
	KUNIT_EXPECT_NULL(test, dma_resv_iter_next_unlocked(&cursor));
	dma_resv_iter_end(&cursor);
}

/*
 * Replace the list of @obj, with one fence in it, until the allocator returns
 * the address of an earlier one. Returns false if it never does.
 */
static bool resv_reuse_address(struct kunit *test, struct dma_resv *obj,
			       struct dma_resv *idle, void *address)
{
	unsigned int tries;

	for (tries = 0; tries < 100; tries++) {
		scoped_guard(dma_resv, obj)
			KUNIT_ASSERT_EQ(test, 0, dma_resv_copy_fences(obj, idle));
		kvfree_rcu_barrier();

		resv_attach_new(test, obj, DMA_RESV_USAGE_READ);
		if ((void __force *)rcu_access_pointer(obj->fences) == address)
			return true;
	}
	return false;
}

/* Succeeds if a new list is told from an old one at the same address. */
static void dma_resv_test_address_reused(struct kunit *test)
{
	struct dma_resv *obj = resv_create(test), *idle = resv_create(test);
	struct dma_resv_iter cursor;
	void *address;

	resv_attach_new(test, obj, DMA_RESV_USAGE_READ);
	resv_attach_new(test, obj, DMA_RESV_USAGE_READ);
	address = (void __force *)rcu_access_pointer(obj->fences);

	dma_resv_iter_begin(&cursor, obj, DMA_RESV_USAGE_READ);
	KUNIT_EXPECT_NOT_NULL(test, dma_resv_iter_first_unlocked(&cursor));
	if (!resv_reuse_address(test, obj, idle, address)) {
		dma_resv_iter_end(&cursor);
		kunit_skip(test, "the allocator does not use the address again");
	}

	KUNIT_EXPECT_NOT_NULL(test, dma_resv_iter_next_unlocked(&cursor));
	KUNIT_EXPECT_TRUE(test, dma_resv_iter_is_restarted(&cursor));
	KUNIT_EXPECT_NULL(test, dma_resv_iter_next_unlocked(&cursor));
	dma_resv_iter_end(&cursor);
}

/* ---- copying fences ----------------------------------------------------- */

/*
 * Succeeds if the array has the pending fences of the usage, with references.
 */
static void dma_resv_test_get_fences(struct kunit *test)
{
	enum dma_resv_usage usage = param_usage(test), add;
	struct dma_resv *obj = resv_create(test);
	struct dma_fence **fences, *done;
	unsigned int count, i;

	/* Two of each usage, and one that has signalled. */
	for (add = DMA_RESV_USAGE_KERNEL; add <= DMA_RESV_USAGE_BOOKKEEP; add++) {
		resv_attach_new(test, obj, add);
		resv_attach_new(test, obj, add);
	}
	done = resv_attach_new(test, obj, DMA_RESV_USAGE_KERNEL);
	dma_fence_signal(done);

	KUNIT_ASSERT_EQ(test, 0, dma_resv_get_fences(obj, usage, &count, &fences));
	KUNIT_EXPECT_EQ(test, 2 * (usage + 1), count);
	for (i = 0; i < count; i++) {
		KUNIT_EXPECT_PTR_NE(test, done, fences[i]);
		KUNIT_EXPECT_LE(test, resv_usage_of(obj, fences[i]), (int)usage);
		KUNIT_EXPECT_EQ(test, 2, kref_read(&fences[i]->refcount));
		dma_fence_put(fences[i]);
	}
	kfree(fences);
}

/*
 * Succeeds if the target has the pending fences of the source, and no others.
 */
static void dma_resv_test_copy_fences(struct kunit *test)
{
	struct dma_resv *src = resv_create(test), *dst = resv_create(test);
	struct dma_fence *write, *bookkeep, *done, *old;

	write = resv_attach_new(test, src, DMA_RESV_USAGE_WRITE);
	bookkeep = resv_attach_new(test, src, DMA_RESV_USAGE_BOOKKEEP);
	done = resv_attach_new(test, src, DMA_RESV_USAGE_KERNEL);
	dma_fence_signal(done);
	old = mock_fence_create(test);
	resv_attach(test, dst, old, DMA_RESV_USAGE_READ);

	scoped_guard(dma_resv, dst)
		KUNIT_ASSERT_EQ(test, 0, dma_resv_copy_fences(dst, src));

	KUNIT_EXPECT_EQ(test, 2, resv_count(dst));
	KUNIT_EXPECT_EQ(test, DMA_RESV_USAGE_WRITE, resv_usage_of(dst, write));
	KUNIT_EXPECT_EQ(test, DMA_RESV_USAGE_BOOKKEEP, resv_usage_of(dst, bookkeep));
	KUNIT_EXPECT_EQ(test, 2, kref_read(&write->refcount));
	KUNIT_EXPECT_EQ(test, 1, kref_read(&old->refcount));
	KUNIT_EXPECT_EQ(test, 3, resv_count(src));
	dma_fence_put(old);

	/* A source without pending fences leaves a target without fences. */
	dma_fence_signal(write);
	dma_fence_signal(bookkeep);
	scoped_guard(dma_resv, dst)
		KUNIT_ASSERT_EQ(test, 0, dma_resv_copy_fences(dst, src));
	KUNIT_EXPECT_EQ(test, 0, resv_count(dst));

	/* And a copy can be added to. */
	resv_attach_new(test, dst, DMA_RESV_USAGE_KERNEL);
	KUNIT_EXPECT_EQ(test, 1, resv_count(dst));
}

/* Succeeds if a writer waits for readers, and a reader for writers only. */
static void dma_resv_test_usage_rw(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, DMA_RESV_USAGE_READ, dma_resv_usage_rw(true));
	KUNIT_EXPECT_EQ(test, DMA_RESV_USAGE_WRITE, dma_resv_usage_rw(false));
}

static struct kunit_case dma_resv_cases[] = {
	KUNIT_CASE_PARAM(dma_resv_test_signaling, usage_gen_params),
	KUNIT_CASE_PARAM(dma_resv_test_for_each, usage_gen_params),
	{
		.run_case = dma_resv_test_unlocked,
		.name = "dma_resv_test_for_each_unlocked",
		.generate_params = usage_gen_params,
		.module_name = KBUILD_MODNAME,
	},
	KUNIT_CASE_PARAM(dma_resv_test_get_fences, usage_gen_params),
	KUNIT_CASE_PARAM(dma_resv_test_add, add_gen_params),
	KUNIT_CASE(dma_resv_test_sanitycheck),
	KUNIT_CASE(dma_resv_test_lock),
	KUNIT_CASE(dma_resv_test_reserve_fits),
	KUNIT_CASE(dma_resv_test_reserve_grows),
	KUNIT_CASE(dma_resv_test_reserve_overflow),
	KUNIT_CASE(dma_resv_test_reserve_nothing),
	KUNIT_CASE(dma_resv_test_add_twice),
	KUNIT_CASE(dma_resv_test_add_reserved),
	KUNIT_CASE(dma_resv_test_add_unreserved),
	KUNIT_CASE_PARAM(dma_resv_test_add_exceeds, exceed_gen_params),
	KUNIT_CASE_PARAM(dma_resv_test_add_spare, spare_gen_params),
	KUNIT_CASE(dma_resv_test_add_exhausted),
	KUNIT_CASE(dma_resv_test_add_forgotten),
	KUNIT_CASE(dma_resv_test_replace),
	KUNIT_CASE(dma_resv_test_restart_empty),
	KUNIT_CASE(dma_resv_test_restart_asked),
	KUNIT_CASE(dma_resv_test_address_reused),
	KUNIT_CASE(dma_resv_test_copy_fences),
	KUNIT_CASE(dma_resv_test_usage_rw),
	{}
};

static struct kunit_suite dma_resv_suite = {
	.name = "dma_resv",
	.test_cases = dma_resv_cases,
};

kunit_test_suite(dma_resv_suite);
