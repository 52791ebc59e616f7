/*
 * probe_cache.c - see probe_cache.h.
 *
 * The directory is opened once, checked, and everything else is done below
 * its descriptor, so that a swapped path cannot lead elsewhere.
 */
#include "vmm/monitor/probe_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/err.h"
#include "vmm/base/util.h"
#include "vmm/monitor/probe.h"

#define CACHE_PREFIX  "probe-"
#define CACHE_VERSION "bulkhead-probe 1"
#define CACHE_MAX     512
#define CACHE_NAME    64
#define PATH_LEN      4096

static bool has_module(const char *root, const char *name)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/sys/module/%s", root, name);
	return access(path, F_OK) == 0;
}

const char *probe_backend(const char *root)
{
	if (has_module(root, "kvm_pvm"))
		return "pvm";
	if (has_module(root, "kvm_intel"))
		return "intel";
	return has_module(root, "kvm_amd") ? "amd" : "unknown";
}

static bool boot_id_valid(const char *id)
{
	return strlen(id) == PROBE_BOOT_ID_LEN &&
	       strspn(id, "0123456789abcdef-") == PROBE_BOOT_ID_LEN;
}

int probe_boot_id(char ret_id[PROBE_BOOT_ID_LEN + 1])
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[PROBE_BOOT_ID_LEN + 1] = { 0 };
	ssize_t n;

	if (fd < 0)
		return neg_errno();
	n = read(fd, text, PROBE_BOOT_ID_LEN);
	if (n < 0)
		return neg_errno();
	if (!boot_id_valid(text))
		return -EINVAL;
	memcpy(ret_id, text, sizeof(text));
	return 0;
}

int probe_cache_dir(char *ret_dir, size_t size)
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

static int file_name(const char *boot_id, char ret_name[CACHE_NAME])
{
	if (!boot_id_valid(boot_id))
		return -EINVAL;
	snprintf(ret_name, CACHE_NAME, CACHE_PREFIX "%s", boot_id);
	return 0;
}

/* The rest of the line after "KEY=", copied; moves *text past the line. */
static bool take_line(char **text, const char *key, char *out, size_t size)
{
	char *end = strchr(*text, '\n');
	size_t len = strlen(key);
	const char *value;

	if (!end || strncmp(*text, key, len) != 0)
		return false;
	*end = '\0';
	value = *text + len;
	if (strlen(value) >= size)
		return false;
	memcpy(out, value, strlen(value) + 1);
	*text = end + 1;
	return true;
}

static bool parse(char *text, struct probe_verdict *ret)
{
	struct probe_verdict v = { 0 };
	char version[8], ok[8];

	if (!take_line(&text, CACHE_VERSION, version, sizeof(version)) || version[0] ||
	    !take_line(&text, "backend=", v.backend, sizeof(v.backend)) ||
	    !take_line(&text, "linux=", ok, sizeof(ok)) ||
	    !take_line(&text, "failed=", v.failed, sizeof(v.failed)) || *text)
		return false;
	if (strcmp(ok, "yes") != 0 && strcmp(ok, "no") != 0)
		return false;
	v.linux_ok = ok[0] == 'y';
	printable(v.failed, sizeof(v.failed), v.failed);
	*ret = v;
	return true;
}

int probe_cache_read(const char *dir, const char *boot_id, const char *backend,
		     struct probe_verdict *ret)
{
	_cleanup_close_ int dirfd = open_dir(dir);
	_cleanup_close_ int fd = -1;
	struct probe_verdict v;
	char name[CACHE_NAME], text[CACHE_MAX];
	struct stat st;
	ssize_t n;

	if (dirfd < 0 || file_name(boot_id, name) < 0)
		return -ENOENT;
	/* O_NONBLOCK: a fifo of that name must not hold us up. */
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !trusted(&st))
		return -ENOENT;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -ENOENT;
	text[n] = '\0';
	if (strlen(text) != (size_t)n || !parse(text, &v) || strcmp(v.backend, backend) != 0)
		return -ENOENT;
	*ret = v;
	return 0;
}

/* Files of earlier boots are of no use to anyone. */
static void remove_others(int dirfd, const char *keep)
{
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
		if (strncmp(d->d_name, CACHE_PREFIX, strlen(CACHE_PREFIX)) == 0 &&
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

int probe_cache_write(const char *dir, const char *boot_id, const struct probe_verdict *v)
{
	_cleanup_close_ int dirfd = -1;
	_cleanup_close_ int fd = -1;
	char name[CACHE_NAME], temp[CACHE_NAME + 16], text[CACHE_MAX];
	int n, r;

	r = file_name(boot_id, name);
	if (r == 0)
		r = make_dir(dir);
	if (r < 0)
		return r;
	dirfd = open_dir(dir);
	if (dirfd < 0)
		return dirfd;
	n = snprintf(text, sizeof(text), "%s\nbackend=%s\nlinux=%s\nfailed=%s\n", CACHE_VERSION,
		     v->backend, v->linux_ok ? "yes" : "no", v->failed);
	if (n < 0 || (size_t)n >= sizeof(text))
		return -E2BIG;
	snprintf(temp, sizeof(temp), "%s.%d", name, (int)getpid());
	fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return neg_errno();
	r = write_all(fd, text, (size_t)n);
	if (r == 0 && renameat(dirfd, temp, dirfd, name) < 0)
		r = neg_errno();
	if (r < 0)
		(void)unlinkat(dirfd, temp, 0);
	else
		remove_others(dirfd, name);
	return r;
}

static int where(char *dir, size_t size, char boot_id[PROBE_BOOT_ID_LEN + 1])
{
	int r = probe_boot_id(boot_id);

	return r < 0 ? r : probe_cache_dir(dir, size);
}

int probe_recall(struct probe_verdict *ret)
{
	char dir[PATH_LEN], boot_id[PROBE_BOOT_ID_LEN + 1];

	if (where(dir, sizeof(dir), boot_id) < 0)
		return -ENOENT;
	return probe_cache_read(dir, boot_id, probe_backend(""), ret);
}

void probe_remember(const struct probe_result *result)
{
	struct probe_verdict v = { .linux_ok = result->linux_ok };
	char dir[PATH_LEN], boot_id[PROBE_BOOT_ID_LEN + 1];
	int first = probe_first_failure(result);

	if (first >= 0) {
		const struct probe_item *item = &result->items[first];

		if (item->outcome != PROBE_FAILS || item->end == PROBE_END_TIME ||
		    item->end == PROBE_END_ERROR)
			return;
		snprintf(v.failed, sizeof(v.failed), "%s", probe_steps[first].name);
	}
	snprintf(v.backend, sizeof(v.backend), "%s", probe_backend(""));
	if (where(dir, sizeof(dir), boot_id) == 0)
		(void)probe_cache_write(dir, boot_id, &v);
}
