/*
 * cache.h - the directory of packed root file systems.
 *
 * $XDG_CACHE_HOME/bulkhead/rootfs, or ~/.cache/bulkhead/rootfs; it is the
 * user's alone (0700, checked).  KEY.erofs is an image that was used last at
 * its modification time; KEY.tmp is one in the making, locked (flock) by who
 * makes it.  An image is never changed: it appears by rename and goes by
 * unlink, so whoever has it open keeps it.
 */
#ifndef IMAGE_CACHE_H
#define IMAGE_CACHE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "vmm/base/err.h"

/* What pruning leaves: the images used last, within both. */
#define CACHE_IMAGES_MAX 32
#define CACHE_BYTES_MAX	 (8ULL << 30)

struct cache {
	int fd;
	char path[PATH_MAX];
};

/*
 * Open the user's cache `name` ("rootfs" is the one of this file, "unpacked"
 * that of unpack.h), made where it is missing.  0; -EPERM when others may write
 * there; -errno.
 */
int cache_open(struct cache *c, const char *name, struct err *e);

void cache_close(struct cache *c);

/*
 * Open KEY.erofs for reading and mark it as used.  0; -ENOENT: there is none
 * (one that is no image was removed; *e is untouched); -errno.
 */
int cache_find(const struct cache *c, const char *key, int *ret_fd, struct err *e);

/*
 * Wait until nobody else makes KEY, and hold its empty KEY.tmp open and
 * locked.  0, or -EEXIST when somebody else has made KEY.erofs meanwhile;
 * -EINTR (pending.h); -errno.
 */
int cache_begin(const struct cache *c, const char *key, int *ret_fd, struct err *e);

/* KEY.tmp is complete: it becomes KEY.erofs, safe on the disk.  Its lock goes
 * with `fd`, which stays the caller's. */
int cache_publish(const struct cache *c, const char *key, int fd, struct err *e);

/* KEY.tmp is worth nothing. */
void cache_abandon(const struct cache *c, const char *key);

/* Drop what was used longest ago until the limits hold, and what crashed
 * packers left.  Never `keep`.  Failures do not matter: the next one tries
 * again. */
void cache_prune(const struct cache *c, const char *keep, unsigned int images_max,
		 uint64_t bytes_max);

/* --- what caches of other things need too --- */

/*
 * flock(fd, how), waited for; `what`, as "packs the same directory", is said of
 * who has it.  0; -EINTR (pending.h); -errno.
 */
int cache_lock(int fd, int how, const char *what);

/* Is the open `fd` still what has that name there? */
bool cache_has_name(const struct cache *c, int fd, const char *name);

/* To sort times of use by: as strcmp(), the latest first. */
int cache_newest_first(const struct timespec *a, const struct timespec *b);

#endif
