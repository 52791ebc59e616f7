/*
 * none.c - the wall that is none: the command is a child like a shell's, with
 * the environment, the working directory, the time limit, the signals and the
 * report that it has behind any wall.  It is there to compare with.
 *
 * It keeps the user's rights, sees the host's files and network, and is not
 * confined in any way.  What it leaves behind is found by who its parents are,
 * by the init between it and the supervisor; were that killed by SIGKILL, the
 * command would die with it, and the command's own children would not.
 */
#include "vmm/walls/host_wall.h"

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
	.open = none_open,
	HOST_WALL_OPS,
	.free = none_free,
};
