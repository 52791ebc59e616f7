/*
 * guest.h - what a test guest stands on: no library, no interrupts unless it
 * asks for them, the first 4 GiB mapped one to one.
 *
 * Instructions are dear on hosts that emulate supervisor code (about a
 * microsecond each), and some are missing there (INT3, POPCNT, CMPXCHG16B,
 * XSAVE): keep loops short and the code plain.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest-kernel-config/guest_abi.h"

/* Each guest's own: returns the command's exit status. */
int guest_main(void);

static inline uint8_t in8(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint16_t in16(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint32_t in32(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void out8(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline void out16(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline void out32(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

/* A plain MOV each: what an MMIO exit can always be emulated from. */
static inline uint8_t mmio_read8(uint64_t at)
{
	uint8_t v;

	__asm__ volatile("movb (%1), %0" : "=q"(v) : "r"(at) : "memory");
	return v;
}

static inline uint16_t mmio_read16(uint64_t at)
{
	uint16_t v;

	__asm__ volatile("movw (%1), %0" : "=r"(v) : "r"(at) : "memory");
	return v;
}

static inline uint32_t mmio_read32(uint64_t at)
{
	uint32_t v;

	__asm__ volatile("movl (%1), %0" : "=r"(v) : "r"(at) : "memory");
	return v;
}

static inline uint64_t mmio_read64(uint64_t at)
{
	uint64_t v;

	__asm__ volatile("movq (%1), %0" : "=r"(v) : "r"(at) : "memory");
	return v;
}

static inline void mmio_write32(uint64_t at, uint32_t v)
{
	__asm__ volatile("movl %0, (%1)" : : "r"(v), "r"(at) : "memory");
}

static inline uint64_t read_tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

/* No load or store moves across; x86 keeps their order but for store-load. */
static inline void barrier(void)
{
	__asm__ volatile("lock addl $0, (%%rsp)" : : : "memory", "cc");
}

/* ---- console and end (guest.c) ---- */

void put_char(char c);
void put(const char *text);
void put_dec(uint64_t v);

/* End the run through the exit device with kind BH_EXIT_EXITED. */
__attribute__((noreturn)) void guest_exit(int status);

/* Write a status word to the exit device; returns only if nobody ends us. */
void exit_device(uint32_t word);

/* Print "FAIL: what" and exit with status 1. */
__attribute__((noreturn)) void fail(const char *what);

/* fail() unless it holds. */
static inline void check(bool holds, const char *what)
{
	if (!holds)
		fail(what);
}

/* Stop this CPU for good. */
__attribute__((noreturn)) void halt(void);

/* ---- command line: words of KEY=VALUE (guest.c) ---- */

extern const char *guest_cmdline;

bool arg_is(const char *key, const char *value);
uint64_t arg_number(const char *key, uint64_t otherwise); /* decimal or 0x... */

/* ---- interrupts (irq.c) ---- */

/* Route GSI to `vector` of this CPU: IDT, local APIC, I/O APIC pin, edge. */
void irq_setup(unsigned int gsi, uint8_t vector);

/* How many interrupts have come; wait (HLT) until there are more than
 * `seen`. */
extern volatile uint32_t irq_count;
void irq_wait(uint32_t seen);

#endif
