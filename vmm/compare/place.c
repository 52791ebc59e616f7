/* place.c - see place.h. */
#include "vmm/compare/place.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "vmm/base/util.h"

/* A path that is too long is an error of the caller's, not cut. */
static int join(char out[PATH_MAX], const char *dir, const char *name, struct err *e)
{
	if (snprintf(out, PATH_MAX, "%s%s", dir, name) >= PATH_MAX)
		return err_set(e, ENAMETOOLONG, "%s", dir);
	return 0;
}

/* `name` begins with a slash. */
static int open_helper(const char *program, const char *name, struct err *e)
{
	static const char *const places[] = { "", "/../libexec/bulkhead" };
	char dir[PATH_MAX], in[PATH_MAX], path[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s", program);
	*strrchr(dir, '/') = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int fd = join(in, dir, places[i], e);

		if (fd == 0)
			fd = join(path, in, name, e);
		if (fd == 0)
			fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	return err_set(e, ENOENT,
		       "%s is neither in %s nor in %s/../libexec/bulkhead: 'make' builds it",
		       name + 1, dir, dir);
}

static int copy_helper(const char *program, const char *name, const char *root, struct err *e)
{
	_cleanup_close_ int from = open_helper(program, name, e), to = -1;
	char path[PATH_MAX];
	struct stat st;
	int r;

	if (from < 0)
		return from;
	r = join(path, root, name, e);
	if (r < 0)
		return r;
	to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (to < 0 || fstat(from, &st) < 0)
		return err_errno(e, "write %s", path);
	while (st.st_size > 0) {
		ssize_t n = sendfile(to, from, NULL, (size_t)st.st_size);

		if (n <= 0)
			return err_errno(e, "write %s", path);
		st.st_size -= n;
	}
	return fchmod(to, 0755) < 0 ? err_errno(e, "%s", path) : 0;
}

int place_make_root(const char *program, const char *root, struct err *e)
{
	static const char *const names[] = { "", "/proc", "/sys", "/dev", "/tmp", "/run" };
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++) {
		r = join(path, root, names[i], e);
		if (r == 0 && mkdir(path, 0755) < 0)
			r = err_errno(e, "make %s", path);
	}
	return r < 0 ? r : copy_helper(program, PLACE_WORKLOAD, root, e);
}

int place_make(const char *program, const char *rootfs, bool with_workload, struct wall_setup *ret,
	       struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	char path[PATH_MAX];
	struct stat st;
	int r = join(ret->program, program, "", e);

	ret->scratch[0] = '\0';
	if (r == 0)
		r = join(path, tmp && tmp[0] == '/' ? tmp : "/tmp", "/bulkhead-compare.XXXXXX", e);
	if (r < 0)
		return r;
	if (!mkdtemp(path))
		return err_errno(e, "make %s", path);
	memcpy(ret->scratch, path, sizeof(path));
	/* An instance that is not root's looks into it. */
	if (chmod(path, 0755) < 0)
		return err_errno(e, "%s", path);
	if (with_workload) {
		r = join(ret->root, ret->scratch, "/root", e);
		if (r == 0)
			r = place_make_root(ret->program, ret->root, e);
		return r < 0 ? r : copy_helper(ret->program, PLACE_ATTEMPT, ret->root, e);
	}
	if (!realpath(rootfs, ret->root))
		return err_errno(e, "the root directory %s", rootfs);
	if (stat(ret->root, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "%s: only a directory can be behind every wall", rootfs);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	remove(path);
	return 0;
}

void place_remove(struct wall_setup *setup)
{
	if (setup->scratch[0])
		nftw(setup->scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	setup->scratch[0] = '\0';
}
