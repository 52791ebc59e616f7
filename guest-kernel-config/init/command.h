/*
 * command.h - starts the user's command, or the image's own init
 */
#ifndef GUEST_INIT_COMMAND_H
#define GUEST_INIT_COMMAND_H

#include <sys/types.h>

#include "params.h"

/* Where the command's descriptors 0, 1, 2 come from. */
struct command_io {
	int in, out, err;
	int terminal; /* make the command its foreground group; -1: none */
};

/*
 * Starts p->argv in a process group of its own, whose number is the command's
 * pid.  Returns the pid, or a negative errno when it could not be executed;
 * other failures end the run.
 */
pid_t command_start(const struct params *p, const struct command_io *io);

/* Replaces this process by the image's init on the console; fail() if none. */
__attribute__((noreturn)) void command_become_image_init(const struct params *p);

#endif
