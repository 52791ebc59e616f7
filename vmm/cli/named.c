/* named.c - see named.h. */
#include "vmm/cli/named.h"

#include "vmm/instance/registry.h"

int named_parse(const struct command *cmd, int argc, char **argv, void *config,
		const char **ret_name, bool *ret_help, struct err *e)
{
	struct options_result result;
	int r = options_parse(cmd, argc, argv, config, &result, e);
	int at = result.operand;

	*ret_help = r == 0 && result.help;
	if (r < 0 || result.help)
		return r;
	if (at < argc) {
		*ret_name = argv[at];
		r = options_parse(cmd, argc - at, argv + at, config, &result, e);
		*ret_help = r == 0 && result.help;
		if (r < 0 || result.help)
			return r;
	}
	if (at == argc || result.operand != argc - at)
		return err_set(e, EINVAL, "%s takes the name of one instance", cmd->name);
	return 0;
}

int named_open(const char *name, struct err *e)
{
	struct registry registry;
	int dir = registry_open(&registry, e);

	if (dir < 0)
		return dir;
	dir = registry_find(&registry, name, e);
	registry_close(&registry);
	return dir;
}
