/*
 * groups.c - see groups.h; Documentation/admin-guide/cgroup-v2.rst
 *
 * The bound counts what the process wall's does: init and everything that it
 * starts.  As in a container, /sys/fs/cgroup shows the own group as the root.
 * "nsdelegate" is the kernel's way to say that a namespace's root is bounded
 * by who made it: a write to its pids.max from inside fails with EPERM.  It
 * can be set from the first namespace only, so it is set before leaving that.
 *
 * This keeps a command in bounds that does not mean to leave them.  The
 * guest's root has every right in there and could find a way out; what bounds
 * that one is the machine, whose memory its processes are in.
 */
#include "groups.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../guest_abi.h"
#include "report.h"

#define GROUPS	      "/sys/fs/cgroup"
#define COMMAND_GROUP GROUPS "/bulkhead"

/* Of the command's group, from before its namespace: what counts is who opened it. */
static int bound_fd = -1;

static void mount_groups(const char *options)
{
	if (mount("cgroup2", GROUPS, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
		fail("cannot mount cgroup2 on " GROUPS ": %s", strerror(errno));
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail("cannot write %s to %s: %s", text, path, strerror(errno));
	close(fd);
}

/* The kernel may be the user's own. */
static bool kernel_counts(void)
{
	char names[256], *rest = names, *name;
	int fd = open(GROUPS "/cgroup.controllers", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, names, sizeof(names) - 1);

	if (n < 0)
		fail("cannot read " GROUPS "/cgroup.controllers: %s", strerror(errno));
	close(fd);
	names[n] = '\0';
	while ((name = strsep(&rest, " \n")))
		if (strcmp(name, "pids") == 0)
			return true;
	return false;
}

/* Open files of it stay good. */
static void unmount_groups(void)
{
	if (umount2(GROUPS, UMOUNT_NOFOLLOW | MNT_DETACH) < 0)
		fail("cannot unmount " GROUPS ": %s", strerror(errno));
}

void groups_bound_processes(uint32_t most)
{
	char text[16] = "max";

	if (most)
		snprintf(text, sizeof(text), "%u", (unsigned int)most);
	if (bound_fd < 0 || write(bound_fd, text, strlen(text)) < 0) {
		note("cannot bound the processes: %s",
		     bound_fd < 0 ? "there is no group" : strerror(errno));
		report_phase(BH_PHASE_UNBOUNDED);
	}
}

static void bound_processes(uint32_t most, bool best_effort)
{
	char text[16];

	mount_groups("nsdelegate");
	if (!kernel_counts()) {
		if (!best_effort)
			fail("--pids: this guest's kernel counts no processes in control groups "
			     "(CONFIG_CGROUP_PIDS, which the kernel that Bulkhead builds has): "
			     "use another, or --best-effort");
		unmount_groups();
		report_phase(BH_PHASE_UNBOUNDED);
		return;
	}
	put(GROUPS "/cgroup.subtree_control", "+pids");
	if (mkdir(COMMAND_GROUP, 0755) < 0)
		fail("cannot make the control group " COMMAND_GROUP ": %s", strerror(errno));
	bound_fd = open(COMMAND_GROUP "/pids.max", O_WRONLY | O_CLOEXEC);
	if (bound_fd < 0)
		fail("cannot open " COMMAND_GROUP "/pids.max: %s", strerror(errno));
	snprintf(text, sizeof(text), "%u", (unsigned int)most);
	put(COMMAND_GROUP "/pids.max", text);
	put(COMMAND_GROUP "/cgroup.procs", "0");
	if (unshare(CLONE_NEWCGROUP) < 0)
		fail("cannot make a cgroup namespace: %s", strerror(errno));
	unmount_groups();
}

void groups_set_up(const struct params *p)
{
	if (p->pids)
		bound_processes(p->pids, p->pids_best_effort);
	/* The image's own init mounts what it wants. */
	if (!p->image_init)
		mount_groups(NULL);
}
