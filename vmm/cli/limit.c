/*
 * limit.c - `bulkhead limit`: the limits of a running instance, changed and
 * shown.
 *
 * Values are read as `run` reads them.  What is sent is "KEY NUMBER" per line,
 * 0 for no limit; the answer is all of the limits in the same form.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/named.h"
#include "vmm/config/run_config.h"
#include "vmm/instance/control.h"
#include "vmm/instance/limits.h"

#define SET_JSON RUN_SET_COUNT

struct limit_request {
	struct run_config cfg; /* only what the limits need of it */
	uint64_t none;	       /* a bit per setting: no limit */
	bool json;
};

#define LIMIT_OPTION(n, a, h, m, s)                                                                \
	{                                                                                          \
		.name = n, .arg = a, .help = h, .man = m, .setting = s                             \
	}

static const struct option limit_options[] = {
	LIMIT_OPTION("cpus", "N[.N]|none", "how many CPUs it may use",
		     "How many CPUs it may use.\nA guest keeps the CPUs that it has: the quota "
		     "bounds their time.",
		     RUN_SET_CPUS),
	LIMIT_OPTION("cpu-weight", "N|none", "share of busy CPUs, 1 to 10000",
		     "The share of the CPUs' time while others want it too.", RUN_SET_CPU_WEIGHT),
	LIMIT_OPTION(
		"memory", "SIZE|none", "the most memory (not for vm)",
		"The most memory.\nMore may be in use already: then what can be reclaimed is, and "
		"with control\ngroups of version 2 processes of the instance are killed, "
		"while version 1\nrefuses.\nNot for a guest, whose memory is its hardware.",
		RUN_SET_MEMORY),
	LIMIT_OPTION(
		"pids", "N|none", "the most processes and threads",
		"The most processes and threads.\nWhat there is already stays.\n"
		"A guest's own kernel keeps it, within moments, if the guest was started with a\n"
		"number and its init is Bulkhead's.",
		RUN_SET_PIDS),
	LIMIT_OPTION("disk-bps", "SIZE|none", "bytes per second of each disk",
		     "The most bytes per second of each disk.", RUN_SET_DISK_BPS),
	LIMIT_OPTION("disk-iops", "N|none", "requests per second of each disk",
		     "The most requests per second of each disk.", RUN_SET_DISK_IOPS),
	LIMIT_OPTION("net-bps", "SIZE|none", "bytes per second of each interface",
		     "The most bytes per second of each interface, in each direction.",
		     RUN_SET_NET_BPS),
	{
		.name = "json",
		.help = "the limits as JSON, for programs",
		.man = "Print the limits as a JSON object: the numbers in units of one, CPUs in\n"
		       "thousandths\n"
		       ".Pq Va cpus_milli ,\n"
		       "null for no limit.",
		.setting = SET_JSON,
	},
};

static int limit_set(void *config, int setting, const char *value, struct err *e)
{
	struct limit_request *rq = config;

	if (setting == SET_JSON) {
		rq->json = true;
		return 0;
	}
	if (strcmp(value, "none") == 0) {
		rq->none |= 1ULL << setting;
		return 0;
	}
	return run_config_set(&rq->cfg, (enum run_setting)setting, value, e);
}

const struct command command_limit = {
	.name = "limit",
	.usage = "NAME [options]",
	.summary = "Change the limits of a running instance, and show them.",
	.details = "Without an option that changes one they are shown.\n"
		   "More in bulkhead-limit(1).",
	.operands = true,
	.options = limit_options,
	.noptions = ARRAY_SIZE(limit_options),
	.set = limit_set,
};

static uint64_t value_of(const struct limit_request *rq, enum run_setting setting)
{
	const struct limits_config *l = &rq->cfg.limits;

	if (rq->none >> setting & 1)
		return 0;
	switch (setting) {
	case RUN_SET_CPUS:
		return l->cpus_milli;
	case RUN_SET_CPU_WEIGHT:
		return l->cpu_weight;
	case RUN_SET_MEMORY:
		return rq->cfg.memory_bytes;
	case RUN_SET_PIDS:
		return l->pids;
	case RUN_SET_DISK_BPS:
		return l->disk_bps;
	case RUN_SET_DISK_IOPS:
		return l->disk_iops;
	default:
		return l->net_bps;
	}
}

static void write_request(const struct limit_request *rq, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "limit\n");

	for (unsigned int i = 0; i < LIMITS_KEYS; i++) {
		enum run_setting s = limits_setting(i);

		if ((rq->cfg.given | rq->none) >> s & 1)
			n += (size_t)snprintf(out + n, size - n, "%s %" PRIu64 "\n", limits_key(i),
					      value_of(rq, s));
	}
}

/* As `run` would take it. */
static void print_value(const char *key, uint64_t value)
{
	if (value == 0)
		printf("%-11s none\n", key);
	else if (strcmp(key, "cpus") == 0)
		printf("%-11s %" PRIu64 ".%03" PRIu64 "\n", key, value / 1000, value % 1000);
	else
		printf("%-11s %" PRIu64 "\n", key, value);
}

/* The answer is of a process of this user's; still, only numbers are read. */
static int print_answer(char *answer, bool json, struct err *e)
{
	json_t *o = json_object();

	for (char *line = strtok(answer, "\n"); line; line = strtok(NULL, "\n")) {
		char *value = strchr(line, ' '), name[32];
		uint64_t number;

		if (!value)
			continue;
		*value++ = '\0';
		if (parse_u64(value, 0, UINT64_MAX, &number) < 0)
			continue;
		if (!json) {
			print_value(printable(name, sizeof(name), line), number);
			continue;
		}
		snprintf(name, sizeof(name), "%s", strcmp(line, "cpus") ? line : "cpus_milli");
		for (char *c = name; *c; c++)
			*c = *c == '-' ? '_' : *c;
		json_object_set_new(o, name,
				    number ? json_integer((json_int_t)(number & INT64_MAX))
					   : json_null());
	}
	if (json) {
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(o);
	return cli_flush(e);
}

static int limit(const char *name, const struct limit_request *rq, struct err *e)
{
	char request[CONTROL_MAX], answer[CONTROL_MAX];
	_cleanup_close_ int dir = named_open(name, e);
	int r;

	if (dir < 0)
		return dir;
	write_request(rq, request, sizeof(request));
	r = control_ask(dir, request, answer, e);
	return r < 0 ? r : print_answer(answer, rq->json, e);
}

int cmd_limit(int argc, char **argv, struct err *e, int *ret_status)
{
	struct limit_request rq = { .none = 0 };
	const char *name = NULL;
	bool help = false;
	int r;

	run_config_init(&rq.cfg);
	r = named_parse(&command_limit, argc, argv, &rq, &name, &help, e);
	*ret_status = 0;
	if (r == 0 && help) {
		options_print_help(&command_limit, stdout);
		r = cli_flush(e);
	} else if (r == 0) {
		r = limit(name, &rq, e);
		if (r < 0)
			err_context(e, "limit");
	}
	run_config_release(&rq.cfg);
	return r;
}
