/*
 * patience.h - whether a device process lets the guest go on first.
 *
 * A kick wakes the device process.  On a CPU that it shares with the guest's
 * vCPU the scheduler lets it run at once, as what has slept goes first: right
 * for a guest that waits for the answer, which so needs no HLT.  A guest that
 * would have sent more is interrupted for each single request.  Under
 * SCHED_BATCH what wakes up waits until the other has nothing to do, and finds
 * all that came meanwhile: 2.6 times as many requests in a second at depth 16,
 * and a fifth fewer at depth 1.  On a CPU of its own it makes no difference.
 *
 * The rings look the same in both cases, so it is tried: now and then some
 * requests are served in the other way, and the way that takes less time for
 * each is kept.  A trial that does not pay is cut short, and the next comes
 * later.  There is no patience without a clear gain, nor with a guest that
 * sends little, nor where a turn finds no more for having waited: what is gained
 * then is somebody else's doing.  One thread.
 */
#ifndef PATIENCE_H
#define PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_WINDOW	   64u	/* requests by which the way in use is judged */
#define PATIENCE_TRIAL	   32u	/* those that the other way must be better for */
#define PATIENCE_TRIAL_MIN 8u	/* and by which a bad trial is known */
#define PATIENCE_TURNS	   4u	/* ... that they came in, at least */
#define PATIENCE_PAUSE_MIN 128u /* requests between trials, the first and ... */
#define PATIENCE_PAUSE_MAX 512u

struct patience {
	bool patient;	       /* the way in use; false at first */
	bool trying;	       /* ... as a trial */
	uint64_t since, last;  /* of the window or trial, of the last turn; ns */
	uint32_t served;       /* requests since then */
	uint32_t turns;	       /* that served them */
	uint64_t window_ns;    /* what the last whole window took */
	uint32_t window_turns; /* and in how many turns, of 1024 requests */
	uint32_t pause, left;  /* until the next trial; pause 0: not begun yet */
};

/*
 * A turn of the process is over at `now` (ns, CLOCK_MONOTONIC) and has served
 * `n` requests.  True: p->patient has changed.
 */
bool patience_turn(struct patience *p, uint32_t n, uint64_t now);

/* The same, and tell the scheduler.  Returns the system calls that took. */
unsigned int patience_serve(struct patience *p, uint32_t n);

#endif
