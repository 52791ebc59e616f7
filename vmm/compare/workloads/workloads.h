/*
 * workloads.h - the static program that runs unchanged behind every wall.
 *
 * `bulkhead-workload NAME [WHAT]` does one workload and prints a line "QUANTITY VALUE"
 * for each thing that it measured, with the clock that it has there.  Nothing
 * here knows which wall it is behind.  vmm/compare/suite.c says what each
 * quantity is and in which unit.
 */
#ifndef COMPARE_WORKLOADS_H
#define COMPARE_WORKLOADS_H

#include <stdint.h>

/* 0, or 1: it could not be done, and standard error says why. */
typedef int workload_fn(void);

/* The same, of something that is named. */
typedef int workload_on_fn(const char *what);

workload_fn workload_start;
workload_fn workload_idle;
workload_fn workload_wait;
workload_fn workload_cpu;
workload_fn workload_memory;
workload_fn workload_calls;
workload_fn workload_files;
workload_fn workload_victim_alone;
workload_fn workload_victim_processor;
workload_fn workload_victim_memory;
workload_fn workload_victim_forks;
workload_fn workload_victim_files;
workload_fn workload_burn_processor;
workload_fn workload_burn_memory;
workload_fn workload_burn_forks;
workload_fn workload_burn_files;
workload_fn workload_spin;
workload_fn workload_grow;

workload_on_fn workload_disk;
workload_on_fn workload_drain;
workload_on_fn workload_network;
workload_on_fn workload_serve; /* its other side */

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t workload_now(void);

/* Print a quantity. */
void workload_tell(const char *quantity, double value);

/* End with 0 on SIGTERM.  Behind some walls this is process 1 of a namespace,
 * which gets no signal that it has no handler for. */
void workload_leave_on_sigterm(void);

/* "WHAT: reason" to standard error; returns 1. */
int workload_fail(const char *what);

/*
 * Call `work(ctx, n)`, which does something n times, with n growing until it
 * takes 40 ms, and return the nanoseconds of one time.
 */
double workload_rate(void (*work)(void *ctx, uint64_t n), void *ctx);

#endif
