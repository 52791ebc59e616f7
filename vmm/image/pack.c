/*
 * pack.c - see pack.h.
 *
 * An image's name in the cache is the tree's fingerprint (tree.h).  The tree
 * is walked again after packing: a file that was changed while mkfs.erofs read
 * it shows in its ctime, which nobody can set back, and the image is thrown
 * away.  Times of files have steps (one timer tick on older kernels), so a
 * tree that was changed in this very moment is first given time to grow older
 * than a step: from then on every further change shows.
 */
#include "vmm/image/pack.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/disk_format.h"
#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/image/cache.h"
#include "vmm/image/key.h"
#include "vmm/image/mkfs.h"
#include "vmm/image/tree.h"

/* Changes whenever the same tree would be packed into another image. */
#define PACK_FORMAT 1

struct pack {
	int dir_fd;
	struct cache cache;
	struct stat cache_stat;
	struct tree tree;
	char key[KEY_SIZE];
};

/* mkfs.erofs into KEY.tmp, and a second look at the tree. */
static int fill(struct pack *p, int image_fd, struct err *e)
{
	struct tree after;
	char shown[160];
	int r;

	key_settle(&p->tree.newest);
	r = mkfs_erofs(p->dir_fd, p->tree.excluded, p->tree.nexcluded, image_fd, e);
	if (r < 0)
		return r;
	r = tree_scan(p->dir_fd, &p->cache_stat, &after, e);
	if (r < 0)
		return r;
	if (memcmp(after.key, p->tree.key, sizeof(after.key)) != 0)
		r = err_set(e, EAGAIN, "it changed while it was packed (latest: %s); try again",
			    printable(shown, sizeof(shown), after.newest_path));
	tree_release(&after);
	return r;
}

static int make(struct pack *p, struct err *e)
{
	_cleanup_close_ int fd = -1;
	uint64_t start = now_ns();
	int r;

	r = cache_begin(&p->cache, p->key, &fd, e);
	if (r == -EEXIST)
		return 0;
	if (r < 0)
		return r;
	r = fill(p, fd, e);
	if (r == 0)
		r = cache_publish(&p->cache, p->key, fd, e);
	if (r < 0) {
		cache_abandon(&p->cache, p->key);
		return r;
	}
	cache_prune(&p->cache, p->key, CACHE_IMAGES_MAX, CACHE_BYTES_MAX);
	log_info("packed %llu files and directories in %llu ms",
		 (unsigned long long)p->tree.entries,
		 (unsigned long long)((now_ns() - start) / NS_PER_MS));
	return 0;
}

static int find_or_make(struct pack *p, int *ret_fd, struct err *e)
{
	int r;

	if (fstat(p->cache.fd, &p->cache_stat) < 0)
		return err_errno(e, "look at %s", p->cache.path);
	r = tree_scan(p->dir_fd, &p->cache_stat, &p->tree, e);
	if (r < 0)
		return r;
	key_make(PACK_FORMAT, p->tree.key, sizeof(p->tree.key), p->key);
	r = cache_find(&p->cache, p->key, ret_fd, e);
	if (r != -ENOENT)
		return r;
	r = make(p, e);
	if (r < 0)
		return r;
	r = cache_find(&p->cache, p->key, ret_fd, e);
	if (r == -ENOENT)
		return err_set(e, ENOENT, "the packed image vanished from %s", p->cache.path);
	return r;
}

int rootfs_pack(const char *dir, int *ret_image_fd, char **ret_path, struct err *e)
{
	_cleanup_close_ int image = -1;
	struct pack p = { .dir_fd = -1, .cache = { .fd = -1 } };
	char *path = NULL;
	int r;

	p.dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p.dir_fd < 0)
		return err_errno(e, "open %s", dir);
	r = cache_open(&p.cache, "rootfs", e);
	if (r == 0)
		r = find_or_make(&p, &image, e);
	if (r == 0 && asprintf(&path, "%s/%s.erofs", p.cache.path, p.key) < 0)
		r = err_set(e, ENOMEM, "out of memory");
	tree_release(&p.tree);
	cache_close(&p.cache);
	close_fd(&p.dir_fd);
	if (r < 0) {
		err_context(e, "pack %s", dir);
		return r;
	}
	*ret_image_fd = take_fd(&image);
	*ret_path = path;
	return 0;
}

static int open_file(const char *path, bool rw, struct rootfs_image *ret, struct err *e)
{
	_cleanup_close_ int fd = -1;
	const char *odd;
	struct stat st;

	/* O_NONBLOCK: a FIFO is refused below, not waited for. */
	fd = open(path, (rw ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "open %s", path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(e, EINVAL, "%s is no directory, file or block device", path);
	if (fcntl(fd, F_SETFL, 0) < 0)
		return err_errno(e, "open %s", path);
	odd = disk_format_no_files(fd);
	if (odd)
		return err_set(e, EINVAL, "%s %s", path, odd);
	ret->path = strdup(path);
	if (!ret->path)
		return err_set(e, ENOMEM, "out of memory");
	ret->fd = take_fd(&fd);
	return 0;
}

int rootfs_open(const char *path, bool rw, struct rootfs_image *ret, struct err *e)
{
	struct rootfs_image image = { .fd = -1 };
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return err_errno(e, "open %s", path);
	if (S_ISDIR(st.st_mode)) {
		if (rw)
			return err_set(e, EINVAL,
				       "%s is a directory and is never written: without ,rw the "
				       "guest's changes stay in its memory; use an image to keep "
				       "them",
				       path);
		image.packed = true;
		r = rootfs_pack(path, &image.fd, &image.path, e);
	} else {
		r = open_file(path, rw, &image, e);
	}
	if (r < 0)
		return r;
	*ret = image;
	return 0;
}
