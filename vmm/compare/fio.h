/* fio.h - fio, where a user's root directory has it: a copy of that directory, and
 * what fio prints. */
#ifndef COMPARE_FIO_H
#define COMPARE_FIO_H

#include "vmm/base/err.h"
#include "vmm/compare/measure.h"
#include "vmm/compare/wall_command.h"

#define FIO_ROOT_MAX (1ULL << 30) /* bytes of a root directory that is copied */

/* The path of fio within a root directory.  0; -ENOENT and *e: it is not there. */
int fio_find(const char *root, char program[PATH_MAX], struct err *e);

/*
 * A copy of the root directory below setup->scratch, because it is written to
 * behind walls that have no disk but their root; the file is the one of `disk`.
 * `got` is room for a run.  0; -EINTR: a signal came; -EFBIG, -ENOTSUP, -errno; and *e.
 */
int fio_make(const struct wall_setup *setup, const char *root, const struct wall_disk *disk,
	     int signal_fd, struct measured *got, struct wall_disk *ret, struct err *e);

/* The field of that number, from 1, in what `fio --minimal` printed; 0: there is
 * none.  fio(1), "Terse output", version 3. */
double fio_field(const char *output, unsigned int field);

#endif
