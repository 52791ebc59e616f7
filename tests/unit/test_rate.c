/* test_rate.c - token buckets, on a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "devices/virtio/rate.h"

/* Serve requests of `size` from `from` for `ns`, one whenever it is allowed.
 * Returns how many. */
static uint64_t serve(struct rate *r, uint64_t per_second, uint64_t size, uint64_t from,
		      uint64_t ns)
{
	uint64_t served = 0, now = from;

	while (now < from + ns) {
		uint64_t at = UINT64_MAX;

		if (!rate_ready(r, &per_second, now, &at)) {
			assert_true(at > now);
			now = at;
			continue;
		}
		rate_charge(r, size, now);
		served++;
	}
	return served;
}

static void test_rates(void **state)
{
	static const struct {
		uint64_t per_second, size;
	} rows[] = {
		{ 1, 1 },	   { 7, 1 },	     { 100, 1 },	   { 4096, 4096 },
		{ 1 << 20, 4096 }, { 1 << 20, 512 }, { 1 << 20, 4 << 20 }, { 123456789, 65536 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rate r = { 0 };
		uint64_t seconds = 100, start = 1000 * NS_PER_S;
		uint64_t n = serve(&r, rows[i].per_second, rows[i].size, start, seconds * NS_PER_S);
		uint64_t want = rows[i].per_second * seconds;
		/* The burst, and one request that is on its way. */
		uint64_t slack = rows[i].per_second / 10 + 2 * rows[i].size;

		assert_in_range(n * rows[i].size, want - MIN(want, slack), want + slack);
	}
}

static void test_burst(void **state)
{
	struct rate r = { 0 };
	const uint64_t start = 1000 * NS_PER_S;

	(void)state;
	/* A tenth of a second's worth at once, and one more that makes a debt. */
	assert_int_equal(serve(&r, 1000, 1, start, 1), 101);
	/* Idle for long: no more than that. */
	assert_int_equal(serve(&r, 1000, 1, start + 50 * NS_PER_S, 1), 101);
}

static void test_no_limit(void **state)
{
	struct rate r = { 0 };
	uint64_t none = 0, at = 5;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_true(rate_ready(&r, &none, 1, &at));
		rate_charge(&r, UINT32_MAX, 1);
	}
	assert_int_equal(at, 5);
}

static void test_change(void **state)
{
	struct rate r = { 0 };
	uint64_t control = 1, at = UINT64_MAX;

	(void)state;
	assert_true(rate_ready(&r, &control, NS_PER_S, &at));
	rate_charge(&r, 1000000, NS_PER_S);
	assert_false(rate_ready(&r, &control, NS_PER_S, &at));
	control = 1000000;
	assert_true(rate_ready(&r, &control, NS_PER_S, &at));
	rate_charge(&r, 1000000, NS_PER_S);
	at = UINT64_MAX;
	assert_false(rate_ready(&r, &control, NS_PER_S, &at));
	assert_int_equal(at, NS_PER_S - RATE_BURST_NS + NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
