/*
 * quota_end.h - what became of an instance that wanted more memory than it may
 * have: who died, and by whose kernel.  Pure, but for the counter that is read.
 *
 * The workload `grow` tells how its child ended and that it lived on itself.
 * Whose kernel it was is told from outside: the host's counts what it kills for
 * want of memory, of whatever control group, and it cannot kill a process of a
 * guest's.
 */
#ifndef COMPARE_QUOTA_END_H
#define COMPARE_QUOTA_END_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/compare/comparison.h"

#define QUOTA_END_COUNTERS "/proc/vmstat"

/* Processes that this kernel has killed for want of memory, from such a file.
 * false: it does not tell. */
bool quota_end_kills(const char *path, uint64_t *ret);

/* What is known of a run that has ended. */
struct quota_end_run {
	const char *out; /* what it printed: anybody's */
	int status;	 /* of all of it; 128 + N for a signal */
	bool machine;	 /* it has a kernel of its own */
	bool host_kills; /* meanwhile the host's kernel killed something */
};

/* The line that says so.  false: nothing is known, it may have failed for another
 * reason, and `ret` is untouched. */
bool quota_end_tell(const struct quota_end_run *run, char ret[COMPARE_END]);

#endif
