/* disk.c - see disk.h. */
#include "vmm/jail/disk.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "vmm/base/util.h"
#include "vmm/jail/image_mount.h"

int disk_open(struct jail_disk *d, const char *path, bool read_only, struct err *e)
{
	*d = (struct jail_disk){ .image = -1, .tree = -1 };
	if (geteuid() != 0)
		return err_set(e, EPERM,
			       "--disk %s is not for --isolation process here: only root can mount "
			       "it; behind --isolation vm the guest's kernel does",
			       path);
	d->image = image_open(path, !read_only, e);
	if (d->image < 0)
		return d->image;
	d->tree = image_mount(d->image, path, read_only ? IMAGE_READ : IMAGE_WRITE_OR_NOT, e);
	return d->tree < 0 ? d->tree : 0;
}

/* A directory by an absolute path.  The links of /proc, which lead to whatever
 * a process has open, are not followed: this one still has more than the
 * command will.  The fd or -errno. */
static int open_dir(const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? neg_errno() : fd;
}

/* The same; what is missing is made.  `path` is absolute, without "." and "..". */
static int make_dirs(const char *path)
{
	_cleanup_close_ int dir = open_dir("/");
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, len + 1);
	for (char *name = part + 1; dir >= 0 && name <= part + len;) {
		char *end = name + strcspn(name, "/");
		int below;

		*end = '\0';
		below = open_dir(part);
		if (below == -ENOENT) {
			if (mkdirat(dir, name, 0755) < 0)
				return neg_errno();
			below = open_dir(part);
		}
		if (below < 0)
			return below;
		close(dir);
		dir = below;
		if (end < part + len)
			*end = '/';
		name = end + 1;
	}
	return take_fd(&dir);
}

int disk_attach(const struct jail_disk *d, const char *dir, struct err *e)
{
	_cleanup_close_ int at = make_dirs(dir);

	if (at < 0)
		return err_code(e, at, "make the directory %s for --disk", dir);
	if (move_mount(d->tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_errno(e, "mount --disk on %s", dir);
	return 0;
}

void disk_close(struct jail_disk *d)
{
	/* The lock last: until then something may be written back. */
	close_fd(&d->tree);
	close_fd(&d->image);
}
