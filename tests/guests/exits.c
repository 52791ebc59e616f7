/*
 * exits.c - the ways out of a guest, and accesses that nobody answers.
 * case=NAME on the command line picks one; code=N is for case=exit.
 */
#include "tests/guests/lib/guest.h"

#define NO_PORT	     0x720
#define NO_MMIO	     0xe0000000ULL
#define ACPI_CONTROL 0x600
#define ACPI_RESET   0x602

static void unclaimed(void)
{
	check(in8(NO_PORT) == 0xff, "8 bits of an unclaimed port");
	check(in16(NO_PORT) == 0xffff, "16 bits of an unclaimed port");
	check(in32(NO_PORT) == 0xffffffff, "32 bits of an unclaimed port");
	check(mmio_read8(NO_MMIO) == 0xff, "8 bits of unclaimed MMIO");
	check(mmio_read16(NO_MMIO + 2) == 0xffff, "16 bits of unclaimed MMIO");
	check(mmio_read32(NO_MMIO) == 0xffffffff, "32 bits of unclaimed MMIO");
	check(mmio_read64(NO_MMIO + 8) == ~0ULL, "64 bits of unclaimed MMIO");
	out8(NO_PORT, 1);
	out16(NO_PORT, 1);
	out32(NO_PORT, 1);
	mmio_write32(NO_MMIO, 1);
	put("all ones\n");
}

/* Accesses of a width or at a place that the device does not have. */
static void odd(void)
{
	uint16_t port;

	check(in32(BH_EXIT_PORT) == BH_EXIT_MAGIC, "the exit device's magic");
	check(in8(BH_EXIT_PORT) == 0xff, "8 bits of the exit device");
	check(in16(BH_EXIT_PORT) == 0xffff, "16 bits of the exit device");
	out8(BH_EXIT_PORT, 1);
	out16(BH_EXIT_PORT, 1);
	/* Across the end of one device, and between two. */
	for (port = BH_EXIT_PORT + 5; port < BH_EXIT_PORT + 12; port++)
		(void)in32(port);
	for (port = BH_SERIAL_PORT - 3; port < BH_SERIAL_PORT + 10; port++)
		(void)in32(port);
	(void)in16(0x64);
	(void)in32(0xfffe);
	out32(0xffff, 1);
	put("still here\n");
}

static void strings(void)
{
	static const char text[] = "by outsb\n";
	const char *p = text;
	uint64_t n = sizeof(text) - 1;
	uint8_t lsr[16] = { 0 };
	uint8_t *q = lsr;
	unsigned int i;

	__asm__ volatile("rep outsb" : "+S"(p), "+c"(n) : "d"(BH_SERIAL_PORT) : "memory");
	n = sizeof(lsr);
	__asm__ volatile("rep insb" : "+D"(q), "+c"(n) : "d"(NO_PORT) : "memory");
	for (i = 0; i < sizeof(lsr); i++)
		check(lsr[i] == 0xff, "INS of an unclaimed port");
}

static void text(const char *p)
{
	for (; *p; p++)
		out32(BH_EXIT_PORT + 4, BH_EXIT_OP_TEXT | (uint8_t)*p);
}

static void triple_fault(void)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} none = { 0, 0 };

	__asm__ volatile("lidt %0; ud2" : : "m"(none));
}

/* POPCNT of a device register: no KVM emulates that instruction. */
static void cannot_emulate(void)
{
	uint64_t v;

	__asm__ volatile("popcnt (%1), %0" : "=r"(v) : "r"(NO_MMIO) : "cc");
	put("emulated all the same\n");
}

/* --- a CPU that goes astray: nothing sensible comes of it, but an end does --- */

#define VIRTIO 0xd0000000ULL

static void jump(uint64_t at)
{
	__asm__ volatile("jmp *%0" : : "r"(at));
}

/* An interrupt table, and then an exception, where there is no memory. */
static void idt_at(uint64_t at)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} idtr = { 0xfff, at };

	__asm__ volatile("lidt %0; ud2" : : "m"(idtr));
}

static void tables_at(uint64_t at)
{
	__asm__ volatile("movq %0, %%cr3" : : "r"(at) : "memory");
}

static void stack_at(uint64_t at)
{
	__asm__ volatile("movq %0, %%rsp; pushq $1; call *%0" : : "r"(at) : "memory");
}

/* The local APIC over the first device, then the device is asked. */
static void move_lapic(void)
{
	uint32_t low = 0xfee00900, high = 0;

	__asm__ volatile("wrmsr" : : "c"(0x1b), "a"((uint32_t)VIRTIO | 0x900), "d"(high));
	(void)mmio_read32(VIRTIO);
	mmio_write32(VIRTIO + 0x70, 0);
	__asm__ volatile("wrmsr" : : "c"(0x1b), "a"(low), "d"(high));
	put("still here\n");
}

static void go_astray(void)
{
	if (arg_is("case", "run-device"))
		jump(VIRTIO);
	else if (arg_is("case", "run-nowhere"))
		jump(NO_MMIO);
	else if (arg_is("case", "idt-device"))
		idt_at(VIRTIO);
	else if (arg_is("case", "idt-nowhere"))
		idt_at(NO_MMIO);
	else if (arg_is("case", "tables-device"))
		tables_at(VIRTIO);
	else if (arg_is("case", "tables-nowhere"))
		tables_at(NO_MMIO);
	else if (arg_is("case", "stack-device"))
		stack_at(VIRTIO + 0x800);
	else if (arg_is("case", "lapic-moved"))
		move_lapic();
}

static void end_by_device(void)
{
	if (arg_is("case", "signal"))
		exit_device(BH_EXIT_STATUS(BH_EXIT_SIGNALED, 9));
	else if (arg_is("case", "not-found"))
		exit_device(BH_EXIT_STATUS(BH_EXIT_NOT_FOUND, 2));
	else if (arg_is("case", "not-executable"))
		exit_device(BH_EXIT_STATUS(BH_EXIT_NOT_EXEC, 13));
	else if (arg_is("case", "failed")) {
		text("the guest's own words\x1b[31m\n");
		exit_device(BH_EXIT_STATUS(BH_EXIT_FAILED, 1));
	} else if (arg_is("case", "failed-long")) {
		for (int i = 0; i < 40; i++)
			text("0123456789abcdefghij");
		exit_device(BH_EXIT_STATUS(BH_EXIT_FAILED, 1));
	} else if (arg_is("case", "bad-kind")) {
		exit_device(0xffffffff);
		put("ignored\n");
	}
}

static void end_by_machine(void)
{
	if (arg_is("case", "i8042"))
		out8(0x64, 0xfe);
	else if (arg_is("case", "poweroff"))
		out8(ACPI_CONTROL, 5 << 2 | 0x20);
	else if (arg_is("case", "reset"))
		out8(ACPI_RESET, 1);
	else if (arg_is("case", "panic"))
		out8(BH_PVPANIC_PORT, 1);
	else if (arg_is("case", "triple-fault"))
		triple_fault();
	else if (arg_is("case", "cannot-emulate"))
		cannot_emulate();
	else if (arg_is("case", "halt"))
		halt();
	else if (arg_is("case", "spin"))
		for (;;)
			;
}

int guest_main(void)
{
	if (arg_is("case", "unclaimed"))
		unclaimed();
	else if (arg_is("case", "odd"))
		odd();
	else if (arg_is("case", "strings"))
		strings();
	else {
		go_astray();
		end_by_device();
		end_by_machine();
		/* Ends on another thread may take a moment to arrive. */
		if (!arg_is("case", "exit") && !arg_is("case", "bad-kind") &&
		    !arg_is("case", "lapic-moved"))
			halt();
	}
	return (int)arg_number("code", 0);
}
