/* test_compare_cold.c - dropping a file from the page cache. */
#include "vmm/compare/cold.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/base/util.h"

#define SIZE (1 << 20)

static void make_file(const char *path)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	static const char zeros[SIZE];

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, zeros, SIZE), 0);
}

static void a_file(void **state)
{
	const char *const path = "/var/tmp/bulkhead-test-cold";
	uint64_t bytes, left;

	(void)state;
	make_file(path);
	assert_int_equal(cold_drop_file(path, &bytes, &left), 0);
	assert_int_equal(bytes, SIZE);
	assert_true(left <= bytes);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(cold_drop_file(path, &bytes, &left), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(cold_drop_file(path, &bytes, &left), -ENOENT);
}

/* What is nowhere else stays. */
static void a_file_in_memory(void **state)
{
	_cleanup_close_ int fd = memfd_create("cold", MFD_CLOEXEC);
	uint64_t bytes, left;
	char path[64];

	(void)state;
	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	make_file(path);
	assert_int_equal(cold_drop_file(path, &bytes, &left), 0);
	assert_int_equal(bytes, SIZE);
	assert_int_equal(left, SIZE);
}

static void a_wall_with_files_in_memory(void **state)
{
	_cleanup_close_ int fd = memfd_create("cold", MFD_CLOEXEC);
	static struct wall_command command;
	static struct wall_setup setup;
	struct err e = { "" };
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	make_file(path);
	command.argv[0] = path;
	assert_int_equal(cold_drop(&setup, "process", "/program", &command, &e), -EBUSY);
	assert_non_null(strstr(e.text, "cold: 1024 of 1024 KiB of /proc/self/fd/"));
	command.argv[0] = "/nowhere";
	assert_int_equal(cold_drop(&setup, "process", "/program", &command, &e), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file),
		cmocka_unit_test(a_file_in_memory),
		cmocka_unit_test(a_wall_with_files_in_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
