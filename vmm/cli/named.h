/* named.h - what the commands about one running instance share. */
#ifndef CLI_NAMED_H
#define CLI_NAMED_H

#include <stdbool.h>

#include "vmm/base/err.h"
#include "vmm/cli/options.h"

/*
 * Options and the name of one instance, in front of them or behind them, as
 * options_parse().  *ret_help: help was asked for, and there may be no name.
 * 0 or -EINVAL.
 */
int named_parse(const struct command *cmd, int argc, char **argv, void *config,
		const char **ret_name, bool *ret_help, struct err *e);

/* The directory of this user's running instance of that name: an fd that the
 * caller owns, or -errno. */
int named_open(const char *name, struct err *e);

#endif
