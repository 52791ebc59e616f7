/*
 * work.h - what a comparison runs behind each wall: the works that make up a
 * suite, or the user's command; the rows that each fills, how often it is run,
 * and behind which walls it cannot be.
 */
#ifndef COMPARE_WORK_H
#define COMPARE_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/compare/suite.h"

#define WORKS		32
#define WORK_ARGS	16
#define WORK_QUANTITIES 24 /* rows of one work */

/* One kind of work: a workload, or the user's command. */
struct work {
	const struct suite_workload *workload; /* NULL: the user's */
	const char *argv[WORK_ARGS];
	const char *const *command;
	size_t n;
	bool memory;			 /* sampled in runs whose times are not kept */
	int crowd;			 /* index into suite_crowd: several at once; -1 */
	int pair;			 /* index into suite_pairs: beside a neighbour; -1 */
	const struct suite_quota *quota; /* or NULL */
	const struct suite_fio *fio;	 /* or NULL */
	bool disk;			 /* with a file of the host's as its disk */
	bool network;			 /* with the host's side of network.h */
	bool cold;			 /* after cold_drop() */
};

/* The works of a suite; those of fio, whose program that is, added to them; those
 * of a command.  The command points to what the
 * caller keeps, and into the list, which must not move.  Returns how many. */
size_t work_of_suite(bool full, struct work list[WORKS]);
size_t work_of_fio(const char *program, struct work list[WORKS], size_t n);
size_t work_of_command(const char *const *command, size_t n, struct work list[WORKS]);

/* As reports call it. */
const char *work_name(const struct work *w);

/* Are its figures taken from outside? */
bool work_is_outside(const struct work *w);

/* The quantities that it gives, in an order for readers.  Returns how many. */
size_t work_quantities(const struct work *w, const struct suite_quantity *ret[WORK_QUANTITIES]);

/* How often is it run at the most? */
uint32_t work_most_runs(const struct work *w, bool full);

/* Why it cannot be run behind that wall, or NULL.  `disk`: what works with a disk are
 * given. */
const char *work_unfit(const struct work *w, const char *wall, const struct wall_disk *disk);

#endif
