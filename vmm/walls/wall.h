/*
 * wall.h - what the life of an instance (vmm/instance) needs from a wall,
 * whatever the wall is made of.
 *
 * All functions run on the supervisor's one thread.  A wall opens everything
 * in open(), before anything is forked: an error there leaves nothing behind.
 */
#ifndef WALLS_WALL_H
#define WALLS_WALL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/err.h"
#include "vmm/base/loop.h"
#include "vmm/config/run_config.h"

struct cgroup;
struct ending;

/* What the user's side of the console is; found out by the instance. */
struct wall_console {
	bool terminal; /* keys go through as they are, the guest echoes */
	unsigned int rows, cols;
	const char *term; /* TERM, borrowed; may be NULL */
	/* What a command may be given as its standard fds when there is no
	 * terminal; borrowed. */
	int std[3];
};

/* How a wall tells its instance; the functions must not call back into the
 * wall but for the fds that are named here. */
struct wall_events {
	/* The command's side is ready for input (init runs). */
	void (*ready)(void *ctx);
	/* Nothing keeps to --pids, or to what it was changed to.  The guest says so:
	 * it may be called at any time, or never. */
	void (*unbounded)(void *ctx);
	/* It is over.  Called once; *ending is the callee's to copy. */
	void (*ended)(void *ctx, const struct ending *ending);
	void *ctx;
};

struct wall;

struct wall_ops {
	const char *name;  /* as in --isolation */
	bool passes_files; /* without a terminal the command has the user's files themselves */
	bool unconfined;   /* there is nothing that a filter of the supervisor would guard */

	/* Open and check everything that `cfg` names; `cfg` outlives the wall.
	 * NULL and *e on failure. */
	struct wall *(*open)(const struct run_config *cfg, const struct wall_console *console,
			     struct err *e);

	/* Start it; events come through `loop` from now on.  Every process of it
	 * enters `group`, which outlives the wall, before it does anything else;
	 * NULL: there is none. */
	int (*start)(struct wall *w, struct loop *loop, const struct wall_events *events,
		     const struct cgroup *group, struct err *e);

	/* The console: output is read from one, input written to the other
	 * (both non-blocking, the wall's own).  -1: there is none, the command
	 * has the user's fds themselves. */
	int (*output_fd)(const struct wall *w);
	int (*input_fd)(const struct wall *w);

	/* True when input is the escaped stream of guest_abi.h: end of file and
	 * signals can be sent through it once `ready` was told. */
	bool (*stream_input)(const struct wall *w);

	/* Send the command a signal.  NULL, or false when it could not be done
	 * by now: it goes through the console. */
	bool (*signal)(struct wall *w, int signum);

	/* The window of the user's terminal has another size.  NULL: the command
	 * cannot be told. */
	void (*resize)(struct wall *w, unsigned int rows, unsigned int cols);

	/* Ask it to end in order (the power button, SIGTERM). */
	void (*shut_down)(struct wall *w);

	/* How fast its disks and interfaces may be from now on, and how many
	 * processes it may have.  All of it or nothing: -EAGAIN and *e while the
	 * command has not begun.  NULL: not the wall's own doing, but the control
	 * group's and the caretaker's. */
	int (*set_limits)(struct wall *w, const struct limits_config *limits, struct err *e);

	/* The process in whose network namespace the other ends of its ports are,
	 * not reaped yet.  NULL: they are in none. */
	pid_t (*net_pid)(const struct wall *w);

	/* End it at once.  `ended` follows unless it was called before. */
	void (*stop)(struct wall *w);

	/* End what is left and wait until everything that a next run may need
	 * (disk locks, taps, names) is free.  No callback comes after it. */
	void (*release)(struct wall *w);

	/* Add what the wall knows to the report's object. */
	void (*report)(const struct wall *w, json_t *report);

	void (*free)(struct wall *w);
};

extern const struct wall_ops wall_vm;
extern const struct wall_ops wall_process;
extern const struct wall_ops wall_none;

#endif
