/*
 * image_mount.h - a file system image as a mount that is nowhere, through a
 * loop device that goes away with it.
 *
 * The host's kernel reads what is in the image.  Whoever made it can try that
 * parser's bugs; behind a virtual machine it would be the guest's.
 */
#ifndef JAIL_IMAGE_MOUNT_H
#define JAIL_IMAGE_MOUNT_H

#include <stdbool.h>

#include "vmm/base/err.h"

/*
 * Open the image (a file or a block device), for writing or not, with a lock
 * that keeps writers, or everybody, out who ask for one.  The fd, the caller's,
 * or -errno.
 */
int image_open(const char *path, bool writable, struct err *e);

/*
 * Mount what image_open() gave, as the first of erofs, ext4 and squashfs that
 * the kernel takes it for; with `writable` ext4 can be written to, which the
 * others never can.  Needs CAP_SYS_ADMIN.  The mount's fd, the caller's, or
 * -errno.
 */
int image_mount(int image, const char *path, bool writable, struct err *e);

#endif
