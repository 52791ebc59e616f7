/* quota_end.c - see quota_end.h; proc(5), /proc/vmstat. */
#include "vmm/compare/quota_end.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SIGNALLED 128 /* and the signal's number */

bool quota_end_kills(const char *path, uint64_t *ret)
{
	FILE *f = fopen(path, "re");
	bool found = false;
	char line[128];

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "oom_kill %" SCNu64, ret) == 1;
	if (f)
		fclose(f);
	return found;
}

/* How what grew has ended, as its parent prints it. */
static bool child_status(const char *out, unsigned int *ret)
{
	static const char name[] = "memory-ended ";

	for (const char *line = out; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, strlen(name)) == 0)
			return sscanf(line + strlen(name), "%3u", ret) == 1 && *ret <= 255;
	}
	return false;
}

static const char *killer(const struct quota_end_run *run)
{
	if (run->machine)
		return "killed by the guest's kernel";
	return run->host_kills ? "killed by the host's kernel" : "by whom is not known";
}

static void tell_child(const struct quota_end_run *run, unsigned int status, char ret[COMPARE_END])
{
	if (status == 0)
		snprintf(ret, COMPARE_END, "what grew got all that it asked for; nobody died");
	else if (status == SIGNALLED + SIGKILL)
		snprintf(ret, COMPARE_END, "what grew ended by signal %d, %s; its parent lived on",
			 SIGKILL, killer(run));
	else if (status > SIGNALLED)
		snprintf(ret, COMPARE_END, "what grew ended by signal %u; its parent lived on",
			 status - SIGNALLED);
	else
		snprintf(ret, COMPARE_END,
			 "what grew was refused memory and ended by itself; its parent lived on");
}

bool quota_end_tell(const struct quota_end_run *run, char ret[COMPARE_END])
{
	unsigned int status;

	if (run->status == 0) {
		if (!child_status(run->out, &status))
			return false;
		tell_child(run, status, ret);
		return true;
	}
	/* Of a machine it may have been the monitor. */
	if (run->host_kills)
		snprintf(
			ret, COMPARE_END,
			"all of it ended with status %d, while the host's kernel killed for memory",
			run->status);
	else if (run->status == SIGNALLED + SIGKILL)
		snprintf(ret, COMPARE_END, "all of it ended with status %d, %s", run->status,
			 killer(run));
	else
		return false;
	return true;
}
