// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random system calls over everything that a program can get hold of: heaps,
 * dma-bufs, sync files and timelines, udmabufs, devices that import, sockets
 * that pass descriptors on. Several threads, one after another many programs,
 * each of them ended or killed.
 *
 * After each program nothing may be left of it: buffers, what heaps say they
 * have handed out, sync files; at the end memory. What the kernel itself has to
 * complain of is in its log, and is as much of a failure.
 *
 * A program follows from its seed, see fuzz_world.h: fuzz_test --seed S
 * --program N runs that one again, and --trace says each call. With one thread
 * the answers are the same again as well; with several, only the calls.
 *
 * A run in which some kind of call never succeeds is a failure, for it would
 * have tested nothing but the refusal of bad descriptors.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <glob.h>
#include <malloc.h>
#include <sys/prctl.h>

#include "kselftest.h"
#include "fuzz_ops.h"

#define PATIENCE_MS	180000	/* with a program that makes no call any more */
#define SETTLE_MS	30000	/* until what it left behind is gone */
#define MEMORY_SLACK	50	/* one part in so many */
#define PROGRAMS_MIN	10	/* a slow machine takes its time to try everything */
#define PROGRAMS_MOST	150	/* after which nothing new is to be expected */
#define USER		1000	/* the user ID of half of the programs */
#define GROUP_MAX	"64M"	/* what a third of them may have */

static struct {
	int seconds;
	int program;		/* this one alone, or -1 */
	int threads;		/* 0: as the program has it */
	unsigned long calls;
	__u64 seed;
	bool trace;
} options = { .seconds = 60, .program = -1, .calls = 400, .seed = 1 };

/* Whether the machine has what an operation needs, by the kind of its node. */
static bool present[NEEDS];
static int total_weight;
static bool failed;

/* ---------------------------------------------------------------- programs -- */

static __u64 program_seed(int program)
{
	return random_mix(options.seed * 1000003 + (__u64)program);
}

static int program_threads(int program)
{
	static const int threads[] = { 1, 4, 2, 4 };

	return options.threads ?: threads[program % (int)ARRAY_SIZE(threads)];
}

/* After so many milliseconds it is killed; -1 for the ones that may end. */
static int program_lifetime(int program)
{
	if (options.program >= 0 || program % 5 != 4)
		return -1;
	return 10 + (int)(program_seed(program) % 1000);
}

static int op_pick(__u64 rnd)
{
	int left = (int)(rnd % (__u64)total_weight);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		if (!present[ops[i].needs])
			continue;
		left -= ops[i].weight;
		if (left < 0)
			break;
	}
	return (int)i;
}

static void call_print(int thread, const struct call_record *call)
{
	char text[512];
	int i, at;

	at = snprintf(text, sizeof(text), "# thread %d: %s (", thread, ops[call->op].name);
	for (i = 0; i < RANDOMS; i++)
		at += snprintf(text + at, sizeof(text) - at, "%s%llx", i ? " " : "",
			       (unsigned long long)call->randoms.d[i]);
	if (call->ret == CALL_RUNS)
		at += snprintf(text + at, sizeof(text) - at, ") has not returned\n");
	else if (call->ret < 0)
		at += snprintf(text + at, sizeof(text) - at, ") = %s\n",
			       strerrorname_np((int)-call->ret) ?: "?");
	else
		at += snprintf(text + at, sizeof(text) - at, ") = %ld\n", call->ret);
	if (write(STDOUT_FILENO, text, at) < 0)
		_exit(1);
}

static pthread_barrier_t start;

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1,
		._sigev_un._tid = (int)syscall(SYS_gettid),
	};

	if (timer_create(CLOCK_MONOTONIC, &event, &t->timer))
		_exit(1);
	/* Not before all stacks are mapped: a hole in the arena might fit one. */
	pthread_barrier_wait(&start);
	for (; t->calls; t->calls--) {
		struct call_record *call = &t->log->recent[t->log->calls % RECENT];
		int i, op = op_pick(random_next(&t->seed));

		call->op = op;
		call->ret = CALL_RUNS;
		for (i = 0; i < RANDOMS; i++) {
			call->randoms.d[i] = random_next(&t->seed);
			t->log->asked = random_mix(t->log->asked + call->randoms.d[i]);
		}
		t->log->calls++;
		call->ret = ops[op].run(t, call->randoms.d);
		t->log->answered = random_mix(t->log->answered + (__u64)call->ret);
		atomic_fetch_add(&world.log->tried[op], 1);
		atomic_fetch_add(call->ret < 0 ? &world.log->refused[op] : &world.log->worked[op],
				 1);
		if (call->ret >= 0 && world.user)
			atomic_fetch_add(&world.log->worked_user[op], 1);
		if (t->trace)
			call_print(t->number, call);
	}
	return NULL;
}

static void nothing(int number)
{
}

/* The first one has all privileges and all memory. */
static bool program_is_user(int program)
{
	return program % 2;
}

static bool program_is_grouped(int program)
{
	return present[GROUP] && program % 3 == 2;
}

/* Into the group, and out of the privileges. */
static void program_confine(int program)
{
	world.user = program_is_user(program);
	world.grouped = program_is_grouped(program);
	if (world.grouped && (file_write(FUZZ_GROUP "/memory.max", GROUP_MAX) ||
			      file_write(FUZZ_GROUP "/memory.high", "max") ||
			      file_write_number(FUZZ_GROUP "/cgroup.procs", getpid())))
		_exit(1);
	if (world.user && (setgid(USER) || setuid(USER) || prctl(PR_SET_DUMPABLE, 1)))
		_exit(1);
}

/* Signals, memory and the first descriptors of a program. */
static void program_prepare(void)
{
	static const enum kind nodes[] = { HEAP, TIMELINE, UDMABUF, VGEM, VKMS, EDU };
	struct sigaction action = { .sa_handler = nothing };
	struct rlimit limit = { .rlim_cur = 1024, .rlim_max = 1024 };
	const __u64 randoms[RANDOMS] = { 1, 1, 1, 1, 1, 1 };
	size_t i, j;

	sigaction(SIGUSR1, &action, NULL);
	action.sa_handler = fault_handler;
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &limit);
	/* What the C library maps must not get into the arena. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_MAX, 0);

	world.arena = mmap(NULL, AREAS * AREA_SIZE + page_size(), PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (world.arena == MAP_FAILED)
		_exit(1);
	for (i = 0; i < KINDS; i++)
		for (j = 0; j < SLOTS; j++)
			atomic_store(slot_at(i, j), -1);
	for (i = 0; i < ARRAY_SIZE(nodes); i++)
		for (j = 0; j < (nodes[i] < VGEM ? 3 : 1); j++)
			slot_put(nodes[i], j << 8, device_open(nodes[i]));
	sem_init(&world.imports, 0, IMPORTS_AT_ONCE);
	world.pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	op_socket(NULL, randoms);
	op_epoll_create(NULL, randoms);
	op_pipe(NULL, randoms);
	for (i = 0; present[VIDEO] && i < 2; i++)
		slot_put(VIDEO, i << 8, video_open(i));
}

static __noreturn void program_main(int program)
{
	__u64 seed = program_seed(program);
	static struct thread threads[THREADS_MAX];
	pthread_t ids[THREADS_MAX];
	int i, n = program_threads(program);

	program_confine(program);
	program_prepare();
	pthread_barrier_init(&start, NULL, (unsigned int)n);
	for (i = 0; i < n; i++) {
		threads[i].number = i;
		threads[i].trace = options.trace;
		threads[i].seed = random_mix(seed + (__u64)i);
		threads[i].calls = options.calls;
		threads[i].log = &world.log->threads[i];
		if (i && pthread_create(&ids[i], NULL, thread_main, &threads[i]))
			_exit(1);
	}
	thread_main(&threads[0]);
	for (i = 1; i < n; i++)
		pthread_join(ids[i], NULL);
	_exit(0);
}

/* ------------------------------------------------------------------ census -- */

struct census {
	long buffers;
	int shown;		/* directories in sysfs, one per buffer */
	int sync_files;
	int fds;
	long long heap_bytes[8];
	long long heap_buffers[8];
};

/* One line of debugfs per sync file begins with its address in brackets. */
static int count_sync_files(void)
{
	FILE *file = fopen("/sys/kernel/debug/sync/info", "re");
	char line[512];
	int n = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		n += line[0] == '[';
	fclose(file);
	return n;
}

static struct census census_take(void)
{
	struct census c;
	int i;

	memset(&c, 0, sizeof(c));
	c.buffers = count_buffers();
	c.shown = count_entries(DMA_BUF_SYSFS);
	c.sync_files = count_sync_files();
	c.fds = count_open_fds();
	for (i = 0; i < world.n_heaps; i++) {
		c.heap_bytes[i] = heap_total(world.heaps[i], "allocated_bytes");
		c.heap_buffers[i] = heap_total(world.heaps[i], "buffers");
	}
	return c;
}

/* Sockets that exist, in some cycle of each other perhaps; see op_send(). */
static int count_sockets(void)
{
	return count_lines("/proc/net/unix") - 1;	/* the headline */
}

static bool census_settles(const struct census *want)
{
	struct census now = census_take();
	int ms, i;

	for (ms = 0; ms < SETTLE_MS && memcmp(&now, want, sizeof(now)); ms += 10) {
		usleep(10000);
		test_progress("until nothing is left, ms", (unsigned long)ms);
		now = census_take();
	}
	if (!memcmp(&now, want, sizeof(now)))
		return true;
	ksft_print_msg("before: %ld buffers, %d in sysfs, %d sync files, %d descriptors\n",
		       want->buffers, want->shown, want->sync_files, want->fds);
	ksft_print_msg("after:  %ld buffers, %d in sysfs, %d sync files, %d descriptors\n",
		       now.buffers, now.shown, now.sync_files, now.fds);
	for (i = 0; i < world.n_heaps; i++)
		if (now.heap_bytes[i] != want->heap_bytes[i])
			ksft_print_msg("heap %s: before %lld, after %lld bytes\n", world.heaps[i],
				       want->heap_bytes[i], now.heap_bytes[i]);
	return false;
}

/* KASAN's quarantine holds freed objects, up to 1/32 of memory. */
static void slab_shrink(void)
{
	glob_t found;
	size_t i;

	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &found))
		return;
	for (i = 0; i < found.gl_pathc; i++)
		file_write_number(found.gl_pathv[i], 1);
	globfree(&found);
}

/* With an empty pool, and after caches have been dropped. */
static long long memory_available(void)
{
	heap_set_limit("system", 0);
	file_write_number("/proc/sys/vm/drop_caches", 3);
	slab_shrink();
	usleep(200000);
	return meminfo_bytes("MemAvailable");
}

/* -------------------------------------------------------------------- runs -- */

static void program_explain(int program, const char *what)
{
	int i;
	unsigned long j;

	failed = true;
	ksft_print_msg("program %d of seed %llu: %s\n", program,
		       (unsigned long long)options.seed, what);
	ksft_print_msg("again: make fuzz SEED=%llu PROGRAM=%d CALLS=%lu\n",
		       (unsigned long long)options.seed, program, options.calls);
	ksft_print_msg("its last calls:\n");
	fflush(stdout);
	for (i = 0; i < program_threads(program); i++) {
		struct thread_log *log = &world.log->threads[i];

		for (j = log->calls > RECENT ? log->calls - RECENT : 0; j < log->calls; j++)
			call_print(i, &log->recent[j % RECENT]);
	}
}

static unsigned long calls_made(void)
{
	unsigned long n = 0;
	int i;

	for (i = 0; i < THREADS_MAX; i++)
		n += *(volatile unsigned long *)&world.log->threads[i].calls;
	return n;
}

/*
 * Every process that is left over is a child of ours, and ends. With @progress the
 * time counts from the last call that was made.
 */
static bool wait_for_all(pid_t pid, int patience, bool progress, int *status)
{
	unsigned long calls = 0;
	int one, ms;
	pid_t got;

	for (ms = patience; ms > 0; ms -= 2) {
		if (progress && calls != calls_made()) {
			calls = calls_made();
			ms = patience;
		}
		test_progress("calls", calls_made());
		while ((got = waitpid(-1, &one, WNOHANG)) > 0)
			if (got == pid)
				*status = one;
		if (got < 0)
			return true;
		usleep(2000);
	}
	return false;
}

static void program_run(int program, struct census *before)
{
	int sockets = count_sockets();
	static int lost;
	int lifetime = program_lifetime(program), status = -1;
	bool ended;
	pid_t pid;

	/* Said first: when the kernel dies of it, this is the last line. */
	ksft_print_msg("program %d of seed %llu: %d threads%s%s%s\n", program,
		       (unsigned long long)options.seed, program_threads(program),
		       program_is_user(program) ? ", an ordinary user" : "",
		       program_is_grouped(program) ? ", little memory" : "",
		       lifetime < 0 ? "" : ", killed");
	fflush(stdout);
	memset(world.log->threads, 0, sizeof(world.log->threads));
	pid = fork();
	if (pid < 0)
		ksft_exit_fail_msg("fork: %s\n", strerror(errno));
	if (!pid)
		program_main(program);

	ended = wait_for_all(pid, lifetime < 0 ? PATIENCE_MS : lifetime, lifetime < 0,
			     &status);
	if (!ended) {
		if (lifetime < 0)
			program_explain(program, "does not end");
		kill(pid, SIGKILL);
		if (!wait_for_all(pid, PATIENCE_MS, false, &status))
			program_explain(program, "cannot be killed");
		else if (lifetime >= 0 && WIFSIGNALED(status))
			status = 0;
	}
	/* A group that is too small for its programs may well end them. */
	if (program_is_grouped(program) && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		status = 0;
	if (status && !failed)
		program_explain(program, WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) :
				"could not be prepared");
	if (failed || census_settles(before))
		return;
	/* A descriptor may have become a socket between a look and its sending. */
	if (count_sockets() > sockets && ++lost * 20 < program) {
		ksft_print_msg("sockets are left, and what they hold is not counted\n");
		*before = census_take();
	} else {
		program_explain(program, "has left something behind");
	}
}

/* A seed makes the same calls again; with one thread, these return the same. */
static void test_replay(struct census *before)
{
	struct thread_log first[THREADS_MAX];
	int program, i, n;
	bool same = true;

	for (program = 0; program < 2 && !failed; program++) {
		program_run(program, before);
		memcpy(first, world.log->threads, sizeof(first));
		if (!failed)
			program_run(program, before);
		n = program_threads(program);
		for (i = 0; i < n; i++) {
			same = same && first[i].asked == world.log->threads[i].asked &&
			       first[i].calls == world.log->threads[i].calls;
			if (n == 1 && first[i].answered != world.log->threads[i].answered)
				ksft_print_msg("one thread, other answers\n");
		}
	}
	ksft_test_result(same && !failed, "a seed replays\n");
}

/*
 * Test whether the call succeeded, also without privileges where that is
 * possible; or whether it was refused, where it never succeeds.
 */
static bool op_is_done(size_t i)
{
	if (!present[ops[i].needs])
		return true;
	if (ops[i].never)
		return world.log->refused[i];
	return world.log->worked[i] && (ops[i].root || world.log->worked_user[i]);
}

static bool ops_are_done(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		if (!op_is_done(i))
			return false;
	return true;
}

static bool test_op(size_t i)
{
	unsigned long tried = world.log->tried[i], worked = world.log->worked[i];
	unsigned long user = world.log->worked_user[i];

	if (!present[ops[i].needs]) {
		ksft_test_result_skip("%s: there is no such device\n", ops[i].name);
		return false;
	}
	/* One program alone need not get round to everything. */
	if (options.program >= 0 && !op_is_done(i))
		ksft_test_result_skip("%s: not in this program\n", ops[i].name);
	else
		ksft_test_result(op_is_done(i), "%s: %lu worked of %lu, %lu for a user\n",
				 ops[i].name, worked, tried, user);
	return true;
}

static void print_help(void)
{
	printf("usage: fuzz_test [option]...\n"
	       "\n"
	       "  --seconds N   begin new programs for so long (default 60)\n"
	       "  --seed S      what they do (default 1)\n"
	       "  --program N   the Nth program of this seed, and no other\n"
	       "  --threads N   of each program, 1 to 8 (default: 1, 4, 2, 4 in turn)\n"
	       "  --calls N     of each thread (default 400)\n"
	       "  --trace       say each call and its answer\n"
	       "\n"
	       "The first programs run twice, to see that a seed replays.\n");
}

static void options_read(int argc, char **argv)
{
	static const struct option known[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'S' },
		{ "program", required_argument, NULL, 'p' },
		{ "threads", required_argument, NULL, 't' },
		{ "calls", required_argument, NULL, 'c' },
		{ "trace", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		switch (option) {
		case 's':
			options.seconds = atoi(optarg);
			break;
		case 'S':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 'p':
			options.program = atoi(optarg);
			break;
		case 't':
			options.threads = atoi(optarg);
			break;
		case 'c':
			options.calls = strtoul(optarg, NULL, 0);
			break;
		case 'v':
			options.trace = true;
			break;
		default:
			print_help();
			exit(option == 'h' ? 0 : 2);
		}
	}
	if (optind < argc || options.threads < 0 || options.threads > THREADS_MAX) {
		print_help();
		exit(2);
	}
}

static void find_heap(const char *name, void *data)
{
	if (world.n_heaps < (int)ARRAY_SIZE(world.heaps))
		snprintf(world.heaps[world.n_heaps++], sizeof(world.heaps[0]), "%.63s", name);
}

static void find_devices(void)
{
	static const enum kind nodes[] = {
		HEAP, TIMELINE, UDMABUF, VGEM, VKMS, EDU, UFFD, VIDEO, NUMA, GROUP, SWAP, URING,
	};
	size_t i;
	int fd;

	for (world.nodes = 1; world.nodes < 8; world.nodes++) {
		char path[64];

		snprintf(path, sizeof(path), "/sys/devices/system/node/node%u", world.nodes);
		if (!file_has(path))
			break;
	}
	world.large_folios = access("/sys/kernel/mm/transparent_hugepage", F_OK) == 0;
	for (i = 0; i < ARRAY_SIZE(nodes); i++) {
		fd = device_open(nodes[i]);
		present[nodes[i]] = fd >= 0;
		if (fd >= 0)
			close(fd);
	}
	for (i = 0; i < ARRAY_SIZE(ops); i++)
		total_weight += present[ops[i].needs] ? ops[i].weight : 0;
}

/*
 * An ordinary user may open the nodes that a system with these devices usually
 * lets users open, and may set the limits of the group of the program.
 */
static void let_users_in(void)
{
	static const char * const groups[] = {
		FUZZ_GROUP, FUZZ_GROUP "/memory.reclaim", FUZZ_GROUP "/memory.high",
		FUZZ_GROUP "/memory.max", FUZZ_GROUP "/cgroup.procs",
	};
	static const char * const places[] = { DMA_HEAP_DIR, DRM_DIR, "/dev" };
	char path[600];
	size_t i;

	file_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (!mkdir(FUZZ_GROUP, 0755) || errno == EEXIST)
		for (i = 0; i < ARRAY_SIZE(groups); i++)
			if (chown(groups[i], USER, USER))
				break;
	chmod("/sys/kernel/debug", 0755);
	chmod(SW_SYNC_NODE, 0666);
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		DIR *dir = opendir(places[i]);
		struct dirent *entry;

		while (dir && (entry = readdir(dir))) {
			if (i == 2 && strncmp(entry->d_name, "video", 5) &&
			    strncmp(entry->d_name, "udmabuf", 7) &&
			    strncmp(entry->d_name, "dmabuf_edu", 10))
				continue;
			snprintf(path, sizeof(path), "%s/%s", places[i], entry->d_name);
			if (entry->d_type == DT_CHR)
				chmod(path, 0666);
		}
		if (dir)
			closedir(dir);
	}
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

int main(int argc, char **argv)
{
	long long pool_limit, memory_before, memory_after;
	unsigned long calls = 0, kinds = 0;
	struct census before;
	int programs = 0;
	time_t end;
	size_t i;

	options_read(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	heap_for_each(find_heap, NULL);
	let_users_in();
	find_devices();
	if (!world.n_heaps || !present[HEAP])
		ksft_exit_skip("no heaps\n");
	world.log = mmap(NULL, sizeof(*world.log), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (world.log == MAP_FAILED)
		ksft_exit_fail_msg("no memory\n");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	ksft_set_plan(ARRAY_SIZE(ops) + 3);

	end = now() + options.seconds;
	pool_limit = heap_total("system", "pool_limit_bytes");
	before = census_take();
	if (options.program >= 0) {
		ksft_test_result_skip("a seed replays: this one does\n");
		memory_before = memory_available();
		program_run(options.program, &before);
		programs++;
	} else {
		test_replay(&before);
		/* Caches that fill up for good have done so by now. */
		memory_before = memory_available();
		for (programs = 2; !failed; programs++) {
			if (now() >= end && programs >= PROGRAMS_MIN &&
			    (ops_are_done() || programs >= PROGRAMS_MOST))
				break;
			program_run(programs, &before);
		}
		programs += 2;
	}
	memory_after = memory_available();
	if (pool_limit >= 0)
		heap_set_limit("system", pool_limit);

	ksft_test_result(!failed, "programs leave nothing behind, and end\n");
	ksft_print_msg("memory available: %lld MiB before, %lld MiB after\n",
		       memory_before >> 20, memory_after >> 20);
	ksft_test_result(memory_after > memory_before - memory_before / MEMORY_SLACK,
			 "memory is there again\n");
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		kinds += test_op(i);
		calls += world.log->tried[i];
	}
	ksft_print_msg("FIGURE fuzz programs run: %d\n", programs);
	ksft_print_msg("FIGURE fuzz calls made: %lu\n", calls);
	ksft_print_msg("FIGURE peak kinds of fuzz calls, each of which succeeded: %lu\n", kinds);
	ksft_finished();
}
