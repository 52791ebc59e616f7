/*
 * probe_cache.h - the verdict of a probe, kept for as long as the host runs.
 *
 * One small text file per boot id and user: $XDG_CACHE_HOME/bulkhead (or
 * ~/.cache/bulkhead), for root /run/bulkhead.  It is advice, so anything odd
 * about it (another owner, writable by others, a symlink, unknown content)
 * means that there is no verdict; it is never an error that a user sees.
 */
#ifndef MONITOR_PROBE_CACHE_H
#define MONITOR_PROBE_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#define PROBE_BOOT_ID_LEN 36

struct probe_verdict {
	char backend[32]; /* of which KVM back end; another one voids it */
	bool linux_ok;
	char failed[64]; /* when not: the name of the first failing step */
};

/* Name of the KVM back end by its module: "intel", "amd", "pvm", "unknown".
 * `root` stands before the path: "" on a host, a fake tree in tests. */
const char *probe_backend(const char *root);

/* This boot's id, NUL-terminated.  0 or -errno. */
int probe_boot_id(char ret_id[PROBE_BOOT_ID_LEN + 1]);

/* The directory for this user.  0, -ENOENT (no home), -ENAMETOOLONG. */
int probe_cache_dir(char *ret_dir, size_t size);

/* 0, or -ENOENT: no verdict that can be trusted for this boot and backend. */
int probe_cache_read(const char *dir, const char *boot_id, const char *backend,
		     struct probe_verdict *ret);

/* Makes the directory when it is missing (not its grandparents), replaces the
 * file in one step, removes those of earlier boots.  0 or -errno. */
int probe_cache_write(const char *dir, const char *boot_id, const struct probe_verdict *verdict);

struct probe_result;

/* The two above for this host, boot and user.  probe_recall(): 0, or -ENOENT:
 * none.  probe_remember() keeps what *result proves: a verdict that rests on
 * the passing of time alone is not kept, since a busy host must not be told
 * for the rest of its life that it cannot.  Failing to keep is no error. */
int probe_recall(struct probe_verdict *ret);
void probe_remember(const struct probe_result *result);

#endif
