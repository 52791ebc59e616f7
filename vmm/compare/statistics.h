/*
 * statistics.h - what a set of measured values says, and whether two differ.
 * Pure.
 *
 * Medians, because launch times have long tails and one late wake-up would
 * move a mean.  Intervals by the bootstrap (Efron 1979, the percentile
 * method), because nothing is known of how the values are distributed.
 * Differences by ranks (Mann and Whitney 1947), for the same reason, and Holm's
 * correction (1979) over all rows of a report: of 50 comparisons of equals, two
 * or three would be "significant" without it.
 */
#ifndef COMPARE_STATISTICS_H
#define COMPARE_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

#define STATS_RESAMPLES 2000 /* of the bootstrap */

/* A random sequence that a seed determines (SplitMix64). */
struct stats_random {
	uint64_t state;
};

uint64_t stats_next(struct stats_random *r);

/* Uniform in 0 <= x < n; n > 0. */
size_t stats_below(struct stats_random *r, size_t n);

/* Put `n` indices in random order (Fisher and Yates). */
void stats_shuffle(struct stats_random *r, size_t *index, size_t n);

void stats_sort(double *values, size_t n);

/* The quantile 0 <= q <= 1 of sorted values, between neighbours linearly
 * (type 7 of Hyndman and Fan 1996); n > 0. */
double stats_quantile(const double *sorted, size_t n, double q);

/* The median; n > 0.  `values` keep their order.  NAN without memory. */
double stats_median(const double *values, size_t n);

struct stats_interval {
	double low, high;
};

/*
 * The 95 % interval of the median; of the ratio of the medians of a and b.
 * What the interval of a ratio covers is its own noise and the base's.
 * 0, or -ENOMEM; n, na, nb > 0.  With few values it is too narrow: from 10 on
 * it holds the truth in 93 % or more of all cases.
 */
int stats_median_interval(const double *values, size_t n, uint64_t seed,
			  struct stats_interval *ret);
int stats_ratio_interval(const double *a, size_t na, const double *b, size_t nb, uint64_t seed,
			 struct stats_interval *ret);

/*
 * How probable it is that two sets whose values come from one distribution
 * differ in their ranks as much as these do: two-sided, the normal
 * approximation with corrections for ties and continuity.  1 when nothing can
 * be said: a set is empty, or all values are equal.  NAN without memory.
 */
double stats_rank_sum_p(const double *a, size_t na, const double *b, size_t nb);

/*
 * What stats_rank_sum_p() would give at the least: were each of a's values on
 * the same side of each of b's.  Equal values within a and within b stay so.
 */
double stats_rank_sum_least_p(const double *a, size_t na, const double *b, size_t nb);

/*
 * Holm's correction: p[] becomes what may be compared with 0.05 one by one.
 * An entry that is NAN is no comparison and stays so.  0 or -ENOMEM.
 */
int stats_holm(double *p, size_t n);

/* What the correction would make of p[i], were it `instead`; p[] are as before
 * it.  NAN without memory. */
double stats_holm_of(const double *p, size_t n, size_t i, double instead);

#endif
