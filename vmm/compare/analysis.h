/*
 * analysis.h - from a comparison's values to what a reader is told: medians
 * with intervals, ratios to the base, and whether there is a difference.
 * Pure.  The base is the wall "none", or the first one that has values.
 */
#ifndef COMPARE_ANALYSIS_H
#define COMPARE_ANALYSIS_H

#include "vmm/compare/comparison.h"
#include "vmm/compare/statistics.h"

#define ANALYSIS_LEVEL 0.05 /* after Holm's correction over all rows */
#define ANALYSIS_LEAST 0.02 /* a smaller difference is none */
#define ANALYSIS_P99   100  /* values that a 99th percentile takes */

enum finding_verdict {
	FINDING_NOTHING, /* no values, or it is the base */
	FINDING_FEW,	 /* runs: whatever they gave, it could be no difference */
	FINDING_SAME,
	FINDING_BETTER,
	FINDING_WORSE,
};

/* One wall's part of a row. */
struct finding {
	size_t n;
	double median, p99; /* p99: NAN with fewer than ANALYSIS_P99 values */
	struct stats_interval interval;
	double ratio; /* to the base's median; NAN where there is none */
	struct stats_interval ratio_interval;
	double p; /* corrected; NAN for no comparison */
	enum finding_verdict verdict;
};

struct analysis {
	int base; /* index of a wall, -1: nothing was measured */
	struct finding (*row)[COMPARE_WALLS];
};

/* 0 or -ENOMEM.  To be released in any case. */
int analysis_make(const struct comparison *c, struct analysis *ret);
void analysis_release(struct analysis *a);

#endif
