/*
 * compare.h - run the same work behind each wall, interleaved and in random
 * order, and keep every value.
 */
#ifndef COMPARE_COMPARE_H
#define COMPARE_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/compare/comparison.h"

#define COMPARE_RUNS_MAX 1000

struct compare_config {
	const char *program;	    /* path of Bulkhead's own */
	const char *suite;	    /* "quick" or "full"; not with a command */
	const char *walls;	    /* separated by commas; NULL: ours and the peers found */
	const char *rootfs;	    /* NULL: one that holds the workload only */
	uint32_t runs;		    /* 0: by the suite */
	uint64_t seed;		    /* 0: from the clock */
	const char *const *command; /* a user's own, or NULL */
	size_t ncommand;
};

/*
 * Measure; *ret is initialised by the caller and released by him.  A wall that
 * cannot run here is in there with the reason, and SIGINT or SIGTERM end it
 * early with what there is.  0; -EINVAL (an unknown wall, suite), -ENOENT (no
 * workload program, no root directory); -errno.  *e says which.
 */
int compare_run(const struct compare_config *cfg, struct comparison *ret, struct err *e);

#endif
