/* test_statistics.c - against published values, and how often the intervals
 * hold the truth on noise that was recorded. */
#include "vmm/compare/statistics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/support/noise.h"
#include "vmm/base/util.h"

#define EXPERIMENTS 500

static void close_to(double got, double want, double off)
{
	if (!(fabs(got - want) <= off))
		fail_msg("%g instead of %g", got, want);
}

/* Vigna's reference implementation with the seed 1234567. */
static void random_is_splitmix(void **state)
{
	struct stats_random r = { 1234567 };

	(void)state;
	assert_true(stats_next(&r) == 6457827717110365317U);
	assert_true(stats_next(&r) == 3203168211198807973U);
	assert_true(stats_next(&r) == 9817491932198370423U);
	for (int i = 0; i < 1000; i++)
		assert_in_range(stats_below(&r, 7), 0, 6);
}

static void shuffle_keeps_all(void **state)
{
	size_t index[100], seen[100] = { 0 }, moved = 0;
	struct stats_random r = { 1 };

	(void)state;
	for (size_t i = 0; i < 100; i++)
		index[i] = i;
	stats_shuffle(&r, index, 100);
	for (size_t i = 0; i < 100; i++) {
		seen[index[i]]++;
		moved += index[i] != i;
	}
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(seen[i], 1);
	assert_true(moved > 80);
}

/* R: quantile(1:10), its default type 7. */
static void quantiles(void **state)
{
	const double v[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };

	(void)state;
	close_to(stats_quantile(v, 10, 0.25), 3.25, 1e-12);
	close_to(stats_quantile(v, 10, 0.75), 7.75, 1e-12);
	close_to(stats_quantile(v, 10, 0), 1, 0);
	close_to(stats_quantile(v, 10, 1), 10, 0);
	close_to(stats_quantile(v, 1, 0.99), 1, 0);
}

static void median_leaves_order(void **state)
{
	double v[] = { 5, 1, 4 };

	(void)state;
	close_to(stats_median(v, 3), 4, 0);
	close_to(stats_median(v, 2), 3, 0);
	close_to(v[0], 5, 0);
}

/* Hollander and Wolfe (1973), p. 69: two-sided 0.2544 exactly. */
static void rank_sum(void **state)
{
	const double x[] = { 0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46 };
	const double y[] = { 1.15, 0.88, 0.90, 0.74, 1.21 };
	const double same[] = { 3, 3, 3 };

	(void)state;
	close_to(stats_rank_sum_p(x, 10, y, 5), 0.2544, 0.011);
	close_to(stats_rank_sum_p(x, 10, y, 5), stats_rank_sum_p(y, 5, x, 10), 1e-12);
	close_to(stats_rank_sum_p(x, 10, y, 0), 1, 0);
	close_to(stats_rank_sum_p(same, 3, same, 3), 1, 0);
	assert_true(stats_rank_sum_p(x, 10, same, 3) < 0.02);
}

/* R: wilcox.test(1:5, 6:10, exact = FALSE) gives 0.01219; the same of c(1, 1, 1),
 * c(2, 2, 2), 0.04686. */
static void rank_sum_at_the_least(void **state)
{
	const double low[] = { 1, 2, 3, 4, 5 }, high[] = { 6, 7, 8, 9, 10 };
	const double mixed[] = { 1, 9, 3, 8, 5 }, same[] = { 3, 3, 3 };
	struct stats_random r = { 1 };
	double a[7], b[9];

	(void)state;
	close_to(stats_rank_sum_least_p(low, 5, mixed, 5), 0.01219, 5e-6);
	close_to(stats_rank_sum_least_p(low, 5, high, 5), stats_rank_sum_p(high, 5, low, 5), 1e-12);
	close_to(stats_rank_sum_least_p(same, 3, same, 3), 0.04686, 5e-5);
	close_to(stats_rank_sum_least_p(same, 3, low, 0), 1, 0);
	for (int i = 0; i < 1000; i++) {
		for (size_t j = 0; j < 9; j++) {
			a[j % 7] = (double)stats_below(&r, 12);
			b[j] = (double)(12 + stats_below(&r, 12));
		}
		close_to(stats_rank_sum_least_p(a, 7, b, 9), stats_rank_sum_p(a, 7, b, 9), 1e-12);
	}
}

/* R: p.adjust(c(.01, .04, .03, .005), "holm"). */
static void holm(void **state)
{
	double p[] = { 0.01, 0.04, NAN, 0.03, 0.005 };

	(void)state;
	assert_int_equal(stats_holm(p, 5), 0);
	close_to(p[0], 0.03, 1e-12);
	close_to(p[1], 0.06, 1e-12);
	assert_true(isnan(p[2]));
	close_to(p[3], 0.06, 1e-12);
	close_to(p[4], 0.02, 1e-12);
}

/* One of them replaced, and the others left alone. */
static void holm_of_another(void **state)
{
	const double p[] = { 0.01, 0.04, NAN, 0.03, 0.005 };

	(void)state;
	close_to(stats_holm_of(p, 5, 1, 0.001), 0.004, 1e-12);
	close_to(stats_holm_of(p, 5, 1, 0.02), 0.04, 1e-12);
	close_to(stats_holm_of(p, 5, 4, 0.005), 0.02, 1e-12);
	close_to(p[1], 0.04, 0);
}

static void draw(struct stats_random *r, double *out, size_t n, double scale)
{
	for (size_t i = 0; i < n; i++)
		out[i] = scale * recorded_noise[stats_below(r, ARRAY_SIZE(recorded_noise))];
}

/* 95 % is promised: of 500 experiments 93 to 97 % must keep it. */
static void expect_coverage(unsigned int held)
{
	if (held < EXPERIMENTS * 93 / 100 || held > EXPERIMENTS * 97 / 100)
		fail_msg("%u of %d intervals hold the truth", held, EXPERIMENTS);
}

static void median_interval_covers(void **state)
{
	double truth = stats_median(recorded_noise, ARRAY_SIZE(recorded_noise)), v[25];
	struct stats_random r = { 20261126 };
	struct stats_interval interval;
	unsigned int held = 0;

	(void)state;
	for (unsigned int i = 0; i < EXPERIMENTS; i++) {
		draw(&r, v, 25, 1);
		assert_int_equal(stats_median_interval(v, 25, i, &interval), 0);
		held += interval.low <= truth && truth <= interval.high;
	}
	expect_coverage(held);
}

static void ratio_interval_covers(void **state)
{
	struct stats_random r = { 20261126 };
	struct stats_interval interval;
	double a[25], b[25];
	unsigned int held = 0;

	(void)state;
	for (unsigned int i = 0; i < EXPERIMENTS; i++) {
		draw(&r, a, 25, 1.1);
		draw(&r, b, 25, 1);
		assert_int_equal(stats_ratio_interval(a, 25, b, 25, i, &interval), 0);
		held += interval.low <= 1.1 && 1.1 <= interval.high;
	}
	expect_coverage(held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_is_splitmix),
		cmocka_unit_test(shuffle_keeps_all),
		cmocka_unit_test(quantiles),
		cmocka_unit_test(median_leaves_order),
		cmocka_unit_test(rank_sum),
		cmocka_unit_test(rank_sum_at_the_least),
		cmocka_unit_test(holm),
		cmocka_unit_test(holm_of_another),
		cmocka_unit_test(median_interval_covers),
		cmocka_unit_test(ratio_interval_covers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
