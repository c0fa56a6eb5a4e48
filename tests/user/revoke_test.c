// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA_BUF_IOCTL_REVOKE: what is left of a buffer of a heap for the programs
 * that have it. Who may revoke, and what is refused, is tested here, too;
 * importers are in dma_buf_revoke_importer_kunit.c.
 *
 * Revocation waits for devices, for as long as a parameter says. The fences of
 * these tests signal never or late, so they set it to zero.
 */
#include "sys_file.h"
#include "uring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define TIMEOUT		"/sys/module/dma_buf_revoke/parameters/timeout"
#define BUFFER_PAGES	16
#define PATIENCE_MS	20000
#define HUGE_SIZE	(4UL << 20)
#define OTHER_UID		65534

/* -- access to memory ------------------------------------------------------ */

static sigjmp_buf access_failed;

static void access_on_signal(int signal)
{
	siglongjmp(access_failed, signal);
}

/* The signal that a read, or a write, of one byte raises; 0 for none. */
static int signal_of_access(volatile char *at, bool write)
{
	struct sigaction action = { .sa_handler = access_on_signal }, bus, segv;
	int signal;

	sigaction(SIGBUS, &action, &bus);
	sigaction(SIGSEGV, &action, &segv);
	signal = sigsetjmp(access_failed, 1);
	if (!signal) {
		if (write)
			*at = 1;
		else
			(void)*at;
	}
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return signal;
}

/* The first page that can be accessed, or -1. */
static long first_accessible(char *mem, size_t size)
{
	size_t at;

	for (at = 0; at < size; at += page_size())
		if (signal_of_access(mem + at, false) != SIGBUS ||
		    signal_of_access(mem + at, true) != SIGBUS)
			return (long)(at / page_size());
	return -1;
}

/* -- fixture --------------------------------------------------------------- */

FIXTURE(revoke)
{
	long long timeout;
	size_t size;
	int heap;
	int fd;
	int timeline;
	int fds;
	long buffers;
};

FIXTURE_VARIANT(revoke)
{
	const char *heap;
	/* Pages can be pinned, and one of them be mapped MAP_PRIVATE. */
	bool ordinary;
};

FIXTURE_VARIANT_ADD(revoke, system) { .heap = "system", .ordinary = true };
FIXTURE_VARIANT_ADD(revoke, cma) { .heap = "default_cma_region" };

FIXTURE_SETUP(revoke)
{
	self->heap = heap_open(variant->heap);
	if (self->heap < 0)
		SKIP(return, "no heap %s", variant->heap);
	self->timeout = file_read_number(TIMEOUT, NULL);
	ASSERT_LE(0, self->timeout);
	ASSERT_EQ(0, file_write_number(TIMEOUT, 0));
	self->fds = count_open_fds();
	self->buffers = count_buffers();
	self->size = BUFFER_PAGES * page_size();
	ASSERT_GIVES(self->fd, heap_alloc(self->heap, self->size));
	self->timeline = sw_sync_open();
}

FIXTURE_TEARDOWN(revoke)
{
	if (self->heap < 0)
		return;
	if (self->timeline >= 0)
		close(self->timeline);
	close(self->fd);
	EXPECT_EQ(self->fds, count_open_fds());
	EXPECT_TRUE(self->buffers < 0 || buffers_settle(self->buffers));
	file_write_number(TIMEOUT, self->timeout);
	close(self->heap);
}

/* -- every call ------------------------------------------------------------ */

TEST_F(revoke, new_uses_fail)
{
	struct dma_buf_sync_record record = {
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ, .fd = self->fd,
	};
	char byte = 'r', file_name[] = "/tmp/revoke_test.XXXXXX";
	int file = mkstemp(file_name), sync_file, pipes[2];
	struct iovec iov = { &byte, 1 };
	void *mem;

	ASSERT_LE(0, file);
	unlink(file_name);
	ASSERT_EQ(1, write(file, &byte, 1));
	ASSERT_EQ(0, pipe(pipes));
	sync_file = dmabuf_export_sync_file(self->fd, DMA_BUF_SYNC_READ);
	ASSERT_EQ(0, dmabuf_revoke(self->fd));

	EXPECT_REFUSED(ENODEV, sysret(read(self->fd, &byte, 1)));
	EXPECT_REFUSED(ENODEV, sysret(write(self->fd, &byte, 1)));
	EXPECT_REFUSED(ENODEV, sysret(pread(self->fd, &byte, 1, 7)));
	EXPECT_REFUSED(ENODEV, sysret(pwrite(self->fd, &byte, 1, 7)));
	EXPECT_REFUSED(ENODEV, sysret(readv(self->fd, &iov, 1)));
	EXPECT_REFUSED(ENODEV, sysret(preadv2(self->fd, &iov, 1, 0, RWF_NOWAIT)));
	EXPECT_REFUSED(ENODEV, sysret(splice(self->fd, NULL, pipes[1], NULL, 1, 0)));
	EXPECT_REFUSED(ENODEV, map_rw(self->fd, self->size, &mem));
	EXPECT_REFUSED(ENODEV, dmabuf_begin(self->fd, DMA_BUF_SYNC_READ));
	EXPECT_REFUSED(ENODEV, dmabuf_begin(self->fd, DMA_BUF_SYNC_RW));
	EXPECT_REFUSED(ENODEV, dmabuf_sync_partial(self->fd, DMA_BUF_SYNC_START |
						   DMA_BUF_SYNC_WRITE, 1, 1));
	EXPECT_REFUSED(ENODEV, dmabuf_sync_batch(self->fd, &record, 1));
	EXPECT_REFUSED(ENODEV, dmabuf_transfer(self->fd, file, DMA_BUF_TRANSFER_FROM_FILE,
					       0, 0, 1));
	EXPECT_REFUSED(ENODEV, dmabuf_transfer(self->fd, file, DMA_BUF_TRANSFER_TO_FILE,
					       0, 0, 1));
	if (sync_file >= 0) {
		EXPECT_REFUSED(ENODEV, dmabuf_export_sync_file(self->fd, DMA_BUF_SYNC_READ));
		EXPECT_REFUSED(ENODEV, dmabuf_import_sync_file(self->fd, DMA_BUF_SYNC_READ,
							       sync_file));
		close(sync_file);
	}
	EXPECT_EQ(POLLERR, poll_now(self->fd, POLLIN | POLLOUT));
	EXPECT_EQ(POLLERR, poll_now(self->fd, 0));
	close(file);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(revoke, what_ends_a_use_remains)
{
	char value[64];
	struct stat st;
	int other;

	ASSERT_EQ(0, dmabuf_begin(self->fd, DMA_BUF_SYNC_RW));
	EXPECT_EQ(-ENODATA, fdinfo_get(self->fd, "revoked", value, sizeof(value)));
	ASSERT_EQ(0, dmabuf_revoke(self->fd));

	EXPECT_WORKS(dmabuf_end(self->fd, DMA_BUF_SYNC_RW));
	EXPECT_WORKS(dmabuf_sync_partial(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE, 0, 1));
	EXPECT_WORKS(dmabuf_set_name(self->fd, "revoked"));
	EXPECT_EQ((long)self->size, dmabuf_size(self->fd));
	EXPECT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(0, fdinfo_get(self->fd, "revoked", value, sizeof(value)));
	EXPECT_STREQ("1", value);
	EXPECT_EQ(0, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ("revoked", value);
	ASSERT_GIVES(other, sysret(dup(self->fd)));
	EXPECT_REFUSED(ENODEV, dmabuf_begin(other, DMA_BUF_SYNC_READ));
	close(other);
	/* Again, with the same result. */
	EXPECT_EQ(0, dmabuf_revoke(self->fd));
}

/* -- who may --------------------------------------------------------------- */

TEST_F(revoke, refuses_what_is_wrong)
{
	struct udmabuf_create args = { .size = page_size() };
	int memfd, udmabuf, dev;

	EXPECT_REFUSED(EINVAL, xioctl(self->fd, DMA_BUF_IOCTL_REVOKE, (void *)1));
	EXPECT_REFUSED(ENOTTY, xioctl(self->fd, _IOW('b', 7, int), NULL));
	EXPECT_EQ(0, dmabuf_begin(self->fd, DMA_BUF_SYNC_READ));

	dev = xopen(UDMABUF_NODE, O_RDWR);
	if (dev < 0)
		return;
	memfd = memfd_create("revoke", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, ftruncate(memfd, (off_t)page_size()));
	ASSERT_EQ(0, fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	args.memfd = (__u32)memfd;
	ASSERT_GIVES(udmabuf, xioctl(dev, UDMABUF_CREATE, &args));
	EXPECT_REFUSED(EOPNOTSUPP, dmabuf_revoke(udmabuf));
	close(udmabuf);
	close(memfd);
	close(dev);
}

/*
 * In a process of its own: what a revocation returns as @uid, without
 * capabilities, or with all those of a user namespace of its own.
 */
static int revoke_as(int fd, uid_t uid, bool in_user_ns)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
			_exit(126);
		if (in_user_ns && unshare(CLONE_NEWUSER))
			_exit(127);
		_exit(-dmabuf_revoke(fd));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status);
}

TEST_F(revoke, other_users_may_not)
{
	int ret;

	if (geteuid())
		SKIP(return, "not root");
	EXPECT_EQ(-EPERM, revoke_as(self->fd, OTHER_UID, false));
	ret = revoke_as(self->fd, OTHER_UID, true);
	EXPECT_TRUE(ret == -EPERM || ret == -127);
	EXPECT_EQ(0, dmabuf_begin(self->fd, DMA_BUF_SYNC_READ));
}

/* The buffer is that of another user, whom root may overrule. */
TEST_F(revoke, owner_and_root_may)
{
	int pair[2], fd, second, status;
	pid_t pid;

	if (geteuid())
		SKIP(return, "not root");
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	pid = fork();
	if (!pid) {
		if (setresgid(OTHER_UID, OTHER_UID, OTHER_UID) ||
		    setresuid(OTHER_UID, OTHER_UID, OTHER_UID))
			_exit(1);
		fd = heap_alloc(self->heap, page_size());
		second = heap_alloc(self->heap, page_size());
		if (fd < 0 || second < 0 || dmabuf_revoke(second))
			_exit(2);
		/* Once revoked, it is passed on as any other. */
		if (fd_send(pair[1], fd) || fd_send(pair[1], second))
			_exit(3);
		_exit(0);
	}
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_GIVES(fd, fd_receive(pair[0]));
	ASSERT_GIVES(second, fd_receive(pair[0]));
	EXPECT_REFUSED(ENODEV, dmabuf_begin(second, DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, dmabuf_begin(fd, DMA_BUF_SYNC_READ));
	EXPECT_EQ(-EPERM, revoke_as(fd, OTHER_UID - 1, false));
	EXPECT_EQ(0, dmabuf_revoke(fd));
	close(fd);
	close(second);
	close(pair[0]);
	close(pair[1]);
}

/* -- mappings -------------------------------------------------------------- */

TEST_F(revoke, mappings_raise_sigbus)
{
	void *shared, *again, *read_only;
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, map_rw(self->fd, self->size, &shared));
	ASSERT_EQ(0, map_rw(self->fd, self->size, &again));
	ASSERT_EQ(0, map_fd(self->fd, self->size, PROT_READ, MAP_SHARED, 0, &read_only));
	memset(shared, 1, self->size);
	EXPECT_EQ(0, signal_of_access(read_only, false));

	ASSERT_EQ(0, dmabuf_revoke(self->fd));
	EXPECT_EQ(-1, first_accessible(shared, self->size));
	/* This one was never touched. */
	EXPECT_EQ(-1, first_accessible(again, self->size));
	EXPECT_EQ(SIGBUS, signal_of_access(read_only, false));
	/* In a system call it is EFAULT. */
	EXPECT_REFUSED(EFAULT, sysret(write(pipes[1], shared, 1)));
	close(pipes[0]);
	close(pipes[1]);
	munmap(shared, self->size);
	munmap(again, self->size);
	munmap(read_only, self->size);
}

TEST_F(revoke, private_copy_raises_sigbus)
{
	void *mem;

	if (!variant->ordinary)
		SKIP(return, "no private mappings");
	ASSERT_EQ(0, map_fd(self->fd, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, 0,
			    &mem));
	memset(mem, 1, page_size());
	ASSERT_EQ(0, dmabuf_revoke(self->fd));
	EXPECT_EQ(-1, first_accessible(mem, page_size()));
	munmap(mem, page_size());
}

TEST_F(revoke, huge_mapping_raises_sigbus)
{
	void *mem;
	int fd;

	ASSERT_GIVES(fd, heap_alloc(self->heap, HUGE_SIZE));
	ASSERT_EQ(0, map_rw(fd, HUGE_SIZE, &mem));
	memset(mem, 1, HUGE_SIZE);
	ASSERT_EQ(0, dmabuf_revoke(fd));
	EXPECT_EQ(-1, first_accessible(mem, HUGE_SIZE));
	munmap(mem, HUGE_SIZE);
	close(fd);
}

/* A mapping that a child has inherited, touched before and after the fork. */
TEST_F(revoke, mappings_of_children_raise_sigbus)
{
	int ready[2], go[2], status;
	char byte = 0;
	void *mem;
	pid_t pid;

	ASSERT_EQ(0, map_rw(self->fd, self->size, &mem));
	memset(mem, 1, self->size / 2);
	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid) {
		memset(mem, 2, self->size);
		if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(2);
		_exit(first_accessible(mem, self->size) != -1);
	}
	ASSERT_LT(0, pid);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	ASSERT_EQ(0, dmabuf_revoke(self->fd));
	ASSERT_EQ(1, write(go[1], &byte, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(-1, first_accessible(mem, self->size));
	munmap(mem, self->size);
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
}

/* Pages in a pipe belong to the reader of the pipe. */
TEST_F(revoke, pages_in_a_pipe_outlive_it)
{
	char text[] = "in the pipe", got[sizeof(text)];
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ((ssize_t)sizeof(text), pwrite(self->fd, text, sizeof(text), 0));
	ASSERT_EQ((ssize_t)sizeof(text), splice(self->fd, NULL, pipes[1], NULL,
						sizeof(text), 0));
	ASSERT_EQ(0, dmabuf_revoke(self->fd));
	EXPECT_EQ((ssize_t)sizeof(text), read(pipes[0], got, sizeof(got)));
	EXPECT_STREQ(text, got);
	close(pipes[0]);
	close(pipes[1]);
}

/* -- waits ----------------------------------------------------------------- */

struct waiter {
	pthread_t thread;
	long (*call)(int fd);
	int fd;
	long ret;
	bool done;
};

static void *waiter_thread(void *data)
{
	struct waiter *waiter = data;

	waiter->ret = waiter->call(waiter->fd);
	__atomic_store_n(&waiter->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool waiter_done(struct waiter *waiter, int ms)
{
	while (!__atomic_load_n(&waiter->done, __ATOMIC_ACQUIRE) && ms-- > 0)
		usleep(1000);
	return __atomic_load_n(&waiter->done, __ATOMIC_ACQUIRE);
}

static long call_read(int fd)
{
	char byte;

	return sysret(pread(fd, &byte, 1, 0));
}

static long call_write(int fd)
{
	return sysret(pwrite(fd, "", 1, 0));
}

static long call_begin(int fd)
{
	return dmabuf_begin(fd, DMA_BUF_SYNC_RW);
}

static long call_begin_batch(int fd)
{
	struct dma_buf_sync_record record = {
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ, .fd = fd,
	};

	return dmabuf_sync_batch(fd, &record, 1);
}

static long call_poll(int fd)
{
	return poll_wait(fd, POLLIN, -1);
}

static long call_epoll(int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC), ret = -1;

	if (!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) &&
	    epoll_wait(epoll, &event, 1, -1) == 1)
		ret = (int)event.events;
	close(epoll);
	return ret;
}

TEST_F(revoke, waits_end)
{
	static const struct {
		const char *name;
		long (*call)(int fd);
		long ret;
	} calls[] = {
		{ "read", call_read, -ENODEV },
		{ "write", call_write, -ENODEV },
		{ "begin", call_begin, -ENODEV },
		{ "begin of a batch", call_begin_batch, -ENODEV },
		{ "poll", call_poll, POLLERR },
		{ "epoll", call_epoll, EPOLLERR },
	};
	struct waiter waiters[ARRAY_SIZE(calls)] = { };
	size_t i;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		waiters[i].fd = self->fd;
		waiters[i].call = calls[i].call;
		ASSERT_EQ(0, pthread_create(&waiters[i].thread, NULL, waiter_thread,
					    &waiters[i]));
	}
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		EXPECT_FALSE(waiter_done(&waiters[i], 10)) TH_LOG("%s", calls[i].name);

	/* The device goes on, which the call tells. */
	EXPECT_REFUSED(ETIMEDOUT, dmabuf_revoke(self->fd));
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		ASSERT_TRUE(waiter_done(&waiters[i], PATIENCE_MS)) TH_LOG("%s", calls[i].name);
		pthread_join(waiters[i].thread, NULL);
		EXPECT_EQ(calls[i].ret, waiters[i].ret) TH_LOG("%s", calls[i].name);
	}
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(0, dmabuf_revoke(self->fd));
}

static void revoke_on_alarm(int signal)
{
}

/* The wait of the revocation itself. */
TEST_F(revoke, waits_for_devices_and_heeds_signals)
{
	struct sigaction action = { .sa_handler = revoke_on_alarm }, old;
	struct itimerval soon = { .it_value.tv_usec = 50000, .it_interval.tv_usec = 50000 };
	struct itimerval off = { };

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, file_write_number(TIMEOUT, 600));
	sigaction(SIGALRM, &action, &old);
	setitimer(ITIMER_REAL, &soon, NULL);
	EXPECT_REFUSED(EINTR, dmabuf_revoke(self->fd));
	setitimer(ITIMER_REAL, &off, NULL);
	sigaction(SIGALRM, &old, NULL);
	EXPECT_REFUSED(ENODEV, dmabuf_begin(self->fd, DMA_BUF_SYNC_READ));

	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	EXPECT_EQ(0, dmabuf_revoke(self->fd));
}

/* -- io_uring -------------------------------------------------------------- */

TEST_F(revoke, uring_requests_end)
{
	struct io_uring_sqe *sqe;
	struct uring ring;
	__u64 which;
	int i, ret;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	if (!uring_exists())
		SKIP(return, "no io_uring");
	ASSERT_EQ(0, uring_open(&ring, 8, 0));
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	uring_sqe_dmabuf(&ring, self->fd, DMA_BUF_IOCTL_SYNC,
			 DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ)->user_data = 1;
	/* This one waits in a thread of the ring. */
	sqe = uring_sqe_dmabuf(&ring, self->fd, DMA_BUF_IOCTL_SYNC,
			       DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	sqe->flags = IOSQE_ASYNC;
	sqe->user_data = 2;
	sqe = uring_sqe(&ring);
	sqe->opcode = IORING_OP_POLL_ADD;
	sqe->fd = self->fd;
	sqe->poll32_events = POLLIN;
	sqe->user_data = 3;
	ASSERT_EQ(0, uring_submit(&ring, 0));
	usleep(20000);
	EXPECT_EQ(0, uring_ready(&ring));

	EXPECT_REFUSED(ETIMEDOUT, dmabuf_revoke(self->fd));
	for (i = 0; i < 3; i++) {
		ret = uring_reap_from(&ring, &which);
		EXPECT_EQ(which == 3 ? POLLERR : -ENODEV, ret) TH_LOG("request %llu", which);
	}
	uring_sqe_dmabuf(&ring, self->fd, DMA_BUF_IOCTL_SYNC,
			 DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	EXPECT_EQ(-ENODEV, uring_run(&ring));
	uring_sqe_dmabuf(&ring, self->fd, DMA_BUF_IOCTL_SYNC,
			 DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
	EXPECT_EQ(0, uring_run(&ring));
	/* Not a command of the ring. */
	uring_sqe_dmabuf(&ring, self->fd, DMA_BUF_IOCTL_REVOKE, 0);
	EXPECT_EQ(-ENOTTY, uring_run(&ring));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	uring_close(&ring);
}

/* Many, as the kernel ends some at a time, and none of another buffer. */
TEST_F(revoke, uring_waits_of_one_buffer_end)
{
	struct uring ring;
	__u64 which;
	int other, i;

	if (self->timeline < 0)
		SKIP(return, "no sw_sync");
	if (!uring_exists())
		SKIP(return, "no io_uring");
	ASSERT_GIVES(other, heap_alloc(self->heap, self->size));
	ASSERT_EQ(0, uring_open(&ring, 64, 0));
	ASSERT_EQ(0, dmabuf_add_fence(self->fd, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, dmabuf_add_fence(other, self->timeline, 1, DMA_BUF_SYNC_WRITE));
	for (i = 0; i < 43; i++)
		uring_sqe_dmabuf(&ring, i % 14 ? self->fd : other, DMA_BUF_IOCTL_SYNC,
				 DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ)->user_data =
			i % 14 ? 1 : 2;
	ASSERT_EQ(0, uring_submit(&ring, 0));
	EXPECT_EQ(0, uring_ready(&ring));

	EXPECT_REFUSED(ETIMEDOUT, dmabuf_revoke(self->fd));
	for (i = 0; i < 39; i++) {
		EXPECT_EQ(-ENODEV, uring_reap_from(&ring, &which));
		EXPECT_EQ(1, which);
	}
	EXPECT_EQ(0, uring_ready(&ring));
	ASSERT_EQ(0, sw_sync_inc(self->timeline, 1));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(0, uring_reap_from(&ring, &which));
		EXPECT_EQ(2, which);
	}
	uring_close(&ring);
	close(other);
}

/* -- an importer ----------------------------------------------------------- */

/* vgem maps when it imports, and cannot be told to stop. */
TEST_F(revoke, importers_are_reported)
{
	int dev = importer_open(), handle;

	if (dev < 0)
		SKIP(return, "no importer");
	handle = importer_import(dev, self->fd);
	ASSERT_LT(0, handle);
	EXPECT_REFUSED(EBUSY, dmabuf_revoke(self->fd));
	EXPECT_REFUSED(ENODEV, dmabuf_begin(self->fd, DMA_BUF_SYNC_READ));
	ASSERT_EQ(0, importer_close(dev, handle));
	EXPECT_EQ(0, dmabuf_revoke(self->fd));
	EXPECT_REFUSED(ENODEV, importer_import(dev, self->fd));
	close(dev);
}

/* -- races ----------------------------------------------------------------- */

struct racer {
	pthread_t thread;
	int fd;
	size_t size;
	void *mem;
	bool stop;
	long wrong;
};

/* Everything that reaches memory, over and over. */
static void *racer_thread(void *data)
{
	struct racer *racer = data;
	char bytes[64];
	long ret;
	void *mem;

	while (!__atomic_load_n(&racer->stop, __ATOMIC_ACQUIRE)) {
		ret = sysret(pread(racer->fd, bytes, sizeof(bytes), 0));
		if (ret != (long)sizeof(bytes) && ret != -ENODEV)
			racer->wrong = ret ?: -EPROTO;
		ret = map_rw(racer->fd, racer->size, &mem);
		if (!ret) {
			/* A system call tells what an access would do. */
			ret = sysret(pread(racer->fd, mem, 1, 0));
			munmap(mem, racer->size);
		}
		if (ret < 0 && ret != -ENODEV && ret != -EFAULT)
			racer->wrong = ret;
		ret = dmabuf_begin(racer->fd, DMA_BUF_SYNC_RW);
		if (ret && ret != -ENODEV)
			racer->wrong = ret;
		dmabuf_end(racer->fd, DMA_BUF_SYNC_RW);
	}
	return NULL;
}

/* One round: after the revocation nothing is accessible, in no mapping. */
static void race_round(struct __test_metadata *_metadata, int heap, size_t size)
{
	struct racer racers[2] = { };
	void *mem;
	size_t i;
	int fd;

	ASSERT_GIVES(fd, heap_alloc(heap, size));
	ASSERT_EQ(0, map_rw(fd, size, &mem));
	for (i = 0; i < ARRAY_SIZE(racers); i++) {
		racers[i].fd = fd;
		racers[i].size = size;
		ASSERT_EQ(0, pthread_create(&racers[i].thread, NULL, racer_thread, &racers[i]));
	}
	usleep((useconds_t)(rand() % 3000));
	EXPECT_EQ(0, dmabuf_revoke(fd));
	EXPECT_EQ(-1, first_accessible(mem, size));
	for (i = 0; i < ARRAY_SIZE(racers); i++) {
		__atomic_store_n(&racers[i].stop, true, __ATOMIC_RELEASE);
		pthread_join(racers[i].thread, NULL);
		EXPECT_EQ(0, racers[i].wrong);
	}
	EXPECT_EQ(-1, first_accessible(mem, size));
	munmap(mem, size);
	close(fd);
}

TEST_F(revoke, against_all_other_calls)
{
	int i;

	for (i = 0; i < 50; i++)
		race_round(_metadata, self->heap, self->size);
}

/* Two that revoke, and one that closes. */
static long call_revoke(int fd)
{
	long ret = dmabuf_revoke(fd);

	close(fd);
	return ret;
}

TEST_F(revoke, against_itself_and_close)
{
	struct waiter waiters[2];
	size_t i;
	int fd, round;

	for (round = 0; round < 50; round++) {
		ASSERT_GIVES(fd, heap_alloc(self->heap, self->size));
		for (i = 0; i < ARRAY_SIZE(waiters); i++) {
			waiters[i] = (struct waiter){ .call = call_revoke };
			ASSERT_GIVES(waiters[i].fd, sysret(dup(fd)));
			ASSERT_EQ(0, pthread_create(&waiters[i].thread, NULL, waiter_thread,
						    &waiters[i]));
		}
		close(fd);
		for (i = 0; i < ARRAY_SIZE(waiters); i++) {
			pthread_join(waiters[i].thread, NULL);
			EXPECT_EQ(0, waiters[i].ret);
		}
	}
}

TEST_HARNESS_MAIN
