/* unpack.c - see unpack.h. */
#include "vmm/image/unpack.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/image/cache.h"
#include "vmm/image/extract.h"
#include "vmm/image/key.h"
#include "vmm/image/remove.h"

/* Changes whenever the same image would be unpacked into another directory. */
#define UNPACK_FORMAT 1
#define LOCK	      ".lock"
#define PARTIAL	      ".tmp"
#define NAME_SIZE     (KEY_SIZE + 8)

/* What of the file decides that it is the same. */
struct identity {
	uint64_t dev, ino, size;
	int64_t mtime, mtime_ns, ctime, ctime_ns;
};

struct unpacking {
	struct cache cache;
	char key[KEY_SIZE];
	int lock; /* KEY.lock */
};

static int identify(int image, struct identity *ret, struct err *e)
{
	struct stat st;

	if (fstat(image, &st) < 0)
		return err_errno(e, "look at it");
	/* A device has no time of its last change. */
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL,
			       "only files are unpacked, and it is none: copy it into one");
	*ret = (struct identity){
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
		.mtime = st.st_mtim.tv_sec,
		.mtime_ns = st.st_mtim.tv_nsec,
		.ctime = st.st_ctim.tv_sec,
		.ctime_ns = st.st_ctim.tv_nsec,
	};
	return 0;
}

static void name_of(char out[NAME_SIZE], const char *key, const char *suffix)
{
	snprintf(out, NAME_SIZE, "%.64s%s", key, suffix);
}

static bool is_there(const struct unpacking *u)
{
	struct stat st;

	return fstatat(u->cache.fd, u->key, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Open KEY.lock and hold it, `how` flock() has it. */
static int take_lock(struct unpacking *u, int how, struct err *e)
{
	char name[NAME_SIZE];
	int r;

	name_of(name, u->key, LOCK);
	for (;;) {
		u->lock =
			openat(u->cache.fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (u->lock < 0)
			return err_errno(e, "create %s/%s", u->cache.path, name);
		r = cache_lock(u->lock, how, "unpacks the same image");
		if (r < 0)
			return err_code(e, r, "lock %s/%s", u->cache.path, name);
		if (cache_has_name(&u->cache, u->lock, name))
			return 0;
		close_fd(&u->lock); /* who held it has removed it */
	}
}

/* Into KEY.tmp, which becomes KEY. */
static int make(const struct unpacking *u, int image, const struct identity *before, struct err *e)
{
	_cleanup_close_ int dir = -1;
	struct identity after;
	char partial[NAME_SIZE];
	int r;

	name_of(partial, u->key, PARTIAL);
	r = remove_tree(u->cache.fd, partial); /* somebody did not get to the end */
	if (r < 0)
		return err_code(e, r, "remove %s/%s", u->cache.path, partial);
	if (mkdirat(u->cache.fd, partial, 0700) < 0)
		return err_errno(e, "make %s/%s", u->cache.path, partial);
	dir = openat(u->cache.fd, partial, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_errno(e, "open %s/%s", u->cache.path, partial);
	r = image_extract(image, dir, e);
	if (r == 0)
		r = identify(image, &after, e);
	if (r == 0 && memcmp(before, &after, sizeof(after)) != 0)
		r = err_set(e, EAGAIN, "it changed while it was unpacked; try again");
	/* A power failure must not leave a name without its files. */
	if (r == 0 && syncfs(dir) < 0)
		r = err_errno(e, "write what is in it");
	if (r == 0 && renameat(u->cache.fd, partial, u->cache.fd, u->key) < 0)
		r = err_errno(e, "rename %s/%s", u->cache.path, partial);
	if (r < 0)
		remove_tree(u->cache.fd, partial);
	return r;
}

/* --- what is used no more --- */

struct old {
	char key[KEY_SIZE];
	struct timespec used;
};

static int newest_first(const void *a, const void *b)
{
	return cache_newest_first(&((const struct old *)a)->used, &((const struct old *)b)->used);
}

static bool is_lock_name(const char *name)
{
	return strlen(name) == KEY_SIZE - 1 + strlen(LOCK) &&
	       strcmp(name + KEY_SIZE - 1, LOCK) == 0;
}

/* Those of KEY.lock in *ret, the caller's to free. */
static size_t list_all(const struct cache *c, struct old **ret)
{
	int fd = openat(c->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct old *list = NULL, *p;
	struct dirent *d;
	struct stat st;
	size_t n = 0;

	if (!dir)
		close_fd(&fd);
	while (dir && (d = readdir(dir))) {
		if (!is_lock_name(d->d_name) ||
		    fstatat(c->fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		p = reallocarray(list, n + 1, sizeof(*p));
		if (!p)
			break;
		list = p;
		snprintf(list[n].key, sizeof(list[n].key), "%.64s", d->d_name);
		list[n++].used = st.st_mtim;
	}
	if (dir)
		closedir(dir);
	*ret = list;
	return n;
}

/* Unless somebody uses it. */
static void drop(const struct cache *c, const char *key)
{
	char lock[NAME_SIZE], partial[NAME_SIZE];
	_cleanup_close_ int fd = -1;

	name_of(lock, key, LOCK);
	name_of(partial, key, PARTIAL);
	fd = openat(c->fd, lock, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	/* What is half removed must not be found. */
	if (remove_tree(c->fd, partial) < 0 ||
	    (renameat(c->fd, key, c->fd, partial) < 0 && errno != ENOENT))
		return;
	if (remove_tree(c->fd, partial) == 0)
		unlinkat(c->fd, lock, 0);
}

static void prune(const struct unpacking *u)
{
	_cleanup_free_ struct old *list = NULL;
	size_t n = list_all(&u->cache, &list);

	if (n)
		qsort(list, n, sizeof(*list), newest_first);
	for (size_t i = UNPACKED_MAX; i < n; i++)
		if (strcmp(list[i].key, u->key) != 0)
			drop(&u->cache, list[i].key);
}

/* --- */

/* Hold KEY.lock with the directory there. */
static int find_or_make(struct unpacking *u, int image, const struct identity *id, struct err *e)
{
	int r;

	for (;;) {
		r = take_lock(u, LOCK_SH, e);
		if (r < 0)
			return r;
		futimens(u->lock, NULL);
		if (is_there(u))
			return 0;
		close_fd(&u->lock);
		r = take_lock(u, LOCK_EX, e);
		if (r == 0 && !is_there(u)) {
			r = make(u, image, id, e);
			if (r == 0)
				prune(u);
		}
		/* Between two locks it may be removed again. */
		close_fd(&u->lock);
		if (r < 0)
			return r;
	}
}

int rootfs_unpack(const char *path, int image_fd, struct unpacked *ret, struct err *e)
{
	struct unpacking u = { .cache = { .fd = -1 }, .lock = -1 };
	struct identity id;
	struct timespec newest;
	char *dir = NULL;
	int r = identify(image_fd, &id, e);

	if (r == 0) {
		newest = (struct timespec){ .tv_sec = id.ctime, .tv_nsec = id.ctime_ns };
		key_settle(&newest);
		key_make(UNPACK_FORMAT, &id, sizeof(id), u.key);
		r = cache_open(&u.cache, "unpacked", e);
	}
	if (r == 0)
		r = find_or_make(&u, image_fd, &id, e);
	if (r == 0 && asprintf(&dir, "%s/%s", u.cache.path, u.key) < 0)
		r = err_set(e, ENOMEM, "out of memory");
	cache_close(&u.cache);
	if (r < 0) {
		close_fd(&u.lock);
		err_context(e, "unpack the image %s", path);
		return r;
	}
	*ret = (struct unpacked){ .path = dir, .lock = u.lock };
	return 0;
}
