/* net.c - `bulkhead net`: the network rules of a running instance, and what they
 * have counted. */
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/named.h"
#include "vmm/config/net_rule.h"
#include "vmm/config/run_config.h"
#include "vmm/instance/registry.h"
#include "vmm/jail/netns.h"
#include "vmm/net/ports.h"
#include "vmm/net/tables.h"

struct net_request {
	bool json;
	struct net_rule rule[RUN_RULES_MAX];
	size_t nrules;
};

enum net_setting { NET_SET_ALLOW, NET_SET_DENY, NET_SET_JSON };

static const struct option net_options[] = {
	{
		.name = "allow",
		.arg = "[in:|out:]PROTO:ADDRESS[:PORT]",
		.repeated = true,
		.help = "allow such connections from now on; may be repeated",
		.man = "Put a rule in front of those that there are, as for\n"
		       ".Xr bulkhead-run 1 .\n"
		       "Several stand in the order given.",
		.setting = NET_SET_ALLOW,
	},
	{
		.name = "deny",
		.arg = "[in:|out:]PROTO:ADDRESS[:PORT]",
		.repeated = true,
		.help = "deny them from now on; may be repeated",
		.man = "The same to deny; connections that there are end too.",
		.setting = NET_SET_DENY,
	},
	{
		.name = "json",
		.help = "rules and counters as JSON, for programs",
		.man = "Print what the report of\n"
		       ".Xr bulkhead-run 1\n"
		       "has as\n"
		       ".Va net .",
		.setting = NET_SET_JSON,
	},
};

static int net_set(void *config, int setting, const char *value, struct err *e)
{
	struct net_request *rq = config;
	int r;

	if (setting == NET_SET_JSON) {
		rq->json = true;
		return 0;
	}
	if (rq->nrules == ARRAY_SIZE(rq->rule))
		return err_set(e, EINVAL, "more than %d rules", RUN_RULES_MAX);
	r = net_rule_parse(value, setting == NET_SET_ALLOW, &rq->rule[rq->nrules], e);
	rq->nrules += r == 0;
	return r;
}

const struct command command_net = {
	.name = "net",
	.usage = "NAME [--json] [--allow RULE] [--deny RULE]",
	.summary = "Change the network rules of a running instance, or show what they count.",
	.operands = true,
	.options = net_options,
	.noptions = ARRAY_SIZE(net_options),
	.set = net_set,
};

static void print_count(const json_t *of, const char *what)
{
	if (of)
		printf("%10lld %12lld  %s\n",
		       (long long)json_integer_value(json_object_get(of, "packets")),
		       (long long)json_integer_value(json_object_get(of, "bytes")), what);
}

static int print_counts(const json_t *counts, bool json, struct err *e)
{
	static const char *const others[] = { "denied", "spoofed", "invalid" };
	const json_t *rule;
	size_t i;

	if (json) {
		if (json_dumpf(counts, stdout, JSON_INDENT(2)) < 0)
			return err_errno(e, "write the list");
		putchar('\n');
		return cli_flush(e);
	}
	printf("   PACKETS        BYTES  RULE\n");
	json_array_foreach(json_object_get(counts, "rules"), i, rule)
		print_count(rule, json_string_value(json_object_get(rule, "rule")));
	for (i = 0; i < ARRAY_SIZE(others); i++)
		print_count(json_object_get(counts, others[i]), others[i]);
	return cli_flush(e);
}

/* The tables of the running instance `name`, which need not be in the network
 * namespace that we were started in. */
static int find_tables(const char *name, char out[TABLES_NAME_MAX], struct err *e)
{
	_cleanup_close_ int dir = named_open(name, e);
	struct record record;
	int r;

	if (dir < 0)
		return dir;
	r = registry_read(dir, &record, e);
	if (r == 0)
		r = netns_join(record.pid, e);
	if (r == 0)
		tables_name_of(out, record.uuid);
	return r;
}

static int net(const struct net_request *rq, const char *name, struct err *e)
{
	char tables[TABLES_NAME_MAX];
	json_t *counts;
	int r = find_tables(name, tables, e);

	if (r < 0)
		return r;
	if (rq->nrules)
		r = ports_change(tables, rq->rule, rq->nrules, e);
	if (r == 0 && (rq->json || !rq->nrules)) {
		r = ports_count(tables, &counts, e);
		if (r == 0) {
			r = print_counts(counts, rq->json, e);
			json_decref(counts);
		}
	}
	if (r == -EIO)
		err_context(e, "has it a port of --net bridge=?");
	return r;
}

int cmd_net(int argc, char **argv, struct err *e, int *ret_status)
{
	struct net_request *rq = calloc(1, sizeof(*rq));
	const char *name = NULL;
	bool help = false;
	int r = rq ? named_parse(&command_net, argc, argv, rq, &name, &help, e)
		   : err_set(e, ENOMEM, "no memory");

	*ret_status = 0;
	if (r == 0 && help) {
		options_print_help(&command_net, stdout);
		r = cli_flush(e);
	} else if (r == 0) {
		r = net(rq, name, e);
		if (r < 0)
			err_context(e, "net %.64s", name);
	}
	free(rq);
	return r;
}
