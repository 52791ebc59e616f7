/* tree.c - see tree.h.  One descriptor is open per level. */
#include "vmm/image/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/image/content.h"
#include "vmm/image/pending.h"

#define DEPTH_MAX    256  /* levels: each holds a descriptor */
#define SHOWN	     200  /* of a path in a message */
#define LOOK_UP	     1024 /* entries between two looks for pending signals */
#define EXCLUDED_MAX 1024 /* each becomes an argument of mkfs.erofs */

struct scan {
	struct tree *tree;
	struct sha256 hash;
	dev_t device;
	bool content; /* of the files, too */
	const struct stat *skip;
	char path[PATH_MAX]; /* of the entry, relative; "" for the root */
	size_t path_len;
	struct err *e;
};

struct names {
	char **name;
	size_t n, room;
};

static void names_release(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->name[i]);
	free(names->name);
}

#define _cleanup_names_ __attribute__((cleanup(names_release)))

/* Names in the tree may be a stranger's, and the message goes to a terminal. */
static int fail(const struct scan *s, const char *what)
{
	int saved = errno;
	char shown[SHOWN];

	printable(shown, sizeof(shown), s->path_len ? s->path : ".");
	errno = saved;
	return err_errno(s->e, "%s %s", what, shown);
}

static int refuse(const struct scan *s, int code, const char *why)
{
	char shown[SHOWN];

	return err_set(s->e, code, "%s...: %s", printable(shown, sizeof(shown), s->path), why);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_add(struct names *names, const char *name)
{
	if (names->n == names->room) {
		size_t room = names->room ? 2 * names->room : 32;
		char **p = reallocarray(names->name, room, sizeof(*p));

		if (!p)
			return -ENOMEM;
		names->name = p;
		names->room = room;
	}
	names->name[names->n] = strdup(name);
	if (!names->name[names->n])
		return -ENOMEM;
	names->n++;
	return 0;
}

/* The names in a directory, sorted: the order in which it lists them may
 * change without the directory changing. */
static int read_names(const struct scan *s, DIR *dir, struct names *names)
{
	struct dirent *d;

	for (;;) {
		errno = 0;
		d = readdir(dir);
		if (!d)
			break;
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (names_add(names, d->d_name) < 0)
			return err_set(s->e, ENOMEM, "out of memory");
	}
	if (errno)
		return fail(s, "read the directory");
	if (names->n)
		qsort(names->name, names->n, sizeof(*names->name), by_name);
	return 0;
}

static bool later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/* The entry at s->path into the key. */
static int add_entry(struct scan *s, const struct stat *st)
{
	const uint64_t facts[] = {
		s->path_len,
		st->st_dev,
		st->st_ino,
		st->st_mode,
		st->st_uid,
		st->st_gid,
		st->st_rdev,
		(uint64_t)st->st_size,
		(uint64_t)st->st_mtim.tv_sec,
		(uint64_t)st->st_mtim.tv_nsec,
		(uint64_t)st->st_ctim.tv_sec,
		(uint64_t)st->st_ctim.tv_nsec,
	};
	char *copy;

	sha256_add(&s->hash, facts, sizeof(facts));
	sha256_add(&s->hash, s->path, s->path_len);
	s->tree->entries++;
	if (s->tree->newest_path && !later(&st->st_ctim, &s->tree->newest))
		return 0;
	copy = strdup(s->path_len ? s->path : ".");
	if (!copy)
		return err_set(s->e, ENOMEM, "out of memory");
	free(s->tree->newest_path);
	s->tree->newest_path = copy;
	s->tree->newest = st->st_ctim;
	return 0;
}

static int add_excluded(struct scan *s)
{
	struct tree *t = s->tree;
	const uint64_t facts[] = { s->path_len, UINT64_MAX };
	char **p;

	/* Neither its content nor its own times matter. */
	sha256_add(&s->hash, facts, sizeof(facts));
	sha256_add(&s->hash, s->path, s->path_len);
	if (t->nexcluded == EXCLUDED_MAX)
		return err_set(s->e, E2BIG, "more than %d file systems are mounted in it",
			       EXCLUDED_MAX);
	p = reallocarray(t->excluded, t->nexcluded + 1, sizeof(*p));
	if (!p)
		return err_set(s->e, ENOMEM, "out of memory");
	t->excluded = p;
	p[t->nexcluded] = strdup(s->path);
	if (!p[t->nexcluded])
		return err_set(s->e, ENOMEM, "out of memory");
	t->nexcluded++;
	return 0;
}

static int scan_dir(struct scan *s, int fd, unsigned int depth);

static bool is_skipped(const struct scan *s, const struct stat *st)
{
	return s->skip && st->st_dev == s->skip->st_dev && st->st_ino == s->skip->st_ino;
}

static int scan_subdir(struct scan *s, int parent, const char *name, const struct stat *st,
		       unsigned int depth)
{
	int fd, r;

	if (st->st_dev != s->device || is_skipped(s, st))
		return add_excluded(s);
	r = add_entry(s, st);
	if (r < 0)
		return r;
	if (depth == DEPTH_MAX)
		return refuse(s, E2BIG, "deeper than 256 directories");
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(s, "open the directory");
	return scan_dir(s, fd, depth + 1);
}

static int scan_entry(struct scan *s, int parent, const char *name, unsigned int depth)
{
	struct stat st;
	int r;

	if (s->tree->entries % LOOK_UP == 0 && end_is_pending())
		return err_set(s->e, EINTR, "interrupted");
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return fail(s, "look at");
	if (S_ISDIR(st.st_mode))
		return scan_subdir(s, parent, name, &st, depth);
	/* mkfs.erofs does not tell which file it may not read. */
	if (S_ISREG(st.st_mode) && !(st.st_mode & S_IROTH) &&
	    faccessat(parent, name, R_OK, AT_EACCESS) < 0)
		return fail(s, "read");
	r = add_entry(s, &st);
	if (r < 0 || !s->content)
		return r;
	r = content_add(&s->hash, parent, name, &st);
	if (r == -EINTR)
		return err_set(s->e, EINTR, "interrupted");
	return r < 0 ? fail(s, "read") : 0;
}

/* Takes `fd` over. */
static int scan_dir(struct scan *s, int fd, unsigned int depth)
{
	_cleanup_names_ struct names names = { 0 };
	size_t base = s->path_len;
	DIR *dir;
	int r;

	dir = fdopendir(fd);
	if (!dir) {
		r = fail(s, "read the directory");
		close(fd);
		return r;
	}
	r = read_names(s, dir, &names);
	for (size_t i = 0; i < names.n && r == 0; i++) {
		size_t len = strlen(names.name[i]);

		if (base + 1 + len + 1 > sizeof(s->path)) {
			r = refuse(s, ENAMETOOLONG, "the path is too long");
			break;
		}
		if (base)
			s->path[base] = '/';
		memcpy(s->path + base + (base > 0), names.name[i], len + 1);
		s->path_len = base + (base > 0) + len;
		r = scan_entry(s, fd, names.name[i], depth);
	}
	s->path_len = base;
	s->path[base] = '\0';
	closedir(dir);
	return r;
}

void tree_release(struct tree *t)
{
	for (size_t i = 0; i < t->nexcluded; i++)
		free(t->excluded[i]);
	free(t->excluded);
	free(t->newest_path);
	*t = (struct tree){ 0 };
}

int tree_scan(int dir_fd, const struct stat *skip, struct tree *ret, struct err *e)
{
	struct tree tree = { 0 };
	struct scan *s;
	struct stat st;
	int fd, r;

	/* A descriptor of our own: one that was read before is at its end. */
	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "open the directory");
	s = calloc(1, sizeof(*s));
	if (!s || fstat(fd, &st) < 0) {
		r = err_errno(e, "look at the directory");
		free(s);
		close(fd);
		return r;
	}
	s->tree = &tree;
	s->device = st.st_dev;
	s->content = content_decides(fd);
	s->skip = skip;
	s->e = e;
	sha256_init(&s->hash);
	r = add_entry(s, &st);
	if (r == 0)
		r = scan_dir(s, fd, 1);
	else
		close(fd);
	sha256_final(&s->hash, tree.key);
	free(s);
	if (r < 0) {
		tree_release(&tree);
		return r;
	}
	*ret = tree;
	return 0;
}
