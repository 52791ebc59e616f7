/*
 * smp.c - start every other CPU and count them; cpus=N is how many there must
 * be in all.
 */
#include "tests/guests/lib/smp.h"

static volatile uint64_t ids; /* bit i: CPU i has come */

static void come(void)
{
	ids = ids | 1ULL << (cpu_id() & 63);
}

int guest_main(void)
{
	uint32_t cpus = (uint32_t)arg_number("cpus", 1);
	uint64_t all = (cpus < 64 ? 1ULL << cpus : 0) - 1;
	unsigned int i;

	cpus_start(come);
	for (i = 0; i < 300 && (ids | 1) != all; i++)
		wait_cycles(10 * CYCLES_MS);
	put("cpus");
	for (i = 0; i < 64; i++)
		if ((ids | 1) & 1ULL << i) {
			put(" ");
			put_dec(i);
		}
	put("\n");
	return (ids | 1) == all ? 0 : 1;
}
