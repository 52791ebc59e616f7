/*
 * serial.c - fuzz target: the serial port's registers, its input and a sink
 * that is full now and then.
 *
 * Bytes that the guest transmits are numbered: what leaves is in order, no
 * byte twice, and at most a FIFO's worth waits.  Input is bounded, and "data
 * ready" does not lie.
 */
#include <linux/serial_reg.h>

#include "devices/platform/serial.h"
#include "tests/fuzz/input.h"

#define FIFO 16u

struct world {
	struct input in;
	struct serial *serial;
	bool full;
	uint8_t next_sent;    /* number of the next byte to transmit */
	uint64_t sent, left;  /* transmitted by the guest, taken by the sink */
	uint8_t waiting[256]; /* ring of what was transmitted and may still leave */
	unsigned int wfirst, nwaiting;
	uint64_t fed, gone; /* input: taken in; gone out again, at the most */
	bool loop, dlab;
	bool over; /* a burst of input is, no other has been allowed yet */
};

static int transmit(void *ctx, uint8_t byte)
{
	struct world *w = ctx;

	if (w->full)
		return -11;
	/* In order; those in between were lost to a full FIFO. */
	while (w->nwaiting && w->waiting[w->wfirst % 256] != byte) {
		w->wfirst++;
		w->nwaiting--;
	}
	must(w->nwaiting);
	w->wfirst++;
	w->nwaiting--;
	w->left++;
	return 0;
}

static void input_room(void *ctx)
{
	struct world *w = ctx;

	/* Called without the lock: may call back. */
	must(serial_feed(w->serial, &(uint8_t){ (uint8_t)w->fed }, 1) == 1);
	w->fed++;
}

static void burst_over(void *ctx)
{
	struct world *w = ctx;

	must(!w->over);
	w->over = true;
}

static void pulse(void *ctx, unsigned int gsi)
{
	(void)ctx;
	must(gsi == 4);
}

static uint8_t get(struct world *w, unsigned int reg)
{
	uint8_t v = 0x5a;

	w->gone += reg == UART_RX;
	serial_bus_ops.read(w->serial, reg, &v, 1);
	return v;
}

static void put(struct world *w, unsigned int reg, uint8_t v)
{
	if (reg == UART_FCR)
		w->gone += FIFO;
	serial_bus_ops.write(w->serial, reg, &v, 1);
}

/* One byte out.  The numbers run through 251 values, so that a byte that is
 * FIFO places off cannot be taken for another. */
static void send_byte(struct world *w)
{
	if (w->loop || w->dlab) {
		put(w, UART_TX, 0xfe);
		return;
	}
	if (w->nwaiting == 200)
		return;
	w->waiting[(w->wfirst + w->nwaiting++) % 256] = w->next_sent;
	put(w, UART_TX, w->next_sent);
	w->next_sent = (uint8_t)((w->next_sent + 1) % 251);
	if (!w->full) {
		must(w->nwaiting == 0);
		must(get(w, UART_LSR) & UART_LSR_THRE);
	}
}

static void set(struct world *w, unsigned int reg, uint8_t v)
{
	if (reg == UART_LCR)
		w->dlab = v & UART_LCR_DLAB;
	if (reg == UART_MCR)
		w->loop = v & UART_MCR_LOOP;
	if (reg == UART_TX)
		send_byte(w);
	else
		put(w, reg, v);
	if (reg == UART_SCR)
		must(get(w, UART_SCR) == v);
}

static void feed(struct world *w)
{
	uint8_t data[256];
	size_t len = in_u8(&w->in), taken;

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(w->fed + i);
	taken = serial_feed(w->serial, data, len);
	must(taken <= len);
	w->fed += taken;
	must(w->fed <= w->gone + SERIAL_INPUT_MAX + FIFO);
}

/* Read what is there; `data ready` must not lie. */
static void receive(struct world *w)
{
	uint8_t iir, lsr = get(w, UART_LSR);

	if (w->dlab)
		return;
	/* Without it a byte may still have come in since: looking was polling. */
	if (!(lsr & UART_LSR_DR))
		return;
	iir = get(w, UART_IIR);
	if ((get(w, UART_IER) & UART_IER_RDI) && !(get(w, UART_LSR) & UART_LSR_OE))
		must(!(iir & UART_IIR_NO_INT));
	get(w, UART_RX);
}

/* Drain the transmitter: everything that waits has left, THRE is set. */
static void make_room(struct world *w)
{
	w->full = false;
	serial_sink_ready(w->serial);
	must(get(w, UART_LSR) & UART_LSR_TEMT);
	w->nwaiting = 0;
}

static void access_wide(struct world *w)
{
	static const unsigned int lens[] = { 2, 4, 8 };
	unsigned int len = lens[in_below(&w->in, 3)], at = in_below(&w->in, SERIAL_LEN - len + 1);
	uint8_t data[8];

	w->gone += at == UART_RX;
	serial_bus_ops.read(w->serial, at, data, len);
}

static void burst(struct world *w, unsigned int n)
{
	uint64_t left = w->left;
	bool was_full = w->full;

	while (n--)
		send_byte(w);
	/* At most a FIFO waits, whatever the guest wrote. */
	if (was_full) {
		make_room(w);
		must(w->left - left <= FIFO);
		w->full = true;
	}
}

static void step(struct world *w)
{
	unsigned int op = in_below(&w->in, 16);

	if (w->over) {
		must(!(get(w, UART_LSR) & UART_LSR_DR) || w->loop);
		w->over = false;
		serial_next_burst(w->serial, 1 + w->gone % (2 * FIFO));
	}
	if (op < 6)
		set(w, in_below(&w->in, SERIAL_LEN), in_u8(&w->in));
	else if (op < 8)
		get(w, in_below(&w->in, SERIAL_LEN));
	else if (op == 8)
		burst(w, in_below(&w->in, 40));
	else if (op == 9)
		feed(w);
	else if (op == 10)
		receive(w);
	else if (op == 11)
		make_room(w);
	else if (op == 12 && w->nwaiting == 0)
		w->full = true;
	else if (op == 13)
		access_wide(w);
	else
		send_byte(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct world w = { .in = { data, len } };
	const struct serial_sink sink = {
		.transmit = transmit, .input_room = input_room, .burst_over = burst_over, .ctx = &w
	};

	w.serial = serial_new(&sink, (struct irq_line){ .pulse = pulse, .ctx = &w, .gsi = 4 });
	must(w.serial);
	while (w.in.left)
		step(&w);
	serial_free(w.serial);
	return 0;
}
