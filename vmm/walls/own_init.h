/*
 * own_init.h - the process between the supervisor and a command that runs
 * without a guest: it starts the command, forwards signals, reaps whatever is
 * left, and tells how it ended.
 *
 * It speaks to the supervisor over one SOCK_SEQPACKET pair, in fixed-size
 * messages; neither side waits for the other while the command runs.
 */
#ifndef WALLS_OWN_INIT_H
#define WALLS_OWN_INIT_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/config/run_config.h"

enum init_msg_kind {
	INIT_TERMINAL = 1,   /* the terminal's fd comes with it; not without one */
	INIT_EXITED,	     /* value: the command's status */
	INIT_SIGNALED,	     /* value: the signal that ended it */
	INIT_NOT_FOUND,	     /* value: errno */
	INIT_NOT_EXECUTABLE, /* value: errno */
	INIT_FAILED,	     /* of our own: text */
};

struct init_msg {
	uint32_t kind;
	int32_t value;
	/* now_ns() when all was set up for the command, and when its first
	 * instruction was next; 0: it has not come to that.  Nobody is woken to
	 * be told that alone. */
	uint64_t ready, started;
	char text[ERR_TEXT_MAX];
};

enum init_order_kind {
	INIT_ORDER_SIGNAL = 1, /* value: for the command's process group */
	INIT_ORDER_SHUT_DOWN,  /* SIGTERM, and SIGKILL some seconds later */
	INIT_ORDER_STOP,       /* SIGKILL */
};

struct init_order {
	uint32_t kind;
	int32_t value;
};

struct own_init {
	const struct run_config *cfg;
	int sock;   /* our end */
	int std[3]; /* the command's standard fds, unless it gets a terminal */
	bool terminal;
	unsigned int rows, cols;
	const char *term;
	bool own_pids; /* this is process 1 of a PID namespace */
	/* The wall's own part: in this process before anything else, in the
	 * command's process just before it becomes the command, and in this one
	 * once the command runs.  NULL: nothing.  0 or -errno and *e. */
	int (*prepare)(void *ctx, struct err *e);
	int (*confine)(void *ctx, struct err *e);
	int (*settle)(void *ctx, struct err *e);
	void *ctx;
};

/*
 * The whole life of the process.  Needs the signals of it blocked.  When the
 * supervisor's end of the socket is closed everything is ended.  Returns the
 * exit status.
 */
int own_init_main(struct own_init *in);

#endif
