/*
 * program.h - running a program of the system's that makes or reads images.
 *
 * It is waited for, with an eye on signals that end programs (pending.h); what
 * it says is kept, up to a bound; and it dies with its caller.
 */
#ifndef IMAGE_PROGRAM_H
#define IMAGE_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

#include "vmm/base/err.h"

#define PROGRAM_OUTPUT_MAX 2048 /* later bytes are dropped */

struct program {
	const char *name;    /* "mkfs.erofs", looked for along PATH and in the system's places */
	const char *purpose; /* "a directory as --rootfs": what needs it */
	const char *package; /* that has it, in Debian */
	const char *working; /* told on a terminal when it takes long */
	int dir_fd;	     /* its working directory */

	/* Lines that it says also when all is well, which are not kept.  NULL: none. */
	bool (*is_usual)(const char *line);

	/* In the new process, before the program: whatever confines it.  NULL:
	 * nothing.  0 or -errno with *e. */
	int (*confine)(const struct program *p, const char *path, struct err *e);
	int image_fd; /* given to it as fd 3; 0: none */
};

/* Where it is.  0, or -ENOENT: it is not installed. */
int program_find(const struct program *p, char out[PATH_MAX], struct err *e);

/*
 * Run what program_find() found with the NULL-terminated `argv` and only the
 * three standard fds, standard input empty.  0: it ended by itself, *ret_status
 * is its exit status and `output` (at most PROGRAM_OUTPUT_MAX bytes) what it
 * said; -EINTR: a signal that ends programs is pending, and it was killed; -EIO:
 * it was ended by a signal; another -errno: it could not be run.
 */
int program_run(const struct program *p, const char *path, char *const *argv,
		char output[PROGRAM_OUTPUT_MAX], int *ret_status, struct err *e);

#endif
