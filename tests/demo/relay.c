// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hop: buffers travel between two processes over a UNIX socket. The second one
 * is a program of its own, which inherits nothing: it gets two buffers, one of
 * each heap, compares them with each other and with the checksum that came
 * along, and answers with a copy in a buffer that it allocates.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "demo.h"

#define RELAY_PATH	"/tmp/dmabuf-demo.socket"
#define RELAY_TIMEOUT_S	30
#define MAX_FDS		2

/*
 * struct message - what travels beside the descriptors
 * @sum: of the words, with the fourth byte
 * @bytes: in each buffer
 * @bad: (answer) what arrived was not what was announced
 */
struct message {
	__u32 sum;
	__u32 bytes;
	__u32 bad;
};

static int relay_send(int socket, const struct message *message,
		      const int *fds, size_t count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(MAX_FDS * sizeof(int))];
	} control = { 0 };
	struct iovec iov = {
		.iov_base = (void *)message,
		.iov_len = sizeof(*message),
	};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, count * sizeof(int));
	if (sendmsg(socket, &msg, MSG_NOSIGNAL) != (ssize_t)sizeof(*message))
		return fail_errno("sendmsg");
	return 0;
}

static int relay_get(int socket, struct message *message, int *fds,
		     size_t count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(MAX_FDS * sizeof(int))];
	} control;
	struct iovec iov = {
		.iov_base = message,
		.iov_len = sizeof(*message),
	};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(*message))
		return fail_errno("recvmsg");
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS ||
	    cmsg->cmsg_len != CMSG_LEN(count * sizeof(int)))
		return fail("the message brought no %zu descriptors", count);
	memcpy(fds, CMSG_DATA(cmsg), count * sizeof(int));
	return 0;
}

static int relay_socket(struct sockaddr_un *address, const char *path)
{
	struct timeval timeout = { .tv_sec = RELAY_TIMEOUT_S };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail_errno("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
	return fd;
}

/* ---- the other process */

static int relay_answer(int socket)
{
	struct buffer got[MAX_FDS] = { BUFFER_NONE, BUFFER_NONE };
	struct buffer mine = BUFFER_NONE;
	struct message message;
	int fds[MAX_FDS], i;
	__u32 sum;

	if (relay_get(socket, &message, fds, MAX_FDS))
		return -1;
	for (i = 0; i < MAX_FDS; i++)
		if (buffer_adopt(&got[i], fds[i], message.bytes))
			return -1;

	if (buffer_sum(&got[0], message.bytes, &sum))
		return -1;
	message.bad = sum != message.sum ||
		      buffer_compare(&got[1], got[0].words, message.bytes,
				     MASK_ALL);
	if (buffer_alloc(&mine, "system", message.bytes) ||
	    buffer_write(&mine, got[0].words, message.bytes) ||
	    buffer_sum(&mine, message.bytes, &message.sum))
		return -1;
	return relay_send(socket, &message, &mine.fd, 1);
}

/* What the program does when it is started with --receive. */
int relay_receive(const char *path)
{
	struct sockaddr_un address;
	int fd = relay_socket(&address, path);

	report_begin("receive");
	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    relay_answer(fd))
		return report_end(-1) ? 0 : 1;
	return 0;
}

/* ---- this process */

static pid_t relay_start(const char *self)
{
	pid_t child = fork();

	if (child < 0)
		return fail_errno("fork");
	if (!child) {
		execl(self, self, "--receive", RELAY_PATH, (char *)NULL);
		_exit(127);
	}
	return child;
}

static int relay_exchange(struct demo *demo, int listener)
{
	struct buffer back = BUFFER_NONE;
	struct message message = { .bytes = FRAME_BYTES };
	int fds[MAX_FDS] = { demo->moved.fd, demo->cma[0].fd };
	int connection, fd, ret;
	__u32 sum;

	connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (connection < 0)
		return fail_errno("accept");
	ret = buffer_sum(&demo->moved, FRAME_BYTES, &sum);
	message.sum = sum;
	if (!ret)
		ret = demo_sabotage(demo, "relay", &demo->moved, FRAME_BYTES);
	if (!ret)
		ret = relay_send(connection, &message, fds, MAX_FDS);
	if (!ret)
		ret = relay_get(connection, &message, &fd, 1);
	if (!ret)
		ret = buffer_adopt(&back, fd, FRAME_BYTES);
	if (!ret && message.bad)
		ret = fail("MISMATCH: the other process got other bytes");
	if (!ret && message.sum != sum)
		ret = fail("MISMATCH in the checksum of the answer");
	if (!ret)
		ret = buffer_compare(&back, demo->noise[0], FRAME_BYTES,
				     MASK_ALL);
	buffer_drop(&back);
	close(connection);
	return ret;
}

int hop_relay(struct demo *demo)
{
	struct sockaddr_un address;
	int listener, status, ret = -1;
	pid_t child;

	unlink(RELAY_PATH);
	listener = relay_socket(&address, RELAY_PATH);
	if (listener < 0)
		return -1;
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1)) {
		fail_errno("bind to " RELAY_PATH);
		goto out;
	}
	child = relay_start(demo->self);
	if (child < 0)
		goto out;

	ret = relay_exchange(demo, listener);
	if (ret)
		kill(child, SIGKILL);
	if (waitpid(child, &status, 0) != child)
		ret = fail_errno("waitpid");
	else if (!ret && status)
		ret = fail("the other process ended with status %#x", status);
	report_note("two buffers there, a third one back");
out:
	close(listener);
	unlink(RELAY_PATH);
	return ret;
}
