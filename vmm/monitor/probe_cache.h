/*
 * probe_cache.h - the verdict of a probe, kept for as long as the host runs in
 * a small text file (boot_cache.h says where).  It is advice, so unknown
 * content means that there is no verdict.
 */
#ifndef MONITOR_PROBE_CACHE_H
#define MONITOR_PROBE_CACHE_H

#include <stdbool.h>

struct probe_verdict {
	char backend[32]; /* of which KVM back end; another one voids it */
	bool linux_ok;
	char failed[64]; /* when not: the name of the first failing step */
};

/* Name of the KVM back end by its module: "intel", "amd", "pvm", "unknown".
 * `root` stands before the path: "" on a host, a fake tree in tests. */
const char *probe_backend(const char *root);

/* 0, or -ENOENT: no verdict that can be trusted for this boot and backend. */
int probe_cache_read(const char *dir, const char *boot_id, const char *backend,
		     struct probe_verdict *ret);

/* 0 or -errno of boot_cache_write(). */
int probe_cache_write(const char *dir, const char *boot_id, const struct probe_verdict *verdict);

struct probe_result;

/* The two above for this host, boot and user.  probe_recall(): 0, or -ENOENT:
 * none.  probe_remember() keeps what *result proves: a verdict that rests on
 * the passing of time alone is not kept, since a busy host must not be told
 * for the rest of its life that it cannot.  Failing to keep is no error. */
int probe_recall(struct probe_verdict *ret);
void probe_remember(const struct probe_result *result);

#endif
