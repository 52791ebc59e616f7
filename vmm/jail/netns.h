/*
 * netns.h - network namespaces that others have made: found, entered for a
 * moment, and left again.
 */
#ifndef JAIL_NETNS_H
#define JAIL_NETNS_H

#include "vmm/base/err.h"

/*
 * Open the namespace `where`: a path, or a name of ip-netns(8), which has no
 * slash.  The fd, the caller's, or -errno.
 */
int netns_open(const char *where, struct err *e);

/*
 * Put the calling thread, and what it forks and opens from now on, into the
 * namespace.  The fd to come back with, or -errno.  Needs CAP_SYS_ADMIN, over
 * the namespace too.
 */
int netns_enter(int fd, const char *where, struct err *e);

/* Come back; `home`, from netns_enter(), is closed.  0 or -errno. */
int netns_leave(int home, struct err *e);

/*
 * A sysfs of the namespace that the calling thread is in, read-only and mounted
 * nowhere.  The kernel gives none to a user namespace that does not own it.
 * The mount's fd, the caller's, or -errno.
 */
int netns_sysfs(struct err *e);

#endif
