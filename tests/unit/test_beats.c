/* test_beats.c - the delays of a paced program, through a stall that is made up. */
#include "vmm/compare/beats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "vmm/base/util.h"

#define BEATS	 500
#define INTERVAL 1000
#define USUAL	 20

static void on_time(void **state)
{
	uint64_t delay[4] = { 0 };

	(void)state;
	assert_int_equal(beats_of_delay(0, INTERVAL, delay, 4), 1);
	assert_int_equal(delay[0], 0);
	assert_int_equal(beats_of_delay(USUAL, INTERVAL, delay, 4), 1);
	assert_int_equal(delay[0], USUAL);
	assert_int_equal(delay[1], 0);
}

/* The next one's moment, to the unit: it is not missed yet. */
static void just_at_the_next(void **state)
{
	uint64_t delay[4] = { 0 };

	(void)state;
	assert_int_equal(beats_of_delay(INTERVAL, INTERVAL, delay, 4), 1);
	assert_int_equal(beats_of_delay(INTERVAL + 1, INTERVAL, delay, 4), 2);
	assert_int_equal(delay[0], INTERVAL + 1);
	assert_int_equal(delay[1], 1);
	assert_int_equal(beats_of_delay(3 * INTERVAL, INTERVAL, delay, 4), 3);
	assert_int_equal(delay[2], INTERVAL);
}

static void no_more_than_there_is_room_for(void **state)
{
	uint64_t delay[4] = { 1, 2, 3, 4 };

	(void)state;
	assert_int_equal(beats_of_delay(UINT64_MAX, 1, delay, 3), 3);
	assert_true(delay[0] == UINT64_MAX && delay[2] == UINT64_MAX - 2);
	assert_int_equal(delay[3], 4);
	assert_int_equal(beats_of_delay(5, 1, delay, 0), 0);
	assert_true(delay[0] == UINT64_MAX);
}

/* How many are longer than that? */
static size_t longer(const uint64_t *delay, uint64_t than)
{
	size_t n = 0;

	for (size_t i = 0; i < BEATS; i++)
		n += delay[i] > than;
	return n;
}

/*
 * A victim that is served at once but for one stall of 100 intervals.  As one
 * delay it would be 1 of 500, and the 99th percentile the usual delay.
 */
static void stall_is_seen_by_percentiles(void **state)
{
	uint64_t delay[BEATS];
	size_t n = 0, turns = 0;

	(void)state;
	for (; n < BEATS; turns++) {
		uint64_t late = turns == 200 ? 100 * INTERVAL : USUAL;

		n += beats_of_delay(late, INTERVAL, &delay[n], BEATS - n);
	}
	assert_int_equal(n, BEATS);
	assert_int_equal(turns, BEATS - 99);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(delay[200 + i], (100 - i) * INTERVAL);
	assert_int_equal(delay[199], USUAL);
	assert_int_equal(delay[300], USUAL);
	assert_int_equal(longer(delay, USUAL), 100);
	/* 5 of 500 are as long as that: the 99th percentile. */
	assert_int_equal(longer(delay, 96 * INTERVAL - 1), 5);
}

/* One that is never served in time: each end of work stands for three turns. */
static void always_late(void **state)
{
	uint64_t delay[BEATS];
	size_t n = 0;

	(void)state;
	while (n < BEATS)
		n += beats_of_delay(2 * INTERVAL + 500, INTERVAL, &delay[n], BEATS - n);
	for (size_t i = 0; i < BEATS; i++)
		assert_int_equal(delay[i], (2 - i % 3) * INTERVAL + 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_time),
		cmocka_unit_test(just_at_the_next),
		cmocka_unit_test(no_more_than_there_is_room_for),
		cmocka_unit_test(stall_is_seen_by_percentiles),
		cmocka_unit_test(always_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
