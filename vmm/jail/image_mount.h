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

/* What is to become of an image. */
enum image_use {
	IMAGE_READ,
	IMAGE_WRITE,	    /* of a type that can be written to: ext4 */
	IMAGE_WRITE_OR_NOT, /* the same; of another type it is read */
};

/*
 * Open the image (a file or a block device), for writing or not, with a lock
 * that keeps writers, or everybody, out who ask for one.  The fd, the caller's,
 * or -errno.
 */
int image_open(const char *path, bool writable, struct err *e);

/*
 * Mount what image_open() gave (for writing unless `use` is IMAGE_READ), as the
 * first of erofs, ext4 and squashfs that the kernel takes it for and that can
 * be used so.  Needs CAP_SYS_ADMIN.  The mount's fd, the caller's, or -errno:
 * -EINVAL if it is none of these, -EROFS if it cannot even be read without
 * being written.  The lock of a file lasts until its loop device is gone, which
 * is when nobody has the file system mounted any more.
 */
int image_mount(int image, const char *path, enum image_use use, struct err *e);

#endif
