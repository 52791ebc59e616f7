/* device.c - `bulkhead device`: one of our device processes by itself, as the
 * back end of any vhost-user front end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/cli/cli.h"
#include "vmm/config/devices_config.h"
#include "vmm/walls/vm_device.h"

enum device_setting {
	DEVICE_SET_SOCKET,
	DEVICE_SET_DISK,
	DEVICE_SET_NET,
	DEVICE_SET_SECCOMP,
	DEVICE_SET_VERBOSE,
};

struct device_options {
	const char *socket; /* borrowed from argv */
	struct disk_config disk;
	struct net_config net;
	bool has_disk, has_net, no_seccomp, verbose;
};

static const struct option device_option_table[] = {
	{
		.name = "socket",
		.arg = "PATH",
		.complete = COMPLETE_FILE,
		.help = "the Unix socket to listen on; it must not exist yet",
		.man = "The Unix socket to listen on.\n"
		       "It must not exist, and is removed when a front end has connected.",
		.setting = DEVICE_SET_SOCKET,
	},
	{
		.name = "disk",
		.arg = "FILE[,ro][,id=ID][,direct=on][,queues=N]",
		.complete = COMPLETE_FILE,
		.help = "for blk: what is behind it",
		.man = "For\n"
		       ".Cm blk :\n"
		       "a raw image or block device, as for\n"
		       ".Ic bulkhead run .",
		.setting = DEVICE_SET_DISK,
	},
	{
		.name = "net",
		.arg = "tap=IF[,netns=NS]|fd=N,mac=MAC[,mtu=N]",
		.complete = COMPLETE_VALUES,
		.values = "tap= fd=",
		.help = "for net: the tap that it is connected to",
		.man = "For\n"
		       ".Cm net :\n"
		       "the tap behind it and the card's address.",
		.setting = DEVICE_SET_NET,
	},
	{
		.name = "seccomp",
		.arg = "on|off",
		.complete = COMPLETE_VALUES,
		.values = "on off",
		.help = "off: no system call filter; for debugging only",
		.man = "With\n"
		       ".Cm off\n"
		       "the process runs without its system call filter, for debugging.",
		.setting = DEVICE_SET_SECCOMP,
	},
	{
		.name = "verbose",
		.help = "say more",
		.man = "Say more.",
		.setting = DEVICE_SET_VERBOSE,
	},
};

static int device_set(void *config, int setting, const char *value, struct err *e)
{
	struct device_options *o = config;
	int r = 0;

	switch ((enum device_setting)setting) {
	case DEVICE_SET_SOCKET:
		o->socket = value;
		break;
	case DEVICE_SET_DISK:
		r = disk_config_parse(value, &o->disk, e);
		o->has_disk = r == 0;
		if (o->disk.dir)
			return err_set(e, EINVAL, "path= is for run: nothing is mounted here");
		break;
	case DEVICE_SET_NET:
		r = net_config_parse(value, &o->net, e);
		if (r == 0 || (r > 0 && o->net.kind != NET_TAP && o->net.kind != NET_FD))
			return err_set(e, EINVAL, "a network device needs a tap");
		o->has_net = r > 0;
		r = MIN(r, 0);
		break;
	case DEVICE_SET_SECCOMP:
		o->no_seccomp = strcmp(value, "off") == 0;
		if (!o->no_seccomp && strcmp(value, "on") != 0)
			return err_set(e, EINVAL, "must be on or off");
		break;
	case DEVICE_SET_VERBOSE:
		o->verbose = true;
		break;
	}
	return r;
}

const struct command command_device = {
	.name = "device",
	.usage = "blk|net|rng --socket PATH [options]",
	.summary = "Serve one virtio device by itself, to any vhost-user front end.",
	.details = "One front end is served, until it hangs up. Exit status: 0 then, 125 an error.",
	.options = device_option_table,
	.noptions = ARRAY_SIZE(device_option_table),
	.set = device_set,
};

static int find_kind(const char *name, enum foreign_kind *ret, struct err *e)
{
	static const char *const kinds[] = {
		[FOREIGN_BLK] = "blk", [FOREIGN_NET] = "net", [FOREIGN_RNG] = "rng"
	};
	char shown[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(name, kinds[i]) == 0) {
			*ret = (enum foreign_kind)i;
			return 0;
		}
	}
	return err_set(e, EINVAL, "'%s' is no device; there are blk, net and rng",
		       printable(shown, sizeof(shown), name));
}

static int serve(enum foreign_kind kind, const struct device_options *o, struct err *e)
{
	const struct device_alone alone = {
		.kind = kind,
		.socket = o->socket,
		.disk = &o->disk,
		.net = &o->net,
		.confine = !o->no_seccomp,
	};

	if (!o->socket)
		return err_set(e, EINVAL, "--socket PATH is missing");
	if ((kind == FOREIGN_BLK) != o->has_disk)
		return err_set(e, EINVAL,
			       kind == FOREIGN_BLK ? "blk needs --disk FILE" : "--disk is for blk");
	if ((kind == FOREIGN_NET) != o->has_net)
		return err_set(e, EINVAL,
			       kind == FOREIGN_NET ? "net needs --net tap=IF,mac=MAC"
						   : "--net is for net");
	if (kind == FOREIGN_NET && !o->net.has_mac)
		return err_set(e, EINVAL, "--net needs mac=MAC: there is nobody to make one up");
	if (o->verbose)
		log_set_level(LOG_LEVEL_INFO);
	return device_alone_run(&alone, e);
}

int cmd_device(int argc, char **argv, struct err *e, int *ret_status)
{
	struct device_options o = { .socket = NULL };
	struct options_result result = { .help = false };
	enum foreign_kind kind;
	int r;

	if (argc < 2)
		return err_set(e, EINVAL,
			       "device: blk, net or rng is missing; see 'bulkhead help "
			       "device'");
	if (argv[1][0] == '-') /* --help, or an error */
		r = options_parse(&command_device, argc, argv, &o, &result, e);
	else
		r = find_kind(argv[1], &kind, e);
	if (r == 0 && !result.help && argv[1][0] == '-')
		r = err_set(e, EINVAL, "device: blk, net or rng comes first");
	if (r == 0 && !result.help)
		r = options_parse(&command_device, argc - 1, argv + 1, &o, &result, e);
	if (r == 0 && result.help)
		options_print_help(&command_device, stdout);
	else if (r == 0)
		r = serve(kind, &o, e);
	if (r == 0)
		*ret_status = fflush(stdout) == 0 ? 0 : CLI_STATUS_ERROR;
	free(o.disk.path);
	free(o.disk.dir);
	free(o.net.netns);
	return r;
}
