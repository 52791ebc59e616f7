/*
 * companion.h - the programs that come with bulkhead: what only some runs need
 * is not in the program that holds guests.
 */
#ifndef BASE_COMPANION_H
#define BASE_COMPANION_H

#include "vmm/base/err.h"

/*
 * Become the companion program `name`, which is looked for beside this program
 * and in ../libexec/bulkhead.  `args` ends with NULL; the companion gets them
 * as argv[1] and on, and the path of this program as argv[0].
 *
 * Returns only if it failed, with -errno and the places in the text.
 */
int companion_exec(const char *name, char *const *args, struct err *e);

#endif
