/* run.c - `bulkhead run`: from argv to an instance. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "vmm/base/log.h"
#include "vmm/cli/cli.h"
#include "vmm/config/run_config.h"
#include "vmm/instance/instance.h"
#include "vmm/net/ports.h"

static int run(struct run_config *cfg, uint64_t began_ns, int *ret_status, struct err *e)
{
	uint8_t random[16];

	/* So early after the host's boot that there is no entropy yet, a
	 * blocked start would be worse than an identity that is not random. */
	if (getrandom(random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random)) {
		const uint64_t poor[2] = { now_ns(), (uint64_t)getpid() };

		memcpy(random, poor, sizeof(random));
	}
	run_config_fill_id(cfg, random);
	ports_take_mtu(cfg);
	if (cfg->verbose)
		log_set_level(LOG_LEVEL_INFO);
	return instance_run(cfg, began_ns, ret_status, e);
}

/* A standard fd that is closed would be the number of some file of ours, and a
 * command may be handed it. */
static int hold_standard_fds(struct err *e)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			return err_errno(e, "open /dev/null");
	return 0;
}

int cmd_run(int argc, char **argv, struct err *e, int *ret_status)
{
	uint64_t began_ns = now_ns();
	struct run_config cfg;
	bool help;
	int r;

	r = hold_standard_fds(e);
	if (r < 0)
		return r;
	r = run_parse(argc, argv, &cfg, &help, e);
	if (r == 0 && help) {
		options_print_help(&command_run, stdout);
		if (fflush(stdout) != 0)
			r = err_errno(e, "write to standard output");
		else
			*ret_status = 0;
	} else if (r == 0) {
		r = run(&cfg, began_ns, ret_status, e);
	}
	run_config_release(&cfg);
	return r;
}
