/* fio.c - see fio.h. */
#include "vmm/compare/fio.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/util.h"

#define COPY_LIMIT_NS (60 * NS_PER_S)
#define FIRST_FIELD   "3;fio-"

int fio_find(const char *root, char program[PATH_MAX], struct err *e)
{
	char real[PATH_MAX], path[PATH_MAX];

	if (!realpath(root, real))
		return err_errno(e, "the root directory %s", root);
	if (wall_command_search(real, "fio", path) < 0)
		return err_set(e, ENOENT,
			       "there is no fio in %s: without a command --rootfs is for fio's "
			       "figures",
			       root);
	snprintf(program, PATH_MAX, "%s", path + strlen(real));
	return 0;
}

static int check_size(const char *root, struct err *e)
{
	char *paths[] = { (char *)(uintptr_t)root, NULL };
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	uint64_t bytes = 0;
	const FTSENT *at;

	if (!tree)
		return err_errno(e, "read %s", root);
	while (bytes <= FIO_ROOT_MAX && (at = fts_read(tree)) != NULL)
		if (at->fts_info == FTS_F)
			bytes += (uint64_t)at->fts_statp->st_size;
	fts_close(tree);
	if (bytes > FIO_ROOT_MAX)
		return err_set(e, EFBIG, "%s holds more than %llu MiB, and would be copied", root,
			       FIO_ROOT_MAX / MIB);
	return 0;
}

static int copy(const char *from, const char *to, int signal_fd, struct measured *got,
		struct err *e)
{
	char cp[PATH_MAX], all[PATH_MAX + 4];
	const char *const argv[] = { cp, "-a", "--one-file-system", "--reflink=auto", "--", all,
				     to, NULL };
	const struct measure_request request = { .argv = argv, .limit_ns = COPY_LIMIT_NS };
	int r;

	snprintf(all, sizeof(all), "%s/.", from);
	if (wall_command_search("", "cp", cp) < 0)
		return err_set(e, ENOENT, "cp is not installed");
	r = measure_run(signal_fd, &request, got, e);
	if (r < 0)
		return r;
	if (got->interrupted)
		return err_set(e, EINTR, "interrupted before anything was measured");
	if (got->status != 0)
		return err_set(e, EIO, "copy %s: %.100s", from, got->errors);
	return 0;
}

int fio_make(const struct wall_setup *setup, const char *root, const struct wall_disk *disk,
	     int signal_fd, struct measured *got, struct wall_disk *ret, struct err *e)
{
	int r;

	/* Page caches of guest and host would be in the way, of one or the other. */
	if (!disk->direct)
		return err_set(e, ENOTSUP, "%s is on a file system without O_DIRECT", disk->file);
	*ret = *disk;
	ret->prefix = "--filename=";
	if (!realpath(root, ret->vm_root))
		return err_errno(e, "the root directory %s", root);
	if (snprintf(ret->root, PATH_MAX, "%s/fio", setup->scratch) >= PATH_MAX ||
	    snprintf(ret->file, PATH_MAX, "%s/fio" WALL_DISK_PATH, setup->scratch) >= PATH_MAX)
		return err_set(e, ENAMETOOLONG, "%s", setup->scratch);
	snprintf(ret->writable_root, sizeof(ret->writable_root), "%s,rw", ret->root);
	r = check_size(ret->vm_root, e);
	if (r == 0)
		r = copy(ret->vm_root, ret->root, signal_fd, got, e);
	if (r < 0)
		return r;
	return link(disk->file, ret->file) < 0 ? err_errno(e, "link %s", ret->file) : 0;
}

double fio_field(const char *output, unsigned int field)
{
	const char *at = strncmp(output, FIRST_FIELD, strlen(FIRST_FIELD)) == 0
				 ? output
				 : strstr(output, "\n" FIRST_FIELD);

	for (unsigned int i = 1; at && i < field; i++) {
		at = strpbrk(at + 1, ";\n");
		if (at && *at == '\n')
			at = NULL;
	}
	return at ? strtod(at + 1, NULL) : 0;
}
