/*
 * system_mounts.h - what a root file system gets that no image has: /proc, /sys,
 * a minimal /dev, /run and /tmp, and over parts of /proc and /sys the masks that
 * the OCI runtime spec lists.
 *
 * An image may hold anything in these places.  So each mount is made where nothing
 * of the image can be met, before it is entered, and attached by descriptors, to a
 * directory that no symbolic link has led to; what lies below is found through the
 * mount itself.
 */
#ifndef JAIL_SYSTEM_MOUNTS_H
#define JAIL_SYSTEM_MOUNTS_H

#include <stdbool.h>

#include "vmm/base/err.h"

enum {
	SYSTEM_PROC,
	SYSTEM_SYS,
	SYSTEM_DEV,
	SYSTEM_SHM,
	SYSTEM_MQUEUE,
	SYSTEM_PTS,
	SYSTEM_RUN,
	SYSTEM_TMP,
	SYSTEM_MOUNTS
};

#define SYSTEM_DEVICES 6

struct system_mounts {
	int mount[SYSTEM_MOUNTS];   /* -1: not to be had, and optional */
	int device[SYSTEM_DEVICES]; /* of the host, each a mount of one file */
};

/*
 * Make them all, attached nowhere.  The host's root is the root still: the kernel
 * gives proc and sysfs only to who can see others of them in full, and the devices
 * are the host's.  `sys`: a sysfs that is used instead, borrowed; -1: none.
 * `ranges`: the user namespace has more ids than 0.
 * 0 or -errno; system_mounts_close() in any case.
 */
int system_mounts_make(struct system_mounts *m, int sys, bool ranges, struct err *e);

/*
 * Attach them in the root "/".  The host's must be gone from below it.  A symbolic
 * link in the place of a directory is removed if `replace`, else refused.
 * 0 or -errno.
 */
int system_mounts_attach(const struct system_mounts *m, bool replace, struct err *e);

void system_mounts_close(struct system_mounts *m);

#endif
