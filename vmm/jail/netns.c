/* netns.c - see netns.h; network_namespaces(7). */
#include "vmm/jail/netns.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

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

/* --- by number --- */

int netns_id(uint64_t *ret, struct err *e)
{
	struct stat st;

	if (stat("/proc/self/ns/net", &st) < 0)
		return err_errno(e, "find out which network namespace this is");
	*ret = st.st_ino;
	return 0;
}

int netns_join(pid_t pid, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	uint64_t own;
	char path[64];
	int r = netns_id(&own, e), home;

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	fd = netns_open(path, e);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && st.st_ino == own)
		return 0;
	home = netns_enter(fd, path, e);
	if (home < 0)
		return home;
	close(home);
	return 0;
}

/* The fd if that is it, or -1. */
static int open_if(const char *path, uint64_t id)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_ino != id ||
	    ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return -1;
	return take_fd(&fd);
}

/* proc_pid_mountinfo(5): blanks and backslashes of a path are octal there. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		unsigned int c;
		int n = 0;

		if (sscanf(from, "\\%3o%n", &c, &n) == 1 && n == 4) {
			*to = (char)c;
			from += n;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static int find_mounted(uint64_t id)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	char root[64], *path;
	size_t size = 0;
	int fd = -1;

	snprintf(root, sizeof(root), " net:[%llu] ", (unsigned long long)id);
	while (f && fd < 0 && getline(&line, &size, f) > 0) {
		path = strstr(line, root);
		if (!path)
			continue;
		path += strlen(root);
		path[strcspn(path, " ")] = '\0';
		unescape(path);
		fd = open_if(path, id);
	}
	if (f)
		fclose(f);
	return fd;
}

static int find_of_a_process(uint64_t id)
{
	DIR *list = opendir("/proc");
	char path[300];
	struct dirent *d;
	int fd = -1;

	while (list && fd < 0 && (d = readdir(list))) {
		if (d->d_name[0] < '1' || d->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", d->d_name);
		fd = open_if(path, id);
	}
	if (list)
		closedir(list);
	return fd;
}

int netns_find(uint64_t id)
{
	int fd = find_mounted(id);

	if (fd < 0)
		fd = find_of_a_process(id);
	return fd < 0 ? -ENOENT : fd;
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
