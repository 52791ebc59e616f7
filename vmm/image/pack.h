/* pack.h - --rootfs: a directory packed into a read-only image, or an image. */
#ifndef IMAGE_PACK_H
#define IMAGE_PACK_H

#include <stdbool.h>

#include "vmm/base/err.h"

/*
 * Pack the directory `dir` with mkfs.erofs into the user's cache, or find it
 * there from an earlier run.  Descends into no other file system that is
 * mounted below it, and not into the cache: they are empty directories in the
 * image.  Waits for another process that packs the same directory.
 *
 * *ret_image_fd is open for reading, *ret_path says where it was made (the
 * caller's to free; it may be gone by now, the fd stays good).  0; -EAGAIN when
 * the directory changed meanwhile; -EINTR; -ENOSPC; any other -errno.
 */
int rootfs_pack(const char *dir, int *ret_image_fd, char **ret_path, struct err *e);

struct rootfs_image {
	int fd;	     /* O_RDWR when rw, else O_RDONLY; close-on-exec */
	char *path;  /* for messages; the caller's to free */
	bool packed; /* made by rootfs_pack() */
};

/*
 * Open what --rootfs names: a directory is packed, anything else must be a
 * regular file or a block device, which is opened (its content is not looked
 * at).  -EINVAL for a directory with `rw`, and for other kinds of files.
 */
int rootfs_open(const char *path, bool rw, struct rootfs_image *ret, struct err *e);

#endif
