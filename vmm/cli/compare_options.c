/* compare_options.c - the options of `bulkhead compare`. */
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/compare_command.h"

enum setting { SET_SUITE, SET_WALLS, SET_RUNS, SET_ROOTFS, SET_SEED, SET_JSON, SET_HTML };

static const struct option options[] = {
	{
		.name = "suite",
		.arg = "quick|full",
		.complete = COMPLETE_VALUES,
		.values = "quick full",
		.help = "which of the built-in workloads (quick)",
		.man = "Which of the built-in workloads are run, where no command is given:\n"
		       ".Cm quick ,\n"
		       "the default, with 10 runs of each, or\n"
		       ".Cm full\n"
		       "with 30.",
		.setting = SET_SUITE,
	},
	{
		.name = "walls",
		.arg = "LIST",
		.complete = COMPLETE_VALUES,
		.values = "none process vm crun runc bwrap qemu",
		.help = "what to run it behind, separated by commas:\n"
			"none, process, vm, crun, runc, bwrap, qemu\n"
			"(default: Bulkhead's own, and the others found)",
		.man = "The walls, separated by commas:\n"
		       ".Cm none , process , vm ,\n"
		       "which are Bulkhead's own, and\n"
		       ".Cm crun , runc , bwrap , qemu .\n"
		       "The default is Bulkhead's own and the others that are installed.",
		.setting = SET_WALLS,
	},
	{
		.name = "runs",
		.arg = "N",
		.help = "runs of each, 1 to 1000",
		.man = "Runs of each, 1 to 1000; one more before them is not counted.\n"
		       "From 10 on the intervals mean something.",
		.setting = SET_RUNS,
	},
	{
		.name = "rootfs",
		.arg = "DIR",
		.complete = COMPLETE_DIR,
		.help = "the command's root directory behind every wall",
		.man = "The root directory of the command.\n"
		       "Behind\n"
		       ".Cm none\n"
		       "the program is taken out of it and uses the host's libraries.\n"
		       "Without a command: a root directory with\n"
		       ".Xr fio 1 ,\n"
		       "whose figures of the disk are added to those of the suite; a copy of it\n"
		       "is made, of at most 1 GiB.",
		.setting = SET_ROOTFS,
	},
	{
		.name = "seed",
		.arg = "N",
		.help = "of the random order, to have the same again",
		.man = "The seed of the random order in which things are run, which every report\n"
		       "names.",
		.setting = SET_SEED,
	},
	{
		.name = "json",
		.arg = "FILE",
		.complete = COMPLETE_FILE,
		.help = "write the report with every value; '-': standard output,\n"
			"instead of the table",
		.man = "Write the report with every value as JSON; with\n"
		       ".Ql -\n"
		       "to standard output, instead of the table.",
		.setting = SET_JSON,
	},
	{
		.name = "html",
		.arg = "FILE",
		.complete = COMPLETE_FILE,
		.help = "write the report as a page",
		.man = "Write the report as one page that needs nothing from elsewhere.",
		.setting = SET_HTML,
	},
};

static int set(void *config, int setting, const char *value, struct err *e)
{
	struct compare_request *q = config;
	uint64_t n = 0;
	int r = 0;

	switch ((enum setting)setting) {
	case SET_SUITE:
		q->cfg.suite = value;
		break;
	case SET_WALLS:
		q->cfg.walls = value;
		break;
	case SET_RUNS:
		r = parse_u64(value, 1, COMPARE_RUNS_MAX, &n);
		q->cfg.runs = (uint32_t)n;
		break;
	case SET_ROOTFS:
		q->cfg.rootfs = value;
		break;
	case SET_SEED:
		r = parse_u64(value, 1, UINT32_MAX, &q->cfg.seed);
		break;
	case SET_JSON:
		q->json = value;
		break;
	case SET_HTML:
		q->html = value;
		break;
	}
	return r < 0 ? err_set(e, EINVAL, "must be a number from 1 to %u",
			       setting == SET_RUNS ? COMPARE_RUNS_MAX : UINT32_MAX)
		     : 0;
}

const struct command command_compare = {
	.name = "compare",
	.usage = "[OPTIONS] [--] [COMMAND [ARG...]] | show REPORT.json [OTHER.json]",
	.summary = "Run the same work behind each wall and say what each one costs.",
	.details =
		"Without a command, built-in workloads are run. 'show' prints a report again, or\n"
		"compares two of them.",
	.operands = true,
	.options = options,
	.noptions = ARRAY_SIZE(options),
	.set = set,
};
