/* analysis.c - see analysis.h. */
#include "vmm/compare/analysis.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/util.h"

static int base_of(const struct comparison *c)
{
	int none = comparison_wall(c, "none");

	for (size_t i = 0; none >= 0 && i < c->nrows; i++)
		if (c->row[i].wall[none].n)
			return none;
	for (size_t w = 0; w < c->nwalls; w++)
		for (size_t i = 0; i < c->nrows; i++)
			if (c->row[i].wall[w].n)
				return (int)w;
	return -1;
}

static int percentile99(const struct compare_series *s, double *ret)
{
	_cleanup_free_ double *sorted = NULL;

	*ret = NAN;
	if (s->n < ANALYSIS_P99)
		return 0;
	sorted = reallocarray(NULL, s->n, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, s->value, s->n * sizeof(*sorted));
	stats_sort(sorted, s->n);
	*ret = stats_quantile(sorted, s->n, 0.99);
	return 0;
}

static int describe(const struct compare_series *s, const struct compare_series *base,
		    uint64_t seed, struct finding *f)
{
	int r;

	f->n = s->n;
	f->ratio = f->p = f->p99 = f->median = NAN;
	if (s->n == 0)
		return 0;
	f->median = stats_median(s->value, s->n);
	r = stats_median_interval(s->value, s->n, seed, &f->interval);
	if (r == 0)
		r = percentile99(s, &f->p99);
	if (r < 0 || s == base || base->n == 0)
		return r;
	f->ratio = f->median / stats_median(base->value, base->n);
	f->p = stats_rank_sum_p(s->value, s->n, base->value, base->n);
	return stats_ratio_interval(s->value, s->n, base->value, base->n, seed, &f->ratio_interval);
}

static enum finding_verdict judge(const struct finding *f, bool few, bool higher_is_better)
{
	if (isnan(f->p) || isnan(f->ratio))
		return FINDING_NOTHING;
	if (few)
		return FINDING_FEW;
	if (f->p >= ANALYSIS_LEVEL || fabs(f->ratio - 1) <= ANALYSIS_LEAST)
		return FINDING_SAME;
	return (f->ratio > 1) == higher_is_better ? FINDING_BETTER : FINDING_WORSE;
}

/*
 * Would it be no difference, however far apart its values were, among the others
 * as they are?  "No difference" would be a claim then that no runs could have
 * contradicted.  p[] are not corrected.
 */
static bool has_few(const struct comparison *c, const struct analysis *a, const double *p, size_t n,
		    size_t i)
{
	const struct compare_series *wall = c->row[i / COMPARE_WALLS].wall;
	const struct compare_series *s = &wall[i % COMPARE_WALLS], *base = &wall[MAX(a->base, 0)];
	double least;

	if (isnan(p[i]))
		return false;
	least = stats_rank_sum_least_p(s->value, s->n, base->value, base->n);
	return stats_holm_of(p, n, i, MIN(least, p[i])) >= ANALYSIS_LEVEL;
}

/* Holm's correction is over everything that is compared with the base. */
static int correct(const struct comparison *c, struct analysis *a)
{
	size_t n = c->nrows * COMPARE_WALLS;
	_cleanup_free_ double *p = reallocarray(NULL, n + 1, sizeof(*p));
	_cleanup_free_ double *corrected = reallocarray(NULL, n + 1, sizeof(*p));

	if (!p || !corrected)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		corrected[i] = p[i] = a->row[i / COMPARE_WALLS][i % COMPARE_WALLS].p;
	if (stats_holm(corrected, n) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct finding *f = &a->row[i / COMPARE_WALLS][i % COMPARE_WALLS];

		f->p = corrected[i];
		f->verdict = judge(f, has_few(c, a, p, n, i), c->row[i / COMPARE_WALLS].higher);
	}
	return 0;
}

int analysis_make(const struct comparison *c, struct analysis *ret)
{
	ret->base = base_of(c);
	ret->row = calloc(c->nrows + 1, sizeof(*ret->row));
	if (!ret->row)
		return -ENOMEM;
	for (size_t i = 0; i < c->nrows; i++)
		for (size_t w = 0; w < COMPARE_WALLS; w++) {
			const struct compare_series *s = c->row[i].wall;
			int r = describe(&s[w], &s[MAX(ret->base, 0)],
					 c->seed + i * COMPARE_WALLS + w, &ret->row[i][w]);

			if (r < 0)
				return r;
		}
	return correct(c, ret);
}

void analysis_release(struct analysis *a)
{
	free(a->row);
	a->row = NULL;
}
