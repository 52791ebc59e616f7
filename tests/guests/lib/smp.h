/*
 * smp.h - the other CPUs.
 */
#ifndef GUEST_SMP_H
#define GUEST_SMP_H

#include "tests/guests/lib/guest.h"

/* Start every other CPU with INIT and SIPI.  Each calls `fn`, one at a time
 * (they share a stack), then halts.  Does not wait for them. */
void cpus_start(void (*fn)(void));

/* Which CPU this is. */
unsigned int cpu_id(void);

/* Turn the wheels for so many cycles of the time stamp counter. */
void wait_cycles(uint64_t n);
#define CYCLES_MS 2500000ULL /* about a millisecond; clocks differ */

#endif
