// SPDX-License-Identifier: GPL-2.0-only
/*
 * The demo: frames from a camera travel through drivers and processes, in
 * buffers that are copied only on purpose, and are compared after each hop.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"

static const struct hop {
	const char *name;
	const char *title;
	int (*run)(struct demo *demo);
} hops[] = {
	{ "capture-system", "vivid -> system heap", hop_capture_system },
	{ "capture-cma", "vivid -> CMA heap", hop_capture_cma },
	{ "show", "heaps -> vkms -> heap", hop_show },
	{ "edu", "heap -> edu DMA -> heap", hop_edu },
	{ "udmabuf", "memfd -> udmabuf, vgem", hop_udmabuf },
	{ "relay", "process -> process", hop_relay },
	{ "disk", "NVMe -> vkms -> NVMe", hop_disk },
};

int demo_sabotage(const struct demo *demo, const char *hop,
		  struct buffer *buffer, size_t bytes)
{
	if (!demo->sabotage || strcmp(demo->sabotage, hop))
		return 0;
	return buffer_tamper(buffer, bytes);
}

static const struct hop *hop_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hops); i++)
		if (!strcmp(hops[i].name, name))
			return &hops[i];
	return NULL;
}

/* A hop works on what the one before has left, so the first failure ends it. */
static int demo_run(struct demo *demo)
{
	size_t i;

	report_head();
	for (i = 0; i < ARRAY_SIZE(hops); i++) {
		report_begin(hops[i].title);
		if (!report_end(hops[i].run(demo)))
			break;
		if (demo->out && hops[i].run == hop_show &&
		    picture_write(&demo->shown, demo->out)) {
			report_end(-1);
			break;
		}
	}
	return report_tail();
}

static int print_usage(const char *self, int status)
{
	size_t i;

	fprintf(status ? stderr : stdout,
		"Usage: %s [--frames N] [--out FOLDER] [--sabotage HOP]\n\n"
		"  --frames N      buffers per capture, 1 to %d (default 3)\n"
		"  --out FOLDER    write the composed frame there, as frame.ppm\n"
		"  --sabotage HOP  flip one bit on the way; the run must then fail\n"
		"  --list          print the names of the hops\n\nhops:",
		self, DEMO_MAX_FRAMES);
	for (i = 0; i < ARRAY_SIZE(hops); i++)
		fprintf(status ? stderr : stdout, " %s", hops[i].name);
	fputc('\n', status ? stderr : stdout);
	return status;
}

static int list_hops(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hops); i++)
		puts(hops[i].name);
	return 0;
}

static int demo_prepare(struct demo *demo)
{
	int i;

	for (i = 0; i < DEMO_MAX_FRAMES; i++) {
		demo->system[i].fd = -1;
		demo->cma[i].fd = -1;
		demo->noise[i] = malloc(FRAME_BYTES);
		if (!demo->noise[i])
			return -1;
	}
	demo->shown.fd = -1;
	demo->moved.fd = -1;
	demo->bars = malloc(FRAME_BYTES);
	return demo->bars ? 0 : -1;
}

static void demo_cleanup(struct demo *demo)
{
	int i;

	for (i = 0; i < DEMO_MAX_FRAMES; i++) {
		buffer_drop(&demo->system[i]);
		buffer_drop(&demo->cma[i]);
		free(demo->noise[i]);
	}
	buffer_drop(&demo->shown);
	buffer_drop(&demo->moved);
	free(demo->bars);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "frames", required_argument, NULL, 'f' },
		{ "out", required_argument, NULL, 'o' },
		{ "sabotage", required_argument, NULL, 's' },
		{ "receive", required_argument, NULL, 'r' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct demo demo = { .self = "/proc/self/exe", .frames = 3 };
	int option, ret;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'f':
			demo.frames = strtoul(optarg, NULL, 10);
			break;
		case 'o':
			demo.out = optarg;
			break;
		case 's':
			demo.sabotage = optarg;
			break;
		case 'r':
			return relay_receive(optarg);
		case 'l':
			return list_hops();
		case 'h':
			return print_usage(argv[0], 0);
		default:
			return print_usage(argv[0], 2);
		}
	}
	if (optind != argc || !demo.frames || demo.frames > DEMO_MAX_FRAMES ||
	    (demo.sabotage && !hop_find(demo.sabotage)))
		return print_usage(argv[0], 2);

	if (demo_prepare(&demo)) {
		fprintf(stderr, "%s: out of memory\n", argv[0]);
		return 1;
	}
	ret = demo_run(&demo);
	demo_cleanup(&demo);
	return ret;
}
