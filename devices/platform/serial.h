/*
 * serial.h - a 16550A UART (National Semiconductor PC16550D data sheet).
 *
 * Output: a byte that the guest transmits goes to `sink->transmit`, which
 * takes it or says that it is full.  What is not taken waits in a FIFO of 16
 * bytes, and while there is any the transmitter shows "not empty" (LSR.THRE
 * and TEMT 0), so a driver waits for its interrupt and no byte is lost; no
 * vCPU ever waits in here.  A guest that transmits all the same, over a full
 * FIFO, loses that byte, as on the real part (Linux's console does so after
 * waiting 10 ms).
 *
 * Input: 16 bytes of FIFO, filled from a bounded buffer once somebody listens
 * (the receive interrupt is enabled, or LSR is polled).  When the guest has
 * once raised RTS and lowers it, the FIFO is not filled until it is raised
 * again (Linux does that with CRTSCTS when its own buffer fills).
 *
 * A line that is infinitely fast could keep a driver in its interrupt handler
 * for as long as there is input, and a guest with one CPU would do nothing
 * else.  So input comes in bursts: when a burst has been read, the FIFO stays
 * empty until serial_next_burst().
 *
 * Left out on purpose: baud rates, parity, breaks, DMA modes.  A FIFO time-out
 * elapses at once.  MCR.OUT2 does not gate interrupts (serial.c says why).
 *
 * Threading: registers from any vCPU thread, serial_feed(), serial_next_burst()
 * and serial_sink_ready() from the control thread; one lock inside.
 */
#ifndef SERIAL_H
#define SERIAL_H

#include <stddef.h>
#include <stdint.h>

#include "devices/bus.h"
#include "devices/irq.h"

#define SERIAL_LEN	 8    /* ports */
#define SERIAL_INPUT_MAX 4096 /* bytes waiting for the guest */
#define SERIAL_BURST	 4096 /* bytes in the first burst */

struct serial_sink {
	/* Take one byte without blocking.  0, or -EAGAIN: full, call
	 * serial_sink_ready() when there is room again.  Called with the
	 * serial's lock held; must not call back. */
	int (*transmit)(void *ctx, uint8_t byte);
	/* The guest has made room in the input buffer (it was full, and now at
	 * least half of it is free).  Called without the lock. */
	void (*input_room)(void *ctx);
	/* The guest has read a whole burst, its FIFO is empty and more waits:
	 * nothing comes until serial_next_burst(), and this is not called
	 * again before.  Called without the lock.  NULL: no bursts, input
	 * comes as fast as it is read. */
	void (*burst_over)(void *ctx);
	void *ctx;
};

struct serial;

/* NULL with errno ENOMEM.  sink->ctx is borrowed. */
struct serial *serial_new(const struct serial_sink *sink, struct irq_line irq);
void serial_free(struct serial *s);

extern const struct bus_ops serial_bus_ops; /* for bus_add(..., SERIAL_LEN, ...) */

/* Input from the host.  Returns how many bytes were taken (0..len); what was
 * not is the caller's to keep and to offer again after input_room(). */
size_t serial_feed(struct serial *s, const uint8_t *data, size_t len);

/* Another `bytes` (1 or more) may be read in a row. */
void serial_next_burst(struct serial *s, unsigned int bytes);

/* The sink takes bytes again. */
void serial_sink_ready(struct serial *s);

#endif
