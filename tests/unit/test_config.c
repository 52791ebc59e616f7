/* test_config.c - values, combinations, the kernel's command line and the
 * records for the guest's init. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "guest-kernel-config/guest_abi.h"
#include "guest-kernel-config/init/params.h"
#include "vmm/config/cmdline.h"
#include "vmm/config/guest_params.h"
#include "vmm/config/isolation.h"
#include "vmm/config/run_config.h"
#include "vmm/config/values.h"

struct trial {
	enum run_setting setting;
	const char *value;
	const char *says; /* part of the message; NULL: it is taken */
};

static const struct trial trials[] = {
	{ RUN_SET_ISOLATION, "vm", NULL },
	{ RUN_SET_ISOLATION, "process", NULL },
	{ RUN_SET_ISOLATION, "none", NULL },
	{ RUN_SET_ISOLATION, "nothing", "must be vm" },
	{ RUN_SET_CPUS, "1", NULL },
	{ RUN_SET_CPUS, "64", NULL },
	{ RUN_SET_CPUS, "0.5", NULL },
	{ RUN_SET_CPUS, "0.01", NULL },
	{ RUN_SET_CPUS, "1.125", NULL },
	{ RUN_SET_CPUS, "0", "from 0.01 to 64" },
	{ RUN_SET_CPUS, "0.009", "from 0.01 to 64" },
	{ RUN_SET_CPUS, "65", "from 0.01 to 64" },
	{ RUN_SET_CPUS, "64.001", "from 0.01 to 64" },
	{ RUN_SET_CPUS, "1x", "from 0.01 to 64" },
	{ RUN_SET_CPUS, "-1", "from 0.01 to 64" },
	{ RUN_SET_CPUS, "1.", "from 0.01 to 64" },
	{ RUN_SET_CPUS, ".5", "from 0.01 to 64" },
	{ RUN_SET_CPUS, "1.0005", "three decimals" },
	{ RUN_SET_CPUS, "18446744073709551617", "from 0.01 to 64" },
	{ RUN_SET_CPU_WEIGHT, "1", NULL },
	{ RUN_SET_CPU_WEIGHT, "10000", NULL },
	{ RUN_SET_CPU_WEIGHT, "10001", "from 1 to 10000" },
	{ RUN_SET_CPU_WEIGHT, "0", "from 1 to 10000" },
	{ RUN_SET_PIDS, "1", NULL },
	{ RUN_SET_PIDS, "max", "from 1 to" },
	{ RUN_SET_DISK_BPS, "4M", NULL },
	{ RUN_SET_DISK_BPS, "4095", "from 4K" },
	{ RUN_SET_DISK_BPS, "2T", "from 4K to 1T" },
	{ RUN_SET_DISK_BPS, "fast", "not a rate" },
	{ RUN_SET_DISK_IOPS, "100", NULL },
	{ RUN_SET_DISK_IOPS, "1K", "from 1 to" },
	{ RUN_SET_NET_BPS, "1M", NULL },
	{ RUN_SET_NET_BPS, "0", "from 4K" },
	{ RUN_SET_MEMORY, "32M", NULL },
	{ RUN_SET_MEMORY, "1G", NULL },
	{ RUN_SET_MEMORY, "16T", NULL },
	{ RUN_SET_MEMORY, "17T", "more than" },
	{ RUN_SET_MEMORY, "99999999999T", "more than" },
	{ RUN_SET_MEMORY, "4M", NULL },
	{ RUN_SET_MEMORY, "3M", "less than 4M" },
	{ RUN_SET_MEMORY, "512", "write M or G" },
	{ RUN_SET_MEMORY, "40000001", "multiple of 4K" },
	{ RUN_SET_MEMORY, "1Q", "not a size" },
	{ RUN_SET_MEMORY, "M", "not a size" },
	{ RUN_SET_TIMEOUT, "0.5", NULL },
	{ RUN_SET_TIMEOUT, "10", NULL },
	{ RUN_SET_TIMEOUT, "0.000000001", NULL },
	{ RUN_SET_TIMEOUT, "0", "more than 0" },
	{ RUN_SET_TIMEOUT, "0.0000000001", "9 decimals" },
	{ RUN_SET_TIMEOUT, "1.", "number of seconds" },
	{ RUN_SET_TIMEOUT, ".5", "number of seconds" },
	{ RUN_SET_TIMEOUT, "1e3", "number of seconds" },
	{ RUN_SET_TIMEOUT, "99999999999999999999999", "more than" },
	{ RUN_SET_ENV, "A=", NULL },
	{ RUN_SET_ENV, "A=b=c\nd", NULL },
	{ RUN_SET_ENV, "A", "NAME=VALUE" },
	{ RUN_SET_ENV, "=b", "NAME=VALUE" },
	{ RUN_SET_WORKDIR, "/a", NULL },
	{ RUN_SET_WORKDIR, "a", "absolute" },
	{ RUN_SET_NAME, "a.b-c_9", NULL },
	{ RUN_SET_NAME, "..", "begin with" },
	{ RUN_SET_NAME, "-a", "begin with" },
	{ RUN_SET_NAME, "a/b", "may hold" },
	{ RUN_SET_NAME, "a\xc3\xa4", "may hold" },
	{ RUN_SET_NAME, "0123456789012345678901234567890123456789012345678901234567890123", NULL },
	{ RUN_SET_NAME, "01234567890123456789012345678901234567890123456789012345678901234",
	  "1 to 64" },
	{ RUN_SET_CMDLINE, "a b=\"c d\"", NULL },
	{ RUN_SET_CMDLINE, "a\nb", "control" },
	{ RUN_SET_VHOST_USER, "blk:/run/b.sock", NULL },
	{ RUN_SET_VHOST_USER, "net:", "path is missing" },
	{ RUN_SET_VHOST_USER, "fs:/x", "must be blk:" },
	{ RUN_SET_VHOST_USER, "blk", "must be blk:" },
	{ RUN_SET_HUGEPAGES, "hugetlb", NULL },
	{ RUN_SET_HUGEPAGES, "on", "must be auto" },
	{ RUN_SET_ON_DEVICE_LOSS, "stop", NULL },
	{ RUN_SET_ON_DEVICE_LOSS, "go", "stop or continue" },
	{ RUN_SET_SECCOMP, "off", NULL },
	{ RUN_SET_SECCOMP, "no", "neither on nor off" },
	{ RUN_SET_ROOTFS, "a", NULL },
	{ RUN_SET_ROOTFS, "a,rw", NULL },
	{ RUN_SET_ROOTFS, "a,ro", "not known" },
	{ RUN_SET_ROOTFS, ",rw", "empty item" },
	{ RUN_SET_ROOTFS, "a,", "empty item" },
	{ RUN_SET_ROOTFS, "a,rw,rw", "twice" },
	{ RUN_SET_DISK, "a,ro,id=x,direct=on,queues=16", NULL },
	{ RUN_SET_DISK, "a,path=/srv/a,,b,ro", NULL },
	{ RUN_SET_DISK, "a,path=srv", "absolute" },
	{ RUN_SET_DISK, "a,path=", "no value" },
	{ RUN_SET_DISK, "a,path=///", "is the root" },
	{ RUN_SET_DISK, "a,path=/a/../proc", "has . or .. in it" },
	{ RUN_SET_DISK, "a,path=/a/.", "has . or .. in it" },
	{ RUN_SET_DISK, "a,path=/a/..b/...", NULL },
	{ RUN_SET_DISK, "a,path=/proc", "the system's own" },
	{ RUN_SET_DISK, "a,path=//sys//fs", "the system's own" },
	{ RUN_SET_DISK, "a,path=/device", NULL },
	{ RUN_SET_DISK, "a,path=/a,path=/b", "twice" },
	{ RUN_SET_DISK, "a,path=/a,queues=0", "from 1 to 16" },
	{ RUN_SET_DISK, "a,queues=17", "from 1 to 16" },
	{ RUN_SET_DISK, "a,queues=", "no value" },
	{ RUN_SET_DISK, "a,queues", "not known" },
	{ RUN_SET_DISK, "a,ro=1", "not known" },
	{ RUN_SET_DISK, "a,id=012345678901234567890", "1 to 20" },
	{ RUN_SET_DISK, "a,id=\x1b[0m", "begin with" },
	{ RUN_SET_DISK, "a,direct=1", "neither on nor off" },
	{ RUN_SET_NET, "none", NULL },
	{ RUN_SET_NET, "none,mac=02:00:00:00:00:01", "alone" },
	{ RUN_SET_NET, "tap=tap0", NULL },
	{ RUN_SET_NET, "tap=tap0,mtu=1400,netns=a", NULL },
	{ RUN_SET_NET, "tap=tap0,netns=a,netns=b", "twice" },
	{ RUN_SET_NET, "netns=/run/n,dns=1.1.1.1", NULL },
	{ RUN_SET_NET, "netns=", "no value" },
	{ RUN_SET_NET, "netns=a,ip=10.0.0.2/8", "not for netns=" },
	{ RUN_SET_NET, "netns=a,mac=02:00:00:00:00:01", "not for netns=" },
	{ RUN_SET_NET, "netns=a,mtu=1400", "not for netns=" },
	{ RUN_SET_NET, "netns=a,netns=b", "not known" },
	{ RUN_SET_NET, "netns=a,tap=b", "not known" },
	{ RUN_SET_NET, "bridge=b,netns=a", "behind tap=" },
	{ RUN_SET_NET, "fd=3,netns=a", "behind tap=" },
	{ RUN_SET_NET, "fd=3", NULL },
	{ RUN_SET_NET, "fd=2", "from 3" },
	{ RUN_SET_NET, "fd=2147483648", "from 3" },
	{ RUN_SET_NET, "tap=", "network interface" },
	{ RUN_SET_NET, "tap=0123456789abcdef", "network interface" },
	{ RUN_SET_NET, "tap=a/b", "network interface" },
	{ RUN_SET_NET, "tap=a%d", "network interface" },
	{ RUN_SET_NET, "mac=02:00:00:00:00:01", "must begin with" },
	{ RUN_SET_NET, "tap=a,tap=b", "not known" },
	{ RUN_SET_NET,
	  "tap=a,mac=02:00:00:00:00:01,ip=10.0.0.2/24,gw=10.0.0.1,dns=1.1.1.1,mtu=1500", NULL },
	{ RUN_SET_NET, "tap=a,ip=fd00::2/64,gw=fd00::1,dns=fd00::1", NULL },
	{ RUN_SET_NET, "tap=a,mac=03:00:00:00:00:01", "multicast" },
	{ RUN_SET_NET, "tap=a,mac=00:00:00:00:00:00", "can have" },
	{ RUN_SET_NET, "tap=a,mac=02-00-00-00-00-01", "not a MAC" },
	{ RUN_SET_NET, "tap=a,mac=02:00:00:00:00:0", "not a MAC" },
	{ RUN_SET_NET, "tap=a,mac=2", "not a MAC" },
	{ RUN_SET_NET, "tap=a,ip=10.0.0.2", "prefix length" },
	{ RUN_SET_NET, "tap=a,ip=10.0.0.2/33", "prefix length" },
	{ RUN_SET_NET, "tap=a,ip=10.0.0.2/00000000000000000000000000000000000000000000024",
	  "prefix length" },
	{ RUN_SET_NET, "tap=a,ip=10.0.0.256/24", "not an IP" },
	{ RUN_SET_NET, "tap=a,ip=fd00::2/129", "prefix length" },
	{ RUN_SET_NET, "tap=a,ip=fe80::1%eth0/64", "not an IP" },
	{ RUN_SET_NET, "tap=a,gw=10.0.0.1", "needs ip=" },
	{ RUN_SET_NET, "tap=a,ip=10.0.0.2/24,gw=fd00::1", "families" },
	{ RUN_SET_NET, "tap=a,mtu=67", "from 68" },
	{ RUN_SET_NET, "tap=a,mtu=65536", "from 68" },
	{ RUN_SET_CONSOLE, "none", NULL },
	{ RUN_SET_CONSOLE, "file", NULL },
};

static void test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		const struct trial *t = &trials[i];
		struct run_config cfg;
		struct err e = { "" };
		int r;

		run_config_init(&cfg);
		r = run_config_set(&cfg, t->setting, t->value, &e);
		if ((r == 0) != !t->says || (t->says && !strstr(e.text, t->says)))
			fail_msg("'%s' gave %d: %s", t->value, r, e.text);
		for (const char *p = e.text; *p; p++)
			assert_true(*p >= ' ' && *p < 0x7f);
		run_config_release(&cfg);
	}
}

static void test_what_was_parsed(void **state)
{
	struct run_config cfg;
	struct err e;

	(void)state;
	run_config_init(&cfg);
	assert_int_equal(run_config_set(&cfg, RUN_SET_MEMORY, "1G", &e), 0);
	assert_int_equal(cfg.memory_bytes, 1 << 30);
	assert_int_equal(run_config_set(&cfg, RUN_SET_TIMEOUT, "1.25", &e), 0);
	assert_int_equal(cfg.timeout_ns, 1250000000);
	assert_int_equal(run_config_set(&cfg, RUN_SET_DISK, "a,,b,,,ro,queues=2", &e), 0);
	assert_string_equal(cfg.disk[0].path, "a,b,");
	assert_true(cfg.disk[0].ro);
	assert_int_equal(cfg.disk[0].queues, 2);
	assert_int_equal(
		run_config_set(&cfg, RUN_SET_NET, "tap=t,mac=02:aB:00:00:00:fe,ip=10.0.0.2/24", &e),
		0);
	assert_memory_equal(cfg.net[0].mac, "\x02\xab\x00\x00\x00\xfe", 6);
	assert_string_equal(cfg.net[0].ip, "10.0.0.2/24");
	assert_int_equal(run_config_set(&cfg, RUN_SET_NET, "none", &e), -EINVAL);
	run_config_release(&cfg);
}

/* Any name survives being written with its commas doubled. */
static void test_commas(void **state)
{
	static const char letters[] = "a,=/";
	unsigned int seed = 1;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		char name[12], value[40], *p = value;
		struct run_config cfg;
		struct err e;
		size_t n;

		seed = seed * 1103515245u + 12345u;
		n = 1 + (seed >> 16) % (sizeof(name) - 1);
		for (size_t i = 0; i < n; i++) {
			seed = seed * 1103515245u + 12345u;
			name[i] = letters[(seed >> 16) % 4];
			*p++ = name[i];
			if (name[i] == ',')
				*p++ = ',';
		}
		strcpy(p, ",ro");
		/* ",,,ro" at the end: the comma is the name's, then comes ro */
		run_config_init(&cfg);
		assert_int_equal(run_config_set(&cfg, RUN_SET_DISK, value, &e), 0);
		assert_int_equal(strlen(cfg.disk[0].path), n);
		assert_memory_equal(cfg.disk[0].path, name, n);
		assert_true(cfg.disk[0].ro);
		run_config_release(&cfg);
	}
}

static void test_limits(void **state)
{
	struct run_config cfg;
	struct err e;
	char value[32];

	(void)state;
	run_config_init(&cfg);
	for (int i = 0; i < RUN_DISKS_MAX; i++)
		assert_int_equal(run_config_set(&cfg, RUN_SET_DISK, "a", &e), 0);
	assert_int_equal(run_config_set(&cfg, RUN_SET_DISK, "a", &e), -EINVAL);
	for (int i = 0; i < RUN_NETS_MAX; i++) {
		snprintf(value, sizeof(value), "fd=%d", i + 3);
		assert_int_equal(run_config_set(&cfg, RUN_SET_NET, value, &e), 0);
	}
	assert_int_equal(run_config_set(&cfg, RUN_SET_NET, "fd=100", &e), -EINVAL);
	for (int i = 0; i < RUN_ENV_MAX; i++)
		assert_int_equal(run_config_set(&cfg, RUN_SET_ENV, "A=b", &e), 0);
	assert_int_equal(run_config_set(&cfg, RUN_SET_ENV, "A=b", &e), -EINVAL);
	assert_int_equal(run_config_set(&cfg, RUN_SET_KERNEL, "k", &e), 0);
	assert_int_equal(run_config_check(&cfg, &e), -EINVAL);
	run_config_release(&cfg);
}

/* Settings as "OPTION VALUE" pairs and a command, checked as a whole. */
static int check(struct run_config *cfg, const struct trial *set, const char *cmd, struct err *e)
{
	char *argv[] = { strdup(cmd ? cmd : ""), NULL };
	int r = 0;

	run_config_init(cfg);
	for (; set->value && r == 0; set++)
		r = run_config_set(cfg, set->setting, set->value, e);
	if (r == 0 && cmd)
		r = run_config_set_command(cfg, 1, argv, e);
	free(argv[0]);
	return r < 0 ? r : run_config_check(cfg, e);
}

#define PROCESS                                                                                    \
	{                                                                                          \
		RUN_SET_ISOLATION, "process", NULL                                                 \
	}
#define ROOT                                                                                       \
	{                                                                                          \
		RUN_SET_ROOTFS, "r", NULL                                                          \
	}
#define ROOT_RW                                                                                    \
	{                                                                                          \
		RUN_SET_ROOTFS, "r,rw", NULL                                                       \
	}
#define KERNEL                                                                                     \
	{                                                                                          \
		RUN_SET_KERNEL, "k", NULL                                                          \
	}
#define INITRD                                                                                     \
	{                                                                                          \
		RUN_SET_INITRD, "i", NULL                                                          \
	}
#define TAP(...)                                                                                   \
	{                                                                                          \
		RUN_SET_NET, "tap=" __VA_ARGS__, NULL                                              \
	}
#define NETNS(where)                                                                               \
	{                                                                                          \
		RUN_SET_NET, "netns=" where, NULL                                                  \
	}
#define END                                                                                        \
	{                                                                                          \
		0, NULL, NULL                                                                      \
	}

static const struct {
	struct trial set[5];
	const char *cmd;
	const char *says; /* NULL: fine, and then: */
	enum run_boot boot;
} combinations[] = {
	{ { ROOT, END }, "ls", NULL, RUN_BOOT_COMMAND },
	{ { ROOT, END }, NULL, NULL, RUN_BOOT_IMAGE },
	{ { ROOT, KERNEL, END }, "ls", NULL, RUN_BOOT_COMMAND },
	{ { KERNEL, END }, NULL, NULL, RUN_BOOT_RAW },
	{ { INITRD, END }, NULL, NULL, RUN_BOOT_RAW },
	{ { END }, NULL, "nothing to run", 0 },
	{ { END }, "ls", "needs --rootfs", 0 },
	{ { { RUN_SET_ISOLATION, "none", NULL }, END }, "ls", NULL, RUN_BOOT_COMMAND },
	{ { { RUN_SET_ISOLATION, "none", NULL }, END }, NULL, "needs a command", 0 },
	{ { ROOT, PROCESS, END }, "ls", NULL, RUN_BOOT_COMMAND },
	{ { ROOT, PROCESS, END }, NULL, "needs a command", 0 },
	{ { PROCESS, END }, "ls", "needs --rootfs", 0 },
	{ { PROCESS, ROOT_RW, END }, "ls", NULL, RUN_BOOT_COMMAND },
	{ { PROCESS, ROOT, TAP("a"), END }, "ls", "--net with tap= or fd=", 0 },
	{ { KERNEL, END }, "ls", "needs --rootfs", 0 },
	{ { INITRD, END }, "ls", "own init", 0 },
	{ { INITRD, ROOT, END }, NULL, "exclude each other", 0 },
	{ { ROOT, END }, "", "name is empty", 0 },
	{ { ROOT, { RUN_SET_WORKDIR, "/", NULL }, END }, NULL, "--workdir needs", 0 },
	{ { KERNEL, { RUN_SET_ENV, "A=b", NULL }, END }, NULL, "--env needs", 0 },
	{ { KERNEL, TAP("a,ip=10.0.0.2/8"), END }, NULL, "needs --rootfs", 0 },
	{ { KERNEL, { RUN_SET_PIDS, "9", NULL }, END }, NULL, "--pids needs --rootfs", 0 },
	{ { KERNEL, TAP("a"), END }, NULL, NULL, RUN_BOOT_RAW },
	{ { KERNEL, TAP("a"), TAP("a"), END }, NULL, "one tap", 0 },
	{ { KERNEL, TAP("a,mac=02:00:00:00:00:01"), TAP("b,mac=02:00:00:00:00:01"), END },
	  NULL,
	  "one mac",
	  0 },
	{ { KERNEL, { RUN_SET_DISK, "a,id=x", NULL }, { RUN_SET_DISK, "b,id=x", NULL }, END },
	  NULL,
	  "id=x",
	  0 },
	{ { ROOT,
	    { RUN_SET_DISK, "a,path=/x/y", NULL },
	    { RUN_SET_DISK, "b,path=//x/y/", NULL },
	    END },
	  NULL,
	  "path=/x/y",
	  0 },
	{ { KERNEL, { RUN_SET_DISK, "a,path=/x", NULL }, END }, NULL, "path= needs --rootfs", 0 },
	{ { PROCESS, ROOT, { RUN_SET_DISK, "a,ro", NULL }, END },
	  "ls",
	  "--disk without path=DIR is not for --isolation process",
	  0 },
	{ { PROCESS, ROOT, { RUN_SET_DISK, "a,path=/x,direct=on", NULL }, END },
	  "ls",
	  "--disk with direct=on is not for --isolation process",
	  0 },
	{ { PROCESS, ROOT, { RUN_SET_DISK, "a,path=/x,queues=2", NULL }, END },
	  "ls",
	  "--disk with queues= is not for --isolation process",
	  0 },
	{ { PROCESS, ROOT, NETNS("a"), END }, "ls", NULL, RUN_BOOT_COMMAND },
	{ { ROOT, NETNS("a"), END }, "ls", "--net netns= is not for --isolation vm: ", 0 },
	{ { PROCESS, ROOT, TAP("t,netns=a"), END }, "ls", "--net with tap= or fd=", 0 },
	{ { ROOT, TAP("t,netns=a"), TAP("t,netns=b"), END }, "ls", NULL, RUN_BOOT_COMMAND },
	{ { ROOT, TAP("t,netns=a"), TAP("t,netns=a"), END }, "ls", "one tap", 0 },
	{ { PROCESS, ROOT, NETNS("a"), NETNS("a"), END }, "ls", "excludes every other", 0 },
	{ { PROCESS, ROOT, NETNS("a"), { RUN_SET_ALLOW, "tcp:any", NULL }, END },
	  "ls",
	  "--allow and --deny need every --net",
	  0 },
	{ { PROCESS, ROOT, NETNS("a"), { RUN_SET_NET_BPS, "1M", NULL }, END },
	  "ls",
	  "--net-bps needs --net with an interface",
	  0 },
	{ { KERNEL, { RUN_SET_CONSOLE, "f", NULL }, { RUN_SET_REPORT, "f", NULL }, END },
	  NULL,
	  "same file",
	  0 },
};

static void test_combinations(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(combinations); i++) {
		struct run_config cfg;
		struct err e = { "" };
		int r = check(&cfg, combinations[i].set, combinations[i].cmd, &e);

		if ((r == 0) != !combinations[i].says ||
		    (combinations[i].says && !strstr(e.text, combinations[i].says)))
			fail_msg("case %zu gave %d: %s", i, r, e.text);
		if (r == 0)
			assert_int_equal(cfg.boot, combinations[i].boot);
		run_config_release(&cfg);
	}
}

/* What a wall cannot honour is refused with its name; what it can is taken. */
static void try_wall(enum run_isolation wall, enum run_setting s, const char *value)
{
	const char *name = isolation_name(wall), *why = isolation_refusal(wall, s);
	bool rule = s == RUN_SET_ALLOW || s == RUN_SET_DENY || s == RUN_SET_NET_BPS;
	const struct trial set[] = {
		/* The value that is the default's, too: it was asked for. */
		{ s, value, NULL },
		{ RUN_SET_ISOLATION, name, NULL },
		/* What it needs, the interface where that is honoured. */
		{ wall == RUN_ISOLATION_NONE ? RUN_SET_VERBOSE : RUN_SET_ROOTFS, "r", NULL },
		{ rule && wall != RUN_ISOLATION_NONE ? RUN_SET_NET : RUN_SET_VERBOSE,
		  "bridge=b,ip=10.0.0.1/8", NULL },
		END,
	};
	struct run_config cfg;
	struct err e = { "" };
	int r = check(&cfg, set, "ls", &e);
	char start[64];

	snprintf(start, sizeof(start), "--%s is not for --isolation %s: ", isolation_option(s),
		 name);
	if ((r < 0) != (why != NULL) || (why && strncmp(e.text, start, strlen(start)) != 0))
		fail_msg("%s: %d: %s", start, r, e.text);
	run_config_release(&cfg);
}

static void test_walls(void **state)
{
	static const char *const values[RUN_SET_COUNT] = {
		[RUN_SET_ISOLATION] = "none",
		[RUN_SET_ROOTFS] = "r",
		[RUN_SET_KERNEL] = "k",
		[RUN_SET_INITRD] = "i",
		[RUN_SET_CMDLINE] = "c",
		[RUN_SET_VHOST_USER] = "rng:s",
		[RUN_SET_DISK] = "d,path=/x",
		[RUN_SET_NET] = "none",
		[RUN_SET_ALLOW] = "tcp:any",
		[RUN_SET_DENY] = "tcp:any",
		[RUN_SET_CPUS] = "1",
		[RUN_SET_MEMORY] = "256M",
		[RUN_SET_HUGEPAGES] = "auto",
		[RUN_SET_ENV] = "A=b",
		[RUN_SET_WORKDIR] = "/",
		[RUN_SET_TIMEOUT] = "1",
		[RUN_SET_CONSOLE] = "none",
		[RUN_SET_NAME] = "n",
		[RUN_SET_REPORT] = "f",
		[RUN_SET_VERBOSE] = "",
		[RUN_SET_ON_DEVICE_LOSS] = "stop",
		[RUN_SET_SECCOMP] = "on",
		[RUN_SET_SECCOMP_PROFILE] = "p",
		[RUN_SET_CAP_ADD] = "cap_syslog,NET_RAW",
		[RUN_SET_CPU_WEIGHT] = "100",
		[RUN_SET_PIDS] = "10",
		[RUN_SET_DISK_BPS] = "1M",
		[RUN_SET_DISK_IOPS] = "10",
		[RUN_SET_NET_BPS] = "1M",
		[RUN_SET_BEST_EFFORT] = "",
	};

	(void)state;
	for (unsigned int s = 0; s < RUN_SET_COUNT; s++) {
		try_wall(RUN_ISOLATION_PROCESS, (enum run_setting)s, values[s]);
		try_wall(RUN_ISOLATION_NONE, (enum run_setting)s, values[s]);
		/* An initrd excludes the root that is set here. */
		if (s != RUN_SET_INITRD)
			try_wall(RUN_ISOLATION_VM, (enum run_setting)s, values[s]);
	}
}

static void test_macs(void **state)
{
	const struct trial set[] = { KERNEL, TAP("a"), TAP("b,mac=02:00:00:00:00:01"), TAP("c"),
				     END };
	struct run_config cfg;
	struct err e;

	(void)state;
	assert_int_equal(check(&cfg, set, NULL, &e), 0);
	run_config_fill_macs(&cfg, UINT64_MAX);
	assert_int_equal(cfg.net[0].mac[0], 2);
	assert_memory_equal(cfg.net[1].mac, "\x02\0\0\0\0\x01", 6);
	assert_memory_not_equal(cfg.net[0].mac, cfg.net[2].mac, 6);
	for (int i = 0; i < 3; i++)
		assert_true(cfg.net[i].has_mac);
	run_config_release(&cfg);
}

static void expect_cmdline(const struct trial *set, const char *cmd, const char *text)
{
	struct run_config cfg;
	char *cmdline;
	struct err e;

	assert_int_equal(check(&cfg, set, cmd, &e), 0);
	assert_int_equal(cmdline_build(&cfg, &cmdline, &e), 0);
	assert_string_equal(cmdline, text);
	free(cmdline);
	run_config_release(&cfg);
}

static void test_cmdline(void **state)
{
	(void)state;
	expect_cmdline((struct trial[]){ ROOT, END }, "ls", "console=ttyS0 panic=-1 loglevel=1");
	expect_cmdline((struct trial[]){ ROOT, { RUN_SET_VERBOSE, "", NULL }, END }, "ls",
		       "console=ttyS0 panic=-1 loglevel=7");
	expect_cmdline((struct trial[]){ ROOT, { RUN_SET_CMDLINE, "a b", NULL }, END }, NULL,
		       "console=ttyS0 panic=-1 loglevel=1 a b");
	expect_cmdline((struct trial[]){ KERNEL, { RUN_SET_CMDLINE, "a b", NULL }, END }, NULL,
		       "a b");
	expect_cmdline((struct trial[]){ KERNEL, END }, NULL, "console=ttyS0 panic=-1");
}

/* The guest's init, which refuses what it does not know, takes them. */
static void understood(const struct guest_params *p)
{
	char error[PARAMS_ERROR_MAX] = "";
	char *copy = malloc(p->len);
	struct params parsed;

	memcpy(copy, p->data, p->len);
	if (params_parse(&parsed, copy, p->len, error) < 0)
		fail_msg("init says: %s", error);
	params_release(&parsed);
	free(copy);
}

/* The records of `cfg` joined with "|" instead of NUL. */
static char *records(const struct run_config *cfg, const struct guest_terminal *t)
{
	struct guest_params p = { 0 };
	struct err e = { "" };

	assert_int_equal(guest_params_build(&p, cfg, t, &e), 0);
	assert_true(p.len > 0 && p.len <= BH_PARAMS_MAX && p.data[p.len - 1] == '\0');
	understood(&p);
	for (size_t i = 0; i + 1 < p.len; i++)
		if (!p.data[i])
			p.data[i] = '|';
	return p.data;
}

static void test_guest_params(void **state)
{
	const struct trial set[] = { ROOT,
				     { RUN_SET_ENV, "A=b\nc", NULL },
				     { RUN_SET_WORKDIR, "/w", NULL },
				     { RUN_SET_DISK, "x", NULL },
				     { RUN_SET_DISK, "y,ro,path=//a/b,,c/", NULL },
				     { RUN_SET_DISK, "z,path=/d", NULL },
				     TAP("a,mac=02:00:00:00:00:01,ip=10.0.0.2/24,dns=1.1.1.1"),
				     END };
	const struct trial image[] = {
		{ RUN_SET_ROOTFS, "r,rw", NULL }, { RUN_SET_NAME, "n1", NULL },
		{ RUN_SET_PIDS, "64", NULL },	  { RUN_SET_BEST_EFFORT, "", NULL },
		{ RUN_SET_VERBOSE, "", NULL },	  END
	};
	const struct guest_terminal stream = { 0 };
	const struct guest_terminal terminal = { true, 24, 80, "xterm", false };
	struct run_config cfg;
	struct err e;
	char *text;

	(void)state;
	assert_int_equal(check(&cfg, set, "ls", &e), 0);
	text = records(&cfg, &stream);
	assert_string_equal(text, "version=1|console=stream|hostname=bulkhead|root=overlay|"
				  "disk=vdc,ro,/a/b,c|disk=vdd,rw,/d|"
				  "net=02:00:00:00:00:01,10.0.0.2/24,|dns=1.1.1.1|arg=ls|"
				  "env=A=b\nc|workdir=/w");
	free(text);
	assert_true(guest_params_stream(&cfg, &stream));
	run_config_release(&cfg);

	assert_int_equal(check(&cfg, image, NULL, &e), 0);
	text = records(&cfg, &terminal);
	assert_string_equal(text, "version=1|console=terminal|rows=24|cols=80|term=xterm|verbose=1|"
				  "hostname=n1|root=rw|pids=64,best-effort|init=image");
	free(text);
	/* The image's own init gets a plain terminal whatever ours is. */
	assert_false(guest_params_stream(&cfg, &stream));
	text = records(&cfg, &stream);
	assert_non_null(strstr(text, "|console=terminal|"));
	free(text);
	run_config_release(&cfg);
}

static void test_strange_terminal(void **state)
{
	const char *terms[] = { "", "a b", "a\x1b[", NULL };
	const struct trial set[] = { ROOT, END };
	struct run_config cfg;
	struct err e;

	(void)state;
	assert_int_equal(check(&cfg, set, "ls", &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(terms); i++) {
		struct guest_terminal t = { true, 70000, 80, terms[i], false };
		char *text = records(&cfg, &t);

		assert_null(strstr(text, "term="));
		assert_null(strstr(text, "rows="));
		free(text);
	}
	run_config_release(&cfg);
}

static void test_params_are_bounded(void **state)
{
	const struct guest_terminal stream = { 0 };
	struct guest_params p = { 0 };
	struct run_config cfg;
	struct err e = { "" };
	const struct trial set[] = { ROOT, END };
	char *big = malloc(BH_PARAMS_MAX + 1);

	(void)state;
	memset(big, 'x', BH_PARAMS_MAX);
	big[0] = 'A';
	big[1] = '=';
	big[BH_PARAMS_MAX] = '\0';
	assert_int_equal(check(&cfg, set, "ls", &e), 0);
	assert_int_equal(run_config_set(&cfg, RUN_SET_ENV, big, &e), 0);
	assert_int_equal(guest_params_build(&p, &cfg, &stream, &e), -E2BIG);
	guest_params_release(&p);
	/* Exactly full is fine. */
	assert_int_equal(guest_params_build(&p, &cfg, &stream, &e), -E2BIG);
	cfg.env[0][BH_PARAMS_MAX - p.len - strlen("env=") - 1] = '\0';
	guest_params_release(&p);
	assert_int_equal(guest_params_build(&p, &cfg, &stream, &e), 0);
	assert_int_equal(p.len, BH_PARAMS_MAX);
	guest_params_release(&p);
	run_config_release(&cfg);
	free(big);
}

static void test_raw_has_no_params(void **state)
{
	const struct guest_terminal stream = { 0 };
	const struct trial set[] = { KERNEL, END };
	struct guest_params p = { 0 };
	struct run_config cfg;
	struct err e;

	(void)state;
	assert_int_equal(check(&cfg, set, NULL, &e), 0);
	assert_int_equal(guest_params_build(&p, &cfg, &stream, &e), -EINVAL);
	guest_params_release(&p);
	run_config_release(&cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_what_was_parsed),
		cmocka_unit_test(test_commas),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_combinations),
		cmocka_unit_test(test_walls),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_cmdline),
		cmocka_unit_test(test_guest_params),
		cmocka_unit_test(test_strange_terminal),
		cmocka_unit_test(test_params_are_bounded),
		cmocka_unit_test(test_raw_has_no_params),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
