/*
 * mptable.c - the tables of Intel's MultiProcessor Specification 1.4,
 * chapter 4: processors, one ISA bus, the IOAPIC and what its pins are.  A
 * kernel that has ACPI believes the MADT instead.  It looks for the pointer
 * nevertheless, and Linux maps the whole range that it searches for each 16
 * bytes of it: a pointer where the range begins ends a search of 64 KiB that
 * took a twentieth of a boot.
 */
#include "arch/x86_64/mptable.h"

#include <string.h>

#include "arch/x86_64/layout.h"

#define PACKED __attribute__((packed))

#define VERSION		      4 /* of the specification: 1.4 */
#define INTEGRATED_APIC	      0x14
#define CPU_ENABLED	      1
#define CPU_BOOT	      2
#define ALL_APICS	      0xff
#define TYPE_INT	      0 /* vectored, of the IOAPIC */
#define TYPE_NMI	      1
#define AS_ON_THE_BUS	      0 /* ISA: edges, active high */
#define MAX_SIZE(ncpus, pins) (16 + 44 + 20 * (size_t)(ncpus) + 8 + 8 + 8 * (size_t)(pins) + 8)

enum entry { ENTRY_CPU, ENTRY_BUS, ENTRY_IOAPIC, ENTRY_INTERRUPT, ENTRY_LOCAL_INTERRUPT };

struct mp_pointer { /* 4.1 */
	char signature[4];
	uint32_t table;
	uint8_t length; /* in units of 16 bytes */
	uint8_t version;
	uint8_t checksum;
	uint8_t features[5];
} PACKED;

struct mp_header { /* 4.2 */
	char signature[4];
	uint16_t length;
	uint8_t version;
	uint8_t checksum;
	char oem_id[8];
	char product_id[12];
	uint32_t oem_table;
	uint16_t oem_table_size;
	uint16_t entries;
	uint32_t local_apic;
	uint16_t extended_length;
	uint8_t extended_checksum;
	uint8_t reserved;
} PACKED;

struct mp_cpu { /* 4.3.1 */
	uint8_t type, apic_id, apic_version, flags;
	uint32_t signature, features;
	uint32_t reserved[2];
} PACKED;

struct mp_bus { /* 4.3.2 */
	uint8_t type, id;
	char name[6];
} PACKED;

struct mp_ioapic { /* 4.3.3 */
	uint8_t type, id, version, flags;
	uint32_t address;
} PACKED;

struct mp_interrupt { /* 4.3.4, 4.3.5 */
	uint8_t type, interrupt_type;
	uint16_t flags;
	uint8_t bus, bus_irq, apic, pin;
} PACKED;

struct out {
	uint8_t *at;
	struct mp_header *header;
};

static void add(struct out *o, const void *entry, size_t size)
{
	memcpy(o->at, entry, size);
	o->at += size;
	o->header->entries++;
}

static void add_interrupts(struct out *o, uint8_t ioapic, unsigned int pins)
{
	/* LINT1 of every processor, as in the MADT */
	const struct mp_interrupt nmi = {
		ENTRY_LOCAL_INTERRUPT, TYPE_NMI, AS_ON_THE_BUS, 0, 0, ALL_APICS, 1
	};

	for (uint8_t pin = 0; pin < pins; pin++) {
		const struct mp_interrupt i = { ENTRY_INTERRUPT, TYPE_INT, AS_ON_THE_BUS, 0, pin,
						ioapic,		 pin };

		add(o, &i, sizeof(i));
	}
	add(o, &nmi, sizeof(nmi));
}

/* What makes the sum of all bytes zero. */
static uint8_t checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

size_t mptable_build(const struct arch_machine *machine, uint64_t addr, uint8_t *out, size_t size)
{
	const unsigned int pins = arch_ioapic_pins(machine->nvirtio);
	const uint8_t ioapic_id = (uint8_t)machine->ncpus; /* the first that no CPU has */
	const struct mp_bus bus = { ENTRY_BUS, 0, "ISA   " };
	const struct mp_ioapic ioapic = { ENTRY_IOAPIC, ioapic_id, 0x11, 1, IOAPIC_ADDR };
	struct mp_pointer pointer = {
		.signature = "_MP_",
		.table = (uint32_t)addr + sizeof(pointer),
		.length = 1,
		.version = VERSION,
	};
	struct mp_header header = {
		.signature = "PCMP",
		.version = VERSION,
		.oem_id = "BULKHEAD",
		.product_id = "MICROVM     ",
		.local_apic = LOCAL_APIC_ADDR,
	};
	struct out o = { out + sizeof(pointer) + sizeof(header), &header };

	if (size < MAX_SIZE(machine->ncpus, pins))
		return 0;
	for (unsigned int i = 0; i < machine->ncpus; i++) {
		const struct mp_cpu cpu = {
			.type = ENTRY_CPU,
			.apic_id = (uint8_t)i,
			.apic_version = INTEGRATED_APIC,
			.flags = CPU_ENABLED | (i == 0 ? CPU_BOOT : 0),
		};

		add(&o, &cpu, sizeof(cpu));
	}
	add(&o, &bus, sizeof(bus));
	add(&o, &ioapic, sizeof(ioapic));
	add_interrupts(&o, ioapic_id, pins);
	header.length = (uint16_t)(o.at - (out + sizeof(pointer)));
	memcpy(out + sizeof(pointer), &header, sizeof(header));
	header.checksum = checksum(out + sizeof(pointer), header.length);
	memcpy(out + sizeof(pointer), &header, sizeof(header));
	pointer.checksum = checksum(&pointer, sizeof(pointer));
	memcpy(out, &pointer, sizeof(pointer));
	return sizeof(pointer) + header.length;
}
