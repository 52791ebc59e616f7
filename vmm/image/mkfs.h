/* mkfs.h - running mkfs.erofs. */
#ifndef IMAGE_MKFS_H
#define IMAGE_MKFS_H

#include <stddef.h>

#include "vmm/base/err.h"

/*
 * Pack the directory `dir_fd` into the file `image` (an absolute path; what is
 * there is overwritten).  The directories `excluded` (relative to it) stay as
 * empty directories.  0; -ENOENT when mkfs.erofs is not installed; -ENOSPC;
 * -EINTR when a signal that ends programs is pending (blocked by the caller);
 * -EIO when it failed, with its own words.
 */
int mkfs_erofs(int dir_fd, char *const *excluded, size_t nexcluded, const char *image,
	       struct err *e);

/* `path` as an extended regular expression for what is below it: "^path/".
 * The caller frees it; NULL: out of memory. */
char *mkfs_below(const char *path);

#endif
