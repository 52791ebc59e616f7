/*
 * acpi.c - ACPI 6.3 tables of a hardware-reduced machine (4.1): no fixed
 * hardware, no SCI, no FACS, no 8259.  What there is to know is in the DSDT:
 * virtio-mmio devices, the serial port, pvpanic, and a power button behind a
 * Generic Event Device.  Power-off and reset are registers named in the FADT.
 *
 * Processors are told by the MADT alone.  Section numbers are of ACPI 6.5.
 */
#include "arch/x86_64/acpi.h"

#include <stdio.h>
#include <string.h>

#include "arch/x86_64/aml.h"
#include "arch/x86_64/layout.h"
#include "vmm/base/util.h"

#define PACKED __attribute__((packed))

struct acpi_header { /* 5.2.6 */
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} PACKED;

struct acpi_rsdp { /* 5.2.5.3 */
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum; /* of all of it */
	uint8_t reserved[3];
} PACKED;

struct acpi_address {  /* 5.2.3.2 */
	uint8_t space; /* 1: ports */
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size; /* 1: byte */
	uint64_t address;
} PACKED;

struct acpi_fadt { /* 5.2.9; what a hardware-reduced machine leaves zero is grouped */
	struct acpi_header header;
	uint32_t firmware_ctrl;
	uint32_t dsdt;
	uint8_t reserved;
	uint8_t pm_profile;
	uint8_t fixed_hardware_1[63];
	uint16_t boot_arch;
	uint8_t reserved2;
	uint32_t flags;
	struct acpi_address reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor_revision;
	uint64_t x_firmware_ctrl;
	uint64_t x_dsdt;
	uint8_t fixed_hardware_2[96];
	struct acpi_address sleep_control;
	struct acpi_address sleep_status;
	char hypervisor[8];
} PACKED;

_Static_assert(sizeof(struct acpi_header) == 36, "ACPI 5.2.6");
_Static_assert(sizeof(struct acpi_rsdp) == 36, "ACPI 5.2.5.3");
_Static_assert(sizeof(struct acpi_fadt) == 276, "ACPI 5.2.9");
_Static_assert(offsetof(struct acpi_fadt, boot_arch) == 109, "ACPI 5.2.9");
_Static_assert(offsetof(struct acpi_fadt, x_dsdt) == 140, "ACPI 5.2.9");
_Static_assert(offsetof(struct acpi_fadt, sleep_control) == 244, "ACPI 5.2.9");

#define FADT_NO_VGA	   (1U << 2)
#define FADT_NO_CMOS_RTC   (1U << 5)
#define FADT_WBINVD	   (1U << 0)
#define FADT_PWR_BUTTON	   (1U << 4) /* no fixed power button: it is in the DSDT */
#define FADT_SLP_BUTTON	   (1U << 5) /* no fixed sleep button */
#define FADT_FIX_RTC	   (1U << 6) /* no RTC wake in fixed registers */
#define FADT_RESET_REG_SUP (1U << 10)
#define FADT_HEADLESS	   (1U << 12)
#define FADT_HW_REDUCED	   (1U << 20)

static uint8_t checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	return (uint8_t)-sum;
}

/* Tables one after the other, 16-byte aligned, through the checked writer. */
struct tables {
	struct aml out;
	uint64_t addr; /* of out.buf, guest physical */
};

static size_t table_begin(struct tables *t, const char *signature, uint8_t revision)
{
	static const uint8_t zero[16];
	struct acpi_header h = {
		.revision = revision,
		.oem_id = { 'B', 'L', 'K', 'H', 'D', ' ' },
		.oem_table_id = { 'B', 'U', 'L', 'K', 'H', 'E', 'A', 'D' },
		.oem_revision = 1,
		.creator_id = { 'B', 'L', 'K', 'H' },
		.creator_revision = 1,
	};
	size_t at;

	memcpy(h.signature, signature, sizeof(h.signature));
	aml_bytes(&t->out, zero, ALIGN_UP(t->out.len, sizeof(zero)) - t->out.len);
	at = t->out.len;
	aml_bytes(&t->out, &h, sizeof(h));
	return at;
}

/* Fill in length and checksum; returns the table's guest address. */
static uint64_t table_end(struct tables *t, size_t at)
{
	uint32_t len = (uint32_t)(t->out.len - at);
	uint8_t *table = t->out.buf + at;

	if (t->out.overflow)
		return 0;
	memcpy(table + offsetof(struct acpi_header, length), &len, sizeof(len));
	table[offsetof(struct acpi_header, checksum)] = checksum(table, len);
	return t->addr + at;
}

static void add_virtio(struct aml *a, unsigned int n)
{
	struct aml_resources res;
	char name[16];
	size_t dev;

	/* Two digits: at most ARCH_MAX_VIRTIO devices, checked by the caller. */
	snprintf(name, sizeof(name), "VD%02u", n);
	dev = aml_device(a, name);
	aml_name_string(a, "_HID", "LNRO0005");
	aml_name_int(a, "_UID", n);
	aml_resources_init(&res);
	aml_memory32(&res, (uint32_t)arch_virtio_base(n), (uint32_t)VIRTIO_STRIDE);
	aml_interrupt(&res, arch_virtio_gsi(n));
	aml_name_resources(a, "_CRS", &res);
	aml_end(a, dev);
}

static void add_serial(struct aml *a)
{
	struct aml_resources res;
	size_t dev = aml_device(a, "COM1");

	aml_name_eisa_id(a, "_HID", "PNP0501");
	aml_name_int(a, "_UID", 1);
	aml_resources_init(&res);
	aml_io(&res, ARCH_SERIAL_PORT, 8);
	aml_interrupt(&res, GSI_SERIAL);
	aml_name_resources(a, "_CRS", &res);
	aml_end(a, dev);
}

static void add_pvpanic(struct aml *a)
{
	struct aml_resources res;
	size_t dev = aml_device(a, "PEVT");

	aml_name_string(a, "_HID", "QEMU0001");
	aml_name_int(a, "_UID", 0);
	aml_resources_init(&res);
	aml_io(&res, ARCH_PVPANIC_PORT, 1);
	aml_name_resources(a, "_CRS", &res);
	aml_end(a, dev);
}

/* 5.6.9: without an SCI, events come through interrupts of their own, which
 * the Generic Event Device turns into notifications by its _EVT. */
static void add_power_button(struct aml *a)
{
	const uint8_t op_notify = 0x86, pressed = 0x80;
	struct aml_resources res;
	size_t dev, method;

	dev = aml_device(a, "PWRB");
	aml_name_eisa_id(a, "_HID", "PNP0C0C");
	aml_name_int(a, "_UID", 0);
	aml_end(a, dev);

	dev = aml_device(a, "GED0");
	aml_name_string(a, "_HID", "ACPI0013");
	aml_name_int(a, "_UID", 0);
	aml_resources_init(&res);
	aml_interrupt(&res, GSI_POWER_BUTTON);
	aml_name_resources(a, "_CRS", &res);
	method = aml_method(a, "_EVT", 1, true);
	aml_byte(a, op_notify);
	aml_path(a, "\\_SB_.PWRB");
	aml_int(a, pressed);
	aml_end(a, method);
	aml_end(a, dev);
}

static uint64_t add_dsdt(struct tables *t, const struct arch_machine *machine)
{
	/* Revision 2: integers have 64 bits. */
	size_t at = table_begin(t, "DSDT", 2), scope, package;
	struct aml *a = &t->out;

	/* Name (\_S5, Package () { SLP_TYP, 0, 0, 0 }) */
	aml_byte(a, 0x08);
	aml_path(a, "\\_S5_");
	package = aml_begin(a, false, 0x12);
	aml_byte(a, 4);
	aml_int(a, ARCH_SLP_TYP_S5);
	for (unsigned int i = 0; i < 3; i++)
		aml_int(a, 0);
	aml_end(a, package);

	scope = aml_scope(a, "\\_SB_");
	add_serial(a);
	add_pvpanic(a);
	add_power_button(a);
	for (unsigned int i = 0; i < machine->nvirtio; i++)
		add_virtio(a, i);
	aml_end(a, scope);
	return table_end(t, at);
}

static struct acpi_address port_register(uint16_t port)
{
	return (struct acpi_address){
		.space = 1, .bit_width = 8, .access_size = 1, .address = port
	};
}

static uint64_t add_fadt(struct tables *t, uint64_t dsdt)
{
	size_t at = table_begin(t, "FACP", 6);
	struct acpi_fadt f = {
		.dsdt = (uint32_t)dsdt,
		.x_dsdt = dsdt,
		/* Without the bit for an 8042 no kernel probes for a keyboard;
		 * its reset line is there all the same. */
		.boot_arch = FADT_NO_VGA | FADT_NO_CMOS_RTC,
		.flags = FADT_WBINVD | FADT_PWR_BUTTON | FADT_SLP_BUTTON | FADT_FIX_RTC |
			 FADT_RESET_REG_SUP | FADT_HEADLESS | FADT_HW_REDUCED,
		.reset_reg = port_register(ARCH_RESET_PORT),
		.reset_value = 1,
		.minor_revision = 3,
		.sleep_control = port_register(ARCH_SLEEP_CONTROL_PORT),
		.sleep_status = port_register(ARCH_SLEEP_STATUS_PORT),
		.hypervisor = { 'B', 'U', 'L', 'K', 'H', 'E', 'A', 'D' },
	};

	aml_bytes(&t->out, (uint8_t *)&f + sizeof(f.header), sizeof(f) - sizeof(f.header));
	return table_end(t, at);
}

static uint64_t add_madt(struct tables *t, const struct arch_machine *machine)
{
	/* Address of the local APICs; flags 0: no 8259 beside them. */
	const struct {
		uint32_t local_apic, flags;
	} fixed = { LOCAL_APIC_ADDR, 0 };
	/* 5.2.12.3: id, reserved, address, first GSI */
	const struct {
		uint8_t type, length, id, reserved;
		uint32_t address, gsi_base;
	} ioapic = { 1, 12, 0, 0, IOAPIC_ADDR, 0 };
	/* 5.2.12.7: NMI is LINT1 of every (0xff) processor, conforming to the bus */
	const uint8_t nmi[] = { 4, 6, 0xff, 0, 0, 1 };
	size_t at = table_begin(t, "APIC", 5);

	aml_bytes(&t->out, &fixed, sizeof(fixed));
	for (unsigned int i = 0; i < machine->ncpus; i++) {
		/* 5.2.12.2: processor UID, APIC id, flags: enabled */
		const uint8_t cpu[] = { 0, 8, (uint8_t)i, (uint8_t)i, 1, 0, 0, 0 };

		aml_bytes(&t->out, cpu, sizeof(cpu));
	}
	aml_bytes(&t->out, &ioapic, sizeof(ioapic));
	aml_bytes(&t->out, nmi, sizeof(nmi));
	return table_end(t, at);
}

size_t acpi_build(const struct arch_machine *machine, uint64_t addr, uint8_t *out, size_t size)
{
	struct tables t = { .out = { .buf = out, .size = size }, .addr = addr };
	struct acpi_rsdp rsdp = {
		.signature = { 'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ' },
		.oem_id = { 'B', 'L', 'K', 'H', 'D', ' ' },
		.revision = 2,
		.length = sizeof(rsdp),
	};
	uint64_t entries[2], dsdt;
	size_t at;

	aml_bytes(&t.out, &rsdp, sizeof(rsdp)); /* the place; filled in below */
	dsdt = add_dsdt(&t, machine);
	entries[0] = add_fadt(&t, dsdt);
	entries[1] = add_madt(&t, machine);
	at = table_begin(&t, "XSDT", 1);
	aml_bytes(&t.out, entries, sizeof(entries));
	rsdp.xsdt = table_end(&t, at);
	if (t.out.overflow)
		return 0;
	rsdp.checksum = checksum(&rsdp, offsetof(struct acpi_rsdp, length));
	rsdp.extended_checksum = checksum(&rsdp, sizeof(rsdp));
	memcpy(out, &rsdp, sizeof(rsdp));
	return t.out.len;
}
