/*
 * leftovers.h - what an instance makes on the host beside its processes: noted
 * before it is made, removed by the instance itself, or when that has died, by
 * whoever finds its directory.
 *
 * The file `left` has a line "KIND value" for each.  It was written by a
 * process of this user, as root perhaps: still, every kind's function accepts
 * values only that can be ours, so that a damaged file removes nothing else.
 */
#ifndef INSTANCE_LEFTOVERS_H
#define INSTANCE_LEFTOVERS_H

#include <stddef.h>

#include "vmm/base/err.h"

#define LEFTOVERS_FILE	   "left"
#define LEFTOVERS_TEXT_MAX 8192

struct leftover_kind {
	const char *name;
	/* Remove it; that it is gone already is no failure.  0 or -errno. */
	int (*remove)(const char *value, struct err *e);
};

/* The kinds that there are: "cgroup" with a path, "link" and "nft" with a name of
 * this network namespace, from leftovers_in_netns(). */
const struct leftover_kind *leftover_kind_find(const char *name);

/* What to note for `name`: in `out`, of LEFTOVERS_NETNS_MAX bytes.  0 or -errno. */
#define LEFTOVERS_NETNS_MAX 64
int leftovers_in_netns(char *out, size_t size, const char *name, struct err *e);

/*
 * Remove all that the text names, the last first; it is changed.  0, or the
 * first failure: the others are tried nevertheless.
 */
int leftovers_remove(char *text, struct err *e);

#endif
