/*
 * vcpu_gate.h - pausing and resuming the vCPUs of a machine: a state machine
 * that knows neither KVM nor signals, so that it can be tested alone.
 *
 *            open                    last vCPU parked
 *   HELD ----------> OPEN  <----.   CLOSING ----------> HELD
 *     ^                |  hold   \     |   open
 *     `-- (new)        `----------> CLOSING --> OPEN
 *   any state -- end --> ENDED (for good)
 *
 * A vCPU thread calls vcpu_gate_pass() before each entry into the guest and
 * parks there while the gate is not open.  Whoever holds the gate then kicks
 * the threads (through the `kick` function) so that they leave the guest.
 *
 * The lost-wake-up to beware of: a holder that kicks a thread which has just
 * passed the gate and not yet entered the guest.  The kick must therefore
 * leave a mark that the entry itself looks at (KVM: run->immediate_exit, set
 * before the signal); the thread clears the mark before it looks at the gate.
 */
#ifndef VCPU_GATE_H
#define VCPU_GATE_H

#include <pthread.h>
#include <stdbool.h>

enum vcpu_gate_state { VCPU_GATE_HELD, VCPU_GATE_OPEN, VCPU_GATE_CLOSING, VCPU_GATE_ENDED };

struct vcpu_gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum vcpu_gate_state state;
	unsigned int nvcpus;	 /* threads that will pass */
	unsigned int nparked;	 /* of them, waiting in vcpu_gate_pass() */
	void (*kick)(void *ctx); /* make every vCPU thread come to the gate soon */
	void *ctx;
};

/* Starts HELD.  `kick` is called without the lock. */
void vcpu_gate_init(struct vcpu_gate *g, unsigned int nvcpus, void (*kick)(void *ctx), void *ctx);
void vcpu_gate_release(struct vcpu_gate *g);

/* vCPU threads: wait until the gate is open.  False: the machine has ended,
 * the thread must leave and not come back. */
bool vcpu_gate_pass(struct vcpu_gate *g);

/* Let the vCPUs run.  0, -EALREADY (open), -ESHUTDOWN (ended). */
int vcpu_gate_open(struct vcpu_gate *g);

/* Ask the vCPUs to park; does not wait.  0, -EALREADY, -ESHUTDOWN. */
int vcpu_gate_hold(struct vcpu_gate *g);

/* Wait until all are parked (state HELD).  0, -ETIMEDOUT, -ESHUTDOWN, or
 * -ECANCELED: somebody opened the gate meanwhile. */
int vcpu_gate_wait_held(struct vcpu_gate *g, unsigned int timeout_ms);

/* For good.  Returns false if it had ended before. */
bool vcpu_gate_end(struct vcpu_gate *g);

#endif
