/*
 * run_config.h - what the user asked `bulkhead run` for, parsed and checked.
 *
 * Pure: strings in, a structure out.  Nothing is opened, no environment and no
 * clock is read, so that the whole command line can be tested and fuzzed.
 * What only the file system can tell (is --rootfs a directory?) is decided by
 * whoever opens it.
 */
#ifndef CONFIG_RUN_CONFIG_H
#define CONFIG_RUN_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/base/util.h"
#include "vmm/config/net_rule.h"

#define RUN_CPUS_MAX	     64
#define RUN_MEMORY_MIN	     (32 * MIB)
#define RUN_MEMORY_MAX	     (16ULL << 40)
#define RUN_MEMORY_DEFAULT   (256 * MIB)
#define RUN_NETS_MAX	     8 /* as many as the guest's init takes */
#define RUN_DISKS_MAX	     17
/* Root, disks and interfaces together; a source of random numbers is added. */
#define RUN_DEVICES_MAX	     18
#define RUN_RULES_MAX	     128
#define RUN_DNS_MAX	     3	  /* as many as a resolver reads */
#define RUN_ENV_MAX	     4096 /* as many as the guest's init takes */
#define RUN_DISK_ID_MAX	     20	  /* bytes of virtio-blk's identification */
#define RUN_DISK_QUEUES_MAX  16
#define RUN_NAME_MAX	     64
#define RUN_IFNAME_MAX	     15	       /* without the NUL: the kernel's IFNAMSIZ - 1 */
#define RUN_IP_MAX	     64	       /* "address/prefix" with its NUL */
#define RUN_CPUS_MIN_MILLI   10	       /* the shortest quota that the kernel takes */
#define RUN_RATE_MIN	     (4 * KIB) /* bytes per second */
#define RUN_RATE_MAX	     (1ULL << 40)
#define RUN_LIMIT_MEMORY_MIN (4 * MIB) /* without a guest */
#define RUN_TIMEOUT_MAX_S    (10ULL * 366 * 24 * 3600)

/* The wall; the words are in isolation.h. */
enum run_isolation {
	RUN_ISOLATION_VM,
	RUN_ISOLATION_PROCESS,
	RUN_ISOLATION_NONE,
	RUN_ISOLATION_COUNT
};

/* What the guest boots into; decided by run_config_check(). */
enum run_boot {
	RUN_BOOT_RAW,	  /* a kernel, perhaps the user's initrd: no init of ours, no CMD */
	RUN_BOOT_COMMAND, /* --rootfs and CMD: our init runs CMD in it */
	RUN_BOOT_IMAGE,	  /* --rootfs without CMD: our init mounts it and becomes its init */
};

struct root_config {
	char *path; /* NULL: none */
	bool rw;    /* write to the image itself; without it the guest writes to an overlay */
};

struct disk_config {
	char *path;
	char *dir;		      /* where it is mounted inside; NULL: it is a device only */
	char id[RUN_DISK_ID_MAX + 1]; /* "": none given; no two disks have the same */
	bool ro;
	bool direct;	     /* O_DIRECT */
	unsigned int queues; /* >= 1 */
};

enum net_kind {
	NET_TAP,    /* `ifname` */
	NET_FD,	    /* `fd`: a tap that whoever started us has opened */
	NET_BRIDGE, /* a port of `bridge` that we make, `ifname` */
	NET_NETNS,  /* no interface of its own: the namespace `netns`, as it is */
};

struct net_config {
	enum net_kind kind;
	char ifname[RUN_IFNAME_MAX + 1]; /* of NET_BRIDGE: see run_config_fill_id() */
	char bridge[RUN_IFNAME_MAX + 1];
	int fd;
	char *netns;  /* where the tap is, or NET_NETNS: a path, or a name of ip-netns(8) */
	bool has_mac; /* see run_config_fill_macs() */
	uint8_t mac[6];
	char ip[RUN_IP_MAX];  /* "ADDRESS/PREFIX" of either family, or "" */
	char gw[RUN_IP_MAX];  /* an address of the same family as `ip`, or "" */
	char dns[RUN_IP_MAX]; /* an address, or "" */
	unsigned int mtu;     /* 0: not given */
};

/* A device whose process somebody else runs. */
enum foreign_kind { FOREIGN_BLK, FOREIGN_NET, FOREIGN_RNG };

struct foreign_config {
	enum foreign_kind kind;
	char *path; /* of the Unix socket that its back end listens on */
};

enum run_console {
	RUN_CONSOLE_STDIO,
	RUN_CONSOLE_NONE, /* output is dropped, there is no input */
	RUN_CONSOLE_FILE, /* `console_path`, created or emptied; no input */
};

enum run_hugepages {
	RUN_HUGEPAGES_AUTO, /* transparent ones where the host has them */
	RUN_HUGEPAGES_THP,  /* transparent ones, or an error */
	RUN_HUGEPAGES_HUGETLB,
	RUN_HUGEPAGES_OFF,
};

/* What an instance may use; 0: as much as there is. */
struct limits_config {
	uint64_t cpus_milli; /* as given, in thousandths of a CPU */
	uint64_t cpu_weight; /* 1 to 10000 */
	uint64_t pids;
	uint64_t disk_bps, disk_iops; /* of each disk */
	uint64_t net_bps;	      /* of each interface, in bytes */
	bool best_effort;	      /* go on without what cannot be enforced */
};

struct run_config {
	uint64_t given; /* a bit per enum run_setting: it was set */
	enum run_isolation isolation;
	enum run_boot boot;
	char *kernel;  /* NULL: see guest_kernel_find() */
	char *initrd;  /* NULL: none of the user's */
	char *cmdline; /* as given, or NULL; see cmdline.h for its use */
	struct root_config root;
	struct disk_config disk[RUN_DISKS_MAX];
	size_t ndisks;
	struct net_config net[RUN_NETS_MAX];
	size_t nnets;
	struct net_rule rule[RUN_RULES_MAX]; /* the first that matches decides */
	size_t nrules;
	struct foreign_config foreign[RUN_DEVICES_MAX];
	size_t nforeign;
	unsigned int cpus; /* of a guest: as given, or the next whole number */
	struct limits_config limits;
	uint64_t memory_bytes; /* a multiple of 4 KiB */
	enum run_hugepages hugepages;
	char **env; /* "NAME=VALUE"; NULL-terminated once there is one, else NULL */
	size_t nenv;
	char *workdir;	     /* absolute, or NULL */
	uint64_t timeout_ns; /* 0: none */
	enum run_console console;
	char *console_path;
	char *name;	/* NULL: not given */
	uint8_t id[16]; /* random, see run_config_fill_id() */
	char *report;	/* NULL: none */
	bool verbose;
	bool continue_on_device_loss;
	bool seccomp;	       /* false: --seccomp off */
	char *seccomp_profile; /* a file; NULL: the usual list */
	uint64_t cap_add;      /* a bit per capability beyond the usual ones */
	char **argv;	       /* CMD and its arguments, NULL-terminated; NULL: no CMD */
	size_t argc;
	bool no_net; /* --net none was given */
};

/* One value per option of `run`. */
enum run_setting {
	RUN_SET_ISOLATION,
	RUN_SET_KERNEL,
	RUN_SET_INITRD,
	RUN_SET_CMDLINE,
	RUN_SET_ROOTFS,
	RUN_SET_DISK,
	RUN_SET_NET,
	RUN_SET_ALLOW,
	RUN_SET_DENY,
	RUN_SET_VHOST_USER,
	RUN_SET_CPUS,
	RUN_SET_MEMORY,
	RUN_SET_HUGEPAGES,
	RUN_SET_ENV,
	RUN_SET_WORKDIR,
	RUN_SET_TIMEOUT,
	RUN_SET_CONSOLE,
	RUN_SET_NAME,
	RUN_SET_REPORT,
	RUN_SET_VERBOSE,
	RUN_SET_ON_DEVICE_LOSS,
	RUN_SET_SECCOMP,
	RUN_SET_SECCOMP_PROFILE,
	RUN_SET_CAP_ADD,
	RUN_SET_CPU_WEIGHT,
	RUN_SET_PIDS,
	RUN_SET_DISK_BPS,
	RUN_SET_DISK_IOPS,
	RUN_SET_NET_BPS,
	RUN_SET_BEST_EFFORT,
	RUN_SET_COUNT
};

/* The defaults. */
void run_config_init(struct run_config *cfg);

/* Frees every string; *cfg must have been initialised and is not to be used
 * again without run_config_init(). */
void run_config_release(struct run_config *cfg);

/*
 * Take one option's value (`value` is not kept; a switch ignores it).  0,
 * -EINVAL or -ERANGE with a reason that does not name the option, -ENOMEM.
 * A setting that is not a list is replaced when it is set again.
 */
int run_config_set(struct run_config *cfg, enum run_setting setting, const char *value,
		   struct err *e);

/* Take CMD and its arguments.  0, -EINVAL (an empty CMD) or -ENOMEM. */
int run_config_set_command(struct run_config *cfg, size_t argc, char *const *argv, struct err *e);

/*
 * What only the whole can tell: decides `boot`, refuses what was given and the
 * wall cannot honour (isolation.h), and combinations that mean nothing, with
 * the reason.  0 or -EINVAL.
 */
int run_config_check(struct run_config *cfg, struct err *e);

/* Is there a --net that gives it an interface of its own? */
bool run_config_has_interface(const struct run_config *cfg);

/*
 * The instance's identity, from random bytes.  Every interface without a MAC
 * address gets one that is locally administered and unicast, made from them
 * and the interface's index, and our ports of bridges get names.
 */
void run_config_fill_id(struct run_config *cfg, const uint8_t random[16]);

/* The MAC addresses alone. */
void run_config_fill_macs(struct run_config *cfg, uint64_t random);

#endif
