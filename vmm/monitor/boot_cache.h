/*
 * boot_cache.h - small files with what stays true for as long as the host runs.
 *
 * One file per kind (its prefix), boot id and user: $XDG_CACHE_HOME/bulkhead
 * (or ~/.cache/bulkhead), for root /run/bulkhead.  They save time and nothing
 * else, so anything odd about one (another owner, writable by others, a
 * symlink) means that there is none; it is never an error that a user sees.
 */
#ifndef MONITOR_BOOT_CACHE_H
#define MONITOR_BOOT_CACHE_H

#include <stddef.h>

#define BOOT_ID_LEN 36

/* This boot's id, NUL-terminated.  0 or -errno. */
int boot_cache_id(char ret_id[BOOT_ID_LEN + 1]);

/* The directory for this user.  0, -ENOENT (no home), -ENAMETOOLONG. */
int boot_cache_dir(char *ret_dir, size_t size);

/*
 * The content of dir/PREFIX-BOOT_ID: at most `size` bytes go to `buf`, their
 * number to *ret_len.  0, or -ENOENT: no file that can be trusted, or a longer
 * or an empty one.
 */
int boot_cache_read(const char *dir, const char *prefix, const char *boot_id, void *buf,
		    size_t size, size_t *ret_len);

/*
 * Makes the directory when it is missing (not its grandparents), replaces the
 * file in one step, removes those of earlier boots.  0 or -errno; -EINVAL: a
 * boot id that is none.
 */
int boot_cache_write(const char *dir, const char *prefix, const char *boot_id, const void *data,
		     size_t len);

#endif
