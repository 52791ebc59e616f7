/*
 * content.h - what is in a directory's files, where their times do not tell that
 * it has changed.
 *
 * The time of last change (ctime) is the kernel's own: nobody sets it back.  The
 * formats that are only ever written as a whole have the times that their maker
 * gave them, one and the same in builds that are to be reproducible; so what is
 * mounted there today may differ from yesterday's in nothing that stat(2) shows.
 */
#ifndef IMAGE_CONTENT_H
#define IMAGE_CONTENT_H

#include <stdbool.h>
#include <sys/stat.h>

#include "vmm/base/err.h"
#include "vmm/image/sha256.h"

/* Is the directory `fd` on such a file system: squashfs, erofs, iso9660, cramfs, romfs? */
bool content_decides(int fd);

/*
 * Add the bytes of the regular file, or the target of the symbolic link, `name` in
 * the directory `parent` to the digest; nothing of any other file.  0; -EINTR
 * (pending.h); -errno, with errno set and no text.
 */
int content_add(struct sha256 *hash, int parent, const char *name, const struct stat *st);

#endif
