/*
 * boot_cache.c - see boot_cache.h.
 *
 * The directory is opened once, checked, and everything else is done below
 * its descriptor, so that a swapped path cannot lead elsewhere.
 */
#include "vmm/monitor/boot_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/err.h"
#include "vmm/base/util.h"

#define FILE_NAME_LEN 64
#define PATH_LEN      4096

static bool boot_id_valid(const char *id)
{
	return strlen(id) == BOOT_ID_LEN && strspn(id, "0123456789abcdef-") == BOOT_ID_LEN;
}

int boot_cache_id(char ret_id[BOOT_ID_LEN + 1])
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[BOOT_ID_LEN + 1] = { 0 };
	ssize_t n;

	if (fd < 0)
		return neg_errno();
	n = read(fd, text, BOOT_ID_LEN);
	if (n < 0)
		return neg_errno();
	if (!boot_id_valid(text))
		return -EINVAL;
	memcpy(ret_id, text, sizeof(text));
	return 0;
}

int boot_cache_dir(char *ret_dir, size_t size)
{
	const char *xdg = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	int n;

	if (geteuid() == 0)
		n = snprintf(ret_dir, size, "/run/bulkhead");
	else if (xdg && xdg[0] == '/')
		n = snprintf(ret_dir, size, "%s/bulkhead", xdg);
	else if (home && home[0] == '/')
		n = snprintf(ret_dir, size, "%s/.cache/bulkhead", home);
	else
		return -ENOENT;
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* Ours alone to change? */
static bool trusted(const struct stat *st)
{
	return st->st_uid == geteuid() && !(st->st_mode & 022);
}

/* The directory as an owned fd, or -errno. */
static int open_dir(const char *dir)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return neg_errno();
	return trusted(&st) ? take_fd(&fd) : -EPERM;
}

static int file_name(const char *prefix, const char *boot_id, char ret_name[FILE_NAME_LEN])
{
	int n;

	if (!boot_id_valid(boot_id))
		return -EINVAL;
	n = snprintf(ret_name, FILE_NAME_LEN, "%s-%s", prefix, boot_id);
	return n < 0 || n >= FILE_NAME_LEN ? -EINVAL : 0;
}

int boot_cache_read(const char *dir, const char *prefix, const char *boot_id, void *buf,
		    size_t size, size_t *ret_len)
{
	_cleanup_close_ int dirfd = open_dir(dir);
	_cleanup_close_ int fd = -1;
	char name[FILE_NAME_LEN];
	struct stat st;
	ssize_t n;

	if (dirfd < 0 || file_name(prefix, boot_id, name) < 0)
		return -ENOENT;
	/* O_NONBLOCK: a fifo of that name must not hold us up. */
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !trusted(&st))
		return -ENOENT;
	if (st.st_size <= 0 || (size_t)st.st_size > size)
		return -ENOENT;
	n = read(fd, buf, size);
	if (n != st.st_size)
		return -ENOENT;
	*ret_len = (size_t)n;
	return 0;
}

/* Files of earlier boots are of no use to anyone. */
static void remove_others(int dirfd, const char *prefix, const char *keep)
{
	size_t len = strlen(prefix);
	const struct dirent *d;
	DIR *dir;
	int fd;

	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		close_fd(&fd);
		return;
	}
	while ((d = readdir(dir)))
		if (strncmp(d->d_name, prefix, len) == 0 && d->d_name[len] == '-' &&
		    strcmp(d->d_name, keep) != 0)
			(void)unlinkat(dirfd, d->d_name, 0);
	closedir(dir);
}

static int make_dir(const char *dir)
{
	char parent[PATH_LEN];
	const char *slash = strrchr(dir, '/');

	if (mkdir(dir, 0700) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT || !slash || slash == dir || (size_t)(slash - dir) >= sizeof(parent))
		return neg_errno();
	memcpy(parent, dir, (size_t)(slash - dir));
	parent[slash - dir] = '\0';
	if (mkdir(parent, 0700) < 0 || mkdir(dir, 0700) < 0)
		return neg_errno();
	return 0;
}

int boot_cache_write(const char *dir, const char *prefix, const char *boot_id, const void *data,
		     size_t len)
{
	_cleanup_close_ int dirfd = -1;
	_cleanup_close_ int fd = -1;
	char name[FILE_NAME_LEN], temp[FILE_NAME_LEN + 16];
	int r = file_name(prefix, boot_id, name);

	if (r == 0)
		r = make_dir(dir);
	if (r < 0)
		return r;
	dirfd = open_dir(dir);
	if (dirfd < 0)
		return dirfd;
	snprintf(temp, sizeof(temp), "%s.%d", name, (int)getpid());
	fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return neg_errno();
	r = write_all(fd, data, len);
	if (r == 0 && renameat(dirfd, temp, dirfd, name) < 0)
		r = neg_errno();
	if (r < 0)
		(void)unlinkat(dirfd, temp, 0);
	else
		remove_others(dirfd, prefix, name);
	return r;
}
