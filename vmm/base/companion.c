/* companion.c - see companion.h. */
#include "vmm/base/companion.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/util.h"

int companion_exec(const char *name, char *const *args, struct err *e)
{
	static const char *const places[] = { "", "../libexec/bulkhead/" };
	_cleanup_free_ char **argv = NULL;
	char self[PATH_MAX], path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t n = 0;
	int dir;

	while (args[n])
		n++;
	argv = calloc(n + 2, sizeof(*argv));
	if (len < 0 || !argv)
		return err_errno(e, "read /proc/self/exe");
	self[len] = '\0';
	dir = (int)(strrchr(self, '/') - self);
	argv[0] = self;
	memcpy(argv + 1, args, n * sizeof(*argv));
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (snprintf(path, sizeof(path), "%.*s/%s%s", dir, self, places[i], name) <
		    PATH_MAX)
			execv(path, argv);
	return err_errno(e, "run %s, which is looked for in %.*s and in %.*s/../libexec/bulkhead",
			 name, dir, self, dir, self);
}
