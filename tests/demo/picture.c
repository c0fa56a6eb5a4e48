// SPDX-License-Identifier: GPL-2.0-only
/*
 * The composed frame as a file: a portable pixmap, which needs no library.
 */
#include <errno.h>
#include <stdio.h>

#include "demo.h"

int picture_write(struct buffer *buffer, const char *folder)
{
	static unsigned char pixels[FRAME_WIDTH * FRAME_HEIGHT * 3];
	unsigned char *to = pixels;
	char path[256];
	FILE *file;
	size_t i;
	int bad;

	for (i = 0; i < FRAME_BYTES / 4; i++) {
		*to++ = buffer->words[i] >> 16;
		*to++ = buffer->words[i] >> 8;
		*to++ = buffer->words[i];
	}

	snprintf(path, sizeof(path), "%s/frame.ppm", folder);
	file = fopen(path, "wbe");
	if (!file)
		return fail_errno(path);
	fprintf(file, "P6\n%d %d\n255\n", FRAME_WIDTH, FRAME_HEIGHT);
	bad = fwrite(pixels, sizeof(pixels), 1, file) != 1;
	bad |= fclose(file) != 0;
	return bad ? fail_errno(path) : 0;
}
