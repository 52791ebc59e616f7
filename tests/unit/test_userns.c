/* test_userns.c - whose ids a user may map: /etc/subuid and /etc/passwd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/jail/userns.h"

static void test_subid(void **state)
{
	static const struct {
		const char *text, *name;
		uid_t uid;
		uint32_t start, count; /* count 0: there is none */
	} rows[] = {
		{ "", "a", 1, 0, 0 },
		{ "a:100000:65536\n", "a", 1, 100000, 65536 },
		{ "a:100000:65536", "a", 1, 100000, 65536 },
		{ "b:1:2\na:100000:65536\n", "a", 1, 100000, 65536 },
		{ "1000:200000:10\n", "a", 1000, 200000, 10 },
		{ "1000:200000:10\n", NULL, 1000, 200000, 10 },
		{ "a:3:4\na:5:6\n", "a", 1, 3, 4 },
		/* Names that begin alike, other users' numbers. */
		{ "ab:1:2\n", "a", 1, 0, 0 },
		{ "a:1:2\n", "ab", 1, 0, 0 },
		{ "1001:1:2\n", "a", 1000, 0, 0 },
		{ "a:1:2\n", NULL, 1, 0, 0 },
		/* Lines that are none are passed over. */
		{ "a\na:\na:x:2\na:1\na:1:0\na:-1:2\n\n# a:1:2\na:7:8\n", "a", 1, 7, 8 },
		{ "a:4294967295:2\n", "a", 1, 0, 0 },
		{ "a:99999999999999999999:2\n", "a", 1, 0, 0 },
		{ "a:1:2:3\n", "a", 1, 1, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct id_range range = { 0, 0 };
		bool found = subid_find(rows[i].text, rows[i].name, rows[i].uid, &range);

		if (found != (rows[i].count != 0) || range.start != rows[i].start ||
		    range.count != rows[i].count)
			fail_msg("row %zu: %d %u %u", i, found, range.start, range.count);
	}
}

static void test_passwd(void **state)
{
	static const char text[] = "root:x:0:0:root:/root:/bin/sh\nx:y\n:x:7:7::/:\n"
				   "averylongnameindeed:x:8:8::/:\na:x:1000:1000::/:/bin/sh";
	char name[8] = "";

	(void)state;
	assert_true(passwd_find(text, 0, name, sizeof(name)));
	assert_string_equal(name, "root");
	assert_true(passwd_find(text, 1000, name, sizeof(name)));
	assert_string_equal(name, "a");
	assert_false(passwd_find(text, 1, name, sizeof(name)));
	assert_false(passwd_find(text, 7, name, sizeof(name)));
	assert_false(passwd_find(text, 8, name, sizeof(name)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subid),
		cmocka_unit_test(test_passwd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
