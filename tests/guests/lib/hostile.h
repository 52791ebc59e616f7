/*
 * hostile.h - what the guests that mean harm have in common.
 *
 * tests/guests/hostile-run boots one of them for each case (case=NAME), on
 * one target (target=blk, tx, rx or rng: a queue of a device).  The guest
 * stops three times, says a line and waits for a byte on the console, while
 * the runner looks at the machine's processes from outside:
 *
 *	ready		the target has served a sound request
 *	state WORD	the harm is done; WORD is what the device shows
 *	good		after a reset the target has served a sound request
 *
 * The words are explained in docs/hostile-guests.md.
 */
#ifndef GUEST_HOSTILE_H
#define GUEST_HOSTILE_H

#include "tests/guests/lib/smp.h"
#include "tests/guests/lib/virtio.h"

#define WILD	  0x0f00000000000000ULL /* no guest has memory there */
#define HOLE	  0xc8000000ULL		/* below 4 GiB, neither RAM nor device */
#define LOW_END	  0xc0000000ULL		/* of RAM, with --memory 5G */
#define HIGH	  0x100000000ULL	/* the RAM behind the hole */
#define HIGH_END  0x180000000ULL	/* its end, with --memory 5G */
#define LAPIC_MEM 0xfee00000ULL

#define BODY_LEN 2048

/* A sound chain has its body in descriptor 1. */
#define BODY 1

struct target {
	const char *name;
	uint32_t device_id;
	unsigned int index; /* of the queue under attack */
	uint16_t flags;	    /* of a sound body: D_WRITE, or 0 */
	uint16_t ndesc;	    /* of a sound chain */
};

extern const struct target *target;
extern struct vdev target_dev;
extern struct vq target_queue;	      /* under attack; rings of storage 0 */
extern struct vq target_other;	      /* a network device's other queue; storage 1 */
extern uint8_t target_body[BODY_LEN]; /* aligned to a page */

/* Run case= of the table; fails the run when it has none of that name.
 * case=list prints the names. */
struct hostile_case {
	const char *name;
	void (*run)(void); /* returns after state() */
};
int hostile_main(const struct hostile_case *cases, unsigned int n);

/* Say `word` in a line and wait for the runner. */
void checkpoint(const char *word);

/* "state WORD", and wait. */
void state(const char *word);

/* Negotiate (those offered of `features`), set up the queues; not started. */
void target_prepare(uint64_t features);

/* The same, and DRIVER_OK. */
void target_start(uint64_t features);

/* Write a sound chain into descriptors 0 to ndesc - 1; not offered. */
void target_chain(void);

/* Wait for what becomes of the chain that was offered last: "needs-reset",
 * "served", "refused", or "returned" (tx: it cannot tell).  A device that
 * does not answer fails the run. */
const char *target_answer(void);

/* Have a frame come in, where the target receives. */
void target_provoke(void);

/* Give the device some milliseconds: then "needs-reset" or "runs". */
const char *target_settle(void);

/* Reset, and a sound request must be served. */
void target_good(void);

#endif
