/*
 * cgroup.h - one instance's control group: its limits, what it used, its end.
 *
 * A group of ours is a directory NAME below the caller's own group, in the one
 * hierarchy of version 2, or in each of version 1's that has a controller which
 * is needed; hosts with both are served from both.  Where nothing may be made
 * there, root takes the top of the hierarchy of version 2.
 *
 * Version 2 hands controllers down only from a group without processes
 * (Documentation/admin-guide/cgroup-v2.rst, "No Internal Process Constraint"):
 * if the caller is the only one in its own, it moves to a leaf beside the
 * instance first.  That is what `systemd-run --scope -p Delegate=yes` gives.
 *
 * Everything is opened in cgroup_create(), so that a supervisor whose filter
 * knows no open() can still read, change and remove the group.  Processes enter
 * by themselves, before they do anything else.
 *
 * Version 1 limits of the disk hold for reads and direct writes only: buffered
 * writes are made by the kernel's own threads.
 */
#ifndef JAIL_CGROUP_H
#define JAIL_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/err.h"

enum cgroup_limit {
	CGROUP_CPUS,	   /* thousandths of one CPU */
	CGROUP_CPU_WEIGHT, /* 1 to 10000; 100 is what everybody has */
	CGROUP_MEMORY,	   /* bytes, swap included where the host accounts for it */
	CGROUP_PIDS,	   /* processes and threads */
	CGROUP_DISK_BPS,   /* bytes per second, of each disk, read and written each */
	CGROUP_DISK_IOPS,  /* operations, the same way */
	CGROUP_LIMITS
};

/* 0: no such limit. */
struct cgroup_limits {
	uint64_t value[CGROUP_LIMITS];
};

/* Where the host's are told; a test has a tree of files instead. */
struct cgroup_host {
	const char *mountinfo; /* as /proc/self/mountinfo */
	const char *self;      /* as /proc/self/cgroup */
	const char *disks;     /* as /sys/block */
	int create;	       /* O_CREAT where control files do not come by themselves */
	bool root;	       /* the top of the hierarchy may be taken */
};

#define CGROUP_PLACES 6 /* cpu, cpuacct, memory, pids, blkio of version 1; version 2 */
#define CGROUP_FILES  40
#define CGROUP_DISKS  32

struct cgroup_place {
	bool v2;
	int parent, dir; /* fds */
	int procs;	 /* cgroup.procs */
	int kill;	 /* cgroup.kill, or -1 */
	bool made;	 /* the directory is ours to remove */
	char path[PATH_MAX];
};

struct cgroup {
	char name[80];
	struct cgroup_place place[CGROUP_PLACES];
	unsigned int nplaces;
	int file[CGROUP_FILES]; /* see cgroup.c; -1: not there */
	char disk[CGROUP_DISKS][24];
	unsigned int ndisks;
	struct cgroup_limits limits; /* in force */
	unsigned int partial;	     /* bit per limit that holds in part only */
};

/* What it used; false: the host does not tell. */
struct cgroup_usage {
	bool has_cpu, has_memory, has_io, has_throttled, has_oom;
	uint64_t cpu_ns;
	uint64_t throttled_ns;
	uint64_t memory_peak;
	uint64_t io_read, io_written; /* bytes */
	uint64_t oom_kills;
};

/* The real one. */
extern const struct cgroup_host cgroup_host;

/*
 * Make the group `name` (a plain file name) with `limits`, and with what is
 * needed to read its usage and to change any limit later, where that is to be
 * had.  All of the limits are in force, or, for those that cannot be had and
 * with `best_effort` only, a bit of *ret_missing is set per enum cgroup_limit.
 * `note` is called with each directory's path before it is made; NULL: nobody
 * is told.
 *
 * 0; -EOPNOTSUPP: no group may be made, or not with these limits, *e says how
 * to get it; -errno.  On failure nothing is left.
 */
int cgroup_create(struct cgroup *cg, const struct cgroup_host *host, const char *name,
		  const struct cgroup_limits *limits, bool best_effort, unsigned int *ret_missing,
		  int (*note)(void *ctx, const char *path, struct err *e), void *ctx,
		  struct err *e);

/* In the process that enters: it and what it will start are in the group.
 * 0 or -errno. */
int cgroup_enter(const struct cgroup *cg);

/*
 * Change the limits that `set` has (a bit per enum cgroup_limit); 0 takes a
 * limit away.  All of them are changed, or none.  0, -EOPNOTSUPP (its
 * controller is not here), -errno.  System calls: write, lseek.
 */
int cgroup_change(struct cgroup *cg, unsigned int set, const struct cgroup_limits *limits,
		  struct err *e);

/* System calls: lseek, read. */
void cgroup_read_usage(const struct cgroup *cg, struct cgroup_usage *ret);

/* End every process in it where the kernel has a way to (cgroup.kill). */
void cgroup_kill(const struct cgroup *cg);

/* Remove the directories, for as long as their last process takes to be gone.
 * System calls: unlinkat, poll.  0 or -errno. */
int cgroup_remove(struct cgroup *cg);

/* Close what is open; *cg is empty then. */
void cgroup_close(struct cgroup *cg);

/* For messages: "--memory", "--cpu-weight". */
const char *cgroup_limit_name(enum cgroup_limit limit);

/* --- between cgroup.c and cgroup_find.c --- */

enum cgroup_controller {
	CGROUP_CTL_CPU,
	CGROUP_CTL_CPUACCT, /* of version 1; version 2 always counts */
	CGROUP_CTL_MEMORY,
	CGROUP_CTL_PIDS,
	CGROUP_CTL_IO,
	CGROUP_CONTROLLERS
};

/* Where a controller's groups can be made. */
struct cgroup_found {
	bool v2;
	char path[PATH_MAX];	  /* of the parent */
	unsigned int controllers; /* a bit per enum cgroup_controller */
};

/*
 * The parents for a new group, in `found` (CGROUP_PLACES).  Version 2 is asked
 * to hand the controllers `wanted` down; for those that are `required` the top
 * of its hierarchy will do.  The number of parents; 0: none, *e says why.
 */
unsigned int cgroup_find(const struct cgroup_host *host, unsigned int required, unsigned int wanted,
			 struct cgroup_found *found, struct err *e);

#endif
