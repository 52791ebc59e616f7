/* guest_kernel.c - see guest_kernel.h. */
#include "vmm/image/guest_kernel.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INSTALLED "vmlinux-x86_64"
#define BUILT	  "guest-kernel/x86_64/vmlinux"

/* All of these write "" when there is no such place, or it is too long. */

static void print_path(char out[PATH_MAX], const char *dir, const char *name)
{
	int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);

	if (n < 0 || n >= PATH_MAX)
		out[0] = '\0';
}

static void user_data_path(char out[PATH_MAX])
{
	const char *xdg = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");

	out[0] = '\0';
	if (xdg && xdg[0] == '/')
		print_path(out, xdg, "bulkhead/" INSTALLED);
	else if (home && home[0] == '/')
		print_path(out, home, ".local/share/bulkhead/" INSTALLED);
}

static void build_path(char out[PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t n;

	out[0] = '\0';
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n <= 0)
		return;
	self[n] = '\0';
	/* Drop the file's name and its directory's. */
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(self, '/');

		if (!slash)
			return;
		*slash = '\0';
	}
	print_path(out, self, BUILT);
}

static int keep(const char *path, char **ret_path, struct err *e)
{
	char *copy = strdup(path);

	if (!copy)
		return err_set(e, ENOMEM, "out of memory");
	*ret_path = copy;
	return 0;
}

int guest_kernel_find(const char *given, char **ret_path, struct err *e)
{
	char place[3][PATH_MAX];
	const char *named = getenv("BULKHEAD_KERNEL");

	if (given)
		return keep(given, ret_path, e);
	if (named && *named) {
		if (access(named, R_OK) < 0)
			return err_errno(e, "the guest kernel that BULKHEAD_KERNEL names, %s",
					 named);
		return keep(named, ret_path, e);
	}
	user_data_path(place[0]);
	print_path(place[1], BULKHEAD_DATADIR, INSTALLED);
	build_path(place[2]);
	for (int i = 0; i < 3; i++)
		if (place[i][0] && access(place[i], R_OK) == 0)
			return keep(place[i], ret_path, e);
	return err_set(e, ENOENT,
		       "no guest kernel: run `make guest-kernel`, or give one with --kernel FILE "
		       "(looked for %.100s, %.100s, %.100s)",
		       place[1], place[2], place[0][0] ? place[0] : "nothing of the user's");
}
