/*
 * control_ports.h - the devices of a few registers: i8042 reset, pvpanic,
 * ACPI sleep and reset, and the exit device through which the guest's init
 * tells the command's status (guest-kernel-config/guest_abi.h).
 *
 * Each reports an event; the monitor decides what it means.
 * Threading: any vCPU thread; events are delivered on that thread.
 */
#ifndef CONTROL_PORTS_H
#define CONTROL_PORTS_H

#include <stdint.h>

#include "devices/bus.h"

enum control_event {
	CONTROL_RESET,	      /* i8042 pulse or the ACPI reset register */
	CONTROL_POWER_OFF,    /* ACPI S5 */
	CONTROL_PANIC,	      /* pvpanic: the guest has panicked (value 1) */
	CONTROL_CRASH_LOADED, /* pvpanic: a crash kernel takes over (value 2) */
	CONTROL_EXIT,	      /* exit device: value is the status word */
	CONTROL_PHASE,	      /* exit device: value is the phase (BH_PHASE_*) */
	CONTROL_TEXT,	      /* exit device: value is one character */
};

struct control_sink {
	/* `value` is 0 where the list above names none. */
	void (*event)(void *ctx, enum control_event event, uint32_t value);
	void *ctx;
	_Atomic uint8_t i8042_reads; /* the i8042's own; starts as 0 */
	_Atomic uint32_t wanted;     /* exit device: what init is asked for; BH_WANT_* */
};

/*
 * Ask the guest's init for something (BH_WANT_*) before the power button tells it
 * to look.  To stop is not taken back.  Any thread.
 */
void control_want(struct control_sink *sink, uint32_t what);

/* For bus_add(); the device is a `struct control_sink` (borrowed). */
extern const struct bus_ops i8042_bus_ops;	 /* I8042_LEN ports at I8042_PORT */
extern const struct bus_ops pvpanic_bus_ops;	 /* 1 port at BH_PVPANIC_PORT */
extern const struct bus_ops acpi_power_bus_ops;	 /* ACPI_POWER_LEN ports, see below */
extern const struct bus_ops exit_device_bus_ops; /* BH_EXIT_PORT_LEN ports at BH_EXIT_PORT */

/* Data, port B, -, -, status and command. */
#define I8042_PORT 0x60
#define I8042_LEN  5

/* ACPI 6.5, 4.8.3.7: sleep control and status registers of a hardware-reduced
 * machine, and the reset register (4.8.3.6), each one byte. */
#define ACPI_POWER_PORT	   0x600
#define ACPI_POWER_LEN	   3
#define ACPI_SLEEP_CONTROL 0 /* SLP_EN is bit 5, SLP_TYP bits 4:2 */
#define ACPI_SLEEP_STATUS  1 /* WAK_STS is bit 7; write 1 to clear */
#define ACPI_RESET	   2 /* any write resets */
#define ACPI_SLP_TYP_S5	   5

#endif
