/* namespaces.c - new namespaces, mounts, roots; all in namespaces of the
 * attempt's own, which end with it. */
#include "vmm/compare/attempts/attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A mount namespace that nothing leaves. */
static int own_mounts(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	return 0;
}

int attempt_user_namespace(const struct canaries *c)
{
	(void)c;
	return unshare(CLONE_NEWUSER) < 0 ? -errno : 0;
}

int attempt_mount(const struct canaries *c)
{
	int r = own_mounts();

	(void)c;
	if (r == 0 && mount("bulkhead-attempt", "/proc", "tmpfs", 0, "size=4k") < 0)
		r = -errno;
	return r;
}

/* pivot_root(2): may_mount() first, then user_path_at(), ENOENT. */
int attempt_pivot_root(const struct canaries *c)
{
	(void)c;
	return attempt_refused(syscall(SYS_pivot_root, "/nonexistent/bulkhead", "/"), ENOENT);
}

/* Is the memory controller on a hierarchy of version 1?  Mounting one that is not
 * there would take it away from version 2. */
static bool memory_is_v1(void)
{
	FILE *f = fopen("/proc/cgroups", "re");
	unsigned int hierarchy = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "memory %u", &hierarchy) == 1)
			break;
	if (f)
		fclose(f);
	return hierarchy != 0;
}

/* A hierarchy of version 1 that is there, or the memory controller's mounted
 * once more; the file is opened and not written. */
int attempt_release_agent(const struct canaries *c)
{
	char below[] = "/tmp/bulkhead-attempt.XXXXXX";
	int r;

	(void)c;
	if (attempt_open("/sys/fs/cgroup/memory/release_agent", O_WRONLY) == 0)
		return 0;
	if (!memory_is_v1())
		return -ENODEV;
	r = own_mounts();
	if (r < 0)
		return r;
	if (mount("bulkhead-attempt", "/tmp", "tmpfs", 0, "size=64k") < 0 || !mkdtemp(below) ||
	    mount("bulkhead-attempt", below, "cgroup", 0, "memory") < 0)
		return -errno;
	r = chdir(below) < 0 ? -errno : attempt_open("release_agent", O_WRONLY);
	if (chdir("/") == 0)
		umount2(below, MNT_DETACH);
	return r;
}
