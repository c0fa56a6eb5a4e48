// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software timelines
 *
 * The driver behind /sys/kernel/debug/sync/sw_sync, which lets a program signal
 * fences, to test code that waits for fences without hardware that signals any.
 * Each open file is a timeline, which begins at 0 and ends when the file is
 * closed. For tests only: a fence that a program signals at will breaks the
 * promise that fences signal in finite time.
 *
 * Values are 32 bits wide and wrap around, so they are compared by distance. A
 * value up to INT_MAX ahead of the timeline is pending; any other has been
 * passed, and its fence signals when created. The distance to a pending fence
 * is therefore between 1 and INT_MAX however often the value wraps, and an
 * advance by n reaches exactly the fences at a distance of up to n.
 *
 * Locks: &sync_timeline.lock protects the value and the tree of pending fences.
 * Fences signal outside of it, each under its own lock, so a callback or a
 * release of a fence may take the lock of any timeline. sync_timelines_lock
 * protects the list of all timelines; no lock is taken under either.
 */
#include <linux/build_bug.h>
#include <linux/file.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/sync_file.h>
#include <kunit/visibility.h>

#include "ioctl_table.h"
#include "sw_sync.h"

#define CREATE_TRACE_POINTS
#include <trace/events/sync_trace.h>

/**
 * struct sw_sync_create_fence_data - argument of SW_SYNC_IOC_CREATE_FENCE
 * @value: in: value of the timeline at which the fence signals
 * @name: in: ignored; a sync file is named after driver and timeline
 * @fence: out: descriptor of a new sync file, close-on-exec
 *
 * The fence of a value that the timeline has passed is signalled already; a
 * value more than %INT_MAX ahead counts as passed. Requests for the same value
 * share one fence as long as it exists.
 *
 * Errors: ENOMEM, EMFILE.
 */
struct sw_sync_create_fence_data {
	__u32	value;
	char	name[32];
	__s32	fence;
};

/**
 * struct sw_sync_get_deadline - argument of SW_SYNC_GET_DEADLINE
 * @deadline_ns: in: zero; out: the earliest deadline set on the fence,
 *	CLOCK_MONOTONIC in nanoseconds
 * @pad: in: zero
 * @fence_fd: in: the sync file with the fence, of any timeline
 *
 * Errors: EINVAL when what must be zero is not, or @fence_fd is not a sync file
 * with exactly one fence of a software timeline; ENOENT when no deadline was
 * set.
 */
struct sw_sync_get_deadline {
	__u64	deadline_ns;
	__u32	pad;
	__s32	fence_fd;
};

#define SW_SYNC_IOC_MAGIC	'W'

#define SW_SYNC_IOC_CREATE_FENCE \
	_IOWR(SW_SYNC_IOC_MAGIC, 0, struct sw_sync_create_fence_data)
/* Advance the timeline by the number that the argument points to. */
#define SW_SYNC_IOC_INC		_IOW(SW_SYNC_IOC_MAGIC, 1, __u32)
#define SW_SYNC_GET_DEADLINE \
	_IOWR(SW_SYNC_IOC_MAGIC, 2, struct sw_sync_get_deadline)

static_assert(sizeof(struct sw_sync_create_fence_data) == 40);
static_assert(offsetof(struct sw_sync_create_fence_data, value) == 0);
static_assert(offsetof(struct sw_sync_create_fence_data, name) == 4);
static_assert(offsetof(struct sw_sync_create_fence_data, fence) == 36);
static_assert(sizeof(struct sw_sync_get_deadline) == 16);
static_assert(offsetof(struct sw_sync_get_deadline, deadline_ns) == 0);
static_assert(offsetof(struct sw_sync_get_deadline, pad) == 8);
static_assert(offsetof(struct sw_sync_get_deadline, fence_fd) == 12);

/* ---- the list of timelines ---------------------------------------------- */

/*
 * A spinlock, as the last fence of a timeline may be put in any context. The
 * list holds no references: a timeline leaves it before it is freed.
 */
static DEFINE_SPINLOCK(sync_timelines_lock);
static LIST_HEAD(sync_timelines);

static void sync_timeline_list_add(struct sync_timeline *timeline)
{
	spin_lock_irq(&sync_timelines_lock);
	list_add_tail(&timeline->node, &sync_timelines);
	spin_unlock_irq(&sync_timelines_lock);
}

static void sync_timeline_list_remove(struct sync_timeline *timeline)
{
	unsigned long flags;

	spin_lock_irqsave(&sync_timelines_lock, flags);
	list_del(&timeline->node);
	spin_unlock_irqrestore(&sync_timelines_lock, flags);
}

static void sync_timeline_free(struct kref *kref)
{
	struct sync_timeline *timeline;

	timeline = container_of(kref, struct sync_timeline, kref);
	sync_timeline_list_remove(timeline);
	kfree(timeline);
}

static void sync_timeline_put(struct sync_timeline *timeline)
{
	kref_put(&timeline->kref, sync_timeline_free);
}

/**
 * sync_timeline_next - iterate over all timelines
 * @timeline: the timeline at hand, whose reference is dropped; NULL to begin
 *
 * A timeline without references is about to leave the list and is skipped.
 *
 * Context: Process context with interrupts on.
 * Return: the next timeline, with a reference for the caller; NULL at the end.
 */
struct sync_timeline *sync_timeline_next(struct sync_timeline *timeline)
{
	struct sync_timeline *next, *found = NULL;

	spin_lock_irq(&sync_timelines_lock);
	next = list_prepare_entry(timeline, &sync_timelines, node);
	list_for_each_entry_continue(next, &sync_timelines, node) {
		if (kref_get_unless_zero(&next->kref)) {
			found = next;
			break;
		}
	}
	spin_unlock_irq(&sync_timelines_lock);

	/* Outside of the lock, which the last put takes. */
	if (timeline)
		sync_timeline_put(timeline);
	return found;
}

/* ---- the timeline ------------------------------------------------------- */

/* Steps from the current value to @seqno, modulo 2^32. */
static u32 sync_timeline_distance(struct sync_timeline *timeline, u64 seqno)
{
	return lower_32_bits(seqno) - (u32)READ_ONCE(timeline->value);
}

/* A distance above INT_MAX means that the value has been passed. */
static bool sync_timeline_reached(struct sync_timeline *timeline, u64 seqno)
{
	return (s32)sync_timeline_distance(timeline, seqno) <= 0;
}

/*
 * Move the fences within @steps from the tree to @due, with a reference each. A
 * fence whose last reference is gone has no waiter: it is dropped from the tree
 * only, and its release finds the empty node.
 */
static void sync_timeline_pop(struct sync_timeline *timeline, u32 steps,
			      struct list_head *due)
{
	struct rb_node *node;

	lockdep_assert_held(&timeline->lock);

	while ((node = rb_first_cached(&timeline->pending))) {
		struct sync_pt *pt = rb_entry(node, struct sync_pt, node);

		if (sync_timeline_distance(timeline, pt->base.seqno) > steps)
			break;

		rb_erase_cached(node, &timeline->pending);
		RB_CLEAR_NODE(node);
		if (dma_fence_get_rcu(&pt->base))
			list_add_tail(&pt->due, due);
	}
}

/* Signal the fences that sync_timeline_pop() has found, in their order. */
static void sync_timeline_signal(struct list_head *due, int error)
{
	struct sync_pt *pt, *next;

	list_for_each_entry_safe(pt, next, due, due) {
		list_del_init(&pt->due);
		if (error)
			dma_fence_set_error(&pt->base, error);
		dma_fence_signal(&pt->base);
		dma_fence_put(&pt->base);
	}
}

/**
 * sync_timeline_create - create a timeline with value 0
 * @name: its name
 *
 * Context: May sleep.
 * Return: the timeline, for sync_timeline_end(); NULL when out of memory.
 */
VISIBLE_IF_KUNIT struct sync_timeline *sync_timeline_create(const char *name)
{
	struct sync_timeline *timeline;

	timeline = kmalloc(sizeof(*timeline), GFP_KERNEL);
	if (!timeline)
		return NULL;

	kref_init(&timeline->kref);
	timeline->value = 0;
	strscpy(timeline->name, name);
	timeline->context = dma_fence_context_alloc(1);
	spin_lock_init(&timeline->lock);
	timeline->pending = RB_ROOT_CACHED;

	sync_timeline_list_add(timeline);
	return timeline;
}
EXPORT_SYMBOL_IF_KUNIT(sync_timeline_create);

/**
 * sync_timeline_advance - advance a timeline and signal the fences reached
 * @timeline: the timeline
 * @steps: number to add to its value
 *
 * Fences signal in the order of their values.
 *
 * Context: Process context.
 */
VISIBLE_IF_KUNIT void sync_timeline_advance(struct sync_timeline *timeline,
					    u32 steps)
{
	LIST_HEAD(due);

	trace_sync_timeline(timeline);

	spin_lock_irq(&timeline->lock);
	sync_timeline_pop(timeline, steps, &due);
	WRITE_ONCE(timeline->value, (u32)timeline->value + steps);
	spin_unlock_irq(&timeline->lock);

	sync_timeline_signal(&due, 0);
}
EXPORT_SYMBOL_IF_KUNIT(sync_timeline_advance);

/* Signal the fences that were not reached with -ENOENT. */
static void sync_timeline_abort(struct sync_timeline *timeline)
{
	LIST_HEAD(due);

	spin_lock_irq(&timeline->lock);
	sync_timeline_pop(timeline, U32_MAX, &due);
	spin_unlock_irq(&timeline->lock);

	sync_timeline_signal(&due, -ENOENT);
}

/**
 * sync_timeline_end - end a timeline
 * @timeline: the timeline; the caller's reference is dropped
 *
 * Fences that were not reached signal with -ENOENT, since nothing can advance
 * the timeline any more. The timeline stays in debugfs until its last fence is
 * released, which shows fences that a program has leaked.
 *
 * Context: Process context. May sleep.
 */
VISIBLE_IF_KUNIT void sync_timeline_end(struct sync_timeline *timeline)
{
	/* A fence holds a reference. Without any, none is pending. */
	if (kref_read(&timeline->kref) > 1)
		sync_timeline_abort(timeline);
	sync_timeline_put(timeline);
}
EXPORT_SYMBOL_IF_KUNIT(sync_timeline_end);

/* ---- its fences --------------------------------------------------------- */

static const struct dma_fence_ops sync_pt_ops;

/* The point around @fence, or NULL if that is of another driver. */
static struct sync_pt *to_sync_pt(struct dma_fence *fence)
{
	if (fence->ops != &sync_pt_ops)
		return NULL;
	return container_of(fence, struct sync_pt, base);
}

/**
 * sync_pt_is - test for a fence of a software timeline
 * @fence: any fence; its driver may be gone
 *
 * Context: Any.
 * Return: true when @fence is one.
 */
bool sync_pt_is(struct dma_fence *fence)
{
	return to_sync_pt(fence);
}

static const char *sync_pt_driver_name(struct dma_fence *fence)
{
	return "sw_sync";
}

static const char *sync_pt_timeline_name(struct dma_fence *fence)
{
	return to_sync_pt(fence)->timeline->name;
}

static bool sync_pt_signaled(struct dma_fence *fence)
{
	return sync_timeline_reached(to_sync_pt(fence)->timeline, fence->seqno);
}

static void sync_pt_release(struct dma_fence *fence)
{
	struct sync_pt *pt = to_sync_pt(fence);
	struct sync_timeline *timeline = pt->timeline;
	unsigned long flags;

	spin_lock_irqsave(&timeline->lock, flags);
	if (!RB_EMPTY_NODE(&pt->node))
		rb_erase_cached(&pt->node, &timeline->pending);
	spin_unlock_irqrestore(&timeline->lock, flags);

	sync_timeline_put(timeline);
	dma_fence_free(fence);
}

static void sync_pt_value_str(struct dma_fence *fence, char *str, int size)
{
	snprintf(str, size, "%lld", fence->seqno);
}

static void sync_pt_timeline_value_str(struct dma_fence *fence, char *str,
				       int size)
{
	snprintf(str, size, "%d",
		 READ_ONCE(to_sync_pt(fence)->timeline->value));
}

static void sync_pt_set_deadline(struct dma_fence *fence, ktime_t deadline)
{
	struct sync_pt *pt = to_sync_pt(fence);
	unsigned long flags;

	spin_lock_irqsave(&pt->lock, flags);
	if (!pt->has_deadline || ktime_before(deadline, pt->deadline))
		pt->deadline = deadline;
	pt->has_deadline = true;
	spin_unlock_irqrestore(&pt->lock, flags);
}

/* No enable_signaling: an advance signals with or without a waiter. */
static const struct dma_fence_ops sync_pt_ops = {
	.get_driver_name	= sync_pt_driver_name,
	.get_timeline_name	= sync_pt_timeline_name,
	.signaled		= sync_pt_signaled,
	.release		= sync_pt_release,
	.fence_value_str	= sync_pt_value_str,
	.timeline_value_str	= sync_pt_timeline_value_str,
	.set_deadline		= sync_pt_set_deadline,
};

static bool sync_pt_earlier(struct rb_node *a, const struct rb_node *b)
{
	u64 left = rb_entry(a, struct sync_pt, node)->base.seqno;
	u64 right = rb_entry(b, struct sync_pt, node)->base.seqno;

	return (s32)(lower_32_bits(left) - lower_32_bits(right)) < 0;
}

static int sync_pt_compare(const void *key, const struct rb_node *node)
{
	u64 seqno = rb_entry(node, struct sync_pt, node)->base.seqno;

	return (s32)(*(const u32 *)key - lower_32_bits(seqno));
}

/*
 * Insert @pt in the tree and return it. If the tree has a fence of the same
 * value with references left, return that one, with another reference.
 */
static struct sync_pt *sync_timeline_insert(struct sync_timeline *timeline,
					    struct sync_pt *pt)
{
	u32 value = lower_32_bits(pt->base.seqno);
	struct rb_node *node;

	lockdep_assert_held(&timeline->lock);

	node = rb_find(&value, &timeline->pending.rb_root, sync_pt_compare);
	if (node) {
		struct sync_pt *old = rb_entry(node, struct sync_pt, node);

		if (dma_fence_get_rcu(&old->base))
			return old;
	}

	rb_add_cached(&pt->node, &timeline->pending, sync_pt_earlier);
	return pt;
}

/**
 * sync_pt_create - get the fence of a value of a timeline
 * @timeline: the timeline
 * @value: value of the timeline at which the fence signals
 *
 * Context: May sleep.
 * Return: the point, with a reference to its fence for the caller; NULL when
 * out of memory.
 */
VISIBLE_IF_KUNIT struct sync_pt *sync_pt_create(struct sync_timeline *timeline,
						u32 value)
{
	struct sync_pt *pt, *ret;

	pt = kzalloc(sizeof(*pt), GFP_KERNEL);
	if (!pt)
		return NULL;

	spin_lock_init(&pt->lock);
	kref_get(&timeline->kref);
	pt->timeline = timeline;
	RB_CLEAR_NODE(&pt->node);
	INIT_LIST_HEAD(&pt->due);
	dma_fence_init(&pt->base, &sync_pt_ops, &pt->lock, timeline->context,
		       value);
	__set_bit(DMA_FENCE_FLAG_NAMES_STAY_BIT, &pt->base.flags);

	ret = pt;
	spin_lock_irq(&timeline->lock);
	if (!sync_timeline_reached(timeline, value))
		ret = sync_timeline_insert(timeline, pt);
	spin_unlock_irq(&timeline->lock);

	if (ret != pt)
		dma_fence_put(&pt->base);
	else
		dma_fence_is_signaled(&pt->base); /* signals a passed value */
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(sync_pt_create);

/**
 * sync_pt_get_deadline - get the earliest deadline that was set on a fence
 * @fence: any fence
 * @deadline: where to store the deadline
 *
 * Context: Process context.
 * Return: 0, -ENOENT when no deadline was set, -EINVAL when @fence is not of a
 * software timeline.
 */
VISIBLE_IF_KUNIT int sync_pt_get_deadline(struct dma_fence *fence,
					  ktime_t *deadline)
{
	struct sync_pt *pt = to_sync_pt(fence);
	int ret = -ENOENT;

	if (!pt)
		return -EINVAL;

	spin_lock_irq(&pt->lock);
	if (pt->has_deadline) {
		*deadline = pt->deadline;
		ret = 0;
	}
	spin_unlock_irq(&pt->lock);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(sync_pt_get_deadline);

/* ---- the file ----------------------------------------------------------- */

static int sw_sync_open(struct inode *inode, struct file *file)
{
	file->private_data = sync_timeline_create(current->comm);
	return file->private_data ? 0 : -ENOMEM;
}

static int sw_sync_release(struct inode *inode, struct file *file)
{
	sync_timeline_end(file->private_data);
	return 0;
}

/* A sync file for @value, not installed yet. */
static struct sync_file *sw_sync_point_file(struct sync_timeline *timeline,
					    u32 value)
{
	struct sync_file *sync_file;
	struct sync_pt *pt;

	pt = sync_pt_create(timeline, value);
	if (!pt)
		return NULL;

	sync_file = sync_file_create(&pt->base);
	dma_fence_put(&pt->base);
	return sync_file;
}

static long sw_sync_ioctl_create_fence(struct ioctl_call *call, void *args)
{
	struct sw_sync_create_fence_data *data = args;
	struct sync_file *sync_file;
	int fd, ret;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;

	sync_file = sw_sync_point_file(call->file->private_data, data->value);
	if (!sync_file) {
		ret = -ENOMEM;
		goto err_put_fd;
	}

	data->fence = fd;
	ret = ioctl_call_reply(call);
	if (ret)
		goto err_put_file;

	fd_install(fd, sync_file->file);
	return 0;

err_put_file:
	fput(sync_file->file);
err_put_fd:
	put_unused_fd(fd);
	return ret;
}

static long sw_sync_ioctl_inc(struct ioctl_call *call, void *args)
{
	sync_timeline_advance(call->file->private_data, *(u32 *)args);
	return 0;
}

static long sw_sync_ioctl_get_deadline(struct ioctl_call *call, void *args)
{
	struct sw_sync_get_deadline *data = args;
	struct dma_fence *fence;
	ktime_t deadline;
	int ret;

	if (data->deadline_ns || data->pad)
		return -EINVAL;

	fence = sync_file_get_fence(data->fence_fd);
	if (!fence)
		return -EINVAL;

	ret = sync_pt_get_deadline(fence, &deadline);
	dma_fence_put(fence);
	if (ret)
		return ret;

	data->deadline_ns = ktime_to_ns(deadline);
	return ioctl_call_reply(call);
}

static const struct ioctl_entry sw_sync_ioctls[] = {
	IOCTL_EXACT(SW_SYNC_IOC_CREATE_FENCE, struct sw_sync_create_fence_data,
		    sw_sync_ioctl_create_fence),
	IOCTL_EXACT(SW_SYNC_IOC_INC, __u32, sw_sync_ioctl_inc),
	IOCTL_EXACT(SW_SYNC_GET_DEADLINE, struct sw_sync_get_deadline,
		    sw_sync_ioctl_get_deadline),
};

static long sw_sync_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	return ioctl_table_call(sw_sync_ioctls, file, cmd, arg);
}

const struct file_operations sw_sync_debugfs_fops = {
	.open		= sw_sync_open,
	.release	= sw_sync_release,
	.unlocked_ioctl	= sw_sync_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};
