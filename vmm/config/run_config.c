/* run_config.c - see run_config.h. */
#include "vmm/config/run_config.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "vmm/base/capability.h"
#include "vmm/config/devices_config.h"
#include "vmm/config/isolation.h"
#include "vmm/config/values.h"

void run_config_init(struct run_config *cfg)
{
	*cfg = (struct run_config){
		.cpus = 1,
		.memory_bytes = RUN_MEMORY_DEFAULT,
		.console = RUN_CONSOLE_STDIO,
		.seccomp = true,
	};
}

static void free_strings(char **strings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(strings[i]);
	free(strings);
}

void run_config_release(struct run_config *cfg)
{
	free(cfg->kernel);
	free(cfg->initrd);
	free(cfg->cmdline);
	free(cfg->root.path);
	for (size_t i = 0; i < cfg->ndisks; i++) {
		free(cfg->disk[i].path);
		free(cfg->disk[i].dir);
	}
	for (size_t i = 0; i < cfg->nnets; i++)
		free(cfg->net[i].netns);
	for (size_t i = 0; i < cfg->nforeign; i++)
		free(cfg->foreign[i].path);
	free_strings(cfg->env, cfg->nenv);
	free(cfg->workdir);
	free(cfg->console_path);
	free(cfg->name);
	free(cfg->report);
	free(cfg->seccomp_profile);
	free_strings(cfg->argv, cfg->argc);
	*cfg = (struct run_config){ 0 };
}

static int replace(char **at, const char *value, struct err *e)
{
	char *copy = strdup(value);

	if (!copy)
		return err_set(e, ENOMEM, "out of memory");
	free(*at);
	*at = copy;
	return 0;
}

static int set_isolation(struct run_config *cfg, const char *value, struct err *e)
{
	return isolation_parse(value, &cfg->isolation, e);
}

static int set_kernel(struct run_config *cfg, const char *value, struct err *e)
{
	return replace(&cfg->kernel, value, e);
}

static int set_initrd(struct run_config *cfg, const char *value, struct err *e)
{
	return replace(&cfg->initrd, value, e);
}

static int set_cmdline(struct run_config *cfg, const char *value, struct err *e)
{
	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return err_set(e, EINVAL, "holds a control character");
	return replace(&cfg->cmdline, value, e);
}

static int set_rootfs(struct run_config *cfg, const char *value, struct err *e)
{
	struct root_config root;
	int r;

	r = root_config_parse(value, &root, e);
	if (r < 0)
		return r;
	free(cfg->root.path);
	cfg->root = root;
	return 0;
}

static int set_disk(struct run_config *cfg, const char *value, struct err *e)
{
	int r;

	if (cfg->ndisks == RUN_DISKS_MAX)
		return err_set(e, EINVAL, "more than %d disks", RUN_DISKS_MAX);
	r = disk_config_parse(value, &cfg->disk[cfg->ndisks], e);
	if (r < 0)
		return r;
	cfg->ndisks++;
	return 0;
}

static int set_net(struct run_config *cfg, const char *value, struct err *e)
{
	struct net_config net = { .netns = NULL };
	int r;

	r = net_config_parse(value, &net, e);
	if (r < 0)
		return r;
	if (cfg->no_net || (r == 0 && cfg->nnets))
		r = err_set(e, EINVAL, "none excludes every other --net");
	else if (r == 0)
		cfg->no_net = true;
	else if (cfg->nnets == RUN_NETS_MAX)
		r = err_set(e, EINVAL, "more than %d interfaces", RUN_NETS_MAX);
	else
		cfg->net[cfg->nnets++] = net;
	if (r < 0)
		free(net.netns);
	return MIN(r, 0);
}

static int add_rule(struct run_config *cfg, const char *value, bool allow, struct err *e)
{
	int r;

	if (cfg->nrules == RUN_RULES_MAX)
		return err_set(e, EINVAL, "more than %d rules", RUN_RULES_MAX);
	r = net_rule_parse(value, allow, &cfg->rule[cfg->nrules], e);
	cfg->nrules += r == 0;
	return r;
}

static int set_allow(struct run_config *cfg, const char *value, struct err *e)
{
	return add_rule(cfg, value, true, e);
}

static int set_deny(struct run_config *cfg, const char *value, struct err *e)
{
	return add_rule(cfg, value, false, e);
}

static int set_vhost_user(struct run_config *cfg, const char *value, struct err *e)
{
	int r;

	if (cfg->nforeign == RUN_DEVICES_MAX)
		return err_set(e, EINVAL, "more than %d devices", RUN_DEVICES_MAX);
	r = foreign_config_parse(value, &cfg->foreign[cfg->nforeign], e);
	if (r < 0)
		return r;
	cfg->nforeign++;
	return 0;
}

static int set_cpus(struct run_config *cfg, const char *value, struct err *e)
{
	uint64_t milli;

	if (parse_milli(value, &milli) < 0 || milli < RUN_CPUS_MIN_MILLI ||
	    milli > RUN_CPUS_MAX * 1000)
		return err_set(e, EINVAL,
			       "must be a number from 0.01 to %d, with three decimals at the most",
			       RUN_CPUS_MAX);
	cfg->limits.cpus_milli = milli;
	cfg->cpus = (unsigned int)((milli + 999) / 1000);
	return 0;
}

static int set_memory(struct run_config *cfg, const char *value, struct err *e)
{
	uint64_t bytes;
	int r;

	r = parse_size(value, &bytes);
	if (r == -EINVAL)
		return err_set(e, EINVAL,
			       "is not a size (a number of bytes, or one with K, M, G or T)");
	if (r < 0 || bytes > RUN_MEMORY_MAX)
		return err_set(e, ERANGE, "is more than 16T");
	if (bytes < RUN_LIMIT_MEMORY_MIN)
		return err_set(e, ERANGE, "is less than 4M%s",
			       bytes < 65536 ? " (write M or G behind the number)" : "");
	if (bytes % 4096)
		return err_set(e, EINVAL, "is not a multiple of 4K");
	cfg->memory_bytes = bytes;
	return 0;
}

static int set_count(const char *value, uint64_t max, uint64_t *ret, struct err *e)
{
	if (parse_u64(value, 1, max, ret) < 0)
		return err_set(e, EINVAL, "must be a number from 1 to %llu",
			       (unsigned long long)max);
	return 0;
}

static int set_cpu_weight(struct run_config *cfg, const char *value, struct err *e)
{
	return set_count(value, 10000, &cfg->limits.cpu_weight, e);
}

static int set_pids(struct run_config *cfg, const char *value, struct err *e)
{
	return set_count(value, 1U << 22, &cfg->limits.pids, e);
}

static int set_rate(const char *value, uint64_t *ret, struct err *e)
{
	uint64_t bytes;

	if (parse_size(value, &bytes) < 0)
		return err_set(e, EINVAL,
			       "is not a rate (a number of bytes per second, or one with K, M, G "
			       "or T)");
	if (bytes < RUN_RATE_MIN || bytes > RUN_RATE_MAX)
		return err_set(e, ERANGE, "must be from 4K to 1T");
	*ret = bytes;
	return 0;
}

static int set_disk_bps(struct run_config *cfg, const char *value, struct err *e)
{
	return set_rate(value, &cfg->limits.disk_bps, e);
}

static int set_disk_iops(struct run_config *cfg, const char *value, struct err *e)
{
	return set_count(value, 100000000, &cfg->limits.disk_iops, e);
}

static int set_net_bps(struct run_config *cfg, const char *value, struct err *e)
{
	return set_rate(value, &cfg->limits.net_bps, e);
}

static int set_best_effort(struct run_config *cfg, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	cfg->limits.best_effort = true;
	return 0;
}

static int set_env(struct run_config *cfg, const char *value, struct err *e)
{
	const char *equals = strchr(value, '=');
	char **env;

	if (!equals || equals == value)
		return err_set(e, EINVAL, "must be NAME=VALUE");
	if (cfg->nenv == RUN_ENV_MAX)
		return err_set(e, EINVAL, "more than %d variables", RUN_ENV_MAX);
	env = reallocarray(cfg->env, cfg->nenv + 2, sizeof(*env));
	if (!env)
		return err_set(e, ENOMEM, "out of memory");
	cfg->env = env;
	env[cfg->nenv] = strdup(value);
	if (!env[cfg->nenv])
		return err_set(e, ENOMEM, "out of memory");
	env[++cfg->nenv] = NULL;
	return 0;
}

static int set_workdir(struct run_config *cfg, const char *value, struct err *e)
{
	if (value[0] != '/')
		return err_set(e, EINVAL, "must be an absolute path");
	return replace(&cfg->workdir, value, e);
}

static int set_timeout(struct run_config *cfg, const char *value, struct err *e)
{
	return parse_seconds(value, RUN_TIMEOUT_MAX_S, &cfg->timeout_ns, e);
}

static int set_console(struct run_config *cfg, const char *value, struct err *e)
{
	if (strcmp(value, "stdio") == 0) {
		cfg->console = RUN_CONSOLE_STDIO;
		return 0;
	}
	if (strcmp(value, "none") == 0) {
		cfg->console = RUN_CONSOLE_NONE;
		return 0;
	}
	cfg->console = RUN_CONSOLE_FILE;
	return replace(&cfg->console_path, value, e);
}

static int set_name(struct run_config *cfg, const char *value, struct err *e)
{
	int r;

	r = check_name(value, RUN_NAME_MAX, e);
	return r < 0 ? r : replace(&cfg->name, value, e);
}

static int set_report(struct run_config *cfg, const char *value, struct err *e)
{
	return replace(&cfg->report, value, e);
}

static int set_verbose(struct run_config *cfg, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	cfg->verbose = true;
	return 0;
}

static int set_hugepages(struct run_config *cfg, const char *value, struct err *e)
{
	static const char *const names[] = {
		[RUN_HUGEPAGES_AUTO] = "auto",
		[RUN_HUGEPAGES_THP] = "thp",
		[RUN_HUGEPAGES_HUGETLB] = "hugetlb",
		[RUN_HUGEPAGES_OFF] = "off",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(value, names[i]) == 0) {
			cfg->hugepages = (enum run_hugepages)i;
			return 0;
		}
	}
	return err_set(e, EINVAL, "must be auto, thp, hugetlb or off");
}

static int set_on_device_loss(struct run_config *cfg, const char *value, struct err *e)
{
	bool go_on = strcmp(value, "continue") == 0;

	if (!go_on && strcmp(value, "stop") != 0)
		return err_set(e, EINVAL, "must be stop or continue");
	cfg->continue_on_device_loss = go_on;
	return 0;
}

static int set_seccomp(struct run_config *cfg, const char *value, struct err *e)
{
	return parse_on_off(value, &cfg->seccomp, e);
}

static int set_seccomp_profile(struct run_config *cfg, const char *value, struct err *e)
{
	return replace(&cfg->seccomp_profile, value, e);
}

static int set_cap_add(struct run_config *cfg, const char *value, struct err *e)
{
	char shown[64];

	for (;;) {
		_cleanup_free_ char *item = NULL;
		int n, r = list_next(&value, &item, e);

		if (r <= 0)
			return r;
		n = capability_number(item);
		if (strcasecmp(item, "ALL") == 0)
			cfg->cap_add = CAPABILITY_ALL;
		else if (n >= 0)
			cfg->cap_add |= 1ULL << n;
		else
			return err_set(e, EINVAL, "there is no capability '%s'",
				       printable(shown, sizeof(shown), item));
	}
}

static int (*const setters[])(struct run_config *cfg, const char *value, struct err *e) = {
	[RUN_SET_ISOLATION] = set_isolation,
	[RUN_SET_KERNEL] = set_kernel,
	[RUN_SET_INITRD] = set_initrd,
	[RUN_SET_CMDLINE] = set_cmdline,
	[RUN_SET_ROOTFS] = set_rootfs,
	[RUN_SET_DISK] = set_disk,
	[RUN_SET_NET] = set_net,
	[RUN_SET_ALLOW] = set_allow,
	[RUN_SET_DENY] = set_deny,
	[RUN_SET_CPUS] = set_cpus,
	[RUN_SET_MEMORY] = set_memory,
	[RUN_SET_VHOST_USER] = set_vhost_user,
	[RUN_SET_HUGEPAGES] = set_hugepages,
	[RUN_SET_ENV] = set_env,
	[RUN_SET_WORKDIR] = set_workdir,
	[RUN_SET_TIMEOUT] = set_timeout,
	[RUN_SET_CONSOLE] = set_console,
	[RUN_SET_NAME] = set_name,
	[RUN_SET_REPORT] = set_report,
	[RUN_SET_VERBOSE] = set_verbose,
	[RUN_SET_ON_DEVICE_LOSS] = set_on_device_loss,
	[RUN_SET_SECCOMP] = set_seccomp,
	[RUN_SET_SECCOMP_PROFILE] = set_seccomp_profile,
	[RUN_SET_CAP_ADD] = set_cap_add,
	[RUN_SET_CPU_WEIGHT] = set_cpu_weight,
	[RUN_SET_PIDS] = set_pids,
	[RUN_SET_DISK_BPS] = set_disk_bps,
	[RUN_SET_DISK_IOPS] = set_disk_iops,
	[RUN_SET_NET_BPS] = set_net_bps,
	[RUN_SET_BEST_EFFORT] = set_best_effort,
};
static_assert(ARRAY_SIZE(setters) == RUN_SET_COUNT, "a setter for every setting");
static_assert(RUN_SET_COUNT <= 64, "a bit of `given` for every setting");

int run_config_set(struct run_config *cfg, enum run_setting setting, const char *value,
		   struct err *e)
{
	int r;

	assert(setting < RUN_SET_COUNT);
	r = setters[setting](cfg, value, e);
	if (r == 0)
		cfg->given |= 1ULL << setting;
	return r;
}

int run_config_set_command(struct run_config *cfg, size_t argc, char *const *argv, struct err *e)
{
	char **copy;

	if (argc == 0 || !argv[0][0])
		return err_set(e, EINVAL, "the command's name is empty");
	copy = calloc(argc + 1, sizeof(*copy));
	if (!copy)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < argc; i++) {
		copy[i] = strdup(argv[i]);
		if (!copy[i]) {
			free_strings(copy, i);
			return err_set(e, ENOMEM, "out of memory");
		}
	}
	free_strings(cfg->argv, cfg->argc);
	cfg->argv = copy;
	cfg->argc = argc;
	return 0;
}

static int check_boot(struct run_config *cfg, struct err *e)
{
	int r = isolation_check(cfg, e);

	if (r < 0)
		return r;
	if (cfg->isolation != RUN_ISOLATION_VM) {
		cfg->boot = RUN_BOOT_COMMAND;
		return 0;
	}
	if (cfg->memory_bytes < RUN_MEMORY_MIN)
		return err_set(e, EINVAL, "--memory is less than 32M, the least for a guest");
	if (cfg->root.path && cfg->initrd)
		return err_set(e, EINVAL,
			       "--rootfs and --initrd exclude each other: an initrd "
			       "brings its own init; attach the image with --disk");
	if (cfg->argv && cfg->initrd)
		return err_set(e, EINVAL,
			       "a command and --initrd exclude each other: an initrd "
			       "brings its own init, which does not know the command");
	if (cfg->argv && !cfg->root.path)
		return err_set(e, EINVAL,
			       "a command needs --rootfs DIR or IMAGE: the guest has no "
			       "files without it");
	if (!cfg->root.path && !cfg->kernel && !cfg->initrd)
		return err_set(e, EINVAL,
			       "nothing to run: give --rootfs DIR and a command, or "
			       "--kernel FILE (see `bulkhead help run`)");
	if (!cfg->root.path)
		cfg->boot = RUN_BOOT_RAW;
	else
		cfg->boot = cfg->argv ? RUN_BOOT_COMMAND : RUN_BOOT_IMAGE;
	return 0;
}

static int check_needs(const struct run_config *cfg, struct err *e)
{
	if (cfg->boot != RUN_BOOT_COMMAND && cfg->workdir)
		return err_set(e, EINVAL, "--workdir needs a command to start there");
	if (cfg->boot != RUN_BOOT_COMMAND && cfg->nenv)
		return err_set(e, EINVAL, "--env needs a command that would see it");
	if (!cfg->seccomp && cfg->seccomp_profile)
		return err_set(e, EINVAL, "--seccomp off and --seccomp-profile exclude each other");
	if (cfg->console == RUN_CONSOLE_FILE && cfg->report &&
	    strcmp(cfg->console_path, cfg->report) == 0)
		return err_set(e, EINVAL, "--console and --report name the same file");
	if (cfg->boot != RUN_BOOT_RAW)
		return 0;
	if (cfg->limits.pids)
		return err_set(e, EINVAL,
			       "--pids needs --rootfs: without it nothing in the guest would set "
			       "it");
	for (size_t i = 0; i < cfg->nnets; i++)
		if (cfg->net[i].ip[0] || cfg->net[i].dns[0])
			return err_set(e, EINVAL,
				       "--net %s= needs --rootfs: without it nothing in the guest "
				       "would set it",
				       cfg->net[i].ip[0] ? "ip" : "dns");
	return 0;
}

static bool same_peer(const struct net_config *a, const struct net_config *b)
{
	return a->kind == b->kind && a->kind != NET_BRIDGE && strcmp(a->ifname, b->ifname) == 0 &&
	       a->fd == b->fd && strcmp(a->netns ? a->netns : "", b->netns ? b->netns : "") == 0;
}

/* Rules know the instance by its addresses, and stand at ports of our own. */
static int check_rules(const struct run_config *cfg, struct err *e)
{
	if (cfg->nrules && !cfg->nnets)
		return err_set(e, EINVAL, "--allow and --deny need --net bridge=BRIDGE,ip=CIDR");
	for (size_t i = 0; i < cfg->nnets && cfg->nrules; i++)
		if (cfg->net[i].kind != NET_BRIDGE || !cfg->net[i].ip[0])
			return err_set(
				e, EINVAL,
				"--allow and --deny need every --net to be "
				"bridge=BRIDGE,ip=CIDR: they know the instance by its address");
	return 0;
}

static int check_rates(const struct run_config *cfg, struct err *e)
{
	if (cfg->limits.net_bps && !run_config_has_interface(cfg))
		return err_set(e, EINVAL, "--net-bps needs --net with an interface");
	if (cfg->isolation != RUN_ISOLATION_VM)
		return 0;
	if ((cfg->limits.disk_bps || cfg->limits.disk_iops) && !cfg->root.path && !cfg->ndisks)
		return err_set(e, EINVAL, "--disk-%s needs a disk, which this guest does not have",
			       cfg->limits.disk_bps ? "bps" : "iops");
	for (size_t i = 0; i < cfg->nforeign; i++)
		if ((cfg->foreign[i].kind == FOREIGN_BLK &&
		     (cfg->limits.disk_bps || cfg->limits.disk_iops)) ||
		    (cfg->foreign[i].kind == FOREIGN_NET && cfg->limits.net_bps))
			return err_set(e, EINVAL,
				       "--vhost-user %s: its own program decides how fast it is, "
				       "which --disk-bps, --disk-iops and --net-bps do not reach",
				       cfg->foreign[i].path);
	return 0;
}

static int check_nets(const struct run_config *cfg, struct err *e)
{
	size_t ndns = 0;

	for (size_t i = 0; i < cfg->nnets; i++) {
		const struct net_config *a = &cfg->net[i];

		ndns += a->dns[0] != '\0';
		if (a->kind == NET_NETNS && cfg->nnets > 1)
			return err_set(e, EINVAL, "--net netns= excludes every other --net");
		for (size_t j = 0; j < i; j++) {
			const struct net_config *b = &cfg->net[j];

			if (same_peer(a, b))
				return err_set(e, EINVAL, "--net: two interfaces on one tap");
			if (a->has_mac && b->has_mac && memcmp(a->mac, b->mac, 6) == 0)
				return err_set(e, EINVAL, "--net: two interfaces with one mac");
		}
	}
	if (ndns > RUN_DNS_MAX)
		return err_set(e, EINVAL, "--net: more than %d dns", RUN_DNS_MAX);
	return check_rules(cfg, e);
}

static int check_disks(const struct run_config *cfg, struct err *e)
{
	for (size_t i = 0; i < cfg->ndisks; i++) {
		const struct disk_config *a = &cfg->disk[i];

		if (a->dir && cfg->boot == RUN_BOOT_RAW)
			return err_set(e, EINVAL,
				       "--disk path= needs --rootfs: without it nothing in the "
				       "guest would mount it");
		for (size_t j = 0; j < i; j++) {
			const struct disk_config *b = &cfg->disk[j];

			if (a->id[0] && strcmp(a->id, b->id) == 0)
				return err_set(e, EINVAL, "--disk: two disks with id=%s", a->id);
			if (a->dir && b->dir && strcmp(a->dir, b->dir) == 0)
				return err_set(e, EINVAL, "--disk: two disks with path=%s", a->dir);
		}
	}
	return 0;
}

int run_config_check(struct run_config *cfg, struct err *e)
{
	int r;

	r = check_boot(cfg, e);
	if (r < 0)
		return r;
	r = check_needs(cfg, e);
	if (r < 0)
		return r;
	r = check_nets(cfg, e);
	if (r == 0)
		r = check_rates(cfg, e);
	if (r < 0)
		return r;
	r = check_disks(cfg, e);
	if (r < 0)
		return r;
	if ((cfg->root.path != NULL) + cfg->ndisks + cfg->nnets + cfg->nforeign > RUN_DEVICES_MAX)
		return err_set(e, EINVAL, "more than %d devices", RUN_DEVICES_MAX);
	return 0;
}

bool run_config_has_interface(const struct run_config *cfg)
{
	return cfg->nnets && cfg->net[0].kind != NET_NETNS;
}

void run_config_fill_macs(struct run_config *cfg, uint64_t random)
{
	for (size_t i = 0; i < cfg->nnets; i++) {
		struct net_config *n = &cfg->net[i];

		if (n->has_mac)
			continue;
		/* IEEE 802, 8.2: bit 1 of the first octet says that the
		 * address is local, bit 0 clear that it is one station's. */
		n->mac[0] = 0x02;
		for (int k = 1; k < 5; k++)
			n->mac[k] = (uint8_t)(random >> (8 * k));
		n->mac[5] = (uint8_t)((random & 0xf8) | i);
		n->has_mac = true;
	}
}

void run_config_fill_id(struct run_config *cfg, const uint8_t random[16])
{
	uint64_t low;

	memcpy(cfg->id, random, sizeof(cfg->id));
	memcpy(&low, random, sizeof(low));
	run_config_fill_macs(cfg, low);
	for (size_t i = 0; i < cfg->nnets; i++)
		if (cfg->net[i].kind == NET_BRIDGE)
			snprintf(cfg->net[i].ifname, sizeof(cfg->net[i].ifname),
				 "bh%02x%02x%02x%02x.%zu", random[0], random[1], random[2],
				 random[3], i % 10);
}
