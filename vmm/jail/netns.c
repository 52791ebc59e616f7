/* netns.c - see netns.h; network_namespaces(7). */
#include "vmm/jail/netns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "vmm/base/util.h"

#define NAMED "/run/netns/" /* where ip-netns(8) keeps them */

int netns_open(const char *where, struct err *e)
{
	_cleanup_free_ char *path = malloc(sizeof(NAMED) + strlen(where));
	_cleanup_close_ int fd = -1;

	if (!path)
		return err_set(e, ENOMEM, "no memory");
	sprintf(path, "%s%s", strchr(where, '/') ? "" : NAMED, where);
	/* O_NONBLOCK: a FIFO in its place is refused instead of waited for. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT && !strchr(where, '/'))
		return err_set(e, ENOENT,
			       "there is no network namespace %s ('ip netns' lists them; make it "
			       "with 'ip netns add %s')",
			       where, where);
	if (fd < 0)
		return err_errno(e, "open the network namespace %s", path);
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return err_set(e, EINVAL, "%s is no network namespace", path);
	return take_fd(&fd);
}

int netns_enter(int fd, const char *where, struct err *e)
{
	_cleanup_close_ int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (home < 0)
		return err_errno(e, "open the own network namespace");
	if (setns(fd, CLONE_NEWNET) < 0)
		return err_errno(e, "enter the network namespace %s%s", where,
				 errno == EPERM ? ", which takes root" : "");
	return take_fd(&home);
}

int netns_leave(int home, struct err *e)
{
	int r = 0;

	if (setns(home, CLONE_NEWNET) < 0)
		r = err_errno(e, "come back from a network namespace");
	close(home);
	return r;
}

int netns_sysfs(struct err *e)
{
	_cleanup_close_ int fs = fsopen("sysfs", FSOPEN_CLOEXEC);
	int mount = -1;

	if (fs >= 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mount = fsmount(fs, FSMOUNT_CLOEXEC,
				MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
					MOUNT_ATTR_NOEXEC);
	return mount < 0 ? err_errno(e, "mount a sysfs of the network namespace") : mount;
}
