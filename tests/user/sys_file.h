/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small files of the kernel: sysfs, procfs, debugfs, cgroups, and the totals of
 * heaps. Every function returns -errno when it fails.
 */
#ifndef SYS_FILE_H
#define SYS_FILE_H

#include "dma_buf_test.h"

#define HEAP_STATS	"/sys/kernel/dma_heap/"

/* One write(2) of all of @text; 0 or -errno. */
static inline int file_write(const char *path, const char *text)
{
	int fd = xopen(path, O_WRONLY), ret;

	if (fd < 0)
		return fd;
	ret = (int)sysret(write(fd, text, strlen(text)));
	close(fd);
	return ret < 0 ? ret : 0;
}

static inline int file_write_number(const char *path, long long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld\n", number);
	return file_write(path, text);
}

/* The first line, without its end; 0 or -errno. */
static inline int file_read(const char *path, char *text, size_t size)
{
	int fd = xopen(path, O_RDONLY), ret;

	if (fd < 0)
		return fd;
	ret = (int)sysret(read(fd, text, size - 1));
	close(fd);
	if (ret < 0)
		return ret;
	text[ret] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

/*
 * The number at the start of the file or, if @key is not NULL, of the line that
 * begins with this word; -ENODATA when there is none.
 */
static inline long long file_read_number(const char *path, const char *key)
{
	size_t len = key ? strlen(key) : 0;
	long long value = -ENODATA;
	char line[256], *end;
	FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (key && (strncmp(line, key, len) || line[len] != ' '))
			continue;
		value = strtoll(line + len, &end, 10);
		if (end == line + len)
			value = -ENODATA;
		break;
	}
	fclose(file);
	return value;
}

/* What /sys/kernel/dma_heap says of a heap. */
static inline long long heap_total(const char *heap, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), HEAP_STATS "%s/%s", heap, name);
	return file_read_number(path, NULL);
}

static inline int heap_set_limit(const char *heap, long long bytes)
{
	char path[256];

	snprintf(path, sizeof(path), HEAP_STATS "%s/pool_limit_bytes", heap);
	return file_write_number(path, bytes);
}

#endif /* SYS_FILE_H */
