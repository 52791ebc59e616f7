/* acpi.h - the firmware tables of a hardware-reduced ACPI machine. */
#ifndef X86_ACPI_H
#define X86_ACPI_H

#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

/*
 * Build RSDP, XSDT, FADT, MADT and DSDT for guest address `addr` (16-byte
 * aligned, below 4 GiB) into `out`; the RSDP comes first.  Returns the bytes
 * used, or 0: they do not fit into `size`.
 */
size_t acpi_build(const struct arch_machine *machine, uint64_t addr, uint8_t *out, size_t size);

#endif
