/* test_cgroup.c - control groups of both versions, in a tree of plain files:
 * there a control file keeps all that is written to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/jail/cgroup.h"

static char tree[64];
static char mountinfo[128], self[128], disks[128];
static struct cgroup_host host;

static void at(char *out, size_t size, const char *path)
{
	snprintf(out, size, "%s/%s", tree, path);
}

static void put(const char *path, const char *text)
{
	char full[512];
	FILE *f;

	at(full, sizeof(full), path);
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static const char *get(const char *path)
{
	static char text[1024];
	char full[512];
	size_t n;
	FILE *f;

	at(full, sizeof(full), path);
	f = fopen(full, "r");
	if (!f)
		return "(none)";
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void make_dir(const char *path)
{
	char full[512];

	at(full, sizeof(full), path);
	assert_int_equal(mkdir(full, 0755), 0);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(tree, "/tmp/bulkhead-cgroup-XXXXXX");
	assert_non_null(mkdtemp(tree));
	at(mountinfo, sizeof(mountinfo), "mountinfo");
	at(self, sizeof(self), "self");
	at(disks, sizeof(disks), "block");
	host = (struct cgroup_host){
		.mountinfo = mountinfo, .self = self, .disks = disks, .create = O_CREAT
	};
	make_dir("block");
	make_dir("block/vda");
	put("block/vda/dev", "254:0\n");
	put("block/vda/size", "4096\n");
	make_dir("block/loop0");
	put("block/loop0/dev", "7:0\n");
	put("block/loop0/size", "0\n");
	make_dir("block/zram0");
	put("block/zram0/dev", "253:0\n");
	put("block/zram0/size", "8\n");
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", tree);
	return system(command);
}

/* Mounts, as lines of "ROOT POINT TYPE OPTIONS". */
static void mounts(const char *text)
{
	char full[2048] = "", root[64], point[64], type[16], options[64];
	int n;

	for (; sscanf(text, "%63s %63s %15s %63s%n", root, point, type, options, &n) == 4;
	     text += n)
		snprintf(full + strlen(full), sizeof(full) - strlen(full),
			 "30 20 0:25 %s %s/%s rw,relatime shared:1 - %s none rw,%s\n", root, tree,
			 point, type, options);
	put("mountinfo", full);
}

static void version_1(void)
{
	static const char *const names[] = { "cpu", "memory", "pids", "blkio" };

	mounts("/ cpu cgroup cpu,cpuacct\n/ memory cgroup memory\n/ pids cgroup pids\n"
	       "/ blkio cgroup blkio\n/ unified cgroup2 nsdelegate\n");
	put("self",
	    "9:name=systemd:/\n4:memory:/a/b\n3:cpu,cpuacct:/\n2:pids:/\n1:blkio:/\n0::/\n");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		make_dir(names[i]);
	make_dir("memory/a");
	make_dir("memory/a/b");
	make_dir("unified");
	put("unified/cgroup.controllers", "\n");
	put("unified/cgroup.subtree_control", "\n");
}

static void version_2(void)
{
	mounts("/ unified cgroup2 nsdelegate\n");
	put("self", "0::/user/scope\n");
	make_dir("unified");
	make_dir("unified/user");
	make_dir("unified/user/scope");
	put("unified/cgroup.controllers", "cpuset cpu io memory pids\n");
	put("unified/cgroup.subtree_control", "cpu io memory pids\n");
	put("unified/user/scope/cgroup.controllers", "cpu memory pids io\n");
	put("unified/user/scope/cgroup.subtree_control", "memory pids io cpu\n");
}

static const struct cgroup_limits all = { {
	[CGROUP_CPUS] = 500,
	[CGROUP_CPU_WEIGHT] = 200,
	[CGROUP_MEMORY] = 64 << 20,
	[CGROUP_PIDS] = 20,
	[CGROUP_DISK_BPS] = 1 << 20,
	[CGROUP_DISK_IOPS] = 100,
} };

static void assert_file(const char *path, const char *text)
{
	assert_string_equal(get(path), text);
}

static void test_version_1(void **state)
{
	static struct cgroup cg;
	unsigned int missing;
	struct err e = { "" };

	(void)state;
	version_1();
	assert_int_equal(
		cgroup_create(&cg, &host, "bulkhead-1", &all, false, &missing, NULL, NULL, &e), 0);
	assert_int_equal(missing, 0);
	assert_int_equal(cg.nplaces, 4);
	assert_file("cpu/bulkhead-1/cpu.cfs_quota_us", "50000\n");
	assert_file("cpu/bulkhead-1/cpu.shares", "2048\n");
	assert_file("memory/a/b/bulkhead-1/memory.limit_in_bytes", "67108864\n");
	assert_file("memory/a/b/bulkhead-1/memory.memsw.limit_in_bytes", "67108864\n");
	assert_file("pids/bulkhead-1/pids.max", "20\n");
	assert_file("blkio/bulkhead-1/blkio.throttle.read_bps_device", "254:0 1048576\n");
	assert_file("blkio/bulkhead-1/blkio.throttle.write_iops_device", "254:0 100\n");
	/* Buffered writes are nobody's in version 1. */
	assert_int_equal(cg.partial, 1 << CGROUP_DISK_BPS | 1 << CGROUP_DISK_IOPS);
	assert_int_equal(cgroup_enter(&cg), 0);
	assert_file("cpu/bulkhead-1/cgroup.procs", "0");
	assert_file("memory/a/b/bulkhead-1/cgroup.procs", "0");
	cgroup_close(&cg);
}

static void test_version_2(void **state)
{
	static struct cgroup cg;
	unsigned int missing;
	struct err e = { "" };

	(void)state;
	version_2();
	assert_int_equal(
		cgroup_create(&cg, &host, "bulkhead-2", &all, false, &missing, NULL, NULL, &e), 0);
	assert_int_equal(missing, 0);
	assert_int_equal(cg.nplaces, 1);
	assert_int_equal(cg.partial, 0);
#define GROUP "unified/user/scope/bulkhead-2/"
	assert_file(GROUP "cpu.max", "50000 100000\n");
	assert_file(GROUP "cpu.weight", "200\n");
	assert_file(GROUP "memory.max", "67108864\n");
	assert_file(GROUP "memory.swap.max", "0\n");
	assert_file(GROUP "pids.max", "20\n");
	assert_file(GROUP "io.max", "254:0 rbps=1048576 wbps=1048576\n254:0 riops=100 wiops=100\n");
	cgroup_kill(&cg);
	assert_file(GROUP "cgroup.kill", "1");
	cgroup_close(&cg);
#undef GROUP
}

static void test_usage(void **state)
{
	static struct cgroup cg;
	struct cgroup_usage u;
	unsigned int missing;

	(void)state;
	version_2();
	assert_int_equal(
		cgroup_create(&cg, &host, "bulkhead-3", &all, false, &missing, NULL, NULL, NULL),
		0);
#define GROUP "unified/user/scope/bulkhead-3/"
	put(GROUP "cpu.stat", "usage_usec 1500\nuser_usec 1\nnr_throttled 2\nthrottled_usec 7\n");
	put(GROUP "memory.peak", "4096\n");
	put(GROUP "memory.events", "low 0\noom 5\noom_kill 3\noom_group_kill 1\n");
	put(GROUP "io.stat",
	    "254:0 rbytes=10 wbytes=20 rios=1 wios=2\n8:0 rbytes=1 wbytes=2 rios=0\n");
	cgroup_read_usage(&cg, &u);
	assert_true(u.has_cpu && u.has_throttled && u.has_memory && u.has_io && u.has_oom);
	assert_int_equal(u.cpu_ns, 1500000);
	assert_int_equal(u.throttled_ns, 7000);
	assert_int_equal(u.memory_peak, 4096);
	assert_int_equal(u.oom_kills, 3);
	assert_int_equal(u.io_read, 11);
	assert_int_equal(u.io_written, 22);
	cgroup_close(&cg);
#undef GROUP
}

static void test_change(void **state)
{
	const struct cgroup_limits to = { { [CGROUP_CPUS] = 2000, [CGROUP_MEMORY] = 0 } };
	const struct cgroup_limits memory = { { [CGROUP_MEMORY] = 64 << 20 } };
	static struct cgroup cg;
	unsigned int missing;

	(void)state;
	version_2();
	assert_int_equal(
		cgroup_create(&cg, &host, "bulkhead-4", &memory, false, &missing, NULL, NULL, NULL),
		0);
	assert_int_equal(cgroup_change(&cg, 1 << CGROUP_CPUS | 1 << CGROUP_MEMORY, &to, NULL), 0);
	assert_file("unified/user/scope/bulkhead-4/cpu.max", "200000 100000\n");
	assert_file("unified/user/scope/bulkhead-4/memory.max", "67108864\nmax\n");
	assert_int_equal(cg.limits.value[CGROUP_CPUS], 2000);
	assert_int_equal(cg.limits.value[CGROUP_MEMORY], 0);
	cgroup_close(&cg);
}

/* A controller that is not handed down: an error that says how, or a bit. */
static void test_missing(void **state)
{
	static struct cgroup cg;
	unsigned int missing = 0;
	struct err e = { "" };

	(void)state;
	version_2();
	put("unified/user/scope/cgroup.controllers", "memory pids\n");
	put("unified/user/scope/cgroup.subtree_control", "memory pids\n");
	assert_int_equal(
		cgroup_create(&cg, &host, "bulkhead-5", &all, false, &missing, NULL, NULL, &e),
		-EOPNOTSUPP);
	assert_non_null(strstr(e.text, "--cpus, --cpu-weight, --disk-bps, --disk-iops cannot"));
	assert_non_null(strstr(e.text, "Delegate=yes"));
	assert_int_equal(
		cgroup_create(&cg, &host, "bulkhead-6", &all, true, &missing, NULL, NULL, &e), 0);
	assert_int_equal(missing, 1 << CGROUP_CPUS | 1 << CGROUP_CPU_WEIGHT | 1 << CGROUP_DISK_BPS |
					  1 << CGROUP_DISK_IOPS);
	cgroup_close(&cg);
}

static void test_none(void **state)
{
	static struct cgroup cg;
	unsigned int missing = 0;
	struct err e = { "" };

	(void)state;
	put("mountinfo", "30 20 0:25 / /sys rw - sysfs sysfs rw\n");
	put("self", "0::/\n");
	assert_int_equal(
		cgroup_create(&cg, &host, "bulkhead-7", &all, false, &missing, NULL, NULL, &e),
		-EOPNOTSUPP);
	assert_non_null(strstr(e.text, "no control groups mounted"));
	assert_int_equal(
		cgroup_create(&cg, &host, "bulkhead-7", &all, true, &missing, NULL, NULL, &e), 0);
	assert_int_equal(missing, (1 << CGROUP_LIMITS) - 1);
	assert_int_equal(cg.nplaces, 0);
	cgroup_close(&cg);
}

/* Where the mount shows a part of the hierarchy, as in a container. */
static void test_mount_of_a_part(void **state)
{
	static const struct {
		const char *root, *own, *place;
	} rows[] = {
		{ "/docker/1", "/docker/1", "unified" },
		{ "/docker/1", "/docker/1/in", "unified/in" },
		{ "/docker/1", "/docker/11", "unified" },
		{ "/docker/1", "/", "unified" },
		{ "/", "/../other", "unified" },
		{ "/", "/in", "unified/in" },
	};
	static struct cgroup_found found[CGROUP_PLACES];

	(void)state;
	version_2();
	make_dir("unified/in");
	put("unified/in/cgroup.controllers", "memory\n");
	put("unified/in/cgroup.subtree_control", "memory\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[128], want[128];

		snprintf(text, sizeof(text), "%s unified cgroup2 rw\n", rows[i].root);
		mounts(text);
		snprintf(text, sizeof(text), "0::%s\n", rows[i].own);
		put("self", text);
		at(want, sizeof(want), rows[i].place);
		assert_int_equal(cgroup_find(&host, 0, 1 << CGROUP_CTL_MEMORY, found, NULL), 1);
		assert_string_equal(found[0].path, want);
	}
}

/* What is not handed down is asked for; a file of this tree does not obey. */
static void test_hand_down(void **state)
{
	static struct cgroup_found found[CGROUP_PLACES];
	const unsigned int pids = 1 << CGROUP_CTL_PIDS;

	(void)state;
	version_2();
	put("unified/user/scope/cgroup.subtree_control", "");
	assert_int_equal(cgroup_find(&host, pids, pids, found, NULL), 0);
	assert_file("unified/user/scope/cgroup.subtree_control", "+pids");
}

/* A group with processes hands nothing down; who is alone in it moves away. */
static void test_hand_down_with_processes(void **state)
{
	static struct cgroup_found found[CGROUP_PLACES];
	const unsigned int pids = 1 << CGROUP_CTL_PIDS;
	char text[64];

	(void)state;
	version_2();
	put("unified/user/scope/cgroup.subtree_control", "");
	put("unified/user/scope/cgroup.type", "domain\n");
	snprintf(text, sizeof(text), "%d\n%d\n", getpid(), getppid());
	put("unified/user/scope/cgroup.procs", text);
	assert_int_equal(cgroup_find(&host, pids, pids, found, NULL), 0);
	assert_file("unified/user/scope/cgroup.subtree_control", "");

	snprintf(text, sizeof(text), "%d\n", getpid());
	put("unified/user/scope/cgroup.procs", text);
	make_dir("unified/user/scope/bulkhead-supervisor");
	put("unified/user/scope/bulkhead-supervisor/cgroup.procs", "");
	assert_int_equal(cgroup_find(&host, pids, pids, found, NULL), 0);
	assert_file("unified/user/scope/bulkhead-supervisor/cgroup.procs", "0");
	assert_file("unified/user/scope/cgroup.subtree_control", "+pids");

	/* Somebody else has made it a group of threads. */
	put("unified/user/scope/cgroup.subtree_control", "");
	put("unified/user/scope/cgroup.procs", "");
	put("unified/user/scope/cgroup.type", "domain threaded\n");
	assert_int_equal(cgroup_find(&host, pids, pids, found, NULL), 0);
	assert_file("unified/user/scope/cgroup.subtree_control", "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_version_1),	    TEST(test_version_2),
		TEST(test_usage),	    TEST(test_change),
		TEST(test_missing),	    TEST(test_none),
		TEST(test_hand_down),	    TEST(test_hand_down_with_processes),
		TEST(test_mount_of_a_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
