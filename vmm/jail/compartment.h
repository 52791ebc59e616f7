/*
 * compartment.h - a process of Bulkhead's own that holds only what it was
 * given: how every device process and the monitor come to be.
 *
 * compartment_spawn() forks; the child
 *   - dies when the supervisor dies (PR_SET_PDEATHSIG),
 *   - enters the instance's control group, if it has one,
 *   - leaves the terminal's process group, so that keys and hang-ups of the
 *     terminal reach the supervisor only (a session of its own would cost a
 *     scheduling group each, and protect a terminal that it cannot open),
 *   - gets no new privileges (PR_SET_NO_NEW_PRIVS),
 *   - gives up every capability and the environment it came from,
 *   - opens, makes and removes no file from now on, binds and connects no TCP
 *     socket, reaches no abstract socket and signals nobody, each by Landlock where
 *     the kernel has it (landlock.h),
 *   - has the standard fds on /dev/null, the fds of `keep`, and no other,
 *   - logs into a pipe that the supervisor reads,
 *   - then runs spec->main(), which installs the process's filter itself when
 *     its set-up is done (filter.h), and exits with what that returns.
 */
#ifndef JAIL_COMPARTMENT_H
#define JAIL_COMPARTMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/err.h"

#define COMPARTMENT_MAX_FDS 160

struct cgroup;

struct compartment_spec {
	const char *name; /* process title (15 characters) and log prefix */
	int keep[COMPARTMENT_MAX_FDS];
	unsigned int nkeep;
	int null_fd;		/* of /dev/null, read and write */
	bool keeps_environment; /* the supervisor's; otherwise it is wiped */
	bool ends_others;	/* processes outside, whose pidfds it has */
	bool opens_files;	/* no Landlock */
	bool debuggable;	/* leave ptrace and core dumps possible (--seccomp off) */
	/* What compartment_signals() found in this process, to be asked once for
	 * several compartments; NULL: the child looks for itself. */
	const uint64_t *signals;
	const struct cgroup *group; /* that it enters first; NULL: none */
	/* In the child.  Its result is the exit status (0..255). */
	int (*main)(void *arg);
	void *arg;
};

struct compartment {
	pid_t pid;
	int pidfd;
	int log_fd; /* read end, non-blocking */
};

/* Add an fd to spec->keep; negative ones are skipped.  0 or -ENOSPC. */
int compartment_keep(struct compartment_spec *spec, int fd);

/* The signals, bit N - 1 for N, that are not at their default in this process. */
uint64_t compartment_signals(void);

/* 0 or -errno; *ret's fds are the caller's. */
int compartment_spawn(const struct compartment_spec *spec, struct compartment *ret, struct err *e);

/*
 * What compartment_spawn() does to the child without regard to its descriptors:
 * dumpable, no new privileges, capabilities, environment, Landlock, as *spec has
 * it.  For a process that serves by itself.  0 or -errno.
 */
int compartment_renounce(const struct compartment_spec *spec);

/*
 * Close every fd of the process above the standard three that is not in
 * `keep` (which may hold duplicates, in any order).  0 or -errno.
 */
int fds_close_others(const int *keep, unsigned int nkeep);

#endif
