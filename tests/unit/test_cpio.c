/* test_cpio.c - the archive for the guest, read back by a parser of its own
 * and by cpio(1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-kernel-config/guest_abi.h"
#include "vmm/base/util.h"
#include "vmm/image/cpio.h"
#include "vmm/image/initramfs.h"

/* The next entry at *at; the fields are hexadecimal, 8 digits each. */
struct entry {
	char name[64];
	uint32_t mode, size, major, minor, nlink, ino;
	const char *data;
};

static uint32_t field(const char *header, int n)
{
	char digits[9] = "";
	char *end;
	unsigned long v;

	memcpy(digits, header + 6 + 8 * n, 8);
	v = strtoul(digits, &end, 16);
	assert_int_equal(*end, 0);
	return (uint32_t)v;
}

static struct entry next(const char *data, size_t len, size_t *at)
{
	struct entry e = { 0 };
	const char *h = data + *at;
	uint32_t name_size;

	assert_true(*at % 4 == 0 && len - *at >= 110);
	assert_memory_equal(h, "070701", 6);
	e.ino = field(h, 0);
	e.mode = field(h, 1);
	e.nlink = field(h, (size_t)4);
	e.size = field(h, 6);
	e.major = field(h, 9);
	e.minor = field(h, 10);
	name_size = field(h, 11);
	assert_true(name_size <= sizeof(e.name));
	memcpy(e.name, h + 110, name_size);
	assert_int_equal(e.name[name_size - 1], 0);
	*at = ALIGN_UP(*at + 110 + name_size, (size_t)4);
	e.data = data + *at;
	*at = ALIGN_UP(*at + e.size, (size_t)4);
	assert_true(*at <= len);
	return e;
}

static void test_entries(void **state)
{
	struct cpio c;
	struct entry e;
	size_t at = 0;

	(void)state;
	cpio_begin(&c);
	assert_int_equal(cpio_dir(&c, "d", 0755), 0);
	assert_int_equal(cpio_node(&c, "d/n", S_IFCHR | 0600, 5, 1), 0);
	assert_int_equal(cpio_file(&c, "d/f", 04755, "hello", 5), 0);
	assert_int_equal(cpio_file(&c, "empty", 0644, NULL, 0), 0);
	assert_int_equal(cpio_end(&c), 0);

	e = next(c.data, c.len, &at);
	assert_string_equal(e.name, "d");
	assert_int_equal(e.mode, S_IFDIR | 0755);
	assert_int_equal(e.ino, 1);
	e = next(c.data, c.len, &at);
	assert_string_equal(e.name, "d/n");
	assert_int_equal(e.mode, S_IFCHR | 0600);
	assert_int_equal(e.major, 5);
	assert_int_equal(e.minor, 1);
	e = next(c.data, c.len, &at);
	assert_int_equal(e.mode, S_IFREG | 04755);
	assert_int_equal(e.size, 5);
	assert_memory_equal(e.data, "hello", 5);
	/* One inode each: equal numbers would be hard links. */
	assert_int_equal(e.ino, 3);
	e = next(c.data, c.len, &at);
	assert_string_equal(e.name, "empty");
	assert_int_equal(e.size, 0);
	e = next(c.data, c.len, &at);
	assert_string_equal(e.name, "TRAILER!!!");
	assert_int_equal(at, c.len);
	cpio_release(&c);
}

/* Every length of name and data, and so every padding. */
static void test_paddings(void **state)
{
	char name[40], data[40];

	(void)state;
	memset(data, 'x', sizeof(data));
	for (size_t n = 1; n < sizeof(name); n++) {
		for (size_t m = 0; m < sizeof(data); m++) {
			struct cpio c;
			struct entry e;
			size_t at = 0;

			memset(name, 'n', n);
			name[n] = '\0';
			cpio_begin(&c);
			assert_int_equal(cpio_file(&c, name, 0644, data, m), 0);
			assert_int_equal(cpio_end(&c), 0);
			e = next(c.data, c.len, &at);
			assert_string_equal(e.name, name);
			assert_int_equal(e.size, m);
			if (m)
				assert_memory_equal(e.data, data, m);
			e = next(c.data, c.len, &at);
			assert_string_equal(e.name, "TRAILER!!!");
			cpio_release(&c);
		}
	}
}

static void test_refused(void **state)
{
	char name[5000];
	struct cpio c;

	(void)state;
	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	cpio_begin(&c);
	assert_int_equal(cpio_dir(&c, "", 0755), -EINVAL);
	assert_int_equal(cpio_dir(&c, "/abs", 0755), -EINVAL);
	assert_int_equal(cpio_dir(&c, name, 0755), -EINVAL);
	assert_int_equal(cpio_file(&c, "big", 0644, name, 1ULL << 32), -EFBIG);
	assert_int_equal(c.len, 0);
	cpio_release(&c);
}

static void test_initramfs(void **state)
{
	char params_text[] = "version=1\0arg=a\nb";
	struct guest_params params = { .data = params_text, .len = sizeof(params_text) };
	char init[30001];
	struct err err = { "" };
	uint64_t size = 0;
	struct stat st;
	struct entry e;
	size_t at = 0;
	char *data;
	int fd = -1;

	(void)state;
	memset(init, 0x5a, sizeof(init));
	assert_int_equal(initramfs_build(init, sizeof(init), &params, &fd, &size, &err), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, size);
	/* sealed */
	assert_true(pwrite(fd, "x", 1, 0) < 0 && errno == EPERM);
	assert_true(ftruncate(fd, 0) < 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);

	data = malloc(size);
	assert_int_equal(pread_all(fd, data, size, 0), 0);
	e = next(data, size, &at);
	assert_string_equal(e.name, "dev");
	e = next(data, size, &at);
	assert_string_equal(e.name, "dev/console");
	e = next(data, size, &at);
	assert_string_equal(e.name, "init");
	assert_int_equal(e.mode, S_IFREG | 0755);
	assert_int_equal(e.size, sizeof(init));
	assert_memory_equal(e.data, init, sizeof(init));
	e = next(data, size, &at);
	assert_string_equal(e.name, &BH_PARAMS_PATH[1]);
	assert_int_equal(e.size, sizeof(params_text));
	assert_memory_equal(e.data, params_text, sizeof(params_text));
	e = next(data, size, &at);
	assert_string_equal(e.name, "TRAILER!!!");
	assert_int_equal(at, size);
	free(data);
	close(fd);
}

/* What another program makes of it. */
static void test_cpio_program(void **state)
{
	char path[] = "/tmp/bulkhead-cpio-XXXXXX";
	char line[256];
	struct cpio c;
	FILE *out;
	int fd;

	(void)state;
	if (system("command -v cpio >/dev/null") != 0) {
		print_message("skip: cpio is not installed\n");
		skip();
	}
	cpio_begin(&c);
	assert_int_equal(cpio_dir(&c, "dev", 0755), 0);
	assert_int_equal(cpio_node(&c, "dev/console", S_IFCHR | 0600, 5, 1), 0);
	assert_int_equal(cpio_file(&c, "init", 0755, "abc", 3), 0);
	assert_int_equal(cpio_end(&c), 0);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, c.data, c.len), 0);
	close(fd);
	cpio_release(&c);
	snprintf(line, sizeof(line), "cpio -itv --quiet < %s", path);
	out = popen(line, "r");
	assert_non_null(out);
	assert_non_null(fgets(line, sizeof(line), out));
	assert_memory_equal(line, "drwxr-xr-x", 10);
	assert_non_null(fgets(line, sizeof(line), out));
	assert_memory_equal(line, "crw-------", 10);
	assert_non_null(strstr(line, "5,   1"));
	assert_non_null(fgets(line, sizeof(line), out));
	assert_memory_equal(line, "-rwxr-xr-x", 10);
	assert_non_null(strstr(line, "init"));
	assert_int_equal(pclose(out), 0);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),	     cmocka_unit_test(test_paddings),
		cmocka_unit_test(test_refused),	     cmocka_unit_test(test_initramfs),
		cmocka_unit_test(test_cpio_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
