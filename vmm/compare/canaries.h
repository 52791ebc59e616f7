/*
 * canaries.h - what attempts are made on: a file, a process and two listening
 * sockets of the host, ours, and the host's identity.  Whether one was reached
 * is seen here, outside of the wall.
 */
#ifndef COMPARE_CANARIES_H
#define COMPARE_CANARIES_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/err.h"

#define CANARIES_ARGS 6 /* of bulkhead-attempt, behind its name */

struct canaries {
	char dir[PATH_MAX]; /* "" when there is none */
	char secret[16];    /* in the file, in the process's memory */
	char token[16];	    /* the process's name, the abstract socket's */
	char boot[64];	    /* of the kernel that this is */
	char pid_text[16], address[24], port[8], handle[300];
	pid_t pid;
	int life, abstract, loopback; /* fds; `life` asks the process, and ends it */
	int file;
	off_t size; /* of the file, when it was looked at last */
	uint64_t signals;
	bool made;
};

/* To be called before measure_begin(), which would take the process for
 * something that a run left behind.  0, -errno and *e; canaries_remove() in any
 * case. */
int canaries_make(struct canaries *c, struct err *e);

/* Has one been touched since the last call?  All that was done before this call
 * is in the answer. */
bool canaries_noticed(struct canaries *c);

/* Point `argv` at the arguments that name them. */
void canaries_name(const struct canaries *c, const char *argv[CANARIES_ARGS]);

/* The caller's namespace of that kind, or "-". */
void canaries_space(const char *space, char out[64]);

void canaries_remove(struct canaries *c);

#endif
