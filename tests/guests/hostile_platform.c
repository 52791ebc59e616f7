/*
 * hostile_platform.c - the machine's own devices, ports and addresses; the
 * witness is an entropy device, which must not notice.  See lib/hostile.h.
 */
#include "tests/guests/lib/hostile.h"

#define THR   (BH_SERIAL_PORT + 0)
#define IER   (BH_SERIAL_PORT + 1)
#define FCR   (BH_SERIAL_PORT + 2)
#define LCR   (BH_SERIAL_PORT + 3)
#define MCR   (BH_SERIAL_PORT + 4)
#define LSR   (BH_SERIAL_PORT + 5)
#define LOOP  0x10
#define I8042 0x60
#define ACPI  0x600

#define HOLE_START 0xc0000000ULL
#define IOAPIC	   0xfec00000ULL
#define LAPIC	   0xfee00000ULL
#define RAM_END	   0x4000000ULL /* --memory 64M */

static void serve(const char *word)
{
	target_chain();
	vq_offer(&target_queue, 0);
	check(target_answer()[0] == 's', "the witness serves");
	state(word);
}

/* The port as the console needs it. */
static void calm_serial(void)
{
	out8(LCR, 3);
	out8(IER, 0);
	out8(MCR, 3); /* DTR, RTS: input may come */
	out8(FCR, 7);
}

/* --- serial port --- */

/* More than all pipes on the way hold, without a look at THRE. */
static void serial_flood(void)
{
	unsigned int i;

	for (i = 0; i < 90000; i++)
		out8(THR, '#');
	put_char('\n');
	serve("runs");
}

static void serial_input_flood(void)
{
	wait_cycles(1000 * CYCLES_MS);
	serve("runs");
}

static void serial_loop(void)
{
	unsigned int i;

	out8(LCR, 3);
	out8(MCR, LOOP | 0x0f);
	out8(IER, 0x0f);
	for (i = 0; i < 4000; i++) {
		out8(THR, (uint8_t)i);
		if (i % 7 == 0)
			(void)in8(LSR);
		if (i % 97 == 0)
			out8(FCR, (uint8_t)i);
	}
	calm_serial();
	serve("runs");
}

static void serial_interrupts(void)
{
	unsigned int i;

	for (i = 0; i < 3000; i++) {
		out8(IER, i % 2 ? 0x0f : 0);
		(void)in8(FCR);
		out8(MCR, (uint8_t)(i % 32));
	}
	calm_serial();
	serve("runs");
}

/* Every register, every value; what would be sent goes round the loop. */
static void serial_registers(void)
{
	uint16_t port;
	unsigned int v;

	for (port = IER; port < BH_SERIAL_PORT + 8; port++)
		for (v = 0; v < 256; v++) {
			out8(port, (uint8_t)(port == MCR ? v | LOOP : v));
			(void)in8(port);
		}
	out8(MCR, LOOP);
	for (port = BH_SERIAL_PORT; port < BH_SERIAL_PORT + 8; port++) {
		(void)in16(port);
		(void)in32(port);
	}
	calm_serial();
	serve("runs");
}

/* --- i8042, ACPI, pvpanic, exit device --- */

static void i8042_flood(void)
{
	unsigned int i;

	for (i = 0; i < 5000; i++) {
		/* Not the pulse of the reset line. */
		if ((i & 0xf1) != 0xf0)
			out8(I8042 + 4, (uint8_t)i);
		out8(I8042, (uint8_t)i);
		(void)in8(I8042 + (i & 4));
		out32(I8042, i);
	}
	serve("runs");
}

static void acpi_flood(void)
{
	unsigned int i;

	for (i = 0; i < 256; i++) {
		if ((i & 0x3c) != (0x20 | 5 << 2))
			out8(ACPI, (uint8_t)i);
		out8(ACPI + 1, (uint8_t)i);
		check(in32(ACPI) == 0xffffffff && in16(ACPI) == 0, "the registers of a byte each");
	}
	serve("runs");
}

static void exit_text_flood(void)
{
	unsigned int i;

	for (i = 0; i < 5000; i++)
		out32(BH_EXIT_PORT + 4, BH_EXIT_OP_TEXT | (i & 0xff));
	serve("runs");
}

static void exit_phase_flood(void)
{
	unsigned int i;

	for (i = 0; i < 3000; i++)
		out32(BH_EXIT_PORT + 4, BH_EXIT_OP_PHASE | (i & 7));
	for (i = 0; i < 256; i++) /* other operations */
		if (i << 24 != BH_EXIT_OP_PHASE && i << 24 != BH_EXIT_OP_TEXT)
			out32(BH_EXIT_PORT + 4, i << 24);
	out16(BH_EXIT_PORT, 0);
	out8(BH_EXIT_PORT, 0);
	out32(BH_EXIT_PORT + 2, 0);
	serve("runs");
}

static void crash_loaded_flood(void)
{
	unsigned int i;

	for (i = 0; i < 3000; i++)
		out8(BH_PVPANIC_PORT, (uint8_t)(i << 1));
	serve("runs");
}

/* Everything above, again and again; sends nothing, ends nothing. */
static void all_ports(void)
{
	static volatile uint32_t turn;
	uint32_t i = turn++;

	out32(BH_EXIT_PORT + 4, BH_EXIT_OP_TEXT | (i & 0x7f));
	out32(BH_EXIT_PORT + 4, BH_EXIT_OP_PHASE | (1 + (i & 1)));
	(void)in8(I8042 + 4);
	(void)in8(I8042);
	out8(ACPI + 1, (uint8_t)i);
	out8(BH_PVPANIC_PORT, 2);
	(void)in8(LSR);
	out8(IER, (uint8_t)(i & 0x0f));
	(void)in8(FCR);
	out8(BH_SERIAL_PORT + 7, (uint8_t)i);
	(void)mmio_read32(target_dev.base + VIO_INTERRUPT_STATUS);
	vio_write(&target_dev, VIO_INTERRUPT_ACK, i);
}

static void second(void)
{
	for (;;)
		all_ports();
}

/* The second CPU goes on to the machine's end. */
static void ports_two_cpus(void)
{
	unsigned int i;

	cpus_start(second);
	for (i = 0; i < 500; i++)
		all_ports();
	serve("runs");
}

/* --- ports and addresses that nobody claims --- */

static bool claimed(unsigned int port)
{
	return port - I8042 < 5 || port - BH_SERIAL_PORT < 8 || port == BH_PVPANIC_PORT ||
	       port - ACPI < 3 || port - BH_EXIT_PORT < 8;
}

static void ports_read(void)
{
	unsigned int port;

	for (port = 0; port < 0x10000; port++)
		check(in8((uint16_t)port) == 0xff || claimed(port),
		      "an unclaimed port is all ones");
	serve("ignored");
}

static void ports_written(void)
{
	unsigned int port;

	for (port = 0; port < 0x10000; port += port < 0x1000 ? 1 : 61) {
		if (claimed(port) || claimed(port + 1) || claimed(port + 2) || claimed(port + 3))
			continue;
		out8((uint16_t)port, 0xff);
		out16((uint16_t)port, 0);
		out32((uint16_t)port, 0xffffffff);
	}
	serve("ignored");
}

/* The floppy controller that no machine needs. */
static void floppy(void)
{
	static const uint8_t commands[] = { 0x8e, 0x0a, 0x04, 0x0f, 0x08, 0x46 };
	unsigned int i;

	for (i = 0; i < 3000; i++) {
		out8(0x3f5, commands[i % sizeof(commands)]);
		out8(0x3f2, (uint8_t)i);
	}
	for (i = 0x3f0; i < 0x3f8; i++)
		check(in8((uint16_t)i) == 0xff, "there is no floppy controller");
	serve("ignored");
}

static void touch(uint64_t at)
{
	check(mmio_read8(at) == 0xff && mmio_read16(at) == 0xffff &&
		      mmio_read32(at) == 0xffffffff && mmio_read64(at) == ~0ULL,
	      "an unclaimed address is all ones");
	mmio_write32(at, 0);
}

static void addresses(void)
{
	uint64_t at;

	for (at = RAM_END; at < HOLE_START; at += 0x7fffff4)
		touch(at);
	for (at = HOLE_START + 0x3fff4; at < IOAPIC; at += 0x40000)
		if (at - target_dev.base >= 0x20000)
			touch(at);
	serve("ignored");
}

/* Half in memory, half not. */
static void memory_end(void)
{
	volatile uint8_t *last = (volatile uint8_t *)RAM_END - 8;
	unsigned int i;

	for (i = 0; i < 8; i++)
		last[i] = 0x5a;
	for (i = 1; i < 8; i++) {
		check(mmio_read64(RAM_END - i) >> 56 == 0xff, "behind memory is nothing");
		check((mmio_read64(RAM_END - i) & 0xff) == 0x5a, "memory is memory to its end");
	}
	mmio_write32(RAM_END - 2, 0xa5a5a5a5);
	check(last[5] == 0x5a && last[6] == 0xa5 && last[7] == 0xa5, "its end is written");
	serve("ignored");
}

/* --- interrupt controllers --- */

static const uint32_t boundary[] = { 0,	     1,	     0xff,	 0x100,	    0x7fff,
				     0x8000, 0xffff, 0x80000000, 0xffffffff };
#define BOUNDARIES (sizeof(boundary) / sizeof(boundary[0]))
#define MASKED	   0x10000

static void ioapic_registers(void)
{
	unsigned int reg, i;

	for (reg = 0; reg < 256; reg++)
		for (i = 0; i < BOUNDARIES; i++) {
			mmio_write32(IOAPIC, reg);
			mmio_write32(IOAPIC + 0x10, boundary[i] | MASKED);
			(void)mmio_read32(IOAPIC + 0x10);
		}
	serve("runs");
}

/* Entry after entry is opened, sent elsewhere, masked: KVM is told each time.  No
 * CPU takes an interrupt here. */
static void route_all(uint32_t round)
{
	unsigned int pin;

	for (pin = 0; pin < 24; pin++) {
		mmio_write32(IOAPIC, 0x11 + 2 * pin);
		mmio_write32(IOAPIC + 0x10, round << 24);
		mmio_write32(IOAPIC, 0x10 + 2 * pin);
		mmio_write32(IOAPIC + 0x10, round * 0x101 & ~(uint32_t)MASKED);
		mmio_write32(IOAPIC + 0x10, MASKED);
	}
}

static void ioapic_routes(void)
{
	uint32_t round;

	for (round = 0; round < 256; round++)
		route_all(round);
	serve("runs");
}

static void route_for_ever(void)
{
	uint32_t round;

	for (round = 0;; round++)
		route_all(round);
}

static void ioapic_two_cpus(void)
{
	uint32_t round;

	cpus_start(route_for_ever);
	for (round = 0; round < 64; round++)
		route_all(round);
	serve("runs");
}

static void lapic_registers(void)
{
	unsigned int reg, i;

	for (reg = 0; reg < 0x1000; reg += 0x10) {
		if (reg == 0x300 || reg == 0x310 || reg == 0xf0) /* commands; its switch */
			continue;
		for (i = 0; i < BOUNDARIES; i++) {
			mmio_write32(LAPIC + reg, boundary[i] | MASKED);
			(void)mmio_read32(LAPIC + reg);
		}
	}
	serve("runs");
}

#define CASE(name)                                                                                 \
	{                                                                                          \
#name, name                                                                        \
	}

static const struct hostile_case cases[] = {
	CASE(serial_flood),	CASE(serial_input_flood),
	CASE(serial_loop),	CASE(serial_interrupts),
	CASE(serial_registers), CASE(i8042_flood),
	CASE(acpi_flood),	CASE(exit_text_flood),
	CASE(exit_phase_flood), CASE(crash_loaded_flood),
	CASE(ports_two_cpus),	CASE(ports_read),
	CASE(ports_written),	CASE(floppy),
	CASE(addresses),	CASE(memory_end),
	CASE(ioapic_registers), CASE(ioapic_routes),
	CASE(ioapic_two_cpus),	CASE(lapic_registers),
};

int guest_main(void)
{
	return hostile_main(cases, sizeof(cases) / sizeof(cases[0]));
}
