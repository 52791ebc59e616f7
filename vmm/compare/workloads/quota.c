/*
 * quota.c - what wants more than it was given.
 *
 * spin: every processor that it sees, for two seconds; what it got is seen from
 * outside, because a guest's own clock counts time that it was not running.
 * grow: a child touches up to 256 MiB, and its parent tells how far it came
 * before somebody killed it, and how it ended; no word from the parent either
 * means that the whole instance was killed.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/compare/workloads/workloads.h"

#define SPIN_NS	 2000000000ULL
#define STEP	 (1UL << 20)
#define GROW_MAX 256 /* steps */

int workload_spin(void)
{
	uint64_t end = workload_now() + SPIN_NS;
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	bool child = false;

	for (long i = 1; i < n && i < 64 && !child; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return workload_fail("fork");
		child = pid == 0;
	}
	while (workload_now() < end)
		;
	if (child)
		_exit(0);
	while (wait(NULL) > 0)
		;
	return 0;
}

/* In the child: the counter is shared with the parent.  Its exit status. */
static int grow(volatile unsigned int *steps)
{
	for (unsigned int i = 0; i < GROW_MAX; i++) {
		char *p = mmap(NULL, STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

		if (p == MAP_FAILED)
			return 1;
		memset(p, 1, STEP);
		*steps = i + 1;
	}
	return 0;
}

int workload_grow(void)
{
	volatile unsigned int *steps = mmap(NULL, sizeof(*steps), PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	if (steps == MAP_FAILED)
		return workload_fail("mmap");
	pid = fork();
	if (pid < 0)
		return workload_fail("fork");
	if (pid == 0)
		_exit(grow(steps));
	if (waitpid(pid, &status, 0) != pid)
		return workload_fail("waitpid");
	workload_tell("memory-reached", *steps);
	/* As a shell tells it. */
	workload_tell("memory-ended",
		      WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	return 0;
}
