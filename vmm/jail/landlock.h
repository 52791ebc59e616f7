/*
 * landlock.h - which files a process can open, whatever it finds a way to name.
 *
 * Inside a new root it is what keeps /proc/PID/exe and /proc/PID/fd, which may
 * lead to files of the host, from being opened or executed.  For a compartment it
 * is a second wall behind its filter, which lets no call through that would.
 */
#ifndef JAIL_LANDLOCK_H
#define JAIL_LANDLOCK_H

#include <stdbool.h>

#include "vmm/base/err.h"

/* The version of the kernel's interface (landlock(7)), 0: it has none. */
int landlock_version(void);

/* Can it be had, with all that is needed?  0 or -EOPNOTSUPP with the reason. */
int landlock_check(struct err *e);

/*
 * Confine this process and what it will start, for good: files beneath "/" and
 * those of the open `fds` (not their directories; as far as each is open for
 * reading or writing), and, where the kernel has it, no signals to processes
 * outside and no abstract sockets of theirs.  Needs no_new_privs.  0 or -errno.
 */
int landlock_confine(const int *fds, unsigned int nfds, struct err *e);

/*
 * From now on this process and what it will start read and execute only what is
 * beneath the paths `read` (what is not there is left out) and the open files
 * `fds`, and write, make and remove only beneath the open directory `write`.
 * Needs no_new_privs.  0 or -errno.
 */
int landlock_limit_files(const char *const *read, unsigned int nread, const int *fds,
			 unsigned int nfds, int write, struct err *e);

/*
 * From now on this process opens, makes and removes no file at all, and, where the
 * kernel has it, binds and connects no TCP socket (Linux 6.7), reaches no abstract
 * sockets of processes outside and, unless `signals`, sends them no signals (6.12).
 * Not for Landlock: UDP, and sockets that have a path.  What is open stays as it is.
 * Needs no_new_privs.
 * 0; -EOPNOTSUPP where the kernel has no Landlock; -errno.
 */
int landlock_deny(bool signals, struct err *e);

/*
 * From now on this process removes files and directories beneath the open
 * directories `dirs` only, and makes none anywhere.  Needs no_new_privs.
 * 0; -EOPNOTSUPP where the kernel has no Landlock; -errno.
 */
int landlock_limit_removal(const int *dirs, unsigned int ndirs, struct err *e);

#endif
