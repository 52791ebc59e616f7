/* test_cpu_cache.c - what KVM can give a CPU, kept in a file: what comes back,
 * and what is not believed. */
#include "vmm/monitor/cpu_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "arch/arch.h"
#include "vmm/base/util.h"

#define BOOT_ID "01234567-89ab-cdef-0123-456789abcdef"
#define ENTRY	sizeof(struct kvm_cpuid_entry2)

static const uint64_t loaded[CPU_CACHE_MODULES] = { 11, 0, 22, 0 };

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_cpu_cache.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* A table of `nent` entries; *ret_len is its size. */
static unsigned char *table(uint32_t nent, size_t *ret_len)
{
	unsigned char *t;

	*ret_len = 8 + nent * ENTRY;
	t = calloc(1, *ret_len);
	assert_non_null(t);
	memcpy(t, &nent, sizeof(nent));
	for (size_t i = 8; i < *ret_len; i++)
		t[i] = (unsigned char)(i * 7);
	return t;
}

static void only_whole_tables_are_valid(void **state)
{
	size_t len;
	unsigned char *t = table(3, &len);
	unsigned char *big;

	(void)state;
	assert_true(arch_host_cpu_valid(t, len));
	for (size_t n = 0; n < len; n++)
		assert_false(arch_host_cpu_valid(t, n));
	t[0] = 4;
	assert_false(arch_host_cpu_valid(t, len));
	t[0] = 2;
	assert_false(arch_host_cpu_valid(t, len));
	t[0] = 3;
	t[3] = 0x80;
	assert_false(arch_host_cpu_valid(t, len));
	free(t);
	big = table(257, &len);
	assert_true(len > ARCH_HOST_CPU_MAX);
	assert_false(arch_host_cpu_valid(big, len));
	free(big);
	big = table(256, &len);
	assert_true(len == ARCH_HOST_CPU_MAX);
	assert_true(arch_host_cpu_valid(big, len));
	free(big);
}

static void what_is_kept_comes_back(void **state)
{
	size_t len, got_len = 0;
	unsigned char *t = table(60, &len);
	void *got = NULL;

	(void)state;
	assert_int_equal(cpu_cache_read(dir, BOOT_ID, loaded, &got, &got_len), -ENOENT);
	assert_int_equal(cpu_cache_write(dir, BOOT_ID, loaded, t, len), 0);
	assert_int_equal(cpu_cache_read(dir, BOOT_ID, loaded, &got, &got_len), 0);
	assert_int_equal(got_len, len);
	assert_memory_equal(got, t, len);
	free(got);
	free(t);
}

static void another_kvm_voids_it(void **state)
{
	static const uint64_t reloaded[CPU_CACHE_MODULES] = { 11, 0, 23, 0 };
	size_t len, got_len;
	unsigned char *t = table(60, &len);
	void *got = NULL;

	(void)state;
	assert_int_equal(cpu_cache_write(dir, BOOT_ID, loaded, t, len), 0);
	assert_int_equal(cpu_cache_read(dir, BOOT_ID, reloaded, &got, &got_len), -ENOENT);
	assert_int_equal(
		cpu_cache_read(dir, "11234567-89ab-cdef-0123-456789abcdef", loaded, &got, &got_len),
		-ENOENT);
	free(t);
}

static void spoil(long at, int with)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/cpu-" BOOT_ID, dir);
	f = fopen(path, "r+b");
	assert_non_null(f);
	fseek(f, at, at < 0 ? SEEK_END : SEEK_SET);
	fputc(with, f);
	fclose(f);
}

static void odd_files_are_none(void **state)
{
	size_t len, got_len;
	unsigned char *t = table(2, &len);
	void *got = NULL;
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/cpu-" BOOT_ID, dir);
	assert_int_equal(cpu_cache_write(dir, BOOT_ID, loaded, t, len), 0);
	spoil(48, 3); /* more entries than there are */
	assert_int_equal(cpu_cache_read(dir, BOOT_ID, loaded, &got, &got_len), -ENOENT);
	assert_int_equal(cpu_cache_write(dir, BOOT_ID, loaded, t, len), 0);
	spoil(13, '9'); /* of another version */
	assert_int_equal(cpu_cache_read(dir, BOOT_ID, loaded, &got, &got_len), -ENOENT);
	assert_int_equal(cpu_cache_write(dir, BOOT_ID, loaded, t, len), 0);
	for (int size = 0; size < 60; size += 7) {
		assert_int_equal(truncate(path, size), 0);
		assert_int_equal(cpu_cache_read(dir, BOOT_ID, loaded, &got, &got_len), -ENOENT);
	}
	assert_int_equal(truncate(path, 1 << 20), 0);
	assert_int_equal(cpu_cache_read(dir, BOOT_ID, loaded, &got, &got_len), -ENOENT);
	assert_int_equal(cpu_cache_write(dir, BOOT_ID, loaded, t, len), 0);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(cpu_cache_read(dir, BOOT_ID, loaded, &got, &got_len), -ENOENT);
	assert_null(got);
	free(t);
}

static void modules_are_told_apart(void **state)
{
	uint64_t a[CPU_CACHE_MODULES], b[CPU_CACHE_MODULES];
	char path[256];

	(void)state;
	cpu_cache_modules(dir, a);
	for (unsigned int i = 0; i < CPU_CACHE_MODULES; i++)
		assert_int_equal(a[i], 0);
	for (const char *const *p = (const char *const[]){ "/sys", "/sys/module", "/sys/module/kvm",
							   "/sys/module/kvm_amd", NULL };
	     *p; p++) {
		snprintf(path, sizeof(path), "%s%s", dir, *p);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	cpu_cache_modules(dir, a);
	assert_true(a[0] != 0 && a[1] == 0 && a[2] != 0 && a[3] == 0);
	/* Loaded anew. */
	snprintf(path, sizeof(path), "%s/sys/module/kvm_amd.old", dir);
	{
		char from[256];

		snprintf(from, sizeof(from), "%s/sys/module/kvm_amd", dir);
		assert_int_equal(rename(from, path), 0);
		assert_int_equal(mkdir(from, 0755), 0);
	}
	cpu_cache_modules(dir, b);
	assert_true(b[0] == a[0] && b[2] != a[2]);
}

static void it_is_what_kvm_says(void **state)
{
	void *asked = NULL, *got = NULL;
	size_t asked_len, got_len;
	struct err e = { "" };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	(void)state;
	if (kvm < 0) {
		print_message("skipped: /dev/kvm: %m\n");
		skip();
	}
	setenv("XDG_CACHE_HOME", dir, 1);
	assert_int_equal(arch_host_cpu_ask(kvm, &asked, &asked_len, &e), 0);
	assert_true(arch_host_cpu_valid(asked, asked_len));
	for (int i = 0; i < 2; i++) { /* asked, then kept */
		assert_int_equal(cpu_cache_get(kvm, &got, &got_len, &e), 0);
		assert_int_equal(got_len, asked_len);
		free(got);
	}
	free(asked);
	close(kvm);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_whole_tables_are_valid),
		TEST(what_is_kept_comes_back),
		TEST(another_kvm_voids_it),
		TEST(odd_files_are_none),
		TEST(modules_are_told_apart),
		TEST(it_is_what_kvm_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
