/*
 * surface.h - what of the host's kernel a wall leaves within reach: the system
 * calls that it lets through, those that were used, the kernel functions that
 * were entered, and why a virtual machine stopped.  It is what the JSON file
 * holds; surface_trace.h measures it, trust.h says it in words.
 *
 * Calls and functions are kept by name: a report is read on other machines.
 */
#ifndef COMPARE_SURFACE_H
#define COMPARE_SURFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SURFACE_NAME	  48
#define SURFACE_TEXT	  160
#define SURFACE_PARTS	  24
#define SURFACE_EXITS	  64
#define SURFACE_NAMES_MAX 100000 /* of one list */

/* Each once, sorted. */
struct surface_names {
	char **name;
	size_t n, room;
};

/* 0, also when it is in there; -ENOMEM; -E2BIG. */
int surface_names_add(struct surface_names *s, const char *name);
bool surface_names_has(const struct surface_names *s, const char *name);
void surface_names_release(struct surface_names *s);

/* One process of an instance, or several of the same name. */
struct surface_part {
	char name[SURFACE_NAME]; /* "command", "monitor", "blk0" */
	bool facing;		 /* what is behind the wall is it, or talks to it */
	int filters;		 /* seccomp's, on it; 0: every call is let through; -1: not known */
	/* Let through, with filters: whatever the arguments are, or some only. */
	struct surface_names whole, some;
	/* Called: of what is facing, once it was; of others from the beginning. */
	struct surface_names used;
};

struct surface_count {
	char name[SURFACE_NAME];
	uint64_t value;
};

/* Of one wall.  A problem says why a part of it is not known; "". */
struct compare_surface {
	bool measured;
	uint32_t runs; /* of workloads that were looked at */
	char calls_problem[SURFACE_TEXT], used_problem[SURFACE_TEXT];
	char functions_problem[SURFACE_TEXT], exits_problem[SURFACE_TEXT];
	struct surface_part part[SURFACE_PARTS];
	size_t nparts;
	struct surface_names functions;
	struct surface_count
		exit[SURFACE_EXITS]; /* KVM's statistics of the vCPUs, those that count */
	size_t nexits;
};

void surface_release(struct compare_surface *s);

/* The part of that name, made when it is missing; NULL: there are SURFACE_PARTS. */
struct surface_part *surface_part(struct compare_surface *s, const char *name);

/* Add to the count of that name; of more than SURFACE_EXITS nothing. */
void surface_exits_add(struct compare_surface *s, const char *name, uint64_t value);

/* The count of that name; 0: there is none. */
uint64_t surface_exits_of(const struct compare_surface *s, const char *name);

/* What all parts that face what is behind the wall make up together. */
struct surface_sum {
	bool known;	    /* filters of all of them are */
	bool unlimited;	    /* one of them has none */
	size_t whole, some; /* otherwise: that one of them at least lets through */
	size_t used;	    /* and of those that were let through, called */
	size_t parts;
};

/* 0 or -ENOMEM. */
int surface_sum(const struct compare_surface *s, struct surface_sum *ret);

#endif
