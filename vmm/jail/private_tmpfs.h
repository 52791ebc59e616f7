/*
 * private_tmpfs.h - a file that may have huge pages, without asking the
 * host's administrator.
 *
 * A memfd gets huge pages only where shmem_enabled allows it, which is rare.
 * A tmpfs of our own decides for itself (mount option huge=advise); it is
 * never attached to a path, and its one file has no name.
 */
#ifndef JAIL_PRIVATE_TMPFS_H
#define JAIL_PRIVATE_TMPFS_H

#include "vmm/base/err.h"

/*
 * An empty, nameless file, open for reading and writing, close-on-exec; it
 * gets huge pages where its mapping is advised (MADV_HUGEPAGE).  Who may not
 * mount does it in a short-lived child with a user namespace of its own.
 * The fd (the caller's) or -errno and *e.
 */
int private_tmpfs_file(struct err *e);

#endif
