/*
 * pump.h - console=stream: carries bytes between the console and the pipes
 * that are the command's standard input and output
 */
#ifndef GUEST_INIT_PUMP_H
#define GUEST_INIT_PUMP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "stream.h"

/*
 * How much input is held for a command that does not read.  When it is full
 * the console is no longer read, the host is stopped by RTS, and a signal
 * that the user sends waits behind the data.  Not larger, because the console
 * is slow: a guest with one CPU does little else until this is full.
 */
#define PUMP_INPUT_MAX (64u << 10)
#define PUMP_CHUNK     4096u

#define PUMP_POLL_FDS 3

struct pump {
	int tty;    /* non-blocking; not owned */
	int input;  /* write end of the command's standard input, or -1 */
	int output; /* read end of its standard output and error, or -1 */
	pid_t group;
	struct stream_decoder decoder;
	bool eof; /* the host has ended the input */
	size_t in_head, in_len;
	size_t out_pos, out_len;
	uint8_t in[PUMP_INPUT_MAX]; /* a ring */
	uint8_t out[PUMP_CHUNK];
};

/* Takes over both pipe ends and makes them non-blocking. */
void pump_init(struct pump *pump, int tty, int input, int output, pid_t group);

/* Nothing will come: the command's standard input is at its end now. */
void pump_end_input(struct pump *pump);

/* Fills what to wait for; entries without a purpose have fd -1. */
void pump_prepare(const struct pump *pump, struct pollfd fds[PUMP_POLL_FDS]);

/* Moves what can be moved without waiting. */
void pump_run(struct pump *pump, const struct pollfd fds[PUMP_POLL_FDS]);

/*
 * The command is gone: writes the rest of its output, waiting for the host
 * as long as it takes.
 */
void pump_finish(struct pump *pump);

#endif
