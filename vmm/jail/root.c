/*
 * root.c - see root.h.
 *
 * No path below the new root is resolved before the process is inside of it and
 * the old root is gone.  While that is stacked on the new one, "/.." is the host's:
 * a symbolic link of the image would lead there.
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
#include "vmm/jail/system_mounts.h"

/* Where the layers are put together; every host has it, and what is mounted
 * over it is seen by nobody else. */
#define STAGE "/tmp"

static int mount_on(const char *type, const char *target, unsigned long flags, const char *options,
		    struct err *e)
{
	if (mount(type, target, type, flags, options) == 0)
		return 0;
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

	/* Nothing that is mounted from here on is to reach the host; what the host
	 * unmounts is to go here too, or its disk stays busy. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_errno(e, "make the mounts ours");
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
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_errno(e, "make the mounts ours");
	if (move_mount(tree, "", AT_FDCWD, STAGE, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno(e, "attach the root");
	return 0;
}

/* Make the new root "/"; the old one is on top of it until leave_old_root(). */
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

/* Nothing of the host's is above the root, where ".." of some link would lead. */
static int check_alone(struct err *e)
{
	struct statx root, above;

	if (statx(AT_FDCWD, "/", 0, STATX_MNT_ID, &root) < 0 ||
	    statx(AT_FDCWD, "/..", 0, STATX_MNT_ID, &above) < 0)
		return err_errno(e, "look at the new root");
	if (root.stx_mnt_id != above.stx_mnt_id)
		return err_set(e, EBUSY, "the old root is mounted over the new one still");
	return 0;
}

int root_enter(const struct jail_root *r, bool ranges, struct err *e)
{
	struct system_mounts system;
	int old = -1, ret;

	umask(0);
	ret = system_mounts_make(&system, r->sys, ranges, e);
	if (ret == 0)
		ret = pivot(r, &old, e);
	if (ret == 0)
		ret = leave_old_root(old, e);
	close_fd(&old);
	if (ret == 0)
		ret = system_mounts_attach(&system, !r->rw, e);
	if (ret == 0)
		ret = check_alone(e);
	umask(022);
	system_mounts_close(&system);
	return ret;
}
