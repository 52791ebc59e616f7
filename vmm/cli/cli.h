/*
 * cli.h - the sub-commands.
 *
 * Each takes argv with its own name as argv[0], prints its result on standard
 * output and returns 0 with the exit status in *ret_status, or -errno with
 * one line in *e, which main prints before it exits with 125.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/err.h"
#include "vmm/cli/options.h"

/* The exit status of an error of Bulkhead's own, wrong usage included. */
#define CLI_STATUS_ERROR 125

struct run_config;

int cmd_run(int argc, char **argv, struct err *e, int *ret_status);
int cmd_ps(int argc, char **argv, struct err *e, int *ret_status);
int cmd_stop(int argc, char **argv, struct err *e, int *ret_status);
int cmd_limit(int argc, char **argv, struct err *e, int *ret_status);
int cmd_net(int argc, char **argv, struct err *e, int *ret_status);
int cmd_compare(int argc, char **argv, struct err *e, int *ret_status);
int cmd_doctor(int argc, char **argv, struct err *e, int *ret_status);
int cmd_device(int argc, char **argv, struct err *e, int *ret_status);
int cmd_help(int argc, char **argv, struct err *e, int *ret_status);

extern const struct command command_run;
extern const struct command command_ps;
extern const struct command command_stop;
extern const struct command command_limit;
extern const struct command command_net;
extern const struct command command_compare;
extern const struct command command_doctor;
extern const struct command command_device;
extern const struct command command_help;

/* What `help` prints; its configuration. */
enum help_form { HELP_TEXT, HELP_MAN, HELP_COMPLETION };

/* All commands, in the order in which help lists them. */
const struct command *const *cli_commands(size_t *ret_n);

/* The command of that name, or NULL. */
const struct command *cli_find(const char *name);

/* What was printed must have reached its reader.  0 or -errno. */
int cli_flush(struct err *e);

/* Do what argv asks for: a command, --help or --version. */
int cli_main(int argc, char **argv, struct err *e, int *ret_status);

/*
 * `bulkhead run`'s command line into *cfg, checked as a whole.  Pure.  *cfg is
 * initialised in any case and is the caller's to release.  *ret_help: the user
 * asked for help, and *cfg is not complete.
 */
int run_parse(int argc, char **argv, struct run_config *cfg, bool *ret_help, struct err *e);

#endif
