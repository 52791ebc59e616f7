/* statistics.c - see statistics.h. */
#include "vmm/compare/statistics.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/util.h"

uint64_t stats_next(struct stats_random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

size_t stats_below(struct stats_random *r, size_t n)
{
	return (size_t)(((unsigned __int128)stats_next(r) * n) >> 64);
}

void stats_shuffle(struct stats_random *r, size_t *index, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = stats_below(r, i), t = index[j];

		index[j] = index[i - 1];
		index[i - 1] = t;
	}
}

static int compare_doubles(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void stats_sort(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare_doubles);
}

double stats_quantile(const double *sorted, size_t n, double q)
{
	double at = q * (double)(n - 1);
	size_t below = (size_t)at;

	if (below + 1 >= n)
		return sorted[n - 1];
	return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

static double *copy_of(const double *values, size_t n)
{
	double *copy = reallocarray(NULL, n, sizeof(*copy));

	if (copy)
		memcpy(copy, values, n * sizeof(*copy));
	return copy;
}

double stats_median(const double *values, size_t n)
{
	_cleanup_free_ double *sorted = copy_of(values, n);

	if (!sorted)
		return NAN;
	stats_sort(sorted, n);
	return stats_quantile(sorted, n, 0.5);
}

/* The median of n values that are drawn from `values`, each any number of
 * times; `scratch` has room for n. */
static double resampled_median(struct stats_random *r, const double *values, size_t n,
			       double *scratch)
{
	for (size_t i = 0; i < n; i++)
		scratch[i] = values[stats_below(r, n)];
	stats_sort(scratch, n);
	return stats_quantile(scratch, n, 0.5);
}

static void interval_of(double *resamples, struct stats_interval *ret)
{
	stats_sort(resamples, STATS_RESAMPLES);
	ret->low = stats_quantile(resamples, STATS_RESAMPLES, 0.025);
	ret->high = stats_quantile(resamples, STATS_RESAMPLES, 0.975);
}

int stats_median_interval(const double *values, size_t n, uint64_t seed, struct stats_interval *ret)
{
	_cleanup_free_ double *resamples = reallocarray(NULL, STATS_RESAMPLES, sizeof(double));
	_cleanup_free_ double *scratch = reallocarray(NULL, n, sizeof(double));
	struct stats_random random = { seed };

	if (!resamples || !scratch)
		return -ENOMEM;
	for (size_t i = 0; i < STATS_RESAMPLES; i++)
		resamples[i] = resampled_median(&random, values, n, scratch);
	interval_of(resamples, ret);
	return 0;
}

int stats_ratio_interval(const double *a, size_t na, const double *b, size_t nb, uint64_t seed,
			 struct stats_interval *ret)
{
	_cleanup_free_ double *resamples = reallocarray(NULL, STATS_RESAMPLES, sizeof(double));
	_cleanup_free_ double *scratch = reallocarray(NULL, MAX(na, nb), sizeof(double));
	struct stats_random random = { seed };

	if (!resamples || !scratch)
		return -ENOMEM;
	for (size_t i = 0; i < STATS_RESAMPLES; i++) {
		double above = resampled_median(&random, a, na, scratch);

		resamples[i] = above / resampled_median(&random, b, nb, scratch);
	}
	interval_of(resamples, ret);
	return 0;
}

/* --- ranks --- */

struct ranked {
	double value;
	bool of_a;
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return (x->value > y->value) - (x->value < y->value);
}

/* The sum of the ranks of a's values, equal ones sharing theirs; *ret_ties is
 * the sum of t^3 - t over the groups of t equal ones. */
static double rank_sum(const struct ranked *all, size_t n, double *ret_ties)
{
	double sum = 0, ties = 0;

	for (size_t i = 0, j; i < n; i = j) {
		size_t of_a = 0;
		double t;

		for (j = i; j < n && all[j].value == all[i].value; j++)
			of_a += all[j].of_a;
		t = (double)(j - i);
		sum += (double)of_a * ((double)i + (t + 1) / 2);
		ties += t * t * t - t;
	}
	*ret_ties = ties;
	return sum;
}

/* The normal approximation, of what `sum` is off its mean. */
static double normal_p(double sum, double ties, double x, double y)
{
	double n = x + y, off = fabs(sum - x * (n + 1) / 2) - 0.5;
	double variance = x * y / 12 * (n + 1 - ties / (n * (n - 1)));

	if (variance <= 0 || off <= 0)
		return 1;
	return erfc(off / sqrt(variance) / M_SQRT2);
}

double stats_rank_sum_p(const double *a, size_t na, const double *b, size_t nb)
{
	_cleanup_free_ struct ranked *all = reallocarray(NULL, na + nb + 1, sizeof(*all));
	double ties, sum;

	if (!all)
		return NAN;
	if (na == 0 || nb == 0)
		return 1;
	for (size_t i = 0; i < na; i++)
		all[i] = (struct ranked){ a[i], true };
	for (size_t i = 0; i < nb; i++)
		all[na + i] = (struct ranked){ b[i], false };
	qsort(all, na + nb, sizeof(*all), compare_ranked);
	sum = rank_sum(all, na + nb, &ties);
	return normal_p(sum, ties, (double)na, (double)nb);
}

/* The sum of t^3 - t within these values alone; NAN without memory. */
static double ties_within(const double *values, size_t n)
{
	_cleanup_free_ struct ranked *all = reallocarray(NULL, n + 1, sizeof(*all));
	double ties = NAN;

	if (!all)
		return NAN;
	for (size_t i = 0; i < n; i++)
		all[i] = (struct ranked){ values[i], false };
	qsort(all, n, sizeof(*all), compare_ranked);
	rank_sum(all, n, &ties);
	return ties;
}

double stats_rank_sum_least_p(const double *a, size_t na, const double *b, size_t nb)
{
	double x = (double)na, ties = ties_within(a, na) + ties_within(b, nb);

	if (isnan(ties))
		return NAN;
	return na == 0 || nb == 0 ? 1 : normal_p(x * (x + 1) / 2, ties, x, (double)nb);
}

struct tested {
	double p;
	size_t index;
};

static int compare_tested(const void *a, const void *b)
{
	const struct tested *x = a, *y = b;

	return (x->p > y->p) - (x->p < y->p);
}

int stats_holm(double *p, size_t n)
{
	_cleanup_free_ struct tested *order = reallocarray(NULL, n + 1, sizeof(*order));
	double at_least = 0;
	size_t m = 0;

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!isnan(p[i]))
			order[m++] = (struct tested){ p[i], i };
	qsort(order, m, sizeof(*order), compare_tested);
	for (size_t i = 0; i < m; i++) {
		at_least = MAX(at_least, MIN(1.0, order[i].p * (double)(m - i)));
		p[order[i].index] = at_least;
	}
	return 0;
}

double stats_holm_of(const double *p, size_t n, size_t i, double instead)
{
	_cleanup_free_ double *all = copy_of(p, n);

	if (!all)
		return NAN;
	all[i] = instead;
	return stats_holm(all, n) < 0 ? NAN : all[i];
}
