// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hop: each captured frame is shown by vkms, not before a fence of ours says
 * so, and what vkms composed is written back into another heap buffer.
 */
#include <unistd.h>

#include "demo.h"

#define SHOW_TIMEOUT_MS	10000

/* What vkms must not have done while its IN fence is pending. */
static int show_expect_held(struct demo *demo, int flipped, int written)
{
	size_t i;

	if (fence_expect_pending(flipped, "the page flip") ||
	    fence_expect_pending(written, "the writeback"))
		return -1;
	/* No SYNC: the buffer has not been written yet. */
	for (i = 0; i < FRAME_BYTES / 4; i++)
		if (demo->shown.words[i] != POISON)
			return fail("vkms wrote before its IN fence signalled");
	return 0;
}

static int show_frame(struct demo *demo, struct display *display,
		      struct timeline *timeline, struct buffer *frame,
		      const __u32 *want, bool sabotage)
{
	int in_fence, flipped = -1, written = -1, ret;
	__u32 fb, writeback;

	if (buffer_poison(&demo->shown) ||
	    display_import(display, frame, &fb) ||
	    display_import(display, &demo->shown, &writeback))
		return -1;

	in_fence = timeline_fence(timeline);
	if (in_fence < 0)
		return -1;
	ret = display_commit(display, fb, writeback, in_fence, &flipped,
			     &written);
	close(in_fence);
	if (!ret)
		ret = show_expect_held(demo, flipped, written);
	/* Whatever happened, vkms must not be left waiting. */
	if (timeline_signal(timeline))
		ret = -1;
	if (!ret)
		ret = fence_wait(flipped, SHOW_TIMEOUT_MS);
	if (!ret)
		ret = fence_wait(written, SHOW_TIMEOUT_MS);
	if (flipped >= 0)
		close(flipped);
	if (written >= 0)
		close(written);

	if (!ret && sabotage)
		ret = demo_sabotage(demo, "show", &demo->shown, FRAME_BYTES);
	if (!ret)
		ret = buffer_compare(&demo->shown, want, FRAME_BYTES,
				     MASK_COLOURS);
	return ret;
}

static int show_all(struct demo *demo, struct display *display,
		    struct timeline *timeline)
{
	unsigned int i;

	for (i = 0; i < demo->frames; i++)
		if (show_frame(demo, display, timeline, &demo->cma[i],
			       demo->noise[i], false))
			return -1;
	for (i = 0; i < demo->frames; i++)
		if (show_frame(demo, display, timeline, &demo->system[i],
			       demo->bars, i == demo->frames - 1))
			return -1;
	return 0;
}

int hop_show(struct demo *demo)
{
	struct timeline timeline;
	struct display *display;
	int ret = -1;

	if (buffer_alloc(&demo->shown, "system", FRAME_BYTES))
		return -1;
	if (timeline_open(&timeline))
		return -1;
	display = display_open();
	if (display)
		ret = show_all(demo, display, &timeline);
	display_close(display);
	close(timeline.fd);
	report_note("%u commits, each held by a sw_sync fence",
		    2 * demo->frames);
	return ret;
}
