// SPDX-License-Identifier: GPL-2.0-only
/*
 * The examples of the guide "A dma-buf is a file": each is run, and verifies its
 * own work. What a shell does to descriptor 3 is verified here.
 */
#include "dma_buf_test.h"

#include <sys/wait.h>

#define SIZE	(16 * 4096)
#define SEED	7

/* Run a program with @buffer as descriptor 3, unless that is below zero. */
static int run(const char * const argv[], int buffer)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (buffer >= 0 && dup2(buffer, 3) < 0)
			_exit(126);
		execv(argv[0], (char * const *)argv);
		_exit(127);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* A program of the folder that this one is in. */
static int run_example(const char *name)
{
	char path[4096];
	const char * const argv[] = { path, NULL };
	ssize_t len;

	len = readlink("/proc/self/exe", path, sizeof(path) / 2);
	if (len < 0)
		return -1;
	path[len] = '\0';
	snprintf(strrchr(path, '/') + 1, sizeof(path) / 2, "%s", name);
	if (access(path, X_OK))
		return -ENOENT;
	return run(argv, -1);
}

static int run_shell(const char *line, int buffer)
{
	const char * const argv[] = { "/bin/sh", "-c", line, NULL };

	return run(argv, buffer);
}

TEST(of_pread)
{
	EXPECT_EQ(0, run_example("example_pread"));
}

TEST(of_io_uring)
{
	int ret = run_example("example_uring");

	if (ret == -ENOENT)
		SKIP(return, "built without liburing");
	EXPECT_EQ(0, ret);
}

TEST(of_a_shell)
{
	int fd = heap_alloc_from("system", SIZE);

	if (fd < 0)
		SKIP(return, "no system heap");
	ASSERT_EQ(0, dmabuf_fill(fd, SIZE, SEED));
	EXPECT_EQ(0, run_shell("cat <&3 >/tmp/frame.raw", fd));

	ASSERT_EQ(0, dmabuf_fill(fd, SIZE, SEED + 1));
	ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
	EXPECT_EQ(0, run_shell("dd if=/tmp/frame.raw bs=1M >&3 2>/dev/null", fd));
	EXPECT_EQ(0, dmabuf_verify(fd, SIZE, SEED));

	/* A part: two rows, from the third one on. */
	ASSERT_EQ(2 * 4096, lseek(fd, 2 * 4096, SEEK_SET));
	EXPECT_EQ(0, run_shell("dd if=/tmp/frame.raw bs=4096 skip=2 count=2 >/tmp/part", -1));
	EXPECT_EQ(0, run_shell("dd bs=4096 count=2 <&3 2>/dev/null | cmp -s - /tmp/part", fd));
	EXPECT_EQ(4 * 4096, lseek(fd, 0, SEEK_CUR));
	unlink("/tmp/frame.raw");
	unlink("/tmp/part");
	close(fd);
}

TEST_HARNESS_MAIN
