/*
 * calls.c - what programs ask a kernel for most: behind `process` the same
 * kernel answers, through a filter; behind `vm` another one, and only what
 * needs a device leaves it.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmm/compare/workloads/workloads.h"

static void parent_id(void *ctx, uint64_t n)
{
	(void)ctx;
	while (n--)
		syscall(SYS_getppid);
}

static void read_clock(void *ctx, uint64_t n)
{
	struct timespec t;

	(void)ctx;
	while (n--)
		clock_gettime(CLOCK_MONOTONIC, &t);
}

static void open_close(void *ctx, uint64_t n)
{
	(void)ctx;
	while (n--)
		close(open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
}

static void wake_nobody(void *ctx, uint64_t n)
{
	while (n--)
		syscall(SYS_futex, ctx, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void map_touch(void *ctx, uint64_t n)
{
	(void)ctx;
	while (n--) {
		volatile char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p != MAP_FAILED) {
			*p = 1;
			munmap((void *)(uintptr_t)p, 4096);
		}
	}
}

static void fork_exec(void *ctx, uint64_t n)
{
	const char *const argv[] = { ctx, NULL };

	while (n--) {
		pid_t pid = fork();

		if (pid == 0) {
			/* Its usage goes to /dev/null. */
			close(STDERR_FILENO);
			execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
			_exit(127);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

/* A byte to another process and back: two wake-ups. */
static void ping_pong(void *ctx, uint64_t n)
{
	const int *fd = ctx;
	char c = 0;

	while (n--)
		if (write(fd[0], &c, 1) != 1 || read(fd[1], &c, 1) != 1)
			_exit(1);
}

static int measure_ping_pong(void)
{
	int there[2], back[2], mine[2];
	pid_t pid;
	char c;

	if (pipe(there) < 0 || pipe(back) < 0)
		return workload_fail("pipe");
	pid = fork();
	if (pid < 0)
		return workload_fail("fork");
	if (pid == 0) {
		close(there[1]);
		while (read(there[0], &c, 1) == 1 && write(back[1], &c, 1) == 1)
			;
		_exit(0);
	}
	close(there[0]);
	mine[0] = there[1];
	mine[1] = back[0];
	workload_tell("pipe-ping-pong", workload_rate(ping_pong, mine));
	close(there[1]);
	waitpid(pid, NULL, 0);
	return 0;
}

int workload_calls(void)
{
	uint32_t word = 0;
	char name[] = "workload";

	workload_tell("getppid", workload_rate(parent_id, NULL));
	workload_tell("clock_gettime", workload_rate(read_clock, NULL));
	workload_tell("open-close", workload_rate(open_close, NULL));
	workload_tell("futex-wake", workload_rate(wake_nobody, &word));
	workload_tell("mmap-touch-munmap", workload_rate(map_touch, NULL));
	workload_tell("fork-exec-wait", workload_rate(fork_exec, name));
	return measure_ping_pong();
}
