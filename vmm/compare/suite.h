/*
 * suite.h - what the built-in workloads are, and what each of their figures
 * means; docs/comparison.md says what each measures and what it does not.
 */
#ifndef COMPARE_SUITE_H
#define COMPARE_SUITE_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/compare/wall_command.h"

struct suite_quantity {
	const char *workload, *name, *unit;
	bool higher;	   /* more is better */
	const char *about; /* half a sentence for a reader */
};

struct suite_workload {
	const char *name;
	bool quick;   /* in the quick suite too */
	bool outside; /* its figures are taken outside of the wall */
};

extern const struct suite_workload suite_workloads[];
extern const size_t suite_nworkloads;

extern const struct suite_quantity suite_quantities[]; /* that workloads print */
extern const size_t suite_nquantities;

/*
 * A victim and its neighbour behind a wall of the same kind: names of
 * bulkhead-workload.  burn NULL: none.
 */
struct suite_pair {
	const char *victim, *burn;
	bool quick;
};

#define SUITE_PAIRS 5
extern const struct suite_pair suite_pairs[SUITE_PAIRS]; /* of "neighbour" */

/* A workload under a limit that was asked for. */
struct suite_quota {
	const char *workload;
	struct wall_limits limits;
	bool share;	    /* what counts is processor time over time, in % */
	bool disk;	    /* it is given the file of "disk", and its path */
	const char *prints; /* the quantity, where it prints it */
};

/* What fio, of a user's root directory, is asked for, and which field of its terse
 * output is the figure, times `scale`. */
struct suite_fio {
	struct suite_quantity quantity;
	const char *argument[4]; /* ends in NULL */
	unsigned int field;
	double scale;
};

#define SUITE_FIOS 5
extern const struct suite_fio suite_fios[SUITE_FIOS];
extern const struct suite_workload suite_of_fio; /* none of suite_workloads */

#define SUITE_QUOTAS 3
extern const struct suite_quota suite_quotas[SUITE_QUOTAS]; /* of "quota" */
extern const struct suite_quantity suite_share;

/* The quantity that `workload` prints under that name, or NULL. */
const struct suite_quantity *suite_find(const char *workload, const char *name);

#define SUITE_CROWDS 4

/* Of "density": so many instances at once, and their memory together. */
extern const struct suite_quantity suite_crowd[SUITE_CROWDS];
extern const size_t suite_crowd_size[SUITE_CROWDS];

/* What is measured from outside, of "start", "idle" and of a user's command. */
extern const struct suite_quantity suite_first_byte, suite_exit, suite_cpu, suite_memory;

/* The same of "start", with cold.h before it. */
extern const struct suite_quantity suite_cold_first_byte, suite_cold_exit;

#endif
