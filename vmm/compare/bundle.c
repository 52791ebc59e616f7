/* bundle.c - see bundle.h; OCI runtime specification, config.md. */
#include "vmm/compare/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/util.h"

/* `RUNTIME spec` writes into its working directory. */
static int run_spec(const char *runtime, const char *dir, struct err *e)
{
	const char *argv[] = { runtime, "spec", NULL };
	posix_spawn_file_actions_t actions;
	extern char **environ;
	int r, status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addchdir_np(&actions, dir);
	r = posix_spawn(&pid, runtime, &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		return err_code(e, -r, "start %s", runtime);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0 ? 0 : err_set(e, EIO, "'%s spec' failed", runtime);
}

/* config-linux.md, "Block IO": the same in both directions. */
static int limit_disk(json_t *resources, unsigned int mib, const struct wall_disk *disk)
{
	json_int_t rate = (json_int_t)mib << 20;
	json_t *one = json_pack("[{s:i, s:i, s:I}]", "major", (int)disk->major, "minor",
				(int)disk->minor, "rate", rate);
	int r = json_object_set_new(resources, "blockIO",
				    json_pack("{s:O, s:O}", "throttleReadBpsDevice", one,
					      "throttleWriteBpsDevice", one));

	json_decref(one);
	return r;
}

/* config-linux.md, "Control groups".  Of what the runtime has there by itself, the
 * list of devices, nothing is taken away. */
static int limit(json_t *spec, const struct wall_limits *limits, const struct wall_disk *disk)
{
	json_t *of_linux = json_object_get(spec, "linux");
	json_t *resources = json_object_get(of_linux, "resources");
	int r = 0;

	if (!resources) {
		resources = json_object();
		r = json_object_set_new(of_linux, "resources", resources);
	}
	/* The bundle may be one that had others the last time. */
	json_object_del(resources, "cpu");
	json_object_del(resources, "memory");
	json_object_del(resources, "blockIO");
	if (limits && limits->cpu_percent)
		r |= json_object_set_new(resources, "cpu",
					 json_pack("{s:i, s:i}", "quota",
						   (int)limits->cpu_percent * 1000, "period",
						   100000));
	if (limits && limits->memory_mib)
		r |= json_object_set_new(
			resources, "memory",
			json_pack("{s:I}", "limit", (json_int_t)limits->memory_mib << 20));
	if (limits && limits->disk_mib)
		r |= limit_disk(resources, limits->disk_mib, disk);
	return r;
}

/* config-linux.md, "Namespaces". */
static int join_network(json_t *spec, const char *netns)
{
	json_t *list = json_object_get(json_object_get(spec, "linux"), "namespaces"), *one;
	int r = netns ? -1 : 0;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *type = json_string_value(json_object_get(one, "type"));

		if (!type || strcmp(type, "network") != 0)
			continue;
		json_object_del(one, "path"); /* the last bundle's */
		if (netns)
			r = json_object_set_new(one, "path", json_string(netns));
	}
	return r;
}

static int change(json_t *spec, const struct bundle *bundle)
{
	json_t *process = json_object_get(spec, "process"), *args = json_array();
	json_t *root = json_object_get(spec, "root");
	int r = 0;

	for (size_t i = 0; i < bundle->n; i++)
		r |= json_array_append_new(args, json_string(bundle->command[i]));
	r |= json_object_set_new(process, "args", args);
	r |= json_object_set_new(process, "terminal", json_false());
	r |= json_object_set_new(root, "readonly", json_boolean(!bundle->writable));
	r |= limit(spec, bundle->limits, bundle->disk);
	r |= join_network(spec, bundle->netns);
	return r | json_object_set_new(root, "path", json_string(bundle->root));
}

int bundle_write(const char *runtime, const char *dir, const struct bundle *bundle, struct err *e)
{
	char path[PATH_MAX];
	json_error_t error;
	json_t *spec;
	int r = 0;

	if (bundle->limits && bundle->limits->disk_mib &&
	    !(bundle->disk && (bundle->disk->major || bundle->disk->minor)))
		return err_set(e, ENOTSUP, "the disk to be limited is not known");
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_errno(e, "make %s", dir);
	if (snprintf(path, sizeof(path), "%s/config.json", dir) >= (int)sizeof(path))
		return err_set(e, ENAMETOOLONG, "%s", dir);
	if (access(path, F_OK) < 0)
		r = run_spec(runtime, dir, e);
	if (r < 0)
		return r;
	spec = json_load_file(path, 0, &error);
	if (!spec || change(spec, bundle) != 0 || json_dump_file(spec, path, JSON_INDENT(1)) < 0)
		r = err_set(e, EIO, "write %s", path);
	json_decref(spec);
	return r;
}
