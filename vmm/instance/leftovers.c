/* leftovers.c - see leftovers.h. */
#include "vmm/instance/leftovers.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/util.h"

#define CGROUPS	      "/sys/fs/cgroup/"
#define CGROUP_PREFIX "bulkhead-"

/* A control group of ours: below the hierarchies, its own name with our prefix. */
static int remove_cgroup(const char *path, struct err *e)
{
	const char *last = strrchr(path, '/');
	char kill[PATH_MAX];
	int n, fd;

	if (strncmp(path, CGROUPS, strlen(CGROUPS)) != 0 || strstr(path, "/../") || !last ||
	    strncmp(last + 1, CGROUP_PREFIX, strlen(CGROUP_PREFIX)) != 0)
		return err_set(e, EINVAL, "%.100s is no control group of Bulkhead's", path);
	n = snprintf(kill, sizeof(kill), "%s/cgroup.kill", path);
	if (n < 0 || (size_t)n >= sizeof(kill))
		return err_set(e, ENAMETOOLONG, "a control group's path is too long");
	fd = open(kill, O_WRONLY | O_CLOEXEC); /* v2 only */
	if (fd >= 0) {
		ssize_t written = write(fd, "1", 1);

		(void)written;
		close(fd);
	}
	/* Who was killed just now is still in there for a moment. */
	for (int i = 0; rmdir(path) < 0; i++) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY || i == 100)
			return err_errno(e, "remove the control group %s", path);
		usleep(5000);
	}
	return 0;
}

static const struct leftover_kind kinds[] = {
	{ "cgroup", remove_cgroup },
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
