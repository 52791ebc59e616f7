/*
 * irq.c - one device interrupt through I/O APIC and local APIC (Intel SDM
 * volume 3, "Advanced Programmable Interrupt Controller").
 */
#include "tests/guests/lib/guest.h"

#define IOAPIC 0xfec00000ULL
#define LAPIC  0xfee00000ULL

#define LAPIC_EOI 0xb0
#define LAPIC_SVR 0xf0

struct gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, zero;
};

volatile uint32_t irq_count;
static struct gate idt[256] __attribute__((aligned(16)));

/* Nothing in here uses a vector register (-mgeneral-regs-only) or calls a
 * function, whose registers clang would not save. */
struct frame;
__attribute__((interrupt)) static void handler(struct frame *f)
{
	(void)f;
	irq_count = irq_count + 1;
	*(volatile uint32_t *)(LAPIC + LAPIC_EOI) = 0;
}

void irq_setup(unsigned int gsi, uint8_t vector)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} idtr = { sizeof(idt) - 1, (uintptr_t)idt };
	uintptr_t at = (uintptr_t)handler;
	uint16_t cs;

	__asm__ volatile("mov %%cs, %0" : "=r"(cs));
	idt[vector] = (struct gate){ .offset0 = (uint16_t)at,
				     .selector = cs,
				     .type = 0x8e,
				     .offset1 = (uint16_t)(at >> 16) };
	__asm__ volatile("lidt %0" : : "m"(idtr));
	mmio_write32(LAPIC + LAPIC_SVR, 0x1ff);
	/* Redirection entry: fixed, physical destination 0, edge, active high. */
	mmio_write32(IOAPIC, 0x10 + 2 * gsi + 1);
	mmio_write32(IOAPIC + 0x10, 0);
	mmio_write32(IOAPIC, 0x10 + 2 * gsi);
	mmio_write32(IOAPIC + 0x10, vector);
}

void irq_wait(uint32_t seen)
{
	/* STI takes effect after HLT has begun: no interrupt is lost between. */
	while (irq_count == seen)
		__asm__ volatile("sti; hlt; cli" : : : "memory");
}
