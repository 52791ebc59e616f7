/* test_disk_inline.c - which requests a disk serves at once, against disks that
 * take a known time. */
#include "devices/backend/disk_inline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define QUICK ((uint64_t)DISK_INLINE_SLOW_NS)
#define SLOW  ((uint64_t)DISK_INLINE_SLOW_NS + 1)

static const struct disk_request write_4k = { .op = DISK_WRITE, .len = 4096 };
static const struct disk_request read_1m = { .op = DISK_READ, .len = 1 << 20 };
static const struct disk_request flush = { .op = DISK_FLUSH };

/* n requests that take `ns` each when served at once; how many were. */
static unsigned int serve(struct disk_inline *in, const struct disk_request *req, unsigned int n,
			  uint64_t ns)
{
	unsigned int served = 0;

	for (; n; n--) {
		if (!disk_inline_may(in, req))
			continue;
		served++;
		disk_inline_took(in, req->op, ns);
	}
	return served;
}

static void test_quick_ones_stay(void **state)
{
	struct disk_inline in = { 0 };

	(void)state;
	assert_int_equal(serve(&in, &write_4k, 10000, QUICK), 10000);
	assert_int_equal(serve(&in, &flush, 10000, QUICK), 10000);
	assert_int_equal(serve(&in, &read_1m, 10000, 0), 10000);
}

/* A slow disk is tried seldom, and ever less. */
static void test_slow_ones_go(void **state)
{
	struct disk_inline in = { 0 };

	(void)state;
	assert_int_equal(serve(&in, &flush, DISK_INLINE_PAUSE_MIN + 1, SLOW), 1);
	assert_int_equal(serve(&in, &flush, 4 * DISK_INLINE_PAUSE_MIN + 1, SLOW), 1);
	assert_in_range(serve(&in, &flush, 100000, SLOW), 100000 / (DISK_INLINE_PAUSE_MAX + 1),
			100000 / DISK_INLINE_PAUSE_MAX + 2);
}

/* Slow flushes and reads say nothing about writes. */
static void test_each_by_itself(void **state)
{
	struct disk_inline in = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(serve(&in, &write_4k, 1, QUICK), 1);
		serve(&in, &flush, 1, SLOW);
		serve(&in, &read_1m, 1, UINT64_MAX);
	}
}

/* The pause after one slow request among many is short again. */
static void test_slow_is_forgotten(void **state)
{
	struct disk_inline in = { 0 };

	(void)state;
	serve(&in, &write_4k, 100000, SLOW);
	assert_true(serve(&in, &write_4k, DISK_INLINE_PAUSE_MAX + 100, QUICK) >= 100);
	assert_int_equal(serve(&in, &write_4k, 1, SLOW), 1);
	assert_int_equal(serve(&in, &write_4k, DISK_INLINE_PAUSE_MIN, QUICK), 0);
	assert_int_equal(serve(&in, &write_4k, 1000, QUICK), 1000);
}

static void test_never(void **state)
{
	static const struct disk_request never[] = {
		{ .op = DISK_WRITE, .len = DISK_INLINE_BYTES + 1 },
		{ .op = DISK_DISCARD, .len = 4096 },
		{ .op = DISK_ZERO, .len = 4096 },
	};
	struct disk_inline in = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		assert_int_equal(serve(&in, &never[i], 10, QUICK), 0);
	disk_inline_took(&in, DISK_ZERO, SLOW);
	assert_int_equal(serve(&in, &write_4k, 1, QUICK), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quick_ones_stay), cmocka_unit_test(test_slow_ones_go),
		cmocka_unit_test(test_each_by_itself),	cmocka_unit_test(test_slow_is_forgotten),
		cmocka_unit_test(test_never),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
