/*
 * isolation.h - the walls by name, and which options each of them honours.
 *
 * Nothing that was given is ever ignored: what a wall cannot honour is an
 * error that names the option and the wall.
 */
#ifndef CONFIG_ISOLATION_H
#define CONFIG_ISOLATION_H

#include "vmm/config/run_config.h"

/* "vm", "process", "none" */
const char *isolation_name(enum run_isolation isolation);

/* 0 or -EINVAL with the words that there are. */
int isolation_parse(const char *text, enum run_isolation *ret, struct err *e);

/* How an option is called, without its dashes. */
const char *isolation_option(enum run_setting setting);

/* Why a wall does not honour an option; NULL: it does. */
const char *isolation_refusal(enum run_isolation isolation, enum run_setting setting);

/*
 * Every option that was given is honoured by the wall; for one without a guest,
 * what it needs is there, and there is a command.  0 or -EINVAL.
 */
int isolation_check(const struct run_config *cfg, struct err *e);

#endif
