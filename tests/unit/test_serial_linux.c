/*
 * test_serial_linux.c - the serial port through a small model of Linux's 8250
 * driver (its probe, its start-up tests and its interrupt handler, written from
 * their description) with a sink that is often full and input that comes at any
 * time; then through drivers that mean it ill.
 */
#include "devices/platform/serial.h"

#include <errno.h>
#include <linux/serial_reg.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/serial_host.h"
#include "vmm/base/util.h"

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
	struct host *h = serial_host_new();

	(void)state;
	feed(h, "typed ahead, long before anybody asks for it");
	linux_probe(h);
	linux_startup(h);
	/* Clearing FIFOs and registers "for luck" has cost nothing. */
	out(h, UART_IER, UART_IER_RLSI | UART_IER_RDI);
	assert_int_equal(in(h, UART_IIR) & UART_IIR_ID, UART_IIR_RDI);
	assert_int_equal(in(h, UART_RX), 't');
	assert_int_equal(in(h, UART_RX), 'y');
	serial_host_free(h);
}

/* Without interrupts: input shows when it is polled for, not before. */
static void test_polled_input(void **state)
{
	struct host *h = serial_host_new();

	(void)state;
	feed(h, "hi");
	assert_int_equal(in(h, UART_LSR) & UART_LSR_DR, 0);
	assert_int_equal(in(h, UART_RX), 0);
	out(h, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
	poll_for_input(h);
	assert_int_equal(in(h, UART_LSR) & UART_LSR_DR, UART_LSR_DR);
	assert_int_equal(in(h, UART_RX), 'h');
	assert_int_equal(in(h, UART_RX), 'i');
	serial_host_free(h);
}

/* All bytes both ways, exact and in order, whatever the host does. */
static void test_linux_traffic(void **state)
{
	static uint8_t data[100000];
	struct host *h = serial_host_new();
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
	serial_host_free(h);
}

/* A handler that gives up early, with data pending, must be called again. */
static void test_linux_gives_up(void **state)
{
	static uint8_t data[60000];
	struct host *h = serial_host_new();
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
	serial_host_free(h);
}

/* Input without end keeps no handler longer than a burst, and none of it is
 * lost over the pauses. */
static void test_linux_endless_input(void **state)
{
	static uint8_t data[60000];
	struct host *h = serial_host_new_bursts();
	struct driver *d = driver_set_up(h, data, 0);
	size_t fed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i ^ i >> 8);
	while (d->nrx < sizeof(data)) {
		size_t before = d->nrx;

		fed += serial_feed(h->s, data + fed, sizeof(data) - fed);
		assert_true(atomic_exchange(&h->edge, false));
		driver_interrupt(d);
		assert_in_range(d->nrx - before, 1, SERIAL_BURST);
		if (h->overs) {
			h->overs = 0;
			serial_next_burst(h->s, SERIAL_BURST);
		}
	}
	assert_memory_equal(d->rx, data, sizeof(data));
	free(d);
	serial_host_free(h);
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
	struct host *h = serial_host_new();
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
	serial_host_free(h);
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
	h->s = serial_new(&sink, (struct irq_line){ .pulse = serial_host_pulse, .ctx = h });
	assert_non_null(h->s);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&vcpu[i], NULL, vcpu_thread, h), 0);
	for (int i = 0; i < 20000; i++) {
		serial_feed(h->s, data, sizeof(data));
		serial_sink_ready(h->s);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(vcpu[i], NULL);
	serial_host_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linux_probe),
		cmocka_unit_test(test_polled_input),
		cmocka_unit_test(test_linux_traffic),
		cmocka_unit_test(test_linux_gives_up),
		cmocka_unit_test(test_linux_endless_input),
		cmocka_unit_test(test_fuzz),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
