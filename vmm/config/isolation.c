/* isolation.c - see isolation.h. */
#include "vmm/config/isolation.h"

#include <assert.h>
#include <string.h>

#include "vmm/base/util.h"

static const char *const names[] = {
	[RUN_ISOLATION_VM] = "vm",
	[RUN_ISOLATION_PROCESS] = "process",
	[RUN_ISOLATION_NONE] = "none",
};
static_assert(ARRAY_SIZE(names) == RUN_ISOLATION_COUNT, "a name for every wall");

/* Refused by every wall that has no guest. */
#define WITHOUT_GUEST(why)                                                                         \
	{                                                                                          \
		[RUN_ISOLATION_PROCESS] = why, [RUN_ISOLATION_NONE] = why                          \
	}
#define NO_KERNEL WITHOUT_GUEST("there is no guest, which would boot a kernel")
#define NO_DEVICE WITHOUT_GUEST("there is no guest, which would have devices")
#define NO_MEMORY WITHOUT_GUEST("there is no guest, which would have memory")

/* Why not, wall by wall; NULL: the option is honoured. */
static const struct {
	const char *option;
	const char *refused[RUN_ISOLATION_COUNT];
} options[] = {
	[RUN_SET_ISOLATION] = { "isolation", { NULL } },
	[RUN_SET_ROOTFS] = { "rootfs",
			     { [RUN_ISOLATION_NONE] = "the command sees the host's own files" } },
	[RUN_SET_KERNEL] = { "kernel", NO_KERNEL },
	[RUN_SET_INITRD] = { "initrd", NO_KERNEL },
	[RUN_SET_CMDLINE] = { "cmdline", NO_KERNEL },
	[RUN_SET_VHOST_USER] = { "vhost-user", NO_DEVICE },
	[RUN_SET_DISK] = { "disk",
			   { [RUN_ISOLATION_NONE] = "the command sees the host's own files" } },
	[RUN_SET_NET] = { "net",
			  { [RUN_ISOLATION_NONE] = "the command is on the host's own network" } },
	[RUN_SET_ALLOW] = { "allow",
			    { [RUN_ISOLATION_NONE] = "the command is on the host's own network" } },
	[RUN_SET_DENY] = { "deny",
			   { [RUN_ISOLATION_NONE] = "the command is on the host's own network" } },
	[RUN_SET_CPUS] = { "cpus", { NULL } },
	[RUN_SET_MEMORY] = { "memory", { NULL } },
	[RUN_SET_HUGEPAGES] = { "hugepages", NO_MEMORY },
	[RUN_SET_ENV] = { "env", { NULL } },
	[RUN_SET_WORKDIR] = { "workdir", { NULL } },
	[RUN_SET_TIMEOUT] = { "timeout", { NULL } },
	[RUN_SET_CONSOLE] = { "console", { NULL } },
	[RUN_SET_NAME] = { "name", { NULL } },
	[RUN_SET_REPORT] = { "report", { NULL } },
	[RUN_SET_VERBOSE] = { "verbose", { NULL } },
	[RUN_SET_ON_DEVICE_LOSS] = { "on-device-loss", NO_DEVICE },
	[RUN_SET_SECCOMP] = { "seccomp", { [RUN_ISOLATION_NONE] = "nothing is confined there" } },
	[RUN_SET_SECCOMP_PROFILE] = { "seccomp-profile",
				      { [RUN_ISOLATION_VM] = "the guest's kernel, not the "
							     "host's, serves the command's calls",
					[RUN_ISOLATION_NONE] = "nothing is confined there" } },
	[RUN_SET_CAP_ADD] = { "cap-add",
			      { [RUN_ISOLATION_VM] = "in the guest the command has all of them",
				[RUN_ISOLATION_NONE] = "the command has the user's own rights" } },
	[RUN_SET_CPU_WEIGHT] = { "cpu-weight", { NULL } },
	[RUN_SET_PIDS] = { "pids", { NULL } },
	[RUN_SET_DISK_BPS] = { "disk-bps", { NULL } },
	[RUN_SET_DISK_IOPS] = { "disk-iops", { NULL } },
	[RUN_SET_NET_BPS] = { "net-bps",
			      { [RUN_ISOLATION_NONE] =
					"the command is on the host's own network" } },
	[RUN_SET_BEST_EFFORT] = { "best-effort", { NULL } },
};
static_assert(ARRAY_SIZE(options) == RUN_SET_COUNT, "a row for every setting");

const char *isolation_name(enum run_isolation isolation)
{
	return names[isolation];
}

int isolation_parse(const char *text, enum run_isolation *ret, struct err *e)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum run_isolation)i;
			return 0;
		}
	}
	return err_set(e, EINVAL, "must be vm, process or none");
}

const char *isolation_option(enum run_setting setting)
{
	return options[setting].option;
}

const char *isolation_refusal(enum run_isolation isolation, enum run_setting setting)
{
	return options[setting].refused[isolation];
}

/* Disks of a process are mounted: there is nothing that would have devices. */
static int check_disks(const struct run_config *cfg, const char *name, struct err *e)
{
	for (size_t i = 0; i < cfg->ndisks; i++) {
		const struct disk_config *d = &cfg->disk[i];
		const char *of_device = d->id[0]	? "id="
					: d->direct	? "direct=on"
					: d->queues > 1 ? "queues="
							: NULL;

		if (!d->dir)
			return err_set(e, EINVAL,
				       "--disk without path=DIR is not for --isolation %s: there "
				       "is no guest, which would have devices",
				       name);
		if (of_device)
			return err_set(e, EINVAL,
				       "--disk with %s is not for --isolation %s: it is mounted, "
				       "and there is no device for that",
				       of_device, name);
	}
	return 0;
}

static int check_nets(const struct run_config *cfg, const char *name, struct err *e)
{
	const bool vm = cfg->isolation == RUN_ISOLATION_VM;

	for (size_t i = 0; i < cfg->nnets; i++) {
		enum net_kind kind = cfg->net[i].kind;

		if (vm && kind == NET_NETNS)
			return err_set(e, EINVAL,
				       "--net netns= is not for --isolation %s: a guest has a "
				       "network of its own, with a card that needs a tap there "
				       "(tap=INTERFACE,netns=%s)",
				       name, cfg->net[i].netns);
		if (!vm && kind != NET_BRIDGE && kind != NET_NETNS)
			return err_set(
				e, EINVAL,
				"--net with tap= or fd= is not for --isolation %s: there is no "
				"card that a tap would be behind; bridge= and netns= are",
				name);
	}
	return 0;
}

int isolation_check(const struct run_config *cfg, struct err *e)
{
	const char *name = names[cfg->isolation];

	for (unsigned int s = 0; s < RUN_SET_COUNT; s++) {
		const char *why = isolation_refusal(cfg->isolation, (enum run_setting)s);

		if (why && (cfg->given >> s & 1))
			return err_set(e, EINVAL, "--%s is not for --isolation %s: %s",
				       options[s].option, name, why);
	}
	if (check_nets(cfg, name, e) < 0)
		return -EINVAL;
	if (cfg->isolation == RUN_ISOLATION_VM)
		return 0;
	if (check_disks(cfg, name, e) < 0)
		return -EINVAL;
	if (cfg->isolation == RUN_ISOLATION_PROCESS && !cfg->root.path)
		return err_set(e, EINVAL, "--isolation process needs --rootfs DIR");
	if (!cfg->argv)
		return err_set(e, EINVAL,
			       "--isolation %s needs a command: there is no machine that an "
			       "image's own init could start",
			       name);
	return 0;
}
