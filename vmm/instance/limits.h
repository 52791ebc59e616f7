/*
 * limits.h - what an instance may use and has used, whatever its wall is: its
 * control group, from the user's limits to the report.
 *
 * A group is made when a limit needs one, and only then: a launch without
 * limits pays nothing, and runs where no group may be written.
 *
 *   without a guest   any of --cpus, --cpu-weight, --memory, --pids,
 *                     --disk-bps, --disk-iops
 *   vm                --cpus with a fraction, --cpu-weight: whole CPUs and
 *                     --memory are the guest's hardware, its disks and
 *                     interfaces are slowed down by their own processes.  The
 *                     group then bounds memory too, to the guest's and 64 MiB
 *                     for the processes around it.  --pids is the guest's own
 *                     kernel's to keep, if it can.
 */
#ifndef INSTANCE_LIMITS_H
#define INSTANCE_LIMITS_H

#include <jansson.h>

#include "vmm/config/run_config.h"
#include "vmm/instance/ending.h"
#include "vmm/instance/registry.h"
#include "vmm/jail/cgroup.h"

struct limits {
	const struct run_config *cfg;
	struct limits_config now;  /* what no group keeps: as it is */
	struct cgroup *group;	   /* NULL: none */
	struct cgroup_usage usage; /* once it is over */
	unsigned int missing;	   /* a bit per enum cgroup_limit: not enforced */
	int kernel_log;		   /* from before the instance began, or -1 */
	char victim[160];	   /* who was killed for memory, as the kernel's log says */
	bool left;		   /* the group could not be removed, and has to stay noted */
};

/*
 * Make the group, if one is needed.  What --best-effort leaves out is warned
 * of.  `reg` is told what is made (its fd may be -1).  0 or -errno.
 */
int limits_open(struct limits *l, const struct run_config *cfg, const char *uuid,
		const struct registration *reg, struct err *e);

/* --- while it runs --- */

/* A guest says that its kernel does not keep `which`: warn, once. */
void limits_lost(struct limits *l, enum cgroup_limit which);

#define LIMITS_KEYS 7

/* What a limit is called on the control socket, and in `run`. */
const char *limits_key(unsigned int index);
enum run_setting limits_setting(unsigned int index);

/*
 * `bulkhead limit`: `text` is lines of "KEY NUMBER", 0 for no limit; all of it is
 * done, or nothing.  What no group keeps is for apply(), which may be
 * called again to take them back; l->now has them then.  Every limit goes to
 * `answer`, in the same form.
 * 0; -EINVAL, -EOPNOTSUPP (not behind this wall, or no group), -errno.
 * System calls: write, lseek, and apply()'s.
 */
typedef int limits_apply(void *ctx, const struct limits_config *limits, struct err *e);
int limits_change(struct limits *l, char *text, limits_apply *apply, void *ctx, struct err *e);
void limits_show(const struct limits *l, char *answer, size_t size);

/* --- at the end --- */

/* Everything of the instance is reaped: read the usage, remove the group.
 * What is in there still is killed, as far as the kernel has a way to.  l->left
 * tells if the group stays, which is warned of. */
void limits_finish(struct limits *l);

/* If it was ended by SIGKILL because its memory was used up, say that. */
void limits_explain(const struct limits *l, struct ending *ending);

/* Add "limits" and "usage" to the report. */
void limits_report(const struct limits *l, json_t *report);

/* Close and free; after limits_finish() or instead of it.  l->left stays. */
void limits_close(struct limits *l);

#endif
