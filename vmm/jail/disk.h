/*
 * disk.h - file systems in images and block devices, mounted in a process's
 * root beside what the root itself has.
 *
 * disk_open() runs in the supervisor, with the host's rights; disk_attach() in
 * the process, once it is in its root.
 */
#ifndef JAIL_DISK_H
#define JAIL_DISK_H

#include <stdbool.h>

#include "vmm/base/err.h"

struct jail_disk {
	int image; /* open and locked, see image_mount.h; -1: none */
	int tree;  /* its file system, mounted nowhere; -1: none */
};

/*
 * Mount `path`, for writing unless `read_only`.  Only root can: -EPERM for
 * others.  0 or -errno; disk_close() in any case.
 */
int disk_open(struct jail_disk *d, const char *path, bool read_only, struct err *e);

/*
 * Attach it at `dir` below the calling process's root, which the process may
 * not leave: no link in there leads to what it has open.  What is missing of
 * `dir` is made.  0 or -errno.
 */
int disk_attach(const struct jail_disk *d, const char *dir, struct err *e);

/* The process that it was attached for is gone, or never was: it is unmounted
 * when this returns, and its lock given up. */
void disk_close(struct jail_disk *d);

#endif
