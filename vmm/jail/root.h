/*
 * root.h - a root file system of its own for a process: an overlay over a
 * directory or image that is never written, or the directory or image itself, a
 * minimal /dev, and the parts of /proc and /sys masked or read-only that the OCI
 * runtime spec lists.
 *
 * root_open() runs in the supervisor, root_enter() in the process, which is
 * process 1 of new user, mount, PID, network, IPC, UTS and cgroup namespaces.
 */
#ifndef JAIL_ROOT_H
#define JAIL_ROOT_H

#include <stdbool.h>

#include "vmm/base/err.h"

struct jail_root {
	char *path; /* of the directory or image, absolute */
	int image;  /* open and locked, see image_mount.h; -1: none */
	bool rw;    /* the directory or image itself instead of an overlay over it */
	int tree;   /* the new root, mounted nowhere; -1: the process makes it */
	int sys;    /* its sysfs, likewise, the caller's; -1: the process mounts one */
};

/*
 * The directory or, for who may mount it, the image `path`, resolved with the
 * caller's rights.  Who may mount makes the overlay here, in a mount namespace of
 * the calling process's own, which it is left in: with the host's own rights an
 * overlay knows more (whiteouts and opaque directories on any kernel, and
 * directories that have other file systems mounted below).  An image that is
 * `rw` is mounted here too, by root only: -EPERM for others.  0 or -errno;
 * root_close() in any case.
 */
int root_open(struct jail_root *r, const char *path, bool rw, struct err *e);

/* The process is gone, or never was: an image is unmounted when this returns,
 * and its lock given up. */
void root_close(struct jail_root *r);

/* `ranges`: the namespace has more ids than 0.  0 or -errno. */
int root_enter(const struct jail_root *r, bool ranges, struct err *e);

#endif
