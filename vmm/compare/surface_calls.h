/*
 * surface_calls.h - the system calls of this machine's own architecture, as
 * libseccomp knows them, and which of them filters let through.
 */
#ifndef COMPARE_SURFACE_CALLS_H
#define COMPARE_SURFACE_CALLS_H

#include <linux/filter.h>

#include "vmm/compare/surface.h"
#include "vmm/compare/surface_bpf.h"

#define SURFACE_CALLS 1024 /* numbers from 0 that are looked at */

/* A set of them. */
struct surface_calls {
	uint64_t bits[SURFACE_CALLS / 64];
};

void surface_calls_add(struct surface_calls *s, uint64_t number);
bool surface_calls_has(const struct surface_calls *s, uint64_t number);

/* How many there are that have a name. */
uint32_t surface_calls_known(void);

/* AUDIT_ARCH_... of this machine. */
uint32_t surface_calls_arch(void);

/* Add the names; of a number without one "#N".  0 or -ENOMEM. */
int surface_calls_name(const struct surface_calls *s, struct surface_names *to);

/*
 * Narrow `verdict`, which holds SURFACE_CALLS verdicts and begins with
 * SURFACE_WHOLE in all of them, to what this filter lets through as well.
 * 0; what surface_bpf_call() gives.
 */
int surface_calls_filter(const struct sock_filter *code, size_t n, uint8_t verdict[SURFACE_CALLS]);

/* The names of the calls that have this verdict; only of calls that are known. */
int surface_calls_with(const uint8_t verdict[SURFACE_CALLS], enum surface_verdict which,
		       struct surface_names *to);

#endif
