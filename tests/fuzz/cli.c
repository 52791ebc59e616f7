/*
 * cli.c - fuzz target: the command line of `bulkhead run`, arguments separated
 * by newlines.
 *
 * A refusal is one printable line.  What is taken keeps the bounds that
 * run_config.h names, and what the guest's init is told of it, its own parser
 * reads without a complaint and to the same effect.
 */
#include "guest-kernel-config/init/params.h"
#include "tests/fuzz/input.h"
#include "vmm/cli/cli.h"
#include "vmm/config/cmdline.h"
#include "vmm/config/guest_params.h"
#include "vmm/config/run_config.h"

#define ARGS_MAX 64

static void check_line(const struct err *e)
{
	must(e->text[0]);
	for (const char *p = e->text; *p; p++)
		if (*p < ' ' || *p >= 0x7f)
			fprintf(stderr, "said: %s\n", e->text);
	for (const char *p = e->text; *p; p++)
		must(*p >= ' ' && *p < 0x7f);
}

static void check_bounds(const struct run_config *cfg)
{
	must(cfg->cpus >= 1 && cfg->cpus <= RUN_CPUS_MAX);
	must(cfg->memory_bytes >= RUN_MEMORY_MIN && cfg->memory_bytes <= RUN_MEMORY_MAX);
	must(cfg->memory_bytes % 4096 == 0);
	must((cfg->root.path != NULL) + cfg->ndisks + cfg->nnets <= RUN_DEVICES_MAX);
	must(cfg->ndisks <= RUN_DISKS_MAX && cfg->nnets <= RUN_NETS_MAX);
	must(!cfg->no_net || !cfg->nnets);
	for (size_t i = 0; i < cfg->ndisks; i++) {
		must(cfg->disk[i].path && cfg->disk[i].path[0]);
		must(!cfg->disk[i].dir || (cfg->disk[i].dir[0] == '/' && cfg->disk[i].dir[1] &&
					   !strstr(cfg->disk[i].dir, "/../")));
		must(cfg->disk[i].queues >= 1 && cfg->disk[i].queues <= RUN_DISK_QUEUES_MAX);
	}
	must(cfg->timeout_ns <= RUN_TIMEOUT_MAX_S * NS_PER_S);
	must((cfg->boot == RUN_BOOT_COMMAND) == (cfg->argv != NULL));
	must(!cfg->argv || cfg->root.path);
	must(!cfg->name || strlen(cfg->name) <= RUN_NAME_MAX);
}

/* The host's writer and the guest's reader of the parameters agree. */
static void check_guest(const struct run_config *cfg, uint8_t how)
{
	const struct guest_terminal t = { .is_terminal = how & 1,
					  .rows = how & 2 ? 24 : 0,
					  .cols = how & 2 ? 80 : 0,
					  .term = how & 4 ? "xterm" : NULL };
	char error[PARAMS_ERROR_MAX];
	struct guest_params g = { 0 };
	struct err e = { "" };
	struct params p;
	int r;

	r = guest_params_build(&g, cfg, &t, &e);
	if (r < 0) {
		check_line(&e);
		guest_params_release(&g);
		return;
	}
	r = params_parse(&p, g.data, g.len, error);
	if (r < 0)
		fprintf(stderr, "the guest says: %s\n", error);
	must(r == 0);
	must(p.argc == cfg->argc && p.envc == cfg->nenv && p.net_count == cfg->nnets);
	for (size_t i = 0; i < cfg->argc; i++)
		must(strcmp(p.argv[i], cfg->argv[i]) == 0);
	for (size_t i = 0; i < cfg->nenv; i++)
		must(strcmp(p.env[i], cfg->env[i]) == 0);
	must(!cfg->workdir || strcmp(p.workdir, cfg->workdir) == 0);
	params_release(&p);
	guest_params_release(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *argv[ARGS_MAX + 2], *copy, *at;
	char name[] = "run";
	struct run_config cfg;
	struct err e = { "" };
	bool help;
	int argc = 1, r;

	if (len < 1)
		return 0;
	copy = malloc(len);
	memcpy(copy, data + 1, len - 1);
	copy[len - 1] = '\0';
	argv[0] = name;
	at = copy;
	while (at && argc <= ARGS_MAX)
		argv[argc++] = strsep(&at, "\n");
	argv[argc] = NULL;
	r = run_parse(argc, argv, &cfg, &help, &e);
	if (r < 0) {
		check_line(&e);
	} else if (!help) {
		check_bounds(&cfg);
		run_config_fill_macs(&cfg, data[0]);
		if (cfg.boot != RUN_BOOT_RAW)
			check_guest(&cfg, data[0]);
	}
	run_config_release(&cfg);
	free(copy);
	return 0;
}
