/*
 * unpack.h - an image as a directory, for who may not mount it.
 *
 * $XDG_CACHE_HOME/bulkhead/unpacked, or ~/.cache/bulkhead/unpacked; it is the
 * user's alone.  KEY is the directory, KEY.lock the file by whose lock (flock)
 * it is held: shared by who uses it, exclusively by who makes or removes it;
 * its modification time is that of the last use.  KEY.tmp is a directory in the
 * making, or on its way out.
 */
#ifndef IMAGE_UNPACK_H
#define IMAGE_UNPACK_H

#include "vmm/base/err.h"

/* What is left of those that nobody uses: the ones used last. */
#define UNPACKED_MAX 8u

struct unpacked {
	char *path; /* of the directory; the caller's to free */
	int lock;   /* it stays as long as this is open; the caller's */
};

/*
 * Unpack the image `path`, open as `image_fd`, or find it unpacked by an earlier
 * run.  The key is made of the file's device, inode, size and times: no content
 * is read.  Waits for another process that unpacks the same image.
 * 0; -EINVAL: it is no regular file; -EAGAIN: it changed meanwhile; what
 * image_extract() returns; -errno.
 */
int rootfs_unpack(const char *path, int image_fd, struct unpacked *ret, struct err *e);

#endif
