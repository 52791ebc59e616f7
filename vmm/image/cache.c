/* cache.c - see cache.h. */
#include "vmm/image/cache.h"

#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/image/pending.h"

#define NAME_SIZE     80 /* 64 digits and a suffix */
#define LOCK_PAUSE_NS (20 * 1000 * 1000)
#define IMAGE	      ".erofs"
#define PARTIAL	      ".tmp"

/* Documentation/filesystems/erofs.rst: the superblock is at 1024. */
#define EROFS_SUPER_OFFSET 1024
#define EROFS_SUPER_MAGIC  0xe0f5e1e2u

static void name_of(char out[NAME_SIZE], const char *key, const char *suffix)
{
	snprintf(out, NAME_SIZE, "%.64s%s", key, suffix);
}

/* Where caches are: "" when the environment does not tell. */
static void base_path(char out[PATH_MAX])
{
	const char *xdg = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");

	out[0] = '\0';
	/* "All paths must be absolute; a relative one is to be ignored"
	 * (XDG base directory specification). */
	if (xdg && xdg[0] == '/')
		snprintf(out, PATH_MAX, "%s", xdg);
	else if (home && home[0] == '/')
		snprintf(out, PATH_MAX, "%s/.cache", home);
	else if (geteuid() == 0)
		snprintf(out, PATH_MAX, "/var/cache");
}

/* mkdir -p with 0700. */
static int make_path(char *path, struct err *e)
{
	for (char *p = path + 1;; p++) {
		char was = *p;

		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST) {
			int r = err_errno(e, "make the cache directory %s", path);

			*p = was;
			return r;
		}
		*p = was;
		if (was == '\0')
			return 0;
	}
}

int cache_open(struct cache *c, const char *name, struct err *e)
{
	_cleanup_close_ int fd = -1;
	char base[PATH_MAX];
	struct stat st;
	int r;

	base_path(base);
	if (!base[0])
		return err_set(e, ENOENT,
			       "there is no place for a cache: set XDG_CACHE_HOME or HOME to an "
			       "absolute path");
	r = snprintf(c->path, sizeof(c->path), "%s/bulkhead/%s", base, name);
	if (r < 0 || (size_t)r + NAME_SIZE >= sizeof(c->path))
		return err_set(e, ENAMETOOLONG, "the cache directory's path is too long");
	r = make_path(c->path, e);
	if (r < 0)
		return r;
	fd = open(c->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "open the cache directory %s", c->path);
	/* Whoever can write there chooses what our guests run. */
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return err_set(e, EPERM,
			       "the cache directory %s must belong to this user and be writable "
			       "by nobody else (chmod 700)",
			       c->path);
	c->fd = take_fd(&fd);
	return 0;
}

void cache_close(struct cache *c)
{
	close_fd(&c->fd);
}

static bool is_image(int fd)
{
	uint32_t magic;
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       pread_all(fd, &magic, sizeof(magic), EROFS_SUPER_OFFSET) == 0 &&
	       le32toh(magic) == EROFS_SUPER_MAGIC;
}

int cache_find(const struct cache *c, const char *key, int *ret_fd, struct err *e)
{
	_cleanup_close_ int fd = -1;
	char name[NAME_SIZE];

	name_of(name, key, IMAGE);
	fd = openat(c->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : err_errno(e, "open %s/%s", c->path, name);
	if (!is_image(fd)) {
		unlinkat(c->fd, name, 0);
		return -ENOENT;
	}
	futimens(fd, NULL);
	*ret_fd = take_fd(&fd);
	return 0;
}

bool cache_has_name(const struct cache *c, int fd, const char *name)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstatat(c->fd, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Looks again and again instead of waiting in flock(): a blocked signal would
 * not interrupt it. */
int cache_lock(int fd, int how, const char *what)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	bool told = false;

	while (flock(fd, how | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return neg_errno();
		if (!told)
			log_info("waiting for another bulkhead that %s", what);
		told = true;
		if (end_is_pending())
			return -EINTR;
		nanosleep(&pause, NULL);
	}
	return 0;
}

int cache_begin(const struct cache *c, const char *key, int *ret_fd, struct err *e)
{
	char partial[NAME_SIZE], image[NAME_SIZE];
	int r;

	name_of(partial, key, PARTIAL);
	name_of(image, key, IMAGE);
	for (;;) {
		_cleanup_close_ int fd = -1;

		fd = openat(c->fd, partial, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return err_errno(e, "create %s/%s", c->path, partial);
		r = cache_lock(fd, LOCK_EX, "packs the same directory");
		if (r < 0)
			return err_code(e, r, "lock %s/%s", c->path, partial);
		/* While we waited it may have been renamed (it is ready now) or
		 * removed (its maker gave up). */
		if (!cache_has_name(c, fd, partial))
			continue;
		if (faccessat(c->fd, image, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
			unlinkat(c->fd, partial, 0);
			return -EEXIST;
		}
		if (ftruncate(fd, 0) < 0)
			return err_errno(e, "empty %s/%s", c->path, partial);
		*ret_fd = take_fd(&fd);
		return 0;
	}
}

int cache_publish(const struct cache *c, const char *key, int fd, struct err *e)
{
	char partial[NAME_SIZE], image[NAME_SIZE];

	name_of(partial, key, PARTIAL);
	name_of(image, key, IMAGE);
	/* After a power failure a name without its data would be a root file
	 * system full of zeros. */
	if (fsync(fd) < 0)
		return err_errno(e, "write %s/%s", c->path, partial);
	if (renameat(c->fd, partial, c->fd, image) < 0)
		return err_errno(e, "rename %s/%s", c->path, partial);
	return 0;
}

void cache_abandon(const struct cache *c, const char *key)
{
	char partial[NAME_SIZE];

	name_of(partial, key, PARTIAL);
	unlinkat(c->fd, partial, 0);
}

struct entry {
	char name[NAME_SIZE];
	struct timespec used;
	uint64_t bytes;
};

int cache_newest_first(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec > b->tv_sec ? -1 : 1;
	if (a->tv_nsec != b->tv_nsec)
		return a->tv_nsec > b->tv_nsec ? -1 : 1;
	return 0;
}

static int by_use(const void *a, const void *b)
{
	return cache_newest_first(&((const struct entry *)a)->used,
				  &((const struct entry *)b)->used);
}

static bool ends_with(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);

	return n > m && strcmp(text + n - m, suffix) == 0;
}

/* A partial image that nobody has locked: its maker is gone. */
static void drop_partial(const struct cache *c, const char *name)
{
	_cleanup_close_ int fd = -1;

	fd = openat(c->fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && cache_has_name(c, fd, name))
		unlinkat(c->fd, name, 0);
}

/* All images in *ret, which is the caller's to free. */
static size_t list_images(const struct cache *c, DIR *dir, struct entry **ret)
{
	struct entry *list = NULL, *p;
	struct dirent *d;
	struct stat st;
	size_t n = 0;

	while ((d = readdir(dir))) {
		if (strlen(d->d_name) >= NAME_SIZE)
			continue;
		if (ends_with(d->d_name, PARTIAL))
			drop_partial(c, d->d_name);
		if (!ends_with(d->d_name, IMAGE) ||
		    fstatat(c->fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		p = reallocarray(list, n + 1, sizeof(*p));
		if (!p)
			break;
		list = p;
		snprintf(list[n].name, sizeof(list[n].name), "%.79s", d->d_name);
		list[n].used = st.st_mtim;
		list[n].bytes = (uint64_t)st.st_blocks * 512;
		n++;
	}
	*ret = list;
	return n;
}

void cache_prune(const struct cache *c, const char *keep, unsigned int images_max,
		 uint64_t bytes_max)
{
	_cleanup_free_ struct entry *list = NULL;
	char kept[NAME_SIZE];
	uint64_t bytes = 0;
	size_t n;
	DIR *dir;
	int fd;

	fd = openat(c->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		close_fd(&fd);
		return;
	}
	name_of(kept, keep, IMAGE);
	n = list_images(c, dir, &list);
	closedir(dir);
	if (n)
		qsort(list, n, sizeof(*list), by_use);
	for (size_t i = 0; i < n; i++) {
		bytes += list[i].bytes;
		if ((i >= images_max || bytes > bytes_max) && strcmp(list[i].name, kept) != 0)
			unlinkat(c->fd, list[i].name, 0);
	}
}
