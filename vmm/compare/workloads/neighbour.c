/*
 * neighbour.c - a victim that wants the processor for a moment each
 * millisecond, and neighbours that take what they can get: how late the victim
 * is, while such a neighbour runs behind a wall of the same kind.
 *
 * Measured is from the moment for which it asked to the end of some 20
 * microseconds of work, of 500 moments in a row.  Those that went by while it
 * was late count as well (beats.h), with the delay that they had by then; their
 * own work is not done.  What it does not show: a victim that waits for a disk
 * or a network, or one that has real-time priority.
 *
 * A neighbour says a byte when it begins and stops by itself: after 30 seconds,
 * and within the bounds below, which its processes share.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmm/compare/beats.h"
#include "vmm/compare/workloads/workloads.h"

#define MOMENTS	     500
#define PERIOD_NS    1000000
#define STEPS	     20000 /* of the victim's work */
#define BURN_NS	     30000000000ULL
#define MEMORY_BYTES (32UL << 20)
#define FORKS	     200000
#define FILE_BYTES   (16UL << 30) /* written in all, 4 MiB at a time over and over */
#define CHUNK	     (4UL << 20)
#define PLACE	     "/tmp/bulkhead-neighbour.XXXXXX"

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void compute(unsigned int steps)
{
	for (volatile unsigned int i = 0; i < steps; i++)
		;
}

static void tell(const char *beside, const char *what, uint64_t ns)
{
	char name[40] = "";

	strncat(name, beside, 20);
	strncat(name, what, 10);
	workload_tell(name, (double)ns / 1000);
}

static int victim(const char *beside)
{
	static uint64_t late[MOMENTS];
	uint64_t at = workload_now();
	size_t n = 0, taken;

	for (; n < MOMENTS; n += taken) {
		struct timespec t;

		at += PERIOD_NS;
		t = (struct timespec){ (time_t)(at / 1000000000), (long)(at % 1000000000) };
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
			;
		compute(STEPS);
		taken = beats_of_delay(workload_now() - at, PERIOD_NS, &late[n], MOMENTS - n);
		at += (taken - 1) * PERIOD_NS;
	}
	qsort(late, MOMENTS, sizeof(late[0]), by_size);
	tell(beside, "-p50", late[MOMENTS / 2]);
	tell(beside, "-p99", late[MOMENTS * 99 / 100]);
	tell(beside, "-longest", late[MOMENTS - 1]);
	return 0;
}

int workload_victim_alone(void)
{
	return victim("alone");
}

int workload_victim_processor(void)
{
	return victim("processor");
}

int workload_victim_memory(void)
{
	return victim("memory");
}

int workload_victim_forks(void)
{
	return victim("forks");
}

int workload_victim_files(void)
{
	return victim("files");
}

/* --- neighbours --- */

/* One process for each processor that it sees, this one included; *ret_n of
 * them. */
static int begin(unsigned int *ret_n)
{
	long seen = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int n = seen < 1 ? 1 : seen > 64 ? 64 : (unsigned int)seen;

	*ret_n = n;
	workload_leave_on_sigterm();
	for (unsigned int i = 1; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return workload_fail("fork");
		if (pid == 0)
			return 0;
	}
	return write(STDOUT_FILENO, ".\n", 2) == 2 ? 0 : workload_fail("write");
}

int workload_burn_processor(void)
{
	uint64_t end = workload_now() + BURN_NS;
	unsigned int n;

	if (begin(&n))
		return 1;
	while (workload_now() < end)
		compute(1000000);
	return 0;
}

int workload_burn_memory(void)
{
	uint64_t end = workload_now() + BURN_NS;
	unsigned int n;
	size_t size;
	char *p;

	if (begin(&n))
		return 1;
	size = MEMORY_BYTES / n;
	while (workload_now() < end) {
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return workload_fail("mmap");
		memset(p, 1, size);
		munmap(p, size);
	}
	return 0;
}

int workload_burn_forks(void)
{
	uint64_t end = workload_now() + BURN_NS;
	unsigned int n;

	if (begin(&n))
		return 1;
	for (unsigned int i = 0; i < FORKS / n && workload_now() < end; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid < 0)
			return workload_fail("fork");
		waitpid(pid, NULL, 0);
	}
	return 0;
}

int workload_burn_files(void)
{
	uint64_t end = workload_now() + BURN_NS;
	char name[] = PLACE, *chunk = calloc(1, CHUNK);
	int fd = mkstemp(name);

	if (fd < 0 || !chunk)
		return workload_fail(name);
	unlink(name);
	workload_leave_on_sigterm();
	if (write(STDOUT_FILENO, ".\n", 2) != 2)
		return workload_fail("write");
	for (size_t done = 0; done < FILE_BYTES && workload_now() < end; done += CHUNK)
		if (pwrite(fd, chunk, CHUNK, 0) != (ssize_t)CHUNK || fsync(fd) < 0)
			return workload_fail(name);
	return 0;
}
