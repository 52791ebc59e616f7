/*
 * ps.c - the commands that concern running instances: `bulkhead ps`, `bulkhead
 * stop`.
 */
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/named.h"
#include "vmm/instance/control.h"
#include "vmm/instance/registry.h"

#define SHOWN_COMMAND 60 /* columns of the command in the table */

static const struct option ps_options[] = {
	{
		.name = "json",
		.help = "the list as JSON, for programs",
		.man = "Print the list as a JSON array, see\n"
		       ".Sx OUTPUT .",
	},
};

static int ps_set(void *config, int setting, const char *value, struct err *e)
{
	bool *json = config;

	(void)setting;
	(void)value;
	(void)e;
	*json = true;
	return 0;
}

const struct command command_ps = {
	.name = "ps",
	.usage = "[--json]",
	.summary = "List this user's instances, and remove what dead ones have left.",
	.options = ps_options,
	.noptions = ARRAY_SIZE(ps_options),
	.set = ps_set,
};

const struct command command_stop = {
	.name = "stop",
	.usage = "NAME",
	.summary = "End a running instance in order, and wait until it has ended.",
	.operands = true,
};

static const char *state_word(const struct instance_entry *entry)
{
	static const char *const words[] = {
		[INSTANCE_STARTING] = "starting",
		[INSTANCE_RUNNING] = "running",
		[INSTANCE_DEAD] = "dead",
	};

	return words[entry->state];
}

/* RFC 3339 with milliseconds, in UTC. */
static void format_time(char out[32], uint64_t ns)
{
	time_t s = (time_t)(ns / NS_PER_S);
	struct tm tm;
	size_t n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", gmtime_r(&s, &tm));

	snprintf(out + n, 32 - n, ".%03uZ", (unsigned int)(ns % NS_PER_S / NS_PER_MS));
}

static json_t *to_json(const struct instance_entry *entry)
{
	const struct record *r = &entry->record;
	char started[32];

	if (!entry->has_record)
		return json_pack("{s:s, s:n, s:n, s:n, s:s, s:n, s:n}", "name", entry->name, "uuid",
				 "wall", "pid", "state", state_word(entry), "started", "command");
	format_time(started, r->started_ns);
	return json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:s}", "name", entry->name, "uuid",
			 r->uuid, "wall", r->wall, "pid", (int)r->pid, "state", state_word(entry),
			 "started", started, "command", r->command);
}

static int print_json(const struct instance_entry *all, size_t n, struct err *e)
{
	json_t *list = json_array();
	int r;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, to_json(&all[i]));
	r = json_dumpf(list, stdout, JSON_INDENT(2));
	json_decref(list);
	if (r < 0)
		return err_errno(e, "write the list");
	putchar('\n');
	return 0;
}

static void print_table(const struct instance_entry *all, size_t n)
{
	int width = 4;

	for (size_t i = 0; i < n; i++)
		width = MAX(width, (int)strlen(all[i].name));
	printf("%-*s  %-8s %8s  %-9s %-24s  %s\n", width, "NAME", "WALL", "PID", "STATE", "STARTED",
	       "COMMAND");
	for (size_t i = 0; i < n; i++) {
		const struct record *r = &all[i].record;
		char started[32] = "-";

		if (all[i].has_record)
			format_time(started, r->started_ns);
		printf("%-*s  %-8s %8d  %-9s %-24s  %.*s%s\n", width, all[i].name,
		       r->wall[0] ? r->wall : "-", (int)r->pid, state_word(&all[i]), started,
		       SHOWN_COMMAND, r->command[0] ? r->command : "-",
		       strlen(r->command) > SHOWN_COMMAND ? "..." : "");
	}
}

static int list(bool json, struct err *e)
{
	_cleanup_free_ struct instance_entry *all = NULL;
	struct registry registry;
	size_t n = 0;
	int r = registry_open(&registry, e);

	if (r < 0)
		return r;
	r = registry_list(&registry, &all, &n, e);
	registry_close(&registry);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if (all[i].problem[0])
			log_warn("%s: %s", all[i].name, all[i].problem);
	if (json)
		r = print_json(all, n, e);
	else
		print_table(all, n);
	return r < 0 ? r : cli_flush(e);
}

int cmd_ps(int argc, char **argv, struct err *e, int *ret_status)
{
	struct options_result result;
	bool json = false;
	int r = options_parse(&command_ps, argc, argv, &json, &result, e);

	if (r < 0)
		return r;
	*ret_status = 0;
	if (result.help) {
		options_print_help(&command_ps, stdout);
		return cli_flush(e);
	}
	return list(json, e);
}

/* --- stop --- */

static int stop(const char *name, struct err *e)
{
	_cleanup_close_ int dir = named_open(name, e);
	char answer[CONTROL_MAX];
	int r;

	if (dir < 0)
		return dir;
	r = control_ask(dir, "stop", answer, e);
	if (r < 0)
		return r;
	/* Its supervisor has the lock for as long as there is anything. */
	return flock(dir, LOCK_SH) < 0 ? err_errno(e, "wait for its end") : 0;
}

int cmd_stop(int argc, char **argv, struct err *e, int *ret_status)
{
	const char *name = NULL;
	bool help;
	int r = named_parse(&command_stop, argc, argv, NULL, &name, &help, e);

	if (r < 0)
		return r;
	*ret_status = 0;
	if (help) {
		options_print_help(&command_stop, stdout);
		return cli_flush(e);
	}
	r = stop(name, e);
	if (r < 0)
		err_context(e, "stop");
	return r;
}
