/*
 * netns.h - network namespaces that others have made: found, entered for a
 * moment, and left again.
 */
#ifndef JAIL_NETNS_H
#define JAIL_NETNS_H

#include <stdint.h>
#include <sys/types.h>

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

/* Go where the process `pid` is, for good, unless it is here.  0 or -errno. */
int netns_join(pid_t pid, struct err *e);

/*
 * Which one the calling thread is in: the number that /proc/PID/ns/net has, and
 * that another namespace may get once this one is gone.  0 or -errno.
 */
int netns_id(uint64_t *ret, struct err *e);

/*
 * Open the namespace of that number where this process can see it: mounted, as
 * ip-netns(8) and container engines keep them, or some process's.  The fd, the
 * caller's; -ENOENT: there is none any more, as far as can be seen.
 */
int netns_find(uint64_t id);

/*
 * A sysfs of the namespace that the calling thread is in, read-only and mounted
 * nowhere.  The kernel gives none to a user namespace that does not own it.
 * The mount's fd, the caller's, or -errno.
 */
int netns_sysfs(struct err *e);

#endif
