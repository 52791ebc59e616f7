/*
 * remove.c - see remove.h.
 *
 * What is deep in the tree is moved to its top and emptied there, so that
 * neither the stack nor the number of open files depends on the tree.
 */
#include "vmm/image/remove.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/err.h"
#include "vmm/base/util.h"

/* A directory that may be read and emptied from now on. */
static DIR *open_for_emptying(int dir, const char *name)
{
	_cleanup_close_ int path = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char self[32];
	DIR *d;
	int fd;

	if (path < 0)
		return NULL;
	/* chmod(2) by that name: fchmodat() would follow what is there by now. */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", path);
	if (chmod(self, 0700) < 0)
		return NULL;
	fd = openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		close_fd(&fd);
	return d;
}

/* Move the directory `name` of `from` to `top`, by a name that nobody has there. */
static int move_up(int from, const char *name, int top, unsigned long *number)
{
	DIR *d = open_for_emptying(from, name); /* its ".." is about to be written */
	char new[32];

	if (!d)
		return neg_errno();
	closedir(d);
	for (;;) {
		snprintf(new, sizeof(new), ".%lu", (*number)++);
		if (renameat2(from, name, top, new, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return neg_errno();
	}
}

/* Empty the directory `name` of `top`: its directories go up to `top`. */
static int empty(int top, const char *name, unsigned long *number)
{
	DIR *d = open_for_emptying(top, name);
	struct dirent *entry;
	int r = 0;

	if (!d)
		return neg_errno();
	while (r == 0 && (entry = readdir(d))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(d), entry->d_name, 0) == 0)
			continue;
		r = errno == EISDIR ? move_up(dirfd(d), entry->d_name, top, number) : neg_errno();
	}
	closedir(d);
	return r;
}

/* One go through the top; *ret_more: something was there. */
static int sweep(DIR *top, unsigned long *number, bool *ret_more)
{
	struct dirent *entry;
	int r = 0;

	*ret_more = false;
	rewinddir(top);
	while (r == 0 && (entry = readdir(top))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		*ret_more = true;
		if (unlinkat(dirfd(top), entry->d_name, 0) == 0)
			continue;
		if (errno != EISDIR)
			return neg_errno();
		r = empty(dirfd(top), entry->d_name, number);
		if (r == 0 && unlinkat(dirfd(top), entry->d_name, AT_REMOVEDIR) < 0)
			r = neg_errno();
	}
	return r;
}

int remove_tree(int dir, const char *name)
{
	DIR *top = open_for_emptying(dir, name);
	unsigned long number = 0;
	bool more = true;
	int r = 0;

	if (!top)
		return errno == ENOENT ? 0 : neg_errno();
	while (r == 0 && more)
		r = sweep(top, &number, &more);
	closedir(top);
	if (r == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0)
		r = neg_errno();
	return r;
}
