/*
 * ioapic.c - fuzz target: the I/O APIC's registers by accesses of any width,
 * beside a model of what each pin's entry holds.
 *
 * Who is told of messages is told of all pins, only when one has changed, and
 * never of one that is masked; no message names bits that a guest may not
 * choose (a level, another address than the local APICs').
 */
#include <string.h>

#include "devices/platform/ioapic.h"
#include "tests/fuzz/input.h"

struct world {
	struct input in;
	struct ioapic io;
	unsigned int npins;
	uint32_t low[IOAPIC_MAX_PINS], high[IOAPIC_MAX_PINS];
	struct ioapic_message known[IOAPIC_MAX_PINS];
	unsigned int told;
};

static bool same(const struct ioapic_message *a, const struct ioapic_message *b)
{
	return a->open == b->open && a->address == b->address && a->data == b->data;
}

static void routed(void *ctx, const struct ioapic_message *messages, unsigned int n)
{
	struct world *w = ctx;

	unsigned int changed = 0;

	must(n == w->npins);
	for (unsigned int i = 0; i < n; i++)
		changed += !same(&w->known[i], &messages[i]);
	must(changed == 1);
	memcpy(w->known, messages, n * sizeof(*messages));
	w->told++;
}

static uint32_t get(struct world *w, uint64_t offset)
{
	uint32_t v = 0;

	ioapic_bus_ops.read(&w->io, offset, (uint8_t *)&v, 4);
	return v;
}

static void put(struct world *w, uint64_t offset, uint32_t v)
{
	ioapic_bus_ops.write(&w->io, offset, (const uint8_t *)&v, 4);
}

static void check(struct world *w)
{
	for (unsigned int i = 0; i < w->npins; i++) {
		const struct ioapic_message *m = &w->known[i];

		must(m->open == !(w->low[i] & 1u << 16));
		must(m->open || (m->address == 0 && m->data == 0));
		must(!m->open || (m->address & 0xfff00ffb) == 0xfee00000);
		must(!m->open || (m->address >> 12 & 0xff) == w->high[i] >> 24);
		must(!m->open || m->data == (w->low[i] & 0x7ff));
	}
}

static void entry(struct world *w)
{
	unsigned int pin = in_below(&w->in, w->npins), reg = 0x10 + 2 * pin;
	uint32_t v = in_u32(&w->in), told = w->told;
	bool high = in_u8(&w->in) & 1;

	put(w, 0x00, reg + high);
	put(w, 0x10, v);
	if (high)
		w->high[pin] = v & 0xff000000;
	else
		w->low[pin] = v & 0x1afff;
	must(w->told - told <= 1);
	must(get(w, 0x10) == (high ? w->high[pin] : w->low[pin]));
}

/* Anything but the two registers: nothing happens. */
static void odd(struct world *w)
{
	static const unsigned int lens[] = { 1, 2, 4, 8 };
	unsigned int len = lens[in_below(&w->in, 4)], at = in_below(&w->in, IOAPIC_LEN - len + 1);
	uint8_t data[8] = { 0 };
	uint32_t told = w->told;

	if (len == 4 && at % 16 == 0)
		return;
	ioapic_bus_ops.read(&w->io, at, data, len);
	for (unsigned int i = 0; i < len; i++)
		must(data[i] == 0xff);
	ioapic_bus_ops.write(&w->io, at, data, len);
	must(w->told == told);
}

/* A register that is no entry's. */
static void other(struct world *w)
{
	uint32_t reg = in_u8(&w->in), told = w->told;

	if (reg >= 0x10 && reg < 0x10 + 2 * w->npins)
		return;
	put(w, 0x00, reg);
	put(w, 0x10, in_u32(&w->in));
	must(w->told == told);
	must(get(w, 0x00) == reg);
	if (reg == 1)
		must(get(w, 0x10) == (0x11 | (w->npins - 1) << 16));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct world w = { .in = { data, len } };

	w.npins = 1 + in_below(&w.in, IOAPIC_MAX_PINS);
	for (unsigned int i = 0; i < w.npins; i++)
		w.low[i] = 1u << 16;
	ioapic_init(&w.io, w.npins, routed, &w);
	while (w.in.left) {
		switch (in_below(&w.in, 4)) {
		case 0:
		case 1:
			entry(&w);
			break;
		case 2:
			odd(&w);
			break;
		default:
			other(&w);
			break;
		}
		check(&w);
	}
	return 0;
}
