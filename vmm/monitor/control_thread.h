/*
 * control_thread.h - the monitor's one thread that talks to device processes.
 *
 * A loop with a thread of its own.  At the end of a machine: first end the
 * vCPU gate (a vCPU that waits for a device must not enter the guest when its
 * wait is cut short), then control_thread_stop(), then join the vCPUs, then
 * free the front ends, then control_thread_release().
 */
#ifndef MONITOR_CONTROL_THREAD_H
#define MONITOR_CONTROL_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "vmm/base/err.h"
#include "vmm/base/loop.h"

struct control_thread {
	struct loop *loop;
	pthread_t thread;
	bool started;
};

/* Make the loop.  0 or -errno. */
int control_thread_init(struct control_thread *t, struct err *e);

/* Start the thread, all signals blocked in it.  0 or -errno. */
int control_thread_start(struct control_thread *t, struct err *e);

/* End the loop and join the thread; every waiting job ends with -ESHUTDOWN.
 * Harmless when it was not started.  Not from the control thread itself. */
void control_thread_stop(struct control_thread *t);

/* Free the loop of a stopped thread. */
void control_thread_release(struct control_thread *t);

#endif
