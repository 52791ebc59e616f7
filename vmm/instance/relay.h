/*
 * relay.h - bytes between the user's side (standard input and output, or a
 * file) and the wall's console.
 *
 * Nothing here ever waits: what cannot be written now is kept (bounded) and
 * its source is not read meanwhile, so that a reader that is slow slows down
 * the guest's console and nothing else.
 *
 * Runs on the supervisor's loop.
 */
#ifndef INSTANCE_RELAY_H
#define INSTANCE_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/base/loop.h"
#include "vmm/instance/terminal.h"

#define RELAY_BUFFER 4096 /* no more than PIPE_BUF: see relay.c */

enum relay_input {
	RELAY_INPUT_NONE,   /* nothing is read */
	RELAY_INPUT_PLAIN,  /* bytes as they are */
	RELAY_INPUT_KEYS,   /* a terminal's keys: Ctrl-A X ends it all */
	RELAY_INPUT_STREAM, /* escaped, with end of file and signals (guest_abi.h) */
};

struct relay_pipe {
	unsigned char data[2 * RELAY_BUFFER + 8];
	size_t start, end; /* what is kept: data[start..end) */
	struct loop_source source, sink;
	int from, to;
	bool from_regular, to_regular;	/* files that epoll refuses: always ready */
	bool to_socket, to_tty, to_own; /* own: our description, non-blocking */
	bool eof;
};

struct relay {
	struct loop *loop;
	enum relay_input input;
	struct relay_pipe in, out;
	struct terminal_escape escape;
	bool ready;		 /* the wall takes input */
	bool broken;		 /* nobody reads the output any more */
	void (*quit)(void *ctx); /* Ctrl-A X */
	/* The output cannot be written (EPIPE: nobody reads it); told once. */
	void (*broken_pipe)(void *ctx, int code);
	void *ctx;
};

/*
 * All fds are borrowed.  wall_out: where the wall's output comes from, -1:
 * nowhere, the command writes it itself; user_out: where it goes, -1: thrown away.  user_in and
 * wall_in: likewise, for input; -1: there is none.  0 or -errno.
 */
int relay_start(struct relay *r, struct loop *loop, enum relay_input input, int user_in,
		int user_out, int wall_in, int wall_out, struct err *e);

/* The wall takes input from now on. */
void relay_ready(struct relay *r);

/* Put a signal (stream) or one byte (plain, keys) behind what is queued.
 * False: there is no room, or no input. */
bool relay_send_signal(struct relay *r, int signum);

/*
 * The wall is gone: pass on what it has left, waiting for the user's side until
 * `deadline_ns` (of now_ns(); 0: as long as it takes) or until one of `others`
 * (-1: none) can be read, the second only while the user's side takes nothing.
 * After that it may be called again.
 */
enum relay_rest { RELAY_TAKEN, RELAY_LATE, RELAY_INTERRUPTED };
enum relay_rest relay_finish(struct relay *r, uint64_t deadline_ns, const int others[2]);

/*
 * Escape `len` bytes for the stream of guest_abi.h; `out` has room for
 * 2 * len.  Returns the number of bytes.
 */
size_t relay_escape(const unsigned char *in, size_t len, unsigned char *out);

/*
 * A description of our own for a pipe or terminal that others share, so that
 * it can be non-blocking without changing it under them.  Returns an fd to
 * close, or -1: use `fd` itself.
 */
int relay_reopen(int fd, int flags);

#endif
