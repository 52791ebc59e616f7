/*
 * rate.h - a token bucket: so many units per second, with a burst of what a
 * tenth of a second gives.
 *
 * A request may begin while there is credit, whatever its size, and is charged
 * when its size is known: the debt keeps the next ones waiting.  So a request
 * that is larger than the bucket is served too, and nothing has to be taken
 * back.  The state is one moment, the one at which all that was charged is paid
 * off; how much later it is than now is the debt.
 *
 * The rate is read from the device's controls each time and may change.
 */
#ifndef RATE_H
#define RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/util.h"

#define RATE_BURST_NS (100 * NS_PER_MS)

struct rate {
	uint64_t per_second; /* as it was when it was looked at last; 0: no limit */
	uint64_t paid_off;   /* ns, CLOCK_MONOTONIC */
};

/* May something begin?  If not, *ret_at is lowered to when it may. */
static inline bool rate_ready(struct rate *r, const uint64_t *control, uint64_t now,
			      uint64_t *ret_at)
{
	uint64_t per_second = __atomic_load_n(control, __ATOMIC_RELAXED);

	if (per_second != r->per_second) { /* an old rate's debt means nothing in the new one */
		r->per_second = per_second;
		r->paid_off = 0;
	}
	if (per_second == 0 || r->paid_off <= now)
		return true;
	*ret_at = MIN(*ret_at, r->paid_off);
	return false;
}

/* It was `units` in size, less than 2^32. */
static inline void rate_charge(struct rate *r, uint64_t units, uint64_t now)
{
	uint64_t oldest = now > RATE_BURST_NS ? now - RATE_BURST_NS : 0;

	if (r->per_second == 0)
		return;
	/* Credit is not saved up beyond the burst. */
	r->paid_off =
		MAX(r->paid_off, oldest) + (units * NS_PER_S + r->per_second - 1) / r->per_second;
}

#endif
