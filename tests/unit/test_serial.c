/*
 * test_serial.c - the serial port: register by register, and through a small
 * model of Linux's 8250 driver (its probe, its start-up tests and its
 * interrupt handler, written from their description) with a sink that is
 * often full and input that comes at any time.
 */
#include "devices/platform/serial.h"

#include <errno.h>
#include <linux/serial_reg.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/base/util.h"

struct host {
	struct serial *s;
	uint8_t out[1 << 18];
	size_t nout;
	size_t budget; /* bytes that the sink still takes */
	unsigned int rooms;
	atomic_int pulses;
	atomic_bool edge; /* what the interrupt controller holds */
};

static int sink_transmit(void *ctx, uint8_t byte)
{
	struct host *h = ctx;

	if (!h->budget || h->nout == sizeof(h->out))
		return -EAGAIN;
	h->budget--;
	h->out[h->nout++] = byte;
	return 0;
}

static void sink_room(void *ctx)
{
	((struct host *)ctx)->rooms++;
}

static void line_pulse(void *ctx, unsigned int gsi)
{
	struct host *h = ctx;

	(void)gsi;
	atomic_fetch_add(&h->pulses, 1);
	atomic_store(&h->edge, true);
}

static struct host *set_up(void)
{
	struct host *h = calloc(1, sizeof(*h));
	struct serial_sink sink = { .transmit = sink_transmit, .input_room = sink_room, .ctx = h };

	assert_non_null(h);
	h->budget = SIZE_MAX;
	h->s = serial_new(&sink, (struct irq_line){ .pulse = line_pulse, .ctx = h, .gsi = 4 });
	assert_non_null(h->s);
	return h;
}

static void tear_down(struct host *h)
{
	serial_free(h->s);
	free(h);
}

static uint8_t in(struct host *h, unsigned int reg)
{
	uint8_t v = 0x5a;

	serial_bus_ops.read(h->s, reg, &v, 1);
	return v;
}

static void out(struct host *h, unsigned int reg, unsigned int v)
{
	uint8_t b = (uint8_t)v;

	serial_bus_ops.write(h->s, reg, &b, 1);
}

/* What a driver without interrupts does while it waits for input. */
static void poll_for_input(struct host *h)
{
	for (int i = 0; i < 3; i++)
		in(h, UART_LSR);
}

static size_t feed(struct host *h, const char *text)
{
	return serial_feed(h->s, (const uint8_t *)text, strlen(text));
}

static int pulses(struct host *h)
{
	return atomic_exchange(&h->pulses, 0);
}

/* --- registers --- */

static void test_power_on(void **state)
{
	struct host *h = set_up();

	(void)state;
	assert_int_equal(in(h, UART_IER), 0);
	assert_int_equal(in(h, UART_IIR), UART_IIR_NO_INT);
	assert_int_equal(in(h, UART_LCR), 0);
	assert_int_equal(in(h, UART_MCR), 0);
	assert_int_equal(in(h, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	assert_int_equal(in(h, UART_MSR), UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD);
	assert_int_equal(in(h, UART_RX), 0);
	assert_int_equal(pulses(h), 0);
	tear_down(h);
}

/* What sticks of every value written to every register. */
static void test_write_masks(void **state)
{
	struct host *h = set_up();

	(void)state;
	for (unsigned int v = 0; v < 256; v++) {
		out(h, UART_LCR, 0);
		out(h, UART_IER, v);
		assert_int_equal(in(h, UART_IER), v & 0x0f);
		out(h, UART_SCR, v);
		assert_int_equal(in(h, UART_SCR), v);
		out(h, UART_MCR, v);
		assert_int_equal(in(h, UART_MCR), v & 0x1f);
		out(h, UART_LSR, v);
		assert_true(in(h, UART_LSR) != 0xff);
		out(h, UART_LCR, v | UART_LCR_DLAB);
		assert_int_equal(in(h, UART_LCR), v | UART_LCR_DLAB);
		out(h, UART_DLL, v);
		out(h, UART_DLM, v ^ 0xff);
		assert_int_equal(in(h, UART_DLL), v);
		assert_int_equal(in(h, UART_DLM), v ^ 0xff);
		out(h, UART_LCR, 0);
		assert_int_equal(in(h, UART_IER), v & 0x0f); /* not the divisor */
		assert_int_equal(h->nout, 0);
	}
	tear_down(h);
}

/* A wide access is made of bytes in rising order. */
static void test_wide_access(void **state)
{
	struct host *h = set_up();
	uint8_t data[8] = { 0, 0, 0, 0 };

	(void)state;
	data[3] = 0x1b; /* LCR */
	data[1] = 0x01; /* IER */
	data[0] = 'x';
	serial_bus_ops.write(h->s, 0, data, 4);
	assert_int_equal(h->nout, 1);
	assert_int_equal(h->out[0], 'x');
	assert_int_equal(in(h, UART_LCR), 0x1b);
	serial_bus_ops.read(h->s, 0, data, 8);
	assert_int_equal(data[1], 0x01);
	assert_int_equal(data[3], 0x1b);
	tear_down(h);
}

static void test_loopback(void **state)
{
	struct host *h = set_up();

	(void)state;
	poll_for_input(h);
	feed(h, "host");
	assert_int_equal(in(h, UART_RX), 'h');
	out(h, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
	out(h, UART_MCR, UART_MCR_LOOP);
	while (in(h, UART_LSR) & UART_LSR_DR)
		in(h, UART_RX);
	for (unsigned int v = 0; v < 16; v++) {
		out(h, UART_MCR, UART_MCR_LOOP | v);
		assert_int_equal(in(h, UART_MSR) >> 4,
				 (v & 2) >> 1 | (v & 1) << 1 | (v & 4) | (v & 8));
	}
	/* RI counts on its way down only. */
	out(h, UART_MCR, UART_MCR_LOOP);
	in(h, UART_MSR);
	out(h, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT1);
	assert_int_equal(in(h, UART_MSR), UART_MSR_RI);
	out(h, UART_MCR, UART_MCR_LOOP);
	assert_int_equal(in(h, UART_MSR), UART_MSR_TERI);
	/* Data goes round, sixteen bytes of it; the host sees none, and its
	 * own waits outside. */
	feed(h, "more");
	for (unsigned int i = 0; i < 20; i++)
		out(h, UART_TX, 100 + i);
	assert_int_equal(in(h, UART_LSR),
			 UART_LSR_DR | UART_LSR_OE | UART_LSR_THRE | UART_LSR_TEMT);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(in(h, UART_RX), 100 + i);
	assert_int_equal(in(h, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	assert_int_equal(h->nout, 0);
	in(h, UART_MSR);
	out(h, UART_MCR, 0);
	assert_true(in(h, UART_MSR) & UART_MSR_ANY_DELTA);
	assert_int_equal(in(h, UART_MSR) & UART_MSR_ANY_DELTA, 0);
	while (in(h, UART_LSR) & UART_LSR_DR)
		in(h, UART_RX);
	tear_down(h);
}

/* --- interrupts --- */

static void test_iir_priorities(void **state)
{
	struct host *h = set_up();

	(void)state;
	out(h, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_4);
	out(h, UART_MCR, UART_MCR_LOOP);
	in(h, UART_MSR);
	for (unsigned int i = 0; i < 17; i++)
		out(h, UART_TX, i);
	out(h, UART_MCR, UART_MCR_LOOP | UART_MCR_RTS);
	assert_int_equal(pulses(h), 0);
	assert_int_equal(in(h, UART_IIR), 0xc0 | UART_IIR_NO_INT);
	out(h, UART_IER, 0x0f);
	assert_int_equal(pulses(h), 1);
	assert_int_equal(in(h, UART_IIR), 0xc0 | UART_IIR_RLSI);
	assert_int_equal(in(h, UART_IIR), 0xc0 | UART_IIR_RLSI);
	in(h, UART_LSR);
	for (unsigned int i = 0; i < 16; i++) {
		assert_int_equal(in(h, UART_IIR),
				 0xc0 | (i <= 12 ? UART_IIR_RDI : UART_IIR_RX_TIMEOUT));
		in(h, UART_RX);
	}
	assert_int_equal(in(h, UART_IIR), 0xc0 | UART_IIR_THRI);
	assert_int_equal(in(h, UART_IIR), 0xc0 | UART_IIR_MSI); /* THRI is cleared by it */
	in(h, UART_MSR);
	assert_int_equal(in(h, UART_IIR), 0xc0 | UART_IIR_NO_INT);
	assert_int_equal(pulses(h), 0);
	tear_down(h);
}

static void test_empty_interrupt(void **state)
{
	struct host *h = set_up();

	(void)state;
	out(h, UART_LCR, UART_LCR_WLEN8);
	/* Each enabling reports it; writing what is there already does not. */
	for (int i = 0; i < 3; i++) {
		out(h, UART_IER, UART_IER_THRI);
		assert_int_equal(pulses(h), 1);
		assert_int_equal(in(h, UART_IIR), UART_IIR_THRI);
		assert_int_equal(in(h, UART_IIR), UART_IIR_NO_INT);
		out(h, UART_IER, UART_IER_THRI);
		assert_int_equal(in(h, UART_IIR), UART_IIR_NO_INT);
		out(h, UART_IER, 0);
		assert_int_equal(pulses(h), 0);
	}
	/* Sixteen bytes, one pulse: it has not been answered in between. */
	out(h, UART_IER, UART_IER_THRI);
	in(h, UART_IIR);
	pulses(h);
	for (int i = 0; i < 16; i++)
		out(h, UART_TX, 'a');
	assert_int_equal(pulses(h), 1);
	/* Another cause while this one is pending has a pulse of its own. */
	out(h, UART_IER, UART_IER_THRI | UART_IER_RDI);
	feed(h, "x");
	assert_int_equal(pulses(h), 1);
	in(h, UART_RX);
	out(h, UART_IER, UART_IER_THRI);
	/* A sink that is full: the interrupt comes when it is not. */
	in(h, UART_IIR);
	h->budget = 1;
	out(h, UART_TX, 'b');
	assert_int_equal(pulses(h), 1);
	out(h, UART_TX, 'c');
	assert_int_equal(in(h, UART_LSR), 0);
	assert_int_equal(in(h, UART_IIR), UART_IIR_NO_INT);
	out(h, UART_IER, 0);
	out(h, UART_IER, UART_IER_THRI);
	assert_int_equal(in(h, UART_IIR), UART_IIR_NO_INT);
	serial_sink_ready(h->s);
	assert_int_equal(in(h, UART_LSR), 0);
	assert_int_equal(pulses(h), 0);
	h->budget = 5;
	serial_sink_ready(h->s);
	assert_int_equal(pulses(h), 1);
	assert_int_equal(in(h, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	assert_int_equal(in(h, UART_IIR), UART_IIR_THRI);
	tear_down(h);
}

static void test_data_interrupt(void **state)
{
	struct host *h = set_up();

	(void)state;
	out(h, UART_LCR, UART_LCR_WLEN8);
	out(h, UART_IER, UART_IER_RDI);
	feed(h, "a");
	assert_int_equal(pulses(h), 1);
	feed(h, "b");
	assert_int_equal(pulses(h), 0); /* not answered yet */
	assert_int_equal(in(h, UART_IIR), UART_IIR_RDI);
	assert_int_equal(in(h, UART_RX), 'a');
	assert_int_equal(in(h, UART_RX), 'b');
	assert_int_equal(in(h, UART_IIR), UART_IIR_NO_INT);
	pulses(h);
	/* A handler that left with data pending is called for the next byte. */
	out(h, UART_FCR, UART_FCR_ENABLE_FIFO);
	feed(h, "c");
	assert_int_equal(pulses(h), 1);
	in(h, UART_IIR);
	feed(h, "d");
	assert_int_equal(pulses(h), 1);
	feed(h, "e");
	assert_int_equal(pulses(h), 0);
	tear_down(h);
}

/* --- bounds --- */

static void test_transmit_fifo(void **state)
{
	struct host *h = set_up();

	(void)state;
	h->budget = 0;
	for (unsigned int i = 0; i < 40; i++)
		out(h, UART_TX, i);
	/* Clearing keeps what was accepted (serial.c says why). */
	out(h, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_XMIT);
	assert_int_equal(in(h, UART_LSR), 0);
	h->budget = SIZE_MAX;
	serial_sink_ready(h->s);
	assert_int_equal(h->nout, 16);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(h->out[i], i);
	out(h, UART_TX, 99);
	assert_int_equal(h->out[16], 99);
	tear_down(h);
}

static void test_input_bounded(void **state)
{
	struct host *h = set_up();
	uint8_t data[3 * SERIAL_INPUT_MAX];
	size_t taken, got = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	poll_for_input(h);
	taken = serial_feed(h->s, data, sizeof(data));
	assert_int_equal(taken, SERIAL_INPUT_MAX + 1); /* the one in the receiver */
	assert_int_equal(serial_feed(h->s, data + taken, 1), 0);
	assert_int_equal(serial_feed(h->s, data, 0), 0);
	while (got < sizeof(data)) {
		assert_int_equal(in(h, UART_RX), data[got]);
		got++;
		if (h->rooms) {
			assert_true(taken - got <= SERIAL_INPUT_MAX / 2 + 1);
			h->rooms = 0;
			taken += serial_feed(h->s, data + taken, sizeof(data) - taken);
		}
	}
	assert_int_equal(h->rooms, 0);
	assert_int_equal(in(h, UART_LSR) & UART_LSR_DR, 0);
	tear_down(h);
}

static void test_receive_fifo(void **state)
{
	struct host *h = set_up();

	(void)state;
	out(h, UART_FCR, UART_FCR_ENABLE_FIFO);
	poll_for_input(h);
	feed(h, "0123456789abcdefghijklmnopqrstuvwxyz");
	/* Sixteen are lost however often it is cleared in a row. */
	out(h, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
	out(h, UART_FCR, 0);
	out(h, UART_FCR, UART_FCR_ENABLE_FIFO);
	assert_int_equal(in(h, UART_RX), 0);
	poll_for_input(h);
	assert_int_equal(in(h, UART_RX), 'g');
	tear_down(h);
}

static void test_rts(void **state)
{
	struct host *h = set_up();

	(void)state;
	poll_for_input(h);
	feed(h, "a"); /* never raised: a driver that does not know of it */
	assert_int_equal(in(h, UART_RX), 'a');
	out(h, UART_MCR, UART_MCR_LOOP | UART_MCR_RTS); /* not raised outside */
	out(h, UART_MCR, 0);
	feed(h, "b");
	assert_int_equal(in(h, UART_RX), 'b');
	out(h, UART_MCR, UART_MCR_RTS);
	out(h, UART_MCR, 0);
	assert_int_equal(feed(h, "c"), 1);
	assert_int_equal(in(h, UART_LSR) & UART_LSR_DR, 0);
	out(h, UART_IER, UART_IER_RDI);
	pulses(h);
	out(h, UART_MCR, UART_MCR_RTS);
	assert_int_equal(pulses(h), 1);
	assert_int_equal(in(h, UART_RX), 'c');
	tear_down(h);
}

/* --- Linux --- */

struct driver {
	struct host *h;
	uint8_t ier;
	uint8_t rx[1 << 17];
	size_t nrx;
	const uint8_t *tx;
	size_t ntx, tx_len;
	unsigned int handled, spurious, max_reads;
};

static unsigned int loopback_fifo_size(struct host *h)
{
	unsigned int n = 0;

	out(h, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT);
	out(h, UART_MCR, UART_MCR_LOOP);
	out(h, UART_LCR, UART_LCR_WLEN8);
	for (unsigned int i = 0; i < 256; i++)
		out(h, UART_TX, i);
	for (; (in(h, UART_LSR) & UART_LSR_DR) && n < 256; n++)
		in(h, UART_RX);
	out(h, UART_MCR, 0);
	out(h, UART_LCR, 0);
	return n;
}

/* The questions that Linux asks to tell a 16550A from its relatives. */
static void linux_probe(struct host *h)
{
	out(h, UART_IER, 0);
	assert_int_equal(in(h, UART_IER) & 0x0f, 0);
	out(h, UART_IER, 0x0f);
	assert_int_equal(in(h, UART_IER) & 0x0f, 0x0f);
	out(h, UART_IER, 0);
	out(h, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	assert_int_equal(in(h, UART_MSR) & 0xf0, 0x90);
	out(h, UART_MCR, 0);
	out(h, UART_LCR, UART_LCR_CONF_MODE_B);
	out(h, UART_EFR, 0);
	out(h, UART_LCR, 0);
	out(h, UART_FCR, UART_FCR_ENABLE_FIFO);
	assert_int_equal(in(h, UART_IIR) >> 6, 3); /* FIFOs that work */
	out(h, UART_LCR, UART_LCR_CONF_MODE_A);
	assert_true(in(h, UART_EFR) != 0); /* no 16650 */
	out(h, UART_LCR, UART_LCR_CONF_MODE_B);
	assert_true(in(h, UART_EFR) != 0);
	out(h, UART_LCR, 0xe0);
	assert_int_equal(in(h, 2) & UART_MCR_LOOP, 0); /* no NS16550A super I/O */
	out(h, UART_LCR, 0);
	out(h, UART_MCR, UART_MCR_LOOP);
	out(h, UART_LCR, 0xe0);
	assert_int_equal(in(h, 2) & UART_MCR_LOOP, 0);
	out(h, UART_LCR, 0);
	out(h, UART_MCR, 0);
	for (int dlab = 0; dlab < 2; dlab++) { /* no 16750 */
		out(h, UART_LCR, dlab ? UART_LCR_CONF_MODE_A : 0);
		out(h, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR7_64BYTE);
		assert_int_equal(in(h, UART_IIR) >> 5, 6);
		out(h, UART_FCR, UART_FCR_ENABLE_FIFO);
	}
	out(h, UART_LCR, 0);
	out(h, UART_IER, UART_IER_UUE);
	assert_int_equal(in(h, UART_IER) & UART_IER_UUE, 0); /* no XScale */
	assert_int_equal(loopback_fifo_size(h), 16);
	assert_int_equal(h->nout, 0);
}

static void linux_startup(struct host *h)
{
	uint8_t first, second;

	out(h, UART_FCR, UART_FCR_ENABLE_FIFO);
	out(h, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT);
	out(h, UART_FCR, 0);
	assert_true(in(h, UART_LSR) != 0xff);
	in(h, UART_RX);
	in(h, UART_IIR);
	in(h, UART_MSR);
	/* Does enabling THRI report an idle transmitter a second time? */
	assert_true(in(h, UART_LSR) & UART_LSR_THRE);
	out(h, UART_IER, UART_IER_THRI);
	first = in(h, UART_IIR);
	out(h, UART_IER, 0);
	out(h, UART_IER, UART_IER_THRI);
	second = in(h, UART_IIR);
	out(h, UART_IER, 0);
	assert_false(!(first & UART_IIR_NO_INT) && (second & UART_IIR_NO_INT));
	out(h, UART_LCR, UART_LCR_WLEN8);
	out(h, UART_MCR, UART_MCR_OUT2);
	/* Does it at all? */
	out(h, UART_IER, UART_IER_THRI);
	assert_true(in(h, UART_LSR) & UART_LSR_TEMT);
	assert_int_equal(in(h, UART_IIR) & UART_IIR_NO_INT, 0);
	out(h, UART_IER, 0);
	out(h, UART_FCR, UART_FCR_ENABLE_FIFO);
	out(h, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_8);
	out(h, UART_MCR, UART_MCR_OUT2 | UART_MCR_RTS | UART_MCR_DTR);
}

static void driver_set_ier(struct driver *d, uint8_t ier)
{
	d->ier = ier;
	out(d->h, UART_IER, ier);
}

static void driver_send_some(struct driver *d)
{
	for (int i = 0; i < 16 && d->ntx < d->tx_len; i++)
		out(d->h, UART_TX, d->tx[d->ntx++]);
	if (d->ntx == d->tx_len)
		driver_set_ier(d, d->ier & (uint8_t)~UART_IER_THRI);
}

/* One interrupt: rounds until IIR says that nothing is pending. */
static void driver_interrupt(struct driver *d)
{
	bool handled = false;

	for (unsigned int round = 0; round < 512; round++) {
		unsigned int reads = 0;
		uint8_t lsr;

		if (in(d->h, UART_IIR) & UART_IIR_NO_INT)
			break;
		handled = true;
		for (lsr = in(d->h, UART_LSR); lsr & UART_LSR_DR; lsr = in(d->h, UART_LSR)) {
			d->rx[d->nrx++] = in(d->h, UART_RX);
			if (++reads == d->max_reads)
				break;
		}
		in(d->h, UART_MSR);
		if ((lsr & UART_LSR_THRE) && (d->ier & UART_IER_THRI))
			driver_send_some(d);
	}
	if (handled)
		d->handled++;
	else
		d->spurious++;
}

static struct driver *driver_set_up(struct host *h, const uint8_t *tx, size_t len)
{
	struct driver *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	d->h = h;
	d->tx = tx;
	d->tx_len = len;
	d->max_reads = 256;
	linux_probe(h);
	linux_startup(h);
	driver_set_ier(d, UART_IER_RLSI | UART_IER_RDI);
	return d;
}

static void test_linux_probe(void **state)
{
	struct host *h = set_up();

	(void)state;
	feed(h, "typed ahead, long before anybody asks for it");
	linux_probe(h);
	linux_startup(h);
	/* Clearing FIFOs and registers "for luck" has cost nothing. */
	out(h, UART_IER, UART_IER_RLSI | UART_IER_RDI);
	assert_int_equal(in(h, UART_IIR) & UART_IIR_ID, UART_IIR_RDI);
	assert_int_equal(in(h, UART_RX), 't');
	assert_int_equal(in(h, UART_RX), 'y');
	tear_down(h);
}

/* Without interrupts: input shows when it is polled for, not before. */
static void test_polled_input(void **state)
{
	struct host *h = set_up();

	(void)state;
	feed(h, "hi");
	assert_int_equal(in(h, UART_LSR) & UART_LSR_DR, 0);
	assert_int_equal(in(h, UART_RX), 0);
	out(h, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
	poll_for_input(h);
	assert_int_equal(in(h, UART_LSR) & UART_LSR_DR, UART_LSR_DR);
	assert_int_equal(in(h, UART_RX), 'h');
	assert_int_equal(in(h, UART_RX), 'i');
	tear_down(h);
}

/* All bytes both ways, exact and in order, whatever the host does. */
static void test_linux_traffic(void **state)
{
	static uint8_t data[100000];
	struct host *h = set_up();
	struct driver *d = driver_set_up(h, data, sizeof(data));
	unsigned int seed = 3, idle = 0;
	size_t fed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)rand_r(&seed);
	h->budget = 0;
	pulses(h);
	atomic_store(&h->edge, false);
	driver_set_ier(d, d->ier | UART_IER_THRI);
	while (d->nrx < sizeof(data) || h->nout < sizeof(data)) {
		size_t before = d->nrx + h->nout;
		unsigned int r = (unsigned int)rand_r(&seed);

		if (r % 3 == 0)
			fed += serial_feed(h->s, data + fed,
					   MIN(r >> 8 & 0x3ff, sizeof(data) - fed));
		if (r % 5 == 0) {
			h->budget = r >> 4 & 0x3f;
			serial_sink_ready(h->s);
		}
		if (atomic_exchange(&h->edge, false))
			driver_interrupt(d);
		idle = d->nrx + h->nout == before ? idle + 1 : 0;
		assert_true(idle < 1000); /* an edge was lost */
	}
	assert_memory_equal(d->rx, data, sizeof(data));
	assert_memory_equal(h->out, data, sizeof(data));
	assert_int_equal(d->nrx, sizeof(data));
	assert_int_equal(h->nout, sizeof(data));
	/* No storm: interrupts for nothing do not outnumber the others, and no
	 * pulse comes without something that happened. */
	assert_true(d->spurious <= d->handled);
	assert_true(pulses(h) < 40000);
	free(d);
	tear_down(h);
}

/* A handler that gives up early, with data pending, must be called again. */
static void test_linux_gives_up(void **state)
{
	static uint8_t data[60000];
	struct host *h = set_up();
	struct driver *d = driver_set_up(h, data, 0);
	size_t fed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i ^ i >> 8);
	d->max_reads = 1; /* 512 bytes an interrupt at the most */
	atomic_store(&h->edge, false);
	while (d->nrx < sizeof(data)) {
		fed += serial_feed(h->s, data + fed, sizeof(data) - fed);
		assert_true(atomic_exchange(&h->edge, false));
		driver_interrupt(d);
	}
	assert_memory_equal(d->rx, data, sizeof(data));
	free(d);
	tear_down(h);
}

/* --- hostile --- */

static void random_access(struct host *h, unsigned int *seed)
{
	static const unsigned int widths[] = { 1, 1, 1, 1, 2, 4, 8 };
	unsigned int r = (unsigned int)rand_r(seed);
	unsigned int width = widths[r % ARRAY_SIZE(widths)];
	unsigned int offset = (r >> 8) % (SERIAL_LEN - width + 1);
	uint8_t data[8];

	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)rand_r(seed);
	if (r & 0x80)
		serial_bus_ops.read(h->s, offset, data, width);
	else
		serial_bus_ops.write(h->s, offset, data, width);
	if ((r & 0x80) && offset <= UART_LSR && offset + width > UART_LSR)
		assert_true(data[UART_LSR - offset] != 0xff);
}

static void test_fuzz(void **state)
{
	struct host *h = set_up();
	unsigned int seed = 11;
	uint8_t data[64] = { 0 };

	(void)state;
	for (int i = 0; i < 200000; i++) {
		random_access(h, &seed);
		if (i % 7 == 0)
			serial_feed(h->s, data, (unsigned int)rand_r(&seed) % sizeof(data));
		if (i % 11 == 0) {
			h->nout = 0;
			h->budget = (unsigned int)rand_r(&seed) % 8;
			serial_sink_ready(h->s);
		}
	}
	/* It can be opened as ever. */
	out(h, UART_LCR, 0);
	out(h, UART_IER, 0);
	out(h, UART_MCR, 0);
	h->budget = SIZE_MAX;
	serial_sink_ready(h->s);
	h->nout = 0;
	linux_probe(h);
	linux_startup(h);
	tear_down(h);
}

static int discard(void *ctx, uint8_t byte)
{
	(void)ctx;
	return byte % 3 ? 0 : -EAGAIN;
}

static atomic_uint next_seed = 100;

static void *vcpu_thread(void *arg)
{
	unsigned int seed = atomic_fetch_add(&next_seed, 1);

	for (int i = 0; i < 50000; i++)
		random_access(arg, &seed);
	return NULL;
}

static void test_threads(void **state)
{
	struct host *h = calloc(1, sizeof(*h));
	struct serial_sink sink = { .transmit = discard };
	pthread_t vcpu[2];
	uint8_t data[32] = { 0 };

	(void)state;
	assert_non_null(h);
	h->s = serial_new(&sink, (struct irq_line){ .pulse = line_pulse, .ctx = h });
	assert_non_null(h->s);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&vcpu[i], NULL, vcpu_thread, h), 0);
	for (int i = 0; i < 20000; i++) {
		serial_feed(h->s, data, sizeof(data));
		serial_sink_ready(h->s);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(vcpu[i], NULL);
	tear_down(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_power_on),
		cmocka_unit_test(test_write_masks),
		cmocka_unit_test(test_wide_access),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_iir_priorities),
		cmocka_unit_test(test_empty_interrupt),
		cmocka_unit_test(test_data_interrupt),
		cmocka_unit_test(test_transmit_fifo),
		cmocka_unit_test(test_input_bounded),
		cmocka_unit_test(test_receive_fifo),
		cmocka_unit_test(test_rts),
		cmocka_unit_test(test_linux_probe),
		cmocka_unit_test(test_polled_input),
		cmocka_unit_test(test_linux_traffic),
		cmocka_unit_test(test_linux_gives_up),
		cmocka_unit_test(test_fuzz),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
