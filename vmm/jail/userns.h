/*
 * userns.h - which ids a user namespace has.
 *
 * Root gives the ids that it has itself, so that a root file system's files
 * keep their owners; capabilities count in the namespace only.  Others give
 * their own id as 0 and, where newuidmap(1) and newgidmap(1) allow it, their
 * range of /etc/subuid and /etc/subgid behind it.
 */
#ifndef JAIL_USERNS_H
#define JAIL_USERNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/err.h"

struct id_range {
	uint32_t start, count;
};

/*
 * The first range of `uid` in the text of /etc/subuid or /etc/subgid
 * (subuid(5)), whose lines begin with a login name (NULL: not known) or the
 * number.  True and *ret, or false.
 */
bool subid_find(const char *text, const char *name, uid_t uid, struct id_range *ret);

/* The login name of `uid` in the text of /etc/passwd; false: it has none, or a
 * longer one than fits. */
bool passwd_find(const char *text, uid_t uid, char *out, size_t size);

/*
 * Map the ids of `pid`, a child that waits in a new user namespace.
 * *ret_ranges: more than one id is mapped.  0 or -errno.
 */
int userns_map(pid_t pid, bool *ret_ranges, struct err *e);

#endif
