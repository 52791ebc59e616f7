/*
 * rights.h - what a confined command may do: capabilities and resource limits.
 */
#ifndef JAIL_RIGHTS_H
#define JAIL_RIGHTS_H

#include <stdint.h>

#include "vmm/base/err.h"

/* The capabilities, a bit each, that root keeps behind the process wall: those
 * that container engines give, and they count in its user namespace only. */
uint64_t rights_default_capabilities(void);

/*
 * Keep `capabilities` and no other, now and after any exec: permitted,
 * effective and bounding sets; none is inheritable or ambient.  0 or -errno.
 */
int rights_keep(uint64_t capabilities, struct err *e);

/* Keep none.  Behind no_new_privs no exec gives one back, so that the bounding set,
 * which takes a capability to change, need not be touched.  0 or -errno. */
int rights_drop(void);

/* No core dumps; no real-time priorities; the usual number of files.  0 or -errno. */
int rights_limit(struct err *e);

#endif
