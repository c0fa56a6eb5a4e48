/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One frame on its way through a machine, and what its stations share.
 *
 * A hop is a function that takes a frame one station further and compares what
 * arrived, word by word, with what was sent. Functions return 0 or a file
 * descriptor when all went well and -1 after fail() has said what did not.
 */
#ifndef DMABUF_DEMO_H
#define DMABUF_DEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <linux/types.h>

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

#define FRAME_WIDTH	640
#define FRAME_HEIGHT	480
#define FRAME_PITCH	(FRAME_WIDTH * 4)
#define FRAME_BYTES	(FRAME_PITCH * FRAME_HEIGHT)

/* The fourth byte of XRGB8888 means nothing, and a display may set it. */
#define MASK_COLOURS	0x00ffffffu
#define MASK_ALL	0xffffffffu

/* What a buffer holds before the first write, so that a gap is seen. */
#define POISON		0xa5c3965au

/* ---- what went wrong: report.c */

int fail_with(const char *format, ...);
/* Never prints anything: it has the compiler check the format. */
#define fail(...)	(0 ? printf(__VA_ARGS__) : fail_with(__VA_ARGS__))
int fail_errno(const char *what);

/* ---- the table: report.c */

void report_head(void);
void report_begin(const char *hop);
void report_bytes(const __u32 *words, size_t bytes);
void report_note(const char *format, ...);
bool report_end(int result);
int report_tail(void);

/* ---- a buffer and its CPU mapping: buffer.c */

struct buffer {
	int fd;
	size_t size;
	__u32 *words;
};

#define BUFFER_NONE	{ .fd = -1 }

const char *heap_cma(void);
int buffer_alloc(struct buffer *buffer, const char *heap, size_t size);
int buffer_adopt(struct buffer *buffer, int fd, size_t size);
void buffer_drop(struct buffer *buffer);
int buffer_poison(struct buffer *buffer);
int buffer_write(struct buffer *buffer, const __u32 *words, size_t bytes);
int buffer_read(struct buffer *buffer, __u32 *words, size_t bytes);
int buffer_compare(struct buffer *buffer, const __u32 *want, size_t bytes,
		   __u32 mask);
int buffer_sum(struct buffer *buffer, size_t bytes, __u32 *sum);
int buffer_tamper(struct buffer *buffer, size_t bytes);
int buffer_ready(struct buffer *buffer, short events);

/* ---- fences: fence.c */

struct timeline {
	int fd;
	__u32 next;
};

int timeline_open(struct timeline *timeline);
int timeline_fence(struct timeline *timeline);
int timeline_signal(struct timeline *timeline);
int fence_wait(int fence, int milliseconds);
int fence_merge(int *fence, int other);
int fence_expect_pending(int fence, const char *whose);

/* ---- stations */

/*
 * struct demo - the whole journey
 * @sabotage: name of the hop in which a bit is flipped, or NULL
 * @frames: how many frames each capture takes
 * @bars: the well-known test pattern, fetched without any dma-buf
 * @noise: frames in which no two rows are alike, so that it is also seen when
 *	pages change places: what @cma held when it had been captured
 * @system: frames captured into the system heap, in the end of @bars
 * @cma: frames captured into the CMA heap, in the end @noise
 * @shown: what the display composed, in the end @bars
 * @moved: what the DMA engines brought there, the first of @noise
 * @out: where the picture goes, or NULL
 */
#define DEMO_MAX_FRAMES	8

struct demo {
	const char *sabotage;
	const char *self;
	const char *out;
	unsigned int frames;
	__u32 *bars;
	__u32 *noise[DEMO_MAX_FRAMES];
	struct buffer system[DEMO_MAX_FRAMES];
	struct buffer cma[DEMO_MAX_FRAMES];
	struct buffer shown;
	struct buffer moved;
};

/* Flip a bit if this hop is to be sabotaged. */
int demo_sabotage(const struct demo *demo, const char *hop,
		  struct buffer *buffer, size_t bytes);

int hop_capture_system(struct demo *demo);
int hop_capture_cma(struct demo *demo);
int hop_show(struct demo *demo);
int hop_edu(struct demo *demo);
int hop_udmabuf(struct demo *demo);
int hop_relay(struct demo *demo);
int hop_disk(struct demo *demo);
int relay_receive(const char *path);

/* ---- devices, shared by hops */

struct display;
struct display *display_open(void);
void display_close(struct display *display);
int display_import(struct display *display, struct buffer *buffer,
		   __u32 *fb);
int display_commit(struct display *display, __u32 fb, __u32 writeback,
		   int in_fence, int *out_fence, int *writeback_fence);

int drm_open(const char *driver);
int drm_import(int drm, int fd, __u32 *handle);
int drm_export(int drm, __u32 handle);
void drm_release(int drm, __u32 handle);

#define EDU_MAX_ENGINES	16

struct engine {
	int fd;
	__u32 src;
	__u32 dst;
};

int engines_open(struct engine *engines);
void engines_close(struct engine *engines, int count);
int engine_attach(struct engine *engine, int src, int dst, bool dynamic);
int engine_copy(struct engine *engine, size_t offset, size_t bytes,
		int in_fence);

int picture_write(struct buffer *buffer, const char *folder);

#endif /* DMABUF_DEMO_H */
