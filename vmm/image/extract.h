/* extract.h - what is in an image, as files, by the programs of its kind. */
#ifndef IMAGE_EXTRACT_H
#define IMAGE_EXTRACT_H

#include "vmm/base/err.h"

/*
 * Extract the image that is open as `image_fd` into the empty directory
 * `dir_fd`: erofs by fsck.erofs, squashfs by unsquashfs, ext4 (2, 3) by debugfs.
 * These programs read what a stranger may have made: they can write nowhere but
 * in `dir_fd`, read nothing of the user's but the image, and have no network.
 *
 * As this user, so that all files are this user's; device files, extended
 * attributes and what else only root may make is left out.
 *
 * 0; -EINVAL: it is of none of these kinds; -ENOENT: its program is not
 * installed; -EUCLEAN: an ext4 that was not unmounted in order; -EINTR
 * (pending.h); -EIO with the program's words; -errno.
 */
int image_extract(int image_fd, int dir_fd, struct err *e);

#endif
