/* test_compare_work.c - which works a suite has, and the command lines that run
 * them behind each wall. */
#include "vmm/compare/work.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/base/util.h"
#include "vmm/compare/analysis.h"
#include "vmm/compare/bundle.h"
#include "vmm/compare/fio.h"
#include "vmm/compare/wall_command.h"

static const struct work *find(const struct work *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(work_name(&list[i]), name) == 0)
			return &list[i];
	return NULL;
}

/* Every quantity is one of some work of the full suite, and of one only. */
static void every_quantity_has_a_work(void **state)
{
	struct work list[WORKS];
	size_t n = work_of_suite(true, list);

	(void)state;
	for (size_t i = 0; i < suite_nquantities; i++) {
		size_t found = 0;

		for (size_t w = 0; w < n; w++) {
			const struct suite_quantity *q[WORK_QUANTITIES];
			size_t nq = work_quantities(&list[w], q);

			for (size_t j = 0; j < nq; j++)
				found += q[j] == &suite_quantities[i];
		}
		if (found != 1)
			fail_msg("%s %s: %zu works", suite_quantities[i].workload,
				 suite_quantities[i].name, found);
	}
}

static void quick_is_a_part(void **state)
{
	struct work quick[WORKS], full[WORKS];
	size_t nquick = work_of_suite(false, quick), nfull = work_of_suite(true, full);

	(void)state;
	assert_true(nquick < nfull && nfull <= WORKS);
	assert_null(find(quick, nquick, "files"));
	assert_null(find(quick, nquick, "density"));
	assert_non_null(find(full, nfull, "density"));
	for (size_t i = 0; i < nquick; i++)
		assert_non_null(find(full, nfull, work_name(&quick[i])));
	assert_true(find(quick, nquick, "disk")->disk);
	assert_true(find(quick, nquick, "idle")->memory);
}

/* The works that are run least often in the full suite: were they a difference,
 * it could be found among all rows behind all walls. */
static void most_runs_are_enough(void **state)
{
	struct work list[WORKS];
	size_t n = work_of_suite(true, list), rows = 0, walls = 0;
	double low[COMPARE_WALLS * 8], high[COMPARE_WALLS * 8];
	uint32_t fewest = UINT32_MAX;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct suite_quantity *q[WORK_QUANTITIES];

		rows += work_quantities(&list[i], q);
		fewest = MIN(fewest, work_most_runs(&list[i], true));
	}
	while (wall_command_names[walls])
		walls++;
	assert_true(fewest <= ARRAY_SIZE(low));
	for (uint32_t i = 0; i < fewest; i++) {
		low[i] = i;
		high[i] = 1000 + i;
	}
	assert_true(stats_rank_sum_p(low, fewest, high, fewest) * (double)(rows * (walls - 1)) <
		    ANALYSIS_LEVEL);
}

static void a_command_is_run_twice(void **state)
{
	const char *const command[] = { "/bin/true" };
	const struct suite_quantity *q[WORK_QUANTITIES];
	struct work list[WORKS];

	(void)state;
	assert_int_equal(work_of_command(command, 1, list), 2);
	assert_string_equal(work_name(&list[0]), "command");
	assert_int_equal(work_quantities(&list[0], q), 3);
	assert_ptr_equal(q[1], &suite_exit);
	assert_int_equal(work_quantities(&list[1], q), 1);
	assert_ptr_equal(q[0], &suite_memory);
}

static const char *unfit(const struct work *w, const char *wall)
{
	return work_unfit(w, wall, &(struct wall_disk){ .direct = true, .major = 8 });
}

static void what_peers_cannot(void **state)
{
	struct work list[WORKS];
	size_t n = work_of_suite(true, list);

	(void)state;
	assert_null(unfit(find(list, n, "quota"), "process"));
	assert_null(unfit(find(list, n, "quota"), "crun"));
	assert_non_null(strstr(unfit(find(list, n, "quota"), "bwrap"), "no limits"));
	assert_null(unfit(find(list, n, "disk"), "crun"));
	assert_null(unfit(find(list, n, "network"), "vm"));
	assert_null(unfit(find(list, n, "network"), "bwrap"));
}

/* A rate of a disk, where nothing or nobody could keep it. */
static void a_rate_needs_a_disk(void **state)
{
	struct wall_disk where = { .direct = false, .major = 8 };
	struct work list[WORKS], *drain = NULL;
	size_t n = work_of_suite(false, list);
	const struct suite_quantity *q[WORK_QUANTITIES];

	(void)state;
	for (size_t i = 0; i < n; i++)
		if (list[i].quota && list[i].quota->limits.disk_mib)
			drain = &list[i];
	assert_non_null(drain);
	assert_true(drain->disk);
	assert_int_equal(work_quantities(drain, q), 1);
	assert_string_equal(q[0]->name, "disk-rate");
	assert_non_null(strstr(work_unfit(drain, "vm", &where), "O_DIRECT"));
	where.direct = true;
	assert_null(work_unfit(drain, "vm", &where));
	assert_null(work_unfit(drain, "qemu", &where));
	assert_null(work_unfit(drain, "crun", &where));
	where.major = 0;
	assert_null(work_unfit(drain, "process", &where));
	assert_non_null(strstr(work_unfit(drain, "crun", &where), "the disk"));
}

/* --- command lines --- */

#define ROOT "/tmp/bulkhead-test-work"

static struct wall_disk disk = { .root = ROOT "/disk",
				 .file = ROOT "/disk/data",
				 .vm_root = ROOT "/root",
				 .prefix = "",
				 .writable_root = ROOT "/disk,rw",
				 .image = ROOT "/disk/data,direct=on" };

/* The arguments in one line. */
static void line(const struct wall_setup *setup, const char *wall, char *out, size_t size)
{
	static const char *const command[] = { "/sh", "it" };
	struct wall_command *c = calloc(1, sizeof(*c));
	struct err e = { "" };

	assert_non_null(c);
	if (wall_command_make(setup, wall, command, 2, 1, c, &e) < 0)
		fail_msg("%s", e.text);
	out[0] = '\0';
	for (size_t i = 0; c->argv[i]; i++)
		snprintf(out + strlen(out), size - strlen(out), "%s%s", i ? " " : "", c->argv[i]);
	free(c);
}

static void make_program(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0755);

	assert_true(fd >= 0);
	close(fd);
}

static void disk_behind_each_wall(void **state)
{
	struct wall_setup setup = { .program = "/b", .root = ROOT "/root", .disk = &disk };
	char text[4096];

	(void)state;
	assert_int_equal(system("rm -rf " ROOT " && mkdir -p " ROOT "/root " ROOT "/disk"), 0);
	make_program(ROOT "/root/sh");
	make_program(ROOT "/disk/sh");
	line(&setup, "none", text, sizeof(text));
	assert_string_equal(text,
			    "/b run --isolation none -- " ROOT "/disk//sh it " ROOT "/disk/data");
	line(&setup, "process", text, sizeof(text));
	assert_string_equal(text,
			    "/b run --isolation process --rootfs " ROOT "/disk,rw -- /sh it /data");
	line(&setup, "vm", text, sizeof(text));
	assert_string_equal(text, "/b run --isolation vm --rootfs " ROOT "/root --disk " ROOT
				  "/disk/data,direct=on -- /sh it /dev/vdb");
	setup.disk = NULL;
	line(&setup, "vm", text, sizeof(text));
	assert_string_equal(text, "/b run --isolation vm --rootfs " ROOT "/root -- /sh it");
	line(&setup, "none", text, sizeof(text));
	assert_string_equal(text, "/b run --isolation none -- " ROOT "/root//sh it");
	assert_int_equal(system("rm -rf " ROOT), 0);
}

static void network_behind_each_wall(void **state)
{
	struct wall_setup setup = {
		.program = "/b", .root = ROOT, .network = true, .peers = "/proc/1/fd/2"
	};
	char text[4096];

	(void)state;
	assert_int_equal(system("rm -rf " ROOT " && mkdir -p " ROOT), 0);
	make_program(ROOT "/sh");
	line(&setup, "none", text, sizeof(text));
	assert_string_equal(text, "/b run --isolation none -- " ROOT "//sh it 198.18.0.1");
	line(&setup, "vm", text, sizeof(text));
	assert_string_equal(text, "/b run --isolation vm --rootfs " ROOT
				  " --net bridge=bulkhead0,ip=198.18.0.2/29 -- /sh it "
				  "198.18.0.1");
	if (wall_command_find("bwrap", NULL) == 0) {
		line(&setup, "bwrap", text, sizeof(text));
		assert_non_null(strstr(text, "nsenter --net=/proc/1/fd/2 /"));
		assert_non_null(strstr(text, " --share-net /sh it 198.18.0.1"));
	}
	assert_int_equal(system("rm -rf " ROOT), 0);
}

static const char runtime[] =
	"#!/bin/sh\n"
	"echo '{\"process\": {\"args\": [\"sh\"]}, \"root\": {\"readonly\": true}, \"linux\": "
	"{\"resources\": {\"devices\": [{\"allow\": false, \"access\": \"rwm\"}]}, \"namespaces\": "
	"[{\"type\": \"pid\"}, {\"type\": \"network\"}]}}' "
	"> config.json\n";

static void expect_config(const char *text, bool is_there)
{
	char config[4096] = "";
	int fd = open(ROOT "/b/config.json", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0 && read(fd, config, sizeof(config) - 1) > 0);
	close(fd);
	if ((strstr(config, text) != NULL) != is_there)
		fail_msg("'%s' in %s", text, config);
}

/* From fio 3.33, shortened behind its 49th field. */
static const char terse[] =
	"3;fio-3.33;r;0;0;45120;90059;22514;501;0;0;0.0;0.0;14;5123;43.2;1.5;1.0%=0;5.0%=0;"
	"10.0%=0;20.0%=0;30.0%=0;40.0%=0;50.0%=0;60.0%=0;70.0%=0;80.0%=0;90.0%=0;95.0%=0;99.0%=0;"
	"99.5%=0;99.9%=0;99.95%=0;99.99%=0;0%=0;0%=0;0%=0;14;5123;43.3;1.5;0;0;0.0;0.0;0.0;7;8;9;"
	"10;"
	"501\n";

static void fio_prints(void **state)
{
	char text[1024];

	(void)state;
	assert_true(fio_field(terse, 7) == 90059);
	assert_true(fio_field(terse, 8) == 22514);
	assert_true(fio_field(terse, 48) == 8);
	assert_true(fio_field(terse, 49) == 9);
	assert_true(fio_field(terse, 60) == 0);
	snprintf(text, sizeof(text), "note: something\n%s", terse);
	assert_true(fio_field(text, 8) == 22514);
	assert_true(fio_field("fio: failed\n", 8) == 0);
	assert_true(fio_field("", 1) == 0);
	/* Not the next line's. */
	assert_true(fio_field("3;fio-3.33;r\n1;2;3;4;5;6;7;8\n", 8) == 0);
}

static void fio_is_added(void **state)
{
	struct work list[WORKS];
	size_t n = work_of_suite(true, list), all = work_of_fio("/bin/fio", list, n);
	const struct suite_quantity *q[WORK_QUANTITIES];

	(void)state;
	assert_int_equal(all, n + SUITE_FIOS);
	assert_true(all <= WORKS);
	for (size_t i = n; i < all; i++) {
		assert_string_equal(work_name(&list[i]), "fio");
		assert_string_equal(list[i].command[0], "/bin/fio");
		assert_true(list[i].n < WORK_ARGS);
		assert_string_equal(list[i].command[list[i].n - 1], "--name=bulkhead");
		assert_int_equal(work_quantities(&list[i], q), 1);
	}
}

static void limits_behind_each_wall(void **state)
{
	const struct wall_limits cpu = { .cpu_percent = 50 }, memory = { .memory_mib = 64 },
				 rate = { .disk_mib = 4 };
	struct wall_setup setup = { .program = "/b", .root = ROOT, .limits = &cpu };
	static const char *const command[] = { "/sh", "it" };
	struct wall_command *c = calloc(1, sizeof(*c));
	struct err e = { "" };

	(void)state;
	assert_non_null(c);
	assert_int_equal(wall_command_make(&setup, "process", command, 2, 1, c, &e), 0);
	assert_string_equal(c->argv[6], "--cpus");
	assert_string_equal(c->argv[7], "0.50");
	assert_int_equal(wall_command_make(&setup, "bwrap", command, 2, 1, c, &e), -ENOTSUP);
	free(c);
	setup.limits = &memory;
	c = calloc(1, sizeof(*c));
	assert_non_null(c);
	assert_int_equal(wall_command_make(&setup, "vm", command, 2, 1, c, &e), 0);
	assert_string_equal(c->argv[6], "--memory");
	assert_string_equal(c->argv[7], "64M");
	free(c);
	setup.limits = &rate;
	c = calloc(1, sizeof(*c));
	assert_non_null(c);
	assert_int_equal(wall_command_make(&setup, "process", command, 2, 1, c, &e), 0);
	assert_string_equal(c->argv[6], "--disk-bps");
	assert_string_equal(c->argv[7], "4M");
	free(c);
}

/* What a runtime's program would be given, with a shell script as the runtime. */
static void bundles(void **state)
{
	const struct wall_limits cpu = { .cpu_percent = 50 }, memory = { .memory_mib = 64 },
				 rate = { .disk_mib = 4 };
	struct wall_disk on = { .major = 8, .minor = 16 };
	static const char *const command[] = { "/sh", "it" };
	struct bundle bundle = { .root = "/root", .command = command, .n = 2, .limits = &cpu };
	int fd;

	(void)state;
	assert_int_equal(system("rm -rf " ROOT " && mkdir -p " ROOT), 0);
	fd = open(ROOT "/runtime", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_true(fd >= 0 && write_all(fd, runtime, sizeof(runtime) - 1) == 0);
	close(fd);
	assert_int_equal(bundle_write(ROOT "/runtime", ROOT "/b", &bundle, NULL), 0);
	expect_config("quota", true);
	expect_config("\"readonly\": true", true);
	expect_config("\"rwm\"", true);
	expect_config("\"path\": \"/proc/1/fd/2\"", false);
	bundle.limits = &memory;
	bundle.writable = true;
	bundle.netns = "/proc/1/fd/2";
	assert_int_equal(bundle_write(ROOT "/runtime", ROOT "/b", &bundle, NULL), 0);
	expect_config("67108864", true);
	expect_config("\"readonly\": false", true);
	expect_config("quota", false);
	expect_config("\"rwm\"", true);
	expect_config("\"path\": \"/proc/1/fd/2\"", true);
	bundle.netns = NULL;
	bundle.limits = &rate;
	assert_int_equal(bundle_write(ROOT "/runtime", ROOT "/b", &bundle, NULL), -ENOTSUP);
	bundle.disk = &on;
	assert_int_equal(bundle_write(ROOT "/runtime", ROOT "/b", &bundle, NULL), 0);
	expect_config("67108864", false);
	expect_config("\"minor\": 16", true);
	expect_config("\"rate\": 4194304", true);
	expect_config("throttleReadBpsDevice", true);
	bundle.limits = NULL;
	assert_int_equal(bundle_write(ROOT "/runtime", ROOT "/b", &bundle, NULL), 0);
	expect_config("\"path\": \"/proc/1/fd/2\"", false);
	expect_config("throttle", false);
	assert_int_equal(system("rm -rf " ROOT), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_quantity_has_a_work),
		cmocka_unit_test(quick_is_a_part),
		cmocka_unit_test(most_runs_are_enough),
		cmocka_unit_test(a_command_is_run_twice),
		cmocka_unit_test(what_peers_cannot),
		cmocka_unit_test(a_rate_needs_a_disk),
		cmocka_unit_test(disk_behind_each_wall),
		cmocka_unit_test(network_behind_each_wall),
		cmocka_unit_test(limits_behind_each_wall),
		cmocka_unit_test(bundles),
		cmocka_unit_test(fio_prints),
		cmocka_unit_test(fio_is_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
