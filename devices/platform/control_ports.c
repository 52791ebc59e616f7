/*
 * control_ports.c - see control_ports.h.
 *
 * Models: the reset line of an Intel 8042 keyboard controller and bit 5 of
 * the PC's port B, QEMU's pvpanic (its specification in docs/specs), the
 * sleep and reset registers of ACPI 6.5, 4.8.3.6 and 4.8.3.7, and our own
 * exit device.  Left out on purpose: everything else of a keyboard controller
 * (commands with answers, the output port, interrupts) and sleep states other
 * than S5.
 *
 * No state but one counter of the i8042 and one word of the exit device, so no
 * lock.
 */
#include "devices/platform/control_ports.h"

#include <endian.h>
#include <stdatomic.h>
#include <string.h>

#include "guest-kernel-config/guest_abi.h"

static void tell(struct control_sink *sink, enum control_event event, uint32_t value)
{
	sink->event(sink->ctx, event, value);
}

/* --- i8042 --- */

#define I8042_DATA   0
#define I8042_PORT_B 1
#define I8042_STATUS 4 /* and command, when written */

#define STATUS_OUTPUT_FULL 0x01
#define PORT_B_TIMER2_OUT  0x20

/* Stale bytes that the output buffer seems to hold after power-on. */
#define STALE_BYTES 32

/*
 * There is no keyboard, and the guest should find that out quickly.  Linux
 * concludes it only when the output buffer does not become empty while it
 * throws sixteen bytes away; from an empty buffer it goes on to commands and
 * waits half a second for the answer.  Others throw bytes away until it is
 * empty, however long that takes.  A few more than sixteen serve both.  "Input
 * buffer full" is never set: Linux waits for that before it pulses reset.
 *
 * Port B lies in the middle of the range.  Linux's timer calibration waits
 * for the output of timer 2 there, without a bound; it is always high.
 */
static uint8_t i8042_read_byte(struct control_sink *sink, unsigned int port)
{
	switch (port) {
	case I8042_DATA:
		if (atomic_load(&sink->i8042_reads) < STALE_BYTES)
			atomic_fetch_add(&sink->i8042_reads, 1);
		return 0;
	case I8042_PORT_B:
		return PORT_B_TIMER2_OUT;
	case I8042_STATUS:
		return atomic_load(&sink->i8042_reads) < STALE_BYTES ? STATUS_OUTPUT_FULL : 0;
	default:
		return 0xff; /* nobody there */
	}
}

static void i8042_read(void *dev, uint64_t offset, uint8_t *data, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++)
		data[i] = i8042_read_byte(dev, (unsigned int)offset + i);
}

static void i8042_write(void *dev, uint64_t offset, const uint8_t *data, unsigned int len)
{
	if (offset > I8042_STATUS || I8042_STATUS - offset >= len)
		return;
	/* Commands 0xf0 to 0xff pulse the output lines whose bit is 0; line 0
	 * is the processor's reset. */
	if ((data[I8042_STATUS - offset] & 0xf1) == 0xf0)
		tell(dev, CONTROL_RESET, 0);
}

const struct bus_ops i8042_bus_ops = {
	.read = i8042_read,
	.write = i8042_write,
};

/* --- pvpanic --- */

#define PVPANIC_PANICKED     0x01
#define PVPANIC_CRASH_LOADED 0x02

static void pvpanic_read(void *dev, uint64_t offset, uint8_t *data, unsigned int len)
{
	(void)dev;
	(void)offset;
	memset(data, 0xff, len);
	data[0] = PVPANIC_PANICKED | PVPANIC_CRASH_LOADED; /* the events we know */
}

static void pvpanic_write(void *dev, uint64_t offset, const uint8_t *data, unsigned int len)
{
	(void)offset;
	(void)len;
	if (data[0] & PVPANIC_PANICKED)
		tell(dev, CONTROL_PANIC, PVPANIC_PANICKED);
	else if (data[0] & PVPANIC_CRASH_LOADED)
		tell(dev, CONTROL_CRASH_LOADED, PVPANIC_CRASH_LOADED);
}

const struct bus_ops pvpanic_bus_ops = {
	.read = pvpanic_read,
	.write = pvpanic_write,
};

/* --- ACPI sleep and reset --- */

#define SLP_EN	      0x20
#define SLP_TYP_SHIFT 2
#define SLP_TYP_MASK  0x07

/* WAK_STS stays 0: a guest that has asked for S5 waits for it in a loop, and
 * would take a 1 for having slept and woken up. */
static void acpi_power_read(void *dev, uint64_t offset, uint8_t *data, unsigned int len)
{
	(void)dev;
	(void)offset;
	memset(data, 0, len);
}

static void acpi_power_write(void *dev, uint64_t offset, const uint8_t *data, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++) {
		if (offset + i == ACPI_RESET)
			tell(dev, CONTROL_RESET, 0);
		else if (offset + i == ACPI_SLEEP_CONTROL && (data[i] & SLP_EN) &&
			 ((data[i] >> SLP_TYP_SHIFT) & SLP_TYP_MASK) == ACPI_SLP_TYP_S5)
			tell(dev, CONTROL_POWER_OFF, 0);
	}
}

const struct bus_ops acpi_power_bus_ops = {
	.read = acpi_power_read,
	.write = acpi_power_write,
};

/* --- exit device --- */

#define EXIT_STATUS  0
#define EXIT_MESSAGE 4
#define OP_MASK	     0xff000000u

void control_want(struct control_sink *sink, uint32_t what)
{
	uint32_t now = atomic_load(&sink->wanted);

	/* Pairs with take_wanted(). */
	while (now != BH_WANT_STOP && !atomic_compare_exchange_weak(&sink->wanted, &now, what))
		;
}

/* Each number once, so that a second look does not undo what came in between;
 * but init may forget that it is to stop. */
static uint32_t take_wanted(struct control_sink *sink)
{
	uint32_t now = atomic_load(&sink->wanted);

	while (now != BH_WANT_STOP && !atomic_compare_exchange_weak(&sink->wanted, &now, 0))
		;
	return now;
}

static void exit_device_read(void *dev, uint64_t offset, uint8_t *data, unsigned int len)
{
	uint32_t word;

	memset(data, 0xff, len);
	if (len != sizeof(word) || (offset != EXIT_STATUS && offset != EXIT_MESSAGE))
		return;
	word = htole32(offset == EXIT_STATUS ? BH_EXIT_MAGIC : take_wanted(dev));
	memcpy(data, &word, sizeof(word));
}

static void exit_device_write(void *dev, uint64_t offset, const uint8_t *data, unsigned int len)
{
	uint32_t v;

	if (len != sizeof(v))
		return;
	memcpy(&v, data, sizeof(v));
	v = le32toh(v);
	if (offset == EXIT_STATUS)
		tell(dev, CONTROL_EXIT, v);
	else if (offset == EXIT_MESSAGE && (v & OP_MASK) == BH_EXIT_OP_PHASE)
		tell(dev, CONTROL_PHASE, v & ~OP_MASK);
	else if (offset == EXIT_MESSAGE && (v & OP_MASK) == BH_EXIT_OP_TEXT)
		tell(dev, CONTROL_TEXT, v & 0xff);
}

const struct bus_ops exit_device_bus_ops = {
	.read = exit_device_read,
	.write = exit_device_write,
};
