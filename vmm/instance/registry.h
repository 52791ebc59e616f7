/*
 * registry.h - which instances this user has: a directory for each, and
 * nobody who would have to run for it.
 *
 *   BASE/instances/NAME/          locked (flock) by the supervisor for its life
 *                       state     what `ps` tells (record.h)
 *                       control   the supervisor's socket (control.h)
 *                       left      what is to be removed when it is gone
 *                                 (leftovers.h)
 *
 * BASE is $BULKHEAD_RUNTIME_DIR; else /run/bulkhead for root; else
 * $XDG_RUNTIME_DIR/bulkhead, /run/user/UID/bulkhead or /tmp/bulkhead-UID, the
 * first whose parent is this user's own (/tmp: anybody's).  It must be this
 * user's and writable by nobody else.
 *
 * Who has the lock of the directory that NAME leads to has the name.  The
 * kernel gives the lock up when its holder dies, in whatever way, so a
 * directory that is not locked is what a supervisor has left behind.  Whoever
 * starts or lists instances next renames it to .dead-INODE-NAME, which makes
 * the name free at once, and removes what it notes, and then itself.
 *
 * BASE/instances itself is locked while somebody takes a name or looks for the
 * dead, for as long as that takes and never while something is removed:
 * otherwise a new directory that is not locked yet would be taken for a dead
 * one, and one that is only being looked at for one in use.  An instance that
 * ends does without: its directory is locked until it is gone, so whoever has
 * got a lock looks whether its directory still has a name.
 */
#ifndef INSTANCE_REGISTRY_H
#define INSTANCE_REGISTRY_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/instance/record.h"

#define REGISTRY_NAME_MAX 64
#define REGISTRY_SWEEP	  32 /* so many directories are looked at by a launch */

struct registry {
	int fd; /* BASE/instances */
	char path[PATH_MAX];
};

/* An instance of ours. */
struct registration {
	int base_fd, fd; /* BASE/instances, and NAME in it, which is locked */
	int control_fd;	 /* listens; -1 before registration_publish() */
	char name[REGISTRY_NAME_MAX + 1];
};

/* Open it; make it if it is missing.  0 or -errno; nothing is open on failure. */
int registry_open(struct registry *r, struct err *e);
void registry_close(struct registry *r);

/*
 * Take `name`; NULL: one that is made from `wall` and `uuid`.  What a dead
 * instance of that name has left is removed.  0; -EEXIST: it is in use;
 * -errno.  registration_end() in either case.
 */
int registry_take(struct registry *r, const char *name, const char *wall, const char *uuid,
		  struct registration *ret, struct err *e);

/* Write the record and listen on the control socket.  0 or -errno. */
int registration_publish(struct registration *reg, const struct record *record, struct err *e);

/*
 * Note something that is to be removed if this process cannot do it itself,
 * before it is made; `kind` as in leftovers.h, `value` a line.  0 or -errno.
 */
int registration_note(const struct registration *reg, const char *kind, const char *value,
		      struct err *e);

/*
 * The instance is over and has removed what it noted: remove its directory and
 * give the name up.  What it was is nobody's business: it may be half made, or
 * over already.  System calls: unlinkat, close.
 */
void registration_end(struct registration *reg);

/* The same when something that was noted is left: the next command removes it. */
void registration_leave(struct registration *reg);

enum instance_state { INSTANCE_STARTING, INSTANCE_RUNNING, INSTANCE_DEAD };

struct instance_entry {
	char name[REGISTRY_NAME_MAX + 1];
	enum instance_state state;
	bool has_record; /* else `record` is empty */
	struct record record;
	char problem[ERR_TEXT_MAX]; /* why it could not be cleaned up; "" if it was */
	int fd;			    /* the registry's own */
	char dir[REGISTRY_NAME_MAX + 40];
};

/*
 * Every instance, in the order of names: *ret (the caller's to free) and
 * *ret_n.  What is dead is listed, and removed.  0 or -errno.
 */
int registry_list(struct registry *r, struct instance_entry **ret, size_t *ret_n, struct err *e);

/*
 * Remove what dead instances have left, looking at `max` directories at the
 * most: a launch is not to cost more where hundreds of instances run.
 */
void registry_sweep(struct registry *r, unsigned int max);

/* The directory of a running instance, to talk to it.  An fd, -ENOENT (no
 * such instance, or a dead one) or -errno. */
int registry_find(const struct registry *r, const char *name, struct err *e);

/* What its record says.  0; -ENOENT: it has none yet. */
int registry_read(int dir, struct record *ret, struct err *e);

#endif
