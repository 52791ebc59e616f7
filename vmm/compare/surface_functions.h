/*
 * surface_functions.h - the functions of the host's kernel that tasks enter:
 * the `function` tracer of tracefs, in an instance of its own, so that nobody
 * else's tracing is touched (Documentation/trace/ftrace.rst).
 *
 * Only who is followed is traced, and all that he creates.  Entering a function
 * costs everybody on the host some instructions more as long as it is open.
 */
#ifndef COMPARE_SURFACE_FUNCTIONS_H
#define COMPARE_SURFACE_FUNCTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/err.h"
#include "vmm/compare/surface.h"

struct surface_functions;

/* Needs root, and a kernel with that tracer that is not locked down.  NULL and
 * *e, a reason for the reader of a report. */
struct surface_functions *surface_functions_open(struct err *e);

/* The instance is removed; f may be NULL. */
void surface_functions_close(struct surface_functions *f);

/* From now on, task `tid` and what it creates.  0 or -errno. */
int surface_functions_follow(struct surface_functions *f, pid_t tid);

/* Take what was traced so far; to be called again and again, because the
 * kernel keeps some milliseconds only.  0; -ENOMEM, -errno. */
int surface_functions_collect(struct surface_functions *f);

/* Follow nobody any more, add the names of the functions that were entered to
 * *to, which may be NULL, and forget them.  0; -ENOMEM, -errno.  *ret_lost: there were more events
 * than could be kept, so functions may be missing. */
int surface_functions_take(struct surface_functions *f, struct surface_names *to, bool *ret_lost);

/* A page of the tracer's ring buffer: each function's address is given to
 * seen(ctx, address).  Pure.  0; -EINVAL: it cannot be one; what seen()
 * gives. */
int surface_functions_parse(const uint8_t *page, size_t size,
			    int (*seen)(void *ctx, uint64_t address), void *ctx, bool *ret_lost);

#endif
