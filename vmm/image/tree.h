/*
 * tree.h - a directory's fingerprint: what has to be equal for an image that
 * was packed of it to be the same.
 */
#ifndef IMAGE_TREE_H
#define IMAGE_TREE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "vmm/base/err.h"
#include "vmm/image/sha256.h"

struct tree {
	uint8_t key[SHA256_SIZE];
	uint64_t entries;
	struct timespec newest; /* the latest change of any entry */
	char *newest_path;	/* that entry, "." for the directory itself */
	/* Directories whose content does not belong to the tree (other file
	 * systems, the cache), relative to it; owned. */
	char **excluded;
	size_t nexcluded;
};

void tree_release(struct tree *t);

/*
 * Walk the directory `dir_fd` and everything below it on the same file system,
 * following no symbolic link.  `skip` (or NULL) is a directory whose content is
 * left out.  The key is made of every entry's path, device, inode, mode, owner,
 * size, and times of last change, so that no file has to be read, but where these
 * times do not tell (content.h).
 * 0; -EACCES with the name of what cannot be read; -E2BIG (too deep, too many
 * mounts); -EINTR
 * (pending.h); -errno.  *ret is the caller's to release when 0 was returned.
 */
int tree_scan(int dir_fd, const struct stat *skip, struct tree *ret, struct err *e);

#endif
