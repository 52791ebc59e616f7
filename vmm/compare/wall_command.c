/* wall_command.c - see wall_command.h. */
#include "vmm/compare/wall_command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/compare/bundle.h"
#include "vmm/compare/network.h"
#include "vmm/compare/qemu.h"

/* Bundles that are kept apart; as many may be in use at a time. */
#define BUNDLES 64

/* Where programs are looked for, on the host and in a root directory. */
#define PATHS "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

const char *const wall_command_names[] = { "none", "process", "vm",   "crun",
					   "runc", "bwrap",   "qemu", NULL };

int wall_command_is_ours(const char *wall)
{
	return strcmp(wall, "none") == 0 || strcmp(wall, "process") == 0 || strcmp(wall, "vm") == 0;
}

bool wall_command_is_machine(const char *wall)
{
	return strcmp(wall, "vm") == 0 || strcmp(wall, "qemu") == 0;
}

int wall_command_status(const char *wall, int status, const char *errors)
{
	return strcmp(wall, "qemu") == 0 ? qemu_status(status, errors) : status;
}

int wall_command_search(const char *root, const char *name, char out[PATH_MAX])
{
	char paths[] = PATHS, *save = NULL;

	for (char *dir = strtok_r(paths, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
		int n = snprintf(out, PATH_MAX, "%s%s/%s", root, dir, name);

		if (n < PATH_MAX && access(out, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

static const char *program_of(const char *wall)
{
	return strcmp(wall, "qemu") == 0 ? QEMU_PROGRAM : wall;
}

int wall_command_find(const char *wall, struct err *e)
{
	char path[PATH_MAX];

	if (wall_command_is_ours(wall))
		return 0;
	if (wall_command_search("", program_of(wall), path) < 0)
		return err_set(e, ENOENT, "%s is not installed", program_of(wall));
	return 0;
}

static void add(struct wall_command *c, size_t *n, ...)
{
	const char *arg;
	va_list args;

	va_start(args, n);
	while ((arg = va_arg(args, const char *)) != NULL)
		c->argv[(*n)++] = arg;
	va_end(args);
	c->argv[*n] = NULL;
}

static const char *root_of(const struct wall_setup *setup)
{
	return setup->disk ? setup->disk->root : setup->root;
}

/* The program's file in the root directory, for the wall that has no root. */
static int in_root(const struct wall_setup *setup, const char *program, char out[PATH_MAX],
		   struct err *e)
{
	int n = snprintf(out, PATH_MAX, "%s/%s", root_of(setup), program);
	int r = 0;

	if (strchr(program, '/') == NULL)
		r = wall_command_search(root_of(setup), program, out);
	else if (n >= PATH_MAX || access(out, X_OK) < 0)
		r = -ENOENT;
	return r < 0 ? err_set(e, ENOENT, "%s is no program in %s", program, root_of(setup)) : 0;
}

/* Where the command finds what it is given, as an argument; NULL: that is nothing. */
static const char *found_at(const struct wall_setup *setup, const char *wall,
			    struct wall_command *ret)
{
	const char *path = WALL_DISK_PATH;

	if (setup->network)
		return NETWORK_HOST;
	if (!setup->disk)
		return NULL;
	if (strcmp(wall, "none") == 0)
		path = setup->disk->file;
	if (wall_command_is_machine(wall))
		path = "/dev/vdb"; /* the first is the root file system */
	snprintf(ret->found, sizeof(ret->found), "%s%s", setup->disk->prefix, path);
	return ret->found;
}

static int make_container(const struct wall_setup *setup, const char *runtime,
			  const char *const *command, size_t n, unsigned int serial,
			  struct wall_command *ret, struct err *e)
{
	const char *args[WALL_COMMAND_ARGS];
	struct bundle bundle = { .root = root_of(setup),
				 .writable = setup->disk,
				 .command = args,
				 .n = n,
				 .netns = setup->network ? setup->peers : NULL,
				 .limits = setup->limits,
				 .disk = setup->disk };
	size_t at = 0;
	int r;

	if (wall_command_search("", runtime, ret->program) < 0)
		return err_set(e, ENOENT, "%s is not installed", runtime);
	/* Of each its own: others may run meanwhile. */
	if (snprintf(ret->text, sizeof(ret->text), "%s/%s-%u", setup->scratch, runtime,
		     serial % BUNDLES) >= (int)sizeof(ret->text))
		return err_set(e, ENAMETOOLONG, "%s", setup->scratch);
	memcpy(args, command, n * sizeof(*args));
	if (found_at(setup, runtime, ret))
		args[bundle.n++] = found_at(setup, runtime, ret);
	r = bundle_write(ret->program, ret->text, &bundle, e);
	if (r < 0)
		return r;
	snprintf(ret->name, sizeof(ret->name), "bulkhead-compare-%d-%u", (int)getpid(), serial);
	add(ret, &at, ret->program, "run", "--bundle", ret->text, ret->name, NULL);
	return 0;
}

static int make_qemu(const struct wall_setup *setup, const char *const *command, size_t n,
		     unsigned int serial, struct wall_command *ret, struct err *e)
{
	const char *args[WALL_COMMAND_ARGS], *found = found_at(setup, "qemu", ret);

	memcpy(args, command, n * sizeof(*args));
	if (found)
		args[n++] = found;
	return qemu_make(setup, args, n, serial, ret, e);
}

static int make_bwrap(const struct wall_setup *setup, struct wall_command *ret, size_t *at,
		      struct err *e)
{
	char *net = ret->options + PATH_MAX;

	if (wall_command_search("", "bwrap", ret->program) < 0)
		return err_set(e, ENOENT, "bwrap is not installed");
	/* It makes a network namespace or stays in the one where it is started. */
	if (setup->network) {
		if (wall_command_search("", "nsenter", ret->options) < 0)
			return err_set(e, ENOENT, "nsenter is not installed");
		snprintf(net, PATH_MAX, "--net=%s", setup->peers);
		add(ret, at, ret->options, net, NULL);
	}
	add(ret, at, ret->program, "--unshare-all", "--die-with-parent", "--new-session",
	    "--cap-drop", "ALL", "--hostname", "bulkhead", setup->disk ? "--bind" : "--ro-bind",
	    root_of(setup), "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs",
	    "/run", setup->network ? "--share-net" : NULL, NULL);
	return 0;
}

/* One of them: there is room for the text of one only. */
static void add_limits(const struct wall_limits *limits, struct wall_command *ret, size_t *at)
{
	if (limits->cpu_percent) {
		snprintf(ret->name, sizeof(ret->name), "%u.%02u", limits->cpu_percent / 100,
			 limits->cpu_percent % 100);
		add(ret, at, "--cpus", ret->name, NULL);
	} else {
		snprintf(ret->name, sizeof(ret->name), "%uM",
			 limits->disk_mib ? limits->disk_mib : limits->memory_mib);
		add(ret, at, limits->disk_mib ? "--disk-bps" : "--memory", ret->name, NULL);
	}
}

/* One of Bulkhead's own. */
static int make_ours(const struct wall_setup *setup, const char *wall, const char *program,
		     struct wall_command *ret, size_t *at, struct err *e)
{
	bool vm = strcmp(wall, "vm") == 0;
	int r = 0;

	add(ret, at, setup->program, "run", "--isolation", wall, NULL);
	if (strcmp(wall, "none") == 0)
		r = in_root(setup, program, ret->text, e);
	else
		add(ret, at, "--rootfs",
		    !setup->disk ? setup->root
		    : vm	 ? setup->disk->vm_root
				 : setup->disk->writable_root,
		    NULL);
	if (setup->disk && vm)
		add(ret, at, "--disk", setup->disk->image, NULL);
	if (setup->network && strcmp(wall, "none") != 0)
		add(ret, at, "--net", NETWORK_OPTION, NULL);
	for (size_t i = 0; setup->options && setup->options[i]; i++)
		add(ret, at, setup->options[i], NULL);
	if (setup->limits)
		add_limits(setup->limits, ret, at);
	if (setup->bounded)
		add(ret, at, "--pids", "64", "--memory", "64M", NULL);
	add(ret, at, "--", NULL);
	return r;
}

int wall_command_make(const struct wall_setup *setup, const char *wall, const char *const *command,
		      size_t n, unsigned int serial, struct wall_command *ret, struct err *e)
{
	size_t at = 0;
	int r = 0;

	if (n + 32 > WALL_COMMAND_ARGS)
		return err_set(e, E2BIG, "a command of more than %d arguments",
			       WALL_COMMAND_ARGS - 32);
	if (setup->limits && strcmp(wall, "bwrap") == 0)
		return err_set(e, ENOTSUP, "bwrap has no limits of its own");
	if (strcmp(wall, "qemu") == 0)
		return make_qemu(setup, command, n, serial, ret, e);
	if (strcmp(wall, "crun") == 0 || strcmp(wall, "runc") == 0)
		return make_container(setup, wall, command, n, serial, ret, e);
	if (strcmp(wall, "bwrap") == 0)
		r = make_bwrap(setup, ret, &at, e);
	else
		r = make_ours(setup, wall, command[0], ret, &at, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		add(ret, &at, i == 0 && ret->text[0] ? ret->text : command[i], NULL);
	if (r == 0) /* an end, when it is NULL */
		add(ret, &at, found_at(setup, wall, ret), NULL);
	return r;
}
