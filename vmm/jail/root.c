/*
 * root.c - see root.h.
 *
 * No path below the new root is resolved before the process is inside of it:
 * what the image's symbolic links say then leads nowhere else.  The old root
 * stays mounted beneath until the end, because the kernel mounts proc and
 * sysfs only for who can see another of them in full.
 */
#include "vmm/jail/root.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/jail/image_mount.h"

/* Where the layers are put together; every host has it, and what is mounted
 * over it is seen by nobody else. */
#define STAGE "/tmp"

#define NO_SETTING (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static int mount_on(const char *type, const char *target, unsigned long flags, const char *options,
		    struct err *e)
{
	if (mount(type, target, type, flags, options) == 0)
		return 0;
	if (errno == EPERM && strcmp(type, "proc") == 0)
		return err_set(
			e, EPERM,
			"mount proc on %s: parts of this container's own are masked, and then "
			"the kernel gives no other one",
			target);
	return err_errno(e, "mount %s on %s", type, target);
}

static int make_dir(const char *path, struct err *e)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_errno(e, "make the directory %s", path);
	return 0;
}

/* A tmpfs on STAGE with the directories that an overlay needs. */
static int make_stage(struct err *e)
{
	static const char *const dirs[] = { STAGE "/lower", STAGE "/upper", STAGE "/work",
					    STAGE "/root" };
	int r = 0;

	/* Nothing that is mounted from here on is to reach the host. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_errno(e, "make the mounts private");
	r = mount_on("tmpfs", STAGE, MS_NOSUID | MS_NODEV, "mode=755", e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dirs); i++)
		r = make_dir(dirs[i], e);
	return r;
}

/* --- the overlay, by who may mount on the host --- */

static int set_option(int fs, const char *key, const char *value)
{
	return fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0);
}

static int overlay_tree(int lower, struct err *e)
{
	_cleanup_close_ int fs = -1;
	int tree;

	if (move_mount(lower, "", AT_FDCWD, STAGE "/lower", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno(e, "attach the root directory");
	fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0)
		return err_errno(e, "use overlayfs");
	if (set_option(fs, "lowerdir", STAGE "/lower") < 0 ||
	    set_option(fs, "upperdir", STAGE "/upper") < 0 ||
	    set_option(fs, "workdir", STAGE "/work") < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_errno(e, "make an overlay");
	tree = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
	return tree < 0 ? err_errno(e, "make an overlay") : tree;
}

/* What is below the overlay: the image, or the directory without what is mounted
 * below it.  The fd or -errno. */
static int lower_tree(const struct jail_root *r, struct err *e)
{
	int fd;

	if (r->image >= 0)
		return image_mount(r->image, r->path, IMAGE_READ, e);
	fd = open_tree(AT_FDCWD, r->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return fd < 0 ? err_errno(e, "open the directory %s as a root", r->path) : fd;
}

static int make_tree(struct jail_root *r, struct err *e)
{
	_cleanup_close_ int lower = -1;
	int ret;

	/* A root without that right is one like any other user. */
	if (unshare(CLONE_NEWNS) < 0)
		return errno == EPERM && r->image < 0 ? 0 : err_errno(e, "make a mount namespace");
	/* Before the stage covers it. */
	lower = lower_tree(r, e);
	if (lower < 0)
		return lower;
	ret = make_stage(e);
	if (ret == 0)
		ret = overlay_tree(lower, e);
	/* The overlay holds its layers by itself. */
	umount2(STAGE, MNT_DETACH);
	if (ret < 0)
		return ret;
	r->tree = ret;
	return 0;
}

static int open_image(struct jail_root *r, struct err *e)
{
	if (r->rw && geteuid() != 0)
		return err_set(e, EPERM,
			       "--rootfs %s,rw is not for --isolation process here: only root can "
			       "mount it; without rw it is unpacked, and behind --isolation vm the "
			       "guest's kernel mounts it",
			       r->path);
	r->image = image_open(r->path, r->rw, e);
	if (r->image < 0)
		return r->image;
	log_warn("--isolation process: the host's kernel reads the image %s, and is open to what a "
		 "stranger put in there",
		 r->path);
	if (!r->rw)
		return make_tree(r, e);
	r->tree = image_mount(r->image, r->path, IMAGE_WRITE, e);
	return MIN(r->tree, 0);
}

int root_open(struct jail_root *r, const char *path, bool rw, struct err *e)
{
	struct stat st;

	*r = (struct jail_root){
		.path = realpath(path, NULL), .rw = rw, .image = -1, .tree = -1, .sys = -1
	};
	if (!r->path || stat(r->path, &st) < 0)
		return err_errno(e, "open the root directory %s", path);
	if (!S_ISDIR(st.st_mode))
		return open_image(r, e);
	return geteuid() == 0 && !rw ? make_tree(r, e) : 0;
}

void root_close(struct jail_root *r)
{
	free(take_ptr(&r->path));
	/* The lock last: until then something may be written back. */
	close_fd(&r->tree);
	close_fd(&r->image);
}

/* --- in the process --- */

/* The overlay, by who is root in a user namespace only. */
static int mount_overlay(const struct jail_root *r, struct err *e)
{
	_cleanup_close_ int lower = open(r->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char options[160];
	int ret;

	if (lower < 0)
		return err_errno(e, "open the root directory %s", r->path);
	ret = make_stage(e);
	if (ret < 0)
		return ret;
	/* The fd's name has no comma and no colon in it, whatever the path has.
	 * userxattr: who is not the host's root may not write trusted.*. */
	snprintf(options, sizeof(options),
		 "lowerdir=/proc/self/fd/%d,upperdir=" STAGE "/upper,workdir=" STAGE
		 "/work,userxattr",
		 lower);
	if (mount("overlay", STAGE "/root", "overlay", MS_NOSUID | MS_NODEV, options) == 0)
		return 0;
	if (errno == EINVAL)
		return err_set(e, EINVAL,
			       "make an overlay of %s: other file systems are mounted below it, "
			       "which only root can leave out, or overlayfs here is not for users",
			       r->path);
	return err_errno(e, "make an overlay of %s", r->path);
}

static const char *const devices[] = {
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
};

/* The host's device files, as mounts that are nowhere yet.  Read-only, which
 * is about the file, not the device: root's id inside may be root's outside,
 * and chmod(2) would reach the host. */
static int open_devices(int *ret_trees, struct err *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					       MOUNT_ATTR_NOEXEC };

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		ret_trees[i] = open_tree(AT_FDCWD, devices[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		if (ret_trees[i] < 0 ||
		    mount_setattr(ret_trees[i], "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
			return err_errno(e, "open %s", devices[i]);
	}
	return 0;
}

/* The directory itself.  What is mounted below it comes along where this process
 * may not leave it out: in a mount namespace that is a copy of another user's
 * it is locked. */
static int own_tree(const struct jail_root *r, struct err *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID };
	_cleanup_close_ int tree =
		open_tree(AT_FDCWD, r->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (tree < 0 ||
	    mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return err_errno(e, "open the directory %s as a root", r->path);
	return take_fd(&tree);
}

static int attach(int tree, struct err *e)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_errno(e, "make the mounts private");
	if (move_mount(tree, "", AT_FDCWD, STAGE, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno(e, "attach the root");
	return 0;
}

/* Make the new root "/"; the old one is below it until leave_old_root(). */
static int pivot(const struct jail_root *r, int *ret_old, struct err *e)
{
	bool directory = r->rw && r->tree < 0, overlay = !r->rw && r->tree < 0;
	_cleanup_close_ int new = -1, own = directory ? own_tree(r, e) : -1;
	int ret;

	if (directory && own < 0)
		return own;
	ret = overlay ? mount_overlay(r, e) : attach(directory ? own : r->tree, e);
	if (ret < 0)
		return ret;
	new = open(overlay ? STAGE "/root" : STAGE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*ret_old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (new < 0 || *ret_old < 0 || fchdir(new) < 0)
		return err_errno(e, "enter the new root");
	/* Both here: the old root is stacked on the new one, pivot_root(2). */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_errno(e, "make the new root the root");
	return chdir("/") < 0 ? err_errno(e, "enter the new root") : 0;
}

static int leave_old_root(int old, struct err *e)
{
	if (fchdir(old) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_errno(e, "leave the old root");
	return 0;
}

static const struct {
	const char *type, *target, *options;
	unsigned long flags;
	bool optional; /* what not every kernel has */
} mounts[] = {
	{ "proc", "/proc", NULL, NO_SETTING, false },
	{ "sysfs", "/sys", NULL, NO_SETTING | MS_RDONLY, false },
	{ "tmpfs", "/dev", "mode=755,size=64k", MS_NOSUID | MS_NOEXEC, false },
	{ "tmpfs", "/dev/shm", "mode=1777", MS_NOSUID | MS_NODEV, false },
	{ "mqueue", "/dev/mqueue", NULL, NO_SETTING, true },
	{ "tmpfs", "/run", "mode=755", MS_NOSUID | MS_NODEV, false },
	{ "tmpfs", "/tmp", "mode=1777", MS_NOSUID | MS_NODEV, false },
};

/* A sysfs that the caller has made instead of ours. */
static int attach_sys(int sys, const char *target, struct err *e)
{
	if (move_mount(sys, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno(e, "attach sysfs on %s", target);
	return 0;
}

static int mount_system(const struct jail_root *root, bool ranges, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(mounts); i++) {
		r = make_dir(mounts[i].target, e);
		if (r == 0 && root->sys >= 0 && strcmp(mounts[i].type, "sysfs") == 0)
			r = attach_sys(root->sys, mounts[i].target, e);
		else if (r == 0)
			r = mount_on(mounts[i].type, mounts[i].target, mounts[i].flags,
				     mounts[i].options, e);
		if (r == -ENODEV && mounts[i].optional)
			r = 0;
	}
	if (r == 0)
		r = make_dir("/dev/pts", e);
	/* Group 5 is tty by convention: write(1) and wall(1) expect it. */
	if (r == 0)
		r = mount_on("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC,
			     ranges ? "newinstance,ptmxmode=666,mode=620,gid=5"
				    : "newinstance,ptmxmode=666,mode=620",
			     e);
	return r;
}

static int fill_dev(const int *trees, struct err *e)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "/dev/fd" },	      { "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" }, { "/proc/self/fd/2", "/dev/stderr" },
		{ "pts/ptmx", "/dev/ptmx" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		int fd = open(devices[i], O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);

		if (fd < 0)
			return err_errno(e, "make %s", devices[i]);
		close(fd);
		if (move_mount(trees[i], "", AT_FDCWD, devices[i], MOVE_MOUNT_F_EMPTY_PATH) < 0)
			return err_errno(e, "mount %s", devices[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlink(links[i][0], links[i][1]) < 0)
			return err_errno(e, "make %s", links[i][1]);
	return 0;
}

/* config-linux.md of the OCI runtime spec, its example's lists, and what
 * container engines have added: the host's hardware and secrets. */
static const char *const masked[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
};
static const char *const read_only[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static int mask_system(struct err *e)
{
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(masked); i++) {
		const char *path = masked[i];
		int r;

		if (stat(path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			r = mount("tmpfs", path, "tmpfs", NO_SETTING | MS_RDONLY, "size=4k");
		else
			r = mount("/dev/null", path, NULL, MS_BIND, NULL);
		if (r < 0)
			return err_errno(e, "mask %s", path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(read_only); i++) {
		const char *path = read_only[i];

		if (stat(path, &st) < 0)
			continue;
		if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0 ||
		    mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | NO_SETTING, NULL) <
			    0)
			return err_errno(e, "make %s read-only", path);
	}
	return 0;
}

int root_enter(const struct jail_root *r, bool ranges, struct err *e)
{
	int trees[ARRAY_SIZE(devices)];
	int old = -1, ret;

	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		trees[i] = -1;
	umask(0);
	ret = open_devices(trees, e);
	if (ret == 0)
		ret = pivot(r, &old, e);
	if (ret == 0)
		ret = mount_system(r, ranges, e);
	if (ret == 0)
		ret = fill_dev(trees, e);
	if (ret == 0)
		ret = mask_system(e);
	if (ret == 0)
		ret = leave_old_root(old, e);
	umask(022);
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		close_fd(&trees[i]);
	close_fd(&old);
	return ret;
}
