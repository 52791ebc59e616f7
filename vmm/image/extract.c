/* extract.c - see extract.h. */
#include "vmm/image/extract.h"

#include <endian.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "vmm/base/disk_format.h"
#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/image/program.h"
#include "vmm/jail/landlock.h"

#define IMAGE "/proc/self/fd/3" /* program.h: image_fd */

/* Documentation/filesystems/ext4/super.rst: the superblock is at 1024. */
#define EXT4_INCOMPAT_OFFSET  (1024 + 0x60)
#define EXT4_INCOMPAT_RECOVER 0x4u

/* The bytes by which the kernel knows a file system, and who reads it. */
struct kind {
	const char *type;
	uint64_t magic_offset;
	uint32_t magic, mask;
	const char *program, *package;
	const char *argv[10]; /* NULL-terminated */
	int partly; /* the exit status when something was left out; 0: it is silent about it */
	bool (*is_usual)(const char *line);
};

/* unsquashfs: what only root may make. */
static bool squashfs_usual(const char *line)
{
	return strstr(line, "because you're not superuser") != NULL;
}

/* debugfs: its name, and each file's owner, which only root may set. */
static bool ext4_usual(const char *line)
{
	return strncmp(line, "debugfs ", 8) == 0 || strstr(line, " while changing ownership of ");
}

static const struct kind kinds[] = {
	{
		.type = "erofs",
		.magic_offset = 1024,
		.magic = 0xe0f5e1e2,
		.mask = UINT32_MAX,
		.program = "fsck.erofs",
		.package = "erofs-utils",
		/* -d1: errors only */
		.argv = { "fsck.erofs", "-d1", "--extract=.", "--force", "--overwrite",
			  "--preserve-perms", IMAGE },
	},
	{
		.type = "squashfs",
		.magic_offset = 0,
		.magic = 0x73717368,
		.mask = UINT32_MAX,
		.program = "unsquashfs",
		.package = "squashfs-tools",
		.argv = { "unsquashfs", "-quiet", "-no-progress", "-no-xattrs", "-force", "-dest",
			  ".", IMAGE },
		.partly = 2,
		.is_usual = squashfs_usual,
	},
	{
		.type = "ext4",
		.magic_offset = 1024 + 0x38,
		.magic = 0xef53,
		.mask = 0xffff,
		.program = "debugfs",
		.package = "e2fsprogs",
		.argv = { "debugfs", "-R", "rdump / .", IMAGE },
		.is_usual = ext4_usual,
	},
};

static const struct kind *find_kind(int image)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint32_t found;

		if (pread_all(image, &found, sizeof(found), kinds[i].magic_offset) == 0 &&
		    (le32toh(found) & kinds[i].mask) == kinds[i].magic)
			return &kinds[i];
	}
	return NULL;
}

/* A journal that has to be replayed: without that, files may be old or torn. */
static bool needs_recovery(const struct kind *k, int image)
{
	uint32_t incompat;

	return strcmp(k->type, "ext4") == 0 &&
	       pread_all(image, &incompat, sizeof(incompat), EXT4_INCOMPAT_OFFSET) == 0 &&
	       (le32toh(incompat) & EXT4_INCOMPAT_RECOVER);
}

/* In the program's process.  Where programs and their libraries are. */
static int confine(const struct program *p, const char *path, struct err *e)
{
	const char *const read[] = {
		"/usr",	 "/lib",       "/lib32",     "/lib64",		 "/bin",
		"/sbin", "/nix/store", "/gnu/store", "/etc/ld.so.cache", "/etc/ld.so.preload",
		path
	};
	const int files[] = { 0, 3 }; /* /dev/null, and the image */

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(e, "give up new privileges");
	/* The new user namespace is only the way to the others. */
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) < 0)
		return err_errno(e, "leave the network");
	return landlock_limit_files(read, ARRAY_SIZE(read), files, ARRAY_SIZE(files), p->dir_fd, e);
}

static int judge(const struct kind *k, int status, const char *output, struct err *e)
{
	char line[256], raw[256];

	if (status == 0 && (k->partly || !*output))
		return 0;
	if (k->partly && status == k->partly && !*output)
		return 0;
	snprintf(raw, sizeof(raw), "%.*s", (int)MIN(strcspn(output, "\n"), sizeof(raw) - 1),
		 output);
	printable(line, sizeof(line), raw);
	if (strstr(output, "No space left on device"))
		return err_set(e, ENOSPC, "no space left for what is in it");
	return err_set(e, EIO, "%s (status %d): %s", k->program, status,
		       line[0] ? line : "it did not say why");
}

int image_extract(int image_fd, int dir_fd, struct err *e)
{
	const struct kind *k = find_kind(image_fd);
	char path[PATH_MAX], output[PROGRAM_OUTPUT_MAX];
	struct program p = {
		.working = "unpacking the image; it is done once, until it changes",
		.purpose = "an image as --rootfs of a user who is not root",
		.dir_fd = dir_fd,
		.image_fd = image_fd,
		.confine = confine,
	};
	const char *odd = k ? NULL : disk_format_no_files(image_fd);
	int status, r;

	if (!k)
		return err_set(e, EINVAL, "it %s",
			       odd ? odd
				   : "is no directory, and no image of erofs, squashfs or ext4");
	if (needs_recovery(k, image_fd))
		return err_set(e, EUCLEAN,
			       "it was not unmounted in order: run 'e2fsck -p' on it (package "
			       "e2fsprogs)");
	p.name = k->program;
	p.package = k->package;
	p.is_usual = k->is_usual;
	r = program_find(&p, path, e);
	if (r < 0)
		return r;
	log_info("run %s for an image of %s", path, k->type);
	r = program_run(&p, path, (char *const *)(uintptr_t)k->argv, output, &status, e);
	return r < 0 ? r : judge(k, status, output, e);
}
