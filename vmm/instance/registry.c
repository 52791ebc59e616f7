/* registry.c - see registry.h. */
#include "vmm/instance/registry.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/instance/leftovers.h"

#define INSTANCES     "instances"
#define STATE	      "state"
#define CONTROL	      "control"
#define DEAD	      ".dead-"
#define DEAD_NAME_MAX (REGISTRY_NAME_MAX + 40)
#define TRIES	      1000 /* for a name that is given up meanwhile */
#define BACKLOG	      8

/* --- the place --- */

/* Is `path` a directory of this user's own? */
static bool is_own(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

/* BASE.  0 or -ENAMETOOLONG. */
static int base_path(char out[PATH_MAX])
{
	const char *given = getenv("BULKHEAD_RUNTIME_DIR"), *xdg = getenv("XDG_RUNTIME_DIR");
	unsigned int uid = geteuid();
	char user[32];
	int n;

	snprintf(user, sizeof(user), "/run/user/%u", uid);
	if (given && given[0] == '/')
		n = snprintf(out, PATH_MAX, "%s", given);
	else if (uid == 0)
		n = snprintf(out, PATH_MAX, "/run/bulkhead");
	else if (xdg && xdg[0] == '/' && is_own(xdg))
		n = snprintf(out, PATH_MAX, "%s/bulkhead", xdg);
	else if (is_own(user))
		n = snprintf(out, PATH_MAX, "%s/bulkhead", user);
	else
		n = snprintf(out, PATH_MAX, "/tmp/bulkhead-%u", uid);
	return n < 0 || n >= PATH_MAX - 128 ? -ENAMETOOLONG : 0;
}

/* Whoever can write there could take names, and be asked in their stead. */
static int check_own(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(e, "examine %s", path);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return err_set(e, EPERM,
			       "%s must belong to this user and be writable by nobody else; "
			       "BULKHEAD_RUNTIME_DIR may name another directory",
			       path);
	return 0;
}

static int open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* `name` in `at`, made if it is missing, and this user's own. */
static int open_own(int at, const char *name, const char *path, struct err *e)
{
	int fd = open_dir(at, name);
	int r;

	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
			return err_errno(e, "make the directory %s", path);
		fd = open_dir(at, name);
	}
	if (fd < 0)
		return err_errno(e, "open the directory %s", path);
	r = check_own(fd, path, e);
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

int registry_open(struct registry *r, struct err *e)
{
	_cleanup_close_ int base = -1;

	r->fd = -1;
	if (base_path(r->path) < 0)
		return err_set(e, ENAMETOOLONG, "the path of the directory of instances is long");
	base = open_own(AT_FDCWD, r->path, r->path, e);
	if (base < 0)
		return base;
	strcat(r->path, "/" INSTANCES); /* base_path() leaves room */
	r->fd = open_own(base, INSTANCES, r->path, e);
	return MIN(r->fd, 0);
}

void registry_close(struct registry *r)
{
	close_fd(&r->fd);
}

/* --- what is dead --- */

/* A file of an instance's directory as text; its length, or -errno. */
static ssize_t read_text(int dir, const char *name, char *out, size_t size)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	size_t len = 0;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return neg_errno();
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	while (len < size - 1) {
		n = read(fd, out + len, size - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	out[len] = '\0';
	return strlen(out) == len ? (ssize_t)len : -EINVAL;
}

/* Every file of it, and itself.  0 or -errno. */
static int remove_dir(int base, int dir, const char *name)
{
	static const char *const files[] = { CONTROL, STATE, LEFTOVERS_FILE };
	struct dirent *d;
	DIR *list;
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		unlinkat(dir, files[i], 0);
	if (unlinkat(base, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return neg_errno();
	fd = open_dir(dir, ".");
	list = fd < 0 ? NULL : fdopendir(fd);
	if (!list) {
		close_fd(&fd);
		return -ENOTEMPTY;
	}
	while ((d = readdir(list)))
		unlinkat(dir, d->d_name, 0); /* not directories: none of them is ours */
	closedir(list);
	return unlinkat(base, name, AT_REMOVEDIR) < 0 ? neg_errno() : 0;
}

/* With its lock held.  0 or -errno. */
static int clean_up(int base, int dir, const char *name, struct err *e)
{
	char text[LEFTOVERS_TEXT_MAX];
	ssize_t n = read_text(dir, LEFTOVERS_FILE, text, sizeof(text));
	int r = 0;

	if (n < 0 && n != -ENOENT)
		r = err_code(e, (int)n, "read its file %s", LEFTOVERS_FILE);
	else if (n > 0)
		r = leftovers_remove(text, e);
	if (r < 0) /* kept, so that it is tried again */
		return r;
	r = remove_dir(base, dir, name);
	return r < 0 ? err_code(e, r, "remove its directory") : 0;
}

/* --- taking a name --- */

/* While nobody else takes a name or looks for the dead. */
static int lock_names(const struct registry *r, struct err *e)
{
	return flock(r->fd, LOCK_EX) < 0 ? err_errno(e, "lock the directory %s", r->path) : 0;
}

static void unlock_names(const struct registry *r)
{
	flock(r->fd, LOCK_UN);
}

/* Is the directory, whose lock we have, this user's, and does it still have its
 * name?  0, -ENOENT, -EPERM. */
static int examine(int dir, struct stat *st)
{
	if (fstat(dir, st) < 0)
		return neg_errno();
	if (st->st_nlink == 0)
		return -ENOENT;
	return st->st_uid == geteuid() ? 0 : -EPERM;
}

/* A dead instance's directory, which is locked: its name is free from now on. */
static int set_aside(const struct registry *r, int dir, const char *name, char out[DEAD_NAME_MAX])
{
	struct stat st;
	int code = examine(dir, &st);

	if (code < 0)
		return code;
	snprintf(out, DEAD_NAME_MAX, DEAD "%llx-%.64s", (unsigned long long)st.st_ino, name);
	return renameat(r->fd, name, r->fd, out) < 0 ? neg_errno() : 0;
}

/* With the names locked.  0; -EAGAIN: it was given up just now; -EEXIST; -errno. */
static int try_take(const struct registry *r, const char *name, int *ret_fd, struct err *e)
{
	bool made = mkdirat(r->fd, name, 0700) == 0;
	_cleanup_close_ int fd = -1;
	char aside[DEAD_NAME_MAX];
	int code;

	if (!made && errno != EEXIST)
		return err_errno(e, "make the directory %s/%s", r->path, name);
	fd = open_dir(r->fd, name);
	if (fd < 0 && errno == ENOENT)
		return -EAGAIN;
	if (fd < 0)
		return err_errno(e, "open the directory %s/%s", r->path, name);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return err_errno(e, "lock the directory %s/%s", r->path, name);
		return err_set(e, EEXIST, "an instance of the name %s is running already", name);
	}
	if (made) {
		*ret_fd = take_fd(&fd);
		return 0;
	}
	/* A dead one, which a sweep has not met yet. */
	code = set_aside(r, fd, name, aside);
	if (code < 0 && code != -ENOENT)
		return err_code(e, code, "rename the directory %s/%s", r->path, name);
	return -EAGAIN;
}

int registry_take(struct registry *r, const char *name, const char *wall, const char *uuid,
		  struct registration *ret, struct err *e)
{
	int code;

	*ret = (struct registration){ .base_fd = -1, .fd = -1, .control_fd = -1 };
	if (name)
		snprintf(ret->name, sizeof(ret->name), "%s", name);
	else
		snprintf(ret->name, sizeof(ret->name), "%.20s-%.8s", wall, uuid);
	code = lock_names(r, e);
	if (code < 0)
		return code;
	code = -EAGAIN;
	for (int i = 0; i < TRIES && code == -EAGAIN; i++)
		code = try_take(r, ret->name, &ret->fd, e);
	unlock_names(r);
	if (code == -EAGAIN)
		return err_set(e, EAGAIN, "the name %s cannot be taken", ret->name);
	if (code == 0)
		ret->base_fd = take_fd(&r->fd);
	return code;
}

/* --- an instance of ours --- */

/* A socket's path has 107 bytes at most: by the descriptor it always fits. */
static int listen_at(const struct registration *reg, struct err *e)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" CONTROL, reg->fd);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return err_errno(e, "make the control socket");
	return take_fd(&fd);
}

static int write_file(int dir, const char *name, int flags, const char *text, size_t len)
{
	_cleanup_close_ int fd =
		openat(dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, 0600);

	return fd < 0 ? neg_errno() : write_all(fd, text, len);
}

int registration_publish(struct registration *reg, const struct record *record, struct err *e)
{
	char text[RECORD_TEXT_MAX];
	size_t len = record_format(text, record);
	int r = listen_at(reg, e);

	if (r < 0)
		return r;
	reg->control_fd = r;
	r = write_file(reg->fd, STATE, 0, text, len);
	return r < 0 ? err_code(e, r, "write the instance's state") : 0;
}

int registration_note(const struct registration *reg, const char *kind, const char *value,
		      struct err *e)
{
	char line[PATH_MAX + 32];
	int n = snprintf(line, sizeof(line), "%s %s\n", kind, value);
	int r;

	if (n < 0 || (size_t)n >= sizeof(line) || strchr(value, '\n'))
		return err_set(e, EINVAL, "the %s cannot be noted", kind);
	r = write_file(reg->fd, LEFTOVERS_FILE, O_APPEND, line, (size_t)n);
	return r < 0 ? err_code(e, r, "note the %s", kind) : 0;
}

void registration_end(struct registration *reg)
{
	close_fd(&reg->control_fd);
	if (reg->fd >= 0) {
		unlinkat(reg->fd, CONTROL, 0);
		unlinkat(reg->fd, STATE, 0);
		unlinkat(reg->fd, LEFTOVERS_FILE, 0);
		unlinkat(reg->base_fd, reg->name, AT_REMOVEDIR);
	}
	close_fd(&reg->fd);
	close_fd(&reg->base_fd);
}

void registration_leave(struct registration *reg)
{
	close_fd(&reg->control_fd);
	close_fd(&reg->fd);
	close_fd(&reg->base_fd);
}

/* --- looking --- */

/* What the directory `dir` may be the state of; "": of nothing.  Names come
 * from check_name() in config, which begin with no dot. */
static void name_of(const char *dir, char out[REGISTRY_NAME_MAX + 1])
{
	if (strncmp(dir, DEAD, strlen(DEAD)) == 0) {
		const char *dash = strchr(dir + strlen(DEAD), '-');

		dir = dash ? dash + 1 : "";
	}
	out[0] = '\0';
	if (dir[0] != '.' && strlen(dir) <= REGISTRY_NAME_MAX)
		snprintf(out, REGISTRY_NAME_MAX + 1, "%.64s", dir);
}

/* With the names locked: how is the instance of entry->dir?  A dead one's
 * directory is set aside and its lock kept, in entry->fd.  False: it is gone,
 * or somebody cleans it up. */
static bool look(const struct registry *r, struct instance_entry *entry)
{
	_cleanup_close_ int fd = open_dir(r->fd, entry->dir);
	bool aside = entry->dir[0] == '.';
	char text[RECORD_TEXT_MAX];
	struct stat st;
	int code;

	entry->fd = -1;
	entry->state = INSTANCE_DEAD;
	if (fd < 0 && errno == ENOENT)
		return false;
	if (fd < 0) {
		snprintf(entry->problem, sizeof(entry->problem),
			 "%s is no directory that can be opened: %s", entry->dir, strerror(errno));
		return true;
	}
	if (read_text(fd, STATE, text, sizeof(text)) > 0)
		entry->has_record = record_parse(text, &entry->record) == 0;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		entry->state = entry->has_record ? INSTANCE_RUNNING : INSTANCE_STARTING;
		return !aside;
	}
	code = aside ? examine(fd, &st) : set_aside(r, fd, entry->name, entry->dir);
	if (code == -ENOENT)
		return false;
	if (code < 0)
		snprintf(entry->problem, sizeof(entry->problem), "set its directory aside: %s",
			 strerror(-code));
	else
		entry->fd = take_fd(&fd);
	return true;
}

/* Look at up to `max` directories.  *ret is the caller's to free. */
static int look_at_all(const struct registry *r, unsigned int max, struct instance_entry **ret,
		       size_t *ret_n, struct err *e)
{
	int fd = open_dir(r->fd, ".");
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct instance_entry *all = NULL, *more;
	struct dirent *d;
	size_t n = 0;

	if (!list) {
		int code = err_errno(e, "read the directory %s", r->path);

		close_fd(&fd);
		return code;
	}
	for (unsigned int seen = 0; seen < max && (d = readdir(list));) {
		char name[REGISTRY_NAME_MAX + 1];

		name_of(d->d_name, name);
		if (!name[0] || strlen(d->d_name) >= sizeof(all->dir))
			continue;
		seen++;
		more = reallocarray(all, n + 1, sizeof(*all));
		if (!more)
			break; /* the rest is for the next time */
		all = more;
		memset(&all[n], 0, sizeof(all[n]));
		strcpy(all[n].name, name);
		strcpy(all[n].dir, d->d_name);
		n += look(r, &all[n]) ? 1 : 0;
	}
	closedir(list);
	*ret = all;
	*ret_n = n;
	return 0;
}

/* All of the dead, when the names are free again for others. */
static void clean_up_all(const struct registry *r, struct instance_entry *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct err why = { "" };

		if (all[i].fd < 0)
			continue;
		if (clean_up(r->fd, all[i].fd, all[i].dir, &why) < 0)
			snprintf(all[i].problem, sizeof(all[i].problem), "%s", why.text);
		close_fd(&all[i].fd);
	}
}

static int by_name(const void *a, const void *b)
{
	const struct instance_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int registry_list(struct registry *r, struct instance_entry **ret, size_t *ret_n, struct err *e)
{
	struct instance_entry *all = NULL;
	size_t n = 0;
	int code = lock_names(r, e);

	if (code < 0)
		return code;
	code = look_at_all(r, UINT_MAX, &all, &n, e);
	unlock_names(r);
	if (code < 0)
		return code;
	clean_up_all(r, all, n);
	if (n)
		qsort(all, n, sizeof(*all), by_name);
	*ret = all;
	*ret_n = n;
	return 0;
}

void registry_sweep(struct registry *r, unsigned int max)
{
	_cleanup_free_ struct instance_entry *all = NULL;
	struct err e = { "" };
	size_t n = 0;

	if (lock_names(r, &e) == 0) {
		look_at_all(r, max, &all, &n, &e);
		unlock_names(r);
	}
	clean_up_all(r, all, n);
	for (size_t i = 0; i < n; i++)
		if (all[i].problem[0])
			log_info("the dead instance %s: %s", all[i].name, all[i].problem);
}

int registry_find(const struct registry *r, const char *name, struct err *e)
{
	_cleanup_close_ int fd = -1;
	char shown[REGISTRY_NAME_MAX + 1];
	bool dead = true;
	int code = lock_names(r, e);

	if (code < 0)
		return code;
	if (name[0] != '.' && !strchr(name, '/'))
		fd = open_dir(r->fd, name);
	/* A lock that can be had was nobody's; it is given back by close(). */
	if (fd >= 0)
		dead = flock(fd, LOCK_SH | LOCK_NB) == 0;
	if (dead)
		close_fd(&fd);
	unlock_names(r);
	if (dead)
		return err_set(e, ENOENT,
			       "no instance of the name %s is running ('bulkhead ps' lists them)",
			       printable(shown, sizeof(shown), name));
	return take_fd(&fd);
}

int registry_read(int dir, struct record *ret, struct err *e)
{
	char text[RECORD_TEXT_MAX];

	if (read_text(dir, STATE, text, sizeof(text)) <= 0 || record_parse(text, ret) < 0)
		return err_set(e, ENOENT, "it is only starting, or its file %s is damaged", STATE);
	return 0;
}
