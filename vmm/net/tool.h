/*
 * tool.h - run ip(8) or nft(8) with a script on its standard input.
 *
 * Links and tables are made once per run, where a process more does not matter
 * and a tool that knows every kernel is worth more than rtnetlink of our own.
 */
#ifndef NET_TOOL_H
#define NET_TOOL_H

#include <stddef.h>
#include <sys/types.h>

#include "vmm/base/err.h"

struct tool_call {
	const char *const
		*argv; /* NULL-terminated; argv[0] is looked for in the system's directories */
	const char *package; /* that has it */
	const char *input;   /* "" for nothing */
	pid_t netns_of;	     /* run it in the network namespace of that process; 0: in ours */
	char *output;	     /* NULL: not wanted */
	size_t output_size;  /* more is an error */
};

/* Where the tool `name` is, in `out` of PATH_MAX bytes: 0 or -ENOENT. */
int tool_find(const char *name, char *out);

/*
 * Run it to its end.  0; -ENOENT: it is not installed; -EIO with what it said;
 * -errno.  The output is a string.
 */
int tool_run(const struct tool_call *call, struct err *e);

#endif
