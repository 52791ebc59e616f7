/*
 * compare.c - `bulkhead compare`: hand over to bulkhead-compare, a program of
 * its own, so that what measures and draws is not in what runs guests.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/cli/cli.h"

#define NAME "bulkhead-compare"

int cmd_compare(int argc, char **argv, struct err *e, int *ret_status)
{
	static const char *const places[] = { NAME, "../libexec/bulkhead/" NAME };
	_cleanup_free_ char **args = calloc((size_t)argc + 2, sizeof(*args));
	char self[PATH_MAX], path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int dir;

	(void)ret_status;
	if (n < 0 || !args)
		return err_errno(e, "read /proc/self/exe");
	self[n] = '\0';
	dir = (int)(strrchr(self, '/') - self);
	args[0] = self;
	memcpy(args + 1, argv, (size_t)argc * sizeof(*args));
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (snprintf(path, sizeof(path), "%.*s/%s", dir, self, places[i]) < PATH_MAX)
			execv(path, args);
	return err_errno(
		e, "run " NAME ", which is looked for in %.*s and in %.*s/../libexec/bulkhead", dir,
		self, dir, self);
}
