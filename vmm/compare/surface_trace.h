/*
 * surface_trace.h - one run of a command behind a wall in which every system
 * call of every process of the instance is seen (ptrace).  Its times mean
 * nothing.
 *
 * Where the command is a process of the host, what faces the host's kernel is
 * that process and what it creates, from its exec on.  Of a virtual machine it
 * is each process that confines itself, the supervisor not, from its filter on:
 * these read what the guest writes.  All else is the wall's own work, and comes
 * in a part called "wall".
 */
#ifndef COMPARE_SURFACE_TRACE_H
#define COMPARE_SURFACE_TRACE_H

#include "vmm/base/err.h"
#include "vmm/compare/surface.h"
#include "vmm/compare/surface_functions.h"

#define SURFACE_OWN	"wall"	  /* name of the part that the wall itself is */
#define SURFACE_COMMAND "command" /* of the command and its descendants */

struct surface_order {
	const char *const *argv;    /* the whole command line; argv[0] is a path */
	const char *const *command; /* what is to run behind the wall; arguments may follow there */
	size_t n;
	bool machine; /* a virtual machine */
	bool alone;   /* ... of one process, which is the wall's own program */
	/* Instead of calls, filters and exits, the kernel functions that what is
	 * facing enters, which runs freely then; or NULL. */
	struct surface_functions *functions;
	uint64_t limit_ns;
};

/*
 * Run it and add what it showed to *s, whose problems say what it could not.
 * The caller is who measure_begin() was called by; a signal to end, or the
 * limit, ends the run early.  0; -EINTR: a signal came; -ETIMEDOUT; -EPERM:
 * nothing may be traced here; -errno; *e says which.
 */
int surface_trace(const struct surface_order *order, struct compare_surface *s, struct err *e);

/* Is that the command line of `command`, with more arguments or not, or of the
 * interpreter of its script?  `line` is as in /proc/PID/cmdline.  Pure. */
bool surface_is_command(const char *line, size_t len, const char *const *command, size_t n);

#endif
