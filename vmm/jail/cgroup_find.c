/* cgroup_find.c - where control groups can be made: see cgroup.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/util.h"
#include "vmm/jail/cgroup.h"

#define LEAF "bulkhead-supervisor" /* where a caller that is alone in its group moves */

static const struct {
	const char *v1, *v2;
} controllers[CGROUP_CONTROLLERS] = {
	[CGROUP_CTL_CPU] = { "cpu", "cpu" },	      [CGROUP_CTL_CPUACCT] = { "cpuacct", NULL },
	[CGROUP_CTL_MEMORY] = { "memory", "memory" }, [CGROUP_CTL_PIDS] = { "pids", "pids" },
	[CGROUP_CTL_IO] = { "blkio", "io" },
};

/* Is `word` one of a list with commas or blanks between? */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)) != NULL; at += len) {
		bool begins = at == list || strchr(", ", at[-1]);

		if (begins && (at[len] == '\0' || strchr(", \n", at[len])))
			return true;
	}
	return false;
}

/* A small file into `text`.  0 or -errno. */
static int read_text(const char *path, char *text, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (n < 0)
		return neg_errno();
	text[n] = '\0';
	return 0;
}

/*
 * The caller's own group in one hierarchy, from a line "ID:CONTROLLERS:PATH" of
 * cgroups(7): the one with `v1` in its list, or the one with an empty list.
 */
static int own_path(const char *self, const char *v1, char *ret, size_t size)
{
	FILE *f = fopen(self, "re");
	char line[PATH_MAX + 256];
	int r = -ENOENT;

	if (!f)
		return neg_errno();
	while (r < 0 && fgets(line, sizeof(line), f)) {
		char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		if (v1 ? !has_word(list + 1, v1) : list[1] != '\0')
			continue;
		r = strlen(path) < size ? 0 : -ENAMETOOLONG;
		if (r == 0)
			strcpy(ret, path);
	}
	fclose(f);
	return r;
}

/* proc_pid_mountinfo(5): the fields up to " - " and behind it.  A path with a
 * blank in it is written in octal, and is no mount point that we look for. */
struct mount {
	char root[PATH_MAX], at[PATH_MAX], type[32], options[512];
};

static bool parse_mount(const char *line, struct mount *m)
{
	const char *behind = strstr(line, " - ");

	return behind && sscanf(line, "%*s %*s %*s %4095s %4095s", m->root, m->at) == 2 &&
	       sscanf(behind + 3, "%31s %*s %511s", m->type, m->options) == 2;
}

/* The directory of the group `path` under a mount that shows `m->root` of the
 * hierarchy: what is outside of it is at its top. */
static int directory(const struct mount *m, const char *path, char *ret, size_t size)
{
	size_t len = strcmp(m->root, "/") == 0 ? 0 : strlen(m->root);
	const char *rest = strncmp(path, m->root, len) == 0 ? path + len : "";
	int n;

	if (len && rest[0] != '/')
		rest = "";
	if (strstr(rest, "/..") == rest) /* it is not in our namespace */
		rest = "";
	n = snprintf(ret, size, "%s%s", m->at, strcmp(rest, "/") == 0 ? "" : rest);
	return n > 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

/* --- version 1 --- */

static void add_v1(const struct cgroup_host *host, const struct mount *m,
		   struct cgroup_found *found, unsigned int *n)
{
	struct cgroup_found *f = &found[*n];
	char path[PATH_MAX] = "";

	*f = (struct cgroup_found){ .v2 = false };
	for (unsigned int c = 0; c < CGROUP_CONTROLLERS; c++) {
		bool taken = false;

		for (unsigned int i = 0; i < *n; i++)
			taken |= !found[i].v2 && found[i].controllers >> c & 1;
		if (taken || !has_word(m->options, controllers[c].v1) ||
		    own_path(host->self, controllers[c].v1, path, sizeof(path)) < 0)
			continue;
		f->controllers |= 1U << c;
	}
	if (f->controllers && directory(m, path, f->path, sizeof(f->path)) == 0 &&
	    faccessat(AT_FDCWD, f->path, W_OK, AT_EACCESS) == 0)
		++*n;
}

/* --- version 2 --- */

static unsigned int words(const char *text)
{
	unsigned int set = 0;

	for (unsigned int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (controllers[c].v2 && has_word(text, controllers[c].v2))
			set |= 1U << c;
	return set;
}

static unsigned int read_words(const char *dir, const char *name)
{
	char path[PATH_MAX + 64], text[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return read_text(path, text, sizeof(text)) < 0 ? 0 : words(text);
}

/* 0 or -errno. */
static int write_file(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX + 64];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return neg_errno();
	return write_all(fd, text, strlen(text));
}

/* Is this process the only one in there?  A longer list than this is not. */
static bool is_alone(const char *dir)
{
	char path[PATH_MAX + 64], text[64], ours[32];

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	snprintf(ours, sizeof(ours), "%d\n", getpid());
	return read_text(path, text, sizeof(text)) == 0 && strcmp(text, ours) == 0;
}

static int move_to_leaf(const char *dir)
{
	char leaf[PATH_MAX + 32];

	snprintf(leaf, sizeof(leaf), "%s/%s", dir, LEAF);
	if (mkdir(leaf, 0755) < 0 && errno != EEXIST)
		return neg_errno();
	return write_file(leaf, "cgroup.procs", "0");
}

/*
 * Is `dir` a group that can hand controllers down to ones that processes can
 * enter?  Not while processes are in it: those of memory and disks it refuses
 * then, and those of CPU and PIDs it hands down to threads only, and is itself
 * of type "domain threaded" from then on.  The hierarchy's very top, which has no
 * type, is exempt.
 */
static bool can_hand_down(const char *dir)
{
	char path[PATH_MAX + 64], text[64];

	snprintf(path, sizeof(path), "%s/cgroup.type", dir);
	if (read_text(path, text, sizeof(text)) < 0)
		return true;
	if (strcmp(text, "domain\n") != 0)
		return false;
	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	if (read_text(path, text, sizeof(text)) == 0 && !*text)
		return true;
	return is_alone(dir) && move_to_leaf(dir) == 0;
}

/* Have `dir` hand `wanted` down, as far as it has it.  What it hands down. */
static unsigned int hand_down(const char *dir, unsigned int wanted)
{
	unsigned int missing = wanted & read_words(dir, "cgroup.controllers") &
			       ~read_words(dir, "cgroup.subtree_control");

	if (missing && !can_hand_down(dir))
		return 0;
	for (unsigned int c = 0; c < CGROUP_CONTROLLERS; c++) {
		char text[16];

		if (!(missing >> c & 1))
			continue;
		snprintf(text, sizeof(text), "+%s", controllers[c].v2);
		write_file(dir, "cgroup.subtree_control", text);
	}
	return read_words(dir, "cgroup.subtree_control");
}

/* `required` is what version 1 does not have, `wanted` what would be good. */
static void add_v2(const struct cgroup_host *host, const struct mount *m, unsigned int required,
		   unsigned int wanted, struct cgroup_found *found, unsigned int *n)
{
	struct cgroup_found *f = &found[*n];
	char path[PATH_MAX];

	*f = (struct cgroup_found){ .v2 = true };
	if (own_path(host->self, NULL, path, sizeof(path)) < 0 ||
	    directory(m, path, f->path, sizeof(f->path)) < 0)
		return;
	if (faccessat(AT_FDCWD, f->path, W_OK, AT_EACCESS) == 0)
		f->controllers = hand_down(f->path, wanted);
	if (required & ~f->controllers && host->root) {
		f->controllers = hand_down(m->at, wanted);
		strcpy(f->path, m->at);
	}
	if (f->controllers) /* CPU time is counted in any group */
		f->controllers |= 1U << CGROUP_CTL_CPUACCT;
	*n += f->controllers != 0;
}

static unsigned int had(const struct cgroup_found *found, unsigned int n, bool *ret_v2)
{
	unsigned int set = 0;

	*ret_v2 = false;
	for (unsigned int i = 0; i < n; i++) {
		set |= found[i].controllers;
		*ret_v2 |= found[i].v2;
	}
	return set;
}

unsigned int cgroup_find(const struct cgroup_host *host, unsigned int required, unsigned int wanted,
			 struct cgroup_found *found, struct err *e)
{
	FILE *f = fopen(host->mountinfo, "re");
	char line[2 * PATH_MAX];
	unsigned int n = 0;
	bool any = false;

	if (!f) {
		err_errno(e, "open %s", host->mountinfo);
		return 0;
	}
	while (n < CGROUP_PLACES && fgets(line, sizeof(line), f)) {
		struct mount m;
		unsigned int have;
		bool v2;

		if (!strstr(line, " - cgroup") || !parse_mount(line, &m))
			continue;
		any = true;
		have = had(found, n, &v2);
		if (strcmp(m.type, "cgroup") == 0)
			add_v1(host, &m, found, &n);
		else if (strcmp(m.type, "cgroup2") == 0 && !v2)
			add_v2(host, &m, required & ~have, wanted & ~have, found, &n);
	}
	fclose(f);
	if (n == 0)
		err_set(e, EOPNOTSUPP,
			any ? "no control group may be written here"
			    : "this host has no control groups mounted");
	return n;
}
