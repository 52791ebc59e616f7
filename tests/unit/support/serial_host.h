/* serial_host.h - a serial port and what is around it: a sink with a budget, an
 * interrupt line that counts, register accesses. */
#ifndef SERIAL_HOST_H
#define SERIAL_HOST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/platform/serial.h"

struct host {
	struct serial *s;
	uint8_t out[1 << 18];
	size_t nout;
	size_t budget; /* bytes that the sink still takes */
	unsigned int rooms;
	unsigned int overs; /* bursts of input that are over */
	atomic_int pulses;
	atomic_bool edge; /* what the interrupt controller holds */
};

/* A serial port, without or with pauses between the bursts of input. */
struct host *serial_host_new(void);
struct host *serial_host_new_bursts(void);
void serial_host_free(struct host *h);

/* The interrupt line's pulse; ctx is the host. */
void serial_host_pulse(void *ctx, unsigned int gsi);

uint8_t in(struct host *h, unsigned int reg);
void out(struct host *h, unsigned int reg, unsigned int v);

/* What a driver without interrupts does while it waits for input. */
void poll_for_input(struct host *h);

size_t feed(struct host *h, const char *text);

/* How many since it was last asked. */
int pulses(struct host *h);

#endif
