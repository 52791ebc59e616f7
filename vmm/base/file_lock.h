/*
 * file_lock.h - locks of disks and images, which tell one machine from another.
 */
#ifndef BASE_FILE_LOCK_H
#define BASE_FILE_LOCK_H

#include <stdbool.h>

/*
 * Lock all of an open file: shared for reading, exclusive for writing (`write`
 * needs an fd open for that).  It is an OFD lock (fcntl_locking(2)): it goes with
 * the file description, so it holds until the last process that has it is gone.
 *
 * Waits up to half a second for another's lock: a machine that was killed is
 * gone before its io_uring, which holds its disk for some 30 ms more.
 *
 * 0 (also where the file system has no locks), -EBUSY for a lock that somebody
 * keeps, or -errno.
 */
int file_lock(int fd, bool write);

/*
 * open(2), which with O_EXCL claims a block device: what is mounted, or claimed by
 * somebody else, is not opened (EBUSY).  Waits for it as file_lock() does.
 */
int file_open(const char *path, int flags);

#endif
