/*
 * filter.h - the seccomp filters of Bulkhead's own processes.
 *
 * The programs are computed when Bulkhead is built (vmm/jail/generate, with
 * libseccomp) and are constant data here: installing one is a single system
 * call and no library code runs in the process that is to be confined.
 * Default action: SECCOMP_RET_KILL_PROCESS; of FILTER_COMMAND: EPERM.
 */
#ifndef JAIL_FILTER_H
#define JAIL_FILTER_H

#include <stdbool.h>

#include "vmm/base/err.h"

enum filter_kind {
	FILTER_SUPERVISOR,
	FILTER_MONITOR,
	FILTER_BLK,
	FILTER_NET,
	FILTER_RNG,
	FILTER_PROBE,
	FILTER_INIT,	/* of the process wall, once the command runs */
	FILTER_COMMAND, /* the user's command: calls that are not on the list fail */
	FILTER_COUNT,
};

/*
 * Install the filter for good, on the calling thread or on all threads of the
 * process.  Needs no_new_privs.  0 or -errno (-ENOSYS: a kernel without
 * seccomp filters).
 */
int filter_install(enum filter_kind kind, bool all_threads, struct err *e);

#endif
