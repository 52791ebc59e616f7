/*
 * exec.h - the command's environment, and how its program is found: the same
 * in a guest's init and behind the walls that need no guest.
 */
#ifndef GUEST_INIT_EXEC_H
#define GUEST_INIT_EXEC_H

#include <stddef.h>

/*
 * The environment of a command: PATH and HOME as a root's, TERM when `term` is
 * not NULL, and the `n` strings "NAME=VALUE" of `given`, of which a later one
 * replaces an earlier one and any of the defaults.  NULL-terminated; the
 * strings of `given` are borrowed, all of it lives until exec.  NULL: ENOMEM.
 */
char **exec_env(const char *const *given, size_t n, const char *term);

/*
 * Replace this process by argv[0], looked for along the PATH of `env` unless
 * its name has a slash.  A text file without an interpreter line is run by
 * /bin/sh, as in POSIX.  Returns when nothing could be executed: the errno that
 * tells most.
 */
int exec_in_path(char *const *argv, size_t argc, char **env);

#endif
