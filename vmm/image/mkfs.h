/* mkfs.h - running mkfs.erofs. */
#ifndef IMAGE_MKFS_H
#define IMAGE_MKFS_H

#include <stddef.h>

#include "vmm/base/err.h"

/*
 * Pack the directory `dir_fd` into the file that is open as `image_fd` for writing;
 * what is in there is overwritten.  (Not by its path: as root in somebody else's
 * cache it could be made to lead elsewhere meanwhile.)  The directories `excluded`,
 * relative to it, stay as empty directories.
 * 0; -ENOENT when mkfs.erofs is not installed; -ENOSPC; -EINTR when a signal that
 * ends programs is pending (blocked by the caller); -EIO when it failed, with its
 * own words.
 */
int mkfs_erofs(int dir_fd, char *const *excluded, size_t nexcluded, int image_fd, struct err *e);

/* `path` as an extended regular expression for what is below it: "^path/".
 * The caller frees it; NULL: out of memory. */
char *mkfs_below(const char *path);

#endif
