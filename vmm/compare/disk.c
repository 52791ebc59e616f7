/*
 * disk.c - see disk.h.
 *
 * The same page caches are in the way behind every wall, or none are.  Where the
 * file takes O_DIRECT the workload uses that, and the image of `vm` is opened
 * with direct=on.  Elsewhere the host's cache is what all of them use; the
 * guest's own is passed by in any case.
 */
#include "vmm/compare/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/compare/place.h"
#include "vmm/compare/disk_file.h"

static const struct {
	long magic;
	const char *name;
} systems[] = {
	{ EXT4_SUPER_MAGIC, "ext4" },	{ XFS_SUPER_MAGIC, "xfs" },
	{ BTRFS_SUPER_MAGIC, "btrfs" }, { F2FS_SUPER_MAGIC, "f2fs" },
	{ TMPFS_MAGIC, "tmpfs" },	{ OVERLAYFS_SUPER_MAGIC, "overlay" },
	{ NFS_SUPER_MAGIC, "nfs" },	{ V9FS_MAGIC, "9p" },
	{ FUSE_SUPER_MAGIC, "fuse" },
};

/* tmpfs takes O_DIRECT since Linux 6.6, and is a page cache all the same. */
static int is_direct(const char *path, const struct statfs *st, bool *ret, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0 && errno != EINVAL)
		return err_errno(e, "open %s", path);
	*ret = fd >= 0 && st->f_type != TMPFS_MAGIC;
	return 0;
}

/* Of a partition its disk, whose rate it is that can be limited. */
static void find_disk(dev_t dev, struct wall_disk *ret)
{
	char path[64];
	FILE *f;

	ret->major = major(dev);
	ret->minor = minor(dev);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", ret->major, ret->minor);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", ret->major, ret->minor,
		 access(path, F_OK) == 0 ? "../dev" : "dev");
	f = fopen(path, "re");
	if (!f || fscanf(f, "%u:%u", &ret->major, &ret->minor) != 2)
		ret->major = ret->minor = 0;
	if (f)
		fclose(f);
}

static void describe(const struct statfs *st, bool direct, char label[COMPARE_NAME])
{
	const char *name = "a file system";

	for (size_t i = 0; i < ARRAY_SIZE(systems); i++)
		if ((long)st->f_type == systems[i].magic)
			name = systems[i].name;
	snprintf(label, COMPARE_NAME, "%s, %s page cache", name,
		 direct ? "past its" : "through the host's");
}

/* Every block is written once, for files with holes are faster to read and
 * slower to write. */
static int fill(int fd, const char *path, struct err *e)
{
	const size_t size = MIB;
	_cleanup_free_ char *block = malloc(size);

	if (!block)
		return err_set(e, ENOMEM, "no memory");
	memset(block, 'b', size);
	memcpy(block, DISK_FILE_MAGIC, sizeof(DISK_FILE_MAGIC) - 1);
	for (size_t done = 0; done < DISK_FILE_SIZE; done += size) {
		if (write_all(fd, block, size) < 0)
			return err_errno(e, "write %s", path);
		memset(block, 'b', sizeof(DISK_FILE_MAGIC));
	}
	return fsync(fd) < 0 ? err_errno(e, "write %s", path) : 0;
}

int disk_make(const struct wall_setup *setup, struct wall_disk *ret, char label[COMPARE_NAME],
	      struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct statfs st;
	struct stat file;
	int r;

	if (snprintf(ret->root, PATH_MAX, "%s/disk", setup->scratch) >= PATH_MAX ||
	    snprintf(ret->file, PATH_MAX, "%s/disk" WALL_DISK_PATH, setup->scratch) >= PATH_MAX)
		return err_set(e, ENAMETOOLONG, "%s", setup->scratch);
	ret->prefix = "";
	memcpy(ret->vm_root, setup->root, sizeof(ret->vm_root));
	snprintf(ret->writable_root, sizeof(ret->writable_root), "%s,rw", ret->root);
	r = place_make_root(setup->program, ret->root, e);
	if (r < 0)
		return r;
	fd = open(ret->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, "make %s", ret->file);
	r = fill(fd, ret->file, e);
	if (r < 0) { /* what is full is full for the others too */
		unlink(ret->file);
		return r;
	}
	if (fstatfs(fd, &st) < 0 || fstat(fd, &file) < 0)
		return err_errno(e, "%s", ret->file);
	find_disk(file.st_dev, ret);
	r = is_direct(ret->file, &st, &ret->direct, e);
	if (r < 0)
		return r;
	snprintf(ret->image, sizeof(ret->image), "%s%s", ret->file,
		 ret->direct ? ",direct=on" : "");
	describe(&st, ret->direct, label);
	return 0;
}
