/* test_content.c - what is in files, where their times do not tell.  Whole images of
 * that kind are in tests/e2e. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/image/content.h"

static void put_file(int dir, const char *text)
{
	int fd = openat(dir, "entry", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static void put_link(int dir, const char *text)
{
	assert_int_equal(unlinkat(dir, "entry", 0), 0);
	assert_int_equal(symlinkat(text, dir, "entry"), 0);
}

static void digest_of(int dir, uint8_t out[SHA256_SIZE])
{
	struct sha256 hash;
	struct stat st;

	sha256_init(&hash);
	assert_int_equal(fstatat(dir, "entry", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(content_add(&hash, dir, "entry", &st), 0);
	sha256_final(&hash, out);
}

static void check_change(int dir, void (*put)(int dir, const char *text))
{
	uint8_t one[SHA256_SIZE], two[SHA256_SIZE], again[SHA256_SIZE];

	put(dir, "one");
	digest_of(dir, one);
	put(dir, "two");
	digest_of(dir, two);
	put(dir, "one");
	digest_of(dir, again);
	assert_memory_not_equal(one, two, sizeof(one));
	assert_memory_equal(one, again, sizeof(one));
}

static void test_changes(void **state)
{
	char top[] = "/tmp/bulkhead-test-XXXXXX";
	int dir;

	(void)state;
	assert_non_null(mkdtemp(top));
	dir = open(top, O_RDONLY | O_DIRECTORY);
	check_change(dir, put_file);
	check_change(dir, put_link);
	assert_false(content_decides(dir));
	assert_int_equal(unlinkat(dir, "entry", 0), 0);
	close(dir);
	assert_int_equal(rmdir(top), 0);
}

static void test_other_kinds(void **state)
{
	static const struct {
		mode_t mode;
		int wanted;
	} rows[] = { { S_IFREG, -ENOENT }, { S_IFLNK, -ENOENT }, { S_IFIFO, 0 }, { S_IFBLK, 0 } };
	struct sha256 hash;

	(void)state;
	sha256_init(&hash);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct stat st = { .st_mode = rows[i].mode };

		assert_int_equal(content_add(&hash, AT_FDCWD, "/does/not/exist", &st),
				 rows[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_other_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
