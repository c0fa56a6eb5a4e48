// SPDX-License-Identifier: GPL-2.0-only
/*
 * How often a page of a memfd may be in buffers: as an ordinary user up to the
 * limit, and beyond it. A descriptor is no hindrance, as a mapping keeps a buffer
 * as well.
 */
#include "udmabuf_test.h"

/* A folio has so many pins at most (UDMABUF_PINS_MAX). */
#define PINS_MAX	(1u << 20)

/* As many as a list may have by default. */
#define LIST		1024u

#define LISTS		(PINS_MAX / LIST)

#define HUGE_SIZE	0x200000ul

FIXTURE(pins)
{
	void *maps[LISTS];
	int memfd;
	int dev;
	long buffers;
};

FIXTURE_VARIANT(pins)
{
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(pins, small_page) { .flags = 0 };
FIXTURE_VARIANT_ADD(pins, hugetlb) { .flags = MFD_HUGETLB };

FIXTURE_SETUP(pins)
{
	size_t size = variant->flags ? HUGE_SIZE : page_size();
	void *mem;

	self->dev = xopen(UDMABUF_NODE, O_RDWR);
	if (self->dev == -ENOENT)
		SKIP(return, "no " UDMABUF_NODE);
	ASSERT_LE(0, self->dev);
	self->buffers = count_buffers();

	/* A program that may open the node needs no other privilege. */
	ASSERT_EQ(0, setresgid(1000, 1000, 1000));
	ASSERT_EQ(0, setresuid(1000, 1000, 1000));
	self->memfd = memfd_new(size, MFD_ALLOW_SEALING | variant->flags,
				F_SEAL_SHRINK);
	if (variant->flags && self->memfd < 0)
		SKIP(return, "no hugetlb memfd");
	ASSERT_LE(0, self->memfd);
	if (variant->flags && map_rw(self->memfd, size, &mem))
		SKIP(return, "no huge page in the pool");
	if (variant->flags)
		munmap(mem, size);
}

FIXTURE_TEARDOWN(pins)
{
	if (self->dev < 0)
		return;
	close(self->memfd);
	close(self->dev);
}

/* A buffer of one page, 1024 times: kept by its mapping alone. */
static int pin_often(int dev, int memfd, void **map)
{
	static struct udmabuf_create_item items[LIST];
	unsigned int i;
	int fd, ret;

	for (i = 0; i < LIST; i++)
		items[i] = (struct udmabuf_create_item) {
			.memfd = (uint32_t)memfd, .size = page_size(),
		};
	fd = create_list(dev, items, LIST);
	if (fd < 0)
		return fd;
	ret = map_rw(fd, LIST * page_size(), map);
	close(fd);
	return ret;
}

TEST_F(pins, have_a_limit)
{
	unsigned int i, round;
	int fd;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < LISTS; i++)
			ASSERT_EQ(0, pin_often(self->dev, self->memfd,
					       &self->maps[i]));

		/* Not once more, however it is asked for; and nothing is left of it. */
		for (i = 0; i < 3; i++)
			EXPECT_REFUSED(EINVAL, pin_often(self->dev, self->memfd,
							 &(void *){ NULL }));
		EXPECT_REFUSED(EINVAL, create(self->dev, self->memfd, 0,
					      page_size()));

		/* One buffer less, and one fits. */
		munmap(self->maps[0], LIST * page_size());
		ASSERT_EQ(0, pin_often(self->dev, self->memfd, &self->maps[0]));
		EXPECT_REFUSED(EINVAL, create(self->dev, self->memfd, 0,
					      page_size()));

		for (i = 0; i < LISTS; i++)
			munmap(self->maps[i], LIST * page_size());
		/* Pins that are left would be in the way of this. */
		ASSERT_GIVES(fd, create(self->dev, self->memfd, 0, page_size()));
		EXPECT_REFUSED(EBUSY, seal_write(self->memfd));
		close(fd);
	}
	EXPECT_EQ(0, seal_write(self->memfd));
}

/*
 * Pages of one folio that follow each other, and one of them a second time. Pins that
 * are dropped once too often, or not at all, show in what sealing says.
 */
TEST_F(pins, of_pages_one_by_one)
{
	static struct udmabuf_create_item items[HUGE_SIZE / 4096 + 1];
	size_t size = variant->flags ? HUGE_SIZE : page_size();
	unsigned int nr = size / page_size(), i, round;
	int fd;

	for (i = 0; i <= nr; i++)
		items[i] = (struct udmabuf_create_item) {
			.memfd = (uint32_t)self->memfd,
			.offset = i % nr * page_size(), .size = page_size(),
		};
	for (round = 0; round < 3; round++) {
		ASSERT_GIVES(fd, create_list(self->dev, items, nr + 1));
		EXPECT_REFUSED(EBUSY, seal_write(self->memfd));
		close(fd);
	}
	EXPECT_EQ(0, seal_write(self->memfd));
}

TEST_HARNESS_MAIN
