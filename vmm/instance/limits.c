/* limits.c - see limits.h. */
#include "vmm/instance/limits.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "guest-kernel-config/guest_abi.h"
#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/config/isolation.h"

#define VM_OVERHEAD (64 * MIB) /* monitor and device processes */
#define LOG_RECORDS 4096       /* of the kernel's log, looked at for a victim */

/* What needs a control group behind this wall. */
static bool group_limits(const struct run_config *cfg, struct cgroup_limits *ret)
{
	const struct limits_config *c = &cfg->limits;
	const bool vm = cfg->isolation == RUN_ISOLATION_VM;
	bool any = false;

	*ret = (struct cgroup_limits){ {
		[CGROUP_CPUS] = vm && c->cpus_milli % 1000 == 0 ? 0 : c->cpus_milli,
		[CGROUP_CPU_WEIGHT] = c->cpu_weight,
		[CGROUP_PIDS] = vm ? 0 : c->pids,
		[CGROUP_DISK_BPS] = vm ? 0 : c->disk_bps,
		[CGROUP_DISK_IOPS] = vm ? 0 : c->disk_iops,
	} };
	if (!vm && cfg->given >> RUN_SET_MEMORY & 1)
		ret->value[CGROUP_MEMORY] = cfg->memory_bytes;
	for (unsigned int i = 0; i < CGROUP_LIMITS; i++)
		any |= ret->value[i] != 0;
	if (vm && any)
		ret->value[CGROUP_MEMORY] = cfg->memory_bytes + VM_OVERHEAD;
	return any;
}

static void warn_missing(unsigned int missing)
{
	char names[128] = "";

	for (unsigned int i = 0; i < CGROUP_LIMITS; i++)
		if (missing >> i & 1)
			snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
				 names[0] ? ", " : "", cgroup_limit_name(i));
	if (names[0])
		log_warn("--best-effort: not enforced: %s", names);
}

static int note(void *ctx, const char *path, struct err *e)
{
	return registration_note(ctx, "cgroup", path, e);
}

/* Its end as of now: what comes later is about this run, or another of now. */
static int open_kernel_log(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && lseek(fd, 0, SEEK_END) < 0)
		close_fd(&fd);
	return fd;
}

int limits_open(struct limits *l, const struct run_config *cfg, const char *uuid,
		const struct registration *reg, struct err *e)
{
	struct cgroup_host host = cgroup_host;
	struct cgroup_limits wanted;
	char name[64];
	int r;

	*l = (struct limits){ .cfg = cfg, .now = cfg->limits, .kernel_log = -1 };
	if (!group_limits(cfg, &wanted))
		return 0;
	l->group = zero_pages_new(sizeof(*l->group));
	if (!l->group)
		return err_errno(e, "memory for the control group");
	host.root = geteuid() == 0;
	snprintf(name, sizeof(name), "bulkhead-%s", uuid);
	r = cgroup_create(l->group, &host, name, &wanted, cfg->limits.best_effort, &l->missing,
			  reg->fd >= 0 ? note : NULL, (void *)(uintptr_t)reg, e);
	if (r < 0) {
		zero_pages_free(take_ptr(&l->group), sizeof(*l->group));
		return r;
	}
	warn_missing(l->missing);
	if (wanted.value[CGROUP_MEMORY])
		l->kernel_log = open_kernel_log();
	return 0;
}

/* --- while it runs --- */

void limits_lost(struct limits *l, enum cgroup_limit which)
{
	const unsigned int bit = 1U << which;

	if (l->missing & bit)
		return;
	l->missing |= bit;
	if (l->cfg->limits.best_effort)
		warn_missing(bit);
	else
		log_warn("%s: the guest says that its kernel does not keep it",
			 cgroup_limit_name(which));
}

static const struct {
	const char *key;
	enum run_setting setting;
	int group;  /* enum cgroup_limit, or -1 */
	size_t own; /* offset in struct limits_config, of what no group may keep; or 0 */
} keys[LIMITS_KEYS] = {
	{ "cpus", RUN_SET_CPUS, CGROUP_CPUS, 0 },
	{ "cpu-weight", RUN_SET_CPU_WEIGHT, CGROUP_CPU_WEIGHT, 0 },
	{ "memory", RUN_SET_MEMORY, CGROUP_MEMORY, 0 },
	{ "pids", RUN_SET_PIDS, CGROUP_PIDS, offsetof(struct limits_config, pids) },
	{ "disk-bps", RUN_SET_DISK_BPS, CGROUP_DISK_BPS, offsetof(struct limits_config, disk_bps) },
	{ "disk-iops", RUN_SET_DISK_IOPS, CGROUP_DISK_IOPS,
	  offsetof(struct limits_config, disk_iops) },
	{ "net-bps", RUN_SET_NET_BPS, -1, offsetof(struct limits_config, net_bps) },
};

const char *limits_key(unsigned int index)
{
	return keys[index].key;
}

enum run_setting limits_setting(unsigned int index)
{
	return keys[index].setting;
}

/* No group keeps it: a guest's devices or kernel do, and a process's interfaces. */
static bool is_own(const struct limits *l, unsigned int i)
{
	return keys[i].group < 0 || (l->cfg->isolation == RUN_ISOLATION_VM && keys[i].own);
}

/* Why the guest's init, which was told of it at the start, cannot change it; NULL: it
 * can. */
static const char *why_not_pids(const struct limits *l, uint64_t value)
{
	if (l->cfg->boot != RUN_BOOT_COMMAND)
		return "only the init that Bulkhead gives its guests can change it";
	if (!l->cfg->limits.pids)
		return "this guest was started without, and counts no processes";
	if (l->missing >> CGROUP_PIDS & 1)
		return "this guest's kernel does not keep it";
	return value > BH_PIDS_MAX ? "the most is 4194304" : NULL;
}

static uint64_t guests_pids(const struct limits *l)
{
	return l->missing >> CGROUP_PIDS & 1 ? 0 : l->now.pids;
}

static uint64_t *own(struct limits_config *c, unsigned int i)
{
	return (uint64_t *)(void *)((char *)c + keys[i].own);
}

struct change {
	unsigned int set; /* a bit per enum cgroup_limit */
	struct cgroup_limits group;
	struct limits_config own;
	bool has_own;
};

static int add_change(const struct limits *l, struct change *c, const char *key, uint64_t value,
		      struct err *e)
{
	const bool vm = l->cfg->isolation == RUN_ISOLATION_VM;
	unsigned int i = 0;
	const char *why;

	while (i < LIMITS_KEYS && strcmp(keys[i].key, key) != 0)
		i++;
	if (i == LIMITS_KEYS)
		return err_set(e, EINVAL, "a limit that this instance does not know");
	why = isolation_refusal(l->cfg->isolation, keys[i].setting);
	if (!why && vm && keys[i].group == CGROUP_MEMORY)
		why = "a guest's memory is its hardware";
	if (why)
		return err_set(e, EOPNOTSUPP, "--%s is not for --isolation %s: %s", key,
			       isolation_name(l->cfg->isolation), why);
	if (keys[i].setting == RUN_SET_NET_BPS && !run_config_has_interface(l->cfg))
		return err_set(e, EOPNOTSUPP, "--%s: this instance has no interface", key);
	if (vm && keys[i].setting == RUN_SET_PIDS)
		why = why_not_pids(l, value);
	else if (is_own(l, i) && keys[i].setting != RUN_SET_NET_BPS && !l->cfg->ndisks &&
		 !l->cfg->root.path)
		why = "this guest has no disk";
	if (why)
		return err_set(e, EOPNOTSUPP, "--%s: %s", key, why);
	if (is_own(l, i)) {
		*own(&c->own, i) = value;
		c->has_own = true;
		return 0;
	}
	if (!l->group || !l->group->nplaces)
		return err_set(
			e, EOPNOTSUPP,
			"--%s needs a control group, and this instance has none: it gets one "
			"at its start, where it is given a limit that needs one (--cpu-weight "
			"100 changes nothing and will do)",
			key);
	c->set |= 1U << keys[i].group;
	c->group.value[keys[i].group] = value;
	return 0;
}

int limits_change(struct limits *l, char *text, limits_apply *apply, void *ctx, struct err *e)
{
	struct change c = { .own = l->now };
	char *rest = NULL;
	int r = 0;

	for (char *line = strtok_r(text, "\n", &rest); r == 0 && line;
	     line = strtok_r(NULL, "\n", &rest)) {
		char *value = strchr(line, ' ');
		uint64_t number;

		if (!value || parse_u64(value + 1, 0, INT64_MAX, &number) < 0)
			return err_set(e, EINVAL, "the request is damaged");
		*value = '\0';
		r = add_change(l, &c, line, number, e);
	}
	if (r == 0 && c.has_own)
		r = apply(ctx, &c.own, e);
	if (r < 0)
		return r;
	if (c.set)
		r = cgroup_change(l->group, c.set, &c.group, e);
	if (r < 0) {
		if (c.has_own)
			apply(ctx, &l->now, NULL);
		return r;
	}
	l->missing &= ~c.set;
	l->now = c.own;
	return 0;
}

void limits_show(const struct limits *l, char *answer, size_t size)
{
	struct limits_config now = l->now;
	size_t n = 0;

	for (unsigned int i = 0; i < LIMITS_KEYS && n < size; i++) {
		uint64_t value = 0;

		if (is_own(l, i) && keys[i].setting == RUN_SET_PIDS)
			value = guests_pids(l);
		else if (is_own(l, i))
			value = *own(&now, i);
		else if (l->group && keys[i].group >= 0)
			value = l->group->limits.value[keys[i].group];
		n += (size_t)snprintf(answer + n, size - n, "%s %llu\n", keys[i].key,
				      (unsigned long long)value);
	}
}

/* --- who was killed --- */

/* The value behind "KEY=" in a line of the kernel's, up to a comma. */
static bool log_value(const char *line, const char *key, char *ret, size_t size)
{
	const char *at = strstr(line, key);
	size_t n;

	if (!at)
		return false;
	at += strlen(key);
	n = strcspn(at, ",\n");
	if (n == 0 || n >= size)
		return false;
	memcpy(ret, at, n);
	ret[n] = '\0';
	return true;
}

/*
 * The kernel says, in two records,
 *   oom-kill:constraint=CONSTRAINT_MEMCG,...,oom_memcg=GROUP,task_memcg=...,task=NAME,pid=N,uid=N
 *   Memory cgroup out of memory: Killed process N (NAME) total-vm:NkB, anon-rss:NkB, ...
 * The group in the first is ours; a name may hold anything but the second is
 * found by the process's number.
 */
static void find_victim(struct limits *l)
{
	char record[2048], pid[16] = "", task[32], shown[32], rss[24], begin[32];
	ssize_t n;

	for (int i = 0; i < LOG_RECORDS; i++) {
		n = read(l->kernel_log, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE) /* records were lost: go on behind them */
			continue;
		if (n <= 0)
			return;
		record[n] = '\0';
		if (strstr(record, "oom-kill:") && strstr(record, l->group->name)) {
			if (!log_value(record, ",pid=", pid, sizeof(pid)) ||
			    !log_value(record, ",task=", task, sizeof(task)))
				continue;
			snprintf(l->victim, sizeof(l->victim), "%s (process %s)",
				 printable(shown, sizeof(shown), task), pid);
			snprintf(begin, sizeof(begin), "Killed process %s ", pid);
		} else if (pid[0] && strstr(record, begin) &&
			   log_value(record, " anon-rss:", rss, sizeof(rss))) {
			size_t used = strlen(l->victim);

			snprintf(l->victim + used, sizeof(l->victim) - used, ", with %s", rss);
			pid[0] = '\0';
		}
	}
}

void limits_explain(const struct limits *l, struct ending *ending)
{
	uint64_t limit = l->group ? l->group->limits.value[CGROUP_MEMORY] : 0;

	if (!limit || !l->usage.oom_kills || ending->reason == ENDING_EXITED ||
	    ending->reason == ENDING_OUT_OF_MEMORY || ending->reason == ENDING_TIMEOUT ||
	    ending->reason == ENDING_STOPPED ||
	    (ending->reason == ENDING_SIGNALED && ending->value != 9))
		return;
	ending->reason = ENDING_OUT_OF_MEMORY;
	snprintf(ending->text, sizeof(ending->text),
		 "out of memory: the kernel killed %s at the limit of %llu MiB%s",
		 l->victim[0] ? l->victim : "a process", (unsigned long long)(limit / MIB),
		 l->cfg->isolation == RUN_ISOLATION_VM ? " for guest and monitor" : " (--memory)");
}

/* --- the end --- */

static void remove_group(struct limits *l)
{
	int r = cgroup_remove(l->group);

	if (r == 0)
		return;
	l->left = true;
	log_warn("the control group %s is left: %s", l->group->name, strerror(-r));
}

void limits_finish(struct limits *l)
{
	if (!l->group)
		return;
	cgroup_kill(l->group);
	cgroup_read_usage(l->group, &l->usage);
	if (l->kernel_log >= 0 && l->usage.oom_kills)
		find_victim(l);
	remove_group(l);
}

static void set(json_t *o, const char *key, bool has, uint64_t value)
{
	if (has)
		json_object_set_new(o, key, json_integer((json_int_t)(value & INT64_MAX)));
}

/* Without a group: what the kernel keeps of the processes that were reaped,
 * and theirs.  The largest of them is its peak. */
static void report_reaped(json_t *usage, const struct run_config *cfg)
{
	struct rusage ru;

	/* A virtual machine's processes have numbers of their own in the report,
	 * and the monitor is not waited for. */
	if (cfg->isolation == RUN_ISOLATION_VM || getrusage(RUSAGE_CHILDREN, &ru) < 0)
		return;
	set(usage, "cpu_ns", true,
	    (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * NS_PER_S +
		    (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1000);
	set(usage, "largest_process_peak", true, (uint64_t)ru.ru_maxrss * KIB);
	set(usage, "io_read", true, (uint64_t)ru.ru_inblock * 512);
	set(usage, "io_written", true, (uint64_t)ru.ru_oublock * 512);
}

static json_t *report_usage(const struct limits *l)
{
	const struct cgroup_usage *u = &l->usage;
	json_t *o = json_object();

	if (!l->group || !u->has_cpu) {
		report_reaped(o, l->cfg);
		return o;
	}
	set(o, "cpu_ns", u->has_cpu, u->cpu_ns);
	set(o, "throttled_ns", u->has_throttled, u->throttled_ns);
	set(o, "memory_peak", u->has_memory, u->memory_peak);
	set(o, "oom_kills", u->has_oom, u->oom_kills);
	set(o, "io_read", u->has_io, u->io_read);
	set(o, "io_written", u->has_io, u->io_written);
	return o;
}

static json_t *report_not_enforced(const struct limits *l)
{
	json_t *list = json_array();
	char text[96];

	for (unsigned int i = 0; i < CGROUP_LIMITS; i++) {
		const char *name = cgroup_limit_name(i);

		if (l->missing >> i & 1) {
			json_array_append_new(list, json_string(name));
		} else if (l->group && l->group->partial >> i & 1) {
			snprintf(text, sizeof(text), "%s: buffered writes", name);
			json_array_append_new(list, json_string(text));
		}
	}
	return list;
}

void limits_report(const struct limits *l, json_t *report)
{
	static const char *const names[CGROUP_LIMITS] = {
		[CGROUP_CPUS] = "cpus_milli",	[CGROUP_CPU_WEIGHT] = "cpu_weight",
		[CGROUP_MEMORY] = "memory",	[CGROUP_PIDS] = "pids",
		[CGROUP_DISK_BPS] = "disk_bps", [CGROUP_DISK_IOPS] = "disk_iops",
	};
	const struct limits_config *c = &l->now;
	json_t *o = json_object();

	for (unsigned int i = 0; i < CGROUP_LIMITS; i++)
		if (l->group)
			set(o, names[i], l->group->limits.value[i] != 0, l->group->limits.value[i]);
	if (l->cfg->isolation == RUN_ISOLATION_VM) {
		set(o, "pids", guests_pids(l) != 0, guests_pids(l));
		set(o, "disk_bps", c->disk_bps != 0, c->disk_bps);
		set(o, "disk_iops", c->disk_iops != 0, c->disk_iops);
	}
	set(o, "net_bps", c->net_bps != 0, c->net_bps);
	json_object_set_new(o, "not_enforced", report_not_enforced(l));
	json_object_set_new(report, "limits", o);
	json_object_set_new(report, "usage", report_usage(l));
}

void limits_close(struct limits *l)
{
	close_fd(&l->kernel_log);
	if (!l->group)
		return;
	remove_group(l); /* unless that was done */
	cgroup_close(l->group);
	zero_pages_free(take_ptr(&l->group), sizeof(*l->group));
}
