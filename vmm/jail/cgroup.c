/* cgroup.c - see cgroup.h; where a group can be made is cgroup_find.c's. */
#include "vmm/jail/cgroup.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/util.h"

#define PERIOD_US      100000 /* the kernel's own default, of both versions */
#define REMOVE_TRIES   200
#define REMOVE_WAIT_MS 5
#define TEXT_MAX       4096 /* of a file that is read */

const struct cgroup_host cgroup_host = {
	.mountinfo = "/proc/self/mountinfo",
	.self = "/proc/self/cgroup",
	.disks = "/sys/block",
};

enum file {
	V2_CPU_MAX,
	V2_CPU_WEIGHT,
	V2_CPU_STAT,
	V2_MEMORY_MAX,
	V2_SWAP_MAX,
	V2_MEMORY_PEAK,
	V2_MEMORY_EVENTS,
	V2_PIDS_MAX,
	V2_IO_MAX,
	V2_IO_STAT,
	V1_CPU_QUOTA,
	V1_CPU_SHARES,
	V1_CPU_STAT,
	V1_CPU_USAGE,
	V1_MEMORY_LIMIT,
	V1_MEMSW_LIMIT,
	V1_MEMORY_PEAK,
	V1_OOM_CONTROL,
	V1_PIDS_MAX,
	V1_READ_BPS,
	V1_WRITE_BPS,
	V1_READ_IOPS,
	V1_WRITE_IOPS,
	V1_IO_BYTES,
	FILES
};
static_assert((int)FILES <= CGROUP_FILES, "room for every file");

static const struct {
	const char *name;
	enum cgroup_controller controller;
	bool v2, read_only;
} files[FILES] = {
	[V2_CPU_MAX] = { "cpu.max", CGROUP_CTL_CPU, true, false },
	[V2_CPU_WEIGHT] = { "cpu.weight", CGROUP_CTL_CPU, true, false },
	[V2_CPU_STAT] = { "cpu.stat", CGROUP_CTL_CPUACCT, true, true },
	[V2_MEMORY_MAX] = { "memory.max", CGROUP_CTL_MEMORY, true, false },
	[V2_SWAP_MAX] = { "memory.swap.max", CGROUP_CTL_MEMORY, true, false },
	[V2_MEMORY_PEAK] = { "memory.peak", CGROUP_CTL_MEMORY, true, true },
	[V2_MEMORY_EVENTS] = { "memory.events", CGROUP_CTL_MEMORY, true, true },
	[V2_PIDS_MAX] = { "pids.max", CGROUP_CTL_PIDS, true, false },
	[V2_IO_MAX] = { "io.max", CGROUP_CTL_IO, true, false },
	[V2_IO_STAT] = { "io.stat", CGROUP_CTL_IO, true, true },
	[V1_CPU_QUOTA] = { "cpu.cfs_quota_us", CGROUP_CTL_CPU, false, false },
	[V1_CPU_SHARES] = { "cpu.shares", CGROUP_CTL_CPU, false, false },
	[V1_CPU_STAT] = { "cpu.stat", CGROUP_CTL_CPU, false, true },
	[V1_CPU_USAGE] = { "cpuacct.usage", CGROUP_CTL_CPUACCT, false, true },
	[V1_MEMORY_LIMIT] = { "memory.limit_in_bytes", CGROUP_CTL_MEMORY, false, false },
	[V1_MEMSW_LIMIT] = { "memory.memsw.limit_in_bytes", CGROUP_CTL_MEMORY, false, false },
	[V1_MEMORY_PEAK] = { "memory.max_usage_in_bytes", CGROUP_CTL_MEMORY, false, true },
	[V1_OOM_CONTROL] = { "memory.oom_control", CGROUP_CTL_MEMORY, false, true },
	[V1_PIDS_MAX] = { "pids.max", CGROUP_CTL_PIDS, false, false },
	[V1_READ_BPS] = { "blkio.throttle.read_bps_device", CGROUP_CTL_IO, false, false },
	[V1_WRITE_BPS] = { "blkio.throttle.write_bps_device", CGROUP_CTL_IO, false, false },
	[V1_READ_IOPS] = { "blkio.throttle.read_iops_device", CGROUP_CTL_IO, false, false },
	[V1_WRITE_IOPS] = { "blkio.throttle.write_iops_device", CGROUP_CTL_IO, false, false },
	[V1_IO_BYTES] = { "blkio.throttle.io_service_bytes", CGROUP_CTL_IO, false, true },
};

static const struct {
	const char *name;
	enum cgroup_controller controller;
} limits_table[CGROUP_LIMITS] = {
	[CGROUP_CPUS] = { "--cpus", CGROUP_CTL_CPU },
	[CGROUP_CPU_WEIGHT] = { "--cpu-weight", CGROUP_CTL_CPU },
	[CGROUP_MEMORY] = { "--memory", CGROUP_CTL_MEMORY },
	[CGROUP_PIDS] = { "--pids", CGROUP_CTL_PIDS },
	[CGROUP_DISK_BPS] = { "--disk-bps", CGROUP_CTL_IO },
	[CGROUP_DISK_IOPS] = { "--disk-iops", CGROUP_CTL_IO },
};

const char *cgroup_limit_name(enum cgroup_limit limit)
{
	return limits_table[limit].name;
}

/* --- writing limits --- */

/* 0; -EOPNOTSUPP: it is not there; -errno. */
static int write_file(const struct cgroup *cg, enum file file, const char *text)
{
	size_t len = strlen(text);
	ssize_t n;

	if (cg->file[file] < 0)
		return -EOPNOTSUPP;
	/* One write is one value: a short one cannot be continued. */
	n = write(cg->file[file], text, len);
	if (n < 0)
		return neg_errno();
	return n == (ssize_t)len ? 0 : -EIO;
}

static int write_number(const struct cgroup *cg, enum file file, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld\n", (long long)value);
	return write_file(cg, file, text);
}

/* 0 is "max" in version 2. */
static int write_max(const struct cgroup *cg, enum file file, uint64_t value)
{
	return value ? write_number(cg, file, (int64_t)value) : write_file(cg, file, "max\n");
}

static int set_cpus(const struct cgroup *cg, uint64_t milli)
{
	int64_t quota = (int64_t)(milli * PERIOD_US / 1000);
	char text[64];

	if (cg->file[V1_CPU_QUOTA] >= 0)
		return write_number(cg, V1_CPU_QUOTA, milli ? quota : -1);
	if (milli)
		snprintf(text, sizeof(text), "%lld %d\n", (long long)quota, PERIOD_US);
	else
		snprintf(text, sizeof(text), "max %d\n", PERIOD_US);
	return write_file(cg, V2_CPU_MAX, text);
}

static int set_cpu_weight(const struct cgroup *cg, uint64_t weight)
{
	if (weight == 0)
		weight = 100;
	/* 1024 shares are what everybody has in version 1; it takes 2 at least. */
	if (cg->file[V1_CPU_SHARES] >= 0)
		return write_number(cg, V1_CPU_SHARES, (int64_t)MAX(2, weight * 1024 / 100));
	return write_number(cg, V2_CPU_WEIGHT, (int64_t)weight);
}

/* Memory and swap together may not be less than memory alone, at any moment. */
static int set_memory_v1(const struct cgroup *cg, uint64_t bytes)
{
	int64_t value = bytes ? (int64_t)bytes : -1;
	bool swap = cg->file[V1_MEMSW_LIMIT] >= 0;
	int r = write_number(cg, V1_MEMORY_LIMIT, value);

	if (r == -EINVAL && swap) {
		r = write_number(cg, V1_MEMSW_LIMIT, value);
		return r < 0 ? r : write_number(cg, V1_MEMORY_LIMIT, value);
	}
	return r < 0 || !swap ? r : write_number(cg, V1_MEMSW_LIMIT, value);
}

static int set_memory(const struct cgroup *cg, uint64_t bytes)
{
	int r;

	if (cg->file[V1_MEMORY_LIMIT] >= 0)
		return set_memory_v1(cg, bytes);
	r = write_max(cg, V2_MEMORY_MAX, bytes);
	if (r < 0 || cg->file[V2_SWAP_MAX] < 0)
		return r;
	return write_file(cg, V2_SWAP_MAX, bytes ? "0\n" : "max\n");
}

static int set_pids(const struct cgroup *cg, uint64_t n)
{
	return write_max(cg, cg->file[V1_PIDS_MAX] >= 0 ? V1_PIDS_MAX : V2_PIDS_MAX, n);
}

/* The same for each disk, which is how the kernel keeps it. */
static int set_disk(const struct cgroup *cg, const char *key, enum file v1_read, enum file v1_write,
		    uint64_t n)
{
	bool v1 = cg->file[v1_read] >= 0;
	char text[96], value[24] = "max";
	int r = cg->ndisks ? 0 : -EOPNOTSUPP;

	if (n || v1)
		snprintf(value, sizeof(value), "%llu", (unsigned long long)n);
	for (unsigned int i = 0; r == 0 && i < cg->ndisks; i++) {
		if (v1)
			snprintf(text, sizeof(text), "%s %s\n", cg->disk[i], value);
		else
			snprintf(text, sizeof(text), "%s r%s=%s w%s=%s\n", cg->disk[i], key, value,
				 key, value);
		r = write_file(cg, v1 ? v1_read : V2_IO_MAX, text);
		if (r == 0 && v1)
			r = write_file(cg, v1_write, text);
	}
	return r;
}

static int set_disk_bps(const struct cgroup *cg, uint64_t n)
{
	return set_disk(cg, "bps", V1_READ_BPS, V1_WRITE_BPS, n);
}

static int set_disk_iops(const struct cgroup *cg, uint64_t n)
{
	return set_disk(cg, "iops", V1_READ_IOPS, V1_WRITE_IOPS, n);
}

static int set_limit(struct cgroup *cg, enum cgroup_limit limit, uint64_t value)
{
	static int (*const setters[CGROUP_LIMITS])(const struct cgroup *cg, uint64_t value) = {
		[CGROUP_CPUS] = set_cpus,	  [CGROUP_CPU_WEIGHT] = set_cpu_weight,
		[CGROUP_MEMORY] = set_memory,	  [CGROUP_PIDS] = set_pids,
		[CGROUP_DISK_BPS] = set_disk_bps, [CGROUP_DISK_IOPS] = set_disk_iops,
	};
	bool v1_disk = limits_table[limit].controller == CGROUP_CTL_IO &&
		       cg->file[V1_READ_BPS] >= 0;
	int r = setters[limit](cg, value);

	if (r < 0)
		return r;
	cg->limits.value[limit] = value;
	cg->partial &= ~(1U << limit);
	if (v1_disk && value)
		cg->partial |= 1U << limit;
	return 0;
}

int cgroup_change(struct cgroup *cg, unsigned int set, const struct cgroup_limits *limits,
		  struct err *e)
{
	const struct cgroup_limits before = cg->limits;

	for (unsigned int i = 0; i < CGROUP_LIMITS; i++) {
		int r = set >> i & 1 ? set_limit(cg, i, limits->value[i]) : 0;

		if (r == 0)
			continue;
		for (unsigned int k = 0; k < i; k++)
			if (set >> k & 1)
				set_limit(cg, k, before.value[k]);
		if (r == -EOPNOTSUPP)
			return err_set(e, EOPNOTSUPP,
				       "%s: no control group for it may be written here",
				       limits_table[i].name);
		return err_code(e, r, "set %s", limits_table[i].name);
	}
	return 0;
}

/* --- making it --- */

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* One line of DIR/DISK/NAME; "" if there is none. */
static void disk_line(const char *dir, const char *disk, const char *name, char *ret, int size)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", dir, disk, name);
	f = fopen(path, "re");
	if (!f || !fgets(ret, size, f))
		ret[0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	if (f)
		fclose(f);
}

/* The whole disks that have a medium; memory that plays one is none. */
static void find_disks(struct cgroup *cg, const char *dir)
{
	struct dirent **list;
	int n = scandir(dir, &list, NULL, compare_names);

	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;
		char sectors[32], number[sizeof(cg->disk[0])];
		bool real = name[0] != '.' && strncmp(name, "ram", 3) != 0 &&
			    strncmp(name, "zram", 4) != 0;

		if (real && cg->ndisks < CGROUP_DISKS) {
			disk_line(dir, name, "size", sectors, sizeof(sectors));
			disk_line(dir, name, "dev", number, sizeof(number));
			if (number[0] && sectors[0] && strcmp(sectors, "0") != 0)
				strcpy(cg->disk[cg->ndisks++], number);
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

static int open_file(const struct cgroup_host *host, int dir, const char *name, int flags)
{
	return openat(dir, name, flags | O_CLOEXEC | host->create, 0644);
}

static void open_files(struct cgroup *cg, const struct cgroup_host *host,
		       const struct cgroup_place *p, unsigned int controllers)
{
	for (unsigned int i = 0; i < FILES; i++)
		if (files[i].v2 == p->v2 && controllers >> files[i].controller & 1)
			cg->file[i] = open_file(host, p->dir, files[i].name,
						files[i].read_only ? O_RDONLY : O_RDWR);
}

static int make_place(struct cgroup *cg, const struct cgroup_host *host, const char *name,
		      const struct cgroup_found *found, struct err *e)
{
	struct cgroup_place *p = &cg->place[cg->nplaces];
	int n;

	*p = (struct cgroup_place){
		.v2 = found->v2, .parent = -1, .dir = -1, .procs = -1, .kill = -1
	};
	n = snprintf(p->path, sizeof(p->path), "%s/%s", found->path, name);
	if (n < 0 || (size_t)n >= sizeof(p->path))
		return err_set(e, ENAMETOOLONG, "a control group's path is too long");
	cg->nplaces++;
	p->parent = open(found->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->parent < 0 || mkdirat(p->parent, name, 0755) < 0)
		return err_errno(e, "make the control group %s", p->path);
	p->made = true;
	p->dir = openat(p->parent, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	p->procs = p->dir < 0 ? -1 : open_file(host, p->dir, "cgroup.procs", O_RDWR);
	if (p->procs < 0)
		return err_errno(e, "open the control group %s", p->path);
	if (p->v2)
		p->kill = open_file(host, p->dir, "cgroup.kill", O_WRONLY);
	open_files(cg, host, p, found->controllers);
	return 0;
}

/* How a user without rights gets them. */
static int explain(struct err *e, unsigned int missing)
{
	char names[128] = "", why[ERR_TEXT_MAX];

	for (unsigned int i = 0; i < CGROUP_LIMITS; i++)
		if (missing >> i & 1)
			snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
				 names[0] ? ", " : "", limits_table[i].name);
	snprintf(why, sizeof(why), "%s", e && e->text[0] ? e->text : "its controller is not here");
	return err_set(
		e, EOPNOTSUPP,
		"%s cannot be enforced: %.200s; run Bulkhead as root, or with control groups "
		"of version 2 in a delegated one of its own (systemd-run --user --scope -p "
		"Delegate=yes bulkhead run ...), or take --best-effort",
		names, why);
}

static unsigned int controllers_of(unsigned int limits)
{
	unsigned int set = 0;

	for (unsigned int i = 0; i < CGROUP_LIMITS; i++)
		if (limits >> i & 1)
			set |= 1U << limits_table[i].controller;
	return set;
}

static int make_places(struct cgroup *cg, const struct cgroup_host *host,
		       const struct cgroup_found *found, unsigned int n,
		       int (*note)(void *ctx, const char *path, struct err *e), void *ctx,
		       struct err *e)
{
	char name[sizeof(cg->name)];
	int r = 0;

	strcpy(name, cg->name); /* which has no part in what is filled */
	for (unsigned int i = 0; r == 0 && i < n; i++) {
		char path[PATH_MAX + sizeof(name)];

		snprintf(path, sizeof(path), "%s/%s", found[i].path, name);
		if (note)
			r = note(ctx, path, e);
		if (r == 0)
			r = make_place(cg, host, name, &found[i], e);
	}
	return r;
}

/* Put the limits in force.  What cannot be is a bit of *ret_missing. */
static int set_limits(struct cgroup *cg, const struct cgroup_limits *limits,
		      unsigned int *ret_missing, struct err *e)
{
	for (unsigned int i = 0; i < CGROUP_LIMITS; i++) {
		int r = limits->value[i] ? set_limit(cg, i, limits->value[i]) : 0;

		if (r == -EOPNOTSUPP)
			*ret_missing |= 1U << i;
		else if (r < 0)
			return err_code(e, r, "set %s", limits_table[i].name);
	}
	return 0;
}

static int create(struct cgroup *cg, const struct cgroup_host *host,
		  const struct cgroup_limits *limits, unsigned int *ret_missing,
		  int (*note)(void *ctx, const char *path, struct err *e), void *ctx, struct err *e)
{
	/* For its usage, and for limits that may be set later: where it is to be had. */
	const unsigned int every = (1U << CGROUP_CONTROLLERS) - 1;
	struct cgroup_found found[CGROUP_PLACES];
	unsigned int asked = 0, needed, n;
	int r;

	for (unsigned int i = 0; i < CGROUP_LIMITS; i++)
		asked |= limits->value[i] ? 1U << i : 0;
	*ret_missing = asked;
	needed = controllers_of(asked);
	n = cgroup_find(host, needed, every, found, e);
	if (n == 0)
		return 0;
	find_disks(cg, host->disks);
	r = make_places(cg, host, found, n, note, ctx, e);
	*ret_missing = 0;
	return r < 0 ? r : set_limits(cg, limits, ret_missing, e);
}

int cgroup_create(struct cgroup *cg, const struct cgroup_host *host, const char *name,
		  const struct cgroup_limits *limits, bool best_effort, unsigned int *ret_missing,
		  int (*note)(void *ctx, const char *path, struct err *e), void *ctx, struct err *e)
{
	struct err why = { "" };
	int r;

	*cg = (struct cgroup){ .nplaces = 0 };
	memset(cg->file, -1, sizeof(cg->file));
	snprintf(cg->name, sizeof(cg->name), "%s", name);
	r = create(cg, host, limits, ret_missing, note, ctx, &why);
	if (r == 0 && *ret_missing && !best_effort)
		r = explain(&why, *ret_missing);
	if (r == 0)
		return 0;
	cgroup_remove(cg);
	cgroup_close(cg);
	if (e)
		*e = why;
	return r;
}

int cgroup_enter(const struct cgroup *cg)
{
	for (unsigned int i = 0; i < cg->nplaces; i++)
		if (write(cg->place[i].procs, "0", 1) < 0)
			return neg_errno();
	return 0;
}

/* --- reading it --- */

static const char *read_file(const struct cgroup *cg, enum file file, char text[TEXT_MAX])
{
	ssize_t n;

	if (cg->file[file] < 0 || lseek(cg->file[file], 0, SEEK_SET) < 0)
		return NULL;
	n = read(cg->file[file], text, TEXT_MAX - 1);
	if (n < 0)
		return NULL;
	text[n] = '\0';
	return text;
}

/* The number behind `key` at the beginning of a line. */
static bool keyed(const char *text, const char *key, uint64_t *ret)
{
	size_t len = strlen(key);

	for (const char *at = text; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
		if (strncmp(at, key, len) != 0 || at[len] != ' ')
			continue;
		*ret = strtoull(at + len, NULL, 10);
		return true;
	}
	return false;
}

static bool read_keyed(const struct cgroup *cg, enum file file, const char *key, uint64_t unit,
		       uint64_t *ret)
{
	char buf[TEXT_MAX];
	const char *text = read_file(cg, file, buf);
	uint64_t value;

	if (!text || !keyed(text, key, &value))
		return false;
	*ret = value * unit;
	return true;
}

static bool read_number(const struct cgroup *cg, enum file file, uint64_t *ret)
{
	char buf[TEXT_MAX];
	const char *text = read_file(cg, file, buf);

	if (!text)
		return false;
	*ret = strtoull(text, NULL, 10);
	return true;
}

/* Sum what stands behind every `key` ("rbytes=", "Read "). */
static uint64_t sum(const char *text, const char *key)
{
	uint64_t total = 0;

	for (const char *at = text; (at = strstr(at, key)) != NULL;) {
		at += strlen(key);
		total += strtoull(at, NULL, 10);
	}
	return total;
}

static bool read_io(const struct cgroup *cg, struct cgroup_usage *u)
{
	char buf[TEXT_MAX];
	const char *text = read_file(cg, V1_IO_BYTES, buf);
	bool v1 = text != NULL;

	if (!v1)
		text = read_file(cg, V2_IO_STAT, buf);
	if (!text)
		return false;
	u->io_read = sum(text, v1 ? " Read " : " rbytes=");
	u->io_written = sum(text, v1 ? " Write " : " wbytes=");
	return true;
}

void cgroup_read_usage(const struct cgroup *cg, struct cgroup_usage *ret)
{
	struct cgroup_usage u = { .has_cpu = false };

	u.has_cpu = read_number(cg, V1_CPU_USAGE, &u.cpu_ns) ||
		    read_keyed(cg, V2_CPU_STAT, "usage_usec", 1000, &u.cpu_ns);
	u.has_throttled = read_keyed(cg, V1_CPU_STAT, "throttled_time", 1, &u.throttled_ns) ||
			  read_keyed(cg, V2_CPU_STAT, "throttled_usec", 1000, &u.throttled_ns);
	u.has_memory = read_number(cg, V1_MEMORY_PEAK, &u.memory_peak) ||
		       read_number(cg, V2_MEMORY_PEAK, &u.memory_peak);
	u.has_io = read_io(cg, &u);
	u.has_oom = read_keyed(cg, V1_OOM_CONTROL, "oom_kill", 1, &u.oom_kills) ||
		    read_keyed(cg, V2_MEMORY_EVENTS, "oom_kill", 1, &u.oom_kills);
	*ret = u;
}

/* --- ending it --- */

void cgroup_kill(const struct cgroup *cg)
{
	for (unsigned int i = 0; i < cg->nplaces; i++) {
		ssize_t n = cg->place[i].kill < 0 ? 0 : write(cg->place[i].kill, "1", 1);

		(void)n; /* remove() tells whether somebody is left */
	}
}

/* Who was reaped just now is still counted for a moment. */
static int remove_place(const struct cgroup_place *p, const char *name)
{
	for (int i = 0; unlinkat(p->parent, name, AT_REMOVEDIR) < 0; i++) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY || i == REMOVE_TRIES)
			return neg_errno();
		poll(NULL, 0, REMOVE_WAIT_MS);
	}
	return 0;
}

int cgroup_remove(struct cgroup *cg)
{
	int first = 0;

	for (unsigned int i = 0; i < cg->nplaces; i++) {
		int r = cg->place[i].made ? remove_place(&cg->place[i], cg->name) : 0;

		cg->place[i].made = false;
		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

void cgroup_close(struct cgroup *cg)
{
	for (unsigned int i = 0; i < cg->nplaces; i++) {
		close_fd(&cg->place[i].parent);
		close_fd(&cg->place[i].dir);
		close_fd(&cg->place[i].procs);
		close_fd(&cg->place[i].kill);
	}
	for (unsigned int i = 0; i < FILES; i++)
		if (cg->nplaces)
			close_fd(&cg->file[i]);
	cg->nplaces = 0;
}
