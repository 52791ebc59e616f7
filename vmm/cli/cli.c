/* cli.c - see cli.h: from argv to a sub-command, and the small commands. */
#include "vmm/cli/cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/cli/doctor.h"

#define COMMANDS_MAX 32

static const struct {
	const struct command *command;
	int (*run)(int argc, char **argv, struct err *e, int *ret_status);
} handlers[] = {
	{ &command_run, cmd_run },	 { &command_ps, cmd_ps },
	{ &command_stop, cmd_stop },	 { &command_limit, cmd_limit },
	{ &command_net, cmd_net },	 { &command_compare, cmd_compare },
	{ &command_doctor, cmd_doctor }, { &command_device, cmd_device },
	{ &command_help, cmd_help },
};

static void print_usage(FILE *out)
{
	const struct command *const *cmds;
	size_t n;

	fputs("usage: bulkhead COMMAND [options]\n"
	      "\n"
	      "Runs a command behind a wall: in a micro-VM of its own.\n"
	      "\n"
	      "commands:\n",
	      out);
	cmds = cli_commands(&n);
	for (size_t i = 0; i < n; i++)
		if (!cmds[i]->hidden)
			fprintf(out, "  %-10s%s\n", cmds[i]->name, cmds[i]->summary);
	fputs("\n"
	      "`bulkhead help COMMAND` explains one; `bulkhead --version` tells the version.\n"
	      "For example: bulkhead run --rootfs DIR -- uname -a\n",
	      out);
}

int cli_flush(struct err *e)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return err_errno(e, "write to standard output");
	return 0;
}

static int finish(int status, int *ret_status, struct err *e)
{
	*ret_status = status;
	return cli_flush(e);
}

static int unknown_command(const char *given, struct err *e)
{
	const char *names[COMMANDS_MAX];
	const struct command *const *cmds;
	char list[256] = "";
	char shown[64];
	size_t total, n = 0, used = 0;
	const char *near;

	cmds = cli_commands(&total);
	for (size_t i = 0; i < total && n < COMMANDS_MAX; i++)
		if (!cmds[i]->hidden)
			names[n++] = cmds[i]->name;
	for (size_t i = 0; i < n && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 names[i]);
	near = nearest_name(given, names, n);
	printable(shown, sizeof(shown), given);
	if (near)
		return err_set(e, EINVAL, "unknown command '%s'; is %s meant? (there are: %s)",
			       shown, near, list);
	return err_set(e, EINVAL, "unknown command '%s' (there are: %s)", shown, list);
}

int cmd_doctor(int argc, char **argv, struct err *e, int *ret_status)
{
	struct options_result result;
	struct doctor_config cfg = { 0 };
	int r;

	r = options_parse(&command_doctor, argc, argv, &cfg, &result, e);
	if (r < 0)
		return r;
	if (result.help) {
		options_print_help(&command_doctor, stdout);
		return finish(0, ret_status, e);
	}
	return doctor_main(&cfg, ret_status, e);
}

static int print_all_completion(int *ret_status, struct err *e)
{
	const struct command *const *cmds;
	size_t n;

	cmds = cli_commands(&n);
	options_print_completion(cmds, n, stdout);
	return finish(0, ret_status, e);
}

int cmd_help(int argc, char **argv, struct err *e, int *ret_status)
{
	enum help_form form = HELP_TEXT;
	struct options_result result;
	const struct command *cmd;
	int r;

	r = options_parse(&command_help, argc, argv, &form, &result, e);
	if (r < 0)
		return r;
	if (form == HELP_COMPLETION)
		return print_all_completion(ret_status, e);
	if (result.help || result.operand == argc) {
		print_usage(stdout);
		return finish(0, ret_status, e);
	}
	if (argc - result.operand > 1)
		return err_set(e, EINVAL, "help takes one command");
	cmd = cli_find(argv[result.operand]);
	if (!cmd)
		return unknown_command(argv[result.operand], e);
	if (form == HELP_MAN)
		options_print_man(cmd, stdout);
	else
		options_print_help(cmd, stdout);
	return finish(0, ret_status, e);
}

/*
 * A program may be started without descriptors 0 to 2.  The next file that is
 * opened would then get such a number, and a message would be written into a
 * disk image.
 */
static int reserve_standard_fds(struct err *e)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return err_errno(e, "open /dev/null");
	return 0;
}

int cli_main(int argc, char **argv, struct err *e, int *ret_status)
{
	const struct command *cmd;
	int r;

	r = reserve_standard_fds(e);
	if (r < 0)
		return r;
	/* Where it was ignored, as by daemons that want no zombies, the kernel
	 * keeps no status of a child and waits for nobody. */
	signal(SIGCHLD, SIG_DFL);
	if (argc < 2) {
		/* Nothing was asked for, so nothing was done: an error, as for
		 * a wrong option, but with the usage in place of a line. */
		print_usage(stderr);
		*ret_status = CLI_STATUS_ERROR;
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("bulkhead %s\n", BULKHEAD_VERSION);
		return finish(0, ret_status, e);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_usage(stdout);
		return finish(0, ret_status, e);
	}
	cmd = cli_find(argv[1]);
	if (!cmd)
		return unknown_command(argv[1], e);
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
		if (handlers[i].command == cmd)
			return handlers[i].run(argc - 1, argv + 1, e, ret_status);
	return err_set(e, ENOSYS, "%s has no handler", cmd->name);
}
