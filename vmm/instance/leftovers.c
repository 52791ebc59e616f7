/* leftovers.c - see leftovers.h. */
#include "vmm/instance/leftovers.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/jail/netns.h"
#include "vmm/net/ports.h"

#define CGROUPS	      "/sys/fs/cgroup/"
#define CGROUP_PREFIX "bulkhead-"

/* Version 2 has a file for it; in version 1 each process is named. */
static void kill_members(const char *path)
{
	char name[PATH_MAX];
	int pid;
	FILE *f;

	snprintf(name, sizeof(name), "%s/cgroup.kill", path);
	f = fopen(name, "r+e"); /* which makes no file */
	if (f) {
		fputs("1", f);
		fclose(f);
		return;
	}
	snprintf(name, sizeof(name), "%s/cgroup.procs", path);
	f = fopen(name, "re");
	while (f && fscanf(f, "%d", &pid) == 1)
		if (pid > 1)
			kill(pid, SIGKILL);
	if (f)
		fclose(f);
}

/* A control group of ours: below the hierarchies, its own name with our prefix. */
static int remove_cgroup(const char *path, struct err *e)
{
	const char *last = strrchr(path, '/');

	if (strncmp(path, CGROUPS, strlen(CGROUPS)) != 0 || strstr(path, "/../") || !last ||
	    strncmp(last + 1, CGROUP_PREFIX, strlen(CGROUP_PREFIX)) != 0)
		return err_set(e, EINVAL, "%.100s is no control group of Bulkhead's", path);
	if (strlen(path) + sizeof("/cgroup.kill") > PATH_MAX)
		return err_set(e, ENAMETOOLONG, "a control group's path is too long");
	/* Who was killed just now is still in there for a moment, and who was
	 * forked meanwhile is killed in the next round. */
	for (int i = 0; rmdir(path) < 0; i++) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY || i == 100)
			return err_errno(e, "remove the control group %s", path);
		kill_members(path);
		usleep(5000);
	}
	return 0;
}

/* "NAME net:[NUMBER]", from leftovers_in_netns(): in that network namespace, which
 * need not be ours.  Whatever was in one that is gone is gone with it; another
 * that has its number by now has nothing of that name. */
static int remove_in_netns(const char *value, int (*remove_named)(const char *name, struct err *e),
			   struct err *e)
{
	unsigned long long id = 0;
	uint64_t own = 0;
	char name[32];
	int n = 0, fd, home, r;

	if (sscanf(value, "%31s net:[%llu]%n", name, &id, &n) != 2 || value[n])
		return err_set(e, EINVAL, "its file %s names something without its namespace",
			       LEFTOVERS_FILE);
	r = netns_id(&own, e);
	if (r < 0 || own == id)
		return r < 0 ? r : remove_named(name, e);
	fd = netns_find(id);
	if (fd < 0)
		return 0;
	home = netns_enter(fd, "that it was in", e);
	close(fd);
	if (home < 0)
		return home;
	r = remove_named(name, e);
	return netns_leave(home, r < 0 ? NULL : e) < 0 && r == 0 ? -EIO : r;
}

static int remove_link(const char *value, struct err *e)
{
	return remove_in_netns(value, ports_remove_link, e);
}

static int remove_tables(const char *value, struct err *e)
{
	return remove_in_netns(value, ports_remove_tables, e);
}

static const struct leftover_kind kinds[] = {
	{ "cgroup", remove_cgroup },
	{ "link", remove_link },
	{ "nft", remove_tables },
};

int leftovers_in_netns(char *out, size_t size, const char *name, struct err *e)
{
	uint64_t id;
	int r = netns_id(&id, e);

	if (r == 0)
		snprintf(out, size, "%s net:[%llu]", name, (unsigned long long)id);
	return r;
}

const struct leftover_kind *leftover_kind_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

static int remove_line(char *line, struct err *e)
{
	const struct leftover_kind *kind;
	char *value = strchr(line, ' ');
	char shown[32];

	if (!value)
		return err_set(e, EINVAL, "a line of its file %s is damaged", LEFTOVERS_FILE);
	*value++ = '\0';
	kind = leftover_kind_find(line);
	if (!kind)
		return err_set(e, EINVAL, "its file %s names a %s, which is not known",
			       LEFTOVERS_FILE, printable(shown, sizeof(shown), line));
	return kind->remove(value, e);
}

int leftovers_remove(char *text, struct err *e)
{
	int first = 0;

	while (*text) {
		size_t n = strlen(text);
		char *line;
		struct err why;
		int r;

		if (text[n - 1] == '\n')
			text[--n] = '\0';
		line = strrchr(text, '\n');
		line = line ? line + 1 : text;
		r = remove_line(line, &why);
		if (r < 0 && first == 0) {
			first = r;
			if (e)
				*e = why;
		}
		*line = '\0';
	}
	return first;
}
