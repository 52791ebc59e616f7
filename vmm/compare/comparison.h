/*
 * comparison.h - what a comparison measured: the host, the walls, and every
 * value of every quantity behind each wall.  It is what the JSON file holds
 * and what the renderers show; medians and verdicts are made from it
 * (analysis.h), never kept.
 */
#ifndef COMPARE_COMPARISON_H
#define COMPARE_COMPARISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/compare/surface.h"

#define COMPARE_WALLS	 8
#define COMPARE_ROWS	 256
#define COMPARE_VALUES	 100000 /* of one series */
#define COMPARE_NAME	 48
#define COMPARE_TEXT	 320
#define COMPARE_ATTEMPTS 128
#define COMPARE_OUTCOME	 48
#define COMPARE_WHY	 160
#define COMPARE_ENDS	 4 /* different ones */
#define COMPARE_END	 112

struct compare_series {
	double *value; /* in the order in which they were measured */
	size_t n, room;
	char why[COMPARE_WHY]; /* there is none, where that is known; "" */
};

/* One quantity of one workload. */
struct compare_row {
	char workload[COMPARE_NAME], quantity[COMPARE_NAME], unit[16];
	bool higher; /* more is better */
	struct compare_series wall[COMPARE_WALLS];
};

/* What came of an attempt to get through a wall. */
enum compare_verdict {
	COMPARE_NOT_RUN,   /* the text says why */
	COMPARE_BLOCKED,   /* by an error, a signal, or because nothing is there */
	COMPARE_CONTAINED, /* it hurts only what is behind the wall */
	COMPARE_REACHED,   /* the host */
};

/* Texts of outcomes that have a meaning of their own. */
#define COMPARE_CANARY	   "the host's canary"
#define COMPARE_OWN_KERNEL "its own kernel"

struct compare_outcome {
	enum compare_verdict verdict;
	char text[COMPARE_OUTCOME];
};

struct compare_attempt {
	char name[COMPARE_NAME], gives[96]; /* what success would give */
	struct compare_outcome wall[COMPARE_WALLS];
};

/* What became of who wanted more memory than the limit, in that many runs. */
struct compare_end {
	char text[COMPARE_END];
	uint32_t times;
};

struct compare_wall {
	char name[COMPARE_NAME];
	char problem[COMPARE_TEXT]; /* why it could not run here; "" */
	uint32_t failures;	    /* runs that gave no value */
	char failure[COMPARE_TEXT]; /* the first one's message */
	struct compare_end end[COMPARE_ENDS];
	size_t nends;
};

struct compare_host {
	char cpu[COMPARE_TEXT], kernel[COMPARE_TEXT], mitigations[COMPARE_TEXT];
	char backend[COMPARE_NAME]; /* the KVM module; "" when there is none */
	char label[COMPARE_NAME];   /* "hardware", "software", "emulated (TCG)" */
	char disk[COMPARE_NAME];    /* what the rows of "disk" are about; "" */
	uint32_t cores;
	double load;   /* of one minute, before */
	bool no_linux; /* as a guest, says doctor; no report has it */
};

struct comparison {
	char version[COMPARE_NAME], started[COMPARE_NAME]; /* RFC 3339, UTC */
	char suite[COMPARE_NAME], command[COMPARE_TEXT];   /* one of them is "" */
	uint64_t seed;
	uint32_t runs; /* asked for, without the warm-up */
	bool complete; /* false: interrupted */
	struct compare_host host;
	struct compare_wall wall[COMPARE_WALLS];
	size_t nwalls;
	struct compare_row *row;
	size_t nrows;
	struct compare_attempt *attempt; /* room for COMPARE_ATTEMPTS, or NULL */
	size_t nattempts;
	uint32_t calls_known; /* system calls that this architecture has, as far as is known */
	struct compare_surface surface[COMPARE_WALLS];
};

/* Empty; to be released in any case. */
void comparison_init(struct comparison *c);
void comparison_release(struct comparison *c);

/* Index of the wall of that name, or -1. */
int comparison_wall(const struct comparison *c, const char *name);

/* The row of that workload and quantity, made when it is missing; NULL when
 * there are COMPARE_ROWS or no memory. */
struct compare_row *comparison_row(struct comparison *c, const char *workload, const char *quantity,
				   const char *unit, bool higher);

/* A new attempt, not run behind any wall; NULL when there are COMPARE_ATTEMPTS,
 * one of that name, or no memory. */
struct compare_attempt *comparison_attempt(struct comparison *c, const char *name);

/* One more run that ended so; a new text when there are COMPARE_ENDS already is
 * dropped. */
void comparison_end(struct compare_wall *wall, const char *text);

/* "blocked", ... */
const char *compare_verdict_name(enum compare_verdict verdict);

/* 0; -ENOMEM; -E2BIG: COMPARE_VALUES are there already. */
int compare_series_add(struct compare_series *s, double value);

#endif
