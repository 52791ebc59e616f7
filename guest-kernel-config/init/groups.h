/*
 * groups.h - the guest's control groups: a bound on its processes, and
 * /sys/fs/cgroup as the command sees it
 */
#ifndef GUEST_INIT_GROUPS_H
#define GUEST_INIT_GROUPS_H

#include "params.h"

/*
 * After mounts_system().  With p->pids this process and what it starts are
 * bounded, in a group that is the root of the cgroup namespace they are in.
 * What cannot be done ends the run through fail(), but for a kernel that counts
 * no processes if p->pids_best_effort: then Bulkhead is told.
 */
void groups_set_up(const struct params *p);

/* Bound them by another number, 0: by none.  What cannot be done Bulkhead is told. */
void groups_bound_processes(uint32_t most);

#endif
