// SPDX-License-Identifier: GPL-2.0-only
/*
 * A timeline that a program advances by hand
 *
 * What it is: the driver behind /sys/kernel/debug/sync/sw_sync, to test what
 * waits for fences without hardware that signals any. Each open file is a
 * timeline of its own, which begins at 0 and ends when the file is closed.
 * What it owns: the timelines and their fences.
 * Locks: a timeline's lock for its value and the tree of pending fences. Fences
 * are signalled outside of it, each under its own lock; a fence's callbacks or
 * its release may therefore take a timeline's lock.
 * May call: dma-fence, sync_file, sync_debug.
 * Never here: anything that a real driver would want. A fence that a program
 * signals at will breaks the promise that fences signal in finite time.
 * Units: timeline values are 32 bit and circular; deadlines are nanoseconds of
 * CLOCK_MONOTONIC.
 *
 * Sequence numbers are compared as distances, on a circle of 2^32 values. One that
 * lies up to INT_MAX ahead of the timeline is pending, all others have been passed
 * and are signalled when made. So the distance to a pending fence always lies
 * between 1 and INT_MAX, however often the value wraps, and an advance by n has
 * reached exactly those at a distance of up to n.
 */
#include <linux/build_bug.h>
#include <linux/file.h>
#include <linux/limits.h>
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
 * @name: in: not used; sync files name themselves after driver and timeline
 * @fence: out: descriptor of a new sync file, close-on-exec
 *
 * At a value that the timeline has reached, the fence has signalled already; one
 * more than %INT_MAX ahead counts as such.
 * Two requests for the same value share one fence while it lives.
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
 * @fence_fd: in: the sync file with the fence, on whichever timeline
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

/* ---- the timeline ------------------------------------------------------- */

static void sync_timeline_free(struct kref *kref)
{
	struct sync_timeline *timeline;

	timeline = container_of(kref, struct sync_timeline, kref);
	sync_timeline_debug_remove(timeline);
	kfree(timeline);
}

/**
 * sync_timeline_put - drop a reference
 * @timeline: the timeline; gone, and no longer shown, when it was the last one
 *
 * Context: Any.
 */
void sync_timeline_put(struct sync_timeline *timeline)
{
	kref_put(&timeline->kref, sync_timeline_free);
}

/* How far the timeline has to go to reach a value. */
static u32 sync_timeline_distance(struct sync_timeline *timeline, u64 seqno)
{
	return lower_32_bits(seqno) - (u32)READ_ONCE(timeline->value);
}

/* A distance of more than half the circle is one that lies behind us. */
static bool sync_timeline_reached(struct sync_timeline *timeline, u64 seqno)
{
	return (s32)sync_timeline_distance(timeline, seqno) <= 0;
}

/*
 * Take the fences within @steps out of the tree, and a reference to each. The
 * ones on their way to being freed have nobody left to tell.
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

/* Signal, in order, what sync_timeline_pop() has found. */
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
 * sync_timeline_create - make a timeline that shows 0
 * @name: what it is called
 *
 * Context: May sleep.
 * Return: the timeline, to be ended by sync_timeline_end(); NULL without memory.
 */
VISIBLE_IF_KUNIT struct sync_timeline *sync_timeline_create(const char *name)
{
	struct sync_timeline *timeline;

	timeline = kzalloc(sizeof(*timeline), GFP_KERNEL);
	if (!timeline)
		return NULL;

	kref_init(&timeline->kref);
	strscpy(timeline->name, name);
	timeline->context = dma_fence_context_alloc(1);
	spin_lock_init(&timeline->lock);
	timeline->pending = RB_ROOT_CACHED;

	sync_timeline_debug_add(timeline);
	return timeline;
}
EXPORT_SYMBOL_IF_KUNIT(sync_timeline_create);

/**
 * sync_timeline_advance - move on, and signal what is reached by that
 * @timeline: the timeline
 * @steps: how far
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

/**
 * sync_timeline_end - the timeline will never be advanced again
 * @timeline: the timeline; gone after this, but for the fences that remain
 *
 * Fences that were not reached signal with -ENOENT, for else who waits for them
 * would wait forever. Until the last fence is gone debugfs shows the timeline,
 * which is how fences are found that a program has left behind.
 *
 * Context: Process context. May sleep.
 */
VISIBLE_IF_KUNIT void sync_timeline_end(struct sync_timeline *timeline)
{
	LIST_HEAD(due);

	spin_lock_irq(&timeline->lock);
	sync_timeline_pop(timeline, U32_MAX, &due);
	spin_unlock_irq(&timeline->lock);

	sync_timeline_signal(&due, -ENOENT);
	sync_timeline_put(timeline);
}
EXPORT_SYMBOL_IF_KUNIT(sync_timeline_end);

/* ---- its fences --------------------------------------------------------- */

static const struct dma_fence_ops sync_pt_ops;

/* The point behind a fence, or NULL when the fence is somebody else's. */
static struct sync_pt *to_sync_pt(struct dma_fence *fence)
{
	if (fence->ops != &sync_pt_ops)
		return NULL;
	return container_of(fence, struct sync_pt, base);
}

/**
 * sync_pt_is - is this a fence of a software timeline?
 * @fence: any fence; its driver may be gone
 *
 * Context: Any.
 * Return: true when it is.
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
	snprintf(str, size, "%d", READ_ONCE(to_sync_pt(fence)->timeline->value));
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

/* No enable_signaling: an advance signals, whether anybody waits or not. */
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
 * Put a new point in its place. If there is a living one for its value, that is
 * returned instead, with a reference.
 */
static struct sync_pt *sync_timeline_insert(struct sync_timeline *timeline,
					    struct sync_pt *pt)
{
	u32 value = lower_32_bits(pt->base.seqno);
	struct rb_node *node;

	lockdep_assert_held(&timeline->lock);

	node = rb_find(&value, &timeline->pending.rb_root, sync_pt_compare);
	if (node) {
		struct sync_pt *twin = rb_entry(node, struct sync_pt, node);

		if (dma_fence_get_rcu(&twin->base))
			return twin;
	}

	rb_add_cached(&pt->node, &timeline->pending, sync_pt_earlier);
	return pt;
}

/**
 * sync_pt_create - get the fence for a value of a timeline
 * @timeline: the timeline
 * @value: when the fence is to signal
 *
 * Context: May sleep.
 * Return: the point, whose fence the caller has a reference to; NULL without
 * memory.
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
		dma_fence_is_signaled(&pt->base); /* signals if it is late */
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(sync_pt_create);

/**
 * sync_pt_get_deadline - what was a fence of a timeline told?
 * @fence: a fence
 * @deadline: set to the earliest deadline
 *
 * Context: Process context.
 * Return: 0, -ENOENT when no deadline was set, -EINVAL when @fence is not one
 * of a software timeline.
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
	char comm[TASK_COMM_LEN];

	get_task_comm(comm, current);
	file->private_data = sync_timeline_create(comm);
	return file->private_data ? 0 : -ENOMEM;
}

static int sw_sync_release(struct inode *inode, struct file *file)
{
	sync_timeline_end(file->private_data);
	return 0;
}

/* A sync file for a value, not yet visible to anybody. */
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

static long sw_sync_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return ioctl_table_call(sw_sync_ioctls, file, cmd, arg);
}

const struct file_operations sw_sync_debugfs_fops = {
	.open		= sw_sync_open,
	.release	= sw_sync_release,
	.unlocked_ioctl	= sw_sync_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};
