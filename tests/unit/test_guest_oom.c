/* test_guest_oom.c - what the guest's init reads in its kernel's log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest-kernel-config/init/oom.h"
#include "vmm/base/util.h"

#define KILLED "Out of memory: Killed process 53 (a) b) total-vm:99kB, anon-rss:41kB, file-rss:0kB"

static void test_records(void **state)
{
	static const struct {
		const char *record, *says; /* NULL: not it */
	} rows[] = {
		{ "3,339,5140900,-;" KILLED "\n", "a) b (process 53), with 41kB" },
		/* Written by somebody: user's facility. */
		{ "11,339,5140900,-;" KILLED "\n", NULL },
		{ "3,339,5140900,-;oom-kill:constraint=CONSTRAINT_NONE,task=a,pid=53\n", NULL },
		{ "3,339,5140900,-;Out of memory: Killed process 5 (a) total-vm:1kB, "
		  "anon-rss:1kB\n",
		  NULL },
		{ "3,339,5140900,-;Out of memory: Killed process 53 (a\n", NULL },
		{ "3,339;x " KILLED "\n", NULL },
		{ "", NULL },
		{ "3", NULL },
		{ ";", NULL },
	};
	char says[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool found = oom_parse(rows[i].record, 53, says, sizeof(says));

		if (found != (rows[i].says != NULL))
			fail_msg("row %zu", i);
		if (found)
			assert_string_equal(says, rows[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_records) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
