/*
 * mounts.c - see mounts.h
 *
 * The initramfs cannot be unmounted or pivoted away (it is the kernel's own
 * rootfs), so the final root is moved over it and entered by chroot; its
 * files are deleted before, to give back their memory.
 */
#include "mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "report.h"

#define ROOT_DISK    "/dev/vda"
#define DISK_WAIT_MS 2000
#define NEW_ROOT     "/newroot"
#define LOWER	     "/lower"
#define SCRATCH	     "/scratch"

static void make_dir(const char *path)
{
	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		return;
	if (errno == EROFS)
		fail("the root file system has no directory %s and is read-only; "
		     "add it to the image or use an overlay",
		     path[0] == '/' && strncmp(path, NEW_ROOT "/", 9) == 0 ? path + 8 : path);
	fail("cannot make directory %s: %s", path, strerror(errno));
}

int mounts_make_path(const char *path)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(part, path, len + 1);
	for (char *s = part + 1; s <= part + len; s++) {
		if (*s != '/' && *s != '\0')
			continue;
		*s = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -1;
		if (s < part + len)
			*s = '/';
	}
	return 0;
}

static void mount_on(const char *source, const char *target, const char *type, unsigned long flags,
		     const char *options)
{
	if (mount(source, target, type, flags, options) < 0)
		fail("cannot mount %s on %s (%s): %s", source, target, type, strerror(errno));
}

void mounts_devices(void)
{
	make_dir("/dev");
	mount_on("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755");
}

/* The driver has usually found the disk before init starts. */
static void wait_for_disk(const char *disk)
{
	const struct timespec step = { .tv_nsec = 5 * 1000 * 1000 };

	for (int waited = 0; access(disk, F_OK) < 0; waited += 5) {
		if (waited >= DISK_WAIT_MS)
			fail("there is no disk %s after %d ms", disk, waited);
		nanosleep(&step, NULL);
	}
}

static const struct {
	const char *name;
	bool writable;
} types[] = { { "erofs", false }, { "ext4", true }, { "squashfs", false } };

/*
 * Tries each type, with `writable` only those that can be written to; without
 * it the others are mounted read-only.  EINVAL means "not of this type" (and ENODEV a kernel
 * without it); any other error is the one worth telling.  False: it is of none.
 */
static bool mount_disk(const char *disk, const char *target, bool writable, unsigned long flags)
{
	const char *failed_type = NULL;
	int error = 0;

	wait_for_disk(disk);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const unsigned long as = types[i].writable ? flags : flags | MS_RDONLY;

		if (writable && !types[i].writable)
			continue;
		if (mount(disk, target, types[i].name, as | MS_SILENT, NULL) == 0) {
			note("%s on %s is %s, %s", disk, target, types[i].name,
			     as & MS_RDONLY ? "read-only" : "writable");
			return true;
		}
		if (errno == EINVAL || errno == ENODEV || error != 0)
			continue;
		error = errno;
		failed_type = types[i].name;
	}
	if (failed_type)
		fail("cannot mount %s as %s: %s%s", disk, failed_type, strerror(error),
		     error == EACCES || error == EROFS ? " (the disk is read-only)" : "");
	return false;
}

static void mount_root_read_only(const char *target)
{
	if (!mount_disk(ROOT_DISK, target, false, MS_RDONLY))
		fail("the root disk holds no erofs, ext4 or squashfs file system");
}

static void mount_root_writable(const char *target)
{
	if (!mount_disk(ROOT_DISK, target, true, 0))
		fail("the root disk holds no ext4 file system (others cannot be written to)");
}

/*
 * The overlay keeps both layers mounted by itself; detaching them leaves no
 * second way to the same files.
 */
static void mount_overlay(void)
{
	make_dir(LOWER);
	make_dir(SCRATCH);
	mount_root_read_only(LOWER);
	mount_on("tmpfs", SCRATCH, "tmpfs", 0, "mode=755");
	make_dir(SCRATCH "/upper");
	make_dir(SCRATCH "/work");
	mount_on("overlay", NEW_ROOT, "overlay", 0,
		 "lowerdir=" LOWER ",upperdir=" SCRATCH "/upper,workdir=" SCRATCH "/work");
	umount2(LOWER, MNT_DETACH);
	umount2(SCRATCH, MNT_DETACH);
}

/* Deletes what is on device `dev` below the directory; takes over `fd`. */
static void remove_below(int fd, dev_t dev)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	struct stat st;

	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;
		int child;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != dev)
			continue;
		if (!S_ISDIR(st.st_mode)) {
			unlinkat(fd, name, 0);
			continue;
		}
		child = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0)
			remove_below(child, dev);
		unlinkat(fd, name, AT_REMOVEDIR);
	}
	closedir(dir);
}

static void empty_initramfs(void)
{
	struct stat st;
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (fstat(fd, &st) < 0) {
		close(fd);
		return;
	}
	remove_below(fd, st.st_dev);
}

static void enter_new_root(void)
{
	make_dir(NEW_ROOT "/dev");
	if (mount("/dev", NEW_ROOT "/dev", NULL, MS_MOVE, NULL) < 0)
		fail("cannot move /dev into the root: %s", strerror(errno));
	empty_initramfs();
	if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		fail("cannot enter the root file system: %s", strerror(errno));
}

void mounts_root(const struct params *p)
{
	if (p->root == PARAMS_ROOT_NONE)
		return;
	make_dir(NEW_ROOT);
	if (p->root == PARAMS_ROOT_OVERLAY)
		mount_overlay();
	else if (p->root == PARAMS_ROOT_RW)
		mount_root_writable(NEW_ROOT);
	else
		mount_root_read_only(NEW_ROOT);
	enter_new_root();
}

#define FOR_IMAGE_INIT 1u /* also when the image's own init runs */
#define IN_MEMORY_ONLY 2u /* only where the root is ours to cover */

static const struct {
	const char *target, *type, *options;
	unsigned long flags;
	unsigned int when;
} system_mounts[] = {
	{ "/proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, FOR_IMAGE_INIT },
	{ "/sys", "sysfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, FOR_IMAGE_INIT },
	{ "/run", "tmpfs", "mode=755", MS_NOSUID | MS_NODEV, FOR_IMAGE_INIT },
	/* Group 5 is tty by convention: write(1) and wall(1) expect it. */
	{ "/dev/pts", "devpts", "gid=5,mode=620,ptmxmode=666", MS_NOSUID | MS_NOEXEC, 0 },
	{ "/dev/shm", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV, 0 },
	{ "/tmp", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV, IN_MEMORY_ONLY },
};

void mounts_disks(const struct params *p)
{
	char disk[16];

	for (size_t i = 0; i < p->disk_count; i++) {
		const struct params_disk *d = &p->disk[i];

		if (mounts_make_path(d->dir) < 0)
			fail("cannot make the directory %s for --disk: %s", d->dir,
			     strerror(errno));
		snprintf(disk, sizeof(disk), "/dev/%s", d->name);
		if (!mount_disk(disk, d->dir, false,
				MS_NODEV | MS_NOSUID | (d->read_only ? MS_RDONLY : 0)))
			fail("the disk for %s holds no erofs, ext4 or squashfs file system",
			     d->dir);
	}
}

/* What udev would make; shells need /dev/fd. */
static void link_devices(void)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "/dev/fd" },
		{ "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" },
		{ "/proc/self/fd/2", "/dev/stderr" },
	};

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
			note("cannot make %s: %s", links[i][1], strerror(errno));
	}
}

void mounts_system(const struct params *p)
{
	bool in_memory = p->root == PARAMS_ROOT_OVERLAY || p->root == PARAMS_ROOT_NONE;

	for (size_t i = 0; i < sizeof(system_mounts) / sizeof(system_mounts[0]); i++) {
		const char *type = system_mounts[i].type;

		if (p->image_init && !(system_mounts[i].when & FOR_IMAGE_INIT))
			continue;
		if (!in_memory && (system_mounts[i].when & IN_MEMORY_ONLY))
			continue;
		make_dir(system_mounts[i].target);
		mount_on(type, system_mounts[i].target, type, system_mounts[i].flags,
			 system_mounts[i].options);
	}
	if (!p->image_init)
		link_devices();
}

/* /proc/self/mounts writes space, tab, newline, backslash as \ooo. */
static void unescape(char *s)
{
	char *out = s;

	while (*s) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

static bool unmount(const char *target)
{
	return strcmp(target, "/") != 0 && umount2(target, UMOUNT_NOFOLLOW) == 0;
}

static bool make_read_only(const char *target)
{
	if (mount(NULL, target, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0)
		return true;
	note("%s stays writable: %s", target, strerror(errno));
	return false;
}

/* Calls `act` for every mounted disk; returns how often it had success. */
static size_t for_each_disk(bool (*act)(const char *target))
{
	char line[2 * PATH_MAX];
	FILE *f = fopen("/proc/self/mounts", "re");
	size_t done = 0;

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		char *target = strchr(line, ' ');
		char *end = target ? strchr(target + 1, ' ') : NULL;

		if (!end || strncmp(line, "/dev/", 5) != 0)
			continue;
		*end = '\0';
		unescape(++target);
		done += act(target);
	}
	fclose(f);
	return done;
}

/*
 * The command's processes are gone, so nothing should keep a disk busy.  A
 * disk mounted below another one is freed in an earlier round than that.
 * What still is busy stays consistent through sync() and its journal.
 */
void mounts_finish(void)
{
	sync();
	while (for_each_disk(unmount) > 0)
		;
	for_each_disk(make_read_only);
	sync();
}
