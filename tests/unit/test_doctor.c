/*
 * test_doctor.c - the pure parts of `bulkhead doctor`: reading a fake tree of
 * pseudo files, advice, rendering; and the probe's code, conclusion and cache.
 */
#include "vmm/cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "vmm/base/util.h"
#include "vmm/monitor/probe.h"
#include "vmm/monitor/probe_cache.h"

#define BOOT_ID "01234567-89ab-cdef-0123-456789abcdef"

static char root[64];

static void put(const char *path, const char *text)
{
	char full[256];
	char *slash;
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int make_root(void **state)
{
	(void)state;
	strcpy(root, "/tmp/test_doctor.XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static void choice_is_the_bracketed_word(void **state)
{
	char word[8];

	(void)state;
	assert_int_equal(doctor_choice("always within_size [never] deny", word, sizeof(word)), 0);
	assert_string_equal(word, "never");
	assert_int_equal(doctor_choice("always never", word, sizeof(word)), -EINVAL);
	assert_int_equal(doctor_choice("[never", word, sizeof(word)), -EINVAL);
	assert_int_equal(doctor_choice("[]", word, sizeof(word)), -EINVAL);
	assert_int_equal(doctor_choice("[within_size]", word, sizeof(word)), -EINVAL);
}

static void read_drops_one_newline_and_is_bounded(void **state)
{
	char text[5];

	(void)state;
	put("/a", "x\n\n");
	assert_int_equal(doctor_read(root, "/a", text, sizeof(text)), 0);
	assert_string_equal(text, "x\n");
	put("/a", "123456789");
	assert_int_equal(doctor_read(root, "/a", text, sizeof(text)), 0);
	assert_string_equal(text, "1234");
	assert_int_equal(doctor_read(root, "/none", text, sizeof(text)), -ENOENT);
}

static void backend_by_module(void **state)
{
	(void)state;
	assert_string_equal(probe_backend(root), "unknown");
	put("/sys/module/kvm_amd/parameters/npt", "1\n");
	assert_string_equal(probe_backend(root), "amd");
	put("/sys/module/kvm_pvm/x", "");
	assert_string_equal(probe_backend(root), "pvm");
	assert_string_equal(doctor_backend_label("intel", ""), "hardware");
	assert_string_equal(doctor_backend_label("intel", "Hyper-V"), "nested");
	assert_string_equal(doctor_backend_label("amd", "QEMU TCG"), "emulated (TCG)");
	assert_string_equal(doctor_backend_label("pvm", "KVM"), "software");
	assert_string_equal(doctor_backend_label("unknown", ""), "unknown");
	assert_string_equal(doctor_hypervisor_name("KVMKVMKVM\0\0\0"), "KVM");
	assert_string_equal(doctor_hypervisor_name("nobodyknows."), "unknown hypervisor");
}

static void missing_kvm_tells_what_to_do(void **state)
{
	struct doctor_check c = { 0 };

	(void)state;
	doctor_missing_kvm("flags\t\t: fpu vmx\n", false, &c);
	assert_non_null(strstr(c.fix, "modprobe kvm_intel"));
	doctor_missing_kvm("flags\t\t: svm fpu\n", false, &c);
	assert_non_null(strstr(c.fix, "modprobe kvm_amd"));
	/* A flag that only contains the name is another flag. */
	doctor_missing_kvm("flags\t\t: svm_lock vmx_x hypervisor\n", false, &c);
	assert_non_null(strstr(c.fix, "nested"));
	doctor_missing_kvm("flags\t\t: fpu\n", false, &c);
	assert_non_null(strstr(c.fix, "firmware"));
	doctor_missing_kvm("flags\t\t: vmx\n", true, &c);
	assert_non_null(strstr(c.fix, "--device /dev/kvm"));
}

static void denied_names_group_and_command(void **state)
{
	struct doctor_access a = { .path = "/dev/kvm", .user = "al", .group = "kvm", .mode = 0660 };
	struct doctor_check c = { .state = DOCTOR_YES };

	(void)state;
	doctor_denied(&a, &c);
	assert_int_equal(c.state, DOCTOR_NO);
	assert_non_null(strstr(c.why, "group kvm"));
	assert_non_null(strstr(c.fix, "usermod -aG kvm al"));
	assert_non_null(strstr(c.fix, "setfacl -m u:al:rw /dev/kvm"));
	a.group_listed = true;
	doctor_denied(&a, &c);
	assert_non_null(strstr(c.fix, "log in again"));
	assert_null(strstr(c.fix, "usermod"));
	a.in_group = true;
	doctor_denied(&a, &c);
	assert_non_null(strstr(c.why, "device cgroup"));
	a = (struct doctor_access){ .path = "/dev/kvm", .group = "root", .mode = 0600 };
	a.user = "7";
	doctor_denied(&a, &c);
	assert_non_null(strstr(c.why, "0600"));
	assert_null(strstr(c.fix, "usermod"));
}

static void names_come_from_the_files(void **state)
{
	char name[16];
	bool listed;

	(void)state;
	doctor_user_name(root, 1000, name, sizeof(name));
	assert_string_equal(name, "1000");
	put("/etc/passwd", "root:x:0:0::/root:/bin/sh\nbroken\nann:x:1000:1000::/:/bin/sh\n");
	put("/etc/group", "kvm:x:106:bob,ann\naudio:x:29:annabel\n");
	doctor_user_name(root, 1000, name, sizeof(name));
	assert_string_equal(name, "ann");
	doctor_group_name(root, 106, "ann", name, sizeof(name), &listed);
	assert_string_equal(name, "kvm");
	assert_true(listed);
	doctor_group_name(root, 29, "ann", name, sizeof(name), &listed);
	assert_string_equal(name, "audio");
	assert_false(listed);
	doctor_group_name(root, 5, "ann", name, sizeof(name), &listed);
	assert_string_equal(name, "5");
}

static void cgroup_versions(void **state)
{
	char path[64];

	(void)state;
	assert_int_equal(doctor_cgroup_version(root, path, sizeof(path)), 0);
	put("/proc/self/cgroup", "0::/user.slice/a\n");
	put("/sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
	assert_int_equal(doctor_cgroup_version(root, path, sizeof(path)), 2);
	assert_string_equal(path, "/user.slice/a");
	/* Hybrid: the controllers are v1's. */
	put("/proc/self/cgroup", "3:memory:/\n0::/\n");
	put("/sys/fs/cgroup/cgroup.controllers", "\n");
	assert_int_equal(doctor_cgroup_version(root, path, sizeof(path)), 1);
}

static void fill(struct doctor_report *r)
{
	struct doctor_check *c;

	c = doctor_add(r, "kvm", "/dev/kvm", true);
	doctor_set(c, DOCTOR_YES, "open", "", "");
	c = doctor_add(r, "tap", "network by tap", false);
	doctor_set(c, DOCTOR_NO, "bad \xff byte", "the network", "ip tuntap add");
	snprintf(r->backend, sizeof(r->backend), "amd");
	snprintf(r->label, sizeof(r->label), "hardware");
	r->max_vcpus = 64;
}

static void optional_checks_do_not_decide(void **state)
{
	struct doctor_report r = { 0 };

	(void)state;
	fill(&r);
	assert_true(doctor_ok(&r));
	doctor_set(doctor_add(&r, "linux", "runs Linux", true), DOCTOR_UNKNOWN, "", "", "");
	assert_false(doctor_ok(&r));
}

static void text_shows_why_and_what_to_do(void **state)
{
	struct doctor_report r = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f;

	(void)state;
	fill(&r);
	doctor_detail(&r, "step %d", 1);
	f = open_memstream(&text, &len);
	assert_int_equal(doctor_print_text(f, &r, false), 0);
	fclose(f);
	assert_non_null(strstr(text, "  yes      /dev/kvm               open\n"));
	assert_non_null(strstr(text, "lost: the network\n"));
	assert_non_null(strstr(text, "do:   ip tuntap add\n"));
	assert_non_null(strstr(text, "This host can run Linux guests.\n"));
	assert_null(strstr(text, "step 1"));
	free(text);
	text = NULL;
	f = open_memstream(&text, &len);
	doctor_set(&r.checks[0], DOCTOR_NO, "gone", "", "");
	assert_int_equal(doctor_print_text(f, &r, true), 0);
	fclose(f);
	assert_non_null(strstr(text, "cannot run Linux guests: /dev/kvm: gone\n"));
	assert_non_null(strstr(text, "step 1\n"));
	free(r.details);
}

static void json_has_the_schema(void **state)
{
	struct doctor_report r = { 0 };
	_cleanup_free_ char *text = NULL;
	json_t *j, *c;
	size_t len;
	FILE *f;

	(void)state;
	fill(&r);
	f = open_memstream(&text, &len);
	assert_int_equal(doctor_print_json(f, &r), 0);
	fclose(f);
	j = json_loads(text, 0, NULL);
	assert_non_null(j);
	assert_int_equal(json_integer_value(json_object_get(j, "version")), 1);
	assert_true(json_is_true(json_object_get(j, "linux")));
	assert_true(json_is_null(json_object_get(j, "obstacle")));
	assert_string_equal(json_string_value(json_object_get(j, "backend")), "amd");
	assert_int_equal(json_integer_value(json_object_get(j, "max_vcpus")), 64);
	assert_true(json_is_null(json_object_get(j, "exit_ns")));
	assert_int_equal(json_array_size(json_object_get(j, "checks")), 2);
	c = json_array_get(json_object_get(j, "checks"), 1);
	assert_string_equal(json_string_value(json_object_get(c, "id")), "tap");
	assert_string_equal(json_string_value(json_object_get(c, "state")), "no");
	assert_string_equal(json_string_value(json_object_get(c, "value")), "bad ? byte");
	assert_true(json_is_false(json_object_get(c, "required")));
	json_decref(j);
}

static void probe_code_fits_its_page(void **state)
{
	unsigned int i;

	(void)state;
	assert_true(probe_code_end - probe_code_start <= PROBE_CODE_MAX);
	for (i = 0; i < PROBE_NSTEPS; i++) {
		assert_non_null(probe_steps[i].name);
		/* The stubs of the vectors come first. */
		assert_true(probe_steps[i].entry >= probe_code_start + 256 * 16);
		assert_true(probe_steps[i].entry < probe_code_end);
	}
	/* A stub that grew over 16 bytes would shift all that follow. */
	assert_memory_equal(probe_code_start + 16 * 14, "\x6a\x0e", 2);
	assert_memory_equal(probe_code_start + 16 * 3, "\x6a\x00\x6a\x03", 4);
}

static void probe_conclusion(void **state)
{
	struct probe_result res = { 0 };
	char text[128];
	unsigned int i;

	(void)state;
	for (i = 0; i < PROBE_NSTEPS; i++)
		res.items[i].outcome = i % 2 ? PROBE_WORKS : PROBE_NOT_NEEDED;
	probe_conclude(&res);
	assert_true(res.linux_ok);
	res.items[5].outcome = PROBE_RUNNING;
	res.items[6].outcome = PROBE_NOT_REACHED;
	probe_conclude(&res);
	assert_false(res.linux_ok);
	assert_int_equal(probe_first_failure(&res), 5);
	assert_non_null(strstr(probe_describe(&res.items[5], text, sizeof(text)), "in time"));
	res.items[5] = (struct probe_item){ PROBE_FAILS, PROBE_END_INTERNAL, 1 };
	assert_non_null(strstr(probe_describe(&res.items[5], text, sizeof(text)), "suberror 1"));
}

static void probe_of_no_kvm_fails_at_once(void **state)
{
	_cleanup_close_ int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct probe_result res = { 0 };

	(void)state;
	assert_int_equal(probe_linux(fd, &res, 5000), 0);
	assert_false(res.linux_ok);
	assert_int_equal(probe_first_failure(&res), 0);
	assert_int_equal(res.items[0].end, PROBE_END_ERROR);
	assert_int_equal(res.items[0].detail, ENOTTY);
}

static void cache_keeps_a_verdict(void **state)
{
	struct probe_verdict v = { .backend = "pvm", .failed = "int3" };
	struct probe_verdict got;
	char dir[128], old[256];

	(void)state;
	snprintf(dir, sizeof(dir), "%s/cache/bulkhead", root);
	assert_int_equal(probe_cache_read(dir, BOOT_ID, "pvm", &got), -ENOENT);
	assert_int_equal(probe_cache_write(dir, BOOT_ID, &v), 0);
	assert_int_equal(probe_cache_read(dir, BOOT_ID, "pvm", &got), 0);
	assert_false(got.linux_ok);
	assert_string_equal(got.failed, "int3");
	/* Another back end or another boot: no verdict. */
	assert_int_equal(probe_cache_read(dir, BOOT_ID, "amd", &got), -ENOENT);
	assert_int_equal(probe_cache_read(dir, "f" BOOT_ID, "pvm", &got), -ENOENT);
	assert_int_equal(probe_cache_write(dir, "../../etc/passwd", &v), -EINVAL);
	snprintf(old, sizeof(old), "%s/probe-old", dir);
	assert_int_equal(mknod(old, S_IFREG | 0600, 0), 0);
	v.linux_ok = true;
	v.failed[0] = '\0';
	assert_int_equal(probe_cache_write(dir, BOOT_ID, &v), 0);
	assert_int_equal(access(old, F_OK), -1);
	assert_int_equal(probe_cache_read(dir, BOOT_ID, "pvm", &got), 0);
	assert_true(got.linux_ok);
}

static void cache_takes_no_bad_content(void **state)
{
	static const char *const bad[] = {
		"",
		"bulkhead-probe 1\n",
		"bulkhead-probe 2\nbackend=pvm\nlinux=yes\nfailed=\n",
		"bulkhead-probe 1\nbackend=pvm\nlinux=maybe\nfailed=\n",
		"bulkhead-probe 1\nbackend=pvm\nlinux=yes\nfailed=",
		"bulkhead-probe 1\nbackend=pvm\nlinux=yes\nfailed=\nmore\n",
		"bulkhead-probe 1\nlinux=yes\nbackend=pvm\nfailed=\n",
		"bulkhead-probe 1\nbackend=0123456789012345678901234567890123\nlinux=no\nfailed=\n",
	};
	struct probe_verdict got;
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		put("/probe-" BOOT_ID, bad[i]);
		assert_int_equal(probe_cache_read(root, BOOT_ID, "pvm", &got), -ENOENT);
	}
	put("/probe-" BOOT_ID, "bulkhead-probe 1\nbackend=pvm\nlinux=no\nfailed=a\x1b[31m\n");
	assert_int_equal(probe_cache_read(root, BOOT_ID, "pvm", &got), 0);
	assert_string_equal(got.failed, "a?[31m");
}

static void cache_trusts_only_its_own(void **state)
{
	static const char good[] = "bulkhead-probe 1\nbackend=pvm\nlinux=yes\nfailed=\n";
	struct probe_verdict v = { .backend = "pvm" };
	struct probe_verdict got;
	char file[128], other[128], dir[128];

	(void)state;
	snprintf(file, sizeof(file), "%s/probe-" BOOT_ID, root);
	put("/probe-" BOOT_ID, good);
	assert_int_equal(probe_cache_read(root, BOOT_ID, "pvm", &got), 0);
	chmod(file, 0666);
	assert_int_equal(probe_cache_read(root, BOOT_ID, "pvm", &got), -ENOENT);
	chmod(file, 0600);
	chmod(root, 0777);
	assert_int_equal(probe_cache_read(root, BOOT_ID, "pvm", &got), -ENOENT);
	assert_int_equal(probe_cache_write(root, BOOT_ID, &v), -EPERM);
	chmod(root, 0700);
	/* A symlink to good content, then a fifo, then a symlinked directory. */
	snprintf(other, sizeof(other), "%s/other", root);
	assert_int_equal(rename(file, other), 0);
	assert_int_equal(symlink(other, file), 0);
	assert_int_equal(probe_cache_read(root, BOOT_ID, "pvm", &got), -ENOENT);
	unlink(file);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(probe_cache_read(root, BOOT_ID, "pvm", &got), -ENOENT);
	unlink(file);
	put("/probe-" BOOT_ID, good);
	snprintf(dir, sizeof(dir), "%s/link", root);
	assert_int_equal(symlink(root, dir), 0);
	assert_int_equal(probe_cache_read(dir, BOOT_ID, "pvm", &got), -ENOENT);
	assert_int_not_equal(probe_cache_write(dir, BOOT_ID, &v), 0);
}

#define test(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(choice_is_the_bracketed_word),
		test(read_drops_one_newline_and_is_bounded),
		test(backend_by_module),
		test(missing_kvm_tells_what_to_do),
		test(denied_names_group_and_command),
		test(names_come_from_the_files),
		test(cgroup_versions),
		test(optional_checks_do_not_decide),
		test(text_shows_why_and_what_to_do),
		test(json_has_the_schema),
		test(probe_code_fits_its_page),
		test(probe_conclusion),
		test(probe_of_no_kvm_fails_at_once),
		test(cache_keeps_a_verdict),
		test(cache_takes_no_bad_content),
		test(cache_trusts_only_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
