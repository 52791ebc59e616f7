/* crowd.h - several instances at once: the memory that they hold together, and
 * what one makes of its neighbour. */
#ifndef COMPARE_CROWD_H
#define COMPARE_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/compare/measure.h"
#include "vmm/compare/wall_command.h"

#define CROWD_MAX 64

/*
 * Start the n commands, n <= CROWD_MAX, wait until each has written something,
 * look at the memory of all that belongs to them, and end them with SIGTERM.
 * The caller is who measure_begin() was called by; `signal_fd` is what it
 * returned.  *ret_bytes is 0 when nothing can be said: this user may not look at
 * all of it.  *ret_interrupted: a signal came.  0; -errno and *e when one could not
 * be started or did not come up within limit_ns.  Nothing is left in any case.
 */
int crowd_measure(int signal_fd, const struct wall_command *commands, size_t n, uint64_t limit_ns,
		  uint64_t *ret_bytes, bool *ret_interrupted, struct err *e);

/*
 * Start `neighbour`, wait until it has written something, and measure_run() the
 * request beside it, which it ends afterwards.  The rest as above; *got holds
 * what became of the request.  -EIO and *e: the neighbour did not begin within
 * limit_ns, or was not there any more at the end.
 */
int crowd_beside(int signal_fd, const struct wall_command *neighbour, uint64_t limit_ns,
		 const struct measure_request *request, struct measured *got, struct err *e);

/* The same with anything else beside it: inside(ctx, e), which waits for no
 * children but its own. */
int crowd_around(int signal_fd, const struct wall_command *neighbour, uint64_t limit_ns,
		 int (*inside)(void *ctx, struct err *e), void *ctx, bool *ret_interrupted,
		 struct err *e);

#endif
