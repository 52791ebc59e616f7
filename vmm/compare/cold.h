/*
 * cold.h - the first start of a wall on a host that is in use: the files that it
 * alone reads are not in the page cache.
 *
 * These are its program, and what it boots (kernel and packed root) or the command's
 * program.  The host's libraries, names and inodes stay where they are,
 * because a host in use has them.  Nothing else on the host is touched, so that
 * nobody needs to be root.
 */
#ifndef COMPARE_COLD_H
#define COMPARE_COLD_H

#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/compare/wall_command.h"

/*
 * Drop what `wall` reads to run the program `program` of the root directory.
 * `command` is what wall_command_make() gave.
 * 0; -EBUSY: more than a tenth stays, with *e saying of which file (a file system
 * in memory, or somebody runs it); -ENOENT, -errno, and *e.
 */
int cold_drop(const struct wall_setup *setup, const char *wall, const char *program,
	      const struct wall_command *command, struct err *e);

/* Drop one file's pages.  *ret_bytes, *ret_left: its size, and what stays.  0; -errno. */
int cold_drop_file(const char *path, uint64_t *ret_bytes, uint64_t *ret_left);

#endif
