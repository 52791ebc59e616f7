/* system_mounts.c - see system_mounts.h; mount_setattr(2), move_mount(2), openat2(2). */
#include "vmm/jail/system_mounts.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/util.h"

#define PLAIN (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define DATA  (PLAIN | MOUNT_ATTR_NOEXEC)

static const struct kind {
	const char *type, *options;
	unsigned int attributes;
	int in; /* one of the mounts, -1: the root */
	const char *name;
	bool optional; /* what not every kernel has */
} kinds[SYSTEM_MOUNTS] = {
	[SYSTEM_PROC] = { "proc", "", DATA, -1, "proc", false },
	[SYSTEM_SYS] = { "sysfs", "", DATA | MOUNT_ATTR_RDONLY, -1, "sys", false },
	[SYSTEM_DEV] = { "tmpfs", "mode=755,size=64k", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, -1,
			 "dev", false },
	[SYSTEM_SHM] = { "tmpfs", "mode=1777", PLAIN, SYSTEM_DEV, "shm", false },
	[SYSTEM_MQUEUE] = { "mqueue", "", DATA, SYSTEM_DEV, "mqueue", true },
	[SYSTEM_PTS] = { "devpts", "newinstance,ptmxmode=666,mode=620",
			 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, SYSTEM_DEV, "pts", false },
	[SYSTEM_RUN] = { "tmpfs", "mode=755", PLAIN, -1, "run", false },
	[SYSTEM_TMP] = { "tmpfs", "mode=1777", PLAIN, -1, "tmp", false },
};

/* Group 5 is tty by convention: write(1) and wall(1) expect it. */
static const char pts_with_groups[] = "newinstance,ptmxmode=666,mode=620,gid=5";

static const struct kind mask = { "tmpfs", "size=4k", DATA | MOUNT_ATTR_RDONLY, -1, "", false };

static const char *const devices[SYSTEM_DEVICES] = {
	"null", "zero", "full", "random", "urandom", "tty",
};

/* --- before the root is entered --- */

static int set_options(int fs, const char *options)
{
	char text[64], *rest = text, *option;

	snprintf(text, sizeof(text), "%s", options);
	while ((option = strsep(&rest, ",")) && *option) {
		char *value = strchr(option, '=');

		if (value)
			*value++ = '\0';
		if (fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, option, value,
			     0) < 0)
			return neg_errno();
	}
	return 0;
}

/* The mount's fd, attached nowhere, or -errno. */
static int new_mount(const struct kind *k, const char *options)
{
	_cleanup_close_ int fs = fsopen(k->type, FSOPEN_CLOEXEC);
	int r = fs < 0 ? neg_errno() : set_options(fs, options);

	if (r == 0 && fsconfig(fs, FSCONFIG_SET_STRING, "source", k->type, 0) < 0)
		r = neg_errno();
	if (r == 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		r = neg_errno();
	if (r == 0)
		r = fsmount(fs, FSMOUNT_CLOEXEC, k->attributes);
	return r == -1 ? neg_errno() : r;
}

static int make_one(struct system_mounts *m, int i, bool ranges, struct err *e)
{
	const struct kind *k = &kinds[i];
	int r = new_mount(k, i == SYSTEM_PTS && ranges ? pts_with_groups : k->options);

	if (r == -ENODEV && k->optional)
		return 0;
	if (r == -EPERM && i == SYSTEM_PROC)
		return err_set(
			e, EPERM,
			"mount proc: parts of this container's own are masked, and then the kernel "
			"gives no other one");
	if (r < 0)
		return err_code(e, r, "mount %s for /%s%s", k->type, k->in < 0 ? "" : "dev/",
				k->name);
	m->mount[i] = r;
	return 0;
}

/* Read-only, which is about the file, not the device: root's id inside may be
 * root's outside, and chmod(2) would reach the host. */
static int take_device(const char *name, int *ret, struct err *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					       MOUNT_ATTR_NOEXEC };
	char path[32];

	snprintf(path, sizeof(path), "/dev/%s", name);
	*ret = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (*ret < 0 || mount_setattr(*ret, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_errno(e, "open %s", path);
	return 0;
}

int system_mounts_make(struct system_mounts *m, int sys, bool ranges, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(m->mount); i++)
		m->mount[i] = -1;
	for (size_t i = 0; i < ARRAY_SIZE(m->device); i++)
		m->device[i] = -1;
	if (sys >= 0) {
		m->mount[SYSTEM_SYS] = fcntl(sys, F_DUPFD_CLOEXEC, 3);
		if (m->mount[SYSTEM_SYS] < 0)
			return err_errno(e, "take the sysfs");
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(m->device); i++)
		r = take_device(devices[i], &m->device[i], e);
	for (int i = 0; r == 0 && i < SYSTEM_MOUNTS; i++)
		if (m->mount[i] < 0)
			r = make_one(m, i, ranges, e);
	return r;
}

void system_mounts_close(struct system_mounts *m)
{
	for (size_t i = 0; i < ARRAY_SIZE(m->mount); i++)
		close_fd(&m->mount[i]);
	for (size_t i = 0; i < ARRAY_SIZE(m->device); i++)
		close_fd(&m->device[i]);
}

/* --- in the new root --- */

/* Not through any symbolic link: the fd or -errno, -ELOOP for one. */
static int open_plainly(int at, const char *path, uint64_t flags)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	int fd = (int)syscall(SYS_openat2, at, path, &how, sizeof(how));

	return fd < 0 ? neg_errno() : fd;
}

/* The directory `name` in `at`, made if it is missing.  The fd or -errno. */
static int own_dir(int at, const char *name, bool replace, struct err *e)
{
	int fd;

	if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
		return err_errno(e, "make the directory /%s", name);
	fd = open_plainly(at, name, O_PATH | O_DIRECTORY);
	if (fd == -ELOOP && !replace)
		return err_set(
			e, ELOOP,
			"the root's /%s is a symbolic link: with rw it has to be a directory",
			name);
	if (fd == -ELOOP) {
		if (unlinkat(at, name, 0) < 0 || mkdirat(at, name, 0755) < 0)
			return err_errno(e, "make a directory of the root's symbolic link /%s",
					 name);
		fd = open_plainly(at, name, O_PATH | O_DIRECTORY);
	}
	return fd < 0 ? err_code(e, fd, "open the root's /%s", name) : fd;
}

static int attach(int mount, int target)
{
	return move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static int attach_one(const struct system_mounts *m, int root, int i, bool replace, struct err *e)
{
	const struct kind *k = &kinds[i];
	_cleanup_close_ int dir = own_dir(k->in < 0 ? root : m->mount[k->in], k->name, replace, e);

	if (dir < 0)
		return dir;
	if (attach(m->mount[i], dir) < 0)
		return err_errno(e, "mount %s on the root's %s", k->type, k->name);
	return 0;
}

static int add_device(int dev, const char *name, int mount, struct err *e)
{
	_cleanup_close_ int file = openat(dev, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
	_cleanup_close_ int target = file < 0 ? -1 : open_plainly(dev, name, O_PATH);

	if (target < 0 || attach(mount, target) < 0)
		return err_errno(e, "make /dev/%s", name);
	return 0;
}

static int fill_dev(const struct system_mounts *m, struct err *e)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "fd" },	 { "/proc/self/fd/0", "stdin" },
		{ "/proc/self/fd/1", "stdout" }, { "/proc/self/fd/2", "stderr" },
		{ "pts/ptmx", "ptmx" },
	};
	int dev = m->mount[SYSTEM_DEV], r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(devices); i++)
		r = add_device(dev, devices[i], m->device[i], e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i][0], dev, links[i][1]) < 0)
			r = err_errno(e, "make /dev/%s", links[i][1]);
	return r;
}

/* --- over parts of /proc and /sys --- */

/* config-linux.md of the OCI runtime spec, its example's lists, what container
 * engines have added, and what the host's root may read or set by its id alone: the
 * host's hardware, memory and secrets. */
static const struct {
	int in;
	const char *path;
} masked[] = {
	{ SYSTEM_PROC, "acpi" },	  { SYSTEM_PROC, "asound" },
	{ SYSTEM_PROC, "dynamic_debug" }, { SYSTEM_PROC, "interrupts" },
	{ SYSTEM_PROC, "kcore" },	  { SYSTEM_PROC, "keys" },
	{ SYSTEM_PROC, "kpagecgroup" },	  { SYSTEM_PROC, "kpagecount" },
	{ SYSTEM_PROC, "kpageflags" },	  { SYSTEM_PROC, "latency_stats" },
	{ SYSTEM_PROC, "pagetypeinfo" },  { SYSTEM_PROC, "sched_debug" },
	{ SYSTEM_PROC, "scsi" },	  { SYSTEM_PROC, "slabinfo" },
	{ SYSTEM_PROC, "timer_list" },	  { SYSTEM_PROC, "timer_stats" },
	{ SYSTEM_PROC, "vmallocinfo" },	  { SYSTEM_SYS, "devices/virtual/powercap" },
	{ SYSTEM_SYS, "firmware" },
};
static const char *const read_only[] = { "bus", "fs", "irq", "sys", "sysrq-trigger" };

/* An empty directory, or /dev/null, over it. */
static int hide(const struct system_mounts *m, int in, const char *path, struct err *e)
{
	_cleanup_close_ int target = open_plainly(m->mount[in], path, O_PATH), cover = -1;
	struct stat st;

	if (target == -ENOENT)
		return 0;
	if (target < 0)
		return err_code(e, target, "mask /%s/%s", kinds[in].name, path);
	if (fstat(target, &st) < 0)
		return err_errno(e, "mask /%s/%s", kinds[in].name, path);
	if (S_ISDIR(st.st_mode))
		cover = new_mount(&mask, mask.options);
	else
		cover = open_tree(m->mount[SYSTEM_DEV], devices[0],
				  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (cover < 0 || attach(cover, target) < 0)
		return err_errno(e, "mask /%s/%s", kinds[in].name, path);
	return 0;
}

/* The host's cards: their memory can be mapped by who may open it for reading. */
static int hide_cards(const struct system_mounts *m, struct err *e)
{
	int fd = open_plainly(m->mount[SYSTEM_SYS], "devices", O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char path[sizeof("devices/") + NAME_MAX];
	struct dirent *d;
	int r = 0;

	if (!dir) {
		close_fd(&fd);
		return 0;
	}
	while (r == 0 && (d = readdir(dir))) {
		if (strncmp(d->d_name, "pci", 3) != 0)
			continue;
		snprintf(path, sizeof(path), "devices/%s", d->d_name);
		r = hide(m, SYSTEM_SYS, path, e);
	}
	closedir(dir);
	return r;
}

static int protect(int proc, const char *path, struct err *e)
{
	struct mount_attr attr = { .attr_set = DATA | MOUNT_ATTR_RDONLY };
	_cleanup_close_ int target = open_plainly(proc, path, O_PATH);
	_cleanup_close_ int same = -1;

	if (target == -ENOENT)
		return 0;
	if (target < 0)
		return err_code(e, target, "make /proc/%s read-only", path);
	same = open_tree(target, "",
			 AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (same < 0 ||
	    mount_setattr(same, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0 ||
	    attach(same, target) < 0)
		return err_errno(e, "make /proc/%s read-only", path);
	return 0;
}

static int mask_system(const struct system_mounts *m, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(masked); i++)
		r = hide(m, masked[i].in, masked[i].path, e);
	if (r == 0)
		r = hide_cards(m, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(read_only); i++)
		r = protect(m->mount[SYSTEM_PROC], read_only[i], e);
	return r;
}

int system_mounts_attach(const struct system_mounts *m, bool replace, struct err *e)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = root < 0 ? err_errno(e, "open the new root") : 0;

	for (int i = 0; r == 0 && i < SYSTEM_MOUNTS; i++)
		if (m->mount[i] >= 0)
			r = attach_one(m, root, i, replace, e);
	if (r == 0)
		r = fill_dev(m, e);
	return r == 0 ? mask_system(m, e) : r;
}
