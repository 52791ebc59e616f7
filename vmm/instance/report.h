/* report.h - what `--report FILE` holds; docs/bulkhead-run.1 lists the keys. */
#ifndef INSTANCE_REPORT_H
#define INSTANCE_REPORT_H

#include <jansson.h>
#include <stdint.h>

#include "vmm/config/run_config.h"
#include "vmm/instance/ending.h"
#include "vmm/instance/limits.h"
#include "vmm/walls/wall.h"

/* Before the process is confined: jansson would open /dev/urandom for its hash
 * tables otherwise.  Our keys are our own, so any seed does. */
void report_init(void);

/* Moments of CLOCK_MONOTONIC in ns; 0: not reached. */
struct report_times {
	uint64_t start;	   /* the command began; the others are told as times since it */
	uint64_t parsed;   /* its arguments are understood */
	uint64_t opened;   /* everything is open, packed, checked */
	uint64_t started;  /* every process is forked */
	uint64_t confined; /* the supervisor's filter is installed */
};

/*
 * Write the report of a run that has ended (`wall` and `limits` NULL: it never started);
 * what the file held is replaced.  net_counts: ports_count(), or NULL.
 * A failure is logged: the run's own status is worth more.
 */
void report_write(int fd, const struct run_config *cfg, const char *uuid,
		  const struct wall_ops *ops, const struct wall *wall, const struct ending *end,
		  const struct limits *limits, const struct report_times *t, json_t *net_counts);

#endif
