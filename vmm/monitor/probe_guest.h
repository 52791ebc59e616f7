/*
 * probe_guest.h - the guest that probe.c runs: a few hundred bytes of code,
 * one step for each thing that Linux does and a KVM back end may lack.
 *
 * A step starts at its own entry with the vCPU in 64-bit mode at CPL 0, runs,
 * and reports by a 32-bit OUT:
 *   PROBE_PORT_RESULT    0: it works; else what went wrong (see the steps)
 *   PROBE_PORT_TRAP      an exception that the step did not expect: vector
 *   PROBE_PORT_TICK      one of many exits whose cost is measured
 */
#ifndef MONITOR_PROBE_GUEST_H
#define MONITOR_PROBE_GUEST_H

#include <stddef.h>
#include <stdint.h>

#define PROBE_PORT_RESULT 0x500
#define PROBE_PORT_TRAP	  0x504
#define PROBE_PORT_TICK	  0x508

/* Guest memory: identity-mapped pages below 64 KiB, and the local APIC. */
#define PROBE_MEM      0x10000
#define PROBE_PML4     0x1000
#define PROBE_PDPT     0x2000
#define PROBE_PD_LOW   0x3000
#define PROBE_PT       0x4000
#define PROBE_GDT      0x5000
#define PROBE_TSS      0x5100
#define PROBE_IDT      0x6000
#define PROBE_SCRATCH  0x7000
#define PROBE_CODE     0x8000
#define PROBE_CODE_MAX 0x4000
#define PROBE_KSTACK   0xd000 /* top */
#define PROBE_USTACK   0xe000 /* top */
#define PROBE_PD_HIGH  0xf000

/* Selectors; the order is what SYSCALL and SYSRET require. */
#define PROBE_KCS 0x08
#define PROBE_KDS 0x10
#define PROBE_UDS 0x23
#define PROBE_UCS 0x2b
#define PROBE_TR  0x30

/* What the CPU must have for a step to make sense. */
enum probe_needs {
	PROBE_ALWAYS,
	PROBE_POPCNT,
	PROBE_CX16,
	PROBE_XSAVE,
	PROBE_XSAVES,
	PROBE_FSGSBASE,
	PROBE_SMAP,
};

struct probe_step {
	const char *name;    /* a word or two, stable: scripts read it */
	const char *purpose; /* what Linux does with it */
	const uint8_t *entry;
	enum probe_needs needs;
};

#define PROBE_NSTEPS 24
extern const struct probe_step probe_steps[PROBE_NSTEPS];

/* The code, to be copied to PROBE_CODE; 256 stubs of 16 bytes, one for each
 * vector, are at its start. */
extern const uint8_t probe_code_start[], probe_code_end[];

/* Count rcx down in a loop of two instructions, then report; and rcx OUTs. */
extern const uint8_t probe_spin[], probe_ticks[];

#endif
