/* commands.c - the table of sub-commands, and the small ones' options. */
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/doctor.h"

enum doctor_setting { DOCTOR_SET_JSON, DOCTOR_SET_VERBOSE };

static const struct option doctor_options[] = {
	{
		.name = "json",
		.help = "the report as JSON, for programs",
		.man = "Print the report as JSON.",
		.setting = DOCTOR_SET_JSON,
	},
	{
		.name = "verbose",
		.help = "every step that was tried",
		.man = "Show every step of the probe and every capability.",
		.setting = DOCTOR_SET_VERBOSE,
	},
};

static int doctor_set_option(void *config, int setting, const char *value, struct err *e)
{
	struct doctor_config *cfg = config;

	(void)value;
	(void)e;
	if (setting == DOCTOR_SET_JSON)
		cfg->json = true;
	else
		cfg->verbose = true;
	return 0;
}

const struct command command_doctor = {
	.name = "doctor",
	.usage = "[--json] [--verbose]",
	.summary = "Find out whether this host can run guests, what is missing and how to mend it.",
	.details = "Exit status: 0 when Linux guests can run here, 1 when they cannot.",
	.options = doctor_options,
	.noptions = ARRAY_SIZE(doctor_options),
	.set = doctor_set_option,
};

static const struct option help_options[] = {
	{ .name = "man", .hidden = true, .setting = HELP_MAN },
	{ .name = "completion", .hidden = true, .setting = HELP_COMPLETION },
};

static int help_set(void *config, int setting, const char *value, struct err *e)
{
	enum help_form *form = config;

	(void)value;
	(void)e;
	*form = (enum help_form)setting;
	return 0;
}

const struct command command_help = {
	.name = "help",
	.usage = "[COMMAND]",
	.summary = "Explain a command.",
	.operands = true,
	.options = help_options,
	.noptions = ARRAY_SIZE(help_options),
	.set = help_set,
};

static const struct command *const commands[] = {
	&command_run,	  &command_ps,	   &command_stop,   &command_limit, &command_net,
	&command_compare, &command_doctor, &command_device, &command_help,
};

const struct command *const *cli_commands(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(commands);
	return commands;
}

const struct command *cli_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}
