/*
 * ioapic.h - the I/O APIC (Intel 82093AA): which message each pin's edges
 * become for the local APICs.
 *
 * KVM has one as well, with an 8259 beside it. Ours instead because
 *   - what a guest can drive is the monitor, behind its walls, not the kernel;
 *   - a device process's interrupt goes straight to the vCPU: KVM hands what
 *     its own I/O APIC is to deliver to a kernel thread first;
 *   - a machine is made and gone sooner: KVM's waits for RCU, 15 ms at its end.
 *
 * All lines of this machine are edges: each pulse of a pin that is not masked
 * is one message, and one of a masked pin is lost, as in KVM's. A pin that is
 * programmed as a level is served as an edge: nothing here holds a line, so
 * Remote IRR and Delivery Status read as 0 and no EOI is looked for (there is
 * no EOI register in this version, 11h).
 *
 * Registers are reached by 32-bit accesses to IOREGSEL and IOWIN; any other
 * reads as all ones and writes nothing.
 *
 * Threading: any vCPU thread.
 */
#ifndef PLATFORM_IOAPIC_H
#define PLATFORM_IOAPIC_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/bus.h"

#define IOAPIC_MAX_PINS 24
#define IOAPIC_LEN	0x20 /* bytes of MMIO space */

/* An interrupt message to the local APICs (SDM volume 3, 11.11). */
struct ioapic_message {
	bool open; /* the pin is not masked; otherwise nothing is sent */
	uint32_t address, data;
};

struct ioapic {
	pthread_mutex_t lock; /* for all below */
	unsigned int npins;
	uint32_t id, selected;
	uint64_t entry[IOAPIC_MAX_PINS]; /* as the guest sees it */
	struct ioapic_message message[IOAPIC_MAX_PINS];
	void (*routed)(void *ctx, const struct ioapic_message *messages, unsigned int n);
	void *ctx;
};

/*
 * `npins` of them, 1 to IOAPIC_MAX_PINS, all masked.  `routed` is told the
 * messages of all pins whenever one has changed, by the vCPU that changed it,
 * under the device's lock: one call after the other.  `ctx` is borrowed.
 */
void ioapic_init(struct ioapic *io, unsigned int npins,
		 void (*routed)(void *ctx, const struct ioapic_message *messages, unsigned int n),
		 void *ctx);

/* For bus_add() with IOAPIC_LEN; the device is a struct ioapic. */
extern const struct bus_ops ioapic_bus_ops;

#endif
