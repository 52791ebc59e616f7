/*
 * mkfs.c - see mkfs.h.
 *
 * The image is not compressed: packing takes the same time as with lz4, being
 * bound by reading files, and the guest reads it without the detour.
 */
#include "vmm/image/mkfs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/image/program.h"

#define PROGRAM "mkfs.erofs"
#define IMAGE	"/proc/self/fd/3" /* program.h: image_fd */

char *mkfs_below(const char *path)
{
	char *out = malloc(2 * strlen(path) + 3);
	char *p = out;

	if (!out)
		return NULL;
	*p++ = '^';
	for (; *path; path++) {
		if (strchr("\\^$.[]|()*+?{}", *path))
			*p++ = '\\';
		*p++ = *path;
	}
	*p++ = '/';
	*p = '\0';
	return out;
}

struct args {
	char **v; /* NULL-terminated */
	size_t n;
	bool failed; /* out of memory */
};

static void args_release(struct args *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->v[i]);
	free(a->v);
}

#define _cleanup_args_ __attribute__((cleanup(args_release)))

static void args_add(struct args *a, const char *front, const char *text)
{
	char **v = reallocarray(a->v, a->n + 2, sizeof(*v));
	char *arg;

	if (v)
		a->v = v;
	if (!v || !text || asprintf(&arg, "%s%s", front, text) < 0) {
		a->failed = true;
		return;
	}
	v[a->n++] = arg;
	v[a->n] = NULL;
}

static void args_fill(struct args *a, int dir_fd, char *const *excluded, size_t nexcluded)
{
	args_add(a, PROGRAM, "");
	args_add(a, "--quiet", "");
	args_add(a, "-d1", ""); /* errors only */
	/* It takes it for an error that there are none (a squashfs without them). */
	if (flistxattr(dir_fd, NULL, 0) < 0 && errno == EOPNOTSUPP)
		args_add(a, "-x-1", "");
	for (size_t i = 0; i < nexcluded; i++) {
		_cleanup_free_ char *below = mkfs_below(excluded[i]);

		args_add(a, "--exclude-regex=", below);
	}
	args_add(a, "", IMAGE);
	args_add(a, "", ".");
}

/* The first of its lines that says what is wrong, without its mark. */
static void explain(char line[256], const char *output)
{
	static const char mark[] = "<E> ";
	const char *p = strstr(output, mark);
	char raw[256];

	p = p ? p + strlen(mark) : output;
	snprintf(raw, sizeof(raw), "%.*s", (int)MIN(strcspn(p, "\n"), sizeof(raw) - 1), p);
	printable(line, sizeof(raw), raw);
}

static int judge(int status, const char *output, struct err *e)
{
	char line[256];

	if (status == 0)
		return 0;
	/* It reports errno in brackets; 28 is ENOSPC everywhere. */
	if (strstr(output, "[Error 28]"))
		return err_set(e, ENOSPC, "no space left for the packed directory");
	explain(line, output);
	return err_set(e, EIO, PROGRAM " failed with status %d: %s", status,
		       line[0] ? line : "it did not say why");
}

int mkfs_erofs(int dir_fd, char *const *excluded, size_t nexcluded, int image_fd, struct err *e)
{
	const struct program p = {
		.name = PROGRAM,
		.purpose = "a directory as --rootfs",
		.package = "erofs-utils",
		.working = "packing the directory; it is done once, until something in it changes",
		.dir_fd = dir_fd,
		.image_fd = image_fd,
	};
	char path[PATH_MAX], output[PROGRAM_OUTPUT_MAX];
	_cleanup_args_ struct args args = { 0 };
	int status, r;

	r = program_find(&p, path, e);
	if (r < 0)
		return r;
	args_fill(&args, dir_fd, excluded, nexcluded);
	if (args.failed)
		return err_set(e, ENOMEM, "out of memory");
	log_info("run %s, %zu places left out", path, nexcluded);
	r = program_run(&p, path, args.v, output, &status, e);
	return r < 0 ? r : judge(status, output, e);
}
