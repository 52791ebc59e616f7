/*
 * instance.h - the life of an instance behind any wall, from a configuration
 * to an exit status: console, terminal, signals, time limit, report.
 */
#ifndef INSTANCE_INSTANCE_H
#define INSTANCE_INSTANCE_H

#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/config/run_config.h"

/*
 * Run it to its end.  `began_ns` is when the command began (now_ns()), from which
 * the report counts.  0 and *ret_status, the exit status of `bulkhead run`,
 * when it was run, whatever became of it (what the user has to know was then
 * printed); -errno and *e when it could not be: the status is 125.
 * The terminal is as it was in either case.
 */
int instance_run(const struct run_config *cfg, uint64_t began_ns, int *ret_status, struct err *e);

#endif
