/*
 * vm_probe.h - "can this host's KVM run Linux at all?", asked beside a guest.
 *
 * A launch never waits for the answer.  Where a verdict is cached for this
 * boot of the host, a guest that needs Linux is refused with the reason.
 * Where none is, a process of its own waits until the guest has had 300 ms,
 * then runs the micro-guest of vmm/monitor/probe.h and caches what it found.
 * It is for guests that need Linux; bare-metal kernels are never refused.
 */
#ifndef WALLS_VM_PROBE_H
#define WALLS_VM_PROBE_H

#include <stdbool.h>

#include "vmm/base/err.h"
#include "vmm/base/loop.h"
#include "vmm/walls/vm_process.h"

struct vm_probe {
	bool wanted; /* no verdict is cached: probe beside the guest */
	bool running;
	struct vm_process process;
	struct loop_source source;
	struct loop_timer limit;
	struct loop *loop;
	int result_fd; /* read end: one struct vm_probe_answer */
	/* The host cannot run Linux; `why` is a sentence. */
	void (*cannot)(void *ctx, const char *why);
	void *ctx;
};

/* Before anything is started, for a guest that is of no use without Linux (any
 * --rootfs).  0, or -ENOTSUP and *e when the cached verdict says no. */
int vm_probe_recall(struct vm_probe *p, struct err *e);

/* Fork the prober, if one is wanted.  kvm_fd and null_fd are borrowed.
 * 0 or -errno. */
int vm_probe_start(struct vm_probe *p, struct loop *loop, int kvm_fd, int null_fd, bool confine,
		   void (*cannot)(void *ctx, const char *why), void *ctx, struct err *e);

/* The question is settled, or the run is over: end the prober. */
void vm_probe_stop(struct vm_probe *p);

#endif
