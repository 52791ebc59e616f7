/*
 * bundle.h - an OCI bundle for crun and runc: what `RUNTIME spec` gives, with
 * a command and a root directory of ours.
 */
#ifndef COMPARE_BUNDLE_H
#define COMPARE_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/err.h"
#include "vmm/compare/wall_command.h"

struct bundle {
	const char *root;
	bool writable; /* the root */
	const char *const *command;
	size_t n;
	const char *netns;		  /* a path, to be joined; NULL: one of its own */
	const struct wall_limits *limits; /* or NULL */
	const struct wall_disk *disk;	  /* that the limits are about, or NULL */
};

/* Write `dir`/config.json; `dir` is made when it is missing.  `runtime` is the
 * path of its program.  0; -ENOTSUP (a limit on a disk that is not known); -errno
 * and *e. */
int bundle_write(const char *runtime, const char *dir, const struct bundle *bundle, struct err *e);

#endif
