// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random calls on one buffer, compared with a model in memory: reads and writes
 * of all kinds, mappings, splice, sendfile, transfers, seeking, refusals while a
 * device is at work, a device that comes to an end while a call waits, an
 * importer that comes and goes. After the way of fsx, which does so for files
 * of disks.
 *
 * FSX_OPS in the environment says how many calls per exporter, FSX_OPS_CONTIGUOUS
 * how many for CMA and huge pages, which User Mode Linux has not; FSX_SEED the first
 * seed. A failure prints the seed and the last calls.
 */
#include "progress.h"
#include "udmabuf_test.h"

#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define OPS_DEFAULT	50000
#define SEED_DEFAULT	1
#define LOG_OPS		24	/* calls that a failure prints */
#define CHECK_OPS	500	/* calls between two comparisons of everything */
#define MIB		0x100000ul

enum exporter { SYSTEM, CMA, UDMABUF, UDMABUF_HUGE };

/* What a device does with the buffer. */
enum device { IDLE, READS, WRITES };

struct range {
	size_t at;
	size_t len;
};

struct call {
	const char *name;
	struct range range;
};

struct fsx {
	size_t size;
	int fd;
	int file;			/* a memfd of the buffer's size */
	int disk;			/* a block device, or below zero */
	int pipe[2];
	int timeline;
	__u32 point;			/* of the timeline, the last fence */
	enum device device;
	int importer;
	int handle;			/* of the importer, or below zero */
	unsigned char *mapping;
	unsigned char *model;
	unsigned char *scratch;
	__u64 random;
	unsigned long done;
	struct call log[LOG_OPS];
	const char *wrong;
};

FIXTURE(fsx) {
	struct fsx fsx;
};

FIXTURE_VARIANT(fsx) {
	enum exporter exporter;
	size_t size;
};

FIXTURE_VARIANT_ADD(fsx, system) { .exporter = SYSTEM, .size = 5 * MIB };
FIXTURE_VARIANT_ADD(fsx, cma) { .exporter = CMA, .size = MIB };
FIXTURE_VARIANT_ADD(fsx, udmabuf) { .exporter = UDMABUF, .size = MIB };
FIXTURE_VARIANT_ADD(fsx, udmabuf_huge) { .exporter = UDMABUF_HUGE, .size = 4 * MIB };

/* xorshift64*, by Vigna, "An experimental exploration of Marsaglia's xorshift". */
static __u64 fsx_random(struct fsx *fsx, __u64 below)
{
	fsx->random ^= fsx->random >> 12;
	fsx->random ^= fsx->random << 25;
	fsx->random ^= fsx->random >> 27;
	return ((fsx->random * 0x2545f4914f6cdd1dull) >> 33) % below;
}

/* Lengths are short in most cases, positions often at the border of a page. */
static struct range fsx_range(struct fsx *fsx)
{
	static const size_t most[] = { 16, 512, 4096, 4096, 3 * 4096, 65536, MIB };
	struct range range;

	range.at = fsx_random(fsx, fsx->size);
	if (!fsx_random(fsx, 3))
		range.at &= ~(page_size() - 1);
	range.len = 1 + fsx_random(fsx, most[fsx_random(fsx, 7)]);
	if (!fsx_random(fsx, 3))
		range.len = (range.len + page_size() - 1) & ~(page_size() - 1);
	if (range.len > fsx->size - range.at)
		range.len = fsx->size - range.at;
	return range;
}

static void fsx_note(struct fsx *fsx, const char *name, struct range range)
{
	fsx->log[fsx->done % LOG_OPS] = (struct call){ name, range };
}

static void fsx_expect(struct fsx *fsx, bool right, const char *what)
{
	if (!right && !fsx->wrong)
		fsx->wrong = what;
}

/* -- the model ------------------------------------------------------------- */

/* New bytes, in the scratch memory and in the model. */
static void *fsx_fill(struct fsx *fsx, struct range range)
{
	unsigned int seed = (unsigned int)fsx->done;

	pattern_fill(fsx->scratch, range.len, seed);
	memcpy(fsx->model + range.at, fsx->scratch, range.len);
	return fsx->scratch;
}

static void fsx_compare(struct fsx *fsx, const void *bytes, struct range range,
			const char *what)
{
	fsx_expect(fsx, !memcmp(bytes, fsx->model + range.at, range.len), what);
}

static void fsx_compare_all(struct fsx *fsx)
{
	struct range all = { 0, fsx->size };

	dmabuf_begin(fsx->fd, DMA_BUF_SYNC_READ);
	fsx_compare(fsx, fsx->mapping, all, "the mapping differs from the model");
	dmabuf_end(fsx->fd, DMA_BUF_SYNC_READ);
}

/* -- devices --------------------------------------------------------------- */

static void device_end(struct fsx *fsx)
{
	if (fsx->device != IDLE)
		fsx_expect(fsx, !sw_sync_inc(fsx->timeline, 1), "the fence cannot be signalled");
	fsx->device = IDLE;
}

static void device_begin(struct fsx *fsx, enum device device)
{
	int fence;

	device_end(fsx);
	fence = sw_sync_fence(fsx->timeline, ++fsx->point, "fsx");
	fsx_expect(fsx, fence >= 0 &&
		   !dmabuf_import_sync_file(fsx->fd, device == READS ? DMA_BUF_SYNC_READ :
					    DMA_BUF_SYNC_WRITE, fence),
		   "no fence can be attached");
	close(fence);
	fsx->device = device;
}

static void *device_ends_later(void *data)
{
	struct fsx *fsx = data;

	usleep((useconds_t)(fsx->done % 1000));
	sw_sync_inc(fsx->timeline, 1);
	return NULL;
}

/* -- calls ----------------------------------------------------------------- */

static void op_read(struct fsx *fsx, struct range range)
{
	ssize_t got = pread(fsx->fd, fsx->scratch, range.len, (off_t)range.at);

	fsx_expect(fsx, got == (ssize_t)range.len, "short or failed");
	fsx_compare(fsx, fsx->scratch, range, "other bytes");
}

static void op_write(struct fsx *fsx, struct range range)
{
	void *bytes = fsx_fill(fsx, range);
	ssize_t got = pwrite(fsx->fd, bytes, range.len, (off_t)range.at);

	fsx_expect(fsx, got == (ssize_t)range.len, "short or failed");
}

/* Three pieces, of which one may be empty. */
static void fsx_pieces(struct fsx *fsx, struct range range, struct iovec *iov)
{
	size_t first = fsx_random(fsx, range.len + 1);
	size_t second = fsx_random(fsx, range.len - first + 1);

	iov[0] = (struct iovec){ fsx->scratch, first };
	iov[1] = (struct iovec){ fsx->scratch + first, second };
	iov[2] = (struct iovec){ fsx->scratch + first + second, range.len - first - second };
}

static void op_readv(struct fsx *fsx, struct range range)
{
	struct iovec iov[3];

	fsx_pieces(fsx, range, iov);
	fsx_expect(fsx, preadv(fsx->fd, iov, 3, (off_t)range.at) == (ssize_t)range.len,
		   "short or failed");
	fsx_compare(fsx, fsx->scratch, range, "other bytes");
}

static void op_writev(struct fsx *fsx, struct range range)
{
	struct iovec iov[3];

	fsx_fill(fsx, range);
	fsx_pieces(fsx, range, iov);
	fsx_expect(fsx, pwritev(fsx->fd, iov, 3, (off_t)range.at) == (ssize_t)range.len,
		   "short or failed");
}

static void op_seek_read(struct fsx *fsx, struct range range)
{
	fsx_expect(fsx, lseek(fsx->fd, (off_t)range.at, SEEK_SET) == (off_t)range.at,
		   "no such position");
	fsx_expect(fsx, read(fsx->fd, fsx->scratch, range.len) == (ssize_t)range.len,
		   "short or failed");
	fsx_compare(fsx, fsx->scratch, range, "other bytes");
	fsx_expect(fsx, lseek(fsx->fd, 0, SEEK_CUR) == (off_t)(range.at + range.len),
		   "the position has not moved");
}

/* Past the end: what there is, or ENOSPC. */
static void op_border(struct fsx *fsx, struct range range)
{
	struct range last = { fsx->size - range.len % page_size(), range.len % page_size() };
	ssize_t got;

	got = pread(fsx->fd, fsx->scratch, last.len + 100, (off_t)last.at);
	fsx_expect(fsx, got == (ssize_t)last.len, "a read goes on behind the end");
	fsx_compare(fsx, fsx->scratch, last, "other bytes");
	got = sysret(pwrite(fsx->fd, fsx->scratch, 1, (off_t)fsx->size));
	fsx_expect(fsx, got == -ENOSPC, "a write behind the end");
}

static void op_nowait(struct fsx *fsx, struct range range)
{
	struct iovec iov = { fsx->scratch, range.len };
	bool may_read, may_write;
	ssize_t got;

	if (fsx_random(fsx, 2))
		device_begin(fsx, fsx_random(fsx, 2) ? READS : WRITES);
	may_read = fsx->device != WRITES;
	may_write = fsx->device == IDLE;

	got = sysret(preadv2(fsx->fd, &iov, 1, (off_t)range.at, RWF_NOWAIT));
	fsx_expect(fsx, got == (may_read ? (ssize_t)range.len : -EAGAIN),
		   "a read that must not wait");
	if (got > 0)
		fsx_compare(fsx, fsx->scratch, range, "other bytes");

	if (may_write)
		fsx_fill(fsx, range);
	got = sysret(pwritev2(fsx->fd, &iov, 1, (off_t)range.at, RWF_NOWAIT));
	fsx_expect(fsx, got == (may_write ? (ssize_t)range.len : -EAGAIN),
		   "a write that must not wait");
	device_end(fsx);
}

/* The call waits, and goes on when the device has come to its end. */
static void op_waits(struct fsx *fsx, struct range range)
{
	pthread_t thread;

	if (fsx->done % 8)
		return;
	device_begin(fsx, WRITES);
	if (pthread_create(&thread, NULL, device_ends_later, fsx)) {
		fsx_expect(fsx, false, "no thread");
		return;
	}
	if (fsx_random(fsx, 2))
		op_read(fsx, range);
	else
		op_write(fsx, range);
	fsx_expect(fsx, !poll_now(fsx->fd, 0), "poll");
	pthread_join(thread, NULL);
	fsx->device = IDLE;
}

static void op_mapping_read(struct fsx *fsx, struct range range)
{
	dmabuf_sync_partial(fsx->fd, DMA_BUF_SYNC_READ, range.at, range.len);
	fsx_compare(fsx, fsx->mapping + range.at, range, "other bytes");
	dmabuf_sync_partial(fsx->fd, DMA_BUF_SYNC_READ | DMA_BUF_SYNC_END, range.at, range.len);
}

static void op_mapping_write(struct fsx *fsx, struct range range)
{
	dmabuf_begin(fsx->fd, DMA_BUF_SYNC_WRITE);
	memcpy(fsx->mapping + range.at, fsx_fill(fsx, range), range.len);
	dmabuf_end(fsx->fd, DMA_BUF_SYNC_WRITE);
}

static void op_new_mapping(struct fsx *fsx, struct range range)
{
	size_t at = range.at & ~(page_size() - 1), inside = range.at - at;
	void *mem;

	if (map_fd(fsx->fd, inside + range.len, PROT_READ | PROT_WRITE, MAP_SHARED,
		   (off_t)at, &mem)) {
		fsx_expect(fsx, false, "cannot be mapped");
		return;
	}
	fsx_compare(fsx, (unsigned char *)mem + inside, range, "other bytes");
	memcpy((unsigned char *)mem + inside, fsx_fill(fsx, range), range.len);
	munmap(mem, inside + range.len);
}

/* User memory that is the buffer itself: two ranges of it that do not overlap. */
static void op_itself(struct fsx *fsx, struct range range)
{
	struct range other = { 0, range.len };

	if (range.at < range.len)
		return;
	other.at = fsx_random(fsx, range.at - range.len + 1);
	if (fsx_random(fsx, 2)) {
		fsx_expect(fsx, pwrite(fsx->fd, fsx->mapping + other.at, range.len,
				       (off_t)range.at) == (ssize_t)range.len,
			   "short or failed");
		memcpy(fsx->model + range.at, fsx->model + other.at, range.len);
	} else {
		fsx_expect(fsx, pread(fsx->fd, fsx->mapping + other.at, range.len,
				      (off_t)range.at) == (ssize_t)range.len,
			   "short or failed");
		memcpy(fsx->model + other.at, fsx->model + range.at, range.len);
	}
}

static void op_splice_out(struct fsx *fsx, struct range range)
{
	loff_t at = (loff_t)range.at;
	ssize_t got;

	got = splice(fsx->fd, &at, fsx->pipe[1], NULL, range.len, SPLICE_F_NONBLOCK);
	fsx_expect(fsx, got > 0 && at == (loff_t)(range.at + (size_t)got), "nothing spliced");
	if (got <= 0)
		return;
	range.len = (size_t)got;
	fsx_expect(fsx, read(fsx->pipe[0], fsx->scratch, range.len) == got, "lost in the pipe");
	fsx_compare(fsx, fsx->scratch, range, "other bytes");
}

static void op_splice_in(struct fsx *fsx, struct range range)
{
	loff_t at = (loff_t)range.at;

	if (range.len > 32768)
		range.len = 32768;
	fsx_expect(fsx, write(fsx->pipe[1], fsx_fill(fsx, range), range.len) ==
		   (ssize_t)range.len, "the pipe is full");
	fsx_expect(fsx, splice(fsx->pipe[0], NULL, fsx->fd, &at, range.len, 0) ==
		   (ssize_t)range.len, "short or failed");
}

/* From the file, at the same position. */
static void op_sendfile_in(struct fsx *fsx, struct range range)
{
	off_t at = (off_t)range.at;

	fsx_expect(fsx, pwrite(fsx->file, fsx_fill(fsx, range), range.len, at) ==
		   (ssize_t)range.len, "the file is not written");
	lseek(fsx->fd, at, SEEK_SET);
	fsx_expect(fsx, sendfile(fsx->fd, fsx->file, &at, range.len) == (ssize_t)range.len,
		   "short or failed");
}

static void op_sendfile_out(struct fsx *fsx, struct range range)
{
	off_t at = (off_t)range.at;

	lseek(fsx->file, at, SEEK_SET);
	fsx_expect(fsx, sendfile(fsx->file, fsx->fd, &at, range.len) == (ssize_t)range.len,
		   "short or failed");
	fsx_expect(fsx, pread(fsx->file, fsx->scratch, range.len, (off_t)range.at) ==
		   (ssize_t)range.len, "the file is not read");
	fsx_compare(fsx, fsx->scratch, range, "other bytes");
}

/* From the file, which has its bytes in the page cache. */
static void op_transfer_in(struct fsx *fsx, struct range range)
{
	fsx_expect(fsx, pwrite(fsx->file, fsx_fill(fsx, range), range.len, (off_t)range.at) ==
		   (ssize_t)range.len, "the file is not written");
	fsx_expect(fsx, dmabuf_transfer(fsx->fd, fsx->file, DMA_BUF_TRANSFER_FROM_FILE, range.at,
					range.at, range.len) == (long)range.len,
		   "short or failed");
}

static void op_transfer_out(struct fsx *fsx, struct range range)
{
	fsx_expect(fsx, dmabuf_transfer(fsx->fd, fsx->file, DMA_BUF_TRANSFER_TO_FILE, range.at,
					range.at, range.len) == (long)range.len,
		   "short or failed");
	fsx_expect(fsx, pread(fsx->file, fsx->scratch, range.len, (off_t)range.at) ==
		   (ssize_t)range.len, "the file is not read");
	fsx_compare(fsx, fsx->scratch, range, "other bytes");
}

/* To and from a block device in memory, straight: whole blocks. */
static void op_transfer_straight(struct fsx *fsx, struct range range)
{
	__u32 flags = DMA_BUF_TRANSFER_DIRECT;

	if (fsx->disk < 0)
		return;
	range.at &= ~511ul;
	range.len = (range.len + 511) & ~511ul;
	if (range.len > fsx->size - range.at)
		range.len = fsx->size - range.at;
	fsx_expect(fsx, dmabuf_transfer(fsx->fd, fsx->disk, flags | DMA_BUF_TRANSFER_TO_FILE,
					range.at, range.at, range.len) == (long)range.len,
		   "not all is written");
	/* Other bytes for a moment, which are not in the model. */
	memset(fsx->mapping + range.at, 0xa5, range.len);
	fsx_expect(fsx, dmabuf_transfer(fsx->fd, fsx->disk, flags | DMA_BUF_TRANSFER_FROM_FILE,
					range.at, range.at, range.len) == (long)range.len,
		   "not all is read");
	fsx_compare(fsx, fsx->mapping + range.at, range, "other bytes");
}

/* An importer maps the buffer for its device, and goes at some later time. */
static void op_importer(struct fsx *fsx, struct range range)
{
	if (fsx->importer < 0)
		return;
	if (fsx->handle < 0) {
		fsx->handle = importer_import(fsx->importer, fsx->fd);
		fsx_expect(fsx, fsx->handle >= 0, "cannot be imported");
	} else if (!fsx_random(fsx, 4)) {
		importer_close(fsx->importer, fsx->handle);
		fsx->handle = -1;
	}
	op_mapping_write(fsx, range);
}

static const struct {
	const char *name;
	void (*run)(struct fsx *fsx, struct range range);
} ops[] = {
	{ "pread", op_read },
	{ "pwrite", op_write },
	{ "preadv", op_readv },
	{ "pwritev", op_writev },
	{ "lseek and read", op_seek_read },
	{ "border", op_border },
	{ "RWF_NOWAIT", op_nowait },
	{ "waiting", op_waits },
	{ "read from the mapping", op_mapping_read },
	{ "write to the mapping", op_mapping_write },
	{ "new mapping", op_new_mapping },
	{ "itself", op_itself },
	{ "splice out", op_splice_out },
	{ "splice in", op_splice_in },
	{ "sendfile in", op_sendfile_in },
	{ "sendfile out", op_sendfile_out },
	{ "transfer in", op_transfer_in },
	{ "transfer out", op_transfer_out },
	{ "transfer straight", op_transfer_straight },
	{ "importer", op_importer },
};

/* -- the test -------------------------------------------------------------- */

static unsigned long from_environment(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : otherwise;
}

static int udmabuf_new(size_t size, unsigned int flags)
{
	int dev, memfd, fd;

	dev = xopen(UDMABUF_NODE, O_RDWR);
	if (dev < 0)
		return dev;
	memfd = memfd_new(size, flags, F_SEAL_SHRINK);
	fd = memfd < 0 ? memfd : create(dev, memfd, 0, size);
	if (memfd >= 0)
		close(memfd);
	close(dev);
	return fd;
}

static int buffer_new(enum exporter exporter, size_t size)
{
	switch (exporter) {
	case SYSTEM:
		return heap_alloc_from("system", size);
	case CMA:
		return heap_alloc_from("default_cma_region", size);
	case UDMABUF:
		return udmabuf_new(size, MFD_ALLOW_SEALING);
	default:
		return udmabuf_new(size, MFD_ALLOW_SEALING | MFD_HUGETLB);
	}
}

FIXTURE_SETUP(fsx)
{
	struct fsx *fsx = &self->fsx;
	void *mem;

	memset(self, 0, sizeof(*self));
	fsx->file = -1;
	fsx->disk = -1;
	fsx->timeline = -1;
	fsx->importer = -1;
	fsx->handle = -1;
	fsx->size = variant->size;
	fsx->fd = buffer_new(variant->exporter, fsx->size);
	if (fsx->fd < 0)
		SKIP(return, "no such exporter, or no memory of that kind: %d", fsx->fd);
	fsx->timeline = sw_sync_open();
	if (fsx->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, pipe2(fsx->pipe, O_CLOEXEC));
	fsx->file = memfd_create("fsx", MFD_CLOEXEC);
	ASSERT_LE(0, fsx->file);
	ASSERT_EQ(0, ftruncate(fsx->file, (off_t)fsx->size));
	fsx->disk = xopen("/dev/ram0", O_RDWR);
	fsx->importer = importer_open();
	ASSERT_EQ(0, map_rw(fsx->fd, fsx->size, &mem));
	fsx->mapping = mem;
	fsx->model = malloc(fsx->size);
	fsx->scratch = malloc(fsx->size + page_size());
	ASSERT_TRUE(fsx->model && fsx->scratch);
	/* A memfd of huge pages need not be zero-filled yet. */
	memset(fsx->mapping, 0, fsx->size);
	memset(fsx->model, 0, fsx->size);
}

FIXTURE_TEARDOWN(fsx)
{
	struct fsx *fsx = &self->fsx;

	if (fsx->mapping)
		munmap(fsx->mapping, fsx->size);
	if (fsx->importer >= 0)
		close(fsx->importer);
	if (fsx->file >= 0)
		close(fsx->file);
	if (fsx->disk >= 0)
		close(fsx->disk);
	if (fsx->timeline >= 0)
		close(fsx->timeline);
	if (fsx->fd >= 0)
		close(fsx->fd);
	free(fsx->model);
	free(fsx->scratch);
}

static void fsx_step(struct fsx *fsx)
{
	size_t op = fsx_random(fsx, ARRAY_SIZE(ops));
	struct range range = fsx_range(fsx);

	fsx_note(fsx, ops[op].name, range);
	ops[op].run(fsx, range);
	if (!(++fsx->done % CHECK_OPS)) {
		fsx_compare_all(fsx);
		test_progress("random calls", fsx->done);
	}
}

TEST_F(fsx, random_calls_agree_with_a_model)
{
	bool contiguous = variant->exporter == CMA || variant->exporter == UDMABUF_HUGE;
	unsigned long nr = from_environment(contiguous ? "FSX_OPS_CONTIGUOUS" : "FSX_OPS",
					    OPS_DEFAULT);
	__u64 seed = from_environment("FSX_SEED", SEED_DEFAULT), i;
	struct fsx *fsx = &self->fsx;

	fsx->random = seed * 0x9e3779b97f4a7c15ull + 1;
	while (fsx->done < nr && !fsx->wrong)
		fsx_step(fsx);
	fsx_compare_all(fsx);
	TH_LOG("FIGURE random calls on a buffer: %lu", fsx->done);

	EXPECT_EQ(NULL, fsx->wrong) {
		TH_LOG("seed %llu, call %lu: %s", seed, fsx->done, fsx->wrong);
		for (i = fsx->done > LOG_OPS ? fsx->done - LOG_OPS : 0; i < fsx->done; i++)
			TH_LOG("%llu: %s at %zu, %zu bytes", i, fsx->log[i % LOG_OPS].name,
			       fsx->log[i % LOG_OPS].range.at, fsx->log[i % LOG_OPS].range.len);
	}
}

TEST_HARNESS_MAIN
