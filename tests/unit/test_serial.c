/* test_serial.c - the serial port: register by register, and its bounds. */
#include "devices/platform/serial.h"

#include <linux/serial_reg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/serial_host.h"

/* --- registers --- */

static void test_power_on(void **state)
{
	struct host *h = serial_host_new();

	(void)state;
	assert_int_equal(in(h, UART_IER), 0);
	assert_int_equal(in(h, UART_IIR), UART_IIR_NO_INT);
	assert_int_equal(in(h, UART_LCR), 0);
	assert_int_equal(in(h, UART_MCR), 0);
	assert_int_equal(in(h, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	assert_int_equal(in(h, UART_MSR), UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD);
	assert_int_equal(in(h, UART_RX), 0);
	assert_int_equal(pulses(h), 0);
	serial_host_free(h);
}

/* What sticks of every value written to every register. */
static void test_write_masks(void **state)
{
	struct host *h = serial_host_new();

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
	serial_host_free(h);
}

/* A wide access is made of bytes in rising order. */
static void test_wide_access(void **state)
{
	struct host *h = serial_host_new();
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
	serial_host_free(h);
}

static void test_loopback(void **state)
{
	struct host *h = serial_host_new();

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
	serial_host_free(h);
}

/* --- interrupts --- */

static void test_iir_priorities(void **state)
{
	struct host *h = serial_host_new();

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
	serial_host_free(h);
}

static void test_empty_interrupt(void **state)
{
	struct host *h = serial_host_new();

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
	serial_host_free(h);
}

static void test_data_interrupt(void **state)
{
	struct host *h = serial_host_new();

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
	serial_host_free(h);
}

/* --- bounds --- */

static void test_transmit_fifo(void **state)
{
	struct host *h = serial_host_new();

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
	serial_host_free(h);
}

static void test_input_bounded(void **state)
{
	struct host *h = serial_host_new();
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
	serial_host_free(h);
}

static void test_receive_fifo(void **state)
{
	struct host *h = serial_host_new();

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
	serial_host_free(h);
}

#define BURST 256

/* Read until LSR says that there is no more. */
static size_t read_all(struct host *h)
{
	size_t n = 0;

	for (; in(h, UART_LSR) & UART_LSR_DR; n++)
		in(h, UART_RX);
	return n;
}

/* After a burst the FIFO stays empty, with all that this shows, until the
 * next one is allowed; that one is announced like any byte. */
static void test_bursts(void **state)
{
	static const uint8_t data[SERIAL_INPUT_MAX] = { 0 };
	struct host *h = serial_host_new_bursts();

	(void)state;
	serial_next_burst(h->s, BURST);
	out(h, UART_LCR, UART_LCR_WLEN8);
	out(h, UART_FCR, UART_FCR_ENABLE_FIFO);
	out(h, UART_IER, UART_IER_RDI);
	assert_int_equal(serial_feed(h->s, data, sizeof(data)), sizeof(data));
	assert_int_equal(read_all(h), BURST);
	assert_int_equal(h->overs, 1);
	assert_true(in(h, UART_IIR) & UART_IIR_NO_INT);
	assert_int_equal(in(h, UART_RX), 0);
	/* More of it, and looking again, change nothing. */
	feed(h, "more");
	poll_for_input(h);
	assert_int_equal(h->overs, 1);
	pulses(h);
	serial_next_burst(h->s, 20);
	assert_int_equal(pulses(h), 1);
	assert_int_equal(read_all(h), 20);
	assert_int_equal(h->overs, 2);
	assert_true(in(h, UART_IIR) & UART_IIR_NO_INT);
	/* The rest, to its end: no burst is over where nothing waits. */
	serial_next_burst(h->s, sizeof(data) + 4 - BURST - 20);
	assert_int_equal(read_all(h), sizeof(data) + 4 - BURST - 20);
	assert_int_equal(h->overs, 2);
	/* The burst is used up, and the next byte asks for another. */
	feed(h, "x");
	assert_int_equal(h->overs, 3);
	assert_int_equal(read_all(h), 0);
	serial_next_burst(h->s, 1);
	assert_int_equal(in(h, UART_RX), 'x');
	serial_host_free(h);
}

/* What is held off by the driver is not a burst that is over. */
static void test_burst_and_rts(void **state)
{
	static const uint8_t data[BURST + 1] = { 0 };
	struct host *h = serial_host_new_bursts();

	(void)state;
	serial_next_burst(h->s, BURST);
	out(h, UART_MCR, UART_MCR_RTS);
	poll_for_input(h);
	serial_feed(h->s, data, sizeof(data));
	for (int i = 0; i < BURST - 1; i++)
		in(h, UART_RX);
	out(h, UART_MCR, 0);
	assert_int_equal(read_all(h), 1);
	assert_int_equal(h->overs, 0);
	out(h, UART_MCR, UART_MCR_RTS);
	assert_int_equal(h->overs, 1);
	/* Allowed while it is held off: comes when it is not. */
	out(h, UART_MCR, 0);
	serial_next_burst(h->s, 1);
	assert_int_equal(read_all(h), 0);
	out(h, UART_MCR, UART_MCR_RTS);
	assert_int_equal(read_all(h), 1);
	assert_int_equal(h->overs, 1);
	serial_host_free(h);
}

static void test_rts(void **state)
{
	struct host *h = serial_host_new();

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
	serial_host_free(h);
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
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_burst_and_rts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
