/*
 * none.c - the wall that is none: the command is a child like a shell's, with
 * the environment, the working directory, the time limit, the signals and the
 * report that it has behind any wall.  It is there to compare with.
 *
 * It keeps the user's rights, sees the host's files and network, and is not
 * confined in any way.  What it leaves behind is found by who its parents are,
 * by the init between it and the supervisor, or by the supervisor if that was
 * killed.
 */
#include <errno.h>
#include <sys/prctl.h>

#include "vmm/walls/host_wall.h"

/* Whose parents have died becomes init's child, and ours when init has. */
static int none_start(struct wall *wall, struct loop *loop, const struct wall_events *events,
		      const struct cgroup *group, struct err *e)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_errno(e, "become the reaper of the command's processes");
	return host_wall_start(wall, loop, events, group, e);
}

static struct wall *none_open(const struct run_config *cfg, const struct wall_console *console,
			      struct err *e)
{
	struct host_wall *w = calloc(1, sizeof(*w));

	if (!w) {
		err_set(e, ENOMEM, "no memory");
		return NULL;
	}
	host_wall_init(w, cfg, console);
	return (struct wall *)w;
}

static void none_free(struct wall *wall)
{
	struct host_wall *w = (struct host_wall *)wall;

	host_wall_close(w);
	free(w);
}

const struct wall_ops wall_none = {
	.name = "none",
	.unconfined = true,
	.passes_files = true,
	.open = none_open,
	HOST_WALL_OPS(none_start),
	.free = none_free,
};
