/*
 * quota.c - what wants more than it was given.
 *
 * spin: every processor that it sees, for two seconds; what it got is seen from
 * outside, because a guest's own clock counts time that it was not running.
 * grow: a child touches up to 256 MiB, and its parent tells how far it came
 * before somebody killed it, and how it ended; no word from the parent either
 * means that the whole instance was killed.
 * drain: reads of a disk, 64 KiB at a time at random places and past the page
 * cache, as fast as they come.  The first half second does not count: a limit may
 * have something saved up.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/compare/disk_file.h"
#include "vmm/compare/workloads/workloads.h"

#define SPIN_NS	 2000000000ULL
#define STEP	 (1UL << 20)
#define GROW_MAX 256 /* steps */

#define READ	 (64UL << 10)
#define SAVED_NS 500000000ULL
#define DRAIN_NS 2000000000ULL

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

/* Bytes a second from now until `end`; -1 and errno. */
static double drain_until(int fd, char *block, uint64_t end)
{
	const uint64_t places = (DISK_FILE_SIZE - DISK_FILE_FIRST) / READ;
	uint64_t start = workload_now(), now = start, random = start | 1, bytes = 0;

	while (now < end) {
		ssize_t n;

		random = random * 6364136223846793005 + 1442695040888963407;
		n = pread(fd, block, READ,
			  DISK_FILE_FIRST + (off_t)((random >> 33) % places * READ));
		if (n < 0)
			return -1;
		bytes += (uint64_t)n;
		now = workload_now();
	}
	return (double)bytes * 1e9 / (double)(now - start);
}

int workload_drain(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	char *block = aligned_alloc(4096, READ);
	double rate;

	if (fd < 0 || !block)
		return workload_fail(path);
	rate = drain_until(fd, block, workload_now() + SAVED_NS);
	if (rate >= 0)
		rate = drain_until(fd, block, workload_now() + DRAIN_NS);
	free(block);
	close(fd);
	if (rate < 0)
		return workload_fail(path);
	workload_tell("disk-rate", rate / (1 << 20));
	return 0;
}
