/* serial_host.c - see serial_host.h. */
#include "tests/unit/support/serial_host.h"

#include <errno.h>
#include <linux/serial_reg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static void sink_over(void *ctx)
{
	((struct host *)ctx)->overs++;
}

void serial_host_pulse(void *ctx, unsigned int gsi)
{
	struct host *h = ctx;

	(void)gsi;
	atomic_fetch_add(&h->pulses, 1);
	atomic_store(&h->edge, true);
}

static struct host *set_up_sink(struct serial_sink sink)
{
	struct host *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	sink.ctx = h;
	h->budget = SIZE_MAX;
	h->s = serial_new(&sink,
			  (struct irq_line){ .pulse = serial_host_pulse, .ctx = h, .gsi = 4 });
	assert_non_null(h->s);
	return h;
}

struct host *serial_host_new(void)
{
	return set_up_sink(
		(struct serial_sink){ .transmit = sink_transmit, .input_room = sink_room });
}

struct host *serial_host_new_bursts(void)
{
	return set_up_sink((struct serial_sink){
		.transmit = sink_transmit, .input_room = sink_room, .burst_over = sink_over });
}

void serial_host_free(struct host *h)
{
	serial_free(h->s);
	free(h);
}

uint8_t in(struct host *h, unsigned int reg)
{
	uint8_t v = 0x5a;

	serial_bus_ops.read(h->s, reg, &v, 1);
	return v;
}

void out(struct host *h, unsigned int reg, unsigned int v)
{
	uint8_t b = (uint8_t)v;

	serial_bus_ops.write(h->s, reg, &b, 1);
}

void poll_for_input(struct host *h)
{
	for (int i = 0; i < 3; i++)
		in(h, UART_LSR);
}

size_t feed(struct host *h, const char *text)
{
	return serial_feed(h->s, (const uint8_t *)text, strlen(text));
}

int pulses(struct host *h)
{
	return atomic_exchange(&h->pulses, 0);
}
