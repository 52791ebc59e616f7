/*
 * measure.h - one run of a command behind a wall, seen from outside: when its
 * first byte came, when it ended, what processor time everything that it
 * created took, and how much memory that held.
 *
 * The caller is made the reaper of all that a run leaves behind
 * (PR_SET_CHILD_SUBREAPER), so the processor time is complete without a
 * cgroup: a parent's usage includes the children that it waited for, and those
 * whose parent did not wait become ours.
 */
#ifndef COMPARE_MEASURE_H
#define COMPARE_MEASURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/err.h"

#define MEASURE_OUTPUT 65536 /* what is kept of a run's output; more is read and dropped */
#define MEASURE_ERRORS 1024  /* the same of its standard error */

struct measure_request {
	const char *const *argv; /* argv[0] is a path */
	uint64_t limit_ns;	 /* then it is killed */
	bool memory;		 /* sample the memory, at the price of the times */
	bool beside;		 /* other children of the caller's go on: they are
				    not waited for, nor what this run leaves behind */
};

struct measured {
	uint64_t first_byte_ns; /* from before exec; 0: it wrote nothing */
	uint64_t exit_ns;
	uint64_t cpu_ns;    /* user and system, until its last process is gone */
	uint64_t pss_bytes; /* highest sum of the samples; 0: none was taken */
	int status;	    /* as a shell tells it: 128 + N for a signal */
	bool timed_out, interrupted;
	bool memory_hidden;	  /* this user may not look at all of it */
	char out[MEASURE_OUTPUT]; /* ends in a zero byte */
	char errors[MEASURE_ERRORS];
};

/*
 * Block SIGINT and SIGTERM, which end a run early from now on, and become the
 * reaper.  Returns an fd that the caller owns and gives to measure_run(), or
 * -errno.
 */
int measure_begin(struct err *e);

/*
 * Run it, with /dev/null as its standard input, in a process group of its own,
 * and wait until nothing of it is left.  0 whatever its status is; -errno and
 * *e when it could not be started.
 */
int measure_run(int signal_fd, const struct measure_request *request, struct measured *ret,
		struct err *e);

/* Start it alone, with `out` and `errors` as its standard output and error.
 * 0 or -errno. */
int measure_spawn(const char *const *argv, int out, int errors, pid_t *ret_pid);

/* SIGKILL to all children of this process: of what is left of a run, whoever
 * lost his parents is one. */
void measure_kill_children(void);

#endif
