/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture "mapping": a buffer of a heap, mapped, and nothing left of it
 * afterwards.
 *
 * A heap is a fixture variant here by name; what does not exist is skipped.
 * Sizes and offsets are bytes.
 */
#ifndef HEAP_MAPPING_H
#define HEAP_MAPPING_H

#include "dma_buf_test.h"

/* Not a multiple of what a fault maps at once, and more than one PMD. */
#define PAGES		(512 + 37)

FIXTURE(mapping)
{
	char *mem;
	size_t page;
	size_t size;
	long buffers;
	int heap;
	int fds;
	int fd;
};

FIXTURE_VARIANT(mapping)
{
	const char *name;
	/* Pages can be pinned, and one of them be mapped MAP_PRIVATE. */
	bool ordinary;
};

FIXTURE_VARIANT_ADD(mapping, system) { .name = "system", .ordinary = true };
FIXTURE_VARIANT_ADD(mapping, cma) { .name = "default_cma_region" };

FIXTURE_SETUP(mapping)
{
	void *mem;

	self->heap = heap_open(variant->name);
	if (self->heap == -ENOENT)
		SKIP(return, "no heap named %s", variant->name);
	ASSERT_LE(0, self->heap);
	self->buffers = count_buffers();
	self->fds = count_open_fds();
	self->page = page_size();
	self->size = PAGES * self->page;
	ASSERT_GIVES(self->fd, heap_alloc(self->heap, self->size));
	ASSERT_EQ(0, map_rw(self->fd, self->size, &mem));
	self->mem = mem;
}

FIXTURE_TEARDOWN(mapping)
{
	if (self->heap < 0)
		return;
	munmap(self->mem, self->size);
	close(self->fd);
	EXPECT_EQ(self->fds, count_open_fds());
	EXPECT_TRUE(self->buffers < 0 || buffers_settle(self->buffers));
	close(self->heap);
}

#endif /* HEAP_MAPPING_H */
