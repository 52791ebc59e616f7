/* leftovers.c - see leftovers.h. */
#include "vmm/instance/leftovers.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/util.h"
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

static const struct leftover_kind kinds[] = {
	{ "cgroup", remove_cgroup },
	{ "link", ports_remove_link },
	{ "nft", ports_remove_tables },
};

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
