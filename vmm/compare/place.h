/*
 * place.h - where a comparison works: a directory of its own, with the root
 * directory that holds nothing but the workload program, and room for bundles.
 */
#ifndef COMPARE_PLACE_H
#define COMPARE_PLACE_H

#include <stdbool.h>

#include "vmm/base/err.h"
#include "vmm/compare/wall_command.h"

#define PLACE_WORKLOAD "/bulkhead-workload" /* in that root directory */
#define PLACE_ATTEMPT  "/bulkhead-attempt"

/*
 * Fill *ret.  `program` is the path of Bulkhead's own; `rootfs` is a user's root directory, or
 * NULL; with `with_workload` a root directory is made that holds the workload program, which is
 * found beside Bulkhead's own or in ../libexec/bulkhead. 0; -ENOENT, -errno and *e.  place_remove()
 * in any case.
 */
int place_make(const char *program, const char *rootfs, bool with_workload, struct wall_setup *ret,
	       struct err *e);

/* A root directory `root` with nothing but the workload program.  0; -ENOENT,
 * -errno and *e. */
int place_make_root(const char *program, const char *root, struct err *e);

/* Remove what was made. */
void place_remove(struct wall_setup *setup);

#endif
