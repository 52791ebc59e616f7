/*
 * probe.h - can this /dev/kvm run Linux?  Asked by running a micro-guest that
 * does, one step at a time, what a Linux kernel does (probe_guest.h).
 *
 * A back end that emulates supervisor code can answer every KVM ioctl and yet
 * stop at the first INT3, or leave SYSCALL at CPL 3: only trying tells.
 */
#ifndef MONITOR_PROBE_H
#define MONITOR_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/monitor/probe_guest.h"

enum probe_outcome {
	PROBE_NOT_REACHED, /* time was up, or the guest could not be made */
	PROBE_RUNNING,	   /* in a result: the step that time was up in */
	PROBE_WORKS,
	PROBE_FAILS,
	PROBE_NOT_NEEDED, /* the CPU does not claim to have it */
};

/* How a failed step ended. */
enum probe_end {
	PROBE_END_REPORT,   /* detail: the step's code, never 0 */
	PROBE_END_TRAP,	    /* detail: the unexpected exception's vector */
	PROBE_END_INTERNAL, /* KVM_EXIT_INTERNAL_ERROR, detail: suberror */
	PROBE_END_ENTRY,    /* KVM_EXIT_FAIL_ENTRY, detail: hardware reason */
	PROBE_END_SHUTDOWN, /* triple fault */
	PROBE_END_EXIT,	    /* another exit, detail: its reason */
	PROBE_END_ERROR,    /* an ioctl failed, detail: errno */
	PROBE_END_TIME,	    /* no end within the deadline */
};

struct probe_item {
	enum probe_outcome outcome;
	enum probe_end end;
	uint64_t detail;
};

struct probe_result {
	bool linux_ok; /* every step works or is not needed */
	struct probe_item items[PROBE_NSTEPS];
	uint64_t insn_per_s; /* at CPL 0; 0: not measured */
	uint64_t exit_ns;    /* a port write and back; 0: not measured */
};

/*
 * Probe in a child process that is killed after `deadline_ms`, so that it
 * cannot hang.  kvm_fd: /dev/kvm, open for reading and writing.
 * 0 and the result (a deadline that passed is a result), or -errno: no child
 * could be made.  Forks: not from a process whose filter forbids that; there
 * a child made earlier calls probe_steps_run().
 */
int probe_linux(int kvm_fd, struct probe_result *ret, unsigned int deadline_ms);

/*
 * The probe itself, in the calling process and without a limit of time.
 * *shared is updated as it goes, so a parent that mapped it shared knows the
 * step in which it had to kill.
 */
void probe_steps_run(int kvm_fd, struct probe_result *shared);

/* Work out linux_ok, and turn the step that was running into a failure. */
void probe_conclude(struct probe_result *result);

/* The first step that does not work, or -1. */
int probe_first_failure(const struct probe_result *result);

/* How a failed step ended, in plain words.  Returns `out`. */
const char *probe_describe(const struct probe_item *item, char *out, size_t size);

#endif
