/* test_quota_end.c - who died past a memory limit, of what a run printed and of
 * what the host's kernel counts. */
#include "vmm/compare/quota_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/base/util.h"

static void lines(void **state)
{
	static const struct {
		struct quota_end_run run;
		const char *says; /* NULL: nothing */
	} cases[] = {
		{ { "memory-reached 63\nmemory-ended 137\n", 0, false, true },
		  "what grew ended by signal 9, killed by the host's kernel; its parent lived on" },
		{ { "memory-reached 63\r\nmemory-ended 137\r\n", 0, true, false },
		  "what grew ended by signal 9, killed by the guest's kernel; its parent lived "
		  "on" },
		/* Somebody's outside: it is not one of a guest's. */
		{ { "memory-ended 137\n", 0, true, true },
		  "what grew ended by signal 9, killed by the guest's kernel; its parent lived "
		  "on" },
		{ { "memory-ended 137\n", 0, false, false },
		  "what grew ended by signal 9, by whom is not known; its parent lived on" },
		{ { "memory-ended 139\n", 0, false, true },
		  "what grew ended by signal 11; its parent lived on" },
		{ { "memory-ended 1\n", 0, false, false },
		  "what grew was refused memory and ended by itself; its parent lived on" },
		{ { "memory-ended 0\n", 0, true, false },
		  "what grew got all that it asked for; nobody died" },
		{ { "", 137, false, true },
		  "all of it ended with status 137, while the host's kernel killed for memory" },
		{ { "", 125, true, true },
		  "all of it ended with status 125, while the host's kernel killed for memory" },
		{ { "", 137, true, false },
		  "all of it ended with status 137, killed by the guest's kernel" },
		{ { "", 137, false, false },
		  "all of it ended with status 137, by whom is not known" },
		/* A failure of another kind, or nothing that is understood. */
		{ { "memory-ended 137\n", 125, false, false }, NULL },
		{ { "", 0, false, true }, NULL },
		{ { "memory-ended", 0, false, true }, NULL },
		{ { "memory-ended x\n", 0, false, true }, NULL },
		{ { "memory-ended 256\n", 0, false, true }, NULL },
		{ { "not memory-ended 137\n", 0, false, true }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[COMPARE_END] = "untouched";

		assert_int_equal(quota_end_tell(&cases[i].run, text), cases[i].says != NULL);
		assert_string_equal(text, cases[i].says ? cases[i].says : "untouched");
	}
}

static bool kills_of(const char *text, uint64_t *ret)
{
	char path[] = "/tmp/test_quota_end.XXXXXX";
	int fd = mkstemp(path);
	bool found;

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	found = quota_end_kills(path, ret);
	unlink(path);
	return found;
}

static void counter(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_false(quota_end_kills("/nonexistent", &n));
	assert_false(kills_of("", &n));
	assert_false(kills_of("pgfault 12\noom_killer 3\n", &n));
	assert_int_equal(n, 7);
	assert_true(kills_of("drop_slab 0\noom_kill 453\nnuma_hit 1\n", &n));
	assert_int_equal(n, 453);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
